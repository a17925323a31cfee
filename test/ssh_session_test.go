package test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"weir/service"
)

// TestSSHRemoteForwarding has OpenSSH's client ask for ports at the target: one that it names, one of the target's choice, and SOCKS.
func TestSSHRemoteForwarding(t *testing.T) {
	g := sshStart(t, func(s *sshTarget) string {
		return s.resource("web-1", ", forward: [local]") + s.resource("back", ", forward: [remote]")
	}, "rules:\n- {name: no-port, match: {operations: [LISTEN], addresses: ['localhost:1']}, then: deny}\n")
	key := g.access(t, "back", "alice")
	secret := key.Secret
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	got := make(chan string, 8)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				line, err := bufio.NewReader(c).ReadString('\n')
				if err != nil {
					return // nobody but listens
				}
				got <- line
				fmt.Fprintf(c, "answer to %d bytes\n", len(line))
			}()
		}
	}()
	talk := func(port string) {
		t.Helper()
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(c, "asks with %s and more\n", secret)
		answer, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(answer), "answer to ") {
			t.Fatalf("%q %v", answer, err)
		}
		asked := <-got
		if !strings.HasPrefix(asked, "asks with ") || strings.Contains(asked, secret) || len(asked) != len("asks with  and more\n")+len(secret) {
			t.Errorf("the client got %q", asked)
		}
	}
	free := fmt.Sprint(freePort(t))
	run := func(key *service.Access, args ...string) (*buffer, func()) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		cmd := g.cmd(ctx, key, "", "ssh", append(append([]string{"-F", g.conf, "-o", "LogLevel=INFO"}, args...), key.Login+"@weir")...)
		out := &buffer{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return out, func() { cancel(); _ = cmd.Wait(); g.keep([]byte(out.String())) }
	}
	t.Run("ports", func(t *testing.T) {
		out, stop := run(&key, "-N", "-R", free+":"+ln.Addr().String(), "-R", "0:"+ln.Addr().String())
		until(t, "both ports", func() bool { return strings.Contains(out.String(), "Allocated port ") && listens(free) })
		talk(free)
		port := regexp.MustCompile(`Allocated port (\d+)`).FindStringSubmatch(out.String())[1]
		talk(port)
		talk(port)
		stop()
		until(t, "the end of both", func() bool { return !listens(free) && !listens(port) })
	})
	t.Run("cancel", func(t *testing.T) {
		path := filepath.Join(g.dir, "cm-r")
		_, stop := run(&key, "-M", "-S", path, "-N")
		defer stop()
		until(t, "the master", func() bool { return exists(path) })
		forward := func(what string) {
			t.Helper()
			if got := g.with(t, &key, "", "ssh", "-F", g.conf, "-S", path, "-O", what, "-R", free+":"+ln.Addr().String(), key.Login+"@weir"); got.code != 0 {
				t.Errorf("%s: %+v", what, got)
			}
		}
		forward("forward")
		until(t, "the port", func() bool { return listens(free) })
		talk(free)
		forward("cancel")
		until(t, "its end", func() bool { return !listens(free) })
	})
	t.Run("refused", func(t *testing.T) {
		for name, c := range map[string]struct {
			key  *service.Access
			port string
			why  string
		}{"by the resource": {&g.key, free, "listens for nobody"}, "by a rule": {&key, "1", "rule no-port"}} {
			got := g.with(t, c.key, "", "ssh", "-F", g.conf, "-R", c.port+":"+ln.Addr().String(), c.key.Login+"@weir", "sleep 1; echo goes on")
			if got.code != 0 || got.out != "goes on\n" || !strings.Contains(got.err, c.why) || !strings.Contains(got.err, "remote port forwarding failed for listen port "+c.port) {
				t.Errorf("%s: %+v", name, got)
			}
		}
		if got := g.with(t, &key, "", "ssh", "-F", g.conf, "-o", "ExitOnForwardFailure=yes", "-N", "-R", "1:"+ln.Addr().String(), key.Login+"@weir"); got.code != 255 {
			t.Errorf("%+v", got)
		}
		if c, err := g.dial(t, &key).Dial("tcp", ln.Addr().String()); err == nil {
			t.Error("remote forwarding allows local", c)
		}
	})
	var listens, connects, refusals int
	audit := g.weir(t, "audit", "export")
	refusals = strings.Count(audit, "LISTEN as ")
	for _, s := range decode[[]struct{ ID string }](t, g.weir(t, "sessions", "ls", "--protocol", "ssh", "--limit", "100", "-o", "json")) {
		x := g.weir(t, "sessions", "export", s.ID, "--format", "jsonl")
		listens += strings.Count(x, `"operation":"LISTEN"`) + strings.Count(x, `LISTEN as `)
		connects += strings.Count(x, `CONNECT as `)
		if strings.Contains(x, secret) {
			t.Error("the recording holds the secret")
		}
	}
	if listens < 3 || connects < 4 || refusals < 3 {
		t.Errorf("recorded %d listeners and %d connections, audited %d refusals\n%s", listens, connects, refusals, audit)
	}
	g.sweepSSH(t)
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}

