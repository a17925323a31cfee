package sql

// Template is a text whose numbers may be others without a change to its key: programs send the same statement again and again. The zero value is like no
// text. It is not changed once it is made.
type Template struct {
	text    string
	numbers []span // whole numbers in decimal digits, in order
}

type span struct{ start, end int32 }

// Longer texts get no template, nor do those with more numbers.
const (
	maxTemplate        = 1 << 10
	maxTemplateNumbers = 32
	maxTemplateDigits  = 40 // of one number in a text that is like it
)

// NewTemplate makes the template of a text that has a key. ok is false where there is none. It keeps text.
func NewTemplate(text string, conforming bool) (t Template, ok bool) {
	if len(text) > maxTemplate {
		return Template{}, false
	}
	t.text = text
	for lex := (Lexer{Text: text, Conforming: conforming}); ; {
		tok := lex.Next()
		switch {
		case tok.Kind == End:
			return t, true
		case tok.Kind != Number || !plainNumber(text, tok):
			continue
		case len(t.numbers) == maxTemplateNumbers:
			return Template{}, false
		}
		t.numbers = append(t.numbers, span{int32(tok.Start), int32(tok.End)}) //nolint:gosec // at most maxTemplate
	}
}

// plainNumber reports whether a number is of decimal digits only, and would begin and end where it does whatever they are: behind 0b1 is a 2 one of its own,
// and behind a 0 letters may belong to it.
func plainNumber(text string, t Token) bool {
	if t.Start > 0 && (text[t.Start-1] == '.' || classTable[text[t.Start-1]]&(classSpace|classOp|classMark) == 0) {
		return false
	}
	for i := t.Start; i < t.End; i++ {
		if classTable[text[i]] != classDigit {
			return false
		}
	}
	if t.End == len(text) {
		return true
	}
	switch text[t.End] {
	case ' ', '\t', '\n', '\r', ',', ';', ')':
		return true
	}
	return false
}

// Like reports whether text is the template's but for the digits of its numbers. Then both have the same key.
func (t *Template) Like(text string) bool {
	if t.text == "" {
		return false
	}
	from := 0 // of the template
	for _, n := range t.numbers {
		same := int(n.start) - from
		if len(text) < same || text[:same] != t.text[from:n.start] {
			return false
		}
		text = text[same:]
		digits := 0
		for digits < len(text) && classTable[text[digits]] == classDigit {
			digits++
		}
		if digits == 0 || digits > maxTemplateDigits {
			return false
		}
		text, from = text[digits:], int(n.end)
	}
	return text == t.text[from:]
}
