//go:build linux

package wire

import (
	"runtime"
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

// severalLoops makes so many loops as if there were processors for them.
func severalLoops(n int) *Loops {
	l := &Loops{}
	l.once.Do(func() { l.make(n) })
	return l
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

// TestTheWatchdogRestsBesideALoopThatHasEnded: it wakes up many times in a second, so it must not when nobody steps.
func TestTheWatchdogRestsBesideALoopThatHasEnded(t *testing.T) {
	l := severalLoops(2)
	var far [2][2]int
	var members [2]Member
	sides := make(chan int, 1)
	for i := range members {
		var own [2]int
		own, far[i] = ends(t)
		if err := l.all[i].Join(&members[i], own[0], own[1], func(side int) { hear(own[side]); sides <- side }); err != nil {
			t.Fatal(err)
		}
		say(t, far[i][0])
		<-sides
	}
	dog := l.all[0].dog
	if !dog.on.Load() {
		t.Fatal("nobody watches")
	}
	members[0].Leave()
	for l.all[0].running() {
		say(t, far[1][1])
		<-sides
		time.Sleep(10 * time.Millisecond)
	}
	for range 2 { // it begins again
		for late := time.Now().Add(10 * time.Second); dog.on.Load(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(late) {
				t.Fatal("it does not rest")
			}
		}
		say(t, far[1][0])
		<-sides
		for late := time.Now().Add(10 * time.Second); !dog.on.Load(); time.Sleep(time.Millisecond) {
			if time.Now().After(late) {
				t.Fatal("nobody watches any more")
			}
		}
	}
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

// TestWhatAStuckLeaderHasNotComeToIsNotLost has both members told of in one look.
func TestWhatAStuckLeaderHasNotComeToIsNotLost(t *testing.T) {
	for name, leave := range map[string]bool{"left": true, "stuck": false} {
		t.Run(name, func(t *testing.T) {
			var l Loop
			var first, slow, quick Member
			firstOwn, firstFar := ends(t)
			slowOwn, slowFar := ends(t)
			own, far := ends(t)
			entered, ready, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
			join := func(m *Member, own [2]int, called func(side int)) {
				if err := l.Join(m, own[0], own[1], func(side int) { hear(own[side]); called(side) }); err != nil {
					t.Fatal(err)
				}
			}
			join(&first, firstOwn, func(int) {
				close(entered)
				<-ready
			})
			join(&slow, slowOwn, func(int) {
				if leave {
					slow.Leave()
				}
				<-release
			})
			sides := make(chan int, 2)
			join(&quick, own, func(side int) { sides <- side })
			say(t, firstFar[0])
			<-entered
			say(t, slowFar[0])
			say(t, far[1])
			close(ready)
			select {
			case <-sides:
			case <-time.After(10 * time.Second):
				t.Error("nobody was told")
			}
			close(release)
			first.Leave()
			quick.Leave()
			for { // until slow is not called any more
				l.mu.Lock()
				busy := slow.busy
				l.mu.Unlock()
				if !busy {
					break
				}
				time.Sleep(time.Millisecond)
			}
			slow.Leave()
		})
	}
}

// TestTheEndBehindSomethingIsTold has the last words and the end of a side told of at once.
func TestTheEndBehindSomethingIsTold(t *testing.T) {
	var l Loop
	var first, m Member
	firstOwn, firstFar := ends(t)
	own, far := ends(t)
	entered, ready := make(chan struct{}), make(chan struct{})
	if err := l.Join(&first, firstOwn[0], firstOwn[1], func(side int) {
		hear(firstOwn[side])
		close(entered)
		<-ready
	}); err != nil {
		t.Fatal(err)
	}
	read := make(chan int, 4)
	if err := l.Join(&m, own[0], own[1], func(side int) {
		n, _ := unix.Read(own[side], make([]byte, 64))
		if read <- n; n <= 0 {
			m.Leave()
		}
	}); err != nil {
		t.Fatal(err)
	}
	say(t, firstFar[0])
	<-entered
	say(t, far[0])
	if err := unix.Shutdown(far[0], unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	close(ready)
	for _, want := range []int{1, 0} {
		select {
		case n := <-read:
			if n != want {
				t.Fatalf("read %d, want %d", n, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nobody was told")
		}
	}
	first.Leave()
}

// TestBusyLoopsKeepApart binds the threads of two busy loops to two processors, and lets go of them.
func TestBusyLoopsKeepApart(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	affinity := func() (set unix.CPUSet) {
		t.Helper()
		if err := unix.SchedGetaffinity(0, &set); err != nil {
			t.Fatal(err)
		}
		return set
	}
	may := affinity()
	if may.Count() < 2 {
		t.Skip("one processor")
	}
	g := severalLoops(2)
	var a, b leader
	g.all[0].count(busySteps + 1)
	g.all[0].spread(&a)
	if a.place.bound || affinity() != may {
		t.Fatal("bound although it is the only busy one")
	}
	g.all[1].count(busySteps + 1)
	g.all[0].spread(&a)
	if !a.place.bound || affinity() == may {
		t.Fatal("not bound")
	}
	// The other one's thread is this one, too, and may not go where the first is; it asks for room from there on.
	runtime.LockOSThread() // which b undoes when it lets go
	b.place = place{bound: true, cpu: a.place.cpu, may: may}
	g.all[1].spread(&b)
	if !b.place.bound || b.place.cpu == a.place.cpu {
		t.Fatalf("bound to %d and %d", a.place.cpu, b.place.cpu)
	}
	for range boundFor {
		g.all[1].spread(&b)
	}
	if b.place.bound || affinity() != may {
		t.Fatal("still bound")
	}
	g.all[0].spread(&a)
	g.all[1].count(0)
	g.all[0].spread(&a)
	if a.place.bound || affinity() != may {
		t.Fatal("bound although it is alone again")
	}
	g.all[1].count(busySteps + 1)
	g.all[0].spread(&a)
	var other unix.CPUSet
	for cpu := 0; other.Count() == 0; cpu++ {
		if may.IsSet(cpu) && cpu != a.place.cpu {
			other.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &other); err != nil { // as taskset does
		t.Fatal(err)
	}
	a.place.free()
	if affinity() != other {
		t.Fatal("what somebody else set was taken back")
	}
	if err := unix.SchedSetaffinity(0, &may); err != nil {
		t.Fatal(err)
	}
}

func TestThereIsNoRoomWhereLoopsAre(t *testing.T) {
	g := severalLoops(3)
	var may unix.CPUSet
	may.Set(2)
	may.Set(5)
	for _, c := range []struct {
		at         [3]int32
		here, want int
	}{
		{[3]int32{}, 2, 2},
		{[3]int32{}, 3, 5},
		{[3]int32{}, 6, 2},
		{[3]int32{3, 3, 0}, 2, 5},
		{[3]int32{0, 3, 6}, 2, -1},
		{[3]int32{6, 3, 0}, 5, 5}, // its own place is free
	} {
		for i := range c.at {
			g.at[i].Store(c.at[i])
		}
		if got := g.room(0, c.here, &may); got != c.want {
			t.Errorf("%v from %d: %d, want %d", c.at, c.here, got, c.want)
		}
	}
}

// TestAMemberThatHasMoreIsCalledAgain takes one byte of many at a time, alone at first and then beside a member that must get its turns, after which it may not stay.
func TestAMemberThatHasMoreIsCalledAgain(t *testing.T) {
	var l Loop
	var long, short Member
	longOwn, longFar := ends(t)
	own, far := ends(t)
	const bytes = 100
	var taken atomic.Int32
	alone, stays := make(chan bool, bytes), atomic.Bool{}
	if err := l.Join(&long, longOwn[0], longOwn[1], func(side int) {
		if stays.Load() { // it reads nothing, so that there is always more
			if !long.Again(side) {
				long.Leave()
				alone <- false
			}
			return
		}
		if n, err := unix.Read(longOwn[side], make([]byte, 1)); n != 1 || err != nil {
			return // the last time there was nothing left
		}
		taken.Add(1)
		alone <- long.Again(side)
	}); err != nil {
		t.Fatal(err)
	}
	sides := make(chan int)
	if err := l.Join(&short, own[0], own[1], func(side int) { hear(own[side]); sides <- side }); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(longFar[1], make([]byte, bytes)); err != nil {
		t.Fatal(err)
	}
	for range bytes {
		if !<-alone {
			t.Fatal("it may not go on although it is alone")
		}
	}
	if taken.Load() != bytes {
		t.Fatalf("%d bytes, want %d", taken.Load(), bytes)
	}
	stays.Store(true)
	say(t, longFar[1])
	for range 3 {
		time.Sleep(2 * stuck)
		select {
		case <-alone:
			t.Fatal("it had to leave although nobody else stepped")
		default:
		}
	}
	say(t, far[0])
	select {
	case <-sides:
	case <-time.After(10 * time.Second):
		t.Fatal("the other one does not get its turn")
	}
	select {
	case <-alone:
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on beside another one")
	}
	short.Leave()
	for l.running() {
		time.Sleep(10 * time.Millisecond)
	}
}

// TestAMemberThatHasMoreLeavesAfterALongStep: the loop is another goroutine's by then, which knows nothing of what it asked for.
func TestAMemberThatHasMoreLeavesAfterALongStep(t *testing.T) {
	var l Loop
	var m Member
	own, far := ends(t)
	kicked := make(chan bool, 1)
	if err := l.Join(&m, own[0], own[1], func(side int) {
		if side == Kicked {
			m.Leave()
			kicked <- true
			return
		}
		before := l.leader.Load()
		for l.leader.Load() == before {
			time.Sleep(stuck)
		}
		if !m.Again(side) {
			kicked <- false
		}
	}); err != nil {
		t.Fatal(err)
	}
	say(t, far[0])
	select {
	case ok := <-kicked:
		if !ok {
			t.Fatal("it may not go on although it is alone")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody calls it any more")
	}
}

// TestTheEndBehindMuchIsTold: the system tells of an end once, while a member still has much to read in front of it.
func TestTheEndBehindMuchIsTold(t *testing.T) {
	for _, size := range []int{1, 3, 4, 7, 8, 9, 12, 30} {
		var l Loop
		var m Member
		own, far := ends(t)
		if _, err := unix.Write(far[1], make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := unix.Shutdown(far[1], unix.SHUT_WR); err != nil {
			t.Fatal(err)
		}
		over, sum := make(chan int, 1), 0
		if err := l.Join(&m, own[0], own[1], func(side int) {
			b := make([]byte, 4)
			n, err := heldRead(own[side], b)
			sum += max(0, n)
			switch {
			case err == nil && n == 0:
				m.Leave()
				over <- sum
			case n == len(b) && !m.Again(side):
				t.Error("it may not go on although it is alone")
			}
		}); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-over:
			if got != size {
				t.Errorf("%d bytes, want %d", got, size)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("the end behind %d bytes is not told", size)
		}
	}
}
