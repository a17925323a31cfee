package record

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of what is made of a recorded PostgreSQL answer.
const (
	maxFrame  = 1 << 20 // bytes of a frame that is decoded; a longer one is told of by its length
	maxSample = 50      // rows that a table's widths are taken from
	maxCell   = 60      // characters of a value in a table
	maxFields = 1664    // columns of a result: the server's own limit
)

// pgAnswer reads recorded frames of a PostgreSQL server (protocol 3, "Message Formats" in its documentation) and tells of them as
// lines. It keeps no bytes of what it was given, and shows no control character.
type pgAnswer struct {
	tell func(line string)
	wide bool // every value whole, no table

	buf     []byte
	skip    int // bytes of a frame that is too long
	columns []pgColumn
	sample  [][]string
	widths  []int
	headed  bool
}

type pgColumn struct {
	name   string
	oid    uint32
	binary bool
}

func (a *pgAnswer) write(b []byte) {
	if n := min(a.skip, len(b)); n > 0 {
		a.skip -= n
		b = b[n:]
	}
	a.buf = append(a.buf, b...)
	rest := a.buf
	for len(rest) >= 5 {
		n := int(binary.BigEndian.Uint32(rest[1:])) + 1
		if n < 5 || n > 1<<31 {
			a.say("(what follows is no message of PostgreSQL: %d bytes)", len(rest))
			a.skip, rest = math.MaxInt, nil
			break
		}
		if n > maxFrame {
			a.say("(a message %q of %d bytes)", string(visibleByte(rest[0])), n)
			k := min(n, len(rest))
			a.skip, rest = n-k, rest[k:]
			continue
		}
		if len(rest) < n {
			break
		}
		a.frame(rest[0], rest[5:n])
		rest = rest[n:]
	}
	a.buf = append(a.buf[:0], rest...)
}

func visibleByte(b byte) byte {
	if b < 0x20 || b > 0x7e {
		return '?'
	}
	return b
}

// close tells of what is left.
func (a *pgAnswer) close() {
	a.table()
	if len(a.buf) > 0 {
		a.say("(the recording of the answer ends within a message)")
		a.buf = nil
	}
}

func (a *pgAnswer) say(format string, args ...any) {
	a.table()
	a.tell(fmt.Sprintf(format, args...))
}

func (a *pgAnswer) frame(kind byte, b []byte) {
	switch kind {
	case 'T':
		a.table()
		a.describe(b)
	case 'D':
		a.row(b)
	case 'C':
		a.say("%s", Visible(cstring(b)))
		a.columns, a.headed = nil, false
	case 'E':
		a.say("%s", pgFields("ERROR", b))
		a.columns, a.headed = nil, false
	case 'N':
		a.say("%s", pgFields("NOTICE", b))
	case 'I':
		a.say("(empty statement)")
	case 's':
		a.say("(portal suspended)")
	case 'd':
		for line := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
			a.say("%s", Visible(line))
		}
	case 'G', 'H', 'W':
		a.say("(COPY begins)")
	case 'A':
		if len(b) > 4 {
			name, rest, _ := strings.Cut(string(b[4:]), "\x00")
			a.say("NOTIFY %s: %s", Visible(name), Visible(cstring([]byte(rest))))
		}
	case 'S':
		name, rest, _ := strings.Cut(string(b), "\x00")
		a.say("SET %s = %s", Visible(name), Visible(cstring([]byte(rest))))
	}
}

