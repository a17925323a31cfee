package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"weir"
	"weir/evidence/record"
	"weir/evidence/screen"
)

type sessionsWatch struct {
	ID        string `arg:"" help:"Its id, or the beginning of it."`
	FromStart bool   `help:"Show what is recorded already, too."`
	Text      bool   `help:"Print lines of text, also of a terminal."`
}

func (c *sessionsWatch) Run(g *Globals) error {
	cl, err := g.connect()
	if err != nil {
		return err
	}
	s, err := call[record.Session](g.ctx, cl, "GET", "/sessions/"+seg(c.ID), nil)
	if err != nil {
		return err
	}
	from := "now"
	if c.FromStart {
		from = "start"
	}
	body, err := cl.open(g.ctx, "GET", query("/sessions/"+seg(c.ID)+"/watch", "from", from), nil)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	v := &viewer{g: g, text: record.NewTranscript(g.streams.Out, s.Protocol)}
	if s.Protocol == weir.SSH && !c.Text && g.streams.Raw != nil && g.Output != "json" {
		v.filters = make(map[uint64]*screen.Filter)
	}
	err = v.events(body)
	if v.filters != nil {
		_, _ = io.WriteString(g.streams.Out, screen.Reset+screen.Leave+"\n")
	}
	if g.ctx.Err() != nil {
		return nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return weir.NewError(weir.Unavailable, "the gateway stopped sending; watch again with: weir sessions watch "+string(s.ID), err)
	}
	return err
}

// viewer shows entries as they come.
type viewer struct {
	g       *Globals
	text    *record.Transcript
	filters map[uint64]*screen.Filter // of each exchange, when the viewer's terminal shows what the session's does
	buf     []byte
}

// events reads server-sent events to the end of the session; the stream's end before that is io.EOF.
func (v *viewer) events(r io.Reader) error {
	b := bufio.NewReaderSize(r, 64<<10)
	name, data := "", ""
	for {
		line, err := b.ReadString('\n')
		if err != nil {
			return err
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data = line[len("data: "):]
		case strings.HasPrefix(line, ":"):
			if v.g.Output != "json" && v.filters == nil {
				err = v.text.Settle()
			}
		case line == "" && name != "":
			var end bool
			if end, err = v.event(name, data); end {
				return err
			}
			name, data = "", ""
		}
		if err != nil {
			return err
		}
	}
}

func (v *viewer) event(name, data string) (end bool, err error) {
	w := v.g.streams.Out
	if v.g.Output == "json" && name == "record" {
		_, err = fmt.Fprintln(w, data)
		return false, err
	}
	switch name {
	case "end":
		if v.g.Output == "json" {
			return true, nil
		}
		return true, v.text.Close()
	case "missed":
		say(v.g.streams.Err, "weir: this watch was too slow and %s; the recording holds everything", record.Visible(data))
		return false, nil
	case "record":
	default:
		return false, nil
	}
	var l record.Line
	if err := json.Unmarshal([]byte(data), &l); err != nil {
		return false, fmt.Errorf("read an entry: %w", err)
	}
	r, err := l.Record()
	if err != nil {
		return false, err
	}
	if v.filters == nil {
		return false, v.text.Entry(&r)
	}
	return false, v.raw(&r)
}

// raw shows what the session's terminal is sent.
func (v *viewer) raw(r *weir.Record) error {
	f := v.filters[r.Exchange]
	switch r.Kind {
	case weir.RecordCommand, weir.RecordRefusal, weir.RecordFile:
		_, err := fmt.Fprintf(v.g.streams.Out, "%s── #%d %s %s\r\n", screen.Reset, r.Exchange, r.Kind, record.Visible(r.Text))
		return err
	case weir.RecordAnswerEnd:
		delete(v.filters, r.Exchange)
	case weir.RecordAnswerBody, weir.RecordAnswerError:
		if f == nil {
			f = &screen.Filter{Lines: true}
			v.filters[r.Exchange] = f
		}
		v.buf = f.Append(v.buf[:0], r.Data)
		_, err := v.g.streams.Out.Write(v.buf)
		return err
	default:
	}
	return nil
}
