package server

import (
	"strings"
	"testing"

	"weir/config"
)

// TestCustomDetectorsAreChecked pairs a detector with the line and the words that the check of the configuration must report.
func TestCustomDetectorsAreChecked(t *testing.T) {
	const head = "mask:\n  detectors:\n    custom:\n      - {name: acme-token, regex: 'acme_[a-z0-9]{32}'}\n"
	for name, c := range map[string]struct {
		text  string
		wants []string
	}{
		"good":        {head + "      - {name: corp, regex: '[a-z]{8}', keywords: [corp], check: entropy=2, allow: [corpcorp]}\n", nil},
		"bad regex":   {head + "      - name: corp\n        regex: 'corp('\n", []string{"weir.yaml:6: mask.detectors.custom[1].regex: this is not a regular expression (RE2): missing closing )"}},
		"check":       {head + "      - name: corp\n        regex: corp[0-9]\n        check: magic\n", []string{"weir.yaml:7: ", `there is no check "magic"`}},
		"no keyword":  {head + "      - name: corp\n        regex: '[0-9]{8}'\n", []string{"weir.yaml:5: mask.detectors.custom[1].keywords: give keywords"}},
		"same name":   {head + "      - name: acme-token\n        regex: corp[0-9]\n", []string{"weir.yaml:5: ", "detector 1 of the list has that name already"}},
		"a bad name":  {head + "      - regex: corp[0-9]\n        name: Corp\n", []string{"weir.yaml:6: ", "small letters, digits and hyphens"}},
		"a built-in":  {head + "      - {name: jwt, regex: 'corp[0-9]'}\n", []string{"weir.yaml:5: ", "built-in detector of that name"}},
		"all at once": {head + "      - {name: jwt, regex: 'corp('}\n      - {name: '', regex: ''}\n", []string{"custom[1].name", "custom[1].regex", "custom[2].name", "custom[2].regex"}},
		"a wrong key": {head + "      - {name: corp, regexp: 'corp[0-9]'}\n", []string{`did you mean "regex"?`}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := config.Parse("weir.yaml", []byte(c.text))
			if err == nil {
				_, err = CheckConfig(cfg, "weir.yaml", func(string) (string, bool) { return "", false })
			}
			if (err == nil) != (c.wants == nil) {
				t.Fatal(err)
			}
			for _, want := range c.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}
