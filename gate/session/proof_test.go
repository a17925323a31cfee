package session

import (
	"context"
	"errors"
	"testing"
)

func TestSCRAMRunsOnce(t *testing.T) {
	for _, tc := range []struct {
		name    string
		outcome error
	}{{"right", nil}, {"wrong", errors.New("wrong proof")}} {
		t.Run(tc.name, func(t *testing.T) {
			runs := 0
			h := (&Hello{Proof: &Proof{SCRAM: func(context.Context, *SCRAMVerifier) error { runs++; return tc.outcome }}}).provedOnce()
			v := func(stored string) *SCRAMVerifier {
				return &SCRAMVerifier{Salt: []byte("s"), Iterations: 4096, StoredKey: []byte(stored), ServerKey: []byte("k")}
			}
			for range 3 {
				if err := h.Proof.SCRAM(t.Context(), v("a")); !errors.Is(err, tc.outcome) {
					t.Fatalf("got %v", err)
				}
			}
			if runs != 1 {
				t.Errorf("the conversation ran %d times", runs)
			}
			if h.Proof.SCRAM(t.Context(), v("b")) == nil || h.Proof.SCRAM(t.Context(), nil) == nil {
				t.Error("a proof counts for another verifier")
			}
		})
	}
	if h := (&Hello{Login: "x"}); h.provedOnce() != h {
		t.Error("a Hello without proof was changed")
	}
}
