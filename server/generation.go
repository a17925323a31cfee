package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"weir"
	"weir/access/identity"
	"weir/config"
	"weir/gate/httpgate"
	"weir/gate/postgres"
	"weir/gate/sshgate"
	"weir/gate/wire"
	"weir/mask"
	"weir/mask/detect"
	"weir/mask/known"
	"weir/mask/personal"
	"weir/rules/catalog"
	"weir/rules/glob"
	"weir/rules/policy"
	"weir/vault/ca"
	"weir/vault/secret"
	"weir/vault/source"
)

// generation is all that a configuration makes and that a reload replaces. Immutable.
type generation struct {
	cfg          *config.Config
	plan         *policy.Plan
	catalog      *catalog.Catalog
	entitlements *identity.Entitlements
	resources    []*resource
	byName       map[string]*resource
	masker       *mask.Masker
	engine       *mask.Engine
	settings     []glob.Text // patterns of settings whose values are secrets
	known        *known.Set
	held         []source.Held // all that was ever held in this process
	warnings     []string
}

// resource is a target; of http, postgres and ssh one is set.
type resource struct {
	noun     weir.Resource
	http     *httpgate.Target
	postgres *postgres.Target
	ssh      *sshgate.Target
	columns  []glob.Text   // "schema.table.column" that are masked whole
	personal *personal.Set // nil: personal data passes
	host     string
	database string

	transport *http.Transport // of http
}

// close lets idle connections go.
func (r *resource) close() {
	if r.transport != nil {
		r.transport.CloseIdleConnections()
	}
}

// environment is where credentials come from.
type environment struct {
	lookup func(string) (string, bool)
	read   func(string) ([]byte, error)
	ssh    *ca.SSH      // signs logins at SSH targets; nil when a configuration is only checked
	first  *sshFirstUse // what targets showed first
}

// build makes a generation of a configuration. before is the one in use, or nil. The error lists everything that is wrong.
func build(cfg *config.Config, file string, maskKey []byte, env environment, before *generation) (*generation, error) {
	g := &generation{cfg: cfg, byName: make(map[string]*resource)}
	cat, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	g.catalog = cat
	plan, problems := policy.Compile(cfg.Policy(), cat)
	if len(problems) > 0 {
		e := &config.Error{File: file}
		for _, p := range problems {
			path := p.Field
			if p.Rule >= 0 {
				path = fmt.Sprintf("rules[%d].%s", p.Rule, p.Field)
			}
			e.Problems = append(e.Problems, config.Problem{Line: cfg.RuleLine(p.Rule, p.Field), Path: path, Text: p.Text})
		}
		return nil, e
	}
	g.plan = plan
	var errs []error
	if before != nil {
		g.held = slices.Clone(before.held)
	}
	for i := range cfg.Resources {
		r, err := g.resource(&cfg.Resources[i], env)
		if err != nil {
			errs = append(errs, fmt.Errorf("resource %s: %w", cfg.Resources[i].Name, err))
			continue
		}
		g.resources = append(g.resources, r)
		g.byName[r.noun.Name] = r
	}
	var list []identity.Entitlement
	for _, e := range cfg.Grants {
		list = append(list, identity.Entitlement{Groups: e.Groups, Users: e.Users, Resources: e.Resources, For: orElse(time.Duration(e.For), 8*time.Hour), Until: e.Until})
	}
	if g.entitlements, err = identity.NewEntitlements(list); err != nil {
		errs = append(errs, fmt.Errorf("grants: %w", err))
	}
	custom, err := customDetectors(cfg, file)
	if err != nil {
		return nil, err
	}
	fields, err := g.secretSettings(cat, slices.Clone(cfg.Mask.Fields))
	if err != nil {
		return nil, err
	}
	if g.engine, err = mask.New(mask.Config{Fields: fields, Disable: cfg.Mask.Detectors.Disable, Custom: custom, Key: maskKey}); err != nil {
		errs = append(errs, fmt.Errorf("mask: %w", err))
	}
	if g.known, g.warnings, err = source.Needles(g.held...); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	g.masker = g.engine.Masker(g.known)
	return g, nil
}

// secretSettings takes the catalogue's settings that are secrets, and adds to fields those that are no patterns: patterns are of words that are
// known as names of secrets.
func (g *generation) secretSettings(cat *catalog.Catalog, fields []string) ([]string, error) {
	for _, name := range cat.Settings() {
		if !strings.Contains(name, "*") {
			fields = append(fields, name)
		}
		pattern, err := glob.CompileText(name)
		if err != nil {
			return nil, fmt.Errorf("catalogue: setting %s: %w", name, err)
		}
		g.settings = append(g.settings, pattern)
	}
	return fields, nil
}

