package detect

import (
	"bytes"

	"weir/mask/field"
)

// form is how a value stands beside its name. It decides how much the value must look like a secret itself.
type form struct {
	quoted bool // in quotes
	tight  bool // no blank around the operator
	key    bool // the name is in quotes
	colon  bool // joined by a colon
	pair   bool // value: x beside name: y, or a parameter of a URL
	query  bool // compared or set off by a word: x == "v", the password is "v", f(x, "v")
}

// judge decides on the complete value b[i:end]. The same name and value often come again; what they were then they are now.
func (v *value) judge(i, end int, quoted bool) bool {
	j, known, ok := v.judgement(i, end, quoted)
	if ok && v.f.again(j, *known) {
		j = *known
		return v.found(v.name+int(j.secret), v.name+int(j.to))
	}
	from, to := v.secret(i, end, quoted)
	if ok && v.code == 0 && !v.far { // it did not matter what stands further in front
		j.secret, j.to = uint16(from-v.name), uint16(to-v.name) //nolint:gosec // less than maxPart
		*known = j
	}
	return v.found(from, to)
}

// found adds b[from:to], if there is something.
func (v *value) found(from, to int) bool {
	switch {
	case from >= to:
		return false
	case v.option:
		return v.f.add(v.name, from, to, v.f.s.option)
	}
	return v.f.add(v.name, from, to, v.f.s.named)
}

// secret returns what of the complete value b[i:end] is a secret: nothing, where it begins at its end.
func (v *value) secret(i, end int, quoted bool) (from, to int) {
	b := v.f.b
	text := b[i:end]
	scheme := authScheme(text)
	if scheme > 0 {
		i += scheme
		text = b[i:end]
	}
	v.form.quoted = quoted
	name := b[v.name:v.at]
	if n := bytes.IndexByte(text, ' '); n > 0 && !quoted && v.lineStartEnv() && environment(name) && bytes.ContainsAny(text[n:], "/[") {
		end = i + n // PASSWORD=x ./run
		text = b[i:end]
	}
	switch {
	case field.Placeholder(text), end < len(b) && b[end] == ']' && field.Mask(b[i:end+1]), v.end > 0 && field.Documentation(b[v.user:v.end], text):
		return i, i
	case v.flag && v.describes(i, text):
		return i, i
	case v.option && v.call && letters(text) && (len(text) < 5 || mentions(text)):
		return i, i
	case v.option:
		return i, end
	case v.f.s.names.Extra(name): // whoever added the name knows
	case notValue(text), v.declares(), !quoted && v.assignedOn(text), v.name > 0 && b[v.name-1] == '@' && v.form.colon && !v.form.tight, v.interpolated(), repeats(text, name), fileName(name), formatVerb(text), !alnum(text), template(text), madeUpExample(text), v.name > 1 && b[v.name-1] == ':' && b[v.name-2] == ':' && (!v.form.colon || !quoted || v.form.key):
		return i, i
	case errorName(name), bytes.HasPrefix(text, []byte("AWS4-")), v.form.query && v.amongMore(text): // INVALID_PASSWORD = '28P01'
		return i, i
	case v.strength == field.Weak && basicPair(text):
	case v.strength == field.Weak:
		if !field.Opaque(text) || !quoted && (v.expression(text) || text[0] == '_' && identifier(text) && !v.lineStartEnv()) || digest(text) && hashName(name) || text[0] == '\\' || text[0] == '{' || bytes.Count(text, []byte(",")) > 2 {
			return i, i
		}
	case scheme > 0 && sentence(text):
		return i, i // Token to authenticate with
	case scheme > 0:
		header := v.lineStart && v.form.colon
		if len(text) < 6 || !quoted && !header && v.expression(text) || !tokenLike(text) && len(text) < 20 && bytes.IndexByte(text, '.') < 0 {
			return i, i
		}
	case cookieName(name):
		if !v.cookies(text) {
			return i, i
		}
	case passwordName(name):
		if !v.password(text, name) {
			return i, i
		}
	default:
		if end = i + v.token(text, name); end == i {
			return i, i
		}
	}
	return i, end
}

