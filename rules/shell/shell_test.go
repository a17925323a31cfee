package shell_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"weir"
	"weir/rules/shell"
)

// show writes what was understood in one line: commands with words joined by one blank, in their order, and the flags.
func show(u *weir.ShellUse) string {
	var out []string
	for _, c := range u.Commands {
		out = append(out, strings.Join(c.Words, " "))
	}
	s := strings.Join(out, " ; ")
	if u.Dynamic {
		s += " DYNAMIC"
	}
	if u.Unclear != "" {
		s += " UNCLEAR"
	}
	return strings.TrimSpace(s)
}

func TestCommands(t *testing.T) {
	for _, c := range [][2]string{
		{``, ``},
		{`ls`, `ls`},
		{`  ls   -l  `, `ls -l`},
		{`ls # a comment; rm`, `ls`},
		{`ls a#b`, `ls a#b`},
		{"ls\nrm x", `ls ; rm x`},
		{`ls;rm x`, `ls ; rm x`},
		{`ls && rm x || id`, `ls ; rm x ; id`},
		{`ls & rm x`, `ls ; rm x`},
		{`ls | sort |& head`, `ls ; sort ; head`},
		{`'ls' -l`, `ls -l`},
		{`l""s`, `ls`},
		{`l\s -l`, `ls -l`},
		{`"l"'s'`, `ls`},
		{`$'\x6cs'`, `ls`},
		{`$'l\163'`, `ls`},
		{`$"ls"`, `ls`},
		{"l\\\ns", `ls`},
		{`echo "a  b" c`, `echo a  b c`},
		{`echo 'a;b' "c|d" e\;f`, `echo a;b c|d e;f`},
		{`echo "a\"b\$c"`, `echo a"b$c`},
		{`/bin/ls x`, `/bin/ls x`},
		{`(ls; rm x)`, `ls ; rm x`},
		{`{ ls; rm x; }`, `ls ; rm x`},
		{`! ls`, `ls`},
		{`time -p ls`, `ls`},
		{`if a; then b; elif c; then d; else e; fi; f`, `a ; b ; c ; d ; e ; f`},
		{`while a; do b; done`, `a ; b`},
		{`until a; do b; done | c`, `a ; b ; c`},
		{`for x in 1 2; do b $x; done`, `b $x`},
		{"for x\ndo\nb\ndone", `b`},
		{`for ((i=0;i<3;i++)); do b; done`, `b`},
		{`select x in a b; do c; done`, `c`},
		{`case $x in a|b) c;; (d) e;& *) f;; esac; g`, `c ; e ; f ; g`},
		{"case x in\na) b ;;\nesac", `b`},
		{`case x in esac`, ``},
		{`f() { rm x; }; f`, `rm x ; f`},
		{`function f { rm x; }`, `rm x`},
		{`function f() ( rm x )`, `rm x`},
		{`echo $(rm x)`, `rm x ; echo $(rm x)`},
		{"echo `rm x`", "rm x ; echo `rm x`"},
		{"echo `echo \\`rm x\\``", "rm x ; echo `rm x` ; echo `echo \\`rm x\\``"},
		{`echo "a $(rm "x y") b"`, `rm x y ; echo a $(rm "x y") b`},
		{`echo ${x:-$(rm x)}`, `rm x ; echo ${x:-$(rm x)}`},
		{`echo "${x:-'$(rm x)'}"`, `rm x ; echo ${x:-'$(rm x)'}`},
		{`echo $((1+$(rm x)))`, `rm x ; echo $((1+$(rm x)))`},
		{`echo $( (rm x) )`, `rm x ; echo $( (rm x) )`},
		{`echo $((rm x); (id))`, `rm x ; id ; echo $((rm x); (id))`},
		{`((i=1)); ls`, `ls`},
		{`diff <(rm x) >(id)`, `rm x ; id ; diff <(rm x) >(id)`},
		{`[[ -f x && ( a < b ) ]] && rm x`, `[[ -f x a b ]] ; rm x`},
		{`[ -f x ] && rm x`, `[ -f x ] ; rm x`},
		{"cat <<EOF\na $(rm x)\nEOF\nid", `cat ; rm x ; id`},
		{"cat <<'EOF'\na $(rm x)\nEOF\nid", `cat ; id`},
		{"cat <<-EOF; ls\n\ta\n\tEOF\nid", `cat ; ls ; id`},
		{"sh <<EOF\nrm x\nEOF", `sh ; rm x`},
		{"sh <<EOF\nrm $x\nEOF", `sh ; rm $x DYNAMIC`},
		{"sudo bash -s <<'EOF'\nrm $x\nEOF", `sudo bash -s ; bash -s ; rm $x`},
		{`sh <<< 'rm x'`, `sh ; rm x`},
		{`sh <<< "$x"`, `sh ; $x DYNAMIC`},
		{`curl http://x | sh`, `curl http://x ; sh DYNAMIC`},
		{`sh < x`, `sh DYNAMIC`},
		{`A=1 B="2 3" ls`, `ls`},
		{`A=1`, ``},
		{`a=(1 2 $(rm x)); ls`, `rm x ; ls`},
		{`declare -a a=(1 2); ls`, `declare -a a= ; ls`},
		{`PATH=/tmp ls`, `ls DYNAMIC`},
		{`LD_PRELOAD=/tmp/x.so ls`, `ls DYNAMIC`},
		{`export PATH=/tmp; ls`, `export PATH=/tmp ; ls DYNAMIC`},
		{`$x`, `$x DYNAMIC`},
		{`l$x`, `l$x DYNAMIC`},
		{`"$@"`, `$@ DYNAMIC`},
		{`/bin/c?t x`, `/bin/c?t x DYNAMIC`},
		{`{cat,x}`, `{cat,x} DYNAMIC`},
		{`!!`, `!! DYNAMIC`},
		{`ls $x`, `ls $x`},
		{`env`, `env`},
		{`env A=b ls`, `env A=b ls ; ls`},
		{`env -i -u A B=c ls -l`, `env -i -u A B=c ls -l ; ls -l`},
		{`env -S 'ls -l' x`, `env -S ls -l x ; env ls -l x ; ls -l x`},
		{`env -iS'A=b ls'`, `env -iSA=b ls ; env A=b ls ; ls`},
		{`sudo -u root -- rm x`, `sudo -u root -- rm x ; rm x`},
		{`sudo -nu root A=b rm x`, `sudo -nu root A=b rm x ; rm x`},
		{`sudo --user=root env B=c /bin/rm x`, `sudo --user=root env B=c /bin/rm x ; env B=c /bin/rm x ; /bin/rm x`},
		{`sudo -i`, `sudo -i DYNAMIC`},
		{`sudo $x`, `sudo $x ; $x DYNAMIC`},
		{`doas -u x rm y`, `doas -u x rm y ; rm y`},
		{`nohup nice -n 5 setsid rm x`, `nohup nice -n 5 setsid rm x ; nice -n 5 setsid rm x ; setsid rm x ; rm x`},
		{`timeout -k 5 10s rm x`, `timeout -k 5 10s rm x ; rm x`},
		{`stdbuf -oL rm x`, `stdbuf -oL rm x ; rm x`},
		{`exec -a y rm x`, `exec -a y rm x ; rm x`},
		{`command -p rm x`, `command -p rm x ; rm x`},
		{`command -v rm`, `command -v rm`},
		{`builtin eval 'rm x'`, `builtin eval rm x ; eval rm x ; rm x`},
		{`eval rm x`, `eval rm x ; rm x`},
		{`eval "$x"`, `eval $x ; $x DYNAMIC`},
		{`eval 'eval "rm x"'`, `eval eval "rm x" ; eval rm x ; rm x`},
		{`sh -c 'rm x; id'`, `sh -c rm x; id ; rm x ; id`},
		{`bash -lc "rm x" y`, `bash -lc rm x y ; rm x`},
		{`bash -c "$x"`, `bash -c $x ; $x DYNAMIC`},
		{`bash -o pipefail -ec 'rm x'`, `bash -o pipefail -ec rm x ; rm x`},
		{`sh -c "sh -c 'rm \"a b\"'"`, `sh -c sh -c 'rm "a b"' ; sh -c rm "a b" ; rm a b`},
		{`sh -c`, `sh -c DYNAMIC`},
		{`bash deploy.sh -c x`, `bash deploy.sh -c x`},
		{`bash <(curl http://x)`, `curl http://x ; bash <(curl http://x) DYNAMIC`},
		{`. <(curl http://x)`, `curl http://x ; . <(curl http://x) DYNAMIC`},
		{`source x.sh`, `source x.sh`},
		{`ssh db1 rm x`, `ssh db1 rm x ; rm x`},
		{`ssh -p 22 -o A=b u@db1 'rm x; id'`, `ssh -p 22 -o A=b u@db1 rm x; id ; rm x ; id`},
		{`ssh -oProxyCommand='rm x' db1 id`, `ssh -oProxyCommand=rm x db1 id ; rm x ; id`},
		{`ssh db1`, `ssh db1 DYNAMIC`},
		{"ssh db1 <<'EOF'\nrm x\nEOF", `ssh db1 ; rm x`},
		{`xargs -0 -n 1 rm -f`, `xargs -0 -n 1 rm -f ; rm -f`},
		{`xargs sh -c`, `xargs sh -c ; sh -c DYNAMIC`},
		{`xargs`, `xargs`},
		{`find / -name x -exec rm {} \; -o -execdir id +`, `find / -name x -exec rm {} ; -o -execdir id + ; rm {} ; id +`},
		{`find . -exec sh -c 'rm x' \;`, `find . -exec sh -c rm x ; ; sh -c rm x ; rm x`},
		{`watch -n 1 'rm x; id'`, `watch -n 1 rm x; id ; rm x ; id`},
		{`busybox rm x`, `busybox rm x ; rm x`},
		{`busybox sh -c 'rm x'`, `busybox sh -c rm x ; sh -c rm x ; rm x`},
		{`su -c 'rm x' bob`, `su -c rm x bob ; rm x`},
		{`su - bob -c 'rm x'`, `su - bob -c rm x ; rm x`},
		{`su -`, `su - DYNAMIC`},
		{`flock /tmp/l rm x`, `flock /tmp/l rm x ; rm x`},
		{`flock /tmp/l -c 'rm x'`, `flock /tmp/l -c rm x ; rm x`},
		{`chroot /x rm y`, `chroot /x rm y ; rm y`},
		{`systemd-run -p A=b --unit x rm y`, `systemd-run -p A=b --unit x rm y ; rm y`},
		{`docker exec -it -u root web env`, `docker exec -it -u root web env ; env`},
		{`docker exec -e A=b web sh -c 'env | sort'`, `docker exec -e A=b web sh -c env | sort ; sh -c env | sort ; env ; sort`},
		{`docker compose exec web env`, `docker compose exec web env ; env`},
		{`docker run --rm --entrypoint sh img -c 'rm x'`, `docker run --rm --entrypoint sh img -c rm x ; sh -c rm x ; rm x`},
		{`kubectl -n p exec -it pod -c app -- env`, `kubectl -n p exec -it pod -c app -- env ; env`},
		{`kubectl exec pod env`, `kubectl exec pod env ; env`},
		{`podman exec web rm x`, `podman exec web rm x ; rm x`},
		{`nsenter -t 1 -m rm x`, `nsenter -t 1 -m rm x ; rm x`},
		{`ip netns exec x rm y`, `ip netns exec x rm y ; rm y`},
		{`docker inspect web`, `docker inspect web`},
		{`trap 'rm x' EXIT`, `trap rm x EXIT ; rm x`},
		{`alias ll='rm x'`, `alias ll=rm x ; rm x`},
		{`python3 -c 'import os'`, `python3 -c import os DYNAMIC`},
		{`python3 x.py`, `python3 x.py`},
		{`echo x | python3`, `echo x ; python3 DYNAMIC`},
		{`perl -ne 'print' x`, `perl -ne print x DYNAMIC`},
		{`awk '{print $1}' x`, `awk {print $1} x`},
		{`awk 'BEGIN{system("rm x")}'`, `awk BEGIN{system("rm x")} DYNAMIC`},
		{`let 'a[$(rm x)]'`, `let a[$(rm x)] DYNAMIC`},
		{`printf -v PATH x`, `printf -v PATH x DYNAMIC`},
		{`printf '[%s]' a`, `printf [%s] a`},
		{`echo 'a`, `UNCLEAR`},
		{`echo "a`, `UNCLEAR`},
		{`echo $(a`, `a UNCLEAR`},
		{`if a; then b`, `a ; b UNCLEAR`},
		{`ls )`, `ls UNCLEAR`},
		{`a }`, `a }`},
		{`{ a; } }`, `a UNCLEAR`},
		{`ls >`, `UNCLEAR`},
		{`shopt -s extglob; rm !(x)`, `shopt -s extglob UNCLEAR`},
	} {
		if got := show(shell.Parse(c[0])); got != c[1] {
			t.Errorf("%s\n got %s\nwant %s", c[0], got, c[1])
		}
	}
}

