package postgres

import (
	"slices"
	"strings"

	"weir"
)

// returned is the relation of an INSERT that returns nothing but the columns of the row it was given the values of, under their own names; "" for all else. Then
// names tell what is secret, also of a table that the catalogue does not have yet: programs that make a table and fill it ask for the keys of its rows.
func returned(text string, s *weir.SQL) string {
	if len(s.Operations) != 1 || s.Operations[0] != "INSERT" || s.Statements != 1 || len(s.Relations) != 1 || s.Unclear != "" || s.Dynamic || len(s.Moves) > 0 ||
		slices.ContainsFunc(s.Functions, func(fn string) bool { return !strings.HasPrefix(fn, "pg_catalog.") }) {
		return ""
	}
	ws := words(text)
	at := len(ws)
	for at > 0 && !ws[at-1].is("returning") {
		at--
	}
	if at == 0 {
		return ""
	}
	due := true // a name, or *
	for _, w := range ws[at:] {
		switch _, name := w.identifier(); {
		case due && (name || w.kind == '*'):
			due = false
		case !due && (w.kind == ',' || w.kind == '.'):
			due = true
		case w.kind != ';' || due:
			return "" // an expression, or a name of its own
		}
	}
	return s.Relations[0]
}

// given reports whether the rows of a statement are those that it was given, in a relation in which nothing else is that the catalogue does not tell.
func (c *codec) given(f *facts) bool {
	return f.returns != "" && f.reads == (reads{}) && c.read.own != nil && !c.read.own(f.returns) && c.only(f, f.returns)
}
