package test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBrowser signs in with a form, in both ways a resource is reached.
func TestBrowser(t *testing.T) {
	g := start(t, nil)
	g.people(t)
	set := exec.Command(binary, "users", "set", "alice", "--password", "--data-dir", g.data)
	set.Stdin = strings.NewReader("correct horse battery staple\n")
	if out, err := set.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, base := range []string{g.url + "/r/debug", strings.Replace(g.url, "localhost", "debug.localhost", 1)} {
		c := g.client(t)
		port := g.url[strings.LastIndex(g.url, ":"):]
		c.Transport.(*http.Transport).DialContext = dialLocal("127.0.0.1" + port)
		c.Jar, _ = cookiejar.New(nil)
		ask := func(method, u, form, origin string) answer {
			req, _ := http.NewRequest(method, u, strings.NewReader(form))
			req.Header.Set("Accept", "text/html")
			if form != "" {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			if origin != "" {
				req.Header.Set("Origin", origin)
			}
			return g.do(t, c, req)
		}
		a := ask("GET", base+"/page", "", "")
		login, err := url.Parse(a.Header.Get("Location"))
		if a.StatusCode != 302 || err != nil || login.Path != "/.weir/login" {
			t.Fatalf("%s: %d %s", base, a.StatusCode, a.Header)
		}
		b, _ := url.Parse(base)
		to := b.ResolveReference(login).String()
		if a := ask("GET", to, "", ""); a.StatusCode != 200 || !strings.Contains(a.body, "<form") {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		form := url.Values{"user": {"alice"}, "password": {"wrong"}, "next": {login.Query().Get("next")}}
		if a := ask("POST", to, form.Encode(), ""); a.StatusCode != 401 {
			t.Errorf("a wrong password: %d", a.StatusCode)
		}
		form.Set("password", "correct horse battery staple")
		if a := ask("POST", to, form.Encode(), "https://evil.example"); a.StatusCode != 403 {
			t.Errorf("from another site: %d", a.StatusCode)
		}
		a = ask("POST", to, form.Encode(), "")
		next := a.Header.Get("Location")
		if a.StatusCode != 303 || !strings.HasPrefix(next, "/") {
			t.Fatalf("%d %s %s", a.StatusCode, next, a.body)
		}
		for _, k := range a.Cookies() {
			if !k.HttpOnly || !k.Secure || k.SameSite != http.SameSiteLaxMode {
				t.Errorf("cookie %+v", k)
			}
			k.Value = ""
		}
		n, _ := url.Parse(next)
		if a := ask("GET", b.ResolveReference(n).String(), "", ""); a.StatusCode != 200 || !strings.Contains(a.body, "[masked:") {
			t.Errorf("%s: %d %.200s", base, a.StatusCode, a.body)
		}
		form.Set("next", "//evil.example/")
		if a := ask("POST", to, form.Encode(), ""); strings.Contains(a.Header.Get("Location"), "evil") {
			t.Error("an open redirect")
		}
	}
}

// TestHostileClients sends garbage, stalls and sends endless headers: it costs bounded time and memory, and others are served.
func TestHostileClients(t *testing.T) {
	g := start(t, nil)
	g.people(t)
	key := g.access(t, "debug", "alice")
	c := g.client(t)
	pem, err := os.ReadFile(filepath.Join(g.data, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	port := g.url[strings.LastIndex(g.url, ":"):]
	dial := func() *tls.Conn {
		conn, err := tls.Dial("tcp", "127.0.0.1"+port, &tls.Config{RootCAs: pool, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	plain, err := net.Dial("tcp", "127.0.0.1"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	fmt.Fprint(plain, "\x00\x01\x02 garbage that is no TLS\r\n\r\n")
	var idle []*tls.Conn
	for range 200 { // never finish a header
		conn := dial()
		fmt.Fprint(conn, "GET /r/debug/env HTTP/1.1\r\nHost: localhost\r\nX: ")
		idle = append(idle, conn)
	}
	endless := dial()
	endless.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(endless, "GET /r/debug/env HTTP/1.1\r\nHost: localhost\r\n")
	line := []byte("X-Filler: " + strings.Repeat("x", 1000) + "\r\n")
	sent := 0
	for ; sent < 64<<20; sent += len(line) {
		if _, err := endless.Write(line); err != nil {
			break
		}
	}
	if sent >= 64<<20 {
		t.Error("headers without an end are read")
	}
	if a := g.get(t, c, &key, "/env"); a.StatusCode != 200 {
		t.Errorf("others are not served: %d", a.StatusCode)
	}
	idle[0].SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadAll(idle[0]); err != nil {
		t.Errorf("a stalled client is kept: %v", err)
	}
	if strings.Contains(g.log.String(), "panic") {
		t.Error(g.log.String())
	}
}
