package gatetest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Postgres is a PostgreSQL server that a test has started. It listens on loopback and on a socket in Dir, and speaks TLS with a certificate
// for "localhost" by the authority in CA.
type Postgres struct {
	Port     uint16
	User     string // a superuser
	Password string
	Dir      string // holds the data directory "data" and the socket
	CA       *x509.Certificate
	bin      string
	cred     *syscall.Credential
}

// binTable is where distributions put the server's programs, the newest version last.
var binTable = []string{
	"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/bin", "/usr/bin",
}

// StartPostgres starts a server with lines of configuration added, and stops it at the end of the test. Without PostgreSQL the test is skipped,
// or fails when WEIR_REQUIRE_SERVERS is set. Run by root, the server runs as the user postgres.
func StartPostgres(t testing.TB, conf ...string) *Postgres {
	t.Helper()
	p := &Postgres{User: "keeper", bin: findPostgres()}
	if p.bin == "" {
		if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
			t.Fatal("no PostgreSQL server found")
		}
		t.Skip("no PostgreSQL server found")
	}
	p.cred = postgresUser(t)
	dir, err := os.MkdirTemp("", "weirpg") //nolint:usetesting // the server's user must be able to reach it, and a socket's path is short
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p.Dir, p.Password = dir, "held-"+Canary+"-"+rand.Text()
	p.own(t, dir)
	pw := filepath.Join(dir, "pw")
	must(t, os.WriteFile(pw, []byte(p.Password), 0o600))
	p.own(t, pw)
	p.run(t, "initdb", "-D", p.data(), "-U", p.User, "--pwfile", pw, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync")
	p.certificates(t)
	p.Port = freePort(t)
	p.write(t, "postgresql.auto.conf", strings.Join(append([]string{
		"listen_addresses = '127.0.0.1'", fmt.Sprintf("port = %d", p.Port), fmt.Sprintf("unix_socket_directories = '%s'", dir),
		"fsync = off", "shared_buffers = 16MB", "max_connections = 100", "ssl = on", "ssl_cert_file = 'weir.crt'", "ssl_key_file = 'weir.key'",
	}, conf...), "\n")+"\n")
	p.start(t)
	return p
}

// HBA replaces pg_hba.conf and has it read.
func (p *Postgres) HBA(t testing.TB, lines ...string) {
	t.Helper()
	p.write(t, "pg_hba.conf", strings.Join(lines, "\n")+"\n")
	p.run(t, "pg_ctl", "reload", "-D", p.data())
}

// Exec runs statements as the superuser over the socket.
func (p *Postgres) Exec(t testing.TB, statements string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(p.bin, "psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1",
		"-h", p.Dir, "-p", strconv.Itoa(int(p.Port)), "-U", p.User, "-d", "postgres", "-f", "-")
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.Password)
	cmd.Stdin = strings.NewReader(statements)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// Roots is a pool with CA.
func (p *Postgres) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.CA)
	return pool
}

func (p *Postgres) data() string { return filepath.Join(p.Dir, "data") }

func (p *Postgres) write(t testing.TB, name, text string) {
	t.Helper()
	path := filepath.Join(p.data(), name)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	p.own(t, path)
}

func (p *Postgres) own(t testing.TB, path string) {
	t.Helper()
	if p.cred != nil {
		must(t, os.Chown(path, int(p.cred.Uid), int(p.cred.Gid)))
	}
}

func (p *Postgres) run(t testing.TB, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(p.bin, program), args...)
	cmd.Dir = p.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// start runs the server until the end of the test.
func (p *Postgres) start(t testing.TB) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(filepath.Join(p.bin, "postgres"), "-D", p.data()) //nolint:noctx // stopped by its signal
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.Dir, &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred}
	must(t, cmd.Start())
	var exit error
	ended := make(chan struct{})
	go func() { exit = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	until := time.Now().Add(60 * time.Second)
	for time.Now().Before(until) {
		select {
		case <-ended:
			t.Fatalf("postgres: %v\n%s", exit, log.String())
		default:
		}
		ready := exec.CommandContext(t.Context(), filepath.Join(p.bin, "pg_isready"), "-q", "-h", p.Dir, "-p", strconv.Itoa(int(p.Port)))
		if ready.Run() == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("postgres did not come up")
}

// certificates makes an authority and a certificate for localhost.
func (p *Postgres) certificates(t testing.TB) {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "weir test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must(t, err)
	p.CA, err = x509.ParseCertificate(der)
	must(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err = x509.CreateCertificate(rand.Reader, leaf, p.CA, &key.PublicKey, caKey)
	must(t, err)
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	p.write(t, "weir.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	p.write(t, "weir.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs})))
}

func findPostgres() string {
	for _, pattern := range binTable {
		dirs, _ := filepath.Glob(pattern)
		for i := len(dirs) - 1; i >= 0; i-- {
			if _, err := os.Stat(filepath.Join(dirs[i], "initdb")); err == nil {
				return dirs[i]
			}
		}
	}
	return ""
}

// postgresUser is who the server runs as; nil: who runs the test.
func postgresUser(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
			t.Fatal("PostgreSQL does not run as root, and there is no user postgres")
		}
		t.Skip("PostgreSQL does not run as root, and there is no user postgres")
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	must(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	must(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func freePort(t testing.TB) uint16 {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	a, err := strconv.ParseUint(l.Addr().String()[strings.LastIndexByte(l.Addr().String(), ':')+1:], 10, 16)
	must(t, err)
	return uint16(a)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
