package sql

import (
	"maps"

	"weir"
)

// statement reads the statement of the tokens from lo to hi.
func (s *scan) statement(lo, hi int) {
	w := s.toks[lo].word
	if s.is(lo, "(") {
		w = "select"
	}
	v, ok := verbTable[w]
	if s.toks[lo].name || !ok {
		s.f.operations.add(s.text[s.toks[lo].Start:s.toks[lo].End])
		s.f.changes = true
		s.f.fail("not a statement that is known here")
		s.run(lo, hi)
		return
	}
	s.ddl = false
	s.f.changes = s.f.changes || v.changes
	if w != "explain" && w != "prepare" && w != "declare" { // what is in them is read by itself
		defer s.moved(lo, hi)
	}
	switch w {
	case "select", "with", "values", "table", "insert", "update", "delete", "merge":
		s.run(lo, hi)
		return
	case "explain":
		s.explain(lo, hi)
		return
	case "prepare", "declare":
		s.define(w, lo, hi)
		return
	case "analyse":
		w = "analyze"
	}
	s.f.operations.add(w)
	s.utility(w, lo, hi)
	switch w {
	case "grant", "revoke", "show", "set", "reset", "fetch", "move", "close", "deallocate", "listen", "unlisten", "notify", "comment", "security",
		"vacuum", "analyze", "cluster", "reindex", "lock", "refresh", "import", "discard", "load", "reassign":
		s.loose(lo+1, hi)
	case "copy":
		s.copy(lo, hi)
	case "truncate":
		s.run(lo+1, hi)
	default:
		s.run(lo, hi)
	}
	s.ddl = false
}

// loose notes all names from lo to hi, with no heed to syntax.
func (s *scan) loose(lo, hi int) {
	s.frames = append(s.frames, frame{})
	for i := lo; i < hi; {
		if !s.isName(i) {
			i++
			continue
		}
		end, _ := s.parts(i)
		if !s.is(i-1, "references") { // a foreign key reads no row
			s.mention(s.toks[end].word)
		}
		if s.ddl {
			s.bare(s.toks[end].word)
		}
		i = end + 1
	}
	s.frames = s.frames[:len(s.frames)-1]
}

// utility notes what a statement that is no query does by its kind. The names in it are noted by others.
func (s *scan) utility(w string, lo, hi int) {
	s.ddl = w == "create" || w == "alter" || w == "drop" || w == "grant" || w == "revoke" || w == "comment" || w == "security" || w == "import"
	switch w {
	case "commit", "rollback":
		s.f.changes = s.f.changes || s.is(lo+1, "prepared")
	case "show", "set", "reset":
		s.settings(lo, hi)
	case "discard":
		s.f.settings.add("*")
	case "fetch", "move", "close":
		s.cursor(w, lo, hi)
	case "truncate", "refresh", "call":
		s.f.writes = true
		s.star = true
	case "load":
		s.f.files, s.f.program = true, true
	case "do":
		s.f.dynamic = true
		s.bodies("plpgsql", lo+1, hi)
	case "reassign":
		s.roleNames(lo+1, hi)
	case "grant", "revoke":
		s.grants(lo, hi)
	case "create", "alter", "drop":
		s.definition(w, lo, hi)
	}
}

// explain reads EXPLAIN and the statement in it.
func (s *scan) explain(lo, hi int) {
	s.f.operations.add("explain")
	analyze := false
	i := lo + 1
	if s.is(i, "(") && s.toks[i].match > 0 && !s.isAny(i+1, "select", "with", "values", "table", "(") {
		for end := s.toks[i].match; i < end; i++ {
			analyze = analyze || s.isAny(i, "analyze", "analyse") || s.toks[i].name || s.toks[i].Kind == String
		}
		i++
	}
	for s.isAny(i, "analyze", "analyse", "verbose") {
		analyze = analyze || !s.is(i, "verbose")
		i++
	}
	if i >= hi {
		s.f.fail("EXPLAIN of nothing")
		return
	}
	changes, writes, moves := s.f.changes, s.f.writes, maps.Clone(s.f.moves)
	s.statement(i, hi)
	if !analyze {
		s.f.changes, s.f.writes, s.f.moves = changes, writes, moves
	}
}

