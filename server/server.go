// Package server assembles the gateway from its parts, serves it and stops it.
//
// It must never serve before every control is in place, and never go on with half of a new configuration: a reload builds and
// checks everything before it replaces anything.
package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/access/approval"
	"weir/access/identity"
	"weir/config"
	"weir/evidence/audit"
	"weir/evidence/journal"
	"weir/evidence/record"
	"weir/evidence/verify"
	"weir/front/api"
	"weir/gate/httpgate"
	"weir/gate/postgres"
	"weir/gate/session"
	"weir/gate/sshgate"
	"weir/mask"
	"weir/rules/policy"
	"weir/service"
	"weir/state"
	"weir/vault/ca"
)

// Options are what a Server needs besides its configuration.
type Options struct {
	File      string // the configuration's file, read again on a reload; "" for none
	Version   string
	Log       io.Writer
	Now       func() time.Time
	LookupEnv func(string) (string, bool)
}

// Places in data_dir.
const (
	sessionsDir = "journal/sessions"
	auditDir    = "journal/audit"
	keysDir     = "keys"
)

// Server is one gateway. New makes it, Run serves it.
type Server struct {
	opt     Options
	cfg     *config.Config // what it was started with: paths, listeners
	env     environment
	maskKey []byte
	log     *slog.Logger
	masker  atomic.Pointer[mask.Masker] // for the log
	now     atomic.Pointer[generation]
	plan    policy.Live

	state     *state.DB
	journals  [2]*journal.Journal // sessions, audit
	audit     *audit.Log
	identity  *identity.Authority
	approvals *approval.Board
	gate      *session.Gate
	http      *httpgate.Handler
	postgres  *postgres.Handler // nil: no listener
	ssh       *sshgate.Handler  // nil: no listener
	service   *service.Service
	api       *api.Handler
	metrics   *metrics

	authority *ca.Authority // nil when the certificate is somebody else's
	sshCA     *ca.SSH
	keeper    atomic.Pointer[ca.Keeper]
	draining  atomic.Bool
	reloadMu  sync.Mutex
	base      *url.URL // where users reach the gateway
	web       net.Listener
	socket    net.Listener
	streams   []*streams // postgres, ssh
	scrapes   net.Listener
}

// New builds everything and opens the listeners. When it fails nothing is left open. The error is for the operator: one sentence
// that names the place and the fix.
func New(ctx context.Context, cfg *config.Config, opt Options) (_ *Server, err error) {
	s := &Server{opt: opt, cfg: cfg, env: environment{lookup: opt.LookupEnv, read: os.ReadFile, first: &sshFirstUse{path: filepath.Join(cfg.DataDir, "ssh_known_hosts")}}}
	s.log = newLog(opt.Log, cfg.Log.Level, &s.masker)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.shut())
		}
	}()
	if err := s.openData(ctx); err != nil {
		return nil, err
	}
	g, err := build(cfg, opt.File, s.maskKey, s.env, nil)
	if err != nil {
		return nil, err
	}
	s.now.Store(g)
	s.masker.Store(g.masker)
	s.plan.Set(g.plan)
	for _, step := range []func(context.Context) error{s.openJournals, s.assemble, s.listen, s.serveParts} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	s.warn(ctx, g)
	return s, nil
}

func (s *Server) warn(ctx context.Context, g *generation) {
	for _, w := range g.warnings {
		s.log.LogAttrs(ctx, slog.LevelWarn, "a credential is easy to guess", slog.String("resource", w))
	}
	for _, r := range g.resources {
		for _, e := range r.noun.Exceptions {
			s.log.LogAttrs(ctx, slog.LevelWarn, "an exception is configured", slog.String("resource", r.noun.Name), slog.String("exception", e))
		}
	}
}

