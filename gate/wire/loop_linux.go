package wire

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Loop waits for the sockets of many members and calls each when one of its two can be read. One goroutine leads: it waits and calls, so
// that a member's step costs no wake-up of another goroutine. A member that is about to wait for something else leaves, and its
// goroutine stays with it while another one leads. When a step takes long without that, another one leads, too. The zero value is ready.
// Safe for concurrent use.
type Loop struct {
	mu      sync.Mutex
	ep      int       // 0 while nobody leads
	slots   []*Member // nil where free
	free    []int32
	members int
	seal    int32 // tells members of one slot apart

	leader atomic.Pointer[leader]
	dog    *watchdog // set before anybody leads

	among *Loops // nil for a loop on its own
	own   int    // its number there
	busy  atomic.Bool
}

// leader is the goroutine that waits and calls.
type leader struct {
	steps  atomic.Uint64 // odd within a member's step
	asleep atomic.Bool
	turn   atomic.Bool // it is to let others run once
	many   bool        // the last time there was more than one event
	place  place

	more []unix.EpollEvent // what members asked to be called for again; like events

	// In turns, which come every few milliseconds.
	seen    int32 // the seal of the member that stepped last in this one; 0 for none
	several bool  // others did, too
	shared  bool  // several did in the turn before

	events [batch]unix.EpollEvent // written by the leader; of mu once others may look: see next and follow
	at, n  int                    // the first event that nobody has come to, and how many there are
}

// Member is a pair of sockets. The zero value is ready to join one loop, once.
type Member struct {
	loop   atomic.Pointer[Loop] // changes while both are locked, and never within a step
	home   *Loop                // the one it joined
	ready  func(side int)
	fds    [2]int
	slot   int32
	seal   int32
	joined bool
	busy   bool    // ready is being called
	by     *leader // who calls it; nil if it is no leader
	missed [2]bool // a side was told of meanwhile
	again  [2]bool // a side has more; of who calls ready
	kicked bool
}

// Kicked is the side in calls of ready that Kick brought about.
const Kicked = -1

const (
	// stuck is how long a step may keep the others waiting.
	stuck = 5 * time.Millisecond
	// linger is how often a leader looks whether there is anybody left, in milliseconds.
	linger = 1000
	batch  = 64
	// interest is edge-triggered: a side is told of once, and then when there is more. So a step has to take all there is, or to leave; and what is told of a member
	// that is busy must not be lost.
	interest = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET
	ending   = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	// busySteps is how many steps in the time of stuck make a loop busy.
	busySteps = 20
)

// HasLoops reports whether this system has loops.
func HasLoops() bool { return true }

// Join adds a member whose sockets do not block. ready is called with 0 or 1 when a or b has something to read, or its end, and never twice at the
// same time. It must read until less comes than it has room for, or nothing, or ask for Again, or let the member leave: it is not told of the same twice. The
// sockets must stay open until the member has left.
func (l *Loop) Join(m *Member, a, b int, ready func(side int)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.ready, m.fds, m.home = ready, [2]int{a, b}, l
	return l.enter(m)
}

// enter makes m one of the members. l is locked. After an error it is none.
func (l *Loop) enter(m *Member) error {
	start := l.ep == 0
	if l.dog == nil {
		l.dog = &watchdog{all: []*Loop{l}}
	}
	if start {
		ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return err
		}
		l.ep = ep
	}
	l.take(m)
	err := l.watch(m, 0, unix.EPOLL_CTL_ADD, interest)
	if err == nil {
		if err = l.watch(m, 1, unix.EPOLL_CTL_ADD, interest); err != nil {
			_ = l.watch(m, 0, unix.EPOLL_CTL_DEL, 0)
		}
	}
	if err != nil {
		l.drop(m)
	}
	if start {
		first := &leader{}
		l.leader.Store(first)
		go l.lead(first, l.ep)
	}
	return err
}

