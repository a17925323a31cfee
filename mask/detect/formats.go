package detect

import (
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The issuers' formats, one file for each family. A line gives the kind, the prefix, the alphabet and the least and
// the greatest length of what follows the prefix, and the checks, if any:
//
//	mixed        letters and digits alternate as they do in random text
//	exact        nothing longer than the greatest length is one
//	uuid         what follows is a UUID
//	before=a14   the token begins 14 letters or digits (or before=d8-10: 8 to 10 digits) in front of the prefix
//
// Alphabets: a letters and digits, u a plus _ -, w a plus _, x u plus . =, y crypt plus = , : +, B base64, h hex, b A-Z 2-7, U A-Z and digits,
// l a-z 0-9, d digits, p URL path characters, c crypt ($ . / and a), t x without = and with ~, % URL-encoded.
//
//go:embed formats/*.tsv
var formatFiles embed.FS

// formats reads all formats.
func formats() ([]literal, error) {
	files, err := formatFiles.ReadDir("formats")
	if err != nil {
		return nil, err
	}
	var all []literal
	rules := map[string]*Rule{}
	for _, file := range files {
		text, err := formatFiles.ReadFile("formats/" + file.Name())
		if err != nil {
			return nil, err
		}
		for n, line := range strings.Split(string(text), "\n") {
			if line == "" || line[0] == '#' {
				continue
			}
			l, err := format(strings.Split(line, "\t"), rules)
			if err != nil {
				return nil, fmt.Errorf("detect: formats/%s line %d: %w", file.Name(), n+1, err)
			}
			all = append(all, l)
		}
	}
	return all, nil
}

func format(f []string, rules map[string]*Rule) (literal, error) {
	if len(f) < 5 || len(f) > 6 || len(f[1]) < 3 || alphabet(f[2][0]) == nil {
		return literal{}, errors.New("want kind, prefix of three bytes or more, alphabet, min, max and perhaps checks, with tabs between")
	}
	if rules[f[0]] == nil {
		rules[f[0]] = &Rule{f[0]}
	}
	l := literal{text: f[1], read: readFormat, alphabet: alphabet(f[2][0]), rule: rules[f[0]]}
	var err1, err2 error
	l.min, err1 = strconv.Atoi(f[3])
	l.max, err2 = strconv.Atoi(f[4])
	if err := errors.Join(err1, err2); err != nil || l.min > l.max {
		return literal{}, errors.Join(err, errors.New("bad lengths"))
	}
	if len(f) == 5 {
		return l, nil
	}
	for check := range strings.SplitSeq(f[5], ",") {
		before, is := strings.CutPrefix(check, "before=")
		switch {
		case is && len(before) > 1 && alphabet(before[0]) != nil:
			lo, hi, span := strings.Cut(before[1:], "-")
			if !span {
				hi = lo
			}
			l.before = alphabet(before[0])
			l.beforeMin, err1 = strconv.Atoi(lo)
			l.beforeMax, err2 = strconv.Atoi(hi)
			if err := errors.Join(err1, err2); err != nil {
				return literal{}, err
			}
		case check == "mixed":
			l.mixed = true
		case check == "exact":
			l.exact = true
		case check == "uuid":
			l.uuid = true
		default:
			return literal{}, fmt.Errorf("there is no check %q", check)
		}
	}
	return l, nil
}

// reach returns where the token of a literal that stands at start begins, or -1.
func (l *literal) reach(b []byte, start int) int {
	i := start
	for start-i < l.beforeMax && i > 0 && l.before[b[i-1]] {
		i--
	}
	if start-i < l.beforeMin || i > 0 && isWord(b[i-1]) {
		return -1
	}
	return i
}

// passes runs the checks of a literal on its value.
func (l *literal) passes(v []byte) bool {
	if l.exact && len(v) > l.max || l.uuid && !isUUID(v) {
		return false
	}
	return !l.mixed || alternates(v)
}

func isUUID(v []byte) bool {
	if len(v) != 36 {
		return false
	}
	for i, c := range v {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') || !dash && strings.IndexByte(hexDigits, c) < 0 {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789abcdefABCDEF"

// alternates reports that digits and letters change at least three times, as they hardly ever do in a name.
func alternates(v []byte) bool {
	changes, last := 0, byte(0)
	for _, c := range v {
		var kind byte
		switch {
		case c >= '0' && c <= '9':
			kind = 'd'
		case isWord(c) && c != '_':
			kind = 'a'
		default:
			continue
		}
		if last != 0 && kind != last {
			changes++
		}
		last = kind
	}
	return changes >= 3
}
