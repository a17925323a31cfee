package postgres

import (
	"math/rand/v2"
	"testing"
)

// TestCopyCells encodes cells and reads them again.
func TestCopyCells(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	alphabet := []byte("ab\\\t\n\r\b\f\v|,\"'\x00\x01\x0e\xff \x8d\xdc")
	for _, k := range []*copying{
		{copyForm: copyForm{delim: '\t'}}, {copyForm: copyForm{delim: '|'}}, {copyForm: copyForm{csv: true, delim: ',', quote: '"', escape: '"'}},
		{copyForm: copyForm{csv: true, delim: ';', quote: '\'', escape: '\\'}},
	} {
		for range 20000 {
			v := make([]byte, r.IntN(40))
			for i, often := 0, 1+r.IntN(20); i < len(v); i++ {
				v[i] = alphabet[r.IntN(len(alphabet))*min(1, r.IntN(often))] // mostly the first, so that there are words of nothing else
			}
			cell := k.encode([]byte("x"), v)[1:]
			if got := k.decode(cell); string(got) != string(v) {
				t.Fatalf("csv %v, delimiter %q: %q became %q and then %q", k.csv, k.delim, v, cell, got)
			}
			if k.split(cell); len(k.spans) != 1 {
				t.Fatalf("csv %v, delimiter %q: %q is %d cells", k.csv, k.delim, cell, len(k.spans))
			}
		}
	}
}

// TestForming looks for what may be formed byte by byte.
func TestForming(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	found := 0
	for range 50000 {
		v := make([]byte, r.IntN(30))
		want := false
		for i := range v {
			if v[i] = 'a'; r.IntN(20) == 0 {
				v[i] = byte(r.IntN(256))
			}
			want = want || formTable[v[i]]
		}
		if forming(v) != want {
			t.Fatalf("%q: %v", v, !want)
		}
		if want {
			found++
		}
	}
	if found < 100 {
		t.Errorf("%d of them may be", found)
	}
}
