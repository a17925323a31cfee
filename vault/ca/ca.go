// Package ca is the gateway's own certificate authority, and keeps the certificates that its listeners show.
//
// The authority's key never leaves its file and this package. Certificates for listeners are short-lived and made anew before
// they end. Safe for concurrent use.
package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"weir"
)

// Lifetimes of certificates.
const (
	rootLife = 10 * 365 * 24 * time.Hour
	leafLife = 7 * 24 * time.Hour
	backdate = time.Hour // for clients whose clock is behind
)

// Authority signs certificates for the gateway's listeners.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	path string
	now  func() time.Time
}

// Open reads the authority from ca.pem and ca.key in dir, and makes one when neither is there.
func Open(dir string, now func() time.Time) (*Authority, error) {
	a := &Authority{path: filepath.Join(dir, "ca.pem"), now: now}
	keyPath := filepath.Join(dir, "ca.key")
	certPEM, err1 := os.ReadFile(a.path)
	keyPEM, err2 := os.ReadFile(keyPath)
	if errors.Is(err1, fs.ErrNotExist) && errors.Is(err2, fs.ErrNotExist) {
		return a, a.create(keyPath)
	}
	if err := errors.Join(err1, err2); err != nil {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the gateway's own CA is incomplete: %s and %s belong together; restore both, or remove both to make a new one", a.path, keyPath), err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the gateway's own CA in %s cannot be used; restore it, or remove ca.pem and ca.key to make a new one", dir), err)
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return nil, weir.NewError(weir.Invalid, a.path+" holds no certificate of an authority; restore it, or remove ca.pem and ca.key to make a new one", nil)
	}
	if info, err := os.Stat(keyPath); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the key of the gateway's own CA is readable for others; run: chmod 600 %s", keyPath), nil)
	}
	if now().After(pair.Leaf.NotAfter) {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the gateway's own CA has expired; remove %s and %s to make a new one, and give clients the new ca.pem", a.path, keyPath), nil)
	}
	a.cert, a.key = pair.Leaf, key
	return a, nil
}

// Path is the file with the authority's certificate, for clients to trust.
func (a *Authority) Path() string { return a.path }

func serial() (*big.Int, error) { return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) }

func (a *Authority) create(keyPath string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make CA key: %w", err)
	}
	n, err := serial()
	if err != nil {
		return fmt.Errorf("make CA: %w", err)
	}
	now := a.now()
	tmpl := &x509.Certificate{
		SerialNumber: n, Subject: pkix.Name{CommonName: "Weir CA " + hex.EncodeToString(n.Bytes()[:4])},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(rootLife), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return fmt.Errorf("make CA: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode CA key: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("make CA: %w", err)
	}
	a.key = key
	if err := write(keyPath, "PRIVATE KEY", keyDER, 0o600); err != nil {
		return err
	}
	return write(a.path, "CERTIFICATE", der, 0o644)
}

func write(path, kind string, der []byte, mode os.FileMode) error {
	if err := os.WriteFile(path+".tmp", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return weir.NewError(weir.Invalid, fmt.Sprintf("%s cannot be written; make its directory writable for the user that runs weir, or choose another data_dir", path), err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return weir.NewError(weir.Invalid, path+" cannot be written", err)
	}
	return nil
}

// Leaf makes a certificate for a listener that is called by these names: host names, "*." wildcards and IP addresses.
func (a *Authority) Leaf(names []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	n, err := serial()
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	now := a.now()
	tmpl := &x509.Certificate{
		SerialNumber: n, Subject: pkix.Name{CommonName: "weir"}, NotBefore: now.Add(-backdate), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// Keeper shows a certificate and sees to it that it is a good one. Its GetCertificate is what a tls.Config asks.
type Keeper struct {
	now  func() time.Time
	make func() (*tls.Certificate, time.Time, error) // and when to ask again

	mu    sync.Mutex
	cert  *tls.Certificate
	again time.Time
}

// Keep makes certificates for names, a new one when two thirds of the old one's life are over.
func (a *Authority) Keep(names []string) (*Keeper, error) {
	return newKeeper(a.now, func() (*tls.Certificate, time.Time, error) {
		c, err := a.Leaf(names)
		return c, a.now().Add(leafLife * 2 / 3), err
	})
}

// KeepFiles reads a certificate chain and its key from files, and again when they have changed.
func KeepFiles(cert, key string, now func() time.Time) (*Keeper, error) {
	var have *tls.Certificate
	var hash [sha256.Size]byte
	return newKeeper(now, func() (*tls.Certificate, time.Time, error) {
		again := now().Add(10 * time.Second)
		c, err1 := os.ReadFile(cert)
		k, err2 := os.ReadFile(key)
		if err := errors.Join(err1, err2); err != nil {
			return nil, again, weir.NewError(weir.Invalid, fmt.Sprintf("the certificate %s or its key %s cannot be read; check tls.cert and tls.key", cert, key), err)
		}
		sum := sha256.Sum256(append(append(c[:len(c):len(c)], 0), k...))
		if have != nil && sum == hash {
			return have, again, nil
		}
		pair, err := tls.X509KeyPair(c, k)
		if err != nil {
			return nil, again, weir.NewError(weir.Invalid, fmt.Sprintf("the certificate %s and the key %s do not belong together or are no PEM files", cert, key), err)
		}
		have, hash = &pair, sum
		return have, again, nil
	})
}

func newKeeper(now func() time.Time, f func() (*tls.Certificate, time.Time, error)) (*Keeper, error) {
	k := &Keeper{now: now, make: f}
	cert, again, err := f()
	if err != nil {
		return nil, err
	}
	k.cert, k.again = cert, again
	return k, nil
}

// GetCertificate returns the certificate to show. When a new one cannot be had the old one is shown as long as there is one.
func (k *Keeper) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now().Before(k.again) {
		return k.cert, nil
	}
	cert, again, err := k.make()
	if err != nil {
		k.again = k.now().Add(10 * time.Second)
		return k.cert, nil
	}
	k.cert, k.again = cert, again
	return cert, nil
}
