package wire

import (
	"errors"
	"io"
	"syscall"
)

// ErrTooLong says that what must be read in one piece is longer than the limit.
var ErrTooLong = errors.New("frame too large")

// Reader reads a connection and holds no large buffer while it waits for bytes. On a socket it holds none at all. It belongs
// to one goroutine.
type Reader struct {
	pool  *Pool
	src   io.Reader
	raw   syscall.RawConn // nil where src is no socket
	limit int
	buf   *Buffer
	got   func(b []byte) (int, error)
	err   error
	step  func(fd uintptr) bool
	alive func(fd uintptr) // of Gone
	gone  bool
	extra []byte // read by somebody else meanwhile
}

// NewReader makes a Reader of src, which may be a syscall.Conn. A piece that is longer than limit bytes is ErrTooLong.
// got is handed what was read and not taken yet, and returns how much of it it takes. It must not keep b.
func NewReader(pool *Pool, src io.Reader, limit int, got func(b []byte) (int, error)) *Reader {
	r := &Reader{pool: pool, limit: limit, got: got}
	r.step = r.readable
	r.alive = func(fd uintptr) { r.gone = closed(fd) }
	r.From(src)
	return r
}

// From makes src what is read next, within got or while nothing is read.
func (r *Reader) From(src io.Reader) {
	r.src, r.raw = src, nil
	if c, ok := src.(syscall.Conn); ok && rawReads {
		if raw, err := c.SyscallConn(); err == nil {
			r.raw = raw
		}
	}
}

// Poll reads once from a socket that does not block, and hands on what came. full says that there may be much more.
func (r *Reader) Poll(fd int) (full bool, err error) {
	if err := r.room(Large); err != nil {
		return false, err
	}
	space := r.buf.B[len(r.buf.B):cap(r.buf.B)]
	n, err := heldRead(fd, space)
	if !errors.Is(err, errAgain) {
		err = r.took(n, err)
	} else {
		err = nil
	}
	if err == nil && len(r.buf.B) == 0 {
		r.release()
	}
	return n == len(space), err
}

// Drain is Poll for what is spoken on top of s. It reads until nothing is there: what was taken off the socket may hold more than one message, of
// which the kernel will not tell. It ends when got lets the socket go, since a read would wait then.
func (r *Reader) Drain(s *Socket) (full bool, err error) {
	for sum := 0; sum < Large; {
		if !s.held() {
			r.trim()
			return false, nil
		}
		if err := r.room(Large); err != nil {
			return false, err
		}
		n, err := r.src.Read(r.buf.B[len(r.buf.B):cap(r.buf.B)])
		if errors.Is(err, errAgain) {
			r.trim()
			return false, nil
		}
		if err := r.took(n, err); err != nil {
			return false, err
		}
		sum += n
	}
	r.trim()
	return true, nil
}

// Run reads until the source ends or got fails, and returns why; io.EOF when the source ended. It may be run again; what was not taken is handed
// on first.
func (r *Reader) Run() error {
	defer r.trim()
	r.err = nil
	if r.Rest() > 0 {
		if err := r.pass(); err != nil {
			return err
		}
	}
	if r.raw != nil {
		if err := r.raw.Read(r.step); err != nil {
			return err
		}
		return r.err
	}
	return r.stream()
}

// Rest is how many bytes were read and not taken.
func (r *Reader) Rest() int {
	if r.buf == nil {
		return 0
	}
	return len(r.buf.B)
}

// Pollable reports whether Gone can tell.
func (r *Reader) Pollable() bool { return r.raw != nil }

// Gone reports, within got and without reading, whether the other side has closed. It may not see it behind unread bytes.
func (r *Reader) Gone(c syscall.Conn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	return raw.Control(r.alive) != nil || r.gone
}

// trim gives the buffer back if nothing is in it.
func (r *Reader) trim() {
	if r.Rest() == 0 {
		r.release()
	}
}

// Close gives the buffer back.
func (r *Reader) Close() { r.release() }

func (r *Reader) release() {
	if r.buf != nil {
		r.pool.Put(r.buf)
		r.buf = nil
	}
}

// readable is called whenever the socket may have bytes; false waits for more.
func (r *Reader) readable(fd uintptr) bool {
	for {
		if r.err = r.room(Large); r.err != nil {
			return true
		}
		space := r.buf.B[len(r.buf.B):cap(r.buf.B)]
		n, err := read(fd, space)
		if errors.Is(err, errAgain) {
			if len(r.buf.B) == 0 {
				r.release()
			}
			return false
		}
		// That it was less than there is room for does not say that nothing is behind it: the kernel tells of bytes and of the end at once.
		if r.err = r.took(n, err); r.err != nil {
			return true
		}
	}
}

// stream reads what is no socket, waiting in a small buffer.
func (r *Reader) stream() error {
	for {
		if r.buf == nil {
			r.buf = r.pool.Get(Small)
		}
		if err := r.room(len(r.buf.B) + 1); err != nil {
			return err
		}
		n, err := r.src.Read(r.buf.B[len(r.buf.B):cap(r.buf.B)])
		if n > 0 {
			err = nil
		} else if err == nil {
			err = io.ErrNoProgress
		}
		if err := r.took(n, err); err != nil {
			return err
		}
		if len(r.buf.B) == 0 && n < Small {
			r.release()
		} else if cap(r.buf.B) < Large {
			grown := r.pool.Get(Large)
			grown.B = append(grown.B, r.buf.B...)
			r.release()
			r.buf = grown
		}
	}
}

// took hands on what was read.
func (r *Reader) took(n int, err error) error {
	if err != nil {
		return err
	}
	if n <= 0 {
		return io.EOF
	}
	r.buf.B = r.buf.B[:len(r.buf.B)+n]
	return r.pass()
}

// pass hands on what is there.
func (r *Reader) pass() error {
	for {
		used, err := r.got(r.buf.B)
		if err != nil {
			return err
		}
		if used < 0 || used > len(r.buf.B) {
			return errors.New("wire: more was taken than there is")
		}
		r.buf.B = r.buf.B[:copy(r.buf.B, r.buf.B[used:])]
		if len(r.extra) == 0 {
			return nil
		}
		r.buf.B = append(r.buf.B, r.extra...)
		r.extra = nil
	}
}

// Later hands over, within got, what was read from the source past the Reader; it comes next.
func (r *Reader) Later(b []byte) { r.extra = append(r.extra, b...) }

// room makes space behind what is there.
func (r *Reader) room(size int) error {
	if r.buf == nil {
		r.buf = r.pool.Get(size)
	}
	if len(r.buf.B) < cap(r.buf.B) {
		return nil
	}
	if len(r.buf.B) >= r.limit {
		return ErrTooLong
	}
	grown := &Buffer{B: make([]byte, len(r.buf.B), min(2*cap(r.buf.B), r.limit))}
	copy(grown.B, r.buf.B)
	r.release()
	r.buf = grown
	return nil
}
