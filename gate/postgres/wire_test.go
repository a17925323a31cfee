package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir"
	"weir/gate/gatetest"
)

// next reads one frame.
func next(t *testing.T, r io.Reader) string {
	t.Helper()
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(head[:]) + string(b)
}

// types reads n frames and spells their types.
func types(t *testing.T, r io.Reader, n int) (kinds string, last string) {
	t.Helper()
	for range n {
		last = next(t, r)
		kinds += last[:1]
	}
	return kinds, last
}

func send(t *testing.T, w io.Writer, frames ...string) {
	t.Helper()
	go func() { _, _ = io.WriteString(w, strings.Join(frames, "")) }()
}

func denyDrop(cmd *weir.Command) (weir.Verdict, error) {
	if strings.Contains(cmd.Text, "drop") {
		return weir.Verdict{Effect: weir.Deny, Rule: "no-drop"}, nil
	}
	return weir.Verdict{Effect: weir.Allow}, nil
}

const (
	executeUnnamed = "\x00\x00\x00\x00\x00"
	bindUnnamed    = "\x00\x00\x00\x00\x00\x00\x00\x00"
)

func parse(name, text string) string { return frame('P', name+"\x00"+text+"\x00\x00\x00") }

// TestARefusalInAPipeline is answered in order, what follows is dropped up to the Sync, and the target says the state.
func TestARefusalInAPipeline(t *testing.T) {
	w := wire(t, &gatetest.Controls{OnDecide: denyDrop})
	send(t, w.client, parse("", "select 1"), frame('B', bindUnnamed), frame('E', executeUnnamed),
		parse("", "drop table x"), frame('B', bindUnnamed), frame('E', executeUnnamed), frame('S', ""))
	// The columns of what is executed are not known, so the gateway asks for them itself.
	// What was executed is to be undone, so it asks for an error, too.
	kinds, last := "", ""
	for range 6 {
		if m := next(t, w.target); m[0] != 'S' {
			last, kinds = m, kinds+m[:1]
		} else {
			kinds += "S"
		}
	}
	if kinds != "PBDEES" || last != abort {
		t.Fatalf("the target got %q, and %q", kinds, last)
	}
	send(t, w.target, frame('1', ""), frame('2', ""), frame('T', "\x00\x01"+column("password", 25, 0)), frame('D', cells("hunter2")), frame('C', "INSERT 0 1\x00"),
		frame('E', "SERROR\x00C34000\x00Mno portal\x00\x00"), frame('Z', "T"))
	if kinds, _ := types(t, w.client, 3); kinds != "12D" {
		t.Fatal(kinds)
	}
	kinds, refusal := types(t, w.client, 2)
	if kinds != "CE" || !strings.Contains(refusal, "C42501\x00") || !strings.Contains(refusal, "no-drop") {
		t.Fatalf("%s %q", kinds, refusal)
	}
	if last := next(t, w.client); last != frame('Z', "T") {
		t.Fatalf("%q", last)
	}
	w.controls.Sweep(t)
}

// TestARefusalBehindAnswersThatAreNotFlushed does not keep them back: some clients ask for answers by Flush, and send Sync when they have seen the error.
func TestARefusalBehindAnswersThatAreNotFlushed(t *testing.T) {
	for name, frames := range map[string][]string{
		"a Parse": {parse("", "select 1"), parse("", "drop table x"), frame('H', "")},
		"a Query": {parse("", "select 1"), frame('Q', "drop table x\x00")},
	} {
		t.Run(name, func(t *testing.T) {
			w := wire(t, &gatetest.Controls{OnDecide: denyDrop})
			send(t, w.client, frames...)
			if kinds, _ := types(t, w.target, 2); kinds != "PH" {
				t.Fatalf("the target got %q", kinds)
			}
			send(t, w.target, frame('1', ""))
			if kinds, refusal := types(t, w.client, 2); kinds != "1E" || !strings.Contains(refusal, "C42501\x00") {
				t.Fatalf("%s %q", kinds, refusal)
			}
		})
	}
}

