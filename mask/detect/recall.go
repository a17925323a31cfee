package detect

import (
	"bytes"

	"weir/mask/field"
)

// recall is a name that was looked at before, the n bytes before end, and what it alone says.
type recall struct {
	end, n    int
	strength  field.Strength // if judged is set
	judged    bool
	spoken    bool // one of the words by which people speak of secrets
	directive bool // a word of configuration files that has its value behind a blank
}

// recalls is how many names a search remembers.
const recalls = 8

// recall returns what is known of the name b[from:to], which is not empty. The same names often come again. What it returns is good until the next call.
func (f *finder) recall(from, to int) *recall {
	if r := &f.names[f.lastName%recalls]; r.end == to && r.n == to-from {
		return r
	}
	return f.recallOther(from, to)
}

// recallOther is recall for another name than the last one that was asked for.
func (f *finder) recallOther(from, to int) *recall {
	n := to - from
	f.lastName = 7*uint(f.b[from]) + 3*uint(f.b[to-1]) + uint(n)
	r := &f.names[f.lastName%recalls]
	if r.n != n || !bytes.Equal(f.b[r.end-n:r.end], f.b[from:to]) {
		*r = recall{n: n, spoken: spokenWord(f.b[from:to]), directive: directiveWord(f.b[from:to])}
	}
	r.end = to
	return r
}

// match is what the name b[from:to] says.
func (f *finder) match(from, to int) field.Strength {
	if from == to {
		return field.None
	}
	r := f.recall(from, to)
	if !r.judged {
		r.strength, r.judged = f.s.names.Match(f.b[from:to]), true
	}
	return r.strength
}

// spoken reports one of the words by which people speak of secrets.
func (f *finder) spoken(from, to int) bool {
	return from < to && (from == 0 || f.b[from-1] == ' ' || f.b[from-1] == '\n') && f.recall(from, to).spoken
}

func spokenWord(word []byte) bool {
	if len(word) > 11 {
		return false
	}
	var buf [12]byte
	switch string(field.Lower(buf[:], word)) {
	case "key", "token", "password", "passwd", "secret", "passphrase", "credential", "credentials":
		return true
	}
	return false
}

// directive reports a word that stands at the beginning of a line of a configuration file, its value behind a blank.
func (f *finder) directive(from, to int) bool {
	return from < to && f.recall(from, to).directive && f.beginsLine(from)
}

func directiveWord(word []byte) bool {
	var buf [24]byte
	switch string(field.Lower(buf[:], word)) {
	case "requirepass", "masterauth", "bindpw", "rootpw", "auth_pass", "auth-pass", "ldapbindpasswd", "rootbindpw", "olcrootpw", "tls-key-file-pass", "tls-client-key-file-pass", "sentinel auth-pass", "smtppasswd", "proxypassword", "insecure-password",
		"wpa_passphrase", "wpa_psk", "ppp-password", "authpass", "http-password", "pap-password":
		return true
	}
	return false
}
