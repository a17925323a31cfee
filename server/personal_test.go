package server

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"

	"weir"
	"weir/config"
	"weir/vault/secret"
)

// TestPersonalDataIsMaskedWhereItIsAskedFor opens sessions of three resources, then reloads.
func TestPersonalDataIsMaskedWhereItIsAskedFor(t *testing.T) {
	const text = `resources:
- {name: plain, protocol: http, address: 'http://t'}
- {name: all, protocol: http, address: 'http://t', mask: {personal: true}}
- {name: some, protocol: http, address: 'http://t', mask: {personal: [iban]}}
`
	var now atomic.Pointer[generation]
	load := func(text string) {
		t.Helper()
		cfg, err := config.Parse("/w/weir.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		g, err := build(cfg, "weir.yaml", make([]byte, 32), environment{}, now.Load())
		if err != nil {
			t.Fatal(err)
		}
		now.Store(g)
	}
	load(text)
	const card, account = "4111111111111111", "DE89370400440532013000"
	check := func(name string, mask func(in string) string, cardMasked, accountMasked bool) {
		t.Helper()
		got := mask(`{"n":` + card + `,"s":"` + card + ` to ` + account + `"}`)
		if strings.Contains(got, card) == cardMasked || strings.Contains(got, account) == accountMasked {
			t.Errorf("%s: %s", name, got)
		}
	}
	ways := map[string][]func(in string) string{}
	for _, name := range []string{"plain", "all", "some"} {
		m, err := (&maskers{now: &now}).Open(t.Context(), &weir.SessionInfo{Resource: weir.Resource{Name: name}}, secret.New("weir_CANARYpresented-0123456789"))
		if err != nil {
			t.Fatal(err)
		}
		ways[name] = []func(string) string{
			func(in string) string { return string(m.Value(nil, "", []byte(in), &weir.Tally{})) },
			func(in string) string {
				var out bytes.Buffer
				w, err := m.Stream(&out, weir.Shape{Format: weir.FormatJSON}, &weir.Tally{})
				if err != nil {
					t.Fatal(err)
				}
				_, err = w.Write([]byte(in))
				if cerr := w.Close(); err != nil || cerr != nil {
					t.Fatal(err, cerr)
				}
				return out.String()
			},
		}
	}
	for i := range 2 {
		check("plain", ways["plain"][i], false, false)
		check("all", ways["all"][i], true, true)
		check("some", ways["some"][i], false, true)
	}
	load(strings.Replace(text, "'http://t'}", "'http://t', mask: {personal: true}}", 1))
	check("plain, turned on", ways["plain"][1], true, true)
	load(text)
	check("plain, turned off", ways["plain"][1], false, false)
	load("resources: []\n")
	check("all, resource gone", ways["all"][1], true, true)
}

func TestMaskPersonal(t *testing.T) {
	for _, c := range []struct {
		kinds []string
		want  string
	}{
		{nil, "to bob@example.com from 203.0.113.9\n"},
		{[]string{"email"}, "to [masked:email:] from 203.0.113.9\n"},
		{[]string{"all"}, "to [masked:email:] from [masked:ip:]\n"},
	} {
		var out strings.Builder
		f, err := NewFilter(FilterOptions{Personal: c.kinds})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Copy(&out, strings.NewReader("to bob@example.com from 203.0.113.9\n"), "", nil); err != nil {
			t.Fatal(err)
		}
		got := out.String()
		for _, kind := range []string{"email:", "ip:"} {
			if i := strings.Index(got, kind); i >= 0 {
				got = got[:i+len(kind)] + got[i+len(kind)+8:]
			}
		}
		if got != c.want {
			t.Errorf("%v: %q", c.kinds, out.String())
		}
	}
	if _, err := NewFilter(FilterOptions{Personal: []string{"shoe-size"}}); err == nil || !strings.Contains(err.Error(), "payment-card") {
		t.Error(err)
	}
}
