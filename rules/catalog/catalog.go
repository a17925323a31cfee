// Package catalog is the introspection catalogue: which commands make a system show its own state, what leaks
// there, and what a careful gateway does about it. It is data, versioned, in *.yaml beside this file.
//
// It decides nothing: rules/policy does. Pure and immutable; safe for concurrent use.
package catalog

import (
	"bytes"
	_ "embed" // the catalogue is part of the binary
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"weir"
	"weir/rules/glob"
)

//go:embed http.yaml
var httpTable []byte

//go:embed sql.yaml
var sqlTable []byte

//go:embed ssh.yaml
var sshTable []byte

// Action is what the catalogue does with a command when no rule says otherwise.
type Action string

// Actions.
const (
	Block   Action = "block"   // no good reason to ask for this through a gateway
	Approve Action = "approve" // somebody should agree
	Mask    Action = "mask"    // goes on; its answer is known to hold secrets, which are masked
)

// Groups that entries belong to; an entry that names none shows a system's state.
const (
	Introspection = "introspection"
	Destructive   = "destructive" // hard to undo
	Files         = "files"       // files and programs of the server
	Raw           = "raw"         // data that passes whatever is known of columns, and text that is run
	Activity      = "activity"    // what others do
)

// Groups returns the names of all groups.
func Groups() []string { return []string{Introspection, Destructive, Files, Raw, Activity} }

// Entry is one thing that shows a system's state.
type Entry struct {
	ID         string            `yaml:"id"`
	Technology string            `yaml:"tech"`
	Leaks      string            `yaml:"leaks"` // what is found there
	Group      string            `yaml:"group"` // empty: Introspection, and set so by Parse
	Action     Action            `yaml:"action"`
	Methods    []string          `yaml:"methods"` // http; empty: any
	Hosts      []string          `yaml:"hosts"`   // http: patterns; empty: any
	Paths      []string          `yaml:"paths"`   // http, ssh: path patterns of rules/glob, matched without regard to case
	Query      map[string]string `yaml:"query"`   // http: parameters and patterns of their values
	Examples   []string          `yaml:"match"`   // commands that match
	Others     []string          `yaml:"no_match"`

	SQL SQLFacts `yaml:",inline"`
	SSH SSHFacts `yaml:",inline"`

	protocol weir.Protocol
	hosts    []glob.Text
	paths    []glob.Path
	query    map[string]glob.Text
	sql      sqlMatch
	ssh      sshMatch
}

// Protocol is the kind of commands that the entry speaks of.
func (e *Entry) Protocol() weir.Protocol { return e.protocol }

// Catalog is a set of entries. Load makes one.
type Catalog struct {
	Version string
	entries []*Entry
	byKey   map[string][]*candidate // by the folded literal segment that a path must hold
	always  []*candidate
	sql     sqlIndex
	ssh     sshIndex
	columns map[string]columnKind // "schema.relation.column", or "*.relation.column"
	setting []string
}

type candidate struct {
	entry *Entry
	path  *glob.Path
}

// file is one of the catalogue's files.
type file struct {
	Protocol weir.Protocol `yaml:"protocol"` // empty: http
	Version  string        `yaml:"version"`
	Entries  []*Entry      `yaml:"entries"`
	Columns  struct {
		Protected []string `yaml:"protected"`
		Statement []string `yaml:"statement"`
	} `yaml:"columns"`
	Derived  []string `yaml:"derived"`
	Settings []string `yaml:"settings"`
}

// Load returns the catalogue that is part of the program.
func Load() (*Catalog, error) { return loadTable() }

var loadTable = sync.OnceValues(func() (*Catalog, error) { return Parse(httpTable, sqlTable, sshTable) })

// Parse reads a catalogue, which may stand in several files.
func Parse(files ...[]byte) (*Catalog, error) {
	c := &Catalog{byKey: make(map[string][]*candidate), columns: make(map[string]columnKind)}
	c.sql.byName, c.ssh.byName = make(map[string][]*Entry), make(map[string][]*command)
	seen := make(map[string]bool)
	for _, data := range files {
		var f file
		d := yaml.NewDecoder(bytes.NewReader(data))
		d.KnownFields(true)
		if err := d.Decode(&f); err != nil {
			return nil, fmt.Errorf("read catalogue: %w", err)
		}
		if c.Version != f.Version {
			c.Version = strings.TrimPrefix(c.Version+"+"+f.Version, "+")
		}
		if f.Protocol == "" {
			f.Protocol = weir.HTTP
		}
		for _, e := range f.Entries {
			if e.ID == "" || seen[e.ID] {
				return nil, fmt.Errorf("catalogue entry %q: no id of its own", e.ID)
			}
			seen[e.ID] = true
			if e.protocol = f.Protocol; e.Group == "" {
				e.Group = Introspection
			}
			if err := c.add(e); err != nil {
				return nil, fmt.Errorf("catalogue entry %s: %w", e.ID, err)
			}
		}
		if err := c.data(&f); err != nil {
			return nil, fmt.Errorf("read catalogue: %w", err)
		}
	}
	return c, nil
}

