package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"weir/gate/sshgate/transfer"
)

const (
	maxDeciding = 256  // operations that wait for a decision, at most
	maxSlots    = 8192 // requests that the target has not answered, at most
	maxHandles  = 1024 // open files and directories, at most
)

var (
	errTargetEnded = errors.New("sftp: the target ended the session")
	errTarget      = errors.New("sftp: the target breaks the protocol")
	errEnded       = errors.New("sftp: the session ended")
	errPanic       = errors.New("sftp: panic")
)

// slot is a request that the target has to answer. Its index is the request's id there.
type slot struct {
	busy   bool
	kind   slotKind
	want   byte   // type of the reply when it is not STATUS
	client uint32 // the client's id
	op     transfer.Op
	x      transfer.Exchange // of an operation of its own
	h      *handle
	gen    uint32 // of the view that a READ is for
	ext    string // name of an extended request
}

type slotKind uint8

const (
	slotPass  slotKind = iota // the reply is masked and passed on
	slotOpen                  // the reply opens h
	slotClose                 // the reply ends h
	slotWrite                 // the reply is passed on and counted in h
	slotView                  // the reply is for h's view
	slotHome                  // the reply says where relative paths begin
)

// session is one run.
type session struct {
	host   transfer.Host
	opt    transfer.Options
	client *outbox
	target *outbox

	deciding sync.WaitGroup

	mu      sync.Mutex // guards all that follows
	slots   []slot
	free    []uint32
	handles map[uint32]*handle
	last    uint32  // handle given to the client last
	turns   []*turn // of operations that are being decided
	ready   bool    // INIT was forwarded
	hello   []byte  // VERSION, kept until home is known
	home    string  // where relative paths begin, absolute
	begun   bool    // VERSION was passed on
	over    bool
	fault   error // of a view; ends the session
}

// Run relays until the client or the target ends the session or ctx does. It closes both streams; their Close must unblock their Read and Write. It
// returns nil when the client ended the session in order.
func Run(ctx context.Context, client, target io.ReadWriteCloser, host transfer.Host, opt transfer.Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{host: host, opt: opt, client: newOutbox(client), target: newOutbox(target), handles: map[uint32]*handle{}}
	stop := context.AfterFunc(ctx, func() { _, _ = client.Close(), target.Close() })
	defer stop()

	var wg sync.WaitGroup
	step := func(f func() error, then func()) {
		wg.Go(func() {
			if err := guarded(f); err != nil {
				cancel(err)
			}
			then()
		})
	}
	step(s.client.run, func() { _ = client.Close() })
	step(s.target.run, func() { _ = target.Close() })
	done := false
	var mu sync.Mutex // guards done
	step(func() error {
		err := s.fromClient(ctx, &reader{r: client})
		if errors.Is(err, io.EOF) {
			mu.Lock()
			done = true
			mu.Unlock()
			return nil
		}
		return err
	}, s.target.close)
	step(func() error {
		err := s.fromTarget(&reader{r: target})
		mu.Lock()
		defer mu.Unlock()
		if done {
			return nil // it ended because the client did
		}
		if errors.Is(err, io.EOF) {
			return nil // what waits for the client is written first
		}
		return err
	}, s.client.close)
	wg.Wait()
	cause := context.Cause(ctx)
	cancel(errEnded)
	s.deciding.Wait()
	s.end(cause)
	if cause == nil && !done {
		cause = errTargetEnded
	}
	return cause
}

// guarded turns a panic into an error.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errPanic
		}
	}()
	return f()
}

// fromClient handles the client's packets until it ends the session, which is io.EOF.
func (s *session) fromClient(ctx context.Context, r *reader) error {
	for {
		if err := errors.Join(s.target.room(), s.client.room()); err != nil {
			return nil //nolint:nilerr // the other side has ended; who ended it says why
		}
		p, err := r.next()
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		if err != nil {
			return fmt.Errorf("read from the client: %w", err)
		}
		s.mu.Lock()
		err = guarded(func() error { return s.request(ctx, p) })
		if err == nil {
			err = s.fault
		}
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// fromTarget handles the target's packets until it ends the session, which is io.EOF.
func (s *session) fromTarget(r *reader) error {
	for {
		if err := s.client.room(); err != nil {
			return io.EOF
		}
		p, err := r.next()
		if err != nil {
			return err
		}
		s.mu.Lock()
		err = guarded(func() error { return s.reply(p) })
		if err == nil {
			err = s.fault
		}
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// take returns the id of a new slot.
func (s *session) take(sl slot) uint32 {
	sl.busy = true
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		s.slots[id] = sl
		return id
	}
	s.slots = append(s.slots, sl)
	return uint32(len(s.slots) - 1) //nolint:gosec // G115: at most maxSlots and what views ask for
}

// crowded reports that the target leaves too many requests unanswered.
func (s *session) crowded() bool { return len(s.slots)-len(s.free) >= maxSlots }

// status answers a client's request.
func (s *session) status(id, code uint32, text string) {
	s.client.put(func(dst []byte) []byte { return appendStatus(dst, id, code, text) })
}

// end closes the books of all that is still open.
func (s *session) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if cause == nil {
		cause = errEnded
	}
	for i := range s.slots {
		if sl := &s.slots[i]; sl.busy && sl.x != nil {
			sl.x.End(cause)
			sl.x = nil
		}
	}
	for id, h := range s.handles {
		h.end("unfinished", cause)
		delete(s.handles, id)
	}
}
