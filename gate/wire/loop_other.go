//go:build !linux

package wire

import (
	"errors"
	"time"
)

// Loops is for systems with epoll; here nobody can join.
type Loops struct {
	// Now is not used here.
	Now func() time.Time
}

// Member is a pair of sockets of a loop.
type Member struct{}

// Kicked is the side in calls of ready that Kick brought about.
const Kicked = -1

// HasLoops reports whether this system has loops.
func HasLoops() bool { return false }

// Join fails.
func (*Loops) Join(*Member, int, int, func(int)) error { return errors.ErrUnsupported }

// Again reports that the member has to leave.
func (*Member) Again(int) bool { return false }

// Leave does nothing.
func (*Member) Leave() {}

// Kick does nothing.
func (*Member) Kick() {}

func heldRead(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

func heldWrite(int, []byte) (int, error) { return 0, errors.ErrUnsupported }
