package known

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// FindAll appends what each set finds in b to dst, ascending by where it starts; spans of different sets may overlap, and Entry counts within the set that
// found it, which is not said. It takes less time than asking one set after another. Nil sets find nothing. It does not keep b.
func FindAll(dst []Span, sets []*Set, b []byte) []Span {
	first := len(dst)
	if !slices.ContainsFunc(sets, func(s *Set) bool { return !s.empty() }) {
		return dst
	}
	for rest := sets; len(rest) > 0; {
		x, n := rest[0], 1
		if len(rest) > 1 && x.hasLong() && rest[1].hasLong() {
			dst, n = findLongOfTwo(dst, x, rest[1], b), 2
		} else if x.hasLong() {
			dst = x.findLong(dst, b)
		}
		for _, s := range rest[:n] {
			if s != nil && s.short != nil {
				dst = s.findShort(dst, b)
			}
		}
		rest = rest[n:]
	}
	dst = findWrapped(dst, sets, b, 0)
	slices.SortFunc(dst[first:], func(x, y Span) int { return cmp.Compare(x.Start, y.Start) })
	return dst
}

func (s *Set) hasLong() bool { return s != nil && s.long != nil }

// findLongOfTwo is findLong for two sets: a window's hash is the same for both, so the words of their filters are looked at as one.
func findLongOfTwo(dst []Span, s, t *Set, b []byte) []Span {
	x, y := s.long, t.long
	f, fs, g, gs := x.filter, x.shift&63, y.filter, y.shift&63
	i := 0
	for ; i+32 <= len(b); i += 32 {
		c := b[i : i+32 : i+32]
		h0, h1 := binary.LittleEndian.Uint64(c)*mix, binary.LittleEndian.Uint64(c[8:])*mix
		h2, h3 := binary.LittleEndian.Uint64(c[16:])*mix, binary.LittleEndian.Uint64(c[24:])*mix
		const n = uint64(len(bitsTable))
		m0, m1, m2, m3 := bitsTable[h0>>bitsShift%n], bitsTable[h1>>bitsShift%n], bitsTable[h2>>bitsShift%n], bitsTable[h3>>bitsShift%n]
		if m0&^(f[h0>>fs]|g[h0>>gs]) == 0 || m1&^(f[h1>>fs]|g[h1>>gs]) == 0 || m2&^(f[h2>>fs]|g[h2>>gs]) == 0 || m3&^(f[h3>>fs]|g[h3>>gs]) == 0 {
			for k := i; k < i+32; k += 8 {
				w := x.load(b[k:])
				dst = t.probe(s.probe(dst, x, b, k, w), y, b, k, w)
			}
		}
	}
	for ; i+8 <= len(b); i += 8 {
		w := x.load(b[i:])
		dst = t.probe(s.probe(dst, x, b, i, w), y, b, i, w)
	}
	return dst
}

// findWrapped appends what stands in b[from:] with breaks in it.
func findWrapped(dst []Span, sets []*Set, b []byte, from int) []Span {
	if bytes.IndexByte(b[from:], '\n') < 0 && bytes.IndexByte(b[from:], '\\') < 0 {
		return dst // no line ends here, as it is or escaped
	}
	done := from
	if _, _, ok, _ := wordBreak(b, from); ok { // too little of the word may be behind from
		dst, done = findChains(dst, sets, b, from, wordBreak)
	}
	for i := longWord(b, done); i < len(b); i = longWord(b, max(done, i+1)) {
		start := i
		for start > done && wrapTable[b[start-1]] {
			start--
		}
		var ok bool
		if done, _, ok, _ = wordBreak(b, start); ok {
			dst, done = findChains(dst, sets, b, start, wordBreak)
		}
	}
	if hasSoftBreak(b[from:]) {
		dst, _ = findChains(dst, sets, b, from, softBreak)
	}
	return dst
}

// findChains is findChain for each set; the end is the same for all.
func findChains(dst []Span, sets []*Set, b []byte, from int, next breaker) (found []Span, end int) {
	end = from
	for _, s := range sets {
		if !s.empty() {
			dst, end = s.findChain(dst, b, from, next)
		}
	}
	return dst, end
}
