package sql

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func pieces(text string, conforming bool) []string {
	var out []string
	for lex := (Lexer{Text: text, Conforming: conforming}); ; {
		t := lex.Next()
		if t.Kind == End {
			return out
		}
		if t.Kind != Space {
			out = append(out, text[t.Start:t.End])
		}
	}
}

func TestLexer(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"a/*x/*y*/z*/b", []string{"a", "/*x/*y*/z*/", "b"}},
		{"a--x\nb", []string{"a", "--x", "b"}},
		{"'it''s'x", []string{"'it''s'", "x"}},
		{"'a' -- c\n 'b' 'c'", []string{"'a' -- c\n 'b'", "'c'"}},
		{`E'\'' e'a'` + "\n'\\''x", []string{`E'\''`, `e'a'` + "\n" + `'\''`, "x"}},
		{`'\'x`, []string{`'\'`, "x"}},
		{`U&'a' u&"b""c" B'01' x'FF' N'y'`, []string{"U&'a'", `u&"b""c"`, "B'01'", "x'FF'", "N'y'"}},
		{"$$a'b$$ $x$ $$ $x $x$ a$b$c$ $1", []string{"$$a'b$$", "$x$ $$ $x $x$", "a$b$c$", "$1"}},
		{"$é$'$é$x", []string{"$é$'$é$", "x"}},
		{"a::int b:=1 c..d e=>f 1..2", []string{"a", "::", "int", "b", ":=", "1", "c", "..", "d", "e", "=>", "f", "1", "..", "2"}},
		{"1.5e-3 .5 1e 0xfF 1_000 1a 1.", []string{"1.5e-3", ".5", "1", "e", "0xfF", "1_000", "1", "a", "1."}},
		{"a*-1 a@-b a<->b a+/*c*/b", []string{"a", "*", "-", "1", "a", "@-", "b", "a", "<->", "b", "a", "+", "/*c*/", "b"}},
		{"*/**/", []string{"*", "/**/"}},
		{"?| ->> #>", []string{"?|", "->>", "#>"}},
		{"naïve \"Ö\"", []string{"naïve", `"Ö"`}},
		{"'open", []string{"'open"}},
		{"$ \\", []string{"$", "\\"}},
	} {
		if diff := cmp.Diff(tt.want, pieces(tt.text, true)); diff != "" {
			t.Errorf("%s: %s", tt.text, diff)
		}
	}
	if diff := cmp.Diff([]string{`'\'x'`, "N'\\'y'", `B'\'`}, pieces(`'\'x' N'\'y' B'\'`, false)); diff != "" {
		t.Error(diff)
	}
}

