package personal

import "math/bits"

const (
	maxForm    = 19 // the longest first word of a form
	maxShape   = 24
	maxFirst   = 7
	separators = 5
)

// form is one way to write a number. In shape, d is a digit, A a letter, X either; all else is itself.
type form struct {
	kind  kind
	shape string
	need  need
	check uint8
	// Where it has digits, letters, either and others, one bit for each byte.
	digits, letters, either, others uint32
	size                            int // of all but the others
}

// need is what else must speak for a number.
type need uint8

const (
	nothing need = iota
	capital      // a word before it when its letters are small
	lone         // no digits before or behind it, one blank apart
	word         // a word before it
)

// separator is the index of what stands behind the first word of a form, 0 for what is none.
func separator(c byte) int {
	switch c {
	case ' ':
		return 1
	case '-':
		return 2
	case '.':
		return 3
	case '+':
		return 4
	}
	return 0
}

// formTable is tried longest shape first, and of equal ones in this order. Forms without a need pass at random less than once in
// some hundred times, or have the official punctuation.
var formTable = []form{
	{kind: paymentCard, shape: "ddddddddddddd", check: checkCard},
	{kind: paymentCard, shape: "dddddddddddddd", check: checkCard},
	{kind: paymentCard, shape: "ddddddddddddddd", check: checkCard},
	{kind: paymentCard, shape: "dddddddddddddddd", check: checkCard},
	{kind: paymentCard, shape: "ddddddddddddddddd", check: checkBareCard},
	{kind: paymentCard, shape: "ddddddddddddddddd", need: word, check: checkCard},
	{kind: paymentCard, shape: "dddddddddddddddddd", check: checkBareCard},
	{kind: paymentCard, shape: "dddddddddddddddddd", need: word, check: checkCard},
	{kind: paymentCard, shape: "ddddddddddddddddddd", check: checkBareCard},
	{kind: paymentCard, shape: "ddddddddddddddddddd", need: word, check: checkCard},
	{kind: paymentCard, shape: "dddd dddd dddd dddd", check: checkCard},
	{kind: paymentCard, shape: "dddd-dddd-dddd-dddd", check: checkCard},
	{kind: paymentCard, shape: "dddd.dddd.dddd.dddd", check: checkCard},
	{kind: paymentCard, shape: "dddd dddd dddd dddd ddd", check: checkCard},
	{kind: paymentCard, shape: "dddd-dddd-dddd-dddd-ddd", check: checkCard},
	{kind: paymentCard, shape: "dddd dddddd ddddd", check: checkCard},
	{kind: paymentCard, shape: "dddd-dddddd-ddddd", check: checkCard},
	{kind: paymentCard, shape: "dddd dddddd dddd", check: checkCard},
	{kind: paymentCard, shape: "dddd-dddddd-dddd", check: checkCard},
	{kind: paymentCard, shape: "dddd ddd ddd ddd", check: checkCard},
	{kind: paymentCard, shape: "dddd-ddd-ddd-ddd", check: checkCard},
	{kind: paymentCard, shape: "dddddd ddddddddddddd", check: checkCard},

	{kind: usSSN, shape: "ddd-dd-dddd", check: checkSsn},
	{kind: usSSN, shape: "ddd dd dddd", need: word, check: checkSsn},
	{kind: usSSN, shape: "ddddddddd", need: word, check: checkSsn},

	{kind: ukNINO, shape: "AAddddddA", need: capital, check: checkNino},
	{kind: ukNINO, shape: "AA dddddd A", need: capital, check: checkNino},
	{kind: ukNINO, shape: "AA dd dd dd A", need: capital, check: checkNino},
	{kind: ukNINO, shape: "AA-dd-dd-dd-A", need: capital, check: checkNino},

	{kind: ukNHS, shape: "ddd ddd dddd", need: lone, check: checkNhs},
	{kind: ukNHS, shape: "ddd-ddd-dddd", need: word, check: checkNhs},
	{kind: ukNHS, shape: "dddddddddd", need: word, check: checkNhs},

	{kind: deTaxID, shape: "dd ddd ddd ddd", need: lone, check: checkTaxID},
	{kind: deTaxID, shape: "ddddddddddd", need: word, check: checkTaxID},
	{kind: deIDCard, shape: "XXXXXXXXXd", need: word, check: checkIDCard},

	{kind: frNIR, shape: "ddddddXdddddddd", need: capital, check: checkNir},
	{kind: frNIR, shape: "ddddddXdddddd dd", need: capital, check: checkNir},
	{kind: frNIR, shape: "d dd dd dX ddd ddd dd", need: capital, check: checkNir},

	{kind: esDNI, shape: "ddddddddA", need: capital, check: checkDni},
	{kind: esDNI, shape: "dddddddd-A", need: capital, check: checkDni},
	{kind: esDNI, shape: "dd.ddd.ddd-A", check: checkDni},
	{kind: esDNI, shape: "AdddddddA", need: capital, check: checkDni},
	{kind: esDNI, shape: "A-ddddddd-A", need: capital, check: checkDni},
	{kind: esDNI, shape: "A-dddddddA", need: capital, check: checkDni},

	{kind: itFiscalCode, shape: "AAAAAAXXAXXAXXXA", check: checkFiscalCode},

	{kind: nlBSN, shape: "dddd.dd.ddd", check: checkBsn},
	{kind: nlBSN, shape: "dddd dd ddd", need: word, check: checkBsn},
	{kind: nlBSN, shape: "ddddddddd", need: word, check: checkBsn},

	{kind: beNational, shape: "dd.dd.dd-ddd.dd", check: checkBelgian},
	{kind: beNational, shape: "dd.dd.dd-ddd-dd", check: checkBelgian},
	{kind: beNational, shape: "dddddd-ddd.dd", check: checkBelgian},
	{kind: beNational, shape: "dddddd-ddd-dd", check: checkBelgian},
	{kind: beNational, shape: "dddddd ddd dd", check: checkBelgian},
	{kind: beNational, shape: "ddddddddddd", check: checkBelgian},

	{kind: sePersonnummer, shape: "dddddd-dddd", check: checkSwedishDated},
	{kind: sePersonnummer, shape: "dddddddd-dddd", check: checkSwedishDated},
	{kind: sePersonnummer, shape: "dddddd-dddd", need: word, check: checkSwedish},
	{kind: sePersonnummer, shape: "dddddddd-dddd", need: word, check: checkSwedish},
	{kind: sePersonnummer, shape: "dddddd+dddd", check: checkSwedish},
	{kind: sePersonnummer, shape: "dddddddd+dddd", check: checkSwedish},
	{kind: sePersonnummer, shape: "dddddddddd", need: word, check: checkSwedish},
	{kind: sePersonnummer, shape: "dddddddddddd", need: word, check: checkSwedish},

	{kind: noFnr, shape: "dddddd ddddd", check: checkNorwegian},
	{kind: noFnr, shape: "ddddddddddd", check: checkNorwegian},

	{kind: fiHetu, shape: "dddddd-dddX", need: capital, check: checkHetu},
	{kind: fiHetu, shape: "dddddd+dddX", need: capital, check: checkHetu},
	{kind: fiHetu, shape: "ddddddAdddX", need: capital, check: checkHetuCentury},

	{kind: dkCPR, shape: "dddddd-dddd", check: checkCpr},

	{kind: plPESEL, shape: "ddddddddddd", need: word, check: checkPesel},

	{kind: chAHV, shape: "ddd.dddd.dddd.dd", check: checkAhv},
	{kind: chAHV, shape: "ddddddddddddd", check: checkAhv},

	{kind: brCPF, shape: "ddd.ddd.ddd-dd", check: checkCpf},
	{kind: brCPF, shape: "ddddddddd-dd", check: checkCpf},
	{kind: brCPF, shape: "ddddddddddd", need: word, check: checkCpf},
	{kind: brCNPJ, shape: "XX.XXX.XXX/XXXX-dd", check: checkCnpj},
	{kind: brCNPJ, shape: "dddddddddddddd", check: checkCnpjHead},
	{kind: brCNPJ, shape: "XXXXXXXXXXXXdd", need: word, check: checkCnpj},

	{kind: inAadhaar, shape: "dddd dddd dddd", need: lone, check: checkAadhaarNoYears},
	{kind: inAadhaar, shape: "dddd-dddd-dddd", check: checkAadhaarNoYears},
	{kind: inAadhaar, shape: "dddddddddddd", need: word, check: checkAadhaar},
	{kind: inPAN, shape: "AAAAAddddA", need: capital, check: checkPanPerson},
	{kind: inPAN, shape: "AAAAAddddA", need: word, check: checkPan},

	{kind: caSIN, shape: "ddd ddd ddd", need: lone, check: checkSin},
	{kind: caSIN, shape: "ddd-ddd-ddd", check: checkSin},
	{kind: caSIN, shape: "ddddddddd", need: word, check: checkSin},

	{kind: auTFN, shape: "ddd ddd ddd", need: word, check: checkTfn},
	{kind: auTFN, shape: "ddddddddd", need: word, check: checkTfn},
	{kind: auMedicare, shape: "dddd ddddd d", need: lone, check: checkMedicare},
	{kind: auMedicare, shape: "dddd-ddddd-d", check: checkMedicare},
	{kind: auMedicare, shape: "dddd ddddd d d", need: lone, check: checkMedicare},
	{kind: auMedicare, shape: "dddddddddd", need: word, check: checkMedicare},
	{kind: auMedicare, shape: "ddddddddddd", need: word, check: checkMedicare},
}

