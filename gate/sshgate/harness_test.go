package sshgate_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/session"
	"weir/gate/sshgate"
	"weir/mask"
	"weir/mask/known"
	"weir/vault/secret"
)

// canary is the secret that the masker of these tests knows.
const canary = "Zq7-CANARY-4f81x-Jw2p"

func newKey(t testing.TB) (ssh.Signer, string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return s, string(pem.EncodeToMemory(block))
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func needed(t testing.TB, names ...string) []string {
	t.Helper()
	var out []string
	for _, n := range names {
		p, err := exec.LookPath(n)
		if err != nil {
			if _, e := os.Stat("/usr/sbin/" + n); e == nil {
				p, err = "/usr/sbin/"+n, nil
			}
		}
		if err != nil {
			if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
				t.Fatalf("%s is missing", n)
			}
			t.Skipf("%s is missing", n)
		}
		out = append(out, p)
	}
	return out
}

// sshd is a real server of OpenSSH.
type sshd struct {
	addr string
	host ssh.PublicKey
	pem  string // private key that the account takes
	user string
	cmd  *exec.Cmd
}

func startSSHD(t testing.TB, ca ssh.PublicKey) *sshd {
	t.Helper()
	bin := needed(t, "sshd")[0]
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Skipf("sshd needs its directory: %v", err)
	}
	dir := t.TempDir()
	host, hostPEM := newKey(t)
	login, loginPEM := newKey(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	// Its home is not the account's, whose start-up files may take any time: those of pyenv wait for each other.
	conf := strings.Join([]string{
		"Port " + port, "ListenAddress 127.0.0.1", "HostKey " + write(t, dir+"/host", hostPEM), "PidFile none", "UsePAM no", "StrictModes no",
		"PermitRootLogin yes", "AuthorizedKeysFile " + write(t, dir+"/keys", string(ssh.MarshalAuthorizedKey(login.PublicKey()))),
		"PasswordAuthentication no", "SetEnv HOME=" + dir, "AcceptEnv LANG FOO_*", "MaxSessions 100", "MaxStartups 100", "Subsystem sftp internal-sftp", "PrintMotd no", "PrintLastLog no",
	}, "\n") + "\n"
	if ca != nil {
		conf += "TrustedUserCAKeys " + write(t, dir+"/ca.pub", string(ssh.MarshalAuthorizedKey(ca))) + "\n"
	}
	cmd := exec.Command(bin, "-D", "-e", "-f", write(t, dir+"/conf", conf))
	log := &buffer{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("sshd: %.2000s", log.String())
		}
	})
	eventually(t, "sshd listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return &sshd{addr: addr, host: host.PublicKey(), pem: loginPEM, user: "root", cmd: cmd}
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	end := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-end:
			t.Fatalf("not in ten seconds: %s", what)
		case <-tick.C:
		}
	}
}

type buffer struct {
	mu sync.Mutex
	b  []byte
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b = append(b.b, p...)
	return len(p), nil
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.b)
}

// realMask is the gateway's own masker.
type realMask struct{ *mask.Masker }

func (m realMask) Columns(c []weir.Column) session.ColumnMask { return m.Masker.Columns(c) }

func (m realMask) Version() any { return m.Masker }

func newMask(t testing.TB) realMask {
	t.Helper()
	e, err := mask.New(mask.Config{Key: []byte("0123456789abcdef0123")})
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := known.Build([]known.Entry{{Name: "canary", Value: []byte(canary)}})
	if err != nil {
		t.Fatal(err)
	}
	return realMask{e.Masker(set)}
}

// bed is a gateway in front of a target.
type bed struct {
	*gatetest.Controls
	t      testing.TB
	gate   *session.Gate
	addr   string
	host   ssh.PublicKey
	key    ssh.Signer // of the user, known to the admitter
	keyPEM string
	dir    string
	wrap   atomic.Pointer[func(ssh.Conn) ssh.Conn] // of clients' connections from now on
}

// words is a stand-in for the shell parser: commands between pipes and semicolons, words between blanks.
func words(text string) *weir.ShellUse {
	use := &weir.ShellUse{}
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '|' || r == ';' }) {
		if w := strings.Fields(part); len(w) > 0 {
			use.Commands = append(use.Commands, weir.ShellCommand{Name: filepath.Base(w[0]), Words: w})
		}
	}
	return use
}

func targetOf(t testing.TB, d *sshd) sshgate.Target {
	return sshgate.Target{
		Dial: dialer(d.addr), HostKeys: ssh.FixedHostKey(d.host), Default: d.user, Env: []string{"LANG", "FOO_*"},
		Accounts: map[string]sshgate.Auth{d.user: {Key: secret.New(d.pem)}},
	}
}

