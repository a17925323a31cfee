package sshgate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"weir"
	"weir/gate/session"
)

const (
	// maxLine is the longest line that is put together, in bytes. A longer one is refused where lines are asked for.
	maxLine = 8 << 10
	// echoWait is how long the target may take to show what was typed.
	echoWait  = 150 * time.Millisecond
	interrupt = 0x03
	// maxAhead is how much may be typed while a line is held, in bytes. Behind that the client waits.
	maxAhead = 64 << 10
)

// typing puts together the lines that are entered at a terminal, from the keys that were pressed. A line that the target did not
// show, as of a password, is neither recorded nor asked about. It is a guess: what a shell completes, recalls or edits in the middle is not
// seen.
type typing struct {
	r   *running
	ask bool

	turn sync.Mutex // held while what was typed is worked on; guards all down to held
	held *heldLine  // nil: no line is held

	line   []byte // as edited
	raw    []byte // as pressed, not recorded yet
	escape escape
	long   bool

	mu     sync.Mutex
	expect []byte        // typed and not shown yet
	shown  chan struct{} // holds one when expect became empty
}

// heldLine is a line that waits for an approval, and what is typed meanwhile.
type heldLine struct {
	cancel context.CancelCauseFunc
	ahead  []byte        // typed since, nothing of it looked at yet
	out    bool          // ^C: the line is not to run
	over   chan struct{} // closed when ahead has been worked on
}

// escape is where in a key's control sequence the input stands.
type escape uint8

const (
	plain escape = iota
	escaped
	sequence
)

func newTyping(r *running, p program) *typing {
	return &typing{r: r, ask: r.ch.c.target.AskLines && p.request == "shell", shown: make(chan struct{}, 1)}
}

// send passes on what was typed. While a line is held it keeps that, and looks for ^C only.
func (t *typing) send(p []byte) error {
	t.turn.Lock()
	h := t.held
	for h != nil && len(h.ahead)+len(p) > maxAhead {
		t.turn.Unlock()
		select {
		case <-h.over:
		case <-t.r.ch.ctx.Done():
			return io.ErrClosedPipe
		}
		t.turn.Lock()
		h = t.held
	}
	defer t.turn.Unlock()
	if h == nil {
		return t.work(p)
	}
	if i := bytes.IndexByte(p, interrupt); i >= 0 { // as a terminal does: what was typed before it is forgotten
		h.out = true
		h.ahead, p = h.ahead[:0], p[i+1:]
		h.cancel(session.ErrWithdrawn)
	}
	h.ahead = append(h.ahead, p...)
	return nil
}

// work passes on what was typed. What stands before the end of a line goes at once, the end when the line is allowed. turn is held.
func (t *typing) work(p []byte) error {
	for len(p) > 0 {
		i := bytes.IndexAny(p, "\r\n")
		part := p
		if i >= 0 {
			part = p[:i]
		}
		if len(part) > 0 {
			t.press(part)
			if _, err := t.r.to.Write(part); err != nil {
				return err
			}
		}
		if len(t.raw) > maxLine {
			if err := t.settle(nil); err != nil {
				return err
			}
		}
		if i < 0 {
			return nil
		}
		if err := t.enter(p[i : i+1]); err != nil {
			return err
		}
		p = p[i+1:]
		if t.held != nil {
			t.held.ahead = append(t.held.ahead, p...)
			return nil
		}
	}
	return nil
}

// press edits the line as a terminal's driver and most shells do.
func (t *typing) press(p []byte) {
	t.raw = append(t.raw, p...)
	for _, b := range p {
		switch {
		case t.escape == escaped:
			t.escape = plain
			if b == '[' || b == 'O' {
				t.escape = sequence
			}
		case t.escape == sequence:
			if b >= 0x40 && b <= 0x7e {
				t.escape = plain
			}
		case b == 0x1b:
			t.escape = escaped
		case b == 0x7f || b == 0x08:
			if len(t.line) > 0 {
				_, n := utf8.DecodeLastRune(t.line)
				t.line = t.line[:len(t.line)-n]
			}
		case b == 0x15: // ^U
			t.line = t.line[:0]
		case b == 0x17: // ^W
			trimmed := bytes.TrimRight(t.line, " ")
			t.line = trimmed[:bytes.LastIndexByte(trimmed, ' ')+1]
		case b == interrupt || b == 0x04:
			t.line = t.line[:0]
		case b >= ' ':
			if len(t.line) >= maxLine {
				t.long = true
				continue
			}
			t.line = append(t.line, b)
			t.mu.Lock()
			t.expect = append(t.expect, b)
			t.mu.Unlock()
		}
	}
}

