package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"weir"
	"weir/gate/gatetest"
)

const fixtures = `create table secrets (id int, value text, note text);
insert into secrets values (1, 'plain-looking', 'n'), (2, 'other', 'has ` + canary + ` in it');
create table big (id int, note text);
create view shown as select 1 as id;
create table logs (id int, payload bytea, doc jsonb, tags text[]);
insert into logs values (1, convert_to('x ` + canary + ` y','UTF8'), '{"a":"` + canary + `","password":"hunter2"}', array['a','` + canary + `'])`

func fixture(t *testing.T, c *gatetest.Controls, options func(*CodecOptions)) *door {
	t.Helper()
	addr := startServer(t)
	conn, err := pgx.Connect(t.Context(), "postgres://postgres@"+addr+"/postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), fixtures); err != nil {
		t.Fatal(err)
	}
	d := openDoor(t, addr, c, nil, options)
	d.refresh()
	return d
}

var modes = []string{
	"&default_query_exec_mode=simple_protocol", "&default_query_exec_mode=exec", "&default_query_exec_mode=describe_exec",
	"&default_query_exec_mode=cache_describe", "&default_query_exec_mode=cache_statement",
}

func query(t *testing.T, conn *pgx.Conn, sql string, args ...any) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		return "ERR " + stateOf(err)
	}
	defer rows.Close()
	var out strings.Builder
	for rows.Next() {
		for _, v := range rows.RawValues() {
			if v == nil {
				out.WriteString("<null>|")
				continue
			}
			fmt.Fprintf(&out, "%s|", v)
		}
		out.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		return "ERR " + stateOf(err) + " " + err.Error()
	}
	return out.String()
}

func TestRealServer(t *testing.T) {
	d := fixture(t, &gatetest.Controls{OnDecide: func(cmd *weir.Command) (weir.Verdict, error) {
		switch {
		case strings.Contains(cmd.Text, "drop"):
			return weir.Verdict{Effect: weir.Deny, Rule: "no-drop"}, nil
		}
		return weir.Verdict{Effect: weir.Allow}, nil
	}}, nil)
	for _, mode := range modes {
		t.Run(mode[25:], func(t *testing.T) {
			conn := d.connect(t, mode)
			for round := range 3 {
				for name, q := range map[string][2]string{
					"clean":      {"select 1::int4, 'x'::text", "x|"},
					"protected":  {"select value from secrets where id=1", "[masked:field"},
					"alias":      {"select value as note from secrets where id=1", "[masked:field"},
					"expression": {"select upper(value) as harmless from secrets where id=1", "[masked:field"},
					"known":      {"select note from secrets where id=2", "[masked:testtest"},
					"json":       {"select doc from logs", "[masked:"},
					"array":      {"select tags from logs", "[masked:testtest"},
				} {
					got := query(t, conn, q[0])
					if !strings.Contains(got, q[1]) || strings.Contains(got, canary) || strings.Contains(got, "plain-looking") || strings.Contains(got, "PLAIN") || strings.Contains(got, "hunter2") {
						t.Fatalf("round %d, %s: %q", round, name, got)
					}
				}
				got := query(t, conn, "select payload from logs")
				if strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) || len(got) < 20 {
					t.Fatalf("bytea: %q", got)
				}
				if got := query(t, conn, "drop table big"); !strings.HasPrefix(got, "ERR 42501") {
					t.Fatalf("%q", got)
				}
			}
		})
	}
	t.Run("transaction", func(t *testing.T) { transactions(t, d) })
	t.Run("batch", func(t *testing.T) { batches(t, d) })
	t.Run("copy", func(t *testing.T) { copies(t, d) })
	t.Run("errors", func(t *testing.T) { reports(t, d) })
	t.Run("listen", func(t *testing.T) { listens(t, d) })
	t.Run("big", func(t *testing.T) { bigRows(t, d) })
	t.Run("names", func(t *testing.T) { names(t, d) })
	t.Run("portals", func(t *testing.T) { portals(t, d) })
	t.Run("a client that dies in a COPY", func(t *testing.T) { dies(t, d) })
	t.Run("settings", func(t *testing.T) { settings(t, d) })
	t.Run("recorded", func(t *testing.T) {
		conn := d.connect(t, "")
		if _, err := conn.Exec(t.Context(), "update secrets set note = $1 where note = 'none' or value = $2", "x "+canary, "y"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "create role r1 password 'swordfish9'"); err != nil {
			t.Fatal(err)
		}
		all := fmt.Sprint(d.controls.Records())
		if !strings.Contains(all, "{parameter.note x [masked:testtest") || strings.Contains(all, "swordfish9") {
			t.Errorf("a parameter or a password is not recorded as it should be")
		}
		time.Sleep(50 * time.Millisecond)
		d.controls.Sweep(t)
		if f := d.controls.Faults(); len(f) > 0 {
			t.Error(f)
		}
	})
}

