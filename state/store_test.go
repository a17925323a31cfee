package state_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir"
	"weir/access/approval"
	"weir/access/identity"
	"weir/state"
)

// store is what the suite tests; every dialect has to pass it.
type store interface {
	identity.Store
	approval.Store
	Purge(ctx context.Context, before time.Time) error
}

var start = time.Date(2031, 5, 6, 7, 8, 9, 123456000, time.UTC)

func clock() time.Time { return start }

func openSQLite(t *testing.T) store {
	t.Helper()
	db, err := state.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestStore(t *testing.T) {
	for dialect, open := range map[string]func(*testing.T) store{"sqlite": openSQLite} {
		for name, test := range map[string]func(*testing.T, store){
			"users": users, "change user": changeUser, "passwords": passwords, "credentials": credentials, "credential limit": credentialLimit,
			"delete credentials": deleteCredentials, "proofs": proofs, "cascade": cascade, "grants": grants, "claim": claim, "claim once": claimOnce,
			"claim limit": claimLimit, "change request": changeRequest, "expire": expire, "find requests": findRequests, "purge": purge,
			"concurrent writers": concurrentWriters,
		} {
			t.Run(dialect+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, open(t))
			})
		}
	}
}

func addUser(t *testing.T, s store, name string) identity.User {
	t.Helper()
	u := identity.User{ID: weir.UserID("usr_" + name), Name: name, Kind: weir.Human, Groups: []string{"developers", "ops"}, Created: start}
	if err := s.InsertUser(t.Context(), &u, ""); err != nil {
		t.Fatal(err)
	}
	return u
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("differs (-want +got):\n%s", d)
	}
}

func users(t *testing.T, s store) {
	ctx := t.Context()
	bob := identity.User{ID: "usr_2", Name: "bob", Kind: weir.Machine, Admin: true, Disabled: true, HasPassword: true, Created: start}
	ok(t, s.InsertUser(ctx, &bob, "hash"))
	alice := addUser(t, s, "alice")
	is(t, s.InsertUser(ctx, &identity.User{ID: "usr_3", Name: "alice", Kind: weir.Human, Created: start}, ""), identity.ErrExists)
	is(t, s.InsertUser(ctx, &identity.User{ID: "usr_2", Name: "carol", Kind: weir.Human, Created: start}, ""), identity.ErrExists)
	if err := s.InsertUser(ctx, &identity.User{ID: "usr_4", Name: "dan", Created: start}, ""); err == nil {
		t.Fatal("a user of no kind was stored")
	}
	for _, tc := range []struct {
		f    identity.UserFilter
		want []identity.User
	}{
		{identity.UserFilter{}, []identity.User{alice, bob}},
		{identity.UserFilter{Name: "bob"}, []identity.User{bob}},
		{identity.UserFilter{ID: alice.ID}, []identity.User{alice}},
		{identity.UserFilter{ID: alice.ID, Name: "bob"}, nil},
	} {
		got, err := s.Users(ctx, tc.f)
		ok(t, err)
		same(t, got, tc.want)
	}
	ok(t, s.DeleteUser(ctx, bob.ID))
	is(t, s.DeleteUser(ctx, bob.ID), identity.ErrNotFound)
	got, err := s.Users(ctx, identity.UserFilter{})
	ok(t, err)
	same(t, got, []identity.User{alice})
}

func changeUser(t *testing.T, s store) {
	ctx := t.Context()
	u := addUser(t, s, "alice")
	u.Groups, u.Admin, u.Disabled = []string{"managers"}, true, true
	got, err := s.ChangeUser(ctx, u.ID, func(x *identity.User) error {
		x.Groups, x.Admin, x.Disabled = u.Groups, true, true
		return nil
	})
	ok(t, err)
	same(t, got, u)
	stop := errors.New("stop")
	_, err = s.ChangeUser(ctx, u.ID, func(x *identity.User) error { x.Admin = false; return stop })
	is(t, err, stop)
	list, err := s.Users(ctx, identity.UserFilter{})
	ok(t, err)
	same(t, list, []identity.User{u})
	_, err = s.ChangeUser(ctx, "usr_nobody", func(*identity.User) error { return nil })
	is(t, err, identity.ErrNotFound)
}

