//go:build !unix

package wire

import "errors"

const rawReads = false

var errAgain = errors.New("nothing to read")

func read(uintptr, []byte) (int, error) { return 0, errAgain }

func closed(uintptr) bool { return false }
