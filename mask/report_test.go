package mask_test

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"weir"
	"weir/mask"
)

// report masks in, in pieces of n bytes, and returns what the findings cut out of it.
func report(t *testing.T, m *mask.Masker, shape weir.Shape, in string, n int) (cut []string, found []weir.Finding, out string) {
	t.Helper()
	var masked strings.Builder
	w, err := m.StreamReport(&masked, shape, &weir.Tally{}, mask.Report{Found: func(f weir.Finding) error {
		found = append(found, f)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for rest := in; rest != ""; {
		k := min(n, len(rest))
		if _, err := io.WriteString(w, rest[:k]); err != nil {
			t.Fatalf("pieces of %d: %v", n, err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		rest = rest[k:]
	}
	if err := w.Close(); err != nil {
		t.Fatalf("pieces of %d: %v", n, err)
	}
	for _, f := range found {
		if f.Start < 0 || f.End > int64(len(in)) || f.Start >= f.End {
			t.Fatalf("pieces of %d: %+v in %d bytes", n, f, len(in))
		}
		cut = append(cut, in[f.Start:f.End])
		if want := int64(1 + strings.Count(in[:f.Start], "\n")); f.Line != want {
			t.Errorf("pieces of %d: %+v stands in line %d", n, f, want)
		}
	}
	return cut, found, masked.String()
}

func TestReportCutsOutExactlyTheSecrets(t *testing.T) {
	text := func(map[string][]string) (weir.Shape, error) { return weir.Shape{Format: weir.FormatText}, nil }
	long := strings.Repeat("Zx9", 30_000)
	pem := "-----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat("MIIEowIBAAKCAQEAx7Zq\n", 1500) + "-----END RSA PRIVATE KEY-----"
	for name, c := range map[string]struct {
		shape weir.Shape
		in    string
		want  []string
	}{
		"text":              {weir.Shape{Format: weir.FormatText}, "a\npassword=hunter2\n\n" + canary + " b\nurl http://u:s3cr3t@h/\n", []string{"hunter2", canary, "s3cr3t"}},
		"text, twice":       {weir.Shape{Format: weir.FormatText}, "password=hunter2\npassword=hunter2\n", []string{"hunter2", "hunter2"}},
		"text, no secret":   {weir.Shape{Format: weir.FormatText}, "a masked [masked: and [masked \"[masked:field:abcdefgh] %5Bmasked %5Bmasked%3A", nil},
		"text, key":         {weir.Shape{Format: weir.FormatText}, "x\n" + pem + "\npassword=hunter2\n", []string{pem, "hunter2"}},
		"text, long token":  {weir.Shape{Format: weir.FormatText}, "x ghp_" + long + "\ny\n", []string{"ghp_" + long}},
		"json":              {weir.Shape{Format: weir.FormatJSON}, `{"a":"b","password":"hunter2","l":["x",{"token":"abc-DEF"}]}`, []string{"hunter2", "abc-DEF"}},
		"json, number":      {weir.Shape{Format: weir.FormatJSON}, `{"token":12345678,"secret":"12345678","b":{"secret":[87654321]}}`, []string{"12345678", "12345678", "87654321"}},
		"json, scheme":      {weir.Shape{Format: weir.FormatJSON}, `{"Authorization":"Bearer abc.def"}`, []string{"abc.def"}},
		"json, escape":      {weir.Shape{Format: weir.FormatJSON}, `{"password":"hun\u0074er2\n","x":1}`, []string{`hun\u0074er2\n`}},
		"json, long":        {weir.Shape{Format: weir.FormatJSON}, `{"password":"` + long + `","token":"abc-DEF"}`, []string{long, "abc-DEF"}},
		"json, around":      {weir.Shape{Format: weir.FormatJSON}, `{"x":"\u0041\/ password=hun\u0074er2 \ud83d\ude00\/ password=hunter3","y":"\/"}`, []string{`hun\u0074er2`, "hunter3"}},
		"json in json":      {weir.Shape{Format: weir.FormatJSON}, `{"j":"{\"a\":\"\u0041\/\",\"password\":\"hunter2\",\"token\":12345678,\"k\":\"{\\\"secret\\\":87654321}\"}","token":"abc-DEF"}`, []string{"hunter2", "12345678", "87654321", "abc-DEF"}},
		"json, held":        {weir.Shape{Format: weir.FormatJSON}, `{"x":"a ` + esc(canary) + ` b"}`, []string{esc(canary)}},
		"json, long text":   {weir.Shape{Format: weir.FormatJSON}, `{"x":"` + strings.Repeat(`a\/ `, 20_000) + ` password=hunter2 \/","token":"abc-DEF"}`, []string{"hunter2", "abc-DEF"}},
		"json, long run":    {weir.Shape{Format: weir.FormatJSON}, `{"x":"` + strings.Repeat(`a\/ `, 20_000) + ` ghp_` + long + ` x","token":"abc-DEF"}`, []string{"ghp_" + long, "abc-DEF"}},
		"json, broken":      {weir.Shape{Format: weir.FormatJSON}, "{\"password\": hunter2, \"x\": 1}\npassword=hunter3\n", []string{`hunter2, "x": 1}`, "hunter3"}},
		"json, lines":       {weir.Shape{Format: weir.FormatJSON}, "{\"password\":\"a1\"}\n{\"n\":2}\n{\"password\":\"a2\"}\n", []string{"a1", "a2"}},
		"form":              {weir.Shape{Format: weir.FormatForm}, "a%2fb=%7e+&password=hun%74er2&q=a%2fb+" + url.QueryEscape(canary) + "%2f", []string{"hun%74er2", url.QueryEscape(canary)}},
		"html":              {weir.Shape{Format: weir.FormatHTML}, "<table><tr><td>DB_PASSWORD</td><td> hunter2 </td></tr></table><p>token=abcdefgh1234 <a href='http://u:s3cr3t@h'>", []string{"hunter2", "abcdefgh1234", "s3cr3t"}},
		"xml":               {weir.Shape{Format: weir.FormatXML}, "<c>\n<x>password=hunter3</x><password>hunter2</password><b secret='hunter2'/>\n</c>", []string{"hunter3", "hunter2", "hunter2"}},
		"xml, in a value":   {weir.Shape{Format: weir.FormatXML}, "<db><a>x</a><password=q1w2e3r4t5>tr0ub4dord hunte</db>token=a1b2c3d4e5<token>q9w8e7r6t5y4</token>", []string{"q1w2e3r4t5>tr0ub4dord hunte", "a1b2c3d4e5", "q9w8e7r6t5y4"}},
		"xml, long":         {weir.Shape{Format: weir.FormatXML}, "<c><x>password=hunter3</x><password>" + long + "</password><token>abc-DEF</token></c>", []string{"hunter3", long, "abc-DEF"}},
		"events":            {weir.Shape{Format: weir.FormatSSE}, "data: {\"password\":\"hunter2\"}\n\ndata: password=hunter3\n\n", []string{"hunter2", "hunter3"}},
		"multipart":         {weir.Shape{Format: weir.FormatMultipart, Boundary: "B", Part: text}, "--B\r\nX-Api-Key:  \tabc \r\n\r\nx\r\n--B\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n" + long + "\r\n--B--\r\n", []string{"abc", long}},
		"text, bracket":     {weir.Shape{Format: weir.FormatText}, "password=\"[mask1ng! x\" end\n", []string{"[mask1ng! x"}},
		"text, masked once": {weir.Shape{Format: weir.FormatText}, "password=[masked:field:abcdefgh]\npassword=hunter2\n", []string{"hunter2"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := masker(t)
			for _, n := range []int{1, 2, 3, 7, 64, 1400, 1 << 20} {
				if n < 64 && len(c.in) > 10_000 {
					continue
				}
				cut, found, out := report(t, m, c.shape, c.in, n)
				if fmt.Sprintf("%.40q", cut) != fmt.Sprintf("%.40q", c.want) || strings.Join(cut, "\x00") != strings.Join(c.want, "\x00") {
					t.Errorf("pieces of %d: cut out %.40q, want %.40q", n, cut, c.want)
				}
				for _, f := range found {
					if !strings.Contains(out, f.Kind) || !strings.Contains(out, f.Fingerprint) || !strings.HasSuffix(f.Rule, "/"+f.Kind) {
						t.Errorf("%+v is not of %.200s", f, out)
					}
				}
			}
		})
	}
}

// TestReportOfItsOwnOutputIsEmpty feeds a masked text in again, before the clear one: the placeholder that stands there already is none of its own.
func TestReportOfItsOwnOutputIsEmpty(t *testing.T) {
	m := masker(t)
	clear := "password=hunter2\n" + canary + "\n"
	_, _, out := report(t, m, weir.Shape{Format: weir.FormatText}, clear, 64)
	if cut, _, _ := report(t, m, weir.Shape{Format: weir.FormatText}, out, 64); len(cut) > 0 {
		t.Errorf("%q", cut)
	}
	cut, found, _ := report(t, m, weir.Shape{Format: weir.FormatText}, out+clear, 64)
	if strings.Join(cut, " ") != "hunter2 "+canary || found[0].Start != int64(len(out)+len("password=")) {
		t.Errorf("%q %+v", cut, found)
	}
}

// TestReportTellsAtOnce writes text in which words of placeholders stand without being any: they must not hold a finding back.
func TestReportTellsAtOnce(t *testing.T) {
	told := 0
	w, err := masker(t).StreamReport(io.Discard, weir.Shape{Format: weir.FormatText}, nil, mask.Report{Found: func(weir.Finding) error {
		told++
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range []string{"password=hunter2\n", "masked password=hunter2 masked\n", "[masked] password=hunter2 [masked] x\n", "password=hunter2\n"} {
		if _, err := io.WriteString(w, line); err != nil || told != i+1 {
			t.Errorf("%d findings behind %q, %v", told, line, err)
		}
	}
}

func TestReportSaysWhichFamilyFoundIt(t *testing.T) {
	_, found, _ := report(t, masker(t), weir.Shape{Format: weir.FormatText}, "password=hunter2\nurl http://u:s3cr3t@h/\nx "+canary+" y\n", 64)
	var rules []string
	for _, f := range found {
		rules = append(rules, f.Rule)
	}
	if got := strings.Join(rules, " "); got != "name/field place/url-password known/credential" {
		t.Error(got)
	}
}

func TestReportEndsTheStreamWithItsError(t *testing.T) {
	full := errors.New("disk full")
	w, err := masker(t).StreamReport(io.Discard, weir.Shape{Format: weir.FormatText}, nil, mask.Report{Found: func(weir.Finding) error { return full }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(w, "password=hunter2\nmore\n")
	if err = errors.Join(err, w.Close()); !errors.Is(err, full) {
		t.Error(err)
	}
	if _, err := masker(t).StreamReport(io.Discard, weir.Shape{Format: weir.FormatOpaque}, nil, mask.Report{}); err == nil {
		t.Error("a report of opaque bytes")
	}
}

// TestReportHoldsNoMoreThanIsUndecided reads a key without an end: what is dropped of it is not kept.
func TestReportHoldsNoMoreThanIsUndecided(t *testing.T) {
	var at int64
	w, err := masker(t).StreamReport(io.Discard, weir.Shape{Format: weir.FormatText}, nil, mask.Report{
		Found: func(weir.Finding) error { return nil },
		Size:  func(b []byte) int64 { at += int64(len(b)); return int64(len(b)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	wrote := int64(0)
	for i := range 200 {
		line := "-----BEGIN RSA PRIVATE KEY-----\n"
		if i > 0 {
			line = strings.Repeat("MIIEowIBAAKCAQEAx7Zq\n", 100)
		}
		n, err := io.WriteString(w, line)
		if err != nil {
			t.Fatal(err)
		}
		if wrote += int64(n); wrote-at > 64<<10 {
			t.Fatalf("holds %d bytes after %d", wrote-at, wrote)
		}
	}
	if err := w.Close(); err != nil || at != wrote {
		t.Errorf("%v, %d of %d", err, at, wrote)
	}
}

// FuzzReport checks that the findings of any input are the places where its output differs from it.
func FuzzReport(f *testing.F) {
	for in := range jsonCases {
		f.Add(uint8(0), uint16(7), in)
	}
	for in := range textCases {
		f.Add(uint8(1), uint16(7), in)
	}
	f.Add(uint8(2), uint16(3), "<c><password>hunter2</password><x a='password=hunter2'>password=hunter2</x></c>")
	f.Add(uint8(3), uint16(3), "password=hun%74er2&q=a%2fb+http%3A%2F%2Fu%3Ahunter2%40h")
	f.Add(uint8(4), uint16(3), "data: {\"password\":12345678}\n\ndata: password=hunter2\n\n")
	formats := []weir.Format{weir.FormatJSON, weir.FormatText, weir.FormatHTML, weir.FormatForm, weir.FormatSSE}
	m := masker(f)
	f.Fuzz(func(t *testing.T, format uint8, piece uint16, in string) {
		_, found, out := report(t, m, weir.Shape{Format: formats[int(format)%len(formats)]}, in, int(piece)+1)
		at, rest := int64(0), out
		for _, x := range found {
			if x.Start < at {
				t.Fatalf("%+v begins before %d", x, at)
			}
			literal := in[at:x.Start]
			if !strings.HasPrefix(rest, literal) {
				t.Fatalf("%q in %q is not what comes out: %q", literal, in, rest)
			}
			rest = rest[len(literal):]
			i := strings.Index(rest, x.Fingerprint)
			if i < 0 || i > 60 {
				t.Fatalf("%+v is not where it should be in %q", x, rest)
			}
			added := strings.HasPrefix(rest, `"`) && in[x.Start] != '"'
			rest = strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(rest[i+len(x.Fingerprint):], "]"), "%5D"), `\`)
			next := strings.TrimLeft(in[x.End:], `\`)
			if added || !strings.HasPrefix(rest, next[:min(1, len(next))]) {
				rest = strings.TrimPrefix(rest, `"`) // what was put around a number
			}
			at = x.End
			if k := strings.IndexFunc(in[at:], func(r rune) bool { return r != '\\' }); k > 0 { // was trimmed
				rest = in[at:at+int64(k)] + rest
			}
		}
		if strings.Trim(rest, `"\`) != strings.Trim(in[at:], `"\`) {
			t.Errorf("%q ends %q, not %q", in, in[at:], rest)
		}
	})
}
