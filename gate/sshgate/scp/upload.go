package scp

import (
	"context"
	"errors"
	"io"
	"path"

	"weir/gate/sshgate/transfer"
)

// Upload relays between a client that sends and a target that runs "scp -t". Options.Paths is the one place that the command names. It returns nil
// when the client ended the transfer in order. The caller closes both streams, also to cut a run short.
func Upload(ctx context.Context, client, target io.ReadWriter, host transfer.Host, opt Options) error {
	r := newRun(client, target, host, opt)
	err := r.upload(ctx)
	r.close(err)
	return err
}

func (r *run) upload(ctx context.Context) error {
	a, err := r.target.answer()
	if err == nil {
		err = r.reply(a)
	}
	for err == nil {
		var m message
		if m, err = r.client.next(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		switch m.kind {
		case 1, 2: // the client cannot read a file
			err = r.target.send(m)
			if m.kind == 2 {
				return errors.Join(err, errFatal)
			}
		case 'T':
			r.times = &m
			err = r.client.send(message{})
		case 'E':
			if err = r.leave(); err == nil {
				a, err = r.target.ask(m)
			}
			if err == nil {
				err = r.reply(a)
			}
		case 'D':
			err = r.mkdir(ctx, m)
		case 'C':
			err = r.receive(ctx, m)
		}
	}
	return err
}

// reply passes the target's answer on to the client.
func (r *run) reply(a message) error {
	if a.kind == 0 {
		return r.client.send(a)
	}
	if err := r.tell(a); err != nil || a.kind == 2 {
		return errors.Join(err, errFatal)
	}
	return nil
}

// places are the paths that a name may end at: within the directory that the command names, or the file itself that it names.
func (r *run) places(name string) []string {
	if n := len(r.dirs); n > 0 {
		return within(r.dirs[n-1], name)
	}
	if len(r.opt.Paths) == 0 {
		return []string{name}
	}
	return []string{path.Join(r.opt.Paths[0], name), r.opt.Paths[0]}
}

// announce sends a line, and the times that belong to it, to the target.
func (r *run) announce(m message) (message, error) {
	if t := r.times; t != nil {
		r.times = nil
		if a, err := r.target.ask(*t); err != nil || a.kind != 0 {
			return a, err
		}
	}
	return r.target.ask(m)
}

func (r *run) mkdir(ctx context.Context, m message) error {
	op := transfer.Op{Name: "mkdir", Paths: r.places(m.name), Write: true}
	x, err := r.begin(ctx, op)
	if err != nil {
		r.times = nil
		return r.refuse(m.name, err)
	}
	a, err := r.announce(m)
	if err != nil || a.kind != 0 {
		x.End(err)
		if err != nil {
			return err
		}
		return r.reply(a)
	}
	if err := r.enter(op.Paths, x); err != nil {
		return err
	}
	return r.reply(a)
}

// receive relays one file to the target.
func (r *run) receive(ctx context.Context, m message) error {
	op := transfer.Op{Name: "open", Paths: r.places(m.name), Write: true, Flags: "write,create,truncate"}
	x, err := r.begin(ctx, op)
	if err != nil {
		r.times = nil
		return r.refuse(m.name, err)
	}
	u := transfer.NewUpload(x, r.opt.Options)
	send := r.large
	if m.size <= maxWhole {
		send = r.small
	}
	outcome, err := send(x, u, m)
	attrs, closed := u.Close()
	if err == nil {
		err = closed
	}
	return errors.Join(err, finish(x, op, outcome, attrs, err))
}

// small takes all of a file before the target hears of it.
func (r *run) small(x transfer.Exchange, u *transfer.Upload, m message) (outcome string, err error) {
	if err := r.client.send(message{}); err != nil {
		return "failed", err
	}
	b := make([]byte, m.size)
	if _, err := io.ReadFull(r.client.r, b); err != nil {
		return "failed", unexpected(err)
	}
	status, err := r.client.answer()
	if err != nil {
		return "failed", err
	}
	if why := u.Write(b, 0); why != nil {
		r.times = nil
		return "refused", r.refuse(m.name, denied(x, why))
	}
	a, err := r.announce(m)
	if err != nil {
		return "failed", err
	}
	if a.kind != 0 {
		return "failed", r.reply(a)
	}
	if _, err := r.target.w.Write(b); err != nil {
		return "failed", err
	}
	return r.settle(status)
}

// large passes a file on as it comes. A refusal ends the transfer: the target has been promised all of it.
func (r *run) large(x transfer.Exchange, u *transfer.Upload, m message) (outcome string, err error) {
	a, err := r.announce(m)
	if err != nil {
		return "failed", err
	}
	if err := r.reply(a); err != nil || a.kind != 0 {
		return "failed", err
	}
	for at := int64(0); at < m.size; {
		p := r.buf[:min(int64(len(r.buf)), m.size-at)]
		if _, err := io.ReadFull(r.client.r, p); err != nil {
			return "failed", unexpected(err)
		}
		if why := u.Write(p, at); why != nil {
			why = denied(x, why)
			return "refused", errors.Join(r.tell(message{kind: 2, text: "scp: " + m.name + ": " + transfer.Refusal(why)}), why)
		}
		if _, err := r.target.w.Write(p); err != nil {
			return "failed", err
		}
		at += int64(len(p))
	}
	status, err := r.client.answer()
	if err != nil {
		return "failed", err
	}
	return r.settle(status)
}

// settle passes on what the client says at the end of a file, and the target's answer.
func (r *run) settle(status message) (outcome string, err error) {
	a, err := r.target.ask(status)
	if err != nil {
		return "failed", err
	}
	outcome = "ok"
	if status.kind != 0 || a.kind != 0 {
		outcome = "failed"
	}
	return outcome, r.reply(a)
}
