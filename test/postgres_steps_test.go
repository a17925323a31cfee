package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"weir/service"
)

// pgSteps are statements that one session asks one after the other, of which the last ones once gave secrets away. "wait" waits for a newer catalogue, "x: " asks by
// the extended protocol, in text and binary formats, "new: " in another session, "direct: " asks the server itself. What is held or refused is named.
var pgSteps = []struct {
	name  string
	as    string // the resource; "" is orders
	steps []string
	waits []string // of them, those that wait for an approval
	never []string
}{
	// Literals, as the server reads them.
	{name: "a key with escapes", steps: []string{`SELECT doc ->> E'\x70assword' AS a FROM docs`, "SELECT doc ->> 'pass'\n'word' AS a FROM docs", `SELECT doc ->> U&'\0070assword' AS a FROM docs`}},

	// COPY, whose options say where its cells are.
	{name: "COPY with a quoted format", steps: []string{`COPY users (id, name, password) TO STDOUT (FORMAT "csv")`, `COPY (SELECT E'\t' || password AS a FROM users) TO STDOUT (FORMAT "csv")`}},
	{name: "COPY with other delimiters", steps: []string{
		`COPY users (id, name, password) TO STDOUT (DELIMITER E'\x7c')`, `COPY users (id, name, password) TO STDOUT (DELIMITER "|")`, `COPY users (id, name, password) TO STDOUT ("delimiter" '|')`,
		"COPY users (id, name, password) TO STDOUT (DELIMITER ''\n'|')", `COPY users (id, name, password) TO STDOUT (DELIMITER U&'\007c')`, `COPY users (id, name, password) TO STDOUT (DELIMITER E'\b')`,
		`COPY users (name, id, password) TO STDOUT (FORMAT csv, DELIMITER 9)`, `COPY users (id, name, password) TO STDOUT USING DELIMITERS '|'`,
	}},
	{name: "COPY of what is called csv", steps: []string{`COPY csv TO STDOUT`, `COPY (SELECT ',' || password AS csv FROM users) TO STDOUT`}},
	{name: "COPY of more cells than columns", steps: []string{`COPY (SELECT 1) TO STDOUT CSV; COPY (SELECT ',,,,' || password FROM users) TO STDOUT`}},
	{name: "COPY of what shadows a table", steps: []string{"CREATE TEMP TABLE plain AS SELECT id, password AS note FROM users", "COPY plain TO STDOUT", "COPY plain (note) TO STDOUT"}},
	{name: "COPY of settings of an application", steps: []string{"COPY config TO STDOUT (FORMAT binary)", "COPY config (value, name) TO STDOUT (FORMAT binary)"}},

	// Documents, and views of them.
	{name: "documents in any case", steps: []string{
		`SELECT Json_Extract_Path_Text(j, 'password') AS a FROM docs`, `SELECT Jsonb_Extract_Path_Text(doc, 'password') AS a FROM docs`, `SELECT (Xpath('//password/text()', x))[1]::text AS a FROM docs`,
		`SELECT t.a FROM docs, XmlTable('/a' PASSING x COLUMNS a text PATH 'password') t`, `SELECT FetchVal(tags, 'password') AS a FROM docs`,
	}},
	{name: "documents by a subscript", steps: []string{
		`SELECT doc [ 'password' ] AS a FROM docs`, `SELECT doc[E'password'] AS a FROM docs`, `SELECT doc[$$password$$] AS a FROM docs`, `SELECT doc[lower('PASSWORD')] AS a FROM docs`,
		`SELECT doc[k] AS a FROM docs, (VALUES ('password')) v(k)`, `SELECT doc['pass' || 'word'] AS a FROM docs`,
	}},
	{name: "documents as records", steps: []string{`SELECT r.password AS a FROM docs, jsonb_to_record(doc) AS r(password text)`}},
	{name: "documents by a key of theirs", steps: []string{`SELECT value FROM docs, jsonb_each_text(doc) WHERE key = 'password'`, `SELECT value FROM docs, each(tags) WHERE key = 'password'`}},
	{name: "documents by an operator's name", steps: []string{`SELECT doc OPERATOR(pg_catalog.->>) 'password' AS a FROM docs`, `SELECT jsonb_extract_path_text(doc, 'pass' || 'word') AS a FROM docs`}},
	{name: "views of documents and settings", steps: []string{
		"CREATE VIEW uv1 AS SELECT id, doc ->> 'password' AS note FROM docs", "CREATE VIEW uv2 AS SELECT tags -> 'password' AS note FROM docs", "CREATE VIEW uv3 AS SELECT current_setting('app.api_key') AS note", "wait",
		"new: SELECT note FROM uv1", "new: SELECT upper(note) AS a FROM uv1", "new: COPY (SELECT note FROM uv1) TO STDOUT", "new: SELECT note FROM uv2", "new: SELECT note FROM uv3",
	}, never: []string{"CANARYPG"}},
	{name: "settings of roles in pieces", steps: []string{
		"SELECT split_part(unnest(rolconfig), '=', 2) FROM pg_roles", "SELECT substr(unnest(rolconfig), 15) FROM pg_roles", "SELECT replace(rolconfig::text, 'api_token', 'x') FROM pg_roles",
		"SELECT option_value FROM pg_options_to_table((SELECT setconfig FROM pg_db_role_setting LIMIT 1))",
	}},

	{name: "documents under all keys", steps: []string{
		"x: SELECT jsonb_path_query(doc, '$.*') AS a FROM docs", "x: SELECT jsonb_path_query(doc, '$.**') AS a FROM docs", "x: SELECT jsonb_path_query_array(doc, '$ . *') AS a FROM docs", "x: SELECT q FROM docs, jsonb_path_query(doc, 'lax $.*') q",
		"x: SELECT jsonb_path_query(doc, '$.keyvalue().value') AS a FROM docs", "x: SELECT svals(tags) AS a FROM docs", "x: SELECT avals(tags) AS a FROM docs", "x: SELECT hstore_to_matrix(tags) AS a FROM docs", "x: SELECT hstore_to_array(tags) AS a FROM docs",
		"x: SELECT %% tags AS a FROM docs", "x: SELECT %# tags AS a FROM docs", "SELECT xpath('//text()', x) AS a FROM docs", "SELECT (xpath('/a/*[1]/text()', x))[1] AS a FROM docs", "SELECT xpath('string(/a)', x) AS a FROM docs",
		"SELECT t.* FROM docs, xmltable('/a/*' PASSING x COLUMNS a text PATH '.') t", "COPY (SELECT jsonb_path_query(doc, '$.*') FROM docs) TO STDOUT (FORMAT csv)", "SELECT svals(tags)::int FROM docs",
		"SELECT jsonb_array_elements_text(jsonb_path_query_array(doc, '$.*')) AS a FROM docs", "SELECT doc[k] AS a FROM docs, jsonb_object_keys(doc) k", "SELECT d[k] AS a FROM (SELECT doc AS d FROM docs) q, jsonb_object_keys(d) k",
	}},
	{name: "documents by the place of their values", steps: []string{
		"x: SELECT x.v FROM docs, each(tags) AS x(k, v)", "x: SELECT x.v FROM docs, jsonb_each_text(doc) AS x(k, v)", "x: SELECT (jsonb_each_text(doc)).value AS a FROM docs", "x: SELECT value FROM docs, jsonb_each_text(doc)", "x: SELECT 'x' AS key, value FROM docs, jsonb_each_text(doc)",
		"SELECT value AS key, key AS value FROM docs, jsonb_each_text(doc)", "SELECT c.id AS key, value FROM docs c, jsonb_each_text(doc)", "SELECT b.key, a.value FROM docs, jsonb_each_text(doc) a, jsonb_each_text('{\"x\": 1}') b",
		"SELECT string_agg(value, ',') AS a FROM docs, jsonb_each_text(doc)", "SELECT key, upper(value) AS a FROM docs, json_each_text(j)", "SELECT json_object_agg(value, 1) FROM docs, jsonb_each_text(doc)", "SELECT jsonb_object_agg('x' || key, value) FROM docs, jsonb_each(doc)",
		"SELECT (SELECT value FROM jsonb_each_text(doc) LIMIT 1 OFFSET 1) AS a FROM docs", "SELECT x.a FROM (SELECT value AS a FROM docs, jsonb_each(doc)) x", "SELECT e::text AS a FROM docs, jsonb_each_text(doc) e", "SELECT concat_ws(',', e.*) AS a, key FROM docs, jsonb_each_text(doc) e",
		"SELECT * FROM ROWS FROM (jsonb_each_text((SELECT doc FROM docs)), generate_series(1, 2)) AS z(a, b, c)", "SELECT p.* FROM docs, jsonb_populate_record(null::pair, doc) AS p(i, a)", "SELECT a FROM docs, jsonb_populate_record(null::kept, doc) AS p(i, a)",
		"SELECT (null::kept #= tags)::text AS a FROM docs", "SELECT populate_record(null::kept, tags) AS a FROM docs", "CREATE TYPE pg_temp.mine AS (i int, password text)", "SELECT a FROM docs, jsonb_populate_record(null::pg_temp.mine, doc) AS p(i, a)",
	}, never: []string{"CANARYPG"}},
	{name: "documents by escaped keys", steps: []string{
		`x: SELECT doc #>> '{pass\word}' AS a FROM docs`, `x: SELECT jsonb_path_query(doc, '$.pass\u0077ord') AS a FROM docs`, `x: SELECT jsonb_path_query(doc, '$."pass\u0077ord"') AS a FROM docs`, `SELECT slice(tags, '{pass\word}') AS a FROM docs`,
	}},
	{name: "documents in other writing", steps: []string{
		"x: SELECT encode(doc::text::bytea, 'hex') AS a FROM docs", "x: SELECT reverse(doc::text) AS a FROM docs", "x: SELECT translate(doc::text, 'p', 'q') AS a FROM docs", "x: SELECT replace(doc::text, 'password', 'note') AS a FROM docs",
		"SELECT right(doc::text, 20) AS a FROM docs", "SELECT split_part(doc::text, '\"', 8) AS a FROM docs", "SELECT regexp_replace(doc::text, '.*password', '') AS a FROM docs", "SELECT regexp_matches(doc::text, 'C[A-Za-z0-9]+') AS a FROM docs",
		"SELECT string_to_table(doc::text, '\"') AS a FROM docs", "x: SELECT string_to_array(doc::text, '\"') AS a FROM docs", "SELECT substring(doc::text from 'C[A-Za-z0-9]+') AS a FROM docs", `SELECT trim(leading '{"paswordk: ,fine' from doc::text) AS a FROM docs`,
		"x: SELECT to_tsvector(doc), to_tsvector('simple', doc::text), jsonb_to_tsvector(doc, '[\"all\"]') FROM docs", "SELECT reverse(j::text), reverse(tags::text), reverse(x::text) FROM docs", "SELECT split_part(tags::text, '\"', 4) AS a FROM docs",
		"SELECT reverse(d::text) AS a FROM docs d", "SELECT reverse(d) AS a FROM (SELECT doc::text AS d FROM docs) x", "SELECT reverse(id) AS a FROM (SELECT doc::text AS id FROM docs) x", "WITH x AS (SELECT * FROM docs) SELECT reverse(x::text) AS a FROM x",
		"SELECT reverse((doc -> 'x')::text), reverse(jsonb_build_object('a', doc)::text) AS a FROM docs", "SELECT note FROM docv", "SELECT reverse(whole) AS a FROM docv", "SELECT reverse(wholedoc()) AS a", "COPY (SELECT reverse(doc::text) FROM docs) TO STDOUT", "SELECT reverse(doc::text)::int FROM docs",
	}, never: []string{"CANARY", "canary", "CANARYqg"}},
	{name: "documents by names that the session made", steps: []string{
		"PREPARE p AS SELECT doc ->> 'password' AS a FROM docs", "EXECUTE p", "x: EXECUTE p", "BEGIN; DECLARE c CURSOR FOR SELECT doc ->> 'password' AS a FROM docs", "FETCH 1 FROM c", "COMMIT", "CREATE TEMP VIEW tv AS SELECT doc ->> 'password' AS note FROM docs", "x: SELECT note FROM tv",
		"SELECT upper(note) AS a FROM tv", "CREATE TEMP TABLE tt AS SELECT doc ->> 'password' AS note FROM docs", "x: SELECT note FROM tt", "SELECT 'x' || note AS a FROM tt", "CREATE TEMP TABLE tu AS SELECT doc::text AS id FROM docs", "SELECT reverse(id) AS a FROM tu",
		"CREATE FUNCTION pg_temp.own() RETURNS text LANGUAGE sql AS $$ SELECT doc ->> 'password' FROM docs $$", "SELECT pg_temp.own() AS a",
	}, never: []string{"CANARYPG"}},
	{name: "documents by parameters of EXECUTE", steps: []string{
		"PREPARE pj(text) AS SELECT doc ->> $1 AS a FROM docs", "EXECUTE pj('password')", "EXECUTE pj('pass' || 'word')", "PREPARE pk(jsonpath) AS SELECT jsonb_path_query(doc, $1) AS a FROM docs", "EXECUTE pk('$.*')",
		"PREPARE pz(text) AS SELECT doc ->> $1 AS a FROM docs; EXECUTE pz('password')",
	}},
	{name: "documents by paths that are made", steps: []string{
		"SELECT xpath('/a/p' || 'assword/text()', x) AS a FROM docs", "SELECT fetchval(tags, 'pass' || 'word') AS a FROM docs", "SELECT slice(tags, ARRAY['pass' || 'word']) AS a FROM docs",
		"SELECT t.a FROM docs, xmltable('/a' PASSING x COLUMNS a text PATH 'pass' || 'word') t",
	}},
	{name: "keys and values that part later", steps: []string{
		"SELECT key, value FROM (docs CROSS JOIN LATERAL jsonb_each_text(doc)) AS z(id, doc, j, tags, x, value, key)", "CREATE TEMP TABLE kvt AS SELECT key, value FROM docs, jsonb_each_text(doc)", "x: SELECT value FROM kvt", "SELECT 'x' || value AS a FROM kvt",
		"CREATE TEMP TABLE kvu (id int, k text, v text)", "INSERT INTO kvu SELECT id, key, value FROM docs, jsonb_each_text(doc)", "SELECT v FROM kvu", "SELECT b FROM kv", "SELECT value FROM kv2", "SELECT upper(value) AS a FROM kv2",
	}, never: []string{"CANARYPG"}},
	{name: "documents by functions", steps: []string{"x: SELECT pickdoc('password') AS a", "SELECT pickdoc('password')::int", "SELECT pickpassword() AS a", "SELECT reversed() AS a", "x: SELECT password AS a FROM pickv", "SELECT changed FROM pickv"}},
	{name: "documents that go elsewhere", steps: []string{"INSERT INTO owned (note) SELECT svals(tags) FROM docs", "INSERT INTO owned (note) SELECT reverse(doc::text) FROM docs", "INSERT INTO owned (note) SELECT pickpassword()"}, waits: []string{"INSERT"}},
	{name: "generated columns", steps: []string{"x: SELECT note FROM gen", "SELECT 'x' || note AS a FROM gen", "COPY gen TO STDOUT", "SELECT other FROM gen", "INSERT INTO owned (note) SELECT note FROM gen"}, waits: []string{"INSERT"}, never: []string{"CANARYPG"}},

	// Records, whose attributes have names.
	{name: "attributes of a composite", steps: []string{
		"x: SELECT (c).password AS a FROM comps", "x: SELECT (comps.c).password::varchar AS a FROM comps", "x: SELECT c AS a FROM comps", "x: SELECT upper(c::text) AS a FROM comps", "x: SELECT split_part(c::text, ',', 2) AS a FROM comps",
		"SELECT a FROM (SELECT (c).* FROM comps) AS x(l, a)", "SELECT array_agg(c), min((c).password) FROM comps", "SELECT (comps.c).password::int FROM comps", "COPY comps TO STDOUT", "COPY (SELECT (c).password AS a FROM comps) TO STDOUT",
		"COPY (SELECT c FROM comps) TO STDOUT (FORMAT binary)", "SELECT note FROM compv", "SELECT changed AS a FROM compv",
	}, never: []string{"CANARYPG"}},
	{name: "attributes of composites in others", steps: []string{
		"x: SELECT (arr[1]).password AS a FROM comps", "SELECT u.password AS a FROM comps, unnest(arr) u", "SELECT a.b FROM comps, unnest(arr) AS a(l, b)", "x: SELECT ((o).p).password AS a, (o).p AS b FROM comps", "x: SELECT (d).password AS a FROM comps",
		"x: SELECT o AS a, d AS b, arr AS c FROM comps", "COPY comps (o, d, arr) TO STDOUT (FORMAT binary)",
	}},
	{name: "attributes of what a function returns", steps: []string{
		"x: SELECT (getpair()).password AS a", "SELECT p FROM getpair() AS g(l, p)", "x: SELECT outfn() AS a", "SELECT b FROM outfn() AS x(a, b)", "SELECT (tabfn()).password AS a", "SELECT b FROM tabfn() AS x(a, b)", "SELECT (getpair()).password::int",
	}},
	{name: "attributes that go elsewhere", steps: []string{"INSERT INTO owned (note) SELECT (c).password FROM comps", "CREATE TABLE other AS SELECT c AS a FROM comps"}, waits: []string{"INSERT", "CREATE TABLE"}},

	// Statements of others, in other texts.
	{name: "statements behind a quote", as: "monitor", steps: []string{
		"new: SELECT 'CANARYpgTwo', 'sk_live_CANARYpg51Hx8Yk2Lm9Qw' WHERE false", "SELECT '''' || query AS a FROM pg_stat_activity", "SELECT ROW('''', query) AS a FROM pg_stat_activity", "SELECT ARRAY['''', query] AS a FROM pg_stat_activity",
		"SELECT ('''', query)::text AS a FROM pg_stat_activity", "SELECT xmlelement(name a, '''', query) AS a FROM pg_stat_activity", "SELECT s FROM pg_stat_activity s", "SELECT trim(leading 'SELECT ''' from query) AS a FROM pg_stat_activity",
	}},

	// Errors and notices.
	{name: "bytes in an error", steps: []string{`SELECT convert_from('\xf0'::bytea || substr(convert_to(password, 'UTF8'), 1, 3), 'UTF8') FROM users WHERE id = 1`}, never: []string{"0x43 0x41"}},
	{name: "what a trigger raises at the end of a transaction", steps: []string{"BEGIN", "UPDATE late SET n = 1 WHERE n = 0", "COMMIT", "x: UPDATE late SET n = 2 WHERE n >= 0"}},

	// Rows that are masked in pieces.
	{name: "bytes in a long row", steps: []string{"SELECT photo, repeat('some words, ', 60000) FROM users WHERE id = 1", "x: SELECT doc, tags, keys, photo, repeat('some words, ', 60000) FROM users WHERE id = 1"}},
	{name: "bytes in a long cell", steps: []string{"SELECT convert_to(repeat('some words, ', 30000) || ' ' || v || ' ' || repeat('some words, ', 30000), 'UTF8') FROM wild WHERE k = 1"}},
	{name: "settings in a long row", steps: []string{"SELECT name, value, repeat('some words, ', 60000) FROM config", "x: SELECT value, name, repeat('some words, ', 60000) FROM config"}},
	{name: "a long secret in a long cell", steps: []string{"SELECT repeat('some words, ', 30000) || ' ' || rtrim(v) || repeat('CANARYpgLong0aB1c', 10000) || ' ' || repeat('some words, ', 30000) FROM wild WHERE k = 1"}},

	// Values that would go elsewhere.
	{
		name: "columns under other names",
		steps: []string{
			"INSERT INTO owned (note) SELECT x.c FROM users AS x(a, b, c)", "UPDATE owned SET note = x.c FROM users x(a, b, c) WHERE owned.id = x.a", "UPDATE owned SET note = (SELECT c FROM users AS x(a, b, c) LIMIT 1) WHERE id = 1",
			"MERGE INTO owned o USING users AS x(a, b, c) ON o.id = x.a WHEN MATCHED THEN UPDATE SET note = x.c", "CREATE TABLE other AS SELECT c FROM users AS x(a, b, c)",
		},
		waits: []string{"INSERT", "UPDATE", "MERGE", "CREATE TABLE"},
	},
	{
		name: "defaults and triggers",
		steps: []string{
			"CREATE FUNCTION leak_default() RETURNS text LANGUAGE sql AS $$ SELECT max(password) FROM users $$", "ALTER TABLE owned ALTER COLUMN note SET DEFAULT leak_default()", "CREATE TABLE other (id int, note text DEFAULT leak_default(), more text)",
			"CREATE FUNCTION fill_new() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SELECT password INTO new.note FROM users LIMIT 1; RETURN new; END $$",
			"CREATE FUNCTION fill_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.note := (SELECT password FROM users LIMIT 1); RETURN new; END $$",
		},
		waits: []string{"ALTER", "CREATE TABLE", "CREATE FUNCTION fill"},
	},

	// What the session has made, and the catalogue does not tell.
	{name: "a temporary table that the catalogue has", steps: []string{"CREATE TEMP TABLE tq AS SELECT password AS note FROM users", "wait", "SELECT note FROM tq LIMIT 1", "x: SELECT note FROM tq LIMIT 1", "COPY tq TO STDOUT"}},
	{name: "a temporary table that is filled later", steps: []string{"CREATE TEMP TABLE tq (id int, note text)", "wait", "INSERT INTO tq SELECT id, password FROM users RETURNING note", "SELECT note FROM tq LIMIT 1", "COPY tq TO STDOUT"}},
	{name: "a temporary table of EXPLAIN", steps: []string{"EXPLAIN ANALYZE CREATE TEMP TABLE tq AS SELECT password AS note FROM users", "wait", "SELECT note FROM tq LIMIT 1"}},
	{name: "a temporary table that shadows another", steps: []string{"CREATE TEMP TABLE plain AS SELECT id, password AS note FROM users", "wait", "SELECT note FROM plain LIMIT 1", "COPY plain TO STDOUT"}},
	{name: "a temporary table of a function", steps: []string{"SELECT build_report()", "wait", "SELECT note FROM report LIMIT 1"}},
	{name: "a temporary table that a function fills", steps: []string{"CREATE TEMP TABLE report (id int, note text)", "SELECT fill_report()", "SELECT note FROM report LIMIT 1"}},
	{name: "a view that is another now", steps: []string{"BEGIN", "CREATE TEMP VIEW above AS SELECT note FROM ownview", "CREATE OR REPLACE VIEW ownview AS SELECT id, password AS note FROM users", "SELECT note FROM ownview LIMIT 1", "SELECT 'x' || note AS a FROM above LIMIT 1", "ROLLBACK"}},
	{name: "a view of a function that is another now", steps: []string{"BEGIN", "CREATE OR REPLACE FUNCTION fmt(t text) RETURNS text LANGUAGE sql AS $$ SELECT max(password) FROM users $$", "SELECT note FROM fmtview LIMIT 1", "SELECT upper(note) AS a FROM fmtview LIMIT 1", "ROLLBACK"}, never: []string{"CANARYPG"}},
	{name: "a view that a function replaces", steps: []string{
		"CREATE FUNCTION pg_temp.replaces() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE OR REPLACE VIEW ownview AS SELECT id, password AS note FROM users; END $$", "BEGIN", "SELECT pg_temp.replaces()", "SELECT note FROM ownview LIMIT 1", "ROLLBACK",
	}},
	{name: "a table under the name of another", steps: []string{"BEGIN", "ALTER TABLE owned RENAME TO owned_too", "ALTER TABLE kept RENAME TO owned", "SELECT 'x' || password AS a FROM owned", "ROLLBACK", "BEGIN; ALTER TABLE owned RENAME TO owned_too; ALTER TABLE kept RENAME TO owned; SELECT o::text AS a FROM owned o; ROLLBACK"}},
	{name: "a column under another name", steps: []string{"BEGIN", "ALTER TABLE kept RENAME COLUMN password TO secret", "SELECT secret AS a, 'x' || secret AS b FROM kept", "ROLLBACK"}},
	{name: "a new column", steps: []string{"BEGIN", "ALTER TABLE owned ADD COLUMN password text", "UPDATE owned SET password = u.password FROM users u WHERE u.id = owned.id", "SELECT password AS a FROM owned", "SELECT 'x' || password AS b FROM owned", "SELECT a FROM owned AS o(i, n, a)", "ROLLBACK"}},
	{name: "a new column of somebody else", steps: []string{"SELECT 1", "direct: ALTER TABLE grows ADD COLUMN password text DEFAULT 'CANARYpgGrows'", "SELECT password AS a FROM grows", "SELECT * FROM grows AS g(a, b)"}},
	{name: "a table that was undone and is somebody else's", steps: []string{
		"BEGIN", "SAVEPOINT s", "CREATE TEMP TABLE swapped (id int, note text)", "ROLLBACK TO s", "direct: CREATE TABLE swapped AS SELECT id, password AS note FROM users; GRANT ALL ON swapped TO app", "SELECT 'x' || note AS a FROM swapped LIMIT 1", "ROLLBACK",
	}, waits: []string{"SELECT"}},
	{name: "a rule", steps: []string{"BEGIN", "CREATE RULE also AS ON UPDATE TO owned DO INSTEAD SELECT 'x' || password AS note FROM users LIMIT 1", "UPDATE owned SET id = 1 WHERE id = 1", "ROLLBACK"}},
	{name: "a trigger", steps: []string{"BEGIN", "CREATE TRIGGER tell BEFORE UPDATE ON owned FOR EACH ROW EXECUTE FUNCTION tell()", "UPDATE owned SET id = 1 WHERE id = 1", "ROLLBACK"}, waits: []string{"CREATE TRIGGER"}},
	{name: "a statement that a function prepares", steps: []string{"PREPARE p AS SELECT 'x'::text AS x", "CREATE FUNCTION pg_temp.prepares() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DEALLOCATE p; PREPARE p AS SELECT 'x' || password AS x FROM users LIMIT 1; END $$", "SELECT pg_temp.prepares()", "EXECUTE p"}, waits: []string{"CREATE FUNCTION", "SELECT"}},
	{name: "a cursor that a function opens", steps: []string{
		"BEGIN", "DECLARE c CURSOR FOR SELECT 'x'::text AS x", "CREATE FUNCTION pg_temp.opens() RETURNS void LANGUAGE plpgsql AS $$ DECLARE r refcursor := 'c'; BEGIN CLOSE r; OPEN r FOR SELECT 'x' || password AS x FROM users LIMIT 1; END $$",
		"SELECT pg_temp.opens()", "FETCH ALL FROM c", "COMMIT",
	}},
	{name: "a portal that was bound before", steps: []string{"CREATE TEMP TABLE tq AS SELECT 1 AS id, 'x'::text AS note", "bound: UPDATE tq SET note = (SELECT max(password) FROM users) WHERE id = 1; UPDATE tq SET id = id WHERE id = 1 RETURNING note"}},
}

