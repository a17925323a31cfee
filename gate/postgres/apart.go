package postgres

import (
	"slices"
	"strings"

	"weir"
)

// keepingNames are functions of which a document comes out as one that can still be read, or nothing of it does but numbers. What begins with one of
// keepingPrefixNames does, too.
var (
	keepingNames = []string{
		"count", "sum", "avg", "min", "max", "length", "char_length", "character_length", "octet_length", "bit_length", "coalesce", "nullif", "greatest", "least", "lower", "upper", "initcap", "left", "concat",
		"concat_ws", "format", "string_agg", "row_to_json", "to_json", "to_jsonb", "quote_literal", "quote_nullable", "unnest", "first_value", "last_value", "lag", "lead", "nth_value", "convert_to",
		"convert_from", "text", "bool_and", "bool_or", "every", "exist", "exists_all", "exists_any", "defined", "isdefined", "delete", "skeys", "akeys", "abs", "round", "ceil", "ceiling", "floor", "trunc",
		"sqrt", "power", "mod", "to_timestamp", "to_char", "date_trunc", "date_part", "extract", "age", "make_date", "make_interval", "row_number", "rank", "dense_rank", "cardinality", "generate_series",
		"generate_subscripts", "now", "row", "cast", "bpchar", "slice", "fetchval", "xpath", "xpath_exists", "xmltable", "populate_record", "each", "svals", "avals",
	}
	keepingPrefixNames = []string{"json", "xml", "array_", "hstore", "pg_", "num_", "lo_"}
	breakingNames      = []string{"json_to_tsvector", "jsonb_to_tsvector"}
)

// syntaxNames are functions that the grammar knows.
var syntaxNames = []string{"substring", "trim", "overlay", "position", "normalize"}

// reservedNames are no names of columns, unless they are quoted.
var reservedNames = []string{
	"from", "for", "in", "placing", "leading", "trailing", "both", "as", "distinct", "order", "asc", "desc", "and", "or", "not", "null", "true", "false", "case", "when", "then", "else", "end", "like", "ilike",
	"similar", "is", "array", "collate", "any", "all", "some", "variadic", "where", "group", "limit", "offset", "to",
}

// parted is what is known where documents may be taken apart.
type parted struct {
	documents, others []string // names of columns that hold documents, and of others
	functions         []string // those of users that are called
	calls             []string // all functions that are
	simple            bool     // names in expressions are of these columns, of relations as they are
}

// apart reports whether a text may make pieces of whole documents, or another writing of them, in which nobody would find what stands under the names of
// secrets. s is what it does, and own is set where names may stand for what nobody knows: variables, and what the session made.
func (c *codec) apart(text string, s *weir.SQL, own bool) bool {
	var p parted
	for _, column := range s.Columns {
		if i := strings.LastIndexByte(column, '.'); i > 0 && c.document(column[:i], column[i+1:], deepestView) {
			p.documents = append(p.documents, column[i+1:])
		} else {
			p.others = append(p.others, column[i+1:])
		}
	}
	if len(p.documents) == 0 {
		return false
	}
	for _, fn := range s.Functions {
		p.calls = append(p.calls, fn[strings.IndexByte(fn, '.')+1:])
		if !strings.HasPrefix(fn, "pg_catalog.") {
			p.functions = append(p.functions, p.calls[len(p.calls)-1])
		}
	}
	ws := plainOperators(words(text))
	if p.simple = !own && simple(ws); !p.simple && !p.whole(ws) {
		return false
	}
	for i := range ws {
		if ws[i].is("tsvector") && i > 0 && (ws[i-1].kind == ':' || ws[i-1].is("as")) {
			return true
		}
		name, ok := ws[i].identifier()
		if ok && p.subscript(ws, i) {
			return true
		}
		if !ok || i+1 >= len(ws) || ws[i+1].kind != '(' || !slices.Contains(p.calls, name) && !slices.Contains(syntaxNames, name) || keeping(name) {
			continue
		}
		if end := closing(ws, i+1); p.holds(ws[i+2 : min(end+1, len(ws))]) {
			return true
		}
	}
	return false
}

func keeping(name string) bool {
	return slices.Contains(keepingNames, name) || slices.ContainsFunc(keepingPrefixNames, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) && !slices.Contains(breakingNames, name)
}

