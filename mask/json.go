package mask

import (
	"slices"

	"weir"
	"weir/mask/detect"
	"weir/mask/field"
	"weir/mask/known"
)

const (
	maxDepth  = 10_000   // deeper nesting is read as text
	maxNested = 3        // JSON in strings in JSON
	maxScalar = 4096     // no number is longer
	maxBlock  = 64 << 10 // so much is looked at at once, in bytes
	joint     = 1 << 10  // so much is first put behind a token that was cut off, in bytes
	shortest  = 6        // no string of fewer bytes holds a secret unless its name says so
)

// level is an open object or array.
type level struct {
	object bool
	key    bool           // a JSON Web Key
	within field.Strength // what the names it stands in say of its values
	pair   field.Strength
	names  int32 // where in jsonWriter.names those begin that stand in it
}

// jsonWriter masks JSON texts, one or many. It checks only as much grammar as telling names from values needs; from the
// first byte that breaks it, the rest is masked as plain text. All else is passed byte for byte: within a string, too, only the bytes
// that spell a secret are replaced.
type jsonWriter struct {
	m      *Masker
	w      sink
	tally  *weir.Tally
	nested int // how many strings around; then what is found goes to edits, and nothing is written
	scan   scanner
	err    error

	buf           []byte // the beginning of a token whose end is not there
	at            int    // in the block: what comes next
	clean         int    // in the block: where bytes begin that pass as they are
	out           []byte
	plain         []byte // the text of a string that holds escapes
	masked        []byte // a placeholder in the making
	spare         []byte
	held, written int  // how much of buf and of out was ever used
	seen          int  // so much of the token in buf holds no end of it
	escape        bool // it holds escapes

	in      level   // the innermost one
	levels  []level // those around it
	names   []byte  // values that may name their siblings, each with its length behind it
	wantKey bool
	key     says // of the name whose value comes next
	cache   [cachedNames]cachedName
	last    uint8 // in cache: the name before
	next    uint8 // in cache: the name that followed it last time

	surveyed bool // hits says where in the block the secrets held are
	hits     []known.Span
	nextHit  int
	sole     known.Span // of the string at hand; see soleHit

	found  []edit // in the string at hand
	edits  []edit // of all, where this reads a string of another's
	broken bool   // it is no JSON
	inner  *jsonWriter

	text    *textWriter // set once the input is no JSON
	long    longString
	dropped int   // of a secret too long to hold, in bytes
	note    *note // of that secret, for a report
	passage *longText
}

// edit is what is to be replaced in a JSON text.
type edit struct {
	start, end int
	kind       string
	value      []byte // what the fingerprint is made of
	held       bool   // it is that of a secret held
	bare       bool   // it is no string and becomes one
	depth      int    // how many strings are around the text it stands in
}

func newJSON(m *Masker, w sink, t *weir.Tally, nested int) *jsonWriter {
	return &jsonWriter{m: m, w: w, tally: t, nested: nested, scan: scanner{m: m}}
}

// Write masks p.
func (j *jsonWriter) Write(p []byte) (int, error) {
	for b := p; len(b) > 0 && j.err == nil; {
		var n int
		if len(j.buf) > 0 {
			if n = min(len(b), maxBlock); len(j.buf) < joint {
				n = min(n, joint) // the token at hand most likely ends in it; the rest need not be copied
			}
			j.err = j.pass(b[:n], false)
		} else {
			n, j.err = j.straight(b)
		}
		b = b[n:]
	}
	if j.err != nil {
		return 0, j.err
	}
	return len(p), nil
}

// Flush passes on whole values; Write has done so already.
func (j *jsonWriter) Flush() error { return j.err }

// Close masks the rest.
func (j *jsonWriter) Close() error {
	if j.err == nil {
		j.err = j.pass(nil, true)
	}
	return j.err
}

// straight consumes p from where it stands, with nothing held before, and holds what is undecided. What passes unchanged is written in as
// few pieces as can be. It returns how much of p it took.
func (j *jsonWriter) straight(p []byte) (n int, err error) {
	from := 0 // what of p[:n] is not written yet
	for n < len(p) {
		b := p[n:min(n+maxBlock, len(p))]
		j.out = j.out[:0]
		if err := j.consume(b, false); err != nil {
			return 0, err
		}
		j.written = max(j.written, len(j.out))
		if j.clean > 0 || len(j.out) > 0 {
			if err := j.emit(p[from:n]); err != nil {
				return 0, err
			}
			if err := j.emit(j.out); err != nil {
				return 0, err
			}
			from = n + j.clean
		}
		n += j.at
		if j.at == 0 || n-j.at+len(b) == len(p) { // the rest is less than a token
			j.buf = append(j.buf[:0], b[j.at:]...)
			j.held = max(j.held, len(j.buf))
			return n + len(j.buf), j.emit(p[from:n])
		}
	}
	return n, j.emit(p[from:n])
}

