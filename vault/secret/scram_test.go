package secret_test

import (
	"crypto/rand"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xdg-go/scram"

	"weir/vault/secret"
)

// converse runs a whole conversation of a foreign client against the verifier.
func converse(t *testing.T, v *secret.SCRAM, password string) error {
	t.Helper()
	client, err := scram.SHA256.NewClient("orders.k7f3q2", password, "")
	if err != nil {
		t.Fatal(err)
	}
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(v.Salt), Iters: v.Iterations}, StoredKey: v.StoredKey, ServerKey: v.ServerKey,
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c, s, msg := client.NewConversation(), server.NewConversation(), ""
	for !c.Done() {
		if msg, err = c.Step(msg); err != nil || c.Done() {
			return err
		}
		if msg, err = s.Step(msg); err != nil {
			return err
		}
	}
	return nil
}

func TestSCRAM(t *testing.T) {
	issued, err := secret.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	v, err := issued.Secret().SCRAM(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	read, err := secret.ParseSCRAM(v.Encode())
	if err != nil || cmp.Diff(v, read) != "" {
		t.Fatalf("%v %s", err, cmp.Diff(v, read))
	}
	password, _ := issued.Show()
	if err := converse(t, read, password); err != nil {
		t.Errorf("the right secret: %v", err)
	}
	if err := converse(t, read, password[:len(password)-1]+"_"); err == nil {
		t.Error("a wrong secret was taken")
	}
	if err := converse(t, secret.DecoySCRAM([]byte("key"), "orders.k7f3q2"), password); err == nil {
		t.Error("a decoy was opened")
	}
	if _, err := secret.New("hunter2").SCRAM(rand.Reader); err == nil {
		t.Error("a verifier of a guessable secret")
	}
	for _, bad := range []string{"", "4096:00:11:22", "1:00:11:22", v.Encode() + ":", "x" + v.Encode()} {
		if _, err := secret.ParseSCRAM(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestDecoySCRAM(t *testing.T) {
	a, again, other := secret.DecoySCRAM([]byte("k"), "a"), secret.DecoySCRAM([]byte("k"), "a"), secret.DecoySCRAM([]byte("k"), "b")
	if cmp.Diff(a, again) != "" || cmp.Diff(a.Salt, other.Salt) == "" || len(a.Salt) != 16 || a.Iterations != 4096 {
		t.Errorf("%v %v %v", a, again, other)
	}
}
