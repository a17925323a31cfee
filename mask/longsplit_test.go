package mask_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"weir"
	"weir/mask"
	"weir/mask/detect"
	"weir/mask/known"
)

// heldLong is a known secret that is longer than what is held of any value.
var heldLong = func() string {
	r := rand.New(rand.NewPCG(1, 24))
	b := []byte("CANARY")
	for len(b) < 24<<10 {
		b = append(b, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,;"[r.IntN(65)])
	}
	return string(b)
}()

// longOpeners is what stands in front of long values, of every reader that there is.
var longOpeners = []string{
	"password=", "password: ", "\"password\": \"", "'api_key': '", "--token ", "--password=", "export DB_PASSWORD=", "  secret: ", "x token=", "x \\\"password\\\":\\\"", "{&quot;password&quot;:&quot;", "a%26password%3D",
	"<password>", "<password a='b'>", "<password ", "Authorization: Bearer ", "authorization: Basic ", "x Bearer ", "basic ", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", "ghp_", "x AKIA", "postgres://app:", "https://h/?token=", "https://h/?a=1&password=", "GET /?api_key=",
	"-----BEGIN PRIVATE KEY-----\n", "-----BEGIN RSA PRIVATE KEY-----\\n", "-----BEGIN ", "-----BEGIN CERTIFICATE-----\n", "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", "Private-Lines: 14\r\n", "mysql -u root -p", "curl -u bob:", "curl --user \"bob:", "curl -u ",
	"redis-cli -a ", "db:5432:prod:app:", "the password is ", "the password is \"", "the key we got from them is ", "Unseal Key 1: ", "PASSWORD '", "IDENTIFIED BY '", "create user x identified by ", "SET PASSWORD FOR 'a'@'b' = '", "basic_auth(\"u\", \"",
	"id,user,password\n1,", "id\tpassword\tuser\n1\t", " id | password | host \n----+---+---\n 1 | ", "INSERT INTO users (id, password) VALUES (1, '", "INSERT INTO users (id, ", "COPY users (id, password) FROM stdin;\n1\t", "requirepass ", "requirepass | ", "user x on >", "machine h login u password ",
	"{Name:DB_PASSWORD Value:", "name: DB_PASSWORD\nvalue: ", "<property name=\"password\" value=\"", "<entry key=\"password\">", "password == \"", "password := \"", "define('AUTH_KEY', '", "password   ", "password ", "password:", "password", "smtp_password  ",
	"Set-Cookie: a=", "Cookie: ", "pass", "token string = \"", "hash = ", "session_id=", "signature=", "password:\t", "{PBKDF2-SHA256}", "$2b$12$", "\"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBg", "key for ", "x key ", "CREATE TABLE t (", "authorization: [", "password: {", "password: string(",
	"password|", "a|password|b\n", "password,", "data:\n  a: ", "Basic ", "data:\n  env: ", "{\"data\":{\"env\":\"REJfUEFTU1dPUkQ9dHIwdWI0ZG9yMwpB", "$ base64 x\ndGhlIHdvcmQgb2YgYSBsaW5lIGhlcmUKdGhlIHdvcmQgb2YgYSBsaW5lIGhlcmUKdGhlIHdvcmQg\n", "Authorization: token ", "q=",
	"sqlplus scott/", "jdbc:oracle:thin:app/", "127.0.0.1:6379> AUTH ", "{\"kty\":\"oct\",\"k\":\"", "1) \"password\"\n2) \"", "\"password\" \"", "set -x DB_PASSWORD ", "[\"password\"]=>\n  string(3) \"", "Your token is: ", "the password for it:\n\n",
	"vault operator unseal ", "enable password 7 ", "snmp-server community ", "config['password'] = '", "server.login('bob', '", "java -Dsonar.login=", "password      ", "/etc/things/", "{SHA}", "password = b'", "password = \"\"\"", "secret = '''", "{PLAIN}", "  12 | smtp_password | ",
}

// longFillers is what long values are made of.
var longFillers = []string{
	"a", "q7Zt5Xq8", "abcdefghijklmnop", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "ab12-_.", "x y ", "correct horse ", "a,", "a;", "a|", "a\t", "1", " ", "\\\\", "\\\"", "\"", "''", "&", "&quot;", "%22", "=", ":", "/", "@", "a=b;", "<", "password=", "token: ", "ghp_", "eyJ", "-", "MIIEvQIB\\n", "é", "\xff", "(", "a b",
	"-----BEGIN ", "://", "key is ", "},{", "\\", "\\n", "Zm9vYmFy", "%3D", "END ", "c3VwZXJz", "REJfUEFTU1dPUkQ9dHIwdWI0ZG9yMwpB", "dGhlIHdvcmQgb2YgYSBsaW5lIGhlcmUK", "REJfUEFTU1dPUkQ9dHIwdWI0ZG9yMwpBREJfUEFTU1dPUkQ9dHIwdWI0ZG9yMwpBREJfUEFTU1dP\n", "dGhlIHdvcmQgb2YgYSBsaW5lIGhlcmUKdGhlIHdvcmQgb2YgYSBsaW5lIGhlcmUKdGhlIHdvcmQg\n", "*", "#", " #", "\r\n", "\n",
}

// longEnders is what long values end with, or go on with: all control bytes, and what may end or continue one.
var longEnders = func() []string {
	all := []string{"", "\"", "'", "`", ",", ";", "&", "<", ">", ")", "]", "}", "|", " ", "\r\n", "\\\"", "\\", "&quot;", "%22", "%26", "</", "</password>", "-----END PRIVATE KEY-----", "END -", "END ", "@h/", "@", "\"}", "', '", "\t", " #", " // ", "=", ".", "..", ":", "é", "\xff", "\xc3", "';", "'), (2, 'x');", "\n2,b,c\n", "a.b.c", " x=y"}
	for c := range 32 {
		all = append(all, string(rune(c)))
	}
	return append(all, "\x7f", "\u0085", "\x85")
}()

// longText writes a text around one value about as long as what is held.
func longText(r *rand.Rand) string {
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	var b strings.Builder
	switch r.IntN(5) {
	case 0:
		b.WriteString(strings.Repeat("x y\n", r.IntN(700)))
	case 1:
		b.WriteString(strings.Repeat("z", r.IntN(1500)))
	case 2:
		b.WriteString(pick(longOpeners) + "v1x" + pick(longEnders))
	}
	b.WriteString(pick(longOpeners))
	n := detect.MaxHold + r.IntN(120) - 80
	switch r.IntN(8) {
	case 0:
		n = 1000 + r.IntN(300)
	case 1:
		n = 500 + r.IntN(40)
	case 2:
		n = 2*detect.MaxHold + r.IntN(200)
	case 3:
		n = r.IntN(300)
	}
	from, filler := b.Len(), pick(longFillers)
	for b.Len()-from < n {
		if r.IntN(40) == 0 && n-(b.Len()-from) < 200 {
			b.WriteString(pick(longEnders))
		}
		if r.IntN(3000) == 0 {
			filler = pick(longFillers)
		}
		b.WriteString(filler)
	}
	text := b.String()
	text = text[:min(len(text), from+n)]
	switch r.IntN(12) {
	case 0:
		text += heldLong + pick(longEnders)
	case 1:
		text += heldLong[:r.IntN(len(heldLong))] + pick(longEnders) + plainCanary
	case 2:
		text = text[:len(text)/2] + plainCanary + text[len(text)/2:]
	}
	for range 1 + r.IntN(3) {
		text += pick(longEnders)
		if r.IntN(2) == 0 {
			text += pick(longFillers)
		}
	}
	if r.IntN(3) == 0 {
		text += "\n" + pick(longOpeners) + "q7Zt5Xq8Wn3R\n"
	}
	return text
}

// longCuts gives sizes of pieces: of all kinds, and byte by byte where a value as long as what is held ends.
func longCuts(r *rand.Rand, text string) func() int {
	at, mode := 0, r.IntN(4)
	fine := len(text) - 400 + r.IntN(380)
	return func() int {
		var n int
		switch {
		case mode == 0:
			n = 1 + r.IntN(len(text)+1)
		case mode == 1:
			n = 1 + r.IntN(3000)
		case at < fine:
			n = max(1, fine-at)
			if mode == 2 {
				n = min(n, 1+r.IntN(9000))
			}
		default:
			n = 1
		}
		at += n
		return n
	}
}

func longMasker(t testing.TB) *mask.Masker {
	t.Helper()
	e, err := mask.New(mask.Config{Key: bytes.Repeat([]byte{7}, 16)})
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := known.Build([]known.Entry{{Name: "long", Value: []byte(heldLong)}, {Name: "known", Value: []byte(plainCanary)}})
	if err != nil {
		t.Fatal(err)
	}
	return e.Masker(set)
}

// clip shows the ends of a long text.
func clip(s string) string {
	if len(s) <= 300 {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q …%d… %q", s[:150], len(s)-300, s[len(s)-150:])
}

// longFormats puts a text into each format.
var longFormats = []struct {
	name   string
	format weir.Format
	carry  func(text string, r *rand.Rand) string
}{
	{"text", weir.FormatText, func(text string, _ *rand.Rand) string { return text }},
	{"terminal", weir.FormatTerminal, func(text string, r *rand.Rand) string {
		// How many placeholders stand for a secret held of more than 4 KiB in a line longer than 16 KiB does depend on the cut. No text passes
		// that does not otherwise.
		if i := strings.Index(text, heldLong[:20]); i >= 0 {
			text = text[:i]
		}
		for range r.IntN(6) {
			i := r.IntN(len(text))
			text = text[:i] + []string{"\x1b[1m", "\x1b]0;t\a", "\r\n", "\x1b[31;4m", "\x1b(B", "\b", "\b\b\b", "\r", "\x1b[D", "\x1b[5P", "\x1b[K", "\x1b[3@"}[r.IntN(12)] + text[i:]
		}
		return text
	}},
	{"json", weir.FormatJSON, func(text string, r *rand.Rand) string {
		if r.IntN(2) == 0 {
			text = strings.Repeat([]string{"x y ", "q7Zt5Xq8", "a\n", "\"", "é", "password=x "}[r.IntN(6)], (60<<10+r.IntN(12<<10))/4) + text
		}
		b, _ := json.Marshal(text)
		name := []string{"note", "password", "token", "a", "value", "hash"}[r.IntN(6)]
		return `{"n":1,"` + name + `":` + string(b) + `,"password":"q7Zt5Xq8Wn3R","x":[1,2]}`
	}},
	{"form", weir.FormatForm, func(text string, r *rand.Rand) string {
		return "a=1&" + []string{"note", "password"}[r.IntN(2)] + "=" + url.QueryEscape(text) + "&token=q7Zt5Xq8Wn3R"
	}},
	{"xml", weir.FormatXML, func(text string, r *rand.Rand) string {
		if r.IntN(2) == 0 {
			text = html.EscapeString(text)
		}
		return []string{"<db><a>", "<db><password>", "<db a='", "<db password=\"", "<!-- ", "<![CDATA["}[r.IntN(6)] + text + []string{"</a></db>", "</password>", "'/>", "\">", "-->", "]]>"}[r.IntN(6)] + "<password>q7Zt5Xq8</password>"
	}},
	{"html", weir.FormatHTML, func(text string, r *rand.Rand) string {
		return []string{"<p>", "<script>", "<input type=password value='", "<input name=token value=\"", "<!-- ", "<style>"}[r.IntN(6)] + text + []string{"</p>", "</script>", "'/>", "\">", "-->", "</style>"}[r.IntN(6)] + "<a href='http://u:hunter2@h/'>x</a>"
	}},
	{"sse", weir.FormatSSE, func(text string, r *rand.Rand) string {
		return []string{"data: ", "data: {\"password\":\"", ": ", "event: ", "id: "}[r.IntN(5)] + text + "\n\ndata: token=q7Zt5Xq8Wn3R\n\n"
	}},
	{"opaque", weir.FormatOpaque, func(text string, r *rand.Rand) string {
		i, n := r.IntN(len(text)), r.IntN(len(heldLong))
		return text[:i] + heldLong[:n] + heldLong + plainCanary + text[i:]
	}},
}

func TestAnySplitOfLongValuesGivesTheSame(t *testing.T) {
	m := longMasker(t)
	seeds := uint64(50)
	if testing.Short() {
		seeds = 20
	}
	bad := 0
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 11))
		text := longText(r)
		for _, p := range longFormats {
			if p.name != "text" && seed%4 != 0 {
				continue
			}
			text := p.carry(text+"\n", r)
			want := longPass(t, m, p.format, text, func() int { return len(text) })
			for k := range 4 {
				if got := longPass(t, m, p.format, text, longCuts(r, text)); got != want {
					i := 0
					for i < min(len(got), len(want)) && got[i] == want[i] {
						i++
					}
					t.Errorf("%s: seed %d.%d: %s\n got (from %d) %s\nwant %s", p.name, seed, k, clip(text), i, clip(got[max(0, i-100):]), clip(want[max(0, i-100):]))
					bad++
					break
				}
			}
		}
		if bad > 12 {
			return
		}
	}
}

