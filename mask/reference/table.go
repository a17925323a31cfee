package reference

import (
	"embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The rules, a line each: the kind, the expression, and the checks of checkTable with commas between, tabs between the
// three. A group in the expression is the secret; without one all of it is. In an expression @a stands for a letter or
// digit, and so on as macroTable says. The rules of every file but contexts.txt are tokens, which neither begin nor end
// inside a word.
//
//go:embed rules/*.txt
var rulesFS embed.FS

// macroTable is what the shorthands in expressions stand for. The longer ones come first.
var macroTable = strings.NewReplacer(
	"@pass", cased("password", "passwd", "passphrase", "pwd"),
	"@key", cased("secret", "token", "apikey", "api key", "accesskey", "access key", "secretkey", "secret key", "private key", "signing key", "encryption key", "auth key",
		"client secret", "credentials", "session id", "sessionid", "secret key base"),
	"@uuid", `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`,
	"@a", `[0-9A-Za-z]`, "@u", `[0-9A-Za-z_-]`, "@x", `[0-9A-Za-z_.=-]`, "@h", `[0-9a-f]`, "@H", `[0-9A-F]`,
	"@b", `[A-Z2-7]`, "@U", `[0-9A-Z]`, "@l", `[0-9a-z]`, "@B", `[0-9A-Za-z+/]`, "@d", `[0-9]`,
)

// cased returns an expression for names as programs write them: all small, all capitals, or camel case. Other mixes of
// cases are no names.
func cased(names ...string) string {
	var all []string
	for _, name := range names {
		small := strings.ReplaceAll(name, " ", "[_.-]?")
		camel, first := "", ""
		for i, word := range strings.Fields(name) {
			title := strings.ToUpper(word[:1]) + word[1:]
			camel += title
			if i == 0 {
				title = word
			}
			first += title
		}
		all = append(all, small, strings.ToUpper(small), camel, first, strings.ReplaceAll(camel, "Key", "-Key"))
	}
	slices.Sort(all)
	return "(?:" + strings.Join(slices.Compact(all), "|") + ")"
}

type rule struct {
	kind   string
	re     *regexp.Regexp
	group  int  // of the secret
	prefix int  // length of what all tokens of the kind begin with
	edged  bool // a token, not a value in a context
	named  bool // needs a name or another context
	checks []check
}

// certainTable lists the rules of contexts.txt that need no name.
var certainTable = map[string]bool{"private-key": true, "ssh2-key": true, "openssh-raw": true, "jwt": true}

func load() ([]rule, error) {
	files, err := rulesFS.ReadDir("rules")
	if err != nil {
		return nil, err
	}
	var all []rule
	for _, file := range files {
		text, err := rulesFS.ReadFile("rules/" + file.Name())
		if err != nil {
			return nil, err
		}
		for n, line := range strings.Split(string(text), "\n") {
			if line == "" || line[0] == '#' {
				continue
			}
			r, err := parse(strings.Split(line, "\t"), file.Name() != "contexts.txt")
			if err != nil {
				return nil, fmt.Errorf("rules/%s line %d: %w", file.Name(), n+1, err)
			}
			all = append(all, r)
		}
	}
	return all, nil
}

func parse(columns []string, token bool) (rule, error) {
	if len(columns) < 2 || len(columns) > 3 {
		return rule{}, errors.New("want a kind, an expression and perhaps checks")
	}
	re, err := regexp.Compile(macroTable.Replace(columns[1]))
	if err != nil {
		return rule{}, err
	}
	if re.NumSubexp() > 1 {
		return rule{}, errors.New("more than one group")
	}
	literal, _ := re.LiteralPrefix()
	r := rule{
		kind: columns[0], re: re, group: re.NumSubexp(), prefix: len(literal), edged: token,
		named: !token && !certainTable[columns[0]],
	}
	if len(columns) < 3 {
		return r, nil
	}
	for name := range strings.SplitSeq(columns[2], ",") {
		c := checkTable[name]
		if c == nil {
			return rule{}, fmt.Errorf("there is no check %q", name)
		}
		r.checks = append(r.checks, c)
	}
	return r, nil
}
