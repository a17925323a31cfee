package sql

// scan walks over the tokens of one text once. It keeps a frame for each open parenthesis, so that it knows where names of
// relations are due; what a name touches does not depend on that, only whether an unknown one is missed.
type scan struct {
	c      *classifier
	text   string
	toks   []tok
	f      *facts
	nested int
	effort int    // spent on moves
	goal   string // the relation that a write is to
	ddl    bool   // the statement defines something, so names may be of new things, and of functions that run later

	frames   []frame
	star     bool                   // all columns of all relations may be meant
	placed   map[string][]*relation // names that may stand for whole rows, and of which relations; none means of all
	mentions names                  // names that stand in expressions
	fields   map[[2]string]struct{} // names, and what is behind their dots, that may call functions with rows
	labels   names                  // words that are only names given here, so far: labels of result columns and aliases
	aliases  names                  // in FROM
	before   names                  // what stands before dots
	whole    map[*relation]struct{} // relations of which all columns are meant
}

type frame struct {
	call      bool // behind a function's name, where FROM may be part of the arguments
	with      bool // in the list of WITH
	recursive bool
	cte       string // whose query this is
	due       string // the name in WITH whose query comes next
	ctes      names
	verb      string
	from      bool // in a list of relations
	want      bool // a relation's name is due
	target    bool // and it is no name of WITH
	joined    bool
	grouped   bool // behind GROUP BY
	item      item
	rels      []*relation // of the last item
	end       int         // of its name
	pending   bool        // an UPDATE or DELETE without WHERE so far
}

type item uint8

const (
	noItem item = iota
	relationItem
	functionItem
	parenItem
)

func (s *scan) top() *frame { return &s.frames[len(s.frames)-1] }

// is tells whether token i is the unquoted word or the mark w.
func (s *scan) is(i int, w string) bool {
	return i >= 0 && i < len(s.toks) && s.toks[i].word == w && !s.toks[i].name
}

func (s *scan) isAny(i int, words ...string) bool {
	for _, w := range words {
		if s.is(i, w) {
			return true
		}
	}
	return false
}

// isName tells whether token i may name something.
func (s *scan) isName(i int) bool {
	return i < len(s.toks) && (s.toks[i].name || s.toks[i].Kind == Word && s.toks[i].class != reserved)
}

// run walks over the tokens from lo to hi.
func (s *scan) run(lo, hi int) {
	base := len(s.frames)
	s.frames = append(s.frames, frame{})
	for i := lo; i < hi; {
		i = s.step(i, base)
	}
	for len(s.frames) > base {
		s.pop()
	}
}

func (s *scan) pop() {
	f := s.top()
	if f.pending {
		s.f.noWhere = true
	}
	cte := f.cte
	s.frames = s.frames[:len(s.frames)-1]
	if cte != "" && len(s.frames) > 0 {
		s.top().ctes.add(cte)
	}
}

func (s *scan) step(i, base int) int {
	t := &s.toks[i]
	switch {
	case t.Kind == Mark:
		return s.mark(i, base)
	case t.name:
		return s.chain(i)
	case t.Kind == Word:
		if next := s.keyword(i); next > i {
			return next
		}
		if t.class == reserved || t.class == function && !s.calls(i) {
			if f := s.top(); !s.isAny(i, "only", "lateral") {
				f.want, f.item, f.rels = false, noItem, nil
			}
			if t.class == function && s.is(i+1, "(") { // an operator, most likely
				s.cite(t.word)
				for _, fn := range s.c.in.Snapshot.functions[t.word] {
					s.f.call(fn)
				}
			}
			return i + 1
		}
		return s.chain(i)
	case t.Kind == Operator:
		if t.word == "*" && s.isStar(i) {
			s.star = true
		}
	}
	return i + 1
}

func (s *scan) mark(i, base int) int {
	f := s.top()
	switch s.toks[i].word {
	case "(":
		n := frame{call: s.callee(i)}
		if f.want && !n.call {
			n.from, n.want = true, true
			f.want, f.item, f.rels = false, parenItem, nil
		}
		if f.due != "" && s.isAny(i-1, "as", "materialized") {
			n.cte, f.due = f.due, ""
		}
		s.frames = append(s.frames, n)
	case ")":
		if len(s.frames) > base+1 {
			s.pop()
		}
	case ",":
		if f.from {
			f.want, f.item, f.rels = true, noItem, nil
		}
	case ";":
		if f.pending {
			s.f.noWhere = true
		}
		*f = frame{cte: f.cte}
	case ".":
		// a field of something in parentheses: (x).y
		if s.isWord(i + 1) {
			s.cite(s.toks[i+1].word)
			s.touch("?", s.toks[i+1].word)
			s.field("", s.toks[i+1].word, s.is(i+2, "("))
			return i + 2
		}
		if s.is(i+1, "*") {
			s.star = true
			return i + 2
		}
	}
	return i + 1
}

