package mask

import (
	"strings"

	"weir"
	"weir/mask/field"
)

// Columns masks the cells of one result. It is prepared once for all its rows. Not for concurrent use.
type Columns struct {
	m      *Masker
	scan   scanner
	cells  []cellRule
	plain  bool           // what is masked depends on the values only, and nobody reports it
	paired bool           // some name those beside them
	row    field.Strength // what they said in this row
	last   int            // the column before, or -1
	json   *jsonWriter    // looks into JSON
	values []byte         // of Row
	prints *fingerprinter // of Marked
}

// cellRule is what is known of a column.
type cellRule struct {
	strength         field.Strength
	protected, typed bool
	naming, valued   bool // one names the other in the same row
	statement        bool // SQL of others
}

// Columns prepares for rows of these columns.
func (m *Masker) Columns(columns []weir.Column) *Columns {
	c := &Columns{m: m, scan: scanner{m: m}, cells: make([]cellRule, len(columns)), last: -1}
	names, values := false, false
	for i, col := range columns {
		r := &c.cells[i]
		r.strength, r.protected, r.typed = m.e.names.Match([]byte(col.Name)), col.Protected, col.Typed
		r.statement = col.Statement && !col.Typed
		name := strings.ToLower(col.Name)
		r.naming, r.valued = !col.Typed && namingColumn(name), valueColumn(name)
		names, values = names || r.naming, values || r.valued
	}
	if c.paired = names && values; !c.paired {
		for i := range c.cells {
			c.cells[i].naming, c.cells[i].valued = false, false
		}
	}
	c.plain = !c.paired && m.personal == nil && m.notes == nil
	for i := range c.cells {
		r := &c.cells[i]
		c.plain = c.plain && r.strength == field.None && !r.protected && !r.statement
	}
	return c
}

// namingColumn tells columns whose values name what stands beside them: those of settings, variables, options, attributes.
func namingColumn(name string) bool {
	switch name {
	case "name", "key", "k", "variable_name", "variable", "setting_name", "parameter", "parameter_name", "property", "property_name", "property_key", "option_name", "option_key", "option",
		"meta_key", "config_key", "config_name", "attribute", "attribute_name", "field", "field_name", "var_name", "env_name", "conf_name", "config_param", "keyname", "key_name", "param", "param_name":
		return true
	}
	return false
}

// valueColumn tells the columns that such a name is about.
func valueColumn(name string) bool {
	switch name {
	case "value", "val", "v", "setting", "variable_value", "setting_value", "parameter_value", "property_value", "option_value", "meta_value", "config_value", "attribute_value", "field_value", "var_value",
		"env_value", "conf_value", "param_value", "data", "current_value", "default_value", "display_value", "value_in_use", "string_value", "text_value", "boot_val", "reset_val", "global_value", "session_value":
		return true
	}
	return false
}

// Naming reports whether a column's values say what stands beside them, as variable_name of SHOW VARIABLES does.
func (c *Columns) Naming(col int) bool {
	return uint(col) < uint(len(c.cells)) && c.cells[col].naming
}

// SetName tells in front of a row what one of its naming columns holds. Cell of that column does it, too; so it is only needed
// where the column stands behind what it names.
func (c *Columns) SetName(value []byte) {
	if c.last >= 0 {
		c.row, c.last = field.None, -1
	}
	c.row = max(c.row, c.m.siblingStrength(value))
}

// Cell masks one cell; nil is NULL and stays. It appends to dst what is to stand in its place, and nothing when it stays. The cells
// of a row come in order; one that the columns do not know is masked as one without a name. It does not keep value.
func (c *Columns) Cell(dst []byte, col int, value []byte, t *weir.Tally) ([]byte, weir.Change) {
	if col <= c.last {
		c.row = field.None // the next row
	}
	c.last = max(col, 0)
	if c.Naming(col) {
		c.row = max(c.row, c.m.siblingStrength(value))
	}
	return c.cell(dst, c.rule(col), value, t)
}

// rule is what holds for a column in this row.
func (c *Columns) rule(col int) cellRule {
	if uint(col) >= uint(len(c.cells)) {
		return cellRule{}
	}
	r := c.cells[col]
	if r.valued {
		r.strength = max(r.strength, c.row)
	}
	return r
}

// Pair is Cell for a value whose name is given with it: a field of a hash, an entry of a configuration. It masks the value only.
func (c *Columns) Pair(dst, name, value []byte, t *weir.Tally) ([]byte, weir.Change) {
	return c.cell(dst, cellRule{strength: c.m.siblingStrength(name)}, value, t)
}

