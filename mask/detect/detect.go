// Package detect finds credentials in text by what they look like: the prefixes that issuers give their tokens,
// and values that stand beside a name that says they are secret (password=…, "api_key": "…", --token …, URLs
// with a password, private key blocks).
//
// A table of byte pairs lets almost all clean text pass at memory speed; hand-written readers judge the rest. It
// is pure, allocates nothing on a miss, does work linear in its input and is safe for concurrent use.
package detect

import (
	"errors"
	"fmt"
	"slices"

	"weir/mask/field"
)

// MaxHold is the longest value that is held back whole while its end is awaited, in bytes. A longer one is
// an open Finding of exactly this length, and what follows belongs to it as far as its Run says.
const MaxHold = 16 << 10

// Context is how many bytes before the place to search from are looked at, at most.
const Context = 1024

// Rule says what was found.
type Rule struct {
	Kind string // as it stands in a placeholder: [a-z0-9-]+
}

// Run says how an open Finding goes on behind the bytes that were looked at.
type Run uint8

// Runs.
const (
	Closed   Run = iota // the finding is complete
	RunToken            // to the next byte that is not part of a token
	RunQuote            // to the next Finding.Quote or line end
	RunLine             // to the end of the line
	RunKey              // to the end of a private key block
)

// Finding is one credential: b[Start:End] is exactly the secret. From is where what shows it to be one
// begins (its name): who does not take the finding yet must come back with all from there.
type Finding struct {
	From       int
	Start, End int
	Rule       *Rule
	Open       Run
	Quote      byte // of RunQuote
}

// Options configure a Set.
type Options struct {
	Disable []string     // kinds not to look for; an unknown kind is an error
	Names   *field.Names // required
	Custom  []Custom     // detectors of the user's own; see CheckCustom
}

type reader uint8

const (
	readFormat reader = iota
	readName
	readURL
	readKey
	readJWT
	readScheme
	readOption
	readPassLine
	readStar
	readLabel
	readStatement
	readIdentified
	readRedisUser
	readCall
	readSpoken
	readPutty
	readCustom
)

type literal struct {
	text     string
	fold     bool
	read     reader
	alphabet *[256]bool
	min, max int
	rule     *Rule
	at       int // where its window stands in it

	before               *[256]bool // what the token has in front of the text
	beforeMin, beforeMax int
	tail                 []segment // the runs behind the text, when there are several
	any                  bool      // one of them is of any byte
	inner                int       // where the secret begins in the token
	exact                bool      // no letter, digit or underscore may follow
	checks               []check   // all must hold
	proof                check     // what it holds for may stand inside a word
	custom               *custom   // of readCustom
}

// Set is what is looked for. It is immutable.
type Set struct {
	names    *field.Names
	literals []literal
	windows  windows
	sieve    sieve
	pairs    *pairs
	named    *Rule
	urlRule  *Rule
	pass     *Rule // of .pgpass
	option   *Rule // of passwords behind options
	bare     *[256]bool

	heads    [1 << 10]uint64     // bitmap of what literals begin with: two bytes
	prefixes map[string]struct{} // all that literals begin with, but for themselves; in lower case where case does not matter
	longest  int                 // literal, in bytes
	befores  []before
	wordRun  *[256]bool // what a word is made of where a run of tokens is masked whole
	joined   [256]bool  // what may stand between the beginning of a match of a user's own and its keyword
	customs  bool       // there are such
	behind   int        // how far before its window something may begin, in bytes
}

// before is what tokens have in front of their literals.
type before struct {
	alphabet *[256]bool
	max      int
}

// New builds a Set. It fails for an unknown kind in Disable, for missing names and for what CheckCustom reports.
func New(o Options) (*Set, error) {
	if o.Names == nil {
		return nil, errors.New("detect: names are required")
	}
	s := &Set{
		names: o.Names,
		named: &Rule{"field"}, urlRule: &Rule{"url-password"}, bare: alphabet('x'),
	}
	kinds, err := s.load()
	if err != nil {
		return nil, err
	}
	customs, problems := compileCustoms(o.Custom, kinds)
	if len(problems) > 0 {
		p := problems[0]
		return nil, fmt.Errorf("detect: custom detector %d: %s: %s", p.Index+1, p.Field, p.Text)
	}
	s.literals = append(s.literals, customs...)
	for i := range customs {
		kinds[customs[i].rule.Kind] = true
	}
	for _, d := range o.Disable {
		if !kinds[d] {
			return nil, fmt.Errorf("detect: there is no detector %q to disable", d)
		}
	}
	s.literals = slices.DeleteFunc(s.literals, func(l literal) bool { return slices.Contains(o.Disable, l.rule.Kind) })
	s.prefixes = make(map[string]struct{}, 4096)
	s.wordRun, s.joined, s.behind = alphabet('W'), *s.bare, maxNameSide
	s.build() // chooses the windows
	for i := range s.literals {
		l := &s.literals[i]
		s.begin(l)
		s.behind = max(s.behind, l.at+l.beforeMax)
		if l.read == readCustom {
			s.behind, s.customs = max(s.behind, l.at+maxCustomBefore), true
		}
		for k := range len(l.text) {
			s.joined[l.text[k]] = true
		}
	}
	for _, c := range joinTable {
		s.joined[c] = true
	}
	return s, nil
}

