package detect

// window is how many bytes of a literal the tables look at.
const window = 4

// begin notes how a literal begins, so that its beginning is not let go at the end of what is there.
func (s *Set) begin(l *literal) {
	s.longest = max(s.longest, len(l.text)+2)
	for n := 1; n < len(l.text); n++ {
		s.prefixes[l.text[:n]] = struct{}{}
	}
	if len(l.text) < window { // it is not looked for before the window is whole
		s.prefixes[l.text] = struct{}{}
	}
	if l.read == readStar {
		for _, c := range upperHex {
			s.prefixes[l.text+string(c)] = struct{}{}
			for _, d := range upperHex {
				s.prefixes[l.text+string(c)+string(d)] = struct{}{}
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

// partial returns where the longest end of b[from:] begins that a literal begins with, or len(b).
func (s *Set) partial(b []byte, from int) int {
	i := max(from, len(b)-s.longest+1)
	for ; i+1 < len(b); i++ {
		if c := b[i+1]; s.heads[uint16(b[i])<<2|uint16(c)>>6]&(1<<(c&63)) == 0 {
			continue
		}
		if s.isPrefix(b[i:]) {
			return i
		}
	}
	if i < len(b) && s.isPrefix(b[i:]) {
		return i
	}
	return len(b)
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
		if i-n <= p.max {
			start = min(start, n)
		}
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
