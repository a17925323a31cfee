package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"weir/service"
)

// sshWords are the middles of the canaries at SSH targets.
var sshWords = []string{"CANARYssh", "sshYRANAC", "43414e4152597373", "Q0FOQVJZc3No"}

// sshFilesOfTarget are files with canaries, below the target's home.
var sshFilesOfTarget = map[string]string{
	".env":             "APP=shop\nDB_PASSWORD=CANARYsshEnv8Xq2Rt9Lm\nSTRIPE_API_KEY=sk_live_CANARYssh51Hx8Yk2Lm9Qw\n",
	"app.yaml":         "name: shop\npassword: CANARYsshYaml7Kd3Wn5Zp\nport: 8080\n",
	"notes.txt":        "an ordinary note\nand another\n",
	".ssh/id_rsa":      "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARYsshKeyAAAAB3NzaC1yc2EAAAADAQABAAABgQC\n-----END OPENSSH PRIVATE KEY-----\n",
	"backup.txt":       "found:\n-----BEGIN RSA PRIVATE KEY-----\nCANARYsshPemAAAB3NzaC1yc2EAAAADAQABAAABgQCx7\nCANARYsshPemBBBB3NzaC1yc2EAAAADAQABAAABgQCx7\n-----END RSA PRIVATE KEY-----\nend\n",
	"colours.sh":       `printf '\033[1mpassword\033[0m=\033[31mCANARYssh\033[0mColour4Kd\n'` + "\n",
	"slow.sh":          "for c in p a s s w o r d = C A N A R Y s s h S l o w 7 K d 2; do printf $c; sleep 0.1; done; echo\n",
	"streams.sh":       "printf 'password=' ; printf 'password=CANARYsshStream3' >&2; printf 'CANARYsshStream4Kd\\n'; printf 'Kd5\\n' >&2\n",
	"wide.sh":          "printf '%070d password=CANARYsshWide9Lm2Qx7Rt4\\n' 0\n",
	".bash_history":    "mysql -pCANARYsshHist1Gh5Tr3\n",
	".aws/credentials": "[default]\naws_secret_access_key = CANARYsshAwsGh3Yt6Rw0Qm5Zx1Lk8Nc2Vb7Jd4Fs\n",
}

// target is an sshd of its own.
type sshTarget struct {
	dir, home, user string
	port            int
	fingerprint     string
	log             *buffer
	cmd             *exec.Cmd
	as              *syscall.Credential // whom the server runs as; nil: who runs the tests
}

func runTool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// startSSHD starts an OpenSSH server on a port of its own. authorized is what may log in; more are lines of its configuration.
func startSSHD(t *testing.T, authorized string, more ...string) *sshTarget {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return startSSHDOf(t, me, authorized, more...)
}

// startSSHDOf starts a server that runs as an account, which is the only one that can log in there unless it is root's.
func startSSHDOf(t *testing.T, account *user.User, authorized string, more ...string) *sshTarget {
	t.Helper()
	sshd := sshdPath(t)
	needs(t, "ssh")
	var err error
	s := &sshTarget{dir: t.TempDir(), user: account.Username, port: freePort(t), log: &buffer{}}
	if strconv.Itoa(os.Getuid()) != account.Uid {
		if s.dir, err = os.MkdirTemp("", "weir-sshd-"); err != nil { //nolint:usetesting // it must be below none that only its owner may enter
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(s.dir) })
		s.as = credentialOf(t, account)
	}
	s.home = filepath.Join(s.dir, "home")
	if account.Uid == "0" {
		_ = os.MkdirAll("/run/sshd", 0o755)
	}
	for name, text := range sshFilesOfTarget {
		write(t, filepath.Join(s.home, name), text)
	}
	s.newHostKey(t)
	write(t, filepath.Join(s.dir, "authorized_keys"), authorized)
	config := fmt.Sprintf(`Port %d
ListenAddress 127.0.0.1
HostKey %[2]s/host_key
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
AuthorizedKeysFile %[2]s/authorized_keys
AllowTcpForwarding yes
AcceptEnv *
Subsystem sftp internal-sftp
PrintMotd no
MaxStartups 500
MaxSessions 500
LogLevel ERROR
SetEnv DB_PASSWORD=CANARYsshVariable4Jd8 HOME_OF_TEST=%[3]s SHLVL=2
%[4]s
`, s.port, s.dir, s.home, strings.Join(more, "\n"))
	write(t, filepath.Join(s.dir, "sshd_config"), config)
	s.serve(t, sshd)
	t.Cleanup(func() { s.stop() })
	return s
}

// sshdPath is where OpenSSH's server is.
func sshdPath(t *testing.T) string {
	t.Helper()
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		if sshd = "/usr/sbin/sshd"; !exists(sshd) {
			needs(t, "sshd")
		}
	}
	return sshd
}

// unprivileged is an account other than root that can log in: who runs the tests, or one of the system's that has a shell. The test skips where there
// is none, unless everything must be there.
func unprivileged(t *testing.T) *user.User {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if me.Uid != "0" {
		return me
	}
	accounts, _ := os.ReadFile("/etc/passwd")
	for line := range strings.Lines(string(accounts)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 7 || f[2] == "0" || !strings.HasSuffix(f[6], "sh") || !exists(f[6]) || !exists(f[5]) {
			continue
		}
		if u, err := user.Lookup(f[0]); err == nil {
			return u
		}
	}
	if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
		t.Fatal("no account but root has a shell and a home; make one, or run the tests as another than root")
	}
	t.Skip("no account but root has a shell and a home")
	return nil
}

