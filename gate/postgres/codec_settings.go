package postgres

import (
	"slices"
	"strings"

	"weir"
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
	changes := has(s, "SET", "RESET", "ALTER", "DO", "CALL", "EXECUTE", "DISCARD") || slices.ContainsFunc(s.Functions, func(f string) bool {
		return strings.HasSuffix(f, "set_config")
	})
	if changes {
		for _, guarded := range guardedTable {
			if slices.Contains(s.Settings, guarded.name) && !settingFits(text, guarded.name, guarded.values) {
				return settingDenied(guarded.name)
			}
		}
	}
	if !c.o.ReadOnly {
		return nil
	}
	if changes {
		for _, name := range readOnlyNames {
			if slices.Contains(s.Settings, name) && !settingFits(text, name, onNames) {
				return readOnlyDenied()
			}
		}
	}
	ws := words(text)
	for i := range len(ws) - 1 {
		if ws[i].is("read") && ws[i+1].is("write") && has(s, "BEGIN", "START", "SET", "START TRANSACTION") {
			return readOnlyDenied()
		}
	}
	return nil
}

// guardedTable are those that change how statements are read, and the values that do not.
var guardedTable = []struct {
	name   string
	values []string
}{
	{"client_encoding", []string{"utf8", "utf-8", "unicode", "sql_ascii", "default"}},
	{"standard_conforming_strings", onNames},
}

var (
	onNames       = []string{"on", "true", "yes", "1", "t", "default"}
	readOnlyNames = []string{"default_transaction_read_only", "transaction_read_only"}
)

// settingFits reports whether every place of text that names the setting gives it one of values.
func settingFits(text, name string, values []string) bool {
	ws := words(text)
	seen := false
	for i := range ws {
		names := name == "client_encoding" && ws[i].is("names") && i > 0 && (ws[i-1].is("set") || ws[i-1].is("session") || ws[i-1].is("local"))
		if id, ok := ws[i].identifier(); ok && strings.EqualFold(id, name) || names {
			seen = true
			at := i + 1
			if !names && at < len(ws) && (ws[at].kind == '=' || ws[at].is("to")) {
				at++
			}
			if i > 0 && ws[i-1].is("show") {
				continue
			}
			if at >= len(ws) || !slices.Contains(values, strings.ToLower(ws[at].text)) {
				return i > 0 && ws[i-1].is("reset")
			}
		}
		if ws[i].kind == '\'' && strings.Contains(strings.ToLower(ws[i].text), name) {
			return false // set_config, DO: too clever to be told
		}
	}
	return seen
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
