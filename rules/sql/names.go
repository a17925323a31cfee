package sql

import (
	"slices"
	"strings"

	"weir"
)

// maxNames bounds how many names of one kind a session's Names keeps; what comes on top is kept under one name that stands for all.
const maxNames = 1000

// Names keeps what names that a session has made stand for, until the snapshot knows them. What they stand for it only ever adds to: whether a statement
// failed, or was taken back, matters only to whether another session's may be meant; see Failed and Ended. It belongs to one session; not for concurrent use.
type Names struct {
	made    map[string]*weir.SQL // views and functions, and what went into tables
	tables  map[string]*relation
	sure    names     // see Binding.surely
	fresh   []string  // of sure, those of a transaction that has not ended
	saved   []saved   // its savepoints
	rest    *weir.SQL // what all names stand for together that made has no room for
	cursors map[string]*weir.SQL
	portals [8]portal // the last ones that were noted, portal the next one's place
	portal  int
	called  *weir.SQL            // what functions, which may open cursors, did
	opened  *weir.SQL            // of called: what those did that surely or perhaps open some, under any name
	last    *weir.SQL            // of called: what was added last
	altered map[string]*relation // by "schema.name": with the columns that the session added to them
	remade  names                // relations that functions may have made others under the names of
	// replaced is set when views or functions were made anew: then views that the snapshot knows may show something else
	replaced bool
	// anywhere is set when schemas were given other names: then names are looked up in every schema
	anywhere bool
}

// Note takes what a text that is about to run does to names: text with its facts, read with in. It reports whether texts that were
// classified before may mean something else now.
func (n *Names) Note(text string, s *weir.SQL, in Input) (changed bool) {
	writes := n.pours(s)
	calls := callsUsers(s)
	if s == n.last {
		calls = false
	}
	if calls || slices.Contains(s.Operations, "DO") || slices.Contains(s.Operations, "CALL") {
		n.called, n.last = Join(n.called, without(s, "DO", "CALL")), s
		if s.Dynamic || s.Unclear != "" || slices.Contains(s.Operations, "DECLARE") {
			n.opened = Join(n.opened, without(s, "DO", "CALL", "DECLARE", "CLOSE"))
		}
		if does, known := making(s, in.Snapshot); does {
			writes = n.remake(s, known, &in) || writes
		}
	}
	if !slices.ContainsFunc(s.Operations, func(op string) bool { return slices.Contains(namingNames, op) }) {
		return writes
	}
	for _, b := range Bindings(text, in) {
		switch b.Verb {
		case "DECLARE":
			n.cursor(b.Name, without(s, "DECLARE"))
			changed = true
		case "SAVEPOINT":
			if n.saved = append(n.saved, saved{b.Name, len(n.fresh)}); len(n.saved) > maxSaved {
				n.saved = n.saved[:0]
			}
		case "RELEASE", "ROLLBACK":
			changed = n.back(&b) || changed
		case "CREATE":
			n.create(&b, s, &in)
			if b.Makes {
				n.remake(s, true, &in)
			}
			changed = true
		}
	}
	return changed || writes
}

// Portal notes a portal of the protocol, which is a cursor to statements: s is what its statement does.
func (n *Names) Portal(name string, s *weir.SQL) {
	for i := range n.portals {
		if p := &n.portals[i]; p.s == s && p.name == name && n.cursors[name] != nil {
			return // it is among what the name stands for
		}
	}
	n.portals[n.portal%len(n.portals)] = portal{name, s}
	n.portal++
	n.cursor(name, without(s))
}

// namingNames are operations that give names, or take some back.
var namingNames = []string{"CREATE", "ALTER", "DECLARE", "SAVEPOINT", "RELEASE", "ROLLBACK", "ABORT"}

// saved is a savepoint, and how many names were fresh when it was made.
type saved struct {
	name  string
	fresh int
}

// maxSaved bounds how many savepoints are kept; going back to one that is not undoes all.
const maxSaved = 1000

