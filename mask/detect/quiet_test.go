package detect_test

import (
	"strings"
	"testing"

	"weir/mask/detect"
)

func TestQuietHoldsNothingButValues(t *testing.T) {
	s := newSet(t)
	gh := made("ghp_", alnum, 36)
	for _, c := range []struct{ name, text, held string }{
		{"word", "ls -la", ""},
		{"name", "export PASSW", ""},
		{"whole name", "export PASSWORD", ""},
		{"operator", "PASSWORD = ", ""},
		{"prompt", "password for alice: ", ""},
		{"value", "PASSWORD = hun", "hun"},
		{"quoted value", `password: "hun ter`, "hun ter"},
		{"value with its end", "x PASSWORD=hunter2 ", ""},
		{"flag", "psql --password hun", "hun"},
		{"token", "x " + gh[:20], gh[:20]},
		{"command", "$ echo hunter2", ""},
		{"password of a command", "$ htpasswd -b users bob hun", "hun"},
		{"configuration", "neighbor 10.0.0.1 remote", ""},
		{"password of a device", "neighbor 10.0.0.1 password hun", "hun"},
		{"user of a URL", "x postgres://app", ""},
		{"password of a URL", "x postgres://app:hun", "hun"},
		{"key", "x -----BEGIN PRIVATE KEY-----\nMII", "-----BEGIN PRIVATE KEY-----\nMII"},
	} {
		at := s.Quiet(&detect.State{}, []byte(c.text), 0)
		if want := strings.TrimSuffix(c.text, c.held); c.text[:at] != want {
			t.Errorf("%s: %q is shown of %q, want %q", c.name, c.text[:at], c.text, want)
		}
	}
}