// emit writes b, if it is anything.
func (j *jsonWriter) emit(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_, err := j.w.Write(b)
	return err
}

// pass consumes what is decided of what was held and p, and writes the outcome: what was not changed straight from where it stands.
func (j *jsonWriter) pass(p []byte, final bool) error {
	b := p
	if len(j.buf) > 0 {
		j.buf = append(j.buf, p...)
		b = j.buf
	}
	j.out = j.out[:0]
	if err := j.consume(b, final); err != nil {
		return err
	}
	if final && j.text != nil {
		if err := j.text.Close(); err != nil {
			return err
		}
	}
	j.held = max(j.held, len(j.buf))
	outcome := b[j.clean:j.at]
	if len(j.out) > 0 {
		j.out = append(j.out, outcome...)
		outcome = j.out
		j.written = max(j.written, len(j.out))
	}
	if err := j.emit(outcome); err != nil {
		return err
	}
	j.buf = append(j.buf[:0], b[j.at:]...)
	j.held = max(j.held, len(j.buf))
	return nil
}

// consume goes over b and leaves in at how much of it is decided.
func (j *jsonWriter) consume(b []byte, final bool) error {
	j.at, j.clean, j.surveyed, j.hits = 0, 0, false, j.hits[:0]
	for wait := false; j.at < len(b) && !wait && !j.broken; {
		switch {
		case j.long != notLong:
			j.copyTo(b, j.at)
			j.skip(j.passLong(b[j.at:], final))
			wait = j.long != notLong
		case j.text != nil:
			j.copyTo(b, j.at)
			if _, err := j.text.Write(b[j.at:]); err != nil {
				return err
			}
			j.skip(len(b) - j.at)
		default:
			if j.seen == 0 {
				j.run(b)
			}
			wait = j.at < len(b) && j.token(b, final)
		}
	}
	if final && j.long != notLong {
		j.passLong(nil, true)
	}
	return nil
}

// survey looks over the rest of the block at once for the secrets held.
func (j *jsonWriter) survey(b []byte, from int) {
	j.surveyed, j.nextHit = true, 0
	j.hits = known.FindAll(j.hits[:0], j.m.sets, b[from:])
	for i := range j.hits {
		j.hits[i].Start += from
		j.hits[i].End += from
	}
}

// hit reports whether a secret held may stand in b[from:to]. It is asked for ascending parts.
func (j *jsonWriter) hit(b []byte, from, to int) bool {
	if !j.surveyed {
		j.survey(b, from)
	}
	for j.nextHit < len(j.hits) && j.hits[j.nextHit].End <= from {
		j.nextHit++
	}
	return j.nextHit < len(j.hits) && j.hits[j.nextHit].Start < to
}

// soleHit is the secret held in a string without escapes at b[from:to], relative to from, if hit found one that is not over its ends and no other; otherwise it ends at 0.
func (j *jsonWriter) soleHit(from, to int) known.Span {
	h := j.hits[j.nextHit]
	if h.Start < from || h.End > to || j.nextHit+1 < len(j.hits) && j.hits[j.nextHit+1].Start < to {
		return known.Span{}
	}
	h.Start, h.End = h.Start-from, h.End-from
	return h
}

// heldEdit masks the secret held that stands at h behind from.
func (j *jsonWriter) heldEdit(h known.Span, from int) edit {
	set := j.m.sets[h.Set]
	j.m.notes.hold(set.Name(h.Entry))
	return edit{start: from + h.Start, end: from + h.End, kind: set.Name(h.Entry), value: set.Value(h.Entry), held: true}
}

// copyTo passes the bytes before i that need no change.
func (j *jsonWriter) copyTo(b []byte, i int) {
	j.out = append(j.out, b[j.clean:i]...)
	j.clean = i
}

// skip goes on behind n bytes that were replaced or written already.
func (j *jsonWriter) skip(n int) {
	j.at += n
	j.clean = j.at
}

// put replaces a part of b.
func (j *jsonWriter) put(b []byte, e edit) {
	if j.nested > 0 {
		if e.depth == 0 {
			e.depth, e.value = j.nested, slices.Clone(e.value)
		}
		j.edits = append(j.edits, e)
		return
	}
	j.copyTo(b, e.start)
	j.clean = e.end
	j.out = append(j.out, j.render(e)...)
}

