package detect

import (
	"bytes"
	"encoding/binary"
	"weir/mask/field"
)

// Find appends the credentials in b[from:] to dst, ascending and without overlap; b[:from] was searched
// before and is only looked at for what stands before a finding. With final unset more bytes may follow: then no
// finding, now or later, begins between the last one returned and safe, and none reaches behind safe
// unless it is open; call again with what begins at safe. It does not keep b.
func (s *Set) Find(dst []Finding, b []byte, from int, final bool) (found []Finding, safe int) {
	var f finder
	f.begin(s, b, from, final)
	f.out, f.plain = dst, from
	f.find(from)
	return f.out, max(f.safe, from)
}

// FindNext is Find for a text that comes in parts: st carries from one to the next what the text has said about itself.
func (s *Set) FindNext(st *State, dst []Finding, b []byte, from int, final bool) (found []Finding, safe int) {
	var f finder
	f.begin(s, b, from, final)
	f.out, f.st, f.plain = dst, *st, from+st.plain
	f.find(from)
	safe = max(f.safe, from)
	*st = f.st
	if st.plain = max(0, f.plain-safe); len(f.out) > 0 && f.out[len(f.out)-1].Open != Closed {
		st.plain = 0
	}
	return f.out, safe
}

// find looks for literals, and reads the rows of tables. It reports that it stopped at a finding that is open, or that may become one.
func (f *finder) find(from int) (stopped bool) {
	for at := from; ; at = f.resume {
		if f.st.kind != tableNone {
			end, held := f.rows(at)
			if held {
				return true
			}
			at = end
			f.done = max(f.done, at)
		}
		f.resume = -1
		if f.search(at) && f.resume < 0 {
			return true
		}
		if f.resume < 0 {
			if !f.final && f.st.kind == tableNone {
				f.safe = max(min(f.safe, f.tail(max(from, at))), f.done)
			}
			return false
		}
	}
}

// Quiet returns how far b may be shown when no more bytes come for a while: what lies behind is a value that a name, an option or
// an issuer's prefix has opened and that has no end yet. Names and prefixes are shown; Find wants them again all the same. st, b and from are
// as for FindNext with final unset; st is not changed. It does not keep b.
func (s *Set) Quiet(st *State, b []byte, from int) int {
	var f finder
	f.begin(s, b, from, false)
	f.quiet, f.st, f.plain = -1, st.Clone(), from+st.plain
	switch stopped := f.find(from); {
	case !stopped:
		return len(b)
	case f.quiet < 0:
		return f.safe
	}
	return f.quiet
}

// search looks for literals from i on. It reports that it has stopped before the end: because a finding is open or more bytes are needed, or
// because a table begins at f.resume.
func (f *finder) search(i int) bool {
	s, b := f.s, f.b
	t := s.pairs
	var pair uint64 // what the last pair may be the first half of
	next := i       // windows before it were looked at
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		p0, p1, p2, p3 := uint16(w), uint16(w>>16), uint16(w>>32), w>>48
		if pair&t.second[p0]|t.first[p0]&t.second[p1]|t.first[p1]&t.second[p2]|t.first[p2]&t.second[p3] != 0 {
			// Four bytes that begin at i-2, i, i+2 or i+4, and the window may begin one before or behind.
			next = max(next, i-3)
			for end := min(i+6, len(b)-3); next < end; next++ {
				if !s.sieve.has(binary.LittleEndian.Uint32(b[next:])) {
					continue
				}
				if f.candidate(next) {
					return true
				}
				if f.last && f.done == len(b) {
					return false // what was found last takes all the rest
				}
			}
		}
		pair = t.first[p3]
	}
	for next = max(next, i-3); next+4 <= len(b); next++ {
		if s.sieve.has(binary.LittleEndian.Uint32(b[next:])) && f.candidate(next) {
			return true
		}
	}
	return false
}

