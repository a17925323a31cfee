package detect

import (
	"encoding/binary"
	"math/bits"
)

// Marks appends to dst where in b something stands that Find would look at more closely, ascending. So what holds many values is searched once: Find
// finds nothing in a part of b that no mark lies in, and FindMarked finds the rest. ok is false, and what was appended is of no use, if there would be more
// than most. It allocates nothing else and does not keep b.
func (s *Set) Marks(dst []int32, b []byte, most int) (marks []int32, ok bool) {
	most += len(dst)
	t, next := s.pairs, 0
	i, pair := t.scan(b, 0, 0)
	for ; i+8 <= len(b); i, pair = t.scan(b, i+8, pair) {
		w := binary.LittleEndian.Uint64(b[i:])
		p0, p1, p2, p3 := uint16(w), uint16(w>>16), uint16(w>>32), w>>48
		in := some(pair&t.second[p0]) | some(t.first[p0]&t.second[p1])<<1 | some(t.first[p1]&t.second[p2])<<2 | some(t.first[p2]&t.second[p3])<<3
		if dst, next = s.marksNear(dst, b, i, next, in); len(dst) > most {
			return dst, false
		}
		pair = t.first[p3]
	}
	dst = s.marks(dst, b, max(next, i-3), len(b))
	return dst, len(dst) <= most
}

// scan passes over b from i on, eight bytes at once, as far as no two pairs of bytes may belong to a literal. pair is what the pair in front may be the first
// half of. It returns where the first eight begin that have the second of two such pairs, or where fewer than eight are left, and what the pair in front
// of those may be the first half of. It is a function of its own so that the loop has a register for all it needs.
func (t *pairs) scan(b []byte, i int, pair uint64) (at int, before uint64) {
	if i < 0 {
		return i, pair // never; so no index needs to be checked
	}
	for ; i <= len(b)-8; i += 8 {
		w := uint64(b[i]) | uint64(b[i+1])<<8 | uint64(b[i+2])<<16 | uint64(b[i+3])<<24 | uint64(b[i+4])<<32 | uint64(b[i+5])<<40 | uint64(b[i+6])<<48 | uint64(b[i+7])<<56
		p0, p1, p2, p3 := uint16(w), uint16(w>>16), uint16(w>>32), w>>48
		if pair&t.second[p0]|t.first[p0]&t.second[p1]|t.first[p1]&t.second[p2]|t.first[p2]&t.second[p3] != 0 {
			break
		}
		pair = t.first[p3]
	}
	return i, pair
}

// some is 1 where x is not 0.
func some(x uint64) uint64 { return (x | -x) >> 63 }

// marksNear appends what marks finds near the pairs of b[i:i+8] that in has a bit of, from next on. It returns where to go on the next time.
func (s *Set) marksNear(dst []int32, b []byte, i, next int, in uint64) ([]int32, int) {
	for ; in != 0; in &= in - 1 {
		// The window is where the first of two such pairs is, or one byte before or behind.
		at := i + 2*bits.TrailingZeros64(in) - 2
		from := max(next, at-1)
		if next = at + 2; from < 0 || from > len(b)-8 {
			dst = s.marks(dst, b, from, next)
			continue
		}
		w := binary.LittleEndian.Uint64(b[from:])
		few := s.sieve.which(uint32(w), uint32(w>>8), uint32(w>>16)) & (1<<uint(next-from) - 1) //nolint:gosec // the low half; from one to three
		for ; few != 0; few &= few - 1 {
			k := bits.TrailingZeros64(few)
			if s.stands(b, from+k, uint32(w>>(8*k&63))) { //nolint:gosec // the low half
				dst = append(dst, int32(from+k)) //nolint:gosec // what is searched at once is shorter than 2 GiB
			}
		}
	}
	return dst, next
}

// marks appends the places from from to to at which a literal has its window.
func (s *Set) marks(dst []int32, b []byte, from, to int) []int32 {
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
	if found, ok = s.tokens(dst, value, marks, from); ok {
		return found, true
	}
	return s.findMarked(dst, value, marks, from)
}

// findMarked is FindMarked for what depends on more than what stands at the marks.
func (s *Set) findMarked(dst []Finding, value []byte, marks []int32, from int) (found []Finding, ok bool) {
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

// tokens is findMarked where nothing but tokens can stand at the marks, which most often is so. Those need no finder, and to clear one takes as
// long as to read a token. ok is false, and nothing is found, where there is anything else.
func (s *Set) tokens(dst []Finding, value []byte, marks []int32, from int) (found []Finding, ok bool) {
	found, done := dst, 0
	for _, at := range marks {
		i := int(at) - from
		if i+window > len(value) || done == len(value) {
			break
		}
		for _, n := range s.windows.at(binary.LittleEndian.Uint32(value[i:])) {
			if !n.may(value, i) {
				continue
			}
			l, start := &s.literals[n.literal], i-int(n.back)
			switch {
			case !n.whole && !hasLiteral(value[start:], l), l.read == readFormat && start < done:
				continue
			case !l.alone(value, start):
				return dst, false
			}
			behind := start + len(l.text)
			if end := l.ends(value, start, start, behind, runEnd(value, behind, l.alphabet)); end > start+l.inner {
				found = append(found, Finding{})
				f := &found[len(found)-1]
				f.From, f.Start, f.End, f.Rule = start, start+l.inner, end, l.rule
				done = end
			}
		}
	}
	return found, true
}

// alone reports that format looks at no more than the token itself if the literal stands at start.
func (l *literal) alone(b []byte, start int) bool {
	if l.read != readFormat || l.before != nil || l.any {
		return false
	}
	if start == 0 {
		return true
	}
	c := b[start-1]
	return !isWord(c) && c != '+' && c != '/' && (start < encodedWide || c > ' ')
}
