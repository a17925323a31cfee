package sql

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir"
)

var loadTable = sync.OnceValue(func() Catalog {
	f, err := os.Open("testdata/catalog.json.gz")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		panic(err)
	}
	var c Catalog
	if err := json.NewDecoder(z).Decode(&c); err != nil {
		panic(err)
	}
	return c
})

var snapshotTable = sync.OnceValue(func() *Snapshot { return NewSnapshot(loadTable()) })

func input() Input {
	known := map[string]*weir.SQL{}
	in := Input{Snapshot: snapshotTable(), Conforming: true}
	for name, text := range map[string]string{"ps": "select * from app.tokens", "del": "delete from users"} {
		known[name] = Classify(text, in)
	}
	made := Classify("create temp view hidden as select password from users", in)
	in.Prepared = func(name string) *weir.SQL { return known[name] }
	in.Cursor = func(name string) *weir.SQL {
		if name == "cur" {
			return known["ps"]
		}
		return nil
	}
	in.Made = func(name string) *weir.SQL {
		if name == "hidden" {
			return made
		}
		return nil
	}
	return in
}

// want is what a text's facts must hold, in words: op:X rel:X col:X fn:X set:X role:X and the flags; !x for what they must not hold.
func has(s *weir.SQL, w string) bool {
	kind, name, _ := strings.Cut(w, ":")
	switch kind {
	case "op":
		return slices.Contains(s.Operations, name)
	case "rel":
		return slices.Contains(s.Relations, name)
	case "col":
		return slices.Contains(s.Columns, name)
	case "fn":
		return slices.Contains(s.Functions, name)
	case "set":
		return slices.Contains(s.Settings, name)
	case "role":
		return slices.Contains(s.Roles, name)
	case "id":
		return slices.Contains(s.Identifiers, name)
	case "files":
		return s.Files
	case "program":
		return s.Program
	case "dynamic":
		return s.Dynamic
	case "nowhere":
		return s.NoWhere
	case "ro":
		return s.ReadOnly
	case "clear":
		return s.Unclear == ""
	case "n":
		return strings.Repeat("i", s.Statements) == name
	}
	panic(w)
}

func TestClassify(t *testing.T) {
	for _, tt := range goldenTable {
		t.Run(tt.text, func(t *testing.T) {
			got := Classify(tt.text, input())
			for w := range strings.FieldsSeq(tt.want) {
				name, not := strings.CutPrefix(w, "!")
				if has(got, name) == not {
					t.Errorf("%s: %+v", w, got)
				}
			}
		})
	}
}

func TestClassifyWithoutSnapshotIsUnclear(t *testing.T) {
	if got := Classify("select 1", Input{Conforming: true}); got.Unclear == "" || got.ReadOnly {
		t.Errorf("%+v", got)
	}
}

func TestClassifyTooLongIsUnclear(t *testing.T) {
	in := input()
	in.MaxBytes = 10
	if got := Classify("select 1 + 1", in); got.Unclear == "" || got.ReadOnly {
		t.Errorf("%+v", got)
	}
}

func TestClassifyLexesAsTheServerIsSet(t *testing.T) {
	const text = `select 'a\' , password from users where name = '`
	in := input()
	if got := Classify(text, in); got.Unclear == "" { // the last literal does not end
		t.Errorf("conforming: %+v", got)
	}
	in.Conforming = false
	if got := Classify(`select 'a\', password from users --'`, in); !cmp.Equal(got.Relations, []string(nil)) || got.Unclear != "" {
		t.Errorf("not conforming: %+v", got)
	}
}

