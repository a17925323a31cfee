// Package glob matches paths and names against patterns that people write in rules.
//
// It decides nothing and normalises nothing: which spellings of a path are tried is the
// business of rules/reading. Matching takes time linear in pattern times input at worst, never allocates and
// never fails. Compiled patterns are immutable and safe for concurrent use; their zero value matches nothing.
package glob

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPattern bounds a pattern's length in bytes.
const maxPattern = 1024

// kind says how one segment of a path pattern is compared.
type kind uint8

const (
	literal kind = iota + 1 // byte for byte
	wild                    // holds * or ?
	any1                    // "*" alone: one segment that is not empty
	deep                    // "**": any number of segments, none included
)

type segment struct {
	kind   kind
	exact  string
	folded string
}

// Path is a compiled path pattern. In it "*" stands for any part of one segment, "?" for one
// character, and "**", alone between slashes, for any number of whole segments, none included:
// "/admin/**" matches "/admin", "/admin/" and "/admin/a/b".
type Path struct {
	text string
	segs []segment
}

// CompilePath compiles a pattern, which begins with "/" or "**".
func CompilePath(pattern string) (Path, error) {
	switch {
	case pattern == "":
		return Path{}, errors.New("is empty; write a path such as /admin/**")
	case len(pattern) > maxPattern:
		return Path{}, fmt.Errorf("is longer than %d bytes", maxPattern)
	case pattern[0] != '/' && !strings.HasPrefix(pattern, "**"):
		return Path{}, fmt.Errorf("must begin with / or **; write /%s or **/%s", pattern, pattern)
	case !utf8.ValidString(pattern):
		return Path{}, errors.New("is not valid UTF-8")
	case strings.ContainsAny(pattern, "#;\\%") || strings.Contains(pattern, "//"):
		return Path{}, errors.New(`holds one of % ; \ # or //; write the plain, decoded path, all its spellings are tried`)
	case strings.ContainsFunc(pattern, unicode.IsControl):
		return Path{}, errors.New("holds a control character")
	}
	p := Path{text: pattern}
	for _, s := range strings.Split(strings.TrimPrefix(pattern, "/"), "/") {
		seg := segment{kind: literal, exact: s, folded: FoldString(s)}
		switch {
		case s == "**":
			seg.kind = deep
			if n := len(p.segs); n > 0 && p.segs[n-1].kind == deep {
				continue
			}
		case s == "*":
			seg.kind = any1
		case strings.Contains(s, "**"):
			return Path{}, fmt.Errorf("holds ** inside the segment %q; ** stands alone between slashes, use * inside one", s)
		case strings.ContainsAny(s, "*?"):
			seg.kind = wild
		case s == "." || s == "..":
			return Path{}, fmt.Errorf("holds the segment %q; write the path without it", s)
		}
		p.segs = append(p.segs, seg)
	}
	return p, nil
}

// String returns the pattern as written.
func (p *Path) String() string { return p.text }

// Match reports whether the whole path matches, letter case included.
func (p *Path) Match(path string) bool { return p.match(path, false) }

// MatchFold reports whether the whole path matches without regard to letter case.
func (p *Path) MatchFold(path string) bool { return p.match(path, true) }

// Below reports whether a path below dir, without regard to letter case, may match by what dir is: one that would not match, or not surely, if dir
// had another name. A pattern of which a leading "**" takes all of dir matches whatever it is called, and does not count.
func (p *Path) Below(dir string) bool {
	dir = strings.Trim(dir, "/")
	free := len(p.segs) > 0 && p.segs[0].kind == deep
	at := make([]bool, len(p.segs)+1) // segments of the pattern that may be compared next
	at[0] = true
	for {
		for i := range p.segs { // a ** may stand for nothing
			at[i+1] = at[i+1] || at[i] && p.segs[i].kind == deep
		}
		if dir == "" {
			break
		}
		part, rest, _ := strings.Cut(dir, "/")
		next := make([]bool, len(at))
		for i := range p.segs {
			switch s := &p.segs[i]; {
			case !at[i]:
			case s.kind == deep:
				next[i] = true
			case s.match(part, true):
				next[i+1] = true
			}
		}
		at, dir = next, rest
	}
	from := 0
	if free {
		from = 2 // neither in the ** nor right behind it
	}
	for i := from; i < len(p.segs); i++ {
		if at[i] {
			return true
		}
	}
	return false
}

// Key returns the longest segment without wildcards, folded, for indexing: a path matches only if one of
// its segments, folded, equals it. ok is false when every segment holds a wildcard.
func (p *Path) Key() (key string, ok bool) {
	for i := range p.segs {
		if s := &p.segs[i]; s.kind == literal && len(s.folded) > len(key) {
			key, ok = s.folded, true
		}
	}
	return key, ok
}

