package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"weir/service"
)

type certCmd struct {
	Issue certIssue `cmd:"" help:"Get a short-lived client certificate." default:"withargs"`
	Ls    certLs    `cmd:"" help:"List certificates, those for SSH too."`
	Rm    certRm    `cmd:"" help:"Revoke a certificate and end its sessions."`
}

type certLs struct{ listOwned }

func (c *certLs) Run(g *Globals) error {
	return list(g, query("/certificates", "user", c.User), "ID TYPE USER SERIAL CREATED BY EXPIRES LAST-USED", func(x *service.Credential) []string {
		return []string{string(x.ID), x.Type, x.User, fmt.Sprint(x.Serial), stamp(x.Created), x.CreatedBy, stamp(x.Expires), stampAt(x.LastUsed)}
	})
}

type certRm struct {
	ID string `arg:"" help:"Its id."`
}

func (c *certRm) Run(g *Globals) error {
	return act(g, "DELETE", "/certificates/"+seg(c.ID), nil, func(w io.Writer, v *service.Credential) {
		say(w, "Revoked %s of %s; sessions that lived by it have ended.", v.ID, v.User)
	})
}

type certIssue struct {
	Out  string `help:"Directory for weir.crt, weir.key and ca.crt." placeholder:"DIR" required:""`
	TTL  string `help:"How long it lasts, such as 30m or 8h." placeholder:"TIME" name:"ttl"`
	User string `help:"For another user; for administrators." placeholder:"USER"`
}

// certFiles is what certIssue shows.
type certFiles struct {
	service.Credential
	Key  string `json:"key_file"`
	Cert string `json:"certificate_file"`
	CA   string `json:"ca_file"`
}

func (c *certIssue) Run(g *Globals) error {
	cl, err := g.connect()
	if err != nil {
		return err
	}
	key, csr, err := newRequest()
	if err != nil {
		return err
	}
	x, err := call[service.ClientCert](g.ctx, cl, "POST", "/certificates", map[string]string{"request": csr, "user": c.User, "ttl": c.TTL})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o700); err != nil {
		return usage("the directory " + c.Out + " cannot be made; name another with --out")
	}
	f := certFiles{x.Credential, filepath.Join(c.Out, "weir.key"), filepath.Join(c.Out, "weir.crt"), filepath.Join(c.Out, "ca.crt")}
	if err := errors.Join(writeFile(f.Key, key, 0o600), writeFile(f.Cert, []byte(x.Certificate), 0o644), writeFile(f.CA, []byte(x.CA), 0o644)); err != nil {
		return err
	}
	return g.show(f, func(w io.Writer) {
		say(w, "Certificate %s for %s until %s:\n\n  key          %s\n  certificate  %s\n  authority    %s\n\npsql takes it with sslcert, sslkey and sslrootcert.",
			x.ID, x.User, stamp(x.Expires), f.Key, f.Cert, f.CA)
	})
}

// newRequest makes a key, which stays here, and a request for its certificate, both in PEM.
func newRequest() (key []byte, csr string, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", fmt.Errorf("make key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, "", fmt.Errorf("make key: %w", err)
	}
	req, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k)
	if err != nil {
		return nil, "", fmt.Errorf("make certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: req})), nil
}
