package detect

import (
	"bytes"

	"weir/mask/field"
)

// maxDSN is how long the user and the password of a data source may be, in bytes.
const maxDSN = 96

// dsn reads the password of a data source as Go's driver for MySQL writes it: user:password@tcp(host:3306)/database. The literal is what stands behind.
func (f *finder) dsn(l *literal, start int) bool {
	begin, last := start, f.lastRun
	for begin > 0 && start-begin <= maxDSN && l.before[f.b[begin-1]] {
		if begin--; begin == last.to && last.alphabet == l.before {
			begin = max(last.from, start-maxDSN-1) // such literals may stand back to back
		}
	}
	f.lastRun = lastRun{l.before, begin, start + len(l.text)}
	if start-begin > maxDSN || begin < f.done {
		return false
	}
	colon := bytes.IndexByte(f.b[begin:start], ':')
	if colon < 1 || !isWord(f.b[begin+colon-1]) {
		return false
	}
	from := begin + colon + 1
	user, password := f.b[begin:from-1], f.b[from:start]
	if len(password) < 3 || field.Placeholder(password) || field.Documentation(user, password) || braced(password) || commonWord(password) || formatVerb(password) || bytes.HasPrefix(password, []byte("//")) {
		return false
	}
	return f.add(begin, from, start, l.rule)
}

// maxQuery is how far from a code the other parameters of its query are looked for, in bytes. It is less than Context, so that where input was cut
// does not matter.
const maxQuery = 200

// grantCode reads the code of OAuth's redirections (RFC 6749, section 4.1.2): beside a state, a scope or a session, or in an address that says what
// it is.
func (f *finder) grantCode(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	i := start + len(l.text)
	f.view(i)
	end, closed := f.run(i, l.alphabet)
	if !closed && end-i <= l.max {
		return f.more(start, i, l.rule, RunToken, "")
	}
	code := f.b[i:end]
	if len(code) < l.min || len(code) > l.max || !alternates(code) && (!tokenLike(code) || field.Wordy(code)) || field.Placeholder(code) {
		return false
	}
	f.address(start, end)
	switch {
	case f.granted(start):
		return f.add(start, i, end, l.rule)
	case f.link.to == len(f.b) && !f.final && f.link.to-end < maxQuery:
		return f.more(start, i, l.rule, RunToken, "")
	}
	return false
}

// link is an address b[from:to]. No word that tells of a grant stands in b[from:words], and no parameter in b[from:params].
type link struct{ from, to, words, params int }

// address sets f.link to the address around b[start:end], no further than maxQuery to either side. It is asked for ascending places, and looks at
// each byte once.
func (f *finder) address(start, end int) {
	a := &f.link
	if start < a.from || start > a.to {
		*a = link{from: start, to: start}
	}
	for a.from = max(a.from, start-maxQuery); a.from > max(0, start-maxQuery) && !urlEndTable[f.b[a.from-1]]; {
		a.from--
	}
	for a.to = max(a.to, end); a.to < min(len(f.b), end+maxQuery) && !urlEndTable[f.b[a.to]]; {
		a.to++
	}
}

// urlEndTable is what ends an address in a text.
var urlEndTable = func() (t [256]bool) {
	for c := range t {
		t[c] = c <= ' ' || bytes.IndexByte([]byte("\"'<>`"), byte(c)) >= 0
	}
	return t
}()

// granted reports that the address around a code at start is that of a redirection with a grant.
func (f *finder) granted(start int) bool {
	const longest = 16 // of what is looked for, and what stands before it
	a := &f.link
	parameters := f.b[max(a.from, a.params-longest):a.to]
	for _, name := range [...]string{"state=", "scope=", "iss="} {
		if parameter(parameters, name) {
			return true
		}
	}
	a.params = a.to
	before := f.b[max(a.from, a.words-longest):start]
	for _, word := range [...]string{"oauth", "callback", "authorize", "oidc", "redirect_uri"} {
		if bytes.Contains(before, []byte(word)) {
			return true
		}
	}
	a.words = start
	return false
}

// parameter reports that a query has a parameter: &state=, &session_state=, but not &estate=.
func parameter(query []byte, name string) bool {
	for {
		i := bytes.Index(query, []byte(name))
		if i < 0 {
			return false
		}
		if i > 0 && bytes.IndexByte([]byte("?&;#_"), query[i-1]) >= 0 {
			return true
		}
		query = query[i+len(name):]
	}
}

// junos reads a secret as Junos writes those that can be read back: "$9$…".
func (f *finder) junos(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	value := start + 1
	i := start + len(l.text)
	f.view(value)
	end, closed := f.run(i, l.alphabet)
	if !closed && end-i <= l.max {
		return f.more(start, value, l.rule, RunToken, "")
	}
	if end-i < l.min || end-i > l.max || end == len(f.b) || f.b[end] != '"' {
		return false
	}
	return f.add(start, value, end, l.rule)
}
