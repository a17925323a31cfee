package source

import (
	"crypto/hmac"
	"crypto/sha256"

	"weir/mask/known"
	"weir/vault/secret"
)

// Held is a credential and what it is called.
type Held struct {
	Name  string
	Value secret.String
}

// Needles makes the set of exact values that masking looks for. warnings name credentials that are short enough to be found by
// chance. An error means that a credential could not be guarded: nothing may be let through then.
func Needles(held ...Held) (set *known.Set, warnings []string, err error) {
	entries := make([]known.Entry, 0, len(held))
	for _, h := range held {
		if !h.Value.IsZero() {
			entries = append(entries, known.Entry{Name: h.Name, Value: []byte(h.Value.Reveal())})
		}
	}
	set, warned, err := known.Build(entries)
	if err != nil {
		return nil, nil, invalid("a credential cannot be masked in answers, so nothing is let through: "+err.Error(), err)
	}
	for _, w := range warned {
		warnings = append(warnings, w.Name+" "+w.Text)
	}
	return set, warnings, nil
}

// Fingerprint tells equal values from others without keeping them. key is random, at least 32 bytes, and belongs to one process.
func Fingerprint(key []byte, s secret.String) (sum [32]byte) {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(s.Reveal()))
	copy(sum[:], h.Sum(nil))
	return sum
}
