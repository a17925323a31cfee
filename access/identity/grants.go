package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir"
	"weir/rules/glob"
)

// NewGrant is what CreateGrant makes a grant of.
type NewGrant struct {
	User     weir.UserID // this or Group
	Group    string
	Resource string    // name, or pattern in which * stands for any characters
	Expires  time.Time // absolute, in the future
	By       string    // name of whoever makes it
}

// CreateGrant lets a user or a group reach resources until the time given. Errors: Invalid, NotFound.
func (a *Authority) CreateGrant(ctx context.Context, n NewGrant) (Grant, error) {
	if (n.User == "") == (n.Group == "") {
		return Grant{}, invalid("a grant is for one user or for one group; name one of them")
	}
	if n.Group != "" {
		if err := checkName("group name", n.Group); err != nil {
			return Grant{}, err
		}
	}
	if _, err := glob.CompileText(n.Resource); err != nil {
		return Grant{}, invalid("the grant's resource " + err.Error())
	}
	if !n.Expires.After(a.now()) {
		return Grant{}, invalid("a grant expires at a time in the future; give one")
	}
	g := Grant{
		User: n.User, Group: n.Group, Resource: n.Resource, CreatedBy: n.By,
		Created: a.stamp(), Expires: n.Expires.UTC().Truncate(time.Microsecond),
	}
	if n.User != "" {
		u, err := a.User(ctx, n.User)
		if err != nil {
			return Grant{}, err
		}
		g.UserName = u.Name
	}
	id, err := a.newID("grn_")
	if err != nil {
		return Grant{}, err
	}
	g.ID = GrantID(id)
	err = a.store.InsertGrant(ctx, &g)
	a.Forget()
	if err != nil {
		return Grant{}, userError("store grant", g.UserName, err)
	}
	return g, nil
}

// ListGrants returns the grants that have not expired, the newest first.
func (a *Authority) ListGrants(ctx context.Context) ([]Grant, error) {
	list, err := a.store.Grants(ctx, a.now())
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	return list, nil
}

// RevokeGrant revokes a grant and ends the sessions that lived by it and have no other access for as long. Errors: NotFound.
func (a *Authority) RevokeGrant(ctx context.Context, id GrantID) (Grant, error) {
	gone, err := a.store.DeleteGrant(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return Grant{}, weir.NewError(weir.NotFound, fmt.Sprintf("there is no grant %.80s; it may be revoked or expired already", id), nil)
	case err != nil:
		a.Forget()
		return Grant{}, fmt.Errorf("revoke grant: %w", err)
	}
	now := a.now()
	left, loadErr := a.loadGrants(ctx, now)
	if loadErr != nil {
		left = nil // too many sessions end rather than too few
	}
	lost := a.lostAccess(a.entitlements.Load(), left, now)
	pattern, err := glob.CompileText(gone.Resource)
	a.revoke(Revocation{
		Kind: RevokedGrant, User: gone.User, Grant: id, Reason: "the grant was revoked",
		matches: func(s *weir.SessionInfo) bool {
			mine := s.Identity.User == gone.User || gone.Group != "" && s.Identity.InGroup(gone.Group)
			return mine && (err != nil || pattern.Match(s.Resource.Name)) && lost(s)
		},
	})
	return gone, nil
}
