package identity_test

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/access/identity"
	"weir/gate/session"
	"weir/state"
	"weir/vault/secret"
)

// rig is an authority on a real store with a clock that the test moves.
type rig struct {
	*identity.Authority
	now     time.Time
	revoked []identity.Revocation
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	clock := func() time.Time { return r.now }
	db, err := state.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	ent, err := identity.NewEntitlements([]identity.Entitlement{{Groups: []string{"developers"}, Resources: []string{"bill-*", "ssh-1"}, For: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	r.Authority, err = identity.New(db, clock, rand.Reader, identity.Options{
		Resources: func(name string) (weir.Resource, bool) {
			if strings.HasPrefix(name, "ssh-") {
				return weir.Resource{Name: name, Protocol: weir.SSH}, true
			}
			return weir.Resource{Name: name, Protocol: weir.HTTP}, name == "bill-1" || name == "bill-2" || name == "other"
		},
		OnRevoke: func(x identity.Revocation) { r.revoked = append(r.revoked, x) }, Entitlements: ent,
		Limits: identity.Limits{AddressBurst: 5, LoginBurst: 100},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) user(t *testing.T, name, password string, groups ...string) identity.User {
	t.Helper()
	n := identity.NewUser{Name: name, Kind: weir.Human, Groups: groups}
	if password != "" {
		n.Password = secret.New(password)
	}
	u, err := r.AddUser(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func client(addr string) weir.Client {
	return weir.Client{Addr: netip.MustParseAddrPort(addr + ":999")}
}

func (r *rig) admit(t *testing.T, resource, login string, s secret.String, from string) (*session.Admission, error) {
	t.Helper()
	return r.Admit(t.Context(), &session.Hello{Protocol: weir.HTTP, Resource: resource, Login: login, Secret: s, Client: client(from)})
}

func denied(t *testing.T, err error, kind weir.DenyKind) {
	t.Helper()
	var d *weir.Denied
	if !errors.As(err, &d) || d.Kind != kind {
		t.Errorf("got %v, want a refusal of kind %v", err, kind)
	}
}

func TestAccessKey(t *testing.T) {
	r := newRig(t)
	u := r.user(t, "alice", "", "developers")
	cred, issued, err := r.IssueKey(t.Context(), identity.NewKey{User: u.ID, Resource: "bill-1", By: "test"})
	if err != nil {
		t.Fatal(err)
	}
	s := issued.Secret()
	a, err := r.admit(t, "bill-1", cred.Login, s, "10.0.0.1")
	if err != nil || a.Identity.Name != "alice" || a.Resource.Name != "bill-1" || a.Expires.After(r.now.Add(time.Hour)) {
		t.Fatalf("%+v %v", a, err)
	}
	_, err = r.admit(t, "bill-2", cred.Login, s, "10.0.0.1")
	denied(t, err, weir.DeniedIdentity)
	_, err = r.admit(t, "bill-1", cred.Login, secret.New("weir_wrong"), "10.0.0.1")
	denied(t, err, weir.DeniedIdentity)
	if _, _, err := r.IssueKey(t.Context(), identity.NewKey{User: u.ID, Resource: "other", By: "test"}); err == nil {
		t.Error("a key for what alice may not reach")
	}
	r.now = r.now.Add(2 * time.Hour)
	if _, err := r.admit(t, "bill-1", cred.Login, s, "10.0.0.1"); err == nil {
		t.Error("an expired key")
	}
}

func TestRevocation(t *testing.T) {
	r := newRig(t)
	u := r.user(t, "alice", "", "developers")
	cred, issued, err := r.IssueKey(t.Context(), identity.NewKey{User: u.ID, Resource: "bill-1", By: "test"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.admit(t, "bill-1", cred.Login, issued.Secret(), "10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	info := &weir.SessionInfo{Identity: a.Identity, Resource: a.Resource, Expires: a.Expires}
	if _, err := r.RevokeKey(t.Context(), cred.Login); err != nil {
		t.Fatal(err)
	}
	if len(r.revoked) != 1 || !r.revoked[0].Matches(info) {
		t.Errorf("the session lives on: %+v", r.revoked)
	}
	_, err = r.admit(t, "bill-1", cred.Login, issued.Secret(), "10.0.0.1")
	denied(t, err, weir.DeniedIdentity)

	_, token, err := r.CreateToken(t.Context(), identity.NewToken{User: u.ID, Name: "t", TTL: time.Hour, By: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.admit(t, "bill-1", "", token.Secret(), "10.0.0.1"); err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveUser(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	_, err = r.admit(t, "bill-1", "", token.Secret(), "10.0.0.1")
	denied(t, err, weir.DeniedIdentity)
}

func TestGrantsEnd(t *testing.T) {
	r := newRig(t)
	u := r.user(t, "bob", "")
	_, token, err := r.CreateToken(t.Context(), identity.NewToken{User: u.ID, TTL: 24 * time.Hour, By: "test"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.admit(t, "other", "", token.Secret(), "10.0.0.1")
	denied(t, err, weir.DeniedIdentity)
	until := r.now.Add(30 * time.Minute)
	g, err := r.CreateGrant(t.Context(), identity.NewGrant{User: u.ID, Resource: "oth*", Expires: until, By: "root"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.admit(t, "other", "", token.Secret(), "10.0.0.1")
	if err != nil || a.Expires.After(until) {
		t.Fatalf("%+v %v", a, err)
	}
	info := &weir.SessionInfo{Identity: a.Identity, Resource: a.Resource, Expires: a.Expires}
	if _, err := r.RevokeGrant(t.Context(), g.ID); err != nil {
		t.Fatal(err)
	}
	if n := len(r.revoked); n == 0 || !r.revoked[n-1].Matches(info) {
		t.Error("the session outlives its grant")
	}
	_, err = r.admit(t, "other", "", token.Secret(), "10.0.0.1")
	denied(t, err, weir.DeniedIdentity)
	if _, err := r.CreateGrant(t.Context(), identity.NewGrant{User: u.ID, Resource: "other", Expires: r.now, By: "root"}); err == nil {
		t.Error("a grant that has ended already")
	}
}

func TestGuessingIsSlowed(t *testing.T) {
	r := newRig(t)
	r.user(t, "alice", "correct horse battery staple", "developers")
	slowed := 0
	for range 20 {
		_, _, _, err := r.SignIn(t.Context(), "alice", secret.New("wrong guess"), client("10.0.0.9"))
		var d *weir.Denied
		if errors.As(err, &d) && d.Kind == weir.DeniedRate {
			slowed++
		} else if err == nil {
			t.Fatal("a wrong password")
		}
	}
	if slowed < 10 {
		t.Errorf("only %d of 20 guesses were slowed", slowed)
	}
	_, _, _, err1 := r.SignIn(t.Context(), "nobody", secret.New("x y z"), client("10.0.1.1"))
	_, _, _, err2 := r.SignIn(t.Context(), "morgan", secret.New("x y z"), client("10.0.1.2"))
	_, p1 := weir.PublicOf(err1)
	_, p2 := weir.PublicOf(err2)
	if p1 != p2 {
		t.Errorf("%q and %q tell who exists", p1, p2)
	}
	r.now = r.now.Add(time.Hour)
	who, cred, issued, err := r.SignIn(t.Context(), "alice", secret.New("correct horse battery staple"), client("10.0.0.10"))
	if err != nil || who.Name != "alice" || cred.ID == "" {
		t.Fatal(who, err)
	}
	if a, err := r.admit(t, "bill-1", "", issued.Secret(), "10.0.0.10"); err != nil || a.Identity.Method != "browser" {
		t.Errorf("%+v %v", a, err)
	}
}

func TestLockedOut(t *testing.T) {
	r := newRig(t)
	u := r.user(t, "alice", "", "developers")
	_, token, err := r.CreateToken(t.Context(), identity.NewToken{User: u.ID, TTL: time.Hour, By: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetDisabled(t.Context(), u.ID, true); err != nil {
		t.Fatal(err)
	}
	_, err = r.admit(t, "bill-1", "", token.Secret(), "10.0.0.1")
	denied(t, err, weir.DeniedIdentity)
	if _, err := r.SetDisabled(t.Context(), u.ID, false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetGroups(t.Context(), u.ID, []string{"guests"}); err != nil {
		t.Fatal(err)
	}
	_, err = r.admit(t, "bill-1", "", token.Secret(), "10.0.0.1")
	denied(t, err, weir.DeniedIdentity)
	if _, err := r.AddUser(t.Context(), identity.NewUser{Name: "alice", Kind: weir.Human}); err == nil {
		t.Error("two users of one name")
	}
}
