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
)

// Format is how a recording is exported.
type Format string

// Formats.
const (
	JSONL     Format = "jsonl"     // one entry a line
	Asciicast Format = "asciicast" // version 2, for terminal players
	Text      Format = "text"      // to read
)

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

// Export writes a recording to w. Errors: NotFound, Invalid for an unknown format, and those of w.
func (s *Store) Export(ctx context.Context, id weir.SessionID, format Format, w io.Writer) error {
	x, err := s.Get(string(id))
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 32<<10)
	switch format {
	case JSONL:
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		err = s.Entries(ctx, x.ID, func(seq uint64, r *weir.Record) error { return enc.Encode(LineOf(seq, r)) })
	case Text:
		p := printer{w: b, newline: "\n"}
		err = s.Entries(ctx, x.ID, func(_ uint64, r *weir.Record) error { return p.entry(r) })
	case Asciicast:
		err = s.asciicast(ctx, &x, b)
	default:
		return weir.NewError(weir.Invalid, "a recording is exported as jsonl, asciicast or text", nil)
	}
	if err != nil {
		return err
	}
	return b.Flush()
}

// asciicast writes version 2: https://docs.asciinema.org/manual/asciicast/v2/
func (s *Store) asciicast(ctx context.Context, x *Session, w *bufio.Writer) error {
	enc := json.NewEncoder(w)
	err := enc.Encode(map[string]any{
		"version": 2, "width": 120, "height": 40, "timestamp": x.Start.Unix(),
		"title": Visible(x.Identity + " at " + x.Resource + ", " + string(x.ID)),
	})
	if err != nil {
		return err
	}
	return s.Entries(ctx, x.ID, func(_ uint64, r *weir.Record) error {
		var text strings.Builder
		t := bufio.NewWriter(&text)
		if err := (&printer{w: t, newline: "\r\n"}).entry(r); err != nil {
			return err
		}
		if err := t.Flush(); err != nil {
			return err
		}
		return enc.Encode([]any{max(r.Time.Sub(x.Start).Seconds(), 0), "o", text.String()})
	})
}

// printer writes entries for people.
type printer struct {
	w       *bufio.Writer
	newline string
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
	switch r.Kind {
	case weir.RecordSessionStart:
		p.line("%s ── %s: %s (%s, %s) at %s from %s", r.Time.UTC().Format(time.RFC3339), r.Session, attr("identity"), attr("kind"), attr("method"), attr("resource"), attr("client"))
		for _, a := range r.Attrs {
			if a.Name == "exception" {
				p.line("%s !! exception in use: %s", at, Visible(a.Value))
			}
		}
	case weir.RecordCommand:
		p.line("%s #%d > %s", at, r.Exchange, Visible(r.Text))
		p.line("             %s by rule %s%s", attr("verdict"), attr("rule"), approved(attr("request"), attr("approvers")))
	case weir.RecordRefusal:
		p.line("%s #%d > %s", at, r.Exchange, Visible(r.Text))
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
	case weir.RecordSessionEnd:
		p.line("%s ── end: %s", at, attr("reason"))
	default:
		p.line("%s #%d ? an entry of a kind that this program does not know", at, r.Exchange)
	}
	return nil // a bufio.Writer keeps its error for Flush
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
