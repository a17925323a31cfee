package httpgate

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"weir/gate/wire"
)

// maxCollected is the largest answer that is collected to tell its length.
const maxCollected = 64 << 10

// exit is the only way to the client and to the target. What an Exchange has masked and recorded
// comes in by Write; refusals are the gateway's own words. Not for concurrent use.
type exit struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	pool    *wire.Pool
	timeout time.Duration
	now     func() time.Time

	status    int
	collect   bool         // the answer may turn out small enough to tell its length
	client    *wire.Client // nil: what is written cannot be gathered
	bodyless  bool         // the answer has no body: HEAD, 204, 304
	mustClose bool         // the connection cannot be used again
	buf       *wire.Buffer
	committed bool
	deadline  bool  // a write deadline is set
	failed    error // writing to the client failed: it has gone
}

// Write passes masked and recorded bytes on to the client.
func (e *exit) Write(p []byte) (int, error) {
	if e.bodyless {
		return len(p), nil
	}
	if e.collect && !e.committed {
		if e.buf == nil {
			e.buf = e.pool.Get(len(p))
		}
		if len(e.buf.B)+len(p) <= maxCollected {
			e.buf.B = append(e.buf.B, p...)
			return len(p), nil
		}
	}
	if err := e.commit(); err != nil {
		return 0, err
	}
	return e.write(p)
}

// commit sends the head, and what was collected.
func (e *exit) commit() error {
	if e.committed {
		return e.failed
	}
	e.committed = true
	if e.mustClose {
		e.w.Header()["Connection"] = []string{"close"}
	}
	e.w.WriteHeader(e.status)
	if e.buf == nil {
		return nil
	}
	b := e.buf
	e.buf = nil
	_, err := e.write(b.B)
	e.pool.Put(b)
	return err
}

func (e *exit) write(p []byte) (int, error) {
	if e.failed != nil {
		return 0, e.failed
	}
	if !e.collect || e.deadline {
		e.setDeadline()
	}
	n, err := e.w.Write(p)
	if err != nil {
		e.failed = err
	}
	return n, err
}

// gathered writes what f does in few pieces.
func (e *exit) gathered(f func() error) (err error) {
	e.client.Gather()
	defer func() { // also where f panics: what is refused then is written, too
		if failed := e.client.Release(); failed != nil && e.failed == nil {
			e.failed = failed
		}
		if err == nil {
			err = e.failed
		}
	}()
	return f()
}

// setDeadline bounds how long a client may let one write wait.
func (e *exit) setDeadline() {
	if e.controller().SetWriteDeadline(e.now().Add(e.timeout)) == nil {
		e.deadline = true
	}
}

func (e *exit) controller() *http.ResponseController {
	if e.rc == nil {
		e.rc = http.NewResponseController(e.w)
	}
	return e.rc
}

// flush sends what was written so far.
func (e *exit) flush() error {
	if err := e.commit(); err != nil {
		return err
	}
	if !e.bodyless {
		e.setDeadline()
	}
	if err := e.controller().Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		e.failed = err
		return err
	}
	return nil
}

// end sends the answer's rest, with its length if that is known.
func (e *exit) end() error {
	if !e.committed && !e.bodyless {
		n := 0
		if e.buf != nil {
			n = len(e.buf.B)
		}
		e.w.Header()["Content-Length"] = []string{strconv.Itoa(n)}
	}
	if err := e.commit(); err != nil {
		return err
	}
	if !e.deadline {
		return nil
	}
	if err := e.flush(); err != nil {
		return err
	}
	_ = e.controller().SetWriteDeadline(time.Time{}) // the connection may be used again
	return nil
}

// trailer adds a trailer to an answer whose body is complete.
func (e *exit) trailer(name, value string) {
	e.w.Header()[http.TrailerPrefix+name] = append(e.w.Header()[http.TrailerPrefix+name], value)
}

// discard gives back what was collected without sending it.
func (e *exit) discard() {
	if e.buf != nil {
		e.pool.Put(e.buf)
		e.buf = nil
	}
}

// refusal answers in the gateway's own words. It does nothing once an answer began.
func (e *exit) refusal(status int, header map[string]string, body []byte, head bool) {
	if e.committed {
		return
	}
	e.discard()
	h := e.w.Header()
	clear(h)
	for name, value := range header {
		h.Set(name, value)
	}
	if e.mustClose {
		h.Set("Connection", "close")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	e.committed = true
	e.w.WriteHeader(status)
	if !head {
		_, e.failed = e.w.Write(body)
	}
}

// fullDuplex lets the answer begin before the client's body has ended (HTTP/1).
func (e *exit) fullDuplex() { _ = e.controller().EnableFullDuplex() }

// unblock ends a read of the client's body that still waits, and leaves the server a moment to
// drain it. It reports whether that can be done on this connection.
func (e *exit) unblock() bool { return e.controller().SetReadDeadline(time.Unix(1, 0)) == nil }

func (e *exit) drainFor(d time.Duration) { _ = e.controller().SetReadDeadline(e.now().Add(d)) }

// maxStale is how many connections may turn out to be closed before a request is given up.
const maxStale = 3

// roundTrip sends the one request of an Exchange. Only its Forward may call it. A connection that was kept may have been closed by the target, which
// net/http notices too late: when nothing was written the request is sent on another one. Requests that change nothing net/http sends again by itself.
func roundTrip(ctx context.Context, t *Target, req *http.Request) (*http.Response, error) {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return t.RoundTripper.RoundTrip(req.WithContext(ctx))
	}
	for tries := 1; ; tries++ {
		var kept *wire.Reused
		var before int64
		traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			if kept = nil; got.Reused {
				if kept = wire.ReusedOf(got.Conn); kept != nil {
					before = kept.Sent()
				}
			}
		}})
		resp, err := t.RoundTripper.RoundTrip(req.WithContext(traced))
		again := err != nil && kept != nil && kept.Sent() == before && ctx.Err() == nil && tries < maxStale
		if !again || req.Body != nil && req.GetBody == nil {
			return resp, err
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// acceptSocket answers the client's WebSocket handshake.
func (e *exit) acceptSocket(r *http.Request, opt *websocket.AcceptOptions) (*websocket.Conn, error) {
	e.committed = true
	return websocket.Accept(e.w, r, opt)
}

// message sends one message of a WebSocket, which is recorded and, on its way to the client, masked.
func (e *exit) message(ctx context.Context, conn *websocket.Conn, typ websocket.MessageType, p []byte) error {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	return conn.Write(ctx, typ, p)
}

// handshake is the RoundTripper that a WebSocket dialer is given: it sends the request of the
// Exchange instead of the dialer's own, and keeps an answer that is no WebSocket.
type handshake struct {
	target *Target
	req    *http.Request // what to send; its header lacks the handshake's own fields
	answer *http.Response
}

// errNoSocket says that the target answered the handshake with something else.
var errNoSocket = errors.New("the target did not switch to WebSocket")

// RoundTrip implements http.RoundTripper.
func (h *handshake) RoundTrip(dialed *http.Request) (*http.Response, error) {
	req := *h.req
	for _, name := range [...]string{"Connection", "Upgrade", "Sec-Websocket-Version", "Sec-Websocket-Key", "Sec-Websocket-Protocol"} {
		if v := dialed.Header[name]; len(v) > 0 {
			req.Header[name] = v
		}
	}
	resp, err := h.target.RoundTripper.RoundTrip(req.WithContext(dialed.Context()))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		h.answer = resp
		return nil, errNoSocket
	}
	return resp, nil
}
