package detect_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"weir/mask/detect"
)

// encodedTexts are texts that hold secrets which base64 must not hide.
var encodedTexts = map[string]string{
	"env":        "HOST=db\nDB_PASSWORD=tr0ub4dor3\nMODE=x\n",
	"one line":   "DB_PASSWORD=tr0ub4dor3",
	"echo":       "password=tr0ub4dor3\n",
	"json":       `{"a":1,"apiKey":"q7Zt5Xq8Wn3Rv6Lk1Pd9","n":true}`,
	"docker":     `{"auths":{"registry.example":{"username":"ci","password":"tr0ub4dor3","auth":"Y2k6dHIwdWI0ZG9yMw=="}}}`,
	"cloud-init": "#cloud-config\nusers:\n  - name: app\nwrite_files:\n  - path: /etc/x\n    content: |\n      api_token: q7Zt5Xq8Wn3Rv6Lk1Pd9\n",
	"github":     "the one is " + made("ghp_", alnum, 36) + " for now",
	"aws":        "x AKIAQWERTYUIOPASDFGH y and more of it",
	"stripe":     made("sk_live_", alnum, 40),
	"url":        "postgres://app:tr0ub4dor3@db:5432/x",
	"pem":        "-----BEGIN EC PRIVATE KEY-----\n" + made("", alnum, 160) + "\n-----END EC PRIVATE KEY-----\n",
	"umlauts":    "Größe=1; Straße=2; Passwörter folgen\nsmtp_password=tr0ub4dor3\n",
	"long":       strings.Repeat("a line of an ordinary file, nothing in it\n", 30) + "client_secret=q7Zt5Xq8Wn3Rv6Lk1Pd9\n",
}

func TestSecretsInBase64AreFound(t *testing.T) {
	s := newSet(t)
	for name, text := range encodedTexts {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			for shift := range 3 { // each way that it may lie
				code := e.EncodeToString([]byte(text + strings.Repeat("\n", shift)))
				for _, around := range [][2]string{
					{"data:\n  config: ", "\nkind: Secret\n"}, {`{"data":{"config":"`, `"},"kind":"Secret"}`}, {"$ base64 file\n", "\n$ "}, {"", ""}, {"x=", "&y=1"}, {`\n`, `\n`}, {"a ", " b"},
				} {
					in := around[0] + code + around[1]
					fs, _ := s.Find(nil, []byte(in), 0, true)
					if len(code) > 512 {
						if len(fs) != 1 || fs[0].End != len(around[0])+len(code) {
							t.Errorf("%s in %q: %v", name, around, fs)
						}
						continue
					}
					if len(fs) != 1 || in[fs[0].Start:fs[0].End] != code {
						t.Errorf("%s in %q: %v of %q", name, around, fs, in)
					}
				}
			}
		}
	}
}

// wrapLines cuts a run into lines.
func wrapLines(code, end string, width int) string {
	var out strings.Builder
	for len(code) > width {
		out.WriteString(code[:width] + end)
		code = code[width:]
	}
	return out.String() + code
}

func TestSecretsInLinesOfBase64AreFound(t *testing.T) {
	s := newSet(t)
	for _, end := range []string{"\n", "\r\n", "\n    ", `\n`, `\r\n`} {
		for before := range 80 {
			text := strings.Repeat("x", before) + "\nHOST=db\nDB_PASSWORD=tr0ub4dor3and-it-is-longer-than-a-line-so-that-it-goes-on-over-the-next\nMODE=production\nA=1\n"
			for _, width := range []int{64, 76} {
				code := wrapLines(base64.StdEncoding.EncodeToString([]byte(text)), end, width)
				in := "$ base64 .env" + end + code + end + "$ ls done\n"
				fs, _ := s.Find(nil, []byte(in), 0, true)
				last := code[strings.LastIndex(code, end)+len(end):]
				if len(fs) != 1 || in[fs[0].End-len(last):fs[0].End] != last {
					t.Errorf("%d before, lines of %d, %q: %v in %q", before, width, end, fs, in)
				}
			}
		}
	}
}

