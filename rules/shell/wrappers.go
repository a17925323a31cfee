package shell

import "strings"

// wrapper is how a command is told which other one to run.
type wrapper struct {
	short  string // letters of options that take an argument
	long   string // names of such options
	skip   int    // operands before the command
	assign bool   // NAME=value may stand before the command
	code   byte   // letter of the option whose argument is commands for a shell
	shell  bool   // without a command it is a shell that reads its input
	joined bool   // the words are joined and given to a shell
}

var wrapperTable = map[string]wrapper{
	"sudo":              {short: "ugphCcrtTUDR", long: "user group prompt host close-from class role type command-timeout other-user chdir chroot", assign: true},
	"doas":              {short: "uCa"},
	"su":                {short: "gGsw", long: "group supp-group shell whitelist-environment", code: 'c', skip: 99, shell: true},
	"runuser":           {short: "ugGsw", long: "user group supp-group shell", code: 'c', shell: true},
	"pkexec":            {short: "u", long: "user"},
	"gosu":              {skip: 1},
	"su-exec":           {skip: 1},
	"setpriv":           {long: "reuid regid groups inh-caps ambient-caps bounding-set securebits pdeathsig selinux-label apparmor-profile"},
	"nohup":             {},
	"setsid":            {},
	"nice":              {short: "n", long: "adjustment"},
	"ionice":            {short: "cnpPu", long: "class classdata pid"},
	"chrt":              {short: "TPDp", long: "sched-runtime sched-period sched-deadline", skip: 1},
	"taskset":           {skip: 1},
	"numactl":           {short: "mNCpil", long: "membind cpunodebind physcpubind preferred interleave"},
	"time":              {short: "fo", long: "format output"},
	"timeout":           {short: "ks", long: "kill-after signal", skip: 1},
	"stdbuf":            {short: "ioe", long: "input output error"},
	"unbuffer":          {},
	"chroot":            {long: "userspec groups", skip: 1},
	"unshare":           {short: "RwSG", long: "root wd setuid setgid map-user map-group"},
	"exec":              {short: "a"},
	"command":           {},
	"builtin":           {},
	"noglob":            {},
	"nocorrect":         {},
	"caffeinate":        {short: "tw"},
	"flock":             {short: "wEc", long: "wait timeout conflict-exit-code command", code: 'c', skip: 1},
	"watch":             {short: "nq", long: "interval equexit", joined: true},
	"strace":            {short: "aeoOpsSuEbIPX", long: "expr output attach string-limit user env"},
	"ltrace":            {short: "aeoOpsSunDlxF"},
	"catchsegv":         {},
	"script":            {short: "cEImoOBT", long: "command echo log-in log-out log-io log-timing output-limit", code: 'c', skip: 99, shell: true},
	"sshpass":           {short: "pfdPe"},
	"systemd-run":       {short: "tpuMHESG", long: "unit property description slice machine host uid gid nice working-directory setenv on-active on-boot on-calendar service-type path-property timer-property"},
	"dbus-run-session":  {long: "config-file dbus-daemon"},
	"nsenter":           {short: "tSG", long: "target setuid setgid", shell: true},
	"busybox":           {},
	"toybox":            {},
	"entr":              {},
	"setarch":           {},
	"linux64":           {},
	"proot":             {short: "rbqwk"},
	"fakeroot":          {short: "lsifb"},
	"firejail":          {},
	"bwrap":             {skip: 99},
	"aws-vault":         {skip: 2},
	"chronic":           {},
	"ts":                {},
	"softlimit":         {},
	"cpulimit":          {short: "lpPe"},
	"pm2":               {},
	"start-stop-daemon": {skip: 99},
	"valgrind":          {},
	"perf":              {skip: 1},
	"lxc-attach":        {short: "nePf"},
	"direnv":            {skip: 2},
	"ip":                {skip: 3},
}