// pgStepsSetup makes what pgSteps ask for besides pgSetup and pgLeakSetup.
const pgStepsSetup = `
\c orders
CREATE TABLE docs (id int, doc jsonb, j json, tags hstore, x xml);
INSERT INTO docs VALUES (1, '{"password": "CANARYpgDoc1", "ok": "fine"}', '{"password": "CANARYpgDoc2", "ok": "fine"}', 'password=>CANARYpgTag3', '<a><password>CANARYpgXml4</password></a>');
CREATE VIEW docv AS SELECT id, reverse(doc::text) AS note, doc::text AS whole FROM docs;
CREATE VIEW kv AS SELECT id, key AS a, value AS b FROM docs, jsonb_each_text(doc);
CREATE VIEW kv2 AS SELECT id, key, value FROM docs, jsonb_each_text(doc);
CREATE FUNCTION wholedoc() RETURNS text LANGUAGE sql AS $$ SELECT doc::text FROM docs LIMIT 1 $$;
CREATE FUNCTION pickdoc(k text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT doc ->> k FROM docs LIMIT 1 $$;
CREATE FUNCTION pickpassword() RETURNS text LANGUAGE sql STABLE AS $$ SELECT doc ->> 'password' FROM docs LIMIT 1 $$;
CREATE FUNCTION reversed() RETURNS text LANGUAGE plpgsql STABLE AS $$ DECLARE id text; BEGIN SELECT doc::text INTO id FROM docs LIMIT 1; RETURN reverse(id); END $$;
CREATE VIEW pickv AS SELECT pickpassword() AS changed, doc ->> 'password' AS password FROM docs;
CREATE TABLE gen (id int, password text, note text GENERATED ALWAYS AS (upper(password)) STORED, other text GENERATED ALWAYS AS (lower((password || 'x'))) STORED);
INSERT INTO gen VALUES (1, 'CANARYpgGen');
CREATE TYPE pair AS (login text, password text);
CREATE TYPE crate AS (n int, p pair);
CREATE DOMAIN pairs AS pair;
CREATE TABLE comps (id int, c pair, arr pair[], o crate, d pairs);
INSERT INTO comps VALUES (1, ROW('bob', 'CANARYpgPair1'), ARRAY[ROW('bob', 'CANARYpgPair2')::pair], ROW(1, ROW('bob', 'CANARYpgPair3')), ROW('bob', 'CANARYpgPair4'));
CREATE VIEW compv AS SELECT c AS note, (c).password AS changed FROM comps;
CREATE FUNCTION getpair() RETURNS pair LANGUAGE plpgsql AS $$ BEGIN RETURN ROW('bob', 'CANARYpgPair5'); END $$;
CREATE FUNCTION outfn(OUT login text, OUT password text) LANGUAGE plpgsql AS $$ BEGIN login := 'x'; password := 'CANARYpgOut'; END $$;
CREATE FUNCTION tabfn() RETURNS TABLE (login text, password text) LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT 'x'::text, 'CANARYpgTab'::text; END $$;
CREATE TABLE csv (id int, note text, password text);
INSERT INTO csv VALUES (1, 'a note', 'CANARYpgCsvTable');
CREATE TABLE late (n int, password text);
INSERT INTO late VALUES (0, 'CANARYpgLate');
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'it is %', (SELECT password FROM users LIMIT 1); RETURN new; END $$;
CREATE FUNCTION tell_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'now %', new.password; RETURN new; END $$;
CREATE CONSTRAINT TRIGGER tell_late AFTER UPDATE ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell_late();
CREATE FUNCTION build_report() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE report AS SELECT id, password AS note FROM users; END $$;
CREATE FUNCTION fill_report() RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO report SELECT id, password AS note FROM users; END $$;
CREATE TABLE report (id int, note text);
CREATE TABLE owned (id int, note text);
INSERT INTO owned VALUES (1, 'n');
CREATE TABLE kept (id int, password text);
INSERT INTO kept VALUES (1, 'CANARYpgKept');
CREATE TABLE grows (id int);
INSERT INTO grows VALUES (1);
CREATE VIEW ownview AS SELECT id, note FROM plain;
CREATE FUNCTION fmt(t text) RETURNS text LANGUAGE sql AS $$ SELECT upper(t) $$;
CREATE VIEW fmtview AS SELECT id, fmt(note) AS note FROM plain;
ALTER TABLE owned OWNER TO app; ALTER TABLE kept OWNER TO app; ALTER VIEW ownview OWNER TO app; ALTER VIEW fmtview OWNER TO app; ALTER FUNCTION fmt(text) OWNER TO app;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app, mon;
`

