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

	"weir/gate/gatetest"
	"weir/service"
)

// pgWords are the canary of the database and what functions of SQL make of it.
var pgWords = []string{"CANARYpg", "canarypg", "gpYRANAC", "43414e4152597067", "Q0FOQVJZcG", "NBTkFSWXBn", "DQU5BUllwZ"}

// pgSetup plants canaries wherever a database keeps secrets.
const pgSetup = `
CREATE DATABASE orders;
CREATE DATABASE lab;
CREATE DATABASE copy;
ALTER SYSTEM SET archive_command = 'AWS_SECRET_ACCESS_KEY=CANARYpgArchive0aB1c cp %%p /backup/%%f';
ALTER SYSTEM SET restore_command = 'wget --password=CANARYpgRestore0aB1c http://b/%%f';
ALTER SYSTEM SET primary_conninfo = 'host=10.0.0.1 user=repl password=CANARYpgConninfo0aB1c';
ALTER SYSTEM SET ssl_passphrase_command = 'echo CANARYpgPassphrase0aB1c';
SELECT pg_reload_conf();
CREATE ROLE app LOGIN PASSWORD '%[1]s';
CREATE ROLE mon LOGIN PASSWORD '%[1]s' IN ROLE pg_monitor;
ALTER DATABASE lab OWNER TO app;
ALTER DATABASE copy OWNER TO app;
ALTER ROLE app SET app.api_token = 'CANARYpgRole0aB1c';
ALTER DATABASE orders SET app.api_key = 'CANARYpgDatabase0aB1c';
\c orders
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION hstore;
CREATE TABLE users (id int PRIMARY KEY, name text, password text, api_key text, tags hstore, doc jsonb, keys text[], score int CHECK (score < 100), photo bytea);
INSERT INTO users SELECT i, 'user ' || i, 'CANARYpg' || i || 'xQ7', 'CANARYpgKey' || i, hstore('password', 'CANARYpgHstore' || i), jsonb_build_object('password', 'CANARYpgJson' || i, 'ok', 'fine'),
	ARRAY['sk_live_CANARYpg51Hx8Yk2Lm9Qw' || i], i, ('password=CANARYpgBytea' || i)::bytea FROM generate_series(1, 20) i;
CREATE TABLE plain (id int, note text);
INSERT INTO plain SELECT i, 'an ordinary note ' || i FROM generate_series(1, 1000) i;
CREATE TABLE config (name text, value text);
INSERT INTO config VALUES ('smtp_password', 'CANARYpgSmtp0aB1c'), ('smtp_host', 'mail.example');
CREATE VIEW people AS SELECT id, name, password AS pw_view FROM users;
CREATE FUNCTION hard_coded() RETURNS text LANGUAGE sql AS $$ SELECT 'sk_live_CANARYpg51Hx8Yk2Lm9Qw'::text $$;
CREATE FUNCTION leak_notice() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'it is %%', (SELECT password FROM users LIMIT 1); END $$;
CREATE FUNCTION leak_error() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it is %%', (SELECT password FROM users LIMIT 1) USING CONSTRAINT = (SELECT api_key FROM users LIMIT 1); END $$;
CREATE FUNCTION leak_function() RETURNS text LANGUAGE sql AS $$ SELECT password FROM users LIMIT 1 $$;
COMMENT ON TABLE plain IS 'the password=CANARYpgComment0aB1c';
CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '10.0.0.2');
CREATE USER MAPPING FOR app SERVER other OPTIONS (user 'x', password 'CANARYpgMapping0aB1c');
CREATE SUBSCRIPTION sub CONNECTION 'host=10.0.0.3 password=CANARYpgSubscription0aB1c' PUBLICATION p WITH (connect = false);
ALTER ROLE mon PASSWORD '%[1]s';
GRANT ALL ON ALL TABLES IN SCHEMA public TO app, mon;
GRANT CREATE ON SCHEMA public TO app;
ANALYZE;
`

