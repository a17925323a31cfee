package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/session"
)

func holdAll(c *gatetest.Controls) {
	c.OnDecide = func(*weir.Command) (weir.Verdict, error) {
		return weir.Verdict{Effect: weir.Approve, Rule: "reflect", Policy: "p1"}, nil
	}
}

func TestAHeldCommandGoesOnWhenApproved(t *testing.T) {
	c := &gatetest.Controls{}
	holdAll(c)
	var told weir.RequestID
	cmd := *show
	cmd.Held = func(id weir.RequestID) { told = id }
	n, _, err := ask(t.Context(), open(t, c), &cmd, "x")
	if err != nil || n != 1 || told != "req_1" {
		t.Fatal(n, told, err)
	}
	c.Sweep(t)
}

func TestADeniedHoldForwardsNothing(t *testing.T) {
	c := &gatetest.Controls{OnHold: func(context.Context, *weir.Hold) (weir.Grant, error) {
		return weir.Grant{}, &weir.Denied{Kind: weir.DeniedUnapproved, Request: "req_9"}
	}}
	holdAll(c)
	n, _, err := ask(t.Context(), open(t, c), show, "x")
	if d := wantDenied(t, err, weir.DeniedUnapproved); n != 0 || d.Request != "req_9" {
		t.Fatal(n, d)
	}
}

// TestTheDecisionIsTakenAgainAtRelease changes the rules while a command is held.
func TestTheDecisionIsTakenAgainAtRelease(t *testing.T) {
	for name, tc := range map[string]struct {
		after weir.Verdict
		want  weir.DenyKind
	}{
		"now denied":  {weir.Verdict{Effect: weir.Deny, Policy: "p2"}, weir.DeniedByRule},
		"new version": {weir.Verdict{Effect: weir.Approve, Policy: "p2"}, weir.DeniedUnapproved},
	} {
		t.Run(name, func(t *testing.T) {
			c := &gatetest.Controls{}
			s := open(t, c)
			holdAll(c)
			c.OnHold = func(_ context.Context, h *weir.Hold) (weir.Grant, error) {
				c.OnDecide = func(*weir.Command) (weir.Verdict, error) { return tc.after, nil }
				return weir.Grant{Request: "req_1", Policy: h.Verdict.Policy}, nil
			}
			n, _, err := ask(t.Context(), s, show, "x")
			wantDenied(t, err, tc.want)
			if n != 0 {
				t.Fatal("forwarded")
			}
		})
	}
}

func TestAnApprovalIsBoundToEverythingThatMatters(t *testing.T) {
	var digests []([32]byte)
	c := &gatetest.Controls{OnHold: func(_ context.Context, h *weir.Hold) (weir.Grant, error) {
		digests = append(digests, h.Digest)
		return weir.Grant{Request: "r", Policy: "p1"}, nil
	}}
	s := open(t, c)
	holdAll(c)
	params := func(p string) func() ([]byte, error) { return func() ([]byte, error) { return []byte(p), nil } }
	for _, cmd := range []weir.Command{
		{Operation: "GET", Text: "GET /a", Parameters: params("1")},
		{Operation: "GET", Text: "GET /a", Parameters: params("1")},
		{Operation: "GET", Text: "GET /a", Parameters: params("2")},
		{Operation: "GET", Text: "GET /a1", Parameters: params("")},
		{Operation: "PUT", Text: "GET /a", Parameters: params("1")},
	} {
		if _, _, err := ask(t.Context(), s, &cmd, ""); err != nil {
			t.Fatal(err)
		}
	}
	if digests[0] != digests[1] {
		t.Error("the same request has two digests")
	}
	seen := map[[32]byte]bool{}
	for _, d := range digests[1:] {
		if seen[d] {
			t.Error("two different requests share a digest")
		}
		seen[d] = true
	}
	bad := weir.Command{Operation: "GET", Parameters: func() ([]byte, error) { return nil, errors.New("body too large") }}
	if n, _, err := ask(t.Context(), s, &bad, ""); err == nil || n != 0 {
		t.Error("parameters that cannot be read did not deny")
	}
}

