package field_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"weir/mask/field"
)

func names(t testing.TB, extra ...string) *field.Names {
	t.Helper()
	n, err := field.New(extra)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStrongNames(t *testing.T) {
	n := names(t, "X-Corp-Ticket")
	for name := range strings.FieldsSeq(`password PASSWORD db_password dbPassword DB_PASSWORD dbpassword spring.datasource.password user-password password2
		PGPASSWORD MYSQL_PWD REDISCLI_AUTH AWS_SECRET_ACCESS_KEY secretAccessKey awsSecretAccessKey apiKey api_key API-KEY APIKey stripeApiKey X-Api-Key
		Authorization Proxy-Authorization Cookie Set-Cookie X-Amz-Security-Token access_token accessToken refreshToken GITHUB_TOKEN token client_secret clientSecret
		private_key privateKey SECRET_KEY_BASE credentials connectionString DSN requirepass password_prod api_key_stripe jwt_secret sessionId JSESSIONID X-Corp-Ticket passwords`) {
		if name == "SECRET_KEY_BASE" {
			continue // judged below: its qualifier is behind
		}
		if got := n.Match([]byte(name)); got != field.Strong {
			t.Errorf("%s: %v, want strong", name, got)
		}
	}
	if n.Match([]byte("SECRET_KEY_BASE")) != field.Strong {
		t.Error("SECRET_KEY_BASE")
	}
}

func TestClearNames(t *testing.T) {
	n := names(t)
	for name := range strings.FieldsSeq(`primary_key foreignKey partition_key max_tokens tokens_used token_type tokenizer next_page_token password_changed_at password_policy has_password
		key_id keyName keyword keycode monkey public_key secret_name secretArn secretRef passed passenger compass bypass author authority authorized session_count design hashing
		username user id email status name description url path created_at credential_type credit_limit pass_rate token_count passwordHint x`) {
		if got := n.Match([]byte(name)); got == field.Strong {
			t.Errorf("%s is strong", name)
		}
	}
}

func TestExtraNamesMustHaveWords(t *testing.T) {
	for _, bad := range []string{"", "123", "--"} {
		if _, err := field.New([]string{bad}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestLongNamesAreJudgedByTheirEnd(t *testing.T) {
	if names(t).Match([]byte(strings.Repeat("a_", 10_000)+"password")) != field.Strong {
		t.Error("a long name hid its last word")
	}
}

func TestPlaceholders(t *testing.T) {
	for _, v := range []string{"", " ", "null", "true", "******", "${DB_PASSWORD}", "$(cat x)", "{{ .Values.pw }}", "[masked:known:abcd2345]", "<redacted>"} {
		if !field.Placeholder([]byte(v)) {
			t.Errorf("%q is taken for a secret", v)
		}
	}
	for _, v := range []string{"hunter2", "admin123", "p", "$ecret", "changeme", "[masked"} {
		if field.Placeholder([]byte(v)) {
			t.Errorf("%q is taken for a placeholder", v)
		}
	}
}

func TestOpaque(t *testing.T) {
	for _, v := range []string{"a8f5f167f44f4964e6c998dee827110c", "Zm9vYmFyOmJhejEyMw", "x9K2mQ7pL4wR8vT1"} {
		if !field.Opaque([]byte(v)) {
			t.Errorf("%q is not opaque", v)
		}
	}
	for _, v := range []string{"2026-11-23T10:00:00Z", "/usr/share/nginx/html", "production", "1234567890123456", "hello world foo bar"} {
		if field.Opaque([]byte(v)) {
			t.Errorf("%q is opaque", v)
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	n, name := names(t), []byte("spring.datasource.hikari.maximumPoolSize")
	if a := testing.AllocsPerRun(100, func() { n.Match(name) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

func BenchmarkMatch(b *testing.B) {
	n := names(b)
	for name, in := range map[string]string{"miss": "maximumPoolSize", "hit": "db_password", "short": "id"} {
		b.Run(name, func(b *testing.B) {
			k := []byte(in)
			for b.Loop() {
				n.Match(k)
			}
		})
	}
}

func TestOnlyWholeMasksAreMasks(t *testing.T) {
	for _, v := range []string{"[masked:field:abcdefg7]", "[masked:github-token:abcdefgh]", "%5Bmasked%3Afield%3Aabcdefgh%5D"} {
		if !field.Mask([]byte(v)) || !field.Placeholder([]byte(v)) {
			t.Errorf("%s is no mask", v)
		}
	}
	for _, v := range []string{"", "[masked:", "[masked:]", "[masked:hunter2]", "[masked:Tr0ub4dor&3:abcdefgh]", "[masked:field:abcdefgh]x", "[masked:field:abcdefg1]", "[masked:field:abcdefghi]", "[masked:" + strings.Repeat("ab7-", 20) + ":abcdefgh]"} {
		if field.Mask([]byte(v)) || v != "" && field.Placeholder([]byte(v)) {
			t.Errorf("%s is a mask", v)
		}
	}
}

// TestNamesAreJudgedTheSameAgain asks for more names than are kept, several times and by several goroutines, of which each must hear what somebody who asks for the first time does.
func TestNamesAreJudgedTheSameAgain(t *testing.T) {
	n := names(t)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 20_000 {
				name := []byte([]string{"user_", "db_password_", "token_", "note_", "apiKey"}[i%5] + strconv.Itoa((i*7+g)%3_000))
				if i%3 == 0 {
					name = name[:len(name)-1]
				}
				want := n.Judge(name)
				if got := n.Match(name); got != want {
					t.Errorf("%s: %v, want %v", name, got, want)
				}
				clear(name) // it is the caller's
			}
		})
	}
	wg.Wait()
}
