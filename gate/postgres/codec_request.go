package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"weir"
	"weir/gate/session"
)

// Request takes the client's messages at the front of b.
func (c *codec) Request(r *session.Requests, b []byte) (int, error) {
	at := 0
	for at < len(b) {
		if c.skip > 0 {
			n := min(c.skip, len(b)-at)
			c.skip -= n
			at += n
			continue
		}
		if c.pieces > 0 {
			n := min(c.pieces, len(b)-at)
			c.pieces -= n
			if err := c.request(r, copyPiece(b[at:at+n])); err != nil {
				return at, err
			}
			at += n
			continue
		}
		n, err := frameLength(b[at:])
		if err != nil {
			return at, err
		}
		if n > longestCopyData && n > len(b)-at && b[at] == 'd' {
			c.pieces = n - frameHeader
			at += frameHeader
			continue
		}
		if n == 0 || n > len(b)-at {
			if n > c.o.MaxStatement+frameHeader+1 {
				if err := c.tooLong(r, b[at], n); err != nil {
					return at, err
				}
				c.skip = n
				continue
			}
			break
		}
		if err := c.request(r, b[at:at+n]); err != nil && !errors.Is(err, errSkipped) {
			return at, err
		}
		at += n
	}
	return at, nil
}

// tooLong refuses a message that is not read.
func (c *codec) tooLong(r *session.Requests, typ byte, n int) error {
	if c.discard && typ != 'S' && typ != 'X' {
		return nil
	}
	d := &weir.Denied{
		Kind: weir.DeniedContent, Rule: "max-statement", Hint: "send it in smaller pieces",
		Reason: fmt.Sprintf("the message has %d bytes, more than the %d that may be in one", n, c.o.MaxStatement),
	}
	d = r.Refuse(&weir.Command{Operation: "QUERY", Text: fmt.Sprintf("[%d bytes that were not read]", n)}, d)
	switch typ {
	case 'Q', 'F':
		c.refuse(r, owedDenied, d)
		return nil
	case 'P', 'B', 'D', 'E', 'C':
		c.refuse(r, owedRefusal, d)
		c.discard = true
		return nil
	}
	return d
}

// request takes one whole message.
func (c *codec) request(r *session.Requests, frame []byte) error {
	typ, body := frame[0], frame[frameHeader:]
	if c.discard && typ != 'S' && typ != 'X' {
		return nil // as the target would, after an error
	}
	if c.copyIn != nil && strings.IndexByte("dcfHSX", typ) < 0 {
		return errUnknown // it would end the COPY, and be answered as part of it
	}
	switch typ {
	case 'Q':
		return c.query(r, frame, body)
	case 'P':
		return c.parse(r, frame, body)
	case 'B':
		return c.bind(r, frame, body)
	case 'D':
		return c.describe(r, frame, body)
	case 'E':
		return c.execute(r, frame, body)
	case 'C':
		return c.close(r, frame, body)
	case 'S':
		if err := c.copies(r); err != nil {
			return err
		}
		c.discard = false
		if c.copyIn != nil {
			return nil // the target would overlook it
		}
		c.pushLast(entry{kind: owedSync})
		r.Control(frame)
		return nil
	case 'H', 'X':
		if len(body) > 0 { // an error, after which the target skips what the gateway waits for
			return errMalformed
		}
		c.due = c.pushed
		r.Control(frame)
		return nil
	case 'd', 'c', 'f':
		return c.copyData(r, frame, body)
	case 'F':
		return c.call(r, frame, body)
	}
	return errUnknown
}

// copies waits until it is sure whether the target takes rows of a COPY, which the client sends a Sync behind: if it does it overlooks that, unless it has
// found a mistake already.
func (c *codec) copies(r *session.Requests) error {
	if !c.owes() || c.copyIn != nil {
		return nil
	}
	if e := &c.queue[len(c.queue)-1]; e.kind != owedRows || !has(e.facts.sql, "COPY") || !takesRows(e.name) {
		return nil
	}
	c.flush(r)
	return r.Wait(func() bool { return c.copyIn != nil || !c.owes() })
}