func passwords(t *testing.T, s store) {
	ctx := t.Context()
	u := addUser(t, s, "alice")
	browser := credential(t, s, u, "brs_1", identity.Browser)
	token := credential(t, s, u, "tok_1", identity.Token)
	got, hash, err := s.PasswordHash(ctx, "alice")
	ok(t, err)
	same(t, got, u)
	same(t, hash, "")
	ok(t, s.SetPasswordHash(ctx, u.ID, "h2"))
	got, hash, err = s.PasswordHash(ctx, "alice")
	ok(t, err)
	same(t, hash, "h2")
	if !got.HasPassword {
		t.Fatal("the user has no password")
	}
	_, _, err = s.PasswordHash(ctx, "bob")
	is(t, err, identity.ErrNotFound)
	is(t, s.SetPasswordHash(ctx, "usr_nobody", "h"), identity.ErrNotFound)
	_, _, err = s.CredentialByVerifier(ctx, verifier(browser.ID))
	is(t, err, identity.ErrNotFound)
	_, _, err = s.CredentialByVerifier(ctx, verifier(token.ID))
	ok(t, err)
}

func verifier(id weir.CredentialID) identity.Verifier {
	return identity.Verifier{Scheme: identity.SHA256, Value: "of " + string(id)}
}

func verifiers(id weir.CredentialID) []identity.Verifier { return []identity.Verifier{verifier(id)} }

func credential(t *testing.T, s store, u identity.User, id weir.CredentialID, typ identity.CredentialType) identity.Credential {
	t.Helper()
	c := identity.Credential{
		ID: id, Type: typ, User: u.ID, UserName: u.Name, Created: start, CreatedBy: "root", Expires: start.Add(time.Hour),
	}
	switch typ {
	case identity.AccessKey:
		c.Resource, c.Login = "orders", "orders."+string(id)
	case identity.Token:
		c.Name = "laptop"
	case identity.SSHKey, identity.SSHCert:
		c.Name, c.PublicKey, c.Serial = "alice@laptop", "AAAAC3", 1<<63-1
	case identity.Browser, identity.ClientCert:
	}
	ok(t, s.InsertCredential(t.Context(), &c, verifiers(id), 1000))
	return c
}

func credentials(t *testing.T, s store) {
	ctx := t.Context()
	alice, bob := addUser(t, s, "alice"), addUser(t, s, "bob")
	key := credential(t, s, alice, "key_1", identity.AccessKey)
	tok := credential(t, s, alice, "tok_1", identity.Token)
	other := credential(t, s, bob, "tok_2", identity.Token)
	c, u, err := s.CredentialByVerifier(ctx, verifier("key_1"))
	ok(t, err)
	same(t, c, key)
	same(t, u, alice)
	_, _, err = s.CredentialByVerifier(ctx, verifier("key_2"))
	is(t, err, identity.ErrNotFound)

	twin := key
	twin.ID = "key_9"
	is(t, s.InsertCredential(ctx, &twin, verifiers("x"), 10), identity.ErrExists) // the login is taken
	twin.Login = "orders.free"
	is(t, s.InsertCredential(ctx, &twin, verifiers("key_1"), 10), identity.ErrExists) // the verifier is taken
	twin.User = "usr_nobody"
	is(t, s.InsertCredential(ctx, &twin, verifiers("y"), 10), identity.ErrNotFound)

	for _, tc := range []struct {
		f    identity.CredentialFilter
		want []identity.Credential
	}{
		{identity.CredentialFilter{}, []identity.Credential{key, tok, other}},
		{identity.CredentialFilter{User: alice.ID}, []identity.Credential{key, tok}},
		{identity.CredentialFilter{Type: identity.Token}, []identity.Credential{tok, other}},
		{identity.CredentialFilter{Type: identity.Token, User: alice.ID}, []identity.Credential{tok}},
		{identity.CredentialFilter{Login: key.Login}, []identity.Credential{key}},
		{identity.CredentialFilter{Resource: "orders"}, []identity.Credential{key}},
		{identity.CredentialFilter{ID: "tok_2"}, []identity.Credential{other}},
	} {
		got, err := s.Credentials(ctx, tc.f)
		ok(t, err)
		same(t, got, tc.want)
	}
	ok(t, s.TouchCredential(ctx, tok.ID, start.Add(time.Minute)))
	ok(t, s.TouchCredential(ctx, "tok_gone", start))
	tok.LastUsed = start.Add(time.Minute)
	c, _, err = s.CredentialByVerifier(ctx, verifier("tok_1"))
	ok(t, err)
	same(t, c, tok)
}

