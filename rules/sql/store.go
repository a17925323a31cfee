package sql

import (
	"slices"
	"strings"
	"sync"
)

// Snapshot is a Catalog made ready for look-ups. Views and function bodies are read when they are first reached, once. It is immutable for
// its callers and safe for concurrent use.
type Snapshot struct {
	path      []string
	byOID     map[uint32]*relation
	relations map[string][]*relation // by name, in any schema
	functions map[string][]*routine
	// composites are the attributes of types by the types' names, "schema.type.attribute"
	composites map[string][]string
}

type relation struct {
	schema, name, full string
	columns            []string
	types              []*Type  // may be shorter than columns
	generated          []string // the same
	definition         body
	defaults           body // what a write to it runs besides
	triggers, children []string
	view               bool
	once               sync.Once // of origins
	origins            origins
}

type routine struct {
	schema, name, full, language string
	volatile                     bool
	body                         body
	returns                      []string
}

// body is a text that runs when something is touched.
type body struct {
	text  string
	into  bool // see classifier
	once  sync.Once
	facts *facts
}

// NewSnapshot takes a catalogue, which must not be changed afterwards.
func NewSnapshot(c Catalog) *Snapshot {
	s := &Snapshot{
		path: c.SearchPath, byOID: make(map[uint32]*relation, len(c.Relations)),
		relations: make(map[string][]*relation, len(c.Relations)), functions: make(map[string][]*routine, len(c.Functions)),
	}
	for i := range c.Relations {
		r := &c.Relations[i]
		n := &relation{schema: r.Schema, name: r.Name, full: r.Schema + "." + r.Name, columns: r.Columns, types: r.Types, generated: r.Generated, children: r.Children, view: r.Kind == 'v' || r.Kind == 'm'}
		n.definition.text = r.Definition
		n.defaults.text = strings.Join(r.Defaults, " ; ")
		s.byOID[r.OID] = n
		s.relations[r.Name] = append(s.relations[r.Name], n)
	}
	for _, a := range c.Attributes {
		parts := strings.SplitN(a, ".", 3)
		if s.composites == nil {
			s.composites = map[string][]string{}
		}
		if len(parts) == 3 {
			s.composites[parts[1]] = append(s.composites[parts[1]], a)
		}
	}
	for i := range c.Functions {
		f := &c.Functions[i]
		n := &routine{schema: f.Schema, name: f.Name, full: f.Schema + "." + f.Name, language: f.Language, volatile: f.Volatile != 'i' && f.Volatile != 's', returns: f.Returns}
		if in(trustedTable, f.Language) {
			n.body.text, n.body.into = f.Source, f.Language == "sql"
		}
		if f.Runs != "" {
			n.body.text += "\n;" + f.Runs
		}
		s.functions[f.Name] = append(s.functions[f.Name], n)
	}
	for _, t := range c.Triggers {
		for _, r := range s.relations[t.Relation] {
			if r.schema == t.Schema {
				r.triggers = append(r.triggers, t.Function)
			}
		}
	}
	return s
}

// Column tells which column a result's column comes from: the relation as "schema.name", and the column's name. attr counts from 1.
func (s *Snapshot) Column(oid uint32, attr int16) (relation, column string, ok bool) {
	r, found := s.byOID[oid]
	if !found || attr < 1 || int(attr) > len(r.columns) || r.columns[attr-1] == "" {
		return "", "", false
	}
	return r.full, r.columns[attr-1], true
}

// Columns are a relation's columns by attribute number from 1, "" for dropped ones; nil for a relation that is not there. relation is
// "schema.name". The caller must not change them.
func (s *Snapshot) Columns(relation string) []string {
	schema, name, _ := strings.Cut(relation, ".")
	for _, r := range s.relations[name] {
		if r.schema == schema {
			return r.columns
		}
	}
	return nil
}

// typed is what is known of a column's type; nil for nothing.
func (r *relation) typed(column string) *Type {
	if i := slices.Index(r.columns, column); i >= 0 && i < len(r.types) {
		return r.types[i]
	}
	return nil
}

// Document tells whether a column's type may hold documents: JSON, XML, hstore. relation is "schema.name".
func (s *Snapshot) Document(relation, column string) bool {
	schema, name, _ := strings.Cut(relation, ".")
	for _, r := range s.relations[name] {
		if r.schema == schema {
			t := r.typed(column)
			return t != nil && t.Document
		}
	}
	return false
}

// view tells whether a relation is a view; s may be nil.
func (s *Snapshot) view(schema, name string) bool {
	return s != nil && slices.ContainsFunc(s.relations[name], func(r *relation) bool { return r.schema == schema && r.view })
}

// Relation tells what a name stands for along a search path, as "schema.name". schema may be "".
func (s *Snapshot) Relation(path []string, schema, name string) (full string, ok bool) {
	found := s.find(path, schema, name, false)
	if len(found) == 0 {
		return "", false
	}
	return found[0].full, true
}

// find returns the relations that a name may stand for: with anywhere set, of every schema. Relations in schemas of temporary objects come
// along, since whose they are is not known.
func (s *Snapshot) find(path []string, schema, name string, anywhere bool) []*relation {
	all := s.relations[name]
	switch {
	case len(all) == 0 || schema == "" && anywhere:
		return all
	case schema != "":
		return keep(all, func(r *relation) bool { return inSchema(r.schema, schema) })
	}
	out := keep(all, func(r *relation) bool { return temporary(r.schema) })
	at := func(schema string) bool {
		for _, r := range all {
			if r.schema == schema {
				out = append([]*relation{r}, out...)
				return true
			}
		}
		return false
	}
	if !slices.Contains(path, "pg_catalog") && at("pg_catalog") {
		return out
	}
	for _, schema := range path {
		if at(schema) {
			return out
		}
	}
	return out
}

// routines returns the functions that a name may stand for: all of that name along the path, since the server chooses by the arguments.
func (s *Snapshot) routines(path []string, schema, name string, anywhere bool) []*routine {
	all := s.functions[name]
	if len(all) == 0 || schema == "" && anywhere {
		return all
	}
	return keep(all, func(r *routine) bool {
		if schema != "" {
			return inSchema(r.schema, schema)
		}
		return r.schema == "pg_catalog" || slices.Contains(path, r.schema)
	})
}

func temporary(schema string) bool { return strings.HasPrefix(schema, "pg_temp") }

func inSchema(have, want string) bool {
	return have == want || want == "pg_temp" && temporary(have)
}

// keep returns all itself where it keeps all.
func keep[T any](all []T, ok func(T) bool) []T {
	n := 0
	for _, x := range all {
		if ok(x) {
			n++
		}
	}
	if n == len(all) {
		return all
	}
	out := make([]T, 0, n)
	for _, x := range all {
		if ok(x) {
			out = append(out, x)
		}
	}
	return out
}
