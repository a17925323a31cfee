package journal

import (
	"errors"
	"os"
)

// openDirect fails: here only the call that syncs a whole file makes the disk write what it holds.
func openDirect(string) (*os.File, error) { return nil, errors.ErrUnsupported }
