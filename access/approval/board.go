package approval

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"weir"
	"weir/gate/session"
)

var _ session.Holder = (*Board)(nil)

// Options bound what a Board takes. A zero field takes its default.
type Options struct {
	// MaxPending is how many requests of one user may wait for a decision. Default 100.
	MaxPending int
	// MaxWaiting is how many of one user's commands may be held at a time. Default 100.
	MaxWaiting int
	// MaxWatchers is how many watchers there may be. Default 1000.
	MaxWatchers int
	// Backlog is how many changes a watcher may be behind. Default 256.
	Backlog int
}

// Board holds commands until they are approved, and takes the votes. New makes one.
type Board struct {
	store Store
	now   func() time.Time
	newID func(prefix string) string
	opt   Options

	mu       sync.Mutex
	waiters  map[binding]map[*waiter]struct{}
	waiting  map[weir.UserID]int
	watchers map[*watcher]struct{}
}

// waiter is one held command. wake has room for one, so a wake-up between two looks is not lost.
type waiter struct{ wake chan struct{} }

// New makes a Board. newID returns a fresh random id with the prefix.
func New(store Store, now func() time.Time, newID func(prefix string) string, opt Options) (*Board, error) {
	switch {
	case store == nil:
		return nil, errors.New("approval board without store")
	case now == nil:
		return nil, errors.New("approval board without clock")
	case newID == nil:
		return nil, errors.New("approval board without newID")
	}
	for _, f := range []struct {
		v *int
		d int
	}{{&opt.MaxPending, 100}, {&opt.MaxWaiting, 100}, {&opt.MaxWatchers, 1000}, {&opt.Backlog, 256}} {
		if *f.v <= 0 {
			*f.v = f.d
		}
	}
	return &Board{
		store: store, now: now, newID: newID, opt: opt,
		waiters: make(map[binding]map[*waiter]struct{}), waiting: make(map[weir.UserID]int), watchers: make(map[*watcher]struct{}),
	}, nil
}

// Hold waits until the command is approved and uses the approval up. It waits at most Terms.Wait, until the request expires or
// until ctx ends; the request then stays to be decided. Opened is called before each wait for a request that this call has not
// told of yet: there is a second one when another command has used the first one's approval.
// The error is a *weir.Denied, or a fault, which denies as well.
func (b *Board) Hold(ctx context.Context, h *weir.Hold) (weir.Grant, error) {
	if err := check(h); err != nil {
		return weir.Grant{}, err
	}
	fresh := b.fresh(h)
	w, err := b.enter(fresh.binding())
	if err != nil {
		return weir.Grant{}, err
	}
	defer b.leave(fresh.binding(), w)
	start := fresh.Created
	var told weir.RequestID
	for {
		c, err := b.store.Claim(ctx, &fresh, b.opt.MaxPending)
		if err != nil {
			return weir.Grant{}, b.claimError(ctx, told, err)
		}
		r := &c.Request
		b.tell(Lapsed, c.Lapsed...)
		switch r.State {
		case Used:
			b.tell(Spent, *r)
			return weir.Grant{Request: r.ID, Policy: r.Policy, Approvers: r.Approvers()}, nil
		case Denied:
			return weir.Grant{}, refusal(r)
		case Pending:
		case Approved, Expired:
			return weir.Grant{}, fmt.Errorf("claim of request %s left it %s", r.ID, r.State)
		default:
			return weir.Grant{}, fmt.Errorf("claim of request %s left it in no known state", r.ID)
		}
		if c.Made {
			b.tell(Opened, *r)
		}
		if r.ID != told {
			told = r.ID
			if h.Opened != nil {
				h.Opened(r.ID)
			}
		}
		if !b.wait(ctx, w, r, start.Add(r.Terms.Wait)) {
			return weir.Grant{}, b.unapproved(ctx, r)
		}
		fresh.ID, fresh.Created = b.id(), b.stamp()
		fresh.Expires = fresh.Created.Add(fresh.Terms.Within)
	}
}

// wait reports whether the request was decided, or used or expired, before the time is up.
func (b *Board) wait(ctx context.Context, w *waiter, r *Request, until time.Time) bool {
	if r.Expires.Before(until) {
		until = r.Expires
	}
	t := time.NewTimer(until.Sub(b.now()))
	defer t.Stop()
	select {
	case <-w.wake:
		return true
	case <-t.C:
		return false
	case <-ctx.Done():
		return false
	}
}

// check refuses a hold that could not be bound exactly.
func check(h *weir.Hold) error {
	switch {
	case h == nil:
		return errors.New("hold of nothing")
	case h.Identity.User == "" || h.Resource == "" || h.Digest == [32]byte{}:
		return errors.New("hold without user, resource or digest")
	case h.Verdict.Effect != weir.Approve:
		return fmt.Errorf("hold of a command whose verdict is %s", h.Verdict.Effect)
	case h.Verdict.Policy == "":
		return errors.New("hold without policy version")
	case h.Verdict.Hold.Count < 1 || h.Verdict.Hold.Within <= 0 || h.Verdict.Hold.Wait < 0:
		return errors.New("hold with terms that nobody can meet")
	}
	return nil
}

