package shell

import "strings"

var redirectNames = []string{"&>>", "&>", "<<<", "<<-", "<<", "<>", "<&", "<", ">>", ">|", ">&", ">"}

// redirection reports whether a redirection begins here, and where its operator stands.
func (p *parser) redirection() bool {
	_, op := p.operator()
	return op != ""
}

// operator returns the redirection operator that begins here and the length of the descriptor in front of it.
func (p *parser) operator() (n int, op string) {
	i := 0
	switch {
	case p.peek(0) == '{':
		for i = 1; isNameByte(p.peek(i)); i++ {
		}
		if i < 2 || p.peek(i) != '}' {
			return 0, ""
		}
		i++
	default:
		for ; p.peek(i) >= '0' && p.peek(i) <= '9'; i++ {
		}
	}
	rest := p.src[min(p.pos+i, len(p.src)):]
	if rest == "" || rest[0] != '<' && rest[0] != '>' && (rest[0] != '&' || i > 0) || len(rest) > 1 && rest[1] == '(' {
		return 0, ""
	}
	for _, s := range redirectNames {
		if strings.HasPrefix(rest, s) {
			return i, s
		}
	}
	return 0, ""
}

// redirect reads a redirection.
func (p *parser) redirect(in *input) bool {
	n, op := p.operator()
	if op == "" {
		return false
	}
	p.pos += n + len(op)
	p.blanks()
	w, ok := p.word()
	if !ok {
		p.fail("a redirection to nothing")
		return true
	}
	switch op {
	case "<<", "<<-":
		h := &heredoc{end: w.text, tabs: op == "<<-", quoted: w.quoted}
		p.heres = append(p.heres, h)
		in.heres = append(in.heres, h)
	case "<<<":
		in.texts = append(in.texts, w.text)
		in.dyn = in.dyn || w.expand
	case "<&", ">&":
		if strings.Trim(w.text, "0123456789-") == "" {
			in.isFile = in.isFile || op == "<&"
			return true
		}
		p.file(&w)
	default:
		in.isFile = in.isFile || op[0] == '<'
		p.file(&w)
	}
	return true
}

func (p *parser) file(w *word) {
	if w.text == "/dev/null" {
		return
	}
	p.c.use.Redirect = true
	p.c.file(w.text)
}

// body reads the body of a here-document.
func (p *parser) body(h *heredoc) {
	start := p.pos
	end := len(p.src)
	for p.pos < len(p.src) {
		line := p.src[p.pos:]
		next := len(p.src)
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line, next = line[:i], p.pos+i+1
		}
		at := p.pos
		p.pos = next
		if !p.c.spend(len(line)) {
			return
		}
		if h.tabs {
			line = strings.TrimLeft(line, "\t")
		}
		if line == h.end {
			end = at
			break
		}
	}
	text := p.src[start:end]
	dynamic := false
	if !h.quoted {
		dynamic = p.expanded(text)
	}
	if h.code {
		p.c.use.Dynamic = p.c.use.Dynamic || dynamic
		p.c.code(text, p.depth+1, nil)
	}
}

// expanded lists the commands of substitutions in a here-document, and reports whether it holds expansions.
func (p *parser) expanded(text string) bool {
	if !strings.ContainsAny(text, "$`") {
		return false
	}
	if p.depth >= maxDepth {
		p.fail("it is nested too deeply")
		return true
	}
	q := &parser{c: p.c, src: text, depth: p.depth + 1}
	var w word
	for q.pos < len(q.src) && q.ok() && q.c.spend(1) {
		switch q.src[q.pos] {
		case '\\':
			q.pos += 2
		case '$', '`':
			q.expansion(nil, &w, true)
		default:
			q.pos++
		}
	}
	return w.expand
}
