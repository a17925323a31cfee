package mask

import (
	"bytes"
	"errors"

	"weir"
	"weir/mask/field"
)

// Bounds of a multipart body.
const (
	maxPartHeader = 16 << 10
	maxDelimiter  = 1 << 10 // what may stand behind a boundary on its line
)

var errMultipart = errors.New("mask: the multipart body breaks its format")

// multipartWriter reads multipart/* (RFC 2046): each part's head as headers, each part's body by its own type, and a form's field of
// a sensitive name as a whole.
type multipartWriter struct {
	m     *Masker
	w     sink
	tally *weir.Tally
	shape weir.Shape
	delim []byte
	err   error
	buf   []byte
	out   []byte
	state multipartState
	fresh bool // at the start of a body, where a delimiter needs no line before it
	part  weir.MaskWriter

	proof field.Strength // of the part's name; not None: held is masked as a whole
	held  []byte
	drop  bool
	note  *note // of what is dropped, for a report
}

type multipartState uint8

const (
	partBody multipartState = iota
	partDelimiter
	partHead
	partEpilogue
)

func newMultipart(m *Masker, w sink, shape weir.Shape, t *weir.Tally) *multipartWriter {
	x := &multipartWriter{m: m, w: w, tally: t, shape: shape, delim: []byte("--" + shape.Boundary), fresh: true}
	x.part = newText(m, appender{&x.out}, t) // what stands before the first part
	return x
}

// Write masks p.
func (x *multipartWriter) Write(p []byte) (int, error) {
	if x.err != nil {
		return 0, x.err
	}
	x.buf = append(x.buf, p...)
	if x.err = x.pass(false); x.err != nil {
		return 0, x.err
	}
	return len(p), nil
}

// Flush passes on what cannot become a secret or a boundary. Write has done so already.
func (x *multipartWriter) Flush() error { return x.err }

// Close masks the rest.
func (x *multipartWriter) Close() error {
	if x.err != nil {
		return x.err
	}
	x.err = x.pass(true)
	return x.err
}

func (x *multipartWriter) pass(final bool) error {
	x.out = x.out[:0]
	for more := true; more; {
		var err error
		switch x.state {
		case partBody:
			more, err = x.body(final)
		case partDelimiter:
			more, err = x.delimiter(final)
		case partHead:
			more, err = x.head(final)
		case partEpilogue:
			more, err = false, x.give(x.buf)
			x.buf = x.buf[:0]
		}
		if err != nil {
			return err
		}
	}
	if final {
		if err := x.endPart(); err != nil {
			return err
		}
	}
	if len(x.out) == 0 {
		return nil
	}
	_, err := x.w.Write(x.out)
	return err
}

func (x *multipartWriter) take(n int) { x.buf = x.buf[:copy(x.buf, x.buf[n:])] }

// body passes a part's body on, up to the next delimiter.
func (x *multipartWriter) body(final bool) (more bool, err error) {
	b := x.buf
	if x.fresh {
		if len(b) < len(x.delim) && !final && bytes.HasPrefix(x.delim, b) {
			return false, nil
		}
		x.fresh = false
		if bytes.HasPrefix(b, x.delim) {
			return x.found(0, 0)
		}
	}
	for at := 0; ; {
		i := bytes.Index(b[at:], x.delim)
		if i < 0 {
			break
		}
		i += at
		if i > 0 && b[i-1] == '\n' {
			end := i - 1
			if end > 0 && b[end-1] == '\r' {
				end--
			}
			return x.found(end, i)
		}
		at = i + 1
	}
	n := len(b)
	if !final {
		n = max(0, n-len(x.delim)-2)
	}
	err = x.give(b[:n])
	x.take(n)
	return false, err
}

// found ends a part whose body ends at end and whose delimiter begins at i.
func (x *multipartWriter) found(end, i int) (bool, error) {
	if err := x.give(x.buf[:end]); err != nil {
		return false, err
	}
	if err := x.endPart(); err != nil {
		return false, err
	}
	x.out = append(x.out, x.buf[end:i+len(x.delim)]...)
	x.take(i + len(x.delim))
	x.state = partDelimiter
	return true, nil
}

func (x *multipartWriter) delimiter(final bool) (bool, error) {
	if bytes.HasPrefix(x.buf, []byte("--")) {
		x.out = append(x.out, "--"...)
		x.take(2)
		x.part, x.state = newText(x.m, appender{&x.out}, x.tally), partEpilogue
		return true, nil
	}
	i := bytes.IndexByte(x.buf, '\n')
	switch {
	case i < 0 && len(x.buf) > maxDelimiter, i > maxDelimiter:
		return false, errMultipart
	case i < 0 && final:
		x.out = append(x.out, bytes.TrimRight(x.buf, "\x00")...)
		if len(bytes.TrimSpace(x.buf)) > 0 {
			return false, errMultipart
		}
		x.buf = x.buf[:0]
		return false, nil
	case i < 0:
		return false, nil
	case len(bytes.TrimSpace(x.buf[:i])) > 0:
		return false, errMultipart // a longer word that begins like the boundary
	}
	x.out = append(x.out, x.buf[:i+1]...)
	x.take(i + 1)
	x.state = partHead
	return true, nil
}

