package postgres

import (
	"bytes"
	"strings"

	"weir/gate/session"
)

// failure takes an ErrorResponse.
func (c *codec) failure(a *session.Answers, b []byte, at, end int) error {
	e := c.front()
	if e != nil && e.run != nil {
		a.For(e.run.x, at)
	} else {
		a.For(nil, at)
	}
	if e != nil && e.kind == owedAbort && !isFatal(b[at+frameHeader:end]) {
		a.Bare(at)
		a.Resume(a.Rewrite(at), end)
		a.Insert(e.words, end)
		c.broke(a, end, errRefused)
		return nil
	}
	c.report(a, b, at, end)
	c.leaves = c.leaves || isFatal(b[at+frameHeader:end])
	c.copyIn = nil
	if e == nil || e.kind == owedSync {
		return nil
	}
	if f := e.facts; f != nil && f.changes && c.read.failed != nil {
		c.read.failed(e.name)
		c.forget()
	}
	if e.kind == owedQuery {
		e.copied, e.shape = nil, nil
		return nil
	}
	c.broke(a, end, errRefused)
	c.advance(a, end)
	return nil
}

// report masks the fields of an ErrorResponse or NoticeResponse.
func (c *codec) report(a *session.Answers, b []byte, at, end int) {
	near, raises := c.nearSecrets(b[at+frameHeader : end])
	secretive := c.pendingSecrets()
	raised := false
	if secretive || near {
		var parsed bool
		raised, parsed = origin(b[at+frameHeader : end])
		secretive, near = secretive && !parsed, near && !parsed
		raised = raised && (secretive || raises)
	}
	c.replaceBody(a, b, at, end, func(dst []byte) []byte {
		in := cursor{b: b[at+frameHeader : end]}
		for len(in.b) > 0 && in.b[0] != 0 {
			typ := in.byte()
			value := in.text()
			dst = append(dst, typ)
			switch {
			case in.bad:
			case raised && strings.IndexByte("SVPpFLR", typ) < 0:
				dst = c.raisedField(a, dst, typ, value)
			case (secretive || near) && strings.IndexByte("DWq", typ) >= 0:
				dst = c.secret(a, dst, value)
			case secretive && typ == 'M':
				dst = c.quotedSecrets(a, dst, value)
			case typ == 'C' && len(value) != 5:
				dst = append(dst, "XX000"...) // no SQLSTATE
			default:
				dst = a.Value(dst, "", value)
			}
			dst = append(dst, 0)
		}
		return append(dst, 0)
	})
}

// isFatal reports whether an error is the target's last word.
func isFatal(fields []byte) bool {
	in := cursor{b: fields}
	for len(in.b) > 0 && in.b[0] != 0 {
		typ, value := in.byte(), in.text()
		if typ == 'V' {
			return string(value) == "FATAL" || string(value) == "PANIC"
		}
	}
	return false
}

// origin tells where an error or notice comes from. raised: its text is a function's own, RAISE or ASSERT took it, as does what says nothing of its origin.
// parsed: it speaks of the client's own text, of which a place is named, and no function is under way, so no row has been read.
func origin(fields []byte) (raised, parsed bool) {
	in := cursor{b: fields}
	routine, seen := "", [256]bool{}
	for len(in.b) > 0 && in.b[0] != 0 {
		typ, value := in.byte(), in.text()
		if seen[typ] = true; typ == 'R' {
			routine = string(value)
		}
	}
	raised = routine == "" || routine == "exec_stmt_raise" || routine == "exec_stmt_assert"
	return raised, !raised && seen['P'] && !seen['p'] && !seen['q'] && !seen['W']
}

// raisedField masks a field that a function has made up, of what it read. Its code stays where it is one of the server's.
func (c *codec) raisedField(a *session.Answers, dst []byte, typ byte, value []byte) []byte {
	if typ != 'C' {
		return c.secret(a, dst, value)
	}
	if len(value) == 5 && (string(value[2:]) == "000" || string(value[:2]) == "P0" || bytes.IndexFunc(value, func(r rune) bool { return r < '0' || r > '9' }) < 0) {
		return append(dst, value...)
	}
	return append(dst, "P0001"...) // raise_exception
}

// pendingSecrets reports whether what is under way may touch secrets.
func (c *codec) pendingSecrets() bool { return c.pending(c.secretive) }

// pending reports whether what is under way, up to the next Sync, is so.
func (c *codec) pending(is func(*facts) bool) bool {
	for i := c.head; i < len(c.queue); i++ {
		e := &c.queue[i]
		f := e.facts
		if f == nil && e.po != nil {
			f = e.po.facts
		}
		if f == nil && e.st != nil {
			f = e.st.facts
		}
		if f != nil && is(f) {
			return true
		}
		if e.kind == owedSync || e.kind == owedQuery {
			break
		}
	}
	return false
}

// secret appends what stands for a value that is a secret as a whole.
func (c *codec) secret(a *session.Answers, dst, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	if c.whole == nil {
		c.whole = a.Columns(wholeColumn())
	}
	dst, _ = c.whole.Cell(dst, 0, value, a.Tally())
	return dst
}

// quotedSecrets masks what stands in quotes in a message, or behind a colon where nothing does, and the rest by what it is. Where there are numbers
// outside of quotes, as where bytes are told, it masks the message.
func (c *codec) quotedSecrets(a *session.Answers, dst, value []byte) []byte {
	from, to := bytes.IndexByte(value, '"'), bytes.LastIndexByte(value, '"')
	if from < 0 || tells(value[:from]) || to > from && tells(value[to:]) {
		if tells(value) {
			return c.secret(a, dst, value) // numbers, and quotes of other languages
		}
		if colon := bytes.Index(value, []byte(": ")); colon >= 0 { // operator does not exist: +
			return c.secret(a, a.Value(dst, "", value[:colon+2]), value[colon+2:])
		}
		return a.Value(dst, "", value)
	}
	if to == from {
		to = len(value)
	}
	dst = append(a.Value(dst, "", value[:from]), '"')
	dst = c.secret(a, dst, value[from+1:to])
	return a.Value(dst, "", value[to:])
}

// tells reports whether a text has numbers, or letters of other languages.
func tells(text []byte) bool {
	return bytes.IndexFunc(text, func(r rune) bool { return r >= '0' && r <= '9' || r >= 0x80 }) >= 0
}
