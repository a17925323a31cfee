package mask

import (
	"bytes"
	"net/url"

	"weir"
	"weir/mask/field"
)

// maxPair is the longest form field, and the longest JSON string, that is looked at decoded, in bytes.
const maxPair = 64 << 10

// formWriter masks application/x-www-form-urlencoded, a pair at a time. Pairs without a secret stay as they are.
type formWriter struct {
	m       *Masker
	w       sink
	tally   *weir.Tally
	err     error
	buf     []byte
	out     []byte
	scratch []byte
	long    *textWriter // reads a pair too long to decode
}

func newForm(m *Masker, w sink, t *weir.Tally) *formWriter { return &formWriter{m: m, w: w, tally: t} }

// Write masks p.
func (f *formWriter) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	f.buf = append(f.buf, p...)
	if f.err = f.pass(false); f.err != nil {
		return 0, f.err
	}
	return len(p), nil
}

// Flush passes on whole pairs; Write has done so already.
func (f *formWriter) Flush() error { return f.err }

// Close masks the last pair.
func (f *formWriter) Close() error {
	if f.err == nil {
		f.err = f.pass(true)
	}
	return f.err
}

func (f *formWriter) pass(final bool) error {
	f.out = f.out[:0]
	b := f.buf
	for len(b) > 0 || final && f.long != nil {
		i := bytes.IndexByte(b, '&')
		switch {
		case f.long != nil:
			piece := b
			if i >= 0 {
				piece = b[:i]
			}
			if _, err := f.long.Write(piece); err != nil {
				return err
			}
			b = b[len(piece):]
			if i < 0 && !final {
				continue
			}
			if err := f.long.Close(); err != nil {
				return err
			}
			f.long = nil
			continue
		case i == 0:
			f.out = append(f.out, '&')
			b = b[1:]
			continue
		case len(b) > maxPair && (i < 0 || i > maxPair):
			f.long = newText(f.m, appender{&f.out}, f.tally)
			continue
		case i < 0 && !final:
			goto done
		case i < 0:
			i = len(b)
		}
		f.pair(b[:i])
		b = b[i:]
	}
done:
	f.buf = f.buf[:copy(f.buf, b)]
	if len(f.out) == 0 {
		return nil
	}
	_, err := f.w.Write(f.out)
	return err
}

// appender writes to a slice.
type appender struct{ to *[]byte }

// Write appends p.
func (a appender) Write(p []byte) (int, error) {
	*a.to = append(*a.to, p...)
	return len(p), nil
}

// pair masks name=value.
func (f *formWriter) pair(pair []byte) {
	name, value, named := bytes.Cut(pair, []byte("="))
	plainName, plain := unescape(name), unescape(value)
	strength := field.None
	if named {
		strength = f.m.e.names.Match(plainName)
	} else {
		plain = plainName
	}
	if named {
		f.part(field.None, name, plainName)
		f.out = append(f.out, '=')
		f.part(strength, value, plain)
		return
	}
	f.part(strength, pair, plain)
}

// part masks a name or a value, whose text is plain, and leaves all around what is secret as it was spelled.
func (f *formWriter) part(strength field.Strength, raw, plain []byte) {
	s := scanner{m: f.m}
	escaped := len(plain) < len(raw)
	at, upto := 0, 0 // in raw, in plain
	to := func(i int) int {
		if !escaped {
			return i
		}
		end := at
		for ; upto < i; upto++ {
			if raw[end] == '%' {
				end += 2
			}
			end++
		}
		return end
	}
	for _, sp := range s.value(strength, plain) {
		start := to(sp.start)
		f.out = append(f.out, raw[at:start]...)
		at = start
		end := to(sp.end)
		value := sp.value
		if value == nil {
			value = plain[sp.start:sp.end]
		}
		f.scratch = f.m.placeholder(f.scratch[:0], sp.kind, value, end-start, f.tally)
		f.out = append(f.out, url.QueryEscape(string(f.scratch))...)
		at = end
	}
	f.out = append(f.out, raw[at:]...)
}

// unescape decodes percent and plus; what does not decode is taken as it is.
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '%') < 0 && bytes.IndexByte(b, '+') < 0 {
		return b
	}
	s, err := url.QueryUnescape(string(b))
	if err != nil {
		return b
	}
	return []byte(s)
}
