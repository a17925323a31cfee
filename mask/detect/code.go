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
	if i := bytes.LastIndexByte(b[from:v.name], '\n'); i >= 0 {
		from += i + 1
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
