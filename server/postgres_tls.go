package server

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"time"

	"weir/gate/postgres"
	"weir/gate/session"
	"weir/gate/wire"
)

// postgresTLS speaks TLS with clients of PostgreSQL resources.
type postgresTLS struct {
	// config holds the gateway's certificates and, if clients may show some, the authority that signs theirs. Asked once.
	config func() *tls.Config
	// identify reads a client's certificate, whose signature and time were checked. nil takes none.
	identify func(c *x509.Certificate) (*session.Certificate, error)

	once sync.Once
	made *tls.Config // that connections share, since each keeps its own as long as it lasts
}

// shownKey finds in a handshake's context where the certificate is kept that is shown.
type shownKey struct{}

// start is postgres.Options.StartTLS. Sessions are not resumed: a certificate must have been shown in this very handshake.
func (p *postgresTLS) start(ctx context.Context, conn postgres.Conn) (postgres.Conn, postgres.TLSInfo, error) {
	p.once.Do(p.prepare)
	var shown *tls.Certificate
	ctx = context.WithValue(ctx, shownKey{}, &shown)
	var below net.Conn = asNetConn{conn}
	if s := socketOf(conn); s != nil {
		below = s
	}
	over := tls.Server(below, p.made)
	if err := over.HandshakeContext(ctx); err != nil {
		return nil, postgres.TLSInfo{}, err
	}
	state := over.ConnectionState()
	info := postgres.TLSInfo{Protocol: state.NegotiatedProtocol}
	if shown != nil && len(shown.Certificate) > 0 {
		leaf, err := x509.ParseCertificate(shown.Certificate[0])
		if err != nil {
			return nil, postgres.TLSInfo{}, err
		}
		info.EndPoint = endPoint(leaf)
	}
	if len(state.VerifiedChains) > 0 && p.identify != nil {
		c, err := p.identify(state.PeerCertificates[0])
		if err != nil {
			return nil, postgres.TLSInfo{}, err
		}
		info.Certificate = c
	}
	return over, info, nil
}

// prepare makes what all connections share.
func (p *postgresTLS) prepare() {
	base := p.config()
	cfg := base.Clone()
	cfg.GetConfigForClient = nil
	cfg.Certificates = nil
	cfg.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := pickCertificate(base, h)
		if shown, ok := h.Context().Value(shownKey{}).(**tls.Certificate); ok {
			*shown = c
		}
		return c, err
	}
	cfg.NextProtos = []string{"postgresql"}
	cfg.SessionTicketsDisabled = true
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	cfg.ClientAuth = tls.NoClientCert
	if p.identify != nil && cfg.ClientCAs != nil {
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
	}
	p.made = cfg
}

// socketOf makes what a loop can wait for of a connection of package net, be it one of which the engine has read a little; nil where it is another.
func socketOf(conn postgres.Conn) *wire.Socket {
	var first []byte
	if l, ok := conn.(interface {
		Unread() (postgres.Conn, []byte)
	}); ok {
		conn, first = l.Unread()
	}
	return wire.Under(conn, first)
}

// pickCertificate is what crypto/tls would pick.
func pickCertificate(base *tls.Config, h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if base.GetCertificate != nil {
		if c, err := base.GetCertificate(h); c != nil || err != nil {
			return c, err
		}
	}
	for i := range base.Certificates {
		if h.SupportsCertificate(&base.Certificates[i]) == nil {
			return &base.Certificates[i], nil
		}
	}
	if len(base.Certificates) == 0 {
		return nil, errors.New("no certificate for PostgreSQL clients")
	}
	return &base.Certificates[0], nil
}

// endPoint is the channel binding tls-server-end-point of a certificate (RFC 5929, section 4.1): its hash by the algorithm it was signed
// with, SHA-256 for the weak ones. nil where that names no hash.
func endPoint(c *x509.Certificate) []byte {
	var h crypto.Hash
	switch c.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256, x509.DSAWithSHA256, x509.DSAWithSHA1:
		h = crypto.SHA256
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		h = crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		h = crypto.SHA512
	default:
		return nil
	}
	sum := h.New()
	_, _ = sum.Write(c.Raw)
	return sum.Sum(nil)
}

// asNetConn makes a net.Conn of an engine's connection, for crypto/tls.
type asNetConn struct{ postgres.Conn }

// LocalAddr is unknown.
func (asNetConn) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr is unknown.
func (asNetConn) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline sets both.
func (c asNetConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
