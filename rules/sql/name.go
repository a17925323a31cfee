package sql

import (
	"slices"
	"strings"

	"weir"
)

// chain acts on a name, possibly with dots, at i. It returns where to go on.
func (s *scan) chain(i int) int {
	f := s.top()
	if f.with && f.due == "" && s.cteBody(i) > 0 {
		name := s.toks[i].word
		s.cite(name)
		s.touch("", name)
		if f.recursive {
			f.ctes.add(name)
		}
		f.due = name
		return i + 1
	}
	if (f.from || f.target) && !f.want && f.item != noItem && s.aliasable(i) {
		return s.alias(i)
	}
	end, star := s.parts(i)
	last := s.toks[end].word
	schema := ""
	if end > i {
		schema = s.toks[end-2].word
	}
	call := !star && s.is(end+1, "(")
	switch {
	case f.want && (!call || f.verb == "insert" || f.target):
		s.place(schema, last, f.target)
		f.want, f.end = false, end
	case call:
		if f.want {
			f.want, f.item, f.rels = false, functionItem, nil
		}
		s.call(i, end, schema)
	case star:
		s.f.rows = s.f.rows || s.isAny(end, "old", "new")
		s.wholeOf(last)
		return end + 3
	default:
		s.f.rows = s.f.rows || s.isAny(end, "old", "new") && end == i && !s.is(i-1, "return")
		if end > i {
			s.field(schema, last, false)
		}
		if !s.is(i-1, "references") { // a foreign key reads no row
			s.mention(last)
		}
		s.bare(last)
	}
	return end + 1
}

// cite notes a word that may name anything.
func (s *scan) cite(w string) {
	s.f.words.add(w)
	delete(s.labels, w)
}

// label notes the label of a result column at i. It reads no column of its name.
func (s *scan) label(i int) int {
	s.entitle(s.toks[i].word)
	return i + 1
}

// entitle notes a word that is only a name given here: a label, an alias, or what stands before a dot and is one. It reads nothing that is called so.
func (s *scan) entitle(w string) {
	if s.c.body || s.ddl {
		s.cite(w)
		s.touch("", w)
		return
	}
	if !in(s.f.words, w) {
		s.labels.add(w)
	}
	s.f.words.add(w)
}

// parts notes all parts of the name at i. It returns where the last part stands, and whether .* follows it.
func (s *scan) parts(i int) (end int, star bool) {
	schema := ""
	for {
		name := s.toks[i].word
		if schema == "" && s.is(i+1, ".") && !s.top().want && !s.c.body && !s.ddl {
			s.entitle(name)
			s.before.add(name)
		} else {
			s.cite(name)
			s.touch(schema, name)
		}
		if !s.is(i+1, ".") {
			return i, false
		}
		if s.is(i+2, "*") {
			return i, true
		}
		if !s.isWord(i + 2) {
			return i, false
		}
		schema = name
		i += 2
	}
}

// touch notes the relations that a name may stand for.
func (s *scan) touch(schema, name string) {
	found := s.find(schema, name)
	for _, r := range s.altered(found) {
		s.f.touch(r)
		if n := s.c.in.Names; n != nil && temporary(r.schema) && n.tables[name] == nil && n.made[name] == nil && n.called != nil { // a function may have filled it
			s.f.include(&weir.SQL{Columns: n.called.Columns, Settings: n.called.Settings, Taken: n.called.Taken, ReadOnly: true})
		}
	}
	if made := s.made(schema, name); made != nil {
		s.f.include(made)
	}
}

// find returns the relations that a name may stand for, with those that this session has made and the snapshot does not have yet.
func (s *scan) find(schema, name string) []*relation {
	if n := s.c.in.Names; n != nil && n.anywhere {
		return s.c.in.Snapshot.find(nil, "", name, true)
	}
	found := s.c.in.Snapshot.find(s.c.path, schema, name, s.c.any || s.c.body)
	if n := s.c.in.Names; n != nil && len(found) == 0 && schema != "pg_catalog" {
		if t := n.tables[name]; t != nil && s.sure(schema, name, false) {
			return []*relation{t}
		}
	}
	return found
}

// made is what a name that this session made stands for; nil when there is none.
func (s *scan) made(schema, name string) *weir.SQL {
	if schema == "pg_catalog" {
		return nil
	}
	if n := s.c.in.Names; n != nil {
		if m := n.stands(name); m != nil {
			return m
		}
	}
	if s.c.in.Made != nil {
		return s.c.in.Made(name)
	}
	return nil
}

// altered adds to relations what this session has made of them: other columns.
func (s *scan) altered(found []*relation) []*relation {
	n := s.c.in.Names
	if n == nil || len(n.altered) == 0 {
		return found
	}
	out := found[:len(found):len(found)]
	for _, r := range found {
		if a := n.altered[r.full]; a != nil {
			out = append(out, a)
		}
	}
	return out
}

// place notes that a relation's name stands where one is due.
func (s *scan) place(schema, name string, target bool) {
	f := s.top()
	found := s.altered(s.find(schema, name))
	f.item, f.rels = relationItem, found
	s.stands(name, found)
	if len(found) > 0 || schema == "" && !target && s.cte(name) {
		return
	}
	s.unknown(schema, name)
}

