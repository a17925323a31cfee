package screen

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// The largest screen. A larger one is made this large.
const (
	maxColumns = 512
	maxRows    = 256
	maxJoined  = 16       // rows of one line that are put together again
	maxLine    = 16 << 10 // bytes of a line that has left the screen in part
	maxCredit  = 1 << 20  // cells that may be told of again at first
	perByte    = 16       // and how many more for each byte of input
	near       = 80       // cells on each side of the cursor that are told of in any case
)

// cell is one place of the screen. The zero value is blank.
type cell struct {
	r    rune
	mark rune // a combining character over it
	tail bool // the second half of a wide character
}

type row struct {
	cells []cell // as far as it was written
	wraps bool   // the line goes on in the next row
	dirty bool   // it was changed since it was last told of
}

type cursor struct {
	x, y    int
	pending bool // the next character begins the next row
	origin  bool
	shift   int
	sets    [2]byte
}

// Screen is a terminal that remembers text. Each line is told of before it is lost: when it leaves the screen, is erased, or is
// written over. New makes one.
type Screen struct {
	parser

	columns, lines int
	rows           []*row
	other          []*row // the main screen while the alternate one is shown
	cur            cursor
	saved, savedAt cursor
	top, bottom    int // scrolling region, bottom included
	wrap, insert   bool
	moved          bool // the cursor jumped since the last character
	lastRune       rune
	left           []byte // the beginning of a line whose first rows have left the screen
	leftTold       bool
	spare          []*row
	tell           func(line string)
	told           string
	text           []byte
	credit         int // cells that may be told of again
}

// New makes a screen of a size. tell gets each line of text, without trailing blanks, and none that is blank; it is called within
// Write, Resize and Flush.
func New(columns, rows int, tell func(line string)) *Screen {
	s := &Screen{tell: tell, credit: maxCredit}
	s.h = s
	s.reset()
	s.Resize(columns, rows)
	return s
}

// Write obeys b. It never fails and does not keep b.
func (s *Screen) Write(b []byte) (int, error) {
	s.credit = min(s.credit+perByte*len(b), maxCredit)
	s.write(b)
	return len(b), nil
}

// Flush tells of all lines on the screen that were not told of since they changed.
func (s *Screen) Flush() {
	s.finish()
	s.credit = maxCredit
	s.tellAll()
	s.sayLeft()
}

// sayLeft tells of the beginning of a line that has left the screen, if nobody was told of it.
func (s *Screen) sayLeft() {
	if len(s.left) > 0 && !s.leftTold {
		s.say(s.left)
	}
	s.left, s.leftTold = s.left[:0], false
}

// Resize changes the size. Text that has no place any more is told of.
func (s *Screen) Resize(columns, rows int) {
	columns, rows = min(max(columns, 1), maxColumns), min(max(rows, 1), maxRows)
	if columns == s.columns && rows == s.lines {
		return
	}
	s.credit = maxCredit
	s.tellAll()
	s.columns = columns
	s.rows = fit(s.rows, s.cur.y, columns, rows)
	if s.other != nil {
		s.other = fit(s.other, rows-1, columns, rows)
	}
	if over := s.lines - rows; over > 0 && s.cur.y >= rows {
		s.cur.y = rows - 1
	}
	s.lines = rows
	s.top, s.bottom = 0, rows-1
	s.cur.x, s.cur.y = min(s.cur.x, columns-1), min(s.cur.y, rows-1)
	s.saved.x, s.saved.y = min(s.saved.x, columns-1), min(s.saved.y, rows-1)
	s.savedAt.x, s.savedAt.y = min(s.savedAt.x, columns-1), min(s.savedAt.y, rows-1)
	s.cur.pending = false
}

// fit makes all the rows of a size; those above are lost first when the cursor would be.
func fit(all []*row, y, columns, rows int) []*row {
	if y >= rows {
		all = all[min(y-rows+1, len(all)):]
	}
	if len(all) > rows {
		all = all[:rows]
	}
	all = append(make([]*row, 0, rows), all...)
	for _, r := range all {
		if len(r.cells) > columns {
			r.cells = r.cells[:columns]
		}
	}
	for len(all) < rows {
		all = append(all, &row{})
	}
	return all
}

func (s *Screen) reset() {
	s.cur, s.saved, s.savedAt = cursor{}, cursor{}, cursor{}
	s.top, s.bottom, s.wrap, s.insert = 0, s.lines-1, true, false
}

// tellAll tells of the lines on the screen that changed.
func (s *Screen) tellAll() {
	for y := range s.rows {
		s.tellRow(y)
	}
}

