package session_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/session"
)

// link makes the two ends of a connection.
type link func(t *testing.T) (near, far net.Conn)

// links are the kinds of connection that a pump may have at its sides: those that goroutines drive from the beginning, and those that a loop does where there is one.
var links = map[string]link{
	"pipes":   func(*testing.T) (net.Conn, net.Conn) { return net.Pipe() },
	"sockets": sockets,
	"tls":     sealed,
}

// over runs a test over each kind of connection.
func over(t *testing.T, test func(t *testing.T, l link)) {
	t.Helper()
	for name, l := range links {
		t.Run(name, func(t *testing.T) { test(t, l) })
	}
}

// pumped starts a pump between a client connection, which it returns, and serve.
func pumped(t *testing.T, l link, c *gatetest.Controls, serve func(net.Conn)) (net.Conn, chan error, *session.Gate) {
	t.Helper()
	g := c.Gate(t)
	client, done := joined(t, l, g, serve)
	return client, done, g
}

// joined starts a pump of a gate.
func joined(t *testing.T, l link, g *session.Gate, serve func(net.Conn)) (net.Conn, chan error) {
	t.Helper()
	client, gateSide := l(t)
	s, err := g.IncomingConn(weir.Client{}, gateSide, func(context.Context, string) (session.Conn, []byte, error) {
		target, far := l(t)
		go serve(far)
		return target, nil, nil
	}).Authorize(t.Context(), gatetest.Hello())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Pump(t.Context(), &gatetest.Lines{}) }()
	return client, done
}

// echo answers every command with two lines, one of which leaks.
func echo(got chan<- string) func(net.Conn) {
	return func(c net.Conn) {
		defer c.Close()
		for in := bufio.NewScanner(c); in.Scan(); {
			if got != nil {
				got <- in.Text()
			}
			if in.Text() != "PING" {
				fmt.Fprintf(c, "you said %s\npassword=hunter2 key=%s\n.\n", in.Text(), gatetest.Canary)
			}
		}
	}
}

// answer reads up to the dot.
func answer(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", b.String(), err)
		}
		if line == ".\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

func TestPumpMasksAndRecords(t *testing.T) { over(t, pumpMasksAndRecords) }

func pumpMasksAndRecords(t *testing.T, l link) {
	t.Helper()
	c := &gatetest.Controls{}
	client, done, _ := pumped(t, l, c, echo(nil))
	r := bufio.NewReader(client)
	go func() { _, _ = io.WriteString(client, "PING\nSHOW a\nSHOW "+gatetest.Canary+"\n") }()
	first := answer(t, r)
	if want := "you said SHOW a\npassword=" + gatetest.Mask + " key=" + gatetest.Mask + "\n"; first != want {
		t.Fatalf("got %q, want %q", first, want)
	}
	second := answer(t, r)
	client.Close()
	<-done
	c.Sweep(t, first, second)
	if got := c.Kinds(); strings.Count(got, "command") != 2 || strings.Count(got, "answer-end") != 2 {
		t.Fatal(got)
	}
}

func TestPumpRefusalWaitsForEarlierAnswersAndTheSessionGoesOn(t *testing.T) {
	over(t, pumpRefusalWaitsForEarlierAnswersAndTheSessionGoesOn)
}

