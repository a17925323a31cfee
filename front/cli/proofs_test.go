package cli_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/access/approval"
	"weir/access/identity"
	"weir/evidence/audit"
	"weir/evidence/journal"
	"weir/evidence/record"
	"weir/front/api"
	"weir/front/cli"
	"weir/gate/gatetest"
	"weir/gate/session"
	"weir/rules/policy"
	"weir/service"
	"weir/state"
	"weir/vault/ca"
	"weir/vault/secret"
)

// rig is a service with its API, a web resource and an SSH listener that lets in whom the identity authority lets in.
type rig struct {
	who      *identity.Authority
	sshCA    *ca.SSH
	clientCA *ca.Authority
	url      string
	token    string
	alice    identity.User
	dir      string
	revoked  []identity.Revocation
	sshHost  string
	sshPort  int
	audit    *audit.Log
	web      *httptest.Server
	commands chan string
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir(), commands: make(chan string, 10)}
	db := must[*state.DB](t)(state.Open(t.Context(), filepath.Join(r.dir, "state.db"), time.Now))
	t.Cleanup(func() { db.Close() })
	ent := must[*identity.Entitlements](t)(identity.NewEntitlements([]identity.Entitlement{{Groups: []string{"developers"}, Resources: []string{"*"}, For: time.Hour}}))
	protocols := map[string]weir.Protocol{"debug": weir.HTTP, "web-1": weir.SSH, "orders": weir.Postgres}
	r.who = must[*identity.Authority](t)(identity.New(db, time.Now, rand.Reader, identity.Options{
		Resources: func(n string) (weir.Resource, bool) {
			p, ok := protocols[n]
			return weir.Resource{Name: n, Protocol: p}, ok
		},
		OnRevoke: func(x identity.Revocation) { r.revoked = append(r.revoked, x) }, Entitlements: ent,
	}))
	r.sshCA = must[*ca.SSH](t)(ca.OpenSSH(r.dir, time.Now))
	r.clientCA = must[*ca.Authority](t)(ca.Open(r.dir, time.Now))
	leaf := must[*tls.Certificate](t)(r.clientCA.Leaf([]string{"127.0.0.1"}))
	r.web = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		login, text, _ := q.BasicAuth()
		a, err := r.who.Admit(q.Context(), &session.Hello{Protocol: weir.HTTP, Resource: "debug", Login: login, Secret: secret.New(text)})
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		b, _ := io.ReadAll(q.Body)
		fmt.Fprintf(w, "%s %s for %s %s", q.Method, q.URL.Path, a.Identity.Name, b)
	}))
	r.web.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}}
	r.web.StartTLS()
	t.Cleanup(r.web.Close)
	r.listenSSH(t)

	key, err := journal.OpenKey(filepath.Join(r.dir, "journal.key"))
	if err != nil {
		t.Fatal(err)
	}
	open := func(name string) *journal.Journal {
		j := must[*journal.Journal](t)(journal.Open(journal.Options{Dir: filepath.Join(r.dir, name), Signer: key, Now: time.Now}))
		t.Cleanup(func() { j.Close() })
		return j
	}
	r.audit = audit.New(open("audit"))
	records := must[*record.Store](t)(record.New(t.Context(), open("sessions")))
	board := must[*approval.Board](t)(approval.New(db, time.Now, func(p string) string { return p + rand.Text() }, approval.Options{}))
	base := must[*url.URL](t)(url.Parse(r.web.URL + "/r/debug/"))
	s := must[*service.Service](t)(service.New(service.Parts{
		Identity: r.who, Approvals: board, Gate: (&gatetest.Controls{}).Gate(t), Records: records, Audit: r.audit, Policy: &policy.Live{},
		Resources: func() []service.Resource {
			return []service.Resource{
				{Resource: weir.Resource{Name: "debug", Protocol: weir.HTTP}, URL: base},
				{Resource: weir.Resource{Name: "web-1", Protocol: weir.SSH}, Host: r.sshHost, Port: r.sshPort},
				{Resource: weir.Resource{Name: "orders", Protocol: weir.Postgres}, Host: "127.0.0.1", Port: 1, Database: "orders db"},
			}
		},
		CA: r.clientCA.Path, ClientCA: r.clientCA, SSHCA: r.sshCA,
		SSH:    func() (string, int, []byte, bool) { return r.sshHost, r.sshPort, r.sshCA.HostCA(), true },
		Verify: func(context.Context) (*service.Evidence, error) { return nil, nil },
		Mask:   func(_, text string) string { return text }, Now: time.Now,
	}))
	h := must[*api.Handler](t)(api.New(s, api.Options{Version: "test", Log: slog.New(slog.DiscardHandler)}))
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	r.url = srv.URL
	r.alice = must[identity.User](t)(r.who.AddUser(t.Context(), identity.NewUser{Name: "alice", Kind: weir.Human, Groups: []string{"developers"}}))
	r.token = r.tokenOf(t, &r.alice)
	return r
}

