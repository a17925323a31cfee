package journal

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir"
)

func testKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
}

func testClock() func() time.Time {
	var mu sync.Mutex
	t := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		t = t.Add(time.Millisecond)
		return t
	}
}

func testOptions(dir string) Options {
	return Options{Dir: dir, Signer: testKey(), Now: testClock(), SegmentBytes: minSegmentBytes}
}

func mustOpen(t testing.TB, opt Options) *Journal {
	t.Helper()
	j, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func mustAppend(t testing.TB, j *Journal, payload string) Position {
	t.Helper()
	p, err := j.Append(1, time.Unix(1, 2), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// payloads returns what callers appended, in order, and checks that sequence numbers have no gap.
func payloads(t testing.TB, j *Journal) []string {
	t.Helper()
	r := j.NewReader(Position{})
	defer func() { _ = r.Close() }()
	var out []string
	var e Entry
	for seq := uint64(1); ; seq++ {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq != seq {
			t.Fatalf("sequence number %d where %d should be", e.Seq, seq)
		}
		if e.Kind <= maxCallerKind {
			out = append(out, string(e.Payload))
		}
	}
}

// crash returns a copy of a live journal's directory: what a process that is killed now leaves behind.
func crash(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(e.Name(), ".tmp") {
			continue // the segment that is made ahead has got its name meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func wantPublic(t *testing.T, err error, parts ...string) {
	t.Helper()
	var e *weir.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want a *weir.Error", err)
	}
	for _, p := range parts {
		if !strings.Contains(e.Public, p) {
			t.Errorf("public text %q does not say %q", e.Public, p)
		}
	}
}

func TestAppendAndReadAcrossSegmentsAndRestarts(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for round := range 3 {
		j := mustOpen(t, testOptions(dir))
		if j.Recovery().Unclean {
			t.Fatalf("round %d: unclean after Close", round)
		}
		for i := range 700 {
			s := fmt.Sprintf("%d/%d %s", round, i, strings.Repeat("x", i))
			want = append(want, s)
			pos := mustAppend(t, j, s)
			r := j.NewReader(pos)
			var e Entry
			if err := r.Next(&e); err != nil || string(e.Payload) != s || e.Position != pos || !e.Time.Equal(time.Unix(1, 2)) {
				t.Fatalf("read back %v %q: %v", e.Position, e.Payload, err)
			}
			_ = r.Close()
		}
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, payloads(t, j)); d != "" {
			t.Fatal(d)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatalf("second Close: %v", err)
		}
		if _, err := j.Append(1, time.Time{}, nil); !errors.Is(err, ErrClosed) {
			t.Fatalf("Append after Close: %v", err)
		}
	}
	for i := 1; ; i++ {
		info, err := os.Stat(filepath.Join(dir, segmentName(uint32(i))))
		if err != nil {
			if i < 10 {
				t.Fatalf("only %d segments", i-1)
			}
			break
		}
		if info.Size() > minSegmentBytes {
			t.Errorf("segment %d has %d bytes", i, info.Size())
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOpenAndCloseWithoutEntriesLeavesNoSegments(t *testing.T) {
	dir := t.TempDir()
	for range 5 {
		if err := mustOpen(t, testOptions(dir)).Close(); err != nil {
			t.Fatal(err)
		}
	}
	segs, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	if len(segs) != 1 { // the first holds the first checkpoint
		t.Fatalf("segments %v", segs)
	}
}

func TestAppendRefusesWhatItCannotKeep(t *testing.T) {
	j := mustOpen(t, testOptions(t.TempDir()))
	for _, k := range []Kind{0, Checkpoint, Seal, Recovery, 255} {
		if _, err := j.Append(k, time.Time{}, nil); err == nil {
			t.Errorf("kind %d was taken", k)
		}
	}
	if _, err := j.Append(1, time.Time{}, make([]byte, j.MaxPayload()+1)); err == nil {
		t.Error("too long a payload was taken")
	}
	if _, err := j.Append(1, time.Time{}, make([]byte, j.MaxPayload())); err != nil {
		t.Errorf("the longest payload: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	ok := testOptions(t.TempDir())
	for name, spoil := range map[string]func(*Options){
		"no dir":    func(o *Options) { o.Dir = "" },
		"no signer": func(o *Options) { o.Signer = nil },
		"no clock":  func(o *Options) { o.Now = nil },
		"tiny":      func(o *Options) { o.SegmentBytes = 10 },
		"huge":      func(o *Options) { o.SegmentBytes = 1 << 40 },
		"negative":  func(o *Options) { o.CheckpointEvery = -1 },
	} {
		opt := ok
		spoil(&opt)
		if j, err := Open(opt); err == nil {
			_ = j.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, testOptions(dir))
	_, err := Open(testOptions(dir))
	wantPublic(t, err, "Another weir process", dir, "data_dir")
}

func TestAnotherKeyIsRefused(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, testOptions(dir))
	_ = j.Close()
	opt := testOptions(dir)
	opt.Signer = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	_, err := Open(opt)
	wantPublic(t, err, "signed with another key", dir)
}

func TestDirectoryThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(testOptions(file))
	wantPublic(t, err, file, "not a directory")

	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err = Open(testOptions(filepath.Join(dir, "journal")))
	wantPublic(t, err, "cannot be written", dir)
}

func TestErrorsOfTheSystemAreWorded(t *testing.T) {
	for want, errno := range map[string]error{
		"cannot be written": syscall.EROFS, "no room": syscall.ENOSPC, "not a directory": syscall.ENOTDIR, "cannot be used": syscall.EIO,
	} {
		wantPublic(t, fileError("/data/journal", &os.PathError{Op: "open", Path: "/data/journal", Err: errno}), want, "/data/journal")
	}
}

func TestFullDiskDeniesAndComesBack(t *testing.T) {
	opt := testOptions(t.TempDir())
	var full bool
	var mu sync.Mutex
	opt.Allocate = func(f *os.File, size int64) error {
		mu.Lock()
		defer mu.Unlock()
		if full {
			return &os.PathError{Op: "fallocate", Path: f.Name(), Err: syscall.ENOSPC}
		}
		return allocate(f, size)
	}
	j := mustOpen(t, opt)
	mu.Lock()
	full = true
	mu.Unlock()
	var err error
	kept := 0
	for range 1000 {
		if _, err = j.Append(1, time.Time{}, make([]byte, 1000)); err != nil {
			break
		}
		kept++
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("a full disk gave %v after %d entries", err, kept)
	}
	wantPublic(t, err, "Nothing is let through")
	var werr *weir.Error
	if !errors.As(err, &werr) || strings.Contains(werr.Public, j.Dir()) {
		t.Error("the public text names the directory")
	}
	if err := j.Sync(t.Context()); err != nil {
		t.Fatalf("what was taken before cannot be synced: %v", err)
	}
	mu.Lock()
	full = false
	mu.Unlock()
	mustAppend(t, j, "again")
	if got := payloads(t, j); len(got) != kept+1 || got[kept] != "again" {
		t.Fatalf("%d entries, want %d", len(got), kept+1)
	}
}

func TestFullDiskAtOpen(t *testing.T) {
	opt := testOptions(t.TempDir())
	opt.Allocate = func(*os.File, int64) error { return syscall.ENOSPC }
	_, err := Open(opt)
	wantPublic(t, err, "no room", opt.Dir)
	opt.Allocate = nil
	mustOpen(t, opt) // the lock was let go
}

func TestFileCutUnderTheMappingDenies(t *testing.T) {
	j := mustOpen(t, testOptions(t.TempDir()))
	if err := os.Truncate(filepath.Join(j.Dir(), segmentName(1)), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(1, time.Time{}, []byte("x")); !errors.Is(err, errFault) {
		t.Fatalf("Append returned %v", err)
	}
	if _, err := j.Append(1, time.Time{}, []byte("x")); err == nil {
		t.Fatal("the journal went on after a fault")
	}
}

func TestSignerThatFailsDenies(t *testing.T) {
	opt := testOptions(t.TempDir())
	j := mustOpen(t, opt)
	j.mu.Lock()
	j.opt.Signer = badSigner{testKey()}
	j.mu.Unlock()
	var err error
	for range 1000 {
		if _, err = j.Append(1, time.Time{}, make([]byte, 1000)); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("segments were sealed without a signature")
	}
}

type badSigner struct{ ed25519.PrivateKey }

func (badSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no")
}

func TestRecoveryOfATornTail(t *testing.T) {
	j := mustOpen(t, testOptions(t.TempDir()))
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprint("entry ", i))
		mustAppend(t, j, want[i])
	}
	end, _ := j.End()
	dir := crash(t, j.Dir())
	f, err := os.OpenFile(filepath.Join(dir, segmentName(1)), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	torn := bytes.Repeat([]byte{0xa5}, 77)
	binary.LittleEndian.PutUint32(torn, 1000)
	if _, err := f.WriteAt(torn, end.Offset); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()

	k := mustOpen(t, testOptions(dir))
	rec := k.Recovery()
	if !rec.Unclean || rec.Segment != 1 || rec.Offset != end.Offset || rec.BytesDropped != 77 || rec.EntriesDropped != 0 || rec.EntriesKept != 51 {
		t.Errorf("recovery %+v", rec)
	}
	mustAppend(t, k, "after")
	if d := cmp.Diff(append(want, "after"), payloads(t, k)); d != "" {
		t.Error(d)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if l := mustOpen(t, testOptions(dir)); l.Recovery().Unclean {
		t.Errorf("unclean after recovery and Close: %+v", l.Recovery())
	}
}

// After a power loss pages that were not synced may be there in any selection.
func TestRecoveryAfterPowerLoss(t *testing.T) {
	opt := testOptions(t.TempDir())
	opt.GroupDelay = time.Hour
	opt.CheckpointEvery = time.Hour
	j := mustOpen(t, opt)
	mustAppend(t, j, "one")
	if err := j.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	pos := mustAppend(t, j, "two")
	mustAppend(t, j, "three")
	dir := crash(t, j.Dir())
	flip(t, filepath.Join(dir, segmentName(1)), pos.Offset+entryHeader)
	k := mustOpen(t, testOptions(dir))
	if rec := k.Recovery(); rec.EntriesDropped != 1 || rec.BytesDropped == 0 {
		t.Errorf("recovery %+v", rec)
	}
	if d := cmp.Diff([]string{"one"}, payloads(t, k)); d != "" {
		t.Error(d)
	}
}

func TestPowerLossBetweenSegments(t *testing.T) {
	opt := testOptions(t.TempDir())
	opt.GroupDelay = time.Hour
	opt.CheckpointEvery = time.Hour
	j := mustOpen(t, opt)
	pos := mustAppend(t, j, "kept")
	for p := pos; p.Segment == 1; {
		pos = p
		p = mustAppend(t, j, strings.Repeat("x", 999))
	}
	dir := crash(t, j.Dir())
	if err := os.Truncate(filepath.Join(dir, segmentName(1)), pos.Offset+100); err != nil {
		t.Fatal(err)
	}
	k := mustOpen(t, testOptions(dir))
	rec := k.Recovery()
	if len(rec.SegmentsLost) != 1 || rec.EntriesDropped != 1 {
		t.Errorf("recovery %+v", rec)
	}
	if got := payloads(t, k); got[0] != "kept" || len(got) != int(rec.EntriesKept)-1 {
		t.Errorf("%d entries, recovery %+v", len(got), rec)
	}
}

func TestBlankLastSegmentIsDropped(t *testing.T) {
	for _, size := range []int{0, minSegmentBytes} {
		j := mustOpen(t, testOptions(t.TempDir()))
		mustAppend(t, j, "one")
		_ = j.Close()
		if err := os.WriteFile(filepath.Join(j.Dir(), segmentName(2)), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		k := mustOpen(t, testOptions(j.Dir()))
		mustAppend(t, k, "two")
		if d := cmp.Diff([]string{"one", "two"}, payloads(t, k)); d != "" {
			t.Error(d)
		}
	}
}

func flip(t testing.TB, path string, offset int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[offset] ^= 0x40
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsNotRepaired(t *testing.T) {
	setup := func(t *testing.T) (*Journal, []Position) {
		j := mustOpen(t, testOptions(t.TempDir()))
		var pos []Position
		for range 100 {
			pos = append(pos, mustAppend(t, j, strings.Repeat("y", 1000)))
		}
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The hint of what was synced is written after the sync that it speaks of.
		mustAppend(t, j, "last")
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		return j, pos
	}
	lastSegment := func(pos []Position) string { return segmentName(pos[len(pos)-1].Segment) }
	for name, spoil := range map[string]func(t *testing.T, dir string, pos []Position) (file string, offset int64){
		"middle of the active segment": func(t *testing.T, dir string, pos []Position) (string, int64) {
			p := pos[len(pos)-3]
			flip(t, filepath.Join(dir, segmentName(p.Segment)), p.Offset+entryHeader+5)
			return segmentName(p.Segment), p.Offset
		},
		"zeroed end of the active segment": func(t *testing.T, dir string, pos []Position) (string, int64) {
			p := pos[len(pos)-2]
			path := filepath.Join(dir, segmentName(p.Segment))
			b, _ := os.ReadFile(path)
			clear(b[p.Offset:])
			_ = os.WriteFile(path, b, 0o600)
			return segmentName(p.Segment), p.Offset
		},
		"header": func(t *testing.T, dir string, _ []Position) (string, int64) {
			flip(t, filepath.Join(dir, segmentName(1)), 50)
			return segmentName(1), 0
		},
		"seal of the first segment": func(t *testing.T, dir string, _ []Position) (string, int64) {
			info, _ := os.Stat(filepath.Join(dir, segmentName(1)))
			flip(t, filepath.Join(dir, segmentName(1)), info.Size()-1)
			return segmentName(1), -1
		},
		"missing segment": func(t *testing.T, dir string, _ []Position) (string, int64) {
			_ = os.Remove(filepath.Join(dir, segmentName(1)))
			return segmentName(1), 0
		},
		"missing last segment": func(t *testing.T, dir string, pos []Position) (string, int64) {
			_ = os.Remove(filepath.Join(dir, lastSegment(pos)))
			return "", -1
		},
		"missing checkpoint": func(t *testing.T, dir string, _ []Position) (string, int64) {
			_ = os.Remove(filepath.Join(dir, CheckpointFile))
			return CheckpointFile, 0
		},
		"edited checkpoint": func(t *testing.T, dir string, _ []Position) (string, int64) {
			flip(t, filepath.Join(dir, CheckpointFile), 90)
			return CheckpointFile, 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			j, pos := setup(t)
			dir := crash(t, j.Dir())
			if name == "missing last segment" {
				_ = j.Close()
				dir = crash(t, j.Dir())
			}
			file, offset := spoil(t, dir, pos)
			k, err := Open(testOptions(dir))
			if err == nil {
				_ = k.Close()
				t.Fatalf("opened; recovery %+v", k.Recovery())
			}
			want := []string{"weir verify", filepath.Join(dir, file)}
			if offset >= 0 {
				want = append(want, fmt.Sprintf("offset %d:", offset))
			}
			wantPublic(t, err, want...)
		})
	}
}

func TestCheckpointsAreSignedAndWrittenBeside(t *testing.T) {
	opt := testOptions(t.TempDir())
	opt.CheckpointEvery = time.Millisecond
	j := mustOpen(t, opt)
	first := j.Checkpoint()
	mustAppend(t, j, "x")
	for j.Checkpoint() == first { // the timer is 1 ms; this ends or the test times out
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s, err := parseLine([]byte(j.Checkpoint()))
	if err != nil || !s.valid(j.PublicKey()) || s.kind != Checkpoint || s.count != 2 {
		t.Fatalf("statement %+v: %v", s, err)
	}
	_ = j.Close()
	text, err := os.ReadFile(filepath.Join(j.Dir(), CheckpointFile))
	if err != nil || string(text) != j.Checkpoint() {
		t.Fatalf("file %q, want %q: %v", text, j.Checkpoint(), err)
	}
	if s, err := parseLine(text); err != nil || s.kind != Seal {
		t.Fatalf("after Close: %+v %v", s, err)
	}
	key, err := ReadPublicKey(filepath.Join(j.Dir(), PublicKeyFile))
	if err != nil || !key.Equal(j.PublicKey()) {
		t.Fatalf("public key: %v", err)
	}
}

func TestConcurrentAppendAndRead(t *testing.T) {
	j := mustOpen(t, testOptions(t.TempDir()))
	const writers, each = 4, 800
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				p := fmt.Appendf(nil, "%d %d %s", w, i, strings.Repeat("z", i%300))
				if _, err := j.Append(Kind(w+1), time.Unix(int64(i), 0), p); err != nil {
					t.Error(err)
					return
				}
				if i%200 == 0 {
					if err := j.Sync(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			r := j.NewReader(Position{})
			defer func() { _ = r.Close() }()
			var e Entry
			next := [writers]int{}
			total := 0
			for total < writers*each {
				err := r.Next(&e)
				if errors.Is(err, io.EOF) {
					if err := j.Wait(t.Context(), e.Seq); err != nil {
						t.Error(err)
						return
					}
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if e.Kind > maxCallerKind {
					continue
				}
				var w, i int
				if _, err := fmt.Sscanf(string(e.Payload), "%d %d ", &w, &i); err != nil || next[w] != i {
					t.Errorf("writer %d: entry %d where %d should be (%v)", w, i, next[w], err)
					return
				}
				next[w]++
				total++
			}
		})
	}
	wg.Wait()
}

func TestWaitEndsWithItsContextAndWithClose(t *testing.T) {
	j := mustOpen(t, testOptions(t.TempDir()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Wait(ctx, 1000); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	done := make(chan error)
	go func() { done <- j.Wait(t.Context(), 1000) }()
	_ = j.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("Wait: %v", err)
	}
}

func TestKeyFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	a, err := OpenKey(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenKey(path)
	if err != nil || !a.Equal(b) {
		t.Fatalf("read back: %v", err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = OpenKey(path)
	wantPublic(t, err, "chmod 600", path)
	if err := os.WriteFile(path, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = OpenKey(path)
	wantPublic(t, err, path, "not an Ed25519 key")
	_, err = ReadPublicKey(path)
	wantPublic(t, err, path)
}

func FuzzDecodeEntry(f *testing.F) {
	var head [entryHeader]byte
	putEntryHeader(&head, 1, 5, 6, 0, 0)
	f.Add(head[:])
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Entry
		n, err := decodeEntry(b, &e)
		if err != nil {
			return
		}
		if n < entryHeader || n > len(b) || len(e.Payload) != n-entryHeader {
			t.Fatalf("length %d of %d, payload %d", n, len(b), len(e.Payload))
		}
		_, _ = decodeHeader(b)
	})
}

func FuzzParseLine(f *testing.F) {
	f.Add((&statement{kind: Seal, segment: 1}).line())
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseLine([]byte(text)); err == nil && s.line() != text {
			t.Fatal("accepted another spelling")
		}
	})
}

// The child appends and says what was taken; the parent kills it in the middle.
const childEnv = "WEIR_JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		appendForEver(dir)
	}
	os.Exit(m.Run())
}

func appendForEver(dir string) {
	opt := testOptions(dir)
	opt.SegmentBytes = 256 << 10
	j, err := Open(opt)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var mu sync.Mutex
	for w := range 4 {
		go func() {
			for i := uint64(0); ; i++ {
				p := binary.LittleEndian.AppendUint64(make([]byte, 0, 300), uint64(w))
				p = binary.LittleEndian.AppendUint64(p, i)
				if _, err := j.Append(1, time.Time{}, p[:16+i%200]); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				_, _ = os.Stdout.Write(p[:16])
				mu.Unlock()
			}
		}()
	}
	select {}
}

// TestKillBetweenSegmentsIsUnclean: the segment has its end and the next has not begun; only what was being made tells.
func TestKillBetweenSegmentsIsUnclean(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, testOptions(dir))
	if _, err := j.Append(1, time.Now(), []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, segmentName(2)+".ahead.tmp"), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, unclean := range []bool{true, false} {
		j := mustOpen(t, testOptions(dir))
		if r := j.Recovery(); r.Unclean != unclean || strings.Contains(r.String(), "segment 0") {
			t.Errorf("%v: %v", unclean, r)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKilledProcessLosesNothing(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	last := map[uint64]uint64{}
	for _, atLeast := range []int{10, 3000, 12345} {
		cmd := exec.Command(exe)
		cmd.Stderr = os.Stderr
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		clear(last)
		b := make([]byte, 16)
		for n := 0; ; n++ {
			if _, err := io.ReadFull(out, b); err != nil {
				break
			}
			last[binary.LittleEndian.Uint64(b)] = binary.LittleEndian.Uint64(b[8:])
			if n == atLeast {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
		if len(last) == 0 {
			t.Fatal("the child appended nothing")
		}
		opt := testOptions(dir)
		opt.SegmentBytes = 256 << 10
		j, err := Open(opt)
		if err != nil {
			t.Fatal(err)
		}
		if !j.Recovery().Unclean {
			t.Error("a killed process looks like a clean close")
		}
		found := map[uint64]uint64{} // in this round's part of the journal each worker starts from 0 again
		for _, p := range payloads(t, j) {
			w, i := binary.LittleEndian.Uint64([]byte(p)), binary.LittleEndian.Uint64([]byte(p[8:]))
			if next, ok := found[w]; ok && i != 0 && i != next+1 {
				t.Fatalf("worker %d: %d follows %d", w, i, next)
			}
			found[w] = i
		}
		for w, i := range last {
			if found[w] < i {
				t.Errorf("worker %d: entry %d was taken, the journal ends at %d", w, i, found[w])
			}
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkAppend200(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			j := mustOpen(b, Options{Dir: b.TempDir(), Signer: testKey(), Now: time.Now})
			payload := bytes.Repeat([]byte("p"), 200)
			at := time.Now()
			b.ReportAllocs()
			b.SetBytes(200)
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range n {
				wg.Go(func() {
					for i := w; i < b.N; i += n {
						if _, err := j.Append(1, at, payload); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkPwrite200 is the other way to keep P1: a write call for each entry, without chain and checksum.
func BenchmarkPwrite200(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := allocate(f, 64<<20); err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 228)
	for i := range b.N {
		if _, err := f.WriteAt(p, int64(i)*228%(64<<20)); err != nil {
			b.Fatal(err)
		}
	}
}
