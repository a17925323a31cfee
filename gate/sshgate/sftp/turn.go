package sftp

import (
	"context"
	"slices"
	"strings"

	"weir/gate/sshgate/transfer"
)

// turn is the place of an operation among those that are being decided. Those on one file come to the target in the order in which the client asked
// for them (draft-ietf-secsh-filexfer-02, section 6); others do not wait for each other, as any may be held for an approval.
type turn struct {
	op     transfer.Op
	before []*turn
	over   chan struct{} // closed once it was forwarded or refused
}

// queue lines an operation up. s.mu is held.
func (s *session) queue(op transfer.Op) *turn {
	t := &turn{op: op, over: make(chan struct{})}
	for _, o := range s.turns {
		if related(&o.op, &op) {
			t.before = append(t.before, o)
		}
	}
	s.turns = append(s.turns, t)
	return t
}

// leave ends a turn. s.mu is held.
func (s *session) leave(t *turn) {
	s.turns = slices.DeleteFunc(s.turns, func(o *turn) bool { return o == t })
	close(t.over)
}

// wait returns when it is the turn of t, or ctx ends.
func (t *turn) wait(ctx context.Context) error {
	for _, o := range t.before {
		select {
		case <-o.over:
		case <-ctx.Done():
			return errEnded
		}
	}
	return nil
}

// related reports whether one of two operations may change what the other is about: the same file, or a directory above it.
func related(a, b *transfer.Op) bool {
	for _, p := range slices.Concat(a.Paths, a.Reads) {
		for _, q := range slices.Concat(b.Paths, b.Reads) {
			if (a.Write || b.Write) && p == q || a.Write && below(q, p) || b.Write && below(p, q) {
				return true
			}
		}
	}
	return false
}

// below reports whether a path leads through a directory.
func below(name, dir string) bool {
	return strings.HasPrefix(name, dir) && strings.HasPrefix(name[len(dir):], "/")
}
