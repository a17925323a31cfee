package personal

// How far before a number a word may stand that speaks for it, in bytes.
const (
	wordsBack = 48
	nearBack  = 24
)

// wordTable holds the words that speak for a kind, in small letters.
var wordTable = map[string]kinds{
	"card": 1 << paymentCard, "cardnumber": 1 << paymentCard, "creditcard": 1 << paymentCard, "cc": 1 << paymentCard, "visa": 1 << paymentCard, "mastercard": 1 << paymentCard,
	"maestro": 1 << paymentCard, "jcb": 1 << paymentCard, "discover": 1 << paymentCard, "karte": 1 << paymentCard, "kreditkarte": 1 << paymentCard, "carte": 1 << paymentCard, "tarjeta": 1 << paymentCard,
	"ssn": 1 << usSSN, "ssns": 1 << usSSN, "social": 1<<usSSN | 1<<caSIN,
	"nino": 1 << ukNINO, "ni": 1 << ukNINO, "insurance": 1<<ukNINO | 1<<caSIN,
	"nhs": 1 << ukNHS,
	"tin": 1 << deTaxID, "idnr": 1 << deTaxID, "steuer": 1 << deTaxID, "steuerid": 1 << deTaxID, "steuernummer": 1 << deTaxID, "identifikationsnummer": 1 << deTaxID,
	"steueridentifikationsnummer": 1 << deTaxID, "tax": 1<<deTaxID | 1<<auTFN,
	"ausweis": 1 << deIDCard, "personalausweis": 1 << deIDCard, "ausweisnummer": 1 << deIDCard, "ausweisnr": 1 << deIDCard, "perso": 1 << deIDCard, "personalausweisnummer": 1 << deIDCard,
	"nir": 1 << frNIR, "insee": 1 << frNIR, "sécu": 1 << frNIR, "sécurité": 1 << frNIR, "secu": 1 << frNIR,
	"dni": 1 << esDNI, "nie": 1 << esDNI, "nif": 1 << esDNI,
	"bsn": 1 << nlBSN, "burgerservicenummer": 1 << nlBSN, "sofi": 1 << nlBSN, "sofinummer": 1 << nlBSN,
	"personnummer": 1<<sePersonnummer | 1<<noFnr, "personnr": 1 << sePersonnummer, "pnr": 1 << sePersonnummer, "samordningsnummer": 1 << sePersonnummer,
	"hetu": 1 << fiHetu, "henkilötunnus": 1 << fiHetu, "henkilotunnus": 1 << fiHetu,
	"pesel": 1 << plPESEL,
	"cpf":   1 << brCPF, "cnpj": 1 << brCNPJ,
	"aadhaar": 1 << inAadhaar, "aadhar": 1 << inAadhaar, "uidai": 1 << inAadhaar,
	"pan": 1<<inPAN | 1<<paymentCard,
	"sin": 1 << caSIN, "nas": 1 << caSIN,
	"tfn": 1 << auTFN, "medicare": 1 << auMedicare,
	"tel": 1 << phone, "telephone": 1 << phone, "phone": 1 << phone, "phones": 1 << phone, "mobile": 1 << phone, "mobil": 1 << phone, "cell": 1 << phone, "cellphone": 1 << phone,
	"fax": 1 << phone, "telefon": 1 << phone, "telefono": 1 << phone, "telefone": 1 << phone, "teléfono": 1 << phone, "téléphone": 1 << phone, "tél": 1 << phone,
	"handy": 1 << phone, "telefonnummer": 1 << phone, "handynummer": 1 << phone, "móvil": 1 << phone, "movil": 1 << phone, "celular": 1 << phone, "gsm": 1 << phone, "whatsapp": 1 << phone,
	"msisdn": 1 << phone, "sms": 1 << phone, "telefoonnummer": 1 << phone, "telefoon": 1 << phone,
	"v": 1 << ip, "ver": 1 << ip, "version": 1 << ip, "versions": 1 << ip, "release": 1 << ip, "versión": 1 << ip, "build": 1 << ip, // these speak against it
}

const maxTableWord = 27

// words returns the kinds that words in the bytes before start speak for, at most back bytes away and on the same line. A name in
// camel case is several words.
func (f *finder) words(start, back int) (k kinds) {
	low := max(0, start-back)
	for p := start; p > low; {
		c := f.b[p-1]
		if c == '\n' || c == '\r' {
			break
		}
		if !wordByte(c) {
			p--
			continue
		}
		q := p - 1
		for q > 0 && p-q <= maxTableWord && wordByte(f.b[q-1]) && !f.hump(q) {
			q--
		}
		if n := p - q; n <= maxTableWord && (n > 1 || c|0x20 == 'v') {
			var buf [maxTableWord]byte
			for i, c := range f.b[q:p] {
				if c >= 'A' && c <= 'Z' {
					c += 'a' - 'A'
				}
				buf[i] = c
			}
			k |= wordTable[string(buf[:p-q])]
		}
		p = q
	}
	return k
}

// hump reports whether a word of camel case begins at q.
func (f *finder) hump(q int) bool {
	if c := f.b[q]; c < 'A' || c > 'Z' {
		return false
	}
	if c := f.b[q-1]; c < 'A' || c > 'Z' {
		return true
	}
	return q+1 < len(f.b) && f.b[q+1] >= 'a' && f.b[q+1] <= 'z'
}

func wordByte(c byte) bool { return c >= 0x80 || isLetter(c) }