// password judges the value of a name of passwords. People choose them, so all that is not plainly something else is one.
func (v *value) password(text, name []byte) bool {
	if len(text) < 3 || pathLike(text) && (bareName(name) || field.Wordy(text) || bytes.Count(text, []byte("/")) > 1 && !tokenLike(text)) || label(text) || echoes(text, name) && (len(text) > 10 || !bytes.EqualFold(text, name)) || fileName(text) && field.Wordy(text) || pattern(text) {
		return false
	}
	word := letters(text)
	switch {
	case text[0] == '$' && len(text) > 1 && isLetter(text[1]) && bytes.HasSuffix(v.f.b[:v.name], []byte("getent ")), foldSuffix(name, "pwd") && v.f.b[offsetOf(v.f.b, text)-1] == '`' && bytes.IndexByte(text, ' ') > 0:
		return false // of a database of the system, what a command prints
	case v.form.query && text[0] == '\'' && text[len(text)-1] == '\'', !v.form.quoted && v.namedArgument(text), alternatives(text):
		return false // x("password", "'pass'")
	case text[0] == '$' && bytes.EqualFold(bytes.Trim(text[1:], "{}"), name), (text[0] == '\\' || text[0] == '$') && text[1] == '$' && field.Placeholder(text[1:]):
		return false // '$name', \$NAME, $$NAME
	case v.flag && isProse(text), !v.form.quoted && (bytes.HasPrefix(name, []byte("self.")) || bytes.HasPrefix(name, []byte("this."))) && identifier(text):
		return false // the --pass has, self.password = value
	case bareName(name) && (environment(name) && !v.form.tight || v.form.query):
		return false // --- PASS: TestX, we pass "x"
	case v.within && word && v.form.colon && v.form.tight, bytes.Contains(text, []byte("anonymous")):
		return false // "passwd:shell"
	case number(text) && (bytes.IndexByte(text, '.') >= 0 || len(text) < 4), v.flag && text[0] == '-', !v.form.quoted && !v.form.tight && text[len(text)-1] == '=' && !padded(text):
		return false
	case v.form.quoted && prose(text), !v.form.quoted && sentence(text), !v.form.quoted && v.expression(text):
		return false
	case !v.form.quoted && v.form.colon && v.form.tight && v.name > 0 && v.f.b[v.name-1] == ':', !v.form.quoted && !v.form.tight && text[len(text)-1] == ';' && identifier(text[:len(text)-1]):
		return false // name:password:uid, pass = other;
	case v.form.query:
		return v.form.quoted && (!word || len(text) >= 6 && !commonWord(text) || !v.inCode()) && !bytes.EqualFold(text, name)
	case commonWord(text):
		return false
	case v.form.pair || v.flag:
		return true
	case v.form.quoted && word && len(text) < 6:
		return !v.inCode()
	case v.form.quoted:
		return true
	case !v.lineStart && v.form.colon && !v.form.tight && !tokenLike(text) && !v.pairs():
		return false // invalid password: hunter
	case bareName(name) && !tokenLike(text) && (!v.lineStart || !v.form.tight) && !v.flag:
		return false // PASS: TestX
	case !word && identifier(text) && (field.Opaque(text) || environment(name) && v.form.tight && !v.form.colon):
		return true // cd x && DB_PASSWORD=hunter2 ./run
	case word || identifier(text):
		return !v.inCode()
	case v.lineStart && bytes.ContainsAny(text, "/[") && bytes.IndexByte(text, ' ') > 0:
		return false
	case number(text):
		return len(text) >= 4 && text[0] != '-' && !v.inCode() && (len(text) < 2 || text[1] != 'x')
	}
	return true
}

// amongMore reports that text, a word with a digit at most, is one of three strings or more in a call: x("HTTPPasswordMgr", "urllib2", "urllib.request").
func (v *value) amongMore(text []byte) bool {
	b := v.f.b
	if v.at >= len(b) || !field.Wordy(text) || !v.f.argument(v.name) {
		return false
	}
	i := offsetOf(b, text) + len(text) + 1 // behind the quote
	if i >= len(b) || b[i] != ',' {
		return false
	}
	if i++; i < len(b) && b[i] == ' ' {
		i++
	}
	return i < len(b) && (b[i] == '"' || b[i] == '\'')
}

