package transfer_test

import (
	"errors"
	"strings"
	"testing"

	"weir"
	"weir/gate/sshgate/transfer"
)

func TestPlaceholdersAreFoundAcrossWrites(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"nothing", "a [masked] word, masked: [x]", false},
		{"a placeholder", "a=[masked:field:abcdefgh] b", true},
		{"with asterisks behind it", "a=[masked:field:abcdefgh]*** b", true},
		{"of the same length", "a=[masked:**********] b", true},
		{"of the same length and long", "a=[masked:" + strings.Repeat("*", 500) + "] b", true},
		{"without an end", "a=[masked:field:abcdefgh b", false},
		{"other bytes in it", "a=[masked:fi eld:abcdefgh] b", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for cut := range len(c.text) {
				var s transfer.Scan
				first := s.Holds([]byte(c.text[:cut]))
				if got := first || s.Holds([]byte(c.text[cut:])); got != c.want {
					t.Errorf("cut at %d: %v", cut, got)
				}
			}
			var s transfer.Scan
			got := false
			for i := range len(c.text) {
				got = got || s.Holds([]byte{c.text[i]})
			}
			if got != c.want {
				t.Errorf("byte by byte: %v", got)
			}
		})
	}
}

func TestKindsOfFiles(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     bool
	}{
		{"empty", "", true}, {"text", "a\tb\r\n", true}, {"colours", "\x1b[1mx\x1b[m\n", true}, {"UTF-8", "Größe: 1 — ein paar Wörter mehr", true},
		{"Latin-1", "Gr\xf6\xdfe: 1, und noch ein paar W\xf6rter mehr", true}, {"a zero", "text\x00text", false},
		{"gzip", "\x1f\x8b\x08\x08\xe1\x92\xb3\xf0\xff\x03\x81\x82\x93\x94\x95", false}, {"a zero far behind", strings.Repeat("a", 20<<10) + "\x00", false},
	} {
		if got := transfer.Text([]byte(c.in)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if _, err := transfer.Shape([]byte{0}, transfer.Options{}); err == nil {
		t.Error("a file that cannot be looked into passes by default")
	}
	if s, err := transfer.Shape([]byte{0}, transfer.Options{AllowOpaque: true}); err != nil || s.Format != weir.FormatOpaque || !s.SameLength {
		t.Error(s, err)
	}
}

func TestRefusalsSayEverything(t *testing.T) {
	got := transfer.Refusal(&weir.Denied{Reason: "refused: x", Rule: "r", Hint: "do y", Request: "q1", Err: errors.New("private")})
	if got != "refused: x (rule r); do y [request q1]" {
		t.Error(got)
	}
	if got := transfer.Refusal(errors.New("private")); strings.Contains(got, "private") {
		t.Error(got)
	}
}
