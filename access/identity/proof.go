package identity

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"weir"
	"weir/gate/session"
	"weir/vault/secret"
)

// shown finds out whose credential a client shows or proves. It may be expired.
func (a *Authority) shown(ctx context.Context, h *session.Hello) (*proof, error) {
	x := h.Proof
	if x == nil {
		return a.prove(ctx, h.Secret, h.Login, h.Client, a.now())
	}
	ways := 0
	for _, set := range []bool{!h.Secret.IsZero(), x.SCRAM != nil, x.PublicKey != nil, x.Certificate != nil} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		return nil, refused(errors.New("not one way of proof"))
	}
	// Nothing is remembered of a proof: each has to be given anew.
	if wait := a.limit.blocked(h.Client); wait > 0 {
		return nil, slowDown(wait)
	}
	switch {
	case x.SCRAM != nil:
		return a.proveSCRAM(ctx, h)
	case x.PublicKey != nil:
		return a.proveKey(ctx, h)
	}
	return a.proveCertificate(ctx, h)
}

// proveSCRAM runs the conversation against the verifier of the access key that has the login name. Who names one that does not
// exist sees the same conversation fail at the same place.
func (a *Authority) proveSCRAM(ctx context.Context, h *session.Hello) (*proof, error) {
	_, _, text, err := a.byLogin(ctx, h.Login)
	unknown := errors.Is(err, ErrNotFound)
	var v *secret.SCRAM
	switch {
	case unknown:
		v = secret.DecoySCRAM(a.opt.DecoyKey, clip(h.Login))
	case err != nil:
		return nil, fmt.Errorf("read credential: %w", err)
	default:
		if v, err = secret.ParseSCRAM(text); err != nil {
			return nil, err
		}
	}
	err = h.Proof.SCRAM(ctx, &session.SCRAMVerifier{Salt: v.Salt, Iterations: v.Iterations, StoredKey: v.StoredKey, ServerKey: v.ServerKey})
	switch {
	case err != nil && (ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		// Gone before it showed a proof, as clients do that ask their user for the password first. That guesses nothing.
		return nil, refused(fmt.Errorf("the client went away: %w", err))
	case err != nil:
		return nil, a.wrong(h.Client, h.Login, fmt.Errorf("SCRAM: %w", err))
	case unknown:
		return nil, a.wrong(h.Client, h.Login, errors.New("the login name is not of any access key"))
	}
	// The client took its time. Whatever was taken away meanwhile counts.
	cred, user, again, err := a.byLogin(ctx, h.Login)
	if err == nil && again != text {
		err = ErrNotFound
	}
	return a.proved(ctx, h, &cred, &user, err)
}

// byLogin finds the access key of a login name and its SCRAM verifier. ErrNotFound.
func (a *Authority) byLogin(ctx context.Context, login string) (Credential, User, string, error) {
	if login == "" || len(login) > maxLogin {
		return Credential{}, User{}, "", ErrNotFound
	}
	c, u, v, err := a.store.CredentialByLogin(ctx, login, SCRAM)
	if err == nil && c.Type != AccessKey {
		err = ErrNotFound
	}
	return c, u, v, err
}

// proveKey finds the owner of an SSH public key. A key that nobody registered is not counted as a wrong attempt: clients
// offer all they have, one after another, and a key cannot be guessed.
func (a *Authority) proveKey(ctx context.Context, h *session.Hello) (*proof, error) {
	if h.Protocol != weir.SSH {
		return nil, refused(errors.New("an SSH key was shown to another protocol"))
	}
	cred, user, err := a.store.CredentialByVerifier(ctx, keyVerifier(h.Proof.PublicKey))
	if err == nil && cred.Type != SSHKey {
		err = ErrNotFound
	}
	return a.proved(ctx, h, &cred, &user, err)
}

// proveCertificate finds the record of a certificate's issue and holds the certificate to it.
func (a *Authority) proveCertificate(ctx context.Context, h *session.Hello) (*proof, error) {
	x := h.Proof.Certificate
	want := ClientCert
	if h.Protocol == weir.SSH {
		want = SSHCert
	}
	if x.ID == "" || x.User == "" || x.Serial == 0 {
		return nil, refused(errors.New("the certificate names no user, record or serial number"))
	}
	cred, user, err := a.store.CredentialByID(ctx, x.ID)
	if err == nil && (cred.Type != want || cred.User != x.User || cred.Serial != x.Serial) {
		return nil, refused(fmt.Errorf("the certificate differs from its record %s", x.ID))
	}
	p, err := a.proved(ctx, h, &cred, &user, err)
	if err == nil && x.Expires.Before(p.credential.Expires) {
		p.credential.Expires = x.Expires
	}
	return p, err
}

// proved makes the proof of a credential that was loaded with err.
func (a *Authority) proved(ctx context.Context, h *session.Hello, cred *Credential, user *User, err error) (*proof, error) {
	now := a.now()
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, refused(errors.New("the credential is unknown or revoked"))
	case err != nil:
		return nil, fmt.Errorf("read credential: %w", err)
	case user.Disabled || user.Kind == weir.KindUnknown || user.ID == "" || user.ID != cred.User:
		return nil, a.wrong(h.Client, h.Login, fmt.Errorf("user %s may not come in", user.ID))
	}
	p := &proof{credential: *cred, identity: identityOf(user, string(cred.Type), cred.ID), loaded: now}
	return p, a.touch(ctx, p, now)
}

// touch notes the use of a credential that is good.
func (a *Authority) touch(ctx context.Context, p *proof, now time.Time) error {
	if !p.credential.Expires.After(now) || now.Sub(p.credential.LastUsed) < touchEvery {
		return nil
	}
	if err := a.store.TouchCredential(ctx, p.credential.ID, now); err != nil {
		return fmt.Errorf("note the use of a credential: %w", err)
	}
	p.credential.LastUsed = now
	return nil
}

// sha256Verifier is what a secret is looked up by.
func sha256Verifier(sum [32]byte) Verifier {
	return Verifier{Scheme: SHA256, Value: hex.EncodeToString(sum[:])}
}
