package detect

import (
	"bytes"

	"weir/mask/field"
)

// maxNameSide is how far a name reaches to either side of the stem it was found by.
const maxNameSide = 64

func isName(c byte) bool { return isWord(c) || c == '-' || c == '.' || c >= 0x80 }

// name reads a name that holds the stem at start, and the value beside it.
func (f *finder) name(l *literal, start int) bool {
	if start < f.named || start < f.done {
		return false
	}
	from, to := start, start+len(l.text)
	for from > 0 && start-from < maxNameSide && isName(f.b[from-1]) {
		from--
	}
	if !isName(l.text[len(l.text)-1]) {
		to--
	}
	for to < len(f.b) && to-start < maxNameSide && isName(f.b[to]) {
		to++
	}
	if to == len(f.b) && !f.final {
		held := f.more(from, from, f.s.named, RunToken, 0)
		f.quiet = len(f.b)
		return held
	}
	f.named = to
	if from > 0 && f.b[from-1] == '\\' && to-from > 2 && bytes.IndexByte([]byte("nrt"), f.b[from]) >= 0 {
		from++ // \npassword, where the line break is written out
	}
	for from < to && (f.b[from] == '-' || f.b[from] == '.') {
		from++
	}
	if cell := f.tabular(to); cell || f.tabularBefore(from, to) || from > 0 && cellEnd(f.b[from-1]) && to < len(f.b) && f.b[to] == ' ' {
		if f.header(from, to) {
			return true
		}
		if strength := f.s.names.Match(f.b[from:to]); cell && strength != field.None {
			if found, known := f.cellPair(from, to, strength); known {
				return found
			}
		}
	}
	if !f.assigned(from, to) || bytes.HasSuffix(f.b[:from], []byte("[masked:")) {
		return false // nothing beside it, or the kind in a placeholder
	}
	strength := f.s.names.Match(f.b[from:to])
	if strength == field.None {
		return false
	}
	v := value{f: f, name: from, at: to, strength: strength}
	v.lineStart = f.beginsLine(from)
	return v.operator()
}

// assigned reports whether something that may join a name to a value stands behind b[from:to], or may still
// come. It is a quick look that spares judging the name; value.operator decides.
func (f *finder) assigned(from, to int) bool {
	i := to
	for ; i < len(f.b); i++ {
		switch f.b[i] {
		case '=', ':', '\'', '>', '?', '!':
			return true
		case '%':
			return i == to
		case '"', ']', '\\', '`':
			if i > to || f.b[i] == '\\' {
				return true
			}
		case '.', '+', '|', '&':
			return f.b[i] == '&' || i > to && (i+1 == len(f.b) && !f.final || i+1 < len(f.b) && (f.b[i+1] == '=' || f.b[i+1] == f.b[i]))
		case 'i':
			return i > to && (len(f.b)-i < 4 || string(f.b[i:i+3]) == "is ")
		case 's':
			return i > to && bytes.HasPrefix(f.b[i:], []byte(stringType)) || !f.final && len(f.b)-i < len(stringType)
		case ' ', '\t':
			if from > 0 && f.b[from-1] == '<' || i+1 < len(f.b) && f.b[i+1]|0x20 == 'f' || f.spoken(from, to) || f.beginsLine(from) {
				return true
			}
			if from > 0 && f.b[from-1] == '-' || f.pairName(from) || f.netrc(from, to) || f.directive(from, to) {
				return true
			}
		case ',':
			return f.pairName(from) || f.argument(from)
		case '\n', '\r':
			return f.pairName(from)
		default:
			return false
		}
	}
	return !f.final
}

// tabular reports that a cell may end behind a name.
func (f *finder) tabular(to int) bool {
	i := to
	for i < len(f.b) && i-to < 40 && (f.b[i] == ' ' || f.b[i] == '"' || f.b[i] == '\'' || f.b[i] == '`') {
		i++
	}
	return i < len(f.b) && cellEnd(f.b[i])
}

// tabularBefore reports a name at the end of its line that a cell stands in front of.
func (f *finder) tabularBefore(from, to int) bool {
	i := to
	for i < len(f.b) && (f.b[i] == ' ' || f.b[i] == '"' || f.b[i] == '\r' || f.b[i] == '|') {
		i++
	}
	if i < len(f.b) && f.b[i] != '\n' {
		return false
	}
	for from > 0 && (f.b[from-1] == ' ' || f.b[from-1] == '"') {
		from--
	}
	return from > 0 && cellEnd(f.b[from-1])
}

