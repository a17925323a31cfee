package postgres

import (
	"slices"
	"strings"

	"weir"
)

// namelessNames return what documents hold without the names that it has there, and eachNames beside them.
var (
	namelessNames = []string{"svals", "avals", "hstore_to_array", "hstore_to_matrix"}
	eachNames     = []string{"json_each", "jsonb_each", "json_each_text", "jsonb_each_text", "each"}
)

// exploded reports whether the call of the function at i gives away what stands in documents where no name stands beside it. A document that the client
// wrote itself is none.
func (c *codec) exploded(ws []word, i int) bool {
	name, _ := ws[i].identifier()
	switch end := closing(ws, i+1); {
	case slices.Contains(namelessNames, name):
		return !written(ws[i+2 : end])
	case slices.Contains(eachNames, name):
		return !written(ws[i+2:end]) && !aligned(ws, i, end)
	case strings.Contains(name, "populate_record"):
		return c.populates(ws)
	case (name == "fetchval" || name == "slice") && !plainPath(ws[i+2:]), (name == "xmltable" || strings.HasPrefix(name, "xpath")) && made(ws[i+2:end]):
		return true
	case strings.HasPrefix(name, "json") && strings.Contains(name, "_path_"), name == "xmltable", strings.HasPrefix(name, "xpath"):
		return slices.ContainsFunc(ws[i+2:end], func(w word) bool { return w.kind == 'u' || w.kind == '\'' && wildPath(w.text, name[0] == 'x') })
	}
	return false
}