func TestOrdinaryBase64StaysAsItIs(t *testing.T) {
	s := newSet(t)
	r := rand.New(rand.NewPCG(3, 4))
	random := make([]byte, 4<<20)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	for name, text := range map[string]string{
		"random": string(random), "prose": strings.Repeat("The quick brown fox jumps over the lazy dog, and passes the word on to its secretary at http://example.com/. ", 400),
		"json": strings.Repeat(`{"id":12,"name":"an ordinary row","status":"shipped","url":"https://example.com/a"},`, 400), "short": "password",
		"words": "please enter the password and the token of your account", "certificate": "-----BEGIN CERTIFICATE-----\n" + made("", alnum, 600),
		"variables": "DB_PASSWORD=${DB_PASSWORD}\nAPI_KEY=$API_KEY\npassword: <password>\n",
	} {
		for _, end := range []string{"", "\n"} {
			in := "x " + wrapLines(base64.StdEncoding.EncodeToString([]byte(text)), end, 76) + " y"
			if fs, _ := s.Find(nil, []byte(in), 0, true); len(fs) > 0 {
				t.Errorf("%s: %s %q", name, fs[0].Rule.Kind, in[fs[0].Start:min(fs[0].End, fs[0].Start+100)])
			}
		}
	}
}

func TestAnySplitOfBase64FindsTheSame(t *testing.T) {
	s := newSet(t)
	for name, text := range encodedTexts {
		for _, width := range []int{76, 1 << 20} {
			code := wrapLines(base64.StdEncoding.EncodeToString([]byte(text)), "\n", width)
			in := "a: " + strings.Repeat("b", len(name)) + "\nx " + code + " y\nand token " + code + "\nend"
			want := stream(s, in, func() int { return len(in) })
			for i := range len(in) {
				first := true
				if got := stream(s, in, func() int {
					if first {
						first = false
						return i + 1
					}
					return len(in)
				}); got != want {
					t.Fatalf("%s cut at %d:\n got %s\nwant %s", name, i+1, got, want)
				}
			}
			r := rand.New(rand.NewPCG(7, 7))
			for range 40 {
				most := 1 + r.IntN(60)
				if got := stream(s, in, func() int { return 1 + r.IntN(most) }); got != want {
					t.Fatalf("%s:\n got %s\nwant %s", name, got, want)
				}
			}
		}
	}
}

func BenchmarkEncoded(b *testing.B) {
	s := newSet(b)
	r := rand.New(rand.NewPCG(3, 4))
	random := make([]byte, 48<<10)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	for name, text := range map[string]string{
		"image": string(random), "prose": strings.Repeat("The quick brown fox jumps over the lazy dog, and passes the word on to its secretary. ", 600), "names": strings.Repeat("password ", 5000),
		"binary": strings.Repeat("pass\x00\x01word\x02", 4000), "assignments": strings.Repeat("password=tr0ub4dor3\n", 2000),
	} {
		for _, end := range []string{"", "\n"} {
			in := []byte(wrapLines(base64.StdEncoding.EncodeToString([]byte(text)), end, 76))
			b.Run(fmt.Sprint(name, "/", len(end)), func(b *testing.B) {
				b.SetBytes(int64(len(in)))
				b.ReportAllocs()
				var dst []detect.Finding
				for b.Loop() {
					for from := 0; from < len(in); {
						var safe int
						if dst, safe = s.Find(dst[:0], in, from, true); safe <= from {
							break
						}
						from = safe
					}
				}
			})
		}
	}
}

// TestShortPrefixesInBase64 puts tokens where they stand by chance, and where they do not.
func TestShortPrefixesInBase64(t *testing.T) {
	s := newSet(t)
	line := made("q7Z", alnum, 73)
	token := made("AKID", alnum, 30)
	for text, want := range map[string]bool{
		line + "\n" + token + "x9Q+" + line[:40] + "\n":            false,
		line + "\n" + line[:30] + "/" + token + "\n" + line:        false,
		"data:image/png;base64," + line + "/" + token + "+" + line: false,
		"a line of text\n" + token + "\n":                          true,
		token + "\n" + token + "\n":                                true,
		"/etc/things/" + token + "/x\n":                            true,
		line[:50] + "\n" + token + "\n":                            true,
	} {
		if fs, _ := s.Find(nil, []byte(text), 0, true); len(fs) > 0 != want {
			t.Errorf("%q: %v", text, fs)
		}
	}
}
