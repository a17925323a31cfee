package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/config"
	"weir/mask/personal"
	"weir/rules/catalog"
	"weir/rules/policy"
)

func TestSampleIsGood(t *testing.T) {
	c, err := config.Parse("/etc/weir/weir.yaml", []byte(config.Sample()))
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "/etc/weir/weir-data" || c.Resources[0].RecordCap() != 64<<10 || time.Duration(c.Grants[0].For) != 8*time.Hour || !c.Loopback() {
		t.Errorf("%+v", c)
	}
	cat, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := policy.Compile(c.Policy(), cat); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestProblems pairs what is wrong with where it stands and what the message must say.
func TestProblems(t *testing.T) {
	const (
		pg = "resources:\n- {name: a, protocol: postgres, address: 'h:5432', database: d, credential: {user: u, password: {env: P}}"
		ss = "resources:\n- {name: a, protocol: ssh, address: 'h:22', host_keys: {first_use: true}, credential: {user: u, key: {file: k}}"
	)
	const res = "resources:\n- name: a\n  protocol: http\n  address: http://t\n"
	for name, c := range map[string]struct {
		text string
		line int
		want string
	}{
		"unknown key":         {"data_dir: x\nlissen: {}\n", 2, `did you mean "listen"?`},
		"unknown inner key":   {res + "  credentials: {}\n", 5, `did you mean "credential"?`},
		"two of one name":     {res + "- name: a\n  protocol: http\n  address: http://u\n", 5, "line 2 has a resource of that name"},
		"literal credential":  {res + "  credential: {header: X, value: hunter2-CANARY}\n", 5, "never written into this file"},
		"literal bearer":      {res + "  credential:\n    bearer: hunter2-CANARY\n", 6, "never written into this file"},
		"credential in URL":   {"resources:\n- {name: a, protocol: http, address: 'http://u:hunter2-CANARY@t'}\n", 2, "put them into credential"},
		"two sources":         {res + "  credential: {bearer: {env: A, file: b}}\n", 5, "{env: NAME} or {file: PATH}"},
		"two forms":           {res + "  credential: {bearer: {env: A}, header: X, value: {env: B}}\n", 5, "one of"},
		"form without value":  {res + "  credential: {header: X}\n", 5, "needs value"},
		"bad protocol":        {"resources:\n- {name: a, protocol: gopher, address: 'http://t'}\n", 2, "not known here"},
		"bad address":         {"resources:\n- {name: a, protocol: http, address: 'ftp://t'}\n", 2, "is a URL such as"},
		"no address":          {"resources:\n- {name: a, protocol: http}\n", 2, "address: http://"},
		"bad name":            {"resources:\n- {name: A_b, protocol: http, address: 'http://t'}\n", 2, "small letters"},
		"bad duration":        {"grants:\n- {groups: [a], resources: [b], for: 8}\n", 2, "written like 90s"},
		"bad size":            {res + "  record: {body: 5 lots}\n", 5, "written like 4096"},
		"bad listen":          {"listen:\n  web: here\n", 2, "written like 127.0.0.1:8443"},
		"tls off in public":   {"listen: {web: 0.0.0.0:80}\ntls: {off: true}\n", 2, "could be read on the way"},
		"half a pair":         {"tls: {cert: x}\n", 1, "belong together"},
		"rule without then":   {"rules:\n- {name: a}\n", 2, "then: deny, approve or allow"},
		"bad effect":          {"rules:\n- name: a\n  then: permit\n", 3, "deny, approve or allow"},
		"said twice":          {"data_dir: a\ndata_dir: b\n", 2, "twice"},
		"a list":              {"grants: x\n", 1, "a list"},
		"tls for http":        {res + "  tls: {ca: x}\n", 5, "there is no TLS"},
		"not yaml":            {"a: [b\nc: d", 0, "not YAML"},
		"bad opaque":          {res + "  allow_opaque: ['*']\n", 5, "name one media type"},
		"bad kind":            {res + "  mask:\n    personal: [iban, shoe-size]\n", 6, "the kinds are payment-card, iban"},
		"no kinds":            {res + "  mask: {personal: some}\n", 5, "true, false or a list of kinds"},
		"empty kinds":         {res + "  mask: {personal: []}\n", 5, "true, false or a list of kinds"},
		"pg without database": {"resources:\n- {name: a, protocol: postgres, address: 'h:5432', credential: {user: u}}\n", 2, "database: NAME"},
		"pg without login":    {"resources:\n- {name: a, protocol: postgres, address: 'h:5432', database: d}\n", 2, "how the gateway logs in"},
		"pg with a URL":       {"resources:\n- {name: a, protocol: postgres, address: 'postgres://u:hunter2-CANARY@h', database: d, credential: {user: u}}\n", 2, "address is host:port"},
		"pg tls mode":         {pg + ", tls: prefer}\n", 2, "a mode is verify-full"},
		"pg session attrs":    {pg + ", target_session_attrs: fast}\n", 2, "read-write"},
		"pg column":           {pg + ", mask: {columns: [token]}}\n", 2, "schema.table.column"},
		"pg literal":          {"resources:\n- name: a\n  protocol: postgres\n  address: h:5432\n  database: d\n  credential: {user: u, password: hunter2-CANARY}\n", 6, "never written into this file"},
		"pg with accounts":    {pg + ", accounts: [{user: x, certificate: true}]}\n", 2, "for ssh resources only"},
		"http with database":  {res + "  database: d\n", 5, "for postgres resources only"},
		"http with tls mode":  {res + "  tls: require\n", 5, "no TLS mode"},
		"ssh without keys":    {"resources:\n- {name: a, protocol: ssh, address: 'h:22', credential: {user: u, certificate: true}}\n", 2, "how the target proves itself"},
		"ssh two host keys":   {"resources:\n- {name: a, protocol: ssh, address: 'h:22', host_keys: {first_use: true, known_hosts: f}, credential: {user: u, certificate: true}}\n", 2, "one of known_hosts"},
		"ssh two ways":        {"resources:\n- {name: a, protocol: ssh, address: 'h:22', host_keys: {first_use: true}, credential: {user: u, certificate: true, key: {file: k}}}\n", 2, "an ssh credential is one of"},
		"ssh account twice":   {ss + ", accounts: [{user: u, certificate: true}]}\n", 2, "is there already"},
		"ssh opaque":          {ss + ", allow_opaque: [all]}\n", 2, "rsync, git, files"},
		"ssh forward":         {ss + ", forward: [x11]}\n", 2, "local (ssh -L"},
		"ssh address":         {"resources:\n- {name: a, protocol: ssh, address: h, host_keys: {first_use: true}, credential: {user: u, certificate: true}}\n", 2, "address is host:port"},
		"pg statement size":   {"postgres: {statement: 1KiB}\n", 1, "from 4KiB"},
		"unknown match key":   {"rules:\n- name: a\n  then: deny\n  match:\n    object: [x]\n", 5, `did you mean "objects"?`},
		"not a list":          {"rules:\n- name: a\n  then: deny\n  match:\n    commands: rm\n", 5, "a list"},
		"not a flag":          {"rules:\n- name: a\n  then: deny\n  match: {no_where: always}\n", 4, "true or false"},
		"not a read flag":     {"rules:\n- name: a\n  then: deny\n  except:\n    read_only: [x]\n", 5, "single value"},
		"an alias":            {"data_dir: &x a\nstate: *x\n", 2, "aliases"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse("weir.yaml", []byte(c.text))
			var e *config.Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			text := err.Error()
			if strings.Contains(text, "CANARY") {
				t.Errorf("the message repeats a credential: %s", text)
			}
			where := "weir.yaml:"
			if c.line > 0 {
				where = fmt.Sprintf("weir.yaml:%d:", c.line)
			}
			if !strings.Contains(text, where) || !strings.Contains(text, c.want) {
				t.Errorf("got %q, want %s … %s", text, where, c.want)
			}
		})
	}
}