func (s *scan) unknown(schema, name string) {
	s.star = true
	sure := s.sure(schema, name, s.top().target && s.top().verb == "insert")
	if sure && s.made(schema, name) != nil { // its relations were added where it was touched
		return
	}
	if schema == "" {
		schema = "?"
	}
	s.f.relations.add(schema + "." + name)
	if !sure {
		s.f.fail("unknown relation " + name)
	}
}

// stands notes that a name may stand for whole rows of relations; of all when there are none.
func (s *scan) stands(name string, rels []*relation) {
	if s.placed == nil {
		s.placed = map[string][]*relation{}
	}
	old, ok := s.placed[name]
	if ok && len(old) == 0 || len(rels) == 0 {
		s.placed[name] = nil
		return
	}
	s.placed[name] = append(old[:len(old):len(old)], rels...)
}

func (s *scan) mention(name string) { s.mentions.add(name) }

// wholeOf notes name.*.
func (s *scan) wholeOf(name string) { s.mentions.add(name); s.mentions.add("*" + name) }

// aliasable tells whether the word at i may be an alias.
func (s *scan) aliasable(i int) bool {
	t := &s.toks[i]
	if t.name {
		return true
	}
	switch s.top().verb {
	case "update":
		return t.class != function && t.word != "set"
	case "insert":
		return t.class != function && t.word != "values" && t.word != "overriding"
	}
	return t.class != function
}

// alias notes the alias at i.
func (s *scan) alias(i int) int {
	f := s.top()
	name := s.toks[i].word
	if s.is(i-1, "as") || f.item == relationItem && f.end == i-1 || f.item != relationItem && s.is(i-1, ")") {
		s.entitle(name)
		s.aliases.add(name)
	} else {
		s.cite(name)
		s.touch("", name)
	}
	s.stands(name, f.rels)
	if s.is(i+1, "(") && f.item != functionItem && !f.target {
		s.star = true
	}
	f.item, f.rels = noItem, nil
	return i + 1
}

// field notes that a name stands behind a dot, where it may call a function with what is before it: the row of a name, or, where of is "", any value.
func (s *scan) field(of, name string, call bool) {
	for _, fn := range s.c.in.Snapshot.functions[name] {
		if fn.schema != "pg_catalog" || call || of == "" {
			s.f.call(fn)
			s.star = true
		}
	}
	if of != "" && !call {
		if s.fields == nil {
			s.fields = map[[2]string]struct{}{}
		}
		s.fields[[2]string{of, name}] = struct{}{}
	}
	if (name == "current_setting" || name == "set_config") && of == "" {
		s.f.settings.add("*")
		s.f.dynamic = true
	}
}

// rowCalls acts on the fields that are no columns, now that it is known which relations their names stand for: they are functions of whole rows, or types that
// these are turned into.
func (s *scan) rowCalls() {
	for f := range s.fields {
		rels := s.placed[f[0]]
		if in(systemColumnTable, f[1]) || len(rels) > 0 && !slices.ContainsFunc(rels, func(r *relation) bool { return !slices.Contains(r.columns, f[1]) }) {
			continue
		}
		if len(rels) > 0 {
			s.mention(f[0])
		}
		if in(rowTable, f[1]) || len(rels) > 0 {
			for _, fn := range s.c.in.Snapshot.functions[f[1]] {
				s.f.call(fn)
			}
		}
		s.star = s.star || in(rowTable, f[1]) && len(s.c.in.Snapshot.functions[f[1]]) > 0
	}
}

// bare acts on names that are not called and yet say what is run: functions in definitions.
func (s *scan) bare(name string) {
	if !s.ddl {
		return
	}
	for _, fn := range s.c.in.Snapshot.routines(s.c.path, "", name, true) {
		if fn.schema != "pg_catalog" {
			s.f.call(fn)
		}
	}
	if name == "current_setting" || name == "set_config" {
		s.f.settings.add("*")
		s.f.dynamic = true
	}
	s.f.effects(name)
}

// call acts on a function's name with parts from i to end.
func (s *scan) call(i, end int, schema string) {
	name := s.toks[end].word
	found := s.c.in.Snapshot.routines(s.c.path, schema, name, s.c.any || s.c.body)
	if n := s.c.in.Names; n != nil && n.anywhere {
		found = s.c.in.Snapshot.functions[name]
	}
	for _, fn := range found {
		s.f.call(fn)
	}
	s.f.effects(name)
	switch name {
	case "current_setting", "set_config":
		s.setting(end+2, name)
	case "nextval", "setval":
		s.f.changes = true
	}
	if len(found) > 0 || end == i && s.syntax(i) {
		return
	}
	if s.sure(schema, name, false) {
		return
	}
	if s.ddl && s.top().verb == "" {
		return
	}
	if schema == "" {
		schema = "?"
	}
	s.f.functions.add(schema + "." + name)
	s.f.changes = true
	s.f.fail("unknown function " + name)
}

