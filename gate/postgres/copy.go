package postgres

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"

	"weir"
	"weir/gate/session"
)

// copyIn is COPY … FROM STDIN under way.
type copyIn struct {
	run    *run
	record io.WriteCloser
	rows   *copying         // masks the rows for the record
	masks  *session.Answers // how
	lost   bool             // what follows cannot be told
}

// keep records data masked: row by row where they can be told apart.
func (in *copyIn) keep(c *codec, data []byte, last bool) error {
	k := in.rows
	if in.lost {
		return nil
	}
	k.partial = append(k.partial, data...)
	if last && !k.binary && len(k.partial) > 0 && k.partial[len(k.partial)-1] != '\n' {
		k.partial = append(k.partial, '\n')
	}
	out, used, _, err := k.rows(c, in.masks, nil, k.partial)
	if rest := len(k.partial) - used; err != nil || rest > longestCopyRow || last && rest > 0 { // no row; its quotes may not end
		out, used = append(out, "[a row that cannot be told from others]\n"...), len(k.partial)
		in.lost = k.binary // nothing says where the next one begins
	}
	k.partial = append(k.partial[:0], k.partial[used:]...)
	if len(out) == 0 {
		return nil
	}
	_, err = in.record.Write(out)
	return err
}

// copying is COPY … TO STDOUT under way.
type copying struct {
	copyForm
	binary  bool
	columns []weir.Column
	told    bool // columns is what the rows hold
	touched bool
	closed  bool // some columns hold secrets
	mask    session.ColumnMask
	naming  bool   // some columns name those beside them
	started bool   // the head of a binary copy has passed
	partial []byte // of a row whose end has not come
	cells   [][]byte
	spans   []span
	clean   []byte
	masked  []byte // a cell
}

type span struct{ start, end int }

func (k *copying) secretive() bool {
	if k.touched && !k.told {
		return true
	}
	for _, col := range k.columns {
		if col.Protected {
			return true
		}
	}
	return false
}

// longestCopyRow is how much of a COPY row is held, in bytes.
const longestCopyRow = 1 << 20

// copyResponse takes CopyInResponse, CopyOutResponse and the target's CopyDone.
func (c *codec) copyResponse(a *session.Answers, e *entry, typ byte, body []byte, at int) error {
	if e.kind != owedQuery && e.kind != owedRows {
		return errTarget
	}
	a.For(e.run.x, at)
	in := cursor{b: body}
	if typ != 'c' && !copyHead(body) {
		return errTarget
	}
	switch typ {
	case 'c':
		if e.copied == nil || len(e.copied.partial) > 0 {
			return errTarget
		}
		e.copied = nil
		return nil
	case 'G':
		shape := weir.Shape{Format: weir.FormatText}
		binaryFormat := in.byte() != 0
		if binaryFormat {
			shape.Format = weir.FormatOpaque
		}
		rows, err := c.newCopy(a, e, binaryFormat, int(in.int16()))
		if err != nil {
			return err
		}
		w, err := e.run.x.CommandBody(shape)
		if err != nil {
			return err
		}
		c.copyIn = &copyIn{run: e.run, record: w, rows: rows, masks: a}
		if !c.unsync() {
			return &weir.Denied{Kind: weir.DeniedRequest, Reason: "statements came in the place of a COPY's rows", Err: errMalformed}
		}
		return nil
	}
	format := in.byte()
	n := int(in.int16())
	if in.bad {
		return errTarget
	}
	var err error
	e.copied, err = c.newCopy(a, e, format != 0, n)
	return err
}

// copyHead checks the body of a CopyInResponse or CopyOutResponse: a format, and one for each column.
func copyHead(body []byte) bool {
	in := cursor{b: body}
	ok := in.byte() <= 1
	for _, f := range in.int16s() {
		ok = ok && (f == 0 || f == 1)
	}
	return ok && in.done()
}

