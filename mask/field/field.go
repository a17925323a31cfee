// Package field tells from the name of a value (a JSON key, a header, a column, an environment variable)
// whether the value is a secret. Names are split into words at case changes, punctuation and digits, and
// whole words or sequences of words are compared, never parts of words: primary_key, max_tokens
// and password_changed_at stay clear.
//
// A name is always judged the same, matching allocates nothing but for the first names it sees, and is safe for concurrent use.
package field

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Strength says how much a name proves about its value. The zero value proves nothing.
type Strength uint8

// Strengths.
const (
	None   Strength = iota // the name says nothing
	Weak                   // the value is a secret if it looks opaque
	Strong                 // the value is a secret unless it is a placeholder
)

const (
	maxName  = 128 // longer names are judged by their last bytes
	maxWords = 4   // the longest sequence in the tables
)

// Names is the list that is matched against. New makes one.
type Names struct {
	terms map[string]Strength // words joined by "_"
	stems []string
	extra map[string]bool
	first [kept]atomic.Pointer[verdict] // what was found out first, by a hash of the name
}

// verdict is what was found out about a name.
type verdict struct {
	name     string
	strength Strength
}

const (
	kept     = 256 // is a power of two
	keptName = 32  // is the longest name that is kept, in bytes
)

// place is where the verdict on a name is kept.
func (n *Names) place(name []byte) *atomic.Pointer[verdict] {
	h := uint32(len(name))
	for _, c := range name {
		h = (h ^ uint32(c)) * 0x01000193
	}
	return &n.first[(h^h>>16)%kept]
}

// Stems returns, for each extra name, its longest word, by which the name can be found in text. The caller must not
// change the slice.
func (n *Names) Stems() []string { return n.stems }

// New returns the built-in list with extra names, which are strong. A name without a letter is an error.
func New(extra []string) (*Names, error) {
	n := &Names{terms: make(map[string]Strength, 512), extra: map[string]bool{}}
	for _, list := range []struct {
		words    string
		strength Strength
	}{{strongNames, Strong}, {weakNames, Weak}, {clearNames, None}} {
		for name := range strings.SplitSeq(list.words, ",") {
			n.terms[strings.ReplaceAll(strings.TrimSpace(name), " ", "_")] = list.strength
		}
	}
	for _, name := range extra {
		var w words
		w.split([]byte(name))
		if w.n == 0 || w.n > maxWords {
			return nil, fmt.Errorf("field name %q has no words or more than %d", name, maxWords)
		}
		n.terms[string(w.tail(w.n))] = Strong
		n.extra[string(w.tail(w.n))] = true
		longest := ""
		for i := range w.n {
			if word := string(w.word(i)); len(word) > len(longest) {
				longest = word
			}
		}
		n.stems = append(n.stems, longest)
	}
	return n, nil
}

// Match judges a name. It does not keep it.
func (n *Names) Match(name []byte) Strength {
	if n == nil || len(name) < 2 {
		return None
	}
	if len(name) > keptName {
		return n.judge(name)
	}
	at := n.place(name)
	v := at.Load()
	if v != nil && v.name == string(name) {
		return v.strength
	}
	s := n.judge(name)
	if v == nil { // the first stay, so that names that hardly come again cost no memory
		at.CompareAndSwap(nil, &verdict{string(name), s})
	}
	return s
}

func (n *Names) judge(name []byte) Strength {
	var w words
	w.split(name)
	// The last words say what the value is: the longest sequence that ends the name decides.
	for k := min(w.n, maxWords); k > 0; k-- {
		if s, ok := n.terms[string(w.tail(k))]; ok {
			return s
		}
	}
	if w.n == 0 {
		return None
	}
	last := w.word(w.n - 1)
	if s := runTogether(last); s != None {
		return s
	}
	if w.n == 1 || neutral[string(last)] {
		return None
	}
	// password_prod, api_key_stripe: a strong word or pair further left, its qualifier behind it.
	for end := w.n - 1; end > 0; end-- {
		if neutral[string(w.word(end))] {
			return None
		}
		for k := min(end, 3); k > 0; k-- {
			if s, ok := n.terms[string(w.seq(end-k, end))]; ok {
				if s == Strong {
					return Strong
				}
				break
			}
		}
	}
	return None
}

