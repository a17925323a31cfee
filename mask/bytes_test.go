package mask_test

import (
	"bytes"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"weir"
)

var placeholders = regexp.MustCompile(`\[masked:[a-z0-9-]+:[a-z2-7]{8}\]|%5Bmasked%3A[a-z0-9-]+%3A[a-z2-7]{8}%5D`)

// TestTheTallyKnowsHowManyBytesWereReplaced adds up: what came out, less the placeholders, and what they stand for, is what went in.
func TestTheTallyKnowsHowManyBytesWereReplaced(t *testing.T) {
	m := masker(t)
	long := strings.Repeat("Zx9", 100_000)
	for name, c := range map[string]struct {
		shape weir.Shape
		in    string
		added int // bytes put around placeholders
	}{
		"text":            {shape: weir.Shape{Format: weir.FormatText}, in: "a password=hunter2 " + canary + " b\n"},
		"text, long":      {shape: weir.Shape{Format: weir.FormatText}, in: "x ghp_" + long + " a: 1"},
		"form":            {shape: weir.Shape{Format: weir.FormatForm}, in: "a%2fb=%7e+&password=hun%74er2&q=a%2fb+" + url.QueryEscape(canary) + "%2f&" + url.QueryEscape(canary)},
		"form, undecoded": {shape: weir.Shape{Format: weir.FormatForm}, in: "a=%zz&password=%zz+1"},
		"json":            {shape: weir.Shape{Format: weir.FormatJSON}, in: `{"password":"hunter2","x":[{"token":12345678}]}`, added: 2},
		"json, long":      {shape: weir.Shape{Format: weir.FormatJSON}, in: `{"password":"` + long + `","x":1}`},
		"events":          {shape: weir.Shape{Format: weir.FormatSSE}, in: "data: {\"password\":\"hunter2\"}\n\ndata: password=hunter2\n\n"},
		"markup":          {shape: weir.Shape{Format: weir.FormatXML}, in: "<a><password>hunter2</password><b password='hunter2'/></a>"},
		"multipart": {shape: weir.Shape{Format: weir.FormatMultipart, Boundary: "B", Part: func(map[string][]string) (weir.Shape, error) {
			return weir.Shape{Format: weir.FormatText}, nil
		}}, in: "--B\r\nContent-Disposition:form-data; name=\"password\"  \r\nX-Api-Key:  \tabc \r\n\r\nhunter2\r\n--B\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n" + long + "\r\n--B--\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			var tally weir.Tally
			w, err := m.Stream(&out, c.shape, &tally)
			if err != nil {
				t.Fatal(err)
			}
			for rest := c.in; rest != ""; {
				n := min(4096, len(rest))
				_, _ = w.Write([]byte(rest[:n]))
				rest = rest[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			clear := placeholders.ReplaceAllString(out.String(), "")
			if n := len(placeholders.FindAllString(out.String(), -1)); n == 0 || n != tally.Total() {
				t.Errorf("%d placeholders, counted %d: %.200s", n, tally.Total(), out.String())
			}
			if got := len(clear) - c.added + int(tally.Bytes()); got != len(c.in) {
				t.Errorf("%d bytes in, %d clear and %d masked out: %.300s", len(c.in), len(clear), tally.Bytes(), out.String())
			}
		})
	}
}