// unsync takes off the Syncs that came behind COPY … FROM STDIN: the target overlooks them while it copies. alone is false when it was sent something
// else, which it takes for a mistake in the COPY's rows and does not answer.
func (c *codec) unsync() (alone bool) {
	keep := c.head + 1
	alone = true
	for i := keep; i < len(c.queue); i++ {
		if kind := c.queue[i].kind; kind != owedSync {
			alone = alone && (kind == owedRefusal || kind == owedDenied)
			c.queue[keep] = c.queue[i]
			keep++
		}
	}
	clear(c.queue[keep:])
	c.queue = c.queue[:keep]
	return alone
}

// newCopy finds out what the rows of a COPY hold.
func (c *codec) newCopy(a *session.Answers, e *entry, binaryFormat bool, n int) (*copying, error) {
	forms, ok := copyForms(e.name)
	if !ok || e.copies >= len(forms) {
		return nil, errTarget
	}
	k := &copying{copyForm: forms[e.copies], binary: binaryFormat, touched: c.secretive(e.facts) || e.facts.reads.copies()}
	e.copies++
	k.header = k.header && !binaryFormat
	if relation := relationOf(e.name, e.facts); relation != "" && (!k.touched || c.only(e.facts, relation)) {
		k.columns, k.told = c.copyColumns(e, relation, n)
	}
	if !k.told {
		k.columns = make([]weir.Column, n)
		for i := range k.columns {
			k.columns[i].Protected, k.columns[i].Statement = k.touched, e.facts.reads.statements
		}
	}
	k.closed = k.secretive()
	k.mask = a.Columns(k.columns)
	if binaryFormat {
		for i := range k.columns {
			k.columns[i].Typed = !k.mask.Naming(i)
		}
		k.mask = a.Columns(k.columns)
	}
	for i := range k.columns {
		k.naming = k.naming || k.mask.Naming(i)
	}
	return k, nil
}

// relationOf is the relation that a COPY statement reads; "" for a query, and where there is more than one.
func relationOf(text string, f *facts) string {
	ws := words(text)
	for i := range len(ws) - 1 {
		if _, ok := ws[i+1].identifier(); ok && ws[i].is("copy") && len(f.sql.Relations) == 1 && f.sql.Statements == 1 {
			return f.sql.Relations[0]
		}
	}
	return ""
}

// only reports whether the secrets that a statement may read are columns of one relation, all of them.
func (c *codec) only(f *facts, relation string) bool {
	rest := *f.sql
	rest.Columns = slices.DeleteFunc(slices.Clone(rest.Columns), func(column string) bool { return strings.HasPrefix(column, relation+".") })
	return rest.Unclear == "" && !rest.Dynamic && !f.reads.copies() && !c.touches(&rest)
}

// copyColumns tells the columns of COPY t (a, b) and COPY t, when it can.
func (c *codec) copyColumns(e *entry, relation string, n int) ([]weir.Column, bool) {
	names := copyList(words(e.name))
	if names == nil {
		names = c.read.columns(relation)
	}
	if len(names) != n || slices.Contains(names, "") { // what was dropped is not copied
		return nil, false
	}
	columns := make([]weir.Column, n)
	for i, name := range names {
		columns[i].Name = name
		columns[i].Protected, columns[i].Statement = c.origin(relation, name)
	}
	return columns, true
}

// copyList reads the list of columns of COPY t (a, b) TO; nil when there is none.
func copyList(ws []word) []string {
	for i := range ws {
		if ws[i].is("to") || ws[i].is("from") {
			return nil
		}
		if ws[i].kind != '(' || i < 2 {
			continue
		}
		names := []string{}
		for _, w := range ws[i+1:] {
			if w.kind == ')' {
				return names
			}
			if name, ok := w.identifier(); ok {
				names = append(names, name)
			}
		}
	}
	return nil
}

// rows masks the whole rows at the front of data and returns how much of it they are.
func (k *copying) rows(c *codec, a *session.Answers, dst, data []byte) (out []byte, used, rows int, err error) {
	if k.binary {
		return k.binaryRows(c, a, dst, data)
	}
	for used < len(data) {
		n := k.rowEnd(data[used:])
		if n == 0 {
			break
		}
		row := data[used : used+n]
		if used += n; k.header {
			k.header = false
			dst = a.Value(dst, "", row)
			continue
		}
		dst = k.textRow(c, a, dst, row)
		rows++
	}
	return dst, used, rows, nil
}

