package mask

import (
	"errors"

	"weir"
)

// maxPooled is the most memory in bytes that one of a writer's buffers may bring back to the pool.
const maxPooled = 256 << 10

var errClosed = errors.New("mask: written to after Close")

// pooledJSON lends a jsonWriter of the Masker's pool until Close. What such a writer remembers of names is true for one Masker only.
type pooledJSON struct {
	m   *Masker
	j   *jsonWriter
	err error // of Close
}

func (m *Masker) pooled(w sink, t *weir.Tally) *pooledJSON {
	j, ok := m.json.Get().(*jsonWriter)
	if !ok {
		j = newJSON(m, nil, nil, 0)
	}
	j.w, j.tally = w, t
	return &pooledJSON{m: m, j: j}
}

// Write masks p.
func (p *pooledJSON) Write(b []byte) (int, error) {
	if p.j == nil {
		return 0, errors.Join(errClosed, p.err)
	}
	return p.j.Write(b)
}

// Flush passes on whole values; Write has done so already.
func (p *pooledJSON) Flush() error {
	if p.j == nil {
		return p.err
	}
	return p.j.Flush()
}

// Close masks the rest and gives the writer back.
func (p *pooledJSON) Close() error {
	if p.j == nil {
		return p.err
	}
	j := p.j
	p.j, p.err = nil, j.Close()
	if j.reset() {
		p.m.json.Put(j)
	}
	return p.err
}

// reset makes a writer ready for another stream; only what holds nothing of this one stays. It reports that the writer has not
// grown too big to be kept.
func (j *jsonWriter) reset() bool {
	for _, b := range [...]*[]byte{&j.plain, &j.masked, &j.spare, &j.names} {
		if cap(*b) > maxPooled {
			return false
		}
		*b = wiped(*b, cap(*b))
	}
	if cap(j.buf) > maxPooled || cap(j.out) > maxPooled {
		return false
	}
	j.buf, j.out, j.held, j.written = wiped(j.buf, j.held), wiped(j.out, j.written), 0, 0
	if cap(j.hits) > maxPooled/32 || cap(j.levels) > 1024 || cap(j.found) > 1024 || cap(j.edits) > 1024 {
		return false
	}
	if j.inner != nil && !j.inner.reset() {
		j.inner = nil
	}
	scan := scanner{m: j.m, found: j.scan.found[:0], known: j.scan.known[:0], personal: j.scan.personal[:0], spans: j.scan.spans[:0], joined: j.scan.joined[:0]}
	clear(scan.joined[:cap(scan.joined)])
	clear(scan.spans[:cap(scan.spans)])
	clear(j.found[:cap(j.found)])
	clear(j.edits[:cap(j.edits)])
	j.w, j.tally, j.err, j.text, j.scan, j.long, j.passage, j.note = nil, nil, nil, nil, scan, notLong, nil, nil
	j.hits, j.found = j.hits[:0], j.found[:0]
	j.restart()
	return true
}

// restart forgets where in which JSON text the writer is.
func (j *jsonWriter) restart() {
	j.in, j.levels, j.names = level{}, j.levels[:0], j.names[:0]
	j.wantKey, j.key, j.seen, j.escape = false, 0, 0, false
	j.edits, j.broken = j.edits[:0], false
}

// wiped empties a buffer whose first bytes held clear text.
func wiped(b []byte, used int) []byte {
	clear(b[:used])
	return b[:0]
}
