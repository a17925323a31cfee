package detect

import (
	"bytes"

	"weir/mask/field"
)

// This file reads lines of commands and of devices' configuration that hold a password which neither a name nor an option shows.

// commandTable lists what such lines hold, where it must stand for that, and how the password is found in the rest of the line.
var commandTable = [...]struct {
	text   string
	stands commandPlace
	read   commandReader
}{
	{"htpasswd -", placeWord, readHtpasswd},
	{"net use", placeWord, readNetUse},
	{"NET USE", placeWord, readNetUse},
	{"echo ", placeWord, readPiped},
	{" LOGIN ", placeTagged, readMailLogin},
	{" secret 0 ", placeConfigured, readTypedValue},
	{" password 0 ", placeConfigured, readTypedValue},
	{"enable secret ", placePrompt, readValue},
	{"enable password ", placePrompt, readValue},
	{"neighbor ", placePrompt, readNeighbor},
	{"tacacs-server ", placePrompt, readServerKey},
	{"radius-server ", placePrompt, readServerKey},
	{"ip ospf ", placePrompt, readRoutingKey},
	{"key-string ", placePrompt, readValue},
	{"crypto isakmp key ", placePrompt, readPeerKey},
	{"set snmp community ", placePrompt, readCommunity},
}

// commandPlace is where a command stands.
type commandPlace uint8

const (
	placeWord       commandPlace = iota // nowhere inside a word
	placePrompt                         // where a line begins or a prompt ends
	placeConfigured                     // on a line of a device's configuration
	placeTagged                         // behind the tag of a command of IMAP
)

func (f *finder) stands(p commandPlace, i int) bool {
	switch p {
	case placePrompt:
		return f.atPrompt(i)
	case placeConfigured:
		return f.configured(i)
	case placeTagged:
		return f.tagged(i)
	case placeWord:
	}
	return i == 0 || !isWord(f.b[i-1])
}

// commandReader finds the password.
type commandReader uint8

const (
	readHtpasswd commandReader = iota
	readNetUse
	readPiped
	readMailLogin
	readValue
	readTypedValue
	readNeighbor
	readServerKey
	readRoutingKey
	readPeerKey
	readCommunity
)

// read returns where the password stands in the rest of a command's line: nothing, where it begins at its end.
func (r commandReader) read(rest []byte) (from, to int) {
	switch r {
	case readHtpasswd:
		return htpasswd(rest)
	case readNetUse:
		return netUse(rest)
	case readPiped:
		return piped(rest)
	case readMailLogin:
		return mailLogin(rest)
	case readValue:
		return deviceValue(rest, "", false)
	case readTypedValue:
		return deviceValue(rest, "", true)
	case readNeighbor:
		return deviceValue(rest, " password ", isAddress(rest))
	case readServerKey:
		return serverKey(rest)
	case readRoutingKey:
		return routingKey(rest)
	case readPeerKey:
		return peerKey(rest)
	case readCommunity:
		return community(rest)
	}
	return 0, 0
}

// command reads the line of an entry of commandTable.
func (f *finder) command(l *literal, start int) bool {
	c := &commandTable[l.min]
	if start < f.done || !f.stands(c.stands, start) {
		return false
	}
	i := start + len(l.text)
	f.view(i)
	rest, ended, pending := f.restOfLine(i)
	from, to := c.read.read(rest)
	switch {
	case pending:
		f.more(start, i, l.rule, RunLine, "")
		if f.quiet = len(f.b); from < to {
			f.quiet = i + from
		}
		return true
	case !ended || to-from < 3:
		return false
	}
	if password := rest[from:to]; field.Placeholder(password) || commonWord(password) || letters(password) && mentions(password) || formatVerb(password) || password[0] == '$' {
		return false
	}
	return f.add(start, i+from, i+to, l.rule)
}

// restOfLine returns what stands behind i on its line. ended is unset for a line of maxCommand bytes or more, and where its end may still come: then
// pending is set.
func (f *finder) restOfLine(i int) (rest []byte, ended, pending bool) {
	rest = f.b[i:min(len(f.b), i+maxCommand)]
	n := len(rest)
	for _, sign := range [...]byte{'\n', '\r'} {
		if k := bytes.IndexByte(rest, sign); k >= 0 {
			rest = rest[:k]
		}
	}
	switch {
	case len(rest) < n:
		return rest, true, false
	case n == maxCommand:
		return rest, false, false
	}
	return rest, f.final, !f.final
}

// atPrompt reports that a line or what is typed behind a device's prompt begins at i: R1(config)#.
func (f *finder) atPrompt(i int) bool {
	k := i
	for k > 0 && i-k < maxIndent && (f.b[k-1] == ' ' || f.b[k-1] == '\t') {
		k--
	}
	if k == 0 || f.b[k-1] == '\n' {
		return true
	}
	return i-k < 2 && k > 1 && (f.b[k-1] == '#' || f.b[k-1] == '>') && (isWord(f.b[k-2]) || f.b[k-2] == ')')
}