// wrapper finds the command that a wrapper runs.
func (x *call) wrapper(w *wrapper) int {
	if x.name == "command" && len(x.texts) > 1 && (strings.HasPrefix(x.texts[1], "-v") || strings.HasPrefix(x.texts[1], "-V")) {
		return 0
	}
	if x.name == "ip" && (len(x.texts) < 5 || x.texts[1] != "netns" && x.texts[1] != "vrf" || x.texts[2] != "exec") {
		return 0
	}
	coded := w.code != 0 && x.codeOption(w)
	i := x.options(1, w.short, w.long)
	if x.name == "sudo" {
		if x.cluster(i, 'e', w.short) > 0 {
			return 0
		}
		if i >= len(x.texts) && (x.cluster(i, 'i', w.short) > 0 || x.cluster(i, 's', w.short) > 0) {
			x.c.asCode(x.in, x.depth)
		}
	}
	for skip := w.skip; skip > 0 && i < len(x.texts); skip-- {
		if w.skip < 99 {
			i = x.options(i+1, w.short, w.long)
			continue
		}
		// What runs is named by options that differ from release to release: any of the rest may be it.
		i = len(x.texts)
	}
	for w.assign && i < len(x.texts) && strings.IndexByte(x.texts[i], '=') > 0 {
		x.setting(i)
		i++
	}
	if x.name == "bwrap" || x.name == "start-stop-daemon" {
		x.c.use.Dynamic = true
	}
	switch {
	case i >= len(x.words):
		if w.shell && !coded {
			x.c.asCode(x.in, x.depth)
		}
		return 0
	case w.joined:
		x.join(i)
		return 0
	}
	return i
}

// codeOption runs the argument of a wrapper's -c, wherever it stands.
func (x *call) codeOption(w *wrapper) bool {
	found := false
	for i := 1; i < len(x.texts); i++ {
		t := x.texts[i]
		if t == "--" {
			break
		}
		code, ok := strings.CutPrefix(t, "--command=")
		at := i
		switch {
		case ok:
		case t == "--command" || t == "--session-command" || len(t) > 1 && t[0] == '-' && t[1] != '-' && t[len(t)-1] == w.code:
			if at++; at < len(x.texts) {
				code, ok = x.texts[at], true
			}
		case strings.HasPrefix(t, "-"+string(w.code)):
			code, ok = t[2:], true
		}
		if ok {
			found = true
			x.c.use.Dynamic = x.c.use.Dynamic || x.words[at].expand
			x.c.code(code, x.depth, x.in)
		}
	}
	return found
}

// container is docker, kubectl and their kind: exec and run name a command for elsewhere.
func (x *call) container() int {
	const short = "eulwvpHcnfshm"
	const long = "env user workdir env-file detach-keys namespace context container kubeconfig cluster server token as host config log-level file project-name profile " +
		"project-directory volume publish name network net label mount memory cpus restart entrypoint hostname link add-host cap-add cap-drop device dns expose gpus " +
		"ip ipc isolation log-driver log-opt platform pid pull runtime security-opt shm-size stop-signal sysctl tmpfs ulimit userns uts volumes-from image selector request-timeout index uid gid setenv overrides target"
	i := x.options(1, short, long)
	for ; i < len(x.texts) && has("container compose kubectl pod task ctr", x.texts[i]); i = x.options(i+1, short, long) {
	}
	if i >= len(x.texts) {
		return 0
	}
	verb := x.texts[i]
	if x.words[i].expand {
		x.c.use.Dynamic = true
	}
	if !has("exec run debug create attach shell rsh ssh", verb) {
		return 0
	}
	if x.name == "lxc" || x.name == "incus" || x.name == "kubectl" || x.name == "oc" || x.name == "k3s" || x.name == "microk8s" || x.name == "minikube" {
		for j := i + 1; j < len(x.texts); j++ {
			if x.texts[j] == "--" {
				return j + 1
			}
		}
	}
	if verb == "attach" || verb == "create" && x.name != "docker" && x.name != "podman" {
		return 0
	}
	subject := x.options(i+1, short, long)
	next := subject + 1
	if x.name == "kubectl" || x.name == "oc" {
		next = x.options(next, short, long)
	}
	if x.entrypoint(i, subject, next) {
		return 0
	}
	return next
}

