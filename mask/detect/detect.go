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
	"sync"

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
	Closed     Run = iota // the finding is complete
	RunToken              // to the next byte that is not part of a token
	RunQuote              // to the next Finding.Quote or line end
	RunElement            // to the next <
	RunLine               // to the end of the line
	RunKey                // to the end of a private key block
	RunEncoded            // to the end of a run of base64, over line ends where its lines are wide
)

// Finding is one credential: b[Start:End] is exactly the secret. From is where what shows it to be one
// begins (its name): who does not take the finding yet must come back with all from there.
type Finding struct {
	From       int
	Start, End int
	Rule       *Rule
	Open       Run
	// Quote, of RunQuote, is one quote, which a backslash escapes; some backslashes and a quote; or what spells a quote elsewhere, in
	// small letters: &quot;, %22.
	Quote string
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
	readEncoded
	readAfter
	readSlash
	readTyped
	readKeyMember
	readCommand
	readDSN
	readGrant
	readJunos
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

	heads    [1 << 10]uint64 // bitmap of what literals begin with: two bytes
	starts   starts
	prefixes map[string]struct{} // all that literals begin with, but for themselves; in lower case where case does not matter
	longest  int                 // literal, in bytes
	befores  []before
	wordRun  *[256]bool // what a word is made of where a run of tokens is masked whole
	joined   [256]bool  // what may stand between the beginning of a match of a user's own and its keyword
	customs  bool       // there are such
	encoded  bool       // secrets in base64 are looked for
	plain    sync.Pool  // of *[]byte: what runs of base64 hold
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
	s.literals = append(append(s.literals, s.encodings(s.named, customs)...), customs...)
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
		s.encoded = s.encoded || l.read == readEncoded
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
	for _, stem := range stemTable {
		add("field", literal{text: stem, fold: true, read: readName})
	}
	for _, stem := range s.names.Stems() {
		if len(stem) > 2 { // a shorter one is found in structured formats only
			add("field", literal{text: stem, fold: true, read: readName})
		}
	}
	for _, c := range callTable {
		add("option-password", literal{text: c.head, fold: true, read: readCall, min: c.argument, max: c.argument})
	}
	for _, p := range placeTable {
		add(p.kind, literal{text: p.text, fold: p.fold, read: p.read, alphabet: alphabet(p.alphabet), min: p.min, max: p.max})
	}
	for n, c := range commandTable {
		add("option-password", literal{text: c.text, read: readCommand, min: n})
	}
	for _, protocol := range [...]string{"@tcp(", "@tcp6(", "@unix("} {
		add("url-password", literal{text: protocol, read: readDSN, before: alphabet('D'), beforeMax: maxDSN})
	}
	s.named, s.pass, s.option = rules["field"], rules["pgpass-password"], rules["option-password"]
	return kinds, nil
}

// stemTable is what the names of secrets hold.
var stemTable = [...]string{
	"pass", "pwd", "secret", "token", "apikey", "api_key", "api-key", "authoriz", "auth_", "auth-", "auth\"", "authkey", "cred", "cookie", "session", "sessid",
	"_key", "-key", ".key", "accesskey", "secretkey", "privatekey", "signingkey", "encryptionkey", "accountkey", "conn", "dsn", "jwt", "masterauth", "signature", "sig=", "salt",
	"rediscli", "webhook", "hash", "psk", "sharedkey", "sonar.login", "bindpw", "rootpw", "securestring", "umoptions",
}

