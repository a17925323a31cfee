package weir

import "io"

// Format is how masked bytes are laid out. The zero value is unknown and is refused.
type Format uint8

// Formats a masker can look into.
const (
	FormatUnknown   Format = iota
	FormatText             // plain text: key=value, key: value, logs, stack traces, YAML, INI, env, properties, CSV
	FormatJSON             // one JSON value, or several one after the other (NDJSON, JSON text sequences)
	FormatForm             // application/x-www-form-urlencoded, and query strings
	FormatXML              // XML
	FormatHTML             // HTML
	FormatSSE              // text/event-stream; each event's data is looked into as JSON or text
	FormatMultipart        // multipart/*; Shape.Boundary is set; each part by its own type
	FormatOpaque           // bytes that are what they are; only known secrets are searched, masks keep the length
	FormatTerminal         // what a terminal is sent: text with control functions, and lines that are edited
)

// Shape tells a masker what it is about to read.
type Shape struct {
	Format   Format
	Boundary string // of FormatMultipart, without the dashes
	// SameLength asks that every mask takes exactly the bytes that it replaces, because lengths have been told already: text and opaque
	// bytes only.
	SameLength bool
	// Part decides the shape of one multipart part by its headers; nil refuses all parts.
	Part func(header map[string][]string) (Shape, error)
}

// MaskWriter masks what is written to it and passes it on, holding back no more than
// may still become a secret. Not for concurrent use.
type MaskWriter interface {
	// Write masks p. It does not keep p. After an error nothing more is passed on.
	io.Writer
	// Flush passes on all that cannot become part of a secret any more. Of a stream that somebody may wait for (a terminal, opaque bytes) it also
	// passes on a beginning so short that it says nothing of the secret: of a terminal when nothing was written since the last Flush.
	Flush() error
	// Close masks and passes on the rest, unfinished values included. It does not
	// close the writer behind. Input that breaks its format is masked as text, never passed as it is.
	io.Closer
}

// Tally counts what was masked, by kind. The zero value is ready. Not for concurrent use.
type Tally struct {
	counts []count        // of the first kinds
	more   map[string]int // of the others
	total  int
	bytes  int64
}

// fewKinds is how many kinds are found one by one, which is faster than a map.
const fewKinds = 8

type count struct {
	kind string
	n    int
}

// Add counts one masked value of the kind.
func (t *Tally) Add(kind string) {
	if t == nil {
		return
	}
	t.total++
	for i := range t.counts { // kinds are mostly the same string in memory
		if t.counts[i].kind == kind {
			t.counts[i].n++
			return
		}
	}
	switch {
	case len(t.counts) < fewKinds:
		t.counts = append(t.counts, count{kind, 1})
	case t.more == nil:
		t.more = map[string]int{kind: 1}
	default:
		t.more[kind]++
	}
}

// Replaced tells how many bytes of the input the value counted last took. A value that comes in pieces is told of in pieces.
func (t *Tally) Replaced(bytes int) {
	if t != nil {
		t.bytes += int64(bytes)
	}
}

// Bytes is how many bytes of the input the masked values took together, as they were spelled there.
func (t *Tally) Bytes() int64 {
	if t == nil {
		return 0
	}
	return t.bytes
}

// Total is the number of values masked.
func (t *Tally) Total() int {
	if t == nil {
		return 0
	}
	return t.total
}

// Each calls f for every kind.
func (t *Tally) Each(f func(kind string, n int)) {
	if t == nil {
		return
	}
	for _, c := range t.counts {
		f(c.kind, c.n)
	}
	for kind, n := range t.more {
		f(kind, n)
	}
}
