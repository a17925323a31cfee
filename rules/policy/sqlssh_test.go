package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir"
	"weir/rules/policy"
	"weir/rules/shell"
)

var (
	orders = &weir.Resource{Name: "orders", Protocol: weir.Postgres}
	web    = &weir.Resource{Name: "web-1", Protocol: weir.SSH}
)

// statement makes a command of facts: operations, then schema.name for relations, f:schema.name, s:setting, r:role, c:column, and flags.
func statement(facts string) *weir.Command {
	q := &weir.SQL{Statements: 1}
	for _, f := range strings.Fields(facts) {
		kind, name, ok := strings.Cut(f, ":")
		switch {
		case ok && kind == "f":
			q.Functions = append(q.Functions, name)
		case ok && kind == "s":
			q.Settings = append(q.Settings, name)
		case ok && kind == "r":
			q.Roles = append(q.Roles, name)
		case ok && kind == "c":
			q.Columns = append(q.Columns, name)
		case f == "dynamic":
			q.Dynamic = true
		case f == "unclear":
			q.Unclear = "syntax error"
		case f == "secret_out":
			q.SecretOut = []string{"table"}
		case f == "no_where":
			q.NoWhere = true
		case f == "files":
			q.Files = true
		case f == "program":
			q.Program = true
		case f == "read_only":
			q.ReadOnly = true
		case f == strings.ToUpper(f):
			q.Operations = append(q.Operations, f)
		default:
			q.Relations = append(q.Relations, f)
		}
	}
	cmd := &weir.Command{Operation: "SQL", Text: facts, SQL: q}
	if len(q.Operations) > 0 {
		cmd.Operation = q.Operations[0]
	}
	return cmd
}

// sshCommand makes a command of a line, of "sftp:/path", "write:/path", "shell" or "direct-tcpip:host:port".
func sshCommand(text string) *weir.Command {
	r := &weir.SSHRequest{Channel: "exec", Account: "deploy"}
	kind, rest, _ := strings.Cut(text, ":")
	switch kind {
	case "sftp", "write":
		r.Channel, r.Paths, r.Write = "sftp", []string{rest}, kind == "write"
	case "shell":
		r.Channel = "shell"
	case "direct-tcpip":
		r.Channel, r.Address = kind, rest
	default:
		r.Shell = shell.Parse(text)
	}
	return &weir.Command{Operation: strings.ToUpper(r.Channel), Text: text, SSH: r}
}

type want struct {
	command string
	effect  weir.Effect
	rule    string
}

func check(t *testing.T, p *policy.Plan, res *weir.Resource, command func(string) *weir.Command, wants []want) {
	t.Helper()
	for _, w := range wants {
		v := p.Decide(alice, res, command(w.command))
		if v.Effect != w.effect || !strings.HasPrefix(v.Rule, w.rule) {
			t.Errorf("%s: %v by %q, want %v by %q", w.command, v.Effect, v.Rule, w.effect, w.rule)
		}
		if v.Effect != weir.Allow && v.Reason == "" || v.Effect == weir.Approve && (v.Hold.Count < 1 || v.Hold.Wait == 0 || v.Hold.Within == 0) {
			t.Errorf("%s: %+v", w.command, v)
		}
	}
}

