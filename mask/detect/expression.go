package detect

import (
	"bytes"

	"weir/mask/field"
)

// This file tells the values of programs, types and documentation from data.

// notValue reports text that is no value whatever its name is, in quotes or not: the version of a package, a port with its protocol, a name between
// braces, an expression that picks parts of a document.
func notValue(text []byte) bool {
	return version(text) || preVersion(text) || sqlType(text) || servicePort(text) || braced(text) || picks(text) || bracketed(text) || painted(text) || spliced(text) || bytes.HasPrefix(text, []byte("urn:"))
}

// bracketed reports words in brackets at the front: [get home]/x, [success=1 default=ignore]. What stands in for a value is written so, too.
func bracketed(v []byte) bool {
	n := bytes.IndexByte(v, ']')
	if v[0] != '[' || n < 4 {
		return false
	}
	for word := range bytes.SplitSeq(v[1:n], []byte(" ")) {
		name, value, _ := bytes.Cut(word, []byte("="))
		if !lettersOnly(name) && !field.Wordy(name) && len(bytes.Trim(name, digit)) > 0 || len(value) > 0 && !letters(value) && len(bytes.Trim(value, digit)) > 0 {
			return false
		}
	}
	return isLetter(v[1]) && (n+1 == len(v) || bytes.IndexByte([]byte("/ \t"), v[n+1]) >= 0)
}

// painted reports that a terminal is told a colour, and at most a word in capitals is written in it: \x1b[32mPASS.
func painted(v []byte) bool {
	for _, esc := range [...]string{"\x1b[", `\x1b[`, `\x1B[`, `\033[`, `\e[`, `\u001b[`} {
		if rest, ok := bytes.CutPrefix(v, []byte(esc)); ok {
			rest = bytes.TrimLeft(rest, digit+";")
			return len(rest) > 0 && rest[0] == 'm' && len(bytes.Trim(rest[1:], upperLetters)) == 0
		}
	}
	return false
}

// spliced reports what stands between two quotes of a program that puts a text together: " + token + ", `+fmt.Sprint(.
func spliced(v []byte) bool {
	i := 0
	for i < len(v) && (v[i] == '"' || v[i] == '\'' || v[i] == '`') {
		i++
	}
	rest := bytes.TrimLeft(v[i:], " ")
	return i < 2 && len(rest) > 2 && rest[0] == '+' && (i == 1 || v[len(v)-1] == '(') && (isLetter(rest[1]) || rest[1] == ' ' && isLetter(rest[2]))
}

// preVersion reports a number of a version with a sign of its state: 0.1a3, 1.2rc1.
func preVersion(v []byte) bool {
	i := 0
	for i < len(v) && isDigit(v[i]) {
		i++
	}
	if i == 0 || i+1 >= len(v) || v[i] != '.' || len(v) > 12 {
		return false
	}
	for i++; i < len(v) && isDigit(v[i]); i++ {
	}
	for _, sign := range [...]string{"a", "b", "rc", "dev", ".dev", "post", ".post"} {
		if rest, ok := bytes.CutPrefix(v[i:], []byte(sign)); ok && len(rest) > 0 && len(bytes.Trim(rest, digit)) == 0 {
			return true
		}
	}
	return false
}

// sqlType reports the type of a column: varchar(255), numeric(10,2).
func sqlType(v []byte) bool {
	i := bytes.IndexByte(v, '(')
	return i > 2 && v[len(v)-1] == ')' && i+2 < len(v) && lettersOnly(v[:i]) && len(bytes.Trim(v[i+1:len(v)-1], "0123456789, ")) == 0
}

// servicePort reports 752/udp.
func servicePort(v []byte) bool {
	number, protocol, ok := bytes.Cut(v, []byte("/"))
	return ok && len(number) > 0 && len(number) < 6 && len(bytes.Trim(number, digit)) == 0 && (string(protocol) == "tcp" || string(protocol) == "udp" || string(protocol) == "sctp")
}