// longPass masks a text in pieces that only Close ends.
func longPass(t testing.TB, m *mask.Masker, format weir.Format, text string, cut func() int) string {
	t.Helper()
	var out bytes.Buffer
	w, err := m.Stream(&out, weir.Shape{Format: format}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for text != "" {
		n := min(max(1, cut()), len(text))
		if _, err := w.Write([]byte(text[:n])); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestLongValuesAreMaskedToTheirEnd gives values of more than what is held an end that only looks like theirs.
func TestLongValuesAreMaskedToTheirEnd(t *testing.T) {
	m := longMasker(t)
	long := strings.Repeat("q7Zt5Xq8", 2300)
	for _, c := range []struct{ name, before, value, after string }{
		{"an escaped quote", `{"n":1,"password": "`, long + `\"CANARY\\`, `", "a": "SAFE"}`},
		{"an escaped quote where the value was cut", `{"n":1,"password": "`, long[:detect.MaxHold-1] + `\"CANARY`, `", "a": "SAFE"}`},
		{"a backslash where the value was cut", `{"n":1,"password": "`, long[:detect.MaxHold-2] + `\\`, `", "a": "SAFE"}`},
		{"an escaped quote in a string", `x {\"n\":1,\"password\":\"`, long + `\\\"CANARY`, `\", \"a\": \"SAFE\"}`},
		{"&quot;", "{&quot;password&quot;:&quot;", long + "&amp;CANARY", "&quot;,&quot;a&quot;:&quot;SAFE&quot;}"},
		{"%22", "a=%7B%22password%22%3A%22", long + "2CANARY%21CANARY", "%22%2C%22a%22%3A%22SAFE%22%7D"},
		{`\u0022`, `{\u0022password\u0022:\u0022`, long + "2CANARY\\u0027CANARY", `\u0022,\u0022a\u0022:\u0022SAFE\u0022}`},
		{`backslashes where the value was cut, before \u0022`, `{\u0022password\u0022:\u0022`, long[:detect.MaxHold-12] + strings.Repeat(`\`, 30) + "CANARY", `\u0022,\u0022a\u0022:\u0022SAFE\u0022}`},
		{"an element", "<db><password>", long + " CANARY\nCANARY; CANARY", "</password><a>SAFE</a></db>"},
		{"a line", "DB_PASSWORD=", long + " CANARY, CANARY", "\r\nA=SAFE\r\n"},
		{"a known secret", "DB_PASSWORD=", long + heldLong, "\nA=SAFE\n"},
		{"a known secret where the value was cut", "x token=", long[:detect.MaxHold-20] + heldLong, " A=SAFE\n"},
		{"a known secret begun where the value ends", "x token=", long + heldLong[:100] + "q", "\nSAFE\n"},
		{"a key", "x -----BEGIN PRIVATE KEY-----\n", strings.Repeat(long[:64]+"\n", 300) + "CANARY", "\n-----END PRIVATE KEY-----\nSAFE\n"},
		{"a key in a string", `"key": "-----BEGIN PRIVATE KEY-----\n`, strings.Repeat(long[:64]+`\n`, 300) + "CANARY", `\n-----END PRIVATE KEY-----\n", "a": "SAFE"`},
		{"a key without an end", "-----BEGIN PRIVATE KEY-----\n", strings.Repeat(long[:64]+"\n", 300) + "CANARY", ""},
		{"a JWT", "x eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", long + ".CANARY", " SAFE\n"},
		{"a parameter", "GET /?a=1&token=", long + "%26CANARY", "&b=SAFE HTTP/1.1\n"},
	} {
		text := c.before + c.value + c.after
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 3))
			got := longPass(t, m, weir.FormatText, text, longCuts(r, text))
			if strings.Contains(got, "CANARY") || strings.Contains(got, long[:64]) || strings.Contains(c.after, "SAFE") && !strings.Contains(got, "SAFE") {
				t.Errorf("%s: %s", c.name, clip(got))
				break
			}
		}
	}
}
