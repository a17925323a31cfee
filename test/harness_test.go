package test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/server/leaky"
	"weir/service"
)

// binary is the program under test, built once as users build it.
var binary string

func TestMain(m *testing.M) {
	if spec := os.Getenv("WEIR_BENCH_PROXY"); spec != "" {
		listen, target, _ := strings.Cut(spec, " ")
		proxyMain(listen, target)
	}
	if spec := os.Getenv("WEIR_BENCH_RELAY"); spec != "" {
		part := strings.Split(spec, " ")
		relayMain(part[0], part[1], part[2])
	}
	dir, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "weir")
	build := exec.Command("go", "build", "-o", binary, "weir/cmd/weir")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// needs skips a test without the program, unless everything must be there.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
			t.Fatalf("%s is missing; make test installs it", program)
		}
		t.Skipf("%s is missing", program)
	}
}

// canaries are the secrets of the leaky service: none of them may ever be seen on the client's side.
var canaries = []leaky.Variable{
	{Name: "DB_PASSWORD", Value: "CANARYdbQ7xkV2mWz9"},
	{Name: "DATABASE_URL", Value: "postgres://app:CANARYurlB4nRt8Kp@10.0.0.5:5432/app"},
	{Name: "AWS_SECRET_ACCESS_KEY", Value: "CANARYawsGh3/Yt6Rw0Qm5Zx1Lk8Nc2Vb7Jd4Fs"},
	{Name: "STRIPE_API_KEY", Value: "sk_live_CANARYstripe51Hx8Yk2Lm9Qw"},
}

const held = "CANARYheld-Zt5Xq8Wn3Rv6Lk1Pd"

// words are what the sweep looks for: the middle of each canary, so that a part of one counts too.
var words = []string{"CANARYdb", "CANARYurl", "CANARYaws", "CANARYstripe", "CANARYheld", "Q7xkV2mWz9", "B4nRt8Kp", "Zt5Xq8Wn3Rv6Lk1Pd"}

