package postgres

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/session"
	socket "weir/gate/wire"
)

// TestIdleConnections tells what one takes that waits, in clear text and with TLS on both sides.
func TestIdleConnections(t *testing.T) {
	plain, sealed := uint64(14<<10), uint64(40<<10)
	if !socket.HasLoops() {
		plain, sealed = 30<<10, 80<<10
	}
	t.Run("clear text", func(t *testing.T) {
		idleConnections(t, plain, func(near, far net.Conn) (net.Conn, net.Conn) { return near, far })
	})
	t.Run("TLS", func(t *testing.T) {
		s := httptest.NewTLSServer(nil) // for its certificate
		defer s.Close()
		theirs, ours := &tls.Config{InsecureSkipVerify: true}, &tls.Config{Certificates: s.TLS.Certificates}
		idleConnections(t, sealed, func(near, far net.Conn) (net.Conn, net.Conn) {
			c, over := tls.Client(socket.Under(near, nil), theirs), tls.Server(socket.Under(far, nil), ours)
			done := make(chan error, 1)
			go func() { done <- over.Handshake() }()
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			return c, over
		})
	})
}

// idleConnections fails when one takes more than most bytes, or a goroutine. speak puts on top of a connection's two ends what they speak.
func idleConnections(t *testing.T, most uint64, speak func(near, far net.Conn) (net.Conn, net.Conn)) {
	t.Helper()
	const n = 300
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pair := func() (net.Conn, net.Conn) {
		near, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return speak(near, far)
	}
	c := &gatetest.Controls{OnRecord: func(*weir.Record) error { return nil }}
	m := masked{Controls: c, mask: maskFor{realMask(t)}}
	g, err := session.New(session.Controls{Admitter: c, Decider: c, Holder: c, Masker: m, Recorder: m, Auditor: c}, c.Options())
	if err != nil {
		t.Fatal(err)
	}
	question, answer := frame('Q', "select 1\x00"), frame('T', "\x00\x01"+column("x", 25, 0))+frame('D', cells("v"))+frame('C', "SELECT 1\x00")+frame('Z', "I")
	use := func() uint64 {
		for range 4 {
			runtime.GC() // each halves the stacks that logins have made large
		}
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapInuse + s.StackInuse
	}
	// What tests before this one have left may go meanwhile.
	for last, tries := use(), 0; tries < 20; tries++ {
		time.Sleep(50 * time.Millisecond)
		now := use()
		if now >= last {
			break
		}
		last = now
	}
	taken := func(before uint64) uint64 { // never less than nothing
		return max(use(), before) - before
	}
	d := &door{t: t, controls: c}
	// What the test's own two ends take is not the gateway's.
	before := use()
	ends := make([]net.Conn, 0, 2*n)
	for range n {
		near, far := pair()
		ends = append(ends, near, far)
	}
	own := taken(before) / n
	for _, c := range ends {
		c.Close()
	}
	clear(ends)
	before = use()
	goroutines := runtime.NumGoroutine()
	var done sync.WaitGroup
	for range n {
		client, near := pair()
		target, far := pair()
		s, err := g.IncomingConn(weir.Client{}, near, func(context.Context, string) (session.Conn, []byte, error) { return far, nil, nil }).Authorize(t.Context(), gatetest.Hello())
		if err != nil {
			t.Fatal(err)
		}
		done.Add(1)
		s.Carry(t.Context(), d.codec(nil), func(error) { done.Done() })
		got := make([]byte, len(answer))
		_, _ = io.WriteString(client, question)
		_, _ = io.ReadFull(target, got[:len(question)])
		_, _ = io.WriteString(target, answer)
		if _, err := io.ReadFull(client, got); err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		defer target.Close()
	}
	each := max(taken(before)/n, own) - own
	t.Logf("%d bytes an idle connection, beside %d of the test's own ends", each, own)
	if each > most && !raced {
		t.Errorf("an idle connection takes %d bytes", each)
	}
	// Each has a stack, which a login makes large.
	if more := runtime.NumGoroutine() - goroutines; more > n/10 && socket.HasLoops() {
		t.Errorf("%d idle connections have %d goroutines", n, more)
	}
	g.End(func(*weir.SessionInfo) bool { return true }, "the test is over")
	done.Wait()
}
