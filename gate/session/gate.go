package session

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"weir"
	"weir/gate/wire"
)

// Controls are what no session can exist without.
type Controls struct {
	Admitter Admitter
	Decider  Decider
	Holder   Holder
	Masker   Masker
	Recorder Recorder
	Auditor  Auditor
}

// Options are the rest of what a Gate needs.
type Options struct {
	// Now is the clock. Required.
	Now func() time.Time
	// NewID returns a fresh random id with the prefix ("ses_", "ref_"). Required.
	NewID func(prefix string) string
	// OnFault is told of a control that failed or panicked. It gets no traffic. Required.
	OnFault func(control string, err error)
	// MaxFrame is the largest request or answer frame that Pump buffers, in bytes. Zero is 1 MiB.
	MaxFrame int
}

// Gate makes sessions and knows those that live. Safe for concurrent use.
type Gate struct {
	controls Controls
	standing StandingDecider // the Decider, if it is one; else nil
	opt      Options
	buffers  wire.Pool
	loops    wire.Loops // drive the pumps whose both sides are sockets, while they go back and forth with little to do

	mu     sync.Mutex
	live   map[weir.SessionID]*Session
	epoch  uint64 // counts revocations, so that one between Admit and registration is not missed
	closed bool
	idle   sync.Cond // signalled when a session leaves live
}

