package transfer

import (
	"bytes"
	"unicode/utf8"

	"weir"
)

// SniffLength is how many bytes at the beginning of a file tell its kind.
const SniffLength = 8 << 10

// Text reports that b, from the beginning or from within a file, reads as text in ASCII, UTF-8 or a charset that is mostly ASCII. It
// looks for a zero byte in all of b and at the rest in its first SniffLength bytes.
func Text(b []byte) bool {
	if bytes.IndexByte(b, 0) >= 0 {
		return false
	}
	bad, b := 0, b[:min(len(b), SniffLength)]
	n := len(b)
	for len(b) > 0 {
		c := b[0]
		if c < utf8.RuneSelf {
			if c < ' ' && (c < '\a' || c > '\r') && c != 0x1b || c == 0x7f {
				bad++
			}
			b = b[1:]
			continue
		}
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			bad++
		}
		b = b[size:]
	}
	return bad <= 4+n/10
}

// Shape is how a file with these first bytes is masked, at the same length. A file that is not text is an error unless the options
// let it pass.
func Shape(first []byte, o Options) (weir.Shape, error) {
	switch {
	case Text(first):
		return weir.Shape{Format: weir.FormatText, SameLength: true}, nil
	case o.AllowOpaque:
		return weir.Shape{Format: weir.FormatOpaque, SameLength: true}, nil
	}
	return weir.Shape{}, RefuseOpaque()
}