// ready waits until what a text means is sure.
func (c *codec) ready(r *session.Requests, text string) error {
	if c.naming == 0 || !strings.Contains(strings.ToLower(text), "execute") {
		return nil
	}
	return c.settled(r)
}

// command is a statement for the session to decide on.
func (c *codec) command(text string, f *facts) *weir.Command {
	cmd := &weir.Command{}
	c.fill(cmd, text, f)
	return cmd
}

// fill makes a command of a statement.
func (c *codec) fill(cmd *weir.Command, text string, f *facts) {
	*cmd = weir.Command{Operation: f.verb(), Text: text, SQL: f.sql, Literals: f.hides}
	if f.fingerprint != text {
		cmd.Fingerprint = f.fingerprint
	}
}

// query is a simple Query: any number of statements.
func (c *codec) query(r *session.Requests, frame, body []byte) error {
	if len(body) == 0 || bytes.IndexByte(body, 0) != len(body)-1 {
		return c.unread(r, frame[0], misformed(false))
	}
	text := string(body[:len(body)-1])
	if c.foreign(text) {
		return c.unread(r, frame[0], misspelt(text))
	}
	if err := c.ready(r, text); err != nil {
		return err
	}
	f := c.factsOf(text)
	cmd := c.command(text, f)
	if d := c.unfit(text, f); d != nil {
		c.refuse(r, owedDenied, r.Refuse(cmd, d))
		return nil
	}
	x := c.allowed(r, cmd)
	if x == nil {
		return nil
	}
	c.sent(text, f)
	delete(c.statements, "") // a simple Query ends both
	delete(c.portals, "")
	c.pushLast(entry{kind: owedQuery, run: c.begin(x), facts: f, names: f.names, name: text})
	return r.Forward(x, frame)
}

// allowed asks for a command that is one message, which a ReadyForQuery answers. nil: it is not to be forwarded, and the client is told why if it has to be.
func (c *codec) allowed(r *session.Requests, cmd *weir.Command) *session.Exchange {
	cmd.Held = c.holding(r)
	x, d := c.ask(r, cmd)
	if d != nil {
		c.refuse(r, owedDenied, d)
		return nil
	}
	return x
}

// holding tells the client that its statement waits.
func (c *codec) holding(r *session.Requests) func(weir.RequestID) {
	if c.held != nil && c.heldBy == r {
		return c.held
	}
	c.heldBy = r
	c.held = func(id weir.RequestID) {
		message, detail, hint := c.o.HeldNotice(id)
		notice := appendNotice(nil, message, detail, hint)
		if c.big != nil {
			c.late = append(c.late, notice...)
			return
		}
		r.Reply(notice)
	}
	return c.held
}

// parse is Parse: the statement is decided on when it comes, and again when it is bound.
func (c *codec) parse(r *session.Requests, frame, body []byte) error {
	in := cursor{b: body}
	name, raw := string(in.text()), in.text()
	n := in.count()
	if in.bad || len(in.b) != 4*n {
		return c.unread(r, frame[0], misformed(in.bad || len(in.b) < 4*n))
	}
	types := make([]uint32, n)
	for i := range types {
		types[i] = uint32(in.int32()) //nolint:gosec // an oid
	}
	text := c.textOf(name, raw)
	if c.foreign(text) {
		return c.unread(r, frame[0], misspelt(text))
	}
	if err := c.settled(r); err != nil { // what takes names away must not take this one
		return err
	}
	f := c.factsOf(text)
	cmd := &c.asked
	defer func() { *cmd = weir.Command{} }()
	c.fill(cmd, text, f)
	d := c.unfit(text, f)
	if d != nil {
		d = r.Refuse(cmd, d)
	} else {
		d = r.Prepare(cmd)
	}
	if d != nil {
		c.refuse(r, owedRefusal, d)
		c.discard = true
		return nil
	}
	st := &statement{name: name, text: text, facts: f, epoch: c.epoch, types: types, pending: true, sync: c.sync, old: c.statements[name]}
	if old := st.old; old != nil {
		old.old = nil // one step back is all that is ever needed
		if old.text == text {
			st.layout, st.named, st.params = old.layout, old.named, old.params
		}
	}
	c.statements[name] = st
	c.push(entry{kind: owedParse, st: st, name: name})
	r.Control(frame)
	return nil
}

