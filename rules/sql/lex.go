package sql

// Kind is what a Token is.
type Kind uint8

// Kinds. The zero value is the end of the text.
const (
	End      Kind = iota
	Space         // blanks
	Comment       // -- and nested /* */
	Word          // an identifier or keyword without quotes
	Quoted        // "…"
	Unicode       // U&"…"; a UESCAPE behind it is tokens of its own
	String        // '…', N'…', B'…', X'…', with the pieces that continue it on later lines
	Escaped       // E'…'
	UString       // U&'…'
	Dollar        // $tag$…$tag$
	Param         // $1
	Number        // 1, 1.5e3, 0xFF, 1_000
	Operator      // one or more operator characters, also :: := => ..
	Mark          // one of ( ) [ ] , ; : .
	Stray         // a byte that begins nothing
)

// Token is a piece of the text: text[Start:End].
type Token struct {
	Kind       Kind
	Open       bool // the text ended before the token did
	High       bool // it holds bytes that are not ASCII
	Start, End int  // in bytes
}

// Lexer cuts SQL into tokens as the server does (PostgreSQL, "Lexical Structure"). Tokens cover the whole text in order. It takes time
// linear in the text and allocates nothing. Words behind numbers ("1a") are tokens of their own, as servers before version 15 have it.
type Lexer struct {
	Text       string
	Conforming bool // standard_conforming_strings; backslash_quote only makes the server refuse, so it does not matter here
	at         int
}

// character classes
const (
	classSpace = 1 << iota
	classStart // begins a word
	classDigit
	classOp
	classMark
	classLine // ends a line
)

var classTable = func() (t [256]uint8) {
	for _, c := range []byte(" \t\n\r\f\v") {
		t[c] = classSpace
	}
	t['\n'] |= classLine
	t['\r'] |= classLine
	for c := range t {
		if c >= 0x80 || c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			t[c] = classStart
		}
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = classDigit
	}
	for _, c := range []byte("~!@#^&|`?+-*/%<>=") {
		t[c] = classOp
	}
	for _, c := range []byte("()[],;:.") {
		t[c] = classMark
	}
	return t
}()

// Next returns the next token; its Kind is End behind the last one.
func (l *Lexer) Next() Token {
	if l.at >= len(l.Text) {
		return Token{Start: len(l.Text), End: len(l.Text)}
	}
	t := Token{Start: l.at}
	s, i := l.Text, l.at
	c := s[i]
	switch class := classTable[c]; {
	case class&classSpace != 0:
		for i++; i < len(s) && classTable[s[i]]&classSpace != 0; i++ {
		}
		t.Kind = Space
	case class == classStart:
		i = l.word(&t, i)
	case class == classDigit:
		t.Kind, i = Number, number(s, i)
	case class == classMark:
		i = mark(s, i, &t)
	case class == classOp:
		i = l.operator(i, &t)
	case c == '\'':
		t.Kind = String
		i = l.quoted(i, !l.Conforming, &t)
	case c == '"':
		t.Kind = Quoted
		i = identifier(s, i, &t)
	case c == '$':
		i = dollar(s, i, &t)
	default:
		t.Kind = Stray
		i++
	}
	t.End, l.at = i, i
	return t
}

// word reads a word, or a string or identifier with a prefix.
func (l *Lexer) word(t *Token, i int) int {
	s := l.Text
	if i+1 < len(s) && s[i+1] == '\'' {
		switch s[i] | 0x20 {
		case 'e':
			t.Kind = Escaped
			return l.quoted(i+1, true, t)
		case 'n':
			t.Kind = String
			return l.quoted(i+1, !l.Conforming, t)
		case 'b', 'x':
			t.Kind = String
			return l.quoted(i+1, false, t)
		}
	}
	if i+2 < len(s) && s[i]|0x20 == 'u' && s[i+1] == '&' {
		switch s[i+2] {
		case '\'':
			t.Kind = UString
			return l.quoted(i+2, false, t)
		case '"':
			t.Kind = Unicode
			return identifier(s, i+2, t)
		}
	}
	t.Kind = Word
	for ; i < len(s) && (classTable[s[i]]&(classStart|classDigit) != 0 || s[i] == '$'); i++ {
		t.High = t.High || s[i] >= 0x80
	}
	return i
}

// quoted reads a string from its quote at i on, and the pieces that continue it.
func (l *Lexer) quoted(i int, backslash bool, t *Token) int {
	s := l.Text
	for i++; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && backslash:
			i++
			if i < len(s) && s[i] >= 0x80 {
				t.High = true
			}
		case c == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		case c == '\'':
			next := continued(s, i+1)
			if next < 0 {
				return i + 1
			}
			i = next
		case c >= 0x80:
			t.High = true
		}
	}
	t.Open = true
	return len(s)
}

