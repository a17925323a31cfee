package postgres

import (
	"strings"

	"weir/rules/sql"
)

// word is a piece of a statement.
type word struct {
	kind byte   // 'w' a word or number in lower case, '"' a quoted identifier, '\'' a literal's content, 'u' what cannot be told, else the character
	text string // of an operator's last character: the whole operator
}

// words splits a statement for the few things that the codec looks for itself: options of COPY, names of PREPARE, values of SET. It skips
// comments. Deciding is the classifier's.
func words(s string) []word {
	var out []word
	for lex := (sql.Lexer{Text: s, Conforming: true}); ; {
		t := lex.Next()
		text := s[t.Start:t.End]
		switch t.Kind {
		case sql.End:
			return out
		case sql.Space, sql.Comment:
		case sql.Word, sql.Number:
			out = append(out, word{'w', strings.ToLower(text)})
		case sql.Quoted:
			out = append(out, word{'"', strings.ReplaceAll(strings.TrimSuffix(text[1:], `"`), `""`, `"`)})
		case sql.String, sql.Escaped, sql.Dollar:
			if value, ok := sql.Literal(t, s, true, '\\'); ok {
				out = append(out, word{'\'', value})
			} else {
				out = append(out, word{'u', text})
			}
		case sql.Unicode, sql.UString: // what they stand for may hang on a UESCAPE
			out = append(out, word{'u', text})
		default:
			for i := range len(text) {
				if out = append(out, word{text[i], text[i : i+1]}); t.Kind == sql.Param {
					out = append(out, word{'w', text[1:]})
					break
				}
			}
			if t.Kind == sql.Operator {
				out[len(out)-1].text = text
			}
		}
	}
}

// identifier is a name as the server folds it.
func (w word) identifier() (string, bool) {
	return w.text, w.kind == 'w' || w.kind == '"'
}

// is reports whether it is the keyword.
func (w word) is(keyword string) bool { return w.kind == 'w' && w.text == keyword }

// parameterNames tells what the parameters of a statement are called where a column stands beside them: "name = $1", and the lists of
// INSERT. Those that nothing names are "".
func parameterNames(text string) []string {
	if !strings.Contains(text, "$") {
		return nil
	}
	ws := words(text)
	var names []string
	set := func(n int, name string) {
		for len(names) < n && n < 1<<16 {
			names = append(names, "")
		}
		if n > 0 && n <= len(names) && names[n-1] == "" {
			names[n-1] = name
		}
	}
	for i := range ws {
		if n, ok := parameter(ws, i); ok && i >= 2 && (ws[i-1].kind == '=' || ws[i-1].is("like")) {
			if name, ok := ws[i-2].identifier(); ok {
				set(n, name)
			}
		}
		if ws[i].is("into") {
			insertNames(ws[i+1:], set)
		}
	}
	return names
}

// parameter reads $n.
func parameter(ws []word, i int) (int, bool) {
	if ws[i].kind != '$' || i+1 >= len(ws) || ws[i+1].kind != 'w' {
		return 0, false
	}
	n := 0
	for _, c := range []byte(ws[i+1].text) {
		if c < '0' || c > '9' || n > 1<<16 {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// insertNames reads "t (a, b) VALUES ($1, $2), …".
func insertNames(ws []word, set func(int, string)) {
	i := 0
	for i < len(ws) && ws[i].kind != '(' {
		if ws[i].is("values") || ws[i].is("select") {
			return
		}
		i++
	}
	var columns []string
	for i++; i < len(ws) && ws[i].kind != ')'; i++ {
		if name, ok := ws[i].identifier(); ok {
			columns = append(columns, name)
		}
	}
	at, depth := 0, 0
	for ; i < len(ws); i++ {
		switch {
		case ws[i].kind == '(':
			if depth++; depth == 1 {
				at = 0
			}
		case ws[i].kind == ')':
			depth--
		case ws[i].kind == ',' && depth == 1:
			at++
		case ws[i].is("returning"), ws[i].kind == ';':
			return
		}
		if n, ok := parameter(ws, i); ok && depth > 0 && at < len(columns) {
			set(n, columns[at])
		}
	}
}
