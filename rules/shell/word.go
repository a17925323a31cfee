package shell

import "strings"

// word is one word of a command, its quotes taken off. Expansions stand in it as they are written.
type word struct {
	text   string
	expand bool // holds a variable, a substitution or arithmetic
	glob   bool // holds an unquoted wildcard or braces: it may become other words
	quoted bool // a part was quoted
	eq     int  // index of the = that makes it an assignment, or -1
	from   int  // where it begins in the source
}

// literal reports whether the word is surely what its text says.
func (w *word) literal() bool { return !w.expand && !w.glob }

// plain reports whether the word may be a reserved one.
func (w *word) plain() bool { return !w.quoted && !w.expand }

const metaBytes = " \t\n;&|()<>"

// word reads one word. ok is false when none begins here.
func (p *parser) word() (w word, ok bool) {
	w = word{eq: -1, from: p.pos}
	var b []byte
	start := p.pos
	named := false // whether an = was seen
	for p.pos < len(p.src) && p.c.spend(1) && p.ok() {
		c := p.src[p.pos]
		if (c == '<' || c == '>') && p.peek(1) == '(' {
			b = p.substitution(b, &w, 2)
			continue
		}
		if strings.IndexByte(metaBytes, c) >= 0 {
			break
		}
		switch c {
		case '\\':
			b = p.escape(b, &w)
		case '\'':
			b = p.single(b, &w)
		case '"':
			b = p.double(b, &w)
		case '$', '`':
			b = p.expansion(b, &w, false)
		case '*', '?', ']':
			w.glob = w.glob || c != ']' || strings.IndexByte(p.src[start:p.pos], '[') >= 0
			b = append(b, c)
			p.pos++
		default:
			if c == '=' && !named {
				if named = true; !w.quoted && !w.expand && isAssignment(string(b)) {
					w.eq = len(b)
				}
			}
			b = append(b, c)
			p.pos++
		}
	}
	w.text = string(b)
	w.glob = w.glob || braces(p.src[start:p.pos])
	return w, p.pos > start && p.ok()
}

// braces reports whether source may be expanded to several words: {a,b} or {1..9}.
func braces(source string) bool {
	i := strings.IndexByte(source, '{')
	return i >= 0 && strings.IndexByte(source[i:], '}') > 0 && (strings.IndexByte(source[i:], ',') > 0 || strings.Contains(source[i:], ".."))
}

func (p *parser) escape(b []byte, w *word) []byte {
	if p.pos++; p.pos >= len(p.src) {
		return append(b, '\\')
	}
	if p.src[p.pos] != '\n' {
		b = append(b, p.src[p.pos])
		w.quoted = true
	}
	p.pos++
	return b
}

func (p *parser) single(b []byte, w *word) []byte {
	w.quoted = true
	end := strings.IndexByte(p.src[p.pos+1:], '\'')
	if end < 0 {
		p.fail("a single quote is not closed")
		return b
	}
	b = append(b, p.src[p.pos+1:p.pos+1+end]...)
	p.pos += end + 2
	return b
}

func (p *parser) double(b []byte, w *word) []byte {
	w.quoted = true
	p.pos++
	for p.ok() && p.c.spend(1) {
		switch p.peek(0) {
		case 0:
			p.fail("a double quote is not closed")
			return b
		case '"':
			p.pos++
			return b
		case '\\':
			c := p.peek(1)
			switch c {
			case '$', '`', '"', '\\':
				b = append(b, c)
				p.pos += 2
			case '\n':
				p.pos += 2
			default:
				b = append(b, '\\')
				p.pos++
			}
		case '$', '`':
			b = p.expansion(b, w, true)
		default:
			b = append(b, p.src[p.pos])
			p.pos++
		}
	}
	return b
}

// expansion reads what $ or ` begins, and lists the commands in it. What is written stays in the word.
func (p *parser) expansion(b []byte, w *word, inDouble bool) []byte {
	start := p.pos
	if p.src[p.pos] == '`' {
		w.expand = true
		p.backquote(inDouble)
		return append(b, p.src[start:p.pos]...)
	}
	c := p.peek(1)
	switch {
	case c == '(':
		return p.substitution(b, w, 2)
	case c == '{':
		w.expand = true
		p.pos += 2
		p.braced('}', inDouble)
	case c == '[':
		w.expand = true
		p.pos += 2
		p.braced(']', inDouble)
	case c == '\'' && !inDouble:
		return p.ansi(b, w)
	case c == '"' && !inDouble:
		p.pos++
		return p.double(b, w)
	case c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		w.expand = true
		for p.pos++; isNameByte(p.peek(0)); p.pos++ {
		}
	case c != 0 && strings.IndexByte("0123456789@*#?-$!", c) >= 0:
		w.expand = true
		p.pos += 2
	default:
		p.pos++
	}
	return append(b, p.src[start:min(p.pos, len(p.src))]...)
}

func isNameByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// substitution reads $(…), $((…)), <(…) or >(…), whose opening has n bytes.
func (p *parser) substitution(b []byte, w *word, n int) []byte {
	start := p.pos
	w.expand = true
	dollar := p.src[p.pos] == '$'
	p.pos += n
	if dollar && p.peek(0) == '(' {
		p.pos++
		if p.arithmetic() {
			return append(b, p.src[start:p.pos]...)
		}
		p.pos = start + n
	}
	if !p.enter() {
		return b
	}
	if closer := p.list(); closer != ")" {
		p.fail("a ( is not closed")
	}
	p.depth--
	return append(b, p.src[start:min(p.pos, len(p.src))]...)
}

// arithmetic reads up to the )) that ends an expression. It reports false, and the position is anywhere, where none does.
func (p *parser) arithmetic() bool {
	if !p.enter() {
		return false
	}
	defer func() { p.depth-- }()
	var w word
	for open := 0; p.ok() && p.c.spend(1); {
		switch p.peek(0) {
		case 0:
			return false
		case '(':
			open++
			p.pos++
		case ')':
			if open == 0 {
				ok := p.peek(1) == ')'
				p.pos += 2
				return ok
			}
			open--
			p.pos++
		case '\\':
			p.pos += 2
		case '\'':
			p.single(nil, &w)
		case '"':
			p.double(nil, &w)
		case '$', '`':
			p.expansion(nil, &w, false)
		default:
			p.pos++
		}
	}
	return false
}

// braced reads the rest of ${…} or $[…].
func (p *parser) braced(end byte, inDouble bool) {
	if !p.enter() {
		return
	}
	defer func() { p.depth-- }()
	var w word
	for p.ok() && p.c.spend(1) {
		switch c := p.peek(0); c {
		case 0:
			p.fail("a ${ is not closed")
		case end:
			p.pos++
			return
		case '\\':
			p.pos += 2
		case '\'':
			if inDouble {
				p.pos++
			} else {
				p.single(nil, &w)
			}
		case '"':
			p.double(nil, &w)
		case '$', '`':
			p.expansion(nil, &w, inDouble)
		default:
			if (c == '<' || c == '>') && p.peek(1) == '(' && !inDouble {
				p.substitution(nil, &w, 2)
				continue
			}
			p.pos++
		}
	}
}

func (p *parser) backquote(inDouble bool) {
	var b []byte
	for p.pos++; p.pos < len(p.src); p.pos++ {
		c := p.src[p.pos]
		if c == '`' {
			p.pos++
			p.c.code(string(b), p.depth+1, nil)
			return
		}
		if n := p.peek(1); c == '\\' && (n == '`' || n == '\\' || n == '$' || n == '"' && inDouble) {
			p.pos++
			c = n
		}
		b = append(b, c)
	}
	p.fail("a ` is not closed")
}

var ansiTable = map[byte]byte{'a': 7, 'b': 8, 'e': 27, 'E': 27, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11, '\\': '\\', '\'': '\'', '"': '"', '?': '?'}

// ansi reads $'…'.
func (p *parser) ansi(b []byte, w *word) []byte {
	w.quoted = true
	for p.pos += 2; p.pos < len(p.src); p.pos++ {
		c := p.src[p.pos]
		if c == '\'' {
			p.pos++
			return b
		}
		if c != '\\' {
			b = append(b, c)
			continue
		}
		p.pos++
		b = p.ansiEscape(b)
	}
	p.fail("a $' is not closed")
	return b
}

func (p *parser) ansiEscape(b []byte) []byte {
	c := p.peek(0)
	if r, ok := ansiTable[c]; ok {
		return append(b, r)
	}
	switch {
	case c == 'x':
		return p.code(b, 1, 2, 16)
	case c == 'u':
		return p.code(b, 1, 4, 16)
	case c == 'U':
		return p.code(b, 1, 8, 16)
	case c >= '0' && c <= '7':
		return p.code(b, 0, 3, 8)
	case c == 'c' && p.peek(1) != 0:
		p.pos++
		return append(b, p.peek(0)&31)
	}
	if c == 0 {
		return append(b, '\\')
	}
	return append(b, '\\', c)
}

// code reads up to n digits, skip bytes from here, and stops at the last of them.
func (p *parser) code(b []byte, skip, n int, base rune) []byte {
	kind := p.peek(0)
	var v rune
	digits := 0
	for digits < n {
		d := hexDigit(p.peek(skip + digits))
		if d < 0 || d >= base {
			break
		}
		v = v*base + d
		digits++
	}
	if digits == 0 {
		return append(b, '\\', kind)
	}
	p.pos += skip + digits - 1
	if v == 0 {
		p.fail("a quoted NUL")
	}
	if kind == 'u' || kind == 'U' {
		return append(b, string(v)...)
	}
	return append(b, byte(v))
}

func hexDigit(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
