package sql

import "strings"

// settings reads SHOW, SET and RESET.
func (s *scan) settings(lo, hi int) {
	i := lo + 1
	if s.is(lo, "set") && s.isAny(i, "session", "local") && !s.isAny(i+1, "to", "=", ".") {
		if s.is(i, "session") && s.isAny(i+1, "authorization", "characteristics") {
			s.special(i, hi)
			return
		}
		i++
	}
	if !s.is(lo, "set") || !(s.isAny(i+1, "to", "=", ".")) {
		if s.special(i, hi) {
			return
		}
	}
	s.parameter(i, hi)
}

// special reads the settings that have a syntax of their own. i is behind SET [LOCAL], SHOW or RESET.
func (s *scan) special(i, hi int) bool {
	var setting string
	switch {
	case i >= hi || s.toks[i].name:
		return false
	case s.is(i, "all"):
		setting = "*"
	case s.is(i, "time") && s.is(i+1, "zone"):
		setting = "timezone"
	case s.is(i, "transaction"), s.is(i, "session") && s.is(i+1, "characteristics"):
		setting = "transaction_isolation"
		s.f.settings.add("transaction_read_only")
		s.f.settings.add("transaction_deferrable")
	case s.is(i, "constraints"):
		return true
	case s.is(i, "names"):
		setting = "client_encoding"
	case s.is(i, "xml"):
		setting = "xmloption"
	case s.is(i, "schema"):
		setting = "search_path"
	case s.is(i, "seed"):
		setting = "seed"
	case s.is(i, "role"):
		setting = "role"
		s.assumed(i+1, hi)
	case s.is(i, "session") && s.is(i+1, "authorization"):
		setting = "session_authorization"
		s.assumed(i+2, hi)
	default:
		return false
	}
	s.f.settings.add(setting)
	return true
}

func (s *scan) assumed(i, hi int) {
	if i >= hi || s.toks[i].Kind == Mark {
		return
	}
	if v, ok := s.literal(i); ok {
		s.f.roles.add(v)
	} else if s.isWord(i) {
		s.f.roles.add(s.toks[i].word)
	} else {
		s.f.roles.add("*")
	}
}

// parameter reads the name of a setting at i.
func (s *scan) parameter(i, hi int) {
	var b strings.Builder
	for ; i < hi && s.isWord(i); i += 2 {
		b.WriteString(strings.ToLower(s.toks[i].word))
		if !s.is(i+1, ".") {
			i++
			break
		}
		b.WriteByte('.')
	}
	name := b.String()
	if name == "" {
		s.f.settings.add("*")
		s.f.fail("the setting's name is missing")
		return
	}
	s.f.settings.add(name)
	if assumes(name) && s.isAny(i, "to", "=") {
		s.assumed(i+1, hi)
	}
}

// definition reads what CREATE, ALTER and DROP do besides touching what they name.
func (s *scan) definition(w string, lo, hi int) {
	i := lo + 1
	for s.isAny(i, "or", "replace", "trusted", "procedural", "temp", "temporary", "unlogged", "local", "global", "materialized", "recursive", "event", "constraint", "foreign") {
		i++
	}
	if w == "drop" && s.isAny(i, "table", "view", "sequence") {
		s.dropped(i+1, hi)
	}
	switch {
	case s.isAny(i, "role", "user", "group"):
		s.roleNames(i+1, hi)
	case s.is(i, "owned"):
		s.roleNames(i, hi)
	case s.is(i, "language"):
		s.f.program = true
	case s.is(i, "extension"):
		s.f.files, s.f.dynamic = true, true
	case s.is(i, "tablespace"):
		s.f.files = true
	case w == "create" && s.isAny(i, "function", "procedure"):
		s.bodies("sql", i+1, hi)
	case s.is(i, "system"):
		s.f.files = true
	}
	for ; i < hi; i++ {
		switch {
		case s.is(i, "set") && s.isName(i+1) && (s.isAny(i+2, "to", "=", ".", "from")):
			s.parameter(i+1, hi)
		case s.isAny(i, "set", "reset") && s.is(i+1, "time") && s.is(i+2, "zone"):
			s.f.settings.add("timezone")
		case s.is(i, "reset") && s.isName(i+1):
			s.parameter(i+1, hi)
		case s.is(i, "reset") && s.is(i+1, "all"):
			s.f.settings.add("*")
		case s.is(i, "owner") && s.is(i+1, "to"):
			s.assumed(i+2, hi)
		case s.is(i, "set") && (s.isAny(i+1, "role", "names", "session", "transaction", "xml") || s.is(i+1, "schema") && i+2 < hi && s.toks[i+2].Kind >= String):
			s.special(i+1, hi)
		case s.isWord(i) && s.toks[i].word == "file_fdw", s.isWord(i) && s.toks[i].word == "filename" && i+1 < hi && s.toks[i+1].Kind >= String:
			s.f.files = true
		case s.isWord(i) && s.toks[i].word == "program" && i+1 < hi && s.toks[i+1].Kind >= String && s.toks[i+1].Kind <= Dollar:
			s.f.program = true
		}
	}
}

// dropped notes the relations that DROP names and nobody knows, as "?.name", so that rules can speak of them: they may be new, or not there.
func (s *scan) dropped(i, hi int) {
	for s.isAny(i, "if", "exists") {
		i++
	}
	for ; i < hi && s.isWord(i); i++ {
		schema := ""
		for i+2 < hi && s.is(i+1, ".") {
			schema = s.toks[i].word
			i += 2
		}
		if name := s.toks[i].word; len(s.find(schema, name)) == 0 && s.made(schema, name) == nil {
			if schema == "" {
				schema = "?"
			}
			s.f.relations.add(schema + "." + name)
		}
		if i++; !s.is(i, ",") {
			return
		}
	}
}

