package journal

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"weir"
)

// Names of the files beside the segments.
const (
	PublicKeyFile  = "journal.pub"
	CheckpointFile = "checkpoint"
	lockFile       = "lock"
)

// Open opens the journal in a directory, or makes one, for this process alone. A journal that was not closed is
// recovered: a torn entry at its end is dropped, which Recovery reports and an entry in the journal says. Damage anywhere
// else is an error that names the file and the offset, and nothing is changed. The last segment is read whole; of the
// others the header and the seal are checked.
func Open(opt Options) (*Journal, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	key, ok := opt.Signer.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("open journal: the signer is not an Ed25519 key")
	}
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fileError(opt.Dir, err)
	}
	lock, err := takeLock(opt.Dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{opt: opt, key: key, lock: lock, kick: make(chan struct{}, 1), dirty: make(chan struct{}, 1),
		stop: make(chan struct{}), loopDone: make(chan struct{}), committed: make(chan struct{})}
	if err := j.open(); err != nil {
		_ = j.shutFailedOpen()
		return nil, err
	}
	go j.commitLoop()
	return j, nil
}

func takeLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fileError(dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, weir.NewError(weir.Conflict, fmt.Sprintf(
				"Another weir process is using the journal in %s; stop it, or give this one another data_dir.", dir), err)
		}
		return nil, fileError(dir, err)
	}
	return f, nil
}

func (j *Journal) shutFailedOpen() error {
	var errs []error
	for _, s := range append(j.retired, j.active) {
		if s != nil {
			errs = append(errs, s.unmap(), s.f.Close())
		}
	}
	if j.checkpoint != nil {
		errs = append(errs, j.checkpoint.Close())
	}
	return errors.Join(append(errs, j.lock.Close())...)
}

func (j *Journal) open() error {
	names, err := j.list()
	if err != nil {
		return err
	}
	pubPath := filepath.Join(j.opt.Dir, PublicKeyFile)
	if len(names) == 0 {
		if _, err := rand.Read(j.id[:]); err != nil {
			return fmt.Errorf("make journal id: %w", err)
		}
		if info, err := os.Stat(filepath.Join(j.opt.Dir, CheckpointFile)); err == nil && info.Size() > 0 {
			return damaged(filepath.Join(j.opt.Dir, segmentName(1)), 0, "the segments are missing though a checkpoint is there")
		}
	}
	if err := j.restore(names); err != nil {
		return fileError(j.opt.Dir, err)
	}
	rec, err := j.inspect(names)
	if err != nil {
		return err
	}
	if err := j.openCheckpoint(rec); err != nil {
		return err
	}
	if err := rec.repair(j); err != nil {
		return err
	}
	if err := writePublicKey(pubPath, j.key); err != nil {
		return fileError(j.opt.Dir, err)
	}
	if err := j.start(); err != nil {
		return err
	}
	j.removeTail()
	return nil
}

// list returns the names of the segments in order, which must have no gap, and removes files that were being made.
func (j *Journal) list() ([]string, error) {
	entries, err := os.ReadDir(j.opt.Dir)
	if err != nil {
		return nil, fileError(j.opt.Dir, err)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasSuffix(name, ".tmp") && strings.Contains(name, ".seg.") {
			if err := os.Remove(filepath.Join(j.opt.Dir, name)); err != nil {
				return nil, fileError(j.opt.Dir, err)
			}
			j.recovery.Unclean = true // Close leaves none: the process ended between two segments
		}
		if !strings.HasSuffix(name, ".seg") {
			continue
		}
		names = append(names, name)
		if want := segmentName(uint32(len(names))); name != want {
			return nil, damaged(filepath.Join(j.opt.Dir, want), 0, "the segment is missing, though later ones are there")
		}
	}
	return names, nil
}

// start makes the first active segment of this process. A new journal is signed at once, so that
// from then on a missing checkpoint means something.
func (j *Journal) start() error {
	n := uint32(len(j.infos) + 1)
	s, err := j.makeSegment(n, ".tmp")
	if err != nil {
		return fileError(j.opt.Dir, err)
	}
	fresh := j.seq == 0
	if err := j.beginLocked(s, n, j.chainLocked()); err != nil {
		return errors.Join(fileError(j.opt.Dir, err), s.discard())
	}
	if fresh {
		if err := j.stateLocked(Checkpoint); err != nil {
			return err
		}
	}
	if err := j.commit(false, true); err != nil {
		return fileError(j.opt.Dir, err)
	}
	return nil
}