// define reads PREPARE and DECLARE, and the statement in it.
func (s *scan) define(w string, lo, hi int) {
	s.f.operations.add(w)
	if w == "prepare" && s.transaction(lo) {
		s.f.changes = true
		return
	}
	if !s.isName(lo + 1) {
		s.f.fail("a name is missing")
		return
	}
	name, until := s.toks[lo+1].word, "for"
	s.cite(name)
	if w == "prepare" {
		until = "as"
		s.c.own.add(name)
	} else {
		s.c.own.add("cursor " + name)
	}
	i := lo + 2
	for ; i < hi && !s.is(i, until); i++ {
		if s.is(i, "(") && s.toks[i].match > 0 {
			i = s.toks[i].match
		}
	}
	if i+1 >= hi {
		s.f.fail("a statement is missing")
		return
	}
	s.statement(i+1, hi)
}

// transaction tells whether the PREPARE at i is of a transaction, not of a statement that is called so.
func (s *scan) transaction(i int) bool {
	return s.is(i+1, "transaction") && i+2 < len(s.toks) && s.toks[i+2].Kind >= String && s.toks[i+2].Kind <= Dollar
}

// execute acts on EXECUTE at i: of a prepared statement, or in a body of text that is made there.
func (s *scan) execute(i int) int {
	trigger := s.isAny(i+1, "function", "procedure") && s.isName(i+2) && s.isAny(i+3, "(", ".")
	if trigger || s.isAny(i+1, "on", ",") || s.is(i-1, ".") || i > 0 && !s.c.body && !s.isAny(i-1, ";", "as", "explain", "analyze", "analyse", "verbose", ")") {
		return i
	}
	if s.c.body {
		s.f.dynamic, s.f.changes = true, true
		s.f.operations.add("execute")
		return i + 1
	}
	if !s.isName(i + 1) {
		return i
	}
	s.f.operations.add("execute")
	name := s.toks[i+1].word
	s.cite(name)
	s.resolve("prepared statement", name, s.c.in.Prepared, in(s.c.own, name))
	return i + 2
}

// cursor acts on FETCH, MOVE and CLOSE.
func (s *scan) cursor(w string, lo, hi int) {
	if s.c.body || hi-1 <= lo || !s.isName(hi-1) {
		if !s.c.body && (w != "close" || !s.is(hi-1, "all")) {
			s.f.fail("the cursor's name is missing")
		}
		return
	}
	if name := s.toks[hi-1].word; w != "close" {
		s.resolve("cursor", name, s.c.cursor, in(s.c.own, "cursor "+name))
	}
}

// fetch notes the FETCH at i of a body, unless it is a query's: its cursor may be any of the session's, since a variable names it.
func (s *scan) fetch(i int) {
	j := i + 1
	if s.isAny(j, "first", "next") {
		if j++; s.is(j, "(") && s.toks[j].match > 0 {
			j = s.toks[j].match
		}
		if s.isAny(j, "row", "rows") || s.isAny(j+1, "row", "rows") {
			return
		}
	}
	s.f.operations.add("fetch")
	s.f.fetches = true
}

// resolve adds what a name of this session stands for.
func (s *scan) resolve(what, name string, find func(string) *weir.SQL, own bool) {
	var found *weir.SQL
	if find != nil {
		found = find(name)
	}
	switch {
	case found != nil:
		s.f.include(found)
	case !own:
		s.f.fail("unknown " + what + " " + name)
	}
}

// boundary tells whether a statement of a body may begin behind token i.
func (s *scan) boundary(i int) bool {
	return i < 0 || s.isAny(i, ";", "begin", "then", "else", "loop", "atomic", ">>", "declare")
}

// inner acts on the word that begins a statement in a body.
func (s *scan) inner(i int) int {
	w := s.toks[i].word
	switch w {
	case "begin", "end", "declare", "fetch", "move", "execute", "start", "savepoint", "with", "explain", "show", "release", "abort":
		return i
	case "open", "close": // cursors, which are the session's
		if s.isName(i + 1) {
			s.f.operations.add(map[string]string{"open": "declare", "close": "close"}[w])
		}
		return i
	case "prepare", "deallocate":
		if s.isName(i + 1) {
			s.f.operations.add(w)
			s.f.fail("a function changes what prepared statements are called")
		}
		return i
	case "perform":
		s.verb("select")
		return i + 1
	}
	v, ok := verbTable[w]
	if !ok || v.plain && w != "truncate" && w != "commit" && w != "rollback" || s.isAny(i+1, ":=", "=", ".") {
		return i
	}
	s.f.operations.add(w)
	s.f.changes = true
	hi := i
	for hi < len(s.toks) && !s.is(hi, ";") {
		hi++
	}
	s.utility(w, i, hi)
	s.ddl = false
	if w == "copy" {
		s.copyTarget(i, hi)
	}
	return i + 1
}
