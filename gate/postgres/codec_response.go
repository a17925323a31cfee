package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"weir"
	"weir/gate/session"
	"weir/rules/sql"
)

var (
	errTarget  = errors.New("the target broke the protocol")
	errRefused = errors.New("the target refused it")
)

// streamAbove is the length in bytes above which a row is masked in pieces.
const streamAbove = 512 << 10

// Response masks the target's messages at the front of b.
func (c *codec) Response(a *session.Answers, b []byte) (int, error) {
	at := 0
	c.ahead.reset()
	for at < len(b) {
		if c.drop > 0 {
			n := min(c.drop, len(b)-at)
			a.Resume(a.Rewrite(at), at+n)
			c.drop -= n
			at += n
			continue
		}
		if c.big != nil {
			n, err := c.piece(a, b, at)
			if err != nil {
				return at, err
			}
			at += n
			continue
		}
		n, err := frameLength(b[at:])
		if err != nil {
			return at, err
		}
		if n > streamAbove && (b[at] == 'D' || b[at] == 'd') {
			started, err := c.startBig(a, b, at, n)
			if err != nil {
				return at, err
			}
			if !started {
				break
			}
			at += frameHeader
			continue
		}
		if n > c.Limit() {
			if len(b)-at < shownOfLong {
				break
			}
			if err := c.shorten(a, b, at); err != nil {
				return at, err
			}
			c.drop = n - shownOfLong
			at += shownOfLong
			continue
		}
		if n == 0 || n > len(b)-at {
			break
		}
		if at, err = c.response(a, b, at, at+n); err != nil {
			return at, err
		}
	}
	return at, nil
}

// response masks the whole message b[at:end], and rows that follow one. It returns where it stopped.
func (c *codec) response(a *session.Answers, b []byte, at, end int) (int, error) {
	switch b[at] {
	case 'D':
		return c.dataRows(a, b, at, end)
	case 'd':
		return c.copyRows(a, b, at, end)
	}
	return end, c.oneResponse(a, b, at, end)
}

// oneResponse masks the whole message b[at:end], which is no row.
func (c *codec) oneResponse(a *session.Answers, b []byte, at, end int) error {
	typ, body := b[at], b[at+frameHeader:end]
	e := c.front()
	switch typ {
	case 'N', 'A', 'S':
		return c.aside(a, b, at, end)
	case 'E':
		return c.failure(a, b, at, end)
	}
	if c.greeting {
		return c.greet(a, typ, body, at)
	}
	if e == nil || len(body) > 0 && strings.IndexByte("123nIsc", typ) >= 0 {
		return errTarget
	}
	switch typ {
	case 'T':
		return c.shape(a, b, at, end)
	case 'n':
		return c.noData(a, e, at, end)
	case 't':
		if e.kind != owedShape || e.st == nil {
			return errTarget
		}
		a.Bare(at)
		if !c.clean(a, body) {
			return errTarget
		}
		c.parameterTypes(e.st, body)
		return nil
	case '1', '2', '3':
		return c.agreed(a, e, typ, at, end)
	case 'C', 'I', 's':
		return c.complete(a, e, typ, b, at, end)
	case 'Z':
		return c.readyForQuery(a, e, body, at, end)
	case 'G', 'H', 'c':
		return c.copyResponse(a, e, typ, body, at)
	case 'V':
		if e.kind != owedQuery {
			return errTarget
		}
		return c.functionResult(a, b, at, end)
	}
	return errUnknown
}

// greet takes what follows a login besides settings: AuthenticationOk, BackendKeyData, and the ReadyForQuery that ends it.
func (c *codec) greet(a *session.Answers, typ byte, body []byte, at int) error {
	a.Bare(at)
	switch {
	case typ == 'R' && string(body) == "\x00\x00\x00\x00", typ == 'K':
		return nil
	case typ == 'Z' && len(body) == 1:
		c.tx, c.greeting = body[0], false
		return nil
	}
	return errTarget
}

// agreed takes ParseComplete, BindComplete and CloseComplete.
func (c *codec) agreed(a *session.Answers, e *entry, typ byte, at, end int) error {
	a.Bare(at)
	switch {
	case typ == '1' && e.kind == owedParse:
		e.st.pending, e.st.old = false, nil
	case typ == '2' && e.kind == owedBind:
	case typ == '3' && e.kind == owedClose:
	default:
		return errTarget
	}
	c.pop(a, end, nil)
	c.advance(a, end)
	return nil
}