// echo looks for what was typed in what the target shows.
func (t *typing) echo(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.expect) == 0 {
		return
	}
	for _, b := range p {
		if b == t.expect[0] {
			if t.expect = t.expect[1:]; len(t.expect) == 0 {
				select {
				case t.shown <- struct{}{}:
				default:
				}
				return
			}
		}
	}
}

// visible waits a little until the target has shown what was typed, and reports whether it did. It forgets what was expected.
func (t *typing) visible() bool {
	late := time.NewTimer(echoWait)
	defer late.Stop()
	for {
		t.mu.Lock()
		done := len(t.expect) == 0
		t.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-t.shown:
		case <-late.C:
			t.mu.Lock()
			t.expect = nil
			t.mu.Unlock()
			return false
		case <-t.r.ch.ctx.Done():
			return false
		}
	}
}

// settle records what was typed, or only the end of the line when the target did not show it.
func (t *typing) settle(end []byte) error {
	keep := end
	if t.visible() {
		keep = append(t.raw, end...)
	}
	t.raw = t.raw[:0]
	if len(keep) == 0 {
		return nil
	}
	return t.r.keep(keep)
}

// leave waits for a held line and records the rest.
func (t *typing) leave() {
	t.turn.Lock()
	for t.held != nil {
		over := t.held.over
		t.turn.Unlock()
		<-over
		t.turn.Lock()
	}
	defer t.turn.Unlock()
	_ = t.settle(nil)
}

// enter ends a line. One that is refused is wiped, and the shell lives on.
func (t *typing) enter(end []byte) error {
	line, long := string(t.line), t.long
	t.line, t.long = t.line[:0], false
	seen := t.visible()
	if !seen {
		t.raw = t.raw[:0]
	}
	if err := t.settle(end); err != nil {
		return err
	}
	if !t.ask || !seen || strings.TrimSpace(line) == "" {
		_, err := t.r.to.Write(end)
		return err
	}
	return t.refused(t.allow(line, long, end))
}

// refused wipes a line that was refused by an interrupt.
func (t *typing) refused(err error) error {
	var d *weir.Denied
	if !errors.As(err, &d) || d.Kind == weir.DeniedSession {
		return err
	}
	t.r.ch.say(refusal(d))
	_, err = t.r.to.Write([]byte{interrupt})
	return err
}

// allow asks about a line and ends it when it may run. One that is held is left to a goroutine of its own, so that ^C is read.
func (t *typing) allow(line string, long bool, end []byte) error {
	ch := t.r.ch
	cmd := ch.c.command("LINE", "line", line)
	if ch.c.h.opt.Shell != nil {
		cmd.SSH.Shell = ch.c.h.opt.Shell(line)
	}
	if long {
		return ch.c.session.Refuse(ch.ctx, cmd, &weir.Denied{
			Kind: weir.DeniedRequest, Reason: "refused: the line is too long to be looked at", Hint: "put it into a file, or shorten it",
		})
	}
	ctx, cancel := context.WithCancelCause(ch.ctx)
	held, first := make(chan struct{}), sync.Once{}
	cmd.Held = func(id weir.RequestID) {
		ch.say("held for approval as " + string(id) + "; it runs once approved, and ^C or closing the connection withdraws it")
		first.Do(func() { close(held) })
	}
	asked := make(chan permission, 1)
	ch.c.run("line", func() {
		defer close(asked) // a panic refuses
		x, err := ch.c.session.Ask(ctx, cmd)
		asked <- permission{x, err}
	})
	select {
	case p := <-asked:
		defer cancel(nil)
		return t.finish(p, end)
	case <-held:
	}
	h := &heldLine{cancel: cancel, over: make(chan struct{})}
	t.held = h
	end = bytes.Clone(end)
	ch.c.run("held line", func() {
		defer close(h.over)
		defer cancel(nil)
		p := <-asked
		t.turn.Lock()
		defer t.turn.Unlock()
		t.held = nil
		t.r.stopOn(t.decided(h, p, end))
	})
	return nil
}

// permission is the answer about a line.
type permission struct {
	x   *session.Exchange
	err error
}

// decided ends a line that was held, and goes on with what was typed meanwhile. turn is held.
func (t *typing) decided(h *heldLine, p permission, end []byte) error {
	if h.out && p.err == nil { // it was approved at the last moment
		p.x.End(session.ErrWithdrawn)
		p = permission{err: &weir.Denied{Kind: weir.DeniedUnapproved, Reason: "the request was withdrawn while it waited for approval"}}
	}
	if err := t.refused(t.finish(p, end)); err != nil {
		return err
	}
	return t.work(h.ahead)
}

// finish ends the line.
func (t *typing) finish(p permission, end []byte) error {
	if p.err != nil {
		return p.err
	}
	if p.x == nil {
		return io.ErrClosedPipe
	}
	err := p.x.Forward(func(context.Context) error {
		_, err := t.r.to.Write(end)
		return err
	})
	p.x.End(err)
	return err
}
