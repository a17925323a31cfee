package known_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"weir/mask/known"
)

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

// encodings are made by the standard library, not by the package under test.
func encodings(t testing.TB, v string) map[string]string {
	t.Helper()
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	u16 := []byte{}
	for _, r := range v {
		u16 = append(u16, byte(r), byte(r>>8))
	}
	rev := []byte{}
	for i := len(v) - 1; i >= 0; i-- {
		rev = append(rev, v[i])
	}
	m := map[string]string{
		"raw": v, "query": url.QueryEscape(v), "path": url.PathEscape(v), "json": strings.Trim(string(j), `"`), "html": html.EscapeString(v),
		"sql": strings.ReplaceAll(v, "'", "''"), "hex": hex.EncodeToString([]byte(v)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(v))),
		"utf-16": string(u16), "reversed": string(rev),
	}
	for _, user := range []string{"", "u", "ab", "abc", "service-account"} {
		m["basic "+user] = base64.StdEncoding.EncodeToString([]byte(user + ":" + v))
		m["url basic "+user] = base64.URLEncoding.EncodeToString([]byte(user + ":" + v + "\n"))
	}
	return m
}

var canaries = []string{"CANARY-tr0ub4dor&3", `CANARY "q" 'a' \ <&> /+=`, "CANARY", "CANARYx", "CANARY-a-rather-long-secret-with-many-bytes-0123456789"}

func TestEveryEncodingIsFoundAtEveryAlignment(t *testing.T) {
	for _, v := range canaries {
		s := build(t, v)
		for name, enc := range encodings(t, v) {
			for pad := range 20 {
				text := []byte(strings.Repeat(".", pad) + enc + "....")
				if len(s.Find(nil, text)) == 0 {
					t.Fatalf("%q as %s at %d is missed: %q", v, name, pad, enc)
				}
			}
		}
	}
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
	s, b := build(t, canaries...), text(64<<10)
	if a := testing.AllocsPerRun(10, func() { s.Find(nil, b); s.Hold(b) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{1, 20, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var values []string
			r := rand.New(rand.NewPCG(3, 4))
			for range n {
				values = append(values, fmt.Sprintf("CANARY%016x%016x", r.Uint64(), r.Uint64()))
			}
			s, t := build(b, values...), text(64<<10)
			b.SetBytes(int64(len(t)))
			for b.Loop() {
				s.Find(nil, t)
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		build(b, canaries[0], canaries[4])
	}
}
