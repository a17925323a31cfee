package identity

import (
	"context"
	"time"

	"weir"
)

// RevocationKind says what was taken away.
type RevocationKind string

// Kinds of revocation.
const (
	RevokedUser         RevocationKind = "user"         // removed or disabled
	RevokedRights       RevocationKind = "rights"       // groups or the administrator's right changed
	RevokedPassword     RevocationKind = "password"     // set anew: who signed in with the old one is out
	RevokedCredential   RevocationKind = "credential"   // a token, an access key or a browser credential
	RevokedGrant        RevocationKind = "grant"        // a grant
	RevokedEntitlements RevocationKind = "entitlements" // the configuration's grants were replaced
)

// Revocation is something that was taken away.
type Revocation struct {
	Kind       RevocationKind
	User       weir.UserID       // whose it was; empty for a group's grant and for entitlements
	Credential weir.CredentialID // when Kind is RevokedCredential
	Grant      GrantID           // when Kind is RevokedGrant
	Reason     string            // for whoever's session ends: "the access key was revoked"

	matches func(*weir.SessionInfo) bool
}

// Matches reports whether a session is over because of the revocation. It does not block. A
// Revocation made by hand matches every session.
func (r *Revocation) Matches(s *weir.SessionInfo) bool {
	return r.matches == nil || r.matches(s)
}

// revoke forgets what was remembered and tells the hook.
func (a *Authority) revoke(r Revocation) {
	a.Forget()
	a.opt.OnRevoke(r)
}

func (a *Authority) revokeUser(kind RevocationKind, id weir.UserID, reason string) {
	a.revoke(Revocation{Kind: kind, User: id, Reason: reason, matches: func(s *weir.SessionInfo) bool {
		return s.Identity.User == id
	}})
}

func (a *Authority) revokeCredential(c *Credential, reason string) {
	id := c.ID
	a.revoke(Revocation{Kind: RevokedCredential, User: c.User, Credential: id, Reason: reason, matches: func(s *weir.SessionInfo) bool {
		return s.Identity.Credential == id
	}})
}

// SetEntitlements replaces the standing grants, as on a reload, and ends the sessions that have lost
// their access; nil entitles nobody. An error means that the grants in the store could not be read: the
// new set counts all the same, and every session that does not live by it alone is ended.
func (a *Authority) SetEntitlements(ctx context.Context, e *Entitlements) error {
	a.entitlements.Store(e)
	g, err := a.loadGrants(ctx, a.now())
	if err != nil {
		g = nil
	}
	a.revoke(Revocation{
		Kind: RevokedEntitlements, Reason: "access to this resource was taken away",
		matches: a.lostAccess(e, g, a.now()),
	})
	return err
}

// lostAccess matches sessions whose identity may not stay as long at their resource as was promised.
func (a *Authority) lostAccess(e *Entitlements, g *granted, now time.Time) func(*weir.SessionInfo) bool {
	return func(s *weir.SessionInfo) bool {
		expires, ok := reach(e, g, &s.Identity, s.Resource.Name, now)
		return !ok || s.Expires.After(expires)
	}
}
