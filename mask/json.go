package mask

import (
	"bytes"
	"slices"

	"weir"
	"weir/mask/detect"
	"weir/mask/field"
)

const (
	maxDepth  = 10_000 // deeper nesting is read as text
	maxNested = 3      // JSON in strings in JSON
	maxScalar = 4096   // no number is longer
)

// level is one open object or array.
type level struct {
	object bool
	strong bool // inside the value of a name that says secret
	pair   field.Strength
}

// jsonWriter masks JSON texts, one or many. It checks only as much grammar as telling names from values needs; from the
// first byte that breaks it, the rest is masked as plain text. All else is passed byte for byte.
type jsonWriter struct {
	m      *Masker
	w      sink
	tally  *weir.Tally
	nested int
	scan   scanner
	err    error

	buf     []byte
	at      int // in buf: what comes next
	clean   int // in buf: where bytes begin that pass as they are
	out     []byte
	scratch []byte
	masked  []byte

	levels  []level
	wantKey bool
	key     field.Strength // of the name whose value comes next
	valued  bool           // that name is "value" and a sibling's name says what it is
	naming  bool           // that name is "name" or its like
	cache   [128]cachedKey

	surveyed bool // starts says where in what is consumed secrets may begin
	starts   []int32
	next     int

	text *textWriter // set once the input is no JSON, or while a very long string passes
	long longString
}

// longString is the state inside a string too long to hold.
type longString uint8

const (
	notLong longString = iota
	longText
	longSecret
)

// cachedKey is what was found out about a name that holds no secret itself.
type cachedKey struct {
	name           [32]byte
	len            uint8
	strength       field.Strength
	valued, naming bool
}

func newJSON(m *Masker, w sink, t *weir.Tally, nested int) *jsonWriter {
	return &jsonWriter{m: m, w: w, tally: t, nested: nested, scan: scanner{m: m}}
}

// Write masks p.
func (j *jsonWriter) Write(p []byte) (int, error) {
	if j.err == nil {
		j.buf = append(j.buf, p...)
		j.err = j.pass(false)
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
		j.err = j.pass(true)
	}
	return j.err
}

// pass consumes what is decided of buf and writes the outcome.
func (j *jsonWriter) pass(final bool) error {
	j.out = j.out[:0]
	n, err := j.consume(j.buf, final)
	if err != nil {
		return err
	}
	j.buf = j.buf[:copy(j.buf, j.buf[n:])]
	if final && j.text != nil {
		if err := j.text.Close(); err != nil {
			return err
		}
	}
	if len(j.out) == 0 {
		return nil
	}
	_, err = j.w.Write(j.out)
	return err
}

// consume returns how much of b is decided.
func (j *jsonWriter) consume(b []byte, final bool) (int, error) {
	j.at, j.clean = 0, 0
	j.survey(b)
	for j.at < len(b) {
		var wait bool
		var err error
		switch {
		case j.long != notLong:
			j.copyTo(b, j.at)
			var n int
			n, err = j.passLong(b[j.at:], final)
			j.skip(n)
			wait = j.long != notLong
		case j.text != nil:
			j.copyTo(b, j.at)
			_, err = j.text.Write(b[j.at:])
			j.skip(len(b) - j.at)
		default:
			wait = j.token(b, final)
		}
		if err != nil {
			return j.at, err
		}
		if wait {
			break
		}
	}
	j.copyTo(b, j.at)
	return j.at, nil
}

// survey looks over all of b at once for what a secret may begin with, so that strings without it need no look of their own.
func (j *jsonWriter) survey(b []byte) {
	j.starts, j.next = j.starts[:0], 0
	j.surveyed = len(b) >= surveyFrom && j.long == notLong && j.text == nil
	if !j.surveyed {
		return
	}
	j.starts = j.m.e.detect.Starts(j.starts, b)
	for _, set := range j.m.sets {
		j.scan.known = set.Find(j.scan.known[:0], b)
		for _, k := range j.scan.known {
			for at := k.Start; at < k.End; at++ { // it may reach over several strings
				j.starts = append(j.starts, int32(at))
			}
		}
		if len(j.scan.known) > 0 {
			slices.Sort(j.starts)
		}
	}
}

