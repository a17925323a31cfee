package personal_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/mask/personal"
)

func all(t testing.TB, kinds ...string) *personal.Set {
	t.Helper()
	s, err := personal.New(kinds)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// show marks what is found in text: «kind:…».
func show(s *personal.Set, text string) string {
	found, _ := s.Find(nil, []byte(text), 0, true)
	var out strings.Builder
	at := 0
	for _, f := range found {
		fmt.Fprintf(&out, "%s«%s:%s»", text[at:f.Start], f.Kind, text[f.Start:f.End])
		at = f.End
	}
	return out.String() + text[at:]
}

// published are numbers that issuers, states and encyclopedias give as examples; they belong to nobody. What is found stands in «».
var published = []struct{ name, kind, text string }{
	{"visa", "payment-card", "card «4111111111111111» ok"},
	{"visa, blanks", "payment-card", "card «4111 1111 1111 1111» 12/27 123"},
	{"visa, hyphens", "payment-card", "«4012-8888-8888-1881»"},
	{"visa, 13 digits", "payment-card", "n=«4222222222222»;"},
	{"mastercard", "payment-card", "«5555555555554444»"},
	{"mastercard, series 2", "payment-card", "«2223003122003222»"},
	{"amex", "payment-card", "amex «378282246310005»."},
	{"amex, groups", "payment-card", "amex «3782 822463 10005»"},
	{"diners", "payment-card", "«30569309025904»"},
	{"discover", "payment-card", "«6011111111111117»"},
	{"jcb", "payment-card", "«3530111333300000»"},
	{"maestro, 19 digits", "payment-card", "«6759649826438453» «6304000000000000»"},
	{"in a path", "payment-card", "GET /cards/«4111111111111111»/x"},
	{"unionpay, 19 digits", "payment-card", "«6205500000000000004»"},
	{"visa, 19 digits, behind the word", "payment-card", "Card «4111111111111111110»"},
	{"two", "payment-card", "«4111111111111111»,«5555555555554444»"},
	{"behind an escape", "payment-card", `line\n«4111111111111111»\t`},

	{"germany", "iban", "IBAN: «DE89370400440532013000»"},
	{"germany, blanks", "iban", "an «DE89 3704 0044 0532 0130 00» gezahlt"},
	{"united kingdom", "iban", "«GB29 NWBK 6016 1331 9268 19»"},
	{"small letters", "iban", "«gb29nwbk60161331926819»"},
	{"norway", "iban", "«NO9386011117947»"},
	{"malta", "iban", "«MT84MALT011000012345MTLCAST001S»"},
	{"france", "iban", "(«FR14 2004 1010 0505 0001 3M02 606»)"},
	{"brazil", "iban", "«BR1800360305000010009795493C1»"},
	{"saint lucia", "iban", "«LC55HEMM000100010012001200023015»"},

	{"hyphens", "us-ssn", "his «123-45-6789», "},
	{"blanks behind the word", "us-ssn", "SSN «123 45 6789»"},
	{"bare behind the name", "us-ssn", `{"userSSN": "«123456789»"}`},
	{"together", "uk-nino", "«AB123456C»"},
	{"pairs", "uk-nino", "NI no «AB 12 34 56 C»."},
	{"groups", "uk-nhs", "«943 476 5919»"},
	{"bare", "uk-nhs", "nhs_number=«9434765919»"},
	{"groups", "de-tax-id", "«86 095 742 719»"},
	{"bare", "de-tax-id", "Steuer-ID: «86095742719»"},
	{"serial number and digit", "de-id-card", "Personalausweis «T220001293»"},
	{"groups", "fr-nir", "«2 55 08 14 168 025 38»"},
	{"bare", "fr-nir", "«255081416802538»"},
	{"DNI", "es-dni", "dni «12345678Z»"},
	{"DNI, hyphen", "es-dni", "«12345678-Z»"},
	{"DNI, dots", "es-dni", "«12.345.678-Z»"},
	{"NIE", "es-dni", "«X1234567L», «X-1234567-L»"},
	{"DNI in small letters behind the word", "es-dni", "dni «12345678z»"},
	{"capitals", "it-fiscal-code", "CF «MRTMTT25D09F205Z»"},
	{"bare", "nl-bsn", "BSN: «111222333»"},
	{"dots", "nl-bsn", "«1112.22.333»"},
	{"dots", "be-national-number", "«85.07.30-033.28»"},
	{"born since 2000", "be-national-number", "«17.07.30-033.84»"},
	{"hyphen", "se-personnummer", "«811228-9874»"},
	{"century", "se-personnummer", "«19640823-3234»"},
	{"very old", "se-personnummer", "«121212+1212»"},
	{"bare", "se-personnummer", "personnummer 196408233234 or «6408233234»"},
	{"example", "no-fnr", "«311299 56715»"},
	{"hyphen", "fi-hetu", "«131052-308T»"},
	{"new sign", "fi-hetu", "«010594Y9032»"},
	{"hyphen", "dk-cpr", "«070761-4285»"},
	{"word", "pl-pesel", "PESEL «44051401359»"},
	{"dots", "ch-ahv", "«756.9217.0769.85»"},
	{"bare", "ch-ahv", "«7569217076985»"},
	{"punctuation", "br-cpf", "«111.444.777-35»"},
	{"bare", "br-cpf", "cpf=«11144477735»"},
	{"punctuation", "br-cnpj", "«11.222.333/0001-81»"},
	{"bare head office", "br-cnpj", "«11222333000181»"},
	{"with letters", "br-cnpj", "«12.ABC.345/01DE-35»"},
	{"groups", "in-aadhaar", "«9999 4105 7058»"},
	{"bare", "in-aadhaar", "Aadhaar number «999941057058»"},
	{"person", "in-pan", "«ABCPE1234F»"},
	{"firm behind the word", "in-pan", "PAN: «AAACB1234C»"},
	{"groups", "ca-sin", "«130 692 544»"},
	{"groups behind the word", "au-tfn", "TFN «123 456 782»"},
	{"groups", "au-medicare", "«2123 45670 1»"},

	{"plain", "email", "to <«bob.smith+x@mail.example.co.uk»>."},
	{"end of a sentence", "email", "ask «bob@example.com»."},
	{"escaped", "email", "?mail=«bob%40example.com»&x=1"},
	{"escaped plus", "email", "?mail=«bob%2Bx%40example.com»&x=1"},
	{"behind an escape", "email", "%3C«bob@example.com»%3E \\n«bob@example.com»"},
	{"foreign host", "email", "«bob@bücher.example», «bob@example.рф»"},
	{"before another script", "email", "«bob@example.com»。"},
	{"mailto", "email", "mailto:«bob@example.com»?subject=x"},
	{"international", "phone", "call «+49 30 901820» now"},
	{"together", "phone", "tel:«+4930901820»"},
	{"brackets", "phone", "«+1 (202) 555-0143», «+44 (0)20 7946 0958»"},
	{"hyphens", "phone", "«+1-202-555-0143»"},
	{"pairs", "phone", "«+33 6 39 98 01 02»"},
	{"national", "phone", "Tel.: «030 / 901820-12»"},
	{"national, brackets", "phone", "Phone «(202) 555-0143» x"},
	{"national in a name", "phone", `"mobilePhone": "«2025550143»"`},
	{"v4", "ip", "from «203.0.113.9» to"},
	{"v4 and port", "ip", "«203.0.113.9»:443, //«198.51.100.7»/x"},
	{"v4 network", "ip", "«198.51.100.0»/24 «198.51.100.1»-«198.51.100.9»"},
	{"v4 ends a sentence", "ip", "at «203.0.113.9»."},
	{"v6", "ip", "from «2001:db8::8a2e:370:7334», [«2001:db8::1»]:443"},
	{"v6, long", "ip", "«2001:0db8:85a3:0000:0000:8a2e:0370:7334»"},
	{"v6 behind a name", "ip", "addr:«fe80::1ff:fe23:4567:890a»%eth0 interface:«fe80::1»:"},
	{"v4 in v6", "ip", "«::ffff:203.0.113.9»"},
}

func TestFindsPublishedNumbers(t *testing.T) {
	every := all(t)
	for _, c := range published {
		t.Run(c.kind+"/"+c.name, func(t *testing.T) {
			text := strings.NewReplacer("«", "", "»", "").Replace(c.text)
			want := strings.ReplaceAll(c.text, "«", "«"+c.kind+":")
			if c.kind == "se-personnummer" && c.name == "bare" {
				want = strings.Replace(want, "196408233234", "«se-personnummer:196408233234»", 1)
			}
			if got := show(all(t, c.kind), text); got != want {
				t.Errorf("alone:\n got %s\nwant %s", got, want)
			}
			// With all kinds on, something must cover the same bytes.
			got := show(every, text)
			for _, k := range personal.Kinds() {
				got = strings.ReplaceAll(got, "«"+k+":", "«")
			}
			if want := strings.ReplaceAll(want, "«"+c.kind+":", "«"); got != want {
				t.Errorf("all:\n got %s\nwant %s", got, want)
			}
		})
	}
}

// staying is what looks like personal data and is none.
var staying = []struct{ name, text string }{
	{"wrong check digit", "4111111111111112 4111 1111 1111 1112"},
	{"no issuer", "1111111111111117 9111111111111111"},
	{"64 bits", "6559392774825876886 4234737173186232084 365590438845504"},
	{"inside a word", "x4111111111111111 4111111111111111x _4111111111111111 order_4111111111111111"},
	{"inside more digits", "004111111111111111100 41111111111111110000000000000"},
	{"inside a chain", "4111-1111-1111-1111-1111 a-4111111111111111 4111111111111111-a"},
	{"decimals", "0.4111111111111111 1.4111111111111111 4111111111111111.25 -4111111111111111"},
	{"times", "2026-01-31T12:34:56.123456789Z 20260131-1234 1700000000 1700000000000 1700000000000000 1700000000000000000"},
	{"dates", "2026-01-31 31.01.2026 01/31/2026 12:34:56 00:11:22"},
	{"uuids", "123e4567-e89b-12d3-a456-426614174000 00000000-0000-0000-0000-000000000000"},
	{"hashes", "a749274d41d8cd98f00b204e9800998ecf8427e3 e3b0c44298fc1c149afbf4c8996fb924 12345678 1234567a"},
	{"versions", "v1.2.3.4 version 1.2.3.4 Version=1.0.0.0, AssemblyVersion(\"1.2.0.0\") ver. 10.1.2.3 openssl-1.0.2.1 1.2.3.4.5 1.2.3.4-rc1"},
	{"products", "Mozilla/5.0 Chrome/120.0.0.0 Safari/537.36"},
	{"nobody's addresses", "127.0.0.1 0.0.0.0 255.255.255.0 ::1 :: 127.8.9.1"},
	{"no addresses", "256.1.1.1 1.2.3 01.2.3.4 1.2.3.04 12:34 a1::b2 std::e2 00:1a:2b:3c:4d:5e 00:1a:2b:3c:4d:5e:6f:70 1:2"},
	{"fingerprint", "SHA1 aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd"},
	{"hex dump", "00000010: 4111 a111 1111 1111 1111 1111 1111 1111  A..............."},
	{"base64", "aGVsbG8gd29ybGQ0MTExMTExMTExMTExMTEx+4930901820/DE89370400440532013000abcdef=="},
	{"no mail", "@scope/pkg@1.2.3 actions/checkout@v4 photo@2x.png getty@tty1.service user@1000.service @bob a@b git@github.com:o/r.git x@v1.2.beta"},
	{"userinfo", "https://bob@example.com/x ssh://git@example.com postgres://bob:pw@db.example.com/x"},
	{"orders", "order 123-4567890-1234567 invoice 2024-000123 ticket 100200300 sku 1234-5678 rev 123456-7"},
	{"bare and weak", "123456789 111222333 9434765919 86095742719 44051401359 11144477735 999941057058 123456782 2123456701"},
	{"US numbers never given", "000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000"},
	{"wrong letters", "QQ123456C GB123456A AB123456E 12345678A X1234567A 131052-308A"},
	{"wrong dates", "321252-308T 07.13.30-033.28 441361-4285 000000-0000 990229-1234567"},
	{"small letters", "abcpe1234f 12345678z ab123456c"},
	{"years", "2021 2022 2023 1999 2000 2001"},
	{"thousands", "1 234 567 890 12 345 678 901 234"},
	{"no telephone", "+1234 +0100 a+49301234567 2+12345678901 +12345678901234567 +1 2 3 4 5 6 7 8 9"},
	{"the same digit", "111.111.111-11 000 000 000 00 0000 0000 0000 0000 0000 0000 0000"},
	{"a word on another line", "ssn\n123456789"},
	{"a word too far", "ssn of the person that was asked for in the last request: 123456789"},
	{"times behind a telephone", "phone 2024-01-31 mobile 12:30"},
}

func TestLookAlikesStay(t *testing.T) {
	s := all(t)
	for _, c := range staying {
		t.Run(c.name, func(t *testing.T) {
			if got := show(s, c.text); got != c.text {
				t.Error(got)
			}
		})
	}
}

func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.IntN(10))
	}
	return string(b)
}

