package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/postgres"
	"weir/gate/session"
	"weir/vault/secret"
)

const (
	pgLogin  = "orders.k7f3q2"
	pgSecret = "weir-test-secret-4b7d1c"
)

// pgGate is a gateway for tests, on a port of its own.
type pgGate struct {
	controls gatetest.Controls
	gate     *session.Gate // nil: one of the controls
	port     int
	ca       string // file
	leaf     tls.Certificate
	pool     *x509.CertPool
	target   *postgres.Target
	opt      postgres.Options

	mu   sync.Mutex
	errs []error
	last postgres.CodecOptions
	wg   sync.WaitGroup
}

func scramVerifier(t *testing.T, password string) *session.SCRAMVerifier {
	t.Helper()
	v := &session.SCRAMVerifier{Salt: []byte("salt-of-the-test"), Iterations: 4096}
	salted, err := pbkdf2.Key(sha256.New, password, v.Salt, v.Iterations, 32)
	if err != nil {
		t.Fatal(err)
	}
	mac := func(what string) []byte { m := hmac.New(sha256.New, salted); m.Write([]byte(what)); return m.Sum(nil) }
	stored := sha256.Sum256(mac("Client Key"))
	v.StoredKey, v.ServerKey = stored[:], mac("Server Key")
	return v
}

// admit does what the real Admitter promises.
func (g *pgGate) admit(t *testing.T) func(*session.Hello) (*session.Admission, error) {
	known, madeUp := scramVerifier(t, pgSecret), scramVerifier(t, rand.Text())
	return func(h *session.Hello) (*session.Admission, error) {
		no := func(err error) (*session.Admission, error) {
			return nil, &weir.Denied{Kind: weir.DeniedIdentity, Reason: "not authorized", Hint: "get access with: weir access RESOURCE", Err: err}
		}
		method := "access_key"
		switch {
		case h.Proof != nil && h.Proof.SCRAM != nil:
			v := madeUp
			if h.Login == pgLogin {
				v = known
			}
			if err := h.Proof.SCRAM(t.Context(), v); err != nil {
				return no(err)
			}
		case h.Proof != nil && h.Proof.Certificate != nil:
			method = "certificate"
			if h.Proof.Certificate.User != "usr_1" || h.Resource != "orders" {
				return no(errors.New("certificate"))
			}
		default:
			method = "token"
			if !h.Secret.Equal(secret.New(pgSecret)) || h.Resource != "orders" || h.Login != "orders" && h.Login != "alice" {
				return no(errors.New("token"))
			}
		}
		return &session.Admission{
			Identity: weir.Identity{User: "usr_1", Name: "alice", Kind: weir.Human, Method: method},
			Resource: weir.Resource{Name: "orders", Protocol: weir.Postgres, RecordCap: 1 << 20}, Expires: time.Now().Add(time.Hour),
		}, nil
	}
}

func newPGGate(t *testing.T, cfg postgresConfig, change ...func(*pgGate)) *pgGate {
	t.Helper()
	g := &pgGate{}
	g.controls.OnAdmit = g.admit(t)
	g.certificates(t)
	d, err := newPostgresDialer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g.target = &postgres.Target{Database: "postgres", Databases: []string{"template1"}, Connect: d.connect, Catalog: d.catalog}
	conf := &tls.Config{Certificates: []tls.Certificate{g.leaf}, ClientCAs: g.pool}
	over := &postgresTLS{config: func() *tls.Config { return conf }, identify: func(c *x509.Certificate) (*session.Certificate, error) {
		return &session.Certificate{User: weir.UserID(c.Subject.CommonName), Serial: 1, Expires: c.NotAfter}, nil
	}}
	g.opt = postgres.Options{
		Secret: func(_, _, _ string) bool { return false }, SecretSetting: func(string) bool { return false },
		Now: time.Now, StartTLS: over.start, OnFault: func(where string, err error) { t.Log("fault:", where, err) },
		Codec: func(o postgres.CodecOptions) session.Codec {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.last = o
			return postgres.NewCodec(o)
		},
	}
	for _, f := range change {
		f(g)
	}
	target, err := postgres.NewTarget(*g.target)
	if err != nil {
		t.Fatal(err)
	}
	if g.gate == nil {
		g.gate = g.controls.Gate(t)
	}
	h, err := postgres.New(g.gate, func(name string) (*postgres.Target, bool) { return target, name == "orders" }, g.opt)
	if err != nil {
		t.Fatal(err)
	}
	g.listen(t, h)
	return g
}

func (g *pgGate) listen(t *testing.T, h *postgres.Handler) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.port = l.Addr().(*net.TCPAddr).Port
	ctx, cancel := context.WithCancel(context.Background())
	g.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.wg.Go(func() {
				err := h.Serve(ctx, c.(*net.TCPConn), weir.Client{Addr: c.RemoteAddr().(*net.TCPAddr).AddrPort()})
				g.mu.Lock()
				defer g.mu.Unlock()
				g.errs = append(g.errs, err)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); cancel(); g.wg.Wait() })
}

// ended lists how connections ended so far.
func (g *pgGate) ended() []error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]error(nil), g.errs...)
}

func (g *pgGate) certificates(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "usr_1"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	g.leaf, g.pool = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, x509.NewCertPool()
	g.pool.AddCert(parsed)
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	g.ca = filepath.Join(dir, "ca.pem")
	for name, b := range map[string]*pem.Block{"ca.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// dsn is how clients connect; more settings win.
func (g *pgGate) dsn(more string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s sslmode=verify-full sslrootcert=%s %s", g.port, pgLogin, pgSecret, g.ca, more)
}

func (g *pgGate) psql(t *testing.T, more, statement string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "psql", "-X", "-w", "-At", g.dsn(more), "-c", statement)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// options are what the last session was made with.
func (g *pgGate) options() postgres.CodecOptions {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// one connects by pgx and reads one value.
func (g *pgGate) one(t *testing.T, more, statement string) (string, error) {
	t.Helper()
	c, err := pgconn.Connect(t.Context(), g.dsn(more))
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close(context.Background()) }()
	rs, err := c.Exec(t.Context(), statement).ReadAll()
	if err != nil {
		return "", err
	}
	return string(rs[0].Rows[0][0]), nil
}

func direct(pg *gatetest.Postgres) postgresConfig {
	return postgresConfig{
		hosts: []postgresHost{{pg.Dir, pg.Port}}, user: pg.User, password: secret.New(pg.Password), mode: "disable", timeout: 5 * time.Second,
	}
}
