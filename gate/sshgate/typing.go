package sshgate

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"weir"
)

const (
	// maxLine is the longest line that is put together, in bytes. A longer one is refused where lines are asked for.
	maxLine = 8 << 10
	// echoWait is how long the target may take to show what was typed.
	echoWait  = 150 * time.Millisecond
	interrupt = 0x03
)

// typing puts together the lines that are entered at a terminal, from the keys that were pressed. A line that the target did not
// show, as of a password, is neither recorded nor asked about. It is a guess: what a shell completes, recalls or edits in the middle is not
// seen.
type typing struct {
	r   *running
	ask bool

	// Owned by the goroutine that reads the client.
	line   []byte // as edited
	raw    []byte // as pressed, not recorded yet
	escape escape
	long   bool

	mu     sync.Mutex
	expect []byte        // typed and not shown yet
	shown  chan struct{} // holds one when expect became empty
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

// send passes on what was typed. What stands before the end of a line goes at once, the end when the line is allowed.
func (t *typing) send(p []byte) error {
	for len(p) > 0 {
		i := bytes.IndexAny(p, "\r\n")
		part := p
		if i >= 0 {
			part = p[:i]
		}
		if len(part) > 0 {
			t.press(part)
			if _, err := t.r.tch.Write(part); err != nil {
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

// leave records the rest.
func (t *typing) leave() { _ = t.settle(nil) }

// enter ends a line. A line that is refused is wiped by an interrupt, and the shell lives on.
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
		_, err := t.r.tch.Write(end)
		return err
	}
	err := t.allow(line, long, end)
	var d *weir.Denied
	if !errors.As(err, &d) || d.Kind == weir.DeniedSession {
		return err
	}
	t.r.ch.say(refusal(d))
	_, err = t.r.tch.Write([]byte{interrupt})
	return err
}

// allow asks about a line and ends it when it may run.
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
	cmd.Held = func(id weir.RequestID) {
		ch.say("held for approval as " + string(id) + "; it runs once approved, and closing the connection withdraws it")
	}
	x, err := ch.c.session.Ask(ch.ctx, cmd)
	if err != nil {
		return err
	}
	err = x.Forward(func(context.Context) error {
		_, err := t.r.tch.Write(end)
		return err
	})
	x.End(err)
	return err
}
