package sqloracle

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"weir/rules/sql"
)

var corpusTable = sync.OnceValue(func() []string {
	r := rand.New(rand.NewPCG(3, 4))
	out := append([]string{}, statements...)
	out = append(out, clearTable...)
	for range 1200 {
		g := &maker{r: r, left: 12}
		text := g.statement()
		if r.IntN(4) == 0 {
			text = disguise(r, text)
		}
		out = append(out, text)
	}
	return out
})

func corpus(tb testing.TB) []string { return append(golden(tb), corpusTable()...) }

// maker writes statements at random.
type maker struct {
	r    *rand.Rand
	left int // how much more it may nest
}

func (g *maker) pick(of ...string) string { return of[g.r.IntN(len(of))] }

func (g *maker) maybe(text func() string) string {
	if g.r.IntN(3) > 0 {
		return ""
	}
	return " " + text()
}

func (g *maker) relation() string {
	return g.pick("users", "orders", "public.users", `"users"`, `U&"us\0065rs"`, "app.tokens", "USERS", "deep", "pg_class", "pg_settings", "nowhere", "t1", "set", "update", "name", "value", "key", "zone")
}

func (g *maker) column() string {
	return g.pick("id", "name", "u.id", "password", `"Name"`, "u", "users.note", "date", "value", "u.from", "type", "text", "index_1", "ö")
}

func (g *maker) expr() string {
	if g.left--; g.left < 0 {
		return g.pick("1", "'a'", "$1", "null", g.column(), "E'\\''", "$$x$$")
	}
	e := g.expr
	switch g.r.IntN(26) {
	case 0:
		return e() + g.pick(" + ", "*", " - ", "||", " = ", "<>", " and ", " or ", "->>", " like ", " is distinct from ", " similar to ", " not ilike ") + e()
	case 1:
		return "(" + e() + ")"
	case 2:
		return g.pick("lower", "count", "pg_catalog.upper", "total", "wipe", "nosuch", `"f x"`, "left", "current_setting", "query_to_xml", "nextval", "like", "date", "over", "public.set") + "(" + e() + ")"
	case 3:
		return "(" + g.query() + ")"
	case 4:
		return "exists (" + g.query() + ")"
	case 5:
		return e() + " in (" + e() + ", " + e() + ")"
	case 6:
		return "case when " + e() + " then " + e() + " else " + e() + " end"
	case 7:
		return e() + g.pick("::text", "::varchar(3)", "::int[]", "::pg_catalog.int4")
	case 8:
		return "cast(" + e() + " as numeric(1, 2))"
	case 9:
		return "extract(epoch from " + e() + ")"
	case 10:
		return "trim(both " + e() + " from " + e() + ")"
	case 11:
		return "substring(" + e() + " from 1 for 2)"
	case 12:
		return "count(*)" + g.pick("", " filter (where "+e()+")", " over ()", " over (partition by "+e()+" order by "+e()+")")
	case 13:
		return "array[" + e() + "]" + g.pick("", "[1]")
	case 14:
		return "(" + e() + ").f" + g.pick("", ".g", "(1)")
	case 15:
		return "row(" + e() + ", u.*)"
	case 16:
		return "coalesce(" + e() + ", " + e() + ")"
	case 17:
		return "'a'\n  'b'"
	case 18:
		return e() + " between " + e() + " and " + e()
	case 19:
		return e() + " = any (" + g.query() + ")"
	case 20:
		return "interval '1 day'"
	case 21:
		return "array(" + g.query() + ")"
	case 22:
		return e() + " at time zone 'utc'"
	case 23:
		return "not " + e()
	case 24:
		return e() + " operator(pg_catalog.+) " + e()
	}
	return g.column()
}

func (g *maker) from() string {
	if g.left--; g.left < 0 {
		return g.relation()
	}
	switch g.r.IntN(9) {
	case 0:
		return g.from() + ", " + g.from()
	case 1:
		return g.from() + g.pick(" join ", " left join ", " full outer join ") + g.from() + g.pick(" on "+g.expr(), " on wipe()", " on left("+g.expr()+", 1)", " using (id)", " using (id, name) as j")
	case 2:
		return g.from() + g.pick(" natural join ", " cross join ") + g.from()
	case 3:
		return g.pick("", "lateral ") + "(" + g.query() + ") as s" + g.pick("", "(a, b)")
	case 4:
		return g.pick("generate_series(1, 2)", "rows from (f(1), g(2))", "total(1)", "nosuch()") + g.pick(" as g(a)", " g", " with ordinality", " as g(a int)")
	case 5:
		return "only " + g.relation()
	case 6:
		return "(" + g.relation() + " join " + g.relation() + " on true)"
	}
	return g.relation() + g.pick("", " u", " as u", ` as "U"`, " u(a, b)", " tablesample system (10)", " *")
}

func (g *maker) query() string {
	if g.left--; g.left < 0 {
		return "select 1"
	}
	switch g.r.IntN(12) {
	case 0:
		return "table " + g.relation()
	case 1:
		return "values (" + g.expr() + "), (" + g.expr() + ")"
	case 2:
		return g.query() + g.pick(" union ", " except all ", " intersect ") + g.query()
	case 3:
		return g.with() + g.query()
	case 4:
		return "(" + g.query() + ")" + g.pick("", " for update", " order by wipe()")
	}
	s := "select" + g.pick("", " distinct", " all", " distinct on ("+g.expr()+")") + " " + g.expr() + g.pick("", " as x", ", *", ", u.*", " x, "+g.expr())
	s += g.pick("", "", "", " into temp made")
	s += g.pick("", " from "+g.from(), " from "+g.from())
	s += g.maybe(func() string { return "where " + g.expr() })
	s += g.maybe(func() string { return "group by " + g.pick(g.expr(), "rollup (id)", "grouping sets ((id), ())") })
	s += g.maybe(func() string { return "order by " + g.expr() + g.pick("", " desc", " nulls last") })
	s += g.maybe(func() string {
		return g.pick("limit 1", "offset 2 rows", "fetch first 3 rows only", "for update", "for share of u", "for no key update skip locked")
	})
	return s
}

