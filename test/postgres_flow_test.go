package test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"weir/evidence/record"
	"weir/service"
)

const pgFlowRules = `rules:
- {name: notes, resources: [orders], match: {objects: [plain], operations: [UPDATE]}, then: approve, wait: 20s}
- {name: brief, resources: [orders], match: {objects: [config], operations: [UPDATE]}, then: approve, wait: 500ms}
- {name: keep, resources: [orders], match: {objects: [plain], operations: [DELETE]}, then: deny}
- {name: whole-tables, resources: [orders], match: {no_where: true}, then: deny}
- {name: no-sleep, resources: [monitor], match: {functions: ["pg_catalog.pg_sleep"]}, then: deny}
`

// pgSession is a connection whose notices are kept.
type pgSession struct {
	*pgconn.PgConn
	notices chan *pgconn.Notice
}

func (g *gateway) pgSession(t *testing.T, a *service.Access) *pgSession {
	t.Helper()
	cfg, err := pgconn.ParseConfig(fmt.Sprintf("host=localhost port=%d user=%s password=%s dbname=%s sslmode=verify-full sslrootcert=%s", a.Port, a.Login, a.Secret, a.Database, filepath.Join(g.data, "ca.pem")))
	if err != nil {
		t.Fatal(err)
	}
	s := &pgSession{notices: make(chan *pgconn.Notice, 100)}
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { s.notices <- n }
	if s.PgConn, err = pgconn.ConnectConfig(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// run runs statements by the simple protocol and returns the last value, or the SQLSTATE and words of the error.
func (s *pgSession) run(t *testing.T, sql string) (value string, failed *pgconn.PgError) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	results, err := s.Exec(ctx, sql).ReadAll()
	if err != nil && !errors.As(err, &failed) {
		failed = &pgconn.PgError{Code: "broken", Message: err.Error()}
	}
	for _, r := range results {
		value = r.CommandTag.String()
		for _, row := range r.Rows {
			if len(row) > 0 {
				value = string(row[0])
			}
		}
	}
	return value, failed
}

var pgRequest = regexp.MustCompile(`req_[a-z0-9]+`)

// request waits for the NOTICE of a held statement.
func (s *pgSession) request(t *testing.T) string {
	t.Helper()
	select {
	case n := <-s.notices:
		id := pgRequest.FindString(n.Message)
		if id == "" || !strings.Contains(n.Hint, "weir requests approve "+id) {
			t.Fatalf("%+v", n)
		}
		return id
	case <-time.After(5 * time.Second):
		t.Fatal("no notice")
		return ""
	}
}

func wantState(t *testing.T, failed *pgconn.PgError, code, message string) {
	t.Helper()
	if failed == nil || failed.Code != code || !strings.Contains(failed.Message+failed.Detail, message) {
		t.Errorf("want %s %q, got %+v", code, message, failed)
	}
}

// TestPostgresHolds asks for approvals in the middle of native sessions: agreed to, denied, expired, withdrawn.
func TestPostgresHolds(t *testing.T) {
	g, db := pgGateway(t, pgFlowRules)
	key := g.access(t, "orders", "alice")
	type outcome struct {
		value  string
		failed *pgconn.PgError
	}
	start := func(t *testing.T, s *pgSession, sql string) chan outcome {
		done := make(chan outcome, 1)
		go func() { v, f := s.run(t, sql); done <- outcome{v, f} }()
		return done
	}
	usable := func(t *testing.T, s *pgSession) {
		t.Helper()
		if v, failed := s.run(t, "SELECT 'still here'"); v != "still here" || failed != nil {
			t.Errorf("%q %+v", v, failed)
		}
	}
	t.Run("approved", func(t *testing.T) {
		s := g.pgSession(t, &key)
		done := start(t, s, "UPDATE plain SET note = 'approved' WHERE id = 1")
		g.weir(t, "requests", "approve", s.request(t))
		if got := <-done; got.failed != nil || got.value != "UPDATE 1" {
			t.Errorf("%+v", got)
		}
		usable(t, s)
	})
	t.Run("approved with parameters", func(t *testing.T) {
		s := g.pgSession(t, &key)
		done := make(chan error, 1)
		go func() {
			done <- s.ExecParams(t.Context(), "UPDATE plain SET note = $1 WHERE id = $2", [][]byte{[]byte("bound"), []byte("2")}, nil, nil, nil).Read().Err
		}()
		g.weir(t, "requests", "approve", s.request(t))
		if err := <-done; err != nil {
			t.Error(err)
		}
		usable(t, s)
	})
	t.Run("denied in a transaction", func(t *testing.T) {
		s := g.pgSession(t, &key)
		s.run(t, "BEGIN")
		done := start(t, s, "UPDATE plain SET note = 'denied' WHERE id = 3")
		g.weir(t, "requests", "deny", s.request(t), "--comment", "not today")
		got := <-done
		wantState(t, got.failed, "42501", "not today")
		usable(t, s)
		if v, failed := s.run(t, "COMMIT"); v != "COMMIT" || failed != nil || s.TxStatus() != 'I' {
			t.Errorf("%q %+v", v, failed)
		}
	})
	t.Run("nobody came in time", func(t *testing.T) {
		s := g.pgSession(t, &key)
		_, failed := s.run(t, "UPDATE config SET value = 'x' WHERE name = 'none'")
		wantState(t, failed, "57014", "req_")
		usable(t, s)
	})
	t.Run("approved after the wait", func(t *testing.T) {
		s := g.pgSession(t, &key)
		sql := "UPDATE config SET value = 'later' WHERE name = 'none'"
		_, failed := s.run(t, sql)
		wantState(t, failed, "57014", "req_")
		g.weir(t, "requests", "approve", pgRequest.FindString(failed.Message))
		if v, failed := s.run(t, sql); failed != nil || v != "UPDATE 0" {
			t.Errorf("%q %+v", v, failed)
		}
	})
	t.Run("withdrawn", func(t *testing.T) {
		s := g.pgSession(t, &key)
		done := start(t, s, "UPDATE plain SET note = 'withdrawn' WHERE id = 4")
		s.request(t)
		if err := s.CancelRequest(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := <-done
		wantState(t, got.failed, "57014", "withdrawn")
		usable(t, s)
	})
	t.Run("a running one is cancelled", func(t *testing.T) {
		s := g.pgSession(t, &key)
		done := start(t, s, "SELECT pg_sleep(30)")
		time.Sleep(300 * time.Millisecond)
		if err := s.CancelRequest(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := <-done
		wantState(t, got.failed, "57014", "canceling statement")
		usable(t, s)
	})
	if got := db.Exec(t, "\\c orders\nSELECT string_agg(note, ',' ORDER BY id) FROM plain WHERE id < 5;"); !strings.HasSuffix(got, "approved,bound,an ordinary note 3,an ordinary note 4") {
		t.Error(got)
	}
	g.pgSweep(t)
}

// TestPostgresRules denies by object, by missing WHERE and by function, however it is written, and leaves the session in order.
func TestPostgresRules(t *testing.T) {
	g, db := pgGateway(t, pgFlowRules)
	orders, monitor, reports := g.access(t, "orders", "alice"), g.access(t, "monitor", "alice"), g.access(t, "reports", "alice")
	s := g.pgSession(t, &orders)
	for name, sql := range map[string]string{
		"plainly":            "DELETE FROM plain WHERE id = 1",
		"behind a comment":   "/* x */ dElEtE/**/FROM plain WHERE id = 1",
		"quoted":             `DELETE FROM "public"."plain" WHERE id = 1`,
		"by Unicode":         `DELETE FROM U&"\0070lain" WHERE id = 1`,
		"in WITH":            "WITH x AS (DELETE FROM plain WHERE id = 1 RETURNING 1) SELECT * FROM x",
		"in EXPLAIN":         "EXPLAIN ANALYZE DELETE FROM plain WHERE id = 1",
		"behind another":     "SELECT 1; DELETE FROM plain WHERE id = 1",
		"in PREPARE":         "PREPARE gone AS DELETE FROM plain WHERE id = 1",
		"without WHERE":      "DELETE FROM config",
		"padded with 9 MiB":  "/*" + strings.Repeat("padding ", 9<<17) + "*/ DELETE FROM plain WHERE id = 1",
		"in a function":      "CREATE FUNCTION gone() RETURNS void LANGUAGE sql AS 'DELETE FROM plain WHERE id = 1'",
		"in a view's rule":   "CREATE RULE r AS ON INSERT TO config DO ALSO DELETE FROM plain WHERE id = 1",
		"in a transaction":   "BEGIN; DELETE FROM plain WHERE id = 1; COMMIT",
		"over several lines": "DELETE\n--\nFROM\n\tplain\nWHERE id = 1",
		"with USING":         "DELETE FROM plain p USING config WHERE p.id = 1",
		"by MERGE":           "MERGE INTO plain p USING config c ON p.id = 1 WHEN MATCHED THEN DELETE",
	} {
		t.Run(name, func(t *testing.T) {
			_, failed := s.run(t, sql)
			wantState(t, failed, "42501", "refused by the gateway")
			if v, failed := s.run(t, "SELECT 1"); v != "1" || failed != nil {
				t.Errorf("%q %+v", v, failed)
			}
		})
	}
	t.Run("over 16 MiB", func(t *testing.T) {
		_, failed := s.run(t, "/*"+strings.Repeat("padding ", 3<<20)+"*/ DELETE FROM plain WHERE id = 1")
		wantState(t, failed, "42501", "max-statement")
		if v, failed := s.run(t, "SELECT 1"); v != "1" || failed != nil {
			t.Errorf("%q %+v", v, failed)
		}
	})
	t.Run("a transaction survives", func(t *testing.T) {
		s.run(t, "BEGIN")
		s.run(t, "CREATE TEMP TABLE kept (a int)")
		_, failed := s.run(t, "DELETE FROM plain WHERE id = 1")
		wantState(t, failed, "42501", "rule keep")
		if v, failed := s.run(t, "INSERT INTO kept VALUES (1); SELECT a FROM kept"); v != "1" || failed != nil || s.TxStatus() != 'T' {
			t.Errorf("%q %+v", v, failed)
		}
		if v, _ := s.run(t, "COMMIT"); v != "COMMIT" {
			t.Error(v)
		}
	})
	t.Run("a function", func(t *testing.T) {
		m := g.pgSession(t, &monitor)
		for _, sql := range []string{"SELECT pg_sleep(0)", "SELECT pg_catalog.pg_sleep(0)", `SELECT "pg_sleep"(0)`, "SELECT 1 WHERE pg_sleep(0) IS NOT NULL"} {
			_, failed := m.run(t, sql)
			wantState(t, failed, "42501", "rule no-sleep")
		}
	})
	t.Run("a cell of 70 MiB", func(t *testing.T) {
		v, failed := s.run(t, "SELECT repeat('ordinary words ', 70 * 1024 * 1024 / 15)")
		if failed != nil || len(v) != 70*1024*1024/15*15 {
			t.Errorf("%d bytes, %+v", len(v), failed)
		}
	})
	t.Run("read only", func(t *testing.T) {
		for _, sql := range []string{
			"INSERT INTO plain VALUES (0, 'x')", "SET default_transaction_read_only = off", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "BEGIN READ WRITE",
			"BEGIN; SET TRANSACTION READ WRITE", "SELECT set_config('default_transaction_read_only', 'off', false)", "SELECT set_config('transaction_read_only', 'off', true)",
			"RESET default_transaction_read_only", "RESET ALL", "DISCARD ALL", "START TRANSACTION READ WRITE", "SET transaction_read_only TO 'off'", `SET "default_transaction_read_only" TO off`,
			"DO $$ BEGIN PERFORM set_config('transaction_read_only', 'off', true); INSERT INTO plain VALUES (0, 'x'); END $$", "ALTER ROLE app SET default_transaction_read_only = off",
			"CREATE TABLE x (a int)", "SELECT 1 INTO x", "WITH x AS (INSERT INTO plain VALUES (0, 'x') RETURNING 1) SELECT 1",
		} {
			r := g.pgSession(t, &reports)
			_, _ = r.run(t, sql)
			if v, failed := r.run(t, "INSERT INTO plain VALUES (0, 'x')"); failed == nil {
				t.Errorf("%s: then %s", sql, v)
			}
			_ = r.Close(context.Background())
		}
	})
	if got := db.Exec(t, "\\c orders\nSELECT count(*), min(id) FROM plain;"); !strings.HasSuffix(got, "1000|1") {
		t.Error(got)
	}
	t.Run("explained", func(t *testing.T) {
		for sql, want := range map[string]string{"DROP TABLE plain": "sql-drop", "DELETE FROM plain WHERE id = 1": "keep", "UPDATE plain SET note = '' WHERE id = 1": "notes", "SELECT 1": "ALLOW"} {
			if out := g.weir(t, "explain", "orders", sql, "--as", "alice"); !strings.Contains(out, want) {
				t.Errorf("%s: %s", sql, out)
			}
		}
	})
	t.Run("the padded one is recorded", func(t *testing.T) {
		if out := g.weir(t, "audit", "ls", "-o", "json"); strings.Count(out, "command.deny") < 15 {
			t.Errorf("%.2000s", out)
		}
	})
	g.pgSweep(t)
}

// TestPostgresRevoked ends sessions when what let them in is taken back.
func TestPostgresRevoked(t *testing.T) {
	g, _ := pgGateway(t, "")
	gone := func(t *testing.T, s *pgSession) {
		t.Helper()
		deadline := time.Now().Add(time.Second)
		for {
			if _, failed := s.run(t, "SELECT 1"); failed != nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the session lives on")
			}
		}
	}
	t.Run("the key", func(t *testing.T) {
		key := g.access(t, "orders", "alice")
		s := g.pgSession(t, &key)
		s.run(t, "SELECT 1")
		g.weir(t, "keys", "rm", key.Login)
		gone(t, s)
		if got := g.psql(t, &key, "SELECT 1"); got.code == 0 || !strings.Contains(got.err, "authentication failed") {
			t.Error(got)
		}
	})
	t.Run("the user", func(t *testing.T) {
		key := g.access(t, "orders", "alice")
		s := g.pgSession(t, &key)
		s.run(t, "SELECT 1")
		g.weir(t, "users", "set", "alice", "--disabled")
		gone(t, s)
	})
	g.pgSweep(t)
}

// TestPostgresRecordings reads what sessions left behind: statements, verdicts, rows, all masked.
func TestPostgresRecordings(t *testing.T) {
	g, _ := pgGateway(t, "rules:\n- {name: roles, resources: [orders], match: {operations: [ALTER, CREATE]}, then: allow}\n- {name: roles-too, resources: [orders], match: {catalog: pg-role-change}, then: allow}\n")
	key := g.access(t, "orders", "alice")
	s := g.pgSession(t, &key)
	s.run(t, "SELECT id, password, 'marker of a row' FROM users ORDER BY id LIMIT 2")
	s.run(t, "ALTER ROLE app PASSWORD 'CANARYpgNewPassword0aB1c'")
	s.run(t, "CREATE USER MAPPING FOR mon SERVER other OPTIONS (user 'x', password 'CANARYpgNewMapping0aB1c')")
	s.run(t, "SELECT 'CANARYpg-literal', password = 'CANARYpgGuess0aB1c' FROM users LIMIT 1")
	_, _ = s.run(t, "SELECT pg_read_file('x')")
	if r := s.ExecParams(t.Context(), "SELECT count(*) FROM users WHERE password = $1", [][]byte{[]byte("CANARYpgParameter0aB1c")}, nil, nil, nil).Read(); r.Err != nil {
		t.Error(r.Err)
	}
	_, _ = s.CopyFrom(t.Context(), strings.NewReader("600\tCANARYpgCopied0aB1c\n"), "COPY users (id, password) FROM STDIN")
	if _, err := s.Prepare(t.Context(), "ready", "SELECT id FROM plain WHERE id = $1 AND note <> 'x'", nil); err != nil {
		t.Error(err)
	}
	_ = s.Close(t.Context())
	all := decode[[]record.Session](t, g.weir(t, "sessions", "ls", "-o", "json"))
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	id := string(all[0].ID)
	show, replay := g.weir(t, "sessions", "show", id), g.weir(t, "sessions", "replay", id)
	text := show + replay
	for _, f := range []string{"text", "jsonl", "asciicast-v2"} {
		out, code := g.try(t, nil, "sessions", "export", id, "--format", f, "--data-dir", g.data)
		if code != 0 {
			t.Errorf("%s: %s", f, out)
		}
		text += out
	}
	for _, want := range []string{"marker of a row", "ALTER ROLE app PASSWORD", "[masked:", "pg_read_file", "catalog:pg-", "SELECT count(*) FROM users"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %.5000s", want, text)
		}
	}
	if strings.Contains(show, "not ended") || !strings.Contains(show, "prepared") {
		t.Errorf("%.3000s", show)
	}
	if json, want := g.weir(t, "sessions", "show", id, "-o", "json"), `"fingerprint":"select id from plain where id = $1 and note <> ?"`; !strings.Contains(strings.ReplaceAll(json, `\u003c\u003e`, "<>"), want) {
		t.Errorf("no %s in %.3000s", want, json)
	}
	// A literal that the client wrote itself and that nothing tells from a word stays; what stands where secrets stand does not.
	for _, never := range []string{"NewPassword", "NewMapping", "CANARYpgGuess", "CANARYpgParameter", "CANARYpgCopied"} {
		if strings.Contains(text, never) {
			t.Errorf("%q is in the recording", never)
		}
	}
}

// TestPostgresKillLosesNothing kills the gateway without warning: every statement that was answered is in the recordings.
func TestPostgresKillLosesNothing(t *testing.T) {
	g, _ := pgGateway(t, "")
	key := g.access(t, "orders", "alice")
	var n atomic.Int64
	var mu sync.Mutex
	var answered []string
	var wg sync.WaitGroup
	for range 4 {
		s := g.pgSession(t, &key)
		wg.Go(func() {
			for {
				mark := fmt.Sprintf("mark_%d_", n.Add(1))
				v, failed := s.run(t, "SELECT 1 AS "+mark)
				if failed != nil || v != "1" {
					return
				}
				mu.Lock()
				answered = append(answered, mark)
				mu.Unlock()
			}
		})
	}
	time.Sleep(700 * time.Millisecond)
	_ = g.cmd.Process.Kill()
	<-g.exited
	wg.Wait()
	g.serve(t)
	recorded := ""
	for _, s := range decode[[]record.Session](t, g.weir(t, "sessions", "ls", "-o", "json")) {
		recorded += g.weir(t, "sessions", "export", string(s.ID))
	}
	if len(answered) < 50 {
		t.Errorf("only %d statements ran", len(answered))
	}
	for _, mark := range answered {
		if !strings.Contains(recorded, mark) {
			t.Errorf("%s ran and is not recorded", mark)
		}
	}
	if out := g.weir(t, "verify"); !strings.Contains(out, "The evidence is whole.") {
		t.Error(out)
	}
}