// formed looks for the forms whose first word is b[start:end]. Results are those of number; next is 0 when nothing was found.
func (f *finder) formed(start, end int) (next, cut int) {
	n := end - start
	if n > maxForm || !f.apart(start) {
		return 0, -1
	}
	lists := &f.s.forms[n]
	if end < len(f.b) {
		if by := separator(f.b[end]); by > 0 && len(lists[by]) > 0 {
			if next, cut = f.oneOf(lists[by], start); next > 0 || cut >= 0 {
				return next, cut
			}
		}
	}
	return f.oneOf(lists[0], start)
}

// oneOf tries forms at start.
func (f *finder) oneOf(forms []form, start int) (next, cut int) {
	b := f.b[start:min(len(f.b), start+maxShape)]
	if !likely(forms, b) {
		return 0, -1
	}
	// What forms are made of is the same for all but for its length.
	var id [maxShape]byte
	var digits, letters, small uint32
	n := 0
	for i, c := range b {
		class := uint32(classTable[c])
		digits |= class & digitByte << i
		letters |= class & letterByte / letterByte << i
		if class&(digitByte|letterByte) != 0 {
			if c >= 'a' {
				small |= 1 << i
				c &^= 0x20
			}
			id[n] = c
			n++
		}
	}
	for i := range forms {
		m := &forms[i]
		if !m.fits(digits, letters, len(b)) || !m.tied(b) {
			continue
		}
		if len(b) < len(m.shape) {
			if !f.final {
				return 0, start
			}
			continue
		}
		mine := uint32(1)<<len(m.shape) - 1
		if small&mine != 0 && letters&^small&mine != 0 {
			continue
		}
		id := id[:m.size]
		if !passes(m.check, id) || same(id) {
			continue
		}
		ok, wait := f.backed(m, start, small&mine != 0)
		if wait {
			return 0, start
		}
		if ok {
			return f.found(start, start+len(m.shape), m.kind)
		}
	}
	return 0, -1
}

