package sftp

import (
	"weir"
	"weir/gate/sshgate/transfer"
)

const (
	lookBehind  = 256 << 10 // bytes before a place in an opaque file that a view begins at: more than the longest spelling of a known secret
	keepBehind  = 512 << 10 // bytes behind the lowest read that is waited for that stay in the window
	maxWindow   = 4 << 20   // bytes of masked content that a view holds, about
	smallWindow = 1 << 20   // when there are many
	maxFlight   = 64        // READs of one view under way
	maxAhead    = 1 << 20   // bytes read ahead of what the client asked for
	maxWaiting  = 1024      // READs of the client that wait for one view
	minChunk    = 4 << 10
	anewWithin  = 256 << 10 // a file of which the same is read again within so many bytes of its beginning is read anew
)

// view is what the client sees of a file: the target's bytes from some place on, through a masker that keeps the length.
type view struct {
	s   *session
	h   *handle
	gen uint32 // READs of older ones are not waited for any more

	mw      weir.MaskWriter
	shape   weir.Shape
	refused string // what every read is answered with; "" for none
	gone    bool   // the handle is being closed

	// What the target is asked for.
	ask    int64 // where the next READ begins
	fed    int64 // what came so far ends here
	flight []flight
	depth  int // READs that may be under way
	chunk  int // bytes of one

	// What came out of the masker: win[at:] stands for the file from lo on.
	win     []byte
	at      int
	lo      int64
	valid   int64 // nothing before it is given: what stands there may be the rest of a secret
	dropped bool  // what comes out of the masker is not wanted

	wait  []waiting
	goal  int64 // the client asked for no byte behind it
	high  int64 // the client got no byte behind it
	ahead int64
	eof   bool // the file ended at fed when it was looked at last
	probe bool // it is being looked at again
}

// flight is one READ under way.
type flight struct {
	id   uint32
	off  int64
	n    int
	done bool
	data []byte // its bytes, when others before it are missing
	code uint32 // of its STATUS, when there are no data
	text string
}

// waiting is one READ of the client.
type waiting struct {
	id     uint32
	off    int64
	n      int
	sawEnd bool // the end of the file was looked for after it came
}

func newView(s *session, h *handle) *view {
	v := &view{s: s, h: h, chunk: 32 << 10}
	v.restart(0)
	return v
}

// Write takes what comes out of the masker.
func (v *view) Write(p []byte) (int, error) {
	if !v.dropped {
		v.win = append(v.win, p...)
	}
	return len(p), nil
}

// stop ends the masker; what it holds is dropped.
func (v *view) stop() {
	if v.mw == nil {
		return
	}
	v.dropped = true
	_ = v.mw.Close()
	v.mw, v.dropped = nil, false
}

// restart begins anew at a place of the file.
func (v *view) restart(at int64) {
	v.stop()
	v.gen++
	v.flight, v.depth = v.flight[:0], 2
	v.ask, v.fed, v.lo, v.valid = at, at, at, 0
	if at > 0 {
		v.valid = at + lookBehind
	}
	v.win, v.at = v.win[:0], 0
	v.goal, v.high, v.ahead = 0, 0, 0
	v.eof, v.probe = false, false
	for i := range v.wait {
		v.wait[i].sawEnd = false
	}
}

// forget begins anew because the file may have changed.
func (v *view) forget() {
	if v.gone || v.fed == 0 && len(v.flight) == 0 {
		return
	}
	v.restart(0)
	v.shape = weir.Shape{}
	v.pump()
}

// abandon answers nothing any more but what waits: the handle is closed.
func (v *view) abandon() {
	v.gone = true
	v.all(statusFailure, errGone.PublicText())
	v.restart(0)
}

// read handles a READ of the client.
func (v *view) read(id uint32, off int64, n int) {
	if v.refused != "" {
		v.s.status(id, statusDenied, v.refused)
		return
	}
	if len(v.wait) >= maxWaiting {
		v.s.status(id, statusFailure, "refused: too many reads of one file are waiting")
		return
	}
	if len(v.wait) == 0 {
		if off < v.high && off+int64(n) <= anewWithin { // files of /proc say something else every time
			v.restart(0)
		}
		v.chunk = min(max(n, minChunk), maxData)
	}
	v.wait = append(v.wait, waiting{id: id, off: off, n: n})
	v.pump()
}