// head reads a part's headers, masks their values and opens what reads the body.
func (x *multipartWriter) head(final bool) (bool, error) {
	end := headEnd(x.buf)
	if end == 0 {
		if len(x.buf) > maxPartHeader || final && len(x.buf) > 0 {
			return false, errMultipart
		}
		return false, nil
	}
	header := map[string][]string{}
	for rest := x.buf[:end]; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		for n < len(rest) && (rest[n] == ' ' || rest[n] == '\t') { // a folded line
			n += bytes.IndexByte(rest[n:], '\n') + 1
		}
		line := rest[:n]
		rest = rest[n:]
		text := bytes.TrimRight(line, "\r\n")
		name, value, ok := bytes.Cut(text, []byte(":"))
		if !ok {
			if len(text) > 0 {
				return false, errMultipart
			}
			x.out = append(x.out, line...)
			continue
		}
		head := len(text) - len(bytes.TrimLeft(value, " \t\r\n"))
		value = bytes.TrimSpace(value)
		key := canonical(string(bytes.TrimSpace(name)))
		header[key] = append(header[key], string(value))
		x.out = append(x.out, line[:head]...)
		x.out = x.m.Value(x.out, key, value, x.tally)
		x.out = append(x.out, line[head+len(value):]...)
	}
	x.take(end)
	return true, x.openPart(header)
}

// headEnd is the length of the headers with the empty line behind them, or 0.
func headEnd(b []byte) int {
	for at := 0; at < len(b); {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return 0
		}
		if len(bytes.TrimRight(b[at:at+i], "\r")) == 0 {
			return at + i + 1
		}
		at += i + 1
	}
	return 0
}

func canonical(name string) string {
	b, up := []byte(name), true
	for i, c := range b {
		if up && c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		} else if !up && c >= 'A' && c <= 'Z' {
			b[i] = c - 'A' + 'a'
		}
		up = c == '-'
	}
	return string(b)
}

func (x *multipartWriter) openPart(header map[string][]string) error {
	x.state, x.fresh, x.drop, x.held, x.proof = partBody, true, false, x.held[:0], field.None
	shape := weir.Shape{Format: weir.FormatText}
	if x.shape.Part != nil {
		var err error
		if shape, err = x.shape.Part(header); err != nil {
			return err
		}
	}
	if d := header["Content-Disposition"]; len(d) == 1 && shape.Format == weir.FormatText {
		x.proof = x.m.strength([]byte(fieldName(d[0])))
	}
	w, err := x.m.Stream(appender{&x.out}, shape, x.tally)
	x.part = w
	return err
}

// fieldName is the name parameter of a Content-Disposition.
func fieldName(disposition string) string {
	for _, p := range bytes.Split([]byte(disposition), []byte(";")) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(p), []byte("="))
		if bytes.EqualFold(bytes.TrimSpace(key), []byte("name")) {
			return string(bytes.Trim(bytes.TrimSpace(value), `"`))
		}
	}
	return ""
}

// give passes a piece of a body to what reads it.
func (x *multipartWriter) give(b []byte) error {
	switch {
	case len(b) == 0:
	case x.drop:
		x.tally.Replaced(len(b))
		x.m.notes.more(x.note, len(b))
	case x.proof != field.None:
		n := min(len(b), maxPair+1-len(x.held)) // what the fingerprint is made of doesn't depend on where input was cut
		if x.held = append(x.held, b[:n]...); len(x.held) > maxPair {
			x.out = x.m.placeholder(x.out, "field", x.held, len(x.held), x.tally)
			x.held, x.drop, x.note = x.held[:0], true, x.m.notes.latest()
			x.tally.Replaced(len(b) - n)
			x.m.notes.more(x.note, len(b)-n)
		}
	case x.part != nil:
		_, err := x.part.Write(b)
		return err
	}
	return nil
}

func (x *multipartWriter) endPart() error {
	if len(x.held) > 0 {
		x.out = x.m.value(x.out, x.proof, x.held, x.tally)
		x.held = x.held[:0]
	}
	x.proof, x.drop = field.None, false // what stands behind the last delimiter is no part
	if x.part == nil {
		return nil
	}
	part := x.part
	x.part = nil
	return part.Close()
}
