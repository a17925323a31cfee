package detect

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"weir/mask/field"
)

// Custom is a detector of the user's own: a regular expression (RE2) that is tried where one of its keywords stands, in upper or lower case.
// A match lies on one line and holds the keyword. It begins at most 64 bytes before it, in the same word: no blank, comma or round bracket
// between them. It ends at most 4 KiB behind it. \b sees the byte before the match, ^ and $ are the line's. So how the input is cut does not
// matter. Only when expressions read far more than there is input, as text that is nothing but keywords can make them, the words in which
// keywords stand are masked without asking the expression.
type Custom struct {
	Name     string   // its kind: [a-z0-9-]+, not that of another detector
	Regex    string   // of its groups only the first is masked; without a group all of the match is
	Keywords []string // of 3 to 64 bytes; empty: derived from the regex
	Check    string   // a check of the secret by its name, or empty
	Allow    []string // regular expressions; a secret that one of them matches whole is left
}

// CustomProblem is what is wrong with one of a list of Customs.
type CustomProblem struct {
	Index int
	Field string // name, regex, keywords, check or allow
	Text  string // what is wrong and how to right it
}

const (
	maxCustomBefore = 64
	maxCustomBehind = 4 << 10
	maxCustomSize   = 1000 // bytes of a regular expression
	minKeyword      = 3
	maxKeyword      = 64
	maxKeywords     = 64
	maxCustoms      = 200
	maxCustomSteps  = 3000 // instructions of a compiled expression

	// customSteps and customGrant bound the bytes that all regular expressions together may read while Find looks at n new ones: n*customSteps+customGrant.
	customSteps = 8
	customGrant = 8 << 10
)

// custom is a Custom that was compiled.
type custom struct {
	at, start *regexp.Regexp // from a fixed place: behind the byte before it, and at the start of the input
	offset    int            // of the keyword in a match, or -1
	group     int
	check     check
	allow     []*regexp.Regexp
}

// reach is how far before its keyword a match may begin.
func (c *custom) reach() int {
	if c.offset >= 0 {
		return c.offset
	}
	return maxCustomBefore
}

// keyword is a word and where matches begin before it, or -1 when that varies.
type keyword struct {
	text   string
	offset int
}

// CheckCustom returns everything that is wrong with a list. An error is one of the built-in formats.
func CheckCustom(list []Custom) ([]CustomProblem, error) {
	if len(list) == 0 {
		return nil, nil
	}
	names, err := field.New(nil)
	if err != nil {
		return nil, err
	}
	kinds, err := (&Set{names: names}).load()
	if err != nil {
		return nil, err
	}
	_, problems := compileCustoms(list, kinds)
	return problems, nil
}

// compileCustoms makes literals of a list. kinds are those that are taken.
func compileCustoms(list []Custom, kinds map[string]bool) (all []literal, problems []CustomProblem) {
	names := map[string]int{}
	for i := range list {
		c := &list[i]
		bad := func(key, format string, args ...any) {
			problems = append(problems, CustomProblem{i, key, fmt.Sprintf(format, args...)})
		}
		first, twice := names[c.Name]
		switch {
		case i == maxCustoms:
			bad("name", "there are more than %d detectors", maxCustoms)
			return nil, problems
		case !isKind(c.Name) || len(c.Name) > maxKeyword:
			bad("name", "a detector needs a name of small letters, digits and hyphens: it stands in placeholders")
		case kinds[c.Name]:
			bad("name", "there is a built-in detector of that name; take another")
		case twice:
			bad("name", "detector %d of the list has that name already", first+1)
		}
		names[c.Name] = i
		l := literal{fold: true, read: readCustom, rule: &Rule{c.Name}}
		for _, w := range c.keywords(bad) {
			l.text, l.custom = w.text, c.compile(w.offset)
			all = append(all, l)
		}
	}
	return all, problems
}

// keywords checks a Custom and returns its keywords, none when something is wrong.
func (c *Custom) keywords(bad func(key, format string, args ...any)) []keyword {
	good := true
	wrong := func(key, format string, args ...any) {
		good = false
		bad(key, format, args...)
	}
	if c.Check != "" {
		if _, err := checkNamed(c.Check); err != nil {
			wrong("check", "%s; there are: %s", err, strings.Join(checkNames(), ", "))
		}
	}
	for _, a := range c.Allow {
		if _, err := regexp.Compile(a); err != nil || len(a) > maxCustomSize {
			wrong("allow", "an entry is a regular expression (RE2) of at most %d bytes: %s", maxCustomSize, reason(err))
		}
	}
	re, err := regexp.Compile(c.Regex)
	switch {
	case c.Regex == "" || len(c.Regex) > maxCustomSize:
		wrong("regex", "a detector needs a regular expression of at most %d bytes", maxCustomSize)
	case err != nil:
		wrong("regex", "this is not a regular expression (RE2): %s", reason(err))
	case re.MatchString(""):
		wrong("regex", "it matches nothing at all, so it would match everywhere")
	case steps(c.Regex) > maxCustomSteps:
		wrong("regex", "it is too large; write smaller numbers in {}")
	}
	if !good {
		return nil
	}
	return c.words(bad)
}