func TestPersonal(t *testing.T) {
	for text, want := range map[string]int{"": 0, "  mask: {}\n": 0, "  mask: {personal: false}\n": 0, "  mask: {personal: [iban, email]}\n": 2, "  mask: {personal: true}\n": len(personal.Kinds())} {
		c, err := config.Parse("w", []byte("resources:\n- name: a\n  protocol: http\n  address: http://t\n"+text))
		if err != nil || len(c.Resources[0].Mask.Personal) != want {
			t.Errorf("%q: %v, %v", text, c, err)
		}
	}
}

func TestOtherProtocols(t *testing.T) {
	const text = `resources:
- {name: orders, protocol: postgres, address: "a:5432, b:5432", tls: require, database: orders, credential: {user: app, password: {file: pw}}, read_only: true, allow_function_call: true}
- {name: local, protocol: postgres, address: /run/postgresql, tls: {mode: verify-full, ca: ca.pem}, database: x, credential: {user: app}}
- name: web-1
  protocol: ssh
  address: 10.0.0.7:22
  credential: {user: deploy, key: {file: k}, passphrase: {env: P}}
  accounts: [{user: root, certificate: true}, {user: ops, password: {env: O}}]
  host_keys: {first_use: true}
  shell: false
  forward: [local, remote]
  allow_opaque: [rsync]
`
	c, err := config.Parse("/etc/weir/weir.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen.Postgres != config.DefaultPostgres || c.Listen.SSH != config.DefaultSSH {
		t.Errorf("listen: %+v", c.Listen)
	}
	pg, local, ssh := &c.Resources[0], &c.Resources[1], &c.Resources[2]
	if !slices.Equal(pg.Hosts(), []string{"a:5432", "b:5432"}) || pg.TLS.Mode != "require" || pg.Credential.Password.File != "/etc/weir/pw" || local.TLS.CA != "/etc/weir/ca.pem" {
		t.Errorf("%+v %+v", pg, local)
	}
	for _, x := range []struct {
		got, want []string
	}{
		{pg.Noun().Exceptions, []string{"allow_function_call", "tls:require"}},
		{local.Noun().Exceptions, nil},
		{ssh.Noun().Exceptions, []string{"allow_opaque:rsync", "forward:local", "forward:remote", "host_keys:first_use"}},
	} {
		if !slices.Equal(x.got, x.want) {
			t.Errorf("exceptions %q, want %q", x.got, x.want)
		}
	}
	if ssh.Credential.Key.File != "/etc/weir/k" || len(ssh.Accounts) != 2 || *ssh.Shell {
		t.Errorf("%+v", ssh)
	}
}

