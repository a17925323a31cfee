package server

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir"
	"weir/mask"
	"weir/vault/secret"
	"weir/vault/source"
)

// TestSessionsOfOneSecretShareItsSpellings: they are one set, another secret's are another, and none is kept when no session lives by it.
func TestSessionsOfOneSecretShareItsSpellings(t *testing.T) {
	e, err := mask.New(mask.Config{Key: []byte("0123456789abcdef0123")})
	if err != nil {
		t.Fatal(err)
	}
	g := &generation{engine: e}
	if g.known, _, err = source.Needles(source.Held{Name: "held", Value: secret.New("CANARYheld-0123456789")}); err != nil {
		t.Fatal(err)
	}
	var now atomic.Pointer[generation]
	now.Store(g)
	m := &maskers{now: &now}
	open := func(text string) *sessionMask {
		t.Helper()
		s, err := m.Open(t.Context(), &weir.SessionInfo{}, secret.New(text))
		if err != nil {
			t.Fatal(err)
		}
		got := string(s.Value(nil, "", []byte("x "+text+" y CANARYheld-0123456789 z"), nil))
		if len(got) == 0 || got[:2] != "x " || strings.Contains(got, text) || strings.Contains(got, "CANARYheld") {
			t.Errorf("%q", got)
		}
		return s.(*sessionMask)
	}
	a, b, c := open("weir_CANARYone-0123456789"), open("weir_CANARYone-0123456789"), open("weir_CANARYtwo-0123456789")
	if a.own != b.own || a.own == c.own {
		t.Error("what is shared is wrong")
	}
	runtime.KeepAlive([]any{a, b, c}) // and no longer
	for end := time.Now().Add(10 * time.Second); ; {
		runtime.GC()
		m.mu.Lock()
		n := len(m.known)
		m.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d are kept", n)
		}
		runtime.Gosched()
	}
}
