package mask_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"weir"
)

// TestBase64IsMaskedInEveryFormat puts a .env and Docker's config in base64 into what holds them.
func TestBase64IsMaskedInEveryFormat(t *testing.T) {
	m := longMasker(t)
	env := base64.StdEncoding.EncodeToString([]byte("HOST=db\nDB_PASSWORD=tr0ub4dor3\nMODE=x\n"))
	docker := base64.StdEncoding.EncodeToString([]byte(`{"auths":{"registry.example":{"username":"ci","password":"tr0ub4dor3"}}}`))
	plain := base64.StdEncoding.EncodeToString([]byte("an ordinary line of text, and another one\n"))
	for _, c := range []struct {
		name   string
		format weir.Format
		in     string
	}{
		{"kubectl -o yaml", weir.FormatText, "apiVersion: v1\ndata:\n  .env: " + env + "\n  .dockerconfigjson: " + docker + "\n  note: " + plain + "\nkind: Secret\n"},
		{"kubectl -o json", weir.FormatJSON, `{"apiVersion":"v1","data":{".env":"` + env + `",".dockerconfigjson":"` + docker + `","note":"` + plain + `"},"kind":"Secret"}`},
		{"terminal", weir.FormatTerminal, "$ base64 -w0 .env\r\n" + env + "\r\n$ base64 -w0 config.json\r\n" + docker + "\r\n$ base64 note\r\n" + plain + "\r\n"},
		{"xml", weir.FormatXML, "<a><b>" + env + "</b><c>" + docker + "</c><d>" + plain + "</d></a>"},
		{"form", weir.FormatForm, "a=" + strings.ReplaceAll(env, "=", "%3D") + "&b=" + strings.ReplaceAll(docker, "=", "%3D") + "&c=" + strings.ReplaceAll(plain, "=", "%3D")},
		{"events", weir.FormatSSE, "data: " + env + "\n\ndata: " + docker + "\n\ndata: " + plain + "\n\n"},
	} {
		for _, n := range []int{1, 7, 1 << 20} {
			got := longPass(t, m, c.format, c.in, func() int { return n })
			if strings.Contains(got, env[8:20]) || strings.Contains(got, docker[8:20]) || !strings.Contains(got, strings.TrimRight(plain, "=")) {
				t.Errorf("%s: %s", c.name, got)
			}
		}
	}
}
