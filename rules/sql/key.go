package sql

import (
	"strings"
	"unicode/utf8"
)

// maxKey bounds the bytes of a text that gets a key. Input.MaxBytes must not be smaller.
const maxKey = 16 << 10

// AppendKey appends the shape of a text to dst: its tokens without comments, with literals' values left out. Two texts with one key that are
// classified with the same snapshot, search path, Made and standard_conforming_strings have equal facts, so a caller may share
// the result of Classify between them; a cache belongs to these, and starts anew when one changes. Parameters keep their numbers, and
// lists keep their lengths.
//
// ok is false where a literal's value or the session may matter: another statement than a query, a write or transaction control, the
// functions current_setting and set_config, names with Unicode escapes, prepared statements, bytes that are not UTF-8, a NUL, and texts over 16 KiB.
// It does not allocate when dst has room.
func AppendKey(dst []byte, text string, conforming bool) (key []byte, ok bool) {
	if len(text) > maxKey {
		return dst, false
	}
	mode := byte('0')
	if conforming {
		mode = '1'
	}
	dst = append(dst, mode)
	first, high := true, false
	for lex := (Lexer{Text: text, Conforming: conforming}); ; {
		t := lex.Next()
		high = high || t.High
		switch t.Kind {
		case End:
			return dst, (!high || utf8.ValidString(text)) && strings.IndexByte(text, 0) < 0
		case Space, Comment:
			if t.Open {
				return dst, false
			}
			continue
		case Unicode, Stray:
			return dst, false
		case String, Escaped, UString, Dollar:
			dst = append(dst, `''`...)
		case Number:
			dst = append(dst, '0')
		case Word:
			n := len(dst)
			dst = appendLower(dst, text[t.Start:t.End])
			if w := dst[n:]; first && !verbTable[string(w)].plain || literalMatters(w) {
				return dst, false
			}
		case Quoted, Param, Operator, Mark:
			dst = append(dst, text[t.Start:t.End]...)
			if t.Kind == Quoted && !t.Open && literalMatters(dst[len(dst)-t.End+t.Start+1:len(dst)-1]) {
				return dst, false
			}
		}
		if t.Open {
			return dst, false
		}
		first = t.Kind == Mark && (text[t.Start] == ';' || first)
		dst = append(dst, ' ')
	}
}

// isText tells whether a text is something a server reads: UTF-8 without a NUL.
func isText(text string) bool { return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 }

// literalMatters tells whether what a name does depends on the literals beside it.
func literalMatters(w []byte) bool {
	switch string(w) {
	case "current_setting", "set_config", "prepared", "execute", "prepare":
		return true
	}
	return false
}

// Fingerprint is a text's shape for people: words in lower case, single blanks, ? for each literal, lists of them as one, no comments.
// Texts with one fingerprint need not do the same; AppendKey is for that.
func Fingerprint(text string, conforming bool) string {
	var b strings.Builder
	var list int // how far a list has come: 1 behind a literal, 2 behind its comma
	space := false
	for lex := (Lexer{Text: text, Conforming: conforming}); ; {
		t := lex.Next()
		w := text[t.Start:t.End]
		switch t.Kind {
		case End:
			if list == 2 {
				b.WriteString(",")
			}
			return b.String()
		case Space, Comment:
			continue
		case String, Escaped, UString, Dollar, Number:
			if list == 2 {
				list = 1
				continue
			}
			write(&b, "?", space)
			list, space = 1, true
			continue
		case Mark:
			if w == "," && list == 1 {
				list = 2
				continue
			}
		case Word:
			w = string(appendLower(nil, w))
		case Quoted, Unicode, Param, Operator, Stray:
		}
		if list == 2 {
			b.WriteString(",")
		}
		list = 0
		write(&b, w, space)
		space = t.Kind != Mark || w != "(" && w != "." && w != "["
	}
}

func write(b *strings.Builder, w string, space bool) {
	if space && b.Len() > 0 && (len(w) > 1 || !strings.Contains(",.;)]", w)) {
		b.WriteByte(' ')
	}
	b.WriteString(w)
}

// Normal is the text without comments and with single blanks; all else is as written. Approvals are bound to it. A text whose last token does not end
// is returned as it is, and so is one that is not UTF-8 or holds a NUL: it means nothing, be it only for bytes in a comment.
func Normal(text string, conforming bool) string {
	if !isText(text) {
		return text
	}
	out := make([]byte, 0, len(text))
	gap := false
	for lex := (Lexer{Text: text, Conforming: conforming}); ; {
		t := lex.Next()
		switch {
		case t.Open:
			return text
		case t.Kind == End:
			return string(out)
		case t.Kind == Space || t.Kind == Comment:
			gap = len(out) > 0
			continue
		}
		if gap {
			out = append(out, ' ')
			gap = false
		}
		out = append(out, text[t.Start:t.End]...)
	}
}
