package server

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"weir"
)

// sshHandshake is how long a client or a target may take to shake hands and log in.
const sshHandshake = 30 * time.Second

// acceptSSH shakes hands on a client's connection. It closes conn when that fails.
func acceptSSH(conn net.Conn, within time.Duration) func(*ssh.ServerConfig) (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	return func(config *ssh.ServerConfig) (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
		late := time.AfterFunc(within, func() { _ = conn.Close() })
		sc, channels, requests, err := ssh.NewServerConn(conn, config)
		if !late.Stop() && err == nil {
			_ = sc.Close()
			err = os.ErrDeadlineExceeded
		}
		if err != nil {
			_ = conn.Close()
			return nil, nil, nil, err
		}
		return sc, channels, requests, nil
	}
}

// dialSSH connects to address ("host:port") and logs in there. Connection and handshake take within at most, each.
func dialSSH(address string, within time.Duration) func(context.Context, *ssh.ClientConfig) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	dialer := &net.Dialer{Timeout: within}
	return func(ctx context.Context, config *ssh.ClientConfig) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("connect to target: %w", err)
		}
		hctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		stop := context.AfterFunc(hctx, func() { _ = conn.Close() })
		c, channels, requests, err := ssh.NewClientConn(conn, address, config)
		if !stop() && err == nil {
			_ = c.Close()
			err = hctx.Err()
		}
		if err != nil {
			_ = conn.Close()
			return nil, nil, nil, fmt.Errorf("log in at target: %w", err)
		}
		return c, channels, requests, nil
	}
}

// sshHostKeys says which host keys a target may show. What is set is tried in the order of the fields; a key that one of them knows as
// wrong is refused, whatever the others say.
type sshHostKeys struct {
	Pinned     []string // "SHA256:…", or a public key as in authorized_keys
	CA         []string // public keys of authorities, as in authorized_keys
	KnownHosts string   // path of a file in OpenSSH's known_hosts format
	// FirstUse is the file in which the first key that a target shows is kept, to be the only one from then on. Trusting the first
	// use is a setting of its own: whoever stands in the way then is trusted for ever.
	FirstUse *sshFirstUse
}

var errHostKeys = errors.New("no host key is known: pin one, name a known_hosts file or a host CA, or allow trust on first use")

// sshFirstUse serialises the look at a file of first uses and its change. All targets that use one file share one.
type sshFirstUse struct {
	mu   sync.Mutex
	path string
}

// hostKeyError is what a client may read: nothing was sent, and somebody has to look.
func hostKeyError(cause error) error {
	return weir.NewError(weir.Unavailable, "the target showed a host key that is not known; nothing was sent, ask an administrator to check it", cause)
}

// callback makes the check. Errors name the field and the fix.
func (k sshHostKeys) callback() (ssh.HostKeyCallback, error) {
	var checks []func(address string, remote net.Addr, key ssh.PublicKey) (known bool, err error)
	if len(k.Pinned) > 0 {
		pins, err := parsePins(k.Pinned)
		if err != nil {
			return nil, err
		}
		checks = append(checks, pins.check)
	}
	if len(k.CA) > 0 {
		var cas hostCAs
		for _, line := range k.CA {
			key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
			if err != nil {
				return nil, errors.New("host CA: this is no public key; write it as in the CA's .pub file")
			}
			cas = append(cas, key)
		}
		checks = append(checks, cas.check)
	}
	if k.KnownHosts != "" {
		if _, err := knownhosts.New(k.KnownHosts); err != nil {
			return nil, fmt.Errorf("known_hosts: %w", err)
		}
		checks = append(checks, func(address string, remote net.Addr, key ssh.PublicKey) (bool, error) {
			return inKnownHosts(k.KnownHosts, address, remote, key)
		})
	}
	if k.FirstUse != nil {
		checks = append(checks, k.FirstUse.check)
	}
	if len(checks) == 0 {
		return nil, errHostKeys
	}
	return func(address string, remote net.Addr, key ssh.PublicKey) error {
		for _, check := range checks {
			known, err := check(address, remote, key)
			if err != nil {
				return hostKeyError(err)
			}
			if known {
				return nil
			}
		}
		return hostKeyError(fmt.Errorf("host key %s is not known", ssh.FingerprintSHA256(key)))
	}, nil
}

// pins are keys and fingerprints.
type pins [][]byte

func parsePins(lines []string) (pins, error) {
	var p pins
	for _, line := range lines {
		if strings.HasPrefix(line, "SHA256:") {
			p = append(p, []byte(strings.TrimRight(line, "=")))
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("host key %q: write a fingerprint (SHA256:…) or a public key (ssh-ed25519 AAAA…)", line)
		}
		p = append(p, []byte(ssh.FingerprintSHA256(key)))
	}
	return p, nil
}

// check knows a plain key, and the key within a certificate.
func (p pins) check(_ string, _ net.Addr, key ssh.PublicKey) (bool, error) {
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	shown := []byte(ssh.FingerprintSHA256(key))
	for _, pin := range p {
		if subtle.ConstantTimeCompare(pin, shown) == 1 {
			return true, nil
		}
	}
	return false, nil
}

type hostCAs []ssh.PublicKey

// check knows a certificate of one of the authorities for this host. Another certificate is wrong only if one of them signed it.
func (cas hostCAs) check(address string, remote net.Addr, key ssh.PublicKey) (bool, error) {
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return false, nil
	}
	ours := func(auth ssh.PublicKey, _ string) bool {
		for _, ca := range cas {
			if bytes.Equal(ca.Marshal(), auth.Marshal()) {
				return true
			}
		}
		return false
	}
	if !ours(cert.SignatureKey, address) {
		return false, nil
	}
	if len(cert.ValidPrincipals) == 0 {
		return false, errors.New("host certificate without names, which would be for every host")
	}
	if err := (&ssh.CertChecker{IsHostAuthority: ours}).CheckHostKey(address, remote, cert); err != nil {
		return false, err
	}
	return true, nil
}

// inKnownHosts asks a file. It is read each time, so that a change counts at once.
func inKnownHosts(path, address string, remote net.Addr, key ssh.PublicKey) (bool, error) {
	check, err := knownhosts.New(path)
	if err != nil {
		return false, fmt.Errorf("read known_hosts: %w", err)
	}
	err = check(address, remote, key)
	if cert, ok := key.(*ssh.Certificate); ok && err != nil && !errors.As(err, new(*knownhosts.RevokedError)) {
		err = check(address, remote, cert.Key) // no authority in the file signed it; the key itself may stand there
	}
	var unknown *knownhosts.KeyError
	if errors.As(err, &unknown) && len(unknown.Want) == 0 {
		return false, nil
	}
	return err == nil, err
}

// check knows the key that was shown first, and keeps one for a target that has shown none yet. Of a certificate it keeps the key.
func (f *sshFirstUse) check(address string, remote net.Addr, key ssh.PublicKey) (bool, error) {
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600) //nolint:gosec // the gateway's own file
	if err != nil {
		return false, fmt.Errorf("open the file of first uses: %w", err)
	}
	defer func() { _ = file.Close() }()
	known, err := inKnownHosts(f.path, address, remote, key)
	if known || err != nil {
		return known, err
	}
	if _, err := file.WriteString(knownhosts.Line([]string{knownhosts.Normalize(address)}, key) + "\n"); err != nil {
		return false, fmt.Errorf("keep a host key: %w", err)
	}
	if err := file.Sync(); err != nil {
		return false, fmt.Errorf("keep a host key: %w", err)
	}
	return true, nil
}
