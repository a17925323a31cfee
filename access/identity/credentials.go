package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"weir"
	"weir/vault/secret"
)

// How long a personal token lasts.
const (
	DefaultTokenTTL = 30 * 24 * time.Hour
	MaxTokenTTL     = 365 * 24 * time.Hour
)

// BrowserTTL is how long a browser stays signed in.
const BrowserTTL = 12 * time.Hour

// NewToken is what CreateToken makes a personal token of.
type NewToken struct {
	User weir.UserID
	Name string        // what its owner calls it; at most 64 characters
	TTL  time.Duration // zero is DefaultTokenTTL; at most MaxTokenTTL
	By   string        // name of whoever makes it
}

// CreateToken makes a personal token. The secret is in the answer and nowhere else. Errors: Invalid, NotFound, Conflict.
func (a *Authority) CreateToken(ctx context.Context, n NewToken) (Credential, *secret.Issued, error) {
	if n.TTL == 0 {
		n.TTL = DefaultTokenTTL
	}
	if n.TTL < time.Second || n.TTL > MaxTokenTTL {
		return Credential{}, nil, invalid(fmt.Sprintf("a token lasts between 1 second and %d days; give another time", MaxTokenTTL/(24*time.Hour)))
	}
	if utf8.RuneCountInString(n.Name) > maxName || !utf8.ValidString(n.Name) || strings.ContainsFunc(n.Name, unicode.IsControl) {
		return Credential{}, nil, invalid("a token's name is at most 64 characters without control characters")
	}
	c := Credential{Type: Token, User: n.User, Name: n.Name, CreatedBy: n.By}
	return a.issue(ctx, &c, "tok_", n.TTL)
}

// NewKey is what IssueKey makes an access key of.
type NewKey struct {
	User     weir.UserID
	Resource string
	TTL      time.Duration // zero is as long as the user's access allows
	By       string        // name of whoever makes it
}

// IssueKey makes an access key: Login of the credential and the secret, which is in the answer and nowhere else. It lasts no longer
// than the user may reach the resource from now on. Errors: Invalid; Forbidden alike for no such resource and no access; NotFound for
// the user; Conflict.
func (a *Authority) IssueKey(ctx context.Context, n NewKey) (Credential, *secret.Issued, error) {
	who, err := a.Identity(ctx, n.User)
	if err != nil {
		return Credential{}, nil, err
	}
	expires, ok, err := a.CanReach(ctx, &who, n.Resource)
	if err != nil {
		return Credential{}, nil, err
	}
	if _, known := a.opt.Resources(n.Resource); !ok || !known {
		return Credential{}, nil, weir.NewError(weir.Forbidden,
			fmt.Sprintf("%s has no access to a resource %.80s; see weir resources, or ask an administrator for a grant", who.Name, n.Resource), nil)
	}
	most := expires.Sub(a.now())
	switch {
	case n.TTL == 0:
		n.TTL = most
	case n.TTL < time.Second:
		return Credential{}, nil, invalid("an access key lasts at least 1 second; give a longer time")
	case n.TTL > most:
		return Credential{}, nil, invalid(fmt.Sprintf("an access key of %s for %s lasts at most %s; ask for that or less", who.Name, n.Resource, most.Truncate(time.Second)))
	}
	c := Credential{Type: AccessKey, User: n.User, Resource: n.Resource, CreatedBy: n.By}
	return a.issue(ctx, &c, "key_", n.TTL)
}

// SignIn checks a person's password, as VerifyPassword does, and makes a browser credential for BrowserTTL. Its secret
// belongs in a cookie. The error is a *weir.Denied when the password is wrong.
func (a *Authority) SignIn(ctx context.Context, name string, pw secret.String, c weir.Client) (weir.Identity, Credential, *secret.Issued, error) {
	who, err := a.VerifyPassword(ctx, name, pw, c)
	if err != nil {
		return weir.Identity{}, Credential{}, nil, err
	}
	cred, issued, err := a.issue(ctx, &Credential{Type: Browser, User: who.User, CreatedBy: who.Name}, "brs_", BrowserTTL)
	if err != nil {
		return weir.Identity{}, Credential{}, nil, err
	}
	who.Credential = cred.ID
	return who, cred, issued, nil
}

