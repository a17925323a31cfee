package known_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"weir/mask/known"
)

// FuzzNoSpellingSurvives hides spellings of two secrets in a text and cuts it anywhere. Whatever a plain search for every spelling finds
// must be covered by what the stream decided, and that must be what one call finds.
func FuzzNoSpellingSurvives(f *testing.F) {
	f.Add([]byte("CANARY-one"), []byte("CANARY-one-and-two"), []byte("some text\n"), uint64(1))
	f.Add([]byte("CANARYx"), []byte("aaaaaaaa"), []byte("aaaaaa=\r\naaaa"), uint64(2))
	f.Add([]byte("abcabc"), []byte("bcabcabcab"), []byte("QUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJDQUJD\n  "), uint64(3))
	f.Add([]byte("CANARY 'q' \"\\<&>"), []byte("\x00\x01\xff\xfe\x80 bytes"), []byte(`\r\n \n\u0041`), uint64(4))
	f.Fuzz(func(t *testing.T, one, two, filler []byte, seed uint64) {
		if len(one) < known.MinLength || len(two) < known.MinLength || len(one) > 200 || len(two) > 200 || len(filler) > 500 {
			return
		}
		s, _, err := known.Build([]known.Entry{{Name: "one", Value: one}, {Name: "two", Value: two}})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(seed, 1))
		forms := slices.Concat(known.Spellings(string(one)), known.Spellings(string(two)))
		var text []byte
		for range 6 {
			form := forms[r.IntN(len(forms))]
			switch r.IntN(4) {
			case 0:
				form = wrap(form, 1+r.IntN(76), 76, "\n")
			case 1:
				form = form[:r.IntN(len(form))]
			}
			text = append(append(text, form...), filler[:r.IntN(len(filler)+1)]...)
		}
		whole := s.Find(nil, text)
		most := 1 + r.IntN(100)
		if got := stream(s, text, func(int) int { return 1 + r.IntN(most) }); !slices.Equal(got, whole) {
			t.Fatalf("%v in a stream, %v at once: %q", got, whole, text)
		}
		a, _, errA := known.Build([]known.Entry{{Name: "one", Value: one}})
		b, _, errB := known.Build([]known.Entry{{Name: "two", Value: two}})
		joined, ok := known.Join(a, b)
		if errA != nil || errB != nil || !ok {
			t.Fatal(errA, errB, ok)
		}
		if got := joined.Find(nil, text); !slices.Equal(got, whole) {
			t.Fatalf("%v joined, %v in one set: %q", got, whole, text)
		}
		if got := stream(joined, text, func(int) int { return 1 + r.IntN(most) }); !slices.Equal(got, whole) {
			t.Fatalf("%v joined in a stream, %v at once: %q", got, whole, text)
		}
		for range 10 {
			if cut := r.IntN(len(text) + 1); joined.Hold(text[:cut]) != s.Hold(text[:cut]) {
				t.Fatalf("%q is held from %d joined, from %d in one set", text[:cut], joined.Hold(text[:cut]), s.Hold(text[:cut]))
			}
		}
		covered := make([]bool, len(text)+1)
		for i, sp := range whole {
			if i > 0 && whole[i-1].End > sp.Start || sp.Start >= sp.End {
				t.Fatalf("%v", whole)
			}
			for k := sp.Start; k < sp.End; k++ {
				covered[k] = true
			}
		}
		for _, form := range forms {
			for at := 0; ; at++ {
				n := bytes.Index(text[at:], []byte(form))
				if n < 0 {
					break
				}
				at += n
				// Behind a union that was ended for its length, what began in it need not be found.
				cut := slices.ContainsFunc(whole, func(sp known.Span) bool {
					return sp.Start <= at && at < sp.End && sp.End-sp.Start >= 2*s.MaxPattern()
				})
				if !cut && slices.Contains(covered[at:at+len(form)], false) {
					t.Fatalf("%q at %d of %q survives: %v", form, at, text, whole)
				}
			}
		}
	})
}
