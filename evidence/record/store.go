// Package record keeps recordings of sessions in a journal, and finds, replays and exports them.
//
// It must never report an entry as recorded that is not in the journal, and never look into what it stores: every byte that it is
// given is masked already. What it prints for a terminal holds no control character that came from a session.
//
// A Store is safe for concurrent use.
package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"weir"
	"weir/evidence/journal"
)

// State says how a session stands.
type State string

// States of a session.
const (
	Live        State = "live"
	Ended       State = "ended"
	Interrupted State = "interrupted" // the gateway died before the session ended
)

// Session is what the index knows of a recorded session.
type Session struct {
	ID         weir.SessionID `json:"id"`
	State      State          `json:"state" enum:"live,ended,interrupted"`
	Identity   string         `json:"identity"`
	User       weir.UserID    `json:"user"`
	Kind       string         `json:"kind"`
	Method     string         `json:"method"`
	Resource   string         `json:"resource"`
	Protocol   weir.Protocol  `json:"protocol"`
	Client     string         `json:"client"`
	Agent      string         `json:"agent,omitempty"`
	Exceptions []string       `json:"exceptions,omitempty" doc:"settings that weaken a default"`
	Start      time.Time      `json:"start"`
	End        *time.Time     `json:"end,omitempty"`
	EndReason  string         `json:"end_reason,omitempty"`
	Commands   int            `json:"commands" doc:"that were let through"`
	Refusals   int            `json:"refusals"`
	Last       time.Time      `json:"last"`

	first, last journal.Position
}

// Store keeps recordings. New makes one.
type Store struct {
	j        *journal.Journal
	buffers  sync.Pool
	searches chan struct{} // one for each that runs

	mu       sync.Mutex
	sessions map[weir.SessionID]*Session
	recent   [64]*Session // of sessions, those that were written to last
	order    []*Session   // by start
	watchers map[weir.SessionID][]*watcher
}

// lastKind is the last of the kinds of entry that recordings are made of.
const lastKind = journal.Kind(weir.RecordFile)

// New reads the index of all recordings in j. Sessions without an end are marked as interrupted.
func New(ctx context.Context, j *journal.Journal) (*Store, error) {
	s := &Store{j: j, searches: make(chan struct{}, 2), sessions: make(map[weir.SessionID]*Session), watchers: make(map[weir.SessionID][]*watcher)}
	r := j.NewReader(journal.Position{})
	defer func() { _ = r.Close() }()
	for e := (journal.Entry{}); ; {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("read the index of recordings: %w", err)
		}
		if !weir.RecordKind(e.Kind).Known() {
			continue
		}
		rec, err := Decode(uint8(e.Kind), e.Time, e.Payload)
		if err != nil {
			return nil, fmt.Errorf("read the index of recordings, entry %d: %w", e.Seq, err)
		}
		s.index(&rec, e.Position)
	}
	for _, x := range s.order {
		if x.State == Live {
			x.State = Interrupted
		}
	}
	return s, nil
}

// Record puts one entry into the journal. When it returns without an error the death of the process does not lose it.
func (s *Store) Record(_ context.Context, r *weir.Record) error {
	if r.Session == "" || !r.Kind.Known() {
		return errors.New("record without session or kind")
	}
	buf, _ := s.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	b := appendRecord((*buf)[:0], r)
	pos, err := s.j.Append(journal.Kind(r.Kind), r.Time, b)
	if cap(b) <= 1<<20 {
		*buf = b
		s.buffers.Put(buf)
	}
	if err != nil {
		return err
	}
	s.index(r, pos)
	return nil
}

// index keeps what lists show.
func (s *Store) index(r *weir.Record, pos journal.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.session(r, pos)
	if x.last.Before(pos) {
		x.last, x.Last = pos, r.Time
	}
	if pos.Before(x.first) {
		x.first = pos
	}
	if len(s.watchers) > 0 {
		defer s.publish(r.Session, pos)
	}
	switch r.Kind {
	case weir.RecordSessionStart:
		x.begin(r)
	case weir.RecordCommand:
		x.Commands++
	case weir.RecordRefusal:
		x.Refusals++
	case weir.RecordSessionEnd:
		at := r.Time
		x.State, x.End = Ended, &at
		for _, a := range r.Attrs {
			if a.Name == "reason" {
				x.EndReason = strings.Clone(a.Value)
			}
		}
	default:
	}
}

