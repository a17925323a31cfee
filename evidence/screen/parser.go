package screen

import "unicode/utf8"

// handler is told what a parser found.
type handler interface {
	show(r rune)          // a character to show; U+FFFD for bytes that are not UTF-8
	control(b byte)       // a C0 control function other than those the parser needs itself
	escape(mid, end byte) // ESC mid end; mid is 0 when there is none
	csi(c *sequence)      // a control sequence that came to its end
}

// Limits of a control sequence. One that is longer is dropped.
const (
	maxParams   = 32
	maxParam    = 65535
	maxSequence = 128
)

// sequence is a control sequence (ECMA-48, 5.4).
type sequence struct {
	private byte // '?', '>', '=' or '<', or 0
	mid     byte // the last intermediate byte, or 0
	end     byte
	params  [maxParams]int
	n       int // parameters in use; at least 1 after a digit or a separator
	sub     bool
	size    int
}

// param returns parameter i, or def where it is missing or 0.
func (c *sequence) param(i, def int) int {
	if i < c.n && c.params[i] != 0 {
		return c.params[i]
	}
	return def
}

type state uint8

const (
	ground state = iota
	afterEscape
	inSequence
	inString // OSC, DCS, APC, PM, SOS: to their end
	stringEscape
)

// parser splits what a terminal is sent into characters and control functions, in pieces of any size.
type parser struct {
	h       handler
	state   state
	mid     byte
	seq     sequence
	dropped bool // the sequence is too long, or broken
	rest    [utf8.UTFMax]byte
	held    int // bytes in rest: the beginning of a character
}

func (p *parser) write(b []byte) {
	for len(b) > 0 {
		if p.held > 0 {
			b = p.complete(b)
			continue
		}
		if c := b[0]; c < utf8.RuneSelf {
			p.octet(c)
			b = b[1:]
			continue
		}
		if !utf8.FullRune(b) {
			p.held = copy(p.rest[:], b)
			return
		}
		r, n := utf8.DecodeRune(b)
		p.char(r)
		b = b[n:]
	}
}

// complete adds to the beginning of a character that is held.
func (p *parser) complete(b []byte) []byte {
	var whole [2 * utf8.UTFMax]byte
	n := copy(whole[:], p.rest[:p.held])
	have := n + copy(whole[n:], b)
	if !utf8.FullRune(whole[:have]) {
		p.held = copy(p.rest[:], whole[:have])
		return nil
	}
	r, size := utf8.DecodeRune(whole[:have])
	if size < n { // the beginning was none
		p.char(utf8.RuneError)
		p.held = copy(p.rest[:], whole[size:n])
		if p.held > 0 && p.rest[0] < utf8.RuneSelf {
			c := p.rest[0]
			p.held = 0
			p.octet(c)
		}
		return b
	}
	p.held = 0
	p.char(r)
	return b[size-n:]
}

// finish tells of a character that was cut off.
func (p *parser) finish() {
	if p.held > 0 {
		p.held = 0
		p.char(utf8.RuneError)
	}
}

// char takes a character from U+0080 on. C1 control functions work as their two-byte forms do.
func (p *parser) char(r rune) {
	if r >= 0x80 && r < 0xa0 {
		if p.state == inString || p.state == stringEscape {
			if r == 0x9c {
				p.state = ground
			}
			return
		}
		p.state = afterEscape
		p.mid = 0
		p.octet(byte(r) - 0x40)
		return
	}
	switch p.state {
	case ground:
		p.h.show(r)
	case inString:
	default: // no part of any control function: it ends what it stands in
		p.state = ground
		p.h.show(r)
	}
}

func (p *parser) octet(c byte) {
	switch c {
	case 0x1b:
		if p.state == inString {
			p.state = stringEscape
		} else {
			p.state, p.mid = afterEscape, 0
		}
		return
	case 0x18, 0x1a: // CAN, SUB
		p.state = ground
		return
	}
	switch p.state {
	case inString:
		if c == 0x07 {
			p.state = ground
		}
	case stringEscape:
		if c == '\\' {
			p.state = ground
			return
		}
		p.state, p.mid = afterEscape, 0
		p.octet(c)
	case ground:
		if c < 0x20 || c == 0x7f {
			p.h.control(c)
		} else {
			p.h.show(rune(c))
		}
	case afterEscape:
		p.escaped(c)
	case inSequence:
		p.sequenced(c)
	}
}

func (p *parser) escaped(c byte) {
	switch {
	case c < 0x20 || c == 0x7f:
		p.h.control(c)
	case c < 0x30:
		p.mid = c
	case p.mid != 0:
		p.state = ground
		p.h.escape(p.mid, c)
	case c == '[':
		p.state, p.seq, p.dropped = inSequence, sequence{}, false
	case c == ']' || c == 'P' || c == '_' || c == '^' || c == 'X':
		p.state = inString
	default:
		p.state = ground
		p.h.escape(0, c)
	}
}

func (p *parser) sequenced(c byte) {
	s := &p.seq
	if s.size++; s.size > maxSequence {
		p.dropped = true
	}
	switch {
	case c < 0x20 || c == 0x7f:
		p.h.control(c)
	case c >= '0' && c <= '9':
		p.digit(int(c - '0'))
	case c == ';' || c == ':':
		s.sub = s.sub || c == ':'
		if s.n == 0 {
			s.n = 1
		}
		if s.n == maxParams {
			p.dropped = true
			return
		}
		s.n++
	case c >= 0x3c && c <= 0x3f:
		p.dropped = p.dropped || s.size > 1
		s.private = c
	case c < 0x30:
		s.mid = c
	default:
		p.state = ground
		if s.end = c; !p.dropped {
			p.h.csi(s)
		}
	}
}

func (p *parser) digit(d int) {
	s := &p.seq
	if s.n == 0 {
		s.n = 1
	}
	s.params[s.n-1] = min(10*s.params[s.n-1]+d, maxParam)
}
