package sql

import (
	"slices"
	"strings"
)

// Binding is what a statement does to a name that later statements of the session may use.
type Binding struct {
	// Verb is "PREPARE", "DEALLOCATE", "DECLARE", "CLOSE", "CREATE", "DROP", "SAVEPOINT", "RELEASE", or "ROLLBACK" to one; "DISCARD", and "DEALLOCATE", "CLOSE" and
	// "ROLLBACK" with no name, mean all
	Verb   string
	Name   string
	Kind   string // of CREATE and DROP: "table", "view", "function" …; "alias" for another name of what there is, "on" for what runs with a relation
	Schema string // of CREATE and DROP: as it is written; "pg_temp" where it is temporary
	Maybe  bool   // IF NOT EXISTS: there may be another one
	Makes  bool   // of a function: it may make or alter something itself
	// Columns are the names that ALTER gives to columns of a relation: new ones, and others
	Columns []string
}

// Bindings tells which names a text gives and takes, in order, so that a session can tell Input's funcs what they stand for: what Classify said of the
// text. A text that cannot be read has none, and is unclear to Classify. SELECT INTO and CREATE … AS count as CREATE; a name made in a text that runs in
// a function is not seen.
func Bindings(text string, in Input) []Binding {
	c := &classifier{in: in, out: &facts{}}
	toks := c.tokens(text)
	if c.deep {
		return nil
	}
	c.decode(text, toks)
	s := &scan{c: c, text: text, toks: toks, f: c.out}
	var out []Binding
	for lo := 0; lo < len(toks); {
		hi := statementEnd(toks, lo)
		out = s.bindings(out, lo, hi)
		lo = hi + 1
	}
	return out
}

// Split cuts a text into its statements, without the semicolons between them. Those of a text that cannot be read are unclear to Classify.
func Split(text string, conforming bool) []string {
	c := &classifier{in: Input{Conforming: conforming}, out: &facts{}}
	toks := c.tokens(text)
	var out []string
	for lo := 0; lo < len(toks); {
		hi := statementEnd(toks, lo)
		if hi > lo {
			out = append(out, text[toks[lo].Start:toks[hi-1].End])
		}
		lo = hi + 1
	}
	return out
}

func (s *scan) bindings(out []Binding, lo, hi int) []Binding {
	if s.is(lo, "explain") {
		lo = s.explained(lo, hi)
	}
	if lo >= hi {
		return out
	}
	w := s.toks[lo].word
	i := lo + 1
	switch w {
	case "prepare", "declare", "deallocate", "close":
		if w == "prepare" && s.transaction(lo) {
			return out
		}
		if w == "deallocate" && s.is(i, "prepare") && i+1 < hi {
			i++
		}
		name := ""
		if i < hi && !s.is(i, "all") {
			name = s.toks[i].word
		}
		return append(out, Binding{Verb: strings.ToUpper(w), Name: name})
	case "savepoint", "release", "rollback", "abort":
		return s.bindSavepoint(out, w, i, hi)
	case "discard":
		return append(out, Binding{Verb: "DISCARD"})
	case "create", "drop":
		return s.bindCreate(out, w, i, hi)
	case "alter":
		return s.bindAlter(out, lo, hi)
	case "select", "with":
		depth := 0
		for ; i < hi; i++ {
			switch {
			case s.is(i, "("):
				depth++
			case s.is(i, ")"):
				depth--
			case depth == 0 && s.is(i, "into") && !s.isAny(i-1, "insert", "merge"):
				temp := false
				for i++; s.isAny(i, "temp", "temporary", "local", "global", "unlogged", "table"); i++ {
					temp = temp || s.isAny(i, "temp", "temporary")
				}
				return s.named(out, Binding{Verb: "CREATE", Kind: "table"}, temp, i, hi)
			}
		}
	}
	return out
}

// bindSavepoint adds the savepoint that the statement w makes, releases or goes back to. i is behind w.
func (s *scan) bindSavepoint(out []Binding, w string, i, hi int) []Binding {
	b := Binding{Verb: strings.ToUpper(w)}
	if w == "abort" {
		b.Verb = "ROLLBACK"
	}
	to := w == "savepoint" || w == "release"
	for i < hi && s.isAny(i, "work", "transaction", "to") {
		to = to || s.is(i, "to")
		i++
	}
	if to && w != "savepoint" && s.is(i, "savepoint") && i+1 < hi {
		i++
	}
	if to && i < hi {
		b.Name = s.toks[i].word
	}
	return append(out, b)
}

