package mask

import (
	"slices"

	"weir"
)

const (
	// maxLine is how far back in the current line text can still be changed, in bytes. Write holds no more than that for this
	// reason alone; Flush holds nothing for it.
	maxLine = 4 << 10
	// maxString is the longest control string (OSC, DCS, APC, PM, SOS) that is looked into, in bytes. A longer one is dropped.
	maxString = 64 << 10
	// maxControl is the longest other control function, in bytes. A longer one is dropped.
	maxControl = 4 << 10
	// Control functions that stand in text which is held are held with it. So each byte of text pays for controlsPerText bytes of
	// them, and those that are not paid for are dropped.
	maxControls     = 256 << 10
	controlsPerText = 64
	// lexAtOnce is how much of a Write is read before what is decided is passed on, in bytes.
	lexAtOnce = 64 << 10
	// What is held is searched again when one part in maxShare of what is more than 1 KiB of it is new, so that many short Writes cost no more than a long one.
	maxShare = 16
)

// terminalWriter masks what goes to a terminal. It reads the stream three ways at once, as text is typed, as it stands on
// the screen after lines were edited, and with all taken out that may stand where a line is cut, and masks what any of
// them shows to be secret. Control functions pass, those inside a secret behind its placeholder.
//
// Write holds what may become a secret (detect.MaxHold, the longest known secret), the current line up to
// maxLine bytes, and a control function that is not complete. Flush holds the value of a name that has no end yet, a token
// behind an issuer's prefix, and what a known secret begins with; the last only once if it is a short beginning.
type terminalWriter struct {
	m     *Masker
	w     sink
	tally *weir.Tally
	err   error
	lex   terminalLexer

	buf     []byte // what is held, control functions masked already
	first   int    // where in buf it begins
	emitted int    // where it begins in the stream; all places are counted from the stream's begin
	marks   []terminalMark
	funcs   []controlFunction
	out     []byte

	typed  terminalView
	screen terminalView
	joined joinedView
	mixed  mixedView
	line   terminalLine
	room   int // bytes of control functions that are paid for
	blind  bool
	silent bool // there was a Flush since the last Write

	lineAt    int // where the line begins
	lineText  int // and in typed.text
	cr        int // a carriage return that has no meaning yet; -1: none
	crPending bool
	blank     int // a blank at the end of typed.text that a wrapped line may have put there; -1: none
}

// terminalMark is a part of what is held that is to be replaced.
type terminalMark struct {
	start, end int
	kind       string
	text       []byte // the placeholder; nil if all that is to be done is to drop it
	rank       int    // of two that overlap, the higher one's placeholder stays
	at, to     int    // as it was before it was joined with others
}

// controlFunction is one that is held.
type controlFunction struct {
	at, n int
	keep  bool // when it stands in a secret
}

func newTerminal(m *Masker, w sink, t *weir.Tally) *terminalWriter {
	tw := &terminalWriter{m: m, w: w, tally: t, room: maxControls, cr: -1, blank: -1}
	tw.typed.scan.m, tw.screen.scan.m, tw.joined.scan.m = m, m, m
	tw.screen.rank = rankScreen
	tw.joined.rank, tw.joined.onlyKnown = rankKnown, true
	tw.mixed.scan.m, tw.mixed.rank, tw.mixed.onlyKnown = m, rankKnown, true
	tw.line.t, tw.line.credit = tw, maxControls
	return tw
}

// Write masks p.
func (t *terminalWriter) Write(p []byte) (int, error) {
	n := len(p)
	t.silent = t.silent && n == 0
	for len(p) > 0 && t.err == nil {
		part := p[:min(len(p), lexAtOnce)]
		p = p[len(part):]
		t.read(part)
		t.decide(false, false)
		t.pass(max(t.lineAt, t.end()-maxLine))
	}
	if t.err != nil {
		return 0, t.err
	}
	return n, nil
}

// Flush passes on all but what would be a secret, or the begin of one, if nothing more came. Any letter may begin one of the spellings of a known
// secret, and whoever waits for it must not wait for ever: with nothing written since the last Flush short beginnings are passed on, too.
func (t *terminalWriter) Flush() error {
	if t.err != nil || t.emitted == t.end() {
		return t.err
	}
	t.line.show(len(t.line.cells))
	t.decide(false, true)
	to := t.end()
	for _, v := range t.views() {
		to = min(to, v.held(v.quiet(t.silent), t.emitted))
	}
	t.silent = true
	t.emit(to)
	return t.err
}

// Close masks the rest as it stands.
func (t *terminalWriter) Close() error {
	if t.err != nil {
		return t.err
	}
	t.finishReading()
	t.settle()
	t.line.finish()
	t.decide(true, true)
	t.emit(t.end())
	return t.err
}

