package detect

import (
	"bytes"

	"weir/mask/field"
)

// maxColumns is how many columns of a table are known; those behind stay unknown.
const maxColumns = 64

// State is what a text has said about the text that follows: the columns of a table. The zero value knows nothing. It belongs to one text.
type State struct {
	kind    tableKind
	delim   byte
	leading bool // rows begin with the delimiter
	record  bool // a name and what is told of it, one below the other
	plain   int  // so many bytes of what comes next are base64 that holds nothing
	columns int
	proof   [maxColumns]colKind
	tables  *tables // nil until one is created
}

// tables are those that a text creates.
type tables struct {
	created [4]table // the last ones
	next    int
	table   table // that is being created
}

// Clone returns a State that does not change with st.
func (st *State) Clone() State {
	c := *st
	if c.tables != nil {
		t := *c.tables
		c.tables = &t
	}
	return c
}

type colKind uint8

const (
	columnClear colKind = iota
	columnWeak
	columnToken
	columnSecret // which a word may be
	columnPassword
)

type tableKind uint8

const (
	tableNone   tableKind = iota
	tableRows             // lines of cells with a delimiter between
	tableCopy             // lines of COPY … FROM stdin
	tableTuples           // (…), (…) of INSERT
	tableCreate           // the lines of CREATE TABLE
)

// table is a table that was created.
type table struct {
	name    [32]byte
	length  int
	columns int
	proof   [maxColumns]colKind
}

// header reads the line of the name b[from:to] as the head of a table. It reports that more bytes are needed, or that the head was read: then the search
// goes on at f.resume in the rows.
func (f *finder) header(from, to int) (stop bool) {
	delim := f.delimiter(from, to)
	if delim == 0 || f.st.kind != tableNone || from < f.noHead && delim == f.noDelim {
		return false
	}
	begin := f.lineBegin(from)
	if from-begin >= Context || begin > 0 && f.b[begin-1] != '\n' {
		return false
	}
	n := bytes.IndexByte(f.b[to:min(len(f.b), to+maxHeader)], '\n')
	if n < 0 {
		if !f.final && len(f.b)-to < maxHeader {
			return f.more(from, from, f.s.named, RunToken, "")
		}
		return false
	}
	line := bytes.TrimRight(f.b[begin:to+n], "\r")
	var st State
	if f.continues(begin, from, delim, bytes.Count(line, []byte{delim})) || !f.s.head(&st, line, delim) {
		f.noHead, f.noDelim = to+n, delim
		return false
	}
	st.tables, st.record = f.st.tables, delim == '|' && st.columns == 2 && f.inRecord(begin)
	f.st = st
	f.resume = to + n + 1
	return true
}

// lineBegin returns where the line begins that i stands on, no further back than Context. It is asked for ascending places.
func (f *finder) lineBegin(i int) int {
	floor := max(0, i-Context)
	f.lineAt = max(f.lineAt, floor)
	if f.line < floor {
		f.line = floor
	}
	for f.lineAt < i {
		n := bytes.IndexByte(f.b[f.lineAt:i], '\n')
		if n < 0 {
			f.lineAt = i
			break
		}
		f.lineAt += n + 1
		f.line = f.lineAt
	}
	return f.line
}

// continues reports that the line before the one that begins at begin has as many cells: then this one is no head.
func (f *finder) continues(begin, from int, delim byte, n int) bool {
	if begin == 0 {
		return false
	}
	before := f.b[max(0, from-Context) : begin-1]
	if i := bytes.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	return bytes.Count(before, []byte{delim}) == n && !rule(bytes.TrimRight(before, "\r"))
}

// maxHeader is how much of the head of a table may stand behind a name in it, in bytes.
const maxHeader = 2048

