package known

import (
	"crypto/subtle"
	"slices"
	"sync"
	"sync/atomic"
)

// Live is a set that changes: rotation adds the pending value before it is used and drops the old one once it is dead. The zero value
// holds nothing and is ready. It is safe for concurrent use; readers never wait.
type Live struct {
	now atomic.Pointer[Set]

	mu sync.Mutex // held while a new set is built
}

// Set returns what is searched for now, or nil. What was added before the call is in it.
func (l *Live) Set() *Set { return l.now.Load() }

// Add takes in what is not held yet. It returns once every later call of Set has it; then the value may be used. With an error
// nothing has changed. warnings are about the new entries.
func (l *Live) Add(entries ...Entry) (warnings []Warning, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	added, warnings, err := Build(slices.DeleteFunc(slices.Clone(entries), l.holds))
	if err != nil || len(added.entries) == 0 {
		return warnings, err
	}
	s := &Set{entries: added.entries}
	if before := l.now.Load(); before != nil {
		s.entries = slices.Concat(before.entries, added.entries)
	}
	if err := s.build(); err != nil {
		return nil, err
	}
	l.now.Store(s)
	return warnings, nil
}

func (l *Live) holds(e Entry) bool {
	s := l.now.Load()
	return s != nil && slices.ContainsFunc(s.entries, e.equal)
}

// Drop forgets entries. Those that are not held are left out; readers of an earlier set still search for them.
func (l *Live) Drop(entries ...Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.now.Load()
	if before == nil {
		return nil
	}
	s := &Set{entries: slices.DeleteFunc(slices.Clone(before.entries), func(e Entry) bool { return slices.ContainsFunc(entries, e.equal) })}
	if err := s.build(); err != nil {
		return err
	}
	l.now.Store(s)
	return nil
}

func (e Entry) equal(o Entry) bool {
	return e.Name == o.Name && subtle.ConstantTimeCompare(e.Value, o.Value) == 1
}
