package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"weir/service"
)

// pgLabRules let a laboratory drop and empty what it likes, and pgbench its tables elsewhere, as the guide says.
const pgLabRules = `rules:
- {name: laboratory, resources: [lab, copy], match: {catalog: destructive}, then: allow}
- {name: bench, resources: [orders], match: {operations: [DROP, TRUNCATE], objects: ["pgbench_*"]}, then: allow}
`

// pgTool runs a program that takes its connection from the environment, through the gateway.
func (g *gateway) pgTool(t *testing.T, a *service.Access, stdin, program string, args ...string) ran {
	t.Helper()
	needs(t, program)
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), g.pgEnv(a)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	g.keep(out.Bytes())
	g.keep(stderr.Bytes())
	return ran{out.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func (g *gateway) pgEnv(a *service.Access) []string {
	return []string{
		"PGHOST=localhost", fmt.Sprintf("PGPORT=%d", a.Port), "PGUSER=" + a.Login, "PGDATABASE=" + a.Database, "PGPASSWORD=" + a.Secret, "PGSSLMODE=verify-full",
		"PGSSLROOTCERT=" + filepath.Join(g.data, "ca.pem"), "HOME=" + g.dir,
	}
}

// pgx connects with pgx in its default mode.
func (g *gateway) pgx(t *testing.T, a *service.Access, more string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=localhost port=%d user=%s password=%s dbname=%s sslmode=verify-full sslrootcert=%s %s", a.Port, a.Login, a.Secret, a.Database,
		filepath.Join(g.data, "ca.pem"), more))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// pgLab is what is made, dumped and restored in the tests of tools.
const pgLab = `
CREATE TABLE things (id serial PRIMARY KEY, name text NOT NULL, made timestamptz DEFAULT now(), doc jsonb, bits bytea, tags text[]);
CREATE INDEX ON things (lower(name));
INSERT INTO things (name, doc, bits, tags) SELECT 'thing ' || i, jsonb_build_object('n', i), decode(lpad(to_hex(i), 8, '0'), 'hex'), ARRAY['a', 'b' || i] FROM generate_series(1, 500) i;
CREATE VIEW few AS SELECT id, name FROM things WHERE id < 10;
CREATE FUNCTION shout(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper(t) || '!' $$;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.made := now(); RETURN new; END $$;
CREATE TRIGGER stamped BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TYPE mood AS ENUM ('fine', 'bad');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE parts (id int REFERENCES things, mood mood, n positive);
INSERT INTO parts SELECT id, 'fine', id FROM things WHERE id < 50;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM things;
COMMENT ON TABLE things IS 'all that there is';
`

