package shell

import (
	"strings"

	"weir"
)

// run lists a simple command and what it runs in its turn. The words of an outer command were written as such; others were
// found behind a wrapper.
func (c *collector) run(words []word, in *input, depth int, outer bool) {
	if len(words) == 0 || !c.spend(len(words)) {
		return
	}
	if depth > maxDepth {
		c.unclear("it is nested too deeply")
		return
	}
	texts := make([]string, len(words))
	for i := range words {
		texts[i] = words[i].text
		if outer && (i > 0 || strings.Contains(texts[i], "/")) {
			c.file(texts[i])
		}
	}
	c.runTexts(words, texts, in, depth)
}

// runTexts is run for words whose texts stand in a slice already, and whose files were noted.
func (c *collector) runTexts(words []word, texts []string, in *input, depth int) {
	for len(words) > 0 {
		if depth++; depth > maxDepth {
			c.unclear("it is nested too deeply")
			return
		}
		first := &words[0]
		if !first.literal() || len(first.text) > 1 && !first.quoted && (first.text[0] == '!' || first.text[0] == '^') {
			c.use.Dynamic = true // a variable, a wildcard or the history of an interactive shell
		}
		name := base(first.text)
		c.use.Commands = append(c.use.Commands, weir.ShellCommand{Name: name, Words: texts[:len(texts):len(texts)]})
		x := call{c: c, name: name, words: words, texts: texts, in: in, depth: depth}
		next := x.inner()
		if next <= 0 || next >= len(words) {
			return
		}
		words, texts = words[next:], texts[next:]
	}
}

