package detect

import (
	"bytes"
	"math/bits"
	"strings"

	"weir/mask/field"
)

// maxCommand is how far behind the name of its command an option may stand, in bytes. It is less than Context, so that
// where input was cut does not matter.
const maxCommand = 200

// commandOption is a one-letter option whose value is a password.
type commandOption struct {
	command, option string
	glued           bool // the value stands right behind it: a blank means that there is none
	user            bool // user:password
}

// commandOptionTable lists the programs that take a password so.
var commandOptionTable = [...]commandOption{
	{command: "mysql", option: "-p", glued: true}, {command: "mariadb", option: "-p", glued: true}, {command: "mycli", option: "-p", glued: true},
	{command: "redis-cli", option: "-a"}, {command: "valkey-cli", option: "-a"}, {command: "sshpass", option: "-p"},
	{command: "mongo", option: "-p"}, {command: "docker login", option: "-p"}, {command: "podman login", option: "-p"}, {command: "sqlcmd", option: "-P"},
	{command: "bcp ", option: "-P"}, {command: "zip ", option: "-P"}, {command: "7z ", option: "-p", glued: true}, {command: "7za ", option: "-p", glued: true}, {command: "ldap", option: "-w"}, {command: "psexec", option: "-p"}, {command: "PsExec", option: "-p"}, {command: "PSEXEC", option: "-p"}, {command: "curl ", option: "-u", user: true}, {command: "curl ", option: "--user", user: true},
}

// commands remembers where on a line the commands of the table stand, so that no byte is looked at twice.
type commands struct {
	scanned int                          // all before this was looked at
	seen    uint32                       // a bit for each entry whose command stands on the line
	at      [len(commandOptionTable)]int // where each of them stood last
}

// scan looks at b up to i, on the last line only and no further back than maxCommand.
func (c *commands) scan(b []byte, i int) {
	p := max(c.scanned, i-maxCommand)
	c.scanned = max(i, c.scanned)
	for ; p < i; p++ {
		if b[p] == '\n' {
			c.seen = 0
		}
		heads := commandHeadTable[b[p]]
		if heads == 0 || p > 0 && isWord(b[p-1]) {
			continue
		}
		for ; heads != 0; heads &= heads - 1 {
			if n := bits.TrailingZeros32(heads); bytes.HasPrefix(b[p:], []byte(commandOptionTable[n].command)) {
				c.at[n] = p
				c.seen |= 1 << n
			}
		}
	}
}

// commandHeadTable has, for each byte, a bit for each entry of commandOptionTable whose command begins with it.
var commandHeadTable = func() (t [256]uint32) {
	for n := range commandOptionTable {
		t[commandOptionTable[n].command[0]] |= 1 << n
	}
	return t
}()

// commandBefore returns the entry of a command that stands on the same line before i and takes that option, or nil.
func (f *finder) commandBefore(option string, i int) *commandOption {
	f.commands.scan(f.b, i)
	for seen := f.commands.seen; seen != 0; seen &= seen - 1 {
		o, at := &commandOptionTable[bits.TrailingZeros32(seen)], f.commands.at[bits.TrailingZeros32(seen)]
		if at >= i-maxCommand && at+len(o.command) <= i+1 && o.option == option {
			return o
		}
	}
	return nil
}

// option reads the password behind a one-letter option of a command that is known.
func (f *finder) option(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	o := f.commandBefore(strings.TrimSpace(l.text), start)
	if o == nil {
		return false
	}
	v := value{f: f, name: start, at: start + len(l.text), strength: field.Strong, option: true}
	i := start + 1 + len(o.option)
	c, ok := v.peek(i)
	switch {
	case !ok:
		return !f.final && v.need0()
	case o.glued && c <= ' ':
		return false
	case o.user:
		return v.userPassword(v.blanks(i))
	}
	return v.read(i, false)
}

// userPassword reads user:password.
func (v *value) userPassword(i int) bool {
	quote := byte(0)
	if c, ok := v.peek(i); ok && (c == '"' || c == '\'') {
		quote = c
		i++
	}
	for end := i; ; end++ {
		c, ok := v.peek(end)
		switch {
		case !ok:
			return !v.f.final && v.need0()
		case c == ':' && quote != 0:
			v.user, v.end = i, end
			return v.quoted(end+1, quote)
		case c == ':':
			v.user, v.end = i, end
			return v.bareWord(end + 1)
		case c <= ' ' && (quote == 0 || c < ' '), quote != 0 && c == quote, end-i > maxNameSide:
			return false
		}
	}
}

// passLine reads the password of a line of .pgpass: host:port:database:user:password. The colon in front of the port is at start.
func (f *finder) passLine(start int) bool {
	for i := start - 1; i >= 0 && f.b[i] != '\n'; i-- {
		if c := f.b[i]; c <= ' ' || c == ':' || c == '"' || c == '\'' || c == '/' || start-i > maxCommand {
			return false
		}
	}
	from := start
	colons, last := 0, 0
	for i := start; ; i++ {
		switch {
		case i-start >= maxCommand:
			return false
		case i >= len(f.b) && !f.final:
			return f.more(from, from, f.s.pass, RunLine, "")
		}
		if i = min(i, len(f.b)); i == len(f.b) || f.b[i] == '\n' || f.b[i] == '\r' {
			if colons != 4 || i-last < 2 || f.noLogins(start+1, last) {
				return false
			}
			if password := f.b[last+1 : i]; field.Placeholder(password) {
				return false
			}
			return f.add(from, last+1, i, f.s.pass)
		}
		switch c := f.b[i]; {
		case c == '\\':
			i++ // \: and \\ stand for themselves
		case c == ':' && colons < 4:
			colons, last = colons+1, i
		case c <= ' ' && colons < 4:
			return false
		}
	}
}

