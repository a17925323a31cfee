package wire

import (
	"net"
	"sync/atomic"
	"syscall"
)

// Reused is a connection that is kept to be used again, and that the far end may have closed meanwhile. A Write that comes after a Read, as a request's first one
// does, then fails with net.ErrClosed before anything is sent: nobody has to wonder whether the request arrived, and it can be sent on another
// connection. What the far end does at that very moment is seen later, as with any connection. As safe for concurrent use as the connection in it.
type Reused struct {
	net.Conn
	raw   syscall.RawConn // nil: it cannot be looked at
	heard atomic.Bool     // something came since the last Write
	sent  atomic.Int64
}

// NewReused takes over a connection.
func NewReused(c net.Conn) *Reused {
	r := &Reused{Conn: c}
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			r.raw = raw
		}
	}
	return r
}

// Read implements net.Conn.
func (r *Reused) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	if n > 0 {
		r.heard.Store(true)
	}
	return n, err
}

// Write implements net.Conn.
func (r *Reused) Write(p []byte) (int, error) {
	if r.heard.Swap(false) && r.left() {
		_ = r.Close()
		return 0, net.ErrClosed
	}
	r.sent.Add(int64(len(p))) // first: who has seen this connection closed, and nothing counted, is sure that nothing was sent
	return r.Conn.Write(p)
}

// Sent is how many bytes were written so far, or may have been.
func (r *Reused) Sent() int64 { return r.sent.Load() }

// ReusedOf finds the one that a connection is, or that it runs TLS over; nil when there is none.
func ReusedOf(c net.Conn) *Reused {
	if over, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = over.NetConn()
	}
	r, _ := c.(*Reused)
	return r
}

// left reports whether the far end has closed the connection, or says with TLS that it does.
func (r *Reused) left() (left bool) {
	if r.raw != nil {
		_ = r.raw.Control(func(fd uintptr) {
			var b [5]byte
			n, ok := peek(fd, b[:])
			left = ok && (n == 0 || closesTLS(b[:n]))
		})
	}
	return left
}

// closesTLS reports an alert of TLS, which ends a connection that is idle: in clear the beginning of its record says so (RFC 5246, 6.2.1), and from TLS 1.3 on
// its length, as two bytes, one that tells what they are, and sixteen that seal them (RFC 8446, 5.2).
func closesTLS(b []byte) bool {
	const alert, data = 21, 23
	return len(b) == 5 && b[1] == 3 && (b[0] == alert || b[0] == data && b[3] == 0 && b[4] == 2+1+16)
}
