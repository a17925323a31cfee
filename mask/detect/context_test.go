package detect_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// contextTexts are the places in which secrets stand; NAME is replaced by a name, VALUE by a secret, OTHER by something that is none.
var contextTexts = map[string]string{
	"env":               "HOME=/root\nNAME=VALUE\nPORT=8080\n",
	"export":            "export NAME='VALUE'\n",
	"ini":               "[db]\nhost = OTHER\nNAME = VALUE\n",
	"properties":        "app.host=OTHER\napp.NAME=VALUE\n",
	"toml":              "[db]\nhost = \"OTHER\"\nNAME = \"VALUE\"\n",
	"yaml":              "db:\n  host: OTHER\n  NAME: VALUE\n",
	"yaml quoted":       "db:\n  NAME: \"VALUE\"\n  host: OTHER\n",
	"kubernetes":        "    env:\n    - name: NAME\n      value: VALUE\n    - name: MODE\n      value: OTHER\n",
	"compose":           "environment:\n  - NAME=VALUE\n  - MODE=OTHER\n",
	"json in a log":     "2026-01-02 INFO request {\"user\":\"OTHER\",\"NAME\":\"VALUE\"}\n",
	"json in json":      "{\"log\":\"{\\\"NAME\\\":\\\"VALUE\\\",\\\"n\\\":\\\"OTHER\\\"}\"}\n",
	"go dump":           "{Host:OTHER NAME:VALUE Port:5432}\n",
	"go dump with type": "Config{Host:\"OTHER\", NAME:\"VALUE\", Port:5432}\n",
	"go map":            "map[NAME:VALUE host:OTHER]\n",
	"python dict":       "{'host': 'OTHER', 'NAME': 'VALUE'}\n",
	"python repr":       "Config(host='OTHER', NAME='VALUE', port=5432)\n",
	"ruby hash":         "{:host=>\"OTHER\", :NAME=>\"VALUE\"}\n",
	"php array":         "Array\n(\n    [host] => OTHER\n    [NAME] => VALUE\n)\n",
	"php define":        "define('NAME', 'VALUE');\n",
	"logfmt":            "level=info host=OTHER NAME=VALUE msg=\"ok\"\n",
	"query":             "GET /cb?a=OTHER&NAME=VALUE&b=2 HTTP/1.1\n",
	"form":              "host=OTHER&NAME=VALUE\n",
	"percent":           "next=%2Fcb%3Fa%3D1%26NAME%3DVALUE%26b%3D2\n",
	"xml element":       "<db><host>OTHER</host><NAME>VALUE</NAME></db>\n",
	"xml attribute":     "<db host=\"OTHER\" NAME=\"VALUE\"/>\n",
	"xml property":      "<property name=\"NAME\" value=\"VALUE\"/>\n",
	"xml entry":         "<entry key=\"NAME\">VALUE</entry>\n",
	"html escaped":      "{&quot;host&quot;:&quot;OTHER&quot;,&quot;NAME&quot;:&quot;VALUE&quot;}\n",
	"connection string": "Server=OTHER;User Id=app;NAME=VALUE;Pooling=true\n",
	"flag":              "tool --host OTHER --NAME VALUE --verbose\n",
	"flag with =":       "tool --host=OTHER --NAME=VALUE --verbose\n",
	"psql":              " id | NAME | host \n----+------+------\n  1 | VALUE | OTHER\n(1 row)\n",
	"psql expanded":     "-[ RECORD 1 ]---\nhost | OTHER\nNAME | VALUE\n",
	"mysql":             "+----+------+------+\n| id | NAME | host |\n+----+------+------+\n|  1 | VALUE | OTHER |\n+----+------+------+\n",
	"mysql vertical":    "*** 1. row ***\nhost: OTHER\nNAME: VALUE\n1 row in set\n",
	"csv":               "id,host,NAME\n1,OTHER,VALUE\n2,OTHER,VALUE\n",
	"csv quoted":        "\"id\",\"NAME\",\"host\"\n\"1\",\"VALUE\",\"OTHER\"\n",
	"tsv":               "id\tNAME\thost\n1\tVALUE\tOTHER\n",
	"insert":            "INSERT INTO users (id, host, NAME) values (1, 'OTHER', 'VALUE'), (2, 'OTHER', 'VALUE');\n",
	"copy":              "COPY users (id, NAME, host) FROM stdin;\n1\tVALUE\tOTHER\n\\.\n",
	"markdown":          "| host | NAME |\n|---|---|\n| OTHER | VALUE |\n",
	"update":            "UPDATE users SET host = 'OTHER', NAME = 'VALUE' WHERE id = 1;\n",
	"javascript":        "const config = { host: 'OTHER', NAME: 'VALUE' };\n",
	"go code":           "\tcfg.NAME = \"VALUE\"\n\tcfg.Host = \"OTHER\"\n",
	"shell":             "curl -H \"X-Host: OTHER\" https://api.test/ -d 'NAME=VALUE'\n",
	"hcl":               "resource \"x\" \"y\" {\n  host     = \"OTHER\"\n  NAME = \"VALUE\"\n}\n",
	"stack trace":       "java.lang.IllegalStateException: cannot connect with NAME=VALUE to OTHER\n\tat a.b.C(D.java:1)\n",
}

