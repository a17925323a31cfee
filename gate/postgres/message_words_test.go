package postgres

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWords(t *testing.T) {
	for text, want := range map[string][]word{
		`Select "a""b" -- x`:                 {{'w', "select"}, {'"', `a"b`}},
		`'it''s' E'\x70\'s' $x$ y'z $x$`:     {{'\'', "it's"}, {'\'', "p's"}, {'\'', " y'z "}},
		"'pass'\n'word' 'a' 'b'":             {{'\'', "password"}, {'\'', "a"}, {'\'', "b"}},
		`a->>$1 /* ' */ [12]`:                {{'w', "a"}, {'-', "-"}, {'>', ">"}, {'>', "->>"}, {'$', "$"}, {'w', "1"}, {'[', "["}, {'w', "12"}, {']', "]"}},
		`U&'\0070' U&"x" E'\ud83d\ude00' 'x`: {{'u', `U&'\0070'`}, {'u', `U&"x"`}, {'u', `E'\ud83d\ude00'`}, {'u', "'x"}},
	} {
		if diff := cmp.Diff(want, words(text), cmp.AllowUnexported(word{})); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestPicks(t *testing.T) {
	c := &codec{o: CodecOptions{Secret: func(_, column string) bool { return column == "password" }}}
	for text, want := range map[string]pick{
		"select doc -> 'password' from t": pickSecret, "select doc->>k from t": pickSecret, "select doc #>> '{a,password}' from t": pickSecret, "select doc -> $1 from t": pickLater,
		"select doc operator(pg_catalog.->) 'password' from t": pickSecret, "select doc -> 'name' from t": pickNothing, "select doc -> -1 from t": pickNothing,
		"select at <-> point '(0,0)' from t": pickNothing, "select flags >> n, r -|- s, a >> b from t": pickNothing, "select v <-> $1 from t": pickNothing,
	} {
		if got := c.picks(text); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}
