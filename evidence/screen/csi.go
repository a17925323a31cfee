package screen

// csi obeys a control sequence; those that change no text are passed over.
func (s *Screen) csi(c *sequence) {
	if c.mid != 0 {
		return
	}
	if c.private != 0 {
		if c.private == '?' {
			s.private(c)
		}
		return
	}
	x, y, n := s.cur.x, s.cur.y, c.param(0, 1)
	switch c.end {
	case 'A':
		s.move(x, y-n)
	case 'B', 'e':
		s.move(x, y+n)
	case 'C', 'a':
		s.move(x+n, y)
	case 'D':
		s.move(x-n, y)
	case 'E':
		s.move(0, y+n)
	case 'F':
		s.move(0, y-n)
	case 'G', '`':
		s.move(n-1, y)
	case 'I':
		s.move((x/8+n)*8, y)
	case 'Z':
		s.move(((x+7)/8-n)*8, y)
	case 'H', 'f':
		s.goTo(c.param(1, 1)-1, n-1)
	case 'd':
		s.goTo(x, n-1)
	case 's':
		s.saved = s.cur
	case 'u':
		s.cur, s.moved = s.saved, true
	case 'h', 'l':
		for i := range c.n {
			if c.params[i] == 4 {
				s.insert = c.end == 'h'
			}
		}
	default:
		s.edit(c, n)
	}
}

// goTo moves to a place that is counted from the scrolling region in origin mode.
func (s *Screen) goTo(x, y int) {
	if s.cur.origin {
		y = min(y+s.top, s.bottom)
	}
	s.move(x, y)
}

// edit obeys what changes text.
func (s *Screen) edit(c *sequence, n int) {
	x, y := s.cur.x, s.cur.y
	inside := y >= s.top && y <= s.bottom
	switch c.end {
	case 'J':
		s.eraseScreen(c.param(0, 0))
	case 'K':
		s.eraseLine(c.param(0, 0))
	case 'X':
		s.eraseCells(x, x+n)
	case '@':
		s.insertCells(n)
		s.rows[y].dirty, s.moved = true, false // what is written next goes into the gap
		return
	case 'P':
		s.deleteCells(n)
	case 'L':
		if inside {
			s.scroll(y, s.bottom, -n)
		}
	case 'M':
		if inside {
			s.scroll(y, s.bottom, n)
		}
	case 'S':
		s.scroll(s.top, s.bottom, n)
	case 'T':
		if c.n <= 1 {
			s.scroll(s.top, s.bottom, -n)
		}
	case 'b':
		if s.lastRune != 0 {
			for range min(n, s.columns) {
				s.show(s.lastRune)
			}
		}
	case 'r':
		top, bottom := n-1, min(c.param(1, s.lines), s.lines)-1
		if top < bottom {
			s.top, s.bottom = top, bottom
			s.goTo(0, 0)
		}
	}
	s.moved = true
}

func (s *Screen) eraseScreen(what int) {
	y := s.cur.y
	switch what {
	case 0:
		s.eraseLine(0)
		s.erase(y+1, s.lines-1)
	case 1:
		s.erase(0, y-1)
		s.eraseLine(1)
	case 2, 3:
		s.erase(0, s.lines-1)
	}
}

func (s *Screen) eraseLine(what int) {
	switch what {
	case 0:
		s.eraseCells(s.cur.x, s.columns)
	case 1:
		s.eraseCells(0, s.cur.x+1)
	case 2:
		s.eraseCells(0, s.columns)
	}
}

// private obeys DEC's own modes.
func (s *Screen) private(c *sequence) {
	if c.end == 'J' {
		s.eraseScreen(c.param(0, 0))
	}
	if c.end == 'K' {
		s.eraseLine(c.param(0, 0))
	}
	if c.end != 'h' && c.end != 'l' {
		return
	}
	on := c.end == 'h'
	for i := range c.n {
		switch c.params[i] {
		case 6:
			s.cur.origin = on
			s.goTo(0, 0)
		case 7:
			s.wrap, s.cur.pending = on, false
		case 47, 1047:
			s.alternate(on)
		case 1048, 1049:
			if c.params[i] == 1049 && on == (s.other != nil) {
				continue
			}
			if on {
				s.savedAt = s.cur
			}
			if c.params[i] == 1049 {
				s.alternate(on)
			}
			if !on {
				s.cur, s.moved = s.savedAt, true
			}
		}
	}
}