// token judges the value of any other strong name. Tokens are made by machines, so it must look so, unless it stands in a file of the
// environment. It returns how much of text belongs to the token.
func (v *value) token(text, name []byte) int {
	switch {
	case v.form.pair && !v.inCode():
		if v.paired(text, name) {
			return len(text)
		}
		return 0
	case v.form.quoted:
		if v.quotedToken(text, name) {
			return len(text)
		}
		return 0
	}
	if fileName(text) && (field.Wordy(text) || bytes.IndexByte(text, '/') > 0) {
		return 0
	}
	if i := bytes.IndexByte(text, '\\'); v.flag && i > 0 {
		text = text[:i] // --token x\n
	}
	if i := bytes.IndexAny(text, " \t"); i >= 0 {
		if connection(text) || v.reference(text) {
			return 0 // its own names tell
		}
		text = text[:i]
	}
	text = bytes.TrimRight(text, ",;")
	n := len(text)
	switch {
	case n < 5, v.expression(text), number(text) && n < 16, pathLike(text) && (!tokenLike(text) || bytes.Contains(text, []byte("://"))), echoes(text, name), v.form.query, v.flag && (text[0] == '-' || bytes.Contains(text, []byte("=http"))):
		return 0
	case v.lineStart && v.form.tight && !v.form.colon && environment(name):
		if letters(text) && (n < 6 || commonWord(text)) {
			return 0
		}
		return n
	case identifier(text) && !random(text) && v.inCode():
		return 0
	case v.lineStart && secretName(name) && n >= 8 && tokenLike(text) && !v.inCode():
		return n
	case tokenLike(text) && (!field.Wordy(text) || v.form.tight && !v.form.colon && !v.inCode()), letters(text) && field.Gibberish(text), v.flag && n >= 8 && (!word(text) || field.Gibberish(text)):
		return n
	}
	return 0
}

// paired judges a token that stands as the value of its name in a list of such pairs, or in a URL: it need not look random.
func (v *value) paired(text, name []byte) bool {
	switch {
	case len(text) < 6, bytes.IndexByte(text, ' ') >= 0, version(text), fileName(text), letters(text) && commonWord(text), number(text) && len(text) < 16:
		return false
	}
	return !echoes(text, name) && !v.expression(text) && !pathLike(text)
}

// quotedToken judges a token in quotes.
func (v *value) quotedToken(text, name []byte) bool {
	n, blank := len(text), bytes.IndexByte(text, ' ') >= 0
	if (text[0] == '?' || text[0] == '&') && bytes.IndexByte(text, '=') > 1 || bytes.HasPrefix(text, []byte("file:")) || v.parsed() || text[0] == '\\' || prose(text) || echoes(text, name) || pattern(text) || version(text) {
		return false
	}
	switch short := identifier(text) && n < 12; {
	case short && v.inCode():
	case tokenLike(text) && (!field.Wordy(text) || v.form.key && v.strength == field.Strong && !v.inCode()):
		return true
	case field.Gibberish(text) && !blank:
		return true
	case n >= 16 && !blank && !word(text) && !field.Wordy(text) && (!number(text) || n >= 24):
		return true
	}
	if secretName(name) && n >= 8 && !blank && tokenLike(text) && !v.inCode() {
		return true
	}
	// A secret may be a word that somebody chose.
	return n >= 8 && n < 64 && letters(text) && secretName(name) && !label(text) && !commonWord(text) && !v.inCode()
}

// cookieName reports a header of cookies; there was a second kind of them.
func cookieName(name []byte) bool {
	name = bytes.TrimSuffix(name[bytes.LastIndexByte(name, '.')+1:], []byte("2")) // document.cookie
	return bytes.EqualFold(name, []byte("cookie")) || bytes.EqualFold(name, []byte("set-cookie"))
}

// cookies reports whether a header's value holds a cookie with a value that looks made by a machine.
func (v *value) cookies(text []byte) bool {
	if !v.form.quoted && v.expression(text) {
		return false
	}
	for pair := range bytes.SplitSeq(text, []byte(";")) {
		_, value, ok := bytes.Cut(pair, []byte("="))
		value = bytes.TrimLeft(value, `\"`)
		if i := bytes.IndexAny(value, `\"`); i >= 0 {
			value = value[:i] // neither is in a cookie
		}
		if ok && len(value) >= 8 && tokenLike(value) && !field.Wordy(value) {
			return true
		}
	}
	return bytes.IndexByte(text, '=') < 0 && tokenLike(text) && len(text) >= 12
}

