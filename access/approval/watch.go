package approval

import "context"

// ChangeKind says what happened to a request.
type ChangeKind string

// Kinds of change.
const (
	Opened ChangeKind = "opened" // somebody asks
	Voted  ChangeKind = "voted"  // somebody voted; Request.State says whether that decided
	Spent  ChangeKind = "used"   // the command went on
	Lapsed ChangeKind = "expired"
	// Missed is the last change of a watcher that was too slow: it has missed some and must watch and list anew.
	Missed ChangeKind = "missed"
)

// Change is one change of one request. Its slices are shared between watchers and read-only.
type Change struct {
	Kind    ChangeKind
	Request Request // as it is after the change; zero when Kind is Missed
}

type watcher struct{ ch chan Change }

// Watch returns the changes from now on. The channel is closed when ctx ends, and after a change of kind Missed
// when the watcher is further behind than Options.Backlog or there are too many watchers.
func (b *Board) Watch(ctx context.Context) <-chan Change {
	w := &watcher{ch: make(chan Change, b.opt.Backlog+1)} // room for Missed
	b.mu.Lock()
	if len(b.watchers) >= b.opt.MaxWatchers {
		b.mu.Unlock()
		w.ch <- Change{Kind: Missed}
		close(w.ch)
		return w.ch
	}
	b.watchers[w] = struct{}{}
	b.mu.Unlock()
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.drop(w)
	})
	return w.ch
}

// drop closes a watcher once. b.mu is held, as by all who send.
func (b *Board) drop(w *watcher) {
	if _, ok := b.watchers[w]; ok {
		delete(b.watchers, w)
		close(w.ch)
	}
}

// tell sends a change of each request to every watcher and waits for none.
func (b *Board) tell(kind ChangeKind, requests ...Request) {
	if len(requests) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for w := range b.watchers {
		for i := range requests {
			if len(w.ch) == cap(w.ch)-1 {
				w.ch <- Change{Kind: Missed}
				b.drop(w)
				break
			}
			w.ch <- Change{Kind: kind, Request: requests[i]}
		}
	}
}
