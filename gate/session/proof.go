package session

import (
	"context"
	"crypto/hmac"
	"errors"
)

// provedOnce returns a Hello whose SCRAM conversation is run at most once, however often an Admitter is asked about it: the client has
// no second one to offer. Asked again for the same verifier it repeats the outcome; for another one it fails.
func (h *Hello) provedOnce() *Hello {
	if h == nil || h.Proof == nil || h.Proof.SCRAM == nil {
		return h
	}
	run := h.Proof.SCRAM
	var seen *SCRAMVerifier
	var outcome error
	c, p := *h, *h.Proof
	c.Proof = &p
	p.SCRAM = func(ctx context.Context, v *SCRAMVerifier) error {
		switch {
		case v == nil:
			return errors.New("no verifier to prove oneself against")
		case seen == nil:
			seen, outcome = v, run(ctx, v)
		case seen.Iterations != v.Iterations || !hmac.Equal(seen.Salt, v.Salt) || !hmac.Equal(seen.StoredKey, v.StoredKey) || !hmac.Equal(seen.ServerKey, v.ServerKey):
			return errors.New("the verifier has changed since the client proved itself")
		}
		return outcome
	}
	return &c
}