// TestPostgresToolsWork runs the tools that people use, with the defaults of the catalogue but for DROP and TRUNCATE in a laboratory.
func TestPostgresToolsWork(t *testing.T) {
	g, db := pgGateway(t, pgLabRules)
	lab, copied := g.access(t, "lab", "alice"), g.access(t, "copy", "alice")
	good := func(t *testing.T, got ran) ran {
		t.Helper()
		if all := got.out + got.err; got.code != 0 || strings.Contains(all, "refused by the gateway") || strings.Contains(all, "waits for an approval") || strings.Contains(all, "ERROR") {
			t.Fatalf("exit %d: %.3000s", got.code, all)
		}
		return got
	}
	good(t, g.psql(t, &lab, pgLab, "-v", "ON_ERROR_STOP=1"))
	t.Run("psql's own commands", func(t *testing.T) { g.pgDescribe(t, &lab) })
	t.Run("pg_dump and psql", func(t *testing.T) {
		dump := good(t, g.pgTool(t, &lab, "", "pg_dump", "--no-owner"))
		good(t, g.psql(t, &copied, dump.out, "-q", "-v", "ON_ERROR_STOP=1"))
		sum := "SELECT count(*), sum(id), md5(string_agg(name || doc::text || bits::text || tags::text, ',' ORDER BY id)) FROM things"
		if was, is := good(t, g.psql(t, &lab, sum)), good(t, g.psql(t, &copied, sum)); was.out != is.out || !strings.Contains(was.out, "500") {
			t.Errorf("%s, restored %s", was.out, is.out)
		}
	})
	t.Run("pg_dump and pg_restore", func(t *testing.T) {
		file := filepath.Join(g.dir, "lab.dump")
		good(t, g.pgTool(t, &lab, "", "pg_dump", "--no-owner", "-Fc", "-f", file))
		good(t, g.pgTool(t, &copied, "", "pg_restore", "--no-owner", "--clean", "--if-exists", "--exit-on-error", "-d", copied.Database, file))
		if out := good(t, g.psql(t, &copied, "SELECT count(*) FROM parts", "-At")); strings.TrimSpace(out.out) != "49" {
			t.Error(out.out)
		}
	})
	t.Run("pgbench", func(t *testing.T) {
		got := g.pgTool(t, &lab, "", "pgbench", "-i", "-s", "1", "-q")
		if got.code != 0 || strings.Contains(got.err, "refused") || strings.Contains(got.err, "waits") {
			t.Fatalf("exit %d: %.2000s", got.code, got.err)
		}
		for _, mode := range []string{"simple", "extended", "prepared"} {
			for _, script := range []string{"-S", "-N"} {
				out := good(t, g.pgTool(t, &lab, "", "pgbench", script, "-M", mode, "-c", "2", "-t", "30", "-n"))
				if !strings.Contains(out.out, "60/60") {
					t.Error(mode, script, out.out)
				}
			}
		}
	})
	t.Run("pgbench by its own rule", func(t *testing.T) {
		orders := g.access(t, "orders", "alice")
		for range 2 { // the second time there is something to drop
			got := g.pgTool(t, &orders, "", "pgbench", "-i", "-s", "1", "-q", "-I", "dtgvp")
			if got.code != 0 || strings.Contains(got.err, "refused") || strings.Contains(got.err, "waits") {
				t.Fatalf("exit %d: %.2000s", got.code, got.err)
			}
		}
		out := g.weir(t, "explain", "orders", "DROP TABLE plain", "--as", "alice")
		if want := "- {name: NAME, resources: [orders], match: {operations: [DROP], objects: [public.plain]}, then: allow}"; !strings.Contains(out, want) {
			t.Error(out)
		}
	})
	t.Run("createdb is refused by the target", func(t *testing.T) {
		got := g.pgTool(t, &lab, "", "createdb", "another")
		if got.code == 0 {
			t.Error("made a database")
		}
	})
	t.Run("a session's own tables", func(t *testing.T) {
		good(t, g.psql(t, &lab, `
CREATE TEMP TABLE scratch (id int, note text);
INSERT INTO scratch VALUES (1, 'a'), (2, 'b');
SELECT upper(note) FROM scratch;
UPDATE scratch SET note = 'c';
CREATE TABLE fresh (a int);
INSERT INTO fresh SELECT id FROM scratch;
SELECT sum(a) FROM fresh;
ALTER TABLE fresh ADD COLUMN b text;
UPDATE fresh SET b = 'x' WHERE a = 1;
DELETE FROM scratch;
TRUNCATE scratch;
DROP TABLE scratch;
CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql AS 'SELECT 2 * i';
SELECT twice(21);
CREATE TEMP VIEW seen AS SELECT twice(a) AS t FROM fresh;
SELECT t FROM seen;
PREPARE p (int) AS SELECT twice($1);
EXECUTE p(4);
DEALLOCATE p;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM things ORDER BY id;
FETCH 3 FROM c;
MOVE 2 FROM c;
CLOSE c;
SAVEPOINT s;
INSERT INTO fresh VALUES (7, 'y');
ROLLBACK TO s;
RELEASE s;
COMMIT;
SET search_path = public;
SELECT count(*) FROM things;
SELECT set_config('search_path', 'public, pg_catalog', false);
SELECT shout('x');
DROP FUNCTION IF EXISTS never(int);
LISTEN news;
NOTIFY news, 'read all about it';
SELECT lo_create(4711);
SELECT lo_put(4711, 0, 'bytes');
`, "-v", "ON_ERROR_STOP=1"))
	})
	t.Run("a session's own tables by default", func(t *testing.T) {
		orders := g.access(t, "orders", "alice")
		good(t, g.psql(t, &orders, "CREATE TEMP TABLE scratch (id int); INSERT INTO scratch VALUES (1); DELETE FROM scratch; DROP TABLE scratch;\n", "-v", "ON_ERROR_STOP=1"))
	})
	t.Run("pgx", func(t *testing.T) { g.pgDriver(t, &lab) })
	db.Exec(t, "SELECT 1")
	g.pgSweep(t)
}

