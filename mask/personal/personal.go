// Package personal finds personal data in text by what it looks like: payment cards, bank accounts, the numbers that states give
// to people, addresses of mail, telephones and machines. A number is found by its official form and its check digits; where
// these are weak, punctuation or a word before it on the same line must speak for it, too.
//
// It must never guess: a number that passes no check stays. It is pure, allocates nothing on a miss, does work linear in
// its input and is safe for concurrent use.
package personal

import (
	"fmt"
	"slices"
	"strings"
)

// Context is how many bytes before the place to search from are looked at, at most.
const Context = 256

// Finding is one item of personal data: b[Start:End].
type Finding struct {
	Start, End int
	Kind       string // as it stands in a placeholder: [a-z0-9-]+
}

type kind uint8

const (
	paymentCard kind = iota
	iban
	usSSN
	ukNINO
	ukNHS
	deTaxID
	deIDCard
	frNIR
	esDNI
	itFiscalCode
	nlBSN
	beNational
	sePersonnummer
	noFnr
	fiHetu
	dkCPR
	plPESEL
	chAHV
	brCPF
	brCNPJ
	inAadhaar
	inPAN
	caSIN
	auTFN
	auMedicare
	email
	phone
	ip
	kindCount
)

var kindNames = [kindCount]string{
	"payment-card", "iban", "us-ssn", "uk-nino", "uk-nhs", "de-tax-id", "de-id-card", "fr-nir", "es-dni", "it-fiscal-code", "nl-bsn",
	"be-national-number", "se-personnummer", "no-fnr", "fi-hetu", "dk-cpr", "pl-pesel", "ch-ahv", "br-cpf", "br-cnpj", "in-aadhaar",
	"in-pan", "ca-sin", "au-tfn", "au-medicare", "email", "phone", "ip",
}

// Kinds returns all kinds that New knows, in a new slice.
func Kinds() []string { return slices.Clone(kindNames[:]) }

// kinds is a set of kind.
type kinds uint32

func (k kinds) has(x kind) bool { return k&(1<<x) != 0 }

// Set is what is looked for. It is immutable.
type Set struct {
	on    kinds
	forms [maxForm + 1][separators][]form // by the length of the first word and what stands behind it
	banks [26 * 26]string                 // by the letters of a country: one class for each byte of an account
}

// New builds a Set that looks for kinds, or for all when there are none. It fails for an unknown kind.
func New(kinds []string) (*Set, error) {
	s := &Set{}
	for _, name := range kinds {
		k := slices.Index(kindNames[:], name)
		if k < 0 {
			return nil, fmt.Errorf("personal: there is no kind %q of personal data; there are %s", name, strings.Join(kindNames[:], ", "))
		}
		s.on |= 1 << k
	}
	if len(kinds) == 0 {
		s.on = 1<<kindCount - 1
	}
	s.load()
	return s, nil
}

// load fills the tables with the forms that are looked for, the longest first.
func (s *Set) load() {
	for _, f := range formTable {
		if !s.on.has(f.kind) {
			continue
		}
		n := strings.IndexFunc(f.shape, func(r rune) bool { return r != 'd' && r != 'A' && r != 'X' })
		by := 0
		if n >= 0 {
			by = separator(f.shape[n])
		} else {
			n = len(f.shape)
		}
		f.mark()
		list := &s.forms[n][by]
		*list = append(*list, f)
		slices.SortStableFunc(*list, func(a, b form) int { return len(b.shape) - len(a.shape) })
	}
	if s.on.has(iban) {
		for _, spec := range bankTable {
			at := int(spec[0]-'A')*26 + int(spec[1]-'A')
			s.banks[at] = classes(spec[2:])
		}
	}
}

// Number tells the kind of a number that stands alone and has no name, such as a number of JSON, or "". Only payment cards
// are known by their digits alone.
func (s *Set) Number(digits []byte) string {
	if s == nil || !s.on.has(paymentCard) || len(digits) < 13 || len(digits) > 19 {
		return ""
	}
	for _, c := range digits {
		if !isDigit(c) {
			return ""
		}
	}
	if !bareCard(digits) {
		return ""
	}
	return kindNames[paymentCard]
}
