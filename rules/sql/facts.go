package sql

import (
	"slices"
	"strings"

	"weir"
)

type names map[string]struct{}

func (n *names) add(w string) {
	if *n == nil {
		*n = names{}
	}
	(*n)[w] = struct{}{}
}

func (n names) has(w string) bool { return in(n, w) }

func (n *names) merge(o names) {
	for w := range o {
		n.add(w)
	}
}

func (n names) sorted() []string {
	if len(n) == 0 {
		return nil
	}
	out := make([]string, 0, len(n))
	for w := range n {
		out = append(out, w)
	}
	slices.Sort(out)
	return out
}

// facts is what one text does, before what it touches is followed.
type facts struct {
	statements                                                        int
	operations, relations, columns, functions, settings, roles, words names
	rels                                                              map[*relation]struct{}
	calls                                                             map[*routine]struct{}
	files, program, dynamic, noWhere, writes, changes, backslash      bool
	fetches                                                           bool  // from cursors that a variable names
	bodies, titles, firm                                              names // titles are words that are only names given in the text, firm those of other texts
	taken                                                             bool
	rows                                                              bool // old or new is mentioned as a whole
	unclear                                                           string
	outputs                                                           []weir.Output
	moves                                                             moves
}

func (f *facts) fail(why string) {
	if f.unclear == "" {
		f.unclear = why
	}
}

func (f *facts) call(r *routine) {
	if f.calls == nil {
		f.calls = map[*routine]struct{}{}
	}
	f.calls[r] = struct{}{}
}

func (f *facts) touch(r *relation) {
	if f.rels == nil {
		f.rels = map[*relation]struct{}{}
	}
	f.rels[r] = struct{}{}
}

// merge adds what a body does. Its words stay its own.
func (f *facts) merge(o *facts) {
	f.operations.merge(o.operations)
	f.relations.merge(o.relations)
	f.columns.merge(o.columns)
	f.functions.merge(o.functions)
	f.settings.merge(o.settings)
	f.roles.merge(o.roles)
	f.files = f.files || o.files
	f.program = f.program || o.program
	f.dynamic = f.dynamic || o.dynamic
	f.noWhere = f.noWhere || o.noWhere
	f.changes = f.changes || o.changes
	f.fetches = f.fetches || o.fetches
	f.bodies.merge(o.bodies)
	if o.unclear != "" {
		f.fail(o.unclear)
	}
}

// include adds what another statement does, all of it.
func (f *facts) include(o *weir.SQL) {
	for _, p := range []struct {
		to   *names
		from []string
	}{
		{&f.operations, o.Operations}, {&f.relations, o.Relations}, {&f.columns, o.Columns}, {&f.functions, o.Functions},
		{&f.settings, o.Settings}, {&f.roles, o.Roles}, {&f.words, o.Identifiers},
	} {
		for _, w := range p.from {
			p.to.add(w)
		}
	}
	for _, w := range o.Identifiers {
		f.firm.add(w)
	}
	for _, m := range o.Moves {
		f.moves.add(m)
	}
	f.files = f.files || o.Files
	f.program = f.program || o.Program
	f.dynamic = f.dynamic || o.Dynamic
	f.noWhere = f.noWhere || o.NoWhere
	f.changes = f.changes || !o.ReadOnly
	f.fetches = f.fetches || slices.Contains(o.Operations, "FETCH")
	f.taken = f.taken || o.Taken
	if o.Unclear != "" {
		f.fail(o.Unclear)
	}
}

func (f *facts) result() *weir.SQL {
	ops := make([]string, 0, len(f.operations))
	for _, w := range f.operations.sorted() {
		ops = append(ops, strings.ToUpper(w))
	}
	r := &weir.SQL{
		Statements: f.statements, Operations: ops, Relations: f.relations.sorted(), Columns: f.columns.sorted(), Functions: f.functions.sorted(),
		Settings: f.settings.sorted(), Roles: f.roles.sorted(), Identifiers: f.words.sorted(),
		Files: f.files, Program: f.program, Dynamic: f.dynamic, NoWhere: f.noWhere, Unclear: f.unclear, Outputs: f.outputs, Moves: f.moves.sorted(),
		Bodies: f.bodies.sorted(), Taken: f.taken,
	}
	r.ReadOnly = !f.changes && !f.files && !f.program && !f.dynamic && f.unclear == ""
	return r
}

