// Package reference finds credentials the slow and obvious way: one regular expression a rule, each run over the whole
// text, with the plainest checks behind it. It shares no code and no table with the engine that masks, so that each can
// be held against the other: what this package still finds in masked text has leaked.
//
// It is made to raise alarms, so it rather misses a secret than calls something one that is not: values need digits or
// symbols, and placeholders, references and documented examples are no findings. It must never keep or report the
// text itself. It is pure, a Detector is immutable and safe for concurrent use, and its work is linear in the text.
package reference

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
)

// Finding is one secret: text[Start:End], in bytes. Rule names what found it: a kind of the tables, with "base64:" in
// front when the secret stands inside encoded bytes.
type Finding struct {
	Start, End int
	Rule       string
}

// Detector holds the compiled rules.
type Detector struct {
	rules  []rule
	masks  *regexp.Regexp
	base64 *regexp.Regexp
}

// New compiles the rules. It fails when a table does.
func New() (*Detector, error) {
	rules, err := load()
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	return &Detector{
		rules:  rules,
		masks:  regexp.MustCompile(`(?:\[|%5B)masked(?::|%3A)[a-z0-9-]+(?::|%3A)[a-z2-7]{8}(?:\]|%5D)`),
		base64: regexp.MustCompile(`[0-9A-Za-z+/_-]{40,}={0,2}`),
	}, nil
}

// Find returns the secrets in text by where they begin, those inside another one left out. A value of which only
// placeholders of the masking engine are left is no finding; one of which more is left is. It does not keep text.
// What it needs beside the text is in proportion to what it finds and to the longest encoded run.
func (d *Detector) Find(text []byte) []Finding {
	found := d.encoded(d.plain(nil, text, false), text)
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End), cmp.Compare(a.Rule, b.Rule))
	})
	end := 0
	return slices.DeleteFunc(found, func(f Finding) bool {
		if f.End <= end {
			return true
		}
		end = f.End
		return false
	})
}

// plain runs the rules over text as it stands. With certain set it runs only those that need no name beside the value.
func (d *Detector) plain(found []Finding, text []byte, certain bool) []Finding {
	for i := range d.rules {
		r := &d.rules[i]
		if certain && r.named {
			continue
		}
		for _, at := range r.re.FindAllSubmatchIndex(text, -1) {
			start, end := at[2*r.group], at[2*r.group+1]
			if start >= 0 && d.secret(r, text, at[0], start, end) {
				found = append(found, Finding{Start: start, End: end, Rule: r.kind})
			}
		}
	}
	return found
}

// secret judges a match of r that begins at from and whose secret is text[start:end].
func (d *Detector) secret(r *rule, text []byte, from, start, end int) bool {
	if r.edged && (!leftEdge(text, from) || !rightEdge(text, end)) {
		return false
	}
	v := text[start:end]
	body := v
	if r.group == 0 {
		body = v[min(r.prefix, len(v)):]
	}
	if bytes.Contains(v, []byte("masked")) {
		if v = d.masks.ReplaceAll(v, nil); len(v) < minRest {
			return false
		}
		body = v
	}
	if placeholder(body) {
		return false
	}
	if r.edged && monotone(body) {
		return false
	}
	for _, check := range r.checks {
		if !check(text[from:start], v, body) {
			return false
		}
	}
	return true
}

// minRest is how many bytes must be left beside placeholders for a value to count as leaked.
const minRest = 8

// leftEdge reports that a token may begin at i: no word goes on there, unless it is the end of an escape.
func leftEdge(text []byte, i int) bool {
	if i == 0 || !isWord(text[i-1]) {
		return true
	}
	return escapeTable.Match(text[max(0, i-16):i])
}

// escapeTable knows the ends of what stands for a character: \n, \x22, \u003d, %3D, ESC[0m.
var escapeTable = regexp.MustCompile(`(?:(?:^|[^\\])\\[nrtbfv]|\\x[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2}|(?:\x1b|\\x1b|\\033|\\e|\\u001[bB])\[[0-9;]{0,8}m)$`)

func rightEdge(text []byte, i int) bool { return i == len(text) || !isWord(text[i]) }

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