// gateway is a running weir serve.
type gateway struct {
	dir, data, config, url string
	cmd                    *exec.Cmd
	log                    *buffer
	target                 *httptest.Server
	exited                 chan error

	mu   sync.Mutex
	seen bytes.Buffer // everything that clients, the API and the command line got
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const configText = `data_dir: data
listen: {web: "127.0.0.1:%d"}
resources:
  - name: debug
    protocol: http
    address: %s
    credential: {bearer: {env: HELD}}
  - name: other
    protocol: http
    address: %s
grants:
  - {groups: [developers], resources: [debug], for: 1h}
hold: {wait: 2s}
rules:
  - {name: no-admin, match: {paths: ["/admin/**"]}, then: deny}
  - {name: crashes, match: {paths: ["/crash"]}, then: approve, approvers: {groups: [managers]}, wait: 20s}
  - {name: posts, match: {methods: [DELETE]}, then: approve, approvers: {groups: [managers]}}
%s`

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// start starts a gateway in front of a leaky service, or of h.
func start(t *testing.T, h http.Handler) *gateway {
	t.Helper()
	if h == nil {
		h = (&leaky.Service{Token: held, Env: canaries}).Handler()
	}
	g := &gateway{dir: t.TempDir(), target: httptest.NewServer(h)}
	t.Cleanup(g.target.Close)
	g.data, g.config = filepath.Join(g.dir, "data"), filepath.Join(g.dir, "weir.yaml")
	port := freePort(t)
	g.url = fmt.Sprintf("https://localhost:%d", port)
	g.write(t, fmt.Sprintf(configText, port, g.target.URL, g.target.URL, ""))
	g.serve(t)
	t.Cleanup(func() { g.stop(t) })
	return g
}

func (g *gateway) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve runs the program and waits until it is ready.
func (g *gateway) serve(t *testing.T) {
	t.Helper()
	if g.log == nil {
		g.log = &buffer{}
	}
	g.cmd = exec.Command(binary, "serve", "--config", g.config)
	g.cmd.Env = append(os.Environ(), "HELD="+held)
	g.cmd.Stderr, g.cmd.Stdout = g.log, g.log
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g.exited = make(chan error, 1)
	cmd, exited := g.cmd, g.exited
	go func() { exited <- cmd.Wait() }()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		select {
		case err := <-g.exited:
			t.Fatalf("weir ended: %v\n%s", err, g.log)
		default:
		}
		if _, err := os.Stat(filepath.Join(g.data, "ca.pem")); err == nil {
			resp, err := g.client(t).Get(g.url + "/readyz")
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode == 200 {
					return
				}
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("weir is not ready\n%s", g.log)
}

// stop ends the gateway as an operator does.
func (g *gateway) stop(t *testing.T) {
	t.Helper()
	if g.cmd == nil {
		return
	}
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-g.exited:
		if err != nil {
			t.Errorf("weir ended with %v\n%s", err, g.log)
		}
	case <-time.After(20 * time.Second):
		_ = g.cmd.Process.Kill()
		t.Error("weir did not stop")
	}
	g.cmd = nil
}

func (g *gateway) keep(b []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen.Write(b)
	g.seen.WriteByte('\n')
}

// client trusts the gateway's own CA.
func (g *gateway) client(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(g.data, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 60 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// weir runs the command line at the gateway's own machine and returns what it printed.
func (g *gateway) weir(t *testing.T, args ...string) string {
	t.Helper()
	out, code := g.try(t, nil, append(args, "--data-dir", g.data)...)
	if code != 0 {
		t.Fatalf("weir %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// try runs the command line with an environment and returns output and exit code.
func (g *gateway) try(t *testing.T, env []string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(append(os.Environ(), "HOME="+g.dir, "XDG_CONFIG_HOME="+g.dir), env...)
	out, err := cmd.CombinedOutput()
	g.keep(out)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// alice gets an access key for a resource.
func (g *gateway) access(t *testing.T, resource, user string) service.Access {
	t.Helper()
	return decode[service.Access](t, g.weir(t, "access", resource, "--as", user, "-o", "json"))
}

// people adds a developer and a manager and returns their tokens.
func (g *gateway) people(t *testing.T) (alice, morgan string) {
	t.Helper()
	g.weir(t, "users", "add", "alice", "--groups", "developers")
	g.weir(t, "users", "add", "morgan", "--groups", "managers")
	token := func(user string) string {
		return decode[service.IssuedToken](t, g.weir(t, "tokens", "add", "--user", user, "-o", "json")).Secret
	}
	return token("alice"), token("morgan")
}

// answer is what a client got.
type answer struct {
	*http.Response
	body string
}

func (g *gateway) do(t *testing.T, c *http.Client, req *http.Request) answer {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var head bytes.Buffer
	_ = resp.Header.Write(&head)
	g.keep(head.Bytes())
	g.keep(b)
	return answer{resp, string(b)}
}

func (g *gateway) get(t *testing.T, c *http.Client, a *service.Access, path string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", g.url+"/r/"+a.Resource+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(a.Login, a.Secret)
	return g.do(t, c, req)
}

// sweep looks for canaries in everything the gateway gave out or wrote down.
func (g *gateway) sweep(t *testing.T) {
	t.Helper()
	look := func(where string, b []byte) {
		for _, w := range words {
			if i := bytes.Index(b, []byte(w)); i >= 0 {
				t.Errorf("%s holds %q: …%q…", where, w, b[max(0, i-80):min(len(b), i+80)])
			}
		}
	}
	g.mu.Lock()
	look("what clients got", g.seen.Bytes())
	g.mu.Unlock()
	look("the log", []byte(g.log.String()))
	files := 0
	err := filepath.WalkDir(g.data, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		look(path, b)
		return err
	})
	if err != nil || files < 6 {
		t.Errorf("swept %d files: %v", files, err)
	}
}

// dialLocal dials one address whatever name is asked for: names below localhost need not resolve.
func dialLocal(addr string) func(ctx context.Context, network, _ string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
}
