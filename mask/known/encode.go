package known

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	hexLower = "0123456789abcdef"
	hexUpper = "0123456789ABCDEF"

	// everyMax is the length of value up to which spellings are made that escape every character, in bytes.
	everyMax = 1 << 10
)

// speller collects the spellings of one value, each once.
type speller struct {
	seen map[string]struct{}
	out  []string
	buf  []byte
}

func (s *speller) add(form string) {
	if _, ok := s.seen[form]; !ok && len(form) >= minPattern {
		s.seen[form] = struct{}{}
		s.out = append(s.out, form)
	}
}

// bytes adds what f makes of v byte by byte.
func (s *speller) bytes(v string, f func(dst []byte, c byte) []byte) {
	s.buf = s.buf[:0]
	for i := range len(v) {
		s.buf = f(s.buf, v[i])
	}
	s.take()
}

// runes adds what f makes of v character by character.
func (s *speller) runes(v string, f func(dst []byte, r rune) []byte) {
	s.buf = s.buf[:0]
	for _, r := range v {
		s.buf = f(s.buf, r)
	}
	s.take()
}

// take adds what is in buf.
func (s *speller) take() {
	if _, ok := s.seen[string(s.buf)]; !ok {
		s.add(string(s.buf))
	}
}

// swap adds v with some bytes replaced; pairs holds each of them before what stands for it.
func (s *speller) swap(v string, pairs ...string) {
	s.bytes(v, func(dst []byte, c byte) []byte {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i][0] == c {
				return append(dst, pairs[i+1]...)
			}
		}
		return append(dst, c)
	})
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// spell collects every spelling in which the value v may turn up; what it returns is valid until it is called again.
// Each is found on its own, so spellings that mix encodings are not among them.
func (s *speller) spell(v string) []string {
	clear(s.seen)
	s.out = s.out[:0]
	s.add(v)
	s.add(reverse(v))
	if strings.Contains(v, "\n") {
		s.add(strings.ReplaceAll(v, "\n", "\r\n"))
	}
	s.url(v)
	s.json(v)
	s.markup(v)
	s.quoted(v)
	s.hex(v)
	wide := utf16(v, false)
	s.add(wide)
	s.add(utf16(v, true))
	s.add(hex.EncodeToString([]byte(wide)))
	s.add(strings.ToUpper(hex.EncodeToString([]byte(wide))))
	s.base64(v, len(v) <= everyMax)
	s.base64(wide, false) // what PowerShell takes as -EncodedCommand
	s.base32(v)
	if len(v) <= everyMax {
		s.every(v)
	}
	return s.out
}

func reverse(v string) string {
	b := []byte(v)
	slices.Reverse(b)
	return string(b)
}

// url adds what URL encoders make of v, once and twice.
func (s *speller) url(v string) {
	// What they leave clear besides letters and digits: RFC 3986, forms, path segments, encodeURIComponent, encodeURI.
	for i, clearTo := range []string{"-_.~", "-_.*", "-_.~$&+=:@", "-_.!~*'()", "-_.!~*'();,/?:@&=+$#"} {
		for _, digits := range []string{hexLower, hexUpper} {
			for _, space := range []string{"%20", "+"} {
				form := percent(v, clearTo, space, digits)
				s.add(form)
				if i < 4 {
					s.add(percent(form, "-_.~", "%20", digits))
				}
			}
		}
	}
}

