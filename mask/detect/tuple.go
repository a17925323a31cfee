package detect

import "slices"

// tuples remembers the parentheses that long rows leave open, so that rows which begin at one of them need not be read to see that they are as long.
type tuples struct {
	scans [4]tupleScan // the last ones: what one takes for text, others may take for quoted
	next  int
}

// tupleScan is what is known of the text from the first of opens up to end.
type tupleScan struct {
	opens []int // places of parentheses without an end so far, ascending
	end   int   // where reading goes on: behind the text if a backslash ends it
	quote byte  // that is open at end, or 0
}

// read goes on to limit in b and reports that the parenthesis opens[first] has its end there.
func (t *tupleScan) read(b []byte, limit, first int) bool {
	for ; t.end < limit; t.end++ {
		switch c := b[t.end]; {
		case t.quote != 0 && c == '\\' && t.quote == '\'':
			t.end++
		case t.quote != 0:
			if c == t.quote {
				t.quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			t.quote = c
		case c == '(':
			t.opens = append(t.opens, t.end)
		case c == ')':
			if t.opens = t.opens[:len(t.opens)-1]; len(t.opens) == first {
				t.end++
				return true
			}
		}
	}
	return false
}

// longRow is the least that is there of a row of which anything is remembered, in bytes.
const longRow = 1 << 10

// tupleLength is the length of the row of MaxHold bytes or less at i; see there.
func (f *finder) tupleLength(i int) (n int, ok bool) {
	b, final, held := f.b[i:], f.final, !f.final
	if len(b) >= MaxHold {
		b, final, held = b[:MaxHold], false, false
	}
	lead := tupleLead(b)
	inner := lead < len(b) && b[lead] == '('
	if inner && f.longTuple(i+lead, i+len(b)) {
		return 0, final
	}
	if n, ok = tupleLength(b, final); inner && n == 0 && !held && len(b) >= longRow {
		f.noteTuple(i+lead, i+len(b))
	}
	return n, ok
}

// longTuple reports what is known already: that the row whose parenthesis stands at open has no end before limit.
func (f *finder) longTuple(open, limit int) bool {
	if f.tuples == nil {
		return false
	}
	for k := range f.tuples.scans {
		t := &f.tuples.scans[k]
		first, ok := slices.BinarySearch(t.opens, open)
		if !ok {
			continue
		}
		return !t.read(f.b, limit, first)
	}
	return false
}

// noteTuple notes that the row whose parenthesis stands at open has no end before limit.
func (f *finder) noteTuple(open, limit int) {
	if f.tuples == nil {
		f.tuples = new(tuples)
	}
	t := &f.tuples.scans[f.tuples.next%len(f.tuples.scans)]
	f.tuples.next++
	*t = tupleScan{opens: t.opens[:0], end: open}
	t.read(f.b, limit, 0)
}
