package sftp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/gate/sshgate/sftp"
	"weir/gate/sshgate/transfer"
)

const asGateway = "WEIR_TEST_AS_GATEWAY" // the test binary is sftp's ssh, and the gateway

func TestMain(m *testing.M) {
	if dir := os.Getenv(asGateway); dir != "" {
		if err := gateway(dir); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "gateway:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func gateway(dir string) error {
	cmd := exec.Command(serverPath, "-d", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	h := &host{m: newMasker(testing.TB(&testing.B{})), decide: func(_ context.Context, op transfer.Op) error {
		if op.Name == "open" && strings.HasSuffix(op.Paths[0], ".env") {
			return &weir.Denied{Kind: weir.DeniedByRule, Rule: "env-files", Reason: "refused: files of secrets"}
		}
		return nil
	}}
	client := pipe{Reader: os.Stdin, Writer: os.Stdout, close: func() { _, _ = os.Stdin.Close(), os.Stdout.Close() }}
	err = sftp.Run(context.Background(), client, pipe{Reader: out, Writer: in, close: func() { _, _ = in.Close(), out.Close() }}, h, transfer.Options{AllowOpaque: true})
	_ = cmd.Wait()
	return err
}

// TestOpenSSHClients runs the real sftp and scp through the gateway to the real server.
func TestOpenSSHClients(t *testing.T) {
	dir, near := t.TempDir(), t.TempDir()
	serve(t, dir) // or skip
	long, bin := text(2<<20), blob(20<<20)
	write(t, filepath.Join(dir, "long"), long)
	write(t, filepath.Join(dir, "bin"), bin)
	write(t, filepath.Join(dir, ".env"), []byte("A=1\n"))
	write(t, filepath.Join(near, "up"), bin)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(name, input string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), name, append([]string{"-S", self}, args...)...)
		cmd.Env = append(os.Environ(), asGateway+"="+dir)
		cmd.Dir, cmd.Stdin = near, strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("sftp", "ls -l\nget long\nget bin\n-get .env\nput up\nrename up up2\nchmod 600 up2\nmkdir d\ncd d\npwd\ndf\nln -s ../up2 s\nreget ../bin\n", "-b", "-", "h")
	if err != nil || !strings.Contains(out, "Permission denied") || strings.Contains(out, "CANARY") {
		t.Errorf("%v\n%s", err, out)
	}
	opt := transfer.Options{AllowOpaque: true}
	check := func(name string, want []byte) {
		t.Helper()
		if got, _ := os.ReadFile(filepath.Join(near, name)); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d, from %d on", name, len(got), len(want), differs(got, want))
		}
	}
	check("long", masked(t, long, opt))
	check("bin", masked(t, bin, opt))
	if got, _ := os.ReadFile(filepath.Join(dir, "up2")); !bytes.Equal(got, bin) {
		t.Error("the upload is another")
	}
	// A download that was broken off goes on in the middle.
	if err := os.Truncate(filepath.Join(near, "long"), 1<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := run("sftp", "reget long\n", "-b", "-", "h"); err != nil {
		t.Error(err, out)
	}
	check("long", masked(t, long, opt))
	if out, err := run("scp", "", "-s", "h:"+dir+"/bin", "bin2"); err != nil {
		t.Error(err, out)
	}
	check("bin2", masked(t, bin, opt))
	if out, err := run("scp", "", "-s", "-r", "h:"+dir, "all"); err == nil {
		t.Error("the refused file is not told of: ", out)
	}
	check("all/bin", masked(t, bin, opt))
}

// packet makes one packet.
func packet(kind byte, fields ...any) []byte {
	b := []byte{0, 0, 0, 0, kind}
	for _, f := range fields {
		switch f := f.(type) {
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(f))
		case int64:
			b = binary.BigEndian.AppendUint64(b, uint64(f))
		case string:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
		}
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// feed is a peer that says what it is told to.
type feed struct {
	io.Reader
	out *bytes.Buffer
}

func (f feed) Write(p []byte) (int, error) { return f.out.Write(p) }
func (f feed) Close() error                { return nil }

func TestUnknownRequestsAreNotForwarded(t *testing.T) {
	dir := t.TempDir()
	h := &host{m: newMasker(t)}
	p, end := through(t, serve(t, dir), h, transfer.Options{})
	send := func(b []byte) {
		t.Helper()
		if _, err := p.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	receive := func() []byte {
		t.Helper()
		var n [4]byte
		if _, err := io.ReadFull(p, n[:]); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, binary.BigEndian.Uint32(n[:]))
		if _, err := io.ReadFull(p, b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	send(packet(1, 3))
	if v := receive(); v[0] != 2 || !bytes.Contains(v, []byte("posix-rename@openssh.com")) {
		t.Errorf("%q", v)
	}
	for i, c := range []struct {
		name   string
		packet []byte
		code   byte
	}{
		{"an unknown packet", packet(99, 7, "x"), 8},
		{"an unknown extension", packet(200, 7, "evil@example.com", "x"), 8},
		{"an unknown handle", packet(5, 7, "\x00\x00\x00\x09", int64(0), 10), 4},
		{"a handle of the target", packet(5, 7, "\x00\x00\x00\x00", int64(0), 10), 4},
		{"a path that is cut off", packet(13, 7)[:9], 5},
		{"more behind a request", packet(13, 7, "x", "y"), 5},
	} {
		send(c.packet)
		if r := receive(); r[0] != 101 || r[4] != 7 || r[8] != c.code {
			t.Errorf("%d %s: %q", i, c.name, r)
		}
	}
	if h.begun != 0 {
		t.Error("somebody was asked")
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestOperationsOnOneFileKeepTheirOrder makes a file and looks at it, and a directory and a file in it, without waiting for the answers, as sshfs does.
// What is about others does not wait.
func TestOperationsOnOneFileKeepTheirOrder(t *testing.T) {
	dir := t.TempDir()
	approved := make(chan struct{})
	h := &host{m: newMasker(t), decide: func(_ context.Context, op transfer.Op) error {
		if name := filepath.Base(op.Paths[0]); name == "new" && op.Name == "open" || name == "d" {
			<-approved // as if it were held
		}
		return nil
	}}
	p, _ := through(t, serve(t, dir), h, transfer.Options{})
	send := func(b []byte) {
		t.Helper()
		if _, err := p.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	send(packet(1, 3))
	receivePacket(t, p)
	for _, b := range [][]byte{packet(3, 10, "new", 2|8|16, 0), packet(7, 11, dir+"/new"), packet(14, 12, "d", 0), packet(3, 13, "d/x", 2|8, 0)} {
		send(b)
	}
	want := map[uint32]byte{10: 102, 11: 105, 12: 101, 13: 102}
	check := func(r []byte) {
		t.Helper()
		if id := binary.BigEndian.Uint32(r[1:]); r[0] != want[id] {
			t.Errorf("the answer to %d is %q", id, r)
		}
	}
	for id := range 10 {
		send(packet(7, id, "other"))
		want[uint32(id)] = 101
		check(receivePacket(t, p))
	}
	close(approved)
	for range 4 {
		check(receivePacket(t, p))
	}
}

func receivePacket(t *testing.T, r io.Reader) []byte {
	t.Helper()
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(n[:]))
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzPeers(f *testing.F) {
	hello := append(packet(2, 3, "limits@openssh.com", "1"), packet(102, 0, "h1")...)
	read := append(append(packet(1, 3), packet(3, 1, "f", 1, 0)...), packet(5, 2, "\x00\x00\x00\x01", int64(0), 100)...)
	f.Add(read, append(append([]byte{}, hello...), packet(103, 0, "x "+canary)...))
	f.Add(read, append(append([]byte{}, hello...), packet(101, 0, 4, canary, "")...))
	f.Add(append(packet(1, 3), packet(11, 1, "d")...), append(append([]byte{}, hello...), packet(104, 0, 1, canary, canary, 0)...))
	m := newMasker(f)
	f.Fuzz(func(t *testing.T, client, target []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var toClient, toTarget bytes.Buffer
		h := &host{m: m}
		// The target speaks once the client has been heard: its replies are then to requests that are there, or not.
		r, w := io.Pipe()
		heard := &whenDone{Reader: bytes.NewReader(client), then: func() { _, _ = w.Write(target); _ = w.Close() }}
		err := sftp.Run(ctx, feed{heard, &toClient}, closing{feed{r, &toTarget}, r}, h, transfer.Options{AllowOpaque: true})
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("it hangs")
		}
		if h.begun != h.ended {
			t.Errorf("%d begun, %d ended", h.begun, h.ended)
		}
		if strings.Contains(toClient.String(), canary) {
			t.Errorf("the client got %q", toClient.String())
		}
		for _, out := range [][]byte{toClient.Bytes(), toTarget.Bytes()} {
			for len(out) > 0 {
				if len(out) < 4 || len(out)-4 < int(binary.BigEndian.Uint32(out)) {
					t.Fatalf("not packets: %q", out)
				}
				out = out[4+binary.BigEndian.Uint32(out):]
			}
		}
	})
}

type whenDone struct {
	io.Reader
	then func()
}

func (w *whenDone) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil && w.then != nil {
		w.then()
		w.then = nil
	}
	return n, err
}

type closing struct {
	feed
	r *io.PipeReader
}

func (c closing) Close() error { return c.r.Close() }

// TestReadingIsDecidedWhateverElse opens a file with all flags there are, and reads it: whatever the server takes for reading was decided on as that.
func TestReadingIsDecidedWhateverElse(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	var mu sync.Mutex
	var last transfer.Op
	h := &host{m: newMasker(t), decide: func(_ context.Context, op transfer.Op) error {
		mu.Lock()
		defer mu.Unlock()
		last = op
		return nil
	}}
	p, _ := through(t, serve(t, dir), h, transfer.Options{})
	ask := func(b []byte) []byte {
		t.Helper()
		if _, err := p.Write(b); err != nil {
			t.Fatal(err)
		}
		var n [4]byte
		if _, err := io.ReadFull(p, n[:]); err != nil {
			t.Fatal(err)
		}
		r := make([]byte, binary.BigEndian.Uint32(n[:]))
		if _, err := io.ReadFull(p, r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	ask(packet(1, 3))
	read := 0
	for flags := range 64 {
		write(t, file, []byte("content\n"))
		if flags&32 != 0 {
			_ = os.Remove(file)
		}
		r := ask(packet(3, 7, "secret", flags, 0))
		if r[0] != 102 {
			continue
		}
		handle := string(r[9:])
		mu.Lock()
		op := last
		mu.Unlock()
		asked := !op.Write || slices.Equal(op.Reads, []string{file})
		if op.Paths[0] != file {
			t.Errorf("%06b: decided on as %v", flags, op.Paths)
		}
		if flags&32 != 0 || flags&16 != 0 {
			_ = os.WriteFile(file, []byte("content\n"), 0o600)
		}
		got := ask(packet(5, 7, handle, int64(0), 100))
		if got[0] == 103 {
			read++
			if !asked {
				t.Errorf("%06b: read %q, decided on as %+v", flags, got, op)
			}
		}
		// The same by copying within the target.
		to := ask(packet(3, 7, "copy", 2|8, 0))
		if to[0] != 102 {
			t.Fatalf("%q", to)
		}
		copied := ask(packet(200, 7, "copy-data", handle, int64(0), int64(0), string(to[9:]), int64(0)))
		if copied[0] != 101 || copied[8] == 0 && !asked {
			t.Errorf("%06b: copied, decided on as %+v: %q", flags, op, copied)
		}
		_ = ask(packet(4, 7, string(to[9:])))
		_ = ask(packet(4, 7, handle))
	}
	if read < 16 {
		t.Errorf("only %d ways of opening could be read at all", read)
	}
}
