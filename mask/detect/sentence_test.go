package detect

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestNamesAmongWordsAreReadAlike reads names between words, the short way and the long one.
func TestNamesAmongWordsAreReadAlike(t *testing.T) {
	s := builtIn(t)
	around := []string{
		"is", "s", "string = ", "string", "for", "fo", "f", "i", "if", "set", "SET", "get", "export", "port", "ENV", "env", "setx", "set_header", "set -x", "set -gx", "cgi_param", "machine h login u", "login u", "\n", "public", "the", "t", "et", "ort",
		"x7Kq9vT2mZ4p", "Zk39dhTq99xx:", ": Zk39dhTq99xx", "'x y'", "=", "a_b", "key", "4711", ",", "-", "name: ", "name", "is Zk39dhTq99xx", "value Zk39dhTq99xx",
	}
	called := []string{"password", "secret", "token", "api_key", "passwd", "credentials", "passphrase", "key_", "requirepass", "session", "authorization", "hash", "Token", "PASSWORD", "pass", "bindpw"}
	r := rand.New(rand.NewPCG(2, 5))
	short, spoke := 0, 0
	for range 100_000 {
		var text strings.Builder
		word := func() { text.WriteString(around[r.IntN(len(around))] + strings.Repeat(" ", 1+r.IntN(8)/7)) }
		for range 1 + r.IntN(4) {
			word()
		}
		from := text.Len()
		text.WriteString(called[r.IntN(len(called))])
		to := text.Len()
		text.WriteByte(' ')
		for range 2 + r.IntN(6) {
			word()
		}
		final := r.IntN(2) == 0
		search := func() finder {
			f := s.finder([]byte(text.String()), 0, final)
			f.view(from)
			f.named = to
			return f
		}
		f, long := search(), search()
		if !f.amongWords(from, to) {
			continue
		}
		short++
		got, want := f.spoken(from, to) && f.inSentence(from, to), long.beside(from, to)
		if got != want || !slices.Equal(f.out, long.out) || f.safe != long.safe || f.quiet != long.quiet || f.done != long.done {
			t.Fatalf("%q at %d: %v %v, safe to %d; want %v %v, %d", text.String(), from, got, f.out, f.safe, want, long.out, long.safe)
		}
		if len(f.out) > 0 {
			spoke++
		}
	}
	if short < 10_000 || spoke < 100 {
		t.Errorf("%d of the names were among words, %d had a value", short, spoke)
	}
}
