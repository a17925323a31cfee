package known

import (
	"encoding/binary"
	"math/bits"
)

// beginnings tells quickly that no pattern begins with some bytes.
type beginnings struct {
	one  [4]uint64
	two  []uint64 // bitmap over two bytes
	more []uint64 // bitmap over a hash of three bytes, and two of four
	// shift makes a 64-bit hash an entry of more.
	shift uint8
}

func newBeginnings(s *Set) beginnings {
	g := beginnings{two: make([]uint64, 1<<10)}
	g.more, g.shift = table[uint64](max(6, log2(64*len(s.patterns)+64)), 6, 24)
	g.shift -= 6 // bits are counted here, not words
	for i := range s.patterns {
		w := binary.LittleEndian.Uint32(s.bytes(&s.patterns[i]))
		g.one[w>>6&3] |= 1 << (w & 63)
		g.two[uint16(w)>>6] |= 1 << (w & 63)
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
	if s.Len() == 0 {
		return len(b)
	}
	return min(from+s.holdPlain(b[from:]), s.holdWrapped(b, from))
}

// holdPlain returns where the longest suffix of b begins that is a proper prefix of a pattern.
func (s *Set) holdPlain(b []byte) int {
	if x := s.long; x != nil {
		for i := max(0, len(b)-s.maxLen+1); i+8 <= len(b); i += 8 {
			w := binary.LittleEndian.Uint64(b[i:])
			if !x.has(w) {
				continue
			}
			if start := s.goesOn(x, b, i, w); start >= 0 {
				return start
			}
		}
	}
	for i := max(0, len(b)-longPattern+1); i < len(b); i++ {
		if tail := b[i:]; s.beginnings.may(tail) && (len(tail) < 3 || s.begins(0, len(s.patterns), tail)) {
			return i
		}
	}
	return len(b)
}

// goesOn returns the first place at which a pattern begins that has w at b[i:] and goes on behind b, or -1.
func (s *Set) goesOn(x *index, b []byte, i int, w uint64) int {
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
	return -1
}