// TestGuide compiles every sample of the guide to policy.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../docs/guides/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	samples := strings.Split(string(text), "```yaml\n")[1:]
	for _, sample := range samples {
		sample, _, _ = strings.Cut(sample, "```")
		c, err := config.Parse("policy.md", []byte(sample))
		if err != nil {
			t.Errorf("%s\n%v", sample, err)
			continue
		}
		if _, problems := policy.Compile(c.Policy(), cat); len(problems) > 0 || len(c.Rules) == 0 {
			t.Errorf("%s\n%+v", sample, problems)
		}
	}
	if len(samples) < 3 {
		t.Errorf("%d samples", len(samples))
	}
}

func TestRules(t *testing.T) {
	c, err := config.Parse("w", []byte(`rules:
- name: a
  match: {objects: [hr.*], columns: [a.b.c], functions: [f], settings: [s], roles: [r], no_where: true, secret_out: true, files: true, program: true, read_only: false, dynamic: true, unclear: true}
  then: deny
- name: b
  match: {commands: [rm *], paths: [/x], channels: [exec], accounts: [root], addresses: ["db:*"], regex: x}
  except:
    commands: [rm -i *]
    channels:
    - exec
    - telnet
  then: deny
`))
	if err != nil {
		t.Fatal(err)
	}
	no := false
	p := c.Policy()
	want := []policy.Match{
		{Objects: []string{"hr.*"}, Columns: []string{"a.b.c"}, Functions: []string{"f"}, Settings: []string{"s"}, Roles: []string{"r"}, NoWhere: true, SecretOut: true, Files: true, Program: true, ReadOnly: &no, Dynamic: true, Unclear: true},
		{Commands: []string{"rm *"}, Paths: []string{"/x"}, Channels: []string{"exec"}, Accounts: []string{"root"}, Addresses: []string{"db:*"}, Regex: "x"},
	}
	for i := range want {
		if d := cmp.Diff(want[i], p.Rules[i].Match); d != "" {
			t.Error(d)
		}
	}
	if p.Rules[0].Except != nil || len(p.Rules[1].Except.Commands) != 1 {
		t.Errorf("%+v", p.Rules[1].Except)
	}
	cat, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	_, problems := policy.Compile(p, cat)
	if len(problems) != 1 || problems[0].Field != "except.channels[1]" || c.RuleLine(1, problems[0].Field) != 11 {
		t.Errorf("%+v", problems)
	}
	for field, line := range map[string]int{"match.regex": 6, "except": 7, "name": 5, "reason": 5, "except.commands[0]": 8} {
		if n := c.RuleLine(1, field); n != line {
			t.Errorf("%s is on line %d, not %d", field, line, n)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := config.Parse("w", []byte("lissen: {}\nresources:\n- {name: X}\ngrants:\n- {}\nrules:\n- {name: a, then: no}\n"))
	var e *config.Error
	if !errors.As(err, &e) || len(e.Problems) < 6 {
		t.Errorf("%v", err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.Load(filepath.Join(dir, "none.yaml")); err == nil || !strings.Contains(err.Error(), "weir config sample") {
		t.Error(err)
	}
	path := filepath.Join(dir, "weir.yaml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil || c.DataDir != filepath.Join(dir, "weir-data") || c.Listen.Web != config.DefaultWeb {
		t.Error(c, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(config.Sample()))
	f.Add([]byte("resources: [{name: a}]\nx: &a [*a]"))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = config.Parse("w", b) })
}
