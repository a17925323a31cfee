package sql

import (
	"strings"
	"unicode/utf8"

	"weir"
)

// Input is what the meaning of a text depends on besides the text.
type Input struct {
	Snapshot   *Snapshot // nil makes everything unclear
	SearchPath []string  // of the session now; nil means the snapshot's. With "$user" in it, names are looked up in every schema
	Conforming bool      // standard_conforming_strings
	MaxBytes   int       // longer texts are unclear; 0 means 1 MiB
	// These tell what a prepared statement, a cursor, or a view, table or function made in this session stands for; nil when
	// there is none of that name. A nil func knows none.
	Prepared, Cursor, Made func(name string) *weir.SQL
	// Names is what is known of the session besides; nil knows nothing.
	Names *Names
}

const defaultMaxBytes = 1 << 20

// maxNested bounds how deep texts stand in texts: DO in a function in a function.
const maxNested = 8

// maxParens bounds how deep parentheses nest.
const maxParens = 1000

type classifier struct {
	in   Input
	path []string
	any  bool // names are looked up in every schema
	body bool // the text is a function's body, a view's query or an expression
	into bool // SELECT INTO in a body makes a table: it is no variable
	out  *facts
	own  names // prepared statements and cursors that this text makes
	made names // relations and functions that it makes
	sure names // what they are surely called by; see Binding.surely
	deep bool  // parentheses nest too deep to read the text
}

// Classify tells what a text does. It never fails: what it cannot tell is in Unclear. It takes time linear in the text and in what that
// reaches. The caller owns the result, which it may share but not change.
func Classify(text string, in Input) *weir.SQL {
	f := &facts{}
	if in.MaxBytes == 0 {
		in.MaxBytes = defaultMaxBytes
	}
	switch {
	case in.Snapshot == nil:
		f.fail("the database's catalogue is not known yet")
		in.Snapshot = NewSnapshot(Catalog{})
	case len(text) > in.MaxBytes:
		f.fail("the text is too long")
		return f.result()
	}
	c := &classifier{in: in, path: in.SearchPath, out: f}
	if c.path == nil {
		c.path = in.Snapshot.path
	}
	for _, schema := range c.path {
		c.any = c.any || schema == "$user"
	}
	c.text(text, 0)
	if !c.any && len(f.settings) > 0 && f.changes && (f.settings.has("search_path") || f.settings.has("*")) {
		in.SearchPath = []string{"$user"} // what comes behind a change of the path may mean any schema
		return Classify(text, in)
	}
	f.expand(&in)
	f.shadow(in.Names)
	if f.fetches && in.Names != nil {
		for _, cursor := range in.Names.cursors {
			f.include(cursor)
		}
		if in.Names.opened != nil {
			f.include(in.Names.opened)
		}
	}
	return f.result()
}

// tok is a token that means something: no blank, no comment.
type tok struct {
	Token
	class class
	name  bool   // Quoted or Unicode
	word  string // of Word, Quoted and Unicode: the folded name; of Mark and Operator: the text
	match int    // of parentheses: the other one; -1 when there is none
}

// tokens cuts a text. It reports in c.out what makes the text unreadable.
func (c *classifier) tokens(text string) []tok {
	toks := make([]tok, 0, len(text)/5+8)
	var open []int
	high, slash := false, false
	for lex := (Lexer{Text: text, Conforming: c.in.Conforming}); ; {
		t := lex.Next()
		high = high || t.High
		if t.Open {
			c.out.fail("a string, name or comment does not end")
		}
		n := tok{Token: t, match: -1}
		switch t.Kind {
		case End:
			c.out.backslash = c.out.backslash || slash
			if len(open) > 0 {
				c.out.fail("a parenthesis is not closed")
			}
			if high && !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
				c.out.fail("the text is not valid UTF-8")
			}
			return toks
		case Space, Comment:
			continue
		case Word:
			n.word = fold(text[t.Start:t.End])
			n.class = keywordTable[n.word].class
		case Quoted:
			n.name, n.word = true, unquote(text[t.Start:t.End])
		case Unicode:
			n.name, n.word = true, text[t.Start:t.End]
		case String:
			slash = slash || strings.IndexByte(text[t.Start:t.End], '\\') >= 0
		case Stray:
			c.out.fail("a character begins nothing")
		case Operator, Mark:
			n.word = text[t.Start:t.End]
			open = c.pair(toks, open, &n)
		case Escaped, UString, Dollar, Param, Number:
		}
		toks = append(toks, n)
	}
}

