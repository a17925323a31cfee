package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// maxSegments bounds segment numbers, which have eight digits in file names.
const maxSegments = 99_999_999

func segmentName(n uint32) string { return fmt.Sprintf("%08d.seg", n) }

// pageSize is a multiple of the size of a page of memory.
const pageSize = 64 << 10

// segment is a mapped, writable segment file.
type segment struct {
	number uint32
	path   string
	f      *os.File
	mem    []byte
	loose  int64 // so much of mem is not mapped any more; of who holds commitMu
}

// newSegment makes, allocates and maps an empty file of the given size.
func newSegment(path string, size int64, alloc func(*os.File, int64) error) (*segment, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	mem, err := func() ([]byte, error) {
		if err := alloc(f, size); err != nil {
			return nil, err
		}
		mem, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return nil, &os.PathError{Op: "mmap", Path: path, Err: err}
		}
		return mem, nil
	}()
	if err != nil {
		_ = f.Close()
		_ = os.Remove(path)
		return nil, err
	}
	return &segment{path: path, f: f, mem: mem}, nil
}

// rename gives the file its final name, once the header is in it.
func (s *segment) rename(dir string, n uint32) error {
	path := filepath.Join(dir, segmentName(n))
	if err := os.Rename(s.path, path); err != nil {
		return err
	}
	s.number, s.path = n, path
	return nil
}

// loosen takes the whole pages before off out of the mapping: nothing is written there any more, and the system has to write-protect what is mapped page by page when the
// file is synced. What is in them stays as it is.
func (s *segment) loosen(off int64) {
	if off = off / pageSize * pageSize; off > s.loose {
		loosen(s.mem[s.loose:off])
		s.loose = off
	}
}

// unmap ends writing through the mapping.
func (s *segment) unmap() error {
	if s.mem == nil {
		return nil
	}
	mem := s.mem
	s.mem = nil
	return unix.Munmap(mem)
}

// discard drops a segment that was never used.
func (s *segment) discard() error {
	err := s.unmap()
	if cerr := s.f.Close(); err == nil {
		err = cerr
	}
	if rerr := os.Remove(s.path); err == nil {
		err = rerr
	}
	return err
}

// markSynced notes in the header that the first n bytes are on the disk. It is one store, so
// killing the process leaves the old or the new value.
func (s *segment) markSynced(n int64) error {
	return guard(func() {
		binary.LittleEndian.PutUint64(s.mem[syncedAt:], uint64(uint32(n))|uint64(^uint32(n))<<32)
	})
}

// errFault says that the disk behind a mapping failed while it was written.
var errFault = errors.New("writing to the mapped segment failed (disk error, or the file was cut short)")

// guard runs f, which writes to a mapping, and turns a memory fault into errFault.
func guard(f func()) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if r := recover(); r != nil {
			if _, fault := r.(interface{ Addr() uintptr }); !fault {
				panic(r)
			}
			err = errFault
		}
	}()
	f()
	return nil
}

// writeZeros fills the file, on file systems that cannot reserve space.
func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for off := int64(0); off < size; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-off)], off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

// syncDir puts a directory's names on the disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
