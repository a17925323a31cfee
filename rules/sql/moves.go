package sql

import (
	"slices"
	"strings"

	"weir"
)

// move is weir.Move as the key of a set.
type move = weir.Move

type moves map[move]struct{}

func (m *moves) add(v move) {
	if *m == nil {
		*m = moves{}
	}
	(*m)[v] = struct{}{}
}

func (m moves) sorted() []weir.Move {
	if len(m) == 0 {
		return nil
	}
	out := make([]weir.Move, 0, len(m))
	for v := range m {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b weir.Move) int {
		return strings.Compare(a.To+"\x00"+a.Name+"\x00"+a.Into+"\x00"+a.Relation, b.To+"\x00"+b.Name+"\x00"+b.Into+"\x00"+b.Relation)
	})
	return out
}

// sinkTable says where functions of pg_catalog put what they are given besides their result.
var sinkTable = map[string]string{
	"set_config": "setting", "pg_notify": "notification", "lo_from_bytea": "large object", "lo_put": "large object", "lowrite": "large object", "pg_logical_emit_message": "log",
	"setval": "sequence", "pg_advisory_lock": "lock", "pg_advisory_lock_shared": "lock", "pg_advisory_xact_lock": "lock", "pg_advisory_xact_lock_shared": "lock", "pg_try_advisory_lock": "lock",
	"pg_try_advisory_lock_shared": "lock", "pg_try_advisory_xact_lock": "lock", "pg_try_advisory_xact_lock_shared": "lock", "pg_create_restore_point": "log", "lo_create": "large object",
}

// maxEffort bounds how many tokens are looked at in search of moves; what is not looked at moves anything.
const maxEffort = 1 << 24

// flow is what is read where its value goes on, for one place.
type flow struct {
	names names
	all   bool // any column that the statement touches
}

// goes notes where a flow goes. column is the one that takes it, "" where that is not told.
func (s *scan) goes(to, column string, f *flow) {
	if f.all {
		s.f.moves.add(move{To: to, Name: "*"})
	}
	for n := range f.names {
		m := move{To: to, Name: n, Into: column}
		if to == "table" && column != "" {
			m.Relation = s.goal
		}
		s.f.moves.add(m)
	}
}

// moved notes the values that the statement of the tokens from lo to hi takes elsewhere than into its answer. What is only compared goes nowhere.
func (s *scan) moved(lo, hi int) {
	common := flow{} // what the queries of WITH read may come out anywhere
	if s.is(lo, "with") {
		for i := lo; i < hi; i++ {
			if s.is(i, "(") && s.toks[i].match > i && s.isAny(i-1, "as", "materialized") {
				s.flows(&common, i+1, s.toks[i].match)
			}
		}
	}
	if s.is(lo, "alter") {
		s.movedByAlter(lo, hi)
	}
	for i := lo; i < hi; i++ {
		if s.effort > maxEffort {
			s.f.moves.add(move{To: "table", Name: "*"})
			return
		}
		begins := i == lo || s.isAny(i-1, "(", ")", ";", "also", "instead", "do", "then", "else", "begin", "loop")
		switch {
		case s.is(i, "insert") && s.is(i+1, "into"):
			s.movedByInsert(i+2, s.until(i, hi), &common)
		case s.is(i, "update") && begins && s.isWord(i+1) && !s.is(i+1, "set"):
			s.movedByUpdate(i+1, s.until(i, hi), &common)
		case s.is(i, "merge") && s.is(i+1, "into"):
			s.movedByMerge(i+2, s.until(i, hi), &common)
		case s.is(i, "into") && !s.isAny(i-1, "insert", "merge") && (!s.c.body || s.c.into):
			s.movedBySelect(i, s.until(i, hi), lo, &common)
		case s.is(i, "create") && begins:
			s.movedByCreate(i+1, s.until(i, hi))
		case s.is(i, "generated") && s.is(i+1, "always") && s.is(i+2, "as") && s.is(i+3, "(") && s.toks[i+3].match > 0:
			s.flowInto("column", "", i+4, s.toks[i+3].match)
		case s.is(i, "default") && s.isAny(lo, "create", "alter") && !s.c.body: // what it reads is kept
			s.flowInto("column", "", i+1, min(s.until(i+1, hi), s.seek(i+1, hi, ",", "check", "constraint", "not", "primary", "unique", "references", "collate")))
		case s.is(i, "(") && s.toks[i].match > i && s.callee(i):
			s.movedByCall(i, lo, hi, &common)
		}
	}
}

