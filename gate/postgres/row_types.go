package postgres

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// class is how a value is looked into.
type class uint8

const (
	classText       class = iota // text, whatever its type
	classTyped                   // no text: masked, it becomes NULL
	classJSONB                   // binary jsonb: a version byte and JSON
	classHex                     // bytea as text: \x and hexadecimal, or escaped
	classBytes                   // bytea as it is
	classArrayText               // {…}
	classArray                   // binary array
	classComposite               // binary record
	classRange                   // binary range
	classHstore                  // binary hstore
	classGuess                   // binary, of a type that the gateway does not know
	classNestedText              // text of a record or an array
)

// Types by their number in pg_type.dat.
const (
	typeBool, typeBytea, typeChar, typeName, typeInt8, typeInt2, typeInt4, typeText, typeOID = 16, 17, 18, 19, 20, 21, 23, 25, 26
	typeJSON, typeXML, typeUnknown, typeBpchar, typeVarchar, typeRecord, typeJSONB           = 114, 142, 705, 1042, 1043, 2249, 3802
	firstUser                                                                                = 16384
)

// typedTypes are those that no placeholder fits.
var typedTable = map[uint32]bool{
	typeBool: true, typeInt8: true, typeInt2: true, typeInt4: true, typeOID: true, 24: true, 27: true, 28: true, 29: true, 600: true, 601: true, 602: true, 603: true, 604: true, 628: true,
	650: true, 700: true, 701: true, 718: true, 774: true, 790: true, 829: true, 869: true, 1082: true, 1083: true, 1114: true, 1184: true, 1186: true, 1266: true, 1560: true, 1562: true,
	1700: true, 2202: true, 2203: true, 2204: true, 2205: true, 2206: true, 2950: true, 2970: true, 3220: true, 3734: true, 3769: true, 4089: true, 4096: true, 4191: true, 5038: true, 5069: true,
	3904: true, 3906: true, 3908: true, 3910: true, 3912: true, 3926: true, 4451: true, 4532: true, 4533: true, 4534: true, 4535: true, 4536: true,
}

// arrayTable holds arrays of text and of what holds text.
var arrayTable = map[uint32]bool{
	143: true, 199: true, 1001: true, 1002: true, 1003: true, 1009: true, 1014: true, 1015: true, 1034: true, 1263: true, 2287: true, 3807: true, 3643: true, 3645: true,
}

// typedArrayTable holds arrays of what is no text.
var typedArrayTable = map[uint32]bool{
	1000: true, 1005: true, 1006: true, 1007: true, 1008: true, 1010: true, 1011: true, 1012: true, 1013: true, 1016: true, 1017: true, 1018: true, 1019: true, 1020: true, 1021: true, 1022: true,
	1027: true, 1028: true, 1040: true, 1041: true, 1115: true, 1182: true, 1183: true, 1185: true, 1187: true, 1231: true, 1270: true, 1561: true, 1563: true, 2951: true, 3221: true,
	3905: true, 3907: true, 3909: true, 3911: true, 3913: true, 3927: true,
}

// classOf tells how a value of the type is looked into in the format.
func classOf(typ uint32, format int16) class {
	binaryFormat := format != 0
	switch {
	case typedTable[typ], typedArrayTable[typ]:
		return classTyped
	case typ == typeBytea && binaryFormat:
		return classBytes
	case typ == typeBytea:
		return classHex
	case arrayTable[typ] && binaryFormat:
		return classArray
	case arrayTable[typ]:
		return classArrayText
	case !binaryFormat:
		return classText
	}
	switch typ {
	case typeText, typeVarchar, typeBpchar, typeName, typeChar, typeUnknown, typeJSON, typeXML, 2275:
		return classText
	case typeJSONB:
		return classJSONB
	case typeRecord:
		return classComposite
	}
	return classGuess
}

// plainText reports whether a value of the type is a text as it is.
func plainText(typ uint32) bool {
	switch typ {
	case typeText, typeVarchar, typeBpchar, typeName, typeUnknown:
		return true
	}
	return false
}

// guess tells how a binary value of an unknown type is to be looked into, by its form.
func guess(v []byte) class {
	switch {
	case len(v) == 0:
		return classTyped
	case printable(v):
		return classText
	case isArray(v):
		return classArray
	case isComposite(v):
		return classComposite
	case isHstore(v):
		return classHstore
	case isRange(v):
		return classRange
	case v[0] == 1 && printable(v[1:]):
		return classJSONB
	}
	return classBytes
}

// printable reports whether v is text.
func printable(v []byte) bool { return bytes.IndexByte(v, 0) < 0 && utf8.Valid(v) }

// isArray checks the frame of a binary array (array_send): dimensions, flags, element type, bounds, elements.
func isArray(v []byte) bool {
	in := cursor{b: v}
	dims, flags := in.int32(), in.int32()
	_ = in.int32()
	if in.bad || dims < 0 || dims > 6 || flags != 0 && flags != 1 {
		return false
	}
	count := int64(min(dims, 1))
	for range dims {
		count *= int64(in.int32())
		_ = in.int32()
		if count < 0 || count > int64(len(v)) {
			return false
		}
	}
	return skipCells(&in, int(count)) && in.done()
}

// isComposite checks the frame of a binary record (record_send): a count, then type and value of each field.
func isComposite(v []byte) bool {
	in := cursor{b: v}
	n := in.int32()
	if n < 0 || n > 1664 {
		return false
	}
	for range n {
		_ = in.int32()
		if !skipCells(&in, 1) {
			return false
		}
	}
	return in.done()
}

// isHstore checks the frame of a binary hstore (hstore_send): a count, then keys and values.
func isHstore(v []byte) bool {
	in := cursor{b: v}
	n := in.int32()
	return n >= 0 && int(n) <= len(v)/8 && skipCells(&in, 2*int(n)) && in.done()
}

// isRange checks the frame of a binary range (range_send): flags, then the bounds that the flags name.
func isRange(v []byte) bool {
	in := cursor{b: v}
	return skipCells(&in, rangeBounds(in.byte())) && in.done()
}

// rangeBounds is how many bounds follow a range's flags: RANGE_EMPTY 1, LB_INF 8, UB_INF 16, LB_NULL 32, UB_NULL 64.
func rangeBounds(flags byte) int {
	n := 2
	if flags&1 != 0 {
		return 0
	}
	if flags&(8|32) != 0 {
		n--
	}
	if flags&(16|64) != 0 {
		n--
	}
	return n
}

func skipCells(in *cursor, n int) bool {
	for range n {
		if size := in.int32(); size >= 0 {
			_ = in.take(int(size))
		}
		if in.bad {
			return false
		}
	}
	return true
}

// patchLength writes the length of what was appended since at+4 into the four bytes at at.
func patchLength(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4)) //nolint:gosec // frames are shorter than 2 GiB
	return dst
}
