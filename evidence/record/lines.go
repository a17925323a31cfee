package record

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"weir"
	"weir/evidence/screen"
)

// Place says where a line of a recording was.
type Place string

// Places of a line.
const (
	InCommand Place = "command" // what was asked
	InRefusal Place = "refusal"
	InInput   Place = "input"  // what the client sent along
	InAnswer  Place = "answer" // what came back; of a terminal: what its screen showed
	InError   Place = "error"  // the stream beside the answer
	InFile    Place = "file"
)

// Limits of what is kept while a recording is read.
const (
	maxText  = 64 << 10 // bytes of a line; a longer one is cut, and its parts overlap
	overlap  = 256
	maxViews = 32 // exchanges open at a time; of more, the oldest are ended
)

// lines makes lines of text of a recording's entries: what a terminal showed, the rows of a result, what went through pipes. Its
// memory is bounded, whatever the entries say. It belongs to one goroutine.
type lines struct {
	protocol weir.Protocol
	wide     bool // values of a result whole, no tables: for searching
	tell     func(exchange uint64, at time.Time, in Place, line string)
	views    map[uint64]*view
	order    []uint64
	at       time.Time
}

// view is one exchange that goes on.
type view struct {
	answer, beside, input sink
}

// sink makes lines of one stream.
type sink interface {
	write(b []byte)
	close()
}

func newLines(protocol weir.Protocol, wide bool, tell func(uint64, time.Time, Place, string)) *lines {
	return &lines{protocol: protocol, wide: wide, tell: tell, views: make(map[uint64]*view)}
}

// entry takes one entry. r is not kept.
func (l *lines) entry(r *weir.Record) {
	l.at = r.Time
	switch r.Kind {
	case weir.RecordCommand:
		l.split(r, InCommand, r.Text)
		l.open(r)
	case weir.RecordRefusal:
		l.split(r, InRefusal, r.Text)
		if reason := attrOf(r, "reason"); reason != "" {
			l.tell(r.Exchange, l.at, InRefusal, reason)
		}
	case weir.RecordAnswerHead:
		l.split(r, InAnswer, r.Text)
		for _, a := range r.Attrs {
			l.tell(r.Exchange, l.at, InAnswer, a.Name+": "+a.Value)
		}
	case weir.RecordCommandBody:
		l.view(r).input.write(r.Data)
	case weir.RecordAnswerBody:
		l.view(r).answer.write(r.Data)
	case weir.RecordClientMessage: // each is one
		v := l.view(r)
		v.input.write(r.Data)
		v.input.close()
	case weir.RecordTargetMessage:
		v := l.view(r)
		v.answer.write(r.Data)
		v.answer.close()
	case weir.RecordAnswerError:
		l.view(r).beside.write(r.Data)
	case weir.RecordResize:
		if t, ok := l.view(r).answer.(terminal); ok {
			if columns, rows := size(r); columns > 0 {
				t.Resize(columns, rows)
			}
		}
	case weir.RecordFile:
		l.split(r, InFile, r.Text+" "+summary(r.Attrs))
	case weir.RecordAnswerEnd:
		l.end(r.Exchange)
		if e := attrOf(r, "error"); e != "" {
			l.tell(r.Exchange, l.at, InAnswer, e)
		}
	default:
	}
}

func (l *lines) split(r *weir.Record, in Place, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		l.tell(r.Exchange, l.at, in, line)
	}
}

// close ends all that goes on.
func (l *lines) close() {
	for len(l.order) > 0 {
		l.end(l.order[0])
	}
}

func (l *lines) end(exchange uint64) {
	v := l.views[exchange]
	if v == nil {
		return
	}
	v.input.close()
	v.answer.close()
	v.beside.close()
	delete(l.views, exchange)
	for i, n := range l.order {
		if n == exchange {
			l.order = append(l.order[:i], l.order[i+1:]...)
			break
		}
	}
}

// view returns the exchange that an entry belongs to, also when its command is not in the recording.
func (l *lines) view(r *weir.Record) *view {
	if v := l.views[r.Exchange]; v != nil {
		return v
	}
	return l.open(&weir.Record{Exchange: r.Exchange})
}

func (l *lines) open(r *weir.Record) *view {
	l.end(r.Exchange)
	for len(l.order) >= maxViews {
		l.end(l.order[0])
	}
	n := r.Exchange
	told := func(in Place) func(string) { return func(line string) { l.tell(n, l.at, in, line) } }
	v := &view{answer: &pipe{tell: told(InAnswer)}, beside: &pipe{tell: told(InError)}, input: &pipe{tell: told(InInput)}}
	if columns, rows := size(r); columns > 0 {
		v.answer = terminal{screen.New(columns, rows, told(InAnswer))}
		v.input = &pipe{tell: told(InInput), typed: true}
	} else if l.protocol == weir.Postgres {
		v.answer = &pgAnswer{tell: told(InAnswer), wide: l.wide}
	}
	l.views[n] = v
	l.order = append(l.order, n)
	return v
}

// size returns the size of a terminal, or zeros where there is none.
func size(r *weir.Record) (columns, rows int) {
	columns, _ = strconv.Atoi(attrOf(r, "columns"))
	rows, _ = strconv.Atoi(attrOf(r, "rows"))
	if columns <= 0 || rows <= 0 || columns > 10000 || rows > 10000 {
		if attrOf(r, "term") == "" {
			return 0, 0
		}
		return 80, 24 // a terminal that did not tell its size
	}
	return columns, rows
}

func attrOf(r *weir.Record, name string) string {
	for i := range r.Attrs {
		if r.Attrs[i].Name == name {
			return r.Attrs[i].Value
		}
	}
	return ""
}

type terminal struct{ *screen.Screen }

func (t terminal) write(b []byte) { _, _ = t.Write(b) }
func (t terminal) close()         { t.Flush() }

// pipe splits at newlines.
type pipe struct {
	tell  func(line string)
	typed bool // lines end as the key Enter ends them
	buf   []byte
}

func (p *pipe) write(b []byte) {
	for {
		i := bytes.IndexByte(b, '\n')
		if p.typed {
			i = bytes.IndexAny(b, "\r\n")
		}
		if i < 0 {
			break
		}
		p.add(b[:i])
		p.tell(string(bytes.TrimSuffix(p.buf, []byte("\r"))))
		p.buf = p.buf[:0]
		b = b[i+1:]
	}
	p.add(b)
}

// add keeps the beginning of a line.
func (p *pipe) add(b []byte) {
	for len(p.buf)+len(b) > maxText {
		n := maxText - len(p.buf)
		p.buf = append(p.buf, b[:n]...)
		b = b[n:]
		p.tell(string(p.buf))
		p.buf = append(p.buf[:0], p.buf[maxText-overlap:]...)
	}
	p.buf = append(p.buf, b...)
}

func (p *pipe) close() {
	if len(p.buf) > 0 {
		p.tell(string(p.buf))
		p.buf = p.buf[:0]
	}
}