// closing is where the parenthesis at i closes; the end of ws where it does not.
func closing(ws []word, i int) int {
	depth := 0
	for ; i < len(ws); i++ {
		switch ws[i].kind {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return i
}

// written reports whether an argument is a literal or a parameter, with or without a type.
func written(ws []word) bool {
	if len(ws) > 1 && ws[0].kind == '$' {
		ws = ws[1:]
	} else if len(ws) == 0 || ws[0].kind != '\'' {
		return false
	}
	return len(ws) == 1 || len(ws) == 4 && ws[1].kind == ':' && ws[2].kind == ':'
}

// made reports whether a path of XML, the first argument or one behind PATH, may be made while it runs.
func made(ws []word) bool {
	for i := range ws {
		if ws[i].kind == '|' || (i == 0 || ws[i-1].is("path")) && ws[i].kind != '\'' && ws[i].kind != '$' && !ws[i].is("xmlnamespaces") {
			return true
		}
	}
	return false
}

// pairs reports whether a text reads the keys and values of documents, each in a column.
func pairs(ws []word) bool {
	for i := range ws {
		if name, ok := ws[i].identifier(); ok && i+1 < len(ws) && ws[i+1].kind == '(' && slices.Contains(eachNames, name) && !written(ws[i+2:closing(ws, i+1)]) {
			return true
		}
	}
	return false
}

// wildPath reports whether a path may reach what stands under names that it does not name.
func wildPath(path string, xml bool) bool {
	path = strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "", "[*]", "").Replace(path)
	if !xml {
		return strings.Contains(path, "*") || strings.Contains(path, "keyvalue")
	}
	if at := strings.TrimSuffix(path, "/text()"); at != path && !strings.HasSuffix(at, "/") {
		path = at
	}
	return path == "." || strings.Contains(path, "..") || strings.ContainsAny(path, "*(|")
}

// populates reports whether a record is made of a document that has attributes called like secrets.
func (c *codec) populates(ws []word) bool {
	return slices.ContainsFunc(ws, func(w word) bool {
		name, ok := w.identifier()
		return ok && c.read.members != nil && slices.ContainsFunc(c.read.members(name), func(column string) bool {
			i := strings.LastIndexByte(column, '.')
			return c.o.Secret(column[:max(0, i)], column[i+1:])
		})
	})
}

// aligned reports whether the keys and values of the function at i, whose call ends at end, surely come out as key and value side by side, or with their
// names in a document.
func aligned(ws []word, i, end int) bool {
	from, items := selectList(ws)
	if items == nil || plainly(ws) != 1 {
		return false
	}
	if i < from {
		return slices.ContainsFunc(items, func(item []word) bool { return itself(item, ws[i]) })
	}
	key, value := "key", "value"
	j := end + 1
	for j < len(ws) && (ws[j].is("with") || ws[j].is("ordinality") || ws[j].is("as")) {
		j++
	}
	alias := ""
	if j < len(ws) {
		alias, _ = ws[j].identifier()
	}
	if j+1 < len(ws) && ws[j+1].kind == '(' && (ws[j].kind == '"' || !slices.Contains(clauseNames, alias)) {
		if list := ws[j+2 : closing(ws, j+1)]; len(list) != 3 || list[0].text != "k" || list[2].text != "v" {
			return false
		}
		key, value = "k", "v"
	}
	for n := max(from, 1); n+1 < len(ws); n++ { // other names for columns of a join
		if name, ok := ws[n].identifier(); ok && n != j && ws[n+1].kind == '(' && (ws[n-1].kind == ')' || ws[n-1].is("as")) && !slices.Contains(clauseNames, name) {
			return false
		}
	}
	keyed, valued := false, false
	for _, item := range items {
		column, plain := plainColumn(item)
		switch {
		case plain && column == "*":
			keyed = true
		case plain && column == key:
			keyed = keyed || len(item) == 1 || item[0].text == alias
		case plain && column == value:
			valued = true
		case paired(item, key, value):
		case slices.ContainsFunc(item, func(w word) bool { return w.text == value || w.text == alias || w.is("select") }), starred(item):
			return false
		}
	}
	return keyed || !valued
}

// starred reports whether t.* stands in an expression.
func starred(ws []word) bool {
	for i := 1; i < len(ws); i++ {
		if ws[i].kind == '*' && ws[i-1].kind == '.' {
			return true
		}
	}
	return false
}

// itself reports whether a result column is the record that a function returns, or its columns.
func itself(item []word, function word) bool {
	if len(item) > 2 && item[0].kind == '(' {
		end := closing(item, 0)
		return item[1] == function && closing(item, 2) == end-1 && len(item) == end+3 && item[end+1].kind == '.' && item[end+2].kind == '*'
	}
	end := closing(item, 1)
	return item[0] == function && (len(item) == end+1 || len(item) == end+3 && item[end+1].is("as"))
}

// paired reports whether a result column is a document of keys and values.
func paired(item []word, key, value string) bool {
	if len(item) < 6 || !item[0].is("jsonb_object_agg") && !item[0].is("json_object_agg") || item[1].kind != '(' {
		return false
	}
	end, comma := closing(item, 1), slices.IndexFunc(item, func(w word) bool { return w.kind == ',' })
	if comma < 0 || comma > end || len(item) != end+1 && (len(item) != end+3 || !item[end+1].is("as")) {
		return false
	}
	k, one := plainColumn(item[2:comma])
	v, other := plainColumn(item[comma+1 : end])
	return one && other && k == key && v == value && (comma == 3) == (end == comma+2) && item[2].text == key || k == key && v == value && item[2].text == item[comma+1].text
}

// plainColumn reads a, t.a, * and t.*.
func plainColumn(ws []word) (column string, ok bool) {
	if len(ws) == 3 && ws[1].kind == '.' {
		if _, ok := ws[0].identifier(); ok {
			ws = ws[2:]
		}
	}
	if len(ws) != 1 {
		return "", false
	}
	if ws[0].kind == '*' {
		return "*", true
	}
	return ws[0].identifier()
}

// plainly counts the calls of eachNames, as two where there may be a query in the query.
func plainly(ws []word) (n int) {
	selects := 0
	for i := range ws {
		name, ok := ws[i].identifier()
		switch {
		case ws[i].is("select"):
			selects++
		case ws[i].is("with") && (i+1 >= len(ws) || !ws[i+1].is("ordinality")), ws[i].is("values"), ws[i].is("union"), ws[i].is("intersect"), ws[i].is("except"), ws[i].is("rows"):
			return 2
		case ok && i+1 < len(ws) && ws[i+1].kind == '(' && slices.Contains(eachNames, name):
			n++
		}
	}
	return max(n, selects)
}

// clauseNames may stand behind an item of FROM.
var clauseNames = []string{
	"on", "using", "where", "group", "having", "order", "limit", "offset", "window", "join", "left", "right", "full", "inner", "cross", "natural", "returning", "set", "for", "fetch", "tablesample",
}

// selectList are the result columns of the first SELECT, and where its FROM stands. nil where it has none.
func selectList(ws []word) (from int, items [][]word) {
	start := slices.IndexFunc(ws, func(w word) bool { return w.is("select") }) + 1
	if start == 0 {
		return 0, nil
	}
	if start < len(ws) && (ws[start].is("all") || ws[start].is("distinct")) {
		if start++; start+1 < len(ws) && ws[start].is("on") && ws[start+1].kind == '(' {
			start = min(closing(ws, start+1)+1, len(ws))
		}
	}
	for i := start; ; i++ {
		switch {
		case i >= len(ws), ws[i].kind == ')', ws[i].kind == ';', slices.Contains([]string{"from", "into", "where", "group", "having", "order", "limit"}, ws[i].text) && ws[i].kind == 'w':
			if i == start {
				return i, nil
			}
			return i, append(items, ws[start:i])
		case ws[i].kind == '(' || ws[i].kind == '[':
			if ws[i].kind == '(' {
				i = min(closing(ws, i), len(ws)-1)
			}
		case ws[i].kind == ',':
			if i == start {
				return i, nil
			}
			items, start = append(items, ws[start:i]), i+1
		}
	}
}

// takes reports whether an expression, of a view, may take documents apart or values out of them under the names of secrets; so may the functions that it calls.
func (c *codec) takes(text string, s *weir.SQL) bool {
	return c.picks(text) == pickSecret || c.apart(text, s, false) || c.taking(s)
}

// taking reports the same of the functions that run. A name that is a parameter there may be any.
func (c *codec) taking(s *weir.SQL) bool {
	return slices.ContainsFunc(s.Bodies, func(text string) bool { return c.picks(text) != pickNothing || c.apart(text, s, true) })
}
