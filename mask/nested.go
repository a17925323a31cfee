package mask

import "slices"

// nested are the placeholders that a reader in front has put into the text of a textWriter. A report must know what each of them stands for:
// a value that reaches over one stands for that, too, and not for the placeholder's own bytes. Without a report there are none.
type nested struct {
	total int    // bytes of the text that have come
	marks []mark // ascending
}

// mark is one placeholder.
type mark struct {
	start, end int // in bytes of the text
	note       *note
	shown      int   // so many bytes of its beginning went out as they are
	by         *note // of the value that has taken it
}

// put tells that text[at:at+n] of what comes next is the placeholder announced last.
func (c *nested) put(at, n int, note *note) {
	if note != nil {
		c.marks = append(c.marks, mark{start: c.total + at, end: c.total + at + n, note: note})
	}
}

// pass tells that text[from:to] goes out as it is.
func (c *nested) pass(from, to int, notes *notes) {
	for i := range c.marks {
		m := &c.marks[i]
		switch n := min(to, m.end) - max(from, m.start); {
		case n <= 0:
		case m.by != nil:
			notes.behind(m.by, n)
		default:
			m.shown += n
		}
	}
	c.forget(to)
}

// take tells that the value of by takes text[from:to]. It returns of how many bytes of the input that is made.
func (c *nested) take(from, to int, notes *notes, by *note) int {
	raw := to - from
	for i := range c.marks {
		m := &c.marks[i]
		n := min(to, m.end) - max(from, m.start)
		if n <= 0 {
			continue
		}
		raw -= n
		if m.by == nil {
			raw += notes.merge(m.note, by)
			by.before += m.shown
		}
		m.by = by
	}
	c.forget(to)
	return raw
}

// forget leaves out the marks that end before text[to:].
func (c *nested) forget(to int) {
	c.marks = slices.DeleteFunc(c.marks, func(m mark) bool { return m.end <= to })
}

// trace follows what replaced has made of t.buf[from:to].
func (t *textWriter) trace(from, to int, spans []span, made []*note) {
	base := t.nested.total - len(t.buf)
	for i, sp := range spans {
		t.nested.pass(base+from, base+sp.start, t.m.notes)
		raw := t.nested.take(base+sp.start, base+sp.end, t.m.notes, made[i])
		t.m.notes.more(made[i], raw-(sp.end-sp.start))
		from = sp.end
	}
	t.nested.pass(base+from, base+to, t.m.notes)
}