func (p *Path) match(path string, fold bool) bool {
	if len(p.segs) == 0 {
		return false
	}
	if path != "" && path[0] == '/' {
		path = path[1:]
	}
	next, pos := 0, 0        // the segment of the pattern, and of the path, to compare next
	retry, retryPos := -1, 0 // after the last **, and how much of the path it has taken
	for pos <= len(path) {   // pos is past the end by one when no segment is left
		if next < len(p.segs) {
			s := &p.segs[next]
			if s.kind == deep {
				next++
				retry, retryPos = next, pos
				continue
			}
			end := segmentEnd(path, pos)
			if s.match(path[pos:end], fold) {
				next, pos = next+1, end+1
				continue
			}
		}
		if retry < 0 {
			return false
		}
		retryPos = segmentEnd(path, retryPos) + 1
		next, pos = retry, retryPos
	}
	for next < len(p.segs) && p.segs[next].kind == deep {
		next++
	}
	return next == len(p.segs)
}

func segmentEnd(path string, from int) int {
	if i := strings.IndexByte(path[from:], '/'); i >= 0 {
		return from + i
	}
	return len(path)
}

func (s *segment) match(part string, fold bool) bool {
	switch s.kind {
	case literal:
		if !fold {
			return s.exact == part
		}
		return equalFolded(s.folded, part)
	case any1:
		return part != ""
	case wild:
		if !fold {
			return matchText(s.exact, part, false)
		}
		return matchText(s.folded, part, true)
	case deep:
	}
	return false
}

// Text is a compiled pattern for names and values: "*" stands for any run of characters, slashes
// included, "?" for one.
type Text struct {
	exact, folded string
	ok            bool
}

// CompileText compiles a pattern.
func CompileText(pattern string) (Text, error) {
	switch {
	case pattern == "":
		return Text{}, errors.New("is empty; write * for anything")
	case len(pattern) > maxPattern:
		return Text{}, fmt.Errorf("is longer than %d bytes", maxPattern)
	case !utf8.ValidString(pattern):
		return Text{}, errors.New("is not valid UTF-8")
	}
	return Text{exact: pattern, folded: FoldString(pattern), ok: true}, nil
}

// String returns the pattern as written.
func (t *Text) String() string { return t.exact }

// Match reports whether all of s matches, letter case included.
func (t *Text) Match(s string) bool { return t.ok && matchText(t.exact, s, false) }

// MatchFold reports whether all of s matches without regard to letter case.
func (t *Text) MatchFold(s string) bool { return t.ok && matchText(t.folded, s, true) }

// matchText matches s against pattern; with fold, pattern is folded already.
func matchText(pattern, s string, fold bool) bool {
	p, i := 0, 0
	retry, retryAt := -1, 0
	for i < len(s) {
		r, size := decode(s[i:], fold)
		if p < len(pattern) {
			pr, psize := decode(pattern[p:], false)
			switch pr {
			case '*':
				p++
				retry, retryAt = p, i
				continue
			case '?', r:
				p, i = p+psize, i+size
				continue
			}
		}
		if retry < 0 {
			return false
		}
		_, size = decode(s[retryAt:], false)
		retryAt += size
		p, i = retry, retryAt
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func decode(s string, fold bool) (rune, int) {
	if c := s[0]; c < utf8.RuneSelf {
		if fold && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		return rune(c), 1
	}
	r, n := utf8.DecodeRuneInString(s)
	if fold {
		r = Fold(r)
	}
	return r, n
}

// equalFolded reports whether s, folded, equals folded.
func equalFolded(folded, s string) bool {
	for s != "" && folded != "" {
		if a, b := s[0], folded[0]; a < utf8.RuneSelf && b < utf8.RuneSelf {
			if 'A' <= a && a <= 'Z' {
				a += 'a' - 'A'
			}
			if a != b {
				return false
			}
			s, folded = s[1:], folded[1:]
			continue
		}
		r, n := decode(s, true)
		f, m := decode(folded, false)
		if r != f {
			return false
		}
		s, folded = s[n:], folded[m:]
	}
	return s == "" && folded == ""
}

// Fold maps all letters that some target may take for the same one, whatever its way of ignoring
// case, to one of them: the Kelvin sign and K to k, the long s to s, the dotless i to i.
func Fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(unicode.ToUpper(r))
}

// FoldString folds every letter of s.
func FoldString(s string) string { return strings.Map(Fold, s) }
