package audit_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"testing"
	"time"

	"weir"
	"weir/evidence/audit"
	"weir/evidence/journal"
)

func open(t *testing.T, dir string, key ed25519.PrivateKey) (*journal.Journal, *audit.Log) {
	t.Helper()
	j, err := journal.Open(journal.Options{Dir: dir, Signer: key, Now: time.Now, SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return j, audit.New(j)
}

func TestEventsAreKept(t *testing.T) {
	dir := t.TempDir()
	_, key, _ := ed25519.GenerateKey(nil)
	j, l := open(t, dir, key)
	for i := range 1000 {
		e := &weir.Event{Time: time.Now(), Action: "session.start", Actor: fmt.Sprint("u", i%2), Outcome: "ok", Detail: []weir.Attr{{Name: "n", Value: fmt.Sprint(i)}, {Name: "empty"}}}
		if err := l.Audit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Audit(t.Context(), &weir.Event{Time: time.Now(), Action: "user.add", Actor: "root", Outcome: "ok"}); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	j, l = open(t, dir, key)
	defer func() { _ = j.Close() }()
	all, err := l.List(t.Context(), audit.Filter{Action: "session", Actor: "u1", Limit: 3})
	if err != nil || len(all) != 3 || all[2].Detail[0][1] != "999" || len(all[2].Detail) != 1 {
		t.Fatal(all, err)
	}
	if all, _ = l.List(t.Context(), audit.Filter{Action: "user.add"}); len(all) != 1 {
		t.Error(all)
	}
	if all, _ = l.List(t.Context(), audit.Filter{Action: "sess"}); len(all) != 0 {
		t.Error("half a word matches")
	}
}

func TestTail(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	j, l := open(t, t.TempDir(), key)
	defer func() { _ = j.Close() }()
	add := func(action string) {
		if err := l.Audit(t.Context(), &weir.Event{Time: time.Now(), Action: action, Actor: "a", Outcome: "ok"}); err != nil {
			t.Error(err)
		}
	}
	add("user.before")
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	started := make(chan struct{})
	var got []string
	done := make(chan error)
	enough := errors.New("enough")
	go func() {
		close(started)
		done <- l.Tail(ctx, audit.Filter{}, func(e *audit.Event) error {
			if got = append(got, e.Action); e.Action == "user.last" {
				return enough
			}
			return nil
		})
	}()
	<-started
	for range 50 {
		add("user.some")
		time.Sleep(time.Millisecond)
	}
	add("user.last")
	if err := <-done; !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if got[0] != "user.some" || len(got) > 51 {
		t.Error(len(got), got[0])
	}
}

func TestClosedAndIncomplete(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	j, l := open(t, t.TempDir(), key)
	if err := l.Audit(t.Context(), &weir.Event{Action: "x", Outcome: "ok"}); err == nil {
		t.Error("an event without a time")
	}
	_ = j.Close()
	if err := l.Audit(t.Context(), &weir.Event{Time: time.Now(), Action: "x", Outcome: "ok"}); err == nil {
		t.Error("kept in a closed journal")
	}
}
