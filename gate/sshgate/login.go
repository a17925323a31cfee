package sshgate

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"

	"weir"
	"weir/gate/session"
	"weir/vault/secret"
)

// version is what the gateway calls itself, on both sides.
const version = "SSH-2.0-Weir"

const (
	maxTries   = 6
	maxUser    = 256 // bytes of a user name
	keyIDStart = "weir:"
)

var errNotAuthorized = errors.New("not authorized")

// modern are the algorithms that are spoken, on both sides. Nothing of SHA-1, CBC, DSA or Diffie-Hellman in small groups.
func modern() ssh.Config {
	return ssh.Config{
		KeyExchanges: []string{
			ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519,
			ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384, ssh.KeyExchangeECDHP521, ssh.KeyExchangeDH16SHA512,
		},
		Ciphers: []string{
			ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherChaCha20Poly1305,
			ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR,
		},
		MACs: []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM, ssh.HMACSHA256, ssh.HMACSHA512},
	}
}

// serverCiphers are those offered to clients. OpenSSH's client wants ChaCha20 first and gets what it wants, which is several times slower here than AES
// where the processor has instructions for AES and the library has none for ChaCha20. Every client that knows ChaCha20 knows AES, too.
func serverCiphers(all []string) []string {
	if !cpu.X86.HasAES || !cpu.X86.HasPCLMULQDQ {
		return all
	}
	return slices.DeleteFunc(all, func(name string) bool { return name == ssh.CipherChaCha20Poly1305 })
}

// limits are what a certificate does not permit.
type limits struct{ noTerminal, noForwarding bool }

// login is one client's way in. Its callbacks run in the handshake's goroutine.
type login struct {
	h       *Handler
	ctx     context.Context //nolint:containedctx // of the connection whose handshake this is
	client  weir.Client
	account string
	limits  limits

	mu      sync.Mutex
	session *session.Session
	target  *Target
}

// serverConfig makes the handshake's rules. Each signed or sent proof is one question to the Admitter; a key that is merely offered is
// never answered by whether it is known.
func (h *Handler) serverConfig(l *login) (*ssh.ServerConfig, error) {
	c := &ssh.ServerConfig{
		Config: modern(), ServerVersion: version, MaxAuthTries: maxTries,
		PublicKeyAuthAlgorithms: []string{
			ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256,
			ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512,
		},
		PasswordCallback:          l.password,
		PublicKeyCallback:         l.offered,
		VerifiedPublicKeyCallback: l.proved,
	}
	c.Ciphers = serverCiphers(c.Ciphers)
	signers := h.opt.HostSigners()
	for _, s := range signers {
		c.AddHostKey(s)
	}
	if len(signers) == 0 {
		return nil, errors.New("ssh engine has no host key")
	}
	return c, nil
}

// parseUser splits ACCOUNT+RESOURCE.keyid. name is what stands behind the plus sign: the login name of an access key or a token.
// resource is name without the key's id.
func parseUser(user string) (account, name, resource string, ok bool) {
	name = user
	if i := strings.LastIndexByte(user, '+'); i >= 0 {
		account, name = user[:i], user[i+1:]
		if account == "" {
			return "", "", "", false
		}
	}
	resource, _, _ = strings.Cut(name, ".")
	return account, name, resource, resource != "" && len(user) <= maxUser
}

// password checks an access key or a token.
func (l *login) password(meta ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	account, name, _, ok := parseUser(meta.User())
	if !ok {
		return nil, errNotAuthorized
	}
	p, err := l.authorize(meta, account, &session.Hello{Login: name, Secret: secret.New(string(password))})
	if d := (*weir.Denied)(nil); errors.As(err, &d) {
		return nil, &ssh.BannerError{Err: errNotAuthorized, Message: "weir: " + refusal(d) + "\r\n"}
	}
	return p, err
}

// offered looks at a key before anything is proved by it. Any well-formed one is asked to prove itself.
func (l *login) offered(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	if _, _, _, ok := parseUser(meta.User()); !ok {
		return nil, errNotAuthorized
	}
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return &ssh.Permissions{}, nil
	}
	if _, err := l.check(cert); err != nil {
		return nil, err
	}
	// The library checks the one critical option there may be, the source address.
	return &ssh.Permissions{CriticalOptions: cert.CriticalOptions, Extensions: cert.Extensions}, nil
}