// back releases a savepoint, or takes back what was made since. It reports whether a name was.
func (n *Names) back(b *Binding) (changed bool) {
	at := len(n.saved) - 1
	for at >= 0 && (b.Name == "" || n.saved[at].name != b.Name) {
		at--
	}
	if b.Verb == "RELEASE" {
		n.saved = n.saved[:max(at, 0)]
		return false
	}
	from := 0
	if at >= 0 {
		from = min(n.saved[at].fresh, len(n.fresh))
	}
	for _, name := range n.fresh[from:] {
		delete(n.sure, name)
		changed = true
	}
	n.fresh, n.saved = n.fresh[:from], n.saved[:at+1]
	return changed
}

// portal is one that was noted.
type portal struct {
	name string
	s    *weir.SQL
}

func (n *Names) cursor(name string, s *weir.SQL) {
	if n.cursors == nil {
		n.cursors = map[string]*weir.SQL{}
	}
	if len(n.cursors) >= maxNames && n.cursors[name] == nil {
		for _, c := range n.cursors {
			n.called = Join(n.called, c)
		}
		clear(n.cursors)
		clear(n.portals[:]) // no name stands for them any more
	}
	n.cursors[name] = Join(n.cursors[name], s)
}

// Cursor is what a cursor of the session stands for; one that no statement declared may be a function's. nil when there can be none.
func (n *Names) Cursor(name string) *weir.SQL {
	if c := n.cursors[name]; c != nil {
		return Join(c, n.opened)
	}
	return n.called
}

// meant adds those words of a function's body that the session made something of: the server looks names up when the function runs.
func (n *Names) meant(f *facts, body names) {
	if n == nil || len(n.made)+len(n.tables)+len(n.remade) == 0 {
		return
	}
	if n.rest != nil {
		f.include(n.rest)
	}
	for w := range body {
		if n.made[w] != nil || n.tables[w] != nil || n.remade.has(w) {
			f.words.add(w)
			delete(f.titles, w)
		}
	}
}

// shadow adds what the session made under any of the words, and under those in that.
func (f *facts) shadow(n *Names) {
	if n == nil || len(n.made) == 0 {
		return
	}
	queue := slices.DeleteFunc(f.words.sorted(), f.titles.has)
	for seen := (names{}); len(queue) > 0; {
		w := queue[0]
		queue = queue[1:]
		m := n.made[w]
		if m == nil || seen.has(w) {
			continue
		}
		seen.add(w)
		f.include(m)
		queue = append(queue, m.Identifiers...)
	}
}

// Failed tells that a text failed: what it would have made may be there all the same, by another session.
func (n *Names) Failed(text string, in Input) {
	path := in.SearchPath
	if path == nil && in.Snapshot != nil {
		path = in.Snapshot.path
	}
	for _, b := range Bindings(text, in) {
		for _, name := range b.surely(path) {
			delete(n.sure, name)
		}
	}
}

// Made tells that a text of one statement has run, and that what it names was not there before: IF NOT EXISTS made it.
func (n *Names) Made(text string, in Input) {
	path := in.SearchPath
	if path == nil && in.Snapshot != nil {
		path = in.Snapshot.path
	}
	for _, b := range Bindings(text, in) {
		b.Maybe = false
		for _, name := range b.surely(path) {
			if n.sure.has("?"+name) && !n.sure.has(name) {
				n.sure.add(name)
				n.fresh = append(n.fresh, name)
			}
		}
	}
}

// Ended tells that a transaction has ended, and whether what it made stays.
func (n *Names) Ended(stays bool) {
	for _, name := range n.fresh {
		if !stays {
			delete(n.sure, name)
		}
	}
	n.fresh, n.saved = n.fresh[:0], n.saved[:0]
}

// Own tells whether a relation, "schema.name", may be one that the session made, or made anew, of others.
func (n *Names) Own(s *Snapshot, relation string) bool {
	schema, name, _ := strings.Cut(relation, ".")
	return temporary(schema) || n.stands(name) != nil || n.replaced && s.view(schema, name)
}

// Members are the columns of relations and the attributes of composites that a name may stand for, "schema.relation.column".
func (n *Names) Members(s *Snapshot, name string) []string {
	var out []string
	add := func(r *relation) {
		for _, column := range r.columns {
			out = append(out, r.full+"."+column)
		}
	}
	if r := n.tables[name]; r != nil {
		add(r)
	}
	if s == nil {
		return out
	}
	for _, r := range s.relations[name] {
		add(r)
	}
	return append(out, s.composites[name]...)
}

