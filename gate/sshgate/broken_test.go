package sshgate_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/sshgate"
)

// lateConn is a connection whose end is noticed late.
type lateConn struct {
	ssh.Conn
	noticed chan struct{}
}

func (c lateConn) Wait() error {
	<-c.noticed
	return c.Conn.Wait()
}

// deafConn is a connection that ended at the moment at which a channel was opened, which nobody tells who waits for that.
type deafConn struct {
	ssh.Conn
	over chan struct{}
	last sync.Once
}

func (c *deafConn) OpenChannel(kind string, data []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	select {
	case <-c.over:
		c.last.Do(func() { _ = c.Close() })
		select {}
	default:
		return c.Conn.OpenChannel(kind, data)
	}
}

// TestBrokenTargetConnections begins commands, listeners and tunnels right after the target's connection broke, before the gateway has noticed.
func TestBrokenTargetConnections(t *testing.T) {
	d := startSSHD(t, nil)
	noticed := make(chan struct{})
	var mu sync.Mutex
	var last ssh.Conn
	dials := 0
	target := targetOf(t, d)
	target.Forward, target.RemoteForward = true, true
	target.Dial = func(ctx context.Context, config *ssh.ClientConfig) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
		c, channels, requests, err := dialer(d.addr)(ctx, config)
		if err != nil {
			return nil, nil, nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		last, dials = c, dials+1
		return lateConn{c, noticed}, channels, requests, nil
	}
	b := newBed(t, target, sshgate.Options{})
	t.Cleanup(func() { close(noticed) }) // before the connections' end is waited for
	c := b.mustClient()
	broken := func() {
		mu.Lock()
		defer mu.Unlock()
		_ = last.Close()
		_ = last.Wait()
	}
	for range 2 {
		if out, err := newSession(t, c).CombinedOutput("echo again"); err != nil || string(out) != "again\n" {
			t.Errorf("%v %q", err, out)
		}
		broken()
	}
	to, err := c.Dial("tcp", d.addr)
	if err != nil {
		t.Fatalf("a tunnel: %v", err)
	}
	_ = to.Close()
	broken()
	l, err := c.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("a listener: %v", err)
	}
	through(t, l)
	if dials != 4 {
		t.Errorf("the target was connected %d times", dials)
	}
}

// TestUnansweredOpening waits for a channel on a connection that has ended without saying so.
func TestUnansweredOpening(t *testing.T) {
	d := startSSHD(t, nil)
	over := make(chan struct{})
	target := targetOf(t, d)
	target.Dial = func(ctx context.Context, config *ssh.ClientConfig) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
		c, channels, requests, err := dialer(d.addr)(ctx, config)
		select {
		case <-over:
			return c, channels, requests, err
		default:
			return &deafConn{Conn: c, over: over}, channels, requests, err
		}
	}
	c := newBed(t, target, sshgate.Options{}).mustClient()
	for range 2 {
		if out, err := newSession(t, c).CombinedOutput("echo again"); err != nil || string(out) != "again\n" {
			t.Errorf("%v %q", err, out)
		}
		select {
		case <-over:
		default:
			close(over)
		}
	}
}

// TestAClientThatLeavesWhenItIsOpenedTo has the target accept a connection for a client that leaves at that moment. Nothing of it is left.
func TestAClientThatLeavesWhenItIsOpenedTo(t *testing.T) {
	target := targetOf(t, startSSHD(t, nil))
	target.RemoteForward = true
	b := newBed(t, target, sshgate.Options{}) // its end waits for what is served
	over := make(chan struct{})
	wrap := func(c ssh.Conn) ssh.Conn { return &deafConn{Conn: c, over: over} }
	b.wrap.Store(&wrap)
	c := b.mustClient()
	l, err := c.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	close(over)
	from, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	_ = c.Wait()
}

// TestLostTargetsAreTold breaks the connection and lets no other be made: the client reads why nothing comes.
func TestLostTargetsAreTold(t *testing.T) {
	d := startSSHD(t, nil)
	target := targetOf(t, d)
	var first sync.Once
	target.Dial = func(ctx context.Context, config *ssh.ClientConfig) (c ssh.Conn, channels <-chan ssh.NewChannel, requests <-chan *ssh.Request, err error) {
		err = &net.OpError{Op: "dial", Err: net.ErrClosed}
		first.Do(func() { c, channels, requests, err = dialer(d.addr)(ctx, config) })
		return c, channels, requests, err
	}
	c := newBed(t, target, sshgate.Options{}).mustClient()
	_ = newSession(t, c).Run("kill -9 $PPID")
	out, err := newSession(t, c).CombinedOutput("echo again")
	if err == nil || !strings.Contains(string(out), "weir: the target cannot be reached") {
		t.Errorf("%v %q", err, out)
	}
}

// TestProgramsCutOffAreTold breaks the target's connection while a program runs, and before it is begun: the client reads why no more comes, and the
// recording tells it from a program that ended.
func TestProgramsCutOffAreTold(t *testing.T) {
	const why = "the connection to the target broke"
	d := startSSHD(t, nil)
	target := targetOf(t, d)
	var mu sync.Mutex
	early := false
	target.Dial = func(ctx context.Context, config *ssh.ClientConfig) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
		c, channels, requests, err := dialer(d.addr)(ctx, config)
		mu.Lock()
		defer mu.Unlock()
		if early && err == nil {
			c = fleetingConn{c}
		}
		return c, channels, requests, err
	}
	b := newBed(t, target, sshgate.Options{})
	for _, cut := range []string{"running", "before"} {
		mu.Lock()
		early = cut == "before"
		mu.Unlock()
		out, err := newSession(t, b.mustClient()).CombinedOutput("echo begun; kill -9 $PPID; sleep 60")
		if exit := (*ssh.ExitError)(nil); !errors.As(err, &exit) || exit.ExitStatus() != 255 || !strings.Contains(string(out), "weir: "+why) {
			t.Errorf("%s: %v %q", cut, err, out)
		}
	}
	eventually(t, "two ends that tell it", func() bool {
		told := 0
		for _, r := range b.Records() {
			for _, a := range r.Attrs {
				if r.Kind == weir.RecordAnswerEnd && a.Name == "error" && strings.HasPrefix(a.Value, why) {
					told++
				}
			}
		}
		return told == 2
	})
}

// fleetingConn is a connection that ends when something is to run in a channel.
type fleetingConn struct{ ssh.Conn }

func (c fleetingConn) OpenChannel(kind string, data []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	ch, requests, err := c.Conn.OpenChannel(kind, data)
	return fleetingChannel{ch, c}, requests, err
}

type fleetingChannel struct {
	ssh.Channel
	of ssh.Conn
}

func (ch fleetingChannel) SendRequest(name string, reply bool, payload []byte) (bool, error) {
	_ = ch.of.Close()
	_ = ch.of.Wait()
	return ch.Channel.SendRequest(name, reply, payload)
}