// commands are the commands that were recorded: the number, the text, and a p where it was only prepared.
func commands(c *gatetest.Controls) (all []string) {
	for _, r := range c.Records() {
		if r.Kind != weir.RecordCommand {
			continue
		}
		mark := ""
		for _, a := range r.Attrs {
			if a.Name == "prepared" {
				mark = "p"
			}
		}
		all = append(all, fmt.Sprintf("%d%s %s", r.Exchange, mark, r.Text))
	}
	return all
}

// TestWhatIsPreparedIsRecordedOnce: with the command if it runs at once, on its own else, and always before the target gets it.
func TestWhatIsPreparedIsRecordedOnce(t *testing.T) {
	bind := func(name string) string { return frame('B', "\x00"+name+"\x00\x00\x00\x00\x00\x00\x00") }
	execute, sync := frame('E', executeUnnamed), frame('S', "")
	approve := func(cmd *weir.Command) (weir.Verdict, error) {
		if strings.Contains(cmd.Text, "risky") {
			return weir.Verdict{Effect: weir.Approve}, nil
		}
		return denyDrop(cmd)
	}
	for name, test := range map[string]struct {
		frames []string
		want   []string
	}{
		"at once":           {[]string{parse("", "select 1"), bind(""), execute, sync}, []string{"1 select 1"}},
		"alone":             {[]string{parse("s", "select 1"), sync}, []string{"1p select 1"}},
		"two":               {[]string{parse("s", "select 1"), parse("t", "select 2"), sync}, []string{"1p select 1", "2p select 2"}},
		"another runs":      {[]string{parse("s", "select 1"), parse("t", "select 2"), bind("s"), execute, sync}, []string{"1p select 1", "2p select 2", "3 select 1"}},
		"twice":             {[]string{parse("s", "select 1"), bind("s"), execute, bind("s"), execute, sync}, []string{"1 select 1", "2 select 1"}},
		"a refusal follows": {[]string{parse("s", "select 1"), parse("t", "drop table x"), sync}, []string{"1p select 1"}},
		"it waits":          {[]string{parse("s", "risky"), bind("s")}, []string{"1p risky"}},
		"a copy follows":    {[]string{parse("s", "select 1"), frame('d', "x")}, []string{"1p select 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := wire(t, &gatetest.Controls{OnDecide: approve, OnHold: func(ctx context.Context, _ *weir.Hold) (weir.Grant, error) {
				<-ctx.Done()
				return weir.Grant{}, ctx.Err()
			}})
			send(t, w.client, test.frames...)
			if last := next(t, w.target); last[0] != 'P' {
				t.Fatalf("%q", last)
			}
			if got := commands(w.controls); !slices.Equal(got, test.want) {
				t.Errorf("recorded when the target got it: %q, want %q", got, test.want)
			}
			w.session.End("the test is over")
			go func() { _, _ = io.Copy(io.Discard, w.client) }()
			_ = w.target.Close()
			<-w.done
		})
	}
}

