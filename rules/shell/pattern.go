package shell

import (
	"errors"
	"strings"

	"weir"
	"weir/rules/glob"
)

// Pattern is a command as rules write it: words with wildcards, such as "kubectl get secret*". Immutable.
type Pattern struct {
	text  string
	words []glob.Text
	rest  bool // ends with the word *
	whole bool // the first word holds a slash: it is compared with the whole path
}

// CompilePattern compiles a pattern.
func CompilePattern(text string) (Pattern, error) {
	p := Pattern{text: text}
	words := strings.Fields(text)
	if len(words) == 0 {
		return p, errors.New("is empty; write a command such as systemctl restart *")
	}
	if len(words) > 1 && words[len(words)-1] == "*" {
		p.rest, words = true, words[:len(words)-1]
	}
	for _, w := range words {
		g, err := glob.CompileText(w)
		if err != nil {
			return p, err
		}
		p.words = append(p.words, g)
	}
	p.whole = strings.Contains(words[0], "/")
	return p, nil
}

// String returns the pattern as written.
func (p *Pattern) String() string { return p.text }

// Name returns the command's name when it holds no wildcard and is no path, for indexing by ShellCommand.Name.
func (p *Pattern) Name() (string, bool) {
	name := p.words[0].String()
	return name, !p.whole && !strings.ContainsAny(name, "*?")
}

// Touches reports whether the command may be what the pattern speaks of: its name matches, and the other words of the pattern
// match words of the command in the same order, whatever stands between them. For rules that refuse.
func (p *Pattern) Touches(c *weir.ShellCommand) bool {
	if len(p.words) == 0 || len(c.Words) == 0 {
		return false
	}
	name := c.Name
	if p.whole {
		name = c.Words[0]
	}
	if !p.words[0].Match(name) {
		return false
	}
	next := 1
	for _, w := range c.Words[1:] {
		if next == len(p.words) {
			break
		}
		if p.words[next].Match(w) {
			next++
		}
	}
	return next == len(p.words)
}

// systemDirs are where a command's name means what it says.
const systemDirs = " /bin/ /sbin/ /usr/bin/ /usr/sbin/ /usr/local/bin/ /usr/local/sbin/ "

// Covers reports whether the command is surely what the pattern speaks of: every word matches the one at its place, and * at the end
// stands for any more of them. A command in a directory of its own, and a word that the shell may change or that climbs with
// .., match no wildcard in the middle of a pattern. For rules that allow.
func (p *Pattern) Covers(c *weir.ShellCommand) bool {
	if len(p.words) == 0 || len(c.Words) < len(p.words) || len(c.Words) > len(p.words) && !p.rest {
		return false
	}
	name := c.Words[0]
	if dir := strings.TrimSuffix(name, c.Name); !p.whole && dir != "" {
		if !strings.Contains(systemDirs, " "+dir+" ") {
			return false
		}
		name = c.Name
	}
	if !p.words[0].Match(name) {
		return false
	}
	for i := 1; i < len(p.words); i++ {
		w := c.Words[i]
		if !p.words[i].Match(w) {
			return false
		}
		if w != p.words[i].String() && (strings.ContainsAny(w, "$`*?[{") || climbs(w)) {
			return false
		}
	}
	return true
}

func climbs(w string) bool {
	return w == ".." || strings.Contains(w, "../") || strings.HasSuffix(w, "/..")
}

// MayName reports whether a word with wildcards, braces or variables may become a file that a path pattern of rules/glob
// names. A last part of less than two letters that stand as they are says too little, and does not count.
func MayName(pattern, word string) bool {
	if !strings.ContainsAny(word, "*?[{$") || strings.ContainsAny(word, " \n") {
		return false
	}
	have, want := strings.Split(loosen(word), "/"), strings.Split(strings.TrimPrefix(pattern, "/"), "/")
	if n := len(want) - 1; n > 0 && want[n] == "**" { // all below a directory: one in front of the word's end may be it
		for i := 1; i < len(have); i++ {
			if mayBe(want[:n], have[:i]) {
				return true
			}
		}
		return false
	}
	return mayBe(want, have)
}

// mayBe compares the parts of a path from their ends.
func mayBe(want, have []string) bool {
	if last := have[len(have)-1]; len(last)-strings.Count(last, "*")-strings.Count(last, "?") < 2 {
		return false
	}
	for len(want) > 0 {
		w := want[len(want)-1]
		want = want[:len(want)-1]
		if w == "**" || len(have) == 0 {
			return w == "**" // what stands in front of it is not compared
		}
		h := have[len(have)-1]
		have = have[:len(have)-1]
		a, errA := glob.CompileText(h)
		b, errB := glob.CompileText(w)
		if errA != nil || errB != nil || !a.MatchFold(w) && !b.MatchFold(h) {
			return false
		}
	}
	return len(have) == 0 || have[0] == ""
}

// loosen writes what a shell expands as wildcards.
func loosen(word string) string {
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		switch c := word[i]; {
		case c == '[' && strings.IndexByte(word[i:], ']') > 0:
			i += strings.IndexByte(word[i:], ']')
			b.WriteByte('?')
		case c == '{' && strings.IndexByte(word[i:], '}') > 0:
			i += strings.IndexByte(word[i:], '}')
			b.WriteByte('*')
		case c == '$':
			for i+1 < len(word) && (isNameByte(word[i+1]) || word[i+1] == '{' || word[i+1] == '}') {
				i++
			}
			b.WriteByte('*')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