const pgHeld = "CANARYpgheld-7Xq2Rt9"

// pgGateway starts a database with canaries and a gateway in front of it.
func pgGateway(t *testing.T, more string) (*gateway, *gatetest.Postgres) {
	t.Helper()
	needs(t, "psql")
	db := gatetest.StartPostgres(t, "shared_preload_libraries = 'pg_stat_statements'", "wal_level = logical")
	db.Exec(t, fmt.Sprintf(pgSetup, pgHeld))
	g := &gateway{dir: t.TempDir()}
	g.data, g.config = filepath.Join(g.dir, "data"), filepath.Join(g.dir, "weir.yaml")
	web, port := freePort(t), freePort(t)
	g.url = fmt.Sprintf("https://localhost:%d", web)
	resource := func(name, user, more string) string {
		database := "orders"
		if name == "lab" || name == "copy" {
			database = name
		}
		return fmt.Sprintf("- {name: %s, protocol: postgres, address: '127.0.0.1:%d', tls: disable, database: %s, credential: {user: %s, password: {env: HELDPG}}%s}\n", name, db.Port, database, user, more)
	}
	g.write(t, fmt.Sprintf("data_dir: data\nlisten: {web: '127.0.0.1:%d', postgres: '127.0.0.1:%d'}\nresources:\n%s%s%s%s%sgrants:\n- {groups: [developers], resources: ['*'], for: 1h}\nhold: {wait: 1s}\n%s", web, port,
		resource("orders", "app", ""), resource("monitor", "mon", ""), resource("reports", "app", ", read_only: true"), resource("lab", "app", ""), resource("copy", "app", ""), more))
	t.Setenv("HELDPG", pgHeld)
	g.serve(t)
	t.Cleanup(func() { g.stop(t) })
	g.weir(t, "users", "add", "alice", "--groups", "developers")
	return g, db
}