// TestWhatIsPreparedCannotBeRecorded and is not sent.
func TestWhatIsPreparedCannotBeRecorded(t *testing.T) {
	for name, frames := range map[string][]string{
		"alone":      {parse("s", "select 1"), frame('S', "")},
		"with a run": {parse("s", "select 1"), frame('B', "\x00s\x00\x00\x00\x00\x00\x00\x00"), frame('E', executeUnnamed), frame('S', "")},
		"in a wait":  {parse("s", "select 1"), frame('d', "x")},
	} {
		t.Run(name, func(t *testing.T) {
			w := wire(t, &gatetest.Controls{OnRecord: func(r *weir.Record) error {
				if r.Kind == weir.RecordCommand {
					return gatetest.ErrBroken
				}
				return nil
			}})
			got := make(chan []byte, 1)
			go func() {
				b, _ := io.ReadAll(w.target)
				got <- b
			}()
			send(t, w.client, frames...)
			said, _ := io.ReadAll(w.client)
			if !bytes.Contains(said, []byte("FATAL")) {
				t.Errorf("the client got %q", said)
			}
			if err := <-w.done; err == nil {
				t.Error("no error")
			}
			if b := <-got; len(b) > 0 {
				t.Errorf("the target got %q", b)
			}
			refused := func(r weir.Record) bool {
				return r.Kind == weir.RecordRefusal && r.Exchange == 1 && r.Text == "select 1"
			}
			if records := w.controls.Records(); !slices.ContainsFunc(records, refused) {
				t.Errorf("no refusal of it is recorded: %+v", records)
			}
		})
	}
}

// TestRowsOfAnEarlierDescription are masked by it.
func TestRowsOfAnEarlierDescription(t *testing.T) {
	w := wire(t, &gatetest.Controls{})
	send(t, w.client, parse("s", "select password from t"), frame('D', "Ss\x00"), frame('S', ""))
	types(t, w.target, 3)
	send(t, w.target, frame('1', ""), frame('t', "\x00\x00"), frame('T', "\x00\x01"+column("password", 25, 0)), frame('Z', "I"))
	types(t, w.client, 4)
	for range 2 {
		send(t, w.client, frame('B', "\x00s\x00\x00\x00\x00\x00\x00\x00"), frame('E', executeUnnamed), frame('S', ""))
		if kinds, _ := types(t, w.target, 3); kinds != "BES" {
			t.Fatal(kinds)
		}
		send(t, w.target, frame('2', ""), frame('D', cells("hunter2")), frame('C', "SELECT 1\x00"), frame('Z', "I"))
		if _, row := types(t, w.client, 2); !strings.Contains(row, "[masked:field") {
			t.Fatalf("%q", row)
		}
		types(t, w.client, 2)
	}
}

// TestAPortalOfTheNextPart stays when the answer to the Sync before it comes after it was made.
func TestAPortalOfTheNextPart(t *testing.T) {
	for name, first := range map[string][]string{
		"a Sync":  {parse("", "select 1"), frame('B', bindUnnamed), frame('E', executeUnnamed), frame('S', "")},
		"a Query": {frame('Q', "select 1\x00")},
	} {
		t.Run(name, func(t *testing.T) {
			w := wire(t, &gatetest.Controls{})
			send(t, w.client, append(first, parse("", "select 2"), frame('B', "p\x00\x00\x00\x00\x00\x00\x00\x00"))...)
			if len(first) > 1 {
				types(t, w.target, 7)
				send(t, w.target, frame('1', ""), frame('2', ""), frame('n', ""), frame('C', "SELECT 0\x00"), frame('Z', "I"))
				types(t, w.client, 4)
			} else {
				types(t, w.target, 3)
				send(t, w.target, frame('C', "SELECT 0\x00"), frame('Z', "I"))
				types(t, w.client, 2)
			}
			send(t, w.client, frame('E', "p\x00\x00\x00\x00\x00"), frame('S', ""))
			if kinds, _ := types(t, w.target, 3); kinds != "DES" {
				t.Fatalf("the target got %q", kinds)
			}
		})
	}
}

// TestAParseBehindDiscardAll makes a statement that the answer to it does not take away, as drivers do that clean up a pooled connection with the next statement.
func TestAParseBehindDiscardAll(t *testing.T) {
	w := wire(t, &gatetest.Controls{})
	send(t, w.client, frame('Q', "discard all\x00"), parse("", "select 1"), frame('B', bindUnnamed), frame('E', executeUnnamed), frame('S', ""))
	types(t, w.target, 1)
	send(t, w.target, frame('C', "DISCARD ALL\x00"), frame('Z', "I"))
	types(t, w.client, 2)
	kinds := ""
	for !strings.HasSuffix(kinds, "S") {
		m := next(t, w.target)
		kinds += m[:1]
	}
	if strings.TrimLeft(kinds, "H") != "PBDES" {
		t.Fatalf("the target got %q", kinds)
	}
}

