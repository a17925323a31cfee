package shell

import "strings"

// parser reads one text. Texts inside it that are quoted have parsers of their own.
type parser struct {
	c      *collector
	src    string
	pos    int
	depth  int
	outer  *input // the standard input of the whole text
	heres  []*heredoc
	failed bool
}

// heredoc is a << whose body comes after the next line break.
type heredoc struct {
	end    string
	tabs   bool // <<-
	quoted bool // nothing is expanded in it
	code   bool // something runs it
}

func (p *parser) ok() bool { return !p.failed && p.c.steps >= 0 }

// fail gives up on the text.
func (p *parser) fail(why string) {
	p.c.unclear(why)
	p.failed = true
	p.pos = len(p.src)
}

// peek returns the byte n after the current one, or 0. The text holds no NUL.
func (p *parser) peek(n int) byte {
	if p.pos+n < len(p.src) {
		return p.src[p.pos+n]
	}
	return 0
}

func (p *parser) has(s string) bool { return strings.HasPrefix(p.src[min(p.pos, len(p.src)):], s) }

func (p *parser) enter() bool {
	if p.depth++; p.depth > maxDepth {
		p.depth--
		p.fail("it is nested too deeply")
		return false
	}
	return true
}

// blanks skips spaces, continued lines and comments.
func (p *parser) blanks() {
	for p.pos < len(p.src) && p.c.spend(1) {
		switch c := p.src[p.pos]; {
		case c == ' ' || c == '\t':
			p.pos++
		case c == '\\' && p.peek(1) == '\n':
			p.pos += 2
		case c == '#' && (p.pos == 0 || strings.IndexByte(metaBytes, p.src[p.pos-1]) >= 0):
			for p.pos < len(p.src) && p.src[p.pos] != '\n' {
				p.pos++
			}
		default:
			return
		}
	}
}

// lines skips blanks and line breaks.
func (p *parser) lines() {
	for p.blanks(); p.peek(0) == '\n'; p.blanks() {
		p.newline()
	}
}

func (p *parser) newline() {
	p.pos++
	heres := p.heres
	p.heres = nil
	for _, h := range heres {
		p.body(h)
	}
}

// list reads commands until something that closes a construct, and returns it: "" at the end of the text.
func (p *parser) list() string {
	for p.ok() && p.c.spend(1) {
		p.blanks()
		switch c := p.peek(0); c {
		case 0:
			return ""
		case '\n':
			p.newline()
		case ';':
			for _, s := range []string{";;&", ";;", ";&"} {
				if p.has(s) {
					p.pos += len(s)
					return ";;"
				}
			}
			p.pos++
		case '|':
			p.pos++
		case '&':
			if p.peek(1) == '>' {
				p.simple(word{eq: -1}, false)
				continue
			}
			p.pos++
		case ')':
			p.pos++
			return ")"
		case '(':
			p.subshell()
		default:
			if closer := p.command(); closer != "" {
				return closer
			}
		}
	}
	return ""
}

func (p *parser) subshell() {
	if p.peek(1) == '(' {
		at := p.pos
		if p.pos += 2; p.arithmetic() {
			return
		}
		if p.failed {
			return
		}
		p.pos = at
	}
	p.pos++
	p.block(")")
}

// block reads a list that want closes.
func (p *parser) block(want string) {
	if got := p.closed(want); got != "" && got != want {
		p.fail("a stray " + got)
	}
}

// closed reads a list and returns what closes it, which is one of the words in want.
func (p *parser) closed(want string) string {
	if !p.enter() {
		return ""
	}
	defer func() { p.depth-- }()
	got := p.list()
	if got == "" || !strings.Contains(" "+want+" ", " "+got+" ") {
		p.fail("a construct is not closed by " + want)
		return ""
	}
	return got
}

// command reads one command, or the opening or closing word of a construct. It returns a closing word.
func (p *parser) command() string {
	if p.redirection() {
		p.simple(word{eq: -1}, false)
		return ""
	}
	w, ok := p.word()
	if !ok {
		p.fail("something that is no word")
		return ""
	}
	if !w.plain() {
		p.simple(w, true)
		return ""
	}
	switch w.text {
	case "then", "else", "elif", "fi", "do", "done", "esac", "}":
		return w.text
	case "!", "coproc":
	case "time":
		for p.blanks(); p.has("-p ") || p.has("-- "); p.blanks() {
			p.pos += 2
		}
	case "{":
		p.block("}")
	case "if":
		for got := p.closed("then"); got != "fi" && p.ok(); {
			if got = p.closed("elif else fi"); got == "elif" {
				p.closed("then")
			}
		}
	case "while", "until":
		p.closed("do")
		p.closed("done")
	case "for", "select":
		p.loop()
	case "case":
		p.cases()
	case "function":
		p.blanks()
		_, _ = p.word()
		if p.blanks(); p.has("()") {
			p.pos += 2
		}
	case "[[":
		p.condition()
	default:
		p.simple(w, true)
	}
	return ""
}

