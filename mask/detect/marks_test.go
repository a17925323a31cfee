package detect_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weir/mask/detect"
)

// TestMarkedValuesAreFoundAlike finds values that stand among others by a search of all of them, and by Find.
func TestMarkedValuesAreFoundAlike(t *testing.T) {
	s := set(t)
	r := rand.New(rand.NewPCG(3, 4))
	pieces := strings.Split("password=hunter2x|pass|tok|token|en|://|u:p4ssw0rd@h|eyJhbGciOiJub25lIn0.eyJhIjoxMjM0NTY3fQ.c2lnbmF0dXJl|AKIA|ghp_|9OjodDo6dqedyclky7rpESyPjggo351E1LAN|ticket|"+
		"-----BEGIN |ordinary|words|here|1234|a|b|é|=|: |\x00| -p|bearer |\"|COPY t (id, password) FROM stdin;|insert into t (password) values ('hunter2x')|cGFzc3dvcmQ9aHVudGVyMngxMjM0NTY|id,password|\n|"+
		"+|/|.|-|_|%20|\x1b[31m|xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|XEXAMPLE|R6dPnNYqUMeW4kJc8vHtZbXsA2fLgE1B05vv|glpat-|hvs.|more words than a line of base64 has bytes, up to what comes |xoxb-|npm_|gh"+"p_R6dPnNYqUMeW4kJc8vHtZbXsA2fLgE1B05vv|gl"+"pat-R6dPnNYqUMeW4kJc8vHt", "|")
	marked, found, alone := 0, 0, 0
	for range 6_000 {
		var all []byte
		var values [][2]int
		for range 1 + r.IntN(4) {
			from := len(all)
			for range r.IntN(6) {
				all = append(all, pieces[r.IntN(len(pieces))]...)
			}
			values = append(values, [2]int{from, len(all)})
			all = append(all, "\x00\t\x00\x00\x05"[:r.IntN(6)]...)
		}
		marks, ok := s.Marks([]int32{-7}, all, 1<<10)
		if !ok || marks[0] != -7 || !slices.IsSorted(marks) {
			t.Fatalf("%q: %v %v", all, ok, marks)
		}
		marks = marks[1:]
		if s.StandsIn(all) != (len(marks) > 0) {
			t.Fatalf("%q: marks %v", all, marks)
		}
		for _, at := range values {
			v := all[at[0]:at[1]]
			want, _ := s.Find(nil, v, 0, true)
			in := slices.DeleteFunc(slices.Clone(marks), func(m int32) bool { return int(m) < at[0] || int(m) >= at[1] })
			if tokens, ok := s.Tokens(v, in, at[0]); ok && len(tokens) > 0 {
				alone++
			}
			got, ok := s.FindMarked(nil, v, in, at[0])
			if !ok {
				continue
			}
			marked++
			found += len(got)
			if !slices.Equal(got, want) {
				t.Fatalf("%q in %q: %v, by itself %v", v, all, got, want)
			}
		}
	}
	if marked < 6_000 || found < 1_500 || alone < 400 {
		t.Errorf("%d values, %d found in them, %d values with tokens only", marked, found, alone)
	}
}

// TestMarksAreFew gives up where there are many, and leaves values to Find that are too long.
func TestMarksAreFew(t *testing.T) {
	s := set(t)
	many := []byte(strings.Repeat("token=", 1000))
	if _, ok := s.Marks(nil, many, 999); ok {
		t.Error("more than there may be")
	}
	if marks, ok := s.Marks(nil, many, 4000); !ok || len(marks) < 1000 {
		t.Errorf("%d marks", len(marks))
	}
	if marks, _ := s.Marks(nil, []byte(strings.Repeat("token=", 1<<20)), 999); cap(marks) > 4000 {
		t.Errorf("room for %d marks", cap(marks))
	}
	if _, ok := s.FindMarked(nil, make([]byte, detect.MaxHold), nil, 0); ok {
		t.Error("a value that may be open")
	}
}
