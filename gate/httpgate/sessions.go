package httpgate

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/gate/session"
)

// sweepEvery is how often ended and idle sessions are looked for.
const sweepEvery = time.Second

// sessionKey is the hash of a credential, a resource and a client's address.
type sessionKey [32]byte

// sessions keeps one session for each client, credential and resource, so that a client's many
// requests are one recording. Safe for concurrent use.
type sessions struct {
	gate *session.Gate
	now  func() time.Time
	idle time.Duration
	max  int

	stop   chan struct{}
	done   chan struct{}
	ending sync.WaitGroup

	mu     sync.RWMutex
	kept   map[sessionKey]*kept
	closed bool
}

// kept is one session, or one that is being made. session and err may be read once ready is closed.
type kept struct {
	ready   chan struct{}
	session *session.Session
	err     error

	active atomic.Int64 // requests that use it now
	used   atomic.Int64 // when the last one ended, in Unix nanoseconds
}

func newSessions(gate *session.Gate, opt *Options) *sessions {
	s := &sessions{
		gate: gate, now: opt.Now, idle: opt.Idle, max: opt.MaxSessions,
		stop: make(chan struct{}), done: make(chan struct{}), kept: make(map[sessionKey]*kept),
	}
	go s.sweeper()
	return s
}

// acquire returns the session of key, made by authorize if there is none. release must be called when the
// request is over. The error is a *weir.Denied.
func (s *sessions) acquire(ctx context.Context, key sessionKey, authorize func() (*session.Session, error)) (*kept, error) {
	for {
		k, mine := s.lookup(key)
		if k == nil {
			return nil, &weir.Denied{Kind: weir.DeniedRate, Reason: "too many sessions", Hint: "try again in a moment"}
		}
		if mine {
			s.make(key, k, authorize)
		}
		select {
		case <-k.ready:
		case <-ctx.Done():
			s.release(k)
			return nil, &weir.Denied{Kind: weir.DeniedSession, Reason: "the client went away", Err: ctx.Err()}
		}
		if k.err != nil {
			s.release(k)
			return nil, k.err
		}
		select {
		case <-k.session.Done():
			s.drop(key, k)
			s.release(k)
			if mine {
				return nil, &weir.Denied{Kind: weir.DeniedSession, Reason: "the session has ended", Hint: "get access again"}
			}
		default:
			return k, nil
		}
	}
}

// lookup finds or reserves the place of key; mine says that the caller has to fill it. It counts the
// caller as active. nil when there is no room.
func (s *sessions) lookup(key sessionKey) (k *kept, mine bool) {
	s.mu.RLock()
	if k = s.kept[key]; k != nil {
		k.active.Add(1)
		s.mu.RUnlock()
		return k, false
	}
	s.mu.RUnlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	if k = s.kept[key]; k != nil {
		k.active.Add(1)
		return k, false
	}
	if s.closed || len(s.kept) >= s.max && !s.evict() {
		return nil, false
	}
	k = &kept{ready: make(chan struct{})}
	k.active.Add(1)
	s.kept[key] = k
	return k, true
}

// make fills a reserved place. Whatever happens, those who wait are let go.
func (s *sessions) make(key sessionKey, k *kept, authorize func() (*session.Session, error)) {
	k.err = &weir.Denied{Kind: weir.DeniedByFault, Reason: "refused: the gateway could not check or record it"}
	defer close(k.ready)
	defer func() {
		if k.err != nil {
			s.drop(key, k)
		}
	}()
	k.session, k.err = authorize()
}

// release says that a request no longer uses k.
func (s *sessions) release(k *kept) {
	k.used.Store(s.now().UnixNano())
	k.active.Add(-1)
}

func (s *sessions) drop(key sessionKey, k *kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept[key] == k {
		delete(s.kept, key)
	}
}

// evict makes room by ending the session that was idle longest. mu is held.
func (s *sessions) evict() bool {
	var key sessionKey
	var oldest *kept
	for k, v := range s.kept {
		if v.active.Load() == 0 && (oldest == nil || v.used.Load() < oldest.used.Load()) {
			key, oldest = k, v
		}
	}
	if oldest == nil {
		return false
	}
	delete(s.kept, key)
	// End records and audits; whoever waits for mu must not wait for that.
	s.ending.Go(func() { oldest.session.End("room was needed for other sessions") })
	return true
}

// sweeper drops what has ended and ends what is idle, until close.
func (s *sessions) sweeper() {
	defer close(s.done)
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			s.sweep(s.now())
		case <-s.stop:
			return
		}
	}
}

func (s *sessions) sweep(now time.Time) {
	var idle []*session.Session
	s.mu.Lock()
	for key, k := range s.kept {
		if k.active.Load() > 0 {
			continue
		}
		select {
		case <-k.session.Done():
			delete(s.kept, key)
		default:
			if now.UnixNano()-k.used.Load() >= int64(s.idle) {
				delete(s.kept, key)
				idle = append(idle, k.session)
			}
		}
	}
	s.mu.Unlock()
	for _, e := range idle {
		e.End("idle")
	}
}

// close ends every session and refuses new ones.
func (s *sessions) close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	all := make([]*kept, 0, len(s.kept))
	for _, k := range s.kept {
		all = append(all, k)
	}
	clear(s.kept)
	s.mu.Unlock()
	close(s.stop)
	<-s.done
	s.ending.Wait()
	for _, k := range all {
		<-k.ready
		if k.session != nil {
			k.session.End("the gateway is shutting down")
		}
	}
}
