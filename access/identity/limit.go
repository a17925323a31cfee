package identity

import (
	"container/list"
	"context"
	"net/netip"
	"sync"
	"time"

	"weir"
)

// Limits slow down who guesses. A zero field takes its default.
type Limits struct {
	// AddressBurst is how many wrong attempts one client address (an IPv6 /64) may make at once. Default 20.
	AddressBurst int
	// AddressEvery is after how long it may make one more. Default 3 s.
	AddressEvery time.Duration
	// LoginBurst is how many wrong attempts on one login name, from all addresses together, go unpunished. Default 10.
	LoginBurst int
	// LoginEvery is after how long one more does. Default 10 s.
	LoginEvery time.Duration
	// LoginDelay is the longest time that a password check for a login name under attack is put off. The
	// right password still opens after it, so nobody can lock another out. Default 2 s.
	LoginDelay time.Duration
	// Waiting is how many password checks may be put off at a time. Default 64.
	Waiting int
	// Tracked is how many addresses and how many login names are remembered. Default 16384.
	Tracked int
}

func (l Limits) filled() Limits {
	fill(&l.AddressBurst, 20)
	fill(&l.AddressEvery, 3*time.Second)
	fill(&l.LoginBurst, 10)
	fill(&l.LoginEvery, 10*time.Second)
	fill(&l.LoginDelay, 2*time.Second)
	fill(&l.Waiting, 64)
	fill(&l.Tracked, 16384)
	return l
}

func fill[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// maxLogin bounds how much of a login name a client can make us remember, in bytes.
const maxLogin = 128

// limiter counts wrong attempts in bounded memory.
type limiter struct {
	limits  Limits
	now     func() time.Time
	waiting chan struct{}

	mu        sync.Mutex
	addresses *buckets[netip.Prefix]
	logins    *buckets[string]
	trusted   *buckets[trust]
}

// trust is an address from which a login's right password came before.
type trust struct {
	address netip.Prefix
	login   string
}

func newLimiter(l Limits, now func() time.Time) *limiter {
	l = l.filled()
	return &limiter{
		limits: l, now: now, waiting: make(chan struct{}, l.Waiting),
		addresses: newBuckets[netip.Prefix](l.AddressBurst, l.AddressEvery, l.Tracked),
		logins:    newBuckets[string](l.LoginBurst, l.LoginEvery, l.Tracked),
		trusted:   newBuckets[trust](1, time.Hour, l.Tracked),
	}
}

// address is what counts as one client.
func address(c weir.Client) netip.Prefix {
	a := c.Addr.Addr().Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address, such as a unix socket: all of these count as one
	}
	return p
}

func clip(login string) string {
	if len(login) > maxLogin {
		return login[:maxLogin]
	}
	return login
}

// blocked returns how long the address has to wait before anything it shows is looked at; zero is not at all.
func (l *limiter) blocked(c weir.Client) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addresses.wait(address(c), l.now())
}

// wrong counts a wrong attempt and returns how long to wait, when the address or the login name has made too many.
func (l *limiter) wrong(c weir.Client, login string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.addresses.take(address(c), now)
	if login == "" {
		return 0
	}
	login = clip(login)
	wait := l.logins.wait(login, now)
	l.logins.take(login, now)
	return wait
}

// reserve takes an attempt from the address beforehand, for checks that take long: many begun at
// once are not free. right gives it back.
func (l *limiter) reserve(c weir.Client) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if wait := l.addresses.wait(address(c), now); wait > 0 {
		return wait
	}
	l.addresses.take(address(c), now)
	return 0
}

// right gives the reserved attempt back and trusts the address with this login from now on.
func (l *limiter) right(c weir.Client, login string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.addresses.give(address(c), now)
	l.trusted.take(trust{address(c), clip(login)}, now)
}

// misguessed counts a wrong password for the login; its address has paid already.
func (l *limiter) misguessed(login string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.logins.take(clip(login), l.now())
}

// putOff waits if the login name is being guessed at and the address is not trusted with it. ok is false
// when too many wait already.
func (l *limiter) putOff(ctx context.Context, c weir.Client, login string) (ok bool, err error) {
	l.mu.Lock()
	login = clip(login)
	wait := min(l.logins.wait(login, l.now()), l.limits.LoginDelay)
	if l.trusted.has(trust{address(c), login}) {
		wait = 0
	}
	l.mu.Unlock()
	if wait <= 0 {
		return true, nil
	}
	select {
	case l.waiting <- struct{}{}:
	default:
		return false, nil
	}
	defer func() { <-l.waiting }()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// buckets are token buckets of which the least recently used are forgotten. Not safe for concurrent use.
type buckets[K comparable] struct {
	burst int
	every time.Duration
	most  int
	byKey map[K]*list.Element
	order list.List // of *bucket[K], the most recently used first
}

type bucket[K comparable] struct {
	key  K
	full time.Time // when all attempts are free again
}

func newBuckets[K comparable](burst int, every time.Duration, most int) *buckets[K] {
	return &buckets[K]{burst: burst, every: every, most: most, byKey: make(map[K]*list.Element)}
}

// wait returns how long until one more attempt is free; zero or less is now.
func (b *buckets[K]) wait(k K, now time.Time) time.Duration {
	e, ok := b.byKey[k]
	if !ok {
		return 0
	}
	room := time.Duration(b.burst-1) * b.every
	return max(0, e.Value.(*bucket[K]).full.Add(-room).Sub(now)) //nolint:forcetypeassert // only buckets are in it
}

func (b *buckets[K]) has(k K) bool {
	_, ok := b.byKey[k]
	return ok
}

// take uses one attempt up. A bucket never owes more than burst attempts.
func (b *buckets[K]) take(k K, now time.Time) {
	v := b.use(k, now)
	if v.full.Before(now) {
		v.full = now
	}
	v.full = v.full.Add(b.every)
	if most := now.Add(time.Duration(b.burst) * b.every); v.full.After(most) {
		v.full = most
	}
}

func (b *buckets[K]) give(k K, now time.Time) {
	v := b.use(k, now)
	v.full = v.full.Add(-b.every)
}

func (b *buckets[K]) use(k K, now time.Time) *bucket[K] {
	if e, ok := b.byKey[k]; ok {
		b.order.MoveToFront(e)
		return e.Value.(*bucket[K]) //nolint:forcetypeassert // only buckets are in it
	}
	for len(b.byKey) >= b.most {
		oldest := b.order.Back()
		delete(b.byKey, b.order.Remove(oldest).(*bucket[K]).key) //nolint:forcetypeassert // only buckets are in it
	}
	v := &bucket[K]{key: k, full: now}
	b.byKey[k] = b.order.PushFront(v)
	return v
}
