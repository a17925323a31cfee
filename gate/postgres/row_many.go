package postgres

import (
	"bytes"
	"encoding/binary"
	"math"

	"weir"
	"weir/gate/session"
)

// dataRows masks the rows at the front of b[at:], of which the first is b[at:end], and returns where what follows begins. A row that is clean stays where it is.
func (c *codec) dataRows(a *session.Answers, b []byte, at, end int) (int, error) {
	e := c.front()
	l, err := c.rows(a, e)
	if err != nil {
		return at, err
	}
	a.For(e.run.x, at)
	c.ahead.by(l.mask)
	for rows := 1; ; rows++ {
		if err := c.dataRow(a, l, b, at, end); err != nil {
			return at, err
		}
		if at = end; !c.another(b, at, 'D') {
			a.Rows(rows)
			return at, nil
		}
		end = at + 1 + int(binary.BigEndian.Uint32(b[at+1:]))
	}
}

// another reports whether there is a whole message of a type at at, and none that is looked at in pieces.
func (c *codec) another(b []byte, at int, typ byte) bool {
	if len(b)-at < frameHeader || b[at] != typ {
		return false
	}
	n := uint64(binary.BigEndian.Uint32(b[at+1:])) + 1
	return n >= frameHeader && n <= uint64(min(streamAbove, c.Limit(), len(b)-at))
}

// shortRow is from how many bytes on the cells of a row are surely not too short, so that nobody needs to be asked.
const shortRow = 16

// dataRow masks the cells of the row b[at:end].
func (c *codec) dataRow(a *session.Answers, l *layout, b []byte, at, end int) error {
	body := b[at+frameHeader : end]
	if len(body) < 2 {
		return errTarget
	}
	if len(l.naming) > 0 && !c.nameRow(l, body) {
		return errTarget
	}
	h := &c.ahead
	n := int(binary.BigEndian.Uint16(body))
	all := len(body) - 2 - 4*n
	free := l.plain && all < shortRow && all < l.mask.Short() // all its cells together are too short
	known := !free && l.plain && h.covers(b, at, end)
	pos, head := at+frameHeader+2, -1
	for i := range n {
		if pos+4 > end {
			return errTarget
		}
		size := int(int32(binary.BigEndian.Uint32(b[pos:]))) //nolint:gosec // two's complement on the wire
		if pos += 4; size < 0 {
			continue
		}
		if size > end-pos {
			return errTarget
		}
		next := pos + size
		if i < len(l.looked) && !l.looked[i] && (free || known && h.clear(next) && (size == 0 || !formTable[b[pos]])) {
			pos = next
			continue
		}
		out, change := c.cellAhead(a, l, i, b, pos, next, known)
		if change != weir.Unchanged {
			if cap(out) > cap(c.cell) {
				c.cell = out[:0]
			}
			dst := a.Rewrite(pos - 4)
			if head < 0 {
				head = len(dst) - (pos - 4 - at)
			}
			if change == weir.Masked {
				dst = appendCell(dst, out[:len(out):len(out)], change)
			} else {
				dst = appendCell(dst, nil, change)
			}
			a.Resume(resize(dst, head, end-next), next)
		}
		pos = next
	}
	if pos != end {
		return errTarget
	}
	return nil
}

// resize sets the length of the message that begins at dst[head:], of which so many bytes are to follow.
func resize(dst []byte, head, follow int) []byte {
	binary.BigEndian.PutUint32(dst[head+1:], uint32(len(dst)-head-1+follow)) //nolint:gosec // frames are shorter than 2 GiB
	return dst
}