// pairs reports a value in the writing of a dump: {Password:x User:y}, Password:x.
func (v *value) pairs() bool {
	from := v.name
	return from > 0 && bytes.IndexByte([]byte("{[(,;&?"), v.f.b[from-1]) >= 0 || from > 1 && v.f.b[from-1] == ' ' && bytes.IndexByte([]byte(",;{"), v.f.b[from-2]) >= 0
}

// expression reports a bare value that is code: a call, an index, a reference to something else of the kind.
func (v *value) expression(text []byte) bool {
	if code(text, v.f.b[v.name:v.at]) || v.lastArgument(text) || !v.lineStartEnv() && v.reference(text) {
		return true
	}
	if bytes.IndexByte(text, '(') >= 0 && bytes.IndexByte(text, ')') < 0 && !v.lineStartEnv() || bytes.Contains(text, []byte(" + ")) || bytes.Contains(text, []byte("+\"")) || bytes.Contains(text, []byte("\"+")) || len(text) > 2 && text[1] == ':' && isLetter(text[0]) && !v.lineStartEnv() && isWord(text[2]) || bytes.Contains(text, []byte(" | ")) || bytes.Contains(text, []byte(" = ")) {
		return true
	}
	if constant(text) && !v.lineStartEnv() {
		return true
	}
	if identifier(text) && joined(text) && !v.lineStartEnv() && (mentions(text) || !random(text)) && v.f.s.names.Match(text) != field.None {
		return true // testEd25519PrivateKey
	}
	i := 0
	dots := 0
	for ; i < len(text) && (isWord(text[i]) || text[i] == '.' || text[i] == '$' || text[i] == '@' || text[i] == '-' && i+1 < len(text) && text[i+1] == '>' || text[i] == '>' && i > 0 && text[i-1] == '-'); i++ {
		if text[i] == '.' || text[i] == '>' {
			dots++
		}
	}
	switch {
	case i > 0 && i < len(text) && (text[i] == '(' || (text[i] == '[' || text[i] == '{') && (!v.lineStart || v.inCode() || bytes.IndexByte(text[i:], ']') > 0 && field.Wordy(text[:i]))):
		return true // f(x, tokens[1:]
	case i == len(text) && dots > 0 && v.lineStartEnv():
		return false // PASSWORD=a.b in a file of the environment
	case i == len(text) && dots > 0 && !isDigit(text[0]) && text[i-1] != '.' && (!tokenLike(text) && (i < 10 || field.Wordy(text) || v.inCode()) || field.Wordy(text[bytes.LastIndexByte(text, '.')+1:]) && v.inCode()):
		return true // hs.masterSecret
	case len(text) > 1 && text[0]|0x20 == 'f' && (text[1] == '"' || text[1] == '\'') && bytes.IndexByte(text, '{') > 0, len(text) > 1 && isLetter(text[0]) && (text[1] == '"' || text[1] == '\'') && v.inCode():
		return true // f"{x}", b"x"
	case i == len(text) && !isDigit(text[0]) && !v.lineStartEnv() && mentions(text) && !random(text):
		return true // testRSA2048PrivateKey
	case text[0] == '$' && len(text) > 2 && isLetter(text[1]) && (bytes.Contains(text, []byte("->")) || bytes.Contains(text, []byte("::"))), text[0] == '=' && len(text) > 1 && text[1] == '~':
		return true // $self->token
	case text[0] == '!' && (len(text) < 9 || !tokenLike(text) || !bytes.ContainsAny(text, digit)) || text[0] == '\\' || text[0] == '/' && len(text) > 1 && (text[1] == '/' || text[1] == '*') || text[0] == '%' && len(text) > 2 && (text[1] == '(' || text[1] == '{'):
		return true
	case bytes.HasPrefix(text, []byte("...")), bytes.HasPrefix(text, []byte("=>")), bytes.HasPrefix(text, []byte("qr/")):
		return true
	}
	return false
}

// lineStartEnv reports NAME=value at the beginning of a line.
func (v *value) lineStartEnv() bool { return v.lineStart && v.form.tight && !v.form.colon }

// passwordName reports a name of passwords, rather than of keys or tokens.
func passwordName(name []byte) bool {
	for i := range name {
		if c := name[i] | 0x20; c == 'p' && i+1 < len(name) && (foldPrefix(name[i:], "pass") || foldPrefix(name[i:], "pwd") || foldPrefix(name[i:], "pw") && (i+2 == len(name) || !isWord(name[i+2]))) {
			return true
		}
	}
	return foldSuffix(name, "psk") || foldSuffix(name, "securestring")
}

