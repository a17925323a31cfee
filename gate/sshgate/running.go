package sshgate

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/session"
	"weir/gate/wire"
)

// running is a program at the target and the way of its bytes.
type running struct {
	ch  *channel
	x   *session.Exchange
	tch ssh.Channel
	to  sending // what tch is written to

	mu   sync.Mutex // guards the exchange's books against its end
	in   io.WriteCloser
	over bool

	people bool // who enters one command after the other
}

// renewal is how often the recording of a shell or a terminal goes on where it had stopped, when nothing is entered.
const renewal = 10 * time.Second

// forward starts the program and carries its bytes until it ends.
func (ch *channel) forward(ctx context.Context, x *session.Exchange, p program, cmd *weir.Command) (ending, error) {
	tch, err := ch.c.openTarget(ctx, "session", nil)
	if err != nil {
		if known := (*weir.Error)(nil); !errors.As(err, &known) {
			err = weir.NewError(weir.Unavailable, "the target opens no channel; try again, or ask an administrator", err)
		}
		return ending{}, err
	}
	defer func() { _ = tch.Close() }()
	r := &running{ch: ch, x: x, tch: tch, to: sending{ch: tch}, people: p.request == "shell" || p.request == "exec" && ch.pty != nil}
	defer r.close()
	ended := make(chan ending, 1)
	ch.c.run("target channel", func() {
		defer close(ended)
		ended <- awaitEnding(tch.requests)
	})
	ch.notice(ch.c.session)
	if err = r.prepare(p); err == nil {
		if p.files != "" {
			err = r.serveFiles(ctx, p, cmd)
		} else {
			err = r.carry(p)
		}
	}
	if err != nil {
		_ = tch.Close()
		return ending{}, ch.why(tch.tc, err)
	}
	e := <-ended // a program that has closed its output may go on reading
	r.close()
	if e == (ending{}) {
		if err := ch.why(tch.tc, nil); err != nil {
			return e, err
		}
	}
	return e, x.Head(e.String(), e.attrs())
}

// why is why a program ended without saying how: err, or that the target's connection broke, which looks like the end of all that it carried.
func (ch *channel) why(tc *targetConn, err error) error {
	if d := (*weir.Denied)(nil); errors.As(err, &d) || ch.ctx.Err() != nil || !tc.broke() {
		return err
	}
	return weir.NewError(weir.Unavailable, "the connection to the target broke; what ran there was cut off, or goes on", err)
}

// prepare sends what the client set up and starts the program.
func (r *running) prepare(p program) error {
	for _, e := range r.ch.env {
		_, _ = r.tch.SendRequest("env", false, ssh.Marshal(e))
	}
	if pty := r.ch.pty; pty != nil {
		if ok, err := r.tch.SendRequest("pty-req", true, ssh.Marshal(pty)); err != nil || !ok {
			return weir.NewError(weir.Unavailable, "the target gives no terminal; try without one: ssh -T", err)
		}
	}
	shape := weir.FormatText
	if p.files != "" || r.ch.pty == nil && p.kind != "" {
		shape = weir.FormatOpaque
	}
	var err error
	if r.in, err = r.x.CommandBody(weir.Shape{Format: shape}); err != nil {
		return err
	}
	var payload []byte
	if p.request != "shell" {
		payload = ssh.Marshal(textRequest{Text: p.text})
	}
	if ok, err := r.tch.SendRequest(p.request, true, payload); err != nil || !ok {
		return weir.NewError(weir.Unavailable, "the target refused to run it; ask an administrator", err)
	}
	r.ch.started(r)
	return nil
}

// awaitEnding reads the target's requests until it closes the channel.
func awaitEnding(requests <-chan *ssh.Request) ending {
	var e ending
	for q := range requests {
		ok := false
		switch q.Type {
		case "exit-status":
			var s exitStatus
			if ok = parse(q, &s); ok {
				e = ending{status: &s}
			}
		case "exit-signal":
			var s exitSignal
			if ok = parse(q, &s); ok {
				s.Message, s.Language = "", "" // may hold anything
				e = ending{signal: &s}
			}
		}
		if q.WantReply {
			_ = q.Reply(ok, nil)
		}
	}
	return e
}

// String is the ending as records show it.
func (e ending) String() string {
	switch {
	case e.status != nil:
		return "exit " + strconv.FormatUint(uint64(e.status.Status), 10)
	case e.signal != nil:
		return "signal " + printable(e.signal.Signal)
	}
	return "closed"
}

func (e ending) attrs() []weir.Attr {
	switch {
	case e.status != nil:
		return []weir.Attr{{Name: "exit_status", Value: strconv.FormatUint(uint64(e.status.Status), 10)}}
	case e.signal != nil:
		return []weir.Attr{{Name: "exit_signal", Value: printable(e.signal.Signal)}}
	}
	return nil
}

// carry moves bytes both ways until the target's output has ended.
func (r *running) carry(p program) error {
	quiet := r.ch.c.h.opt.Quiet
	var typed *typing
	if r.ch.pty != nil {
		typed = newTyping(r, p)
	}
	r.ch.c.run("input", func() { r.input(typed) })
	failed := make(chan error, 1)
	r.ch.c.run("stderr", func() {
		err := errors.New("panic")
		defer func() { failed <- err }()
		var w weir.MaskWriter
		if w, err = r.x.ErrorWriter(r.ch.ch.Stderr(), weir.Shape{Format: weir.FormatTerminal}); err == nil {
			err = r.output(newQuiet(w, quiet, r.abort), r.tch.Stderr(), nil, nil)
		}
		if err != nil {
			_ = r.tch.Close() // ends the other output, too
		}
	})
	err := r.stdout(p, typed)
	if err != nil {
		_ = r.tch.Close()
	}
	if other := <-failed; err == nil {
		err = other
	}
	return err
}

