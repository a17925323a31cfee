package detect

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// Each literal is found by four of its bytes, its window: those that stand least often in ordinary text. Most text is passed over by a look at every
// second pair of bytes, which knows by bucket what literals have there; where a pair and the next one may belong to a literal, the windows
// around are looked up: first in a sieve, a bitmap, then in the index of all windows.

// sieve is a bitmap over a hash of the windows there are: most of what passes the pairs by chance ends here.
type sieve [1 << 14]uint64

// mix spreads windows over a table by their upper bits.
const mix = 0x9E3779B1

func sieveBit(w uint32) (word uint32, bit uint64) {
	h := w * mix >> 12
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

// which tells which of x, y and z it has, from bit 0 on.
func (v *sieve) which(x, y, z uint32) uint64 {
	a, b, c := x*mix>>12, y*mix>>12, z*mix>>12
	return v[a/64]>>(a%64)&1 | v[b/64]>>(b%64)&1<<1 | v[c/64]>>(c%64)&1<<2
}

// pairs says of each two bytes that stand at an even place in which buckets of literals they may be, as the first half of four bytes and as the
// second. Of each literal two such fours are in: its window, and the one that begins a byte before or behind, so that one of them stands at an
// even place wherever the literal does.
type pairs struct {
	first, second [1 << 16]uint64
}

const buckets = 64

// windows is the index: which literals have a window.
type windows struct {
	slots []slot // by a hash of the window, those that collide behind one another
	lits  []place
	shift uint8
}

// place is where a window stands in a literal.
type place struct {
	literal int32
	back    int32 // so far behind its beginning
	first   uint8 // what the literal begins with; bit 5, which tells upper from lower case, is set
	whole   bool  // the literal is its window
}

// may reports whether the literal may stand where its window stands at b[i:].
func (p place) may(b []byte, i int) bool {
	start := i - int(p.back)
	return start >= 0 && b[start]|0x20 == p.first
}

type slot struct {
	window uint32
	from   uint32
	n      uint32 // 0: nothing is here
}

// at returns the literals whose window w is. The caller must not change them.
func (x *windows) at(w uint32) []place {
	for i := w * mix >> x.shift; ; i++ {
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
	s.pairs = new(pairs)
	all := make([]entry, 0, 16<<10)
	fours := make([]four, 0, 2*len(s.literals))
	for i := range s.literals {
		l := &s.literals[i]
		beside := l.place()
		all = l.windows(all, int32(i))
		fours = append(fours, four{l, l.at}, four{l, beside})
	}
	spread(fours).table(s.pairs)
	sortEntries(all)
	n := 0
	for i := range all {
		if i == 0 || all[i].window != all[i-1].window {
			n++
		}
	}
	size := max(8, bits.Len(uint(2*n-1)))
	x := &s.windows
	x.slots, x.lits, x.shift = make([]slot, 1<<size), make([]place, len(all)), uint8(32-size)
	for i := 0; i < len(all); {
		w, from := all[i].window, i
		for ; i < len(all) && all[i].window == w; i++ {
			l := &s.literals[all[i].literal]
			x.lits[i] = place{all[i].literal, int32(l.at), l.text[0] | 0x20, len(l.text) == window && !l.fold} //nolint:gosec // a literal is short
		}
		s.sieve.add(w)
		at := w * mix >> x.shift
		for x.slots[at&(1<<size-1)].n != 0 {
			at++
		}
		x.slots[at&(1<<size-1)] = slot{w, uint32(from), uint32(i - from)}
	}
}

// sortEntries orders entries by their windows, and those of one by their literals.
func sortEntries(all []entry) {
	keys := make([]uint64, len(all))
	for i, e := range all {
		keys[i] = uint64(e.window)<<32 | uint64(e.literal)
	}
	slices.Sort(keys)
	for i, k := range keys {
		all[i] = entry{uint32(k >> 32), int32(uint32(k))}
	}
}

// place chooses where in a literal its window stands, and the four bytes beside it.
func (l *literal) place() (beside int) {
	least, rarest := float32(math.Inf(1)), float32(0)
	for at := 0; at == 0 || at+window <= len(l.text); at++ {
		here, before, behind := likelyFour(l, at), likelyFour(l, at-1), float32(math.Inf(1))
		if at+window <= len(l.text) {
			behind = likelyFour(l, at+1)
		}
		if p := here + min(before, behind); p < least || p == least && here < rarest {
			least, rarest, l.at, beside = p, here, at, at-1
			if behind < before {
				beside = at + 1
			}
		}
	}
	return beside
}

// windows appends the windows of a literal: several where a byte may be one of several.
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
			if l.follows(byte(c)) {
				dst = l.cases(dst, [window]byte{l.text[0], l.text[1], l.text[2], byte(c)}, n)
			}
		}
		slices.SortFunc(dst[from:], func(a, b entry) int { return cmp.Compare(a.window, b.window) })
		return append(dst[:from], slices.CompactFunc(dst[from:], func(a, b entry) bool { return a.window == b.window })...)
	}
	return l.cases(dst, [window]byte([]byte(l.text[l.at:l.at+window])), n)
}

