package password_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"weir/vault/password"
	"weir/vault/secret"
)

func hasher(t *testing.T, atOnce int) *password.Hasher {
	t.Helper()
	h, err := password.New(rand.Reader, atOnce)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHashAndVerify(t *testing.T) {
	h := hasher(t, 1)
	pw := secret.New("CANARY-pass phrase ü")
	a, err := h.Hash(t.Context(), pw)
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.Hash(t.Context(), pw)
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Error("two hashes of one password are equal: the salt is missing")
	}
	if !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(a, "CANARY") {
		t.Errorf("hash reads %q", a)
	}
	for name, tc := range map[string]struct {
		hash string
		pw   string
		want bool
	}{
		"right":              {a, "CANARY-pass phrase ü", true},
		"right, other salt":  {b, "CANARY-pass phrase ü", true},
		"wrong":              {a, "CANARY-pass phrase u", false},
		"empty":              {a, "", false},
		"too long":           {a, strings.Repeat("x", 5000), false},
		"no hash":            {"", "CANARY-pass phrase ü", false},
		"no hash, no secret": {"", "", false},
	} {
		ok, err := h.Verify(t.Context(), tc.hash, secret.New(tc.pw))
		if err != nil || ok != tc.want {
			t.Errorf("%s: got %v, %v", name, ok, err)
		}
	}
}

func TestHashRefusesLengths(t *testing.T) {
	h := hasher(t, 1)
	for name, pw := range map[string]string{"empty": "", "short": "1234567", "short in runes": "üüüüüüü", "long": strings.Repeat("x", 1025)} {
		if _, err := h.Hash(t.Context(), secret.New(pw)); !errors.Is(err, password.ErrLength) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestVerifyRefusesDamagedHashes(t *testing.T) {
	h := hasher(t, 1)
	const salt, key = "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, hash := range []string{
		"x", "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + key, "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=99999999,t=1,p=1$" + salt + "$" + key, "$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=64,t=1,p=99$" + salt + "$" + key, "$argon2id$v=19$m=64,t=1$" + salt + "$" + key,
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$", "$argon2id$v=19$m=64,t=1,p=1$$" + key, "$argon2id$v=19$t=1,m=64,p=1$" + salt + "$" + key,
	} {
		if ok, err := h.Verify(t.Context(), hash, secret.New("CANARY-anything")); ok || err == nil {
			t.Errorf("%q: got %v, %v", hash, ok, err)
		}
	}
}

// With its only slot taken a check waits, and gives up with its context.
func TestConcurrencyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hasher(t, 1)
		leave, err := h.Occupy(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		given := make(chan error, 1)
		go func() {
			_, err := h.Verify(ctx, "", secret.New("CANARY-whatever"))
			given <- err
		}()
		synctest.Wait()
		select {
		case err := <-given:
			t.Fatalf("the check did not wait for its turn: %v", err)
		default:
		}
		cancel()
		if err := <-given; !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		leave()
		if _, err := h.Verify(t.Context(), "", secret.New("CANARY-whatever")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestNewRefusesMissingParts(t *testing.T) {
	if _, err := password.New(nil, 1); err == nil {
		t.Error("made without random source")
	}
	if _, err := password.New(rand.Reader, 0); err == nil {
		t.Error("made without slots")
	}
}

func BenchmarkVerify(b *testing.B) {
	h, err := password.New(rand.Reader, 1)
	if err != nil {
		b.Fatal(err)
	}
	pw := secret.New("CANARY-pass phrase")
	hash, err := h.Hash(b.Context(), pw)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, err := h.Verify(b.Context(), hash, pw); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
