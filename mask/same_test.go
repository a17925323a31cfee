package mask_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"weir"
)

var sameShape = weir.Shape{Format: weir.FormatText, SameLength: true}

// checkSame holds a text to what the same length promises.
func checkSame(t *testing.T, shape weir.Shape, text string) string {
	t.Helper()
	m := masker(t)
	want, err := pass(t, m, shape, text, all(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(want) != len(text) {
		t.Fatalf("%d bytes became %d: %.200q\n%.200q", len(text), len(want), text, want)
	}
	if strings.Count(want, "\n") != strings.Count(text, "\n") && !strings.Contains(text, "CANARY") && shape.Format == weir.FormatText {
		t.Errorf("lines are lost: %.200q", want)
	}
	return want
}

func TestSameLength(t *testing.T) {
	key := "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END RSA PRIVATE KEY-----\n"
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "PATH=/bin\n", "PATH=/bin\n"},
		{"a short value", "DB_PASSWORD=tr0ub4dor\nx", "DB_PASSWORD=*********\nx"},
		{"a value of ten bytes", "DB_PASSWORD=tr0ub4dor1\nx", "DB_PASSWORD=[masked:*]\nx"},
		{"a long value", "DB_PASSWORD=" + strings.Repeat("tr0ub4dor", 4) + "\nx", "[masked:field:"},
		{"a key", "a\n" + key + "b\n", "a\n[masked:private-key:"},
		{"a known secret", "x " + canary + " y", "x [masked:" + strings.Repeat("*", len(canary)-9) + "] y"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := checkSame(t, sameShape, c.in); !strings.Contains(got, c.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestSameLengthIsTrueForAnySplit(t *testing.T) {
	m := masker(t)
	texts := append([]string{strings.Join(propertyTexts, "\n"), "-----BEGIN PRIVATE KEY-----\r\nMIIEvQIBADANBgkqhkiG9w0B\r\nAQEF\r\n-----END PRIVATE KEY-----\r\nSAFE\r\n"}, propertyTexts...)
	for _, text := range texts {
		for _, shape := range []weir.Shape{sameShape, {Format: weir.FormatOpaque, SameLength: true}} {
			want := checkSame(t, shape, text)
			for i := 1; i < len(text); i++ {
				first := true
				got, err := pass(t, m, shape, text, func() int {
					if first {
						first = false
						return i
					}
					return len(text)
				})
				if err != nil || got != want {
					t.Fatalf("cut at %d of %q: %v\n got %q\nwant %q", i, text, err, got, want)
				}
			}
			if again := checkSame(t, shape, want); again != want && gapOf("text", "idempotent", text, want) == "" {
				t.Errorf("not idempotent: %q\n%q\n%q", text, want, again)
			}
		}
	}
}

func TestSameLengthOfValuesTooLongToHold(t *testing.T) {
	m := masker(t)
	secret := strings.Repeat("Zx9", 30_000)
	for name, in := range map[string]string{
		"line":   "password: " + secret + "\na: 1",
		"quoted": `x password="` + secret + `" a: 1`,
		"key":    "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat(strings.Repeat("Zx9", 20)+"\n", 1000) + "\n-----END PRIVATE KEY----- a: 1",
		"bytes":  "password: " + secret + "\x14\x00\xd1\x7f " + strings.Repeat("\xff\x00", 30_000) + "\na: 1",
		"token":  "x ghp_" + secret + " a: 1",
	} {
		want := checkSame(t, sameShape, in)
		if strings.Contains(want, "Zx9") || !strings.HasSuffix(want, "a: 1") {
			t.Errorf("%s: %.100q … %.100q", name, want, want[len(want)-100:])
		}
		if again := checkSame(t, sameShape, want); again != want {
			t.Errorf("%s: not idempotent", name)
		}
		for _, n := range []int{1000, 4096, 16 << 10, 40_001} {
			if got, err := pass(t, m, sameShape, in, func() int { return n }); err != nil || got != want {
				t.Errorf("%s in pieces of %d: %v", name, n, err)
			}
		}
	}
}

func TestSameLengthOfOtherFormatsIsRefused(t *testing.T) {
	for _, f := range []weir.Format{weir.FormatUnknown, weir.FormatJSON, weir.FormatForm, weir.FormatXML, weir.FormatHTML, weir.FormatSSE, weir.FormatMultipart, weir.FormatTerminal} {
		if _, err := masker(t).Stream(&bytes.Buffer{}, weir.Shape{Format: f, SameLength: true, Boundary: "x"}, nil); err == nil {
			t.Errorf("format %d keeps the length", f)
		}
	}
}

func FuzzSameLength(f *testing.F) {
	for i, text := range propertyTexts {
		f.Add(text, uint64(i), i%2 == 0)
	}
	m := masker(f)
	f.Fuzz(func(t *testing.T, text string, seed uint64, opaque bool) {
		shape := sameShape
		if opaque {
			shape.Format = weir.FormatOpaque
		}
		out, err := pass(t, m, shape, text, all(text))
		if err != nil || len(out) != len(text) {
			t.Fatalf("%v: %q became %q", err, text, out)
		}
		if strings.Contains(out, canary) {
			t.Errorf("the canary is in %q", out)
		}
		r := rand.New(rand.NewPCG(seed, 1))
		most := 1 + r.IntN(64)
		if split, err := pass(t, m, shape, text, func() int { return 1 + r.IntN(most) }); err != nil || split != out {
			t.Errorf("split: %q\n got %q\nwant %q", text, split, out)
		}
		if again, err := pass(t, m, shape, out, all(out)); err != nil || !noLess(shape, out, again) {
			t.Errorf("masked once more: %q\n%q\n%q", text, out, again)
		}
	})
}
