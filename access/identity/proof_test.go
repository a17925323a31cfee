package identity_test

import (
	"context"
	"crypto/dsa" //nolint:staticcheck // to see it refused
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xdg-go/scram"
	"golang.org/x/crypto/ssh"

	"weir"
	"weir/access/identity"
	"weir/gate/session"
	"weir/vault/secret"
)

// converse is what an engine does: a whole conversation of a foreign client against the verifier it is given.
func converse(login, password string, got *session.SCRAMVerifier, then func()) func(context.Context, *session.SCRAMVerifier) error {
	return func(_ context.Context, v *session.SCRAMVerifier) error {
		*got = *v
		client, err := scram.SHA256.NewClient(login, password, "")
		if err != nil {
			return err
		}
		server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
			return scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: string(v.Salt), Iters: v.Iterations}, StoredKey: v.StoredKey, ServerKey: v.ServerKey}, nil
		})
		if err != nil {
			return err
		}
		c, s, msg := client.NewConversation(), server.NewConversation(), ""
		for !c.Done() {
			if msg, err = c.Step(msg); err != nil || c.Done() {
				break
			}
			if msg, err = s.Step(msg); err != nil {
				break
			}
		}
		if then != nil {
			then()
		}
		return err
	}
}

func (r *rig) scram(t *testing.T, login, password, from string, then func()) (*session.Admission, session.SCRAMVerifier, error) {
	t.Helper()
	var v session.SCRAMVerifier
	a, err := r.Admit(t.Context(), &session.Hello{
		Protocol: weir.HTTP, Login: login, Client: client(from), Proof: &session.Proof{SCRAM: converse(login, password, &v, then)},
	})
	return a, v, err
}

func (r *rig) key(t *testing.T, u identity.User) (identity.Credential, string) {
	t.Helper()
	cred, issued, err := r.IssueKey(t.Context(), identity.NewKey{User: u.ID, Resource: "bill-1", By: "test"})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := issued.Show()
	return cred, text
}

