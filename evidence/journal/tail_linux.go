package journal

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// direct writes to a file past the system's cache, one piece at a time and beside whoever asks for it: a goroutine that waits in a system call for 0.3 ms
// costs as much as the write itself. Where the system has no io_submit, or does not allow it, start waits. It belongs to one goroutine at a time.
type direct struct {
	f       *os.File
	context uintptr // 0: there is none
	request iocb
	b       []byte // being written; nil: nothing is
}

// iocb is struct iocb of linux/aio_abi.h.
type iocb struct {
	_      [2]uint64
	opcode uint16
	_      int16
	fd     uint32
	buf    uint64
	bytes  uint64
	offset int64
	_      [2]uint64
}

// ioEvent is struct io_event.
type ioEvent struct {
	_      [2]uint64
	result int64
	_      int64
}

const iocbPwrite = 1

// openDirect opens a file past the system's cache; what is written is on the disk when finish returns. Not every file system can.
func openDirect(path string) (*direct, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_DIRECT|unix.O_DSYNC, 0)
	if err != nil {
		return nil, err
	}
	d := &direct{f: f}
	if _, _, e := unix.RawSyscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&d.context)), 0); e != 0 {
		d.context = 0
	}
	return d, nil
}

// start begins to write b at off, which must stay as it is until finish returns. Nothing may be under way.
func (d *direct) start(b []byte, off int64) error {
	if d.context == 0 {
		_, err := d.f.WriteAt(b, off)
		return err
	}
	d.b = b
	d.request = iocb{
		opcode: iocbPwrite, fd: uint32(d.f.Fd()), //nolint:gosec // a descriptor
		buf: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))), bytes: uint64(len(b)), offset: off,
	}
	list := [1]*iocb{&d.request}
	// Raw, since it only waits where the disk's queue is full.
	n, _, e := unix.RawSyscall(unix.SYS_IO_SUBMIT, d.context, 1, uintptr(unsafe.Pointer(&list)))
	if n == 1 && e == 0 {
		return nil
	}
	d.b = nil
	_, err := d.f.WriteAt(b, off)
	return err
}

// pending reports whether something is under way.
func (d *direct) pending() bool { return d.b != nil }

// finish waits until what was started is on the disk.
func (d *direct) finish() error {
	if d.b == nil {
		return nil
	}
	var event ioEvent
	n, _, e := unix.RawSyscall6(unix.SYS_IO_GETEVENTS, d.context, 0, 1, uintptr(unsafe.Pointer(&event)), 0, 0) // mostly it has long been
	for n != 1 {
		if e != 0 && e != unix.EINTR {
			d.end()
			return fmt.Errorf("wait for a write: %w", e)
		}
		n, _, e = unix.Syscall6(unix.SYS_IO_GETEVENTS, d.context, 1, 1, uintptr(unsafe.Pointer(&event)), 0, 0)
	}
	size := int64(len(d.b))
	d.b = nil
	switch {
	case event.result < 0:
		return fmt.Errorf("write: %w", unix.Errno(-event.result))
	case event.result != size:
		return fmt.Errorf("write: %d of %d bytes", event.result, size)
	}
	return nil
}

// end waits for the kernel to let go of what was started, whatever becomes of it.
func (d *direct) end() {
	if d.context != 0 {
		_, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, d.context, 0, 0)
		d.context, d.b = 0, nil
	}
}

// close closes the file.
func (d *direct) close() {
	d.end()
	_ = d.f.Close()
}
