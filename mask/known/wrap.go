package known

import (
	"bytes"
	"encoding/binary"
	"sort"
)

// Encoders of base64, base32 and hexadecimal break lines, and a break may fall anywhere into a secret. So words of these alphabets with a
// break behind them are searched once more in a copy without breaks. Skipping breaks while comparing was the other way: it
// needs every window of every spelling in the index, six times as many, for what is rare.
//
// A break counts behind wrapRun characters: no encoder makes shorter lines, and ordinary text, whose lines end in words, need not
// be copied or held. Quoted-printable's soft break, "=" at the end of a line, counts behind anything.
const (
	wrapRun   = 40
	maxIndent = 16
	maxViewed = 3 * maxPattern
)

// wrapTable is what wrapped lines consist of.
var wrapTable = func() (t [256]bool) {
	for c := range t {
		t[c] = alphanumeric(byte(c)) || c == '+' || c == '/' || c == '-' || c == '_'
	}
	return t
}()

// view is text without breaks.
type view struct {
	text  []byte
	lines []line
}

// line says that text from at on stands in the original from from on.
type line struct{ at, from int }

// original is the place of text[at] in the original.
func (v *view) original(at int) int {
	n := sort.Search(len(v.lines), func(i int) bool { return v.lines[i].at > at }) - 1
	return v.lines[n].from + at - v.lines[n].at
}

func (v *view) reset() { v.text, v.lines = v.text[:0], v.lines[:0] }

// put appends b[from:to].
func (v *view) put(b []byte, from, to int) {
	v.lines = append(v.lines, line{len(v.text), from})
	v.text = append(v.text, b[from:to]...)
}

// keep leaves the last n bytes.
func (v *view) keep(n int) {
	cut := len(v.text) - n
	if cut <= 0 {
		return
	}
	first := sort.Search(len(v.lines), func(i int) bool { return v.lines[i].at > cut }) - 1
	v.lines[first].from += cut - v.lines[first].at
	v.lines[first].at = cut
	v.lines = v.lines[:copy(v.lines, v.lines[first:])]
	for i := range v.lines {
		v.lines[i].at -= cut
	}
	v.text = v.text[:copy(v.text, v.text[cut:])]
}

// breaker is a way to break lines. It returns where the line at b[from:] ends and where the one behind the break begins; ok is false if
// there is none. open tells that b ends within the line or within what may be a break.
type breaker func(b []byte, from int) (end, next int, ok, open bool)

// wordBreak reads lines of base64, base32 and hexadecimal. What stands before from counts to the length of the line.
func wordBreak(b []byte, from int) (end, next int, ok, open bool) {
	for end = from; end < len(b) && wrapTable[b[end]]; end++ {
	}
	if end == len(b) || end-wordStart(b, end) < wrapRun {
		return end, end, false, end == len(b)
	}
	next, ok = skipBreak(b, end)
	return end, next, ok && (next == len(b) || wrapTable[b[next]]), !ok && next == len(b)
}

// skipBreak returns where the line behind the break at b[i:] begins: behind CR LF or LF, as they are or escaped, and spaces. Without a whole
// break it returns len(b) if one may be cut off there.
func skipBreak(b []byte, i int) (at int, ok bool) {
	for _, c := range [2][2]byte{{'\r', 'r'}, {'\n', 'n'}} {
		start := i
		for i < len(b) && b[i] == '\\' && i-start < 4 {
			i++
		}
		switch {
		case i == len(b):
			return i, false
		case i == start && b[i] == c[0] || i > start && b[i] == c[1]:
			i++
		case c[0] == '\n':
			return start, false
		default:
			i = start
		}
	}
	for start := i; i < len(b) && i-start < maxIndent && (b[i] == ' ' || b[i] == '\t'); i++ {
	}
	return i, true
}

// softTable has the soft breaks of quoted-printable (RFC 2045, section 6.7).
var softTable = [2][]byte{[]byte("=\n"), []byte("=\r\n")}

// softBreak reads lines of quoted-printable.
func softBreak(b []byte, from int) (end, next int, ok, open bool) {
	for i := from; ; i++ {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			break
		}
		i += n
		if end = i - 1; end > from && b[end] == '\r' {
			end--
		}
		if end >= from && b[end] == '=' {
			return end, i + 1, true, false
		}
	}
	end = len(b)
	for _, cut := range [2]string{"=", "=\r"} {
		if bytes.HasSuffix(b[from:], []byte(cut)) {
			end -= len(cut)
		}
	}
	return end, end, false, true
}

