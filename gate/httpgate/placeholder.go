package httpgate

import (
	"bytes"
	"strings"
)

// A placeholder that comes back in a request would be written where the secret was, so
// requests that hold one are refused: "[masked:KIND:ID]", also percent-encoded (once or more often) or with JSON escapes.

const (
	maxPlaceholder = 160 // bytes that the longest spelling takes
	maxKind        = 48
	maxID          = 32
)

// placeholderIn reports whether s holds a placeholder.
func placeholderIn(s string) bool {
	return strings.Contains(s, "masked") && holdsPlaceholder([]byte(s))
}

// holdsPlaceholder reports whether b holds a placeholder.
func holdsPlaceholder(b []byte) bool {
	for {
		i := bytes.Index(b, []byte("masked"))
		if i < 0 {
			return false
		}
		if endsWithSpelling(b[:i], '[') && isPlaceholderTail(b[i+len("masked"):]) {
			return true
		}
		b = b[i+len("masked"):]
	}
}

// isPlaceholderTail reports whether b goes on as ":KIND:ID]".
func isPlaceholderTail(b []byte) bool {
	n := spelling(b, ':')
	if n == 0 {
		return false
	}
	if b = b[n:]; !skipWord(&b, maxKind) {
		return false
	}
	if n = spelling(b, ':'); n == 0 {
		return false
	}
	if b = b[n:]; !skipWord(&b, maxID) {
		return false
	}
	return spelling(b, ']') > 0
}

// skipWord takes 1 to limit bytes of a kind or an id off b.
func skipWord(b *[]byte, limit int) bool {
	n := 0
	for n < len(*b) && n <= limit && isWordByte((*b)[n]) {
		n++
	}
	*b = (*b)[n:]
	return n > 0 && n <= limit
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// spelling returns how many bytes at the front of b spell c: itself, %XX, %25XX …, or \u00XX; 0 when they do not.
func spelling(b []byte, c byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case c:
		return 1
	case '%':
		n := 1
		for len(b) > n+1 && b[n] == '2' && b[n+1] == '5' {
			n += 2
		}
		if len(b) >= n+2 && unhex(b[n])<<4|unhex(b[n+1]) == int(c) {
			return n + 2
		}
	case '\\':
		if len(b) >= 6 && b[1] == 'u' && b[2] == '0' && b[3] == '0' && unhex(b[4])<<4|unhex(b[5]) == int(c) {
			return 6
		}
	}
	return 0
}

// endsWithSpelling reports whether b ends with a spelling of c.
func endsWithSpelling(b []byte, c byte) bool {
	for n := 1; n <= 16 && n <= len(b); n++ {
		if tail := b[len(b)-n:]; spelling(tail, c) == n {
			return true
		}
	}
	return false
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return 1 << 16
}

// placeholderScan searches a stream for placeholders, also for those that stand across its writes.
type placeholderScan struct {
	tail [2 * maxPlaceholder]byte
	n    int
}

// holds reports whether p, or the seam before it, holds a placeholder.
func (s *placeholderScan) holds(p []byte) bool {
	if s.n > 0 {
		k := copy(s.tail[s.n:], p)
		if holdsPlaceholder(s.tail[:s.n+k]) {
			return true
		}
	}
	if holdsPlaceholder(p) {
		return true
	}
	s.keep(p)
	return false
}

// keep remembers the last bytes of the stream.
func (s *placeholderScan) keep(p []byte) {
	if len(p) >= maxPlaceholder {
		s.n = copy(s.tail[:], p[len(p)-maxPlaceholder:])
		return
	}
	if over := s.n + len(p) - maxPlaceholder; over > 0 {
		copy(s.tail[:], s.tail[over:s.n])
		s.n -= over
	}
	s.n += copy(s.tail[s.n:], p)
}