// follows reports that c may stand behind the text of a literal.
func (l *literal) follows(c byte) bool {
	return (l.read != readFormat || l.min == 0) && l.read != readEncoded || l.alphabet[c]
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

// likelyFour guesses how often four bytes that stand in a literal from at on, or one byte before or behind it, stand in ordinary text.
func likelyFour(l *literal, at int) float32 {
	half := func(i int) float32 {
		switch {
		case i < 0:
			return likelyByte(l.text[0])
		case i+1 < len(l.text):
			return likelyPair(l.text[i], l.text[i+1])
		case i < len(l.text):
			return likelyByte(l.text[i])
		}
		return 0.05
	}
	return half(at) * half(at+2)
}

func likelyPair(a, b byte) float32 { return pairTable[uint16(a)|uint16(b)<<8] }

// commonPairTable are the pairs of letters, blanks and marks that stand most often in source code and prose: in the first string one after another those that are one pair in 64, in each further one
// those that are half as frequent.
var commonPairTable = [...]string{
	"e ",
	" tinths errese ahe ionort enten an s",
	"isatesstd  oartiler derif ntalitmeednd ccoelli fetioceic rnsngy  mne p dtotrro",
	" bilrataof w ndiasma eouifo vepeurutopllfoecl otod lamctunsihanalfncnoeaomficaprhipaexlassigusacgeg rslo--chrnefadwitstu uibrta immprrbe",
	"moe,hoclaisohtwaulh pobus.emghpyplrmsuosblnie.lseeckvaocrgluptueie hshabol()epm apubagrydoiabyyrumkeftmipptyttda vidowirovlyiv gfrtwsplt",
	"fuduboooc bixtrcobausaldmsgscievgivigrfeupypnuk ytcuayffwhnyscpubarufabjpibs yrlqucravysudrkucmmipsyuiwregeyrdxcnfzeu yoweakdsxpp muoawoebmyeqnlddizmbewje",
	"b gnfleiufgurpogbreotpoitlgotckannokdluadrnvsrw  kslrvx ccglpshrtfixnkrfksi kifyxixaskfstdgacp",
}

const mostCommon = 64 // one pair in so many is of the first of commonPairTable

// pairTable is how often each two bytes stand in ordinary text.
var pairTable = func() (t [1 << 16]float32) {
	for i := range t {
		a, b := byte(i), byte(i>>8)
		t[i] = likelyByte(a) * likelyByte(b)
		switch {
		case !isLetter(a) || !isLetter(b) || a >= 0x80 || b >= 0x80:
		case a >= 'a' && b >= 'a': // less often than the last of commonPairTable
			t[i] = min(t[i]/4, 0.0002)
		default:
			t[i] /= 8
		}
	}
	p := float32(1) / mostCommon
	for _, pairs := range commonPairTable {
		for ; pairs != ""; pairs = pairs[2:] {
			t[uint16(pairs[0])|uint16(pairs[1])<<8] = p
		}
		p /= 2
	}
	return t
}()

func likelyByte(c byte) float32 { return likelyTable[c] }

// likelyTable is how often each byte stands in ordinary text.
var likelyTable = func() (t [256]float32) {
	for c := range t {
		t[c] = guessByte(byte(c))
	}
	return t
}()

func guessByte(c byte) float32 {
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