func percent(v, clearTo, space, digits string) string {
	b := make([]byte, 0, 3*len(v))
	for i := range len(v) {
		switch c := v[i]; {
		case c == ' ':
			b = append(b, space...)
		case alphanumeric(c) || strings.IndexByte(clearTo, c) >= 0:
			b = append(b, c)
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}

// json adds what JSON and YAML encoders make of v: they differ in what they escape besides what they must.
func (s *speller) json(v string) {
	shorts := []bool{false}
	if strings.ContainsAny(v, "\b\f") {
		shorts = []bool{false, true}
	}
	for _, short := range shorts {
		for _, digits := range []string{hexLower, hexUpper} {
			for _, extra := range []string{"", "<>&", "<>&'", "/", "<>&'/", "<>&'\"/+=`"} {
				s.bytes(v, func(dst []byte, c byte) []byte { return jsonByte(dst, c, extra, digits, short) })
			}
			if !ascii(v) {
				s.runes(v, func(dst []byte, r rune) []byte {
					if r < utf8.RuneSelf {
						return jsonByte(dst, byte(r), "", digits, short)
					}
					return jsonRune(dst, r, digits)
				})
			}
		}
	}
	// JSON within JSON.
	s.swap(v, `\`, `\\\\`, `"`, `\\\"`)
}

// jsonByte escapes what JSON must have escaped, and the characters of extra: / as \/, others as \u00xx. With short, backspace and form feed are
// spelled \b and \f: most encoders do that, some have no letters for them.
func jsonByte(dst []byte, c byte, extra, digits string, short bool) []byte {
	switch {
	case c == '\b' && short:
		return append(dst, `\b`...)
	case c == '\f' && short:
		return append(dst, `\f`...)
	case c == '\n':
		return append(dst, `\n`...)
	case c == '\r':
		return append(dst, `\r`...)
	case c == '\t':
		return append(dst, `\t`...)
	case c == '/' && strings.IndexByte(extra, c) >= 0:
		return append(dst, `\/`...)
	case c < ' ' || strings.IndexByte(extra, c) >= 0:
		return jsonRune(dst, rune(c), digits)
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	}
	return append(dst, c)
}

// jsonRune escapes r, as two surrogates if need be.
func jsonRune(dst []byte, r rune, digits string) []byte {
	if r > 0xffff {
		r -= 0x10000
		return jsonRune(jsonRune(dst, 0xd800+r>>10, digits), 0xdc00+r&0x3ff, digits)
	}
	return append(dst, '\\', 'u', digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

func ascii(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r >= utf8.RuneSelf })
}

// markup adds what HTML and XML encoders and quoted-printable make of v.
func (s *speller) markup(v string) {
	for _, q := range [][2]string{{"&#34;", "&#39;"}, {"&quot;", "&#x27;"}, {"&quot;", "&#39;"}, {"&quot;", "&apos;"}, {"&quot;", "'"}, {`"`, `'`}} {
		for _, plus := range []string{"+", "&#43;"} {
			s.swap(v, "&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, q[0], "'", q[1], "+", plus)
		}
	}
	for _, base := range []int{10, 16} { // encoders that leave only letters and digits clear
		s.runes(v, func(dst []byte, r rune) []byte {
			if r < utf8.RuneSelf && alphanumeric(byte(r)) {
				return append(dst, byte(r))
			}
			return entity(dst, r, base, false)
		})
	}
	s.bytes(v, func(dst []byte, c byte) []byte {
		if c == '=' || c < ' ' || c > '~' {
			return append(dst, '=', hexUpper[c>>4], hexUpper[c&15])
		}
		return append(dst, c)
	})
}

func entity(dst []byte, r rune, base int, upper bool) []byte {
	dst = append(dst, "&#"...)
	if base == 16 {
		dst = append(dst, 'x')
	}
	n := strconv.FormatInt(int64(r), base)
	if upper {
		n = strings.ToUpper(n)
	}
	return append(append(dst, n...), ';')
}

// quoted adds what SQL, CSV, shells, programming languages and properties files make of v in quotes or without.
func (s *speller) quoted(v string) {
	s.add(strings.ReplaceAll(v, "'", "''"))
	s.add(strings.ReplaceAll(v, `"`, `""`))
	s.add(strings.ReplaceAll(v, "'", `'\''`))
	s.add(strings.ReplaceAll(v, "'", `'"'"'`))
	for _, chars := range []string{`\'`, `\"`, `\'"`, `\=:#!`, "\\\"$`", ` \=:#!`} {
		s.bytes(v, func(dst []byte, c byte) []byte { return backslash(dst, c, chars) })
	}
	// What shells leave clear in a bare word: bash, zsh, Shellwords.
	for _, clearTo := range []string{"-_.~/:=@,+%", "-_.~/:=@+%", "-_.,:+/@"} {
		s.bytes(v, func(dst []byte, c byte) []byte {
			if c < 0x80 && !alphanumeric(c) && strings.IndexByte(clearTo, c) < 0 {
				dst = append(dst, '\\')
			}
			return append(dst, c)
		})
	}
	// Bytes outside of ASCII in hexadecimal or octal, as C, Go, Python, $'…' and PostgreSQL's bytea write them.
	if !ascii(v) || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' }) {
		for _, chars := range []string{`\`, `\'`, `\"`} {
			s.bytes(v, func(dst []byte, c byte) []byte {
				if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c > '~' {
					return append(dst, '\\', 'x', hexLower[c>>4], hexLower[c&15])
				}
				return backslash(dst, c, chars)
			})
			s.bytes(v, func(dst []byte, c byte) []byte {
				if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c > '~' {
					return octal(dst, c)
				}
				return backslash(dst, c, chars)
			})
		}
	}
}

// backslash puts a backslash before the characters of chars, and writes line breaks and tabs as escapes.
func backslash(dst []byte, c byte, chars string) []byte {
	switch c {
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if strings.IndexByte(chars, c) >= 0 {
		dst = append(dst, '\\')
	}
	return append(dst, c)
}

func octal(dst []byte, c byte) []byte {
	return append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
}

// hex adds hexadecimal, and pairs of bytes as xxd prints them. A dump of several lines is not found.
func (s *speller) hex(v string) {
	lower := hex.EncodeToString([]byte(v))
	s.add(lower)
	s.add(strings.ToUpper(lower))
	for odd := range min(2, len(v)-3) {
		s.buf = s.buf[:0]
		for i := range len(v) {
			if i > 0 && i%2 == odd {
				s.buf = append(s.buf, ' ')
			}
			s.buf = append(s.buf, lower[2*i], lower[2*i+1])
		}
		s.add(string(s.buf))
	}
}

// every adds the spellings that escape every character.
func (s *speller) every(v string) {
	for _, digits := range []string{hexLower, hexUpper} {
		s.runes(v, func(dst []byte, r rune) []byte { return jsonRune(dst, r, digits) })
		for _, before := range []string{"%", "%25", "=", `\x`} {
			s.bytes(v, func(dst []byte, c byte) []byte { return append(append(dst, before...), digits[c>>4], digits[c&15]) })
		}
		for _, between := range []string{":", " ", "-", ",0x", ", 0x", " 0x"} {
			s.bytes(v, func(dst []byte, c byte) []byte {
				if len(dst) > 0 {
					dst = append(dst, between...)
				}
				return append(dst, digits[c>>4], digits[c&15])
			})
		}
	}
	s.bytes(v, octal)
	s.runes(v, func(dst []byte, r rune) []byte { return entity(dst, r, 10, false) })
	s.runes(v, func(dst []byte, r rune) []byte { return entity(dst, r, 16, false) })
	s.runes(v, func(dst []byte, r rune) []byte { return entity(dst, r, 16, true) })
}

func utf16(v string, big bool) string {
	b := make([]byte, 0, 2*len(v))
	unit := func(u rune) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	for _, r := range v {
		if r > 0xffff {
			r -= 0x10000
			unit(0xd800 + r>>10)
			unit(0xdc00 + r&0x3ff)
			continue
		}
		unit(r)
	}
	return string(b)
}

// base64 encodes at the three offsets the value may have in a larger text, so a "user:secret" pair is found whatever the
// user is called; and what other encoders make of its two characters that are no letters. With twice it is
// encoded once more, as a Secret of Kubernetes holds the credentials of a registry.
func (s *speller) base64(v string, twice bool) {
	for offset := range 3 {
		std := inside64(base64.RawStdEncoding, v, offset)
		s.add(std)
		s.add(inside64(base64.RawURLEncoding, v, offset))
		for _, r := range [][4]string{{"+", "%2B", "/", "%2F"}, {"+", "%2b", "/", "%2f"}, {"+", "+", "/", `\/`}, {"+", `\u002B`, "/", "/"}, {"+", `\u002b`, "/", "/"}, {"+", "&#43;", "/", "/"}} {
			s.swap(std, r[:]...)
		}
		if !twice {
			continue
		}
		for outer := range 3 {
			s.add(inside64(base64.RawStdEncoding, std, outer))
		}
	}
}

// inside64 cuts off the characters that depend on what stands before or behind the value.
func inside64(enc *base64.Encoding, v string, offset int) string {
	form := enc.EncodeToString([]byte("\x00\x00"[:offset] + v))
	from := [3]int{0, 2, 3}[offset]
	to := (offset + len(v)) * 8 / 6 // whole characters
	return form[min(from, to):to]
}

// base32 encodes at the five offsets.
func (s *speller) base32(v string) {
	for offset := range 5 {
		form := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte("\x00\x00\x00\x00"[:offset] + v))
		from := (offset*8 + 4) / 5
		to := (offset + len(v)) * 8 / 5
		s.add(form[min(from, to):to])
	}
}
