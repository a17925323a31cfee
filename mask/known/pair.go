package known

// maxJoined is the largest filter that a joined set may have, in bytes. It does for some thirty secrets.
const maxJoined = 32 << 10

// Join makes a Set of two that is searched for in one pass. It shares what they hold and has only a filter of its own, so that each of many sessions can
// have its own secret joined with those that the gateway holds. The entries of b come behind those of a. A nil set or an empty one is left out; nil may
// come back. ok is false, and there is no set, if that filter would be large: they are searched for one after the other then.
func Join(a, b *Set) (s *Set, ok bool) {
	switch {
	case b.Len() == 0:
		return a, true
	case a.Len() == 0:
		return b, true
	}
	s = &Set{first: a, second: b, maxLen: max(a.maxLen, b.maxLen)}
	s.long = joinIndex(a, b, a.long, b.long)
	s.short = joinIndex(a, b, a.short, b.short)
	for _, x := range [2]*index{s.long, s.short} {
		if x != nil && len(x.filter) > maxJoined/8 {
			return nil, false
		}
	}
	return s, true
}

// joinIndex makes an index that has a filter over the windows of x and y, indexes of a and b, and nothing else. Each of them may be nil.
func joinIndex(a, b *Set, x, y *index) *index {
	switch {
	case x == nil && y == nil:
		return nil
	case x == nil:
		return &index{step: y.step, width: y.width, filter: y.filter, shift: y.shift}
	case y == nil:
		return &index{step: x.step, width: x.width, filter: x.filter, shift: x.shift}
	}
	joined := &index{step: x.step, width: x.width}
	joined.size(x.windows + y.windows)
	if len(joined.filter) <= maxJoined/8 {
		a.putAll(joined)
		b.putAll(joined)
		joined.fold()
	}
	return joined
}

// putAll puts in the windows of all patterns that are searched for as often as x is.
func (s *Set) putAll(x *index) {
	if s.first != nil {
		s.first.putAll(x)
		s.second.putAll(x)
	}
	for i := range s.patterns {
		if p := &s.patterns[i]; p.isLong() == (x.step == longStep) {
			x.put(s.bytes(p))
		}
	}
}

// parts are the sets that were joined.
func (s *Set) parts() [2]*Set { return [2]*Set{s.first, s.second} }

// count is the number of entries.
func (s *Set) count() int {
	if s.first != nil {
		return s.first.count() + s.second.count()
	}
	return len(s.entries)
}

// entry returns one of them.
func (s *Set) entry(n int) *Entry {
	for s.first != nil {
		if behind := n - s.first.count(); behind >= 0 {
			s, n = s.second, behind
		} else {
			s = s.first
		}
	}
	return &s.entries[n]
}

// of returns the index that looks every step bytes, or nil.
func (s *Set) of(step int) *index {
	if step == longStep {
		return s.long
	}
	return s.short
}

// probeParts is probe in the sets that were joined.
func (s *Set) probeParts(dst []Span, step int, b []byte, i int, w uint64) []Span {
	if x := s.first.of(step); x != nil && x.has(w) {
		dst = s.first.probe(dst, x, b, i, w)
	}
	if x := s.second.of(step); x != nil && x.has(w) {
		n := len(dst)
		dst = s.second.probe(dst, x, b, i, w)
		for k := range dst[n:] {
			dst[n+k].Entry += s.first.count()
		}
	}
	return dst
}
