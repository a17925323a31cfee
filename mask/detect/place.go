package detect

import (
	"bytes"

	"weir/mask/field"
)

// lastRun is b[from:to], which is of an alphabet: what was read last of what may stand back to back.
type lastRun struct {
	alphabet *[256]bool
	from, to int
}

// after reads the word right behind a literal: snmp-server community x, password 7 0A1B….
func (f *finder) after(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	i := start + len(l.text)
	f.view(i)
	end := i
	if r := &f.lastRun; r.alphabet == l.alphabet && r.from <= i && i < r.to {
		end = min(r.to, i+l.max+1, len(f.b)) // such literals may stand back to back
	}
	for end < len(f.b) && end-i <= l.max && l.alphabet[f.b[end]] {
		end++
	}
	f.lastRun = lastRun{l.alphabet, i, end}
	if end == len(f.b) && end-i <= l.max && !f.final {
		return f.more(start, i, l.rule, RunToken, "")
	}
	if end-i < l.min || end-i > l.max || field.Placeholder(f.b[i:end]) {
		return false
	}
	return f.add(start, i, end, l.rule)
}

// slash reads Oracle's user/password@database, behind the name of its command or driver.
func (f *finder) slash(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	user := start + len(l.text)
	i := user
	for i < len(f.b) && i-user < maxNameSide && (isName(f.b[i]) || f.b[i] == '$') {
		i++
	}
	switch {
	case i == len(f.b) && !f.final:
		return f.more(start, user, l.rule, RunToken, "")
	case i == len(f.b) || i == user || f.b[i] != '/':
		return false
	}
	i++
	f.view(i)
	for end := i; ; end++ {
		switch {
		case end-i > maxNameSide:
			return false
		case end == len(f.b) && !f.final:
			return f.more(start, i, l.rule, RunToken, "")
		case end < len(f.b) && f.b[end] != '@' && l.alphabet[f.b[end]]:
			continue
		}
		password := f.b[i:end]
		if len(password) < 3 || field.Placeholder(password) || (end == len(f.b) || f.b[end] != '@') && !tokenLike(password) {
			return false
		}
		return f.add(start, i, end, l.rule)
	}
}

// typed reads the password behind a command that is typed at a prompt, to the end of its line: AUTH x, AUTH user x.
func (f *finder) typed(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	i := start + len(l.text)
	f.view(i)
	line := f.b[i:min(len(f.b), i+maxCommand)]
	n := bytes.IndexAny(line, "\r\n")
	switch {
	case n < 0 && !f.final && len(line) < maxCommand:
		return f.more(start, i, l.rule, RunLine, "")
	case n < 0 && !f.final:
		return false
	case n >= 0:
		line = line[:n]
	}
	words := bytes.Fields(line)
	if len(words) == 0 || len(words) > 2 {
		return false
	}
	password := bytes.Trim(words[len(words)-1], `"'`)
	if len(password) < 3 || field.Placeholder(password) {
		return false
	}
	at := i + bytes.LastIndex(line, password)
	return f.add(start, at, at+len(password), l.rule)
}

// keyMember reads a private part of a JSON Web Key (RFC 7517, RFC 7518): a member whose name is one or two letters, among others of a key.
func (f *finder) keyMember(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	i := start + len(l.text)
	for i < len(f.b) && f.b[i] == ' ' && i-start < 12 {
		i++
	}
	if i == len(f.b) && !f.final {
		return f.more(start, start, l.rule, RunToken, "")
	}
	if i == len(f.b) || f.b[i] != '"' {
		return false
	}
	i++
	f.view(i)
	end, closed := f.run(i, l.alphabet)
	if !closed {
		return f.inKey(start) && f.more(start, i, l.rule, RunToken, "")
	}
	if v := f.b[i:end]; len(v) < l.min || len(v) > l.max || end == len(f.b) || f.b[end] != '"' || !alternates(v) || !mixed(v) || !f.inKey(start) {
		return false
	}
	return f.add(start, i, end, l.rule)
}

// inKey reports that other members of a JSON Web Key stand in front of i, in the same object.
func (f *finder) inKey(i int) bool {
	const reach = 1000 // less than Context, so that where input was cut does not matter
	before := f.b[max(0, i-reach):i]
	if n := bytes.LastIndexByte(before, '{'); n >= 0 {
		before = before[n:]
	}
	for _, member := range [...]string{`"kty"`, `"crv"`, `"AQAB"`, `"d":`, `"d" :`, `"p":`, `"q":`, `"dp":`} {
		if bytes.Contains(before, []byte(member)) {
			return true
		}
	}
	return false
}
