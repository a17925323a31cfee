package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/session"
	"weir/rules/sql"
)

// recentCodec is a codec that counts what it classifies.
func recentCodec(o CodecOptions) (c *codec, classified *int) {
	o.Snapshot = func() *sql.Snapshot { return nil }
	o.Changed = func() {}
	c = NewCodec(o).(*codec)
	classified = new(int)
	classify := c.read.classify
	c.read.classify = func(text string, prepared func(string) *weir.SQL) *weir.SQL {
		*classified++
		return classify(text, prepared)
	}
	return c, classified
}

func TestTextsThatDifferInNumbersShareTheirFacts(t *testing.T) {
	c, classified := recentCodec(CodecOptions{})
	keys := 0
	key := c.read.key
	c.read.key = func(dst []byte, text string) ([]byte, bool) { keys++; return key(dst, text) }
	first := c.factsOf("select a from t where id = 1;")
	for i := range 10 {
		if c.factsOf(fmt.Sprintf("select a from t where id = %d;", i*7)) != first {
			t.Fatal("other facts")
		}
	}
	if *classified != 1 || keys != 2 {
		t.Errorf("classified %d times, %d keys; want 1 and 2", *classified, keys)
	}
	if c.factsOf("select b from t where id = 1;") == first {
		t.Error("another text has the same facts")
	}
	c.forget() // as after a change of the search path
	if c.factsOf("select a from t where id = 1;") == first {
		t.Error("facts that were forgotten")
	}
}

func TestTextsThatTakeOutOfDocumentsAreNotRecent(t *testing.T) {
	c, _ := recentCodec(CodecOptions{})
	for _, text := range []string{"select a -> 1 from t", "select json_value(a, '$.x') from t"} {
		for range 3 {
			c.factsOf(text)
		}
	}
	if len(c.recent.kept) > 0 {
		t.Error(c.recent.kept)
	}
}

func TestRecentTextsAreBounded(t *testing.T) {
	c, _ := recentCodec(CodecOptions{})
	for i := range 5 * keptRecent {
		text := fmt.Sprintf("select a%d from t where id = 1", i)
		f := c.factsOf(text)
		for range 2 {
			if c.factsOf(text) != f {
				t.Fatal(text)
			}
		}
	}
	if len(c.recent.kept) != keptRecent {
		t.Error(len(c.recent.kept))
	}
}

// turningMask masks one word from its second version on, and counts what it is asked.
type turningMask struct {
	maskFor
	word    string
	version int
	asked   int
}

func (m *turningMask) Value(dst []byte, name string, value []byte, t *weir.Tally) []byte {
	if string(value) == m.word {
		if m.asked++; m.version > 1 {
			return append(dst, "[masked]"...)
		}
	}
	return m.maskFor.Value(dst, name, value, t)
}

func (m *turningMask) Version() any { return m.version }

func TestNamesOfColumnsAreMaskedAgainByANewMask(t *testing.T) {
	m := &turningMask{maskFor: maskFor{realMask(t)}, word: "abalance", version: 1}
	c := &gatetest.Controls{OnOpen: func() (session.Mask, error) { return m, nil }}
	client, target := &memoryConn{next: make(chan []byte, 1)}, &memoryConn{next: make(chan []byte, 1)}
	target.write = func([]byte) error { target.next <- shortAnswer(false); return nil }
	var answers []string
	ask := messageOf('Q', "select abalance from pgbench_accounts\x00")
	client.write = func(b []byte) error {
		answers = append(answers, string(b))
		switch len(answers) {
		case 1:
			client.next <- ask
		case 2:
			m.version = 2
			client.next <- ask
		default:
			client.next <- nil
		}
		return nil
	}
	s, err := c.Gate(t).IncomingConn(weir.Client{}, client, func(context.Context, string) (session.Conn, []byte, error) { return target, nil, nil }).
		Authorize(t.Context(), gatetest.Hello())
	if err != nil {
		t.Fatal(err)
	}
	codec, _ := recentCodec(CodecOptions{Columns: func(string, string) (bool, bool) { return false, false }})
	client.next <- ask
	if err := s.Pump(t.Context(), codec); err != nil {
		t.Fatal(err)
	}
	asked := m.asked
	for i, masked := range []bool{false, false, true} {
		if strings.Contains(answers[i], "abalance") == masked || strings.Contains(answers[i], "[masked]\x00") != masked {
			t.Errorf("answer %d: %q", i, answers[i])
		}
	}
	if asked != 2 {
		t.Errorf("the name was looked at %d times, want 2", asked)
	}
}
