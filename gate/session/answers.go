package session

import (
	"weir"
	"weir/gate/wire"
)

// Answers is the way of the target's answers to a framed client. Positions are those in what Response was handed, and never go
// back. Only Pump makes a usable one.
type Answers struct {
	p      *pump
	b      []byte
	out    []byte
	copied bool // out takes the place of b
	from   int  // what of b is not in out yet
	seg    int  // where the segment to be recorded begins: in out if copied, else in b
	x      *Exchange
	mute   bool      // the segment holds no values
	held   *Exchange // whose last segment is not recorded yet, since its end may follow
	last   []byte    // that segment
	stray  weir.Tally
	err    error
	large  *wire.Buffer // what out is in; nil while that is small
}

// reset begins with b.
func (a *Answers) reset(b []byte) {
	a.b, a.out, a.copied, a.from, a.seg, a.err, a.held, a.last = b, a.out[:0], false, 0, 0, nil, nil, nil
}

// For says whose answer follows from at on; nil is nobody's, which is recorded with the session.
func (a *Answers) For(x *Exchange, at int) {
	if a.x == x && !a.mute {
		return
	}
	a.cut(at)
	a.x, a.mute = x, false
}

// Bare says that from at on there are only frames without values, which need no record.
func (a *Answers) Bare(at int) {
	if a.mute {
		return
	}
	a.cut(at)
	a.mute = true
}

// End says that the exchange is over at at.
func (a *Answers) End(x *Exchange, at int, err error) {
	if x == nil {
		return
	}
	if a.x == x {
		a.cut(at)
		a.x, a.mute = nil, true
	}
	if a.held == x {
		x.last, a.held = a.last, nil
	}
	if a.err == nil {
		a.err = x.endBy(err, a.p)
	}
}

// Rows counts rows of the exchange.
func (a *Answers) Rows(n int) {
	if a.x != nil {
		a.x.rows += int64(n)
	}
}

// Value appends the masked form of a value to dst.
func (a *Answers) Value(dst []byte, name string, value []byte) []byte {
	return a.p.s.mask.Value(dst, name, value, a.Tally())
}

// Version is the mask's: what became of a text under an equal one stands. nil is equal to none.
func (a *Answers) Version() any { return a.p.s.mask.Version() }

// Columns prepares to mask rows.
func (a *Answers) Columns(columns []weir.Column) ColumnMask { return a.p.s.mask.Columns(columns) }

// Stream masks what comes in pieces, on its way to w.
func (a *Answers) Stream(w Writer, shape weir.Shape) (weir.MaskWriter, error) {
	return a.p.s.mask.Stream(w, shape, a.Tally())
}

// Tally counts what is masked of the answer at hand.
func (a *Answers) Tally() *weir.Tally {
	if a.x != nil {
		return &a.x.answer.tally
	}
	return &a.stray
}

// Rewrite lets everything before at pass and returns what is passed on so far, to be appended to; Resume must follow.
func (a *Answers) Rewrite(at int) []byte {
	a.pass(at)
	return a.out
}

// Resume takes back what Rewrite returned, with masked bytes appended, and goes on at at.
func (a *Answers) Resume(out []byte, at int) { a.out, a.from = out, at }

// Insert puts the gateway's own words in front of at. They are not recorded.
func (a *Answers) Insert(words []byte, at int) {
	if len(words) == 0 {
		return
	}
	a.cut(at)
	a.pass(at)
	a.out = append(a.out, words...)
	a.seg = len(a.out)
}

// pass copies what comes before at.
func (a *Answers) pass(at int) {
	if !a.copied {
		a.copied = true
		if size := len(a.b) + len(a.b)/8; size > keepBatch {
			a.large = a.p.s.gate.buffers.Get(size)
			a.out = a.large.B
		}
		a.out = append(a.out[:0], a.b[:at]...)
		a.from = at
		return
	}
	a.out = append(a.out, a.b[a.from:at]...)
	a.from = at
}

// cut records the segment that ends at at.
func (a *Answers) cut(at int) {
	part := a.b[min(a.seg, at):at]
	if a.copied {
		a.pass(at)
		part = a.out[a.seg:]
		a.seg = len(a.out)
	} else {
		a.seg = at
	}
	if len(part) == 0 || a.mute || a.err != nil {
		return
	}
	if a.release(); a.err != nil {
		return
	}
	if a.x != nil {
		a.held, a.last = a.x, part
		return
	}
	keep := part[:min(len(part), a.p.s.info.Resource.RecordCap)]
	a.err = a.p.record(&weir.Record{Kind: weir.RecordAnswerBody, Data: keep})
}

// release records the segment that is held.
func (a *Answers) release() {
	if a.held == nil {
		return
	}
	x := a.held
	a.held = nil
	a.err = x.keep(a.last, a.p)
}

// finish records the rest and returns what the client gets.
func (a *Answers) finish(n int) ([]byte, error) {
	a.cut(n)
	if a.err == nil {
		a.release()
	}
	if a.err != nil {
		return nil, a.err
	}
	if a.copied {
		return a.out, nil
	}
	return a.b[:n], nil
}

// trim gives back what is too large to stay with a session. What finish returned is not valid any more.
func (a *Answers) trim() {
	if cap(a.out) <= keepBatch {
		return
	}
	if a.large == nil {
		a.large = &wire.Buffer{}
	}
	a.large.B = a.out
	a.p.s.gate.buffers.Put(a.large)
	a.large, a.out, a.last = nil, nil, nil
}

// keep records masked bytes of an answer up to the cap.
func (x *Exchange) keep(b []byte, p *pump) error {
	if err := x.alive(); err != nil {
		return err
	}
	if b = x.count(b); len(b) == 0 {
		return nil
	}
	return p.record(&weir.Record{Exchange: x.n, Kind: weir.RecordAnswerBody, Data: b})
}

// count counts bytes of an answer and returns what of them is to be recorded.
func (x *Exchange) count(p []byte) []byte {
	n := min(int64(len(p)), max(0, int64(x.s.info.Resource.RecordCap)-x.answer.kept))
	x.answer.kept += n
	x.answer.bytes += int64(len(p))
	return p[:n]
}
