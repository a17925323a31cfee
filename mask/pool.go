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
	if cap(j.buf) > maxPooled || cap(j.out) > maxPooled || cap(j.scratch) > maxPooled || cap(j.masked) > maxPooled || cap(j.starts) > maxPooled/4 || cap(j.levels) > 1024 {
		return p.err
	}
	// Only what holds nothing of the stream stays.
	scan := scanner{m: p.m, found: j.scan.found[:0], known: j.scan.known[:0], personal: j.scan.personal[:0], spans: j.scan.spans[:0], joined: j.scan.joined[:0]}
	clear(scan.joined[:cap(scan.joined)])
	clear(scan.spans[:cap(scan.spans)])
	j.w, j.tally, j.err, j.text, j.scan, j.long = nil, nil, nil, nil, scan, notLong
	j.buf, j.out, j.scratch, j.masked = wiped(j.buf), wiped(j.out), wiped(j.scratch), wiped(j.masked)
	j.levels, j.starts, j.at, j.clean, j.next, j.surveyed = j.levels[:0], j.starts[:0], 0, 0, 0, false
	j.wantKey, j.key, j.valued, j.naming = false, 0, false, false
	p.m.json.Put(j)
	return p.err
}

// wiped empties a buffer that held clear text.
func wiped(b []byte) []byte {
	b = b[:cap(b)]
	clear(b)
	return b[:0]
}
