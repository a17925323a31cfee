// Package wire holds the byte tools of the data path: pooled buffers in size classes. It knows no
// protocol and never interprets what it carries. All functions are safe for concurrent use; a buffer
// belongs to whoever got it until it is put back.
package wire

import "sync"

// Size classes, in bytes.
const (
	Small = 4 << 10
	Large = 64 << 10
	Huge  = 256 << 10
)

// Buffer is a pooled buffer. B may be resliced and replaced freely by its owner.
type Buffer struct{ B []byte }

// Pool hands out buffers of three size classes. The zero value is ready.
type Pool struct{ small, large, huge sync.Pool }

// Get returns a buffer of length 0 and at least size bytes capacity. Its old contents are
// not cleared; nothing beyond len may be read.
func (p *Pool) Get(size int) *Buffer {
	pool, class := &p.small, Small
	switch {
	case size > Large:
		pool, class = &p.huge, Huge
	case size > Small:
		pool, class = &p.large, Large
	}
	if b, ok := pool.Get().(*Buffer); ok && cap(b.B) >= size {
		b.B = b.B[:0]
		return b
	}
	return &Buffer{B: make([]byte, 0, max(size, class))}
}

// Put gives the buffer back. The caller must not use it, nor slices of it, any more. Buffers that have
// grown far beyond their class are left to the garbage collector.
func (p *Pool) Put(b *Buffer) {
	switch c := cap(b.B); {
	case c < Small || c > 4*Huge:
	case c < Large:
		p.small.Put(b)
	case c < Huge:
		p.large.Put(b)
	default:
		p.huge.Put(b)
	}
}
