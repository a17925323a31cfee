package record

import (
	"encoding/binary"
	"errors"
	"time"

	"weir"
)

// The payload of one entry: version 1; session, text and then pairs of names and values as length-prefixed strings; data is
// what is left. Kind and time stand in the journal's own header.
const payloadVersion = 1

// appendRecord appends r's payload to b.
func appendRecord(b []byte, r *weir.Record) []byte {
	b = append(b, payloadVersion)
	b = appendString(b, string(r.Session))
	b = binary.AppendUvarint(b, r.Exchange)
	b = appendString(b, r.Text)
	b = binary.AppendUvarint(b, uint64(len(r.Attrs)))
	for i := range r.Attrs {
		b = appendString(b, r.Attrs[i].Name)
		b = appendString(b, r.Attrs[i].Value)
	}
	return append(b, r.Data...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errPayload = errors.New("an entry of the recording cannot be read; run weir verify")

// Decode reads the payload of a journal's entry. Data is part of b; all else is copied.
func Decode(kind uint8, at time.Time, b []byte) (weir.Record, error) {
	r := weir.Record{Kind: weir.RecordKind(kind), Time: at}
	if len(b) == 0 || b[0] != payloadVersion {
		return r, errPayload
	}
	d := decoder{b: b[1:]}
	r.Session = weir.SessionID(d.string())
	r.Exchange = d.uint()
	r.Text = d.string()
	if n := d.uint(); n > 0 && n <= uint64(len(d.b)) {
		r.Attrs = make([]weir.Attr, n)
		for i := range r.Attrs {
			r.Attrs[i] = weir.Attr{Name: d.string(), Value: d.string()}
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
	if len(b) == 0 || b[0] != payloadVersion {
		return nil
	}
	d := decoder{b: b[1:]}
	return d.bytes()
}

type decoder struct {
	b   []byte
	bad bool
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
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.b, d.bad = nil, true
		return nil
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *decoder) string() string { return string(d.bytes()) }
