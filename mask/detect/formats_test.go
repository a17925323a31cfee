package detect

import (
	"math/rand/v2"
	"testing"

	"weir/mask/field"
)

// sample makes a token of a format whose value has n bytes.
func sample(r *rand.Rand, l *literal, n int) string {
	draw := func(table *[256]bool, n int) []byte {
		var plain, all []byte
		for c := range 128 {
			if table[c] {
				all = append(all, byte(c))
				if isWord(byte(c)) && c != '_' {
					plain = append(plain, byte(c))
				}
			}
		}
		b := make([]byte, n)
		for i := range b {
			if b[i] = all[r.IntN(len(all))]; i < 4 || i > n-3 || all[0] == '%' {
				b[i] = plain[r.IntN(len(plain))]
			}
		}
		return b
	}
	v := draw(l.alphabet, n)
	if l.uuid {
		v = []byte("3f2b8c1e-9d47-4a60-b5e2-7c1d0e9f8a36")[:n]
	}
	for l.mixed && !alternates(v) {
		v = draw(l.alphabet, n)
	}
	token := l.text + string(v)
	if l.before != nil {
		token = string(draw(l.before, l.beforeMin)) + token
	}
	return token
}

func TestEveryFormatIsFoundWholeAndNotWhenShort(t *testing.T) {
	names, err := field.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	all, err := formats()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 200 {
		t.Errorf("%d formats, want 200", len(all))
	}
	r := rand.New(rand.NewPCG(7, 7))
	for i := range all {
		l := &all[i]
		for _, n := range []int{l.min, min(l.max, 4096)} {
			token := sample(r, l, n)
			for _, around := range [][2]string{{"it said ", " to us"}, {`["`, `","next"]`}, {"", "\n"}, {"(", ")"}} {
				text := around[0] + token + around[1]
				found, _ := s.Find(nil, []byte(text), 0, true)
				want := len(around[0])
				if len(found) == 0 || found[0].End != want+len(token) {
					t.Errorf("%s in %q: %v", l.rule.Kind, text, found)
				}
				if webhook := l.alphabet['/'] && l.alphabet['-'] && !l.alphabet['+']; len(found) > 0 && !webhook && found[0].Start != want {
					t.Errorf("%s in %q begins at %d", l.rule.Kind, text, found[0].Start)
				}
			}
		}
		if l.min < 2 {
			continue
		}
		text := "it said " + l.text + sample(r, &literal{alphabet: l.alphabet}, 1) + " to us"
		if found, _ := s.Find(nil, []byte(text), 0, true); len(found) > 0 && found[0].Rule == l.rule {
			t.Errorf("%s found in %q", l.rule.Kind, text)
		}
	}
}

func TestFormatRefusesBadLines(t *testing.T) {
	for _, f := range [][]string{
		{"k", "ab", "a", "1", "2"}, {"k", "abc", "?", "1", "2"}, {"k", "abc", "a", "3", "2"}, {"k", "abc", "a", "x", "2"},
		{"k", "abc", "a", "1", "2", "magic"}, {"k", "abc", "a", "1", "2", "before=a"}, {"k", "abc", "a", "1"},
	} {
		if _, err := format(f, map[string]*Rule{}); err == nil {
			t.Errorf("%q was accepted", f)
		}
	}
}