// New makes a Gate. It fails if a control or a required option is missing.
func New(c Controls, opt Options) (*Gate, error) {
	var errs []error
	for _, f := range []struct {
		name  string
		value any
	}{
		{"Admitter", c.Admitter},
		{"Decider", c.Decider},
		{"Holder", c.Holder},
		{"Masker", c.Masker},
		{"Recorder", c.Recorder},
		{"Auditor", c.Auditor},
		{"Now", opt.Now},
		{"NewID", opt.NewID},
		{"OnFault", opt.OnFault},
	} {
		if missing(f.value) {
			errs = append(errs, fmt.Errorf("session gate without %s", f.name))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if opt.MaxFrame <= 0 {
		opt.MaxFrame = 1 << 20
	}
	g := &Gate{controls: c, opt: opt, live: make(map[weir.SessionID]*Session)}
	g.idle.L = &g.mu
	g.loops.Now = opt.Now
	g.standing, _ = c.Decider.(StandingDecider)
	return g, nil
}

// missing reports nil, also a nil pointer or func inside an interface.
func missing(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Chan, reflect.Interface, reflect.Slice:
		return r.IsNil()
	default:
		return false
	}
}

// Incoming is a connection or request that nobody has been let in by yet.
type Incoming struct {
	gate   *Gate
	client weir.Client
	conn   Conn
	dial   func(ctx context.Context, resource string) (Conn, []byte, error)
}

// Incoming begins a session of a message engine, which moves its own bytes by Ask.
func (g *Gate) Incoming(c weir.Client) *Incoming { return &Incoming{gate: g, client: c} }

// IncomingConn begins a session of a framed engine: conn is the client's side, dial opens the target's
// once the client was let in, and returns what the target said first, which is masked like all that follows. Pump owns both and closes them.
func (g *Gate) IncomingConn(c weir.Client, conn Conn, dial func(ctx context.Context, resource string) (Conn, []byte, error)) *Incoming {
	return &Incoming{gate: g, client: c, conn: conn, dial: dial}
}

// Authorize is the only way to a Session. The error is a *weir.Denied. Who is not let in leaves an
// audit event; who is let in leaves one with the resource's exceptions, and opens a recording.
func (in *Incoming) Authorize(ctx context.Context, h *Hello) (*Session, error) {
	if in == nil || in.gate == nil {
		return nil, unborn()
	}
	g, h := in.gate, h.provedOnce()
	adm, epoch, err := g.admit(ctx, h)
	if err != nil {
		return nil, g.turnAway(ctx, in, h, err)
	}
	s, err := g.open(ctx, in, h, adm)
	if err != nil {
		return nil, g.turnAway(ctx, in, h, err)
	}
	// A revocation that came between the admission and the registration has not seen this
	// session, so the question is asked again until no revocation came in between.
	for {
		g.mu.Lock()
		same := g.epoch == epoch
		g.mu.Unlock()
		if same {
			return s, nil
		}
		if _, epoch, err = g.admit(ctx, h); err != nil {
			s.End("access was revoked")
			return nil, g.turnAway(ctx, in, h, err)
		}
	}
}

func (g *Gate) admit(ctx context.Context, h *Hello) (*Admission, uint64, error) {
	g.mu.Lock()
	epoch := g.epoch
	g.mu.Unlock()
	adm, err := guard(g, "admitter", func() (*Admission, error) { return g.controls.Admitter.Admit(ctx, h) })
	if err != nil {
		return nil, 0, err
	}
	if adm == nil || adm.Identity.User == "" || adm.Identity.Kind == weir.KindUnknown || adm.Resource.Name == "" {
		return nil, 0, g.fault("admitter", errors.New("admission without identity or resource"))
	}
	if adm.Resource.Protocol != h.Protocol || !adm.Expires.After(g.opt.Now()) {
		return nil, 0, &weir.Denied{Kind: weir.DeniedIdentity, Reason: "not authorized"}
	}
	return adm, epoch, nil
}

// open makes, registers, records and audits a session.
func (g *Gate) open(ctx context.Context, in *Incoming, h *Hello, adm *Admission) (*Session, error) {
	s := &Session{gate: g, in: in, done: make(chan struct{})}
	s.info = weir.SessionInfo{
		ID: weir.SessionID(g.opt.NewID("ses_")), Identity: adm.Identity, Resource: adm.Resource,
		Client: in.client, Start: g.opt.Now(), Expires: adm.Expires,
	}
	mask, err := guard(g, "masker", func() (Mask, error) { return g.controls.Masker.Open(ctx, &s.info, h.Secret) })
	if err != nil {
		return nil, err
	}
	if missing(mask) {
		return nil, g.fault("masker", errors.New("masker returned nothing"))
	}
	s.mask = mask
	if s.agent, err = s.maskText("user-agent", in.client.Agent); err != nil {
		return nil, err
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil, &weir.Denied{Kind: weir.DeniedSession, Reason: "the gateway is shutting down", Hint: "try again in a moment"}
	}
	g.live[s.info.ID] = s
	g.mu.Unlock()
	s.mu.Lock()
	s.timer = time.AfterFunc(adm.Expires.Sub(s.info.Start), func() { s.End("access expired") })
	s.mu.Unlock()
	if err := s.begin(ctx); err != nil {
		s.End("a control failed")
		return nil, err
	}
	return s, nil
}

// begin records and audits the start.
func (s *Session) begin(ctx context.Context) error {
	i := &s.info
	attrs := []weir.Attr{
		{Name: "identity", Value: i.Identity.Name},
		{Name: "user", Value: string(i.Identity.User)},
		{Name: "kind", Value: i.Identity.Kind.String()},
		{Name: "method", Value: i.Identity.Method},
		{Name: "credential", Value: string(i.Identity.Credential)},
		{Name: "resource", Value: i.Resource.Name},
		{Name: "protocol", Value: string(i.Resource.Protocol)},
		{Name: "client", Value: i.Client.Addr.String()},
		{Name: "agent", Value: s.agent},
		{Name: "expires", Value: i.Expires.UTC().Format(time.RFC3339)},
	}
	for _, e := range i.Resource.Exceptions {
		attrs = append(attrs, weir.Attr{Name: "exception", Value: e})
	}
	if err := s.record(ctx, &weir.Record{Kind: weir.RecordSessionStart, Attrs: attrs}); err != nil {
		return err
	}
	if err := s.audit(ctx, &weir.Event{Action: "session.start", Outcome: "ok", Detail: attrs}); err != nil {
		return err
	}
	for _, e := range i.Resource.Exceptions {
		ev := &weir.Event{Action: "exception.used", Outcome: "ok", Detail: []weir.Attr{{Name: "exception", Value: e}}}
		if err := s.audit(ctx, ev); err != nil {
			return err
		}
	}
	return nil
}

// turnAway audits a client that was not let in and returns what it is told.
func (g *Gate) turnAway(ctx context.Context, in *Incoming, h *Hello, err error) *weir.Denied {
	d := g.denied(err)
	if d.Request == "" {
		d.Request = weir.RequestID(g.opt.NewID("ref_"))
	}
	ev := &weir.Event{
		Time: g.opt.Now(), Action: "login.fail", Actor: "unknown", Request: d.Request, Outcome: "denied",
		// The login is attacker-controlled and may be a secret typed into the wrong
		// field, so only its length is kept.
		Detail: []weir.Attr{
			{Name: "client", Value: in.client.Addr.String()},
			{Name: "protocol", Value: string(h.Protocol)},
			{Name: "reason", Value: d.Kind.String()},
		},
	}
	_, _ = guard(g, "auditor", func() (struct{}, error) { return struct{}{}, g.controls.Auditor.Audit(ctx, ev) })
	return d
}

// Live lists the sessions that live, in no particular order.
func (g *Gate) Live() []weir.SessionInfo {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]weir.SessionInfo, 0, len(g.live))
	for _, s := range g.live {
		out = append(out, s.info)
	}
	return out
}

