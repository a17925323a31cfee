package session

import (
	"context"
	"slices"
)

// ending ends a context that also ends with its session. It is a struct so that one can be told from another.
type ending struct{ cancel context.CancelCauseFunc }

// until derives a context that also ends with the session. It takes no goroutine, since sessions wait for long.
func (s *Session) until(ctx context.Context) (context.Context, func()) {
	wctx, cancel := context.WithCancelCause(ctx)
	e := &ending{cancel}
	s.mu.Lock()
	if s.ended {
		cancel(errEnded)
	} else {
		s.ends = append(s.ends, e)
	}
	s.mu.Unlock()
	return wctx, func() {
		cancel(nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		if i := slices.Index(s.ends, e); i >= 0 {
			s.ends = slices.Delete(s.ends, i, i+1)
		}
	}
}
