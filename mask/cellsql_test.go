package mask_test

import (
	"testing"

	"weir"
)

// TestStatements has SQL of others, whose literals are masked.
func TestStatements(t *testing.T) {
	c := masker(t).Columns([]weir.Column{{Name: "query", Statement: true}})
	for name, tc := range map[string]struct{ in, want string }{
		"plain":      {`select a from t where b = $1 and c = 5`, `select a from t where b = $1 and c = 5`},
		"literal":    {`select 'x', 'it''s'`, `select '[masked:literal]', '[masked:literal]'`},
		"empty":      {`select ''`, `select ''`},
		"escapes":    {`select E'a\'b', 1`, `select E'[masked:literal]', 1`},
		"dollar":     {`do $f$ x 'y' $f$ language sql`, `do $f$[masked:literal]$f$ language sql`},
		"cut":        {`alter role a password 'hun`, `alter role a password '[masked:literal]`},
		"identifier": {`select "it's", 'x'`, `select "it's", '[masked:literal]'`},
		"comment":    {"-- Bob's\nalter role a password 'x'", "--[masked:literal]\nalter role a password '[masked:literal]'"},
		"comments":   {`select /* it's /* 'x' */ */ 'x' /* plain */`, `select /*[masked:literal]*/ '[masked:literal]' /* plain */`},
		"cut in one": {`select 'x' /* it's`, `select '[masked:literal]' /* it'[masked:literal]`},
		"prefix":     {`select a like'x\', 'y'`, `select a like'[masked:literal]', '[masked:literal]'`},
		"known":      {`select ` + canary, `select [masked:credential]`},
	} {
		t.Run(name, func(t *testing.T) {
			out, change := c.Cell(nil, 0, []byte(tc.in), nil)
			if change == weir.Unchanged {
				out = []byte(tc.in)
			}
			if got := short(string(out)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