// session is whose entry r is. It is locked.
func (s *Store) session(r *weir.Record, pos journal.Position) *Session {
	id := r.Session
	near := &s.recent[0]
	if n := len(id); n > 0 {
		near = &s.recent[(int(id[n-1])+int(id[n/2])*8)%len(s.recent)]
	}
	if x := *near; x != nil && x.ID == id {
		return x
	}
	x := s.sessions[id]
	if x == nil {
		x = &Session{ID: id, State: Live, Start: r.Time, first: pos}
		s.sessions[id] = x
		s.order = append(s.order, x)
	}
	*near = x
	return x
}

func (x *Session) begin(r *weir.Record) {
	x.Start = r.Time
	for _, a := range r.Attrs {
		v := strings.Clone(a.Value)
		switch a.Name {
		case "identity":
			x.Identity = v
		case "user":
			x.User = weir.UserID(v)
		case "kind":
			x.Kind = v
		case "method":
			x.Method = v
		case "resource":
			x.Resource = v
		case "protocol":
			x.Protocol = weir.Protocol(v)
		case "client":
			x.Client = v
		case "agent":
			x.Agent = v
		case "exception":
			x.Exceptions = append(x.Exceptions, v)
		}
	}
}

// Filter selects sessions by each field that is set.
type Filter struct {
	Identity string
	User     weir.UserID
	Resource string
	Protocol weir.Protocol
	State    State
	Since    time.Time
	Limit    int
}

// List returns sessions, the newest first.
func (s *Store) List(f Filter) []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Session{}
	for _, x := range slices.Backward(s.order) {
		if f.Limit > 0 && len(out) == f.Limit {
			break
		}
		if f.Identity != "" && x.Identity != f.Identity || f.User != "" && x.User != f.User || f.Resource != "" && x.Resource != f.Resource ||
			f.Protocol != "" && x.Protocol != f.Protocol || f.State != "" && x.State != f.State || x.Last.Before(f.Since) {
			continue
		}
		out = append(out, *x)
	}
	slices.SortStableFunc(out, func(a, b Session) int { return cmp.Compare(b.Start.UnixNano(), a.Start.UnixNano()) })
	return out
}

// Get returns a session by its id or an unambiguous beginning of it. Errors: NotFound, Invalid.
func (s *Store) Get(id string) (Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sessions[weir.SessionID(id)]; x != nil {
		return *x, nil
	}
	var found *Session
	for _, x := range s.order {
		if len(id) >= 4 && strings.HasPrefix(string(x.ID), id) {
			if found != nil {
				return Session{}, weir.NewError(weir.Invalid, "more than one session begins with that id; write more of it", nil)
			}
			found = x
		}
	}
	if found == nil {
		return Session{}, NoSession()
	}
	return *found, nil
}

// NoSession is the error for a session that does not exist, or that the caller may not see.
func NoSession() error {
	return weir.NewError(weir.NotFound, "there is no session of that id; see weir sessions ls", nil)
}

// Entries calls each for every entry of a session, in order. A record is valid during the call.
func (s *Store) Entries(ctx context.Context, id weir.SessionID, each func(seq uint64, r *weir.Record) error) error {
	x, err := s.Get(string(id))
	if err != nil {
		return err
	}
	return s.read(ctx, &x, each)
}

// read calls each for every entry that a session had when x was taken.
func (s *Store) read(ctx context.Context, x *Session, each func(seq uint64, r *weir.Record) error) error {
	r := s.j.NewReader(x.first)
	defer func() { _ = r.Close() }()
	for e := (journal.Entry{}); ; {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("read session %s: %w", x.ID, err)
		}
		if x.last.Before(e.Position) {
			return nil
		}
		if !weir.RecordKind(e.Kind).Known() || string(sessionOf(e.Payload)) != string(x.ID) {
			continue
		}
		rec, err := Decode(uint8(e.Kind), e.Time, e.Payload)
		if err != nil {
			return fmt.Errorf("read session %s, entry %d: %w", x.ID, e.Seq, err)
		}
		if err := parts(&rec, func(r *weir.Record) error { return each(e.Seq, r) }); err != nil {
			return err
		}
	}
}
