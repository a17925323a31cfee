package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir"
)

// ran is what a command left behind.
type ran struct {
	out, err string
	code     int
}

// maskIn runs weir mask in a directory.
func maskIn(t *testing.T, dir, stdin string, args ...string) ran {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"mask"}, args...)...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	return finish(t, cmd)
}

func finish(t *testing.T, cmd *exec.Cmd) ran {
	t.Helper()
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{out.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// plant writes files, whose directories are made.
func plant(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMaskCommand(t *testing.T) {
	got := maskIn(t, t.TempDir(), "DB_PASSWORD=hunter2\ncorp_ticket: abc1\nPATH=/bin\n", "--summary", "--exit-code", "3", "--field", "corp_ticket")
	if got.code != 3 {
		t.Errorf("ended with %d: %s", got.code, got.err)
	}
	if strings.Contains(got.out, "hunter2") || strings.Contains(got.out, "abc1") || !strings.HasSuffix(got.out, "\nPATH=/bin\n") {
		t.Errorf("%q", got.out)
	}
	if strings.TrimSpace(got.err) != "2 field" {
		t.Errorf("%q", got.err)
	}
}

func TestMaskByAConfiguration(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, map[string]string{
		"weir.yaml": "mask:\n  fields: [corp_ticket]\n  detectors:\n    disable: [url-password]\n    custom:\n    - {name: acme-token, regex: 'acme_[a-z0-9]{16}'}\n",
		"bad.yaml":  "mask:\n  detectors:\n    custom:\n    - {name: acme-token, regex: '('}\n",
	})
	const in = "see acme_0a1b2c3d4e5f6g7h\ncorp_ticket: abc1\n"
	if got := maskIn(t, dir, in); !strings.Contains(got.out, "acme_0a1b") || !strings.Contains(got.out, "abc1") {
		t.Errorf("without the configuration: %q", got.out)
	}
	got := maskIn(t, dir, in, "--config", "weir.yaml")
	if got.code != 0 || !strings.HasPrefix(got.out, "see [masked:acme-token:") || strings.Contains(got.out, "abc1") {
		t.Errorf("%d %q %s", got.code, got.out, got.err)
	}
	if got := maskIn(t, dir, in, "--config", "bad.yaml"); got.code != 2 || !strings.Contains(got.err, "bad.yaml:4") || got.out != "" {
		t.Errorf("%d %q %s", got.code, got.out, got.err)
	}
	if got := maskIn(t, dir, in, "--config", "none.yaml"); got.code != 2 || !strings.Contains(got.err, "does not exist") {
		t.Errorf("%d %s", got.code, got.err)
	}
}

func TestMaskExitCodes(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, map[string]string{"clean": "x\n", "dirty": "password=hunter2\n", "tree/a/dirty": "password=hunter2\n", "tree/b": "x\n", "calm/b": "x\n"})
	for name, c := range map[string]struct {
		args []string
		want int
		says string // one sentence on standard error
	}{
		"clean":               {[]string{"clean", "--exit-code", "7"}, 0, ""},
		"dirty, none wanted":  {[]string{"dirty"}, 0, ""},
		"dirty":               {[]string{"clean", "dirty", "clean", "--exit-code", "7"}, 7, ""},
		"tree":                {[]string{"tree", "--exit-code", "7"}, 7, ""},
		"calm tree":           {[]string{"calm", "--exit-code", "7"}, 0, ""},
		"missing":             {[]string{"clean", "nope"}, 2, "weir: there is no file or directory nope\n"},
		"directory":           {[]string{"tree"}, 2, "weir: tree is a directory: say --report json to list its secrets, or --to DIR to write masked copies\n"},
		"format":              {[]string{"--format", "cobol", "clean"}, 2, "weir: --format must be one of"},
		"report":              {[]string{"--report", "pdf", "clean"}, 2, "weir: --report must be one of"},
		"detector":            {[]string{"--disable", "nonsense", "clean"}, 2, "weir: mask: detect: there is no detector \"nonsense\" to disable\n"},
		"exit code":           {[]string{"--exit-code", "126", "clean"}, 2, "weir: --exit-code is a number from 0 to 125\n"},
		"report file":         {[]string{"--report-file", "nope/r", "clean"}, 2, "weir: the report cannot be written: no such file or directory\n"},
		"copies under a file": {[]string{"--to", "clean/x", "dirty"}, 2, "weir: masked copies cannot be written: not a directory\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := maskIn(t, dir, "", c.args...)
			if got.code != c.want || !strings.HasPrefix(got.err, c.says) || strings.Count(got.err, "\n") > 1 || (got.err != "") != (c.says != "") {
				t.Errorf("%d, %q", got.code, got.err)
			}
			if strings.Contains(got.out, "hunter2") {
				t.Errorf("%q", got.out)
			}
			if got.code == 2 && got.out != "" {
				t.Errorf("a usage error after output: %q", got.out)
			}
		})
	}
}

