package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir"
	"weir/rules/catalog"
	"weir/rules/policy"
)

func TestSuggest(t *testing.T) {
	cat, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	ruled, problems := policy.Compile(policy.Config{Rules: []policy.Rule{{Name: "keep", Match: policy.Match{Objects: []string{"hr.*"}}, Then: weir.Approve}}}, cat)
	plain, more := policy.Compile(policy.Config{}, cat)
	if len(problems)+len(more) > 0 {
		t.Fatal(problems, more)
	}
	who, res := &weir.Identity{Name: "alice"}, &weir.Resource{Name: "orders", Protocol: weir.Postgres}
	for name, c := range map[string]struct {
		sql  weir.SQL
		want *policy.Match
	}{
		"DROP": {
			weir.SQL{Statements: 1, Operations: []string{"DROP"}, Relations: []string{"public.a", "public.b"}},
			&policy.Match{Operations: []string{"DROP"}, Objects: []string{"public.a", "public.b"}},
		},
		"DROP of something else": {weir.SQL{Statements: 1, Operations: []string{"DROP"}}, &policy.Match{Operations: []string{"DROP"}}},
		"without WHERE": {
			weir.SQL{Statements: 1, Operations: []string{"DELETE"}, Relations: []string{"public.a"}, NoWhere: true},
			&policy.Match{Operations: []string{"DELETE"}, Objects: []string{"public.a"}, NoWhere: true},
		},
		"a copy of a secret": {
			weir.SQL{Statements: 1, Operations: []string{"CREATE", "SELECT"}, Relations: []string{"public.users"}, SecretOut: []string{"table"}},
			&policy.Match{Operations: []string{"CREATE", "SELECT"}, Objects: []string{"public.users"}, SecretOut: true},
		},
		"a function":               {weir.SQL{Statements: 1, Operations: []string{"SELECT"}, Functions: []string{"pg_catalog.lo_get"}, Dynamic: true}, nil},
		"SHOW ALL":                 {weir.SQL{Statements: 1, Operations: []string{"SHOW"}, Settings: []string{"*"}}, &policy.Match{Operations: []string{"SHOW"}, Settings: []string{"*"}}},
		"DO":                       {weir.SQL{Statements: 1, Operations: []string{"DO"}, Dynamic: true}, &policy.Match{Dynamic: true}},
		"unclear":                  {weir.SQL{Statements: 1, Unclear: "x"}, &policy.Match{Unclear: true}},
		"DO, ruled":                {weir.SQL{Statements: 1, Operations: []string{"DO"}, Dynamic: true}, nil},
		"what a rule stops, ruled": {weir.SQL{Statements: 1, Operations: []string{"DROP"}, Relations: []string{"hr.salaries"}}, nil},
		"what nothing stops":       {weir.SQL{Statements: 1, Operations: []string{"SELECT"}, Relations: []string{"public.a"}, ReadOnly: true}, nil},
		"what two entries stop":    {weir.SQL{Statements: 1, Operations: []string{"DROP"}, Relations: []string{"public.a"}, Dynamic: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := &weir.Command{Operation: "X", Text: "x", SQL: &c.sql}
			plan := plain
			if strings.HasSuffix(name, ", ruled") {
				plan = ruled
			}
			got := plan.Suggest(who, res, cmd)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
