package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir"
	"weir/config"
	"weir/server/leaky"
	"weir/service"
)

// Demo is the gateway with a leaky service behind it, users and rules: everything in one process.
type Demo struct {
	Web       string         `json:"web"`
	CA        string         `json:"ca"`
	DataDir   string         `json:"data_dir"`
	Resources []DemoResource `json:"resources"`

	Manager, ManagerToken string `json:"-"`

	server *Server
	target *http.Server
	remove bool
}

// DemoResource is a resource and an access key for it.
type DemoResource struct {
	Name     string        `json:"name"`
	Protocol weir.Protocol `json:"protocol"`
	Command  string        `json:"command"`
	Login    string        `json:"login"`
	Secret   string        `json:"secret"`
}

const demoConfig = `data_dir: %q
listen: {web: %q}
web: {hosts: [localhost]}
resources:
  - name: billing-debug
    protocol: http
    address: http://%s
    credential: {bearer: {env: WEIR_DEMO_CREDENTIAL}}
grants:
  - {groups: [developers, managers], resources: ["*"], for: 8h}
rules:
  - {name: no-admin, match: {paths: ["/admin/**"]}, then: deny, reason: "administration is not for this way in"}
  - {name: crashes, match: {paths: ["/crash"]}, then: approve, approvers: {groups: [managers], count: 1}, within: 15m, reason: "crashing the service needs a manager's approval"}
hold: {wait: 60s}
`

// NewDemo prepares everything. dataDir empty uses a new directory, which Run removes; listen empty the usual address, or a free port
// when that is taken.
func NewDemo(ctx context.Context, dataDir, listen string, opt Options) (_ *Demo, err error) {
	d := &Demo{DataDir: dataDir}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.cleanUp())
		}
	}()
	if dataDir == "" {
		if d.DataDir, err = os.MkdirTemp("", "weir-demo-"); err != nil {
			return nil, weir.NewError(weir.Invalid, "no temporary directory can be made; name one with --data-dir", err)
		}
		d.remove = true
	}
	token := "demo_" + rand.Text()
	addr, err := d.startTarget(ctx, token)
	if err != nil {
		return nil, err
	}
	lookup := opt.LookupEnv
	opt.LookupEnv = func(name string) (string, bool) {
		if name == "WEIR_DEMO_CREDENTIAL" {
			return token, true
		}
		return lookup(name)
	}
	if listen == "" {
		listen = config.DefaultWeb
		if ln, err := listenAt(ctx, "listen.web", listen); err != nil {
			listen = "127.0.0.1:0"
		} else if err := ln.Close(); err != nil {
			return nil, err
		}
	}
	cfg, err := config.Parse(filepath.Join(d.DataDir, "weir.yaml"), fmt.Appendf(nil, demoConfig, d.DataDir, listen, addr))
	if err != nil {
		return nil, err
	}
	if d.server, err = New(ctx, cfg, opt); err != nil {
		return nil, err
	}
	return d, d.people(ctx)
}

// startTarget starts the leaky service on a free port of the loopback interface.
func (d *Demo) startTarget(ctx context.Context, token string) (addr string, err error) {
	secrets := &leaky.Service{Token: token, Env: demoSecrets()}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("start the demo's target: %w", err)
	}
	d.target = &http.Server{Handler: secrets.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = d.target.Serve(ln) }()
	return ln.Addr().String(), nil
}

// demoSecrets are made anew each time, in the shapes of real ones.
func demoSecrets() []leaky.Variable {
	r := rand.Text
	jwt := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"billing","jti":"`+r()+`"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(r()+r()))
	return []leaky.Variable{
		{Name: "DB_PASSWORD", Value: r()},
		{Name: "DATABASE_URL", Value: "postgres://billing:" + r() + "@10.0.0.5:5432/billing"},
		{Name: "AWS_ACCESS_KEY_ID", Value: "AKIA" + r()[:16]},
		{Name: "AWS_SECRET_ACCESS_KEY", Value: r() + r()[:14]},
		{Name: "STRIPE_API_KEY", Value: "sk_live_" + r()},
		{Name: "SESSION_TOKEN", Value: jwt},
		{Name: "LOG_LEVEL", Value: "debug"},
		{Name: "REGION", Value: "eu-central-1"},
	}
}

// people adds a developer with an access key, and a manager with a token. Those of an earlier run in the same directory stay.
func (d *Demo) people(ctx context.Context) error {
	me := localAdmin(uint32(os.Getuid()))
	s := d.server.service
	for _, u := range []service.NewUser{{Name: "alice", Groups: []string{"developers"}}, {Name: "morgan", Groups: []string{"managers"}}} {
		if _, err := s.AddUser(ctx, &me, u); err != nil {
			if kind, _ := weir.PublicOf(err); kind != weir.Conflict {
				return err
			}
		}
	}
	token, err := s.AddToken(ctx, &me, "morgan", "demo", 8*time.Hour)
	if err != nil {
		return err
	}
	d.Manager, d.ManagerToken = "morgan", token.Secret
	d.Web, d.CA = d.server.URL(), d.server.caPath()
	for _, r := range d.server.views() {
		a, err := s.Access(ctx, &me, r.Name, "alice", 0)
		if err != nil {
			return err
		}
		d.Resources = append(d.Resources, DemoResource{Name: a.Resource, Protocol: a.Protocol, Command: a.Command, Login: a.Login, Secret: a.Secret})
	}
	return nil
}

// Guide is what a new user reads. program is how the running binary is called.
func (d *Demo) Guide(program string) string {
	var b strings.Builder
	base := d.Resources[0].Command
	at := " --data-dir " + d.DataDir
	try := func(what, path string) { fmt.Fprintf(&b, "\n  # %s\n  %s%s\n", what, base, path) }
	fmt.Fprintf(&b, "Weir runs at %s, with a service behind it that tells too much.\nPaste these into another terminal (alice is a developer):\n", d.Web)
	try("a debug endpoint: every secret is masked", "debug/vars")
	try("its environment", "env")
	try("what the service got from Weir: the credential that Weir added is masked, too", "echo")
	try("blocked by a rule", "admin/reload -X POST")
	try("blocked by the catalogue: a heap dump cannot be masked", "actuator/heapdump")
	try("held until somebody approves it", "crash")
	fmt.Fprintf(&b, "\nWhile that last one waits (you run the gateway, so you may approve; so may %s, a manager):\n\n", d.Manager)
	fmt.Fprintf(&b, "  %s requests ls%s\n  %s requests approve ID%s\n", program, at, program, at)
	fmt.Fprintf(&b, "\nWhat was asked and answered, and that nobody changed it since:\n\n  %s sessions ls%s\n  %s sessions replay ID%s\n  %s verify%s\n",
		program, at, program, at, program, at)
	fmt.Fprintf(&b, "\nWhy something is decided as it is:\n\n  %s explain billing-debug 'GET /actuator/env' --as alice%s\n", program, at)
	if d.remove {
		b.WriteString("\nCtrl-C stops it and removes everything.\n")
	} else {
		b.WriteString("\nCtrl-C stops it; " + d.DataDir + " stays.\n")
	}
	return b.String()
}

// Run serves until ctx ends and cleans up.
func (d *Demo) Run(ctx context.Context) error {
	return errors.Join(d.server.Run(ctx), d.cleanUp())
}

func (d *Demo) cleanUp() error {
	var errs []error
	if d.target != nil {
		errs = append(errs, d.target.Close())
	}
	if d.remove && d.DataDir != "" {
		errs = append(errs, os.RemoveAll(d.DataDir))
	}
	return errors.Join(errs...)
}
