package test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryOperationAsksWho walks the API's own document: without a token nothing answers but what is meant to, with the token of a
// developer nothing that administrators alone may do.
func TestEveryOperationAsksWho(t *testing.T) {
	g := start(t, nil)
	alice, _ := g.people(t)
	c := g.client(t)
	req, _ := http.NewRequest("GET", g.url+"/api/v1/openapi.json", nil)
	doc := decode[struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
		}
	}](t, g.do(t, c, req).body)
	// She proves herself before wrong tokens from the same address keep out whoever has not.
	me, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/api/v1/me", nil)
	me.Header.Set("Authorization", "Bearer "+alice)
	if a := g.do(t, c, me); a.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	open := map[string]bool{"login": true}
	admins := map[string]string{ // operation → body
		"list-users": "", "add-user": `{"name":"eve"}`, "remove-user": "", "list-grants": "", "add-grant": `{"group":"x","resource":"*","ttl":"1h"}`,
		"revoke-grant": "", "verify": "", "list-audit": "", "tail-audit": "", "change-user": `{"admin":true}`,
	}
	seen := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			seen++
			call := func(token, body string) answer {
				p := strings.NewReplacer("{name}", "alice").Replace(path)
				req, err := http.NewRequestWithContext(t.Context(), strings.ToUpper(method), g.url+p, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				if body != "" {
					req.Header.Set("Content-Type", "application/json")
				}
				if token != "" {
					req.Header.Set("Authorization", "Bearer "+token)
				}
				return g.do(t, c, req)
			}
			if a := call("", ""); !open[op.OperationID] && a.StatusCode != 401 {
				t.Errorf("%s %s without a token: %d %s", method, path, a.StatusCode, a.body)
			}
			if !open[op.OperationID] {
				if a := call("weir_not_a_token", ""); a.StatusCode != 401 && a.StatusCode != 429 {
					t.Errorf("%s %s with a wrong token: %d", method, path, a.StatusCode)
				}
			}
			if body, ok := admins[op.OperationID]; ok {
				delete(admins, op.OperationID)
				if a := call(alice, body); a.StatusCode != 403 {
					t.Errorf("%s %s as a developer: %d %s", method, path, a.StatusCode, a.body)
				}
			}
		}
	}
	if seen < 25 || len(admins) > 0 {
		t.Errorf("%d operations; not seen: %v", seen, admins)
	}
	// For somebody else is for administrators, too.
	env := []string{"WEIR_TOKEN=" + alice, "WEIR_URL=" + g.url, "WEIR_CA=" + filepath.Join(g.data, "ca.pem")}
	for _, args := range [][]string{{"access", "debug", "--as", "morgan"}, {"tokens", "add", "--user", "morgan"}, {"keys", "ls", "--user", "*"}, {"explain", "debug", "GET /", "--as", "morgan"}} {
		if out, code := g.try(t, env, args...); code != 1 || !strings.Contains(out, "administrators") {
			t.Errorf("%v: %d %s", args, code, out)
		}
	}
}
