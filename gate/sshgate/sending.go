package sshgate

import (
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// sending is the sending half of a target's channel. The library lets nobody end one while another writes to it, nor two end it. Safe for concurrent use.
type sending struct {
	ch ssh.Channel

	mu      sync.Mutex
	writers int  // that are at it
	over    bool // no more is to be written
	told    bool // the far end has been told, or is being
}

// Write blocks while the far end's window is full. After end it fails with io.EOF.
func (s *sending) Write(p []byte) (int, error) {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return 0, io.EOF
	}
	s.writers++
	s.mu.Unlock()
	n, err := s.ch.Write(p)
	s.mu.Lock()
	s.writers--
	s.tell()
	return n, err
}

// end tells the far end that no more comes, behind what is being written. It does not wait for that.
func (s *sending) end() {
	s.mu.Lock()
	s.over = true
	s.tell()
}

// tell does so once, when nobody writes any more. It unlocks mu.
func (s *sending) tell() {
	tell := s.over && !s.told && s.writers == 0
	s.told = s.told || tell
	s.mu.Unlock()
	if tell {
		_ = s.ch.CloseWrite()
	}
}