// TestPostgresSteps asks for secrets in several steps, each of which is harmless by itself.
func TestPostgresSteps(t *testing.T) {
	g, db := pgGateway(t, "")
	db.Exec(t, fmt.Sprintf(pgLeakSetup, pgHeld)+pgStepsSetup)
	access := map[string]*service.Access{}
	for _, name := range []string{"orders", "monitor"} {
		a := g.access(t, name, "alice")
		access[name] = &a
	}
	for _, c := range pgSteps {
		t.Run(c.name, func(t *testing.T) {
			as := access["orders"]
			if c.as != "" {
				as = access[c.as]
			}
			w := g.pgWire(t, as)
			for _, step := range c.steps {
				got := ""
				switch how, sql, _ := strings.Cut(step, ": "); how {
				case "wait":
					time.Sleep(4 * time.Second)
				case "direct":
					db.Exec(t, "\\c orders\n"+sql+";\n")
				case "new":
					got = g.pgWire(t, as).simple(t, sql)
				case "x":
					got = w.prepared(t, sql, 0) + w.prepared(t, sql, 1)
				case "bound": // both, before the first one runs
					first, second, _ := strings.Cut(sql, "; ")
					w.send(t, &pgproto3.Parse{Name: "a", Query: first}, &pgproto3.Parse{Name: "b", Query: second}, &pgproto3.Bind{DestinationPortal: "a", PreparedStatement: "a"},
						&pgproto3.Bind{DestinationPortal: "b", PreparedStatement: "b"}, &pgproto3.Describe{ObjectType: 'P', Name: "b"}, &pgproto3.Execute{Portal: "a"}, &pgproto3.Execute{Portal: "b"}, &pgproto3.Sync{})
					got = w.answer(t)
				default:
					got = w.simple(t, step)
				}
				(&pgLeak{}).clean(t, step, got)
				for _, word := range c.never {
					if strings.Contains(got, word) {
						t.Errorf("%s: %q came out: %.600q", step, word, got)
					}
				}
				want := slices.ContainsFunc(c.waits, func(prefix string) bool { return strings.HasPrefix(step, prefix) })
				if waits := strings.Contains(got, "waits for an approval"); waits != want && !strings.HasPrefix(step, "CREATE FUNCTION leak") {
					t.Errorf("%s: held is %t, want %t: %.400q", step, waits, want, got)
				}
			}
		})
	}
}

