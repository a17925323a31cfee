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
	f.view(from)
	if !isName(l.text[len(l.text)-1]) {
		to--
	}
	for to < len(f.b) && to-start < maxNameSide && isName(f.b[to]) {
		to++
	}
	if to == len(f.b) && !f.final {
		held := f.more(from, from, f.s.named, RunToken, "")
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
	if from > 1 && to-from > 2 && f.b[from-1] == '-' && f.b[from-2] != '-' && f.b[from] == 'D' && f.b[from+1] >= 'a' && f.b[from+1] <= 'z' {
		from++ // Java's -Dname=x
	}
	if f.amongWords(from, to) {
		return f.spoken(from, to) && f.inSentence(from, to)
	}
	return f.beside(from, to)
}

// beside reads the value beside the name b[from:to].
func (f *finder) beside(from, to int) bool {
	if cell := f.tabular(to); cell || f.tabularBefore(from, to) || from > 0 && cellEnd(f.b[from-1]) && to < len(f.b) && f.b[to] == ' ' {
		if f.header(from, to) {
			return true
		}
		if strength := f.match(from, to); cell && strength != field.None {
			if found, known := f.cellPair(from, to, strength); known {
				return found
			}
		}
	}
	if !f.assigned(from, to) || from > 0 && f.b[from-1] == ':' && bytes.HasSuffix(f.b[:from], []byte("[masked:")) {
		return false // nothing beside it, or the kind in a placeholder
	}
	strength := f.match(from, to)
	if strength == field.None {
		return false
	}
	v := value{f: f, name: from, at: to, strength: strength}
	v.lineStart = f.beginsLine(from)
	return v.operator()
}

// amongWords reports a name that stands between two words and a blank on either side, of which neither makes it the name of a value: then it is
// one, if at all, in a sentence. It is a quick look at what most bare names are; beside would come to the same.
func (f *finder) amongWords(from, to int) bool {
	b := f.b
	if from < 8 || to+len(stringType) >= len(b) || b[from-1] != ' ' || b[to] != ' ' || !isWord(b[from-2]) {
		return false
	}
	switch c, next := b[to+1], b[to+2]; {
	case c|0x20 < 'a' || c|0x20 > 'z':
		return false
	case c == 'i' && next == 's', c == 's' && next == 't', c|0x20 == 'f' && next|0x20 == 'o': // is, string, for
		return false
	}
	switch b[from-2] | 0x20 {
	case 't':
		return b[from-3]|0x20 != 'e' && b[from-3] != 'r' || b[from-4]|0x20 != 's' && b[from-4] != 'o' // set, export
	case 'x', 'r', 'm', 'v': // setx, set_header, cgi_param, env
		return false
	}
	return true
}

// inSentence reads what a sentence says behind one of its words by which people speak of secrets.
func (f *finder) inSentence(from, to int) bool {
	v := value{f: f, name: from, at: to, strength: f.match(from, to)}
	switch {
	case v.strength == field.None:
		return false
	case f.netrc(from, to):
		return v.operator()
	}
	return v.sentence(to + 1)
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
			if i > to && (f.b[i-1] == ' ' || f.b[i-1] == '\t') && (i+1 == len(f.b) || f.b[i+1]|0x20 != 'f') {
				continue // what follows was asked of the blank before
			}
			if from > 0 && f.b[from-1] == '<' || i+1 < len(f.b) && f.b[i+1]|0x20 == 'f' || f.spoken(from, to) || f.beginsLine(from) {
				return true
			}
			if from > 0 && f.b[from-1] == '-' || from > 3 && f.b[from-1] == ' ' && bytes.IndexByte([]byte("tTxrm"), f.b[from-2]) >= 0 || f.pairName(from) || f.netrc(from, to) || f.directive(from, to) {
				return true
			}
		case ',':
			return f.pairName(from) || f.argument(from)
		case '\n', '\r':
			return f.pairName(from) || i > to && from > 3 && f.b[from-2] == ' ' && f.b[from-3] == ')'
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
	return (string(word) == "password" || string(word) == "passwd") && from > 0 && f.b[from-1] <= ' ' && f.machine(from)
}

