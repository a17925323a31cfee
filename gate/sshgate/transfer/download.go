package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"

	"weir"
)

// Download counts and hashes what a client got of one file, as it got it: masked. The zero value is at the beginning of a file.
type Download struct {
	bytes  int64 // that the client got
	next   int64 // offset behind the last of them
	hash   hash.Hash
	broken bool // they did not follow each other from the beginning on: no hash
}

// Give takes what is given to the client of the offset. It does not keep p.
func (d *Download) Give(p []byte, offset int64) {
	if len(p) == 0 {
		return
	}
	d.broken = d.broken || offset != d.next
	d.bytes += int64(len(p))
	d.next = offset + int64(len(p))
	if d.broken {
		return
	}
	if d.hash == nil {
		d.hash = sha256.New()
	}
	_, _ = d.hash.Write(p)
}

// Attrs are what is to be noted of the download: how many bytes the client got and, when they came in order, their SHA-256. None when it got
// nothing.
func (d *Download) Attrs() []weir.Attr {
	if d.bytes == 0 {
		return nil
	}
	attrs := []weir.Attr{{Name: "read", Value: strconv.FormatInt(d.bytes, 10)}}
	if !d.broken {
		attrs = append(attrs, weir.Attr{Name: "read_sha256", Value: hex.EncodeToString(d.hash.Sum(nil))})
	}
	return attrs
}