// Reads tells whether a statement may read relations, or columns of some, that the session made.
func (n *Names) Reads(s *weir.SQL) bool {
	return n.rest != nil || slices.ContainsFunc(s.Identifiers, func(w string) bool { return n.tables[w] != nil || n.made[w] != nil }) ||
		slices.ContainsFunc(s.Relations, func(r string) bool { return n.altered[r] != nil })
}

// anew adds the name of an object that is reached, if the session made something of it.
func (n *Names) anew(f *facts, st step) {
	if n == nil || len(n.made) == 0 {
		return
	}
	var name string
	if st.fn != nil {
		name = st.fn.name
	} else {
		name = st.rel.name
	}
	if n.made[name] != nil {
		f.words.add(name)
		delete(f.titles, name)
	}
	if n.rest != nil {
		f.include(n.rest)
	}
}

// making tells whether a text that calls functions makes or alters something in one, or in DO. known: its words are among those of the text.
func making(s *weir.SQL, snapshot *Snapshot) (does, known bool) {
	if !slices.Contains(s.Operations, "CREATE") && !slices.Contains(s.Operations, "ALTER") || snapshot == nil {
		return false, false
	}
	if slices.Contains(s.Operations, "DO") {
		return true, true
	}
	for _, full := range s.Functions {
		schema, name, _ := strings.Cut(full, ".")
		for _, fn := range snapshot.functions[name] {
			if fn.schema != schema || schema == "pg_catalog" {
				continue
			}
			if d := fn.body.read(snapshot); d != nil && (d.operations.has("create") || d.operations.has("alter")) {
				return true, false
			}
		}
	}
	return false, false
}

// remake keeps that what s touches may be something else from now on: made of what s reads, or with columns of any name that stands in it.
func (n *Names) remake(s *weir.SQL, known bool, in *Input) (changed bool) {
	if n.made == nil {
		n.made, n.tables = map[string]*weir.SQL{}, map[string]*relation{}
	}
	for _, r := range s.Relations {
		schema, name, _ := strings.Cut(r, ".")
		if schema == "pg_catalog" || schema == "information_schema" {
			continue
		}
		n.replaced = n.replaced || in.Snapshot.view(schema, name)
		if known {
			changed = n.alter(r, s.Identifiers, in) || changed
		}
		if len(n.remade) < maxNames && !n.remade.has(name) {
			n.remade.add(name)
			changed = true
		}
		if from := others(s.Columns, name); len(from) > 0 || s.Taken {
			old := n.stands(name)
			n.keep(name, &weir.SQL{Columns: from, Taken: s.Taken, ReadOnly: true})
			changed = changed || old == nil || n.stands(name) != old
		}
	}
	return changed
}

// alter keeps that a relation may have columns that the snapshot does not know.
func (n *Names) alter(full string, columns []string, in *Input) (changed bool) {
	a := n.altered[full]
	if a == nil {
		if len(columns) == 0 || in.Snapshot == nil || len(n.altered) >= maxNames {
			return false
		}
		if n.altered == nil {
			n.altered = map[string]*relation{}
		}
		a = &relation{full: full}
		a.schema, a.name, _ = strings.Cut(full, ".")
		a.columns = slices.Clone(in.Snapshot.Columns(full))
		n.altered[full] = a
	}
	for _, c := range columns {
		if !slices.Contains(a.columns, c) {
			a.columns, changed = append(a.columns, c), true
		}
	}
	return changed
}

