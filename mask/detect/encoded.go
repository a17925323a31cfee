package detect

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"weir/mask/field"
)

// Secrets in base64 are found by what their names and prefixes look like in it: each text has three spellings, by where in three bytes it
// begins. Where one stands, and what stands behind it is text, the run around it is decoded and searched. So base64 of images costs nothing, and
// text without base64 neither.

const (
	minEncoded   = 24      // the shortest run that is looked into, in bytes
	encodedReach = 512     // how far before a spelling its run is masked, in bytes; a longer one is masked from the spelling on
	encodedAhead = 24      // so much of what a spelling begins must be text, in bytes of the run
	encodedWide  = 56      // a line of so many bytes goes on in the next one
	encodedDepth = 2       // encodings within each other
	encodedAgain = 1 << 10 // so much of the end of a run that is too long to hold is looked at again with what follows
)

// encodedTable is what the names of secrets hold, in pieces of which one stays whole where a line is cut.
var encodedTable = [...]string{"pass", "word", "secr", "cret", "toke", "oken", "apik", "api_", "cred", "_key", "-key", "auth", "pwd=", "pwd\"", "psk=", "key\"", "key=", "private"}

// encodedPrefixTable is the issuers' prefixes that are looked for in base64 without a name: the ones met most. All of them would make a tenth more of ordinary
// text look as if it held one.
var encodedPrefixTable = [...]string{
	"ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "AKIA", "ASIA", "AIza", "ya29.", "GOCSPX-", "sk_live_", "rk_live_", "whsec_", "xoxb-", "xoxp-", "xapp-", "hooks.slack", "sk-ant-", "sk-proj-", "npm_", "pypi-AgE",
	"hvs.", "dckr_pat_", "dop_v1_", "eyJhbGci", "ATATT3", "shpat_", "glsa_", "PMAK-", "AGE-SECRET",
}

// encodings returns the literals that find text in base64: what names hold, issuers' prefixes, and what users look for.
func (s *Set) encodings(rule *Rule, custom []literal) []literal {
	var all []literal
	run, seen := alphabet('E'), map[string]bool{}
	spell := func(text string, from, to int) {
		for _, e := range [...]*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			code := e.EncodeToString([]byte(text))[from:to]
			if key := string(rune('0'+from)) + code; !seen[key] {
				seen[key] = true
				all = append(all, literal{text: code, read: readEncoded, alphabet: run, min: from, rule: rule})
			}
		}
	}
	add := func(text string) {
		spell(text, 0, len(text)*8/6)
		if len(text) >= window {
			spell("\x00"+text, 2, (1+len(text))*8/6)
			spell("\x00\x00"+text, 3, (2+len(text))*8/6)
			return
		}
		// Three characters are too few: with the last two bits of the byte before it, and with the first two of the ASCII byte behind it, there are four.
		for bits := range 4 {
			spell(string(rune(bits))+text, 1, 5)
		}
		spell("\x00\x00"+text+"\x00", 3, 7)
		spell("\x00\x00"+text+"\x40", 3, 7)
	}
	cases := func(text string) {
		add(text)
		add(strings.ToUpper(text))
		add(strings.ToUpper(text[:1]) + text[1:])
	}
	for _, stem := range encodedTable {
		cases(stem)
	}
	for _, stem := range s.names.Stems() {
		if len(stem) >= window {
			cases(stem)
		}
	}
	add("://")
	add("---BEGIN")
	for _, prefix := range encodedPrefixTable {
		add(prefix)
	}
	for i := range custom {
		if len(custom[i].text) >= window {
			cases(custom[i].text)
		}
	}
	return all
}

// sextetTable is what the characters of base64 and base64url stand for; notEncoded for all others.
var sextetTable = func() (t [256]uint8) {
	for c := range t {
		t[c] = notEncoded
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = uint8(i)
	}
	t['-'], t['_'] = t['+'], t['/']
	return t
}()

const notEncoded = 0xff

// encoded looks into the run of base64 that a spelling stands in.
func (f *finder) encoded(l *literal, start int) bool {
	first := start - l.min // of the four characters in which the text begins
	if start < f.done || start < f.plain || f.depth == encodedDepth || first < 0 {
		return false
	}
	if text, whole := f.readable(first); !text {
		return false
	} else if !whole {
		return f.more(f.runBegin(start), start, l.rule, RunEncoded, "")
	}
	begin := f.runBegin(start)
	if begin > first {
		return false
	}
	from, masked := f.before(begin, (first-begin)%4), begin
	if start-begin > encodedReach {
		from, masked = first-encodedReach, start
	}
	end, closed := f.encodedEnd(begin, start)
	if !closed && len(f.b)-start < MaxHold {
		return f.more(begin, start, l.rule, RunEncoded, "")
	}
	if end-begin < minEncoded {
		return false
	}
	found := f.inside(from, first, end)
	switch {
	case found != nil && closed:
		return f.add(masked, masked, end, found)
	case found != nil:
		f.out = append(f.out, Finding{From: min(masked, start), Start: max(masked, f.done), End: start + MaxHold, Rule: found, Open: RunEncoded})
		f.safe = start + MaxHold
		return true
	}
	if f.plain = end; !closed {
		f.plain -= encodedAgain
	}
	return false
}