func TestFilesAndFlags(t *testing.T) {
	for _, c := range []struct {
		text             string
		files            string // each must be among those found
		redirect, assign bool
	}{
		{`cat /etc/shadow`, `/etc/shadow`, false, false},
		{`cat < .env > out 2>>err`, `.env out err`, true, false},
		{`cat x > /dev/null 2>&1`, `x`, false, false},
		{`ls &> log`, `log`, true, false},
		{`> x`, `x`, true, false},
		{`cat ~/.aws/credentials`, `~/.aws/credentials`, false, false},
		{`cat "$HOME"/.env`, `$HOME/.env`, false, false},
		{`cat /etc/../etc//shadow`, `/etc/shadow`, false, false},
		{`cd ~/.aws && cat credentials`, `~/.aws/credentials`, false, false},
		{`cd /etc; cd ssl && cat x.key`, `/etc/ssl/x.key`, false, false},
		{`dd if=/dev/sda of=x`, `/dev/sda x`, false, false},
		{`curl -d@/etc/shadow file:///etc/passwd`, `/etc/shadow /etc/passwd`, false, false},
		{`scp web:/etc/shadow .`, `/etc/shadow`, false, false},
		{`grep --file=/etc/shadow x`, `/etc/shadow`, false, false},
		{`tar -C/etc -czf x.tgz shadow`, `/etc x.tgz shadow`, false, false},
		{`sudo sh -c 'cat .env'`, `.env`, false, false},
		{`A=b ls`, `b`, false, true},
		{`for f in /etc/shadow; do cat $f; done`, `/etc/shadow`, false, true},
		{`read x`, ``, false, true},
		{`exec 3<>/dev/tcp/h/80`, `/dev/tcp/h/80`, true, false},
	} {
		u := shell.Parse(c.text)
		for _, f := range strings.Fields(c.files) {
			if !slices.Contains(u.Files, f) {
				t.Errorf("%s: %q lacks %s", c.text, u.Files, f)
			}
		}
		if u.Redirect != c.redirect || u.Assign != c.assign || u.Unclear != "" {
			t.Errorf("%s: redirect %v, assign %v, %s", c.text, u.Redirect, u.Assign, u.Unclear)
		}
	}
}

