package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate reserves size bytes of disk for an empty file, so that a full disk shows here and not
// as a fault when the mapping is written.
func allocate(f *os.File, size int64) error {
	store := unix.Fstore_t{Flags: unix.F_ALLOCATEALL, Posmode: unix.F_PEOFPOSMODE, Length: size}
	err := unix.FcntlFstore(f.Fd(), unix.F_PREALLOCATE, &store)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) {
		return writeZeros(f, size)
	}
	if err != nil {
		return &os.PathError{Op: "preallocate", Path: f.Name(), Err: err}
	}
	return f.Truncate(size)
}

// syncData puts the file's content on the disk (F_FULLFSYNC), also what was written through the mapping.
func syncData(f *os.File) error { return f.Sync() }

// loosen does nothing: what it saves was only measured on Linux.
func loosen([]byte) {}