// stringType stands between a name and what is assigned to it in Go.
const stringType = "string = "

// argument reports a name that is the first argument of a call: define('AUTH_KEY', 'x'), setProperty("db.password", "x").
func (f *finder) argument(from int) bool {
	return from > 1 && f.b[from-2] == '(' && (f.b[from-1] == '"' || f.b[from-1] == '\'')
}

// netrc reports the word password of a .netrc file: machine h login u password p.
func (f *finder) netrc(from, to int) bool {
	word := f.b[from:to]
	return (string(word) == "password" || string(word) == "passwd") && from > 0 && f.b[from-1] <= ' ' && bytes.Contains(f.b[max(0, from-maxNameSide):from], []byte("login "))
}

// spoken reports one of the words by which people speak of secrets.
func (f *finder) spoken(from, to int) bool {
	word := f.b[from:to]
	if from > 0 && f.b[from-1] != ' ' && f.b[from-1] != '\n' || len(word) > 11 {
		return false
	}
	switch string(bytes.ToLower(word)) {
	case "key", "token", "password", "passwd", "secret", "passphrase", "credential", "credentials":
		return true
	}
	return false
}

// directive reports a word that stands at the beginning of a line of a configuration file, its value behind a blank.
func (f *finder) directive(from, to int) bool {
	switch string(bytes.ToLower(f.b[from:min(to, from+24)])) {
	case "requirepass", "masterauth", "bindpw", "rootpw", "auth_pass", "auth-pass", "ldapbindpasswd", "rootbindpw", "olcrootpw", "tls-key-file-pass", "tls-client-key-file-pass", "sentinel auth-pass", "smtppasswd", "proxypassword", "insecure-password",
		"wpa_passphrase", "wpa_psk", "ppp-password", "authpass", "http-password", "pap-password":
		return f.beginsLine(from)
	}
	return false
}

// beginsLine reports that only indentation, a list dash, quotes or export stand before i on its line.
func (f *finder) beginsLine(i int) bool {
	j := i
	for j > 0 && i-j < maxNameSide && f.b[j-1] != '\n' {
		j--
	}
	if j > 0 && f.b[j-1] != '\n' {
		return false
	}
	before := bytes.TrimLeft(f.b[j:i], " \t-\"'#")
	return len(before) == 0 || string(before) == "export " || string(before) == "set " || string(before) == "ENV " || string(before) == "env "
}

// pairName reports whether the name at from is itself the value of a field that is called name or key: {Name:DB_PASSWORD Value:x}.
func (f *finder) pairName(from int) bool {
	i := from
	for i > 0 && from-i < 6 && bytes.IndexByte(pairQuoteTable, f.b[i-1]) >= 0 {
		i--
	}
	if i == 0 || f.b[i-1] != ':' && f.b[i-1] != '=' {
		return false
	}
	for i--; i > 0 && from-i < 12 && bytes.IndexByte(pairQuoteTable, f.b[i-1]) >= 0; {
		i--
	}
	return i >= 4 && bytes.EqualFold(f.b[i-4:i], []byte("name")) || i >= 3 && bytes.EqualFold(f.b[i-3:i], []byte("key"))
}

// pairQuoteTable is what may stand between a field, its operator and its value.
var pairQuoteTable = []byte("\"' \\\t")

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
		case bytes.IndexByte(pairQuoteTable, c) < 0:
			return false, false
		}
	}
}

// value reads what stands beside a name.
type value struct {
	f         *finder
	name, at  int
	strength  field.Strength
	lineStart bool
	flag      bool
	form      form
	code      int8 // of inCode: 0 not asked yet, 1 no, 2 yes
	option    bool // behind an option, not a name
	call      bool // among the arguments of a call
	user, end int  // what stands before a password's colon: b[user:end]
}

// need holds from the name until more bytes are there.
func (v *value) need() bool {
	held := v.f.more(v.name, v.name, v.f.s.named, RunLine, 0)
	v.f.quiet = len(v.f.b)
	return held
}

// peek returns the byte at i. ok is false when it is not there yet (need more) or never will be.
func (v *value) peek(i int) (c byte, ok bool) {
	if i < len(v.f.b) {
		return v.f.b[i], true
	}
	return 0, false
}