// continued returns where the quote of the next piece of a string stands, -1 when there is none. Between the pieces are blanks with at least
// one line end, and line comments.
func continued(s string, i int) int {
	line := false
	for i < len(s) {
		switch c := s[i]; {
		case classTable[c]&classSpace != 0:
			line = line || classTable[c]&classLine != 0
			i++
		case c == '-' && i+1 < len(s) && s[i+1] == '-':
			for ; i < len(s) && classTable[s[i]]&classLine == 0; i++ {
			}
		case c == '\'' && line:
			return i
		default:
			return -1
		}
	}
	return -1
}

func identifier(s string, i int, t *Token) int {
	for i++; i < len(s); i++ {
		if s[i] == '"' {
			if i+1 >= len(s) || s[i+1] != '"' {
				return i + 1
			}
			i++
		}
		t.High = t.High || s[i] >= 0x80
	}
	t.Open = true
	return i
}

func number(s string, i int) int {
	digits := func(i int, ok func(byte) bool) int {
		for i < len(s) && (ok(s[i]) || s[i] == '_' && i+1 < len(s) && ok(s[i+1])) {
			i++
		}
		return i
	}
	decimal := func(c byte) bool { return c >= '0' && c <= '9' }
	if s[i] == '0' && i+2 < len(s) {
		base := s[i+1] | 0x20
		ok := func(c byte) bool {
			return base == 'x' && (decimal(c) || c|0x20 >= 'a' && c|0x20 <= 'f') || base == 'o' && c >= '0' && c <= '7' || base == 'b' && c|1 == '1'
		}
		if ok(s[i+2]) {
			return digits(i+2, ok)
		}
	}
	i = digits(i, decimal)
	if i < len(s) && s[i] == '.' && (i+1 >= len(s) || s[i+1] != '.') {
		i = digits(i+1, decimal)
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if j < len(s) && decimal(s[j]) {
			i = digits(j, decimal)
		}
	}
	return i
}

func mark(s string, i int, t *Token) int {
	t.Kind = Mark
	if i+1 >= len(s) {
		return i + 1
	}
	switch c, next := s[i], s[i+1]; {
	case c == '.' && classTable[next] == classDigit:
		t.Kind = Number
		if n := number(s, i+1); n > i+1 {
			return n
		}
	case c == '.' && next == '.', c == ':' && (next == ':' || next == '='):
		t.Kind = Operator
		return i + 2
	}
	return i + 1
}

// operator reads a comment or an operator. An operator ends where a comment begins, and only those with one of ~!@#%^&|`? may end in + or -.
func (l *Lexer) operator(i int, t *Token) int {
	s, start, special := l.Text, i, false
	for ; i < len(s) && classTable[s[i]] == classOp; i++ {
		if i+1 < len(s) && (s[i] == '-' && s[i+1] == '-' || s[i] == '/' && s[i+1] == '*') {
			if i == start {
				return comment(s, i, t)
			}
			break
		}
		switch s[i] {
		case '~', '!', '@', '#', '%', '^', '&', '|', '`', '?':
			special = true
		}
	}
	t.Kind = Operator
	for !special && i > start+1 && (s[i-1] == '+' || s[i-1] == '-') {
		i--
	}
	return i
}

func comment(s string, i int, t *Token) int {
	t.Kind = Comment
	if s[i] == '-' {
		for ; i < len(s) && classTable[s[i]]&classLine == 0; i++ {
			t.High = t.High || s[i] >= 0x80
		}
		return i
	}
	depth := 0
	for i < len(s) {
		t.High = t.High || s[i] >= 0x80
		switch {
		case i+1 < len(s) && s[i] == '/' && s[i+1] == '*':
			depth++
			i += 2
		case i+1 < len(s) && s[i] == '*' && s[i+1] == '/':
			i += 2
			if depth--; depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	t.Open = true
	return i
}

func dollar(s string, i int, t *Token) int {
	j := i + 1
	if j < len(s) && classTable[s[j]] == classDigit {
		for ; j < len(s) && classTable[s[j]] == classDigit; j++ {
		}
		t.Kind = Param
		return j
	}
	for ; j < len(s) && (classTable[s[j]] == classStart || j > i+1 && classTable[s[j]] == classDigit); j++ {
	}
	if j >= len(s) || s[j] != '$' {
		t.Kind = Stray
		return i + 1
	}
	t.Kind = Dollar
	tag := s[i : j+1]
	end := indexFrom(s, tag, j+1)
	t.Open = end < 0
	stop := end + len(tag)
	if t.Open {
		stop = len(s)
	}
	for k := i; k < stop && !t.High; k++ {
		t.High = s[k] >= 0x80
	}
	return stop
}