func (r *rig) tokenOf(t *testing.T, u *identity.User) string {
	t.Helper()
	_, issued, err := r.who.CreateToken(t.Context(), identity.NewToken{User: u.ID, By: "test"})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := issued.Show()
	return text
}

// listenSSH answers exec requests with what was asked and exit status 7.
func (r *rig) listenSSH(t *testing.T) {
	t.Helper()
	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { ln.Close() })
	r.sshHost, r.sshPort = "127.0.0.1", ln.Addr().(*net.TCPAddr).Port
	cfg := &ssh.ServerConfig{PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		p := &session.Proof{PublicKey: key.Marshal()}
		if cert, ok := key.(*ssh.Certificate); ok {
			u, err := r.sshCA.CheckUser(cert)
			if err != nil {
				return nil, err
			}
			p = &session.Proof{Certificate: &session.Certificate{User: weir.UserID(u.ID), ID: weir.CredentialID(u.Credential), Serial: u.Serial, Expires: u.Expires}}
		}
		a, err := r.who.Admit(context.Background(), &session.Hello{Protocol: weir.SSH, Login: c.User(), Proof: p})
		if err != nil {
			return nil, err
		}
		return &ssh.Permissions{Extensions: map[string]string{"who": a.Identity.Name + " by " + a.Identity.Method}}, nil
	}}
	cfg.AddHostKey(must[ssh.Signer](t)(r.sshCA.SignHost([]string{"127.0.0.1"}, time.Hour)))
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serveSSH(conn, cfg)
		}
	}()
}

func serveSSH(conn net.Conn, cfg *ssh.ServerConfig) {
	defer conn.Close()
	sc, chans, reqs, err := ssh.NewServerConn(conn, cfg)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(reqs)
	for nc := range chans {
		ch, rs, err := nc.Accept()
		if err != nil {
			return
		}
		for q := range rs {
			if q.Type != "exec" {
				_ = q.Reply(q.WantReply, nil)
				continue
			}
			_ = q.Reply(true, nil)
			fmt.Fprintf(ch, "%s ran %s", sc.Permissions.Extensions["who"], q.Payload[4:])
			_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ N uint32 }{7}))
			_ = ch.Close()
		}
	}
}

// weir runs a command line as whoever has the token.
func (r *rig) weir(t *testing.T, token, in string, args ...string) (out string, code int) {
	t.Helper()
	o, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"WEIR_TOKEN": token}
	t.Setenv("WEIR_URL", r.url)
	code = cli.Run(t.Context(), args, "test", func(k string) (string, bool) { v, ok := env[k]; return v, ok },
		cli.Streams{In: strings.NewReader(in), Out: o, Err: o}, cli.Local{})
	b, err := os.ReadFile(o.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b), code
}

func (r *rig) ok(t *testing.T, args ...string) string {
	t.Helper()
	out, code := r.weir(t, r.token, "", args...)
	if code != 0 {
		t.Fatalf("weir %v: exit %d\n%s", args, code, out)
	}
	return out
}

func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
			t.Fatalf("%s is missing", p)
		}
		t.Skipf("%s is missing", p)
	}
}

