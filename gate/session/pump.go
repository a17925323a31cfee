package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/gate/wire"
)

// pump drives one framed session: one goroutine carries requests up, one carries answers down. Only the first writes to the target, never with
// mu locked, so that a target that waits for its answers to be read cannot stop them. Nobody holds a large buffer while nothing comes.
type pump struct {
	s      *Session
	codec  Codec
	client Conn
	target Conn
	said   []byte          // by the target, before it was handed over
	ctx    context.Context //nolint:containedctx // the session's own life
	done   func(error)     // told how it ended
	undo   []func()        // what is to be done at the end, the last first
	in     *wire.Reader    // of the client
	back   *wire.Reader    // of the target
	// Where both sides are sockets.
	sockets  *sockets
	looped   *looped // nil until a loop drives it
	apart    bool    // it has left the loop
	member   atomic.Pointer[wire.Member]
	stepping atomic.Bool // requests are being taken
	ends     [2]error    // why the client's and the target's side came to an end before goroutines drive it

	requests Requests // of the goroutine that carries requests
	cutOff   bool     // part of a request was read

	mu      sync.Mutex  // guards the codec and all below; taken before out
	now     time.Time   // when what is being taken was read, or when a wait within it ended
	attrs   []weir.Attr // scratch of what is being recorded
	entry   weir.Record // that
	answers Answers
	moved   sync.Cond // answers passed, or the session ended
	waiting int
	drained bool // the client has closed its side; nothing more will be asked
	ended   bool
	calm    bool // both goroutines are to stop, and a loop drives it

	out sync.Mutex // guards writes to the client
}

// record records what is in r, which needs no memory of its own. The pump is locked.
func (p *pump) record(r *weir.Record) error {
	p.entry = *r
	err := p.s.recordAt(p.ctx, &p.entry, p.now)
	p.entry = weir.Record{} // it must not keep the read buffer
	return err
}

// lastWords is how long a client may take to read why its session ended.
const lastWords = 2 * time.Second

// Pump carries a framed session to its end: requests are decided, held and recorded one by one, answers
// are masked and recorded a read at a time. It closes both connections. It returns nil when a side closed
// in good order, else why it ended.
func (s *Session) Pump(ctx context.Context, codec Codec) error {
	over := make(chan error, 1)
	s.Carry(ctx, codec, func(err error) { over <- err })
	return <-over
}

// Carry is Pump for who does not wait: it returns when the session is over or has found what drives it, which is no goroutine of its own while a
// loop does. done is told, once and maybe within Carry, what Pump would return.
func (s *Session) Carry(ctx context.Context, codec Codec, done func(error)) {
	if s == nil || s.gate == nil || s.mask == nil || codec == nil || s.in == nil || missing(s.in.conn) || s.in.dial == nil {
		done(unborn())
		return
	}
	p := &pump{s: s, codec: codec, client: s.in.conn, done: done}
	p.moved.L = &p.mu
	p.requests.p, p.answers.p = p, p
	p.answers.mute = true
	p.carry(func() (bool, error) { return p.begin(ctx) })
}

// carry does a part of the session's life in this goroutine. over says that it was the last.
func (p *pump) carry(part func() (over bool, err error)) {
	over, err := true, error(nil)
	defer func() {
		if r := recover(); r != nil {
			over, err = true, p.s.gate.fault("pump", fmt.Errorf("panic of type %T", r))
		}
		if over {
			p.close(err)
		}
	}()
	over, err = part()
}

// close ends all that the session has.
func (p *pump) close(err error) {
	for _, f := range slices.Backward(p.undo) {
		f()
	}
	p.s.End("the connection was closed")
	_ = p.client.Close()
	_ = p.guarded(func() error { p.done(err); return nil }) // it may be nobody's goroutine that ends here
}

// begin connects the target and lets a loop drive the session, or this goroutine where none can.
func (p *pump) begin(ctx context.Context) (over bool, err error) {
	pctx, stop := p.s.until(ctx)
	p.ctx, p.undo = pctx, append(make([]func(), 0, 3), stop)
	if p.target, p.said, err = p.s.in.dial(pctx, p.s.info.Resource.Name); err != nil {
		d := p.s.Refuse(ctx, nil, &weir.Denied{Kind: weir.DeniedTarget, Reason: "the target cannot be reached", Err: err})
		_, _ = p.client.Write(p.codec.Refuse(nil, d))
		return true, d
	}
	p.undo = append(p.undo, func() { _, _ = p.client.Close(), p.target.Close() })
	limit := p.codec.Limit()
	if limit <= 0 {
		limit = p.s.gate.opt.MaxFrame
	}
	p.hold()
	p.in = wire.NewReader(&p.s.gate.buffers, p.client, limit, p.step)
	p.back = wire.NewReader(&p.s.gate.buffers, p.target, max(p.s.gate.opt.MaxFrame, p.codec.Limit()), p.answer)
	unhook := context.AfterFunc(pctx, p.over)
	p.undo = append(p.undo, func() { unhook(); p.in.Close(); p.back.Close() })
	p.ends[1] = p.guarded(p.greet)
	if p.sockets != nil {
		p.loop()
		return false, nil
	}
	return p.drive()
}

