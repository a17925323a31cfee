package sshgate

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/session"
)

// Exit statuses of what did not run. Others are the target's.
const (
	exitRefused = 126 // a command that may not be run, as shells say it
	exitFailed  = 255 // the connection failed, as ssh says it
)

// maxPending is how many requests for a program are kept until it is begun.
const maxPending = 32

// channel is one session channel (RFC 4254, section 6). At most one program runs in it.
type channel struct {
	c      *conn
	ch     ssh.Channel
	ctx    context.Context //nolint:containedctx // the channel's own life
	cancel context.CancelFunc

	// Owned by the goroutine that reads requests, until the program is begun.
	env  []envRequest
	size int // bytes of env
	pty  *ptyRequest

	passing sync.Mutex     // held while requests for the program are passed on, which keeps their order; guards pending
	pending []laterRequest // that came before it was begun

	mu      sync.Mutex
	run     *running   // what is begun at the target; nil before
	screen  bool       // there is a terminal
	writing sync.Mutex // held while a message of the gateway's own is written
}

// laterRequest is a request for a program.
type laterRequest struct {
	kind string
	do   func(*running)
}

// sessionChannel accepts the channel and serves its requests until the client closes it.
func (c *conn) sessionChannel(nc ssh.NewChannel) {
	sch, requests, err := nc.Accept()
	if err != nil {
		return
	}
	ch := &channel{c: c, ch: sch}
	ch.ctx, ch.cancel = context.WithCancel(c.ctx)
	c.mu.Lock()
	c.open[ch] = struct{}{}
	news := c.news
	c.news = nil
	c.mu.Unlock()
	for _, text := range news {
		ch.say(text)
	}
	begun := false
	for r := range requests {
		ok := false
		switch {
		case r.Type == "exec" || r.Type == "shell" || r.Type == "subsystem":
			if !begun {
				begun = ch.begin(r)
				continue
			}
		case begun:
			ok = ch.later(r)
		default:
			ok = ch.setUp(r)
		}
		if r.WantReply {
			_ = r.Reply(ok, nil)
		}
	}
	ch.cancel() // the client closed the channel: a hold is withdrawn, a program loses its terminal
	ch.stop()
	_ = sch.Close()
	c.mu.Lock()
	delete(c.open, ch)
	c.mu.Unlock()
}

// setUp serves what a client may ask for before a program.
func (ch *channel) setUp(r *ssh.Request) bool {
	switch r.Type {
	case "env":
		var e envRequest
		if !parse(r, &e) || !ch.c.target.allowsEnv(e.Name) || strings.ContainsRune(e.Name+e.Value, 0) {
			return false
		}
		if ch.size += len(e.Name) + len(e.Value); ch.size > maxEnv {
			return false
		}
		ch.env = append(ch.env, e)
		return true
	case "pty-req":
		var p ptyRequest
		if ch.pty != nil || ch.c.limits.noTerminal || !parse(r, &p) || p.Columns > maxSide || p.Rows > maxSide || len(p.Term) > 128 || len(p.Modes) > 4096 {
			return false
		}
		p.Term = printable(p.Term)
		ch.pty = &p
		ch.mu.Lock()
		ch.screen = true
		ch.mu.Unlock()
		return true
	case "window-change":
		var w windowChange
		if ch.pty == nil || !parse(r, &w) || w.Columns > maxSide || w.Rows > maxSide {
			return false
		}
		ch.pty.Columns, ch.pty.Rows, ch.pty.Width, ch.pty.Height = w.Columns, w.Rows, w.Width, w.Height
		return true
	}
	ch.c.refuseRequest(r) // agent and X11 forwarding among them
	return false
}

