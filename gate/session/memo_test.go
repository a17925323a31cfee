package session

import (
	"context"
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

// planned allows all statements of a plan but those of one text, and counts what it is asked for.
type planned struct {
	plan   any
	byText bool
	denied string
	err    error
	asked  int
}

func (d *planned) Standing() (plan any, byText bool) { return d.plan, d.byText }

func (d *planned) Decide(_ context.Context, _ *weir.Identity, _ *weir.Resource, cmd *weir.Command) (weir.Verdict, error) {
	if d.asked++; d.err != nil {
		return weir.Verdict{Effect: weir.Allow}, d.err
	}
	if d.denied != "" && (cmd.Text == d.denied || cmd.Operation == d.denied) {
		return weir.Verdict{}, nil
	}
	return weir.Verdict{Effect: weir.Allow, Rule: cmd.Operation}, nil
}

// TestVerdictsFollowThePlan: what was allowed is asked for again where anything that counts is another.
func TestVerdictsFollowThePlan(t *testing.T) {
	d := &planned{plan: new(int)}
	p := &pump{s: &Session{gate: &Gate{controls: Controls{Decider: d}, standing: d, opt: Options{OnFault: func(string, error) {}}}}, ctx: t.Context()}
	var k verdicts
	check := func(what string, cmd weir.Command, effect weir.Effect, asked int) {
		t.Helper()
		before := d.asked
		v, err := k.of(p, &cmd)
		if v.Effect != effect || (err != nil) != (d.err != nil) || effect == weir.Allow && err == nil && v.Rule != cmd.Operation {
			t.Errorf("%s: %+v, %v", what, v, err)
		}
		if d.asked-before != asked {
			t.Errorf("%s: asked %d times, want %d", what, d.asked-before, asked)
		}
	}
	one, two := &weir.SQL{}, &weir.SQL{}
	check("first", weir.Command{Operation: "SELECT", SQL: one, Text: "a"}, weir.Allow, 1)
	check("again", weir.Command{Operation: "SELECT", SQL: one, Text: "a"}, weir.Allow, 0)
	check("another text", weir.Command{Operation: "SELECT", SQL: one, Text: "b"}, weir.Allow, 0)
	check("another statement", weir.Command{Operation: "SELECT", SQL: two, Text: "a"}, weir.Allow, 1)
	check("another operation", weir.Command{Operation: "COPY", SQL: one, Text: "a"}, weir.Allow, 1)
	check("a call besides", weir.Command{Operation: "SELECT", SQL: one, HTTP: &weir.HTTPRequest{}}, weir.Allow, 1)
	check("no statement", weir.Command{Operation: "SELECT"}, weir.Allow, 1)
	check("no statement again", weir.Command{Operation: "SELECT"}, weir.Allow, 1)

	d.plan, d.denied = new(int), "SELECT"
	check("another plan", weir.Command{Operation: "SELECT", SQL: one, Text: "a"}, weir.Deny, 1)
	check("denied again", weir.Command{Operation: "SELECT", SQL: one, Text: "a"}, weir.Deny, 1)
	d.plan, d.denied, d.byText = new(int), "", true
	check("by text", weir.Command{Operation: "SELECT", SQL: one, Text: "a"}, weir.Allow, 1)
	check("the same text", weir.Command{Operation: "SELECT", SQL: one, Text: "a"}, weir.Allow, 0)
	check("another text by text", weir.Command{Operation: "SELECT", SQL: one, Text: "b"}, weir.Allow, 1)
	d.plan, d.err = nil, errors.New("broken")
	check("no plan", weir.Command{Operation: "SELECT", SQL: one, Text: "a"}, weir.Deny, 1)
	d.err = nil
	check("still no plan", weir.Command{Operation: "SELECT", SQL: one, Text: "a"}, weir.Allow, 1)
	check("and no plan", weir.Command{Operation: "SELECT", SQL: one, Text: "a"}, weir.Allow, 1)
}
