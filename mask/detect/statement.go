package detect

import (
	"bytes"

	"weir/mask/field"
)

// maxStatement is how much of a statement in front of its values is read, in bytes.
const maxStatement = 4096

// statement reads INSERT INTO t (a, b) VALUES, COPY t (a, b) FROM stdin and CREATE TABLE t (: what follows them is read as rows.
func (f *finder) statement(l *literal, start int) bool {
	if start < f.done || f.st.kind != tableNone || start > 0 && isWord(f.b[start-1]) {
		return false
	}
	if len(f.plainHead) > 0 && bytes.HasPrefix(f.b[start:], f.plainHead) {
		return false // as before
	}
	p := parser{b: f.b[:min(len(f.b), start+maxStatement)], i: start + len(l.text)}
	var st State
	st.tables = f.st.tables
	ok := false
	switch l.text[1] {
	case 'n', 'e': // insert into, replace into
		ok = f.insert(&p, &st)
	case 'o', 'O': // COPY
		ok = f.copyFrom(&p, &st)
	case 'r': // create table
		ok = p.createTable(&st)
	}
	switch {
	case p.short && !f.final && len(f.b)-start < maxStatement:
		return f.more(start, start, f.s.named, RunToken, "")
	case !ok:
		if p.values > 0 {
			f.plainHead = f.b[start:p.values]
		}
		return false
	}
	f.st = st
	f.resume = p.i
	return true
}

// insert reads from the name of the table to VALUES.
func (f *finder) insert(p *parser, st *State) bool {
	p.word("ignore")
	name := p.name()
	if len(name) == 0 {
		return false
	}
	if p.byte('(') {
		if !f.list(p, st) {
			return false
		}
	} else if t := st.known(name); t != nil {
		st.columns, st.proof = t.columns, t.proof
	}
	if !p.word("values") && !p.word("value") {
		return false
	}
	st.kind = tableTuples
	if t := st.tables; t == nil {
		p.values = p.i // no table was created whose columns this may name
	}
	return st.secret()
}

// copyFrom reads from the name of the table to the end of COPY's line.
func (f *finder) copyFrom(p *parser, st *State) bool {
	name := p.name()
	if len(name) == 0 || !p.byte('(') || !f.list(p, st) || !p.word("from") || !p.word("stdin") {
		return false
	}
	n := bytes.IndexByte(p.b[p.i:], '\n')
	if n < 0 {
		p.short = true
		return false
	}
	p.i += n + 1
	st.kind, st.delim = tableCopy, '\t'
	return st.secret()
}

// list reads the names of columns up to the closing parenthesis.
func (f *finder) list(p *parser, st *State) bool {
	for {
		name := p.name()
		if len(name) == 0 {
			return false
		}
		if st.columns < maxColumns {
			st.proof[st.columns] = f.s.prove(name)
		}
		st.columns++
		if p.byte(')') {
			return true
		}
		if !p.byte(',') {
			return false
		}
	}
}

// secret reports that a column is worth looking at.
func (st *State) secret() bool {
	for _, c := range st.proof[:min(st.columns, maxColumns)] {
		if c != columnClear {
			return true
		}
	}
	return false
}

// known returns a table that was created before, or nil.
func (st *State) known(name []byte) *table {
	if st.tables == nil {
		return nil
	}
	for i := range st.tables.created {
		if t := &st.tables.created[i]; t.length == len(name) && bytes.EqualFold(t.name[:min(t.length, len(t.name))], name[:min(len(name), len(t.name))]) && t.columns > 0 {
			return t
		}
	}
	return nil
}

// createTable reads to the opening parenthesis.
func (p *parser) createTable(st *State) bool {
	if p.word("if") {
		if !p.word("not") || !p.word("exists") {
			return false
		}
	}
	name := p.name()
	if len(name) == 0 || !p.byte('(') {
		return false
	}
	n := bytes.IndexByte(p.b[p.i:], '\n')
	if n < 0 {
		p.short = true
		return false
	}
	if len(bytes.TrimSpace(p.b[p.i:p.i+n])) > 0 {
		return false // all on one line
	}
	p.i += n + 1
	st.kind = tableCreate
	if st.tables == nil {
		st.tables = new(tables)
	}
	st.tables.table = table{length: len(name)}
	copy(st.tables.table.name[:], name)
	return true
}

// column reads one line of CREATE TABLE.
func (f *finder) column(line []byte) {
	line = bytes.TrimSpace(line)
	p := parser{b: line}
	all := f.st.tables
	t := &all.table
	switch name := p.name(); {
	case len(line) == 0:
	case line[0] == ')' || bytes.HasSuffix(line, []byte(";")) && len(name) == 0:
		if f.st.kind = tableNone; t.columns > 0 {
			all.created[all.next%len(all.created)] = *t
			all.next++
		}
	case len(name) == 0 || notColumn(name):
	default:
		if t.columns < maxColumns {
			t.proof[t.columns] = f.s.prove(name)
		}
		t.columns++
	}
}

