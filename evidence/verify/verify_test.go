package verify_test

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/evidence/journal"
	"weir/evidence/verify"
)

// written makes a journal of several segments and returns its directory.
func written(t *testing.T, n int) (dir string, key ed25519.PublicKey, line string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "j")
	pub, priv, _ := ed25519.GenerateKey(nil)
	j, err := journal.Open(journal.Options{Dir: dir, Signer: priv, Now: time.Now, SegmentBytes: 64 << 10, CheckpointEntries: 20})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := j.Append(1, time.Now(), []byte(fmt.Sprintf("entry %d %s", i, strings.Repeat("x", 100)))); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			if err := j.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, pub, j.Checkpoint()
}

func check(t *testing.T, dir string, key ed25519.PublicKey, line string) *verify.Report {
	t.Helper()
	r, err := verify.Dir(dir, key, verify.Options{Checkpoint: line})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGoodJournal(t *testing.T) {
	dir, key, line := written(t, 2000)
	r := check(t, dir, key, line)
	if !r.OK() || r.Segments < 3 || r.Entries < 2000 || r.Unsigned != 0 || !r.Sealed || r.Statements < 10 || len(r.Notes) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestLiveJournal(t *testing.T) {
	dir := t.TempDir()
	pub, priv, _ := ed25519.GenerateKey(nil)
	j, err := journal.Open(journal.Options{Dir: dir, Signer: priv, Now: time.Now, SegmentBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = j.Append(1, time.Now(), []byte("while it is verified"))
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	for range 50 {
		if r := check(t, dir, pub, ""); !r.OK() {
			t.Fatalf("%+v", r)
		}
	}
	close(stop)
	<-done
}

// TestEveryByteCounts flips bytes all over the journal: each must be found.
func TestEveryByteCounts(t *testing.T) {
	dir, key, _ := written(t, 60)
	files, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(b); at += 61 {
			if at >= 128 && at < 136 {
				continue // a hint for recovery; no evidence
			}
			b[at] ^= 0x20
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if check(t, dir, key, "").OK() {
				t.Fatalf("a change of byte %d of %s is not found", at, path)
			}
			b[at] ^= 0x20
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := check(t, dir, key, ""); !r.OK() {
		t.Fatalf("%+v", r)
	}
}

// offsets lists where the entries of a segment begin.
func offsets(b []byte) []int {
	var out []int
	for at := 256; at+4 <= len(b) && binary.LittleEndian.Uint32(b[at:]) != 0; at += int(binary.LittleEndian.Uint32(b[at:])) {
		out = append(out, at)
	}
	return out
}

func TestTampering(t *testing.T) {
	for name, do := range map[string]func(t *testing.T, dir string){
		"last segment removed":  func(t *testing.T, dir string) { remove(t, dir, -1) },
		"first segment removed": func(t *testing.T, dir string) { remove(t, dir, 0) },
		"middle segment removed": func(t *testing.T, dir string) {
			remove(t, dir, 1)
		},
		"segments exchanged": func(t *testing.T, dir string) {
			a, b := filepath.Join(dir, "00000001.seg"), filepath.Join(dir, "00000002.seg")
			for _, m := range [][2]string{{a, a + "x"}, {b, a}, {a + "x", b}} {
				if err := os.Rename(m[0], m[1]); err != nil {
					t.Fatal(err)
				}
			}
		},
		"entry dropped": func(t *testing.T, dir string) {
			change(t, dir, func(b []byte, at []int) []byte { return append(b[:at[3]:at[3]], b[at[4]:]...) })
		},
		"entries reordered": func(t *testing.T, dir string) {
			change(t, dir, func(b []byte, at []int) []byte {
				out := append([]byte{}, b[:at[3]]...)
				out = append(out, b[at[4]:at[5]]...)
				out = append(out, b[at[3]:at[4]]...)
				return append(out, b[at[5]:]...)
			})
		},
		"cut off": func(t *testing.T, dir string) {
			change(t, dir, func(b []byte, at []int) []byte { return b[:at[len(at)-40]] })
		},
		"checkpoint removed": func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "checkpoint")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, key, _ := written(t, 2000)
			do(t, dir)
			if r := check(t, dir, key, ""); r.OK() {
				t.Errorf("not found: %+v", r)
			}
		})
	}
}

func remove(t *testing.T, dir string, i int) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	if i < 0 {
		i += len(files)
	}
	if err := os.Remove(files[i]); err != nil {
		t.Fatal(err)
	}
}

// change rewrites the last segment.
func change(t *testing.T, dir string, f func(b []byte, at []int) []byte) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	path := files[len(files)-1]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(b, offsets(b)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOldCheckpointCannotHideACut cuts a journal off behind an older signature and puts that one's line in place of the newest: nobody
// can tell from the directory alone, but a line that was kept elsewhere shows it.
func TestOldCheckpointCannotHideACut(t *testing.T) {
	dir, key, line := written(t, 300)
	path := filepath.Join(dir, "00000001.seg")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at, keep := offsets(b), 0
	for i, o := range at[:len(at)-50] {
		if b[o+4] == 240 {
			keep = i
		}
	}
	if keep == 0 {
		t.Fatal("the journal holds no signature to cut behind")
	}
	o, p := at[keep], b[at[keep]+28:]
	u64 := func(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
	older := fmt.Sprintf("weir-checkpoint-1 %03d %x %08d %010d %020d %020d %020d %x %x\n",
		b[o+4], b[16:32], u64(b[32:]), o, u64(b[o+8:]), u64(b[o+16:]), u64(p), p[8:40], p[40:104])
	if err := os.WriteFile(path, b[:at[keep+1]], 0o600); err != nil {
		t.Fatal(err)
	}
	if check(t, dir, key, "").OK() {
		t.Error("the newest checkpoint does not count")
	}
	if err := os.WriteFile(filepath.Join(dir, "checkpoint"), []byte(older), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := check(t, dir, key, ""); !r.OK() {
		t.Errorf("the forged directory is not what the test means: %+v", r.Problems)
	}
	if r := check(t, dir, key, line); r.OK() {
		t.Errorf("the line kept elsewhere does not count: %+v", r)
	}
}

func TestOtherKey(t *testing.T) {
	dir, _, _ := written(t, 10)
	other, _, _ := ed25519.GenerateKey(nil)
	if r := check(t, dir, other, ""); r.OK() {
		t.Error("another key verifies it")
	}
	if _, err := verify.Dir(filepath.Join(dir, "none"), other, verify.Options{}); err == nil {
		t.Error("no directory, no error")
	}
}
