package policy_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"

	"weir"
	"weir/rules/catalog"
	"weir/rules/policy"
)

func load(t testing.TB) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compile(t testing.TB, cfg policy.Config) *policy.Plan {
	t.Helper()
	p, problems := policy.Compile(cfg, load(t))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

func get(line string) *weir.Command {
	method, target, _ := strings.Cut(line, " ")
	path, query, _ := strings.Cut(target, "?")
	q, _ := url.ParseQuery(query)
	return &weir.Command{Operation: method, Text: line, HTTP: &weir.HTTPRequest{Method: method, Host: "target:80", Path: path, Query: q,
		Header: map[string][]string{"X-Env": {"prod"}}}}
}

var (
	alice = &weir.Identity{User: "usr_a", Name: "alice", Kind: weir.Human, Groups: []string{"developers"}}
	debug = &weir.Resource{Name: "billing-debug", Protocol: weir.HTTP}
)

func TestDecide(t *testing.T) {
	rules := []policy.Rule{
		{Name: "reads", Match: policy.Match{Methods: []string{"get"}}, Then: weir.Allow},
		{Name: "reflect", Match: policy.Match{Catalog: "introspection"}, Then: weir.Approve, Approvers: policy.Approvers{Groups: []string{"managers"}, Count: 2}},
		{Name: "admin", Match: policy.Match{Paths: []string{"/admin/**"}}, Then: weir.Deny, Reason: "ask the owners"},
		{Name: "admin-too", Match: policy.Match{Paths: []string{"/admin/x"}}, Then: weir.Allow},
		{Name: "open", Match: policy.Match{Paths: []string{"/open/**"}}, Then: weir.Allow},
		{Name: "open-asks", Match: policy.Match{Query: map[string]string{"ask": "y*"}}, Then: weir.Approve},
		{Name: "heap", Resources: []string{"heap-*"}, Match: policy.Match{Paths: []string{"/actuator/heapdump"}}, Then: weir.Allow},
		{Name: "ops", Groups: []string{"operators"}, Match: policy.Match{Methods: []string{"POST"}}, Then: weir.Deny},
		{Name: "prod", Match: policy.Match{Headers: map[string]string{"x-env": "prod"}, Methods: []string{"DELETE"}}, Then: weir.Deny},
	}
	p := compile(t, policy.Config{Rules: rules})
	bob := &weir.Identity{User: "usr_b", Name: "bob", Kind: weir.Human, Groups: []string{"operators"}}
	heap := &weir.Resource{Name: "heap-1", Protocol: weir.HTTP}
	for _, c := range []struct {
		who  *weir.Identity
		res  *weir.Resource
		line string
		want weir.Effect
		rule string
	}{
		{alice, debug, "GET /", weir.Allow, "reads"},
		{alice, debug, "POST /", weir.Allow, "default"},
		{bob, debug, "POST /", weir.Deny, "ops"},
		{alice, debug, "DELETE /", weir.Deny, "prod"},
		{alice, debug, "GET /debug/vars", weir.Approve, "reflect"},
		{alice, debug, "GET /actuator/heapdump", weir.Deny, "catalog:"},
		{alice, heap, "GET /actuator/heapdump", weir.Approve, "reflect"},
		{alice, debug, "GET /admin/x", weir.Deny, "admin"},
		{alice, debug, "GET /ADMIN/x", weir.Deny, "admin"},
		{alice, debug, "GET /x/..%2fadmin/x", weir.Deny, "admin"},
		{alice, debug, "GET /x/%252e%252e/admin/x", weir.Deny, "admin"},
		{alice, debug, "GET /;a=b/admin/x", weir.Deny, "admin"},
		{alice, debug, "POST /open/x", weir.Allow, "open"},
		{alice, debug, "POST /OPEN/x", weir.Allow, "default"},
		{alice, debug, "POST /open/../x", weir.Allow, "default"},
		{alice, debug, "GET /open/x?ask=yes", weir.Approve, "open-asks"},
		{alice, debug, "GET /open/x?ask=no", weir.Allow, "reads"},
		{alice, debug, "GET /a%00b", weir.Deny, "ambiguous-path"},
	} {
		v := p.Decide(c.who, c.res, get(c.line))
		if v.Effect != c.want || !strings.HasPrefix(v.Rule, c.rule) {
			t.Errorf("%s %s %s: %v by %q, want %v by %q", c.who.Name, c.res.Name, c.line, v.Effect, v.Rule, c.want, c.rule)
		}
		if v.Policy != p.Version() || v.Effect == weir.Deny && v.Reason == "" {
			t.Errorf("%s: %+v", c.line, v)
		}
	}
	v := p.Decide(alice, debug, get("GET /debug/vars"))
	if v.Hold.Count != 2 || !slices.Equal(v.Hold.Groups, []string{"managers"}) || v.Hold.Wait != policy.DefaultWait || v.Hold.Within != policy.DefaultWithin || len(v.Catalog) == 0 {
		t.Errorf("terms %+v", v)
	}
	if v := p.Decide(alice, debug, get("GET /admin/")); v.Reason != "ask the owners" {
		t.Errorf("reason %q", v.Reason)
	}
}

func TestCatalogueDefaults(t *testing.T) {
	bare := compile(t, policy.Config{})
	off := compile(t, policy.Config{NoCatalogDefaults: true})
	for line, want := range map[string]weir.Effect{
		"GET /debug/vars": weir.Allow, "GET /actuator/heapdump": weir.Deny, "GET /anything": weir.Allow,
	} {
		if v := bare.Decide(alice, debug, get(line)); v.Effect != want {
			t.Errorf("%s: %v", line, v)
		}
		if v := off.Decide(alice, debug, get(line)); v.Effect != weir.Allow {
			t.Errorf("%s without defaults: %v", line, v)
		}
	}
	lift := compile(t, policy.Config{Rules: []policy.Rule{{Name: "dump", Match: policy.Match{Catalog: "introspection:block"}, Then: weir.Allow}}})
	if v := lift.Decide(alice, debug, get("GET /actuator/heapdump")); v.Effect != weir.Allow || v.Rule != "dump" {
		t.Errorf("a rule for what is blocked: %v", v)
	}
	for _, m := range []policy.Match{{Methods: []string{"GET"}}, {Catalog: "introspection"}, {}} {
		p := compile(t, policy.Config{Rules: []policy.Rule{{Name: "wide", Match: m, Then: weir.Allow}}})
		if v := p.Decide(alice, debug, get("GET /actuator/heapdump")); v.Effect != weir.Deny {
			t.Errorf("a general rule %+v lifts a block: %v", m, v)
		}
	}
}

func TestNothingDenies(t *testing.T) {
	var l policy.Live
	if v, err := l.Decide(context.Background(), alice, debug, get("GET /")); err != nil || v.Effect != weir.Deny {
		t.Error(v, err)
	}
	l.Set(compile(t, policy.Config{}))
	if v, _ := l.Decide(context.Background(), alice, debug, get("GET /")); v.Effect != weir.Allow {
		t.Error(v)
	}
	if v, _ := l.Decide(context.Background(), nil, debug, get("GET /")); v.Effect != weir.Deny {
		t.Error(v)
	}
}

func TestCompileReportsAll(t *testing.T) {
	_, problems := policy.Compile(policy.Config{Wait: -1, Rules: []policy.Rule{
		{Then: weir.Allow},
		{Name: "a", Then: weir.Deny, Within: 1},
		{Name: "a", Then: weir.Approve, Approvers: policy.Approvers{Count: 99}, Match: policy.Match{Catalog: "introspection:nothing", Paths: []string{"no-slash"}}},
		{Name: "b", Then: weir.Effect(9), Match: policy.Match{Catalog: "no-such-*"}},
		{Name: "default", Then: weir.Deny, Protocols: []weir.Protocol{"postgres"}, Match: policy.Match{Methods: []string{"GET"}}},
	}}, load(t))
	var got []string
	for _, p := range problems {
		if p.Text == "" {
			t.Errorf("%+v has no text", p)
		}
		got = append(got, p.Field)
	}
	want := []string{"wait", "name", "then", "name", "match.paths[0]", "match.catalog", "approvers.count", "match.catalog", "then", "name", "match"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestVersionFollowsRules(t *testing.T) {
	a := compile(t, policy.Config{Rules: []policy.Rule{{Name: "a", Then: weir.Deny}}})
	b := compile(t, policy.Config{Rules: []policy.Rule{{Name: "a", Then: weir.Allow}}})
	if a.Version() == b.Version() || a.Version() != compile(t, policy.Config{Rules: a.Rules()}).Version() {
		t.Error(a.Version(), b.Version())
	}
}

func TestExplain(t *testing.T) {
	p := compile(t, policy.Config{Rules: []policy.Rule{
		{Name: "get", Match: policy.Match{Methods: []string{"GET"}}, Then: weir.Allow},
		{Name: "post", Match: policy.Match{Methods: []string{"POST"}}, Then: weir.Allow},
		{Name: "reflect", Match: policy.Match{Catalog: "introspection"}, Then: weir.Approve},
	}})
	e := p.Explain(alice, debug, get("GET /x/../debug/vars"))
	if e.Verdict.Effect != weir.Approve || len(e.Matched) != 2 || e.Matched[1].Name != "reflect" || len(e.Catalog) == 0 || len(e.Readings) < 2 {
		t.Errorf("%+v", e)
	}
}

func FuzzDenyCannotBeSidestepped(f *testing.F) {
	for _, s := range []string{"/admin", "/x/../admin", "/%61dmin/x", "//admin", "/admin;x/y"} {
		f.Add(s)
	}
	p := compile(f, policy.Config{Rules: []policy.Rule{{Name: "admin", Match: policy.Match{Paths: []string{"/admin", "/admin/**"}}, Then: weir.Deny}}})
	f.Fuzz(func(t *testing.T, path string) {
		v := p.Decide(alice, debug, &weir.Command{HTTP: &weir.HTTPRequest{Method: "GET", Path: path}})
		// How Go's own server reads it.
		u, err := url.Parse("http://t" + path)
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		if q := u.Path; (q == "/admin" || strings.HasPrefix(q, "/admin/")) && v.Effect != weir.Deny {
			t.Errorf("%q is %v", path, v)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	p := compile(b, policy.Config{Rules: []policy.Rule{
		{Name: "admin", Match: policy.Match{Paths: []string{"/admin/**"}}, Then: weir.Deny},
		{Name: "reflect", Match: policy.Match{Catalog: "introspection"}, Then: weir.Approve},
	}})
	cmd := get("GET /api/v1/orders/12345/items")
	b.ReportAllocs()
	for b.Loop() {
		if v := p.Decide(alice, debug, cmd); v.Effect != weir.Allow {
			b.Fatal(v)
		}
	}
}
