package glob_test

import (
	"strings"
	"testing"

	"weir/rules/glob"
)

func TestPath(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want, fold    bool
	}{
		{"/admin/**", "/admin", true, true}, {"/admin/**", "/admin/", true, true}, {"/admin/**", "/admin/a/b", true, true}, {"/admin/**", "/adminx", false, false},
		{"**/env", "/env", true, true}, {"**/env", "/a/b/env", true, true}, {"**/env", "/a/benv", false, false}, {"**/env", "/a/ENV", false, true},
		{"/a/*/c", "/a/b/c", true, true}, {"/a/*/c", "/a//c", false, false}, {"/a/*/c", "/a/b/b/c", false, false}, {"/v?/x*", "/v1/xyz", true, true},
		{"/**/a/**/b", "/1/a/2/3/b", true, true}, {"/**/a/**/b", "/1/a/2/3/c", false, false}, {"/", "/", true, true}, {"/k", "/\u212a", false, true},
	} {
		p, err := glob.CompilePath(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(c.path); got != c.want {
			t.Errorf("%s matches %s: %v", c.pattern, c.path, got)
		}
		if got := p.MatchFold(c.path); got != c.fold {
			t.Errorf("%s matches %s without case: %v", c.pattern, c.path, got)
		}
	}
}

func TestBadPatternsSayWhatToDo(t *testing.T) {
	for pattern, want := range map[string]string{
		"": "empty", "admin": "write /admin", "/a/b**": "alone", "/a/../b": "without it", "/a%2f": "plain", strings.Repeat("/a", 600): "longer",
	} {
		if _, err := glob.CompilePath(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v", pattern, err)
		}
	}
}

func TestZeroValuesMatchNothing(t *testing.T) {
	var p glob.Path
	var x glob.Text
	if p.Match("/") || p.MatchFold("") || x.Match("") || x.MatchFold("a") {
		t.Error("a zero pattern matched")
	}
}

func TestText(t *testing.T) {
	x, err := glob.CompileText("billing-*")
	if err != nil {
		t.Fatal(err)
	}
	if !x.Match("billing-") || !x.Match("billing-a/b") || x.Match("Billing-a") || !x.MatchFold("Billing-a") || x.Match("xbilling-a") {
		t.Error("wrong match")
	}
}

func TestMatchAllocatesNothingAndStaysLinear(t *testing.T) {
	p, err := glob.CompilePath("/**/a*a*a*a*b/**/x")
	if err != nil {
		t.Fatal(err)
	}
	path := strings.Repeat("/"+strings.Repeat("a", 200), 50)
	if a := testing.AllocsPerRun(5, func() { p.MatchFold(path) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

func FuzzPath(f *testing.F) {
	f.Add("/a/**/b*", "/a/x/bc")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := glob.CompilePath(pattern)
		if err != nil {
			return
		}
		if p.Match(path) && !p.MatchFold(path) {
			t.Fatalf("%q matches %q only with case", pattern, path)
		}
	})
}

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		pattern, dir string
		want         bool
	}{
		{"/etc/shadow", "/etc", true}, {"/etc/shadow", "/", true}, {"/etc/shadow", "/ETC/", true}, {"/etc/shadow", "/etc/shadow", false}, {"/etc/shadow", "/srv", false},
		{"/etc/shadow", "/etc/ssh", false}, {"/srv/vault/**", "/srv", true}, {"/srv/vault/**", "/srv/vault/a", true}, {"/srv/*/x", "/srv/a", true}, {"/srv/*/x", "/srv/a/b", false},
		{"/srv/**/x", "/srv/a/b", true}, {"**/.env", "/srv/app", false}, {"**/.env", "/", false}, {"**/.aws/credentials", "/home/a/.aws", true}, {"**/.aws/credentials", "/home/a", false},
		{"**/.kube/**", "/home/a/.kube", true}, {"**/.kube/**", "/home/a", false}, {"**/a/b/c", "/x/a/b", true}, {"**/a/b/c", "/x/a/a", true}, {"**", "/x", false}, {"/proc/*/environ", "/proc/1", true},
	} {
		p, err := glob.CompilePath(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Below(c.dir); got != c.want {
			t.Errorf("%s below %s: %v", c.pattern, c.dir, got)
		}
	}
	if new(glob.Path).Below("/") {
		t.Error("the zero value matches")
	}
}
