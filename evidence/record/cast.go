package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"weir"
	"weir/evidence/screen"
)

// cast writes an asciicast: version 2 (https://docs.asciinema.org/manual/asciicast/v2/) or 3
// (https://docs.asciinema.org/manual/asciicast/v3/). Of a protocol with terminals it holds what these were sent, but for control
// functions that a viewer's terminal must not obey; of others, the text that people read. Each event is UTF-8 and
// holds whole control functions.
type cast struct {
	w       *bufio.Writer
	x       *Session
	form    Form
	v3      bool
	raw     bool // there are terminals
	started bool
	base    time.Time
	last    int64 // microseconds since base
	columns int
	rows    int
	streams map[uint64]*castStream
	order   []uint64
	count   int    // exchanges
	exit    string // status of the last that ended
	text    bytes.Buffer
	printer *printer
	buf     []byte
}

// castStream is one exchange.
type castStream struct {
	answer, beside screen.Filter
	input          []byte // the beginning of a character
}

// Size of the terminal where a recording has none.
const castColumns, castRows = 120, 40

func newCast(w *bufio.Writer, x *Session, form Form) *cast {
	c := &cast{w: w, x: x, form: form, v3: form.Format == AsciicastV3, raw: x.Protocol == weir.SSH, streams: make(map[uint64]*castStream)}
	if !c.raw {
		c.printer = newPrinter(bufio.NewWriter(&c.text), "\r\n", x.Protocol)
	}
	return c
}

// begin writes the header, when the size of the terminal is known.
func (c *cast) begin(r *weir.Record) {
	if c.started {
		return
	}
	c.started, c.base = true, c.x.Start
	c.columns, c.rows = castColumns, castRows
	kind := ""
	if r != nil {
		if columns, rows := size(r); columns > 0 {
			c.columns, c.rows, kind = columns, rows, attrOf(r, "term")
		}
		if c.form.Exchange != 0 {
			c.base = r.Time
		}
	}
	title := Visible(c.x.Identity + " at " + c.x.Resource + ", " + string(c.x.ID))
	if c.form.Exchange != 0 {
		title += " #" + strconv.FormatUint(c.form.Exchange, 10)
	}
	type term struct {
		Columns int    `json:"cols"`
		Rows    int    `json:"rows"`
		Type    string `json:"type,omitempty"`
	}
	head := struct {
		Version   int               `json:"version"`
		Width     int               `json:"width,omitempty"`
		Height    int               `json:"height,omitempty"`
		Term      *term             `json:"term,omitempty"`
		Timestamp int64             `json:"timestamp"`
		Title     string            `json:"title"`
		Env       map[string]string `json:"env,omitempty"`
	}{Version: 2, Timestamp: c.base.Unix(), Title: title}
	if c.v3 {
		head.Version, head.Term = 3, &term{c.columns, c.rows, Visible(kind)}
	} else if head.Width, head.Height = c.columns, c.rows; kind != "" {
		head.Env = map[string]string{"TERM": Visible(kind)}
	}
	b, err := json.Marshal(&head)
	if err == nil {
		_, _ = c.w.Write(append(b, '\n')) // a bufio.Writer keeps its error for Flush
	}
}

// event writes one event. Time never runs backwards.
func (c *cast) event(at time.Time, code, data string) error {
	us := max(at.Sub(c.base).Microseconds(), c.last)
	shown := us
	if c.v3 {
		shown = us - c.last
	}
	c.last = us
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.w, "[%d.%06d, %q, %s]\n", shown/1e6, shown%1e6, code, text)
	return err
}

func (c *cast) entry(r *weir.Record) error {
	if !c.raw {
		return c.printed(r)
	}
	switch r.Kind {
	case weir.RecordCommand, weir.RecordRefusal:
		return c.command(r)
	case weir.RecordAnswerBody:
		return c.output(r, &c.stream(r.Exchange).answer, r.Data)
	case weir.RecordAnswerError:
		return c.output(r, &c.stream(r.Exchange).beside, r.Data)
	case weir.RecordCommandBody:
		if c.form.Input {
			return c.input(r)
		}
	case weir.RecordResize:
		if columns, rows := size(r); columns > 0 {
			return c.resize(r.Time, columns, rows)
		}
	case weir.RecordFile:
		c.begin(nil)
		return c.event(r.Time, "m", Visible(r.Text))
	case weir.RecordAnswerEnd:
		return c.end(r)
	default:
	}
	return nil
}

