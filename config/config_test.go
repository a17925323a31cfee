package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	const res = "resources:\n- name: a\n  protocol: http\n  address: http://t\n"
	for name, c := range map[string]struct {
		text string
		line int
		want string
	}{
		"unknown key":        {"data_dir: x\nlissen: {}\n", 2, `did you mean "listen"?`},
		"unknown inner key":  {res + "  credentials: {}\n", 5, `did you mean "credential"?`},
		"two of one name":    {res + "- name: a\n  protocol: http\n  address: http://u\n", 5, "line 2 has a resource of that name"},
		"literal credential": {res + "  credential: {header: X, value: hunter2-CANARY}\n", 5, "never written into this file"},
		"literal bearer":     {res + "  credential:\n    bearer: hunter2-CANARY\n", 6, "never written into this file"},
		"credential in URL":  {"resources:\n- {name: a, protocol: http, address: 'http://u:hunter2-CANARY@t'}\n", 2, "put them into credential"},
		"two sources":        {res + "  credential: {bearer: {env: A, file: b}}\n", 5, "{env: NAME} or {file: PATH}"},
		"two forms":          {res + "  credential: {bearer: {env: A}, header: X, value: {env: B}}\n", 5, "one of"},
		"form without value": {res + "  credential: {header: X}\n", 5, "needs value"},
		"bad protocol":       {"resources:\n- {name: a, protocol: gopher, address: 'http://t'}\n", 2, "not known here"},
		"bad address":        {"resources:\n- {name: a, protocol: http, address: 'ftp://t'}\n", 2, "is a URL such as"},
		"no address":         {"resources:\n- {name: a, protocol: http}\n", 2, "address: http://"},
		"bad name":           {"resources:\n- {name: A_b, protocol: http, address: 'http://t'}\n", 2, "small letters"},
		"bad duration":       {"grants:\n- {groups: [a], resources: [b], for: 8}\n", 2, "written like 90s"},
		"bad size":           {res + "  record: {body: 5 lots}\n", 5, "written like 4096"},
		"bad listen":         {"listen:\n  web: here\n", 2, "written like 127.0.0.1:8443"},
		"tls off in public":  {"listen: {web: 0.0.0.0:80}\ntls: {off: true}\n", 2, "could be read on the way"},
		"half a pair":        {"tls: {cert: x}\n", 1, "belong together"},
		"rule without then":  {"rules:\n- {name: a}\n", 2, "then: deny, approve or allow"},
		"bad effect":         {"rules:\n- name: a\n  then: permit\n", 3, "deny, approve or allow"},
		"said twice":         {"data_dir: a\ndata_dir: b\n", 2, "twice"},
		"a list":             {"grants: x\n", 1, "a list"},
		"tls for http":       {res + "  tls: {ca: x}\n", 5, "there is no TLS"},
		"not yaml":           {"a: [b\nc: d", 0, "not YAML"},
		"bad opaque":         {res + "  allow_opaque: ['*']\n", 5, "name one media type"},
		"bad kind":           {res + "  mask:\n    personal: [iban, shoe-size]\n", 6, "the kinds are payment-card, iban"},
		"no kinds":           {res + "  mask: {personal: some}\n", 5, "true, false or a list of kinds"},
		"empty kinds":        {res + "  mask: {personal: []}\n", 5, "true, false or a list of kinds"},
		"an alias":           {"data_dir: &x a\nstate: *x\n", 2, "aliases"},
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
