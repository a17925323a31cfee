package service

import (
	"context"
	"strings"
	"time"

	"weir"
	"weir/rules/policy"
)

// Explanation says what would become of a command, and why.
type Explanation struct {
	Resource string `json:"resource"`
	User     string `json:"user"`
	Command  string `json:"command"`
	// Access says whether the user may reach the resource at all.
	Access   bool           `json:"access"`
	Until    *time.Time     `json:"until,omitempty" doc:"when access that begins now ends"`
	Effect   string         `json:"effect" enum:"deny,approve,allow"`
	Rule     string         `json:"rule" doc:"that decided"`
	Reason   string         `json:"reason,omitempty"`
	Policy   string         `json:"policy" doc:"version"`
	Approval *Approval      `json:"approval,omitempty"`
	Rules    []RuleMatch    `json:"rules" doc:"all rules that speak of the command, in their order"`
	Catalog  []CatalogMatch `json:"catalog" doc:"what is known to leak there; values of that kind are masked"`
	// Suggestion is a rule, as weir.yaml has it.
	Suggestion string   `json:"suggestion,omitempty" doc:"a rule that would allow just this, where the catalogue's default stops it"`
	Readings   []string `json:"readings,omitempty" doc:"ways in which targets may read the path"`
}

// Approval says who must agree.
type Approval struct {
	Groups []string `json:"groups" doc:"empty: administrators"`
	Count  int      `json:"count"`
	Within string   `json:"within"`
	Wait   string   `json:"wait"`
}

// RuleMatch is a rule that speaks of a command.
type RuleMatch struct {
	Name string `json:"name"`
	Then string `json:"then"`
}

// CatalogMatch is an entry of the introspection catalogue.
type CatalogMatch struct {
	ID         string `json:"id"`
	Technology string `json:"technology"`
	Leaks      string `json:"leaks"`
	Action     string `json:"action"`
}

// suggestion writes a rule on one line.
func suggestion(resource string, m *policy.Match) string {
	var keys []string
	list := func(key string, values []string) {
		if len(values) == 0 {
			return
		}
		var b []string
		for _, v := range values {
			if strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != "" || v == "" || strings.HasPrefix(v, "-") {
				v = "'" + strings.ReplaceAll(v, "'", "''") + "'"
			}
			b = append(b, v)
		}
		keys = append(keys, key+": ["+strings.Join(b, ", ")+"]")
	}
	flag := func(key string, set bool) {
		if set {
			keys = append(keys, key+": true")
		}
	}
	list("operations", m.Operations)
	list("objects", m.Objects)
	list("functions", m.Functions)
	list("settings", m.Settings)
	list("roles", m.Roles)
	flag("no_where", m.NoWhere)
	flag("secret_out", m.SecretOut)
	flag("files", m.Files)
	flag("program", m.Program)
	flag("dynamic", m.Dynamic)
	flag("unclear", m.Unclear)
	if m.Catalog != "" {
		keys = append(keys, "catalog: "+m.Catalog)
	}
	return "{name: NAME, resources: [" + resource + "], match: {" + strings.Join(keys, ", ") + "}, then: allow}"
}

// Explain says what would become of a command of the caller or, for administrators, of somebody else.
func (s *Service) Explain(ctx context.Context, who *weir.Identity, resource, as, command string) (Explanation, error) {
	res, err := s.resource(ctx, who, resource)
	if err != nil {
		return Explanation{}, err
	}
	subject := *who
	if as != "" && as != who.Name {
		id, _, err := s.self(ctx, who, as, "explain")
		if err != nil {
			return Explanation{}, err
		}
		if subject, err = s.p.Identity.Identity(ctx, id); err != nil {
			return Explanation{}, err
		}
	}
	cmd, err := s.readCommand(ctx, &res, command)
	if err != nil {
		return Explanation{}, err
	}
	x := s.p.Policy.Plan().Explain(&subject, &res.Resource, cmd)
	out := Explanation{
		Resource: res.Name, User: subject.Name, Command: s.p.Mask("command", cmd.Text), Effect: x.Verdict.Effect.String(), Rule: x.Verdict.Rule,
		Reason: x.Verdict.Reason, Policy: x.Verdict.Policy, Rules: []RuleMatch{}, Catalog: []CatalogMatch{}, Readings: x.Readings,
	}
	until, reach, err := s.p.Identity.CanReach(ctx, &subject, res.Name)
	if err != nil {
		return Explanation{}, err
	}
	if out.Access = reach; reach {
		out.Until = &until
	}
	if x.Verdict.Effect == weir.Approve {
		h := &x.Verdict.Hold
		out.Approval = &Approval{Groups: append([]string{}, h.Groups...), Count: h.Count, Within: h.Within.String(), Wait: h.Wait.String()}
	}
	if m := s.p.Policy.Plan().Suggest(&subject, &res.Resource, cmd); m != nil {
		out.Suggestion = suggestion(res.Name, m)
	}
	for i := range x.Matched {
		out.Rules = append(out.Rules, RuleMatch{x.Matched[i].Name, x.Matched[i].Then.String()})
	}
	for _, e := range x.Catalog {
		out.Catalog = append(out.Catalog, CatalogMatch{e.ID, e.Technology, e.Leaks, string(e.Action)})
	}
	return out, nil
}
