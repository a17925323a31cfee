package identity

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"weir"
)

// How long a certificate of the gateway lasts.
const (
	DefaultCertTTL = 8 * time.Hour
	MaxCertTTL     = 24 * time.Hour
)

const maxComment = 128 // characters

// keyTypeTable are the SSH public keys that are accepted.
var keyTypeTable = map[string]bool{
	ssh.KeyAlgoED25519: true, ssh.KeyAlgoSKED25519: true, ssh.KeyAlgoSKECDSA256: true, ssh.KeyAlgoRSA: true,
	ssh.KeyAlgoECDSA256: true, ssh.KeyAlgoECDSA384: true, ssh.KeyAlgoECDSA521: true,
}

const minRSA = 2048 // bits

// ParseSSHKey reads one line of a .pub file and returns the key and its comment. Certificates, options in front of the key, DSA
// and short RSA keys are refused. Errors: Invalid.
func ParseSSHKey(line string) (ssh.PublicKey, string, error) {
	key, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	switch {
	case strings.Contains(line, "PRIVATE KEY"):
		return nil, "", invalid("this is a private key: keep it to yourself and give the file that ends in .pub")
	case err != nil:
		return nil, "", invalid("this is no SSH public key; give a file that ends in .pub, such as ~/.ssh/id_ed25519.pub")
	case len(options) > 0:
		return nil, "", invalid("options in front of an SSH key are not supported; give the key alone")
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, "", invalid("give one SSH key at a time")
	case utf8.RuneCountInString(comment) > maxComment || !utf8.ValidString(comment) || strings.ContainsFunc(comment, unicode.IsControl):
		return nil, "", invalid(fmt.Sprintf("the comment of an SSH key is at most %d characters without control characters", maxComment))
	case !keyTypeTable[key.Type()]:
		return nil, "", invalid(fmt.Sprintf("keys of type %.60s are not accepted; make one with: ssh-keygen -t ed25519", key.Type()))
	}
	if c, ok := key.(ssh.CryptoPublicKey); ok {
		if r, ok := c.CryptoPublicKey().(*rsa.PublicKey); ok && r.N.BitLen() < minRSA {
			return nil, "", invalid(fmt.Sprintf("an RSA key has at least %d bits; make a better one with: ssh-keygen -t ed25519", minRSA))
		}
	}
	return key, comment, nil
}

