package httpgate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"

	"weir"
	"weir/gate/session"
)

// call is one request on its way through. It belongs to the goroutine that serves it.
type call struct {
	h      *Handler
	r      *http.Request
	route  route
	exit   exit
	client weir.Client
	accept acceptable // content codings that the client takes

	key     sessionKey
	kept    *kept
	session *session.Session
	target  *Target
	x       *session.Exchange

	held    []byte // the body of a request that was held
	upload  *upload
	cleanup []func()
	abort   bool  // the answer is broken off where it stands
	err     error // how the exchange ended
}

// serve takes the request through: who, whether, forward, answer.
func (c *call) serve() {
	if c.r.Method == http.MethodConnect || c.r.Method == http.MethodTrace {
		c.methodRefused()
		return
	}
	c.client = weir.Client{Agent: c.r.UserAgent()}
	c.client.Addr, _ = netip.ParseAddrPort(c.r.RemoteAddr)
	c.accept = parseAccept(c.r.Header["Accept-Encoding"])

	bad := c.inspect()
	cred, ok := credentials(c.r, c.route.resource)
	if !ok {
		if bad == nil {
			bad = &weir.Denied{
				Kind: weir.DeniedIdentity, Reason: "this resource needs a credential of the gateway",
				Hint: "send an access key or a token: Authorization: Bearer …, or Basic with login and secret",
			}
		}
		c.refuse(bad)
		return
	}
	if bad == nil && cred.cookie && crossSite(c.r) {
		bad = malformed("another site made the browser send this request", "open the resource itself")
	}
	if d := c.enter(&cred); d != nil {
		c.refuse(d)
		return
	}
	if d := c.pass(&cred, bad); d != nil {
		c.refuse(d)
	}
}

// enter finds or makes the session.
func (c *call) enter(cred *presented) *weir.Denied {
	if c.route.resource == "" {
		return malformed("this is no path of a resource", "use /r/RESOURCE/…")
	}
	c.key = cred.key(c.route.resource, c.client.Addr.Addr())
	k, err := c.h.sessions.acquire(c.r.Context(), c.key, func() (*session.Session, error) {
		ctx := detached(c.r)
		s, err := c.h.gate.Incoming(c.client).Authorize(ctx, cred.hello(c.route.resource, c.client))
		if err == nil && s.Info().Resource.Name != c.route.resource {
			s.End("the credential is for another resource")
			return nil, &weir.Denied{Kind: weir.DeniedIdentity, Reason: "not authorized"}
		}
		return s, err
	})
	if err != nil {
		return denied(err)
	}
	c.kept, c.session = k, k.session
	return nil
}

// pass asks for permission and, if it is given, forwards the request and answers. A refusal that it
// returns is recorded already.
func (c *call) pass(cred *presented, bad *weir.Denied) *weir.Denied {
	ctx := c.r.Context()
	said := &weir.Command{Operation: c.r.Method, Text: c.r.Method + " " + c.route.uri}
	if bad != nil {
		return c.session.Refuse(ctx, said, bad)
	}
	target, ok := c.h.targets(c.route.resource)
	if !ok || target == nil || !target.ready {
		return c.session.Refuse(ctx, said, &weir.Denied{Kind: weir.DeniedTarget, Reason: "the resource has no target", Hint: "tell the administrator"})
	}
	c.target = target
	header, bad := c.outgoing(cred)
	if bad != nil {
		return c.session.Refuse(ctx, said, bad)
	}
	u, bad := targetURL(target, &c.route)
	if bad != nil {
		return c.session.Refuse(ctx, said, bad)
	}
	x, err := c.session.Ask(ctx, c.command(target, header))
	if err != nil {
		return denied(err)
	}
	c.x = x
	req := &http.Request{
		Method: c.r.Method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Host: target.host(),
	}
	var d *weir.Denied
	if webSocketWanted(c.r) {
		d = c.socket(req)
	} else {
		d = c.forward(req)
	}
	if d == nil {
		return nil
	}
	c.err = d
	if c.exit.failed != nil || ctx.Err() != nil {
		c.abort = true
		return nil //nolint:nilerr // nobody is there to be told
	}
	d = c.x.Refuse(d)
	c.err = d
	return d
}