// braced reports a name between braces, which a program replaces: {op.string}, {auth_token}.
func braced(v []byte) bool {
	n := len(v)
	return n > 3 && v[0] == '{' && v[n-1] == '}' && identifier(v[1:n-1])
}

// picks reports a path into a document: Jobs[-1].JobId, items[].key.
func picks(v []byte) bool {
	i := bytes.IndexByte(v, '[')
	if i < 1 || !identifier(v[:i]) {
		return false
	}
	n := bytes.IndexByte(v[i:], ']')
	return n > 0 && len(bytes.Trim(v[i+1:i+n], "-0123456789*:")) == 0 && (i+n+1 == len(v) || v[i+n+1] == '.' && identifier(v[i+n+2:]))
}

// reference reports a bare value that is a name in a program: ns::type, p->field, *flag, a shift, a generic type, an argument at the end of its call.
func (v *value) reference(text []byte) bool {
	text = bytes.TrimRight(text, ";,")
	if len(text) < 3 {
		return false
	}
	for _, sign := range [...]string{"::", "->"} {
		if i := bytes.Index(text, []byte(sign)); i > 0 && identifier(text[:i]) && i+2 < len(text) && (isLetter(text[i+2]) || text[i+2] == '_') && !isDigit(text[0]) {
			return true
		}
	}
	switch {
	case (text[0] == '*' || text[0] == '&') && identifier(text[1:]) && joined(text[1:]) && !random(text):
		return true
	case bytes.Contains(text, []byte("<<")) && len(bytes.Trim(text, "0123456789< uUlLxX")) == 0:
		return true
	}
	if i := bytes.IndexByte(text, '['); i > 0 && identifier(text[:i]) && field.Wordy(text[:i]) && (isLetter(text[min(i+1, len(text)-1)]) || i+1 == len(text)) && !bytes.ContainsAny(text[i:], digit) {
		return true // Final[dict[str, int]]
	}
	last := text[bytes.LastIndexByte(text, '.')+1:]
	return len(last) < len(text) && len(last) > 0 && identifier(text) && (field.Wordy(text) && !bytes.ContainsAny(text, digit) || mentions(last) && joined(last) && !random(last))
}

// lastArgument reports the last one of a call: args.token).
func (v *value) lastArgument(text []byte) bool {
	text = bytes.TrimRight(text, ";,")
	n := len(text)
	if n < 4 || text[n-1] != ')' || bytes.IndexByte(text, '(') >= 0 || environment(v.f.b[v.name:v.at]) {
		return false
	}
	text = bytes.TrimRight(text, ")")
	return identifier(text) && bytes.IndexByte(text, '.') > 0 && !random(text)
}

// lineBefore is what stands on the line in front of the name, or its end where that is long.
func (v *value) lineBefore() []byte {
	v.far = true
	from := max(0, v.name-lookBack)
	return v.f.b[max(from, v.f.lastLine(from, v.name)+1):v.name]
}

// chained stands behind a name to which what follows is assigned, too.
const chained = " = "

// assignedOn reports a bare name that is one of several in an assignment: a, b, password = pair; user = passwd = acct = none.
func (v *value) assignedOn(text []byte) bool {
	if bytes.ContainsAny(text, digit) || v.form.tight || v.form.colon || !identifier(text) {
		return false
	}
	if bytes.HasPrefix(v.f.b[offsetOf(v.f.b, text)+len(text):], []byte(chained)) {
		return true
	}
	if v.name < 2 || string(v.f.b[v.name-2:v.name]) != ", " {
		return false
	}
	line := bytes.TrimSuffix(bytes.TrimLeft(v.lineBefore(), " \t"), []byte(", "))
	for name := range bytes.SplitSeq(line, []byte(", ")) {
		if !identifier(name) {
			return false
		}
	}
	return true
}