// machine reports that the entry of a machine in .netrc is open in front of i.
func (f *finder) machine(i int) bool {
	const word = "login "
	from := max(0, i-maxCommand)
	if at := max(from, f.noLogin-len(word)+1); !f.login && at < i && !bytes.Contains(f.b[at:i], []byte(word)) {
		f.noLogin = i // all before was looked at, and there is none
		return false
	}
	f.login = true
	before := f.b[from:i]
	login := bytes.LastIndex(before, []byte(word))
	if login < 0 || i-login > maxNameSide && login < len(before)-maxNameSide {
		return false
	}
	line := before[bytes.LastIndexByte(before[:login], '\n')+1 : login]
	return len(bytes.TrimLeft(line, " \t")) == 0 || bytes.Contains(line, []byte("machine ")) || bytes.Contains(line, []byte("default"))
}

// beginsLine reports that only indentation, a list dash, quotes or export stand before i on its line.
func (f *finder) beginsLine(i int) bool {
	if f.askedLine != i+1 { // it is asked more than once of a name
		f.askedLine, f.lineBegins = i+1, f.isFirst(i)
	}
	return f.lineBegins
}

func (f *finder) isFirst(i int) bool {
	j, begins := f.indent(i, i)
	if begins || j+1 != i || f.b[j] != ' ' || j == 0 || f.b[j-1]|0x20 != 't' && f.b[j-1]|0x20 != 'v' {
		return begins
	}
	for _, word := range [...]string{"export", "set", "ENV", "env"} {
		if k := j - len(word); k >= 0 && string(f.b[k:j]) == word {
			_, begins = f.indent(k, i)
			return begins
		}
	}
	return false
}

// indent goes back from j over what may stand before the first word of a line, and reports that the line begins there: no more than maxNameSide
// bytes before i.
func (f *finder) indent(j, i int) (at int, begins bool) {
	for j > 0 && i-j < maxNameSide {
		switch f.b[j-1] {
		case ' ', '\t', '-', '"', '\'', '#':
			j--
		case '\n':
			return j, true
		default:
			return j, false
		}
	}
	return j, j == 0
}

// pairName reports whether the name at from is itself the value of a field that is called name or key: {Name:DB_PASSWORD Value:x}.
func (f *finder) pairName(from int) bool {
	i := from
	for i > 0 && from-i < 6 && pairQuote(f.b[i-1]) {
		i--
	}
	if i == 0 || f.b[i-1] != ':' && f.b[i-1] != '=' {
		return false
	}
	for i--; i > 0 && from-i < 12 && pairQuote(f.b[i-1]); {
		i--
	}
	return i >= 4 && bytes.EqualFold(f.b[i-4:i], []byte("name")) || i >= 3 && bytes.EqualFold(f.b[i-3:i], []byte("key"))
}

// pairQuote reports what may stand between a field, its operator and its value.
func pairQuote(c byte) bool { return c == ' ' || c == '"' || c == '\'' || c == '\\' || c == '\t' }

// value reads what stands beside a name.
type value struct {
	f         *finder
	name, at  int
	strength  field.Strength
	lineStart bool
	flag      bool
	form      form
	code      int8 // of inCode: 0 not asked yet, 1 no, 2 yes
	far       bool // what stands further in front was looked at
	option    bool // behind an option, not a name
	call      bool // among the arguments of a call
	columns   bool // in the second column of a table
	within    bool // with its name in quotes: "name:value"
	user, end int  // what stands before a password's colon: b[user:end]
}

// need holds from the name until more bytes are there.
func (v *value) need() bool {
	held := v.f.more(v.name, v.name, v.f.s.named, RunLine, "")
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
