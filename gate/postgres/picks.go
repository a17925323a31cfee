package postgres

import (
	"slices"
	"strings"
)

// pick says whether a statement takes what stands under the name of a secret out of documents.
type pick byte

const (
	pickNothing pick = iota
	pickLater        // the names are parameters
	pickSecret
)

// pickOperatorNames are those of JSON and hstore; others that look like them, such as <-> and >>, compute.
var pickOperatorNames = []string{"->", "->>", "#>", "#>>"}

// picks reads the operators and functions that take a value out of a document by its name: those of JSON, hstore and XML.
func (c *codec) picks(text string) pick {
	if !mayPick(text) {
		return pickNothing
	}
	ws := plainOperators(words(text))
	out, all := pickNothing, false
	for i := range ws {
		name, ok := ws[i].identifier()
		if !ok || i+1 >= len(ws) || ws[i+1].kind != '(' {
			continue
		}
		all = all || picking(name) || slices.Contains(explodingNames, name)
		if c.exploded(ws, i) {
			return pickSecret
		}
		if strings.Contains(name, "_path") && strings.HasPrefix(name, "json") && !plainPath(ws[i+2:]) || strings.Contains(name, "_record") && c.identifiesSecret(ws) ||
			(name == "xmltable" || name == "json_table") && c.identifiesSecret(ws) {
			return pickSecret
		}
	}
	for i := range ws {
		if ws[i].kind == '%' && i > 0 && ws[i-1].kind == '%' || ws[i].kind == '#' && i > 0 && ws[i-1].kind == '%' || ws[i].kind == '=' && i > 0 && ws[i-1].kind == '#' && c.populates(ws) { // of hstore
			return pickSecret
		}
		subscript := i > 1 && ws[i-1].kind == '[' && ws[i].kind != ']' && ws[i-2].kind != ',' && ws[i-2].kind != '[' && ws[i-2].kind != '(' && !ws[i-2].is("array")
		behind := subscript || i > 1 && ws[i-1].kind == '>' && slices.Contains(pickOperatorNames, ws[i-1].text)
		switch {
		case ws[i].kind == '\'' && (behind || all):
			if c.namesSecret(ws[i].text) || i+2 < len(ws) && behind && ws[i+1].kind == '|' && ws[i+2].kind == '|' {
				return pickSecret
			}
		case !behind || ws[i].kind == '>':
		case ws[i].kind == '$', ws[i].kind == '(' && i+1 < len(ws) && ws[i+1].kind == '$':
			out = pickLater
		case ws[i].kind == '(' && i+1 < len(ws) && ws[i+1].kind == '\'':
			if i+2 >= len(ws) || ws[i+2].kind != ')' || c.namesSecret(ws[i+1].text) {
				return pickSecret
			}
		case ws[i].kind == 'w' && ws[i].text[0] >= '0' && ws[i].text[0] <= '9', ws[i].kind == '-':
		case subscript: // of an array, most likely
			if ws[i].kind == 'u' || slices.ContainsFunc(ws, func(w word) bool { return w.kind == '\'' && c.namesSecret(w.text) }) {
				return pickSecret
			}
		default: // a key that is made while it runs
			return pickSecret
		}
	}
	if all && strings.Contains(text, "$") {
		return pickLater
	}
	return out
}

// picking reports whether a function takes what stands under a name, or on a path of names, out of a document.
func picking(name string) bool {
	switch {
	case strings.HasPrefix(name, "json"):
		return strings.Contains(name, "path") || strings.Contains(name, "extract") ||
			strings.HasPrefix(name, "json_") && (strings.HasSuffix(name, "value") || strings.HasSuffix(name, "query") || strings.HasSuffix(name, "table"))
	case strings.HasPrefix(name, "xpath"):
		return true
	}
	return name == "xmltable" || name == "slice" || name == "fetchval"
}