func proofs(t *testing.T, s store) {
	ctx := t.Context()
	alice, bob := addUser(t, s, "alice"), addUser(t, s, "bob")
	old := credential(t, s, alice, "key_old", identity.AccessKey) // issued before there were SCRAM verifiers
	key := identity.Credential{ID: "key_1", Type: identity.AccessKey, User: alice.ID, UserName: "alice", Resource: "orders", Login: "orders.x", Created: start, Expires: start.Add(time.Hour)}
	ok(t, s.InsertCredential(ctx, &key, []identity.Verifier{verifier("key_1"), {Scheme: identity.SCRAM, Value: "4096:00"}}, 10))
	c, u, v, err := s.CredentialByLogin(ctx, "orders.x", identity.SCRAM)
	ok(t, err)
	same(t, c, key)
	same(t, u, alice)
	same(t, v, "4096:00")
	for _, login := range []string{old.Login, "orders.none", ""} {
		_, _, _, err = s.CredentialByLogin(ctx, login, identity.SCRAM)
		is(t, err, identity.ErrNotFound)
	}
	ssh := identity.Credential{ID: "ssh_1", Type: identity.SSHKey, User: alice.ID, UserName: "alice", Name: "alice@laptop", PublicKey: "AAAAC3", Created: start, Expires: identity.Never()}
	fingerprint := identity.Verifier{Scheme: identity.SSH, Value: "00ff"}
	ok(t, s.InsertCredential(ctx, &ssh, []identity.Verifier{fingerprint}, 10))
	c, _, err = s.CredentialByVerifier(ctx, fingerprint)
	ok(t, err)
	same(t, c, ssh)
	_, _, err = s.CredentialByVerifier(ctx, identity.Verifier{Scheme: identity.SHA256, Value: "00ff"})
	is(t, err, identity.ErrNotFound)
	twin := ssh
	twin.ID, twin.User = "ssh_2", bob.ID
	is(t, s.InsertCredential(ctx, &twin, []identity.Verifier{fingerprint}, 10), identity.ErrExists) // of another user
	_, _, err = s.CredentialByID(ctx, "ssh_2")
	is(t, err, identity.ErrNotFound) // all or nothing
	cert := credential(t, s, bob, "crt_1", identity.SSHCert)
	c, u, err = s.CredentialByID(ctx, "crt_1")
	ok(t, err)
	same(t, c, cert)
	same(t, u, bob)
	bare := identity.Credential{ID: "crt_2", Type: identity.ClientCert, User: bob.ID, UserName: "bob", Serial: 7, Created: start, Expires: start.Add(time.Hour)}
	ok(t, s.InsertCredential(ctx, &bare, nil, 10))
	c, _, err = s.CredentialByID(ctx, "crt_2")
	ok(t, err)
	same(t, c, bare)
	c, _, err = s.CredentialByID(ctx, "key_1") // two verifiers, one credential
	ok(t, err)
	same(t, c, key)
}

func credentialLimit(t *testing.T, s store) {
	ctx := t.Context()
	u := addUser(t, s, "alice")
	credential(t, s, u, "tok_1", identity.Token)
	c := identity.Credential{ID: "tok_2", Type: identity.Token, User: u.ID, Created: start, Expires: start.Add(time.Hour)}
	is(t, s.InsertCredential(ctx, &c, verifiers("tok_2"), 1), identity.ErrTooMany)
	c.Created = start.Add(2 * time.Hour) // the first has expired then
	ok(t, s.InsertCredential(ctx, &c, verifiers("tok_2"), 1))
}

func deleteCredentials(t *testing.T, s store) {
	ctx := t.Context()
	u := addUser(t, s, "alice")
	key := credential(t, s, u, "key_1", identity.AccessKey)
	tok := credential(t, s, u, "tok_1", identity.Token)
	if _, err := s.DeleteCredentials(ctx, identity.CredentialFilter{}); err == nil {
		t.Fatal("everything was deleted")
	}
	gone, err := s.DeleteCredentials(ctx, identity.CredentialFilter{ID: key.ID, Type: identity.Token})
	ok(t, err)
	same(t, len(gone), 0)
	gone, err = s.DeleteCredentials(ctx, identity.CredentialFilter{ID: key.ID, Type: identity.AccessKey})
	ok(t, err)
	same(t, gone, []identity.Credential{key})
	_, _, err = s.CredentialByVerifier(ctx, verifier("key_1"))
	is(t, err, identity.ErrNotFound)
	left, err := s.Credentials(ctx, identity.CredentialFilter{})
	ok(t, err)
	same(t, left, []identity.Credential{tok})
}

