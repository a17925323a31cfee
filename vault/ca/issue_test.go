package ca_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"weir/vault/ca"
)

func sshUser(until time.Time) *ca.User {
	return &ca.User{ID: "usr_1", Name: "alice", Credential: "crt_1", Serial: 1<<63 - 1, Expires: until}
}

func sshKey(t *testing.T) ssh.PublicKey {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func parseCert(t *testing.T, line []byte) *ssh.Certificate {
	t.Helper()
	k, _, _, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		t.Fatal(err)
	}
	return k.(*ssh.Certificate)
}

func TestSSHUserCertificate(t *testing.T) {
	dir, now := t.TempDir(), time.Now().Truncate(time.Second)
	a, err := ca.OpenSSH(dir, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	line, err := a.SignUser(sshKey(t).Marshal(), sshUser(now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	cert := parseCert(t, line)
	u, err := a.CheckUser(cert)
	if err != nil || u.ID != "usr_1" || u.Name != "alice" || u.Credential != "crt_1" || u.Serial != 1<<63-1 || !u.Expires.Equal(now.Add(time.Hour)) {
		t.Fatalf("%+v %v", u, err)
	}
	if bin, err := exec.LookPath("ssh-keygen"); err == nil {
		path := filepath.Join(dir, "x-cert.pub")
		if err := os.WriteFile(path, line, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(bin, "-L", "-f", path).CombinedOutput()
		for _, want := range []string{"user certificate", `"weir:usr_1:crt_1"`, "Serial: 9223372036854775807", "alice", "permit-pty"} {
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("ssh-keygen does not show %s: %v\n%s", want, err, out)
			}
		}
	} else if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
		t.Error("ssh-keygen is missing")
	}

	again, err := ca.OpenSSH(dir, func() time.Time { return now.Add(2 * time.Hour) })
	if err != nil || string(again.UserCA()) != string(a.UserCA()) || string(again.HostCA()) != string(a.HostCA()) || string(a.HostCA()) == string(a.UserCA()) {
		t.Fatalf("other keys when opened again: %v", err)
	}
	if _, err := again.CheckUser(cert); err == nil {
		t.Error("a certificate that has ended")
	}
	foreign, err := ca.OpenSSH(t.TempDir(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.CheckUser(cert); err == nil {
		t.Error("a certificate of another gateway")
	}
	cert.KeyId = "weir:usr_2:crt_1"
	if _, err := a.CheckUser(cert); err == nil {
		t.Error("a certificate that was changed")
	}
	if _, err := a.CheckUser(nil); err == nil {
		t.Error("no certificate")
	}
	if _, err := a.SignUser(sshKey(t).Marshal(), sshUser(now)); err == nil {
		t.Error("signed for no time")
	}
}

func TestSSHHostCertificate(t *testing.T) {
	now := time.Now()
	a, err := ca.OpenSSH(t.TempDir(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.SignHost([]string{"gw.example", "10.0.0.1"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	cert := s.PublicKey().(*ssh.Certificate)
	check := &ssh.CertChecker{IsHostAuthority: func(k ssh.PublicKey, _ string) bool { return string(k.Marshal()) == string(a.HostCA()) }}
	if err := check.CheckHostKey("gw.example:22", nil, cert); err != nil {
		t.Error(err)
	}
	if err := check.CheckHostKey("other.example:22", nil, cert); err == nil {
		t.Error("a certificate for another host")
	}
	if _, err := a.CheckUser(cert); err == nil {
		t.Error("a host certificate lets a user in")
	}
	if _, err := a.SignHost(nil, time.Hour); err == nil {
		t.Error("a certificate for every host")
	}
}

func TestSSHKeyFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := ca.OpenSSH(dir, time.Now); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ssh_user_ca", "ssh_host_ca", "ssh_host_ed25519"} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v %v", name, info, err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ca.OpenSSH(dir, time.Now); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%s open to others: %v", name, err)
		}
		text, _ := os.ReadFile(path)
		if err := os.WriteFile(path, text[:len(text)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ca.OpenSSH(dir, time.Now); err == nil {
			t.Errorf("%s: half a key was taken", name)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func request(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func parseX509(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	b, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientCertificate(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	a, err := ca.Open(t.TempDir(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr := request(t, key)
	r, err := ca.ParseRequest(csr)
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.SignClient(r, sshUser(now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	cert := parseX509(t, text)
	u, err := a.VerifyClient(cert)
	if err != nil || u.ID != "usr_1" || u.Name != "alice" || u.Credential != "crt_1" || u.Serial != 1<<63-1 || !u.Expires.Equal(now.Add(time.Hour)) {
		t.Fatalf("%+v %v", u, err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) || cert.URIs[0].String() != "weir://user/usr_1/crt_1" {
		t.Errorf("%v", cert.URIs)
	}
	leaf, err := a.Leaf([]string{"gw.example"})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := ca.Open(t.TempDir(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.VerifyClient(leaf.Leaf); err == nil {
		t.Error("a listener's certificate lets in")
	}
	if _, err := foreign.VerifyClient(cert); err == nil {
		t.Error("a certificate of another gateway")
	}
	if _, err := a.VerifyClient(parseX509(t, a.CertPEM())); err == nil {
		t.Error("the authority's own certificate lets in")
	}
	if _, err := a.VerifyClient(nil); err == nil {
		t.Error("no certificate")
	}
	now = now.Add(2 * time.Hour)
	if _, err := a.VerifyClient(cert); err == nil {
		t.Error("a certificate that has ended")
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	forged := []byte(csr)
	forged[len(forged)/2] ^= 1
	for name, bad := range map[string]string{"none": "", "certificate": string(text), "short": request(t, short), "changed": string(forged)} {
		if _, err := ca.ParseRequest(bad); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