// until is where the statement that holds token i ends: at hi, or the parenthesis around it.
func (s *scan) until(i, hi int) int {
	for ; i < hi; i++ {
		s.effort++
		switch {
		case s.is(i, "(") && s.toks[i].match > i:
			i = s.toks[i].match
		case s.is(i, ")"), s.is(i, ";"):
			return i
		}
	}
	return hi
}

// flowInto notes what the tokens from lo to hi read.
func (s *scan) flowInto(to, column string, lo, hi int) {
	f := flow{}
	s.flows(&f, lo, hi)
	s.bodied(&f)
	s.goes(to, column, &f)
}

// bodied makes all of a flow in a body: its variables may hold anything that the body reads.
func (s *scan) bodied(f *flow) {
	if s.c.body && len(f.names) > 0 {
		f.all = true
	}
}

// flows notes the names that are read between lo and hi and whose values may come out of it.
func (s *scan) flows(f *flow, lo, hi int) {
	s.effort += hi - lo
	query, from := s.isAny(lo, "select", "with", "table", "insert", "update", "delete"), false
	for i := lo; i < hi; i++ {
		t := &s.toks[i]
		switch {
		case s.is(i, "(") && t.match > i:
			s.flows(f, i+1, min(t.match, hi))
			i = t.match
		case query && s.isAny(i, "where", "on", "having", "group", "order", "limit", "offset") && !s.is(i-1, "."):
			i = s.compared(i+1, hi) - 1
		case query && s.isAny(i, "from", "join") && !s.is(i-1, "distinct"):
			from = true
		case s.isAny(i, "select", "union", "intersect", "except", "returning"):
			from = false
		case s.is(i, "table"):
			f.all = true
		case t.Kind == Operator:
			f.all = f.all || t.word == "*" && s.isStar(i)
		case !s.isName(i) || s.is(i-1, "as") && !from:
		case from:
			s.source(f, i)
		default:
			s.flowName(f, i)
		}
	}
}

// flowName notes the name at i.
func (s *scan) flowName(f *flow, i int) {
	w := s.toks[i].word
	if s.is(i+1, "(") {
		if w == "current_setting" {
			f.names.add(w)
		}
		for _, fn := range s.c.in.Snapshot.functions[w] {
			f.all = f.all || fn.schema != "pg_catalog" && fn.body.text != ""
		}
		f.all = f.all || s.renames(w)
		return
	}
	_, row := s.placed[w]
	row = row || w == "old" || w == "new" // of rules and triggers
	f.all = f.all || row && (!s.is(i+1, ".") || s.is(i+2, "*")) || s.renames(w)
	f.names.add(w)
}

// renames tells whether a name is of something that this session or this text made, whose columns may be called as they like.
func (s *scan) renames(name string) bool { return s.made("", name) != nil || s.c.made.has(name) }

// compared is where a clause that only compares ends.
func (s *scan) compared(i, hi int) int {
	for ; i < hi; i++ {
		switch {
		case s.is(i, "(") && s.toks[i].match > i:
			i = s.toks[i].match
		case s.isAny(i, "union", "intersect", "except", "returning", "join", "left", "right", "full", "inner", "cross", "natural", "when", "do", "set", "window", "for") && !s.is(i+1, "("):
			return i
		}
	}
	return hi
}

// target reads the name of what is written to. It returns where to go on, and whether it is the session's own.
func (s *scan) target(i, hi int) (next int, own bool) {
	s.goal = ""
	for s.isAny(i, "only", "table") {
		i++
	}
	schema := ""
	for i+2 < hi && s.is(i+1, ".") {
		schema = s.toks[i].word
		i += 2
	}
	if i >= hi {
		return hi, false
	}
	if found := s.find(schema, s.toks[i].word); len(found) == 1 {
		s.goal = found[0].full
	}
	return i + 1, s.own(schema, s.toks[i].word)
}

