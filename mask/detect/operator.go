package detect

import (
	"bytes"

	"weir/mask/field"
)

// pair reads the value of {Name:DB_PASSWORD Value:x} and its like, from behind the name. known is false when it is none.
func (v *value) pair(i int) (found, known bool) {
	const word = "value"
	start := i
	for ; ; i++ {
		c, ok := v.peek(i)
		if !ok {
			return !v.f.final && v.need(), true
		}
		if i-start > 64 {
			return false, false
		}
		if bytes.IndexByte([]byte("\"' \\\t\r\n,;"), c) < 0 {
			break
		}
	}
	if i == start {
		return false, false
	}
	for k := range len(word) {
		c, ok := v.peek(i + k)
		if !ok {
			return !v.f.final && v.need(), true
		}
		if c|0x20 != word[k] {
			return false, false
		}
	}
	for i += len(word); ; i++ {
		c, ok := v.peek(i)
		switch {
		case !ok:
			return !v.f.final && v.need(), true
		case c == ':' || c == '=':
			v.form.key, v.form.tight, v.form.pair = true, true, true
			v.lineStart = bytes.IndexByte(v.f.b[start:i], '\n') >= 0
			return v.read(i+1, false), true
		case !pairQuote(c):
			return false, false
		}
	}
}

// operator finds what joins name and value: = : => or, behind a flag or an SQL keyword, a blank.
func (v *value) operator() bool {
	f, i := v.f, v.at
	if f.pairName(v.name) && !field.AntiForgery(f.b[v.name:v.at]) {
		if found, known := v.pair(i); known {
			return found
		}
	}
	mark, short := v.quoteAt(i)
	switch {
	case short:
		return v.need()
	case len(mark) > 0:
		if i += len(mark); i == len(f.b) && !f.final {
			return v.need()
		} else if i < len(f.b) && f.b[i] == ']' {
			i++ // config['x'] = y
		}
	case i < len(f.b) && f.b[i] == ']':
		i++
	}
	v.form.key = i > v.at
	begin := i
	i = v.blanks(i)
	v.form.tight = i == begin
	c, ok := v.peek(i)
	if !ok {
		return !f.final && v.need()
	}
	v.form.colon = c == ':'
	v.form.pair = c == '=' && v.name > 0 && (f.b[v.name-1] == '?' || f.b[v.name-1] == '&')
	next, ok := v.peek(i + 1)
	if !ok && bytes.IndexByte(operatorTable, c) >= 0 {
		return !f.final && v.need()
	}
	switch {
	case c == '%':
		return v.percent(i)
	case c == '=' && next == '=':
		return v.strength == field.Strong && v.compared(i+2)
	case c == ':' && next == ':':
		return v.defined(i + 2)
	case c == ':' && next == '/' && i == v.at, c == ':' && bytes.HasSuffix(f.b[:v.name], []byte(":")) && bytes.Contains(f.b[max(0, v.name-maxNameSide):v.name], []byte(":secretsmanager:")):
		return false // what follows is the name of a secret
	case c == '=' && next == '>', c == ':' && next == '=':
		v.lineStart = false
		if at, short := v.dumped(i + 2); short {
			return v.need()
		} else if at > 0 {
			return v.read(at, true)
		}
		return v.read(i+2, c == ':')
	case c == '=' || c == ':':
		return v.read(i+1, false)
	case c == '>' && i == v.at && v.name > 0 && f.b[v.name-1] == '<', c == '>' && next != '=' && f.pairName(v.name):
		return v.element(i + 1)
	case i > begin && v.name > 0 && f.b[v.name-1] == '<' && isLetter(c):
		return v.tag(i)
	}
	return v.keyword(i, begin, c, next)
}

// dumped returns where the value of PHP's var_dump begins, on the line behind its =>; 0 when there is none.
func (v *value) dumped(i int) (at int, short bool) {
	b, begin := v.f.b, i
	if i == len(b) || b[i] != '\n' && b[i] != '\r' {
		return 0, i == len(b) && !v.f.final
	}
	for i < len(b) && i-begin < 80 && (b[i] == '\n' || b[i] == '\r' || b[i] == ' ') {
		i++
	}
	if rest := b[i:]; len(rest) < len("string(") {
		return 0, !v.f.final && i-begin < 80
	} else if !bytes.HasPrefix(rest, []byte("string(")) {
		return 0, false
	}
	return i, false
}

