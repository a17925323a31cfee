package detect

import (
	"bytes"
	"encoding/base64"
	"strings"

	"weir/mask/field"
)

// This file tells by its bytes what a value is. None of it keeps or changes the value.

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

// alnum reports a letter or a digit in v.
func alnum(v []byte) bool {
	for _, c := range v {
		if isDigit(c) || isLetter(c) {
			return true
		}
	}
	return false
}

func foldPrefix(b []byte, lower string) bool {
	return len(b) >= len(lower) && foldEqual(b[:len(lower)], lower)
}

func foldSuffix(b []byte, lower string) bool {
	return len(b) >= len(lower) && foldEqual(b[len(b)-len(lower):], lower)
}

// foldEqual compares with ASCII text in lower case.
func foldEqual(b []byte, lower string) bool {
	for i := range len(lower) {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// letters reports nothing but letters.
func letters(v []byte) bool {
	for _, c := range v {
		if !isLetter(c) {
			return false
		}
	}
	return len(v) > 0
}

// lettersOnly reports nothing but letters and blanks.
func lettersOnly(v []byte) bool {
	for _, c := range v {
		if !isLetter(c) && c != ' ' {
			return false
		}
	}
	return len(v) > 0
}

// word reports letters, perhaps joined by - _ . or /, as in names.
func word(v []byte) bool {
	for _, c := range v {
		if !isLetter(c) && c != '-' && c != '_' && c != '.' && c != '/' && c != ':' {
			return false
		}
	}
	return len(v) > 0
}

// identifier reports a name as programming languages have.
func identifier(v []byte) bool {
	for i, c := range v {
		if !isWord(c) && c < 0x80 && c != '.' || i == 0 && isDigit(c) {
			return false
		}
	}
	return len(v) > 0
}

// constant reports a name in capitals, such as those of constants.
func constant(v []byte) bool {
	joined := false
	for _, c := range v {
		switch {
		case c == '_':
			joined = true
		case c < 'A' || c > 'Z':
			return false
		}
	}
	return joined
}

// joined reports more than one word: fooBar, foo_bar.
func joined(v []byte) bool {
	for i := 1; i < len(v); i++ {
		if v[i] == '_' || v[i] >= 'A' && v[i] <= 'Z' && v[i-1] >= 'a' && v[i-1] <= 'z' {
			return true
		}
	}
	return false
}

// number reports a decimal or hexadecimal number, a sign included.
func number(v []byte) bool {
	if len(v) > 0 && (v[0] == '-' || v[0] == '+') {
		v = v[1:]
	}
	if len(v) > 2 && v[0] == '0' && v[1]|0x20 == 'x' {
		for _, c := range v[2:] {
			if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
				return false
			}
		}
		return len(v) <= 18
	}
	for _, c := range v {
		if !isDigit(c) && c != '.' && c != '_' && c != ',' {
			return false
		}
	}
	return len(v) > 0
}

// digest reports a hash in hexadecimal.
func digest(v []byte) bool {
	if i := bytes.IndexAny(v, ":-"); i > 1 && i < 8 {
		if foldPrefix(v, "sha") || foldPrefix(v, "md5") || foldPrefix(v, "h1:") {
			return true // sha256:…, sha512-…
		}
	}
	if n := len(v); n != 32 && n != 40 && n != 56 && n != 64 && n != 96 && n != 128 {
		return false
	}
	for _, c := range v {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// formatVerb reports what Printf and its like put values into: %v, (%q, %-10s.
func formatVerb(v []byte) bool {
	i := bytes.IndexByte(v, '%')
	if i == 0 && len(v) > 2 && v[1] == 's' && bytes.Count(v, []byte("-")) > 1 {
		return true // %s4-HMAC-SHA256
	}
	if i < 0 || i > 2 || i+1 == len(v) {
		return false
	}
	for j := i + 1; j < len(v) && j < i+8; j++ {
		switch c := v[j]; {
		case bytes.IndexByte([]byte("vsqdxXTpftgeucUibo"), c) >= 0:
			return j+1 == len(v) || !isWord(v[j+1]) && (len(v) < 12 || bytes.Count(v, []byte("%")) > 1 || field.Wordy(v)) || v[0] == '%' && len(v) <= j+3
		case c == '(':
			return true // %(name)s
		case !isDigit(c) && bytes.IndexByte([]byte("-+# .*[]"), c) < 0:
			return false
		}
	}
	return false
}

// pathLike reports a path or an address without a password.
func pathLike(v []byte) bool {
	if v[0] == '/' || v[0] == '~' && len(v) > 1 && v[1] == '/' || v[0] == '.' && len(v) > 1 && (v[1] == '/' || v[1] == '.') || len(v) > 2 && v[1] == ':' && (v[2] == '\\' || v[2] == '/') {
		return true
	}
	i := bytes.Index(v, []byte("://"))
	return i > 0 && i < 12 && bytes.IndexByte(v, '@') < 0
}

// version reports a number of a version: 1.10.0, 2.0.0-alpha.1, v1.2.3, 20.10.post1.
func version(v []byte) bool {
	v = bytes.TrimPrefix(v, []byte("v"))
	if len(v) > 2 && v[1] == '!' {
		v = v[2:] // an epoch
	}
	dots, i := 0, 0
	for ; i < len(v) && (isDigit(v[i]) || v[i] == '.' && i > 0); i++ {
		if v[i] == '.' {
			dots++
		}
	}
	if dots < 2 || len(v) > 40 {
		return false
	}
	for _, c := range v[i:] {
		if !isWord(c) && c != '.' && c != '-' && c != '+' {
			return false
		}
	}
	return true
}

// pattern reports a regular expression, or a call.
func pattern(v []byte) bool {
	return v[0] == '^' && len(v) > 4 && bytes.ContainsAny(v, "[(\\*+") || bytes.Contains(v, []byte("[[:")) || bytes.HasSuffix(v, []byte("()"))
}

// connection reports a list of key=value pairs.
func connection(v []byte) bool {
	return bytes.Count(v, []byte("=")) > 1
}

// label reports a text that is shown to people: Password, Mot de passe, Password:, Forgot?
func label(v []byte) bool {
	last := v[len(v)-1]
	if (last == ':' || last == '?') && len(v) > 3 && lettersOnly(v[:len(v)-1]) && (bytes.IndexByte(v, ' ') > 0 || len(v) <= 12 && !joined(v)) {
		return true
	}
	if v[0] < 'A' || v[0] > 'Z' {
		return v[0] >= 0xc3 && lettersOnly(v)
	}
	for i, c := range v[1:] {
		if c >= 0x80 || c == ' ' || c == '\'' || c == '.' || c == '-' {
			continue
		}
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z' || v[i] != ' ') { // Jim Meyering, too
			return false
		}
	}
	return true
}

// echoes reports a value that says what belongs in its place: its own name, or a name of the kind with words around it.
func echoes(v, name []byte) bool {
	return bytes.EqualFold(v, name) || len(v) < 64 && mentions(v) && (!bytes.ContainsAny(v, "0123456789") || v[0] == '@')
}

// alternatives reports several common words: true|false, files systemd.
func alternatives(v []byte) bool {
	if !bytes.ContainsAny(v, " |") {
		return false
	}
	for len(v) > 0 {
		i := bytes.IndexAny(v, " |")
		if i < 0 {
			i = len(v)
		}
		if !commonWord(v[:i]) {
			return false
		}
		v = v[min(i+1, len(v)):]
	}
	return true
}

// tokenLike reports a value that hardly anybody would choose as a name: digits among letters, signs among both, or letters
// whose case changes as it does in random text.
func tokenLike(v []byte) bool {
	var digits, lower, upper, signs, flips, blanks int
	last := byte(0)
	for _, c := range v {
		k := byte('s')
		switch {
		case isDigit(c):
			digits, k = digits+1, 'd'
		case c >= 'a' && c <= 'z':
			lower, k = lower+1, 'l'
		case c >= 'A' && c <= 'Z':
			upper, k = upper+1, 'u'
		case c == ' ':
			k = 'p'
			blanks++
		case c < ' ':
			return false
		case c == '-' || c == '_' || c == '.' || c == '/' || c == ':' || c == ',' || c >= 0x80:
			k = 'p'
		default:
			signs++
		}
		if k != last && k != 'p' && last != 0 {
			flips++
		}
		last = k
	}
	n := len(v)
	switch {
	case blanks > 0:
		return n >= 24 && signs > n/6
	case n < 6 || lower+upper == 0:
		return n >= 16 && digits > 0 && lower+upper+signs > 0
	case digits > 0 && signs > 0:
		return n >= 8
	case digits >= 2 && flips >= 2:
		return true
	case digits > 0:
		return flips >= 2 || n >= 7 && digits < n-1
	case signs > 0:
		return n >= 8 && flips >= 2 && v[0] != '%' && v[0] != '\\'
	}
	return n >= 16 && upper >= 2 && lower >= 2 && flips*4 >= n
}

// template reports a text in which something is still to be put: ${name}, {{ name }}.
func template(v []byte) bool {
	for i := 1; i < len(v); i++ {
		var open bool
		switch v[i] {
		case '{':
			open = v[i-1] == '$' || v[i-1] == '{' || v[i-1] == '#' || v[i-1] == '@'
		case '(':
			open = v[i-1] == '$'
		case '%':
			open = v[i-1] == '<'
		}
		if !open {
			continue
		}
		if n := bytes.IndexAny(v[i:], "})>"); n > 0 && len(bytes.TrimFunc(v[i+1:i+n], filled)) == 0 {
			return true
		}
	}
	return false
}

// filled reports what stands for a value in a template.
func filled(r rune) bool {
	return r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' || r >= 0x80 || r == ' ' || strings.ContainsRune("_.-:|$'\"[]/={(", r)
}

// madeUpExample reports what documentation marks as made up.
func madeUpExample(v []byte) bool {
	return bytes.IndexByte(v, 'X') >= 0 && bytes.Contains(v, []byte("EXAMPLE")) || foldPrefix(v, "example") && len(v) > 7 && !isDigit(v[7])
}

// fileName reports the name of a source file: secrets.py, pwd.h.
func fileName(name []byte) bool {
	i := bytes.LastIndexByte(name, '.')
	if i < 1 {
		return false
	}
	switch string(name[i+1:]) {
	case "py", "go", "js", "ts", "tsx", "jsx", "mjs", "rb", "java", "kt", "c", "h", "cc", "cpp", "hpp", "cs", "md", "rst", "txt", "yml", "yaml", "json", "html", "css", "sh", "rs", "php", "pl", "pm", "xml", "toml", "lock", "pem", "service", "conf", "sql", "swift", "scala", "proto":
		return true
	}
	return false
}

// padded reports base64 with its padding.
func padded(v []byte) bool {
	n := len(bytes.TrimRight(v, "="))
	for _, c := range v[:n] {
		if sextetTable[c] == notEncoded {
			return false
		}
	}
	return len(v)%4 == 0 && n >= 6 && len(v)-n <= 2
}

// basicPair reports base64 of user:password.
func basicPair(v []byte) bool {
	var plain [192]byte
	if len(v) < 12 || len(v) > 256 || len(v)%4 != 0 {
		return false
	}
	n, err := base64.StdEncoding.Decode(plain[:], v)
	if err != nil {
		return false
	}
	colon := bytes.IndexByte(plain[:n], ':')
	if colon < 1 || colon > n-4 {
		return false
	}
	for _, c := range plain[:n] {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// random reports letters and digits that change places, or follow one another, as in a token made by a machine.
func random(v []byte) bool {
	if field.Gibberish(v) {
		return true
	}
	changes, digits, last := 0, 0, byte(0)
	for _, c := range v {
		k := byte('l')
		switch {
		case isDigit(c):
			k = 'd'
			digits++
		case c >= 'A' && c <= 'Z':
			k = 'u'
		case !isLetter(c):
			continue
		}
		if k != last && last != 0 {
			changes++
		}
		last = k
	}
	return len(v) >= 16 && digits >= 2 && changes*4 >= len(v)
}
