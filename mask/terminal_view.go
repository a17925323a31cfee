package mask

import (
	"bytes"
	"slices"

	"weir/mask/detect"
)

// terminalView is one way to read the stream: text, and where each of its bytes stands.
type terminalView struct {
	text      []byte
	runs      []textRun
	from      int // where what is not decided begins in text
	seen      int // how much of text was searched
	scan      scanner
	state     stream
	swallow   textWriter // follows a value too long to hold
	tail      int        // where in the stream what is marked of that value ends
	rank      int
	onlyKnown bool
}

// textRun tells that the text from text on stands from at on. more bytes behind it belong to its last character: it was written
// more than once.
type textRun struct{ text, at, more int }

// Ranks of views and what they find.
const (
	rankTyped = iota
	rankScreen
	rankKnown
)

// nowhere is where text stands that cannot be masked any more.
const nowhere = -1 << 40

// fresh is how much of the text was not searched yet, in bytes.
func (v *terminalView) fresh() int { return len(v.text) - v.seen }

// add appends p, which stands at at.
func (v *terminalView) add(at int, p []byte) {
	if len(p) == 1 {
		v.addByte(at, p[0])
		return
	}
	if len(p) > 0 {
		v.runs = v.runsTo(at)
		v.text = append(v.text, p...)
	}
}

// addByte appends one byte, which stands at at.
func (v *terminalView) addByte(at int, c byte) {
	v.runs = v.runsTo(at)
	v.text = append(v.text, c)
}

// runsTo returns the runs with one in which the next byte stands at at.
func (v *terminalView) runsTo(at int) []textRun {
	if n := len(v.runs); n > 0 {
		if last := &v.runs[n-1]; last.at+len(v.text)-last.text == at && last.more <= 0 {
			return v.runs
		}
	}
	return append(v.runs, textRun{text: len(v.text), at: at})
}

// each calls f for the places where text[from:to] stands.
func (v *terminalView) each(from, to int, f func(start, end int) bool) {
	i, _ := slices.BinarySearchFunc(v.runs, from+1, func(r textRun, at int) int { return r.text - at })
	for i = max(0, i-1); i < len(v.runs) && v.runs[i].text < to; i++ {
		r, end := v.runs[i], len(v.text)
		if i+1 < len(v.runs) {
			end = v.runs[i+1].text
		}
		if to < end {
			end, r.more = to, 0
		}
		start := max(from, r.text)
		if r.at < 0 {
			continue
		}
		if start < end && !f(r.at+start-r.text, r.at+end-r.text+r.more) {
			return
		}
	}
}

// held returns where the first byte stands that is not decided and not emitted, with what is decided ending at from.
func (v *terminalView) held(from, emitted int) int {
	at := int(^uint(0) >> 1)
	v.each(from, len(v.text), func(start, end int) bool {
		if end > emitted {
			at = min(at, max(start, emitted))
		}
		return end <= emitted || v.rank == rankScreen // the others are in order
	})
	return at
}

// decide searches what is not decided.
func (v *terminalView) decide(t *terminalWriter, final bool) {
	for {
		if v.swallow.swallow != detect.Closed {
			n := v.swallow.dropIn(&v.scan, v.text, v.from, final)
			v.mark(t, span{start: v.from, end: v.from + n}, true)
			v.from += n
			if v.swallow.swallow != detect.Closed {
				break
			}
		}
		before := v.from
		spans, safe := v.find(v.from, final)
		for _, sp := range spans {
			v.mark(t, sp, false)
		}
		v.from = safe
		if n := len(spans); n > 0 && spans[n-1].open != detect.Closed {
			v.swallow.follow(&spans[n-1], v.text, nil)
			continue
		}
		if !final || v.from == len(v.text) || v.from == before {
			break
		}
	}
	v.seen = len(v.text)
	if keep := min(v.from-detect.Context, len(v.text)-maxLine); keep > lexAtOnce/2 {
		v.forget(keep)
		if v.rank == rankTyped {
			t.lineText = max(0, t.lineText-keep)
		}
	}
}

func (v *terminalView) find(from int, final bool) ([]span, int) {
	if v.onlyKnown {
		return v.scan.scanKnown(v.text, from, final)
	}
	return v.scan.next(&v.state, v.text, from, final)
}

// forget drops the first n bytes of the text.
func (v *terminalView) forget(n int) {
	i, _ := slices.BinarySearchFunc(v.runs, n+1, func(r textRun, at int) int { return r.text - at })
	i = max(0, i-1)
	v.runs = v.runs[:copy(v.runs, v.runs[i:])]
	for i := range v.runs {
		v.runs[i].text -= n
	}
	if v.runs[0].text < 0 {
		v.runs[0].at -= v.runs[0].text
		v.runs[0].text = 0
	}
	v.text = v.text[:copy(v.text, v.text[n:])]
	v.from -= n
	v.seen -= n
	v.state.shift(n)
}

// quiet is how far the text may be shown when no more comes, with long set when none came for a longer while.
func (v *terminalView) quiet(long bool) int {
	to := len(v.text)
	if v.from == to {
		return to
	}
	for _, set := range v.scan.m.sets {
		from := v.from + set.Hold(v.text[v.from:])
		if long && len(bytes.TrimRight(v.text[from:], "\r\n\t ")) <= shortBeginning { // lines may be cut within an encoded secret
			continue
		}
		to = min(to, from)
	}
	if !v.onlyKnown {
		to = min(to, max(v.from, v.scan.m.e.detect.Quiet(&v.state.state, v.text, max(v.from, v.state.at))))
	}
	// What would be masked if this were all is not shown either.
	state := stream{state: v.state.state.Clone(), at: v.state.at, spans: slices.Clone(v.state.spans)}
	spans, _ := v.find(v.from, true)
	v.state = state
	if len(spans) > 0 {
		to = min(to, spans[0].start)
	}
	return to
}

// mark marks where a span of the text stands.
func (v *terminalView) mark(t *terminalWriter, sp span, silent bool) {
	k := terminalMark{kind: sp.kind, rank: v.rank}
	if sp.value != nil {
		k.rank = rankKnown
	}
	k.at = int(^uint(0) >> 1)
	v.each(sp.start, sp.end, func(start, end int) bool {
		k.at, k.to = min(k.at, start), max(k.to, end)
		return true
	})
	if silent && v.rank == rankTyped {
		k.at = min(k.at, v.tail) // with what stands between, which is in no view: a character that wrapped the line
	}
	v.tail = max(v.tail, k.to)
	if k.to <= t.emitted {
		return
	}
	if !silent {
		value := sp.value
		if value == nil {
			value = v.text[sp.start:sp.end]
		}
		k.text = t.m.placeholder(nil, k.kind, value, len(value), nil)
	}
	if !v.onlyKnown {
		k.start, k.end = k.at, k.to
		t.mark(k)
		return
	}
	// What stands at the edges of lines inside the secret stays.
	v.each(sp.start, sp.end, func(start, end int) bool {
		k.start, k.end = start, end
		t.mark(k)
		if end > t.emitted {
			k.text = nil
		}
		return true
	})
}