// openData makes data_dir and opens what identifies this gateway.
func (s *Server) openData(ctx context.Context) error {
	dir := s.cfg.DataDir
	for _, d := range []string{dir, filepath.Join(dir, keysDir), filepath.Join(dir, "journal")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return weir.NewError(weir.Invalid, fmt.Sprintf("data_dir %s cannot be made or written; make it writable for the user that runs weir, or choose another", dir), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o077 != 0 {
		return weir.NewError(weir.Invalid, fmt.Sprintf("data_dir %s is open to other users; run: chmod 700 %s", dir, dir), err)
	}
	var err error
	if s.maskKey, err = openMaskKey(filepath.Join(dir, keysDir, "mask.key")); err != nil {
		return err
	}
	early, err := mask.New(mask.Config{Key: s.maskKey})
	if err != nil {
		return err
	}
	s.masker.Store(early.Masker())
	if s.cfg.TLS.Cert == "" && !s.cfg.TLS.Off {
		if s.authority, err = ca.Open(dir, s.opt.Now); err != nil {
			return err
		}
	}
	if s.sshCA, err = ca.OpenSSH(filepath.Join(dir, keysDir), s.opt.Now); err != nil {
		return err
	}
	s.env.ssh = s.sshCA
	s.state, err = state.Open(ctx, filepath.Join(dir, "state.db"), s.opt.Now)
	return err
}

// openMaskKey reads the key of the fingerprints in placeholders, or makes it.
func openMaskKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		if err := os.WriteFile(path, []byte(hex.EncodeToString(key)+"\n"), 0o600); err != nil {
			return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the key %s cannot be written; make data_dir writable for the user that runs weir", path), err)
		}
		return key, nil
	}
	if err != nil {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the key %s cannot be read; make it readable for the user that runs weir", path), err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the key %s is damaged; restore it, or remove it and accept that placeholders no longer compare with older ones", path), nil)
	}
	return key, nil
}

func (s *Server) openJournals(ctx context.Context) error {
	key, err := journal.OpenKey(filepath.Join(s.cfg.DataDir, keysDir, "journal.key"))
	if err != nil {
		return err
	}
	for i, dir := range []string{sessionsDir, auditDir} {
		j, err := journal.Open(journal.Options{
			Dir: filepath.Join(s.cfg.DataDir, dir), Signer: key, Now: s.opt.Now, SegmentBytes: int64(s.cfg.Journal.Segment),
		})
		if err != nil {
			return err
		}
		s.journals[i] = j
		if r := j.Recovery(); r.Unclean {
			s.log.LogAttrs(ctx, slog.LevelWarn, "a journal was recovered", slog.String("journal", dir), slog.String("report", r.String()))
		}
	}
	s.audit = audit.New(s.journals[1])
	return nil
}

func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()[:16]) }

// assemble puts the parts together.
func (s *Server) assemble(ctx context.Context) error {
	records, err := record.New(ctx, s.journals[0])
	if err != nil {
		return err
	}
	s.identity, err = identity.New(s.state, s.opt.Now, rand.Reader, identity.Options{
		Resources: func(name string) (weir.Resource, bool) {
			r, ok := s.now.Load().byName[name]
			if !ok {
				return weir.Resource{}, false
			}
			return r.noun, true
		},
		OnRevoke:     func(r identity.Revocation) { s.gate.End(r.Matches, r.Reason) },
		Entitlements: s.now.Load().entitlements,
		MaxSession:   time.Duration(s.cfg.Identity.MaxSession), DecoyKey: s.maskKey,
	})
	if err != nil {
		return err
	}
	if s.approvals, err = approval.New(s.state, s.opt.Now, newID, approval.Options{}); err != nil {
		return err
	}
	s.metrics = newMetrics(s.opt.Version, func() int { return len(s.gate.Live()) })
	s.gate, err = session.New(session.Controls{
		Admitter: s.identity, Decider: &s.plan, Holder: s.approvals, Masker: &maskers{now: &s.now},
		Recorder: &counted{records, s.metrics}, Auditor: s.audit,
	}, session.Options{Now: s.opt.Now, NewID: newID, OnFault: func(control string, err error) {
		s.metrics.faults.WithLabelValues(control).Inc()
		s.log.LogAttrs(ctx, slog.LevelError, "a control failed; what it controlled was refused", slog.String("control", control), slog.String("error", err.Error()))
	}})
	if err != nil {
		return err
	}
	if err := s.engines(ctx); err != nil {
		return err
	}
	s.service, err = service.New(service.Parts{
		Identity: s.identity, Approvals: s.approvals, Gate: s.gate, Records: records, Audit: s.audit, Policy: &s.plan,
		Resources: s.views, CA: s.caPath, ClientCA: s.authority, SSHCA: s.sshCA, SSH: s.sshAddress, Commanders: map[weir.Protocol]service.Commander{weir.Postgres: s.commandSQL}, Verify: s.verify, Now: s.opt.Now,
		Mask: func(name, text string) string { return maskText(s.now.Load().masker, name, text) },
	})
	if err != nil {
		return err
	}
	s.api, err = api.New(s.service, api.Options{Version: s.opt.Version, Log: s.log})
	return err
}

