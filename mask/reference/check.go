package reference

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
)

// check judges a value. before is what the rule matched in front of it, body the value without what all of its kind
// begin with.
type check func(before, value, body []byte) bool

// checkTable is the checks by the names they have in the tables.
var checkTable = map[string]check{
	"digit":    func(_, _, body []byte) bool { return bytes.ContainsAny(body, digits) },
	"mixed":    func(_, _, body []byte) bool { return changes(body) >= 3 },
	"wild":     func(_, _, body []byte) bool { return wild(body) },
	"human":    func(_, value, _ []byte) bool { return human(value) },
	"password": func(_, value, _ []byte) bool { return urlPassword(value) },
	"opaque":   func(_, value, _ []byte) bool { return opaque(value) },
	"name":     func(before, _, _ []byte) bool { return !clearName(before) },
	"basic":    func(_, value, _ []byte) bool { return basic(value) },
	"jwt":      func(_, value, _ []byte) bool { return jwt(value) },
	"block":    func(_, value, _ []byte) bool { return block(value) },
}

const digits = "0123456789"

// changes counts how often digits and letters take turns. Words hardly do, random text does all the time.
func changes(v []byte) int {
	n, last := 0, byte(0)
	for _, c := range v {
		kind := byte('a')
		switch {
		case c >= '0' && c <= '9':
			kind = 'd'
		case c|0x20 < 'a' || c|0x20 > 'z':
			continue
		}
		if last != 0 && last != kind {
			n++
		}
		last = kind
	}
	return n
}

// wild reports small and capital letters and digits all mixed.
func wild(v []byte) bool {
	return changes(v) >= 4 && bytes.ContainsAny(v, "abcdefghijklmnopqrstuvwxyz") && bytes.ContainsAny(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

// monotone reports a token that nobody issued: few different characters, or the alphabet in its order.
func monotone(v []byte) bool {
	if len(v) < 8 {
		return false
	}
	runs := 0
	for i := 1; i < len(v); i++ {
		if d := int(v[i]) - int(v[i-1]); d == 1 || d == 0 {
			runs++
		}
	}
	return distinct(v) < min(8, len(v)*2/3) || runs*2 > len(v)
}

func distinct(v []byte) int {
	var seen [256]bool
	n := 0
	for _, c := range v {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// human reports what may be a password that a person or a program chose, and is not a word, a label or code.
func human(v []byte) bool {
	if len(v) < 6 || distinct(v) < 5 || bytes.ContainsFunc(v, blankOrControl) || codeTable.Match(v) {
		return false
	}
	letters := bytes.ContainsFunc(v, func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' })
	return letters && bytes.ContainsAny(v, digits+"!#$%^&*+=?@~")
}

func blankOrControl(r rune) bool { return r <= ' ' || r == 0x7f }

// codeTable knows expressions, references, addresses and paths.
var codeTable = regexp.MustCompile(`[({][^)}]*[)}]|\(|->|::|://|^[/.$&@%<\[{|!~]|^\\|^[A-Za-z]:\\|^[A-Za-z_]+(?:\.[A-Za-z_]+)+[0-9]?[;,]?$|^[A-Za-z]+(?:[_.-][A-Za-z]+)*[0-9]?[;,)\]}]*$|\[[0-9A-Za-z_]*\]|%[sdvq]|==|&&|\|\||\.(?:com|org|net|json|ya?ml|txt|go|py|js|pem|key|conf|md)$|\+$|^\+`)

// urlPassword is human without the need of a digit in long ones.
func urlPassword(v []byte) bool {
	if bytes.ContainsAny(v, "(){}[]$<>,|") || distinct(v) < 4 {
		return false
	}
	return bytes.ContainsAny(v, digits) && !onlyDigits(v)
}

func onlyDigits(v []byte) bool { return len(bytes.Trim(v, digits)) == 0 }

// opaque reports a value made by a machine.
func opaque(v []byte) bool {
	return len(v) >= 12 && changes(v) >= 3 && distinct(v) >= 8 && !monotone(v) && !bytes.ContainsFunc(v, blankOrControl) && !bytes.ContainsAny(v, "(){}[]<>$|*,;\\") && !addressTable.Match(v)
}

// addressTable knows addresses, paths, dates and names of resources.
var addressTable = regexp.MustCompile(`://|^[./]|^\d{4}-\d\d-\d\d|^\d+(?:\.\d+)+|^arn:|^[a-z]+:[a-z]+:|^sha(?:1|256|512)[:-]|^[A-Za-z_]+(?:[._-][A-Za-z_]+)+\d*$|\.(?:com|org|net|io|json|ya?ml|txt|go|py|js|pem|key|conf|md)$`)

// clearName reports a name that only looks like that of a secret. before ends with the operator.
func clearName(before []byte) bool { return clearTable.Match(before) }

var clearTable = regexp.MustCompile(`(?i)max|min_|has_|\bis_|page|next|continu|csrf|xsrf|public|example|placeholder|sample|fake|dummy|hint|label|invalid|message|error|sync|cancel|idempot|partition|foreign|primary|cache|resume|cursor|device|push|lexer|parse|hash|digest|_id\b|tokenizer`)

// basic reports credentials of HTTP basic authentication: user, colon, password.
func basic(v []byte) bool {
	plain, err := base64.RawStdEncoding.DecodeString(string(bytes.TrimRight(v, "=")))
	if err != nil {
		return false
	}
	_, password, ok := bytes.Cut(plain, []byte(":"))
	printable := !bytes.ContainsFunc(plain, func(r rune) bool { return r < ' ' || r == 0xfffd })
	return ok && printable && len(password) >= 4 && !placeholder(password)
}

// jwt reports a token whose header is a JSON object with an algorithm.
func jwt(v []byte) bool {
	head, _, _ := bytes.Cut(v, []byte("."))
	plain, err := base64.RawURLEncoding.DecodeString(string(head))
	if err != nil || bytes.Contains(v, []byte("SflKxwRJSMeKKF2Q")) {
		return false // the last is the one of the manuals
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	return json.Unmarshal(plain, &header) == nil && header.Algorithm != ""
}

// block reports key material: many lines of different bytes.
func block(v []byte) bool {
	return distinct(v) >= 24 && !bytes.Contains(v, []byte("...")) && !bytes.Contains(v, []byte("…"))
}
