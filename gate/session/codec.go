package session

import (
	"io"
	"time"

	"weir"
)

// Conn is one side of a framed engine's session. A deadline in the past wakes a blocked Read or Write. One that is a
// syscall.Conn is read without holding a buffer while it waits.
type Conn interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// Codec knows one protocol's framing and the order of its answers, and nothing of policy, sockets or logs. It belongs to one
// session. Its methods are never called at the same time, but Response may be called while Request waits in Requests.Ask or
// Requests.Wait. A panic ends the session. It must not keep slices of b.
type Codec interface {
	// Limit is the longest frame that Request must see whole, in bytes, and Response if it is more than the gate's own. 0 is the gate's own.
	Limit() int
	// Request takes the frames at the front of b, calls r for each, and returns how many bytes it took; 0 when it needs more. An
	// error ends the session.
	Request(r *Requests, b []byte) (n int, err error)
	// Response takes the frames at the front of b, masks what they carry by a, and returns how many bytes it took. An error ends
	// the session; nothing of b reaches the client then.
	Response(a *Answers, b []byte) (n int, err error)
	// Owes reports whether the target or the codec owes the client an answer.
	Owes() bool
	// Refuse appends the last words of a session that ends, in the protocol's own form; nothing where none may stand.
	Refuse(dst []byte, d *weir.Denied) []byte
}