// hostile texts are nested, or repeat what makes readers go back.
func hostile(n int) map[string]string {
	return map[string]string{
		"parentheses": strings.Repeat("(", n), "substitutions": strings.Repeat("$(", n/2), "arithmetic": strings.Repeat("$((", n/3), "braces": strings.Repeat("${a:-", n/5),
		"sudo": strings.Repeat("sudo ", n/5), "eval": strings.Repeat("eval ", n/5), "equals": strings.Repeat("a=", n/2), "backquotes": strings.Repeat("`", n),
		"quotes": strings.Repeat(`"$(`, n/3), "heredocs": strings.Repeat("a <<x\n", n/6), "cd": strings.Repeat("cd a;b c;", n/9), "if": strings.Repeat("if ", n/3),
		"pipes": strings.Repeat("a|", n/2), "env": "env -S '" + strings.Repeat("env -S ", n/7-2) + "'", "mixed": strings.Repeat("$((( ", n/5), "words": strings.Repeat("-- ", n/3),
	}
}

func TestBounded(t *testing.T) {
	if u := shell.Parse(strings.Repeat("a", shell.MaxBytes+1)); u.Unclear == "" {
		t.Error("a text over the limit is clear")
	}
	for name, text := range hostile(shell.MaxBytes) {
		u := shell.Parse(text)
		if name == "pipes" && len(u.Commands) != shell.MaxBytes/2 && u.Unclear == "" {
			t.Errorf("%d commands of pipes", len(u.Commands))
		}
	}
	for _, name := range []string{"parentheses", "substitutions", "sudo", "arithmetic", "quotes", "if"} {
		if shell.Parse(hostile(4096)[name]).Unclear == "" {
			t.Errorf("%s are clear", name)
		}
	}
}