func run(t *testing.T, name string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(name, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestSSHKeys(t *testing.T) {
	needs(t, "ssh", "ssh-keygen")
	r := newRig(t)
	bob := must[identity.User](t)(r.who.AddUser(t.Context(), identity.NewUser{Name: "bob", Kind: weir.Human}))
	root := must[identity.User](t)(r.who.AddUser(t.Context(), identity.NewUser{Name: "root", Kind: weir.Human, Admin: true}))
	bobToken, rootToken := r.tokenOf(t, &bob), r.tokenOf(t, &root)
	key := filepath.Join(t.TempDir(), "id")
	run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "alice@laptop", "-f", key)
	shown, _ := run(t, "ssh-keygen", "-l", "-f", key)
	fingerprint := strings.Fields(shown)[1]

	if out, code := r.weir(t, r.token, "", "ssh", "keys", "add", key); code != 2 || !strings.Contains(out, "private key") {
		t.Errorf("a private key: %d %s", code, out)
	}
	line := string(must[[]byte](t)(os.ReadFile(key + ".pub")))
	if out, code := r.weir(t, r.token, line, "ssh", "keys", "add", "-"); code != 0 || !strings.Contains(out, fingerprint) {
		t.Fatalf("%d %s", code, out)
	}
	if out := r.ok(t, "ssh", "keys", "ls"); !strings.Contains(out, fingerprint) || !strings.Contains(out, "alice@laptop") || !strings.Contains(out, "never") {
		t.Error(out)
	}
	login := func() (string, int) {
		return run(t, "ssh", "-F", "none", "-p", fmt.Sprint(r.sshPort), "-i", key, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
			"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "web-1@127.0.0.1", "uptime")
	}
	if out, code := login(); code != 7 || out != "alice by ssh_key ran uptime" {
		t.Errorf("ssh: %d %s", code, out)
	}
	for name, args := range map[string][]string{
		"bob removes alice's": {"ssh", "keys", "rm", fingerprint}, "bob lists alice's": {"ssh", "keys", "ls", "--user", "alice"},
		"bob adds for alice": {"ssh", "keys", "add", key + ".pub", "--user", "alice"}, "bob takes the key": {"ssh", "keys", "add", key + ".pub"},
	} {
		if out, code := r.weir(t, bobToken, "", args...); code == 0 || strings.Contains(out, "alice@laptop") {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
	if out, code := r.weir(t, rootToken, "", "ssh", "keys", "rm", fingerprint); code != 0 {
		t.Errorf("an administrator: %d %s", code, out)
	}
	if out, code := login(); code != 255 {
		t.Errorf("ssh with a removed key: %d %s", code, out)
	}
	if len(r.revoked) == 0 {
		t.Error("live sessions were not told")
	}
	var actions []string
	for _, e := range must[[]audit.Event](t)(r.audit.List(t.Context(), audit.Filter{})) {
		actions = append(actions, e.Action+":"+e.Outcome)
	}
	if all := strings.Join(actions, " "); !strings.Contains(all, "ssh_key.add:attempt ssh_key.add:ok") || !strings.Contains(all, "ssh_key.remove:ok") {
		t.Error(all)
	}
}

func TestSSHSetup(t *testing.T) {
	needs(t, "ssh", "ssh-keygen")
	r := newRig(t)
	dir := filepath.Join(t.TempDir(), "dot ssh")
	if out := r.ok(t, "ssh", "setup", "--dir", dir, "--print"); !strings.Contains(out, "Host weir") || !strings.Contains(out, "@cert-authority [127.0.0.1]:") {
		t.Error(out)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("--print wrote %v", files)
	}
	config := filepath.Join(dir, "config")
	const own = "Host other\n    User me\n"
	if err := os.WriteFile(config, []byte(own), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "id_ecdsa"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.ok(t, "ssh", "setup", "--dir", dir)
	first := must[[]byte](t)(os.ReadFile(config))
	r.ok(t, "ssh", "setup", "--dir", dir)
	if again := must[[]byte](t)(os.ReadFile(config)); !bytes.Equal(first, again) || !strings.HasSuffix(string(again), own) || strings.Count(string(again), "Include") != 1 {
		t.Errorf("not idempotent:\n%s\n%s", first, again)
	}
	if info, _ := os.Stat(config); info.Mode().Perm() != 0o640 {
		t.Errorf("the mode became %v", info.Mode())
	}
	out, _ := run(t, "ssh", "-G", "-F", config, "web-1@weir")
	for _, want := range []string{"hostname 127.0.0.1\n", fmt.Sprintf("port %d\n", r.sshPort), "user web-1\n", "certificatefile " + dir + "/weir_ed25519-cert.pub\n", "identityfile " + dir + "/id_ecdsa\n", "stricthostkeychecking true\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("ssh -G does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "id_rsa") {
		t.Errorf("ssh is told of a file that is not there:\n%s", out)
	}
	if out, _ := run(t, "ssh", "-G", "-F", config, "other"); !strings.Contains(out, "user me\n") || !strings.Contains(out, "hostname other\n") {
		t.Errorf("other hosts changed: %s", out)
	}

	r.ok(t, "ssh", "cert", "--dir", dir, "--ttl", "10m")
	if info, err := os.Stat(filepath.Join(dir, "weir_ed25519")); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	shown, code := run(t, "ssh-keygen", "-L", "-f", filepath.Join(dir, "weir_ed25519-cert.pub"))
	if code != 0 || !strings.Contains(shown, `"weir:`+string(r.alice.ID)+`:crt_`) || !strings.Contains(shown, "alice") {
		t.Errorf("%s", shown)
	}
	got, code := run(t, "ssh", "-F", config, "-o", "BatchMode=yes", "-o", "IdentityAgent=none", "web-1@weir", "id", "-u")
	if code != 7 || got != "alice by ssh_cert ran id -u" {
		t.Errorf("ssh: %d %s", code, got)
	}
	var certs []service.Credential
	if err := json.Unmarshal([]byte(r.ok(t, "cert", "ls", "-o", "json")), &certs); err != nil || len(certs) != 1 || certs[0].Type != "ssh_cert" || certs[0].LastUsed == nil {
		t.Fatalf("%+v %v", certs, err)
	}
	r.ok(t, "cert", "rm", string(certs[0].ID))
	if got, code := run(t, "ssh", "-F", config, "-o", "BatchMode=yes", "-o", "IdentityAgent=none", "web-1@weir", "id"); code != 255 {
		t.Errorf("ssh with a revoked certificate: %d %s", code, got)
	}
}

func TestClientCert(t *testing.T) {
	r := newRig(t)
	dir := filepath.Join(t.TempDir(), "certs")
	r.ok(t, "cert", "--out", dir)
	pair := must[tls.Certificate](t)(tls.LoadX509KeyPair(filepath.Join(dir, "weir.crt"), filepath.Join(dir, "weir.key")))
	u, err := r.clientCA.VerifyClient(pair.Leaf)
	if err != nil || u.ID != string(r.alice.ID) || u.Name != "alice" {
		t.Fatalf("%+v %v", u, err)
	}
	if info, _ := os.Stat(filepath.Join(dir, "weir.key")); info.Mode().Perm() != 0o600 {
		t.Errorf("the key is open to others: %v", info.Mode())
	}
	x := session.Certificate{User: weir.UserID(u.ID), ID: weir.CredentialID(u.Credential), Serial: u.Serial, Expires: u.Expires}
	a, err := r.who.Admit(t.Context(), &session.Hello{Protocol: weir.Postgres, Login: "orders", Proof: &session.Proof{Certificate: &x}})
	if err != nil || a.Identity.Name != "alice" || a.Identity.Method != "client_cert" {
		t.Fatalf("%+v %v", a, err)
	}
	r.ok(t, "cert", "rm", u.Credential)
	if _, err := r.who.Admit(t.Context(), &session.Hello{Protocol: weir.Postgres, Login: "orders", Proof: &session.Proof{Certificate: &x}}); err == nil {
		t.Error("a revoked certificate lets in")
	}
}

func TestAccessCommands(t *testing.T) {
	r := newRig(t)
	for name, want := range map[string][]string{
		"orders": {`psql "host=127.0.0.1 port=1 user=`, ` dbname='orders db' sslmode=verify-full sslrootcert=`},
		"web-1":  {fmt.Sprintf("ssh -p %d web-1.", r.sshPort), "@127.0.0.1"},
		"debug":  {"curl --cacert ", " -u debug."},
	} {
		var a service.Access
		if err := json.Unmarshal([]byte(r.ok(t, "access", name, "-o", "json")), &a); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(a.Command, w) {
				t.Errorf("%s: %q is not in %s", name, w, a.Command)
			}
		}
		if a.Protocol != weir.HTTP && strings.Contains(a.Command+a.URL, a.Secret) {
			t.Errorf("%s: the secret is in %s %s", name, a.Command, a.URL)
		}
		if name == "orders" && a.URL != "postgres://"+a.Login+"@127.0.0.1:1/orders%20db?sslmode=verify-full" {
			t.Error(a.URL)
		}
		if name != "orders" {
			continue
		}
		needs(t, "psql")
		out, _ := run(t, "sh", "-c", a.Command+" -w -c 'select 1'")
		if !strings.Contains(out, "127.0.0.1") || !strings.Contains(out, "refused") { // it got as far as the port, where nobody listens
			t.Errorf("psql: %s", out)
		}
	}
}

func TestConnect(t *testing.T) {
	needs(t, "ssh", "curl")
	r := newRig(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("PGPASSWORD", "stale")
	for _, tc := range []struct {
		name string
		args []string
		in   string
		code int
		want []string
	}{
		{"ssh", []string{"connect", "web-1", "--", "ls", "-l"}, "", 7, []string{"alice by ssh_cert ran ls -l"}},
		{"curl", []string{"connect", "debug", "--", "/env", "-sS", "--data-binary", "@-"}, "typed", 0, []string{"POST /r/debug/env for alice typed"}},
		{"curl fails", []string{"connect", "debug", "--", "-sS", "--max-filesize", "1"}, "", 63, nil},
		{"postgres", []string{"connect", "orders", "--", "sh", "-c", `env | grep ^PG; cat "$PGPASSFILE"; cat "$PGSSLROOTCERT"; exit 3`}, "", 3,
			[]string{"PGHOST=127.0.0.1", "PGPORT=1", "PGDATABASE=orders db", "PGUSER=orders.", "PGSSLMODE=verify-full", "*:*:*:orders.", ":weir_", "BEGIN CERTIFICATE"}},
		{"flags in between", []string{"connect", "orders", "--ttl", "5m", "--", "sh", "-c", "exit 4"}, "", 4, nil},
		{"killed", []string{"connect", "orders", "--", "sh", "-c", "kill -TERM $$"}, "", 128 + 15, nil},
		{"no access", []string{"connect", "nothing"}, "", 1, []string{"no access"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, code := r.weir(t, r.token, tc.in, tc.args...)
			if code != tc.code {
				t.Errorf("exit %d, want %d: %s", code, tc.code, out)
			}
			for _, w := range tc.want {
				if !strings.Contains(out, w) {
					t.Errorf("%q is not in %s", w, out)
				}
			}
			if strings.Contains(out, "stale") {
				t.Error("the environment's own password is still there")
			}
			left, _ := filepath.Glob(filepath.Join(tmp, "weir-connect-*"))
			if len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	t.Run("signals", func(t *testing.T) {
		ready := filepath.Join(t.TempDir(), "ready")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 1000 {
				if _, err := os.Stat(ready); err == nil {
					_ = syscall.Kill(os.Getpid(), syscall.SIGTERM) // connect has asked for it, so the test lives on
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		out, code := r.weir(t, r.token, "", "connect", "orders", "--", "sh", "-c", `trap 'echo got it; exit 5' TERM; : >"$0"; i=0; while [ $i -lt 100 ]; do i=$((i+1)); sleep 0.1; done`, ready)
		<-done
		if code != 5 || !strings.Contains(out, "got it") {
			t.Errorf("%d %s", code, out)
		}
	})
	keys := must[[]identity.Credential](t)(r.who.ListKeys(t.Context(), r.alice.ID))
	certs := must[[]identity.Credential](t)(r.who.ListCerts(t.Context(), r.alice.ID))
	if len(keys)+len(certs) != 0 {
		t.Errorf("credentials are left: %v %v", keys, certs)
	}
}