func at(s string, i int) int { n, _ := strconv.Atoi(s[i : i+1]); return n }

// fits tries all ends of n digits and returns those that pass, to write a check the other way round.
func fits(head string, n int, pass func(id string) bool) []string {
	var out []string
	for i := range pow(10, n) {
		if id := head + fmt.Sprintf("%0*d", n, i); pass(id) {
			out = append(out, id)
		}
	}
	return out
}

func pow(x, n int) int {
	p := 1
	for range n {
		p *= x
	}
	return p
}

func mod(number string, m int64) int64 {
	n, ok := new(big.Int).SetString(number, 10)
	if !ok {
		panic(number)
	}
	return new(big.Int).Mod(n, big.NewInt(m)).Int64()
}

// luhnTable doubles a digit and adds the digits of the outcome.
var luhnTable = [10]int{0, 2, 4, 6, 8, 1, 3, 5, 7, 9}

func luhn(id string) bool {
	sum := 0
	for i := len(id) - 1; i >= 0; i -= 2 {
		sum += at(id, i)
		if i > 0 {
			sum += luhnTable[at(id, i-1)]
		}
	}
	return sum%10 == 0
}

// verhoeffTable is the multiplication of the dihedral group as Verhoeff prints it.
var verhoeffTable = [10]string{"0123456789", "1234067895", "2340178956", "3401289567", "4012395678", "5987604321", "6598710432", "7659821043", "8765932104", "9876543210"}

