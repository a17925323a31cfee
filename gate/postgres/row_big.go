package postgres

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"weir"
	"weir/gate/session"
)

// big is a row that is longer than what is held. Its length has been told when its first cell comes, so every mask in it takes the bytes
// that it replaces; a cell of a column whose values are secrets is struck out whole. Memory does not grow with the row.
type big struct {
	left   int    // bytes of the message that are still to come
	row    bool   // a DataRow; else COPY data, which is looked into as one text
	head   []byte // of a cell's length, so far
	col    int
	cell   int // bytes of the cell at hand that are still to come; -1 between cells
	cells  int // still to come, with the one at hand
	strike bool
	hex    bool   // the cell may be a bytea as text; behind \x hold has its bytes
	begun  bool   // \x has passed
	digits []byte // less than a byte, or than \x
	whole  bool   // the cell is looked at when all of it is there
	class  class
	open   bool   // what was struck out last may go on
	kept   int    // bytes of hold that were searched
	hold   []byte // of the cell, read and not passed on
	out    []byte
	layout *layout
	closed bool // no column may pass
}

// A cell is searched in windows; what may still become a secret, at most bigHold bytes, is looked at again with what follows.
const (
	bigWindow = 64 << 10
	bigHold   = 16 << 10
)

// startBig begins with the message of n bytes whose head is at at; false when more of it must be there.
func (c *codec) startBig(a *session.Answers, b []byte, at, n int) (bool, error) {
	e := c.front()
	g := &big{left: n - frameHeader, cell: -1}
	if b[at] == 'D' {
		l, err := c.rows(a, e)
		if err != nil {
			return false, err
		}
		if len(b)-at < frameHeader+2 {
			return false, nil
		}
		g.row, g.layout, g.cells = true, l, -1
		a.Rows(1)
	} else {
		if e == nil || e.copied == nil {
			return false, errTarget
		}
		g.closed = e.copied.secretive()
		e.copied.started = true // its head comes with the first row
	}
	a.For(e.run.x, at)
	a.Resume(append(a.Rewrite(at), b[at:at+frameHeader]...), at+frameHeader)
	c.big = g
	return true, nil
}

// piece masks what is there of a big message and returns how much that is.
func (c *codec) piece(a *session.Answers, b []byte, at int) (int, error) {
	g := c.big
	n := min(g.left, len(b)-at)
	part := b[at : at+n]
	g.left -= n
	var err error
	if g.row {
		err = c.bigCells(a, part)
	} else {
		c.bigText(a, part)
	}
	if err != nil {
		return 0, err
	}
	a.Resume(append(a.Rewrite(at), g.out...), at+n)
	g.out = g.out[:0]
	if g.left == 0 {
		if g.row && g.cells != 0 {
			return 0, errTarget
		}
		c.big = nil
		a.Insert(c.late, at+n)
		c.late = nil
	}
	return n, nil
}

// bigText masks COPY data.
func (c *codec) bigText(a *session.Answers, part []byte) {
	g := c.big
	if g.closed {
		g.out = strike(g.out, part)
		return
	}
	c.bigPart(a, part, g.left == 0)
}

// bigPart searches part of a cell, and passes it on with every secret struck out.
func (c *codec) bigPart(a *session.Answers, part []byte, last bool) {
	g := c.big
	if g.hex {
		part = c.undigit(a, part)
	}
	g.hold = append(g.hold, part...)
	switch {
	case g.whole && last:
		c.bigWhole(a)
	case g.whole:
	case last:
		c.bigPass(a, 0)
		g.out = append(g.out, g.digits...)
	case len(g.hold) >= bigWindow+bigHold:
		c.bigPass(a, bigHold)
	}
}

// bigPass searches what is held of a cell, and passes on all but so many bytes.
func (c *codec) bigPass(a *session.Answers, keep int) {
	g := c.big
	for i := g.kept; g.open && i < len(g.hold) && g.hold[i] > ' ' && g.hold[i] != '"' && g.hold[i] != '\''; i++ {
		g.hold[i] = '*'
	}
	c.scratch = a.Value(c.scratch[:0], "", g.hold)
	strikeDifference(g.hold, c.scratch)
	g.open, g.kept = keep > 0 && g.hold[len(g.hold)-1] == '*', keep
	pass := len(g.hold) - keep
	if g.hex && g.begun {
		g.out = hex.AppendEncode(g.out, g.hold[:pass])
	} else {
		g.out = append(g.out, g.hold[:pass]...)
	}
	g.hold = g.hold[:copy(g.hold, g.hold[pass:])]
}

