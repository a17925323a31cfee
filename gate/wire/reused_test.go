//go:build unix

package wire_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"weir/gate/wire"
)

// TestReusedNoticesTheEnd writes to a connection whose far end said something and left, has TLS's last words waiting, or is there.
func TestReusedNoticesTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		last  string
		leave bool
		sent  bool
	}{
		"there":                 {sent: true},
		"left":                  {leave: true},
		"an alert of TLS":       {last: "\x15\x03\x03\x00\x02\x01\x00"},
		"an alert of TLS 1.3":   {last: "\x17\x03\x03\x00\x13" + "sealed............."},
		"a ticket of TLS":       {last: "\x17\x03\x03\x00\xf3" + "sealed.............", sent: true},
		"the rest of an answer": {last: "more than five bytes", sent: true},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			near, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			r := wire.NewReused(near)
			defer r.Close()
			if wire.ReusedOf(r) != r || wire.ReusedOf(near) != nil {
				t.Error("it is not found")
			}
			if n, err := r.Write([]byte("first")); n != 5 || err != nil || r.Sent() != 5 {
				t.Fatal(n, err, r.Sent())
			}
			if _, err := far.Write([]byte("answer" + c.last)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(r, make([]byte, len("answer"))); err != nil {
				t.Fatal(err)
			}
			if c.leave {
				_ = far.Close()
			}
			// What was sent on this machine is there, but for the time that the kernel takes.
			want := int64(len("first"))
			if c.sent {
				want += int64(len("second"))
			} else {
				waitForMore(t, near)
			}
			n, err := r.Write([]byte("second"))
			if c.sent != (err == nil) || r.Sent() != want || !c.sent && (n != 0 || !errors.Is(err, net.ErrClosed)) {
				t.Error(n, err, r.Sent())
			}
		})
	}
}

// waitForMore returns when a read would return.
func waitForMore(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		return !errors.Is(err, syscall.EAGAIN)
	}); err != nil {
		t.Fatal(err)
	}
}

// slowEnd is a connection whose writes take effect before they return.
type slowEnd struct {
	net.Conn
	wrote, goOn chan struct{}
}

func (c slowEnd) Write(p []byte) (int, error) {
	close(c.wrote)
	<-c.goOn
	return len(p), nil
}

// TestReusedCountsWhatIsUnderWay looks while a write is under way: what it sends may be there already.
func TestReusedCountsWhatIsUnderWay(t *testing.T) {
	c := slowEnd{wrote: make(chan struct{}), goOn: make(chan struct{})}
	r := wire.NewReused(c)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = r.Write([]byte("POST"))
	}()
	<-c.wrote
	if r.Sent() != 4 {
		t.Errorf("%d bytes", r.Sent())
	}
	close(c.goOn)
	<-done
}
