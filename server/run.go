package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"weir"
	"weir/access/approval"
	"weir/config"
	"weir/gate/wire"
	"weir/vault/ca"
)

// maxConns bounds the connections of the web listener.
const maxConns = 20_000

// listen opens the listeners.
func (s *Server) listen(ctx context.Context) (err error) {
	if s.web, err = listenAt(ctx, "listen.web", s.cfg.Listen.Web); err != nil {
		return err
	}
	if s.cfg.Listen.Metrics != "" {
		if s.scrapes, err = listenAt(ctx, "listen.metrics", s.cfg.Listen.Metrics); err != nil {
			return err
		}
	}
	if s.socket, err = listenSocket(ctx, s.cfg.DataDir); err != nil {
		return err
	}
	for _, x := range []struct {
		protocol  weir.Protocol
		key, addr string
		serve     func(context.Context, net.Conn, func())
	}{{weir.Postgres, "listen.postgres", s.cfg.Listen.Postgres, s.servePostgres}, {weir.SSH, "listen.ssh", s.cfg.Listen.SSH, s.serveSSH}} {
		if x.addr == "" {
			continue
		}
		ln, err := listenAt(ctx, x.key, x.addr)
		if err != nil {
			return err
		}
		s.streams = append(s.streams, &streams{protocol: x.protocol, ln: ln, serve: x.serve, log: s.log})
	}
	port := 0
	if a, ok := s.web.Addr().(*net.TCPAddr); ok {
		port = a.Port
	}
	s.base = baseURL(s.cfg, port)
	return nil
}

func listenAt(ctx context.Context, key, addr string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("%s: %s is in use; stop the other process or choose another port", key, addr), err)
	case errors.Is(err, syscall.EACCES):
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("%s: the user that runs weir may not listen at %s; choose a port above 1023", key, addr), err)
	case err != nil:
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("%s: cannot listen at %s; name an address of this machine", key, addr), err)
	}
	return ln, nil
}

func baseURL(c *config.Config, port int) *url.URL {
	if c.Web.URL != "" {
		if u, err := url.Parse(c.Web.URL); err == nil {
			return u
		}
	}
	u := &url.URL{Scheme: "https", Host: c.Web.Hosts[0]}
	if c.TLS.Off {
		u.Scheme = "http"
	}
	if port != 443 {
		u.Host = net.JoinHostPort(u.Host, strconv.Itoa(port))
	}
	return u
}

// certificate makes what shows the listener's certificate.
func (s *Server) certificate(g *generation) (*ca.Keeper, error) {
	if s.authority == nil {
		return ca.KeepFiles(s.cfg.TLS.Cert, s.cfg.TLS.Key, s.opt.Now)
	}
	names := []string{"localhost", "*.localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(s.cfg.Listen.Web); err == nil && host != "" && !slices.Contains(names, host) {
		names = append(names, host)
	}
	for _, h := range append(slices.Clone(g.cfg.Web.Hosts), "localhost") {
		names = append(names, h, "*."+h)
		for _, r := range g.resources { // a wildcard below one label is not accepted everywhere
			names = append(names, r.noun.Name+"."+h)
		}
	}
	slices.Sort(names)
	return s.authority.Keep(slices.Compact(names))
}

func (s *Server) serveParts(context.Context) error {
	if s.cfg.TLS.Off {
		return nil
	}
	k, err := s.certificate(s.now.Load())
	if err != nil {
		return err
	}
	s.keeper.Store(k)
	return nil
}

// portOf is where clients of a protocol reach the gateway.
func (s *Server) portOf(p weir.Protocol) int {
	for _, x := range s.streams {
		if a, ok := x.ln.Addr().(*net.TCPAddr); ok && x.protocol == p {
			return a.Port
		}
	}
	return 0
}

// URL is where users reach the gateway.
func (s *Server) URL() string { return s.base.String() }

// Run serves until ctx ends, then drains and closes everything. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	handler := &web{s: s, api: s.api, metrics: s.metrics.handler(), foreign: http.NewCrossOriginProtection()}
	errorLog := slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)
	srv := httpServer(s.guarded(handler), int(s.cfg.Limits.Headers))
	admin := serveSocket(s.guarded(s.api))
	scrape := httpServer(s.metrics.handler(), 0)
	srv.ErrorLog, admin.ErrorLog, scrape.ErrorLog = errorLog, errorLog, errorLog
	ended := make(chan error, 3)
	go func() {
		ln := wire.Listen(s.web, maxConns)
		srv.ConnContext = wire.ConnContext
		if s.cfg.TLS.Off {
			ended <- srv.Serve(ln)
			return
		}
		srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.keeper.Load().GetCertificate(h)
		}}
		ended <- srv.ServeTLS(ln, "", "")
	}()
	go func() { ended <- admin.Serve(s.socket) }()
	if s.scrapes != nil {
		go func() { ended <- scrape.Serve(s.scrapes) }()
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	for _, x := range s.streams {
		go x.run(background)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.chores(background)
	}()
	go s.announce(background)
	g := s.now.Load()
	s.log.LogAttrs(ctx, slog.LevelInfo, "weir serves", slog.String("url", s.base.String()), slog.String("version", s.opt.Version),
		slog.String("policy", g.plan.Version()), slog.Int("resources", len(g.resources)))
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended:
	}
	s.draining.Store(true)
	s.log.LogAttrs(background, slog.LevelInfo, "weir drains", slog.String("at_most", time.Duration(s.cfg.Shutdown.Drain).String()))
	drain, cancel := context.WithTimeout(background, time.Duration(s.cfg.Shutdown.Drain))
	defer cancel()
	s.drain(drain)
	stop()
	<-done
	for _, x := range []*http.Server{srv, admin, scrape} {
		quick, cancel := context.WithTimeout(drain, time.Second)
		if x.Shutdown(quick) != nil {
			_ = x.Close()
		}
		cancel()
	}
	err = errors.Join(err, s.shut())
	_ = os.Remove(s.socket.Addr().String())
	s.log.LogAttrs(drain, slog.LevelInfo, "weir has stopped")
	return err
}