func (c *Catalog) add(e *Entry) error {
	switch e.Action {
	case Block, Approve, Mask:
	default:
		return fmt.Errorf("action %q is none of block, approve, mask", e.Action)
	}
	if e.Leaks == "" || e.Technology == "" || len(e.Examples) == 0 {
		return errors.New("leaks, tech or match is missing")
	}
	if !slices.Contains(Groups(), e.Group) {
		return fmt.Errorf("group %q is none of %s", e.Group, strings.Join(Groups(), ", "))
	}
	var err error
	switch e.protocol {
	case weir.HTTP:
		err = c.addHTTP(e)
	case weir.Postgres:
		err = c.addSQL(e)
	case weir.SSH:
		err = c.addSSH(e)
	default:
		err = fmt.Errorf("protocol %q is not known", e.protocol)
	}
	c.entries = append(c.entries, e)
	return err
}

func (c *Catalog) addHTTP(e *Entry) error {
	if len(e.Paths) == 0 || e.SQL.any() || e.SSH.any() {
		return errors.New("paths are missing, or other keys are there that http does not have")
	}
	var err error
	if e.hosts, err = texts(e.Hosts); err != nil {
		return err
	}
	e.query = make(map[string]glob.Text, len(e.Query))
	for name, pattern := range e.Query {
		if e.query[name], err = glob.CompileText(pattern); err != nil {
			return err
		}
	}
	if e.paths, err = paths(e.Paths); err != nil {
		return err
	}
	for i := range e.paths {
		cand := &candidate{entry: e, path: &e.paths[i]}
		if key, ok := cand.path.Key(); ok {
			c.byKey[key] = append(c.byKey[key], cand)
		} else {
			c.always = append(c.always, cand)
		}
	}
	return nil
}

func texts(patterns []string) ([]glob.Text, error) {
	out := make([]glob.Text, len(patterns))
	for i, p := range patterns {
		g, err := glob.CompileText(p)
		if err != nil {
			return nil, fmt.Errorf("pattern %q %w", p, err)
		}
		out[i] = g
	}
	return out, nil
}

func paths(patterns []string) ([]glob.Path, error) {
	out := make([]glob.Path, len(patterns))
	for i, p := range patterns {
		g, err := glob.CompilePath(p)
		if err != nil {
			return nil, fmt.Errorf("pattern %q %w", p, err)
		}
		out[i] = g
	}
	return out, nil
}

// Entries returns all entries. The caller must not change them.
func (c *Catalog) Entries() []*Entry { return c.entries }

// Match returns the entries for http that any reading of a request's path matches, in the catalogue's order.
func (c *Catalog) Match(method, host string, readings []string, query map[string][]string) []*Entry {
	var hits []*Entry
	for _, r := range readings {
		for rest := r; rest != ""; {
			rest = strings.TrimLeft(rest, "/")
			segment, after, _ := strings.Cut(rest, "/")
			for _, cand := range c.byKey[fold(segment)] {
				hits = cand.try(hits, method, host, r, query)
			}
			rest = after
		}
		for _, cand := range c.always {
			hits = cand.try(hits, method, host, r, query)
		}
	}
	return hits
}

// fold is glob.FoldString without an allocation where there is nothing to fold.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' || c >= 0x80 {
			return glob.FoldString(s)
		}
	}
	return s
}

func (cand *candidate) try(hits []*Entry, method, host, path string, query map[string][]string) []*Entry {
	e := cand.entry
	if slices.Contains(hits, e) || !cand.path.MatchFold(path) {
		return hits
	}
	if len(e.Methods) > 0 && !slices.Contains(e.Methods, method) {
		return hits
	}
	if len(e.hosts) > 0 && !slices.ContainsFunc(e.hosts, func(g glob.Text) bool { return g.MatchFold(hostname(host)) }) {
		return hits
	}
	for name, pattern := range e.query {
		if !slices.ContainsFunc(query[name], func(v string) bool { return pattern.MatchFold(v) }) {
			return hits
		}
	}
	return append(hits, e)
}

func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.TrimSuffix(strings.Trim(host, "[]"), ".")
}