// finder is one search.
type finder struct {
	s            *Set
	b            []byte // what may be looked at; see view
	final        bool   // no more bytes follow b
	whole        []byte // all that is there
	last         bool   // no more bytes follow whole
	out          []Finding
	done         int // nothing before this may be found any more
	commands     commands
	named        int // end of the last name that was judged
	names        [recalls]recall
	judged       [judgements]judgement
	lastName     uint // of names: the one that was asked for last
	askedLine    int  // of beginsLine: where it was asked last, and one more
	lineBegins   bool // what it said
	safe         int
	st           State
	resume       int // where the rows of a table begin, or -1
	lines        lines
	line, lineAt int  // the last line that began before lineAt
	noLogin      int  // before it, no "login " was seen
	login        bool // one was
	words        int  // before it, sentence saw words only, which nothing set off
	noHead       int  // before it, no name stands in the head of a table with noDelim
	noDelim      byte
	inRow        []Finding // of rows, to be used again
	tuples       *tuples   // nil until a row is too long
	lastRun      lastRun   // of after and dsn
	link         link      // of address
	plainHead    []byte    // of the last INSERT without a secret column
	quiet        int       // where the secret itself begins of what search stopped at; -1 if that isn't known
	at           int       // the window that is being looked at
	plain        int       // before it, runs of base64 hold nothing
	runAt, run0  int       // of runBegin: where it was asked last, and what it said
	depth        int       // encodings around
	one          bool      // one finding is enough
	inRun        []Finding // of inside, to be used again
	spent        int       // bytes that users' expressions read
	grant        int       // how many they may
}

func (s *Set) finder(b []byte, from int, final bool) (f finder) {
	f.begin(s, b, from, final)
	return f
}

// begin makes the zero finder one of s, where it is: it is large, and what is returned is written twice.
func (f *finder) begin(s *Set, b []byte, from int, final bool) {
	f.s, f.b, f.final, f.whole, f.last = s, b, final, b, final
	f.done, f.safe, f.grant = from, len(b), customGrant+customSteps*(len(b)-from)
}

// tail returns where the bytes at the end begin that may become part of a finding with what follows: the beginning of a literal, and the part of a
// token that stands in front of its literal.
func (f *finder) tail(from int) int {
	start := f.s.beforeRun(f.b, f.s.partial(f.b, from), from)
	if begin := f.tokenBegin(len(f.b)); begin >= from {
		start = min(start, begin)
	}
	return start
}

// tokenBegin returns where the run of base64 begins that ends at i, if it may be masked from there when a spelling follows; else i.
func (f *finder) tokenBegin(i int) int {
	if !f.s.encoded {
		return i
	}
	k := i
	for k > 0 && sextetTable[f.whole[k-1]] != notEncoded {
		if k--; i-k > encodedReach+f.s.longest {
			return i
		}
	}
	return k
}

// candidate looks at the literals whose window stands at i. It reports that the search is over: a finding
// is open, or one may be and more bytes are needed.
func (f *finder) candidate(i int) bool {
	f.at = i
	for _, n := range f.s.windows.at(binary.LittleEndian.Uint32(f.b[i:])) {
		if !n.may(f.b, i) {
			continue
		}
		l := &f.s.literals[n.literal]
		start := i - l.at
		if l.read == readName && start < f.named || l.read == readEncoded && start < f.plain || !n.whole && !hasLiteral(f.b[start:], l) {
			continue // name would not judge a name twice, nor encoded look into a run twice
		}
		if f.read(l, start) {
			return true
		}
	}
	return false
}

func hasLiteral(b []byte, l *literal) bool {
	if len(b) < len(l.text) {
		return false
	}
	if !l.fold {
		return string(b[:len(l.text)]) == l.text
	}
	if last := len(l.text) - 1; (b[last]^l.text[last])&^0x20 != 0 {
		return false // of those that begin alike, most end here
	}
	return foldEqual(b, l.text)
}

// view lets a reader see no more than MaxHold bytes of the value that begins at start, as if the rest were still to come: so it decides the same
// whether the rest is there or not, and looks at each value's bytes only.
func (f *finder) view(start int) {
	f.b, f.final = f.whole, f.last
	if limit := start + MaxHold; limit <= len(f.whole) {
		f.b, f.final = f.whole[:limit], false
	}
}

// read lets the literal's reader look.
func (f *finder) read(l *literal, start int) bool {
	f.view(start)
	stopped := f.look(l, start)
	f.b, f.final = f.whole, f.last
	return stopped
}

