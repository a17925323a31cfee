// Package policy decides on commands: rules compiled to an immutable plan.
//
// Deny beats approve beats allow; inside an effect the first rule that matches decides. What no rule speaks of, the
// introspection catalogue decides, and what it does not know is allowed: whether the caller may reach the resource at all was
// asked before. A rule that names what an entry of the catalogue speaks of takes that entry's default away; a general one ("allow all
// GETs", "catalog: introspection") never lifts what the catalogue blocks.
//
// It must never let a request through because it can be written in many ways: deny and approve match when any reading of a path, any
// relation or any command of a line does, allow only when all do, and a path without a complete list of readings is refused. What could
// not be understood, or is made while it runs, matches no allow rule that names something, and a deny rule that might speak of it
// holds it for an administrator. Pure; a Plan is immutable, a Live is safe for concurrent use.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
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
	reads    bool // a rule reads the text of commands
}

type compiled struct {
	Rule
	resources []glob.Text
	paths     []glob.Path
	query     []pair
	headers   []pair
	sql       sqlMatch
	ssh       sshMatch
	regex     *regexp.Regexp
	catalog   catalogMatch
	except    *compiled // its effect is Allow, so that it matches only what it surely and wholly speaks of

	asksHTTP, asksSQL, asksSSH, asksRead bool // which kinds of keys there are
	names                                bool // a key names what a command touches
}

// pair is a named parameter or header and what its value must match.
type pair struct {
	name  string
	value glob.Text
}

type catalogMatch struct {
	on     bool
	group  string         // "" for any
	action catalog.Action // "" for any
	id     *glob.Text
}

// match says whether a rule speaks of a command.
type match uint8

const (
	no match = iota
	maybe
	yes
)

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
	unclear   bool // it could not be understood
	dynamic   bool // it runs what is made while it runs
}

func (p *Plan) subject(who *weir.Identity, res *weir.Resource, cmd *weir.Command) subject {
	s := subject{who: who, res: res, cmd: cmd}
	if h := cmd.HTTP; h != nil {
		s.readings, s.ambiguous = reading.Of(h.Path)
		s.hits = p.catalog.Match(h.Method, h.Host, s.readings, h.Query)
	}
	if cmd.SQL != nil {
		s.hits = append(s.hits, p.catalog.MatchSQL(cmd.SQL)...)
		s.unclear, s.dynamic = catalog.Unclear(cmd.SQL), cmd.SQL.Dynamic
	}
	if r := cmd.SSH; r != nil {
		s.hits = append(s.hits, p.catalog.MatchSSH(r)...)
		if u := r.Shell; u != nil {
			s.unclear, s.dynamic = u.Unclear != "", u.Dynamic
		}
	}
	return s
}

