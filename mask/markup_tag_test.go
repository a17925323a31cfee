package mask

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestNamesOfTagsAreRemembered asks for names in an order in which they take each other's place.
func TestNamesOfTagsAreRemembered(t *testing.T) {
	e, err := New(Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	x := &markupWriter{m: e.Masker()}
	all := []string{"", "TD", "td", "x:Password", "password", "apitoken", "ns:", "csrf_token", "Éa", "\xff", string(bytes.Repeat([]byte("K"), 300)) + "x:secret"}
	for c := 'a'; c <= 'z'; c++ {
		all = append(all, string(c)+"x"+string('z'-c+'a'), string(c)+"-secret", string(c)+"_key")
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		name := []byte(all[r.IntN(len(all))])
		local := r.IntN(2) == 0
		want := bytes.ToLower(name)
		if local {
			want = want[bytes.LastIndexByte(want, ':')+1:]
		}
		want = clip(want)
		got := x.tags.lower(name, local)
		if got != string(want) {
			t.Fatalf("%q became %q", name, got)
		}
		if s := x.strength(got); s != x.m.strength(want) {
			t.Fatalf("%q: %v", name, s)
		}
	}
}
