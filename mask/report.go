package mask

import (
	"bytes"
	"errors"
	"net/url"
	"slices"

	"weir"
)

// Report says what becomes of a stream's findings.
type Report struct {
	// Found is told of every finding, in the order of the input, once its end is known. Its error ends the stream.
	Found func(weir.Finding) error
	// Size is how many bytes of the source b had before it was decoded, for offsets in the source; nil: as many as b has. It is
	// asked for all of the input, in pieces that may end anywhere.
	Size func(b []byte) int64
	// Offset is how many bytes of the source came before what is written.
	Offset int64
}

var (
	errLost   = errors.New("mask: the output does not follow the input; the offsets of the report would be wrong")
	errOpaque = errors.New("mask: there is no report of masks that keep the length: they are no placeholders")
)

// StreamReport is Stream with a report. The writers pass all bytes as they are but for those that a placeholder stands for, so the findings'
// places follow from the output: what is no placeholder of theirs is the input's next bytes.
func (m *Masker) StreamReport(w sink, shape weir.Shape, t *weir.Tally, r Report) (weir.MaskWriter, error) {
	if shape.Format == weir.FormatOpaque || shape.SameLength {
		return nil, errOpaque
	}
	own := &Masker{e: m.e, sets: m.sets, notes: &notes{pending: map[string][]*note{}, held: map[string]bool{}}}
	a := &aligner{w: w, m: own, r: r, at: r.Offset, line: 1}
	own.notes.aligner = a
	in, err := own.Stream(a, shape, t)
	if err != nil {
		return nil, err
	}
	return &reportWriter{in: in, a: a}, nil
}

// note announces a placeholder that will come out.
type note struct {
	kind, id string
	raw      int   // bytes of the input it stands for, as far as they were told
	before   int   // bytes in front of it that are not in the input: a quote
	after    int   // bytes behind it that are not in the input
	out      bool  // it has come out
	into     *note // of the value that has taken its placeholder, or nil
}

// notes are what the writers of one stream announce. They may do so in another order than that of the output. A nil notes takes none.
type notes struct {
	aligner *aligner
	pending map[string][]*note // by placeholder; the first comes out first
	held    map[string]bool    // kinds that are of secrets that are held
	last    *note
}

// add announces a placeholder.
func (n *notes) add(text []byte, kind string, raw int) {
	if n == nil {
		return
	}
	id := text[len(text)-1-fingerprintLen : len(text)-1]
	n.last = &note{kind: kind, id: string(id), raw: raw}
	n.pending[string(text)] = append(n.pending[string(text)], n.last)
}

// quoted tells of the note announced last that a quote of added bytes was put on each side of its placeholder.
func (n *notes) quoted(added int) {
	if n != nil {
		n.last.before, n.last.after = added, added
	}
}

// behind tells that count bytes more behind a placeholder are not in the input.
func (n *notes) behind(which *note, count int) {
	if which.out {
		n.aligner.skip += count
	} else {
		which.after += count
	}
}

// merge tells that the placeholder of a note will not come out: the value of another has taken it. It returns for how many bytes of the input it stood.
func (n *notes) merge(which, into *note) int {
	text := openPlain + ":" + which.kind + ":" + which.id + "]"
	if left := slices.DeleteFunc(n.pending[text], func(o *note) bool { return o == which }); len(left) > 0 {
		n.pending[text] = left
	} else {
		delete(n.pending, text)
	}
	which.into = into
	return which.raw
}

// hold tells that a kind is of a secret that is held.
func (n *notes) hold(kind string) {
	if n != nil {
		n.held[kind] = true
	}
}

// latest is the note announced last, for more.
func (n *notes) latest() *note {
	if n == nil {
		return nil
	}
	return n.last
}

// more tells that a placeholder stands for raw more bytes of the input.
func (n *notes) more(which *note, raw int) {
	if n == nil || which == nil || raw == 0 {
		return
	}
	for which.into != nil {
		which = which.into
	}
	which.raw += raw
	if which.out {
		n.aligner.consume(raw)
	}
}

// take returns the next note of a placeholder, or nil.
func (n *notes) take(text []byte) *note {
	list := n.pending[string(text)]
	switch len(list) {
	case 0:
		return nil
	case 1:
		delete(n.pending, string(text))
	default:
		n.pending[string(text)] = list[1:]
	}
	return list[0]
}

// reportWriter hands the input to the writer that masks it and to the aligner.
type reportWriter struct {
	in weir.MaskWriter
	a  *aligner
}

