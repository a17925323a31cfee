package mask

import (
	"bytes"

	"weir"
)

// statement masks the literals of a statement, and what else is a secret in what is left of it.
func (c *Columns) statement(dst, value []byte, t *weir.Tally) ([]byte, weir.Change) {
	var plain []byte
	at, changed := 0, false
	for at < len(value) {
		from, to, end := literal(value, at)
		if from < 0 {
			break
		}
		plain = append(plain, value[at:from]...)
		if to > from {
			plain = c.m.placeholder(plain, "literal", value[from:to], to-from, t)
			changed = true
		}
		plain = append(plain, value[to:end]...)
		at = end
	}
	plain = append(plain, value[at:]...)
	out, change := c.cell(dst, cellRule{}, plain, t)
	switch {
	case change != weir.Unchanged:
		return out, change
	case changed:
		return append(dst, plain...), weir.Masked
	}
	return dst, weir.Unchanged
}

// literal finds the next string literal of SQL from at on: its content, and where it ends with its quotes. One that is not closed,
// as in a statement that was cut, goes to the end. from is -1 when there is none.
func literal(b []byte, at int) (from, to, end int) {
	for i := at; i < len(b); i++ {
		switch b[i] {
		case '"': // an identifier
			if n := bytes.IndexByte(b[i+1:], '"'); n >= 0 {
				i += n + 1
			}
		case '-', '/': // a comment; with a quote in it it is masked as a whole
			n := commentLength(b[i:])
			if bytes.IndexByte(b[i:i+n], '\'') >= 0 {
				return i + 2, commentEnd(b[i:i+n]) + i, i + n
			}
			i += max(0, n-1)
		case '\'':
			escapes := i > 0 && (b[i-1] == 'E' || b[i-1] == 'e') && (i == 1 || !wordByte(b[i-2]))
			for j := i + 1; j < len(b); j++ {
				switch {
				case escapes && b[j] == '\\':
					j++
				case b[j] == '\'' && j+1 < len(b) && b[j+1] == '\'':
					j++
				case b[j] == '\'':
					return i + 1, j, j + 1
				}
			}
			return i + 1, len(b), len(b)
		case '$':
			tag := dollarTag(b[i:])
			if tag == nil {
				continue
			}
			from = i + len(tag)
			if n := bytes.Index(b[from:], tag); n >= 0 {
				return from, from + n, from + n + len(tag)
			}
			return from, len(b), len(b)
		}
	}
	return -1, -1, -1
}

// commentLength is how long the comment at the front of b is; 0 when there is none. One that does not end, as in a statement that was cut, is none.
func commentLength(b []byte) int {
	switch {
	case bytes.HasPrefix(b, []byte("--")):
		if n := bytes.IndexAny(b, "\r\n"); n >= 0 {
			return n
		}
		return len(b)
	case !bytes.HasPrefix(b, []byte("/*")):
		return 0
	}
	depth := 0
	for i := 0; i+1 < len(b); i++ {
		switch {
		case b[i] == '/' && b[i+1] == '*':
			depth++
			i++
		case b[i] == '*' && b[i+1] == '/':
			i++
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// commentEnd is where the text of a comment ends.
func commentEnd(comment []byte) int {
	if comment[0] == '/' {
		return len(comment) - 2
	}
	return len(comment)
}

// wordByte reports whether c may stand in a name.
func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// dollarTag is the tag of a dollar quote at the front of b; nil when there is none. $1 is a parameter.
func dollarTag(b []byte) []byte {
	for i := 1; i < len(b); i++ {
		switch x := b[i]; {
		case x == '$':
			return b[:i+1]
		case x == '_' || x >= 'a' && x <= 'z' || x >= 'A' && x <= 'Z' || x >= 0x80 || i > 1 && x >= '0' && x <= '9':
		default:
			return nil
		}
	}
	return nil
}
