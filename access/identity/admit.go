package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir"
	"weir/gate/session"
	"weir/vault/secret"
)

var _ session.Admitter = (*Authority)(nil)

// touchEvery is how exact Credential.LastUsed is.
const touchEvery = time.Minute

// refused is the one answer to whoever is not let in, whatever the reason; err is the reason, for the log.
func refused(err error) *weir.Denied {
	return &weir.Denied{
		Kind: weir.DeniedIdentity, Reason: "not authorized",
		Hint: "check the resource, the login name and the secret, or get access with: weir access RESOURCE", Err: err,
	}
}

// slowDown is the answer to too many attempts.
func slowDown(wait time.Duration) *weir.Denied {
	seconds := int64((wait + time.Second - 1) / time.Second)
	return &weir.Denied{
		Kind: weir.DeniedRate, Reason: "too many wrong attempts",
		Hint: fmt.Sprintf("wait %d seconds and try again", max(seconds, 1)),
	}
}

// Admit lets a client in to a resource. It takes
//   - an access key, by its login name and secret or by the secret alone;
//   - a personal token with Hello.Resource, or with the resource's name as the login name;
//     with Hello.Resource the login name may also be the user's;
//   - a browser credential with Hello.Resource;
//   - by Hello.Proof, an access key by SCRAM, under its login name; keys without a SCRAM verifier are unknown to it;
//   - by Hello.Proof, for SSH, a user's registered public key or a certificate of the gateway, and elsewhere a client
//     certificate of the gateway, with the resource's name in Hello.Resource or else as the login name.
//
// The admission ends with the credential, with the access to the resource, or after MaxSession, whichever comes first.
// Every refusal is a *weir.Denied and reads the same, but for an expired key or token that is shown with its right secret.
func (a *Authority) Admit(ctx context.Context, h *session.Hello) (*session.Admission, error) {
	p, err := a.shown(ctx, h)
	if err != nil {
		return nil, err
	}
	now := a.now() // a proof may have taken long
	name, err := p.resource(h)
	if err != nil {
		return nil, a.wrong(h.Client, h.Login, err)
	}
	if !p.credential.Expires.After(now) {
		return nil, expired(&p.credential)
	}
	g, err := a.granted(ctx, now)
	if err != nil {
		return nil, err
	}
	expires, ok := reach(a.entitlements.Load(), g, &p.identity, name, now)
	res, known := a.opt.Resources(name)
	if !ok || !known || res.Name != name || res.Protocol != h.Protocol {
		return nil, refused(fmt.Errorf("no access of %s to %q by %s", p.identity.Name, clip(name), clip(string(h.Protocol))))
	}
	for _, limit := range []time.Time{p.credential.Expires, now.Add(a.opt.MaxSession)} {
		if limit.Before(expires) {
			expires = limit
		}
	}
	return &session.Admission{Identity: p.identity, Resource: res, Expires: expires}, nil
}

// Authenticate says whose personal token or browser credential the secret is, for Weir's own API. An access
// key is for its resource only and is refused. The error is a *weir.Denied.
func (a *Authority) Authenticate(ctx context.Context, s secret.String, c weir.Client) (weir.Identity, Credential, error) {
	now := a.now()
	p, err := a.prove(ctx, s, "", c, now)
	switch {
	case err != nil:
		return weir.Identity{}, Credential{}, err
	case p.credential.Type == AccessKey:
		return weir.Identity{}, Credential{}, refused(errors.New("an access key was shown to the API"))
	case !p.credential.Expires.After(now):
		return weir.Identity{}, Credential{}, expired(&p.credential)
	}
	return p.identity, p.credential, nil
}

// prove finds out whose credential the secret is. It may be expired.
func (a *Authority) prove(ctx context.Context, s secret.String, login string, c weir.Client, now time.Time) (*proof, error) {
	verifier := s.Verifier()
	p, generation := a.remembered(verifier, now)
	if p != nil {
		// Who has proved itself just now is not kept out by what others at its address do: nobody
		// guesses 190 bits, limited or not.
		return p, nil
	}
	if wait := a.limit.blocked(c); wait > 0 {
		return nil, slowDown(wait)
	}
	if !s.IsToken() {
		return nil, a.wrong(c, login, errors.New("the secret has not the form of a token"))
	}
	cred, user, err := a.store.CredentialByVerifier(ctx, sha256Verifier(verifier))
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, a.wrong(c, login, errors.New("the secret is not of any credential"))
	case err != nil:
		return nil, fmt.Errorf("read credential: %w", err)
	case user.Disabled || user.Kind == weir.KindUnknown || user.ID == "" || user.ID != cred.User:
		return nil, a.wrong(c, login, fmt.Errorf("user %s may not come in", user.ID))
	}
	p = &proof{credential: cred, identity: identityOf(&user, string(cred.Type), cred.ID), loaded: now}
	if !cred.Expires.After(now) {
		return p, nil
	}
	if err := a.touch(ctx, p, now); err != nil {
		return nil, err
	}
	a.remember(verifier, p, generation)
	return p, nil
}

// resource returns the name of the resource that the client means. An error says that what it
// shows does not fit together.
func (p *proof) resource(h *session.Hello) (string, error) {
	cred := &p.credential
	switch cred.Type {
	case AccessKey:
		if h.Login != "" && h.Login != cred.Login {
			return "", errors.New("the access key has another login name")
		}
		if h.Resource != "" && h.Resource != cred.Resource {
			return "", errors.New("the access key is for another resource")
		}
		return cred.Resource, nil
	case Token:
		switch {
		case h.Resource == "":
			return h.Login, nil
		case h.Login == "" || h.Login == h.Resource || h.Login == p.identity.Name:
			return h.Resource, nil
		}
		return "", errors.New("the token is shown with another's login name")
	case Browser:
		if h.Login == "" {
			return h.Resource, nil
		}
		return "", errors.New("a browser credential has no login name")
	case SSHKey, SSHCert, ClientCert:
		if h.Resource == "" {
			return h.Login, nil
		}
		return h.Resource, nil
	}
	return "", errors.New("the credential is of an unknown type")
}

// wrong counts a wrong attempt and refuses it.
func (a *Authority) wrong(c weir.Client, login string, err error) *weir.Denied {
	if wait := a.limit.wrong(c, login); wait > 0 {
		return slowDown(wait)
	}
	return refused(err)
}

// expired tells the owner of a credential, who has shown its right secret, why it does not work.
func expired(c *Credential) *weir.Denied {
	d := refused(errors.New("the credential is expired"))
	at := c.Expires.UTC().Format(time.RFC3339)
	switch c.Type {
	case AccessKey:
		d.Reason = fmt.Sprintf("this access key expired at %s; get a new one with: weir access %s", at, c.Resource)
		d.Hint = "weir access " + c.Resource
	case Token:
		d.Reason = fmt.Sprintf("this token expired at %s; make a new one with: weir tokens add", at)
		d.Hint = "weir tokens add"
	case Browser:
		d.Reason = "you were signed out at " + at + "; sign in again"
		d.Hint = "sign in again"
	case SSHKey:
		d.Reason = "this SSH key expired at " + at + "; remove it and add it again with: weir ssh keys add FILE"
		d.Hint = "weir ssh keys add FILE"
	case SSHCert:
		d.Reason = "this certificate expired at " + at + "; get a new one with: weir ssh cert"
		d.Hint = "weir ssh cert"
	case ClientCert:
		d.Reason = "this certificate expired at " + at + "; get a new one with: weir cert --out DIR"
		d.Hint = "weir cert --out DIR"
	}
	return d
}
