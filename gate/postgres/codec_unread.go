package postgres

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"weir"
	"weir/gate/session"
)

// unknown refuses what refers to something that the gateway has not seen made, in the words that the target would have for it: drivers make it anew then.
func (c *codec) unknown(r *session.Requests, operation, what, name string) {
	d := r.Refuse(&weir.Command{Operation: operation, Text: operation + " " + name}, &weir.Denied{
		Kind: weir.DeniedContent, Rule: "unknown-" + strings.ReplaceAll(what, " ", "-"),
		Reason: "there is no " + what + " of this name that the gateway has seen", Hint: "prepare it by this connection's protocol and try again",
	})
	f := &fatal{code: "26000", message: what + ` "` + name + `" does not exist`, detail: refusalDetail(d), hint: d.Hint}
	switch {
	case what == "portal":
		f.code = "34000"
	case name == "":
		f.message = "unnamed prepared statement does not exist"
	}
	c.instead(r, f)
}

// mistake is what is wrong with a message, as the target says it.
type mistake struct{ state, message string }

// misformed is what is wrong with a message that ends too early, or has more than belongs to it.
func misformed(early bool) mistake {
	if early {
		return mistake{stateProtocol, "insufficient data left in message"}
	}
	return mistake{stateProtocol, "invalid message format"}
}

// misspelt is what is wrong with a text that is not UTF8.
func misspelt(text string) mistake {
	for text != "" {
		c, n := utf8.DecodeRuneInString(text)
		if c == utf8.RuneError && n < 2 {
			break
		}
		text = text[n:]
	}
	var seen string
	for i := range min(len(text), announced(text)) {
		seen += fmt.Sprintf(" 0x%02x", text[i])
	}
	return mistake{"22021", `invalid byte sequence for encoding "UTF8":` + seen}
}

// announced is how many bytes the first one of text says that its character has.
func announced(text string) int {
	switch c := text[0]; {
	case c&0xe0 == 0xc0:
		return 2
	case c&0xf0 == 0xe0:
		return 3
	case c&0xf8 == 0xf0:
		return 4
	}
	return 1
}

// unread refuses a message that cannot be read, which the target would answer with an error as well. typ is its type: one that it takes in its
// ordinary course.
func (c *codec) unread(r *session.Requests, typ byte, m mistake) error {
	d := r.Refuse(&weir.Command{Operation: "QUERY", Text: fmt.Sprintf("[a message of type %c that cannot be read]", typ)}, &weir.Denied{
		Kind: weir.DeniedRequest, Rule: "unread-message", Reason: "the message cannot be read", Err: errMalformed,
	})
	c.instead(r, &fatal{code: m.state, message: m.message, detail: refusalDetail(d)})
	if typ == 'Q' { // which a Sync is part of
		c.discard = false
		c.pushLast(entry{kind: owedSync})
		r.Own([]byte(syncing))
	}
	return nil
}

// foreign reports whether the target surely takes no such text, since it is not in the database's encoding.
func (c *codec) foreign(text string) bool { return c.verifies && !utf8.ValidString(text) }

// instead lets the target raise an error in the place of a message that it does not get, and says f for it: it is in the state then that it would be in.
func (c *codec) instead(r *session.Requests, f *fatal) {
	r.Own([]byte(abort))
	c.push(entry{kind: owedAbort, words: f.appendAs(nil, "ERROR")})
	c.due = c.pushed
	c.discard = true
}
