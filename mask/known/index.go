package known

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
)

const (
	mix  = 0x9E3779B97F4A7C15
	mix2 = 0xC2B2AE3D27D4EB4F
	// mixLong times eight bytes is mix times the window that is the first of them.
	mixLong   = mix << longAbove & (1<<64 - 1)
	longAbove = 64 - 8*longWidth
)

// index finds where patterns of at least head bytes begin. Windows of width bytes of the text are looked up every step
// bytes; a pattern puts in the windows at its first step offsets, so one of them stands at such a place
// wherever the pattern begins. What a text that is nothing but windows costs is bounded: at most step
// look-ups a window, each a search among the patterns that share their first head bytes.
type index struct {
	step, width, head int

	// filter has three bits for each window, all in the word that a hash of the window names: the cache that holds a small filter
	// is worth more than the second look.
	filter  []uint64
	shift   uint8
	windows int // about how many are in it
	// masks says, by another hash of the window, at which offsets in patterns it stands.
	masks     []uint8
	maskShift uint8
	// slots is a hash table of groups, by their patterns' first head bytes; 0 is empty, n is group n-1.
	slots     []int32
	slotShift uint8
	groups    []group
}

// group is a range of patterns, in order, that share their first bytes.
type group struct{ from, to int32 }

// roomy is the log of how many bits a filter may have beyond what it needs: 8 KiB stay in the fastest cache.
const roomy = 16

// newIndex makes an index of the patterns that are chosen; the range of a group may hold others, too. head is at most the
// length of the shortest, and step+width-1, or one less: then the last window goes one byte beyond, and is put in with whatever that may be.
func newIndex(s *Set, step, width, head int, chosen func(p *pattern) bool) *index {
	x := &index{step: step, width: width, head: head}
	var last []byte
	for i := range s.patterns {
		p := &s.patterns[i]
		text := s.bytes(p)
		if len(text) < x.head {
			continue
		}
		same := last != nil && bytes.Equal(text[:x.head], last)
		switch {
		case same:
			x.groups[len(x.groups)-1].to = int32(i + 1)
		case chosen(p):
			x.groups = append(x.groups, group{int32(i), int32(i + 1)})
			last = text[:x.head]
		}
	}
	if len(x.groups) == 0 {
		return nil
	}
	windows := 0
	for i := range s.patterns {
		if p := &s.patterns[i]; chosen(p) {
			windows += step + 1<<8*max(0, step+width-1-int(p.size))
		}
	}
	x.size(windows)
	x.masks, x.maskShift = table[uint8](log2(2*windows), 0, 24)
	x.slots, x.slotShift = table[int32](log2(2*len(x.groups)), 0, 30)
	for n, g := range x.groups {
		text := s.bytes(&s.patterns[g.from])
		for i := g.from; i < g.to; i++ {
			if p := &s.patterns[i]; chosen(p) {
				x.put(s.bytes(p))
			}
		}
		at := x.slotAt(text)
		for x.slots[at] != 0 {
			at = (at + 1) & (len(x.slots) - 1)
		}
		x.slots[at] = int32(n + 1)
	}
	x.fold()
	return x
}

// fold halves the filter while few of its bits are set: spellings share windows, and what is small stays in the cache.
func (x *index) fold() {
	set := 0
	for _, v := range x.filter {
		set += bits.OnesCount64(v)
	}
	for n := len(x.filter) / 2; 64*n >= 1<<roomy && set*sparse < 64*len(x.filter); n /= 2 {
		set = 0
		for i := range n {
			x.filter[i] = x.filter[2*i] | x.filter[2*i+1]
			set += bits.OnesCount64(x.filter[i])
		}
		x.filter = x.filter[:n]
		x.shift++
	}
	if len(x.filter) < cap(x.filter) {
		x.filter = slices.Clip(slices.Clone(x.filter))
	}
}

// sparse is how many bits there must be for each that is set, for the filter to be halved.
const sparse = 16

// size makes the filter, for about so many windows.
func (x *index) size(windows int) {
	x.windows = windows
	x.filter, x.shift = table[uint64](max(7, log2(16*windows), min(log2(64*windows), roomy)), 6, 26)
}

// put puts in the windows of a pattern; the last may go one byte beyond.
func (x *index) put(text []byte) {
	for offset := range x.step {
		if offset+x.width <= len(text) {
			x.putWindow(x.load(text[offset:]), offset)
			continue
		}
		for c := range 256 {
			x.putWindow(x.load(append(bytes.Clone(text[offset:]), byte(c))), offset)
		}
	}
}

