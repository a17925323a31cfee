package service

import (
	"context"
	"encoding/base64"
	"net"
	"strconv"
	"strings"
	"time"

	"weir"
	"weir/access/identity"
	"weir/vault/ca"
)

// SSHKey is a public key that a user registered.
type SSHKey struct {
	ID          weir.CredentialID `json:"id"`
	User        string            `json:"user"`
	Fingerprint string            `json:"fingerprint" doc:"as ssh-keygen -l shows it"`
	Key         string            `json:"key" doc:"as in a .pub file, without the comment"`
	Comment     string            `json:"comment,omitempty"`
	Created     time.Time         `json:"created"`
	CreatedBy   string            `json:"created_by"`
	Expires     *time.Time        `json:"expires,omitempty" doc:"absent: never"`
	LastUsed    *time.Time        `json:"last_used,omitempty"`
}

func viewSSHKey(c *identity.Credential) SSHKey {
	k := SSHKey{ID: c.ID, User: c.UserName, Fingerprint: c.Fingerprint(), Comment: c.Name, Created: c.Created, CreatedBy: c.CreatedBy}
	if wire, err := base64.StdEncoding.DecodeString(c.PublicKey); err == nil {
		k.Key, _ = ca.AuthorizedKey(wire) // it was one when it was stored
	}
	if c.Expires.Before(identity.Never()) {
		k.Expires = &c.Expires
	}
	if !c.LastUsed.IsZero() {
		k.LastUsed = &c.LastUsed
	}
	return k
}

// AddSSHKey registers a line of a .pub file, for the caller or (administrators) for another user. ttl zero is for ever.
func (s *Service) AddSSHKey(ctx context.Context, who *weir.Identity, user, line string, ttl time.Duration) (SSHKey, error) {
	id, owner, err := s.self(ctx, who, user, "ssh_key.add")
	if err != nil {
		return SSHKey{}, err
	}
	var c identity.Credential
	e := s.event(who, "ssh_key.add", attr("user", owner), attr("ttl", ttl.String()))
	err = s.give(ctx, e, func() (err error) {
		c, err = s.p.Identity.AddSSHKey(ctx, identity.NewSSHKey{User: id, Line: line, TTL: ttl, By: who.Name})
		if err == nil {
			e.Detail = append(e.Detail, attr("key", string(c.ID)), attr("fingerprint", c.Fingerprint()))
		}
		return err
	})
	if err != nil {
		return SSHKey{}, err
	}
	return viewSSHKey(&c), nil
}

// SSHKeys lists SSH keys: the caller's own, another user's or ("*") everybody's for administrators.
func (s *Service) SSHKeys(ctx context.Context, who *weir.Identity, user string) ([]SSHKey, error) {
	return listOwned(ctx, s, who, user, "ssh_key.list", s.p.Identity.ListSSHKeys, viewSSHKey)
}

// RemoveSSHKey removes a key by its fingerprint or id and ends the sessions that live by it. Owners and administrators may.
func (s *Service) RemoveSSHKey(ctx context.Context, who *weir.Identity, name string) (SSHKey, error) {
	c, err := s.p.Identity.SSHKeyNamed(ctx, name)
	if err == nil && c.User != who.User && !who.Admin {
		err = identity.NoSSHKey(name)
	}
	if err != nil {
		return SSHKey{}, err
	}
	e := s.event(who, "ssh_key.remove", attr("key", string(c.ID)), attr("fingerprint", c.Fingerprint()), attr("user", c.UserName))
	return viewSSHKey(&c), s.take(ctx, e, func() error {
		_, err := s.p.Identity.Revoke(ctx, c.ID, identity.SSHKey)
		return err
	})
}

// Certs lists the certificates that were signed, as Tokens does tokens.
func (s *Service) Certs(ctx context.Context, who *weir.Identity, user string) ([]Credential, error) {
	return s.credentials(ctx, who, user, "cert.list", s.p.Identity.ListCerts)
}

// SSHCert is an SSH user certificate that was just signed.
type SSHCert struct {
	Credential
	Certificate string `json:"certificate" doc:"as in a -cert.pub file"`
}

// SignSSH signs a user's public key, a line of a .pub file, for the caller or (administrators) for another user.
// ttl zero takes the default.
func (s *Service) SignSSH(ctx context.Context, who *weir.Identity, user, line string, ttl time.Duration) (SSHCert, error) {
	if s.p.SSHCA == nil {
		return SSHCert{}, noAuthority()
	}
	key, _, err := identity.ParseSSHKey(line)
	if err != nil {
		return SSHCert{}, err
	}
	n := identity.NewCert{Type: identity.SSHCert, PublicKey: key.Marshal(), TTL: ttl}
	c, text, err := s.sign(ctx, who, user, &n, func(u *ca.User) ([]byte, error) { return s.p.SSHCA.SignUser(n.PublicKey, u) })
	if err != nil {
		return SSHCert{}, err
	}
	return SSHCert{Credential: viewCredential(&c), Certificate: string(text)}, nil
}

