package httpgate_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"

	"weir/gate/httpgate"
	"weir/gate/wire"
)

// lateConn is a connection whose end is noticed late.
type lateConn struct {
	*net.TCPConn
	noticed chan struct{}
}

func (c lateConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if errors.Is(err, io.EOF) {
		<-c.noticed
	}
	return n, err
}

// TestAStaleConnectionIsReplaced sends requests that change something over a connection that the target has closed without a word.
func TestAStaleConnectionIsReplaced(t *testing.T) {
	noticed := make(chan struct{})
	closed := make(chan struct{}, 1)
	dialed := atomic.Int32{}
	tr := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed.Add(1)
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return wire.NewReused(lateConn{c.(*net.TCPConn), noticed}), nil
	}}
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\ngot "+string(body[:2]))
		_ = conn.Close()
		closed <- struct{}{}
	}), rigOptions{transport: tr})
	t.Cleanup(func() { close(noticed) })
	for i, method := range []string{"POST", "PUT", "PATCH", "POST"} {
		resp, err := r.client().Do(r.request(t, method, "/x", strings.NewReader("hello")))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || string(body) != "got he" {
			t.Fatalf("%d %s: %d %s", i, method, resp.StatusCode, body)
		}
		<-closed
	}
	if dialed.Load() != 4 {
		t.Errorf("the target was dialed %d times", dialed.Load())
	}
}

// staleTrip fails as net/http does on a connection that it kept.
type staleTrip struct {
	next  http.RoundTripper
	write bool // something had been written
	fail  int
	trips int
}

func (s *staleTrip) RoundTrip(req *http.Request) (*http.Response, error) {
	s.trips++
	if s.trips > s.fail {
		return s.next.RoundTrip(req)
	}
	near, far := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, far) }()
	defer near.Close()
	c := wire.NewReused(near)
	httptrace.ContextClientTrace(req.Context()).GotConn(httptrace.GotConnInfo{Conn: c, Reused: true})
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	if s.write {
		_, _ = c.Write([]byte("P"))
	}
	return nil, errors.New("http: server closed idle connection")
}

// TestOnlyWhatWasNotSentIsSentAgain counts how often a request is tried.
func TestOnlyWhatWasNotSentIsSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		trip   staleTrip
		body   string
		status int
		trips  int
	}{
		"nothing written": {staleTrip{fail: 1}, "hello", 200, 2},
		"without a body":  {staleTrip{fail: 2}, "", 200, 3},
		"a byte written":  {staleTrip{fail: 1, write: true}, "hello", 502, 1},
		"again and again": {staleTrip{fail: 9}, "hello", 502, 3},
		"a long body":     {staleTrip{fail: 1}, strings.Repeat("x", 1<<20), 502, 1},
	} {
		t.Run(name, func(t *testing.T) {
			trip := c.trip
			trip.next = http.DefaultTransport
			r := newRig(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { _, _ = io.Copy(io.Discard, req.Body) }), rigOptions{target: func(tg *httpgate.Target) { tg.RoundTripper = &trip }})
			resp, err := r.client().Do(r.request(t, "POST", "/x", strings.NewReader(c.body)))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != c.status || trip.trips != c.trips {
				t.Errorf("%d after %d trips", resp.StatusCode, trip.trips)
			}
		})
	}
}
