// Package postgres is the PostgreSQL engine: it lets clients in by their own protocol, logs in to the target with the credential that the
// gateway holds, and hands both connections to session.Pump with a codec that knows the messages.
//
// It must never decide, mask or record by itself, show a client what the target said before the session began, or pass on a startup
// parameter that it has not looked at. It opens no connections: what it needs is handed in. A Handler is safe for concurrent use.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"weir"
	"weir/gate/session"
)

// alpn is the name of the protocol in TLS (PostgreSQL documentation, section 55.2.11).
const alpn = "postgresql"

// Handler serves all PostgreSQL resources.
type Handler struct {
	gate     *session.Gate
	targets  func(resource string) (*Target, bool)
	opt      Options
	cancels  *cancels
	catalogs *catalogs
	// The targets' processes whose notifications may hold what secret columns do.
	notifiers notifiers
	logins    chan struct{}
}

// New makes a Handler. targets finds a resource's target and must be fast.
func New(gate *session.Gate, targets func(resource string) (*Target, bool), opt Options) (*Handler, error) {
	if gate == nil || targets == nil {
		return nil, errors.New("postgres engine without a gate or targets")
	}
	if err := opt.check(); err != nil {
		return nil, err
	}
	h := &Handler{gate: gate, targets: targets, opt: opt, cancels: newCancels(opt.Random, opt.Now), logins: make(chan struct{}, opt.MaxLogins)}
	h.catalogs = newCatalogs(&h.opt)
	return h, nil
}

// Serve carries one client's connection to its end and closes it. The error is for the log: nil when the connection ended in good
// order, with a *weir.Denied in it when somebody was refused. It returns soon after ctx ends.
func (h *Handler) Serve(ctx context.Context, conn Conn, client weir.Client) error {
	over := make(chan error, 1)
	h.Carry(ctx, conn, client, func(err error) { over <- err })
	return <-over
}

// Carry is Serve for who does not wait: it returns when the client is in or will not be. done is told, once and maybe within Carry, what Serve would
// return. No goroutine belongs to a connection on which nothing happens, where that can be.
func (h *Handler) Carry(ctx context.Context, conn Conn, client weir.Client, done func(error)) {
	c := &call{h: h, conn: conn, client: client}
	over := func(err error) {
		_ = c.conn.Close()
		done(err)
	}
	if run := c.opened(ctx, over); run != nil {
		run(over)
	}
}

// opened is open for who is told by over that there is nothing to run.
func (c *call) opened(ctx context.Context, over func(error)) (run func(over func(error))) {
	var err error
	defer func() {
		if r := recover(); r != nil {
			run, err = nil, fmt.Errorf("panic of type %T", r)
			c.h.opt.OnFault("postgres", err)
		}
		if run == nil {
			over(err)
		}
	}()
	run, err = c.open(ctx)
	return run
}

// call is one client's connection until its session runs.
type call struct {
	h      *Handler
	conn   Conn
	client weir.Client
	tls    *TLSInfo
	// Set by enter.
	target   Conn
	greeting []byte // what the target says first
}

// open lets the client in and connects its target. run is nil when there is nothing to run: a cancel request, a client that went away.
func (c *call) open(ctx context.Context) (run func(over func(error)), err error) {
	s, r, err := c.login(ctx)
	if err != nil || s == nil {
		return nil, err
	}
	return c.enter(ctx, s, r)
}

// login runs all that happens before a client is known, in bounded time and for a bounded number of clients.
func (c *call) login(ctx context.Context) (*session.Session, *startup, error) {
	select {
	case c.h.logins <- struct{}{}:
		defer func() { <-c.h.logins }()
	default:
		return nil, nil, c.end(&fatal{code: "53300", message: "too many clients are on their way in", hint: "try again in a moment"}, errors.New("too many logins"))
	}
	lctx, cancel := context.WithTimeout(ctx, c.h.opt.LoginTimeout)
	defer cancel()
	// TLS may be put on top of the connection; deadlines of the one beneath hold for both.
	stop := c.deadline(lctx)
	s, r, err := c.admit(lctx)
	if inTime := stop(); !inTime && s != nil {
		s.End("the connection was closed")
		return nil, nil, lctx.Err()
	}
	return s, r, err
}

// deadline makes reads and writes fail when ctx ends. stop reports whether it has not.
func (c *call) deadline(ctx context.Context) (stop func() bool) {
	conn := c.conn
	if at, ok := ctx.Deadline(); ok {
		_, _ = conn.SetReadDeadline(at), conn.SetWriteDeadline(at)
	}
	past := time.Unix(1, 0)
	return context.AfterFunc(ctx, func() { _, _ = conn.SetReadDeadline(past), conn.SetWriteDeadline(past) })
}

// admit runs the startup phase and the login. No session and no error: a cancel request, or a client that went away.
func (c *call) admit(ctx context.Context) (*session.Session, *startup, error) {
	r, err := c.hear(ctx)
	if err != nil || r == nil {
		return nil, nil, err
	}
	if d := c.early(r); d != nil {
		return nil, nil, c.end(d, errors.New(d.message))
	}
	if b := r.negotiate(); b != nil {
		if _, err := c.conn.Write(b); err != nil {
			return nil, nil, err
		}
	}
	l := &login{conn: c.conn, start: r, tls: c.tls, client: c.client}
	hello, err := l.hello(func(name string) bool { _, ok := c.h.targets(name); return ok })
	if err != nil {
		return nil, nil, gone(err)
	}
	s, err := c.h.gate.IncomingConn(c.client, c.conn, c.dial).Authorize(ctx, hello)
	if err != nil {
		return nil, nil, c.deny(err)
	}
	return s, r, nil
}

// dial gives the session the target that enter has connected.
func (c *call) dial(context.Context, string) (session.Conn, []byte, error) {
	if c.target == nil {
		return nil, nil, errors.New("no target yet")
	}
	target, greeting := c.target, c.greeting
	c.target, c.greeting = nil, nil
	return target, greeting, nil
}

// gone makes nothing of the error of a client that went away.
func gone(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