// own tells whether a name can only be of a temporary table.
func (s *scan) own(schema, name string) bool {
	if temporary(schema) {
		return true
	}
	n := s.c.in.Names
	made := n != nil && n.tables[name] != nil && temporary(n.tables[name].schema)
	found := s.c.in.Snapshot.find(s.c.path, schema, name, s.c.any)
	for _, r := range found {
		if !temporary(r.schema) {
			return made && schema == "" // a temporary one comes first, whatever the path
		}
	}
	return made
}

func (s *scan) movedByInsert(i, hi int, common *flow) {
	i, own := s.target(i, hi)
	if s.is(i, "as") {
		i += 2
	}
	var columns []string
	if s.is(i, "(") && s.toks[i].match > i && !s.isAny(i+1, "select", "with", "values", "table", "(") {
		for j := i + 1; j < s.toks[i].match; j++ {
			if s.isWord(j) && s.isAny(j-1, "(", ",") {
				columns = append(columns, s.toks[j].word)
			}
		}
		i = s.toks[i].match + 1
	}
	if own {
		return
	}
	end := hi
	for j := i; j < hi; j++ {
		switch {
		case s.is(j, "(") && s.toks[j].match > j:
			j = s.toks[j].match
		case s.is(j, "on") && s.is(j+1, "conflict"):
			end = min(end, j)
			if k := s.seek(j, hi, "set"); k < hi {
				s.assigned(k+1, hi)
			}
		case s.is(j, "returning"):
			end = min(end, j)
		}
	}
	s.goes("table", "", common)
	switch {
	case s.is(i, "values"):
		for j := i + 1; j < end; j++ {
			if s.is(j, "(") && s.toks[j].match > j {
				s.listInto(columns, j+1, s.toks[j].match)
				j = s.toks[j].match
			}
		}
	case s.is(i, "select"):
		from := s.seek(i, end, "from")
		s.listInto(columns, i+1, from)
		f := flow{}
		s.flows(&f, i, end)
		if from < end {
			f.names = nil
			s.flowsFrom(&f, from, end)
		}
		if len(columns) == 0 || s.seek(i, end, "union", "intersect", "except") < end {
			s.flows(&f, i, end)
		}
		s.bodied(&f)
		s.goes("table", "", &f)
	default:
		s.flowInto("table", "", i, end)
	}
}

// flowsFrom notes what the queries and functions in FROM read.
func (s *scan) flowsFrom(f *flow, lo, hi int) {
	for i := lo; i < hi && !s.isAny(i, "where", "group", "having", "order", "limit", "window"); i++ {
		switch {
		case s.is(i, "(") && s.toks[i].match > i:
			if !s.is(i-1, "using") || s.isAny(i+1, "select", "with", "values", "table", "(") {
				s.flows(f, i+1, s.toks[i].match)
			}
			i = s.toks[i].match
		case s.isName(i):
			s.source(f, i)
		}
	}
}

// source notes what the name at i, in FROM, reads: a function, or a list of new names for columns.
func (s *scan) source(f *flow, i int) {
	w := s.toks[i].word
	if !s.is(i+1, "(") {
		f.all = f.all || s.renames(w)
		return
	}
	j := i - 1
	if s.is(j, "as") {
		j--
	}
	only := s.is(j, ")") && s.toks[j].match > 0 && s.is(s.toks[j].match-1, "only")
	f.all = f.all || only || s.is(j, "*") || j >= 0 && s.isName(j) && s.toks[j].class != function && !s.isAny(j, "tablesample", "ordinality") || s.relabels(i)
	s.flowName(f, i)
}

// relabels tells whether the name at i, in FROM, gives the columns of relations in parentheses other names: (t JOIN u …) AS i (a, b).
func (s *scan) relabels(i int) bool {
	j := i - 1
	if s.is(j, "as") {
		j--
	}
	return s.is(i+1, "(") && s.is(j, ")") && s.toks[j].match >= 0 && !s.callee(s.toks[j].match) && !s.isAny(s.toks[j].match+1, "select", "with", "values", "table")
}

// sources notes what the queries and functions in any FROM between lo and hi read.
func (s *scan) sources(f *flow, lo, hi int) {
	for i := lo; i < hi; i++ {
		if s.is(i, "from") {
			s.flowsFrom(f, i+1, hi)
		}
	}
}

// seek is where one of the words stands at the level of i, hi where it does not.
func (s *scan) seek(i, hi int, words ...string) int {
	for ; i < hi; i++ {
		if s.is(i, "(") && s.toks[i].match > i {
			i = s.toks[i].match
		} else if s.isAny(i, words...) && !s.is(i-1, ".") {
			return i
		}
	}
	return hi
}

