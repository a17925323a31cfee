package test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"weir/evidence/record"
	"weir/evidence/screen"
	"weir/service"
)

const sshOpen = ", allow_opaque: [rsync, git, files, pipes]"

// TestSSHCommands runs commands with OpenSSH's client.
func TestSSHCommands(t *testing.T) {
	g := sshStart(t, func(s *sshTarget) string {
		return s.resource("web-1", ", env: [LANG, 'LC_*']") + s.resource("narrow", ", shell: false, commands: ['echo **']")
	}, "hold: {wait: 1s}\n")
	narrow := g.access(t, "narrow", "alice")
	home := g.target.home
	for name, c := range map[string]struct {
		stdin, command string
		args           []string
		out, err       string
		code           int
		narrow         bool
	}{
		"a command":             {command: "echo hello", out: "hello\n"},
		"an exit status":        {command: "exit 7", code: 7},
		"a signal":              {command: "kill -TERM $$", code: 255},
		"standard error":        {command: "echo bad >&2; echo good", out: "good\n", err: "bad\n"},
		"standard input":        {command: "cat", stdin: "one\ntwo\n", out: "one\ntwo\n"},
		"no such command":       {command: "no-such-command-here", code: 127, err: "not found"},
		"a set variable":        {command: "echo $LC_WEIR", args: []string{"-o", "SetEnv=LC_WEIR=yes"}, out: "yes\n"},
		"a stray variable":      {command: "echo x$STRAY", args: []string{"-o", "SetEnv=STRAY=yes"}, out: "x\n"},
		"no agent":              {command: "echo agent=$SSH_AUTH_SOCK", args: []string{"-A"}, out: "agent=\n"},
		"a shell by itself":     {stdin: "echo from a shell\nexit 3\n", args: []string{"-T"}, out: "from a shell\n", code: 3},
		"env":                   {command: "env", out: "DB_PASSWORD=[masked:"},
		"printenv":              {command: "printenv", out: "DB_PASSWORD=[masked:"},
		"a secret's value":      {command: "printenv DB_PASSWORD", code: 126, err: "ssh-secret-variable"},
		"a file":                {command: "cat " + home + "/.env", out: "APP=shop\nDB_PASSWORD=[masked:"},
		"a key in a file":       {command: "cat " + home + "/backup.txt", out: "[masked:"},
		"YAML":                  {command: "cat " + home + "/app.yaml", out: "name: shop\npassword: [masked:"},
		"colours":               {command: "sh " + home + "/colours.sh", out: "[masked:"},
		"slow":                  {command: "sh " + home + "/slow.sh", out: "[masked:"},
		"slow at a terminal":    {command: "sh " + home + "/slow.sh", args: []string{"-tt"}, out: "[masked:"},
		"two streams":           {command: "sh " + home + "/streams.sh"},
		"an error":              {command: "echo 'password=CANARYsshError5Gk2' >&2", err: "[masked:"},
		"a process's":           {command: "cat /proc/self/environ", code: 126, err: "ssh-process-environment"},
		"shadow":                {command: "sudo cat /etc/shadow", code: 126, err: "ssh-shadow"},
		"metadata":              {command: "curl -s http://169.254.169.254/latest/", code: 126, err: "ssh-metadata"},
		"a private key":         {command: "cat " + home + "/.ssh/id_rsa", code: 126, err: "ssh-private-keys"},
		"an encoder":            {command: "base64 " + home + "/.env", code: 126, err: "ssh-encoded"},
		"an encoder in a pipe":  {command: "cat " + home + "/.env | rev", code: 126, err: "ssh-encoded"},
		"hexadecimal":           {command: "xxd " + home + "/.env", code: 126, err: "ssh-encoded"},
		"octal":                 {command: "od -c < " + home + "/.env", code: 126, err: "ssh-encoded"},
		"compressed":            {command: "gzip -c " + home + "/.env", code: 126, err: "ssh-encoded"},
		"an archive":            {command: "tar c -C " + home + " .env", code: 126, err: "ssh-encoded"},
		"an encoder of others":  {command: "echo hello | base64", out: "aGVsbG8K\n"},
		"a history":             {command: "cat " + home + "/.bash_history", code: 126, err: "ssh-history"},
		"cloud credentials":     {command: "cat " + home + "/.aws/credentials", code: 126, err: "ssh-credential-files"},
		"a terminal":            {command: "tty; stty -a", args: []string{"-tt"}, out: "/dev/pts/"},
		"a terminal's secrets":  {command: "cat " + home + "/.env", args: []string{"-tt"}, out: "[masked:", err: "recorded as ses_"},
		"a binary file":         {command: "head -c 1000 /bin/ls", code: 126, err: "allow_opaque: [pipes]"},
		"narrow: a command":     {command: "echo yes", out: "yes\n", narrow: true},
		"narrow: another":       {command: "id", code: 126, err: "none of the resource's commands", narrow: true},
		"narrow: two":           {command: "echo yes; id", code: 126, err: "none of the resource's commands", narrow: true},
		"narrow: behind scp":    {command: "scp -f x; id", code: 126, err: "none of the resource's commands", narrow: true},
		"narrow: beside scp":    {command: "scp -f $(id)", code: 126, err: "none of the resource's commands", narrow: true},
		"narrow: another scp":   {command: home + "/scp -f x", code: 126, err: "none of the resource's commands", narrow: true},
		"narrow: what scp runs": {command: "scp -oProxyCommand=id h:x y", code: 126, err: "none of the resource's commands", narrow: true},
		"narrow: both ends":     {command: "scp -f -t x", code: 126, err: "none of the resource's commands", narrow: true},
		"a variable of scp's":   {command: "scp -f $HOME/x", code: 126, err: "a shell makes other names of $HOME/x"},
		"a pattern of scp's":    {command: "scp -f /srv/vaul?/x", code: 126, err: "a shell makes other names of"},
		"another's directory":   {command: "scp -f ~root/x", code: 126, err: "a shell makes other names of"},
		"a pattern to write":    {command: "scp -t /srv/vaul?", code: 126, err: "a shell makes other names of"},
		"narrow: a shell":       {args: []string{"-T"}, code: 126, err: "no shell", narrow: true},
	} {
		t.Run(name, func(t *testing.T) {
			key := &g.key
			if c.narrow {
				key = &narrow
			}
			args := append([]string{"-F", g.conf, key.Login + "@weir"}, c.args...)
			if c.command != "" {
				args = append(args, c.command)
			}
			got := g.with(t, key, c.stdin, "ssh", args...)
			if got.code != c.code || !strings.Contains(got.out, c.out) || !strings.Contains(got.err, c.err) {
				t.Errorf("%+v", got)
			}
		})
	}
	g.sweepSSH(t)
	g.replays(t)
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}

