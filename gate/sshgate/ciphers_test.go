package sshgate

import (
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"
)

// TestFastCiphersAreOffered: where AES is fast, ChaCha20, which OpenSSH's client prefers, is not offered to clients; targets may still have nothing else.
func TestFastCiphersAreOffered(t *testing.T) {
	offered := serverCiphers(modern().Ciphers)
	if fast := cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ; slices.Contains(offered, ssh.CipherChaCha20Poly1305) == fast {
		t.Errorf("AES is fast: %v; offered are %v", fast, offered)
	}
	for _, name := range []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherAES128CTR, ssh.CipherAES256CTR} {
		if !slices.Contains(offered, name) {
			t.Errorf("%s is not offered", name)
		}
	}
	if !slices.Contains(modern().Ciphers, ssh.CipherChaCha20Poly1305) {
		t.Error("targets are not offered ChaCha20")
	}
}
