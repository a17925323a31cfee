package field

import (
	"bytes"
	"math/bits"
)

// Placeholder reports a value that is certainly no secret: empty, a literal null or boolean, something masked
// already, or a reference that somebody else fills in. It does not keep v.
func Placeholder(v []byte) bool {
	v = bytes.TrimSpace(v)
	if len(v) == 0 {
		return true
	}
	if len(v) <= 12 {
		var buf [12]byte
		switch string(Lower(buf[:], v)) {
		case "null", "nil", "none", "true", "false", "undefined", "<nil>", "(null)", "<none>", "n/a", "yes", "no", "on", "off", "{}", "[]", "<redacted>", "[redacted]", "[filtered]", "(redacted)", "<secret>", "[hidden]", "redacted",
			"todo", "no value", "example", "optional", "required", "change_me", "change-me", "<change me>", `""`, "''":
			return true
		}
	}
	switch first, last := v[0], v[len(v)-1]; {
	case len(v) > 2 && !isDigit(first) && same(v, first), same(v, '*'), (first == 'X' || first == '-') && crossed(v):
		return true
	case first == '*' && bytes.HasPrefix(v, []byte("****")) && len(v) <= 12, first == '(' && string(v) == "(sensitive value)", len(v) >= 12 && mostly(v):
		return true // what others left of a mask
	case last == 'E' && bytes.HasSuffix(v, []byte("EXAMPLE")), first == 'E' && bytes.HasPrefix(v, []byte("EXAMPLE_")), last == '.' && bytes.HasSuffix(v, []byte("...")) && len(v) < 16:
		return true // documented examples
	case first == '<' && last == '>' && (bytes.IndexByte(v, ' ') < 0 || wordsOnly(v[1:len(v)-1])) && len(v) < 40, first == '%' && last == '%' && len(v) > 2:
		return true // <password>, %DB_PASS%
	case first == '$' && (variable(v[1:]) || bytes.IndexByte(v, '/') > 4 && variable(v[1:bytes.IndexByte(v, '/')]) || len(v) == 2 && last >= '0' && last <= '9'):
		return true
	case reference(v):
		return true
	case first == '$' && len(v) > 2 && (v[1] == '{' && bytes.IndexByte(v[:len(v)-1], '}') < 0 || v[1] == '(' && last == ')'), last == '(' && called(v[:len(v)-1]):
		return true // ${VAR}, $(command), getenv(
	case first == '$' && bytes.HasPrefix(v, []byte("${{")) && bytes.HasSuffix(v, []byte("}}")), first == '#' && bytes.HasPrefix(v, []byte("#{")) && bytes.IndexByte(v[:len(v)-1], '}') < 0:
		return true // ${{ secrets.X }}, #{password}
	case first == '{' && bytes.HasPrefix(v, []byte("{{")) && bytes.HasSuffix(v, []byte("}}")), first == '<' && bytes.HasPrefix(v, []byte("<%")):
		return true
	case (first == '[' || first == '%') && Mask(v), first == '[' && masked(v):
		return true
	}
	return false
}

// masked reports a placeholder, or one of asterisks where it takes the length of what it stands for, and nothing behind it but signs.
func masked(v []byte) bool {
	end := bytes.IndexByte(v, ']') + 1
	stars, ok := bytes.CutPrefix(v[:end], []byte("[masked:"))
	if !ok || (len(stars) < 2 || !same(stars[:len(stars)-1], '*')) && !Mask(v[:end]) {
		return false
	}
	for _, c := range v[end:] {
		if isLetter(c) || isDigit(c) {
			return false
		}
	}
	return true
}

// referenceTable has what references begin with.
var referenceTable = [...]string{"vault:secret/", "arn:", "!Ref ", "!GetAtt ", "!Sub ", "process.env.", "os.environ", "ENV[", "env:", "{cipher}", "op://", "secretKeyRef:", "@Microsoft.KeyVault(",
	"ENC[", "settings.", "config.", "env.", "getenv(", "file:///run/secrets/", "/run/secrets/", "projects/", "sops:"}

// referenceHeadTable has, for each byte, a bit for each entry of referenceTable that begins with it.
var referenceHeadTable = func() (t [256]uint32) {
	for i, head := range referenceTable {
		t[head[0]] |= 1 << i
	}
	return t
}()

// called reports the name of a function.
func called(v []byte) bool {
	for _, c := range v {
		if !isLetter(c) && !isDigit(c) && c != '_' && c != '.' && c != ':' {
			return false
		}
	}
	return true
}

// reference reports a value that only says where the secret is kept.
func reference(v []byte) bool {
	for m := referenceHeadTable[v[0]]; m != 0; m &= m - 1 {
		head := referenceTable[bits.TrailingZeros32(m)]
		if len(v) > len(head) && string(v[:len(head)]) == head {
			return true
		}
	}
	return false
}

