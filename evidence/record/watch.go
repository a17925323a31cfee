package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"weir"
	"weir/evidence/journal"
)

// watchBuffer is how many entries a watcher may be behind.
const watchBuffer = 4096

// Watched is what a watcher is told.
type Watched struct {
	Seq    uint64
	Record *weir.Record // valid during the call; nil when there is something else to tell
	Missed uint64       // so many entries came while the watcher was too slow; they are in the recording
	Ended  bool         // the session has ended; nothing follows
}

// watcher waits for entries of one session. It holds positions, no bytes, so what it costs a session is one send that never blocks.
type watcher struct {
	entries chan journal.Position
	missed  uint64 // guarded by Store.mu
}

// publish tells watchers of an entry. s.mu is held.
func (s *Store) publish(id weir.SessionID, pos journal.Position) {
	for _, w := range s.watchers[id] {
		select {
		case w.entries <- pos:
		default:
			w.missed++
		}
	}
}

func (s *Store) subscribe(id weir.SessionID) (x Session, w *watcher, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.sessions[id]
	if found == nil {
		return Session{}, nil, NoSession()
	}
	w = &watcher{entries: make(chan journal.Position, watchBuffer)}
	s.watchers[id] = append(s.watchers[id], w)
	return *found, w, nil
}

func (s *Store) unsubscribe(id weir.SessionID, w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.watchers[id]
	for i := range all {
		if all[i] == w {
			all = append(all[:i:i], all[i+1:]...)
			break
		}
	}
	if s.watchers[id] = all; len(all) == 0 {
		delete(s.watchers, id)
	}
}

// takeMissed returns how many entries a watcher was not told of, once.
func (s *Store) takeMissed(w *watcher) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := w.missed
	w.missed = 0
	return n
}

// Watch calls each for the entries of a session as they come, until the session or ctx ends or each fails; with fromStart, for those
// that are there already before. A slow each never holds up the session: when it is more than 4096 entries behind, the newest are
// left out, and each is told how many. Every idle, if nothing came, each is called with a zero Watched. Errors: NotFound, each's.
func (s *Store) Watch(ctx context.Context, id weir.SessionID, fromStart bool, idle time.Duration, each func(Watched) error) error {
	x, w, err := s.subscribe(id)
	if err != nil {
		return err
	}
	defer s.unsubscribe(id, w)
	if fromStart {
		err := s.read(ctx, &x, func(seq uint64, r *weir.Record) error { return each(Watched{Seq: seq, Record: r}) })
		if err != nil {
			return err
		}
	}
	if x.State != Live {
		return each(Watched{Ended: true})
	}
	r := s.j.NewReader(x.last)
	defer func() { _ = r.Close() }()
	tick := time.NewTicker(idle)
	defer tick.Stop()
	lost := false
	for {
		select {
		case pos := <-w.entries:
			tick.Reset(idle)
			if fromStart && !x.last.Before(pos) { // read above already
				continue
			}
			ended, err := s.watched(r, pos, each)
			if err != nil || ended {
				return err
			}
			if len(w.entries) > 0 {
				continue
			}
		case <-tick.C:
			if err := each(Watched{}); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if n := s.takeMissed(w); n > 0 {
			lost = true
			if err := each(Watched{Missed: n}); err != nil {
				return err
			}
		}
		// Its end may be among what was missed. The order matters: after the end nothing that ends a session comes into the channel.
		if !lost {
			continue
		}
		if now, err := s.Get(string(id)); err == nil && now.State != Live && len(w.entries) == 0 {
			return each(Watched{Ended: true})
		}
	}
}

// watched tells of the entry at a position.
func (s *Store) watched(r *journal.Reader, pos journal.Position, each func(Watched) error) (ended bool, err error) {
	r.Seek(pos)
	var e journal.Entry
	if err := r.Next(&e); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return false, fmt.Errorf("watch a session: %w", err)
	}
	rec, err := Decode(uint8(e.Kind), e.Time, e.Payload)
	if err != nil {
		return false, fmt.Errorf("watch a session, entry %d: %w", e.Seq, err)
	}
	if err := parts(&rec, func(r *weir.Record) error { return each(Watched{Seq: e.Seq, Record: r}) }); err != nil {
		return false, err
	}
	if rec.Kind != weir.RecordSessionEnd {
		return false, nil
	}
	return true, each(Watched{Ended: true})
}