func (t *terminalWriter) views() [4]*terminalView {
	return [4]*terminalView{&t.typed, &t.screen, &t.joined.terminalView, &t.mixed.terminalView}
}

// end is where in the stream the next byte will stand.
func (t *terminalWriter) end() int { return t.emitted + len(t.buf) - t.first }

// decide searches all views; those where little is new only if it must be now.
func (t *terminalWriter) decide(final, now bool) {
	for _, v := range t.views() {
		fresh, held := v.fresh(), len(v.text)-v.from
		if final || fresh > 0 && (now || fresh > (held-1<<10)/maxShare) {
			v.decide(t, final)
		}
	}
}

// relieve searches views that have grown much since they were.
func (t *terminalWriter) relieve() {
	if max(t.typed.fresh(), t.screen.fresh(), t.joined.fresh(), t.mixed.fresh()) <= lexAtOnce {
		return
	}
	for _, v := range t.views() {
		if v.fresh() > lexAtOnce {
			v.decide(t, false)
		}
	}
}

// pass emits what is decided in all views, and nothing from limit on.
func (t *terminalWriter) pass(limit int) {
	for _, v := range t.views() {
		limit = min(limit, v.held(v.from, t.emitted))
	}
	t.emit(limit)
}

// mark puts a mark among the others; those it overlaps become one with it.
func (t *terminalWriter) mark(k terminalMark) {
	k.start = max(k.start, t.emitted)
	if k.start >= k.end {
		return
	}
	i := len(t.marks)
	for i > 0 && t.marks[i-1].end > k.start {
		i--
	}
	j := i
	for j < len(t.marks) && t.marks[j].start < k.end {
		o := t.marks[j]
		o.start, o.end = min(o.start, k.start), max(o.end, k.end)
		k.start, k.end = o.start, o.end
		if o.over(k) {
			k = o
		}
		j++
	}
	t.marks = slices.Replace(t.marks, i, j, k)
}

// over reports whether the placeholder of k stays and not that of o. It makes an order, so that it does not matter which was found first.
func (k terminalMark) over(o terminalMark) bool {
	switch {
	case (k.text == nil) != (o.text == nil):
		return k.text != nil
	case k.rank != o.rank:
		return k.rank > o.rank
	case k.at != o.at:
		return k.at < o.at
	}
	return k.to > o.to
}

// emit writes what is held up to to, or less where a mark would be cut.
func (t *terminalWriter) emit(to int) {
	n, f := 0, 0
	t.out = t.out[:0]
	for ; n < len(t.marks) && t.marks[n].start < to; n++ {
		k := t.marks[n]
		if k.end > to {
			to = max(k.start, t.emitted)
			break
		}
		t.out = append(t.out, t.held(t.emitted, k.start)...)
		if k.text != nil {
			t.tally.Add(k.kind)
			t.tally.Replaced(k.end - k.start)
			t.out = append(t.out, k.text...)
		}
		end := k.end
		for ; f < len(t.funcs) && t.funcs[f].at < k.end; f++ {
			c := t.funcs[f]
			if c.at >= k.start && c.keep {
				t.out = append(t.out, t.held(c.at, c.at+c.n)...)
			}
			if c.at >= k.start {
				end = max(end, c.at+c.n)
			}
		}
		t.drop(end)
	}
	if to > t.emitted {
		rest := t.held(t.emitted, to)
		if len(t.out) == 0 {
			t.write(rest)
		} else {
			t.out = append(t.out, rest...)
		}
		t.drop(to)
	}
	if len(t.out) > 0 {
		t.write(t.out)
	}
	t.marks = t.marks[:copy(t.marks, t.marks[n:])]
	for f < len(t.funcs) && t.funcs[f].at < t.emitted {
		f++
	}
	t.funcs = t.funcs[:copy(t.funcs, t.funcs[f:])]
	if t.first == len(t.buf) {
		t.buf, t.first = t.buf[:0], 0
	} else if t.first > lexAtOnce/2 {
		t.buf, t.first = t.buf[:copy(t.buf, t.buf[t.first:])], 0
	}
}

func (t *terminalWriter) write(p []byte) {
	if t.err == nil {
		_, t.err = t.w.Write(p)
	}
}

// held returns the bytes from from to to of the stream.
func (t *terminalWriter) held(from, to int) []byte {
	return t.buf[t.first+from-t.emitted : t.first+to-t.emitted]
}

// drop forgets what is held up to to.
func (t *terminalWriter) drop(to int) {
	t.first += to - t.emitted
	t.emitted = to
}

// put holds p and returns where it stands in the stream.
func (t *terminalWriter) put(p []byte) int {
	at := t.end()
	t.buf = append(t.buf, p...)
	return at
}

