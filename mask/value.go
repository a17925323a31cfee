package mask

import (
	"bytes"
	"strings"

	"weir"
	"weir/mask/field"
)

// Value appends the masked form of a value that is known whole. name is what it is called where it
// stands (a header, a column, a form field), or "". It does not keep value.
func (m *Masker) Value(dst []byte, name string, value []byte, t *weir.Tally) []byte {
	strength := field.None
	if name != "" {
		strength = m.e.names.Match([]byte(name))
	}
	if strength == field.Strong {
		switch {
		case strings.EqualFold(name, "Cookie"):
			return m.cookies(dst, value, t)
		case strings.EqualFold(name, "Set-Cookie"):
			return m.setCookie(dst, value, t)
		}
	}
	return m.value(dst, strength, value, t)
}

// value masks a value whose name proves what strength says.
func (m *Masker) value(dst []byte, strength field.Strength, value []byte, t *weir.Tally) []byte {
	if strength == field.None && m.free(value) {
		return append(dst, value...)
	}
	s := scanner{m: m}
	return m.replace(dst, value, 0, len(value), s.value(strength, value), t)
}

// free reports that there is nothing to replace in a value that no name speaks of.
func (m *Masker) free(value []byte) bool {
	if m.personal != nil || m.e.detect.Touched(value) {
		return false
	}
	for _, set := range m.sets {
		if len(set.Find(nil, value)) > 0 {
			return false
		}
	}
	return true
}

// value finds what to replace in a value that is known whole and whose name proves what strength says.
func (s *scanner) value(strength field.Strength, value []byte) []span {
	if secret(strength, value) {
		s.spans = append(s.spans[:0], span{start: scheme(value), end: len(value), kind: "field"})
		return s.spans
	}
	spans := s.scan(value)
	return closeSpans(spans, len(value)) // one too long to read to its end takes all of it
}

// secret reports whether a value under a name of the strength is to be masked whole.
func secret(strength field.Strength, value []byte) bool {
	switch {
	case strength == field.None || field.Placeholder(value) || field.Placeholder(value[scheme(value):]):
		return false
	case strength == field.Strong:
		return true
	}
	return field.Opaque(value)
}

// scheme is the length of "Bearer " and its like at the front of an Authorization value.
func scheme(value []byte) int {
	i := bytes.IndexByte(value, ' ')
	if i < 3 || i > 16 || i+1 == len(value) {
		return 0
	}
	var buf [16]byte
	switch string(field.Lower(buf[:], value[:i])) {
	case "bearer", "basic", "digest", "negotiate", "token", "apikey", "ssws", "ntlm", "aws4-hmac-sha256", "hoba", "dpop":
		return i + 1
	}
	return 0
}

// cookies masks each value of a Cookie header.
func (m *Masker) cookies(dst, value []byte, t *weir.Tally) []byte {
	for i, pair := range bytes.Split(value, []byte(";")) {
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = m.cookie(dst, pair, t)
	}
	return dst
}

// setCookie masks the value and leaves the attributes.
func (m *Masker) setCookie(dst, value []byte, t *weir.Tally) []byte {
	pair, attributes, _ := bytes.Cut(value, []byte(";"))
	dst = m.cookie(dst, pair, t)
	if len(pair) < len(value) {
		dst = append(dst, ';')
		dst = m.value(dst, field.None, attributes, t)
	}
	return dst
}

func (m *Masker) cookie(dst, pair []byte, t *weir.Tally) []byte {
	name, value, named := bytes.Cut(pair, []byte("="))
	if !named {
		value = pair
	} else {
		dst = append(append(dst, name...), '=')
	}
	if field.Placeholder(value) {
		return append(dst, value...)
	}
	return m.placeholder(dst, "cookie", value, len(value), t)
}

// closeSpans lets an open span take all that is left.
func closeSpans(spans []span, end int) []span {
	if n := len(spans); n > 0 && spans[n-1].open != 0 {
		spans[n-1].end, spans[n-1].open = end, 0
	}
	return spans
}
