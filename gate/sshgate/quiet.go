package sshgate

import (
	"sync"
	"time"

	"weir"
)

// muchLonger is how many times as long as before the first flush a masker is left in peace before the second one, which passes on more: too long for
// two packets of one answer, too short to be seen.
const muchLonger = 16

// quietWriter flushes a masker when nothing came for a while, so that a prompt is shown and a flood is not slowed, and once more when nothing came for
// much longer. Write and Close belong to one goroutine.
type quietWriter struct {
	after time.Duration
	fail  func(error) // a flush has failed and nothing more may come that would tell: end it. It may block.

	mu     sync.Mutex
	w      weir.MaskWriter
	timer  *time.Timer
	again  bool  // the next flush is the second one
	err    error // of a flush
	closed bool
}

func newQuiet(w weir.MaskWriter, after time.Duration, fail func(error)) *quietWriter {
	return &quietWriter{w: w, after: after, fail: fail}
}

// Write masks p and passes on what is decided. It blocks while the client does not read.
func (q *quietWriter) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return 0, q.err
	}
	n, err := q.w.Write(p)
	if err != nil {
		return n, err
	}
	q.again = false
	if q.timer == nil {
		q.timer = time.AfterFunc(q.after, q.flush)
	} else {
		q.timer.Reset(q.after)
	}
	return n, nil
}

func (q *quietWriter) flush() {
	if err := q.flushed(); err != nil {
		q.fail(err)
	}
}

func (q *quietWriter) flushed() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.err != nil {
		return nil
	}
	if q.err = q.w.Flush(); q.err == nil && !q.again {
		q.again = true
		q.timer.Reset(muchLonger * q.after)
	}
	return q.err
}

// Close passes on the rest. No flush runs afterwards.
func (q *quietWriter) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if q.timer != nil {
		q.timer.Stop()
	}
	if q.err != nil {
		return q.err
	}
	return q.w.Close()
}