func (f *finder) look(l *literal, start int) bool {
	switch l.read {
	case readFormat:
		return f.format(l, start)
	case readName:
		return f.name(l, start)
	case readURL:
		return f.url(l, start)
	case readKey:
		return f.key(l, start)
	case readJWT:
		return f.jwt(l, start)
	case readScheme:
		return f.scheme(l, start)
	case readOption:
		return f.option(l, start)
	case readPassLine:
		return f.passLine(start)
	case readLabel:
		return f.label(l, start)
	case readStar:
		return f.star(l, start)
	case readStatement:
		return f.statement(l, start)
	case readIdentified:
		return f.identified(l, start)
	case readCall:
		return f.call(l, start)
	case readSpoken:
		v := value{f: f, name: start + 1, at: start + len(l.text) - 1, strength: field.Weak}
		return start >= f.named && start >= f.done && v.sentence(start+len(l.text))
	case readRedisUser:
		return f.redisUser(l, start)
	case readPutty:
		return f.putty(l, start)
	case readCustom:
		return f.custom(l, start)
	case readAfter:
		return f.after(l, start)
	case readSlash:
		return f.slash(l, start)
	case readTyped:
		return f.typed(l, start)
	case readKeyMember:
		return f.keyMember(l, start)
	case readEncoded:
		return f.encoded(l, start)
	case readCommand:
		return f.command(l, start)
	case readDSN:
		return f.dsn(l, start)
	case readGrant:
		return f.grantCode(l, start)
	case readJunos:
		return f.junos(l, start)
	}
	return false
}

// run returns the end of the alphabet's run at i and whether it is known to be the end.
func (f *finder) run(i int, alphabet *[256]bool) (end int, closed bool) {
	end = runEnd(f.b, i, alphabet)
	return end, end < len(f.b) || f.final && end == len(f.b)
}

// runEnd returns the end of the alphabet's run in b at i.
func runEnd(b []byte, i int, alphabet *[256]bool) int {
	if i < 0 {
		return i // never; so no index needs to be checked
	}
	for i <= len(b)-8 && alphabet[b[i]] && alphabet[b[i+1]] && alphabet[b[i+2]] && alphabet[b[i+3]] && alphabet[b[i+4]] && alphabet[b[i+5]] && alphabet[b[i+6]] && alphabet[b[i+7]] {
		i += 8
	}
	for i < len(b) && alphabet[b[i]] {
		i++
	}
	return i
}

// add records a finding; one that begins before what was already decided is cut or dropped.
func (f *finder) add(from, start, end int, r *Rule) bool {
	start = max(start, f.done)
	if start >= end {
		return false
	}
	f.out = append(f.out, Finding{From: min(from, start), Start: start, End: end, Rule: r})
	f.done = end
	return f.one
}

// hold lets nothing from i on go, but for what was found already.
func (f *finder) hold(i int) {
	i = min(i, f.at-f.s.behind, f.tokenBegin(min(f.at+window, len(f.whole)))) // something longer may begin before it whose window comes later
	f.safe = max(min(i, f.safe), min(f.done, f.safe))
}

// more handles a value that runs into the end of b: it is held, or, when it is as long as may be
// held, it becomes an open finding. hold is where holding must begin; view(start) must have been called.
func (f *finder) more(hold, start int, r *Rule, run Run, quote string) bool {
	if len(f.b)-start < MaxHold {
		f.quiet = start
		f.hold(hold)
		return true
	}
	end := start + MaxHold
	f.out = append(f.out, Finding{From: hold, Start: max(start, f.done), End: end, Rule: r, Open: run, Quote: quote})
	f.safe = end
	return true
}

// insideWord reports that what stands in front of i is part of the same word, and not the end of an escape: \n, \u003d, \x3d, %3D, a colour.
func insideWord(text []byte, i int) bool {
	b := text[max(0, i-24):i]
	n := len(b)
	if n == 0 || !isWord(b[n-1]) {
		return false
	}
	if n > 1 && b[n-2] == '\\' && bytes.IndexByte([]byte("nrtbfv0"), b[n-1]) >= 0 {
		return false
	}
	if b[n-1] == 'm' { // ESC [ 1 ; 31 m
		k := n - 1
		for k > 0 && (isDigit(b[k-1]) || b[k-1] == ';') {
			k--
		}
		return k == 0 || b[k-1] != '['
	}
	hex := 0
	for hex < 4 && hex < n && isHex(b[n-1-hex]) {
		hex++
	}
	switch {
	case hex >= 2 && n > 2 && b[n-3] == '%', hex >= 2 && n > 3 && b[n-3] == 'x' && b[n-4] == '\\', hex == 4 && n > 5 && b[n-5] == 'u' && b[n-6] == '\\':
		return false
	}
	return true
}

