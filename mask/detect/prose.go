package detect

import (
	"bytes"
	"strings"

	"weir/mask/field"
)

// mentions reports that one of the words stands in v that values are called by.
func mentions(v []byte) bool {
	for i := range v {
		switch v[i] | 0x20 {
		case 'p':
			if foldPrefix(v[i:], "password") || foldPrefix(v[i:], "passwd") || foldPrefix(v[i:], "privatekey") || foldPrefix(v[i:], "passphrase") {
				return true
			}
		case 't':
			if foldPrefix(v[i:], "token") {
				return true
			}
		case 's':
			if foldPrefix(v[i:], "secret") {
				return true
			}
		case 'k':
			if foldPrefix(v[i:], "key") && (i == 0 || !isLetter(v[i-1]) || v[i] == 'K' && v[i-1] >= 'a') {
				return true
			}
		case 'c':
			if foldPrefix(v[i:], "credential") || foldPrefix(v[i:], "cookie") {
				return true
			}
		case 'h':
			if foldPrefix(v[i:], "hash") {
				return true
			}
		}
	}
	return false
}

// proseNames are words of sentences about secrets.
const proseNames = " the a an your my our is are was be to of for and or not with must should will can cannot please enter that this it in on by from if when no new old has have been but also option parameter password passwords token secret key "

// prose reports words that make a sentence.
func prose(v []byte) bool {
	if bytes.IndexByte(v, ' ') < 0 {
		return false
	}
	return sentence(v)
}

// sentence reports two words or more of which one is of those that sentences are made of, or many.
func sentence(v []byte) bool {
	words, common := 0, 0
	for w := range bytes.FieldsSeq(v) {
		words++
		w = bytes.Trim(w, ".,;:!?()'\"`")
		if len(w) > 0 && len(w) <= 10 && isProse(w) {
			common++
		}
	}
	return words > 1 && common > 0 || words > 5
}

func isProse(w []byte) bool { return proseTable.has(w) }

// wordList is words in lower case. A text of several words that stand in it in that order is in it, too.
type wordList struct {
	text  string // with a blank around each
	words map[string]struct{}
}

func newWordList(text string) wordList {
	l := wordList{text, map[string]struct{}{}}
	for _, w := range strings.Fields(text) {
		l.words[w] = struct{}{}
	}
	return l
}

var (
	proseTable  = newWordList(proseNames)
	commonTable = newWordList(commonNames)
)

// has reports whether w, in any case, is in the list.
func (l *wordList) has(w []byte) bool {
	var buf [16]byte
	if len(w) > len(buf)-2 {
		return false
	}
	n := 1 + len(field.Lower(buf[1:], w))
	if bytes.IndexByte(w, ' ') < 0 {
		_, ok := l.words[string(buf[1:n])]
		return ok
	}
	buf[0], buf[n] = ' ', ' '
	return strings.Contains(l.text, string(buf[:n+1]))
}

// commonNames are words that stand beside the name of a password without being one.
const commonNames = " pass anonymous required optional string text none null missing invalid incorrect wrong expired changed unknown empty default value name hidden prompt type length field input true false enabled disabled yes not set unset given provided basic plain hash hashed md5 sha " +
	"define undef defined undefined ldap nis nisplus winbind db " +
	"denied failed failure error success accepted rejected ok is was the for and with from reset update forgot show hide strong weak static dynamic random auto never always compat flag flags option options argument arguments parameter parameters requisite sufficient include substack files sss systemd "

// commonWord reports one of them.
func commonWord(w []byte) bool { return len(w) <= 12 && commonTable.has(w) }