func TestOutputs(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"select 1", "h"}, {"select 1 as a, name from users", "hx"}, {"select count(*), count(password) n from users", "hh"},
		{"select length(password) from users", "x"}, {"select *, 1 from users", ""}, {"select now(), version(), current_user, $1", "hhhh"},
		{"select count(*) + 1, 2 > 1 from users", "hh"}, {"select 1 union select password from users", ""}, {"select date from users", "x"},
		{"select count(*) filter (where password like 'a%') from users", "x"}, {"select (select password from users)", "x"},
		{"select u.* from users u", ""}, {"select 'x'::text, 'users'::regclass", "hx"}, {"select 1; select 2", ""}, {"select distinct 1", "h"},
		{"select distinct on (password) 1 from users", "h"}, {"select 1 is distinct from password from users", "x"}, {"select random(1, id) from users", "x"},
		{"select users.count from users", "x"}, {"select total(1)", "x"}, {"select 1 from users where password = 'x' order by 1, 2", "h"},
		{"with x as (select 1) select 1", ""}, {"select interval '1 day', date '2020-01-01'", "hh"}, {"select", ""}, {"select 1 password", "h"},
		{"select case when password = 'a' then 1 end from users", "x"}, {"select a.from from users a", "x"}, {"select count", "x"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			got := ""
			for _, o := range Classify(tt.text, input()).Outputs {
				if o.Harmless {
					got += "h"
				} else {
					got += "x"
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBindings(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []Binding
	}{
		{"prepare a as select 1; deallocate prepare a", []Binding{{Verb: "PREPARE", Name: "a"}, {Verb: "DEALLOCATE", Name: "a"}}},
		{"declare C cursor for select 1; close all", []Binding{{Verb: "DECLARE", Name: "c"}, {Verb: "CLOSE"}}},
		{"create or replace temp view \"V\" as select 1", []Binding{{Verb: "CREATE", Name: "V", Kind: "view", Schema: "pg_temp"}}},
		{"create table if not exists x.y (a int)", []Binding{{Verb: "CREATE", Name: "y", Kind: "table", Schema: "x", Maybe: true}}},
		{"select 1 into temp t from users", []Binding{{Verb: "CREATE", Name: "t", Kind: "table", Schema: "pg_temp"}}},
		{"deallocate all; discard all", []Binding{{Verb: "DEALLOCATE"}, {Verb: "DISCARD"}}},
		{"create view v as select 1", []Binding{{Verb: "CREATE", Name: "v", Kind: "view"}}},
		{"alter view if exists a.b rename to c; alter function f(int) set schema s", []Binding{{Verb: "CREATE", Name: "c", Kind: "alias"}, {Verb: "CREATE", Name: "f", Kind: "alias", Schema: "s"}}},
		{"alter table t rename column a to b; alter role a rename to b; alter schema a rename to b", []Binding{{Verb: "CREATE", Name: "t", Kind: "on", Columns: []string{"b"}}, {Verb: "CREATE", Name: "b", Kind: "schema"}}},
		{"alter table t add column if not exists a int default f(b), drop c, add d text, add constraint e check (g > 0)", []Binding{{Verb: "CREATE", Name: "t", Kind: "on", Columns: []string{"a", "d"}}}},
		{"explain analyze create temp table t as select 1; explain (costs off, analyze on) select 1 into t2", []Binding{{Verb: "CREATE", Name: "t", Kind: "table", Schema: "pg_temp"}, {Verb: "CREATE", Name: "t2", Kind: "table"}}},
		{"explain create table t as select 1; explain (analyze 'off') create table t as select 1; explain (analyze 0, verbose) create table t as select 1; explain analyze select 1", nil},
		{"create function f() returns void language plpgsql as 'begin create view v as select 1; end'", []Binding{{Verb: "CREATE", Name: "f", Kind: "function", Makes: true}}},
		{"create function f() returns int language sql as 'select created from alters'", []Binding{{Verb: "CREATE", Name: "f", Kind: "function"}}},
		{"create or replace rule r as on select to a.t do instead select 1", []Binding{{Verb: "CREATE", Name: "t", Kind: "view", Schema: "a"}}},
		{"create rule r as on insert to t do also notify x; create unique index i on only a.t (f(b))", []Binding{{Verb: "CREATE", Name: "t", Kind: "on"}, {Verb: "CREATE", Name: "t", Kind: "on", Schema: "a"}}},
		{"create schema a create view v as select 1 create table t (b int)", []Binding{{Verb: "CREATE", Name: "v", Kind: "view", Maybe: true}, {Verb: "CREATE", Name: "t", Kind: "table", Maybe: true}}},
		{"select 1", nil},
	} {
		if diff := cmp.Diff(tt.want, Bindings(tt.text, input())); diff != "" {
			t.Errorf("%s: %s", tt.text, diff)
		}
	}
}

func TestSnapshotColumn(t *testing.T) {
	s := NewSnapshot(Catalog{Relations: []Relation{{OID: 7, Schema: "a", Name: "b", Columns: []string{"c", "", "d"}}}})
	if rel, col, ok := s.Column(7, 3); rel != "a.b" || col != "d" || !ok {
		t.Error(rel, col, ok)
	}
	for _, attr := range []int16{-1, 0, 2, 4} {
		if _, _, ok := s.Column(7, attr); ok {
			t.Errorf("column %d is found", attr)
		}
	}
	if _, _, ok := s.Column(8, 1); ok {
		t.Error("a relation that is not there is found")
	}
}

func TestSnapshotIsSafeForConcurrentUse(t *testing.T) {
	s := NewSnapshot(loadTable())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got := Classify("select * from deep, pg_settings", Input{Snapshot: s, Conforming: true})
			if !has(got, "col:public.users.name") || !has(got, "set:*") {
				t.Errorf("%+v", got)
			}
		})
	}
	wg.Wait()
}

