package detect

import (
	"bytes"
	"strings"

	"weir/mask/field"
)

// element reads <name>value</.
func (v *value) element(i int) bool {
	if c, ok := v.peek(i); ok && v.name > 1 && c == v.f.b[v.name-2] && (c == '"' || c == '\'' || c == '`') {
		return false // '<password>'
	}
	v.f.view(i)
	end := i
	for ; ; end++ {
		c, ok := v.peek(end)
		if !ok && !v.f.final {
			return v.open(i, RunElement, "")
		}
		next, more := v.peek(end + 1)
		if ok && c == '<' && !more && !v.f.final {
			return v.open(i, RunElement, "")
		}
		if ok && c == '<' && next != '/' || !ok {
			return false
		}
		if c == '<' {
			text := v.f.b[i:end]
			i += len(text) - len(bytes.TrimLeft(text, " \t\r\n"))
			v.form.key, v.form.tight, v.lineStart = true, true, false
			return v.judge(i, max(i, end-(len(text)-len(bytes.TrimRight(text, " \t\r\n")))), true)
		}
	}
}

// tag reads <name attributes…>value</ from behind the name.
func (v *value) tag(i int) bool {
	for end := i; end-i < lookBack; end++ {
		switch c, ok := v.peek(end); {
		case !ok:
			return !v.f.final && v.need()
		case c == '>' && v.f.b[end-1] != '/':
			return v.element(end + 1)
		case c == '<' || c == '>' || c == '\n':
			return false
		}
	}
	return false
}

// wrapTable is what may stand between an operator and the quote of its value: SQL's prefixes and its PASSWORD function, Python's prefixes, types in dumps.
var wrapTable = [...]string{"N'", "E'", "b'", "b\"", "u'", "u\"", "PASSWORD(", "OLD_PASSWORD(", "string(", "!!str ", "!!binary "}

// wrapHeadTable is what they begin with.
var wrapHeadTable = []byte("NEPOs!bu")

// unwrapped returns where the quoted or bare value begins behind one of wrapTable. short means that more bytes are needed to tell.
func (v *value) unwrapped(i int) (at int, short bool) {
	b := v.f.b
	if i < len(b) && bytes.IndexByte(wrapHeadTable, b[i]) < 0 {
		return i, false
	}
	for _, w := range wrapTable {
		if rest := b[i:]; len(rest) < len(w) && string(rest) == w[:len(rest)] && !v.f.final {
			return i, true
		} else if len(rest) < len(w) || string(rest[:len(w)]) != w {
			continue
		}
		at = i + len(w)
		if q := w[len(w)-1]; q == '\'' || q == '"' {
			return at - 1, false
		}
		for at < len(b) && at-i < 24 && (isDigit(b[at]) || b[at] == ')' || b[at] == ' ') {
			at++
		}
		if at == len(b) {
			return i, !v.f.final
		}
		return at, false
	}
	return i, false
}

// read reads the value at i. quotedOnly leaves bare words alone.
func (v *value) read(i int, quotedOnly bool) bool {
	begin := i
	i = v.blanks(i)
	v.form.tight = v.form.tight && i == begin
	i, short := v.unwrapped(i)
	if short {
		return v.need()
	}
	c, ok := v.peek(i)
	if !ok {
		return !v.f.final && v.need()
	}
	if c == '[' && v.strength == field.Strong { // "authorization": ["Bearer x"]
		at := v.blanks(i + 1)
		next, ok := v.peek(at)
		if !ok && !v.f.final {
			return v.need()
		}
		if next == '"' || next == '\'' || authScheme(v.f.b[at:]) > 0 {
			i, c = at, next
		}
	}
	if c == '{' && v.form.key {
		if found, known := v.pair(i + 1); known { // "password": {"value": "x"}
			return found
		}
	}
	mark, short := v.quoteAt(i)
	switch {
	case short:
		return v.need()
	case len(mark) == 1 && i+2 >= len(v.f.b) && !v.f.final:
		return v.need()
	case len(mark) == 1 && i+2 < len(v.f.b) && v.f.b[i+1] == c && v.f.b[i+2] == c:
		return v.marked(i+3, v.f.b[i:i+3]) // """x"""
	case len(mark) == 1 && !v.form.key && v.insideString(c):
		return false // the quote ends the string that the name stands in
	case len(mark) == 1:
		return v.quoted(i+1, c)
	case len(mark) > 1:
		return v.marked(i+len(mark), mark)
	}
	if quotedOnly || c == '\n' || c == '\r' {
		return false
	}
	return v.bareWord(i)
}

