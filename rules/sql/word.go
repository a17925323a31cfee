package sql

import (
	"strings"
	"unicode/utf8"
)

// maxName is how many bytes of a name the server keeps (NAMEDATALEN-1).
const maxName = 63

func indexFrom(s, sub string, from int) int {
	if i := strings.Index(s[from:], sub); i >= 0 {
		return from + i
	}
	return -1
}

// fold is what the server makes of a word without quotes: ASCII lower case, cut to 63 bytes at a character's end. It allocates only where
// that changes something and the word is no keyword.
func fold(w string) string {
	upper := false
	for i := 0; i < len(w); i++ {
		if w[i] >= 'A' && w[i] <= 'Z' {
			upper = true
			break
		}
	}
	if !upper {
		return clip(w)
	}
	if len(w) <= 20 {
		var buf [20]byte
		b := appendLower(buf[:0], w)
		if k, ok := keywordTable[string(b)]; ok {
			return k.text
		}
	}
	return clip(string(appendLower(make([]byte, 0, len(w)), w)))
}

func appendLower(dst []byte, w string) []byte {
	for i := 0; i < len(w); i++ {
		c := w[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

func clip(w string) string {
	if len(w) <= maxName {
		return w
	}
	n := maxName
	for n > 0 && !utf8.RuneStart(w[n]) {
		n--
	}
	return w[:n]
}

// unquote returns the name in a Quoted token.
func unquote(text string) string {
	text = strings.TrimSuffix(text[1:], `"`)
	if strings.Contains(text, `"`) {
		text = strings.ReplaceAll(text, `""`, `"`)
	}
	return clip(text)
}

// unicodeText decodes the \XXXX and \+XXXXXX of U&"…" and U&'…'. ok is false where the server would refuse it.
func unicodeText(text string, escape byte) (out string, ok bool) {
	if strings.IndexByte(text, escape) < 0 {
		return text, true
	}
	var b strings.Builder
	var high rune
	for i := 0; i < len(text); {
		if text[i] != escape {
			b.WriteByte(text[i])
			i++
			continue
		}
		i++
		if i < len(text) && text[i] == escape {
			b.WriteByte(escape)
			i++
			continue
		}
		n := 4
		if i < len(text) && text[i] == '+' {
			i++
			n = 6
		}
		r, good := hexRune(text, i, n)
		if !good {
			return text, false
		}
		i += n
		switch {
		case r >= 0xD800 && r < 0xDC00:
			high = r
			continue
		case r >= 0xDC00 && r < 0xE000 && high != 0:
			r = 0x10000 + (high-0xD800)<<10 + (r - 0xDC00)
		}
		high = 0
		b.WriteRune(r)
	}
	return b.String(), high == 0
}

func hexRune(text string, i, n int) (r rune, ok bool) {
	if i+n > len(text) {
		return 0, false
	}
	for _, c := range []byte(text[i : i+n]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, r != 0 && r <= utf8.MaxRune
}

// Literal returns what a string token stands for. ok is false where that cannot be told. unicode is the character that escapes in U&'…'.
func Literal(t Token, text string, conforming bool, unicode byte) (value string, ok bool) {
	raw := text[t.Start:t.End]
	if t.Open {
		return "", false
	}
	if t.Kind == Dollar {
		tag := strings.IndexByte(raw[1:], '$') + 2
		return raw[tag : len(raw)-tag], true
	}
	begin := strings.IndexByte(raw, '\'')
	prefix := strings.ToLower(raw[:begin])
	backslash := t.Kind == Escaped || !conforming && (prefix == "" || prefix == "n")
	var b strings.Builder
	for i := begin + 1; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\' && backslash:
			n := escape(&b, raw[i+1:])
			if n < 0 {
				return "", false
			}
			i += n
		case c == '\'' && i+1 < len(raw) && raw[i+1] == '\'':
			b.WriteByte(c)
			i++
		case c == '\'':
			if i = continued(raw, i+1); i < 0 {
				if t.Kind == UString {
					return unicodeText(b.String(), unicode)
				}
				return b.String(), true
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// escape writes what a backslash and the text behind it stand for, and returns how many bytes of that text it took, -1 when it cannot tell.
func escape(b *strings.Builder, s string) int {
	if s == "" {
		return -1
	}
	if i := strings.IndexByte("bfnrtv", s[0]); i >= 0 {
		b.WriteByte("\b\f\n\r\t\v"[i])
		return 1
	}
	n, base := 0, rune(16)
	switch {
	case s[0] == 'x':
		n = 1
	case s[0] == 'u' || s[0] == 'U':
		n = 4
		if s[0] == 'U' {
			n = 8
		}
		r, ok := hexRune(s, 1, n)
		if !ok || r >= 0xD800 && r < 0xE000 {
			return -1
		}
		b.WriteRune(r)
		return 1 + n
	case s[0] >= '0' && s[0] <= '7':
		base = 8
	default:
		b.WriteByte(s[0])
		return 1
	}
	limit := n + 2
	if base == 8 {
		limit = 3
	}
	r := rune(0)
	start := n
	for ; n < len(s) && n < limit; n++ {
		d := digit(s[n])
		if d >= base {
			break
		}
		r = r*base + d
	}
	if n == start {
		b.WriteByte(s[0])
		return 1
	}
	b.WriteByte(byte(r))
	return n
}

func digit(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return 99
}
