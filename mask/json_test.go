package mask_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf16"

	"weir"
)

// piece is a part of a JSON text and, where it spells a secret, what is to stand in its place.
type piece struct{ raw, mask string }

// generator makes JSON texts with secrets at random places.
type generator struct {
	r *rand.Rand
	p []piece
}

func (g *generator) raw(s string) { g.p = append(g.p, piece{raw: s}) }

func (g *generator) secret(raw, mask string) { g.p = append(g.p, piece{raw, mask}) }

func (g *generator) space() {
	g.raw([]string{"", "", "", " ", "\n\t", "\r\n"}[g.r.IntN(6)])
}

// spell writes s as the inside of a JSON string, with escapes of which most need not be.
func (g *generator) spell(s string, often bool) string {
	var b strings.Builder
	for _, c := range s {
		needs := c == '"' || c == '\\' || c < ' '
		short := map[rune]string{'"': `\"`, '\\': `\\`, '/': `\/`, '\n': `\n`, '\t': `\t`, '\r': `\r`}[c]
		switch n := g.r.IntN(20); {
		case short != "" && (needs || often) && n < 14:
			b.WriteString(short)
		case needs || often && n < 6:
			format := []string{`\u%04x`, `\u%04X`}[n%2]
			for _, u := range utf16.Encode([]rune{c}) {
				fmt.Fprintf(&b, format, u)
			}
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

var cleanTexts = []string{"", "a", "ordinary", "naïve café", "x/y/z", "two\nlines\tand \"quotes\"", "back\\slash", "😀 emoji 😀", "[not json", "{neither}", "2026-01-02T03:04:05Z", "\u2028 \u007f", "a sentence of more than four words",
	"[masked:field:abcdefgh]", "https://example.com/a?b=c&d"}

// str writes a string in which the canary may stand.
func (g *generator) str(plant bool) {
	often := g.r.IntN(3) == 0
	clean := func() { g.raw(g.spell(cleanTexts[g.r.IntN(len(cleanTexts))], often)) }
	g.raw(`"`)
	clean()
	for plant && g.r.IntN(3) == 0 {
		g.raw(" ")
		g.secret(g.spell(canary, often || g.r.IntN(2) == 0), "[masked:credential]")
		g.raw(" ")
		clean()
	}
	g.raw(`"`)
}

func (g *generator) value(depth, nested int) {
	switch n := g.r.IntN(14); {
	case depth > 0 && n < 3:
		g.object(depth-1, nested)
	case depth > 0 && n < 5:
		g.raw("[")
		for i := range g.r.IntN(4) {
			if i > 0 {
				g.raw(",")
			}
			g.space()
			g.value(depth-1, nested)
			g.space()
		}
		g.raw("]")
	case nested > 0 && n < 7:
		g.nested(depth, nested-1)
	case n < 9:
		g.raw([]string{"0", "-1.5e+10", "true", "false", "null", "1234567"}[g.r.IntN(6)])
	default:
		g.str(true)
	}
}

// nested writes JSON inside a string.
func (g *generator) nested(depth, nested int) {
	in := &generator{r: g.r}
	in.object(max(depth, 1), nested)
	often := g.r.IntN(3) == 0
	g.raw(`"`)
	for _, p := range in.p {
		if p.mask == "" {
			g.raw(g.spell(p.raw, often))
		} else {
			g.secret(g.spell(p.raw, often), strings.ReplaceAll(strings.ReplaceAll(p.mask, `\`, `\\`), `"`, `\"`))
		}
	}
	g.raw(`"`)
}

func (g *generator) object(depth, nested int) {
	g.raw("{")
	for i := range 1 + g.r.IntN(4) {
		if i > 0 {
			g.raw(",")
		}
		g.space()
		switch n := g.r.IntN(10); n {
		case 0:
			g.raw(`"` + g.spell("password", n%2 == 0) + `":`)
			g.space()
			g.raw(`"`)
			g.secret(g.spell("pä/ss\"w0rd", true), "[masked:field]")
			g.raw(`"`)
		case 1:
			g.raw(`"api_token":`)
			g.space()
			g.secret("1234567.5", `"[masked:field]"`)
		case 2:
			g.raw(`"Authorization":"` + g.spell("Bearer ", true))
			g.secret(g.spell("abc/déf", true), "[masked:field]")
			g.raw(`"`)
		case 3:
			g.raw(`"name":"` + g.spell("DB_PASSWORD", true) + `","type":"secretive","value":"`)
			g.secret("x1", "[masked:field]")
			g.raw(`"`)
		case 4: // a name that holds a secret
			g.raw(`"name of `)
			g.secret(g.spell(canary, g.r.IntN(2) == 0), "[masked:credential]")
			g.raw(`":1`)
		default:
			g.raw(`"` + g.spell([]string{"id", "note", "a rather long name of a member, too long", "é", "x"}[g.r.IntN(5)], g.r.IntN(4) == 0) + `"`)
			g.space()
			g.raw(":")
			g.space()
			g.value(depth, nested)
		}
		g.space()
	}
	g.raw("}")
}

// text returns what was made and how it is to be masked.
func (g *generator) text() (in, want string) {
	for _, p := range g.p {
		in += p.raw
		if p.mask == "" {
			p.mask = p.raw
		}
		want += p.mask
	}
	return in, want
}

// TestJSONChangesOnlyTheBytesOfSecrets makes JSON of which it knows where secrets are spelled: there stand placeholders, and all else
// is the same byte for byte, wherever the input is cut.
func TestJSONChangesOnlyTheBytesOfSecrets(t *testing.T) {
	m := masker(t)
	r := rand.New(rand.NewPCG(3, 4))
	secrets, nested := 0, 0
	for n := range 1500 {
		g := &generator{r: r}
		for range 1 + r.IntN(3) { // NDJSON, JSON text sequences
			g.raw([]string{"", "\n", "\x1e"}[r.IntN(3)])
			g.object(1+r.IntN(3), r.IntN(4))
			g.raw([]string{"", "\n"}[r.IntN(2)])
		}
		in, want := g.text()
		secrets += strings.Count(want, "[masked:credential]")
		nested += strings.Count(want, `\"[masked:field]\"`)
		want = short(want)
		check := func(how string, cut func() int) {
			if got := short(run(t, m, weir.FormatJSON, in, cut)); got != want {
				t.Fatalf("%d, %s: %s\n got %s\nwant %s", n, how, in, got, want)
			}
		}
		check("whole", func() int { return len(in) })
		check("byte by byte", func() int { return 1 })
		check("at random", func() int { return 1 + r.IntN(60) })
		for cut := 1; cut < len(in) && n < 60; cut++ {
			next := cut
			check(fmt.Sprint("cut at ", cut), func() int { k := next; next = len(in); return k })
		}
		for _, v := range strings.Split(in, "\x1e") {
			d := json.NewDecoder(strings.NewReader(v))
			for d.More() {
				var x any
				if err := d.Decode(&x); err != nil {
					t.Fatalf("the test makes no JSON: %v: %s", err, in)
				}
			}
		}
	}
	if secrets < 1000 || nested < 50 {
		t.Errorf("only %d secrets and %d numbers in nested JSON", secrets, nested)
	}
}

// TestJSONKnowsHowManyBytesWereReplaced compares the tally with the texts.
func TestJSONKnowsHowManyBytesWereReplaced(t *testing.T) {
	m := masker(t)
	r := rand.New(rand.NewPCG(5, 6))
	for range 1000 {
		g := &generator{r: r}
		g.object(3, 3)
		in, _ := g.text()
		want := 0
		for _, p := range g.p {
			if p.mask != "" {
				want += len(p.raw)
			}
		}
		var tally weir.Tally
		w, err := m.Stream(discard{}, weir.Shape{Format: weir.FormatJSON}, &tally)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(in))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if int(tally.Bytes()) != want {
			t.Fatalf("%d bytes, want %d: %s", tally.Bytes(), want, in)
		}
	}
}

// TestLongStringsStayValidJSON has strings too long to hold, in which secrets stand beside escapes.
func TestLongStringsStayValidJSON(t *testing.T) {
	m := masker(t)
	r := rand.New(rand.NewPCG(7, 8))
	for n := range 12 {
		g := &generator{r: r}
		g.raw(`{"x":"`)
		for size := 0; size < 100_000; {
			text := g.spell(cleanTexts[r.IntN(len(cleanTexts))]+" lorem ipsum dolor sit amet ", n%2 == 0)
			g.raw(text)
			size += len(text)
			switch r.IntN(200) {
			case 0:
				g.secret(g.spell(canary, true), "[masked:credential]")
			case 1:
				g.raw(` password=`)
				g.secret("hunter2é", "[masked:field]")
				g.raw(`\"`)
			case 2:
				g.raw(` password=\"`)
				g.secret(g.spell("hunter2 é", true), "[masked:field]")
				g.raw(`\" `)
			}
		}
		g.raw(`","password":"x1y2"}`)
		in, want := g.text()
		want = strings.Replace(short(want), "x1y2", "[masked:field]", 1)
		for _, size := range []int{1 << 20, 32 << 10, 1000, 7} {
			got := run(t, m, weir.FormatJSON, in, func() int { return size })
			if !json.Valid([]byte(got)) || short(got) != want {
				for i := range got {
					if i >= len(want) || short(got)[i] != want[i] {
						t.Fatalf("%d, in pieces of %d, at %d:\n got %.200q\nwant %.200q", n, size, i, short(got)[max(0, i-50):], want[max(0, i-50):])
					}
				}
			}
		}
	}
}

// TestALongSecretInJSONCountsItsBytes drops one that is too long to hold.
func TestALongSecretInJSONCountsItsBytes(t *testing.T) {
	in := `{"x":"ghp_` + strings.Repeat("Zx9", 100_000) + `","y":1}`
	var tally weir.Tally
	var out bytes.Buffer
	w, err := masker(t).Stream(&out, weir.Shape{Format: weir.FormatJSON}, &tally)
	if err != nil {
		t.Fatal(err)
	}
	for rest := in; rest != ""; rest = rest[min(1000, len(rest)):] {
		_, _ = w.Write([]byte(rest[:min(1000, len(rest))]))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), `","y":1}`) || strings.Contains(out.String(), "Zx9") || tally.Bytes() != 300_004 {
		t.Errorf("%d bytes: %.100s", tally.Bytes(), out.String())
	}
}

// TestPrivateKeysInJSON masks the private parts of JSON Web Keys, in whatever order their members come, and nothing else.
func TestPrivateKeysInJSON(t *testing.T) {
	const d, k = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT", "GawgguFyGrWKav7AX4VKUg1oR5Ys2dLq8uEwZx3bNcM"
	for name, c := range map[string]struct{ in, want string }{
		"an elliptic curve's": {`{"kty":"EC","crv":"P-256","x":"` + k + `","d":"` + d + `","kid":"1"}`, `{"kty":"EC","crv":"P-256","x":"` + k + `","d":"[masked:jwk]","kid":"1"}`},
		"sorted":              {`{"alg":"RS256","d":"` + d + `","kty":"RSA","n":"` + d + `","p":"` + k + `","q":"` + k + `"}`, `{"alg":"RS256","d":"[masked:jwk]","kty":"RSA","n":"` + d + `","p":"[masked:jwk]","q":"[masked:jwk]"}`},
		"symmetric":           {`{"kty":"oct","k":"` + k[:22] + `"}`, `{"kty":"oct","k":"[masked:jwk]"}`},
		"in a set":            {`{"keys":[{"kty":"OKP","d":"` + k + `"},{"d":"short","q":"a question"}]}`, `{"keys":[{"kty":"OKP","d":"[masked:jwk]"},{"d":"short","q":"a question"}]}`},
		"a drawing":           {`{"d":"M10 10 L20 20 C10 10 20 20 30 30 Z M1 1 L2 2 Z","k":"v"}`, ""},
		"a digest":            {`{"d":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`, ""},
		"words":               {`{"q":"how-to-mask-everything-that-is-secret-in-what-comes-back"}`, ""},
		"another object's":    {`[{"kty":"EC"},{"q":"Zt5Xq8Wn3Rv6Lk1PdZt5Xq8"}]`, ""},
	} {
		if c.want == "" {
			c.want = c.in
		}
		if got := short(run(t, masker(t), weir.FormatJSON, c.in, func() int { return 7 })); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
