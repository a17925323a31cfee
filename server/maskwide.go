package server

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// byteOrderMark is U+FEFF in UTF-8.
const byteOrderMark = "\ufeff"

// wideOrder tells the byte order of text in UTF-16 by its first two bytes; nil: it is none.
func wideOrder(in *bufio.Reader) (binary.ByteOrder, error) {
	head, err := in.Peek(1)
	if len(head) == 1 && head[0] >= 0xfe { // only then it waits for another byte
		head, err = in.Peek(2)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch string(head) {
	case "\xff\xfe":
		return binary.LittleEndian, nil
	case "\xfe\xff":
		return binary.BigEndian, nil
	}
	return nil, nil //nolint:nilnil // no order is an answer
}

// wideReader turns UTF-16 into UTF-8. Half a pair becomes the three bytes that UTF-8 would have for it if it had any, so that wideWriter finds it
// again; half a unit at the end is filled up with zero.
type wideReader struct {
	in    *bufio.Reader
	order binary.ByteOrder
	out   []byte // decoded, not yet read
	from  int
	high  uint16 // the first half of a pair, or 0
	err   error
}

// Read decodes what is there and waits only when nothing is.
func (r *wideReader) Read(p []byte) (int, error) {
	if r.from == len(r.out) {
		r.out, r.from = r.out[:0], 0
		for r.err == nil && len(r.out) == 0 {
			r.fill()
		}
		if len(r.out) == 0 {
			return 0, r.err
		}
	}
	n := copy(p, r.out[r.from:])
	r.from += n
	return n, nil
}

// fill decodes the units that are buffered, one at least.
func (r *wideReader) fill() {
	var unit [2]byte
	for once := true; once || r.in.Buffered() >= 2 && len(r.out) < 32<<10; once = false {
		n, err := io.ReadFull(r.in, unit[:])
		if n == 1 {
			unit[1] = 0
		}
		if n > 0 {
			r.unit(r.order.Uint16(unit[:]))
		}
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			r.end()
			r.err = err
			return
		}
	}
}

func (r *wideReader) unit(u uint16) {
	c := rune(u)
	if r.high != 0 {
		if pair := utf16.DecodeRune(rune(r.high), c); pair != utf8.RuneError {
			r.out, r.high = utf8.AppendRune(r.out, pair), 0
			return
		}
	}
	r.end()
	switch {
	case c >= 0xd800 && c < 0xdc00:
		r.high = u
	case utf16.IsSurrogate(c):
		r.half(u)
	default:
		r.out = utf8.AppendRune(r.out, c)
	}
}

// end passes on the first half of a pair that has no second.
func (r *wideReader) end() {
	if r.high != 0 {
		r.half(r.high)
		r.high = 0
	}
}

func (r *wideReader) half(u uint16) {
	r.out = append(r.out, 0xe0|byte(u>>12), 0x80|byte(u>>6)&0x3f, 0x80|byte(u)&0x3f)
}

// wideWriter turns what wideReader made back into UTF-16. A character may come in pieces; one that stays incomplete is lost.
type wideWriter struct {
	w     io.Writer
	order binary.ByteOrder
	rest  []byte
	out   []byte
}

// Write encodes p.
func (w *wideWriter) Write(p []byte) (int, error) {
	b := p
	if len(w.rest) > 0 {
		w.rest = append(w.rest, p...)
		b = w.rest
	}
	w.out = w.out[:0]
	for len(b) > 0 && utf8.FullRune(b) {
		switch c, n := utf8.DecodeRune(b); {
		case c != utf8.RuneError || n > 1:
			if high, low := utf16.EncodeRune(c); high != utf8.RuneError {
				w.unit(uint16(high))
				w.unit(uint16(low))
			} else {
				w.unit(uint16(c))
			}
			b = b[n:]
		case len(b) >= 3 && b[0] == 0xed && b[1] >= 0xa0: // half a pair
			w.unit(uint16(b[0])<<12 | uint16(b[1]&0x3f)<<6 | uint16(b[2]&0x3f))
			b = b[3:]
		case len(b) < 3 && b[0] == 0xed:
			goto done // half a pair that is not complete
		default:
			w.unit(utf8.RuneError)
			b = b[1:]
		}
	}
done:
	w.rest = append(w.rest[:0], b...)
	if len(w.out) > 0 {
		if _, err := w.w.Write(w.out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (w *wideWriter) unit(u uint16) {
	var b [2]byte
	w.order.PutUint16(b[:], u)
	w.out = append(w.out, b[:]...)
}

// wideSize is how many bytes of UTF-16 b was, which wideReader made; it counts a character at its first byte.
func wideSize(b []byte) int64 {
	n := int64(0)
	for _, c := range b {
		switch {
		case c < 0x80 || c >= 0xc0 && c < 0xf0:
			n += 2
		case c >= 0xf0:
			n += 4
		}
	}
	return n
}
