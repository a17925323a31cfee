package postgres

import (
	"sync"
	"time"
)

// notifierLife is for how long after a process may have told of secrets its notifications are masked whole: a listener gets them when its
// transaction ends.
const notifierLife = 24 * time.Hour

// notifiers are processes of all targets by their numbers: two targets' processes of one number are taken for each other, which masks
// too much. The zero value is ready. Safe for concurrent use.
type notifiers struct {
	mu    sync.RWMutex
	since map[uint32]time.Time
}

func (n *notifiers) add(pid uint32, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.since == nil {
		n.since = make(map[uint32]time.Time)
	}
	if len(n.since) > 1000 {
		for p, at := range n.since {
			if now.Sub(at) > notifierLife {
				delete(n.since, p)
			}
		}
	}
	n.since[pid] = now
}

func (n *notifiers) has(pid uint32, now time.Time) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	at, ok := n.since[pid]
	return ok && now.Sub(at) <= notifierLife
}
