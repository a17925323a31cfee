package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"weir"
	"weir/vault/password"
)

// Options are what an Authority needs besides its store, clock and random source. A zero field
// takes its default where it names one and is an error otherwise.
type Options struct {
	// Resources looks a resource up by name. It must not block. Required.
	Resources func(name string) (weir.Resource, bool)
	// OnRevoke is told of everything that is taken away, after it is stored and before the method that took it returns.
	// It ends the live sessions that Revocation.Matches selects. Required.
	OnRevoke func(Revocation)
	// Entitlements are the standing grants; nil entitles nobody. SetEntitlements replaces them.
	Entitlements *Entitlements
	// MaxSession is the longest a session may last. Default 12 h.
	MaxSession time.Duration
	// Remember is how long a good credential is admitted without asking the store. Default 1 min.
	Remember time.Duration
	// MaxRemembered is how many good credentials are remembered. Default 8192.
	MaxRemembered int
	// MaxCredentials is how many good tokens and keys one user may have. Default 1000.
	MaxCredentials int
	// Hashes is how many password hashes are computed at a time, 19 MiB each. Default 2.
	Hashes int
	// DecoyKey makes what unknown login names see of SCRAM; the same for as long as the gateway lives, so that they do not
	// show by changing when it starts again. Default random.
	DecoyKey []byte
	// Limits slow down who guesses.
	Limits Limits
}

// Authority knows who may come in. New makes one.
type Authority struct {
	store  Store
	now    func() time.Time
	random io.Reader
	opt    Options
	hasher *password.Hasher
	limit  *limiter

	entitlements atomic.Pointer[Entitlements]

	mu         sync.RWMutex
	generation uint64 // counts changes; what was loaded under another one is not remembered
	good       map[[32]byte]*proof
	grants     *granted
	grantsAt   time.Time
}

// proof is a credential that was good when it was loaded. Immutable.
type proof struct {
	credential Credential
	identity   weir.Identity
	loaded     time.Time
}

// New makes an Authority. random must be a cryptographic source.
func New(store Store, now func() time.Time, random io.Reader, opt Options) (*Authority, error) {
	switch {
	case store == nil:
		return nil, errors.New("identity authority without store")
	case now == nil:
		return nil, errors.New("identity authority without clock")
	case random == nil:
		return nil, errors.New("identity authority without random source")
	case opt.Resources == nil:
		return nil, errors.New("identity authority without Resources")
	case opt.OnRevoke == nil:
		return nil, errors.New("identity authority without OnRevoke")
	}
	fill(&opt.MaxSession, 12*time.Hour)
	fill(&opt.Remember, time.Minute)
	fill(&opt.MaxRemembered, 8192)
	fill(&opt.MaxCredentials, 1000)
	fill(&opt.Hashes, 2)
	if len(opt.DecoyKey) == 0 {
		opt.DecoyKey = make([]byte, 32)
		if _, err := io.ReadFull(random, opt.DecoyKey); err != nil {
			return nil, fmt.Errorf("read decoy key: %w", err)
		}
	}
	h := hmac.New(sha256.New, opt.DecoyKey) // the key may have another use
	_, _ = h.Write([]byte("weir scram decoy"))
	opt.DecoyKey = h.Sum(nil)
	hasher, err := password.New(random, opt.Hashes)
	if err != nil {
		return nil, err
	}
	a := &Authority{
		store: store, now: now, random: random, opt: opt, hasher: hasher,
		limit: newLimiter(opt.Limits, now), good: make(map[[32]byte]*proof),
	}
	a.entitlements.Store(opt.Entitlements)
	return a, nil
}

// Forget empties the caches: for changes to the store that were made by somebody else.
func (a *Authority) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.generation++
	clear(a.good)
	a.grants = nil
}

// CanReach reports whether the identity may reach the resource and, if access begins now, when it ends.
// It does not say whether the resource exists.
func (a *Authority) CanReach(ctx context.Context, id *weir.Identity, resource string) (expires time.Time, ok bool, err error) {
	now := a.now()
	g, err := a.granted(ctx, now)
	if err != nil {
		return time.Time{}, false, err
	}
	expires, ok = reach(a.entitlements.Load(), g, id, resource, now)
	return expires, ok, nil
}

// granted returns the index of the state's grants, from memory when it is fresh.
func (a *Authority) granted(ctx context.Context, now time.Time) (*granted, error) {
	a.mu.RLock()
	g, at, generation := a.grants, a.grantsAt, a.generation
	a.mu.RUnlock()
	if g != nil && a.fresh(at, now) {
		return g, nil
	}
	g, err := a.loadGrants(ctx, now)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.generation == generation {
		a.grants, a.grantsAt = g, now
	}
	return g, nil
}

func (a *Authority) loadGrants(ctx context.Context, now time.Time) (*granted, error) {
	list, err := a.store.Grants(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("read grants: %w", err)
	}
	return indexGrants(list)
}

// fresh reports whether what was loaded at that time may still be used; a clock set back makes it stale.
func (a *Authority) fresh(loaded, now time.Time) bool {
	age := now.Sub(loaded)
	return age >= 0 && age < a.opt.Remember
}

// remembered returns the proof of a verifier if it is fresh.
func (a *Authority) remembered(verifier [32]byte, now time.Time) (p *proof, generation uint64) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	p = a.good[verifier]
	if p == nil || !a.fresh(p.loaded, now) || !p.credential.Expires.After(now) {
		return nil, a.generation
	}
	return p, a.generation
}

func (a *Authority) remember(verifier [32]byte, p *proof, generation uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.generation != generation {
		return // something was taken away while this was loaded; it may have been this
	}
	if _, ok := a.good[verifier]; !ok && len(a.good) >= a.opt.MaxRemembered {
		for k := range a.good { // any one
			delete(a.good, k)
			break
		}
	}
	a.good[verifier] = p
}

// identityOf makes the identity that a credential of the user proves.
func identityOf(u *User, method string, credential weir.CredentialID) weir.Identity {
	groups := u.Groups[:len(u.Groups):len(u.Groups)]
	return weir.Identity{User: u.ID, Name: u.Name, Kind: u.Kind, Groups: groups, Admin: u.Admin, Method: method, Credential: credential}
}