// syntax tells whether the name at i, with a parenthesis behind it, calls nothing: an alias with columns, a type, a piece of syntax.
func (s *scan) syntax(i int) bool {
	t := &s.toks[i]
	if !t.name && (in(syntaxTable, t.word) || s.clauseWord(i)) {
		return true
	}
	if s.is(i-1, "::") || s.is(i-1, "as") {
		return true
	}
	if i == 0 {
		return false
	}
	p := &s.toks[i-1]
	return p.name || p.Kind == Word && p.class == notKeyword || p.Kind == Mark && s.operand(i-1)
}

// clauseWord tells whether the word at i, with a parenthesis behind it, is syntax where it stands, though elsewhere it may name a function.
func (s *scan) clauseWord(i int) bool {
	switch s.toks[i].word {
	case "over", "filter", "overlaps":
		return s.is(i-1, ")")
	case "second": // of an interval, with how many digits
		return i > 0 && (s.isAny(i-1, "to", "interval") || s.toks[i-1].Kind >= String && s.toks[i-1].Kind <= Dollar)
	case "by":
		return s.isAny(i-1, "group", "order", "partition")
	case "materialized":
		return s.isAny(i-1, "as", "not")
	case "conflict":
		return s.is(i-1, "on")
	case "varying":
		return s.isAny(i-1, "character", "char", "bit", "nchar")
	case "passing", "columns":
		return s.top().call
	case "rollup", "cube", "sets":
		for j := range s.frames {
			if s.frames[j].grouped {
				return true
			}
		}
	}
	return false
}

// setting reads the first argument, at i, of current_setting and set_config.
func (s *scan) setting(i int, name string) {
	value, ok := s.literal(i)
	alone := s.isAny(i+1, ",", ")") || s.is(i+1, "::") && s.isWord(i+2) && s.isAny(i+3, ",", ")")
	if !ok || !alone {
		value, ok = s.pinned(i)
		alone = ok
	}
	if !ok || !alone {
		s.f.settings.add("*")
		s.f.dynamic = true
		return
	}
	value = strings.ToLower(value)
	s.f.settings.add(value)
	if name == "set_config" && assumes(value) {
		role, ok := s.literal(i + 2)
		if !ok || !s.isAny(i+3, ",", ")") {
			role = "*"
		}
		s.f.roles.add(role)
	}
}

// pinned reads set_config(name, …) FROM pg_settings WHERE name = 'x', by which tools set what a server may not have: x is all that it can name.
// i is the first argument; nothing may follow.
func (s *scan) pinned(i int) (string, bool) {
	if !s.is(i, "name") || !s.is(i+1, ",") || s.toks[i-1].match < 0 {
		return "", false
	}
	j := s.toks[i-1].match + 1
	if !s.is(j, "from") {
		return "", false
	}
	if j++; s.is(j, "pg_catalog") && s.is(j+1, ".") {
		j += 2
	}
	if !s.is(j, "pg_settings") || !s.is(j+1, "where") || !s.is(j+2, "name") || !s.is(j+3, "=") || j+5 < len(s.toks) && !s.is(j+5, ";") {
		return "", false
	}
	for _, r := range s.find("", "pg_settings") {
		if !r.system() {
			return "", false
		}
	}
	if s.made("", "pg_settings") != nil {
		return "", false
	}
	return s.literal(j + 4)
}

// assumes tells whether setting a parameter assumes a role.
func assumes(setting string) bool { return setting == "role" || setting == "session_authorization" }

// literal returns what the string at i stands for.
func (s *scan) literal(i int) (string, bool) {
	if i >= len(s.toks) {
		return "", false
	}
	switch t := &s.toks[i]; t.Kind {
	case String, Escaped, UString, Dollar:
		escape, ok := s.c.escape(s.text, s.toks, i)
		if !ok {
			return "", false
		}
		return Literal(t.Token, s.text, s.c.in.Conforming, escape)
	default:
		return "", false
	}
}

// finish works out the columns.
func (s *scan) finish() {
	for w := range s.before {
		if !s.aliases.has(w) {
			s.touch("", w)
		}
	}
	for w := range s.labels {
		if s.f.firm.has(w) {
			delete(s.labels, w)
		}
	}
	s.f.titles.merge(s.labels)
	s.rowCalls()
	for m := range s.mentions {
		name := strings.TrimPrefix(m, "*")
		rels, ok := s.placed[name]
		switch {
		case !ok && !s.c.body && (name == "old" || name == "new"): // of RETURNING and rules
			s.star = true
		case ok && len(rels) == 0, !ok && m != name:
			s.star = true
		case ok:
			for _, r := range rels {
				if s.whole == nil {
					s.whole = map[*relation]struct{}{}
				}
				s.whole[r] = struct{}{}
			}
		}
	}
	for r := range s.f.rels {
		_, all := s.whole[r]
		for i, c := range r.columns {
			if c != "" && (all || s.star || in(s.f.words, c) && !in(s.labels, c)) {
				s.f.columns.add(r.full + "." + c)
				if i < len(r.types) && r.types[i] != nil {
					for _, a := range r.types[i].Attributes {
						s.f.columns.add(a)
					}
				}
			}
		}
	}
}