func TestSQL(t *testing.T) {
	yes, never := true, false
	p := compile(t, policy.Config{Rules: []policy.Rule{
		{Name: "salaries", Match: policy.Match{Objects: []string{"hr.*", "salaries"}}, Then: weir.Deny},
		{Name: "card", Match: policy.Match{Columns: []string{"public.payments.card*"}}, Then: weir.Deny},
		{Name: "sleep", Match: policy.Match{Functions: []string{"pg_sleep"}}, Then: weir.Deny},
		{Name: "owner", Match: policy.Match{Roles: []string{"owner"}}, Then: weir.Deny},
		{Name: "timeout", Match: policy.Match{Settings: []string{"statement_timeout"}}, Then: weir.Deny},
		{Name: "grants", Match: policy.Match{Operations: []string{"grant", "revoke"}}, Then: weir.Deny},
		{Name: "hint", Match: policy.Match{Regex: `(?i)/\*\+`}, Then: weir.Deny},
		{Name: "writes", Match: policy.Match{ReadOnly: &never, Objects: []string{"public.ledger"}}, Then: weir.Approve, Approvers: policy.Approvers{Groups: []string{"finance"}, Count: 2}},
		{Name: "scratch", Match: policy.Match{Operations: []string{"DROP", "TRUNCATE"}, Objects: []string{"scratch.*"}}, Then: weir.Allow},
		{Name: "scratch-all", Match: policy.Match{NoWhere: true, Objects: []string{"scratch.*"}}, Then: weir.Allow},
		{Name: "reads", Match: policy.Match{ReadOnly: &yes, Objects: []string{"public.*"}}, Then: weir.Allow},
		{Name: "selects", Match: policy.Match{Operations: []string{"SELECT"}}, Then: weir.Allow},
	}})
	check(t, p, orders, statement, []want{
		{"SELECT public.orders read_only", weir.Allow, "reads"},
		{"SELECT public.orders app.x read_only", weir.Allow, "selects"},
		{"SELECT PUBLIC.orders INSERT", weir.Allow, "default"},
		{"INSERT public.orders", weir.Allow, "default"},
		{"SELECT INSERT public.orders", weir.Allow, "default"},
		{"SELECT hr.people", weir.Deny, "salaries"},
		{"SELECT HR.People", weir.Deny, "salaries"},
		{"SELECT public.orders public.salaries read_only", weir.Deny, "salaries"},
		{"SELECT app.salaries", weir.Deny, "salaries"},
		{"SELECT public.payments c:public.payments.card_number", weir.Deny, "card"},
		{"SELECT public.payments c:public.payments.id", weir.Allow, "selects"},
		{"SELECT f:pg_catalog.pg_sleep", weir.Deny, "sleep"},
		{"SET r:owner", weir.Deny, "owner"},
		{"SET s:statement_timeout", weir.Deny, "timeout"},
		{"SHOW s:*", weir.Deny, "timeout"},
		{"SELECT GRANT public.orders", weir.Deny, "grants"},
		{"SELECT public.orders s:x/*+", weir.Deny, "hint"},
		{"UPDATE public.ledger", weir.Approve, "writes"},
		{"SELECT public.ledger read_only", weir.Allow, "reads"},
		// What cannot be told: deny rules hold it, allow rules do not speak of it.
		{"DO dynamic", weir.Approve, "salaries"},
		{"unclear", weir.Approve, "salaries"},
		{"SELECT public.orders read_only dynamic", weir.Approve, "salaries"},
		{"SELECT hr.people unclear", weir.Deny, "salaries"},
		// The catalogue, and what lifts it.
		{"DROP public.orders", weir.Approve, "catalog:sql-drop"},
		{"DROP scratch.x", weir.Allow, "scratch"},
		{"DROP scratch.x public.orders", weir.Approve, "catalog:sql-drop"},
		{"DELETE no_where public.orders", weir.Approve, "catalog:sql-no-where"},
		{"DELETE no_where scratch.x", weir.Allow, "scratch-all"},
		{"DELETE no_where program scratch.x", weir.Deny, "catalog:pg-server-program"},
		{"COPY program public.orders read_only", weir.Deny, "catalog:pg-server-program"},
		{"SELECT public.orders f:pg_catalog.pg_read_file read_only", weir.Deny, "catalog:pg-file-functions"},
		{"SELECT pg_catalog.pg_authid c:pg_catalog.pg_authid.rolpassword", weir.Deny, "catalog:pg-password-hashes"},
		{"SELECT pg_catalog.pg_stat_activity", weir.Allow, "selects"},
	})
	v := p.Decide(alice, orders, statement("unclear"))
	if len(v.Hold.Groups) != 0 || v.Hold.Count != 1 || !strings.Contains(v.Reason, "salaries") {
		t.Errorf("held for %+v", v)
	}
}