// notColumn reports a word that begins a line of CREATE TABLE which defines no column.
func notColumn(name []byte) bool {
	var buf [16]byte
	switch string(field.Lower(buf[:], name)) {
	case "primary", "key", "unique", "constraint", "index", "foreign", "check", "fulltext", "spatial", "exclude", "like":
		return true
	}
	return false
}

// parser reads SQL. short is set once it has run into the end.
type parser struct {
	b      []byte
	i      int
	short  bool
	values int // where the values of INSERT begin, if what stands before them says all about its columns
}

func (p *parser) blanks() {
	for p.i < len(p.b) && (p.b[p.i] == ' ' || p.b[p.i] == '\t' || p.b[p.i] == '\n' || p.b[p.i] == '\r') {
		p.i++
	}
	p.short = p.short || p.i == len(p.b)
}

// byte reads one byte if it comes next.
func (p *parser) byte(c byte) bool {
	p.blanks()
	if p.i < len(p.b) && p.b[p.i] == c {
		p.i++
		return true
	}
	return false
}

// word reads a keyword, given in lower case, if it comes next.
func (p *parser) word(w string) bool {
	p.blanks()
	if rest := p.b[p.i:]; len(rest) <= len(w) && foldEqual(rest, w[:len(rest)]) {
		p.short = true
		return false
	}
	if !foldPrefix(p.b[p.i:], w) || isWord(p.b[p.i+len(w)]) {
		return false
	}
	p.i += len(w)
	return true
}

// name reads a name, its last part if it has several. Quotes are dropped.
func (p *parser) name() (name []byte) {
	for {
		p.blanks()
		if p.i == len(p.b) {
			return nil
		}
		begin := p.i
		switch quote := p.b[p.i]; quote {
		case '"', '`', '[':
			if quote == '[' {
				quote = ']'
			}
			n := bytes.IndexByte(p.b[p.i+1:], quote)
			if n < 0 {
				p.short = true
				return nil
			}
			name = p.b[begin+1 : begin+1+n]
			p.i += n + 2
		default:
			for p.i < len(p.b) && (isWord(p.b[p.i]) || p.b[p.i] == '$' || p.b[p.i] >= 0x80) {
				p.i++
			}
			name = p.b[begin:p.i]
			p.short = p.short || p.i == len(p.b)
		}
		if p.i == len(p.b) || p.b[p.i] != '.' {
			return name
		}
		p.i++
	}
}

// tupleLength is the length of (…) and the blanks and the comma in front of it; 0 when no more tuple comes. final says that nothing follows b.
func tupleLength(b []byte, final bool) (n int, ok bool) {
	i := tupleLead(b)
	if i == len(b) {
		return 0, final
	}
	if b[i] != '(' {
		return 0, true
	}
	depth := 0
	var quote byte
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case quote != 0 && c == '\\' && quote == '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0 // of two, the second opens it again
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
	}
	return 0, final
}

// tupleLead is the length of the blanks and the comma in front of a tuple.
func tupleLead(b []byte) int {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' || b[i] == ',') {
		i++
	}
	return i
}

// tuple adds the secret values of b[from:end], which is blanks, a comma perhaps and (…).
func (f *finder) tuple(from, end int) {
	open := from + bytes.IndexByte(f.b[from:end], '(')
	k, depth, begin := 0, 0, open+1
	var quote byte
	for i := open + 1; i < end; i++ {
		switch c := f.b[i]; {
		case quote != 0 && c == '\\' && quote == '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0 && (c == ',' || c == ')'):
			f.tupleCell(k, begin, i, from)
			k, begin = k+1, i+1
		}
	}
}

func (f *finder) tupleCell(k, begin, end, from int) {
	if k >= f.st.columns || k >= maxColumns || f.st.proof[k] == columnClear {
		return
	}
	for begin < end && (f.b[begin] <= ' ') {
		begin++
	}
	for end > begin && f.b[end-1] <= ' ' {
		end--
	}
	cell := f.b[begin:end]
	quoted := false
	for lead := 0; lead < 2 && lead < len(cell); lead++ { // E'…', N'…'
		if q := cell[lead]; (q == '\'' || q == '"') && cell[len(cell)-1] == q && len(cell) > lead+1 {
			begin, end, quoted = begin+lead+1, end-1, true
			break
		}
	}
	if cell = f.b[begin:end]; !quoted && !number(cell) && !bytes.HasPrefix(cell, []byte("0x")) || !f.st.proof[k].holds(cell) {
		return
	}
	f.out = append(f.out, Finding{From: from, Start: begin, End: end, Rule: f.s.named})
}
