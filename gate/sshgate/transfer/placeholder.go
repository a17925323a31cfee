package transfer

import "bytes"

const (
	mark           = "[masked:"
	maxPlaceholder = 160 // bytes behind the mark that are looked at
	seam           = len(mark) + maxPlaceholder
)

// Placeholder reports whether b holds a placeholder of the masker: "[masked:KIND:ID]", or "[masked:***]" as it stands where lengths are kept.
func Placeholder(b []byte) bool {
	for {
		i := bytes.Index(b, []byte(mark))
		if i < 0 {
			return false
		}
		b = b[i+len(mark):]
		if isTail(b) {
			return true
		}
	}
}

// isTail reports whether b goes on as "KIND:ID]" or as "***]".
func isTail(b []byte) bool {
	b = b[:min(len(b), maxPlaceholder)]
	end := bytes.IndexByte(b, ']')
	if end < 1 {
		// A mask of asterisks takes as many bytes as the secret did.
		return len(b) == maxPlaceholder && len(bytes.Trim(b, "*")) == 0
	}
	b = b[:end]
	if len(bytes.Trim(b, "*")) == 0 {
		return true
	}
	kind, id, ok := bytes.Cut(b, []byte{':'})
	return ok && word(kind) && word(id)
}

func word(b []byte) bool {
	for _, c := range b {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return len(b) > 0
}

// Scan searches a stream for placeholders, also for those that stand across its writes. The zero value is at a stream's beginning.
type Scan struct {
	tail [2 * seam]byte
	n    int
}

// Holds reports whether p, or the seam before it, holds a placeholder.
func (s *Scan) Holds(p []byte) bool {
	if s.n > 0 {
		k := copy(s.tail[s.n:], p)
		if Placeholder(s.tail[:s.n+k]) {
			return true
		}
	}
	if Placeholder(p) {
		return true
	}
	s.keep(p)
	return false
}

// keep remembers the last bytes of the stream.
func (s *Scan) keep(p []byte) {
	if len(p) >= seam {
		s.n = copy(s.tail[:], p[len(p)-seam:])
		return
	}
	if over := s.n + len(p) - seam; over > 0 {
		s.n = copy(s.tail[:], s.tail[over:s.n])
	}
	s.n += copy(s.tail[s.n:], p)
}
