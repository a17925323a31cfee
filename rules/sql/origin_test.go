package sql

import (
	"slices"
	"strings"
	"testing"
)

func TestOrigin(t *testing.T) {
	base := Relation{OID: 1, Schema: "public", Name: "users", Kind: 'r', Columns: []string{"id", "name", "password", "note"}}
	for name, c := range map[string]struct {
		definition string
		want       []string // by column: what it is made of, of users
	}{
		"plain columns":         {"SELECT users.id, users.password AS note FROM users", []string{"id", "password"}},
		"an expression":         {"SELECT upper(u.password) AS a, u.name || 'x'::text AS b FROM users u WHERE u.note = 'x'", []string{"password", "name"}},
		"a harmless one":        {"SELECT count(*) AS a, u.name AS b FROM users u GROUP BY u.name", []string{"", "name"}},
		"a whole row":           {"SELECT row_to_json(u.*) AS a, u.id AS b FROM users u", []string{"id name note password", "id"}},
		"a derived table":       {"SELECT x.a, x.b FROM (SELECT users.password AS a, users.id AS b FROM users) x", []string{"id password", "id password"}},
		"a subquery":            {"SELECT (SELECT max(users.password) AS max FROM users) AS a, users.id AS b FROM users", []string{"id password", "id password"}},
		"aliases of columns":    {"SELECT u.x AS a, u.y AS b FROM users u(x, y, z, w)", []string{"id name note password", "id name note password"}},
		"UNION":                 {"SELECT users.id AS a, users.name AS b FROM users UNION SELECT users.id, users.password FROM users", []string{"id name password", "id name password"}},
		"WITH":                  {"WITH x AS (SELECT users.password AS p FROM users) SELECT x.p AS a, 1 AS b FROM x", []string{"password", "password"}},
		"a function that reads": {"SELECT f() AS a, users.id AS b FROM users", []string{"id name note password", "id"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewSnapshot(Catalog{
				SearchPath: []string{"public"},
				Relations:  []Relation{base, {OID: 2, Schema: "public", Name: "v", Kind: 'v', Columns: []string{"a", "b"}, Definition: c.definition}},
				Functions: []Function{
					{Schema: "public", Name: "f", Language: "sql", Source: "SELECT * FROM users", Volatile: 's'},
					{Schema: "pg_catalog", Name: "upper", Language: "internal", Volatile: 'i'}, {Schema: "pg_catalog", Name: "max", Language: "internal", Volatile: 'i'},
					{Schema: "pg_catalog", Name: "count", Language: "internal", Volatile: 'i'}, {Schema: "pg_catalog", Name: "row_to_json", Language: "internal", Volatile: 's'},
				},
			})
			for i, column := range []string{"a", "b"} {
				got, ok := s.Origin("public.v", column)
				if !ok {
					t.Fatal(column)
				}
				var names []string
				for _, n := range got.Columns {
					if strings.HasPrefix(n, "public.users.") {
						names = append(names, strings.TrimPrefix(n, "public.users."))
					}
				}
				slices.Sort(names)
				for _, want := range strings.Fields(c.want[i]) {
					if !slices.Contains(names, want) {
						t.Errorf("%s is made of %q, want %q", column, names, c.want[i])
					}
				}
				if c.want[i] == "" && len(names) > 0 {
					t.Errorf("%s is made of %q", column, names)
				}
			}
		})
	}
	parent := Relation{OID: 3, Schema: "public", Name: "parent", Kind: 'r', Columns: []string{"note", "other"}, Children: []string{"public.users"}}
	s := NewSnapshot(Catalog{Relations: []Relation{base, parent}})
	for column, want := range map[string][]string{"note": {"public.users.note"}, "other": nil} {
		if o, ok := s.Origin("public.parent", column); !ok || !slices.Equal(o.Columns, want) {
			t.Errorf("%s of a parent is made of %v", column, o.Columns)
		}
	}
	s = NewSnapshot(Catalog{Relations: []Relation{base}})
	if _, ok := s.Origin("public.users", "password"); ok {
		t.Error("a table's column has an origin")
	}
}
