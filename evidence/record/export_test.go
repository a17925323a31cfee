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
