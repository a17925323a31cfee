package sftp

import (
	"io"
	"sync"
)

// outboxHigh is how many bytes may wait for one side before the other side is no longer read.
const outboxHigh = 1 << 20

// outbox takes packets for one side without blocking and writes them in one goroutine, so that nobody waits for a peer with a lock held.
type outbox struct {
	w io.Writer

	mu     sync.Mutex
	change *sync.Cond
	buf    []byte // waits to be written
	spare  []byte
	closed bool
	err    error
}

func newOutbox(w io.Writer) *outbox {
	o := &outbox{w: w}
	o.change = sync.NewCond(&o.mu)
	return o
}

// put appends packets by f, which must not keep its argument.
func (o *outbox) put(f func(dst []byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.err != nil {
		return
	}
	o.buf = f(o.buf)
	o.change.Broadcast()
}

// room waits until there is room for more, or until nothing is taken any more.
func (o *outbox) room() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) >= outboxHigh && o.err == nil && !o.closed {
		o.change.Wait()
	}
	if o.closed {
		return io.ErrClosedPipe
	}
	return o.err
}

// close lets run end once all is written.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.change.Broadcast()
}

// run writes until close or an error.
func (o *outbox) run() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(o.buf) == 0 && !o.closed && o.err == nil {
			o.change.Wait()
		}
		if len(o.buf) == 0 || o.err != nil {
			return o.err
		}
		out := o.buf
		o.buf = o.spare[:0]
		o.change.Broadcast()
		o.mu.Unlock()
		_, err := o.w.Write(out)
		o.mu.Lock()
		if o.spare = out[:0]; cap(out) > 4*outboxHigh {
			o.spare = nil
		}
		if err != nil {
			o.err, o.closed = err, true
			o.change.Broadcast()
		}
	}
}