func TestSQLCatalogueDefaults(t *testing.T) {
	bare := compile(t, policy.Config{})
	check(t, bare, orders, statement, []want{
		{"SELECT public.orders", weir.Allow, "default"},
		{"SELECT pg_catalog.pg_roles", weir.Allow, "catalog:pg-roles"},
		{"SHOW s:*", weir.Approve, "catalog:pg-show-all"},
		{"DO dynamic", weir.Approve, "catalog:pg-dynamic"},
		{"unclear", weir.Approve, "catalog:pg-unclear"},
		{"COPY files", weir.Deny, "catalog:pg-server-files"},
		{"DROP pg_temp_3.x", weir.Allow, "default"},
	})
	if v := bare.Decide(alice, orders, &weir.Command{Text: "?", SQL: &weir.SQL{}}); v.Effect != weir.Approve {
		t.Errorf("nothing said of a statement: %+v", v)
	}
	off := compile(t, policy.Config{NoCatalogDefaults: true})
	check(t, off, orders, statement, []want{{"COPY files", weir.Allow, "default"}, {"unclear", weir.Allow, "default"}})
	groups := compile(t, policy.Config{Rules: []policy.Rule{
		{Name: "no-raw", Match: policy.Match{Catalog: "raw"}, Then: weir.Deny},
		{Name: "drops", Match: policy.Match{Catalog: "destructive"}, Then: weir.Allow},
		{Name: "files", Match: policy.Match{Catalog: "files"}, Then: weir.Allow},
		{Name: "activity", Match: policy.Match{Catalog: "activity"}, Then: weir.Approve},
		{Name: "hashes", Match: policy.Match{Catalog: "pg-password-*"}, Then: weir.Approve},
	}})
	check(t, groups, orders, statement, []want{
		{"DO dynamic", weir.Deny, "no-raw"},
		{"DROP public.orders", weir.Allow, "drops"},
		{"COPY files", weir.Deny, "catalog:pg-server-files"},
		{"SELECT pg_catalog.pg_hba_file_rules", weir.Allow, "files"},
		{"SELECT pg_catalog.pg_stat_activity", weir.Approve, "activity"},
		{"SELECT c:pg_catalog.pg_authid.rolpassword pg_catalog.pg_authid", weir.Approve, "hashes"},
		{"SELECT c:pg_catalog.pg_authid.rolpassword pg_catalog.pg_authid program", weir.Deny, "catalog:pg-server-program"},
	})
}

