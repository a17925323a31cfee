// Package known finds the exact secrets that the gateway holds, in every encoding they are likely to be
// printed in: raw and reversed; URL once and twice, form, quoted-printable; JSON, YAML, HTML, SQL, CSV, shell, C and properties escapes; every
// character escaped; hexadecimal with and without separators, base32 and base64 at all offsets, also where lines are wrapped; UTF-16,
// and base64 of it.
//
// A Set is immutable and safe for concurrent use, a Live set changes and is, too; finding allocates nothing unless something is
// found. The package must never say a value in an error.
package known

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
)

const (
	// MinLength is the shortest secret that can be searched for, in bytes.
	MinLength = 6
	// ShortLength is the length below which a secret may turn up by chance.
	ShortLength = 12
	// MaxLength is the longest secret that can be searched for, in bytes.
	MaxLength = 64 << 10

	// Context is how much of what stands before is enough to tell what a stream goes on with, in bytes.
	Context = wrapRun

	minPattern = 6
	// maxPattern is the longest pattern, in bytes: longer spellings are searched for in pieces. It bounds what Hold
	// holds, and so how often bytes are looked at again.
	maxPattern = 4 << 10
	// longPattern is the length from which a pattern is found by windows of five bytes at every eighth: secrets that are long enough need no look at every fourth.
	longPattern = longStep + longWidth - 1
	longStep    = 8
	longWidth   = 5
	shortStep   = 4
	shortWidth  = 4
	// maxText is the most that the spellings of all secrets may take, in bytes.
	maxText = 1 << 31
)

// Entry is one secret. Name is what masks and warnings call it; Value is not kept by reference.
type Entry struct {
	Name  string
	Value []byte
}

// Warning tells that a secret is weak as a needle.
type Warning struct {
	Name string
	Text string
}

// Span is where something was found: b[Start:End] holds a spelling of entry Entry, and of others if they overlap it.
type Span struct {
	Start, End, Entry int
	Set               int // of FindAll: which set it is of
}

// pattern is a spelling or a piece of one: text[at:at+size].
type pattern struct {
	at, size uint32
	entry    int32
	parent   int32 // the longest other pattern that this one begins with, or -1
}

func (p *pattern) isLong() bool { return p.size >= longPattern }

// Set is what is searched for. A nil Set finds nothing.
type Set struct {
	entries  []Entry
	text     []byte
	patterns []pattern // in the order of their bytes, none twice
	maxLen   int

	long  *index // patterns of longPattern bytes and more; nil without
	short *index // shorter ones; nil without

	beginnings beginnings
	views      sync.Pool // of *view

	// What was joined, or nil. A joined set has maxLen, filters and views besides, and nothing else.
	first, second *Set
}

// Build makes a Set. A secret shorter than MinLength or longer than MaxLength is an error that names it.
func Build(entries []Entry) (*Set, []Warning, error) {
	var warnings []Warning
	s := &Set{}
	for _, e := range entries {
		switch n := len(e.Value); {
		case n < MinLength:
			return nil, nil, fmt.Errorf("secret %q has fewer than %d bytes and cannot be masked; use a longer one", e.Name, MinLength)
		case n > MaxLength:
			return nil, nil, fmt.Errorf("secret %q has more than %d bytes; is it the right file?", e.Name, MaxLength)
		case n < ShortLength:
			warnings = append(warnings, Warning{e.Name, fmt.Sprintf("has fewer than %d bytes: easy to guess, and other text may be masked by chance", ShortLength)})
		}
		if ordinary(e.Value) {
			warnings = append(warnings, Warning{e.Name, "is an ordinary word or hardly varies: easy to guess, and ordinary text is masked"})
		}
		s.entries = append(s.entries, Entry{e.Name, bytes.Clone(e.Value)})
	}
	if err := s.build(); err != nil {
		return nil, nil, err
	}
	return s, warnings, nil
}

func (s *Set) build() error {
	sp := speller{seen: map[string]struct{}{}}
	size := 0
	for _, e := range s.entries { // about what their spellings take
		size += 192 * min(len(e.Value), everyMax)
	}
	s.text, s.patterns = make([]byte, 0, size), make([]pattern, 0, 80*len(s.entries))
	for i, e := range s.entries {
		for _, form := range sp.spell(string(e.Value)) {
			if len(s.text)+len(form) > maxText {
				return errors.New("the secrets are too many and too long to be masked")
			}
			s.put(form, int32(i))
		}
	}
	s.sort()
	s.long = newIndex(s, longStep, longWidth, longPattern, (*pattern).isLong)
	s.short = newIndex(s, shortStep, shortWidth, min(shortStep+shortWidth-1, s.shortest()), func(p *pattern) bool { return !p.isLong() })
	s.beginnings = newBeginnings(s)
	return nil
}

// put takes in a spelling, in pieces of equal length if it is long.
func (s *Set) put(form string, entry int32) {
	pieces := (len(form) + maxPattern - 1) / maxPattern
	for n := range pieces {
		piece := form[n*len(form)/pieces : (n+1)*len(form)/pieces]
		s.patterns = append(s.patterns, pattern{at: uint32(len(s.text)), size: uint32(len(piece)), entry: entry, parent: -1})
		s.text = append(s.text, piece...)
		s.maxLen = max(s.maxLen, len(piece))
	}
}

