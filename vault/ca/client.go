package ca

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"

	"weir"
)

// userURI is where a client certificate says whose it is: weir://user/USERID/CREDID.
const userURI = "user"

// Request is a certificate signing request of a client, whose signature was checked.
type Request struct{ key any }

// ParseRequest reads a PEM certificate request (RFC 2986). Nothing of it counts but the key. Errors: Invalid.
func ParseRequest(text string) (*Request, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, weir.NewError(weir.Invalid, "this is no certificate request; send one in PEM, as weir cert does", nil)
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		return nil, weir.NewError(weir.Invalid, "the certificate request cannot be read, or its signature is wrong", err)
	}
	switch k := csr.PublicKey.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return nil, weir.NewError(weir.Invalid, "the key of the certificate request is too short; use P-256, Ed25519 or RSA of 2048 bits", nil)
		}
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return nil, weir.NewError(weir.Invalid, "the key of the certificate request is too short; use P-256, Ed25519 or RSA of 2048 bits", nil)
		}
	default:
		return nil, weir.NewError(weir.Invalid, "the key of the certificate request is of an unknown type; use P-256, Ed25519 or RSA", nil)
	}
	return &Request{key: csr.PublicKey}, nil
}

// SignClient signs a client certificate for u until u.Expires and returns it in PEM.
func (a *Authority) SignClient(r *Request, u *User) ([]byte, error) {
	now := a.now()
	if r == nil || u.ID == "" || u.Name == "" || u.Credential == "" || u.Serial == 0 || !u.Expires.After(now) {
		return nil, errors.New("certificate for an incomplete user")
	}
	tmpl := &x509.Certificate{
		SerialNumber: new(big.Int).SetUint64(u.Serial), Subject: pkix.Name{CommonName: u.Name}, NotBefore: now.Add(-backdate), NotAfter: u.Expires,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
		URIs: []*url.URL{{Scheme: "weir", Host: userURI, Path: "/" + u.ID + "/" + u.Credential}},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, r.key, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return pemText("CERTIFICATE", der), nil
}

// CertPEM is the authority's own certificate.
func (a *Authority) CertPEM() []byte { return pemText("CERTIFICATE", a.cert.Raw) }

// Pool is what a listener verifies client certificates with.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// VerifyClient says whom a client certificate is for. It checks that this authority signed it, for clients, and that it
// counts now, not that its record of issue still exists. The error is for the log.
func (a *Authority) VerifyClient(c *x509.Certificate) (*User, error) {
	if c == nil {
		return nil, errors.New("no certificate")
	}
	opt := x509.VerifyOptions{Roots: a.Pool(), CurrentTime: a.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := c.Verify(opt); err != nil {
		return nil, fmt.Errorf("verify client certificate: %w", err)
	}
	if c.IsCA || len(c.URIs) != 1 || c.URIs[0].Scheme != "weir" || c.URIs[0].Host != userURI || !c.SerialNumber.IsUint64() {
		return nil, errors.New("not a client certificate of this gateway")
	}
	id, cred, ok := strings.Cut(strings.TrimPrefix(c.URIs[0].Path, "/"), "/")
	if !ok || id == "" || cred == "" || strings.Contains(cred, "/") {
		return nil, errors.New("client certificate of nobody")
	}
	return &User{ID: id, Name: c.Subject.CommonName, Credential: cred, Serial: c.SerialNumber.Uint64(), Expires: c.NotAfter}, nil
}