func listens(port string) bool {
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// TestSSHX11IsRefused asks for X11 forwarding with OpenSSH's client.
func TestSSHX11IsRefused(t *testing.T) {
	g := sshStart(t, nil, "")
	for _, flag := range []string{"-X", "-Y"} {
		got := g.ssh(t, "", flag, "-o", "LogLevel=INFO", "echo display=$DISPLAY")
		if got.code != 0 || got.out != "display=\n" || !strings.Contains(got.err, "X11 forwarding request failed") {
			t.Errorf("%s: %+v", flag, got)
		}
	}
	s, err := g.dial(t, &g.key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	ok, err := s.SendRequest("x11-req", true, ssh.Marshal(struct {
		Single           bool
		Protocol, Cookie string
		Screen           uint32
	}{false, "MIT-MAGIC-COOKIE-1", "00112233445566778899aabbccddeeff", 0}))
	if ok || err != nil {
		t.Errorf("x11-req: %v %v", ok, err)
	}
	if !strings.Contains(g.weir(t, "audit", "export"), "X11 as "+g.target.user+": request x11-req") {
		t.Error("the refusal is not audited")
	}
	g.sweepSSH(t)
}

// TestSSHAgentForwardingIsRefused has a real agent, which the target must not reach.
func TestSSHAgentForwardingIsRefused(t *testing.T) {
	needs(t, "ssh-agent")
	g := sshStart(t, nil, "")
	socket := filepath.Join(g.dir, "agent")
	cmd := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	until(t, "the agent", func() bool { return exists(socket) })
	t.Setenv("SSH_AUTH_SOCK", socket)
	got := g.ssh(t, "", "-A", "echo agent=$SSH_AUTH_SOCK; ssh-add -l 2>&1")
	if !strings.HasPrefix(got.out, "agent=\n") || !strings.Contains(got.out, "Could not open a connection to your authentication agent") {
		t.Errorf("%+v", got)
	}
	s, err := g.dial(t, &g.key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.RequestAgentForwarding(s); err == nil {
		t.Error("agent forwarding was granted")
	}
	if out, err := s.Output("echo agent=$SSH_AUTH_SOCK"); err != nil || string(out) != "agent=\n" {
		t.Errorf("%q %v", out, err)
	}
	if !strings.Contains(g.weir(t, "audit", "export"), "AGENT as "+g.target.user+": request auth-agent-req@openssh.com") {
		t.Error("the refusal is not audited")
	}
}

// certified lets in by a certificate that ssh-keygen makes with the gateway's own authority, as nobody else can.
func (g *sshGateway) certified(t *testing.T, name, principal, validity string, like *ssh.Certificate) ran {
	t.Helper()
	key := filepath.Join(g.dir, name)
	runTool(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	runTool(t, "ssh-keygen", "-q", "-s", filepath.Join(g.data, "keys", "ssh_user_ca"), "-I", like.KeyId, "-z", fmt.Sprint(like.Serial), "-n", principal, "-V", validity, key+".pub")
	return g.with(t, &g.key, "", "ssh", "-F", g.conf, "-o", "BatchMode=yes", "-o", "PreferredAuthentications=publickey", "-i", key, "-o", "CertificateFile="+key+"-cert.pub", "web-1@weir", "echo in")
}

// certificate is a real one of alice's.
func (g *sshGateway) certificate(t *testing.T) *ssh.Certificate {
	t.Helper()
	dir := filepath.Join(g.dir, "ssh-cert")
	g.weir(t, "ssh", "cert", "--dir", dir, "--user", "alice")
	files, _ := filepath.Glob(filepath.Join(dir, "*-cert.pub"))
	if len(files) != 1 {
		t.Fatal(files)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return pub.(*ssh.Certificate)
}

// TestSSHCertificateForAnotherPrincipal shows a certificate of alice's that names somebody else.
func TestSSHCertificateForAnotherPrincipal(t *testing.T) {
	g := sshStart(t, nil, "")
	real := g.certificate(t)
	if got := g.certified(t, "right", "alice", "-1m:+10m", real); got.out != "in\n" {
		t.Errorf("the user's own name: %+v", got)
	}
	for _, principal := range []string{"morgan", "root", "alice,morgan", "Alice"} {
		if got := g.certified(t, "wrong-"+principal, principal, "-1m:+10m", real); got.code != 255 || got.out != "" || !strings.Contains(got.err, "Permission denied") {
			t.Errorf("%s: %+v", principal, got)
		}
	}
}

// TestSSHExpiredCertificate shows certificates whose time is over, or has not come.
func TestSSHExpiredCertificate(t *testing.T) {
	g := sshStart(t, nil, "")
	real := g.certificate(t)
	for name, validity := range map[string]string{"over": "-10m:-1m", "to come": "+10m:+20m"} {
		if got := g.certified(t, "cert-"+name[:2], "alice", validity, real); got.code != 255 || got.out != "" || !strings.Contains(got.err, "Permission denied") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestSSHSignals sends signals to a process at the target: at one whose account is not root they arrive, at root's OpenSSH ignores them.
func TestSSHSignals(t *testing.T) {
	account := unprivileged(t)
	g := sshStart(t, func(s *sshTarget) string {
		pub, err := os.ReadFile(filepath.Join(s.dir, "login.pub"))
		if err != nil {
			t.Fatal(err)
		}
		other := startSSHDOf(t, account, string(pub))
		runTool(t, "cp", filepath.Join(s.dir, "login"), filepath.Join(other.dir, "login"))
		return s.resource("web-1", "") + other.resource("plain", "")
	}, "")
	start := func(key *service.Access, command string) (*ssh.Session, *buffer) {
		t.Helper()
		s, err := g.dial(t, key).NewSession()
		if err != nil {
			t.Fatal(err)
		}
		out := &buffer{}
		s.Stdout = out
		if err := s.Start(command); err != nil {
			t.Fatal(err)
		}
		until(t, "the command", func() bool { return strings.Contains(out.String(), "ready") })
		return s, out
	}
	key := g.access(t, "plain", "alice")
	t.Run("caught", func(t *testing.T) {
		s, out := start(&key, `trap 'echo caught INT; exit 7' INT; echo ready; while :; do sleep 0.1; done`)
		if err := s.Signal(ssh.SIGINT); err != nil {
			t.Fatal(err)
		}
		var exit *ssh.ExitError
		if err := s.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 7 || !strings.Contains(out.String(), "caught INT") {
			t.Errorf("%v %s", err, out)
		}
	})
	t.Run("exit-signal", func(t *testing.T) {
		s, _ := start(&key, "echo ready; exec sleep 60")
		if err := s.Signal(ssh.SIGTERM); err != nil {
			t.Fatal(err)
		}
		var exit *ssh.ExitError
		if err := s.Wait(); !errors.As(err, &exit) || exit.Signal() != "TERM" {
			t.Errorf("%v", err)
		}
	})
	t.Run("root", func(t *testing.T) {
		if g.target.user != "root" {
			t.Skip("the tests do not run as root")
		}
		s, out := start(&g.key, `trap 'echo caught' TERM; echo ready; for i in 1 2 3 4 5 6; do sleep 0.5; done; echo done`)
		if err := s.Signal(ssh.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(); err != nil || strings.Contains(out.String(), "caught") || !strings.Contains(g.target.log.String(), "session signalling requires privilege separation") {
			t.Errorf("%v %s\n%s", err, out, g.target.log)
		}
	})
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}

// admin asks the API over the admin socket, without a process in between.
func (g *gateway) admin(t *testing.T, method, path string) {
	t.Helper()
	c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(g.data, "admin.sock"))
	}}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://localhost/api/v1"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s", method, path, resp.Status, b)
	}
}

// TestSSHRevocation takes away what a live session lives by: a shell, a transfer and forwarded connections end within a second of that.
func TestSSHRevocation(t *testing.T) {
	g := sshStart(t, func(s *sshTarget) string { return s.resource("web-1", ", forward: [local, remote]") }, "")
	big := filepath.Join(g.target.home, "big.txt")
	write(t, big, strings.Repeat("a line of text\n", 1<<20))
	revoke := map[string]func(t *testing.T, user string, key *service.Access, grant string){
		"key": func(t *testing.T, _ string, key *service.Access, _ string) {
			g.admin(t, "DELETE", "/access/"+url.PathEscape(string(key.ID)))
		},
		"user":  func(t *testing.T, user string, _ *service.Access, _ string) { g.admin(t, "DELETE", "/users/"+user) },
		"grant": func(t *testing.T, _ string, _ *service.Access, grant string) { g.admin(t, "DELETE", "/grants/"+grant) },
	}
	ends := map[string]func(t *testing.T, key *service.Access) (wait func()){
		"shell": func(t *testing.T, key *service.Access) func() {
			x := g.terminal(t, key, 80, 24)
			return func() { _ = x.session.Wait() }
		},
		"sftp": func(t *testing.T, key *service.Access) func() {
			c, err := sftp.NewClient(g.dial(t, key))
			if err != nil {
				t.Fatal(err)
			}
			f, err := c.Open(big)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.ReadAt(make([]byte, 1000), 0); err != nil {
				t.Fatal(err)
			}
			return func() {
				for at := int64(0); ; at += 1000 {
					if _, err := f.ReadAt(make([]byte, 1000), at%(10<<20)); err != nil {
						return
					}
				}
			}
		},
		"forward": func(t *testing.T, key *service.Access) func() {
			c, err := g.dial(t, key).Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g.target.port))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			return func() { _, _ = io.Copy(io.Discard, c) }
		},
		"remote forward": func(t *testing.T, key *service.Access) func() {
			ln, err := g.dial(t, key).Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ln.Accept(); err != nil {
				t.Fatal(err)
			}
			return func() {
				_, _ = io.Copy(io.Discard, c)
				if listens(fmt.Sprint(ln.Addr().(*net.TCPAddr).Port)) {
					time.Sleep(100 * time.Millisecond) // the target closes its listener as it sees the connection's end
					if listens(fmt.Sprint(ln.Addr().(*net.TCPAddr).Port)) {
						t.Error("the target still listens")
					}
				}
			}
		},
	}
	n := 0
	for what, take := range revoke {
		for name, open := range ends {
			t.Run(what+" of a "+name, func(t *testing.T) {
				n++
				user := fmt.Sprintf("user-%d", n)
				g.weir(t, "users", "add", user)
				var grant struct{ ID string }
				if err := json.Unmarshal([]byte(g.weir(t, "grants", "add", "web-1", "--user", user, "--ttl", "1h", "-o", "json")), &grant); err != nil || grant.ID == "" {
					t.Fatal(err, grant)
				}
				key := g.access(t, "web-1", user)
				wait := open(t, &key)
				began := time.Now()
				take(t, user, &key, grant.ID)
				taken := time.Since(began)
				wait()
				took := time.Since(began)
				t.Logf("ended after %s, of which the request %s", took, taken)
				if took > time.Second {
					t.Errorf("the session lived for %s", took)
				}
			})
		}
	}
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}

// TestSSHHeldLine presses ^C while a line of a shell is held: the line never runs, and the shell gets the key.
func TestSSHHeldLine(t *testing.T) {
	g := sshStart(t, func(s *sshTarget) string { return s.resource("web-1", "") + s.resource("lines", ", ask_lines: true") },
		"rules:\n- {name: restarts, match: {commands: ['touch *']}, then: approve, approvers: {groups: [managers]}, wait: 40s}\n")
	morgan := decode[struct{ Secret string }](t, g.weir(t, "tokens", "add", "--user", "morgan", "-o", "json")).Secret
	env := []string{"WEIR_TOKEN=" + morgan, "WEIR_URL=" + g.url, "WEIR_CA=" + filepath.Join(g.data, "ca.pem")}
	key := g.access(t, "lines", "alice")
	x := g.terminal(t, &key, 120, 24)
	id := func(from int) string {
		text := x.out.String()[from:]
		text = text[strings.LastIndex(text, "approval as ")+len("approval as "):]
		text, _, _ = strings.Cut(text, ";")
		return text
	}
	one, two := filepath.Join(g.dir, "one"), filepath.Join(g.dir, "two")
	x.press(t, "PS1='at-'\"$((1+1))> \"\r", "at-2> ")
	t.Run("withdrawn", func(t *testing.T) {
		from := len(x.out.String())
		x.press(t, "touch "+one+"\r", "held for approval as req_")
		began := time.Now()
		x.press(t, "forgotten\x03", "withdrawn")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		until(t, "the shell's answer to ^C", func() bool {
			_, after, found := strings.Cut(x.out.String()[from:], "^C")
			return found && strings.Contains(after, "at-2> ")
		})
		x.press(t, "echo next-$((1+1))\r", "next-2")
		if text := x.out.String()[from:]; strings.Contains(text, "forgotten") {
			t.Errorf("%q", text)
		}
		if got, code := g.try(t, env, "requests", "approve", id(from)); code != 0 { // an approval that comes too late runs nothing
			t.Log(got)
		}
		x.press(t, "echo after-$((1+1))\r", "after-2")
		if exists(one) {
			t.Error("the line ran")
		}
	})
	t.Run("approved, with more typed meanwhile", func(t *testing.T) {
		from := len(x.out.String())
		x.press(t, "touch "+two+"\r", "held for approval as req_")
		x.press(t, "echo ahead-$((1+1))\r", "")
		if got, code := g.try(t, env, "requests", "approve", id(from)); code != 0 {
			t.Fatal(got)
		}
		until(t, "the line", func() bool { return exists(two) })
		until(t, "what was typed meanwhile", func() bool { return strings.Contains(x.out.String()[from:], "ahead-2") })
	})
	x.press(t, "exit 5\r", "")
	var exit *ssh.ExitError
	if err := x.session.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 5 {
		t.Error(err)
	}
	g.sweepSSH(t)
	g.replays(t)
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}
