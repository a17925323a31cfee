package personal_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"weir/mask/personal"
)

// pieces finds in text that comes in pieces, as a stream's reader does: it keeps Context bytes and what is not safe yet.
func pieces(t testing.TB, s *personal.Set, text []byte, cuts []int) []personal.Finding {
	t.Helper()
	var out, found []personal.Finding
	var buf []byte
	base, from := 0, 0 // of buf in text; in buf, what is not decided yet
	for k := 0; k <= len(cuts); k++ {
		to, begin := len(text), 0
		if k < len(cuts) {
			to = cuts[k]
		}
		if k > 0 {
			begin = cuts[k-1]
		}
		buf = append(buf, text[begin:to]...)
		final := k == len(cuts)
		var safe int
		found, safe = s.Find(found[:0], buf, from, final)
		last := from
		for _, f := range found {
			if f.Start < last || f.End <= f.Start || f.End > safe {
				t.Fatalf("finding %v, from %d, safe %d of %d", f, last, safe, len(buf))
			}
			last = f.End
			out = append(out, personal.Finding{Start: base + f.Start, End: base + f.End, Kind: f.Kind})
		}
		if safe < from || safe > len(buf) || final && safe != len(buf) || len(buf)-safe >= 512 {
			t.Fatalf("safe is %d of %d, from %d", safe, len(buf), from)
		}
		from = safe
		if drop := from - personal.Context; drop > 0 {
			buf = append(buf[:0:0], buf[drop:]...)
			base += drop
			from -= drop
		}
	}
	return out
}

func samples() []string {
	var out []string
	for _, c := range published {
		out = append(out, strings.NewReplacer("«", "", "»", "").Replace(c.text))
	}
	for _, c := range staying {
		out = append(out, c.text)
	}
	return out
}

func equal(a, b []personal.Finding) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestAnySplitIsTheSame cuts every sample at each place, at each pair of places, and into single bytes.
func TestAnySplitIsTheSame(t *testing.T) {
	s := all(t)
	for _, text := range samples() {
		b := []byte(text)
		want, _ := s.Find(nil, b, 0, true)
		check := func(cuts ...int) {
			if got := pieces(t, s, b, cuts); !equal(got, want) {
				t.Fatalf("%q cut at %v: %v, whole: %v", text, cuts, got, want)
			}
		}
		var single []int
		for i := range len(b) + 1 {
			check(i)
			single = append(single, i)
			for j := i; j <= len(b); j += 3 {
				check(i, j)
			}
		}
		check(single...)
	}
}

// shuffled joins samples, their parts and noise to one text.
func shuffled(r *rand.Rand, samples []string, n int) []byte {
	var out []byte
	glue := []string{" ", "", "\n", ".", "-", "@", ":", "::", "+", "(", "%40", "%2B", " 1", "A", "AB ", "/", "\\n", strings.Repeat("a", 70), strings.Repeat("1:", 40), "ssn ", "é"}
	for range n {
		p := samples[r.IntN(len(samples))]
		if r.IntN(3) == 0 {
			p = p[r.IntN(len(p)):]
		}
		if r.IntN(3) == 0 {
			p = p[:r.IntN(len(p)+1)]
		}
		out = append(append(out, p...), glue[r.IntN(len(glue))]...)
	}
	return out
}

func TestManySplitsAreTheSame(t *testing.T) {
	s, r, list := all(t), rand.New(rand.NewPCG(7, 7)), samples()
	for range 3000 {
		text := shuffled(r, list, 1+r.IntN(12))
		want, _ := s.Find(nil, text, 0, true)
		step := 1 + r.IntN(40)
		var cuts []int
		for at := r.IntN(step); at < len(text); at += 1 + r.IntN(step) {
			cuts = append(cuts, at)
		}
		if got := pieces(t, s, text, cuts); !equal(got, want) {
			t.Fatalf("%q cut at %v:\n%v\n%v", text, cuts, got, want)
		}
	}
}

func FuzzPersonal(f *testing.F) {
	for i, text := range samples() {
		f.Add([]byte(text), uint16(i), uint16(3*i+1))
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 20 {
		f.Add(shuffled(r, samples(), 8), uint16(r.Uint32()), uint16(r.Uint32()))
	}
	s := all(f)
	f.Fuzz(func(t *testing.T, text []byte, one, two uint16) {
		want, safe := s.Find(nil, text, 0, true)
		if safe != len(text) {
			t.Fatal(safe)
		}
		n := len(text) + 1
		i, j := int(one)%n, int(two)%n
		for _, cuts := range [][]int{{i}, {min(i, j), max(i, j)}} {
			if got := pieces(t, s, text, cuts); !equal(got, want) {
				t.Fatalf("%q cut at %v:\n%v\n%v", text, cuts, got, want)
			}
		}
		var steps []int
		for at := 1 + i%7; at < len(text); at += 1 + j%11 {
			steps = append(steps, at)
		}
		if got := pieces(t, s, text, steps); !equal(got, want) {
			t.Fatalf("%q in steps %v:\n%v\n%v", text, steps, got, want)
		}
	})
}

func TestNothingIsAllocatedOnAMiss(t *testing.T) {
	s := all(t)
	text := []byte(strings.Repeat("2026-01-31T12:34:56Z level=info msg=\"order 123456789 of 10.0.0 done\" tax=12 mail=a@b ip=127.0.0.1\n", 20))
	if n := testing.AllocsPerRun(20, func() {
		if found, _ := s.Find(nil, text, 0, true); len(found) > 0 {
			t.Fatal(found)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFind(b *testing.B) {
	s := all(b)
	size := 1 << 20
	fill := func(p string) []byte { return bytes.Repeat([]byte(p), size/len(p)+1)[:size] }
	for _, c := range []struct{ name, text string }{
		{"prose", "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.\n"},
		{"json", `{"name":"an ordinary row","status":"shipped","note":"nothing to see here"},`},
		{"log", "2026-01-31T12:34:56.123Z INFO [http-8080-exec-3] c.e.OrderService: order 12345678 shipped in 17ms (status=200, trace=4bf92f3577b34da6a3ce929d0e0e4736)\n"},
		{"csv", "17,1045,2026-01-31,19.99,3,shipped,88213,4,0.25,7\n"},
		{"dense", "bob@example.com,4111111111111111,DE89370400440532013000,+49 30 901820,203.0.113.9,123-45-6789\n"},
		{"digits", "1"}, {"at", "@"}, {"ones", "1 "}, {"colons", ":"}, {"pairs", "1:"}, {"dots", "1."}, {"plus", "+1 "}, {"aat", "a@"},
		{"quad", "1111 "}, {"nine", "111222333 "}, {"escaped", "a%40"}, {"iban", "DE00 "}, {"phone", "tel 12 34 "}, {"hyphens", "11-"}, {"letters", "AB 1"}, {"dotted", "a.a@a.a."},
		{"hex", "a1b2c3d4e5f60718"}, {"run", "a:"}, {"words", "a1 ssn 111222333 "},
	} {
		text := fill(c.text)
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			var found []personal.Finding
			for b.Loop() {
				found, _ = s.Find(found[:0], text, 0, true)
			}
		})
	}
}
