package mask

import (
	"bytes"

	"weir"
	"weir/mask/detect"
	"weir/mask/field"
	"weir/mask/known"
)

// slack is how many bytes that need not be kept are moved out of a buffer at once.
const slack = 16 << 10

// sink is where masked bytes go.
type sink = interface{ Write(p []byte) (int, error) }

// textWriter masks plain text. What is held back is at most detect.MaxHold for a value and as much for its name, and the longest known secret.
type textWriter struct {
	m     *Masker
	w     sink
	tally *weir.Tally
	scan  scanner
	state stream
	err   error
	same  bool // masks take the bytes they stand for
	piece int  // with same: bytes of the piece that is being collected

	buf  []byte // context already passed on, then what is held
	from int    // where what is held begins
	out  []byte

	// swallow is set while the rest of a value too long to hold is being dropped.
	swallow detect.Run
	quote   string
	seen    int   // how much of what ends it stood last: of a private key's END line, of a quote; how many backslashes; how long the line is
	note    *note // of that value, for a report
	nested  nested
}

// follow begins to drop what follows the open span sp of b.
func (t *textWriter) follow(sp *span, b []byte, note *note) {
	t.swallow, t.quote, t.seen, t.note = sp.open, sp.quote, 0, note
	if sp.open == detect.RunQuote && spelled(sp.quote) {
		for _, c := range b[max(sp.start, sp.end-len(sp.quote)+1):sp.end] {
			t.spell(c)
		}
		return
	}
	for i := sp.end; i > sp.start; i-- {
		if sp.open == detect.RunQuote && b[i-1] != '\\' || sp.open == detect.RunEncoded && b[i-1] <= ' ' || sp.open != detect.RunQuote && sp.open != detect.RunEncoded {
			break
		}
		t.seen++
	}
}

func newText(m *Masker, w sink, t *weir.Tally) *textWriter {
	return &textWriter{m: m, w: w, tally: t, scan: scanner{m: m}}
}

