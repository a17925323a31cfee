package detect_test

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestWhatComesAgainIsJudgedAlike repeats names and values where what stands around them changes: pieces so small that nothing is remembered from
// one to the next must give the same.
func TestWhatComesAgainIsJudgedAlike(t *testing.T) {
	s := newSet(t)
	r := rand.New(rand.NewPCG(8, 9))
	values := []string{
		"password: secret\n", "password: hunter2\n", "token = value\n", "'password' ", `"api_key": "abcdef"`, "--password open ", "secret: [x]\n", "define('password', 'reset')", "define('password', 'reset', 'x')",
		"password=abc,", "{password:abc user:x}", "x::password: abc\n", "key: token\n", "auth_token: page.next\n",
		"{PLAIN}", "{CLEARTEXT}hunter2", "{PLAIN}" + strings.Repeat("x7", 20), "1) \"password\"\n", "2) \"hunter22\"\n", "password=hunter22 ", "&code=a1b2c3d4e5f6g7h8", "?code=a1b2c3d4e5f6g7h8i9&state=x", "app:hunter22@tcp(", "@tcp(", "echo hunter22 | sudo -S ls\n", "htpasswd -b users bob hunter22 ", " password 0 hunter22 ", "a1 LOGIN bob ", "net use \\\\x /user:u hunter22 ", "\"password\" \"hunter22\"\n",
	}
	around := []string{"\n", " ", "return\n", "if err != nil {\n", strings.Repeat("words of no use ", 14), strings.Repeat("\n", 210), "export ", "mysql ", ", ", "'", "]"}
	masks := 0
	for range 300 {
		var b strings.Builder
		few := []string{values[r.IntN(len(values))], values[r.IntN(len(values))]}
		for range 30 {
			b.WriteString(few[r.IntN(2)])
			if r.IntN(3) == 0 {
				b.WriteString(around[r.IntN(len(around))])
			}
		}
		text := b.String()
		want := stream(s, text, func() int { return 1 })
		if got := stream(s, text, func() int { return len(text) }); got != want {
			t.Fatalf("%q\nbecame %q\nin bytes %q", text, got, want)
		}
		if want != text {
			masks++
		}
	}
	if masks < 50 || masks > 290 {
		t.Errorf("%d of 300 texts had a secret", masks)
	}
}
