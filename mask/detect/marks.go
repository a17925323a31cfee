package detect

import "encoding/binary"

// Marks appends to dst where in b something stands that Find would look at more closely, ascending. So what holds many values is searched once: Find
// finds nothing in a part of b that no mark lies in, and FindMarked finds the rest. ok is false, and what was appended is of no use, if there would be more
// than most. It allocates nothing else and does not keep b.
func (s *Set) Marks(dst []int32, b []byte, most int) (marks []int32, ok bool) {
	most += len(dst)
	var pair uint64 // what the last pair may be the first half of
	t, next, i := s.pairs, 0, 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		p0, p1, p2, p3 := uint16(w), uint16(w>>16), uint16(w>>32), w>>48
		q0, q1, q2 := t.first[p0], t.first[p1], t.first[p2]
		if m0, m1, m2, m3 := pair&t.second[p0], q0&t.second[p1], q1&t.second[p2], q2&t.second[p3]; m0|m1|m2|m3 != 0 {
			// The window is where the first of two such pairs is, or one byte before or behind.
			for k, m := range [...]uint64{m0, m1, m2, m3} {
				if m != 0 {
					at := i + 2*k - 2
					dst = s.marks(dst, b, max(next, at-1), at+2)
					next = at + 2
				}
			}
			if len(dst) > most {
				return dst, false
			}
		}
		pair = t.first[p3]
	}
	dst = s.marks(dst, b, max(next, i-3), len(b))
	return dst, len(dst) <= most
}

// marks appends the places from from to to at which a literal has its window.
func (s *Set) marks(dst []int32, b []byte, from, to int) []int32 {
	if from >= 0 && from+8 <= len(b) && to-from <= 3 {
		// Mostly there is none, and one branch finds that out.
		w := binary.LittleEndian.Uint64(b[from:])
		if !s.sieve.hasOne(uint32(w), uint32(w>>8), uint32(w>>16)) { //nolint:gosec // the low half
			return dst
		}
	}
	for i := max(from, 0); i < min(to, len(b)-3); i++ {
		if w := binary.LittleEndian.Uint32(b[i:]); s.sieve.has(w) && s.stands(b, i, w) {
			dst = append(dst, int32(i)) //nolint:gosec // what is searched at once is shorter than 2 GiB
		}
	}
	return dst
}

// FindMarked is Find for a whole value that is b[from:from+len(value)] of what Marks searched; marks are those in it. ok is false, and nothing is
// found, where only Find can tell.
func (s *Set) FindMarked(dst []Finding, value []byte, marks []int32, from int) (found []Finding, ok bool) {
	if len(value) >= MaxHold {
		return dst, false
	}
	var f finder
	f.begin(s, value, 0, true)
	f.out, f.resume = dst, -1
	for _, at := range marks {
		i := int(at) - from
		if i+window > len(value) || f.done == len(value) {
			break
		}
		if f.candidate(i) || f.resume >= 0 {
			return dst, false
		}
	}
	return f.out, f.safe == len(value) && f.st.kind == tableNone
}
