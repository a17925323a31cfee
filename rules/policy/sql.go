package policy

import (
	"strings"

	"weir"
	"weir/rules/glob"
)

// sqlMatch are the compiled keys of Match for SQL.
type sqlMatch struct {
	objects, columns, functions, settings, roles []glob.Text
}

// matchesSQL compares the keys for SQL. What cannot be told is no for an allow rule that names something, and maybe for others.
func (c *compiled) matchesSQL(s *subject) match {
	q, m := s.cmd.SQL, &c.Match
	all := c.Then == weir.Allow
	if all && c.names && (s.unclear || s.dynamic) {
		return no
	}
	if m.NoWhere && !q.NoWhere || m.SecretOut && len(q.SecretOut) == 0 || m.Files && !q.Files || m.Program && !q.Program {
		return c.orMaybe(no, s)
	}
	x := &c.sql
	if !satisfied(x.objects, q.Relations, sameName, all) || !satisfied(x.columns, q.Columns, sameWhole, all) || !satisfied(x.functions, q.Functions, sameName, all) ||
		!satisfied(x.settings, q.Settings, sameSetting, all) || !satisfied(x.roles, q.Roles, sameWhole, all) {
		return c.orMaybe(no, s)
	}
	return yes
}

// satisfied is compare, and true where there are no patterns.
func satisfied(patterns []glob.Text, names []string, same func(*glob.Text, string, bool) bool, all bool) bool {
	return len(patterns) == 0 || compare(patterns, names, same, all)
}

// compare reports whether any name, or all of them and at least one, match a pattern.
func compare(patterns []glob.Text, names []string, same func(*glob.Text, string, bool) bool, all bool) bool {
	for _, n := range names {
		hit := false
		for i := range patterns {
			if hit = same(&patterns[i], n, all); hit {
				break
			}
		}
		if hit != all {
			return hit
		}
	}
	return all && len(names) > 0
}

// sameName compares "schema.name", and the name alone where the pattern has no schema. An allow rule minds the case of letters.
func sameName(g *glob.Text, name string, all bool) bool {
	if !strings.Contains(g.String(), ".") {
		name = name[strings.IndexByte(name, '.')+1:]
	}
	return sameWhole(g, name, all)
}

func sameWhole(g *glob.Text, name string, all bool) bool {
	if all {
		return g.Match(name)
	}
	return g.MatchFold(name)
}

// sameSetting compares settings, of which "*" is all of them.
func sameSetting(g *glob.Text, name string, all bool) bool {
	return name == "*" && (!all || g.String() == "*") || name != "*" && g.MatchFold(name)
}

// readOnly reports whether the command changes nothing, or may, as the rule asks. What is neither SQL nor a transfer of files is neither.
func (c *compiled) readOnly(s *subject) bool {
	want := *c.Match.ReadOnly
	if q := s.cmd.SQL; q != nil {
		return q.ReadOnly == want
	}
	r := s.cmd.SSH
	return r != nil && (r.Channel == "sftp" || r.Channel == "scp") && r.Write != want
}