// document reports whether a column may hold documents: by its type, or since it is a view's that shows some whole.
func (c *codec) document(relation, column string, depth int) bool {
	if c.read.document == nil {
		return false
	}
	if c.read.document(relation, column) {
		return true
	}
	from, ok := c.read.origin(relation, column)
	if !ok || depth == 0 || from.Text == "" {
		return false
	}
	var p parted
	for _, source := range from.Columns {
		if i := strings.LastIndexByte(source, '.'); i > 0 && source[:i] != relation && c.document(source[:i], source[i+1:], depth-1) {
			p.documents = append(p.documents, source[i+1:])
		}
	}
	return len(p.documents) > 0 && p.whole(plainOperators(words(from.Text)))
}

// whole reports whether a text may mean whole documents: their column, and no value under a name in them, or all columns.
func (p *parted) whole(ws []word) bool {
	for _, name := range p.documents {
		seen := false
		for i := range ws {
			switch w, ok := ws[i].identifier(); {
			case ok && w == name:
				if seen = true; !scalar(ws, i) {
					return true
				}
			case ws[i].kind == '*' && i > 0 && (ws[i-1].kind == '.' || ws[i-1].kind == ',' || ws[i-1].is("select")):
				return true
			}
		}
		if !seen {
			return true
		}
	}
	return false
}

// scalar reports whether what stands at i is only what a value is taken out of as a text, by a name or a number.
func scalar(ws []word, i int) bool {
	last := ""
	for i++; ; {
		n := 3
		for ; n > 0 && (i+n >= len(ws) || len(ws[i+n-1].text) != n || !slices.Contains(pickOperatorNames, ws[i+n-1].text)); n-- {
		}
		if n == 0 {
			return last == "->>" || last == "#>>"
		}
		last = ws[i+n-1].text
		if i += n; ws[i].kind != '\'' && (ws[i].kind != 'w' || ws[i].text[0] < '0' || ws[i].text[0] > '9') {
			return false
		}
		i++
	}
}

// subscript reports whether the name at i is of a document, or may be, and a key that is made while it runs stands behind it.
func (p *parted) subscript(ws []word, i int) bool {
	if i+2 >= len(ws) || ws[i+1].kind != '[' || ws[i].is("array") || p.simple && !slices.Contains(p.documents, ws[i].text) {
		return false
	}
	at := ws[i+2]
	return at.kind != '\'' && at.kind != ']' && at.kind != ':' && at.kind != '-' && (at.kind != 'w' || at.text[0] < '0' || at.text[0] > '9')
}

// holds reports whether an argument, up to its parenthesis, may hold a whole document.
func (p *parted) holds(ws []word) bool {
	for i := range ws {
		name, ok := ws[i].identifier()
		switch {
		case ws[i].kind == 'u', ws[i].is("select"), ws[i].kind == '*' && i > 0 && ws[i-1].kind == '.':
			return true
		case ok && i+1 < len(ws) && ws[i+1].kind == '(' && slices.Contains(p.functions, name):
			return true
		case !ok, ws[i].kind == 'w' && (name[0] >= '0' && name[0] <= '9' || slices.Contains(reservedNames, name)), i+1 < len(ws) && (ws[i+1].kind == '(' || ws[i+1].kind == '.' && ws[i+2].kind != '*'):
		case i > 0 && (ws[i-1].kind == ':' || ws[i-1].is("as") || ws[i-1].kind == '$'):
		case slices.Contains(p.documents, name):
			if !scalar(ws, i) {
				return true
			}
		case !p.simple || !slices.Contains(p.others, name):
			return true
		}
	}
	return false
}

// simple reports whether a text is one query of relations as they are, so that names in its expressions are of their columns.
func simple(ws []word) bool {
	selects, depth, from := 0, 0, false
	for i, w := range ws {
		switch {
		case w.is("select"):
			selects++
		case w.is("with"), w.is("values"), w.is("union"), w.is("intersect"), w.is("except"), w.is("table"), w.is("lateral"), w.is("execute"), w.is("fetch"):
			return false
		case w.kind == '(':
			if from && depth == 0 && i > 0 && !slices.ContainsFunc([]string{"on", "using", "and", "or", "not", "in"}, ws[i-1].is) && ws[i-1].kind != '=' {
				return false
			}
			depth++
		case w.kind == ')':
			depth--
		case depth > 0:
		case w.is("from"), w.is("using"), w.is("join"):
			from = true
		case w.is("where"), w.is("group"), w.is("having"), w.is("order"), w.is("limit"), w.is("offset"), w.is("window"), w.is("returning"), w.is("set"), w.kind == ';':
			from = false
		}
	}
	return selects <= 1
}
