package policy

import (
	"strings"

	"weir"
)

// Suggest returns the narrowest of a few matches with which a rule would allow a command of SQL that only the catalogue's defaults stop; nil when
// none would, or another rule stands in the way.
func (p *Plan) Suggest(who *weir.Identity, res *weir.Resource, cmd *weir.Command) *Match {
	if p == nil || who == nil || res == nil || cmd == nil || cmd.SQL == nil || !strings.HasPrefix(p.Decide(who, res, cmd).Rule, catalogRule) {
		return nil
	}
	q := cmd.SQL
	s := p.subject(who, res, cmd)
	names := Match{Operations: q.Operations, SecretOut: len(q.SecretOut) > 0, NoWhere: q.NoWhere, Files: q.Files, Program: q.Program}
	objects, functions, settings, roles := names, names, names, names
	objects.Objects, functions.Functions, settings.Settings, roles.Roles = q.Relations, q.Functions, q.Settings, q.Roles
	candidates := []Match{objects, functions, settings, roles}
	if s.dynamic {
		candidates = append(candidates, Match{Dynamic: true})
	}
	if s.unclear {
		candidates = append(candidates, Match{Unclear: true}, Match{Unclear: true, Dynamic: true})
	}
	candidates = append(candidates, names)
	for _, e := range s.hits {
		candidates = append(candidates, Match{Catalog: e.ID})
	}
	for i := range candidates {
		m := &candidates[i]
		if empty(m.Objects, q.Relations) && empty(m.Functions, q.Functions) && empty(m.Settings, q.Settings) && empty(m.Roles, q.Roles) && i < 4 {
			continue
		}
		k := compiler{catalog: p.catalog, names: make(map[string]int)}
		rule := k.compile(&Rule{Name: "suggested", Resources: []string{res.Name}, Match: *m, Then: weir.Allow})
		if len(k.problems) > 0 {
			continue
		}
		with := *p
		with.rules = append(p.rules[:len(p.rules):len(p.rules)], rule)
		if with.Decide(who, res, cmd).Effect == weir.Allow {
			return m
		}
	}
	return nil
}

// empty reports whether a key has nothing to name.
func empty(key, names []string) bool { return len(key) == 0 || len(names) == 0 }
