package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"

	"weir"
)

// keptParameter is the longest parameter that is recorded as it is, masked; of longer ones the length and a digest are.
const keptParameter = 64 << 10

// bound is what is being bound: what an approval is bound to beside the text.
type bound struct {
	st       *statement
	formats  []int16
	values   [][]byte
	results  []int16
	digested func() ([]byte, error) // made once
}

// keptValues is how many values of a Bind a session keeps room for.
const keptValues = 32

// valuesOf reads the values of a Bind. They are valid while it is being taken.
func (c *codec) valuesOf(in *cursor) [][]byte {
	n := in.count()
	if 4*n > len(in.b) {
		in.bad = true
		return nil
	}
	values := c.bound.values[:0]
	if n > cap(values) {
		values = make([][]byte, 0, n)
	}
	for range n {
		var v []byte
		if size := in.int32(); size >= 0 {
			v = in.take(int(size))
		}
		values = append(values, v)
	}
	return values
}

// boundTo returns what digests a Bind; only while it is being taken.
func (c *codec) boundTo(st *statement, formats []int16, values [][]byte, results []int16) func() ([]byte, error) {
	b := &c.bound
	b.st, b.formats, b.values, b.results = st, formats, values, results
	if b.digested == nil {
		b.digested = func() ([]byte, error) { return bindDigest(b.st, b.formats, b.values, b.results), nil }
	}
	return b.digested
}

// unbind lets go of what was bound.
func (c *codec) unbind() {
	b := &c.bound
	clear(b.values)
	if cap(b.values) > keptValues {
		b.values = nil
	}
	b.st, b.formats, b.results = nil, nil, nil
}

// hiddenName is what parameters are called that no column stands beside, in a statement whose literals may be secrets.
const hiddenName = "secret"

// parameterAttrs are a Bind's parameters for the record, each called as the column beside it. hidden is set where they may be secrets.
func parameterAttrs(st *statement, formats []int16, values [][]byte, hidden bool) []weir.Attr {
	if len(values) == 0 {
		return nil
	}
	if !st.named {
		st.named, st.params = true, parameterNames(st.text)
	}
	attrs := make([]weir.Attr, len(values))
	for i, v := range values {
		if i < len(st.params) {
			attrs[i].Name = st.params[i]
		}
		if hidden && attrs[i].Name == "" {
			attrs[i].Name = hiddenName
		}
		attrs[i].Value = parameterText(st, i, formatOf(formats, i), v)
	}
	return attrs
}

// formatOf is the format of column or parameter i (Bind: none, one for all, or one each).
func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 1:
		return formats[0]
	case i < len(formats):
		return formats[i]
	}
	return 0
}

func parameterText(st *statement, i int, format int16, v []byte) string {
	switch {
	case v == nil:
		return "NULL"
	case len(v) > keptParameter:
		sum := sha256.Sum256(v)
		return fmt.Sprintf("[%d bytes, sha256 %s]", len(v), hex.EncodeToString(sum[:]))
	case format == 0:
		return string(v)
	}
	typ := uint32(0)
	if i < len(st.types) {
		typ = st.types[i]
	}
	switch {
	case (typ == 20 || typ == 0 && !utf8.Valid(v)) && len(v) == 8:
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(v)), 10) //nolint:gosec // two's complement on the wire
	case typ == 23 && len(v) == 4:
		return strconv.FormatInt(int64(int32(binary.BigEndian.Uint32(v))), 10) //nolint:gosec // two's complement on the wire
	case typ == 21 && len(v) == 2:
		return strconv.FormatInt(int64(int16(binary.BigEndian.Uint16(v))), 10) //nolint:gosec // two's complement on the wire
	case utf8.Valid(v):
		return string(v)
	}
	return `\x` + hex.EncodeToString(v)
}

// bindDigest is what an approval is bound to beside the text: types, formats, values and result formats, each with its length.
func bindDigest(st *statement, formats []int16, values [][]byte, results []int16) []byte {
	h := sha256.New()
	number := func(n int) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n)) //nolint:gosec // any bijection does
		_, _ = h.Write(b[:])
	}
	number(len(st.types))
	for _, t := range st.types {
		number(int(t))
	}
	number(len(values))
	for i, v := range values {
		number(int(formatOf(formats, i)))
		if v == nil {
			number(-1)
			continue
		}
		number(len(v))
		_, _ = h.Write(v)
	}
	number(len(results))
	for _, f := range results {
		number(int(f))
	}
	return h.Sum(nil)
}
