package detect

import (
	"cmp"
	"encoding/binary"
	"slices"

	"weir/mask/field"
)

// Each literal is found by four of its bytes, its window: those that stand least often in ordinary text. A window passes through three doors, the cheapest
// first: pairs, which looks at two bytes at a time and knows windows by their bucket only; sieve, a bitmap; and the index of all windows.

// sieve is a bitmap over a hash of the windows there are: most of what passes the pairs by chance ends here.
type sieve [1 << 14]uint64

func sieveBit(w uint32) (word uint32, bit uint64) {
	h := w * 0x9E3779B1 >> 12
	return h / 64, 1 << (h % 64)
}

func (v *sieve) add(w uint32) {
	word, bit := sieveBit(w)
	v[word] |= bit
}

func (v *sieve) has(w uint32) bool {
	word, bit := sieveBit(w)
	return v[word]&bit != 0
}

// pairs says of each two bytes that stand at an even place which windows they may be part of, in buckets of windows. A window that begins
// at an even place lies on two pairs, one that begins at an odd place on three.
type pairs [1 << 16]uint64

const (
	buckets   = 12 // five fields of so many bits each are in an entry
	evenHead  = 0 * buckets
	evenTail  = 1 * buckets
	oddHead   = 2 * buckets
	oddMiddle = 3 * buckets
	oddTail   = 4 * buckets

	field12  = 1<<buckets - 1
	evenDone = field12 << evenTail
	oddDone  = field12 << oddTail
)

// windows is the index: which literals have a window.
type windows struct {
	slots []slot // by a hash of the window, those that collide behind one another
	lits  []int32
	shift uint8
}

type slot struct {
	window uint32
	from   uint32
	n      uint32 // 0: nothing is here
}

// at returns the literals whose window w is. The caller must not change them.
func (x *windows) at(w uint32) []int32 {
	for i := w * 0x9E3779B1 >> x.shift; ; i++ {
		s := &x.slots[i&uint32(len(x.slots)-1)]
		if s.n == 0 || s.window == w {
			return x.lits[s.from : s.from+s.n]
		}
	}
}

// entry is a window of a literal.
type entry struct {
	window  uint32
	literal int32
}

// build indexes all literals.
func (s *Set) build() {
	all := make([]entry, 0, 16<<10)
	groups := make([][]entry, len(s.literals)) // slices of all
	for i := range s.literals {
		from := len(all)
		all = s.literals[i].windows(all, int32(i))
		groups[i] = all[from:len(all):len(all)]
	}
	s.pairs = new(pairs)
	var c clusters
	slices.SortStableFunc(groups, func(a, b []entry) int { return cmp.Compare(len(b), len(a)) })
	for _, g := range groups {
		c.put(s.pairs, g)
	}
	c.finish(s.pairs)
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.window, b.window) })
	n := 0
	for i := range all {
		if i == 0 || all[i].window != all[i-1].window {
			n++
		}
	}
	bits := 8
	for 1<<bits < 2*n {
		bits++
	}
	x := &s.windows
	x.slots, x.lits, x.shift = make([]slot, 1<<bits), make([]int32, len(all)), uint8(32-bits)
	for i := 0; i < len(all); {
		w, from := all[i].window, i
		for ; i < len(all) && all[i].window == w; i++ {
			x.lits[i] = all[i].literal
		}
		s.sieve.add(w)
		at := w * 0x9E3779B1 >> x.shift
		for x.slots[at&(1<<bits-1)].n != 0 {
			at++
		}
		x.slots[at&(1<<bits-1)] = slot{w, uint32(from), uint32(i - from)}
	}
}

// windows appends the windows of a literal and chooses where in it they stand.
func (l *literal) windows(dst []entry, n int32) []entry {
	switch {
	case l.read == readStar:
		for d := range 1 << 12 {
			dst = append(dst, entry{binary.LittleEndian.Uint32([]byte{l.text[0], upperHex[d>>8], upperHex[d>>4&15], upperHex[d&15]}), n})
		}
		return dst
	case len(l.text) == window-1: // with each byte that may follow
		from := len(dst)
		for c := range 256 {
			if (l.read == readFormat && l.min > 0 || l.read == readEncoded) && !l.alphabet[c] {
				continue
			}
			dst = l.cases(dst, [window]byte{l.text[0], l.text[1], l.text[2], byte(c)}, n)
		}
		slices.SortFunc(dst[from:], func(a, b entry) int { return cmp.Compare(a.window, b.window) })
		return append(dst[:from], slices.CompactFunc(dst[from:], func(a, b entry) bool { return a.window == b.window })...)
	}
	best := float32(2)
	for at := 0; at+window <= len(l.text); at++ {
		if p := likely([window]byte([]byte(l.text[at : at+window]))); p < best {
			best, l.at = p, at
		}
	}
	return l.cases(dst, [window]byte([]byte(l.text[l.at:l.at+window])), n)
}

const upperHex = "0123456789ABCDEF"