// Write masks p.
func (t *textWriter) Write(p []byte) (int, error) {
	if t.err != nil {
		return 0, t.err
	}
	if t.same {
		return t.writeSame(p)
	}
	t.buf = append(t.buf, p...)
	t.nested.total += len(p)
	if err := t.pass(false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on what cannot become a secret. Write has done so already, but for the same length: see writeSame.
func (t *textWriter) Flush() error { return t.err }

// Close masks the rest as it stands.
func (t *textWriter) Close() error {
	if t.err != nil {
		return t.err
	}
	return t.pass(true)
}

// pass masks and writes all that is decided.
func (t *textWriter) pass(final bool) error {
	t.out = t.out[:0]
	var clean []byte
	for {
		if t.swallow != detect.Closed {
			t.dropped(t.dropIn(&t.scan, t.buf, t.from, final))
			if t.swallow != detect.Closed {
				break
			}
		}
		before := t.from
		spans, safe := t.scan.next(&t.state, t.buf, t.from, final)
		if len(spans) == 0 && len(t.out) == 0 && !t.same && (!final || safe == len(t.buf)) {
			clean, t.from = t.buf[before:safe], safe // as it stands: it need not be copied
			break
		}
		t.replaced(safe, spans)
		if n := len(spans); n > 0 && spans[n-1].open != detect.Closed {
			t.follow(&spans[n-1], t.buf, t.m.notes.latest())
			continue
		}
		if !final || t.from == len(t.buf) || t.from == before {
			break
		}
	}
	if len(t.out) > 0 {
		clean = t.out
	}
	if len(clean) > 0 {
		_, t.err = t.w.Write(clean)
	}
	if keep := t.from - detect.Context; keep >= slack {
		t.buf = t.buf[:copy(t.buf, t.buf[keep:])]
		t.from = detect.Context
		t.state.shift(keep)
	}
	return t.err
}

// dropIn is drop for b[from:], in which no known secret ends the value: one that begins in it belongs to it. What may still become one
// is left for the next call.
func (t *textWriter) dropIn(s *scanner, b []byte, from int, final bool) int {
	end, at := len(b), from
	s.spans = s.spans[:0]
	for _, set := range s.m.sets {
		s.known = set.FindFrom(s.known[:0], b, from)
		for _, k := range s.known {
			s.insert(span{start: k.Start, end: k.End})
		}
		if !final {
			end = min(end, set.HoldFrom(b, from))
		}
	}
	for _, sp := range s.spans {
		if sp.end > end {
			end = min(end, sp.start)
			break
		}
		if at = t.drop(b, at, sp.start); t.swallow == detect.Closed {
			return at - from
		}
		at = sp.end
	}
	return t.drop(b, at, max(at, end)) - from
}

// drop returns how far b[from:to] belongs to the value that is being swallowed, and clears swallow when its end is there.
func (t *textWriter) drop(b []byte, from, to int) int {
	for i, c := range b[from:to] {
		i += from
		var end bool
		switch t.swallow {
		case detect.RunToken:
			end = c <= ' ' || c == ',' || c == ';' || c == '&' || c == '"' || c == '\'' || c == '<' || c == '>' || c == ')' || c == ']' && !field.EndsMask(b[:i+1]) || c == '}'
		case detect.RunQuote:
			end = t.quoteEnds(c) || c == '\n'
			if end && c != '\n' && len(t.quote) > 1 {
				i++ // what belongs to it was dropped
			}
		case detect.RunElement:
			end = c == '<'
		case detect.RunLine:
			end = c == '\n' || c == '\r' || c == 0
		case detect.RunKey:
			end = t.keyEnds(c)
		case detect.RunEncoded:
			end = t.encodedEnds(c)
		case detect.Closed:
			end = true
		}
		if end {
			t.swallow = detect.Closed
			return i
		}
	}
	return to
}

// encodedEnds follows the lines of a run of base64 and reports the first byte behind it.
func (t *textWriter) encodedEnds(c byte) bool {
	const wide = 56
	switch {
	case c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '+' || c == '/' || c == '-' || c == '_' || c == '=':
		t.seen++
		return false
	case c == '\\' || c == '\n' || c == '\r':
		if t.seen > 1 && t.seen < wide {
			return true
		}
		t.seen = 0
		return false
	}
	return t.seen > 0 || c != ' ' && c != '\t'
}

// quoteEnds follows the quote that ends the value and reports its last byte.
func (t *textWriter) quoteEnds(c byte) bool {
	last := len(t.quote) - 1
	if spelled(t.quote) {
		return t.spell(c)
	}
	if c == '\\' {
		t.seen++
		return false
	}
	n := t.seen
	t.seen = 0
	return c == t.quote[last] && (n == last || last == 0 && n%2 == 0)
}

// spelled reports a quote of several characters without a backslash, or one that is written with others: """, &quot;, %22.
func spelled(quote string) bool {
	c := quote[len(quote)-1]
	return c == ';' || c >= '0' && c <= '9' || len(quote) > 1 && quote[0] != '\\'
}

// spell follows a spelled quote and reports its last byte.
func (t *textWriter) spell(c byte) bool {
	c = lowered(c)
	if c != t.quote[t.seen] {
		t.seen = 0
	}
	if c == t.quote[t.seen] {
		t.seen++
	}
	return t.seen == len(t.quote)
}

func lowered(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// keyEnds follows "END …-----" and reports the first byte behind it.
func (t *textWriter) keyEnds(c byte) bool {
	const mark = "END "
	switch {
	case t.seen < len(mark):
		switch c {
		case mark[t.seen]:
			t.seen++
		case mark[0]:
			t.seen = 1
		default:
			t.seen = 0
		}
	case t.seen == len(mark):
		if c == '-' {
			t.seen++
		}
	default:
		return c != '-'
	}
	return false
}

// opaqueWriter replaces known secrets by as many asterisks and looks at nothing else.
type opaqueWriter struct {
	m     *Masker
	w     sink
	tally *weir.Tally
	err   error
	buf   []byte // known.Context bytes already passed on, then what is held
	from  int    // where what is held begins
	shown int    // how far of it was passed on because no more came
}

// Write masks p.
func (o *opaqueWriter) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	o.buf = append(o.buf, p...)
	if err := o.pass(false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// shortBeginning is how many bytes of a secret's beginning say nothing of it: they may be shown when no more comes for a while, though the
// secret may go on behind them. Of a secret that then does the rest is masked.
const shortBeginning = 3

// Flush passes on the beginning of what may be a secret, too, where it is so short that it says nothing, and whole secrets, masked, though they may be
// the beginning of longer ones: whoever waits for it must not wait for ever.
func (o *opaqueWriter) Flush() error {
	from := max(o.from, o.shown)
	if o.err != nil || from == len(o.buf) {
		return o.err
	}
	s := scanner{m: o.m}
	to := o.find(&s, false)
	if to >= len(o.buf)-shortBeginning {
		to = len(o.buf)
	}
	for _, sp := range s.spans {
		if sp.start <= to {
			to = max(to, sp.end)
		}
	}
	if to > from {
		o.shown = to
		_, o.err = o.w.Write(o.covered(s.spans)[from-o.from : to-o.from])
	}
	return o.err
}

// Close passes on the rest.
func (o *opaqueWriter) Close() error {
	if o.err != nil {
		return o.err
	}
	return o.pass(true)
}

// find finds the secrets in what is held, into s. It returns where what may still become one begins.
func (o *opaqueWriter) find(s *scanner, final bool) (safe int) {
	safe = len(o.buf)
	for _, set := range o.m.sets {
		for _, k := range set.FindFrom(nil, o.buf, o.from) {
			s.insert(span{start: k.Start, end: k.End, kind: set.Name(k.Entry)})
		}
		if !final {
			safe = min(safe, set.HoldFrom(o.buf, o.from))
		}
	}
	return safe
}

// covered is what is held with asterisks for the bytes of spans.
func (o *opaqueWriter) covered(spans []span) []byte {
	out := o.buf[o.from:]
	if len(spans) == 0 {
		return out
	}
	out = bytes.Clone(out) // what was there is still looked at
	for _, sp := range spans {
		for i := sp.start; i < sp.end; i++ {
			out[i-o.from] = '*'
		}
	}
	return out
}

func (o *opaqueWriter) pass(final bool) error {
	s := scanner{m: o.m}
	safe := o.find(&s, final)
	for n, sp := range s.spans {
		if sp.end > safe {
			safe = min(safe, sp.start)
			s.spans = s.spans[:n]
			break
		}
		o.tally.Add(sp.kind)
		o.tally.Replaced(sp.end - sp.start)
	}
	if first := max(o.from, o.shown); safe > first {
		_, o.err = o.w.Write(o.covered(s.spans)[first-o.from : safe-o.from])
	}
	keep := max(0, safe-known.Context)
	o.buf = o.buf[:copy(o.buf, o.buf[keep:])]
	o.from, o.shown = safe-keep, max(0, o.shown-keep)
	return o.err
}