// TestManyParameters are as many as a message has room for.
func TestManyParameters(t *testing.T) {
	const n = "\xff\xff"
	w := wire(t, &gatetest.Controls{})
	formats, values := strings.Repeat("\x00\x00", 65535), strings.Repeat("\x00\x00\x00\x017", 65535)
	send(t, w.client, frame('P', "\x00select 1\x00"+n+strings.Repeat("\x00\x00\x00\x17", 65535)), frame('D', "S\x00"), frame('B', "\x00\x00"+n+formats+n+values+"\x00\x00"), frame('S', ""))
	if kinds, _ := types(t, w.target, 4); kinds != "PDBS" {
		t.Fatalf("the target got %q", kinds)
	}
	send(t, w.target, frame('1', ""), frame('t', n+strings.Repeat("\x00\x00\x00\x17", 65535)), frame('n', ""), frame('2', ""), frame('Z', "I"))
	if kinds, _ := types(t, w.client, 5); kinds != "1tn2Z" {
		t.Fatalf("the client got %q", kinds)
	}
	if !slices.ContainsFunc(w.controls.Records(), func(r weir.Record) bool { return r.Kind == weir.RecordCommand && len(r.Attrs) > 65535 }) {
		t.Error("they are not recorded")
	}
}

// TestAStatementInACopy ends the session. A target may take it for a mistake in the rows, which ends the COPY, and not answer it: then what it answers to the
// next one would be masked as the answer to this.
func TestAStatementInACopy(t *testing.T) {
	for name, early := range map[string]bool{"before the target is ready": true, "in its place": false} {
		t.Run(name, func(t *testing.T) {
			w := wire(t, &gatetest.Controls{})
			copying, other := frame('Q', "copy t from stdin\x00"), frame('Q', "select 1\x00")
			if early {
				send(t, w.client, copying, other)
				types(t, w.target, 2)
			} else {
				send(t, w.client, copying)
				types(t, w.target, 1)
			}
			send(t, w.target, frame('G', "\x00\x00\x01\x00\x00"))
			if !early {
				types(t, w.client, 1)
				send(t, w.client, other)
			}
			if last := next(t, w.client); last[0] != 'E' || !strings.Contains(last, "FATAL") || !strings.Contains(last, "C08P01") {
				t.Fatalf("%q", last)
			}
		})
	}
}

// TestAFlushWithABody is not forwarded: the target would answer with an error, and skip statements whose answers the gateway waits for.
func TestAFlushWithABody(t *testing.T) {
	w := wire(t, &gatetest.Controls{})
	go func() { _, _ = io.Copy(io.Discard, w.client) }()
	send(t, w.client, frame('H', "x"), frame('Q', "select 1\x00"), frame('S', ""))
	if got, _ := io.ReadAll(w.target); len(got) > 0 {
		t.Errorf("the target got %q", got)
	}
	if err := <-w.done; err == nil {
		t.Error("no error")
	}
}