// printed writes what people read of an entry.
func (c *cast) printed(r *weir.Record) error {
	c.begin(nil)
	if r.Kind == weir.RecordCommand || r.Kind == weir.RecordRefusal {
		if err := c.event(r.Time, "m", Visible(r.Text)); err != nil {
			return err
		}
	}
	if err := c.printer.entry(r); err != nil {
		return err
	}
	return c.flush(r.Time)
}

func (c *cast) flush(at time.Time) error {
	if err := c.printer.w.Flush(); err != nil || c.text.Len() == 0 {
		return err
	}
	defer c.text.Reset()
	return c.event(at, "o", c.text.String())
}

func (c *cast) command(r *weir.Record) error {
	c.begin(r)
	c.count++
	columns, rows := size(r)
	if columns > 0 {
		if err := c.resize(r.Time, columns, rows); err != nil {
			return err
		}
	}
	c.open(r.Exchange, columns == 0)
	text := Visible(r.Text)
	if r.Kind == weir.RecordRefusal {
		text += " (refused: " + Visible(attrOf(r, "reason")) + ")"
	}
	if err := c.event(r.Time, "m", text); err != nil {
		return err
	}
	if c.form.Exchange == 0 && (columns == 0 || c.count > 1) { // several on one screen: say which this is
		return c.event(r.Time, "o", fmt.Sprintf("%s── #%d %s\r\n", screen.Reset, r.Exchange, text))
	}
	return nil
}

func (c *cast) resize(at time.Time, columns, rows int) error {
	c.begin(nil)
	if columns == c.columns && rows == c.rows {
		return nil
	}
	c.columns, c.rows = columns, rows
	return c.event(at, "r", fmt.Sprintf("%dx%d", columns, rows))
}

func (c *cast) stream(exchange uint64) *castStream {
	if s := c.streams[exchange]; s != nil {
		return s
	}
	return c.open(exchange, true)
}

func (c *cast) open(exchange uint64, newlines bool) *castStream {
	if len(c.order) >= maxViews {
		delete(c.streams, c.order[0])
		c.order = c.order[1:]
	}
	s := &castStream{answer: screen.Filter{Lines: newlines}, beside: screen.Filter{Lines: newlines}}
	c.streams[exchange] = s
	c.order = append(c.order, exchange)
	return s
}

func (c *cast) output(r *weir.Record, f *screen.Filter, data []byte) error {
	c.begin(r)
	if c.buf = f.Append(c.buf[:0], data); len(c.buf) == 0 {
		return nil
	}
	return c.event(r.Time, "o", string(c.buf))
}

// input writes what was typed: players do not show it.
func (c *cast) input(r *weir.Record) error {
	c.begin(r)
	s := c.stream(r.Exchange)
	s.input = append(s.input, r.Data...)
	cut := len(s.input)
	for i := max(0, cut-utf8.UTFMax); i < cut; i++ {
		if utf8.RuneStart(s.input[i]) && !utf8.FullRune(s.input[i:]) {
			cut = i
			break
		}
	}
	text := strings.ToValidUTF8(string(s.input[:cut]), "\ufffd")
	s.input = append(s.input[:0], s.input[cut:]...)
	if text == "" {
		return nil
	}
	return c.event(r.Time, "i", text)
}

func (c *cast) end(r *weir.Record) error {
	s := c.stream(r.Exchange)
	c.buf = s.beside.Close(s.answer.Close(c.buf[:0]))
	delete(c.streams, r.Exchange)
	for i, n := range c.order {
		if n == r.Exchange {
			c.order = append(c.order[:i], c.order[i+1:]...)
			break
		}
	}
	if c.exit = attrOf(r, "exit_status"); c.exit != "" {
		if _, err := strconv.ParseUint(c.exit, 10, 32); err != nil {
			c.exit = ""
		}
	}
	c.begin(r)
	if len(c.buf) > 0 {
		if err := c.event(r.Time, "o", string(c.buf)); err != nil {
			return err
		}
	}
	if c.v3 && c.form.Exchange != 0 && c.exit != "" {
		return c.event(r.Time, "x", c.exit)
	}
	return nil
}

// close writes what is left.
func (c *cast) close() {
	c.begin(nil)
	if !c.raw {
		c.printer.close()
		_ = c.flush(c.x.Last) // a bufio.Writer keeps its error for Flush
	}
}