// words returns the keywords that are given, or derived ones.
func (c *Custom) words(bad func(key, format string, args ...any)) []keyword {
	words := derive(c.Regex)
	if len(c.Keywords) == 0 {
		if len(words) == 0 {
			bad("keywords", "give keywords: words of %d bytes or more one of which stands in every match; none can be derived from the regex", minKeyword)
		}
		return words
	}
	if len(c.Keywords) > maxKeywords {
		bad("keywords", "there are more than %d", maxKeywords)
	}
	var given []keyword
	for _, k := range c.Keywords {
		if len(k) < minKeyword || len(k) > maxKeyword || strings.ContainsAny(k, "\r\n") {
			bad("keywords", "a keyword has %d to %d bytes and no line end", minKeyword, maxKeyword)
			return nil
		}
		w := keyword{lowerText(k), -1}
		for _, d := range words {
			if at := strings.Index(d.text, w.text); at >= 0 && d.offset >= 0 && len(words) == 1 && strings.Count(d.text, w.text) == 1 {
				w.offset = d.offset + at
			}
		}
		if !slices.ContainsFunc(given, func(g keyword) bool { return g.text == w.text }) {
			given = append(given, w)
		}
	}
	return given
}

// compile makes what is run where a keyword of that offset stands. All was checked before.
func (c *Custom) compile(offset int) *custom {
	skip := ""
	if offset < 0 {
		skip = fmt.Sprintf("(?s:.{0,%d}?)", maxCustomBefore)
	}
	into := &custom{
		at: regexp.MustCompile(`\A(?s:.)` + skip + `(?m:(` + c.Regex + `))`), start: regexp.MustCompile(`\A` + skip + `(?m:(` + c.Regex + `))`),
		offset: offset,
	}
	if into.at.NumSubexp() > 1 {
		into.group = 1
	}
	if c.Check != "" {
		into.check, _ = checkNamed(c.Check)
	}
	for _, a := range c.Allow {
		into.allow = append(into.allow, regexp.MustCompile(`\A(?:`+a+`)\z`))
	}
	return into
}

func checkNames() []string {
	var names []string
	for name := range checkTable {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// reason is what the regexp package says is wrong, without the expression: it may hold a secret in the wrong place.
func reason(err error) string {
	if err == nil {
		return "too long"
	}
	s := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	s, _, _ = strings.Cut(s, ": `")
	return s
}

func lowerText(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}

// lineReader gives a regular expression the runes of one line, no more than it asks for.
type lineReader struct {
	b     []byte
	i     int
	limit int
	final bool
	short bool // it asked for bytes that are not there yet
}

// ReadRune implements io.RuneReader. At the end of the line, or of what may be looked at, it reports the end of the input.
func (r *lineReader) ReadRune() (c rune, size int, err error) {
	if r.i >= r.limit || r.i < len(r.b) && (r.b[r.i] == '\n' || r.b[r.i] == '\r') {
		return 0, 0, io.EOF
	}
	if r.i >= len(r.b) || !r.final && !utf8.FullRune(r.b[r.i:]) {
		r.short = !r.final
		return 0, 0, io.EOF
	}
	c, size = utf8.DecodeRune(r.b[r.i:])
	r.i += size
	return c, size, nil
}

// custom reads a user's format by the keyword at start.
func (f *finder) custom(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	c, lo := l.custom, start
	for reach := c.reach(); lo > f.done && start-lo < reach && f.s.joined[f.b[lo-1]] && f.b[lo-1] > ' '; {
		lo--
	}
	if c.offset > start-lo {
		return false // it would begin outside of the word
	}
	f.view(lo)
	if f.spent > f.grant {
		return f.exhausted(l, start)
	}
	re, from := c.start, lo
	if lo > 0 {
		re, from = c.at, lo-1
	}
	in := lineReader{b: f.b, i: from, limit: start + len(l.text) + maxCustomBehind, final: f.final}
	if lo > 0 && (f.b[from] == '\n' || f.b[from] == '\r') {
		re, in.i, from = c.start, lo, lo
	}
	m := re.FindReaderSubmatchIndex(&in)
	f.spent += in.i - from
	if in.short {
		return f.more(lo, lo, l.rule, RunLine, "")
	}
	if m == nil || from+m[2] > start || from+m[3] < start+len(l.text) {
		return false
	}
	g := 2 * (1 + c.group)
	if m[g] < 0 {
		return false
	}
	from, end := from+m[g], from+m[g+1]
	secret := f.b[from:end]
	if c.check != nil && !c.check(f.b[from:end], secret) {
		return false
	}
	for _, a := range c.allow {
		if f.spent += len(secret); a.Match(secret) {
			return false
		}
	}
	return f.add(lo, from, end, l.rule)
}

// exhausted masks the word of a keyword when the regular expressions have read too much: the input was made to keep them busy.
func (f *finder) exhausted(l *literal, start int) bool {
	f.view(start)
	end, closed := f.run(start, f.s.wordRun)
	if !closed {
		return f.more(start, start, l.rule, RunToken, "")
	}
	return f.add(start, start, max(end, start+len(l.text)), l.rule)
}
