package catalog

import (
	"errors"
	"slices"
	"strings"

	"weir"
	"weir/rules/glob"
)

// SQLFacts are the conditions of an entry for SQL: any of a key, all of the keys. Names are patterns of rules/glob.
type SQLFacts struct {
	Operations []string `yaml:"operations"`
	Relations  []string `yaml:"relations"` // "schema.name"
	Columns    []string `yaml:"columns"`   // "schema.relation.column"
	Functions  []string `yaml:"functions"` // "schema.name"
	Settings   []string `yaml:"settings"`  // "*" only for all settings at once
	Roles      bool     `yaml:"roles"`     // a role is made, changed or assumed
	Files      bool     `yaml:"files"`
	Program    bool     `yaml:"program"`
	Dynamic    bool     `yaml:"dynamic"`
	Unclear    bool     `yaml:"unclear"`
	NoWhere    bool     `yaml:"no_where"`
	SecretOut  bool     `yaml:"secret_out"` // a protected column's values go elsewhere than into the answer
	// Unless takes the entry back where relations are touched and all of them match.
	Unless []string `yaml:"unless_relations"`
}

func (f *SQLFacts) any() bool {
	return len(f.Operations)+len(f.Relations)+len(f.Columns)+len(f.Functions)+len(f.Settings) > 0 || f.flags()
}

func (f *SQLFacts) flags() bool {
	return f.Roles || f.Files || f.Program || f.Dynamic || f.Unclear || f.NoWhere || f.SecretOut
}

type sqlMatch struct {
	relations, columns, functions, settings, unless []glob.Text
}

// sqlIndex finds the entries that a statement may match by what it names.
type sqlIndex struct {
	byName  map[string][]*Entry // by kind and name: "r:schema.name", "r:schema.", "r:.name", "f:…", "o:OPERATION"
	setting []*Entry            // those that need a setting
	flag    []*Entry            // those that need a flag
	always  []*Entry            // those with patterns that no index finds
}

func (c *Catalog) addSQL(e *Entry) error {
	f := &e.SQL
	if !f.any() || len(e.Paths)+len(e.Methods)+len(e.Hosts)+len(e.Query) > 0 || e.SSH.any() {
		return errors.New("conditions are missing, or other keys are there that SQL does not have")
	}
	for _, x := range []struct {
		from []string
		to   *[]glob.Text
	}{
		{f.Relations, &e.sql.relations}, {f.Columns, &e.sql.columns}, {f.Functions, &e.sql.functions}, {f.Settings, &e.sql.settings}, {f.Unless, &e.sql.unless},
	} {
		g, err := texts(x.from)
		if err != nil {
			return err
		}
		*x.to = g
	}
	switch {
	case f.flags():
		c.sql.flag = append(c.sql.flag, e)
	case len(f.Columns) > 0:
		for _, n := range f.Columns {
			c.sql.add('r', n[:max(strings.LastIndexByte(n, '.'), 0)], e)
		}
	case len(f.Relations) > 0:
		for _, n := range f.Relations {
			c.sql.add('r', n, e)
		}
	case len(f.Functions) > 0:
		for _, n := range f.Functions {
			c.sql.add('f', n, e)
		}
	case len(f.Settings) > 0:
		c.sql.setting = append(c.sql.setting, e)
	default:
		for _, o := range f.Operations {
			c.sql.byName["o:"+o] = append(c.sql.byName["o:"+o], e)
		}
	}
	return nil
}

func (x *sqlIndex) add(kind byte, name string, e *Entry) {
	schema, rest, ok := strings.Cut(name, ".")
	key := string(kind) + ":"
	switch wild := strings.ContainsAny(rest, "*?"); {
	case !ok || wild && strings.ContainsAny(schema, "*?"), strings.ContainsAny(schema, "*?") && schema != "*":
		x.always = append(x.always, e)
		return
	case wild:
		key += schema + "."
	case schema == "*":
		key += "." + rest
	default:
		key += name
	}
	x.byName[key] = append(x.byName[key], e)
}

// longestName bounds the names that are looked up without an allocation.
const longestName = 200

// MatchSQL returns the entries that statements match, in no order. Views of the system are known by name: what they are made of
// need not be among the relations.
func (c *Catalog) MatchSQL(q *weir.SQL) []*Entry {
	if q == nil {
		return nil
	}
	var hits []*Entry
	hits = c.sql.named(hits, 'r', q.Relations, q)
	hits = c.sql.named(hits, 'f', q.Functions, q)
	var buf [longestName]byte
	for _, o := range q.Operations {
		hits = tryAll(hits, c.sql.byName[string(append(append(buf[:0], "o:"...), o...))], q)
	}
	if len(q.Settings) > 0 {
		hits = tryAll(hits, c.sql.setting, q)
	}
	if q.Files || q.Program || q.Dynamic || q.NoWhere || len(q.SecretOut) > 0 || len(q.Roles) > 0 || Unclear(q) {
		hits = tryAll(hits, c.sql.flag, q)
	}
	return tryAll(hits, c.sql.always, q)
}

// Unclear reports whether it could not be told what statements do; the zero value says nothing. A text without statements surely changes nothing.
func Unclear(q *weir.SQL) bool {
	return q.Unclear != "" || q.Statements == 0 && len(q.Operations) == 0 && !q.ReadOnly
}

