package test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/vault/ca"
)

// TestUpstreamTLS reaches a target that shows a certificate of its own authority and asks for one, and refuses one it cannot verify.
func TestUpstreamTLS(t *testing.T) {
	dir := t.TempDir()
	authority, err := ca.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := authority.Leaf([]string{"billing.internal"})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(authority.Path())
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	var asked atomic.Int64
	target := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		fmt.Fprintf(w, "client certificate %s, user %v, cookie %q\n", r.TLS.PeerCertificates[0].Subject.CommonName, r.Header["Authorization"], r.Header.Get("Cookie"))
	}))
	// The leaf is for servers only, so its use is not checked here; that it is signed is.
	target.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}, ClientAuth: tls.RequireAnyClientCert, VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
		c, err := x509.ParseCertificate(raw[0])
		if err == nil {
			_, err = c.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		}
		return err
	}}
	target.StartTLS()
	t.Cleanup(target.Close)
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	cert, key := write("client.pem", "CERTIFICATE", leaf.Certificate[0]), write("client.key", "PRIVATE KEY", keyDER)
	g := &gateway{dir: t.TempDir()}
	g.data, g.config = filepath.Join(g.dir, "data"), filepath.Join(g.dir, "weir.yaml")
	port := freePort(t)
	g.url = fmt.Sprintf("https://localhost:%d", port)
	g.write(t, fmt.Sprintf(`data_dir: data
listen: {web: "127.0.0.1:%d"}
resources:
- {name: good, protocol: http, address: %[2]s, tls: {ca: %[3]s, cert: %[4]s, key: %[5]s, server_name: billing.internal}, credential: {user: app, password: {env: HELD}}}
- {name: unknown, protocol: http, address: %[2]s, tls: {cert: %[4]s, key: %[5]s, server_name: billing.internal}}
- {name: misnamed, protocol: http, address: %[2]s, tls: {ca: %[3]s, cert: %[4]s, key: %[5]s, server_name: other.internal}}
- {name: closed, protocol: http, address: "http://127.0.0.1:1"}
grants: [{groups: [developers], resources: ["*"]}]
`, port, target.URL, authority.Path(), cert, key))
	g.serve(t)
	t.Cleanup(func() { g.stop(t) })
	g.people(t)
	c := g.client(t)
	for name, want := range map[string]int{"good": 200, "unknown": 502, "misnamed": 502, "closed": 502} {
		k := g.access(t, name, "alice")
		a := g.get(t, c, &k, "/")
		if a.StatusCode != want || want == 200 && !strings.Contains(a.body, "client certificate weir, user [Basic [masked:") {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the target was asked %d times", n)
	}
	g.sweep(t)
}