// runTogether judges words written without a break: dbpassword, authtoken, mysecret.
func runTogether(w []byte) Strength {
	s := string(w)
	for _, end := range [...]string{"password", "passwd", "passphrase", "pwd", "secret", "apikey", "secretkey", "accesskey", "signingkey", "accountkey", "privatekey", "encryptionkey"} {
		if strings.HasSuffix(s, end) {
			return Strong
		}
	}
	if head, ok := strings.CutSuffix(s, "pass"); ok {
		switch head {
		case "user", "db", "admin", "root", "my", "smtp", "ftp", "mail", "ldap", "bind", "sql", "mysql", "pg", "wifi", "wlan", "vpn", "rpc", "proxy", "auth", "login", "http", "ssl", "cert", "imap", "redis", "mongo", "sudo", "ssh", "require":
			return Strong
		}
	}
	if head, ok := strings.CutSuffix(s, "token"); ok {
		switch head { // of pages, of forms
		case "page", "next", "nextpage", "prev", "sync", "continuation", "continue", "cancellation", "public", "request", "client", "change", "lock", "sequence", "marker", "scan", "parse", "last", "first", "start", "end":
			return None
		}
		return Strong
	}
	return None
}

// words is a name split into lower-case words joined by "_", on the stack.
type words struct {
	buf   [2 * maxName]byte
	start [66]uint16
	end   [66]uint16
	n     int
	len   int
}

func (w *words) word(i int) []byte       { return w.buf[w.start[i]:w.end[i]] }
func (w *words) tail(k int) []byte       { return w.buf[w.start[w.n-k]:w.end[w.n-1]] }
func (w *words) seq(from, to int) []byte { return w.buf[w.start[from]:w.end[to-1]] }

// split fills w. Digits separate words and are dropped.
func (w *words) split(name []byte) {
	if len(name) > maxName {
		name = name[len(name)-maxName:]
	}
	in := false
	for i, c := range name {
		upper, lower := c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z' || c >= 0x80
		if !upper && !lower {
			in = false
			continue
		}
		if upper && in {
			prevLower := name[i-1] >= 'a' && name[i-1] <= 'z'
			nextLower := i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z'
			// fooBar, HTTPServer; but not the s of an all-capitals plural such as KEYs.
			if prevLower || nextLower && (name[i+1] != 's' || i+2 != len(name)) {
				in = false
			}
		}
		if !in {
			if w.n == len(w.start) {
				return
			}
			if w.n > 0 {
				w.buf[w.len] = '_'
				w.len++
			}
			w.start[w.n] = uint16(w.len)
			w.n++
			in = true
		}
		if upper {
			c += 'a' - 'A'
		}
		w.buf[w.len] = c
		w.len++
		w.end[w.n-1] = uint16(w.len)
	}
}

// Extra reports one of the names that New was given, or one that ends in it.
func (n *Names) Extra(name []byte) bool {
	if n == nil || len(n.extra) == 0 {
		return false
	}
	var w words
	w.split(name)
	for k := min(w.n, maxWords); k > 0; k-- {
		if n.extra[string(w.tail(k))] {
			return true
		}
	}
	return false
}

// About reports a name that tells about the secret in whose object it stands: the description beside a password, when a token expires. Alone it says
// nothing. It does not keep the name.
func About(name []byte) bool {
	if len(name) < 3 || len(name) > maxName {
		return false
	}
	var w words
	w.split(name)
	return w.n > 0 && aboutTable[string(w.tail(1))] || w.n > 1 && (aboutTable[string(w.tail(2))] || aboutLastTable[string(w.tail(1))])
}

// Does reports a name that begins with what a program does: createSecret, ListAccessKeys, resetpassword. It does not keep the name.
func Does(name []byte) bool {
	var w words
	w.split(name)
	if w.n > 1 {
		return verbTable[string(w.word(0))]
	}
	for verb := range verbTable { // written without a break
		if w.n == 1 && len(verb) < len(w.word(0)) && string(w.word(0)[:len(verb)]) == verb {
			return true
		}
	}
	return false
}

var aboutTable, aboutLastTable, verbTable = tableOf(aboutNames), tableOf(aboutLast), tableOf(verbNames)

// tableOf is the names of a list, their words joined by "_".
func tableOf(list string) map[string]bool {
	t := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		t[strings.ReplaceAll(strings.TrimSpace(name), " ", "_")] = true
	}
	return t
}
