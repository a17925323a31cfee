package journal

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// withTail opens a journal and has it make its tail file.
func withTail(t testing.TB, dir string) *Journal {
	t.Helper()
	probe := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openDirect(probe)
	if err != nil {
		t.Skipf("the file system cannot write past its cache: %v", err)
	}
	f.close()
	opt := testOptions(dir)
	opt.GroupDelay = 50 * time.Microsecond
	j := mustOpen(t, opt)
	for n, end := 0, time.Now().Add(time.Minute); time.Now().Before(end); n++ {
		mustAppend(t, j, fmt.Sprint("to begin with ", n))
		if err := j.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
		if j.hasTail() {
			return j
		}
		if n > tailAfter {
			time.Sleep(time.Millisecond)
		}
	}
	t.Fatal("the journal makes no tail file")
	return nil
}

func (j *Journal) hasTail() bool {
	j.commitMu.Lock()
	defer j.commitMu.Unlock()
	return j.tail.f != nil && j.tail.of != nil
}

// powerLoss returns a copy of a live journal's directory in which the segments have no more than was synced in them, and up to which sequence number the
// journal had said that all was on the disk.
func powerLoss(t testing.TB, j *Journal) (dir string, durable uint64) {
	t.Helper()
	j.commitMu.Lock() // nothing becomes durable in between
	defer j.commitMu.Unlock()
	j.mu.Lock()
	durable = j.durable
	j.mu.Unlock()
	dir = crash(t, j.opt.Dir)
	files, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		synced := decodeSynced(b)
		clear(b[synced:])
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, durable
}

// reopened returns what callers appended to the journal that is left in dir.
func reopened(t testing.TB, dir string) []string {
	t.Helper()
	j, err := Open(testOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	return payloads(t, j)
}

// TestPowerLossLosesNothingThatWasSynced loses the power again and again while much is appended. What the journal said to be on the disk must be there.
func TestPowerLossLosesNothingThatWasSynced(t *testing.T) {
	j := withTail(t, t.TempDir())
	stop, done := make(chan struct{}), make(chan struct{})
	var pause sync.Mutex // held while a loss is looked into
	go func() {
		defer close(done)
		r := rand.New(rand.NewPCG(1, 2))
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			pause.Lock()
			pause.Unlock() //nolint:staticcheck // to wait is all
			size := r.IntN(300)
			if n%100 == 0 {
				size = 20_000
			}
			if _, err := j.Append(1, time.Unix(1, int64(n)), []byte(fmt.Sprintf("%d %s", n, strings.Repeat("x", size)))); err != nil {
				t.Error(err)
				return
			}
			if n%3 == 0 {
				time.Sleep(20 * time.Microsecond)
			}
		}
	}()
	needed := 0
	const rounds = 15
	for round := range rounds {
		time.Sleep(time.Duration(round%7) * time.Millisecond)
		dir, durable := powerLoss(t, j)
		pause.Lock()
		without := crash(t, dir)
		if err := os.Remove(filepath.Join(without, TailFile)); err != nil {
			t.Fatal(err)
		}
		got := reopened(t, dir)
		back, err := Open(testOptions(dir))
		if err != nil {
			t.Fatal(err)
		}
		r := back.NewReader(Position{})
		var e Entry
		last := uint64(0)
		for r.Next(&e) == nil && e.Seq <= durable {
			last = e.Seq
			if e.Kind == Recovery {
				t.Errorf("entry %d says that something was lost, and up to %d all was on the disk", e.Seq, durable)
			}
		}
		_ = r.Close()
		_ = back.Close()
		if last != durable {
			t.Fatalf("up to entry %d all was on the disk, and %d are there", durable, last)
		}
		if _, err := os.Stat(filepath.Join(dir, TailFile)); err == nil {
			t.Error("the file is still there once its content is in the segments")
		}
		if len(reopened(t, without)) < len(got) {
			needed++
		}
		pause.Unlock()
	}
	close(stop)
	<-done
	if needed < rounds/4 {
		t.Errorf("the tail file was needed %d times of %d: the test shows nothing", needed, rounds)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(j.opt.Dir, TailFile)); err == nil {
		t.Error("a journal that was closed needs no tail file")
	}
}

// filled is a journal with entries of which the last few are in the tail file only, once the power is lost.
func filled(t *testing.T) (dir string, whole []string) {
	t.Helper()
	j := withTail(t, t.TempDir())
	for n := range 5 {
		mustAppend(t, j, fmt.Sprint("in the tail file ", n))
		if err := j.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	dir, _ = powerLoss(t, j)
	return dir, payloads(t, j)
}

func TestTailFileIsOfItsSegments(t *testing.T) {
	dir, whole := filled(t)
	foreign := filepath.Join(t.TempDir(), "other")
	j := mustOpen(t, testOptions(foreign))
	mustAppend(t, j, "of another journal")
	live := crash(t, foreign)
	b, err := os.ReadFile(filepath.Join(dir, TailFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(live, TailFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := reopened(t, live); len(got) != 1 || got[0] != "of another journal" {
		t.Errorf("got %q: the tail file is not of that journal", got)
	}
	if got := reopened(t, dir); len(got) != len(whole) {
		t.Fatalf("%d of %d entries came back", len(got), len(whole))
	}
	// The file is of segments that have their ends now.
	if err := os.WriteFile(filepath.Join(dir, TailFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := reopened(t, dir); len(got) != len(whole) {
		t.Errorf("%d of %d entries are there", len(got), len(whole))
	}
}

func TestTornTailFile(t *testing.T) {
	dir, whole := filled(t)
	path := filepath.Join(dir, TailFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for at := 0; at < len(b); at += tailBlock {
		if string(b[at:at+8]) == tailMagic {
			last = at
		}
	}
	for name, tear := range map[string]func(b []byte) []byte{
		"a byte of the part":      func(b []byte) []byte { b[last+tailHeader+5] ^= 1; return b },
		"a byte of the header":    func(b []byte) []byte { b[last+33] ^= 1; return b },
		"a length beyond the end": func(b []byte) []byte { binary.LittleEndian.PutUint32(b[last+28:], 1<<31); return b },
		"cut in the last record":  func(b []byte) []byte { return b[:last+100] },
	} {
		torn := crash(t, dir)
		if err := os.WriteFile(filepath.Join(torn, TailFile), tear(append([]byte(nil), b...)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := reopened(t, torn); len(got) != len(whole)-1 {
			t.Errorf("%s: %d of %d entries, want all but the last", name, len(got), len(whole))
		}
	}
}

func TestJournalDoesWithoutATailFile(t *testing.T) {
	dir := t.TempDir()
	opt := testOptions(dir)
	opt.GroupDelay = 50 * time.Microsecond
	j := mustOpen(t, opt)
	if err := os.Mkdir(filepath.Join(dir, TailFile), 0o700); err != nil { // in its way
		t.Fatal(err)
	}
	for n := range 3 * tailAfter {
		mustAppend(t, j, fmt.Sprint(n))
		if err := j.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if j.hasTail() {
		t.Fatal("there is one")
	}
	if err := os.Remove(filepath.Join(dir, TailFile)); err != nil {
		t.Fatal(err)
	}
	copied, durable := powerLoss(t, j)
	if got := reopened(t, copied); len(got) != 3*tailAfter {
		t.Errorf("%d entries are there, %d were synced (up to %d)", len(got), 3*tailAfter, durable)
	}
}
