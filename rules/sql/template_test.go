package sql

import (
	"strings"
	"testing"
)

func TestTemplate(t *testing.T) {
	for _, tt := range []struct {
		name, text, other string
		like              bool
	}{
		{"the same", "select a from t", "select a from t", true},
		{"another number", "select a from t where id = 1;", "select a from t where id = 4711;", true},
		{"several", "select 1, 22 from t where id in (3,4) limit 5", "select 9, 1 from t where id in (88,77) limit 6", true},
		{"a leading zero", "select 10 ", "select 00 ", true},
		{"in a name", "select a1 from t", "select a2 from t", false},
		{"in a quoted name", `select "a 1 " from t`, `select "a 2 " from t`, false},
		{"in a string", "select ' 1 '", "select ' 2 '", false},
		{"a parameter", "select $1 , a", "select $2 , a", false},
		{"a dollar tag", "select $a1$ 1 $a1$", "select $a2$ 1 $a2$", false},
		{"hexadecimal", "select 10xF", "select 0xF", false},
		{"a word behind", "select 1a", "select 2a", false},
		{"an exponent", "select 1e5", "select 2e5", false},
		{"a fraction", "select 1.5", "select 2.5", false},
		{"binary", "select 0b12 ", "select 0b10 ", false},
		{"no digits", "select 1 ", "select  ", false},
		{"too many digits", "select 1", "select " + strings.Repeat("1", maxTemplateDigits+1), false},
		{"a word instead", "select 1", "select a", false},
		{"more behind", "select 1", "select 1; drop table t", false},
		{"a comment behind", "select 1", "select 1--", false},
		{"shorter", "select 1 from t", "select 1", false},
		{"longer", "select 1", "select 1 from t", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tmpl, ok := NewTemplate(tt.text, true)
			if !ok {
				t.Fatal("no template")
			}
			if got := tmpl.Like(tt.other); got != tt.like {
				t.Errorf("%v, want %v", got, tt.like)
			}
			if !tmpl.Like(tt.text) {
				t.Error("not like itself")
			}
		})
	}
	if (&Template{}).Like("") {
		t.Error("the zero value is like something")
	}
	for name, text := range map[string]string{"long": strings.Repeat("a", maxTemplate+1), "many numbers": strings.Repeat("1,", maxTemplateNumbers+1)} {
		if _, ok := NewTemplate(text, true); ok {
			t.Errorf("%s: there is a template", name)
		}
	}
}

func TestTemplateAllocatesNothingWhenItIsAsked(t *testing.T) {
	tmpl, _ := NewTemplate(benchText, true)
	if n := testing.AllocsPerRun(100, func() { tmpl.Like(benchText) }); n > 0 {
		t.Error(n)
	}
}

// FuzzTemplate finds texts that are like another one and have another key, or none.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"select 1", "select 1, 'a 2 ', \"b 3 \" -- 4 \n 5 ", "select $1 , 0x1F , 10 , .5 , 1..2 , $a$ 1 $a$ ", "select E'\\1 1 ' 1 ", "select '1'\n2 ", "select 0b12 , 0o78 "} {
		f.Add(s, s, true)
	}
	f.Add(`"`, `"`, false)
	f.Fuzz(func(t *testing.T, text, other string, conforming bool) {
		tmpl, ok := NewTemplate(text, conforming)
		if !ok {
			return
		}
		// Other digits in all places, of which some are numbers.
		for _, digits := range []string{"0", "00", "7", "10"} {
			var b strings.Builder
			for _, part := range strings.SplitAfter(text, " ") {
				if trimmed := strings.TrimRight(part, " ,;)"); trimmed != "" && strings.Trim(trimmed, "0123456789") == "" {
					part = digits + part[len(trimmed):]
				}
				b.WriteString(part)
			}
			sameKey(t, &tmpl, text, b.String(), conforming)
		}
		sameKey(t, &tmpl, text, other, conforming)
	})
}

func sameKey(t *testing.T, tmpl *Template, text, other string, conforming bool) {
	t.Helper()
	if !tmpl.Like(other) {
		return
	}
	a, ok := AppendKey(nil, text, conforming)
	b, also := AppendKey(nil, other, conforming)
	if ok != also || ok && string(a) != string(b) {
		t.Errorf("%q is like %q, with the keys %q %v and %q %v", other, text, b, also, a, ok)
	}
}