// surveyFrom is from which length on a look over all pays.
const surveyFrom = 128

// touched reports whether what is in b[from:to] has to be looked at. It is asked for ascending parts.
func (j *jsonWriter) touched(from, to int) bool {
	if !j.surveyed {
		return true
	}
	for j.next < len(j.starts) && int(j.starts[j.next]) < from {
		j.next++
	}
	return j.next < len(j.starts) && int(j.starts[j.next]) < to
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

// token takes the next token. It reports that more bytes are needed.
func (j *jsonWriter) token(b []byte, final bool) (wait bool) {
	switch c := b[j.at]; c {
	case ' ', '\t', '\n', '\r', '\x1e': // the last is RFC 7464's record separator
	case '{', '[':
		if len(j.levels) == maxDepth {
			j.giveUp()
			return false
		}
		j.levels = append(j.levels, level{object: c == '{', strong: j.top().strong || j.key == field.Strong})
		j.after()
		j.wantKey = c == '{'
	case '}', ']':
		if len(j.levels) == 0 || j.top().object != (c == '}') {
			j.giveUp()
			return false
		}
		j.levels = j.levels[:len(j.levels)-1]
		j.after()
	case ',':
		j.wantKey = j.top().object
		j.after()
	case ':':
		j.wantKey = false
	case '"':
		return j.str(b, final)
	default:
		return j.scalar(b, final)
	}
	j.at++
	return false
}

// str takes a string: a name or a value.
func (j *jsonWriter) str(b []byte, final bool) (wait bool) {
	rest := b[j.at:]
	end, escaped, ok := stringEnd(rest)
	switch {
	case !ok && len(rest) <= maxPair && !final:
		return true
	case !ok || end > maxPair:
		j.copyTo(b, j.at)
		j.beginLong()
		j.out = append(j.out, '"')
		j.skip(1)
		return false
	}
	var changed bool
	if j.wantKey {
		changed = j.name(rest[:end], escaped)
		j.wantKey = false
	} else {
		changed = j.value(rest[:end], escaped, j.at)
	}
	if !changed {
		j.at += end
		return false
	}
	j.copyTo(b, j.at)
	j.out = append(j.out, j.masked...)
	j.skip(end)
	return false
}

// scalar takes a number or a literal. Anything else is no JSON: the rest is read as text, but for a value
// whose name says secret, which is dropped to the end of its line.
func (j *jsonWriter) scalar(b []byte, final bool) (wait bool) {
	end := scalarEnd(b[j.at:])
	if j.at+end == len(b) && !final && end < maxScalar {
		return true
	}
	token := b[j.at : j.at+end]
	strong := j.strength() == field.Strong && end > 0
	if !isScalar(token) {
		j.giveUp()
		if strong {
			j.copyTo(b, j.at)
			j.hide("field", token)
			j.skip(end)
			j.text.swallow = detect.RunLine
		}
		return false
	}
	j.after()
	if strong && len(token) >= 4 && (token[0] == '-' || token[0] >= '0' && token[0] <= '9') {
		j.copyTo(b, j.at)
		j.hide("field", token)
		j.skip(end)
		return false
	}
	if kind := j.m.personal.Number(token); kind != "" {
		j.copyTo(b, j.at)
		j.hide(kind, token)
		j.skip(end)
		return false
	}
	j.at += end
	return false
}

// hide writes a quoted placeholder in the place of token.
func (j *jsonWriter) hide(kind string, token []byte) {
	j.out = append(j.m.placeholder(append(j.out, '"'), kind, token, j.tally), '"')
}

// giveUp reads the rest as text.
func (j *jsonWriter) giveUp() { j.text = newText(j.m, appender{&j.out}, j.tally) }

func (j *jsonWriter) top() level {
	if len(j.levels) == 0 {
		return level{}
	}
	return j.levels[len(j.levels)-1]
}

// after is called behind a value.
func (j *jsonWriter) after() { j.key, j.valued, j.naming = field.None, false, false }

// strength is what the names around it say of the value that comes next.
func (j *jsonWriter) strength() field.Strength {
	top := j.top()
	s := j.key
	if j.valued {
		s = max(s, top.pair)
	}
	if top.strong && !j.naming {
		s = field.Strong
	}
	return s
}

// name takes a member's name, quotes included. It reports whether the name itself holds a secret, and
// then leaves it masked in j.masked.
func (j *jsonWriter) name(raw []byte, escaped bool) bool {
	name := raw[1 : len(raw)-1]
	if escaped {
		j.scratch = unquote(j.scratch[:0], name)
		name = j.scratch
	}
	c := j.cached(name)
	if c != nil && int(c.len) == len(name) && string(c.name[:c.len]) == string(name) {
		j.key, j.valued, j.naming = c.strength, c.valued, c.naming
		return false
	}
	j.key = j.m.e.names.Match(name)
	j.valued = len(name) <= 13 && isValueName(string(name))
	j.naming = len(name) <= 8 && isNaming(string(name))
	if len(name) >= shortest {
		if spans, _ := j.scan.scan(name, 0, true); len(spans) > 0 {
			clear := j.m.replace(nil, name, 0, len(name), closeSpans(spans, len(name)), j.tally)
			j.masked = append(quote(append(j.masked[:0], '"'), clear), '"')
			return true
		}
	}
	if c != nil {
		c.len = uint8(copy(c.name[:], name))
		c.strength, c.valued, c.naming = j.key, j.valued, j.naming
	}
	return false
}

// cached returns the place of a name in the cache, or nil: the same names come again and again.
func (j *jsonWriter) cached(name []byte) *cachedKey {
	if len(name) > len(j.cache[0].name) || len(name) == 0 {
		return nil
	}
	h := uint32(2166136261)
	for _, c := range name {
		h = (h ^ uint32(c)) * 16777619
	}
	return &j.cache[h>>8%uint32(len(j.cache))]
}

func isValueName(n string) bool {
	switch n {
	case "value", "Value", "val", "setting", "data", "current_value", "currentValue", "defaultValue", "content":
		return true
	}
	return false
}

// isNaming tells names whose values describe their siblings; they stay readable under a strong name too.
func isNaming(n string) bool {
	switch n {
	case "name", "Name", "key", "Key", "variable", "property", "origin", "type", "id", "field":
		return true
	}
	return false
}

// value masks a string value, quotes included, into j.masked. It stands at the place at in what is consumed, or nowhere there when
// at is negative. It reports whether anything changed.
func (j *jsonWriter) value(raw []byte, escaped bool, at int) bool {
	inner := raw[1 : len(raw)-1]
	plain := inner
	if escaped {
		j.scratch = unquote(j.scratch[:0], inner)
		plain = j.scratch
	}
	strength := j.strength()
	if j.naming && len(j.levels) > 0 {
		if s := j.pairStrength(plain); s > j.top().pair {
			j.levels[len(j.levels)-1].pair = s
		}
	}
	j.after()
	if secret(strength, plain) {
		n := scheme(plain)
		j.masked = append(j.masked[:0], '"')
		j.masked = quote(j.masked, plain[:n])
		j.masked = append(j.m.placeholder(j.masked, "field", plain[n:], j.tally), '"')
		return true
	}
	if len(plain) < shortest {
		return false
	}
	if j.nested < maxNested && (plain[0] == '{' || plain[0] == '[') && len(plain) > 8 {
		if changed, ok := j.nestedJSON(plain); ok {
			return changed
		}
	}
	if !escaped && at >= 0 && !j.touched(at, at+len(raw)) && !j.scan.holdsPersonal(plain) {
		return false
	}
	spans, _ := j.scan.scan(plain, 0, true)
	if len(spans) == 0 {
		if escaped {
			// Escapes that a reader of the raw bytes would undo differently are looked at as they stand, too.
			spans, _ = j.scan.scan(inner, 0, true)
			if len(spans) > 0 {
				spans = wholeEscapes(inner, closeSpans(spans, len(inner)))
				j.masked = append(j.m.replace(append(j.masked[:0], '"'), inner, 0, len(inner), spans, j.tally), '"')
				return true
			}
		}
		return false
	}
	spans = closeSpans(spans, len(plain))
	if !escaped {
		j.masked = append(j.m.replace(append(j.masked[:0], '"'), plain, 0, len(plain), spans, j.tally), '"')
		return true
	}
	clear := j.m.replace(nil, plain, 0, len(plain), spans, j.tally)
	j.masked = append(quote(append(j.masked[:0], '"'), clear), '"')
	return true
}

// pairStrength judges a value that may be the name of the value beside it. A sentence is no name.
func (j *jsonWriter) pairStrength(plain []byte) field.Strength {
	if bytes.Count(plain, []byte{' '}) > 4 {
		return field.None
	}
	return j.m.e.names.Match(plain)
}

// shortest is the length below which no string holds a secret unless its name says so.
const shortest = 6

// closeSpans lets an open span take all that is left.
func closeSpans(spans []span, end int) []span {
	if n := len(spans); n > 0 && spans[n-1].open != 0 {
		spans[n-1].end, spans[n-1].open = end, 0
	}
	return spans
}

// wholeEscapes widens spans of a JSON string's inside so that none begins or ends within an escape.
func wholeEscapes(inner []byte, spans []span) []span {
	for i, k := 0, 0; i < len(inner) && k < len(spans); {
		next := i + 1
		if inner[i] == '\\' {
			if next++; next-1 < len(inner) && inner[next-1] == 'u' {
				if _, digits := hex4(inner[next:]); digits > 0 {
					next += digits
				}
			}
			next = min(next, len(inner))
		}
		if sp := &spans[k]; sp.start > i && sp.start < next {
			sp.start = i
		}
		if sp := &spans[k]; sp.end > i && sp.end <= next {
			sp.end = next
			k++
			if k < len(spans) && spans[k].start < next { // they share an escape
				spans[k].start = next
				spans[k].end = max(spans[k].end, next)
			}
		}
		i = next
	}
	return spans
}

// nestedJSON masks JSON inside a string. ok is false when it is no JSON.
func (j *jsonWriter) nestedJSON(plain []byte) (changed, ok bool) {
	var out []byte
	var tally weir.Tally
	in := newJSON(j.m, appender{&out}, &tally, j.nested+1)
	_, _ = in.Write(plain) // an appender does not fail
	_ = in.Close()
	if in.text != nil || len(in.levels) > 0 {
		return false, false
	}
	if bytes.Equal(out, plain) {
		return false, true
	}
	tally.Each(func(kind string, n int) {
		for range n {
			j.tally.Add(kind)
		}
	})
	j.masked = append(quote(append(j.masked[:0], '"'), out), '"')
	return true, true
}

// beginLong starts a string that is too long to hold: a secret is dropped to its end, other text streams.
func (j *jsonWriter) beginLong() {
	if j.wantKey {
		j.wantKey, j.key = false, field.Strong // a name of 64 KiB: nothing good comes of it
		j.long = longText
	} else if j.strength() == field.Strong {
		j.long = longSecret
		j.after()
	} else {
		j.long = longText
		j.after()
	}
	if j.long == longText {
		j.text = newText(j.m, appender{&j.out}, j.tally)
	}
}

// passLong passes or drops b to the closing quote and returns how much was consumed.
func (j *jsonWriter) passLong(b []byte, final bool) (int, error) {
	end, closed := 0, false
	for end < len(b) {
		if b[end] == '"' {
			closed = true
			break
		}
		if b[end] == '\\' {
			if end+1 == len(b) && !final {
				break
			}
			end++
		}
		end++
	}
	end = min(end, len(b))
	if j.long == longText {
		if _, err := j.text.Write(b[:end]); err != nil {
			return end, err
		}
	}
	if !closed && !final {
		return end, nil
	}
	if j.long == longSecret {
		j.out = j.m.placeholder(j.out, "field", []byte("long"), j.tally)
	} else if err := j.text.Close(); err != nil {
		return end, err
	}
	j.text, j.long = nil, notLong
	if closed {
		j.out = append(j.out, '"')
		end++
	}
	return end, nil
}