// Decide returns the verdict on a command. A nil plan denies. What is decided on a statement depends on nothing but who, res, cmd.Operation, cmd.SQL and, where reads is set, cmd.Text: Standing
// promises that, and callers remember verdicts by it.
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
	var doubt [weir.Allow]*compiled // rules that may speak of this
	lifted := uint64(0)             // hits whose default a rule has taken away, a bit each
	for _, c := range p.rules {
		if first[c.Then] != nil && (len(s.hits) == 0 || lifted == allHits(s)) {
			continue
		}
		m := c.matches(s)
		switch {
		case m == no:
			continue
		case c.Then == weir.Deny && m == yes:
			return weir.Verdict{Effect: weir.Deny, Rule: c.Name, Reason: c.reason("is denied")}
		case m == maybe:
			if doubt[c.Then] == nil {
				doubt[c.Then] = c
			}
			continue
		}
		lifted |= c.lifts(s)
		if first[c.Then] == nil {
			first[c.Then] = c
		}
	}
	def, entry := p.byDefault(s, lifted)
	if def == weir.Deny && entry != nil {
		return weir.Verdict{Effect: weir.Deny, Rule: catalogRule + entry.ID, Reason: "this shows " + entry.Leaks + " (" + entry.Technology + ")"}
	}
	if c := doubt[weir.Deny]; c != nil {
		return p.doubt(c)
	}
	if c := first[weir.Approve]; c != nil {
		return weir.Verdict{Effect: weir.Approve, Rule: c.Name, Reason: c.reason("needs an approval"), Hold: weir.HoldTerms{
			Groups: c.Approvers.Groups, Count: max(c.Approvers.Count, 1), Within: orElse(c.Within, DefaultWithin), Wait: orElse(c.Wait, p.wait),
		}}
	}
	if c := doubt[weir.Approve]; c != nil {
		return p.doubt(c)
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

// doubt holds for an administrator what a deny or approve rule may speak of: those who approve what the rule names need not know
// what else there is.
func (p *Plan) doubt(c *compiled) weir.Verdict {
	return weir.Verdict{
		Effect: weir.Approve, Rule: c.Name, Hold: weir.HoldTerms{Count: 1, Within: DefaultWithin, Wait: p.wait},
		Reason: "the rule " + c.Name + " may speak of this: what it does cannot be told; it needs an approval, or must be written plainly",
	}
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

// byDefault is what the catalogue does: the strongest action of all entries that match and were not lifted, and the entry it
// comes from.
func (p *Plan) byDefault(s *subject, lifted uint64) (weir.Effect, *catalog.Entry) {
	effect, found := weir.Allow, (*catalog.Entry)(nil)
	if !p.defaults {
		return effect, nil
	}
	for i, e := range s.hits {
		if i < 64 && lifted&(1<<i) != 0 {
			continue
		}
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

// matches says whether the rule speaks of the command. maybe is never said of an allow rule.
func (c *compiled) matches(s *subject) match {
	if !c.who(s) {
		return no
	}
	m := c.asks(s)
	if m != no && c.except != nil && c.except.asks(s) == yes {
		return no
	}
	return m
}

// asks is matches without the caller and the resource.
func (c *compiled) asks(s *subject) match {
	out := c.operation(s)
	if out == no {
		return no
	}
	if out = min(out, c.kind(s)); out == no || c.regex != nil && !c.regex.MatchString(s.cmd.Text) {
		return no
	}
	if c.catalog.on && !c.catalog.matches(s.hits, c.Then == weir.Allow) {
		return no
	}
	if len(c.paths) > 0 {
		out = min(out, c.path(s))
	}
	return out
}

// kind compares the keys of one kind of commands.
func (c *compiled) kind(s *subject) match {
	switch {
	case c.asksHTTP && (s.cmd.HTTP == nil || !c.matchesHTTP(s)):
		return no
	case c.asksSQL && s.cmd.SQL == nil, c.asksSSH && s.cmd.SSH == nil:
		return no
	case c.Match.Dynamic && !s.dynamic, c.Match.Unclear && !s.unclear, c.asksRead && !c.readOnly(s):
		return no
	case c.asksSQL:
		return c.matchesSQL(s)
	case c.asksSSH:
		return c.matchesSSH(s)
	}
	return yes
}

// operation compares the operations: of SQL those of all statements, with what is inside them.
func (c *compiled) operation(s *subject) match {
	if len(c.Match.Operations) == 0 {
		return yes
	}
	all := c.Then == weir.Allow
	if s.cmd.SQL == nil {
		own := c.hasOperation(s.cmd.Operation)
		if s.cmd.SSH == nil || len(s.cmd.SSH.Reads) == 0 {
			return when(own)
		}
		read := c.hasOperation(readOperation)
		return when(own && read || !all && (own || read))
	}
	if all && (s.unclear || s.dynamic) {
		return no
	}
	for _, o := range s.cmd.SQL.Operations {
		if hit := c.hasOperation(o); hit != all {
			return c.orMaybe(when(hit), s)
		}
	}
	if all {
		return when(len(s.cmd.SQL.Operations) > 0)
	}
	return c.orMaybe(when(c.hasOperation(s.cmd.Operation)), s)
}

func (c *compiled) hasOperation(name string) bool {
	for _, o := range c.Match.Operations {
		if strings.EqualFold(o, name) {
			return true
		}
	}
	return false
}

func when(ok bool) match {
	if ok {
		return yes
	}
	return no
}

// orMaybe turns a no of a deny or approve rule into a maybe, where it cannot be told what the command touches.
func (c *compiled) orMaybe(m match, s *subject) match {
	if m == no && c.Then != weir.Allow && (s.unclear || s.dynamic) {
		return maybe
	}
	return m
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
		hit := m.speaksOf(e)
		if hit != all {
			return hit
		}
	}
	return all && len(hits) > 0
}

func (m *catalogMatch) speaksOf(e *catalog.Entry) bool {
	return m.on && (m.group == "" || e.Group == m.group) && (m.action == "" || e.Action == m.action) && (m.id == nil || m.id.Match(e.ID))
}

func anyText(globs []glob.Text, s string) bool {
	for i := range globs {
		if globs[i].Match(s) {
			return true
		}
	}
	return false
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
		if c.matches(&s) != no {
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
