package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/config"
	"weir/gate/sshgate"
	"weir/rules/shell"
)

// sshHostCert is how long a host certificate counts; it is made anew after half of it.
const sshHostCert = 30 * 24 * time.Hour

// sshResource makes the target of an SSH resource.
func (g *generation) sshResource(r *resource, c *config.Resource, env environment) error {
	t := sshgate.Target{
		Dial: dialSSH(c.Address, sshHandshake), Accounts: make(map[string]sshgate.Auth), AllowCommands: c.Commands, Env: c.Env,
		NoShell: c.Shell != nil && !*c.Shell, AskLines: c.AskLines, AllowOpaque: c.AllowOpaque,
		Forward: slices.Contains(c.Forward, "local"), RemoteForward: slices.Contains(c.Forward, "remote"),
	}
	keys := sshHostKeys{Pinned: c.HostKeys.Pinned, CA: c.HostKeys.CA, KnownHosts: c.HostKeys.KnownHosts}
	if c.HostKeys.FirstUse {
		keys.FirstUse = env.first
	}
	var err error
	if t.HostKeys, err = keys.callback(); err != nil {
		return err
	}
	accounts := c.Accounts
	if c.Credential != nil {
		accounts = append([]config.Credential{*c.Credential}, accounts...)
	}
	for i := range accounts {
		a := &accounts[i]
		var auth sshgate.Auth
		if auth.Password, err = g.hold(c.Name, a.Password, env); err != nil {
			return err
		}
		if auth.Key, err = g.hold(c.Name, a.Key, env); err != nil {
			return err
		}
		if auth.Passphrase, err = g.hold(c.Name, a.Passphrase, env); err != nil {
			return err
		}
		if a.Certificate {
			if auth.CA, err = env.targetCA(); err != nil {
				return err
			}
		}
		t.Accounts[a.User] = auth
		if t.Default == "" {
			t.Default = a.User
		}
	}
	r.ssh, err = sshgate.NewTarget(t)
	return err
}

// targetCA signs logins at targets. When a configuration is only checked it is a key that nobody keeps.
func (e *environment) targetCA() (ssh.Signer, error) {
	if e.ssh != nil {
		return e.ssh.TargetCA(), nil
	}
	return throwAwayKey()
}

// openSSH makes the engine, if there is a listener for it.
func (s *Server) openSSH(ctx context.Context) error {
	if s.cfg.Listen.SSH == "" {
		return nil
	}
	userCA, err := ssh.ParsePublicKey(s.sshCA.UserCA())
	if err != nil {
		return err
	}
	host := &sshHost{s: s}
	if _, err := host.signer(); err != nil {
		return err
	}
	s.ssh, err = sshgate.New(s.gate, sshgate.Options{
		Targets: func(name string) (*sshgate.Target, bool) {
			r := s.now.Load().byName[name]
			if r == nil || r.ssh == nil {
				return nil, false
			}
			return r.ssh, true
		},
		HostSigners: func() []ssh.Signer {
			c, err := host.signer()
			if err != nil {
				s.log.LogAttrs(ctx, slog.LevelError, "the host certificate could not be renewed", slog.String("error", err.Error()))
				return []ssh.Signer{s.sshCA.HostKey()}
			}
			return []ssh.Signer{c, s.sshCA.HostKey()}
		},
		UserCA: func() []ssh.PublicKey { return []ssh.PublicKey{userCA} },
		Shell:  shell.Parse, Files: sshFiles{cap: func(resource string) int64 { return s.recordCap(resource) }},
		Keepalive: orElse(time.Duration(s.cfg.SSH.Keepalive), 15*time.Second), Notice: s.cfg.SSH.Banner == nil || *s.cfg.SSH.Banner, Now: s.opt.Now,
		OnFault: func(where string, err error) {
			s.metrics.faults.WithLabelValues("ssh").Inc()
			s.log.LogAttrs(ctx, slog.LevelError, "the ssh engine failed", slog.String("where", where), slog.String("error", err.Error()))
		},
	})
	return err
}

func (s *Server) recordCap(resource string) int64 {
	if r := s.now.Load().byName[resource]; r != nil {
		return int64(r.noun.RecordCap)
	}
	return 0
}

// sshHost makes the host certificate anew before it ends.
type sshHost struct {
	s *Server

	mu   sync.Mutex
	cert ssh.Signer
	due  time.Time
}

func (h *sshHost) signer() (ssh.Signer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.s.opt.Now()
	if h.cert != nil && now.Before(h.due) {
		return h.cert, nil
	}
	c, err := h.s.sshCA.SignHost(h.s.sshNames(), sshHostCert)
	if err != nil {
		return nil, err
	}
	h.cert, h.due = c, now.Add(sshHostCert/2)
	return c, nil
}

// sshNames are what clients may call the gateway.
func (s *Server) sshNames() []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	for _, h := range s.cfg.Web.Hosts {
		if h != "localhost" {
			names = append(names, h)
		}
	}
	if s.base != nil && s.base.Hostname() != "" {
		names = append(names, s.base.Hostname())
	}
	if host, _, err := net.SplitHostPort(s.cfg.Listen.SSH); err == nil && host != "" && host != "127.0.0.1" {
		names = append(names, host)
	}
	return names
}

// sshAddress is service.Parts.SSH.
func (s *Server) sshAddress() (host string, port int, hostCA []byte, ok bool) {
	if s.ssh == nil {
		return "", 0, nil, false
	}
	return s.base.Hostname(), s.portOf(weir.SSH), s.sshCA.HostCA(), true
}

// serveSSH carries one connection to its end.
func (s *Server) serveSSH(ctx context.Context, conn net.Conn, over func()) {
	defer over()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	client := clientOf(conn)
	err := s.ssh.Serve(ctx, sshgate.Connection{Client: client, Accept: acceptSSH(conn, sshHandshake)})
	if err == nil || ctx.Err() != nil {
		return
	}
	level := slog.LevelWarn
	var d *weir.Denied
	if errors.As(err, &d) || errors.Is(err, net.ErrClosed) {
		level = slog.LevelInfo
	}
	s.log.LogAttrs(ctx, level, "an ssh connection ended", slog.String("client", client.Addr.String()), slog.String("reason", err.Error()))
}