// over makes what waits for either side stop, because the session has ended.
func (p *pump) over() {
	past := time.Unix(1, 0)
	_ = p.client.SetWriteDeadline(p.s.gate.opt.Now().Add(lastWords))
	_ = p.target.SetWriteDeadline(past)
	_ = p.client.SetReadDeadline(past)
	_ = p.target.SetReadDeadline(past)
	p.end()
}

// drive runs both ways to their end, or until a loop drives them.
func (p *pump) drive() (over bool, err error) {
	upErr, downErr := p.both()
	for errors.Is(downErr, errCalm) {
		if p.again(upErr) {
			return false, nil
		}
		upErr, downErr = p.both()
	}
	if d := p.s.over(); d != nil {
		p.farewell(d)
		return true, d
	}
	err = errors.Join(upErr, downErr)
	var d *weir.Denied
	if errors.As(err, &d) {
		p.farewell(d)
	}
	return true, err
}

// both runs a goroutine for each side. errCalm for the target's says that a loop is to drive it, and that the client's has stopped for that, or
// why else.
func (p *pump) both() (upErr, downErr error) {
	if p.ctx.Err() != nil { // which it was told while sockets were held
		p.over()
	}
	past := time.Unix(1, 0)
	down := make(chan error, 1)
	go func() {
		err := p.guarded(p.down)
		_ = p.client.SetReadDeadline(past) // no more answers: no more questions
		if !errors.Is(err, errCalm) {
			_ = p.target.SetWriteDeadline(past)
			p.end()
		}
		down <- err
	}()
	var err error
	if l := p.looped; l != nil && l.up != nil {
		err = <-l.up
	} else {
		err = p.guarded(p.read)
	}
	if p.calmed() {
		return err, <-down
	}
	upErr = p.up(err)
	if upErr != nil || !p.finished() {
		_ = p.target.SetReadDeadline(past)
	}
	downErr = <-down
	if errors.Is(downErr, errCalm) { // it was on its way there
		return err, downErr
	}
	return upErr, downErr
}

// calmed reports whether both goroutines are to stop.
func (p *pump) calmed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calm
}

// farewell tells the client why its session ended. Both ways are over.
func (p *pump) farewell(d *weir.Denied) {
	_ = p.guarded(func() error {
		_ = p.client.SetWriteDeadline(p.s.gate.opt.Now().Add(lastWords))
		_, err := p.client.Write(p.codec.Refuse(nil, d))
		return err
	})
}

// end wakes whoever waits for an answer, or for an approval of what cannot run any more.
func (p *pump) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.moved.Broadcast()
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.unhold(errLeft)
}

// guarded turns a panic of a codec or a masker into the end of this session.
func (p *pump) guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = p.s.gate.fault("codec", fmt.Errorf("panic of type %T", r))
		}
	}()
	return f()
}

// finished marks the client's side as closed and reports whether answers are still due.
func (p *pump) finished() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drained = true
	return p.codec.Owes()
}

// read reads requests until the client closes its side.
func (p *pump) read() error {
	if err := p.ends[0]; err != nil {
		return err
	}
	if x := p.sockets; x != nil {
		if err := x.sides[1].Settle(); err != nil {
			return err
		}
	}
	return p.in.Run()
}

// up says what became of the requests when reading them ended with err.
func (p *pump) up(err error) error {
	var d *weir.Denied
	switch {
	case err == nil, errors.Is(err, errEnded), timedOut(err):
		return nil
	case errors.As(err, &d):
		return d
	case errors.Is(err, io.EOF) && p.cutOff:
		return p.breakOff(err)
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, wire.ErrTooLong), errors.Is(err, errFrame):
		return p.breakOff(err)
	}
	return fmt.Errorf("read from client: %w", err)
}

// breakOff refuses what cannot be read and ends the session.
func (p *pump) breakOff(cause error) error {
	return p.s.Refuse(p.ctx, nil, &weir.Denied{
		Kind: weir.DeniedRequest, Reason: "the request cannot be read or is too large", Err: cause,
	})
}

