// Package catalog is the introspection catalogue: which commands make a system show its own state, what leaks
// there, and what a careful gateway does about it. It is data, versioned, in *.yaml beside this file.
//
// It decides nothing: rules/policy does. Pure and immutable; safe for concurrent use.
package catalog

import (
	"bytes"
	_ "embed" // the catalogue is part of the binary
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"weir/rules/glob"
)

//go:embed http.yaml
var httpTable []byte

// Action is what the catalogue does with a command when no rule says otherwise.
type Action string

// Actions.
const (
	Block   Action = "block"   // no good reason to ask for this through a gateway
	Approve Action = "approve" // somebody should agree
	Mask    Action = "mask"    // goes on; its answer is known to hold secrets, which are masked
)

// Entry is one thing that shows a system's state.
type Entry struct {
	ID         string            `yaml:"id"`
	Technology string            `yaml:"tech"`
	Leaks      string            `yaml:"leaks"` // what is found there
	Action     Action            `yaml:"action"`
	Methods    []string          `yaml:"methods"` // empty: any
	Hosts      []string          `yaml:"hosts"`   // patterns; empty: any
	Paths      []string          `yaml:"paths"`   // path patterns of rules/glob, matched without regard to case
	Query      map[string]string `yaml:"query"`   // parameters and patterns of their values
	Examples   []string          `yaml:"match"`   // "GET /path?query" that match
	Others     []string          `yaml:"no_match"`

	hosts []glob.Text
	paths []glob.Path
	query map[string]glob.Text
}

// Catalog is a set of entries. Load makes one.
type Catalog struct {
	Version string
	entries []*Entry
	byKey   map[string][]*candidate // by the folded literal segment that a path must hold
	always  []*candidate
}

type candidate struct {
	entry *Entry
	path  *glob.Path
}

// Load returns the catalogue that is part of the program.
func Load() (*Catalog, error) { return loadTable() }

var loadTable = sync.OnceValues(func() (*Catalog, error) { return Parse(httpTable) })

// Parse reads a catalogue.
func Parse(data []byte) (*Catalog, error) {
	var file struct {
		Version string   `yaml:"version"`
		Entries []*Entry `yaml:"entries"`
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	c := &Catalog{Version: file.Version, byKey: make(map[string][]*candidate)}
	seen := make(map[string]bool)
	for _, e := range file.Entries {
		if e.ID == "" || seen[e.ID] {
			return nil, fmt.Errorf("catalogue entry %q: no id of its own", e.ID)
		}
		seen[e.ID] = true
		if err := c.add(e); err != nil {
			return nil, fmt.Errorf("catalogue entry %s: %w", e.ID, err)
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
	if len(e.Paths) == 0 || e.Leaks == "" || e.Technology == "" || len(e.Examples) == 0 {
		return fmt.Errorf("paths, leaks, tech or match is missing")
	}
	for _, h := range e.Hosts {
		g, err := glob.CompileText(h)
		if err != nil {
			return err
		}
		e.hosts = append(e.hosts, g)
	}
	e.query = make(map[string]glob.Text, len(e.Query))
	for name, pattern := range e.Query {
		g, err := glob.CompileText(pattern)
		if err != nil {
			return err
		}
		e.query[name] = g
	}
	e.paths = make([]glob.Path, len(e.Paths))
	for i, p := range e.Paths {
		g, err := glob.CompilePath(p)
		if err != nil {
			return err
		}
		e.paths[i] = g
		cand := &candidate{entry: e, path: &e.paths[i]}
		if key, ok := g.Key(); ok {
			c.byKey[key] = append(c.byKey[key], cand)
		} else {
			c.always = append(c.always, cand)
		}
	}
	c.entries = append(c.entries, e)
	return nil
}

// Entries returns all entries. The caller must not change them.
func (c *Catalog) Entries() []*Entry { return c.entries }

// Match returns the entries that any reading of a request's path matches, in the catalogue's order.
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