// create keeps what a new name stands for: a table what its values come from, all else what its definition does.
func (n *Names) create(b *Binding, s *weir.SQL, in *Input) {
	if n.made == nil {
		n.made, n.tables = map[string]*weir.SQL{}, map[string]*relation{}
	}
	room := len(n.tables) < maxNames && len(n.made) < maxNames // without it new names are unclear
	path := in.SearchPath
	if path == nil && in.Snapshot != nil {
		path = in.Snapshot.path
	}
	if room {
		n.known(b.surely(path))
	}
	schema := b.schema(path, in.Snapshot)
	stands := without(s, "CREATE", "ALTER")
	switch b.Kind {
	case "table", "sequence", "type", "domain":
		t := &relation{schema: schema, name: b.Name, full: schema + "." + b.Name, columns: s.Identifiers}
		if old := n.tables[b.Name]; old != nil {
			t.columns = union(old.columns, t.columns)
		}
		if room || n.tables[b.Name] != nil {
			n.tables[b.Name] = t
		}
		stands = &weir.SQL{Columns: others(s.Columns, b.Name), ReadOnly: true, Unclear: s.Unclear, Dynamic: s.Dynamic, Taken: s.Taken}
		if len(stands.Columns) == 0 && !s.Taken && s.Unclear == "" && !s.Dynamic {
			return // its values come from later statements
		}
	case "view":
		stands.ReadOnly = !callsUsers(s)
		stands.Relations = union(stands.Relations, []string{schema + "." + b.Name})
	case "alias":
		stands.Columns = union(stands.Columns, n.columns(s.Relations, in.Snapshot))
		stands.ReadOnly = !callsUsers(s)
		stands.Relations, stands.Moves = union(stands.Relations, []string{schema + "." + b.Name}), nil
	case "on": // until the snapshot has it, whatever touches the relation may run it
		for _, r := range s.Relations {
			if schema, name, _ := strings.Cut(r, "."); name == b.Name && (b.Schema == "" || schema == b.Schema || b.Schema == "pg_temp" && temporary(schema)) {
				n.alter(r, b.Columns, in)
			}
		}
		rule := slices.Contains(s.Operations, "SELECT") || len(s.Moves) > 0
		if !rule && !callsUsers(s) {
			return
		}
		stands.Operations, stands.Moves, stands.ReadOnly = nil, nil, true
	case "schema":
		n.anywhere = true
		return
	default:
		stands.Functions = union(stands.Functions, []string{schema + "." + b.Name})
	}
	if in.Snapshot != nil && b.Kind != "on" {
		n.replaced = n.replaced || len(in.Snapshot.relations[b.Name]) > 0 && b.Kind == "view" || len(in.Snapshot.functions[b.Name]) > 0 && b.Kind != "view"
	}
	n.keep(b.Name, stands)
}

// columns are those of relations, as the snapshot has them and as the session has made them.
func (n *Names) columns(relations []string, snapshot *Snapshot) []string {
	var out []string
	for _, r := range relations {
		if snapshot != nil {
			out = union(out, full(r, snapshot.Columns(r)))
		}
		if a := n.altered[r]; a != nil {
			out = union(out, full(r, a.columns))
		}
	}
	return out
}

// callsUsers tells whether functions of users are called.
func callsUsers(s *weir.SQL) bool {
	return slices.ContainsFunc(s.Functions, func(f string) bool { return !strings.HasPrefix(f, "pg_catalog.") })
}

// known keeps the ways to name what was made.
func (n *Names) known(surely []string) {
	for _, name := range surely {
		if !n.sure.has(name) {
			n.sure.add(name)
			n.fresh = append(n.fresh, name)
		}
	}
}

// schema is where a name is made.
func (b *Binding) schema(path []string, s *Snapshot) string {
	switch {
	case b.Schema != "":
		return b.Schema
	case len(path) > 0 && path[0] != "$user":
		return path[0]
	case s != nil && len(s.path) > 0:
		return s.path[0]
	}
	return "public"
}

// keep adds to what a name stands for.
func (n *Names) keep(name string, s *weir.SQL) {
	if len(n.made) >= maxNames && n.made[name] == nil {
		n.rest = Join(n.rest, s)
		return
	}
	n.made[name] = Join(n.made[name], s)
}

// stands is what a name of the session stands for; nil when there is none.
func (n *Names) stands(name string) *weir.SQL {
	if m := n.made[name]; m != nil {
		return m
	}
	return n.rest
}

// full are the names of a relation's columns, sorted.
func full(relation string, columns []string) []string {
	var out []string
	for _, c := range columns {
		if c != "" {
			out = append(out, relation+"."+c)
		}
	}
	slices.Sort(out)
	return out
}

