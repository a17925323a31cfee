package journal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"weir"
)

// inspected is what Open found of one segment.
type inspected struct {
	path    string
	head    *header
	sealed  bool
	end     int64 // of the last whole entry
	fileLen int64
	synced  int64 // how much was known to be on the disk
	count   uint64
	lastSeq uint64
	chain   hash
	signed  int // statements seen (a segment of which only the seal was read counts 2)
	// Of the rest after end:
	tail    int64  // bytes up to the last that is not zero
	entries uint64 // whole entries in it
}

// inspection is what Open found of all.
type inspection struct {
	segments   []*inspected
	statements int
	lost       []*inspected // segments after the one to be recovered, never synced
	lostBlank  []string     // a last segment that has not even a header
}

// inspect checks all segments and decides what can be recovered. It changes nothing on disk.
func (j *Journal) inspect(names []string) (*inspection, error) {
	rec := &inspection{}
	var prev *inspected
	for i, name := range names {
		path := filepath.Join(j.opt.Dir, name)
		s, err := j.inspectSegment(path, uint32(i+1), prev, i == len(names)-1)
		if errors.Is(err, errBlank) && i == len(names)-1 {
			rec.lostBlank = append(rec.lostBlank, path)
			break
		}
		if err != nil {
			return nil, err
		}
		if prev != nil && !prev.sealed {
			// A power loss may have kept the name of a later segment and lost the end of this one, but only
			// when nothing of the later one was synced.
			if s.synced != 0 {
				return nil, damaged(prev.path, prev.end, "the segment has no end, though later ones are there")
			}
			rec.lost = append(rec.lost, s)
			continue
		}
		rec.segments = append(rec.segments, s)
		rec.statements += s.signed
		prev = s
	}
	return rec, nil
}

// errBlank says that a segment file holds nothing but zeros, or nothing.
var errBlank = errors.New("the segment is blank")

func (j *Journal) inspectSegment(path string, n uint32, prev *inspected, last bool) (*inspected, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(j.opt.Dir, err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fileError(j.opt.Dir, err)
	}
	s := &inspected{path: path, fileLen: info.Size()}
	if info.Size() == 0 {
		return nil, blankUnless(!last, path)
	}
	if info.Size() > maxSegmentBytes {
		return nil, damaged(path, maxSegmentBytes, "the file is too long")
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fileError(j.opt.Dir, err)
	}
	defer func() { _ = unix.Munmap(mem) }()
	var found error
	if err := guard(func() { found = j.inspectBytes(s, mem, n, prev, last) }); err != nil {
		return nil, fileError(j.opt.Dir, err)
	}
	return s, found
}

func blankUnless(bad bool, path string) error {
	if bad {
		return damaged(path, 0, "the segment is empty, though later ones are there")
	}
	return errBlank
}

func (j *Journal) inspectBytes(s *inspected, mem []byte, n uint32, prev *inspected, last bool) error {
	head, err := decodeHeader(mem)
	if err != nil {
		if isZero(mem) {
			return blankUnless(!last, s.path)
		}
		return damaged(s.path, 0, err.Error())
	}
	s.head, s.synced = head, decodeSynced(mem)
	if n == 1 {
		j.id = head.id
	}
	switch {
	case head.segment != n:
		return damaged(s.path, 32, fmt.Sprintf("the header belongs to segment %d", head.segment))
	case head.id != j.id:
		return damaged(s.path, 16, "the segment belongs to another journal")
	case string(head.key[:]) != string(j.key):
		return weir.NewError(weir.Invalid, fmt.Sprintf(
			"The journal in %s was signed with another key; put that key back, or move the directory elsewhere and start with an empty one.", j.opt.Dir), nil)
	}
	if prev == nil && (head.firstSeq != 1 || head.prev != hash{}) {
		return damaged(s.path, 40, "the first segment refers to one before it")
	}
	if prev != nil && prev.sealed && (head.prev != prev.chain || head.firstSeq != prev.lastSeq+1) {
		return damaged(s.path, 56, "the segment does not follow the one before it")
	}
	if !last && s.readSeal(mem, j.key) {
		return nil
	}
	return s.scan(mem, j.key)
}

