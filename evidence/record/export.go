package record

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"weir"
	"weir/evidence/journal"
)

// Format is how a recording is exported.
type Format string

// Formats.
const (
	JSONL       Format = "jsonl"        // one entry a line
	Asciicast   Format = "asciicast"    // version 2, for terminal players
	AsciicastV2 Format = "asciicast-v2" // the same
	AsciicastV3 Format = "asciicast-v3"
	Text        Format = "text" // to read
)

// Form is what is exported and how.
type Form struct {
	Format   Format
	Exchange uint64 // this one only; 0: all
	Input    bool   // of terminals in an asciicast: what was typed, too
}

// Check refuses a form that there is not. Error: Invalid.
func (f *Form) Check() error {
	switch f.Format {
	case JSONL, Asciicast, AsciicastV2, AsciicastV3, Text:
		return nil
	}
	return weir.NewError(weir.Invalid, "a recording is exported as jsonl, asciicast-v2, asciicast-v3 or text", nil)
}

// takes reports whether an entry is asked for.
func (f *Form) takes(r *weir.Record) bool { return f.Exchange == 0 || r.Exchange == f.Exchange }

// Line is one entry as JSONL has it.
type Line struct {
	Seq      uint64         `json:"seq" doc:"of the entry in the journal"`
	Session  weir.SessionID `json:"session"`
	Exchange uint64         `json:"exchange,omitempty"`
	Kind     string         `json:"kind"`
	Time     time.Time      `json:"time"`
	Text     string         `json:"text,omitempty"`
	Attrs    [][2]string    `json:"attrs,omitempty"`
	Data     string         `json:"data,omitempty"`
	Base64   string         `json:"data_base64,omitempty" doc:"data that is not UTF-8"`
}

// LineOf makes a Line of an entry.
func LineOf(seq uint64, r *weir.Record) Line {
	l := Line{Seq: seq, Session: r.Session, Exchange: r.Exchange, Kind: r.Kind.String(), Time: r.Time, Text: r.Text}
	for _, a := range r.Attrs {
		l.Attrs = append(l.Attrs, [2]string{a.Name, a.Value})
	}
	if utf8.Valid(r.Data) {
		l.Data = string(r.Data)
	} else {
		l.Base64 = base64.StdEncoding.EncodeToString(r.Data)
	}
	return l
}

// Record is the entry that a Line was made of.
func (l *Line) Record() (weir.Record, error) {
	r := weir.Record{Session: l.Session, Exchange: l.Exchange, Time: l.Time, Text: l.Text, Data: []byte(l.Data)}
	for k := weir.RecordSessionStart; journal.Kind(k) <= lastKind; k++ {
		if k.String() == l.Kind {
			r.Kind = k
		}
	}
	for _, a := range l.Attrs {
		r.Attrs = append(r.Attrs, weir.Attr{Name: a[0], Value: a[1]})
	}
	if l.Base64 != "" {
		var err error
		if r.Data, err = base64.StdEncoding.DecodeString(l.Base64); err != nil {
			return r, fmt.Errorf("read an entry's data: %w", err)
		}
	}
	return r, nil
}

// Transcript prints entries of one session for people, as they come. What it prints holds no control character of theirs. It belongs
// to one goroutine.
type Transcript struct{ p *printer }

// NewTranscript makes a Transcript that writes to w.
func NewTranscript(w io.Writer, protocol weir.Protocol) *Transcript {
	return &Transcript{newPrinter(bufio.NewWriter(w), "\n", protocol)}
}

// Entry prints one entry. Lines of a terminal are printed when they leave its screen, and when Settle is called.
func (t *Transcript) Entry(r *weir.Record) error {
	if err := t.p.entry(r); err != nil {
		return err
	}
	return t.p.w.Flush()
}

// Settle prints what terminals show now, and what else was waited with.
func (t *Transcript) Settle() error {
	if t.p.lines != nil {
		for _, v := range t.p.lines.views {
			if s, ok := v.answer.(terminal); ok {
				s.Flush()
			}
		}
	}
	return t.p.w.Flush()
}

// Close prints the rest.
func (t *Transcript) Close() error {
	t.p.close()
	return t.p.w.Flush()
}

// Export writes a recording to w. Errors: NotFound, Invalid for an unknown form, and those of w.
func (s *Store) Export(ctx context.Context, id weir.SessionID, form Form, w io.Writer) error {
	x, err := s.Get(string(id))
	if err == nil {
		err = form.Check()
	}
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 32<<10)
	each := func(uint64, *weir.Record) error { return nil }
	done := func() {}
	switch form.Format {
	case JSONL:
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		each = func(seq uint64, r *weir.Record) error { return enc.Encode(LineOf(seq, r)) }
	case Text:
		p := newPrinter(b, "\n", x.Protocol)
		each, done = func(_ uint64, r *weir.Record) error { return p.entry(r) }, p.close
	default:
		c := newCast(b, &x, form)
		each, done = func(_ uint64, r *weir.Record) error { return c.entry(r) }, c.close
	}
	err = s.read(ctx, &x, func(seq uint64, r *weir.Record) error {
		if !form.takes(r) {
			return nil
		}
		return each(seq, r)
	})
	if err != nil {
		return err
	}
	done()
	return b.Flush()
}

