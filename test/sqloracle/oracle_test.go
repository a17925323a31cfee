package sqloracle

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	pg_query "github.com/pganalyze/pg_query_go/v6"

	"weir"
	"weir/rules/sql"
)

var catalog = sync.OnceValue(func() sql.Catalog {
	f, err := os.Open("../../rules/sql/testdata/catalog.json.gz")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		panic(err)
	}
	var c sql.Catalog
	if err := json.NewDecoder(z).Decode(&c); err != nil {
		panic(err)
	}
	return c
})

var snapshot = sync.OnceValue(func() *sql.Snapshot { return sql.NewSnapshot(catalog()) })

// knownFunctions are the names of the functions in the catalogue.
var knownFunctions = sync.OnceValue(func() map[string]bool {
	known := map[string]bool{}
	for _, f := range catalog().Functions {
		known[f.Name] = true
	}
	return known
})

// golden returns the statements of the table test of rules/sql.
func golden(tb testing.TB) []string {
	tb.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../rules/sql/golden_test.go", nil, 0)
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		c, ok := n.(*ast.CompositeLit)
		if !ok || len(c.Elts) != 2 {
			return true
		}
		if lit, ok := c.Elts[0].(*ast.BasicLit); ok {
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				tb.Fatal(err)
			}
			out = append(out, text)
		}
		return true
	})
	if len(out) < 150 {
		tb.Fatalf("only %d statements", len(out))
	}
	return out
}

// tree is what the server's parser says of a text.
type tree struct {
	statements       int
	relations, calls []string
	modifies         string // the first thing in it that is not only read; "" when there is none
}

// readingTable holds the statements that change nothing by themselves.
var readingTable = map[string]bool{
	"SelectStmt": true, "VariableShowStmt": true, "ExplainStmt": true, "FetchStmt": true, "ClosePortalStmt": true, "DeclareCursorStmt": true,
	"PrepareStmt": true, "DeallocateStmt": true, "ExecuteStmt": true, "TransactionStmt": true, "CopyStmt": true, "RawStmt": true,
}

func parse(text string) (*tree, error) {
	out, err := pg_query.ParseToJSON(text)
	if err != nil {
		return nil, err
	}
	var root struct {
		Stmts []map[string]any `json:"stmts"`
	}
	if err := json.Unmarshal([]byte(out), &root); err != nil {
		return nil, err
	}
	t := &tree{statements: len(root.Stmts)}
	for _, s := range root.Stmts {
		t.walk(s, false)
	}
	return t, nil
}

func (t *tree) walk(n any, unrun bool) {
	switch n := n.(type) {
	case []any:
		for _, x := range n {
			t.walk(x, unrun)
		}
	case map[string]any:
		for k, x := range n {
			if fields, ok := x.(map[string]any); ok {
				t.node(k, fields, unrun)
				t.walk(x, unrun || k == "ExplainStmt" && !analyzes(fields["options"]))
				continue
			}
			if k == "lockingClause" && !unrun {
				t.modifies = k
			}
			t.walk(x, unrun)
		}
	}
}

func (t *tree) node(kind string, fields map[string]any, unrun bool) {
	switch {
	case kind == "RangeVar" || kind == "relation":
		if name, ok := fields["relname"].(string); ok {
			t.relations = append(t.relations, name)
		}
	case kind == "FuncCall" && fields["funcformat"] != "COERCE_SQL_SYNTAX":
		parts, _ := fields["funcname"].([]any)
		name := part(parts[len(parts)-1])
		if len(parts) == 2 && part(parts[0]) == "pg_catalog" && (name == "like_escape" || name == "similar_to_escape" || name == "pg_collation_for") {
			return
		}
		t.calls = append(t.calls, name)
	}
	if unrun {
		return
	}
	switch {
	case strings.HasSuffix(kind, "Stmt") && kind[0] >= 'A' && kind[0] <= 'Z' && !readingTable[kind],
		kind == "intoClause",
		kind == "CopyStmt" && (fields["is_from"] == true || fields["filename"] != nil || fields["is_program"] == true),
		kind == "TransactionStmt" && strings.Contains(fmt.Sprint(fields["kind"]), "PREPARE"):
		t.modifies = kind
	}
}

func analyzes(options any) bool {
	s := fmt.Sprint(options)
	return strings.Contains(s, "defname:analyze ") || strings.Contains(s, "defname:analyse ")
}

func part(n any) string {
	m, _ := n.(map[string]any)
	s, _ := m["String"].(map[string]any)
	v, _ := s["sval"].(string)
	return v
}

