package reference

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

func TestEveryTokenRuleFindsItsExamples(t *testing.T) {
	d, r := detector(t), rand.New(rand.NewPCG(1, 1))
	all := expressions(t)
	kinds := tokenKinds(t)
	if len(kinds) < 200 {
		t.Errorf("%d formats", len(kinds))
	}
	for _, kind := range kinds {
		for range 2 {
			token(t, d, r, kind, all[kind])
		}
	}
}

func TestPasswordsAreFoundInEveryWriting(t *testing.T) {
	d, r := detector(t), rand.New(rand.NewPCG(1, 3))
	check := func(w nameWriting, name, sort string) {
		v := values[sort](r)
		if w.fits != nil && !w.fits(v) {
			return
		}
		if in := w.text(name, v); len(d.Find([]byte(in))) == 0 {
			t.Errorf("%s, %s, %s: %q", w.name, name, sort, in)
		}
	}
	for _, w := range passwordWritings {
		for _, name := range passwordNames {
			check(w, name, []string{"person", "random", "symbols", "short"}[r.IntN(4)])
		}
	}
	for _, w := range fixedWritings {
		for _, sort := range []string{"person", "random", "symbols", "short"} {
			check(w, "", sort)
		}
	}
	for _, w := range keyWritings {
		for _, name := range keyNames {
			check(writingNamed(t, w), name, []string{"random", "hex", "url-safe"}[r.IntN(3)])
		}
	}
}

var mustMatch = map[string]func(r *rand.Rand) string{
	"private key":             func(r *rand.Rand) string { return armour(r, "RSA PRIVATE KEY", "\n", 12) },
	"pgp private key":         func(r *rand.Rand) string { return armour(r, "PGP PRIVATE KEY BLOCK", "\r\n", 12) },
	"private key in json":     func(r *rand.Rand) string { return `{"k":"` + armour(r, "PRIVATE KEY", `\n`, 12) + `"}` },
	"private key in yaml":     func(r *rand.Rand) string { return "key: |\n    " + armour(r, "EC PRIVATE KEY", "\n    ", 4) },
	"private key without end": func(r *rand.Rand) string { s := armour(r, "PRIVATE KEY", "\n", 12); return s[:len(s)-40] },
	"encrypted private key":   func(r *rand.Rand) string { return armour(r, "ENCRYPTED PRIVATE KEY", "\n", 12) },
	"private key in base64": func(r *rand.Rand) string {
		return "tls.key: " + base64.StdEncoding.EncodeToString([]byte(armour(r, "PRIVATE KEY", "\n", 6)))
	},
	"twice-encoded": func(r *rand.Rand) string {
		return base64.StdEncoding.EncodeToString([]byte("tls.key: " + base64.StdEncoding.EncodeToString([]byte(armour(r, "PRIVATE KEY", "\n", 6)))))
	},
	"putty": func(r *rand.Rand) string {
		return "Private-Lines: 1\n" + pick(r, lower+upper+digits, 64) + "\nPrivate-MAC: x\n"
	},
	"jwt":            func(r *rand.Rand) string { return "x " + webToken(r) },
	"jwt in a query": func(r *rand.Rand) string { return "GET /x?t=" + webToken(r) + "&b" },
	"bearer":         func(r *rand.Rand) string { return "Authorization: Bearer " + values["random"](r) },
	"set-cookie":     func(r *rand.Rand) string { return "Set-Cookie: sessionid=" + values["hex"](r) + "; HttpOnly" },
	"cookie":         func(r *rand.Rand) string { return "\nCookie: a=b; JSESSIONID=" + values["hex"](r) + "; c=d" },
	"api key header": func(r *rand.Rand) string { return "X-Api-Key: " + values["hex"](r) },
	"account key": func(r *rand.Rand) string {
		return "AccountName=a;AccountKey=" + pick(r, lower+upper+digits, 86) + "==;EndpointSuffix=x"
	},
	"otpauth": func(r *rand.Rand) string {
		return "otpauth://totp/a:b?secret=" + pick(r, upper+"234567", 32) + "&issuer=a"
	},
	"jwk": func(r *rand.Rand) string { return `{"kty":"EC","crv":"P-256","d":"` + values["url-safe"](r) + `"}` },
	"aws pair": func(r *rand.Rand) string {
		return "aws_secret_access_key = " + values["random"](r) + values["random"](r)
	},
	"left over": func(r *rand.Rand) string {
		return "password: " + values["random"](r) + "[masked:field:abcd2345]\n"
	},
}

