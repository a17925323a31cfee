package sql

import "bytes"

// ScrubLiterals appends text to dst with what stands in each string literal passed through replace, which appends what is to stand there. It gets
// the bytes between the quotes as they are written, of strings that go on over lines all of it, and must neither keep nor change them. Literals that
// the text ends in are passed as well. Where a backslash before a quote leaves open where a literal ends, all of the rest counts as one literal.
// A quote in what replace made, unless it is what it got, is doubled; in dollar quotes it may be anything but the closing tag.
// Names, numbers and comments stay.
func ScrubLiterals(dst, text []byte, replace func(dst, literal []byte) []byte) []byte {
	s := string(text)
	for lex := (Lexer{Text: s, Conforming: true}); ; {
		t := lex.Next()
		raw := text[t.Start:t.End]
		switch t.Kind {
		case End:
			return dst
		case String, Escaped, UString:
			open := bytes.IndexByte(raw, '\'') + 1
			if t.Kind == String && open == 1 && ambiguous(raw) {
				dst = append(dst, '\'')
				return appendQuoted(dst, text[t.Start+1:], replace)
			}
			dst = append(dst, raw[:open]...)
			if t.Open || len(raw) <= open {
				return appendQuoted(dst, raw[open:], replace)
			}
			dst = append(appendQuoted(dst, raw[open:len(raw)-1], replace), '\'')
		case Dollar:
			tag := bytes.IndexByte(raw[1:], '$') + 2
			dst = append(dst, raw[:tag]...)
			if t.Open {
				return replace(dst, raw[tag:])
			}
			start := len(dst)
			dst = replace(dst, raw[tag:len(raw)-tag])
			if bytes.Contains(dst[start:], raw[:tag]) {
				dst = dst[:start]
			}
			dst = append(dst, raw[len(raw)-tag:]...)
		default:
			dst = append(dst, raw...)
		}
	}
}

// ambiguous tells whether a string without prefix ends elsewhere with standard_conforming_strings off.
func ambiguous(raw []byte) bool { return bytes.Contains(raw, []byte(`\'`)) }

func appendQuoted(dst, literal []byte, replace func(dst, literal []byte) []byte) []byte {
	start := len(dst)
	dst = replace(dst, literal)
	made := dst[start:]
	if bytes.Equal(made, literal) || bytes.IndexByte(made, '\'') < 0 {
		return dst
	}
	return append(dst[:start], bytes.ReplaceAll(made, []byte("'"), []byte("''"))...)
}
