package catalog_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"weir/rules/catalog"
	"weir/rules/reading"
)

func match(t testing.TB, c *catalog.Catalog, example string) []string {
	t.Helper()
	method, target, ok := strings.Cut(example, " ")
	if !ok {
		t.Fatalf("example %q is not METHOD target", example)
	}
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	readings, why := reading.Of(u.EscapedPath())
	if why != "" {
		t.Fatal(why)
	}
	var ids []string
	for _, e := range c.Match(method, u.Host, readings, u.Query()) {
		ids = append(ids, e.ID)
	}
	return ids
}

func TestEveryEntryMatchesItsExamples(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Entries()) < 80 || c.Version == "" {
		t.Fatalf("%d entries, version %q", len(c.Entries()), c.Version)
	}
	for _, e := range c.Entries() {
		for _, x := range e.Examples {
			if !slices.Contains(match(t, c, x), e.ID) {
				t.Errorf("%s does not match its example %s", e.ID, x)
			}
		}
		for _, x := range e.Others {
			if slices.Contains(match(t, c, x), e.ID) {
				t.Errorf("%s matches %s", e.ID, x)
			}
		}
	}
}

func TestOrdinaryTrafficIsLeftAlone(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{
		"GET /", "GET /index.html", "GET /api/orders", "POST /api/orders", "GET /api/v2/users/17/settings", "GET /assets/app.js", "GET /healthz",
		"GET /metrics", "GET /status", "GET /login", "POST /api/search?q=password", "GET /environmental/report", "DELETE /api/keys/4",
		"GET /docs/actuator", "GET /blog/heapdump-analysis", "GET /repo.git/info/refs",
	} {
		if ids := match(t, c, x); len(ids) > 0 {
			t.Errorf("%s matches %v", x, ids)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, doc := range map[string]string{
		"unknown key":    "version: x\nentries: [{id: a, tech: t, leaks: l, action: mask, paths: [/a], match: [GET /a], colour: red}]",
		"unknown action": "version: x\nentries: [{id: a, tech: t, leaks: l, action: shout, paths: [/a], match: [GET /a]}]",
		"twice":          "version: x\nentries: [{id: a, tech: t, leaks: l, action: mask, paths: [/a], match: [GET /a]}, {id: a, tech: t, leaks: l, action: mask, paths: [/a], match: [GET /a]}]",
		"no example":     "version: x\nentries: [{id: a, tech: t, leaks: l, action: mask, paths: [/a]}]",
		"bad pattern":    "version: x\nentries: [{id: a, tech: t, leaks: l, action: mask, paths: [a], match: [GET /a]}]",
	} {
		if _, err := catalog.Parse([]byte(doc)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	c, err := catalog.Load()
	if err != nil {
		b.Fatal(err)
	}
	readings := []string{"/api/orders/17/lines"}
	query := map[string][]string{"page": {"2"}}
	b.ReportAllocs()
	for b.Loop() {
		if c.Match(http.MethodGet, "10.0.0.9:8080", readings, query) != nil {
			b.Fatal("matched")
		}
	}
}