func (p *parser) loop() {
	p.blanks()
	if p.has("((") {
		if p.pos += 2; !p.arithmetic() {
			p.fail("a (( is not closed")
			return
		}
	} else {
		w, ok := p.word()
		if !ok {
			p.fail("a loop without a name")
			return
		}
		p.c.use.Assign = true
		p.c.use.Dynamic = p.c.use.Dynamic || carriesCode(w.text)
	}
	p.lines()
	if p.has("in") && (p.peek(2) == 0 || strings.IndexByte(metaBytes, p.peek(2)) >= 0) {
		p.pos += 2
		for p.blanks(); p.ok(); p.blanks() {
			w, ok := p.word()
			if !ok {
				break
			}
			p.c.file(w.text)
		}
	}
	for p.lines(); p.peek(0) == ';' && p.ok(); p.lines() {
		p.pos++
	}
	w, _ := p.word()
	switch w.text {
	case "do":
		p.closed("done")
	case "{":
		p.block("}")
	default:
		p.fail("a loop without do")
	}
}

func (p *parser) cases() {
	p.blanks()
	_, _ = p.word()
	p.lines()
	if w, _ := p.word(); w.text != "in" || !p.enter() {
		p.fail("a case without in")
		return
	}
	defer func() { p.depth-- }()
	for p.ok() && p.c.spend(1) {
		p.lines()
		open := p.peek(0) == '('
		if open {
			p.pos++
		}
		for first := true; p.ok(); first = false {
			p.blanks()
			w, ok := p.word()
			if first && !open && w.plain() && w.text == "esac" {
				return
			}
			p.blanks()
			if c := p.peek(0); !ok || c != '|' && c != ')' {
				p.fail("a pattern of case is not closed")
				return
			}
			p.pos++
			if p.src[p.pos-1] == ')' {
				break
			}
		}
		if p.closed(";; esac") == "esac" {
			return
		}
	}
}

// condition reads [[ … ]]: words, and operators that mean something else elsewhere.
func (p *parser) condition() {
	words := []word{{text: "[[", eq: -1}}
	for p.ok() && p.c.spend(1) {
		p.lines()
		if p.peek(0) == 0 {
			p.fail("a [[ is not closed")
			return
		}
		w, ok := p.word()
		if !ok {
			p.pos++
			continue
		}
		if words = append(words, w); w.plain() && w.text == "]]" {
			p.c.run(words, nil, p.depth, true)
			return
		}
	}
}

// simple reads the rest of a simple command whose first word, if there is one, was read.
func (p *parser) simple(first word, have bool) {
	in := &input{}
	if p.outer != nil {
		*in = *p.outer
	}
	var words []word
	assigning := true
	add := func(w word) {
		switch {
		case assigning && w.eq > 0:
			p.c.assign(&w)
		default:
			assigning = false
			words = append(words, w)
		}
		if w.eq > 0 && w.eq+1 == len(w.text) && p.peek(0) == '(' {
			p.array()
		}
	}
	if have {
		add(first)
	}
	for p.ok() && p.c.spend(1) {
		p.blanks()
		if p.redirect(in) {
			continue
		}
		if p.peek(0) == '(' && len(words) == 1 && !words[0].expand {
			if p.pos++; p.function() {
				return
			}
			continue
		}
		w, ok := p.word()
		if !ok {
			break
		}
		add(w)
	}
	if p.peek(0) == '(' {
		p.fail("a ( where none can be")
	}
	if len(words) > 0 && p.ok() {
		p.c.run(words, in, p.depth, true)
	}
}

// function reads the ) of a definition; its body follows as a command.
func (p *parser) function() bool {
	if p.blanks(); p.peek(0) != ')' {
		p.fail("a ( where none can be")
		return false
	}
	p.pos++
	return true
}

func isAssignment(name string) bool {
	name = strings.TrimSuffix(name, "+")
	if i := strings.IndexByte(name, '['); i > 0 && strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	return name != "" && strings.IndexFunc(name, func(r rune) bool { return r > 127 || !isNameByte(byte(r)) }) < 0
}

// array reads the rest of NAME=(…).
func (p *parser) array() {
	for p.pos++; p.ok() && p.c.spend(1); {
		p.lines()
		if p.peek(0) == ')' {
			p.pos++
			return
		}
		w, ok := p.word()
		if !ok {
			p.fail("a ( is not closed")
		}
		p.c.file(w.text)
	}
}

// assign notes a word that sets a variable.
func (c *collector) assign(w *word) {
	c.use.Assign = true
	c.file(w.text[w.eq+1:])
	if carriesCode(strings.TrimSuffix(w.text[:w.eq], "+")) {
		c.use.Dynamic = true
	}
}

// carriesCode reports whether a variable of the name changes what commands run.
func carriesCode(name string) bool {
	switch name {
	case "PATH", "IFS", "ENV", "SHELL", "PS4", "SHELLOPTS", "VISUAL", "BROWSER", "LESSOPEN", "LESSCLOSE", "NODE_OPTIONS", "PERL5OPT", "PERL5LIB", "RUBYOPT",
		"RUBYLIB", "JAVA_TOOL_OPTIONS", "GIT_SSH", "GIT_EXTERNAL_DIFF", "RSYNC_RSH":
		return true
	}
	for _, prefix := range []string{"LD_", "DYLD_", "BASH_", "PYTHON", "GIT_CONFIG"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	for _, suffix := range []string{"PAGER", "EDITOR", "COMMAND", "ASKPASS"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}
