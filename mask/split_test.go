package mask_test

import (
	"bytes"
	"strings"
	"testing"

	"weir"
	"weir/mask"
	"weir/mask/known"
)

// TestHeldSecretsDoNotDisturbTables cuts a table everywhere whose head and rows look like the beginning of held secrets: what they hold back
// must not make the reader of the table lose its place.
func TestHeldSecretsDoNotDisturbTables(t *testing.T) {
	e, err := mask.New(mask.Config{Key: bytes.Repeat([]byte{7}, 16)})
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := known.Build([]known.Entry{{Name: "a", Value: []byte("password,note\n1,CANARY-held-secret")}, {Name: "b", Value: []byte("alice,CANARY-but-longer")}, {Name: "c", Value: []byte("3,carol,CANARY")}})
	if err != nil {
		t.Fatal(err)
	}
	m := e.Masker(set)
	text := "id,user,password\n1,alice,CANARY-b\n2,bob,CANARY-c\n3,carol,CANARY-d\n4,alice,CANARY-but-longer\nend,of the,table,SAFE\nid,user,password,note\n1,CANARY-held-secret SAFE\n"
	run := func(cuts ...int) string {
		var out bytes.Buffer
		w, err := m.Stream(&out, weir.Shape{Format: weir.FormatText}, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, cut := range append(cuts, len(text)) {
			if _, err := w.Write([]byte(text[at:cut])); err != nil {
				t.Fatal(err)
			}
			at = cut
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	want := run()
	if strings.Contains(want, "CANARY") || strings.Count(want, "SAFE") != 2 {
		t.Fatal(want)
	}
	for i := range text {
		for _, j := range []int{i, min(i+7, len(text)), min(i+30, len(text))} {
			if got := run(i, j); got != want {
				t.Fatalf("cut at %d and %d:\n%s\nwant\n%s", i, j, got, want)
			}
		}
	}
}
