package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/evidence/record"
)

// TestSSHTerminalIsRecorded types a password at a prompt, floods the screen, and looks for what came before and after.
func TestSSHTerminalIsRecorded(t *testing.T) {
	const typed = "CANARYsshTyped6Vn2"
	g := sshStart(t, nil, "")
	x := g.terminal(t, &g.key, 100, 30)
	ask := filepath.Join(g.dir, "ask.sh")
	write(t, ask, "stty -echo; printf 'Password for the store: '; read -r p; stty echo; echo; echo \"it has ${#p} characters\"\n")
	x.press(t, "sh "+ask+"\r", "Password for the store:")
	x.press(t, typed+"\r", fmt.Sprintf("it has %d characters", len(typed)))
	x.press(t, "printf 'a \\033[31mred\\033[0m needle'; echo ' of before'\r", " of before\r\n")
	x.press(t, "seq 100000 130000; echo flood-$((1+1))\r", "flood-2")
	x.press(t, "printf 'a \\033[32mgreen\\033[0m needle'; echo ' of after'\r", " of after\r\n")
	x.press(t, "exit\r", "")
	_ = x.session.Wait()
	id := g.sessionWith(t, "SHELL")
	for _, want := range []string{"a red needle of before", "a green needle of after", "bytes are not recorded"} {
		if out := g.weir(t, "sessions", "search", want); !strings.Contains(out, id) {
			t.Errorf("%q is not found: %s", want, out)
		}
	}
	for _, format := range []string{"jsonl", "asciicast-v2", "asciicast-v3", "text"} {
		out := g.weir(t, "sessions", "export", id, "--format", format, "--input")
		if !strings.Contains(out, "of after") {
			t.Errorf("%s lacks the end", format)
		}
		if format != "text" && !strings.Contains(out, "[32m") {
			t.Errorf("%s has lost the colours", format)
		}
	}
	if head, _, _ := strings.Cut(g.weir(t, "sessions", "export", id, "--format", "asciicast-v2"), "\n"); !strings.Contains(head, `"width":100,"height":30`) || !strings.Contains(head, "xterm-256color") {
		t.Errorf("the asciicast begins with %s", head)
	}
	all := strings.Builder{}
	_ = filepath.WalkDir(filepath.Join(g.data, "journal"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, _ := os.ReadFile(path)
			all.Write(b)
		}
		return err
	})
	if strings.Contains(all.String()+g.weir(t, "sessions", "export", id, "--format", "jsonl"), typed) {
		t.Error("what was typed unseen is recorded")
	}
	g.sweepSSH(t)
	g.replays(t)
}

// sessionWith is the newest session that has a command which begins so.
func (g *sshGateway) sessionWith(t *testing.T, command string) string {
	t.Helper()
	for _, s := range decode[[]record.Session](t, g.weir(t, "sessions", "ls", "--protocol", "ssh", "-o", "json")) {
		for line := range strings.Lines(g.weir(t, "sessions", "export", string(s.ID), "--format", "jsonl")) {
			var r struct{ Kind, Text string }
			if json.Unmarshal([]byte(line), &r) == nil && r.Kind == "command" && strings.HasPrefix(r.Text, command) {
				return string(s.ID)
			}
		}
	}
	t.Fatalf("no session has a command %s", command)
	return ""
}

// TestSSHRekeys exchanges keys anew every 64 KB, as the client asks and as the target does, while bytes go both ways.
func TestSSHRekeys(t *testing.T) {
	keys := t.TempDir()
	g := sshStart(t, func(s *sshTarget) string { return s.resource("web-1", sshOpen) }, "")
	g.target.stop()
	config, err := os.ReadFile(filepath.Join(g.target.dir, "sshd_config"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(g.target.dir, "sshd_config"), string(config)+"RekeyLimit 64K\n")
	g.target.serve(t, sshdPath(t))
	data := bytes.Repeat([]byte("0123456789abcde\n"), 128<<10)
	want := fmt.Sprintf("%x", sha256.Sum256(data))
	file := filepath.Join(keys, "file")
	write(t, file, string(data))
	if got := g.ssh(t, string(data), "-v", "-o", "RekeyLimit=64K", "tee "+keys+"/copy"); got.out != string(data) || got.code != 0 || strings.Count(got.err, "rekeying in progress")+strings.Count(got.err, "SSH2_MSG_NEWKEYS received") < 5 {
		t.Errorf("both ways: %d bytes, %d, %.2000s", len(got.out), got.code, got.err)
	}
	for name, args := range map[string][]string{
		"up": {file, g.key.Login + "@weir:" + keys + "/up"}, "down": {g.key.Login + "@weir:" + file, keys + "/down"},
	} {
		got := g.with(t, &g.key, "", "scp", append([]string{"-o", "RekeyLimit=64K", "-F", g.conf}, args...)...)
		b, err := os.ReadFile(filepath.Join(keys, name))
		if have := fmt.Sprintf("%x", sha256.Sum256(b)); got.code != 0 || err != nil || have != want {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

// TestSSHOpaqueIsForOneCommand: what a resource lets pass unread is what rsync and git say, not what stands beside them.
func TestSSHOpaqueIsForOneCommand(t *testing.T) {
	g := sshStart(t, func(s *sshTarget) string { return s.resource("web-1", ", allow_opaque: [rsync, git]") }, "")
	needs(t, "git")
	needs(t, "rsync")
	repository := filepath.Join(g.dir, "r.git")
	runTool(t, "git", "init", "-q", "--bare", repository)
	for _, command := range []string{
		"cat %[1]s/app.yaml; git-upload-pack %[2]s", "cat %[1]s/app.yaml && rsync --server", "git-upload-pack %[2]s < /dev/null; cat %[1]s/app.yaml",
		"cat %[1]s/app.yaml | rsync --server", "echo $(cat %[1]s/app.yaml; git-upload-pack %[2]s)",
	} {
		got := g.ssh(t, "0000", fmt.Sprintf(command, g.target.home, repository))
		if !strings.Contains(got.out, "[masked:") && got.out != "" || strings.Contains(got.out, "CANARY") {
			t.Errorf("%s: %+v", command, got)
		}
	}
	for _, command := range []string{"git-upload-pack ", "env git-upload-pack ", "git upload-pack "} {
		if got := g.ssh(t, "0000", command+repository); got.code != 0 || got.out != "0000" || got.err != "" {
			t.Errorf("%s: %+v", command, got)
		}
	}
	g.sweepSSH(t)
}
