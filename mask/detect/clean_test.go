package detect_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCleanTextStaysClean reads the source of Go's standard library without its tests, and what WEIR_CLEAN names (directories with ":" between):
// of 64 MB of it, one value may be taken for a secret. What stands in it that is written as credentials are, examples in comments and a key, is not
// counted.
func TestCleanTextStaysClean(t *testing.T) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs := []string{filepath.Join(strings.TrimSpace(string(out)), "src")}
	more := os.Getenv("WEIR_CLEAN")
	if more != "" {
		dirs = append(dirs, strings.Split(more, ":")...)
	}
	s := newSet(t)
	total, wrong, shown := 0, 0, 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && (e.Name() == "testdata" || e.Name() == ".git"):
				return fs.SkipDir
			case !e.Type().IsRegular() || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			b, err := os.ReadFile(path)
			if err != nil || bytes.IndexByte(b[:min(len(b), 8192)], 0) >= 0 {
				return err
			}
			total += len(b)
			for from := 0; ; {
				found, safe := s.Find(nil, b, from, true)
				for _, f := range found {
					switch f.Rule.Kind {
					case "url-password", "basic-auth", "private-key", "private-key-der":
						continue
					}
					if wrong++; shown < 200 {
						shown++
						t.Logf("%s: %s %q in %q", path, f.Rule.Kind, b[f.Start:min(f.End, f.Start+80)], b[max(0, f.Start-60):f.Start])
					}
				}
				if safe <= from || safe == len(b) {
					return nil
				}
				from = safe
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const each = 64 << 20
	t.Logf("%d MB, %d masks", total>>20, wrong)
	if more == "" && wrong > max(1, total/each) {
		t.Errorf("%d masks in %d MB of clean text, want at most one in 64", wrong, total>>20)
	}
}
