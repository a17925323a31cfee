package httpgate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/httpgate"
	"weir/gate/session"
	"weir/gate/wire"
	"weir/vault/secret"
)

// presented is the access key that clients of the tests show. It must never reach a target.
const presented = "CANARYpresented7777"

// held is the credential that the gateway holds for the target. It must never reach a client.
const held = "CANARYheld5555"

// rig is a gateway before a real target, with bendable controls.
type rig struct {
	controls *gatetest.Controls
	gate     *session.Gate
	handler  *httpgate.Handler
	web      *httptest.Server
	target   *httptest.Server
	faults   []string
}

type rigOptions struct {
	target    func(*httpgate.Target)
	options   func(*httpgate.Options)
	controls  func(*gatetest.Controls)
	transport *http.Transport
	tls       bool // the client's side speaks TLS with HTTP/2
	base      string
	tb        *httptest.Server
}

func newRig(t testing.TB, target http.Handler, o rigOptions) *rig {
	t.Helper()
	r := &rig{controls: &gatetest.Controls{}}
	r.controls.OnAdmit = admit
	if o.controls != nil {
		o.controls(r.controls)
	}
	r.gate = r.controls.Gate(t)
	if r.target = o.tb; r.target == nil {
		r.target = httptest.NewServer(target)
	}
	u, err := url.Parse(r.target.URL + o.base)
	if err != nil {
		t.Fatal(err)
	}
	tr := o.transport
	if tr == nil {
		tr = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	}
	tg := httpgate.Target{URL: u, RoundTripper: tr}
	if o.target != nil {
		o.target(&tg)
	}
	ready, err := httpgate.NewTarget(tg)
	if err != nil {
		t.Fatal(err)
	}
	opt := httpgate.Options{Hosts: []string{"weir.test"}, Now: time.Now, OnFault: func(where string, err error) { r.faults = append(r.faults, where+": "+err.Error()) }}
	if o.options != nil {
		o.options(&opt)
	}
	r.handler, err = httpgate.New(r.gate, func(name string) (*httpgate.Target, bool) { return ready, name == "res" }, opt)
	if err != nil {
		t.Fatal(err)
	}
	r.web = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !r.handler.Matches(req) && req.Header.Get("X-Test-Force") == "" {
			http.NotFound(w, req)
			return
		}
		r.handler.ServeHTTP(w, req)
	}))
	r.web.Listener = wire.Listen(r.web.Listener, 200)
	r.web.Config.ConnContext = wire.ConnContext
	if o.tls {
		r.web.EnableHTTP2 = true
		r.web.StartTLS()
	} else {
		r.web.Start()
	}
	t.Cleanup(func() {
		r.web.CloseClientConnections()
		r.web.Close()
		r.handler.Close()
		tr.CloseIdleConnections()
		r.target.CloseClientConnections()
		r.target.Close()
	})
	return r
}

// admit lets in who shows the presented key, to any resource but "forbidden" and "unknown".
func admit(h *session.Hello) (*session.Admission, error) {
	want := secret.New(presented)
	if !h.Secret.Equal(want) || h.Resource == "forbidden" || h.Resource == "unknown" {
		return nil, &weir.Denied{Kind: weir.DeniedIdentity, Reason: "not authorized"}
	}
	return &session.Admission{
		Identity: weir.Identity{User: "usr_1", Name: "alice", Kind: weir.Human, Method: "access_key"},
		Resource: weir.Resource{Name: h.Resource, Protocol: weir.HTTP, RecordCap: 1 << 20},
		Expires:  time.Now().Add(time.Hour),
	}, nil
}

// client does not follow redirects nor decode.
func (r *rig) client() *http.Client {
	c := r.web.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if tr, ok := c.Transport.(*http.Transport); ok {
		tr.DisableCompression = true
	}
	return c
}

// request makes an authenticated request in path mode.
func (r *rig) request(t testing.TB, method, path string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.web.URL+"/r/res"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+presented)
	return req
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
	err  error
}

func (a *answer) problem(t testing.TB) map[string]any {
	t.Helper()
	if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("status %d, content type %q, body %.300q: no problem document", a.StatusCode, ct, a.body)
	}
	var p map[string]any
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatal(err)
	}
	if a.Header.Get("Cache-Control") != "no-store" || p["type"] == "" || p["title"] == "" || p["detail"] == "" {
		t.Errorf("incomplete problem: %v %v", p, a.Header)
	}
	return p
}

func (r *rig) do(t testing.TB, req *http.Request) *answer {
	t.Helper()
	resp, err := r.client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return &answer{Response: resp, body: string(b), err: err}
}

func (r *rig) get(t testing.TB, path string, header ...string) *answer {
	t.Helper()
	req := r.request(t, "GET", path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		if strings.EqualFold(header[i], "Host") {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	return r.do(t, req)
}

// raw sends bytes over TCP and reads one answer; rest is what came behind it until the connection closed or stalled.
func (r *rig) raw(t testing.TB, text string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", r.web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	return resp, string(b)
}

func (r *rig) records(kind weir.RecordKind) []weir.Record {
	var out []weir.Record
	for _, rec := range r.controls.Records() {
		if rec.Kind == kind {
			out = append(out, rec)
		}
	}
	return out
}

// eventually waits for what another goroutine is about to do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

// seen keeps what a target got.
type seen struct {
	mu   sync.Mutex
	reqs []*http.Request
	body []string
}

func (s *seen) wrap(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.reqs = append(s.reqs, r)
		s.body = append(s.body, string(b))
		s.mu.Unlock()
		if next != nil {
			next(w, r)
		}
	}
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.reqs)
}

// bodies is a copy of what has come so far; a refused request may still be
// on its way out of the target's handler.
func (s *seen) bodies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.body)
}

func (s *seen) last(t testing.TB) (*http.Request, string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.reqs) == 0 {
		t.Fatal("the target saw nothing")
	}
	return s.reqs[len(s.reqs)-1], s.body[len(s.body)-1]
}

func mustURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
