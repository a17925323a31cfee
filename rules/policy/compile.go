package policy

import (
	"fmt"
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
	p.version, p.reads = version, k.reads
	return p, nil
}

type compiler struct {
	catalog  *catalog.Catalog
	names    map[string]int
	rule     int
	problems []Problem
	reads    bool // a rule reads the text of commands
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
	k.ask(c, "match")
	k.terms(r)
	if r.Except != nil {
		if r.Then == weir.Allow {
			k.problem("except", "an exception belongs to a rule that denies or asks for approval; an allow rule names what it allows")
		}
		c.except = &compiled{Rule: Rule{Match: *r.Except, Then: weir.Allow, Protocols: r.Protocols}}
		k.ask(c.except, "except")
		if !c.except.asksAny() {
			k.problem("except", "names nothing, so that the rule would speak of nothing")
		}
	}
	return c
}

// asksAny reports whether a Match asks for anything.
func (c *compiled) asksAny() bool {
	return len(c.Match.Operations) > 0 || len(c.paths) > 0 || c.asksHTTP || c.asksSQL || c.asksSSH || c.asksRead || c.Match.Dynamic || c.Match.Unclear || c.regex != nil || c.catalog.on
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