// TestNames says statements one after the other, as a session does, and asks what the last one touches.
func TestNames(t *testing.T) {
	for _, tt := range []struct {
		name  string
		texts []string
		want  string
	}{
		{"a table", []string{"create table fresh (id int, password text)", "select id from fresh"}, "rel:public.fresh col:public.fresh.id !col:public.fresh.password clear ro"},
		{"its column by another name", []string{"create table fresh (id int, password text)", "select password as x from fresh"}, "col:public.fresh.password clear ro"},
		{"a write to it", []string{"create table fresh (id int)", "insert into fresh values (1)"}, "rel:public.fresh op:INSERT clear !ro"},
		{"a temporary table", []string{"create temp table fresh (id int)", "drop table fresh"}, "rel:pg_temp.fresh !rel:public.fresh !rel:?.fresh clear"},
		{"one of a query", []string{"create temp table fresh as select password as harmless from users", "select harmless from fresh"}, "col:public.users.password clear ro !op:CREATE"},
		{"select into", []string{"select password as harmless into temp fresh from users", "select * from fresh"}, "col:public.users.password clear ro"},
		{"what is poured in", []string{"create temp table fresh (a text)", "insert into fresh select password from users", "select a from fresh"}, "col:public.users.password clear ro"},
		{"a view", []string{"create temp view fresh as select password as harmless from users", "select harmless from fresh"}, "rel:public.users col:public.users.password clear ro !op:CREATE"},
		{"a view of a view", []string{"create view v1 as select password as a from users", "create view v2 as select a as b from v1", "table v2"}, "col:public.users.password clear"},
		{"a function", []string{"create function fresh() returns text language sql as 'select password from users'", "select fresh()"}, "col:public.users.password fn:public.fresh clear !ro"},
		{"a cursor", []string{"declare fresh cursor for select password from users", "fetch 1 from fresh"}, "col:public.users.password clear ro !op:DECLARE"},
		{"a cursor declared anew", []string{"declare c1 cursor for select password from users", "close c1", "declare c1 cursor for select 1", "fetch c1"}, "col:public.users.password"},
		{"a function's cursor", []string{"select tokens()", "fetch 1 from whatever"}, "col:app.tokens.token clear"},
		{"no such cursor", []string{"select 1", "fetch 1 from whatever"}, "!clear"},
		{"in one text", []string{"create temp table fresh as select password as p from users; select p from fresh; drop table fresh"}, "col:public.users.password clear"},
		{"a path in one text", []string{"set search_path = app; select * from tokens"}, "rel:app.tokens col:app.tokens.token clear"},
		{"what a function reads by its name", []string{"create function look() returns setof text language sql as 'select what from audit'", "create temp view audit as select password as what from users", "select look()"}, "col:public.users.password clear"},
		{"what a known function reads", []string{"create temp view orders as select password::int as total from users", "select total(1)"}, "col:public.users.password clear"},
		{"a table that a rule makes a view", []string{"create rule \"_RETURN\" as on select to audit do instead select password as what from users", "select what from audit"}, "col:public.users.password clear ro"},
		{"what a rule runs", []string{"create rule r as on update to audit do instead select password from users", "update audit set what = 'x' where true"}, "col:public.users.password clear !op:CREATE"},
		{"what a trigger runs", []string{"create trigger t before insert on audit for each row execute function tokens()", "insert into audit (what) values ('x')"}, "col:app.tokens.token clear"},
		{"what a default runs", []string{"alter table audit alter what set default tokens()", "insert into audit (at) values (null)"}, "col:app.tokens.token clear"},
		{"a plain change", []string{"alter table audit add x int", "select at from audit"}, "!op:ALTER ro clear"},
		{"another's name", []string{"alter table users rename to people", "select password || '' from people"}, "col:public.users.password clear ro"},
		{"another schema", []string{"alter table users set schema app", "select password || '' from app.users"}, "col:public.users.password clear ro"},
		{"a function's name", []string{"alter function tokens() rename to total", "select total(1)"}, "col:app.tokens.token clear"},
		{"a schema's name", []string{"alter schema app rename to other", "select token || '' from other.tokens"}, "col:app.tokens.token clear ro"},
		{"a new column", []string{"alter table audit add secret text", "select secret || '' from audit"}, "col:public.audit.secret clear ro"},
		{"a new column among all", []string{"alter table audit add secret text", "select a::text from audit a"}, "col:public.audit.secret clear ro"},
		{"no new column", []string{"alter table audit add secret text", "select at from audit"}, "!col:public.audit.secret clear ro"},
		{"a column under another name", []string{"alter table users rename column password to word", "alter table users rename word to x", "select x || '' from users"}, "col:public.users.password clear ro"},
		{"one of EXPLAIN", []string{"explain analyze create temp table fresh as select password as harmless from users", "select harmless from fresh"}, "col:public.users.password clear ro"},
		{"a view that a function replaces", []string{"create function f() returns void language plpgsql as 'begin create or replace view audit as select password as what from users; end'", "select what from audit"}, "col:public.users.password clear ro"},
		{"a view that a function reads", []string{"create function f() returns text language sql as 'select password from users, audit'", "select what from audit"}, "!col:public.users.password clear ro"},
		{"a view that DO replaces", []string{"do 'begin create or replace view audit as select password as what from users; end'", "select what from audit"}, "col:public.users.password clear ro"},
		{"what is poured into one that DO makes", []string{"do 'begin create temp table audit (at int, what text); end'", "insert into audit (what) select password from users", "select what from audit"}, "col:public.users.password clear ro"},
		{"one that may be another", []string{"create table if not exists fresh (a text)", "select a from fresh"}, "!clear"},
		{"rows for one that may be another", []string{"create table if not exists fresh (a text)", "insert into fresh values (1)"}, "clear rel:?.fresh"},
		{"in one text one that may be another", []string{"create table if not exists fresh (a text); select a from fresh"}, "!clear"},
		{"not the temporary one", []string{"create temp table fresh (a text)", "select a from public.fresh"}, "!clear"},
		{"in one text not the temporary one", []string{"create temp table fresh (a text); select a from public.fresh"}, "!clear"},
		{"not the temporary function", []string{"create function pg_temp.fresh() returns int language sql as 'select 1'", "select fresh()"}, "!clear"},
		{"the temporary function", []string{"create function pg_temp.fresh() returns int language sql as 'select 1'", "select pg_temp.fresh()"}, "clear"},
		{"one of its schema", []string{"create function fresh() returns int language sql as 'select 1'", "select public.fresh()"}, "clear"},
		{"one that was undone", []string{"create temp table kept (a text)", "savepoint s", "create temp table fresh (a text)", "rollback to s", "select a from fresh"}, "!clear"},
		{"one before what was undone", []string{"create temp table kept (a text)", "savepoint s", "create temp table fresh (a text)", "rollback work to savepoint s", "select a from kept"}, "clear"},
		{"one behind what was undone", []string{"savepoint s", "create temp table kept (a text)", "rollback to s", "create temp table fresh (a text)", "select a from fresh"}, "clear"},
		{"one that was kept", []string{"savepoint s", "create temp table fresh (a text)", "release s", "select a from fresh"}, "clear"},
		{"one that another one took back", []string{"savepoint s", "savepoint r", "create temp table fresh (a text)", "release savepoint r", "rollback to s", "select a from fresh"}, "!clear"},
		{"one of the same name", []string{"savepoint s", "create temp table fresh (a text)", "savepoint s", "rollback to s", "select a from fresh"}, "clear"},
		{"one that went with all", []string{"create temp table fresh (a text)", "rollback and chain", "select a from fresh"}, "!clear"},
		{"in one text one that was undone", []string{"savepoint s; create temp table fresh (a text); rollback to s; select a from fresh"}, "!clear"},
		{"an alias", []string{"create temp table fresh as select password as p from users", "select fresh.total from orders as fresh"}, "!col:public.users.password clear ro"},
		{"a label", []string{"create temp table fresh as select password as p from users", "select total as fresh from orders"}, "!col:public.users.password clear ro"},
		{"an alias beside it", []string{"create temp table fresh as select password as p from users", "select fresh.total from orders as fresh, pg_temp.fresh f"}, "col:public.users.password clear ro"},
		{"a label beside DO", []string{"create temp view fresh as select password as p from users", "do 'begin perform p from fresh; end'; select 1 as fresh"}, "col:public.users.password"},
		{"a label beside a body", []string{"create temp view audit as select password as what from users", "create function look() returns setof text language sql as 'select what from audit'", "select look() as audit"}, "col:public.users.password"},
		{"another schema's", []string{"create table app.fresh (a int)", "select * from app.fresh"}, "rel:app.fresh clear"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Snapshot: snapshotTable(), Conforming: true, Names: &Names{}}
			var got *weir.SQL
			for _, text := range tt.texts {
				got = Classify(text, in)
				in.Names.Note(text, got, in)
			}
			for w := range strings.FieldsSeq(tt.want) {
				if w, not := strings.CutPrefix(w, "!"); has(got, w) == not {
					t.Errorf("%s: %+v", w, got)
				}
			}
		})
	}
}