// noData takes NoData.
func (c *codec) noData(a *session.Answers, e *entry, at, end int) error {
	a.Bare(at)
	own := e.kind == owedOwn
	switch {
	case e.kind != owedShape && !own:
		return errTarget
	case e.st != nil:
		e.st.known, e.st.desc, e.st.asked = true, nil, e.epoch
	case e.po != nil:
		e.po.known, e.po.desc, e.po.layout = true, nil, nil
		if st := e.po.st; st.known && st.desc == nil {
			st.asked = e.epoch
		}
	}
	if own {
		a.Resume(a.Rewrite(at), end)
	}
	c.pop(a, end, nil)
	c.advance(a, end)
	return nil
}

// parameterTypes takes a ParameterDescription.
func (c *codec) parameterTypes(st *statement, body []byte) {
	in := cursor{b: body}
	n := in.count()
	if len(in.b) != 4*n {
		return
	}
	types := make([]uint32, n)
	for i := range types {
		types[i] = uint32(in.int32()) //nolint:gosec // an oid
	}
	st.types = types
}

// complete takes CommandComplete, EmptyQueryResponse and PortalSuspended.
func (c *codec) complete(a *session.Answers, e *entry, typ byte, b []byte, at, end int) error {
	if e.kind != owedQuery && e.kind != owedRows {
		return errTarget
	}
	a.For(e.run.x, at)
	if typ == 'C' {
		tag := bytes.TrimSuffix(b[at+frameHeader:end], []byte{0})
		c.tagged(e, string(tag))
		c.undone = c.undone || string(tag) == "ROLLBACK"
		if f := e.facts; f != nil && f.changes && f.sql.Statements == 1 && !e.there && !c.silent && c.read.made != nil {
			c.read.made(e.name)
			c.forget()
		}
		if !plainTag(tag) {
			c.replaceBody(a, b, at, end, func(dst []byte) []byte { return append(a.Value(dst, "", tag), 0) })
		}
	}
	e.copied, e.shape = nil, nil
	if e.kind == owedQuery {
		return nil
	}
	if typ != 's' || e.po.fetched {
		e.run.ready = true
	}
	c.pop(a, end, nil)
	c.advance(a, end)
	return nil
}

// plainTag reports whether a tag is words and numbers only.
func plainTag(tag []byte) bool {
	for _, b := range tag {
		if (b < 'A' || b > 'Z') && (b < '0' || b > '9') && b != ' ' {
			return false
		}
	}
	return true
}

// tagged follows what a finished statement did to names. Statements end in order, so each is the next of its kind in the text.
func (c *codec) tagged(e *entry, tag string) {
	if !e.names {
		return
	}
	if !e.bindings.read {
		e.bindings.read, e.bindings.next = true, sql.Bindings(e.name, sql.Input{Conforming: true})
		e.bindings.hidden = !slices.ContainsFunc(e.bindings.next, func(b sql.Binding) bool {
			return b.Verb == "PREPARE" || b.Verb == "DEALLOCATE" || b.Verb == "DISCARD"
		})
	}
	switch {
	case tag == "DEALLOCATE ALL", tag == "DISCARD ALL", e.bindings.hidden: // a function did it
		clear(c.statements)
	case tag == "DEALLOCATE", tag == "PREPARE":
		for i := range e.bindings.next {
			b := &e.bindings.next[i]
			if b.Verb != tag || b.Name == "" {
				continue
			}
			e.bindings.next = e.bindings.next[i+1:]
			if delete(c.statements, b.Name); tag == "PREPARE" {
				c.statements[b.Name] = &statement{name: b.Name, text: e.name, facts: e.facts}
			}
			return
		}
		clear(c.statements)
	}
}

// readyForQuery ends a simple query or answers a Sync.
func (c *codec) readyForQuery(a *session.Answers, e *entry, body []byte, at, end int) error {
	if len(body) != 1 || e.kind != owedQuery && e.kind != owedSync {
		return errTarget
	}
	c.tx, c.copyIn = body[0], nil
	if e.kind == owedQuery {
		e.run.ready = true
	} else {
		a.Bare(at)
	}
	if c.tx == 'I' {
		c.closePortals(e.sync)
	}
	c.pop(a, end, nil)
	if c.tx == 'I' && c.read.ended != nil && (c.undone || !c.owes()) { // else what comes may have made names as well
		c.read.ended(!c.undone)
		c.undone = false
	}
	if c.altered && c.tx == 'I' { // only now others see it
		c.altered = c.owes()
		c.o.Changed()
	}
	c.deferred = c.deferred && (c.tx != 'I' || c.owes())
	for i := len(c.open) - 1; i >= 0; i-- {
		if r := c.open[i]; r.refs == 0 && (c.tx == 'I' || r.ready) {
			r.ready = true
			c.settle(a, r, end, nil)
		}
	}
	c.advance(a, end)
	return nil
}

