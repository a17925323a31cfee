package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"weir"
	"weir/gate/session"
)

// hear reads messages until there is a StartupMessage, and answers those in front of it. nil without an error: a cancel request.
func (c *call) hear(ctx context.Context) (*startup, error) {
	askedGSS := false
	for {
		var first [1]byte
		if _, err := io.ReadFull(c.conn, first[:]); err != nil {
			return nil, gone(err)
		}
		if first[0] == firstOfTLS && c.tls == nil {
			if err := c.secure(ctx, &led{Conn: c.conn, head: first[:]}, true); err != nil {
				return nil, err
			}
			continue
		}
		code, body, err := readStartup(c.conn, first[:])
		if err != nil {
			return nil, fmt.Errorf("read startup: %w", err)
		}
		switch {
		case code == codeTLS && c.tls == nil && len(body) == 0:
			if err := c.upgrade(ctx); err != nil {
				return nil, err
			}
		case code == codeGSS && c.tls == nil && !askedGSS && len(body) == 0:
			askedGSS = true
			if _, err := c.conn.Write([]byte{'N'}); err != nil {
				return nil, err
			}
		case code == codeCancel:
			r, err := parseCancel(body)
			if err == nil {
				c.h.cancels.run(ctx, r)
			}
			return nil, err
		default:
			s, err := parseStartup(code, body)
			if errors.Is(err, errOldMark) {
				return nil, c.end(&fatal{code: "0A000", message: "protocol version 2 is not spoken here", hint: "use a driver that speaks version 3"}, err)
			}
			return s, err
		}
	}
}

// upgrade answers an SSLRequest. Nothing beyond the request has been read, so whatever was sent in clear behind it goes into the
// handshake, where it fails, and is never taken for what came over TLS.
func (c *call) upgrade(ctx context.Context) error {
	if c.h.opt.StartTLS == nil {
		_, err := c.conn.Write([]byte{'N'})
		return err
	}
	if _, err := c.conn.Write([]byte{'S'}); err != nil {
		return err
	}
	return c.secure(ctx, c.conn, false)
}

// secure does the handshake. Direct TLS must name the protocol, so that no other protocol's client can be tricked into speaking to us.
func (c *call) secure(ctx context.Context, conn Conn, direct bool) error {
	if c.h.opt.StartTLS == nil {
		return errGarbage
	}
	over, info, err := c.h.opt.StartTLS(ctx, conn)
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	c.conn, c.tls = over, &info
	if info.Protocol != alpn && (direct || info.Protocol != "") {
		return errors.New("tls: the client asks for another protocol")
	}
	return nil
}

// early says what is wrong with a client before it is asked who it is.
func (c *call) early(r *startup) *fatal {
	clearText := c.h.opt.AllowClear && c.client.Addr.Addr().Unmap().IsLoopback()
	switch {
	case c.tls == nil && !clearText:
		return &fatal{
			code: "28000", message: "this gateway takes encrypted connections only",
			hint: "connect with sslmode=verify-full and the gateway's CA as sslrootcert (sslmode=require without it)",
		}
	case r.replicates():
		return &fatal{code: "0A000", message: "replication connections are not let through", hint: "connect without the replication parameter"}
	}
	return nil
}

