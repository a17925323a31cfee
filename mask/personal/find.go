package personal

import (
	"encoding/binary"
	"math/bits"
)

// Bounds of what is looked at, in bytes.
const (
	maxWord  = 64 // no longer word holds personal data
	maxHeld  = 64 // of a beginning without a digit or an @
	maxLocal = 64 // RFC 5321, section 4.5.3.1
)

// Find appends the personal data in b[from:] to dst, ascending and without overlap; b[:from] was searched before and is only
// looked at for what stands before a finding. With final unset more bytes may follow: then no finding, now or later, begins
// between the last one returned and safe, and none reaches behind safe; call again with what begins at safe. Less than
// 512 bytes are held back. It does not keep b.
func (s *Set) Find(dst []Finding, b []byte, from int, final bool) (found []Finding, safe int) {
	if s == nil {
		return dst, len(b)
	}
	f := finder{s: s, b: b, final: final, out: dst, done: from}
	for i := next(b, from); i < len(b); i = next(b, i) {
		var cut int
		if b[i] == '@' {
			if i == from || classTable[b[i-1]]&localByte == 0 {
				i++
				continue
			}
			var end int
			end, cut = f.address(i, i+1)
			i = max(i+1, end)
		} else {
			i, cut = f.number(i)
		}
		if cut >= 0 {
			return f.out, f.hold(cut)
		}
	}
	if final {
		return f.out, len(b)
	}
	return f.out, f.hold(len(b))
}

// finder is one search.
type finder struct {
	s     *Set
	b     []byte
	final bool
	out   []Finding
	done  int // nothing before this may be found any more
	run   int // end of the last run of hexadecimal digits and colons that was looked at
}

// next returns where the next digit or @ stands at or behind i: all that is found holds one of them.
func next(b []byte, i int) int {
	const ones, low, high = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		d, a := w^ones*'0', w^ones*'@'
		// The high bit of a byte stays clear in d where it is at most 9, in a where it is 0.
		d |= d&low + ones*(0x80-10)
		a |= a&low + low
		if hit := ^(d & a) & high; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for i < len(b) && !isDigit(b[i]) && b[i] != '@' {
		i++
	}
	return min(i, len(b))
}

// hold returns where the bytes before i begin that may belong to a finding whose digit or @ is still to come.
func (f *finder) hold(i int) int {
	low := max(f.done, i-maxHeld)
	p := i
	for p > low && classTable[f.b[p-1]]&heldByte != 0 {
		p--
	}
	if p > low && f.b[p-1] == ' ' {
		if q := f.prefix(p); q >= low {
			p = q
		}
	}
	return p
}

// prefix returns where a word of one or two letters begins that a blank or a hyphen ties to the word at i, or -1.
func (f *finder) prefix(i int) int {
	p := i - 1
	if p < 1 || f.b[p] != ' ' && f.b[p] != '-' {
		return -1
	}
	for p > 0 && isLetter(f.b[p-1]) {
		p--
	}
	if n := i - 1 - p; n < 1 || n > 2 || p > 0 && isWord(f.b[p-1]) {
		return -1
	}
	return p
}

// found records b[start:end].
func (f *finder) found(start, end int, k kind) (int, int) {
	f.out = append(f.out, Finding{start, end, kindNames[k]})
	f.done = end
	return end, -1
}

// word returns the bounds of the word that i is in; long is set when it is too long for any finding, and then end is where it ends
// or where b does.
func (f *finder) word(i int) (start, end int, long bool) {
	b := f.b
	start, end = i, i+1
	for start > 0 && isAlnum(b[start-1]) && i-start <= maxWord {
		start--
	}
	for end < len(b) && isAlnum(b[end]) {
		end++
	}
	return escaped(b, start), end, end-start > maxWord
}