// pair notes which parentheses belong together.
func (c *classifier) pair(toks []tok, open []int, n *tok) []int {
	switch n.word {
	case "(", "[":
		if len(open) > maxParens {
			c.out.fail("parentheses nest too deep")
			c.deep = true
		}
		return append(open, len(toks))
	case ")", "]":
		if len(open) == 0 || (toks[open[len(open)-1]].word == "(") != (n.word == ")") {
			c.out.fail("a parenthesis is not opened")
			return open
		}
		o := open[len(open)-1]
		n.match, toks[o].match = o, len(toks)
		return open[:len(open)-1]
	}
	return open
}

// decode replaces the text of U&"…" names by the name, minding UESCAPE.
func (c *classifier) decode(text string, toks []tok) {
	for i := range toks {
		t := &toks[i]
		if t.Kind != Unicode || t.Open {
			continue
		}
		escape, ok := c.escape(text, toks, i)
		if !ok {
			c.out.fail("a UESCAPE cannot be read")
		}
		raw := strings.TrimSuffix(t.word[3:], `"`)
		name, ok := unicodeText(strings.ReplaceAll(raw, `""`, `"`), escape)
		if !ok {
			c.out.fail("a name with Unicode escapes cannot be read")
		}
		t.word = clip(name)
	}
}

// escape returns what escapes characters in the U&"…" or U&'…' at i, minding UESCAPE. ok is false where that cannot be told.
func (c *classifier) escape(text string, toks []tok, i int) (escape byte, ok bool) {
	if i+2 >= len(toks) || toks[i+1].word != "uescape" || toks[i+1].Kind != Word || toks[i+2].Kind < String || toks[i+2].Kind > Dollar {
		return '\\', true
	}
	v, ok := Literal(toks[i+2].Token, text, c.in.Conforming, '\\')
	if !ok || len(v) != 1 {
		return '\\', false
	}
	return v[0], true
}

// text reads all statements of a text into c.out.
func (c *classifier) text(text string, nested int) {
	if nested > maxNested {
		c.out.fail("texts nest too deep")
		return
	}
	toks := c.tokens(text)
	if c.deep {
		return
	}
	c.decode(text, toks)
	s := &scan{c: c, text: text, toks: toks, f: c.out, nested: nested}
	if c.body {
		s.run(0, len(toks))
		if nested > 0 {
			s.moved(0, len(toks))
		}
		s.finish()
		return
	}
	count := 0
	for lo := 0; lo < len(toks); {
		hi := statementEnd(toks, lo)
		if hi > lo {
			count++
			for _, b := range s.bindings(nil, lo, hi) {
				if b.Verb == "CREATE" && b.Kind != "schema" && b.Kind != "on" {
					c.made.add(b.Name)
				}
				for _, name := range b.surely(c.path) {
					c.sure.add(name)
				}
				if b.Verb == "ROLLBACK" {
					c.sure = nil
				}
			}
			s.statement(lo, hi)
		}
		lo = hi + 1
	}
	if nested == 0 {
		c.out.statements = count
		if count == 1 {
			c.out.outputs = s.outputs()
		}
	}
	s.finish()
}

// statementEnd returns where the statement that begins at lo ends: at a semicolon outside parentheses and BEGIN ATOMIC … END. Since "begin", "atomic"
// and "case" may be names as well, a semicolon with nothing behind it that may stand in such a body ends the statement in any case.
func statementEnd(toks []tok, lo int) int {
	atomic, paren := 0, 0
	for i := lo; i < len(toks); i++ {
		switch t := &toks[i]; {
		case t.Kind == Mark && (t.word == "(" || t.word == "["):
			paren++
		case t.Kind == Mark && (t.word == ")" || t.word == "]"):
			paren = max(0, paren-1)
		case t.Kind == Mark && t.word == ";" && paren == 0 && (atomic == 0 || !inAtomic(toks, i+1)):
			return i
		case t.Kind != Word:
		case t.word == "atomic" && i > lo && toks[i-1].Kind == Word && toks[i-1].word == "begin" && toks[lo].word == "create":
			atomic++
		case t.word == "case" && atomic > 0:
			atomic++
		case t.word == "end" && atomic > 0:
			atomic--
		}
	}
	return len(toks)
}

// inAtomic tells whether what begins at i may stand in a body of BEGIN ATOMIC: it is a query or a write, or the body's end.
func inAtomic(toks []tok, i int) bool {
	if i >= len(toks) {
		return false
	}
	switch t := &toks[i]; t.word {
	case "select", "insert", "update", "delete", "merge", "with", "values", "table", "return", "end":
		return t.Kind == Word
	case "(", ";":
		return t.Kind == Mark
	}
	return false
}