// Row masks the cells of a row in place and reports whether any changed. One that is masked points into memory of c until
// the next Row; one that cannot be becomes nil, which is NULL.
func (c *Columns) Row(values [][]byte, t *weir.Tally) (changed bool) {
	c.values = c.values[:0]
	c.row, c.last = field.None, -1
	for i, v := range values {
		if c.paired && c.Naming(i) {
			c.row = max(c.row, c.m.siblingStrength(v))
		}
	}
	for i, v := range values {
		from := len(c.values)
		out, change := c.cell(c.values, c.rule(i), v, t)
		switch change {
		case weir.Unchanged:
			continue
		case weir.Masked:
			c.values = out
			values[i] = out[from:len(out):len(out)]
		case weir.Null:
			values[i] = nil
		}
		changed = true
	}
	return changed
}

func (c *Columns) cell(dst []byte, r cellRule, value []byte, t *weir.Tally) ([]byte, weir.Change) {
	switch {
	case len(value) == 0:
		return dst, weir.Unchanged
	case r.protected || r.strength != field.None:
		return c.named(dst, r, value, t)
	case r.statement:
		return c.statement(dst, value, t)
	case len(value) < shortest:
		return dst, weir.Unchanged
	case r.typed:
		return c.typed(dst, value, t)
	case value[0] == '{' || value[0] == '[':
		return c.structured(dst, value, t)
	case !c.m.e.detect.Touched(value) && !c.holds(value) && !c.scan.holdsPersonal(value):
		return dst, weir.Unchanged
	}
	return c.search(dst, value, t)
}

// named masks a cell whose column or row may say that it is a secret.
func (c *Columns) named(dst []byte, r cellRule, value []byte, t *weir.Tally) ([]byte, weir.Change) {
	from := 0
	switch {
	case r.protected: // whatever it looks like
	case !secret(r.strength, value), r.typed && len(value) < shortestTyped:
		return c.cell(dst, cellRule{typed: r.typed}, value, t)
	default:
		from = scheme(value)
	}
	if r.typed {
		return c.null(dst, "field", value, t)
	}
	return c.m.placeholder(append(dst, value[:from]...), "field", value[from:], len(value)-from, t), weir.Masked
}

// shortestTyped is the length in bytes below which a value that is no text is not masked for its column's name.
const shortestTyped = 4

// null counts a cell that becomes NULL.
func (c *Columns) null(dst []byte, kind string, value []byte, t *weir.Tally) ([]byte, weir.Change) {
	t.Add(kind)
	t.Replaced(len(value))
	return dst, weir.Null
}

// typed looks for the secrets held only: what looks like a credential in bytes that are no text does so by chance.
func (c *Columns) typed(dst, value []byte, t *weir.Tally) ([]byte, weir.Change) {
	for _, set := range c.m.sets {
		if c.scan.known = set.Find(c.scan.known[:0], value); len(c.scan.known) > 0 {
			return c.null(dst, set.Name(c.scan.known[0].Entry), value, t)
		}
	}
	return dst, weir.Unchanged
}

// holds reports whether one of the secrets held stands in value.
func (c *Columns) holds(value []byte) bool {
	for _, set := range c.m.sets {
		if c.scan.known = set.Find(c.scan.known[:0], value); len(c.scan.known) > 0 {
			return true
		}
	}
	return false
}

// structured looks into a cell that may be JSON.
func (c *Columns) structured(dst, value []byte, t *weir.Tally) ([]byte, weir.Change) {
	if c.json == nil {
		c.json = newJSON(c.m, nil, nil, 0)
	}
	c.json.found = c.json.found[:0]
	if len(value) <= shortNested || !c.json.nestedJSON(value) {
		return c.search(dst, value, t)
	}
	if len(c.json.found) == 0 {
		return dst, weir.Unchanged
	}
	c.json.tally = t
	at := 0
	for _, e := range c.json.found {
		e.depth-- // here it stands in no string
		dst = append(append(dst, value[at:e.start]...), c.json.render(e)...)
		at = e.end
	}
	return append(dst, value[at:]...), weir.Masked
}

// search masks what it finds in a text.
func (c *Columns) search(dst, value []byte, t *weir.Tally) ([]byte, weir.Change) {
	spans := c.scan.value(field.None, value)
	if len(spans) == 0 {
		return dst, weir.Unchanged
	}
	return c.m.replace(dst, value, 0, len(value), spans, t), weir.Masked
}
