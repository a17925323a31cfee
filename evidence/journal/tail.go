package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tail file holds once more, between two syncs of the active segment, what was appended since the first of them: to sync the pages behind a mapping takes the system
// long, to write a few blocks in place does not. It is only read after a power loss.
//
// It is a sequence of records, each at a multiple of 4096 bytes: a header of 64 bytes and a part of a segment.
//
//	 0  8  "WEIRTAL1"
//	 8 16  of SHA-256(segment header[0:128])
//	24  4  segment number
//	28  4  length of the part
//	32  8  where in the segment it begins
//	40  4  CRC-32C of bytes 0 to 39, followed by the part
//	44 20  zero
//
// Records of any age may be in it: each says what the segment has, or should have, at that place.

// TailFile is the name of the file in the journal's directory.
const TailFile = "tail"

const (
	tailMagic  = "WEIRTAL1"
	tailHeader = 64
	tailBlock  = 4096
	tailBytes  = 4 << 20
	// maxTailPart is the longest part that is written twice; for more, syncing the segment takes less.
	maxTailPart = 128 << 10
	// tailAfter is how many commits a process makes before the file is made: one that hardly writes needs none.
	tailAfter = 32
)

// tail is the tail file. Its owner is whoever holds commitMu.
type tail struct {
	f      *direct  // nil: there is none
	buf    []byte   // begins at a multiple of tailBlock in memory; the system reads it while a write is under way
	pos    int64    // where the next record goes
	of     *segment // whose parts are written
	id     [16]byte // of it
	synced int64    // so much of it is on the disk, be it here, once what is under way has ended
	seq    uint64   // of the last entry in what is under way
	asked  bool     // somebody makes it, or has tried
	uses   int      // commits so far
}

// newTail makes the file, all of it written: then a write in place changes nothing but its blocks.
func newTail(dir string) (*tail, error) {
	path := filepath.Join(dir, TailFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	err = writeZeros(f, tailBytes)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = syncDir(dir)
	}
	var d *direct
	if err == nil {
		d, err = openDirect(path)
	}
	if err != nil {
		_ = os.Remove(path)
		return nil, err
	}
	mem := make([]byte, tailBlock+maxTailPart+2*tailBlock)
	if over := int(uintptr(unsafe.Pointer(unsafe.SliceData(mem))) % tailBlock); over > 0 {
		mem = mem[tailBlock-over:]
	}
	return &tail{f: d, buf: mem[:maxTailPart+2*tailBlock]}, nil
}

// begin is told that s is on the disk up to off.
func (t *tail) begin(s *segment, off int64) {
	if t.f == nil {
		return
	}
	sum := sha256.Sum256(s.mem[:headerHashed])
	copy(t.id[:], sum[:])
	t.of, t.synced, t.pos = s, off, 0
}

// write begins to put s on the disk up to off, with the entry seq at its end. It is false where the caller has to sync the segment instead. Nothing may be
// under way.
func (t *tail) write(s *segment, off int64, seq uint64) bool {
	part := off - t.synced
	if t.f == nil || t.of != s || part > maxTailPart {
		return false
	}
	if part == 0 {
		return true
	}
	size := (tailHeader + part + tailBlock - 1) / tailBlock * tailBlock
	if t.pos+size > tailBytes {
		return false
	}
	b := t.buf[:size]
	clear(b[:tailHeader])
	clear(b[tailHeader+part:])
	copy(b, tailMagic)
	copy(b[8:], t.id[:])
	binary.LittleEndian.PutUint32(b[24:], s.number)
	binary.LittleEndian.PutUint32(b[28:], uint32(part)) //nolint:gosec // at most maxTailPart
	binary.LittleEndian.PutUint64(b[32:], uint64(t.synced))
	if guard(func() { copy(b[tailHeader:], s.mem[t.synced:off]) }) != nil {
		return false
	}
	binary.LittleEndian.PutUint32(b[40:], tailCRC(b[:tailHeader+part]))
	if t.f.start(b, t.pos) != nil {
		t.drop() // syncing the segment may still do
		return false
	}
	t.pos += size
	t.synced, t.seq = off, seq
	return true
}

// pending reports whether a write is under way.
func (t *tail) pending() bool { return t.f != nil && t.f.pending() }

