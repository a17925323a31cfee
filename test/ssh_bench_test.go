package test

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"weir/service"
)

// TestBenchSSH measures files, commands, terminals and idle sessions direct, through OpenSSH's ProxyJump and through Weir, in one run.
// WEIR_BENCH_MB is the size of the file.
func TestBenchSSH(t *testing.T) {
	if os.Getenv("WEIR_BENCH") == "" {
		t.Skip("make bench runs it")
	}
	size, _ := strconv.Atoi(os.Getenv("WEIR_BENCH_MB"))
	if size == 0 {
		size = 300
	}
	g := sshStart(t, func(s *sshTarget) string { return s.resource("web-1", sshOpen) }, "")
	pub, err := os.ReadFile(filepath.Join(g.target.dir, "login.pub"))
	if err != nil {
		t.Fatal(err)
	}
	jump := startSSHD(t, string(pub))
	conf := filepath.Join(g.dir, "bench_config")
	host := func(name string, s *sshTarget, more string) string {
		return fmt.Sprintf("Host %s\n HostName 127.0.0.1\n Port %d\n User %s\n IdentityFile %s/login\n IdentitiesOnly yes\n StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n LogLevel ERROR\n%s", name, s.port, s.user, g.target.dir, more)
	}
	write(t, conf, host("direct", g.target, "")+host("jumped", g.target, " ProxyJump jump\n")+host("jump", jump, "")+
		fmt.Sprintf("Match host weir\n User %s\nInclude %s\n", g.key.Login, g.conf))
	ways := []string{"direct", "jumped", "weir"}
	took := func(name string, args ...string) time.Duration {
		t.Helper()
		cmd := g.cmd(t.Context(), &g.key, "", name, args...)
		cmd.Stdout = io.Discard
		var e strings.Builder
		cmd.Stderr = &e
		began := time.Now()
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s %v: %v %s", name, args, err, e.String())
		}
		return time.Since(began)
	}
	best := func(n int, f func(way string) time.Duration) map[string]time.Duration {
		out := map[string]time.Duration{}
		for range n {
			for _, w := range ways {
				if d := f(w); out[w] == 0 || d < out[w] {
					out[w] = d
				}
			}
		}
		return out
	}
	file := filepath.Join(g.target.home, "big")
	f, err := os.Create(file)
	if err == nil {
		_, err = io.CopyN(f, rand.Reader, int64(size)<<20)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	var table strings.Builder
	table.WriteString("| | direct | ProxyJump | Weir | Weir ÷ ProxyJump | Weir ÷ direct |\n| --- | --- | --- | --- | --- | --- |\n")
	speed := func(what string, mb int, d map[string]time.Duration) {
		t.Log(what, d) // at once: a run may be cut short
		v := func(w string) float64 { return float64(mb) / d[w].Seconds() }
		fmt.Fprintf(&table, "| %s | %.0f MB/s | %.0f MB/s | %.0f MB/s | %.2f | %.2f |\n", what, v("direct"), v("jumped"), v("weir"), v("weir")/v("jumped"), v("weir")/v("direct"))
	}
	speed(fmt.Sprintf("scp of %d MB, download", size), size, best(2, func(w string) time.Duration { return took("scp", "-F", conf, w+":"+file, "/dev/null") }))
	up := filepath.Join(g.target.home, "up")
	speed("the same, upload", size, best(1, func(w string) time.Duration { return took("scp", "-F", conf, file, w+":"+up) }))
	speed("scp -O, download", size, best(1, func(w string) time.Duration { return took("scp", "-O", "-F", conf, w+":"+file, "/dev/null") }))
	speed("`yes \\| head -c 100M` at a terminal", 100, best(1, func(w string) time.Duration {
		return took("ssh", "-tt", "-F", conf, w, "yes | head -c 100000000")
	}))
	times := map[string][]time.Duration{}
	for range 20 {
		for _, w := range ways {
			times[w] = append(times[w], took("ssh", "-F", conf, w, "true"))
		}
	}
	t.Log("true", times)
	median := func(w string) float64 { slices.Sort(times[w]); return float64(times[w][10].Microseconds()) / 1000 }
	fmt.Fprintf(&table, "| `ssh host true`, median of 20 | %.0f ms | %.0f ms | %.0f ms | %.2f | %.2f |\n", median("direct"), median("jumped"), median("weir"), median("weir")/median("jumped"), median("weir")/median("direct"))
	t.Log("\n" + table.String())
}

// TestBenchSSHIdle measures what sessions cost the gateway while nobody types: 500 connections, each with a terminal at a real server, all by one access
// key and each by its own. The aim is 200 KB.
func TestBenchSSHIdle(t *testing.T) {
	if os.Getenv("WEIR_BENCH") == "" {
		t.Skip("make bench runs it")
	}
	const n = 500
	for _, c := range []struct {
		name string
		own  bool
	}{{"one access key", false}, {"an access key each", true}} {
		t.Run(c.name, func(t *testing.T) {
			g := sshStart(t, nil, "")
			keys := make([]*service.Access, n)
			for i := range keys {
				keys[i] = &g.key
				if c.own {
					key := g.access(t, "web-1", "alice")
					keys[i] = &key
				}
			}
			first, later := g.idle(t, keys)
			t.Logf("%s: each of %d sessions with a terminal open takes %d KB right behind the logins, %d KB when nothing has happened for a while", c.name, n, first, later)
		})
	}
}

// idle opens a session with a terminal by each key and returns by how much each grew the gateway, in KB: right behind the logins, the garbage of which is
// still there, more or less of it as the collector ran last, and when that was given back.
func (g *sshGateway) idle(t *testing.T, keys []*service.Access) (first, later int) {
	t.Helper()
	open := func(key *service.Access) {
		s, err := g.dial(t, key).NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.RequestPty("xterm", 24, 80, ssh.TerminalModes{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Start("sleep 300"); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		open(&g.key)
	}
	time.Sleep(time.Second)
	before := g.rss(t)
	for _, key := range keys {
		open(key)
	}
	time.Sleep(3 * time.Second)
	first = (g.rss(t) - before) / len(keys)
	time.Sleep(140 * time.Second)
	return first, (g.rss(t) - before) / len(keys)
}
