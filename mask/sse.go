package mask

import (
	"bytes"

	"weir"
)

// maxEventLine is the longest line of an event stream that is held to be read as JSON; a longer one is read as text.
const maxEventLine = 256 << 10

// sseWriter reads text/event-stream (HTML, section 9.2). Data that is JSON is read as that, a line at a time; all else goes through one
// textWriter.
type sseWriter struct {
	m     *Masker
	w     sink
	tally *weir.Tally
	text  *textWriter
	buf   []byte // a line of data that may be JSON
	out   []byte
	plain bool // the rest of this line is text
	err   error
}

func newSSE(m *Masker, w sink, t *weir.Tally) *sseWriter { return &sseWriter{m: m, w: w, tally: t} }

// Write masks p.
func (s *sseWriter) Write(p []byte) (int, error) {
	for b := p; len(b) > 0 && s.err == nil; {
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			n = len(b)
		}
		s.err = s.piece(b[:n])
		b = b[n:]
	}
	if s.err != nil {
		return 0, s.err
	}
	return len(p), nil
}

// piece takes a part of a line, at most to its end.
func (s *sseWriter) piece(b []byte) error {
	ends := b[len(b)-1] == '\n'
	if s.plain {
		s.plain = !ends
		return s.asText(b)
	}
	s.buf = append(s.buf, b...)
	json, decided := dataIsJSON(s.buf)
	switch {
	case decided && !json, len(s.buf) > maxEventLine:
		s.plain = !ends
	case !ends:
		return nil
	case json:
		return s.asJSON()
	}
	err := s.asText(s.buf)
	s.buf = s.buf[:0]
	return err
}

// dataIsJSON reports whether a line, as far as it is there, is data that begins like JSON.
func dataIsJSON(line []byte) (json, decided bool) {
	const name = "data:"
	if len(line) < len(name) {
		return false, string(line) != name[:len(line)]
	}
	if string(line[:len(name)]) != name {
		return false, true
	}
	v := bytes.TrimLeft(line[len(name):], " \t")
	if len(v) == 0 {
		return false, false
	}
	return v[0] == '{' || v[0] == '[' || v[0] == '"', true
}

func (s *sseWriter) asText(b []byte) error {
	if s.text == nil {
		s.text = newText(s.m, s.w, s.tally)
	}
	_, err := s.text.Write(b)
	return err
}

// endText passes on what the text reader still holds: what comes next is read by another.
func (s *sseWriter) endText() error {
	if s.text == nil {
		return nil
	}
	t := s.text
	s.text = nil
	return t.Close()
}

func (s *sseWriter) asJSON() error {
	if err := s.endText(); err != nil {
		return err
	}
	at := bytes.IndexAny(s.buf, "{[\"")
	s.out = append(s.out[:0], s.buf[:at]...)
	j := s.m.pooled(appender{&s.out}, s.tally)
	_, err := j.Write(s.buf[at:])
	if cerr := j.Close(); err == nil {
		err = cerr
	}
	s.buf = s.buf[:0]
	if err != nil {
		return err
	}
	_, err = s.w.Write(s.out)
	return err
}

// Flush passes on what cannot become a secret. Write has done so already.
func (s *sseWriter) Flush() error { return s.err }

// Close masks the rest.
func (s *sseWriter) Close() error {
	if s.err != nil {
		return s.err
	}
	if len(s.buf) > 0 {
		if json, _ := dataIsJSON(s.buf); json {
			s.err = s.asJSON()
		} else {
			s.err = s.asText(s.buf)
			s.buf = s.buf[:0]
		}
	}
	if s.err == nil {
		s.err = s.endText()
	}
	return s.err
}