// TestAParseThatFailsKeepsTheOldStatement: a name must not be decided on as what it does not mean.
func TestAParseThatFailsKeepsTheOldStatement(t *testing.T) {
	asked := make(chan string, 8)
	w := wire(t, &gatetest.Controls{OnDecide: func(cmd *weir.Command) (weir.Verdict, error) {
		asked <- cmd.Text
		return weir.Verdict{Effect: weir.Allow}, nil
	}})
	send(t, w.client, parse("s", "delete from t"), frame('S', ""))
	types(t, w.target, 2)
	send(t, w.target, frame('1', ""), frame('Z', "I"))
	types(t, w.client, 2)
	send(t, w.client, parse("s", "select 1"), frame('S', ""), frame('B', "\x00s\x00\x00\x00\x00\x00\x00\x00"), frame('E', executeUnnamed), frame('S', ""))
	if kinds, _ := types(t, w.target, 2); kinds != "PS" {
		t.Fatal(kinds)
	}
	send(t, w.target, frame('E', "SERROR\x00C42P05\x00Mprepared statement exists\x00\x00"), frame('Z', "I"))
	types(t, w.client, 2)
	if kinds, _ := types(t, w.target, 4); kinds != "BDES" {
		t.Fatal(kinds)
	}
	for _, want := range []string{"delete from t", "select 1", "delete from t"} {
		if got := <-asked; got != want {
			t.Fatalf("decided on %q, want %q", got, want)
		}
	}
}

func holdAll(*weir.Command) (weir.Verdict, error) {
	return weir.Verdict{Effect: weir.Approve, Rule: "ask", Policy: "p1"}, nil
}

// waits holds until its context ends or release.
func waits(release <-chan struct{}) func(context.Context, *weir.Hold) (weir.Grant, error) {
	return func(ctx context.Context, h *weir.Hold) (weir.Grant, error) {
		h.Opened("req_1")
		select {
		case <-ctx.Done():
			return weir.Grant{}, &weir.Denied{Kind: weir.DeniedUnapproved, Request: "req_1", Err: ctx.Err()}
		case <-release:
			return weir.Grant{Request: "req_1", Policy: "p1"}, nil
		}
	}
}

// TestAHeldStatement is told of at once, lets notifications pass, and goes on when it is approved.
func TestAHeldStatement(t *testing.T) {
	release := make(chan struct{})
	w := wire(t, &gatetest.Controls{OnDecide: holdAll, OnHold: waits(release)})
	send(t, w.client, frame('Q', "delete from t\x00"))
	notice := next(t, w.client)
	if notice[0] != 'N' || !strings.Contains(notice, "C01000\x00") || !strings.Contains(notice, "req_1") {
		t.Fatalf("%q", notice)
	}
	send(t, w.target, frame('A', "\x00\x00\x00\x01chan\x00"+canary+"\x00"))
	if n := next(t, w.client); n[0] != 'A' || strings.Contains(n, canary) {
		t.Fatalf("%q", n)
	}
	close(release)
	if kinds, _ := types(t, w.target, 1); kinds != "Q" {
		t.Fatal(kinds)
	}
	send(t, w.target, frame('C', "DELETE 1\x00"), frame('Z', "I"))
	if kinds, _ := types(t, w.client, 2); kinds != "CZ" {
		t.Fatal(kinds)
	}
}

