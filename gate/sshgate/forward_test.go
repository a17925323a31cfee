package sshgate_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/sshgate"
	"weir/vault/secret"
)

func TestForwarding(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello "+canary+"\n")
			_ = c.Close()
		}
	}()
	d := startSSHD(t, nil)
	if c, err := newBed(t, targetOf(t, d), sshgate.Options{}).mustClient().Dial("tcp", l.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("a connection was forwarded without the setting")
	}
	target := targetOf(t, d)
	target.Forward = true
	b := newBed(t, target, sshgate.Options{})
	c, err := b.mustClient().Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(got), "hello ") || len(got) != len("hello \n")+len(canary) {
		t.Errorf("got %q, %v", got, err)
	}
	b.noCanary(string(got))
}

func TestEndOfSessionEndsTheConnection(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{})
	c := b.mustClient()
	s := newSession(t, c)
	if err := s.Start("sleep 60"); err != nil {
		t.Fatal(err)
	}
	b.gate.End(func(*weir.SessionInfo) bool { return true }, "killed")
	if err := s.Wait(); err == nil {
		t.Error("the command ended well")
	}
	_ = c.Wait()
}

// TestRemoteForwarding has the target listen, at a port that is asked for and at one of its choice.
func TestRemoteForwarding(t *testing.T) {
	d := startSSHD(t, nil)
	b := newBed(t, targetOf(t, d), sshgate.Options{})
	if _, err := b.mustClient().Listen("tcp", "127.0.0.1:0"); err == nil {
		t.Error("the target listened without the setting")
	}
	if !denied(b, "LISTEN as root: 127.0.0.1:0") {
		t.Errorf("the refusal is not audited: %+v", b.Events())
	}
	target := targetOf(t, d)
	target.RemoteForward = true
	b = newBed(t, target, sshgate.Options{})
	c := b.mustClient()
	for _, at := range []string{"127.0.0.1:0", freeAddress(t), "localhost:0"} {
		l, err := c.Listen("tcp", at)
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		from, to := through(t, l)
		if _, err := io.WriteString(from, "hello "+canary+"\n"); err != nil {
			t.Fatal(err)
		}
		_ = from.(*net.TCPConn).CloseWrite()
		got, err := io.ReadAll(to)
		if err != nil || !strings.HasPrefix(string(got), "hello ") || len(got) != len("hello \n")+len(canary) {
			t.Errorf("the client got %q, %v", got, err)
		}
		b.noCanary(string(got))
		if _, err := io.WriteString(to, "back"); err != nil {
			t.Fatal(err)
		}
		_ = to.Close()
		if back, err := io.ReadAll(from); err != nil || string(back) != "back" {
			t.Errorf("the far end got %q, %v", back, err)
		}
		_ = from.Close()
		if err := l.Close(); err != nil {
			t.Errorf("cancel: %v", err)
		}
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			_ = c.Close()
			t.Error("the target listens after the cancel")
		}
	}
	var kinds []string
	for _, r := range b.Records() {
		if r.Kind == weir.RecordCommand {
			kinds = append(kinds, strings.Fields(r.Text)[0])
		}
	}
	if got := strings.Join(kinds, " "); got != "LISTEN CONNECT LISTEN CONNECT LISTEN CONNECT" {
		t.Errorf("recorded: %s", got)
	}
}

// TestRemoteForwardingIsDecided asks about the listening and about each connection.
func TestRemoteForwardingIsDecided(t *testing.T) {
	target := targetOf(t, startSSHD(t, nil))
	target.RemoteForward = true
	b := newBed(t, target, sshgate.Options{})
	b.OnDecide = func(cmd *weir.Command) (weir.Verdict, error) {
		if cmd.SSH.Channel != "forwarded-tcpip" || strings.HasSuffix(cmd.SSH.Address, ":1") || cmd.Operation == "CONNECT" {
			return weir.Verdict{Effect: weir.Deny, Rule: "never"}, nil
		}
		return weir.Verdict{Effect: weir.Allow}, nil
	}
	c := b.mustClient()
	if _, err := c.Listen("tcp", "127.0.0.1:1"); err == nil {
		t.Error("the target listened where a rule forbids it")
	}
	l, err := c.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	from, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(from); err != nil && !errors.Is(err, syscall.ECONNRESET) || len(got) > 0 {
		t.Errorf("a connection that a rule forbids says %q, %v", got, err)
	}
	if !denied(b, "CONNECT as root: "+l.Addr().String()) {
		t.Errorf("the refusal is not audited: %+v", b.Events())
	}
}

