package detect_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"weir/mask/detect"
	"weir/mask/field"
)

func customSet(t testing.TB, list ...detect.Custom) *detect.Set {
	t.Helper()
	n, err := field.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := detect.New(detect.Options{Names: n, Custom: list})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func problems(t testing.TB, list ...detect.Custom) []detect.CustomProblem {
	t.Helper()
	p, err := detect.CheckCustom(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCustomFinds(t *testing.T) {
	hex32 := made("", hexa, 32)
	for name, c := range map[string]struct {
		custom detect.Custom
		text   string
		want   []string
	}{
		"a token":                {detect.Custom{Regex: `acme_[a-z0-9]{8}`}, "x acme_abcd1234 y", []string{"acme_abcd1234"}},
		"at the start":           {detect.Custom{Regex: `acme_[a-z0-9]{8}`}, "acme_abcd1234", []string{"acme_abcd1234"}},
		"two":                    {detect.Custom{Regex: `acme_[a-z0-9]{4}`}, "acme_ab12,acme_cd34", []string{"acme_ab12", "acme_cd34"}},
		"too short":              {detect.Custom{Regex: `acme_[a-z0-9]{8}`}, "x acme_abcd y", nil},
		"only the group":         {detect.Custom{Regex: `acme key is (\w+)`}, "the acme key is hidden1 now", []string{"hidden1"}},
		"a group that is not":    {detect.Custom{Regex: `acme:(?:[0-9]+|([a-z]+))`}, "acme:123 acme:abc", []string{"abc"}},
		"no case":                {detect.Custom{Regex: `(?i)acme_[a-z]{4}`}, "ACME_WXYZ AcMe_wxyz", []string{"ACME_WXYZ", "AcMe_wxyz"}},
		"case":                   {detect.Custom{Regex: `acme_[a-z]{4}`}, "ACME_wxyz", nil},
		"begins before":          {detect.Custom{Regex: `[a-z0-9]{6}\.acme\.[a-z0-9]{6}`}, "is abc123.acme.def456 ok", []string{"abc123.acme.def456"}},
		"begins anywhere before": {detect.Custom{Regex: `[a-z0-9]+\.acme\.[a-z0-9]{6}`}, "is abc123.acme.def456 ok", []string{"abc123.acme.def456"}},
		"not in another word":    {detect.Custom{Regex: `[a-z ]+acme\.[a-z0-9]{6}`}, "is abc acme.def456", []string{"acme.def456"}[:0]},
		"a word boundary":        {detect.Custom{Regex: `\bacme[0-9]{4}\b`}, "xacme1234 acme12345 acme1234", []string{"acme1234"}},
		"a line":                 {detect.Custom{Regex: `^acme [0-9]{4}$`}, "acme 1234\nx acme 1234\nacme 12345\r\nacme 5678\r\nacme 9999", []string{"acme 1234", "acme 5678", "acme 9999"}},
		"not over a line":        {detect.Custom{Regex: `acme\s[0-9]{4}`}, "acme\n1234 acme 1234", []string{"acme 1234"}},
		"one of two words":       {detect.Custom{Regex: `(?:acme|corp)-[0-9]{4}`}, "acme-1234 corp-5678 other-1234", []string{"acme-1234", "corp-5678"}},
		"keywords":               {detect.Custom{Regex: `[a-z]{2}[0-9]{6}`, Keywords: []string{"zz1", "QQ1"}}, "zz123456 qq123456 ab123456", []string{"zz123456", "qq123456"}},
		"allowed":                {detect.Custom{Regex: `acme_[a-z0-9]{8}`, Allow: []string{"acme_0000.*"}}, "acme_00001234 acme_10001234", []string{"acme_10001234"}},
		"allowed is all of it":   {detect.Custom{Regex: `acme_[a-z0-9]{8}`, Allow: []string{"0000"}}, "acme_00001234", []string{"acme_00001234"}},
		"a check":                {detect.Custom{Regex: `acme_([a-f0-9]{32})`, Check: "entropy"}, "acme_" + strings.Repeat("0", 32) + " acme_" + hex32, []string{hex32}},
		"a check with a bound":   {detect.Custom{Regex: `acme_([a-f0-9]{32})`, Check: "entropy=3.9"}, "acme_" + hex32[:16] + hex32[:16], nil},
		"luhn":                   {detect.Custom{Regex: `card ([0-9 ]{16,19})`, Check: "luhn"}, "card 4111 1111 1111 1112\ncard 4111 1111 1111 1111", []string{"4111 1111 1111 1111"}},
		"UTF-8":                  {detect.Custom{Regex: `schlüssel-(\p{L}{5})`}, "ein schlüssel-äöüßx hier", []string{"äöüßx"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.custom.Name = "acme-token"
			s := customSet(t, c.custom)
			var got []string
			fs, _ := s.Find(nil, []byte(c.text), 0, true)
			for _, f := range fs {
				if f.Rule.Kind == "acme-token" {
					got = append(got, c.text[f.Start:f.End])
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestCustomProblems(t *testing.T) {
	good := detect.Custom{Name: "acme", Regex: `acme_[a-z]{4}`}
	with := func(change func(*detect.Custom)) detect.Custom {
		c := good
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		custom detect.Custom
		field  string
		want   string
	}{
		"no name":          {with(func(c *detect.Custom) { c.Name = "" }), "name", "small letters"},
		"a bad name":       {with(func(c *detect.Custom) { c.Name = "Acme_1" }), "name", "small letters"},
		"a built-in name":  {with(func(c *detect.Custom) { c.Name = "field" }), "name", "built-in"},
		"no regex":         {with(func(c *detect.Custom) { c.Regex = "" }), "regex", "needs a regular expression"},
		"a bad regex":      {with(func(c *detect.Custom) { c.Regex = "CANARY(" }), "regex", "missing closing )"},
		"a huge regex":     {with(func(c *detect.Custom) { c.Regex = "acme(a{50}){50}{20}" }), "regex", "not a regular expression"},
		"a large regex":    {with(func(c *detect.Custom) { c.Regex = "acme[a-c]{900}[a-d]{900}[a-e]{900}[a-f]{900}" }), "regex", "too large"},
		"matches nothing":  {with(func(c *detect.Custom) { c.Regex = "(?:acme)?" }), "regex", "matches nothing"},
		"no keyword":       {with(func(c *detect.Custom) { c.Regex = "[a-z]{32}" }), "keywords", "give keywords"},
		"one side without": {with(func(c *detect.Custom) { c.Regex = "acme_[a-z]|[0-9]{4}" }), "keywords", "give keywords"},
		"a short keyword":  {with(func(c *detect.Custom) { c.Keywords = []string{"ac"} }), "keywords", "3 to 64 bytes"},
		"a check":          {with(func(c *detect.Custom) { c.Check = "magic" }), "check", "crc32-base62"},
		"an allow":         {with(func(c *detect.Custom) { c.Allow = []string{"CANARY["} }), "allow", "missing closing ]"},
	} {
		t.Run(name, func(t *testing.T) {
			p := problems(t, good, c.custom)
			p = slices.DeleteFunc(p, func(p detect.CustomProblem) bool { return strings.HasPrefix(p.Text, "detector 1") })
			if len(p) != 1 || p[0].Index != 1 || p[0].Field != c.field || !strings.Contains(p[0].Text, c.want) || strings.Contains(p[0].Text, "CANARY") {
				t.Errorf("%+v", p)
			}
		})
	}
	if p := problems(t, good, good); len(p) != 1 || p[0].Field != "name" || !strings.Contains(p[0].Text, "detector 1") {
		t.Errorf("%+v", p)
	}
	n, err := field.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := detect.New(detect.Options{Names: n, Custom: []detect.Custom{good, good}}); err == nil {
		t.Error("a bad list was accepted")
	}
	if _, err := detect.New(detect.Options{Names: n, Custom: []detect.Custom{good}, Disable: []string{"acme"}}); err != nil {
		t.Error(err)
	}
}

// TestCustomAnySplitFindsTheSame cuts text with matches of users' detectors at every place and at random.
func TestCustomAnySplitFindsTheSame(t *testing.T) {
	s := customSet(t,
		detect.Custom{Name: "fixed", Regex: `acme_[a-z0-9]{12}`}, detect.Custom{Name: "open", Regex: `corp\((.+?)\)`, Keywords: []string{"corp("}},
		detect.Custom{Name: "before", Regex: `\b[a-z0-9]{3,40}\.vend\.[a-z0-9]+`}, detect.Custom{Name: "line", Regex: `^key9 .*$`},
		detect.Custom{Name: "wide", Regex: `paß\|[äöü]{4}`}, detect.Custom{Name: "close", Regex: `qa#[0-9]+`},
	)
	r := rand.New(rand.NewPCG(3, 3))
	words := []string{"acme_abcd1234wxyz", "acme_", "corp(x, y)", "corp(", "abc12.vend.zz9", ".vend.", "xx.vend.", "\nkey9 all of it, to the end\n", " key9 no\n", "paß|äöüä", "paß|äö", "qa#77", "qa#",
		" ", ", ", "\n", "ghp_" + made("", alnum, 36), "DB_PASSWORD=hunter2\n", made("", alnum, 300), "{\"a\": 1}", "acme_acme_acme_acme_aaaaaaaaaaaa"}
	for round := range 4 {
		var b strings.Builder
		for range 25 {
			b.WriteString(words[r.IntN(len(words))])
			if r.IntN(2) == 0 {
				b.WriteByte(' ')
			}
		}
		text := b.String()
		want := stream(s, text, func() int { return len(text) })
		if round == 0 && !strings.Contains(want, "<fixed>") {
			t.Fatal(want)
		}
		for i := 1; i < len(text); i++ {
			first := true
			if got := stream(s, text, func() int {
				if first {
					first = false
					return i
				}
				return len(text)
			}); got != want {
				t.Fatalf("cut at %d (%q):\n%s\nwant\n%s", i, text[max(0, i-20):i], got, want)
			}
		}
		for range 20 {
			if got := stream(s, text, func() int { return 1 + r.IntN(40) }); got != want {
				t.Fatalf("random cuts:\n%s\nwant\n%s", got, want)
			}
		}
	}
}

// TestManyCustoms finds the tokens of as many detectors as there may be.
func TestManyCustoms(t *testing.T) {
	var list []detect.Custom
	var text strings.Builder
	for i := range 200 {
		list = append(list, detect.Custom{Name: fmt.Sprintf("acme-%d", i), Regex: fmt.Sprintf(`acme%03d_[a-z]{8}`, i)})
		fmt.Fprintf(&text, "acme%03d_abcdefgh ", i)
	}
	fs, _ := customSet(t, list...).Find(nil, []byte(text.String()), 0, true)
	if len(fs) != 200 {
		t.Errorf("%d findings", len(fs))
	}
	if p := problems(t, append(list, list[0])...); len(p) != 1 {
		t.Errorf("%+v", p)
	}
}
