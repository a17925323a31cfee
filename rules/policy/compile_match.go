package policy

import (
	"fmt"
	"maps"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"weir"
	"weir/rules/catalog"
	"weir/rules/glob"
	"weir/rules/shell"
)

// channelNames are those that a rule may name.
var channelNames = []string{"exec", "shell", "line", "sftp", "scp", "direct-tcpip", "forwarded-tcpip"}

const maxRegex = 1024 // bytes

// ask compiles what a rule asks of commands. The field is what the configuration calls it.
func (k *compiler) ask(c *compiled, field string) {
	m := &c.Match
	for i, pattern := range m.Paths {
		g, err := glob.CompilePath(pattern)
		if err != nil {
			k.problem(field+".paths["+strconv.Itoa(i)+"]", err.Error())
		}
		c.paths = append(c.paths, g)
	}
	c.query = k.pairs(field+".query", m.Query, false)
	c.headers = k.pairs(field+".headers", m.Headers, true)
	c.sql = sqlMatch{
		objects: k.texts(field+".objects", m.Objects), columns: k.texts(field+".columns", m.Columns), functions: k.texts(field+".functions", m.Functions),
		settings: k.texts(field+".settings", m.Settings), roles: k.texts(field+".roles", m.Roles),
	}
	c.ssh = sshMatch{commands: k.commands(field+".commands", m.Commands), accounts: k.texts(field+".accounts", m.Accounts), addresses: k.texts(field+".addresses", m.Addresses)}
	for i, name := range m.Channels {
		if !slices.Contains(channelNames, name) {
			k.problem(field+".channels["+strconv.Itoa(i)+"]", fmt.Sprintf("%q is no channel; there are %s", name, strings.Join(channelNames, ", ")))
		}
	}
	c.catalog = k.match(field+".catalog", m.Catalog)
	c.asksHTTP = len(m.Methods)+len(m.Query)+len(m.Headers) > 0
	c.names = len(m.Objects)+len(m.Columns)+len(m.Functions)+len(m.Settings)+len(m.Roles) > 0 || m.NoWhere || m.SecretOut || m.Files || m.Program
	c.asksSQL, c.asksSSH = c.names, len(m.Commands)+len(m.Channels)+len(m.Accounts)+len(m.Addresses) > 0
	c.asksRead = m.ReadOnly != nil
	k.regex(c, field)
	k.kinds(c, field)
}

// regex compiles the regular expression. One that is found says nothing of what else stands in a command, so that it may not allow alone.
func (k *compiler) regex(c *compiled, field string) {
	text := c.Match.Regex
	if text == "" {
		return
	}
	if len(text) > maxRegex {
		k.problem(field+".regex", "is longer than "+strconv.Itoa(maxRegex)+" bytes")
		return
	}
	re, err := regexp.Compile(text)
	if err != nil {
		k.problem(field+".regex", "is no regular expression that RE2 knows: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return
	}
	without := *c
	if c.Then == weir.Allow && !without.asksAny() {
		k.problem(field+".regex", "an allow rule may not rest on a regex alone: what it does not look at would be allowed, too; name operations, objects, commands or paths as well")
	}
	c.regex, k.reads = re, true
}

// kinds finds keys that no command of the rule's protocols has, or that no command has together.
func (k *compiler) kinds(c *compiled, field string) {
	for _, x := range []struct {
		asks     bool
		protocol weir.Protocol
		text     string
	}{
		{c.asksHTTP || len(c.paths) > 0 && !c.asksSSH && !slices.Contains(c.Protocols, weir.SSH), weir.HTTP, "methods, paths, query and headers are asked of http requests only, and the rule is for other protocols"},
		{c.asksSQL, weir.Postgres, "objects, columns, functions, settings, roles, no_where, secret_out, files and program are asked of SQL only, and the rule is for other protocols"},
		{c.asksSSH, weir.SSH, "commands, channels, accounts and addresses are asked of ssh only, and the rule is for other protocols"},
	} {
		if x.asks && len(c.Protocols) > 0 && !slices.Contains(c.Protocols, x.protocol) {
			k.problem(field, x.text)
		}
	}
	http := c.asksHTTP
	if http && c.asksSQL || http && c.asksSSH || c.asksSQL && (c.asksSSH || len(c.paths) > 0) {
		k.problem(field, "asks for keys of different protocols at once, which no command has; make a rule for each")
	}
}

func (k *compiler) texts(field string, patterns []string) []glob.Text {
	var out []glob.Text
	for i, p := range patterns {
		out = append(out, k.text(field+"["+strconv.Itoa(i)+"]", p))
	}
	return out
}

func (k *compiler) commands(field string, patterns []string) []shell.Pattern {
	var out []shell.Pattern
	for i, text := range patterns {
		p, err := shell.CompilePattern(text)
		if err != nil {
			k.problem(field+"["+strconv.Itoa(i)+"]", err.Error())
			continue
		}
		out = append(out, p)
	}
	return out
}

func (k *compiler) pairs(field string, m map[string]string, header bool) []pair {
	var out []pair
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if name == "" {
			k.problem(field, "a name is empty")
		}
		key := name
		if header {
			key = textproto.CanonicalMIMEHeaderKey(name)
		}
		out = append(out, pair{key, k.text(field+"."+name, m[name])})
	}
	return out
}

// match compiles what a rule says of the catalogue: GROUP, GROUP:ACTION or a pattern of ids.
func (k *compiler) match(field, s string) catalogMatch {
	if s == "" {
		return catalogMatch{}
	}
	group, rest, action := strings.Cut(s, ":")
	if slices.Contains(catalog.Groups(), group) {
		m := catalogMatch{on: true, group: group, action: catalog.Action(rest)}
		if action && m.action != catalog.Block && m.action != catalog.Approve && m.action != catalog.Mask {
			k.problem(field, "after "+group+": stands block, approve or mask")
		}
		return m
	}
	g := k.text(field, s)
	if !slices.ContainsFunc(k.catalog.Entries(), func(e *catalog.Entry) bool { return g.Match(e.ID) }) {
		k.problem(field, fmt.Sprintf("no entry of the catalogue has an id like %q; write one of the groups %s for all of a group", s, strings.Join(catalog.Groups(), ", ")))
	}
	return catalogMatch{on: true, id: &g}
}
