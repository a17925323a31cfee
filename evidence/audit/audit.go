// Package audit keeps audit events in a journal of their own: who did what to what, and how it ended.
//
// It must never report an event as kept that is not in the journal. What administrators do is on the disk before Audit
// returns; what sessions do is in the file, and on the disk some milliseconds later. Every byte it is given is masked already.
//
// A Log is safe for concurrent use.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"weir"
	"weir/evidence/journal"
)

// kind of the journal's entries that hold an event as JSON.
const kind journal.Kind = 100

// Event is an audit event as exports have it.
type Event struct {
	Seq      uint64         `json:"seq" doc:"in the journal"`
	Time     time.Time      `json:"time"`
	Action   string         `json:"action"`
	Actor    string         `json:"actor"`
	Resource string         `json:"resource,omitempty"`
	Session  weir.SessionID `json:"session,omitempty"`
	Request  weir.RequestID `json:"request,omitempty"`
	Outcome  string         `json:"outcome"`
	Detail   [][2]string    `json:"detail,omitempty"`
}

// Log keeps events.
type Log struct{ j *journal.Journal }

// New makes a Log of a journal.
func New(j *journal.Journal) *Log { return &Log{j: j} }

// sessionActionNames are the actions that come with traffic; the rest is done by somebody who can wait for the disk.
var sessionActionNames = []string{"session.", "command.", "exception.", "login."}

// Audit keeps one event.
func (l *Log) Audit(ctx context.Context, e *weir.Event) error {
	if e.Action == "" || e.Outcome == "" || e.Time.IsZero() {
		return errors.New("audit event without action, outcome or time")
	}
	x := Event{Time: e.Time.UTC(), Action: e.Action, Actor: e.Actor, Resource: e.Resource, Session: e.Session, Request: e.Request, Outcome: e.Outcome}
	for _, a := range e.Detail {
		if a.Value != "" {
			x.Detail = append(x.Detail, [2]string{a.Name, a.Value})
		}
	}
	b, err := json.Marshal(&x)
	if err != nil {
		return fmt.Errorf("encode audit event: %w", err)
	}
	if _, err := l.j.Append(kind, e.Time, b); err != nil {
		return err
	}
	for _, p := range sessionActionNames {
		if strings.HasPrefix(e.Action, p) {
			return nil
		}
	}
	return l.j.Sync(ctx)
}

// Filter selects events by each field that is set.
type Filter struct {
	Action   string // the action, or its beginning up to a dot
	Actor    string
	Resource string
	Since    time.Time
	Limit    int // the newest so many; 0: all
}

func (f *Filter) takes(e *Event) bool {
	return (f.Action == "" || e.Action == f.Action || strings.HasPrefix(e.Action, strings.TrimSuffix(f.Action, ".")+".")) &&
		(f.Actor == "" || e.Actor == f.Actor) && (f.Resource == "" || e.Resource == f.Resource) && !e.Time.Before(f.Since)
}

// List returns events, the oldest first.
func (l *Log) List(ctx context.Context, f Filter) ([]Event, error) {
	out := []Event{}
	_, _, err := l.read(ctx, journal.Position{}, func(e *Event) error {
		if !f.takes(e) {
			return nil
		}
		if f.Limit > 0 && len(out) == f.Limit {
			out = append(out[:0], out[1:]...)
		}
		out = append(out, *e)
		return nil
	})
	return out, err
}

// Tail calls each for every event that is kept from now on, until ctx ends or each fails.
func (l *Log) Tail(ctx context.Context, f Filter, each func(*Event) error) error {
	at, seq := l.j.End()
	for {
		if err := l.j.Wait(ctx, seq); err != nil {
			return err
		}
		var err error
		var last uint64
		at, last, err = l.read(ctx, at, func(e *Event) error {
			if !f.takes(e) {
				return nil
			}
			return each(e)
		})
		if err != nil {
			return err
		}
		seq = max(seq, last)
	}
}

// read calls each for the events from a position on, and returns where the next entry will be.
func (l *Log) read(ctx context.Context, from journal.Position, each func(*Event) error) (next journal.Position, seq uint64, err error) {
	r := l.j.NewReader(from)
	defer func() { _ = r.Close() }()
	next = from
	for e := (journal.Entry{}); ; {
		switch err := r.Next(&e); {
		case errors.Is(err, io.EOF):
			return next, seq, nil
		case err != nil:
			return next, seq, fmt.Errorf("read audit log: %w", err)
		}
		next, seq = journal.Position{Segment: e.Segment, Offset: e.Offset + int64(e.Size())}, e.Seq
		if err := ctx.Err(); err != nil {
			return next, seq, err
		}
		if e.Kind != kind {
			continue
		}
		var x Event
		if err := json.Unmarshal(e.Payload, &x); err != nil {
			return next, seq, fmt.Errorf("read audit log, entry %d: %w", e.Seq, err)
		}
		x.Seq = e.Seq
		if err := each(&x); err != nil {
			return next, seq, err
		}
	}
}
