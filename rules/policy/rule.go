package policy

import (
	"time"

	"weir"
)

// Rule is one rule as the configuration writes it. A rule matches when everything it
// names matches; what it leaves empty matches all.
type Rule struct {
	Name      string          // unique, shown in refusals and records
	Resources []string        // globs over resource names
	Protocols []weir.Protocol // any of
	Groups    []string        // the caller is in any of these groups …
	Users     []string        // … or has any of these names
	Match     Match
	Then      weir.Effect
	Reason    string        // one sentence for the refused client; empty: one is made
	Approvers Approvers     // only for Approve
	Within    time.Duration // only for Approve: how long an approval may be given and used; 0: 15 minutes
	Wait      time.Duration // only for Approve: how long the client is kept waiting; 0: Config.Wait
}

// Match is what a rule asks of the command.
type Match struct {
	Operations []string          // any of, without regard to case: "GET", "DROP"
	Methods    []string          // http: any of
	Paths      []string          // http: any of these path globs, see rules/glob
	Query      map[string]string // http: every named parameter has a value the glob matches
	Headers    map[string]string // http: every named header has a value the glob matches
	// Catalog is "introspection" for every entry of the catalogue, "introspection:block", "introspection:approve" or
	// "introspection:mask" for those with that action, or a glob over entry ids.
	Catalog string
}

// Approvers says who may agree.
type Approvers struct {
	Groups []string // members of any; empty: administrators
	Count  int      // how many different people; 0: one
}

// Config is what a Plan is compiled from.
type Config struct {
	Rules []Rule
	// NoCatalogDefaults turns off what the catalogue does to commands that no rule matches
	// (block denies, approve asks, mask allows).
	NoCatalogDefaults bool
	// Wait is how long a held request waits when its rule does not say; 0: 60 seconds.
	Wait time.Duration
}

// Problem is one thing wrong with a Config. Compile reports all of them.
type Problem struct {
	Rule  int    // index into Config.Rules, or -1
	Field string // dotted path within the rule as the configuration spells it: "match.paths[1]"
	Text  string // one sentence: what is wrong and how to right it
}
