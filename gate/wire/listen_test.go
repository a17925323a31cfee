package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// pair is a connection that a Listen listener accepted, and its other end.
func pair(t *testing.T) (*Client, net.Conn) {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := Listen(inner, 10)
	t.Cleanup(func() { _ = ln.Close() })
	far, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*Client), far
}

func TestClientGathers(t *testing.T) {
	c, far := pair(t)
	if _, err := io.WriteString(c, "first "); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := far.Read(buf); err != nil || string(buf[:n]) != "first " {
		t.Fatalf("got %q %v: what is not gathered is sent at once", buf[:n], err)
	}
	c.Gather()
	want := "a" + strings.Repeat("bcd", 1000)
	for i := range want {
		if n, err := c.Write([]byte{want[i]}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	_ = far.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, err := far.Read(buf); err == nil {
		t.Fatalf("%q was sent while it was gathered", buf[:n])
	}
	_ = far.SetReadDeadline(time.Time{})
	big := strings.Repeat("x", 5*maxGathered)
	for _, p := range []string{big, "y", strings.Repeat("z", maxGathered), "end"} {
		if n, err := io.WriteString(c, p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
		want += p
	}
	done := make(chan error, 1)
	go func() { done <- c.Release() }()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(far, got); err != nil || string(got) != want {
		t.Fatalf("what was gathered came otherwise: %v", err)
	}
	if err := <-done; err != nil || c.held != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "last")
	if n, err := far.Read(buf); err != nil || string(buf[:n]) != "last" {
		t.Fatalf("got %q %v", buf[:n], err)
	}
}

func TestReleaseSaysThatTheClientHasGone(t *testing.T) {
	c, _ := pair(t)
	c.Gather()
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Fatal(err)
	}
	_ = c.Conn.Close()
	if err := c.Release(); err == nil {
		t.Error("nothing was sent, and nobody was told")
	}
	if _, err := io.WriteString(c, "x"); err == nil {
		t.Error("it holds on")
	}
}

func TestListenTakesSoManyConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := Listen(inner, 1)
	conns := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				ended <- err
				return
			}
			conns <- c
		}
	}()
	for range 2 {
		far, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
	}
	first := <-conns
	select {
	case <-conns:
		t.Fatal("a second connection was taken")
	case <-time.After(30 * time.Millisecond):
	}
	_ = first.Close()
	_ = first.Close() // frees one place, not two
	second := <-conns
	_ = ln.Close()
	_ = ln.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept ends with %v", err)
	}
	_ = second.Close()
}

func TestClientOf(t *testing.T) {
	c, _ := pair(t)
	if got := ClientOf(ConnContext(t.Context(), c)); got != c {
		t.Errorf("%p, want %p", got, c)
	}
	if got := ClientOf(ConnContext(t.Context(), tls.Server(c, &tls.Config{MinVersion: tls.VersionTLS12}))); got != c {
		t.Errorf("%p below TLS, want %p", got, c)
	}
	plain, _ := net.Pipe()
	if ClientOf(ConnContext(t.Context(), plain)) != nil {
		t.Error("a connection of another listener")
	}
	var none *Client
	none.Gather()
	if none.Release() != nil {
		t.Error("nil does nothing")
	}
}
