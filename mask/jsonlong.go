package mask

import (
	"weir/mask/detect"
	"weir/mask/field"
)

// longString is the state inside a string too long to hold.
type longString uint8

const (
	notLong longString = iota
	longPassage
	longSecret
)

// longestEscape is how many bytes spell one character at most: two escapes of six.
const longestEscape = 12

// longText masks the text of a string too long to hold, as textWriter does, and replaces in it how it is spelled.
type longText struct {
	j     *jsonWriter
	t     *textWriter // its scanner, and what it swallows
	plain []byte      // context already passed on, then what is held
	from  int         // where what is held begins
	raw   []byte      // how that is spelled
}

// beginLong starts a string that is too long to hold: a secret is dropped to its end, other text streams.
func (j *jsonWriter) beginLong() {
	strong := j.strength() == field.Strong
	j.key = 0
	if j.wantKey {
		j.wantKey, j.key, strong = false, says(field.Strong), false // a name of 64 KiB: nothing good comes of it
	}
	j.dropped = 0
	if j.long = longSecret; !strong {
		j.long = longPassage
		j.passage = &longText{j: j, t: newText(j.m, nil, j.tally)}
	}
}

// passLong passes or drops b to the closing quote and returns how much was consumed.
func (j *jsonWriter) passLong(b []byte, final bool) int {
	end, closed, late := 0, false, -1
	for end < len(b) {
		if end += plainRun(b[end:]); end >= len(b) {
			break
		}
		if b[end] == '"' {
			closed = true
			break
		}
		if late < 0 && end+longestEscape > len(b) {
			late = end
		}
		end += 2
	}
	end = min(end, len(b))
	if !closed && !final && late >= 0 {
		end = late // an escape may go on
	}
	if j.long == longSecret {
		j.drop(end)
	} else {
		j.passage.take(b[:end], closed || final)
	}
	if !closed && !final {
		return end
	}
	j.long, j.passage, j.note = notLong, nil, nil
	if closed {
		j.out = append(j.out, '"')
		end++
	}
	return end
}

// drop leaves out n more bytes of a secret; its placeholder stands where they begin.
func (j *jsonWriter) drop(n int) {
	switch {
	case n == 0:
	case j.dropped == 0:
		j.masked = j.m.placeholder(j.masked[:0], "field", []byte("long"), n, j.tally)
		j.out = append(j.out, j.masked...)
		j.note = j.m.notes.latest()
	default:
		j.tally.Replaced(n)
		j.m.notes.more(j.note, n)
	}
	j.dropped += n
}

// take masks a piece that ends in no escape, and appends what is decided to the writer's output.
func (l *longText) take(piece []byte, final bool) {
	l.raw = append(l.raw, piece...)
	l.plain = unquote(l.plain, piece)
	for {
		if l.t.swallow != detect.Closed {
			n := l.t.dropIn(&l.t.scan, l.plain, l.from, final)
			s := speller{raw: l.raw}
			raw := s.to(n, true)
			l.j.tally.Replaced(raw)
			l.j.m.notes.more(l.t.note, raw)
			l.advance(&s)
			if l.t.swallow != detect.Closed {
				break
			}
		}
		before := l.from
		spans, safe := l.t.scan.next(&l.t.state, l.plain, l.from, final)
		n := len(spans)
		open := n > 0 && spans[n-1].open != detect.Closed
		l.emit(spans, safe, open)
		if open {
			l.t.follow(&spans[n-1], l.plain, l.j.m.notes.latest())
			continue
		}
		if !final || l.from == len(l.plain) || l.from == before {
			break
		}
	}
	if final {
		l.j.out = append(l.j.out, l.raw...)
		l.raw = l.raw[:0]
	}
	if keep := l.from - detect.Context; keep >= slack {
		l.plain = l.plain[:copy(l.plain, l.plain[keep:])]
		l.from = detect.Context
		l.t.state.shift(keep)
	}
}

// emit passes on what is decided, up to safe.
func (l *longText) emit(spans []span, safe int, open bool) {
	j, at, base := l.j, 0, l.from
	s := speller{raw: l.raw}
	for _, sp := range spans {
		start, end := s.to(sp.start-base, false), s.to(sp.end-base, true)
		if start >= end {
			continue
		}
		if sp.value == nil {
			sp.value = l.plain[sp.start:sp.end]
		}
		j.out = append(j.out, l.raw[at:start]...)
		j.masked = j.m.placeholder(j.masked[:0], sp.kind, sp.value, end-start, j.tally)
		j.out = quote(j.out, j.masked)
		at = end
	}
	end := s.to(safe-base, open)
	j.out = append(j.out, l.raw[at:max(at, end)]...)
	l.advance(&s)
}

// advance goes on behind what s has passed.
func (l *longText) advance(s *speller) {
	l.from += s.upto
	l.raw = l.raw[:copy(l.raw, l.raw[s.at:])]
}
