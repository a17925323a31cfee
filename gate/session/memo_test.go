package session

import (
	"errors"
	"strings"
	"testing"

	"weir"
)

// countingMask masks a word, and counts what it is asked for.
type countingMask struct {
	Mask
	word    string
	version any
	asked   int
}

func (m *countingMask) Version() any { return m.version }

func (m *countingMask) Value(dst []byte, _ string, value []byte, _ *weir.Tally) []byte {
	m.asked++
	return append(dst, strings.ReplaceAll(string(value), m.word, "[masked]")...)
}

// TestMemoFollowsTheMask: what is remembered must be forgotten when more is masked.
func TestMemoFollowsTheMask(t *testing.T) {
	fake := &countingMask{word: "hunter2", version: 1}
	s := &Session{mask: fake, gate: &Gate{opt: Options{OnFault: func(string, error) {}}}}
	var m masking
	check := func(text, want string, asked int) {
		t.Helper()
		got, err := m.text(s, &m.texts, "", text)
		if err != nil || got != want {
			t.Errorf("%q became %q, want %q: %v", text, got, want, err)
		}
		if fake.asked != asked {
			t.Errorf("%q: the mask was asked %d times, want %d", text, fake.asked, asked)
		}
	}
	check("select hunter2, other", "select [masked], other", 1)
	check("select hunter2, other", "select [masked], other", 1)
	check("select 1", "select 1", 2)
	fake.word, fake.version = "other", 2
	check("select hunter2, other", "select hunter2, [masked]", 3)
	check("select 1", "select 1", 4)
	for i := range 10 { // as many as are kept, and more
		check(strings.Repeat("x", i+1), strings.Repeat("x", i+1), 5+i)
	}
	check("select 1", "select 1", 15)
	long := strings.Repeat("x", keptBytes+1)
	check(long, long, 16)
	check(long, long, 17)
	fake.version = nil
	check("select 1", "select 1", 18)
	check("select 1", "select 1", 19)
	fake.version = []int{1} // cannot be compared
	if _, err := m.text(s, &m.texts, "", "select 1"); err == nil {
		_, err = m.text(s, &m.texts, "", "select 1")
		var d *weir.Denied
		if !errors.As(err, &d) {
			t.Errorf("a version that cannot be compared: %v", err)
		}
	}
}
