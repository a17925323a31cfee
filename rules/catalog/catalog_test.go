package catalog_test

import (
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"weir"
	"weir/rules/catalog"
	"weir/rules/reading"
	"weir/rules/shell"
)

// match returns the ids of entries of a protocol that an example matches.
func match(t testing.TB, c *catalog.Catalog, protocol weir.Protocol, example string) []string {
	t.Helper()
	var hits []*catalog.Entry
	switch protocol {
	case weir.Postgres:
		hits = c.MatchSQL(facts(t, example))
	case weir.SSH:
		hits = c.MatchSSH(request(example))
	default:
		hits = matchHTTP(t, c, example)
	}
	var ids []string
	for _, e := range hits {
		ids = append(ids, e.ID)
	}
	return ids
}

func matchHTTP(t testing.TB, c *catalog.Catalog, example string) []*catalog.Entry {
	t.Helper()
	method, target, ok := strings.Cut(example, " ")
	if !ok {
		t.Fatalf("example %q is not METHOD target", example)
	}
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	readings, why := reading.Of(u.EscapedPath())
	if why != "" {
		t.Fatal(why)
	}
	return c.Match(method, u.Host, readings, u.Query())
}

// facts reads what stands behind -- in an example of SQL.
func facts(t testing.TB, example string) *weir.SQL {
	t.Helper()
	_, text, ok := strings.Cut(example, " -- ")
	if !ok {
		t.Fatalf("example %q has no facts behind --", example)
	}
	q := &weir.SQL{Statements: 1}
	for _, f := range strings.Fields(text) {
		key, list, _ := strings.Cut(f, "=")
		names := strings.Split(list, ",")
		switch key {
		case "relations":
			q.Relations = names
		case "columns":
			q.Columns = names
		case "functions":
			q.Functions = names
		case "settings":
			q.Settings = names
		case "roles":
			q.Roles = names
		case "files":
			q.Files = true
		case "program":
			q.Program = true
		case "dynamic":
			q.Dynamic = true
		case "no_where":
			q.NoWhere = true
		case "secret_out":
			q.SecretOut = []string{"table"}
		case "unclear":
			q.Unclear = "syntax error"
		default:
			if key != strings.ToUpper(key) {
				t.Fatalf("example %q has the unknown fact %q", example, key)
			}
			q.Operations = append(q.Operations, key)
		}
	}
	return q
}

// request reads an example of SSH: a command line, sftp:PATH or direct-tcpip:ADDRESS.
func request(example string) *weir.SSHRequest {
	if p, ok := strings.CutPrefix(example, "sftp:"); ok {
		return &weir.SSHRequest{Channel: "sftp", Paths: []string{p}}
	}
	if a, ok := strings.CutPrefix(example, "direct-tcpip:"); ok {
		return &weir.SSHRequest{Channel: "direct-tcpip", Address: a}
	}
	return &weir.SSHRequest{Channel: "exec", Shell: shell.Parse(example)}
}

func TestEveryEntryMatchesItsExamples(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Entries()) < 80 || c.Version == "" {
		t.Fatalf("%d entries, version %q", len(c.Entries()), c.Version)
	}
	for _, e := range c.Entries() {
		for _, x := range e.Examples {
			if !slices.Contains(match(t, c, e.Protocol(), x), e.ID) {
				t.Errorf("%s does not match its example %s", e.ID, x)
			}
		}
		for _, x := range e.Others {
			if slices.Contains(match(t, c, e.Protocol(), x), e.ID) {
				t.Errorf("%s matches %s", e.ID, x)
			}
		}
	}
}

func TestOrdinaryTrafficIsLeftAlone(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{
		"GET /", "GET /index.html", "GET /api/orders", "POST /api/orders", "GET /api/v2/users/17/settings", "GET /assets/app.js", "GET /healthz",
		"GET /metrics", "GET /status", "GET /login", "POST /api/search?q=password", "GET /environmental/report", "DELETE /api/keys/4",
		"GET /docs/actuator", "GET /blog/heapdump-analysis", "GET /repo.git/info/refs",
	} {
		if ids := match(t, c, weir.HTTP, x); len(ids) > 0 {
			t.Errorf("%s matches %v", x, ids)
		}
	}
}

func TestOrdinaryCommandsAreLeftAlone(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{
		"ls -la /srv", "cd /srv && git pull && make", "systemctl restart web", "grep -r foo src", "tail -n 5 app.txt", "df -h", "uptime", "for i in 1 2; do echo $i; done", "ansible-playbook x.yml",
		"curl -s http://localhost:8080/healthz", "rsync --server -vlogDtpre.iLsfx . /srv/x", "git-upload-pack 'x.git'", "/bin/sh -c 'echo ~ && sleep 0'", "docker ps", "kubectl get pods", "vim main.go", "tar xzf x.tgz", "rm -rf build", "scp -t /srv/x", "sftp:/srv/x.tgz",
		"ls *", "cat *", "cat /var/www/index.html",
	} {
		if ids := match(t, c, weir.SSH, x); len(ids) > 0 {
			t.Errorf("%s matches %v", x, ids)
		}
	}
	for _, x := range []string{
		"SELECT * FROM orders WHERE id = 1 -- SELECT relations=public.orders columns=public.orders.id functions=pg_catalog.count", "INSERT INTO orders VALUES (1) -- INSERT relations=public.orders functions=pg_catalog.nextval,pg_catalog.now",
		"UPDATE orders SET a = 1 WHERE id = 1 -- UPDATE relations=public.orders", "BEGIN -- BEGIN", "SET search_path = a -- SET settings=search_path", "SET client_encoding = 'UTF8' -- SET settings=client_encoding",
		"SHOW server_version -- SHOW settings=server_version", "COPY orders TO STDOUT -- COPY relations=public.orders", "CREATE TABLE x () -- CREATE relations=public.x", "ALTER TABLE x ADD y int -- ALTER relations=public.x",
		"GRANT SELECT ON x TO a -- GRANT relations=public.x roles=a", "CREATE TEMP TABLE x () -- CREATE relations=pg_temp.x", "TRUNCATE x -- TRUNCATE relations=pg_temp_2.x", "VACUUM -- VACUUM",
	} {
		if ids := match(t, c, weir.Postgres, x); len(ids) > 0 {
			t.Errorf("%s matches %v", x, ids)
		}
	}
}

