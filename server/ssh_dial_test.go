package server

import (
	"crypto/ed25519"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestHostKeysOfTargets(t *testing.T) {
	key := func() ssh.PublicKey {
		pub, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		k, err := ssh.NewPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	right, wrong := key(), key()
	for name, k := range map[string]sshHostKeys{
		"fingerprint": {Pinned: []string{ssh.FingerprintSHA256(right)}},
		"public key":  {Pinned: []string{string(ssh.MarshalAuthorizedKey(right))}},
		"first use":   {FirstUse: &sshFirstUse{path: t.TempDir() + "/known"}},
	} {
		t.Run(name, func(t *testing.T) {
			check, err := k.callback()
			if err != nil {
				t.Fatal(err)
			}
			at := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 22}
			for range 2 {
				if err := check("10.0.0.9:22", at, right); err != nil {
					t.Errorf("the right key was refused: %v", err)
				}
			}
			if check("10.0.0.9:22", at, wrong) == nil {
				t.Error("another key was taken")
			}
		})
	}
	if _, err := (sshHostKeys{}).callback(); err == nil {
		t.Error("a target without any known key was taken")
	}
}