// later serves what a client may ask for while a program runs. What comes before the target has begun it waits for that.
func (ch *channel) later(r *ssh.Request) bool {
	var do func(*running)
	switch r.Type {
	case "window-change":
		var w windowChange
		if ch.pty == nil || !parse(r, &w) || w.Columns > maxSide || w.Rows > maxSide {
			return false
		}
		do = func(p *running) { p.resize(w) }
	case "signal":
		var s textRequest
		if !parse(r, &s) || len(s.Text) > 32 {
			return false
		}
		do = func(p *running) { _, _ = p.tch.SendRequest("signal", false, ssh.Marshal(s)) }
	case "break":
		payload := r.Payload
		do = func(p *running) { _, _ = p.tch.SendRequest("break", false, payload) }
	default:
		ch.c.refuseRequest(r)
		return false
	}
	ch.passing.Lock()
	defer ch.passing.Unlock()
	ch.mu.Lock()
	p := ch.run
	ch.mu.Unlock()
	if p != nil {
		do(p)
		return true
	}
	if r.Type == "window-change" { // only the last one counts
		ch.pending = slices.DeleteFunc(ch.pending, func(l laterRequest) bool { return l.kind == r.Type })
	}
	if len(ch.pending) < maxPending {
		ch.pending = append(ch.pending, laterRequest{r.Type, do})
	}
	return true
}

// begin starts what the client asks for beside the loop over requests. It answers the request itself.
func (ch *channel) begin(r *ssh.Request) bool {
	var t textRequest
	known := r.Type == "shell" || parse(r, &t) && len(t.Text) <= maxCommand
	if r.Type == "subsystem" && known && t.Text != "sftp" {
		known = false
		ch.c.refuse("subsystem", t.Text, "")
	}
	if r.WantReply {
		_ = r.Reply(known, nil)
	}
	if !known {
		return false
	}
	ch.c.run(r.Type, func() {
		status := ch.serve(r.Type, t.Text)
		ch.finish(status)
	})
	return true
}

// ending is how a program ended: with a status, by a signal, or without a word.
type ending struct {
	status *exitStatus
	signal *exitSignal
}

func exited(status uint32) ending { return ending{status: &exitStatus{Status: status}} }

// finish tells the client how it ended and closes the channel: first the end of the output, then the status, then the close.
func (ch *channel) finish(e ending) {
	ch.writing.Lock() // no message of the gateway's own is on its way
	_ = ch.ch.CloseWrite()
	ch.writing.Unlock()
	ch.leave(e)
}

// leave is finish without an end of the output, which may still be written to. It may be called more than once.
func (ch *channel) leave(e ending) {
	switch {
	case e.status != nil:
		_, _ = ch.ch.SendRequest("exit-status", false, ssh.Marshal(e.status))
	case e.signal != nil:
		_, _ = ch.ch.SendRequest("exit-signal", false, ssh.Marshal(e.signal))
	}
	_ = ch.ch.Close()
}

// serve asks for permission and runs. It returns how it ended.
func (ch *channel) serve(kind, text string) ending {
	cmd, exec, d := ch.understand(kind, text)
	if d != nil {
		return ch.refused(ch.c.session.Refuse(ch.ctx, cmd, d))
	}
	cmd.Held = func(id weir.RequestID) {
		ch.say("held for approval as " + string(id) + "; it goes on once approved, and closing this withdraws it")
	}
	x, err := ch.c.session.Ask(ch.ctx, cmd)
	if err != nil {
		return ch.refused(err)
	}
	var e ending
	err = x.Forward(func(ctx context.Context) error {
		e, err = ch.forward(ctx, x, exec, cmd)
		return err
	})
	x.End(err)
	if err != nil {
		return ch.refused(err)
	}
	return e
}

// program is what is to be started at the target.
type program struct {
	request string // "exec", "shell", "subsystem"
	text    string
	files   string // "sftp", "scp": a file server looks into it
	kind    string // of opaque payload, by the command
}