// psql runs psql through the gateway, in clear view of nobody but the test.
func (g *gateway) psql(t *testing.T, a *service.Access, stdin string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	dsn := fmt.Sprintf("host=localhost port=%d user=%s dbname=%s sslmode=verify-full sslrootcert=%s", a.Port, a.Login, a.Database, filepath.Join(g.data, "ca.pem"))
	cmd := exec.CommandContext(ctx, "psql", append([]string{"-X", "-v", "VERBOSITY=verbose", dsn}, args...)...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+a.Secret, "HOME="+g.dir)
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

// pgSweep looks for the database's canaries in all that came out of the gateway.
func (g *gateway) pgSweep(t *testing.T) {
	t.Helper()
	before := words
	words = append(append([]string{}, words...), pgWords...)
	defer func() { words = before }()
	g.sweep(t)
}

// TestPostgresLeaksNothing asks for each thing of the catalogue that is known to leak, and each hole that was found in other gateways.
// Whether it is masked, refused or held, no canary may come out: not in rows, COPY, errors, notices, notifications, settings, names.
func TestPostgresLeaksNothing(t *testing.T) {
	g, _ := pgGateway(t, "")
	orders, monitor := g.access(t, "orders", "alice"), g.access(t, "monitor", "alice")
	for name, c := range map[string]struct {
		sql     string
		monitor bool
		want    string // in the output, "" for whatever
		refused bool   // by a rule or the catalogue; held requests run into their wait, so they are asked with a short one elsewhere
	}{
		"a column":                {sql: "SELECT id, password FROM users ORDER BY 1 LIMIT 2", want: "[masked:"},
		"an alias":                {sql: "SELECT password AS harmless FROM users LIMIT 1", want: "[masked:"},
		"an expression":           {sql: "SELECT upper(password), reverse(password), left(password, 12), 'x' || password, md5(password) FROM users LIMIT 2"},
		"an encoding":             {sql: "SELECT encode(password::bytea, 'hex'), encode(password::bytea, 'base64'), password::bytea FROM users LIMIT 2"},
		"a length":                {sql: "SELECT ascii(substr(password, 1, 1)), length(password) FROM users LIMIT 1"},
		"an aggregate":            {sql: "SELECT string_agg(password, ',') FROM users"},
		"json_agg":                {sql: "SELECT json_agg(u) FROM users u"},
		"row_to_json":             {sql: "SELECT row_to_json(u) FROM users u LIMIT 1"},
		"a whole row":             {sql: "SELECT u FROM users u LIMIT 1"},
		"a whole row as text":     {sql: "SELECT u::text FROM users u LIMIT 1"},
		"UNION":                   {sql: "SELECT name FROM users UNION SELECT password FROM users"},
		"a CTE":                   {sql: "WITH x(harmless) AS (SELECT password FROM users) SELECT * FROM x LIMIT 1"},
		"a view":                  {sql: "SELECT * FROM people LIMIT 2"},
		"a derived table":         {sql: "SELECT x.a FROM (SELECT password AS a FROM users) x LIMIT 1"},
		"TABLE":                   {sql: "TABLE users"},
		"a function":              {sql: "SELECT leak_function()"},
		"jsonb":                   {sql: "SELECT doc FROM users LIMIT 1", want: "fine"},
		"hstore":                  {sql: "SELECT tags FROM users LIMIT 1"},
		"an array":                {sql: "SELECT keys FROM users LIMIT 2"},
		"bytea":                   {sql: "SELECT photo FROM users LIMIT 2"},
		"settings rows":           {sql: "SELECT name, value FROM config ORDER BY name", want: "mail.example"},
		"COPY":                    {sql: "COPY users TO STDOUT"},
		"COPY of a query":         {sql: "COPY (SELECT password, api_key FROM users) TO STDOUT"},
		"COPY as CSV":             {sql: "COPY users (id, password, api_key) TO STDOUT WITH (FORMAT csv, HEADER)"},
		"COPY in binary":          {sql: "COPY users (id, password) TO STDOUT WITH (FORMAT binary)"},
		"COPY of config":          {sql: "COPY config TO STDOUT WITH (FORMAT csv, HEADER)"},
		"a failed cast":           {sql: "SELECT password::int FROM users"},
		"a failed date":           {sql: "SELECT password::date FROM users"},
		"a failing row":           {sql: "INSERT INTO users (id, password, score) SELECT 500, password, 200 FROM users LIMIT 1"},
		"a duplicate":             {sql: "CREATE TEMP TABLE tt (password text UNIQUE); INSERT INTO tt SELECT password FROM users LIMIT 1; INSERT INTO tt SELECT password FROM users LIMIT 1"},
		"a notice":                {sql: "SELECT leak_notice()"},
		"an error":                {sql: "SELECT leak_error()"},
		"a notification":          {sql: "LISTEN ch; SELECT pg_notify('ch', password) FROM users LIMIT 1; SELECT 1"},
		"a parameter status":      {sql: "SELECT set_config('application_name', (SELECT password FROM users LIMIT 1), false); SHOW application_name"},
		"SHOW of one":             {sql: "SHOW archive_command"},
		"SHOW of a custom one":    {sql: "SHOW app.api_token"},
		"SHOW of the database's":  {sql: "SHOW app.api_key"},
		"current_setting":         {sql: "SELECT current_setting('archive_command'), current_setting('app.api_token')"},
		"SHOW in capitals":        {sql: "sHoW/**/aRcHiVe_CoMmAnD"},
		"a filtered pg_settings":  {sql: "SELECT name, setting FROM pg_settings WHERE name = 'archive_command'"},
		"a renamed pg_settings":   {sql: "SELECT setting AS a, name AS b FROM pg_settings WHERE name LIKE '%command'"},
		"quoted names":            {sql: `SELECT setting FROM "pg_catalog"."pg_settings" WHERE name = 'restore_command'`},
		"U& names":                {sql: `SELECT setting FROM U&"\0070g_settings" WHERE name = 'restore_command'`},
		"the monitor's":           {sql: "SELECT name, setting FROM pg_settings WHERE name IN ('primary_conninfo', 'ssl_passphrase_command')", monitor: true},
		"pg_roles":                {sql: "SELECT rolname, rolconfig FROM pg_roles WHERE rolname = 'app'"},
		"pg_user":                 {sql: "SELECT * FROM pg_user WHERE usename = 'app'"},
		"pg_db_role_setting":      {sql: "SELECT * FROM pg_db_role_setting"},
		"user mappings":           {sql: "SELECT * FROM pg_user_mappings; SELECT * FROM information_schema.user_mapping_options"},
		"subscriptions":           {sql: "SELECT subconninfo FROM pg_subscription"},
		"pg_stats":                {sql: "SELECT attname, most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'users'"},
		"function sources":        {sql: `SELECT prosrc FROM pg_proc WHERE proname = 'hard_coded'; SELECT pg_get_functiondef('hard_coded'::regproc)`},
		"comments":                {sql: "SELECT obj_description('plain'::regclass)"},
		"\\d commands":            {sql: "\\d+ plain\n\\df+ hard_coded\n\\du+\n\\dt+\n\\l+\n\\drds\n\\des+\n\\deu+\n\\sf hard_coded\n"},
		"activity":                {sql: "SELECT query FROM pg_stat_activity", monitor: true},
		"statements":              {sql: "SELECT query FROM pg_stat_statements WHERE query ILIKE '%role%' OR query ILIKE '%mapping%' OR query ILIKE '%subscription%'", monitor: true},
		"EXPLAIN":                 {sql: "EXPLAIN (VERBOSE) SELECT * FROM users WHERE password = (SELECT max(password) FROM users)"},
		"a cursor":                {sql: "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT password FROM users; FETCH 2 FROM c; COMMIT; FETCH 1 FROM c"},
		"PREPARE":                 {sql: "PREPARE p AS SELECT password FROM users LIMIT 1; EXECUTE p"},
		"a temp view":             {sql: "CREATE TEMP VIEW tv AS SELECT password AS harmless FROM users; SELECT * FROM tv LIMIT 1"},
		"a temp table":            {sql: "CREATE TEMP TABLE tc AS SELECT password AS harmless FROM users; SELECT * FROM tc LIMIT 1"},
		"RETURNING":               {sql: "BEGIN; UPDATE users SET score = 1 WHERE id = 1 RETURNING password AS x; ROLLBACK"},
		"pg_authid":               {sql: "SELECT * FROM pg_authid", refused: true},
		"pg_shadow":               {sql: `SELECT passwd FROM "pg_catalog".pg_shadow`, refused: true},
		"a file":                  {sql: "SELECT pg_read_file('postgresql.auto.conf')", refused: true},
		"a program":               {sql: "COPY plain TO PROGRAM 'cat'", refused: true},
		"a server's file":         {sql: "COPY plain FROM '/etc/passwd'", refused: true},
		"another encoding":        {sql: "SET client_encoding = 'SJIS'", refused: true},
		"other strings":           {sql: "SET standard_conforming_strings = off", refused: true},
		"a function by fastpath?": {sql: "SELECT lo_import('/etc/passwd')", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := &orders
			if c.monitor {
				a = &monitor
			}
			got := g.psql(t, a, c.sql)
			all := got.out + got.err
			for _, w := range pgWords {
				if strings.Contains(all, w) {
					t.Errorf("%q came out: %.2000s", w, all)
				}
			}
			if strings.Contains(got.err, "waits for an approval") {
				t.Errorf("held: %.2000s", all)
			}
			if c.want != "" && !strings.Contains(got.out, c.want) {
				t.Errorf("no %q in %.2000s", c.want, all)
			}
			if refused := strings.Contains(got.err, "refused by the gateway"); c.refused != refused {
				t.Errorf("refused: %t, want %t: %.2000s", refused, c.refused, all)
			}
		})
	}
	g.pgSweep(t)
	if t.Failed() {
		t.Log(g.log)
	}
}