// render returns the placeholder as it is spelled where it stands, until the next call.
func (j *jsonWriter) render(e edit) []byte {
	j.masked = j.m.place(j.masked[:0], e.kind, e.value, e.held, e.end-e.start, j.tally)
	n := len(j.masked)
	if e.bare {
		j.spare = append(quote(append(j.spare[:0], '"'), j.masked), '"')
	} else {
		j.spare = quote(j.spare[:0], j.masked)
	}
	for range e.depth {
		j.masked, j.spare = j.spare, j.masked
		j.spare = quote(j.spare[:0], j.masked)
	}
	if e.bare {
		j.m.notes.quoted((len(j.spare) - n) / 2)
	}
	return j.spare
}

// token takes the next token, which needs more thought than run gives. It reports that more bytes are needed.
func (j *jsonWriter) token(b []byte, final bool) (wait bool) {
	switch b[j.at] {
	case '"':
		return j.str(b, final)
	case '{', '[', '}', ']': // too deep, or none was open
		j.giveUp()
		return false
	default:
		return j.scalar(b, final)
	}
}

// open begins an object or an array. It fails where they are too deep.
func (j *jsonWriter) open(object bool) bool {
	if len(j.levels) == maxDepth {
		return false
	}
	j.levels = append(j.levels, j.in)
	j.in = level{object: object, within: j.within(), names: int32(len(j.names))}
	j.key, j.wantKey = 0, object
	return true
}

// close ends what was opened last. It fails where that was something else.
func (j *jsonWriter) close(object bool) bool {
	n := len(j.levels) - 1
	if n < 0 || j.in.object != object {
		return false
	}
	j.names = j.names[:j.in.names]
	j.in, j.levels = j.levels[n], j.levels[:n]
	j.key = 0
	return true
}

// str takes a string: a name or a value.
func (j *jsonWriter) str(b []byte, final bool) (wait bool) {
	rest := b[j.at:]
	end, escaped, ok := stringEnd(rest, max(j.seen, 1), j.escape)
	if !ok && len(rest) <= maxPair && !final {
		j.seen, j.escape = end, escaped
		return true
	}
	j.seen, j.escape = 0, false
	if !ok || end > maxPair {
		if j.nested > 0 {
			j.broken = true
			return false
		}
		j.at++
		j.copyTo(b, j.at)
		j.beginLong()
		return false
	}
	from, to := j.at+1, j.at+end-1
	plain := b[from:to]
	if escaped {
		j.plain = unquote(j.plain[:0], plain)
		plain = j.plain
	}
	j.found = j.found[:0]
	look := j.hit(b, from, to)
	j.sole = known.Span{}
	if escaped {
		look = true
	} else if look {
		j.sole = j.soleHit(from, to)
	}
	if j.wantKey {
		j.wantKey = false
		j.name(plain, look)
	} else {
		j.value(plain, look)
	}
	if escaped {
		j.respell(b[from:to], j.hit(b, from, to))
	}
	for _, e := range j.found {
		e.start, e.end = e.start+from, e.end+from
		j.put(b, e)
	}
	j.at += end
	return false
}

// scalar takes a number or a literal. Anything else is no JSON: the rest is read as text, but for a value
// whose name says secret, which is dropped to the end of its line.
func (j *jsonWriter) scalar(b []byte, final bool) (wait bool) {
	rest := b[j.at:]
	end := j.seen + scalarEnd(rest[j.seen:], maxScalar-j.seen)
	if end == len(rest) && !final && end < maxScalar {
		j.seen = end
		return true
	}
	j.seen = 0
	token := rest[:end]
	e := edit{start: j.at, end: j.at + end, kind: "field", value: token, bare: true}
	strong := j.strength() == field.Strong && end > 0
	if !isScalar(token) {
		j.giveUp()
		if strong && !j.broken {
			j.put(b, e)
			j.at += end
			j.text.swallow, j.text.note = detect.RunLine, j.m.notes.latest()
		}
		return false
	}
	j.key = 0
	if strong && len(token) >= 4 && (token[0] == '-' || token[0] >= '0' && token[0] <= '9') {
		j.put(b, e)
	} else if e.kind = j.m.personal.Number(token); e.kind != "" {
		j.put(b, e)
	}
	j.at += end
	return false
}

// giveUp reads the rest as text.
func (j *jsonWriter) giveUp() {
	if j.nested > 0 {
		j.broken = true
		return
	}
	j.text = newText(j.m, appender{&j.out}, j.tally)
}
