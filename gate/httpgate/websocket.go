package httpgate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/coder/websocket"

	"weir"
)

// binaryMessages is what AllowOpaque calls WebSocket messages that cannot be looked into.
const binaryMessages = "websocket-binary"

const (
	maxReason   = 123     // bytes of a close frame's reason, RFC 6455, 5.5
	keptMessage = 1 << 20 // a message buffer that has grown larger is not kept
)

// socket is a WebSocket between client and target: two connections, whose messages pass one by one,
// each recorded before it is sent. Compression is negotiated with neither side.
type socket struct {
	c              *call
	client, target *websocket.Conn

	mu  sync.Mutex
	err error // why it ended, the first reason counts
}

// socket carries out a WebSocket handshake and then moves messages until either side or the session ends.
// The refusal it returns is not recorded yet.
func (c *call) socket(req *http.Request) *weir.Denied {
	protocols := tokens(req.Header["Sec-Websocket-Protocol"])
	for name := range req.Header {
		if strings.HasPrefix(name, "Sec-Websocket-") {
			delete(req.Header, name)
		}
	}
	c.forwarded(req.Header)
	c.target.Credential.inject(req.URL, req.Header)
	hs := &handshake{target: c.target, req: req}
	var remote *websocket.Conn
	var resp *http.Response
	err := c.x.Forward(func(ctx context.Context) (err error) {
		remote, resp, err = websocket.Dial(ctx, c.target.URL.String(), &websocket.DialOptions{ //nolint:bodyclose // the connection owns it
			HTTPClient:   &http.Client{Transport: hs, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
			Subprotocols: protocols,
		})
		return err
	})
	if hs.answer != nil {
		defer func() { _ = hs.answer.Body.Close() }()
		return c.answer(hs.answer)
	}
	if err != nil {
		return c.unanswered(err)
	}
	defer func() { _ = remote.CloseNow() }()
	if d := c.switchHead(resp); d != nil {
		return d
	}
	opt := &websocket.AcceptOptions{InsecureSkipVerify: true} // crossSite has judged the origin
	if p := remote.Subprotocol(); p != "" {
		opt.Subprotocols = []string{p}
	}
	client, err := c.exit.acceptSocket(c.r, opt)
	if err != nil {
		c.err = malformed("the WebSocket handshake is malformed", "")
		return nil
	}
	defer func() { _ = client.CloseNow() }()
	s := &socket{c: c, client: client, target: remote}
	s.run()
	c.err = s.err
	return nil
}

func tokens(values []string) []string {
	var out []string
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if t = strings.TrimSpace(t); t != "" {
				out = append(out, t)
			}
		}
	}
	return out
}

// nowhere is the body of an answer that has none.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

// switchHead masks and records the head of the target's 101, and hands it on.
func (c *call) switchHead(resp *http.Response) *weir.Denied {
	a := &reply{c: c, resp: resp}
	for name := range resp.Header {
		if strings.HasPrefix(name, "Sec-Websocket-") || name == "Content-Type" || name == "Content-Encoding" {
			delete(resp.Header, name) // each side has its own
		}
	}
	if d := a.head(); d != nil {
		return d
	}
	mw, err := c.x.Writer(nowhere{}, weir.Shape{Format: weir.FormatText})
	if err != nil {
		return denied(err)
	}
	if err := mw.Close(); err != nil {
		return denied(err)
	}
	return nil
}

// run moves messages both ways until the end. Both directions are over when it returns.
func (s *socket) run() {
	s.client.SetReadLimit(s.c.h.opt.MaxMessage)
	s.target.SetReadLimit(s.c.h.opt.MaxMessage)
	x := s.c.x
	// Reads have a context of their own: one that ends would cut the connection without a close frame.
	ctx, cancel := context.WithCancel(context.WithoutCancel(x.Context()))
	defer cancel()
	over := make(chan struct{})
	stop := context.AfterFunc(x.Context(), func() {
		defer close(over)
		s.fail(&weir.Denied{Kind: weir.DeniedSession, Reason: "the session has ended"})
		s.closeBoth(websocket.StatusPolicyViolation, "the session has ended")
	})
	var wg sync.WaitGroup
	wg.Go(func() { s.guard(func() { s.up(ctx) }) })
	s.guard(func() { s.down(ctx) })
	wg.Wait()
	if !stop() {
		<-over
	}
}

// guard turns a panic into the end of the connection.
func (s *socket) guard(f func()) {
	defer func() {
		if r := recover(); r != nil {
			err := fmt.Errorf("panic of type %T", r)
			s.c.h.opt.OnFault("http engine", err)
			s.refuse(&weir.Denied{Kind: weir.DeniedByFault, Reason: "refused: the gateway failed", Err: err}, websocket.StatusInternalError)
		}
	}()
	f()
}

func (s *socket) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// refuse records why the connection ends and ends it.
func (s *socket) refuse(d *weir.Denied, code websocket.StatusCode) {
	d = s.c.x.Refuse(d)
	s.fail(d)
	s.closeBoth(code, d.Reason)
}

