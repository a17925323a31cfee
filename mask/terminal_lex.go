package mask

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"weir/mask/field"
)

// Control functions are those of ECMA-48, 5th edition, sections 5 and 8.3, and of xterm's ctlseqs.
const (
	bel = 0x07
	bs  = 0x08
	can = 0x18
	sub = 0x1a
	esc = 0x1b
	del = 0x7f
	nel = 0x85
	csi = 0x9b
)

type lexState uint8

const (
	lexText   lexState = iota
	lexEscape          // ESC, and intermediate bytes
	lexCSI
	lexString       // OSC, DCS, APC, PM, SOS
	lexStringEscape // and an ESC in it
)

// terminalLexer tells control functions from text.
type terminalLexer struct {
	state lexState
	held  []byte // the control function so far
	begin int    // how much of it is the introducer
	long  bool   // it is too long and is dropped
	char  []byte // a character of UTF-8 that is not complete
}

// plain returns how many bytes at the front of p are printable ASCII.
func plain(p []byte) int {
	const ones = 0x0101010101010101
	i := 0
	for ; i+8 <= len(p); i += 8 {
		x := binary.LittleEndian.Uint64(p[i:])
		// The high bit of a byte below 0x20, of 0x7f and of those from 0x80 on; the lowest one is right.
		if m := ((x-0x20*ones)&^x | x | (x + ones)) & (0x80 * ones); m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(p) && p[i] >= ' ' && p[i] < del {
		i++
	}
	return i
}

// read takes p apart.
func (t *terminalWriter) read(p []byte) {
	l := &t.lex
	for len(p) > 0 {
		switch {
		case l.state == lexString:
			p = p[t.string(p):]
			continue
		case l.state != lexText:
			t.control(p[0])
		case len(l.char) > 0 || p[0] >= 0x80:
			if !t.character(p[0]) {
				continue
			}
		default:
			if n := plain(p); n > 0 {
				t.text(p[:n])
				p = p[n:]
				continue
			}
			if p[0] != esc {
				t.c0(p[0])
			} else if n := l.whole(p); n > 0 {
				t.endControl(true)
				p = p[n:]
				continue
			} else {
				t.c0(esc)
			}
		}
		p = p[1:]
	}
}

// whole takes a CSI sequence that is in p as a whole, as most are, and returns its length.
func (l *terminalLexer) whole(p []byte) int {
	if len(p) < 3 || p[0] != esc || p[1] != '[' {
		return 0
	}
	i := 2
	for i < len(p) && i < maxControl && p[i] >= ' ' && p[i] < '@' {
		i++
	}
	if i == len(p) || p[i] < '@' || p[i] >= del {
		return 0
	}
	l.state, l.held, l.begin, l.long = lexCSI, append(l.held[:0], p[:i+1]...), 2, false
	return i + 1
}

// finishReading takes what is not complete as it stands.
func (t *terminalWriter) finishReading() {
	l := &t.lex
	if len(l.char) > 0 {
		t.text(l.char)
		l.char = l.char[:0]
	}
	switch l.state {
	case lexString, lexStringEscape:
		t.endString(nil)
	case lexEscape, lexCSI:
		t.endControl(false)
	case lexText:
	}
}

// character takes one more byte of a character. It reports whether the byte belongs to it.
func (t *terminalWriter) character(c byte) bool {
	l := &t.lex
	if len(l.char) > 0 && c&0xc0 != 0x80 {
		t.text(l.char) // it stays incomplete
		l.char = l.char[:0]
		return false
	}
	l.char = append(l.char, c)
	if !utf8.FullRune(l.char) {
		return true
	}
	r, n := utf8.DecodeRune(l.char)
	char := l.char
	l.char = l.char[:0]
	switch {
	case r >= 0x80 && r < 0xa0:
		t.c1(char, byte(r))
	case n == 1 && len(char) == 1 && c < 0xa0:
		t.c1(char, c)
	default:
		t.text(char)
	}
	return true
}

// c1 takes a control function of the upper half. Strings are not looked for behind it: few terminals do, and what would be in them is searched
// as text.
func (t *terminalWriter) c1(p []byte, c byte) {
	if c == csi {
		t.lex.state, t.lex.held, t.lex.begin, t.lex.long = lexCSI, append(t.lex.held[:0], p...), len(p), false
		return
	}
	at, _ := t.putFunction(p, true)
	t.separate(at)
}

// c0 takes a control character.
func (t *terminalWriter) c0(c byte) {
	switch c {
	case '\n', '\v', '\f':
		t.newline(c)
	case '\r':
		t.carriageReturn()
	case '\t':
		t.text([]byte{c})
	case bs:
		if t.blind {
			return
		}
		t.line.credit = min(maxControls, t.line.credit+controlsPerText)
		if _, held := t.putFunction([]byte{c}, false); held {
			t.edited().back(1)
		}
	case esc:
		t.lex.state, t.lex.held, t.lex.begin, t.lex.long = lexEscape, append(t.lex.held[:0], esc), 1, false
	default:
		t.putFunction([]byte{c}, true)
	}
}

// control takes a byte of a control function that is no string.
func (t *terminalWriter) control(c byte) {
	l := &t.lex
	switch {
	case l.state == lexStringEscape:
		l.state = lexString
		if c == '\\' {
			t.endString([]byte{esc, '\\'})
			return
		}
		t.endString(nil) // another control function ends it
		t.c0(esc)
		t.control(c)
	case c == esc:
		t.endControl(false)
		t.c0(esc)
	case c == can || c == sub:
		l.add(c)
		t.endControl(false)
	case c >= 0x80:
		t.endControl(false)
		t.character(c)
	case c < ' ':
		t.c0(c) // terminals do it at once
	case c == del:
	case l.state == lexCSI:
		l.add(c)
		if c >= '@' {
			t.endControl(true)
		}
	case len(l.held) == 1 && bytes.IndexByte([]byte("]PX^_"), c) >= 0:
		l.add(c)
		l.state, l.begin = lexString, len(l.held)
	case len(l.held) == 1 && c == '[':
		l.add(c)
		l.state, l.begin = lexCSI, len(l.held)
	default:
		l.add(c)
		if c >= '0' {
			t.endControl(true)
		}
	}
}

func (l *terminalLexer) add(c byte) {
	if len(l.held) >= maxControl {
		l.long = true
		return
	}
	l.held = append(l.held, c)
}

// endControl passes on a control function and does what it does. One that is not complete does nothing.
func (t *terminalWriter) endControl(complete bool) {
	l := &t.lex
	sequence := l.state == lexCSI
	l.state = lexText
	if l.long || len(l.held) == 0 {
		return
	}
	final := l.held[len(l.held)-1]
	params := l.held[min(l.begin, len(l.held)-1) : len(l.held)-1]
	if !complete {
		t.putFunction(l.held, true)
		return
	}
	if sequence {
		t.sequence(params, final)
		return
	}
	at, held := t.putFunction(l.held, true)
	if held && len(params) == 0 && bytes.IndexByte([]byte("78DEHMclno"), final) >= 0 {
		t.separate(at) // the cursor moves, or all is reset
	}
}

// sequence does what a CSI sequence does.
func (t *terminalWriter) sequence(params []byte, final byte) {
	l := &t.lex
	plain := len(params) == 0 || params[0] >= '0' && params[0] <= ';' && params[len(params)-1] >= '0'
	if !plain {
		t.putFunction(l.held, true) // private, or with intermediate bytes
		return
	}
	edits := bytes.IndexByte([]byte("CDP@Xb"), final) >= 0
	if edits && t.blind {
		return
	}
	at, held := t.putFunction(l.held, !edits)
	if !held {
		return
	}
	n := first(params)
	switch final {
	case 'D':
		t.edited().back(max(n, 1))
	case 'C':
		t.settle()
		t.typed.addByte(at, ' ')
		if t.line.active || t.crPending {
			t.edited().forward(max(n, 1), at)
		}
		t.joined.cut = true
	case 'P':
		t.edited().remove(max(n, 1))
	case '@':
		t.edited().insert(max(n, 1), at)
	case 'X':
		line := t.edited()
		line.erase(line.cur, line.cur+max(n, 1), at)
	case 'b':
		t.repeat(at, max(n, 1))
	case 'K':
		t.eraseLine(n, at)
	case 'J':
		t.eraseLine(n, at)
		if n > 0 {
			t.separate(at)
		}
	case 'G', '`':
		if n > 1 {
			t.separate(at)
			return
		}
		t.edited().home()
	case 'A', 'B', 'E', 'F', 'H', 'I', 'L', 'M', 'S', 'T', 'Z', 'a', 'd', 'e', 'f', 'r', 's', 'u':
		t.separate(at)
	}
}

// eraseLine erases behind the cursor, in front of it, or all of the line.
func (t *terminalWriter) eraseLine(n, at int) {
	if !t.line.active && !t.crPending && n == 0 {
		return // the cursor is at the end
	}
	switch line := t.edited(); n {
	case 0:
		line.erase(line.cur, len(line.cells), at)
	case 1:
		line.erase(0, line.cur+1, at)
	default:
		line.erase(0, len(line.cells), at)
	}
}

// repeat shows the last character n times more.
func (t *terminalWriter) repeat(at, n int) {
	const most = 256
	text := t.typed.text
	if t.blank >= 0 || len(text) == 0 || n > most {
		t.separate(at)
		return
	}
	_, size := utf8.DecodeLastRune(text)
	char := bytes.Clone(text[len(text)-size:])
	if char[0] < ' ' {
		return
	}
	for range n {
		t.show(at, char)
	}
	t.relieve()
}

// first is the first number of params.
func first(params []byte) int {
	n := 0
	for _, c := range params {
		if c < '0' || c > '9' || n > maxLine {
			break
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// string takes bytes of a control string and returns how many.
func (t *terminalWriter) string(p []byte) int {
	l := &t.lex
	for i, c := range p {
		if c != esc && c != bel && c != can && c != sub {
			continue
		}
		l.addString(p[:i])
		switch {
		case c == esc:
			l.state = lexStringEscape
		case c == bel && l.held[1] != ']':
			l.addString(p[i : i+1])
		default:
			t.endString(p[i : i+1])
		}
		return i + 1
	}
	l.addString(p)
	return len(p)
}

func (l *terminalLexer) addString(p []byte) {
	if l.long = l.long || len(l.held)+len(p) > maxString; !l.long {
		l.held = append(l.held, p...)
	}
}

// endString masks a control string and passes it on with what ends it.
func (t *terminalWriter) endString(end []byte) {
	l := &t.lex
	l.state = lexText
	if l.long {
		return
	}
	out := append(make([]byte, 0, len(l.held)+len(end)), l.held[:l.begin]...)
	out = t.maskString(out, l.held[l.begin:])
	t.putFunction(append(out, end...), true)
}

// maskString appends the masked text of a control string. What is copied to the clipboard (OSC 52) is masked in its decoded form.
func (t *terminalWriter) maskString(dst, text []byte) []byte {
	if at := bytes.LastIndexByte(text, ';'); at >= 0 && bytes.HasPrefix(text, []byte("52;")) {
		if clear, err := base64.StdEncoding.DecodeString(string(text[at+1:])); err == nil {
			if masked := t.m.value(nil, field.None, clear, t.tally); !bytes.Equal(masked, clear) {
				return base64.StdEncoding.AppendEncode(append(dst, text[:at+1]...), masked)
			}
		}
	}
	return t.m.value(dst, field.None, text, t.tally)
}