// listInto notes what the values of a list read, each for the column in its place.
func (s *scan) listInto(columns []string, lo, hi int) {
	var spans [][2]int
	start := lo
	for i := lo; i <= hi; i++ {
		switch {
		case i < hi && s.is(i, "(") && s.toks[i].match > i:
			i = s.toks[i].match
		case i == hi, s.is(i, ","):
			spans = append(spans, [2]int{start, i})
			start = i + 1
		}
	}
	for i, span := range spans {
		column := ""
		if len(spans) == len(columns) {
			column = columns[i]
		}
		s.flowInto("table", column, span[0], span[1])
	}
}

// assigned notes what the assignments of SET from lo on read.
func (s *scan) assigned(lo, hi int) {
	end := s.seek(lo, hi, "from", "where", "returning", "when")
	start := lo
	for i := lo; i <= end; i++ {
		switch {
		case i < end && s.is(i, "(") && s.toks[i].match > i:
			i = s.toks[i].match
		case i == end, s.is(i, ","):
			column := ""
			if s.isWord(start) && !s.is(start, "row") {
				column = s.toks[start].word
			}
			eq := s.seek(start, i, "=")
			s.flowInto("table", column, eq+1, i)
			start = i + 1
		}
	}
}

func (s *scan) movedByUpdate(i, hi int, common *flow) {
	i, own := s.target(i, hi)
	set := s.seek(i, hi, "set")
	if own || set >= hi {
		return
	}
	s.goes("table", "", common)
	s.assigned(set+1, hi)
	f := flow{}
	if from := s.seek(set, hi, "from"); from < hi {
		s.flowsFrom(&f, from, hi)
		s.goes("table", "", &f)
	}
}

func (s *scan) movedByMerge(i, hi int, common *flow) {
	i, own := s.target(i, hi)
	if own {
		return
	}
	s.goes("table", "", common)
	f := flow{}
	s.flowsFrom(&f, i, s.seek(i, hi, "when"))
	s.goes("table", "", &f)
	for ; i < hi; i++ {
		switch {
		case s.is(i, "update") && s.is(i+1, "set"):
			s.assigned(i+2, hi)
		case s.is(i, "insert") && !s.is(i+1, "into"):
			var columns []string
			j := i + 1
			if s.is(j, "(") && s.toks[j].match > j {
				for k := j + 1; k < s.toks[j].match; k++ {
					if s.isWord(k) && s.isAny(k-1, "(", ",") {
						columns = append(columns, s.toks[k].word)
					}
				}
				j = s.toks[j].match + 1
			}
			if j = s.seek(j, hi, "values"); s.is(j+1, "(") && s.toks[j+1].match > j {
				s.listInto(columns, j+2, s.toks[j+1].match)
			}
		}
	}
}

// movedBySelect reads SELECT … INTO. i is INTO.
func (s *scan) movedBySelect(i, hi, lo int, common *flow) {
	if !s.c.body && (s.isAny(i+1, "temp", "temporary") || s.isAny(i+1, "local", "global") && s.isAny(i+2, "temp", "temporary")) {
		return
	}
	for i > lo && !s.is(i, "select") {
		i--
	}
	s.goes("table", "", common)
	s.flowInto("table", "", i, hi)
}

// movedByCreate reads CREATE TABLE … AS. Views are known by what they are made of, temporary tables by what the session remembers, unless a function
// makes them.
func (s *scan) movedByCreate(i, hi int) {
	for s.isAny(i, "unlogged", "local", "global", "temp", "temporary") {
		if s.isAny(i, "temp", "temporary") && !s.c.body {
			return
		}
		i++
	}
	for s.isAny(i, "or", "replace", "constraint") {
		i++
	}
	if s.is(i, "trigger") {
		s.movedByTrigger(i, hi)
	}
	if !s.is(i, "table") {
		return
	}
	i++
	for s.isAny(i, "if", "not", "exists") {
		i++
	}
	if _, own := s.target(i, hi); own && s.is(i+1, ".") && !s.c.body { // pg_temp.x
		return
	}
	if as := s.seek(i, hi, "as"); as < hi {
		if s.is(as+1, "execute") {
			s.f.moves.add(move{To: "table", Name: "*"})
			return
		}
		f := flow{}
		s.flows(&f, as+1, hi)
		if s.is(as+1, "(") {
			s.flows(&f, as+2, s.toks[as+1].match)
		}
		s.goes("table", "", &f)
	}
}

