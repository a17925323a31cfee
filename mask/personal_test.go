package mask_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"weir"
	"weir/mask"
	"weir/mask/personal"
)

func withPersonal(t testing.TB, m *mask.Masker) *mask.Masker {
	t.Helper()
	p, err := personal.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.WithPersonal(p)
}

func TestPersonal(t *testing.T) {
	m := withPersonal(t, masker(t))
	for _, c := range []struct {
		format   weir.Format
		in, want string
	}{
		{weir.FormatText, "pay 4111 1111 1111 1111 to DE89370400440532013000\n", "pay [masked:payment-card] to [masked:iban]\n"},
		{weir.FormatText, "password=bob@example.com\n", "password=[masked:field]\n"},
		{weir.FormatText, "postgres://bob:pw5x@db.example.com/x\n", "postgres://bob:[masked:url-password]@db.example.com/x\n"},
		{weir.FormatText, canary + "@example.com\n", "[masked:credential]\n"},
		{weir.FormatText, "bob@example.com " + canary, "[masked:email] [masked:credential]"},
		{weir.FormatJSON, `{"n":4111111111111111,"m":1700000000000,"f":0.4111111111111111,"s":"x"}`, `{"n":"[masked:payment-card]","m":1700000000000,"f":0.4111111111111111,"s":"x"}`},
		{weir.FormatJSON, `{"token":4111111111111111}`, `{"token":"[masked:field]"}`},
		{weir.FormatJSON, `{"a":["bob\u0040example.com","a note of more than a hundred bytes, so that the look over all is worth it: nothing is here at all"],"b":"from 203.0.113.9"}`,
			`{"a":["[masked:email]","a note of more than a hundred bytes, so that the look over all is worth it: nothing is here at all"],"b":"from [masked:ip]"}`},
		{weir.FormatJSON, `{"bob@example.com":1}`, `{"[masked:email]":1}`},
		{weir.FormatXML, `<p to="bob@example.com">203.0.113.9</p>`, `<p to="[masked:email]">[masked:ip]</p>`},
		{weir.FormatForm, `mail=bob%40example.com&n=1`, `mail=%5Bmasked%3Aemail%5D&n=1`},
	} {
		got := short(whole(t, m, c.format, c.in))
		if c.format == weir.FormatForm {
			got = string(bytes.ReplaceAll([]byte(whole(t, m, c.format, c.in)), []byte("%5D"), []byte("]")))
			if bytes.Contains([]byte(got), []byte("bob")) {
				t.Errorf("%s: %s", c.in, got)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.in, got, c.want)
		}
		if off := short(whole(t, m.WithPersonal(nil), c.format, c.in)); bytes.Contains([]byte(c.in), []byte("203.0.113.9")) && !bytes.Contains([]byte(off), []byte("203.0.113.9")) {
			t.Errorf("%s, off: %s", c.in, off)
		}
	}
}

// TestPersonalSplits mixes secrets and personal data, so that findings of all kinds touch and overlap, and cuts at random.
func TestPersonalSplits(t *testing.T) {
	m := withPersonal(t, masker(t))
	r := rand.New(rand.NewPCG(5, 5))
	parts := []string{
		"4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "bob@example.com", "password=", "203.0.113.9", "+49 30 901820", canary, canary[:9], "AKIA" + "QWERTYUIOPASDFGH",
		"postgres://u:", "@h/d ", " ", "\n", "=", "\"", ":", "-", ".", "ssn ", "123-45-6789", "token: ", "fe80::1", "Bearer ", "secret", "tel: 030 1234567", "plain words of text",
	}
	for range 200 {
		var in []byte
		for range 2 + r.IntN(20) {
			in = append(in, parts[r.IntN(len(parts))]...)
		}
		for _, format := range []weir.Format{weir.FormatText, weir.FormatSSE, weir.FormatHTML} {
			want := whole(t, m, format, string(in))
			n := 1 + r.IntN(20)
			if got := run(t, m, format, string(in), func() int { return 1 + r.IntN(n) }); got != want {
				t.Fatalf("%q\n got %q\nwant %q", in, got, want)
			}
		}
	}
}

func BenchmarkPersonalJSON(b *testing.B) {
	e, _ := mask.New(mask.Config{Key: make([]byte, 32)})
	row := []byte(`{"id":1234567,"name":"an ordinary row of an ordinary table","at":"2026-01-31T12:34:56Z","note":"nothing to see here"},` + "\n")
	big := append(append([]byte("["), bytes.Repeat(row, (1<<20)/len(row))...), "{}]"...)
	for name, m := range map[string]*mask.Masker{"off": e.Masker(), "on": withPersonal(b, e.Masker())} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(big)))
			for b.Loop() {
				var t weir.Tally
				w, _ := m.Stream(&devnull{}, weir.Shape{Format: weir.FormatJSON}, &t)
				_, _ = w.Write(big)
				_ = w.Close()
			}
		})
	}
}
