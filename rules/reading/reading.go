// Package reading lists the ways in which a target may read the path of a request. Servers differ: one decodes twice, one
// strips ";parameters", one takes a backslash for a slash. A rule that forbids must look at all of them.
//
// It must never guess which reading is right, and it gives up on paths that have too many. Pure; safe for concurrent use.
package reading

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxPath is the longest path in bytes that is read.
const maxPath = 16 << 10

// Of returns every reading of a path as it was sent (escaped, without the query), the literal one first. ambiguous, when it
// is not empty, says why there is no complete list: such a request must be refused.
func Of(path string) (readings []string, ambiguous string) {
	if len(path) > maxPath {
		return []string{path}, "the path is too long"
	}
	if plain(path) {
		return []string{path}, ""
	}
	out := []string{path}
	level := path
	for depth := 0; ; depth++ {
		if why := hostile(level); why != "" {
			return out, why
		}
		out = variants(out, level)
		next, changed, ok := decode(level)
		if !ok {
			if depth > 0 {
				break // a second decoding that fails is one that no target does
			}
			return out, "the path holds a percent sign that begins no escape"
		}
		if !changed {
			break
		}
		if depth == 3 {
			return out, "the path is escaped more than three times"
		}
		level = next
	}
	return out, ""
}

// plain reports whether all targets read the path alike.
func plain(p string) bool {
	for i := range len(p) {
		switch c := p[i]; {
		case c == '%', c == ';', c == '\\', c == '?', c == '#', c < ' ', c >= 0x7f:
			return false
		case c == '/' && i+1 < len(p) && (p[i+1] == '/' || p[i+1] == '.'):
			return false
		}
	}
	return true
}

// hostile says what makes a path dangerous whatever the reading.
func hostile(p string) string {
	for i := range len(p) {
		if p[i] < ' ' || p[i] == 0x7f {
			return "the path holds a control character"
		}
	}
	if !utf8.ValidString(p) {
		return "the path is not valid UTF-8"
	}
	return ""
}

// decode undoes one percent-encoding.
func decode(p string) (out string, changed, ok bool) {
	if !strings.Contains(p, "%") {
		return p, false, true
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] != '%' {
			b.WriteByte(p[i])
			continue
		}
		if i+2 >= len(p) {
			return p, false, false
		}
		hi, lo := unhex(p[i+1]), unhex(p[i+2])
		if hi < 0 || lo < 0 {
			return p, false, false
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), true, true
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// variants adds what becomes of one decoding by any choice of the other habits.
func variants(out []string, p string) []string {
	add := func(s string) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	cut := []string{p}
	if i := strings.IndexAny(p, "?#"); i >= 0 {
		cut = append(cut, p[:i])
	}
	for _, c := range cut {
		for _, slashes := range [...]string{c, strings.ReplaceAll(c, `\`, "/")} {
			for _, bare := range [...]string{slashes, parameters(slashes)} {
				add(bare)
				add(collapse(bare))
				add(dots(bare))
				add(dots(collapse(bare)))
				add(collapse(dots(bare)))
			}
		}
	}
	return out
}

// parameters strips what follows a semicolon in each segment.
func parameters(p string) string {
	if !strings.Contains(p, ";") {
		return p
	}
	parts := strings.Split(p, "/")
	for i, s := range parts {
		parts[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(parts, "/")
}

// collapse makes one slash of many.
func collapse(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

// dots resolves "." and ".." (RFC 3986, section 5.2.4).
func dots(p string) string {
	if !strings.Contains(p, "/.") {
		return p
	}
	var out []string
	parts := strings.Split(p, "/")
	for i, s := range parts {
		last := i == len(parts)-1
		switch s {
		case ".":
		case "..":
			if len(out) > 1 {
				out = out[:len(out)-1]
			}
		default:
			out = append(out, s)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	return strings.Join(out, "/")
}