func cascade(t *testing.T, s store) {
	ctx := t.Context()
	u := addUser(t, s, "alice")
	credential(t, s, u, "key_1", identity.AccessKey)
	ok(t, s.InsertGrant(ctx, &identity.Grant{ID: "grn_1", User: u.ID, Resource: "*", Created: start, Expires: start.Add(time.Hour)}))
	ok(t, s.InsertGrant(ctx, &identity.Grant{ID: "grn_2", Group: "ops", Resource: "*", Created: start, Expires: start.Add(time.Hour)}))
	ok(t, s.DeleteUser(ctx, u.ID))
	_, _, err := s.CredentialByVerifier(ctx, verifier("key_1"))
	is(t, err, identity.ErrNotFound)
	list, err := s.Credentials(ctx, identity.CredentialFilter{})
	ok(t, err)
	same(t, len(list), 0)
	g, err := s.Grants(ctx, start)
	ok(t, err)
	if len(g) != 1 || g[0].ID != "grn_2" {
		t.Fatalf("grants left: %v", g)
	}
}

func grants(t *testing.T, s store) {
	ctx := t.Context()
	u := addUser(t, s, "alice")
	mine := identity.Grant{ID: "grn_1", User: u.ID, UserName: "alice", Resource: "orders", Created: start, CreatedBy: "root", Expires: start.Add(time.Hour)}
	ours := identity.Grant{ID: "grn_2", Group: "ops", Resource: "billing-*", Created: start.Add(time.Second), CreatedBy: "root", Expires: start.Add(time.Minute)}
	ok(t, s.InsertGrant(ctx, &mine))
	ok(t, s.InsertGrant(ctx, &ours))
	is(t, s.InsertGrant(ctx, &identity.Grant{ID: "grn_3", User: "usr_nobody", Resource: "x", Created: start, Expires: start}), identity.ErrNotFound)
	if err := s.InsertGrant(ctx, &identity.Grant{ID: "grn_3", Resource: "x", Created: start, Expires: start.Add(time.Hour)}); err == nil {
		t.Fatal("a grant for nobody was stored")
	}
	if err := s.InsertGrant(ctx, &identity.Grant{ID: "grn_3", User: u.ID, Group: "ops", Resource: "x", Created: start, Expires: start.Add(time.Hour)}); err == nil {
		t.Fatal("a grant for two was stored")
	}
	got, err := s.Grants(ctx, start)
	ok(t, err)
	same(t, got, []identity.Grant{ours, mine})
	got, err = s.Grants(ctx, start.Add(time.Minute))
	ok(t, err)
	same(t, got, []identity.Grant{mine})
	gone, err := s.DeleteGrant(ctx, "grn_1")
	ok(t, err)
	same(t, gone, mine)
	_, err = s.DeleteGrant(ctx, "grn_1")
	is(t, err, identity.ErrNotFound)
}

func request(id weir.RequestID, user weir.UserID, what byte, at time.Time) approval.Request {
	return approval.Request{
		ID: id, Session: "ses_1", User: user, Resource: "orders", Digest: [32]byte{what, 31: 0xff}, Policy: "p1", UserName: "alice",
		Kind: weir.Human, Groups: []string{"developers"}, Command: "GET /x [masked:token:1]", Rule: "reflect", Reason: "why", Catalog: []string{"c1"},
		Terms: weir.HoldTerms{Groups: []string{"managers"}, Count: 2, Within: 15 * time.Minute, Wait: time.Minute},
		State: approval.Pending, Created: at, Expires: at.Add(15 * time.Minute),
	}
}

func claims(t *testing.T, s store, r approval.Request) approval.Claim {
	t.Helper()
	c, err := s.Claim(t.Context(), &r, 100)
	ok(t, err)
	return c
}

func decide(t *testing.T, s store, id weir.RequestID, to approval.State, at time.Time) approval.Request {
	t.Helper()
	r, err := s.ChangeRequest(t.Context(), id, func(r *approval.Request) error {
		r.State, r.Decided = to, at
		r.Votes = append(r.Votes, approval.Vote{Voter: "usr_m", Name: "mia", Approve: to == approval.Approved, Comment: "hm", Time: at})
		return nil
	})
	ok(t, err)
	return r
}

