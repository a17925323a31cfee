// Package policy decides on commands: rules compiled to an immutable plan.
//
// Deny beats approve beats allow; inside an effect the first rule that matches decides. What no rule speaks of, the
// introspection catalogue decides, and what it does not know is allowed: whether the caller may reach the resource at all was
// asked before. A rule that names paths or catalogue entries takes their default away; a general one ("allow all GETs",
// "catalog: introspection") never lifts what the catalogue blocks.
//
// It must never let a request through because a path can be written in many ways: deny and approve match any reading that a
// target may take of it, allow only if all readings match, and a path without a complete list of readings is refused.
// Pure; a Plan is immutable, a Live is safe for concurrent use.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"weir"
	"weir/rules/catalog"
	"weir/rules/glob"
	"weir/rules/reading"
)

// Defaults of Config and Rule.
const (
	DefaultWait   = 60 * time.Second
	DefaultWithin = 15 * time.Minute
)

// Names of the verdicts that no rule of the configuration decided.
const (
	DefaultRule   = "default"
	AmbiguousRule = "ambiguous-path"
	catalogRule   = "catalog:" // followed by the entry's id
)

// Plan is a compiled Config.
type Plan struct {
	version  string
	rules    []*compiled
	catalog  *catalog.Catalog
	defaults bool
	wait     time.Duration
}

type compiled struct {
	Rule
	resources []glob.Text
	paths     []glob.Path
	query     []pair
	headers   []pair
	catalog   catalogMatch
}

// pair is a named parameter or header and what its value must match.
type pair struct {
	name  string
	value glob.Text
}

type catalogMatch struct {
	on     bool
	action catalog.Action // "" for any
	id     *glob.Text
}

// specific reports whether the rule names what it speaks of, so that it may lift what the catalogue does by default.
func (c *compiled) specific() bool {
	return len(c.paths) > 0 || c.catalog.on && (c.catalog.id != nil || c.catalog.action != "")
}

// Version names the plan: it changes when the rules or the catalogue do.
func (p *Plan) Version() string {
	if p == nil {
		return ""
	}
	return p.version
}

// Rules returns the rules in their order. The caller must not change them.
func (p *Plan) Rules() []Rule {
	var out []Rule
	for _, c := range p.rules {
		out = append(out, c.Rule)
	}
	return out
}

// subject is one command with what was found out about it.
type subject struct {
	who       *weir.Identity
	res       *weir.Resource
	cmd       *weir.Command
	readings  []string
	ambiguous string
	hits      []*catalog.Entry
}

func (p *Plan) subject(who *weir.Identity, res *weir.Resource, cmd *weir.Command) subject {
	s := subject{who: who, res: res, cmd: cmd}
	if h := cmd.HTTP; h != nil {
		s.readings, s.ambiguous = reading.Of(h.Path)
		s.hits = p.catalog.Match(h.Method, h.Host, s.readings, h.Query)
	}
	return s
}

// Decide returns the verdict on a command. A nil plan denies.
func (p *Plan) Decide(who *weir.Identity, res *weir.Resource, cmd *weir.Command) weir.Verdict {
	if p == nil || who == nil || res == nil || cmd == nil {
		return weir.Verdict{Reason: "no policy is loaded"}
	}
	s := p.subject(who, res, cmd)
	v := p.decide(&s)
	v.Policy = p.version
	for _, e := range s.hits {
		v.Catalog = append(v.Catalog, e.ID)
	}
	return v
}

func (p *Plan) decide(s *subject) weir.Verdict {
	if s.ambiguous != "" {
		return weir.Verdict{Effect: weir.Deny, Rule: AmbiguousRule, Reason: "targets may read this path in different ways: " + s.ambiguous}
	}
	var first [weir.Allow + 1]*compiled
	lifted := false
	for _, c := range p.rules {
		if first[c.Then] != nil && (lifted || !c.specific()) || !c.matches(s) {
			continue
		}
		if c.Then == weir.Deny {
			return weir.Verdict{Effect: weir.Deny, Rule: c.Name, Reason: c.reason("is denied")}
		}
		lifted = lifted || c.specific()
		if first[c.Then] == nil {
			first[c.Then] = c
		}
	}
	def, entry := p.byDefault(s)
	if lifted {
		def, entry = weir.Allow, nil
	}
	if def == weir.Deny && entry != nil {
		return weir.Verdict{Effect: weir.Deny, Rule: catalogRule + entry.ID, Reason: "this shows " + entry.Leaks + " (" + entry.Technology + ")"}
	}
	if c := first[weir.Approve]; c != nil {
		return weir.Verdict{Effect: weir.Approve, Rule: c.Name, Reason: c.reason("needs an approval"), Hold: weir.HoldTerms{
			Groups: c.Approvers.Groups, Count: max(c.Approvers.Count, 1), Within: orElse(c.Within, DefaultWithin), Wait: orElse(c.Wait, p.wait),
		}}
	}
	if def == weir.Approve && entry != nil {
		return weir.Verdict{
			Effect: weir.Approve, Rule: catalogRule + entry.ID, Reason: "this shows " + entry.Leaks + " (" + entry.Technology + ") and needs an approval",
			Hold: weir.HoldTerms{Count: 1, Within: DefaultWithin, Wait: p.wait},
		}
	}
	if c := first[weir.Allow]; c != nil {
		return weir.Verdict{Effect: weir.Allow, Rule: c.Name}
	}
	if entry != nil {
		return weir.Verdict{Effect: weir.Allow, Rule: catalogRule + entry.ID}
	}
	return weir.Verdict{Effect: weir.Allow, Rule: DefaultRule}
}

