package detect

import (
	"math"
	"strings"
	"testing"
)

// TestChecks pairs what a check must hold for with what it must not. All tokens are made up.
func TestChecks(t *testing.T) {
	hexed := "9f2b8c1e4d47a60b5e27c1d0e9f8a361"
	for name, c := range map[string]struct {
		check, token string
		want         bool
	}{
		"mixed":                {"mixed", "a1b2c3", true},
		"mixed letters":        {"mixed", "xQzRtPvWcMaLdKfJ7gHs", true},
		"mixed name":           {"mixed", "some_longer_name_v2", false},
		"mixed camel":          {"mixed", "sslVersionTwoClientHandshake3", false},
		"digit":                {"digit", "abc1", true},
		"no digit":             {"digit", "abcd", false},
		"uuid":                 {"uuid", "3f2b8c1e-9d47-4a60-b5e2-7c1d0e9f8a36", true},
		"uuid, a letter":       {"uuid", "3f2b8c1e-9d47-4a60-b5e2-7c1d0e9f8a3g", false},
		"uuid, a dash":         {"uuid", "3f2b8c1e9-d47-4a60-b5e2-7c1d0e9f8a36", false},
		"uuid-first":           {"uuid-first", "3f2b8c1e-9d47-4a60-b5e2-7c1d0e9f8a36:fx", true},
		"uuid-first, alone":    {"uuid-first", "3f2b8c1e-9d47-4a60-b5e2-7c1d0e9f8a36", false},
		"uuid-first, words":    {"uuid-first", "an-effect-that-is-named-in-the-table:fx", false},
		"snowflake":            {"snowflake", "MTA0NzExODE1NTI5MzcwMDAx.Gx2kQp.", true},
		"snowflake, words":     {"snowflake", "MTA0NzExODE1NTI5MzcwabcD.Gx2kQp.", false},
		"snowflake, short":     {"snowflake", "MTA0NzExODE1NTI5.Gx2kQp.", false},
		"snowflake, no part":   {"snowflake", "MTA0NzExODE1NTI5MzcwMDAx", false},
		"entropy":              {"entropy", hexed, true},
		"entropy of one":       {"entropy", strings.Repeat("a", 32), false},
		"entropy of little":    {"entropy", strings.Repeat("abcd", 8), false},
		"entropy, low bound":   {"entropy=1.9", strings.Repeat("abcd", 8), true},
		"entropy, high bound":  {"entropy=4.5", hexed, false},
		"luhn":                 {"luhn", "4111-1111-1111-1111", true},
		"luhn, a digit":        {"luhn", "4111-1111-1111-1112", false},
		"luhn, short":          {"luhn", "0000", false},
		"crc32-base62":         {"crc32-base62", "R6dPnNYqUMeW4kJc8vHtZbXsA2fLgE" + crcTail("R6dPnNYqUMeW4kJc8vHtZbXsA2fLgE"), true},
		"crc32-base62, a byte": {"crc32-base62", "R6dPnNYqUMeW4kJc8vHtZbXsA2fLgF" + crcTail("R6dPnNYqUMeW4kJc8vHtZbXsA2fLgE"), false},
		"age-bech32":           {"age-bech32", "A12UEL5L", true},
		"age-bech32, a letter": {"age-bech32", "A12UEL5Q", false},
		"der":                  {"der", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", true},
		"der, other bytes":     {"der", "AAAAvQIBADANBgkqhkiG9w0BAQEFAASC", false},
		"der, too short":       {"der", "MIIAAQIBADANBgkqhkiG9w0BAQEFAASC", false},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := checkNamed(c.check)
			if err != nil {
				t.Fatal(err)
			}
			if got := f([]byte(c.token), []byte(c.token)); got != c.want {
				t.Errorf("%v of %q", got, c.token)
			}
		})
	}
}

// crcTail finds the six digits that a value ends in by trying each digit of the sum by its weight.
func crcTail(s string) string {
	sum := uint64(0xffffffff)
	for i := range len(s) {
		sum ^= uint64(s[i])
		for range 8 {
			if sum&1 == 1 {
				sum = sum>>1 ^ 0xedb88320
			} else {
				sum >>= 1
			}
		}
	}
	sum ^= 0xffffffff
	tail := make([]byte, 6)
	for i := range tail {
		weight := uint64(math.Pow(62, float64(5-i)))
		tail[i] = base62[sum/weight]
		sum %= weight
	}
	return string(tail)
}

// TestEntropyIsRight compares it with the logarithm of the math package.
func TestEntropyIsRight(t *testing.T) {
	for x := uint64(1); x < 256; x++ {
		if got, want := float64(log2(x))/bit, math.Log2(float64(x)); math.Abs(got-want) > 0.01 {
			t.Errorf("log2(%d) = %f, want %f", x, got, want)
		}
	}
	if got := float64(entropy([]byte("abcdefgh"))) / bit; math.Abs(got-3) > 0.01 {
		t.Error(got)
	}
}

func TestJSONHeader(t *testing.T) {
	for text, want := range map[string]bool{
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9":                              true,
		"eyJhbGciOiJIUzI1NiIsInR5cCI6Ikp":                                   true, // cut
		"ewogICJhbGciOiAiSFMyNTYiCn0":                                       true, // with line ends
		"eyJacketsAndMore":                                                  false,
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" + strings.Repeat("Ijoi", 80): true, // its beginning tells
		"eyJh": false,
	} {
		if jsonHeader([]byte(text)) != want {
			t.Errorf("%s: want %v", text, want)
		}
	}
}

func TestChecksAllocateNothing(t *testing.T) {
	v := []byte("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC1q9x")
	for name, c := range checkTable {
		if n := testing.AllocsPerRun(10, func() { c(v, v) }); n > 0 {
			t.Errorf("%s: %f", name, n)
		}
	}
}