// Fingerprint is how ssh-keygen -l shows the public key of an SSHKey or SSHCert: "SHA256:…"; "" for others.
func (c *Credential) Fingerprint() string {
	wire, err := base64.StdEncoding.DecodeString(c.PublicKey)
	if err != nil || len(wire) == 0 {
		return ""
	}
	sum := sha256.Sum256(wire)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

func keyVerifier(wire []byte) Verifier {
	sum := sha256.Sum256(wire)
	return Verifier{Scheme: SSH, Value: hex.EncodeToString(sum[:])}
}

// NewSSHKey is what AddSSHKey registers.
type NewSSHKey struct {
	User weir.UserID
	Line string        // of a .pub file
	TTL  time.Duration // zero is for ever
	By   string        // name of whoever adds it
}

// AddSSHKey registers a public key of a user. A key belongs to one user. Errors: Invalid, NotFound, Conflict.
func (a *Authority) AddSSHKey(ctx context.Context, n NewSSHKey) (Credential, error) {
	key, comment, err := ParseSSHKey(n.Line)
	if err != nil {
		return Credential{}, err
	}
	if n.TTL < 0 || n.TTL > 0 && n.TTL < time.Second || n.TTL > 10*MaxTokenTTL {
		return Credential{}, invalid("an SSH key is good for at least 1 second and at most 10 years, or without end when no time is given")
	}
	wire := key.Marshal()
	c := Credential{Type: SSHKey, User: n.User, Name: comment, PublicKey: base64.StdEncoding.EncodeToString(wire), CreatedBy: n.By}
	err = a.note(ctx, &c, "ssh_", n.TTL, []Verifier{keyVerifier(wire)})
	if errors.Is(err, ErrExists) {
		// Whose it is, is not said.
		err = weir.NewError(weir.Conflict, "this key is registered already; remove it first, or make another with: ssh-keygen -t ed25519", err)
	}
	if err != nil {
		return Credential{}, err
	}
	return c, nil
}

// NewCert is the record of a certificate that is about to be signed.
type NewCert struct {
	User      weir.UserID
	Type      CredentialType // SSHCert or ClientCert
	PublicKey []byte         // of an SSHCert, in wire format
	TTL       time.Duration  // zero is DefaultCertTTL; at most MaxCertTTL
	By        string         // name of whoever asks for it
}

// RecordCert stores that a certificate is issued, and chooses its serial number. Errors: Invalid, NotFound, Conflict.
func (a *Authority) RecordCert(ctx context.Context, n NewCert) (Credential, error) {
	if n.TTL == 0 {
		n.TTL = DefaultCertTTL
	}
	switch {
	case n.Type != SSHCert && n.Type != ClientCert:
		return Credential{}, errors.New("record of a certificate of an unknown type")
	case n.TTL < time.Second || n.TTL > MaxCertTTL:
		return Credential{}, invalid(fmt.Sprintf("a certificate lasts between 1 second and %s; give another time", MaxCertTTL))
	}
	var b [8]byte
	if _, err := io.ReadFull(a.random, b[:]); err != nil {
		return Credential{}, fmt.Errorf("read serial number: %w", err)
	}
	c := Credential{Type: n.Type, User: n.User, CreatedBy: n.By, PublicKey: base64.StdEncoding.EncodeToString(n.PublicKey)}
	c.Serial = binary.BigEndian.Uint64(b[:])>>1 | 1
	if err := a.note(ctx, &c, "crt_", n.TTL, nil); err != nil {
		return Credential{}, err
	}
	return c, nil
}

// note completes and stores a credential that has no secret. ttl zero is Never.
func (a *Authority) note(ctx context.Context, c *Credential, prefix string, ttl time.Duration, v []Verifier) error {
	u, err := a.User(ctx, c.User)
	if err != nil {
		return err
	}
	id, err := a.newID(prefix)
	if err != nil {
		return err
	}
	c.ID, c.UserName, c.Created, c.Expires = weir.CredentialID(id), u.Name, a.stamp(), Never()
	if ttl > 0 {
		c.Expires = c.Created.Add(ttl).Truncate(time.Microsecond)
	}
	err = a.store.InsertCredential(ctx, c, v, a.opt.MaxCredentials)
	if errors.Is(err, ErrTooMany) {
		return a.tooMany(c.UserName, err)
	}
	return userError("store credential", c.UserName, err)
}

func (a *Authority) tooMany(name string, err error) error {
	return weir.NewError(weir.Conflict, fmt.Sprintf("%s has %d credentials, which is the most; revoke some", name, a.opt.MaxCredentials), err)
}

// ListSSHKeys returns a user's SSH keys, the newest first, expired ones included; "" is everybody's.
func (a *Authority) ListSSHKeys(ctx context.Context, user weir.UserID) ([]Credential, error) {
	return a.list(ctx, CredentialFilter{Type: SSHKey, User: user})
}

// ListCerts returns the records of a user's certificates of both types, expired ones included; "" is everybody's.
func (a *Authority) ListCerts(ctx context.Context, user weir.UserID) ([]Credential, error) {
	all, err := a.list(ctx, CredentialFilter{Type: SSHCert, User: user})
	if err != nil {
		return nil, err
	}
	more, err := a.list(ctx, CredentialFilter{Type: ClientCert, User: user})
	return append(all, more...), err
}

// SSHKeyNamed returns an SSH key by its fingerprint or id. Errors: NotFound.
func (a *Authority) SSHKeyNamed(ctx context.Context, name string) (Credential, error) {
	var c Credential
	err := ErrNotFound
	if text, ok := strings.CutPrefix(name, "SHA256:"); ok {
		if sum, bad := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "=")); bad == nil && len(sum) == sha256.Size {
			c, _, err = a.store.CredentialByVerifier(ctx, Verifier{Scheme: SSH, Value: hex.EncodeToString(sum)})
		}
	} else if name != "" {
		c, _, err = a.store.CredentialByID(ctx, weir.CredentialID(name))
	}
	if err == nil && c.Type != SSHKey {
		err = ErrNotFound
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return Credential{}, NoSSHKey(name)
	case err != nil:
		return Credential{}, fmt.Errorf("read credential: %w", err)
	}
	return c, nil
}

// NoSSHKey is the answer to whoever asks for a key that is not there, or not theirs.
func NoSSHKey(name string) *weir.Error {
	return weir.NewError(weir.NotFound, fmt.Sprintf("there is no such SSH key as %.80s; see weir ssh keys ls", name), nil)
}

// Revoke revokes a credential without a secret, an SSHKey, SSHCert or ClientCert, by its id and ends its sessions. Errors: NotFound.
func (a *Authority) Revoke(ctx context.Context, id weir.CredentialID, t CredentialType) (Credential, error) {
	reason := "the certificate was revoked"
	switch t {
	case SSHKey:
		reason = "the SSH key was removed"
	case SSHCert, ClientCert:
	case Token, AccessKey, Browser:
		return Credential{}, noCredential(string(id))
	}
	return a.drop(ctx, byName(t, string(id)), string(id), reason)
}
