package record

import (
	"encoding/binary"

	"weir"
)

// Encode is the payload of an entry.
func Encode(r *weir.Record) []byte { return appendRecord(nil, r) }

// EncodePlain is the payload as version 1 was written.
func EncodePlain(r *weir.Record) []byte {
	b := appendString([]byte{plainVersion}, string(r.Session))
	b = appendString(binary.AppendUvarint(b, r.Exchange), r.Text)
	b = binary.AppendUvarint(b, uint64(len(r.Attrs)))
	for _, a := range r.Attrs {
		b = appendString(appendString(b, a.Name), a.Value)
	}
	return append(b, r.Data...)
}

// Places are what has a short form, and how far from its place it is found.
func Places() (all []string, at []int) {
	for i, n := range nameTable {
		all, at = append(all, n), append(at, placeOf(n)-i)
	}
	for i, v := range valueTable[1:] {
		all, at = append(all, v), append(at, valueOf(v)-i-1)
	}
	return all, at
}
