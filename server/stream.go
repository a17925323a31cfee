package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"weir"
)

// maxStreams bounds the connections of one listener that is not the web's.
const maxStreams = 20_000

// streams serves the connections of one listener, each by a goroutine that may end before the connection does, and knows those that live.
type streams struct {
	protocol weir.Protocol
	ln       net.Listener
	serve    func(ctx context.Context, conn net.Conn, over func()) // over is called once, when the connection has ended
	log      *slog.Logger

	mu     sync.Mutex
	closed bool
	live   map[net.Conn]struct{}
	done   sync.WaitGroup
}

// run accepts until the listener is closed.
func (s *streams) run(ctx context.Context) {
	for wait := 5 * time.Millisecond; ; {
		conn, err := s.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, or the client is gone already
			s.log.LogAttrs(ctx, slog.LevelWarn, "a connection could not be accepted", slog.String("protocol", string(s.protocol)), slog.String("error", err.Error()))
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 5 * time.Millisecond
		if !s.add(conn) {
			_ = conn.Close()
			continue
		}
		go func() {
			over := func() { s.remove(conn) }
			defer func() {
				if r := recover(); r != nil {
					s.log.LogAttrs(ctx, slog.LevelError, "an engine panicked; its connection was closed", slog.String("protocol", string(s.protocol)), slog.String("panic", fmt.Sprintf("%T", r)))
					over()
				}
			}()
			s.serve(ctx, conn, over)
		}()
	}
}

func (s *streams) add(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.live) >= maxStreams {
		return false
	}
	if s.live == nil {
		s.live = make(map[net.Conn]struct{})
	}
	s.live[conn] = struct{}{}
	s.done.Add(1)
	return true
}

// remove may be called twice, since an engine may panic after its connection has ended.
func (s *streams) remove(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	_, lives := s.live[conn]
	delete(s.live, conn)
	s.mu.Unlock()
	if lives {
		s.done.Done()
	}
}

// stop closes the listener, waits for what runs until ctx ends, closes the rest and waits for their goroutines.
func (s *streams) stop(ctx context.Context) {
	_ = s.ln.Close()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	s.mu.Lock()
	for conn := range s.live {
		_ = conn.Close()
	}
	s.mu.Unlock()
	<-ended
}
