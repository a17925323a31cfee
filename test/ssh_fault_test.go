package test

import (
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"

	"weir/evidence/record"
)

// TestSSHCanaries wraps secrets at the edge of a terminal, and reads files piece by piece in no order.
func TestSSHCanaries(t *testing.T) {
	g := sshStart(t, nil, "")
	home := g.target.home
	t.Run("wrapped at 80 columns", func(t *testing.T) {
		x := g.terminal(t, &g.key, 80, 24)
		x.press(t, "sh "+home+"/wide.sh; echo done-$((1+1))\r", "done-2")
		x.press(t, "sh "+home+"/slow.sh; echo done-$((2+2))\r", "done-4")
		x.press(t, "sh "+home+"/colours.sh; echo done-$((3+3))\r", "done-6")
		if !strings.Contains(x.out.String(), "[masked:") {
			t.Errorf("%q", x.out)
		}
	})
	t.Run("out of order", func(t *testing.T) {
		c, err := sftp.NewClient(g.dial(t, &g.key))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		f, err := c.Open(home + "/.env")
		if err != nil {
			t.Fatal(err)
		}
		whole := []byte(sshFilesOfTarget[".env"])
		for _, size := range []int{7, 1, 30} {
			got := make([]byte, len(whole))
			for at := len(whole); at > 0; at -= size {
				from := max(0, at-size)
				if _, err := f.ReadAt(got[from:at], int64(from)); err != nil {
					t.Fatal(err)
				}
			}
			g.keep(got)
			if !strings.HasPrefix(string(got), "APP=shop\nDB_PASSWORD=[masked") {
				t.Errorf("%d bytes each: %s", size, got)
			}
		}
		if info, err := f.Stat(); err != nil || info.Size() != int64(len(whole)) {
			t.Error(info, err)
		}
	})
	g.sweepSSH(t)
	g.replays(t)
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}

// TestSSHFaults breaks connections on both sides, and stops reading.
func TestSSHFaults(t *testing.T) {
	g := sshStart(t, nil, "ssh: {keepalive: 1s}\n")
	live := func() int {
		return len(decode[[]record.Session](t, g.weir(t, "sessions", "ls", "--state", "live", "--protocol", "ssh", "-o", "json")))
	}
	t.Run("the target dies", func(t *testing.T) {
		c := g.dial(t, &g.key)
		for range 2 {
			s, err := c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			if out, err := s.CombinedOutput("kill -9 $PPID; sleep 30"); err == nil {
				t.Errorf("a dead target ended well: %s", out)
			}
			if s, err = c.NewSession(); err != nil {
				t.Fatal(err)
			}
			if out, err := s.CombinedOutput("echo again"); err != nil || string(out) != "again\n" {
				t.Errorf("after it died: %v %s", err, out)
			}
		}
		_ = c.Close()
	})
	t.Run("the client dies", func(t *testing.T) {
		mark := filepath.Join(g.dir, "alive")
		cmd := g.cmd(t.Context(), &g.key, "", "ssh", "-tt", "-F", g.conf, g.key.Login+"@weir", "touch "+mark+"; sleep 1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, "the command", func() bool { return exists(mark) })
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		until(t, "the session's end", func() bool { return live() == 0 })
	})
	t.Run("half open", func(t *testing.T) {
		mark := filepath.Join(g.dir, "alive2")
		cmd := g.cmd(t.Context(), &g.key, "", "ssh", "-F", g.conf, g.key.Login+"@weir", "touch "+mark+"; sleep 1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, "the command", func() bool { return exists(mark) })
		_ = cmd.Process.Signal(syscall.SIGSTOP)
		until(t, "the session's end", func() bool { return live() == 0 })
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Run("a slow reader", func(t *testing.T) {
		s, err := g.dial(t, &g.key).NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		before := g.rss(t)
		if err := s.Start("yes | head -c 100000000"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if grown := g.rss(t) - before; grown > 40<<10 {
			t.Errorf("the gateway grew by %d KB", grown)
		}
		buf, n := make([]byte, 64<<10), 0
		for {
			m, err := out.Read(buf)
			n += m
			if err != nil {
				break
			}
		}
		if n != 100_000_000 || s.Wait() != nil {
			t.Errorf("%d bytes came", n)
		}
	})
	t.Run("a target that does not read", func(t *testing.T) {
		c := g.dial(t, &g.key)
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		const size = 50_000_000
		s.Stdin = io.LimitReader(zeros{}, size)
		var out buffer
		s.Stdout = &out
		before := g.rss(t)
		if err := s.Start("sleep 3; wc -c"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if grown := g.rss(t) - before; grown > 40<<10 {
			t.Errorf("the gateway grew by %d KB", grown)
		}
		other, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := other.Output("echo beside it"); err != nil || string(got) != "beside it\n" {
			t.Errorf("%q %v", got, err)
		}
		if err := s.Wait(); err != nil || strings.TrimSpace(out.String()) != strconv.Itoa(size) {
			t.Errorf("%s of %d bytes came, %v", out.String(), size, err)
		}
	})
	t.Run("a target that hangs", func(t *testing.T) {
		c := g.dial(t, &g.key)
		run := func(command string) (string, error) {
			s, err := c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.Output(command)
			return strings.TrimSpace(string(out)), err
		}
		text, err := run("echo $PPID")
		pid, atoi := strconv.Atoi(text)
		if err != nil || atoi != nil {
			t.Fatal(text, err)
		}
		defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
		began := time.Now()
		if out, err := run("kill -STOP $PPID; sleep 60"); err == nil {
			t.Errorf("a target that hangs ended well: %q", out)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("it was noticed after %v", took)
		}
		if out, err := run("echo again"); err != nil || out != "again" {
			t.Errorf("after it hung: %q %v", out, err)
		}
	})
	t.Run("huge packets", func(t *testing.T) {
		c := g.dial(t, &g.key)
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if out, err := s.CombinedOutput("echo fine " + strings.Repeat("x", 100_000)); err != nil || !strings.HasPrefix(string(out), "fine x") {
			t.Error(err, len(out))
		}
		if s, err = c.NewSession(); err != nil {
			t.Fatal(err)
		}
		if err := s.Run(strings.Repeat("x", 300_000)); err == nil {
			t.Error("a command of 300 KB was run")
		}
		if got := g.ssh(t, "", "echo alive"); got.out != "alive\n" {
			t.Errorf("%+v", got)
		}
	})
	g.sweepSSH(t)
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}

// rss is the gateway's memory, in KB.
func (g *sshGateway) rss(t *testing.T) int {
	t.Helper()
	b, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(g.gateway.cmd.Process.Pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	kb, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return kb
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}
