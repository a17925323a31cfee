package gatetest

import (
	"bytes"
	"errors"
	"strings"

	"weir"
	"weir/gate/session"
)

// Lines is the codec of a protocol made for proving the pump: a request is a line, "PING" asks for nothing
// and is not decided, an answer is any number of lines and a line with a dot. Words of an answer that
// read name=value are values.
type Lines struct{ turns []turn }

// turn is a place in the order of answers: an exchange that waits for its answer, or a refusal that waits for those before it.
type turn struct {
	x      *session.Exchange
	refuse []byte
}

var _ session.Codec = (*Lines)(nil)

// Limit is the gate's.
func (*Lines) Limit() int { return 0 }

// Owes reports whether an answer is due.
func (l *Lines) Owes() bool { return len(l.turns) > 0 }

// Request reads one line.
func (l *Lines) Request(r *session.Requests, b []byte) (int, error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return 0, nil
	}
	line := string(bytes.TrimRight(b[:i], "\r"))
	switch {
	case line == "PING":
		r.Control(b[:i+1])
		return i + 1, nil
	case line == "PANIC":
		panic("codec bug")
	case strings.ContainsRune(line, 0):
		return 0, errors.New("NUL in a line")
	}
	op, _, _ := strings.Cut(line, " ")
	cmd := &weir.Command{Operation: strings.ToUpper(op), Text: line}
	cmd.Held = func(id weir.RequestID) { r.Reply([]byte("HELD " + string(id) + "\n")) }
	x, d := r.Ask(cmd)
	if d != nil {
		if refusal := l.Refuse(nil, d); l.Owes() {
			l.turns = append(l.turns, turn{refuse: refusal})
		} else {
			r.Reply(refusal)
		}
		return i + 1, nil
	}
	l.turns = append(l.turns, turn{x: x})
	return i + 1, r.Forward(x, b[:i+1])
}

// Response masks the values of the whole lines in b.
func (l *Lines) Response(a *session.Answers, b []byte) (int, error) {
	whole := bytes.LastIndexByte(b, '\n') + 1
	for start := 0; start < whole; {
		end := start + bytes.IndexByte(b[start:], '\n')
		if l.Owes() {
			a.For(l.turns[0].x, start)
		} else {
			a.For(nil, start)
		}
		l.words(a, b, start, end)
		if start, end = end+1, end+1; string(b[max(0, end-2):end]) == ".\n" && (end == 2 || b[end-3] == '\n') {
			l.answered(a, end)
		}
	}
	return whole, nil
}

// answered closes the turn at the front, and says the refusals behind it.
func (l *Lines) answered(a *session.Answers, at int) {
	if !l.Owes() {
		return
	}
	a.End(l.turns[0].x, at, nil)
	for l.turns = l.turns[1:]; l.Owes() && l.turns[0].refuse != nil; l.turns = l.turns[1:] {
		a.Insert(l.turns[0].refuse, at)
	}
}

// words masks the values of one line.
func (l *Lines) words(a *session.Answers, b []byte, start, end int) {
	for at := start; at < end; {
		n := bytes.IndexByte(b[at:end], ' ')
		if n < 0 {
			n = end - at
		}
		name, value, named := strings.Cut(string(b[at:at+n]), "=")
		if !named {
			name, value = "", name
		}
		from := at + n - len(value)
		if masked := a.Value(nil, name, []byte(value)); string(masked) != value {
			a.Resume(append(a.Rewrite(from), masked...), at+n)
		}
		at += n + 1
	}
}

// Refuse says no in a line of its own answer.
func (*Lines) Refuse(dst []byte, d *weir.Denied) []byte {
	dst = append(dst, "ERR "...)
	dst = append(dst, d.Kind.String()...)
	dst = append(dst, ' ')
	dst = append(dst, d.Request...)
	return append(dst, "\n.\n"...)
}