// readable reports whether the characters at i spell text, as far as encodedAhead goes: over a line end, too, where the line ends so soon that it
// does not tell. whole is unset when more may come.
func (f *finder) readable(i int) (text, whole bool) {
	const enough = 12 // characters
	var plain [encodedAhead / 4 * 3]byte
	n, bits, acc, count := 0, 0, uint32(0), 0
	for count < encodedAhead {
		if i == len(f.b) {
			if !f.final {
				return true, false
			}
			break
		}
		v := sextetTable[f.b[i]]
		if v == notEncoded {
			if count >= enough || f.b[i] == '=' {
				break
			}
			next, known := f.lineEnd(i)
			if !known {
				return true, false
			}
			if next == i || next == len(f.b) || sextetTable[f.b[next]] == notEncoded {
				break
			}
			i = next
			continue
		}
		acc, bits = acc<<6|uint32(v), bits+6
		if bits >= 8 {
			bits -= 8
			plain[n] = byte(acc >> bits)
			n++
		}
		i++
		count++
	}
	return n >= 6 && textLength(plain[:n]) >= n-(utf8.UTFMax-1), true
}

// textLength is how much of the front of b is text: UTF-8 without control characters.
func textLength(b []byte) int {
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c >= ' ' && c < 0x7f, c == '\n', c == '\r', c == '\t':
			i++
		case c >= 0x80:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError {
				return i
			}
			i += n
		default:
			return i
		}
	}
	return len(b)
}

// runBegin returns where the run begins that i stands in, on its line, or a place more than encodedReach before i. It is asked for ascending
// places.
func (f *finder) runBegin(i int) int {
	floor := max(0, i-encodedReach-4)
	k := i
	for k > floor && sextetTable[f.b[k-1]] != notEncoded {
		if k == f.runAt {
			k = f.run0
			break
		}
		k--
	}
	f.runAt, f.run0 = i, k
	if k > 0 && k < i && f.b[k-1] == '\\' && (f.b[k] == 'n' || f.b[k] == 'r' || f.b[k] == 't') {
		k++
	}
	return k
}

// before returns where to begin to decode a line that begins at begin, of which the first odd characters are none of the run's: at the end of
// the line before it if that is a wide one of the run, so that a name that was cut is whole.
func (f *finder) before(begin, odd int) int {
	b, k := f.b, begin
	for k > 0 && begin-k < maxIndent && (b[k-1] == ' ' || b[k-1] == '\t') {
		k--
	}
	switch {
	case odd > 0:
		return begin + odd
	case k > 0 && b[k-1] == '\n':
		k--
	case k > 1 && b[k-1] == 'n' && b[k-2] == '\\':
		k -= 2
	default:
		return begin
	}
	if k > 0 && b[k-1] == '\r' {
		k--
	} else if k > 1 && b[k-1] == 'r' && b[k-2] == '\\' {
		k -= 2
	}
	from := k - encodedWide
	if from < 0 {
		return begin
	}
	for _, c := range b[from:k] {
		if sextetTable[c] == notEncoded {
			return begin
		}
	}
	return from
}

// inBlock reports a short prefix in a long run of base64, where it stands by chance: behind one of its signs, or at the beginning of a line
// behind another one that does not begin with it.
func (f *finder) inBlock(l *literal, start int) bool {
	if start > 0 && (f.b[start-1] == '+' || f.b[start-1] == '/') && !strings.ContainsAny(l.text, "_-") && f.behindRandom(start-1) {
		return true
	}
	if start < encodedWide {
		return false
	}
	if c := f.b[start-1]; c == '+' || c == '/' {
		if begin := f.runBegin(start); start-begin < encodedWide {
			return f.before(begin, 0) != begin
		}
		run := f.b[start-encodedWide : start]
		for _, c := range run {
			if sextetTable[c] == notEncoded || c == '-' || c == '_' {
				return false
			}
		}
		return alternates(run)
	} else if c > ' ' {
		return false
	}
	from := f.before(start, 0)
	if from == start {
		return false
	}
	for k := from; k > 0 && from-k < encodedReach && sextetTable[f.b[k-1]] != notEncoded; k-- {
		from = k - 1
	}
	return !hasLiteral(f.b[from:], l)
}

// behindRandom reports that what ends at i, back to a plus, a slash or the end of its run, is long and neither a word nor a number: the bytes of an
// encoded block rather than a directory.
func (f *finder) behindRandom(i int) bool {
	from := i
	for from > 0 && i-from < encodedWide && isWord(f.b[from-1]) && f.b[from-1] != '_' {
		from--
	}
	part := f.b[from:i]
	return len(part) >= 32 && bytes.ContainsAny(part, upperLetters) && bytes.ContainsAny(part, lowerLetters) && !field.Wordy(part)
}

