package sftp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	pkgsftp "github.com/pkg/sftp"

	"weir"
	"weir/gate/sshgate/transfer"
)

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// masked is what the masker makes of a whole file.
func masked(t testing.TB, b []byte, opt transfer.Options) []byte {
	t.Helper()
	shape, err := transfer.Shape(b[:min(len(b), 32<<10)], opt)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := newMasker(t).Stream(&out, shape, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// text makes a file with secrets of all kinds in it; the first line makes a table of it whose last column is one.
func text(size int) []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(uint64(size), 1))
	b.WriteString("id,user,password\n")
	for i := 0; b.Len() < size/2; i++ {
		fmt.Fprintf(&b, "%d,user%d,CANARY-%x\n", i, i, r.Uint64())
	}
	for b.Len() < size {
		fmt.Fprintf(&b, "some line of a log %d\n", r.Uint64())
		switch r.IntN(40) {
		case 0:
			b.WriteString("x " + canary + " y\n")
		case 1:
			fmt.Fprintf(&b, "DB_PASSWORD=CANARY-%x\n", r.Uint64())
		case 2:
			b.WriteString("-----BEGIN PRIVATE KEY-----\n" + strings.Repeat(strings.Repeat("CANARY", 10)+"\n", 20) + "-----END PRIVATE KEY-----\n")
		case 3:
			b.WriteString("password: " + strings.Repeat("CANARY", 12_000) + "\n")
		}
	}
	return b.Bytes()[:size]
}

// blob makes a file that is no text, with the canary all over, also where views begin.
func blob(size int) []byte {
	b := make([]byte, size)
	r := rand.New(rand.NewPCG(uint64(size), 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[1] = 0
	for at := 32<<10 - 5; at+len(canary) < size; at += 32 << 10 {
		copy(b[at:], canary)
	}
	return b
}

func differs(a, b []byte) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func TestFilesAreMaskedAtTheSameLength(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		opt  transfer.Options
	}{
		{"empty", nil, transfer.Options{}},
		{"small", []byte("DB_PASSWORD=tr0ub4dor\nx " + canary), transfer.Options{}},
		{"a chunk", text(32 << 10), transfer.Options{}},
		{"long", text(3<<20 + 17), transfer.Options{}},
		{"binary", blob(9<<20 + 5), transfer.Options{AllowOpaque: true}},
		{"text that turns binary", append(text(100_000), blob(200_000)...), transfer.Options{AllowOpaque: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &host{m: newMasker(t)}
			client, dir, end := connect(t, h, c.opt, pkgsftp.UseConcurrentReads(true))
			write(t, filepath.Join(dir, "f"), c.in)
			f, err := client.Open("f")
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if _, err := f.WriteTo(&got); err != nil {
				t.Fatal(err)
			}
			if want := masked(t, c.in, c.opt); !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%d bytes, want %d, from %d on", got.Len(), len(want), differs(got.Bytes(), want))
			}
			if bytes.Contains(got.Bytes(), []byte("CANARY")) {
				t.Error("the canary is in it")
			}
			if st, err := f.Stat(); err != nil || st.Size() != int64(len(c.in)) {
				t.Errorf("stat: %v", err)
			}
			_ = f.Close()
			if err := end(); err != nil {
				t.Error(err)
			}
			if h.begun != h.ended {
				t.Errorf("%d exchanges begun, %d ended", h.begun, h.ended)
			}
			if want := fmt.Sprintf("read=%d", len(c.in)); len(c.in) > 0 && !strings.Contains(h.noted(), want) {
				t.Errorf("no %s in %s", want, h.noted())
			}
		})
	}
}

