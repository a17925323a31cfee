package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// answered writes frames as they are and tells what comes back, up to as many ReadyForQuery as are awaited.
func answered(t testing.TB, conn *pgconn.PgConn, awaited int, frames ...string) string {
	t.Helper()
	if _, err := conn.Conn().Write([]byte(strings.Join(frames, ""))); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for awaited > 0 {
		m, err := conn.Frontend().Receive()
		if err != nil {
			return out.String() + "LOST " + err.Error()
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			fmt.Fprintf(&out, "%s ", m.Values)
		case *pgproto3.ErrorResponse:
			fmt.Fprintf(&out, "%s %s %s ", m.Severity, m.Code, m.Message)
		case *pgproto3.CommandComplete:
			fmt.Fprintf(&out, "%s ", m.CommandTag)
		case *pgproto3.PortalSuspended:
			out.WriteString("suspended ")
		case *pgproto3.ReadyForQuery:
			awaited--
			fmt.Fprintf(&out, "%c\n", m.TxStatus)
		}
	}
	return out.String()
}

const (
	bindOf = "\x00\x00\x00\x00\x00\x00"
	synced = "S\x00\x00\x00\x04"
)

// TestErrorsAreTheTargetsOwn compares what a client gets with what it gets from the server itself, and in which state the transaction is then.
func TestErrorsAreTheTargetsOwn(t *testing.T) {
	a := openAttack(t, false)
	q := func(text string) string { return frame('Q', text+"\x00") }
	bind := func(portal, statement string) string {
		return frame('B', portal+"\x00"+statement+"\x00"+bindOf)
	}
	execute := func(portal string, rows byte) string { return frame('E', portal+"\x00\x00\x00\x00"+string(rows)) }
	begin, after, rollback := q("begin"), q("select 1"), q("rollback")
	for name, steps := range map[string][]string{
		"Bind of no statement":           {begin, bind("", "gone") + execute("", 0) + synced, after, rollback},
		"Bind of no unnamed statement":   {q("select 1"), bind("", "") + synced, after},
		"Describe of no statement":       {begin, frame('D', "Sgone\x00") + synced, after, rollback},
		"Execute of no portal":           {begin, execute("gone", 0) + synced, after, rollback},
		"in a failed transaction":        {begin, q("select 1/0"), bind("", "gone") + synced, execute("gone", 0) + synced, rollback},
		"a statement that was discarded": {parse("s", "select 1") + synced, q("discard all"), bind("", "s") + synced, after},
		"a portal of before":             {parse("", "select generate_series(1, 3)") + bind("p", "") + execute("p", 1) + synced, execute("p", 1) + synced, after},
		"behind what was executed": {
			q("create temp table t (i int)"), parse("", "insert into t values (1)") + bind("", "") + execute("", 0) + bind("", "gone") + synced, q("select count(*) from t"),
		},
		"a NUL in a Query":         {begin, q("select 1\x00, 2"), after, rollback},
		"a NUL in a Parse":         {begin, parse("", "select 1\x00, 2") + bind("", "") + execute("", 0) + synced, after, rollback},
		"a Bind with more":         {parse("s", "select 1") + frame('B', "\x00s\x00"+bindOf+"more") + synced, after},
		"a Query in Latin-1":       {begin, q("select 'caf\xe9'"), after, rollback},
		"a Parse in Latin-1":       {begin, parse("", "select 'caf\xe9'") + synced, after, rollback},
		"Execute of a cursor":      {begin, q("declare c cursor for select generate_series(1, 9)"), execute("c", 2) + synced, execute("c", 0) + synced, execute("c", 1) + synced, q("close c"), execute("c", 1) + synced, rollback},
		"Execute of a cursor kept": {q(`declare "C ""d" cursor with hold for select 42`), frame('D', "PC \"d\x00") + execute(`C "d`, 1) + synced, q("close all"), execute(`C "d`, 1) + synced},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := pgconn.Connect(t.Context(), "postgres://app@"+a.upstream+"/postgres")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Close(t.Context()) })
			conn := a.client(t)
			for i, step := range steps {
				want := answered(t, server, 1, step)
				if got := answered(t, conn, 1, step); got != want {
					t.Errorf("step %d: %s, the server's own answer is %s", i, got, want)
				}
			}
		})
	}
}

// TestExecuteOfACursorIsMaskedAndDecidedOn as FETCH is.
func TestExecuteOfACursorIsMaskedAndDecidedOn(t *testing.T) {
	a := openAttack(t, false)
	conn := a.client(t)
	execute := func(portal string) string { return frame('E', portal+"\x00\x00\x00\x00\x00") + synced }
	got := answered(t, conn, 1, frame('Q', "begin; declare c cursor for select id, password, password || '' from users\x00")) + answered(t, conn, 1, execute("c"))
	if strings.Contains(got, plain) || !strings.Contains(got, "[1 [masked") || !strings.Contains(got, "FETCH") && !strings.Contains(got, "SELECT 1") {
		t.Error(got)
	}
	if cmd := a.last.Load(); cmd.Operation != "FETCH" && !strings.Contains(cmd.Operation, "FETCH") || cmd.Text != `FETCH ALL FROM "c"` {
		t.Errorf("%+v", cmd)
	}
}