// printer writes entries for people.
type printer struct {
	w       *bufio.Writer
	newline string
	lines   *lines // of protocols whose answers are not text; nil for the others
}

func newPrinter(w *bufio.Writer, newline string, protocol weir.Protocol) *printer {
	p := &printer{w: w, newline: newline}
	if protocol == weir.SSH || protocol == weir.Postgres {
		p.lines = newLines(protocol, false, p.text)
	}
	return p
}

// close prints what is left.
func (p *printer) close() {
	if p.lines != nil {
		p.lines.close()
	}
}

// text prints a line that was made of the data of entries.
func (p *printer) text(_ uint64, _ time.Time, in Place, line string) {
	switch in {
	case InInput:
		p.line("  > %s", Visible(line))
	case InAnswer:
		p.line("  < %s", Visible(line))
	case InError:
		p.line("  ! %s", Visible(line))
	default:
	}
}

func (p *printer) entry(r *weir.Record) error {
	at := r.Time.UTC().Format("15:04:05.000")
	attr := func(name string) string {
		for _, a := range r.Attrs {
			if a.Name == name {
				return Visible(a.Value)
			}
		}
		return ""
	}
	if p.lines != nil && p.lined(r) {
		return nil
	}
	switch r.Kind {
	case weir.RecordSessionStart:
		p.line("%s ── %s: %s (%s, %s) at %s from %s", r.Time.UTC().Format(time.RFC3339), r.Session, attr("identity"), attr("kind"), attr("method"), attr("resource"), attr("client"))
		for _, a := range r.Attrs {
			if a.Name == "exception" {
				p.line("%s !! exception in use: %s", at, Visible(a.Value))
			}
		}
	case weir.RecordCommand:
		p.command(at, r)
		p.line("             %s by rule %s%s", attr("verdict"), attr("rule"), approved(attr("request"), attr("approvers")))
	case weir.RecordRefusal:
		p.command(at, r)
		p.line("             REFUSED (%s) %s [%s]", attr("kind"), attr("reason"), attr("request"))
	case weir.RecordCommandBody, weir.RecordClientMessage:
		p.data("  > ", r.Data)
	case weir.RecordAnswerHead:
		p.line("%s #%d < %s", at, r.Exchange, Visible(r.Text))
		for _, a := range r.Attrs {
			p.line("  < %s: %s", Visible(a.Name), Visible(a.Value))
		}
	case weir.RecordAnswerBody, weir.RecordTargetMessage:
		p.data("  < ", r.Data)
	case weir.RecordAnswerEnd:
		p.line("%s #%d = %s", at, r.Exchange, summary(r.Attrs))
	case weir.RecordFile:
		p.line("%s #%d   file: %s %s", at, r.Exchange, Visible(r.Text), summary(r.Attrs))
	case weir.RecordResize:
		p.line("%s #%d   the terminal is %s by %s now", at, r.Exchange, attr("columns"), attr("rows"))
	case weir.RecordAnswerError:
		p.data("  ! ", r.Data)
	case weir.RecordSessionEnd:
		p.line("%s ── end: %s", at, attr("reason"))
	default:
		p.line("%s #%d ? an entry of a kind that this program does not know", at, r.Exchange)
	}
	return nil // a bufio.Writer keeps its error for Flush
}

// command prints what was asked, also on several lines.
func (p *printer) command(at string, r *weir.Record) {
	mark := fmt.Sprintf("%s #%d > ", at, r.Exchange)
	for line := range strings.SplitSeq(r.Text, "\n") {
		p.line("%s%s", mark, Visible(line))
		mark = strings.Repeat(" ", len(mark))
	}
}

// lined takes entries whose data is no plain text, and reports whether there is no more to print of one.
func (p *printer) lined(r *weir.Record) bool {
	switch r.Kind {
	case weir.RecordCommand:
		p.lines.at = r.Time
		p.lines.open(r)
		return false
	case weir.RecordAnswerEnd:
		p.lines.end(r.Exchange)
		return false
	case weir.RecordCommandBody, weir.RecordAnswerBody, weir.RecordAnswerError:
		p.lines.entry(r)
		return true
	case weir.RecordResize:
		p.lines.entry(r)
	case weir.RecordSessionEnd:
		p.lines.close()
	default:
	}
	return false
}

func approved(request, by string) string {
	if request == "" {
		return ""
	}
	return ", request " + request + " approved by " + by
}

func summary(attrs []weir.Attr) string {
	var b strings.Builder
	for _, a := range attrs {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Visible(a.Name) + "=" + Visible(a.Value))
	}
	return b.String()
}

func (p *printer) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, format, args...)
	_, _ = p.w.WriteString(p.newline)
}

func (p *printer) data(prefix string, data []byte) {
	for line := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n"), "\n") {
		p.line("%s%s", prefix, Visible(strings.TrimSuffix(line, "\r")))
	}
}

// Visible replaces what a terminal would obey, and what is not UTF-8, by escapes that can be read.
func Visible(s string) string {
	clean := true
	for _, r := range s {
		if hidden(r) {
			clean = false
			break
		}
	}
	if clean && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r < 0x80 && hidden(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case hidden(r):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// hidden reports whether a rune is obeyed rather than shown: control characters and those that reorder text.
func hidden(r rune) bool {
	return r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
