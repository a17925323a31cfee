package scp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weir"
	"weir/gate/sshgate/scp"
	"weir/gate/sshgate/transfer"
	"weir/mask"
	"weir/mask/known"
)

const (
	canary    = "CANARY-tr0ub4dor-7f3a9c"
	asGateway = "WEIR_TEST_AS_GATEWAY" // the test binary is scp's ssh, and the gateway
)

func TestMain(m *testing.M) {
	if log := os.Getenv(asGateway); log != "" {
		if err := gateway(log, os.Args[1:]); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "gateway:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type stdio struct {
	io.Reader
	io.Writer
}

// gateway runs what scp asks its ssh to run, in a shell as sshd does, with the relay between.
func gateway(log string, args []string) error {
	command := args[len(args)-1]
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Stderr = os.Stderr
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
	h, err := newHost()
	if err != nil {
		return err
	}
	words := strings.Fields(command)
	opt := scp.Options{Options: transfer.Options{AllowOpaque: os.Getenv("WEIR_TEST_OPAQUE") != "", BodyCap: 1 << 20}, Paths: words[len(words)-1:]}
	relay := scp.Upload
	if strings.Contains(command, " -f ") {
		relay = scp.Download
	}
	err = relay(context.Background(), stdio{os.Stdin, os.Stdout}, stdio{out, in}, h, opt)
	_ = in.Close()
	_, _ = io.Copy(io.Discard, out)
	h.notes = append(h.notes, fmt.Sprintf("begun=%d ended=%d body=%q", h.begun, h.ended, h.body.String()))
	if e := os.WriteFile(log, []byte(strings.Join(h.notes, "\n")), 0o600); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	return cmd.Wait()
}

type host struct {
	m            *mask.Masker
	begun, ended int
	notes        []string
	body         bytes.Buffer
}

func newHost() (*host, error) {
	e, err := mask.New(mask.Config{Key: []byte("0123456789abcdef")})
	if err != nil {
		return nil, err
	}
	set, _, err := known.Build([]known.Entry{{Name: "credential", Value: []byte(canary)}})
	if err != nil {
		return nil, err
	}
	return &host{m: e.Masker(set)}, nil
}

func (h *host) Begin(_ context.Context, op transfer.Op) (transfer.Exchange, error) {
	for _, p := range op.Paths {
		if strings.HasSuffix(p, ".env") {
			return nil, &weir.Denied{Kind: weir.DeniedByRule, Rule: "env-files", Reason: "refused: files of secrets", Request: "q7"}
		}
	}
	h.begun++
	return &exchange{h: h}, nil
}

func (h *host) Text(p []byte) ([]byte, error) { return h.m.Value(nil, "", p, nil), nil }

type exchange struct {
	h    *host
	sent bool
}

func (x *exchange) Forward(send func(ctx context.Context) error) error {
	x.sent = true
	return send(context.Background())
}

func (x *exchange) Writer(dst io.Writer, shape weir.Shape) (weir.MaskWriter, error) {
	return x.h.m.Stream(dst, shape, nil)
}

func (x *exchange) Body(shape weir.Shape) (io.WriteCloser, error) {
	return x.h.m.Stream(&x.h.body, shape, nil)
}

func (x *exchange) Refuse(d *weir.Denied) *weir.Denied { return d }

func (x *exchange) Note(text string, attrs ...weir.Attr) error {
	for _, a := range attrs {
		text += " " + a.Name + "=" + a.Value
	}
	x.h.notes = append(x.h.notes, text)
	return nil
}

func (x *exchange) End(error) { x.h.ended++ }

// copyFiles runs the real scp through the gateway.
func copyFiles(t *testing.T, opaque bool, args ...string) (messages, log string, err error) {
	t.Helper()
	if _, err := exec.LookPath("scp"); err != nil {
		if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
			t.Fatal(err)
		}
		t.Skip("no scp: ", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "log")
	cmd := exec.CommandContext(t.Context(), "scp", append([]string{"-O", "-S", self}, args...)...)
	cmd.Env = append(os.Environ(), asGateway+"="+path)
	if opaque {
		cmd.Env = append(cmd.Env, "WEIR_TEST_OPAQUE=1")
	}
	out, err := cmd.CombinedOutput()
	b, _ := os.ReadFile(path)
	return string(out), string(b), err
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

func TestDownload(t *testing.T) {
	far, near := t.TempDir(), t.TempDir()
	long := strings.Repeat("a line\nDB_PASSWORD=CANARY-abcdef\nx "+canary+"\n", 20_000)
	write(t, far+"/d/a.txt", "password=tr0ub4dor\n")
	write(t, far+"/d/.env", "A=1\n")
	write(t, far+"/d/empty", "")
	write(t, far+"/d/long", long)
	write(t, far+"/d/e/bin", "\x00\x01"+canary+strings.Repeat("\xff\x00", 50_000))
	write(t, far+"/d/e/later", long+strings.Repeat("\x00", 50_000))
	write(t, far+"/d/z.txt", "the last\n")
	messages, log, err := copyFiles(t, false, "-r", "-p", "h:"+far+"/d", near)
	if err == nil {
		t.Error("scp says that all is well")
	}
	for _, want := range []string{"refused: files of secrets (rule env-files) [request q7]", "allow_opaque"} {
		if !strings.Contains(messages, want) {
			t.Errorf("no %q in %s", want, messages)
		}
	}
	if got := read(near + "/d/long"); len(got) != len(long) || strings.Contains(got, "CANARY") {
		t.Errorf("long: %d bytes of %d", len(got), len(long))
	}
	if got := read(near + "/d/a.txt"); got != "password=*********\n" {
		t.Errorf("a.txt: %q", got)
	}
	if got := read(near + "/d/z.txt"); got != "the last\n" {
		t.Errorf("z.txt: %q", got)
	}
	for _, name := range []string{"/d/.env", "/d/e/bin"} {
		if _, err := os.Stat(near + name); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	if got := read(near + "/d/e/later"); strings.Contains(got, "CANARY") || strings.Contains(got, "\x00") {
		t.Error("what turned binary was passed on")
	}
	if st, err := os.Stat(near + "/d/empty"); err != nil || st.Size() != 0 {
		t.Error(err)
	}
	if !strings.Contains(log, "/d/long outcome=ok bytes="+fmt.Sprint(len(long))) || !strings.Contains(log, "/d/e/bin outcome=refused") {
		t.Error(log)
	}
	if messages, _, err := copyFiles(t, true, "h:"+far+"/d/e/bin", near+"/bin"); err != nil {
		t.Error(err, messages)
	}
	if got := read(near + "/bin"); len(got) != 100_000+2+len(canary) || strings.Contains(got, "CANARY") {
		t.Errorf("bin: %d bytes", len(got))
	}
	if messages, _, err := copyFiles(t, true, "h:"+far+"/nothing-"+canary, near); err == nil || strings.Contains(messages, "CANARY") || !strings.Contains(messages, "No such file") {
		t.Error(err, messages)
	}
}

func TestUpload(t *testing.T) {
	far, near := t.TempDir(), t.TempDir()
	long := strings.Repeat("a line\n", 300_000)
	write(t, near+"/d/a.txt", "password=tr0ub4dor\n")
	write(t, near+"/d/.env", "A=1\n")
	write(t, near+"/d/back.txt", "password=[masked:field:abcdefgh]\n")
	write(t, near+"/d/e/long", long)
	write(t, near+"/d/z", "")
	messages, log, err := copyFiles(t, false, "-r", "-p", near+"/d", "h:"+far)
	if err == nil {
		t.Error("scp says that all is well")
	}
	for _, want := range []string{"refused: files of secrets", "would be written where the secret was"} {
		if !strings.Contains(messages, want) {
			t.Errorf("no %q in %s", want, messages)
		}
	}
	for name, want := range map[string]string{"a.txt": "password=tr0ub4dor\n", "e/long": long, "z": "", ".env": "", "back.txt": ""} {
		if got := read(far + "/d/" + name); got != want {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
	if _, err := os.Stat(far + "/d/z"); err != nil {
		t.Error(err)
	}
	sum := sha256.Sum256([]byte(long))
	if !strings.Contains(log, "sha256="+hex.EncodeToString(sum[:])) || strings.Contains(log, "tr0ub4dor") {
		t.Errorf("%.2000s", log)
	}
	write(t, near+"/big", long+"x=[masked:field:abcdefgh]\n"+long)
	if messages, _, err := copyFiles(t, false, near+"/big", "h:"+far+"/big"); err == nil || !strings.Contains(messages, "would be written where the secret was") {
		t.Error(err, messages)
	}
	if got := read(far + "/big"); strings.Contains(got, "[masked:field:abcdefgh]") {
		t.Error("the placeholder was written")
	}
	if messages, _, err := copyFiles(t, false, near+"/big", "h:"+far+"/no/such/dir"); err == nil || !strings.Contains(messages, "No such file") {
		t.Error(err, messages)
	}
}

// script is an end that says what it is told to and hears nothing.
type script struct {
	io.Reader
	out *bytes.Buffer
}

func (s script) Write(p []byte) (int, error) { return s.out.Write(p) }

func FuzzRelay(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00"), []byte("T1 0 2 0\nD0755 0 d\nC0644 23 a\n"+canary+"\x00E\n"), true)
	f.Add([]byte("C0644 5 a\nhello\x00"), []byte("\x00\x00\x00\x00"), false)
	f.Add([]byte("\x00\x00"), []byte("\x01scp: "+canary+"\n"), true)
	one, err := newHost()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, client, target []byte, down bool) {
		h := &host{m: one.m}
		var toClient, toTarget bytes.Buffer
		c, s := script{bytes.NewReader(client), &toClient}, script{bytes.NewReader(target), &toTarget}
		if down {
			_ = scp.Download(t.Context(), c, s, h, scp.Options{Options: transfer.Options{AllowOpaque: true}})
		} else {
			_ = scp.Upload(t.Context(), c, s, h, scp.Options{Options: transfer.Options{BodyCap: 100}})
		}
		if h.begun != h.ended {
			t.Errorf("%d begun, %d ended", h.begun, h.ended)
		}
		if strings.Contains(toClient.String(), canary) {
			t.Errorf("the client got %q", toClient.String())
		}
	})
}