// Write masks p.
func (r *reportWriter) Write(p []byte) (int, error) {
	r.a.feed(p)
	n, err := r.in.Write(p)
	if err == nil {
		err = r.a.err
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Flush passes on what cannot become a secret.
func (r *reportWriter) Flush() error { return errors.Join(r.in.Flush(), r.a.err) }

// Close masks the rest and tells of the last finding.
func (r *reportWriter) Close() error {
	if err := r.in.Close(); err != nil {
		return err
	}
	return r.a.close()
}

// aligner follows the output along the input. It keeps the input from the place on that the output has reached.
type aligner struct {
	w    sink
	m    *Masker
	r    Report
	err  error
	at   int64 // offset in the source that the output has reached
	line int64

	in   []byte // input that was not reached yet: in[from:]
	from int
	tail []byte // end of the output that may begin a placeholder

	open    *note // came out last; it may grow
	finding weir.Finding
	skip    int // so many bytes of output that are not in the input come next
}

func (a *aligner) feed(p []byte) {
	if a.from > len(a.in)/2 {
		a.in = a.in[:copy(a.in, a.in[a.from:])]
		a.from = 0
	}
	a.in = append(a.in, p...)
}

// Write passes p on and follows it.
func (a *aligner) Write(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	if n, err := a.w.Write(p); err != nil {
		return n, err
	}
	b := p
	if len(a.tail) > 0 {
		a.tail = append(a.tail, p...)
		b = a.tail
	}
	n := a.follow(b, false)
	a.tail = append(a.tail[:0], b[n:]...)
	if a.err != nil {
		return 0, a.err
	}
	return len(p), nil
}

func (a *aligner) close() error {
	a.follow(a.tail, true)
	a.settle()
	if a.err == nil && a.from < len(a.in) {
		a.err = errLost
	}
	return a.err
}

// Placeholders as they come out, and what they may begin with in forms.
const (
	placeholderMark = "masked"
	openPlain       = "[" + placeholderMark
	openForm        = "%5B" + placeholderMark
	fingerprintLen  = 8
	maxPlaceholder  = 512 // bytes; none is longer
)

// follow takes output and returns how much of it is accounted for.
func (a *aligner) follow(b []byte, final bool) int {
	done := 0
	for from := 0; a.err == nil; {
		i := bytes.Index(b[from:], []byte(placeholderMark))
		if i < 0 {
			end := len(b)
			if !final {
				end -= begins(b[done:])
			}
			a.literal(b[done:end])
			return end
		}
		i += from
		start, end, text, partial := placeholderAt(b[done:], i-done)
		start, end = start+done, end+done
		if partial && !final {
			a.literal(b[done:start])
			return start
		}
		from = i + len(placeholderMark)
		if text != nil && a.found(b[done:start], text) {
			done, from = end, end
		}
	}
	return len(b)
}

// found handles a placeholder behind literal bytes; it reports whether it was an announced one. Quotes that were put around it come in one
// piece with it.
func (a *aligner) found(literal, text []byte) bool {
	list := a.m.notes.pending[string(text)]
	if len(list) == 0 {
		return false
	}
	n := list[0]
	if n.before > len(literal)-a.skip {
		return false
	}
	a.literal(literal[:len(literal)-n.before])
	if bytes.HasPrefix(a.in[a.from:], text) { // the input has the same there
		a.literal(text)
		return true
	}
	a.m.notes.take(text)
	a.settle()
	a.finding = weir.Finding{Start: a.at, Line: a.line, Kind: n.kind, Rule: a.m.notes.rule(n.kind), Fingerprint: n.id}
	a.open, a.skip = n, n.after
	n.out = true
	a.consume(n.raw)
	return true
}

// placeholderAt finds the bounds of the placeholder around the mark at i, and what it is in the clear. text is nil when there is none,
// or, as partial tells, when its end may be still to come.
func placeholderAt(b []byte, i int) (start, end int, text []byte, partial bool) {
	colon, shut := ":", "]"
	switch {
	case i >= 1 && b[i-1] == '[':
		start = i - 1
	case i >= 3 && string(b[i-3:i]) == "%5B":
		start, colon, shut = i-3, "%3A", "%5D"
	default:
		return i, i, nil, false
	}
	rest := b[i+len(placeholderMark):]
	if !bytes.HasPrefix(rest, []byte(colon)) {
		return start, start, nil, len(rest) < len(colon)
	}
	n := bytes.Index(rest, []byte(shut))
	if n < 0 || n > maxPlaceholder {
		return start, start, nil, len(rest) < maxPlaceholder
	}
	end = i + len(placeholderMark) + n + len(shut)
	text = b[start:end]
	if shut != "]" {
		plain, err := url.QueryUnescape(string(text))
		if err != nil {
			return start, start, nil, false
		}
		text = []byte(plain)
	}
	return start, end, text, false
}

// begins is the length of the longest end of b with which a placeholder may begin.
func begins(b []byte) int {
	for n := min(len(b), len(openForm)-1); n > 0; n-- {
		end := string(b[len(b)-n:])
		for _, open := range [...]string{openPlain, openForm} {
			if n < len(open) && open[:n] == end {
				return n
			}
		}
	}
	return 0
}

// literal accounts for bytes that the output has from the input.
func (a *aligner) literal(b []byte) {
	n := min(a.skip, len(b))
	a.skip -= n
	b = b[n:]
	if len(b) == 0 || a.err != nil {
		return
	}
	a.settle()
	if !bytes.HasPrefix(a.in[a.from:], b) {
		a.err = errLost
		return
	}
	a.consume(len(b))
}

// consume accounts for n bytes of the input.
func (a *aligner) consume(n int) {
	if a.err != nil {
		return
	}
	if n > len(a.in)-a.from {
		a.err = errLost
		return
	}
	b := a.in[a.from : a.from+n]
	a.from += n
	a.line += int64(bytes.Count(b, []byte{'\n'}))
	if a.r.Size != nil {
		a.at += a.r.Size(b)
	} else {
		a.at += int64(n)
	}
}

// settle tells of the finding whose end is known now.
func (a *aligner) settle() {
	if a.open == nil || a.err != nil {
		return
	}
	a.open = nil
	a.finding.End = a.at
	a.err = a.r.Found(a.finding)
}

// rule is the family of the detector that found a kind, and its name.
func (n *notes) rule(kind string) string {
	if n.held[kind] {
		return "known/" + kind
	}
	switch kind {
	case "field", "cookie":
		return "name/" + kind
	case "url-password", "pgpass-password", "option-password", "oauth-code", "unseal-key", "bearer-token", "basic-auth":
		return "place/" + kind
	}
	return "format/" + kind
}