// longWord returns a place in b[from:] where a word of wrapRun bytes may stand, or len(b). It passes over none.
//
// Such a word holds four words of eight bytes at multiples of eight, of which one is at a multiple of 32; two more stand in front of that or behind.
// They have no byte below '+' or above ASCII, which hardly any other text can say of itself.
func longWord(b []byte, from int) int {
	const belowPlus, highs = 0x2b2b2b2b2b2b2b2b, 0x8080808080808080
	i := (from + 31) &^ 31
	before := uint64(0) // nothing is known of it
	if i >= 16 {
		for _, k := range [2]int{i - 16, i - 8} {
			if k+8 <= len(b) {
				w := binary.LittleEndian.Uint64(b[k:])
				before |= (w - belowPlus) | w
			}
		}
	}
	for ; i+32 <= len(b); i += 32 {
		c := b[i : i+32 : i+32]
		w0, w1, w2, w3 := binary.LittleEndian.Uint64(c), binary.LittleEndian.Uint64(c[8:]), binary.LittleEndian.Uint64(c[16:]), binary.LittleEndian.Uint64(c[24:])
		first, third := (w0-belowPlus)|w0, (w2-belowPlus)|w2
		if first&highs == 0 && (before&highs == 0 || ((w1-belowPlus)|w1|third)&highs == 0) {
			return i
		}
		before = third | (w3 - belowPlus) | w3
	}
	if i+8 <= len(b) {
		return i
	}
	return len(b)
}

// hasSoftBreak reports one of softTable.
func hasSoftBreak(b []byte) bool {
	return bytes.Contains(b, softTable[0]) || bytes.IndexByte(b, '\r') >= 0 && bytes.Contains(b, softTable[1])
}

// findChain appends what stands across the breaks of the lines that begin at b[from:]. It returns the end of the last line.
func (s *Set) findChain(dst []Span, b []byte, from int, next breaker) (found []Span, end int) {
	v := s.view()
	defer s.views.Put(v)
	reach := s.maxLen - 1
	for {
		end, behind, ok, _ := next(b, from)
		switch {
		case len(v.lines) == 0:
			from = max(from, end-reach)
		case !ok:
			v.put(b, from, min(end, from+reach))
			return s.findView(dst, v), end
		case end-from > 2*reach:
			v.put(b, from, from+reach)
			dst = s.findView(dst, v)
			v.reset()
			from = end - reach
		}
		if !ok {
			return dst, end
		}
		if len(v.text)+end-from > maxViewed {
			dst = s.findView(dst, v)
			v.keep(reach)
		}
		v.put(b, from, end)
		from = behind
	}
}

// findView appends what stands across the breaks left out of v, at its places in the original.
func (s *Set) findView(dst []Span, v *view) []Span {
	n := len(dst)
	dst = s.findPlain(dst, v.text)
	for _, sp := range dst[n:] {
		start, last := v.original(sp.Start), v.original(sp.End-1)
		if last-start >= sp.End-sp.Start {
			dst[n] = Span{Start: start, End: last + 1, Entry: sp.Entry}
			n++
		}
	}
	return dst[:n]
}

func (s *Set) view() *view {
	v, ok := s.views.Get().(*view)
	if !ok {
		v = &view{}
	}
	v.reset()
	return v
}

// holdWrapped returns where in b[from:] the longest beginning of a pattern starts that has a break in it, or stands before one, and goes on
// behind b.
func (s *Set) holdWrapped(b []byte, from int) int {
	at := len(b)
	region := max(from, len(b)-2*s.maxLen-256)
	if wordsAtEnd(b, region) {
		at = s.holdChain(b, region, wordBreak)
	}
	if i := bytes.IndexByte(b[region:], '='); i >= 0 {
		if end, _, ok, _ := softBreak(b, region+i); ok || end < len(b) {
			at = min(at, s.holdChain(b, region, softBreak))
		}
	}
	return at
}

// wordsAtEnd reports whether b may end in wrapped lines: in a word with a break before, or in a break, and a long word before that. A break before from
// does not count.
func wordsAtEnd(b []byte, from int) bool {
	i := len(b)
	for i > from && wrapTable[b[i-1]] {
		i--
	}
	if i == from {
		return false
	}
	for word := i; i > 0 && word-i < maxIndent+10; i-- {
		if c := b[i-1]; wrapTable[c] && (c != 'r' || i < 2 || b[i-2] != '\\') {
			break
		} else if c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '\\' && c != 'r' {
			return false
		}
	}
	return i-wordStart(b, i) == wrapRun
}

// holdChain is holdWrapped for one kind of break, among the lines of b[from:].
func (s *Set) holdChain(b []byte, from int, next breaker) int {
	v := s.view()
	defer s.views.Put(v)
	for from < len(b) {
		end, behind, ok, open := next(b, from)
		if ok || open {
			v.put(b, from, end)
			from = behind
		}
		if open {
			break
		}
		if !ok {
			v.reset()
			from = max(end, from+1)
		}
	}
	if len(v.lines) == 0 {
		return len(b)
	}
	at := s.holdPlain(v.text)
	if at == len(v.text) {
		return len(b)
	}
	return v.original(at)
}

// wordStart returns where the word begins that ends at b[at], but no more than wrapRun bytes before.
func wordStart(b []byte, at int) int {
	start := at
	for start > 0 && at-start < wrapRun && wrapTable[b[start-1]] {
		start--
	}
	return start
}
