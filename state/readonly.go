package state

import (
	"errors"
	"syscall"
)

// readOnly reports whether the file system refuses to be written.
func readOnly(err error) bool { return errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EISDIR) }