const (
	upperLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lowerLetters = "abcdefghijklmnopqrstuvwxyz"
)

// maxIndent is how far a line of a run may be indented, in bytes.
const maxIndent = 40

// encodedEnd returns the end of the run that begins at begin and goes on at least to i: over line ends, too, where its lines are wide.
// closed is unset when it may go on behind what is there.
func (f *finder) encodedEnd(begin, i int) (end int, closed bool) {
	b := f.b
	for {
		for i < len(b) && sextetTable[b[i]] != notEncoded {
			i++
		}
		width := i - begin
		switch {
		case i == len(b):
			return i, f.final
		case b[i] == '=':
			for i < len(b) && b[i] == '=' && i-begin-width < 2 {
				i++
			}
			return i, i < len(b) || f.final
		case width < encodedWide:
			return i, true
		}
		next, known := f.lineEnd(i)
		if !known {
			return i, false
		}
		last := next
		for last < len(b) && sextetTable[b[last]] != notEncoded {
			last++
		}
		n := last - next
		switch {
		case last == len(b) && !f.final:
			return i, false
		case next == i || n == 0 || n > width:
			return i, true
		case n < width && last < len(b) && b[last] > ' ' && b[last] != '=' && b[last] != '"' && b[last] != '\'' && b[last] != '\\' && b[last] != '<':
			return i, true
		}
		begin, i = next, last
	}
}

// lineEnd returns what stands behind the line end at i and the indentation behind it; i when there is none.
func (f *finder) lineEnd(i int) (next int, known bool) {
	b, k := f.b, i
	for k < len(b) && k-i < 6 && b[k] != '\n' {
		switch {
		case b[k] == '\r', b[k] == '\\':
			k++
			continue
		case k > i && b[k-1] == '\\' && (b[k] == 'r' || b[k] == 'n'):
		default:
			return i, true
		}
		if b[k] == 'n' {
			break
		}
		k++
	}
	if k == len(b) {
		return i, f.final
	}
	if b[k] != '\n' && b[k] != 'n' {
		return i, true
	}
	for k++; k < len(b) && k-i < maxIndent && (b[k] == ' ' || b[k] == '\t'); k++ {
	}
	return k, k < len(b) || f.final
}

// sextets returns the 24 bits that the first four characters of b stand for, or less than 0 where one of them stands for nothing.
func sextets(b []byte) int32 {
	a, c, d, e := sextetTable[b[0]], sextetTable[b[1]], sextetTable[b[2]], sextetTable[b[3]]
	if a|c|d|e == notEncoded { // which has bits that no other has
		return -1
	}
	return int32(a)<<18 | int32(c)<<12 | int32(d)<<6 | int32(e)
}

// decode appends what b[from:end] spells to plain, no further than text goes behind the characters at first. It returns where what those spell begins.
func (f *finder) decode(plain []byte, from, first, end int) (decoded []byte, at int) {
	const piece = 1 << 10 // looked at at once
	bits, acc, good := 0, uint32(0), 0
	for i := from; i < end; i++ {
		if i == first {
			at = len(plain)
		}
		if bits == 0 && i+4 <= end && (i+4 <= first || i >= first && len(plain)-good < piece-3) {
			if w := sextets(f.b[i:]); w >= 0 { // most of it
				plain = append(plain, byte(w>>16), byte(w>>8), byte(w))
				i += 3
				continue
			}
		}
		c := f.b[i]
		v := sextetTable[c]
		if v == notEncoded {
			if c == '\\' {
				i++
			}
			continue
		}
		acc, bits = acc<<6|uint32(v), bits+6
		if bits >= 8 {
			bits -= 8
			plain = append(plain, byte(acc>>bits))
			if n := len(plain); i > first && n-good == piece {
				if ok := good + textLength(plain[good:]); ok < n-utf8.UTFMax {
					break
				}
				good = n - utf8.UTFMax
			}
		}
	}
	return plain, at
}

// inside decodes b[from:end] and searches the text around what the characters at first spell. It returns what was found there, or nil.
func (f *finder) inside(from, first, end int) *Rule {
	room, _ := f.s.plain.Get().(*[]byte)
	if room == nil {
		room = new([]byte)
	}
	defer f.s.plain.Put(room)
	plain, at := f.decode((*room)[:0], from, first, end)
	*room = plain
	begin := 0
	for n := textLength(plain[:at]); begin+n < at; n = textLength(plain[begin:at]) {
		begin += n + 1
	}
	text := plain[begin : at+textLength(plain[at:])]
	if len(text) < minEncoded/4*3-2 {
		return nil
	}
	n := f.s.finder(text, 0, true)
	n.depth, n.out, n.one = f.depth+1, f.inRun[:0], true
	n.find(0)
	f.inRun = n.out
	if len(n.out) == 0 {
		return nil
	}
	return n.out[0].Rule
}
