package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"strconv"

	"weir"
)

// Upload looks at what a client writes to one file: it counts and hashes it, searches it for placeholders and hands a copy to be
// recorded.
type Upload struct {
	x      Exchange
	o      Options
	bytes  int64 // written
	next   int64 // offset behind the last write
	copied int64 // handed to body
	hash   hash.Hash
	broken bool // the writes do not follow each other from the beginning on: no hash
	scan   Scan
	body   io.WriteCloser
	ended  bool // no more is copied
}

// NewUpload begins at the beginning of a file.
func NewUpload(x Exchange, o Options) *Upload {
	return &Upload{x: x, o: o, hash: sha256.New()}
}

// Write looks at p before it is forwarded to the offset. After an error it must not be. It does not keep p.
func (u *Upload) Write(p []byte, offset int64) error {
	if offset != u.next {
		u.broken, u.ended, u.scan = true, true, Scan{}
	}
	if u.scan.Holds(p) {
		u.broken = true
		return RefusePlaceholder()
	}
	if err := u.copy(p); err != nil {
		return err
	}
	u.next = offset + int64(len(p))
	u.bytes += int64(len(p))
	if !u.broken {
		_, _ = u.hash.Write(p)
	}
	return nil
}

// copy hands what may be recorded on.
func (u *Upload) copy(p []byte) error {
	p = p[:min(int64(len(p)), max(0, u.o.BodyCap-u.copied))]
	if u.ended || len(p) == 0 {
		return nil
	}
	if u.body == nil {
		shape := weir.Shape{Format: weir.FormatText}
		if !Text(p) {
			shape.Format = weir.FormatOpaque
		}
		body, err := u.x.Body(shape)
		if err != nil {
			return err
		}
		u.body = body
	}
	u.copied += int64(len(p))
	_, err := u.body.Write(p)
	return err
}

// Close ends the copy and returns what is to be noted of the upload: how many bytes were written, how many of them are recorded, and,
// when they came in order, their SHA-256.
func (u *Upload) Close() ([]weir.Attr, error) {
	attrs := []weir.Attr{{Name: "written", Value: strconv.FormatInt(u.bytes, 10)}, {Name: "recorded", Value: strconv.FormatInt(u.copied, 10)}}
	if !u.broken {
		attrs = append(attrs, weir.Attr{Name: "sha256", Value: hex.EncodeToString(u.hash.Sum(nil))})
	}
	if u.body == nil {
		return attrs, nil
	}
	body := u.body
	u.body, u.ended = nil, true
	return attrs, body.Close()
}
