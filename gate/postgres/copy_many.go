package postgres

import (
	"bytes"
	"encoding/binary"

	"weir"
	"weir/gate/session"
)

// copyRows masks the target's CopyData at the front of b[at:], of which the first message is b[at:end], and returns where what follows begins.
func (c *codec) copyRows(a *session.Answers, b []byte, at, end int) (int, error) {
	e := c.front()
	if e == nil || e.copied == nil {
		return at, errTarget
	}
	a.For(e.run.x, at)
	k := e.copied
	c.ahead.by(k.mask)
	rows := 0
	for {
		if k.alone(b[at+frameHeader:end]) && c.ahead.covers(b, at, end) {
			c.lineAhead(a, k, b, at, end)
			rows++
		} else if err := c.copyRow(a, k, b, at, end); err != nil {
			return at, err
		}
		if at = end; !c.another(b, at, 'd') {
			a.Rows(rows)
			return at, nil
		}
		end = at + 1 + int(binary.BigEndian.Uint32(b[at+1:]))
	}
}

// alone reports whether data is a row of text whose cells end where it has delimiters, and its end.
func (k *copying) alone(data []byte) bool {
	n := len(data) - 1
	return !k.binary && !k.header && len(k.partial) == 0 && n > 0 && data[n-1] != '\r' && bytes.IndexByte(data, '\n') == n && (!k.csv || bytes.IndexByte(data, k.quote) < 0)
}

// lineAhead masks the cells of the row b[at:end], which stands alone, by what is known ahead where that says all of them.
func (c *codec) lineAhead(a *session.Answers, k *copying, b []byte, at, end int) {
	h := &c.ahead
	data := at + frameHeader
	row := b[data : end-1]
	if h.mark >= end-1 && !forming(row) {
		return // wherever its cells end
	}
	escapes := h.escapes && bytes.IndexByte(row, '\\') >= 0
	if escapes && !k.csv {
		k.split(row)
	} else {
		k.splitPlain(row)
	}
	head := -1
	for i, s := range k.spans {
		cell := row[s.start:s.end]
		from, to := data+s.start, data+s.end
		var masked []byte
		change := weir.Unchanged
		switch {
		case string(cell) == k.null:
		case escapes && bytes.IndexByte(cell, '\\') >= 0 || formed(cell):
			masked, change = k.textCell(c, a, i, cell)
		case h.mark < to:
			if marks := h.in(from, to); len(marks) > 0 {
				masked, change = k.mask.Marked(k.masked[:0], i, cell, marks, from-h.from, a.Tally())
			}
		}
		if change == weir.Unchanged {
			continue
		}
		dst := a.Rewrite(from)
		if head < 0 {
			head = len(dst) - (from - at)
		}
		a.Resume(resize(k.put(dst, masked, change), head, end-to), to)
	}
}

// put appends what stands for a cell that is masked.
func (k *copying) put(dst, masked []byte, change weir.Change) []byte {
	if change == weir.Null {
		return append(dst, k.null...)
	}
	k.masked = masked
	return k.encode(dst, masked)
}

// copyRow masks a CopyData, which may end anywhere.
func (c *codec) copyRow(a *session.Answers, k *copying, b []byte, at, end int) error {
	data := b[at+frameHeader : end]
	held := len(k.partial) > 0
	if held {
		if len(k.partial)+len(data) > longestCopyRow {
			return errTarget
		}
		k.partial = append(k.partial, data...)
		data = k.partial
	}
	c.scratch = c.scratch[:0]
	out, used, rows, err := k.rows(c, a, c.scratch, data)
	if err != nil {
		return err
	}
	c.scratch = out
	a.Rows(rows)
	if used == len(data) && !held && bytes.Equal(out, data) {
		return nil
	}
	dst, from := begin(a.Rewrite(at), 'd')
	if len(out) == 0 {
		dst = dst[:from]
	} else {
		dst = finish(append(dst, out...), from)
	}
	a.Resume(dst, end)
	k.partial = append(k.partial[:0], data[used:]...)
	if len(k.partial) > longestCopyRow {
		return errTarget
	}
	return nil
}

// textRow masks a row of the text or CSV format.
func (k *copying) textRow(c *codec, a *session.Answers, dst, row []byte) []byte {
	body := row
	for n := len(body); n > 0 && (body[n-1] == '\n' || body[n-1] == '\r'); n-- {
		body = body[:n-1]
	}
	k.split(body)
	if k.closed && len(k.spans) != len(k.columns) && string(body) != `\.` { // who knows which is which
		return append(k.encode(dst, c.secret(a, nil, body)), row[len(body):]...)
	}
	if k.naming {
		for i, s := range k.spans {
			if k.mask.Naming(i) {
				k.mask.SetName(k.decode(body[s.start:s.end]))
			}
		}
	}
	at := 0
	for i, s := range k.spans {
		cell := body[s.start:s.end]
		if string(cell) == k.null {
			continue
		}
		masked, change := k.textCell(c, a, i, cell)
		if change == weir.Unchanged {
			continue
		}
		dst = k.put(append(dst, body[at:s.start]...), masked, change)
		at = s.end
	}
	return append(dst, row[at:]...)
}

// textCell masks a cell as it is written, and returns what it is to hold.
func (k *copying) textCell(c *codec, a *session.Answers, i int, cell []byte) (masked []byte, change weir.Change) {
	value := k.decode(cell)
	masked, change = k.masked[:0], weir.Unchanged
	if nestedText(value) && (i >= len(k.columns) || !k.columns[i].Protected) {
		masked, change = c.nested(a, masked, classNestedText, "", value, 0)
	}
	if change == weir.Unchanged {
		masked, change = k.mask.Cell(k.masked[:0], i, value, a.Tally())
	}
	if change == weir.Unchanged && isHex(value) {
		masked, change = c.hexBytes(a, k.masked[:0], "", value)
	}
	return masked, change
}