// TestAPortalThatIsRunAgain is decided on again, with the parameters that it was bound to in the record. It cannot wait, since what an approval would be bound to is gone.
func TestAPortalThatIsRunAgain(t *testing.T) {
	var asked atomic.Int32
	var effect atomic.Value
	effect.Store(weir.Allow)
	c := &gatetest.Controls{OnDecide: func(cmd *weir.Command) (weir.Verdict, error) {
		asked.Add(1)
		if len(cmd.Attrs) > 0 && cmd.Attrs[0].Value != "42" {
			return weir.Verdict{}, errors.New("another parameter")
		}
		return weir.Verdict{Effect: effect.Load().(weir.Effect), Rule: "some"}, nil
	}}
	w := wire(t, c)
	send(t, w.client, parse("", "select a from t where a = $1"), frame('B', "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0242\x00\x00"),
		frame('D', "P\x00"), frame('E', executeUnnamed), frame('H', ""))
	types(t, w.target, 5)
	send(t, w.target, frame('1', ""), frame('2', ""), frame('T', "\x00\x01"+column("a", 25, 0)), frame('D', cells("x")), frame('C', "SELECT 1\x00"))
	if kinds, _ := types(t, w.client, 5); kinds != "12TDC" {
		t.Fatal(kinds)
	}
	send(t, w.client, frame('E', executeUnnamed), frame('H', ""))
	if kinds, _ := types(t, w.target, 2); kinds != "EH" || asked.Load() != 3 {
		t.Fatalf("%q, and the decider was asked %d times", kinds, asked.Load())
	}
	send(t, w.target, frame('C', "SELECT 0\x00"))
	types(t, w.client, 1)
	bound := 0
	for _, r := range c.Records() {
		if r.Kind == weir.RecordCommand && strings.HasPrefix(r.Attrs[len(r.Attrs)-1].Name, "parameter") && r.Attrs[len(r.Attrs)-1].Value == "42" {
			bound++
		}
	}
	if bound != 2 {
		t.Errorf("%d commands are recorded with their parameter, not 2", bound)
	}
	effect.Store(weir.Approve)
	send(t, w.client, frame('E', executeUnnamed), frame('S', ""))
	if kinds, last := types(t, w.target, 1); kinds != "E" || last != abort {
		t.Fatalf("the target got %q", last)
	}
	send(t, w.target, frame('E', "SERROR\x00C34000\x00Mno portal\x00\x00"))
	if kinds, refusal := types(t, w.client, 1); kinds != "E" || !strings.Contains(refusal, "bind it anew") {
		t.Fatalf("%q", refusal)
	}
	if kinds, _ := types(t, w.target, 1); kinds != "S" {
		t.Fatalf("the target got %q", kinds)
	}
}

func TestAHeldStatementIsWithdrawn(t *testing.T) {
	w := wire(t, &gatetest.Controls{OnDecide: holdAll, OnHold: waits(nil)})
	send(t, w.client, frame('Q', "delete from t\x00"))
	next(t, w.client)
	if !w.session.Withdraw() {
		t.Fatal("nothing was held")
	}
	refusal := next(t, w.client)
	if !strings.Contains(refusal, "C57014\x00") || next(t, w.client) != frame('Z', "I") {
		t.Fatalf("%q", refusal)
	}
	if w.session.Withdraw() {
		t.Fatal("something is held still")
	}
}

func TestAClientThatGoesEndsItsHold(t *testing.T) {
	over := make(chan struct{})
	w := wire(t, &gatetest.Controls{OnDecide: holdAll, OnHold: func(ctx context.Context, h *weir.Hold) (weir.Grant, error) {
		h.Opened("req_1")
		<-ctx.Done()
		close(over)
		return weir.Grant{}, &weir.Denied{Kind: weir.DeniedUnapproved, Request: "req_1"}
	}})
	send(t, w.client, frame('Q', "delete from t\x00"))
	next(t, w.client)
	_ = w.client.Close()
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Fatal("the hold goes on")
	}
	<-w.done
}

// TestAClientThatGoesWithoutASync is not waited for: the target does not answer what it has sent, and keeps its locks.
func TestAClientThatGoesWithoutASync(t *testing.T) {
	w := wire(t, &gatetest.Controls{})
	send(t, w.client, parse("", "lock table t"), frame('B', bindUnnamed), frame('E', executeUnnamed))
	types(t, w.target, 4)
	_ = w.client.Close()
	_ = w.target.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got, err := io.ReadAll(w.target); err != nil || len(got) > 0 {
		t.Fatalf("%v, and the target got %q", err, got)
	}
	<-w.done
}