// TestDoubt says who is asked where it cannot be told what a statement does.
func TestDoubt(t *testing.T) {
	finance, dba := policy.Approvers{Groups: []string{"finance"}}, policy.Approvers{Groups: []string{"dba"}}
	ledger := policy.Rule{Name: "ledger", Match: policy.Match{Objects: []string{"ledger"}}, Then: weir.Approve, Approvers: finance}
	blocks := policy.Rule{Name: "blocks", Match: policy.Match{Dynamic: true}, Then: weir.Approve, Approvers: dba}
	open := policy.Rule{Name: "open", Match: policy.Match{Dynamic: true}, Then: weir.Allow}
	deny := policy.Rule{Name: "deny", Match: policy.Match{Objects: []string{"hr.*"}}, Then: weir.Deny}
	for _, c := range []struct {
		name   string
		rules  []policy.Rule
		effect weir.Effect
		rule   string
		groups []string
	}{
		{"nothing said", nil, weir.Approve, "catalog:pg-dynamic", nil},
		{"an approve rule in doubt", []policy.Rule{ledger}, weir.Approve, "ledger", nil},
		{"one that is sure", []policy.Rule{ledger, blocks}, weir.Approve, "blocks", []string{"dba"}},
		{"a deny rule in doubt", []policy.Rule{ledger, blocks, deny}, weir.Approve, "deny", nil},
		{"an allow rule", []policy.Rule{open}, weir.Allow, "open", nil},
		{"an allow rule beside doubt", []policy.Rule{open, deny}, weir.Approve, "deny", nil},
		{"an allow rule for objects", []policy.Rule{{Name: "all", Match: policy.Match{Objects: []string{"*"}}, Then: weir.Allow}}, weir.Approve, "catalog:pg-dynamic", nil},
	} {
		v := compile(t, policy.Config{Rules: c.rules}).Decide(alice, orders, statement("DO public.x dynamic"))
		if v.Effect != c.effect || v.Rule != c.rule || !slices.Equal(v.Hold.Groups, c.groups) {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}

func TestSSH(t *testing.T) {
	yes := true
	p := compile(t, policy.Config{Rules: []policy.Rule{
		{Name: "no-rm", Match: policy.Match{Commands: []string{"rm -rf *", "mkfs*"}}, Then: weir.Deny},
		{Name: "no-vault", Match: policy.Match{Paths: []string{"/srv/vault/**"}}, Then: weir.Deny},
		{Name: "root", Match: policy.Match{Accounts: []string{"root"}}, Then: weir.Deny},
		{Name: "db", Match: policy.Match{Channels: []string{"direct-tcpip"}, Addresses: []string{"db*:5432"}}, Then: weir.Deny},
		{Name: "restart", Match: policy.Match{Commands: []string{"systemctl restart *", "sudo systemctl *"}}, Then: weir.Allow},
		{Name: "secret", Match: policy.Match{Commands: []string{"kubectl get secret web *"}}, Then: weir.Allow},
		{Name: "env-file", Match: policy.Match{Paths: []string{"/srv/app/.env", "/srv/app/tls.key"}}, Then: weir.Allow},
		{Name: "fetch", Match: policy.Match{ReadOnly: &yes, Channels: []string{"sftp"}}, Then: weir.Allow},
		{Name: "upload", Match: policy.Match{Channels: []string{"sftp"}, Paths: []string{"/srv/**"}}, Then: weir.Approve},
	}})
	check(t, p, web, sshCommand, []want{
		{"ls -la", weir.Allow, "default"},
		{"rm -rf /srv", weir.Deny, "no-rm"},
		{"sudo env A=b sh -c 'true; rm -v -rf x'", weir.Deny, "no-rm"},
		{"echo $(rm -rf x)", weir.Deny, "no-rm"},
		{"/bin/rm -rf x", weir.Deny, "no-rm"},
		{"r\\m -r''f x", weir.Deny, "no-rm"},
		{"rm x", weir.Allow, "default"},
		{"$cmd x", weir.Approve, "no-rm"},
		{"curl http://x | sh", weir.Approve, "no-rm"},
		{"echo 'x", weir.Approve, "no-rm"},
		{"cat /srv/vault/x", weir.Deny, "no-vault"},
		{"cd /srv && cat vault/x", weir.Deny, "no-vault"},
		{"cat < /srv/app/../vault/x", weir.Deny, "no-vault"},
		{"cat /srv/vaul?/xy", weir.Deny, "no-vault"},
		{"sftp:/srv/vault/x", weir.Deny, "no-vault"},
		{"direct-tcpip:db1:5432", weir.Deny, "db"},
		{"direct-tcpip:web:80", weir.Allow, "default"},
		{"direct-tcpip:169.254.169.254:80", weir.Deny, "catalog:ssh-metadata-forward"},
		{"systemctl restart nginx", weir.Allow, "restart"},
		{"sudo systemctl restart nginx", weir.Allow, "restart"},
		{"systemctl restart nginx; id", weir.Allow, "default"},
		{"systemctl restart nginx > x", weir.Allow, "default"},
		{"A=b systemctl restart nginx", weir.Allow, "default"},
		{"./systemctl restart nginx", weir.Allow, "default"},
		{"kubectl get secret web -o yaml", weir.Allow, "secret"},
		{"kubectl get secret db", weir.Approve, "catalog:ssh-kubectl-secret"},
		{"kubectl get secret web; cat /etc/shadow", weir.Deny, "catalog:ssh-shadow"},
		{"kubectl get secret web; gcore 1", weir.Deny, "catalog:ssh-memory"},
		{"sftp:/srv/app/tls.key", weir.Approve, "upload"},
		{"write:/srv/x", weir.Approve, "upload"},
		{"sftp:/home/x", weir.Allow, "fetch"},
		{"sftp:/etc/shadow", weir.Deny, "catalog:ssh-shadow"},
		{"env", weir.Allow, "catalog:ssh-environment"},
	})
	cmd := sshCommand("ls")
	cmd.SSH.Account = "root"
	if v := p.Decide(alice, web, cmd); v.Rule != "root" {
		t.Errorf("root: %+v", v)
	}
}

func TestExcept(t *testing.T) {
	p := compile(t, policy.Config{Rules: []policy.Rule{
		{Name: "only", Resources: []string{"web-*"}, Except: &policy.Match{Commands: []string{"systemctl status *", "uptime"}}, Then: weir.Deny},
		{Name: "tables", Resources: []string{"orders"}, Except: &policy.Match{Objects: []string{"public.*"}}, Then: weir.Approve},
	}})
	check(t, p, web, sshCommand, []want{
		{"uptime", weir.Allow, "default"},
		{"systemctl status nginx && uptime", weir.Allow, "catalog:ssh-processes"},
		{"systemctl status nginx; id", weir.Deny, "only"},
		{"systemctl status $(id)", weir.Deny, "only"},
		{"uptime > x", weir.Deny, "only"},
		{"shell", weir.Deny, "only"},
		{"sftp:/x", weir.Deny, "only"},
		{"up'time", weir.Deny, "only"},
	})
	check(t, p, orders, statement, []want{
		{"SELECT public.orders", weir.Allow, "default"},
		{"SELECT public.orders hr.people", weir.Approve, "tables"},
		{"SELECT public.orders dynamic", weir.Approve, "tables"},
	})
}

// TestKeysOfOneProtocolSayNothingOfOthers gives every key of one protocol a command of another.
func TestKeysOfOneProtocolSayNothingOfOthers(t *testing.T) {
	yes := true
	sql := []policy.Match{{Objects: []string{"*"}}, {Columns: []string{"*"}}, {Functions: []string{"*"}}, {Settings: []string{"*"}}, {Roles: []string{"*"}}, {NoWhere: true}, {SecretOut: true}, {Files: true}, {Program: true}, {ReadOnly: &yes}, {Dynamic: true}, {Unclear: true}}
	ssh := []policy.Match{{Commands: []string{"*"}}, {Channels: []string{"exec"}}, {Accounts: []string{"*"}}, {Addresses: []string{"*"}}}
	for _, c := range []struct {
		matches []policy.Match
		res     *weir.Resource
		cmd     *weir.Command
	}{{sql, debug, get("GET /")}, {ssh, debug, get("GET /")}, {ssh, orders, statement("SELECT public.x")}, {sql[:9], web, sshCommand("ls")}, {[]policy.Match{{Paths: []string{"**"}}, {Methods: []string{"GET"}}}, orders, statement("SELECT public.x")}} {
		for _, m := range c.matches {
			p := compile(t, policy.Config{Rules: []policy.Rule{{Name: "r", Match: m, Then: weir.Deny}}})
			if v := p.Decide(alice, c.res, c.cmd); v.Effect != weir.Allow {
				t.Errorf("%+v speaks of %s", m, c.cmd.Text)
			}
		}
	}
}

func TestCompileReportsNewKeys(t *testing.T) {
	_, problems := policy.Compile(policy.Config{Rules: []policy.Rule{
		{Name: "a", Match: policy.Match{Regex: "("}, Then: weir.Deny},
		{Name: "b", Match: policy.Match{Regex: "x"}, Then: weir.Allow},
		{Name: "c", Match: policy.Match{Channels: []string{"exec", "telnet"}}, Then: weir.Deny},
		{Name: "d", Match: policy.Match{Commands: []string{" "}}, Then: weir.Deny},
		{Name: "e", Protocols: []weir.Protocol{weir.HTTP}, Match: policy.Match{Objects: []string{"x"}}, Then: weir.Deny},
		{Name: "f", Protocols: []weir.Protocol{weir.Postgres}, Match: policy.Match{Commands: []string{"x"}}, Then: weir.Deny},
		{Name: "g", Match: policy.Match{Catalog: "raw:loud"}, Then: weir.Deny},
		{Name: "h", Match: policy.Match{Methods: []string{"GET"}, Objects: []string{"x"}}, Then: weir.Deny},
		{Name: "i", Except: &policy.Match{Objects: []string{"x"}}, Then: weir.Allow},
		{Name: "j", Except: &policy.Match{}, Then: weir.Deny},
		{Name: "k", Except: &policy.Match{Regex: "x"}, Then: weir.Deny},
		{Name: "l", Protocols: []weir.Protocol{weir.Postgres}, Match: policy.Match{Paths: []string{"/x"}}, Then: weir.Deny},
		{Name: "m", Match: policy.Match{Objects: []string{""}}, Then: weir.Deny},
	}}, load(t))
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprint(p.Rule, " ", p.Field))
	}
	want := []string{"0 match.regex", "1 match.regex", "2 match.channels[1]", "3 match.commands[0]", "4 match", "5 match", "6 match.catalog", "7 match", "8 except", "9 except", "10 except.regex", "11 match", "12 match.objects[0]"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func BenchmarkDecideSQL(b *testing.B) {
	var rules []policy.Rule
	for i := range 4 {
		n := fmt.Sprint(i)
		rules = append(rules,
			policy.Rule{Name: "deny-" + n, Match: policy.Match{Objects: []string{"hr" + n + ".*"}}, Then: weir.Deny},
			policy.Rule{Name: "hold-" + n, Match: policy.Match{Operations: []string{"DROP", "TRUNCATE"}, Objects: []string{"public.x" + n}}, Then: weir.Approve},
			policy.Rule{Name: "group-" + n, Groups: []string{"g" + n}, Match: policy.Match{Functions: []string{"pg_sleep"}}, Then: weir.Deny},
		)
	}
	p := compile(b, policy.Config{Rules: rules})
	cmd := statement("SELECT public.orders c:public.orders.id c:public.orders.total read_only")
	b.ReportAllocs()
	for b.Loop() {
		if v := p.Decide(alice, orders, cmd); v.Effect != weir.Allow {
			b.Fatal(v)
		}
	}
}

func TestDecideAllocates(t *testing.T) {
	p := compile(t, policy.Config{Rules: []policy.Rule{{Name: "a", Match: policy.Match{Objects: []string{"hr.*"}}, Then: weir.Deny}, {Name: "b", Match: policy.Match{Operations: []string{"DROP"}}, Then: weir.Approve}}})
	cmd := statement("SELECT public.orders read_only")
	if n := testing.AllocsPerRun(100, func() { p.Decide(alice, orders, cmd) }); n > 0 {
		t.Errorf("%v allocations for a clean statement", n)
	}
}

// TestStanding: decisions on one statement stand as long as the plan does, whatever its text is, unless a rule or an exception reads texts.
func TestStanding(t *testing.T) {
	var live policy.Live
	if plan, _ := live.Standing(); plan != nil {
		t.Error("nothing counts, and it stands")
	}
	objects := policy.Match{Objects: []string{"hr.*"}}
	for name, c := range map[string]struct {
		rule   policy.Rule
		byText bool
	}{
		"objects":   {policy.Rule{Match: objects, Then: weir.Deny}, false},
		"regex":     {policy.Rule{Match: policy.Match{Regex: "salary"}, Then: weir.Deny}, true},
		"exception": {policy.Rule{Match: objects, Except: &policy.Match{Operations: []string{"SELECT"}, Regex: "salary"}, Then: weir.Deny}, true},
	} {
		before, _ := live.Standing()
		c.rule.Name = "it"
		live.Set(compile(t, policy.Config{Rules: []policy.Rule{c.rule}}))
		plan, byText := live.Standing()
		if plan == nil || plan == before || byText != c.byText {
			t.Errorf("%s: by text %v, want %v", name, byText, c.byText)
		}
		if again, _ := live.Standing(); again != plan {
			t.Errorf("%s: does not stand", name)
		}
	}
}

// TestReadsAreDecidedAsGET: an operation that reads beside what it is called, or gives files another name, is decided on as both.
func TestReadsAreDecidedAsGET(t *testing.T) {
	p := compile(t, policy.Config{Rules: []policy.Rule{
		{Name: "no-get", Match: policy.Match{Operations: []string{"GET"}, Paths: []string{"/srv/vault/**"}}, Then: weir.Deny},
		{Name: "no-put", Match: policy.Match{Operations: []string{"PUT"}, Paths: []string{"/srv/fixed/**"}}, Then: weir.Deny},
		{Name: "all", Match: policy.Match{Paths: []string{"/srv/closed/**"}}, Then: weir.Deny},
		{Name: "upload", Match: policy.Match{Operations: []string{"PUT"}, Paths: []string{"/etc/ssl/private/**"}}, Then: weir.Allow},
		{Name: "both", Match: policy.Match{Operations: []string{"PUT", "GET"}, Paths: []string{"/etc/ssl/private/both.key"}}, Then: weir.Allow},
		{Name: "tree", Match: policy.Match{Operations: []string{"RENAME", "GET"}, Paths: []string{"/home/*/.aws/**"}}, Then: weir.Allow},
	}})
	for _, c := range []struct {
		op           string
		paths, reads []string
		rule         string
	}{
		{"PUT", []string{"/srv/vault/a"}, nil, "default"},
		{"PUT", []string{"/srv/vault/a"}, []string{"/srv/vault/a"}, "no-get"},
		{"PUT", []string{"/srv/fixed/a"}, []string{"/srv/fixed/a"}, "no-put"},
		{"RENAME", []string{"/srv/vault/a", "/tmp/a"}, []string{"/srv/vault/a"}, "no-get"},
		{"RENAME", []string{"/tmp/a", "/srv/vault/a"}, []string{"/tmp/a"}, "default"},
		{"RENAME", []string{"/srv", "/tmp/a"}, []string{"/srv"}, "no-get"},
		{"RENAME", []string{"/srv/fixed", "/tmp/a"}, []string{"/srv/fixed"}, "default"},
		{"SYMLINK", []string{"/", "/tmp/a"}, []string{"/"}, "no-get"},
		{"LINK", []string{"/srv/closed/a", "/tmp/a"}, []string{"/srv/closed/a"}, "all"},
		{"SYMLINK", []string{"/etc", "/tmp/a"}, []string{"/etc"}, "catalog:ssh-shadow"},
		{"SYMLINK", []string{"/home/a", "/tmp/a"}, []string{"/home/a"}, "default"},
		{"RENAME", []string{"/opt/.aws", "/tmp/a"}, []string{"/opt/.aws"}, "catalog:ssh-credential-files"},
		{"RENAME", []string{"/home/a/.aws", "/home/a/.aws/old"}, []string{"/home/a/.aws"}, "tree"},
		{"PUT", []string{"/etc/ssl/private/a.key"}, nil, "upload"},
		{"PUT", []string{"/etc/ssl/private/a.key"}, []string{"/etc/ssl/private/a.key"}, "catalog:ssh-private-keys"},
		{"PUT", []string{"/etc/ssl/private/both.key"}, []string{"/etc/ssl/private/both.key"}, "both"},
	} {
		cmd := &weir.Command{Operation: c.op, Text: "x", SSH: &weir.SSHRequest{Channel: "sftp", Paths: c.paths, Write: true, Reads: c.reads}}
		if v := p.Decide(alice, web, cmd); v.Rule != c.rule {
			t.Errorf("%s %v reading %v: %+v, want %s", c.op, c.paths, c.reads, v, c.rule)
		}
	}
}
