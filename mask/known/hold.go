package known

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// beginnings tells quickly that no pattern begins with some bytes.
type beginnings struct {
	one  [4]uint64
	two  []uint64 // bitmap over two bytes, or nil
	few  []uint16 // two bytes, ascending, where there are not many
	more []uint64 // bitmap over a hash of three bytes, and two of four
	// shift makes a 64-bit hash an entry of more.
	shift uint8
}

// maxFew is how many patterns there are at most where their first bytes are kept in a list: a bitmap takes 8 KB, which is much for one secret.
const maxFew = 1 << 10

func newBeginnings(s *Set) beginnings {
	var g beginnings
	if len(s.patterns) > maxFew {
		g.two = make([]uint64, 1<<10)
	} else {
		g.few = make([]uint16, 0, len(s.patterns))
	}
	g.more, g.shift = table[uint64](max(6, log2(64*len(s.patterns)+64)), 6, 24)
	g.shift -= 6 // bits are counted here, not words
	for i := range s.patterns {
		w := binary.LittleEndian.Uint32(s.bytes(&s.patterns[i]))
		g.one[w>>6&3] |= 1 << (w & 63)
		if g.two != nil {
			g.two[uint16(w)>>6] |= 1 << (w & 63)
		} else if two := bits.ReverseBytes16(uint16(w)); len(g.few) == 0 || g.few[len(g.few)-1] != two {
			g.few = append(g.few, two) // in the patterns' order
		}
		for _, h := range [3]uint64{g.hash3(w), g.hash4(w), g.again(w)} {
			g.more[h>>6] |= 1 << (h & 63)
		}
	}
	return g
}

func (g *beginnings) hash3(w uint32) uint64 { return uint64(w&0xffffff) * mix2 >> (g.shift & 63) }
func (g *beginnings) hash4(w uint32) uint64 { return uint64(w) * mix >> (g.shift & 63) }

// again is another hash of four bytes: a search in vain costs more than a second look.
func (g *beginnings) again(w uint32) uint64 { return uint64(w) * mix2 >> (g.shift & 63) }

// may reports whether a pattern may begin with b, which is not empty.
func (g *beginnings) may(b []byte) bool {
	var h uint64
	switch {
	case len(b) >= 4:
		w := binary.LittleEndian.Uint32(b)
		if h = g.again(w); g.more[h>>6]>>(h&63)&1 == 0 {
			return false
		}
		h = g.hash4(w)
	case len(b) == 3:
		h = g.hash3(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16)
	case len(b) == 2:
		if g.two == nil {
			_, found := slices.BinarySearch(g.few, uint16(b[0])<<8|uint16(b[1]))
			return found
		}
		w := uint16(b[0]) | uint16(b[1])<<8
		return g.two[w>>6]>>(w&63)&1 != 0
	default:
		return g.one[b[0]>>6]>>(b[0]&63)&1 != 0
	}
	return g.more[h>>6]>>(h&63)&1 != 0
}

// Hold returns the index from which b may be the beginning of a secret that goes on behind it, or len(b): where its longest suffix
// begins that is a proper prefix of a spelling, or of a wrapped one.
func (s *Set) Hold(b []byte) int { return s.HoldFrom(b, 0) }

// HoldFrom is Hold in b[from:]; see FindFrom. What it returns is a place in b, not before from.
func (s *Set) HoldFrom(b []byte, from int) int {
	if s.empty() {
		return len(b)
	}
	return min(from+s.holdPlain(b[from:]), s.holdWrapped(b, from))
}

// holdPlain returns where the longest suffix of b begins that is a proper prefix of a pattern.
func (s *Set) holdPlain(b []byte) int {
	if x := s.long; x != nil {
		for i := max(0, len(b)-s.maxLen+1); i+longWidth <= len(b); i += longStep {
			w := x.load(b[i:])
			if !x.has(w) {
				continue
			}
			if start := s.goesOn(x, b, i, w); start < len(b) {
				return start
			}
		}
	}
	return s.holdEnd(b)
}

// holdEnd returns where the longest suffix of b begins that is a proper prefix of a pattern, and too short to have a window.
func (s *Set) holdEnd(b []byte) int {
	if s.first != nil {
		return min(s.first.holdEnd(b), s.second.holdEnd(b))
	}
	for i := max(0, len(b)-longPattern+1); i < len(b); i++ {
		if tail := b[i:]; s.beginnings.may(tail) && (len(tail) < 3 || s.begins(0, len(s.patterns), tail)) {
			return i
		}
	}
	return len(b)
}

// goesOn returns the first place at which a pattern begins that has w at b[i:] and goes on behind b, or len(b).
func (s *Set) goesOn(x *index, b []byte, i int, w uint64) int {
	if s.first != nil {
		first := len(b)
		for _, part := range s.parts() {
			if x := part.of(x.step); x != nil && x.has(w) {
				first = min(first, part.goesOn(x, b, i, w))
			}
		}
		return first
	}
	at := looked{at: -2}
	for m := x.masks[x.maskAt(w)]; m != 0; {
		offset := bits.Len8(m) - 1
		m &^= 1 << offset
		start := i - offset
		if start < 0 || start+x.head > len(b) {
			continue
		}
		if s.look(&at, x, b, start) && s.begins(int(at.from), int(at.to), b[start:]) {
			return start
		}
	}
	return len(b)
}
