package known_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"

	"weir/mask/known"
)

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func build(t testing.TB, values ...string) *known.Set {
	t.Helper()
	var entries []known.Entry
	for i, v := range values {
		entries = append(entries, known.Entry{Name: fmt.Sprint("secret-", i), Value: []byte(v)})
	}
	s, _, err := known.Build(entries)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSpansAreExact(t *testing.T) {
	s := build(t, "CANARY-one-secret", "CANARY-two-secret-that-is-long")
	text := []byte("a CANARY-one-secret b CANARY-two-secret-that-is-longer")
	var got []string
	for _, sp := range s.Find(nil, text) {
		got = append(got, s.Name(sp.Entry)+"="+string(text[sp.Start:sp.End]))
	}
	if want := "[secret-0=CANARY-one-secret secret-1=CANARY-two-secret-that-is-long]"; fmt.Sprint(got) != want {
		t.Fatalf("%v, want %s", got, want)
	}
}

// stream finds like a writer of text: what is decided goes on, what is held is looked at again with what comes next. next says how much comes.
func stream(s *known.Set, text []byte, next func(at int) int) []known.Span {
	var out, spans []known.Span
	for from, to := 0, 0; ; {
		to = min(to+next(to), len(text))
		safe, gone := to, max(0, from-known.Context)
		spans = s.FindFrom(spans[:0], text[gone:to], from-gone)
		if to < len(text) {
			safe = gone + s.HoldFrom(text[gone:to], from-gone)
		}
		for len(spans) > 0 && gone+spans[len(spans)-1].End > safe {
			safe = min(safe, gone+spans[len(spans)-1].Start)
			spans = spans[:len(spans)-1]
		}
		for _, sp := range spans {
			out = append(out, known.Span{Start: gone + sp.Start, End: gone + sp.End, Entry: sp.Entry})
		}
		from = safe
		if to == len(text) {
			return out
		}
	}
}

// TestHoldNeverLetsAHeadGo cuts a text everywhere: what Hold lets go must hold no part of a secret.
func TestHoldNeverLetsAHeadGo(t *testing.T) {
	for _, v := range canaries {
		s := build(t, v)
		text := []byte("xx CAN " + v + " CANAR " + v + v + " yy")
		for cut := range len(text) + 1 {
			hold := s.Hold(text[:cut])
			for _, sp := range s.Find(nil, text) {
				if sp.Start < cut && cut < sp.End && hold > sp.Start && len(s.Find(nil, text[:cut])) == 0 {
					t.Fatalf("%q cut at %d: held from %d, the secret starts at %d", text, cut, hold, sp.Start)
				}
			}
		}
	}
}

func TestOverlaps(t *testing.T) {
	s := build(t, "CANARY-inner", "xx-CANARY-inner-yy", "inner-yy-CANARY-tail-is-longer", "CANARYCANARY", canaries[0])
	enc := url.QueryEscape(canaries[0])
	for name, c := range map[string]struct{ text, want string }{
		"alone":                  {". CANARY-inner .", "0=CANARY-inner"},
		"part of another":        {". xx-CANARY-inner-yy .", "1=xx-CANARY-inner-yy"},
		"overlap":                {". xx-CANARY-inner-yy-CANARY-tail-is-longer .", "2=xx-CANARY-inner-yy-CANARY-tail-is-longer"},
		"the longer comes last":  {". CANARY-inner-yy-CANARY-tail-is-longer .", "2=CANARY-inner-yy-CANARY-tail-is-longer"},
		"adjacent":               {".CANARY-innerCANARY-inner.", "0=CANARY-inner 0=CANARY-inner"},
		"adjacent, others":       {"xx-CANARY-inner-yyCANARY-inner", "1=xx-CANARY-inner-yy 0=CANARY-inner"},
		"overlaps itself":        {".CANARYCANARYCANARY.", "3=CANARYCANARYCANARY"},
		"beside its encoding":    {canaries[0] + enc + " " + enc, "4=" + canaries[0] + " 4=" + enc + " 4=" + enc},
		"in the middle of words": {"aCANARY-innerb", "0=CANARY-inner"},
	} {
		for width := 1; width <= len(c.text); width++ {
			var got []string
			for _, sp := range stream(s, []byte(c.text), func(int) int { return width }) {
				got = append(got, fmt.Sprint(sp.Entry)+"="+c.text[sp.Start:sp.End])
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s, %d bytes at a time: %q, want %q", name, width, got, c.want)
			}
		}
	}
}

// TestOnePeriodOverAndOver must neither be held to its end nor show the secret.
func TestOnePeriodOverAndOver(t *testing.T) {
	for _, v := range []string{"aaaaaaaaaaaa", "abcabcabcabcabcabcabc", "aaaaaa"} {
		s := build(t, v)
		text := bytes.Repeat([]byte(v), 2000)
		whole := s.Find(nil, text)
		if got := stream(s, text, func(int) int { return 1400 }); !slices.Equal(got, whole) {
			t.Errorf("%q: %d spans in a stream, %d at once", v, len(got), len(whole))
		}
		shown := slices.Clone(text)
		for _, sp := range whole {
			clear(shown[sp.Start:sp.End])
			if sp.End-sp.Start > 4*s.MaxPattern() {
				t.Errorf("%q: %d bytes in one span", v, sp.End-sp.Start)
			}
		}
		if bytes.Contains(shown, []byte(v)) {
			t.Errorf("%q is shown", v)
		}
	}
}

func TestLongSecretsAreFoundInPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	v := make([]byte, known.MaxLength)
	for i := range v {
		v[i] = letters[r.IntN(len(letters))]
	}
	s := build(t, string(v))
	if s.MaxPattern() > 4<<10 {
		t.Errorf("a pattern of %d bytes", s.MaxPattern())
	}
	for name, form := range map[string]string{"raw": string(v), "base64": base64.StdEncoding.EncodeToString(v), "wrapped": wrap(base64.StdEncoding.EncodeToString(v), 76, 76, "\r\n")} {
		text := []byte("before " + form + " behind")
		whole := s.Find(nil, text)
		at := len("before ")
		for _, sp := range whole {
			if sp.Start > at+2 { // a line break between pieces may stay
				t.Fatalf("%s: %d bytes stay at %d", name, sp.Start-at, at)
			}
			at = sp.End
		}
		if len(text)-at > len(" behind")+4 { // the last characters of base64 depend on what is behind
			t.Errorf("%s: %q stays", name, text[at:])
		}
		if got := stream(s, text, func(int) int { return 1400 }); !slices.Equal(got, whole) {
			t.Errorf("%s: %d spans in a stream, %d at once", name, len(got), len(whole))
		}
	}
}

