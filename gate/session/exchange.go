package session

import (
	"context"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"weir"
)

// Exchange is permission for one command and the way of its answer. Only Session.Ask makes a usable
// one; the zero value forwards nothing and writes nothing. It belongs to one goroutine at a time, but
// ClientMessage and TargetMessage may run beside each other.
type Exchange struct {
	s      *Session
	n      uint64
	ctx    context.Context         //nolint:containedctx // the exchange's own life, ended by the session
	cancel context.CancelCauseFunc // nil for those of the pump, which end with its session
	start  time.Time

	spent atomic.Bool
	ended atomic.Bool

	answer track
	rows   int64  // of a framed answer
	last   []byte // of it, recorded with its end

	rest atomic.Pointer[beside] // what few have: see sides
}

// beside is what an exchange may have beside an answer. Most of a framed protocol's have none of it, and there are many.
type beside struct {
	heads    []weir.Record // masked, not yet recorded
	second   track         // beside the answer
	command  track
	up, down stream // messages of a two-way stream
	renewals atomic.Uint64
}

// sides returns what the exchange has beside its answer, from now on.
func (x *Exchange) sides() *beside {
	if b := x.rest.Load(); b != nil {
		return b
	}
	x.rest.CompareAndSwap(nil, &beside{})
	return x.rest.Load()
}

// track counts what passed and what of it was kept.
type track struct {
	tally       weir.Tally
	bytes, kept int64
}

// stream is one direction of messages.
type stream struct {
	mu sync.Mutex
	track
	buf message
}

// Context ends with the request or with the session, whichever is first.
func (x *Exchange) Context() context.Context {
	if x.ctx == nil {
		ctx, cancel := context.WithCancelCause(context.Background()) //nolint:forbidigo // a hand-made exchange is over before it began
		cancel(errEnded)
		return ctx
	}
	return x.ctx
}

// Number is the exchange's number in the session's recording; it counts from 1.
func (x *Exchange) Number() uint64 { return x.n }

// Forward runs send, the one step that touches the target. It does so once; a second call, a hand-made
// Exchange and an ended session return a *weir.Denied and run nothing. Other errors are send's.
func (x *Exchange) Forward(send func(ctx context.Context) error) error {
	if err := x.alive(); err != nil {
		return err
	}
	if x.spent.Swap(true) {
		return &weir.Denied{Kind: weir.DeniedByFault, Reason: "refused: this permission was used already"}
	}
	if d := x.s.over(); d != nil {
		return d
	}
	return send(x.ctx)
}

func (x *Exchange) alive() error {
	if x == nil || x.s == nil || x.s.gate == nil || x.s.mask == nil || x.ctx == nil {
		return unborn()
	}
	if x.ended.Load() {
		return &weir.Denied{Kind: weir.DeniedByFault, Reason: "refused: this exchange is over"}
	}
	return nil
}