func TestSCRAM(t *testing.T) {
	r := newRig(t)
	u := r.user(t, "alice", "", "developers")
	cred, text := r.key(t, u)
	a, real, err := r.scram(t, cred.Login, text, "10.0.0.1", nil)
	if err != nil || a.Identity.Name != "alice" || a.Identity.Method != "access_key" || a.Identity.Credential != cred.ID || a.Resource.Name != "bill-1" || a.Expires.After(cred.Expires) {
		t.Fatalf("%+v %v", a, err)
	}
	_, _, wrong := r.scram(t, cred.Login, text+"x", "10.0.0.1", nil)
	denied(t, wrong, weir.DeniedIdentity)
	_, decoy, unknown := r.scram(t, "bill-1.nobody", text, "10.0.0.1", nil)
	denied(t, unknown, weir.DeniedIdentity)
	if wrong.Error() == "" || public(wrong) != public(unknown) {
		t.Errorf("%q is told from %q", public(wrong), public(unknown))
	}
	_, again, _ := r.scram(t, "bill-1.nobody", text, "10.0.0.1", nil)
	if cmp.Diff(decoy, again) != "" || len(decoy.Salt) != len(real.Salt) || decoy.Iterations != real.Iterations || len(decoy.StoredKey) != len(real.StoredKey) {
		t.Errorf("the decoy shows: %v %v, real %v", decoy, again, real)
	}

	t.Run("with a secret seen before", func(t *testing.T) { // the cache is no way around
		if _, err := r.admit(t, "bill-1", cred.Login, secret.New(text), "10.0.0.2"); err != nil {
			t.Fatal(err)
		}
		_, _, err := r.scram(t, cred.Login, "nothing", "10.0.0.2", nil)
		denied(t, err, weir.DeniedIdentity)
	})
	t.Run("both a secret and a proof", func(t *testing.T) {
		var v session.SCRAMVerifier
		_, err := r.Admit(t.Context(), &session.Hello{
			Protocol: weir.HTTP, Login: cred.Login, Secret: secret.New(text), Client: client("10.0.0.2"),
			Proof: &session.Proof{SCRAM: converse(cred.Login, "nothing", &v, nil)},
		})
		denied(t, err, weir.DeniedIdentity)
	})
	t.Run("no way of proof", func(t *testing.T) {
		_, err := r.Admit(t.Context(), &session.Hello{Protocol: weir.HTTP, Login: cred.Login, Client: client("10.0.0.2"), Proof: &session.Proof{}})
		denied(t, err, weir.DeniedIdentity)
	})
	t.Run("other protocol", func(t *testing.T) {
		var v session.SCRAMVerifier
		_, err := r.Admit(t.Context(), &session.Hello{
			Protocol: weir.Postgres, Login: cred.Login, Client: client("10.0.0.2"), Proof: &session.Proof{SCRAM: converse(cred.Login, text, &v, nil)},
		})
		denied(t, err, weir.DeniedIdentity)
	})
	t.Run("who leaves is not counted", func(t *testing.T) {
		for range 20 {
			_, err := r.Admit(t.Context(), &session.Hello{Protocol: weir.HTTP, Login: cred.Login, Client: client("10.0.0.3"), Proof: &session.Proof{
				SCRAM: func(context.Context, *session.SCRAMVerifier) error { return io.EOF },
			}})
			denied(t, err, weir.DeniedIdentity)
		}
		if _, _, err := r.scram(t, cred.Login, text, "10.0.0.3", nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("who guesses is slowed down", func(t *testing.T) {
		var err error
		for range 6 {
			_, _, err = r.scram(t, "bill-1.guess", text, "10.0.0.4", nil)
		}
		denied(t, err, weir.DeniedRate)
		_, _, err = r.scram(t, cred.Login, text, "10.0.0.4", nil)
		denied(t, err, weir.DeniedRate)
	})
	t.Run("revoked during the conversation", func(t *testing.T) {
		cred, text := r.key(t, u)
		_, _, err := r.scram(t, cred.Login, text, "10.0.0.5", func() {
			if _, err := r.RevokeKey(t.Context(), cred.Login); err != nil {
				t.Error(err)
			}
		})
		denied(t, err, weir.DeniedIdentity)
	})
	t.Run("expired during the conversation", func(t *testing.T) {
		now := r.now
		defer func() { r.now = now }()
		_, _, err := r.scram(t, cred.Login, text, "10.0.0.6", func() { r.now = r.now.Add(2 * time.Hour) })
		denied(t, err, weir.DeniedIdentity)
		if !strings.Contains(public(err), "expired") {
			t.Error(public(err))
		}
	})
	t.Run("disabled user", func(t *testing.T) {
		if _, err := r.SetDisabled(t.Context(), u.ID, true); err != nil {
			t.Fatal(err)
		}
		_, _, err := r.scram(t, cred.Login, text, "10.0.0.7", nil)
		denied(t, err, weir.DeniedIdentity)
	})
}

func public(err error) string {
	var d *weir.Denied
	if !errors.As(err, &d) {
		return ""
	}
	return d.Reason + " | " + d.Hint
}

func newKey(t *testing.T) (ssh.PublicKey, string) {
	t.Helper()
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return key, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " alice@laptop\n"
}

func (r *rig) offer(t *testing.T, resource, login string, p session.Proof, proto weir.Protocol) (*session.Admission, error) {
	t.Helper()
	return r.Admit(t.Context(), &session.Hello{Protocol: proto, Resource: resource, Login: login, Proof: &p, Client: client("10.0.0.1")})
}

func TestSSHKey(t *testing.T) {
	r := newRig(t)
	u, other := r.user(t, "alice", "", "developers"), r.user(t, "bob", "", "developers")
	key, line := newKey(t)
	cred, err := r.AddSSHKey(t.Context(), identity.NewSSHKey{User: u.ID, Line: line, By: "test"})
	if err != nil || cred.Name != "alice@laptop" || cred.Fingerprint() != ssh.FingerprintSHA256(key) {
		t.Fatalf("%+v %v", cred, err)
	}
	if _, err := r.AddSSHKey(t.Context(), identity.NewSSHKey{User: other.ID, Line: line, By: "test"}); kind(err) != weir.Conflict {
		t.Errorf("one key for two users: %v", err)
	}
	proof := session.Proof{PublicKey: key.Marshal()}
	for _, tc := range []struct{ name, resource, login string }{{"login", "", "ssh-1"}, {"resource", "ssh-1", "deploy"}} {
		a, err := r.offer(t, tc.resource, tc.login, proof, weir.SSH)
		if err != nil || a.Identity.Name != "alice" || a.Identity.Method != "ssh_key" || a.Identity.Credential != cred.ID || a.Resource.Name != "ssh-1" {
			t.Fatalf("%s: %+v %v", tc.name, a, err)
		}
	}
	strange, _ := newKey(t)
	for name, f := range map[string]func() error{
		"unknown key": func() error {
			_, err := r.offer(t, "ssh-1", "", session.Proof{PublicKey: strange.Marshal()}, weir.SSH)
			return err
		},
		"empty key": func() error {
			_, err := r.offer(t, "ssh-1", "", session.Proof{PublicKey: []byte{}}, weir.SSH)
			return err
		},
		"other protocol":  func() error { _, err := r.offer(t, "bill-1", "", proof, weir.HTTP); return err },
		"not granted":     func() error { _, err := r.offer(t, "ssh-2", "", proof, weir.SSH); return err },
		"no resource":     func() error { _, err := r.offer(t, "", "", proof, weir.SSH); return err },
		"http by ssh":     func() error { _, err := r.offer(t, "bill-1", "", proof, weir.SSH); return err },
		"login of a user": func() error { _, err := r.offer(t, "", "alice", proof, weir.SSH); return err },
	} {
		denied(t, f(), weir.DeniedIdentity)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	for range 30 { // agents offer many keys
		_, err := r.offer(t, "ssh-1", "", session.Proof{PublicKey: strange.Marshal()}, weir.SSH)
		denied(t, err, weir.DeniedIdentity)
	}
	a, err := r.offer(t, "ssh-1", "", proof, weir.SSH)
	if err != nil {
		t.Fatal(err)
	}
	named, err := r.SSHKeyNamed(t.Context(), ssh.FingerprintSHA256(key))
	if err != nil || named.ID != cred.ID || named.LastUsed.IsZero() {
		t.Fatalf("%+v %v", named, err)
	}
	if _, err := r.Revoke(t.Context(), cred.ID, identity.SSHKey); err != nil {
		t.Fatal(err)
	}
	info := &weir.SessionInfo{Identity: a.Identity, Resource: a.Resource, Expires: a.Expires}
	if n := len(r.revoked); n != 1 || !r.revoked[0].Matches(info) {
		t.Errorf("the session lives on: %+v", r.revoked)
	}
	_, err = r.offer(t, "ssh-1", "", proof, weir.SSH)
	denied(t, err, weir.DeniedIdentity)

	if _, err := r.AddSSHKey(t.Context(), identity.NewSSHKey{User: other.ID, Line: line, TTL: time.Minute}); err != nil {
		t.Fatalf("a removed key cannot be given to another: %v", err)
	}
	r.now = r.now.Add(time.Hour)
	_, err = r.offer(t, "ssh-1", "", proof, weir.SSH)
	denied(t, err, weir.DeniedIdentity)
	if !strings.Contains(public(err), "weir ssh keys add") {
		t.Error(public(err))
	}
}

func kind(err error) weir.ErrorKind {
	k, _ := weir.PublicOf(err)
	return k
}

func TestSSHKeysThatAreRefused(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip(err) // this Go makes none
	}
	shortKey, err := ssh.NewPublicKey(&short.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var d dsa.PrivateKey
	if err := dsa.GenerateParameters(&d.Parameters, rand.Reader, dsa.L1024N160); err != nil {
		t.Fatal(err)
	}
	if err := dsa.GenerateKey(&d, rand.Reader); err != nil {
		t.Fatal(err)
	}
	dsaKey, err := ssh.NewPublicKey(&d.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	_, good := newKey(t)
	for name, line := range map[string]string{
		"short rsa": string(ssh.MarshalAuthorizedKey(shortKey)), "dsa": string(ssh.MarshalAuthorizedKey(dsaKey)),
		"options": `command="/bin/sh" ` + good, "two": good + good, "nothing": "", "garbage": "ssh-ed25519 AAAA", "control": strings.TrimSpace(good) + "\x1b[2J\n",
		"private": "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", "long comment": strings.TrimSpace(good) + strings.Repeat("x", 200),
	} {
		if _, _, err := identity.ParseSSHKey(line); kind(err) != weir.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := identity.ParseSSHKey(good); err != nil {
		t.Error(err)
	}
}

func TestCertificates(t *testing.T) {
	r := newRig(t)
	u, other := r.user(t, "alice", "", "developers"), r.user(t, "bob", "", "developers")
	record := func(typ identity.CredentialType, ttl time.Duration) identity.Credential {
		c, err := r.RecordCert(t.Context(), identity.NewCert{User: u.ID, Type: typ, PublicKey: []byte("k"), TTL: ttl, By: "test"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, tc := range []struct {
		typ      identity.CredentialType
		proto    weir.Protocol
		resource string
		foreign  weir.Protocol
		at       string
	}{{identity.SSHCert, weir.SSH, "ssh-1", weir.HTTP, "bill-1"}, {identity.ClientCert, weir.HTTP, "bill-1", weir.SSH, "ssh-1"}} {
		t.Run(string(tc.typ), func(t *testing.T) {
			c := record(tc.typ, time.Minute)
			good := session.Certificate{User: u.ID, ID: c.ID, Serial: c.Serial, Expires: c.Expires}
			a, err := r.offer(t, tc.resource, "", session.Proof{Certificate: &good}, tc.proto)
			if err != nil || a.Identity.Method != string(tc.typ) || a.Identity.Credential != c.ID || !a.Expires.Equal(c.Expires) {
				t.Fatalf("%+v %v", a, err)
			}
			for name, change := range map[string]func(*session.Certificate){
				"other user": func(x *session.Certificate) { x.User = other.ID }, "no user": func(x *session.Certificate) { x.User = "" },
				"other serial": func(x *session.Certificate) { x.Serial++ }, "no serial": func(x *session.Certificate) { x.Serial = 0 },
				"no record": func(x *session.Certificate) { x.ID = "crt_none" }, "no id": func(x *session.Certificate) { x.ID = "" },
				"ended": func(x *session.Certificate) { x.Expires = r.now }, "no end": func(x *session.Certificate) { x.Expires = time.Time{} },
			} {
				bad := good
				change(&bad)
				_, err := r.offer(t, tc.resource, "", session.Proof{Certificate: &bad}, tc.proto)
				var d *weir.Denied
				if !errors.As(err, &d) || d.Kind != weir.DeniedIdentity {
					t.Errorf("%s: %v", name, err)
				}
			}
			_, err = r.offer(t, tc.at, "", session.Proof{Certificate: &good}, tc.foreign)
			denied(t, err, weir.DeniedIdentity)
			early := good
			early.Expires = r.now.Add(time.Second)
			if a, err := r.offer(t, tc.resource, "", session.Proof{Certificate: &early}, tc.proto); err != nil || !a.Expires.Equal(early.Expires) {
				t.Errorf("the session outlives its certificate: %+v %v", a, err)
			}
			if _, err := r.Revoke(t.Context(), c.ID, tc.typ); err != nil {
				t.Fatal(err)
			}
			info := &weir.SessionInfo{Identity: a.Identity, Resource: a.Resource, Expires: a.Expires}
			if !r.revoked[len(r.revoked)-1].Matches(info) {
				t.Error("the session lives on")
			}
			_, err = r.offer(t, tc.resource, "", session.Proof{Certificate: &good}, tc.proto)
			denied(t, err, weir.DeniedIdentity)
		})
	}
	key, text := r.key(t, u)
	if _, err := r.Revoke(t.Context(), key.ID, identity.AccessKey); err == nil {
		t.Error("an access key was revoked as a certificate")
	}
	_, err := r.offer(t, "bill-1", "", session.Proof{Certificate: &session.Certificate{User: u.ID, ID: key.ID, Expires: key.Expires}}, weir.HTTP)
	denied(t, err, weir.DeniedIdentity)
	if _, _, err := r.Authenticate(t.Context(), secret.New(text), client("10.0.0.1")); err == nil {
		t.Error("an access key opens the API")
	}
	for _, ttl := range []time.Duration{-1, time.Millisecond, 25 * time.Hour} {
		if _, err := r.RecordCert(t.Context(), identity.NewCert{User: u.ID, Type: identity.SSHCert, TTL: ttl}); kind(err) != weir.Invalid {
			t.Errorf("%s: %v", ttl, err)
		}
	}
}
