package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"weir"
	"weir/gate/gatetest"
	"weir/rules/sql"
)

// plain is a password that looks like nothing: only where it comes from tells that it is one.
const plain = "Marmalade"

const attackFixtures = `create role app login;
grant all on schema public to app;
grant create on database postgres to app;
create role boss login;
set role app;
create table users (id int primary key, name text, password text);
insert into users values (1, 'ann', '` + plain + `');
create table notes (id int, note text);
insert into notes values (1, 'n');
create table kept (id int, note text);
insert into kept values (1, '` + plain + `');
create table leak (id int, note text);
create table parted (id int, note text) partition by range (id);
create table parted_1 partition of parted for values from (0) to (10);
reset role`

// attacked is a door with the real grammar, and decisions as the catalogue's defaults are.
type attacked struct {
	*door
	snapshot atomic.Pointer[sql.Snapshot]
	last     atomic.Pointer[weir.Command]
	changes  atomic.Int64                      // that the sessions told of
	settings atomic.Pointer[map[string]string] // of the next client's startup message
}

func openAttack(t testing.TB, readOnly bool) *attacked {
	a := &attacked{}
	addr := startServer(t)
	for _, text := range []string{attackFixtures, `alter database postgres set my.secret = '` + plain + `'`} {
		if got := a.direct(t, addr, text); strings.Contains(got, "ERR") {
			t.Fatal(got)
		}
	}
	c := &gatetest.Controls{OnDecide: func(cmd *weir.Command) (weir.Verdict, error) {
		a.last.Store(cmd)
		if why := byDefault(cmd.SQL); why != "" {
			return weir.Verdict{Effect: weir.Deny, Rule: why}, nil
		}
		return weir.Verdict{Effect: weir.Allow}, nil
	}}
	secret := func(relation, column string) bool {
		return column == "password" || relation == "public.kept" && column == "note"
	}
	a.door = openDoor(t, addr, c, nil, func(o *CodecOptions) {
		o.Snapshot, o.ReadOnly = a.snapshot.Load, readOnly
		o.Changed = func() { a.changes.Add(1) }
		if settings := a.settings.Load(); settings != nil {
			o.Settings = *settings
		}
		o.Secret = secret
		o.Columns = func(relation, column string) (bool, bool) { return secret(relation, column), column == "query" }
		o.SecretSetting = func(name string) bool { return strings.Contains(name, "secret") }
	})
	a.read = func(c *codec) grammar { return newGrammar(&c.o, func() []string { return searchPath(c.path, c.user) }) }
	a.refresh(t)
	return a
}

// byDefault is why the catalogue holds a statement.
func byDefault(s *weir.SQL) string {
	has := func(ops ...string) bool {
		return slices.ContainsFunc(ops, func(op string) bool { return slices.Contains(s.Operations, op) })
	}
	switch {
	case s.Unclear != "":
		return "unclear: " + s.Unclear
	case s.Dynamic:
		return "dynamic"
	case s.Files:
		return "files"
	case s.Program:
		return "program"
	case len(s.SecretOut) > 0:
		return "secret out: " + strings.Join(s.SecretOut, " ")
	case s.NoWhere:
		return "no where"
	case has("DROP", "TRUNCATE") && slices.ContainsFunc(s.Relations, func(r string) bool { return !strings.HasPrefix(r, "pg_temp") }):
		return "drop"
	case len(s.Roles) > 0 && has("CREATE", "ALTER", "DROP", "SET"):
		return "roles"
	case len(s.Settings) > 0 && has("ALTER"):
		return "alter settings"
	case slices.Equal(s.Settings, []string{"*"}) && has("SHOW"):
		return "show all"
	}
	return ""
}

func (a *attacked) direct(t testing.TB, addr, text string) string {
	t.Helper()
	conn, err := pgconn.Connect(context.Background(), "postgres://postgres@"+addr+"/postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	return said(conn.Exec(context.Background(), text).ReadAll())
}

// refresh reads the catalogue. It fails where views go away meanwhile, as those of a session do that ends.
func (a *attacked) refresh(t testing.TB) {
	t.Helper()
	for tries := 0; ; tries++ {
		read, err := readCatalog(context.Background(), func(ctx context.Context) (Querier, error) {
			c, err := pgconn.Connect(ctx, "postgres://postgres@"+a.upstream+"/postgres")
			return querier{c}, err
		})
		if err == nil {
			a.snapshot.Store(sql.NewSnapshot(*read))
			return
		}
		if tries == 100 {
			t.Fatal(err)
		}
	}
}

func (a *attacked) client(t testing.TB) *pgconn.PgConn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), fmt.Sprintf("postgres://app@%s/postgres?sslmode=disable", a.addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn.PgConn()
}