// readSeal checks the seal at the end of a file without reading the rest.
func (s *inspected) readSeal(mem []byte, key ed25519.PublicKey) bool {
	at := len(mem) - entryHeader - statementLen
	if at < headerLen {
		return false
	}
	var e Entry
	if n, err := decodeEntry(mem[at:], &e); err != nil || e.Kind != Seal || n != len(mem)-at {
		return false
	}
	st := statement{kind: Seal, id: s.head.id, segment: s.head.segment, offset: int64(at), seq: e.Seq, time: e.Time.UnixNano()}
	if st.readPayload(e.Payload) != nil || !st.valid(key) || e.Seq != s.head.firstSeq+st.count {
		return false
	}
	s.sealed, s.end, s.count, s.lastSeq, s.signed = true, int64(len(mem)), st.count+1, e.Seq, 2
	s.chain = chainOver(st.chain, mem[at:])
	return true
}

func chainOver(chain hash, entry []byte) hash {
	sum := sha256.Sum256(entry[entryHeader:])
	return nextChain(&chain, (*[entryHeader]byte)(entry), &sum)
}

// scan reads all entries of a segment and checks what can be: checksums, sequence, statements.
func (s *inspected) scan(mem []byte, key ed25519.PublicKey) error {
	at := int64(headerLen)
	chain := sha256.Sum256(mem[:headerHashed])
	seq := s.head.firstSeq - 1
	for !s.sealed {
		var e Entry
		n, err := decodeEntry(mem[at:], &e)
		if err != nil || e.Seq != seq+1 {
			break
		}
		if e.Kind == Checkpoint || e.Kind == Seal {
			st := statement{kind: e.Kind, id: s.head.id, segment: s.head.segment, offset: at, seq: e.Seq, time: e.Time.UnixNano()}
			if st.readPayload(e.Payload) != nil || st.chain != chain || st.count != s.count || !st.valid(key) {
				return damaged(s.path, at, "a signed statement does not agree with the entries before it")
			}
			s.signed++
			s.sealed = e.Kind == Seal
		}
		chain = chainOver(chain, mem[at:at+int64(n)])
		at += int64(n)
		seq = e.Seq
		s.count++
	}
	s.end, s.lastSeq, s.chain = at, seq, chain
	s.scanTail(mem)
	switch {
	case s.sealed && s.tail > 0:
		return damaged(s.path, s.end, "there is something after the seal")
	case !s.sealed && s.end < s.synced:
		return damaged(s.path, s.end, "the entry there is not whole, though it had been synced to the disk")
	}
	return nil
}

// scanTail looks at what is behind the last whole entry.
func (s *inspected) scanTail(mem []byte) {
	rest := mem[s.end:]
	for len(rest) > 0 && isZero(rest[max(0, len(rest)-4096):]) {
		rest = rest[:max(0, len(rest)-4096)]
	}
	for len(rest) > 0 && rest[len(rest)-1] == 0 {
		rest = rest[:len(rest)-1]
	}
	s.tail = int64(len(rest))
	all := mem[s.end:]
	for i := 0; i < len(rest); {
		if n := laterEntry(all[i:], s.lastSeq); n > 0 {
			s.entries++
			i += n
			continue
		}
		i++
	}
}

// laterEntry returns the length of a whole entry at the front of b with a sequence number soon after seq, or 0.
func laterEntry(b []byte, seq uint64) int {
	if len(b) < entryHeader {
		return 0
	}
	n := binary.LittleEndian.Uint32(b)
	q := binary.LittleEndian.Uint64(b[8:])
	if n < entryHeader || int64(n) > int64(len(b)) || q <= seq || q-seq > maxSegmentBytes/entryHeader {
		return 0
	}
	var e Entry
	size, err := decodeEntry(b, &e)
	if err != nil {
		return 0
	}
	return size
}
