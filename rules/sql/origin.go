package sql

import (
	"slices"
	"strings"
)

// Origin is what a column of a view, of a table that has children, or of a composite type, may be made of.
type Origin struct {
	Columns  []string // "schema.relation.column", of those that the view reads, or of the children, and attributes of composites
	Settings bool     // settings of the server, any of them
	Named    []string // those that are read by their names, lower case
	Text     string   // the expression; the view's query where that cannot be told
}

// origins are those of one relation's columns, found out once.
type origins struct {
	byColumn []Origin
	ok       bool
}

// Origin tells what a column of a view is made of; false for what is no view, has no children and is of no composite type, and for views of the system. It says too
// much rather than too little. relation is "schema.name".
func (s *Snapshot) Origin(relation, column string) (Origin, bool) {
	schema, name, _ := strings.Cut(relation, ".")
	for _, r := range s.relations[name] {
		t := r.typed(column)
		if r.schema != schema || !r.view && len(r.children) == 0 && (t == nil || len(t.Attributes) == 0) || r.system() {
			continue
		}
		if !r.view {
			var o Origin
			if t != nil {
				o.Columns = slices.Clone(t.Attributes)
			}
			for _, child := range r.children {
				if slices.Contains(s.Columns(child), column) {
					o.Columns = append(o.Columns, child+"."+column)
				}
			}
			return o, true
		}
		r.once.Do(func() { r.origins = s.originsOf(r) })
		i := slices.Index(r.columns, column)
		if i < 0 || !r.origins.ok || i >= len(r.origins.byColumn) {
			return Origin{}, false
		}
		o := r.origins.byColumn[i]
		if t != nil {
			o.Columns = append(o.Columns[:len(o.Columns):len(o.Columns)], t.Attributes...)
		}
		return o, true
	}
	return Origin{}, false
}

func (s *Snapshot) originsOf(r *relation) origins {
	in := Input{Snapshot: s, SearchPath: []string{"$user"}, Conforming: true, MaxBytes: maxBody}
	reads := Classify(r.definition.text, in)
	out := origins{byColumn: make([]Origin, len(r.columns)), ok: true}
	all := Origin{Columns: reads.Columns, Settings: slices.Contains(reads.Settings, "*") || reads.Dynamic || reads.Unclear != "", Named: reads.Settings, Text: r.definition.text}
	for i := range out.byColumn {
		out.byColumn[i] = all
	}
	c := &classifier{in: in, path: in.SearchPath, any: true, out: &facts{}}
	toks := c.tokens(r.definition.text)
	if c.deep || reads.Unclear != "" {
		return out
	}
	c.decode(r.definition.text, toks)
	sc := &scan{c: c, text: r.definition.text, toks: toks, f: c.out}
	sc.run(0, len(toks))
	spans := sc.outputSpans()
	if len(spans) != len(r.columns) || !sc.plainFrom(spans[len(spans)-1][1]) {
		return out
	}
	for i, span := range spans {
		names, whole := sc.cited(span[0], span[1])
		if whole {
			continue
		}
		o := Origin{Settings: all.Settings, Named: reads.Settings, Text: r.definition.text[toks[span[0]].Start:toks[span[1]-1].End]}
		for _, column := range reads.Columns {
			if names.has(column[strings.LastIndexByte(column, '.')+1:]) {
				o.Columns = append(o.Columns, column)
			}
		}
		out.byColumn[i] = o
	}
	return out
}

// plainFrom tells whether what is read, from token lo on, are relations under names of their own columns: no queries, functions or lists of aliases.
func (s *scan) plainFrom(lo int) bool {
	for i := 1; i < len(s.toks); i++ {
		if s.isAny(i, "select", "with", "values", "table") {
			return false
		}
	}
	for i := lo; i < len(s.toks) && !s.isAny(i, "where", "group", "having", "window", "order", "limit"); i++ {
		if s.is(i, "(") && s.isName(i-1) {
			return false
		}
	}
	return true
}

// cited are the names in an expression; whole is set where more than them may be meant: whole rows, queries, functions that read.
func (s *scan) cited(lo, hi int) (cited names, whole bool) {
	if hi-2 > lo && s.is(hi-2, "as") {
		hi -= 2
	}
	for i := lo; i < hi; i++ {
		switch {
		case s.isAny(i, "select", "with", "table", "values"), s.is(i, "*") && s.isStar(i):
			return cited, true
		case !s.isWord(i):
			continue
		}
		w := s.toks[i].word
		if s.is(i+1, "(") && s.toks[i].class != reserved {
			if in(syntaxTable, w) && !s.toks[i].name {
				continue
			}
			for _, fn := range s.c.in.Snapshot.functions[w] {
				whole = whole || fn.schema != "pg_catalog"
			}
			continue
		}
		if _, ok := s.placed[w]; ok && !s.is(i+1, ".") {
			return cited, true // a row
		}
		cited.add(w)
	}
	return cited, whole
}