func (v *value) blanks(i int) int {
	for i < len(v.f.b) && (v.f.b[i] == ' ' || v.f.b[i] == '\t') {
		i++
	}
	return i
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
		i += len(mark)
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
	case c == 'i' && next == 's' && i > begin:
		return v.is(i + 2) // the password is "x"
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
	case c == 's' && i > begin:
		if len(f.b)-i < len(stringType) && !f.final {
			return v.need()
		}
		if bytes.HasPrefix(f.b[i:], []byte(stringType)) {
			return v.read(i+len(stringType), true)
		}
		return false
	case i > begin && c|0x20 == 'f' && next|0x20 == 'o':
		return v.forUser(i)
	case i > begin && v.isFlag():
		v.flag, v.lineStart = true, false
		return v.read(i, false)
	case i > begin && f.netrc(v.name, v.at):
		v.lineStart, v.form.pair = false, true
		return v.read(i, false)
	case i > begin && (f.directive(v.name, v.at) || bytes.HasSuffix(f.b[:v.name], []byte("ENV "))):
		v.form.pair = true
		return v.read(i, false)
	case i > begin && (c == '\'' || c == '"') && v.strength == field.Strong:
		v.form.query = true
		return v.read(i, true) // PASSWORD 'x'
	case i > begin && isLetter(c) && f.spoken(v.name, v.at):
		return v.sentence(i)
	case i > begin && v.lineStart && v.strength == field.Strong:
		return v.lastWord(i)
	}
	return false
}

// is reads what a sentence says behind is: a quoted value, or a word that nobody would write there.
func (v *value) is(i int) bool {
	i = v.blanks(i)
	c, ok := v.peek(i)
	switch {
	case !ok:
		return !v.f.final && v.need()
	case c == '"' || c == '\'' || c == '`' || c == '\\' || c == '&':
		v.form.query = true
		return v.strength == field.Strong && v.read(i, true)
	}
	return v.strange(i)
}