// configured reports that the line in front of i is one in which devices keep a password, with its first word at a prompt or not.
func (f *finder) configured(i int) bool {
	line := f.b[max(0, i-maxCommand):i]
	n := bytes.LastIndexByte(line, '\n')
	if n < 0 && i > maxCommand {
		return false
	}
	line = bytes.TrimLeft(line[n+1:], " \t")
	if k := bytes.IndexAny(line, "#>"); k > 0 {
		line = bytes.TrimLeft(line[k+1:], " ")
	}
	word, _, _ := bytes.Cut(line, []byte(" "))
	switch string(word) {
	case "", "username", "enable", "neighbor", "ppp", "server", "server-private", "session", "peer":
		return len(word) > 0 || f.b[i+1] == 'p' // password 0 x
	}
	return false
}

// tagged reports the tag of a command of IMAP in front of i: letters and digits, at the beginning of a line or behind what tells who speaks.
func (f *finder) tagged(i int) bool {
	k, digit := i, false
	for k > 0 && i-k < 12 && isWord(f.b[k-1]) {
		k--
		digit = digit || isDigit(f.b[k])
	}
	return digit && (k == 0 || f.b[k-1] == '\n' || k > 1 && f.b[k-1] == ' ' && (f.b[k-2] == ':' || f.b[k-2] == '>'))
}

// argumentEndTable is what ends an argument that is not quoted.
var argumentEndTable = func() (t [256]bool) {
	for _, c := range []byte(" \t|;&<>()`\"'") {
		t[c] = true
	}
	return t
}()

// shellArgument returns where the next argument of a shell's command stands in b from i on, without its quotes, and where it ends with them.
func shellArgument(b []byte, i int) (from, to, end int) {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	if i < len(b) && (b[i] == '\'' || b[i] == '"') {
		n := bytes.IndexByte(b[i+1:], b[i])
		if n < 0 {
			return i + 1, len(b), len(b)
		}
		return i + 1, i + 1 + n, i + n + 2
	}
	end = i
	for end < len(b) && !argumentEndTable[b[end]] && (b[end] != '\\' || end+1 == len(b) || b[end+1] != 'n' && b[end+1] != '"') {
		end++
	}
	return i, end, end
}

// words yields what stands between blanks, and where.
func words(b []byte) func(func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		for i := 0; i < len(b); i++ {
			from := i
			for i < len(b) && b[i] > ' ' {
				i++
			}
			if from < i && !yield(from, b[from:i]) {
				return
			}
		}
	}
}

// htpasswd reads -b[options] [file] user password.
func htpasswd(rest []byte) (from, to int) {
	batch, file, end := false, true, 0
	for first := true; ; first = false {
		from, to, end = shellArgument(rest, end)
		option, dash := bytes.CutPrefix(rest[from:to], []byte("-"))
		if from == to || !first && !dash {
			break
		}
		batch = batch || bytes.IndexByte(option, 'b') >= 0
		file = file && bytes.IndexByte(option, 'n') < 0
		if n := len(option); n > 0 && (option[n-1] == 'C' || option[n-1] == 'r') {
			_, _, end = shellArgument(rest, end) // its value
		}
	}
	if file {
		from, to, end = shellArgument(rest, end)
	}
	if !batch || from == to {
		return 0, 0
	}
	from, to, _ = shellArgument(rest, end)
	return from, to
}

// netUse reads [device] \\host\share [password] /user:name, in any order behind the share, and net user's arguments.
func netUse(rest []byte) (from, to int) {
	switch {
	case len(rest) > 1 && rest[0]|0x20 == 'r' && rest[1] == ' ':
		return netUser(rest)
	case len(rest) == 0 || rest[0] != ' ':
		return 0, 0
	}
	share, user := false, false
	for at, word := range words(rest) {
		switch {
		case bytes.HasPrefix(word, []byte(`\\`)):
			share = true
		case foldPrefix(word, "/user:"):
			user = true
		case word[0] == '/' || !share:
		case from < to:
			return 0, 0 // more than a password
		default:
			from, to = at, at+len(word)
			if n := len(word); n > 2 && word[0] == '"' && word[n-1] == '"' {
				from, to = from+1, to-1
			}
		}
	}
	if !share || !user {
		return 0, 0
	}
	return from, to
}

// netUser reads name password /add, behind the r of user.
func netUser(rest []byte) (from, to int) {
	n, add := -1, false
	for at, word := range words(rest) {
		if n++; n == 2 {
			from, to = at, at+len(word)
		}
		add = add || bytes.EqualFold(word, []byte("/add"))
	}
	if !add || n < 3 || rest[from] == '/' {
		return 0, 0
	}
	return from, to
}

