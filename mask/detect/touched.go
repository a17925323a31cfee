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
		return s.touches(w) && s.touchedAt(b, 0, 1<<(n-3)-1)
	}
	// One look-up for two bytes: each step moves the fields on by one and lets stay what goes on.
	var pair, step uint64
	t := s.pairs
	for i := 0; i < n; i += 8 {
		var w uint64
		if i+8 <= n {
			w = binary.LittleEndian.Uint64(b[i:])
		} else {
			w = binary.LittleEndian.Uint64(b[n-8:]) >> (8 * (i + 8 - n))
		}
		p0, p1, p2, p3 := t[uint16(w)], t[uint16(w>>16)], t[uint16(w>>32)], t[w>>48]
		s0 := pair << buckets & p0
		s1 := p0 << buckets & p1
		s2 := p1 << buckets & p2
		s3 := p2 << buckets & p3
		hit := (s0|s1|s2|s3)&evenDone | (step<<buckets&p0|s0<<buckets&p1|s1<<buckets&p2|s2<<buckets&p3)&oddDone
		if hit != 0 {
			// Which of the eight windows that end in w.
			m := some(step<<buckets&p0&oddDone) | some(s0&evenDone)<<1 | some(s0<<buckets&p1&oddDone)<<2 | some(s1&evenDone)<<3 |
				some(s1<<buckets&p2&oddDone)<<4 | some(s2&evenDone)<<5 | some(s2<<buckets&p3&oddDone)<<6 | some(s3&evenDone)<<7
			if s.touchedAt(b, i-3, m) {
				return true
			}
		}
		pair, step = p3, s3
	}
	return false
}

// TouchedRun returns where in b the first quote or backslash stands, or -1: where Touched holds for what is in front of it, and where there
// is none in the whole words of eight bytes that b begins with.
func (s *Set) TouchedRun(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	var pair, step uint64
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
		p0, p1, p2, p3 := t[uint16(w)], t[uint16(w>>16)], t[uint16(w>>32)], t[w>>48]
		s0 := pair << buckets & p0
		s1 := p0 << buckets & p1
		s2 := p1 << buckets & p2
		s3 := p2 << buckets & p3
		hit := (s0|s1|s2|s3)&evenDone | (step<<buckets&p0|s0<<buckets&p1|s1<<buckets&p2|s2<<buckets&p3)&oddDone
		if hit != 0 {
			m := some(step<<buckets&p0&oddDone) | some(s0&evenDone)<<1 | some(s0<<buckets&p1&oddDone)<<2 | some(s1&evenDone)<<3 |
				some(s1<<buckets&p2&oddDone)<<4 | some(s2&evenDone)<<5 | some(s2<<buckets&p3&oddDone)<<6 | some(s3&evenDone)<<7
			if s.touchedAt(b, i-3, m) {
				return -1
			}
		}
		if ends != 0 {
			return len(b)
		}
		pair, step = p3, s3
	}
	return -1
}

// touches is Touched for the eight bytes of w.
func (s *Set) touches(w uint64) bool {
	p0, p1, p2, p3 := s.pairs[uint16(w)], s.pairs[uint16(w>>16)], s.pairs[uint16(w>>32)], s.pairs[w>>48]
	s0 := p0 << buckets & p1
	s1 := p1 << buckets & p2
	s2 := p2 << buckets & p3
	return (s0|s1|s2)&evenDone|(s0<<buckets&p2|s1<<buckets&p3)&oddDone != 0
}

// some is 1 unless v is 0.
func some(v uint64) uint64 { return (v | -v) >> 63 }

// touchedAt looks closer at the windows of b that m has bits for, the lowest bit for the one at from.
func (s *Set) touchedAt(b []byte, from int, m uint64) bool {
	for ; m != 0; m &= m - 1 {
		i := from + bits.TrailingZeros64(m)
		if i < 0 || i+4 > len(b) {
			continue
		}
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
		l := &s.literals[n]
		if start := i - l.at; start >= 0 && hasLiteral(b[start:], l) {
			return true
		}
	}
	return false
}