// enter connects the target for a client that was let in. What it returns runs the session.
func (c *call) enter(ctx context.Context, s *session.Session, r *startup) (func(over func(error)), error) {
	done := false
	defer func() {
		if !done {
			s.End("the connection was closed")
		}
	}()
	info := s.Info()
	t, ok := c.h.targets(info.Resource.Name)
	if !ok {
		return nil, c.refuse(ctx, s, &weir.Denied{Kind: weir.DeniedTarget, Reason: "the target cannot be reached", Err: errors.New("no such target")})
	}
	database, ok := t.database(r.named, r.user, info.Resource.Name)
	if !ok {
		return nil, c.end(&fatal{
			code: "3D000", message: "this resource has no database of that name",
			hint: "leave the database out, or name the resource itself",
		}, c.refused(ctx, s, &weir.Denied{Kind: weir.DeniedRequest, Reason: "the resource has no database of that name"}))
	}
	readOnly := t.ReadOnly || c.h.opt.ReadOnly(info)
	settings, d := r.settings(readOnly)
	if d != nil {
		return nil, c.refuse(ctx, s, d)
	}
	up, err := c.connect(ctx, s, t, database, settings)
	if err != nil {
		d := c.refused(ctx, s, &weir.Denied{
			Kind: weir.DeniedTarget, Reason: "the target cannot be reached",
			Hint: "try again in a moment, or tell the administrator the request id", Err: err,
		})
		if f := why(err, len(r.params) > 0); f != nil {
			f.detail = "request " + string(d.Request)
			return nil, c.end(f, d)
		}
		return nil, c.deny(d)
	}
	at := place{database: database, keySize: keySize30}
	if r.minor >= 2 {
		at.keySize = keySize32
	}
	run, err := c.begin(ctx, s, t, up, &CodecOptions{Settings: settings, ReadOnly: readOnly}, at)
	if err != nil {
		return nil, c.refuse(ctx, s, &weir.Denied{Kind: weir.DeniedByFault, Reason: "the session could not be started", Err: err})
	}
	done = true
	return run, nil
}

// why is what a client may know of why the target did not let the gateway in, in the gateway's own words: what it can do something about, and what passes.
// nil: nothing. set: the client has set something.
func why(err error, set bool) *fatal {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code {
	case "22023", "42704", "55P02": // invalid_parameter_value, undefined_object, cant_change_runtime_param
		if set {
			return &fatal{code: e.Code, message: "the target does not take one of the connection parameters", hint: "look at the connection string, PGOPTIONS and the driver's settings"}
		}
	case "53300": // too_many_connections
		return &fatal{code: e.Code, message: "the target takes no more connections", hint: "try again in a moment"}
	case "57P03": // cannot_connect_now
		return &fatal{code: e.Code, message: "the target is starting up or shutting down", hint: "try again in a moment"}
	}
	return nil
}

// connect logs in to the target, for no longer than the session lives. What was logged in to must speak an encoding that can be read.
func (c *call) connect(ctx context.Context, s *session.Session, t *Target, database string, settings map[string]string) (*Upstream, error) {
	cctx, cancel := context.WithTimeout(ctx, c.h.opt.ConnectTimeout)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-s.Done():
			cancel()
		case <-cctx.Done():
		}
	}()
	defer func() { cancel(); <-ended }()
	up, err := t.Connect(cctx, database, settings)
	if err != nil {
		return nil, err
	}
	for _, name := range [...]string{"client_encoding", "standard_conforming_strings"} {
		v := up.Parameters[name]
		_, readable := safeEncoding(v)
		if v != "" && (name == "client_encoding" && !readable || name == "standard_conforming_strings" && v != "on") {
			return nil, errors.Join(fmt.Errorf("the target insists on %s=%q", name, v), up.Conn.Close())
		}
	}
	return up, nil
}

