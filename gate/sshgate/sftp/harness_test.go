package sftp_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	pkgsftp "github.com/pkg/sftp"

	"weir"
	"weir/gate/sshgate/sftp"
	"weir/gate/sshgate/transfer"
	"weir/mask"
	"weir/mask/known"
)

const (
	canary     = "CANARY-tr0ub4dor-7f3a9c"
	serverPath = "/usr/lib/openssh/sftp-server"
)

func newMasker(t testing.TB) *mask.Masker {
	t.Helper()
	e, err := mask.New(mask.Config{Key: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := known.Build([]known.Entry{{Name: "credential", Value: []byte(canary)}})
	if err != nil {
		t.Fatal(err)
	}
	return e.Masker(set)
}

// host masks with the real masker, decides by a func and keeps what is recorded.
type host struct {
	m      *mask.Masker
	decide func(ctx context.Context, op transfer.Op) error

	mu    sync.Mutex
	begun int
	ended int
	notes []string
	body  bytes.Buffer
	seen  bytes.Buffer // what the client got
	fail  error        // of Writer and Body
}

func (h *host) Begin(ctx context.Context, op transfer.Op) (transfer.Exchange, error) {
	if h.decide != nil {
		if err := h.decide(ctx, op); err != nil {
			return nil, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun++
	return &exchange{h: h}, nil
}

func (h *host) Text(p []byte) ([]byte, error) { return h.m.Value(nil, "", p, nil), nil }

func (h *host) noted() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.notes, "\n")
}

type exchange struct {
	h    *host
	sent bool
	over bool
}

func (x *exchange) Forward(send func(ctx context.Context) error) error {
	if x.sent {
		panic("sent twice")
	}
	x.sent = true
	return send(context.Background())
}

func (x *exchange) Writer(dst io.Writer, shape weir.Shape) (weir.MaskWriter, error) {
	if !x.sent || x.over {
		panic("a writer of an exchange that is not open")
	}
	if x.h.fail != nil {
		return nil, x.h.fail
	}
	return x.h.m.Stream(dst, shape, nil)
}

type body struct {
	weir.MaskWriter
}

func (x *exchange) Body(shape weir.Shape) (io.WriteCloser, error) {
	if x.h.fail != nil {
		return nil, x.h.fail
	}
	w, err := x.h.m.Stream(&x.h.body, shape, nil)
	return body{w}, err
}

func (x *exchange) Refuse(d *weir.Denied) *weir.Denied {
	d.Request = "req-1"
	return d
}

func (x *exchange) Note(text string, attrs ...weir.Attr) error {
	x.h.mu.Lock()
	defer x.h.mu.Unlock()
	for _, a := range attrs {
		text += " " + a.Name + "=" + a.Value
	}
	x.h.notes = append(x.h.notes, text)
	return nil
}

func (x *exchange) End(error) {
	x.h.mu.Lock()
	defer x.h.mu.Unlock()
	if x.over {
		panic("ended twice")
	}
	x.over = true
	x.h.ended++
}

// pipe is one end of a two-way pipe.
type pipe struct {
	io.Reader
	io.Writer
	close func()
}

func (p pipe) Close() error { p.close(); return nil }

// serve starts an sftp-server in dir and returns its pipes.
func serve(t testing.TB, dir string) pipe {
	t.Helper()
	if _, err := os.Stat(serverPath); err != nil {
		if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
			t.Fatal(err)
		}
		t.Skip("no sftp-server: ", err)
	}
	cmd := exec.Command(serverPath, "-d", dir)
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
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return pipe{Reader: out, Writer: in, close: func() { _, _ = in.Close(), out.Close() }}
}

// through runs the gateway in front of a target; what it returns is the client's end and what waits for the end.
func through(t testing.TB, target io.ReadWriteCloser, h *host, opt transfer.Options) (pipe, func() error) {
	t.Helper()
	upR, upW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	downR, downW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		done <- sftp.Run(context.Background(), pipe{Reader: upR, Writer: downW, close: func() { _, _ = upR.Close(), downW.Close() }}, target, h, opt)
	}()
	var once sync.Once
	var result error
	end := func() error {
		once.Do(func() {
			_ = upW.Close()
			result = <-done
			_ = downR.Close()
		})
		return result
	}
	t.Cleanup(func() { _ = end() })
	return pipe{Reader: downR, Writer: upW, close: func() { _, _ = upW.Close(), downR.Close() }}, end
}

// tap keeps what the client got.
type tap struct{ h *host }

func (t tap) Write(p []byte) (int, error) {
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	return t.h.seen.Write(p)
}

// saw reports whether the client got a text.
func (h *host) saw(text string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Contains(h.seen.Bytes(), []byte(text))
}

// connect is a client of a real server through the gateway.
func connect(t testing.TB, h *host, opt transfer.Options, options ...pkgsftp.ClientOption) (c *pkgsftp.Client, dir string, end func() error) {
	t.Helper()
	dir = t.TempDir()
	p, end := through(t, serve(t, dir), h, opt)
	c, err := pkgsftp.NewClientPipe(io.TeeReader(p.Reader, tap{h}), p.Writer.(io.WriteCloser), options...)
	if err != nil {
		t.Fatal(err)
	}
	return c, dir, end
}
