package journal

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"time"

	"weir"
)

// Options say where a journal is and how it is kept. Dir and Signer are required; the rest has defaults.
type Options struct {
	Dir    string        // made (mode 0700) when missing
	Signer crypto.Signer // its public key must be Ed25519; see OpenKey
	Now    func() time.Time

	SegmentBytes      int64         // size of a segment file; 64 MiB, at least 64 KiB, at most 1 GiB
	GroupDelay        time.Duration // how long entries wait to be synced together when nobody waits in Sync; 4 ms
	CheckpointEvery   time.Duration // signed statement this long after an entry at the latest; 1 s
	CheckpointEntries int           // and after that many entries; 8192
	// Allocate reserves disk space for an empty file and sets its size; nil does it as the system does best. An
	// error makes Append fail: tests use it as a full disk.
	Allocate func(f *os.File, size int64) error
}

// Position names an entry. The zero value is before the first.
type Position struct {
	Segment uint32
	Offset  int64 // of the entry's first byte in the file
}

// Before reports whether p comes before q.
func (p Position) Before(q Position) bool {
	return p.Segment < q.Segment || p.Segment == q.Segment && p.Offset < q.Offset
}

// Entry is one entry as it was written.
type Entry struct {
	Position
	Seq     uint64
	Kind    Kind
	Time    time.Time // UTC
	Payload []byte    // of a Reader's: valid until its next call
}

// SegmentInfo describes a segment.
type SegmentInfo struct {
	Number   uint32
	Path     string
	Size     int64 // bytes in use, header and seal included
	FirstSeq uint64
	Sealed   bool
	Chain    [32]byte // the chain hash after the seal; of sealed segments only
}

// Report says what Open found.
type Report struct {
	Unclean        bool   // the process before did not close the journal
	Segment        uint32 // the segment that was recovered
	Offset         int64  // where its last whole entry ended
	EntriesKept    uint64 // entries in that segment before it
	BytesDropped   int64  // of a torn entry after it
	EntriesDropped uint64 // whole entries that a power loss left behind a torn one
	SegmentsLost   []string
}

// String is one line for the log.
func (r Report) String() string {
	if !r.Unclean {
		return "the journal was closed cleanly"
	}
	if r.Segment == 0 {
		return "the journal was not closed; its last segment had its end, and nothing is dropped"
	}
	return fmt.Sprintf("the journal was not closed; segment %d recovered: %d entries kept, %d bytes and %d whole entries after offset %d dropped",
		r.Segment, r.EntriesKept, r.BytesDropped, r.EntriesDropped, r.Offset)
}

// Journal appends to one directory. Safe for concurrent use.
type Journal struct {
	opt      Options
	key      ed25519.PublicKey
	id       [16]byte
	lock     *os.File
	recovery Report

	kick     chan struct{} // sync now
	dirty    chan struct{} // something was appended
	stop     chan struct{}
	loopDone chan struct{}
	ahead    sync.WaitGroup // the goroutine that allocates the next segment

	commitMu sync.Mutex // held while files are synced; taken before mu

	// Owned by whoever holds commitMu.
	checkpoint *os.File
	stated     string // the line in the checkpoint file
	tail       tail

	mu         sync.Mutex // guards all below
	active     *segment
	off        int64             // end of the last entry in active
	head       [entryHeader]byte // of the entry that is being written
	seq        uint64
	chain      chain
	count      uint64 // entries in active
	unsigned   int    // entries after the last statement
	line       string // the last statement
	next       *segment
	aheadFor   uint32     // the segment that was last tried to be allocated ahead
	retired    []*segment // sealed, not yet synced
	dirUnsyced bool
	signalled  bool // dirty was sent, and the loop looks by itself until it rests
	infos      []SegmentInfo
	durable    uint64        // highest sequence number that is known to be on the disk
	committed  chan struct{} // closed and replaced after each commit
	grown      chan struct{} // closed at the next Append when somebody waits; else nil
	broken     error         // set once; every Append fails with it
	closed     bool
}

const (
	minSegmentBytes = 64 << 10
	maxSegmentBytes = 1 << 30
)

