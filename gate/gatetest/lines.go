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
type Lines struct{}

var _ session.Codec = Lines{}

// Request reads one line.
func (Lines) Request(b []byte) (int, *weir.Command, error) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return 0, nil, nil
	}
	line := string(bytes.TrimRight(b[:i], "\r"))
	switch {
	case line == "PING":
		return i + 1, nil, nil
	case line == "PANIC":
		panic("codec bug")
	case strings.ContainsRune(line, 0):
		return 0, nil, errors.New("NUL in a line")
	}
	op, _, _ := strings.Cut(line, " ")
	return i + 1, &weir.Command{Operation: strings.ToUpper(op), Text: line}, nil
}

// Response marks the values of the whole lines in b.
func (Lines) Response(out *session.Batch, b []byte) error {
	out.End = bytes.LastIndexByte(b, '\n') + 1
	for start := 0; start < out.End; {
		end := start + bytes.IndexByte(b[start:], '\n')
		line := b[start:end]
		if string(line) == "." {
			out.Answered++
		}
		for at := 0; at < len(line); {
			n := bytes.IndexByte(line[at:], ' ')
			if n < 0 {
				n = len(line) - at
			}
			name, value, named := strings.Cut(string(line[at:at+n]), "=")
			if !named {
				name, value = "", name
			}
			from := start + at + n - len(value)
			out.Spans = append(out.Spans, session.Span{Start: from, End: from + len(value), Name: name})
			at += n + 1
		}
		start = end + 1
	}
	return nil
}

// Splice rebuilds lines, which carry no lengths.
func (Lines) Splice(dst, frames []byte, edits []session.Edit) ([]byte, error) {
	at := 0
	for _, e := range edits {
		dst = append(dst, frames[at:e.Start]...)
		dst = append(dst, e.New...)
		at = e.End
	}
	return append(dst, frames[at:]...), nil
}

// Refuse says no in a line of its own answer.
func (Lines) Refuse(dst []byte, d *weir.Denied) []byte {
	dst = append(dst, "ERR "...)
	dst = append(dst, d.Kind.String()...)
	dst = append(dst, ' ')
	dst = append(dst, d.Request...)
	return append(dst, "\n.\n"...)
}
