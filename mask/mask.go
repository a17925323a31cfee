// Package mask replaces every secret in what it is given by a placeholder: values whose name says so, values that
// look like credentials, and the exact values the gateway holds. It knows the shapes that answers come
// in (text, JSON, forms, multipart, HTML, XML, event streams, terminals, opaque bytes) and works on streams of any length in constant memory: it
// holds back only bytes that may still become a secret.
//
// It never passes on what it could not look into: input that breaks its format is masked as text. It is pure; an
// Engine and a Masker are immutable and safe for concurrent use, a writer belongs to one goroutine.
package mask

import (
	"errors"
	"fmt"
	"sync"

	"weir"
	"weir/mask/detect"
	"weir/mask/field"
	"weir/mask/known"
	"weir/mask/personal"
)

// Config is what an Engine is made of.
type Config struct {
	Fields  []string        // names added to the built-in list
	Disable []string        // detectors not to use
	Custom  []detect.Custom // detectors of the user's own
	Key     []byte          // keys the fingerprints in placeholders; at least 16 bytes, which are not kept
}

// Engine holds what all sessions share.
type Engine struct {
	names  *field.Names
	detect *detect.Set
	prints *printKey
	macs   sync.Pool // of *fingerprinter
}

// New makes an Engine.
func New(c Config) (*Engine, error) {
	if len(c.Key) < 16 {
		return nil, errors.New("mask: the fingerprint key has fewer than 16 bytes")
	}
	names, err := field.New(c.Fields)
	if err != nil {
		return nil, fmt.Errorf("mask: %w", err)
	}
	d, err := detect.New(detect.Options{Disable: c.Disable, Names: names, Custom: c.Custom})
	if err != nil {
		return nil, fmt.Errorf("mask: %w", err)
	}
	prints, err := newPrintKey(c.Key)
	if err != nil {
		return nil, fmt.Errorf("mask: fingerprint key: %w", err)
	}
	return &Engine{names: names, detect: d, prints: prints}, nil
}

// Names reports whether a name alone says that what it stands for is secret.
func (e *Engine) Names(name string) bool { return e.names.Match([]byte(name)) == field.Strong }

// Masker masks with the engine's rules and known secrets.
type Masker struct {
	e        *Engine
	sets     []*known.Set
	personal *personal.Set // nil: personal data passes
	json     sync.Pool     // of *jsonWriter
	// notes is set for a stream with a report.
	notes *notes
}

// Masker adds sets of known secrets; nil sets are left out.
func (e *Engine) Masker(sets ...*known.Set) *Masker {
	m := &Masker{e: e}
	for _, s := range sets {
		if s.Len() > 0 {
			m.sets = append(m.sets, s)
		}
	}
	return m
}

// WithPersonal returns a Masker that masks as m does, and the personal data that p finds, too. With a nil p it masks none.
func (m *Masker) WithPersonal(p *personal.Set) *Masker {
	return &Masker{e: m.e, sets: m.sets, personal: p}
}

// Stream returns a writer that masks what is written to it on its way to w. An unknown shape, and one that is not
// supported, is an error; so is the same length of any but text and opaque bytes.
func (m *Masker) Stream(w interface{ Write(p []byte) (int, error) }, shape weir.Shape, t *weir.Tally) (weir.MaskWriter, error) {
	if shape.SameLength && shape.Format != weir.FormatText && shape.Format != weir.FormatOpaque {
		return nil, fmt.Errorf("mask: cannot keep the length of format %d", shape.Format)
	}
	switch shape.Format {
	case weir.FormatText:
		text := newText(m, w, t)
		text.same = shape.SameLength
		return text, nil
	case weir.FormatTerminal:
		return newTerminal(m, w, t), nil
	case weir.FormatSSE:
		return newSSE(m, w, t), nil
	case weir.FormatHTML, weir.FormatXML:
		return newMarkup(m, w, t), nil
	case weir.FormatJSON:
		return m.pooled(w, t), nil
	case weir.FormatForm:
		return newForm(m, w, t), nil
	case weir.FormatOpaque:
		return &opaqueWriter{m: m, w: w, tally: t}, nil
	case weir.FormatMultipart:
		if shape.Boundary != "" {
			return newMultipart(m, w, shape, t), nil
		}
	case weir.FormatUnknown:
	}
	return nil, fmt.Errorf("mask: cannot look into format %d", shape.Format)
}