// finish waits for the write that is under way. Where it failed there is no tail file any more: the next commit syncs the segment.
func (t *tail) finish() (seq uint64, ok bool) {
	if !t.pending() {
		return 0, false
	}
	if t.f.finish() != nil {
		t.drop()
		return 0, false
	}
	return t.seq, true
}

// drop does without the file from now on. What it holds stays, for a power loss before the next sync of the segment.
func (t *tail) drop() {
	if t.f != nil {
		t.f.close()
		t.f, t.buf = nil, nil
	}
}

func tailCRC(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:40], crcTable), crcTable, b[tailHeader:])
}

// tailPart is a record of the file.
type tailPart struct {
	id      [16]byte
	segment uint32
	from    int64
	text    []byte
}

// readTail returns the records of a tail file: none where there is no file.
func readTail(dir string) ([]tailPart, error) {
	f, err := os.Open(filepath.Join(dir, TailFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, tailBytes))
	if err != nil {
		return nil, err
	}
	var parts []tailPart
	for ; len(b) >= tailBlock; b = b[tailBlock:] {
		n := uint64(binary.LittleEndian.Uint32(b[28:]))
		if string(b[:8]) != tailMagic || n > maxTailPart || tailHeader+n > uint64(len(b)) || binary.LittleEndian.Uint32(b[40:]) != tailCRC(b[:tailHeader+n]) {
			continue
		}
		p := tailPart{segment: binary.LittleEndian.Uint32(b[24:]), from: int64(binary.LittleEndian.Uint64(b[32:])), text: b[tailHeader : tailHeader+n]} //nolint:gosec // checked where it is used
		copy(p.id[:], b[8:])
		parts = append(parts, p)
	}
	return parts, nil
}

// restore writes into the segments what a power loss took from their ends and the tail file has.
func (j *Journal) restore(names []string) error {
	parts, err := readTail(j.opt.Dir)
	if err != nil || len(parts) == 0 {
		return err
	}
	slices.SortFunc(parts, func(a, b tailPart) int {
		switch {
		case a.segment != b.segment:
			return int(a.segment) - int(b.segment)
		case a.from < b.from:
			return -1
		case a.from > b.from:
			return 1
		}
		return len(a.text) - len(b.text)
	})
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && parts[n].segment == parts[0].segment {
			n++
		}
		if s := parts[0].segment; s > 0 && int(s) <= len(names) {
			if err := j.restoreSegment(filepath.Join(j.opt.Dir, names[s-1]), parts[:n]); err != nil {
				return err
			}
		}
		parts = parts[n:]
	}
	return nil
}

// restoreSegment writes the parts that go on where a segment ends that has no seal. They are in order.
func (j *Journal) restoreSegment(path string, parts []tailPart) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || info.Size() < headerLen || info.Size() > maxSegmentBytes {
		return err // Open says what is wrong with the file, here and below
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(mem) }()
	s := inspected{path: path}
	var id hash
	if err := guard(func() {
		if s.head, err = decodeHeader(mem); err == nil {
			_ = s.scan(mem, j.key)
			id = sha256.Sum256(mem[:headerHashed])
		}
	}); err != nil || s.head == nil || s.sealed || s.end == 0 {
		return err
	}
	end := s.end
	for _, p := range parts {
		stop := p.from + int64(len(p.text))
		if string(p.id[:]) != string(id[:len(p.id)]) || p.from < headerLen || p.from > end || stop <= end || stop > info.Size() {
			continue
		}
		if _, err := f.WriteAt(p.text, p.from); err != nil {
			return err
		}
		end = stop
	}
	if end == s.end {
		return nil
	}
	return f.Sync()
}

// wantTail has the file made once the process has shown that it writes much.
func (j *Journal) wantTail() {
	t := &j.tail
	if t.uses++; t.asked || t.uses < tailAfter {
		return
	}
	t.asked = true
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.ahead.Go(func() {
		made, err := newTail(j.opt.Dir)
		if err != nil {
			return // the segment is synced each time
		}
		j.commitMu.Lock()
		defer j.commitMu.Unlock()
		t.f, t.buf = made.f, made.buf
	})
}

// removeTail removes the file, once the segments are on the disk.
func (j *Journal) removeTail() {
	j.tail.drop()
	_ = os.Remove(filepath.Join(j.opt.Dir, TailFile)) // one that stays says nothing that the segments do not
}