func claim(t *testing.T, s store) {
	first := request("req_1", "usr_a", 1, start)
	same(t, claims(t, s, first), approval.Claim{Request: first, Made: true})
	same(t, claims(t, s, request("req_2", "usr_a", 1, start)), approval.Claim{Request: first})
	// Each part of the binding counts.
	for i, change := range []func(*approval.Request){
		func(r *approval.Request) { r.User = "usr_b" },
		func(r *approval.Request) { r.Resource = "billing" },
		func(r *approval.Request) { r.Digest[31] = 0xfe },
		func(r *approval.Request) { r.Policy = "p2" },
	} {
		r := request(weir.RequestID(fmt.Sprintf("req_other%d", i)), "usr_a", 1, start)
		change(&r)
		if c := claims(t, s, r); !c.Made {
			t.Fatalf("part %d of the binding does not count", i)
		}
	}
	want := first
	want.State, want.Decided = approval.Approved, start.Add(time.Second)
	want.Votes = []approval.Vote{{Voter: "usr_m", Name: "mia", Approve: true, Comment: "hm", Time: want.Decided}}
	same(t, decide(t, s, "req_1", approval.Approved, want.Decided), want)
	want.State, want.UsedAt = approval.Used, start.Add(2*time.Second)
	same(t, claims(t, s, request("req_3", "usr_a", 1, want.UsedAt)), approval.Claim{Request: want})
	again := request("req_4", "usr_a", 1, start.Add(3*time.Second))
	same(t, claims(t, s, again), approval.Claim{Request: again, Made: true}) // used up
	denied := decide(t, s, "req_4", approval.Denied, start.Add(4*time.Second))
	same(t, claims(t, s, request("req_5", "usr_a", 1, start.Add(5*time.Second))), approval.Claim{Request: denied})
	late := request("req_6", "usr_a", 1, again.Expires)
	if c := claims(t, s, late); !c.Made {
		t.Fatalf("an expired refusal still refuses: %+v", c)
	}
}

func claimOnce(t *testing.T, s store) {
	const tries = 16
	claims(t, s, request("req_1", "usr_a", 1, start))
	decide(t, s, "req_1", approval.Approved, start)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[approval.State]int{}
	ids := map[weir.RequestID]int{}
	for i := range tries {
		wg.Go(func() {
			r := request(weir.RequestID(fmt.Sprintf("req_n%d", i)), "usr_a", 1, start.Add(time.Second))
			c, err := s.Claim(t.Context(), &r, 100)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			got[c.Request.State]++
			if c.Made {
				ids[c.Request.ID]++
			}
		})
	}
	wg.Wait()
	same(t, got, map[approval.State]int{approval.Used: 1, approval.Pending: tries - 1})
	if len(ids) != 1 {
		t.Fatalf("%d new requests, want 1", len(ids))
	}
}

func claimLimit(t *testing.T, s store) {
	ctx := t.Context()
	for i := range 3 {
		claims(t, s, request(weir.RequestID(fmt.Sprintf("req_%d", i)), "usr_a", byte(i+1), start))
	}
	r := request("req_x", "usr_a", 9, start)
	_, err := s.Claim(ctx, &r, 3)
	is(t, err, approval.ErrTooMany)
	join := request("req_y", "usr_a", 1, start)
	_, err = s.Claim(ctx, &join, 3) // joining is no new request
	ok(t, err)
	other := request("req_z", "usr_b", 9, start)
	_, err = s.Claim(ctx, &other, 3)
	ok(t, err)
	r.Created = start.Add(time.Hour) // those before have expired
	_, err = s.Claim(ctx, &r, 3)
	ok(t, err)
}

func changeRequest(t *testing.T, s store) {
	ctx := t.Context()
	claims(t, s, request("req_1", "usr_a", 1, start))
	stop := errors.New("stop")
	_, err := s.ChangeRequest(ctx, "req_1", func(r *approval.Request) error {
		r.State = approval.Approved
		return stop
	})
	is(t, err, stop)
	_, err = s.ChangeRequest(ctx, "req_2", func(*approval.Request) error { return nil })
	is(t, err, approval.ErrNotFound)
	decide(t, s, "req_1", approval.Approved, start)
	// The same voter twice is refused by the table as well.
	_, err = s.ChangeRequest(ctx, "req_1", func(r *approval.Request) error {
		r.Votes = append(r.Votes, approval.Vote{Voter: "usr_m", Name: "mia", Approve: true, Time: start})
		return nil
	})
	if err == nil {
		t.Fatal("one person voted twice")
	}
	_, err = s.ChangeRequest(ctx, "req_1", func(r *approval.Request) error { r.Votes = nil; return nil })
	if err == nil {
		t.Fatal("a vote was taken away")
	}
}