func transactions(t *testing.T, d *door) {
	conn := d.connect(t, "")
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "insert into big values (77, 'kept')"); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "drop table big"); stateOf(err) != "42501" {
		t.Fatal(err)
	}
	if s := conn.PgConn().TxStatus(); s != 'T' {
		t.Fatalf("status %c", s)
	}
	if _, err := tx.Exec(t.Context(), "select 1/0"); stateOf(err) != "22012" {
		t.Fatal(err)
	}
	if s := conn.PgConn().TxStatus(); s != 'E' {
		t.Fatalf("status %c", s)
	}
	_ = tx.Rollback(t.Context())
	if s := conn.PgConn().TxStatus(); s != 'I' {
		t.Fatalf("status %c", s)
	}
}

func batches(t *testing.T, d *door) {
	for _, mode := range modes {
		conn := d.connect(t, mode)
		b := &pgx.Batch{}
		for i := range 100 {
			b.Queue("select $1::text", fmt.Sprint("v", i))
		}
		b.Queue("drop table big")
		b.Queue("select 5::text")
		res := conn.SendBatch(t.Context(), b)
		refused := false
		for i := range 100 {
			var v string
			if err := res.QueryRow().Scan(&v); err != nil {
				if refused = stateOf(err) == "42501"; refused { // prepared ahead
					break
				}
				t.Fatal(mode, i, err)
			}
			if v != fmt.Sprint("v", i) {
				t.Fatal(mode, v)
			}
		}
		if !refused {
			if _, err := res.Exec(); stateOf(err) != "42501" {
				t.Fatal(mode, err)
			}
		}
		_ = res.Close()
		if got := query(t, conn, "select 'alive'::text"); !strings.Contains(got, "alive") {
			t.Fatal(mode, got)
		}
		// What came before it in the same batch is undone, as by any other error.
		b = &pgx.Batch{}
		b.Queue("insert into big values (88, 'half')")
		b.Queue("drop table big")
		if err := conn.SendBatch(t.Context(), b).Close(); stateOf(err) != "42501" || conn.PgConn().TxStatus() != 'I' {
			t.Fatal(mode, err, conn.PgConn().TxStatus())
		}
		if got := query(t, conn, "select count(*)::text from big where id = 88"); got != "0|\n" {
			t.Error(mode, got)
		}
	}
	// Megabytes both ways at once.
	conn := d.connect(t, "&default_query_exec_mode=exec")
	b := &pgx.Batch{}
	big := strings.Repeat("abcdefgh ", 3000)
	for range 300 {
		b.Queue("select $1::text", big)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	res := conn.SendBatch(ctx, b)
	for range 300 {
		var v string
		if err := res.QueryRow().Scan(&v); err != nil || v != big {
			t.Fatal(err, len(v))
		}
	}
	if err := res.Close(); err != nil {
		t.Fatal(err)
	}
}

func copies(t *testing.T, d *door) {
	conn := d.connect(t, "")
	for sql, want := range map[string]string{
		"copy secrets to stdout":                                                                   "1\t[masked:field",
		"copy secrets (value, id) to stdout":                                                       "[masked:field",
		"copy secrets to stdout (format csv)":                                                      "1,\"[masked:field",
		"copy (select value from secrets) to stdout":                                               "[masked:field",
		"copy (select note as x from secrets) to stdout":                                           "[masked:field",
		"copy logs to stdout":                                                                      "[masked:testtest",
		"copy secrets to stdout (format binary)":                                                   "PGCOPY",
		"copy (select E'a\\tb " + canary + "'::text, 5) to stdout":                                 `a\tb [masked:testtest`,
		"copy (select 'a,\"b\" " + canary + "'::text) to stdout csv":                               `"a,""b"" [masked:testtest`,
		`copy secrets to stdout (format "csv")`:                                                    "1,\"[masked:field",
		"copy secrets to stdout (format E'c\\x73v', freeze off)":                                   "1,\"[masked:field",
		`copy secrets to stdout (delimiter "|")`:                                                   "1|[masked:field",
		"copy secrets to stdout (delimiter E'\\x7c')":                                              "1|[masked:field",
		"copy secrets to stdout delimiter E'\\174'":                                                "1|[masked:field",
		`copy (select 'a"b', 'x' as csv where 'y' <> 'csv' and 'a' like 'a' escape '!') to stdout`: "a\"b\tx\n",
		`copy (select '"wow!"' where 'a' like 'a' escape '!') to stdout csv`:                       `"""wow!"""`,
	} {
		var out bytes.Buffer
		if _, err := conn.PgConn().CopyTo(t.Context(), &out, sql); err != nil {
			t.Fatal(sql, err)
		}
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), canary) || strings.Contains(out.String(), "plain-looking") {
			t.Errorf("%s: %q", sql, out.String())
		}
	}
	for _, sql := range []string{`copy secrets to stdout (U&"\0066ormat" csv)`, `copy secrets to stdout (format U&'\0063sv')`, `copy secrets to stdout delimiter U&'\007c'`} {
		if _, err := conn.PgConn().CopyTo(t.Context(), io.Discard, sql); stateOf(err) != "42501" {
			t.Error(sql, err)
		}
	}
	if _, err := conn.PgConn().Exec(t.Context(), `copy (select 1) to stdout csv; copy (select 'a"b') to stdout; copy secrets to stdout`).ReadAll(); err != nil {
		t.Error(err)
	}
	// By the extended protocol: of rows that are right, that are not, and that no row is read of.
	for sql, want := range map[string]string{"copy big from stdin": "<nil>", "copy big (id) from stdin": "22P04", "copy shown from stdin": "42809"} {
		f := conn.PgConn().Frontend()
		f.Send(&pgproto3.Parse{Query: sql})
		f.Send(&pgproto3.Bind{})
		f.Send(&pgproto3.Execute{})
		f.Send(&pgproto3.Sync{})
		f.Send(&pgproto3.CopyData{Data: []byte("88\textended\n")})
		f.Send(&pgproto3.CopyDone{})
		f.Send(&pgproto3.Sync{})
		f.Send(&pgproto3.Query{String: "select 'it goes on'"})
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
		got, last := "<nil>", false
		for done := false; !done; {
			m, err := f.Receive()
			if err != nil {
				t.Fatal(sql, err)
			}
			switch m := m.(type) {
			case *pgproto3.ErrorResponse:
				got = m.Code
			case *pgproto3.DataRow:
				last = true
			case *pgproto3.ReadyForQuery:
				done = last
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	n, err := conn.CopyFrom(t.Context(), pgx.Identifier{"big"}, []string{"id", "note"}, pgx.CopyFromSlice(5000, func(i int) ([]any, error) {
		return []any{i, fmt.Sprint("note ", i, " ", canary)}, nil
	}))
	if err != nil || n != 5000 {
		t.Fatal(n, err)
	}
	if _, err := conn.PgConn().CopyFrom(t.Context(), strings.NewReader("1\tpassword=hunter2 "+canary+"\n"), "copy big from stdin"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PgConn().CopyFrom(t.Context(), strings.NewReader("x\n"), "copy big from stdin"); stateOf(err) != "22P02" {
		t.Fatal(err)
	}
	if got := query(t, conn, "select count(*)::text from big where note like '%hunter2%'"); got != "1|\n" {
		t.Fatal(got)
	}
}

func reports(t *testing.T, d *door) {
	conn := d.connect(t, "")
	for _, sql := range []string{
		"select value::int from secrets", "do $$ begin raise exception 'it is " + canary + "' using detail='" + canary + "', hint='password=hunter2', constraint='" + canary + "'; end $$",
	} {
		_, err := conn.Exec(t.Context(), sql)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) {
			t.Fatal(err)
		}
		if all := fmt.Sprintf("%+v", *pg); strings.Contains(all, canary) || strings.Contains(all, "plain-looking") || strings.Contains(all, "hunter2") || !strings.Contains(all, "[masked") {
			t.Errorf("%s: %s", sql, all)
		}
	}
}

func listens(t *testing.T, d *door) {
	conn := d.connect(t, "")
	if _, err := conn.Exec(t.Context(), "listen chan"); err != nil {
		t.Fatal(err)
	}
	other := d.connect(t, "")
	sent := make(chan struct{})
	defer func() { <-sent }()
	go func() {
		defer close(sent)
		_, _ = other.Exec(context.Background(), "select pg_notify('chan', 'now "+canary+"')")
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	n, err := conn.WaitForNotification(ctx)
	if err != nil || !strings.HasPrefix(n.Payload, "now [masked:testtest") {
		t.Fatal(n, err)
	}
}

func bigRows(t *testing.T, d *door) {
	conn := d.connect(t, "")
	for _, n := range []int{600 << 10, 3 << 20, 70 << 20} {
		sql := fmt.Sprintf("select repeat('x ', %d) || '%s' || 'end', 7::text, null", n/2, canary)
		rows, err := conn.Query(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			v := rows.RawValues()
			if len(v) != 3 || len(v[0]) != n+len(canary)+3 || bytes.Contains(v[0], []byte(canary)) || string(v[1]) != "7" || v[2] != nil {
				t.Fatalf("%d: %d cells, %d bytes, ends in %q", n, len(v), len(v[0]), v[0][len(v[0])-40:])
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(n, err)
		}
	}
	if got := query(t, conn, "select repeat(value, 100000) from secrets where id=1"); strings.Contains(got, "plain-looking") {
		t.Fatalf("%.100q", got)
	}
	if got := query(t, conn, "select repeat('z', 20), 1::text"); !strings.Contains(got, "zzz") {
		t.Fatal(got)
	}
	var copied bytes.Buffer
	if _, err := conn.PgConn().CopyTo(t.Context(), &copied, "copy (select repeat('x', 600000), '"+canary+"' union all select 'y', 'z') to stdout binary"); err != nil || !strings.HasPrefix(copied.String(), copySignature) ||
		!strings.HasSuffix(copied.String(), "\x00\x02\x00\x00\x00\x01y\x00\x00\x00\x01z\xff\xff") || bytes.Contains(copied.Bytes(), []byte(canary)) {
		t.Errorf("%v, %d bytes", err, copied.Len())
	}
	// A statement above the limit is not read, and the session goes on.
	if got := query(t, conn, "select '"+strings.Repeat("y", 17<<20)+"'", pgx.QueryExecModeSimpleProtocol); !strings.HasPrefix(got, "ERR 42501") {
		t.Fatalf("%.100q", got)
	}
	if got := query(t, conn, "select '"+strings.Repeat("y", 17<<20)+"'"); !strings.HasPrefix(got, "ERR 42501") {
		t.Fatalf("%.100q", got)
	}
	if got := query(t, conn, "select 'alive'"); !strings.Contains(got, "alive") {
		t.Fatal(got)
	}
}

func names(t *testing.T, d *door) {
	conn := d.connect(t, "")
	if _, err := conn.Exec(t.Context(), "prepare p1 as select note from secrets", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	if got := query(t, conn, "execute p1", pgx.QueryExecModeSimpleProtocol); strings.Contains(got, canary) || !strings.Contains(got, "[masked") {
		t.Fatal(got)
	}
	if _, err := conn.Exec(t.Context(), "deallocate all"); err != nil {
		t.Fatal(err)
	}
}

func portals(t *testing.T, d *door) {
	conn := d.connect(t, "")
	pg := conn.PgConn()
	if _, err := pg.Prepare(t.Context(), "s1", "select value, id from secrets", nil); err != nil {
		t.Fatal(err)
	}
	// The columns were described long before: the rows come without a description.
	for range 3 {
		r := pg.ExecPrepared(t.Context(), "s1", nil, nil, []int16{1}).Read()
		if r.Err != nil || len(r.Rows) != 2 || !bytes.HasPrefix(r.Rows[0][0], []byte("[masked:field")) {
			t.Fatalf("%v %q", r.Err, r.Rows)
		}
	}
}

func settings(t *testing.T, d *door) {
	conn := d.connect(t, "")
	for sql, state := range map[string]string{
		"set client_encoding='latin1'": "42501", "set names 'euc_jp'": "42501", "set standard_conforming_strings=off": "42501",
		"set client_encoding to 'UTF8'": "<nil>", "set standard_conforming_strings=on": "<nil>", "show client_encoding": "<nil>",
	} {
		if _, err := conn.Exec(t.Context(), sql); stateOf(err) != state {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// dies breaks off a COPY FROM: nothing of it stays.
func dies(t *testing.T, d *door) {
	conn := d.connect(t, "")
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, strings.Repeat("424242\thalf\n", 10000))
		_ = conn.PgConn().Conn().Close()
		_ = w.CloseWithError(errors.New("gone"))
	}()
	if _, err := conn.PgConn().CopyFrom(t.Context(), r, "copy big from stdin"); err == nil {
		t.Fatal("no error")
	}
	if got := query(t, d.connect(t, ""), "select count(*)::text from big where id=424242"); got != "0|\n" {
		t.Fatal(got)
	}
}
