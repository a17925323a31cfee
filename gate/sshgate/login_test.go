package sshgate_test

import (
	"crypto/rand"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"weir/gate/sshgate"
)

func TestLogin(t *testing.T) {
	ca, _ := newKey(t)
	stranger, _ := newKey(t)
	target := targetOf(t, startSSHD(t, nil))
	b := newBed(t, target, sshgate.Options{UserCA: func() []ssh.PublicKey { return []ssh.PublicKey{ca.PublicKey()} }})
	certificate := func(by ssh.Signer, keyID string, until time.Duration) ssh.AuthMethod {
		own, _ := newKey(t)
		c := &ssh.Certificate{
			Key: own.PublicKey(), CertType: ssh.UserCert, KeyId: keyID, ValidPrincipals: []string{"alice"}, Serial: 1,
			ValidAfter: uint64(time.Now().Add(-time.Hour).Unix()), ValidBefore: uint64(time.Now().Add(until).Unix()),
		}
		if err := c.SignCert(rand.Reader, by); err != nil {
			t.Fatal(err)
		}
		s, err := ssh.NewCertSigner(c, own)
		if err != nil {
			t.Fatal(err)
		}
		return ssh.PublicKeys(s)
	}
	for _, c := range []struct {
		name, user string
		auth       ssh.AuthMethod
		in         bool
	}{
		{"key", "web-1", ssh.PublicKeys(b.key), true},
		{"key, account named", "root+web-1", ssh.PublicKeys(b.key), true},
		{"key, no such account", "nobody+web-1", ssh.PublicKeys(b.key), false},
		{"key, no such resource", "web-2", ssh.PublicKeys(b.key), false},
		{"another key", "web-1", ssh.PublicKeys(stranger), false},
		{"the right key behind another", "web-1", ssh.PublicKeys(stranger, b.key), true},
		{"password", "web-1.k7f3q2", ssh.Password("right-password"), true},
		{"password, account named", "root+web-1.k7f3q2", ssh.Password("right-password"), true},
		{"wrong password", "web-1.k7f3q2", ssh.Password("wrong"), false},
		{"no resource", "root+", ssh.Password("right-password"), false},
		{"certificate", "web-1", certificate(ca, "weir:usr_1:crd_1", time.Hour), true},
		{"certificate of another authority", "web-1", certificate(stranger, "weir:usr_1:crd_1", time.Hour), false},
		{"certificate that has ended", "web-1", certificate(ca, "weir:usr_1:crd_1", -time.Minute), false},
		{"certificate with another key id", "web-1", certificate(ca, "alice", time.Hour), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := b.client(c.user, c.auth)
			if (err == nil) != c.in {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				return
			}
			if out, err := newSession(t, client).Output("echo in"); err != nil || string(out) != "in\n" {
				t.Errorf("got %q, %v", out, err)
			}
		})
	}
}

// TestCertificateForAnotherPrincipal shows certificates whose key id means alice and whose principal is somebody else.
func TestCertificateForAnotherPrincipal(t *testing.T) {
	ca, _ := newKey(t)
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{UserCA: func() []ssh.PublicKey { return []ssh.PublicKey{ca.PublicKey()} }})
	for _, c := range []struct {
		name       string
		principals []string
		in         bool
	}{
		{"the user's own", []string{"alice"}, true},
		{"another's", []string{"mallory"}, false},
		{"the account's", []string{"root"}, false},
		{"another letter case", []string{"Alice"}, false},
		{"two", []string{"alice", "mallory"}, false},
		{"none, which would be for everybody", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			own, _ := newKey(t)
			cert := &ssh.Certificate{
				Key: own.PublicKey(), CertType: ssh.UserCert, KeyId: "weir:usr_1:crd_1", ValidPrincipals: c.principals, Serial: 1,
				ValidAfter: uint64(time.Now().Add(-time.Hour).Unix()), ValidBefore: uint64(time.Now().Add(time.Hour).Unix()),
			}
			if err := cert.SignCert(rand.Reader, ca); err != nil {
				t.Fatal(err)
			}
			s, err := ssh.NewCertSigner(cert, own)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.client("web-1", ssh.PublicKeys(s)); (err == nil) != c.in {
				t.Errorf("got %v", err)
			}
			if n := len(b.gate.Live()); !c.in && n > 1 { // that of the first case may live on
				t.Errorf("%d sessions live", n)
			}
		})
	}
}