// pgDescribe runs psql's family of \d in a database of one's own, and asks whether anything was missed.
func (g *gateway) pgDescribe(t *testing.T, a *service.Access) {
	for _, c := range strings.Fields(`\d \d+ \dt+ \dv+ \di+ \ds+ \dm+ \df+ \dT+ \dD+ \dn+ \du+ \dg+ \dx \dx+ \dy+ \db+ \dc+ \dC+ \dd \ddp \dE+ \des+ \det+ \deu+ \dew+ \dF+ \dFd+ \dFp+ \dFt+ \dL+ \dl+ \do+ \dO+ \dp \dP+ \dRp+
\drds \dA+ \da \dS \l+ \z`) {
		got := g.psql(t, a, c+"\n")
		if strings.Contains(got.err, "refused by the gateway") || strings.Contains(got.err, "waits for") || strings.Contains(got.err, "ERROR") && !strings.Contains(got.err, "permission denied for tablespace") {
			t.Errorf("%s: %.1500s", c, got.err)
		}
	}
	// All settings at once are what the catalogue wants an approval for, however they are asked for.
	if got := g.psql(t, a, "\\dconfig\n"); !strings.Contains(got.err, "waits for an approval") {
		t.Errorf("\\dconfig: %.1500s", got.out+got.err)
	}
	got := g.psql(t, a, "\\d+ things\n\\d+ few\n\\sf shout\n\\sv few\n\\df+ shout\n\\d+ parts\n\\dT+ mood\n\\conninfo\n\\encoding\n")
	for _, want := range []string{"things_lower_idx", "stamped", "upper(t) || '!'", "WHERE things.id < 10", "parts_id_fkey", "fine"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("no %q in %.4000s%s", want, got.out, got.err)
		}
	}
}

// pgDriver is what programs do with a driver: its default mode, lists of parameters, COPY, batches, LISTEN, cancellation, both protocols.
func (g *gateway) pgDriver(t *testing.T, a *service.Access) {
	ctx := t.Context()
	for _, mode := range []string{"", "default_query_exec_mode=simple_protocol", "default_query_exec_mode=exec", "default_query_exec_mode=describe_exec", "default_query_exec_mode=cache_describe"} {
		conn := g.pgx(t, a, mode)
		for range 3 {
			var n int
			var name string
			if err := conn.QueryRow(ctx, "SELECT id, name FROM things WHERE id = $1", 7).Scan(&n, &name); err != nil || n != 7 || name != "thing 7" {
				t.Errorf("%s: %d %q %v", mode, n, name, err)
			}
		}
		if _, err := conn.Exec(ctx, "SELECT nonsense FROM things"); err == nil {
			t.Errorf("%s: nonsense was taken", mode)
		}
	}
	conn := g.pgx(t, a, "")
	if _, err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS loaded (id int, note text)"); err != nil {
		t.Fatal(err)
	}
	rows := make([][]any, 2000)
	for i := range rows {
		rows[i] = []any{i, fmt.Sprintf("row %d", i)}
	}
	if n, err := conn.CopyFrom(ctx, pgx.Identifier{"loaded"}, []string{"id", "note"}, pgx.CopyFromRows(rows)); err != nil || n != 2000 {
		t.Errorf("copied %d: %v", n, err)
	}
	if err := conn.Ping(ctx); err != nil { // a text without a statement
		t.Error(err)
	}
	batch := &pgx.Batch{}
	for i := range 20 {
		batch.Queue("SELECT note FROM loaded WHERE id = $1", i)
	}
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		t.Error(err)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	nested, err := tx.Begin(ctx) // a savepoint
	if err != nil {
		t.Fatal(err)
	}
	_, _ = nested.Exec(ctx, "SELECT 1/0")
	if err := errors.Join(nested.Rollback(ctx), tx.Commit(ctx)); err != nil {
		t.Error(err)
	}
	if _, err := conn.Exec(ctx, "LISTEN news"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.pgx(t, a, "").Exec(ctx, "NOTIFY news, 'hello'"); err != nil {
		t.Fatal(err)
	}
	wait, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if n, err := conn.WaitForNotification(wait); err != nil || n.Payload != "hello" {
		t.Error(n, err)
	}
	short, cancelShort := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancelShort()
	slow := g.pgx(t, a, "")
	if _, err := slow.Exec(short, "SELECT pg_sleep(20)"); err == nil {
		t.Error("slept on")
	}
	var big string
	if err := conn.QueryRow(ctx, "SELECT repeat('an ordinary word ', 300000)").Scan(&big); err != nil || len(big) != 17*300000 {
		t.Error(len(big), err)
	}
	if pgErr := (*pgconn.PgError)(nil); !errors.As(g.pgFail(t, conn, "SELECT pg_read_file('x')"), &pgErr) || pgErr.Code != "42501" {
		t.Error(pgErr)
	}
}

func (g *gateway) pgFail(t *testing.T, conn *pgx.Conn, sql string) error {
	t.Helper()
	_, err := conn.Exec(t.Context(), sql)
	if err == nil {
		t.Errorf("%s was let through", sql)
	}
	return err
}
