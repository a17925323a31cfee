package detect

import (
	"encoding/binary"
	"math/bits"
)

// Touched reports whether in b something begins that Find would look at more closely. Where it does not, Find finds nothing in b
// alone. It allocates nothing and does not keep b.
func (s *Set) Touched(b []byte) bool {
	n := len(b)
	if n < 8 {
		if n < 4 {
			return false
		}
		w := uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<(8*(n-4))
		return s.touches(w) && s.touchedAt(b, 0, n)
	}
	var pair uint64 // what the last pair may be the first half of
	t := s.pairs
	for i := 0; i < n; i += 8 {
		var w uint64
		if i+8 <= n {
			w = binary.LittleEndian.Uint64(b[i:])
		} else {
			w = binary.LittleEndian.Uint64(b[n-8:]) >> (8 * (i + 8 - n))
		}
		p0, p1, p2, p3 := uint16(w), uint16(w>>16), uint16(w>>32), w>>48
		if pair&t.second[p0]|t.first[p0]&t.second[p1]|t.first[p1]&t.second[p2]|t.first[p2]&t.second[p3] != 0 {
			if s.touchedNear(b, i, i+6, pair, w) {
				return true
			}
		}
		pair = t.first[p3]
	}
	return false
}

// TouchedRun returns where in b the first quote or backslash stands, or -1: where Touched holds for what is in front of it, and where there
// is none in the whole words of eight bytes that b begins with.
func (s *Set) TouchedRun(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	var pair uint64 // what the last pair may be the first half of
	t := s.pairs
	for i := 0; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		// A byte that is a quote or a backslash becomes zero in x or y, and the lowest zero byte sets its high bit.
		x, y := w^(ones*'"'), w^(ones*'\\')
		ends := ((x-ones)&^x | (y-ones)&^y) & highs
		if ends != 0 {
			k := bits.TrailingZeros64(ends) &^ 7
			w &= 1<<k - 1
			b = b[:i+k/8]
		}
		p0, p1, p2, p3 := uint16(w), uint16(w>>16), uint16(w>>32), w>>48
		if pair&t.second[p0]|t.first[p0]&t.second[p1]|t.first[p1]&t.second[p2]|t.first[p2]&t.second[p3] != 0 {
			end := i + 6
			if i+8 < len(b) && (b[i+8] == '"' || b[i+8] == '\\') {
				end-- // the run ends before this window does
			}
			if s.touchedNear(b, i, end, pair, w) {
				return -1
			}
		}
		if ends != 0 {
			return len(b)
		}
		pair = t.first[p3]
	}
	return -1
}

// touches is Touched for the eight bytes of w.
func (s *Set) touches(w uint64) bool {
	t := s.pairs
	p0, p1, p2, p3 := uint16(w), uint16(w>>16), uint16(w>>32), w>>48
	return t.first[p0]&t.second[p1]|t.first[p1]&t.second[p2]|t.first[p2]&t.second[p3] != 0
}

// touchedNear looks closer at the windows that two pairs may belong to, of which the second is in w = b[i:i+8], and which begin before end. pair is what the
// pair in front of w may be the first half of.
func (s *Set) touchedNear(b []byte, i, end int, pair, w uint64) bool {
	t := s.pairs
	for at := i - 2; at <= i+4; at += 2 {
		p := uint16(w)
		if pair&t.second[p] != 0 && s.touchedAt(b, at-1, min(at+2, end)) {
			return true // the window is there or one byte before or behind
		}
		pair, w = t.first[p], w>>16
	}
	return false
}

// touchedAt looks closer at the windows of b that begin in b[from:to].
func (s *Set) touchedAt(b []byte, from, to int) bool {
	for i := max(from, 0); i < min(to, len(b)-3); i++ {
		w := binary.LittleEndian.Uint32(b[i:])
		if s.sieve.has(w) && s.stands(b, i, w) {
			return true
		}
	}
	return false
}

// stands reports whether a literal has its window w at i.
func (s *Set) stands(b []byte, i int, w uint32) bool {
	for _, n := range s.windows.at(w) {
		if n.may(b, i) && (n.whole || hasLiteral(b[i-int(n.back):], &s.literals[n.literal])) {
			return true
		}
	}
	return false
}