// step takes requests and sends what is allowed of them.
func (p *pump) step(b []byte) (int, error) {
	p.stepping.Store(true)
	defer p.stepping.Store(false)
	n, err := p.decide(b)
	if err != nil {
		return 0, err
	}
	p.cutOff = n < len(b)
	return n, p.requests.send()
}

// decide lets the codec read requests, and tells the client what it has to say.
func (p *pump) decide(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now = p.s.gate.opt.Now(); p.calm {
		return 0, errCalm
	}
	if d := p.s.overAt(p.now); d != nil {
		return 0, d
	}
	total := 0
	for total < len(b) {
		n, err := p.codec.Request(&p.requests, b[total:])
		if err == nil && (n < 0 || n > len(b)-total) {
			err = errFrame
		}
		if err != nil {
			if errors.Is(err, errEnded) {
				return total, err
			}
			var d *weir.Denied
			if errors.As(err, &d) {
				return total, d
			}
			return total, fmt.Errorf("%w: %w", errFrame, err)
		}
		if n == 0 {
			break
		}
		total += n
	}
	if p.ended && p.ctx.Err() == nil { // the target has left meanwhile
		return total, errEnded
	}
	if err := p.requests.settle(); err != nil {
		return total, p.unrecorded(err)
	}
	return total, p.tell(&p.requests)
}

// unrecorded ends the session, because what was prepared cannot be recorded: what was taken already may not be sent.
func (p *pump) unrecorded(err error) error {
	was := p.requests.prepared
	return p.s.refuse(p.ctx, was.n, was.text, was.verdict, err)
}

// down reads answers until the target closes, or the client has and nothing is due any more.
func (p *pump) down() error {
	err := p.ends[1]
	if err == nil {
		err = p.settle()
	}
	if err == nil {
		err = p.back.Run()
	}
	var d *weir.Denied
	if errors.Is(err, errDone) {
		return nil
	}
	if errors.Is(err, errCalm) {
		p.back.Close()
		return err
	}
	if errors.As(err, &d) {
		return d
	}
	p.mu.Lock()
	quiet := !p.codec.Owes() && p.back.Rest() == 0
	p.mu.Unlock()
	if quiet && !errors.Is(err, errCodec) && !errors.Is(err, errClient) {
		return nil
	}
	if errors.Is(err, errClient) {
		return err
	}
	return &weir.Denied{Kind: weir.DeniedTarget, Reason: "the target closed the connection or sent what cannot be read", Err: err}
}

// settle writes what the client did not take while a loop drove the session.
func (p *pump) settle() error {
	if p.sockets == nil {
		return nil
	}
	p.out.Lock()
	defer p.out.Unlock()
	if err := p.sockets.sides[0].Settle(); err != nil {
		return fmt.Errorf("%w: %w", errClient, err)
	}
	return nil
}

// greet passes on what the target said before it was handed over.
func (p *pump) greet() error {
	if len(p.said) == 0 {
		return nil
	}
	n, err := p.answer(p.said)
	if err == nil && n != len(p.said) {
		err = fmt.Errorf("%w: a greeting in parts", errCodec)
	}
	p.said = nil
	return err
}

var (
	errDone   = errors.New("nothing is due any more")
	errCodec  = errors.New("answer")
	errClient = errors.New("write to client")
)

// answer masks, records and writes what the target sent, in this order.
func (p *pump) answer(b []byte) (int, error) {
	out, n, done, err := p.respond(b)
	if err != nil {
		return 0, err
	}
	if len(out) > 0 {
		_, err = p.client.Write(out)
	}
	p.answers.trim()
	p.out.Unlock()
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %w", errClient, err)
	case done:
		return 0, errDone
	case n == len(b) && p.apart && p.settleDown(n):
		return 0, errCalm
	}
	return n, nil
}

// respond masks and records. Without an error out is locked, so that what the client gets is in order.
func (p *pump) respond(b []byte) (out []byte, n int, done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.s.gate.opt.Now()
	if d := p.s.overAt(p.now); d != nil {
		return nil, 0, true, d
	}
	p.answers.reset(b)
	n, err = p.codec.Response(&p.answers, b)
	if err == nil && (n < 0 || n > len(b)) {
		err = errors.New("codec: more was taken than there is")
	}
	if err != nil {
		return nil, 0, true, fmt.Errorf("%w: %w", errCodec, err)
	}
	if out, err = p.answers.finish(n); err != nil {
		return nil, 0, true, err
	}
	if p.waiting > 0 {
		p.moved.Broadcast()
	}
	p.out.Lock()
	return out, n, p.drained && !p.codec.Owes(), nil
}

// timedOut reports that a deadline in the past woke a read: the session is ending for another reason.
func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
