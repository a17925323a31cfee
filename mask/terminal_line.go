package mask

import (
	"unicode/utf8"

	"weir/mask/detect"
)

// cell is a character on the screen and where it stands in the stream.
type cell struct {
	text [utf8.UTFMax]byte
	n    uint8
	at   int
	more int // how many bytes behind the character belong to it: it was written more than once
}

// is reports that the cell shows one byte; same, that it shows what o does.
func (c *cell) is(b byte) bool    { return c.n == 1 && c.text[0] == b }
func (c *cell) same(o *cell) bool { return c.text == o.text && c.n == o.n }

func newCell(at int, p []byte) cell {
	c := cell{at: at}
	c.n = uint8(copy(c.text[:], p))
	return c
}

// terminalLine follows the edits of the line that the cursor is in. What it shows is appended to the screen view: as
// typed, and before something is overwritten or erased, what could be read until then. Width is not known: a character
// is one cell.
type terminalLine struct {
	t      *terminalWriter
	active bool // a line that is not edited is in the typed view only
	cells  []cell
	cur    int
	shown  int  // cells[:shown] end the screen view's text
	stale  bool // they did, but not any more
	over   bool // the cursor goes over old cells, writing
	since  int  // where in the stream the screen view last began a line
	credit int  // cells that may be shown again
}

// begin takes over the line from the typed view.
func (l *terminalLine) begin() {
	if l.active {
		return
	}
	l.active, l.cells, l.shown, l.stale, l.over = true, l.cells[:0], 0, false, false
	t := l.t
	l.newline()
	v := &t.typed
	from := max(t.lineText, len(v.text)-maxLine)
	v.each(from, len(v.text), func(start, end int) bool {
		// each goes through the text in order, and leaves nothing out: all typed text stands somewhere.
		p := v.text[from : from+end-start]
		from += len(p)
		for at := start; len(p) > 0; {
			_, n := utf8.DecodeRune(p)
			l.cells = append(l.cells, newCell(at, p[:n]))
			at, p = at+n, p[n:]
		}
		return true
	})
	if t.blank >= 0 {
		l.cells = append(l.cells, newCell(t.blank, []byte{' '}))
	}
	l.cur = len(l.cells)
	l.show(l.cur - 1)
}

// write writes a character or a run of ASCII.
func (l *terminalLine) write(at int, p []byte) {
	if p[0] >= 0x80 {
		l.put(newCell(at, p))
		return
	}
	for i, b := range p {
		l.put(cell{text: [utf8.UTFMax]byte{b}, n: 1, at: at + i})
	}
}

func (l *terminalLine) put(c cell) {
	blank := c.is(' ')
	switch {
	case l.cur == len(l.cells):
		l.shorten()
		if !blank || !l.stale {
			l.resume()
		}
		l.cells = append(l.cells, c)
	case l.cells[l.cur].same(&c) || c.is('_') && !l.cells[l.cur].is(' '):
		// Written twice is bold, and underlined is what it is.
		if old := &l.cells[l.cur]; l.shown <= l.cur && c.at > old.at {
			old.more = c.at + int(c.n) - old.at - int(old.n)
		}
	case l.shown <= l.cur && !l.over && l.cells[l.cur].is('_'):
		l.resume()
		old := l.cells[l.cur]
		c.at, c.more = old.at, max(0, c.at-old.at)
		l.cells[l.cur] = c
	case l.shown <= l.cur && (l.over || l.cells[l.cur].is(' ')):
		l.resume()
		l.cells[l.cur] = c
	default:
		l.change()
		if !blank {
			l.resume()
		}
		l.cells[l.cur] = c
	}
	l.cur++
}

// shorten forgets the first half of a line that is too long to be edited as a whole. The cursor is at its end.
func (l *terminalLine) shorten() {
	if len(l.cells) < 2*maxLine {
		return
	}
	l.show(maxLine)
	l.cells = l.cells[:copy(l.cells, l.cells[maxLine:])]
	l.cur, l.shown = l.cur-maxLine, max(0, l.shown-maxLine)
}

// change shows all of the line before a part of it goes.
func (l *terminalLine) change() {
	if !l.stale {
		l.show(len(l.cells))
		l.stale = true
	}
}

// resume makes the screen view's text end in cells[:cur].
func (l *terminalLine) resume() {
	if l.stale {
		l.again(l.cur)
		l.over = true
		return
	}
	l.show(l.cur)
}

