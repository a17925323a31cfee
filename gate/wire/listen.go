package wire

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// listener is for at most so many connections at a time; Accept waits for one to end. Its connections are of type *Client.
type listener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Listen makes a listener of ln for an http.Server, for at most so many connections at a time. With ConnContext the server needs fewer system calls and
// packets for long answers.
func Listen(ln net.Listener, most int) net.Listener {
	return &listener{Listener: ln, slots: make(chan struct{}, most), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &Client{Conn: c, slots: l.slots}, nil
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// Client is a client's connection, whose writes can be gathered: a server that writes the frame of a chunk, its content and the next frame
// makes one packet of them, and one system call.
type Client struct {
	net.Conn
	slots chan struct{}
	once  sync.Once

	mu      sync.Mutex
	holding bool
	held    *[maxGathered]byte // of gatheredPool; nil when nothing is held
	n       int                // of held
}

const maxGathered = 32 << 10

var gatheredPool = sync.Pool{New: func() any { return new([maxGathered]byte) }} //nolint:gochecknoglobals // a pool

type clientKey struct{}

// ConnContext makes ClientOf find the connection of Listen that a request comes in on; see http.Server.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if c, ok := c.(*Client); ok {
		return context.WithValue(ctx, clientKey{}, c)
	}
	return ctx
}

// ClientOf returns the connection that a request of an http.Server with ConnContext comes in on, or nil. HTTP/2 writes to it for others, too, and must not gather.
func ClientOf(ctx context.Context) *Client {
	c, _ := ctx.Value(clientKey{}).(*Client)
	return c
}

// Gather holds what is written from now on. Much of it may be sent all the same. A nil client does nothing.
func (c *Client) Gather() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.holding = true
	c.mu.Unlock()
}

// Release sends what is held.
func (c *Client) Release() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = false
	return c.send(nil)
}

// Write implements net.Conn.
func (c *Client) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.holding {
		return c.Conn.Write(p)
	}
	if c.n+len(p) > maxGathered {
		if err := c.send(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if c.held == nil {
		c.held = gatheredPool.Get().(*[maxGathered]byte)
	}
	c.n += copy(c.held[c.n:], p)
	return len(p), nil
}

// send writes what is held and p.
func (c *Client) send(p []byte) error {
	if c.held == nil {
		if len(p) == 0 {
			return nil
		}
		_, err := c.Conn.Write(p)
		return err
	}
	v := net.Buffers{c.held[:c.n], p}
	if len(p) == 0 {
		v = v[:1]
	}
	_, err := v.WriteTo(c.Conn)
	gatheredPool.Put(c.held)
	c.held, c.n = nil, 0
	return err
}

// CloseWrite ends what is sent, so that a client reads the last of it before it learns that the rest of its request was not wanted.
func (c *Client) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (c *Client) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.slots })
	return err
}
