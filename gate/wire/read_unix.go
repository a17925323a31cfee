//go:build unix

package wire

import (
	"net"
	"os"
	"syscall"
)

const rawReads = true

// read reads once from a socket that does not block; errAgain when there is nothing.
func read(fd uintptr, b []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), b)
		switch err {
		case nil:
			return n, nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, errAgain
		}
		return 0, err
	}
}

// closed peeks for the end of a socket that does not block.
func closed(fd uintptr) bool {
	var b [1]byte
	n, ok := peek(fd, b[:])
	return ok && n == 0
}

// peek looks at what has come on a socket that does not block, and leaves it there. ok is false when nothing has; an end, or an error, has no bytes.
func peek(fd uintptr, b []byte) (n int, ok bool) {
	n, _, err := syscall.Recvfrom(int(fd), b, syscall.MSG_PEEK)
	return max(n, 0), err == nil || err != syscall.EAGAIN && err != syscall.EINTR
}

// hold makes a descriptor of its own for a socket, which does not block.
func hold(fd uintptr) (int, error) {
	syscall.ForkLock.RLock()
	own, err := syscall.Dup(int(fd))
	if err == nil {
		syscall.CloseOnExec(own)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, err
	}
	if err := syscall.SetNonblock(own, true); err != nil {
		_ = syscall.Close(own)
		return -1, err
	}
	return own, nil
}

// release makes a connection of package net of a descriptor and closes that.
func release(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "")
	defer func() { _ = f.Close() }()
	return net.FileConn(f)
}
