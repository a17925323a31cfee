package session

import (
	"io"
	"strconv"

	"weir"
)

// tee stands behind a masker: it records what it is given, then passes it on.
type tee struct {
	x     *Exchange
	kind  weir.RecordKind
	track *track
	dst   io.Writer // nil: record only

	renewed uint64 // of the exchange's renewals, those that were seen
	before  int64  // what was kept before the last of them
	skipped int64  // not kept since then
}

// Write records masked bytes up to the cap and passes them on. The order is the promise: nothing that
// could not be recorded reaches the client.
func (t *tee) Write(p []byte) (int, error) {
	x := t.x
	if err := x.alive(); err != nil {
		return 0, err
	}
	if d := x.s.over(); d != nil {
		return 0, d
	}
	if t.kind == weir.RecordAnswerBody {
		if err := x.flushHeads(); err != nil {
			return 0, err
		}
	}
	if err := t.renew(); err != nil {
		return 0, err
	}
	keep := min(int64(len(p)), max(0, int64(x.s.info.Resource.RecordCap)-(t.track.kept-t.before)))
	if keep > 0 {
		if err := x.s.record(x.ctx, &weir.Record{Exchange: x.n, Kind: t.kind, Data: p[:keep]}); err != nil {
			return 0, err
		}
	}
	t.track.kept += keep
	t.track.bytes += int64(len(p))
	t.skipped += int64(len(p)) - keep
	if t.dst == nil {
		return len(p), nil
	}
	return t.dst.Write(p)
}

// renew begins a new body when the exchange says so, and tells what is missing before it. Input has no place for that: the end of the exchange tells.
func (t *tee) renew() error {
	x := t.x
	n := x.renewed()
	if n == t.renewed {
		return nil
	}
	skipped := t.skipped
	t.renewed, t.before, t.skipped = n, t.track.kept, 0
	if skipped == 0 || t.kind == weir.RecordCommandBody || x.s.info.Resource.RecordCap == 0 {
		return nil
	}
	count := strconv.FormatInt(skipped, 10)
	return x.s.record(x.ctx, &weir.Record{
		Exchange: x.n, Kind: t.kind, Attrs: []weir.Attr{{Name: "skipped", Value: count}}, Data: []byte("\r\n[weir: " + count + " bytes are not recorded]\r\n"),
	})
}

// maskedWriter guards a mask's writer: it never panics into an engine, and after an error it
// stays in error, so that nothing half-masked follows.
type maskedWriter struct {
	t   *tee
	m   weir.MaskWriter
	err error
}

func (w *maskedWriter) run(f func() error) error {
	if w.err != nil {
		return w.err
	}
	if err := w.t.x.alive(); err != nil {
		w.err = err
		return err
	}
	w.err = w.guarded(f)
	return w.err
}

// guarded turns a panic of the masker into a refusal. Errors of the client's connection stay as they are.
func (w *maskedWriter) guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = w.t.x.s.gate.fault("masker", errPanic)
		}
	}()
	return f()
}

// Write masks, records and passes on p, or holds it back while it may become a secret.
func (w *maskedWriter) Write(p []byte) (int, error) {
	if err := w.run(func() error { _, err := w.m.Write(p); return err }); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on what cannot become part of a secret any more. The head is recorded then, also when
// nothing was passed on: an engine may send it now.
func (w *maskedWriter) Flush() error {
	return w.run(func() error {
		if err := w.m.Flush(); err != nil {
			return err
		}
		if w.t.kind == weir.RecordAnswerBody {
			return w.t.x.flushHeads()
		}
		return nil
	})
}

// Close passes on the rest.
func (w *maskedWriter) Close() error {
	return w.run(func() error {
		if err := w.m.Close(); err != nil {
			return err
		}
		if w.t.kind == weir.RecordAnswerBody {
			return w.t.x.flushHeads()
		}
		return nil
	})
}