// likely reports whether the first bytes of b have the classes of one of the forms: for most texts that is enough.
func likely(forms []form, b []byte) bool {
	if len(forms) == 0 {
		return false
	}
	b = b[:min(len(b), maxFirst)]
	var digits, letters uint32
	for i, c := range b {
		class := uint32(classTable[c])
		digits |= class & digitByte << i
		letters |= class & letterByte / letterByte << i
	}
	for i := range forms {
		if forms[i].fits(digits, letters, len(b)) {
			return true
		}
	}
	return false
}

// backed reports whether what stands around a number at start lets it be one of this form. small says that its letters are.
func (f *finder) backed(m *form, start int, small bool) (ok, wait bool) {
	end := start + len(m.shape)
	if ok, wait = f.ends(end); ok && m.need == lone {
		ok, wait = f.lone(start, end)
	}
	if ok && (m.need == word || m.need == capital && small) {
		ok = f.words(start, wordsBack).has(m.kind)
	}
	return ok, wait
}

// fits reports whether the first n bytes, of which digits and letters say what they are, have the form's classes.
func (m *form) fits(digits, letters uint32, n int) bool {
	wrong := m.digits&^digits | m.letters&^letters | m.either&^(digits|letters) | m.others&(digits|letters)
	return wrong&(1<<n-1) == 0
}

// mark fills the places of a form's bytes in.
func (m *form) mark() {
	for i := range len(m.shape) {
		switch m.shape[i] {
		case 'd':
			m.digits |= 1 << i
		case 'A':
			m.letters |= 1 << i
		case 'X':
			m.either |= 1 << i
		default:
			m.others |= 1 << i
		}
	}
	m.size = len(m.shape) - bits.OnesCount32(m.others)
}

// tied reports whether the separators in b are the form's.
func (m *form) tied(b []byte) bool {
	for left := m.others; left != 0; left &= left - 1 {
		if i := bits.TrailingZeros32(left); i < len(b) && b[i] != m.shape[i] {
			return false
		}
	}
	return true
}

// lone reports whether no other digits stand beside b[start:end], one blank apart.
func (f *finder) lone(start, end int) (ok, wait bool) {
	if start > 1 && f.b[start-1] == ' ' && isDigit(f.b[start-2]) {
		return false, false
	}
	if end+1 >= len(f.b) {
		if end < len(f.b) && f.b[end] != ' ' {
			return true, false
		}
		return f.final, !f.final
	}
	return f.b[end] != ' ' || !isDigit(f.b[end+1]), false
}

// same reports whether all of id is one character.
func same(id []byte) bool {
	for _, c := range id {
		if c != id[0] {
			return false
		}
	}
	return true
}