// forward sends the request and answers with what comes back. The refusal it returns is not recorded yet.
func (c *call) forward(req *http.Request) *weir.Denied {
	body, length, d := c.prepareBody(req.Header)
	if d != nil {
		return d
	}
	if body != nil {
		req.Body, req.ContentLength = body, length
	}
	if whole, ok := body.(*wholeBody); ok {
		req.GetBody = func() (io.ReadCloser, error) { return newWholeBody(whole.b), nil }
	}
	c.forwarded(req.Header)
	c.target.Credential.inject(req.URL, req.Header)
	var resp *http.Response
	err := c.x.Forward(func(ctx context.Context) (err error) {
		resp, err = roundTrip(ctx, c.target, req) //nolint:bodyclose // closed below
		return err
	})
	if err != nil {
		return c.unanswered(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return c.answer(resp)
}

// unanswered says why there is no answer. It never says where the target is.
func (c *call) unanswered(err error) *weir.Denied {
	if d := c.upload.refused(); d != nil && c.r.Context().Err() == nil {
		return d
	}
	var d *weir.Denied
	switch {
	case errors.As(err, &d):
		return d
	case c.r.Context().Err() != nil:
		return &weir.Denied{Kind: weir.DeniedSession, Reason: "the client went away", Err: err}
	case c.x.Context().Err() != nil:
		return &weir.Denied{Kind: weir.DeniedSession, Reason: "the session has ended", Hint: "get access again", Err: err}
	case timedOut(err):
		return &weir.Denied{Kind: weir.DeniedTarget, Reason: "the target did not answer in time", Hint: "try again in a moment", Err: err}
	}
	return &weir.Denied{Kind: weir.DeniedTarget, Reason: "the target cannot be reached or broke off", Hint: "try again in a moment", Err: err}
}

// requestID names the exchange to the client, as the recording counts it.
func (c *call) requestID() string {
	return string(c.session.Info().ID) + "." + strconv.FormatUint(c.x.Number(), 10)
}

// denied returns the refusal in err; any other error is a fault.
func denied(err error) *weir.Denied {
	var d *weir.Denied
	if errors.As(err, &d) {
		return d
	}
	return &weir.Denied{Kind: weir.DeniedByFault, Reason: "refused: the gateway could not check or record it", Err: err}
}

// finish closes the books, whatever happened. panicked is what recover returned.
func (c *call) finish(panicked any) {
	if panicked != nil {
		c.fault(panicked)
	}
	c.exit.discard()
	c.upload.stop(&c.exit)
	for _, f := range c.cleanup {
		f()
	}
	if c.x != nil {
		c.x.End(c.err)
	}
	if c.kept != nil {
		c.h.sessions.release(c.kept)
	}
	if c.abort {
		panic(http.ErrAbortHandler) // the server cuts the connection, so that the client notices
	}
}

// fault turns a panic into a refusal, or into a broken connection when the answer has begun.
func (c *call) fault(panicked any) {
	err := fmt.Errorf("panic of type %T", panicked) // its text may hold traffic
	c.h.opt.OnFault("http engine", err)
	d := &weir.Denied{Kind: weir.DeniedByFault, Reason: "refused: the gateway failed", Hint: "tell the administrator", Err: err}
	switch {
	case c.x != nil:
		d = c.x.Refuse(d)
	case c.session != nil:
		d = c.session.Refuse(c.r.Context(), nil, d)
	}
	c.err = d
	if c.exit.committed {
		c.abort = true
		return
	}
	c.closeAfter()
	c.refuse(d)
}