// operatorTable is what the operators of two bytes begin with.
var operatorTable = []byte("=:?.+|&!i%")

// keyword finds the rarer operators and what stands behind a name without any.
func (v *value) keyword(i, begin int, c, next byte) bool {
	f := v.f
	switch {
	case (c == '?' || c == '.' || c == '+') && next == '=':
		v.lineStart = false
		return v.read(i+2, true)
	case c == '!' && next == '=':
		return v.strength == field.Strong && v.compared(i+2)
	case c == 'i' && next == 's' && i > begin && !v.isFlag():
		return v.is(i) // the password is "x"
	case c == '|' || c == '&':
		if third, ok := v.peek(i + 2); third == '=' {
			return v.read(i+3, true)
		} else if !ok && !f.final {
			return v.need()
		}
		return false
	case c == ',' && i == begin && f.argument(v.name):
		v.form.query = true
		return v.read(i+1, true)
	case c == 's' && i > begin && bytes.HasPrefix(f.b[i:], []byte(stringType)):
		return v.read(i+len(stringType), true)
	case c == 's' && i > begin && !f.final && len(f.b)-i < len(stringType) && stringType[:len(f.b)-i] == string(f.b[i:]):
		return v.need()
	case i > begin && v.isFlag():
		v.flag, v.lineStart = true, false
		return v.read(i, false)
	case i > begin && c|0x20 == 'f' && next|0x20 == 'o' && (foldPrefix(f.b[i:], "for ") || len(f.b)-i < len("for ")):
		return v.forUser(i)
	case i > begin && f.netrc(v.name, v.at):
		v.lineStart, v.form.pair = false, true
		return v.read(i, false)
	case i > begin && (f.directive(v.name, v.at) || v.name > 1 && f.b[v.name-2] == 'V' && bytes.HasSuffix(f.b[:v.name], []byte("ENV "))):
		v.form.pair = true
		return v.read(i, false)
	case i > begin && (c == '\'' || c == '"') && v.strength == field.Strong && v.form.key && !v.lineStart:
		return false // x "password" "y": one string after another
	case i > begin && (c == '\'' || c == '"') && v.strength == field.Strong:
		v.form.query = true
		return v.read(i, true) // PASSWORD 'x'
	case c == '"' && i > begin && v.form.key && v.name > 0 && f.b[v.name-1] == '"' && v.strength == field.Strong, c == '\n' && v.form.key && v.replies():
		return v.reply(i)
	case i > begin && v.isSet():
		if b := f.b[:v.name]; bytes.HasSuffix(b, []byte("et ")) || bytes.HasSuffix(b, []byte("ET ")) {
			return v.strange(i) // set password via …
		}
		v.flag, v.lineStart = true, false
		return v.read(i, false)
	case i > begin+1 && v.lineStart && v.strength == field.Strong && passwordName(f.b[v.name:v.at]):
		v.columns = true // a table of names and values
		return v.lastWord(i)
	case i > begin && isLetter(c) && f.spoken(v.name, v.at):
		return v.sentence(i)
	case i > begin && v.lineStart && v.strength == field.Strong:
		return v.lastWord(i)
	}
	return false
}

// isSet reports a name behind the word that sets it: set X y, set -x X y, set_header X y.
func (v *value) isSet() bool {
	if v.strength != field.Strong {
		return false
	}
	before := v.f.b[max(0, v.name-12):v.name]
	if n := len(before); n < 4 || before[n-1] != ' ' || bytes.IndexByte(setEndTable, before[n-2]) < 0 {
		return false
	}
	for _, word := range [...]string{"set ", "SET ", "set_header ", "set -x ", "set -gx ", "setx ", "cgi_param "} {
		if bytes.HasSuffix(before, []byte(word)) {
			return true
		}
	}
	return false
}

// setEndTable is what the words end with that set a name, in front of their blank.
var setEndTable = []byte("tTrxm")

