package session_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/session"
)

// A session that waits has no goroutine: a loop waits for it, which this system has.
func TestCarriedSessionsHaveNoGoroutines(t *testing.T) {
	for _, kind := range []string{"sockets", "tls"} {
		t.Run(kind, func(t *testing.T) {
			const n = 20
			g := (&gatetest.Controls{}).Gate(t)
			done := make(chan error, n)
			clients := make([]net.Conn, n)
			before := runtime.NumGoroutine()
			for i := range clients {
				near, gateSide := links[kind](t)
				target, far := links[kind](t)
				s, err := g.IncomingConn(weir.Client{}, gateSide, func(context.Context, string) (session.Conn, []byte, error) {
					return target, nil, nil
				}).Authorize(t.Context(), gatetest.Hello())
				if err != nil {
					t.Fatal(err)
				}
				s.Carry(t.Context(), &gatetest.Lines{}, func(err error) { done <- err })
				if clients[i] = near; i > 0 {
					defer far.Close()
					continue
				}
				go echo(nil)(far)
				go func() { _, _ = io.WriteString(near, "SHOW a\n") }()
				if a := answer(t, bufio.NewReader(near)); !strings.HasPrefix(a, "you said SHOW a\n") {
					t.Fatal(a)
				}
			}
			if now := runtime.NumGoroutine(); now-before > 5 { // the loop's, and the target's
				t.Errorf("%d goroutines more with %d sessions", now-before, n)
			}
			for i := range clients {
				clients[i].Close()
			}
			for range clients {
				<-done
			}
		})
	}
}