// bindCreate adds what the CREATE or DROP before i makes or takes.
func (s *scan) bindCreate(out []Binding, w string, i, hi int) []Binding {
	temp := false
	for s.isAny(i, "or", "replace", "temp", "temporary", "local", "global", "unlogged", "materialized", "recursive", "foreign") {
		temp = temp || s.isAny(i, "temp", "temporary")
		i++
	}
	if w == "create" && s.isAny(i, "rule", "trigger", "constraint", "policy", "index", "unique") {
		return s.bindOn(out, i, hi)
	}
	if w == "create" && s.is(i, "schema") {
		return s.bindElements(out, i, hi)
	}
	if !s.isAny(i, "table", "view", "function", "procedure", "aggregate", "sequence", "type", "domain") {
		return out
	}
	b := Binding{Verb: strings.ToUpper(w), Kind: s.toks[i].word}
	for i++; s.isAny(i, "if", "not", "exists"); i++ {
		b.Maybe = true
	}
	b.Makes = w == "create" && (b.Kind == "function" || b.Kind == "procedure") && s.makes(i, hi)
	return s.named(out, b, temp, i, hi)
}

// explained returns where the statement begins that the EXPLAIN at lo runs, if it makes a table; hi where there is none.
func (s *scan) explained(lo, hi int) int {
	runs, list := false, s.is(lo+1, "(")
	i := lo + 1
	for ; i < hi && !s.isAny(i, "create", "select", "with"); i++ {
		if s.isAny(i, "analyze", "analyse") {
			value, ok := s.literal(i + 1)
			if !ok && i+1 < hi {
				value = s.text[s.toks[i+1].Start:s.toks[i+1].End]
			}
			runs = !list || value != "0" && !strings.EqualFold(value, "off") && !strings.EqualFold(value, "false")
		}
	}
	if !runs {
		return hi
	}
	return i
}

// makes tells whether one of the bodies from i on may make or alter something.
func (s *scan) makes(i, hi int) bool {
	for ; i < hi; i++ {
		text, ok := s.literal(i)
		if !ok {
			continue
		}
		for lex := (Lexer{Text: text, Conforming: s.c.in.Conforming}); ; {
			t := lex.Next()
			if t.Kind == End {
				break
			}
			if w := fold(text[t.Start:t.End]); t.Kind == Word && (w == "create" || w == "alter") {
				return true
			}
		}
	}
	return false
}

// surely are the ways to name what b has made, where nothing else is meant by them: "name", "schema.name", "*.name" for any schema; with "?" in front
// where there may have been another one.
func (b *Binding) surely(path []string) []string {
	if b.Verb != "CREATE" || b.Kind == "schema" || b.Kind == "on" {
		return nil
	}
	if b.Maybe {
		sure := *b
		sure.Maybe = false
		out := sure.surely(path)
		for i := range out {
			out[i] = "?" + out[i]
		}
		return out
	}
	anywhere := slices.Contains(path, "$user")
	switch {
	case b.Schema == "":
		out := []string{b.Name}
		for _, schema := range path {
			out = append(out, schema+"."+b.Name)
		}
		if anywhere {
			out = append(out, "*."+b.Name)
		}
		return out
	case anywhere, slices.Contains(path, b.Schema), b.Schema == "pg_temp" && b.Kind != "function" && b.Kind != "procedure" && b.Kind != "aggregate":
		return []string{b.Name, b.Schema + "." + b.Name}
	}
	return []string{b.Schema + "." + b.Name}
}

// sure tells whether a name surely is of what this text or this session made. maybe: there may have been another one, since only rows go into it.
func (s *scan) sure(schema, name string, maybe bool) bool {
	if s.c.in.Made != nil && s.c.in.Made(name) != nil {
		return true
	}
	if temporary(schema) {
		schema = "pg_temp"
	}
	has := func(made names, doubt string) bool {
		return schema == "" && made.has(doubt+name) || schema != "" && (made.has(doubt+schema+"."+name) || made.has(doubt+"*."+name))
	}
	in := func(made names) bool { return has(made, "") || maybe && has(made, "?") }
	return in(s.c.sure) || s.c.in.Names != nil && in(s.c.in.Names.sure)
}