// bigWhole passes on a cell that holds others, or names those beside it, if there is nothing to mask in it.
func (c *codec) bigWhole(a *session.Answers) {
	g := c.big
	_, change := g.layout.mask.Cell(nil, g.col, g.hold, a.Tally())
	if change == weir.Unchanged && g.class != classText {
		_, change = c.nested(a, nil, g.class, "", g.hold, 0)
	}
	if change == weir.Unchanged {
		g.out = append(g.out, g.hold...)
	} else {
		g.out = strike(g.out, g.hold)
	}
	g.hold = g.hold[:0]
}

// undigit returns the bytes that the digits of a bytea make, once it has passed what stands before them; of another text the text.
func (c *codec) undigit(a *session.Answers, part []byte) []byte {
	g := c.big
	g.digits = append(g.digits, part...)
	if !g.begun && len(g.digits) >= 2 && string(g.digits[:2]) == `\x` {
		g.out, g.digits, g.begun = append(g.out, `\x`...), g.digits[2:], true
	}
	n := len(g.digits) / 2
	raw := make([]byte, n)
	_, err := hex.Decode(raw, g.digits[:2*n])
	switch {
	case g.begun && err == nil:
		g.digits = append([]byte(nil), g.digits[2*n:]...)
		return raw
	case g.begun:
		c.bigPass(a, 0)
	case len(g.digits) < 2:
		return nil
	}
	raw, g.hex, g.digits = g.digits, false, nil
	return raw
}

// strikeDifference strikes out of b everything between the first and the last byte in which masked differs.
func strikeDifference(b, masked []byte) {
	if bytes.Equal(b, masked) {
		return
	}
	from, back := 0, 0
	short := min(len(b), len(masked))
	for from < short && b[from] == masked[from] {
		from++
	}
	for back < short-from && b[len(b)-1-back] == masked[len(masked)-1-back] {
		back++
	}
	for i := from; i < len(b)-back; i++ {
		b[i] = '*'
	}
}

// bigCells masks part of a DataRow.
func (c *codec) bigCells(a *session.Answers, part []byte) error {
	g := c.big
	for len(part) > 0 || g.cell == 0 {
		switch {
		case g.cells < 0: // the count of the cells
			g.head, part = append(g.head, part[0]), part[1:]
			if len(g.head) == 2 {
				g.cells = int(binary.BigEndian.Uint16(g.head))
				g.out = append(g.out, g.head...)
				g.head = g.head[:0]
			}
		case g.cells == 0:
			return errTarget
		case g.cell < 0: // a cell's length
			g.head, part = append(g.head, part[0]), part[1:]
			if len(g.head) < 4 {
				continue
			}
			if err := c.bigCell(a); err != nil {
				return err
			}
		default:
			n := min(g.cell, len(part))
			g.cell -= n
			if g.strike {
				g.out = strike(g.out, part[:n])
			} else {
				c.bigPart(a, part[:n], g.cell == 0)
			}
			part = part[n:]
			if g.cell > 0 {
				return nil
			}
			g.cell = -1
			g.col++
			g.cells--
		}
	}
	return nil
}

// bigCell begins a cell, whose length is in head.
func (c *codec) bigCell(a *session.Answers) error {
	g := c.big
	size := int32(binary.BigEndian.Uint32(g.head)) //nolint:gosec // two's complement on the wire
	g.out = append(g.out, g.head...)
	g.head = g.head[:0]
	if size < 0 {
		g.col++
		g.cells--
		return nil
	}
	g.cell = int(size)
	cl := classTyped
	if g.col < len(g.layout.classes) {
		cl = g.layout.classes[g.col]
	}
	g.hex, g.begun, g.digits = cl == classHex || cl == classText, false, nil
	g.class, g.open, g.kept = cl, false, 0
	naming := g.layout.naming
	switch g.whole = false; cl {
	case classText:
		g.whole = size <= streamAbove && slices.Contains(naming, g.col)
	case classArray, classComposite, classRange, classHstore, classGuess:
		g.whole = size <= streamAbove
	default:
	}
	g.hex = g.hex && !g.whole
	if len(naming) > 0 && g.col < naming[0] {
		g.layout.mask.SetName([]byte("password")) // what it is about comes later
	}
	// Whether the column speaks for its values is asked with one that stands for any.
	_, change := g.layout.mask.Cell(nil, g.col, []byte(opaque), nil)
	if g.strike = change != weir.Unchanged; g.strike {
		a.Tally().Add("field")
	}
	return nil
}

// opaque looks like a secret to whoever is told that it is one, and like nothing otherwise.
const opaque = "9f8A7c6D5b4E3f2A1"

// strike appends as many stars as there are bytes.
func strike(dst, part []byte) []byte {
	for range part {
		dst = append(dst, '*')
	}
	return dst
}