// take gives m a slot.
func (l *Loop) take(m *Member) {
	m.loop.Store(l)
	m.joined = true
	l.seal++
	m.seal = l.seal
	if n := len(l.free); n > 0 {
		m.slot = l.free[n-1]
		l.free = l.free[:n-1]
		l.slots[m.slot] = m
	} else {
		m.slot = int32(len(l.slots)) //nolint:gosec // bounded by descriptors
		l.slots = append(l.slots, m)
	}
	l.members++
}

// leave takes a member out. l is locked.
func (l *Loop) leave(m *Member) {
	_, _ = l.watch(m, 0, unix.EPOLL_CTL_DEL, 0), l.watch(m, 1, unix.EPOLL_CTL_DEL, 0)
	l.drop(m)
}

// lock locks the loop that the member is in, or was in last, and returns it; nil if it has joined none.
func (m *Member) lock() *Loop {
	for {
		l := m.loop.Load()
		if l == nil {
			return nil
		}
		l.mu.Lock()
		if m.loop.Load() == l {
			return l
		}
		l.mu.Unlock() // it has moved meanwhile
	}
}

func (l *Loop) watch(m *Member, side, op int, events uint32) error {
	return unix.EpollCtl(l.ep, op, m.fds[side], &unix.EpollEvent{Events: events, Fd: m.slot<<1 | int32(side), Pad: m.seal}) //nolint:gosec // 0 or 1
}

// drop takes back a member's slot.
func (l *Loop) drop(m *Member) {
	m.joined = false
	l.slots[m.slot] = nil
	l.free = append(l.free, m.slot)
	l.members--
}

// Leave ends the membership: ready is called no more, but for the call that may be running. While one does, only it may call Leave; its goroutine may take as long as it
// likes from here on.
func (m *Member) Leave() {
	l := m.lock()
	if l == nil {
		return
	}
	if !m.joined {
		l.mu.Unlock()
		return
	}
	l.leave(m)
	by := m.by
	m.by = nil
	if by != nil {
		l.follow(by)
	}
	l.mu.Unlock()
	if by != nil {
		by.place.free() // of this goroutine, which may take long
	}
}

// Again asks that ready be called once more for a side that may have more to read, after others had their turn. false: others step in this loop, and whoever has much to do
// may not keep them waiting; the member has to leave, as it has to where the step took too long for that. Only ready may call it.
func (m *Member) Again(side int) bool {
	if m.by == nil || m.by.several || m.by.shared {
		return false
	}
	m.again[side] = true
	return true
}

// Kick calls ready with Kicked as soon as it is not running, here or in the loop's goroutine, unless the member has left.
func (m *Member) Kick() {
	l := m.lock()
	if l == nil {
		return
	}
	if !m.joined || m.busy {
		m.kicked = true
		l.mu.Unlock()
		return
	}
	m.busy, m.by = true, nil
	l.mu.Unlock()
	m.ready(Kicked)
	l.done(m, nil)
}

// follow lets another goroutine lead, if old still does, and go on with what old has not come to. Old is within a step, which it cannot end without the lock that the caller
// holds.
func (l *Loop) follow(old *leader) {
	next := &leader{}
	if l.ep == 0 || !l.leader.CompareAndSwap(old, next) {
		return
	}
	next.n = copy(next.events[:], old.events[old.at:old.n])
	next.n += copy(next.events[next.n:], old.more)
	old.at, old.more = old.n, nil
	go l.lead(next, l.ep)
}

// next is whom the next event is for, and which side. nil: there is none any more, or another one leads.
func (l *Loop) next(self *leader) (m *Member, side int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for self.at < self.n {
		e := &self.events[self.at]
		self.at++
		if m = l.slots[e.Fd>>1]; m == nil || m.seal != e.Pad { // it has left
			continue
		}
		side = int(e.Fd & 1)
		if m.busy {
			m.missed[side] = true
			continue
		}
		m.busy, m.by = true, self
		if e.Events&ending != 0 { // the end may stand behind something, which is all that is read at first
			m.missed[side] = true
		}
		return m, side
	}
	return nil, 0
}

