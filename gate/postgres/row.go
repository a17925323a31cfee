package postgres

import (
	"bytes"
	"slices"

	"weir"
	"weir/gate/session"
)

// layout is what is known of a result's columns, and how their cells are masked.
type layout struct {
	desc    []byte // the RowDescription's body
	formats []int16
	facts   *facts
	version any
	classes []class
	names   []string
	naming  []int  // columns that name those beside them
	secret  []bool // the column says that its values are secrets, or one beside it may
	looked  []bool // each cell is looked at by itself, whatever it holds
	plain   bool   // the mask may be asked about many rows at once
	clean   any    // the version of the mask that found nothing to mask in the names of desc; nil for none
	mask    session.ColumnMask
	json    session.ColumnMask // of the JSON in jsonb
}

// wholeColumn is a column whose values are all secrets.
func wholeColumn() []weir.Column { return []weir.Column{{Protected: true}} }

// fits reports whether the layout is the one for this description.
func (l *layout) fits(c *codec, desc []byte, formats []int16, f *facts) bool {
	return l != nil && l.facts == f && l.version == c.read.version() && bytes.Equal(l.desc, desc) && slices.Equal(l.formats, formats)
}

// newLayout reads a RowDescription's body. formats, of a Bind, stand in for those that it says; nil leaves those.
func (c *codec) newLayout(a *session.Answers, desc []byte, formats []int16, bound bool, f *facts) (*layout, error) {
	l := &layout{desc: bytes.Clone(desc), formats: formats, facts: f, version: c.read.version()}
	in := cursor{b: desc}
	n := int(in.int16())
	if n < 0 {
		return nil, errTarget
	}
	columns := make([]weir.Column, 0, n)
	aligned := f.reads.settings == pinnedSettings
	for i := range n {
		alias := string(in.text())
		table, attr, typ := uint32(in.int32()), in.int16(), uint32(in.int32()) //nolint:gosec // oids
		_, _ = in.int16(), in.int32()
		format := in.int16()
		if in.bad {
			return nil, errTarget
		}
		if bound {
			format = formatOf(formats, i)
		}
		cl := classOf(typ, format)
		col, made := c.column(alias, table, attr, i, n, f)
		if col.Statement && cl != classTyped && (made || !plainText(typ)) {
			col.Protected = true
		}
		col.Typed = cl != classText
		aligned = aligned || f.reads.settings == alignedSettings && c.namesSetting(table, attr)
		columns = append(columns, col)
		l.classes = append(l.classes, cl)
		l.names = append(l.names, col.Name)
	}
	if !in.done() {
		return nil, errTarget
	}
	if f.reads.settings != noSettings && !aligned {
		c.protectSettings(columns, desc)
	}
	l.mask = a.Columns(columns)
	for i := range columns {
		if l.mask.Naming(i) {
			l.naming = append(l.naming, i)
		}
	}
	l.secret, l.looked, l.plain = make([]bool, n), make([]bool, n), true
	for i := range columns {
		_, change := l.mask.Cell(nil, i, []byte(opaque), nil)
		l.secret[i] = change != weir.Unchanged || len(l.naming) > 0
		l.looked[i] = l.classes[i] != classText && l.classes[i] != classTyped
		l.plain = l.plain && !l.secret[i]
	}
	return l, nil
}

// column is what is known of a result column: by its table, whatever it is called here; an expression by its name here. made is set where the
// statements in it may be no statements any more.
func (c *codec) column(alias string, table uint32, attr int16, i, n int, f *facts) (col weir.Column, made bool) {
	if table != 0 {
		if relation, name, ok := c.read.column(table, attr); ok {
			col.Name = name
			col.Protected, col.Statement = c.origin(relation, name)
			if c.read.own != nil && c.read.own(relation) { // the catalogue may not know what is in it
				col.Protected, col.Statement = col.Protected || c.secretive(f) || f.reads.loose(), col.Statement || f.reads.statements
			}
			if _, own := c.o.Columns(relation, name); col.Statement && !own {
				_, made = c.read.origin(relation, name)
			}
			return col, made
		}
		if c.given(f) {
			col.Name = alias
			col.Protected, col.Statement = c.origin(f.returns, alias)
			col.Protected = col.Protected || c.o.Secret(f.returns, alias)
			return col, false
		}
		return weir.Column{Name: alias, Protected: c.secretive(f) || f.reads.loose() || c.unseen(attr, f), Statement: f.reads.statements}, f.reads.chopped
	}
	if len(f.sql.Operations) == 1 && f.sql.Operations[0] == "SHOW" {
		alias = spokenName(alias)
	}
	if len(f.sql.Outputs) == n && f.sql.Outputs[i].Harmless {
		return weir.Column{Name: alias}, false
	}
	return weir.Column{Name: alias, Protected: c.secretive(f) || f.reads.loose(), Statement: f.reads.statements}, f.reads.chopped
}

// unseen reports whether a column that the catalogue does not know may be a table's that another session has just changed: who knows what it is called.
// It asks for a newer catalogue.
func (c *codec) unseen(attr int16, f *facts) bool {
	if attr < 1 || c.read.reads == nil || c.read.reads(f.sql) {
		return false
	}
	c.o.Changed()
	return true
}