// TestListenersEndWithTheSession ends the session and, at another client, the target's connection.
func TestListenersEndWithTheSession(t *testing.T) {
	target := targetOf(t, startSSHD(t, nil))
	target.RemoteForward = true
	b := newBed(t, target, sshgate.Options{})
	for name, end := range map[string]func(c *ssh.Client){
		"ended":   func(*ssh.Client) { b.gate.End(func(*weir.SessionInfo) bool { return true }, "killed") },
		"left":    func(c *ssh.Client) { _ = c.Close() },
		"no more": func(c *ssh.Client) { _ = newSession(t, c).Run("kill -9 $PPID") },
	} {
		t.Run(name, func(t *testing.T) {
			c := b.mustClient()
			l, err := c.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			from, to := through(t, l)
			end(c)
			if _, err := io.ReadAll(to); err != nil && !errors.Is(err, io.EOF) {
				t.Log(err)
			}
			_ = from.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := from.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the connection lives: %v", err)
			}
			eventually(t, "the listener is gone", func() bool {
				c, err := net.Dial("tcp", l.Addr().String())
				if err == nil {
					_ = c.Close()
				}
				return err != nil
			})
			_ = c.Wait()
		})
	}
}

// TestTargetsOpenNothingUnasked has a target that opens channels which nobody asked for.
func TestTargetsOpenNothingUnasked(t *testing.T) {
	host, hostPEM := newKey(t)
	results := make(chan string, 8)
	addr := serveTarget(t, host, func(sc *ssh.ServerConn) {
		for _, kind := range []string{"forwarded-tcpip", "x11", "auth-agent@openssh.com", "session", "direct-tcpip"} {
			ch, _, err := sc.OpenChannel(kind, ssh.Marshal(struct {
				Host       string
				Port       uint32
				OriginHost string
				OriginPort uint32
			}{"localhost", 4711, canary, 1}))
			if err == nil {
				_ = ch.Close()
				results <- kind
			}
		}
		close(results)
	})
	target := sshgate.Target{
		Dial: dialer(addr), HostKeys: ssh.FixedHostKey(host.PublicKey()), Default: "app", RemoteForward: true, Forward: true,
		Accounts: map[string]sshgate.Auth{"app": {Key: secret.New(hostPEM)}},
	}
	b := newBed(t, target, sshgate.Options{})
	_ = newSession(t, b.mustClient()).Run("true")
	for kind := range results {
		t.Errorf("the target opened a channel %s", kind)
	}
	for _, want := range []string{"X11 as app: the target asked for channel x11", "AGENT as app: the target asked for channel auth-agent@openssh.com",
		"REQUEST as app: the target asked for channel session", "REQUEST as app: the target asked for channel forwarded-tcpip"} {
		if !denied(b, want) {
			t.Errorf("not audited: %s", want)
		}
	}
}

// serveTarget is an SSH server that takes any key, answers every exec with status 0 and runs then first.
func serveTarget(t *testing.T, host ssh.Signer, then func(*ssh.ServerConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	config.AddHostKey(host)
	var group sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); group.Wait() })
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				sc, channels, requests, err := ssh.NewServerConn(conn, config)
				if err != nil {
					return
				}
				group.Go(func() { ssh.DiscardRequests(requests) })
				then(sc)
				for nc := range channels {
					ch, in, err := nc.Accept()
					if err != nil {
						return
					}
					for r := range in {
						_ = r.Reply(r.Type == "exec", nil)
						if r.Type == "exec" {
							_, _ = ch.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
							_ = ch.Close()
						}
					}
				}
			})
		}
	})
	return l.Addr().String()
}

// through connects to what listens at the target, and takes the connection at the client.
func through(t *testing.T, l net.Listener) (from, to net.Conn) {
	t.Helper()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	from, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = from.Close() })
	if to = <-accepted; to == nil {
		t.FailNow()
	}
	t.Cleanup(func() { _ = to.Close() })
	return from, to
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// denied reports whether a refusal of a command was audited.
func denied(b *bed, command string) bool {
	for _, e := range b.Events() {
		for _, a := range e.Detail {
			if e.Action == "command.deny" && a.Name == "command" && a.Value == command {
				return true
			}
		}
	}
	return false
}