// Head masks the values of attrs in place, each by its name, and keeps them with text (a status line)
// for the record, which is made before the first byte of the answer is written. It may be called again for
// trailers. After an error attrs must not be used.
func (x *Exchange) Head(text string, attrs []weir.Attr) error {
	if err := x.alive(); err != nil {
		return err
	}
	_, err := guard(x.s.gate, "masker", func() (struct{}, error) {
		var buf []byte
		for i := range attrs {
			value := []byte(attrs[i].Value)
			buf = x.s.mask.Value(buf[:0], attrs[i].Name, value, &x.answer.tally)
			if string(buf) != attrs[i].Value {
				attrs[i].Value = string(buf)
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return err
	}
	kept := make([]weir.Attr, len(attrs))
	copy(kept, attrs)
	b := x.sides()
	b.heads = append(b.heads, weir.Record{Exchange: x.n, Kind: weir.RecordAnswerHead, Text: text, Attrs: kept})
	return nil
}

// Writer returns the way of the answer to the client: what is written to it is masked, recorded up to the
// resource's cap, and only then passed to dst. Close records a head that had no body; it does not close dst.
func (x *Exchange) Writer(dst io.Writer, shape weir.Shape) (weir.MaskWriter, error) {
	if err := x.alive(); err != nil {
		return nil, err
	}
	return x.open(&tee{x: x, kind: weir.RecordAnswerBody, track: &x.answer, dst: dst}, shape)
}

// ErrorWriter is Writer for a second stream beside the answer's, such as stderr.
func (x *Exchange) ErrorWriter(dst io.Writer, shape weir.Shape) (weir.MaskWriter, error) {
	if err := x.alive(); err != nil {
		return nil, err
	}
	return x.open(&tee{x: x, kind: weir.RecordAnswerError, track: &x.sides().second, dst: dst}, shape)
}

// Note records what happened within the exchange: a file operation, a resize. text and the values of attrs are masked, each by its
// name, in a copy.
func (x *Exchange) Note(kind weir.RecordKind, text string, attrs ...weir.Attr) error {
	if err := x.alive(); err != nil {
		return err
	}
	text, err := x.s.maskText("", text)
	if err != nil {
		return err
	}
	kept := make([]weir.Attr, len(attrs))
	for i, a := range attrs {
		if a.Value, err = x.s.maskText(a.Name, a.Value); err != nil {
			return err
		}
		kept[i] = a
	}
	return x.s.record(x.ctx, &weir.Record{Exchange: x.n, Kind: kind, Text: text, Attrs: kept})
}

// Renew has the recording go on where its cap had stopped it: what a person enters while an answer runs, as a line in a shell, has an answer of its own,
// up to the cap again. The recording then tells how much is missing. Safe for concurrent use.
func (x *Exchange) Renew() { x.sides().renewals.Add(1) }

// renewed is how often it was renewed.
func (x *Exchange) renewed() uint64 {
	if b := x.rest.Load(); b != nil {
		return b.renewals.Load()
	}
	return 0
}

// CommandBody returns a writer for a copy of what the client sends along with the command: it is masked
// and recorded up to the cap. A failed write means that it could not be recorded: stop forwarding.
func (x *Exchange) CommandBody(shape weir.Shape) (io.WriteCloser, error) {
	if err := x.alive(); err != nil {
		return nil, err
	}
	return x.open(&tee{x: x, kind: weir.RecordCommandBody, track: &x.sides().command}, shape)
}

func (x *Exchange) open(t *tee, shape weir.Shape) (weir.MaskWriter, error) {
	m, err := guard(x.s.gate, "masker", func() (weir.MaskWriter, error) { return x.s.mask.Stream(t, shape, &t.track.tally) })
	if err != nil {
		return nil, err
	}
	if missing(m) {
		return nil, x.s.gate.fault("masker", io.ErrClosedPipe)
	}
	return &maskedWriter{t: t, m: m}, nil
}

// flushHeads puts the heads into the journal.
func (x *Exchange) flushHeads() error {
	b := x.rest.Load()
	if b == nil {
		return nil
	}
	for i := range b.heads {
		if err := x.s.record(x.ctx, &b.heads[i]); err != nil {
			return err
		}
	}
	b.heads = b.heads[:0]
	return nil
}

// Refuse records and audits a refusal that came after Forward: an answer that cannot be looked into.
func (x *Exchange) Refuse(d *weir.Denied) *weir.Denied {
	if err := x.alive(); err != nil {
		return unborn()
	}
	x.sides().heads = nil // they are not what the client gets
	return x.s.refuse(x.ctx, x.n, "", weir.Verdict{Rule: d.Rule}, d)
}

// End closes the books of the exchange: sizes, what was masked, how long it took, and err if it
// broke off. It must be called; only the first call counts.
func (x *Exchange) End(err error) { _ = x.end(err) }

// end is End. Its error says that the end could not be recorded; the session is over then.
func (x *Exchange) end(err error) error {
	if x == nil || x.s == nil || x.s.gate == nil {
		return nil
	}
	return x.endIn(err, x.s.gate.opt.Now(), &weir.Record{}, make([]weir.Attr, 0, 8))
}

// endBy is end with the scratch of a pump, which is locked.
func (x *Exchange) endBy(err error, p *pump) error {
	failed := x.endIn(err, p.now, &p.entry, p.attrs[:0])
	p.attrs, p.entry = p.entry.Attrs, weir.Record{} // it must not keep the read buffer
	return failed
}

// endIn is end at a time, with an entry to fill, and attributes to append to.
func (x *Exchange) endIn(err error, now time.Time, rec *weir.Record, attrs []weir.Attr) error {
	if x == nil || x.s == nil || x.s.gate == nil || x.ended.Swap(true) {
		return nil
	}
	s := x.s
	*rec = weir.Record{Exchange: x.n, Kind: weir.RecordAnswerEnd, Data: x.count(x.last)}
	rec.Attrs, x.last = x.outcome(attrs, now, err), nil
	if x.cancel != nil {
		x.ctx = context.WithoutCancel(x.ctx)
	}
	failed := x.flushHeads()
	if failed == nil {
		failed = s.recordAt(x.ctx, rec, now)
	}
	if failed != nil {
		s.End("the recording failed")
	}
	if x.cancel == nil {
		s.leave()
		return failed
	}
	x.cancel(nil)
	s.untrack(x)
	return failed
}

// outcome appends the end record's attributes.
func (x *Exchange) outcome(attrs []weir.Attr, now time.Time, err error) []weir.Attr {
	num := func(name string, n int64) {
		attrs = append(attrs, weir.Attr{Name: name, Value: strconv.FormatInt(n, 10)})
	}
	down, kept, up, upKept := x.answer.bytes, x.answer.kept, int64(0), int64(0)
	b := x.rest.Load()
	if b != nil {
		b.up.mu.Lock()
		defer b.up.mu.Unlock()
		b.down.mu.Lock()
		defer b.down.mu.Unlock()
		down, kept = down+b.second.bytes+b.down.bytes, kept+b.second.kept+b.down.kept
		up, upKept = b.command.bytes+b.up.bytes, b.command.kept+b.up.kept
	}
	num("duration_us", now.Sub(x.start).Microseconds())
	num("bytes", down)
	if kept < down {
		num("recorded", kept)
		attrs = append(attrs, weir.Attr{Name: "truncated", Value: "true"})
	}
	if x.rows > 0 {
		num("rows", x.rows)
	}
	if up > 0 {
		num("command_bytes", up)
		if upKept < up {
			num("command_recorded", upKept)
			attrs = append(attrs, weir.Attr{Name: "command_truncated", Value: "true"})
		}
	}
	add := func(prefix string, t *weir.Tally) {
		t.Each(func(kind string, n int) { num(prefix+kind, int64(n)) })
	}
	add("masked.", &x.answer.tally)
	if b != nil {
		add("masked.", &b.second.tally)
		add("masked.", &b.down.tally)
		add("command_masked.", &b.command.tally)
		add("command_masked.", &b.up.tally)
	}
	if err != nil {
		_, public := weir.PublicOf(err)
		attrs = append(attrs, weir.Attr{Name: "error", Value: public})
	}
	return attrs
}

// ClientMessage masks and records one message of a two-way stream. Call it before forwarding msg,
// which is not changed. shape must not be FormatUnknown.
func (x *Exchange) ClientMessage(msg []byte, shape weir.Shape) error {
	_, err := x.message(weir.RecordClientMessage, nil, msg, shape)
	return err
}

// TargetMessage masks and records one message from the target and appends the masked form to dst,
// which is the only form the client may get.
func (x *Exchange) TargetMessage(dst, msg []byte, shape weir.Shape) ([]byte, error) {
	return x.message(weir.RecordTargetMessage, dst, msg, shape)
}

func (x *Exchange) message(kind weir.RecordKind, dst, msg []byte, shape weir.Shape) ([]byte, error) {
	if err := x.alive(); err != nil {
		return nil, err
	}
	if over := x.s.over(); over != nil {
		return nil, over
	}
	d := &x.sides().up
	if kind == weir.RecordTargetMessage {
		d = &x.sides().down
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buf = d.buf[:0]
	_, err := guard(x.s.gate, "masker", func() (struct{}, error) {
		m, err := x.s.mask.Stream(&d.buf, shape, &d.tally)
		if err != nil {
			return struct{}{}, err
		}
		if _, err := m.Write(msg); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, m.Close()
	})
	if err != nil {
		return nil, err
	}
	d.bytes += int64(len(d.buf))
	keep := d.buf[:min(int64(len(d.buf)), max(0, int64(x.s.info.Resource.RecordCap)-d.kept))]
	d.kept += int64(len(keep))
	if err := x.s.record(x.ctx, &weir.Record{Exchange: x.n, Kind: kind, Data: keep}); err != nil {
		return nil, err
	}
	return append(dst, d.buf...), nil
}

// message collects one masked message.
type message []byte

func (m *message) Write(p []byte) (int, error) {
	*m = append(*m, p...)
	return len(p), nil
}