// done ends a call of ready. It returns the side that by, who leads or has, is to call it for now; -1 for none.
func (l *Loop) done(m *Member, by *leader) int {
	l.mu.Lock()
	defer func() { l.mu.Unlock() }()
	if m.again != [2]bool{} && l.leader.Load() != by { // the step took long, and who leads now knows nothing of it
		m.again, m.kicked = [2]bool{}, true
	}
	if by != nil && m.joined && !m.kicked && m.missed == [2]bool{} && m.again == [2]bool{} && len(by.more) == 0 {
		if to := l.among.place(m.home); to != nil && to != l {
			l.move(m, to)
			l, by = to, nil // the leader there is told of what there is
		}
	}
	for m.joined && m.kicked {
		m.kicked = false
		l.mu.Unlock()
		m.ready(Kicked)
		l.mu.Lock()
	}
	for side, missed := range m.missed {
		if !missed || !m.joined {
			continue
		}
		m.missed[side] = false
		if by != nil {
			return side
		}
		_ = l.watch(m, side, unix.EPOLL_CTL_MOD, interest) // tells of it once more
	}
	l.later(m, by)
	m.busy, m.by = false, nil
	return -1
}

// later has by, who leads, call m again for the sides that it asked for, after others: at most once for each, so that there is room for all.
func (l *Loop) later(m *Member, by *leader) {
	for side, again := range m.again {
		if m.again[side] = false; again && m.joined {
			// The end, of which the system has told maybe, may stand behind what there is: see next.
			by.more = append(by.more, unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: m.slot<<1 | int32(side), Pad: m.seal}) //nolint:gosec // 0 or 1
		}
	}
}

// move makes a member that is busy one of another loop, which is locked then in the place of this one. If that cannot take it, it is kicked.
func (l *Loop) move(m *Member, to *Loop) {
	l.mu.Unlock()
	first, second := l, to // in this order, so that two never wait for each other
	if first.own > second.own {
		first, second = second, first
	}
	first.mu.Lock()
	second.mu.Lock()
	l.leave(m)
	if to.enter(m) != nil {
		to.take(m)
		m.kicked = true
	}
	l.mu.Unlock()
}

// lead waits for sockets and calls their members, until another goroutine leads or nobody is left.
func (l *Loop) lead(self *leader, ep int) {
	defer self.asleep.Store(true) // the watchdog has nothing to wait for
	defer self.place.free()
	for {
		for m, side := l.next(self); m != nil; m, side = l.next(self) {
			self.steps.Add(1)
			self.sees(m.seal)
			l.dog.wake()
			for side >= 0 {
				m.ready(side)
				side = l.done(m, self)
			}
			self.steps.Add(1)
		}
		if l.leader.Load() != self {
			return
		}
		if self.turn.Load() {
			// Go's monitor thread looks at who has run for 10 ms every 20 µs from then on, which takes a tenth of the time.
			self.turn.Store(false)
			self.shared, self.several, self.seen = self.several, false, 0
			runtime.Gosched()
			l.spread(self)
		}
		n := l.wait(self, ep)
		self.at, self.n = 0, max(0, n)
		if n == 0 && l.over(self) {
			return
		}
	}
}

// sees notes whose step it is.
func (p *leader) sees(seal int32) {
	p.several = p.several || p.seen != 0 && p.seen != seal
	p.seen = seal
}

// over ends the loop when nobody is left.
func (l *Loop) over(self *leader) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leader.Load() != self {
		return true
	}
	if l.members > 0 {
		return false
	}
	_ = unix.Close(l.ep)
	l.ep = 0
	return true
}