func TestRevocationEndsWhatRuns(t *testing.T) {
	c := &gatetest.Controls{}
	g := c.Gate(t)
	s, err := g.Incoming(weir.Client{}).Authorize(t.Context(), gatetest.Hello())
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.Ask(t.Context(), show)
	if err != nil {
		t.Fatal(err)
	}
	defer x.End(nil)
	waiting := make(chan error, 1)
	go func() {
		waiting <- x.Forward(func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
	}()
	if n := g.End(func(i *weir.SessionInfo) bool { return i.Identity.User == "usr_1" }, "key revoked"); n != 1 {
		t.Fatalf("ended %d sessions", n)
	}
	if err := <-waiting; err == nil {
		t.Fatal("the running request went on")
	}
	_, err = s.Ask(t.Context(), show)
	wantDenied(t, err, weir.DeniedSession)
	if len(g.Live()) != 0 {
		t.Fatal("still listed")
	}
}

func TestARevocationDuringAdmissionIsNotMissed(t *testing.T) {
	c := &gatetest.Controls{}
	g := c.Gate(t)
	calls := 0
	c.OnAdmit = func(h *session.Hello) (*session.Admission, error) {
		if calls++; calls > 1 {
			return nil, &weir.Denied{Kind: weir.DeniedIdentity, Reason: "not authorized"}
		}
		g.End(func(*weir.SessionInfo) bool { return true }, "revoked")
		return &session.Admission{
			Identity: weir.Identity{User: "u", Kind: weir.Human}, Expires: time.Now().Add(time.Hour),
			Resource: weir.Resource{Name: "res", Protocol: h.Protocol},
		}, nil
	}
	_, err := g.Incoming(weir.Client{}).Authorize(t.Context(), gatetest.Hello())
	wantDenied(t, err, weir.DeniedIdentity)
	if calls != 2 || len(g.Live()) != 0 {
		t.Fatal(calls, g.Live())
	}
}

func TestAccessThatExpiresEndsTheSession(t *testing.T) {
	c := &gatetest.Controls{OnAdmit: func(h *session.Hello) (*session.Admission, error) {
		return &session.Admission{
			Identity: weir.Identity{User: "u", Kind: weir.Human}, Expires: time.Now().Add(30 * time.Millisecond),
			Resource: weir.Resource{Name: "res", Protocol: h.Protocol},
		}, nil
	}}
	s := open(t, c)
	<-s.Done()
	_, err := s.Ask(t.Context(), show)
	wantDenied(t, err, weir.DeniedSession)
}

func TestCloseLetsWhatRunsFinish(t *testing.T) {
	c := &gatetest.Controls{}
	g := c.Gate(t)
	s, err := g.Incoming(weir.Client{}).Authorize(t.Context(), gatetest.Hello())
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.Ask(t.Context(), show)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { g.Close(t.Context()); close(closed) }()
	if err := x.Forward(func(context.Context) error { return nil }); err != nil {
		t.Fatal("drain cut a running request:", err)
	}
	x.End(nil)
	<-closed
	_, err = g.Incoming(weir.Client{}).Authorize(t.Context(), gatetest.Hello())
	wantDenied(t, err, weir.DeniedSession)
}

func TestMessagesAreMaskedBothWaysAndRecorded(t *testing.T) {
	c := &gatetest.Controls{}
	s := open(t, c)
	x, err := s.Ask(t.Context(), show)
	if err != nil {
		t.Fatal(err)
	}
	text := weir.Shape{Format: weir.FormatText}
	if err := x.ClientMessage([]byte("up "+gatetest.Canary), text); err != nil {
		t.Fatal(err)
	}
	got, err := x.TargetMessage([]byte("> "), []byte("down "+gatetest.Canary), text)
	if err != nil || string(got) != "> down "+gatetest.Mask {
		t.Fatal(string(got), err)
	}
	if err := x.ClientMessage([]byte("x"), weir.Shape{}); err == nil {
		t.Fatal("an unknown shape was accepted")
	}
	x.End(nil)
	c.Sweep(t)
}
