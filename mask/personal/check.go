package personal

// Checks: which function judges a number. They are no func values, so that what they look at stays on the stack.
const (
	checkCard uint8 = iota
	checkBareCard
	checkSsn
	checkNino
	checkNhs
	checkTaxID
	checkIDCard
	checkNir
	checkDni
	checkFiscalCode
	checkBsn
	checkBelgian
	checkSwedishDated
	checkSwedish
	checkNorwegian
	checkHetu
	checkHetuCentury
	checkCpr
	checkPesel
	checkAhv
	checkCpf
	checkCnpj
	checkCnpjHead
	checkAadhaarNoYears
	checkAadhaar
	checkPanPerson
	checkPan
	checkSin
	checkTfn
	checkMedicare
)

// passes judges a number without its separators: digits as ASCII, letters as capitals.
func passes(check uint8, id []byte) bool {
	switch check {
	case checkCard:
		return card(id)
	case checkBareCard:
		return bareCard(id)
	case checkSsn:
		return ssn(id)
	case checkNino:
		return nino(id)
	case checkNhs:
		return nhs(id)
	case checkTaxID:
		return taxID(id)
	case checkIDCard:
		return idCard(id)
	case checkNir:
		return nir(id)
	case checkDni:
		return dni(id)
	case checkFiscalCode:
		return fiscalCode(id)
	case checkBsn:
		return bsn(id)
	case checkBelgian:
		return belgian(id)
	case checkSwedishDated:
		return swedishDated(id)
	case checkSwedish:
		return swedish(id)
	case checkNorwegian:
		return norwegian(id)
	case checkHetu:
		return hetu(id)
	case checkHetuCentury:
		return hetuCentury(id)
	case checkCpr:
		return cpr(id)
	}
	return passesAbroad(check, id)
}

// passesAbroad judges the numbers that passes leaves.
func passesAbroad(check uint8, id []byte) bool {
	switch check {
	case checkPesel:
		return pesel(id)
	case checkAhv:
		return ahv(id)
	case checkCpf:
		return cpf(id)
	case checkCnpj:
		return cnpj(id)
	case checkCnpjHead:
		return cnpjHead(id)
	case checkAadhaarNoYears:
		return aadhaarNoYears(id)
	case checkAadhaar:
		return aadhaar(id)
	case checkPanPerson:
		return panPerson(id)
	case checkPan:
		return pan(id)
	case checkSin:
		return sin(id)
	case checkTfn:
		return tfn(id)
	case checkMedicare:
		return medicare(id)
	}
	return false
}

