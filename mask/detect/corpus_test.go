package detect_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// sampleText is one row of a labelled corpus; Secrets are [start, end, type].
type sampleText struct {
	ID       string   `json:"id"`
	Kind     string   `json:"kind"` // pos or neg
	Context  string   `json:"ctx"`
	Secrets  [][3]any `json:"secrets"`
	Partial  bool     `json:"partial_labels"` // false masks in it cannot be told
	Disputed bool     `json:"disputed"`
	Text     string   `json:"text"`
}

// score counts what was masked in a group of rows.
type score struct{ secrets, caught, right, wrong, negatives, flagged int }

func (s *score) recall() float64    { return float64(s.caught) / float64(max(s.secrets, 1)) }
func (s *score) precision() float64 { return float64(s.right) / float64(max(s.right+s.wrong, 1)) }

// spans returns what is masked of a row, and marks it.
func spans(t *testing.T, row *sampleText, find func(string) [][2]int) (found [][2]int, masked, labelled []bool) {
	t.Helper()
	found = find(row.Text)
	masked, labelled = make([]bool, len(row.Text)), make([]bool, len(row.Text))
	for _, f := range found {
		for i := f[0]; i < f[1]; i++ {
			masked[i] = true
		}
	}
	for _, l := range row.Secrets {
		for i := int(l[0].(float64)); i < int(l[1].(float64)); i++ {
			labelled[i] = true
		}
	}
	return found, masked, labelled
}

// add scores one row: a secret is caught when 95 % of its bytes are masked; a mask that touches no secret is wrong.
func (s *score) add(row *sampleText, found [][2]int, masked, labelled []bool) {
	for _, l := range row.Secrets {
		from, to, n := int(l[0].(float64)), int(l[1].(float64)), 0
		for _, m := range masked[from:to] {
			if m {
				n++
			}
		}
		s.secrets++
		if float64(n) >= 0.95*float64(to-from) {
			s.caught++
		}
	}
	for _, f := range found {
		switch {
		case slices.Contains(labelled[f[0]:f[1]], true):
			s.right++
		case !row.Partial:
			s.wrong++
		}
	}
	if row.Kind == "neg" {
		s.negatives++
		if len(found) > 0 {
			s.flagged++
		}
	}
}

// corpusPath is that of a labelled corpus, one JSON row a line, which WEIR_CORPUS names or which lies beside the checkout.
func corpusPath() string {
	if path := os.Getenv("WEIR_CORPUS"); path != "" {
		return path
	}
	return filepath.Join("..", "..", "..", "shared", "corpus", "dev.jsonl")
}

// TestCorpus scores the detectors on a labelled corpus, if there is one.
// With WEIR_CORPUS_SPANS it writes what it masked to that file.
func TestCorpus(t *testing.T) {
	file, err := os.Open(corpusPath())
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("WEIR_CORPUS") == "" {
		t.Skip("WEIR_CORPUS names no labelled corpus")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := newSet(t)
	find := func(text string) [][2]int {
		out := [][2]int{}
		found, _ := s.Find(nil, []byte(text), 0, true)
		for _, f := range found {
			out = append(out, [2]int{f.Start, f.End})
		}
		return out
	}
	all, groups := &score{}, map[string]*score{}
	var dump *json.Encoder
	if to := os.Getenv("WEIR_CORPUS_SPANS"); to != "" {
		out, err := os.Create(to)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		dump = json.NewEncoder(out)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var row sampleText
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if row.Disputed {
			continue
		}
		found, masked, labelled := spans(t, &row, find)
		if groups[row.Context] == nil {
			groups[row.Context] = &score{}
		}
		all.add(&row, found, masked, labelled)
		groups[row.Context].add(&row, found, masked, labelled)
		if dump != nil {
			if err := dump.Encode(map[string]any{"id": row.ID, "spans": found}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.SortedFunc(maps.Keys(groups), func(a, b string) int {
		return cmp.Compare(groups[b].secrets-groups[b].caught+groups[b].wrong, groups[a].secrets-groups[a].caught+groups[a].wrong)
	}) {
		g := groups[name]
		t.Logf("%-28s %4d secrets, recall %.3f, %3d false, %d of %d clean rows touched", name, g.secrets, g.recall(), g.wrong, g.flagged, g.negatives)
	}
	flagged := float64(all.flagged) / float64(max(all.negatives, 1))
	t.Logf("all: %d secrets, recall %.3f, precision %.3f, %.3f of clean rows touched", all.secrets, all.recall(), all.precision(), flagged)
	const recall, precision, clean = 0.95, 0.98, 0.01
	if all.recall() < recall || all.precision() < precision || flagged > clean {
		t.Errorf("recall %.3f, precision %.3f, %.3f of clean rows touched; want %.2f, %.2f and at most %.2f", all.recall(), all.precision(), flagged, recall, precision, clean)
	}
}
