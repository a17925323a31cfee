package session

import (
	"context"
	"errors"
	"syscall"
	"time"

	"weir"
)

// ErrWithdrawn is the cause that engines cancel the context of a held command with whose client wants it no more.
var ErrWithdrawn = errors.New("withdrawn by the client")

// Requests is the way of a framed client's requests. Only Pump makes a usable one.
type Requests struct {
	p     *pump
	run   []byte // frames of the read buffer that go to the target as they are
	batch []byte // copies that go before run
	reply []byte // the gateway's own words to the client
	mask  masking

	verdicts verdicts

	parameters    [4]parameterName // the last
	nextParameter int

	prepared *prepared // allowed, and not recorded yet; nil until there was one
}

// prepared is a command that was only made ready.
type prepared struct {
	there   bool // else there is none
	n       uint64
	cmd     weir.Command // a copy: its strings are the command's own
	text    string       // masked
	verdict weir.Verdict
}

// parameterName is the name of a parameter, and what it is called in the record.
type parameterName struct{ name, recorded string }

// text masks a command's text, as Session.maskCommand does.
func (r *Requests) text(cmd *weir.Command) (string, error) {
	if cmd.Literals {
		return r.p.s.maskCommand(cmd)
	}
	return r.mask.text(r.p.s, &r.mask.texts, "", cmd.Text)
}

// Ask asks for permission for one command, as Session.Ask does. While it is held, Response may be called, and what was forwarded
// before is sent. The refusal is recorded and audited already.
func (r *Requests) Ask(cmd *weir.Command) (*Exchange, *weir.Denied) {
	p := r.p
	s := p.s
	text, err := r.text(cmd)
	if err != nil {
		return nil, s.refuse(p.ctx, s.exchanges.Add(1), "[unmaskable]", weir.Verdict{}, err)
	}
	v, err := r.verdicts.of(p, cmd)
	var n uint64
	was := r.prepared
	together := was != nil && was.there && err == nil && v.Effect == weir.Allow && was.cmd.Text == cmd.Text && was.cmd.Operation == cmd.Operation // so it runs at once
	if together {
		n = was.n
	} else {
		if late := r.settle(); late != nil && err == nil {
			err = late
		}
		n = s.exchanges.Add(1)
	}
	if err != nil {
		return nil, s.refuse(p.ctx, n, text, v, err)
	}
	var grant weir.Grant
	switch v.Effect {
	case weir.Allow:
	case weir.Approve:
		if v, grant, err = r.hold(cmd, text, v); err != nil {
			return nil, s.refuse(p.ctx, n, text, v, err)
		}
	default:
		return nil, s.refuse(p.ctx, n, text, v, ruleDenied(&v))
	}
	x := &Exchange{s: s, n: n, start: p.now, ctx: p.ctx}
	if !s.enter() {
		return nil, s.refuse(p.ctx, n, text, v, s.over())
	}
	if err := r.record(n, cmd, text, &v, &grant, weir.Attr{}); err != nil {
		s.leave()
		return nil, s.refuse(p.ctx, n, text, v, err)
	}
	if together {
		*was = prepared{}
	}
	return x, nil
}

// Prepare decides on a command that is only made ready: denied, it is refused; to be approved, it is let through, because what runs it
// is asked for again. It is recorded before it is sent: with the command, where that is asked for next, else on its own. It does not keep cmd.
func (r *Requests) Prepare(cmd *weir.Command) *weir.Denied {
	s, ctx := r.p.s, r.p.ctx
	late := r.settle()
	n := s.exchanges.Add(1)
	text, err := r.text(cmd)
	if err != nil {
		return s.refuse(ctx, n, "[unmaskable]", weir.Verdict{}, err)
	}
	v, err := r.verdicts.of(r.p, cmd)
	switch {
	case err != nil:
	case v.Effect != weir.Allow && v.Effect != weir.Approve:
		err = ruleDenied(&v)
	default:
		err = late
	}
	if err != nil {
		return s.refuse(ctx, n, text, v, err)
	}
	if r.prepared == nil {
		r.prepared = &prepared{}
	}
	*r.prepared = prepared{true, n, *cmd, text, v}
	return nil
}