// closeBoth closes both connections, side by side: either may have to wait for its peer.
func (s *socket) closeBoth(code websocket.StatusCode, reason string) {
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.client.Close(code, shorten(reason)) })
	_ = s.target.Close(code, "")
	wg.Wait()
}

// shorten cuts a reason to what a close frame can carry.
func shorten(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	n := maxReason
	for n > 0 && !utf8.RuneStart(reason[n]) {
		n--
	}
	return reason[:n]
}

// read reads one message into buf.
func read(ctx context.Context, conn *websocket.Conn, buf *bytes.Buffer) (websocket.MessageType, error) {
	if buf.Cap() > keptMessage {
		*buf = bytes.Buffer{}
	}
	buf.Reset()
	typ, r, err := conn.Reader(ctx)
	if err != nil {
		return typ, err
	}
	_, err = buf.ReadFrom(r)
	return typ, err
}

// shape says how to look into a message, or refuses it.
func (s *socket) shape(typ websocket.MessageType, msg []byte) (weir.Shape, *weir.Denied) {
	if typ == websocket.MessageText || len(msg) == 0 || utf8.Valid(msg) && !looksBinary(msg) {
		return messageShape(msg), nil
	}
	if s.c.allowed(binaryMessages) {
		return weir.Shape{Format: weir.FormatOpaque}, nil
	}
	return weir.Shape{}, &weir.Denied{
		Kind: weir.DeniedContent, Reason: "a binary WebSocket message cannot be looked into",
		Hint: "an administrator can let them through for the resource: allow_opaque: [" + binaryMessages + "]",
	}
}

// up moves the client's messages to the target.
func (s *socket) up(ctx context.Context) {
	var buf bytes.Buffer
	for {
		typ, err := read(ctx, s.client, &buf)
		if err != nil {
			s.ended(err, s.target, true)
			return
		}
		msg := buf.Bytes()
		shape, d := s.shape(typ, msg)
		if d != nil {
			s.refuse(d, websocket.StatusUnsupportedData)
			return
		}
		if holdsPlaceholder(msg) {
			s.refuse(heldPlaceholder(), websocket.StatusPolicyViolation)
			return
		}
		if err := s.c.x.ClientMessage(msg, shape); err != nil {
			s.refuse(denied(err), websocket.StatusPolicyViolation)
			return
		}
		if err := s.c.exit.message(ctx, s.target, typ, msg); err != nil {
			s.ended(err, s.client, false)
			return
		}
	}
}

// down moves the target's messages, masked, to the client.
func (s *socket) down(ctx context.Context) {
	var buf bytes.Buffer
	var out []byte
	for {
		typ, err := read(ctx, s.target, &buf)
		if err != nil {
			s.ended(err, s.client, false)
			return
		}
		msg := buf.Bytes()
		shape, d := s.shape(typ, msg)
		if d != nil {
			s.refuse(d, websocket.StatusUnsupportedData)
			return
		}
		if cap(out) > keptMessage {
			out = nil
		}
		if out, err = s.c.x.TargetMessage(out[:0], msg, shape); err != nil {
			s.refuse(denied(err), websocket.StatusPolicyViolation)
			return
		}
		if err := s.c.exit.message(ctx, s.client, typ, out); err != nil {
			s.ended(err, s.target, true)
			return
		}
	}
}

// ended passes the end of one connection on to the other. fromClient says whose end it was. What the target gives
// as its reason is masked and recorded as its messages are.
func (s *socket) ended(err error, other *websocket.Conn, fromClient bool) {
	var ce websocket.CloseError
	code, reason := websocket.StatusGoingAway, ""
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		code, reason = websocket.StatusMessageTooBig, "a message is larger than the gateway lets through"
		s.fail(&weir.Denied{Kind: weir.DeniedRequest, Reason: reason})
	case errors.As(err, &ce):
		code, reason = ce.Code, ce.Reason
	case fromClient:
		s.fail(&weir.Denied{Kind: weir.DeniedSession, Reason: "the client went away", Err: err})
	default:
		code = websocket.StatusInternalError
		s.fail(&weir.Denied{Kind: weir.DeniedTarget, Reason: "the target broke off", Err: err})
	}
	if reason != "" && ce.Reason != "" {
		reason = s.reason(ce.Reason, fromClient)
	}
	_ = other.Close(code, shorten(reason))
}

// reason records the words of a close frame and returns what may be passed on of them.
func (s *socket) reason(words string, fromClient bool) string {
	shape := weir.Shape{Format: weir.FormatText}
	if fromClient {
		if s.c.x.ClientMessage([]byte(words), shape) != nil || placeholderIn(words) {
			return ""
		}
		return words
	}
	masked, err := s.c.x.TargetMessage(nil, []byte(words), shape)
	if err != nil {
		return ""
	}
	return string(masked)
}
