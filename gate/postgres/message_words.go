package postgres

import (
	"strconv"
	"strings"
)

// word is a piece of a statement.
type word struct {
	kind byte // 'w' a word in lower case, '"' a quoted identifier, '\'' a literal's content, else the character
	text string
}

// words splits a statement for the few things that the codec looks for itself: options of COPY, names of PREPARE, values of SET. It skips
// comments. Deciding is the classifier's.
func words(s string) []word {
	var out []word
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			i++
		case strings.HasPrefix(s[i:], "--"):
			if n := strings.IndexAny(s[i:], "\r\n"); n >= 0 {
				i += n
			} else {
				i = len(s)
			}
		case strings.HasPrefix(s[i:], "/*"):
			i = skipComment(s, i)
		case c == '\'' || c == '"':
			text, n := quoted(s[i:], c, false)
			out, i = append(out, word{c, text}), i+n
		case (c == 'e' || c == 'E') && i+1 < len(s) && s[i+1] == '\'':
			text, n := quoted(s[i+1:], '\'', true)
			out, i = append(out, word{'\'', text}), i+1+n
		case c == '$' && dollar(s[i:]) > 0:
			tag := s[i : i+dollar(s[i:])]
			body := s[i+len(tag):]
			if n := strings.Index(body, tag); n >= 0 {
				out, i = append(out, word{'\'', body[:n]}), i+n+2*len(tag)
			} else {
				i = len(s)
			}
		case wordByte(c):
			n := 1
			for i+n < len(s) && (wordByte(s[i+n]) || s[i+n] == '$') {
				n++
			}
			out, i = append(out, word{'w', strings.ToLower(s[i : i+n])}), i+n
		default:
			out, i = append(out, word{c, s[i : i+1]}), i+1
		}
	}
	return out
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

func skipComment(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(s[i:], "*/"):
			depth--
			i += 2
		default:
			i++
		}
		if depth == 0 {
			break
		}
	}
	return i
}

// escaped reads what follows a backslash in E'…', and how long it is.
func escaped(s string) (string, int) {
	number := func(from, most, base, bits int) (string, int) {
		n := from
		for n < len(s) && n < from+most && strings.IndexByte("0123456789abcdef"[:base], s[n]|0x20) >= 0 {
			n++
		}
		v, err := strconv.ParseUint(s[from:n], base, 32)
		switch {
		case err != nil:
			return s[:1], 1
		case bits == 8:
			return string([]byte{byte(v)}), n
		}
		return string(rune(v)), n
	}
	switch c := s[0]; c {
	case 'b', 'f', 'n', 'r', 't':
		return "\b\f\n\r\t"[strings.IndexByte("bfnrt", c):][:1], 1
	case 'x':
		return number(1, 2, 16, 8)
	case 'u':
		return number(1, 4, 16, 32)
	case 'U':
		return number(1, 8, 16, 32)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		return number(0, 3, 8, 8)
	default:
		return s[:1], 1
	}
}

// quoted reads what stands between quotes, doubled quotes undone, and how long it is with them.
func quoted(s string, q byte, escapes bool) (string, int) {
	var b strings.Builder
	i := 1
	for i < len(s) {
		switch {
		case escapes && s[i] == '\\' && i+1 < len(s):
			text, n := escaped(s[i+1:])
			b.WriteString(text)
			i += 1 + n
		case s[i] == q && i+1 < len(s) && s[i+1] == q:
			b.WriteByte(q)
			i += 2
		case s[i] == q:
			return b.String(), i + 1
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String(), i
}

// dollar is the length of a dollar quote's tag; 0 when there is none.
func dollar(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '$':
			return i + 1
		case !wordByte(s[i]) || i == 1 && s[i] >= '0' && s[i] <= '9':
			return 0
		}
	}
	return 0
}

// identifier is a name as the server folds it.
func (w word) identifier() (string, bool) {
	return w.text, w.kind == 'w' || w.kind == '"'
}

// is reports whether it is the keyword.
func (w word) is(keyword string) bool { return w.kind == 'w' && w.text == keyword }

// parameterNames tells what the parameters of a statement are called where a column stands beside them: "name = $1", and the lists of
// INSERT. Those that nothing names are "".
func parameterNames(text string) []string {
	if !strings.Contains(text, "$") {
		return nil
	}
	ws := words(text)
	var names []string
	set := func(n int, name string) {
		for len(names) < n && n < 1<<16 {
			names = append(names, "")
		}
		if n > 0 && n <= len(names) && names[n-1] == "" {
			names[n-1] = name
		}
	}
	for i := range ws {
		if n, ok := parameter(ws, i); ok && i >= 2 && (ws[i-1].kind == '=' || ws[i-1].is("like")) {
			if name, ok := ws[i-2].identifier(); ok {
				set(n, name)
			}
		}
		if ws[i].is("into") {
			insertNames(ws[i+1:], set)
		}
	}
	return names
}

// parameter reads $n.
func parameter(ws []word, i int) (int, bool) {
	if ws[i].kind != '$' || i+1 >= len(ws) || ws[i+1].kind != 'w' {
		return 0, false
	}
	n := 0
	for _, c := range []byte(ws[i+1].text) {
		if c < '0' || c > '9' || n > 1<<16 {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// insertNames reads "t (a, b) VALUES ($1, $2), …".
func insertNames(ws []word, set func(int, string)) {
	i := 0
	for i < len(ws) && ws[i].kind != '(' {
		if ws[i].is("values") || ws[i].is("select") {
			return
		}
		i++
	}
	var columns []string
	for i++; i < len(ws) && ws[i].kind != ')'; i++ {
		if name, ok := ws[i].identifier(); ok {
			columns = append(columns, name)
		}
	}
	at, depth := 0, 0
	for ; i < len(ws); i++ {
		switch {
		case ws[i].kind == '(':
			if depth++; depth == 1 {
				at = 0
			}
		case ws[i].kind == ')':
			depth--
		case ws[i].kind == ',' && depth == 1:
			at++
		case ws[i].is("returning"), ws[i].kind == ';':
			return
		}
		if n, ok := parameter(ws, i); ok && at < len(columns) {
			set(n, columns[at])
		}
	}
}