func said(rs []*pgconn.Result, err error) string {
	var out strings.Builder
	for _, r := range rs {
		for _, row := range r.Rows {
			for _, v := range row {
				fmt.Fprintf(&out, "%s|", v)
			}
			out.WriteByte('\n')
		}
		out.WriteString(r.CommandTag.String() + "\n")
	}
	if err != nil {
		out.WriteString("ERR " + err.Error())
		if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
			out.WriteString(" / " + e.Detail + " / " + e.Hint + " / " + e.Where)
		}
	}
	return out.String()
}

// play says statements one after the other, each as a simple Query. "@new" begins another session, "@refresh" reads the catalogue.
func (a *attacked) play(t testing.TB, steps ...string) string {
	t.Helper()
	conn := a.client(t)
	var out strings.Builder
	for _, step := range steps {
		if text, ok := strings.CutPrefix(step, "@direct "); ok { // that nobody saw
			fmt.Fprintf(&out, "! %s\n", a.direct(t, a.upstream, "set role app; "+text))
			continue
		}
		switch step {
		case "@new":
			conn = a.client(t)
			continue
		case "@refresh":
			a.refresh(t)
			continue
		}
		got := said(conn.Exec(context.Background(), step).ReadAll())
		fmt.Fprintf(&out, "> %.300s\n%s\n", step, got)
	}
	return out.String()
}

// TestAttacks says statements that together bring a protected column's value to light, unless they are masked or held.
func TestAttacks(t *testing.T) {
	a := openAttack(t, false)
	for _, tt := range attackTable {
		t.Run(tt.name, func(t *testing.T) {
			if got := a.play(t, tt.steps...); strings.Contains(got, plain) {
				t.Errorf("%s\n%+v", got, a.last.Load().SQL)
			}
			for text := range strings.SplitSeq(attackCleanup, "\n") {
				_ = a.direct(t, a.upstream, text)
			}
			a.refresh(t)
		})
	}
}

// long63 is a name as long as the server keeps it.
var long63 = strings.Repeat("p", 63)

// manyViews makes more names than a session remembers one by one.
func manyViews() string {
	var b strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&b, "create temp view many%d as select 1 as a;", i)
	}
	return b.String()
}

