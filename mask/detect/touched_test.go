package detect_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"weir/mask/detect"
	"weir/mask/field"
)

func set(t testing.TB) *detect.Set {
	t.Helper()
	names, err := field.New([]string{"corp_ticket"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := detect.New(detect.Options{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWhatIsNotTouchedHoldsNothing compares with a search for each literal, and with Find, over texts of all lengths, made of pieces of literals and of clean words.
func TestWhatIsNotTouchedHoldsNothing(t *testing.T) {
	s := set(t)
	r := rand.New(rand.NewPCG(1, 2))
	pieces := strings.Split("password=x|pass|tok|token|en|://|u:p@h|eyJ|AKIA|ghp_|ticket|-----BEGIN |ordinary|words|here|1234|a|b|é|=|: |\x00| -p|bearer |\"|\\", "|")
	touched, clean := 0, 0
	for range 20_000 {
		text := ""
		for range 1 + r.IntN(6) {
			text += pieces[r.IntN(len(pieces))]
		}
		b := []byte(text)
		stands := s.StandsIn(b)
		want := strings.IndexAny(text+`"`, `"\`)
		if s.Touched(b[:want]) {
			want = -1
		}
		if n := s.TouchedRun([]byte(text + `" beyond it`)); n != want {
			t.Fatalf("%q: the run ends at %d, want %d", text, n, want)
		}
		found, _ := s.Find(nil, b, 0, true)
		switch got := s.Touched(b); {
		case got != stands:
			t.Fatalf("%q: touched %v, a literal stands there %v", text, got, stands)
		case !got && len(found) > 0:
			t.Fatalf("%q is not touched, and %v is found", text, found)
		case got:
			touched++
		default:
			clean++
		}
	}
	if touched < 500 || clean < 500 {
		t.Errorf("%d touched, %d clean", touched, clean)
	}
}

func BenchmarkTouched(b *testing.B) {
	s := set(b)
	text := []byte("an ordinary cell of a table, 40 bytes of")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if s.Touched(text) {
			b.Fatal("touched")
		}
	}
}