// proved lets in who has shown possession of a key.
func (l *login) proved(meta ssh.ConnMetadata, key ssh.PublicKey, p *ssh.Permissions, _ string) (*ssh.Permissions, error) {
	account, _, resource, ok := parseUser(meta.User())
	if !ok {
		return nil, errNotAuthorized
	}
	proof := &session.Proof{}
	if cert, isCert := key.(*ssh.Certificate); isCert {
		c, err := l.check(cert)
		if err != nil {
			return nil, err
		}
		proof.Certificate = c
		_, terminal := cert.Extensions["permit-pty"]
		_, forwarding := cert.Extensions["permit-port-forwarding"]
		l.limits = limits{noTerminal: !terminal, noForwarding: !forwarding}
	} else {
		proof.PublicKey = key.Marshal()
	}
	if _, err := l.authorize(meta, account, &session.Hello{Login: resource, Proof: proof}); err != nil {
		return nil, err
	}
	if cert, isCert := key.(*ssh.Certificate); isCert && !l.names(cert.ValidPrincipals[0]) {
		l.forget("the certificate is for another name")
		return nil, errNotAuthorized
	}
	return p, nil
}

// names reports that the session is that of the user of this name: a certificate must name whom its key id means.
func (l *login) names(user string) bool {
	s, _ := l.result()
	return s != nil && s.Info().Identity.Name == user
}

// forget ends the session that was begun.
func (l *login) forget(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session != nil {
		l.session.End(reason)
	}
	l.session, l.target = nil, nil
}

// check reads a user certificate of the gateway's own authority.
func (l *login) check(cert *ssh.Certificate) (*session.Certificate, error) {
	if cert.CertType != ssh.UserCert || len(cert.ValidPrincipals) != 1 || cert.SignatureKey == nil || !l.ours(cert.SignatureKey) {
		return nil, errNotAuthorized
	}
	checker := &ssh.CertChecker{Clock: l.h.opt.Now, SupportedCriticalOptions: []string{"source-address"}}
	if err := checker.CheckCert(cert.ValidPrincipals[0], cert); err != nil {
		return nil, errNotAuthorized
	}
	user, credential, ok := strings.Cut(strings.TrimPrefix(cert.KeyId, keyIDStart), ":")
	if !ok || !strings.HasPrefix(cert.KeyId, keyIDStart) || user == "" || credential == "" || cert.ValidBefore > math.MaxInt64 {
		return nil, errNotAuthorized // one without an end, too
	}
	return &session.Certificate{
		User: weir.UserID(user), ID: weir.CredentialID(credential), Serial: cert.Serial, Expires: time.Unix(int64(cert.ValidBefore), 0),
	}, nil
}

func (l *login) ours(key ssh.PublicKey) bool {
	if l.h.opt.UserCA == nil {
		return false
	}
	for _, ca := range l.h.opt.UserCA() {
		if bytes.Equal(ca.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

// authorize asks the gate. A resource that has no target here, and an account that it has not, look as if they did not exist.
func (l *login) authorize(meta ssh.ConnMetadata, account string, hello *session.Hello) (*ssh.Permissions, error) {
	l.client.Agent = string(meta.ClientVersion())
	hello.Protocol, hello.Client = weir.SSH, l.client
	s, err := l.h.gate.Incoming(l.client).Authorize(l.ctx, hello)
	if err != nil {
		return nil, err
	}
	t, found := l.h.opt.Targets(s.Info().Resource.Name)
	if found && t != nil && t.ready {
		if account == "" {
			account = t.Default
		}
		_, found = t.Accounts[account]
	}
	if !found || t == nil || !t.ready {
		s.End("no such account at the target")
		return nil, errNotAuthorized
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session != nil {
		l.session.End("logged in twice")
	}
	l.session, l.target, l.account = s, t, account
	return &ssh.Permissions{}, nil
}

func (l *login) result() (*session.Session, *Target) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session, l.target
}

// abandon ends a session whose handshake broke off behind the login.
func (l *login) abandon() {
	if s, _ := l.result(); s != nil {
		s.End("the handshake broke off")
	}
}

// refusal is what a client reads: what was refused, by which rule, what to do next, and the id to ask about it with.
func refusal(d *weir.Denied) string {
	text := d.Reason
	if d.Rule != "" && d.Rule != "default" {
		text += " (rule " + d.Rule + ")"
	}
	if d.Hint != "" {
		text += "; " + d.Hint
	}
	if d.Request != "" {
		text += " [" + string(d.Request) + "]"
	}
	return printable(text)
}

// printable drops what could move a cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}