// End ends every live session that match accepts and returns how many. Sessions being made at this moment
// are asked for their admission once more, so call it after the revocation is stored. match must not block.
func (g *Gate) End(match func(*weir.SessionInfo) bool, reason string) int {
	g.mu.Lock()
	g.epoch++
	var hit []*Session
	for _, s := range g.live {
		if match(&s.info) {
			hit = append(hit, s)
		}
	}
	g.mu.Unlock()
	for _, s := range hit {
		s.End(reason)
	}
	return len(hit)
}

// Close lets nobody in any more, waits until ctx ends for the exchanges that run, then ends every session.
func (g *Gate) Close(ctx context.Context) {
	g.mu.Lock()
	g.closed = true
	all := make([]*Session, 0, len(g.live))
	for _, s := range g.live {
		all = append(all, s)
	}
	g.mu.Unlock()
	for _, s := range all {
		s.drain(ctx)
		s.End("the gateway is shutting down")
	}
}

// guard calls a control and turns its panic and its plain errors into a *weir.Denied.
func guard[T any](g *Gate, control string, call func() (T, error)) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			var zero T
			v, err = zero, g.fault(control, fmt.Errorf("panic of type %T", r))
		}
	}()
	v, err = call()
	if err == nil {
		return v, nil
	}
	var d *weir.Denied
	if errors.As(err, &d) {
		return v, err
	}
	return v, g.fault(control, err)
}

// fault reports a failed control and returns the refusal for it.
func (g *Gate) fault(control string, err error) *weir.Denied {
	func() {
		defer func() { _ = recover() }() // whoever reports must not turn a refusal into a crash
		g.opt.OnFault(control, err)
	}()
	return &weir.Denied{
		Kind: weir.DeniedByFault, Reason: "refused: the gateway could not check or record it",
		Hint: "tell the administrator; nothing was sent to the target", Err: fmt.Errorf("%s: %w", control, err),
	}
}

// denied returns err's *weir.Denied, or a refusal by fault. The value is a copy and may be changed.
func (g *Gate) denied(err error) *weir.Denied {
	var d *weir.Denied
	if errors.As(err, &d) {
		c := *d
		return &c
	}
	return g.fault("session", err)
}

// unborn is the refusal of a hand-made Incoming, Session or Exchange.
func unborn() *weir.Denied {
	return &weir.Denied{Kind: weir.DeniedByFault, Reason: "refused: not authorized by the gateway"}
}
