package postgres

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"

	"weir"
	"weir/gate/session"
)

// deepest is how many levels of arrays and records are looked into; what is deeper is not passed on.
const deepest = 16

// appendCell appends a cell: its length and its bytes, or NULL.
func appendCell(dst, v []byte, change weir.Change) []byte {
	if change == weir.Null || v == nil {
		return append(dst, 0xff, 0xff, 0xff, 0xff)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(v))) //nolint:gosec // frames are shorter than 2 GiB
	return append(dst, v...)
}

// nested masks a value that holds others, by what they are and what it is called, and appends what is to stand in its place. It appends
// nothing when it stays.
func (c *codec) nested(a *session.Answers, dst []byte, cl class, name string, v []byte, depth int) ([]byte, weir.Change) {
	if depth > deepest {
		a.Tally().Add("nested")
		return dst, weir.Null
	}
	from := len(dst)
	switch cl {
	case classJSONB:
		dst = a.Value(append(dst, v[:min(1, len(v))]...), name, v[min(1, len(v)):])
	case classHex:
		return c.hexBytes(a, dst, name, v)
	case classArray:
		dst = c.array(a, dst, name, v, depth)
	case classComposite:
		dst = c.composite(a, dst, name, v, depth)
	case classRange:
		if len(v) == 0 {
			return dst, weir.Unchanged
		}
		dst = c.cells(a, append(dst, v[0]), name, &cursor{b: v[1:]}, rangeBounds(v[0]), classGuess, depth)
	case classHstore:
		dst = c.hstore(a, dst, v)
	case classArrayText, classNestedText:
		dst = c.nestedText(a, dst, name, v, depth)
	case classGuess:
		return c.nested(a, dst, guess(v), name, v, depth+1)
	case classTyped:
		return dst, weir.Unchanged
	default: // text, and bytes that may hold text
		dst = a.Value(dst, name, v)
	}
	if bytes.Equal(dst[from:], v) {
		return dst[:from], weir.Unchanged
	}
	return dst, weir.Masked
}

// cells masks n cells, each a length and its bytes. What is not well formed is left out; the frame stays one.
func (c *codec) cells(a *session.Answers, dst []byte, name string, in *cursor, n int, cl class, depth int) []byte {
	for range n {
		size := in.int32()
		if in.bad || size < 0 {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		v := in.take(int(size))
		if in.bad {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		at := len(dst)
		out, change := c.nested(a, append(dst, 0, 0, 0, 0), cl, name, v, depth+1)
		switch change {
		case weir.Unchanged:
			dst = appendCell(out[:at], v, change)
		case weir.Null:
			dst = appendCell(out[:at], nil, change)
		case weir.Masked:
			dst = patchLength(out, at)
		}
	}
	return dst
}

// array masks a binary array.
func (c *codec) array(a *session.Answers, dst []byte, name string, v []byte, depth int) []byte {
	if !isArray(v) {
		return a.Value(dst, name, v)
	}
	dims := int(binary.BigEndian.Uint32(v))
	head := 12 + 8*dims
	count := min(dims, 1)
	for i := range dims {
		count *= int(binary.BigEndian.Uint32(v[12+8*i:]))
	}
	at := len(dst)
	dst = append(dst, v[:head]...)
	body := len(dst)
	dst = c.cells(a, dst, name, &cursor{b: v[head:]}, count, classOf(binary.BigEndian.Uint32(v[8:]), 1), depth)
	if !bytes.Equal(dst[body:], v[head:]) {
		binary.BigEndian.PutUint32(dst[at+4:], 1) // it may hold NULL now
	}
	return dst
}

// composite masks a binary record.
func (c *codec) composite(a *session.Answers, dst []byte, name string, v []byte, depth int) []byte {
	if !isComposite(v) {
		return a.Value(dst, name, v)
	}
	in := cursor{b: v[4:]}
	dst = append(dst, v[:4]...)
	pair := binary.BigEndian.Uint32(v) == 2
	for i := range binary.BigEndian.Uint32(v) {
		typ := in.take(4)
		dst = append(dst, typ...)
		if pair && i == 0 && len(in.b) >= 4 { // a key and its value
			key := in
			if first := key.take(int(max(0, key.int32()))); printable(first) {
				dst = c.cells(a, dst, name, &in, 1, classOf(binary.BigEndian.Uint32(typ), 1), depth)
				name = string(first)
				continue
			}
		}
		dst = c.cells(a, dst, name, &in, 1, classOf(binary.BigEndian.Uint32(typ), 1), depth)
	}
	return dst
}

// hstore masks the values of a binary hstore by their keys.
func (c *codec) hstore(a *session.Answers, dst []byte, v []byte) []byte {
	if !isHstore(v) {
		return a.Value(dst, "", v)
	}
	in := cursor{b: v[4:]}
	dst = append(dst, v[:4]...)
	for range binary.BigEndian.Uint32(v) {
		key := in.take(int(max(0, in.int32())))
		at := len(dst)
		dst = patchLength(a.Value(append(dst, 0, 0, 0, 0), "", key), at)
		size := in.int32()
		if size < 0 {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		at = len(dst)
		dst = patchLength(a.Value(append(dst, 0, 0, 0, 0), string(key), in.take(int(size))), at)
	}
	return dst
}

// isHex reports whether a text is what a bytea looks like.
func isHex(v []byte) bool {
	if len(v) < 4 || v[0] != '\\' || v[1] != 'x' || len(v)%2 != 0 {
		return false
	}
	for _, b := range v[2:] {
		if (b < '0' || b > '9') && (b < 'a' || b > 'f') {
			return false
		}
	}
	return true
}

// hexBytes masks a bytea in its text form by what its bytes say.
func (c *codec) hexBytes(a *session.Answers, dst []byte, name string, v []byte) ([]byte, weir.Change) {
	if !bytes.HasPrefix(v, []byte(`\x`)) {
		from := len(dst)
		if dst = a.Value(dst, name, v); bytes.Equal(dst[from:], v) {
			return dst[:from], weir.Unchanged
		}
		return dst, weir.Masked
	}
	raw := make([]byte, hex.DecodedLen(len(v)-2))
	if _, err := hex.Decode(raw, v[2:]); err != nil {
		return dst, weir.Null
	}
	masked := a.Value(nil, name, raw)
	if bytes.Equal(masked, raw) {
		return dst, weir.Unchanged
	}
	return hex.AppendEncode(append(dst, `\x`...), masked), weir.Masked
}
