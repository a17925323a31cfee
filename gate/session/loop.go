package session

import (
	"errors"
	"time"

	"weir/gate/wire"
)

// looped is what a pump needs to be driven by a loop, until it leaves.
type looped struct {
	member wire.Member
	left   bool       // of who takes requests
	up     chan error // of the goroutine that carries requests on, if it has left within one
}

// sockets are a pump's two sides where they are sockets, the client's first.
type sockets struct {
	sides  [2]*wire.Socket
	sealed [2]bool // TLS is spoken over it
	polls  [2]func() error
	full   bool // the last read may have left much behind

	// Of the goroutine that carries answers, while none of a loop does.
	calm int // answers in a row that came in one read
}

// calmAfter is how many short answers in a row bring a session back into the loop.
const calmAfter = 8

// sealedLarge is what one read of TLS hands on of a long answer, at least: a record is no longer than 16 KB.
const sealedLarge = 8 << 10

// errCalm says that the session goes back into the loop.
var errCalm = errors.New("back into the loop")

// hold makes a loop able to drive the session, where it can.
func (p *pump) hold() {
	if !wire.HasLoops() {
		return
	}
	x := &sockets{}
	for i, side := range [2]*Conn{&p.client, &p.target} {
		s, sealed := wire.Hold(*side, p.kick)
		if s == nil {
			if i == 1 {
				x.sides[0].Free()
			}
			return
		}
		if x.sides[i], x.sealed[i] = s, sealed; !sealed {
			*side = s
		}
	}
	x.polls = [2]func() error{
		func() (err error) { x.full, err = x.poll(0, p.in); return err },
		func() (err error) { x.full, err = x.poll(1, p.back); return err },
	}
	p.sockets = x
}

// poll reads what a side has said.
func (x *sockets) poll(side int, r *wire.Reader) (full bool, err error) {
	if x.sealed[side] {
		return r.Drain(x.sides[side])
	}
	return r.Poll(x.sides[side].FD())
}

// kick makes the session leave the loop.
func (p *pump) kick() {
	if m := p.member.Load(); m != nil {
		m.Kick()
	}
}

// loop lets a loop drive the session as long as it can. This goroutine has nothing to do with it any more: another one goes on when it has left.
func (p *pump) loop() {
	l := &looped{}
	p.looped, p.apart = l, false
	p.member.Store(&l.member)
	x := p.sockets
	if p.ends[0] != nil || p.ends[1] != nil || x.owing() {
		p.leave()
		return
	}
	for side := range x.sealed {
		// What TLS has read of the socket already the loop will not hear of.
		if x.sealed[side] {
			if p.ready(side); l.left {
				return
			}
		}
	}
	if p.s.gate.loops.Join(&l.member, x.sides[0].FD(), x.sides[1].FD(), p.ready) != nil {
		p.leave()
	} else if p.ctx.Err() != nil { // told before it joined
		l.member.Kick()
	}
}

func (x *sockets) owing() bool { return x.sides[0].Owing() || x.sides[1].Owing() }

// settleDown brings the session back into the loop, if nothing is under way. The pump is not locked. After true, requests are refused by errCalm.
func (p *pump) settleDown(read int) bool {
	x := p.sockets
	if x == nil {
		return false
	}
	most := wire.Large
	if x.sealed[1] {
		most = sealedLarge
	}
	if x.calm++; read >= most {
		x.calm = 0
	}
	if x.calm < calmAfter {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stepping.Load() || p.ended || p.drained || p.codec.Owes() {
		return false
	}
	x.calm, p.calm = 0, true
	return true
}

// again makes the session ready to go on after both goroutines have stopped for the loop's sake; err is why reading requests ended. It reports whether
// this goroutine is needed no more.
func (p *pump) again(err error) bool {
	if !errors.Is(err, errCalm) && !timedOut(err) {
		p.ends[0] = err
	}
	p.mu.Lock()
	p.calm = false
	p.mu.Unlock()
	_, _ = p.client.SetReadDeadline(time.Time{}), p.target.SetReadDeadline(time.Time{})
	p.looped = nil
	if p.ends[0] != nil || p.in.Rest() > 0 || p.ctx.Err() != nil || !p.sockets.sides[0].Hold() {
		return false
	}
	if !p.sockets.sides[1].Hold() {
		p.sockets.sides[0].Free()
		p.in.From(p.client)
		return false
	}
	p.loop()
	return true
}

// ready takes what one side has said.
func (p *pump) ready(side int) {
	l, x := p.looped, p.sockets
	if side == wire.Kicked {
		p.leave()
		return
	}
	err := p.guarded(x.polls[side])
	switch {
	case l.up != nil: // another goroutine leads the loop
		if err == nil {
			err = p.guarded(p.read)
		}
		l.up <- err
	case err != nil:
		p.ends[side] = err
		p.leave()
	case x.owing(), x.full && !l.member.Again(side):
		p.leave()
	}
}

// leave lets goroutines of its own drive the session from here on.
func (p *pump) leave() {
	l := p.looped
	l.member.Leave()
	p.apart = true
	p.sockets.sides[0].Free()
	p.sockets.sides[1].Free()
	p.in.From(p.client)
	p.back.From(p.target)
	l.left = true
	go p.carry(p.drive)
}

// standAside leaves the loop within a request that may wait. Its goroutine carries requests from here on. The pump is locked.
func (p *pump) standAside() {
	l := p.looped
	if l == nil || l.left {
		return
	}
	l.up = make(chan error, 1)
	p.leave()
}