// quoted reads to the closing quote, or to the end of the line where there is none.
func (v *value) quoted(i int, quote byte) bool {
	v.f.view(i)
	end := i
	for ; ; end++ {
		c, ok := v.peek(end)
		switch {
		case !ok && !v.f.final:
			return v.open(i, RunQuote, quoteOf(quote))
		case !ok, c == '\n':
			return v.judge(i, min(end, len(v.f.b)), true) // a backslash may be the last byte of all
		case c == '\\' && end+1 < len(v.f.b) && v.f.b[end+1] != quote:
			end++
		case c == '\\' && end+1 == len(v.f.b) && !v.f.final:
			return v.open(i, RunQuote, quoteOf(quote))
		case c == '\\':
			end++
		case c == quote && v.form.query && len(v.f.b)-end < 4 && !v.f.final && v.f.argument(v.name):
			return v.open(i, RunQuote, quoteOf(quote)) // amongMore looks on
		case c == quote:
			return v.judge(i, end, true)
		}
	}
}

// quoteMarkTable is what stands for a quote where quotes are escaped.
var quoteMarkTable = [...]string{"&quot;", "&#34;", "&#39;", "&#x22;", "&#x27;", "&apos;", "%22", "%27", `\u0022`, `\u0027`}

// quoteAt returns the quote that stands at i: one byte, or backslashes and a quote, or one of quoteMarkTable. short means that more bytes are needed to tell.
func (v *value) quoteAt(i int) (mark []byte, short bool) {
	b := v.f.b
	if i >= len(b) {
		return nil, false
	}
	switch b[i] {
	case '"', '\'', '`':
		return b[i : i+1], false
	case '\\', '&', '%':
	default:
		return nil, false
	}
	end := i
	for end < len(b) && b[end] == '\\' && end-i < 8 {
		end++
	}
	if end == len(b) {
		return nil, !v.f.final
	}
	if end > i && (b[end] == '"' || b[end] == '\'') {
		return b[i : end+1], false
	}
	for _, m := range quoteMarkTable {
		switch rest := b[i:]; {
		case len(rest) >= len(m) && foldEqual(rest[:len(m)], m):
			return rest[:len(m)], false
		case len(rest) < len(m) && foldEqual(rest, m[:len(rest)]):
			short = !v.f.final
		}
	}
	return nil, short
}

// marked reads to the next mark, or to the end of the line where there is none.
func (v *value) marked(i int, mark []byte) bool {
	v.f.view(i)
	line := v.f.b[i:]
	n := bytes.Index(line, mark)
	for n > 0 && mark[0] == '\\' && line[n-1] == '\\' {
		more := bytes.Index(line[n+len(mark):], mark) // a quote within, escaped once more
		if more < 0 {
			n = -1
			break
		}
		n += len(mark) + more
	}
	if nl := bytes.IndexByte(line, '\n'); nl >= 0 && (n < 0 || nl < n) {
		return v.judge(i, i+nl, true)
	}
	switch {
	case n >= 0:
		return v.judge(i, i+n, true)
	case v.f.final:
		return v.judge(i, len(v.f.b), true)
	}
	return v.open(i, RunQuote, markOf(mark))
}

// quoteOf is a quote as Finding has it.
func quoteOf(c byte) string {
	switch c {
	case '"':
		return `"`
	case '\'':
		return "'"
	}
	return "`"
}

// markOf is what quoteAt returns as Finding has it.
func markOf(mark []byte) string {
	if len(mark) == 3 && mark[0] == mark[1] && mark[0] != '\\' {
		return strings.Repeat(quoteOf(mark[0]), 3)
	}
	for _, m := range quoteMarkTable {
		if foldEqual(mark, m) && len(mark) == len(m) {
			return m
		}
	}
	const double, single = `\\\\\\\\"`, `\\\\\\\\'`
	if mark[len(mark)-1] == '\'' {
		return single[len(single)-len(mark):]
	}
	return double[len(double)-len(mark):]
}