func cstring(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// pgFields reads ErrorResponse and NoticeResponse.
func pgFields(severity string, b []byte) string {
	var message, code, detail string
	for f := range strings.SplitSeq(string(b), "\x00") {
		if f == "" {
			continue
		}
		switch v := Visible(f[1:]); f[0] {
		case 'V':
			severity = v
		case 'C':
			code = v
		case 'M':
			message = v
		case 'D':
			detail += "; DETAIL: " + v
		case 'H':
			detail += "; HINT: " + v
		case 'W':
			detail += "; CONTEXT: " + v
		}
	}
	return severity + " " + code + ": " + message + detail
}

func (a *pgAnswer) describe(b []byte) {
	a.columns = a.columns[:0]
	a.headed = false
	if len(b) < 2 {
		return
	}
	n := min(int(binary.BigEndian.Uint16(b)), maxFields)
	b = b[2:]
	for range n {
		name := cstring(b)
		if len(b) < len(name)+19 {
			return
		}
		b = b[len(name)+1:]
		a.columns = append(a.columns, pgColumn{name: Visible(name), oid: binary.BigEndian.Uint32(b[6:]), binary: binary.BigEndian.Uint16(b[16:]) == 1})
		b = b[18:]
	}
	if a.wide {
		names := make([]string, len(a.columns))
		for i := range a.columns {
			names[i] = a.columns[i].name
		}
		a.tell(strings.Join(names, " | "))
	}
}

func (a *pgAnswer) row(b []byte) {
	if len(b) < 2 {
		return
	}
	n := min(int(binary.BigEndian.Uint16(b)), maxFields)
	b = b[2:]
	cells := make([]string, 0, min(n, 64))
	for i := range n {
		if len(b) < 4 {
			break
		}
		size := int32(binary.BigEndian.Uint32(b)) //nolint:gosec // -1 is NULL
		b = b[4:]
		if size < 0 {
			cells = append(cells, "NULL")
			continue
		}
		if int(size) > len(b) {
			break
		}
		var c *pgColumn
		if i < len(a.columns) {
			c = &a.columns[i]
		}
		text := pgValue(c, b[:size])
		if !a.wide {
			text = shorten(text, maxCell)
		}
		cells = append(cells, text)
		b = b[size:]
	}
	if a.wide {
		a.tell(strings.Join(cells, " | "))
		return
	}
	if a.headed {
		a.line(cells)
		return
	}
	if a.sample = append(a.sample, cells); len(a.sample) >= maxSample {
		a.table()
	}
}

func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// table begins a table, with the rows that were waited for.
func (a *pgAnswer) table() {
	if a.wide || a.headed || len(a.sample) == 0 && len(a.columns) == 0 {
		return
	}
	a.headed = true
	head := make([]string, len(a.columns))
	for i := range a.columns {
		head[i] = shorten(a.columns[i].name, maxCell)
	}
	a.widths = a.widths[:0]
	for _, cells := range append([][]string{head}, a.sample...) {
		for i, c := range cells {
			if i == len(a.widths) {
				a.widths = append(a.widths, 0)
			}
			a.widths[i] = max(a.widths[i], utf8.RuneCountInString(c))
		}
	}
	if len(head) > 0 {
		a.line(head)
		var rule strings.Builder
		for i := range head {
			if i > 0 {
				rule.WriteString("-+-")
			}
			rule.WriteString(strings.Repeat("-", a.widths[i]))
		}
		a.tell(rule.String())
	}
	for _, cells := range a.sample {
		a.line(cells)
	}
	a.sample = a.sample[:0]
	if len(a.columns) == 0 {
		a.headed = false
	}
}

func (a *pgAnswer) line(cells []string) {
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			b.WriteString(" | ")
		}
		b.WriteString(c)
		if i < len(a.widths) && i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", max(0, a.widths[i]-utf8.RuneCountInString(c))))
		}
	}
	a.tell(b.String())
}

// pgEpochTable is where the server's own times begin.
var pgEpochTable = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// pgValue makes text of a value. Without a column its format is unknown.
func pgValue(c *pgColumn, b []byte) string {
	if c == nil || !c.binary {
		if c == nil && !utf8.Valid(b) {
			return `\x` + hex.EncodeToString(b)
		}
		return Visible(string(b))
	}
	switch c.oid {
	case 18, 19, 25, 114, 142, 1042, 1043, 705: // char, name, text, json, xml, bpchar, varchar, unknown
		return Visible(string(b))
	case 3802: // jsonb: a version before it
		if len(b) > 0 {
			return Visible(string(b[1:]))
		}
	}
	switch size := len(b); {
	case size == 1 && c.oid == 16:
		return map[bool]string{true: "t", false: "f"}[b[0] != 0]
	case size == 2 && c.oid == 21:
		return strconv.Itoa(int(int16(binary.BigEndian.Uint16(b)))) //nolint:gosec // two's complement
	case size == 4 && c.oid == 23:
		return strconv.Itoa(int(int32(binary.BigEndian.Uint32(b)))) //nolint:gosec // two's complement
	case size == 4 && c.oid == 26:
		return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b)), 10)
	case size == 8 && c.oid == 20:
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(b)), 10) //nolint:gosec // two's complement
	case size == 4 && c.oid == 700:
		return strconv.FormatFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(b))), 'g', -1, 32)
	case size == 8 && c.oid == 701:
		return strconv.FormatFloat(math.Float64frombits(binary.BigEndian.Uint64(b)), 'g', -1, 64)
	case size == 16 && c.oid == 2950:
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	case size == 4 && c.oid == 1082:
		return pgEpochTable.AddDate(0, 0, int(int32(binary.BigEndian.Uint32(b)))).Format(time.DateOnly) //nolint:gosec // two's complement
	case size == 8 && (c.oid == 1114 || c.oid == 1184):
		us := int64(binary.BigEndian.Uint64(b)) //nolint:gosec // two's complement
		at := time.Unix(pgEpochTable.Unix()+us/1e6, us%1e6*1e3).UTC()
		return at.Format("2006-01-02 15:04:05.999999")
	}
	return `\x` + hex.EncodeToString(b)
}