// plainPath reports whether the arguments of a function, behind the first, are literals and parameters.
func plainPath(ws []word) bool {
	depth, first := 0, true
	for i := range ws {
		switch w := ws[i]; {
		case w.kind == '(' || w.kind == '[':
			depth++
		case (w.kind == ')' || w.kind == ']') && depth > 0:
			depth--
		case w.kind == ')':
			return true
		case w.kind == ',':
			first = first && depth > 0
		case first || w.kind == '\'' || w.kind == '$' || w.kind == ':':
		case w.kind == 'w' && i > 0 && (ws[i-1].kind == '$' || ws[i-1].kind == ':' || w.is("variadic") || w.is("array") || w.is("true") || w.is("false")):
		default:
			return false
		}
	}
	return true
}

// identifiesSecret reports whether something is called like a secret.
func (c *codec) identifiesSecret(ws []word) bool {
	return slices.ContainsFunc(ws, func(w word) bool {
		name, ok := w.identifier()
		return ok && c.o.Secret("", name)
	})
}

// plainOperators replaces OPERATOR(schema.+) by the operator.
func plainOperators(ws []word) []word {
	out := ws[:0]
	for i := 0; i < len(ws); i++ {
		if !ws[i].is("operator") || i+1 >= len(ws) || ws[i+1].kind != '(' {
			out = append(out, ws[i])
			continue
		}
		for i += 2; i < len(ws) && ws[i].kind != ')'; i++ {
			if _, ok := ws[i].identifier(); !ok && ws[i].kind != '.' && ws[i].kind != 'u' {
				out = append(out, ws[i])
			}
		}
	}
	return out
}

// mayPick reports whether there may be such an operator or function in a text; numbers in it do not matter.
func mayPick(text string) bool {
	for i := range len(text) {
		switch text[i] | 0x20 {
		case '>':
			if i > 0 && (text[i-1] == '-' || text[i-1] == '#') {
				return true
			}
		case '{': // or [
			if next := strings.TrimLeft(text[i+1:], " \t\r\n\f\v"); text[i] == '[' && next != "" && strings.IndexByte("0123456789]:-", next[0]) < 0 {
				return true
			}
		case 'j':
			if startsWith(text[i:], "json") {
				return true
			}
		case 'x':
			if startsWith(text[i:], "xpath") || startsWith(text[i:], "xmltable") {
				return true
			}
		case 'f':
			if startsWith(text[i:], "fetchval") {
				return true
			}
		case 's':
			if startsWith(text[i:], "slice") || startsWith(text[i:], "svals") {
				return true
			}
		case 'a':
			if startsWith(text[i:], "avals") {
				return true
			}
		case 'h':
			if startsWith(text[i:], "hstore_to") {
				return true
			}
		case '%':
			if i+1 < len(text) && (text[i+1] == '%' || text[i+1] == '#') {
				return true
			}
		case '=':
			if i > 0 && text[i-1] == '#' {
				return true
			}
		case 'e':
			if startsWith(text[i:], "each") {
				return true
			}
		case 'p':
			if startsWith(text[i:], "populate_record") {
				return true
			}
		}
	}
	return false
}

// mentions reports whether a text has a word in it, in capitals or not.
func mentions(text, w string) bool { return strings.Contains(strings.ToLower(text), w) }

// startsWith reports whether text begins with a word, in capitals or not.
func startsWith(text, w string) bool {
	return len(text) >= len(w) && strings.EqualFold(text[:len(w)], w)
}

// namesSecret reports whether a key or a path of keys names a secret, or what it names is written with escapes.
func (c *codec) namesSecret(path string) bool {
	return strings.IndexByte(path, '\\') >= 0 ||
		slices.ContainsFunc(strings.FieldsFunc(path, func(r rune) bool { return r < ' ' || strings.ContainsRune(`{},.$/@[]"'()*?:= `, r) }), func(key string) bool { return c.o.Secret("", key) })
}

// picked is f for a Bind whose values may name what is taken out of documents.
func (c *codec) picked(f *facts, values [][]byte) *facts {
	if !f.reads.key || f.touched || !slices.ContainsFunc(values, func(v []byte) bool {
		return len(v) < 256 && (c.namesSecret(string(v)) || f.reads.paths && (wildPath(string(v), false) || wildPath(string(v), true)))
	}) {
		return f
	}
	out := *f
	out.touched = true
	c.tellOut(&out, true)
	return &out
}
