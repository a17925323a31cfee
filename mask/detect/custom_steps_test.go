package detect

import (
	"strings"
	"testing"

	"weir/mask/field"
)

// TestHostileCustomInputIsLinear counts the bytes that users' expressions read of text that is nothing but keywords.
func TestHostileCustomInputIsLinear(t *testing.T) {
	names, err := field.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Names: names, Custom: []Custom{
		{Name: "long", Regex: `acme_.*[0-9]`}, {Name: "before", Regex: `[a-z_]+corp_[0-9]`}, {Name: "bounded", Regex: `vend_[a-z_]{500}[0-9]`},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, unit := range map[string]string{"long": "acme_", "long, words": "acme_ ", "before": "corp_", "bounded": "vend_", "mixed": "acme_corp_vend_"} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1 << 14, 1 << 17} {
				b := []byte(strings.Repeat(unit, n/len(unit)))
				f := s.finder(b, 0, true)
				for i := 0; i+4 <= len(b); i++ {
					f.candidate(i)
				}
				if most := f.grant + maxCustomBehind + maxCustomBefore; f.spent > most {
					t.Errorf("%d bytes of %d were read, want at most %d", f.spent, len(b), most)
				}
				if found, _ := s.Find(nil, b, 0, true); name != "before" && len(found) == 0 {
					t.Error("nothing was masked")
				}
			}
		})
	}
}

// TestDerive tells which words stand in every match, and where.
func TestDerive(t *testing.T) {
	for name, c := range map[string]struct {
		regex string
		want  []keyword
	}{
		"a prefix":          {`acme_[a-z]+`, []keyword{{"acme_", 0}}},
		"the longest":       {`acme_[a-z]+_corporation`, []keyword{{"_corporation", -1}}},
		"a fixed place":     {`[a-z]{14}\.atlasv1\.x+`, []keyword{{".atlasv1.", 14}}},
		"groups":            {`(a(cme)_)(x)`, []keyword{{"cme", 1}}},
		"at least once":     {`(?:acme)+[0-9]`, []keyword{{"acme", 0}}},
		"perhaps":           {`(?:acme)?[0-9]{3}`, nil},
		"one of two":        {`(?:acme|corp)-[0-9]`, []keyword{{"acme", 0}, {"corp", 0}}},
		"one of two places": {`(?:x[0-9]+acme|acme_y)`, []keyword{{"acme", -1}, {"acme_y", 0}}},
		"one side short":    {`(?:acme|ab)`, nil},
		"no case":           {`(?i)ACME-[0-9]`, []keyword{{"acme-", 0}}},
		"no case, no ASCII": {`(?i)größe`, nil},
		"a boundary":        {`^\bacme\b`, []keyword{{"acme", 0}}},
		"any rune before":   {`.acme`, []keyword{{"acme", -1}}},
		"bad":               {`acme(`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := derive(c.regex)
			if len(got) != len(c.want) {
				t.Fatalf("%+v", got)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%+v, want %+v", got[i], c.want[i])
				}
			}
		})
	}
}