// TestPostgresOrdinaryDocuments reads documents as programs do: what stands under harmless names is shown.
func TestPostgresOrdinaryDocuments(t *testing.T) {
	g, db := pgGateway(t, "")
	db.Exec(t, `\c orders
CREATE TABLE ordinary (id int, email text, data jsonb, body text, meta hstore, x xml);
INSERT INTO ordinary VALUES (1, 'bob@example.com', '{"color": "green", "size": 3, "list": ["a", "b"], "price": 2.5}', 'some body', 'color=>green', '<a><b>text</b></a>');
CREATE VIEW ordv AS SELECT id, email, data, data ->> 'color' AS color FROM ordinary;
CREATE FUNCTION slug(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(replace(t, ' ', '-')) $$;
CREATE TYPE point3 AS (x int, y int, z text);
CREATE TABLE shapes (id int, p point3);
INSERT INTO shapes VALUES (1, ROW(1, 2, 'corner'));
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
`)
	orders := g.access(t, "orders", "alice")
	w := g.pgWire(t, &orders)
	for sql, want := range map[string]string{
		"SELECT id, data, split_part(email, '@', 2) FROM ordinary":                                                       "example.com",
		"SELECT upper(data ->> 'color'), split_part(data ->> 'color', 'r', 1), substr(body, 1, 3) FROM ordinary":         "GREEN",
		"SELECT (data ->> 'size')::int + 40, round((data -> 'price')::numeric) FROM ordinary":                            "43",
		"SELECT o.data -> 'list' ->> 0, length(o.data::text) FROM ordinary o WHERE o.data @> '{\"color\": \"green\"}'":   "63",
		"SELECT key, value FROM ordinary, jsonb_each_text(data)":                                                         "green",
		"SELECT o.id, e.key, e.value FROM ordinary o CROSS JOIN LATERAL jsonb_each(o.data) AS e ORDER BY 1":              "green",
		"SELECT e.k, e.v FROM ordinary o CROSS JOIN LATERAL jsonb_each_text(o.data) AS e(k, v)":                          "green",
		"SELECT key, count(*) FROM ordinary, jsonb_each(data) GROUP BY key":                                              "color",
		"SELECT jsonb_object_agg(key, value) FROM ordinary, jsonb_each(data)":                                            "green",
		"SELECT e FROM ordinary, jsonb_array_elements_text(data -> 'list') e":                                            "b",
		"SELECT jsonb_path_query(data, '$.list[*]') FROM ordinary":                                                       "b",
		"SELECT xpath('/a/b/text()', x), xpath('//b', x) FROM ordinary":                                                  "{text}",
		"SELECT meta -> 'color', akeys(meta), hstore_to_json(meta) FROM ordinary":                                        "green",
		"SELECT slug(email), md5(body) FROM ordinary":                                                                    "bob@example.com",
		"SELECT color, substr(color, 1, 4), data FROM ordv":                                                              "gree",
		"SELECT x.n FROM (SELECT substr(data ->> 'color', 1, 2) AS n FROM ordinary) x":                                   "gr",
		"WITH q AS (SELECT id, data ->> 'color' AS color FROM ordinary) SELECT upper(color), substr(color, 1, 3) FROM q": "GREEN",
		"SELECT jsonb_pretty(data), data || '{\"z\": 1}', data - 'size' FROM ordinary":                                   "green",
		"SELECT key, upper(value) FROM jsonb_each_text('{\"a\": \"bee\"}')":                                              "BEE",
		"SELECT (p).z, upper((p).z), p FROM shapes":                                                                      "CORNER",
	} {
		if got := w.simple(t, sql); !strings.Contains(got, want) || strings.Contains(got, "[masked:") {
			t.Errorf("%s: %.400q", sql, got)
		}
	}
}