// textOf is a statement's text; the string of the one that it takes the name of, if that is the same.
func (c *codec) textOf(name string, raw []byte) string {
	if old := c.statements[name]; old != nil && old.text == string(raw) {
		return old.text
	}
	return string(raw)
}

// bind is Bind: a command with its parameters.
func (c *codec) bind(r *session.Requests, frame, body []byte) error {
	defer c.unbind()
	in := cursor{b: body}
	portalName, name := string(in.text()), string(in.text())
	formats := in.int16s()
	values := c.valuesOf(&in)
	results := in.int16s()
	if !in.done() {
		return c.unread(r, frame[0], misformed(in.bad))
	}
	st, err := c.statement(r, name)
	if err != nil {
		return err
	}
	if st == nil {
		c.unknown(r, "BIND", "prepared statement", name)
		return nil
	}
	f := c.picked(c.current(st), values)
	po := &portal{name: portalName, st: st, facts: f, formats: results, sync: c.sync, opened: c.opened}
	cmd := &c.asked
	defer func() { *cmd = weir.Command{} }()
	c.fill(cmd, st.text, f)
	po.attrs = parameterAttrs(st, formats, values, f.hides)
	cmd.Attrs = po.attrs
	cmd.Parameters = c.boundTo(st, formats, values, results)
	if d := c.unfit(st.text, f); d != nil {
		c.refuse(r, owedRefusal, r.Refuse(cmd, d))
		c.discard = true
		return nil
	}
	cmd.Held = c.holding(r)
	x, d := c.ask(r, cmd)
	if d != nil {
		c.refuse(r, owedRefusal, d)
		c.discard = true
		return nil
	}
	if x == nil {
		return nil
	}
	po.first.x = x
	po.run = c.follow(&po.first)
	c.portals[portalName] = po
	if (portalName != "" || f.touched) && c.read.portal != nil {
		c.read.portal(portalName, f.sql)
	}
	c.push(entry{kind: owedBind, run: po.run, po: po})
	return r.Forward(x, frame)
}

// describe is Describe.
func (c *codec) describe(r *session.Requests, frame, body []byte) error {
	in := cursor{b: body}
	what, name := in.byte(), string(in.text())
	if !in.done() || what != 'S' && what != 'P' {
		return c.unread(r, frame[0], misformed(in.bad))
	}
	e := entry{kind: owedShape}
	if what == 'S' {
		st, err := c.statement(r, name)
		if err != nil {
			return err
		}
		if e.st = st; st == nil {
			c.unknown(r, "DESCRIBE", "prepared statement", name)
			return nil
		}
	} else if e.po = c.portals[name]; e.po != nil { // else it may be a cursor of DECLARE; its rows come by FETCH only
		e.po.asked = true
		e.run = e.po.run
		if e.run.over {
			e.run = nil
		}
	}
	e.epoch = c.epoch
	c.push(e)
	r.Control(frame)
	return nil
}

