package wire

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Socket is a connection that a Loop can wait for, as long as it is held, and one of package net's from then on. Held, it never blocks: what
// the kernel does not take at once is kept until it is let go. Close and the deadlines may be called from any goroutine at any time, the
// rest by one at a time.
type Socket struct {
	mu   sync.Mutex
	fd   int      // while it is held
	conn net.Conn // afterwards
	err  error    // why there is none
	rest []byte   // written and not taken yet
	kick func()   // a deadline was set while it was held
}

// Hold takes over a TCP or Unix connection, which is of no use afterwards. kick is called when a deadline is set while it is
// held. It returns nil and leaves c alone where c is another kind of connection.
func Hold(c any, kick func()) *Socket {
	conn, ok := c.(net.Conn)
	if !ok || !rawReads {
		return nil
	}
	s := &Socket{fd: -1, conn: conn, kick: kick}
	if !s.Hold() {
		return nil
	}
	return s
}

// Hold takes the connection back from package net. It reports whether that worked; where it did not, nothing has changed.
func (s *Socket) Hold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.conn.(interface {
		syscall.Conn
		File() (*os.File, error)
	})
	if !ok || len(s.rest) > 0 {
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

// FD is the descriptor while it is held.
func (s *Socket) FD() int { return s.fd }

// Owing reports whether something was written that the kernel has not taken.
func (s *Socket) Owing() bool { return len(s.rest) > 0 }

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
	rest := s.rest
	s.rest = nil
	if len(rest) == 0 {
		return nil
	}
	if s.conn == nil {
		return s.gone()
	}
	_, err := s.conn.Write(rest)
	return err
}

func (s *Socket) Write(b []byte) (int, error) {
	if s.conn != nil {
		if err := s.Settle(); err != nil {
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
	s.rest = append(s.rest, b[n:]...)
	return len(b), nil
}

// Read reads once it has been let go.
func (s *Socket) Read(b []byte) (int, error) {
	if s.conn == nil {
		return 0, s.gone()
	}
	return s.conn.Read(b)
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
	s.mu.Lock()
	held := s.fd >= 0
	s.mu.Unlock()
	if held {
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
