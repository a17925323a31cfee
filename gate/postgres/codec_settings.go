package postgres

import (
	"slices"
	"strings"

	"weir"
	"weir/rules/sql"
)

// unfit is why statements are refused whatever the policy says: they would change how the gateway reads, or what a reader may do.
func (c *codec) unfit(text string, f *facts) *weir.Denied {
	if c.encoding != "" {
		return &weir.Denied{Kind: weir.DeniedContent, Rule: "session-settings", Reason: c.encoding, Hint: "connect again with the standard settings"}
	}
	if f.quiet {
		return nil
	}
	s := f.sql
	if has(s, "COPY") {
		if _, ok := copyForms(text); !ok {
			return &weir.Denied{Kind: weir.DeniedContent, Rule: "copy-options", Reason: "the options of COPY cannot be read", Hint: "spell them plainly"}
		}
	}
	if setsSettings(s) {
		for i := range guardedTable {
			g := &guardedTable[i]
			if (c.o.ReadOnly || !g.reader) && slices.Contains(s.Settings, g.name) && !c.settingFits(text, g) {
				if g.reader {
					return readOnlyDenied()
				}
				return settingDenied(g.name)
			}
		}
	}
	if !c.o.ReadOnly {
		return nil
	}
	ws := words(text)
	for i := range len(ws) - 1 {
		if ws[i].is("read") && ws[i+1].is("write") && has(s, "BEGIN", "START", "SET", "START TRANSACTION") {
			return readOnlyDenied()
		}
	}
	return nil
}

// setsSettings reports whether statements that speak of a setting may set it.
func setsSettings(s *weir.SQL) bool {
	return has(s, "SET", "RESET", "ALTER", "CREATE", "DO", "CALL", "EXECUTE", "DISCARD") || slices.ContainsFunc(s.Functions, func(f string) bool {
		return strings.HasSuffix(f, "set_config")
	})
}

// guarded is a setting that changes how statements are read or, for a reader, what may be written.
type guarded struct {
	name   string
	values []string // those that do not
	reset  bool     // resetting it does not, either
	reader bool
}

var guardedTable = []guarded{
	{"client_encoding", []string{"utf8", "utf-8", "unicode", "sql_ascii"}, true, false},
	{"standard_conforming_strings", onNames, true, false},
	{"default_transaction_read_only", onNames, true, true}, // the target was told at the start
	{"transaction_read_only", onNames, false, true},
}

var onNames = []string{"on", "true", "yes", "1", "t"}

// settingFits reports whether each statement of text that may change the setting is a plain SET or RESET of it to what it may be.
func (c *codec) settingFits(text string, g *guarded) bool {
	statements := sql.Split(text, true)
	if len(statements) == 1 {
		return g.plain(words(statements[0]))
	}
	for _, one := range statements {
		s := c.read.classify(one, c.prepared)
		if slices.Contains(s.Settings, g.name) && setsSettings(s) && !g.plain(words(one)) {
			return false
		}
	}
	return true
}

// plain reads SET name TO value, SET NAMES value and RESET name, of one statement.
func (g *guarded) plain(ws []word) bool {
	if len(ws) < 2 {
		return false
	}
	if ws[0].is("reset") {
		return g.reset && len(ws) == 2 && g.is(ws[1])
	}
	if !ws[0].is("set") {
		return false
	}
	ws = ws[1:]
	if ws[0].is("session") || ws[0].is("local") {
		ws = ws[1:]
	}
	switch {
	case len(ws) == 2 && ws[0].is("names") && g.name == "client_encoding":
	case len(ws) == 3 && g.is(ws[0]) && (ws[1].kind == '=' || ws[1].is("to")):
		ws = ws[1:]
	default:
		return false
	}
	switch value := ws[1]; value.kind {
	case 'w', '\'', '"':
		return slices.Contains(g.values, strings.ToLower(value.text)) || g.reset && value.is("default")
	}
	return false
}

func (g *guarded) is(w word) bool {
	id, ok := w.identifier()
	return ok && strings.EqualFold(id, g.name)
}

func settingDenied(name string) *weir.Denied {
	return &weir.Denied{
		Kind: weir.DeniedContent, Rule: "session-settings", Reason: "setting " + name + " to this would change how the gateway reads statements",
		Hint: "leave " + name + " as it is",
	}
}

func readOnlyDenied() *weir.Denied {
	return &weir.Denied{
		Kind: weir.DeniedByRule, Rule: "read-only", Reason: "this access may only read", Hint: "ask for access that may write",
	}
}