// engines makes one for each protocol that is served.
func (s *Server) engines(ctx context.Context) (err error) {
	l := &s.cfg.Limits
	s.http, err = httpgate.New(s.gate, func(name string) (*httpgate.Target, bool) {
		r := s.now.Load().byName[name]
		if r == nil || r.http == nil {
			return nil, false
		}
		return r.http, true
	}, httpgate.Options{
		Hosts: s.cfg.Web.Hosts, LoginPath: loginPath, MaxHeldBody: int64(l.HeldBody), MaxMessage: int64(l.Message), MaxSessions: l.Sessions, Now: s.opt.Now,
		OnFault: func(where string, err error) {
			s.metrics.faults.WithLabelValues("http").Inc()
			s.log.LogAttrs(ctx, slog.LevelError, "the http engine failed", slog.String("where", where), slog.String("error", err.Error()))
		},
	})
	if err != nil {
		return err
	}
	if err := s.openPostgres(ctx); err != nil {
		return err
	}
	return s.openSSH(ctx)
}

func (s *Server) caPath() string {
	if s.authority == nil {
		return ""
	}
	return s.authority.Path()
}

// views lists the resources as users see them.
func (s *Server) views() []service.Resource {
	g := s.now.Load()
	out := make([]service.Resource, 0, len(g.resources))
	for _, r := range g.resources {
		v := service.Resource{Resource: r.noun, Target: r.host, Database: r.database}
		switch r.noun.Protocol {
		case weir.HTTP:
			v.URL = s.base.JoinPath("r", r.noun.Name, "/")
			for _, h := range g.cfg.Web.Hosts {
				v.Hosts = append(v.Hosts, r.noun.Name+"."+h)
			}
		default:
			v.Host, v.Port = s.base.Hostname(), s.portOf(r.noun.Protocol)
		}
		out = append(out, v)
	}
	return out
}

func (s *Server) verify(context.Context) (*service.Evidence, error) {
	ev := &service.Evidence{OK: true, Time: s.opt.Now()}
	for i, to := range []**verify.Report{&ev.Sessions, &ev.Audit} {
		j := s.journals[i]
		r, err := verify.Dir(j.Dir(), j.PublicKey(), verify.Options{Checkpoint: j.Checkpoint()})
		if err != nil {
			return nil, err
		}
		*to = r
		ev.OK = ev.OK && r.OK()
	}
	return ev, nil
}

// VerifyDir verifies the evidence in a data_dir without a gateway. keyFile is "" for the key that lies beside the evidence.
func VerifyDir(dataDir, keyFile string, now time.Time) (*service.Evidence, error) {
	ev := &service.Evidence{OK: true, Time: now}
	for i, to := range []**verify.Report{&ev.Sessions, &ev.Audit} {
		dir := filepath.Join(dataDir, [...]string{sessionsDir, auditDir}[i])
		path := keyFile
		if path == "" {
			path = filepath.Join(dir, "journal.pub")
		}
		key, err := journal.ReadPublicKey(path)
		if err != nil {
			return nil, err
		}
		r, err := verify.Dir(dir, key, verify.Options{})
		if err != nil {
			return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the evidence in %s cannot be read; name the gateway's data_dir with --data-dir", dir), err)
		}
		*to = r
		ev.OK = ev.OK && r.OK()
	}
	return ev, nil
}

// ready reports why the gateway cannot serve, or nil.
func (s *Server) ready(ctx context.Context) error {
	if s.draining.Load() {
		return errDraining
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	for _, j := range s.journals {
		if err := j.Sync(ctx); err != nil {
			return errors.New("evidence cannot be written")
		}
	}
	return nil
}

// shut closes what New opened, in whatever state it is.
func (s *Server) shut() error {
	var errs []error
	for _, x := range s.streams {
		_ = x.ln.Close() // closed already when it was served
	}
	for _, ln := range []net.Listener{s.web, s.socket, s.scrapes} {
		if ln != nil {
			if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if s.http != nil {
		s.http.Close()
	}
	for _, j := range s.journals {
		if j != nil {
			errs = append(errs, j.Close())
		}
	}
	if s.state != nil {
		errs = append(errs, s.state.Close())
	}
	if g := s.now.Load(); g != nil {
		for _, r := range g.resources {
			r.close()
		}
	}
	return errors.Join(errs...)
}

var _ http.Handler = (*web)(nil)
