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
	Except    *Match // deny, approve: the rule does not speak of what this matches, whole and surely
	Then      weir.Effect
	Reason    string        // one sentence for the refused client; empty: one is made
	Approvers Approvers     // only for Approve
	Within    time.Duration // only for Approve: how long an approval may be given and used; 0: 15 minutes
	Wait      time.Duration // only for Approve: how long the client is kept waiting; 0: Config.Wait
}

// Match is what a rule asks of the command: any of the values of a key, all of the keys.
type Match struct {
	// Operations are any of, without regard to case: "GET", "DROP". Of SQL, deny and approve match when any of a command's operations
	// is among them, allow only when all are.
	Operations []string
	Methods    []string          // http: any of
	Paths      []string          // http, ssh: any of these path globs, see rules/glob; of ssh, files that commands, sftp and scp name
	Query      map[string]string // http: every named parameter has a value the glob matches
	Headers    map[string]string // http: every named header has a value the glob matches

	Objects   []string // sql: relations, globs over "schema.name", or over the name alone
	Columns   []string // sql: globs over "schema.relation.column"
	Functions []string // sql: globs over "schema.name", or over the name alone
	Settings  []string // sql: globs, without regard to case
	Roles     []string // sql: globs over roles that are made, changed, granted or assumed
	NoWhere   bool     // sql: UPDATE or DELETE without WHERE
	SecretOut bool     // sql: values of protected columns go elsewhere than into the answer
	Files     bool     // sql: files of the server
	Program   bool     // sql: a program of the server
	ReadOnly  *bool    // sql: surely changes nothing, or not; ssh: an sftp or scp operation that does not write
	Dynamic   bool     // sql, ssh: runs what is made while it runs
	Unclear   bool     // sql, ssh: could not be understood

	Commands  []string // ssh: patterns of words, see rules/shell
	Channels  []string // ssh: any of "exec", "shell", "line", "sftp", "scp", "direct-tcpip", "forwarded-tcpip"
	Accounts  []string // ssh: globs over login names at the target
	Addresses []string // ssh: globs over host:port of forwarded connections

	Regex string // RE2, somewhere in the command's text; an allow rule needs more than that
	// Catalog is a group of the catalogue ("introspection", "destructive", "files", "raw", "activity"), one with ":block", ":approve" or
	// ":mask" for the entries of that action, or a glob over entry ids.
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
