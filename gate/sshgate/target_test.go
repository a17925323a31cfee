package sshgate_test

import (
	"net"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"weir/gate/sshgate"
)

// TestUnknownOpaqueKindsAreToldTheRealOnes: what the error lists are the values that the setting takes.
func TestUnknownOpaqueKindsAreToldTheRealOnes(t *testing.T) {
	target := targetOf(t, &sshd{user: "root", pem: keyText(t)})
	target.HostKeys = func(string, net.Addr, ssh.PublicKey) error { return nil }
	target.AllowOpaque = []string{"pipe"}
	_, err := sshgate.NewTarget(target)
	if err == nil {
		t.Fatal("pipe is taken for a kind")
	}
	_, list, found := strings.Cut(err.Error(), "none of ")
	if !found {
		t.Fatal(err)
	}
	target.AllowOpaque = strings.Split(list, ", ")
	if len(target.AllowOpaque) != 4 {
		t.Error(list)
	}
	if _, err := sshgate.NewTarget(target); err != nil {
		t.Errorf("what the error lists is refused: %v", err)
	}
}

func keyText(t *testing.T) string {
	_, text := newKey(t)
	return text
}
