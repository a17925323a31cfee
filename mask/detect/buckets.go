package detect

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// four is four bytes of a literal from at on. Where that is one byte before its text, or one behind is missing, any byte may stand.
type four struct {
	l  *literal
	at int
}

// wide guesses how many pairs there may be at its halves.
func (f four) wide() int {
	switch {
	case f.l.read == readStar:
		return 2
	case f.at < 0 || f.at+window > len(f.l.text):
		return 1
	}
	return 0
}

// place is what may stand at one place of a literal; nothing means any byte.
func (f four) place(dst []byte, i int) []byte {
	switch l := f.l; {
	case i >= 0 && i < len(l.text):
		c := l.text[i]
		if dst = append(dst, c); l.fold && c >= 'a' && c <= 'z' {
			dst = append(dst, c-('a'-'A'))
		}
	case i > 0 && l.read == readStar:
		dst = append(dst, upperHex...)
	}
	return dst
}

// clusters spreads the literals over the buckets so that as little as can be passes by chance: what those of a bucket have as the first half
// of four bytes passes with what any of them has as the second.
type clusters struct {
	likely [2][buckets]float64 // how likely what a bucket has at a half stands somewhere
	parts  [2]parts
}

// parts is what fours have at one of their halves: pairs, or a byte with any other before or behind it.
type parts struct {
	pairs          map[uint16]*part
	before, behind map[byte]*part // any byte may be before these, behind those
}

// part is in some buckets.
type part struct {
	likely float64
	in     uint64          // these
	count  [buckets]uint16 // of the fours in each that have it
}

// halves are those of a four, and the bucket it is in.
type halves struct {
	parts [2][]*part
	in    int // -1: none yet
	wide  int
}

// rounds is how often each four is put in the bucket that is best for it, given where the others are.
const rounds = 4

// spread puts fours in buckets.
func spread(fours []four) *clusters {
	c := &clusters{}
	for half := range c.parts {
		c.parts[half] = parts{map[uint16]*part{}, map[byte]*part{}, map[byte]*part{}}
	}
	all := make([]halves, 0, len(fours))
	seen := make(map[string]bool, len(fours))
	var key []byte
	for _, f := range fours {
		var at [window][]byte
		key = key[:0]
		for i := range at {
			from := len(key)
			key = f.place(key, f.at+i)
			at[i] = key[from:len(key):len(key)]
			key = append(key, 0)
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			all = append(all, halves{[2][]*part{c.parts[0].of(at[0], at[1]), c.parts[1].of(at[2], at[3])}, -1, f.wide()})
		}
	}
	// Those with the most halves first: what shares their bucket lets more pass.
	slices.SortStableFunc(all, func(a, b halves) int { return cmp.Compare(b.wide, a.wide) })
	for range rounds {
		for i := range all {
			c.put(&all[i])
		}
	}
	return c
}

// of is the half of a four in which one of a stands and one of b behind it; none means any byte.
func (t *parts) of(a, b []byte) []*part {
	list := make([]*part, 0, max(len(a), 1)*max(len(b), 1))
	switch {
	case len(a) == 0:
		for _, y := range b {
			list = append(list, one(t.before, y, likelyByte(y)))
		}
	case len(b) == 0:
		for _, x := range a {
			list = append(list, one(t.behind, x, likelyByte(x)))
		}
	}
	for _, x := range a {
		for _, y := range b {
			list = append(list, one(t.pairs, uint16(x)|uint16(y)<<8, likelyPair(x, y)))
		}
	}
	return list
}

func one[K comparable](all map[K]*part, key K, likely float32) *part {
	p := all[key]
	if p == nil {
		p = &part{likely: float64(likely)}
		all[key] = p
	}
	return p
}

// put moves a four to the bucket in which it lets the least more pass.
func (c *clusters) put(h *halves) {
	if h.in >= 0 {
		c.take(h)
	}
	with := c.likely // with the four in each bucket
	for half, list := range h.parts {
		sum := 0.0
		for _, p := range list {
			sum += p.likely
			for in := p.in; in != 0; in &= in - 1 {
				with[half][bits.TrailingZeros64(in)] -= p.likely
			}
		}
		for i := range with[half] {
			with[half][i] += sum
		}
	}
	least := math.Inf(1)
	for i := range buckets {
		if more := with[0][i]*with[1][i] - c.likely[0][i]*c.likely[1][i]; more < least {
			h.in, least = i, more
		}
	}
	for half, list := range h.parts {
		c.likely[half][h.in] = with[half][h.in]
		for _, p := range list {
			p.in |= 1 << h.in
			p.count[h.in]++
		}
	}
}

// take takes a four out of its bucket.
func (c *clusters) take(h *halves) {
	for half, list := range h.parts {
		for _, p := range list {
			if p.count[h.in]--; p.count[h.in] == 0 {
				p.in &^= 1 << h.in
				c.likely[half][h.in] -= p.likely
			}
		}
	}
}

// table sets t to what the buckets hold.
func (c *clusters) table(t *pairs) {
	for half, entries := range [2]*[1 << 16]uint64{&t.first, &t.second} {
		x := &c.parts[half]
		var before, behind [256]uint64
		for b, p := range x.before {
			before[b] = p.in
		}
		for b, p := range x.behind {
			behind[b] = p.in
		}
		for i := range entries {
			entries[i] = before[i>>8] | behind[i&0xff]
		}
		for pair, p := range x.pairs {
			entries[pair] |= p.in
		}
	}
}
