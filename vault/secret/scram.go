package secret

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// What a SCRAM verifier is made with.
const (
	SCRAMIterations = 4096
	scramSalt       = 16 // bytes
)

// SCRAM is what is stored to check by SCRAM-SHA-256 (RFC 5802, section 3, and RFC 7677) that a client knows a secret. It is safe to
// store for secrets of NewToken only.
type SCRAM struct {
	Salt       []byte
	Iterations int
	StoredKey  []byte
	ServerKey  []byte
}

// SCRAM computes the verifier of the value with a salt from random, which must be a cryptographic source. It takes
// about a millisecond.
func (s String) SCRAM(random io.Reader) (*SCRAM, error) {
	if !s.IsToken() {
		return nil, errors.New("only of a token is a SCRAM verifier stored")
	}
	v := &SCRAM{Salt: make([]byte, scramSalt), Iterations: SCRAMIterations}
	if _, err := io.ReadFull(random, v.Salt); err != nil {
		return nil, fmt.Errorf("read salt: %w", err)
	}
	// A token is ASCII, which SASLprep leaves as it is.
	salted, err := pbkdf2.Key(sha256.New, s.Reveal(), v.Salt, v.Iterations, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive SCRAM keys: %w", err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	v.StoredKey, v.ServerKey = stored[:], mac(salted, "Server Key")
	return v, nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text))
	return h.Sum(nil)
}

// DecoySCRAM is a verifier of nothing: the same for the same key and name, and not to be told from a real one.
func DecoySCRAM(key []byte, name string) *SCRAM {
	return &SCRAM{
		Salt: mac(key, "salt\x00"+name)[:scramSalt], Iterations: SCRAMIterations,
		StoredKey: mac(key, "stored\x00"+name), ServerKey: mac(key, "server\x00"+name),
	}
}

// Encode is the verifier as it is stored.
func (v *SCRAM) Encode() string {
	return fmt.Sprintf("%d:%x:%x:%x", v.Iterations, v.Salt, v.StoredKey, v.ServerKey)
}

// ParseSCRAM reads what Encode wrote.
func ParseSCRAM(text string) (*SCRAM, error) {
	p := strings.Split(text, ":")
	if len(p) != 4 {
		return nil, errors.New("a SCRAM verifier has four parts")
	}
	n, err := strconv.Atoi(p[0])
	v := &SCRAM{Iterations: n}
	for i, to := range []*[]byte{&v.Salt, &v.StoredKey, &v.ServerKey} {
		var bad error
		*to, bad = hex.DecodeString(p[i+1])
		err = errors.Join(err, bad)
	}
	if err != nil || n < SCRAMIterations || len(v.Salt) == 0 || len(v.StoredKey) != sha256.Size || len(v.ServerKey) != sha256.Size {
		return nil, errors.Join(errors.New("a stored SCRAM verifier is damaged"), err)
	}
	return v, nil
}
