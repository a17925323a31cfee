package service

import (
	"context"
	"time"

	"weir"
	"weir/access/identity"
	"weir/vault/secret"
)

// Identify says who shows the secret of a personal token or of a browser session. The error is a *weir.Denied.
func (s *Service) Identify(ctx context.Context, shown secret.String, client weir.Client) (weir.Identity, error) {
	who, _, err := s.p.Identity.Authenticate(ctx, shown, client)
	return who, err
}

// SignIn signs a person in with a password, for one browser. The secret belongs in a cookie and is good until the time.
func (s *Service) SignIn(ctx context.Context, name string, password secret.String, client weir.Client) (who weir.Identity, cookie string, until time.Time, err error) {
	who, cred, issued, err := s.p.Identity.SignIn(ctx, name, password, client)
	e := &weir.Event{Action: "signin", Actor: "unknown", Detail: []weir.Attr{attr("client", client.Addr.String()), attr("agent", client.Agent)}}
	if err != nil {
		return weir.Identity{}, "", time.Time{}, s.end(ctx, e, err)
	}
	e.Actor = who.Name
	if err := s.note(ctx, e, ok); err != nil {
		_ = s.p.Identity.SignOut(ctx, cred.ID)
		return weir.Identity{}, "", time.Time{}, err
	}
	cookie, _ = issued.Show()
	return who, cookie, cred.Expires, nil
}

// Login proves a person by password and makes a personal token: what a command line stores. ttl zero takes the default.
func (s *Service) Login(ctx context.Context, name string, password secret.String, client weir.Client, tokenName string, ttl time.Duration) (IssuedToken, error) {
	who, err := s.p.Identity.VerifyPassword(ctx, name, password, client)
	if err != nil {
		e := &weir.Event{Action: "login", Actor: "unknown", Detail: []weir.Attr{attr("client", client.Addr.String())}}
		return IssuedToken{}, s.end(ctx, e, err)
	}
	return s.AddToken(ctx, &who, "", tokenName, ttl)
}

// SignOut ends the caller's own browser session or revokes its own token.
func (s *Service) SignOut(ctx context.Context, who *weir.Identity) error {
	if who.Credential == "" {
		return nil
	}
	return s.take(ctx, s.event(who, "signout"), func() error {
		if who.Method == string(identity.Token) {
			_, err := s.p.Identity.RevokeToken(ctx, who.Credential)
			return err
		}
		return s.p.Identity.SignOut(ctx, who.Credential)
	})
}