// replies reports a name that stands in a list of Redis's command line, its value on the next line: 3) "password".
func (v *value) replies() bool {
	return v.name > 3 && v.strength == field.Strong && string(v.f.b[v.name-3:v.name]) == `) "` && isDigit(v.f.b[v.name-4])
}

// reply reads the value of such a name from the end of its line, or behind a blank: "password" "x".
func (v *value) reply(i int) bool {
	for begin := i; ; i++ {
		c, ok := v.peek(i)
		switch {
		case !ok:
			return !v.f.final && v.need()
		case c == '"' && v.f.b[begin] != '\n' || c == '"' && i-begin > 3:
			v.form.key, v.form.pair, v.lineStart = true, true, false
			return v.read(i, true)
		case c != ' ' && c != '\n' && c != ')' && !isDigit(c), i-begin > 24:
			return false
		}
	}
}

// is reads what a sentence says behind is: a quoted value, or a word that nobody would write there.
func (v *value) is(word int) bool {
	i := v.blanks(word + 2)
	c, ok := v.peek(i)
	if ok && c == ':' { // your token is: x
		i = v.blanks(i + 1)
		c, ok = v.peek(i)
	}
	switch {
	case !ok:
		return !v.f.final && v.need()
	case isLetter(c) && v.f.spoken(v.name, v.at):
		found := len(v.f.out)
		if v.strange(i) {
			return true
		} else if len(v.f.out) > found {
			return false
		}
		return v.sentence(word) // a password is made for x: y
	case c == '"' || c == '\'' || c == '`' || c == '\\' || c == '&':
		v.form.query = true
		return v.strength == field.Strong && v.read(i, true)
	}
	return v.strange(i)
}

// strange reads the word at i, which is a secret only if it looks made by a machine.
func (v *value) strange(i int) bool {
	v.f.view(i)
	for end := i; ; end++ {
		c, ok := v.peek(end)
		switch {
		case !ok && !v.f.final:
			return v.open(i, RunToken, "")
		case ok && c > ' ' && c != '"' && c != '\'' && c != ',' && c != '<' && c != ')' && c != ';' && c != '\\':
			continue
		}
		word := bytes.TrimRight(v.f.b[i:min(end, len(v.f.b))], ".:!?")
		if !madeUp(word) || v.strength == field.Weak && len(word) < 16 || pathLike(word) || digest(word) && hashName(v.f.b[v.name:v.at]) {
			return false
		}
		return v.judge(i, i+len(word), true)
	}
}

// madeUp reports one word that looks made by a machine.
func madeUp(word []byte) bool {
	return len(word) >= 8 && (isDigit(word[0]) || isLetter(word[0]) || word[0] == '+' && len(word) >= 32) && tokenLike(word) && !field.Wordy(word) && !bytes.ContainsAny(word, "<>[]{}()|\"'`,")
}

// sentence reads the key we got from azure is x, and password for user bob: x, from behind key.
func (v *value) sentence(i int) bool {
	b := v.f.b
	if v.name > 1 && b[v.name-2] == 'c' && bytes.HasSuffix(b[:v.name], []byte("ublic ")) {
		return false
	}
	for end := max(i, v.f.words); end-i < 48; end++ {
		for limit := min(len(b), i+48); end < limit && plainWordTable[b[end]]; {
			end++
		}
		v.f.words = end // so far, nothing but words
		if end-i >= 48 {
			break
		}
		c, ok := v.peek(end)
		switch {
		case !ok:
			return !v.f.final && v.need()
		case c == ':' && end+1 < len(b) && b[end+1] == ' ':
			return v.strange(end + 2)
		case c == ':' && end+1 < len(b) && (b[end+1] == '\n' || b[end+1] == '\r'):
			return v.paragraph(end + 1)
		case c == 's' && end > i+1 && b[end-1] == 'i' && b[end-2] == ' ' && end+1 < len(b) && b[end+1] == ' ':
			return v.strange(end + 2)
		case c == ':' && end+1 == len(b) && !v.f.final, c == 's' && end+1 == len(b) && !v.f.final:
			return v.need()
		case !isLetter(c) && c != ' ' && c != '\'' && c != '-' && c != '@' && !isDigit(c):
			return false
		}
	}
	return false
}