func TestJoinKeepsWhatItHas(t *testing.T) {
	a := &weir.SQL{Operations: []string{"SELECT"}, Columns: []string{"a.b.c", "a.b.d"}, ReadOnly: true}
	if Join(a, &weir.SQL{Columns: []string{"a.b.d"}, ReadOnly: true}) != a {
		t.Error("nothing new, and yet another one")
	}
	if got := Join(a, &weir.SQL{Columns: []string{"a.a.a"}}); got.ReadOnly || !slices.Equal(got.Columns, []string{"a.a.a", "a.b.c", "a.b.d"}) {
		t.Errorf("%+v", got)
	}
}

func TestWritesReachWhatIsBelow(t *testing.T) {
	s := NewSnapshot(Catalog{
		SearchPath: []string{"public"},
		Relations: []Relation{
			{OID: 1, Schema: "public", Name: "base", Kind: 'r', Columns: []string{"id"}, Defaults: []string{"public.f()"}},
			{OID: 2, Schema: "public", Name: "v", Kind: 'v', Columns: []string{"id"}, Definition: "SELECT base.id FROM public.base"},
			{OID: 3, Schema: "public", Name: "vv", Kind: 'v', Columns: []string{"id"}, Definition: "SELECT v.id FROM public.v"},
			{OID: 4, Schema: "public", Name: "parent", Kind: 'p', Columns: []string{"id"}, Definition: "select * from public.base"},
		},
		Functions: []Function{{Schema: "public", Name: "f", Language: "sql", Source: "select 1", Volatile: 'v'}, {Schema: "public", Name: "tg", Language: "plpgsql", Source: "begin return new; end", Volatile: 'v'}},
		Triggers:  []Trigger{{Schema: "public", Relation: "base", Function: "public.tg"}},
	})
	for _, name := range []string{"base", "v", "vv", "parent"} {
		if got := Classify("insert into "+name+" values (1)", Input{Snapshot: s, Conforming: true}); !has(got, "fn:public.tg") || !has(got, "fn:public.f") {
			t.Errorf("%s: %+v", name, got)
		}
		if got := Classify("table "+name, Input{Snapshot: s, Conforming: true}); has(got, "fn:public.tg") || !has(got, "ro") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestNamesOfWhatFailed(t *testing.T) {
	in := Input{Snapshot: snapshotTable(), Conforming: true, Names: &Names{}}
	make := func(text string) { in.Names.Note(text, Classify(text, in), in) }
	for _, tt := range []struct {
		name string
		do   func()
		want bool // the names are clear
	}{
		{"made", func() { make("create view fresh as select 1 as a") }, true},
		{"failed", func() { in.Names.Failed("create view fresh as select 1 as a", in) }, false},
		{"made again", func() { make("create view fresh as select 1 as a") }, true},
		{"rolled back", func() { in.Names.Ended(false) }, false},
		{"committed", func() { make("create view fresh as select 1 as a"); in.Names.Ended(true) }, true},
		{"another one rolled back", func() { make("create view other as select 1 as a"); in.Names.Ended(false) }, true},
	} {
		tt.do()
		if got := Classify("select a from fresh", in); (got.Unclear == "") != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

// TestPortalsBeyondWhatIsKept gives a portal's name to others when the session has more names than it keeps.
func TestPortalsBeyondWhatIsKept(t *testing.T) {
	in := Input{Snapshot: snapshotTable(), Conforming: true, Names: &Names{}}
	secret, harmless := Classify("select password from users", in), Classify("select 1", in)
	for i := range maxNames - 1 {
		in.Names.Portal("p"+strconv.Itoa(i), harmless)
	}
	in.Names.Portal("mine", secret)
	in.Names.Portal("more", harmless)
	in.Names.Portal("mine", harmless)
	in.Names.Portal("mine", secret)
	if got := Classify("fetch all from mine", in); !has(got, "col:public.users.password") {
		t.Errorf("%+v", got)
	}
}
