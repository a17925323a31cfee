package session

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir"
)

var (
	// errEnded is the cause that ends the context of an exchange whose session is over.
	errEnded = errors.New("session ended")
	errPanic = errors.New("panic")
	errFrame = errors.New("request cannot be read")
	errGone  = errors.New("the client has gone away")
	errLeft  = errors.New("the target has gone away")
)

// Session is one client's stay at one resource. Only Gate.Authorize makes a usable one; the zero
// value denies. Safe for concurrent use.
type Session struct {
	gate  *Gate
	in    *Incoming
	info  weir.SessionInfo
	agent string // masked
	mask  Mask
	done  chan struct{}

	exchanges atomic.Uint64

	mu      sync.Mutex
	timer   *time.Timer
	ended   bool
	reason  string
	running map[*Exchange]context.CancelCauseFunc
	ends    []*ending               // contexts that end with the session
	busy    int                     // exchanges of the pump that run
	idle    chan struct{}           // closed when nothing runs; set by drain
	waits   context.CancelCauseFunc // ends the pump's waitsthat waits
}

// Info describes the session. The caller must not change it.
func (s *Session) Info() *weir.SessionInfo { return &s.info }

// Done is closed when the session is over: ended, killed, revoked or expired.
func (s *Session) Done() <-chan struct{} { return s.done }

// End ends the session: running exchanges are cancelled, new ones refused. Only the first call counts.
func (s *Session) End(reason string) {
	if s == nil || s.gate == nil {
		return
	}
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended, s.reason = true, reason
	if s.timer != nil {
		s.timer.Stop()
	}
	for _, cancel := range s.running {
		cancel(errEnded)
	}
	for _, e := range s.ends {
		e.cancel(errEnded)
	}
	s.ends = nil
	close(s.done)
	s.mu.Unlock()

	g := s.gate
	g.mu.Lock()
	delete(g.live, s.info.ID)
	g.mu.Unlock()
	// The end belongs to no request, so no request's context may cut its record short.
	ctx := context.WithoutCancel(context.Background()) //nolint:forbidigo // see above
	attrs := []weir.Attr{
		{Name: "reason", Value: reason},
		{Name: "commands", Value: strconv.FormatUint(s.exchanges.Load(), 10)},
	}
	_ = s.record(ctx, &weir.Record{Kind: weir.RecordSessionEnd, Attrs: attrs})
	_ = s.audit(ctx, &weir.Event{Action: "session.end", Outcome: "ok", Detail: attrs})
}

// drain waits until no exchange runs or ctx ends.
func (s *Session) drain(ctx context.Context) {
	s.mu.Lock()
	if len(s.running)+s.busy == 0 {
		s.mu.Unlock()
		return
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	case <-s.done:
	}
}

// over returns the refusal of a session that has ended, or nil.
func (s *Session) over() *weir.Denied { return s.overAt(s.gate.opt.Now()) }

// overAt is over for who has just looked at the clock.
func (s *Session) overAt(now time.Time) *weir.Denied {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return &weir.Denied{Kind: weir.DeniedSession, Reason: "the session has ended: " + s.reason, Hint: "get access again"}
	}
	if !now.Before(s.info.Expires) {
		return &weir.Denied{Kind: weir.DeniedSession, Reason: "the session has ended: access expired", Hint: "get access again"}
	}
	return nil
}

// Ask asks for permission for one command: it is decided, held if the verdict says so and decided again,
// and recorded. Only then there is an Exchange. The error is a *weir.Denied, recorded and audited already.
// The caller must End the Exchange. ctx is the request's; the client going away ends a hold.
func (s *Session) Ask(ctx context.Context, cmd *weir.Command) (*Exchange, error) {
	if s == nil || s.gate == nil || s.mask == nil {
		return nil, unborn()
	}
	n := s.exchanges.Add(1)
	text, err := s.maskCommand(cmd)
	if err != nil {
		return nil, s.refuse(ctx, n, "[unmaskable]", weir.Verdict{}, err)
	}
	if d := s.over(); d != nil {
		return nil, s.refuse(ctx, n, text, weir.Verdict{}, d)
	}
	v, grant, err := s.permit(ctx, cmd, text)
	if err != nil {
		return nil, s.refuse(ctx, n, text, v, err)
	}
	x := &Exchange{s: s, n: n, start: s.gate.opt.Now()}
	xctx, cancel := context.WithCancelCause(ctx)
	x.ctx, x.cancel = xctx, cancel
	if !s.track(x, cancel) {
		cancel(errEnded)
		return nil, s.refuse(ctx, n, text, v, s.over())
	}
	if err := s.recordCommand(ctx, n, cmd, text, &v, &grant); err != nil {
		s.untrack(x)
		cancel(err)
		return nil, s.refuse(ctx, n, text, v, err)
	}
	return x, nil
}