// joinTable is what stands between a name and its value, or before a name.
var joinTable = []byte(" \t\"'/:>${\\]+}~%*")

// load fills the list of literals and returns the kinds there are.
func (s *Set) load() (map[string]bool, error) {
	kinds := map[string]bool{}
	rules := map[string]*Rule{}
	add := func(kind string, l literal) {
		if rules[kind] == nil {
			rules[kind] = &Rule{kind}
		}
		kinds[kind] = true
		l.rule = rules[kind]
		s.literals = append(s.literals, l)
	}
	known, err := formats()
	if err != nil {
		return nil, err
	}
	for _, l := range known {
		add(l.rule.Kind, l)
	}
	for _, stem := range []string{
		"pass", "pwd", "secret", "token", "apikey", "api_key", "api-key", "authoriz", "auth_", "auth-", "auth\"", "authkey", "cred", "cookie", "session", "sessid",
		"_key", "-key", ".key", "accesskey", "secretkey", "privatekey", "signingkey", "encryptionkey", "accountkey", "conn", "dsn", "jwt", "masterauth", "signature", "sig=", "salt",
		"rediscli", "webhook", "hash", "psk", "sharedkey", "sonar.login",
	} {
		add("field", literal{text: stem, fold: true, read: readName})
	}
	for _, stem := range s.names.Stems() {
		if len(stem) > 2 { // a shorter one is found in structured formats only
			add("field", literal{text: stem, fold: true, read: readName})
		}
	}
	s.named = rules["field"]
	add("bearer-token", literal{text: "bearer ", fold: true, read: readScheme, alphabet: alphabet('B'), min: 16, max: 8192})
	add("basic-auth", literal{text: "basic ", fold: true, read: readScheme, alphabet: alphabet('B'), min: 12, max: 8192})
	add("url-password", literal{text: "://", read: readURL})
	for _, option := range []string{" -p", " -P", " -a ", " -w ", " -u", " --user "} {
		add("option-password", literal{text: option, read: readOption})
	}
	add("unseal-key", literal{text: "unseal key ", fold: true, read: readLabel, alphabet: alphabet('B'), min: 20, max: 100})
	for _, head := range []string{"insert into", "replace into", "create table"} {
		add("field", literal{text: head, fold: true, read: readStatement})
	}
	add("option-password", literal{text: "identified ", fold: true, read: readIdentified})
	for _, c := range callTable {
		add("option-password", literal{text: c.head, fold: true, read: readCall, min: c.argument, max: c.argument})
	}
	add("field", literal{text: " key ", fold: true, read: readSpoken})
	for _, head := range []string{" on >", " reset >"} {
		add("option-password", literal{text: head, read: readRedisUser})
	}
	add("field", literal{text: "COPY ", read: readStatement})
	for _, port := range []string{":5432:", ":6432:", ":*:"} {
		add("pgpass-password", literal{text: port, read: readPassLine})
	}
	add("mysql-hash", literal{text: "*", read: readStar, alphabet: alphabet('H'), min: 40, max: 40})
	s.pass, s.option = rules["pgpass-password"], rules["option-password"]
	add("private-key", literal{text: "-----BEGIN ", read: readKey})
	add("private-key", literal{text: "---- BEGIN SSH2 ENCRYPTED PRIVATE", read: readKey})
	add("putty-key", literal{text: "Private-Lines: ", read: readPutty, alphabet: alphabet('B')})
	for _, head := range []string{"eyJ", "eyAi", "ewog", "ewoi"} { // base64 of {" and of { with a blank or a line end behind it
		add("jwt", literal{text: head, read: readJWT, alphabet: alphabet('x')})
	}
	return kinds, nil
}

// alphabet returns the bytes of one of the alphabets of formats.go, or nil.
func alphabet(name byte) *[256]bool {
	ranges := map[byte]string{
		'a': "azAZ09", 'u': "azAZ09__--", 'w': "azAZ09__", 'x': "azAZ09__--..==", 'B': "azAZ09++//==__--", 'h': "09afAF", 'b': "AZ27", 'U': "AZ09", 'l': "az09", 'd': "09",
		'p': "azAZ09__--..//", 'c': "azAZ09..//$$", 'y': "azAZ09..//$$==,,::++",
		't': "azAZ09__--..~~", '%': "azAZ09__--%%", 'A': "azAZ09++//", 'H': "09AF", 'e': "azAZ09..//", '@': "azAZ09__--..//@@", '*': "\x00\xff", 'W': "!!#%((*+-:==?\\^|~\xff",
	}[name]
	if ranges == "" {
		return nil
	}
	t := new([256]bool)
	for i := 0; i < len(ranges); i += 2 {
		for c := int(ranges[i]); c <= int(ranges[i+1]); c++ {
			t[c] = true
		}
	}
	return t
}
