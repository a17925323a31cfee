package test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"weir/evidence/record"
)

// TestPostgresRecordsHideValues writes and compares secrets in ways that name them less plainly than SET password = 'x', and looks for them in the recording.
func TestPostgresRecordsHideValues(t *testing.T) {
	g, db := pgGateway(t, "")
	db.Exec(t, "\\c orders\nCREATE EXTENSION pgcrypto; CREATE TABLE kept (id int, password text); GRANT ALL ON kept TO app;")
	a := g.access(t, "orders", "alice")
	w := g.pgWire(t, &a)
	for _, sql := range []string{
		"-- Bob's table\nUPDATE users SET password = 'CANARYpgRec' WHERE id = 900", "UPDATE users SET /* it's */ password = 'CANARYpgRec', name = 'CANARYpgRec' WHERE id = 900", "SELECT id FROM users WHERE 'CANARYpgRec' = password",
		"SELECT id FROM users WHERE crypt('CANARYpgRec', password) = password", "SELECT id FROM users WHERE (name, password) = ('bob', 'CANARYpgRec')", "SELECT set_config('app.api_key', 'CANARYpgRec', false)",
		"SET app.api_token = 'CANARYpgRec'", "CREATE TEMP TABLE made (api_key text DEFAULT 'CANARYpgRec')", `SELECT id FROM users WHERE password LIKE'x\' AND name = 'CANARYpgRec'`,
	} {
		if got := w.simple(t, sql); strings.Contains(got, "ERROR\x00") {
			t.Errorf("%s: %.300q", sql, got)
		}
	}
	for _, sql := range []string{
		"UPDATE users SET password = crypt($1, gen_salt('md5')) WHERE id = 900", "UPDATE users SET password = coalesce($1, password) WHERE id = 900", "INSERT INTO kept VALUES (5, $1)", "SELECT id FROM users WHERE $1 = password",
		"SELECT id FROM users WHERE crypt($1, password) = password", "UPDATE users SET (name, password) = ('x', $1) WHERE id = 900", "SELECT set_config('app.api_key', $1, false)", "UPDATE kept SET password = 'x' || $1 WHERE id = 5",
		"INSERT INTO kept (id, password) SELECT 5, $1", "UPDATE kept SET password = x.p FROM (VALUES (5, $1::text)) x(id, p) WHERE x.id = kept.id",
	} {
		w.send(t, &pgproto3.Parse{Query: sql}, &pgproto3.Bind{Parameters: [][]byte{[]byte("CANARYpgRec")}}, &pgproto3.Execute{}, &pgproto3.Sync{})
		if got := w.answer(t); strings.Contains(got, "ERROR\x00") {
			t.Errorf("%s: %.300q", sql, got)
		}
	}
	for _, c := range [][2]string{
		{`COPY kept FROM STDIN WITH (DELIMITER "|")`, "6|CANARYpgRec\n"}, {`COPY kept FROM STDIN WITH (FORMAT "csv")`, "7,CANARYpgRec\n"},
		{"COPY kept FROM STDIN WITH (FORMAT binary)", "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x04\x00\x00\x00\x08\x00\x00\x00\x0bCANARYpgRec\xff\xff"},
	} {
		w.send(t, &pgproto3.Query{String: c[0]})
		for typ := byte(0); typ != 'Z'; {
			var body []byte
			if typ, body = w.frame(t); typ == 'G' {
				w.send(t, &pgproto3.CopyData{Data: []byte(c[1])}, &pgproto3.CopyDone{})
			} else if typ == 'C' && string(body) != "COPY 1\x00" || typ == 'E' {
				t.Errorf("%s: %q", c[0], body)
			}
		}
	}
	w.simple(t, "SELECT 1")
	for _, s := range decode[[]record.Session](t, g.weir(t, "sessions", "ls", "-o", "json")) {
		for line := range strings.Lines(g.weir(t, "sessions", "export", string(s.ID), "--format", "jsonl")) {
			var l struct {
				Data64 []byte `json:"data_base64"`
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Error(err)
			}
			if strings.Contains(line, "CANARYpgRec") || strings.Contains(string(l.Data64), "CANARYpgRec") {
				t.Errorf("%.600s %q", line, l.Data64)
			}
		}
	}
}
