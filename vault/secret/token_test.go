package secret_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"weir/vault/secret"
)

func TestNewToken(t *testing.T) {
	form := regexp.MustCompile(`^weir_[0-9A-Za-z]{38}$`)
	seen := map[string]bool{}
	for range 2000 {
		issued, err := secret.NewToken(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s := issued.Secret()
		if !s.IsToken() {
			t.Fatal("a new token is not a token")
		}
		v, ok := issued.Show()
		if !ok || !form.MatchString(v) || seen[v] || v != s.Reveal() {
			t.Fatalf("token of wrong form or twice the same: %d bytes", len(v))
		}
		seen[v] = true
		if again, ok := issued.Show(); ok || again != "" {
			t.Fatal("a token was shown twice")
		}
		if s.Verifier() != sha256.Sum256([]byte(v)) {
			t.Fatal("the verifier is not the SHA-256 of the value")
		}
	}
}

func TestNewTokenIsEven(t *testing.T) {
	count := map[byte]int{}
	const n = 4000
	for range n {
		issued, err := secret.NewToken(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []byte(issued.Secret().Reveal()[5:37]) {
			count[c]++
		}
	}
	want := n * 32 / 62
	for c, got := range count {
		if got < want*8/10 || got > want*12/10 {
			t.Errorf("%q stands %d times, want about %d", c, got, want)
		}
	}
	if len(count) != 62 {
		t.Errorf("%d different characters, want 62", len(count))
	}
}

func TestNewTokenWithoutRandomness(t *testing.T) {
	broken := errors.New("no entropy")
	if i, err := secret.NewToken(iotest.ErrReader(broken)); i != nil || !errors.Is(err, broken) {
		t.Fatalf("got %v, %v", i, err)
	}
	if i, err := secret.NewToken(bytes.NewReader(make([]byte, 10))); i != nil || err == nil {
		t.Fatalf("a short source made a token: %v", err)
	}
}

func TestIsToken(t *testing.T) {
	issued, err := secret.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := issued.Secret().Reveal()
	flip := func(i int) string {
		b := []byte(good)
		if b[i] == 'a' {
			b[i] = 'b'
		} else {
			b[i] = 'a'
		}
		return string(b)
	}
	for name, v := range map[string]string{
		"empty": "", "short": good[:len(good)-1], "long": good + "a", "prefix": "Weir_" + good[5:],
		"changed body": flip(10), "changed sum": flip(len(good) - 1), "sign": good[:10] + "-" + good[11:],
	} {
		if secret.New(v).IsToken() {
			t.Errorf("%s: taken for a token", name)
		}
	}
}

func TestNothingPrintsAnIssuedToken(t *testing.T) {
	issued, err := secret.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(struct{ T *secret.Issued }{issued})
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%v %+v %#v %s %q %x %s", issued, issued, issued, issued, issued, issued, j)
	v := issued.Secret().Reveal()
	if strings.Contains(out, v) || strings.Contains(out, fmt.Sprintf("%x", v)) {
		t.Fatalf("a token was printed: %s", out)
	}
	if i := (*secret.Issued)(nil); true {
		if _, ok := i.Show(); ok {
			t.Fatal("nil was shown")
		}
	}
}
