package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// chain is the hash over all entries so far. Nobody asks for it but signed statements, so it is made of many entries at once, and mostly not by who appends them. It is
// made of a copy of what was appended, not of the file, which others may change.
type chain struct {
	waiting []byte // entries that are not in it yet, in order; guarded by the journal's mu

	mu    sync.Mutex // taken after the journal's; its holder takes no other
	sum   hash
	spare []byte
}

// maxUnhashed is how much may wait to be hashed, in bytes.
const maxUnhashed = 64 << 10

// linkLocked adds an entry. sum is the payload's hash, nil where nobody has made it.
func (j *Journal) linkLocked(head *[entryHeader]byte, payload []byte, sum *hash) {
	c := &j.chain
	if sum == nil && len(c.waiting)+len(payload) <= maxUnhashed {
		c.waiting = append(append(c.waiting, head[:]...), payload...)
		return
	}
	if sum == nil {
		s := sha256.Sum256(payload)
		sum = &s
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(c.waiting)
	c.waiting = c.waiting[:0]
	c.sum = nextChain(&c.sum, head, sum)
}

// chainLocked returns the hash over all entries.
func (j *Journal) chainLocked() hash {
	c := &j.chain
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(c.waiting)
	c.waiting = c.waiting[:0]
	return c.sum
}

// startChainLocked begins with the hash of a segment's header, or goes on from one that was there.
func (j *Journal) startChainLocked(sum hash) {
	c := &j.chain
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum, c.waiting = sum, c.waiting[:0]
}

// link hashes what waits, while others append.
func (j *Journal) link() {
	c := &j.chain
	j.mu.Lock()
	if len(c.waiting) == 0 {
		j.mu.Unlock()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.waiting
	c.waiting = c.spare[:0]
	j.mu.Unlock()
	c.advance(b)
	c.spare = b
}

// advance adds entries.
func (c *chain) advance(b []byte) {
	for len(b) > 0 {
		n := binary.LittleEndian.Uint32(b)
		c.sum = chainOver(c.sum, b[:n])
		b = b[n:]
	}
}