func base(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// call is a command that may run another one.
type call struct {
	c     *collector
	name  string
	words []word
	texts []string
	in    *input
	depth int
}

// inner returns the index of the word with which the command that this one runs begins, or 0. Commands that stand elsewhere it
// lists itself.
func (x *call) inner() int {
	x.evaluated()
	switch x.name {
	case "sh", "bash", "zsh", "dash", "ksh", "ksh93", "ash", "mksh", "fish", "rbash", "csh", "tcsh", "yash", "posh":
		x.shell()
		return 0
	case "eval":
		x.join(1)
		return 0
	case "export", "declare", "typeset", "local", "readonly":
		for i := range x.words {
			if x.words[i].eq > 0 {
				x.c.assign(&x.words[i])
			}
		}
		return 0
	case "read", "mapfile", "readarray", "getopts", "let", "unset":
		x.c.use.Assign = true
		for _, t := range x.texts[1:] {
			x.c.use.Dynamic = x.c.use.Dynamic || carriesCode(t)
		}
		return 0
	case "cd", "pushd":
		if i := x.options(1, "", ""); i < len(x.texts) {
			x.c.chdir(x.texts[i])
		}
		return 0
	case "find", "fd", "fdfind":
		x.find()
		return 0
	case "ssh", "autossh", "slogin", "mosh", "rsh", "plink", "dbclient":
		x.ssh()
		return 0
	case "docker", "podman", "nerdctl", "kubectl", "oc", "crictl", "docker-compose", "podman-compose", "k3s", "microk8s", "minikube", "lxc", "incus", "ctr", "machinectl":
		return x.container()
	case "xargs", "parallel":
		return x.xargs()
	case "env":
		return x.env()
	case "trap", "alias", "bind", "complete", "hash", "enable", "fc", "source", ".", "history", "at", "batch", "tmux", "screen", "awk", "gawk", "mawk", "nawk":
		x.oddity()
		return 0
	}
	if codeTable[x.name] != "" || strings.HasPrefix(x.name, "python") {
		x.interpreter()
		return 0
	}
	if w, ok := wrapperTable[x.name]; ok {
		return x.wrapper(&w)
	}
	return 0
}

// evaluated notes builtins that evaluate the subscript of a variable's name, substitutions in it included, although it is quoted.
func (x *call) evaluated() {
	if !has("let unset read printf test [ [[ declare typeset local export readonly mapfile readarray getopts wait", x.name) {
		return
	}
	for i := range x.words {
		if t := x.texts[i]; x.words[i].quoted && strings.Contains(t, "[") && strings.ContainsAny(t, "$`") {
			x.c.use.Dynamic = true
		}
		if x.name == "printf" && x.texts[i] == "-v" && i+1 < len(x.texts) {
			x.c.use.Assign = true
			x.c.use.Dynamic = x.c.use.Dynamic || carriesCode(x.texts[i+1])
		}
	}
}

// code runs a word as commands.
func (x *call) code(i int) {
	if i >= len(x.words) {
		return
	}
	if !x.words[i].literal() && x.words[i].expand {
		x.c.use.Dynamic = true
	}
	x.c.code(x.texts[i], x.depth, x.in)
}

// join runs the words from i on, joined by spaces, as commands.
func (x *call) join(i int) {
	if i >= len(x.words) {
		return
	}
	for j := i; j < len(x.words); j++ {
		if x.words[j].expand {
			x.c.use.Dynamic = true
		}
	}
	x.c.code(strings.Join(x.texts[i:], " "), x.depth, x.in)
}

// options skips options from i on: single letters in short and the names in long take an argument. It stops at the first
// other word, or behind "--".
func (x *call) options(i int, short, long string) int {
	for ; i < len(x.texts); i++ {
		t := x.texts[i]
		switch {
		case t == "--":
			return i + 1
		case len(t) < 2 || t[0] != '-' && t[0] != '+':
			if t == "-" {
				continue
			}
			return i
		case strings.HasPrefix(t, "--"):
			if !strings.Contains(t, "=") && has(long, t[2:]) {
				i++
			}
		default:
			for j := 1; j < len(t); j++ {
				if strings.IndexByte(short, t[j]) >= 0 {
					if j == len(t)-1 {
						i++
					}
					break
				}
			}
		}
	}
	return i
}

// has reports whether word is one of the names in list.
func has(list, word string) bool { return word != "" && strings.Contains(" "+list+" ", " "+word+" ") }

// cluster returns the index of the first option in which letter stands for itself before i, or 0.
func (x *call) cluster(end int, letter byte, short string) int {
	for i := 1; i < end && i < len(x.texts); i++ {
		t := x.texts[i]
		if len(t) < 2 || t[0] != '-' || t[1] == '-' {
			continue
		}
		for j := 1; j < len(t); j++ {
			if t[j] == letter {
				return i
			}
			if strings.IndexByte(short, t[j]) >= 0 {
				break
			}
		}
	}
	return 0
}

// shell is sh and its kind: -c CODE, a script, or what comes in.
func (x *call) shell() {
	const long = "rcfile init-file emulate"
	i := x.options(1, "oO", long)
	// -c may be anywhere in front of the first operand; its code is that operand.
	if x.cluster(min(i, len(x.texts)), 'c', "oO") > 0 || x.name == "fish" && i > 1 && strings.HasPrefix(x.texts[i-1], "--command") {
		if i >= len(x.words) {
			x.c.use.Dynamic = true
		}
		x.code(i)
		return
	}
	for j := 1; j < len(x.texts); j++ {
		if rest, ok := strings.CutPrefix(x.texts[j], "--command="); ok {
			x.c.use.Dynamic = x.c.use.Dynamic || x.words[j].expand
			x.c.code(rest, x.depth, x.in)
			return
		}
	}
	switch {
	case i >= len(x.words) || x.cluster(i, 's', "oO") > 0 || stdinFile(x.texts[i]):
		if len(x.texts) == 2 && (x.texts[1] == "--version" || x.texts[1] == "--help") {
			return
		}
		x.c.asCode(x.in, x.depth)
	case x.words[i].expand:
		x.c.use.Dynamic = true
	}
}

// stdinFile reports whether a file's name stands for what comes in.
func stdinFile(s string) bool {
	return s == "-" || s == "/dev/stdin" || strings.HasPrefix(s, "/dev/fd/") || strings.HasPrefix(s, "/proc/self/fd/")
}

func (x *call) find() {
	for i := 1; i < len(x.texts); i++ {
		switch x.texts[i] {
		case "-exec", "-execdir", "-ok", "-okdir", "-x", "--exec", "-X", "--exec-batch":
			end := i + 1
			for end < len(x.texts) && x.texts[end] != ";" && (x.texts[end] != "+" || x.texts[end-1] != "{}") {
				end++
			}
			x.c.runTexts(x.words[i+1:end], x.texts[i+1:end:end], nil, x.depth)
			i = end
		}
	}
}

// ssh is a shell elsewhere.
func (x *call) ssh() {
	for i := 1; i < len(x.texts); i++ {
		t := x.texts[i]
		if t == "-o" && i+1 < len(x.texts) {
			t = "-o" + x.texts[i+1]
		}
		if name, value, ok := strings.Cut(strings.TrimPrefix(t, "-o"), "="); ok && strings.HasPrefix(t, "-o") {
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "proxycommand", "localcommand", "knownhostscommand", "remotecommand":
				x.c.code(value, x.depth, nil)
			}
		}
	}
	host := x.options(1, "BbcDEeFIiJLlmOoPpQRSWw", "")
	if host >= len(x.texts) {
		return
	}
	next := x.options(host+1, "BbcDEeFIiJLlmOoPpQRSWw", "")
	if next >= len(x.texts) {
		if x.cluster(host, 'N', "BbcDEeFIiJLlmOoPpQRSWw") == 0 {
			x.c.asCode(x.in, x.depth)
		}
		return
	}
	x.join(next)
}

