package postgres

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"weir"
	"weir/gate/session"
)

// reads are what a statement reads whose values are secrets by more than the name of their column.
type reads struct {
	settings   settingsRead
	statements bool // SQL of others
	chopped    bool // and functions that may cut it where its literals cannot be told any more
	exploded   bool // what stands under the keys of documents, without them
	key        bool // a key of a document is a parameter
	paths      bool // and may be a path with wildcards
	options    bool // settings of roles and databases, in pieces
	writes     bool // functions of users that run beside a write
}

// settingsRead says what is known of the settings that a statement reads, when it may read any.
type settingsRead uint8

const (
	noSettings      settingsRead = iota
	pinnedSettings               // only those that it names, none of them a secret
	alignedSettings              // each value in the row of its name, where the row has the name
	looseSettings
)

// loose is set where an expression may hold any setting.
func (r *reads) loose() bool { return r.settings >= alignedSettings }

// copies is set where the rows of a COPY, whose columns have no names, may hold what names would tell.
func (r *reads) copies() bool { return r.loose() || r.exploded || r.statements && r.chopped }

// statementNames return SQL of others, in a schema of the server or of an extension.
var statementNames = []string{
	"pg_stat_get_activity", "pg_stat_get_backend_activity", "pg_stat_statements", "pg_prepared_statement", "pg_cursor", "aurora_stat_activity", "aurora_stat_statements",
	"pg_stat_monitor_internal", "pg_stat_monitor", "pg_qualstats", "pg_store_plans",
}

// wholeNames leave a text whole, shorten it at its end, or make no text of it.
var wholeNames = []string{
	"left", "length", "char_length", "count", "max", "min", "sum", "avg", "round", "now", "age", "date_trunc", "extract", "date_part", "coalesce", "clock_timestamp", "pg_backend_pid", "to_char", "lower", "upper",
	"pg_stat_get_backend_idset", "pg_blocking_pids", "abs", "justify_interval", "format_type", "pg_get_userbyid", "current_database", "current_query", "rank", "row_number", "sqrt", "ceil", "floor", "trunc",
}

// explodingNames return what documents hold, without the names that it has there.
var explodingNames = []string{
	"json_each", "jsonb_each", "json_each_text", "jsonb_each_text", "each", "svals", "avals", "jsonb_path_query", "jsonb_path_query_array", "jsonb_path_query_first", "hstore_to_array", "hstore_to_matrix", "akeys",
}

// optionColumnNames hold settings as name=value, and cuttingNames are functions that show the value without its name.
var (
	optionColumnNames = []string{"pg_catalog.pg_roles.rolconfig", "pg_catalog.pg_user.useconfig", "pg_catalog.pg_shadow.useconfig", "pg_catalog.pg_db_role_setting.setconfig", "pg_catalog.pg_proc.proconfig"}
	cuttingNames      = []string{
		"pg_catalog.substr", "pg_catalog.substring", "pg_catalog.split_part", "pg_catalog.replace", "pg_catalog.regexp_replace", "pg_catalog.regexp_match", "pg_catalog.regexp_matches", "pg_catalog.regexp_substr",
		"pg_catalog.regexp_split_to_array", "pg_catalog.regexp_split_to_table", "pg_catalog.right", "pg_catalog.reverse", "pg_catalog.overlay", "pg_catalog.translate", "pg_catalog.string_to_array",
		"pg_catalog.string_to_table", "pg_catalog.pg_options_to_table", "pg_catalog.ltrim", "pg_catalog.btrim", "pg_catalog.ascii",
	}
)

// readsOf tells what a statement reads.
func (c *codec) readsOf(text string, s *weir.SQL) (r reads) {
	for _, column := range s.Columns {
		if i := strings.LastIndexByte(column, '.'); i > 0 && !r.statements {
			_, r.statements = c.origin(column[:i], column[i+1:])
		}
	}
	for _, f := range s.Functions {
		schema, name, _ := strings.Cut(f, ".")
		r.statements = r.statements || slices.Contains(statementNames, name)
		r.chopped = r.chopped || !slices.Contains(wholeNames, name) && !slices.Contains(statementNames, name)
		r.exploded = r.exploded || slices.Contains(explodingNames, name)
		r.writes = r.writes || schema != "pg_catalog" && !s.ReadOnly
	}
	r.chopped = r.chopped || r.statements && joins(text)
	r.options = slices.ContainsFunc(s.Columns, func(column string) bool { return slices.Contains(optionColumnNames, column) }) &&
		slices.ContainsFunc(s.Functions, func(f string) bool { return slices.Contains(cuttingNames, f) })
	r.settings = c.settingsOf(text, s)
	return r
}