func (x *index) putWindow(w uint64, offset int) {
	h := w * mix
	x.filter[h>>(x.shift&63)] |= bitsTable[h>>bitsShift%uint64(len(bitsTable))]
	if len(x.masks) > 0 {
		x.masks[x.maskAt(w)] |= 1 << offset
	}
}

// table makes a table for 1<<n entries of a bit, with 1<<unit of them in an element, and the shift that makes a 64-bit hash the place of an element.
func table[E uint8 | int32 | uint64](n, unit, most int) ([]E, uint8) {
	n = min(n, most) - unit
	return make([]E, 1<<n), uint8(64 - n)
}

func log2(n int) int { return bits.Len(uint(n - 1)) }

// load returns the window that b begins with: one of longWidth bytes in the upper ones.
func (x *index) load(b []byte) uint64 {
	w := uint64(binary.LittleEndian.Uint32(b))
	if x.width == longWidth {
		w = w<<longAbove | uint64(b[4])<<(32+longAbove)
	}
	return w
}

func (x *index) maskAt(w uint64) int { return int((w ^ w>>31) * mix2 >> (x.maskShift & 63)) }

// slotAt hashes the first head bytes of b.
func (x *index) slotAt(b []byte) int {
	h := x.load(b)*mix ^ x.load(b[x.head-x.width:])
	return int((h ^ h>>32) * mix2 >> (x.slotShift & 63))
}

// group returns the patterns that share their first head bytes with b, which has as many.
func (s *Set) group(x *index, b []byte) (group, bool) {
	for at := x.slotAt(b); x.slots[at] != 0; at = (at + 1) & (len(x.slots) - 1) {
		g := x.groups[x.slots[at]-1]
		p := &s.patterns[g.from]
		if string(s.text[p.at:p.at+uint32(x.head)]) == string(b[:x.head]) {
			return g, true
		}
	}
	return group{}, false
}

// longest returns the longest pattern of g that b begins with, or nil.
func (s *Set) longest(g group, b []byte) *pattern {
	if g.to-g.from == 1 {
		if p := &s.patterns[g.from]; bytes.HasPrefix(b, s.bytes(p)) {
			return p
		}
		return nil
	}
	// Everything that b begins with is the last pattern not behind b in order, or a beginning of it.
	for n := s.behind(int(g.from), int(g.to), b) - 1; n >= int(g.from); n = int(s.patterns[n].parent) {
		if p := &s.patterns[n]; bytes.HasPrefix(b, s.bytes(p)) {
			return p
		}
	}
	return nil
}

// begins reports whether a pattern of patterns[from:to] begins with b and goes on.
func (s *Set) begins(from, to int, b []byte) bool {
	if to-from == 1 {
		p := &s.patterns[from]
		return int(p.size) > len(b) && bytes.HasPrefix(s.bytes(p), b)
	}
	n := s.behind(from, to, b)
	return n < to && bytes.HasPrefix(s.bytes(&s.patterns[n]), b)
}

// behind returns the first of patterns[from:to] that is behind b in order, or to. The ends are looked at first: what differs from all that
// begin alike is before or behind them all.
func (s *Set) behind(from, to int, b []byte) int {
	after := func(n int) bool { return bytes.Compare(s.bytes(&s.patterns[n]), b) > 0 }
	switch {
	case after(from):
		return from
	case to-from == 1 || !after(to-1):
		return to
	}
	return from + sort.Search(to-from, func(i int) bool { return after(from + i) })
}

// bitsTable has three of a word's bits. The bits of a window's hash from bitsShift on choose an entry; the highest, at most 20 of them, name the word.
var bitsTable = func() (t [1 << 10]uint64) {
	for i := range t {
		h := uint64(i+1) * mix
		t[i] = 1<<(h>>58) | 1<<(h>>52&63) | 1<<(h>>46&63)
	}
	return t
}()

const bitsShift = 34

// has reports whether w may be a window.
func (x *index) has(w uint64) bool {
	h := w * mix
	return bitsTable[h>>bitsShift%uint64(len(bitsTable))]&^x.filter[h>>(x.shift&63)] == 0
}