// bindElements adds what the CREATE SCHEMA at i makes in the schema.
func (s *scan) bindElements(out []Binding, i, hi int) []Binding {
	for i++; i < hi; i++ {
		if s.is(i, "(") && s.toks[i].match > i {
			i = s.toks[i].match
		} else if s.is(i, "create") {
			out = s.bindings(out, i, hi)
		}
	}
	for j := range out {
		out[j].Maybe = out[j].Maybe || out[j].Verb == "CREATE" // in which schema is not told
	}
	return out
}

// bindOn adds the relation of the rule, trigger, policy or index at i, which a rule may make a view of.
func (s *scan) bindOn(out []Binding, i, hi int) []Binding {
	b, rule := Binding{Verb: "CREATE", Kind: "on"}, s.is(i, "rule")
	for ; i+1 < hi; i++ {
		switch {
		case rule && s.is(i, "on") && s.is(i+2, "to"):
			if s.is(i+1, "select") {
				b.Kind = "view"
			}
			return s.named(out, b, false, i+3, hi)
		case !rule && s.is(i, "on"):
			if i++; s.is(i, "only") {
				i++
			}
			return s.named(out, b, false, i, hi)
		}
	}
	return out
}

// bindAlter adds what ALTER gives a new name.
func (s *scan) bindAlter(out []Binding, lo, hi int) []Binding {
	b := Binding{Verb: "CREATE", Kind: "alias"}
	i := lo + 1
	for s.isAny(i, "materialized", "foreign") {
		i++
	}
	switch {
	case s.is(i, "schema"):
		b.Kind = "schema"
	case !s.isAny(i, "table", "view", "index", "function", "procedure", "routine", "aggregate", "sequence"):
		return out
	}
	for i++; s.isAny(i, "if", "exists", "only"); i++ {
	}
	for j := i + 1; j+2 < hi; j++ {
		switch {
		case s.is(j, "rename") && s.is(j+1, "to"):
			return s.named(out, b, false, j+2, hi)
		case s.is(j, "set") && s.is(j+1, "schema") && s.isWord(j+2):
			if out = s.named(out, b, false, i, j); len(out) > 0 {
				out[len(out)-1].Schema = s.toks[j+2].word
			}
			return out
		}
	}
	if b.Kind != "schema" {
		b.Kind = "on"
		s.newColumns(&b, i, hi)
		return s.named(out, b, false, i, hi)
	}
	return out
}

// newColumns adds to b the names that columns get from i on.
func (s *scan) newColumns(b *Binding, i, hi int) {
	for i++; i < hi; i++ {
		switch {
		case s.is(i, "("):
			if s.toks[i].match > i {
				i = s.toks[i].match
			}
		case s.is(i, "add"):
			for i++; s.isAny(i, "column", "if", "not", "exists"); i++ {
			}
			if s.isWord(i) && i < hi && (s.toks[i].name || !s.isAny(i, "constraint", "primary", "unique", "foreign", "check", "exclude")) {
				b.Columns = append(b.Columns, s.toks[i].word)
			}
		case s.is(i, "rename") && !s.is(i+1, "constraint"):
			if s.is(i+1, "column") {
				i++
			}
			if i+3 < hi && s.isWord(i+1) && s.is(i+2, "to") && s.isWord(i+3) {
				b.Columns = append(b.Columns, s.toks[i+3].word)
			}
		}
	}
}

// named adds b with the name at i.
func (s *scan) named(out []Binding, b Binding, temp bool, i, hi int) []Binding {
	for i+2 < hi && s.is(i+1, ".") {
		b.Schema = s.toks[i].word
		i += 2
	}
	if temp || temporary(b.Schema) {
		b.Schema = "pg_temp"
	}
	if i < hi && s.isWord(i) {
		b.Name = s.toks[i].word
		out = append(out, b)
	}
	return out
}