// joins reports whether syntax that is no function's name may put texts together, or take some of one away in front.
func joins(text string) bool {
	lower := strings.ToLower(text)
	return slices.ContainsFunc([]string{"||", "::", "cast", "trim", "xml"}, func(w string) bool { return strings.Contains(lower, w) })
}

// settingsTable is the view of all settings, and settingValueNames are its columns that hold their values.
const settingsTable = "pg_catalog.pg_settings"

var settingValueNames = []string{"setting", "boot_val", "reset_val"}

// settingsOf tells which settings a statement may read when it may read any.
func (c *codec) settingsOf(text string, s *weir.SQL) settingsRead {
	if !slices.Contains(s.Settings, "*") || len(s.Operations) == 1 && (s.Operations[0] == "SHOW" || s.Operations[0] == "DISCARD" || s.Operations[0] == "RESET") {
		return noSettings
	}
	if s.Statements > 1 || slices.ContainsFunc(s.Relations, func(r string) bool { return !strings.HasPrefix(r, "pg_catalog.") }) {
		return looseSettings
	}
	ws := words(text)
	at, seen := 0, 0
	for i := range ws {
		if name, ok := ws[i].identifier(); ok && name == "pg_settings" {
			at, seen = i, seen+1
		}
		if ws[i].is("with") || ws[i].is("pg_show_all_settings") || ws[i].is("execute") {
			return looseSettings
		}
	}
	switch {
	case seen != 1 || !slices.Contains(s.Relations, settingsTable):
		return looseSettings
	case at > 0 && len(s.Relations) == 1 && c.pinned(ws[at+1:]):
		return pinnedSettings
	}
	return alignedSettings
}

// pinned reads WHERE name = 'x', and WHERE name IN ('x', …), to the end of the statement: settings that are no secrets.
func (c *codec) pinned(ws []word) bool {
	if n := len(ws); n > 0 && ws[n-1].kind == ';' {
		ws = ws[:n-1]
	}
	if len(ws) < 4 || !ws[0].is("where") || !ws[1].is("name") {
		return false
	}
	switch ws = ws[2:]; {
	case ws[0].kind == '=':
		return len(ws) == 2 && c.openSetting(ws[1])
	case !ws[0].is("in") || ws[1].kind != '(' || ws[len(ws)-1].kind != ')' || len(ws)%2 != 0:
		return false
	}
	for i, w := range ws[2 : len(ws)-1] {
		if i%2 == 0 && !c.openSetting(w) || i%2 == 1 && w.kind != ',' {
			return false
		}
	}
	return true
}

