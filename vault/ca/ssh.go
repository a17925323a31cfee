package ca

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"weir"
)

// Names of the files that OpenSSH makes.
const (
	userCAFile  = "ssh_user_ca"
	hostCAFile  = "ssh_host_ca"
	hostKeyFile = "ssh_host_ed25519"
	targetFile  = "ssh_target_ca"
)

// SSH signs certificates for SSH: for users, who show them to this gateway, for the gateway's own host key, and for the gateway's logins at
// targets. Its keys are ed25519 and never leave their files and this package, but for HostKey and TargetCA.
//
// No target may trust the user CA: with a certificate of its own a user would reach that target past the gateway. Targets trust TargetCA, which
// signs keys that never leave the process.
type SSH struct {
	user, host, key, target ssh.Signer
	now                     func() time.Time
}

// OpenSSH reads the keys from dir, which exists, and makes those that are not there.
func OpenSSH(dir string, now func() time.Time) (*SSH, error) {
	a := &SSH{now: now}
	for name, to := range map[string]*ssh.Signer{userCAFile: &a.user, hostCAFile: &a.host, hostKeyFile: &a.key, targetFile: &a.target} {
		var err error
		if *to, err = openKey(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	line := append(bytes.TrimSpace(ssh.MarshalAuthorizedKey(a.target.PublicKey())), " weir\n"...)
	if err := os.WriteFile(filepath.Join(dir, targetFile+".pub"), line, 0o644); err != nil { //nolint:gosec // it is public
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the key %s cannot be written; make data_dir writable", filepath.Join(dir, targetFile+".pub")), err)
	}
	return a, nil
}

func openKey(path string) (ssh.Signer, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the key %s cannot be read; make it readable for the user that runs weir", path), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the key %s is readable for others; run: chmod 600 %s", path, path), err)
	}
	s, err := ssh.ParsePrivateKey(text)
	if err != nil || s.PublicKey().Type() != ssh.KeyAlgoED25519 {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the key %s is damaged; restore it, or remove it to make a new one, which SSH clients have to be told of with: weir ssh setup", path), nil)
	}
	return s, nil
}

func makeKey(path string) (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(key, "weir")
	if err != nil {
		return nil, fmt.Errorf("encode SSH key: %w", err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("make SSH key: %w", err)
	}
	return s, write(path, block.Type, block.Bytes, 0o600)
}

// HostKey is the gateway's own host key.
func (a *SSH) HostKey() ssh.Signer { return a.key }

// TargetCA signs the certificates by which the gateway logs in at targets. What TrustedUserCAKeys of a target's sshd names lies beside the
// key, in ssh_target_ca.pub.
func (a *SSH) TargetCA() ssh.Signer { return a.target }

// HostCA is the public key of the authority that signs host keys, in wire format.
func (a *SSH) HostCA() []byte { return a.host.PublicKey().Marshal() }

// UserCA is the public key of the authority that signs users' keys, in wire format.
func (a *SSH) UserCA() []byte { return a.user.PublicKey().Marshal() }

// User is whom a certificate is for: what Admit looks the record of its issue up by.
type User struct {
	ID         string // the user's
	Name       string // its login name
	Credential string // the record of issue
	Serial     uint64
	Expires    time.Time
}

// keyID is what the gateway's log and ssh-keygen -L show of a certificate.
func (u *User) keyID() string { return "weir:" + u.ID + ":" + u.Credential }

// SignUser signs a user's public key, in wire format, until u.Expires. The only principal is the user's name. It may open terminals
// and nothing that reaches back to the user's machine. It returns the certificate as the line of a -cert.pub file.
func (a *SSH) SignUser(pub []byte, u *User) ([]byte, error) {
	key, err := ssh.ParsePublicKey(pub)
	if err != nil {
		return nil, weir.NewError(weir.Invalid, "this is no SSH public key", err)
	}
	if _, nested := key.(*ssh.Certificate); nested || u.ID == "" || u.Name == "" || u.Credential == "" || u.Serial == 0 || strings.Contains(u.ID, ":") {
		return nil, errors.New("certificate for an incomplete user")
	}
	c := &ssh.Certificate{
		Key: key, Serial: u.Serial, CertType: ssh.UserCert, KeyId: u.keyID(), ValidPrincipals: []string{u.Name},
		Permissions: ssh.Permissions{Extensions: map[string]string{"permit-pty": "", "permit-port-forwarding": ""}},
	}
	if err := a.sign(c, a.user, u.Expires); err != nil {
		return nil, err
	}
	return ssh.MarshalAuthorizedKey(c), nil
}

func (a *SSH) sign(c *ssh.Certificate, by ssh.Signer, until time.Time) error {
	now := a.now()
	if !until.After(now) {
		return errors.New("certificate that has ended already")
	}
	c.ValidAfter, c.ValidBefore = uint64(now.Add(-backdate).Unix()), uint64(until.Unix()) //nolint:gosec // after 1970
	if err := c.SignCert(rand.Reader, by); err != nil {
		return fmt.Errorf("sign certificate: %w", err)
	}
	return nil
}

// CheckUser says whom a user certificate is for. It checks that this authority signed it and that it counts now, not
// that its record of issue still exists. The error is for the log.
func (a *SSH) CheckUser(c *ssh.Certificate) (*User, error) {
	if c == nil || c.CertType != ssh.UserCert || len(c.ValidPrincipals) != 1 || c.SignatureKey == nil || !bytes.Equal(c.SignatureKey.Marshal(), a.UserCA()) {
		return nil, errors.New("not a user certificate of this gateway")
	}
	check := &ssh.CertChecker{Clock: a.now}
	if err := check.CheckCert(c.ValidPrincipals[0], c); err != nil {
		return nil, fmt.Errorf("check certificate: %w", err)
	}
	id, cred, ok := strings.Cut(strings.TrimPrefix(c.KeyId, "weir:"), ":")
	u := &User{ID: id, Name: c.ValidPrincipals[0], Credential: cred, Serial: c.Serial, Expires: time.Unix(int64(c.ValidBefore), 0)} //nolint:gosec // ours
	if !ok || u.keyID() != c.KeyId {
		return nil, errors.New("certificate with another key id")
	}
	return u, nil
}

// SignHost makes a signer that shows the gateway's host key with a certificate for the names, host names and IP addresses
// without a port, for ttl.
func (a *SSH) SignHost(names []string, ttl time.Duration) (ssh.Signer, error) {
	if len(names) == 0 {
		return nil, errors.New("host certificate without names, which would be for every host")
	}
	c := &ssh.Certificate{Key: a.key.PublicKey(), CertType: ssh.HostCert, KeyId: "weir host", ValidPrincipals: names}
	n, err := serial()
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	c.Serial = n.Uint64()
	if err := a.sign(c, a.host, a.now().Add(ttl)); err != nil {
		return nil, err
	}
	return ssh.NewCertSigner(c, a.key)
}

// AuthorizedKey is a public key in wire format as a line of text, without its end.
func AuthorizedKey(wire []byte) (string, error) {
	key, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return "", fmt.Errorf("read SSH key: %w", err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nil
}

func pemText(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