func quote(r *rand.Rand, s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		n := 1 + r.IntN(len(s)-i)
		part := s[i : i+n]
		i += n
		switch r.IntN(4) {
		case 0:
			b.WriteString("'" + strings.ReplaceAll(part, "'", `'\''`) + "'")
		case 1:
			b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(part) + `"`)
		case 2:
			b.WriteString("$'")
			for j := range len(part) {
				fmt.Fprintf(&b, `\x%02x`, part[j])
			}
			b.WriteString("'")
		default:
			for j := range len(part) {
				if part[j] == '\n' {
					b.WriteString("'\n'")
					continue
				}
				b.WriteString(`\` + part[j:j+1])
			}
		}
	}
	if s == "" {
		return "''"
	}
	return b.String()
}

func randomWord(r *rand.Rand) string {
	const alphabet = "abz019 ;|&()<>$`'\"\\#*?[]{}~=,!\n\t-/."
	b := make([]byte, r.IntN(8))
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// TestAgainstBash has bash print the words of simple commands, and finds the same ones.
func TestAgainstBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
			t.Fatal("bash is missing")
		}
		t.Skip("bash is missing")
	}
	r := rand.New(rand.NewPCG(1, 2))
	const n = 3000
	var script, lines bytes.Buffer
	script.WriteString("showargs() { printf '%s\\0' \"$#\" \"$@\"; }\n")
	var want [][]string
	var texts []string
	for range n {
		var line []string
		raws := false
		for range 1 + r.IntN(4) {
			if r.IntN(12) == 0 { // text that nobody quoted: only what bash reads as one plain command is kept
				raws = true
				const raw = "ab'\"\\ \\\\''\"\"$'\\'x"
				i := r.IntN(len(raw))
				line = append(line, raw[i:i+1+r.IntN(len(raw)-i)])
				continue
			}
			line = append(line, quote(r, randomWord(r)))
		}
		text := "showargs " + strings.Join(line, " ")
		if strings.HasSuffix(text, `\`) || raws && strings.Contains(text, "&") {
			continue // it would take in the next line, or run beside it
		}
		u := shell.Parse(text)
		if u.Unclear != "" {
			if exec.Command(bash, "-c", "showargs() { :; }\n"+text).Run() == nil {
				t.Errorf("%q is clear to bash: %s", text, u.Unclear)
			}
			continue
		}
		if len(u.Commands) != 1 || u.Dynamic || u.Redirect || len(u.Commands[0].Words) == 0 {
			if raws {
				continue // its quotes fell so that an operator stands outside of them
			}
			t.Fatalf("%q: %s", text, show(u))
		}
		want = append(want, u.Commands[0].Words[1:])
		texts = append(texts, text)
		lines.WriteString(text + "\n")
	}
	script.Write(lines.Bytes())
	cmd := exec.Command(bash, "--norc", "-s")
	cmd.Dir = t.TempDir()
	cmd.Stdin = &script
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Split(string(out), "\x00")
	for i, w := range want {
		if len(fields) < len(w)+1 || fields[0] != fmt.Sprint(len(w)) || !slices.Equal(fields[1:len(w)+1], w) {
			t.Fatalf("%q: bash has %q where this has %q", texts[i], fields[:min(len(fields), len(w)+1)], w)
		}
		fields = fields[len(w)+1:]
	}
	if len(want) < n*8/10 {
		t.Errorf("only %d of %d were compared", len(want), n)
	}
}

// TestBashAgrees finds every command that bash really runs in random scripts.
func TestBashAgrees(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
			t.Fatal("bash is missing")
		}
		t.Skip("bash is missing")
	}
	r := rand.New(rand.NewPCG(3, 4))
	parts := []string{"c1 a", "c2", "c3 'b c'", ";", "&&", "||", "|", "(", ")", "{", "}", "if", "then", "else", "fi", "$(", "`", "\"", "'", "\n", " ", "while c1; do c2; break; done", "for i in 1;", "do", "done",
		"case a in a)", ";;", "esac", "<<E\n$(c1)\nE\n", "eval", "sh -c 'c2'", "\\", "#", "$'c1'", "! ", "((1))", "$((1))", "[[ a ]]", "f()", ">/dev/null", "A=b", "<(", "${x:-", "}"}
	ran := 0
	for range 250 {
		var b strings.Builder
		for range 1 + r.IntN(5) {
			b.WriteString(parts[r.IntN(len(parts))] + " ")
		}
		text := b.String()
		u := shell.Parse(text)
		dir := t.TempDir()
		log := dir + "/log"
		script := fmt.Sprintf("PATH=/usr/bin:/bin; for n in c1 c2 c3; do eval \"$n() { echo $n >> %s; }\"; export -f $n; done\neval %s", log, "'"+strings.ReplaceAll(text, "'", `'\''`)+"'")
		cmd := exec.Command("timeout", "5", bash, "--norc", "-c", script)
		cmd.Dir = dir
		_ = cmd.Run()
		got, _ := os.ReadFile(log)
		for _, name := range strings.Fields(string(got)) {
			ran++
			if u.Unclear == "" && !slices.ContainsFunc(u.Commands, func(c weir.ShellCommand) bool { return c.Name == name }) {
				t.Errorf("bash runs %s of %q; found %s", name, text, show(u))
			}
		}
	}
	if ran < 12 {
		t.Errorf("bash ran %d commands only", ran)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"ls -l", "a $(b `c`) <<x\ny\nx", "sudo -u a env -i B=c sh -c 'd'", "case a in b) c;; esac", "$'\\u0041'", "[[ a ]]", "a=(1 2)", "$(( (1) ))"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		u := shell.Parse(text)
		for _, c := range u.Commands {
			if len(c.Words) == 0 {
				t.Fatalf("%q: a command without words", text)
			}
		}
		// A word in single quotes behind a command is found as it is, whatever it holds.
		if strings.Contains(text, "\x00") || len(text) > 1000 {
			return
		}
		u = shell.Parse("echo '" + strings.ReplaceAll(text, "'", `'\''`) + "'")
		if u.Unclear != "" || len(u.Commands) != 1 || len(u.Commands[0].Words) != 2 || u.Commands[0].Words[1] != text {
			t.Fatalf("%q: %s", text, show(u))
		}
	})
}

// BenchmarkHostile shows that the time for each byte does not grow with the text.
func BenchmarkHostile(b *testing.B) {
	for _, n := range []int{4 << 10, 64 << 10} {
		for name, text := range hostile(n) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					shell.Parse(text)
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{"short": "systemctl status nginx", "long": strings.Repeat("grep -r 'a b' /var/log | sort -u && echo done; ", 100)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				shell.Parse(text)
			}
		})
	}
}