// replays draws every recording anew, as asciicast and as text, and looks for canaries on the screen.
func (g *sshGateway) replays(t *testing.T) {
	t.Helper()
	sessions := decode[[]record.Session](t, g.weir(t, "sessions", "ls", "--protocol", "ssh", "--limit", "1000", "-o", "json"))
	if len(sessions) == 0 {
		t.Error("no recordings")
	}
	for i := range sessions {
		id := string(sessions[i].ID)
		cast := g.weir(t, "sessions", "export", id, "--format", "asciicast-v2")
		var events []screen.Event
		for j, line := range strings.Split(strings.TrimSpace(cast), "\n") {
			var e []any
			if j == 0 || json.Unmarshal([]byte(line), &e) != nil || len(e) != 3 || e[1] != "o" {
				continue
			}
			text, _ := e[2].(string)
			events = append(events, screen.Event{Data: []byte(text)})
		}
		shown := screen.Text(events...) + g.weir(t, "sessions", "replay", id, "--speed", "1000")
		for _, w := range sshWords {
			if strings.Contains(shown, w) {
				t.Errorf("the recording %s shows %s:\n%s", id, w, shown)
			}
		}
	}
}

// TestSSHFiles copies with scp, sftp, rsync and git.
func TestSSHFiles(t *testing.T) {
	for _, p := range []string{"scp", "sftp", "rsync", "git"} {
		needs(t, p)
	}
	g := sshStart(t, func(s *sshTarget) string {
		return s.resource("web-1", "") + s.resource("open", sshOpen)
	}, "hold: {wait: 1s}\n")
	open := g.access(t, "open", "alice")
	home, here := g.target.home, filepath.Join(g.dir, "here")
	if err := os.MkdirAll(here, 0o755); err != nil {
		t.Fatal(err)
	}
	binary := strings.Repeat("\x00\x01\x02binary\xff", 50_000)
	write(t, filepath.Join(home, "binary"), binary)
	write(t, filepath.Join(here, "new.txt"), strings.Repeat("a line of text\n", 20_000))
	is := func(path, want string) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil || string(b) != want {
			t.Errorf("%s: %d bytes, want %d: %v", path, len(b), len(want), err)
		}
	}
	text := strings.Repeat("a line of text\n", 20_000)
	at := func(key string, path string) string { return key + "@weir:" + path }
	for name, flags := range map[string][]string{"scp": {"-F", g.conf}, "scp-O": {"-O", "-F", g.conf}} {
		t.Run(name, func(t *testing.T) {
			scp := func(args ...string) ran {
				return g.with(t, &g.key, "", "scp", append(append([]string{}, flags...), args...)...)
			}
			if got := scp(filepath.Join(here, "new.txt"), at(g.key.Login, home+"/up-"+name)); got.code != 0 {
				t.Error(got)
			}
			is(filepath.Join(home, "up-"+name), text)
			if got := scp(at(g.key.Login, home+"/up-"+name), filepath.Join(here, name)); got.code != 0 {
				t.Error(got)
			}
			is(filepath.Join(here, name), text)
			if got := scp(at(g.key.Login, home+"/.env"), filepath.Join(here, name+".env")); got.code != 0 {
				t.Error(got)
			}
			b, _ := os.ReadFile(filepath.Join(here, name+".env"))
			g.keep(b)
			if !strings.Contains(string(b), "DB_PASSWORD=[masked") || len(b) != len(sshFilesOfTarget[".env"]) {
				t.Errorf("%s", b)
			}
			for file, why := range map[string]string{"/binary": "allow_opaque", "/.ssh/id_rsa": "ssh-private-keys", "/../home/.ssh/./id_rsa": "ssh-private-keys", "/.bash_history": "ssh-history"} {
				if got := scp(at(g.key.Login, home+file), filepath.Join(here, "no")); got.code == 0 || !strings.Contains(got.err, why) {
					t.Errorf("%s: %+v", file, got)
				}
			}
			// A placeholder that would be written back is refused.
			if got := scp(filepath.Join(here, name+".env"), at(g.key.Login, home+"/.env")); got.code == 0 {
				t.Error("a placeholder was written")
			}
			is(filepath.Join(home, ".env"), sshFilesOfTarget[".env"])
			args := append(append([]string{}, flags...), at(open.Login, home+"/binary"), filepath.Join(here, name+".bin"))
			if got := g.with(t, &open, "", "scp", args...); got.code != 0 {
				t.Error(got)
			}
			is(filepath.Join(here, name+".bin"), binary)
		})
	}
	t.Run("sftp", func(t *testing.T) {
		write(t, filepath.Join(home, "password=CANARYsshName9Rk3"), "x\n")
		batch := fmt.Sprintf("cd %[1]s\nls -la\nput %[2]s/new.txt s1\nrename s1 s2\nget s2 %[2]s/s2\nrm s2\nmkdir d\nrmdir d\n-get .env %[2]s/s3\n-get .ssh/id_rsa %[2]s/s4\n", home, here)
		got := g.with(t, &g.key, batch, "sftp", "-F", g.conf, "-oBatchMode=no", "-b", "-", g.key.Login+"@weir")
		if got.code != 0 || !strings.Contains(got.out, "notes.txt") || !strings.Contains(got.err, "ssh-private-keys") {
			t.Errorf("%+v", got)
		}
		is(filepath.Join(here, "s2"), text)
		if b, _ := os.ReadFile(filepath.Join(here, "s4")); len(b) > 0 {
			t.Errorf("a private key came: %s", b)
		}
		_ = os.Remove(filepath.Join(home, "password=CANARYsshName9Rk3"))
	})
	t.Run("rsync", func(t *testing.T) {
		shell := "ssh -F " + g.conf
		if got := g.with(t, &g.key, "", "rsync", "-a", "-e", shell, at(g.key.Login, home+"/binary"), here+"/r0"); got.code == 0 || !strings.Contains(got.err, "allow_opaque: [rsync]") {
			t.Errorf("%+v", got)
		}
		if got := g.with(t, &open, "", "rsync", "-a", "-e", shell, at(open.Login, home+"/binary"), here+"/r1"); got.code != 0 {
			t.Errorf("%+v", got)
		}
		is(filepath.Join(here, "r1"), binary)
		if got := g.with(t, &open, "", "rsync", "-a", "-e", shell, here+"/new.txt", at(open.Login, home+"/r2")); got.code != 0 {
			t.Errorf("%+v", got)
		}
		is(filepath.Join(home, "r2"), text)
	})
	t.Run("git", func(t *testing.T) {
		bare, work := filepath.Join(home, "r.git"), filepath.Join(here, "work")
		runTool(t, "git", "init", "-q", "--bare", "-b", "main", bare)
		if got := g.with(t, &g.key, "", "git", "clone", "-q", at(g.key.Login, bare), here+"/none"); got.code == 0 || !strings.Contains(got.err, "allow_opaque: [git]") {
			t.Errorf("%+v", got)
		}
		if got := g.with(t, &open, "", "git", "clone", "-q", at(open.Login, bare), work); got.code != 0 {
			t.Fatalf("%+v", got)
		}
		write(t, filepath.Join(work, "f"), text)
		runTool(t, "git", "-C", work, "add", "f")
		runTool(t, "git", "-C", work, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "f")
		if got := g.with(t, &open, "", "git", "-C", work, "push", "-q", "origin", "HEAD:main"); got.code != 0 {
			t.Errorf("%+v", got)
		}
		if got := g.with(t, &open, "", "git", "clone", "-q", at(open.Login, bare), here+"/again"); got.code != 0 {
			t.Errorf("%+v", got)
		}
		is(filepath.Join(here, "again", "f"), text)
	})
	t.Run("records", func(t *testing.T) {
		var all strings.Builder
		for _, s := range decode[[]record.Session](t, g.weir(t, "sessions", "ls", "--protocol", "ssh", "--limit", "1000", "-o", "json")) {
			all.WriteString(g.weir(t, "sessions", "export", string(s.ID), "--format", "jsonl"))
		}
		noted := func(name, path, sum string, size int) bool {
			for line := range strings.Lines(all.String()) {
				if strings.Contains(line, path) && strings.Contains(line, fmt.Sprintf("%q", name)) && strings.Contains(line, sum) && strings.Contains(line, fmt.Sprintf("%q", strconv.Itoa(size))) {
					return true
				}
			}
			return false
		}
		for _, name := range []string{"scp", "scp-O"} {
			for local, path := range map[string]string{name: "/up-" + name, name + ".env": "/.env", name + ".bin": "/binary"} {
				b, err := os.ReadFile(filepath.Join(here, local))
				if err != nil {
					t.Fatal(err)
				}
				if sum := fmt.Sprintf("%x", sha256.Sum256(b)); !noted("read_sha256", home+path, sum, len(b)) {
					t.Errorf("no download of %s with %s", path, sum)
				}
			}
			if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text))); !noted("sha256", home+"/up-"+name, sum, len(text)) {
				t.Errorf("no upload by %s with %s", name, sum)
			}
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text))); !noted("read_sha256", home+"/s2", sum, len(text)) {
			t.Error("no download by sftp")
		}
	})
	g.sweepSSH(t)
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}