// begin makes all that a session has beside its connections. up is closed with it, or when it fails, and is of no use afterwards.
func (c *call) begin(ctx context.Context, s *session.Session, t *Target, up *Upstream, o *CodecOptions, at place) (func(over func(error)), error) {
	info := s.Info()
	var leave []func()
	left := func() {
		for _, f := range leave {
			f()
		}
	}
	begun := false
	defer func() {
		if !begun {
			left()
			_ = up.Conn.Close()
		}
	}()
	if up.HasKey {
		var err error
		if o.PID, o.Key, err = c.h.cancels.add(at.keySize, func(ctx context.Context) {
			if s.Withdraw() { // it has not reached the target
				return
			}
			if err := up.Cancel(ctx); err != nil {
				c.h.opt.OnFault("cancel", err)
			}
		}); err != nil {
			return nil, err
		}
		pid := o.PID // not all of o, for as long as the session lasts
		leave = append(leave, func() { c.h.cancels.remove(pid) })
	}
	cat, release := c.h.catalogs.acquire(ctx, t, info.Resource.Name, at.database)
	leave = append(leave, release)
	o.Snapshot, o.Changed, o.Parameters = cat.snapshot, cat.changed, up.Parameters
	o.Columns = func(relation, column string) (bool, bool) {
		return c.h.opt.Columns(info.Resource.Name, relation, column)
	}
	o.Secret = func(relation, column string) bool { return c.h.opt.Secret(info.Resource.Name, relation, column) }
	o.SecretSetting = c.h.opt.SecretSetting
	o.Notifies = func() { c.h.notifiers.add(up.PID, c.h.opt.Now()) }
	o.Notified = func(pid uint32) bool { return c.h.notifiers.has(pid, c.h.opt.Now()) }
	o.HeldNotice = func(id weir.RequestID) (string, string, string) { return c.h.opt.HeldNotice(info, id) }
	o.MaxStatement, o.AllowFunctionCall = c.h.opt.MaxStatement, t.AllowFunctionCall
	o.Greeted = true
	codec := c.h.opt.Codec(*o)
	if err := errors.Join(c.conn.SetReadDeadline(time.Time{}), c.conn.SetWriteDeadline(time.Time{})); err != nil {
		return nil, err
	}
	c.target, c.greeting, c.tls = up.Conn, greeting(up, o.PID, o.Key), nil
	up.Conn, up.Parameters = nil, nil // what is needed of it is its number and its Cancel
	begun = true
	return func(over func(error)) {
		s.Carry(ctx, codec, func(err error) {
			defer over(err)
			s.End("the connection was closed")
			left()
			if c.target != nil { // it was not even asked for
				_ = c.target.Close()
			}
		})
	}, nil
}

// place is what a client reached.
type place struct {
	database string
	keySize  int // of the cancel key that its protocol version has room for
}

// refuse tells the client and keeps a record of the refusal.
func (c *call) refuse(ctx context.Context, s *session.Session, d *weir.Denied) error {
	return c.deny(c.refused(ctx, s, d))
}

// refused keeps a record of the refusal.
func (c *call) refused(ctx context.Context, s *session.Session, d *weir.Denied) *weir.Denied {
	cause := d.Err
	d = s.Refuse(ctx, nil, d)
	if d.Err == nil {
		d.Err = cause
	}
	return d
}

// deny tells the client that it is refused, in words that do not tell whether what it wants is there.
func (c *call) deny(err error) error {
	var d *weir.Denied
	if !errors.As(err, &d) {
		d = &weir.Denied{Kind: weir.DeniedByFault, Reason: "refused"}
	}
	f := &fatal{code: "58000", message: d.Reason, hint: d.Hint}
	switch d.Kind {
	case weir.DeniedIdentity:
		f.code, f.message = "28P01", "password authentication failed: "+d.Reason
	case weir.DeniedRate:
		f.code, f.message = "28000", "password authentication failed: "+d.Reason
	case weir.DeniedByRule, weir.DeniedUnapproved, weir.DeniedContent:
		f.code = "42501"
	case weir.DeniedSession:
		f.code = "57P01"
	case weir.DeniedTarget:
		f.code = "08006"
	case weir.DeniedRequest:
		f.code = "22023"
	case weir.DeniedByFault:
	}
	if d.Request != "" {
		f.detail = "request " + string(d.Request)
	}
	return c.end(f, err)
}

// end says why the connection ends, and returns the cause. A client that does not listen is not waited for.
func (c *call) end(f *fatal, cause error) error {
	_ = c.conn.SetWriteDeadline(c.h.opt.Now().Add(time.Second))
	_, _ = c.conn.Write(f.append(nil))
	return cause
}
