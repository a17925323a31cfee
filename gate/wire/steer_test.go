//go:build linux

package wire

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMembersThatMoveLoseNothing has sides that answer each other while their members go from one loop to the other and back all the time.
func TestMembersThatMoveLoseNothing(t *testing.T) {
	l := severalLoops(2)
	l.steer.mu.Lock() // it decides nothing
	const rounds = 3000
	var members, hands sync.WaitGroup
	homes := map[*Loop]int{}
	var moved atomic.Int64
	for range 6 {
		own, far := ends(t)
		m := &Member{}
		var was *Loop
		left := make(chan struct{})
		members.Add(1)
		if err := l.Join(m, own[0], own[1], func(side int) {
			if at := m.loop.Load(); at != was {
				was = at
				moved.Add(1)
			}
			if side == Kicked {
				m.Leave()
				members.Done()
				close(left)
				return
			}
			b := make([]byte, 64)
			for {
				n, err := heldRead(own[side], b)
				if err != nil {
					return
				}
				if _, err := heldWrite(own[side], b[:n]); err != nil {
					t.Error(err)
				}
				if n < len(b) {
					return
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
		homes[m.home]++
		var sides sync.WaitGroup
		for _, fd := range far {
			sides.Go(func() {
				b := make([]byte, 1)
				for i := range rounds {
					if _, err := unix.Write(fd, []byte("x")); err != nil {
						t.Error(err)
						return
					}
					for { // Go's signals end it early
						if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000); !errors.Is(err, unix.EINTR) {
							break
						}
					}
					if n, err := unix.Read(fd, b); n != 1 {
						t.Errorf("round %d: no answer: %v", i, err)
						return
					}
				}
			})
		}
		hands.Go(func() {
			sides.Wait()
			m.Kick()
			<-left
		})
	}
	over := make(chan struct{})
	go func() {
		hands.Wait()
		members.Wait()
		close(over)
	}()
	for one := true; ; one = !one {
		select {
		case <-over:
			if len(homes) != 2 || moved.Load() < 20 {
				t.Errorf("%d homes, %d moves", len(homes), moved.Load())
			}
			for i := range l.all {
				if n := l.all[i].size(); n != 0 {
					t.Errorf("loop %d has %d members", i, n)
				}
			}
			return
		default:
			l.one.Store(one)
			time.Sleep(200 * time.Microsecond)
		}
	}
}

func (l *Loop) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.members
}

// TestAMemberThatNoLoopTakesIsKicked moves one whose socket is closed meanwhile, as another loop cannot watch it.
func TestAMemberThatNoLoopTakesIsKicked(t *testing.T) {
	l := severalLoops(2)
	own, far := ends(t)
	m := &Member{}
	kicked := make(chan bool, 1)
	if err := l.all[1].Join(m, own[0], own[1], func(side int) {
		if side == Kicked {
			at := m.loop.Load()
			m.Leave()
			kicked <- at == &l.all[0]
			return
		}
		hear(own[0])
		l.one.Store(true)
		_ = unix.Close(own[1])
	}); err != nil {
		t.Fatal(err)
	}
	say(t, far[0])
	select {
	case first := <-kicked:
		if !first {
			t.Error("it was not moved")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("nobody told it")
	}
	for i := range l.all {
		if n := l.all[i].size(); n != 0 {
			t.Errorf("loop %d has %d members", i, n)
		}
	}
}

// TestLoopsAreUsedAsTheyTakeMostSteps plays a machine on which what idles and how many steps are taken differ by whether one loop drives all.
func TestLoopsAreUsedAsTheyTakeMostSteps(t *testing.T) {
	for _, c := range []struct {
		name         string
		busy         int // loops, where each drives its own
		idle         int // percent of the processors' time, then
		own          int // percent of one processor's
		apart, alone int // steps in a tick
		unknown      bool
		one          bool // at the end
		least, most  int  // part of the time with one, in percent
	}{
		{"one loop is better", 2, 5, 60, 100, 110, false, true, 90, 100},
		{"several are better", 2, 5, 60, 110, 100, false, false, 0, 5},
		{"several are much better", 2, 5, 60, 150, 100, false, false, 0, 2},
		{"no difference", 2, 5, 60, 100, 100, false, true, 90, 100},
		{"room", 2, 40, 60, 100, 120, false, false, 0, 0},
		{"more than a loop alone might manage", 2, 5, 120, 100, 120, false, false, 0, 0},
		{"one busy loop", 1, 3, 60, 100, 120, false, false, 0, 0},
		{"nothing to do", 0, 95, 60, 0, 0, false, false, 0, 0},
		{"nobody knows what idles", 2, 0, 60, 100, 120, true, false, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := severalLoops(2)
			now := time.Unix(1, 0)
			var used usage
			read := 0
			l.Now = func() time.Time { return now }
			l.steer.times = func() usage {
				read++
				if c.unknown {
					return usage{}
				}
				return used
			}
			tick := func() (alone bool) {
				busy, steps := c.busy, c.apart
				if alone = l.one.Load(); alone {
					busy, steps = min(1, busy), c.alone
				}
				now = now.Add(5 * time.Millisecond)
				used.idle, used.all, used.own = used.idle+uint64(c.idle), used.all+100, used.own+time.Duration(c.own)*50*time.Microsecond
				l.steps.Add(uint64(steps))
				l.decide(&l.steer, busy)
				return alone
			}
			const ticks = 30_000
			alone := 0
			for range ticks {
				if tick() {
					alone++
				}
			}
			if l.one.Load() != c.one || alone*100 > ticks*c.most || alone*100 < ticks*c.least {
				t.Errorf("one loop in the end: %v, in %d of %d ticks", l.one.Load(), alone, ticks)
			}
			if read > ticks/15 {
				t.Errorf("looked %d times", read)
			}
			if !c.one {
				return
			}
			c.idle = 40 // what it shared the processors with is gone
			for range 2 * steerEvery {
				tick()
			}
			if l.one.Load() {
				t.Error("one loop does it all, although there is room for others")
			}
			c.idle = 5
			for range 10 * steerWindow {
				tick()
			}
			if !l.one.Load() {
				t.Error("it does not come back")
			}
			c.busy = 0
			for range steerQuiet + 1 {
				l.decide(&l.steer, 0)
			}
			if l.one.Load() {
				t.Error("it stays when there is nothing to do")
			}
		})
	}
}

func TestSystemTimesGoOn(t *testing.T) {
	first := systemTimes()
	if first.all == 0 {
		t.Skip("no /proc/stat")
	}
	for end := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		u := systemTimes()
		if u.idle < first.idle || u.all < first.all || u.idle > u.all || u.own < first.own {
			t.Fatalf("%+v after %+v", u, first)
		}
		if u.all > first.all && u.own > first.own {
			return
		}
		if time.Now().After(end) {
			t.Fatal("no time has passed")
		}
	}
}