// roleNames notes all names from lo to hi as roles, but for the words of role options.
func (s *scan) roleNames(lo, hi int) {
	for i := lo; i < hi; i++ {
		if s.toks[i].name || s.toks[i].Kind == Word && (s.toks[i].class == notKeyword && !in(roleOptionTable, s.toks[i].word) || s.roleSlot(i, lo)) {
			s.f.roles.add(s.toks[i].word)
		}
	}
}

// roleSlot tells whether a role's name is due at i, so that a keyword there is one.
func (s *scan) roleSlot(i, lo int) bool {
	if s.toks[i].class == reserved && !s.isAny(i, "current_user", "session_user", "current_role", "user", "all") || s.is(i, "if") || s.is(i, "mapping") {
		return false
	}
	return i == lo || s.isAny(i-1, "by", "to", ",", "exists", "for", "user", "role", "group", "in", "admin", "add")
}

var roleOptionTable = set(`superuser nosuperuser createdb nocreatedb createrole nocreaterole inherit noinherit login nologin replication
noreplication bypassrls nobypassrls server options`)

// grants reads the roles of GRANT and REVOKE: those that get something, and without ON those that are given.
func (s *scan) grants(lo, hi int) {
	on, names := false, lo
	for i := lo + 1; i < hi; i++ {
		on = on || s.is(i, "on")
		if s.isAny(i, "to", "from") {
			names = i
		}
	}
	if !on {
		names = lo
	}
	for i := names + 1; i < hi; i++ {
		if s.isName(i) && !s.grantWord(i) || s.isAny(i, "current_user", "session_user", "current_role") {
			s.f.roles.add(s.toks[i].word)
		}
	}
}

// grantWord tells whether the word at i is part of the syntax of GRANT.
func (s *scan) grantWord(i int) bool {
	return s.is(i+1, "option") || s.is(i, "option") && s.isAny(i-1, "admin", "grant", "inherit", "set") || s.is(i, "granted") && s.is(i+1, "by") ||
		s.is(i, "by") && s.is(i-1, "granted") || s.isAny(i, "cascade", "restrict")
}

// bodies reads the strings of DO and CREATE FUNCTION as what they run.
func (s *scan) bodies(language string, lo, hi int) {
	skip := -1
	for i := lo; i+1 < hi; i++ {
		if !s.is(i, "language") {
			continue
		}
		if v, ok := s.literal(i + 1); ok {
			language, skip = strings.ToLower(v), i+1
		} else if s.isWord(i + 1) {
			language = s.toks[i+1].word
		}
	}
	switch {
	case in(sandboxTable, language):
		s.f.dynamic = true
		s.f.fail("the language " + language + " cannot be read")
		return
	case !in(trustedTable, language):
		s.f.program = true
		s.f.fail("the language " + language + " cannot be read")
		return
	}
	for i := lo; i < hi; i++ {
		if t := &s.toks[i]; i == skip || t.Kind != String && t.Kind != Escaped && t.Kind != UString && t.Kind != Dollar {
			continue
		}
		text, ok := s.literal(i)
		if !ok {
			s.f.fail("a body cannot be read")
			continue
		}
		s.body(text, language == "sql")
	}
	for i := lo; i+1 < hi; i++ {
		if s.is(i, "returns") && s.is(i+1, "trigger") { // what it returns is written
			s.f.moves.add(move{To: "function", Name: "*"})
		}
	}
}

// body reads a text that will run. into: what SELECT INTO names there are tables.
func (s *scan) body(text string, into bool) {
	sub := &facts{}
	c := &classifier{in: s.c.in, path: s.c.path, any: true, body: true, into: into, out: sub}
	c.text(text, s.nested+1)
	s.f.merge(sub)
	s.f.bodies.add(text)
	for m := range sub.moves {
		s.f.moves.add(m)
	}
	s.f.words.merge(sub.words)
	s.f.firm.merge(sub.words)
	s.f.writes = s.f.writes || sub.writes
	for r := range sub.rels {
		s.f.touch(r)
	}
	for fn := range sub.calls {
		s.f.call(fn)
	}
}

// copy reads COPY.
func (s *scan) copy(lo, hi int) {
	i := s.copyTarget(lo, hi)
	if s.is(lo+1, "(") {
		s.run(lo+1, i)
	} else {
		j := lo + 1
		if s.is(j, "binary") {
			j++
		}
		s.frames = append(s.frames, frame{})
		s.top().want, s.top().target = true, true
		if s.isName(j) {
			j = s.chain(j)
		}
		s.star = s.star || !s.is(j, "(")
		s.pop()
		s.loose(j, i)
	}
	where := hi
	if s.is(i, "from") {
		where = s.seek(i, hi, "where")
	}
	s.loose(min(i, where), where) // no expressions come before
	s.run(where, hi)
}

// copyTarget reads where COPY copies to or from, and returns where that stands.
func (s *scan) copyTarget(lo, hi int) int {
	i := lo + 1
	for ; i < hi && !s.isAny(i, "to", "from"); i++ {
		if s.is(i, "(") && s.toks[i].match > 0 {
			i = s.toks[i].match
		}
	}
	if i >= hi {
		s.f.changes = true
		s.f.fail("COPY to or from nothing")
		return hi
	}
	if s.is(i, "from") {
		s.f.changes, s.f.writes = true, true
	}
	switch j := i + 1; {
	case s.is(j, "program"):
		s.f.program = true
	case s.isAny(j, "stdin", "stdout"):
	case j < hi && s.toks[j].Kind >= String && s.toks[j].Kind <= Dollar:
		s.f.files = true
	default:
		s.f.files = true
		s.f.fail("COPY to or from something unknown")
	}
	return i
}