// placeholder appends the placeholder of value and counts it. It stands for raw bytes of the input, which may spell the value in
// another way.
func (m *Masker) placeholder(dst []byte, kind string, value []byte, raw int, t *weir.Tally) []byte {
	return m.place(dst, kind, value, false, raw, t)
}

// place is placeholder; held says that value is that of a secret held, which stays as it is.
func (m *Masker) place(dst []byte, kind string, value []byte, held bool, raw int, t *weir.Tally) []byte {
	t.Add(kind)
	t.Replaced(raw)
	from := len(dst)
	f := m.e.fingerprinter()
	if held {
		dst = appendPlaceholder(dst, kind, f.heldCode(value))
	} else {
		dst = appendPlaceholder(dst, kind, f.sum(value))
	}
	m.e.macs.Put(f)
	m.notes.add(dst[from:], kind, raw)
	return dst
}

// appendPlaceholder appends the placeholder of a value with the code.
func appendPlaceholder(dst []byte, kind string, code []byte) []byte {
	dst = append(append(append(dst, "[masked:"...), kind...), ':')
	return append(appendID(dst, code), ']')
}

// span is what is to be replaced.
type span struct {
	from       int // where what shows it to be a secret begins
	start, end int
	kind       string
	value      []byte // of a secret held, what the fingerprint is made of; nil: the bytes themselves
	open       detect.Run
	quote      string
	yields     bool // to the kind of a span that it overlaps
}

// scanner finds spans with buffers that are used again.
type scanner struct {
	m        *Masker
	found    []detect.Finding
	known    []known.Span
	personal []personal.Finding
	spans    []span
	joined   []span
	one      stream // of scan
}

// stream is how far a text that comes in parts was searched. The zero value has searched nothing.
type stream struct {
	state detect.State
	at    int    // before it, the detectors have decided
	spans []span // what they found and the caller has not got yet
}

// shift follows a buffer from which the first n bytes were taken.
func (st *stream) shift(n int) {
	st.at -= n
	for i := range st.spans {
		sp := &st.spans[i]
		sp.from, sp.start, sp.end = sp.from-n, sp.start-n, sp.end-n
	}
}

// scan finds what to replace in a whole text.
func (s *scanner) scan(b []byte) []span {
	var decided int
	if s.found, decided = s.m.e.detect.Find(s.found[:0], b, 0, true); decided == len(b) {
		s.spans = s.spans[:0]
		for i := range s.found {
			s.spans = append(s.spans, spanOf(&s.found[i]))
		}
		if p := s.m.personal; p != nil {
			s.personal, _ = p.Find(s.personal[:0], b, 0, true)
			s.join(s.personal)
		}
		s.insertKnown(b, 0)
		return s.spans
	}
	s.one.state, s.one.at, s.one.spans = detect.State{}, 0, s.one.spans[:0]
	spans, _ := s.next(&s.one, b, 0, true)
	return spans
}

// next finds what to replace in b[from:] of a text that comes in parts; see detect.Set.Find for from, final and safe. The detectors go on where they stopped, though known secrets may keep the caller further back.
func (s *scanner) next(st *stream, b []byte, from int, final bool) (spans []span, safe int) {
	st.at = max(st.at, from)
	if n := len(st.spans); n == 0 || st.spans[n-1].open == detect.Closed {
		s.found, st.at = s.m.e.detect.FindNext(&st.state, s.found[:0], b, st.at, final)
		for i := range s.found {
			st.spans = append(st.spans, spanOf(&s.found[i]))
		}
	}
	s.spans, safe = append(s.spans[:0], st.spans...), len(b)
	if p := s.m.personal; p != nil {
		var decided int
		s.personal, decided = p.Find(s.personal[:0], b, from, final)
		s.join(s.personal)
		safe = min(safe, decided)
	}
	s.insertKnown(b, from)
	if !final {
		for _, set := range s.m.sets {
			safe = min(safe, set.HoldFrom(b, from))
		}
	}
	decided := safe // as far as all but the detectors go
	safe = min(safe, st.at)
	// A span that reaches behind what is safe is decided when it is looked at again.
	for len(s.spans) > 0 {
		last := &s.spans[len(s.spans)-1]
		if last.end <= safe || last.open != detect.Closed && last.end <= decided {
			break
		}
		safe = min(safe, last.from)
		s.spans = s.spans[:len(s.spans)-1]
	}
	safe = max(safe, from)
	if n := len(s.spans); n > 0 && s.spans[n-1].open != detect.Closed {
		safe = s.spans[n-1].end
	}
	n := 0
	for n < len(st.spans) && st.spans[n].start < safe {
		n++
	}
	st.spans = st.spans[:copy(st.spans, st.spans[n:])]
	return s.spans, safe
}

