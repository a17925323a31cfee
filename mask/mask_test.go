package mask_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"weir"
	"weir/mask"
	"weir/mask/detect"
	"weir/mask/known"
)

const canary = `CANARY-tr0ub4dor"&3/x`

func masker(t testing.TB) *mask.Masker {
	t.Helper()
	e, err := mask.New(mask.Config{Key: []byte("0123456789abcdef"), Fields: []string{"corp_ticket"}})
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := known.Build([]known.Entry{{Name: "credential", Value: []byte(canary)}})
	if err != nil {
		t.Fatal(err)
	}
	return e.Masker(set, nil)
}

// run masks text in pieces.
func run(t testing.TB, m *mask.Masker, f weir.Format, text string, cut func() int) string {
	t.Helper()
	var out bytes.Buffer
	w, err := m.Stream(&out, weir.Shape{Format: f}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for rest := text; rest != ""; {
		n := min(cut(), len(rest))
		if _, err := w.Write([]byte(rest[:n])); err != nil {
			t.Fatal(err)
		}
		if f != weir.FormatOpaque { // there it may show the first bytes of a secret
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func whole(t testing.TB, m *mask.Masker, f weir.Format, text string) string {
	return run(t, m, f, text, func() int { return len(text) })
}

var ids = regexp.MustCompile(`:[a-z2-7]{8}\]`)

// short leaves out fingerprints.
func short(s string) string { return ids.ReplaceAllString(s, "]") }

func esc(s string) string {
	b, _ := json.Marshal(s)
	return strings.Trim(string(b), `"`)
}

var jsonCases = map[string]string{
	`{"a": 1.50, "password" : "hunter2", "b":[true,null]}`:            `{"a": 1.50, "password" : "[masked:field]", "b":[true,null]}`,
	`{"p\u0061ssword":"hunter2"}`:                                     `{"p\u0061ssword":"[masked:field]"}`,
	`{"x":"` + esc(canary) + `"}`:                                     `{"x":"[masked:credential]"}`,
	`{"x":"a \u0043ANARY-tr0ub4dor\"&3\/x b"}`:                        `{"x":"a [masked:credential] b"}`,
	`{"token":12345678,"max_tokens":5,"secret":true}`:                 `{"token":"[masked:field]","max_tokens":5,"secret":true}`,
	`{"DB_PASSWORD":{"value":"x1","origin":"env"}}`:                   `{"DB_PASSWORD":{"value":"[masked:field]","origin":"env"}}`,
	`{"name":"DB_PASSWORD","value":"x1"}`:                             `{"name":"DB_PASSWORD","value":"[masked:field]"}`,
	`{"name":"PATH","value":"/bin"}`:                                  `{"name":"PATH","value":"/bin"}`,
	`{"Authorization":"Bearer abc"}`:                                  `{"Authorization":"Bearer [masked:field]"}`,
	`{"cmd":"psql --password hunter2 -h x"}`:                          `{"cmd":"psql --password [masked:field] -h x"}`,
	`{"url":"postgres://u:hunter2@h/d"}`:                              `{"url":"postgres://u:[masked:url-password]@h/d"}`,
	`{"j":"{\"password\":\"hunter2\",\"n\":1}"}`:                      `{"j":"{\"password\":\"[masked:field]\",\"n\":1}"}`,
	"{\"password\":\"a1\"}\n{\"n\":2}\n":                              "{\"password\":\"[masked:field]\"}\n{\"n\":2}\n",
	`{"corpTicket":"T"}`:                                              `{"corpTicket":"[masked:field]"}`,
	`{"password":"[masked:field:abcdefgh]"}`:                          `{"password":"[masked:field:abcdefgh]"}`,
	`{"password":""}`:                                                 `{"password":""}`,
	`{"b":"` + base64.StdEncoding.EncodeToString([]byte("u:"+canary)): `{"b":"d`,
	`{"password": hunter2, "x": 1}`:                                   `{"password": "[masked:field]"`,
	`{"password": "hunter2`:                                           `{"password": "[masked:field]`,
	`oops password=hunter2`:                                           `oops password=[masked:field]`,
}

func TestJSON(t *testing.T) {
	m := masker(t)
	for in, want := range jsonCases {
		got := short(whole(t, m, weir.FormatJSON, in))
		if strings.HasPrefix(want, `{"b":"d`) {
			if !strings.Contains(got, "[masked:credential]") {
				t.Errorf("base64 in %s: %s", in, got)
			}
			continue
		}
		if got != short(want) {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

var textCases = map[string]string{
	"DB_PASSWORD=hunter2\nPATH=/bin\n":                                  "DB_PASSWORD=[masked:field]\nPATH=/bin\n",
	"x " + canary + " y":                                                "x [masked:credential] y",
	"x " + url.QueryEscape(canary) + " y":                               "x [masked:credential] y",
	"key: " + "AKIA" + "QWERTYUIOPASDFGH\n":                             "key: [masked:aws-key-id]\n",
	"<a href='http://u:hunter2@h/'>":                                    "<a href='http://u:[masked:url-password]@h/'>",
	"Basic " + base64.StdEncoding.EncodeToString([]byte("app:"+canary)): "Basic [masked:credential]",
}

func TestText(t *testing.T) {
	m := masker(t)
	for in, want := range textCases {
		if got := short(whole(t, m, weir.FormatText, in)); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestForm(t *testing.T) {
	m := masker(t)
	for in, want := range map[string]string{
		"a=1&password=hun%74er2&b=x+y":      "a=1&password=%5Bmasked%3Afield%3A",
		"q=" + url.QueryEscape("x "+canary): "q=x+%5Bmasked%3Acredential%3A",
		"a=1&b=%zz&c":                       "a=1&b=%zz&c",
	} {
		got := whole(t, m, weir.FormatForm, in)
		if !strings.HasPrefix(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %s", in, got)
		}
		if _, err := url.ParseQuery(got); err != nil && !strings.Contains(in, "%zz") {
			t.Errorf("%s: %v", got, err)
		}
	}
}

func TestOpaqueKeepsTheLength(t *testing.T) {
	in := "\x89PNG\x00" + canary + "\x00\xff"
	want := "\x89PNG\x00" + strings.Repeat("*", len(canary)) + "\x00\xff"
	for n := 1; n < len(in); n++ {
		if got := run(t, masker(t), weir.FormatOpaque, in, func() int { return n }); got != want {
			t.Fatalf("%q", got)
		}
	}
}

// TestOpaqueBytesThatEndInASecretDoNotWait: one that is whole is passed on, masked, though a longer one or the next may begin in it.
func TestOpaqueBytesThatEndInASecretDoNotWait(t *testing.T) {
	const one, longer = "CANARY-whole-x7C", "CANARY-whole-x7C-and-longer"
	set, _, err := known.Build([]known.Entry{{Name: "one", Value: []byte(one)}, {Name: "longer", Value: []byte(longer)}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := mask.New(mask.Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	m := e.Masker(set)
	for _, behind := range []string{"", "!", longer[len(one):], longer[len(one):] + "!", longer[len(one):len(longer)-3] + "!", one[1:], one, "-and" + one} {
		all := "0123" + one + behind
		want := whole(t, m, weir.FormatOpaque, all)
		for n := 1; n <= max(1, len(behind)); n++ {
			var out bytes.Buffer
			w, err := m.Stream(&out, weir.Shape{Format: weir.FormatOpaque}, nil)
			if err != nil {
				t.Fatal(err)
			}
			write := func(s string) {
				if _, err := w.Write([]byte(s)); err != nil {
					t.Fatal(err)
				}
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(out.String(), "ARY-") {
					t.Errorf("%q came out", out.String())
				}
			}
			write("0123" + one)
			if got := out.String(); got != "0123"+strings.Repeat("*", len(one)) {
				t.Fatalf("came out: %q", got)
			}
			for rest := behind; rest != ""; rest = rest[min(n, len(rest)):] {
				write(rest[:min(n, len(rest))])
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			// The first bytes of what goes on may have been shown.
			got, masked := out.String(), 0
			for i := range min(len(got), len(all)) {
				if got[i] == '*' && want[i] != '*' || want[i] == '*' && got[i] != '*' && got[i] != all[i] {
					masked = -1000
				} else if got[i] != want[i] {
					masked++
				}
			}
			if len(got) != len(all) || masked < 0 || masked > 3 {
				t.Errorf("%q in pieces of %d: %q, at once %q", behind, n, got, want)
			}
		}
	}
}

// TestOpaqueBytesDoNotWaitForEver: what only may be the beginning of a secret is passed on when it is so short that it says nothing; of one that
// goes on behind it the rest is masked, however it comes.
func TestOpaqueBytesDoNotWaitForEver(t *testing.T) {
	for n := 1; n < len(canary); n++ {
		var out bytes.Buffer
		w, err := masker(t).Stream(&out, weir.Shape{Format: weir.FormatOpaque}, nil)
		if err != nil {
			t.Fatal(err)
		}
		write := func(s string) {
			if _, err := w.Write([]byte(s)); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		write("0123" + canary[:1])
		if got := out.String(); got != "0123"+canary[:1] {
			t.Fatalf("held back: %q", got)
		}
		for rest := canary[1:] + "\x00 and more"; rest != ""; rest = rest[min(n, len(rest)):] {
			write(rest[:min(n, len(rest))])
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); len(got) != len("0123"+canary+"\x00 and more") || strings.Contains(got, canary[3:7]) || !strings.HasSuffix(got, "*\x00 and more") {
			t.Errorf("in pieces of %d: %q", n, got)
		}
	}
}

func TestUnknownFormatsAreRefused(t *testing.T) {
	for _, f := range []weir.Format{weir.FormatUnknown, weir.FormatMultipart, 99} {
		if _, err := masker(t).Stream(&bytes.Buffer{}, weir.Shape{Format: f}, nil); err == nil {
			t.Errorf("format %d was accepted", f)
		}
	}
}

func TestValue(t *testing.T) {
	m := masker(t)
	for _, c := range [][3]string{
		{"Authorization", "Bearer abc", "Bearer [masked:field]"}, {"X-Api-Key", "k", "[masked:field]"}, {"Content-Type", "text/html", "text/html"},
		{"Cookie", "a=1; b=2", "a=[masked:cookie]; b=[masked:cookie]"}, {"Set-Cookie", "sid=abc; Path=/; HttpOnly", "sid=[masked:cookie]; Path=/; HttpOnly"},
		{"Location", "/cb?access_token=abc123&x=1", "/cb?access_token=[masked:field]&x=1"}, {"", "GET /x?token=abc123", "GET /x?token=[masked:field]"}, {"X-Echo", canary, "[masked:credential]"},
	} {
		if got := short(string(m.Value(nil, c[0], []byte(c[1]), nil))); got != c[2] {
			t.Errorf("%s: %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func TestTheSameSecretHasOneFingerprintEverywhere(t *testing.T) {
	m := masker(t)
	a := whole(t, m, weir.FormatText, canary)
	for _, in := range []string{url.QueryEscape(canary), esc(canary), base64.StdEncoding.EncodeToString([]byte("ab:" + canary))} {
		if got := whole(t, m, weir.FormatText, in); !strings.Contains(got, a) {
			t.Errorf("%s: %s, want %s", in, got, a)
		}
	}
}

func TestAnySplitGivesTheSame(t *testing.T) {
	m := masker(t)
	check := func(f weir.Format, in string) {
		want := whole(t, m, f, in)
		if again := whole(t, m, f, want); again != want {
			t.Errorf("not idempotent: %s\n%s\n%s", in, want, again)
		}
		for i := 1; i < len(in); i++ {
			first := true
			got := run(t, m, f, in, func() int {
				if first {
					first = false
					return i
				}
				return len(in)
			})
			if got != want {
				t.Fatalf("format %d cut at %d of %q:\n got %s\nwant %s", f, i, in, got, want)
			}
		}
		if got := run(t, m, f, in, func() int { return 1 }); got != want {
			t.Fatalf("format %d byte by byte %q:\n got %s\nwant %s", f, in, got, want)
		}
	}
	all := ""
	for in := range jsonCases {
		check(weir.FormatJSON, in)
		all += in + "\n"
	}
	for in := range textCases {
		check(weir.FormatText, in)
		all += in + "\n"
	}
	check(weir.FormatText, all)
	check(weir.FormatForm, "a=1&password=hun%74er2&b="+url.QueryEscape(canary)+"&c")
}

func TestLongValuesNeitherLeakNorPileUp(t *testing.T) {
	m := masker(t)
	secret := strings.Repeat("Zx9", 100_000)
	for name, c := range map[string]struct {
		f  weir.Format
		in string
	}{
		"json secret": {weir.FormatJSON, `{"password":"` + secret + `","a":1}`},
		"line":        {weir.FormatText, "password: " + secret + "\na: 1"},
		"quoted":      {weir.FormatText, `x password="` + secret + `" a: 1`},
		"key":         {weir.FormatText, "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY----- a: 1"},
		"token":       {weir.FormatText, "x ghp_" + secret + " a: 1"},
	} {
		for _, n := range []int{1 << 20, 1000, 4096} {
			got := run(t, m, c.f, c.in, func() int { return n })
			if strings.Contains(got, "Zx9") || len(got) > 200 || !strings.Contains(got, "1") {
				t.Errorf("%s in pieces of %d: %d bytes: %.120q", name, n, len(got), got)
			}
		}
	}
}

func TestAStreamIsMaskedInConstantMemory(t *testing.T) {
	w, err := masker(t).Stream(discard{}, weir.Shape{Format: weir.FormatJSON}, nil)
	if err != nil {
		t.Fatal(err)
	}
	chunk := []byte(strings.Repeat("lorem ipsum ", 4000))
	fmt.Fprint(w, `{"x":"`)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 1500 {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("grew by %d bytes over 72 MB", grown)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func FuzzJSON(f *testing.F) {
	m := masker(f)
	for in := range jsonCases {
		f.Add(in, 3)
	}
	f.Fuzz(func(t *testing.T, in string, n int) {
		out := run(t, m, weir.FormatJSON, in, func() int { return max(1, n%50) })
		if json.Valid([]byte(in)) && !json.Valid([]byte(out)) {
			t.Fatalf("valid JSON became invalid: %q: %q", in, out)
		}
		planted, _ := json.Marshal(map[string]string{in: "x " + canary, "y": canary + in})
		if out := whole(t, m, weir.FormatJSON, string(planted)); strings.Contains(out, canary) || strings.Contains(out, esc(canary)) || !json.Valid([]byte(out)) {
			t.Fatalf("%s: %s", planted, out)
		}
	})
}

func FuzzForm(f *testing.F) {
	m := masker(f)
	f.Add("a", "b")
	f.Fuzz(func(t *testing.T, name, value string) {
		in := url.Values{name: {value + canary}, "password": {value}}.Encode()
		out := whole(t, m, weir.FormatForm, in)
		q, err := url.ParseQuery(out)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(fmt.Sprint(q), canary) {
			t.Fatalf("%s: %s", in, out)
		}
	})
}

func records(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteByte('[')
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"id": %d, "name": "user %d", "email": "user%d@example.com", "created_at": "2026-01-02T03:04:05Z", "balance": %d.50, "active": true, "tags": ["a", "b"], "note": "lorem ipsum dolor sit amet, consectetur"`,
			i, i, i, r.IntN(1000))
		if i%50 == 0 {
			fmt.Fprintf(&b, `, "api_key": "k%x"`, r.Uint64())
		}
		b.WriteString("},\n")
	}
	b.WriteString("{}]")
	return b.Bytes()
}

func BenchmarkStream(b *testing.B) {
	m := masker(b)
	big := records(10 << 20)
	for name, c := range map[string]struct {
		f  weir.Format
		in []byte
		n  int
	}{
		"json 10MB": {weir.FormatJSON, big, 32 << 10}, "text 10MB": {weir.FormatText, big, 32 << 10}, "json small": {weir.FormatJSON, big[1:280], 32 << 10},
		"json of one name":        {weir.FormatJSON, []byte("{" + strings.Repeat(`"token":"x1",`, 80000) + `"a":1}`), 32 << 10},
		"json of one name's name": {weir.FormatJSON, []byte("{" + strings.Repeat(`"password":"password",`, 50000) + `"a":1}`), 32 << 10},
		"text of one name":        {weir.FormatText, []byte(strings.Repeat("password: password:\n", 50000)), 32 << 10},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(c.in)))
			b.ReportAllocs()
			for b.Loop() {
				w, _ := m.Stream(discard{}, weir.Shape{Format: c.f}, nil)
				for rest := c.in; len(rest) > 0; {
					k := min(c.n, len(rest))
					_, _ = w.Write(rest[:k])
					rest = rest[k:]
				}
				_ = w.Close()
			}
		})
	}
}

func TestPairsOfNameAndValueInText(t *testing.T) {
	e, err := mask.New(mask.Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	m := e.Masker()
	for _, in := range []string{
		"[{Name:DB_PASSWORD Value:CANARY1 ValueFrom:nil} {Name:HOST Value:SAFE}]",
		"env:\n- name: DB_PASSWORD\n  value: CANARY 1\n- name: HOST\n  value: SAFE\n",
		"  - name: \"API_KEY\"\n    value: \"CANARY1\"\nSAFE",
		`{\"name\":\"DB_PASSWORD\",\"value\":\"CANARY1\"} SAFE`,
		`Name="secret_key", Value="CANARY1", SAFE`,
		"key=api_key value=CANARY1 SAFE",
	} {
		for _, step := range []int{1, 5, 1 << 20} {
			if out := markup(t, m, weir.FormatText, in, step); strings.Contains(out, "CANARY") || !strings.Contains(out, "SAFE") {
				t.Errorf("%q\nbecame %q", in, out)
			}
		}
	}
	for _, in := range []string{"name: password reset\nvalues: 3\n", "key: token, valued at 3", "name=token", "Name:password ValueFrom:nil"} {
		if out := markup(t, m, weir.FormatText, in, 3); out != in {
			t.Errorf("%q\nbecame %q", in, out)
		}
	}
}

func TestCustomDetectorsMask(t *testing.T) {
	e, err := mask.New(mask.Config{Key: make([]byte, 32), Custom: []detect.Custom{{Name: "acme-token", Regex: `acme_[a-z0-9]{8}`}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, shape := range map[string]weir.Shape{"text": {Format: weir.FormatText}, "json": {Format: weir.FormatJSON}, "form": {Format: weir.FormatForm}} {
		in := map[string]string{"text": "x acme_abcd1234 y\n", "json": `{"x":["y acme_abcd1234"]}`, "form": "x=y+acme_abcd1234&z=1"}[name]
		var out strings.Builder
		tally := &weir.Tally{}
		w, err := e.Masker().Stream(&out, shape, tally)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, in); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "acme_abcd1234") || tally.Total() != 1 {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}
