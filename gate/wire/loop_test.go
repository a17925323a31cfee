//go:build linux

package wire

import (
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ends makes two pairs of sockets: the member's, and what is on their other side.
func ends(t *testing.T) (own, far [2]int) {
	t.Helper()
	for i := range own {
		p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		own[i], far[i] = p[0], p[1]
		t.Cleanup(func() { _, _ = unix.Close(p[0]), unix.Close(p[1]) })
	}
	return own, far
}

// say writes a byte.
func say(t *testing.T, fd int) {
	t.Helper()
	if _, err := unix.Write(fd, []byte{'x'}); err != nil {
		t.Fatal(err)
	}
}

// hear takes what is there.
func hear(fd int) { _, _ = unix.Read(fd, make([]byte, 64)) }

func TestLoopCallsForEachSideAndEndsWhenAllHaveLeft(t *testing.T) {
	var l Loop
	for range 2 { // it begins again after its end
		var m Member
		own, far := ends(t)
		sides := make(chan int, 8)
		if err := l.Join(&m, own[0], own[1], func(side int) { hear(own[side]); sides <- side }); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{0, 1, 1, 0} {
			say(t, far[want])
			if got := <-sides; got != want {
				t.Fatalf("called for side %d, want %d", got, want)
			}
		}
		m.Leave()
		m.Leave()
		say(t, far[0])
		for l.running() {
			time.Sleep(10 * time.Millisecond)
		}
		if len(sides) > 0 {
			t.Fatal("called after it has left")
		}
	}
}

func (l *Loop) running() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ep != 0
}

func TestLoopGoesOnBesideWhoLeftAndWhoIsStuck(t *testing.T) {
	for name, leave := range map[string]bool{"left": true, "stuck": false} {
		t.Run(name, func(t *testing.T) {
			var l Loop
			var slow, quick Member
			slowOwn, slowFar := ends(t)
			own, far := ends(t)
			entered, release, out := make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
			var inside atomic.Int32
			if err := l.Join(&slow, slowOwn[0], slowOwn[1], func(side int) {
				if inside.Add(1) > 1 {
					t.Error("called twice at a time")
				}
				defer inside.Add(-1)
				hear(slowOwn[side])
				if side == 1 {
					select {
					case out <- struct{}{}:
					default: // its end is told of, too
					}
					return
				}
				if leave {
					slow.Leave()
				}
				close(entered)
				<-release
			}); err != nil {
				t.Fatal(err)
			}
			sides := make(chan int)
			if err := l.Join(&quick, own[0], own[1], func(side int) { hear(own[side]); sides <- side }); err != nil {
				t.Fatal(err)
			}
			say(t, slowFar[0])
			<-entered
			say(t, slowFar[1]) // nobody may take it now
			if !leave {
				if err := unix.Shutdown(slowFar[1], unix.SHUT_RDWR); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 10 {
				say(t, far[i%2])
				if got := <-sides; got != i%2 {
					t.Fatal(got)
				}
			}
			close(release)
			if !leave {
				<-out
				slow.Leave()
			}
			quick.Leave()
		})
	}
}

func TestKickReachesAMemberThatIsIdleAndOneThatIsBusy(t *testing.T) {
	var l Loop
	var m Member
	own, far := ends(t)
	entered, release, kicks := make(chan struct{}), make(chan struct{}), make(chan struct{}, 4)
	if err := l.Join(&m, own[0], own[1], func(side int) {
		if side == Kicked {
			kicks <- struct{}{}
			return
		}
		hear(own[side])
		close(entered)
		<-release
	}); err != nil {
		t.Fatal(err)
	}
	m.Kick()
	<-kicks
	say(t, far[0])
	<-entered
	m.Kick()
	if len(kicks) > 0 {
		t.Fatal("called twice at a time")
	}
	close(release)
	<-kicks
	m.Leave()
	m.Kick()
	if len(kicks) > 0 {
		t.Fatal("called after it has left")
	}
}
