package detect

// window is how many bytes of a literal the tables look at.
const window = 4

// begin notes how a literal begins, so that its beginning is not let go at the end of what is there.
func (s *Set) begin(l *literal) {
	s.longest = max(s.longest, len(l.text)+2)
	for n := 1; n < len(l.text); n++ {
		s.addPrefix(l.text[:n])
	}
	if len(l.text) < window { // it is not looked for before the window is whole
		s.addPrefix(l.text)
	}
	if l.read == readStar {
		for _, c := range upperHex {
			s.addPrefix(l.text + string(c))
			for _, d := range upperHex {
				s.addPrefix(l.text + string(c) + string(d))
			}
		}
	}
	first, second := l.text[0], l.text[min(1, len(l.text)-1)]
	if l.read == readStar {
		for _, c := range upperHex {
			s.heads[uint16(first)<<2|uint16(c)>>6] |= 1 << (c & 63)
		}
	}
	for k := range 4 {
		a, b := first, second
		if k&1 != 0 && l.fold && a >= 'a' && a <= 'z' {
			a -= 'a' - 'A'
		}
		if k&2 != 0 && l.fold && b >= 'a' && b <= 'z' {
			b -= 'a' - 'A'
		}
		s.heads[uint16(a)<<2|uint16(b)>>6] |= 1 << (b & 63)
	}
	if l.before == nil {
		return
	}
	for i := range s.befores {
		if s.befores[i].alphabet == l.before || *s.befores[i].alphabet == *l.before {
			s.befores[i].max = max(s.befores[i].max, l.beforeMax)
			return
		}
	}
	s.befores = append(s.befores, before{l.before, l.beforeMax})
}

func (s *Set) addPrefix(p string) {
	s.prefixes[p] = struct{}{}
	switch {
	case len(p) > 3:
		s.starts.add(startOf(p[0], p[1], p[2], p[3]), len(p))
	case len(p) == 3:
		s.starts.add(startOf(p[0], p[1], p[2], 0), len(p))
	}
}

// starts has, by a hash of their first four bytes or of all three, their case left out, how long the longest prefix is: few ends of a text need to be
// looked up among them all.
type starts [1 << startBits]uint8

const startBits = 13

func (t *starts) add(start uint32, n int) { t[start] = max(t[start], uint8(min(n, 255))) }

func (t *starts) has(start uint32, n int) bool { return n <= int(t[start]) || t[start] == 255 }

// startOf hashes four bytes to a place in starts; the fourth is 0 where there are only three.
func startOf(a, b, c, d byte) uint32 {
	w := uint32(a) | uint32(b)<<8 | uint32(c)<<16 | uint32(d)<<24 | 0x20202020
	return w * 0x9E3779B1 >> (32 - startBits)
}

// partial returns where the longest end of b[from:] begins that a literal begins with, or len(b).
func (s *Set) partial(b []byte, from int) int {
	for i := max(from, len(b)-s.longest+1); i < len(b); i++ {
		if end := b[i:]; s.starting(end) && s.isPrefix(end) {
			return i
		}
	}
	return len(b)
}

// starting reports whether a literal may begin with end, which is not empty. It is a quick look; isPrefix decides.
func (s *Set) starting(end []byte) bool {
	if len(end) == 1 {
		return true
	}
	if s.heads[uint16(end[0])<<2|uint16(end[1])>>6]&(1<<(end[1]&63)) == 0 {
		return false
	}
	switch {
	case len(end) > 3:
		return s.starts.has(startOf(end[0], end[1], end[2], end[3]), len(end))
	case len(end) == 3:
		return s.starts.has(startOf(end[0], end[1], end[2], 0), len(end))
	}
	return true
}

func (s *Set) isPrefix(end []byte) bool {
	if _, ok := s.prefixes[string(end)]; ok {
		return true
	}
	var folded [64]byte
	if len(end) > len(folded) {
		return false
	}
	for i, c := range end {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		folded[i] = c
	}
	_, ok := s.prefixes[string(folded[:len(end)])]
	return ok
}

// beforeRun returns where the run begins that a token may have in front of a literal at i; a longer run is none.
func (s *Set) beforeRun(b []byte, i, from int) int {
	start := i
	for k := range s.befores {
		p := &s.befores[k]
		n := i
		for n > from && i-n <= p.max && p.alphabet[b[n-1]] {
			n--
		}
		for n < i && i-n > p.max { // the run is too long, but for what is behind a directory
			n++
		}
		if n > from && p.alphabet[b[n-1]] {
			for n < i && !directory(b, n, p.alphabet) {
				n++
			}
		}
		start = min(start, n)
	}
	if s.customs {
		n := i
		for n > from && i-n < maxCustomBefore && b[n-1] > ' ' && s.joined[b[n-1]] {
			n--
		}
		start = min(start, n)
	}
	return start
}