// recordCommand puts an allowed command into the recording.
func (s *Session) recordCommand(ctx context.Context, n uint64, cmd *weir.Command, text string, v *weir.Verdict, grant *weir.Grant) error {
	attrs := appendVerdict(make([]weir.Attr, 0, 8), cmd, v, grant)
	if cmd.SSH != nil && cmd.SSH.Terminal != nil {
		t := cmd.SSH.Terminal
		kind, err := s.maskText("term", t.Type)
		if err != nil {
			return err
		}
		attrs = append(attrs, weir.Attr{Name: "columns", Value: strconv.FormatUint(uint64(t.Columns), 10)},
			weir.Attr{Name: "rows", Value: strconv.FormatUint(uint64(t.Rows), 10)}, weir.Attr{Name: "term", Value: kind})
	}
	return s.record(ctx, &weir.Record{Exchange: n, Kind: weir.RecordCommand, Text: text, Attrs: attrs})
}

// permit decides, holds and decides again. A nil error means that the command may pass.
func (s *Session) permit(ctx context.Context, cmd *weir.Command, text string) (weir.Verdict, weir.Grant, error) {
	v, err := s.decide(ctx, cmd)
	if err != nil {
		return v, weir.Grant{}, err
	}
	switch v.Effect {
	case weir.Allow:
		return v, weir.Grant{}, nil
	case weir.Approve:
	case weir.Deny:
		return v, weir.Grant{}, ruleDenied(&v)
	default:
		return v, weir.Grant{}, ruleDenied(&v)
	}
	return s.approve(ctx, cmd, text, v)
}

// approve holds, and decides again. A nil error means that the command may pass.
func (s *Session) approve(ctx context.Context, cmd *weir.Command, text string, v weir.Verdict) (weir.Verdict, weir.Grant, error) {
	grant, err := s.hold(ctx, cmd, text, &v)
	if err != nil && errors.Is(context.Cause(ctx), ErrWithdrawn) {
		err = &weir.Denied{Kind: weir.DeniedUnapproved, Rule: v.Rule, Reason: "the request was withdrawn while it waited for approval", Err: ErrWithdrawn}
	}
	if err != nil {
		return v, grant, err
	}
	again, err := s.decide(ctx, cmd)
	switch {
	case err != nil:
		return v, grant, err
	case again.Effect == weir.Allow:
		return again, grant, nil
	case again.Effect == weir.Approve && again.Policy == grant.Policy && grant.Policy == v.Policy && grant.Request != "":
		return again, grant, nil
	case again.Effect == weir.Approve:
		return again, grant, &weir.Denied{
			Kind: weir.DeniedUnapproved, Rule: again.Rule, Request: grant.Request,
			Reason: "the rules changed after this was approved", Hint: "send the same request again to ask for a new approval",
		}
	}
	return again, grant, ruleDenied(&again)
}

func (s *Session) decide(ctx context.Context, cmd *weir.Command) (weir.Verdict, error) {
	v, err := guard(s.gate, "decider", func() (weir.Verdict, error) {
		return s.gate.controls.Decider.Decide(ctx, &s.info.Identity, &s.info.Resource, cmd)
	})
	if err != nil {
		return weir.Verdict{}, err
	}
	return v, nil
}

