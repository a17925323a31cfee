package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"weir/gate/gatetest"
	"weir/rules/sql"
)

type querier struct{ *pgconn.PgConn }

func (q querier) Query(ctx context.Context, query string) ([][]string, error) {
	rs, err := q.Exec(ctx, query).ReadAll()
	var out [][]string
	for _, r := range rs {
		for _, row := range r.Rows {
			var cells []string
			for _, c := range row {
				cells = append(cells, string(c))
			}
			out = append(out, cells)
		}
	}
	return out, err
}

func opener(pg *gatetest.Postgres) func(context.Context) (Querier, error) {
	return func(ctx context.Context) (Querier, error) {
		c, err := pgconn.Connect(ctx, fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=postgres", pg.Dir, pg.Port, pg.User, pg.Password))
		return querier{c}, err
	}
}

const schema = `
create schema app;
create table app.customers (id int primary key, gone text, email text, name text default lower('X'), tag text generated always as (upper(email)) stored);
alter table app.customers drop column gone;
create view app.mails as select email from app.customers;
create materialized view app.mats as select id from app.mails, app.customers;
create function app.look() returns text language sql stable as 'select email from app.customers limit 1';
create function app.body() returns text language sql return (select 'x' || count(*) from app.mails);
create function app.note() returns trigger language plpgsql as $$ begin insert into app.log values (new.email); return new; end $$;
create table app.log (what text);
create trigger noted before insert on app.customers for each row execute function app.note();
create table app.parts (id int, x text) partition by range (id);
create table app.parts_1 partition of app.parts for values from (0) to (10);
create rule also as on delete to app.log do also delete from app.parts;
alter table app.customers enable row level security;
create policy own on app.customers using (email = current_user);
create function app.even(int) returns bool language sql as 'select $1 % 2 = 0';
create function app.step(text, text default app.look()) returns text language sql set role to pg_monitor as 'select $1';
create aggregate app.fold(text) (sfunc = app.step, stype = text);
alter table app.log add check (app.even(length(what)));
create trigger sometimes before update on app.log for each row when (app.even(length(new.what))) execute function app.note();
create type app.pair as (login text, password text);
create domain app.pairs as app.pair[];
create type app.box as (n int, p app.pairs);
create table app.typed (id int, c app.box, docs json[], b app.box);
create function app.gives(x text, out login text, inout token text) language sql as 'select $1, $2';
create function app.boxes() returns setof app.box language sql as 'select null::app.box';
alter database postgres set search_path to app, public;
`

func TestTheCatalogueOfARealServer(t *testing.T) {
	pg := gatetest.StartPostgres(t)
	pg.Exec(t, schema)
	c, err := readCatalog(t.Context(), opener(pg))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"app", "public"}, c.SearchPath); d != "" {
		t.Error(d)
	}
	rel := func(name string) sql.Relation {
		i := slices.IndexFunc(c.Relations, func(r sql.Relation) bool { return r.Schema == "app" && r.Name == name })
		if i < 0 {
			t.Fatal("no relation", name)
		}
		return c.Relations[i]
	}
	customers := rel("customers")
	if d := cmp.Diff([]string{"id", "", "email", "name", "tag"}, customers.Columns); d != "" || customers.OID == 0 || customers.Kind != 'r' {
		t.Error(d, customers.OID, customers.Kind)
	}
	if all := strings.Join(customers.Defaults, "\n"); len(customers.Defaults) != 2 || !strings.Contains(all, "upper(email)") || !strings.Contains(all, "lower('X'") {
		t.Error(customers.Defaults)
	}
	for name, want := range map[string]struct {
		kind byte
		in   string
	}{
		"mails": {'v', "FROM app.customers"}, "mats": {'m', "app.mails"}, "parts": {'p', "select * from app.parts_1"}, "parts_1": {'r', ""},
		"log": {'r', "DELETE FROM app.parts"}, "customers": {'r', "CURRENT_USER"},
	} {
		if r := rel(name); r.Kind != want.kind || !strings.Contains(r.Definition, want.in) {
			t.Errorf("%s: %c %q", name, r.Kind, r.Definition)
		}
	}
	if d := cmp.Diff([]string{"app.parts_1"}, rel("parts").Children); d != "" {
		t.Error(d)
	}
	attributes := []string{"app.box.n", "app.box.p", "app.pair.login", "app.pair.password"}
	if d := cmp.Diff([]*sql.Type{nil, {Attributes: attributes}, {Document: true}, {Attributes: attributes}}, rel("typed").Types); d != "" {
		t.Error(d)
	}
	functions := map[string]sql.Function{}
	for _, f := range c.Functions {
		functions[f.Schema+"."+f.Name] = f
	}
	for name, want := range map[string]sql.Function{
		"app.look": {Language: "sql", Volatile: 's', Source: "from app.customers"},
		"app.body": {Language: "sql", Volatile: 'v', Source: "app.mails"},
		"app.note": {Language: "plpgsql", Volatile: 'v', Source: "insert into app.log"},
		"app.step": {Language: "sql", Volatile: 'v', Source: "select $1", Runs: "select app.look(); set role to 'pg_monitor'"},
		"app.fold": {Language: "internal", Volatile: 'i', Runs: "select app.step()"},
	} {
		if f := functions[name]; f.Runs != want.Runs || f.Language != want.Language || f.Volatile != want.Volatile || !strings.Contains(f.Source, want.Source) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	for name, want := range map[string][]string{"app.gives": {"app.gives.login", "app.gives.token"}, "app.boxes": attributes, "app.look": nil, "pg_catalog.json_each": nil} {
		if d := cmp.Diff(want, functions[name].Returns); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if f := functions["pg_catalog.lower"]; f.Language != "internal" || f.Volatile != 'i' || f.Source != "" {
		t.Errorf("%+v", f)
	}
	if d := cmp.Diff([]string{"app.even()"}, rel("log").Defaults); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]sql.Trigger{
		{Schema: "app", Relation: "customers", Function: "app.note"},
		{Schema: "app", Relation: "log", Function: "app.note"}, {Schema: "app", Relation: "log", Function: "app.even"},
	}, c.Triggers); d != "" {
		t.Error(d)
	}
}

