package sshgate_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"weir"
	"weir/gate/sshgate"
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
