package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"weir"
	"weir/config"
	"weir/gate/postgres"
	"weir/gate/session"
	"weir/rules/glob"
)

// postgresPort is where PostgreSQL listens when an address names a socket's directory only.
const postgresPort = 5432

// postgresResource makes the target of a PostgreSQL resource.
func (g *generation) postgresResource(r *resource, c *config.Resource, env environment) error {
	password, err := g.hold(c.Name, c.Credential.Password, env)
	if err != nil {
		return err
	}
	cfg := postgresConfig{user: c.Credential.User, password: password, mode: orElse(c.TLS.Mode, "verify-full"), attrs: c.TargetSessionAttrs, timeout: 10 * time.Second}
	for _, a := range c.Hosts() {
		h, err := postgresHostOf(a)
		if err != nil {
			return err
		}
		cfg.hosts = append(cfg.hosts, h)
	}
	cfg.roots, cfg.certificates, err = trust(&c.TLS)
	if err != nil {
		return err
	}
	cfg.serverName = c.TLS.ServerName
	for _, pattern := range c.Mask.Columns {
		p, err := glob.CompileText(pattern)
		if err != nil {
			return fmt.Errorf("mask.columns: %w", err)
		}
		r.columns = append(r.columns, p)
	}
	d, err := newPostgresDialer(cfg)
	if err != nil {
		return err
	}
	r.postgres, err = postgres.NewTarget(postgres.Target{
		Database: c.Database, Databases: c.Databases, ReadOnly: c.ReadOnly, AllowFunctionCall: c.AllowFunctionCall,
		Connect: d.connect, Catalog: d.catalog,
	})
	return err
}

// postgresHostOf reads host:port, or a socket's directory with or without a port.
func postgresHostOf(address string) (postgresHost, error) {
	host, port, err := net.SplitHostPort(address)
	n, err2 := strconv.ParseUint(port, 10, 16)
	switch err = errors.Join(err, err2); {
	case err == nil:
		return postgresHost{host: host, port: uint16(n)}, nil
	case filepath.IsAbs(address):
		return postgresHost{host: address, port: postgresPort}, nil
	}
	return postgresHost{}, err
}

// trust reads the authorities and the certificate of a target's settings. nil authorities are the system's.
func trust(c *config.ResourceTLS) (*x509.CertPool, []tls.Certificate, error) {
	t, err := clientTLS(c)
	if err != nil {
		return nil, nil, err
	}
	return t.RootCAs, t.Certificates, nil
}

// openPostgres makes the engine, if there is a listener for it.
func (s *Server) openPostgres(ctx context.Context) error {
	if s.cfg.Listen.Postgres == "" {
		return nil
	}
	opt := postgres.Options{
		Codec: postgres.NewCodec, AllowClear: s.cfg.Postgres.ClearText, MaxStatement: int(s.cfg.Postgres.Statement), Now: s.opt.Now,
		Columns: func(resource, relation, column string) (protected, statement bool) {
			return s.now.Load().column(resource, relation, column)
		},
		Secret: func(resource, relation, column string) bool {
			g := s.now.Load()
			protected, _ := g.column(resource, relation, column)
			return protected || g.engine.Names(column)
		},
		SecretSetting: func(name string) bool { return s.now.Load().secretSetting(name) },
		HeldNotice:    s.heldNotice,
		OnFault: func(where string, err error) {
			s.metrics.faults.WithLabelValues("postgres").Inc()
			s.log.LogAttrs(ctx, slog.LevelError, "the postgres engine failed", slog.String("where", where), slog.String("error", err.Error()))
		},
	}
	if !s.cfg.TLS.Off {
		front := &postgresTLS{config: s.clientFacing}
		if s.authority != nil {
			front.identify = s.identifyClient
		}
		opt.StartTLS = front.start
	}
	var err error
	s.postgres, err = postgres.New(s.gate, func(name string) (*postgres.Target, bool) {
		r := s.now.Load().byName[name]
		if r == nil || r.postgres == nil {
			return nil, false
		}
		return r.postgres, true
	}, opt)
	return err
}

// column says what is known of a column of a resource.
func (g *generation) column(resource, relation, column string) (protected, statement bool) {
	protected, statement = g.catalog.Column(relation, column)
	protected = protected || g.catalog.Derived(relation, column)
	if r := g.byName[resource]; r != nil && !protected {
		protected = r.protects(relation + "." + column)
	}
	return protected, statement
}

// secretSetting reports whether the value of a setting is a secret.
func (g *generation) secretSetting(name string) bool {
	return g.engine.Names(name) || slices.ContainsFunc(g.settings, func(p glob.Text) bool { return p.MatchFold(name) })
}

// protects reports whether a column is one of those that the resource masks whole.
func (r *resource) protects(column string) bool {
	for i := range r.columns {
		if r.columns[i].MatchFold(column) {
			return true
		}
	}
	return false
}

// clientFacing is how TLS is spoken with clients that are no browsers.
func (s *Server) clientFacing() *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return s.keeper.Load().GetCertificate(h)
	}}
	if s.authority != nil {
		t.ClientCAs = s.authority.Pool()
	}
	return t
}

// identifyClient reads a certificate that the gateway's own authority signed.
func (s *Server) identifyClient(c *x509.Certificate) (*session.Certificate, error) {
	u, err := s.authority.VerifyClient(c)
	if err != nil {
		return nil, err
	}
	return &session.Certificate{User: weir.UserID(u.ID), ID: weir.CredentialID(u.Credential), Serial: u.Serial, Expires: u.Expires}, nil
}

// heldNotice is what a client is told whose statement is held.
func (s *Server) heldNotice(info *weir.SessionInfo, id weir.RequestID) (message, detail, hint string) {
	return fmt.Sprintf("this statement waits for an approval: request %s", id),
		"resource " + info.Resource.Name + ", user " + info.Identity.Name,
		fmt.Sprintf("an approver runs: weir requests approve %s; or cancel the statement", id)
}

// servePostgres carries one connection, which may last longer than the call.
func (s *Server) servePostgres(ctx context.Context, conn net.Conn, over func()) {
	client := clientOf(conn)
	s.postgres.Carry(ctx, conn, client, func(err error) {
		defer over()
		s.logPostgres(ctx, client, err)
	})
}

// logPostgres says why a connection ended that did not end in good order.
func (s *Server) logPostgres(ctx context.Context, client weir.Client, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	level := slog.LevelWarn
	var d *weir.Denied
	if errors.As(err, &d) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		level = slog.LevelInfo
	}
	s.log.LogAttrs(ctx, level, "a postgres connection ended", slog.String("client", client.Addr.String()), slog.String("reason", err.Error()))
}

// clientOf is the far end of a connection.
func clientOf(conn net.Conn) weir.Client {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		at := a.AddrPort()
		return weir.Client{Addr: netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}
	}
	return weir.Client{}
}