// hold waits for an approval of exactly this command.
func (s *Session) hold(ctx context.Context, cmd *weir.Command, text string, v *weir.Verdict) (weir.Grant, error) {
	var params []byte
	if cmd.Parameters != nil {
		var err error
		if params, err = guard(s.gate, "parameters", cmd.Parameters); err != nil {
			return weir.Grant{}, err
		}
	}
	var auditErr error
	h := &weir.Hold{
		Session: s.info.ID, Identity: s.info.Identity, Resource: s.info.Resource.Name, Command: text,
		Digest: s.digest(cmd, params), Verdict: *v,
		Opened: func(id weir.RequestID) {
			auditErr = s.audit(ctx, &weir.Event{Action: "command.hold", Request: id, Outcome: "ok", Detail: []weir.Attr{
				{Name: "command", Value: text}, {Name: "rule", Value: v.Rule},
			}})
			if cmd.Held != nil {
				cmd.Held(id)
			}
		},
	}
	wctx, stop := s.until(ctx)
	defer stop()
	grant, err := guard(s.gate, "holder", func() (weir.Grant, error) { return s.gate.controls.Holder.Hold(wctx, h) })
	if err != nil {
		return weir.Grant{}, err
	}
	if auditErr != nil {
		return grant, auditErr
	}
	if d := s.over(); d != nil {
		return grant, d
	}
	return grant, s.audit(ctx, &weir.Event{Action: "command.approve", Request: grant.Request, Outcome: "ok", Detail: []weir.Attr{
		{Name: "command", Value: text}, {Name: "rule", Value: v.Rule}, {Name: "approvers", Value: strings.Join(grant.Approvers, ",")},
	}})
}

// digest binds an approval. Every part is length-prefixed, so no two commands share one.
func (s *Session) digest(cmd *weir.Command, params []byte) [32]byte {
	h := sha256.New()
	part := func(p string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		_, _ = h.Write(n[:])
		_, _ = h.Write([]byte(p))
	}
	part("weir hold 1")
	part(string(s.info.Identity.User))
	part(s.info.Resource.Name)
	part(string(s.info.Resource.Protocol))
	part(cmd.Operation)
	part(cmd.Text)
	part(string(params))
	return [32]byte(h.Sum(nil))
}

// Refuse records and audits a refusal of the engine's own (malformed, ambiguous, too large) and
// returns it with its request id. cmd may be nil when nothing could be understood.
func (s *Session) Refuse(ctx context.Context, cmd *weir.Command, d *weir.Denied) *weir.Denied {
	if s == nil || s.gate == nil {
		return unborn()
	}
	text := "[unreadable]"
	if cmd != nil {
		if t, err := s.maskCommand(cmd); err == nil {
			text = t
		}
	}
	return s.refuse(ctx, s.exchanges.Add(1), text, weir.Verdict{Rule: d.Rule}, d)
}

// refuse records and audits; the refusal stands whether or not that works.
func (s *Session) refuse(ctx context.Context, n uint64, text string, v weir.Verdict, err error) *weir.Denied {
	if err == nil {
		err = unborn()
	}
	d := s.gate.denied(err)
	if d.Request == "" {
		d.Request = weir.RequestID(s.gate.opt.NewID("ref_"))
	}
	attrs := []weir.Attr{
		{Name: "kind", Value: d.Kind.String()},
		{Name: "rule", Value: d.Rule},
		{Name: "reason", Value: d.Reason},
		{Name: "request", Value: string(d.Request)},
		{Name: "policy", Value: v.Policy},
	}
	// A client that has gone away must not keep its refusal out of the record.
	ctx = context.WithoutCancel(ctx)
	_ = s.record(ctx, &weir.Record{Exchange: n, Kind: weir.RecordRefusal, Text: text, Attrs: attrs})
	_ = s.audit(ctx, &weir.Event{
		Action: "command.deny", Request: d.Request, Outcome: "denied",
		Detail: append(attrs[:3:3], weir.Attr{Name: "command", Value: text}),
	})
	return d
}

// record stamps and stores one entry. The error is a *weir.Denied.
func (s *Session) record(ctx context.Context, r *weir.Record) error {
	return s.recordAt(ctx, r, s.gate.opt.Now())
}

// recordAt is record for who has just looked at the clock.
func (s *Session) recordAt(ctx context.Context, r *weir.Record, now time.Time) error {
	r.Session, r.Time = s.info.ID, now
	_, err := guard(s.gate, "recorder", func() (struct{}, error) { return struct{}{}, s.gate.controls.Recorder.Record(ctx, r) })
	return err
}