// errorWordTable is what the names of what is wrong with a secret begin with.
var errorWordTable = [...]string{"invalid", "incorrect", "wrong", "missing", "expired", "err_", "error_", "bad_", "unknown_"}

// errorHeadTable is what those begin with.
var errorHeadTable = func() (t [256]bool) {
	for _, w := range errorWordTable {
		t[w[0]] = true
	}
	return t
}()

// errorName reports the name of what is wrong with a secret.
func errorName(name []byte) bool {
	if foldPrefix(name, "errcode") || bytes.Contains(name, []byte("INVALID_")) {
		return true
	}
	if len(name) == 0 || !errorHeadTable[name[0]|0x20] {
		return false
	}
	for _, w := range errorWordTable {
		if foldPrefix(name, w) && len(name) > len(w) && (isLetter(name[len(w)]) || name[len(w)] == '_' || name[len(w)] == '-') {
			return true
		}
	}
	return false
}

// bareName reports names of passwords that are as well ordinary words: pass, PWD.
func bareName(name []byte) bool {
	name = bytes.TrimRight(name, "_")
	last := name
	for i := len(name) - 1; i >= 0; i-- {
		if c := name[i]; c == '_' || c == '-' || c == '.' {
			last = name[i+1:]
			break
		}
	}
	return bytes.EqualFold(last, []byte("pass")) || string(name) == "PWD" || string(name) == "OLDPWD"
}

// secretName reports names whose last word is secret or a kind of key.
func secretName(name []byte) bool {
	return foldSuffix(name, "secret") || foldSuffix(name, "apikey") || foldSuffix(name, "api_key") || foldSuffix(name, "api-key") || foldSuffix(name, "secretkey") || foldSuffix(name, "secret_key") || foldSuffix(name, "accesskey") || foldSuffix(name, "access_key")
}

// hashName reports names of digests, which are secret for passwords only.
func hashName(name []byte) bool {
	return !passwordName(name) && (foldSuffix(name, "hash") || foldSuffix(name, "identity") || foldSuffix(name, "sig"))
}

// environment reports a name as variables of the environment have.
func environment(name []byte) bool {
	for _, c := range name {
		if c >= 'a' && c <= 'z' || c == '.' || c == '-' {
			return false
		}
	}
	return true
}

// authScheme returns the length of an authentication scheme and its blank at the front of a value.
func authScheme(v []byte) int {
	if len(v) < 5 || bytes.IndexByte(schemeHeadTable, v[0]) < 0 {
		return 0
	}
	for _, s := range [...]string{"Bearer ", "bearer ", "Basic ", "basic ", "Token ", "token ", "Digest ", "Negotiate ", "SSWS ", "ApiKey ", "Apikey "} {
		if len(v) >= len(s) && string(v[:len(s)]) == s {
			return len(s)
		}
	}
	return 0
}

// schemeHeadTable is what schemes begin with.
var schemeHeadTable = []byte("BbTtDNSA")

// code reports a bare value that is an expression of a programming language rather than a value.
func code(v, name []byte) bool {
	if len(v) == 0 || bytes.IndexByte(v, '(') >= 0 && bytes.IndexByte(v, ')') > 0 || bytes.HasPrefix(v, []byte("$(")) || v[0] == '{' || v[0] == '[' || v[0] == '&' || v[0] == '<' || v[0] == '|' || v[0] == '>' || v[0] == '(' {
		return true
	}
	switch string(bytes.TrimRight(v, ";,")) {
	case "string", "String", "str", "bytes", "int", "bool", "boolean", "any", "nil", "null", "None", "uintptr", "object", "Any", "SecretStr", "*string", "[]byte", "required", "optional":
		return true
	}
	v = bytes.TrimRight(v, ";,")
	if v0 := bytes.TrimLeft(v, "\\$"); len(v0) < len(v) && bytes.EqualFold(bytes.Trim(v0, "{}"), name) {
		return true // $name
	}
	return bytes.EqualFold(v, name) || len(v) > len(name) && v[len(v)-len(name)-1] == '.' && bytes.EqualFold(v[len(v)-len(name):], name)
}