// TestToolsKeepWorking takes what psql 15 and pg_dump 15 really ask the catalogue of a server for: none of it may be held.
func TestToolsKeepWorking(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/tools.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines, masked := strings.Split(strings.TrimSpace(string(data)), "\n"), 0
	for _, line := range lines {
		f := strings.Split(line, "\t")
		for _, e := range c.MatchSQL(facts(t, f[0]+" -- SELECT "+f[1]+" "+f[2])) {
			if masked++; e.Action != catalog.Mask {
				t.Errorf("%s is held by %s", f[0], e.ID)
			}
		}
	}
	if len(lines) < 30 || masked < 20 {
		t.Errorf("%d commands, %d masked", len(lines), masked)
	}
}

func TestColumnsAndSettings(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		relation, column     string
		protected, statement bool
	}{
		{"pg_catalog.pg_authid", "rolpassword", true, false},
		{"pg_catalog.pg_authid", "rolname", false, false},
		{"pg_catalog.pg_stat_activity", "query", false, true},
		{"public.pg_stat_statements", "query", false, true},
		{"ext.pg_stat_statements", "query", false, true},
		{"pg_catalog.pg_stats", "most_common_vals", true, false},
		{"auth.users", "encrypted_password", true, false},
		{"public.users", "encrypted_password", false, false},
	} {
		if p, s := c.Column(x.relation, x.column); p != x.protected || s != x.statement {
			t.Errorf("%s.%s: %v, %v", x.relation, x.column, p, s)
		}
	}
	if !c.Derived("pg_catalog.pg_stats", "histogram_bounds") || c.Derived("pg_catalog.pg_authid", "rolpassword") {
		t.Error("derived columns")
	}
	if !slices.Contains(c.Settings(), "primary_conninfo") {
		t.Error(c.Settings())
	}
}

func TestParseRefuses(t *testing.T) {
	for name, doc := range map[string]string{
		"unknown key":        "version: x\nentries: [{id: a, tech: t, leaks: l, action: mask, paths: [/a], match: [GET /a], colour: red}]",
		"unknown action":     "version: x\nentries: [{id: a, tech: t, leaks: l, action: shout, paths: [/a], match: [GET /a]}]",
		"twice":              "version: x\nentries: [{id: a, tech: t, leaks: l, action: mask, paths: [/a], match: [GET /a]}, {id: a, tech: t, leaks: l, action: mask, paths: [/a], match: [GET /a]}]",
		"no example":         "version: x\nentries: [{id: a, tech: t, leaks: l, action: mask, paths: [/a]}]",
		"http without paths": "version: x\nentries: [{id: a, tech: t, leaks: l, action: mask, commands: [a], match: [GET /a]}]",
		"sql with paths":     "protocol: postgres\nversion: x\nentries: [{id: a, tech: t, leaks: l, action: mask, paths: [/a], match: [GET /a]}]",
		"ssh with relations": "protocol: ssh\nversion: x\nentries: [{id: a, tech: t, leaks: l, action: mask, relations: [a], match: [a]}]",
		"unknown group":      "protocol: ssh\nversion: x\nentries: [{id: a, tech: t, leaks: l, action: mask, group: g, commands: [a], match: [a]}]",
		"unknown protocol":   "protocol: gopher\nversion: x\nentries: [{id: a, tech: t, leaks: l, action: mask, commands: [a], match: [a]}]",
		"short column":       "protocol: postgres\nversion: x\ncolumns: {protected: [a.b]}",
		"bad pattern":        "version: x\nentries: [{id: a, tech: t, leaks: l, action: mask, paths: [a], match: [GET /a]}]",
	} {
		if _, err := catalog.Parse([]byte(doc)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	c, err := catalog.Load()
	if err != nil {
		b.Fatal(err)
	}
	readings := []string{"/api/orders/17/lines"}
	query := map[string][]string{"page": {"2"}}
	b.ReportAllocs()
	for b.Loop() {
		if c.Match(http.MethodGet, "10.0.0.9:8080", readings, query) != nil {
			b.Fatal("matched")
		}
	}
}

func BenchmarkMissSQL(b *testing.B) {
	c, err := catalog.Load()
	if err != nil {
		b.Fatal(err)
	}
	q := &weir.SQL{Statements: 1, Operations: []string{"SELECT"}, Relations: []string{"public.orders"}, Columns: []string{"public.orders.id", "public.orders.note"}, ReadOnly: true}
	b.ReportAllocs()
	for b.Loop() {
		if c.MatchSQL(q) != nil {
			b.Fatal("matched")
		}
	}
}

func BenchmarkMissSSH(b *testing.B) {
	c, err := catalog.Load()
	if err != nil {
		b.Fatal(err)
	}
	r := request("ls -la /srv/app | sort")
	b.ReportAllocs()
	for b.Loop() {
		if c.MatchSSH(r) != nil {
			b.Fatal("matched")
		}
	}
}