// fresh makes the request that is stored if there is none yet. It shares nothing with h.
func (b *Board) fresh(h *weir.Hold) Request {
	now := b.stamp()
	v := &h.Verdict
	terms := v.Hold
	terms.Groups = append([]string(nil), terms.Groups...)
	return Request{
		ID: b.id(), Session: h.Session, User: h.Identity.User, Resource: h.Resource, Digest: h.Digest, Policy: v.Policy,
		UserName: h.Identity.Name, Kind: h.Identity.Kind, Groups: append([]string(nil), h.Identity.Groups...),
		Command: h.Command, Rule: v.Rule, Reason: v.Reason, Catalog: append([]string(nil), v.Catalog...),
		Terms: terms, State: Pending, Created: now, Expires: now.Add(terms.Within),
	}
}

func (b *Board) id() weir.RequestID { return weir.RequestID(b.newID("req_")) }

// stamp is the time as it is stored.
func (b *Board) stamp() time.Time { return b.now().UTC().Truncate(time.Microsecond) }

func (b *Board) enter(k binding) (*waiter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[k.user] >= b.opt.MaxWaiting {
		return nil, &weir.Denied{
			Kind: weir.DeniedRate, Reason: fmt.Sprintf("this needs approval, and %d of your requests wait for one already", b.opt.MaxWaiting),
			Hint: "wait until some are decided, then send the same request again",
		}
	}
	b.waiting[k.user]++
	w := &waiter{wake: make(chan struct{}, 1)}
	if b.waiters[k] == nil {
		b.waiters[k] = make(map[*waiter]struct{})
	}
	b.waiters[k][w] = struct{}{}
	return w, nil
}

func (b *Board) leave(k binding, w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if delete(b.waiters[k], w); len(b.waiters[k]) == 0 {
		delete(b.waiters, k)
	}
	if b.waiting[k.user]--; b.waiting[k.user] == 0 {
		delete(b.waiting, k.user)
	}
}

// wakeUp makes those who wait for the binding look again.
func (b *Board) wakeUp(k binding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for w := range b.waiters[k] {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (b *Board) claimError(ctx context.Context, told weir.RequestID, err error) error {
	switch {
	case errors.Is(err, ErrTooMany):
		return &weir.Denied{
			Kind: weir.DeniedRate, Reason: fmt.Sprintf("this needs approval, and %d of your requests wait for one already", b.opt.MaxPending),
			Hint: "wait until some are decided or expire, then send the same request again",
		}
	case ctx.Err() != nil:
		return &weir.Denied{
			Kind: weir.DeniedUnapproved, Reason: "the client went away before this was approved",
			Hint: "send the same request again", Request: told, Err: errors.Join(context.Cause(ctx), err),
		}
	}
	return fmt.Errorf("claim approval: %w", err)
}

// unapproved is the refusal of a command whose request nobody has decided yet.
func (b *Board) unapproved(ctx context.Context, r *Request) *weir.Denied {
	d := &weir.Denied{Kind: weir.DeniedUnapproved, Rule: r.Rule, Request: r.ID, Err: context.Cause(ctx)}
	if !r.Expires.After(b.now()) {
		d.Reason = fmt.Sprintf("nobody decided on request %s before it expired", r.ID)
		d.Hint = "send the same request again to ask anew"
		return d
	}
	d.Reason = fmt.Sprintf("this needs approval by %s; request %s waits for it until %s", describe(&r.Terms), r.ID, r.Expires.UTC().Format(time.RFC3339))
	d.Hint = "send the same request again after approval"
	return d
}

// refusal is the refusal of a command that somebody said no to.
func refusal(r *Request) *weir.Denied {
	d := &weir.Denied{
		Kind: weir.DeniedUnapproved, Rule: r.Rule, Request: r.ID, Said: true, Reason: fmt.Sprintf("request %s was denied", r.ID),
		Hint: "it can be asked for again after " + r.Expires.UTC().Format(time.RFC3339),
	}
	for i := range r.Votes {
		if v := &r.Votes[i]; !v.Approve {
			d.Reason += " by " + v.Name
			if v.Comment != "" {
				d.Reason += ": " + v.Comment
			}
			break
		}
	}
	return d
}

// describe says who may approve.
func describe(t *weir.HoldTerms) string {
	who := "an administrator"
	many := "administrators"
	if len(t.Groups) > 0 {
		many = strings.Join(t.Groups, " or ")
		who = "a member of " + many
		many = "members of " + many
	}
	if t.Count > 1 {
		return fmt.Sprintf("%d %s", t.Count, many)
	}
	return who
}