// settle records what was prepared and is about to be sent. After an error it must not be.
func (r *Requests) settle() error {
	was := r.prepared
	if was == nil || !was.there {
		return nil
	}
	if err := r.record(was.n, &was.cmd, was.text, &was.verdict, &weir.Grant{}, weir.Attr{Name: "prepared", Value: "true"}); err != nil {
		return err
	}
	*was = prepared{}
	return nil
}

// record keeps the command; the values of its attributes are masked, each by its name. more is one of the gateway's own, if it has a name.
func (r *Requests) record(n uint64, cmd *weir.Command, text string, v *weir.Verdict, grant *weir.Grant, more weir.Attr) error {
	attrs := appendVerdict(r.p.attrs[:0], cmd, v, grant)
	if cmd.Fingerprint != "" {
		value, err := r.mask.text(r.p.s, &r.mask.fingerprints, "", cmd.Fingerprint)
		if err != nil {
			return err
		}
		attrs = append(attrs, weir.Attr{Name: "fingerprint", Value: value})
	}
	if more.Name != "" {
		attrs = append(attrs, more)
	}
	for _, a := range cmd.Attrs {
		value, err := r.mask.text(r.p.s, nil, a.Name, a.Value)
		if err != nil {
			return err
		}
		attrs = append(attrs, weir.Attr{Name: r.parameter(a.Name), Value: value})
	}
	r.p.attrs = attrs
	return r.p.record(&weir.Record{Exchange: n, Kind: weir.RecordCommand, Text: text, Attrs: attrs})
}

// parameter is what a parameter is called in the record, so that none passes for an attribute of the gateway's own.
func (r *Requests) parameter(name string) string {
	if name == "" {
		return "parameter"
	}
	for i := range r.parameters {
		if r.parameters[i].name == name {
			return r.parameters[i].recorded
		}
	}
	p := parameterName{name, "parameter." + name}
	if len(p.recorded) <= keptBytes {
		r.parameters[r.nextParameter] = p
		r.nextParameter = (r.nextParameter + 1) % len(r.parameters)
	}
	return p.recorded
}

// Refuse records and audits a refusal of the engine's own.
func (r *Requests) Refuse(cmd *weir.Command, d *weir.Denied) *weir.Denied {
	return r.p.s.Refuse(r.p.ctx, cmd, d)
}

// Forward sends frames of an exchange to the target, before the next read of the client. frames may be part of what Request was
// handed. An error says that the exchange is over.
func (r *Requests) Forward(x *Exchange, frames []byte) error {
	if err := x.alive(); err != nil {
		return err
	}
	x.spent.Store(true)
	r.Control(frames)
	return nil
}

// Control sends frames that ask for nothing. frames may be part of what Request was handed.
func (r *Requests) Control(frames []byte) {
	switch {
	case len(frames) == 0:
	case len(r.run) == 0:
		r.run = frames
	case cap(r.run) > len(r.run) && &r.run[:len(r.run)+1][len(r.run)] == &frames[0]:
		r.run = r.run[:len(r.run)+len(frames)]
	default:
		r.batch = append(r.batch, r.run...)
		r.run = frames
	}
}

// Own sends a copy of frames that the engine made itself and that ask for nothing that was not allowed.
func (r *Requests) Own(frames []byte) {
	r.batch = append(append(r.batch, r.run...), frames...)
	r.run = nil
}

// Reply tells the client something of the gateway's own, before anything that the target answers later. The codec sees to it that it
// may stand here.
func (r *Requests) Reply(words []byte) { r.reply = append(r.reply, words...) }