// TestWhatTheTargetSkips is not waited for: something failed before it in its pipeline while it waited, for an approval or for what its name means.
func TestWhatTheTargetSkips(t *testing.T) {
	named := "\x00s\x00\x00\x00\x00\x00\x00\x00"
	for name, frames := range map[string][]string{
		"a held statement":  {parse("s", "risky"), frame('B', named)},
		"a statement named": {parse("d", "deallocate s"), frame('B', "\x00d\x00\x00\x00\x00\x00\x00\x00"), frame('E', executeUnnamed), parse("s", "select 1"), frame('B', named)},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			held := waits(release)
			w := wire(t, &gatetest.Controls{OnHold: held, OnDecide: func(cmd *weir.Command) (weir.Verdict, error) {
				if cmd.Text == "risky" {
					return holdAll(cmd)
				}
				return weir.Verdict{Effect: weir.Allow}, nil
			}})
			send(t, w.client, append(frames, frame('E', executeUnnamed), frame('S', ""))...)
			if m := next(t, w.target); m[0] != 'P' {
				t.Fatalf("the target got %q", m)
			}
			go func() { _, _ = io.Copy(io.Discard, w.target) }()
			if frames[0] == parse("s", "risky") {
				next(t, w.client)
			}
			send(t, w.target, frame('E', "SERROR\x00C42601\x00Msyntax error\x00\x00"))
			if kinds, _ := types(t, w.client, 1); kinds != "E" {
				t.Fatal(kinds)
			}
			close(release)
			time.Sleep(50 * time.Millisecond) // the Sync comes behind what it skips
			send(t, w.target, frame('Z', "I"))
			if kinds, last := types(t, w.client, 1); kinds != "Z" {
				t.Fatalf("%q", last)
			}
		})
	}
}

// TestTheTargetGoesWhileAStatementIsHeld: nobody is asked to approve what cannot run, and the client does not wait.
func TestTheTargetGoesWhileAStatementIsHeld(t *testing.T) {
	over := make(chan struct{})
	w := wire(t, &gatetest.Controls{OnDecide: holdAll, OnHold: func(ctx context.Context, h *weir.Hold) (weir.Grant, error) {
		h.Opened("req_1")
		<-ctx.Done()
		close(over)
		return weir.Grant{}, &weir.Denied{Kind: weir.DeniedUnapproved, Request: "req_1"}
	}})
	send(t, w.client, frame('Q', "delete from t\x00"))
	next(t, w.client)
	words := frame('E', "SFATAL\x00VFATAL\x00C25P03\x00Mterminating connection due to idle-in-transaction timeout\x00\x00")
	go func() {
		_, _ = io.WriteString(w.target, words)
		_ = w.target.Close()
	}()
	_ = w.client.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got, err := io.ReadAll(w.client); err != nil || string(got) != words {
		t.Fatalf("%v %q", err, got)
	}
	<-over
	<-w.done
}

// TestTheRecorderFailsInAResult: no row reaches the client that was not recorded.
func TestTheRecorderFailsInAResult(t *testing.T) {
	w := wire(t, &gatetest.Controls{OnRecord: func(r *weir.Record) error {
		if r.Kind == weir.RecordAnswerBody {
			return gatetest.ErrBroken
		}
		return nil
	}})
	send(t, w.client, frame('Q', "select 1\x00"))
	next(t, w.target)
	send(t, w.target, frame('T', "\x00\x01"+column("x", 25, 0)), frame('D', cells("value")))
	if last := next(t, w.client); last[0] != 'E' || !strings.Contains(last, "FATAL") || strings.Contains(last, "value") {
		t.Fatalf("%q", last)
	}
	if err := <-w.done; err == nil {
		t.Fatal("no error")
	}
}

// TestTheTargetDiesInARow: the client gets whole messages only, and is told.
func TestTheTargetDiesInARow(t *testing.T) {
	w := wire(t, &gatetest.Controls{})
	send(t, w.client, frame('Q', "select 1\x00"))
	next(t, w.target)
	row := frame('D', cells("value"))
	go func() {
		_, _ = io.WriteString(w.target, frame('T', "\x00\x01"+column("x", 25, 0))+row+row[:9])
		_ = w.target.Close()
	}()
	kinds, last := types(t, w.client, 3)
	if kinds != "TDE" || !strings.Contains(last, "C08006\x00") {
		t.Fatalf("%s %q", kinds, last)
	}
}

