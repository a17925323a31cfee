package known

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// FindAll appends what each set finds in b to dst, ascending by where it starts; spans may overlap, and Entry counts within the set that
// found it, whose place in sets is in Set. It takes less time than asking one set after another. Nil sets find nothing. It does not keep b.
func FindAll(dst []Span, sets []*Set, b []byte) []Span {
	first := len(dst)
	if !slices.ContainsFunc(sets, func(s *Set) bool { return !s.empty() }) {
		return dst
	}
	for k := 0; k < len(sets); {
		x, n := sets[k], 1
		if k+1 < len(sets) && x.hasLong() && sets[k+1].hasLong() {
			dst, n = findLongOfTwo(dst, sets, k, b), 2
		} else if x.hasLong() {
			dst = of(x.findLong(dst, b), len(dst), k)
		}
		for ; n > 0; n-- {
			if s := sets[k]; s != nil && s.short != nil {
				n := len(dst)
				dst = ordered(of(s.findShort(dst, b), n, k), first, n)
			}
			k++
		}
	}
	dst = findWrapped(dst, sets, b, 0)
	byStart := func(x, y Span) int { return cmp.Compare(x.Start, y.Start) }
	if !slices.IsSortedFunc(dst[first:], byStart) {
		slices.SortFunc(dst[first:], byStart)
	}
	return dst
}

// ordered merges spans[from:mid] and spans[mid:], each of which ascends.
func ordered(spans []Span, from, mid int) []Span {
	n := len(spans)
	if mid == from || mid == n || spans[mid-1].Start <= spans[mid].Start {
		return spans
	}
	spans = append(spans, spans[from:mid]...)
	for x, y := spans[n:], spans[mid:n]; len(x) > 0; from++ {
		if len(y) > 0 && y[0].Start < x[0].Start {
			spans[from], y = y[0], y[1:]
		} else {
			spans[from], x = x[0], x[1:]
		}
	}
	return spans[:n]
}

func (s *Set) hasLong() bool { return s != nil && s.long != nil }

// of says of spans[from:] which set they are of.
func of(spans []Span, from, set int) []Span {
	for i := range spans[from:] {
		spans[from+i].Set = set
	}
	return spans
}

// findLongOfTwo is findLong for sets[k] and the next: a window's hash is the same for both, so the words of their filters are looked at as one.
func findLongOfTwo(dst []Span, sets []*Set, k int, b []byte) []Span {
	s, t := sets[k], sets[k+1]
	x, y := s.long, t.long
	f, fs, g, gs := x.filter, x.shift&63, y.filter, y.shift&63
	i := 0
	for ; i+32 <= len(b); i += 32 {
		c := b[i : i+32 : i+32]
		h0, h1 := binary.LittleEndian.Uint64(c)*mixLong, binary.LittleEndian.Uint64(c[8:])*mixLong
		h2, h3 := binary.LittleEndian.Uint64(c[16:])*mixLong, binary.LittleEndian.Uint64(c[24:])*mixLong
		const n = uint64(len(bitsTable))
		m0, m1, m2, m3 := bitsTable[h0>>bitsShift%n], bitsTable[h1>>bitsShift%n], bitsTable[h2>>bitsShift%n], bitsTable[h3>>bitsShift%n]
		if m0&^(f[h0>>fs]|g[h0>>gs]) == 0 || m1&^(f[h1>>fs]|g[h1>>gs]) == 0 || m2&^(f[h2>>fs]|g[h2>>gs]) == 0 || m3&^(f[h3>>fs]|g[h3>>gs]) == 0 {
			for j := i; j < i+32; j += 8 {
				w := x.load(b[j:])
				dst = of(s.probe(dst, x, b, j, w), len(dst), k)
				dst = of(t.probe(dst, y, b, j, w), len(dst), k+1)
			}
		}
	}
	for ; i+longWidth <= len(b); i += longStep {
		w := x.load(b[i:])
		dst = of(s.probe(dst, x, b, i, w), len(dst), k)
		dst = of(t.probe(dst, y, b, i, w), len(dst), k+1)
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
	for k, s := range sets {
		if !s.empty() {
			n := len(dst)
			dst, end = s.findChain(dst, b, from, next)
			of(dst, n, k)
		}
	}
	return dst, end
}