// entrypoint lists what --entrypoint runs.
func (x *call) entrypoint(from, to, next int) bool {
	for j := from + 1; j < to && j < len(x.texts); j++ {
		entry, ok := strings.CutPrefix(x.texts[j], "--entrypoint=")
		if !ok && x.texts[j] == "--entrypoint" && j+1 < len(x.texts) {
			entry, ok = x.texts[j+1], true
		}
		if ok {
			next = min(next, len(x.words))
			words := append([]word{{text: entry, eq: -1}}, x.words[next:]...)
			x.c.run(words, x.in, x.depth, false)
			return true
		}
	}
	return false
}

// codeTable holds the options by which interpreters that are no shells are given a program.
var codeTable = map[string]string{
	"perl": "eE", "ruby": "e", "node": "ep", "nodejs": "ep", "php": "rR", "lua": "e", "tclsh": "", "Rscript": "e", "osascript": "e", "pwsh": "cC", "powershell": "cC",
	"deno": "", "bun": "e", "expect": "c", "guile": "c", "groovy": "e", "jshell": "", "irb": "e", "ghc": "e", "emacs": "",
}

func runsCode(name string) bool { return codeTable[name] != "" || strings.HasPrefix(name, "python") }

// interpreter is python -c and its kind: what such a program does cannot be told here.
func (x *call) interpreter() {
	letters := codeTable[x.name]
	if letters == "" {
		letters = "c"
	}
	end := x.options(1, letters+"mWXIdr", "eval print")
	for i := range len(letters) {
		if x.cluster(len(x.texts), letters[i], "mWX") > 0 {
			x.c.use.Dynamic = true
			return
		}
	}
	for _, t := range x.texts[1:] {
		if t == "--eval" || t == "--print" || strings.HasPrefix(t, "--eval=") || t == "-Command" || t == "-EncodedCommand" {
			x.c.use.Dynamic = true
		}
		if has("--version -V -v --help -h", t) {
			return
		}
	}
	if end >= len(x.texts) && !strings.Contains(" "+strings.Join(x.texts, " "), " -m") || end < len(x.texts) && (x.words[end].expand || stdinFile(x.texts[end])) {
		x.c.use.Dynamic = true
	}
}

// oddity is what does not fit elsewhere.
func (x *call) oddity() {
	switch x.name {
	case "trap":
		x.code(x.options(1, "", ""))
	case "alias":
		for i := 1; i < len(x.texts); i++ {
			if _, code, ok := strings.Cut(x.texts[i], "="); ok {
				x.c.use.Dynamic = x.c.use.Dynamic || x.words[i].expand
				x.c.code(code, x.depth, nil)
			}
		}
	case "source", ".":
		if len(x.words) > 1 && (x.words[1].expand || stdinFile(x.texts[1])) {
			x.c.use.Dynamic = true
		}
	case "at", "batch":
		for _, t := range x.texts[1:] {
			if has("-c -l -r -d -V", t) {
				return
			}
		}
		x.c.asCode(x.in, x.depth)
	case "awk", "gawk", "mawk", "nawk":
		for i := range x.texts[1:] {
			t := x.texts[i+1]
			if strings.Contains(t, "system") || strings.Contains(t, "getline") || strings.Contains(t, "|") && strings.Contains(t, `"`) || x.words[i+1].expand {
				x.c.use.Dynamic = true
			}
		}
	case "tmux", "screen":
		x.multiplexer()
	case "hash", "enable", "bind", "complete":
		if len(x.texts) > 1 {
			x.c.use.Dynamic = true
		}
	case "fc":
		if len(x.texts) > 1 && !strings.HasPrefix(x.texts[1], "-l") {
			x.c.use.Dynamic = true
		}
	}
}

// multiplexer is tmux and screen, whose operands are commands, or keys that are typed into one.
func (x *call) multiplexer() {
	for i := 1; i < len(x.texts); i++ {
		switch x.texts[i] {
		case "send-keys", "send", "-X", "run-shell", "run", "if-shell", "pipe-pane", "bind-key":
			x.c.use.Dynamic = true
		}
		if strings.Contains(x.texts[i], " ") || i == len(x.texts)-1 && x.texts[i][:min(1, len(x.texts[i]))] != "-" {
			x.code(i)
		}
	}
}