// percent reads what stands behind %3D, to %26 or the end of the word, and a value in quotes behind %3D or %3A.
func (v *value) percent(i int) bool {
	b := v.f.b
	switch {
	case len(b)-i < 3 && !v.f.final:
		return v.need()
	case len(b)-i < 3 || b[i+1] != '3' || b[i+2]|0x20 != 'd' && b[i+2]|0x20 != 'a':
		return false
	}
	colon := b[i+2]|0x20 == 'a'
	i += 3
	v.lineStart, v.form.tight = false, true
	switch mark, short := v.quoteAt(i); {
	case short:
		return v.need()
	case len(mark) == 3: // %22password%22%3A%22x%22
		return v.marked(i+len(mark), mark)
	case colon:
		return false
	}
	v.form.pair = true
	v.f.view(i)
	b = v.f.b
	for end := i; ; end++ {
		c, ok := v.peek(end)
		switch {
		case !ok && !v.f.final:
			return v.open(i, RunToken, "")
		case !ok, c <= ' ', c == '"', c == '\'', c == '&', c == '<', c == '>', c == ')', c == ',', c == ';',
			c == '%' && end+2 < len(b) && b[end+1] == '2' && (b[end+2] == '6' || b[end+2] == '2' || b[end+2] == '0'):
			return v.judge(i, min(end, len(b)), true)
		case c == '%' && end+2 >= len(b) && !v.f.final:
			return v.open(i, RunToken, "")
		}
	}
}

// bareWord reads a value without quotes: to the end of the line where the name begins it, else to a blank.
func (v *value) bareWord(i int) bool {
	v.f.view(i)
	end := i
	for ; ; end++ {
		c, ok := v.peek(end)
		if !ok && !v.f.final {
			run := RunToken
			if v.lineStart {
				run = RunLine
			}
			return v.open(i, run, "")
		}
		if !ok || c == '\n' || c == '\r' || c == 0 {
			break
		}
		if c == ' ' && authScheme(v.f.b[i:end+1]) == end+1-i || c == ']' && end > i && field.EndsMask(v.f.b[i+1:end+1]) {
			continue // the end of a placeholder within belongs to the value, too
		}
		if !v.lineStart && (c <= ' ' || c == ',' || c == ';' || c == '&' || c == '"' || c == '\'' || c == '<' || c == ')' || c == ']' || c == '}' || c == '`' || c == '|') {
			break
		}
	}
	if v.lineStart {
		end = i + uncommented(v.f.b[i:end])
		end = i + v.argumentEnd(v.f.b[i:end])
		if q := v.f.b[max(0, v.name-1)]; v.name > 0 && (q == '"' || q == '\'') && !v.form.key {
			if n := bytes.IndexByte(v.f.b[i:end], q); n > 0 {
				end, v.within = i+n, true
			}
		}
	}
	for end > i && (v.f.b[end-1] == ' ' || v.f.b[end-1] == '\t') {
		end--
	}
	if !v.f.final && v.looksOn(v.f.b[end:]) {
		return v.open(i, RunToken, "")
	}
	if n := closingQuote(v.f.b[i:end]); !v.lineStart && n > 0 {
		end -= n
	}
	if v.lineStart && end > i && v.f.b[end-1] == ',' {
		end = i + len(bytes.TrimRight(v.f.b[i:end-1], " \t"))
	}
	return v.judge(i, end, false)
}

// closingQuote is the length of a typographic quote that ends v: ” ’ “ ‘ ».
func closingQuote(v []byte) int {
	n := len(v)
	switch {
	case n > 3 && v[n-3] == 0xe2 && v[n-2] == 0x80 && v[n-1] >= 0x98 && v[n-1] <= 0x9f:
		return 3
	case n > 2 && v[n-2] == 0xc2 && v[n-1] == 0xbb:
		return 2
	}
	return 0
}

// open holds a value whose end is not there yet; what is no secret whatever follows is let go.
func (v *value) open(i int, run Run, quote string) bool {
	if v.strength != field.Strong && len(v.f.b)-i >= MaxHold {
		return false
	}
	if len(v.f.b)-i < MaxHold {
		v.f.quiet = i
		v.f.hold(v.name)
		return true
	}
	return v.f.more(v.name, i, v.f.s.named, run, quote)
}

// need0 is need for what may be part of the secret already.
func (v *value) need0() bool {
	quiet := v.f.quiet
	held := v.f.more(v.name, v.name, v.f.s.named, RunLine, "")
	v.f.quiet = quiet
	return held
}

// uncommented returns the length of a line's value without the comment behind it, and without what a connection string has behind its
// password.
func uncommented(line []byte) int {
	if bytes.IndexByte(line, '#') >= 0 || bytes.IndexByte(line, '/') >= 0 {
		for _, sign := range [...]string{" #", " // ", " /*", "\t#", "\t//"} {
			if i := bytes.Index(line, []byte(sign)); i > 0 {
				line = line[:i]
			}
		}
	}
	if i := bytes.IndexByte(line, ';'); i > 0 && bytes.IndexByte(line[i:], '=') > 0 {
		return i // Pwd=x;Database=y
	}
	return len(line)
}