var attackTable = []struct {
	name  string
	steps []string
}{
	{"what is masked", []string{"select upper(password), password from users"}},
	{"BEGIN ATOMIC as names", []string{
		"create temp table t2 as select begin atomic from (select 1 as begin) q; do $$ declare p text; begin select password into p from users; execute 'insert into leak values (1, '|| quote_literal(p) || ')'; end $$",
		"select note from leak",
	}},
	{"a body with UESCAPE", []string{`create function pg_temp.f() returns setof text language sql as U&'select ''a'' --!000A union select password from users' uescape '!'`, "select pg_temp.f()"}},
	{"a statement called transaction", []string{"prepare transaction as select password || '' from users", "execute transaction"}},
	{"a column called prepare", []string{"prepare zz as select prepare p1 from (select 1 as prepare) q", "prepare p1 as select password || '' from users", "execute p1"}},
	{"a statement's name with escapes", []string{"prepare p1 as select 1", `deallocate U&"p\0031"`, `prepare U&"p\0031" as select password || '' from users`, "execute p1"}},
	{"a statement's name that is cut", []string{
		"prepare " + long63 + " as select 1", "deallocate " + long63 + "q", "prepare " + long63 + "q as select password || '' from users", "execute " + long63,
	}},
	{"a statement's name in another case", []string{"prepare É as select 1", `prepare "é" as select password || '' from users`, "execute é"}},
	{"a statement's name in a comment", []string{"prepare p1 as select 1", "deallocate --\r p1 --\n", "prepare --\r p1 --\n as select password || '' from users", "execute p1"}},
	{"a statement's name taken twice", []string{"prepare p1 as select password || '' from users", "prepare zz as select 1; prepare p1 as select 2", "execute p1"}},
	{"a statement prepared in a function", []string{
		"create function pg_temp.f() returns void language plpgsql as $$ begin deallocate p1; prepare p1 as select password || '' from users; end $$",
		"prepare p1 as select 1", "select pg_temp.f()", "execute p1",
	}},
	{"a function with a row behind a column's name", []string{"create temp table z (concat int)", "with q as (select 1 from z) select u.concat from users u"}},
	{"a setting behind a dot", []string{"select ('my.secret'::text).current_setting"}},
	{"a setting behind a dot and a column's name", []string{"create temp table z (current_setting int)", "with q as (select current_setting from z) select ('my.secret'::text).current_setting"}},
	{"the row of an UPDATE by its alias", []string{"update users x set id = id where id = 1 returning x"}},
	{"the row of an UPDATE by AS", []string{"update users as x set id = id where id = 1 returning x::text"}},
	{"the row of an INSERT by its alias", []string{"insert into users as x (id) values (1) on conflict (id) do update set id = excluded.id returning x"}},
	{"the row of a rule", []string{"create rule r as on update to users do also insert into leak (note) values (old::text)", "update users set id = id where id = 1", "select note from leak"}},
	{"a temporary view before a function's table", []string{"create function pg_temp.f() returns setof text language sql as 'select note from notes'", "create temp view notes as select 1 as id, password || '' as note from users", "select pg_temp.f()"}},
	{"a temporary view before a known function's table", []string{
		"create function public.f() returns setof text language plpgsql as $$ begin return query select note from notes; end $$", "@refresh", "@new",
		"create temp view notes as select 1 as id, password || '' as note from users", "select f()",
	}},
	{"a temporary table before a known function's", []string{
		"create function public.f() returns setof text language plpgsql as $$ begin return query select note from notes; end $$", "@refresh", "@new",
		"create temp table notes as select 1 as id, password || '' as note from users", "select f()",
	}},
	{"a temporary table that a known function fills", []string{
		"create temp table own (a text)", "@refresh", "create function public.f() returns void language plpgsql as $$ begin insert into pg_temp.own select password from users; end $$", "@refresh",
		"@new", "create temp table own (a text)", "select f()", "select a from own",
	}},
	{"a function fetches from a cursor", []string{
		"create function pg_temp.g() returns text language plpgsql as $$ declare c refcursor := 'c1'; r text; begin fetch c into r; return r; end $$",
		"begin; declare c1 cursor for select password || '' from users", "select pg_temp.g()",
	}},
	{"a known function fetches from a cursor", []string{
		"create function public.g() returns text language plpgsql as $$ declare c refcursor := 'c1'; r text; begin fetch c into r; return r; end $$", "@refresh", "@new", "select g()",
		"begin; declare c1 cursor for select password || '' from users", "select g()",
	}},
	{"a cursor opened anew in a function", []string{
		"create function pg_temp.g() returns void language plpgsql as $$ declare c refcursor := 'c1'; begin open c for select password || '' from users; end $$",
		"begin; declare c1 cursor for select 1; close c1", "select pg_temp.g()", "fetch all from c1",
	}},
	{"an aggregate of a function that reads", []string{
		"create function public.sf(text, text) returns text language sql as 'select max(password) from users'", "@refresh", "create aggregate public.agg(text) (sfunc = sf, stype = text)",
		"@refresh", "@new", "select agg('x')",
	}},
	{"a default of an argument", []string{
		"create function public.g() returns text language sql as 'select max(password) from users'", "@refresh", "create function public.f(a text default g()) returns text language sql as 'select a'",
		"@refresh", "@new", "select f()",
	}},
	{"a check that raises", []string{
		"create function public.g(int) returns bool language plpgsql as $$ begin raise exception '%', (select password from users); end $$", "@refresh", "create table tmp1 (a int check (g(a)))",
		"@refresh", "@new", "insert into tmp1 values (1)",
	}},
	{"WHEN of a trigger", []string{
		"create function public.g(int) returns bool language plpgsql as $$ begin raise exception '%', (select password from users); end $$",
		"create function public.nop() returns trigger language plpgsql as $$ begin return new; end $$", "create table tmp1 (a int)", "@refresh",
		"create trigger tr before insert on tmp1 for each row when (g(new.a)) execute function nop()", "@refresh", "@new", "insert into tmp1 values (1)",
	}},
	{"a trigger of a partition", []string{
		"create function public.tg() returns trigger language plpgsql as $$ begin raise exception '%', (select password from users); end $$", "@refresh",
		"create trigger tr before insert on parted_1 for each row execute function tg()", "@refresh", "@new", "insert into parted values (1, 'x')",
	}},
	{"a trigger below a view", []string{
		"create function public.tg() returns trigger language plpgsql as $$ begin raise exception '%', (select password from users); end $$", "@refresh",
		"create table tmp1(a int); create view tmpv as select a from tmp1; create trigger tr before insert on tmp1 for each row execute function tg()", "@refresh", "@new", "insert into tmpv values (1)",
	}},
	{"a view made anew", []string{"create view tmpv as select id, note from notes", "@refresh", "create or replace view tmpv as select id, password as note from users", "select note from tmpv"}},
	{"a table made a view", []string{"create table tmp1 (a text)", "@refresh", "@new", "begin", `create rule "_RETURN" as on select to tmp1 do instead select password as a from users`, "select a, a || '' from tmp1", "rollback"}},
	{"a view by another's name", []string{
		"create view tmpx as select id, password as note from users", "@refresh", "@new", "begin", "alter table notes rename to notes2", "alter view tmpx rename to notes", "select note || '' from notes", "rollback", "rollback",
	}},
	{"a function by another's name", []string{
		"create function public.f1() returns text language sql as 'select 1::text'", "create function public.f2() returns text language sql as 'select max(password) from users'", "@refresh", "@new",
		"begin", "alter function f1() rename to f3", "alter function f2() rename to f1", "select f1()", "rollback",
	}},
	{"a schema by another's name", []string{
		"create schema sa", "create schema sb", "create view sa.v as select 1 as id, 'x'::text as note", "create view sb.v as select id, password as note from users", "@refresh", "@new",
		"begin", "alter schema sa rename to sc", "alter schema sb rename to sa", "select note || '' from sa.v", "rollback",
	}},
	{"a temporary table that the catalogue has", []string{"create temp table own as select password as a from users", "@refresh", "select a from own"}},
	{"columns by other names into a table", []string{"insert into leak (note) select zz from users as q(a, b, zz)", "select note from leak"}},
	{"columns by other names into a new table", []string{"create table tmp1 as select zz from users as q(a, b, zz)", "@refresh", "select zz from tmp1"}},
	{"columns by other names into an UPDATE", []string{"insert into leak values (1, '')", "update leak set note = q.zz from users q(a, b, zz) where true", "select note from leak"}},
	{"a function's rows into a table", []string{"create function public.g() returns setof text language sql as 'select password from users'", "@refresh", "insert into leak (note) select x from g() x", "select note from leak"}},
	{"SELECT INTO in a function", []string{"create function pg_temp.f() returns void language sql as 'select password as p into public.tmp1 from users'", "select pg_temp.f()", "@refresh", "select p from tmp1"}},
	{"a temporary table that a function makes", []string{
		"create function pg_temp.f() returns void language plpgsql as $$ begin create temp table tt2 as select password as a from users; end $$", "select pg_temp.f()", "@refresh", "select a from tt2",
	}},
	{"a temporary table that a known function makes", []string{
		"@direct create function public.f() returns void language plpgsql as $$ begin create temp table tt2 as select password as a from users; end $$", "@refresh", "select f()", "@refresh",
		"select a, a || '' from tt2",
	}},
	{"IF NOT EXISTS of what exists", []string{"@direct create view evil as select password || '' as x from users", "create table if not exists evil (x text); select x from evil"}},
	{"another schema's of the same name", []string{"@direct create view evil as select password || '' as x from users", "create temp table evil (x text); select x from public.evil"}},
	{"another schema's function of the same name", []string{
		"@direct create function public.evilf() returns text language sql as 'select max(password) from public.users'", "create function pg_temp.evilf() returns text language sql as 'select 1::text'; select public.evilf()",
		"select evilf()",
	}},
	{"SHOW in a function", []string{
		"create function pg_temp.f() returns setof text language plpgsql as $$ declare r record; begin for r in show my.secret loop return next r.\"my.secret\"; end loop; end $$", "select pg_temp.f()",
	}},
	{"SHOW as a function's query", []string{"create function pg_temp.f() returns setof text language plpgsql as $$ begin return query show my.secret; end $$", "select pg_temp.f()"}},
	{"a temporary view after many others", []string{manyViews(), "begin", "create temp view notes as select 1 as id, password || '' as note from users", "select note || '' from notes", "rollback"}},
	{"the row of a trigger", []string{
		"create function public.tg() returns trigger language plpgsql as $$ begin insert into leak (note) values (new::text); return new; end $$", "@refresh",
		"create trigger tr before update on users for each row execute function tg()", "@refresh", "update users set id = id where id = 1", "select note from leak",
	}},
	{"a view that could not be made", []string{"@direct create view evil as select password || '' as x from users", "create view evil as select 'x'::text as x", "select x || '' from evil"}},
	{"a view that was taken back", []string{"begin", "create view evil as select 'x'::text as x", "rollback", "@direct create view evil as select password || '' as x from users", "select x || '' from evil"}},
	{"a rule that is not committed", []string{"insert into leak values (1, 'x')", "begin", "create rule r as on update to leak do instead select password || '' as x from users", "update leak set id = 1 where true", "rollback"}},
	{"a trigger that is not committed", []string{
		"create function public.tg() returns trigger language plpgsql as $$ begin raise exception '%', (select password from users); end $$", "@refresh",
		"begin", "create trigger tr before insert on leak for each row execute function tg()", "insert into leak values (1)", "rollback",
	}},
	{"a parent of a protected table", []string{"create table tmp1 (id int, note text)", "alter table kept inherit tmp1", "@refresh", "select note from tmp1"}},
	{"a parent that there is", []string{"@direct create table tmp1 (id int, note text); alter table kept inherit tmp1", "@refresh", "select note from tmp1", "@direct alter table kept no inherit tmp1"}},
	{"ASSERT", []string{"create function pg_temp.f() returns void language plpgsql as $$ begin assert false, (select password from users); end $$", "select pg_temp.f()"}},
	{"an error without quotes", []string{"select password::regoper from users", "select (password||'(int,int)')::regoperator from users"}},
	{"a column renamed as a view's", []string{"create table tmp1 (id int, password text)", "insert into tmp1 values (1, 'Marma' || 'lade')", "@refresh", "alter view tmp1 rename column password to x", "@refresh", "@new", "select x from tmp1"}},
	{"an attribute of a typed table", []string{"create type ct as (id int, password text)", "create table tmp1 of ct", "insert into tmp1 values (1, 'Marma' || 'lade')", "@refresh", "alter type ct rename attribute password to x cascade", "@refresh", "@new", "select x from tmp1"}},
	{"a table renamed as an index", []string{"alter index kept rename to kept2", "@refresh", "@new", "select note from kept2", "@direct alter table kept2 rename to kept"}},
	{"a view in a schema's definition", []string{"begin", "create schema app create view notes as select 1 as id, password || '' as note from users", "select note || '' from notes", "rollback"}},
	{"a default that reads", []string{"create function public.g() returns text language sql as 'select max(password) from users'", "@refresh", "create table tmp1 (id int, a text default g())", "@refresh", "@new", "insert into tmp1 values (1)", "select a from tmp1"}},
	{"a default that reads, set later", []string{"create function public.g() returns text language sql as 'select max(password) from users'", "create table tmp1 (id int, a text)", "@refresh", "alter table tmp1 alter a set default g()", "@refresh", "@new", "insert into tmp1 values (1)", "select a from tmp1"}},
	{"a trigger that fills in", []string{
		"create function public.tg() returns trigger language plpgsql as $$ begin new.note := (select max(password) from users); return new; end $$", "@refresh",
		"create trigger tr before insert on leak for each row execute function tg()", "@refresh", "@new", "insert into leak values (1)", "select note from leak",
	}},
}

