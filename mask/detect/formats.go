package detect

import (
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The issuers' formats, one file for each family. A file is made of stanzas; a line that begins with # is a comment.
//
//	github-token                                a kind: it stands in placeholders and can be turned off
//	  source  https://docs.github.com/…         where its issuer describes it
//	  token   ghp_{a36-255} mixed               a pattern, and checks of this one
//	  check   entropy                           a check of all tokens of the stanza
//	  proof   crc32-base62                      what passes this one may also stand inside a word
//	  reader  jwt                               instead of tokens: code reads it
//	  match   ghp_·Abc…                         an example that must be found, whole
//	  clear   ghp_·xxx…                         an example in which nothing must be found
//
// A pattern is text and runs: {a36-255} is 36 to 255 bytes of the alphabet a. Before the text there may be one run, behind it several with
// text between them. [0-9a] in the text stands for one byte of it, and the secret begins at | where not all of the token is secret.
// The check exact says that no letter, digit or underscore may follow; the others are in check.go.
//
// Alphabets: a letters and digits, u a plus _ -, w a plus _, x u plus . =, A base64 without its padding, B base64 or base64url, h hex, H upper-case hex,
// b A-Z 2-7, U A-Z and digits, l a-z 0-9, d digits, p URL path characters, @ p plus @, e ./ and a, c e plus $, y c plus = , : +, t u plus . ~,
// g a plus the signs that neither quote, group nor end anything, % URL-encoded, * any byte.
//
// In examples · breaks a token so that scanners of source code do not take it for one; it is removed. Where the secret is not all of an
// example it stands between ‹ and ›. \xHH is a byte.
//
//go:embed formats/*.txt
var formatFiles embed.FS

// segment is a run of bytes and the text in front of it.
type segment struct {
	sep      string
	alphabet *[256]bool
	any      bool // of any byte: as short as what follows allows
	min, max int
}

// column is where what an entry says begins: a pattern may begin with a blank.
const column = 10

// entries calls each for every line of a file of formats: of a new stanza with key and rest empty.
func entries(name, text string, each func(kind, key, rest string) error) error {
	kind, n := "", 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		if line == "" || line[0] == '#' {
			continue
		}
		var err error
		if line[0] != ' ' || len(line) < 3 {
			kind = line
			err = each(kind, "", "")
			if !isKind(kind) {
				err = fmt.Errorf("a kind is made of small letters, digits and hyphens, not %q", kind)
			}
		} else {
			key, rest := strings.TrimRight(line[2:min(len(line), column)], " "), line[min(len(line), column):]
			if err = each(kind, key, rest); kind == "" {
				err = errors.New("a stanza begins with its kind")
			}
		}
		if err != nil {
			return fmt.Errorf("detect: formats/%s line %d: %w", name, n, err)
		}
	}
	return nil
}