// customDetectors are the user's own. The error is a *config.Error with everything that is wrong with them.
func customDetectors(cfg *config.Config, file string) ([]detect.Custom, error) {
	var list []detect.Custom
	for _, c := range cfg.Mask.Detectors.Custom {
		list = append(list, detect.Custom{Name: c.Name, Regex: c.Regex, Keywords: c.Keywords, Check: c.Check, Allow: c.Allow})
	}
	problems, err := detect.CheckCustom(list)
	if err != nil {
		return nil, err
	}
	e := &config.Error{File: file}
	for _, p := range problems {
		line := cfg.Mask.Detectors.Custom[p.Index].Line(p.Field)
		e.Problems = append(e.Problems, config.Problem{Line: line, Path: fmt.Sprintf("mask.detectors.custom[%d].%s", p.Index, p.Field), Text: p.Text})
	}
	if len(e.Problems) > 0 {
		return nil, e
	}
	return list, nil
}

func orElse[T comparable](v, def T) T {
	var none T
	if v == none {
		return def
	}
	return v
}

// CheckConfig builds all that a configuration makes, except what opens files in its data_dir, and returns what is noteworthy.
func CheckConfig(cfg *config.Config, file string, lookup func(string) (string, bool)) (warnings []string, err error) {
	g, err := build(cfg, file, make([]byte, 32), environment{lookup: lookup, read: os.ReadFile, first: &sshFirstUse{}}, nil)
	if err != nil {
		return nil, err
	}
	return g.warnings, nil
}

func (g *generation) resource(c *config.Resource, env environment) (*resource, error) {
	r := &resource{noun: c.Noun(), host: c.Address, database: c.Database}
	if kinds := c.Mask.Personal; len(kinds) > 0 {
		var err error
		if r.personal, err = personal.New(kinds); err != nil {
			return nil, err
		}
	}
	switch c.Protocol {
	case weir.HTTP:
		return r, g.httpResource(r, c, env)
	case weir.Postgres:
		return r, g.postgresResource(r, c, env)
	case weir.SSH:
		return r, g.sshResource(r, c, env)
	}
	return nil, fmt.Errorf("the protocol %s has no engine", c.Protocol)
}

func (g *generation) httpResource(r *resource, c *config.Resource, env environment) error {
	r.host = c.URL().Host
	cred, err := g.credential(c, env)
	if err != nil {
		return err
	}
	tlsConfig, err := clientTLS(&c.TLS)
	if err != nil {
		return err
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	r.transport = &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return wire.NewReused(conn), nil
		},
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: 10 * time.Second,
		DisableCompression:  true,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        1024, MaxIdleConnsPerHost: 256, IdleConnTimeout: 90 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
		ReadBufferSize:         32 << 10, WriteBufferSize: 32 << 10,
	}
	r.http, err = httpgate.NewTarget(httpgate.Target{
		URL: c.URL(), RoundTripper: r.transport, Credential: cred, AllowOpaque: c.AllowOpaque, HostHeader: c.HostHeader,
	})
	return err
}

// hold resolves a credential and keeps it for masking. A nil ref is no credential.
func (g *generation) hold(name string, ref *config.Ref, env environment) (secret.String, error) {
	if ref == nil {
		return secret.String{}, nil
	}
	v, err := source.Resolve(ref.Source(), env.lookup, env.read)
	if err != nil {
		return secret.String{}, err
	}
	if !slices.ContainsFunc(g.held, func(h source.Held) bool { return h.Value.Equal(v) }) {
		g.held = append(g.held, source.Held{Name: name, Value: v})
	}
	return v, nil
}

// credential resolves what proves the gateway to a target, and keeps it for masking.
func (g *generation) credential(c *config.Resource, env environment) (httpgate.Credential, error) {
	cc := c.Credential
	if cc == nil {
		return httpgate.Credential{}, nil
	}
	ref := cc.Value
	if cc.Bearer != nil {
		ref = cc.Bearer
	}
	if cc.Password != nil {
		ref = cc.Password
	}
	v, err := g.hold(c.Name, ref, env)
	if err != nil {
		return httpgate.Credential{}, err
	}
	switch {
	case cc.Bearer != nil:
		return httpgate.BearerCredential(v), nil
	case cc.Password != nil:
		return httpgate.BasicCredential(cc.User, v), nil
	case cc.Query != "":
		return httpgate.QueryCredential(cc.Query, v), nil
	case cc.Cookie != "":
		return httpgate.CookieCredential(cc.Cookie, v), nil
	}
	return httpgate.HeaderCredential(cc.Header, v), nil
}

func clientTLS(c *config.ResourceTLS) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, weir.NewError(weir.Invalid, fmt.Sprintf("tls.ca: %s cannot be read; correct the path", c.CA), err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, weir.NewError(weir.Invalid, fmt.Sprintf("tls.ca: %s holds no PEM certificate", c.CA), nil)
		}
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, weir.NewError(weir.Invalid, fmt.Sprintf("tls.cert: %s and %s are no PEM certificate and key that belong together", c.Cert, c.Key), err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