// drain lets nobody in any more, waits for what runs until ctx ends, and ends all sessions.
func (s *Server) drain(ctx context.Context) {
	for _, x := range s.streams {
		_ = x.ln.Close()
	}
	s.gate.Close(ctx)
	s.http.Close()
	for _, x := range s.streams {
		x.stop(ctx)
	}
}

// chores are what is due now and then.
func (s *Server) chores(ctx context.Context) {
	sweep, watch := time.NewTicker(time.Minute), time.NewTicker(2*time.Second)
	defer sweep.Stop()
	defer watch.Stop()
	stamp := s.stamp()
	var memory thrift
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			if _, err := s.approvals.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.LogAttrs(ctx, slog.LevelWarn, "requests could not be swept", slog.String("error", err.Error()))
			}
			if err := s.state.Purge(ctx, s.opt.Now().Add(-30*24*time.Hour)); err != nil && ctx.Err() == nil {
				s.log.LogAttrs(ctx, slog.LevelWarn, "old state could not be purged", slog.String("error", err.Error()))
			}
		case <-watch.C:
			memory.look()
			if now := s.stamp(); now != stamp {
				stamp = now
				s.Reload(ctx)
			}
		}
	}
}

// stamp changes when the configuration's file does.
func (s *Server) stamp() string {
	if s.opt.File == "" {
		return ""
	}
	info, err := os.Stat(s.opt.File)
	if err != nil {
		return ""
	}
	return info.ModTime().String() + strconv.FormatInt(info.Size(), 10)
}

// announce writes requests for approval to the log, as soon as there are any.
func (s *Server) announce(ctx context.Context) {
	for ctx.Err() == nil {
		for c := range s.approvals.Watch(ctx) {
			if c.Kind == approval.Missed {
				break
			}
			r := &c.Request
			s.log.LogAttrs(ctx, slog.LevelInfo, "request for approval", slog.String("change", string(c.Kind)), slog.String("request", string(r.ID)),
				slog.String("state", string(r.State)), slog.String("user", r.UserName), slog.String("resource", r.Resource),
				slog.String("command", r.Command), slog.String("rule", r.Rule))
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Reload reads the configuration again. When anything in it is wrong everything stays as it is.
func (s *Server) Reload(ctx context.Context) {
	if s.opt.File == "" {
		return
	}
	s.reloadMu.Lock()
	defer s.reloadMu.Unlock()
	before := s.now.Load()
	outcome, err := "ok", s.reload(ctx, before)
	if err != nil {
		outcome = "failed"
		_, public := weir.PublicOf(err)
		var bad *config.Error
		if errors.As(err, &bad) {
			public = bad.Error()
		}
		s.log.LogAttrs(ctx, slog.LevelError, "the new configuration is not used; the old one stays in force", slog.String("problems", public), slog.String("error", err.Error()))
	}
	s.metrics.reloads.WithLabelValues(outcome).Inc()
	e := &weir.Event{
		Time: s.opt.Now(), Action: "config.reload", Actor: "system", Outcome: outcome,
		Detail: []weir.Attr{{Name: "policy", Value: s.plan.Plan().Version()}},
	}
	if err := s.audit.Audit(ctx, e); err != nil {
		s.log.LogAttrs(ctx, slog.LevelError, "a reload could not be audited", slog.String("error", err.Error()))
	}
}

func (s *Server) reload(ctx context.Context, before *generation) error {
	cfg, err := config.Load(s.opt.File)
	if err != nil {
		return err
	}
	g, err := build(cfg, s.opt.File, s.maskKey, s.env, before)
	if err != nil {
		return err
	}
	if !s.cfg.TLS.Off {
		k, err := s.certificate(g)
		if err != nil {
			return err
		}
		s.keeper.Store(k)
	}
	if cfg.DataDir != s.cfg.DataDir || cfg.Listen != s.cfg.Listen || cfg.TLS != s.cfg.TLS || !slices.Equal(cfg.Web.Hosts, s.cfg.Web.Hosts) || cfg.Limits != s.cfg.Limits {
		s.log.LogAttrs(ctx, slog.LevelWarn, "data_dir, listen, web, tls and limits take effect at the next start")
	}
	// What is known to be secret comes first, then what uses it; what ends access comes last and ends sessions by the new state.
	s.now.Store(g)
	s.masker.Store(g.masker)
	s.plan.Set(g.plan)
	if err := s.identity.SetEntitlements(ctx, g.entitlements); err != nil {
		return fmt.Errorf("end what is no longer granted: %w", err)
	}
	s.gate.End(func(i *weir.SessionInfo) bool {
		old, now := before.byName[i.Resource.Name], g.byName[i.Resource.Name]
		return now == nil || old == nil || !slices.Equal(old.noun.Exceptions, now.noun.Exceptions) || old.host != now.host
	}, "the resource was changed")
	for _, r := range before.resources {
		r.close()
	}
	s.warn(ctx, g)
	s.log.LogAttrs(ctx, slog.LevelInfo, "a new configuration is in force", slog.String("policy", g.plan.Version()), slog.Int("resources", len(g.resources)))
	return nil
}