// again begins a line of the screen view with what stands before cells[to].
func (l *terminalLine) again(to int) {
	reach := detect.Context
	for _, set := range l.t.m.sets {
		reach = max(reach, set.MaxPattern())
	}
	from := max(0, to-reach)
	l.pay(to - from)
	l.newline()
	l.shown, l.stale = from, false
	l.show(to)
	l.t.relieve()
}

// pay pays for work on n cells. When there is too much of it for the text that came, the rest of the line is not passed on.
func (l *terminalLine) pay(n int) {
	if l.credit -= n; l.credit < 0 && !l.t.blind {
		l.t.blinded()
	}
}

// show appends the cells up to to that are not shown yet.
func (l *terminalLine) show(to int) {
	if l.stale || !l.active || l.shown >= to {
		return
	}
	// What stands further back may have been passed on already, depending on how the input was split.
	oldest := l.t.end() - maxLine
	for ; l.shown < to; l.shown++ {
		c := &l.cells[l.shown]
		at := c.at
		if at < oldest {
			at = nowhere
		}
		l.t.screen.addCell(at, c)
	}
}

// back moves the cursor n cells to the left.
func (l *terminalLine) back(n int) {
	l.moved()
	l.cur = max(0, l.cur-n)
}

// home moves the cursor to the begin of the line.
func (l *terminalLine) home() {
	l.moved()
	l.cur = 0
	l.t.crPending = false
}

// moved shows what stands behind what was overwritten.
func (l *terminalLine) moved() {
	if l.over {
		l.pay(max(0, len(l.cells)-max(l.shown, l.cur)))
		l.show(len(l.cells))
		l.over = false
	}
}

// forward moves the cursor n cells to the right.
func (l *terminalLine) forward(n, at int) {
	for ; n > 0 && l.cur < len(l.cells); n-- {
		l.cur++
	}
	for n = min(n, maxLine); n > 0; n-- {
		l.put(newCell(at, []byte{' '}))
	}
}

// erase blanks cells[from:to].
func (l *terminalLine) erase(from, to, at int) {
	to = min(to, len(l.cells))
	if from >= to {
		return
	}
	l.change()
	l.pay(to - from)
	for i := from; i < to; i++ {
		l.cells[i] = newCell(at, []byte{' '})
	}
	if to == len(l.cells) && from >= l.cur {
		l.cells = l.cells[:from]
	}
}

// remove takes n cells out at the cursor.
func (l *terminalLine) remove(n int) {
	if n = min(n, len(l.cells)-l.cur); n > 0 {
		l.change()
		l.pay(len(l.cells) - l.cur)
		l.cells = append(l.cells[:l.cur], l.cells[l.cur+n:]...)
	}
}

// insert puts n blanks in at the cursor.
func (l *terminalLine) insert(n, at int) {
	if n = min(n, 2*maxLine-len(l.cells)); n <= 0 || l.cur == len(l.cells) {
		return
	}
	l.change()
	l.pay(len(l.cells) - l.cur + n)
	for range n {
		l.cells = append(l.cells, cell{})
	}
	copy(l.cells[l.cur+n:], l.cells[l.cur:])
	for i := range n {
		l.cells[l.cur+i] = newCell(at, []byte{' '})
	}
}

// finish shows the line as it is left.
func (l *terminalLine) finish() {
	if !l.active {
		return
	}
	if l.stale {
		l.cur = len(l.cells)
		l.again(l.cur)
	}
	l.show(len(l.cells))
	l.newline()
	l.active = false
}

// newline begins a line of the screen view. What stands there is decided then.
func (l *terminalLine) newline() {
	l.t.screen.addByte(nowhere, '\n')
	l.since = l.t.end()
}

// refresh begins a line of the screen view when the last one began maxLine bytes ago, so that not more is held for it.
func (l *terminalLine) refresh() {
	if l.active && l.t.end()-l.since > maxLine {
		l.change()
		l.again(l.cur)
		l.over = true
	}
}

// addCell appends a character that stands at at.
func (v *terminalView) addCell(at int, c *cell) {
	if c.more > 0 {
		v.runs = append(v.runs, textRun{text: len(v.text), at: at, more: c.more})
		v.text = append(v.text, c.text[:c.n]...)
		return
	}
	if c.n == 1 {
		v.addByte(at, c.text[0])
		return
	}
	v.add(at, c.text[:c.n])
}