// answers is a querier of nothing but a version, for the order of readings.
type answers struct{}

func (answers) Close(context.Context) error { return nil }
func (answers) Query(_ context.Context, query string) ([][]string, error) {
	if strings.Contains(query, "server_version_num") {
		return [][]string{{"150000"}}, nil
	}
	return nil, nil
}

func TestReadings(t *testing.T) {
	var opened atomic.Int64
	var broken atomic.Bool
	opt := Options{Refresh: time.Hour, MinRefresh: time.Millisecond, ConnectTimeout: time.Second, Now: time.Now}
	faults := make(chan error, 100)
	opt.OnFault = func(_ string, err error) { faults <- err }
	cs := newCatalogs(&opt)
	read := make(chan int64, 100)
	tg := &Target{Catalog: func(context.Context, string) (Querier, error) {
		if broken.Load() {
			return nil, errors.New("down")
		}
		read <- opened.Add(1)
		return answers{}, nil
	}}
	c, leave := cs.acquire(t.Context(), tg, "r", "d")
	if c.snapshot() == nil || <-read != 1 {
		t.Fatal("a session began without a catalogue")
	}
	c2, leave2 := cs.acquire(t.Context(), tg, "r", "d")
	if c2 != c {
		t.Fatal("two catalogues of one database")
	}
	leave2()
	c.changed()
	if <-read != 2 || <-read != 3 {
		t.Fatal("a change is not read twice")
	}
	old := c.snapshot()
	broken.Store(true)
	c.changed()
	<-faults
	if c.snapshot() == nil || old == nil {
		t.Fatal("a failure threw the catalogue away")
	}
	leave()
	broken.Store(false)
	c, leave = cs.acquire(t.Context(), tg, "r", "d")
	if <-read != 4 {
		t.Fatal("a change that was not read is forgotten")
	}
	leave()
	if _, leave = cs.acquire(t.Context(), tg, "r", "d"); opened.Load() != 4 || c.snapshot() == nil {
		t.Fatal("a fresh catalogue was read again")
	}
	leave()
	broken.Store(true)
	if c, leave = cs.acquire(t.Context(), tg, "r", "other"); c.snapshot() != nil {
		t.Fatal("a catalogue out of nothing")
	}
	leave()
}
