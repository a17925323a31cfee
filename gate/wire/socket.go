package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Socket is a connection that a Loop can wait for, as long as it is held, and one of package net's at all other times. Held, it never blocks: what
// the kernel does not take at once is kept until it is let go. Close and the deadlines may be called from any goroutine at any time, and
// Write and Settle beside Read; the rest by one at a time.
type Socket struct {
	mu    sync.Mutex
	fd    int      // while it is held
	conn  net.Conn // while it is not
	err   error    // why there is neither
	first []byte   // what is read before all that is still to come
	out   sync.Mutex
	rest  []byte // written and not taken yet; of out
	owing atomic.Bool
	kick  func() // a deadline was set while it was held
}

// again says that a held socket has nothing to read at the moment. To crypto/tls it is what a deadline that has passed is: not the end.
type again struct{}

func (again) Error() string { return "nothing to read" }

// Timeout is net.Error's.
func (again) Timeout() bool { return true }

// Temporary is net.Error's, and what crypto/tls asks.
func (again) Temporary() bool { return true }

var errAgain error = again{}

// Under makes a Socket of a connection on which TLS will be spoken, so that a Loop may wait for it later. first is what was read of it already. It
// returns nil where c is no connection of package net.
func Under(c any, first []byte) *Socket {
	conn, ok := c.(net.Conn)
	if !ok {
		return nil
	}
	return &Socket{fd: -1, conn: conn, first: first}
}

// Hold takes over a TCP or Unix connection, which is of no use afterwards, or what is below a TLS connection over a Socket of Under. kick is called
// when a deadline is set while it is held. It returns nil and leaves c alone where c is another kind of connection. sealed says that there is TLS: c
// is what is read and written still, and Drain what reads it.
func Hold(c any, kick func()) (s *Socket, sealed bool) {
	conn, ok := c.(net.Conn)
	if !ok || !rawReads {
		return nil, false
	}
	if t, ok := conn.(*tls.Conn); ok {
		if s, sealed = t.NetConn().(*Socket); !sealed {
			return nil, false
		}
	} else if s, ok = conn.(*Socket); !ok {
		s = &Socket{fd: -1, conn: conn}
	}
	s.kick = kick
	if len(s.first) > 0 || !s.Hold() {
		return nil, false
	}
	return s, sealed
}

// Hold takes the connection back from package net. It reports whether that worked; where it did not, nothing has changed.
func (s *Socket) Hold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.conn.(interface {
		syscall.Conn
		File() (*os.File, error)
	})
	if !ok || s.Owing() {
		return false
	}
	file, err := f.File()
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	raw, err := file.SyscallConn()
	if err != nil {
		return false
	}
	own := -1
	if e := raw.Control(func(fd uintptr) { own, err = hold(fd) }); e != nil || err != nil {
		return false
	}
	_ = s.conn.Close()
	s.fd, s.conn = own, nil
	return true
}

func (s *Socket) held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fd >= 0
}

// FD is the descriptor while it is held.
func (s *Socket) FD() int { return s.fd }

// Owing reports whether something was written that the kernel has not taken.
func (s *Socket) Owing() bool { return s.owing.Load() }

// Free hands the connection to package net. What is owed is sent by Settle, or with the next write.
func (s *Socket) Free() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return
	}
	s.conn, s.err = release(s.fd)
	s.fd = -1
}

// Settle writes what is owed, and waits for that.
func (s *Socket) Settle() error {
	s.out.Lock()
	defer s.out.Unlock()
	return s.settle()
}

func (s *Socket) settle() error {
	rest := s.rest
	if len(rest) == 0 {
		return nil
	}
	s.rest = nil
	s.owing.Store(false)
	if s.conn == nil {
		return s.gone()
	}
	_, err := s.conn.Write(rest)
	return err
}

func (s *Socket) Write(b []byte) (int, error) {
	s.out.Lock()
	defer s.out.Unlock()
	if s.conn != nil {
		if err := s.settle(); err != nil {
			return 0, err
		}
		return s.conn.Write(b)
	}
	if s.fd < 0 {
		return 0, s.gone()
	}
	n := 0
	if len(s.rest) == 0 {
		var err error
		if n, err = heldWrite(s.fd, b); err != nil {
			return 0, err
		}
	}
	if n < len(b) {
		s.rest = append(s.rest, b[n:]...)
		s.owing.Store(true)
	}
	return len(b), nil
}

// Read is net.Conn's. Held, it does not wait: its error is one of a deadline then.
func (s *Socket) Read(b []byte) (int, error) {
	switch {
	case len(s.first) > 0:
		n := copy(b, s.first)
		s.first = s.first[n:]
		return n, nil
	case s.conn != nil:
		return s.conn.Read(b)
	case s.fd < 0:
		return 0, s.gone()
	}
	n, err := heldRead(s.fd, b)
	if n == 0 && err == nil && len(b) > 0 {
		err = io.EOF
	}
	return n, err
}

func (s *Socket) gone() error {
	if s.err != nil {
		return s.err
	}
	return net.ErrClosed
}

// SyscallConn is net's, once it has been let go.
func (s *Socket) SyscallConn() (syscall.RawConn, error) {
	if c, ok := s.conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, s.gone()
}

// at returns net's connection, after a kick if it is held.
func (s *Socket) at() net.Conn {
	if s.held() {
		s.kick()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// SetReadDeadline is net.Conn's. Held, it only kicks.
func (s *Socket) SetReadDeadline(t time.Time) error {
	if c := s.at(); c != nil {
		return c.SetReadDeadline(t)
	}
	return nil
}

// SetWriteDeadline is net.Conn's. Held, it only kicks.
func (s *Socket) SetWriteDeadline(t time.Time) error {
	if c := s.at(); c != nil {
		return c.SetWriteDeadline(t)
	}
	return nil
}

// SetDeadline sets both.
func (s *Socket) SetDeadline(t time.Time) error {
	return errors.Join(s.SetReadDeadline(t), s.SetWriteDeadline(t))
}

// LocalAddr is net.Conn's while it is not held, and unknown else.
func (s *Socket) LocalAddr() net.Addr { return s.addr(net.Conn.LocalAddr) }

// RemoteAddr is net.Conn's while it is not held, and unknown else.
func (s *Socket) RemoteAddr() net.Addr { return s.addr(net.Conn.RemoteAddr) }

func (s *Socket) addr(of func(net.Conn) net.Addr) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return &net.TCPAddr{}
	}
	return of(s.conn)
}

// Close closes the connection.
func (s *Socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd >= 0 {
		s.conn, s.err = release(s.fd)
		s.fd = -1
	}
	if s.conn == nil {
		return s.gone()
	}
	return s.conn.Close()
}
