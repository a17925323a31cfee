package mask

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// plainRun returns how many bytes at the front of b are neither a quote nor a backslash.
func plainRun(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		// Eight bytes at a time: a byte that is a quote or a backslash becomes zero in x or y, and the lowest zero byte sets its high bit.
		w := binary.LittleEndian.Uint64(b[i:])
		x, y := w^(ones*'"'), w^(ones*'\\')
		if hit := ((x-ones)&^x | (y-ones)&^y) & highs; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// stringEnd returns the length of the JSON string at the front of b, quotes included, and whether it holds escapes. It looks from i on: 1, or,
// when more of a string is there for which it was not ok, the length it returned then, with what it said of escapes.
func stringEnd(b []byte, i int, was bool) (end int, escaped, ok bool) {
	for escaped = was; ; i += 2 {
		i += plainRun(b[i:])
		switch {
		case i >= len(b):
			return len(b), escaped, false
		case b[i] == '"':
			return i + 1, escaped, true
		}
		escaped = true
		if i+1 == len(b) {
			return i, escaped, false
		}
	}
}

// scalarEnd returns the length of the bare token at the front of b, at most limit.
func scalarEnd(b []byte, limit int) int {
	for i, c := range b {
		switch c {
		case ' ', '\t', '\n', '\r', ',', ':', '{', '}', '[', ']', '"', '\x1e':
			return i
		}
		if i == limit {
			return i
		}
	}
	return len(b)
}

// isScalar reports a literal or a number, loosely.
func isScalar(t []byte) bool {
	switch string(t) {
	case "true", "false", "null":
		return true
	case "":
		return false
	}
	for _, c := range t {
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return false
		}
	}
	return t[0] == '-' || t[0] >= '0' && t[0] <= '9'
}

// unquote appends the text of a JSON string's inside. What is no escape stays as it is.
func unquote(dst, s []byte) []byte {
	for len(s) > 0 {
		n := bytes.IndexByte(s, '\\')
		if n < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:n]...)
		if n+1 < len(s) && (s[n+1] == '"' || s[n+1] == '\\' || s[n+1] == '/') {
			dst, s = append(dst, s[n+1]), s[n+2:]
			continue
		}
		text, width, length := escape(s[n:])
		dst = append(dst, text[:width]...)
		s = s[n+length:]
	}
	return dst
}

// escape reads the escape at the front of s, which begins with a backslash: the text it stands for, how many bytes that has, and how many it
// is spelled with. What is no escape stands for itself.
func escape(s []byte) (text [4]byte, width, length int) {
	if len(s) == 1 {
		return [4]byte{'\\'}, 1, 1
	}
	switch c := s[1]; c {
	case 'n':
		text[0] = '\n'
	case 't':
		text[0] = '\t'
	case 'r':
		text[0] = '\r'
	case 'b':
		text[0] = '\b'
	case 'f':
		text[0] = '\f'
	case 'u':
		r, n := hex4(s[2:])
		if n == 0 {
			return [4]byte{'\\', 'u'}, 2, 2
		}
		length = 2 + n
		if utf16.IsSurrogate(r) && len(s) > 7 && s[6] == '\\' && s[7] == 'u' {
			if low, n := hex4(s[8:]); n > 0 {
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					r, length = pair, longestEscape
				}
			}
		}
		return text, utf8.EncodeRune(text[:], r), length
	default:
		text[0] = c
	}
	return text, 1, 2
}

// speller finds where in the inside of a JSON string a place in its text is spelled.
type speller struct {
	raw  []byte
	at   int // in raw: what spells the text from upto on
	upto int
}

// to returns where in raw the place i of the text is, or, when an escape spells what is around it, where that begins, or ends with up set. It is
// asked for ascending places.
func (s *speller) to(i int, up bool) int {
	for s.upto < i && s.at < len(s.raw) {
		n := min(i-s.upto, len(s.raw)-s.at)
		if k := bytes.IndexByte(s.raw[s.at:s.at+n], '\\'); k >= 0 {
			n = k
		}
		s.at += n
		s.upto += n
		if s.upto == i || s.at == len(s.raw) {
			break
		}
		_, width, length := escape(s.raw[s.at:])
		if s.upto+width > i && !up {
			break
		}
		s.at += length
		s.upto += width
	}
	return s.at
}

// wholeEscapes widens spans of a JSON string's inside so that none begins or ends within an escape.
func wholeEscapes(inner []byte, spans []span) []span {
	for i, k := 0, 0; i < len(inner) && k < len(spans); {
		next := i + 1
		if inner[i] == '\\' {
			_, _, n := escape(inner[i:])
			next = i + n
		}
		if sp := &spans[k]; sp.start > i && sp.start < next {
			sp.start = i
		}
		if sp := &spans[k]; sp.end > i && sp.end <= next {
			sp.end = next
			k++
			if k < len(spans) && spans[k].start < next { // they share an escape
				spans[k].start = next
				spans[k].end = max(spans[k].end, next)
			}
		}
		i = next
	}
	return spans
}

func hex4(s []byte) (rune, int) {
	if len(s) < 4 {
		return 0, 0
	}
	var r rune
	for _, c := range s[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, 0
		}
		r = r<<4 | rune(c)
	}
	return r, 4
}

// quote appends s as the inside of a JSON string.
func quote(dst, s []byte) []byte {
	const digits = "0123456789abcdef"
	for len(s) > 0 {
		n := 0
		for n < len(s) && s[n] >= ' ' && s[n] != '"' && s[n] != '\\' {
			n++
		}
		dst = append(dst, s[:n]...)
		if n == len(s) {
			break
		}
		c := s[n]
		s = s[n+1:]
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return dst
}