// reply handles the answer to one of the view's own READs. An error ends the session.
func (v *view) reply(id, gen uint32, kind byte, f *fields) error {
	var data []byte
	var code uint32
	var text string
	switch kind {
	case typeData:
		if data = f.str(); !f.end() {
			return errTarget
		}
	case typeStatus:
		var err error
		if code, text, err = v.s.readStatus(f); err != nil {
			return err
		}
	default:
		return errTarget
	}
	if gen != v.gen || v.gone {
		return nil
	}
	for i := range v.flight {
		fl := &v.flight[i]
		if fl.id != id || fl.done {
			continue
		}
		if len(data) > fl.n || kind == typeData && len(data) == 0 || kind == typeStatus && code == statusOK {
			return errTarget
		}
		fl.done, fl.code, fl.text = true, code, text
		if i > 0 {
			fl.data = append(fl.data[:0], data...)
			return nil
		}
		fl.data = data
		v.land()
		v.pump()
		return v.s.fault
	}
	return errTarget
}

// land feeds the masker with the READs that are done, in the order of the file.
func (v *view) land() {
	gen := v.gen
	n := 0
	for n < len(v.flight) && v.flight[n].done && v.refused == "" {
		fl := &v.flight[n]
		if len(fl.data) == 0 {
			v.ended(fl.code, fl.text)
			return
		}
		if v.probe || v.eof { // it has grown: what was at its end is masked with what follows
			v.again()
			return
		}
		v.feed(fl.data)
		if gen != v.gen {
			return
		}
		if short := len(fl.data); short < fl.n {
			fl.off, fl.n, fl.done, fl.data = fl.off+int64(short), fl.n-short, false, nil
			fl.id = v.send(fl.off, fl.n)
			break
		}
		n++
	}
	for i := range n {
		v.flight[i].data = nil
	}
	v.flight = v.flight[:copy(v.flight, v.flight[n:])]
	v.depth = min(maxFlight, v.depth+n)
}

// again begins anew near the lowest read that is waited for.
func (v *view) again() {
	at := int64(0)
	if w := v.lowest(0); w != nil && v.shape.Format == weir.FormatOpaque {
		at = max(0, w.off-lookBehind)
	}
	v.restart(at)
}

// feed masks bytes of the file.
func (v *view) feed(p []byte) {
	err := v.look(p)
	if err == nil {
		v.fed += int64(len(p))
		_, err = v.mw.Write(p)
	}
	if err != nil {
		v.refuse(err)
	}
}

// look decides on the kind of the file by its first bytes, and once more on every later part of a text: one that stops to be a text
// goes on to be masked as one, which finds more, but only where files that are not text may pass.
func (v *view) look(p []byte) error {
	if v.shape.Format == weir.FormatUnknown {
		shape, err := transfer.Shape(p, v.s.opt)
		if err != nil {
			return err
		}
		v.shape = shape
	} else if v.shape.Format == weir.FormatText && !v.s.opt.AllowOpaque && !transfer.Text(p) {
		return transfer.RefuseOpaque()
	}
	if v.mw != nil {
		return nil
	}
	mw, err := v.h.x.Writer(v, v.shape)
	if err == nil && mw == nil {
		err = errTarget
	}
	v.mw = mw
	return err
}

// ended handles the end of the file, or a failure to read it.
func (v *view) ended(code uint32, text string) {
	if code != statusEOF {
		v.all(code, text)
		v.restart(0)
		return
	}
	v.gen++ // nothing behind it is wanted
	v.flight, v.probe = v.flight[:0], false
	if v.mw != nil {
		err := v.mw.Close()
		v.mw = nil
		if err != nil {
			v.refuse(err)
			return
		}
	}
	v.eof = true
	for i := range v.wait {
		v.wait[i].sawEnd = true
	}
}

// refuse answers all reads with a refusal, now and later.
func (v *view) refuse(err error) {
	v.refused = v.h.refuse(err)
	if v.refused == "" {
		v.refused = "refused"
	}
	v.all(statusDenied, v.refused)
	v.restart(0)
}

