package postgres

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"weir/gate/session"
)

// shownOfLong is how much is looked at of a message that is longer than what is held, in bytes.
const shownOfLong = 64 << 10

// shorten passes on what stands for the message at at, which is longer than what is held: of an error or notice the fields that come first, and how
// long it was; of a function's result NULL. No server makes others of that length.
func (c *codec) shorten(a *session.Answers, b []byte, at int) error {
	end := at + shownOfLong
	switch b[at] {
	case 'E', 'N':
		short := shortReport(b[at:end])
		if b[at] == 'E' {
			return c.failure(a, append(bytes.Clone(b[:at]), short...), at, end)
		}
		return c.aside(a, append(bytes.Clone(b[:at]), short...), at, end)
	case 'V':
		e := c.front()
		if e == nil || e.kind != owedQuery {
			return errTarget
		}
		a.For(e.run.x, at)
		a.Tally().Add("field")
		a.Resume(append(a.Rewrite(at), "V\x00\x00\x00\x08\xff\xff\xff\xff"...), end)
		return nil
	}
	return errTarget
}

// shortReport is the front of an ErrorResponse or NoticeResponse as a frame of the same length: its whole fields, and a message that says how long it was.
func shortReport(front []byte) []byte {
	out := make([]byte, 0, len(front))
	out = append(out, front[:frameHeader]...)
	in := cursor{b: front[frameHeader : len(front)-512]}
	for len(in.b) > 0 && in.b[0] != 0 {
		typ := in.byte()
		value := in.text()
		if in.bad {
			break
		}
		if typ != 'M' {
			out = append(append(append(out, typ), value...), 0)
		}
	}
	out = fmt.Appendf(out, "M[a message of %d bytes, more than the gateway looks into]\x00\x00", binary.BigEndian.Uint32(front[1:]))
	return out[:len(front)] // what follows the last field is not read
}

// longestCopyData is the longest CopyData of a client that is read whole, in bytes. Where one ends says nothing, so longer ones go on in pieces.
const longestCopyData = 1 << 20

// copyPiece makes a CopyData of its own of a part of one.
func copyPiece(data []byte) []byte {
	frame, from := begin(make([]byte, 0, frameHeader+len(data)), 'd')
	return finish(append(frame, data...), from)
}
