package session_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"weir"
	"weir/gate/gatetest"
)

// A session that is held, that waits for its client or whose controls are slow must not keep the others from going on, however few threads there are.

func TestPumpGoesOnWhileAnotherIsHeld(t *testing.T) { over(t, pumpGoesOnWhileAnotherIsHeld) }

func pumpGoesOnWhileAnotherIsHeld(t *testing.T, l link) {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	c := &gatetest.Controls{
		OnDecide: func(cmd *weir.Command) (weir.Verdict, error) {
			if cmd.Operation == "DROP" {
				return weir.Verdict{Effect: weir.Approve, Rule: "ask", Policy: "p"}, nil
			}
			return weir.Verdict{Effect: weir.Allow}, nil
		},
		OnHold: func(_ context.Context, h *weir.Hold) (weir.Grant, error) {
			h.Opened("req_1")
			close(held)
			<-release
			return weir.Grant{Request: "req_1", Policy: h.Verdict.Policy, Approvers: []string{"mia"}}, nil
		},
	}
	g := c.Gate(t)
	one, oneDone := joined(t, l, g, echo(nil))
	others := make([]net.Conn, 4)
	dones := make([]chan error, 4)
	for i := range others {
		others[i], dones[i] = joined(t, l, g, echo(nil))
	}
	r := bufio.NewReader(one)
	go func() { _, _ = io.WriteString(one, "SHOW a\n") }()
	if a := answer(t, r); !strings.Contains(a, "you said SHOW a") {
		t.Fatal(a)
	}
	go func() { _, _ = io.WriteString(one, "DROP b\nSHOW c\n") }()
	if notice, err := r.ReadString('\n'); err != nil || notice != "HELD req_1\n" {
		t.Fatal(notice, err)
	}
	<-held
	for range 3 {
		for i, other := range others {
			go func() { fmt.Fprintf(other, "SHOW %d\n", i) }()
			if a := answer(t, bufio.NewReader(other)); !strings.Contains(a, fmt.Sprintf("you said SHOW %d\n", i)) {
				t.Fatal(a)
			}
		}
	}
	close(release)
	for _, want := range []string{"you said DROP b", "you said SHOW c"} {
		if a := answer(t, r); !strings.Contains(a, want) {
			t.Fatalf("%q, want %q", a, want)
		}
	}
	go func() { _, _ = io.WriteString(one, "SHOW d\n") }()
	if a := answer(t, r); !strings.Contains(a, "you said SHOW d") {
		t.Fatal(a)
	}
	one.Close()
	<-oneDone
	for i := range others {
		others[i].Close()
		<-dones[i]
	}
}

func TestPumpGoesOnWhileAnothersDeciderIsSlow(t *testing.T) {
	over(t, func(t *testing.T, l link) {
		entered, release := make(chan struct{}), make(chan struct{})
		c := &gatetest.Controls{OnDecide: func(cmd *weir.Command) (weir.Verdict, error) {
			if cmd.Operation == "SLOW" {
				close(entered)
				<-release
			}
			return weir.Verdict{Effect: weir.Allow}, nil
		}}
		g := c.Gate(t)
		slow, slowDone := joined(t, l, g, echo(nil))
		other, otherDone := joined(t, l, g, echo(nil))
		go func() { _, _ = io.WriteString(slow, "SLOW a\n") }()
		<-entered
		go func() { _, _ = io.WriteString(slow, "SHOW b\n") }() // nobody may take it before the slow one is through
		r := bufio.NewReader(other)
		for range 3 {
			go func() { _, _ = io.WriteString(other, "SHOW x\n") }()
			if a := answer(t, r); !strings.Contains(a, "you said SHOW x") {
				t.Fatal(a)
			}
		}
		close(release)
		r = bufio.NewReader(slow)
		for _, want := range []string{"you said SLOW a", "you said SHOW b"} {
			if a := answer(t, r); !strings.Contains(a, want) {
				t.Fatalf("%q, want %q", a, want)
			}
		}
		slow.Close()
		other.Close()
		<-slowDone
		<-otherDone
	})
}

func TestPumpKeepsWhatASlowClientDoesNotTake(t *testing.T) {
	over(t, func(t *testing.T, l link) {
		const lines = 100_000
		c := &gatetest.Controls{OnRecord: func(*weir.Record) error { return nil }}
		g := c.Gate(t)
		slow, slowDone := joined(t, l, g, func(conn net.Conn) {
			defer conn.Close()
			in := bufio.NewScanner(conn)
			for in.Scan() {
				out := bufio.NewWriter(conn)
				for i := range lines {
					fmt.Fprintf(out, "line %d of many\n", i)
				}
				fmt.Fprint(out, ".\n")
				if out.Flush() != nil {
					return
				}
			}
		})
		other, otherDone := joined(t, l, g, echo(nil))
		_, _ = io.WriteString(slow, "SHOW many\n")
		for range 3 {
			go func() { _, _ = io.WriteString(other, "SHOW x\n") }()
			if a := answer(t, bufio.NewReader(other)); !strings.Contains(a, "you said SHOW x") {
				t.Fatal(a)
			}
		}
		r := bufio.NewReader(slow)
		for i := range lines {
			if line, err := r.ReadString('\n'); err != nil || line != fmt.Sprintf("line %d of many\n", i) {
				t.Fatalf("line %d: %q %v", i, line, err)
			}
		}
		slow.Close()
		other.Close()
		<-slowDone
		<-otherDone
	})
}