// execute is Execute: rows of a portal.
func (c *codec) execute(r *session.Requests, frame, body []byte) error {
	in := cursor{b: body}
	name := string(in.text())
	rows := in.int32()
	if !in.done() {
		return c.unread(r, frame[0], misformed(in.bad))
	}
	po := c.portals[name]
	if po == nil {
		if po = c.fetch(r, name, rows); po == nil {
			return nil
		}
	}
	if po.facts.hangs && !po.begun && po.opened != c.opened {
		d := r.Refuse(c.command(po.st.text, po.facts), &weir.Denied{
			Kind: weir.DeniedContent, Rule: "portal-anew", Reason: "what this stands for may be another since it was bound", Hint: "bind it anew",
		})
		c.refuse(r, owedRefusal, d)
		c.discard = true
		return nil
	}
	if po.run.over {
		cmd := c.command(po.st.text, po.facts)
		cmd.Attrs, cmd.Parameters = po.attrs, unbound
		x, d := r.Ask(cmd)
		if d != nil {
			c.refuse(r, owedRefusal, d)
			c.discard = true
			return nil
		}
		po.run = c.begin(x)
	}
	if c.unsure(po) {
		own, at := begin(nil, 'D')
		r.Own(finish(append(append(append(own, 'P'), name...), 0), at))
		c.push(entry{kind: owedOwn, po: po, run: po.run, epoch: c.epoch})
		po.asked = true
	}
	if now := c.current(po.st); now.touched && !po.facts.touched { // names mean something else by now
		po.facts, po.layout = now, nil
	}
	f := po.facts
	po.begun, c.wrote = true, c.wrote || !f.sql.ReadOnly
	c.sent(po.st.text, f)
	c.push(entry{kind: owedRows, run: po.run, po: po, facts: f, names: f.names, name: po.st.text})
	return r.Forward(po.run.x, frame)
}

// fetch decides on an Execute of a cursor that DECLARE made as on the FETCH that it is; nil when the answer is given. There is one to each Execute.
func (c *codec) fetch(r *session.Requests, name string, rows int32) *portal {
	if name == "" || c.read.cursor == nil || !c.read.cursor(name) {
		c.unknown(r, "EXECUTE", "portal", name)
		return nil
	}
	count := "ALL"
	if rows > 0 {
		count = strconv.Itoa(int(rows))
	}
	text := "FETCH " + count + ` FROM "` + strings.ReplaceAll(name, `"`, `""`) + `"`
	f := c.factsOf(text)
	cmd := c.command(text, f)
	cmd.Held = c.holding(r)
	x, d := c.ask(r, cmd)
	if d != nil {
		c.refuse(r, owedRefusal, d)
		c.discard = true
	}
	if x == nil {
		return nil
	}
	return &portal{
		name: name, st: &statement{text: text, facts: f, epoch: c.epoch}, facts: f, run: c.begin(x), sync: c.sync, opened: c.opened, fetched: true,
	}
}

// unsure reports whether the target must be asked what the rows of a portal are: nobody has, or an answer of before may not be true any more.
func (c *codec) unsure(po *portal) bool {
	if po.opened != c.opened { // its name may be another's
		if po.opened.secret != c.opened.secret {
			po.facts = doubted(po.facts)
		}
		po.opened = c.opened
		return true
	}
	return !po.asked && (!po.st.known || po.st.asked != c.epoch || po.facts.hangs)
}

// unbound is asked for what an approval is to be bound to when a portal is run again that has come to its end. Its parameters are not there any more.
func unbound() ([]byte, error) {
	return nil, &weir.Denied{
		Kind: weir.DeniedContent, Rule: "portal-again", Reason: "a portal that has come to its end cannot wait for approval", Hint: "bind it anew",
	}
}

// close is Close.
func (c *codec) close(r *session.Requests, frame, body []byte) error {
	in := cursor{b: body}
	what, name := in.byte(), string(in.text())
	if !in.done() || what != 'S' && what != 'P' {
		return c.unread(r, frame[0], misformed(in.bad))
	}
	e := entry{kind: owedClose, name: name}
	if what == 'S' {
		e.st = c.statements[name]
		delete(c.statements, name)
	} else if po := c.portals[name]; po != nil {
		delete(c.portals, name)
		if !po.run.over {
			e.run = po.run
			po.run.ready = true
		}
	}
	c.push(e)
	r.Control(frame)
	return nil
}
