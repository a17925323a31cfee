package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"weir"
)

// ErrClosed is what Append and Sync wrap after Close.
var ErrClosed = errors.New("the journal is closed")

// refused is the error of an Append that could not be done. Its public text names no path: it
// may be read by a client whose command is refused.
func refused(cause error) error {
	return weir.NewError(weir.Unavailable, "Nothing is let through because it cannot be recorded; the operator's log says why.", cause)
}

// damaged is the error for a journal that is not as it was written.
func damaged(path string, offset int64, what string) error {
	return weir.NewError(weir.Invalid, fmt.Sprintf(
		"The journal file %s is damaged at offset %d: %s; run `weir verify --all` to see how much, then move %s elsewhere and start with an empty one.",
		path, offset, what, filepath.Dir(path)), nil)
}

// fileError words what the operating system says about a path.
func fileError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return weir.NewError(weir.Invalid, fmt.Sprintf(
			"The journal directory %s cannot be written; make it writable for the user that runs weir, or choose another data_dir.", path), err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return weir.NewError(weir.Unavailable, fmt.Sprintf(
			"There is no room for the journal in %s; free disk space there, or choose another data_dir.", path), err)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return weir.NewError(weir.Invalid, fmt.Sprintf(
			"The journal directory %s is not a directory; remove the file of that name, or choose another data_dir.", path), err)
	}
	return weir.NewError(weir.Unavailable, fmt.Sprintf("The journal in %s cannot be used: %v.", path, err), err)
}