// contextNames are names by the style of the text.
var contextNames = map[string][]string{
	"password": {"password", "db_password", "adminPassword", "DB_PASSWORD", "smtp_passwd", "user-passphrase"},
	"token":    {"api_key", "access_token", "clientSecret", "SECRET_KEY", "auth-token", "privateKey"},
}

// contextValue makes a secret.
func contextValue(r *rand.Rand, kind string) string {
	draw := func(letters string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	if kind == "password" {
		switch r.IntN(4) {
		case 0:
			return []string{"Tr0ub4dor&3", "hunter2", "P@ssw0rd1", "letmein99", "S0mmer2025!"}[r.IntN(5)]
		case 1:
			return draw("abcdefghijklmnopqrstuvwxyz", 9)
		case 2:
			return draw(alnum, 12)
		}
		return draw(alnum+"!#%*+-_.", 16)
	}
	switch r.IntN(4) {
	case 0:
		return draw(hexa, 40)
	case 1:
		return draw(alnum, 32)
	case 2:
		return draw("abcdefghijklmnopqrstuvwxyz0123456789", 20)
	}
	return draw(alnum, 24) + "-" + draw(alnum+"_-", 18)
}

// TestContexts writes secrets into everything that prints them, and demands that in each of them at least nine of ten are found and that nothing
// else is masked.
func TestContexts(t *testing.T) {
	s := newSet(t)
	for context, text := range contextTexts {
		t.Run(context, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 9))
			for kind, names := range contextNames {
				total, caught, wrong := 0, 0, []string{}
				missed := []string{}
				for range 60 {
					name, value := names[r.IntN(len(names))], contextValue(r, kind)
					if strings.Contains(text, "users (") {
						name = strings.ReplaceAll(name, "-", "_")
					}
					other := []string{"db.internal", "production", "eu-west-1", "10.0.0.5", "alice"}[r.IntN(5)]
					in := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(text, "NAME", name), "VALUE", value), "OTHER", other)
					masked := make([]bool, len(in))
					fs, _ := s.Find(nil, []byte(in), 0, true)
					for _, f := range fs {
						if !strings.Contains(in[f.Start:f.End], value) && !strings.Contains(value, in[f.Start:f.End]) {
							wrong = append(wrong, fmt.Sprintf("%q in %q", in[f.Start:f.End], in))
						}
						for i := f.Start; i < f.End; i++ {
							masked[i] = true
						}
					}
					for at := 0; ; {
						i := strings.Index(in[at:], value)
						if i < 0 {
							break
						}
						at += i
						n := 0
						for _, m := range masked[at : at+len(value)] {
							if m {
								n++
							}
						}
						total++
						if n*100 >= 95*len(value) {
							caught++
						} else {
							missed = append(missed, in)
						}
						at += len(value)
					}
				}
				if float64(caught) < 0.9*float64(total) {
					t.Errorf("%s: %d of %d found; missed %q", kind, caught, total, missed[:min(len(missed), 4)])
				}
				if len(wrong) > 0 {
					t.Errorf("%s: %d wrong, such as %s", kind, len(wrong), wrong[0])
				}
			}
		})
	}
}
