package secret

import (
	"crypto/sha256"
	"hash/crc32"
	"io"
	"strings"
	"sync/atomic"
)

// The form of a token: "weir_", 32 random base62 characters (190 bits), 6 base62 characters of CRC-32 (IEEE) over all
// that stands before them. Personal tokens, access keys and browser sessions all have it, so one
// pattern, weir_[0-9A-Za-z]{38}, finds any of them and the checksum tells a real one from a look-alike.
const (
	tokenPrefix = "weir_"
	tokenRandom = 32
	tokenSum    = 6
	tokenLen    = len(tokenPrefix) + tokenRandom + tokenSum
	base62      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// Issued is a secret that was made just now and that its owner has not seen yet. It can be
// shown once. Only NewToken makes one, so showing can reveal nothing that was held before.
type Issued struct {
	secret String
	shown  atomic.Bool
}

// NewToken makes a token from random, which must be a cryptographic source.
func NewToken(random io.Reader) (*Issued, error) {
	b := make([]byte, 0, tokenLen)
	b = append(b, tokenPrefix...)
	var buf [48]byte
	for len(b) < len(tokenPrefix)+tokenRandom {
		if _, err := io.ReadFull(random, buf[:]); err != nil {
			return nil, err
		}
		for _, r := range buf {
			// 248 is the largest multiple of 62 in a byte: above it some characters would be likelier.
			if r < 248 && len(b) < len(tokenPrefix)+tokenRandom {
				b = append(b, base62[r%62])
			}
		}
	}
	b = appendSum(b, crc32.ChecksumIEEE(b))
	return &Issued{secret: New(string(b))}, nil
}

// Secret returns the value in its unprintable form, for verifiers and for masking.
func (i *Issued) Secret() String { return i.secret }

// Show returns the value the first time and ok false ever after. It is for the answer that
// hands the secret to its owner, and for nothing else.
func (i *Issued) Show() (value string, ok bool) {
	if i == nil || !i.shown.CompareAndSwap(false, true) {
		return "", false
	}
	return i.secret.Reveal(), true
}

// String hides the value.
func (*Issued) String() string { return hidden }

// GoString hides the value.
func (*Issued) GoString() string { return hidden }

// MarshalText hides the value.
func (*Issued) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Verifier returns the SHA-256 of the value: what is stored of a token, and how one is looked up. It is safe to
// store for secrets of NewToken only; what a person chose can be guessed from it. Package password is for those.
func (s String) Verifier() [sha256.Size]byte { return sha256.Sum256([]byte(s.Reveal())) }

// IsToken reports whether the value has the form of a token, checksum included. It says
// nothing about whether the token was ever issued.
func (s String) IsToken() bool {
	v := s.Reveal()
	if len(v) != tokenLen || !strings.HasPrefix(v, tokenPrefix) {
		return false
	}
	for i := len(tokenPrefix); i < len(v); i++ {
		c := v[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	body := v[:tokenLen-tokenSum]
	sum := appendSum(make([]byte, 0, tokenSum), crc32.ChecksumIEEE([]byte(body)))
	return string(sum) == v[tokenLen-tokenSum:]
}

// appendSum appends sum as tokenSum base62 digits, the most significant first.
func appendSum(dst []byte, sum uint32) []byte {
	var d [tokenSum]byte
	for i := len(d) - 1; i >= 0; i-- {
		d[i] = base62[sum%62]
		sum /= 62
	}
	return append(dst, d[:]...)
}
