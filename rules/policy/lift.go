package policy

import (
	"slices"

	"weir/rules/catalog"
	"weir/rules/glob"
	"weir/rules/shell"
)

// allHits has a bit for each entry that matched, of the first 64. More than that are never lifted.
func allHits(s *subject) uint64 {
	if len(s.hits) >= 64 {
		return ^uint64(0)
	}
	return 1<<len(s.hits) - 1
}

// lifts says of which entries a rule that matches takes the default away: those of which it names what they speak of. Nothing else that a
// command does is excused by the way.
func (c *compiled) lifts(s *subject) uint64 {
	bits := uint64(0)
	for i, e := range s.hits {
		if i < 64 && c.liftsEntry(s, e) {
			bits |= 1 << i
		}
	}
	return bits
}

func (c *compiled) liftsEntry(s *subject, e *catalog.Entry) bool {
	if c.catalog.speaksOf(e) && (c.catalog.id != nil || c.catalog.action != "" || e.Action != catalog.Block) {
		return true
	}
	switch {
	case s.cmd.SQL != nil:
		return c.liftsSQL(s, e)
	case s.cmd.SSH != nil:
		return c.liftsSSH(s, e)
	}
	return len(c.paths) > 0
}

func (c *compiled) liftsSQL(s *subject, e *catalog.Entry) bool {
	f, m := &e.SQL, &c.Match
	relations, columns, functions, settings := e.Named(s.cmd.SQL)
	named := false
	for _, x := range [...]struct {
		asked    []string
		found    []string
		patterns []glob.Text
		same     func(*glob.Text, string, bool) bool
	}{
		{f.Relations, relations, c.sql.objects, sameName}, {f.Functions, functions, c.sql.functions, sameName}, {f.Settings, settings, c.sql.settings, sameSetting},
		{f.Columns, columns, c.sql.columns, sameWhole},
	} {
		if len(x.asked) == 0 {
			continue
		}
		if !compare(x.patterns, x.found, x.same, true) {
			return false
		}
		named = true
	}
	if f.Roles && len(c.sql.roles) == 0 || f.Files && !m.Files || f.Program && !m.Program || f.Dynamic && !m.Dynamic || f.Unclear && !m.Unclear || f.NoWhere && !m.NoWhere || f.SecretOut && !m.SecretOut {
		return false
	}
	if named || f.Roles || f.Files || f.Program || f.Dynamic || f.Unclear || f.NoWhere || f.SecretOut {
		return true
	}
	return len(m.Operations) > 0 // an entry that speaks of operations only
}

func (c *compiled) liftsSSH(s *subject, e *catalog.Entry) bool {
	commands, files := e.Touched(s.cmd.SSH)
	for _, x := range commands {
		if !slices.ContainsFunc(c.ssh.commands, func(p shell.Pattern) bool { return p.Touches(x) }) {
			return false
		}
	}
	for _, f := range files {
		if !c.namesFile(f) {
			return false
		}
	}
	if len(e.SSH.Addresses) > 0 && len(c.ssh.addresses) == 0 {
		return false
	}
	return true
}