// shape takes a RowDescription: the names in it are masked, and what it says is kept for the rows.
func (c *codec) shape(a *session.Answers, b []byte, at, end int) error {
	e, desc := c.front(), b[at+frameHeader:end]
	var l *layout
	switch e.kind {
	case owedQuery:
		a.For(e.run.x, at)
		l, err := c.queryLayout(a, desc, e.facts)
		if err != nil {
			return err
		}
		e.shape = l
		return c.describeNames(a, l, b, at, end)
	case owedShape, owedOwn:
	default:
		return errTarget
	}
	if e.st != nil {
		if !bytes.Equal(e.st.desc, desc) || !e.st.known {
			e.st.known, e.st.desc = true, bytes.Clone(desc)
		}
		e.st.asked = e.epoch
	}
	if e.po != nil {
		if l = e.po.st.layout; !l.fits(c, desc, e.po.formats, e.po.facts) {
			var err error
			if l, err = c.newLayout(a, desc, e.po.formats, true, e.po.facts); err != nil {
				return err
			}
			e.po.st.layout = l
		}
		e.po.layout, e.po.known = l, true
		if st := e.po.st; !st.known || st.asked < e.epoch {
			st.known, st.desc, st.asked = true, l.desc, e.epoch
		}
	}
	if e.kind == owedOwn {
		a.Bare(at)
		a.Resume(a.Rewrite(at), end)
	} else {
		if e.run != nil {
			a.For(e.run.x, at)
		} else {
			a.For(nil, at)
		}
		if err := c.describeNames(a, l, b, at, end); err != nil {
			return err
		}
	}
	c.pop(a, end, nil)
	c.advance(a, end)
	return nil
}

// keptLayouts is how many layouts of simple queries a session keeps.
const keptLayouts = 8

// queryLayout finds or makes the layout of a simple query's rows.
func (c *codec) queryLayout(a *session.Answers, desc []byte, f *facts) (*layout, error) {
	for i := len(c.layouts) - 1; i >= 0; i-- {
		if c.layouts[i].fits(c, desc, nil, f) {
			return c.layouts[i], nil
		}
	}
	l, err := c.newLayout(a, desc, nil, false, f)
	if err != nil {
		return nil, err
	}
	if len(c.layouts) >= keptLayouts {
		c.layouts = slices.Delete(c.layouts, 0, 1)
	}
	c.layouts = append(c.layouts, l)
	return l, nil
}

// describeNames masks the field names of a RowDescription. l, which may be nil, is what is known of this one.
func (c *codec) describeNames(a *session.Answers, l *layout, b []byte, at, end int) error {
	version := a.Version()
	if l != nil && l.clean != nil && l.clean == version {
		return nil
	}
	clean := true
	same := c.replaceBody(a, b, at, end, func(dst []byte) []byte {
		in := cursor{b: b[at+frameHeader : end]}
		dst = append(dst, in.take(2)...)
		for len(in.b) > 0 {
			dst = append(a.Value(dst, "", in.text()), 0)
			numbers := in.take(18)
			clean = clean && c.clean(a, numbers)
			dst = append(dst, numbers...)
		}
		return dst
	})
	if !clean {
		return errTarget
	}
	if l != nil && same {
		l.clean = version
	}
	return nil
}

// rows is the layout of the rows that come now. Without one they may not pass.
func (c *codec) rows(a *session.Answers, e *entry) (*layout, error) {
	switch {
	case e == nil:
	case e.kind == owedQuery && e.shape != nil:
		return e.shape, nil
	case e.kind == owedRows:
		po := e.po
		if po.layout != nil {
			return po.layout, nil
		}
		desc := po.st.desc
		if !po.st.known || desc == nil {
			break
		}
		l := po.st.layout
		if !l.fits(c, desc, po.formats, po.facts) {
			var err error
			if l, err = c.newLayout(a, desc, po.formats, true, po.facts); err != nil {
				return nil, err
			}
			po.st.layout = l
		}
		po.layout = l
		return l, nil
	}
	return nil, &weir.Denied{Kind: weir.DeniedTarget, Reason: "the target sent rows that nothing describes", Err: errTarget}
}

// maskCell masks a cell. What is appended is never nil when it is Masked.
func (c *codec) maskCell(a *session.Answers, dst []byte, l *layout, i int, v []byte) ([]byte, weir.Change) {
	cl, name := classTyped, ""
	if i < len(l.classes) {
		cl, name = l.classes[i], l.names[i]
	}
	if cl == classText && isHex(v) && !l.secret[i] {
		cl = classHex // bytes that were made text
	}
	if cl == classText && !l.secret[i] && nestedText(v) {
		if out, change := c.nested(a, dst, classNestedText, "", v, 0); change != weir.Unchanged {
			return out, change
		}
	}
	if cl == classText || cl == classTyped || l.secret[i] {
		out, change := l.mask.Cell(dst, i, v, a.Tally())
		if change == weir.Masked && out == nil {
			out = []byte{}
		}
		if change != weir.Unchanged || cl == classText || cl == classTyped {
			return out, change
		}
	}
	if cl == classJSONB && len(v) > 1 {
		return c.jsonb(a, dst, l, v)
	}
	if cl == classArrayText {
		name = "" // the name speaks of the whole
	}
	return c.nested(a, dst, cl, name, v, 0)
}

// jsonb masks the JSON behind the version byte.
func (c *codec) jsonb(a *session.Answers, dst []byte, l *layout, v []byte) ([]byte, weir.Change) {
	if l.json == nil {
		l.json = a.Columns([]weir.Column{{Name: ""}})
	}
	out, change := l.json.Cell(append(dst, v[0]), 0, v[1:], a.Tally())
	if change == weir.Unchanged {
		return dst, change
	}
	return out, change
}

// nameRow tells the mask what the naming columns of a row say, before its cells.
func (c *codec) nameRow(l *layout, body []byte) bool {
	in := cursor{b: body[2:]}
	want := l.naming
	for i := 0; len(want) > 0 && len(in.b) > 0; i++ {
		size := in.int32()
		var v []byte
		if size >= 0 {
			v = in.take(int(size))
		}
		if i == want[0] {
			l.mask.SetName(v)
			want = want[1:]
		}
	}
	return !in.bad
}
