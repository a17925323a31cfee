// Package leaky is a small service that shows its own state as carelessly as real ones do: the target of the demonstration
// and of the end-to-end tests. expvar and pprof are Go's own.
//
// It must never be reachable by others than the gateway: it asks for a bearer token, and whoever starts it binds loopback.
package leaky

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"expvar"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// Service is one leaky service.
type Service struct {
	// Token is what callers must show as a bearer token; empty asks for none.
	Token string
	// Env is what the service knows: names and values as in an environment.
	Env []Variable
}

// Variable is one setting of the service.
type Variable struct{ Name, Value string }

// shown is what expvar publishes: its registry is one for the whole process.
var shownTable atomic.Pointer[Service]

// Handler returns the service's pages. The last Service whose Handler was made is what /debug/vars shows.
func (s *Service) Handler() http.Handler {
	if shownTable.Swap(s) == nil && expvar.Get("app") == nil {
		expvar.Publish("app", expvar.Func(func() any { return shownTable.Load().values() }))
	}
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", s.index)
	m.Handle("GET /debug/vars", expvar.Handler())
	m.HandleFunc("GET /debug/pprof/", pprof.Index)
	m.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	m.HandleFunc("GET /env", s.env)
	m.HandleFunc("GET /actuator/env", s.actuator)
	m.HandleFunc("GET /actuator/health", func(w http.ResponseWriter, _ *http.Request) { answer(w, "application/json", `{"status":"UP"}`) })
	m.HandleFunc("GET /actuator/heapdump", s.heap)
	m.HandleFunc("/echo", echo)
	m.HandleFunc("GET /crash", s.crash)
	m.HandleFunc("GET /events", s.events)
	m.HandleFunc("GET /ws", s.socket)
	m.HandleFunc("GET /encodings", s.encodings)
	m.HandleFunc("GET /page", s.page)
	m.HandleFunc("GET /config.xml", s.xml)
	m.HandleFunc("GET /config.yaml", s.yaml)
	m.HandleFunc("GET /big", s.big)
	m.HandleFunc("GET /cookie", s.cookie)
	m.HandleFunc("POST /admin/reload", func(w http.ResponseWriter, _ *http.Request) { answer(w, "text/plain", "reloaded\n") })
	return s.guard(m)
}

