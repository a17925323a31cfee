package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"weir/gate/postgres"
	"weir/gate/wire"
	"weir/vault/secret"
)

// postgresHost is one place where a target is.
type postgresHost struct {
	host string // name, address, or the absolute path of a socket's directory
	port uint16
}

// postgresConfig says how a PostgreSQL target is reached.
type postgresConfig struct {
	hosts    []postgresHost // asked in order
	user     string
	password secret.String
	mode     string // of TLS: "disable", "require", "verify-full"
	// roots are the authorities that verify-full and, if it is not nil, require trust; nil is the system's for verify-full.
	roots        *x509.CertPool
	certificates []tls.Certificate // of ours, for the target
	serverName   string            // what the target's certificate names, if not the host
	attrs        string            // target_session_attrs: "any" …
	timeout      time.Duration     // for each host, and no more than its share of the time for all
}

// loginBody bounds a message during login, catalogBody one of the catalogue's rows, in bytes.
const (
	loginBody   = 1 << 20
	catalogBody = 64 << 20
	quitTimeout = 2 * time.Second
)

// sessionAttrsTable holds what target_session_attrs asks of a server.
var sessionAttrsTable = map[string]pgconn.ValidateConnectFunc{
	"": nil, "any": nil,
	"read-write":     pgconn.ValidateConnectTargetSessionAttrsReadWrite,
	"read-only":      pgconn.ValidateConnectTargetSessionAttrsReadOnly,
	"primary":        pgconn.ValidateConnectTargetSessionAttrsPrimary,
	"standby":        pgconn.ValidateConnectTargetSessionAttrsStandby,
	"prefer-standby": pgconn.ValidateConnectTargetSessionAttrsPreferStandby,
}

// postgresDialer opens connections to one target. Immutable.
type postgresDialer struct {
	cfg  postgresConfig
	base *pgconn.Config
}

// newPostgresDialer checks cfg. Nothing comes from the environment, password files or service files.
func newPostgresDialer(cfg postgresConfig) (*postgresDialer, error) {
	if len(cfg.hosts) == 0 || cfg.user == "" {
		return nil, errors.New("target address: name at least one host, and the role to log in as")
	}
	validate, ok := sessionAttrsTable[cfg.attrs]
	if !ok {
		return nil, fmt.Errorf("target_session_attrs: %q is none of %s", cfg.attrs, strings.Join(slices.Sorted(maps.Keys(sessionAttrsTable))[1:], ", "))
	}
	base, err := pgconn.ParseConfig("host=localhost user=x password=x sslmode=disable target_session_attrs=any")
	if err != nil {
		return nil, fmt.Errorf("make a connection's settings: %w", err)
	}
	base.User, base.Password, base.Database, base.RuntimeParams = cfg.user, "", "", nil
	base.Fallbacks, base.ValidateConnect = nil, validate
	base.ConnectTimeout = min(cfg.timeout, postgres.DefaultConnectTimeout*9/10/time.Duration(len(cfg.hosts))) // the last one's turn comes as well
	base.SSLNegotiation, base.SSLCertMode, base.ChannelBinding, base.RequireAuth = "postgres", "", "prefer", ""
	base.MinProtocolVersion, base.MaxProtocolVersion, base.MaxProtocolMessageBodyLen = "3.0", "3.0", loginBody
	base.AfterConnect, base.AfterNetConnect, base.OnNotice, base.OnNotification = nil, nil, nil, nil
	for i, h := range cfg.hosts {
		tlsConfig, err := cfg.tls(h.host)
		if err != nil {
			return nil, err
		}
		if tlsConfig == nil && !local(h.host) {
			base.RequireAuth = "!password" // never in clear over a network
		}
		if i == 0 {
			base.Host, base.Port, base.TLSConfig = h.host, h.port, tlsConfig
			continue
		}
		base.Fallbacks = append(base.Fallbacks, &pgconn.FallbackConfig{Host: h.host, Port: h.port, TLSConfig: tlsConfig})
	}
	return &postgresDialer{cfg: cfg, base: base}, nil
}