// movedByTrigger reads CREATE TRIGGER: a function that writes, with the row or the columns that its text names.
func (s *scan) movedByTrigger(i, hi int) {
	for ; i < hi && (!s.is(i, "execute") || !s.isAny(i+1, "function", "procedure")); i++ {
	}
	for i += 2; i+2 < hi && s.is(i+1, "."); {
		i += 2
	}
	if i >= hi {
		return
	}
	name := s.toks[i].word
	for _, fn := range s.c.in.Snapshot.functions[name] {
		d := fn.body.read(s.c.in.Snapshot)
		if d == nil {
			continue
		}
		if d.words.has("new") && (len(d.columns) > 0 || d.callsOwn()) { // it may put what it reads into the row
			s.f.moves.add(move{To: "function", Name: "*"})
		}
		if !d.writes {
			continue
		}
		for w := range d.words {
			s.f.moves.add(move{To: "function", Name: w})
		}
		if d.rows {
			s.f.moves.add(move{To: "function", Name: "*"})
			s.star = true
		}
	}
	if made := s.made("", name); made != nil && (!made.ReadOnly || made.Unclear != "" || len(made.Columns) > 0) {
		s.f.moves.add(move{To: "function", Name: "*"})
		s.star = true
	}
}

// callsOwn tells whether functions of users are called.
func (f *facts) callsOwn() bool {
	for fn := range f.calls {
		if fn.schema != "pg_catalog" {
			return true
		}
	}
	return false
}

// movedByAlter reads what takes a column's protection by its name away, and what computes a column of another.
func (s *scan) movedByAlter(lo, hi int) {
	i := lo + 1
	if !s.isAny(i, "table", "foreign", "view", "materialized", "index", "type") { // ALTER VIEW and ALTER INDEX take tables as well, and types are of tables
		return
	}
	view := s.isAny(i, "view", "materialized") // which keeps its protection under any name
	for ; i < hi; i++ {
		switch {
		case view && s.is(i, "rename") && s.is(i+1, "to"):
		case s.is(i, "rename") && s.is(i+1, "to"), s.is(i, "set") && s.is(i+1, "schema"), s.is(i, "inherit") && !s.is(i-1, "no"), s.is(i, "attach") && s.is(i+1, "partition"):
			s.f.moves.add(move{To: "name", Name: "*", Into: "="})
		case s.is(i, "rename") && !s.is(i+1, "constraint"):
			j := i + 1
			if s.isAny(j, "column", "attribute") {
				j++
			}
			if s.isWord(j) && s.is(j+1, "to") && s.isWord(j+2) {
				s.f.moves.add(move{To: "name", Name: s.toks[j].word, Into: s.toks[j+2].word})
			}
		case s.is(i, "type") && s.isWord(i-1):
			column := s.toks[i-1].word
			if s.is(i-2, "set") || s.is(i-1, "data") && i > 2 {
				column = s.toks[i-3].word
			}
			if using := s.seek(i, hi, "using", ","); s.is(using, "using") {
				s.flowInto("column", column, using+1, s.seek(using, hi, ","))
			}
		}
	}
}

// movedByCall reads the arguments, in the parenthesis at i, of a function that puts them elsewhere.
func (s *scan) movedByCall(i, from, until int, common *flow) {
	name := s.toks[i-1].word
	to := sinkTable[name]
	lo := i + 1
	if name == "set_config" {
		lo = s.seek(lo, s.toks[i].match, ",")
	}
	for _, fn := range s.c.in.Snapshot.functions[name] {
		if fn.schema == "pg_catalog" || to != "" {
			continue
		}
		if d := fn.body.read(s.c.in.Snapshot); d != nil && d.writes {
			to = "function"
		}
	}
	if to == "" {
		return
	}
	f := flow{}
	s.flows(&f, lo, s.toks[i].match)
	if len(f.names) > 0 { // they may be names that a query has given
		s.goes(to, "", common)
		s.sources(&f, from, until)
	}
	s.bodied(&f)
	s.goes(to, "", &f)
}