func classify(text string) *weir.SQL {
	return sql.Classify(text, sql.Input{
		Snapshot: snapshot(), Conforming: true,
		Prepared: func(string) *weir.SQL {
			return sql.Classify("select 1", sql.Input{Snapshot: snapshot(), Conforming: true})
		},
	})
}

// differ says where the classifier misses what the server's parser sees; "" when it misses nothing. parsed is false where the server refuses the text.
func differ(text string) (miss string, parsed bool) {
	want, err := parse(text)
	if err != nil || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return "", false
	}
	got := classify(text)
	if got.Statements != want.statements && got.Unclear == "" {
		return fmt.Sprintf("%d statements, want %d", got.Statements, want.statements), true
	}
	if got.ReadOnly && want.modifies != "" {
		return "read-only, with " + want.modifies, true
	}
	with := slices.Contains(strings.Fields(sql.Fingerprint(text, true)), "with")
	for _, name := range want.relations {
		if (name == "nowhere" || name == "t1") && !with && want.modifies == "" && got.Unclear == "" {
			return "unknown relation " + name, true
		}
		if !slices.Contains(got.Identifiers, name) && !slices.ContainsFunc(got.Relations, func(r string) bool { return strings.HasSuffix(r, "."+name) }) {
			return "relation " + name, true
		}
	}
	for _, name := range want.calls {
		in := func(f string) bool { return strings.HasSuffix(f, "."+name) }
		if got.ReadOnly && !slices.ContainsFunc(got.Functions, in) {
			return "call of " + name + " in what is read-only", true
		}
		if want.modifies == "" && knownFunctions()[name] && !slices.ContainsFunc(got.Functions, in) && got.Unclear == "" {
			return "call of " + name, true
		}
		if !slices.Contains(got.Identifiers, name) && !slices.ContainsFunc(got.Functions, func(f string) bool { return strings.HasSuffix(f, "."+name) }) {
			return "function " + name, true
		}
	}
	return tokens(text), true
}

// tokens compares the lexer with the server's.
func tokens(text string) string {
	scan, err := pg_query.Scan(text)
	if err != nil {
		return ""
	}
	var got [][2]int32
	for lex := (sql.Lexer{Text: text, Conforming: true}); ; {
		t := lex.Next()
		if t.Kind == sql.End {
			break
		}
		if t.Kind != sql.Space {
			got = append(got, [2]int32{int32(t.Start), int32(t.End)})
		}
	}
	var want [][2]int32
	for _, t := range scan.Tokens {
		if n := len(want) - 1; n >= 0 && want[n][1] == t.Start && text[t.Start] == '\'' && strings.EqualFold(text[want[n][0]:want[n][1]], "n") {
			want[n][1] = t.End // the server takes N'...' for a type and a string, which is the same to who looks for names and text
			continue
		}
		want = append(want, [2]int32{t.Start, t.End})
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("token %q, want %q", text[got[i][0]:got[i][1]], text[want[i][0]:want[i][1]])
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("%d tokens, want %d", len(got), len(want))
	}
	return ""
}

// TestTokens compares what fuzzing has found.
func TestTokens(t *testing.T) {
	for _, text := range []string{"select f(n'')", "select N'a''b' n", "select n, ''"} {
		if miss := tokens(text); miss != "" {
			t.Errorf("%s: %s", text, miss)
		}
	}
}

func TestCorpus(t *testing.T) {
	parsed := 0
	for _, text := range corpus(t) {
		miss, ok := differ(text)
		if ok {
			parsed++
		}
		if miss != "" {
			t.Errorf("%s\n\t%s", text, miss)
		}
	}
	t.Logf("%d of %d statements parse", parsed, len(corpus(t)))
	if parsed < 800 {
		t.Errorf("only %d statements parse", parsed)
	}
}

func TestClearStatementsStayClear(t *testing.T) {
	for _, text := range clearTable {
		if got := classify(text); got.Unclear != "" || !got.ReadOnly {
			t.Errorf("%s: read-only %v, unclear %q", text, got.ReadOnly, got.Unclear)
		}
	}
}

func TestMutations(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all := corpus(t)
	parsed := 0
	const n = 40_000
	for range n {
		text := mutate(r, all)
		miss, ok := differ(text)
		if ok {
			parsed++
		}
		if miss != "" {
			t.Errorf("%q\n\t%s", text, miss)
		}
	}
	t.Logf("%d of %d mutations parse", parsed, n)
	if parsed < n/20 {
		t.Errorf("only %d mutations parse", parsed)
	}
}

func FuzzOracle(f *testing.F) {
	for _, text := range corpus(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if miss, _ := differ(text); miss != "" {
			t.Errorf("%q: %s", text, miss)
		}
	})
}