// plainWordTable is what sentence may pass over: what words are made of and stands between them, but for s, which may end is.
var plainWordTable = func() (t [256]bool) {
	for c := range t {
		b := byte(c)
		t[c] = b != 's' && (isLetter(b) || isDigit(b) || bytes.IndexByte([]byte(" '-@"), b) >= 0)
	}
	return t
}()

// paragraph reads a word that stands alone on the line behind what speaks of it, or on the one after.
func (v *value) paragraph(i int) bool {
	for begin, lines := i, 0; ; i++ {
		c, ok := v.peek(i)
		if !ok {
			return !v.f.final && v.need()
		}
		if c == '\n' {
			lines++
		} else if c != ' ' && c != '\t' && c != '\r' {
			break
		}
		if lines > 2 || i-begin > 40 {
			return false
		}
	}
	v.f.view(i)
	b := v.f.b
	for end := i; end-i < maxCommand; end++ {
		switch c, ok := v.peek(end); {
		case !ok && !v.f.final:
			return v.open(i, RunToken, "")
		case ok && c > ' ':
			continue
		case ok && c != '\n' && c != '\r':
			return false
		}
		word := b[i:min(end, len(b))]
		if len(word) < 16 || !madeUp(word) || bytes.IndexByte(word, ':') >= 0 {
			return false
		}
		return v.judge(i, i+len(word), true)
	}
	return false
}

// lastWord reads the word behind a name that begins a line, if it ends the line: smtp_password  x.
func (v *value) lastWord(i int) bool {
	v.f.view(i)
	b := v.f.b
	for end := i; end-i < maxCommand; end++ {
		c, ok := v.peek(end)
		switch {
		case !ok && !v.f.final:
			return v.open(i, RunToken, "")
		case ok && c == ' ' && end-i == 1 && isDigit(b[i]): // Cisco's password 7 x
			return v.lastWord(end + 1)
		case ok && (c == ' ' || c == '\t'):
			return false
		case !ok || c == '\n' || c == '\r':
			word := b[i:min(end, len(b))]
			if secret := madeUp(word) || v.columns && len(word) >= 6 && tokenLike(word); !secret || v.inCode() {
				return false
			}
			return v.judge(i, i+len(word), true)
		}
	}
	return false
}

// forUser reads SET PASSWORD FOR 'bob'@'host' = 'x' from behind PASSWORD.
func (v *value) forUser(i int) bool {
	line := v.f.b[i:min(len(v.f.b), i+maxCommand)]
	switch {
	case len(line) < 4 && !v.f.final:
		return v.need()
	case !foldPrefix(line, "for "):
		return false
	}
	n := bytes.IndexAny(line, "=\n")
	switch {
	case n < 0 && len(line) < maxCommand && !v.f.final:
		return v.need()
	case n < 0 || line[n] != '=' || bytes.IndexByte(line[:n], '\'') < 0:
		return false
	}
	v.form.pair = true
	return v.read(i+n+1, true)
}

// compared reads the string that a name is compared with: password == "x", === too.
func (v *value) compared(i int) bool {
	c, ok := v.peek(i)
	if !ok {
		return !v.f.final && v.need()
	}
	if c == '=' {
		i++
	}
	v.form.query = true
	return v.read(i, true)
}

// defined reads what stands behind ::= and :::=.
func (v *value) defined(i int) bool {
	for ; ; i++ {
		c, ok := v.peek(i)
		switch {
		case !ok:
			return !v.f.final && v.need()
		case c == '=':
			return v.read(i+1, true)
		case c != ':' || i > v.at+8:
			return false
		}
	}
}

func (v *value) isFlag() bool {
	b := v.f.b
	if v.strength == field.Strong && v.at-v.name > 4 && v.name >= 1 && b[v.name-1] == '-' && (v.name == 1 || b[v.name-2] == ' ' || b[v.name-2] == '`') {
		return true // -Password x
	}
	return v.name >= 2 && b[v.name-1] == '-' && b[v.name-2] == '-' && (v.name == 2 || b[v.name-3] <= ' ' || b[v.name-3] == '"' || b[v.name-3] == '\'')
}