func TestFold(t *testing.T) {
	long := strings.Repeat("é", 40)
	for in, want := range map[string]string{"SELECT": "select", "Foo$1": "foo$1", "ÀB": "Àb", long: long[:62], "A" + long: "a" + long[:62]} {
		if got := fold(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestLiteral(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		bad        bool
	}{
		{text: "'a''b'", want: "a'b"}, {text: `'a\nb'`, want: `a\nb`}, {text: `E'a\n\x41\101\u0042\\'`, want: "a\nAAB\\"},
		{text: "'a'\n'b'", want: "ab"}, {text: "$x$a'$$b$x$", want: "a'$$b"}, {text: `U&'\0061\+000062'`, want: "ab"},
		{text: `U&'\d83d\de00'`, want: "😀"}, {text: `E'\u12'`, bad: true}, {text: `U&'\00'`, bad: true}, {text: "'open", bad: true}, {text: "''", want: ""},
	} {
		lex := Lexer{Text: tt.text, Conforming: true}
		got, ok := Literal(lex.Next(), tt.text, true, '\\')
		if ok == tt.bad || ok && got != tt.want {
			t.Errorf("%s: %q %v", tt.text, got, ok)
		}
	}
}

func TestScrubLiterals(t *testing.T) {
	mask := func(dst, literal []byte) []byte { return append(dst, strings.Repeat("*", len(literal))...) }
	quote := func(dst, _ []byte) []byte { return append(dst, "it's $$"...) }
	for _, tt := range []struct {
		name, text, want string
		replace          func(dst, literal []byte) []byte
	}{
		{"plain", "alter role a password 'pw' -- x", "alter role a password '**' -- x", mask},
		{"doubled quote", "select 'a''b', 1", "select '****', 1", mask},
		{"escaped", `select E'a\'b', b'01'`, `select E'****', b'**'`, mask},
		{"dollar", "do $x$secret$x$", "do $x$******$x$", mask},
		{"cut off", "create user x password 'sec", "create user x password '***", mask},
		{"cut off after the quote", "create user x password '", "create user x password '", mask},
		{"dollar cut off", "do $x$sec", "do $x$***", mask},
		{"escaped cut off", `select e'a\`, `select e'**`, mask},
		{"ambiguous", `select 'a\', secret'b`, `select '*************`, mask},
		{"continued", "select 'a'\n'b'", "select '*****'", mask},
		{"quotes in the replacement", "select 'a', $$b$$", "select 'it''s $$', $$$$", quote},
		{"name", `select "x'y"`, `select "x'y"`, mask},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(ScrubLiterals([]byte("> "), []byte(tt.text), tt.replace)); got != "> "+tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	same := func(dst, literal []byte) []byte { return append(dst, literal...) }
	for _, g := range goldenTable {
		if got := ScrubLiterals(nil, []byte(g.text), same); !bytes.Equal(got, []byte(g.text)) {
			t.Errorf("%q became %q", g.text, got)
		}
	}
}

func TestFingerprint(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT  a FROM t -- x\nWHERE b IN (1, 2,'x') AND c=$1": "select a from t where b in (?) and c = $1",
		"insert into T values (1, now(), 2,)":                   "insert into t values (?, now(), ?,)",
		`select "A".b, E'x'`:                                    `select "A".b, ?`,
	} {
		got := Fingerprint(text, true)
		if strings.ReplaceAll(got, " (", "(") != strings.ReplaceAll(want, " (", "(") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"select 1 /*\xff*/", "select 1 -- \x00", "select 'a"} {
		if got := Normal(text, true); got != text {
			t.Errorf("the normal form of %q is %q", text, got)
		}
		if _, ok := AppendKey(nil, text, true); ok {
			t.Errorf("%q has a key", text)
		}
	}
	if got, want := Normal(" SELECT/*x*/ 'a  b' ,1 -- z", true), "SELECT 'a  b' ,1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAppendKey(t *testing.T) {
	key := func(text string) string {
		k, ok := AppendKey(nil, text, true)
		return map[bool]string{true: string(k)}[ok]
	}
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"select a from t where b = 1", "SELECT  a FROM t WHERE b=/**/22 ", true},
		{"select 'a'", "select $$b$$", true},
		{"select 'a'", "select 1", false},
		{"select a ? b", "select a 'x' b", false},
		{"select 1, 2", "select 1", false},
		{"select \"a b\"", "select a b", false},
		{"select \"a\"", "select a", false},
		{"select $1", "select $2", false},
		{"select a.b", "select a . b", true},
		{"select a-1", "select a - - 1", false},
	} {
		if a, b := key(tt.a), key(tt.b); a == "" || b == "" || (a == b) != tt.same {
			t.Errorf("%s / %s: %q %q", tt.a, tt.b, a, b)
		}
	}
	for _, text := range []string{"show x", "select current_setting('x')", `select "set_config"('x', 'y', true)`, "execute a", "set role 'x'", "do 'x'", "select 'open", `"`, `select "`,
		"select 1; set role 'x'", "create table a (b int)", "copy a to 'x'", `select U&"a"`, "select '\xff'", "(show x)", "with a as (select 1) execute b", "commit prepared 'x'"} {
		if k := key(text); k != "" {
			t.Errorf("%s has the key %q", text, k)
		}
	}
	if a, _ := AppendKey(nil, "select 1", true); string(a) == func() string { k, _ := AppendKey(nil, "select 1", false); return string(k) }() {
		t.Error("the lexing is not part of the key")
	}
}

// TestEqualKeysMeanEqualFacts changes the literals of the golden statements.
func TestEqualKeysMeanEqualFacts(t *testing.T) {
	other := func(dst, literal []byte) []byte { return append(append(dst, literal...), "users"...) }
	keys := 0
	for _, g := range goldenTable {
		changed := string(ScrubLiterals(nil, []byte(g.text), other))
		a, ok := AppendKey(nil, g.text, true)
		b, also := AppendKey(nil, changed, true)
		if !ok || !also || !bytes.Equal(a, b) {
			continue
		}
		keys++
		if diff := cmp.Diff(Classify(g.text, input()), Classify(changed, input())); diff != "" {
			t.Errorf("%s: %s", g.text, diff)
		}
	}
	if keys < 60 {
		t.Errorf("only %d statements have keys", keys)
	}
}

func TestKeyDoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { dst, _ = AppendKey(dst[:0], benchText, true) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

const benchText = "SELECT abalance FROM pgbench_accounts WHERE aid = 1234567"

func BenchmarkLex(b *testing.B) {
	b.SetBytes(int64(len(benchText)))
	b.ReportAllocs()
	for b.Loop() {
		lex := Lexer{Text: benchText, Conforming: true}
		for lex.Next().Kind != End {
		}
	}
}

func BenchmarkAppendKey(b *testing.B) {
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = AppendKey(dst[:0], benchText, true)
	}
}

func BenchmarkClassify(b *testing.B) {
	in := Input{Snapshot: snapshotTable(), Conforming: true}
	for name, text := range map[string]string{"select": benchText, "view": "select * from deep d join pg_roles r on true", "update": "update users set name = $1 where id = $2"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Classify(text, in)
			}
		})
	}
}

