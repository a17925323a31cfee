package mask

import (
	"bytes"

	"weir"
	"weir/mask/detect"
	"weir/mask/field"
)

const (
	sameOpen = "[" + placeholderMark + ":"
	// minCut is the shortest value whose mask says that it is one; shorter values become asterisks only.
	minCut = len(sameOpen) + len("*]")
	// samePiece is how many bytes are masked at once.
	samePiece = 32 << 10
)

// replaceSame is replace with masks that take exactly the bytes they stand for: a placeholder with asterisks behind it, "[masked:***]" where it does not
// fit, and asterisks alone where that does not fit either. Line ends within a value stay, so that lines can be counted.
func (m *Masker) replaceSame(dst, b []byte, from, to int, spans []span, t *weir.Tally) []byte {
	for _, sp := range spans {
		dst = append(dst, b[from:sp.start]...)
		raw := b[sp.start:sp.end]
		from = sp.end
		if sp.value == nil && maskedSame(raw) {
			dst = append(dst, raw...)
			continue
		}
		value := sp.value
		if value == nil {
			value = raw[:min(len(raw), detect.MaxHold)] // no more is held of one whose end is far: the cut must not tell
		}
		t.Add(sp.kind)
		t.Replaced(len(raw))
		dst = stars(dst, raw)
		line := dst[len(dst)-len(raw):]
		if i := bytes.IndexAny(line, "\r\n"); i >= 0 {
			line = line[:i]
		}
		m.label(line, sp.kind, value)
	}
	return append(dst, b[from:to]...)
}

// label writes what fits of a placeholder over asterisks.
func (m *Masker) label(line []byte, kind string, value []byte) {
	switch n := len(sameOpen) + len(kind) + 1 + fingerprintLen + 1; {
	case n <= len(line):
		rest := line[copy(line, sameOpen):]
		rest = rest[copy(rest, kind):]
		rest[0] = ':'
		rest = rest[1:]
		rest[copy(rest, m.e.Fingerprint(value))] = ']'
	case minCut <= len(line):
		copy(line, sameOpen)
		line[len(line)-1] = ']'
	}
}

// stars appends an asterisk for each byte of b; line ends stay.
func stars(dst, b []byte) []byte {
	from := len(dst)
	dst = append(dst, b...)
	for i := from; i < len(dst); i++ {
		if c := dst[i]; c != '\n' && c != '\r' {
			dst[i] = '*'
		}
	}
	return dst
}

// maskedSame reports that nothing but a mask of replaceSame, or its beginning, stands in b.
func maskedSame(b []byte) bool {
	if rest, ok := bytes.CutPrefix(b, []byte(sameOpen)); ok {
		end := bytes.IndexByte(rest, ']')
		switch {
		case end < 0 && starred(rest): // a reader of values may stop at the bracket
			return true
		case end < 0:
			return field.Mask(append(bytes.Clone(b[:min(len(b), maxPlaceholder)]), ']'))
		case end > 0 && !starred(rest[:end]) && !field.Mask(b[:len(sameOpen)+end+1]):
			return false
		}
		b = rest[end+1:]
	}
	return starred(b)
}

// starred reports that b has asterisks and line ends only.
func starred(b []byte) bool {
	for _, c := range b {
		if c != '*' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}

// writeSame masks p in pieces that begin at fixed places of the stream: where the end of a very long value is seen depends on how
// much is there, and who reads a file twice, in other pieces, must see the same.
func (t *textWriter) writeSame(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), samePiece-t.piece)
		t.buf = append(t.buf, rest[:n]...)
		rest = rest[n:]
		if t.piece += n; t.piece < samePiece {
			break
		}
		t.piece = 0
		if err := t.pass(false); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// dropped accounts for n bytes of a value too long to hold; with the same length asked for they become asterisks.
func (t *textWriter) dropped(n int) {
	t.tally.Replaced(n)
	if raw := n; t.note != nil {
		if len(t.nested.marks) > 0 {
			at := t.nested.total - len(t.buf) + t.from
			raw = t.nested.take(at, at+n, t.m.notes, t.note)
		}
		t.m.notes.more(t.note, raw)
	}
	if t.same {
		t.out = stars(t.out, t.buf[t.from:t.from+n])
	}
	t.from += n
}

// replaced appends b[from:to] with its spans masked in the way that was asked for.
func (t *textWriter) replaced(to int, spans []span) {
	if t.same {
		t.out = t.m.replaceSame(t.out, t.buf, t.from, to, spans, t.tally)
	} else if len(t.nested.marks) > 0 {
		var made []*note
		at := t.from
		for i := range spans {
			t.out = t.m.replace(t.out, t.buf, at, spans[i].end, spans[i:i+1], t.tally)
			at, made = spans[i].end, append(made, t.m.notes.latest())
		}
		t.out = append(t.out, t.buf[at:to]...)
		t.trace(t.from, to, spans, made)
	} else {
		t.out = t.m.replace(t.out, t.buf, t.from, to, spans, t.tally)
	}
	t.from = to
}
