package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"weir"
	"weir/mask/personal"
)

// Load reads and checks a file. The error is an *Error with everything that is wrong, or a *weir.Error.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the configuration %s does not exist; name one with --config, or start with: weir config sample > weir.yaml", path), err)
	case err != nil:
		return nil, weir.NewError(weir.Invalid, fmt.Sprintf("the configuration %s cannot be read; check that it is a file that the user who runs weir may read", path), err)
	}
	return Parse(path, text)
}

// Parse checks a configuration that stands in a file of the name. Relative paths in it start from the file's directory.
func Parse(name string, text []byte) (*Config, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, &Error{File: name, Problems: []Problem{{Line: lineOf(err), Text: "this is not YAML: " + syntax(err)}}}
	}
	c := &Config{}
	d := &decoder{lines: map[string]int{}}
	if len(doc.Content) > 0 {
		d.value(doc.Content[0], reflect.ValueOf(c).Elem(), "")
	}
	for i := range c.Resources {
		c.Resources[i].line = d.lines["resources["+strconv.Itoa(i)+"]"]
	}
	c.ruleLines = map[string]int{}
	for path, line := range d.lines {
		if strings.HasPrefix(path, "rules[") {
			c.ruleLines[path] = line
		}
	}
	for i := range c.Mask.Detectors.Custom {
		at := "mask.detectors.custom[" + strconv.Itoa(i) + "]"
		lines := map[string]int{"": d.lines[at]}
		for _, key := range keys(typeOf[CustomDetector]()) {
			if n, ok := d.lines[at+"."+key]; ok {
				lines[key] = n
			}
		}
		c.Mask.Detectors.Custom[i].lines = lines
	}
	c.complete()
	c.paths(filepath.Dir(name))
	(&checker{c: c, d: d}).check()
	if len(d.problems) > 0 {
		return nil, &Error{File: name, Problems: d.problems}
	}
	return c, nil
}

// RuleLine is the line on which a field of a rule stands, such as "match.paths[1]", or the nearest thing around it that is written.
func (c *Config) RuleLine(i int, field string) int {
	d := decoder{lines: c.ruleLines}
	return d.line("rules[" + strconv.Itoa(i) + "]." + field)
}

var syntaxTable = regexp.MustCompile(`line (\d+)`)

func lineOf(err error) int {
	if m := syntaxTable.FindStringSubmatch(err.Error()); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	return 0
}

// syntax is the parser's message without what it quotes of the file.
func syntax(err error) string {
	s := strings.TrimPrefix(err.Error(), "yaml: ")
	if i := strings.IndexAny(s, "`'\""); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSpace(s)
}

func (c *Config) complete() {
	if c.DataDir == "" {
		c.DataDir = "weir-data"
	}
	if c.Listen.Web == "" {
		c.Listen.Web = DefaultWeb
	}
	for i := range c.Resources { // a protocol that is used has a listener
		switch p := c.Resources[i].Protocol; {
		case p == weir.Postgres && c.Listen.Postgres == "":
			c.Listen.Postgres = DefaultPostgres
		case p == weir.SSH && c.Listen.SSH == "":
			c.Listen.SSH = DefaultSSH
		}
	}
	if len(c.Web.Hosts) == 0 {
		c.Web.Hosts = []string{"localhost"}
	}
	if c.Shutdown.Drain == 0 {
		c.Shutdown.Drain = defaultDrain
	}
	if c.Log.Level == "" {
		c.Log.Level = "info"
	}
	if c.State == "" {
		c.State = "sqlite"
	}
}

// paths makes all paths absolute.
func (c *Config) paths(base string) {
	abs := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
		if a, err := filepath.Abs(*p); *p != "" && err == nil {
			*p = a
		}
	}
	ref := func(r *Ref) {
		if r != nil {
			abs(&r.File)
		}
	}
	abs(&c.DataDir)
	abs(&c.TLS.Cert)
	abs(&c.TLS.Key)
	for i := range c.Resources {
		r := &c.Resources[i]
		abs(&r.TLS.CA)
		abs(&r.TLS.Cert)
		abs(&r.TLS.Key)
		if r.HostKeys != nil {
			abs(&r.HostKeys.KnownHosts)
		}
		for _, c := range r.credentials() {
			for _, f := range []*Ref{c.Value, c.Bearer, c.Password, c.Key, c.Passphrase} {
				ref(f)
			}
		}
	}
}

