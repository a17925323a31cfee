package personal

import "strings"

// bankTable is the structure of accounts in the SWIFT registry of IBANs: a country, then how many digits (n), capital letters (a) or
// either (c) stand behind the two check digits.
var bankTable = []string{
	"AD8n12c", "AE19n", "AL8n16c", "AT16n", "AZ4a20c", "BA16n", "BE12n", "BG4a6n8c", "BH4a14c", "BI23n", "BR23n1a1c", "BY4c4n16c", "CH5n12c", "CR18n",
	"CY8n16c", "CZ20n", "DE18n", "DJ23n", "DK14n", "DO4c20n", "EE16n", "EG25n", "ES20n", "FI14n", "FK2a12n", "FO14n", "FR10n11c2n", "GB4a14n", "GE2a16n", "GI4a15c",
	"GL14n", "GR7n16c", "GT24c", "HN4a20n", "HR17n", "HU24n", "IE4a14n", "IL19n", "IQ4a15n", "IS22n", "IT1a10n12c", "JO4a4n18c", "KW4a22c", "KZ3n13c", "LB4n20c",
	"LC4a24c", "LI5n12c", "LT16n", "LU3n13c", "LV4a13c", "LY21n", "MC10n11c2n", "MD20c", "ME18n", "MK3n10c2n", "MN16n", "MR23n", "MT4a5n18c", "MU4a19n3a", "NI4a20n",
	"NL4a10n", "NO11n", "OM3n16c", "PK4a16c", "PL24n", "PS4a21c", "PT21n", "QA4a21c", "RO4a16c", "RS18n", "RU14n15c", "SA2n18c", "SC4a20n3a", "SD14n", "SE20n",
	"SI15n", "SK20n", "SM1a10n12c", "SO19n", "ST21n", "SV4a20n", "TL19n", "TN20n", "TR6n16c", "UA6n19c", "VA18n", "VG4a16n", "XK16n", "YE4a4n18c",
}

// classes writes a structure out, one class for each byte.
func classes(spec string) string {
	var out strings.Builder
	n := 0
	for i := range len(spec) {
		if c := spec[i]; isDigit(c) {
			n = n*10 + int(c-'0')
		} else {
			out.WriteString(strings.Repeat(spec[i:i+1], n))
			n = 0
		}
	}
	return out.String()
}

// account reads an IBAN (ISO 13616) whose first word is b[start:end], with or without a blank or hyphen behind every fourth
// byte. Results are those of number; next is 0 when nothing was found.
func (f *finder) account(start, end int) (next, cut int) {
	b := f.b[start:]
	if end-start < 4 || !isLetter(b[0]) || !isLetter(b[1]) || !isDigit(b[2]) || !isDigit(b[3]) || (b[0]^b[1])&0x20 != 0 {
		return 0, -1
	}
	bank := f.s.banks[int(b[0]&^0x20-'A')*26+int(b[1]&^0x20-'A')]
	if bank == "" || !f.apart(start) {
		return 0, -1
	}
	lower, rest, i := b[0]&0x20, 0, 4
	for n := 0; n < len(bank); i++ {
		if i == len(b) {
			if f.final {
				return 0, -1
			}
			return 0, start
		}
		c := b[i]
		if n%4 == 0 && (c == ' ' || c == '-') && isAlnum(b[i-1]) {
			continue
		}
		switch class := bank[n]; {
		case isDigit(c) && class != 'a':
			rest = (rest*10 + int(c-'0')) % 97
		case isLetter(c) && class != 'n' && c&0x20 == lower:
			rest = (rest*100 + int(c&^0x20-'A') + 10) % 97
		default:
			return 0, -1
		}
		n++
	}
	// The country and the check digits count last.
	rest = (rest*10000 + (int(b[0]&^0x20-'A')+10)*100 + int(b[1]&^0x20-'A') + 10) % 97
	if rest = (rest*100 + value(b[2:4])) % 97; rest != 1 {
		return 0, -1
	}
	ok, wait := f.ends(start + i)
	switch {
	case wait:
		return 0, start
	case !ok:
		return 0, -1
	}
	return f.found(start, start+i, iban)
}
