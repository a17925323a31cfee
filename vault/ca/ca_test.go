package ca_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"weir/vault/ca"
)

func TestLeavesVerify(t *testing.T) {
	dir := t.TempDir()
	a, err := ca.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ca.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	text, _ := os.ReadFile(a.Path())
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("ca.pem")
	}
	for _, x := range []*ca.Authority{a, again} {
		leaf, err := x.Leaf([]string{"localhost", "*.localhost", "127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"localhost", "debug.localhost", "127.0.0.1"} {
			if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
				t.Error(name, err)
			}
		}
		if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "other"}); err == nil {
			t.Error("another name")
		}
	}
	if info, _ := os.Stat(filepath.Join(dir, "ca.key")); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
}

func TestBrokenAuthority(t *testing.T) {
	for name, do := range map[string]func(dir string) error{
		"key removed":  func(dir string) error { return os.Remove(filepath.Join(dir, "ca.key")) },
		"key readable": func(dir string) error { return os.Chmod(filepath.Join(dir, "ca.key"), 0o644) },
		"garbage":      func(dir string) error { return os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("no"), 0o600) },
	} {
		dir := t.TempDir()
		if _, err := ca.Open(dir, time.Now); err != nil {
			t.Fatal(err)
		}
		if err := do(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := ca.Open(dir, time.Now); err == nil {
			t.Error(name)
		}
	}
}

func TestKeeperRenews(t *testing.T) {
	now := time.Now()
	a, err := ca.Open(t.TempDir(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	k, err := a.Keep([]string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	one, _ := k.GetCertificate(nil)
	two, _ := k.GetCertificate(nil)
	now = now.Add(5 * 24 * time.Hour)
	three, _ := k.GetCertificate(nil)
	if one != two || one == three || !three.Leaf.NotAfter.After(now.Add(6*24*time.Hour)) {
		t.Error("not renewed in time")
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	clock := func() time.Time { return now }
	put := func(from string) {
		for _, f := range []string{"ca.pem", "ca.key"} {
			b, _ := os.ReadFile(filepath.Join(from, f))
			if err := os.WriteFile(filepath.Join(dir, f), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	one, two := t.TempDir(), t.TempDir()
	for _, d := range []string{one, two} {
		if _, err := ca.Open(d, clock); err != nil {
			t.Fatal(err)
		}
	}
	put(one)
	k, err := ca.KeepFiles(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key"), clock)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := k.GetCertificate(nil)
	put(two)
	now = now.Add(time.Minute)
	second, _ := k.GetCertificate(nil)
	if string(first.Certificate[0]) == string(second.Certificate[0]) {
		t.Error("the new files are not shown")
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "X"}), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if third, err := k.GetCertificate(nil); err != nil || third != second {
		t.Error("a broken file takes the certificate away", err)
	}
	if _, err := ca.KeepFiles(filepath.Join(dir, "none"), filepath.Join(dir, "ca.key"), clock); err == nil {
		t.Error("a missing file")
	}
}