func isKind(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

// formats reads all formats.
func formats() ([]literal, error) {
	files, err := formatFiles.ReadDir("formats")
	if err != nil {
		return nil, err
	}
	l := loader{alphabets: map[byte]*[256]bool{}}
	for _, file := range files {
		text, err := formatFiles.ReadFile("formats/" + file.Name())
		if err != nil {
			return nil, err
		}
		if err := entries(file.Name(), string(text), l.entry); err != nil {
			return nil, err
		}
	}
	return l.all, nil
}

// loader makes literals of stanzas.
type loader struct {
	all       []literal
	alphabets map[byte]*[256]bool
	rule      *Rule
	first     int // literal of the stanza
	checks    []check
	proof     check
}

// entry takes one line of a stanza.
func (o *loader) entry(kind, key, rest string) error {
	switch key {
	case "":
		o.rule, o.first, o.checks, o.proof = &Rule{kind}, len(o.all), nil, nil
	case "token":
		return o.token(rest)
	case "check", "proof":
		c, err := checkNamed(rest)
		if err != nil {
			return err
		}
		if key == "proof" {
			o.proof = c
		} else {
			o.checks = append(o.checks, c)
		}
		for i := o.first; i < len(o.all); i++ {
			o.all[i].proof = o.proof
			if key == "check" {
				o.all[i].checks = append(o.all[i].checks, c)
			}
		}
	case "source", "match", "clear", "reader":
	default:
		return fmt.Errorf("there is no entry %q", key)
	}
	return nil
}

// token takes a pattern and its checks.
func (o *loader) token(rest string) error {
	pattern, checks := rest, ""
	if i := strings.LastIndexByte(rest, '}'); i >= 0 {
		if i += strings.IndexByte(rest[i:]+" ", ' '); i < len(rest) {
			pattern, checks = rest[:i], rest[i:]
		}
	}
	l := literal{read: readFormat, rule: o.rule, proof: o.proof, checks: o.checks}
	text, err := o.pattern(&l, pattern)
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(checks) {
		if name == "exact" {
			l.exact = true
			continue
		}
		c, err := checkNamed(name)
		if err != nil {
			return err
		}
		l.checks = append(l.checks[:len(l.checks):len(l.checks)], c)
	}
	for _, t := range expand(text) {
		l.text = t
		if at := strings.IndexByte(t, '|'); at >= 0 {
			l.text, l.inner = t[:at]+t[at+1:], at
		}
		if len(l.text) < 3 {
			return errors.New("a pattern needs a text of three bytes or more")
		}
		o.all = append(o.all, l)
	}
	return nil
}

// pattern reads a pattern into l, apart from its text.
func (o *loader) pattern(l *literal, pattern string) (text string, err error) {
	var runs []segment
	for sep := ""; pattern != "" || sep != ""; {
		n, run, err := o.run(pattern)
		if err != nil {
			return "", err
		}
		if n == 0 && pattern != "" {
			sep, pattern = sep+pattern[:1], pattern[1:]
			continue
		}
		run.sep = sep
		runs, sep, pattern = append(runs, run), "", pattern[n:]
	}
	if len(runs) > 0 && runs[0].sep == "" {
		l.before, l.beforeMin, l.beforeMax = runs[0].alphabet, runs[0].min, runs[0].max
		runs = runs[1:]
	}
	if len(runs) == 0 {
		return "", errors.New("a pattern needs a text")
	}
	text, runs[0].sep = runs[0].sep, ""
	if l.alphabet = runs[0].alphabet; len(runs) == 1 && !runs[0].any {
		l.min, l.max = runs[0].min, runs[0].max
		return text, nil
	}
	l.tail, l.alphabet = runs, new([256]bool)
	for _, r := range runs {
		l.min, l.max, l.any = l.min+len(r.sep)+r.min, l.max+len(r.sep)+r.max, l.any || r.any
		for c := range 256 {
			l.alphabet[c] = l.alphabet[c] || r.alphabet[c] || strings.IndexByte(r.sep, byte(c)) >= 0
		}
	}
	return text, nil
}

// run reads {a3-5} at the front of a pattern; n is 0 when there is none.
func (o *loader) run(p string) (n int, s segment, err error) {
	end := strings.IndexByte(p, '}')
	if p == "" {
		return 0, segment{alphabet: new([256]bool)}, nil
	}
	if p[0] != '{' || end < 3 || p[2] < '0' || p[2] > '9' {
		return 0, s, nil
	}
	name := p[1]
	if s.alphabet = o.alphabets[name]; s.alphabet == nil {
		if s.alphabet = alphabet(name); s.alphabet == nil {
			return 0, s, fmt.Errorf("there is no alphabet %q", name)
		}
		o.alphabets[name] = s.alphabet
	}
	lo, hi, span := strings.Cut(p[2:end], "-")
	if !span {
		hi = lo
	}
	var err1, err2 error
	s.min, err1 = strconv.Atoi(lo)
	s.max, err2 = strconv.Atoi(hi)
	if err = errors.Join(err1, err2); err == nil && s.min > s.max {
		err = errors.New("the least length is above the greatest")
	}
	s.any = name == '*'
	return end + 1, s, err
}

// expand writes out the classes of a text: 4[ab] is 4a and 4b.
func expand(text string) []string {
	open := strings.IndexByte(text, '[')
	end := strings.IndexByte(text, ']')
	if open < 0 || end < open {
		return []string{text}
	}
	var all []string
	class := text[open+1 : end]
	for _, rest := range expand(text[end+1:]) {
		for i := 0; i < len(class); i++ {
			last := class[i]
			if i+2 < len(class) && class[i+1] == '-' {
				last = class[i+2]
			}
			for c := class[i]; ; c++ {
				all = append(all, text[:open]+string(rune(c))+rest)
				if c == last {
					break
				}
			}
			if last != class[i] {
				i += 2
			}
		}
	}
	return all
}

// format reads a token with an issuer's prefix. It must not stand inside a word unless its proof holds.
func (f *finder) format(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	text, value := start, start+len(l.text)
	if l.before != nil {
		if start = l.reach(f.b, start); start < 0 {
			return false
		}
	} else if isWord(l.text[0]) && insideWord(f.b, start) {
		return l.proof != nil && f.proven(l, start, value)
	}
	if len(l.text) <= window+2 && l.before == nil && f.inBlock(l, start) {
		return false
	}
	f.view(start + l.inner)
	end, closed := f.stretch(l, value)
	if !closed {
		return f.more(start, start+l.inner, l.rule, RunToken, "")
	}
	if end = l.ends(f.b, start, text, value, end); end < 0 {
		return false
	}
	return f.add(start, start+l.inner, end, l.rule)
}

// ends returns where the token ends that begins at start, or -1 if it is none. Its text stands at text, and b[value:end] is what may belong to it behind that.
func (l *literal) ends(b []byte, start, text, value, end int) int {
	if l.tail != nil {
		n := l.shape(b[value:end])
		if n < 0 {
			return -1
		}
		end = value + n
	}
	for l.tail == nil && end > value && (b[end-1] == '.' || b[end-1] == '=' && l.alphabet['.']) {
		end-- // a full stop behind a token
	}
	if l.exact && l.tail == nil && end-value > l.max && b[value+l.max] == '/' && start > 0 && b[start-1] == '/' {
		end = value + l.max // a part of a path
	}
	v := b[value:end]
	if l.exact && (len(v) > l.max || end < len(b) && isWord(b[end])) || isExample(v) {
		return -1
	}
	if len(v) < l.min || !l.alphabet['/'] && len(v) > 4*l.max {
		return -1
	}
	if low(v) && (l.before == nil || len(v) > 8) || text-start > 15 && low(b[start:text]) || !l.passes(b[start:end], v) {
		return -1
	}
	if l.proof == nil && digestAround(b, start, end) {
		return -1
	}
	return end
}

// digestAround reports that b[start:end] is a digest in base64 behind the name of its algorithm, which begins like a token by chance: sha256=…
func digestAround(b []byte, start, end int) bool {
	if start < len("sha256=") || b[start-1] != '=' && b[start-1] != '-' && b[start-1] != ':' {
		return false
	}
	for _, d := range [...]struct {
		name   string
		length int
	}{{"sha1", 27}, {"sha256", 43}, {"sha384", 64}, {"sha512", 86}} {
		if end-start == d.length && foldSuffix(b[:start-1], d.name) {
			return true
		}
	}
	return false
}

// stretch returns the end of what may belong to a token whose value begins at i, and whether it is known to be the end.
func (f *finder) stretch(l *literal, i int) (end int, closed bool) {
	if l.any {
		end = min(len(f.b), i+l.max+1)
		return end, f.final || end == i+l.max+1
	}
	return f.run(i, l.alphabet)
}

// proven reads a token of the least length inside a word, where only its checksum can tell.
func (f *finder) proven(l *literal, start, value int) bool {
	end := min(value+l.min, len(f.b))
	for i := value; i < end; i++ {
		if !l.alphabet[f.b[i]] {
			return false
		}
	}
	if !f.final && value+l.min >= len(f.b) {
		return f.more(start, start, l.rule, RunToken, "")
	}
	if end-value < l.min || end < len(f.b) && isWord(f.b[end]) || !l.proof(f.b[start:end], f.b[value:end]) {
		return false
	}
	return f.add(start, start, end, l.rule)
}

// shape returns how many bytes at the front of v the runs of a format take, or -1.
func (l *literal) shape(v []byte) int {
	i := 0
	for n := range l.tail {
		s := &l.tail[n]
		if len(v)-i < len(s.sep) || string(v[i:i+len(s.sep)]) != s.sep {
			return -1
		}
		i += len(s.sep)
		if s.any {
			if i = l.afterAny(v, i, s, &l.tail[n+1]); i < 0 {
				return -1
			}
			continue
		}
		from := i
		for i < len(v) && i-from < s.max && s.alphabet[v[i]] {
			i++
		}
		if i-from < s.min {
			return -1
		}
	}
	return i
}

// afterAny returns where a run of any bytes that begins at i ends: where all of the next run, and no more of it, follows; or -1.
func (l *literal) afterAny(v []byte, i int, s, next *segment) int {
	for k := i + s.min; k <= i+s.max && k+next.min <= len(v); k++ {
		n := 0
		for n < next.min && next.alphabet[v[k+n]] {
			n++
		}
		if n == next.min && (k+n == len(v) || !next.alphabet[v[k+n]]) {
			return k
		}
	}
	return -1
}

// reach returns where the token of a literal that stands at start begins, or -1.
func (l *literal) reach(b []byte, start int) int {
	i := start
	for start-i < l.beforeMax && i > 0 && l.before[b[i-1]] {
		i--
	}
	if start-i < l.beforeMin || insideWord(b, i) || i > 0 && l.before[b[i-1]] && !isWord(b[i-1]) && !directory(b, i, l.before) {
		return -1
	}
	return i
}

// directory reports that the path of a directory ends in front of i: a / behind a word in small letters, which random text of the alphabet hardly has.
func directory(b []byte, i int, alphabet *[256]bool) bool {
	if i == 0 || b[i-1] != '/' {
		return false
	}
	k := i - 1
	for k > 0 && i-k < maxNameSide && (b[k-1] >= 'a' && b[k-1] <= 'z' || b[k-1] == '-') {
		k--
	}
	return i-k > 2 && (k == 0 || b[k-1] == '/' || !alphabet[b[k-1]])
}

// passes runs the checks of a literal.
func (l *literal) passes(token, value []byte) bool {
	for _, c := range l.checks {
		if !c(token, value) {
			return false
		}
	}
	return true
}
