package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"weir"
	"weir/gate/wire"
)

// pump drives one framed session: one goroutine carries requests up, one carries answers down.
type pump struct {
	s      *Session
	codec  Codec
	client Conn
	target Conn

	mu      sync.Mutex // guards queue and every write to the client
	queue   []turn
	drained bool // the client has closed its side; nothing more will be asked
}

// turn is a place in the order of answers: an exchange that waits for its answer, or a refusal that waits
// for the answers before it.
type turn struct {
	x      *Exchange
	refuse []byte
}

// Pump carries a framed session to its end: requests are decided, held and recorded one by one, answers
// are masked and recorded a read at a time. It closes both connections. It returns nil when a side closed
// in good order, else why it ended.
func (s *Session) Pump(ctx context.Context, codec Codec) error {
	if s == nil || s.gate == nil || s.mask == nil || codec == nil || s.in == nil || missing(s.in.conn) || s.in.dial == nil {
		return unborn()
	}
	client := s.in.conn
	defer func() { _ = client.Close() }()
	defer s.End("the connection was closed")
	pctx, stop := s.until(ctx)
	defer stop()
	target, err := s.in.dial(pctx, s.info.Resource.Name)
	if err != nil {
		d := s.Refuse(ctx, nil, &weir.Denied{Kind: weir.DeniedTarget, Reason: "the target cannot be reached", Err: err})
		_, _ = client.Write(codec.Refuse(nil, d))
		return d
	}
	defer func() { _ = target.Close() }()
	p := &pump{s: s, codec: codec, client: client, target: target}
	past := time.Unix(1, 0)
	wake := context.AfterFunc(pctx, func() {
		_ = client.SetReadDeadline(past)
		_ = target.SetReadDeadline(past)
	})
	defer wake()
	down := make(chan error, 1)
	go func() {
		err := p.guarded(p.down)
		_ = client.SetReadDeadline(past) // no more answers: no more questions
		down <- err
	}()
	upErr := p.guarded(func() error { return p.up(pctx) })
	if upErr != nil || !p.finished() {
		_ = target.SetReadDeadline(past)
	}
	downErr := <-down
	p.abandon()
	if d := s.over(); d != nil {
		return d
	}
	return errors.Join(upErr, downErr)
}

// guarded turns a panic of a codec into the end of this session.
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
	return len(p.queue) > 0
}

func (p *pump) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.queue {
		t.x.End(errEnded)
	}
	p.queue = nil
}

// up reads requests until the client closes its side.
func (p *pump) up(ctx context.Context) error {
	buf := p.s.gate.buffers.Get(wire.Large)
	defer p.s.gate.buffers.Put(buf)
	for {
		if err := fill(p.client, buf, p.s.gate.opt.MaxFrame); err != nil {
			switch {
			case errors.Is(err, errFrame), errors.Is(err, io.EOF) && len(buf.B) > 0:
				return p.breakOff(ctx, err)
			case errors.Is(err, io.EOF), ctx.Err() != nil, timedOut(err):
				return nil
			}
			return fmt.Errorf("read from client: %w", err)
		}
		rest := buf.B
		for len(rest) > 0 {
			n, cmd, err := p.codec.Request(rest)
			if err != nil || n < 0 || n > len(rest) {
				return p.breakOff(ctx, err)
			}
			if n == 0 {
				break
			}
			if err := p.request(ctx, rest[:n], cmd); err != nil {
				return err
			}
			rest = rest[n:]
		}
		buf.B = buf.B[:copy(buf.B, rest)]
	}
}

// breakOff refuses what cannot be read and ends the session.
func (p *pump) breakOff(ctx context.Context, cause error) error {
	d := p.s.Refuse(ctx, nil, &weir.Denied{
		Kind: weir.DeniedRequest, Reason: "the request cannot be read or is too large", Err: cause,
	})
	return errors.Join(d, p.deny(d))
}

// request decides one frame and forwards it.
func (p *pump) request(ctx context.Context, frame []byte, cmd *weir.Command) error {
	if cmd == nil {
		if d := p.s.over(); d != nil {
			return d
		}
		_, err := p.target.Write(frame)
		return err
	}
	x, err := p.s.Ask(ctx, cmd)
	if err != nil {
		var d *weir.Denied
		if !errors.As(err, &d) {
			d = unborn()
		}
		return p.deny(d)
	}
	p.mu.Lock()
	p.queue = append(p.queue, turn{x: x}) // before the write: the answer may be faster than us
	p.mu.Unlock()
	return x.Forward(func(context.Context) error {
		_, err := p.target.Write(frame)
		return err
	})
}