// Wait sends what was forwarded and lets answers pass until ready; the error says that the session ends.
func (r *Requests) Wait(ready func() bool) error {
	p := r.p
	if ready() {
		return nil
	}
	p.standAside()
	if err := r.flush(); err != nil {
		return err
	}
	for !ready() {
		if p.ended {
			return errEnded
		}
		p.waiting++
		p.moved.Wait()
		p.waiting--
	}
	p.now = p.s.gate.opt.Now()
	return nil
}

// flush writes what is due to both sides. The pump is locked before and after, and not while it writes to the target.
func (r *Requests) flush() error {
	p := r.p
	if err := r.settle(); err != nil {
		return p.unrecorded(err)
	}
	if len(r.reply) == 0 && len(r.run) == 0 && len(r.batch) == 0 {
		return nil
	}
	err := p.tell(r)
	p.mu.Unlock()
	defer p.mu.Lock()
	if err != nil {
		return err
	}
	return r.send()
}

// tell writes the gateway's own words. The pump is locked.
func (p *pump) tell(r *Requests) error {
	if len(r.reply) == 0 {
		return nil
	}
	p.out.Lock()
	defer p.out.Unlock()
	_, err := p.client.Write(r.reply)
	r.reply = r.reply[:0]
	return err
}

// send writes to the target, once where it can.
func (r *Requests) send() error {
	out := r.run
	if len(r.batch) > 0 {
		r.batch = append(r.batch, r.run...)
		out = r.batch
	}
	if len(out) == 0 {
		return nil
	}
	_, err := r.p.target.Write(out)
	r.run = nil
	if cap(r.batch) > keepBatch {
		r.batch = nil
	}
	r.batch = r.batch[:0]
	return err
}

// keepBatch is the largest buffer for requests or for an answer that stays with a session, in bytes.
const keepBatch = 4 << 10

// hold waits for an approval, with the pump unlocked, and decides again.
func (r *Requests) hold(cmd *weir.Command, text string, v weir.Verdict) (weir.Verdict, weir.Grant, error) {
	p := r.p
	p.standAside()
	if err := r.flush(); err != nil {
		return v, weir.Grant{}, &weir.Denied{Kind: weir.DeniedTarget, Reason: "the target closed the connection", Err: err}
	}
	held := *cmd
	if cmd.Held != nil {
		held.Held = func(id weir.RequestID) {
			p.mu.Lock()
			defer p.mu.Unlock()
			cmd.Held(id)
			_ = p.tell(r) // a client that is gone ends the hold by itself
		}
	}
	ctx, cancel := context.WithCancelCause(p.ctx)
	p.s.setHold(cancel)
	if p.ended {
		cancel(errLeft)
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.now = p.s.gate.opt.Now()
	}()
	gone := p.watch(ctx, cancel)
	v, grant, err := p.s.approve(ctx, &held, text, v)
	p.s.setHold(nil)
	cancel(nil)
	gone()
	return v, grant, err
}

// watchEvery is how often a waiting client's socket is looked at.
const watchEvery = 100 * time.Millisecond

// watch cancels when the client goes away. The func it returns ends the watch.
func (p *pump) watch(ctx context.Context, cancel context.CancelCauseFunc) func() {
	done := make(chan struct{})
	if c, ok := p.client.(syscall.Conn); ok && p.in.Pollable() {
		go func() {
			defer close(done)
			tick := time.NewTicker(watchEvery)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					if p.in.Gone(c) {
						cancel(errGone)
						return
					}
				}
			}
		}()
		return func() { <-done }
	}
	go func() {
		defer close(done)
		b := make([]byte, 4<<10)
		for sum := 0; sum < 1<<20; {
			n, err := p.client.Read(b)
			p.in.Later(b[:n])
			if err != nil {
				cancel(errGone)
				return
			}
			sum += n
		}
	}()
	return func() {
		_ = p.client.SetReadDeadline(time.Unix(1, 0))
		<-done
		if p.ctx.Err() == nil {
			_ = p.client.SetReadDeadline(time.Time{})
		}
		if p.ctx.Err() != nil {
			_ = p.client.SetReadDeadline(time.Unix(1, 0))
		}
	}
}
