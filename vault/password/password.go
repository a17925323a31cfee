// Package password hashes and checks what people chose as passwords, with argon2id.
//
// It must never keep, print or return a password, and a flood of logins must not eat the machine's memory: at most a
// fixed number of hashes are computed at a time, the others wait for their turn or their context.
// A Hasher is safe for concurrent use.
package password

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"weir/vault/secret"
)

// Cost of new hashes: 19 MiB, two passes, one lane, as OWASP's password storage page advises for argon2id.
const (
	memoryKiB = 19 * 1024
	passes    = 2
	lanes     = 1
	saltLen   = 16
	keyLen    = 32
)

// Bounds for hashes that come from the store, so that a damaged one cannot ask for all memory.
const (
	maxMemoryKiB = 256 * 1024
	maxPasses    = 16
	maxLanes     = 8
)

// Lengths of a password that Hash takes.
const (
	MinRunes = 8
	MaxBytes = 1024
)

var (
	// ErrLength says that a password is too short or too long to be set. Its text may be shown.
	ErrLength = errors.New("a password has at least 8 characters and at most 1024 bytes")
	errHash   = errors.New("stored password hash is malformed")
)

// Hasher computes and checks hashes.
type Hasher struct {
	random io.Reader
	slots  chan struct{}
	dummy  string // a hash of no password, to spend the same time when there is none
}

// New makes a Hasher that computes at most atOnce hashes at a time, 19 MiB each.
func New(random io.Reader, atOnce int) (*Hasher, error) {
	if random == nil {
		return nil, errors.New("password hasher without random source")
	}
	if atOnce < 1 {
		return nil, errors.New("password hasher must compute at least one hash at a time")
	}
	h := &Hasher{random: random, slots: make(chan struct{}, atOnce)}
	h.dummy = format(make([]byte, saltLen), make([]byte, keyLen))
	return h, nil
}

// Hash returns the argon2id hash of pw in the PHC string format. It waits for a free slot or ctx.
func (h *Hasher) Hash(ctx context.Context, pw secret.String) (string, error) {
	v := pw.Reveal()
	if utf8.RuneCountInString(v) < MinRunes || len(v) > MaxBytes {
		return "", ErrLength
	}
	salt := make([]byte, saltLen)
	if _, err := io.ReadFull(h.random, salt); err != nil {
		return "", fmt.Errorf("read random salt: %w", err)
	}
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	return format(salt, argon2.IDKey([]byte(v), salt, passes, memoryKiB, lanes, keyLen)), nil
}

// Verify reports whether pw is the password of hash. With an empty hash it does the same work and
// reports false, so that nobody can tell an unknown user by the clock. A malformed hash is an error.
func (h *Hasher) Verify(ctx context.Context, hash string, pw secret.String) (bool, error) {
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	p, err := parse(hash)
	if err != nil {
		return false, err
	}
	v := pw.Reveal()
	if len(v) > MaxBytes {
		v, known = "", false
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	got := argon2.IDKey([]byte(v), p.salt, p.passes, p.memory, p.lanes, uint32(len(p.key))) //nolint:gosec // parse bounds it
	return subtle.ConstantTimeCompare(got, p.key) == 1 && known, nil
}

func (h *Hasher) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Hasher) leave() { <-h.slots }

type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

func format(salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memoryKiB, passes, lanes, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// parse reads a PHC string: $argon2id$v=19$m=…,t=…,p=…$salt$key.
func parse(hash string) (phc, error) {
	f := strings.Split(hash, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" || f[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, errHash
	}
	cost := strings.Split(f[3], ",")
	if len(cost) != 3 {
		return phc{}, errHash
	}
	m, err1 := number(cost[0], "m=", maxMemoryKiB)
	t, err2 := number(cost[1], "t=", maxPasses)
	l, err3 := number(cost[2], "p=", maxLanes)
	salt, err4 := base64.RawStdEncoding.Strict().DecodeString(f[4])
	key, err5 := base64.RawStdEncoding.Strict().DecodeString(f[5])
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil || len(salt) < 8 || len(salt) > 64 || len(key) < 16 || len(key) > 64 {
		return phc{}, errHash
	}
	return phc{memory: m, passes: t, lanes: uint8(l), salt: salt, key: key}, nil //nolint:gosec // at most maxLanes
}

func number(s, name string, limit uint64) (uint32, error) {
	digits, ok := strings.CutPrefix(s, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || n < 1 || n > limit {
		return 0, errHash
	}
	return uint32(n), nil
}