var permutationTable = [8]string{"0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258"}

func verhoeff(id string) bool {
	c := 0
	for i := range len(id) {
		p := at(permutationTable[i%8], at(id, len(id)-1-i))
		c = at(verhoeffTable[c], p)
	}
	return c == 0
}

func dot(id string, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += at(id, i) * w
	}
	return sum
}

// TestChecksAgree makes heads at random, writes each check a second way, and compares what passes over all ends of a number.
func TestChecksAgree(t *testing.T) {
	date := func(r *rand.Rand, layout string) string {
		day, month, year := 1+r.IntN(28), 1+r.IntN(12), r.IntN(100)
		return strings.NewReplacer("D", fmt.Sprintf("%02d", day), "M", fmt.Sprintf("%02d", month), "Y", fmt.Sprintf("%02d", year)).Replace(layout)
	}
	for _, c := range []struct {
		kind, word string
		head       func(r *rand.Rand) string
		free       int
		pass       func(id string) bool
		write      func(id string) string
	}{
		{"payment-card", "", func(r *rand.Rand) string { return "4" + digits(r, 13) }, 2, luhn, nil},
		{"payment-card", "", func(r *rand.Rand) string { return "37" + digits(r, 11) }, 2, luhn, nil},
		{"payment-card", "", func(r *rand.Rand) string { return "55" + digits(r, 12) }, 2, luhn, func(id string) string {
			return id[:4] + " " + id[4:8] + " " + id[8:12] + " " + id[12:]
		}},
		{"uk-nhs", "nhs ", func(r *rand.Rand) string { return "9" + digits(r, 7) }, 2, func(id string) bool {
			return dot(id, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)%11 == 0
		}, nil},
		{"fr-nir", "", func(r *rand.Rand) string { return date(r, "1YM") + digits(r, 8) }, 2, func(id string) bool {
			return (mod(id[:13], 97)+mod(id[13:], 97))%97 == 0 && id[13:] != "00" && id[13:] != "98" && id[13:] != "99"
		}, nil},
		{"nl-bsn", "bsn ", func(r *rand.Rand) string { return "1" + digits(r, 6) }, 2, func(id string) bool {
			return (dot(id, 9, 8, 7, 6, 5, 4, 3, 2)+10*at(id, 8))%11 == 0
		}, nil},
		{"be-national-number", "", func(r *rand.Rand) string { return date(r, "YMD") + digits(r, 3) }, 2, func(id string) bool {
			end := mod(id[9:], 1000)
			return end == 97-mod(id[:9], 97) || end == 97-mod("2"+id[:9], 97)
		}, nil},
		{"se-personnummer", "pnr ", func(r *rand.Rand) string { return date(r, "YMD") + digits(r, 2) }, 2, luhn, func(id string) string { return id[:6] + "-" + id[6:] }},
		{"no-fnr", "", func(r *rand.Rand) string { return date(r, "DMY") + digits(r, 2) }, 3, func(id string) bool {
			k1 := 11 - dot(id, 3, 7, 6, 1, 8, 9, 4, 5, 2)%11
			k2 := 11 - dot(id, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11
			return k1%11 == at(id, 9) && k2%11 == at(id, 10)
		}, nil},
		{"pl-pesel", "pesel ", func(r *rand.Rand) string { return date(r, "YMD") + digits(r, 3) }, 2, func(id string) bool {
			return (10-dot(id, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)%10)%10 == at(id, 10)
		}, nil},
		{"ch-ahv", "", func(r *rand.Rand) string { return "756" + digits(r, 8) }, 2, func(id string) bool {
			return (10-dot(id, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3)%10)%10 == at(id, 12)
		}, nil},
		{"br-cpf", "cpf ", func(r *rand.Rand) string { return "1" + digits(r, 8) }, 2, func(id string) bool {
			one := dot(id, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
			two := dot(id, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
			return one == at(id, 9) && two == at(id, 10)
		}, nil},
		{"br-cnpj", "", func(r *rand.Rand) string { return "1" + digits(r, 7) + "0001" }, 2, func(id string) bool {
			one := dot(id, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
			two := dot(id, 6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2) * 10 % 11 % 10
			return one == at(id, 12) && two == at(id, 13)
		}, nil},
		{"in-aadhaar", "aadhaar ", func(r *rand.Rand) string { return "5" + digits(r, 9) }, 2, verhoeff, nil},
		{"ca-sin", "sin ", func(r *rand.Rand) string { return "1" + digits(r, 6) }, 2, luhn, nil},
		{"au-tfn", "tfn ", func(r *rand.Rand) string { return "1" + digits(r, 6) }, 2, func(id string) bool {
			return dot(id, 1, 4, 3, 7, 5, 8, 6, 9, -1)%11 == 0
		}, nil},
		{"au-medicare", "medicare ", func(r *rand.Rand) string { return "2" + digits(r, 7) }, 2, func(id string) bool {
			return dot(id, 1, 3, 7, 9, 1, 3, 7, 9, 9)%10 == 0
		}, nil},
		{"de-tax-id", "steuer ", func(r *rand.Rand) string {
			p := r.Perm(9)
			head := ""
			for _, n := range p {
				head += strconv.Itoa(n + 1)
			}
			return head + head[4:5]
		}, 1, iso7064, nil},
		{"iban", "", func(r *rand.Rand) string { return digits(r, 18) }, 2, func(id string) bool {
			return mod(id[:18]+"1314"+id[18:], 97) == 1 && mod(id[18:], 100) >= 2 // D is 13, E is 14
		}, func(id string) string { return "DE" + id[18:] + id[:18] }},
	} {
		t.Run(c.kind, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(len(c.kind))))
			s := all(t, c.kind)
			write := c.write
			if write == nil {
				write = func(id string) string { return id }
			}
			passed := 0
			for range 30 {
				head := c.head(r)
				good := fits(head, c.free, c.pass)
				for _, id := range fits(head, c.free, func(string) bool { return true }) {
					text := c.word + write(id)
					found, _ := s.Find(nil, []byte(text), 0, true)
					if want := slices.Contains(good, id); want != (len(found) == 1) {
						// Ends that both arithmetics allow, though the issuer does not write them.
						if c.kind == "iban" && mod(id[18:], 100) < 2 {
							continue
						}
						t.Fatalf("%s: found %v, passes %v", text, found, want)
					}
				}
				passed += len(good)
			}
			if passed == 0 {
				t.Error("no number passed")
			}
		})
	}
}

// iso7064 is MOD 11,10 as the standard's recursion: the outcome over all digits is 1.
func iso7064(id string) bool {
	p := 10
	for i := range len(id) - 1 {
		s := (p + at(id, i)) % 10
		if s == 0 {
			s = 10
		}
		p = s * 2 % 11
	}
	return (p+at(id, len(id)-1))%10 == 1
}

// TestFiscalCodeAgrees writes the Italian check with the tables of the decree, letter by letter.
func TestFiscalCodeAgrees(t *testing.T) {
	odd := map[byte]int{
		'0': 1, '1': 0, '2': 5, '3': 7, '4': 9, '5': 13, '6': 15, '7': 17, '8': 19, '9': 21,
		'A': 1, 'B': 0, 'C': 5, 'D': 7, 'E': 9, 'F': 13, 'G': 15, 'H': 17, 'I': 19, 'J': 21, 'K': 2, 'L': 4, 'M': 18, 'N': 20, 'O': 11,
		'P': 3, 'Q': 6, 'R': 8, 'S': 12, 'T': 14, 'U': 16, 'V': 10, 'W': 22, 'X': 25, 'Y': 24, 'Z': 23,
	}
	s, r := all(t, "it-fiscal-code"), rand.New(rand.NewPCG(1, 2))
	for range 300 {
		head := ""
		for range 6 {
			head += string(rune('A' + r.IntN(26)))
		}
		head += digits(r, 2) + string("ABCDEHLMPRST"[r.IntN(12)]) + fmt.Sprintf("%02d", 1+r.IntN(28)+40*r.IntN(2)) + string(rune('A'+r.IntN(26))) + digits(r, 3)
		if r.IntN(3) == 0 {
			head = head[:14] + string("LMNPQRSTUV"[at(head, 14)])
		}
		sum := 0
		for i := range 15 {
			switch c := head[i]; {
			case i%2 == 0:
				sum += odd[c]
			case c <= '9':
				sum += int(c - '0')
			default:
				sum += int(c - 'A')
			}
		}
		for last := range 26 {
			text := head + string(rune('A'+last))
			if found, _ := s.Find(nil, []byte(text), 0, true); (len(found) == 1) != (last == sum%26) {
				t.Fatalf("%s: %v", text, found)
			}
		}
	}
}

func TestKinds(t *testing.T) {
	if _, err := personal.New([]string{"iban", "shoe-size"}); err == nil || !strings.Contains(err.Error(), `"shoe-size"`) || !strings.Contains(err.Error(), "payment-card, iban") {
		t.Error(err)
	}
	text := "4111111111111111 DE89370400440532013000 bob@example.com"
	if got := show(all(t, "iban"), text); got != "4111111111111111 «iban:DE89370400440532013000» bob@example.com" {
		t.Error(got)
	}
	if n := len(personal.Kinds()); n < 20 || len(slices.Compact(slices.Sorted(slices.Values(personal.Kinds())))) != n {
		t.Error(personal.Kinds())
	}
	var none *personal.Set
	if found, safe := none.Find(nil, []byte(text), 0, false); len(found) > 0 || safe != len(text) {
		t.Error(found, safe)
	}
}

func TestNumber(t *testing.T) {
	s := all(t)
	for digits, want := range map[string]string{
		"4111111111111111": "payment-card", "4111111111111112": "", "1700000000000": "", "123456789": "", "411111111111111e1": "", "-411111111111111": "", "": "",
	} {
		if got := s.Number([]byte(digits)); got != want {
			t.Errorf("%s: %q", digits, got)
		}
	}
	if got := all(t, "iban").Number([]byte("4111111111111111")); got != "" {
		t.Error(got)
	}
}

// TestSourceHoldsNone reads the standard library's source: no program text is a card or a bank account, and hardly anything else is
// taken for personal data.
func TestSourceHoldsNone(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	root := filepath.Join(strings.TrimSpace(string(out)), "src")
	if _, serr := os.Stat(filepath.Join(root, "net")); err != nil || serr != nil {
		t.Skip("no source of the standard library here")
	}
	const power = "2251799813685251" // 2⁵¹+3 has a Mastercard's range and a right check digit
	s := all(t, "payment-card", "iban", "us-ssn", "it-fiscal-code", "fr-nir", "be-national-number", "no-fnr", "ch-ahv", "br-cnpj")
	bytes := 0
	for _, dir := range []string{"net", "encoding", "time", "strconv", "math", "unicode", "compress", "runtime", "crypto"} {
		_ = filepath.WalkDir(filepath.Join(root, dir), func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			bytes += len(text)
			found, _ := s.Find(nil, text, 0, true)
			for _, f := range found {
				if string(text[f.Start:f.End]) == power {
					continue
				}
				t.Errorf("%s: %s %q", path, f.Kind, text[f.Start:f.End])
			}
			return nil
		})
	}
	t.Logf("%d bytes", bytes)
}