func (x *sqlIndex) named(hits []*Entry, kind byte, names []string, q *weir.SQL) []*Entry {
	var buf [longestName + 2]byte
	buf[0], buf[1] = kind, ':'
	for _, n := range names {
		if len(n) > longestName {
			n = n[:longestName] // no entry has such a name; its schema counts
		}
		b := append(buf[:2], n...)
		hits = tryAll(hits, x.byName[string(b)], q)
		if i := strings.IndexByte(n, '.'); i > 0 {
			hits = tryAll(hits, x.byName[string(b[:i+3])], q)
			b[i+1] = ':'
			b[i] = kind
			b[i+2] = '.'
			hits = tryAll(hits, x.byName[string(b[i:])], q)
		}
	}
	return hits
}

func tryAll(hits, entries []*Entry, q *weir.SQL) []*Entry {
	for _, e := range entries {
		if !slices.Contains(hits, e) && e.matchesSQL(q) {
			hits = append(hits, e)
		}
	}
	return hits
}

func (e *Entry) matchesSQL(q *weir.SQL) bool {
	f := &e.SQL
	switch {
	case f.Roles && len(q.Roles) == 0, f.Files && !q.Files, f.Program && !q.Program, f.Dynamic && !q.Dynamic, f.NoWhere && !q.NoWhere, f.SecretOut && len(q.SecretOut) == 0, f.Unclear && !Unclear(q):
		return false
	case len(f.Operations) > 0 && !slices.ContainsFunc(f.Operations, func(o string) bool { return slices.Contains(q.Operations, o) }):
		return false
	case !anyOf(e.sql.relations, q.Relations), !anyOf(e.sql.columns, q.Columns), !anyOf(e.sql.functions, q.Functions), !e.matchesSetting(q.Settings):
		return false
	}
	if len(e.sql.unless) == 0 || len(q.Relations) == 0 {
		return true
	}
	return slices.ContainsFunc(q.Relations, func(r string) bool {
		return !slices.ContainsFunc(e.sql.unless, func(g glob.Text) bool { return g.Match(r) })
	})
}

// matchesSetting compares settings, of which "*" is all of them.
// All settings at once ("*") count as any of them, but not where a function is named too: one that is told what to set while it runs is dynamic.
func (e *Entry) matchesSetting(settings []string) bool {
	for i := range e.sql.settings {
		g := &e.sql.settings[i]
		for _, s := range settings {
			if s == "*" && len(e.sql.functions) == 0 || g.String() != "*" && s != "*" && g.MatchFold(s) {
				return true
			}
		}
	}
	return len(e.sql.settings) == 0
}

// anyOf reports whether a pattern matches a name, or there are no patterns.
func anyOf(patterns []glob.Text, names []string) bool {
	for i := range patterns {
		for _, n := range names {
			if patterns[i].Match(n) {
				return true
			}
		}
	}
	return len(patterns) == 0
}

type columnKind struct{ protected, statement, derived bool }

// data takes what a file says beside its entries.
func (c *Catalog) data(f *file) error {
	for _, x := range []struct {
		names []string
		kind  columnKind
	}{{f.Columns.Protected, columnKind{protected: true}}, {f.Columns.Statement, columnKind{statement: true}}, {f.Derived, columnKind{protected: true, derived: true}}} {
		for _, n := range x.names {
			if strings.Count(n, ".") != 2 {
				return errors.New("column " + n + " is not schema.relation.column")
			}
			c.columns[n] = x.kind
		}
	}
	if _, err := texts(f.Settings); err != nil {
		return err
	}
	c.setting = append(c.setting, f.Settings...)
	return nil
}

// Column reports what is known of a column of a relation, "schema.name": protected ones hold secrets, or copies of other
// columns, and statement ones hold SQL of others.
func (c *Catalog) Column(relation, column string) (protected, statement bool) {
	k, ok := c.columns[relation+"."+column]
	if !ok {
		k = c.columns["*"+relation[max(strings.IndexByte(relation, '.'), 0):]+"."+column]
	}
	return k.protected, k.statement
}

// Derived reports whether a protected column holds copies of other columns, as the samples of the planner are.
func (c *Catalog) Derived(relation, column string) bool {
	return c.columns[relation+"."+column].derived
}

// Settings returns patterns of rules/glob of the settings whose values are secrets. The caller must not change them.
func (c *Catalog) Settings() []string { return c.setting }

// Named returns what of a statement's names the entry speaks of, by kind.
func (e *Entry) Named(q *weir.SQL) (relations, columns, functions, settings []string) {
	pick := func(patterns []glob.Text, names []string) []string {
		var out []string
		for _, n := range names {
			if slices.ContainsFunc(patterns, func(g glob.Text) bool { return g.Match(n) }) {
				out = append(out, n)
			}
		}
		return out
	}
	for _, n := range q.Settings {
		if e.matchesSetting([]string{n}) && len(e.sql.settings) > 0 {
			settings = append(settings, n)
		}
	}
	return pick(e.sql.relations, q.Relations), pick(e.sql.columns, q.Columns), pick(e.sql.functions, q.Functions), settings
}