// piped reads password | sudo -S, and other commands that read one from their standard input.
func piped(rest []byte) (from, to int) {
	from, to, end := shellArgument(rest, 0)
	for to-from == 2 && rest[from] == '-' {
		from, to, end = shellArgument(rest, end)
	}
	for end < len(rest) && rest[end] == ' ' {
		end++
	}
	if from == to || end == len(rest) || rest[end] != '|' {
		return 0, 0
	}
	command := bytes.TrimLeft(rest[end+1:], " ")
	if n := bytes.IndexAny(command, "|;"); n >= 0 {
		command = command[:n]
	}
	name, options, _ := bytes.Cut(command, []byte(" "))
	option := ""
	switch string(name[bytes.LastIndexByte(name, '/')+1:]) {
	case "sudo":
		if !sudoReads(options) {
			return 0, 0
		}
	case "passwd":
		option = "--stdin"
	case "docker", "podman", "helm", "skopeo":
		option = "--password-stdin"
	case "gpg":
		option = "--passphrase-fd 0"
	case "kinit", "cryptsetup":
	case "chpasswd":
		n := bytes.IndexByte(rest[from:to], ':')
		return from + n + 1, to
	default:
		return 0, 0
	}
	if !bytes.Contains(options, []byte(option)) {
		return 0, 0
	}
	return from, to
}

// sudoReads reports that sudo is told to read the password from its standard input.
func sudoReads(options []byte) bool {
	value := false
	for _, word := range words(options) {
		switch {
		case value:
			value = false
		case string(word) == "--stdin":
			return true
		case word[0] != '-' || len(word) < 2:
			return false
		case word[1] != '-' && bytes.IndexByte(word, 'S') > 0:
			return true
		default:
			value = bytes.IndexByte([]byte("ugpChrtTRD"), word[len(word)-1]) >= 0 && word[1] != '-'
		}
	}
	return false
}

// mailLogin reads the user and the password of IMAP's LOGIN (RFC 9051, section 6.2.3).
func mailLogin(rest []byte) (from, to int) {
	from, to, end := shellArgument(rest, 0)
	if from == to {
		return 0, 0
	}
	from, to, end = shellArgument(rest, end)
	if len(bytes.TrimSpace(rest[end:])) > 0 || letters(rest[from:to]) && end == to {
		return 0, 0 // A1 LOGIN SMITH SESAME
	}
	return from, to
}

// deviceValue reads the last word of a line, behind word and perhaps a digit that tells how it is written. Without that digit, nothing but letters is
// a password only if it may be.
func deviceValue(rest []byte, word string, may bool) (from, to int) {
	n := bytes.Index(rest, []byte(word))
	if n < 0 {
		return 0, 0
	}
	from = n + len(word)
	if from+1 < len(rest) && isDigit(rest[from]) && rest[from+1] == ' ' {
		from, may = from+2, true
	}
	for to = from; to < len(rest) && rest[to] > ' '; {
		to++
	}
	value := rest[from:to]
	if len(value) == 0 || len(bytes.TrimSpace(rest[to:])) > 0 || !may && letters(value) || value[0] == '$' || value[0] == '<' || !alnum(value) {
		return 0, 0
	}
	return from, to
}

// serverKey reads [host …] key x.
func serverKey(rest []byte) (from, to int) {
	if bytes.HasPrefix(rest, []byte("key ")) {
		return deviceValue(rest, "key ", false)
	}
	return deviceValue(rest, " key ", false)
}

// routingKey reads authentication-key x and message-digest-key n md5 x.
func routingKey(rest []byte) (from, to int) {
	if bytes.HasPrefix(rest, []byte("authentication-key ")) {
		return deviceValue(rest, "authentication-key ", false)
	}
	return deviceValue(rest, " md5 ", false)
}

// peerKey reads x address …, of which the address tells enough.
func peerKey(rest []byte) (from, to int) {
	for _, word := range [...]string{" address ", " hostname "} {
		if n := bytes.Index(rest, []byte(word)); n >= 0 {
			return deviceValue(rest[:n], "", true)
		}
	}
	return 0, 0
}

// community reads x authorization ….
func community(rest []byte) (from, to int) {
	if n := bytes.IndexByte(rest, ' '); n > 0 && bytes.HasPrefix(rest[n:], []byte(" authorization ")) {
		return 0, n
	}
	return 0, 0
}

// isAddress reports that rest begins with an address of IPv4 or IPv6.
func isAddress(rest []byte) bool {
	n := max(0, bytes.IndexByte(rest, ' '))
	return n > 2 && len(bytes.Trim(rest[:n], "0123456789abcdefABCDEF.:")) == 0 && bytes.ContainsAny(rest[:n], ".:")
}
