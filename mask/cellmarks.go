package mask

import (
	"slices"

	"weir"
)

// mostMarks is how many places a search of many cells may find. Where there are more, cells are searched one by one.
const mostMarks = 1 << 10

// Short is how many bytes the cells of a row have to have at least, so that Cell may change one of them; 0 where it cannot tell.
func (c *Columns) Short() int {
	if !c.plain {
		return 0
	}
	return shortest
}

// Marks searches many cells at once: b holds them, with anything between them. It appends to dst the places in b, ascending, that Marked has to look at. Cell
// would leave alone every cell that is part of b and has none of them in it, whatever its column and place. That does not hold for cells that begin like JSON, with { or
// [, nor for those with a line end or a backslash in them. ok is false, and what was appended is of no use, where it cannot tell. It does not keep b.
//
// A mark is a place, or, where a secret that is held begins there, its complement.
func (c *Columns) Marks(dst []int32, b []byte) (marks []int32, ok bool) {
	if !c.plain {
		return dst, false
	}
	first := len(dst)
	if dst, ok = c.m.e.detect.Marks(dst, b, mostMarks); !ok {
		return dst, false
	}
	held := len(dst)
	for _, set := range c.m.sets {
		c.scan.known = set.FindWhole(c.scan.known[:0], b)
		for _, k := range c.scan.known {
			dst = append(dst, ^int32(k.Start)) //nolint:gosec // as in detect
		}
	}
	switch {
	case len(dst)-first > mostMarks:
		return dst, false
	case len(dst) > held:
		slices.SortFunc(dst[first:], func(x, y int32) int { return int(markAt(x)) - int(markAt(y)) })
	}
	return dst, true
}

// markAt is the place of a mark.
func markAt(mark int32) int32 { return max(mark, ^mark) }

// Marked is Cell for a cell that is b[from:from+len(value)] of what Marks searched, and none of those that it says nothing of; marks are those in it.
func (c *Columns) Marked(dst []byte, col int, value []byte, marks []int32, from int, t *weir.Tally) ([]byte, weir.Change) {
	for _, mark := range marks {
		if mark < 0 {
			return c.cell(dst, c.rule(col), value, t)
		}
	}
	if len(value) < shortest || uint(col) < uint(len(c.cells)) && c.cells[col].typed {
		return dst, weir.Unchanged
	}
	found, ok := c.m.e.detect.FindMarked(c.scan.found[:0], value, marks, from)
	c.scan.found = found
	switch {
	case !ok:
		return c.cell(dst, c.rule(col), value, t)
	case len(found) == 0:
		return dst, weir.Unchanged
	}
	if c.prints == nil {
		c.prints = c.m.e.fingerprinter()
	}
	at := 0
	for i := range found {
		f := &found[i]
		secret := value[f.Start:f.End]
		t.Add(f.Rule.Kind)
		t.Replaced(len(secret))
		dst = appendPlaceholder(append(dst, value[at:f.Start]...), f.Rule.Kind, c.prints.sum(secret))
		at = f.End
	}
	return append(dst, value[at:]...), weir.Masked
}