// TestMaskStreams writes a line only when the one before has come out.
func TestMaskStreams(t *testing.T) {
	for name, args := range map[string][]string{"text": nil, "report": {"--report", "json"}} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(binary, append([]string{"mask"}, args...)...)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			stuck := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
			defer stuck.Stop()
			lines := bufio.NewReader(out)
			for i := range 5 {
				if _, err := fmt.Fprintf(in, "password=hunter%d\n", i); err != nil {
					t.Fatal(err)
				}
				line, err := lines.ReadString('\n')
				if err != nil || strings.Contains(line, "hunter") || !strings.Contains(line, "field") {
					t.Fatalf("line %d: %q, %v", i, line, err)
				}
			}
			_ = in.Close()
			if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
				t.Errorf("%q, %v", rest, err)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// findings reads a report and cuts its findings out of the files.
func findings(t *testing.T, dir, report string) (cut []string) {
	t.Helper()
	for line := range strings.Lines(report) {
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		var f weir.Finding
		if err := dec.Decode(&f); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		text, err := os.ReadFile(filepath.Join(dir, f.File))
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind == "" || f.Rule == "" || len(f.Fingerprint) != 8 {
			t.Errorf("%q", line)
		}
		cut = append(cut, f.File+":"+fmt.Sprint(f.Line)+" "+string(text[f.Start:f.End]))
	}
	return cut
}

func TestMaskReportsATree(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, map[string]string{
		"t/.env": "# x\nDB_PASSWORD=hunter2\n", "t/b/c.json": "{\"n\":1,\n\"password\":\"hunter3\", \"pin_secret\": 12345678}\n", "t/b/a.log": "url=http://u:hunter4@h/\n",
		"t/.git/config": "password=hunter5\n", "t/bin": "\x7fELF\x00password=hunter6\n", "outside": "password=hunter7\n", "t/clean": "x\n",
		"t/wide.txt": "\xff\xfep\x00a\x00s\x00s\x00w\x00o\x00r\x00d\x00=\x00a\x00b\x00c\x009\x00\n\x00",
	})
	if err := os.Symlink("../outside", filepath.Join(dir, "t/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(dir, "t/round")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "t/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := maskIn(t, dir, "", "--report", "json", "--summary", "--exit-code", "4", "t", "outside")
	want := "t/.env:2 hunter2|t/b/a.log:1 hunter4|t/b/c.json:2 hunter3|t/b/c.json:2 12345678|t/wide.txt:1 a\x00b\x00c\x009\x00|outside:1 hunter7"
	if cut := strings.Join(findings(t, dir, got.out), "|"); cut != want || got.code != 4 {
		t.Errorf("%d\n got %q\nwant %q", got.code, cut, want)
	}
	if strings.Contains(got.out, "hunter") || strings.Contains(got.out, "12345678") {
		t.Error("the report has values in it")
	}
	if want := "     5 field\n     1 url-password\n     1 binary files were left out\n"; got.err != want {
		t.Errorf("%q", got.err)
	}
	beside := maskIn(t, dir, "x\npassword=hunter8\n", "--report-file", "r", "-", "outside")
	report, err := os.ReadFile(filepath.Join(dir, "r"))
	if err != nil || strings.Contains(string(report), "hunter") || strings.Count(string(report), "\n") != 2 || !strings.HasPrefix(string(report), `{"file":"-","start":11,"end":18,"line":2,`) {
		t.Errorf("%v, %q", err, report)
	}
	if !strings.HasPrefix(beside.out, "x\npassword=[masked:field:") || strings.Contains(beside.out, "hunter") {
		t.Errorf("%q", beside.out)
	}
}

func TestMaskWritesCopies(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, map[string]string{"t/.env": "DB_PASSWORD=hunter2\n", "t/b/run.sh": "x\n", "t/bin": "\x00password=hunter6\n", "one": "password=hunter7\n"})
	if err := os.Chmod(filepath.Join(dir, "t/b/run.sh"), 0o750); err != nil {
		t.Fatal(err)
	}
	// The copies go below the tree itself: they must not be copied again.
	got := maskIn(t, dir, "", "t", "one", "--to", "t/masked")
	if got.code != 0 || got.out != "" || got.err != "     1 binary files were left out\n" {
		t.Errorf("%+v", got)
	}
	var names []string
	_ = filepath.WalkDir(filepath.Join(dir, "t/masked"), func(path string, d fs.DirEntry, _ error) error {
		if d.Type().IsRegular() {
			rel, _ := filepath.Rel(filepath.Join(dir, "t/masked"), path)
			info, _ := d.Info()
			text, _ := os.ReadFile(path)
			if strings.Contains(string(text), "hunter") {
				t.Errorf("%s: %q", path, text)
			}
			names = append(names, fmt.Sprintf("%s %o %d", rel, info.Mode().Perm(), len(text)))
		}
		return nil
	})
	if got := strings.Join(names, "|"); got != ".env 644 36|b/run.sh 750 2|one 644 33" {
		t.Errorf("%q", got)
	}
	again := maskIn(t, dir, "", "one", "--to", "t/masked")
	if again.code != 1 || again.err != "weir: one: its copy is there already; nothing is overwritten\n" {
		t.Errorf("%+v", again)
	}
}

// TestMaskGoesOnBehindWhatItMayNotRead runs as somebody who may not read all of it.
func TestMaskGoesOnBehindWhatItMayNotRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	plant(t, dir, map[string]string{"t/a": "password=hunter2\n", "t/b": "password=hunter3\n", "t/c/d": "password=hunter4\n", "t/e": "password=hunter5\n", "weir": string(program)})
	for name, mode := range map[string]fs.FileMode{".": 0o755, "weir": 0o755, "t/b": 0, "t/c": 0} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "t/c"), 0o755) })
	as := func(args ...string) ran {
		cmd := exec.Command(filepath.Join(dir, "weir"), append([]string{"mask"}, args...)...)
		cmd.Dir = dir
		if os.Getuid() == 0 { // who may read everything
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}}
		}
		return finish(t, cmd)
	}
	got := as("--report", "json", "--exit-code", "4", "t")
	if got.code != 1 || got.err != "weir: t/b: permission denied\nweir: t/c: permission denied\n" {
		t.Errorf("%+v", got)
	}
	if cut := strings.Join(findings(t, dir, got.out), "|"); cut != "t/a:1 hunter2|t/e:1 hunter5" {
		t.Error(cut)
	}
	if got := as("--report", "json", "t/c"); got.code != 2 || got.err != "weir: t/c cannot be read: permission denied\n" {
		t.Errorf("%+v", got)
	}
	if got := as("t/b", "t/e"); got.code != 1 || got.err != "weir: t/b: permission denied\n" || !strings.HasPrefix(got.out, "password=[masked:field:") {
		t.Errorf("%+v", got)
	}
}
