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
