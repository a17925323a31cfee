package test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// TestPostgresLongMessages sends and gets messages that are longer than what is read at once: whatever a server may say, the session goes on, and
// nothing of it is passed on unmasked.
func TestPostgresLongMessages(t *testing.T) {
	g, db := pgGateway(t, "rules:\n- {name: open, resources: [open], match: {catalog: '*'}, then: allow}\n", func(port uint16) string {
		return strings.Replace(fmt.Sprintf(pgRoot, "open", port), "}}\n", "}, allow_function_call: true}\n", 1)
	})
	db.Exec(t, fmt.Sprintf("CREATE ROLE root LOGIN SUPERUSER PASSWORD '%s';", pgHeld))
	open := g.access(t, "open", "alice")
	w := g.pgWire(t, &open)
	good := func(t *testing.T) {
		t.Helper()
		if got := w.simple(t, "SELECT 'still here'"); !strings.Contains(got, "still here") {
			t.Fatalf("%.300q", got)
		}
	}
	padding := strings.Repeat("padding ", 1<<17) // 1 MiB
	t.Run("a statement of 15 MiB", func(t *testing.T) {
		if got := w.simple(t, "/*"+strings.Repeat(padding, 15)+"*/ SELECT 'it is long'"); !strings.Contains(got, "it is long") {
			t.Errorf("%.300q", got)
		}
		good(t)
	})
	t.Run("a parameter of 15 MiB", func(t *testing.T) {
		w.send(t, &pgproto3.Parse{Query: "SELECT length($1)"}, &pgproto3.Bind{Parameters: [][]byte{[]byte(strings.Repeat(padding, 15))}}, &pgproto3.Execute{}, &pgproto3.Sync{})
		if got := w.answer(t); !strings.Contains(got, "15728640") {
			t.Errorf("%.300q", got)
		}
		good(t)
	})
	t.Run("a parameter of 17 MiB", func(t *testing.T) {
		w.send(t, &pgproto3.Parse{Query: "SELECT length($1)"}, &pgproto3.Bind{Parameters: [][]byte{[]byte(strings.Repeat(padding, 17))}}, &pgproto3.Execute{}, &pgproto3.Sync{})
		if got := w.answer(t); !strings.Contains(got, "max-statement") {
			t.Errorf("%.300q", got)
		}
		good(t)
	})
	for _, level := range []string{"NOTICE", "EXCEPTION"} {
		for _, mib := range []int{3, 15, 40} {
			t.Run(fmt.Sprintf("a %s of %d MiB", level, mib), func(t *testing.T) {
				got := w.simple(t, fmt.Sprintf("DO $$ BEGIN RAISE %s '%%', 'password=CANARY' || 'pgFront0aB1c ' || repeat('ordinary ', %d) || ' password=CANARY' || 'pgBack0aB1c'; END $$", level, mib<<20/9))
				if strings.Contains(got, "CANARY") {
					t.Error("it is not masked")
				}
				if mib == 40 && (len(got) > 1<<20 || !strings.Contains(got, map[string]string{"NOTICE": "C00000", "EXCEPTION": "CP0001"}[level])) {
					t.Errorf("%d bytes: %.300q", len(got), got)
				}
				good(t)
			})
		}
	}
	t.Run("a syntax error in 10 MiB", func(t *testing.T) {
		if got := w.simple(t, "SELECT '"+strings.Repeat(padding, 10)+"' nonsense nonsense"); !strings.Contains(got, "42601") {
			t.Errorf("%.300q", got)
		}
		good(t)
	})
	t.Run("a setting of 3 MiB", func(t *testing.T) {
		if got := w.simple(t, "SELECT set_config('app.long', repeat('a', 3 << 20), false); SHOW app.long"); len(got) < 6<<20 {
			t.Errorf("%d bytes: %.300q", len(got), got)
		}
		good(t)
	})
	for _, mib := range []int{3, 40} {
		t.Run(fmt.Sprintf("a function's result of %d MiB", mib), func(t *testing.T) {
			w.send(t, &pgproto3.FunctionCall{Function: 1622, ArgFormatCodes: []uint16{0, 0}, Arguments: [][]byte{[]byte("x"), []byte(fmt.Sprint(mib << 20))}}) // repeat(text, int4)
			got := w.answer(t)
			if got[0] != 'V' || strings.Contains(got, "refused") {
				t.Errorf("%d bytes: %.300q", len(got), got)
			}
			good(t)
		})
	}
	t.Run("CopyData of 40 MiB", func(t *testing.T) {
		w.simple(t, "CREATE TEMP TABLE long (a text)")
		w.send(t, &pgproto3.Query{String: "COPY long FROM STDIN"})
		for {
			if typ, body := w.frame(t); typ == 'G' {
				break
			} else if typ == 'E' {
				t.Fatalf("%.300q", body)
			}
		}
		w.send(t, &pgproto3.CopyData{Data: bytes.Repeat([]byte(strings.Repeat("row ", 16)[:63]+"\n"), 40<<14)}, &pgproto3.CopyDone{})
		if got := w.answer(t); !strings.Contains(got, fmt.Sprintf("COPY %d", 40<<14)) {
			t.Errorf("%.300q", got)
		}
		good(t)
	})
	g.pgSweep(t)
}