// cellPair reads the cell beside a name that stands in the first cell of its line: requirepass | x. known is false when there is none.
func (f *finder) cellPair(from, to int, strength field.Strength) (found, known bool) {
	begin := from
	for begin > 0 && from-begin < 40 && (f.b[begin-1] == ' ' || f.b[begin-1] == '"' || f.b[begin-1] == '|') {
		begin--
	}
	if begin > 0 && from > begin && isDigit(f.b[begin-1]) { // | 12 | smtp_password | x
		for begin > 0 && from-begin < 40 && (isDigit(f.b[begin-1]) || f.b[begin-1] == ' ' || f.b[begin-1] == '|') {
			begin--
		}
	}
	if begin > 0 && f.b[begin-1] != '\n' {
		return false, false
	}
	i := to
	for i < len(f.b) && (f.b[i] == ' ' || f.b[i] == '"') {
		i++
	}
	if i == len(f.b) || !cellEnd(f.b[i]) {
		return false, false
	}
	delim := f.b[i]
	v := value{f: f, name: from, at: to, strength: strength}
	for i++; ; i++ {
		c, ok := v.peek(i)
		if !ok {
			return !f.final && v.need(), !f.final
		}
		if c != ' ' || delim == ',' {
			break
		}
	}
	f.view(i)
	end := i
	for ; ; end++ {
		c, ok := v.peek(end)
		if !ok && !f.final {
			return v.open(i, RunLine, ""), true
		}
		if !ok || c == delim || c == '\n' || c == '\r' {
			break
		}
	}
	cell := bytes.TrimRight(f.b[i:end], " ")
	if n := len(cell); n > 1 && cell[0] == '"' && cell[n-1] == '"' {
		i, cell = i+1, cell[1:n-1]
	}
	if len(cell) == 0 || delim == ',' && (bytes.IndexByte(cell, ' ') >= 0 || !tokenLike(cell)) || delim == ';' {
		return false, false
	}
	v.form = form{key: true, pair: true}
	if name := f.b[from:to]; word(cell) && !field.Gibberish(cell) && !passwordName(name) && !secretName(name) {
		return false, true
	}
	return v.judge(i, i+len(cell), true), true
}

// delimiter returns what stands between a name and the cell beside it, or 0.
func (f *finder) delimiter(from, to int) byte {
	i := to
	for i < len(f.b) && (f.b[i] == '"' || f.b[i] == '\'' || f.b[i] == '`' || f.b[i] == ' ' && f.b[min(i+1, len(f.b)-1)] == '|' || f.b[i] == ' ' && i-to < 40) {
		i++
	}
	j := from
	for j > 0 && (f.b[j-1] == '"' || f.b[j-1] == '\'' || f.b[j-1] == '`' || f.b[j-1] == ' ' && from-j < 40) {
		j--
	}
	left := byte('\n')
	if j > 0 {
		left = f.b[j-1]
	}
	right := byte('\n')
	if i < len(f.b) {
		right = f.b[i]
	}
	switch {
	case cellEnd(right) && (left == right || left == '\n'):
		return right
	case (right == '\n' || right == '\r') && cellEnd(left):
		return left
	case isName(right) && j == from:
		for i-to < 40 && i < len(f.b) && (isName(f.b[i]) || f.b[i] == ' ') {
			i++ // Secret access key
		}
		if i < len(f.b) && cellEnd(f.b[i]) {
			return f.b[i]
		}
		if cellEnd(left) || j == from && j > 0 && cellEnd(f.b[j-1]) {
			return f.b[j-1]
		}
	case cellEnd(right) && isName(left) || cellEnd(left) && isName(right):
		// Secret access key: the name is one word of the cell's.
		if cellEnd(right) {
			return right
		}
		return left
	}
	return 0
}

func cellEnd(c byte) bool { return c == '|' || c == ',' || c == '\t' || c == ';' }

// cells yields the cells of a line: quoted ones with their quotes.
func cells(line []byte, delim byte, leading bool) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		if leading {
			line = bytes.TrimSpace(line)
			line = bytes.TrimSuffix(bytes.TrimPrefix(line, []byte{'|'}), []byte{'|'})
		}
		for {
			i := cellLength(line, delim)
			if !yield(line[:i]) || i == len(line) {
				return
			}
			line = line[i+1:]
		}
	}
}

// cellLength returns where the first cell of a line ends. A quoted cell may hold the delimiter; one whose quote does not end there is none.
func cellLength(line []byte, delim byte) int {
	if len(line) > 0 && line[0] == '"' && delim != '|' {
		for i := 1; i < len(line); i++ {
			if line[i] == '"' {
				if i+1 < len(line) && line[i+1] == '"' {
					i++
					continue
				}
				if i+1 == len(line) || line[i+1] == delim {
					return i + 1
				}
				break
			}
		}
	}
	if i := bytes.IndexByte(line, delim); i >= 0 {
		return i
	}
	return len(line)
}

// rows reads the rows of a table from i on. It returns where the table ended, or held when more bytes are needed.
func (f *finder) rows(i int) (end int, held bool) {
	for i < len(f.b) {
		n, ok := f.rowLength(i)
		if !ok {
			if len(f.b)-i < MaxHold && !f.final {
				f.safe = i
				return i, true
			}
			f.st.kind = tableNone // a row that long is read as text
			return i, false
		}
		if n == 0 || !f.row(i, i+n) {
			f.st.kind = tableNone
			return i, false
		}
		i += n
		if f.st.kind == tableNone {
			return i, false
		}
	}
	return i, false
}

