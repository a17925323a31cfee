//go:build !unix

package wire

import (
	"errors"
	"net"
)

const rawReads = false

func read(uintptr, []byte) (int, error) { return 0, errAgain }

func closed(uintptr) bool { return false }

func peek(uintptr, []byte) (int, bool) { return 0, false }

func hold(uintptr) (int, error) { return -1, errors.ErrUnsupported }

func release(int) (net.Conn, error) { return nil, errors.ErrUnsupported }