// ClientCert is an X.509 client certificate that was just signed.
type ClientCert struct {
	Credential
	Certificate string `json:"certificate" doc:"PEM"`
	CA          string `json:"ca" doc:"certificate of the authority that signed it, PEM"`
}

// SignClient signs a certificate request in PEM, for the caller or (administrators) for another user. ttl zero takes the default.
func (s *Service) SignClient(ctx context.Context, who *weir.Identity, user, csr string, ttl time.Duration) (ClientCert, error) {
	if s.p.ClientCA == nil {
		return ClientCert{}, noAuthority()
	}
	r, err := ca.ParseRequest(csr)
	if err != nil {
		return ClientCert{}, err
	}
	n := identity.NewCert{Type: identity.ClientCert, TTL: ttl}
	c, text, err := s.sign(ctx, who, user, &n, func(u *ca.User) ([]byte, error) { return s.p.ClientCA.SignClient(r, u) })
	if err != nil {
		return ClientCert{}, err
	}
	return ClientCert{Credential: viewCredential(&c), Certificate: string(text), CA: string(s.p.ClientCA.CertPEM())}, nil
}

func noAuthority() error {
	return weir.NewError(weir.Unavailable, "this gateway signs no certificates; use an access key, or ask its operator", nil)
}

// sign records that a certificate is issued and has it signed. A record without a certificate is revoked.
func (s *Service) sign(ctx context.Context, who *weir.Identity, user string, n *identity.NewCert, sign func(*ca.User) ([]byte, error)) (c identity.Credential, text []byte, err error) {
	id, owner, err := s.self(ctx, who, user, "cert.issue")
	if err != nil {
		return c, nil, err
	}
	n.User, n.By = id, who.Name
	e := s.event(who, "cert.issue", attr("user", owner), attr("type", string(n.Type)), attr("ttl", n.TTL.String()))
	err = s.give(ctx, e, func() (err error) {
		if _, err := s.p.Identity.Identity(ctx, n.User); err != nil { // nor for who is disabled
			return err
		}
		if c, err = s.p.Identity.RecordCert(ctx, *n); err != nil {
			return err
		}
		e.Detail = append(e.Detail, attr("cert", string(c.ID)), attr("serial", strconv.FormatUint(c.Serial, 10)), attr("expires", c.Expires.Format(time.RFC3339)))
		text, err = sign(&ca.User{ID: string(c.User), Name: c.UserName, Credential: string(c.ID), Serial: c.Serial, Expires: c.Expires})
		return err
	})
	if err != nil && c.ID != "" {
		_, _ = s.p.Identity.Revoke(context.WithoutCancel(ctx), c.ID, n.Type)
	}
	return c, text, err
}

// SSHInfo is what SSH clients need to know of the gateway.
type SSHInfo struct {
	Host       string `json:"host"`
	Port       int    `json:"port"`
	HostCA     string `json:"host_ca" doc:"public key of the authority that signs the gateway's host key"`
	KnownHosts string `json:"known_hosts" doc:"line for a known_hosts file"`
}

// SSHInfo says where the gateway speaks SSH and how clients know it. Everybody who is signed in may ask.
func (s *Service) SSHInfo(_ context.Context, _ *weir.Identity) (SSHInfo, error) {
	if s.p.SSH != nil {
		if host, port, wire, ok := s.p.SSH(); ok {
			key, err := ca.AuthorizedKey(wire)
			if err != nil {
				return SSHInfo{}, err
			}
			return SSHInfo{Host: host, Port: port, HostCA: key, KnownHosts: "@cert-authority " + knownHost(host, port) + " " + key}, nil
		}
	}
	return SSHInfo{}, weir.NewError(weir.Unavailable, "this gateway has no SSH listener; ask its operator for one", nil)
}

// knownHost is a host as known_hosts files write it (sshd(8)): brackets around it where the port is not 22.
func knownHost(host string, port int) string {
	if port == 22 {
		return host
	}
	return "[" + strings.Trim(host, "[]") + "]:" + strconv.Itoa(port)
}

// address is a host and a port as in a URL.
func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// caText is the certificate that clients trust the gateway by, in PEM, or "" when they need none.
func (s *Service) caText() string {
	if s.p.ClientCA == nil || s.p.CA() == "" {
		return ""
	}
	return string(s.p.ClientCA.CertPEM())
}