func pumpRefusalWaitsForEarlierAnswersAndTheSessionGoesOn(t *testing.T, l link) {
	t.Helper()
	c := &gatetest.Controls{OnDecide: func(cmd *weir.Command) (weir.Verdict, error) {
		if cmd.Operation == "DROP" {
			return weir.Verdict{Effect: weir.Deny, Rule: "no-drop"}, nil
		}
		return weir.Verdict{Effect: weir.Allow}, nil
	}}
	release, got := make(chan struct{}), make(chan string, 8)
	client, done, _ := pumped(t, l, c, func(conn net.Conn) {
		defer conn.Close()
		for in := bufio.NewScanner(conn); in.Scan(); {
			got <- in.Text()
			<-release
			fmt.Fprintf(conn, "%s\n.\n", in.Text())
		}
	})
	r := bufio.NewReader(client)
	go func() { _, _ = io.WriteString(client, "SHOW 1\nDROP x\nSHOW 2\n") }()
	if g := <-got; g != "SHOW 1" {
		t.Fatal(g)
	}
	close(release)
	for i, want := range []string{"SHOW 1\n", "ERR denied-by-rule ", "SHOW 2\n"} {
		if a := answer(t, r); !strings.HasPrefix(a, want) {
			t.Fatalf("answer %d: %q, want %q", i, a, want)
		}
	}
	client.Close()
	<-done
	if g := <-got; g != "SHOW 2" {
		t.Fatalf("the target got %q", g)
	}
}

func TestPumpEndsWhenRevoked(t *testing.T) { over(t, pumpEndsWhenRevoked) }

func pumpEndsWhenRevoked(t *testing.T, l link) {
	t.Helper()
	c := &gatetest.Controls{}
	client, done, g := pumped(t, l, c, echo(nil))
	r := bufio.NewReader(client)
	go func() { _, _ = io.WriteString(client, "SHOW a\n") }()
	answer(t, r)
	g.End(func(*weir.SessionInfo) bool { return true }, "revoked")
	rest, err := io.ReadAll(r)
	wantDenied(t, <-done, weir.DeniedSession)
	if err != nil || !strings.HasPrefix(string(rest), "ERR session-ended") {
		t.Fatalf("the last words are %q: %v", rest, err)
	}
}

func TestPumpRefusesGarbageEndlessFramesAndCodecPanics(t *testing.T) {
	over(t, pumpRefusesGarbageEndlessFramesAndCodecPanics)
}

func pumpRefusesGarbageEndlessFramesAndCodecPanics(t *testing.T, l link) {
	t.Helper()
	for name, send := range map[string]string{
		"garbage": "SHOW \x00\n", "endless": strings.Repeat("x", 2<<20), "panic": "PANIC\n", "cut off": "SHO",
	} {
		t.Run(name, func(t *testing.T) {
			c := &gatetest.Controls{}
			got := make(chan string, 8)
			client, done, _ := pumped(t, l, c, echo(got))
			go func() {
				_, _ = io.WriteString(client, send)
				if name == "cut off" {
					client.Close()
				}
			}()
			go func() { _, _ = io.Copy(io.Discard, client) }()
			if err := <-done; err == nil {
				t.Fatal("no error")
			}
			if len(got) != 0 {
				t.Fatalf("the target got %q", <-got)
			}
		})
	}
}

func TestPumpStopsWhenTheRecorderFailsMidAnswer(t *testing.T) {
	over(t, pumpStopsWhenTheRecorderFailsMidAnswer)
}

func pumpStopsWhenTheRecorderFailsMidAnswer(t *testing.T, l link) {
	t.Helper()
	c := &gatetest.Controls{}
	c.OnRecord = func(r *weir.Record) error {
		if len(r.Data) > 0 { // of a body, or of the end that holds it
			return gatetest.ErrBroken
		}
		return nil
	}
	client, done, _ := pumped(t, l, c, echo(nil))
	go func() { _, _ = io.WriteString(client, "SHOW a\n") }()
	out, _ := io.ReadAll(client)
	if err := <-done; err == nil || strings.Contains(string(out), "you said") {
		t.Fatalf("%v: client got %q", err, out)
	}
}

func BenchmarkAsk(b *testing.B) {
	c := &gatetest.Controls{OnRecord: func(*weir.Record) error { return nil }}
	s, err := c.Gate(b).Incoming(weir.Client{}).Authorize(b.Context(), gatetest.Hello())
	if err != nil {
		b.Fatal(err)
	}
	cmd := &weir.Command{Operation: "GET", Text: "GET /health"}
	for b.Loop() {
		if _, _, err := ask(b.Context(), s, cmd, "ok"); err != nil {
			b.Fatal(err)
		}
	}
}