func BenchmarkNewSnapshot(b *testing.B) {
	c := loadTable()
	for range 5000 {
		c.Relations = append(c.Relations, Relation{OID: 1, Schema: "x", Name: "y", Columns: []string{"a"}})
	}
	for b.Loop() {
		NewSnapshot(c)
	}
}

func FuzzLexer(f *testing.F) {
	for _, g := range goldenTable {
		f.Add(g.text, true)
	}
	f.Add(`'\'`, false)
	f.Fuzz(func(t *testing.T, text string, conforming bool) {
		at := 0
		for lex := (Lexer{Text: text, Conforming: conforming}); ; {
			tok := lex.Next()
			if tok.Start != at {
				t.Fatalf("token %+v begins at %d, not at %d", tok, tok.Start, at)
			}
			if tok.Kind == End {
				break
			}
			if tok.End <= tok.Start || tok.End > len(text) {
				t.Fatalf("token %+v", tok)
			}
			at = tok.End
		}
		if at != len(text) {
			t.Fatalf("the tokens end at %d of %d", at, len(text))
		}
		same := func(dst, literal []byte) []byte { return append(dst, literal...) }
		if got := ScrubLiterals(nil, []byte(text), same); string(got) != text {
			t.Fatalf("scrubbing nothing made %q", got)
		}
	})
}

func FuzzClassify(f *testing.F) {
	for _, g := range goldenTable {
		f.Add(g.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in := input()
		got := Classify(text, in)
		if got.ReadOnly && (got.Unclear != "" || got.Dynamic || got.Files || got.Program) {
			t.Fatalf("%+v", got)
		}
		if a, b := Classify(Normal(text, true), in), got; a.ReadOnly != b.ReadOnly || !cmp.Equal(a.Relations, b.Relations) {
			t.Fatalf("the normal form means something else: %+v %+v", a, b)
		}
		Bindings(text, in)
		Fingerprint(text, true)
	})
}

// TestClassifyTakesLongTexts ends by the test's time limit where something takes more than linear time.
func TestClassifyTakesLongTexts(t *testing.T) {
	in := Input{Snapshot: snapshotTable(), Conforming: true}
	const n = 60_000
	for _, piece := range []string{"(", "[", "select ", "a.", "'a'\n", "$a$", "/*", "with a as (", "as a (", "create function f() as $$", "case ", ";", "x(", "u&\"", "begin atomic ",
		"grant ", "from a,", "copy ", "do $$", "E'\\", "a from b, c d(e), ", ")", "explain (", "declare a "} {
		Classify(strings.Repeat(piece, n/len(piece)), in)
		Bindings(strings.Repeat(piece, n/len(piece)), in)
		AppendKey(nil, strings.Repeat(piece, 16000/len(piece)), true)
	}
}
