package reference

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"regexp/syntax"
	"strings"
	"testing"
)

// expressions returns the source of each rule's expression, by its kind.
func expressions(t testing.TB) map[string]*syntax.Regexp {
	t.Helper()
	all := map[string]*syntax.Regexp{}
	for _, r := range detector(t).rules {
		re, err := syntax.Parse(r.re.String(), syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if all[r.kind] != nil {
			t.Errorf("two rules are called %s", r.kind)
		}
		all[r.kind] = re
	}
	return all
}

func detector(t testing.TB) *Detector {
	t.Helper()
	d, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// generate appends a text that the expression matches, and returns where its group stands.
func generate(r *rand.Rand, re *syntax.Regexp) (text string, start, end int) {
	var b strings.Builder
	start = -1
	var walk func(re *syntax.Regexp)
	walk = func(re *syntax.Regexp) {
		switch re.Op {
		case syntax.OpLiteral:
			for _, c := range re.Rune {
				b.WriteRune(c)
			}
		case syntax.OpCharClass:
			b.WriteByte(class(r, re.Rune))
		case syntax.OpCapture:
			start = b.Len()
			walk(re.Sub[0])
			end = b.Len()
		case syntax.OpAlternate:
			walk(re.Sub[r.IntN(len(re.Sub))])
		case syntax.OpConcat:
			for _, sub := range re.Sub {
				walk(sub)
			}
		case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
			lo, hi := re.Min, re.Max
			switch re.Op {
			case syntax.OpStar:
				lo, hi = 0, 4
			case syntax.OpPlus:
				lo, hi = 1, 4
			case syntax.OpQuest:
				lo, hi = 0, 1
			}
			for range lo + r.IntN(max(hi, lo)-lo+1) {
				walk(re.Sub[0])
			}
		case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
			b.WriteByte(class(r, []rune{'!', '~'}))
		}
	}
	walk(re)
	if start < 0 {
		start, end = 0, b.Len()
	}
	return b.String(), start, end
}

// class chooses a printable byte of a class.
func class(r *rand.Rand, ranges []rune) byte {
	var all []byte
	for c := '!'; c <= '~'; c++ {
		for i := 0; i < len(ranges); i += 2 {
			if c >= ranges[i] && c <= ranges[i+1] {
				all = append(all, byte(c))
			}
		}
	}
	if len(all) == 0 {
		return byte(ranges[0])
	}
	return all[r.IntN(len(all))]
}

// token makes a token of the kind that the detector finds whole, or fails.
func token(t testing.TB, d *Detector, r *rand.Rand, kind string, re *syntax.Regexp) (text, secret string) {
	t.Helper()
	for range 200 {
		text, start, end := generate(r, re)
		if f := d.Find([]byte(text)); len(f) == 1 && f[0].Start <= start && f[0].End >= end {
			return text, text[start:end]
		}
	}
	text, _, _ = generate(r, re)
	t.Errorf("%s: no example is found, such as %q: %v", kind, text, d.Find([]byte(text)))
	return "", ""
}

// tokenKinds returns the rules of tokens, in their order.
func tokenKinds(t testing.TB) []string {
	var kinds []string
	for _, r := range detector(t).rules {
		if r.edged {
			kinds = append(kinds, r.kind)
		}
	}
	return kinds
}

const (
	lower = "abcdefghijklmnopqrstuvwxyz"
	upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

func pick(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// values makes secrets of the sorts that stand beside names.
var values = map[string]func(r *rand.Rand) string{
	"person": func(r *rand.Rand) string {
		return strings.ToUpper(pick(r, lower, 1)) + pick(r, lower, 5) + pick(r, "#!_*", 1) + pick(r, digits, 4)
	},
	"random": func(r *rand.Rand) string {
		return pick(r, lower+upper+digits, 8) + pick(r, digits, 1) + pick(r, lower, 2) + pick(r, digits, 2) + pick(r, upper, 7)
	},
	"symbols": func(r *rand.Rand) string {
		return pick(r, lower, 2) + pick(r, digits, 3) + pick(r, lower+upper+digits+"!^*_.-+~?", 14) + "z"
	},
	"hex": func(r *rand.Rand) string { return pick(r, "0123456789abcdef", 32) },
	"base64": func(r *rand.Rand) string {
		return base64.StdEncoding.EncodeToString([]byte(pick(r, lower+digits+"\x80\xff\x01", 32)))
	},
	"url-safe": func(r *rand.Rand) string { return pick(r, lower+upper+digits+"-_", 32) + "a7b3c9Q" },
	"short": func(r *rand.Rand) string {
		return pick(r, "abc", 1) + pick(r, "def", 1) + pick(r, digits, 2) + pick(r, "ghi", 1) + pick(r, "jkl", 1) + "p"
	},
}

// armour makes a private key block of its lines.
func armour(r *rand.Rand, label, newline string, lines int) string {
	var b strings.Builder
	b.WriteString("-----BEGIN " + label + "-----" + newline)
	for range lines {
		b.WriteString(pick(r, lower+upper+digits+"+/", 64) + newline)
	}
	b.WriteString(pick(r, lower+upper+digits+"+/", 30) + "==" + newline + "-----END " + label + "-----")
	return b.String()
}

// webToken makes a JWT.
func webToken(r *rand.Rand) string {
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + enc.EncodeToString(fmt.Appendf(nil, `{"sub":"%s","iat":%d}`, pick(r, digits, 8), 1700000000+r.IntN(1e6))) + "." + pick(r, lower+upper+digits+"-_", 42) + "A"
}