func (s *scan) isWord(i int) bool {
	return i < len(s.toks) && (s.toks[i].name || s.toks[i].Kind == Word)
}

// callee tells whether the parenthesis at i stands behind the name of a function.
func (s *scan) callee(i int) bool {
	if i == 0 || s.toks[i-1].class == function && !s.toks[i-1].name && !s.calls(i-1) { // JOIN (SELECT …)
		return false
	}
	return (s.toks[i-1].name || s.toks[i-1].Kind == Word && s.toks[i-1].class != reserved) && !s.isAny(i-1, "values", "materialized", "exists")
}

// isStar tells whether the * at i means columns, and is no multiplication and no count(*).
func (s *scan) isStar(i int) bool {
	if s.is(i-1, "(") && s.is(i+1, ")") {
		return false
	}
	return !s.operand(i-1) || !s.begins(i+1)
}

// operand tells whether token i may end an operand.
func (s *scan) operand(i int) bool {
	if i < 0 {
		return false
	}
	switch t := &s.toks[i]; t.Kind {
	case Quoted, Unicode, String, Escaped, UString, Dollar, Param, Number:
		return true
	case Word:
		return t.class != reserved || s.isAny(i, "null", "true", "false", "end", "default", "user", "current_user", "session_user", "current_date",
			"current_time", "current_timestamp", "localtime", "localtimestamp", "current_role", "current_catalog")
	case Mark:
		on := t.word == ")" && t.match > 1 && s.is(t.match-1, "on") && s.is(t.match-2, "distinct")
		return (t.word == ")" || t.word == "]") && !on
	default:
		return false
	}
}

// begins tells whether token i may begin an operand.
func (s *scan) begins(i int) bool {
	if i >= len(s.toks) {
		return false
	}
	switch t := &s.toks[i]; t.Kind {
	case Mark:
		return t.word == "("
	case Word:
		return t.class != reserved || s.operand(i) || s.isAny(i, "case", "not", "array", "cast")
	case Operator:
		return t.word != "::"
	default:
		return true
	}
}

// calls tells whether the word at i, which may name functions but no relations, stands where an operand is due and is called.
func (s *scan) calls(i int) bool {
	if s.is(i+1, ".") {
		return true
	}
	if !s.is(i+1, "(") || i > 0 && (s.operand(i-1) || s.is(i-1, "not") || s.toks[i-1].class == function) {
		return false
	}
	return !s.isAny(i, "join", "verbose", "freeze")
}

// keyword acts on a word that means something here. It returns where to go on, i where the word may be a name as well.
func (s *scan) keyword(i int) int {
	f := s.top()
	if s.c.body && s.boundary(i-1) {
		if next := s.inner(i); next > i {
			return next
		}
	}
	if s.c.body && s.is(i, "fetch") {
		s.fetch(i)
	}
	if s.c.body && s.is(i, "show") && s.isName(i+1) && (s.boundary(i-1) || s.isAny(i-1, "in", "for", "query")) { // a query as any other
		s.f.operations.add("show")
		s.settings(i, len(s.toks))
	}
	switch w := s.toks[i].word; w {
	case "select", "values":
		if w == "values" && (f.verb == "insert" || !s.is(i+1, "(")) {
			return i
		}
		s.verb("select")
		return i + 1
	case "insert", "merge", "delete", "update", "table":
		return s.write(i)
	case "from", "using", "join", "into", "where", "group", "having", "order", "limit", "offset", "union", "intersect", "except", "window", "returning", "fetch", "set":
		return s.clause(i)
	case "for":
		if s.isAny(i+1, "update", "share", "no", "key") {
			s.f.changes = true
			f.from, f.want = false, false
		}
	case "with":
		return s.with(i)
	case "natural":
		s.star = true
	case "as":
		if f.item != noItem && (f.from || f.target) && s.isName(i+1) {
			return s.alias(i + 1)
		}
		if f.verb == "select" && !f.from && s.isName(i+1) && !s.is(i+2, ".") && !s.is(i+2, "(") {
			return s.label(i + 1)
		}
	case "execute":
		return s.execute(i)
	case "rows":
		if f.want && s.is(i+1, "from") && s.is(i+2, "(") {
			return i + 2
		}
	}
	return i
}

// verb begins a statement or query.
func (s *scan) verb(name string) {
	f := s.top()
	if f.pending {
		s.f.noWhere = true
	}
	s.f.operations.add(name)
	f.verb, f.with, f.from, f.want, f.joined, f.pending, f.call, f.grouped = name, false, false, false, false, false, false, false
	f.item, f.due = noItem, ""
}

