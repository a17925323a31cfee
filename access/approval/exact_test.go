package approval_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir"
	"weir/access/approval"
	"weir/state"
)

// watch is a clock that tests turn.
type watch struct{ at atomic.Int64 }

func (w *watch) now() time.Time          { return time.Unix(0, w.at.Load()) }
func (w *watch) forward(d time.Duration) { w.at.Add(int64(d)) }

func board(t *testing.T, path string, w *watch) *approval.Board {
	t.Helper()
	db, err := state.Open(t.Context(), path, w.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	var n atomic.Int64
	b, err := approval.New(db, w.now, func(p string) string { return fmt.Sprintf("%s%d-%d", p, w.at.Load(), n.Add(1)) }, approval.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newBoard(t *testing.T) (*approval.Board, *watch) {
	t.Helper()
	w := &watch{}
	w.at.Store(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return board(t, filepath.Join(t.TempDir(), "state.db"), w), w
}

var mia = weir.Identity{User: "usr_mia", Name: "mia", Kind: weir.Human, Groups: []string{"managers"}}

func person(name string, groups ...string) weir.Identity {
	return weir.Identity{User: weir.UserID("usr_" + name), Name: name, Kind: weir.Human, Groups: groups}
}

func hold(what byte) *weir.Hold {
	return &weir.Hold{
		Session: "ses_1", Identity: person("alice", "developers"), Resource: "billing", Command: "GET /x", Digest: [32]byte{what}, Opened: func(weir.RequestID) {},
		Verdict: weir.Verdict{Effect: weir.Approve, Rule: "reflect", Policy: "p1", Hold: weir.HoldTerms{
			Groups: []string{"managers"}, Count: 1, Within: 15 * time.Minute, Wait: 20 * time.Millisecond,
		}},
	}
}

// pending leaves a request behind and returns its id.
func pending(t *testing.T, b *approval.Board, h *weir.Hold) string {
	t.Helper()
	_, err := b.Hold(t.Context(), h)
	var d *weir.Denied
	if !errors.As(err, &d) || d.Kind != weir.DeniedUnapproved || d.Request == "" || d.Hint == "" {
		t.Fatalf("not held: %v", err)
	}
	return string(d.Request)
}

func approve(t *testing.T, b *approval.Board, id string, who weir.Identity) {
	t.Helper()
	if _, err := b.Vote(t.Context(), id, who, true, ""); err != nil {
		t.Fatal(err)
	}
}

func kind(err error) weir.ErrorKind { k, _ := weir.PublicOf(err); return k }

func TestAnApprovalWorksOnceForExactlyWhatWasAsked(t *testing.T) {
	b, _ := newBoard(t)
	id := pending(t, b, hold(1))
	if again := pending(t, b, hold(1)); again != id {
		t.Fatalf("a retry asked anew: %s, %s", id, again)
	}
	approve(t, b, id, mia)

	for name, change := range map[string]func(*weir.Hold){
		"command":  func(h *weir.Hold) { h.Digest[5] = 1 },
		"identity": func(h *weir.Hold) { h.Identity = person("bob", "developers") },
		"resource": func(h *weir.Hold) { h.Resource = "orders" },
		"policy":   func(h *weir.Hold) { h.Verdict.Policy = "p2" },
	} {
		h := hold(1)
		change(h)
		if other := pending(t, b, h); other == id {
			t.Errorf("another %s joined the request", name)
		}
	}
	g, err := b.Hold(t.Context(), hold(1))
	if err != nil || string(g.Request) != id || g.Policy != "p1" || fmt.Sprint(g.Approvers) != "[mia]" {
		t.Fatal(g, err)
	}
	if again := pending(t, b, hold(1)); again == id {
		t.Fatal("the approval worked twice")
	}
}

func TestWhoMayNotApprove(t *testing.T) {
	b, _ := newBoard(t)
	h := hold(1)
	h.Identity.Groups = []string{"developers", "managers"}
	id := pending(t, b, h)
	robot := person("robot", "managers")
	robot.Kind = weir.Machine
	unknown := person("ghost", "managers")
	unknown.Kind = weir.KindUnknown
	for name, who := range map[string]weir.Identity{"requester": h.Identity, "machine": robot, "unknown kind": unknown, "outsider": person("eve", "developers")} {
		if _, err := b.Vote(t.Context(), id, who, true, ""); kind(err) != weir.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	pending(t, b, h)
}

func TestTwoMustBeDifferentPeople(t *testing.T) {
	b, _ := newBoard(t)
	h := hold(1)
	h.Verdict.Hold.Count = 2
	id := pending(t, b, h)
	approve(t, b, id, mia)
	if _, err := b.Vote(t.Context(), id, mia, true, ""); kind(err) != weir.Conflict {
		t.Fatal(err)
	}
	pending(t, b, h)
	approve(t, b, id, person("max", "managers"))
	if _, err := b.Hold(t.Context(), h); err != nil {
		t.Fatal(err)
	}
}

func TestOneNoEndsIt(t *testing.T) {
	b, _ := newBoard(t)
	id := pending(t, b, hold(1))
	if _, err := b.Vote(t.Context(), id, mia, false, "not today"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Vote(t.Context(), id, person("max", "managers"), true, ""); kind(err) != weir.Conflict {
		t.Fatal(err)
	}
	var d *weir.Denied
	if _, err := b.Hold(t.Context(), hold(1)); !errors.As(err, &d) || d.Kind != weir.DeniedUnapproved {
		t.Fatal(err)
	}
}

func TestAnApprovalExpiresByTheClock(t *testing.T) {
	b, w := newBoard(t)
	id := pending(t, b, hold(1))
	approve(t, b, id, mia)
	w.forward(15*time.Minute + time.Second)
	if again := pending(t, b, hold(1)); again == id {
		t.Fatal("an expired approval was used")
	}
	late := pending(t, b, hold(2))
	w.forward(time.Hour)
	if _, err := b.Vote(t.Context(), late, mia, true, ""); kind(err) != weir.Expired {
		t.Fatal(err)
	}
}

func TestApprovalSurvivesARestart(t *testing.T) {
	w := &watch{}
	w.at.Store(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	path := filepath.Join(t.TempDir(), "state.db")
	first := board(t, path, w)
	id := pending(t, first, hold(1))
	approve(t, first, id, mia)
	if g, err := board(t, path, w).Hold(t.Context(), hold(1)); err != nil || string(g.Request) != id {
		t.Fatal(g, err)
	}
}

func TestAWaitingCommandGoesOnAtOnceAndOnlyOne(t *testing.T) {
	b, _ := newBoard(t)
	opened := make(chan weir.RequestID, 16)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var passed atomic.Int64
	first := make(chan struct{}, 16)
	for range 4 {
		h := hold(1)
		h.Verdict.Hold.Wait = time.Hour
		h.Opened = func(id weir.RequestID) { opened <- id }
		wg.Go(func() {
			if _, err := b.Hold(ctx, h); err == nil {
				passed.Add(1)
				first <- struct{}{}
			}
		})
	}
	id := <-opened
	for range 3 {
		if other := <-opened; other != id {
			t.Fatalf("equal commands wait for %s and %s", id, other)
		}
	}
	approve(t, b, string(id), mia)
	<-first
	if next := <-opened; next == id {
		t.Fatal("the others still wait for an approval that is used up")
	}
	cancel()
	wg.Wait()
	if n := passed.Load(); n != 1 {
		t.Fatalf("%d commands passed on one approval", n)
	}
}