// spanOf is what a finding of the detectors replaces.
func spanOf(f *detect.Finding) span {
	return span{from: f.From, start: f.Start, end: f.End, kind: f.Rule.Kind, open: f.Open, quote: f.Quote}
}

// insertKnown puts the secrets held that stand in b[from:] among the spans.
func (s *scanner) insertKnown(b []byte, from int) {
	for _, set := range s.m.sets {
		s.known = set.FindFrom(s.known[:0], b, from)
		for _, k := range s.known {
			s.m.notes.hold(set.Name(k.Entry))
			s.insert(span{from: k.Start, start: k.Start, end: k.End, kind: set.Name(k.Entry), value: set.Value(k.Entry)})
		}
	}
}

// holdsPersonal reports whether b holds personal data that is to be masked.
func (s *scanner) holdsPersonal(b []byte) bool {
	if s.m.personal == nil {
		return false
	}
	s.personal, _ = s.m.personal.Find(s.personal[:0], b, 0, true)
	return len(s.personal) > 0
}

// join puts personal data among the spans; what overlaps becomes one, under the kind that detect has for it.
func (s *scanner) join(found []personal.Finding) {
	if len(found) == 0 {
		return
	}
	others := s.spans
	s.spans = s.joined[:0]
	s.joined = others
	for len(found) > 0 || len(others) > 0 {
		var next span
		if len(others) == 0 || len(found) > 0 && found[0].Start < others[0].start {
			f := found[0]
			next, found = span{from: f.Start, start: f.Start, end: f.End, kind: f.Kind, yields: true}, found[1:]
		} else {
			next, others = others[0], others[1:]
		}
		n := len(s.spans)
		if n == 0 || s.spans[n-1].end <= next.start {
			s.spans = append(s.spans, next)
			continue
		}
		last := &s.spans[n-1]
		if last.yields {
			last.kind, last.yields = next.kind, next.yields
		}
		if next.open != detect.Closed {
			last.open, last.quote = next.open, next.quote
		}
		last.from, last.end = min(last.from, next.from), max(last.end, next.end)
	}
}

// insert puts a known secret among the spans; those it overlaps become one with it, under its fingerprint.
func (s *scanner) insert(k span) {
	i := 0
	for i < len(s.spans) && s.spans[i].end <= k.start {
		i++
	}
	j := i
	for j < len(s.spans) && s.spans[j].start < k.end {
		o := s.spans[j]
		k.from, k.start, k.end = min(k.from, o.from), min(k.start, o.start), max(k.end, o.end)
		if o.open != detect.Closed {
			k.open, k.quote = o.open, o.quote
		}
		j++
	}
	if i == j {
		s.spans = append(s.spans, span{})
		copy(s.spans[i+1:], s.spans[i:])
		s.spans[i] = k
		return
	}
	s.spans[i] = k
	s.spans = append(s.spans[:i+1], s.spans[j:]...)
}

// replace appends b[from:to] with the spans replaced.
func (m *Masker) replace(dst, b []byte, from, to int, spans []span, t *weir.Tally) []byte {
	for _, sp := range spans {
		dst = append(dst, b[from:sp.start]...)
		value, held := sp.value, true
		if value == nil {
			value, held = b[sp.start:sp.end], false
		}
		dst = m.place(dst, sp.kind, value, held, sp.end-sp.start, t)
		from = sp.end
	}
	return append(dst, b[from:to]...)
}
