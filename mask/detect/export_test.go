package detect

// StandsIn reports, by trying each literal everywhere, whether b holds one with its window.
func (s *Set) StandsIn(b []byte) bool {
	for n := range s.literals {
		l := &s.literals[n]
		for start := range b {
			if !hasLiteral(b[start:], l) || start+l.at+window > len(b) {
				continue
			}
			for _, e := range l.windows(nil, int32(n)) {
				if e.window == uint32(b[start+l.at])|uint32(b[start+l.at+1])<<8|uint32(b[start+l.at+2])<<16|uint32(b[start+l.at+3])<<24 {
					return true
				}
			}
		}
	}
	return false
}

// Tokens is FindMarked where it needs no finder.
func (s *Set) Tokens(value []byte, marks []int32, from int) (found []Finding, ok bool) {
	return s.tokens(nil, value, marks, from)
}
