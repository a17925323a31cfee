package session

import (
	"io"
	"time"

	"weir"
)

// Conn is one side of a framed engine's session. A deadline in the past wakes a blocked Read.
type Conn interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
}

// Codec knows one protocol's framing and nothing of policy, sockets or logs. It belongs to one
// session; Request is called by one goroutine, Response and Splice by another, Refuse by either.
type Codec interface {
	// Request reads the frame at the front of b: n is its length, 0 when more bytes are needed. c is nil
	// for a control frame, which is forwarded without a decision because it asks for nothing. An error
	// ends the session. c must not keep slices of b.
	Request(b []byte) (n int, c *weir.Command, err error)
	// Response looks at the whole frames at the front of b and says in out where they end, which spans of
	// them hold values, and how many commands they finish answering. An error ends the session.
	Response(out *Batch, b []byte) error
	// Splice appends frames to dst with the edits made, which change lengths. Edits are ascending
	// and do not overlap.
	Splice(dst, frames []byte, edits []Edit) ([]byte, error)
	// Refuse appends a refusal in the protocol's own words.
	Refuse(dst []byte, d *weir.Denied) []byte
}

// Batch is what a codec found in a read buffer. The session resets it before each call.
type Batch struct {
	End      int    // length of the whole frames
	Spans    []Span // values in them, ascending, not overlapping
	Answered int    // commands whose answers these frames complete
}

// Span is one value: buffer[Start:End], called Name ("" when it has no name).
type Span struct {
	Start, End int
	Name       string
}

// Edit replaces frames[Start:End] by New.
type Edit struct {
	Start, End int
	New        []byte
}
