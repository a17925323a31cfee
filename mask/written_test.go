package mask_test

import (
	"encoding/base64"
	"hash/fnv"
	"math/rand/v2"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"weir"
)

// The texts of testdata/written.txt are what programs, their configuration and their commands print; those of testdata/clean.txt hold no secret.
// Each begins with a line "## format". What stands between ‹ and › is secret, all else must stay. {a20} draws 20 characters of an
// alphabet, {password} and its like whole values, so that every run of a text has other ones.

var drawTable = map[string]string{
	"a": lowerCase + upperCase + decimals, "u": lowerCase + upperCase + decimals + "_-", "h": decimals + "abcdef", "H": decimals + "ABCDEF", "b": upperCase + "234567", "U": upperCase + decimals,
	"B": lowerCase + upperCase + decimals + "+/", "c": lowerCase + upperCase + decimals + "./", "d": decimals,
}

const (
	lowerCase = "abcdefghijklmnopqrstuvwxyz"
	upperCase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	decimals  = "0123456789"
)

func drawn(r *rand.Rand, letters string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

// chosen makes a password as people choose them, or as a machine does.
func chosen(r *rand.Rand) string {
	const signs = "!._-"
	words := []string{"Sommer", "winter", "Dragon", "coffee", "Tiger", "blue", "Monkey", "router", "Admin", "sunshine", "Kraken", "berlin"}
	word := func() string { return words[r.IntN(len(words))] }
	switch r.IntN(4) {
	case 0:
		return word() + strconv.Itoa(1900+r.IntN(150)) + drawn(r, signs, 1)
	case 1:
		return drawn(r, upperCase+lowerCase, 1) + drawn(r, lowerCase+upperCase+decimals+signs, 12) + drawn(r, decimals, 1)
	case 2:
		return word() + drawn(r, signs, 1) + word() + strconv.Itoa(10+r.IntN(90))
	}
	return drawn(r, lowerCase, 5) + drawn(r, decimals, 3) + drawn(r, lowerCase+upperCase, 6)
}

func bodyOfKey(r *rand.Rand, newline string) string {
	var b strings.Builder
	for range 12 {
		b.WriteString(drawn(r, drawTable["B"], 64) + newline)
	}
	return b.String() + drawn(r, drawTable["a"], 30) + "=="
}

// wholeTable makes the values that have a name.
var wholeTable = map[string]func(r *rand.Rand) string{
	"password":   chosen,
	"password64": func(r *rand.Rand) string { return encoded(chosen(r)) },
	"token64":    func(r *rand.Rand) string { return encoded(drawn(r, drawTable["a"], 32)) },
	"basic":      func(r *rand.Rand) string { return encoded("bob:" + chosen(r)) },
	"docker64": func(r *rand.Rand) string {
		return encoded(`{"auths":{"r.example":{"username":"ci","password":"` + drawn(r, drawTable["a"], 24) + `"}}}`)
	},
	"uuid": func(r *rand.Rand) string {
		h := drawn(r, drawTable["h"], 30)
		return h[:8] + "-" + h[8:12] + "-4" + h[12:15] + "-a" + h[15:18] + "-" + h[18:]
	},
	"sas": func(r *rand.Rand) string { return url.QueryEscape(drawn(r, drawTable["B"], 43) + "=") },
	"jwt": func(r *rand.Rand) string {
		return strings.TrimRight(encoded(`{"alg":"HS256","typ":"JWT"}`), "=") + "." + strings.TrimRight(encoded(`{"sub":"`+drawn(r, decimals, 10)+`"}`), "=") + "." + drawn(r, drawTable["u"], 42) + "x"
	},
	"pem": func(r *rand.Rand) string { return bodyOfKey(r, "\n") },
	"pem-json": func(r *rand.Rand) string {
		return "-----BEGIN PRIVATE" + ` KEY-----\n` + bodyOfKey(r, `\n`) + `\n-----END PRIVATE KEY-----`
	},
	"pem64": func(r *rand.Rand) string {
		return encoded("-----BEGIN PRIVATE" + " KEY-----\n" + bodyOfKey(r, "\n") + "\n-----END PRIVATE KEY-----\n")
	},
	"django": func(r *rand.Rand) string { return drawn(r, lowerCase+decimals+"!@#$%^&*(-_=+)", 50) },
	"salt": func(r *rand.Rand) string {
		return "x" + drawn(r, lowerCase+upperCase+decimals+"!@#%^&*()-_[]<>~+=,.;:/?|", 62) + "7"
	},
}

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

var draws = regexp.MustCompile(`\{([A-Za-z-]+)([0-9]*)\}`)

// filled is a text with its draws.
func filled(r *rand.Rand, text string) string {
	return draws.ReplaceAllStringFunc(text, func(draw string) string {
		if whole := wholeTable[strings.Trim(draw, "{}")]; whole != nil {
			return whole(r)
		}
		parts := draws.FindStringSubmatch(draw)
		n, err := strconv.Atoi(parts[2])
		if letters := drawTable[parts[1]]; err == nil && letters != "" {
			return drawn(r, letters, n)
		}
		return draw
	})
}

// writtenTexts calls each for every text of a file, five times with other draws.
func writtenTexts(t *testing.T, file string, each func(t *testing.T, shape weir.Shape, text string, r *rand.Rand)) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string]weir.Shape{}
	for _, p := range propertyFormats {
		shapes[p.name] = p.shape
	}
	for _, entry := range strings.Split("\n"+string(b), "\n## ")[1:] {
		format, text, _ := strings.Cut(entry, "\n")
		shape, ok := shapes[format]
		if !ok {
			t.Errorf("there is no format %q", format)
			continue
		}
		h := fnv.New64()
		_, _ = h.Write([]byte(entry)) // a new text does not change what the others draw
		for seed := range uint64(5) {
			r := rand.New(rand.NewPCG(seed, h.Sum64()))
			each(t, shape, filled(r, text+"\n"), r)
		}
	}
}

func TestWrittenTextsAreMaskedExactly(t *testing.T) {
	m := masker(t)
	mark := `(?:\[|%5B)masked(?::|%3A)[a-z0-9-]+(?::|%3A)[a-z2-7]{8}(?:\]|%5D)`
	writtenTexts(t, "written.txt", func(t *testing.T, shape weir.Shape, text string, r *rand.Rand) {
		var in, want strings.Builder
		for i, part := range strings.Split(text, "‹") {
			secret, rest, found := strings.Cut(part, "›")
			if found != (i > 0) {
				t.Fatalf("marks do not match in %q", text)
			}
			if !found {
				secret, rest = "", part
			} else {
				want.WriteString(mark)
			}
			in.WriteString(secret + rest)
			want.WriteString(regexp.QuoteMeta(rest))
		}
		out, err := pass(t, m, shape, in.String(), all(in.String()))
		if err != nil || !regexp.MustCompile("^"+want.String()+"$").MatchString(out) {
			t.Errorf("%v: %s\nbecame %s", err, text, out)
		}
		most := 1 + r.IntN(40)
		if cut, err := pass(t, m, shape, in.String(), func() int { return 1 + r.IntN(most) }); err != nil || cut != out {
			t.Errorf("in pieces of up to %d, %v: %s\nbecame %s", most, err, text, cut)
		}
	})
}

func TestCleanTextsStay(t *testing.T) {
	m := masker(t)
	writtenTexts(t, "clean.txt", func(t *testing.T, shape weir.Shape, text string, _ *rand.Rand) {
		if out, err := pass(t, m, shape, text, all(text)); err != nil || out != text {
			t.Errorf("%v: %s\nbecame %s", err, text, out)
		}
	})
}
