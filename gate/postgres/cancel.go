package postgres

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	keySize30 = 4  // bytes of a cancel key in protocol 3.0
	keySize32 = 32 // from 3.2 on

	maxWrongKeys   = 10          // for one session within wrongKeyWindow: then it cannot be cancelled for so long
	maxCancels     = 200         // that reach targets in a second, for all sessions
	wrongKeyWindow = time.Minute // see maxWrongKeys
)

// cancels knows which key ends what. Safe for concurrent use.
type cancels struct {
	random io.Reader
	now    func() time.Time

	mu     sync.Mutex
	byPID  map[uint32]*cancelEntry
	second time.Time // start of the second that seen counts
	seen   int
}

type cancelEntry struct {
	key     []byte
	cancel  func(ctx context.Context)
	running bool
	wrong   int
	since   time.Time // of the first wrong key that counts
}

func newCancels(random io.Reader, now func() time.Time) *cancels {
	return &cancels{random: random, now: now, byPID: make(map[uint32]*cancelEntry)}
}

// add registers a session and returns what its client is to hold. The number is positive as an int32, which clients store it in.
func (c *cancels) add(size int, cancel func(ctx context.Context)) (pid uint32, key []byte, err error) {
	key = make([]byte, size)
	if _, err := io.ReadFull(c.random, key); err != nil {
		return 0, nil, fmt.Errorf("make a cancel key: %w", err)
	}
	for range 100 {
		var b [4]byte
		if _, err := io.ReadFull(c.random, b[:]); err != nil {
			return 0, nil, fmt.Errorf("make a cancel key: %w", err)
		}
		pid = binary.BigEndian.Uint32(b[:]) & 0x7fffffff
		c.mu.Lock()
		if _, taken := c.byPID[pid]; !taken && pid != 0 {
			c.byPID[pid] = &cancelEntry{key: key, cancel: cancel}
			c.mu.Unlock()
			return pid, key, nil
		}
		c.mu.Unlock()
	}
	return 0, nil, errors.New("no free number for a session")
}

// remove forgets a session.
func (c *cancels) remove(pid uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byPID, pid)
}

// run cancels what the request names, if it holds the key. It tells nobody whether it did.
func (c *cancels) run(ctx context.Context, r cancelRequest) {
	e := c.claim(r)
	if e == nil {
		return
	}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		e.running = false
	}()
	e.cancel(ctx)
}

// claim finds the session, unless the key is wrong, a cancel is under way, or there are too many.
func (c *cancels) claim(r cancelRequest) *cancelEntry {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byPID[r.pid]
	if e == nil {
		return nil
	}
	if now.Sub(e.since) >= wrongKeyWindow {
		e.wrong, e.since = 0, now
	}
	if e.wrong >= maxWrongKeys {
		return nil
	}
	if subtle.ConstantTimeCompare(e.key, r.key) != 1 {
		e.wrong++
		return nil
	}
	if now.Sub(c.second) >= time.Second {
		c.second, c.seen = now, 0
	}
	// Only those with the right key count: guesses keep nobody from cancelling.
	if c.seen++; e.running || c.seen > maxCancels {
		return nil
	}
	e.running = true
	return e
}