// env is env: options, assignments, a command.
func (x *call) env() int {
	const short = "uCS"
	for i := 1; i < len(x.texts); i++ {
		t := x.texts[i]
		split, ok := strings.CutPrefix(t, "--split-string=")
		at := i
		switch j := strings.IndexByte(t, 'S'); {
		case ok:
		case t == "--split-string" && i+1 < len(x.texts):
			at++
			split, ok = x.texts[at], true
		case len(t) > 1 && t[0] == '-' && t[1] != '-' && j > 0 && strings.Trim(t[1:j], "i0v") == "":
			if split, ok = t[j+1:], true; split == "" && i+1 < len(x.texts) {
				at++
				split = x.texts[at]
			}
		}
		if ok {
			x.c.use.Dynamic = x.c.use.Dynamic || x.words[at].expand
			var b strings.Builder
			b.WriteString("env " + split)
			for _, rest := range x.texts[at+1:] {
				b.WriteString(" '" + strings.ReplaceAll(rest, "'", `'\''`) + "'")
			}
			x.c.code(b.String(), x.depth, x.in)
			return 0
		}
		if i = x.options(i, short, "unset chdir"); i >= len(x.texts) {
			return 0
		}
		if strings.IndexByte(x.texts[i], '=') <= 0 {
			return i
		}
		x.setting(i)
	}
	return 0
}

// setting notes NAME=value as an argument.
func (x *call) setting(i int) {
	w := x.words[i]
	w.eq = strings.IndexByte(w.text, '=')
	x.c.assign(&w)
}

func (x *call) xargs() int {
	i := x.options(1, "IRnPLsdEaij", "replace-str max-args max-procs max-lines max-chars delimiter arg-file process-slot-var arg-file jobs")
	if x.name == "parallel" || i >= len(x.words) && x.name != "xargs" {
		x.c.use.Dynamic = true
		x.join(i)
		return 0
	}
	if i < len(x.words) {
		// The words that come in are added to those of a command: to those that run words, as commands.
		name := base(x.texts[i])
		if _, wraps := wrapperTable[name]; wraps || has("sh bash zsh dash ksh ash env eval ssh find fish docker kubectl podman busybox", name) || runsCode(name) {
			x.c.use.Dynamic = true
		}
		for _, t := range x.texts[1:i] {
			if strings.HasPrefix(t, "-I") && strings.Contains(x.texts[i], "{}") {
				x.c.use.Dynamic = true
			}
		}
	}
	return i
}
