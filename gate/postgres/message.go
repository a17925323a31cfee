package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Frames of the protocol (PostgreSQL documentation, chapter "Frontend/Backend Protocol"): a type byte, a length of four bytes that
// counts itself, a body.
const frameHeader = 5

var (
	errMalformed = errors.New("malformed message")
	errUnknown   = errors.New("unknown message")
)

// frameLength is the length of the frame at the front of b; 0 when its head is not there yet.
func frameLength(b []byte) (int, error) {
	if len(b) < frameHeader {
		return 0, nil
	}
	n := binary.BigEndian.Uint32(b[1:])
	if n < 4 || n > 1<<30+64 {
		return 0, errMalformed
	}
	return int(n) + 1, nil
}

// begin appends the head of a frame whose length finish fills in.
func begin(dst []byte, typ byte) ([]byte, int) {
	return append(dst, typ, 0, 0, 0, 0), len(dst)
}

// finish fills in the length of the frame that begins at at.
func finish(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at+1:], uint32(len(dst)-at-1)) //nolint:gosec // frames are shorter than 2 GiB
	return dst
}

// cursor reads a body. After an error everything is empty.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.b, c.bad = nil, true
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) int16() int16 {
	if v := c.take(2); v != nil {
		return int16(binary.BigEndian.Uint16(v)) //nolint:gosec // two's complement on the wire
	}
	return 0
}

// count reads a number of things, of which a message may have 65535.
func (c *cursor) count() int { return int(uint16(c.int16())) } //nolint:gosec // two's complement on the wire

func (c *cursor) int32() int32 {
	if v := c.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v)) //nolint:gosec // two's complement on the wire
	}
	return 0
}

func (c *cursor) byte() byte {
	if v := c.take(1); v != nil {
		return v[0]
	}
	return 0
}

// text reads up to a NUL, which it takes.
func (c *cursor) text() []byte {
	i := bytes.IndexByte(c.b, 0)
	if i < 0 {
		c.b, c.bad = nil, true
		return nil
	}
	v := c.b[:i:i]
	c.b = c.b[i+1:]
	return v
}

// int16s reads a count and as many numbers.
func (c *cursor) int16s() []int16 {
	n := c.count()
	if n == 0 {
		return nil
	}
	if 2*n > len(c.b) {
		c.bad = true
		return nil
	}
	out := make([]int16, n)
	for i := range out {
		out[i] = c.int16()
	}
	return out
}

// done reports whether the body was read to its end, and well.
func (c *cursor) done() bool { return !c.bad && len(c.b) == 0 }
