package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// openDirect opens a file past the system's cache; what is written is on the disk when the call returns. Not every file system can.
func openDirect(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|unix.O_DIRECT|unix.O_DSYNC, 0)
}
