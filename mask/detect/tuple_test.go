package detect

import (
	"math/rand/v2"
	"testing"
)

// TestLongTuplesAreReadOnce compares what is remembered of long rows with reading each by itself.
func TestLongTuplesAreReadOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	long := 0
	for range 60 {
		var b []byte
		parts := []string{"(", "('a,", "('a',", "x", " , ", `\`, "'", `"`, "`", "((", "'(' "}
		for range 1 + r.IntN(4) { // the fewer there are, the more rows stay open
			parts = append(parts, []string{")", "))", "),", "(1)", `\')`}[r.IntN(5)])
		}
		for len(b) < 3*MaxHold {
			b = append(b, parts[r.IntN(len(parts))]...)
		}
		f := finder{b: b, whole: b, final: r.IntN(2) == 0}
		for i := 0; i < len(b); i += 1 + r.IntN(200) {
			rest, final := b[i:], f.final
			if len(rest) >= MaxHold {
				rest, final = rest[:MaxHold], false
			}
			want, wantOK := tupleLength(rest, final)
			if n, ok := f.tupleLength(i); n != want || ok != wantOK {
				t.Fatalf("at %d: %d, %v instead of %d, %v", i, n, ok, want, wantOK)
			}
			if want == 0 && len(rest) >= longRow {
				long++
			}
		}
	}
	if long < 1000 {
		t.Errorf("only %d rows were long", long)
	}
}
