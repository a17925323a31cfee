package detect

import "bytes"

// lookBack is how far inCode and insideString look back, in bytes. It is at most Context.
const lookBack = 200

// codeSigns are what source code has and data hardly ever has.
var codeSignTable = [...]string{":= ", "func ", "def ", "return", "if (", "if err", "){", ") {", ");\n", "{\n", "};\n", "});\n", " == ", " != ", " && ", " || ", "->", "const ", "var ", "let ", "self.", "this.", "#include", "import ", "public ", "static ", "struct ", "case ", "\n//", " // ", "\t//", "/*", "t.Errorf", "print(", "printf(", "assert", "():", "):\n", "fn ", "impl ", "else"}

// inCode reports that what stands before the name looks like source code.
func (v *value) inCode() bool {
	if v.code == 0 {
		v.code = 1
		before := v.f.b[max(0, v.name-lookBack):v.name]
		for _, sign := range codeSignTable {
			if bytes.Contains(before, []byte(sign)) {
				v.code = 2
				break
			}
		}
	}
	return v.code == 2
}

// insideString reports that a quote of the kind is open on the line in front of the name: then the next one closes it.
func (v *value) insideString(quote byte) bool {
	b := v.f.b
	from := max(0, v.name-lookBack)
	if i := v.f.lastLine(from, v.name); i >= 0 {
		from = i + 1
	} else if from > 0 {
		return false // the line is too long to tell
	}
	open := false
	for i := from; i < v.name; i++ {
		switch {
		case b[i] == '\\':
			i++
		case b[i] != quote:
		case quote == '\'' && i > from && i+1 < len(b) && isLetter(b[i-1]) && isLetter(b[i+1]):
			// an apostrophe
		default:
			open = !open
		}
	}
	return open
}

// lines is what is known of line ends: where the last one of b[from:to] stands, and one more; 0 if there is none.
type lines struct{ from, to, last int }

// lastLine returns where the last line end of b[from:to] stands, or -1. It is asked for ascending places most of the time, and looks at each byte once then.
func (f *finder) lastLine(from, to int) int {
	l := &f.lines
	if from < l.from || from > l.to || to < l.to {
		*l = lines{from: from, to: from}
	}
	if i := bytes.LastIndexByte(f.b[l.to:to], '\n'); i >= 0 {
		l.last = l.to + i + 1
	}
	l.to = to
	if l.last <= from {
		return -1
	}
	return l.last - 1
}
