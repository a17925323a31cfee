package sshgate_test

import (
	"fmt"
	"testing"

	"weir/gate/sshgate"
)

// TestWhatIsNeverCarriedIsAudited asks for it in every way there is, some of it twice.
func TestWhatIsNeverCarriedIsAudited(t *testing.T) {
	d := startSSHD(t, nil)
	b := newBed(t, targetOf(t, d), sshgate.Options{})
	c := b.mustClient()
	s := newSession(t, c)
	request := func(kind string) {
		t.Helper()
		if ok, err := s.SendRequest(kind, true, nil); ok || err != nil {
			t.Errorf("%s: %v %v", kind, ok, err)
		}
	}
	for range 2 {
		request("auth-agent-req@openssh.com")
		request("x11-req")
		request("made-up@example.com")
		request("signal")
	}
	if err := s.RequestSubsystem("netconf"); err == nil {
		t.Error("the subsystem netconf was begun")
	}
	for _, kind := range []string{"auth-agent@openssh.com", "x11", "direct-streamlocal@openssh.com", "tun@openssh.com"} {
		if _, _, err := c.OpenChannel(kind, nil); err == nil {
			t.Errorf("channel %s was opened", kind)
		}
	}
	for _, kind := range []string{"streamlocal-forward@openssh.com", "hostkeys-prove-00@openssh.com"} {
		if ok, _, err := c.SendRequest(kind, true, nil); ok || err != nil {
			t.Errorf("%s: %v %v", kind, ok, err)
		}
	}
	if ok, _, err := c.SendRequest("keepalive@openssh.com", true, nil); !ok || err != nil {
		t.Error("keepalive:", ok, err)
	}
	if _, _, err := c.SendRequest("no-more-sessions@openssh.com", false, nil); err != nil {
		t.Error(err)
	}
	want := []string{
		"AGENT as %s: request auth-agent-req@openssh.com", "X11 as %s: request x11-req", "REQUEST as %s: request made-up@example.com",
		"REQUEST as %s: subsystem netconf", "AGENT as %s: channel auth-agent@openssh.com", "X11 as %s: channel x11",
		"REQUEST as %s: channel direct-streamlocal@openssh.com", "REQUEST as %s: channel tun@openssh.com",
		"REQUEST as %s: request streamlocal-forward@openssh.com", "REQUEST as %s: request hostkeys-prove-00@openssh.com",
	}
	for _, w := range want {
		if w = fmt.Sprintf(w, d.user); !denied(b, w) {
			t.Errorf("not audited: %s", w)
		}
	}
	if n := refusals(b); n != len(want) {
		t.Errorf("%d refusals were audited, not %d", n, len(want))
	}
	// Nobody fills the log with what they make up.
	for i := range 200 {
		if _, _, err := c.OpenChannel(fmt.Sprintf("made-up-%d@example.com", i), nil); err == nil {
			t.Fatal("opened")
		}
	}
	if n := refusals(b); n <= len(want) || n > 40 {
		t.Errorf("%d refusals were audited", n)
	}
	if out, err := newSession(t, c).Output("echo alive"); err != nil || string(out) != "alive\n" {
		t.Error(string(out), err)
	}
}

// refusals counts what was audited of them.
func refusals(b *bed) int {
	n := 0
	for _, e := range b.Events() {
		if e.Action == "command.deny" {
			n++
		}
	}
	return n
}