func dialer(addr string) func(context.Context, *ssh.ClientConfig) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	return func(ctx context.Context, c *ssh.ClientConfig) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, nil, nil, err
		}
		return ssh.NewClientConn(conn, addr, c)
	}
}

func newBed(t testing.TB, target sshgate.Target, opt sshgate.Options) *bed {
	t.Helper()
	b := &bed{Controls: &gatetest.Controls{}, t: t, dir: t.TempDir()}
	host, _ := newKey(t)
	b.host = host.PublicKey()
	b.key, b.keyPEM = newKey(t)
	m := newMask(t)
	b.OnOpen = func() (session.Mask, error) { return m, nil }
	b.OnAdmit = func(h *session.Hello) (*session.Admission, error) {
		ok := h.Secret.Equal(secret.New("right-password")) && h.Login == "web-1.k7f3q2"
		if p := h.Proof; p != nil {
			ok = h.Login == "web-1" && (string(p.PublicKey) == string(b.key.PublicKey().Marshal()) || p.Certificate != nil && p.Certificate.User == "usr_1")
		}
		if !ok {
			return nil, &weir.Denied{Kind: weir.DeniedIdentity, Reason: "not authorized"}
		}
		return &session.Admission{
			Identity: weir.Identity{User: "usr_1", Name: "alice", Kind: weir.Human, Method: "access_key"},
			Resource: weir.Resource{Name: "web-1", Protocol: weir.SSH, RecordCap: 1 << 20}, Expires: time.Now().Add(time.Hour),
		}, nil
	}
	b.gate = b.Gate(t)
	tg, err := sshgate.NewTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	opt.Targets = func(r string) (*sshgate.Target, bool) { return tg, r == "web-1" }
	opt.HostSigners = func() []ssh.Signer { return []ssh.Signer{host} }
	opt.Now = time.Now
	opt.OnFault = func(where string, err error) { t.Errorf("fault in %s: %v", where, err) }
	if opt.Shell == nil {
		opt.Shell = words
	}
	h, err := sshgate.New(b.gate, opt)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				stop := context.AfterFunc(ctx, func() { _ = c.Close() })
				defer stop()
				_ = h.Serve(ctx, sshgate.Connection{Accept: func(sc *ssh.ServerConfig) (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
					client, channels, requests, err := ssh.NewServerConn(c, sc)
					if wrap := b.wrap.Load(); err == nil && wrap != nil {
						client.Conn = (*wrap)(client.Conn)
					}
					return client, channels, requests, err
				}})
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		cancel()
		done := make(chan struct{})
		go func() { group.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Error("connections are still served ten seconds after the end")
		}
		b.noCanary()
	})
	return b
}

// noCanary looks for the canary in all that was kept.
func (b *bed) noCanary(outputs ...string) {
	b.t.Helper()
	all := append(outputs, fmt.Sprintf("%+v", b.Events()))
	for _, r := range b.Records() {
		all = append(all, fmt.Sprint(r.Text, r.Attrs), string(r.Data))
	}
	for _, o := range all {
		if strings.Contains(o, canary) {
			b.t.Errorf("the canary got out: %.300q", o)
		}
	}
}

// client is x/crypto's, logged in by key.
func (b *bed) client(user string, auth ...ssh.AuthMethod) (*ssh.Client, error) {
	if len(auth) == 0 {
		auth = []ssh.AuthMethod{ssh.PublicKeys(b.key)}
	}
	c, err := ssh.Dial("tcp", b.addr, &ssh.ClientConfig{User: user, Auth: auth, HostKeyCallback: ssh.FixedHostKey(b.host), Timeout: 10 * time.Second})
	if err == nil {
		b.t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

func (b *bed) mustClient() *ssh.Client {
	b.t.Helper()
	c, err := b.client("web-1")
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// ssh is the command line of OpenSSH's client.
func (b *bed) ssh(args ...string) *exec.Cmd {
	b.t.Helper()
	bin := needed(b.t, "ssh")[0]
	host, port, _ := net.SplitHostPort(b.addr)
	all := []string{
		"-F", "none", "-p", port, "-i", write(b.t, b.dir+"/id", b.keyPEM), "-o", "UserKnownHostsFile=" + write(b.t, b.dir+"/known", "["+host+"]:"+port+" "+string(ssh.MarshalAuthorizedKey(b.host))),
		"-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
	}
	return exec.Command(bin, append(all, args...)...)
}

// run runs OpenSSH's client and returns what came, and the exit status.
func run(t testing.TB, cmd *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	_ = cmd.Wait()
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
