// Package known finds the exact secrets that the gateway holds, in every encoding they are likely to be
// printed in: raw, URL, form, JSON, HTML, SQL and shell escapes, base64 at its three offsets, hexadecimal, UTF-16LE
// and reversed.
//
// A Set is immutable and safe for concurrent use; finding allocates nothing unless something is found.
// The package must never say a value in an error.
package known

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
)

const (
	// MinLength is the shortest secret that can be searched for, in bytes.
	MinLength = 6
	// ShortLength is the length below which a secret may turn up by chance.
	ShortLength = 12

	minPattern = 6
	stride     = 8
	longest    = 64 << 10
	// longPattern is the length from which every alignment of the stride holds a whole window.
	longPattern = 2*stride - 1
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

// Span is one occurrence: b[Start:End] is a spelling of entry Entry.
type Span struct{ Start, End, Entry int }

type pattern struct {
	bytes []byte
	entry int
}

// window points to where in which pattern eight bytes stand.
type window struct {
	pattern int32
	offset  int32
}

// Set is what is searched for. A nil Set finds nothing.
type Set struct {
	names    []string
	values   [][]byte
	patterns []pattern
	maxLen   int

	// Long patterns: eight windows each, probed at every eighth byte.
	windows map[uint64][]window
	filter  []uint64 // bitmap over a hash of the window
	// Short patterns: by their first four bytes, probed at every byte.
	heads      map[uint32][]int32
	headFilter []uint64 // bitmap over the first two bytes; nil without short patterns
	// Every pattern by its first two bytes, for Hold.
	starts []uint64
}

// Build makes a Set. A secret shorter than MinLength or absurdly long is an error that names it.
func Build(entries []Entry) (*Set, []Warning, error) {
	s := &Set{windows: map[uint64][]window{}, heads: map[uint32][]int32{}, starts: make([]uint64, 1024)}
	var warnings []Warning
	seen := map[string]bool{}
	for i, e := range entries {
		switch n := len(e.Value); {
		case n < MinLength:
			return nil, nil, fmt.Errorf("secret %q has fewer than %d bytes and cannot be masked; use a longer one", e.Name, MinLength)
		case n > longest:
			return nil, nil, fmt.Errorf("secret %q has more than %d bytes; is it the right file?", e.Name, longest)
		case n < ShortLength:
			warnings = append(warnings, Warning{e.Name, fmt.Sprintf("has fewer than %d bytes: easy to guess, and other text may be masked by chance", ShortLength)})
		}
		s.names = append(s.names, e.Name)
		s.values = append(s.values, bytes.Clone(e.Value))
		for _, form := range forms(string(e.Value)) {
			if len(form) < minPattern || seen[form] {
				continue
			}
			seen[form] = true
			s.patterns = append(s.patterns, pattern{[]byte(form), i})
			s.maxLen = max(s.maxLen, len(form))
		}
	}
	s.index()
	return s, warnings, nil
}

func (s *Set) index() {
	bits := 1 << 12
	for bits < 64*len(s.patterns)*stride && bits < 1<<24 {
		bits <<= 1
	}
	s.filter = make([]uint64, bits/64)
	for i, p := range s.patterns {
		set(s.starts, uint64(binary.LittleEndian.Uint16(p.bytes)))
		if len(p.bytes) < longPattern {
			if s.headFilter == nil {
				s.headFilter = make([]uint64, 1024)
			}
			set(s.headFilter, uint64(binary.LittleEndian.Uint16(p.bytes)))
			h := binary.LittleEndian.Uint32(p.bytes)
			s.heads[h] = append(s.heads[h], int32(i))
			continue
		}
		for off := range stride {
			w := binary.LittleEndian.Uint64(p.bytes[off:])
			s.windows[w] = append(s.windows[w], window{int32(i), int32(off)})
			set(s.filter, s.hash(w))
		}
	}
}

func set(bitmap []uint64, i uint64)      { bitmap[i/64] |= 1 << (i % 64) }
func has(bitmap []uint64, i uint64) bool { return bitmap[i/64]&(1<<(i%64)) != 0 }

func (s *Set) hash(w uint64) uint64 {
	return (w * 0x9E3779B97F4A7C15 >> 32) & uint64(len(s.filter)*64-1)
}

// Len is the number of spellings searched for.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.patterns)
}

// Name is what the entry is called.
func (s *Set) Name(entry int) string { return s.names[entry] }

// Value is the secret itself, for fingerprints. The caller must neither change nor show it.
func (s *Set) Value(entry int) []byte { return s.values[entry] }

// MaxPattern is the length of the longest spelling, in bytes.
func (s *Set) MaxPattern() int {
	if s == nil {
		return 0
	}
	return s.maxLen
}

// Find appends the occurrences in b to dst, ascending and without overlap: of two that overlap, the one that
// starts first, and of two that start together the longer, extended over the other. It does not keep b.
func (s *Set) Find(dst []Span, b []byte) []Span {
	if s == nil || len(s.patterns) == 0 {
		return dst
	}
	first := len(dst)
	for i := 0; i+8 <= len(b); i += stride {
		w := binary.LittleEndian.Uint64(b[i:])
		if has(s.filter, s.hash(w)) {
			dst = s.verify(dst, b, i, w)
		}
	}
	if s.headFilter != nil {
		dst = s.findShort(dst, b)
	}
	return dst[:first+merge(dst[first:])]
}

func (s *Set) verify(dst []Span, b []byte, at int, w uint64) []Span {
	for _, win := range s.windows[w] {
		p := &s.patterns[win.pattern]
		start := at - int(win.offset)
		if start >= 0 && start+len(p.bytes) <= len(b) && bytes.Equal(b[start:start+len(p.bytes)], p.bytes) {
			dst = append(dst, Span{start, start + len(p.bytes), p.entry})
		}
	}
	return dst
}

func (s *Set) findShort(dst []Span, b []byte) []Span {
	for i := 0; i+minPattern <= len(b); i++ {
		if !has(s.headFilter, uint64(b[i])|uint64(b[i+1])<<8) {
			continue
		}
		for _, n := range s.heads[binary.LittleEndian.Uint32(b[i:])] {
			if p := &s.patterns[n]; bytes.HasPrefix(b[i:], p.bytes) {
				dst = append(dst, Span{i, i + len(p.bytes), p.entry})
			}
		}
	}
	return dst
}

// merge sorts spans and joins those that overlap; it returns how many are left.
func merge(spans []Span) int {
	if len(spans) < 2 {
		return len(spans)
	}
	sort.Slice(spans, func(i, j int) bool {
		if spans[i].Start != spans[j].Start {
			return spans[i].Start < spans[j].Start
		}
		return spans[i].End > spans[j].End
	})
	n := 1
	for _, sp := range spans[1:] {
		if last := &spans[n-1]; sp.Start < last.End {
			last.End = max(last.End, sp.End)
			continue
		}
		spans[n] = sp
		n++
	}
	return n
}

// Hold returns the index from which b may be the beginning of a secret that goes on behind it: the start of
// its longest suffix that is a proper prefix of a spelling, or len(b).
func (s *Set) Hold(b []byte) int {
	if s == nil || len(s.patterns) == 0 {
		return len(b)
	}
	for i := max(0, len(b)-s.maxLen+1); i < len(b); i++ {
		if i+1 < len(b) && !has(s.starts, uint64(b[i])|uint64(b[i+1])<<8) {
			continue
		}
		tail := b[i:]
		if slices.ContainsFunc(s.patterns, func(p pattern) bool { return len(p.bytes) > len(tail) && bytes.HasPrefix(p.bytes, tail) }) {
			return i
		}
	}
	return len(b)
}