// probe appends the patterns that have the window w, which stands at b[i:].
func (s *Set) probe(dst []Span, x *index, b []byte, i int, w uint64) []Span {
	if !x.has(w) {
		return dst
	}
	if s.first != nil {
		return s.probeParts(dst, x.step, b, i, w)
	}
	at := looked{at: -2}
	for m := x.masks[x.maskAt(w)]; m != 0; {
		offset := bits.Len8(m) - 1 // the first place first: spans come in order
		m &^= 1 << offset
		start := i - offset
		if start < 0 || start+x.head > len(b) {
			continue
		}
		if s.look(&at, x, b, start) {
			if p := s.longest(at.group, b[start:]); p != nil {
				dst = append(dst, Span{Start: start, End: start + int(p.size), Entry: int(p.entry)})
			}
		}
	}
	return dst
}

// looked is the group of a place in a text.
type looked struct {
	at int
	group
	ok bool
}

// look takes the group of b[start:]. In one letter over and over it is that of the place before.
func (s *Set) look(l *looked, x *index, b []byte, start int) bool {
	if start-1 != l.at || string(b[l.at:l.at+x.head]) != string(b[start:start+x.head]) {
		l.group, l.ok = s.group(x, b[start:])
	}
	l.at = start
	return l.ok
}

// findLong probes every eighth byte.
func (s *Set) findLong(dst []Span, b []byte) []Span {
	x := s.long
	i := x.scanLong(b, 0)
	for ; i+32 <= len(b); i = x.scanLong(b, i+32) {
		for k := i; k < i+32; k += 8 {
			dst = s.probe(dst, x, b, k, x.load(b[k:]))
		}
	}
	for ; i+longWidth <= len(b); i += longStep {
		dst = s.probe(dst, x, b, i, x.load(b[i:]))
	}
	return dst
}

// scanLong returns where the first 32 bytes of b from i on begin that hold a place to probe, or where fewer than 32 are left. It is a function of its own so that
// the loop has a register for most that it needs.
func (x *index) scanLong(b []byte, i int) int {
	filter, shift := x.filter, x.shift&63
	for ; i+32 <= len(b); i += 32 {
		c := b[i : i+32 : i+32]
		h0, h1 := binary.LittleEndian.Uint64(c)*mixLong, binary.LittleEndian.Uint64(c[8:])*mixLong
		h2, h3 := binary.LittleEndian.Uint64(c[16:])*mixLong, binary.LittleEndian.Uint64(c[24:])*mixLong
		const n = uint64(len(bitsTable))
		m0, m1, m2, m3 := bitsTable[h0>>bitsShift%n], bitsTable[h1>>bitsShift%n], bitsTable[h2>>bitsShift%n], bitsTable[h3>>bitsShift%n]
		if m0&^filter[h0>>shift] == 0 || m1&^filter[h1>>shift] == 0 || m2&^filter[h2>>shift] == 0 || m3&^filter[h3>>shift] == 0 {
			break
		}
	}
	return i
}

// findShort probes every fourth byte.
func (s *Set) findShort(dst []Span, b []byte) []Span {
	x := s.short
	filter, shift := x.filter, x.shift&63
	i := 0
	for ; i+16 <= len(b); i += 16 {
		c := b[i : i+16 : i+16]
		w0, w1 := binary.LittleEndian.Uint64(c), binary.LittleEndian.Uint64(c[8:])
		h0, h1, h2, h3 := w0&0xffffffff*mix, w0>>32*mix, w1&0xffffffff*mix, w1>>32*mix
		const n = uint64(len(bitsTable))
		m0, m1, m2, m3 := bitsTable[h0>>bitsShift%n], bitsTable[h1>>bitsShift%n], bitsTable[h2>>bitsShift%n], bitsTable[h3>>bitsShift%n]
		if m0&^filter[h0>>shift] == 0 || m1&^filter[h1>>shift] == 0 || m2&^filter[h2>>shift] == 0 || m3&^filter[h3>>shift] == 0 {
			for k := i; k < i+16; k += 4 {
				dst = s.probe(dst, x, b, k, x.load(b[k:]))
			}
		}
	}
	for ; i+4 <= len(b); i += 4 {
		dst = s.probe(dst, x, b, i, x.load(b[i:]))
	}
	if i+3 == len(b) { // the end of a pattern of six bytes
		dst = s.probe(dst, x, b, i, uint64(b[i])|uint64(b[i+1])<<8|uint64(b[i+2])<<16)
	}
	return dst
}
