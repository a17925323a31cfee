package test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
)

// TestSSHPathsDeniedForReading tries to read files that a rule denies to read: by what they are called, by opening them for writing, too, and under
// another name.
func TestSSHPathsDeniedForReading(t *testing.T) {
	g := sshStart(t, func(s *sshTarget) string { return s.resource("web-1", "") + fmt.Sprintf("# %s\n", s.home) }, "hold: {wait: 1s}\n")
	home := g.target.home
	config, err := os.ReadFile(g.config)
	if err != nil {
		t.Fatal(err)
	}
	g.write(t, string(config)+fmt.Sprintf("rules:\n- {name: vault, match: {operations: [GET], paths: ['%[1]s/vault/**']}, then: deny}\n- {name: closed, match: {paths: ['%[1]s/closed/**']}, then: deny}\n", home))
	g.stop(t)
	g.serve(t)
	const content = "the content of it\n"
	for _, f := range []string{"vault/secret", "vault/deep/er", "closed/secret", "pub/file", "pub/deep/file"} {
		write(t, filepath.Join(home, f), content)
	}
	c, err := sftp.NewClient(g.dial(t, &g.key))
	if err != nil {
		t.Fatal(err)
	}
	wd, err := c.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(wd, home)
	if err != nil {
		t.Fatal(err)
	}
	// read returns what can be read of a file, however it is opened.
	read := func(path string) string {
		for _, flags := range []int{os.O_RDONLY, os.O_RDWR, os.O_WRONLY, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_APPEND, os.O_WRONLY | os.O_APPEND} {
			f, err := c.OpenFile(path, flags)
			if err != nil {
				continue
			}
			b, _ := io.ReadAll(f)
			_ = f.Close()
			if len(b) > 0 {
				return string(b)
			}
		}
		return ""
	}
	for _, p := range []string{
		home + "/vault/secret", home + "/vault/./secret", home + "//vault//secret", home + "/pub/../vault/secret", home + "/nothing/../vault/secret", "/" + home + "/vault/secret", home + "/VAULT/../vault/secret",
		relative + "/vault/secret", "./" + relative + "/vault/secret", relative + "/pub/../vault/secret", home + "/vault/deep/er", home + "/closed/secret",
	} {
		if got := read(p); got != "" {
			t.Errorf("%s: %q", p, got)
		}
	}
	denied := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i, from := range []string{"vault/secret", "vault/deep", "vault", "closed/secret", "closed", ""} {
		n := fmt.Sprintf("%s/pub/new-%d", home, i)
		denied("rename "+from, c.Rename(filepath.Join(home, from), n))
		denied("posix-rename "+from, c.PosixRename(filepath.Join(home, from), n))
		denied("link "+from, c.Link(filepath.Join(home, from), n))
		denied("symlink "+from, c.Symlink(filepath.Join(home, from), n))
		denied("relative symlink "+from, c.Symlink("../"+from, n))
		denied("climbing symlink "+from, c.Symlink("../pub/deep/../../"+from, n))
		if err := c.Symlink("../"+from, n); err == nil {
			t.Error("made")
		}
	}
	denied("symlink to the root", c.Symlink("/", home+"/pub/root"))
	// A link that is allowed leads nowhere else by what climbs out of it.
	if err := c.Symlink(home+"/pub", home+"/pub/deep/l"); err != nil {
		t.Fatal(err)
	}
	if err := c.Symlink("file", home+"/pub/relative"); err != nil {
		t.Error(err)
	}
	for _, p := range []string{"/pub/deep/l/../vault/secret", "/pub/deep/l/file/../../vault/secret"} {
		if got := read(home + p); got != "" {
			t.Errorf("%s: %q", p, got)
		}
	}
	if err := c.Symlink("../vault/secret", home+"/pub/deep/l/m"); err == nil {
		if got := read(home + "/pub/deep/l/m"); got != "" {
			t.Errorf("a link through a link: %q", got)
		}
	}
	for _, args := range [][]string{{}, {"-O"}} {
		for _, f := range []string{"vault/secret", "pub/../vault/secret", "closed/secret"} {
			got := g.with(t, &g.key, "", "scp", append(args, "-F", g.conf, g.key.Login+"@weir:"+home+"/"+f, g.dir+"/taken")...)
			if b, _ := os.ReadFile(g.dir + "/taken"); got.code == 0 || len(b) > 0 {
				t.Errorf("scp %v %s: %+v %q", args, f, got, b)
			}
		}
	}
	// What no rule speaks of goes on.
	if got := read(home + "/pub/relative"); got != content {
		t.Errorf("%q", got)
	}
	if f, err := c.OpenFile(home+"/vault/new", os.O_WRONLY|os.O_CREATE); err != nil {
		t.Error("writing is not denied:", err)
	} else {
		_ = f.Close()
	}
	for what, err := range map[string]error{
		"rename": c.Rename(home+"/pub/file", home+"/pub/file2"), "link": c.Link(home+"/pub/file2", home+"/pub/file3"), "directory": c.PosixRename(home+"/pub/deep", home+"/pub/deeper"),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, f := range []string{"vault/secret", "closed/secret", "vault/deep/er"} {
		if b, err := os.ReadFile(filepath.Join(home, f)); string(b) != content {
			t.Errorf("%s is gone: %q %v", f, b, err)
		}
	}
	if !strings.Contains(g.weir(t, "audit", "export"), "rule vault") && !strings.Contains(g.weir(t, "audit", "export"), `"vault"`) {
		t.Error("refusals are not audited")
	}
	g.sweepSSH(t)
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}

// TestSSHRelativeNamesOfSCP names files from where a shell begins, which a rule with an absolute path must match.
func TestSSHRelativeNamesOfSCP(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(me.HomeDir, "weir-test-") //nolint:usetesting // it must be where sessions begin
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	g := sshStart(t, nil, fmt.Sprintf("rules:\n- {name: vault, match: {paths: ['%s/vault/**']}, then: deny}\n", dir))
	write(t, dir+"/vault/secret", "the content of it\n")
	write(t, dir+"/pub/file", "public\n")
	base := filepath.Base(dir)
	taken := filepath.Join(g.dir, "taken")
	for _, name := range []string{base + "/vault/secret", "./" + base + "/vault/secret", base + "/pub/../vault/secret", "~/" + base + "/vault/secret", dir + "/vault/secret"} {
		for what, args := range map[string][]string{
			"download": {g.key.Login + "@weir:" + name, taken}, "download of the directory": {"-r", g.key.Login + "@weir:" + filepath.Dir(name), taken},
			"upload": {dir + "/pub/file", g.key.Login + "@weir:" + name},
		} {
			got := g.with(t, &g.key, "", "scp", append([]string{"-O", "-F", g.conf}, args...)...)
			if b, _ := os.ReadFile(taken); got.code == 0 || len(b) > 0 || exists(taken+"/secret") || !strings.Contains(got.err, "rule vault") {
				t.Errorf("%s of %s: %+v %q", what, name, got, b)
			}
			_ = os.RemoveAll(taken)
		}
	}
	// Two files of one name, of which one may be read.
	write(t, dir+"/pub/secret", "public, too\n")
	session, err := g.dial(t, &g.key).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	session.Stdin = strings.NewReader(strings.Repeat("\x00", 20))
	out, _ := session.CombinedOutput("scp -f " + dir + "/pub/secret " + dir + "/vault/secret")
	if strings.Contains(string(out), "the content") || !strings.Contains(string(out), "rule vault") {
		t.Errorf("one of two: %q", out)
	}
	got := g.with(t, &g.key, "", "scp", "-O", "-r", "-F", g.conf, g.key.Login+"@weir:"+base+"/*", g.dir+"/")
	if got.code == 0 || exists(g.dir+"/vault/secret") || !exists(g.dir+"/pub/file") || !strings.Contains(got.err, "rule vault") {
		t.Errorf("by a pattern: %+v", got)
	}
	if b, err := os.ReadFile(dir + "/vault/secret"); string(b) != "the content of it\n" {
		t.Errorf("%q %v", b, err)
	}
	for _, name := range []string{base + "/pub/file", "~/" + base + "/pub/file"} {
		if got := g.with(t, &g.key, "", "scp", "-O", "-F", g.conf, g.key.Login+"@weir:"+name, taken); got.code != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if t.Failed() {
		t.Log(g.log, g.target.log)
	}
}