// stdout looks at the first bytes, decides how the rest is looked into, and carries it.
func (r *running) stdout(p program, typed *typing) error {
	quiet := r.ch.c.h.opt.Quiet
	if r.ch.pty != nil {
		w, err := r.x.Writer(r.ch.ch, weir.Shape{Format: weir.FormatTerminal})
		if err != nil {
			return err
		}
		return r.output(newQuiet(w, quiet, r.abort), r.tch, nil, typed)
	}
	first := make([]byte, wire.Small)
	n, err := r.tch.Read(first)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	shape, kind, d := r.shape(p, first[:n])
	if d != nil {
		return r.x.Refuse(d)
	}
	if kind != "" {
		if err := r.x.Head("opaque", []weir.Attr{{Name: "allow_opaque", Value: kind}}); err != nil {
			return err
		}
	}
	w, err := r.x.Writer(r.ch.ch, shape)
	if err != nil {
		return err
	}
	return r.output(newQuiet(w, quiet, r.abort), r.tch, first[:n], nil)
}

// shape is how an output that begins with first is looked into. kind names the exception that is used, if one is.
func (r *running) shape(p program, first []byte) (weir.Shape, string, *weir.Denied) {
	t := r.ch.c.target
	if p.kind != "" && p.kind != OpaquePipe && t.allowsOpaque(p.kind) {
		return weir.Shape{Format: weir.FormatOpaque}, p.kind, nil
	}
	if isText(first) && p.kind != OpaqueGit && p.kind != OpaqueRsync {
		return weir.Shape{Format: weir.FormatTerminal}, "", nil // colours and edited lines come without a terminal, too
	}
	kind := p.kind
	if kind == "" {
		kind = OpaquePipe
	}
	if t.allowsOpaque(kind) {
		return weir.Shape{Format: weir.FormatOpaque}, kind, nil
	}
	return weir.Shape{}, "", &weir.Denied{
		Kind: weir.DeniedContent, Rule: "allow_opaque", Reason: "refused: the output is not text and cannot be looked into",
		Hint: "the resource's setting allow_opaque: [" + kind + "] lets it pass, with known secrets masked",
	}
}

func (t *Target) allowsOpaque(kind string) bool {
	for _, k := range t.AllowOpaque {
		if k == kind {
			return true
		}
	}
	return false
}

// abort ends the program and the client's channel, also where the target says nothing any more: OpenSSH keeps a closed channel until its program ends.
func (r *running) abort(err error) {
	_ = r.tch.Close()
	r.ch.leave(r.ch.refused(err))
}

// output copies from the target through w until the end. It closes w.
func (r *running) output(w *quietWriter, src io.Reader, first []byte, typed *typing) error {
	if len(first) > 0 {
		if _, err := w.Write(first); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	renewed := r.ch.c.h.opt.Now()
	err := r.ch.c.h.copy(src, func(p []byte) error {
		if r.people {
			if now := r.ch.c.h.opt.Now(); now.Sub(renewed) >= renewal {
				renewed = now
				r.x.Renew()
			}
		}
		if typed != nil {
			typed.echo(p)
		}
		_, err := w.Write(p)
		return err
	})
	if e := w.Close(); err == nil {
		err = e
	}
	return err
}

// copy reads until the end and hands on what it read. It holds a small buffer while little comes and a large one while much does.
func (h *Handler) copy(src io.Reader, to func(p []byte) error) error {
	size := wire.Small
	buf := h.buffers.Get(size)
	defer func() { h.buffers.Put(buf) }()
	for {
		b := buf.B[:cap(buf.B)]
		n, err := src.Read(b)
		if n > 0 {
			if err := to(b[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		next := wire.Small
		if n >= wire.Small {
			next = wire.Large
		}
		if next != size {
			h.buffers.Put(buf)
			buf, size = h.buffers.Get(next), next
		}
	}
}

// input carries what the client sends, recorded first, until it ends. The end of input is passed on, too.
func (r *running) input(typed *typing) {
	if r.stopOn(r.ch.c.h.copy(r.ch.ch, func(p []byte) error { return r.send(p, typed) })) {
		return
	}
	if typed != nil {
		typed.leave()
	}
	r.to.end()
}

// stopOn ends the program when the client's input fails, which the client is told of if it was refused.
func (r *running) stopOn(err error) bool {
	if d := (*weir.Denied)(nil); errors.As(err, &d) {
		r.ch.say(refusal(d))
	}
	if err != nil {
		_ = r.tch.Close()
	}
	return err != nil
}

func (r *running) send(p []byte, typed *typing) error {
	if r.people {
		r.x.Renew()
	}
	if typed != nil {
		return typed.send(p)
	}
	if err := r.keep(p); err != nil {
		return err
	}
	_, err := r.to.Write(p)
	return err
}

// keep records a copy of the client's bytes. After the exchange's end it fails.
func (r *running) keep(p []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return io.ErrClosedPipe
	}
	_, err := r.in.Write(p)
	return err
}

// resize records and passes on a change of the client's terminal.
func (r *running) resize(w windowChange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	if err := r.x.Note(weir.RecordResize, "", resizeAttrs(w.Columns, w.Rows)...); err != nil {
		_ = r.tch.Close()
		return
	}
	_, _ = r.tch.SendRequest("window-change", false, ssh.Marshal(w))
}

// close closes the books of the input.
func (r *running) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return
	}
	r.over = true
	if r.in != nil {
		_ = r.in.Close()
	}
}