// luhn is ISO/IEC 7812-1, annex B.
func luhn(id []byte) bool {
	sum := 0
	for i := range id {
		n := int(id[len(id)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// weighted is the sum of digits times weights, which are written as bytes.
func weighted(id []byte, weights string) int {
	sum := 0
	for i := range len(weights) {
		sum += int(id[i]-'0') * int(weights[i])
	}
	return sum
}

// value is what the digits stand for.
func value(digits []byte) int {
	n := 0
	for _, c := range digits {
		n = n*10 + int(c-'0')
	}
	return n
}

// date reports whether there may be such a day: 29 February is taken for one in every year.
func date(day, month int) bool {
	const days = "\x00\x1f\x1d\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"
	return month >= 1 && month <= 12 && day >= 1 && day <= int(days[month])
}

// issuer is a range of the first six digits of cards, and how many digits they have.
type issuer struct {
	from, to int
	min, max int
	long     bool // numbers of more than 16 digits are usual
}

var issuerTable = []issuer{
	{from: 400000, to: 499999, min: 13, max: 13}, // Visa
	{from: 400000, to: 499999, min: 16, max: 16},
	{from: 400000, to: 499999, min: 19, max: 19},
	{from: 510000, to: 559999, min: 16, max: 16}, // Mastercard
	{from: 222100, to: 272099, min: 16, max: 16},
	{from: 340000, to: 349999, min: 15, max: 15}, // American Express
	{from: 370000, to: 379999, min: 15, max: 15},
	{from: 300000, to: 305999, min: 14, max: 14}, // Diners Club
	{from: 309500, to: 309599, min: 14, max: 14},
	{from: 360000, to: 369999, min: 14, max: 14},
	{from: 380000, to: 399999, min: 14, max: 14},
	{from: 300000, to: 305999, min: 16, max: 16},
	{from: 360000, to: 369999, min: 16, max: 16},
	{from: 380000, to: 399999, min: 16, max: 16},
	{from: 352800, to: 358999, min: 16, max: 19}, // JCB
	{from: 601100, to: 601199, min: 16, max: 19}, // Discover
	{from: 644000, to: 659999, min: 16, max: 19},
	{from: 620000, to: 629999, min: 16, max: 19, long: true}, // UnionPay
	{from: 810000, to: 829999, min: 16, max: 16},             // RuPay
	{from: 600000, to: 609999, min: 16, max: 16},
	{from: 508000, to: 508999, min: 16, max: 16},
	{from: 220000, to: 220499, min: 16, max: 19, long: true}, // Mir
	{from: 501800, to: 501899, min: 13, max: 19, long: true}, // Maestro
	{from: 502000, to: 502099, min: 13, max: 19, long: true},
	{from: 503800, to: 503899, min: 13, max: 19, long: true},
	{from: 589300, to: 589399, min: 13, max: 19, long: true},
	{from: 630400, to: 630499, min: 13, max: 19, long: true},
	{from: 675900, to: 675999, min: 13, max: 19, long: true},
	{from: 676100, to: 676399, min: 13, max: 19, long: true},
	{from: 506700, to: 506799, min: 16, max: 16}, // Elo
	{from: 509000, to: 509999, min: 16, max: 16},
	{from: 636200, to: 636399, min: 16, max: 16},
	{from: 506099, to: 506198, min: 16, max: 19}, // Verve
	{from: 979200, to: 979299, min: 16, max: 16}, // Troy
}

// card is a number of an issuer's range and length with its check digit.
func card(id []byte) bool { return issued(id, false) }

// bareCard is a card whose digits alone tell it from other numbers: those of 17 to 19 digits are as often random numbers of 64
// bits, so only issuers that write as many count.
func bareCard(id []byte) bool { return issued(id, len(id) > 16) }

func issued(id []byte, long bool) bool {
	if id[0] < '2' || !luhn(id) {
		return false
	}
	first, n := value(id[:6]), len(id)
	for i := range issuerTable {
		r := &issuerTable[i]
		if first >= r.from && first <= r.to && n >= r.min && n <= r.max && (r.long || !long) {
			return true
		}
	}
	return false
}

// ssn has no check digit; the Social Security Administration gives no number with these parts.
func ssn(id []byte) bool {
	area := value(id[:3])
	return area != 0 && area != 666 && area < 900 && value(id[3:5]) != 0 && value(id[5:]) != 0
}

// nino has no check digit; HMRC's manual NIM39110 tells the letters that are not used.
func nino(id []byte) bool {
	for i, never := range [2]string{"DFIQUV", "DFIOQUV"} {
		if in(never, id[i]) {
			return false
		}
	}
	switch string(id[:2]) {
	case "BG", "GB", "KN", "NK", "NT", "TN", "ZZ":
		return false
	}
	return id[8] >= 'A' && id[8] <= 'D'
}

func in(set string, c byte) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// nhs is the NHS data dictionary's modulus 11.
func nhs(id []byte) bool {
	check := 11 - weighted(id, "\x0a\x09\x08\x07\x06\x05\x04\x03\x02")%11
	return check%11 == int(id[9]-'0') && id[0] != '0'
}

// taxID is ISO 7064 MOD 11,10; of the first ten digits one is there twice or three times, all others at most once.
func taxID(id []byte) bool {
	if id[0] == '0' {
		return false
	}
	var count [10]int
	p := 10
	for _, c := range id[:10] {
		count[c-'0']++
		if p = (p + int(c-'0')) % 10; p == 0 {
			p = 10
		}
		p = p * 2 % 11
	}
	more := 0
	for _, n := range count {
		if n > 3 {
			return false
		}
		if n > 1 {
			more++
		}
	}
	return more == 1 && (11-p)%10 == int(id[10]-'0')
}

// idCard is a German identity card's serial number and its check digit (ICAO 9303, part 3, weights 7, 3, 1).
func idCard(id []byte) bool {
	sum := 0
	for i, c := range id[:9] {
		n := int(c - '0')
		if c >= 'A' {
			if in("ABDEIOQSU", c) {
				return false
			}
			n = int(c-'A') + 10
		}
		sum += n * int("\x07\x03\x01"[i%3])
	}
	return isLetter(id[0]) && sum%10 == int(id[9]-'0')
}

// nir is a French social security number: sex, year, month, department, commune, number, and 97 less the rest by 97. Corsica
// has letters.
func nir(id []byte) bool {
	if id[0] != '1' && id[0] != '2' && id[0] != '7' && id[0] != '8' {
		return false
	}
	if m := value(id[3:5]); m < 1 || m > 12 && m < 20 || m > 42 && m < 50 {
		return false
	}
	n := value(id[:5])*100 + int(id[5]-'0')*10
	switch c := id[6]; {
	case isDigit(c):
		n += int(c - '0')
	case id[5] == '2' && (c == 'A' || c == 'B'): // counts as 19, 18
		n -= int(c-'A') + 1
	default:
		return false
	}
	n = n*1_000_000 + value(id[7:13])
	return 97-n%97 == value(id[13:])
}

// dni is the letter of a Spanish DNI or NIE: the number's rest by 23.
func dni(id []byte) bool {
	var n int
	if isDigit(id[0]) {
		n = value(id[:8])
	} else {
		if id[0] < 'X' || id[0] > 'Z' {
			return false
		}
		n = int(id[0]-'X')*10_000_000 + value(id[1:8])
	}
	return id[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[n%23]
}

// fiscalCode is the Italian code of the decree of 23 December 1976; letters may stand for digits where two people share one.
func fiscalCode(id []byte) bool {
	const odd = "\x01\x00\x05\x07\x09\x0d\x0f\x11\x13\x15\x02\x04\x12\x14\x0b\x03\x06\x08\x0c\x0e\x10\x0a\x16\x19\x18\x17" // of A to Z, and of 0 to 9
	const digits = "LMNPQRSTUV"
	sum := 0
	for i, c := range id[:15] {
		n := int(c - 'A')
		if isDigit(c) {
			n = int(c - '0')
		} else if (i >= 6 && i != 8 && i != 11) && !in(digits, c) {
			return false
		}
		if i%2 == 0 {
			n = int(odd[n])
		}
		sum += n
	}
	if !in("ABCDEHLMPRST", id[8]) {
		return false
	}
	day := plain(id[9])*10 + plain(id[10])
	return (day >= 1 && day <= 31 || day >= 41 && day <= 71) && int(id[15]-'A') == sum%26
}

// plain is the digit that a letter stands for in a fiscal code.
func plain(c byte) int {
	for i := range 10 {
		if "LMNPQRSTUV"[i] == c {
			return i
		}
	}
	return int(c - '0')
}

// bsn is the Dutch eleven test; the last digit counts -1.
func bsn(id []byte) bool {
	return (weighted(id, "\x09\x08\x07\x06\x05\x04\x03\x02")-int(id[8]-'0'))%11 == 0
}

// belgian is 97 less the rest by 97, of the number with a 2 before it for who is born since 2000. Months may have 20 or 40 more (bis
// numbers), or be unknown.
func belgian(id []byte) bool {
	month, day := value(id[2:4]), value(id[4:6])
	if month %= 20; value(id[2:4]) > 52 || !date(day, month) && (month > 12 || day > 31 || month != 0 && day != 0) {
		return false
	}
	n, check := value(id[:9]), value(id[9:])
	return check == 97-n%97 || check == 97-(n+2_000_000_000)%97
}

// swedish is a date, by 60 days more for coordination numbers, and Luhn's digit over ten digits.
func swedish(id []byte) bool {
	if len(id) == 12 {
		if century := value(id[:2]); century < 18 || century > 20 {
			return false
		}
		id = id[2:]
	}
	day := value(id[4:6])
	if day > 60 {
		day -= 60
	}
	return date(day, value(id[2:4])) && luhn(id)
}

// swedishDated is a swedish number that does not look like the date and hour in the name of a file.
func swedishDated(id []byte) bool {
	n := len(id)
	year, hour, minute := value(id[n-10:n-8]), value(id[n-4:n-2]), value(id[n-2:])
	if year >= 10 && year <= 49 && hour < 24 && minute < 60 && (n == 10 || id[0] == '2') {
		return false
	}
	return swedish(id)
}

// norwegian is a date, by 40 days more for D numbers, with two digits of modulus 11.
func norwegian(id []byte) bool {
	day, month := value(id[:2]), value(id[2:4])
	if day > 40 {
		day -= 40
	}
	return date(day, month) && weighted(id, "\x03\x07\x06\x01\x08\x09\x04\x05\x02\x01")%11 == 0 &&
		weighted(id, "\x05\x04\x03\x02\x07\x06\x05\x04\x03\x02\x01")%11 == 0
}

// hetu is a date, a number and a sign for their rest by 31.
func hetu(id []byte) bool {
	if !date(value(id[:2]), value(id[2:4])) {
		return false
	}
	for _, c := range id[6:9] {
		if !isDigit(c) {
			return false
		}
	}
	return id[9] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[value(id[:9])%31]
}

// hetuCentury is a hetu with a letter for the century.
func hetuCentury(id []byte) bool {
	if !in("ABCDEFUVWXY", id[6]) {
		return false
	}
	var buf [10]byte
	return hetu(append(append(buf[:0], id[:6]...), id[7:]...))
}

// cpr has no check digit since 2007; only its date can be looked at.
func cpr(id []byte) bool {
	day := value(id[:2])
	if day > 60 {
		day -= 60 // of the health service
	}
	return date(day, value(id[2:4]))
}

// pesel is a date whose month tells the century, and a digit of modulus 10.
func pesel(id []byte) bool {
	if !date(value(id[4:6]), value(id[2:4])%20) {
		return false
	}
	return weighted(id, "\x01\x03\x07\x09\x01\x03\x07\x09\x01\x03\x01")%10 == 0
}

// ahv is an EAN-13 of country 756.
func ahv(id []byte) bool {
	return string(id[:3]) == "756" && weighted(id, "\x01\x03\x01\x03\x01\x03\x01\x03\x01\x03\x01\x03\x01")%10 == 0
}

// eleven is a Brazilian check digit: of the sum by 11, letters counting as their ASCII code less 48.
func eleven(id []byte, top int) byte {
	sum, w := 0, 2
	for i := range id {
		sum += int(id[len(id)-1-i]-'0') * w
		if w++; w > top {
			w = 2
		}
	}
	if sum %= 11; sum < 2 {
		return '0'
	}
	return byte('0' + 11 - sum)
}

func cpf(id []byte) bool { return eleven(id[:9], 11) == id[9] && eleven(id[:10], 11) == id[10] }

func cnpj(id []byte) bool { return eleven(id[:12], 9) == id[12] && eleven(id[:13], 9) == id[13] }

// cnpjHead is the number of a head office, as almost all are.
func cnpjHead(id []byte) bool { return string(id[8:12]) == "0001" && cnpj(id) }

// aadhaar is Verhoeff's digit: a product in the dihedral group of ten, the digits permuted by their place.
func aadhaar(id []byte) bool {
	const permute = "\x01\x05\x07\x06\x02\x08\x03\x00\x09\x04"
	if id[0] < '2' {
		return false
	}
	c := 0
	for i := range id {
		n := int(id[len(id)-1-i] - '0')
		for range i % 8 {
			n = int(permute[n])
		}
		c = dihedral(c, n)
	}
	return c == 0
}

// dihedral multiplies in the group of the pentagon's five turns (0 to 4) and five reflections (5 to 9).
func dihedral(a, b int) int {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return 5 + (a+b-5)%5
	case b < 5:
		return 5 + (a-5-b+5)%5
	}
	return (a - b + 5) % 5
}

// aadhaarNoYears is an aadhaar whose groups are not all years.
func aadhaarNoYears(id []byte) bool {
	for i := 0; i < 12; i += 4 {
		if year := value(id[i : i+4]); year < 1900 || year > 2100 {
			return aadhaar(id)
		}
	}
	return false
}

// pan has no check that is published; its fourth letter is the kind of the holder.
func pan(id []byte) bool { return in("ABCFGHJLPT", id[3]) && string(id[5:9]) != "0000" }

func panPerson(id []byte) bool { return id[3] == 'P' && pan(id) }

// sin is Luhn's digit; no number begins with 0, and those with 8 are not people's.
func sin(id []byte) bool { return id[0] != '0' && id[0] != '8' && luhn(id) }

func tfn(id []byte) bool { return weighted(id, "\x01\x04\x03\x07\x05\x08\x06\x09\x0a")%11 == 0 }

// medicare is a digit of modulus 10 at the ninth place, then the issue, then perhaps who on the card it is.
func medicare(id []byte) bool {
	return id[0] >= '2' && id[0] <= '6' && weighted(id, "\x01\x03\x07\x09\x01\x03\x07\x09")%10 == int(id[8]-'0')
}