// noLogins reports that the two fields between the port and the last colon are numbers, as in /etc/passwd and /etc/shadow, or that there is no user, or
// a pattern in place of one.
func (f *finder) noLogins(from, to int) bool {
	_, fields, _ := bytes.Cut(f.b[from:to], []byte(":"))
	user := fields[bytes.LastIndexByte(fields, ':')+1:]
	return len(bytes.Trim(fields, "0123456789:")) == 0 || len(user) == 0 || user[0] == '.'
}

// callTable lists calls that take a password as a string: which argument it is.
var callTable = [...]struct {
	head     string
	argument int
}{
	{"networkcredential(", 2}, {".login(", 2}, {".authenticate(", 2}, {"basicauth(", 2}, {"basic_auth(", 2}, {"auth=(", 2}, {"passwordauthentication(", 2}, {"passwordcredentials(", 2}, {"plainauth(", 3},
	{"mysqli_connect(", 3}, {"mysql_connect(", 3}, {"new mysqli(", 3}, {"new pdo(", 3}, {"getconnection(", 3}, {"directoryentry(", 3}, {"principalcontext(", 4},
}

// maxArguments is how far the last argument of a call may begin behind its parenthesis, in bytes.
const maxArguments = 300

// call reads the password among a call's arguments, if it is a string.
func (f *finder) call(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	i, argument := start+len(l.text), 1
	var quote byte
	for ; ; i++ {
		switch {
		case i-start > maxArguments:
			return false
		case i >= len(f.b):
			return !f.final && f.more(start, start, l.rule, RunToken, "")
		}
		c := f.b[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case argument == l.min && (c == '"' || c == '\''):
			v := value{f: f, name: start, at: i, strength: field.Strong, option: true, call: true}
			return v.quoted(i+1, c)
		case c == '"' || c == '\'':
			quote = c
		case c == ',':
			argument++
		case c == ')' || c == '(' || c == ';' || c == '{' || argument == l.min && c > ' ' && !isLetter(c):
			return false
		}
	}
}

// redisUser reads the password of a user of Redis: user bob on >x, ACL SETUSER bob >x.
func (f *finder) redisUser(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	line := f.b[max(0, start-maxCommand):start]
	line = line[bytes.LastIndexByte(line, '\n')+1:]
	var buf [maxCommand]byte
	if !bytes.HasPrefix(line, []byte("user ")) && !bytes.Contains(field.Lower(buf[:], line), []byte("setuser ")) {
		return false
	}
	v := value{f: f, name: start, at: start + len(l.text), strength: field.Strong, option: true}
	return v.read(start+len(l.text), false)
}

// identified reads IDENTIFIED [WITH plugin] BY [PASSWORD] x, with and without quotes.
func (f *finder) identified(l *literal, start int) bool {
	if start < f.done || insideWord(f.b, start) {
		return false
	}
	var buf [maxCommand]byte
	before := field.Lower(buf[:], f.b[max(0, start-maxCommand):start])
	if !bytes.Contains(before, []byte("user ")) && !bytes.Contains(before, []byte("role ")) && !bytes.Contains(before, []byte("grant ")) || bytes.HasSuffix(before, []byte("user ")) || bytes.HasSuffix(before, []byte("role ")) {
		return false
	}
	p := parser{b: f.b[:min(len(f.b), start+maxCommand)], i: start + len(l.text)}
	if p.word("with") {
		p.name()
	}
	by := p.word("by") || p.word("as")
	if by {
		p.word("password")
		p.blanks()
	}
	switch {
	case p.short && !f.final && len(f.b)-start < maxCommand:
		return f.more(start, start, l.rule, RunToken, "")
	case !by || p.i == len(p.b):
		return false
	}
	v := value{f: f, name: start, at: p.i, strength: field.Strong, option: true}
	return v.read(p.i, false)
}

// label reads a line of a list: Unseal Key 1: x.
func (f *finder) label(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	i := start + len(l.text)
	for i < len(f.b) && i-start < 20 && f.b[i] >= '0' && f.b[i] <= '9' {
		i++
	}
	for i < len(f.b) && i-start < 24 && (f.b[i] == ':' || f.b[i] == ' ') {
		i++
	}
	f.view(i)
	end, closed := f.run(i, l.alphabet)
	if !closed {
		return f.more(start, i, l.rule, RunToken, "")
	}
	if end-i < l.min || end-i > l.max {
		return false
	}
	return f.add(start, i, end, l.rule)
}

// star reads a password hash of old MySQL: a star and 40 upper-case hexadecimal digits.
func (f *finder) star(l *literal, start int) bool {
	if start < f.done || insideWord(f.b, start) {
		return false
	}
	end, closed := f.run(start+1, l.alphabet)
	if !closed && end-start <= l.max {
		return f.more(start, start, l.rule, RunToken, "")
	}
	if end-start-1 != l.max || end < len(f.b) && isWord(f.b[end]) {
		return false
	}
	return f.add(start, start, end, l.rule)
}

func digits(v []byte) bool {
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