func orElse(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}

func (c *compiled) reason(what string) string {
	if c.Reason != "" {
		return c.Reason
	}
	return "the rule " + c.Name + " says that this " + what
}

// byDefault is what the catalogue does: the strongest action of all entries that match, and the entry it comes from.
func (p *Plan) byDefault(s *subject) (weir.Effect, *catalog.Entry) {
	effect, found := weir.Allow, (*catalog.Entry)(nil)
	if !p.defaults {
		return effect, nil
	}
	for _, e := range s.hits {
		now := weir.Deny // an action of a newer catalogue denies
		switch e.Action {
		case catalog.Block:
		case catalog.Approve:
			now = weir.Approve
		case catalog.Mask:
			now = weir.Allow
		}
		if found == nil || now < effect {
			effect, found = now, e
		}
	}
	return effect, found
}

// matches reports whether the rule speaks of the command.
func (c *compiled) matches(s *subject) bool {
	m := &c.Match
	if !c.who(s) {
		return false
	}
	if len(m.Operations) > 0 && !slices.ContainsFunc(m.Operations, func(o string) bool { return strings.EqualFold(o, s.cmd.Operation) }) {
		return false
	}
	if len(m.Methods) == 0 && len(c.paths) == 0 && len(c.query) == 0 && len(c.headers) == 0 && !c.catalog.on {
		return true
	}
	return s.cmd.HTTP != nil && c.matchesHTTP(s)
}

// who reports whether the resource and the caller are those the rule names.
func (c *compiled) who(s *subject) bool {
	if len(c.resources) > 0 && !anyText(c.resources, s.res.Name) {
		return false
	}
	if len(c.Protocols) > 0 && !slices.Contains(c.Protocols, s.res.Protocol) {
		return false
	}
	if len(c.Users) == 0 && len(c.Groups) == 0 {
		return true
	}
	return slices.Contains(c.Users, s.who.Name) || slices.ContainsFunc(c.Groups, s.who.InGroup)
}

func (c *compiled) matchesHTTP(s *subject) bool {
	h, all := s.cmd.HTTP, c.Then == weir.Allow
	if m := c.Match.Methods; len(m) > 0 && !slices.ContainsFunc(m, func(o string) bool { return strings.EqualFold(o, h.Method) }) {
		return false
	}
	if len(c.paths) > 0 && !c.matchesPath(s, all) {
		return false
	}
	if c.catalog.on && !c.catalog.matches(s.hits, all) {
		return false
	}
	for _, q := range c.query {
		if !matchesValues(h.Query[q.name], &q.value, all) {
			return false
		}
	}
	for _, q := range c.headers {
		if !matchesValues(h.Header[q.name], &q.value, all) {
			return false
		}
	}
	return true
}

// matchesPath compares the readings of the path. Servers that ignore the case of letters exist, so only allow minds it.
func (c *compiled) matchesPath(s *subject, all bool) bool {
	for _, r := range s.readings {
		hit := slices.ContainsFunc(c.paths, func(p glob.Path) bool {
			if all {
				return p.Match(r)
			}
			return p.MatchFold(r)
		})
		if hit != all {
			return hit
		}
	}
	return all && len(s.readings) > 0
}

func matchesValues(values []string, pattern *glob.Text, all bool) bool {
	for _, v := range values {
		if all && !pattern.Match(v) {
			return false
		}
		if !all && pattern.MatchFold(v) {
			return true
		}
	}
	return all && len(values) > 0
}

func (m *catalogMatch) matches(hits []*catalog.Entry, all bool) bool {
	for _, e := range hits {
		hit := (m.action == "" || e.Action == m.action) && (m.id == nil || m.id.Match(e.ID))
		if hit != all {
			return hit
		}
	}
	return all && len(hits) > 0
}

func anyText(globs []glob.Text, s string) bool {
	return slices.ContainsFunc(globs, func(g glob.Text) bool { return g.Match(s) })
}

// Explanation says why a command is decided as it is.
type Explanation struct {
	Verdict  weir.Verdict
	Readings []string         // the ways in which targets may read the path
	Matched  []Rule           // rules that speak of the command, in their order
	Catalog  []*catalog.Entry // entries it matches
}

// Explain decides on a command as Decide does, and says why.
func (p *Plan) Explain(who *weir.Identity, res *weir.Resource, cmd *weir.Command) Explanation {
	if p == nil || who == nil || res == nil || cmd == nil {
		return Explanation{Verdict: p.Decide(who, res, cmd)}
	}
	s := p.subject(who, res, cmd)
	e := Explanation{Verdict: p.Decide(who, res, cmd), Readings: s.readings, Catalog: s.hits}
	for _, c := range p.rules {
		if c.matches(&s) {
			e.Matched = append(e.Matched, c.Rule)
		}
	}
	return e
}

// versionOf hashes all that decides.
func versionOf(cfg *Config, catalogVersion string) (string, error) {
	b, err := json.Marshal(cfg)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append(b, catalogVersion...))
	return hex.EncodeToString(sum[:6]), nil
}
