package postgres

import (
	"slices"
	"strings"
)

// copyForm is how the rows of a COPY are written.
type copyForm struct {
	csv    bool
	header bool // the first row holds names
	delim  byte
	quote  byte
	escape byte
	null   string
}

// copyForms reads how the rows of each COPY in a text are written that the client gets or sends, in order. It fails where that cannot be told.
func copyForms(text string) (forms []copyForm, ok bool) {
	ws := words(text)
	for len(ws) > 0 {
		n := slices.IndexFunc(ws, func(w word) bool { return w.kind == ';' })
		if n < 0 {
			n = len(ws)
		}
		if options, _, with := copyOptions(ws[:n]); with {
			f, ok := formOf(options)
			if !ok {
				return nil, false
			}
			forms = append(forms, f)
		}
		ws = ws[min(n+1, len(ws)):]
	}
	return forms, true
}

// takesRows reports whether a statement is a COPY whose rows the client sends.
func takesRows(text string) bool {
	_, from, with := copyOptions(words(text))
	return from && with
}

// copyOptions returns what stands behind the STDIN or STDOUT of a COPY, and whether it is one FROM; with is false where the statement is none that has it.
func copyOptions(ws []word) (options []word, from, with bool) {
	if len(ws) == 0 || !ws[0].is("copy") {
		return nil, false, false
	}
	depth := 0
	for i := range len(ws) - 1 {
		switch ws[i].kind {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 && (ws[i].is("to") || ws[i].is("from")) && (ws[i+1].is("stdin") || ws[i+1].is("stdout")) {
			return ws[i+2:], ws[i].is("from"), true
		}
	}
	return nil, false, false
}

// formOf reads the options of a COPY, in the old syntax or in brackets.
func formOf(ws []word) (f copyForm, ok bool) {
	if i := slices.IndexFunc(ws, func(w word) bool { return w.is("where") }); i >= 0 {
		ws = ws[:i]
	}
	o := map[string]word{}
	for i := 0; i < len(ws); i++ {
		switch w := ws[i]; {
		case w.is("with"), w.is("using"):
		case w.kind == '(':
			rest, ok := bracketOptions(o, ws[i+1:])
			if !ok || len(rest) > 0 {
				return f, false
			}
			i = len(ws)
		case w.is("csv"):
			o["format"] = word{'w', "csv"}
		case w.is("header"):
			o["header"] = word{'w', "true"}
		case w.is("delimiter"), w.is("delimiters"), w.is("null"), w.is("quote"), w.is("escape"):
			name := w.text
			if i+1 < len(ws) && ws[i+1].is("as") {
				i++
			}
			if i++; i >= len(ws) || ws[i].kind != '\'' || i+1 < len(ws) && ws[i+1].kind == '\'' {
				return f, false
			}
			if name == "delimiters" {
				name = "delimiter"
			}
			o[name] = ws[i]
		case w.is("force"): // QUOTE, NULL or NOT NULL, and columns
			if i++; i < len(ws) && ws[i].is("not") {
				i++
			}
			for i+2 < len(ws) && ws[i+2].kind == ',' {
				i += 2
			}
			i++
		case w.is("encoding"):
			i++
		}
	}
	return formBy(o)
}

// copyFormNames are the options that say how rows are written, and otherCopyNames the others.
var (
	copyFormNames  = []string{"format", "delimiter", "null", "quote", "escape", "header"}
	otherCopyNames = []string{"freeze", "force_quote", "force_not_null", "force_null", "encoding", "default", "on_error", "log_verbosity", "reject_limit"}
)

// bracketOptions reads "name value, …)" and returns what stands behind it.
func bracketOptions(o map[string]word, ws []word) (rest []word, ok bool) {
	for i := 0; i < len(ws); {
		name, named := ws[i].identifier()
		if !named {
			return nil, false
		}
		from, depth := i+1, 0
		for i = from; i < len(ws) && (depth > 0 || ws[i].kind != ',' && ws[i].kind != ')'); i++ {
			switch ws[i].kind {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		if i == len(ws) {
			return nil, false
		}
		switch value := ws[from:i]; {
		case slices.Contains(otherCopyNames, name):
		case !slices.Contains(copyFormNames, name):
			return nil, false
		case len(value) == 0 && name == "header":
			o[name] = word{'w', "true"}
		case len(value) != 1 || value[0].kind != 'w' && value[0].kind != '"' && value[0].kind != '\'':
			return nil, false
		default:
			o[name] = value[0]
		}
		if i++; ws[i-1].kind == ')' {
			return ws[i:], true
		}
	}
	return nil, false
}

// formBy makes of options what they say together.
func formBy(o map[string]word) (f copyForm, ok bool) {
	f = copyForm{delim: '\t', null: `\N`}
	switch o["format"].text {
	case "csv":
		f = copyForm{csv: true, delim: ',', quote: '"'}
	case "", "text", "binary":
	default:
		return f, false
	}
	for _, c := range []struct {
		name string
		to   *byte
	}{{"delimiter", &f.delim}, {"quote", &f.quote}, {"escape", &f.escape}} {
		if w, set := o[c.name]; set {
			if len(w.text) != 1 {
				return f, false
			}
			*c.to = w.text[0]
		}
	}
	if _, set := o["escape"]; !set {
		f.escape = f.quote
	}
	if w, set := o["null"]; set {
		f.null = w.text
	}
	f.header = slices.Contains([]string{"true", "on", "1", "match"}, strings.ToLower(o["header"].text))
	return f, true
}