// understand turns a request into a command. What the resource's settings refuse comes back as d.
func (ch *channel) understand(kind, text string) (*weir.Command, program, *weir.Denied) {
	c, t := ch.c, ch.c.target
	p := program{request: kind, text: text}
	no := func(reason, hint string) *weir.Denied {
		return &weir.Denied{Kind: weir.DeniedByRule, Rule: "resource", Reason: reason, Hint: hint}
	}
	params := ch.params()
	var terminal *weir.Terminal
	if ch.pty != nil {
		terminal = &weir.Terminal{Type: ch.pty.Term, Columns: ch.pty.Columns, Rows: ch.pty.Rows}
	}
	switch kind {
	case "shell":
		cmd := c.command("SHELL", "shell", "", params...)
		cmd.SSH.Terminal = terminal
		if t.NoShell || t.ExecOnly || len(t.AllowCommands) > 0 {
			return cmd, p, no("refused: this resource has no shell", "name the command: ssh HOST COMMAND")
		}
		return cmd, p, nil
	case "subsystem":
		p.files = "sftp"
		cmd := c.command("SFTP", "sftp", "", params...)
		if c.h.opt.Files == nil || t.ExecOnly {
			return cmd, p, no("refused: this resource transfers no files", "ask an administrator if you need this")
		}
		return cmd, p, nil
	}
	cmd := c.command("EXEC", "exec", text, params...)
	cmd.SSH.Terminal = terminal
	if c.h.opt.Shell != nil {
		cmd.SSH.Shell = c.h.opt.Shell(text)
	}
	if names, receives, ok := scpNames(cmd.SSH.Shell); ok {
		p.files = "scp"
		cmd.Operation, cmd.SSH.Channel = "SCP", "scp"
		if c.h.opt.Files == nil || t.ExecOnly {
			return cmd, p, no("refused: this resource transfers no files", "ask an administrator if you need this")
		}
		if name, ok := expanded(names, receives); ok {
			return cmd, p, &weir.Denied{
				Kind: weir.DeniedRequest, Reason: "refused: a shell makes other names of " + printable(name) + ", which no rule could be compared with", Hint: "leave out the option -O of scp, or name the directory in full",
			}
		}
	} else if !commandAllowed(t.AllowCommands, text, cmd.SSH.Shell) {
		return cmd, p, no("refused: this is none of the resource's commands", "ask an administrator which are, or to add it")
	}
	if strings.ContainsRune(text, 0) {
		return cmd, p, &weir.Denied{Kind: weir.DeniedRequest, Reason: "refused: the command holds a zero byte", Hint: "send text"}
	}
	p.kind = opaqueKind(cmd.SSH.Shell)
	return cmd, p, nil
}

// params are what an approval is bound to beside the command.
func (ch *channel) params() []string {
	var out []string
	for _, e := range ch.env {
		out = append(out, e.Name, e.Value)
	}
	if ch.pty != nil {
		out = append(out, "pty")
	}
	return out
}

// refused tells the client why nothing, or no more, comes. The connection lives on.
func (ch *channel) refused(err error) ending {
	var d *weir.Denied
	if errors.As(err, &d) {
		ch.say(refusal(d))
		if d.Kind == weir.DeniedTarget {
			return exited(exitFailed)
		}
		return exited(exitRefused)
	}
	known := (*weir.Error)(nil)
	if ch.ctx.Err() != nil || errors.Is(err, io.EOF) && !errors.As(err, &known) {
		return exited(exitFailed) // nobody listens
	}
	_, public := weir.PublicOf(err)
	ch.say(public)
	return exited(exitFailed)
}

// say writes a line of the gateway's own where errors are read.
func (ch *channel) say(text string) {
	end := "\n"
	ch.mu.Lock()
	if ch.screen {
		end = "\r\n"
	}
	ch.mu.Unlock()
	ch.writing.Lock()
	defer ch.writing.Unlock()
	_, _ = io.WriteString(ch.ch.Stderr(), "weir: "+printable(text)+end)
}

// stop closes the target's side, if there is one.
func (ch *channel) stop() {
	ch.mu.Lock()
	p := ch.run
	ch.mu.Unlock()
	if p != nil {
		_ = p.tch.Close()
	}
}

// started makes p what later requests are for.
func (ch *channel) started(p *running) {
	ch.passing.Lock()
	defer ch.passing.Unlock()
	ch.mu.Lock()
	ch.run = p
	ch.mu.Unlock()
	for _, l := range ch.pending {
		l.do(p)
	}
	ch.pending = nil
	if ch.ctx.Err() != nil {
		_ = p.tch.Close()
	}
}

// notice tells the first terminal of a connection that it is recorded.
func (ch *channel) notice(s *session.Session) {
	c := ch.c
	if !c.h.opt.Notice || ch.pty == nil {
		return
	}
	c.mu.Lock()
	told := c.told
	c.told = true
	c.mu.Unlock()
	if !told {
		ch.say("this session is recorded as " + string(s.Info().ID))
	}
}