func (s *Service) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Token != "" && subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+s.Token)) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="leaky"`)
			http.Error(w, "this service wants its own credential", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, media, text string) {
	w.Header().Set("Content-Type", media)
	_, _ = io.WriteString(w, text)
}

func (s *Service) values() map[string]string {
	m := make(map[string]string, len(s.Env))
	for _, v := range s.Env {
		m[v.Name] = v.Value
	}
	return m
}

func (s *Service) index(w http.ResponseWriter, _ *http.Request) {
	answer(w, "text/plain; charset=utf-8", "A service that tells too much. Try:\n"+
		"  /debug/vars  /debug/pprof/cmdline  /env  /actuator/env  /actuator/heapdump\n"+
		"  /echo  /crash  /events  /encodings  /page  /config.xml  /config.yaml  /cookie  /big?mb=10  /ws\n")
}

func (s *Service) env(w http.ResponseWriter, _ *http.Request) {
	var b strings.Builder
	for _, v := range s.Env {
		fmt.Fprintf(&b, "%s=%s\n", v.Name, v.Value)
	}
	answer(w, "text/plain; charset=utf-8", b.String())
}

// actuator answers as Spring Boot's /actuator/env does when show-values is always.
func (s *Service) actuator(w http.ResponseWriter, _ *http.Request) {
	type value struct {
		Value  string `json:"value"`
		Origin string `json:"origin"`
	}
	props := make(map[string]value, len(s.Env))
	for _, v := range s.Env {
		name := strings.ToLower(strings.ReplaceAll(v.Name, "_", "."))
		props[name] = value{v.Value, `System Environment Property "` + v.Name + `"`}
	}
	b, _ := json.MarshalIndent(map[string]any{
		"activeProfiles":  []string{"demo"},
		"propertySources": []any{map[string]any{"name": "systemEnvironment", "properties": props}},
	}, "", "  ")
	answer(w, "application/vnd.spring-boot.actuator.v3+json", string(b)+"\n")
}

func (s *Service) heap(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write([]byte("JAVA PROFILE 1.0.2\x00\x00\x00\x00\x08"))
	for _, v := range s.Env {
		_, _ = w.Write([]byte(v.Name + "\x00" + v.Value + "\x00"))
	}
}

// echo answers with the request as it came in, the credential that the gateway added included.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
	if err != nil {
		http.Error(w, "the body is too large or was cut off", http.StatusBadRequest)
		return
	}
	b, _ := json.MarshalIndent(map[string]any{"method": r.Method, "url": r.URL.String(), "headers": r.Header, "body": string(body)}, "", "  ")
	w.Header().Set("X-Echo-Authorization", r.Header.Get("Authorization"))
	answer(w, "application/json", string(b)+"\n")
}

// crash fails as frameworks do in debug mode: with a stack trace and the settings.
func (s *Service) crash(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprintf(w, "panic: %v\n\nrequest headers: %v\nsettings: %+v\n\n%s", p, r.Header, s.Env, debug.Stack())
		}
	}()
	var dsn string
	for _, v := range s.Env {
		if strings.Contains(v.Name, "URL") {
			dsn = v.Value
		}
	}
	panic("cannot connect to " + dsn)
}

func (s *Service) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i, v := range s.Env {
		b, _ := json.Marshal(map[string]string{v.Name: v.Value})
		if _, err := fmt.Fprintf(w, "id: %d\nevent: setting\ndata: %s\n\n", i, b); err != nil {
			return
		}
		flush(w)
		select {
		case <-time.After(20 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// socket sends the settings and then repeats what it gets.
func (s *Service) socket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // the gateway checked the origin
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	ctx, stop := context.WithTimeout(r.Context(), 10*time.Minute)
	defer stop()
	b, _ := json.Marshal(s.values())
	if c.Write(ctx, websocket.MessageText, b) != nil {
		return
	}
	for {
		kind, msg, err := c.Read(ctx)
		if err != nil || c.Write(ctx, kind, msg) != nil {
			return
		}
	}
}

// encodings writes the credential that the service is called with in ways that a search for the plain value misses.
func (s *Service) encodings(w http.ResponseWriter, r *http.Request) {
	var b strings.Builder
	for _, v := range []Variable{{"own credential", s.Token}} {
		raw := []byte(v.Value)
		slices.Reverse(raw)
		esc := ""
		for _, c := range []byte(v.Value) {
			esc += fmt.Sprintf(`\u%04x`, c)
		}
		fmt.Fprintf(&b, "%s\n  plain   %s\n  base64  %s\n  hex     %s\n  url     %s\n  reverse %s\n  json    \"%s\"\n", v.Name, v.Value,
			base64.StdEncoding.EncodeToString([]byte(v.Value)), hex.EncodeToString([]byte(v.Value)), url.QueryEscape(v.Value), raw, esc)
	}
	_ = r
	answer(w, "text/plain; charset=utf-8", b.String())
}

// page is like phpinfo().
func (s *Service) page(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	b.WriteString("<!doctype html><title>info</title><table>\n")
	for _, v := range s.Env {
		b.WriteString("<tr><td class=\"e\">" + v.Name + "</td><td class=\"v\">")
		_ = xml.EscapeText(&b, []byte(v.Value))
		b.WriteString("</td></tr>\n")
	}
	b.WriteString("</table>\n")
	answer(w, "text/html; charset=utf-8", b.String())
}

func (s *Service) xml(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\"?>\n<configuration>\n")
	for _, v := range s.Env {
		b.WriteString("  <property><name>" + v.Name + "</name><value>")
		_ = xml.EscapeText(&b, []byte(v.Value))
		b.WriteString("</value></property>\n")
	}
	b.WriteString("</configuration>\n")
	answer(w, "application/xml", b.String())
}

func (s *Service) yaml(w http.ResponseWriter, _ *http.Request) {
	var b strings.Builder
	b.WriteString("settings:\n")
	for _, v := range s.Env {
		fmt.Fprintf(&b, "  %s: %q\n", strings.ToLower(v.Name), v.Value)
	}
	answer(w, "application/yaml", b.String())
}

// big is a JSON document of many MB with a secret now and then.
func (s *Service) big(w http.ResponseWriter, r *http.Request) {
	mb, err := strconv.Atoi(r.URL.Query().Get("mb"))
	if err != nil || mb < 1 || mb > 4096 {
		mb = 1
	}
	w.Header().Set("Content-Type", "application/json")
	row := `{"id":1234567,"name":"an ordinary row of an ordinary table","status":"shipped","note":"nothing to see here, move along"},` + "\n"
	block := strings.Repeat(row, 64<<10/len(row))
	_, _ = io.WriteString(w, "[\n")
	for n := 0; n < mb<<20; n += len(block) {
		if _, err := io.WriteString(w, block); err != nil {
			return
		}
		if len(s.Env) > 0 {
			b, _ := json.Marshal(map[string]string{"password": s.Env[0].Value})
			_, _ = w.Write(append(b, ',', '\n'))
		}
	}
	_, _ = io.WriteString(w, "{}]\n")
}

func (s *Service) cookie(w http.ResponseWriter, _ *http.Request) {
	for _, v := range s.Env {
		http.SetCookie(w, &http.Cookie{Name: strings.ToLower(v.Name), Value: url.QueryEscape(v.Value), Path: "/", HttpOnly: true, Secure: true})
	}
	answer(w, "text/plain", "cookies set\n")
}