// wait looks for events before it goes to sleep while there are many: looking costs less than sleeping.
func (l *Loop) wait(self *leader, ep int) int {
	if again := len(self.more); again > 0 {
		n := look(ep, self.events[:batch-again])
		n += copy(self.events[n:], self.more)
		self.more = self.more[:0]
		return n
	}
	if self.many {
		n := look(ep, self.events[:])
		if self.many = n > 1; n > 0 {
			return n
		}
	}
	self.asleep.Store(true)
	n, err := unix.EpollWait(ep, self.events[:], linger)
	self.asleep.Store(false)
	self.many = n > 1
	if err != nil {
		if !errors.Is(err, unix.EINTR) {
			time.Sleep(stuck) // never seen; the loop must not spin
		}
		return -1
	}
	return n
}

// look returns the number of events that are there, without the scheduler's notice, since it does not wait.
func look(ep int, events []unix.EpollEvent) int {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0) //nolint:gosec // the kernel's interface
	if e != 0 {
		return 0
	}
	return int(n) //nolint:gosec // at most batch
}

// watchdog lets another goroutine lead a loop where a step takes long, and sees how busy each is. It runs while there are steps, in one goroutine for all loops,
// since each time that it wakes up takes time of a processor.
type watchdog struct {
	on  atomic.Bool
	all []*Loop
}

// seen is what the watchdog saw of a loop last.
type seen struct {
	of    *leader
	steps uint64
}

// wake has the watchdog run.
func (w *watchdog) wake() {
	if !w.on.Load() && w.on.CompareAndSwap(false, true) {
		go w.run()
	}
}

// run ends when all loops have been quiet for a while.
func (w *watchdog) run() {
	last := make([]seen, len(w.all))
	for quiet := 0; ; {
		if quiet == 100 {
			w.on.Store(false)
			if !w.stepped(last) || !w.on.CompareAndSwap(false, true) {
				return // who steps from now on starts another one
			}
		}
		time.Sleep(stuck)
		quiet++
		for i, l := range w.all {
			if !l.check(&last[i]) {
				quiet = 0
			}
		}
	}
}

// stepped reports whether there were steps that check has not seen.
func (w *watchdog) stepped(last []seen) bool {
	for i, l := range w.all {
		if now := l.leader.Load(); now != last[i].of || now != nil && now.steps.Load() != last[i].steps {
			return true
		}
	}
	return false
}

// check looks at the loop once in the time of stuck. It reports that the loop is quiet.
func (l *Loop) check(last *seen) (quiet bool) {
	now := l.leader.Load()
	if now == nil {
		return true
	}
	at, steps := now.steps.Load(), uint64(0)
	same := now == last.of
	if same {
		steps = (at - last.steps) / 2
	}
	l.count(steps)
	same = same && at == last.steps
	last.of, last.steps = now, at
	switch {
	case same && at%2 == 1:
		l.replace(now, at)
	case same && now.asleep.Load():
		return true
	default:
		now.turn.Store(true)
	}
	return false
}

// replace lets another goroutine lead if old is still within a step.
func (l *Loop) replace(old *leader, step uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old.steps.Load() == step {
		l.follow(old)
	}
}

// heldRead reads once from a held socket; errAgain when there is nothing. Like heldWrite it does not tell the scheduler, which would look after
// each call that takes longer than others, since neither waits; and it asks for what only sockets can, which takes a shorter way through the kernel.
func heldRead(fd int, b []byte) (int, error) {
	return once(unix.SYS_RECVFROM, fd, b, unix.MSG_DONTWAIT)
}

// heldWrite writes once to a held socket; 0 when it takes nothing.
func heldWrite(fd int, b []byte) (int, error) {
	n, err := once(unix.SYS_SENDTO, fd, b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if err != nil && errors.Is(err, errAgain) {
		return 0, nil
	}
	return n, err
}

func once(call uintptr, fd int, b []byte, flags uintptr) (int, error) {
	for {
		n, _, e := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0) //nolint:gosec // the kernel's interface
		if e == unix.EINTR {
			continue
		}
		if e == unix.EAGAIN {
			return 0, errAgain
		}
		if e != 0 {
			return 0, e
		}
		return int(n), nil //nolint:gosec // at most len(b)
	}
}
