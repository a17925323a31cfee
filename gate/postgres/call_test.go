package postgres

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"weir"
	"weir/gate/gatetest"
)

// TestLargeObjectsByFunctionCall writes and reads one as libpq does. It is decided on as SQL, and what comes back is masked and no longer than it was.
func TestLargeObjectsByFunctionCall(t *testing.T) {
	a := openAttack(t, false)
	a.controls.OnDecide = func(cmd *weir.Command) (weir.Verdict, error) { // as where somebody agreed
		a.last.Store(cmd)
		return weir.Verdict{Effect: weir.Allow}, nil
	}
	conn := a.client(t)
	number := func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
	call := func(oid uint32, args ...string) (value []byte, failed string) {
		t.Helper()
		b := number(oid) + "\x00\x01\x00\x01\x00" + string(rune(len(args)))
		for _, arg := range args {
			b += number(uint32(len(arg))) + arg
		}
		if _, err := conn.Conn().Write([]byte(frame('F', b+"\x00\x01"))); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := conn.Frontend().Receive()
			if err != nil {
				t.Fatal(err)
			}
			switch m := m.(type) {
			case *pgproto3.FunctionCallResponse:
				value = append([]byte(nil), m.Result...)
			case *pgproto3.ErrorResponse:
				failed = m.Code
			case *pgproto3.ReadyForQuery:
				return value, failed
			}
		}
	}
	if _, err := conn.Exec(t.Context(), "begin").ReadAll(); err != nil {
		t.Fatal(err)
	}
	const token = "ghp_" + "0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R"
	text := "plain " + gatetest.Canary + " " + token + " plain"
	oid, failed := call(957, number(0x60000))
	fd, failedOpen := call(952, string(oid), number(0x60000))
	if len(oid) != 4 || len(fd) != 4 || failed+failedOpen != "" || a.last.Load().Text != "SELECT pg_catalog.lo_open($1, $2)" || a.last.Load().SQL.Unclear != "" {
		t.Fatalf("%q %q %s %s %+v", oid, fd, failed, failedOpen, a.last.Load())
	}
	if n, failed := call(955, string(fd), text); failed != "" || len(n) != 4 {
		t.Fatalf("%q %s", n, failed)
	}
	call(956, string(fd), number(0), number(0))
	got, failed := call(954, string(fd), number(uint32(len(text))))
	if failed != "" || strings.Contains(string(got), token) || len(got) > len(text) || len(got) == 0 {
		t.Errorf("%q %s %+v", got, failed, a.last.Load().SQL)
	}
	if _, failed := call(1598); failed != "42501" { // random()
		t.Error(failed)
	}
	if _, failed := call(964, string(oid)); failed != "" {
		t.Errorf("%s %+v", failed, a.last.Load().SQL)
	}
}