func TestPumpKeepsWhatASlowTargetDoesNotTake(t *testing.T) {
	over(t, func(t *testing.T, l link) {
		var sent bytes.Buffer
		for i := range 40_000 {
			fmt.Fprintf(&sent, "PUT %d %s\n", i, strings.Repeat("x", 100))
		}
		read, got := make(chan struct{}), make(chan []byte, 1)
		c := &gatetest.Controls{OnRecord: func(*weir.Record) error { return nil }}
		client, done := joined(t, l, c.Gate(t), func(conn net.Conn) {
			defer conn.Close()
			<-read
			all := make([]byte, sent.Len())
			n, _ := io.ReadFull(conn, all)
			got <- all[:n]
		})
		go func() { _, _ = client.Write(sent.Bytes()) }()
		close(read)
		if all := <-got; !bytes.Equal(all, sent.Bytes()) {
			t.Fatalf("the target got %d bytes of %d, or others", len(all), sent.Len())
		}
		client.Close()
		<-done
	})
}

// A session that has left the loop comes back when it is calm again, leaves again, and loses nothing on the way.
func TestPumpComesAndGoes(t *testing.T) {
	over(t, func(t *testing.T, l link) {
		c := &gatetest.Controls{
			OnRecord: func(*weir.Record) error { return nil },
			OnDecide: func(cmd *weir.Command) (weir.Verdict, error) {
				if cmd.Operation == "ASK" {
					return weir.Verdict{Effect: weir.Approve, Rule: "ask", Policy: "p"}, nil
				}
				return weir.Verdict{Effect: weir.Allow}, nil
			},
		}
		g := c.Gate(t)
		ends := make([]chan error, 4)
		for i := range ends {
			var client net.Conn
			client, ends[i] = joined(t, l, g, func(conn net.Conn) {
				defer conn.Close()
				for in := bufio.NewScanner(conn); in.Scan(); {
					size := 10
					if strings.HasPrefix(in.Text(), "BIG") {
						size = 150_000
					}
					fmt.Fprintf(conn, "%s %s\n.\n", in.Text(), strings.Repeat("x", size))
				}
			})
			go func() {
				defer client.Close()
				r := bufio.NewReaderSize(client, 1<<20)
				for n := range 300 {
					op := [...]string{"SHOW", "SHOW", "SHOW", "BIG", "ASK"}[n/20%5]
					// Two at once, so that one is often on its way when the session goes back.
					go func() { fmt.Fprintf(client, "%s %d\n%s %d\n", op, n, op, n) }()
					for range 2 {
						a := answer(t, r)
						for strings.HasPrefix(a, "HELD") {
							_, a, _ = strings.Cut(a, "\n")
						}
						if !strings.HasPrefix(a, fmt.Sprintf("%s %d x", op, n)) {
							t.Errorf("%.40q, want the answer to %s %d", a, op, n)
							return
						}
					}
				}
			}()
		}
		for _, done := range ends {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestPumpAnswersAClientThatHasClosedItsSide(t *testing.T) {
	release := make(chan struct{})
	c := &gatetest.Controls{}
	client, done, _ := pumped(t, links["sockets"], c, func(conn net.Conn) {
		defer conn.Close()
		in := bufio.NewScanner(conn)
		in.Scan()
		<-release
		fmt.Fprintf(conn, "late %s\n.\n", in.Text())
	})
	_, _ = io.WriteString(client, "SHOW a\n")
	if err := client.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	close(release)
	all, err := io.ReadAll(client)
	if err != nil || string(all) != "late SHOW a\n.\n" {
		t.Fatalf("%q %v", all, err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestPumpEndsAllWhenRevokedAtAnyMoment(t *testing.T) {
	c := &gatetest.Controls{OnRecord: func(*weir.Record) error { return nil }}
	g := c.Gate(t)
	const sessions = 50
	dones := make([]chan error, sessions)
	for i := range dones {
		var client net.Conn
		client, dones[i] = joined(t, links["sockets"], g, echo(nil))
		go func() {
			defer client.Close()
			r := bufio.NewReader(client)
			for {
				if _, err := io.WriteString(client, "SHOW a\n"); err != nil {
					return
				}
				if _, err := r.ReadString('.'); err != nil {
					return
				}
			}
		}()
	}
	g.End(func(*weir.SessionInfo) bool { return true }, "revoked")
	for _, done := range dones {
		wantDenied(t, <-done, weir.DeniedSession)
	}
}
