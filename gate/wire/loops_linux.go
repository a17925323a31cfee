package wire

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Loops is a Loop for each processor that Go uses but one, or a single one. The system likes to run who is woken where it was woken, so that a loop draws what is on the other
// side of its sockets to its processor, and other processors idle. That is good where there is a loop for each: loops that are busy keep away from each other's processors. The
// zero value is ready. Safe for concurrent use.
type Loops struct {
	// Now is the clock. nil leaves all loops to their own members, though one might be faster.
	Now func() time.Time

	once  sync.Once
	all   []Loop
	last  atomic.Uint32
	at    []atomic.Int32 // where each busy loop was seen last, counted from 1; 0 while it is not busy
	one   atomic.Bool    // the first drives all
	steps atomic.Uint64  // of members
	steer steering
}

// Join adds a member to one of the loops, as Loop.Join does.
func (l *Loops) Join(m *Member, a, b int, ready func(side int)) error {
	l.once.Do(func() { l.make(max(1, runtime.GOMAXPROCS(0)-1)) })
	return l.all[int(l.last.Add(1))%len(l.all)].Join(m, a, b, ready)
}

// make makes n loops.
func (l *Loops) make(n int) {
	l.all, l.at = make([]Loop, n), make([]atomic.Int32, n)
	dog := &watchdog{all: make([]*Loop, n)}
	for i := range l.all {
		l.all[i].among, l.all[i].own, l.all[i].dog, dog.all[i] = l, i, dog, &l.all[i]
	}
}

// count is told every few milliseconds how many steps the loop took since then.
func (l *Loop) count(steps uint64) {
	if l.among == nil {
		return
	}
	l.among.steps.Add(steps)
	busy := steps > busySteps
	if l.busy.Store(busy); !busy {
		l.among.at[l.own].Store(0)
	}
	l.among.look(l.own)
}

// crowded reports whether more than one loop is busy.
func (l *Loops) crowded() bool {
	n := 0
	for i := range l.all {
		if l.all[i].busy.Load() {
			n++
		}
	}
	return n > 1
}

// taken reports whether a busy loop other than own was seen on a processor.
func (l *Loops) taken(own, cpu int) bool {
	for i := range l.at {
		if i != own && int(l.at[i].Load()) == cpu+1 {
			return true
		}
	}
	return false
}

// room is the first processor from here on, of those in may, where no busy loop other than own was seen; -1 if there is none.
func (l *Loops) room(own, here int, may *unix.CPUSet) int {
	size := len(may) * int(unsafe.Sizeof(may[0])) * 8
	for i := range size {
		if cpu := (here + i) % size; may.IsSet(cpu) && !l.taken(own, cpu) {
			return cpu
		}
	}
	return -1
}

// place is the processor that a leader's thread is bound to. It belongs to the leader's goroutine.
type place struct {
	bound bool
	cpu   int
	may   unix.CPUSet // where the thread may run else
	turns int
}

// boundFor is for how many turns a thread stays bound. Then the system may move it for the time of one.
const boundFor = 20

// spread binds the leader's thread to a processor where no other busy loop is, as long as several are busy. The leader calls it every few milliseconds.
func (l *Loop) spread(self *leader) {
	p := &self.place
	if l.among == nil || !l.busy.Load() || !l.among.crowded() {
		p.free()
		return
	}
	if p.bound && !l.among.taken(l.own, p.cpu) {
		if p.turns++; p.turns >= boundFor {
			p.free()
		}
		return
	}
	runtime.LockOSThread() // so that it is the same one all the time
	defer runtime.UnlockOSThread()
	here := p.cpu
	if !p.bound {
		var cpu uint32
		if _, _, e := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); e != 0 { //nolint:gosec // the kernel's interface
			return
		}
		if unix.SchedGetaffinity(0, &p.may) != nil {
			return
		}
		here = int(cpu)
	}
	there := l.among.room(l.own, here, &p.may)
	if there < 0 {
		p.free()
		return
	}
	var one unix.CPUSet
	one.Set(there)
	if unix.SchedSetaffinity(0, &one) != nil {
		return
	}
	if !p.bound {
		runtime.LockOSThread()
	}
	p.bound, p.cpu, p.turns = true, there, 0
	l.among.at[l.own].Store(int32(there) + 1) //nolint:gosec // a processor's number
}

// free lets the thread run where it may, unless somebody else has bound it meanwhile.
func (p *place) free() {
	if !p.bound {
		return
	}
	var now, one unix.CPUSet
	one.Set(p.cpu)
	if unix.SchedGetaffinity(0, &now) == nil && now == one {
		_ = unix.SchedSetaffinity(0, &p.may)
	}
	p.bound = false
	runtime.UnlockOSThread()
}
