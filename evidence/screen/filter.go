package screen

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Filter passes on what a viewer's terminal may be told: characters, moves of the cursor, colours, erasing and scrolling. All else is
// dropped: titles, the clipboard, device control, reports, mouse and paste modes, and whatever is not known to be harmless. What it
// gives out is UTF-8 and whole control functions, however its input is cut into pieces. The zero value is ready.
type Filter struct {
	// Lines makes CR LF of a bare LF, for output that came from no terminal.
	Lines bool

	p    parser
	out  []byte
	last byte
}

// Append filters b and appends the rest to dst. It keeps neither.
func (f *Filter) Append(dst, b []byte) []byte {
	f.p.h, f.out = f, dst
	f.p.write(b)
	dst, f.out = f.out, nil
	return dst
}

// Close appends what was left to wait for more.
func (f *Filter) Close(dst []byte) []byte {
	f.p.h, f.out = f, dst
	f.p.finish()
	dst, f.out = f.out, nil
	return dst
}

// Reset brings a terminal back that a filtered recording was shown on.
const Reset = "\x1b[0m\x1b[r\x1b[4l\x1b[?6l\x1b[?7h\x1b[?25h\x1b(B\x0f"

// Leave leaves the alternate screen, for a terminal that may be on it.
const Leave = "\x1b[?1049l"

func (f *Filter) show(r rune) {
	if unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
		r = utf8.RuneError
	}
	f.last = 0
	f.out = utf8.AppendRune(f.out, r)
}

func (f *Filter) control(b byte) {
	switch b {
	case '\n', '\v', '\f':
		if f.Lines && f.last != '\r' {
			f.out = append(f.out, '\r')
		}
		f.out = append(f.out, b)
	case '\b', '\t', '\r', 0x0e, 0x0f:
		f.out = append(f.out, b)
	}
	f.last = b
}

func (f *Filter) escape(mid, end byte) {
	switch {
	case mid == 0 && (end == '7' || end == '8' || end == 'D' || end == 'E' || end == 'M'):
		f.out = append(f.out, 0x1b, end)
	case (mid == '(' || mid == ')') && (end == 'B' || end == '0'):
		f.out = append(f.out, 0x1b, mid, end)
	case mid == 0 && end == 'c': // a full reset would undo the viewer's own settings
		f.out = append(f.out, Reset+"\x1b[H\x1b[2J"...)
	}
}

// modeTable are the modes that may be set on a viewer's terminal; those of DEC have 10000 added.
var modeTable = map[int]bool{4: true, 10006: true, 10007: true, 10012: true, 10025: true, 10047: true, 11047: true, 11048: true, 11049: true}

func (f *Filter) csi(c *sequence) {
	if c.mid != 0 || c.private != 0 && c.private != '?' || c.sub && c.end != 'm' {
		return
	}
	switch c.end {
	case 'h', 'l':
		for i := range c.n {
			if mode := c.params[i]; modeTable[mode+10000*isPrivate(c)] {
				f.out = append(f.out, 0x1b, '[')
				if c.private != 0 {
					f.out = append(f.out, c.private)
				}
				f.out = append(strconv.AppendInt(f.out, int64(mode), 10), c.end)
			}
		}
		return
	case 'J', 'K':
	case '@', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'L', 'M', 'P', 'S', 'X', 'Z', '`', 'a', 'b', 'd', 'e', 'f', 'm', 'r', 's', 'u':
		if c.private != 0 {
			return
		}
	case 'T':
		if c.private != 0 || c.n > 1 { // with more parameters it is about the mouse
			return
		}
	default:
		return
	}
	f.sequence(c)
}

func isPrivate(c *sequence) int {
	if c.private != 0 {
		return 1
	}
	return 0
}

func (f *Filter) sequence(c *sequence) {
	f.out = append(f.out, 0x1b, '[')
	if c.private != 0 {
		f.out = append(f.out, c.private)
	}
	sep := byte(';')
	if c.sub {
		sep = ':' // colours: 38:2:… alone, as programs send them
	}
	for i := range c.n {
		if i > 0 {
			f.out = append(f.out, sep)
		}
		if n := c.params[i]; n != 0 || c.end == 'm' && !c.sub {
			if c.end == 'b' {
				n = min(n, maxColumns)
			}
			f.out = strconv.AppendInt(f.out, int64(n), 10)
		}
	}
	f.out = append(f.out, c.end)
}
