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

	server   *Server
	target   *http.Server
	database *demoDatabase // nil: there is no PostgreSQL here
	host     net.Listener
	stopHost context.CancelFunc
	hostDone chan struct{}
	remove   bool
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
listen: {web: %q, ssh: %q%s}
web: {hosts: [localhost]}
resources:
  - name: billing-debug
    protocol: http
    address: http://%s
    credential: {bearer: {env: WEIR_DEMO_CREDENTIAL}}
  - name: billing-host
    protocol: ssh
    address: %s
    credential: {user: deploy, password: {env: WEIR_DEMO_HOST}}
    host_keys: {pinned: [%q]}
%sgrants:
  - {groups: [developers, managers], resources: ["*"], for: 8h}
rules:
  - {name: no-admin, match: {paths: ["/admin/**"]}, then: deny, reason: "administration is not for this way in"}
  - {name: crashes, match: {paths: ["/crash"]}, then: approve, approvers: {groups: [managers], count: 1}, within: 15m, reason: "crashing the service needs a manager's approval"}
  - {name: no-drop, match: {operations: [DROP, TRUNCATE]}, then: deny, reason: "nothing is dropped through this way in"}
hold: {wait: 60s}
`

const demoDatabaseConfig = `  - name: billing-db
    protocol: postgres
    address: 127.0.0.1:%d
    tls: disable
    database: billing
    credential: {user: billing, password: {env: WEIR_DEMO_DATABASE}}
`

// demoTables are what the database holds; the first %%s is the role's password.
const demoTables = `CREATE ROLE billing LOGIN PASSWORD '%s';
CREATE DATABASE billing OWNER billing;
ALTER DATABASE billing SET app.stripe_api_key = '%s';
ALTER SYSTEM SET archive_command = 'AWS_SECRET_ACCESS_KEY=%s aws s3 cp %%p s3://backup/%%f';
SELECT pg_reload_conf();
\c billing
SET ROLE billing;
CREATE TABLE customers (id int PRIMARY KEY, name text, email text, password_hash text, api_token text);
INSERT INTO customers SELECT i, 'customer ' || i, 'c' || i || '@example.com', md5(random()::text), 'sk_live_' || md5(random()::text) FROM generate_series(1, 100) i;
CREATE TABLE invoices (id int PRIMARY KEY, customer int REFERENCES customers, cents int);
INSERT INTO invoices SELECT i, 1 + i %% 100, 100 * i FROM generate_series(1, 1000) i;
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
	held := map[string]string{"WEIR_DEMO_CREDENTIAL": token, "WEIR_DEMO_HOST": rand.Text(), "WEIR_DEMO_DATABASE": rand.Text()}
	host, err := d.startHost(ctx, held["WEIR_DEMO_HOST"])
	if err != nil {
		return nil, err
	}
	databases, database := "", ""
	if d.database, err = startDemoDatabase(ctx, rand.Text(), fmt.Sprintf(demoTables, held["WEIR_DEMO_DATABASE"], "sk_live_"+rand.Text(), rand.Text()+rand.Text()[:14])); err != nil {
		return nil, fmt.Errorf("start the demo's database: %w", err)
	}
	if d.database != nil {
		databases = fmt.Sprintf(", postgres: %q", usualOrFree(ctx, config.DefaultPostgres))
		database = fmt.Sprintf(demoDatabaseConfig, d.database.port)
	}
	lookup := opt.LookupEnv
	opt.LookupEnv = func(name string) (string, bool) {
		if v, ok := held[name]; ok {
			return v, true
		}
		return lookup(name)
	}
	if listen == "" {
		listen = usualOrFree(ctx, config.DefaultWeb)
	}
	text := fmt.Appendf(nil, demoConfig, d.DataDir, listen, usualOrFree(ctx, config.DefaultSSH), databases, addr, d.host.Addr(), host.Key(), database)
	cfg, err := config.Parse(filepath.Join(d.DataDir, "weir.yaml"), text)
	if err != nil {
		return nil, err
	}
	if d.server, err = New(ctx, cfg, opt); err != nil {
		return nil, err
	}
	return d, d.people(ctx)
}

// usualOrFree is an address, or one with a free port when that is taken.
func usualOrFree(ctx context.Context, addr string) string {
	ln, err := listenAt(ctx, "listen", addr)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = ln.Close()
	return addr
}

// startHost starts a machine that answers SSH on a free port of the loopback interface.
func (d *Demo) startHost(ctx context.Context, password string) (*leaky.Host, error) {
	h, err := leaky.NewHost("deploy", password, &leaky.Service{Env: demoSecrets()})
	if err != nil {
		return nil, err
	}
	if d.host, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start the demo's host: %w", err)
	}
	hctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stopHost, d.hostDone = stop, make(chan struct{})
	go func() {
		defer close(d.hostDone)
		h.Serve(hctx, d.host)
	}()
	return h, nil
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
	fmt.Fprintf(&b, "Weir runs at %s, with a service, a host%s behind it that tell too much.\nPaste these into another terminal (alice is a developer):\n", d.Web, d.also())
	try("a debug endpoint: every secret is masked", "debug/vars")
	try("its environment", "env")
	try("what the service got from Weir: the credential that Weir added is masked, too", "echo")
	try("blocked by a rule", "admin/reload -X POST")
	try("blocked by the catalogue: a heap dump cannot be masked", "actuator/heapdump")
	connect := func(what, resource, rest string) {
		fmt.Fprintf(&b, "\n  # %s\n  %s connect %s --as alice%s -- %s\n", what, program, resource, at, rest)
	}
	connect("a machine's environment and files, by SSH", "billing-host", "'env; cat .env billing.log'")
	if d.database != nil {
		connect("a table with secrets in it, by psql", "billing-db", "-c 'SELECT * FROM customers LIMIT 3'")
		connect("the database's settings, whatever the column is called", "billing-db", `-c "SELECT name AS a, setting AS b FROM pg_settings WHERE name LIKE 'archive%'"`)
		connect("denied by a rule", "billing-db", "-c 'DROP TABLE invoices'")
	}
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

func (d *Demo) also() string {
	if d.database == nil {
		return ""
	}
	return " and a database"
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
	if d.host != nil {
		errs = append(errs, d.host.Close())
		d.stopHost()
		<-d.hostDone
	}
	errs = append(errs, d.database.stop())
	if d.remove && d.DataDir != "" {
		errs = append(errs, os.RemoveAll(d.DataDir))
	}
	return errors.Join(errs...)
}
