package sshgate

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/vault/secret"
)

// certificateLife is how long a certificate made for one login at a target counts.
const certificateLife = 3 * time.Minute

// certificateSkew is how far a target's clock may be behind.
const certificateSkew = time.Minute

// Auth is how the gateway logs in at a target as one account. One of Password, Key and CA is set.
type Auth struct {
	Password secret.String
	// Key is a private key in PEM or OpenSSH's format; Passphrase opens it.
	Key        secret.String
	Passphrase secret.String
	// CA signs a fresh key for each login, for a few minutes, with the account as its principal.
	CA ssh.Signer
}

func (a *Auth) check() error {
	n := 0
	for _, set := range []bool{!a.Password.IsZero(), !a.Key.IsZero(), a.CA != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return errors.New("set one of password, key and certificate authority")
	}
	if a.Key.IsZero() {
		return nil
	}
	_, err := a.signer()
	return err
}

// signer reads the private key. Its errors do not quote it.
func (a *Auth) signer() (ssh.Signer, error) {
	var s ssh.Signer
	var err error
	if a.Passphrase.IsZero() {
		s, err = ssh.ParsePrivateKey([]byte(a.Key.Reveal()))
	} else {
		s, err = ssh.ParsePrivateKeyWithPassphrase([]byte(a.Key.Reveal()), []byte(a.Passphrase.Reveal()))
	}
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, errors.New("private key needs a passphrase")
	}
	if err != nil {
		return nil, errors.New("private key cannot be read: it must be in PEM or OpenSSH format, and its passphrase right")
	}
	if s.PublicKey().Type() != ssh.KeyAlgoRSA {
		return s, nil
	}
	as, ok := s.(ssh.AlgorithmSigner)
	if !ok {
		return nil, errors.New("private key cannot sign with SHA-2")
	}
	// Without this, a server that does not say what it takes would get SHA-1.
	return ssh.NewSignerWithAlgorithms(as, []string{ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512})
}

// clientConfig is how one session logs in at its target.
func (t *Target) clientConfig(account string, info *weir.SessionInfo, now time.Time) (*ssh.ClientConfig, error) {
	a, ok := t.Accounts[account]
	if !t.ready || !ok {
		return nil, errors.New("no such account")
	}
	algorithms := t.HostKeyAlgorithms
	if len(algorithms) == 0 {
		algorithms = hostKeyAlgorithms()
	}
	c := &ssh.ClientConfig{
		Config: modern(), User: account, HostKeyCallback: t.HostKeys, ClientVersion: version, HostKeyAlgorithms: algorithms,
	}
	switch {
	case !a.Password.IsZero():
		password := a.Password
		c.Auth = []ssh.AuthMethod{
			ssh.PasswordCallback(func() (string, error) { return password.Reveal(), nil }),
			ssh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
				// One hidden question is a password prompt. Anything else is not ours to answer.
				switch {
				case len(questions) == 0:
					return nil, nil
				case len(questions) == 1 && !echos[0]:
					return []string{password.Reveal()}, nil
				}
				return nil, errors.New("the target asks for more than a password")
			}),
		}
	case !a.Key.IsZero():
		s, err := a.signer()
		if err != nil {
			return nil, err
		}
		c.Auth = []ssh.AuthMethod{ssh.PublicKeys(s)}
	default:
		s, err := issue(a.CA, account, info, now)
		if err != nil {
			return nil, err
		}
		c.Auth = []ssh.AuthMethod{ssh.PublicKeys(s)}
	}
	return c, nil
}

// hostKeyAlgorithms are the modern ones, certificates first.
func hostKeyAlgorithms() []string {
	return []string{
		ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
		ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
	}
}

// issue makes a key and a certificate for one login. The private key is never stored.
func issue(ca ssh.Signer, account string, info *weir.SessionInfo, now time.Time) (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make session key: %w", err)
	}
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("make session key: %w", err)
	}
	var serial [8]byte
	if _, err := rand.Read(serial[:]); err != nil {
		return nil, fmt.Errorf("make serial: %w", err)
	}
	cert := &ssh.Certificate{
		Key: s.PublicKey(), CertType: ssh.UserCert, Serial: binary.BigEndian.Uint64(serial[:]),
		KeyId:           "weir:" + string(info.Identity.User) + ":" + string(info.ID),
		ValidPrincipals: []string{account},
		ValidAfter:      uint64(now.Add(-certificateSkew).Unix()), //nolint:gosec // after 1970
		ValidBefore:     uint64(now.Add(certificateLife).Unix()),  //nolint:gosec // after 1970
		Permissions:     ssh.Permissions{Extensions: map[string]string{"permit-pty": "", "permit-port-forwarding": ""}},
	}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		return nil, fmt.Errorf("sign session certificate: %w", err)
	}
	cs, err := ssh.NewCertSigner(cert, s)
	if err != nil {
		return nil, fmt.Errorf("use session certificate: %w", err)
	}
	return cs, nil
}