// tellRow tells of the line that row y is a part of, if it changed. Input that makes it tell of the same text over and over gets
// only what is near the cursor, so that work stays in proportion to input.
func (s *Screen) tellRow(y int) {
	if !s.rows[y].dirty {
		return
	}
	from, to := y, y
	for from > 0 && y-from < maxJoined && s.rows[from-1].wraps {
		from--
	}
	for to < len(s.rows)-1 && to-y < maxJoined && s.rows[to].wraps {
		to++
	}
	cost := 1
	if from == 0 {
		cost += len(s.left)
	}
	for _, r := range s.rows[from : to+1] {
		cost += len(r.cells)
	}
	s.text = s.text[:0]
	if cost > s.credit {
		r := s.rows[y]
		r.dirty = false
		s.text = r.appendTo(s.text, min(max(0, s.cur.x-near), len(r.cells)), min(s.cur.x+near, len(r.cells)))
		s.say(s.text)
		return
	}
	s.credit -= cost
	if from == 0 {
		s.text = append(s.text, s.left...)
		s.leftTold = true
	}
	for ; from <= to; from++ {
		s.rows[from].dirty = false
		s.text = s.rows[from].appendTo(s.text, 0, len(s.rows[from].cells))
	}
	s.say(s.text)
}

func (s *Screen) say(line []byte) {
	if line = bytes.TrimRight(line, " "); len(line) > 0 && string(line) != s.told {
		s.told = string(line)
		s.tell(s.told)
	}
}

// appendTo appends the cells before to, from from on.
func (r *row) appendTo(b []byte, from, to int) []byte {
	for i := from; i < to; i++ {
		switch c := &r.cells[i]; {
		case c.tail:
		case c.r == 0:
			b = append(b, ' ')
		default:
			b = utf8.AppendRune(b, c.r)
			if c.mark != 0 {
				b = utf8.AppendRune(b, c.mark)
			}
		}
	}
	return b
}

// leave is called for the top row before it scrolls away.
func (s *Screen) leave(r *row) {
	if len(s.left) == 0 && !r.dirty && !r.wraps {
		return
	}
	told := (len(s.left) == 0 || s.leftTold) && !r.dirty
	s.left = r.appendTo(s.left, 0, len(r.cells))
	s.leftTold = told
	if !r.wraps || len(s.left) >= maxLine { // else the rest of the line is still on the screen
		s.sayLeft()
	}
}

// show puts one character on the screen.
func (s *Screen) show(r rune) {
	if set := s.cur.sets[s.cur.shift]; set == '0' && r >= 0x60 && r <= 0x7e {
		r = lineTable[r-0x60]
	}
	w := columnsOf(r)
	if w == 0 {
		s.combine(r)
		return
	}
	w = min(w, s.columns)
	if s.cur.pending || s.cur.x+w > s.columns {
		if s.wrap {
			s.rows[s.cur.y].wraps = true
			s.cur.pending = false
			s.newline()
			s.cur.x = 0
		} else {
			s.cur.x = s.columns - w
		}
	}
	line := s.rows[s.cur.y]
	if s.insert {
		s.insertCells(w)
	} else if s.moved && s.cur.x < len(line.cells) {
		s.tellRow(s.cur.y) // it is written over
	}
	s.moved = false
	line.reach(s.cur.x + w)
	line.cells[s.cur.x] = cell{r: r}
	for i := 1; i < w; i++ {
		line.cells[s.cur.x+i] = cell{tail: true}
	}
	line.dirty = true
	s.lastRune = r
	if s.cur.x += w; s.cur.x >= s.columns {
		s.cur.x, s.cur.pending = s.columns-1, s.wrap
	}
}

// reach makes a row at least n cells long.
func (r *row) reach(n int) {
	for len(r.cells) < n {
		r.cells = append(r.cells, cell{})
	}
}

func (s *Screen) combine(r rune) {
	x := s.cur.x
	if !s.cur.pending {
		x--
	}
	line := s.rows[s.cur.y]
	if x >= 1 && x < len(line.cells) && line.cells[x].tail {
		x--
	}
	if unicode.IsMark(r) && x >= 0 && x < len(line.cells) && line.cells[x].r != 0 {
		line.cells[x].mark, line.dirty = r, true
	}
}

// columnsOf returns how many columns a character takes: 0, 1 or 2.
func columnsOf(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}

// lineTable is the DEC special graphics set, from 0x60 on.
var lineTable = [...]rune{
	'◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─', '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤',
	'≥', 'π', '≠', '£', '·',
}