func TestJoin(t *testing.T) {
	a, b := build(t, "CANARY-of-the-first", "CANARY-shared-one"), build(t, "CANARY-of-the-second", "CANARY-shared-one")
	a, _ = known.Join(a, nil)
	s, ok := known.Join(a, b)
	if !ok {
		t.Fatal("sets of two secrets are not joined")
	}
	var got []string
	for _, sp := range s.Find(nil, []byte("CANARY-of-the-second CANARY-shared-one CANARY-of-the-first")) {
		got = append(got, fmt.Sprint(sp.Entry, s.Name(sp.Entry), string(s.Value(sp.Entry))))
	}
	if want := "2secret-0CANARY-of-the-second 1secret-1CANARY-shared-one 0secret-0CANARY-of-the-first"; strings.ReplaceAll(strings.Join(got, "|"), " ", "") != strings.ReplaceAll(want, " ", "|") {
		t.Errorf("%q", got)
	}
	if none, _ := known.Join(nil, nil); none.Len() != 0 || none.Find(nil, []byte("x")) != nil || none.Hold([]byte("x")) != 1 {
		t.Error("a set of nothing finds something")
	}
}

// TestJoinedSetsShare: what many sessions add to what is held must be small, and not grow with that.
func TestJoinedSetsShare(t *testing.T) {
	held, own := build(t, string(text(4000)), "CANARY-of-the-gateway"), build(t, "CANARY-of-a-session-of-40-bytes-0123456789")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, ok := known.Join(held, own)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; !ok || took > 16<<10 || s.Len() != held.Len()+own.Len() {
		t.Errorf("joining %d patterns and %d took %d bytes", held.Len(), own.Len(), took)
	}
	many, _, err := known.Build(secrets(100, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := known.Join(many, own); ok {
		t.Error("a set that needs a large filter was joined")
	}
}

func TestOrdinaryWordsAreWarnedOf(t *testing.T) {
	for v, want := range map[string]int{"password": 2, "changeme": 2, "aaaaaaaa": 2, "Password123!": 1, "000000000000000000": 1, "banana": 2, "12345678": 2,
		"hunter2": 1, "CANARY-tr0ub4dor&3": 0, "correcthorsebatterystaple": 0, "abababababababab": 1} {
		_, warnings, err := known.Build([]known.Entry{{Name: "x", Value: []byte(v)}})
		if err != nil || len(warnings) != want {
			t.Errorf("%s: %v %v, want %d", v, warnings, err, want)
		}
		for _, w := range warnings {
			if strings.Contains(w.Text, v) {
				t.Errorf("a warning says the value: %s", w.Text)
			}
		}
	}
}

func TestShortSecretsAreRefusedOrWarnedOf(t *testing.T) {
	if _, _, err := known.Build([]known.Entry{{Name: "pin", Value: []byte("12345")}}); err == nil || !strings.Contains(err.Error(), "pin") || strings.Contains(err.Error(), "12345") {
		t.Error(err)
	}
	_, w, err := known.Build([]known.Entry{{Name: "db", Value: []byte("hunter2")}})
	if err != nil || len(w) != 1 || w[0].Name != "db" {
		t.Error(w, err)
	}
	var none *known.Set
	if none.Find(nil, []byte("x")) != nil || none.Hold([]byte("x")) != 1 || none.Len() != 0 {
		t.Error("a nil set finds something")
	}
}

func text(n int) []byte {
	words := strings.Fields(`{"id": 12345, "name": "alice", "email": "alice@example.com", "created_at": "2026-01-02T03:04:05Z", "tags": ["a", "b"]} lorem ipsum dolor`)
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.Bytes()[:n]
}

func TestFindAllocatesNothing(t *testing.T) {
	if raced {
		t.Skip("sync.Pool forgets at random under the race detector")
	}
	s := build(t, canaries[0], canaries[1], "CAN-123", canaries[5])
	b64 := base64.StdEncoding.EncodeToString(text(48 << 10))
	for name, b := range map[string][]byte{
		"words": text(64 << 10), "wrapped": []byte(wrap(b64, 76, 76, "\r\n")), "soft breaks": bytes.ReplaceAll(text(64<<10), []byte{' '}, []byte("=\n")),
		"beginnings": bytes.Repeat([]byte("CANARY CANARY-tr0ub CAN-12"), 2000), "cut": []byte(wrap(b64, 76, 76, "\n")[:1001]),
	} {
		if got := s.Find(nil, b); len(got) > 0 {
			t.Fatalf("%s: %d findings", name, len(got))
		}
		if a := testing.AllocsPerRun(100, func() { s.Find(nil, b); s.Hold(b) }); a != 0 {
			t.Errorf("%s: %v allocations", name, a)
		}
	}
}

// TestFindAllFindsWhatEachSetFinds compares one look for several sets with a look for each.
func TestFindAllFindsWhatEachSetFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 7))
	values := []string{"Zt5Xq8Wn3Rv6Lk1Pd", "hunter2", "weir_X0LqIRI7x6sHftMQYaNGXjdz69zlRomW2mVbA3", "correct horse battery", "p4ssw0rd-of-db", strings.Repeat("0123456789abcdef", 12)}
	for range 3000 {
		var sets []*known.Set
		var all []string
		for range r.IntN(5) {
			var entries []known.Entry
			for range r.IntN(3) {
				v := values[r.IntN(len(values))]
				entries, all = append(entries, known.Entry{Name: "x", Value: []byte(v)}), append(all, v)
			}
			s, _, err := known.Build(entries)
			if err != nil {
				t.Fatal(err)
			}
			if r.IntN(9) == 0 {
				s = nil
			}
			sets = append(sets, s)
		}
		text := strings.Repeat("ordinary ", r.IntN(9))
		for _, v := range all {
			switch r.IntN(5) {
			case 0:
				text += v
			case 1:
				text += base64.StdEncoding.EncodeToString([]byte(v)) + " "
			case 2:
				wrapped := hex.EncodeToString([]byte("0123456789abcdefghijkl" + v + "0123456789abcdefghijkl"))
				text += wrapped[:44] + "\n" + wrapped[44:] + "\n"
			case 3:
				text += v[:len(v)/2] + "=\r\n" + v[len(v)/2:]
			}
			text += strings.Repeat("more text, ", r.IntN(4))
		}
		covered := func(spans []known.Span) []byte {
			c := make([]byte, len(text))
			for _, sp := range spans {
				for i := sp.Start; i < sp.End; i++ {
					c[i] = 1
				}
			}
			return c
		}
		var want []known.Span
		got := known.FindAll(nil, sets, []byte(text))
		for k, s := range sets {
			of := s.Find(nil, []byte(text))
			want = append(want, of...)
			mine := slices.DeleteFunc(slices.Clone(got), func(sp known.Span) bool { return sp.Set != k })
			if !bytes.Equal(covered(mine), covered(of)) {
				t.Fatalf("%q: set %d has %v, want %v", text, k, mine, of)
			}
		}
		if !slices.IsSortedFunc(got, func(a, b known.Span) int { return a.Start - b.Start }) {
			t.Fatalf("not ascending: %v", got)
		}
		if !bytes.Equal(covered(got), covered(want)) {
			t.Fatalf("%q: %v, want %v", text, got, want)
		}
	}
}
