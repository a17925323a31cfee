package sshgate

import (
	"sync"
	"time"

	"weir"
)

// quietWriter flushes a masker when nothing came for a while, so that a prompt is shown and a flood is not slowed. Write and Close
// belong to one goroutine.
type quietWriter struct {
	after time.Duration

	mu     sync.Mutex
	w      weir.MaskWriter
	timer  *time.Timer
	err    error // of a flush
	closed bool
}

func newQuiet(w weir.MaskWriter, after time.Duration) *quietWriter {
	return &quietWriter{w: w, after: after}
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
	if q.timer == nil {
		q.timer = time.AfterFunc(q.after, q.flush)
	} else {
		q.timer.Reset(q.after)
	}
	return n, nil
}

func (q *quietWriter) flush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed && q.err == nil {
		q.err = q.w.Flush()
	}
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
