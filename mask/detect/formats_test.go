package detect

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/mask/field"
)

func builtIn(t testing.TB) *Set {
	t.Helper()
	names, err := field.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stanza is what a file says of a kind.
type stanza struct {
	where, kind, source     string
	tokens, matches, clears []string
	reader                  bool
}

// stanzas reads all files.
func stanzas(t testing.TB) []*stanza {
	t.Helper()
	var all []*stanza
	files, err := formatFiles.ReadDir("formats")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := formatFiles.ReadFile("formats/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		if err := entries(file.Name(), string(text), func(kind, key, rest string) error {
			if key == "" {
				all = append(all, &stanza{where: file.Name(), kind: kind})
			}
			s := all[len(all)-1]
			switch key {
			case "source":
				s.source = rest
			case "token":
				s.tokens = append(s.tokens, rest)
			case "match":
				s.matches = append(s.matches, rest)
			case "clear":
				s.clears = append(s.clears, rest)
			case "reader":
				s.reader = true
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// example undoes what formats.go says of examples. start and end are those of the secret.
func example(t testing.TB, line string) (text string, start, end int) {
	t.Helper()
	line = strings.ReplaceAll(line, "·", "")
	for at := strings.Index(line, `\x`); at >= 0; at = strings.Index(line, `\x`) {
		c, err := strconv.ParseUint(line[at+2:at+4], 16, 8)
		if err != nil {
			t.Fatal(line, err)
		}
		line = line[:at] + string([]byte{byte(c)}) + line[at+4:]
	}
	start, end = strings.Index(line, "‹"), strings.Index(line, "›")
	if start < 0 {
		return line, 0, len(line)
	}
	return strings.NewReplacer("‹", "", "›", "").Replace(line), start, end - len("‹")
}

func TestStanzasAreWhole(t *testing.T) {
	all, tokens, kinds := stanzas(t), 0, map[string]string{}
	names, err := field.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	known, err := (&Set{names: names}).load()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		tokens += len(s.tokens)
		if s.source == "" || len(s.matches) == 0 || len(s.clears) == 0 || len(s.matches) < len(s.tokens) {
			t.Errorf("%s: %s has no source, or not an example of each token, or none that is clear", s.where, s.kind)
		}
		if (len(s.tokens) > 0) == s.reader {
			t.Errorf("%s: %s has tokens and a reader, or neither", s.where, s.kind)
		}
		if other, twice := kinds[s.kind]; twice {
			t.Errorf("%s: %s stands in %s already", s.where, s.kind, other)
		}
		kinds[s.kind] = s.where
		if !known[s.kind] {
			t.Errorf("%s: nothing reads %s", s.where, s.kind)
		}
	}
	if tokens < 400 || len(all) < 200 {
		t.Errorf("%d tokens of %d kinds", tokens, len(all))
	}
}

// TestExamples finds every example that must match, alone and in text, and nothing in those that must not.
func TestExamples(t *testing.T) {
	s := builtIn(t)
	for _, z := range stanzas(t) {
		for _, line := range z.matches {
			token, start, end := example(t, line)
			for _, around := range [][2]string{{"", ""}, {"it said ", " to us"}, {`["`, `","next"]`}, {"", "\n"}, {"(", ")"}, {"x=", "&y=2"}, {"| ", " |\n"}} {
				text := around[0] + token + around[1]
				found, _ := s.Find(nil, []byte(text), 0, true)
				from, to := len(around[0])+start, len(around[0])+end
				if !slices.ContainsFunc(found, func(f Finding) bool { return f.Rule.Kind == z.kind && f.Start == from && f.End == to }) {
					t.Errorf("%s: %s not found at %d:%d of %q: %s", z.where, z.kind, from, to, text, kindsOf(found))
				}
			}
		}
		for _, line := range z.clears {
			text, _, _ := example(t, line)
			if found, _ := s.Find(nil, []byte(text), 0, true); len(found) > 0 {
				t.Errorf("%s: %s: %s found in %q", z.where, z.kind, kindsOf(found), text)
			}
		}
	}
}

// TestExamplesInPieces cuts every example at every place, as a stream may.
func TestExamplesInPieces(t *testing.T) {
	s := builtIn(t)
	for _, z := range stanzas(t) {
		for _, line := range z.matches {
			token, _, _ := example(t, line)
			text := "it said " + token + " to us\n"
			want, _ := s.Find(nil, []byte(text), 0, true)
			step := max(1, len(text)/120)
			for cut := 1; cut < len(text); cut += step {
				found, safe := s.Find(nil, []byte(text[:cut]), 0, false)
				found, _ = s.Find(found, []byte(text), safe, true)
				if !slices.EqualFunc(found, want, func(a, b Finding) bool { return a.Start == b.Start && a.End == b.End && a.Rule == b.Rule }) {
					t.Errorf("%s: %s cut at %d of %q: %s %v, want %s %v", z.where, z.kind, cut, text, kindsOf(found), found, kindsOf(want), want)
					break
				}
			}
		}
	}
}

func kindsOf(found []Finding) []string {
	var out []string
	for _, f := range found {
		out = append(out, f.Rule.Kind)
	}
	return out
}

func TestFormatsRefuseBadLines(t *testing.T) {
	for name, text := range map[string]string{
		"a short text":       "k\n  token   ab{a3}\n",
		"no text":            "k\n  token   {a3}\n",
		"an alphabet":        "k\n  token   abc{Q3}\n",
		"lengths":            "k\n  token   abc{a3-2}\n",
		"a length":           "k\n  token   abc{a3-}\n",
		"a check":            "k\n  check   magic\n",
		"a check of a token": "k\n  token   abc{a3} magic\n",
		"a bound":            "k\n  token   abc{a3} entropy=9\n",
		"an entry":           "k\n  tokens  abc{a3}\n",
		"no kind":            "  token   abc{a3}\n",
		"a bad kind":         "K_1\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := loader{alphabets: map[byte]*[256]bool{}}
			err := entries("x.txt", "# x\n"+text, o.entry)
			if err == nil || !strings.Contains(err.Error(), "formats/x.txt line ") {
				t.Error(err)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	names, err := field.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(Options{Names: names}); err != nil {
			b.Fatal(err)
		}
	}
}
