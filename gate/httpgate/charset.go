package httpgate

import (
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

// bomTable lists byte order marks, longer ones before those that they begin with.
var bomTable = []struct{ bytes, charset string }{
	{"\xff\xfe\x00\x00", "utf-32le"},
	{"\x00\x00\xfe\xff", "utf-32be"},
	{"\xff\xfe", "utf-16le"},
	{"\xfe\xff", "utf-16be"},
}

// sniffBOM names the charset that a byte order mark shows; "" for UTF-8 and for none.
func sniffBOM(head []byte) string {
	for _, m := range bomTable {
		if len(head) >= len(m.bytes) && string(head[:len(m.bytes)]) == m.bytes {
			return m.charset
		}
	}
	return ""
}

// isUTF8Name reports the names of charsets that need no transcoding.
func isUTF8Name(name string) bool {
	switch strings.ToLower(name) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return true
	}
	return false
}

// isWide reports the charsets in which a NUL byte is nothing special.
func isWide(name string) bool {
	n := strings.ToLower(name)
	return strings.HasPrefix(n, "utf-16") || strings.HasPrefix(n, "utf-32")
}

// encodingFor finds a charset; nil when it is unknown or cannot be read safely.
func encodingFor(name string) encoding.Encoding {
	switch strings.ToLower(name) {
	case "utf-16":
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case "utf-16le":
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case "utf-16be":
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case "utf-32":
		return utf32.UTF32(utf32.BigEndian, utf32.UseBOM)
	case "utf-32le":
		return utf32.UTF32(utf32.LittleEndian, utf32.UseBOM)
	case "utf-32be":
		return utf32.UTF32(utf32.BigEndian, utf32.UseBOM)
	}
	e, err := htmlindex.Get(name)
	if err != nil || e == encoding.Replacement {
		return nil
	}
	if canonical, err := htmlindex.Name(e); err != nil || canonical == "x-user-defined" || canonical == "replacement" {
		return nil
	}
	return e
}

// decodeCharset reads r as UTF-8. name must be one that encodingFor knows.
func decodeCharset(r io.Reader, name string) io.Reader {
	e := encodingFor(name)
	if e == nil {
		return r
	}
	return transform.NewReader(r, e.NewDecoder())
}

// setCharset rewrites the charset parameter of a Content-Type to UTF-8.
func setCharset(declared string) string {
	parts := splitQuoted(declared, ';')
	out := parts[:0]
	for i, p := range parts {
		name, _, _ := strings.Cut(strings.TrimSpace(p), "=")
		if i > 0 && strings.EqualFold(strings.TrimSpace(name), "charset") {
			continue
		}
		out = append(out, strings.TrimSpace(p))
	}
	return strings.Join(out, "; ") + "; charset=utf-8"
}

// splitQuoted splits at sep where it does not stand inside a quoted string.
func splitQuoted(s string, sep byte) []string {
	var parts []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