func expire(t *testing.T, s store) {
	ctx := t.Context()
	claims(t, s, request("req_1", "usr_a", 1, start))
	claims(t, s, request("req_2", "usr_a", 2, start))
	claims(t, s, request("req_3", "usr_a", 3, start.Add(time.Minute)))
	decide(t, s, "req_2", approval.Approved, start)
	end := start.Add(15 * time.Minute)
	gone, err := s.ExpireRequests(ctx, end.Add(-time.Microsecond))
	ok(t, err)
	same(t, len(gone), 0)
	// An approval that is not used in time is worth nothing, to the microsecond.
	c := claims(t, s, request("req_4", "usr_a", 2, end))
	if !c.Made || len(c.Lapsed) != 2 {
		t.Fatalf("an expired approval was used, or its end was not told: %+v", c)
	}
	gone, err = s.ExpireRequests(ctx, end.Add(time.Minute))
	ok(t, err)
	if len(gone) != 1 || gone[0].ID != "req_3" || gone[0].State != approval.Expired {
		t.Fatalf("expired: %+v", gone)
	}
}

func findRequests(t *testing.T, s store) {
	ctx := t.Context()
	a := request("req_aa1", "usr_a", 1, start)
	b := request("req_aa2", "usr_a", 2, start.Add(time.Second))
	c := request("req_b", "usr_b", 3, start.Add(2*time.Second))
	for _, r := range []approval.Request{a, b, c} {
		claims(t, s, r)
	}
	b = decide(t, s, b.ID, approval.Denied, start)
	for _, tc := range []struct {
		f    approval.Filter
		want []approval.Request
	}{
		{approval.Filter{}, []approval.Request{c, b, a}},
		{approval.Filter{Limit: 2}, []approval.Request{c, b}},
		{approval.Filter{Prefix: "req_aa"}, []approval.Request{b, a}},
		{approval.Filter{Prefix: "req_aa1"}, []approval.Request{a}},
		{approval.Filter{Prefix: "req_%"}, nil},
		{approval.Filter{Prefix: "req_a_"}, nil},
		{approval.Filter{State: approval.Pending}, []approval.Request{c, a}},
		{approval.Filter{User: "usr_a", State: approval.Denied}, []approval.Request{b}},
		{approval.Filter{Resource: "billing"}, nil},
	} {
		got, err := s.Requests(ctx, tc.f)
		ok(t, err)
		same(t, got, tc.want)
	}
}

func purge(t *testing.T, s store) {
	ctx := t.Context()
	u := addUser(t, s, "alice")
	credential(t, s, u, "tok_1", identity.Token)
	ok(t, s.InsertGrant(ctx, &identity.Grant{ID: "grn_1", Group: "ops", Resource: "*", Created: start, Expires: start.Add(time.Hour)}))
	claims(t, s, request("req_1", "usr_a", 1, start))
	decide(t, s, "req_1", approval.Approved, start)
	count := func() (n int) {
		c, err := s.Credentials(ctx, identity.CredentialFilter{})
		ok(t, err)
		g, err := s.Grants(ctx, time.Time{})
		ok(t, err)
		r, err := s.Requests(ctx, approval.Filter{})
		ok(t, err)
		return len(c) + len(g) + len(r)
	}
	ok(t, s.Purge(ctx, start))
	same(t, count(), 3)
	ok(t, s.Purge(ctx, start.Add(2*time.Hour)))
	same(t, count(), 0)
	list, err := s.Users(ctx, identity.UserFilter{})
	ok(t, err)
	same(t, list, []identity.User{u})
}

// Readers and writers at the same time neither fail nor lose a change.
func concurrentWriters(t *testing.T, s store) {
	ctx := t.Context()
	u := addUser(t, s, "alice")
	const writers, rounds = 8, 5
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				_, err := s.ChangeUser(ctx, u.ID, func(x *identity.User) error {
					x.Groups = append(x.Groups, fmt.Sprintf("g%d-%d", w, i))
					slices.Sort(x.Groups)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				if _, err := s.Users(ctx, identity.UserFilter{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	list, err := s.Users(ctx, identity.UserFilter{})
	ok(t, err)
	same(t, len(list[0].Groups), 2+writers*rounds)
}