// pours notes which columns a write takes values from for tables of this session that it may write to.
func (n *Names) pours(s *weir.SQL) (changed bool) {
	if len(n.tables)+len(n.remade) == 0 || len(s.Columns) == 0 && !s.Taken || !slices.ContainsFunc(s.Operations, func(op string) bool {
		return op == "INSERT" || op == "UPDATE" || op == "MERGE" || op == "COPY" || op == "EXECUTE"
	}) {
		return false
	}
	for _, w := range s.Identifiers {
		if n.tables[w] == nil && !n.remade.has(w) {
			continue
		}
		old, from := n.made[w], others(s.Columns, w)
		if len(from) == 0 && !s.Taken {
			continue
		}
		n.keep(w, &weir.SQL{Columns: from, Taken: s.Taken, ReadOnly: true})
		changed = changed || n.made[w] != old || old == nil
	}
	return changed
}

// others are the columns that are not of a relation of this name.
func others(columns []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(c string) bool {
		_, rest, _ := strings.Cut(c, ".")
		relation, _, _ := strings.Cut(rest, ".")
		return relation == name
	})
}

// without is s without operations.
func without(s *weir.SQL, operations ...string) *weir.SQL {
	out := *s
	out.Operations = slices.DeleteFunc(slices.Clone(s.Operations), func(op string) bool { return slices.Contains(operations, op) })
	out.Outputs = nil
	return &out
}

// Inner is what the statements in PREPARE do.
func Inner(s *weir.SQL) *weir.SQL { return without(s, "PREPARE") }

// Join is what two texts do together; a itself where b adds nothing. Either may be nil.
func Join(a, b *weir.SQL) *weir.SQL {
	switch {
	case a == nil:
		return b
	case b == nil || a == b:
		return a
	}
	out := *a
	out.Operations, out.Relations = union(a.Operations, b.Operations), union(a.Relations, b.Relations)
	out.Columns, out.Functions = union(a.Columns, b.Columns), union(a.Functions, b.Functions)
	out.Settings, out.Roles = union(a.Settings, b.Settings), union(a.Roles, b.Roles)
	out.Identifiers = union(a.Identifiers, b.Identifiers)
	out.Files, out.Program, out.Dynamic, out.Taken = a.Files || b.Files, a.Program || b.Program, a.Dynamic || b.Dynamic, a.Taken || b.Taken
	out.NoWhere, out.ReadOnly = a.NoWhere || b.NoWhere, a.ReadOnly && b.ReadOnly
	if out.Unclear == "" {
		out.Unclear = b.Unclear
	}
	out.Outputs = nil
	if len(b.Moves) > 0 {
		out.Moves = append(a.Moves[:len(a.Moves):len(a.Moves)], b.Moves...)
	}
	if len(b.Moves) == 0 && len(out.Operations)+len(out.Relations)+len(out.Columns)+len(out.Functions)+len(out.Settings)+len(out.Roles)+len(out.Identifiers) ==
		len(a.Operations)+len(a.Relations)+len(a.Columns)+len(a.Functions)+len(a.Settings)+len(a.Roles)+len(a.Identifiers) &&
		out.Files == a.Files && out.Program == a.Program && out.Dynamic == a.Dynamic && out.NoWhere == a.NoWhere && out.ReadOnly == a.ReadOnly &&
		(out.Unclear == "") == (a.Unclear == "") && a.Outputs == nil {
		return a
	}
	return &out
}

// union of two sorted lists, sorted; a itself where b adds nothing.
func union(a, b []string) []string {
	more := slices.DeleteFunc(slices.Clone(b), func(w string) bool { _, ok := slices.BinarySearch(a, w); return ok })
	if len(more) == 0 {
		return a
	}
	out := append(slices.Clone(a), more...)
	slices.Sort(out)
	return out
}

// cursor is what a cursor stands for; nil when that is not known.
func (c *classifier) cursor(name string) *weir.SQL {
	if c.in.Cursor != nil {
		if s := c.in.Cursor(name); s != nil {
			return s
		}
	}
	if c.in.Names != nil {
		return c.in.Names.Cursor(name)
	}
	return nil
}