func (s *Screen) control(b byte) {
	switch b {
	case '\b':
		s.move(s.cur.x-1, s.cur.y)
	case '\t':
		s.move(s.cur.x/8*8+8, s.cur.y)
	case '\n', '\v', '\f':
		s.cur.pending = false
		s.rows[s.cur.y].wraps = false
		s.newline()
	case '\r':
		s.move(0, s.cur.y)
	case 0x0e:
		s.cur.shift = 1
	case 0x0f:
		s.cur.shift = 0
	}
}

// move puts the cursor to a place on the screen, or the nearest one.
func (s *Screen) move(x, y int) {
	s.cur.x, s.cur.y = min(max(x, 0), s.columns-1), min(max(y, 0), s.lines-1)
	s.cur.pending, s.moved = false, true
}

// newline moves down, and scrolls at the end of the region.
func (s *Screen) newline() {
	s.moved = true
	switch {
	case s.cur.y == s.bottom:
		s.scroll(s.top, s.bottom, 1)
	case s.cur.y < s.lines-1:
		s.cur.y++
	}
}

// scroll moves the rows from top to bottom up by n, or down by -n. What is lost is told of.
func (s *Screen) scroll(top, bottom, n int) {
	size := bottom - top + 1
	n = min(max(n, -size), size)
	region := s.rows[top : bottom+1]
	if n == 0 {
		return
	}
	for y := range abs(n) {
		switch {
		case n < 0:
			s.tellRow(bottom - y)
			region[size-1-y].clear()
		case top == 0:
			s.leave(region[y])
			region[y].clear()
		default:
			s.tellRow(top + y)
			region[y].clear()
		}
	}
	if n < 0 {
		n += size
	}
	s.spare = append(s.spare[:0], region[:n]...)
	copy(region, region[n:])
	copy(region[size-n:], s.spare)
}

func abs(n int) int { return max(n, -n) }

func (r *row) clear() { *r = row{cells: r.cells[:0]} }

func (s *Screen) escape(mid, end byte) {
	switch mid {
	case '(':
		s.cur.sets[0] = end
		return
	case ')':
		s.cur.sets[1] = end
		return
	case 0:
	default:
		return
	}
	switch end {
	case '7':
		s.saved = s.cur
	case '8':
		s.cur, s.moved = s.saved, true
	case 'D':
		s.newline()
	case 'E':
		s.cur.x, s.cur.pending = 0, false
		s.newline()
	case 'M':
		s.moved = true
		if s.cur.y == s.top {
			s.scroll(s.top, s.bottom, -1)
		} else {
			s.move(s.cur.x, s.cur.y-1)
		}
	case 'c':
		s.alternate(false)
		s.erase(0, s.lines-1)
		s.reset()
	}
}

// erase clears whole rows, both included.
func (s *Screen) erase(from, to int) {
	for y := from; y <= to; y++ {
		s.tellRow(y)
		s.rows[y].clear()
	}
	if from == 0 && to >= 0 {
		s.sayLeft()
	}
}

// eraseCells clears cells of the cursor's row, from x to before end.
func (s *Screen) eraseCells(from, to int) {
	line := s.rows[s.cur.y]
	to = min(to, len(line.cells))
	if from >= to {
		return
	}
	s.tellRow(s.cur.y)
	if to == len(line.cells) {
		line.cells, line.wraps = line.cells[:from], false
		return
	}
	clear(line.cells[from:to])
}

func (s *Screen) insertCells(n int) {
	line := s.rows[s.cur.y]
	if s.cur.x >= len(line.cells) {
		return
	}
	s.tellRow(s.cur.y)
	n = min(n, s.columns-s.cur.x)
	have := len(line.cells)
	line.reach(min(have+n, s.columns))
	copy(line.cells[min(s.cur.x+n, len(line.cells)):], line.cells[s.cur.x:have])
	clear(line.cells[s.cur.x:min(s.cur.x+n, len(line.cells))])
}

func (s *Screen) deleteCells(n int) {
	line := s.rows[s.cur.y]
	if s.cur.x >= len(line.cells) {
		return
	}
	s.tellRow(s.cur.y)
	n = min(n, len(line.cells)-s.cur.x)
	line.cells = append(line.cells[:s.cur.x], line.cells[s.cur.x+n:]...)
	line.dirty = true
}

// alternate shows the alternate screen, or the main one again.
func (s *Screen) alternate(on bool) {
	if on == (s.other != nil) {
		return
	}
	s.tellAll()
	s.sayLeft()
	if on {
		s.other = s.rows
		s.rows = fit(nil, 0, s.columns, s.lines)
		return
	}
	s.rows, s.other = s.other, nil
}
