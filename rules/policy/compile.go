package policy

import (
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir"
	"weir/rules/catalog"
	"weir/rules/glob"
)

// Bounds of what a rule may say.
const (
	maxApprovers = 10
	maxWithin    = 7 * 24 * time.Hour
	maxWait      = 10 * time.Minute
)

// Compile checks a Config and makes a Plan of it. When there are problems, there is no plan.
func Compile(cfg Config, cat *catalog.Catalog) (*Plan, []Problem) {
	if cat == nil {
		return nil, []Problem{{Rule: -1, Text: "there is no catalogue"}}
	}
	p := &Plan{catalog: cat, defaults: !cfg.NoCatalogDefaults, wait: orElse(cfg.Wait, DefaultWait)}
	k := compiler{catalog: cat, names: make(map[string]int)}
	if cfg.Wait < 0 || cfg.Wait > maxWait {
		k.rule = -1
		k.problem("wait", "the wait for an approval must be from 0s to "+maxWait.String())
	}
	for i := range cfg.Rules {
		k.rule = i
		p.rules = append(p.rules, k.compile(&cfg.Rules[i]))
	}
	if len(k.problems) > 0 {
		return nil, k.problems
	}
	version, err := versionOf(&cfg, cat.Version)
	if err != nil {
		return nil, []Problem{{Rule: -1, Text: "the rules cannot be hashed: " + err.Error()}}
	}
	p.version = version
	return p, nil
}

type compiler struct {
	catalog  *catalog.Catalog
	names    map[string]int
	rule     int
	problems []Problem
}

func (k *compiler) problem(field, text string) {
	k.problems = append(k.problems, Problem{Rule: k.rule, Field: field, Text: text})
}

func (k *compiler) compile(r *Rule) *compiled {
	c := &compiled{Rule: *r}
	k.name(r.Name)
	for i, pattern := range r.Resources {
		c.resources = append(c.resources, k.text("resources["+strconv.Itoa(i)+"]", pattern))
	}
	for i, pattern := range r.Match.Paths {
		g, err := glob.CompilePath(pattern)
		if err != nil {
			k.problem("match.paths["+strconv.Itoa(i)+"]", err.Error())
		}
		c.paths = append(c.paths, g)
	}
	c.query = k.pairs("match.query", r.Match.Query, false)
	c.headers = k.pairs("match.headers", r.Match.Headers, true)
	c.catalog = k.match(r.Match.Catalog)
	k.terms(r)
	m := &r.Match
	asksHTTP := len(m.Methods) > 0 || len(m.Paths) > 0 || len(m.Query) > 0 || len(m.Headers) > 0
	if asksHTTP && len(r.Protocols) > 0 && !slices.Contains(r.Protocols, weir.HTTP) {
		k.problem("match", "methods, paths, query and headers are asked of http requests only, and the rule is for other protocols")
	}
	return c
}

func (k *compiler) name(name string) {
	switch before, taken := k.names[name]; {
	case name == "":
		k.problem("name", "a rule needs a name: it is what refusals and recordings call it")
	case name == DefaultRule || name == AmbiguousRule || strings.Contains(name, ":"):
		k.problem("name", fmt.Sprintf("the name %q is taken by the gateway; choose another without a colon", name))
	case taken:
		k.problem("name", fmt.Sprintf("rule %d has the name %q already; names are unique", before+1, name))
	default:
		k.names[name] = k.rule
	}
}

func (k *compiler) text(field, pattern string) glob.Text {
	g, err := glob.CompileText(pattern)
	if err != nil {
		k.problem(field, err.Error())
	}
	return g
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

func (k *compiler) match(s string) catalogMatch {
	const word = "introspection"
	rest, ok := strings.CutPrefix(s, word)
	switch {
	case s == "":
		return catalogMatch{}
	case ok && rest == "":
		return catalogMatch{on: true}
	case ok && strings.HasPrefix(rest, ":"):
		action := catalog.Action(rest[1:])
		if action != catalog.Block && action != catalog.Approve && action != catalog.Mask {
			k.problem("match.catalog", "after introspection: stands block, approve or mask")
		}
		return catalogMatch{on: true, action: action}
	}
	g := k.text("match.catalog", s)
	if !slices.ContainsFunc(k.catalog.Entries(), func(e *catalog.Entry) bool { return g.Match(e.ID) }) {
		k.problem("match.catalog", fmt.Sprintf("no entry of the catalogue has an id like %q; write introspection for all of them", s))
	}
	return catalogMatch{on: true, id: &g}
}

func (k *compiler) terms(r *Rule) {
	if r.Then > weir.Allow {
		k.problem("then", "an effect is deny, approve or allow")
		return
	}
	if r.Then != weir.Approve {
		if len(r.Approvers.Groups) > 0 || r.Approvers.Count != 0 || r.Within != 0 || r.Wait != 0 {
			k.problem("then", "approvers, within and wait only make sense with then: approve")
		}
		return
	}
	if r.Approvers.Count < 0 || r.Approvers.Count > maxApprovers {
		k.problem("approvers.count", "must be from 1 to "+strconv.Itoa(maxApprovers))
	}
	if r.Within < 0 || r.Within > maxWithin {
		k.problem("within", "must be from 1s to 168h")
	}
	if r.Wait < 0 || r.Wait > maxWait {
		k.problem("wait", "must be from 1s to "+maxWait.String())
	}
	if slices.Contains(r.Approvers.Groups, "") {
		k.problem("approvers.groups", "a group's name is empty")
	}
}