// namedArgument reports a bare name among the arguments of a call, as its last one: connect(host, password=read_password).
func (v *value) namedArgument(text []byte) bool {
	i := offsetOf(v.f.b, text) + len(text)
	if !v.form.tight || v.form.colon || i >= len(v.f.b) || v.f.b[i] != ')' || !identifier(text) || !joined(text) || bytes.ContainsAny(text, digit) || !field.Wordy(text) {
		return false
	}
	line := v.lineBefore()
	open := bytes.LastIndexByte(line, '(')
	return open > 0 && isWord(line[open-1]) && bytes.IndexByte(line[open:], ')') < 0
}

// parsed reports a token that a parser did not know what to do with: unrecognized token: "x'4'".
func (v *value) parsed() bool {
	before := v.f.b[max(0, v.name-besideName):v.name]
	return foldSuffix(before, "ognized ") || foldSuffix(before, "xpected ") || foldSuffix(before, "llegal ")
}

// looksOn reports that assignedOn or describes need more than the rest there is behind a bare value.
func (v *value) looksOn(rest []byte) bool {
	return !v.lineStart && !v.form.tight && !v.form.colon && len(rest) < len(chained) && chained[:len(rest)] == string(rest) || v.flag && len(rest) == 1 && rest[0] == ' '
}

// describes reports that text at i, behind a flag, is the first word of what the flag does, in the column beside the flags: --password  ask for one.
func (v *value) describes(i int, text []byte) bool {
	b := v.f.b
	if b[i-1] != ' ' || b[i-2] != ' ' || !lettersOnly(text) {
		return false
	}
	end := offsetOf(b, text) + len(text)
	return end+1 < len(b) && b[end] == ' ' && isLetter(b[end+1])
}

// declares reports that the name is that of a type: type T = x, using T = x.
func (v *value) declares() bool {
	b := v.f.b
	return v.name > 5 && (string(b[v.name-5:v.name]) == "type " || v.name > 6 && string(b[v.name-6:v.name]) == "using ")
}

// interpolated reports a variable that a string is made of, and no field: the name in `$name': x.
func (v *value) interpolated() bool {
	return v.form.key && v.name > 0 && v.f.b[v.name-1] == '$' && (v.name == 1 || v.f.b[v.name-2] != v.f.b[v.at])
}

// argumentEnd returns the length of an argument of a call that stands on a line of its own with more behind it: user=None, password=None. It is
// len(line) when there is none.
func (v *value) argumentEnd(line []byte) int {
	if environment(v.f.b[v.name:v.at]) {
		return len(line)
	}
	for i := 0; i+2 < len(line); i++ {
		if line[i] != ',' || line[i+1] != ' ' {
			continue
		}
		k := i + 2
		for k < len(line) && (isWord(line[k]) || line[k] == '*') {
			k++
		}
		if k > i+2 && k < len(line) && (line[k] == '=' || line[k] == ':') && (isLetter(line[i+2]) || line[i+2] == '_') {
			return i
		}
		return len(line)
	}
	return len(line)
}

// repeats reports a value that says its name once more, written in another way: KxECDHE-PSK beside kx_ecdhe_psk, context beside arg.context. One word
// alone does so only behind a full stop.
func repeats(text, name []byte) bool {
	if len(name) >= 8 && len(text) > len(name) && text[len(name)] == '.' && bytes.EqualFold(text[:len(name)], name) {
		return true // x.key.b64
	}
	i, k, parts, last := len(text), len(name), 0, byte('-')
	for i > 0 {
		c := text[i-1]
		if !isWord(c) || c == '_' {
			if c != '-' && c != '.' && c != '_' && c != ' ' {
				return false
			}
			i, last = i-1, '-'
			continue
		}
		for k > 0 && (!isWord(name[k-1]) || name[k-1] == '_') {
			k--
		}
		if k == 0 || lower(name[k-1]) != lower(c) {
			return false
		}
		if last == '-' {
			parts++
		}
		i, k, last = i-1, k-1, c
	}
	plain := !bytes.ContainsAny(text, digit)
	return parts > 2 || plain && len(text) > 4 && (parts > 1 || joined(text)) || parts == 1 && k > 0 && name[k-1] == '.' && plain
}
