package sql

import (
	"slices"
	"testing"

	"weir"
)

// TestMoves asks where a column called password goes, in a database that has it in users, and in people, a view on it.
func TestMoves(t *testing.T) {
	s := NewSnapshot(Catalog{
		SearchPath: []string{"public"},
		Relations: []Relation{
			{OID: 1, Schema: "public", Name: "users", Kind: 'r', Columns: []string{"id", "name", "password", "score"}},
			{OID: 2, Schema: "public", Name: "log", Kind: 'r', Columns: []string{"id", "note", "password"}},
			{OID: 3, Schema: "pg_temp_3", Name: "scratch", Kind: 'r', Columns: []string{"id", "note"}},
		},
		Functions: []Function{
			{Schema: "public", Name: "keep", Language: "plpgsql", Source: "BEGIN INSERT INTO log VALUES (1, $1); END", Volatile: 'v'},
			{Schema: "public", Name: "whole", Language: "plpgsql", Source: "BEGIN INSERT INTO log (note) VALUES (row_to_json(new)::text); RETURN new; END", Volatile: 'v'},
			{Schema: "public", Name: "part", Language: "plpgsql", Source: "BEGIN INSERT INTO log (note) VALUES (new.password); RETURN new; END", Volatile: 'v'},
			{Schema: "public", Name: "fill", Language: "plpgsql", Source: "BEGIN SELECT password INTO new.note FROM users; RETURN new; END", Volatile: 'v'},
			{Schema: "public", Name: "none", Language: "plpgsql", Source: "BEGIN INSERT INTO log (id) VALUES (new.id); RETURN new; END", Volatile: 'v'},
			{Schema: "public", Name: "read", Language: "sql", Source: "SELECT password FROM users", Volatile: 's'},
			{Schema: "pg_catalog", Name: "set_config", Language: "internal", Volatile: 'v'}, {Schema: "pg_catalog", Name: "pg_notify", Language: "internal", Volatile: 'v'},
			{Schema: "pg_catalog", Name: "lo_from_bytea", Language: "internal", Volatile: 'v'}, {Schema: "pg_catalog", Name: "hashtext", Language: "internal", Volatile: 'i'},
			{Schema: "pg_catalog", Name: "pg_advisory_lock", Language: "internal", Volatile: 'v'}, {Schema: "pg_catalog", Name: "upper", Language: "internal", Volatile: 'i'},
			{Schema: "pg_catalog", Name: "btrim", Language: "internal", Volatile: 'i'}, {Schema: "pg_catalog", Name: "setval", Language: "internal", Volatile: 'v'},
			{Schema: "pg_catalog", Name: "length", Language: "internal", Volatile: 'i'}, {Schema: "pg_catalog", Name: "pg_logical_emit_message", Language: "internal", Volatile: 'v'},
			{Schema: "pg_catalog", Name: "crypt", Language: "internal", Volatile: 'i'}, {Schema: "pg_catalog", Name: "coalesce", Language: "internal", Volatile: 'i'},
		},
	})
	// out is where the password goes; "" where it stays.
	for text, out := range map[string]string{
		"CREATE TABLE x AS SELECT password AS note FROM users":                                                                                                   "table",
		"CREATE TABLE x (note) AS SELECT password FROM users":                                                                                                    "table",
		"CREATE UNLOGGED TABLE x AS TABLE users":                                                                                                                 "table",
		"CREATE TABLE x AS (SELECT upper(password) FROM users)":                                                                                                  "table",
		"CREATE TABLE x AS SELECT u FROM users u":                                                                                                                "table",
		"CREATE TABLE x AS SELECT * FROM users":                                                                                                                  "table",
		"CREATE TABLE x AS WITH y AS (SELECT password AS p FROM users) SELECT p FROM y":                                                                          "table",
		"CREATE TABLE x AS SELECT read()":                                                                                                                        "table",
		"CREATE TABLE x AS SELECT trim(both from password) FROM users":                                                                                           "table",
		"CREATE TABLE x AS EXECUTE p":                                                                                                                            "table",
		"SELECT password AS note INTO x FROM users":                                                                                                              "table",
		"SELECT note INTO TABLE x FROM (SELECT password AS note FROM users) y":                                                                                   "table",
		"INSERT INTO log (note) SELECT password FROM users":                                                                                                      "table",
		"INSERT INTO log SELECT id, password FROM users":                                                                                                         "table",
		"INSERT INTO log (note) SELECT p FROM (SELECT password AS p FROM users) x":                                                                               "table",
		"INSERT INTO log (note) VALUES ((SELECT password FROM users LIMIT 1))":                                                                                   "table",
		"INSERT INTO log (note) TABLE users":                                                                                                                     "table",
		"INSERT INTO log (note) SELECT name FROM users UNION SELECT password FROM users":                                                                         "table",
		"INSERT INTO log (note, password) SELECT password, name FROM users":                                                                                      "table",
		"INSERT INTO log (id, note) VALUES (1, '') ON CONFLICT (id) DO UPDATE SET note = (SELECT password FROM users LIMIT 1)":                                   "table",
		"WITH x AS (SELECT password AS p FROM users) INSERT INTO log (note) SELECT p FROM x":                                                                     "table",
		"WITH x AS (INSERT INTO log (note) SELECT password FROM users RETURNING 1) SELECT * FROM x":                                                              "table",
		"WITH a AS (SELECT password AS p FROM users), b AS (INSERT INTO log (note) SELECT p FROM a) SELECT 1":                                                    "table",
		"UPDATE log SET note = (SELECT password FROM users LIMIT 1)":                                                                                             "table",
		"UPDATE log SET note = u.password FROM users u WHERE u.id = log.id":                                                                                      "table",
		"UPDATE log SET note = x.p FROM (SELECT id, password AS p FROM users) x WHERE x.id = log.id":                                                             "table",
		"UPDATE log SET (id, note) = (SELECT id, password FROM users LIMIT 1)":                                                                                   "table",
		"UPDATE users SET name = password":                                                                                                                       "table",
		"MERGE INTO log USING users u ON u.id = log.id WHEN MATCHED THEN UPDATE SET note = u.password":                                                           "table",
		"MERGE INTO log USING users u ON u.id = log.id WHEN NOT MATCHED THEN INSERT (id, note) VALUES (u.id, u.password)":                                        "table",
		"MERGE INTO log USING (SELECT id, password AS p FROM users) u ON u.id = log.id WHEN MATCHED THEN UPDATE SET note = u.p":                                  "table",
		"EXPLAIN ANALYZE INSERT INTO log (note) SELECT password FROM users":                                                                                      "table",
		"PREPARE q AS INSERT INTO log (note) SELECT password FROM users":                                                                                         "table",
		"CREATE RULE r AS ON UPDATE TO users DO ALSO INSERT INTO log (note) VALUES (new.password)":                                                               "table",
		"CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'INSERT INTO log (note) SELECT password FROM users'":                                                   "table",
		"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'DECLARE v text; BEGIN SELECT password INTO v FROM users; INSERT INTO log (note) VALUES (v); END'": "table",
		"CREATE RULE r AS ON UPDATE TO users DO ALSO INSERT INTO log (note) VALUES (old::text)":                                                                  "table",
		"CREATE RULE r AS ON UPDATE TO users DO ALSO INSERT INTO log (note) SELECT new.*::text":                                                                  "table",
		"INSERT INTO log (note) SELECT zz FROM users AS q(a, b, zz)":                                                                                             "table",
		"INSERT INTO log (note) SELECT zz FROM ONLY (users) q(a, b, zz)":                                                                                         "table",
		"INSERT INTO log (note) SELECT zz FROM users * q(a, b, zz)":                                                                                              "table",
		"INSERT INTO log (note) SELECT x FROM (SELECT zz AS x FROM users q(a, b, zz)) y":                                                                         "table",
		"INSERT INTO log (note) SELECT x FROM read() x":                                                                                                          "table",
		"INSERT INTO log (note) SELECT x FROM log l JOIN read() x ON true":                                                                                       "table",
		"CREATE TABLE x AS SELECT zz FROM users q(a, b, zz)":                                                                                                     "table",
		"UPDATE log SET note = q.zz FROM users q(a, b, zz)":                                                                                                      "table",
		"MERGE INTO log USING users u(a, b, zz) ON u.a = log.id WHEN MATCHED THEN UPDATE SET note = u.zz":                                                        "table",
		"CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT password AS p INTO x FROM users'":                                                              "table",
		"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN CREATE TEMP TABLE x AS SELECT password AS p FROM users; END'":                               "table",
		"CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT password AS p INTO TEMP x FROM users'":                                                         "table",
		"ALTER VIEW users RENAME COLUMN password TO note":                                                                                                        "name",
		"ALTER MATERIALIZED VIEW users RENAME password TO note":                                                                                                  "name",
		"ALTER TYPE t RENAME ATTRIBUTE password TO note CASCADE":                                                                                                 "name",
		"CREATE TABLE x (id int, note text DEFAULT read() NOT NULL)":                                                                                             "column",
		"ALTER TABLE log ALTER note SET DEFAULT read()":                                                                                                          "column",
		"ALTER TABLE log ADD x text DEFAULT upper(read()), ADD y int":                                                                                            "column",
		"CREATE TRIGGER t BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION fill()":                                                                             "function",
		"UPDATE users x SET name = x::text":                                                                                                                      "table",
		"ALTER TABLE users RENAME COLUMN password TO note":                                                                                                       "name",
		"ALTER TABLE users RENAME password TO note":                                                                                                              "name",
		"ALTER TABLE users ADD COLUMN x text GENERATED ALWAYS AS (upper(password)) STORED":                                                                       "column",
		"ALTER TABLE users ALTER COLUMN name TYPE text USING password":                                                                                           "column",
		"ALTER TABLE users ALTER name SET DATA TYPE text USING upper(password), ADD c int":                                                                       "column",
		"SELECT set_config('application_name', password, false) FROM users":                                                                                      "setting",
		"SELECT set_config('application_name', (SELECT password FROM users LIMIT 1), false)":                                                                     "setting",
		"SELECT pg_notify('ch', password) FROM users":                                                                                                            "notification",
		"SELECT pg_notify(password, '') FROM users":                                                                                                              "notification",
		"SELECT lo_from_bytea(0, password::bytea) FROM users":                                                                                                    "large object",
		"SELECT pg_advisory_lock(hashtext(password)) FROM users":                                                                                                 "lock",
		"SELECT setval('s', length(password)) FROM users":                                                                                                        "sequence",
		"SELECT pg_logical_emit_message(false, 'x', password) FROM users":                                                                                        "log",
		"SELECT pg_notify('ch', x.p) FROM (SELECT password AS p FROM users) x":                                                                                   "notification",
		"WITH x AS (SELECT password AS p FROM users) SELECT pg_notify('ch', p) FROM x":                                                                           "notification",
		"UPDATE log SET note = x.p FROM users u, LATERAL (SELECT u.password AS p) x":                                                                             "table",
		"CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION public.whole()":                                                                   "function",
		"CREATE OR REPLACE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW EXECUTE PROCEDURE part()":                                                               "function",
		"SELECT keep(password) FROM users":                                                                                                                       "function",
		"SELECT keep((SELECT x.p FROM (SELECT password AS p FROM users) x))":                                                                                     "function",

		"INSERT INTO log (note) SELECT x.name FROM users x TABLESAMPLE bernoulli (10), LATERAL upper(x.name) WITH ORDINALITY AS y(a, n)": "",
		"CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS 'DECLARE v text; BEGIN SELECT password INTO v FROM users; RETURN v; END'":  "",
		"CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION none()":                                         "",
		"CREATE TABLE x (id int DEFAULT 1, note text DEFAULT 'x', password text DEFAULT upper('a'))":                                     "",
		"ALTER TABLE users ADD COLUMN note text DEFAULT 'x'":                                                                             "",
		"SELECT password FROM users":                                                                                   "",
		"INSERT INTO users (id, password) VALUES (1, $1)":                                                              "",
		"INSERT INTO users VALUES (1, 'n', 'secret', 1)":                                                               "",
		"INSERT INTO log (id, password) SELECT id, password FROM users":                                                "",
		"INSERT INTO log (note) SELECT name FROM users WHERE password = 'x'":                                           "",
		"INSERT INTO log (id) SELECT u.id FROM users u JOIN log l ON l.password = u.password":                          "",
		"INSERT INTO users (id, password) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET password = excluded.password": "",
		"INSERT INTO log (note) VALUES ('a') RETURNING password":                                                       "",
		"UPDATE users SET password = crypt($1, password) WHERE id = $2":                                                "",
		"UPDATE users SET score = 1 WHERE password = $1":                                                               "",
		"UPDATE users SET password = coalesce($1, password), name = $2 WHERE id = $3":                                  "",
		"UPDATE users SET score = score + 1 FROM log WHERE log.password = users.password RETURNING users.password":     "",
		"DELETE FROM users WHERE password IS NULL":                                                                     "",
		"MERGE INTO users u USING log l ON l.id = u.id WHEN MATCHED THEN UPDATE SET password = l.password WHEN NOT MATCHED THEN INSERT (id, password) VALUES (l.id, l.password)": "",
		"CREATE TEMP TABLE x AS SELECT password AS note FROM users":                         "",
		"CREATE TABLE pg_temp.x AS SELECT password AS note FROM users":                      "",
		"SELECT password AS note INTO TEMP x FROM users":                                    "",
		"INSERT INTO pg_temp.scratch (note) SELECT password FROM users":                     "",
		"CREATE TABLE x AS SELECT id, name FROM users WHERE password IS NOT NULL":           "",
		"CREATE TABLE x (id int, password text NOT NULL)":                                   "",
		"CREATE INDEX ON users (password)":                                                  "",
		"CREATE VIEW v AS SELECT password AS note FROM users":                               "",
		"EXPLAIN INSERT INTO log (note) SELECT password FROM users":                         "",
		"ALTER TABLE users RENAME COLUMN name TO full_name":                                 "",
		"ALTER TABLE users ALTER COLUMN password TYPE varchar(200) USING password::varchar": "",
		"ALTER TABLE users ADD COLUMN extra text":                                           "",
		"SELECT set_config('app.user', $1, true)":                                           "",
		"SELECT id FROM users WHERE password = 'x' FOR UPDATE":                              "",
		"COPY users (id, password) FROM STDIN":                                              "",
	} {
		got := Classify(text, Input{Snapshot: s, Conforming: true})
		var to []string
		for _, m := range got.Moves {
			secret := m.Name == "password" || m.Name == "*" && m.Into != "=" && (slices.Contains(got.Columns, "public.users.password") || len(got.Columns) == 0)
			if secret && m.Into != "password" && !slices.Contains(to, m.To) {
				to = append(to, m.To)
			}
		}
		if out == "" && len(to) > 0 || out != "" && !slices.Contains(to, out) {
			t.Errorf("%s: goes to %q, want %q: %+v", text, to, out, got.Moves)
		}
	}
	names := &Names{}
	in := Input{Snapshot: s, Conforming: true, Names: names}
	made := "CREATE TEMP TABLE mine AS SELECT password AS p FROM users"
	names.Note(made, Classify(made, in), in)
	for text, want := range map[string]bool{
		"INSERT INTO log (note) SELECT p FROM mine": true, "CREATE TABLE x AS TABLE mine": true, "SELECT pg_notify('ch', p) FROM mine": true, "UPDATE log SET note = m.p FROM mine m": true,
		"INSERT INTO mine SELECT password FROM users": false,
	} {
		got := Classify(text, in)
		if (len(got.Moves) > 0) != want || want && !slices.ContainsFunc(got.Moves, func(m weir.Move) bool { return m.Name == "*" }) {
			t.Errorf("%s: %+v", text, got.Moves)
		}
	}
	for text, want := range map[string]bool{
		"ALTER TABLE users RENAME TO people": true, "ALTER TABLE users INHERIT log": true, "ALTER TABLE log ATTACH PARTITION users FOR VALUES IN (1)": true, "ALTER TABLE users NO INHERIT log": false, "ALTER INDEX users RENAME TO people": true,
	} {
		if got := Classify(text, in); slices.Contains(got.Moves, weir.Move{To: "name", Name: "*", Into: "="}) != want {
			t.Errorf("%s: %+v", text, got.Moves)
		}
	}
}
