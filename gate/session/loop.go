package session

import (
	"runtime"
	"sync"
	"sync/atomic"

	"weir/gate/wire"
)

// loops drive the pumps whose both sides are sockets, while they go back and forth with little to do. What waits or takes long gets goroutines.
type loops struct {
	once sync.Once
	all  []wire.Loop
	next atomic.Uint32
}

func (l *loops) pick() *wire.Loop {
	l.once.Do(func() { l.all = make([]wire.Loop, max(1, runtime.GOMAXPROCS(0)/2)) })
	return &l.all[int(l.next.Add(1))%len(l.all)]
}

// looped is what a pump needs to be driven by a loop. A pump leaves it once, and for good.
type looped struct {
	member wire.Member
	sides  [2]*wire.Socket // of the client, of the target
	polls  [2]func() error
	full   bool
	left   chan struct{} // closed when it has left; what was written before may be read then
	up     chan error    // of the goroutine that carries requests on, if it has left within one
}

// hold makes a loop able to drive the session, where it can.
func (p *pump) hold() {
	if !wire.Loops() {
		return
	}
	l := &looped{left: make(chan struct{})}
	for i, side := range [2]*Conn{&p.client, &p.target} {
		s := wire.Hold(*side, l.member.Kick)
		if s == nil {
			if i == 1 {
				l.sides[0].Free()
			}
			return
		}
		l.sides[i], *side = s, s
	}
	l.polls = [2]func() error{
		func() (err error) { l.full, err = p.in.Poll(l.sides[0].FD()); return err },
		func() (err error) { l.full, err = p.back.Poll(l.sides[1].FD()); return err },
	}
	p.looped = l
}

// loop lets a loop drive the session as long as it can, and returns when it has left.
func (p *pump) loop() {
	l := p.looped
	if p.ends[1] != nil || l.owing() || p.s.gate.loops.pick().Join(&l.member, l.sides[0].FD(), l.sides[1].FD(), p.ready) != nil {
		p.leave()
	} else if p.ctx.Err() != nil { // told before it joined
		l.member.Kick()
	}
	<-l.left
}

func (l *looped) owing() bool { return l.sides[0].Owing() || l.sides[1].Owing() }

// ready takes what one side has said.
func (p *pump) ready(side int) {
	l := p.looped
	if side == wire.Kicked {
		p.leave()
		return
	}
	err := p.guarded(l.polls[side])
	switch {
	case l.up != nil: // another goroutine leads the loop
		if err == nil {
			err = p.guarded(p.read)
		}
		l.up <- err
	case err != nil:
		p.ends[side] = err
		p.leave()
	case l.full || l.owing():
		p.leave()
	}
}

// leave lets goroutines drive the session from here on.
func (p *pump) leave() {
	l := p.looped
	l.member.Leave()
	l.sides[0].Free()
	l.sides[1].Free()
	p.in.From(p.client)
	p.back.From(p.target)
	close(l.left)
}

// standAside leaves the loop within a request that may wait. Its goroutine carries requests from here on. The pump is locked.
func (p *pump) standAside() {
	l := p.looped
	if l == nil || l.up != nil {
		return
	}
	select {
	case <-l.left:
	default:
		l.up = make(chan error, 1)
		p.leave()
	}
}