// openCheckpoint opens the checkpoint file and compares what it says with the segments.
func (j *Journal) openCheckpoint(rec *inspection) error {
	path := filepath.Join(j.opt.Dir, CheckpointFile)
	text, err := os.ReadFile(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return fileError(j.opt.Dir, err)
	}
	switch {
	case missing && rec.statements > 1:
		return damaged(path, 0, "the file is missing")
	case !missing && len(text) > 0:
		if err := j.compare(path, text, rec); err != nil {
			return err
		}
		j.stated = string(text)
	case !missing && rec.statements > 1:
		return damaged(path, 0, "the file is empty")
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fileError(j.opt.Dir, err)
	}
	j.checkpoint = f
	j.line = j.stated
	return nil
}

func (j *Journal) compare(path string, text []byte, rec *inspection) error {
	s, err := parseLine(text)
	if err != nil {
		return damaged(path, 0, err.Error())
	}
	if s.id != j.id || !s.valid(j.key) {
		return damaged(path, 0, "its signature is not this journal's")
	}
	n := int(s.segment)
	if n > len(rec.segments) {
		return damaged(filepath.Join(j.opt.Dir, segmentName(s.segment)), 0, "the segment is missing, though the checkpoint file knows it")
	}
	seg := rec.segments[n-1]
	if s.offset >= seg.end {
		return damaged(seg.path, seg.end, fmt.Sprintf("entries up to offset %d are missing, though the checkpoint file knows them", s.offset))
	}
	return nil
}

// repair takes over what was found: it ends the last segment when the process before did not, and
// cuts off what it had allocated.
func (rec *inspection) repair(j *Journal) error {
	for _, s := range rec.lost {
		j.recovery.SegmentsLost = append(j.recovery.SegmentsLost, s.path+".lost")
		j.recovery.EntriesDropped += s.count + s.entries
		if err := os.Rename(s.path, s.path+".lost"); err != nil {
			return fileError(j.opt.Dir, err)
		}
	}
	for _, path := range rec.lostBlank {
		if err := os.Remove(path); err != nil {
			return fileError(j.opt.Dir, err)
		}
	}
	for i, s := range rec.segments {
		j.infos = append(j.infos, SegmentInfo{Number: uint32(i + 1), Path: s.path, Size: s.end, FirstSeq: s.head.firstSeq, Sealed: s.sealed, Chain: s.chain})
		j.seq = s.lastSeq
		j.startChainLocked(s.chain)
		if s.sealed && s.fileLen > s.end {
			if err := truncate(s.path, s.end); err != nil {
				return fileError(j.opt.Dir, err)
			}
		}
	}
	n := len(rec.segments)
	if n == 0 || rec.segments[n-1].sealed {
		j.recovery.Unclean = j.recovery.Unclean || len(rec.lostBlank) > 0
		return nil
	}
	return j.endInterrupted(rec.segments[n-1])
}

func truncate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Truncate(size)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// endInterrupted writes a Recovery entry and a seal after the last whole entry of a segment.
func (j *Journal) endInterrupted(s *inspected) error {
	j.recovery.Unclean, j.recovery.Segment, j.recovery.Offset = true, s.head.segment, s.end
	j.recovery.EntriesKept, j.recovery.BytesDropped = s.count, s.tail
	j.recovery.EntriesDropped += s.entries
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return fileError(j.opt.Dir, err)
	}
	size := s.end + reserveLen
	// Cut first: what comes after the last whole entry must read as zeros.
	if err := errors.Join(f.Truncate(s.end), allocateTail(f, s.end, size)); err != nil {
		_ = f.Close()
		return fileError(j.opt.Dir, err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = f.Close()
		return fileError(j.opt.Dir, err)
	}
	j.active = &segment{number: s.head.segment, path: s.path, f: f, mem: mem}
	j.off, j.count = s.end, s.count
	payload := binary.LittleEndian.AppendUint64(nil, uint64(s.tail))
	payload = binary.LittleEndian.AppendUint64(payload, j.recovery.EntriesDropped)
	if _, err := j.putLocked(Recovery, j.opt.Now().UnixNano(), payload, nil, crc32.Checksum(payload, crcTable)); err != nil {
		return fileError(j.opt.Dir, err)
	}
	if err := j.sealLocked(); err != nil {
		return fileError(j.opt.Dir, err)
	}
	j.retired = append(j.retired, j.active)
	j.active = nil
	return nil
}

// allocateTail writes zeros from one offset to another, so that the mapping behind them has its space.
func allocateTail(f *os.File, from, to int64) error {
	_, err := f.WriteAt(make([]byte, to-from), from)
	return err
}