func (g *maker) with() string {
	return "with " + g.pick("", "recursive ") + g.pick("w", "users", "w(a, b)", `"W"`) + " as " + g.pick("", "materialized ", "not materialized ") + "(" + g.pick(g.query(), g.query(), g.write()) + ") "
}

func (g *maker) write() string {
	ret := g.pick("", " returning *", " returning "+g.expr())
	switch g.r.IntN(4) {
	case 0:
		return "insert into " + g.relation() + g.pick(" (id, name) ", " as i ", " ") + g.pick("values ("+g.expr()+")", g.query(), "default values") +
			g.pick("", " on conflict do nothing", " on conflict (id) do update set name = "+g.expr()+g.pick("", " where "+g.expr())) + ret
	case 1:
		return "update " + g.pick("", "only ") + g.relation() + g.pick("", " u", " as u") + " set name = " + g.expr() + ", (a, b) = (" + g.query() + ")" +
			g.pick("", " from "+g.from()) + g.pick("", " where "+g.expr(), " where current of c") + ret
	case 2:
		return "delete from " + g.relation() + g.pick("", " u", " as u") + g.pick("", " using "+g.from()) + g.pick("", " where "+g.expr()) + ret
	}
	return "merge into " + g.relation() + " m using " + g.pick(g.relation(), "("+g.query()+")") + " s on " + g.expr() + " when matched and " + g.expr() +
		g.pick(" then delete", " then update set a = 1", " then do nothing") + g.pick("", " when not matched then insert (a) values (1)", " when not matched then insert default values")
}

func (g *maker) statement() string {
	inner := g.query()
	if g.r.IntN(4) == 0 {
		inner = g.pick("", g.with()) + g.write()
	}
	switch g.r.IntN(12) {
	case 0:
		return "explain " + g.pick("", "analyze ", "verbose ", "analyze verbose ", "(analyze) ", "(format json, analyze on) ", "(costs off) ", `("analyze") `) + inner
	case 1:
		return "prepare p" + g.pick("", "(int, text)") + " as " + inner
	case 2:
		return "declare c " + g.pick("", "binary ", "insensitive ", "no scroll ") + "cursor " + g.pick("", "with hold ") + "for " + g.query()
	case 3:
		return "create " + g.pick("view v", "temp view v(a)", "table t", "materialized view m", "or replace view v") + " as " + g.query()
	case 4:
		return "copy (" + inner + ") to " + g.pick("stdout", "'/f'", "program 'x'") + g.pick("", " with (format csv)", " csv header")
	case 5:
		return "create rule r as on " + g.pick("insert", "update", "select") + " to users do " + g.pick("also ", "instead ", "") + "(" + g.write() + "; " + g.query() + ")"
	case 6:
		return "create function f(a int default 1) returns int " + g.pick("language sql ", "") + "begin atomic " + inner + "; select case when 1 = 1 then 2 end; end"
	case 7:
		return inner + ";" + g.pick("", " ;; ", "--x\n") + g.query()
	}
	return inner
}

// disguise changes how a text is spelled and not what it means.
func disguise(r *rand.Rand, text string) string {
	var b strings.Builder
	for lex := (sql.Lexer{Text: text, Conforming: true}); ; {
		t := lex.Next()
		w := text[t.Start:t.End]
		switch {
		case t.Kind == sql.End:
			return b.String()
		case t.Kind == sql.Space && !strings.Contains(w, "\n"):
			w = []string{" ", "/**/", "\t", "--'\n", "/*/*'*/$$*/", "\n"}[r.IntN(6)]
		case t.Kind == sql.Word && r.IntN(3) == 0:
			w = strings.ToUpper(w)
		}
		b.WriteString(w)
	}
}

// mutate makes a text out of one or two of others.
func mutate(r *rand.Rand, all []string) string {
	cut := func(text string) (out []string) {
		for lex := (sql.Lexer{Text: text, Conforming: true}); ; {
			t := lex.Next()
			if t.Kind == sql.End {
				return out
			}
			out = append(out, text[t.Start:t.End])
		}
	}
	a, b := cut(all[r.IntN(len(all))]), cut(all[r.IntN(len(all))])
	for range 1 + r.IntN(2) {
		if len(a) == 0 || len(b) == 0 {
			break
		}
		i, j := r.IntN(len(a)), r.IntN(len(b))
		switch r.IntN(5) {
		case 0: // drop
			a = append(a[:i:i], a[i+1:]...)
		case 1: // replace
			a[i] = b[j]
		case 2: // insert
			a = append(a[:i:i], append([]string{" ", b[j], " "}, a[i:]...)...)
		case 3: // swap
			k := r.IntN(len(a))
			a[i], a[k] = a[k], a[i]
		case 4: // splice
			a = append(a[:i:i], b[j:]...)
		}
	}
	return strings.Join(a, "")
}