// issue completes and stores c.
func (a *Authority) issue(ctx context.Context, c *Credential, prefix string, ttl time.Duration) (Credential, *secret.Issued, error) {
	u, err := a.User(ctx, c.User)
	if err != nil {
		return Credential{}, nil, err
	}
	c.UserName, c.Created = u.Name, a.stamp()
	c.Expires = c.Created.Add(ttl).Truncate(time.Microsecond)
	// A login name is short, so that it can be typed, and may be taken.
	for size := 4; ; size++ {
		issued, err := secret.NewToken(a.random)
		if err != nil {
			return Credential{}, nil, fmt.Errorf("make secret: %w", err)
		}
		id, err := a.newID(prefix)
		if err != nil {
			return Credential{}, nil, err
		}
		c.ID = weir.CredentialID(id)
		if c.Type == AccessKey {
			if c.Login, err = a.randomName(c.Resource+".", size); err != nil {
				return Credential{}, nil, err
			}
		}
		verifiers, err := a.verifiers(c.Type, issued.Secret())
		if err != nil {
			return Credential{}, nil, err
		}
		switch err := a.store.InsertCredential(ctx, c, verifiers, a.opt.MaxCredentials); {
		case err == nil:
			return *c, issued, nil
		case errors.Is(err, ErrExists) && size < 8:
		case errors.Is(err, ErrTooMany):
			return Credential{}, nil, a.tooMany(c.UserName, err)
		default:
			return Credential{}, nil, userError("store credential", c.UserName, err)
		}
	}
}

// verifiers computes what is stored of a secret. A browser never speaks SCRAM.
func (a *Authority) verifiers(t CredentialType, s secret.String) ([]Verifier, error) {
	v := []Verifier{sha256Verifier(s.Verifier())}
	if t == Browser {
		return v, nil
	}
	scram, err := s.SCRAM(a.random)
	if err != nil {
		return nil, fmt.Errorf("make verifier: %w", err)
	}
	return append(v, Verifier{Scheme: SCRAM, Value: scram.Encode()}), nil
}

// ListTokens returns a user's personal tokens, the newest first, expired ones included; "" is everybody's.
func (a *Authority) ListTokens(ctx context.Context, user weir.UserID) ([]Credential, error) {
	return a.list(ctx, CredentialFilter{Type: Token, User: user})
}

// ListKeys returns a user's access keys, the newest first, expired ones included; "" is everybody's.
func (a *Authority) ListKeys(ctx context.Context, user weir.UserID) ([]Credential, error) {
	return a.list(ctx, CredentialFilter{Type: AccessKey, User: user})
}

func (a *Authority) list(ctx context.Context, f CredentialFilter) ([]Credential, error) {
	list, err := a.store.Credentials(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	return list, nil
}

// Credential returns a token, key or browser credential by its id, or a key by its login name. Errors: NotFound.
func (a *Authority) Credential(ctx context.Context, name string) (Credential, error) {
	list, err := a.list(ctx, byName("", name))
	switch {
	case err != nil:
		return Credential{}, err
	case len(list) != 1:
		return Credential{}, noCredential(name)
	}
	return list[0], nil
}

// RevokeToken revokes a personal token by its id and ends its sessions. Errors: NotFound.
func (a *Authority) RevokeToken(ctx context.Context, id weir.CredentialID) (Credential, error) {
	return a.drop(ctx, byName(Token, string(id)), string(id), "the token was revoked")
}

// RevokeKey revokes an access key by its id or login name and ends its sessions. Errors: NotFound.
func (a *Authority) RevokeKey(ctx context.Context, name string) (Credential, error) {
	return a.drop(ctx, byName(AccessKey, name), name, "the access key was revoked")
}

// SignOut revokes a browser credential by its id and ends its sessions. Errors: NotFound.
func (a *Authority) SignOut(ctx context.Context, id weir.CredentialID) error {
	_, err := a.drop(ctx, byName(Browser, string(id)), string(id), "you signed out")
	return err
}

// byName selects by id or, with a dot in it, by login name. An empty name selects nothing.
func byName(t CredentialType, name string) CredentialFilter {
	switch {
	case strings.Contains(name, "."):
		return CredentialFilter{Type: t, Login: name}
	case name == "":
		return CredentialFilter{Type: t, ID: "none"}
	}
	return CredentialFilter{Type: t, ID: weir.CredentialID(name)}
}

func (a *Authority) drop(ctx context.Context, f CredentialFilter, name, reason string) (Credential, error) {
	gone, err := a.store.DeleteCredentials(ctx, f)
	if err != nil {
		a.Forget()
		return Credential{}, fmt.Errorf("revoke credential: %w", err)
	}
	if len(gone) == 0 {
		return Credential{}, noCredential(name)
	}
	for i := range gone {
		a.revokeCredential(&gone[i], reason)
	}
	return gone[0], nil
}

func noCredential(name string) *weir.Error {
	return weir.NewError(weir.NotFound, fmt.Sprintf("there is no such token or access key as %.80s; it may be revoked already", name), nil)
}

// stamp is the time as it is stored.
func (a *Authority) stamp() time.Time { return a.now().UTC().Truncate(time.Microsecond) }
