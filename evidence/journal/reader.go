package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Reader reads entries, also while others append. It belongs to one goroutine at a time.
type Reader struct {
	j    *Journal
	pos  Position // of the next entry
	f    *os.File // segment open, or nil
	open uint32   // its number
	buf  []byte
	at   int64 // offset of buf[0] in the file
	have int   // bytes in buf
	next int   // how much to read ahead next time
}

// Reading ahead starts small after a Seek and grows while entries are read in order.
const (
	minReadAhead = 4 << 10
	maxReadAhead = 128 << 10
)

// NewReader returns a Reader whose Next starts at a position; the zero Position is the start. Close it.
func (j *Journal) NewReader(from Position) *Reader {
	r := &Reader{j: j}
	r.Seek(from)
	return r
}

// Seek makes Next return the entry at a position that Append or an Entry gave.
func (r *Reader) Seek(p Position) {
	if p.Segment == 0 {
		p = Position{Segment: 1}
	}
	p.Offset = max(p.Offset, headerLen)
	if p != r.pos {
		r.next = minReadAhead
	}
	r.pos = p
}

// Close lets go of the file.
func (r *Reader) Close() error {
	if r.f == nil {
		return nil
	}
	f := r.f
	r.f, r.have = nil, 0
	return f.Close()
}

// Next reads the next entry, of any kind, the journal's own included. At the end of the journal it returns io.EOF; it
// may be called again when there is more. e.Payload is valid until the next call.
func (r *Reader) Next(e *Entry) error {
	for {
		end, last, err := r.j.endOf(r.pos.Segment)
		if err != nil {
			return err
		}
		if r.pos.Offset < end {
			return r.read(e, end)
		}
		if last {
			return io.EOF
		}
		r.pos = Position{Segment: r.pos.Segment + 1, Offset: headerLen}
	}
}

// endOf returns where a segment's entries end now, and whether there is no later segment.
func (j *Journal) endOf(n uint32) (end int64, last bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if int(n) > len(j.infos) {
		return 0, true, nil
	}
	info := &j.infos[n-1]
	end = info.Size
	if !info.Sealed {
		end = j.off
	}
	return end, int(n) == len(j.infos), nil
}

func (r *Reader) read(e *Entry, end int64) error {
	if err := r.fill(entryHeader, end); err != nil {
		return err
	}
	b := r.buf[r.pos.Offset-r.at : r.have]
	size := int(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
	if size < entryHeader || r.pos.Offset+int64(size) > end {
		return damaged(r.path(), r.pos.Offset, "the entry's length is impossible")
	}
	if err := r.fill(size, end); err != nil {
		return err
	}
	b = r.buf[r.pos.Offset-r.at : r.have]
	n, err := decodeEntry(b[:size], e)
	if err != nil {
		return damaged(r.path(), r.pos.Offset, err.Error())
	}
	e.Position = r.pos
	r.pos.Offset += int64(n)
	return nil
}

func (r *Reader) path() string {
	return r.j.opt.Dir + string(os.PathSeparator) + segmentName(r.pos.Segment)
}

// fill sees to it that n bytes at the position are in the buffer. Only bytes before end are read: those do
// not change any more.
func (r *Reader) fill(n int, end int64) error {
	if r.f == nil || r.open != r.pos.Segment {
		if err := r.Close(); err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		f, err := os.Open(r.path())
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		r.f, r.open, r.have = f, r.pos.Segment, 0
	}
	if r.pos.Offset >= r.at && r.pos.Offset+int64(n) <= r.at+int64(r.have) {
		return nil
	}
	if r.pos.Offset+int64(n) > end {
		return damaged(r.path(), r.pos.Offset, "the entry is cut off")
	}
	want := int(min(end-r.pos.Offset, int64(max(n, r.next, minReadAhead))))
	r.next = min(2*max(r.next, minReadAhead), maxReadAhead)
	if cap(r.buf) < want {
		r.buf = make([]byte, want)
	}
	r.buf = r.buf[:cap(r.buf)]
	r.at, r.have = r.pos.Offset, 0
	got, err := r.f.ReadAt(r.buf[:want], r.at)
	if got < n {
		if err == nil || errors.Is(err, io.EOF) {
			return damaged(r.path(), r.at+int64(got), "the file is cut off")
		}
		return fmt.Errorf("read journal: %w", err)
	}
	r.have = got
	return nil
}

// Size is the length of the entry in the file, in bytes.
func (e *Entry) Size() int { return entryHeader + len(e.Payload) }