// cellAhead masks the cell b[at:next], by what is known ahead where that says all of it.
func (c *codec) cellAhead(a *session.Answers, l *layout, i int, b []byte, at, next int, known bool) ([]byte, weir.Change) {
	v, h := b[at:next], &c.ahead
	switch {
	case !known || i >= len(l.looked) || l.looked[i] || l.classes[i] == classText && formed(v) || h.lines && bytes.IndexByte(v, '\n') >= 0 || h.escapes && bytes.IndexByte(v, '\\') >= 0:
		return c.maskCell(a, c.cell[:0], l, i, v)
	case h.mark >= next:
		return nil, weir.Unchanged
	}
	if marks := h.in(at, next); len(marks) > 0 {
		return l.mask.Marked(c.cell[:0], i, v, marks, at-h.from, a.Tally())
	}
	return nil, weir.Unchanged
}

// ahead is what a search of many rows has found in what was read.
type ahead struct {
	mask     session.ColumnMask // whose
	from, to int                // the part that was searched
	ok       bool               // the marks say all but for cells that are formed or broken
	lines    bool               // there may be line ends
	escapes  bool               // there may be backslashes
	marks    []int32            // places behind from, or their complements
	next     int                // of marks: those before it were passed
	mark     int                // where marks[next] lies; behind all when there is none
}

// lookAhead is how many bytes of rows are searched at once.
const lookAhead = 8 << 10

// keptMarks is for how many marks there is room from one read to the next.
const keptMarks = 512

// reset forgets what was read.
func (h *ahead) reset() {
	if cap(h.marks) > keptMarks {
		h.marks = nil
	}
	*h = ahead{marks: h.marks[:0]}
}

// by says whose mask the rows that follow are masked by.
func (h *ahead) by(mask session.ColumnMask) {
	if h.mask != mask {
		*h = ahead{mask: mask, marks: h.marks[:0]}
	}
}

// covers reports whether what the mask does with the cells of the message b[at:end] is known but for those that are formed or broken.
func (h *ahead) covers(b []byte, at, end int) bool {
	if at >= h.from && end <= h.to {
		return h.ok
	}
	*h = ahead{mask: h.mask, from: at, to: min(len(b), max(end, at+lookAhead)), marks: h.marks[:0]}
	part := b[at:h.to]
	if h.marks, h.ok = h.mask.Marks(h.marks, part); h.ok {
		h.lines, h.escapes = bytes.IndexByte(part, '\n') >= 0, bytes.IndexByte(part, '\\') >= 0
		h.pass(at)
	}
	return h.ok
}

// pass passes the marks before at.
func (h *ahead) pass(at int) {
	for ; h.next < len(h.marks); h.next++ {
		m := h.marks[h.next]
		if h.mark = h.from + int(max(m, ^m)); h.mark >= at {
			return
		}
	}
	h.mark = math.MaxInt
}

// in returns the marks in a part of what was read, and passes them. Parts are asked for in their order.
func (h *ahead) in(from, to int) []int32 {
	h.pass(from)
	first := h.next
	h.pass(to)
	return h.marks[first:h.next]
}

// clear reports whether what comes before at holds nothing that has to be looked at, unless it is formed.
func (h *ahead) clear(at int) bool { return h.mark >= at && !h.lines && !h.escapes }

// formed reports whether a text is of the forms that are looked into: JSON, records, arrays, bytes in hexadecimal.
func formed(v []byte) bool { return len(v) > 0 && formTable[v[0]] }

// formTable is what they begin with.
var formTable = [256]bool{'{': true, '[': true, '(': true, '\\': true}

// forming reports whether something in v may be formed.
func forming(v []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for len(v) >= 8 {
		// A byte that is looked for becomes zero, and the lowest zero byte sets its high bit. A bracket differs from a brace by one bit.
		w := binary.LittleEndian.Uint64(v)
		x, y, z := (w|ones*0x20)^ones*'{', w^ones*'(', w^ones*'\\'
		if ((x-ones)&^x|(y-ones)&^y|(z-ones)&^z)&highs != 0 {
			return true
		}
		v = v[8:]
	}
	for _, c := range v {
		if formTable[c] {
			return true
		}
	}
	return false
}