// checker looks at what the types cannot say.
type checker struct {
	c *Config
	d *decoder
}

func (k *checker) problem(path, format string, args ...any) {
	k.d.problem(k.d.line(path), path, format, args...)
}

var (
	nameTable = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	hostTable = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$`)
	mediaName = regexp.MustCompile(`^[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+$`)
)

func (k *checker) check() {
	k.listen()
	names := map[string]int{}
	for i := range k.c.Resources {
		k.resource(i, names)
	}
	for i := range k.c.Grants {
		k.grant(i)
	}
	for i := range k.c.Rules {
		if r := &k.c.Rules[i]; r.Then == "" {
			k.problem("rules["+strconv.Itoa(i)+"]", "say what the rule does: then: deny, approve or allow")
		} else if _, ok := effectTable[r.Then]; !ok {
			k.problem("rules["+strconv.Itoa(i)+"].then", "an effect is deny, approve or allow")
		}
	}
	switch k.c.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		k.problem("log.level", "a level is debug, info, warn or error")
	}
	if k.c.State != "sqlite" {
		k.problem("state", "only sqlite is known here")
	}
	if s := k.c.Journal.Segment; s != 0 && (s < 64<<10 || s > 1<<30) {
		k.problem("journal.segment", "must be from 64KiB to 1GiB")
	}
	if k.c.Limits.Sessions < 0 {
		k.problem("limits.sessions", "must not be negative")
	}
	if k.c.Limits.HeldBody > 64<<20 {
		k.problem("limits.held_body", "must be at most 64MiB: a held body waits in memory")
	}
	if s := k.c.Postgres.Statement; s != 0 && (s < 4<<10 || s > 256<<20) {
		k.problem("postgres.statement", "must be from 4KiB to 256MiB")
	}
	if h := k.c.Limits.Headers; h != 0 && (h < 4<<10 || h > 1<<20) {
		k.problem("limits.headers", "must be from 4KiB to 1MiB")
	}
	if l := k.c.Identity.Local; l != nil && !*l {
		k.problem("identity.local", "local users are the only ones known here; leave it out or write true")
	}
}

func (k *checker) listen() {
	c := k.c
	for path, addr := range map[string]string{
		"listen.web": c.Listen.Web, "listen.postgres": c.Listen.Postgres, "listen.ssh": c.Listen.SSH, "listen.metrics": c.Listen.Metrics,
	} {
		if addr == "" {
			continue
		}
		host, port, err := net.SplitHostPort(addr)
		n, err2 := strconv.Atoi(port)
		if err != nil || err2 != nil || n < 0 || n > 65535 || host != "" && net.ParseIP(host) == nil {
			k.problem(path, "an address is written like 127.0.0.1:8443 or 0.0.0.0:8443")
		}
	}
	if m, err := netip.ParseAddrPort(c.Listen.Metrics); c.Listen.Metrics != "" && err == nil && !m.Addr().IsLoopback() && !m.Addr().IsPrivate() {
		k.problem("listen.metrics", "metrics are served without a login; listen at a loopback or private address")
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		k.problem("tls", "cert and key belong together; name both, or neither to use the gateway's own CA")
	}
	if c.TLS.Off && c.TLS.Cert != "" {
		k.problem("tls", "off and cert exclude each other")
	}
	if c.TLS.Off && !c.Loopback() {
		k.problem("tls.off", "without TLS credentials could be read on the way: listen at 127.0.0.1, or leave tls.off out")
	}
	for i, h := range c.Web.Hosts {
		if !hostTable.MatchString(h) {
			k.problem("web.hosts["+strconv.Itoa(i)+"]", "a host is a name such as gateway.example, without scheme and port")
		}
	}
	if c.Web.URL != "" {
		if u, err := url.Parse(c.Web.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || strings.Trim(u.Path, "/") != "" {
			k.problem("web.url", "write where users reach the gateway, such as https://gateway.example")
		}
	}
}

func (k *checker) resource(i int, names map[string]int) {
	r, path := &k.c.Resources[i], "resources["+strconv.Itoa(i)+"]"
	switch first, taken := names[r.Name]; {
	case r.Name == "":
		k.problem(path, "a resource needs a name")
	case !nameTable.MatchString(r.Name):
		k.problem(path+".name", "a name is made of small letters, digits and hyphens, at most 63: it is part of host names")
	case taken:
		k.problem(path+".name", "line %d has a resource of that name already; names are unique", first)
	default:
		names[r.Name] = k.d.line(path + ".name")
	}
	switch r.Protocol {
	case weir.HTTP:
		k.http(r, path)
	case weir.Postgres:
		k.postgres(r, path)
	case weir.SSH:
		k.ssh(r, path)
	case "":
		k.problem(path, "say which protocol the resource speaks: protocol: http, postgres or ssh")
	default:
		k.problem(path+".protocol", "the protocol %q is not known here; http, postgres and ssh are", short(string(r.Protocol)))
	}
	for n, kind := range r.Mask.Personal {
		if _, err := personal.New([]string{kind}); err != nil {
			k.problem(path+".mask.personal["+strconv.Itoa(n)+"]", "there is no such kind of personal data; the kinds are %s", strings.Join(personal.Kinds(), ", "))
		}
	}
	if r.Record.Body != nil && *r.Record.Body > maxRecord {
		k.problem(path+".record.body", "at most 64MiB of a body can be recorded")
	}
}

func (k *checker) grant(i int) {
	g, path := &k.c.Grants[i], "grants["+strconv.Itoa(i)+"]"
	if len(g.Groups) == 0 && len(g.Users) == 0 {
		k.problem(path, "say to whom: groups: [developers] or users: [alice]")
	}
	if len(g.Resources) == 0 {
		k.problem(path, "say which resources; [\"*\"] is all")
	}
	if time.Duration(g.For) > 30*24*time.Hour {
		k.problem(path+".for", "access lasts at most 30d; it is given anew when it is asked for again")
	}
}

// Sample is a configuration to begin with.
func Sample() string { return sample }

const sample = `# Weir's configuration. Check it with: weir config check --config weir.yaml
data_dir: ./weir-data            # evidence, state, the gateway's own CA; relative to this file
listen:
  web: 127.0.0.1:8443            # API, browsers and http resources
  postgres: 127.0.0.1:15432      # left out: no listener, unless a resource needs one
  ssh: 127.0.0.1:12222
web:
  hosts: [localhost]             # a resource is reached at RESOURCE.localhost, and at /r/RESOURCE/
tls: {}                          # empty: the gateway's own CA; or {cert: FILE, key: FILE}
resources:
  - name: billing-debug
    protocol: http
    address: http://127.0.0.1:8080
    credential: {header: Authorization, value: {env: BILLING_AUTHORIZATION}}   # never written here
    record: {body: 64KiB}        # how much of each body the recording keeps
  - name: orders
    protocol: postgres
    address: 10.0.0.5:5432       # several with commas between, or a socket's directory
    tls: verify-full             # or {mode: verify-full, ca: FILE}
    database: orders
    credential: {user: app, password: {env: ORDERS_PASSWORD}}
    mask: {columns: ["public.customers.iban"]}   # besides those whose name says it
  - name: web-1
    protocol: ssh
    address: 10.0.0.7:22
    credential: {user: deploy, key: {file: /etc/weir/deploy_ed25519}}
    host_keys: {known_hosts: /etc/weir/known_hosts}
grants:
  - {groups: [developers], resources: ["billing-*", orders, web-1], for: 8h}
rules:                           # deny beats approve beats allow; the first that matches inside an effect decides
  - {name: no-admin, match: {paths: ["/admin/**"]}, then: deny}
  - {name: reflect, match: {catalog: "introspection:approve"}, then: approve, approvers: {groups: [managers], count: 1}, within: 15m}
mask:
  fields: [account_ref]          # names that are masked besides the built-in ones
`
