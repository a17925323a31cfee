package mask

import (
	"bytes"
	"unicode/utf8"

	"weir/mask/field"
)

// markupTags takes tags apart. It remembers names, which come again and again.
type markupTags struct {
	names [64]markupName
	attrs []attribute // of the last tag
	small []byte      // a name in lower case
}

// markupName is the name of an element or an attribute, in lower case, and what it says once it is judged.
type markupName struct {
	text     string
	strength field.Strength
	judged   bool
}

// nameSlot is where of n places a name that is not empty is remembered.
func nameSlot[T string | []byte](name T, n int) uint {
	return (uint(len(name)) + 7*uint(name[0]) + 3*uint(name[len(name)-1])) % uint(n)
}

// lower returns a name in lower case, good until the next call, and no more of it than maxLabel bytes.
func (t *markupTags) lower(name []byte, local bool) string {
	t.small = t.small[:0]
	for _, c := range name {
		if c >= utf8.RuneSelf {
			t.small = append(t.small[:0], bytes.ToLower(name)...)
			break
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		t.small = append(t.small, c)
	}
	b := t.small
	if local {
		b = b[bytes.LastIndexByte(b, ':')+1:]
	}
	if b = clip(b); len(b) == 0 {
		return ""
	}
	k := &t.names[nameSlot(b, len(t.names))]
	if k.text != string(b) {
		*k = markupName{text: string(b)}
	}
	return k.text
}

// tagEnd is the length of the tag at the front of b, or 0.
func tagEnd(b []byte) int {
	var quote byte
	for i, c := range b[:min(len(b), maxTag)] {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && i > 1 && b[1] != '/' && b[1] != '!' && valueAt(b[:i]):
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return 0
}

// valueAt reports whether a quote behind b opens an attribute's value.
func valueAt(b []byte) bool {
	b = bytes.TrimRight(b, " \t\r\n")
	return len(b) > 0 && b[len(b)-1] == '='
}

// attribute is where one stands in its tag.
type attribute struct {
	name       string
	start, end int // of the value, without quotes
}

// name returns the local name in lower case, and where it ends.
func (t *markupTags) name(b []byte) (string, int) {
	from := 1
	if b[1] == '/' {
		from = 2
	}
	end := from
	for end < len(b) && b[end] > ' ' && b[end] != '>' && b[end] != '/' {
		end++
	}
	return t.lower(b[from:end], true), end
}

// attributes lists those of a tag. They are good until the next call.
func (t *markupTags) attributes(b []byte, at int) []attribute {
	out := t.attrs[:0]
	end := len(b) - 1
	for at < end && len(out) < 256 {
		for at < end && (b[at] <= ' ' || b[at] == '/') {
			at++
		}
		from := at
		for at < end && b[at] > ' ' && b[at] != '=' && b[at] != '/' {
			at++
		}
		if at == from {
			at++
			continue
		}
		name := t.lower(b[from:at], false)
		for at < end && b[at] <= ' ' {
			at++
		}
		if at >= end || b[at] != '=' {
			continue
		}
		for at++; at < end && b[at] <= ' '; at++ {
		}
		a := attribute{name: name, start: at}
		if at < end && (b[at] == '"' || b[at] == '\'') {
			n := bytes.IndexByte(b[at+1:end], b[at])
			if n < 0 {
				n = end - at - 1
			}
			a.start, a.end = at+1, at+1+n
			at = min(a.end+1, end)
		} else {
			for at < end && b[at] > ' ' {
				at++
			}
			a.end = at
		}
		out = append(out, a)
	}
	t.attrs = out
	return out
}
