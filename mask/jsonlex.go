package mask

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// stringEnd returns the length of the JSON string at the front of b, quotes included, and whether it holds escapes.
func stringEnd(b []byte) (end int, escaped, ok bool) {
	i := 1
	for ; i+8 <= len(b); i += 8 {
		// Eight bytes at a time: a byte that is a quote or a backslash becomes zero in x or y, and the lowest zero byte sets its high bit.
		const ones, highs = 0x0101010101010101, 0x8080808080808080
		w := binary.LittleEndian.Uint64(b[i:])
		x, y := w^(ones*'"'), w^(ones*'\\')
		if hit := ((x-ones)&^x | (y-ones)&^y) & highs; hit != 0 {
			i += bits.TrailingZeros64(hit) / 8
			break
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' {
		i++
	}
	switch {
	case i >= len(b):
		return 0, false, false
	case b[i] == '"':
		return i + 1, false, true
	}
	// Walk over escapes from the first one.
	for i < len(b) && b[i] != '"' {
		if b[i] == '\\' {
			i++
		}
		i++
	}
	if i >= len(b) {
		return 0, false, false
	}
	return i + 1, true, true
}

// scalarEnd returns the length of the bare token at the front of b, at most maxScalar.
func scalarEnd(b []byte) int {
	for i, c := range b {
		switch c {
		case ' ', '\t', '\n', '\r', ',', ':', '{', '}', '[', ']', '"', '\x1e':
			return i
		}
		if i == maxScalar {
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
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			dst = append(dst, s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			r, n := hex4(s[i+1:])
			if n == 0 {
				dst = append(dst, '\\', 'u')
				continue
			}
			i += n
			if utf16.IsSurrogate(r) && i+2 < len(s) && s[i+1] == '\\' && s[i+2] == 'u' {
				if low, n := hex4(s[i+3:]); n > 0 {
					if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
						r = pair
						i += 6
					}
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, s[i])
		}
	}
	return dst
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
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
