package test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"weir/service"
)

// pgWire is a connection of which every byte that the gateway sends is seen, whatever the message.
type pgWire struct {
	g    *gateway
	conn net.Conn
}

func (g *gateway) pgWire(t *testing.T, a *service.Access, runtime ...string) *pgWire {
	t.Helper()
	cfg, err := pgconn.ParseConfig(fmt.Sprintf("host=localhost port=%d user=%s password=%s dbname=%s sslmode=verify-full sslrootcert=%s", a.Port, a.Login, a.Secret, a.Database, filepath.Join(g.data, "ca.pem")))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(runtime); i += 2 {
		cfg.RuntimeParams[runtime[i]] = runtime[i+1]
	}
	conn, err := pgconn.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	h, err := conn.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Conn.Close() })
	return &pgWire{g, h.Conn}
}

// send writes messages.
func (w *pgWire) send(t *testing.T, messages ...pgproto3.FrontendMessage) {
	t.Helper()
	var out []byte
	for _, m := range messages {
		var err error
		if out, err = m.Encode(out); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.conn.Write(out); err != nil {
		t.Fatal(err)
	}
}

// frame reads one message.
func (w *pgWire) frame(t *testing.T) (typ byte, body []byte) {
	t.Helper()
	_ = w.conn.SetReadDeadline(time.Now().Add(60 * time.Second))
	var head [5]byte
	if _, err := io.ReadFull(w.conn, head[:]); err != nil {
		t.Fatal(err)
	}
	body = make([]byte, int(head[1])<<24|int(head[2])<<16|int(head[3])<<8|int(head[4])-4)
	if _, err := io.ReadFull(w.conn, body); err != nil {
		t.Fatal(err)
	}
	return head[0], body
}

// answer reads up to ReadyForQuery and returns all of it, types and bodies.
func (w *pgWire) answer(t *testing.T) string {
	t.Helper()
	var all bytes.Buffer
	for {
		typ, body := w.frame(t)
		all.WriteByte(typ)
		all.Write(body)
		if typ == 'Z' {
			w.g.keep(all.Bytes())
			return all.String()
		}
	}
}

// simple runs statements by the simple protocol.
func (w *pgWire) simple(t *testing.T, sql string) string {
	t.Helper()
	w.send(t, &pgproto3.Query{String: sql})
	return w.answer(t)
}

// prepared runs one statement as drivers do: described when it is prepared, bound without another Describe, twice.
func (w *pgWire) prepared(t *testing.T, sql string, format int16) string {
	t.Helper()
	w.send(t, &pgproto3.Parse{Name: "s", Query: sql}, &pgproto3.Describe{ObjectType: 'S', Name: "s"}, &pgproto3.Sync{})
	all := w.answer(t)
	for range 2 {
		w.send(t, &pgproto3.Bind{PreparedStatement: "s", ResultFormatCodes: []int16{format}}, &pgproto3.Execute{}, &pgproto3.Sync{})
		all += w.answer(t)
	}
	w.send(t, &pgproto3.Close{ObjectType: 'S', Name: "s"}, &pgproto3.Sync{})
	return all + w.answer(t)
}

// pgOutcome is what becomes of a statement by default.
type pgOutcome uint8

const (
	pgRuns   pgOutcome = iota // it runs, and what comes back is masked
	pgWaits                   // it waits for an approval
	pgDenied                  // it is refused
)

func (o pgOutcome) String() string { return [...]string{"masked", "held", "refused"}[o] }

// pgLeak is a statement that is known to leak.
type pgLeak struct {
	name    string // of the catalogue's row, or of the hole that was found in another gateway, and which of its spellings
	sql     string
	as      string // the resource; "" is orders
	want    string // in the answer when it is masked
	outcome pgOutcome
	closed  bool // no rule opens it: the bytes are beyond masking
	never   string
}

// pgLeaks are all rows of the catalogue of introspection that were seen to leak, and all holes that were found in other gateways, under the
// names that those have: what comes back by the result, COPY, errors, notices, notifications, settings and names of columns. Holes that are no
// single statement have tests of their own: TestPostgresRules (padded to 9 MiB, a denial that ends the session, a cell of 70 MiB), TestPostgresHolds (approvals),
// TestPostgresKillLosesNothing (statements that are not recorded), TestPostgresRevoked (access that outlives its end).
var pgLeaks = []pgLeak{
	// Settings and files.
	{name: "SHOW ALL/plainly", sql: "SHOW ALL", outcome: pgWaits},
	{name: "SHOW ALL/behind a comment", sql: "/* x */ show all", outcome: pgWaits},
	{name: "SHOW ALL/by a monitor", sql: "SHOW ALL", as: "monitor", outcome: pgWaits},
	{name: "pg_settings/unfiltered", sql: "SELECT * FROM pg_settings", want: "[masked:"},
	{name: "pg_settings/TABLE", sql: "TABLE pg_settings", as: "monitor", want: "[masked:"},
	{name: "pg_settings/filtered", sql: "SELECT name, setting FROM pg_settings WHERE name = 'archive_command'", want: "[masked:"},
	{name: "pg_settings/renamed", sql: "SELECT setting AS a, name AS b FROM pg_settings WHERE name LIKE '%command'", want: "[masked:"},
	{name: "pg_settings/a secret one without its name", sql: "SELECT setting FROM pg_settings WHERE name = 'ssl_passphrase_command'", as: "monitor"},
	{name: "pg_settings/under the name of another", sql: "SELECT 'port' AS name, setting FROM pg_settings WHERE name = 'ssl_passphrase_command'", as: "monitor"},
	{name: "pg_settings/beside the name of another", sql: "SELECT a.name, b.setting FROM pg_settings a, pg_settings b WHERE a.name = 'port' AND b.name = 'ssl_passphrase_command'", as: "monitor"},
	{name: "pg_settings/a harmless one", sql: "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_index_keys'", want: "32"},
	{name: "pg_settings/harmless ones", sql: "SELECT upper(setting) FROM pg_settings WHERE name IN ('server_encoding', 'max_index_keys')", want: "UTF8"},
	{name: "pg_settings/without its name", sql: "SELECT setting FROM pg_settings WHERE name = 'archive_command'"},
	{name: "pg_settings/quoted", sql: `SELECT setting FROM "pg_catalog"."pg_settings" WHERE name = 'restore_command'`},
	{name: "pg_settings/by Unicode", sql: `SELECT setting FROM U&"\0070g_settings" WHERE name = 'restore_command'`},
	{name: "pg_settings/a temporary view", sql: "CREATE TEMP VIEW v1 AS SELECT setting AS harmless, name AS n FROM pg_settings; SELECT * FROM v1 WHERE n LIKE '%command'"},
	{name: "pg_settings/a function in SQL", sql: "CREATE FUNCTION pg_temp.f1() RETURNS SETOF text LANGUAGE sql AS 'SELECT setting FROM pg_settings WHERE name LIKE ''%command'''; SELECT pg_temp.f1()"},
	{name: "pg_settings/PREPARE and EXECUTE", sql: "PREPARE p1 AS SELECT name, setting FROM pg_settings WHERE name = 'archive_command'; EXECUTE p1; DEALLOCATE p1"},
	{name: "pg_settings/a cursor WITH HOLD", sql: "BEGIN; DECLARE c1 CURSOR WITH HOLD FOR SELECT name, setting FROM pg_settings WHERE name LIKE '%command'; COMMIT; FETCH ALL FROM c1; CLOSE c1"},
	{name: "pg_settings/aggregated", sql: "SELECT string_agg(name || '=' || setting, ' ') FROM pg_settings WHERE name LIKE '%command'"},
	{name: "pg_settings/as JSON", sql: "SELECT json_object_agg(name, setting) FROM pg_settings"},
	{name: "pg_settings/copied", sql: "COPY (SELECT name, setting FROM pg_settings) TO STDOUT"},
	{name: "pg_settings/the monitor's", sql: "SELECT name, setting, boot_val, reset_val FROM pg_settings WHERE name IN ('primary_conninfo', 'ssl_passphrase_command')", as: "monitor", want: "[masked:"},
	{name: "pg_show_all_settings()/as rows", sql: "SELECT name, setting FROM pg_show_all_settings() WHERE name LIKE '%command'", want: "[masked:"},
	{name: "pg_show_all_settings()/as records", sql: "SELECT pg_show_all_settings()"},
	{name: "SHOW setting/plainly", sql: "SHOW archive_command", want: "[masked:"},
	{name: "SHOW setting/in capitals", sql: "sHoW/**/aRcHiVe_CoMmAnD", want: "[masked:"},
	{name: "SHOW setting/a role's own", sql: "SHOW app.api_token", want: "[masked:"},
	{name: "SHOW setting/the database's", sql: "SHOW app.api_key", want: "[masked:"},
	{name: "SHOW setting/the monitor's", sql: "SHOW primary_conninfo", as: "monitor"},
	{name: "current_setting()/plainly", sql: "SELECT current_setting('archive_command'), current_setting('app.api_token')", want: "[masked:"},
	{name: "current_setting()/under another name", sql: "SELECT upper(current_setting('restore_command')) AS a, reverse(current_setting('app.api_key')) AS b"},
	{name: "current_setting()/a name made while it runs", sql: "SELECT current_setting('archive_com' || 'mand')", outcome: pgWaits},
	{name: "current_setting()/in a DO block", sql: "DO $$ BEGIN RAISE NOTICE '%', current_setting('archive_com' || 'mand'); END $$", outcome: pgWaits},
	{name: "set_config()/what it returns", sql: "SELECT set_config('app.api_token', current_setting('archive_command'), false)", outcome: pgWaits},
	{name: "pg_file_settings/its rows", sql: "SELECT * FROM pg_file_settings", as: "root", outcome: pgDenied},
	{name: "pg_file_settings/its function", sql: "SELECT pg_show_all_file_settings()", as: "root", outcome: pgDenied},
	{name: "pg_hba_file_rules/its options", sql: "SELECT * FROM pg_hba_file_rules", as: "root", outcome: pgDenied},
	{name: "pg_read_file()/the configuration", sql: "SELECT pg_read_file('postgresql.auto.conf')", as: "root", outcome: pgDenied},
	{name: "pg_read_file()/as bytes", sql: "SELECT pg_read_binary_file('postgresql.auto.conf')", as: "root", outcome: pgDenied},
	{name: "pg_read_file()/in hexadecimal", sql: "SELECT encode(pg_read_binary_file('postgresql.auto.conf'), 'hex')", as: "root", outcome: pgDenied, closed: true},
	{name: "pg_ls_dir()/of the data directory", sql: "SELECT pg_ls_dir('.'), pg_stat_file('postgresql.auto.conf')", as: "root", outcome: pgDenied},
	{name: "lo_import()/a file", sql: "SELECT lo_import('/etc/passwd')", outcome: pgDenied},
	{name: "COPY file/FROM", sql: "COPY plain FROM '/etc/passwd'", outcome: pgDenied},
	{name: "COPY file/TO", sql: "COPY users TO '/tmp/weir-never'", outcome: pgDenied},
	{name: "COPY PROGRAM/TO", sql: "COPY plain TO PROGRAM 'cat'", outcome: pgDenied},
	{name: "COPY PROGRAM/FROM", sql: "COPY plain FROM PROGRAM 'env'", outcome: pgDenied},
	{name: "ALTER SYSTEM/a setting", sql: "ALTER SYSTEM SET work_mem = '4MB'", as: "root", outcome: pgDenied},
	{name: "pg_current_logfile()/its name", sql: "SELECT pg_current_logfile()", as: "monitor", outcome: pgDenied},

	// Catalogs and views.
	{name: "pg_authid/all of it", sql: "SELECT * FROM pg_authid", as: "root", outcome: pgDenied, never: "SCRAM-SHA-256$"},
	{name: "pg_authid/its hash under another name", sql: "SELECT rolpassword AS a, left(rolpassword, 20) AS b FROM pg_authid", as: "root", outcome: pgDenied, never: "SCRAM-SHA-256"},
	{name: "pg_shadow/its hash", sql: `SELECT passwd FROM "pg_catalog".pg_shadow`, as: "root", outcome: pgDenied, never: "SCRAM-SHA-256$"},
	{name: "pg_roles.rolconfig/all", sql: "SELECT rolname, rolconfig FROM pg_roles WHERE rolname = 'app'", want: "[masked:"},
	{name: "pg_roles.rolconfig/one by one", sql: "SELECT unnest(rolconfig) FROM pg_roles"},
	{name: "pg_user.useconfig/all", sql: "SELECT * FROM pg_user WHERE usename = 'app'", want: "[masked:"},
	{name: "pg_db_role_setting.setconfig/all", sql: "SELECT * FROM pg_db_role_setting", want: "[masked:"},
	{name: "pg_db_role_setting.setconfig/as text", sql: "SELECT setconfig::text, array_to_string(setconfig, ' ') FROM pg_db_role_setting"},
	{name: "pg_user_mappings.umoptions/all", sql: "SELECT * FROM pg_user_mappings"},
	{name: "pg_user_mappings.umoptions/the view of the standard", sql: "SELECT * FROM information_schema.user_mapping_options", as: "root", want: "[masked:"},
	{name: "pg_user_mappings.umoptions/the table", sql: "SELECT * FROM pg_user_mapping", as: "root"},
	{name: "pg_user_mappings.umoptions/the view beneath", sql: "SELECT * FROM information_schema._pg_user_mappings", as: "root"},
	{name: "pg_foreign_server.srvoptions/all", sql: "SELECT * FROM pg_foreign_server", want: "[masked:"},
	{name: "pg_foreign_server.srvoptions/the view of the standard", sql: "SELECT * FROM information_schema.foreign_server_options", as: "root", want: "[masked:"},
	{name: "pg_subscription.subconninfo/alone", sql: "SELECT subconninfo FROM pg_subscription", as: "root", want: "[masked:"},
	{name: "pg_subscription.subconninfo/all", sql: "SELECT * FROM pg_subscription", as: "root", want: "[masked:"},
	{name: "pg_stat_activity/its statements", sql: "SELECT pid, query, application_name FROM pg_stat_activity", as: "monitor"},
	{name: "pg_stat_activity/its function", sql: "SELECT pg_stat_get_activity(NULL)", as: "monitor"},
	{name: "pg_stat_activity/current_query()", sql: "SELECT current_query()"},
	{name: "pg_stat_activity/pg_stat_get_backend_activity()", sql: "SELECT pg_stat_get_backend_activity(s) FROM pg_stat_get_backend_idset() s", as: "monitor"},
	{name: "pg_stat_statements/utility statements", sql: "SELECT query FROM pg_stat_statements WHERE query ILIKE '%role%' OR query ILIKE '%mapping%' OR query ILIKE '%subscription%'", as: "monitor"},
	{name: "pg_stat_statements/its function", sql: "SELECT * FROM pg_stat_statements(true)", as: "monitor"},
	{name: "pg_stat_statements/under another name", sql: "SELECT 'x' || query AS a, substr(query, 5) AS b FROM pg_stat_statements WHERE query ILIKE '%password%'", as: "monitor"},
	{name: "pg_prepared_statements/its text", sql: "PREPARE p2 AS SELECT 'sk_live_CANARYpg51Hx8Yk2Lm9Qw'; SELECT * FROM pg_prepared_statements; DEALLOCATE p2"},
	{name: "pg_cursors/its text", sql: "BEGIN; DECLARE c2 CURSOR FOR SELECT 'sk_live_CANARYpg51Hx8Yk2Lm9Qw'; SELECT * FROM pg_cursors; COMMIT"},
	{name: "pg_stats/samples", sql: "SELECT attname, most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'users'"},
	{name: "pg_stats/all", sql: "SELECT * FROM pg_stats WHERE tablename IN ('users', 'config')"},
	{name: "pg_stats/as text", sql: "SELECT histogram_bounds::text, array_to_json(most_common_vals::text::text[]) FROM pg_stats WHERE tablename = 'users'"},
	{name: "pg_statistic/all", sql: "SELECT * FROM pg_statistic WHERE starelid = 'users'::regclass", as: "root"},
	{name: "pg_stats_ext/samples of several columns", sql: "SELECT * FROM pg_stats_ext"},
	{name: "pg_stats_ext/as it is stored", sql: "SELECT pg_mcv_list_items(stxdmcv) FROM pg_statistic_ext_data", as: "root"},
	{name: "pg_proc.prosrc/alone", sql: "SELECT prosrc FROM pg_proc WHERE proname = 'hard_coded'", want: "[masked:"},
	{name: "pg_proc.prosrc/pg_get_functiondef()", sql: "SELECT pg_get_functiondef('hard_coded'::regproc)", want: "[masked:"},
	{name: "pg_proc.prosrc/information_schema.routines", sql: "SELECT routine_name, routine_definition FROM information_schema.routines WHERE routine_name LIKE 'hard%'"},
	{name: "pg_views.definition/alone", sql: "SELECT definition FROM pg_views WHERE viewname = 'hard_view'", want: "[masked:"},
	{name: "pg_views.definition/pg_get_viewdef()", sql: "SELECT pg_get_viewdef('hard_view'::regclass)", want: "[masked:"},
	{name: "pg_views.definition/information_schema.views", sql: "SELECT view_definition FROM information_schema.views WHERE table_name = 'hard_view'"},
	{name: "pg_matviews.definition/alone", sql: "SELECT definition FROM pg_matviews WHERE matviewname = 'hard_matview'", want: "[masked:"},
	{name: "pg_rules.definition/alone", sql: "SELECT definition FROM pg_rules WHERE rulename = 'hard_rule'", want: "[masked:"},
	{name: "pg_rules.definition/pg_get_ruledef()", sql: "SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE rulename = 'hard_rule'", want: "[masked:"},
	{name: "pg_trigger/pg_get_triggerdef()", sql: "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'hard_trigger'", want: "[masked:"},
	{name: "pg_trigger/its arguments", sql: "SELECT tgargs, encode(tgargs, 'escape') FROM pg_trigger WHERE tgname = 'hard_trigger'"},
	{name: "pg_attrdef/pg_get_expr()", sql: "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'hard'::regclass", want: "[masked:"},
	{name: "pg_attrdef/information_schema.columns", sql: "SELECT column_default FROM information_schema.columns WHERE table_name = 'hard'"},
	{name: "pg_policies/alone", sql: "SELECT qual, with_check FROM pg_policies WHERE policyname = 'hard_policy'", want: "[masked:"},
	{name: "pg_constraint/pg_get_constraintdef()", sql: "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'hard_check'", want: "[masked:"},
	{name: "pg_description/obj_description()", sql: "SELECT obj_description('plain'::regclass), obj_description('plain'::regclass, 'pg_class')", want: "[masked:"},
	{name: "pg_description/col_description()", sql: "SELECT col_description('plain'::regclass, 2)", want: "[masked:"},
	{name: "pg_description/the table", sql: "SELECT description FROM pg_description WHERE objoid = 'plain'::regclass", want: "[masked:"},
	{name: "pg_shdescription/the table", sql: "SELECT description FROM pg_shdescription", want: "[masked:"},
	{name: "pg_largeobject/lo_get()", sql: "SELECT lo_get(4712)", outcome: pgWaits},
	{name: "pg_largeobject/the table", sql: "SELECT * FROM pg_largeobject", as: "root", outcome: pgWaits},
	{name: "pageinspect/a page", sql: "SELECT get_raw_page('users', 0)", as: "root", outcome: pgDenied, closed: true},
	{name: "logical decoding/a slot", sql: "SELECT pg_create_logical_replication_slot('s', 'test_decoding')", as: "root", outcome: pgDenied, closed: true},
	{name: "dblink/a connection", sql: "SELECT * FROM dblink('host=127.0.0.1 password=CANARYpgDblink0aB1c', 'SELECT 1') AS t(a int)", as: "root", outcome: pgWaits},
	{name: "EXPLAIN/of a protected column", sql: "EXPLAIN (VERBOSE) SELECT * FROM users WHERE password = (SELECT max(password) FROM users)"},
	{name: "EXPLAIN/of a view's constant", sql: "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM hard_view"},
	{name: "EXPLAIN/of one's own literal", sql: "EXPLAIN SELECT * FROM users WHERE api_key = 'sk_live_CANARYpg51Hx8Yk2Lm9Qw'"},
	{name: "EXPLAIN/as JSON", sql: "EXPLAIN (FORMAT json, VERBOSE) SELECT * FROM hard_view"},
	{name: "SET encoding/another encoding", sql: "SET client_encoding = 'SJIS'", outcome: pgDenied, closed: true},
	{name: "SET encoding/other strings", sql: "SET standard_conforming_strings = off", outcome: pgDenied, closed: true},
	{name: "SET ROLE/another role", sql: "SET ROLE pg_monitor", outcome: pgWaits, closed: true},
	{name: "ALTER ROLE PASSWORD/a request with a secret", sql: "ALTER ROLE mon PASSWORD 'CANARYpgNewPassword0aB1c'", as: "root", outcome: pgWaits, closed: true},

	// The seven channels.
	{name: "DataRow/a column", sql: "SELECT id, password FROM users ORDER BY 1 LIMIT 2", want: "[masked:"},
	{name: "DataRow/an alias", sql: "SELECT password AS harmless FROM users LIMIT 1", want: "[masked:"},
	{name: "DataRow/settings of an application", sql: "SELECT name, value FROM config ORDER BY name", want: "mail.example"},
	{name: "CopyData/a table", sql: "COPY users TO STDOUT"},
	{name: "CopyData/a query", sql: "COPY (SELECT password, api_key FROM users) TO STDOUT"},
	{name: "CopyData/CSV", sql: "COPY users (id, password, api_key) TO STDOUT WITH (FORMAT csv, HEADER)"},
	{name: "CopyData/binary", sql: "COPY users (id, password) TO STDOUT WITH (FORMAT binary)"},
	{name: "CopyData/a binary query", sql: "COPY (SELECT id, keys, doc, photo FROM users) TO STDOUT WITH (FORMAT binary)"},
	{name: "CopyData/settings of an application", sql: "COPY config TO STDOUT WITH (FORMAT csv, HEADER)"},
	{name: "ErrorResponse/a failed cast", sql: "SELECT password::int FROM users"},
	{name: "ErrorResponse/a failed date", sql: "SELECT password::date FROM users"},
	{name: "ErrorResponse/a failed JSON", sql: "SELECT password::json FROM users"},
	{name: "ErrorResponse/a failing row", sql: "UPDATE users SET score = 200 WHERE id = 3"},
	{name: "ErrorResponse/a row outside of a view", sql: "UPDATE innocent_checked SET score = 90 WHERE id = 3"},
	{name: "ErrorResponse/a missing value", sql: "UPDATE users SET id = NULL WHERE id = 3"},
	{name: "ErrorResponse/a deferred duplicate", sql: "BEGIN; UPDATE twins SET n = n WHERE n > 0; COMMIT"},
	{name: "NoticeResponse/a trigger's row", sql: "UPDATE watched SET n = 1 WHERE n < 100"},
	{name: "ErrorResponse/a duplicate", sql: "UPDATE users SET api_key = (SELECT api_key FROM users WHERE id = 2) WHERE id = 1"},
	{name: "ErrorResponse/RAISE", sql: "SELECT leak_error()"},
	{name: "NoticeResponse/RAISE", sql: "SELECT leak_notice()"},
	{name: "RowDescription/an alias that is a secret", sql: `SELECT 1 AS "sk_live_CANARYpg51Hx8Yk2Lm9Qw"`, want: "[masked:"},

	{name: "NotificationResponse/pg_notify", sql: "LISTEN ch; SELECT pg_notify('ch', password) FROM users LIMIT 1; SELECT 1", outcome: pgWaits},
	{name: "ParameterStatus/set_config", sql: "SELECT set_config('application_name', (SELECT password FROM users LIMIT 1), false); SHOW application_name", outcome: pgWaits},

	// Other places, where other sessions would see the value under no name that protects it.
	{name: "other places/CREATE TABLE AS", sql: "CREATE TABLE copied AS SELECT password AS note FROM users", outcome: pgWaits},
	{name: "other places/SELECT INTO", sql: "SELECT upper(password) AS note INTO copied_too FROM users", outcome: pgWaits},
	{name: "other places/INSERT SELECT", sql: "INSERT INTO plain (note) SELECT password FROM users", outcome: pgWaits},
	{name: "other places/UPDATE", sql: "UPDATE plain SET note = password FROM users WHERE plain.id = users.id", outcome: pgWaits},
	{name: "other places/by way of a temporary table", sql: "CREATE TEMP TABLE step AS SELECT password AS p FROM users; INSERT INTO plain (note) SELECT p FROM step", outcome: pgWaits},
	{name: "other places/by way of a view", sql: "INSERT INTO plain (note) SELECT note FROM innocent", outcome: pgWaits},
	{name: "other places/of a document", sql: "INSERT INTO plain (note) SELECT doc ->> 'password' FROM users", outcome: pgWaits},
	{name: "other places/of a setting", sql: "INSERT INTO plain (note) VALUES (current_setting('archive_command'))", outcome: pgWaits},
	{name: "other places/a new name", sql: "BEGIN; ALTER TABLE twins RENAME COLUMN password TO note; ROLLBACK", as: "root", outcome: pgWaits},
	{name: "other places/a computed column", sql: "BEGIN; ALTER TABLE twins ADD COLUMN note text GENERATED ALWAYS AS (upper(password)) STORED; ROLLBACK", as: "root", outcome: pgWaits},
	{name: "other places/a large object", sql: "SELECT lo_from_bytea(0, convert_to(password, 'UTF8')) FROM users", outcome: pgWaits},
	{name: "other places/a lock", sql: "SELECT pg_advisory_lock(hashtext(password)) FROM users", outcome: pgWaits},
	{name: "other places/COPY to a file", sql: "COPY (SELECT password FROM users) TO '/tmp/weir-never'", outcome: pgDenied, closed: true},
	{name: "other places/a view", sql: "CREATE VIEW innocent_new AS SELECT password AS note FROM users; SELECT note FROM innocent_new", want: "[masked:"},

	// Functions and other names.
	{name: "another name/an expression", sql: "SELECT upper(password), reverse(password), left(password, 12), 'x' || password, md5(password) FROM users LIMIT 2"},
	{name: "another name/split", sql: "SELECT substr(password, 1, 5), substr(password, 6), right(password, 3), split_part(password, 'x', 2), regexp_split_to_array(password, '') FROM users", never: "CANAR"},
	{name: "another name/a letter", sql: "SELECT ascii(substr(password, 1, 1)), length(password) FROM users LIMIT 1"},
	{name: "another name/hexadecimal", sql: "SELECT encode(password::bytea, 'hex'), password::bytea FROM users LIMIT 2"},
	{name: "another name/base64", sql: "SELECT encode(password::bytea, 'base64'), encode(convert_to(password, 'UTF8'), 'escape') FROM users LIMIT 2"},
	{name: "another name/string_agg", sql: "SELECT string_agg(password, ',') FROM users"},
	{name: "another name/array_agg", sql: "SELECT array_agg(password), array_agg(u) FROM users u"},
	{name: "another name/json_agg", sql: "SELECT json_agg(u) FROM users u"},
	{name: "another name/row_to_json", sql: "SELECT row_to_json(u) FROM users u LIMIT 1"},
	{name: "another name/a whole row", sql: "SELECT u FROM users u LIMIT 1"},
	{name: "another name/a whole row as text", sql: "SELECT u::text FROM users u LIMIT 1"},
	{name: "another name/UNION", sql: "SELECT name FROM users UNION SELECT password FROM users"},
	{name: "another name/WITH", sql: "WITH x(harmless) AS (SELECT password FROM users) SELECT * FROM x LIMIT 1"},
	{name: "another name/a derived table", sql: "SELECT x.a FROM (SELECT password AS a FROM users) x LIMIT 1"},
	{name: "another name/VALUES", sql: "VALUES ((SELECT password FROM users LIMIT 1))"},
	{name: "another name/CASE", sql: "SELECT CASE WHEN id > 0 THEN password END, coalesce(password, ''), min(password) OVER () FROM users LIMIT 1"},
	{name: "another name/a view", sql: "SELECT * FROM people LIMIT 2"},
	{name: "another name/a view with harmless names", sql: "SELECT * FROM innocent LIMIT 2", want: "[masked:"},
	{name: "another name/a view on a view", sql: "SELECT note FROM innocent_too LIMIT 2", want: "[masked:"},
	{name: "another name/a renamed view", sql: "SELECT changed FROM innocent_renamed LIMIT 2", want: "[masked:"},
	{name: "another name/a materialized view", sql: "SELECT note FROM innocent_kept LIMIT 2", want: "[masked:"},
	{name: "another name/a view copied", sql: "COPY (SELECT * FROM innocent) TO STDOUT"},
	{name: "another name/a view of settings", sql: "SELECT * FROM innocent_settings", as: "monitor"},
	{name: "another name/a view of statements", sql: "SELECT * FROM innocent_activity", as: "monitor"},
	{name: "another name/TABLE", sql: "TABLE users"},
	{name: "another name/a function", sql: "SELECT leak_function()"},
	{name: "another name/a function of rows", sql: "SELECT * FROM leak_rows()"},
	{name: "another name/a cursor", sql: "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT password FROM users; FETCH 2 FROM c; COMMIT; FETCH 1 FROM c; CLOSE c"},
	{name: "another name/PREPARE", sql: "PREPARE p AS SELECT password FROM users LIMIT 1; EXECUTE p; DEALLOCATE p"},
	{name: "another name/a temporary view", sql: "CREATE TEMP VIEW tv AS SELECT password AS harmless FROM users; SELECT * FROM tv LIMIT 1"},
	{name: "another name/a temporary table", sql: "CREATE TEMP TABLE tc AS SELECT password AS harmless FROM users; SELECT * FROM tc LIMIT 1"},
	{name: "another name/RETURNING", sql: "BEGIN; UPDATE users SET score = 1 WHERE id = 1 RETURNING password AS x; ROLLBACK"},
	{name: "another name/query_to_xml", sql: "SELECT query_to_xml('sel' || 'ect password from users', true, true, '')", outcome: pgWaits},
	{name: "another name/table_to_xml", sql: "SELECT table_to_xml('users', true, true, '')", outcome: pgWaits},
	{name: "another name/a DO block", sql: "DO $$ DECLARE r text; BEGIN EXECUTE 'sel' || 'ect password from users limit 1' INTO r; RAISE NOTICE '%', r; END $$", outcome: pgWaits},

	// Values that were never detected elsewhere.
	{name: "values/password=", sql: "SELECT v FROM wild WHERE k = 1", want: "[masked:"},
	{name: "values/JSON password", sql: "SELECT v FROM wild WHERE k = 2", want: "[masked:"},
	{name: "values/ghp_", sql: "SELECT v FROM wild WHERE k = 3", want: "[masked:"},
	{name: "values/sk_live_", sql: "SELECT v FROM wild WHERE k = 4", want: "[masked:"},
	{name: "values/a URL", sql: "SELECT v FROM wild WHERE k = 5", want: "[masked:"},
	{name: "values/jsonb", sql: "SELECT doc FROM users LIMIT 1", want: "fine"},
	{name: "values/jsonb of a path", sql: "SELECT doc ->> 'password', doc -> 'password', jsonb_each_text(doc) FROM users LIMIT 1"},
	{name: "values/hstore", sql: "SELECT tags FROM users LIMIT 1"},
	{name: "values/an array", sql: "SELECT keys FROM users LIMIT 2"},
	{name: "values/bytea", sql: "SELECT photo FROM users LIMIT 2"},
	{name: "values/jsonb of a parameter's path", sql: "SELECT doc #>> ARRAY['password'], doc['password'], doc ->> ('pass' || 'word') FROM users LIMIT 1"},
	{name: "values/jsonb functions", sql: "SELECT jsonb_extract_path_text(doc, 'password'), jsonb_path_query(doc, '$.password') FROM users LIMIT 1"},
	{name: "values/jsonb as rows", sql: "SELECT e.* FROM users, jsonb_each_text(doc) e WHERE id = 1"},
	{name: "values/hstore of a key", sql: "SELECT tags -> 'password' FROM users LIMIT 1"},
	{name: "values/an array of JSON", sql: "SELECT array_agg(doc), array_agg(tags), array_agg(photo), array_agg(keys) FROM users"},
	{name: "values/an array of records", sql: "SELECT array_agg(w), array_agg(ROW(id, photo, doc)) FROM wild w, users"},
	{name: "values/a composite in COPY", sql: "COPY (SELECT ROW(id, photo, doc, keys) FROM users) TO STDOUT"},
	{name: "values/a composite", sql: "SELECT ROW(id, photo, doc, keys) FROM users LIMIT 2"},
}

// pgLeakSetup plants what pgLeaks asks for besides pgSetup.
const pgLeakSetup = `
\c orders
CREATE ROLE root LOGIN SUPERUSER PASSWORD '%[1]s';
CREATE EXTENSION dblink;
CREATE EXTENSION pageinspect;
CREATE UNIQUE INDEX ON users (api_key);
CREATE STATISTICS together (mcv) ON password, api_key FROM users;
CREATE TABLE hard (id int, note text DEFAULT 'sk_live_CANARYpg51Hx8Yk2Lm9Qw', CONSTRAINT hard_check CHECK (note <> 'sk_live_CANARYpg51Hx8Yk2Lm9Qw'));
CREATE VIEW hard_view AS SELECT 'sk_live_CANARYpg51Hx8Yk2Lm9Qw'::text || id AS a FROM plain WHERE note <> 'sk_live_CANARYpg51Hx8Yk2Lm9Qw';
CREATE MATERIALIZED VIEW hard_matview AS SELECT 'sk_live_CANARYpg51Hx8Yk2Lm9Qw'::text AS a;
CREATE RULE hard_rule AS ON DELETE TO hard DO ALSO SELECT 'sk_live_CANARYpg51Hx8Yk2Lm9Qw'::text;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER hard_trigger BEFORE INSERT ON hard FOR EACH ROW EXECUTE FUNCTION nothing('sk_live_CANARYpg51Hx8Yk2Lm9Qw');
CREATE POLICY hard_policy ON hard USING (note <> 'sk_live_CANARYpg51Hx8Yk2Lm9Qw');
COMMENT ON COLUMN plain.note IS 'token ghp_CANARYpg00aB1cD2eF3gH4iJ5kL6mN7oP8qR';
COMMENT ON DATABASE orders IS 'the password=CANARYpgDatabaseComment0aB1c';
ALTER SERVER other OPTIONS (ADD passfile 'password=CANARYpgServer0aB1c');
CREATE FUNCTION leak_rows() RETURNS TABLE (a text, b text) LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT password, api_key FROM users; END $$;
CREATE VIEW innocent AS SELECT id, password AS note FROM users;
CREATE VIEW innocent_too AS SELECT x.note FROM (SELECT note FROM innocent) x;
CREATE VIEW innocent_renamed AS SELECT id, api_key AS note FROM users;
ALTER VIEW innocent_renamed RENAME COLUMN note TO changed;
CREATE MATERIALIZED VIEW innocent_kept AS SELECT id, api_key AS note FROM users;
CREATE VIEW innocent_settings AS SELECT name AS a, setting AS b FROM pg_settings;
CREATE VIEW innocent_activity AS SELECT pid AS a, query AS b FROM pg_stat_activity UNION ALL SELECT 1, query FROM pg_stat_statements;
CREATE VIEW innocent_checked AS SELECT id, score FROM users WHERE score < 50 WITH CHECK OPTION;
CREATE TABLE twins (n int, password text, UNIQUE (password) DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION twin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.password := 'CANARYpgTwin'; RETURN new; END $$;
CREATE TRIGGER twin BEFORE UPDATE ON twins FOR EACH ROW EXECUTE FUNCTION twin();
INSERT INTO twins VALUES (1, 'a'), (2, 'b');
CREATE TABLE watched (n int, password text);
INSERT INTO watched VALUES (0, 'CANARYpgWatched');
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'now %%', new.password; RETURN new; END $$;
CREATE TRIGGER watch BEFORE UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION watch();
CREATE TABLE wild (k int, v text);
INSERT INTO wild VALUES (1, 'host=x password=CANARYpgWild0aB1c'), (2, '{"user": "x", "password": "CANARYpgWild0aB1c"}'), (3, 'ghp_CANARYpg00aB1cD2eF3gH4iJ5kL6mN7oP8qR'),
	(4, 'sk_live_CANARYpg51Hx8Yk2Lm9Qw'), (5, 'https://user:CANARYpgWild0aB1c@example.com/');
SELECT lo_from_bytea(4712, 'password=CANARYpgLarge0aB1c');
GRANT ALL ON LARGE OBJECT 4712 TO app;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app, mon;
GRANT CREATE ON SCHEMA public TO app;
ANALYZE;
`

// pgRoot is a superuser's access to the database, and one on which a rule lifts all that the catalogue blocks and holds.
const pgRoot = `- {name: %s, protocol: postgres, address: '127.0.0.1:%d', tls: disable, database: orders, credential: {user: root, password: {env: HELDPG}}}
`

// TestPostgresLeaks asks for each thing that is known to leak, by the simple and the extended protocol, in text and binary formats. Whether it is
// masked, refused or held, no canary may come out in any message. What is lifted by a rule, and done by a superuser, is still masked.
func TestPostgresLeaks(t *testing.T) {
	g, db := pgGateway(t, "rules:\n- {name: open, resources: [open], match: {catalog: '*'}, then: allow}\n",
		func(port uint16) string { return fmt.Sprintf(pgRoot, "root", port) + fmt.Sprintf(pgRoot, "open", port) })
	db.Exec(t, fmt.Sprintf(pgLeakSetup, pgHeld))
	access := map[string]*service.Access{}
	for _, name := range []string{"orders", "monitor", "root", "open"} {
		a := g.access(t, name, "alice")
		access[name] = &a
	}
	for _, c := range pgLeaks {
		t.Run(c.name, func(t *testing.T) {
			as := c.as
			if as == "" {
				as = "orders"
			}
			w := g.pgWire(t, access[as])
			got := w.simple(t, c.sql)
			c.clean(t, "simple", got)
			outcome := pgRuns
			switch {
			case strings.Contains(got, "waits for an approval"):
				outcome = pgWaits
			case strings.Contains(got, "refused by the gateway"):
				outcome = pgDenied
			}
			if outcome != c.outcome {
				t.Errorf("%s, want %s: %.2000q", outcome, c.outcome, got)
			}
			if c.want != "" && !strings.Contains(got, c.want) {
				t.Errorf("no %q in %.2000q", c.want, got)
			}
			if !strings.Contains(c.sql, ";") && outcome == pgRuns {
				c.clean(t, "text", w.prepared(t, c.sql, 0))
				c.clean(t, "binary", w.prepared(t, c.sql, 1))
			}
			if got := w.simple(t, "SELECT 'still here'"); !strings.Contains(got, "still here") {
				t.Errorf("%.300q", got)
			}
			if c.closed {
				return
			}
			w = g.pgWire(t, access["open"])
			got = w.simple(t, c.sql)
			c.clean(t, "lifted", got)
			if strings.Contains(got, "waits for an approval") || strings.Contains(got, "refused by the gateway") {
				t.Errorf("lifted: %.2000q", got)
			}
		})
	}
	g.pgSweep(t)
	if t.Failed() {
		t.Log(g.log)
	}
}

// clean reports canaries.
func (c *pgLeak) clean(t *testing.T, how, got string) {
	t.Helper()
	for _, w := range append([]string{c.never}, pgWords...) {
		if w != "" && strings.Contains(got, w) {
			at := strings.Index(got, w)
			t.Errorf("%s: %q came out: %.600q", how, w, got[max(0, at-200):])
		}
	}
}

// TestPostgresLeaksByNames gives to a name that a session has used already another meaning, and asks for what it means now without asking what its rows are.
func TestPostgresLeaksByNames(t *testing.T) {
	g, db := pgGateway(t, "rules:\n- {name: open, resources: [open], match: {catalog: '*'}, then: allow}\n",
		func(port uint16) string { return fmt.Sprintf(pgRoot, "open", port) })
	db.Exec(t, fmt.Sprintf(pgLeakSetup, pgHeld))
	db.Exec(t, "\\c orders\nCREATE FUNCTION swap() RETURNS void LANGUAGE plpgsql AS $$ DECLARE c refcursor := 'p'; BEGIN CLOSE c; OPEN c FOR SELECT upper(password) FROM users; END $$;")
	described := func(sql string) []pgproto3.FrontendMessage {
		return []pgproto3.FrontendMessage{&pgproto3.Parse{Name: "s", Query: sql}, &pgproto3.Describe{ObjectType: 'S', Name: "s"}, &pgproto3.Sync{}}
	}
	begun := func(sql string, rows uint32) []pgproto3.FrontendMessage {
		m := []pgproto3.FrontendMessage{&pgproto3.Parse{Name: "s", Query: sql}, &pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s"}, &pgproto3.Describe{ObjectType: 'P', Name: "p"}}
		if rows > 0 {
			m = append(m, &pgproto3.Execute{Portal: "p", MaxRows: rows})
		}
		return append(m, &pgproto3.Sync{})
	}
	bound := []pgproto3.FrontendMessage{&pgproto3.Bind{PreparedStatement: "s"}, &pgproto3.Execute{}, &pgproto3.Sync{}}
	portal := []pgproto3.FrontendMessage{&pgproto3.Execute{Portal: "p"}, &pgproto3.Sync{}}
	for _, resource := range []string{"orders", "open"} {
		a := g.access(t, resource, "alice")
		for name, c := range map[string]struct {
			before  string
			first   []pgproto3.FrontendMessage
			between string
			then    []pgproto3.FrontendMessage
		}{
			"a cursor declared anew": {"BEGIN; DECLARE c CURSOR FOR SELECT note FROM plain", described("FETCH 3 FROM c"), "CLOSE c; DECLARE c CURSOR FOR SELECT password FROM users", bound},
			"a cursor declared anew behind Bind": {
				"BEGIN; DECLARE c CURSOR FOR SELECT note FROM plain", begun("FETCH 3 FROM c", 0), "DO $$ DECLARE c refcursor := 'c'; BEGIN CLOSE c; OPEN c FOR SELECT password FROM users; END $$", portal,
			},
			"a statement prepared anew":             {"PREPARE x AS SELECT note FROM plain", described("EXECUTE x"), "DEALLOCATE x; PREPARE x AS SELECT password FROM users", bound},
			"a statement prepared anew behind Bind": {"BEGIN; PREPARE x AS SELECT note FROM plain", begun("EXECUTE x", 0), "DEALLOCATE x; PREPARE x AS SELECT password FROM users", portal},
			"a temporary view":                      {"", described("SELECT note FROM plain"), "CREATE TEMP VIEW plain AS SELECT password AS note FROM users", bound},
			"a portal by a function":                {"BEGIN", begun("SELECT note FROM plain", 1), "SELECT swap()", portal},
			"a portal by DO": {
				"BEGIN", begun("SELECT note FROM plain", 1), "DO $$ DECLARE c refcursor := 'p'; BEGIN CLOSE c; OPEN c FOR SELECT password FROM users; END $$", portal,
			},
			"a portal of literals": {"BEGIN", begun("SELECT 'x'::text FROM plain", 1), "SELECT swap()", portal},
		} {
			t.Run(resource+" "+name, func(t *testing.T) {
				l, w := pgLeak{}, g.pgWire(t, &a)
				if c.before != "" {
					l.clean(t, "before", w.simple(t, c.before))
				}
				w.send(t, c.first...)
				l.clean(t, "first", w.answer(t))
				l.clean(t, "between", w.simple(t, c.between))
				w.send(t, c.then...)
				l.clean(t, "then", w.answer(t))
			})
		}
		for _, sql := range []string{`COPY users (id, password) TO STDOUT (FORMAT "csv")`, `COPY users (id, password) TO STDOUT (DELIMITER "|")`, `COPY users (id, password) TO STDOUT (DELIMITER E'\x7c')`, `COPY users (id, password) TO STDOUT (U&"\0066ormat" csv)`} {
			l, w := pgLeak{}, g.pgWire(t, &a)
			l.clean(t, sql, w.simple(t, sql))
		}
	}
	g.pgSweep(t)
}

// TestPostgresLeaksByPsql asks with psql's own commands.
func TestPostgresLeaksByPsql(t *testing.T) {
	g, _ := pgGateway(t, "")
	orders := g.access(t, "orders", "alice")
	got := g.psql(t, &orders, "\\d+ plain\n\\df+ hard_coded\n\\du+\n\\dt+\n\\l+\n\\drds\n\\des+\n\\deu+\n\\sf hard_coded\n\\dd\n\\dp\n")
	if strings.Contains(got.err, "waits for an approval") || strings.Contains(got.err, "refused") || !strings.Contains(got.out, "[masked:") {
		t.Errorf("%.2000s %.2000s", got.out, got.err)
	}
	g.pgSweep(t)
}

// TestPostgresNamesPass asks for what is called like a secret and is none: the names in a CSV's first row, and the session's role.
func TestPostgresNamesPass(t *testing.T) {
	g, _ := pgGateway(t, "")
	orders := g.access(t, "orders", "alice")
	w := g.pgWire(t, &orders)
	for sql, want := range map[string]string{
		"COPY users (id, password, api_key) TO STDOUT WITH (FORMAT csv, HEADER)":                   "id,password,api_key\n",
		"COPY users (id, password) TO STDOUT WITH CSV HEADER":                                      "id,password\n",
		"COPY (SELECT id, password FROM users) TO STDOUT (FORMAT csv, FORCE_QUOTE *, HEADER true)": "id,password\n",
		"COPY users (id, api_key) TO STDOUT (HEADER on)":                                           "id\tapi_key\n",
	} {
		got := w.simple(t, sql)
		if !strings.Contains(got, want) || !strings.Contains(got, "[masked:") || strings.Contains(got, "CANARY") {
			t.Errorf("%s: %.300q", sql, got)
		}
	}
	for _, sql := range []string{ // none of these has such a row, though they say so in other places
		`COPY (SELECT password AS header FROM users) TO STDOUT WITH (FORMAT csv)`, `COPY (SELECT password AS header FROM users) TO STDOUT WITH (FORMAT csv, FORCE_QUOTE (header))`,
		`COPY (SELECT password AS stdout, api_key AS header FROM users) TO STDOUT CSV`, `COPY (SELECT password AS header FROM users) TO STDOUT CSV FORCE QUOTE header`,
		`COPY users (password) TO STDOUT (FORMAT csv, HEADER false)`, `COPY users (password) TO STDOUT (FORMAT csv, HEADER off)`, `COPY users (password) TO STDOUT (FORMAT csv, NULL 'header')`,
		`COPY users (password) TO STDOUT CSV; COPY users (password) TO STDOUT CSV HEADER`, `COPY users (password) TO STDOUT /* (format csv, header) */ CSV`,
	} {
		if got := w.simple(t, sql); strings.Contains(got, "CANARY") || !strings.Contains(got, "[masked:") {
			t.Errorf("%s: %.300q", sql, got)
		}
	}
	cfg, err := pgconn.ParseConfig(fmt.Sprintf("host=localhost port=%d user=%s password=%s dbname=%s sslmode=verify-full sslrootcert=%s", orders.Port, orders.Login, orders.Secret, orders.Database, filepath.Join(g.data, "ca.pem")))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgconn.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	if role := conn.ParameterStatus("session_authorization"); role != "app" {
		t.Errorf("the session's role is %q", role)
	}
	if got := w.simple(t, "SHOW session_authorization"); !strings.Contains(got, "app") {
		t.Errorf("%.200q", got)
	}
	g.pgSweep(t)
}

// TestPostgresOrdinaryWrites changes secrets as applications do: none of that waits for anybody.
func TestPostgresOrdinaryWrites(t *testing.T) {
	g, db := pgGateway(t, "")
	db.Exec(t, "\\c orders\nCREATE EXTENSION pgcrypto; CREATE TABLE sessions (id int PRIMARY KEY, token text, note text); GRANT ALL ON sessions TO app;")
	orders := g.access(t, "orders", "alice")
	s := g.pgSession(t, &orders)
	for _, sql := range []string{
		"INSERT INTO sessions (id, token) VALUES (1, 'CANARYpgSession')", "INSERT INTO sessions (id, token) VALUES (1, 'CANARYpgSession') ON CONFLICT (id) DO UPDATE SET token = excluded.token, note = 'again'",
		"UPDATE sessions SET token = encode(gen_random_bytes(16), 'hex') WHERE id = 1", "UPDATE users SET password = crypt('CANARYpgNew', gen_salt('bf')) WHERE id = 1",
		"UPDATE users SET password = coalesce(NULL, password), score = score + 1 WHERE password IS NOT NULL AND id = 1", "DELETE FROM sessions WHERE token = 'CANARYpgSession'",
		"INSERT INTO sessions SELECT id, password, 'copied' FROM users WHERE false", "SELECT set_config('app.user', 'alice', false)", "SELECT pg_notify('ch', 'sessions changed')",
	} {
		if _, failed := s.run(t, sql); (failed != nil) != strings.HasSuffix(sql, "WHERE false") {
			t.Errorf("%s: %+v", sql, failed)
		}
	}
	g.pgSweep(t)
}