// openSetting reports whether a literal names a setting that is no secret.
func (c *codec) openSetting(w word) bool {
	return w.kind == '\'' && w.text != "" && strings.Trim(w.text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == "" &&
		!c.o.SecretSetting(strings.ToLower(w.text)) && !c.settingHolds(w.text)
}

// namesSetting reports whether a column of a result says which setting its row speaks of.
func (c *codec) namesSetting(table uint32, attr int16) bool {
	if table == 0 {
		return false
	}
	relation, name, ok := c.read.column(table, attr)
	return ok && relation == settingsTable && name == "name"
}

// protectSettings protects the values of settings in rows that do not say whose they are. desc is the RowDescription's body.
func (c *codec) protectSettings(columns []weir.Column, desc []byte) {
	in := cursor{b: desc}
	_ = in.int16()
	for i := range columns {
		_ = in.text()
		table, attr := uint32(in.int32()), in.int16() //nolint:gosec // an oid
		_ = in.take(12)
		if relation, name, ok := c.read.column(table, attr); table != 0 && ok && relation == settingsTable && slices.Contains(settingValueNames, name) {
			columns[i].Protected = true
		}
	}
}

// deepestView is how many views on views are followed.
const deepestView = 16

// origin says what the values of a column are: by its own name, and where it is a view's by what they are made of.
func (c *codec) origin(relation, column string) (protected, statement bool) {
	return c.originAt(relation, column, deepestView)
}

func (c *codec) originAt(relation, column string, depth int) (protected, statement bool) {
	protected, statement = c.o.Columns(relation, column)
	if protected {
		return protected, statement
	}
	from, ok := c.read.origin(relation, column)
	switch {
	case !ok:
		return protected, statement
	case from.Settings || depth == 0 || c.takes(from.Text, &weir.SQL{Columns: from.Columns, Functions: from.Functions, Bodies: from.Bodies}):
		return true, statement
	case slices.ContainsFunc(from.Named, c.o.SecretSetting) && mentions(from.Text, "current_setting"):
		return true, statement
	}
	for _, source := range from.Columns {
		i := strings.LastIndexByte(source, '.')
		if i < 0 || source[:i] == relation && (!from.Own || source[i+1:] == column) {
			continue
		}
		p, s := c.originAt(source[:i], source[i+1:], depth-1)
		if p || c.o.Secret(source[:i], source[i+1:]) {
			return true, statement
		}
		statement = statement || s
	}
	return false, statement
}

// comparesSecret reports whether a literal or a parameter stands beside the name of a secret: in one condition or value with it, before it or behind it.
func (c *codec) comparesSecret(text string) bool {
	type part struct{ named, valued, query bool }
	parts := []part{{query: true}}
	ws := words(text)
	for i := range ws {
		at := &parts[len(parts)-1]
		name, ok := ws[i].identifier()
		switch {
		case ws[i].kind == '(':
			parts = append(parts, part{query: i+1 < len(ws) && (ws[i+1].is("select") || ws[i+1].is("with"))})
			continue
		case ws[i].kind == ')' && len(parts) > 1:
			inner := *at
			parts = parts[:len(parts)-1]
			if at = &parts[len(parts)-1]; !inner.query {
				at.named, at.valued = at.named || inner.named, at.valued || inner.valued
			}
		case ws[i].kind == ',' && at.query, ws[i].is("and"), ws[i].is("or"), ws[i].is("where"), ws[i].is("from"), ws[i].is("order"), ws[i].is("group"), ws[i].is("having"), ws[i].is("limit"),
			ws[i].is("offset"), ws[i].is("on"), ws[i].is("select"), ws[i].kind == ';':
			at.named, at.valued, at.query = false, false, at.query || !ws[i].is("from")
		case ok && c.o.Secret("", name):
			at.named = true
		case ws[i].kind == '\'', ws[i].kind == 'u', ws[i].kind == '$':
			at.valued = true
		}
		if at.named && at.valued {
			return true
		}
	}
	return false
}

// nearSecrets reports whether an error or notice may show a row of a relation that holds secrets, and whether a function that saw the row may
// have made its text up: errors show rows that a statement wrote and did not read, some of them at the transaction's end.
func (c *codec) nearSecrets(fields []byte) (near, raises bool) {
	var schema, table string
	for in := (cursor{b: fields}); len(in.b) > 0 && in.b[0] != 0; {
		switch typ, value := in.byte(), in.text(); typ {
		case 's':
			schema = string(value)
		case 't':
			table = string(value)
		}
	}
	if table != "" {
		columns := c.read.columns(schema + "." + table)
		near = columns == nil || c.holdsSecrets(schema+"."+table, columns)
	}
	raises = c.pending(func(f *facts) bool {
		here := c.writesNear(f)
		near = near || here
		return here && f.reads.writes
	})
	return near || c.deferred, raises || c.deferred
}

// writesNear reports whether a statement writes and touches relations that hold secrets.
func (c *codec) writesNear(f *facts) bool {
	return !f.sql.ReadOnly && slices.ContainsFunc(f.sql.Relations, func(r string) bool { return c.holdsSecrets(r, c.read.columns(r)) })
}

func (c *codec) holdsSecrets(relation string, columns []string) bool {
	return slices.ContainsFunc(columns, func(name string) bool { return name != "" && c.o.Secret(relation, name) })
}

// nestedText reports whether a text is what a record or an array looks like, with values in it that are quoted.
func nestedText(v []byte) bool {
	n := len(v)
	return n > 4 && (v[0] == '(' && v[n-1] == ')' || v[0] == '{' && v[n-1] == '}' && bytes.IndexByte(v, '\\') > 0 && !json.Valid(v)) &&
		(bytes.IndexByte(v, '"') >= 0 || bytes.IndexByte(v, ',') > 0)
}

// nestedText masks the values in the text of a record or an array (record_out, array_out). What cannot be read so is masked as a text.
func (c *codec) nestedText(a *session.Answers, dst []byte, name string, v []byte, depth int) []byte {
	from := len(dst)
	closing := byte('}')
	if len(v) > 0 && v[0] == '(' {
		closing = ')'
	}
	if len(v) < 2 || v[0] != '(' && v[0] != '{' || v[len(v)-1] != closing {
		return a.Value(dst, name, v)
	}
	record := closing == ')'
	dst = append(dst, v[0])
	for i, field := 1, 0; ; field++ {
		end := elementEnd(v, i)
		if end < 0 {
			return a.Value(dst[:from], name, v)
		}
		value := unquoteElement(v[i:end], record)
		masked, change := c.nested(a, nil, elementClass(value, depth), name, value, depth+1)
		switch change {
		case weir.Unchanged:
			dst = append(dst, v[i:end]...)
		case weir.Masked:
			if v[i] == '{' { // an array in an array
				dst = append(dst, masked...)
			} else {
				dst = quoteElement(dst, masked, record)
			}
		case weir.Null:
			dst = append(dst, "NULL"[:4*b2i(!record)]...)
		}
		if dst = append(dst, v[end]); v[end] == closing {
			if end != len(v)-1 {
				return a.Value(dst[:from], name, v)
			}
			break
		}
		if record && field == 0 && bytes.Count(v, []byte(",")) == 1 { // a key and its value
			name = string(value)
		}
		i = end + 1
	}
	if whole := a.Value(nil, "", dst[from:]); !bytes.Equal(whole, dst[from:]) { // secrets may still stand across values
		dst = append(dst[:from], whole...)
	}
	return dst
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// elementEnd is where the element at i ends: at a comma or the closing mark; -1 where it does not.
func elementEnd(v []byte, i int) int {
	if i < len(v) && v[i] == '{' {
		depth, inside := 0, false
		for ; i < len(v); i++ {
			switch {
			case v[i] == '\\':
				i++
			case v[i] == '"':
				inside = !inside
			case inside:
			case v[i] == '{':
				depth++
			case v[i] == '}':
				if depth--; depth == 0 {
					return min(i+1, len(v)-1)
				}
			}
		}
		return -1
	}
	inside := false
	for ; i < len(v); i++ {
		switch {
		case v[i] == '\\':
			i++
		case v[i] == '"':
			inside = !inside
		case !inside && (v[i] == ',' || v[i] == '}' || v[i] == ')'):
			return i
		}
	}
	return -1
}

// unquoteElement undoes the quoting of an element; in a record "" stands for a quote, too.
func unquoteElement(v []byte, record bool) []byte {
	if bytes.IndexByte(v, '"') < 0 && bytes.IndexByte(v, '\\') < 0 || len(v) > 0 && v[0] == '{' {
		return v
	}
	out := make([]byte, 0, len(v))
	inside := false
	for i := 0; i < len(v); i++ {
		switch {
		case v[i] == '\\' && i+1 < len(v):
			i++
			out = append(out, v[i])
		case v[i] == '"' && inside && record && i+1 < len(v) && v[i+1] == '"':
			i++
			out = append(out, '"')
		case v[i] == '"':
			inside = !inside
		default:
			out = append(out, v[i])
		}
	}
	return out
}

func quoteElement(dst, v []byte, record bool) []byte {
	dst = append(dst, '"')
	for _, b := range v {
		switch {
		case b == '\\', b == '"' && !record:
			dst = append(dst, '\\')
		case b == '"':
			dst = append(dst, '"')
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}

// elementClass tells how an element's text is to be looked into.
func elementClass(v []byte, depth int) class {
	switch {
	case isHex(v):
		return classHex
	case depth < deepest && nestedText(v):
		return classNestedText
	}
	return classText
}