// TestTheTargetSaysWhyItLeaves: the client is told that, and nothing behind it that drivers would take for the reason.
func TestTheTargetSaysWhyItLeaves(t *testing.T) {
	w := wire(t, &gatetest.Controls{})
	send(t, w.client, frame('Q', "select 1\x00"))
	next(t, w.target)
	words := frame('E', "SFATAL\x00VFATAL\x00C57P01\x00Mterminating connection due to administrator command\x00\x00")
	go func() {
		_, _ = io.WriteString(w.target, words)
		_ = w.target.Close()
	}()
	if got, _ := io.ReadAll(w.client); string(got) != words {
		t.Fatalf("%q", got)
	}
}

// TestUnknownMessagesEndTheSession both ways.
func TestUnknownMessagesEndTheSession(t *testing.T) {
	for _, typ := range "Wv!Kp" {
		t.Run(fmt.Sprintf("target %c", typ), func(t *testing.T) {
			w := wire(t, &gatetest.Controls{})
			send(t, w.client, frame('Q', "select 1\x00"))
			next(t, w.target)
			send(t, w.target, frame(byte(typ), "\x00\x00\x00"))
			if last := next(t, w.client); last[0] != 'E' || !strings.Contains(last, "FATAL") {
				t.Fatalf("%q", last)
			}
		})
		t.Run(fmt.Sprintf("client %c", typ), func(t *testing.T) {
			w := wire(t, &gatetest.Controls{})
			send(t, w.client, frame(byte(typ), "\x00\x00\x00"))
			if last := next(t, w.client); last[0] != 'E' || !strings.Contains(last, "FATAL") {
				t.Fatalf("%q", last)
			}
		})
	}
}

// TestCleanRowsAllocateNothing counts what a row costs.
func TestCleanRowsAllocateNothing(t *testing.T) {
	count := func(rows int) float64 {
		w := wire(t, &gatetest.Controls{OnAdmit: nil})
		answer := frame('T', "\x00\x02"+column("id", 23, 0)+column("note", 25, 0)) + strings.Repeat(frame('D', cells("12", "some words")), rows) + frame('C', "SELECT 1\x00") + frame('Z', "I")
		got := make([]byte, len(answer))
		question := frame('Q', "select 1\x00")
		ask := make([]byte, len(question))
		return testing.AllocsPerRun(20, func() {
			go func() { _, _ = io.WriteString(w.client, question) }()
			_, _ = io.ReadFull(w.target, ask)
			go func() { _, _ = io.WriteString(w.target, answer) }()
			if _, err := io.ReadFull(w.client, got); err != nil {
				t.Error(err)
			}
		})
	}
	few, many := count(10), count(1010)
	if many-few > 50 { // what a thousand rows more cost: buffers and records, but nothing a row
		t.Errorf("%v allocations with 10 rows, %v with 1010", few, many)
	}
}

func TestShortReport(t *testing.T) {
	front := make([]byte, 0, shownOfLong)
	front = append(front, "E\x01\x00\x00\x00SERROR\x00VERROR\x00C22000\x00M"...)
	front = append(front, bytes.Repeat([]byte("x"), shownOfLong-len(front))...)
	got := shortReport(front)
	want := "E\x01\x00\x00\x00SERROR\x00VERROR\x00C22000\x00M[a message of 16777216 bytes, more than the gateway looks into]\x00\x00"
	if len(got) != shownOfLong || string(got[:len(want)]) != want {
		t.Errorf("%d bytes, %.200q", len(got), got)
	}
	for _, sparse := range []string{"", "SERROR\x00", "S"} {
		if got := shortReport(append([]byte("N\x7f\x00\x00\x00"+sparse), bytes.Repeat([]byte("y"), shownOfLong-5-len(sparse))...)); len(got) != shownOfLong {
			t.Errorf("%q: %d bytes", sparse, len(got))
		}
	}
}
