package record

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"weir"
)

// The payload of one entry: version; session, exchange, text, the number of attributes, and these; data is what is left. Kind and time stand in the journal's own header. Numbers are
// uvarints of encoding/binary, strings have their length in front. An attribute is a name and a value: in version 1 two strings. In version 2 the name is a byte, a place in nameTable, from 1 on, or 0
// and a string; the value is a number: even for a string of half that length, else one of the values below. So the entries of an ordinary statement take two thirds of the bytes.
const (
	plainVersion   = 1
	payloadVersion = 2
)

// nameTable holds those of attributes that come again and again. Their places never change.
var nameTable = [...]string{
	"operation", "verdict", "rule", "policy", "fingerprint", "duration_us", "bytes", "rows", "recorded", "truncated", "command_bytes", "command_recorded", "command_truncated",
	"prepared", "catalog", "request", "approvers", "error", "kind", "reason", "parameter",
}

// beginningTable holds what names begin with that are written as its place, after those of nameTable, and the string of what follows.
var beginningTable = [...]string{"parameter.", "masked.", "command_masked."}

// valueTable holds those of attributes that come again and again. Their places never change.
var valueTable = [...]string{"", "allow", "deny", "approve", "true", "default", "SELECT", "INSERT", "UPDATE", "DELETE", "GET", "POST", "PUT"}

// lowered is the value that is the entry's text with the letters from A to Z in lower case; valueTable comes after it.
const lowered = 1

// placeOf is the place of a name in nameTable, or -1. A switch needs no memory that other work may have driven out of the processor's caches.
func placeOf(name string) int {
	switch name {
	case "operation":
		return 0
	case "verdict":
		return 1
	case "rule":
		return 2
	case "policy":
		return 3
	case "fingerprint":
		return 4
	case "duration_us":
		return 5
	case "bytes":
		return 6
	case "rows":
		return 7
	case "recorded":
		return 8
	case "truncated":
		return 9
	case "command_bytes":
		return 10
	case "command_recorded":
		return 11
	case "command_truncated":
		return 12
	case "prepared":
		return 13
	case "catalog":
		return 14
	case "request":
		return 15
	case "approvers":
		return 16
	case "error":
		return 17
	case "kind":
		return 18
	case "reason":
		return 19
	case "parameter":
		return 20
	}
	return -1
}

// valueOf is the place of a value in valueTable, or -1.
func valueOf(value string) int {
	switch value {
	case "allow":
		return 1
	case "deny":
		return 2
	case "approve":
		return 3
	case "true":
		return 4
	case "default":
		return 5
	case "SELECT":
		return 6
	case "INSERT":
		return 7
	case "UPDATE":
		return 8
	case "DELETE":
		return 9
	case "GET":
		return 10
	case "POST":
		return 11
	case "PUT":
		return 12
	}
	return -1
}

// appendRecord appends r's payload to b.
func appendRecord(b []byte, r *weir.Record) []byte {
	b = append(b, payloadVersion)
	b = appendString(b, string(r.Session))
	b = binary.AppendUvarint(b, r.Exchange)
	b = appendString(b, r.Text)
	b = binary.AppendUvarint(b, uint64(len(r.Attrs)))
	for i := range r.Attrs {
		b = appendName(b, r.Attrs[i].Name)
		b = appendValue(b, r.Attrs[i].Value, r.Text)
	}
	return append(b, r.Data...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendName(b []byte, name string) []byte {
	if i := placeOf(name); i >= 0 {
		return append(b, byte(1+i))
	}
	for i, begin := range beginningTable {
		if rest, ok := strings.CutPrefix(name, begin); ok {
			return appendString(append(b, byte(1+len(nameTable)+i)), rest)
		}
	}
	return appendString(append(b, 0), name)
}

func appendValue(b []byte, value, text string) []byte {
	switch i := valueOf(value); {
	case i >= 0:
		return append(b, byte(2*(lowered+i)+1))
	case isLowered(value, text):
		return append(b, 2*lowered+1)
	}
	return append(binary.AppendUvarint(b, 2*uint64(len(value))), value...)
}

// isLowered reports whether value is text in lower case.
func isLowered(value, text string) bool {
	if len(value) != len(text) || value == "" {
		return false
	}
	for i := range len(text) {
		if value[i] != lower(text[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

var errPayload = errors.New("an entry of the recording cannot be read; run weir verify")

// Decode reads the payload of a journal's entry. Data is part of b; all else is copied.
func Decode(kind uint8, at time.Time, b []byte) (weir.Record, error) {
	r := weir.Record{Kind: weir.RecordKind(kind), Time: at}
	if len(b) == 0 || b[0] != payloadVersion && b[0] != plainVersion {
		return r, errPayload
	}
	d := decoder{b: b[1:]}
	r.Session = weir.SessionID(d.string())
	r.Exchange = d.uint()
	r.Text = d.string()
	if n := d.uint(); n > 0 && n <= uint64(len(d.b)) {
		r.Attrs = make([]weir.Attr, n)
		for i := range r.Attrs {
			if b[0] == plainVersion {
				r.Attrs[i] = weir.Attr{Name: d.string(), Value: d.string()}
			} else {
				r.Attrs[i] = weir.Attr{Name: d.name(), Value: d.value(r.Text)}
			}
		}
	} else if n > 0 {
		d.bad = true
	}
	if d.bad {
		return weir.Record{}, errPayload
	}
	r.Data = d.b
	return r, nil
}

// parts calls each for what an entry stands for: an end that holds the last of the body is that, and then the end.
func parts(r *weir.Record, each func(*weir.Record) error) error {
	if r.Kind == weir.RecordAnswerEnd && len(r.Data) > 0 {
		body := weir.Record{Session: r.Session, Exchange: r.Exchange, Kind: weir.RecordAnswerBody, Time: r.Time, Data: r.Data}
		if err := each(&body); err != nil {
			return err
		}
		r.Data = nil
	}
	return each(r)
}

// sessionOf reads only whose entry it is, without copying.
func sessionOf(b []byte) []byte {
	if len(b) == 0 || b[0] != payloadVersion && b[0] != plainVersion {
		return nil
	}
	d := decoder{b: b[1:]}
	return d.bytes()
}

type decoder struct {
	b   []byte
	bad bool
	low string // the text in lower case, once it was asked for
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) bytes() []byte {
	return d.take(d.uint())
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.b, d.bad = nil, true
		return nil
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

// name reads an attribute's name.
func (d *decoder) name() string {
	if len(d.b) == 0 {
		d.bad = true
		return ""
	}
	i := int(d.b[0])
	d.b = d.b[1:]
	switch {
	case i == 0:
		return d.string()
	case i <= len(nameTable):
		return nameTable[i-1]
	case i <= len(nameTable)+len(beginningTable):
		return beginningTable[i-1-len(nameTable)] + d.string()
	}
	d.b, d.bad = nil, true
	return ""
}

// value reads an attribute's value.
func (d *decoder) value(text string) string {
	n := d.uint()
	if n&1 == 0 {
		return string(d.take(n >> 1))
	}
	switch i := n >> 1; {
	case i == lowered:
		if d.low == "" { // once, or a few bytes of an entry would stand for very many
			b := []byte(text)
			for i, c := range b {
				b[i] = lower(c)
			}
			d.low = string(b)
		}
		return d.low
	case i > lowered && i-lowered < uint64(len(valueTable)):
		return valueTable[i-lowered]
	}
	d.b, d.bad = nil, true
	return ""
}

func (d *decoder) string() string { return string(d.bytes()) }