// sort orders the patterns, drops those that are there twice, and finds their parents.
func (s *Set) sort() {
	type keyed struct {
		key uint64 // the first bytes: nearly always enough
		p   pattern
	}
	order := make([]keyed, len(s.patterns))
	for i, p := range s.patterns {
		var first [8]byte
		copy(first[:], s.bytes(&p))
		order[i] = keyed{binary.BigEndian.Uint64(first[:]), p}
	}
	slices.SortFunc(order, func(a, b keyed) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return cmp.Or(bytes.Compare(s.bytes(&a.p), s.bytes(&b.p)), cmp.Compare(a.p.entry, b.p.entry))
	})
	text := make([]byte, 0, len(s.text))
	patterns := make([]pattern, 0, len(order))
	open := int32(-1) // the last pattern and those it begins with
	for i := range order {
		p := order[i].p
		b := s.bytes(&p)
		if n := len(patterns); n > 0 && bytes.Equal(text[patterns[n-1].at:], b) {
			continue
		}
		for open >= 0 && !bytes.HasPrefix(b, text[patterns[open].at:patterns[open].at+patterns[open].size]) {
			open = patterns[open].parent
		}
		p.at, p.parent = uint32(len(text)), open
		text = append(text, b...)
		open = int32(len(patterns))
		patterns = append(patterns, p)
	}
	s.text, s.patterns = slices.Clip(text), slices.Clip(patterns)
}

func (s *Set) bytes(p *pattern) []byte { return s.text[p.at : p.at+p.size] }

func (s *Set) shortest() int {
	n := maxPattern
	for i := range s.patterns {
		n = min(n, int(s.patterns[i].size))
	}
	return n
}

func (s *Set) empty() bool { return s == nil || s.maxLen == 0 }

// Len is the number of patterns searched for.
func (s *Set) Len() int {
	switch {
	case s == nil:
		return 0
	case s.first != nil:
		return s.first.Len() + s.second.Len()
	}
	return len(s.patterns)
}

// Name is what the entry is called.
func (s *Set) Name(entry int) string { return s.entry(entry).Name }

// Value is the secret itself, for fingerprints. The caller must neither change nor show it.
func (s *Set) Value(entry int) []byte { return s.entry(entry).Value }

// MaxPattern is the length of the longest pattern, in bytes.
func (s *Set) MaxPattern() int {
	if s == nil {
		return 0
	}
	return s.maxLen
}

// Find appends what it finds in b to dst, ascending and without overlap. Where spellings overlap, the span is their union and the
// entry that of the longest. A spelling of more than 4 KiB is found in pieces, a span for each. It does not keep b.
func (s *Set) Find(dst []Span, b []byte) []Span { return s.FindFrom(dst, b, 0) }

// FindFrom is Find in b[from:]. What stands before is only looked at to tell whether a line is a wrapped one: Context bytes are enough. The
// places of the spans are places in b.
func (s *Set) FindFrom(dst []Span, b []byte, from int) []Span {
	if s.empty() {
		return dst
	}
	first := len(dst)
	dst = s.findPlain(dst, b[from:])
	for i := range dst[first:] {
		dst[first+i].Start += from
		dst[first+i].End += from
	}
	dst = findWrapped(dst, []*Set{s}, b, from)
	return dst[:first+s.merge(dst[first:])]
}

// FindWhole appends what stands in b in one piece, in no order and perhaps with overlap. It does not keep b.
func (s *Set) FindWhole(dst []Span, b []byte) []Span {
	if s.Len() == 0 {
		return dst
	}
	return s.findPlain(dst, b)
}

// findPlain appends what stands in b in one piece, in no order.
func (s *Set) findPlain(dst []Span, b []byte) []Span {
	if s.long != nil {
		dst = s.findLong(dst, b)
	}
	if s.short != nil {
		dst = s.findShort(dst, b)
	}
	return dst
}

// compareSpans orders spans by where they begin, the longest first.
func compareSpans(a, b Span) int {
	if a.Start != b.Start {
		return cmp.Compare(a.Start, b.Start)
	}
	return cmp.Or(cmp.Compare(b.End, a.End), cmp.Compare(a.Entry, b.Entry))
}

// merge sorts spans and joins those that overlap; it returns how many are left. A union ends once it has twice the length of the
// longest pattern: a text that is one period of a secret over and over must not be held to its end.
func (s *Set) merge(spans []Span) int {
	if len(spans) < 2 {
		return len(spans)
	}
	if !slices.IsSortedFunc(spans, compareSpans) {
		slices.SortFunc(spans, compareSpans)
	}
	n, longest := 0, 0
	for i, sp := range spans {
		last := &spans[n]
		switch {
		case i == 0:
		case sp.Start >= last.End:
			n++
			spans[n] = sp
			longest = 0
		case last.End-last.Start >= 2*s.maxLen:
			continue
		default:
			last.End = max(last.End, sp.End)
		}
		if sp.End-sp.Start > longest {
			longest, spans[n].Entry = sp.End-sp.Start, sp.Entry
		}
	}
	return n + 1
}
