package mask

// maxEdge is how much may stand between two parts of a known secret where a line is cut, in bytes.
const maxEdge = 4 << 10

// joinedView is the text without what may stand where a line is cut: line ends, blanks and frames around them, and line drawing
// anywhere. Only known secrets are searched in it.
type joinedView struct {
	terminalView
	pieces []edgePiece
	edge   []byte // what may have to go, in front of what is yet to come
	cut    bool   // a line ends in it
	loose  bool   // there is more in it than marks
}

// edgePiece is a part of the edge that stands together; drawn ones never stay.
type edgePiece struct {
	at, from, to int
	drawn        bool
}

// isEdge reports what may stand at the edge of a line; isMark those of them that are as likely part of a secret.
func isEdge(c byte) bool { return c == ' ' || c == '\t' || c == '|' || isMark(c) }
func isMark(c byte) bool { return c == '+' || c == '.' }

// isDrawn reports the characters U+2500 to U+257F, the ellipsis and the arrow that psql cuts lines with.
func isDrawn(p []byte) bool {
	if len(p) != 3 || p[0] != 0xe2 {
		return false
	}
	return p[1] == 0x94 || p[1] == 0x95 || p[1] == 0x80 && p[2] == 0xa6 || p[1] == 0x86 && p[2] == 0xb5
}

// feed takes a character or a run of printable ASCII.
func (j *joinedView) feed(at int, p []byte) {
	if len(j.scan.m.sets) == 0 {
		return
	}
	if p[0] >= 0x80 {
		if isDrawn(p) {
			j.keep(at, p, true)
			return
		}
		j.resolve()
		j.add(at, p)
		return
	}
	if len(p) == 1 && !isEdge(p[0]) {
		j.resolve()
		j.addByte(at, p[0])
		return
	}
	i := 0
	for i < len(p) && isEdge(p[i]) {
		i++
	}
	j.keep(at, p[:i], false)
	if i == len(p) {
		return
	}
	j.resolve()
	k := len(p)
	for isEdge(p[k-1]) {
		k--
	}
	j.add(at+i, p[i:k])
	j.keep(at+k, p[k:], false)
}

// keep adds to the edge.
func (j *joinedView) keep(at int, p []byte, drawn bool) {
	if len(p) == 0 {
		return
	}
	if len(j.edge)+len(p) > maxEdge {
		j.cut = false
		j.resolve()
	}
	if len(p) > maxEdge {
		j.add(at, p[:len(p)-maxEdge])
		at, p = at+len(p)-maxEdge, p[len(p)-maxEdge:]
	}
	for _, c := range p {
		j.loose = j.loose || !isMark(c)
	}
	j.pieces = append(j.pieces, edgePiece{at, len(j.edge), len(j.edge) + len(p), drawn})
	j.edge = append(j.edge, p...)
}

// resolve decides on the edge, now that text follows it.
func (j *joinedView) resolve() {
	if len(j.edge) == 0 {
		j.cut, j.loose = false, false
		return
	}
	if !j.cut || !j.loose {
		for _, p := range j.pieces {
			if !p.drawn {
				j.add(p.at, j.edge[p.from:p.to])
			}
		}
	}
	j.pieces, j.edge, j.cut, j.loose = j.pieces[:0], j.edge[:0], false, false
}

// mixedView is control functions and the text behind them, as they stand in the stream: an unfinished function takes the first byte
// of what follows for its own. Only known secrets are searched in it.
type mixedView struct {
	terminalView
	left int // how much of the text that follows still goes in
}

// function takes a control function.
func (v *mixedView) function(at int, p []byte) {
	for _, set := range v.scan.m.sets {
		v.left = max(v.left, set.MaxPattern())
	}
	if v.left > 0 {
		v.add(at, p)
	}
}

// behind takes text.
func (v *mixedView) behind(at int, p []byte) {
	if v.left == 0 {
		return
	}
	n := min(v.left, len(p))
	v.add(at, p[:n])
	if v.left -= n; v.left == 0 {
		v.add(nowhere, []byte{'\n'})
	}
}

// scanKnown finds the known secrets in b[from:]; from, final and safe are as for scan.
func (s *scanner) scanKnown(b []byte, from int, final bool) (spans []span, safe int) {
	s.spans = s.spans[:0]
	safe = len(b)
	for _, set := range s.m.sets {
		s.known = set.Find(s.known[:0], b[from:])
		for _, k := range s.known {
			s.insert(span{from: from + k.Start, start: from + k.Start, end: from + k.End, kind: set.Name(k.Entry), value: set.Value(k.Entry)})
		}
		if !final {
			safe = min(safe, from+set.Hold(b[from:]))
		}
	}
	for n := len(s.spans); n > 0 && s.spans[n-1].end > safe; n-- {
		safe = min(safe, s.spans[n-1].start)
		s.spans = s.spans[:n-1]
	}
	return s.spans, safe
}