// maxObjects bounds how many objects are followed from one text.
const maxObjects = 5000

type step struct {
	rel   *relation
	fn    *routine
	write bool
}

// expand follows views, rules, defaults, triggers and functions.
func (f *facts) expand(in *Input) {
	s := in.Snapshot
	seen := map[step]struct{}{}
	var queue []step
	push := func(st step) {
		if _, ok := seen[st]; !ok {
			seen[st] = struct{}{}
			queue = append(queue, st)
		}
	}
	add := func(d *facts) {
		for r := range d.rels {
			push(step{rel: r})
			if d.writes {
				push(step{rel: r, write: true})
			}
		}
		for fn := range d.calls {
			push(step{fn: fn})
		}
	}
	for add(f); len(queue) > 0; {
		if len(seen) > maxObjects {
			f.fail("too many objects are reached to follow")
			return
		}
		st := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if d := f.reach(s, st, push); d != nil {
			if d.backslash && !in.Conforming {
				f.fail("with standard_conforming_strings off, a definition may mean something else")
			}
			f.merge(d)
			if st.fn != nil {
				in.Names.meant(f, d.words)
			}
			add(d)
		}
		in.Names.anew(f, st)
	}
}

// reach notes that an object is touched, and returns what that runs.
func (f *facts) reach(s *Snapshot, st step, push func(step)) *facts {
	switch {
	case st.fn != nil:
		f.functions.add(st.fn.full)
		f.effects(st.fn.name)
		if st.fn.schema != "pg_catalog" && st.fn.body.text != "" {
			f.bodies.add(st.fn.body.text)
		}
		for _, column := range st.fn.returns {
			f.columns.add(column)
		}
		if !st.fn.safe() {
			f.changes = true
		}
		return st.fn.body.read(s)
	case st.write:
		if st.rel.full == "pg_catalog.pg_settings" { // its rule calls set_config
			f.functions.add("pg_catalog.set_config")
			f.settings.add("*")
			f.dynamic = true
		}
		for _, full := range st.rel.triggers {
			schema, name, _ := strings.Cut(full, ".")
			found := s.routines(nil, schema, name, false)
			if len(found) == 0 {
				f.fail("unknown trigger function " + full)
			}
			for _, fn := range found {
				push(step{fn: fn})
			}
		}
		if d := st.rel.definition.read(s); d != nil && !st.rel.system() { // a write to a view or a parent is one to what is below
			for r := range d.rels {
				push(step{rel: r, write: true})
			}
		}
		return st.rel.defaults.read(s)
	}
	f.relations.add(st.rel.full)
	if in(settingsTable, st.rel.name) {
		f.settings.add("*")
	}
	if st.rel.system() {
		f.effects(st.rel.name)
		return nil // its views are known by their own names, and what they read beneath is not what they show
	}
	return st.rel.definition.read(s)
}

// system is set for the server's own relations.
func (r *relation) system() bool { return r.schema == "pg_catalog" || r.schema == "information_schema" }

// safe is set where calling the function surely changes nothing, but for what its body says.
func (r *routine) safe() bool {
	switch r.language {
	case "internal", "c":
		return !r.volatile || r.schema == "pg_catalog" && in(harmlessTable, r.name)
	case "sql", "plpgsql":
		return !r.volatile || r.schema == "pg_catalog" && in(harmlessTable, r.name)
	}
	return false
}

// effects notes what a function does that is known by its name.
func (f *facts) effects(name string) {
	f.files = f.files || in(fileTable, name)
	f.dynamic = f.dynamic || in(textTable, name) || strings.HasPrefix(name, "dblink")
	if in(settingsTable, name) {
		f.settings.add("*")
	}
}

// maxBody bounds the bytes of a definition that is read.
const maxBody = 1 << 20

// read returns what a body does, nil when there is none.
func (b *body) read(s *Snapshot) *facts {
	if b.text == "" {
		return nil
	}
	b.once.Do(func() {
		b.facts = &facts{}
		if len(b.text) > maxBody {
			b.facts.fail("a definition is too long to read")
			return
		}
		c := &classifier{in: Input{Snapshot: s, Conforming: true}, body: true, into: b.into, out: b.facts}
		c.text(b.text, 0)
	})
	return b.facts
}