// TestSSHLogins lets in by a registered key, a certificate and what weir ssh setup wrote, and at several accounts and targets.
func TestSSHLogins(t *testing.T) {
	g := sshStart(t, func(s *sshTarget) string {
		write(t, filepath.Join(s.dir, "known"), "")
		return s.resource("web-1", "") +
			fmt.Sprintf("- {name: first, protocol: ssh, address: '127.0.0.1:%d', credential: {user: %s, key: {file: %s/login}}, host_keys: {first_use: true}}\n", s.port, s.user, s.dir) +
			fmt.Sprintf("- {name: wrong, protocol: ssh, address: '127.0.0.1:%d', credential: {user: %s, key: {file: %s/login}}, host_keys: {pinned: ['SHA256:%s']}}\n", s.port, s.user, s.dir, strings.Repeat("A", 43)) +
			fmt.Sprintf("- {name: file, protocol: ssh, address: '127.0.0.1:%d', credential: {user: %s, key: {file: %s/login}}, host_keys: {known_hosts: %[3]s/known}}\n", s.port, s.user, s.dir) +
			fmt.Sprintf("- {name: signed, protocol: ssh, address: '127.0.0.1:%d', credential: {user: %s, certificate: true}, host_keys: {first_use: true}}\n", s.port, s.user) +
			fmt.Sprintf("- {name: pass, protocol: ssh, address: '127.0.0.1:%d', credential: {user: app, password: {env: HELDSSH}}, accounts: [{user: deploy, password: {env: HELDSSH}}], host_keys: {first_use: true}}\n", passwordTarget(t))
	}, "")
	alice := decode[struct{ Secret string }](t, g.weir(t, "tokens", "add", "--user", "alice", "-o", "json")).Secret
	env := []string{"WEIR_TOKEN=" + alice, "WEIR_URL=" + g.url, "WEIR_CA=" + filepath.Join(g.data, "ca.pem")}
	as := func(conf string, args ...string) ran {
		return g.with(t, &g.key, "", "ssh", append([]string{"-F", conf, "-o", "BatchMode=yes"}, args...)...)
	}
	own := filepath.Join(g.dir, "own")
	runTool(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", own)
	byKey := []string{"-i", own, "-o", "PreferredAuthentications=publickey"}
	if got := as(g.conf, append(byKey, "web-1@weir", "echo in")...); got.code == 0 {
		t.Error("a key that nobody registered let in")
	}
	if out, code := g.try(t, env, "ssh", "keys", "add", own+".pub"); code != 0 {
		t.Fatal(out)
	}
	if got := as(g.conf, append(byKey, "web-1@weir", "echo in")...); got.out != "in\n" {
		t.Errorf("by key: %+v", got)
	}
	dir := filepath.Join(g.dir, "ssh2")
	for _, args := range [][]string{{"ssh", "setup", "--dir", dir}, {"ssh", "cert", "--dir", dir}} {
		if out, code := g.try(t, env, args...); code != 0 {
			t.Fatal(out)
		}
	}
	conf := filepath.Join(dir, "weir_config")
	for user, want := range map[string]string{"web-1": "in\n", g.target.user + "+web-1": "in\n", "first": "in\n"} {
		for range 2 {
			if got := as(conf, user+"@weir", "echo in"); got.out != want || got.err != "" {
				t.Errorf("%s by certificate: %+v", user, got)
			}
		}
	}
	for user, want := range map[string]string{"pass": "app\n", "deploy+pass": "deploy\n"} {
		if got := as(conf, user+"@weir", "whoami"); got.out != want {
			t.Errorf("%s: %+v", user, got)
		}
	}
	for _, user := range []string{"nobody+pass", "none", "+web-1", "web-1+web-1"} {
		if got := as(conf, user+"@weir", "echo in"); got.code != 255 || !strings.Contains(got.err, "Permission denied") {
			t.Errorf("%s: %+v", user, got)
		}
	}
	if got := as(conf, "wrong@weir", "echo in"); got.code != 255 || !strings.Contains(got.err, "host key that is not known") {
		t.Errorf("a wrong pin: %+v", got)
	}
	t.Run("known_hosts", func(t *testing.T) {
		known := filepath.Join(g.target.dir, "known")
		pub, err := os.ReadFile(filepath.Join(g.target.dir, "host_key.pub"))
		if err != nil {
			t.Fatal(err)
		}
		if got := as(conf, "file@weir", "echo in"); got.code != 255 || !strings.Contains(got.err, "host key that is not known") {
			t.Errorf("not in the file yet: %+v", got)
		}
		write(t, known, fmt.Sprintf("[127.0.0.1]:%d %s", g.target.port, pub))
		if got := as(conf, "file@weir", "echo in"); got.out != "in\n" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("target CA", func(t *testing.T) {
		if got := as(conf, "signed@weir", "echo in"); got.code != 255 {
			t.Errorf("the target does not know the authority yet: %+v", got)
		}
		g.target.stop()
		f, err := os.OpenFile(filepath.Join(g.target.dir, "sshd_config"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(f, "\nTrustedUserCAKeys %s/keys/ssh_target_ca.pub\n", g.data)
		f.Close()
		g.target.serve(t, "/usr/sbin/sshd")
		if got := as(conf, "signed@weir", "echo in"); got.out != "in\n" {
			t.Errorf("%+v\n%s", got, g.target.log)
		}
	})
	t.Run("changed key", func(t *testing.T) {
		g.target.stop()
		g.target.newHostKey(t)
		g.target.serve(t, "/usr/sbin/sshd")
		for _, user := range []string{"first", "web-1", "file"} {
			if got := as(conf, user+"@weir", "echo in"); got.code != 255 || !strings.Contains(got.err, "host key that is not known") {
				t.Errorf("%s: %+v", user, got)
			}
		}
	})
	g.sweepSSH(t)
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}

// passwordTarget is an SSH server that takes one password and tells who logged in.
func passwordTarget(t *testing.T) int {
	t.Helper()
	t.Setenv("HELDSSH", "CANARYsshHeld7Wq4")
	key, err := ssh.ParsePrivateKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PasswordCallback: func(_ ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
		if string(p) != "CANARYsshHeld7Wq4" {
			return nil, fmt.Errorf("wrong password")
		}
		return nil, nil
	}}
	config.AddHostKey(key)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go tellUser(conn, config)
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port
}

func tellUser(conn net.Conn, config *ssh.ServerConfig) {
	sc, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for nc := range channels {
		ch, in, err := nc.Accept()
		if err != nil {
			return
		}
		for r := range in {
			_ = r.Reply(true, nil)
			if r.Type == "exec" {
				fmt.Fprintln(ch, sc.User())
				_, _ = ch.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
				_ = ch.Close()
			}
		}
	}
}

func newKey(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	runTool(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSSHControls holds, refuses, forwards, shares one connection, and ends a session with its key.
func TestSSHControls(t *testing.T) {
	g := sshStart(t, func(s *sshTarget) string {
		return s.resource("web-1", "") + s.resource("tunnel", ", forward: [local]") + s.resource("lines", ", ask_lines: true")
	}, "hold: {wait: 20s}\nrules:\n- {name: restarts, match: {commands: ['echo restart']}, then: approve, approvers: {groups: [managers]}, wait: 20s}\n"+
		"- {name: never, match: {commands: ['echo never']}, then: deny}\n")
	morgan := decode[struct{ Secret string }](t, g.weir(t, "tokens", "add", "--user", "morgan", "-o", "json")).Secret
	env := []string{"WEIR_TOKEN=" + morgan, "WEIR_URL=" + g.url, "WEIR_CA=" + filepath.Join(g.data, "ca.pem")}

	t.Run("hold", func(t *testing.T) {
		out := &buffer{}
		cmd := g.cmd(t.Context(), &g.key, "", "ssh", "-F", g.conf, g.key.Login+"@weir", "echo restart now")
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, "the request's id", func() bool { return strings.Contains(out.String(), "held for approval as req_") })
		_, id, _ := strings.Cut(out.String(), "approval as ")
		id, _, _ = strings.Cut(id, ";")
		if text, code := g.try(t, env, "requests", "approve", id); code != 0 {
			t.Fatal(text)
		}
		if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "restart now\n") {
			t.Errorf("%v %s", err, out)
		}
	})
	t.Run("one connection", func(t *testing.T) {
		c := g.dial(t, &g.key)
		for range 3 {
			s, err := c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.CombinedOutput("echo never")
			var exit *ssh.ExitError
			if !errors.As(err, &exit) || exit.ExitStatus() != 126 || !strings.Contains(string(out), "rule never") {
				t.Errorf("%v %s", err, out)
			}
			s, err = c.NewSession()
			if err != nil {
				t.Fatal(err)
			}
			if out, err := s.Output("echo again"); err != nil || string(out) != "again\n" {
				t.Errorf("%v %s", err, out)
			}
		}
	})
	t.Run("ControlMaster", func(t *testing.T) {
		path := filepath.Join(g.dir, "cm")
		master := g.cmd(t.Context(), &g.key, "", "ssh", "-F", g.conf, "-M", "-S", path, "-N", g.key.Login+"@weir")
		if err := master.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, "the master", func() bool { return exists(path) })
		for range 2 {
			if got := g.ssh(t, "", "-S", path, "echo shared"); got.out != "shared\n" {
				t.Errorf("%+v", got)
			}
		}
		_ = master.Process.Kill()
		_ = master.Wait()
	})
	t.Run("forwarding", func(t *testing.T) {
		to := fmt.Sprintf("127.0.0.1:%d", g.target.port)
		if c, err := g.dial(t, &g.key).Dial("tcp", to); err == nil || !strings.Contains(err.Error(), "forwards no connections") {
			t.Error(c, err)
		}
		key := g.access(t, "tunnel", "alice")
		got := g.with(t, &key, "", "ssh", "-F", g.conf, "-W", to, key.Login+"@weir")
		if !strings.HasPrefix(got.out, "SSH-2.0-OpenSSH") {
			t.Errorf("%+v", got)
		}
		if c, err := g.dial(t, &key).Dial("tcp", "169.254.169.254:80"); err == nil || !strings.Contains(err.Error(), "ssh-metadata-forward") {
			t.Error(c, err)
		}
		if ln, err := g.dial(t, &key).Listen("tcp", "127.0.0.1:0"); err == nil {
			t.Error("a remote forwarding was taken", ln)
		}
	})
	t.Run("lines", func(t *testing.T) {
		key := g.access(t, "lines", "alice")
		tty := g.terminal(t, &key, 80, 24)
		tty.press(t, "echo one-$((1+1))\r", "one-2")
		tty.press(t, "echo never\r", "rule never")
		tty.press(t, "echo two-$((1+1))\r", "two-2")
		tty.press(t, "exit 5\r", "")
		var exit *ssh.ExitError
		if err := tty.session.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 5 {
			t.Error(err)
		}
	})
	t.Run("revoked key", func(t *testing.T) {
		key := g.access(t, "web-1", "alice")
		tty := g.terminal(t, &key, 80, 24)
		tty.press(t, "echo in-$((1+1))\r", "in-2")
		g.weir(t, "keys", "rm", string(key.ID))
		began := time.Now() // TestSSHRevocation measures from the request on
		_ = tty.session.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %s", took)
		}
		if !strings.Contains(tty.out.String(), "the session has ended") {
			t.Errorf("%s", tty.out)
		}
		got := g.with(t, &key, "", "ssh", "-F", g.conf, key.Login+"@weir", "echo in")
		if got.code != 255 {
			t.Errorf("%+v", got)
		}
	})
	g.sweepSSH(t)
	g.replays(t)
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}

// tty is a shell at a terminal.
type tty struct {
	session *ssh.Session
	in      interface{ Write([]byte) (int, error) }
	out     *buffer
}

func (g *sshGateway) terminal(t *testing.T, key *service.Access, columns, rows int) *tty {
	t.Helper()
	s, err := g.dial(t, key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	x := &tty{session: s, out: &buffer{}}
	s.Stdout, s.Stderr = x.out, x.out
	if x.in, err = s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm-256color", rows, columns, ssh.TerminalModes{ssh.ECHO: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.keep([]byte(x.out.String())) })
	x.press(t, "echo ready-$((40+2))\r", "ready-42")
	return x
}

// press presses keys and waits until want is shown.
func (x *tty) press(t *testing.T, keys, want string) {
	t.Helper()
	before := len(x.out.String())
	if _, err := x.in.Write([]byte(keys)); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if strings.Contains(x.out.String()[before:], want) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%q shows no %q: %q", keys, want, x.out.String()[before:])
}