// rowLength is the length of the row that begins at i, its end included; 0 when none begins there. ok is false when its end is not there yet.
func (f *finder) rowLength(i int) (n int, ok bool) {
	if f.st.kind == tableTuples {
		return f.tupleLength(i)
	}
	b, final := f.b[i:], f.final
	if len(b) >= MaxHold {
		b, final = b[:MaxHold], false
	}
	n = bytes.IndexByte(b, '\n') + 1
	for f.st.kind == tableRows && f.st.delim != '|' && n > 0 && bytes.Count(b[:n], []byte{'"'})%2 != 0 && n < MaxHold {
		more := bytes.IndexByte(b[n:], '\n') + 1 // a line break within quotes
		if more == 0 {
			n = 0
			break
		}
		n += more
	}
	switch {
	case n > 0:
		return n, true
	case final:
		return len(b), true
	}
	return 0, false
}

// row searches one row. It reports that it is none: then nothing of it was searched.
func (f *finder) row(from, end int) bool {
	line := bytes.TrimRight(f.b[from:end], "\r\n")
	base := len(f.out)
	switch f.st.kind {
	case tableRows, tableCopy:
		if f.st.kind == tableCopy && string(line) == `\.` {
			f.st.kind = tableNone
			return true
		}
		if rule(line) {
			return true
		}
		if bytes.Contains(line, []byte("-----BEGIN ")) {
			return false // it goes on over the next lines
		}
		proof := f.st.proof[1]
		if f.st.record && !valueRow(line) {
			f.st.proof[1] = columnClear
		}
		is := f.cellsOf(line, from)
		f.st.proof[1] = proof
		if !is {
			return false
		}
	case tableTuples:
		f.tuple(from, end)
	case tableCreate:
		f.column(line)
	case tableNone:
		return false
	}
	return f.around(base, from, end)
}

// rule reports a line of a table's frame.
func rule(line []byte) bool {
	if len(line) < 3 {
		return false
	}
	for _, c := range line {
		if c != '-' && c != '+' && c != '=' && c != ' ' && c != '|' && c != ':' {
			return false
		}
	}
	return true
}

// cellsOf adds the secret cells of a line that begins at from. It reports whether the line has as many cells as the table has columns.
func (f *finder) cellsOf(line []byte, from int) bool {
	n := 0
	for range cells(line, f.st.delim, f.st.leading) {
		n++
	}
	if n != f.st.columns || f.st.leading && (len(line) == 0 || bytes.TrimLeft(line, " ")[0] != '|') {
		return false
	}
	k := 0
	for cell := range cells(line, f.st.delim, f.st.leading) {
		if k < maxColumns && f.st.proof[k] != columnClear {
			value := bytes.Trim(cell, " \t")
			if m := len(value); m > 1 && (value[0] == '"' || value[0] == '\'') && value[m-1] == value[0] {
				value = value[1 : m-1]
			}
			if f.st.proof[k].holds(value) {
				at := from + offsetOf(line, value)
				f.out = append(f.out, Finding{From: from, Start: at, End: at + len(value), Rule: f.s.named})
			}
		}
		k++
	}
	return true
}

// offsetOf returns where part, a slice of b, begins in b.
func offsetOf(b, part []byte) int { return cap(b) - cap(part) }

// around searches the row for everything else, and puts what is found between the cells that were added from base on. It reports false, and takes
// all back, when something goes on behind the row.
func (f *finder) around(base, from, end int) bool {
	rest := f.s.finder(f.b[:end], from, true)
	rest.out, rest.done, rest.st.kind = f.inRow[:0], max(f.done, from), tableTuples // no table in a table
	rest.search(from)
	f.inRow = rest.out
	for i := range rest.out {
		if rest.out[i].Open != Closed || rest.out[i].End == end && rest.out[i].Rule.Kind == "private-key" {
			f.out = f.out[:base]
			return false
		}
	}
	for _, x := range rest.out {
		f.put(base, x)
	}
	f.done = max(f.done, rest.done)
	if n := len(f.out); n > base {
		f.done = max(f.done, f.out[n-1].End)
	}
	return true
}

// put adds a finding in order to those from base on, which win over it.
func (f *finder) put(base int, x Finding) {
	i := base
	for i < len(f.out) && f.out[i].End <= x.Start {
		i++
	}
	if i < len(f.out) && f.out[i].Start < x.End {
		o := &f.out[i] // both mean the same
		o.Start, o.End, o.From = min(o.Start, x.Start), max(o.End, x.End), min(o.From, x.From)
		for i+1 < len(f.out) && f.out[i+1].Start < o.End {
			o.End = max(o.End, f.out[i+1].End)
			f.out = append(f.out[:i+1], f.out[i+2:]...)
		}
		return
	}
	f.out = append(f.out, Finding{})
	copy(f.out[i+1:], f.out[i:])
	f.out[i] = x
}
