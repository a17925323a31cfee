package postgres

import (
	"slices"
	"strings"

	"weir"
)

// tellOut fills in where values of protected columns go besides the answer. all: whatever goes anywhere is one, since it is taken out of a document by a
// secret's name.
func (c *codec) tellOut(f *facts, all bool) {
	if len(f.sql.Moves) == 0 {
		return
	}
	all = all || f.reads.loose()
	var to []string
	for i := range f.sql.Moves {
		if m := &f.sql.Moves[i]; !slices.Contains(to, m.To) && (all && m.Into != "=" && m.To != "name" || c.movesSecret(f.sql, m)) {
			to = append(to, m.To)
		}
	}
	if len(to) == 0 {
		return
	}
	slices.Sort(to)
	out := *f.sql // what names stand for may share it
	out.SecretOut = to
	f.sql = &out
}

// movesSecret reports whether the value may be a protected column's, and what takes it is not known to be protected as well.
func (c *codec) movesSecret(s *weir.SQL, m *weir.Move) bool {
	switch {
	case m.Into == "=":
		// Protection by the name of a column goes along.
		return slices.ContainsFunc(s.Relations, func(relation string) bool {
			return slices.ContainsFunc(c.read.columns(relation), func(column string) bool {
				return column != "" && !c.o.Secret("", column) && c.o.Secret(relation, column)
			})
		})
	case m.Into != "" && (c.o.Secret("", m.Into) || m.Relation != "" && c.o.Secret(m.Relation, m.Into)):
		return false
	case m.Name == "*":
		return slices.ContainsFunc(s.Columns, func(column string) bool {
			i := strings.LastIndexByte(column, '.')
			return i > 0 && c.holdsSecret(column[:i], column[i+1:])
		}) || s.Taken || slices.ContainsFunc(s.Settings, func(name string) bool { return name != "*" && c.o.SecretSetting(name) })
	case m.Name == "current_setting":
		return slices.ContainsFunc(s.Settings, func(name string) bool { return name == "*" || c.o.SecretSetting(name) || c.settingHolds(name) })
	}
	return c.o.Secret("", m.Name) || slices.ContainsFunc(s.Relations, func(relation string) bool {
		return slices.Contains(c.read.columns(relation), m.Name) && c.holdsSecret(relation, m.Name)
	})
}

// holdsSecret reports whether a column may hold secrets, by its name or by what it is made of.
func (c *codec) holdsSecret(relation, column string) bool {
	protected, _ := c.origin(relation, column)
	return protected || c.o.Secret(relation, column)
}
