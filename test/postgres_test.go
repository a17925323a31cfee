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
// Resources beside the usual ones are appended to those.
func pgGateway(t *testing.T, more string, resources ...func(port uint16) string) (*gateway, *gatetest.Postgres) {
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
	others := ""
	for _, r := range resources {
		others += r(db.Port)
	}
	g.write(t, fmt.Sprintf("data_dir: data\nlisten: {web: '127.0.0.1:%d', postgres: '127.0.0.1:%d'}\nresources:\n%s%s%s%s%s%sgrants:\n- {groups: [developers], resources: ['*'], for: 1h}\nhold: {wait: 1s}\n%s", web, port,
		resource("orders", "app", ""), resource("monitor", "mon", ""), resource("reports", "app", ", read_only: true"), resource("lab", "app", ""), resource("copy", "app", ""), others, more))
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