// putByte is put for one byte.
func (t *terminalWriter) putByte(c byte) int {
	at := t.end()
	t.buf = append(t.buf, c)
	return at
}

// putFunction holds a control function. It is dropped when it is not paid for.
func (t *terminalWriter) putFunction(p []byte, keep bool) (at int, held bool) {
	if len(p) > t.room {
		return t.end(), false
	}
	t.room -= len(p)
	at = t.put(p)
	t.mixed.function(at, p)
	t.funcs = append(t.funcs, controlFunction{at, len(p), keep})
	return at, true
}

// text takes p, which is one character or a run of printable ASCII. What is edited is followed byte by byte: how far back it can be changed, and
// what that may cost, must not depend on how the input is cut into runs.
func (t *terminalWriter) text(p []byte) {
	if p[0] < 0x80 && (t.line.active || t.crPending) {
		for i := range p {
			t.run(p[i : i+1])
		}
		return
	}
	t.run(p)
}

// run takes p as one.
func (t *terminalWriter) run(p []byte) {
	t.room = min(maxControls, t.room+controlsPerText*len(p))
	t.line.credit = min(maxControls, t.line.credit+controlsPerText*len(p))
	if t.blind {
		return
	}
	at := t.put(p)
	t.mixed.behind(at, p)
	t.show(at, p)
}

// show tells the views of a character or a run that stands at at.
func (t *terminalWriter) show(at int, p []byte) {
	if t.crPending {
		t.line.begin()
		t.line.home()
	}
	if t.line.active {
		t.line.refresh()
		t.line.write(at, p)
	}
	if t.cr >= 0 {
		if at, p = t.unwrap(at, p); len(p) == 0 {
			return
		}
	}
	t.settle()
	t.joined.feed(at, p)
	if n := len(p); p[n-1] == ' ' && (n > 1 && p[n-2] != ' ' || n == 1 && len(t.typed.text) > 0 && t.typed.text[len(t.typed.text)-1] > ' ') {
		t.blank = at + n - 1
		p = p[:n-1]
	}
	t.typed.add(at, p)
}

// unwrap decides what a carriage return in front of p means. Line editors write a blank or the first character of the next line at the
// margin, to make the terminal wrap, and then a carriage return: what follows goes on where the line was. It returns what is left of p.
func (t *terminalWriter) unwrap(at int, p []byte) (int, []byte) {
	cr := t.cr
	t.cr = -1
	last := byte('\n')
	if n := len(t.typed.text); n > 0 {
		last = t.typed.text[n-1]
	}
	switch {
	case last <= ' ' || p[0] <= ' ':
	case t.blank >= 0:
		t.blank = -1
		return at, p
	case last == p[0]:
		return at + 1, p[1:]
	}
	t.settle()
	t.typed.addByte(cr, '\n')
	t.lineText = len(t.typed.text)
	return at, p
}

// settle gives the typed view what may not be part of a wrapped line any more.
func (t *terminalWriter) settle() {
	if t.blank >= 0 {
		t.typed.addByte(t.blank, ' ')
		t.blank = -1
	}
}

// newline ends the line.
func (t *terminalWriter) newline(c byte) {
	t.room = min(maxControls, t.room+controlsPerText)
	t.separate(t.putByte(c))
	t.lineAt, t.blind = t.end(), false
}

// separate ends the line for what stands at at.
func (t *terminalWriter) separate(at int) {
	t.settle()
	t.cr, t.crPending = -1, false
	t.line.finish()
	t.typed.addByte(at, '\n')
	t.joined.cut = true
	t.lineAt, t.lineText = at, len(t.typed.text)
}

// carriageReturn moves to the begin of the line.
func (t *terminalWriter) carriageReturn() {
	if t.blind {
		return
	}
	if t.room == 0 {
		return
	}
	t.room--
	at := t.putByte('\r')
	t.joined.cut = true
	if t.cr < 0 {
		t.cr = at
	}
	if t.line.active {
		t.line.refresh()
		t.line.home()
	} else {
		t.crPending = true
	}
}

// edited makes the line one that is edited, with the cursor where it is.
func (t *terminalWriter) edited() *terminalLine {
	t.line.begin()
	t.line.refresh()
	if t.crPending {
		t.line.home()
	}
	return &t.line
}

// blinded is called when following the edits of a line would cost too much: nothing of it is passed on any more.
func (t *terminalWriter) blinded() {
	t.blind = true
	t.settle()
	mark := t.m.placeholder(nil, "terminal-line", nil, 0, t.tally)
	t.funcs = append(t.funcs, controlFunction{t.put(mark), len(mark), true})
}