// wordsOnly reports letters and blanks.
func wordsOnly(v []byte) bool {
	for _, c := range v {
		if (c|0x20 < 'a' || c|0x20 > 'z') && c != ' ' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// Documentation reports the pair that manuals write where a user and a password belong: user:password.
func Documentation(user, password []byte) bool {
	var buf [16]byte
	switch string(Lower(buf[:], bytes.Trim(user[max(0, len(user)-10):], "<>[]{}$"))) {
	case "user", "username", "uname":
	default:
		return false
	}
	switch string(Lower(buf[:], bytes.Trim(password[:min(len(password), 16)], "<>[]{}$"))) {
	case "pass", "passwd", "password", "pwd", "secret", "token", "api_token":
		return true
	}
	return false
}

// variable reports a name as shells write those of the environment.
func variable(v []byte) bool {
	for i, c := range v {
		if (c < 'A' || c > 'Z') && c != '_' && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(v) > 2
}

// mostly reports that one byte makes up most of v: ghp_xxxxxxxxxxxx, 00000000-0000.
func mostly(v []byte) bool {
	head := v[:min(len(v), 4096)]
	// What makes up more than half is left when each byte is taken out with one that differs.
	var most byte
	lead := 0
	for _, c := range head {
		switch {
		case lead == 0:
			most, lead = c, 1
		case c == most:
			lead++
		default:
			lead--
		}
	}
	return lead > 0 && bytes.Count(head, []byte{most})*10 >= len(v)*7
}

// crossed reports nothing but X and dashes.
func crossed(v []byte) bool {
	for _, c := range v {
		if c != 'X' && c != '-' {
			return false
		}
	}
	return true
}

func same(v []byte, c byte) bool {
	for _, b := range v {
		if b != c {
			return false
		}
	}
	return true
}

// Opaque reports a value that looks made by a machine: long enough, no spaces, letters mixed with digits or
// symbols, and not a date, a number, a path or a word. It does not keep v.
func Opaque(v []byte) bool {
	if len(v) < 12 || len(v) > 4096 {
		return len(v) > 4096
	}
	var digits, lower, upper, other, flips int
	class, seen := byte(0), [256]bool{}
	distinct := 0
	for _, c := range v {
		if !seen[c] {
			seen[c] = true
			distinct++
		}
		k := byte('o')
		switch {
		case c >= '0' && c <= '9':
			digits++
			k = 'd'
		case c >= 'a' && c <= 'z':
			lower++
			k = 'l'
		case c >= 'A' && c <= 'Z':
			upper++
			k = 'u'
		case c <= ' ' || c >= 0x7f:
			return false
		default:
			other++
		}
		if k != class {
			flips++
		}
		class = k
	}
	if digits == 0 && (lower == 0 || upper == 0) || lower+upper < 3 || distinct < 8 {
		return false
	}
	if bytes.ContainsAny(v, "/\\") && other*6 > len(v) {
		return false // a path
	}
	return (flips*5 >= len(v) || len(v) >= 32 && flips*8 >= len(v)) && !Wordy(v)
}

// AntiForgery reports names of the tokens that web forms carry against forged requests. They are no credentials, and without
// them no form could be sent, so where a form's markup names one it stays.
func AntiForgery(name []byte) bool {
	for i, c := range name {
		var word string
		switch c | 0x20 {
		case 'c':
			word = "csrf"
		case 'x':
			word = "xsrf"
		case 'a':
			word = "authenticity"
		case 'r':
			word = "requestverification"
		default:
			continue
		}
		if rest := name[i:]; len(rest) >= len(word) && bytes.EqualFold(rest[:len(word)], []byte(word)) {
			return true
		}
	}
	return false
}

// maxAcronym is how many capitals in a row are a word among others: HTTPServer.
const maxAcronym = 5

// untailed returns v without the version or the ending of a picture behind its name: tiny-1.0.0, lib@2.1.0, HolidayMap.png.
func untailed(v []byte) []byte {
	i := len(v)
	for i > 0 && (isDigit(v[i-1]) || v[i-1] == '.') {
		i--
	}
	if i > 3 && (v[i-1] == '-' || v[i-1] == '@') && bytes.Count(v[i:], []byte{'.'}) == 2 && v[i] != '.' && v[len(v)-1] != '.' && bytes.IndexByte(v[i:], '.') < 4 {
		return v[:i-1]
	}
	if n := len(v) - 4; n > 3 && v[n] == '.' {
		switch string(v[n+1:]) {
		case "jpg", "png", "gif", "svg", "pdf", "csv", "zip", "tgz", "mp3", "mp4":
			return v[:n]
		}
	}
	return v
}

// Wordy reports words, joined as names are, with few digits: TestLastIndex, sha3.NewSHAKE128, sub_test/sub2. It does not keep v.
func Wordy(v []byte) bool {
	if wordy(v) {
		return true
	}
	name := untailed(v)
	return len(name) < len(v) && wordy(name)
}

func wordy(v []byte) bool {
	inWords, letterCount, words, digits, signs, dots := 0, 0, 0, 0, 0, 0
	lower := bytes.ContainsAny(v, "abcdefghijklmnopqrstuvwxyz")
	for i := 0; i < len(v); {
		from := i
		switch c := v[i]; {
		case c >= 'A' && c <= 'Z':
			for i < len(v) && v[i] >= 'A' && v[i] <= 'Z' {
				i++
			}
			if i-from > 1 && i < len(v) && v[i] >= 'a' && v[i] <= 'z' {
				i-- // LDAPSSettings
			}
			if i-from == 1 {
				for i < len(v) && v[i] >= 'a' && v[i] <= 'z' {
					i++
				}
			}
		case isLetter(c):
			for i < len(v) && isLetter(v[i]) && (v[i] < 'A' || v[i] > 'Z') {
				i++
			}
		case c >= '0' && c <= '9':
			digits++
			i++
			continue
		default:
			if c == '.' {
				dots++
			}
			if c != '-' && c != '_' && c != '.' && c != '/' && c != ':' && c != ',' && c != '=' {
				signs++
			}
			i++
			continue
		}
		letterCount += i - from
		words++
		if n := i - from; n >= 3 && (n <= maxAcronym || v[from] >= 'a' || v[from+1] >= 'a' || !lower) {
			inWords += n
		}
	}
	if dots >= 2 && signs == 0 && digits <= 3 && letterCount > 3*digits {
		return !Gibberish(v) // fs.s3.cse.enabled
	}
	if letterCount >= 20 && words*7 > letterCount*2 && lower {
		return false // so many short words are none: MifahzVsacEaMOatW7ddlpiUTepcHuhH
	}
	return letterCount > 0 && inWords*100 >= letterCount*80 && digits <= 4 && digits*3 <= letterCount && signs <= 1 && !Gibberish(v)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

// Gibberish reports letters that follow one another as they hardly ever do in words. Fewer than seven pairs of letters prove nothing. It does not keep v.
func Gibberish(v []byte) bool {
	pairs, strange := 0, 0
	for i := 1; i < len(v); i++ {
		a, b := v[i-1]|0x20-'a', v[i]|0x20-'a'
		if a > 25 || b > 25 || v[i] < 'a' && v[i-1] >= 'a' {
			continue
		}
		pairs++
		if followTable[a]&(1<<b) == 0 {
			strange++
		}
	}
	return pairs >= 7 && strange >= 2 && strange*5 >= pairs
}

// followTable has for each letter those that follow it in English and in the names of programs: the 370 pairs that make up 96.5 % of
// a vocabulary of 160,000 words.
var followTable = [26]uint32{
	0x1febd7f, 0x1164b1f, 0x13efdff, 0x17ef97f, 0x1fffdff, 0x1ef93d, 0x1ef9d5, 0x1e5911,
	0x2aef87f, 0x40010, 0x40151, 0x13ef97f, 0x11cd91f, 0x13efd7f, 0xfefd7f, 0x11eddbd,
	0x100000, 0x13efd7f, 0x15ffdff, 0x1fef9ff, 0xeb97f, 0x4d115, 0x66191, 0xc9115,
	0xcb915, 0x00010,
}

// Mask reports a placeholder of this package's users, whole, as it stands or as it is spelled in a URL. What only looks like one at its beginning is
// none: a secret may stand behind it. It does not keep v.
func Mask(v []byte) bool {
	open, colon, end := "[masked:", ":", "]"
	if len(v) > 0 && v[0] == '%' {
		open, colon, end = "%5Bmasked%3A", "%3A", "%5D"
	}
	rest, ok := bytes.CutPrefix(v, []byte(open))
	if !ok {
		return false
	}
	if rest, ok = bytes.CutSuffix(rest, []byte(end)); !ok || len(rest) > maxKind+len(colon)+maskID || len(rest) < 1+len(colon)+maskID {
		return false
	}
	for _, c := range rest[len(rest)-maskID:] {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	kind, ok := bytes.CutSuffix(rest[:len(rest)-maskID], []byte(colon))
	for _, c := range kind {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return ok
}

// EndsMask reports that b ends with such a placeholder. It does not keep b.
func EndsMask(b []byte) bool {
	const most = len("[masked:") + maxKind + len(":") + maskID + len("]")
	if len(b) == 0 || b[len(b)-1] != ']' {
		return false
	}
	b = b[max(0, len(b)-most):]
	i := bytes.LastIndexByte(b, '[')
	return i >= 0 && Mask(b[i:])
}

const (
	maxKind = 64 // bytes of a kind, at most
	maskID  = 8  // bytes of a fingerprint
)

// Lower puts v, or as much of it as there is room for, into buf in lower case, and returns it.
func Lower(buf, v []byte) []byte {
	n := copy(buf, v)
	for i, c := range buf[:n] {
		if c >= 'A' && c <= 'Z' {
			buf[i] = c + 'a' - 'A'
		}
	}
	return buf[:n]
}