// strange reads the word at i, which is a secret only if it looks made by a machine.
func (v *value) strange(i int) bool {
	for end := i; ; end++ {
		c, ok := v.peek(end)
		switch {
		case !ok && !v.f.final:
			return v.open(i, RunToken, 0)
		case ok && c > ' ' && c != '"' && c != '\'' && c != ',' && c != '<' && c != ')' && c != ';':
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
	return len(word) >= 8 && (isDigit(word[0]) || isLetter(word[0])) && tokenLike(word) && !field.Wordy(word) && !bytes.ContainsAny(word, "<>[]{}()|\"'`,")
}

// sentence reads the key we got from azure is x, and password for user bob: x, from behind key.
func (v *value) sentence(i int) bool {
	b := v.f.b
	if bytes.HasSuffix(b[:v.name], []byte("ublic ")) {
		return false
	}
	for end := i; end-i < 48; end++ {
		c, ok := v.peek(end)
		switch {
		case !ok:
			return !v.f.final && v.need()
		case c == ':' && end+1 < len(b) && b[end+1] == ' ':
			return v.strange(end + 2)
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

// lastWord reads the word behind a name that begins a line, if it ends the line: smtp_password  x.
func (v *value) lastWord(i int) bool {
	b := v.f.b
	for end := i; end-i < maxCommand; end++ {
		c, ok := v.peek(end)
		switch {
		case !ok && !v.f.final:
			return v.open(i, RunToken, 0)
		case ok && c == ' ' && end-i == 1 && isDigit(b[i]): // Cisco's password 7 x
			return v.lastWord(end + 1)
		case ok && (c == ' ' || c == '\t'):
			return false
		case !ok || c == '\n' || c == '\r':
			word := b[i:min(end, len(b))]
			if !madeUp(word) || v.inCode() {
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

// element reads <name>value</.
func (v *value) element(i int) bool {
	if c, ok := v.peek(i); ok && v.name > 1 && c == v.f.b[v.name-2] && (c == '"' || c == '\'' || c == '`') {
		return false // '<password>'
	}
	end := i
	for ; ; end++ {
		c, ok := v.peek(end)
		if !ok && !v.f.final {
			return v.open(i, RunToken, 0)
		}
		next, more := v.peek(end + 1)
		if ok && c == '<' && !more && !v.f.final {
			return v.open(i, RunToken, 0)
		}
		if ok && c == '<' && next != '/' || !ok {
			return false
		}
		if c == '<' {
			text := v.f.b[i:end]
			i += len(text) - len(bytes.TrimLeft(text, " \t\r\n"))
			v.form.key, v.form.tight, v.lineStart = true, true, false
			return v.judge(i, max(i, end-(len(text)-len(bytes.TrimRight(text, " \t\r\n")))), true)
		}
	}
}

// tag reads <name attributes…>value</ from behind the name.
func (v *value) tag(i int) bool {
	for end := i; end-i < lookBack; end++ {
		switch c, ok := v.peek(end); {
		case !ok:
			return !v.f.final && v.need()
		case c == '>' && v.f.b[end-1] != '/':
			return v.element(end + 1)
		case c == '<' || c == '>' || c == '\n':
			return false
		}
	}
	return false
}

// wrapTable is what may stand between an operator and the quote of its value: SQL's prefixes and its PASSWORD function, types in dumps.
var wrapTable = [...]string{"N'", "E'", "PASSWORD(", "OLD_PASSWORD(", "string(", "!!str ", "!!binary "}

// unwrapped returns where the quoted or bare value begins behind one of wrapTable. short means that more bytes are needed to tell.
func (v *value) unwrapped(i int) (at int, short bool) {
	b := v.f.b
	for _, w := range wrapTable {
		if rest := b[i:]; len(rest) < len(w) && string(rest) == w[:len(rest)] && !v.f.final {
			return i, true
		} else if len(rest) < len(w) || string(rest[:len(w)]) != w {
			continue
		}
		at = i + len(w)
		if w[len(w)-1] == '\'' {
			return at - 1, false
		}
		for at < len(b) && at-i < 24 && (isDigit(b[at]) || b[at] == ')' || b[at] == ' ') {
			at++
		}
		if at == len(b) {
			return i, !v.f.final
		}
		return at, false
	}
	return i, false
}

// read reads the value at i. quotedOnly leaves bare words alone.
func (v *value) read(i int, quotedOnly bool) bool {
	begin := i
	i = v.blanks(i)
	v.form.tight = v.form.tight && i == begin
	i, short := v.unwrapped(i)
	if short {
		return v.need()
	}
	c, ok := v.peek(i)
	if !ok {
		return !v.f.final && v.need()
	}
	if c == '[' && v.strength == field.Strong { // "authorization": ["Bearer x"]
		at := v.blanks(i + 1)
		next, ok := v.peek(at)
		if !ok && !v.f.final {
			return v.need()
		}
		if next == '"' || next == '\'' || authScheme(v.f.b[at:]) > 0 {
			i, c = at, next
		}
	}
	if c == '{' && v.form.key {
		if found, known := v.pair(i + 1); known { // "password": {"value": "x"}
			return found
		}
	}
	mark, short := v.quoteAt(i)
	switch {
	case short:
		return v.need()
	case len(mark) == 1 && !v.form.key && v.insideString(c):
		return false // the quote ends the string that the name stands in
	case len(mark) == 1:
		return v.quoted(i+1, c)
	case len(mark) > 1:
		return v.marked(i+len(mark), mark)
	}
	if quotedOnly || c == '\n' || c == '\r' {
		return false
	}
	return v.bareWord(i)
}

// quoted reads to the closing quote, or to the end of the line where there is none.
func (v *value) quoted(i int, quote byte) bool {
	end := i
	for ; ; end++ {
		c, ok := v.peek(end)
		switch {
		case !ok && !v.f.final:
			return v.open(i, RunQuote, quote)
		case !ok, c == '\n':
			return v.judge(i, min(end, len(v.f.b)), true) // a backslash may be the last byte of all
		case c == '\\' && end+1 < len(v.f.b) && v.f.b[end+1] != quote:
			end++
		case c == '\\' && end+1 == len(v.f.b) && !v.f.final:
			return v.open(i, RunQuote, quote)
		case c == '\\':
			end++
		case c == quote:
			return v.judge(i, end, true)
		}
	}
}

// quoteMarkTable is what stands for a quote where quotes are escaped.
var quoteMarkTable = [...]string{"&quot;", "&#34;", "&#39;", "&#x22;", "&#x27;", "&apos;", "%22", "%27", `\u0022`, `\u0027`}

// quoteAt returns the quote that stands at i: one byte, or backslashes and a quote, or one of quoteMarkTable. short means that more bytes are needed to tell.
func (v *value) quoteAt(i int) (mark []byte, short bool) {
	b := v.f.b
	if i >= len(b) {
		return nil, false
	}
	switch b[i] {
	case '"', '\'', '`':
		return b[i : i+1], false
	case '\\', '&', '%':
	default:
		return nil, false
	}
	end := i
	for end < len(b) && b[end] == '\\' && end-i < 8 {
		end++
	}
	if end == len(b) {
		return nil, !v.f.final
	}
	if end > i && (b[end] == '"' || b[end] == '\'') {
		return b[i : end+1], false
	}
	for _, m := range quoteMarkTable {
		switch rest := b[i:]; {
		case len(rest) >= len(m) && foldEqual(rest[:len(m)], m):
			return rest[:len(m)], false
		case len(rest) < len(m) && foldEqual(rest, m[:len(rest)]):
			short = !v.f.final
		}
	}
	return nil, short
}

// marked reads to the next mark, or to the end of the line where there is none.
func (v *value) marked(i int, mark []byte) bool {
	line := v.f.b[i:]
	n := bytes.Index(line, mark)
	for n > 0 && mark[0] == '\\' && line[n-1] == '\\' {
		more := bytes.Index(line[n+len(mark):], mark) // a quote within, escaped once more
		if more < 0 {
			n = -1
			break
		}
		n += len(mark) + more
	}
	if nl := bytes.IndexByte(line, '\n'); nl >= 0 && (n < 0 || nl < n) {
		return v.judge(i, i+nl, true)
	}
	switch {
	case n >= 0 && n < MaxHold:
		return v.judge(i, i+n, true)
	case n < 0 && v.f.final && len(line) < MaxHold:
		return v.judge(i, len(v.f.b), true)
	}
	quote := mark[len(mark)-1]
	if quote == ';' {
		quote = '&'
	}
	return v.open(i, RunQuote, quote)
}

// percent reads what stands behind %3D, to %26 or the end of the word.
func (v *value) percent(i int) bool {
	b := v.f.b
	switch {
	case len(b)-i < 3 && !v.f.final:
		return v.need()
	case len(b)-i < 3 || b[i+1] != '3' || b[i+2]|0x20 != 'd':
		return false
	}
	i += 3
	v.lineStart, v.form.tight, v.form.pair = false, true, true
	for end := i; ; end++ {
		c, ok := v.peek(end)
		switch {
		case !ok && !v.f.final:
			return v.open(i, RunToken, 0)
		case !ok, c <= ' ', c == '"', c == '\'', c == '&', c == '<', c == '>', c == ')', c == ',', c == ';',
			c == '%' && end+2 < len(b) && b[end+1] == '2' && (b[end+2] == '6' || b[end+2] == '2' || b[end+2] == '0'):
			return v.judge(i, min(end, len(b)), true)
		case c == '%' && end+2 >= len(b) && !v.f.final:
			return v.open(i, RunToken, 0)
		}
	}
}

// bareWord reads a value without quotes: to the end of the line where the name begins it, else to a blank.
func (v *value) bareWord(i int) bool {
	end := i
	for ; ; end++ {
		c, ok := v.peek(end)
		if !ok && !v.f.final {
			run := RunToken
			if v.lineStart {
				run = RunLine
			}
			return v.open(i, run, 0)
		}
		if !ok || c == '\n' || c == '\r' || c == 0 {
			break
		}
		if c == ' ' && authScheme(v.f.b[i:end+1]) == end+1-i {
			continue
		}
		if !v.lineStart && (c <= ' ' || c == ',' || c == ';' || c == '&' || c == '"' || c == '\'' || c == '<' || c == ')' || c == ']' || c == '}' || c == '`' || c == '|') {
			break
		}
	}
	if v.lineStart {
		end = i + uncommented(v.f.b[i:end])
	}
	for end > i && (v.f.b[end-1] == ' ' || v.f.b[end-1] == '\t') {
		end--
	}
	if v.lineStart && end > i && v.f.b[end-1] == ',' {
		end--
	}
	return v.judge(i, end, false)
}

// open holds a value whose end is not there yet; what is no secret whatever follows is let go.
func (v *value) open(i int, run Run, quote byte) bool {
	if v.strength != field.Strong && len(v.f.b)-i >= MaxHold {
		return false
	}
	if len(v.f.b)-i < MaxHold {
		v.f.quiet = i
		return v.need0()
	}
	return v.f.more(v.name, i, v.f.s.named, run, quote)
}

// need0 holds from the name, however long the name is.
func (v *value) need0() bool {
	v.f.safe = max(min(v.f.safe, v.name), min(v.f.done, v.f.safe))
	return true
}

// uncommented returns the length of a line's value without the comment behind it, and without what a connection string has behind its
// password.
func uncommented(line []byte) int {
	for _, sign := range [...]string{" #", " // ", " /*", "\t#", "\t//"} {
		if i := bytes.Index(line, []byte(sign)); i > 0 {
			line = line[:i]
		}
	}
	if i := bytes.IndexByte(line, ';'); i > 0 && bytes.IndexByte(line[i:], '=') > 0 {
		return i // Pwd=x;Database=y
	}
	return len(line)
}