// escaped steps over the letter of an escape such as \n that a word seems to begin with.
func escaped(b []byte, start int) int {
	if start > 0 && b[start-1] == '\\' && (b[start] == 'n' || b[start] == 'r' || b[start] == 't') {
		return start + 1
	}
	return start
}

// number looks at the word that the digit at i is in. It returns where to go on, and where what must be looked at again with
// more bytes begins, or -1.
func (f *finder) number(i int) (next, cut int) {
	start, end, long := f.word(i)
	if long {
		return end, -1
	}
	if f.b[start] == '4' && start > 0 && f.b[start-1] == '%' && start+1 < end && f.b[start+1] == '0' {
		if next, cut = f.address(start-1, start+2); next > 0 || cut >= 0 {
			return next, cut
		}
	}
	if end == len(f.b) && !f.final {
		return end, f.first(start)
	}
	if next, cut = f.machine(start, end); next > 0 || cut >= 0 {
		return next, cut
	}
	if next, cut = f.telephone(start); next > 0 || cut >= 0 {
		return next, cut
	}
	if p := f.prefix(start); p >= f.done {
		if next, cut = f.formed(p, start-1); next > 0 || cut >= 0 {
			return next, cut
		}
	}
	if start >= f.done {
		if next, cut = f.account(start, end); next > 0 || cut >= 0 {
			return next, cut
		}
		if next, cut = f.formed(start, end); next > 0 || cut >= 0 {
			return next, cut
		}
		if next, cut = f.domestic(start, end); next > 0 || cut >= 0 {
			return next, cut
		}
	}
	return end, -1
}

// first returns the earliest place where a finding may begin that the word at start belongs to.
func (f *finder) first(start int) int {
	if p := f.prefix(start); p >= f.done {
		return p
	}
	return start
}

// apart reports whether what begins at start is no part of something longer: a decimal, a chain of hyphens, a name.
func (f *finder) apart(start int) bool {
	if start == 0 {
		return true
	}
	switch c := f.b[start-1]; c {
	case '_', '@', '-', '+':
		return false
	case '.':
		return start > 1 && isLetter(f.b[start-2])
	}
	return true
}

// ends reports whether what ends at end is no part of something longer, or that more bytes are needed to know.
func (f *finder) ends(end int) (ok, cut bool) {
	if end == len(f.b) {
		return f.final, !f.final
	}
	switch c := f.b[end]; {
	case isWord(c) || c == '@':
		return false, false
	case c != '-' && c != '.':
		return true, false
	case end+1 == len(f.b):
		return f.final, !f.final
	case c == '-':
		return !isWord(f.b[end+1]), false
	}
	return !isDigit(f.b[end+1]), false
}

// Classes of bytes.
const (
	digitByte = 1 << iota
	letterByte
	underByte
	localByte // of the part of an address before its @
	hostByte  // of the part behind it
	hexByte   // of an IPv6 address
	heldByte  // may stand in the beginning of a finding
	tieByte   // between groups of a telephone number
)

var classTable = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = digitByte | localByte | hostByte | hexByte | heldByte
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			t[c] = letterByte | localByte | hostByte | heldByte
			if c|0x20 <= 'f' {
				t[c] |= hexByte
			}
		case c >= 0x80:
			t[c] = hostByte
		}
	}
	t['_'] = underByte | localByte | heldByte
	t['.'] = localByte | hostByte | hexByte | heldByte
	t['-'] = localByte | hostByte | heldByte
	t['+'] = localByte | heldByte
	t[':'] = hexByte | heldByte
	t['%'], t['('] = heldByte, heldByte
	for _, c := range " -./()" {
		t[c] |= tieByte
	}
	return t
}()

func isDigit(c byte) bool  { return c-'0' <= 9 }
func isLetter(c byte) bool { return classTable[c]&letterByte != 0 }
func isAlnum(c byte) bool  { return classTable[c]&(letterByte|digitByte) != 0 }
func isWord(c byte) bool   { return classTable[c]&(letterByte|digitByte|underByte) != 0 }