func credentialOf(t *testing.T, account *user.User) *syscall.Credential {
	t.Helper()
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (s *sshTarget) newHostKey(t *testing.T) {
	t.Helper()
	key := filepath.Join(s.dir, "host_key")
	_ = os.Remove(key)
	runTool(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	b, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(b)
	if err != nil {
		t.Fatal(err)
	}
	s.fingerprint = ssh.FingerprintSHA256(pub)
}

func (s *sshTarget) serve(t *testing.T, sshd string) {
	t.Helper()
	s.cmd = exec.Command(sshd, "-D", "-e", "-f", filepath.Join(s.dir, "sshd_config"))
	s.cmd.Stderr = s.log
	if s.as != nil {
		s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
		if err := filepath.WalkDir(s.dir, func(path string, _ os.DirEntry, err error) error {
			return errors.Join(err, os.Chown(path, int(s.as.Uid), int(s.as.Gid)))
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "sshd", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// stop ends the server, not the sessions that live.
func (s *sshTarget) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sshGateway is a gateway before one sshd, and what clients need.
type sshGateway struct {
	*gateway
	target *sshTarget
	port   int
	conf   string // ssh_config of clients
	key    service.Access
}

// sshResource is a resource that leads to the target.
func (s *sshTarget) resource(name, more string) string {
	return fmt.Sprintf("- {name: %s, protocol: ssh, address: '127.0.0.1:%d', credential: {user: %s, key: {file: %s/login}}, host_keys: {pinned: ['%s']}%s}\n",
		name, s.port, s.user, s.dir, s.fingerprint, more)
}

// sshStart starts a target and a gateway with the resources that resources makes, web-1 first.
func sshStart(t *testing.T, resources func(*sshTarget) string, more string) *sshGateway {
	t.Helper()
	keys := t.TempDir()
	runTool(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(keys, "login"))
	pub, err := os.ReadFile(filepath.Join(keys, "login.pub"))
	if err != nil {
		t.Fatal(err)
	}
	target := startSSHD(t, string(pub))
	for _, name := range []string{"login", "login.pub"} {
		runTool(t, "cp", filepath.Join(keys, name), filepath.Join(target.dir, name))
	}
	g := &sshGateway{gateway: &gateway{dir: t.TempDir()}, target: target, port: freePort(t)}
	g.data, g.config = filepath.Join(g.dir, "data"), filepath.Join(g.dir, "weir.yaml")
	web := freePort(t)
	g.url = fmt.Sprintf("https://localhost:%d", web)
	if resources == nil {
		resources = func(s *sshTarget) string { return s.resource("web-1", "") }
	}
	g.write(t, fmt.Sprintf("data_dir: data\nlisten: {web: '127.0.0.1:%d', ssh: '127.0.0.1:%d'}\nresources:\n%sgrants:\n- {groups: [developers], resources: ['*'], for: 1h}\n%s",
		web, g.port, resources(target), more))
	g.serve(t)
	t.Cleanup(func() { g.stop(t) })
	g.weir(t, "users", "add", "alice", "--groups", "developers")
	g.weir(t, "users", "add", "morgan", "--groups", "managers")
	dir := filepath.Join(g.dir, "ssh")
	g.weir(t, "ssh", "setup", "--dir", dir)
	g.conf = filepath.Join(g.dir, "client_config")
	write(t, filepath.Join(g.dir, "askpass"), "#!/bin/sh\necho \"$WEIR_SECRET\"\n")
	if err := os.Chmod(filepath.Join(g.dir, "askpass"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, g.conf, fmt.Sprintf("Host weir\n  IdentityFile none\n  IdentitiesOnly yes\n  PreferredAuthentications password\n  NumberOfPasswordPrompts 1\n  GlobalKnownHostsFile /dev/null\nInclude %s\n", filepath.Join(dir, "weir_config")))
	g.key = g.access(t, "web-1", "alice")
	return g
}

// client runs an OpenSSH client, or a program that runs one, with an access key.
func (g *sshGateway) cmd(ctx context.Context, key *service.Access, stdin, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS="+filepath.Join(g.dir, "askpass"), "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:99", "WEIR_SECRET="+key.Secret, "HOME="+g.dir, "GIT_SSH_COMMAND=ssh -F "+g.conf)
	cmd.Stdin = strings.NewReader(stdin)
	return cmd
}

func (g *sshGateway) with(t *testing.T, key *service.Access, stdin, name string, args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := g.cmd(ctx, key, stdin, name, args...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Errorf("%s %s hangs\n%s\n%s", name, strings.Join(args, " "), out.String(), stderr.String())
	}
	g.keep(out.Bytes())
	g.keep(stderr.Bytes())
	return ran{out.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ssh runs a command at web-1, or opens a shell.
func (g *sshGateway) ssh(t *testing.T, stdin string, args ...string) ran {
	t.Helper()
	return g.with(t, &g.key, stdin, "ssh", append([]string{"-F", g.conf, g.key.Login + "@weir"}, args...)...)
}

// dial connects with the library, for what OpenSSH's client does not do.
func (g *sshGateway) dial(t *testing.T, key *service.Access) *ssh.Client {
	t.Helper()
	hosts, err := knownhosts.New(filepath.Join(g.dir, "ssh", "weir_known_hosts"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ssh.Dial("tcp", fmt.Sprintf("localhost:%d", g.port), &ssh.ClientConfig{
		User: key.Login, Auth: []ssh.AuthMethod{ssh.Password(key.Secret)}, HostKeyCallback: hosts, HostKeyAlgorithms: []string{ssh.CertAlgoED25519v01, ssh.KeyAlgoED25519}, Timeout: 20 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// sweepSSH looks for the target's canaries in all that came out of the gateway.
func (g *sshGateway) sweepSSH(t *testing.T) {
	t.Helper()
	before := words
	words = append(append([]string{}, words...), sshWords...)
	defer func() { words = before }()
	g.sweep(t)
}
