package scp

import (
	"context"
	"errors"
	"io"
	"strconv"

	"weir"
	"weir/gate/sshgate/transfer"
)

// Download relays between a client that receives and a target that runs "scp -f". It returns nil when the target ended the transfer
// in order. The caller closes both streams, also to cut a run short.
func Download(ctx context.Context, client, target io.ReadWriter, host transfer.Host, opt Options) error {
	r := newRun(client, target, host, opt)
	err := r.download(ctx)
	r.close(err)
	return err
}

func (r *run) download(ctx context.Context) error {
	if m, err := r.client.answer(); err != nil || m.kind != 0 {
		return errors.Join(err, errFatal)
	}
	if err := r.target.send(message{}); err != nil {
		return err
	}
	for {
		m, err := r.target.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch m.kind {
		case 1, 2:
			if err := r.tell(m); err != nil || m.kind == 2 {
				return errors.Join(err, errFatal)
			}
			continue
		case 'T':
			r.times = &m
			err = r.target.send(message{})
		case 'E':
			if err = r.leave(); err == nil {
				err = r.pass(m)
			}
		case 'D':
			err = r.directory(ctx, m)
		case 'C':
			err = r.file(ctx, m)
		}
		if err != nil {
			return err
		}
	}
}

// pass sends a line to the client and its answer to the target.
func (r *run) pass(m message) error {
	a, err := r.offer(m)
	if err != nil {
		return err
	}
	return r.target.send(a)
}

// offer sends a line, and the times that belong to it, to the client. Its name is masked.
func (r *run) offer(m message) (message, error) {
	if t := r.times; t != nil && m.kind != 'E' {
		r.times = nil
		if a, err := r.client.ask(*t); err != nil || a.kind != 0 {
			return a, err
		}
	}
	if m.kind != 'E' {
		name, err := r.masked(m.name)
		if err != nil {
			return message{}, err
		}
		if m.name = name; !plain(name) {
			return message{}, errProtocol
		}
	}
	return r.client.ask(m)
}

// skip tells both ends that what a line announced is refused.
func (r *run) skip(name string, err error) error {
	r.times = nil
	if err := r.refuse(name, err); err != nil {
		return err
	}
	return r.target.send(message{kind: 1, text: "refused"})
}

func (r *run) directory(ctx context.Context, m message) error {
	names := r.sources(m.name)
	x, err := r.begin(ctx, transfer.Op{Name: "list", Paths: names})
	if err != nil {
		return r.skip(m.name, err)
	}
	a, err := r.offer(m)
	if err != nil || a.kind != 0 {
		x.End(err)
		if err != nil {
			return err
		}
		return r.target.send(a)
	}
	if err := r.enter(names, x); err != nil {
		return err
	}
	return r.target.send(a)
}

// file relays one file.
func (r *run) file(ctx context.Context, m message) error {
	op := transfer.Op{Name: "open", Paths: r.sources(m.name), Flags: "read"}
	x, err := r.begin(ctx, op)
	if err != nil {
		return r.skip(m.name, err)
	}
	var given transfer.Download
	outcome, err := r.contents(x, m, &given)
	attrs := append([]weir.Attr{{Name: "bytes", Value: strconv.FormatInt(m.size, 10)}}, given.Attrs()...)
	return errors.Join(err, finish(x, op, outcome, attrs, err))
}

// contents relays a file that was allowed. An error ends the transfer.
func (r *run) contents(x transfer.Exchange, m message, given *transfer.Download) (outcome string, err error) {
	if err := r.target.send(message{}); err != nil {
		return "failed", err
	}
	first := r.buf[:min(int64(len(r.buf)), m.size)]
	if _, err := io.ReadFull(r.target.r, first); err != nil {
		return "failed", unexpected(err)
	}
	shape, why := transfer.Shape(first, r.opt.Options)
	if why != nil {
		r.times = nil
		if err := errors.Join(r.refuse(m.name, denied(x, why)), r.drain(m.size-int64(len(first)))); err != nil {
			return "refused", err
		}
		return "refused", r.target.send(message{kind: 1, text: "refused"})
	}
	a, err := r.offer(m)
	if err != nil {
		return "failed", err
	}
	if a.kind != 0 { // the client does not want it
		if err := r.drain(m.size - int64(len(first))); err != nil {
			return "failed", err
		}
		return "not taken", r.target.send(a)
	}
	why, err = r.stream(x, shape, first, m.size, given)
	if err != nil {
		return "failed", err
	}
	status, err := r.target.answer()
	if err != nil {
		return "failed", err
	}
	outcome = "ok"
	switch {
	case why != nil:
		outcome, err = "refused", r.refuse(m.name, denied(x, why))
	case status.kind != 0:
		outcome, err = "failed", r.tell(status)
	default:
		err = r.client.send(status)
	}
	if err != nil {
		return outcome, err
	}
	a, err = r.client.answer()
	if err != nil {
		return outcome, err
	}
	return outcome, r.target.send(a)
}

// drain reads the rest of a file that nobody gets, and what the target says of it.
func (r *run) drain(n int64) error {
	if _, err := io.CopyN(io.Discard, r.target.r, n); err != nil {
		return unexpected(err)
	}
	_, err := r.target.answer()
	return err
}

// counter counts what goes to the client.
type counter struct {
	w     io.Writer
	n     int64
	given *transfer.Download
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.given.Give(p[:n], c.n)
	c.n += int64(n)
	return n, err
}

// stream masks a file's bytes; why tells that they stopped to be a text and the rest was filled up.
func (r *run) stream(x transfer.Exchange, shape weir.Shape, p []byte, size int64, given *transfer.Download) (why, err error) {
	out := &counter{w: r.client.w, given: given}
	w, err := x.Writer(out, shape)
	if err != nil {
		return nil, err
	}
	rest := size - int64(len(p))
	for {
		if shape.Format == weir.FormatText && !r.opt.AllowOpaque && !transfer.Text(p) {
			why = transfer.RefuseOpaque()
		}
		if why == nil {
			if _, err := w.Write(p); err != nil {
				return nil, err
			}
		}
		if rest == 0 {
			break
		}
		p = r.buf[:min(int64(len(r.buf)), rest)]
		if _, err := io.ReadFull(r.target.r, p); err != nil {
			return nil, unexpected(err)
		}
		rest -= int64(len(p))
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if out.n > size || why == nil && out.n != size {
		return nil, errProtocol
	}
	for i := range r.buf {
		r.buf[i] = '*'
	}
	for out.n < size {
		if _, err := out.Write(r.buf[:min(int64(len(r.buf)), size-out.n)]); err != nil {
			return nil, err
		}
	}
	return why, nil
}