// cases appends a window in each of its cases.
func (l *literal) cases(dst []entry, w [window]byte, n int32) []entry {
	for c := range 1 << window {
		v, ok := w, true
		for k := range v {
			if c&(1<<k) == 0 {
				continue
			}
			if ok = ok && l.fold && v[k] >= 'a' && v[k] <= 'z'; ok {
				v[k] -= 'a' - 'A'
			}
		}
		if ok {
			dst = append(dst, entry{binary.LittleEndian.Uint32(v[:]), n})
		}
	}
	return dst
}

// likely guesses how often a window stands in ordinary text.
func likely(w [window]byte) float32 {
	return likelyPair(w[0], w[1])*likelyPair(w[2], w[3]) + likelyByte(w[0])*likelyPair(w[1], w[2])*likelyByte(w[3])
}

func likelyPair(a, b byte) float32 {
	p := likelyByte(a) * likelyByte(b)
	switch {
	case !isLetter(a) || !isLetter(b) || a >= 0x80 || b >= 0x80:
		return p
	case field.Follows(a, b):
		return 2 * p
	}
	return p / 8
}

func likelyByte(c byte) float32 {
	switch {
	case c == ' ':
		return 0.13
	case c == 'e' || c == 't' || c == 'a':
		return 0.06
	case c == 'o' || c == 'i' || c == 'n' || c == 's' || c == 'r':
		return 0.05
	case c == 'l' || c == 'h' || c == 'd' || c == 'c' || c == 'u' || c == 'm' || c == 'p' || c == 'f' || c == 'g':
		return 0.025
	case c >= 'a' && c <= 'z', c == '"', c == '\n', c == ',':
		return 0.012
	case c >= '0' && c <= '9', c == '.', c == ':', c == '-', c == '_', c == '=', c == '/', c == '(', c == ')', c == '\t':
		return 0.011
	case c >= 'A' && c <= 'Z', c == '\'':
		return 0.005
	case c >= 0x80 || c < ' ':
		return 0.0003
	}
	return 0.0015
}

// clusters spreads the windows over the buckets so that as little as can be passes the pairs by chance: what the windows of a bucket
// have in their first half passes with what any of them has in the second.
type clusters struct {
	of [buckets]cluster
}

// cluster is a bucket: which bytes and pairs its windows have at each place, and how likely one of them stands there.
type cluster struct {
	head, middle, tail [1 << 10]uint64
	first, last        [256]bool
	p                  [5]float32 // of head, tail; first, middle, last
}

func (c *cluster) chance(p [5]float32) float32 { return p[0]*p[1] + p[2]*p[3]*p[4] }

// with returns the chances with the windows of a literal added, and adds them if keep is set.
func (c *cluster) with(g []entry, keep bool) [5]float32 {
	p := c.p
	var seen [3][8]uint32 // the last pairs that were counted, so that the cases of one window count once
	for i, e := range g {
		a, b, d, f := byte(e.window), byte(e.window>>8), byte(e.window>>16), byte(e.window>>24)
		for k, pair := range [3]uint32{uint32(a) | uint32(b)<<8, uint32(d) | uint32(f)<<8, uint32(b) | uint32(d)<<8} {
			set := [3]*[1 << 10]uint64{&c.head, &c.tail, &c.middle}[k]
			if set[pair/64]&(1<<(pair%64)) != 0 || slices.Contains(seen[k][:], pair|1<<16) {
				continue
			}
			seen[k][i%8] = pair | 1<<16
			at := [3]int{0, 1, 3}[k]
			p[at] += likelyPair(byte(pair), byte(pair>>8))
			if keep {
				set[pair/64] |= 1 << (pair % 64)
			}
		}
		if !c.first[a] {
			p[2] += likelyByte(a)
			c.first[a] = keep
		}
		if !c.last[f] {
			p[4] += likelyByte(f)
			c.last[f] = keep
		}
	}
	return p
}

// put adds a literal to the bucket in which it lets the least more pass.
func (c *clusters) put(t *pairs, g []entry) {
	best, least := 0, float32(2)
	for k := range c.of {
		k0 := &c.of[k]
		if more := k0.chance(k0.with(g, false)) - k0.chance(k0.p); more < least {
			best, least = k, more
		}
	}
	c.of[best].p = c.of[best].with(g, true)
	bucket := uint64(1) << best
	for _, e := range g {
		t[uint16(e.window)] |= bucket << evenHead
		t[e.window>>16] |= bucket << evenTail
		t[uint16(e.window>>8)] |= bucket << oddMiddle
	}
}

// finish puts in what one byte of a pair says: that a window begins in its second or ends in its first.
func (c *clusters) finish(t *pairs) {
	var heads, tails [256]uint64
	for k := range c.of {
		for i := range 256 {
			if c.of[k].first[i] {
				heads[i] |= 1 << k << oddHead
			}
			if c.of[k].last[i] {
				tails[i] |= 1 << k << oddTail
			}
		}
	}
	for i := range t {
		t[i] |= heads[i>>8] | tails[i&0xff]
	}
}