// placeTable is what stands in front of secrets that neither a name nor an issuer's prefix shows.
var placeTable = [...]struct {
	kind, text string
	fold       bool
	read       reader
	alphabet   byte
	min, max   int
}{
	{kind: "bearer-token", text: "bearer ", fold: true, read: readScheme, alphabet: 'B', min: 16, max: 8192},
	{kind: "basic-auth", text: "basic ", fold: true, read: readScheme, alphabet: 'B', min: 12, max: 8192},
	{kind: "url-password", text: "://", read: readURL},
	{kind: "option-password", text: " -p", read: readOption},
	{kind: "option-password", text: " -P", read: readOption},
	{kind: "option-password", text: " -a ", read: readOption},
	{kind: "option-password", text: " -w ", read: readOption},
	{kind: "option-password", text: " -u", read: readOption},
	{kind: "option-password", text: " --user ", read: readOption},
	{kind: "unseal-key", text: "unseal key ", fold: true, read: readLabel, alphabet: 'B', min: 20, max: 100},
	{kind: "unseal-key", text: "operator unseal ", read: readAfter, alphabet: 'B', min: 20, max: 100},
	{kind: "option-password", text: "server community ", read: readAfter, alphabet: 'N', min: 4, max: 64},
	{kind: "option-password", text: " insecure-password ", read: readAfter, alphabet: 'N', min: 3, max: 128},
	{kind: "option-password", text: "{PLAIN}", read: readAfter, alphabet: 'N', min: 3, max: 128},
	{kind: "option-password", text: "{CLEARTEXT}", read: readAfter, alphabet: 'N', min: 3, max: 128},
	{kind: "option-password", text: " password 7 ", read: readAfter, alphabet: 'H', min: 8, max: 128},
	{kind: "option-password", text: " key 7 ", read: readAfter, alphabet: 'H', min: 8, max: 128},
	{kind: "option-password", text: ":thin:", read: readSlash, alphabet: 'N'},
	{kind: "option-password", text: "sqlplus ", read: readSlash, alphabet: 'N'},
	{kind: "option-password", text: "> AUTH ", read: readTyped},
	{kind: "jwk-private", text: `"d":`, read: readKeyMember, alphabet: 'u', min: 32, max: 1400},
	{kind: "jwk-private", text: `"k":`, read: readKeyMember, alphabet: 'u', min: 32, max: 1400},
	{kind: "jwk-private", text: `"p":`, read: readKeyMember, alphabet: 'u', min: 32, max: 1400},
	{kind: "jwk-private", text: `"q":`, read: readKeyMember, alphabet: 'u', min: 32, max: 1400},
	{kind: "jwk-private", text: `"dp":`, read: readKeyMember, alphabet: 'u', min: 32, max: 1400},
	{kind: "jwk-private", text: `"dq":`, read: readKeyMember, alphabet: 'u', min: 32, max: 1400},
	{kind: "jwk-private", text: `"qi":`, read: readKeyMember, alphabet: 'u', min: 32, max: 1400},
	{kind: "field", text: "insert into", fold: true, read: readStatement},
	{kind: "field", text: "replace into", fold: true, read: readStatement},
	{kind: "field", text: "create table", fold: true, read: readStatement},
	{kind: "field", text: "COPY ", read: readStatement},
	{kind: "field", text: " key ", fold: true, read: readSpoken},
	{kind: "option-password", text: "identified ", fold: true, read: readIdentified},
	{kind: "option-password", text: " on >", read: readRedisUser},
	{kind: "option-password", text: " reset >", read: readRedisUser},
	{kind: "pgpass-password", text: ":5432:", read: readPassLine},
	{kind: "pgpass-password", text: ":6432:", read: readPassLine},
	{kind: "pgpass-password", text: ":*:", read: readPassLine},
	{kind: "mysql-hash", text: "*", read: readStar, alphabet: 'H', min: 40, max: 40},
	{kind: "private-key", text: "-----BEGIN ", read: readKey},
	{kind: "private-key", text: "---- BEGIN SSH2 ENCRYPTED PRIVATE", read: readKey},
	{kind: "putty-key", text: "Private-Lines: ", read: readPutty, alphabet: 'B'},
	{kind: "jwt", text: "eyJ", read: readJWT, alphabet: 'x'},  // base64 of {"
	{kind: "jwt", text: "eyAi", read: readJWT, alphabet: 'x'}, // and of { with a blank or a line end behind it
	{kind: "jwt", text: "ewog", read: readJWT, alphabet: 'x'},
	{kind: "jwt", text: "ewoi", read: readJWT, alphabet: 'x'},
	{kind: "oauth-code", text: "?code=", read: readGrant, alphabet: 'q', min: 16, max: 2048},
	{kind: "oauth-code", text: "&code=", read: readGrant, alphabet: 'q', min: 16, max: 2048},
	{kind: "option-password", text: `"$9$`, read: readJunos, alphabet: 'p', min: 4, max: 512},
}

// alphabet returns the bytes of one of the alphabets of formats.go, or nil.
func alphabet(name byte) *[256]bool {
	ranges := map[byte]string{
		'a': "azAZ09", 'u': "azAZ09__--", 'w': "azAZ09__", 'x': "azAZ09__--..==", 'B': "azAZ09++//==__--", 'E': "azAZ09++//__--", 'h': "09afAF", 'b': "AZ27", 'U': "AZ09", 'l': "az09", 'd': "09",
		'p': "azAZ09__--..//", 'c': "azAZ09..//$$", 'y': "azAZ09..//$$==,,::++",
		't': "azAZ09__--..~~", '%': "azAZ09__--%%", 'A': "azAZ09++//", 'H': "09AF", 'e': "azAZ09..//", '@': "azAZ09__--..//@@", '*': "\x00\xff", 'W': "!!#%((*+-:==?\\^|~\xff",
		'N': "!!#&(9;~", 'g': "azAZ09!!#%**++^_{{~~@@", 'D': "!!#&(~", 'q': "azAZ09__--..~~%%//++",
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