// deny tells the client no, after the answers that are due before it.
func (p *pump) deny(d *weir.Denied) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	refusal := p.codec.Refuse(nil, d)
	if len(p.queue) > 0 {
		p.queue = append(p.queue, turn{refuse: refusal})
		return nil
	}
	_, err := p.client.Write(refusal)
	return err
}

// down reads answers until the target closes, or the client has and nothing is due any more.
func (p *pump) down() error {
	buf := p.s.gate.buffers.Get(wire.Large)
	defer p.s.gate.buffers.Put(buf)
	var batch Batch
	var edits []Edit
	var spliced []byte
	for {
		if err := fill(p.target, buf, p.s.gate.opt.MaxFrame); err != nil {
			p.mu.Lock()
			quiet := len(p.queue) == 0
			p.mu.Unlock()
			if quiet {
				return nil
			}
			return &weir.Denied{Kind: weir.DeniedTarget, Reason: "the target closed the connection", Err: err}
		}
		batch = Batch{Spans: batch.Spans[:0]}
		if err := p.codec.Response(&batch, buf.B); err != nil {
			return err
		}
		if batch.End < 0 || batch.End > len(buf.B) {
			return errors.New("codec: batch ends outside the buffer")
		}
		if batch.End == 0 {
			continue
		}
		frames := buf.B[:batch.End]
		var err error
		if edits, err = p.maskSpans(edits[:0], frames, batch.Spans); err != nil {
			return err
		}
		out := frames
		if len(edits) > 0 {
			if spliced, err = p.codec.Splice(spliced[:0], frames, edits); err != nil {
				return err
			}
			out = spliced
		}
		done, err := p.answer(out, len(edits), batch.Answered)
		if err != nil || done {
			return err
		}
		buf.B = buf.B[:copy(buf.B, buf.B[batch.End:])]
	}
}

// maskSpans masks each span; one whose masked form has its length is changed in place.
func (p *pump) maskSpans(edits []Edit, frames []byte, spans []Span) ([]Edit, error) {
	last := 0
	_, err := guard(p.s.gate, "masker", func() (struct{}, error) {
		for _, sp := range spans {
			if sp.Start < last || sp.End < sp.Start || sp.End > len(frames) {
				return struct{}{}, errors.New("codec: spans out of order")
			}
			last = sp.End
			value := frames[sp.Start:sp.End]
			masked := p.s.mask.Value(nil, sp.Name, value, nil)
			if string(masked) != string(value) {
				edits = append(edits, Edit{Start: sp.Start, End: sp.End, New: masked})
			}
		}
		return struct{}{}, nil
	})
	return edits, err
}

// answer records masked frames, writes them, and takes the answered commands off the queue. It reports
// whether the session is finished.
func (p *pump) answer(out []byte, masked, answered int) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.s.over(); d != nil {
		return true, d
	}
	if err := p.recordAnswer(out, masked); err != nil {
		return true, err
	}
	if _, err := p.client.Write(out); err != nil {
		return true, err
	}
	for ; answered > 0 && len(p.queue) > 0 && p.queue[0].x != nil; answered-- {
		p.queue[0].x.End(nil)
		p.queue = p.queue[1:]
		for len(p.queue) > 0 && p.queue[0].refuse != nil {
			if _, err := p.client.Write(p.queue[0].refuse); err != nil {
				return true, err
			}
			p.queue = p.queue[1:]
		}
	}
	return p.drained && len(p.queue) == 0, nil
}

// recordAnswer keeps the masked frames with the exchange whose turn it is, or with the session.
func (p *pump) recordAnswer(out []byte, masked int) error {
	if len(p.queue) == 0 {
		keep := out[:min(len(out), p.s.info.Resource.RecordCap)]
		return p.s.record(context.Background(), &weir.Record{Kind: weir.RecordAnswerBody, Data: keep}) //nolint:forbidigo // belongs to no request
	}
	x := p.queue[0].x
	for range masked {
		x.answer.tally.Add("value")
	}
	_, err := (&tee{x: x, kind: weir.RecordAnswerBody, track: &x.answer}).Write(out)
	return err
}

// timedOut reports that a deadline in the past woke a read: the session is ending for another reason.
func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// fill reads once into buf, which grows up to limit bytes.
func fill(c Conn, buf *wire.Buffer, limit int) error {
	if len(buf.B) == cap(buf.B) {
		if len(buf.B) >= limit {
			return errFrame
		}
		grown := make([]byte, len(buf.B), min(2*cap(buf.B), limit))
		copy(grown, buf.B)
		buf.B = grown
	}
	n, err := c.Read(buf.B[len(buf.B):cap(buf.B)])
	buf.B = buf.B[:len(buf.B)+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}