// jwt reads a signed token of three base64url parts, or an encrypted one of five, whose first is a JSON object.
func (f *finder) jwt(l *literal, start int) bool {
	if start < f.done || insideWord(f.b, start) {
		return false
	}
	end, closed := f.run(start, l.alphabet)
	if head := f.b[start:min(end, start+maxHeader)]; bytes.IndexByte(head, '.') < 0 && (closed || len(head) == maxHeader) {
		return false // base64 of any other JSON
	}
	if !closed {
		return f.more(start, start, l.rule, RunToken, "")
	}
	for end > start && (f.b[end-1] == '.' && bytes.Count(f.b[start:end], []byte(".")) > 2 || f.b[end-1] == '=') {
		end-- // a full stop behind a token
	}
	v := f.b[start:end]
	dot := bytes.IndexByte(v, '.')
	if dot < 10 || len(v)-dot < 10 || bytes.IndexByte(v[dot+1:], '.') < 0 || !jsonHeader(v[:dot]) {
		return false
	}
	return f.add(start, start, end, l.rule)
}

// scheme reads the credentials behind an authentication scheme.
func (f *finder) scheme(l *literal, start int) bool {
	if start < f.done || start > 0 && isWord(f.b[start-1]) {
		return false
	}
	value := start + len(l.text)
	f.view(value)
	end, closed := f.run(value, f.s.schemeRun(l))
	if !closed {
		return f.more(start, value, l.rule, RunToken, "")
	}
	v := f.b[value:end]
	machine := bytes.ContainsAny(v, digit) && (l.text[1] != 'a' || alternates(v)) || len(v) > 20 && mixed(v)
	if len(v) < l.min || !machine {
		return false
	}
	return f.add(start, value, end, l.rule)
}

func (s *Set) schemeRun(l *literal) *[256]bool {
	if l.text[0] == 'b' && len(l.text) == len("bearer ") {
		return s.bare
	}
	return l.alphabet
}

func mixed(v []byte) bool {
	return bytes.ContainsAny(v, "abcdefghijklmnopqrstuvwxyz") && bytes.ContainsAny(v[1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

// url reads the password of scheme://user:password@host.
func (f *finder) url(l *literal, start int) bool {
	begin := start + len(l.text)
	colon, last, at := -1, -1, false
	for i := begin; ; i++ {
		if i == len(f.b) && !f.final && i-begin < 512 {
			held := f.more(start, start, l.rule, RunToken, "")
			f.quiet = len(f.b)
			if colon >= 0 {
				f.quiet = colon + 1
			}
			return held
		}
		if i == len(f.b) || i-begin >= 512 {
			return f.password(l, start, colon, last)
		}
		switch c := f.b[i]; {
		case c == '@':
			if colon < 0 && !at {
				at = true // a user name may be an address
				continue
			}
			if colon < 0 {
				return false
			}
			last = i // of several, the last one ends the password
		case c == ':' && colon < 0:
			colon = i
		case (c == '?' || c == '#') && colon >= 0 && last < 0 && !digits(f.b[colon+1:i]):
			// part of a password that nobody encoded; behind digits it ends a port
		case c <= ' ' || c == '/' || c == '?' || c == '#' || c == '"' || c == '\'' || c == '<' || c == '>' || c == '`' || c == '\\' || c == ',' && (colon < 0 || last >= 0):
			return f.password(l, start, colon, last)
		}
	}
}

// password takes what stands between a URL's colon and its @, if both are there.
func (f *finder) password(l *literal, start, colon, at int) bool {
	if at < 0 || at-colon < 4 || colon < start+len(l.text) || field.Placeholder(f.b[colon+1:at]) || braced(f.b[colon+1:at]) || bytes.HasPrefix(f.b[colon+1:at], []byte("&lt;")) {
		return false
	}
	user := f.b[start+len(l.text) : colon]
	if field.Documentation(user, f.b[colon+1:at]) {
		return false
	}
	if i := bytes.IndexByte(user, '='); i > 0 && f.s.names.Match(user[:i]) == field.Strong {
		return false // the value of that name goes on to here and further
	}
	return f.add(start, colon+1, at, l.rule)
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