func TestShapesAreFound(t *testing.T) {
	d, r := detector(t), rand.New(rand.NewPCG(1, 4))
	for name, text := range mustMatch {
		for range 3 {
			if in := text(r); len(d.Find([]byte(in))) == 0 {
				t.Errorf("%s: %q", name, in)
			}
		}
	}
}

// mustNotMatch are masks, placeholders, references and what only looks like a secret.
var mustNotMatch = []string{
	"password: [masked:field:abcd2345]\n", `{"password":"[masked:field:abcd2345]"}`, "a=1&password=%5Bmasked%3Afield%3Aabcd2345%5D", "x [masked:github-token:abcd2345] y",
	"postgres://u:[masked:url-password:abcd2345]@h/d", "Authorization: Bearer [masked:field:abcd2345]", "mysql -p[masked:option-password:abcd2345] x",
	"password: ****\n", "password: ${DB_PASSWORD1}\n", "password=<password>\n", `"password": ""`, "PASSWORD=changeme1\n", "password: {{ .Values.pw1 }}\n", "password=$PASSWORD1\n",
	"password = getPassword(1)\n", "password: string\n", `"password": "Enter your password"`, `password = "Passwort"`, "password = config.password1\n", "PASSWORD=%DB_PASS%\n",
	"api_key: your-api-key-1234\n", "token: op://vault/item/field1\n", "token: vault:kv/data/x1y2z3\n", `secret = "arn:aws:secretsmanager:eu-west-1:123456789012:x"`,
	"key: AK" + "IAIOSFODNN7EXAMPLE\n", "gh" + "p_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "gh" + "p_000000000000000000000000000000000000", "gh" + "p_abcdefghijklmnopqrstuvwxyz0123456789",
	"postgres://user:password@localhost/x", "http://host:8080/a@b", "git@github.com:a/b1.git", "https://example.com/a:b1@c", "redis://:${REDIS_PASSWORD1}@h",
	"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA7v\n-----END PUBLIC KEY-----\n", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
	"max_tokens: 4096\n", `"next_page_token": "Q2lTY1h3a0FmM2tTQzFhYg12"`, `"token_type": "Bearer"`, "csrf_token=aZ4kLm93nQpX7rTw2\n", "3fa85f64-5717-4562-b3fc-2c963f66afa6", "sha256:9f86d081884c7d659a2feaa0c55ad015",
	"commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", "password_changed_at=2026-01-02T03:04:05Z\n", "if password == other2 {", "s.someVeryLongMethodNameHere", "api-version-2026-01-01",
	`{"passwordPolicy":"min12chars"}`, "passwords: 3 found\n", "usage: mysql -p [password]", "tool --password-file /run/x1\n", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
}

func TestWhatIsNoSecretIsNotFound(t *testing.T) {
	d := detector(t)
	for _, in := range mustNotMatch {
		for _, f := range d.Find([]byte(in)) {
			t.Errorf("%q: %s %q", in, f.Rule, in[f.Start:f.End])
		}
	}
}

func TestFindIsSafeForConcurrentUse(t *testing.T) {
	d := detector(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for name, text := range mustMatch {
				if len(d.Find([]byte(text(rand.New(rand.NewPCG(1, 5)))))) == 0 {
					t.Error(name)
				}
			}
		})
	}
	group.Wait()
}

func TestTablesAreChecked(t *testing.T) {
	for name, line := range map[string][]string{
		"one column": {"a"}, "four columns": {"a", "b", "mixed", "c"}, "expression": {"a", "("}, "groups": {"a", "(a)(b)"}, "check": {"a", "b", "nothing"},
	} {
		if _, err := parse(line, true); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	d := detector(b)
	text := []byte(strings.Repeat("2026-05-01T10:00:00Z level=info user=svc took=1ms {\"id\":14,\"value\":\"x\"} rotate it\n", 800))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		d.Find(text)
	}
}

func FuzzFind(f *testing.F) {
	d := detector(f)
	for _, in := range mustNotMatch {
		f.Add([]byte(in))
	}
	r := rand.New(rand.NewPCG(1, 6))
	for _, text := range mustMatch {
		f.Add([]byte(text(r)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		last := 0
		for _, s := range d.Find(text) {
			if s.Start < last || s.End <= s.Start || s.End > len(text) || s.Rule == "" {
				t.Fatalf("%v in %q", s, text)
			}
			last = s.Start
		}
	})
}