// all answers all reads that wait.
func (v *view) all(code uint32, text string) {
	for _, w := range v.wait {
		v.s.status(w.id, code, text)
	}
	v.wait = v.wait[:0]
}

// out is where what the view has ends.
func (v *view) out() int64 { return v.lo + int64(len(v.win)-v.at) }

// lowest is the read with the lowest offset that is not below from, or nil.
func (v *view) lowest(from int64) *waiting {
	var low *waiting
	for i := range v.wait {
		if w := &v.wait[i]; w.off >= from && (low == nil || w.off < low.off) {
			low = w
		}
	}
	return low
}

// pump answers what can be answered and asks the target for what is missing.
func (v *view) pump() {
	if v.refused != "" || v.gone {
		return
	}
	v.answer()
	low := v.lowest(max(v.lo, v.valid))
	if low == nil && len(v.wait) > 0 {
		low = v.reposition(v.lowest(0).off)
	}
	if low != nil && v.shape.Format == weir.FormatOpaque && low.off > v.out()+maxWindow {
		low = v.reposition(low.off)
	}
	v.trim(low)
	if v.eof {
		v.look4end(low)
		return
	}
	for _, w := range v.wait {
		if low != nil && w.off <= low.off+maxWindow/2 {
			v.goal = max(v.goal, w.off+int64(w.n))
		}
	}
	window := int64(maxWindow)
	if len(v.s.handles) > 4 {
		window = smallWindow
	}
	for len(v.flight) < v.depth {
		wanted := v.ask < v.goal+v.ahead && v.ask-v.lo < window && v.goal > 0
		if !wanted && (low == nil || len(v.flight) > 0) {
			return
		}
		v.flight = append(v.flight, flight{id: v.send(v.ask, v.chunk), off: v.ask, n: v.chunk})
		v.ask += int64(v.chunk)
	}
}

// reposition begins anew so that a read at off can be answered. The kind of the file must be known before it is entered in its middle.
func (v *view) reposition(off int64) *waiting {
	at := int64(0)
	if v.shape.Format == weir.FormatOpaque {
		at = max(0, off-lookBehind)
	}
	v.restart(at)
	return v.lowest(0)
}

// look4end asks whether the file still ends where it did.
func (v *view) look4end(low *waiting) {
	if low == nil || len(v.flight) > 0 {
		return
	}
	v.probe = true
	v.flight = append(v.flight, flight{id: v.send(v.fed, v.chunk), off: v.fed, n: v.chunk})
}

// send asks the target for bytes.
func (v *view) send(off int64, n int) uint32 {
	id := v.s.take(slot{kind: slotView, h: v.h, gen: v.gen})
	v.s.target.put(func(dst []byte) []byte { return appendRead(dst, id, v.h.target, off, n) })
	return id
}

// answer answers the reads that the window holds.
func (v *view) answer() {
	kept := v.wait[:0]
	for _, w := range v.wait {
		end, out := w.off+int64(w.n), v.out()
		from := max(v.lo, v.valid)
		switch {
		case w.off >= from && end <= out:
			v.give(w, end)
		case w.off >= from && v.eof && w.off < out:
			v.give(w, out)
		case v.eof && w.off >= out && w.sawEnd:
			v.s.status(w.id, statusEOF, "")
		default:
			kept = append(kept, w)
		}
	}
	v.wait = kept
}

// give sends a part of the window.
func (v *view) give(w waiting, end int64) {
	p := v.win[v.at+int(w.off-v.lo) : v.at+int(end-v.lo)]
	v.s.client.put(func(dst []byte) []byte {
		from := len(dst)
		return finish(appendString(begin(dst, typeData, w.id), p), from)
	})
	v.h.given.Give(p, w.off)
	v.high = max(v.high, end)
	v.ahead = min(maxAhead, v.ahead+int64(len(p)))
}

// trim drops what lies far behind.
func (v *view) trim(low *waiting) {
	behind := v.high
	if low != nil {
		behind = low.off
	}
	if drop := min(behind-keepBehind, v.out()) - v.lo; drop > 0 {
		v.at += int(drop)
		v.lo += drop
	}
	if v.at > len(v.win)/2 && v.at > keepBehind {
		v.win = v.win[:copy(v.win, v.win[v.at:])]
		v.at = 0
	}
}