// rowEnd is the length of the row at the front of data with its line end; 0 when it is not whole.
func (k *copying) rowEnd(data []byte) int {
	if !k.csv || bytes.IndexByte(data, k.quote) < 0 {
		return bytes.IndexByte(data, '\n') + 1
	}
	inside := false
	for i := 0; i < len(data); i++ {
		switch {
		case inside && data[i] == k.escape && k.escape != k.quote:
			i++
		case data[i] == k.quote:
			inside = !inside
		case data[i] == '\n' && !inside:
			return i + 1
		}
	}
	return 0
}

// copySignature begins a binary copy; flags, and an extension with its length, follow.
const copySignature = "PGCOPY\n\xff\r\n\x00"

// binaryRows masks the whole rows of a binary copy.
func (k *copying) binaryRows(c *codec, a *session.Answers, dst, data []byte) (out []byte, used, rows int, err error) {
	if !k.started {
		head := len(copySignature) + 8
		if len(data) < head {
			return dst, 0, 0, nil
		}
		if !bytes.HasPrefix(data, []byte(copySignature)) || binary.BigEndian.Uint32(data[head-4:]) != 0 {
			return nil, 0, 0, errTarget // nothing makes extensions of the head
		}
		used = head
		dst = append(dst, data[:used]...)
		k.started = true
	}
	for used < len(data) {
		in := cursor{b: data[used:]}
		n := int(in.int16())
		if !in.bad && n < 0 {
			return append(dst, data[used:used+2]...), used + 2, rows, nil
		}
		k.cells = k.cells[:0]
		for range n {
			size := in.int32()
			var v []byte
			if size >= 0 {
				if v = in.take(int(size)); v == nil {
					v = []byte{}
				}
			}
			k.cells = append(k.cells, v)
		}
		if in.bad {
			break
		}
		dst = append(dst, data[used:used+2]...)
		for i, v := range k.cells {
			if k.naming && k.mask.Naming(i) {
				k.mask.SetName(v)
			}
		}
		for i, v := range k.cells {
			dst = k.binaryCell(c, a, dst, i, v)
		}
		used = len(data) - len(in.b)
		rows++
	}
	return dst, used, rows, nil
}

// binaryCell masks a cell of a type that nothing tells.
func (k *copying) binaryCell(c *codec, a *session.Answers, dst []byte, i int, v []byte) []byte {
	if v == nil {
		return appendCell(dst, nil, weir.Null)
	}
	if k.closed && i >= len(k.columns) {
		return appendCell(dst, nil, weir.Null)
	}
	if _, change := k.mask.Cell(nil, i, v, a.Tally()); change != weir.Unchanged {
		return appendCell(dst, nil, weir.Null)
	}
	at := len(dst)
	out, change := c.nested(a, append(dst, 0, 0, 0, 0), classGuess, "", v, 0)
	switch change {
	case weir.Masked:
		return patchLength(out, at)
	case weir.Null:
		return appendCell(out[:at], nil, weir.Null)
	case weir.Unchanged:
	}
	return appendCell(out[:at], v, change)
}

// copyData takes the client's CopyData, CopyDone and CopyFail. Outside of COPY they are left out, as the target would.
func (c *codec) copyData(r *session.Requests, frame, body []byte) error {
	if c.copyIn == nil {
		if c.owes() {
			c.flush(r)
		}
		if err := r.Wait(func() bool { return c.copyIn != nil || !c.owes() }); err != nil {
			return err
		}
	}
	in := c.copyIn
	if in == nil {
		return nil
	}
	if frame[0] == 'd' {
		if err := in.keep(c, body, false); err != nil {
			return err
		}
		return r.Forward(in.run.x, frame)
	}
	if err := in.keep(c, nil, true); err != nil {
		return err
	}
	if err := in.record.Close(); err != nil {
		return err
	}
	c.copyIn = nil
	return r.Forward(in.run.x, frame)
}