func (s *Session) audit(ctx context.Context, e *weir.Event) error {
	e.Time, e.Actor, e.Resource, e.Session = s.gate.opt.Now(), s.info.Identity.Name, s.info.Resource.Name, s.info.ID
	_, err := guard(s.gate, "auditor", func() (struct{}, error) { return struct{}{}, s.gate.controls.Auditor.Audit(ctx, e) })
	return err
}

// maskCommand masks a command's text, and its literals where it asks for that.
func (s *Session) maskCommand(cmd *weir.Command) (string, error) {
	if !cmd.Literals {
		return s.maskText("", cmd.Text)
	}
	text, err := guard(s.gate, "masker", func() (string, error) {
		out, change := s.mask.Columns([]weir.Column{{Statement: true}}).Cell(nil, 0, []byte(cmd.Text), nil)
		switch change {
		case weir.Unchanged:
			return cmd.Text, nil
		case weir.Masked:
			return string(out), nil
		case weir.Null:
		}
		return "", errors.New("a text became nothing")
	})
	if err != nil {
		return "", err
	}
	return s.maskText("", text)
}

// maskText masks one value that is known whole.
func (s *Session) maskText(name, value string) (string, error) {
	if value == "" {
		return "", nil
	}
	out, err := guard(s.gate, "masker", func() ([]byte, error) { return s.mask.Value(nil, name, []byte(value), nil), nil })
	if err != nil {
		return "", err
	}
	if string(out) == value {
		return value, nil
	}
	return string(out), nil
}

func (s *Session) track(x *Exchange, cancel context.CancelCauseFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	if s.running == nil { // framed sessions have none
		s.running = make(map[*Exchange]context.CancelCauseFunc)
	}
	s.running[x] = cancel
	return true
}

func (s *Session) untrack(x *Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, x)
	s.settle()
}

// settle tells who drains that nothing runs. mu is locked.
func (s *Session) settle() {
	if len(s.running)+s.busy == 0 && s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// enter counts an exchange of the pump; false when the session is over.
func (s *Session) enter() bool {
	s.mu.Lock()
	goes := !s.ended
	if goes {
		s.busy++
	}
	s.mu.Unlock()
	return goes
}

// leave counts it out.
func (s *Session) leave() {
	s.mu.Lock()
	s.busy--
	s.settle()
	s.mu.Unlock()
}

// setHold says what ends the hold that waits; nil when none does.
func (s *Session) setHold(cancel context.CancelCauseFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = cancel
}

// Withdraw ends a command of Pump that waits for approval, because its client wants it no more. It reports whether there was one.
func (s *Session) Withdraw() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unhold(ErrWithdrawn)
}

// unhold ends the hold that waits, if there is one. mu is locked.
func (s *Session) unhold(why error) bool {
	if s.waits == nil {
		return false
	}
	s.waits(why)
	return true
}

func ruleDenied(v *weir.Verdict) *weir.Denied {
	d := &weir.Denied{Kind: weir.DeniedByRule, Rule: v.Rule, Reason: v.Reason, Hint: "ask an administrator if you need this"}
	if d.Reason == "" {
		d.Reason = "this is not allowed here"
	}
	return d
}

func appendVerdict(attrs []weir.Attr, cmd *weir.Command, v *weir.Verdict, grant *weir.Grant) []weir.Attr {
	attrs = append(attrs,
		weir.Attr{Name: "operation", Value: cmd.Operation},
		weir.Attr{Name: "verdict", Value: v.Effect.String()},
		weir.Attr{Name: "rule", Value: v.Rule},
		weir.Attr{Name: "policy", Value: v.Policy},
	)
	for _, id := range v.Catalog {
		attrs = append(attrs, weir.Attr{Name: "catalog", Value: id})
	}
	if grant.Request != "" {
		attrs = append(attrs, weir.Attr{Name: "request", Value: string(grant.Request)},
			weir.Attr{Name: "approvers", Value: strings.Join(grant.Approvers, ",")})
	}
	return attrs
}