// closePortals forgets those of the transaction that ended with a part of the stream, and none that the client has made since.
func (c *codec) closePortals(sync uint64) {
	if c.head+1 == len(c.queue) {
		clear(c.portals)
		return
	}
	for name, po := range c.portals {
		if po.sync <= sync {
			delete(c.portals, name)
		}
	}
}

// aside takes what may come at any time: notices, notifications, settings.
func (c *codec) aside(a *session.Answers, b []byte, at, end int) error {
	if e := c.front(); e != nil && e.run != nil {
		a.For(e.run.x, at)
	} else {
		a.For(nil, at)
	}
	in := cursor{b: b[at+frameHeader : end]}
	switch b[at] {
	case 'N':
		if e := c.front(); e != nil && bytes.Contains(in.b, []byte("C42P07\x00")) { // duplicate_table
			e.there = true
		}
		c.report(a, b, at, end)
	case 'A':
		pid := in.take(4)
		channel, payload := in.text(), in.text()
		if !in.done() {
			return errTarget
		}
		if len(payload) > 0 && c.o.Notified(binary.BigEndian.Uint32(pid)) {
			c.replaceBody(a, b, at, end, func(dst []byte) []byte {
				dst = append(a.Value(append(dst, pid...), "", channel), 0)
				return append(c.secret(a, dst, payload), 0)
			})
			return nil
		}
		c.replaceBody(a, b, at, end, func(dst []byte) []byte {
			dst = append(a.Value(append(dst, pid...), "", channel), 0)
			return append(a.Value(dst, "", payload), 0)
		})
	case 'S':
		name, value := in.text(), in.text()
		if !in.done() {
			return errTarget
		}
		c.status(string(name), string(value))
		if c.carries(string(name)) && (c.settingHolds(string(name)) || c.pendingSecrets()) {
			c.replaceBody(a, b, at, end, func(dst []byte) []byte {
				dst = append(a.Value(dst, "", name), 0)
				return append(c.secret(a, dst, value), 0)
			})
			return nil
		}
		c.replaceBody(a, b, at, end, func(dst []byte) []byte {
			dst = append(a.Value(dst, "", name), 0)
			return append(a.Value(dst, spokenName(string(name)), value), 0)
		})
	}
	return nil
}

// spokenName is what the value of a setting is masked by: its name, but for the one that sounds like a secret and is a role's name.
func spokenName(name string) string {
	if name == "session_authorization" {
		return ""
	}
	return name
}

// carries reports whether a setting takes any text: the others that a target tells of are words of a list, or not the session's to set.
func (c *codec) carries(name string) bool {
	switch strings.ToLower(name) {
	case "client_encoding", "server_encoding", "server_version", "standard_conforming_strings", "integer_datetimes", "datestyle", "intervalstyle", "is_superuser",
		"in_hot_standby", "session_authorization", "default_transaction_read_only", "scram_iterations":
		return false
	}
	return true
}

// replaceBody puts what f appends in the place of a message's body, when it differs, and reports whether it is the same.
func (c *codec) replaceBody(a *session.Answers, b []byte, at, end int, f func(dst []byte) []byte) (same bool) {
	c.scratch = f(c.scratch[:0])
	if bytes.Equal(c.scratch, b[at+frameHeader:end]) {
		return true
	}
	dst, from := begin(a.Rewrite(at), b[at])
	a.Resume(finish(append(dst, c.scratch...), from), end)
	return false
}

// clean reports whether numbers spell no secret, which only a target that means to could make them do.
func (c *codec) clean(a *session.Answers, numbers []byte) bool {
	c.cell = a.Value(c.cell[:0], "", numbers)
	return bytes.Equal(c.cell, numbers)
}

// functionResult masks a FunctionCallResponse as one unknown value.
func (c *codec) functionResult(a *session.Answers, b []byte, at, end int) error {
	e := c.front()
	a.For(e.run.x, at)
	in := cursor{b: b[at+frameHeader : end]}
	n := in.int32()
	if n < 0 {
		return nil
	}
	value := in.take(int(n))
	if !in.done() {
		return errTarget
	}
	masked, change := c.nested(a, nil, guess(value), "", value, 0)
	if change == weir.Unchanged {
		return nil
	}
	if change == weir.Masked && len(masked) > len(value) { // libraries have room for what they asked for only
		masked = bytes.Repeat([]byte{'*'}, len(value))
	}
	dst, from := begin(a.Rewrite(at), 'V')
	a.Resume(finish(appendCell(dst, masked, change), from), end)
	return nil
}
