package detect_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"weir/mask/detect"
	"weir/mask/field"
)

func newSet(t testing.TB, disable ...string) *detect.Set {
	t.Helper()
	n, err := field.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := detect.New(detect.Options{Names: n, Disable: disable})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// made builds synthetic tokens of the right shape.
func made(prefix, letters string, n int) string {
	r := rand.New(rand.NewPCG(uint64(n), uint64(len(prefix))))
	b := []byte(prefix)
	for range n {
		b = append(b, letters[r.IntN(len(letters))])
	}
	return string(b)
}

const (
	alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	hexa  = "0123456789abcdef"
)

func found(s *detect.Set, text string) []string {
	out := []string{}
	fs, _ := s.Find(nil, []byte(text), 0, true)
	for _, f := range fs {
		out = append(out, f.Rule.Kind+"="+text[f.Start:f.End])
	}
	return out
}

func TestFindsExactly(t *testing.T) {
	s := newSet(t)
	pem := "-----BEGIN RSA PRIVATE KEY-----\n" + made("MIIE", alnum, 60) + "\n-----END RSA PRIVATE KEY-----"
	gh, jwt := made("ghp_", alnum, 36), "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."+made("", alnum, 40)+"."+made("", alnum, 43)
	for text, want := range map[string]string{
		"x " + gh + " y":                          "github-token=" + gh,
		"key AKIAQWERTYUIOPASDFGH.":               "aws-key-id=AKIAQWERTYUIOPASDFGH",
		"bearing " + jwt + "\n":                   "jwt=" + jwt,
		pem + "\nrest":                            "private-key=" + pem,
		pem[:70]:                                  "private-key=" + pem[:70],
		"postgres://app:hunter2@db:5432/x":        "url-password=hunter2",
		"cd x && DB_PASSWORD=hunter2 ./run":       "field=hunter2",
		"f('a' || ' password=Zk39dhTq99xx')":      "field=Zk39dhTq99xx",
		"DB_PASSWORD=hunter2\nX=1":                "field=hunter2",
		"export PGPASSWORD='a7 b c'":              "field=a7 b c",
		"  password: correct horse battery\n":     "field=correct horse battery",
		`{"password": "p\"w", "a": 1}`:            `field=p\"w`,
		`x "{\"api_key\": \"hunter22\"}"`:         `field=hunter22`,
		"psql --password hunter2 -h x":            "field=hunter2",
		"CREATE ROLE x PASSWORD 'hunter2' LOGIN":  "field=hunter2",
		"<password>hunter2</password>":            "field=hunter2",
		`"secret" => "hunter2"`:                   "field=hunter2",
		"Authorization: Bearer abc.def":           "field=abc.def",
		"got Bearer " + made("", hexa, 32) + " .": "bearer-token=" + made("", hexa, 32),
		"user=bob&token=tok123&x=1":               "field=tok123",
		"level=info token=abc1234x msg=ok":        "field=abc1234x",
		"a $2b$12$" + made("", alnum, 53):         "bcrypt=$2b$12$" + made("", alnum, 53),
		"Server=x;Pwd=hunter2;Database=y":         "field=hunter2",
	} {
		if got := found(s, text); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLeavesOrdinaryTextAlone(t *testing.T) {
	s := newSet(t)
	for _, text := range []string{
		"commit 3f786850e387550fdab836ed7e6dc881de23001b", "id 550e8400-e29b-41d4-a716-446655440000", "token := parser.Next()", "password: string;",
		"if token == nil {", "func (t *Token) Kind() int", "tokens=512 max_tokens=4096", "primary_key=id", "https://example.com/a:b@c", "http://localhost:8080/x",
		"password=${DB_PASSWORD}", "password=[masked:field:abcdefgh]", "api_key: ******", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI user@host", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
		"the password is wrong", "Basic authentication", "bearer of good news and more", "secretary: bob", "sha256-" + made("", alnum, 43) + "=", "passed=12 failed=0",
		"token = getToken()", "author: Ann", "xghp_" + made("", alnum, 36),
	} {
		if got := found(s, text); len(got) != 0 {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// stream feeds text in pieces as a caller must, and returns what stays after masking.
func stream(s *detect.Set, text string, cut func() int) string {
	var out strings.Builder
	var st detect.State
	buf, from, rest := []byte{}, 0, text
	for {
		n := min(cut(), len(rest))
		buf, rest = append(buf, rest[:n]...), rest[n:]
		final := rest == ""
		for {
			fs, safe := s.FindNext(&st, nil, buf, from, final)
			at := from
			for _, f := range fs {
				out.Write(buf[at:f.Start])
				fmt.Fprintf(&out, "<%s>", f.Rule.Kind)
				at = f.End
			}
			if safe > at {
				out.Write(buf[at:safe])
				at = safe
			}
			progress := at > from
			from = at
			if !final || !progress || from == len(buf) {
				break
			}
		}
		if drop := from - detect.Context; drop > 0 {
			buf, from = append([]byte(nil), buf[drop:]...), detect.Context
		}
		if final {
			return out.String()
		}
	}
}

func TestAnySplitFindsTheSame(t *testing.T) {
	s := newSet(t)
	text := "a=1 DB_PASSWORD=hunter2\nx " + made("ghp_", alnum, 36) + "\n  password: correct horse\n{\"api_key\": \"abc def\", \"n\": 1}\n" +
		"postgres://app:hunter2@db/x Authorization: Bearer abc.def\n-----BEGIN EC PRIVATE KEY-----\n" + made("", alnum, 200) + "\n-----END EC PRIVATE KEY-----\n" +
		"--token tok9 <secret>hi there</secret> eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + made("", alnum, 30) + "." + made("", alnum, 30) + "\ntoken=token=token=x;pwd=1\n" +
		"define('AUTH_KEY',   'a(b c>d%4xq#2 u8+K!z0^m&');\nvar finnhubToken string = \"finn78qx2kzzv7\"\nTOK_TOKEN ::= \"tok1qx8zk99wq\"\nMY_SECRET ?= 'sec2qz9xk44vw' if password == \"pw3\": \n" +
		"machine h login u password netrc4\nConnect -Password \"pow5\" ||= \nclient_secret ||= \"or6kz81xw77qj\"\n{PBKDF2-SHA256}" + made("", alnum, 44) + "\n123456789:AA" + made("", alnum, 33) + " abc8Q~" + made("", alnum, 33) + "\n" +
		"mysql -h db -u root -pglu7 prod\n$ redis-cli -h x -a red8 ping\ncurl -s -u 'bob:cur 9' http://x\ncurl --user al:cux1 x\nmysql -p prod\n" +
		"db.internal:5432:prod:app:pg:p2#\n| a | *" + strings.ToUpper(made("", "abcdef0123456789", 40)) + " |\npostgres://app:ur#l3@db/x http://me@ex.com:pw4u@9x@h/ the password is \"isq1\" if password != \"neq2\" x\nUnseal Key 1: " + made("qzx7", alnum, 40) + "\nend"
	want := stream(s, text, func() int { return len(text) })
	if strings.Contains(want, "hunter2") || strings.Contains(want, "horse") {
		t.Fatal(want)
	}
	for _, secret := range []string{"b c>", "finn78", "tok1", "sec2", "pw3", "netrc4", "pow5", "or6", "glu7", "red8", "cur 9", "cux1", "pg:p2", "| *", "ur#l3", "pw4u", "9x", "isq1", "neq2", "qzx7"} {
		if strings.Contains(want, secret) {
			t.Errorf("%q is left in %s", secret, want)
		}
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
	r := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		if got := stream(s, text, func() int { return 1 + r.IntN(40) }); got != want {
			t.Fatalf("random cuts:\n%s\nwant\n%s", got, want)
		}
	}
}

func TestExtraNamesAreFoundInText(t *testing.T) {
	n, err := field.New([]string{"corp_ticket", "Zugang", "pin2", "kto"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := detect.New(detect.Options{Names: n})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"corp_ticket: v\n", "CORP_TICKET=v\n", "x corpTicket=v y", "zugang = v\n", `"kto": "v"`, "--kto v\n"} {
		if got := found(s, text); len(got) != 1 || got[0] != "field=v" {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestDisable(t *testing.T) {
	if got := found(newSet(t, "github-token"), made("ghp_", alnum, 36)); len(got) != 0 {
		t.Error(got)
	}
	n, _ := field.New(nil)
	if _, err := detect.New(detect.Options{Names: n, Disable: []string{"nonsense"}}); err == nil {
		t.Error("an unknown kind was accepted")
	}
}

func clean(n int) []byte {
	words := strings.Fields(`{"id": 12345, "name": "alice", "email": "alice@example.com", "created_at": "2026-01-02T03:04:05Z"} INFO handled request path=/api/v1/orders status=200 duration=12ms lorem ipsum dolor sit amet`)
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[r.IntN(len(words))] + " ")
	}
	return []byte(b.String()[:n])
}

// shuffled is bare names in an order that does not come again.
func shuffled(n int) []byte {
	words := strings.Fields("password secret token api_key cookie credentials passphrase access_token authorization session")
	r := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[r.IntN(len(words))] + " ")
	}
	return []byte(b.String()[:n])
}

func BenchmarkFind(b *testing.B) {
	s := newSet(b)
	for name, in := range map[string][]byte{
		"clean": clean(64 << 10), "token=": []byte(strings.Repeat("token=", 11000)), "pem": []byte(strings.Repeat("-----BEGIN RSA PRIVATE KEY-----\n", 2000)),
		"http": []byte(strings.Repeat("http://a:", 7000)), "names": []byte(strings.Repeat("password ", 7000)), "prefixes": []byte(strings.Repeat("ghp_", 16000)),
		"assigned": []byte(strings.Repeat("password: password:\n", 3300)), "members": []byte(strings.Repeat(`"d":"`, 13000)), "places": []byte(strings.Repeat("{PLAIN}", 9000)), "slashes": []byte(strings.Repeat(":thin:a/", 8000)),
		"replies": []byte(strings.Repeat("1) \"password\"\n", 4300)), "brackets": []byte(strings.Repeat("x['password'] = ", 4000)),
		"bare": []byte(strings.Repeat("password secret token api_key ", 2100)), "shuffled": shuffled(64 << 10),
		"codes": []byte(strings.Repeat("&code=a1b2c3d4e5f6g7h8", 2900)), "sources": []byte(strings.Repeat("a:@tcp(", 9000)), "echoes": []byte(strings.Repeat("echo a ", 9000)), "htpasswd": []byte(strings.Repeat("htpasswd -b ", 5400)),
		"logins": []byte(strings.Repeat(": a1 LOGIN ", 5900)), "users": []byte(strings.Repeat("\n username ", 5400)), "net use": []byte(strings.Repeat("net use \\\\", 6500)),
		"blanks": []byte(strings.Repeat("password         ", 3800)), "empty": []byte(strings.Repeat("password:\n", 6500)), "open rows": []byte(strings.Repeat("INSERT INTO t (password) VALUES ('a',", 1770)),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			var dst []detect.Finding
			for b.Loop() {
				dst, _ = s.Find(dst[:0], in, 0, true)
			}
		})
	}
}

func BenchmarkOptions(b *testing.B) {
	s := newSet(b)
	in := []byte(strings.Repeat(" -p", 20000))
	b.SetBytes(int64(len(in)))
	var dst []detect.Finding
	for b.Loop() {
		dst, _ = s.Find(dst[:0], in, 0, true)
	}
}

func FuzzFind(f *testing.F) {
	s := newSet(f)
	f.Add("DB_PASSWORD=hunter2\n", 5)
	f.Add("-----BEGIN RSA PRIVATE KEY-----", 9)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		fs, _ := s.Find(nil, []byte(text), 0, true)
		last := 0
		for _, x := range fs {
			if x.Start < last || x.End <= x.Start || x.End > len(text) {
				t.Fatalf("%q: %+v", text, fs)
			}
			last = x.End
		}
	})
}

// TestWhatDocumentationWrites is left alone: names of errors, of types and of arguments.
func TestWhatDocumentationWritesStays(t *testing.T) {
	s := newSet(t)
	for _, text := range []string{
		"INVALID_PASSWORD = '28P01'\n", "ERR_PASSWORD_EXPIRED: 1862\nmissing_token: 'E1042x7'\n", "    MovedAttribute(\"HTTPPasswordMgr\", \"urllib2\", \"urllib.request\"),\n", "pass_stmt: 'pass'\n",
		"my $Token = qr/[\\x21\\x23-\\x27\\x2A\\x2B]/;\n", "default login anonymous password anonymous\n",
		"    \"passwd:dir\",\n    \"passwd:shell\",\n", "    MovedAttribute(\"HTTPCookieProcessor\", \"urllib2\", \"urllib.request\"),\n", "PQconnectionUsedPassword.restype = c_int\n", "      $pass = '-anonymous@'\n",
	} {
		if got := found(s, text); len(got) != 0 {
			t.Errorf("%q: %q", text, got)
		}
		for i := range text {
			if got := stream(s, text, func() int { return i + 1 }); got != text {
				t.Errorf("%q in pieces of %d: %q", text, i+1, got)
			}
		}
	}
	for text, want := range map[string]string{
		"setProperty(\"db.password\", \"hunter2\");\n": "field=hunter2", "redis.set(\"password\", \"tr0ub4dor3x9\", \"EX\")\n": "field=tr0ub4dor3x9", "- \"password:hunter2\"\n": "field=hunter2", "INVALIDATED: 1\npassword: 'x28P01'\n": "field=x28P01",
	} {
		if got := found(s, text); len(got) != 1 || got[0] != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