func TestAnyPatternOfReadsSeesTheSame(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		opt  transfer.Options
	}{
		{"text", text(1 << 20), transfer.Options{}},
		{"binary", blob(12 << 20), transfer.Options{AllowOpaque: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, dir, _ := connect(t, &host{m: newMasker(t)}, c.opt)
			write(t, filepath.Join(dir, "f"), c.in)
			want := masked(t, c.in, c.opt)
			f, err := client.Open("f")
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for seed := range uint64(4) {
				wg.Go(func() {
					r := rand.New(rand.NewPCG(seed, 3))
					for range 60 {
						off := r.Int64N(int64(len(c.in)))
						if r.IntN(3) == 0 {
							off = off/(32<<10)*(32<<10) + 3
						}
						p := make([]byte, 1+r.IntN(60<<10))
						n, err := f.ReadAt(p, off)
						if err != nil && !errors.Is(err, io.EOF) {
							t.Errorf("read %d at %d: %v", len(p), off, err)
							return
						}
						if whole := want[min(off, int64(len(want))):min(int64(len(want)), off+int64(len(p)))]; !bytes.Equal(p[:n], whole) {
							t.Errorf("read %d at %d: %d bytes differ from what they are in order", len(p), off, n)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestOpaqueFilesAreRefusedWithTheSettingsName(t *testing.T) {
	for name, in := range map[string][]byte{"from the beginning": blob(100_000), "later": append(text(100_000), blob(100_000)...)} {
		t.Run(name, func(t *testing.T) {
			h := &host{m: newMasker(t)}
			client, dir, _ := connect(t, h, transfer.Options{})
			write(t, filepath.Join(dir, "f"), in)
			f, err := client.Open("f")
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, f)
			if !errors.Is(err, os.ErrPermission) || !h.saw("allow_opaque") || !h.saw("req-1") {
				t.Errorf("got %v", err)
			}
			_ = f.Close()
			if _, err := client.Stat("f"); err != nil {
				t.Errorf("the session is over: %v", err)
			}
			if !strings.Contains(h.noted(), "outcome=refused") {
				t.Error(h.noted())
			}
		})
	}
}

func TestRefusalsLeaveTheSessionAlone(t *testing.T) {
	held := make(chan struct{})
	h := &host{m: newMasker(t), decide: func(_ context.Context, op transfer.Op) error {
		if strings.HasSuffix(op.Paths[0], ".env") {
			return &weir.Denied{Kind: weir.DeniedByRule, Rule: "env-files", Reason: "refused: files of secrets", Hint: "ask for approval", Request: "q7"}
		}
		if strings.HasSuffix(op.Paths[0], "/held") {
			<-held
		}
		return nil
	}}
	client, dir, _ := connect(t, h, transfer.Options{})
	write(t, filepath.Join(dir, ".env"), []byte("A=1\n"))
	write(t, filepath.Join(dir, "held"), []byte("A=1\n"))
	write(t, filepath.Join(dir, "f"), []byte("A=1\n"))
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := client.Stat("held"); err != nil {
			t.Error(err)
		}
	})
	for name, f := range map[string]func() error{
		"open":   func() error { _, err := client.Open(".env"); return err },
		"remove": func() error { return client.Remove(".env") },
		"rename": func() error { return client.Rename(".env", "x") },
		"posix":  func() error { return client.PosixRename(".env", "x") },
		"link":   func() error { return client.Link(".env", "x") },
		"chmod":  func() error { return client.Chmod(".env", 0o777) },
	} {
		err := f()
		if err == nil || !strings.Contains(fmt.Sprint(err), "permission denied") && !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !h.saw("refused: files of secrets (rule env-files); ask for approval [request q7]") {
		t.Error("the client cannot read why")
	}
	if _, err := os.Stat(filepath.Join(dir, ".env")); err != nil {
		t.Error(err)
	}
	if _, err := client.Stat("f"); err != nil {
		t.Error(err)
	}
	close(held)
	wg.Wait()
}

func TestNamesAndMessagesAreMasked(t *testing.T) {
	client, dir, _ := connect(t, &host{m: newMasker(t)}, transfer.Options{})
	write(t, filepath.Join(dir, "a-"+canary), nil)
	write(t, filepath.Join(dir, "plain.txt"), nil)
	if err := os.Symlink(canary, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	list, err := client.ReadDir(".")
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	plain := false
	for _, e := range list {
		if strings.Contains(e.Name(), "CANARY") {
			t.Error(e.Name())
		}
		plain = plain || e.Name() == "plain.txt"
	}
	if !plain {
		t.Error("a name without a secret was changed")
	}
	if to, err := client.ReadLink("link"); err != nil || strings.Contains(to, "CANARY") {
		t.Error(to, err)
	}
	if to, err := client.RealPath(canary); err != nil || strings.Contains(to, "CANARY") {
		t.Error(to, err)
	}
	if _, err := client.Stat("[masked:credential:abcdefgh]"); err == nil {
		t.Error("a placeholder is a name")
	}
}

func TestUploadsAreHashedRecordedAndSearched(t *testing.T) {
	h := &host{m: newMasker(t)}
	client, dir, _ := connect(t, h, transfer.Options{BodyCap: 1 << 20})
	in := append([]byte("DB_PASSWORD=tr0ub4dor\n"), text(300_000)...)
	f, err := client.Create("up")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadFrom(bytes.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "up")); !bytes.Equal(got, in) {
		t.Errorf("%d bytes arrived of %d", len(got), len(in))
	}
	sum := sha256.Sum256(in)
	if want := "sha256=" + hex.EncodeToString(sum[:]); !strings.Contains(h.noted(), want) {
		t.Errorf("no %s in %s", want, h.noted())
	}
	if h.body.Len() == 0 || bytes.Contains(h.body.Bytes(), []byte("CANARY")) {
		t.Errorf("recorded: %d bytes", h.body.Len())
	}
	for name, parts := range map[string][]string{"in one": {"A=[masked:field:abcdefgh]\n"}, "across": {"A=[mask", "ed:field:abcd", "efgh]\n"}, "of the same length": {"A=[masked:****]\n"}} {
		f, err := client.Create("back")
		if err != nil {
			t.Fatal(err)
		}
		err = nil
		for _, p := range parts {
			if _, e := f.Write([]byte(p)); e != nil {
				err = e
			}
		}
		if !errors.Is(err, os.ErrPermission) || !h.saw("would be written where the secret was") {
			t.Errorf("%s: %v", name, err)
		}
		_ = f.Close()
	}
}

func TestReadAfterWriteAndGrowth(t *testing.T) {
	client, dir, _ := connect(t, &host{m: newMasker(t)}, transfer.Options{})
	path := filepath.Join(dir, "f")
	write(t, path, []byte("one\npassword=tr0ub"))
	f, err := client.OpenFile("f", os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	read := func(off int64, want string, eof bool) {
		t.Helper()
		p := make([]byte, 100)
		n, err := f.ReadAt(p, off)
		if string(p[:n]) != want || errors.Is(err, io.EOF) != eof {
			t.Errorf("at %d: %q, %v", off, p[:n], err)
		}
	}
	read(0, "one\npassword=*****", true)
	read(18, "", true)
	log, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = log.WriteString("4dor\ntwo\n")
	_ = log.Close()
	read(18, "****\ntwo\n", true)
	if _, err := f.WriteAt([]byte("ONE"), 0); err != nil {
		t.Fatal(err)
	}
	read(0, "ONE\npassword=*********\ntwo\n", true)
	p, err := client.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(p); err != nil || !strings.HasPrefix(string(b), "Name:\tsftp-server") {
		t.Errorf("%q, %v", b, err)
	}
	if st, err := client.StatVFS("/"); err != nil || st.Bsize == 0 {
		t.Error(err)
	}
}

func TestAFailingRecorderShowsNothing(t *testing.T) {
	h := &host{m: newMasker(t), fail: errors.New("disk full")}
	client, dir, _ := connect(t, h, transfer.Options{BodyCap: 100})
	write(t, filepath.Join(dir, "f"), []byte("hello"))
	f, err := client.OpenFile("f", os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(f); err == nil || len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("a write that is not recorded passes")
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "f")); string(got) != "hello" {
		t.Errorf("it was forwarded: %q", got)
	}
}