func (o *Options) complete() error {
	if o.Dir == "" || o.Signer == nil {
		return errors.New("open journal: Dir and Signer are required")
	}
	if o.Now == nil {
		return errors.New("open journal: Now is required")
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.SegmentBytes < minSegmentBytes || o.SegmentBytes > maxSegmentBytes {
		return fmt.Errorf("open journal: SegmentBytes is %d, must be from %d to %d", o.SegmentBytes, minSegmentBytes, maxSegmentBytes)
	}
	if o.GroupDelay == 0 {
		o.GroupDelay = 4 * time.Millisecond
	}
	if o.CheckpointEvery == 0 {
		o.CheckpointEvery = time.Second
	}
	if o.CheckpointEntries == 0 {
		o.CheckpointEntries = 8192
	}
	if o.GroupDelay < 0 || o.CheckpointEvery < 0 || o.CheckpointEntries < 0 {
		return errors.New("open journal: a negative limit")
	}
	if o.Allocate == nil {
		o.Allocate = allocate
	}
	return nil
}

// MaxPayload is the longest payload Append takes, in bytes.
func (j *Journal) MaxPayload() int {
	return int(j.opt.SegmentBytes) - headerLen - reserveLen - entryHeader
}

// Append writes one entry and returns where it is. When it returns without an error the entry
// survives the death of the process; Sync waits until it survives a power loss. The payload is copied. An error
// means that the entry is not in the journal, and that what it records must not happen.
func (j *Journal) Append(kind Kind, at time.Time, payload []byte) (Position, error) {
	if kind == 0 || kind > maxCallerKind {
		return Position{}, weir.NewError(weir.Internal, "", fmt.Errorf("append to journal: kind %d is not for callers", kind))
	}
	if len(payload) > j.MaxPayload() {
		return Position{}, weir.NewError(weir.Internal, "", fmt.Errorf("append to journal: %d bytes do not fit into a segment of %d", len(payload), j.opt.SegmentBytes))
	}
	// All that does not depend on the entry before is done outside the lock.
	var sum *hash
	if len(payload) > maxUnhashed/8 {
		s := sha256.Sum256(payload)
		sum = &s
	}
	crc := crc32.Checksum(payload, crcTable)

	j.mu.Lock()
	pos, err := j.appendLocked(kind, at.UnixNano(), payload, sum, crc)
	wake := err == nil && !j.signalled
	if wake {
		j.signalled = true
	}
	grown := j.grown
	j.grown = nil
	j.mu.Unlock()

	if grown != nil {
		close(grown)
	}
	if wake {
		select {
		case j.dirty <- struct{}{}:
		default:
		}
	}
	if err != nil {
		return Position{}, refused(err)
	}
	return pos, nil
}

func (j *Journal) appendLocked(kind Kind, at int64, payload []byte, sum *hash, crc uint32) (Position, error) {
	if err := j.usableLocked(); err != nil {
		return Position{}, err
	}
	need := int64(entryHeader + len(payload))
	if j.off+need+reserveLen > int64(len(j.active.mem)) {
		if err := j.rotateLocked(); err != nil {
			return Position{}, err
		}
	}
	pos, err := j.putLocked(kind, at, payload, sum, crc)
	if err != nil {
		return Position{}, err
	}
	j.unsigned++
	if j.next == nil && j.aheadFor != j.active.number+1 && j.off > int64(len(j.active.mem))/2 {
		j.allocateAheadLocked()
	}
	return pos, nil
}

func (j *Journal) usableLocked() error {
	if j.closed {
		return ErrClosed
	}
	return j.broken
}

// putLocked writes the entry at the end of the active segment; there is room. The payload goes first and the
// header, which makes it an entry, after it. sum is the payload's hash, nil where nobody has made it.
func (j *Journal) putLocked(kind Kind, at int64, payload []byte, sum *hash, crc uint32) (Position, error) {
	head := &j.head
	putEntryHeader(head, kind, j.seq+1, at, len(payload), crc)
	dst := j.active.mem[j.off : j.off+int64(entryHeader+len(payload))]
	if err := copyEntry(dst, head, payload); err != nil {
		j.broken = err
		return Position{}, err
	}
	pos := Position{Segment: j.active.number, Offset: j.off}
	j.off += int64(len(dst))
	j.seq++
	j.count++
	j.linkLocked(head, payload, sum)
	return pos, nil
}

func copyEntry(dst []byte, head *[entryHeader]byte, payload []byte) error {
	return guard(func() {
		copy(dst[entryHeader:], payload)
		copy(dst, head[:])
	})
}

// stateLocked appends a signed statement; there is room.
func (j *Journal) stateLocked(kind Kind) error {
	s := statement{kind: kind, id: j.id, segment: j.active.number, offset: j.off, seq: j.seq + 1,
		time: j.opt.Now().UnixNano(), count: j.count, chain: j.chainLocked()}
	sig, err := j.opt.Signer.Sign(nil, s.message(), crypto.Hash(0))
	if err != nil {
		return fmt.Errorf("sign journal: %w", err)
	}
	if copy(s.sig[:], sig) != ed25519.SignatureSize || len(sig) != ed25519.SignatureSize {
		return errors.New("sign journal: the signature has the wrong length")
	}
	payload := s.payload()
	if _, err := j.putLocked(kind, s.time, payload, nil, crc32.Checksum(payload, crcTable)); err != nil {
		return err
	}
	j.unsigned = 0
	j.line = s.line()
	return nil
}

// rotateLocked seals the active segment and starts the next. The new one is there before the old one is
// sealed, so that a full disk leaves the journal as it was and the next Append tries again.
func (j *Journal) rotateLocked() error {
	next := j.next
	j.next = nil
	if next == nil {
		var err error
		if next, err = j.makeSegment(j.active.number+1, ".tmp"); err != nil {
			return err
		}
	}
	if err := j.sealLocked(); err != nil {
		j.next = next
		j.broken = err
		return err
	}
	j.retired = append(j.retired, j.active)
	if err := j.beginLocked(next, j.active.number+1, j.chainLocked()); err != nil {
		j.broken = err
		return err
	}
	return nil
}

func (j *Journal) sealLocked() error {
	if err := j.stateLocked(Seal); err != nil {
		return err
	}
	info := &j.infos[len(j.infos)-1]
	info.Size, info.Sealed, info.Chain = j.off, true, j.chainLocked()
	return nil
}

// makeSegment allocates the file of a segment under a name that does not count yet.
func (j *Journal) makeSegment(n uint32, suffix string) (*segment, error) {
	if n > maxSegments {
		return nil, errors.New("the journal has used up its segment numbers")
	}
	return newSegment(filepath.Join(j.opt.Dir, segmentName(n)+suffix), j.opt.SegmentBytes, j.opt.Allocate)
}

// beginLocked makes s the active segment.
func (j *Journal) beginLocked(s *segment, n uint32, prev hash) error {
	h := header{id: j.id, segment: n, firstSeq: j.seq + 1, created: j.opt.Now().UnixNano(), prev: prev}
	copy(h.key[:], j.key)
	head := h.encode()
	if err := guard(func() { copy(s.mem, head[:]) }); err != nil {
		return err
	}
	if err := s.rename(j.opt.Dir, n); err != nil {
		return fmt.Errorf("start segment: %w", err)
	}
	j.active, j.off, j.count = s, headerLen, 0
	j.startChainLocked(sha256.Sum256(head[:]))
	j.dirUnsyced = true
	j.infos = append(j.infos, SegmentInfo{Number: n, Path: s.path, FirstSeq: j.seq + 1})
	return nil
}

// allocateAheadLocked makes the next segment in the background, so that rotation need not wait. It is tried
// once a segment and its error is not kept: rotation tries again and reports its own.
func (j *Journal) allocateAheadLocked() {
	n := j.active.number + 1
	j.aheadFor = n
	j.ahead.Go(func() {
		s, err := j.makeSegment(n, ".ahead.tmp")
		if err != nil {
			return
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.closed || j.active.number+1 != n || j.next != nil {
			_ = s.discard()
			return
		}
		j.next = s
	})
}

// Sync waits until everything appended before the call is on the disk.
func (j *Journal) Sync(ctx context.Context) error {
	j.mu.Lock()
	want := j.seq
	j.mu.Unlock()
	for {
		j.mu.Lock()
		done, err, wait := j.durable >= want, j.broken, j.committed
		j.mu.Unlock()
		if done {
			return nil
		}
		if err != nil {
			return refused(err)
		}
		select {
		case j.kick <- struct{}{}:
		default:
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Wait blocks until an entry with a sequence number above seq is in the journal, or ctx ends.
func (j *Journal) Wait(ctx context.Context, seq uint64) error {
	for {
		j.mu.Lock()
		if j.seq > seq {
			j.mu.Unlock()
			return nil
		}
		if j.closed {
			j.mu.Unlock()
			return ErrClosed
		}
		if j.grown == nil {
			j.grown = make(chan struct{})
		}
		grown := j.grown
		j.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ID returns the journal's identity as hexadecimal digits.
func (j *Journal) ID() string { return idText(j.id) }

// PublicKey returns the key that the journal's signatures verify with.
func (j *Journal) PublicKey() ed25519.PublicKey { return j.key }

// Recovery returns what Open found.
func (j *Journal) Recovery() Report { return j.recovery }

// Dir returns the journal's directory.
func (j *Journal) Dir() string { return j.opt.Dir }

// Checkpoint returns the newest signed statement as the line that the checkpoint file holds. Kept where the
// gateway's machine cannot change it, it lets the verifier detect that the journal was cut off before it.
func (j *Journal) Checkpoint() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.line
}

// Segments describes all segments, in order. The last is the active one unless the journal is closed.
func (j *Journal) Segments() []SegmentInfo {
	j.mu.Lock()
	defer j.mu.Unlock()
	infos := append([]SegmentInfo(nil), j.infos...)
	if n := len(infos); n > 0 && !infos[n-1].Sealed {
		infos[n-1].Size = j.off
	}
	return infos
}

// End returns the position after the last entry, and the last sequence number.
func (j *Journal) End() (Position, uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.active == nil {
		return Position{}, j.seq
	}
	return Position{Segment: j.active.number, Offset: j.off}, j.seq
}
