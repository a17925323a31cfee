package mask_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"weir"
	"weir/mask"
	"weir/mask/known"
)

// TestHeldInJSON compares strings of JSON in which secrets stand as they are with the same strings spelled with an escape, which are searched one by one: with several
// sets whose secrets overlap, hold one another and reach over the ends of a string.
func TestHeldInJSON(t *testing.T) {
	secrets := [][]string{{"Zt5Xq8Wn3Rv6Lk1Pd", "hunter2!"}, {"Xq8Wn3Rv6Lk1PdMa4Ub", `","next":"Q7w`}, {"correct horse battery staple", "n3Rv6L"}}
	e, err := mask.New(mask.Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	var sets []*known.Set
	pieces := []string{" ", "ordinary words ", "ghp_", "password=", "Zt5Xq8Wn3", "Q7w", "horse ", "[masked:a:aaaaaaaa]", "x"}
	for _, values := range secrets {
		var entries []known.Entry
		for _, v := range values {
			entries = append(entries, known.Entry{Name: fmt.Sprint("s", len(pieces)), Value: []byte(v)})
			if !strings.Contains(v, `"`) {
				pieces = append(pieces, v, v)
			}
		}
		set, _, err := known.Build(entries)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, set)
	}
	m := e.Masker(sets...)
	masked := func(in string) (out [2]struct{ Note, Status, Last, Next string }, tally weir.Tally) {
		var text strings.Builder
		w, err := m.Stream(&text, weir.Shape{Format: weir.FormatJSON}, &tally)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(in)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text.String()), &out); err != nil {
			t.Fatalf("%s: %s: %v", in, text.String(), err)
		}
		return out, tally
	}
	r := rand.New(rand.NewPCG(11, 5))
	changed := 0
	for range 20_000 {
		value := ""
		for range 1 + r.IntN(5) {
			value += pieces[r.IntN(len(pieces))]
		}
		in := func(last string) string {
			return `[{"id":12345678,"note":"nothing here","status":"` + value + last + `"},{"last":"` + value + last + `","next":"Q7w"}]`
		}
		plain, counted := masked(in("~"))
		escaped, want := masked(in(`\u007e`))
		if plain != escaped || counted.Total() != want.Total() {
			t.Fatalf("%q: %q, %d values; spelled with an escape %q, %d", value, plain, counted.Total(), escaped, want.Total())
		}
		if plain[0].Status != value+"~" {
			changed++
		}
	}
	if changed < 1000 {
		t.Errorf("%d values were changed", changed)
	}
}