// write acts on the words that begin writes, and on TABLE.
func (s *scan) write(i int) int {
	w := s.toks[i].word
	if s.is(i-1, ".") || s.top().want && w != "table" {
		return i
	}
	if w != "table" { // they may be names all the same
		s.cite(w)
		s.touch("", w)
	}
	if w != "table" && (s.is(i-1, "then") && s.top().verb == "merge" || s.is(i-1, "do") && s.is(i+1, "set")) {
		s.f.operations.add(w) // of MERGE and ON CONFLICT
		return i + 1
	}
	switch w {
	case "insert", "merge":
		if !s.is(i+1, "into") {
			return i
		}
		s.verb(w)
	case "delete":
		if !s.is(i+1, "from") {
			return i
		}
		s.verb(w)
		s.top().pending = true
	case "update":
		if s.isAny(i-1, "for", "key", "on", "before", "after", "or", ",", "grant", "revoke", "of") || !s.isWord(i+1) {
			return i
		}
		s.verb(w)
		f := s.top()
		f.pending, f.want, f.target, f.from = true, true, true, false
	case "table":
		if !s.query(i) {
			s.star = s.star || !s.isAny(i-1, "create", "temp", "temporary", "unlogged") // CREATE TABLE reads no rows, whatever relations it names
			return i + 1
		}
		s.star = true
		s.verb("select")
		s.top().want, s.top().target = true, false
		return i + 1
	}
	s.f.changes, s.f.writes = true, true
	return i + 1
}

// query tells whether a query may begin at i.
func (s *scan) query(i int) bool {
	if i > 0 && s.is(i-1, "(") {
		return true
	}
	return i == 0 || s.isAny(i-1, ";", ")", "union", "intersect", "except", "all", "distinct", "as", "explain", "analyze", "analyse", "verbose", "for",
		"atomic", "begin", "then", "else", "loop", "query", "in", "also", "instead", "do")
}

// clause acts on the words that begin parts of statements.
func (s *scan) clause(i int) int {
	if s.is(i-1, "as") { // a label
		return i + 1
	}
	f := s.top()
	switch w := s.toks[i].word; w {
	case "from":
		if f.call || f.verb == "" || s.is(i-1, "distinct") && s.isAny(i-2, "is", "not") {
			return i
		}
		f.from, f.want, f.target, f.item = true, true, f.verb == "delete" && s.is(i-1, "delete"), noItem
	case "using":
		if (f.verb == "delete" || f.verb == "merge") && (!f.joined || !s.is(i+1, "(")) {
			f.from, f.want, f.target, f.item = true, true, false, noItem
		} else {
			f.from = f.from && f.joined
		}
	case "join":
		f.want, f.from, f.joined, f.target, f.item = true, true, true, false, noItem
	case "into":
		s.into(i)
	case "where":
		f.pending, f.from, f.want, f.item = false, false, false, noItem
	case "set":
		if f.verb == "update" && !f.want {
			f.from, f.item = false, noItem
			return i + 1
		}
		return i
	case "fetch":
		if f.verb != "select" {
			return i
		}
		f.from, f.want = false, false
	default:
		f.from, f.want, f.item = false, false, noItem
		f.grouped = w == "group"
	}
	return i + 1
}

func (s *scan) into(i int) {
	f := s.top()
	switch f.verb {
	case "insert", "merge":
		f.want, f.target, f.from, f.item = true, true, false, noItem
		if f.verb == "insert" {
			s.insertColumns(i)
		}
	case "select":
		f.from, f.want = false, false
		if !s.c.body || s.c.into {
			s.f.changes, s.f.writes = true, true
			s.f.operations.add("create")
		}
	}
}

// insertColumns tells whether an INSERT names its columns; where it does not, it means all of them.
func (s *scan) insertColumns(i int) {
	for i++; i < len(s.toks) && (s.isWord(i) && !s.isAny(i, "values", "default", "select", "with", "table", "overriding") || s.is(i, ".")); i++ {
	}
	if !s.is(i, "(") || s.isAny(i+1, "select", "with", "values", "table", "(") {
		s.star = true
	}
}

// with enters the list of a WITH that defines queries.
func (s *scan) with(i int) int {
	j := i + 1
	recursive := s.is(j, "recursive") && !s.is(j+1, "as") && !s.is(j+1, "(")
	if recursive {
		j++
	}
	if !s.isName(j) || s.cteBody(j) < 0 {
		if s.is(j, "ordinality") && s.is(i-1, ")") {
			return j + 1 // an alias may follow
		}
		return i
	}
	f := s.top()
	f.with, f.recursive = true, recursive
	return j
}

// cteBody returns where the query of the WITH name at i begins, -1 when there is none.
func (s *scan) cteBody(i int) int {
	i++
	if s.is(i, "(") && s.toks[i].match > 0 {
		i = s.toks[i].match + 1
	}
	if !s.is(i, "as") {
		return -1
	}
	i++
	if s.is(i, "not") {
		i++
	}
	if s.is(i, "materialized") {
		i++
	}
	if !s.is(i, "(") {
		return -1
	}
	return i
}

// cte tells whether a name is one of WITH here.
func (s *scan) cte(name string) bool {
	for i := range s.frames {
		if in(s.frames[i].ctes, name) {
			return true
		}
	}
	return false
}
