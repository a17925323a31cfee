package approval

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"weir"
)

// maxComment bounds a comment, in bytes.
const maxComment = 1000

// Vote takes what a person says to a request, given by its id or a unique beginning of it, and returns the request as it is then.
// One no decides; so many different people's yes as the terms ask for do. The comment is shown to the requester and stored as it
// is: the caller masks it.
// Errors: NotFound; Forbidden for the requester, a machine, and whoever the terms do not name; Conflict when the voter has voted
// or the request is decided; Expired; Invalid.
func (b *Board) Vote(ctx context.Context, id string, voter weir.Identity, approve bool, comment string) (Request, error) {
	comment = strings.TrimSpace(comment)
	if len(comment) > maxComment || !utf8.ValidString(comment) {
		return Request{}, weir.NewError(weir.Invalid, fmt.Sprintf("a comment is at most %d bytes of text; shorten it", maxComment), nil)
	}
	found, err := b.Get(ctx, id)
	if err != nil {
		return Request{}, err
	}
	v := Vote{Voter: voter.User, Name: voter.Name, Approve: approve, Comment: comment, Time: b.stamp()}
	r, err := b.store.ChangeRequest(ctx, found.ID, func(r *Request) error { return r.take(&voter, &v) })
	switch {
	case errors.Is(err, ErrNotFound):
		return Request{}, noRequest(id)
	case err != nil:
		var public *weir.Error
		if errors.As(err, &public) {
			return Request{}, public
		}
		return Request{}, fmt.Errorf("store vote: %w", err)
	}
	b.tell(Voted, r)
	if r.State != Pending {
		b.wakeUp(r.binding())
	}
	return r, nil
}

// take checks a vote and counts it.
func (r *Request) take(voter *weir.Identity, v *Vote) error {
	switch {
	case voter.User == "" || voter.Name == "" || voter.Kind != weir.Human:
		return forbidden("only people can decide on requests")
	case voter.User == r.User:
		return forbidden("nobody can decide on a request of their own; ask " + describe(&r.Terms))
	case !mayVote(voter, &r.Terms):
		return forbidden(fmt.Sprintf("request %s is decided by %s", r.ID, describe(&r.Terms)))
	}
	if r.State != Pending {
		return r.decided()
	}
	if !r.Expires.After(v.Time) {
		return lapsed(r)
	}
	for i := range r.Votes {
		if r.Votes[i].Voter == voter.User {
			return weir.NewError(weir.Conflict, fmt.Sprintf("you have voted on request %s already; it needs %s", r.ID, describe(&r.Terms)), nil)
		}
	}
	r.Votes = append(r.Votes, *v)
	switch yes := len(r.Approvers()); {
	case !v.Approve:
		r.State, r.Decided = Denied, v.Time
	case r.Terms.Count >= 1 && yes >= r.Terms.Count:
		r.State, r.Decided = Approved, v.Time
	}
	return nil
}

// mayVote reports whether the terms name the voter. Whoever runs the gateway could change the rules, and may answer for any group.
func mayVote(voter *weir.Identity, t *weir.HoldTerms) bool {
	if voter.Method == weir.AdminSocket && voter.Admin {
		return true
	}
	if len(t.Groups) == 0 {
		return voter.Admin
	}
	for _, g := range t.Groups {
		if voter.InGroup(g) {
			return true
		}
	}
	return false
}

// decided says that and by whom the request was decided.
func (r *Request) decided() *weir.Error {
	switch r.State {
	case Expired:
		return lapsed(r)
	case Denied:
		for i := range r.Votes {
			if v := &r.Votes[i]; !v.Approve {
				return weir.NewError(weir.Conflict, fmt.Sprintf("request %s was denied by %s already", r.ID, v.Name), nil)
			}
		}
	case Approved, Used:
		return weir.NewError(weir.Conflict, fmt.Sprintf("request %s was approved by %s already", r.ID, strings.Join(r.Approvers(), " and ")), nil)
	case Pending:
	}
	return weir.NewError(weir.Conflict, fmt.Sprintf("request %s is decided already", r.ID), nil)
}

func lapsed(r *Request) *weir.Error {
	return weir.NewError(weir.Expired, fmt.Sprintf("request %s expired at %s; it has to be asked for again", r.ID, r.Expires.UTC().Format(time.RFC3339)), nil)
}

func forbidden(public string) *weir.Error { return weir.NewError(weir.Forbidden, public, nil) }

func noRequest(id string) *weir.Error {
	return weir.NewError(weir.NotFound, fmt.Sprintf("there is no request %.80s; see weir requests", id), nil)
}

// List returns the requests that the filter selects, the newest first.
func (b *Board) List(ctx context.Context, f Filter) ([]Request, error) {
	if _, err := b.Sweep(ctx); err != nil {
		return nil, err
	}
	list, err := b.store.Requests(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	return list, nil
}

// Get returns the request of the id, or of a beginning of it that no other has, with or without "req_".
// Errors: NotFound; Conflict when it is the beginning of several.
func (b *Board) Get(ctx context.Context, id string) (Request, error) {
	prefix := id
	if !strings.HasPrefix(prefix, "req_") {
		prefix = "req_" + prefix
	}
	if prefix == "req_" {
		return Request{}, noRequest(id)
	}
	list, err := b.List(ctx, Filter{Prefix: prefix, Limit: 3})
	if err != nil {
		return Request{}, err
	}
	for i := range list {
		if string(list[i].ID) == prefix {
			return list[i], nil
		}
	}
	switch len(list) {
	case 0:
		return Request{}, noRequest(id)
	case 1:
		return list[0], nil
	}
	return Request{}, weir.NewError(weir.Conflict, fmt.Sprintf("%.80s is the beginning of several requests, %s and %s among them; give more of the id", id, list[0].ID, list[1].ID), nil)
}

// Sweep marks the requests whose time is over, tells the watchers and returns how many there were. Nothing depends on it being
// called in time: an expired request is neither decided nor used.
func (b *Board) Sweep(ctx context.Context) (int, error) {
	gone, err := b.store.ExpireRequests(ctx, b.stamp())
	if err != nil {
		return 0, fmt.Errorf("expire requests: %w", err)
	}
	b.tell(Lapsed, gone...)
	return len(gone), nil
}