// local reports whether what is sent to host does not leave this machine.
func local(host string) bool {
	if strings.HasPrefix(host, "/") || host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// tls is how TLS is spoken with host; nil: not at all.
func (c *postgresConfig) tls(host string) (*tls.Config, error) {
	if strings.HasPrefix(host, "/") {
		return nil, nil //nolint:nilnil // a socket needs none
	}
	if c.serverName != "" {
		host = c.serverName
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, RootCAs: c.roots, Certificates: c.certificates}
	switch c.mode {
	case "disable":
		return nil, nil //nolint:nilnil // as asked
	case "verify-full":
	case "require":
		t.InsecureSkipVerify = true //nolint:gosec // the mode is encryption without identity, unless it names authorities
		if roots := c.roots; roots != nil {
			t.VerifyConnection = func(s tls.ConnectionState) error { return verifyChain(&s, roots) }
		}
	default:
		return nil, fmt.Errorf("target tls: %q is none of disable, require, verify-full", c.mode)
	}
	return t, nil
}

// verifyChain checks who signed a server's certificate, but not its name.
func verifyChain(s *tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}

// login connects and logs in. place is where.
func (d *postgresDialer) login(ctx context.Context, database string, params map[string]string, maxBody int) (*pgconn.PgConn, *place, error) {
	c := d.base.Copy()
	c.Database, c.RuntimeParams, c.MaxProtocolMessageBodyLen = database, maps.Clone(params), maxBody
	if c.RuntimeParams == nil {
		c.RuntimeParams = make(map[string]string)
	}
	if d.cfg.attrs == "read-write" && params["default_transaction_read_only"] != "" {
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary // what the session is asks for no other server
	}
	c.TLSConfig = d.base.TLSConfig // connections share it, since each keeps its own as long as it lasts
	for i := range c.Fallbacks {
		c.Fallbacks[i].TLSConfig = d.base.Fallbacks[i].TLSConfig
	}
	at := new(place)
	dialer := &net.Dialer{KeepAlive: time.Minute}
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		at.network, at.addr = network, addr // one after the other: the last one is the one that was taken
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if s := wire.Under(conn, nil); s != nil { // TLS may be put on top
			return s, nil
		}
		return conn, nil
	}
	postgres.SetCredential(c, d.cfg.user, d.cfg.password)
	conn, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return conn, at, nil
}

// connect is postgres.Target.Connect.
func (d *postgresDialer) connect(ctx context.Context, database string, params map[string]string) (*postgres.Upstream, error) {
	conn, at, err := d.login(ctx, database, params, loginBody)
	if err != nil {
		return nil, err
	}
	if err := conn.SyncConn(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("take over the connection: %w", err), closePostgres(ctx, conn))
	}
	h, err := conn.Hijack()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take over the connection: %w", err), closePostgres(ctx, conn))
	}
	at.tls, at.pid, at.key = h.TLSConfig, h.PID, h.SecretKey
	return &postgres.Upstream{
		Conn: h.Conn, Parameters: h.ParameterStatuses, PID: h.PID, HasKey: h.PID != 0 && len(h.SecretKey) > 0, Status: h.TxStatus, Cancel: at.cancel,
	}, nil
}

// catalog is postgres.Target.Catalog.
func (d *postgresDialer) catalog(ctx context.Context, database string) (postgres.Querier, error) {
	conn, _, err := d.login(ctx, database, map[string]string{
		"application_name": "weir catalogue", "client_encoding": "UTF8", "statement_timeout": "30000",
	}, catalogBody)
	if err != nil {
		return nil, err
	}
	return &postgresQuerier{conn: conn}, nil
}

// postgresQuerier reads rows over a connection of its own.
type postgresQuerier struct{ conn *pgconn.PgConn }

// Query runs one statement.
func (q *postgresQuerier) Query(ctx context.Context, query string) ([][]string, error) {
	results, err := q.conn.Exec(ctx, query).ReadAll()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for _, r := range results {
		for _, row := range r.Rows {
			cells := make([]string, len(row))
			for i, cell := range row {
				cells[i] = string(cell)
			}
			out = append(out, cells)
		}
	}
	return out, nil
}

// Close says good-bye.
func (q *postgresQuerier) Close(ctx context.Context) error { return closePostgres(ctx, q.conn) }

func closePostgres(ctx context.Context, conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), quitTimeout)
	defer cancel()
	return conn.Close(ctx)
}

// place is where a connection went, and what cancels what runs on it.
type place struct {
	network, addr string
	tls           *tls.Config // nil: the connection is not encrypted
	pid           uint32
	key           []byte
}

// cancel sends a CancelRequest, encrypted if the connection is. The server answers by closing.
func (p *place) cancel(ctx context.Context) error {
	dialer := &net.Dialer{Timeout: quitTimeout}
	conn, err := dialer.DialContext(ctx, p.network, p.addr)
	if err != nil {
		return fmt.Errorf("connect to cancel: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if at, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(at); err != nil {
			return fmt.Errorf("connect to cancel: %w", err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if p.tls != nil {
		if conn, err = p.encrypt(ctx, conn); err != nil {
			return fmt.Errorf("encrypt to cancel: %w", err)
		}
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(12+len(p.key))) //nolint:gosec // a key is at most 256 bytes
	b = binary.BigEndian.AppendUint32(b, 1234<<16|5678)
	b = append(binary.BigEndian.AppendUint32(b, p.pid), p.key...)
	if _, err := conn.Write(b); err != nil {
		return fmt.Errorf("send the cancel request: %w", err)
	}
	_, _ = conn.Read(b[:1]) // until it closes
	return nil
}

// encrypt asks for TLS and speaks it.
func (p *place) encrypt(ctx context.Context, conn net.Conn) (net.Conn, error) {
	b := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 1234<<16|5679)
	if _, err := conn.Write(b); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(conn, b[:1]); err != nil {
		return nil, err
	}
	if b[0] != 'S' {
		return nil, errors.New("the server does not speak TLS any more")
	}
	over := tls.Client(conn, p.tls)
	return over, over.HandshakeContext(ctx)
}