const attackCleanup = `do $$ declare r record; begin for r in select p.oid::regprocedure f from pg_proc p where pronamespace='public'::regnamespace and prokind = 'a' loop execute 'drop aggregate '||r.f||' cascade'; end loop; end $$
do $$ declare r record; begin for r in select p.oid::regprocedure f from pg_proc p where pronamespace='public'::regnamespace loop begin execute 'drop routine if exists '||r.f||' cascade'; exception when others then null; end; end loop; end $$
do $$ declare r record; begin for r in select * from pg_rules where schemaname = 'public' loop execute format('drop rule %I on %I', r.rulename, r.tablename); end loop; end $$
do $$ declare r record; begin for r in select viewname from pg_views where schemaname = 'public' loop execute format('drop view %I cascade', r.viewname); end loop; end $$
truncate leak
drop table if exists tmp1 cascade
drop type if exists ct cascade`

// pipeline sends messages at once and returns all that comes back, up to as many ReadyForQuery as there are syncs.
func pipeline(t testing.TB, conn *pgconn.PgConn, syncs int, msgs ...pgproto3.FrontendMessage) string {
	t.Helper()
	for _, m := range msgs {
		conn.Frontend().Send(m)
	}
	if err := conn.Frontend().Flush(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for syncs > 0 {
		m, err := conn.Frontend().Receive()
		if err != nil {
			return out.String() + "LOST " + err.Error()
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			fmt.Fprintf(&out, "%s\n", m.Values)
		case *pgproto3.ErrorResponse:
			fmt.Fprintf(&out, "ERR %s %s %s\n", m.Code, m.Message, m.Detail)
		case *pgproto3.ReadyForQuery:
			syncs--
		case *pgproto3.CommandComplete:
			fmt.Fprintf(&out, "%s\n", m.CommandTag)
		case *pgproto3.ParameterStatus:
			fmt.Fprintf(&out, "%s=%s\n", m.Name, m.Value)
		}
	}
	return out.String()
}

// TestAttacksOnSettings changes how the server reads strings, and sends what hides a column in one before the gateway hears of it.
func TestAttacksOnSettings(t *testing.T) {
	a := openAttack(t, false)
	for _, set := range []string{
		"set standard_conforming_strings = off",
		"reset standard_conforming_strings; set standard_conforming_strings = off",
		"set standard_conforming_strings = --\roff; set application_name to --\non",
		"set standard_conforming_strings = on; set U&\"standard_conforming\\005fstrings\" = off",
		"set standard_conforming_strings = on; select set_config(E'standard_conforming\\137strings', 'off', false)",
		"update pg_settings set setting = 'off' where name = 'standard_conforming_strings'",
		"create temp table t9 as select begin atomic from (select 1 as begin) q; set standard_conforming_strings = off",
		"create function pg_temp.f9() returns text language sql set standard_conforming_strings = off as 'select 1'",
	} {
		conn := a.client(t)
		got := pipeline(t, conn, 2, &pgproto3.Query{String: set}, &pgproto3.Query{String: `select '\'' || password from users --'`})
		if strings.Contains(got, plain) || !strings.Contains(got, "ERR 42501") {
			t.Errorf("%q\n%s", set, got)
		}
	}
	for _, set := range []string{
		"set client_encoding = 'utf8'; set standard_conforming_strings = on; select pg_catalog.set_config('search_path', '', false)", "set session names 'UTF8'",
		"reset client_encoding; show client_encoding", "set local standard_conforming_strings to 'on' -- as it is", "select current_setting('client_encoding'); set work_mem = '5MB'",
	} {
		if got := a.play(t, set); strings.Contains(got, "ERR") {
			t.Error(got)
		}
	}
}

func TestAttacksOnReadOnlyAccess(t *testing.T) {
	a := openAttack(t, true)
	for _, set := range []string{
		"set default_transaction_read_only = off",
		"reset default_transaction_read_only; set default_transaction_read_only = off",
		"set default_transaction_read_only = on; set U&\"default_transaction_read_onl\\0079\" = off",
		"begin --\rread write\n",
		"begin; set transaction_read_only to default",
		"begin; reset transaction_read_only",
		"begin; set transaction --\rread write\n",
		"update pg_settings set setting = 'off' where name = 'default_transaction_read_only'",
		"explain select begin atomic from (select 1 as begin) q; set default_transaction_read_only = off",
	} {
		got := a.play(t, "set default_transaction_read_only = on", set, "insert into leak values (7, 'w')", "commit")
		if n := a.direct(t, a.upstream, "select count(*) from leak"); !strings.HasPrefix(n, "0|") {
			t.Errorf("%q\n%s", set, got)
		}
		a.direct(t, a.upstream, "truncate leak")
	}
}

// TestAttacksOnNames prepares what executes a prepared statement, and gives its name to another one.
func TestAttacksOnNames(t *testing.T) {
	a := openAttack(t, false)
	conn := a.client(t)
	run := []pgproto3.FrontendMessage{&pgproto3.Bind{PreparedStatement: "e1"}, &pgproto3.Execute{}, &pgproto3.Sync{}}
	got := pipeline(t, conn, 1, &pgproto3.Query{String: "prepare p1 as select 'x'::text as a"})
	got += pipeline(t, conn, 1, append([]pgproto3.FrontendMessage{&pgproto3.Parse{Name: "e1", Query: "execute p1"}}, run...)...)
	got += pipeline(t, conn, 2, &pgproto3.Query{String: "deallocate p1"}, &pgproto3.Query{String: "prepare p1 as select password || '' as a from users"})
	if got += pipeline(t, conn, 1, run...); strings.Contains(got, plain) || !strings.Contains(got, "[masked") {
		t.Error(got)
	}
	got = pipeline(t, conn, 1, &pgproto3.Parse{Name: "e2", Query: "execute e3"}, &pgproto3.Parse{Name: "e3", Query: "execute e2"}, &pgproto3.Bind{PreparedStatement: "e2"}, &pgproto3.Execute{}, &pgproto3.Sync{})
	if !strings.Contains(got, "ERR") {
		t.Error(got)
	}
}

// TestAttacksOnPortals gives names of cursors and portals to others than the gateway has seen.
func TestAttacksOnPortals(t *testing.T) {
	a := openAttack(t, false)
	q := func(text string) []pgproto3.FrontendMessage {
		return []pgproto3.FrontendMessage{&pgproto3.Query{String: text}}
	}
	bind := func(portal, text string) []pgproto3.FrontendMessage {
		return []pgproto3.FrontendMessage{&pgproto3.Parse{Query: text}, &pgproto3.Bind{DestinationPortal: portal}, &pgproto3.Sync{}}
	}
	execute := []pgproto3.FrontendMessage{&pgproto3.Execute{Portal: "pp"}, &pgproto3.Sync{}}
	const secret, harmless = "select password || '' from users", "select 'x'::text"
	opens := "create function pg_temp.f() returns void language plpgsql as $$ declare c refcursor := 'pp'; begin open c for " + secret + "; end $$"
	for name, steps := range map[string][][]pgproto3.FrontendMessage{
		"FETCH from a portal":             {q("create function pg_temp.f() returns int language sql as 'select 1'"), q("begin"), q("select pg_temp.f()"), bind("pp", secret), q("fetch all from pp")},
		"a function fetches from it":      {q("create function pg_temp.f() returns text language plpgsql as $$ declare c refcursor := 'pp'; r text; begin fetch c into r; return r; end $$"), q("begin"), bind("pp", secret), q("select pg_temp.f()")},
		"one opened anew by a function":   {q(strings.Replace(opens, "begin", "begin close c;", 1)), q("begin"), bind("pp", harmless), q("select pg_temp.f()"), execute},
		"one opened after a savepoint":    {q(opens), q("begin"), q("savepoint s"), bind("pp", harmless), q("rollback to s"), q("select pg_temp.f()"), execute},
		"one whose function's names move": {q("create function pg_temp.f() returns setof text language sql as 'select note from notes'"), q("begin"), bind("pp", "select pg_temp.f()"), q("create temp view notes as select 1 as id, password || '' as note from users"), execute},
	} {
		t.Run(name, func(t *testing.T) {
			conn := a.client(t)
			got := ""
			for _, step := range steps {
				got += pipeline(t, conn, 1, step...)
			}
			if strings.Contains(got, plain) {
				t.Error(got)
			}
		})
	}
}

// TestChangesAreToldOfOnceTheyAreSeen holds a transaction open: until it ends a reading of the catalogue does not have what it makes.
func TestChangesAreToldOfOnceTheyAreSeen(t *testing.T) {
	a := openAttack(t, false)
	conn := a.client(t)
	for _, steps := range [][]string{{"begin", "create view tmpv as select 1 as a", "select 1", "commit"}, {"create or replace view tmpv as select 2 as a"}, {"begin; alter view tmpv rename to tmpw", "rollback"}} {
		for _, step := range steps[:len(steps)-1] {
			_ = said(conn.Exec(context.Background(), step).ReadAll())
		}
		before := a.changes.Load()
		last := steps[len(steps)-1]
		want := int64(1)
		if len(steps) == 1 {
			want = 2 // before it runs, too
		}
		if got := said(conn.Exec(context.Background(), last).ReadAll()); a.changes.Load() < before+want {
			t.Errorf("%q: %s", steps, got)
		}
	}
}

// TestAttacksOnThePath names a view of the user's own schema as a table of another one is called.
func TestAttacksOnThePath(t *testing.T) {
	a := openAttack(t, false)
	got := a.direct(t, a.upstream, "create schema boss authorization app; create schema app authorization app; grant boss to app; set role app; "+
		"create view app.notes as select id, password || '' as note from users; create view boss.notes as select * from app.notes; grant usage on schema boss to boss; grant select on boss.notes to boss")
	if strings.Contains(got, "ERR") {
		t.Fatal(got)
	}
	a.refresh(t)
	for path, steps := range map[string][]string{`"$user",public`: {"select note || '' from notes"}, "": {"select set_config('role', 'boss', false)", "select note || '' from notes"}} {
		options := ""
		if a.settings.Store(&map[string]string{"search_path": path}); path != "" {
			options = "&options=-c%20search_path%3D" + path
		}
		conn, err := pgconn.Connect(context.Background(), fmt.Sprintf("postgres://app@%s/postgres?sslmode=disable%s", a.addr, options))
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range steps {
			got += said(conn.Exec(context.Background(), step).ReadAll())
		}
		_ = conn.Close(context.Background())
	}
	if strings.Contains(got, plain) || !strings.Contains(got, "[masked") {
		t.Error(got)
	}
}

// TestIfNotExistsMadeIt reads a table that IF NOT EXISTS has surely made.
func TestIfNotExistsMadeIt(t *testing.T) {
	a := openAttack(t, false)
	if got := a.play(t, "create table if not exists tmp1 (x text)", "insert into tmp1 values ('row')", "select x from tmp1"); !strings.Contains(got, "row|") {
		t.Error(got)
	}
	a.direct(t, a.upstream, "set role app; create view evil as select password || '' as x from users")
	for _, first := range []string{"select 1", "set client_min_messages = error"} {
		if got := a.play(t, first, "create table if not exists evil (x text)", "select x from evil"); strings.Contains(got, plain) {
			t.Error(got)
		}
	}
	got := pipeline(t, a.client(t), 2, &pgproto3.Query{String: "create table if not exists evil (x text)"}, &pgproto3.Query{String: "select x from evil"})
	if strings.Contains(got, plain) {
		t.Error(got)
	}
}

// TestRowsOfNewTables asks for what it has put into a table that the catalogue does not have yet.
func TestRowsOfNewTables(t *testing.T) {
	a := openAttack(t, false)
	const table = "begin; create table fresh (id serial primary key, name text, password text)"
	for _, tt := range []struct{ steps, shown, hidden string }{
		{"insert into fresh (name, password) values ('Fig', 'Plum') returning id, name", "1|Fig|", ""},
		{"insert into fresh (name, password) values ('Fig', 'Plum'), ('Date', 'Plum') returning *", "2|Date|", "Plum"},
		{"insert into public.fresh as f (name, password) values ('Fig', 'Plum') returning f.id, f.name, f.password", "1|Fig|", "Plum"},
		{"insert into fresh (name, password) values ('Fig', 'Plum') returning id, password as id", "", "Plum"},
		{"insert into fresh (name, password) values ('Fig', 'Plum') returning id, password id", "", "Plum"},
		{"insert into fresh (name, password) values ('Fig', 'Plum') returning id, upper(password)", "", "PLUM"},
		{"insert into fresh (name) select password from users returning name", "", plain},
		{"insert into fresh (name) values ((select password from users limit 1)) returning name", "", plain},
		{"insert into fresh (id, name, password) values (7, 'Fig', 'Plum'); insert into fresh (id, password) values (7, 'Pear') on conflict (id) do update set name = fresh.password returning name", "", "Plum"},
		{"create function pg_temp.f() returns trigger language plpgsql as $$ begin select password into new.name from users; return new; end $$; create trigger tr before insert on fresh for each row execute function pg_temp.f(); insert into fresh (name) values ('Fig') returning name", "", plain},
		{"create function pg_temp.f() returns text language sql as 'select password from users limit 1'; alter table fresh alter name set default pg_temp.f(); insert into fresh (id) values (4) returning name", "", plain},
		{"alter table fresh rename to stale; create view fresh as select id, password as name from stale; insert into fresh (id, name) values (8, 'Plum') returning name", "", "Plum"},
		{"create rule r as on insert to fresh do instead insert into users (id, password) values (9, 'Plum') returning id, password, name; insert into fresh (name) values ('Fig') returning name", "", "Plum"},
	} {
		conn := a.client(t)
		got := ""
		for _, text := range append([]string{table}, append(strings.Split(tt.steps, "; insert"), "rollback")...) {
			if strings.HasPrefix(text, " into") {
				text = "insert" + text
			}
			got += said(conn.Exec(t.Context(), text).ReadAll())
		}
		if !strings.Contains(got, tt.shown) || tt.hidden != "" && strings.Contains(got, tt.hidden) {
			t.Errorf("%s\n%s", tt.steps, got)
		}
	}
}
