package postgres

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"weir/gate/session"
)

// TestChannelBinding plays clients that somebody between them and us might make, and those that are what they say.
func TestChannelBinding(t *testing.T) {
	ours, theirs := []byte("hash of our certificate"), []byte("hash of another certificate")
	for name, tc := range map[string]struct {
		endPoint  []byte // what we have
		mechanism string // that the client names
		bound     []byte // what it binds to; nil: nothing
		yFlag     bool   // it says that it could have bound
		secret    string
		ok        bool
	}{
		"bound":                            {ours, mechanismPlus, ours, false, "right", true},
		"bound, wrong secret":              {ours, mechanismPlus, ours, false, "wrong", false},
		"bound to another certificate":     {ours, mechanismPlus, theirs, false, "right", false},
		"not bound":                        {ours, mechanism, nil, false, "right", true},
		"not bound, wrong secret":          {ours, mechanism, nil, false, "wrong", false},
		"the offer was taken out":          {ours, mechanism, nil, true, "right", false},
		"we could not bind":                {nil, mechanism, nil, true, "right", true},
		"plus, and does not bind":          {ours, mechanismPlus, nil, false, "right", false},
		"binds, and does not say so":       {ours, mechanism, ours, false, "right", false},
		"plus, without TLS":                {nil, mechanismPlus, ours, false, "right", false},
		"a mechanism that was not offered": {ours, "SCRAM-SHA-1", nil, false, "right", false},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			defer func() { _, _ = a.Close(), b.Close() }()
			if err := a.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			l := &login{conn: a, start: &startup{user: "orders.k1"}}
			if tc.endPoint != nil {
				l.tls = &TLSInfo{EndPoint: tc.endPoint}
			}
			go func() {
				if err := saslClient(b, tc.mechanism, tc.secret, tc.bound, tc.yFlag); err != nil {
					_ = b.Close()
				}
			}()
			h, err := l.hello(nil)
			if err != nil || h.Proof == nil || h.Login != "orders.k1" || h.Resource != "" {
				t.Fatal(h, err)
			}
			if err := h.Proof.SCRAM(t.Context(), verifier(t, "right")); (err == nil) != tc.ok {
				t.Fatal(err)
			}
		})
	}
}

// TestAVerifierThatIsNotOneLetsNobodyIn hands out verifiers with parts missing.
func TestAVerifierThatIsNotOneLetsNobodyIn(t *testing.T) {
	whole := verifier(t, "right")
	for name, v := range map[string]*session.SCRAMVerifier{
		"none":      nil,
		"empty":     {},
		"no salt":   {Iterations: 4096, StoredKey: whole.StoredKey, ServerKey: whole.ServerKey},
		"no rounds": {Salt: whole.Salt, StoredKey: whole.StoredKey, ServerKey: whole.ServerKey},
		"no key":    {Salt: whole.Salt, Iterations: 4096, ServerKey: whole.ServerKey},
	} {
		if err := (&saslTalk{chosen: mechanism, first: "n,,n=,r=x"}).run(t.Context(), v); err == nil {
			t.Error(name, "let somebody in")
		}
	}
}

func verifier(t *testing.T, password string) *session.SCRAMVerifier {
	t.Helper()
	c, err := scram.SHA256.NewClient("", password, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt-for-tests", Iters: 4096})
	if err != nil {
		t.Fatal(err)
	}
	return &session.SCRAMVerifier{Salt: []byte(s.Salt), Iterations: s.Iters, StoredKey: s.StoredKey, ServerKey: s.ServerKey}
}

// saslClient is a client that says what it is told to say.
func saslClient(c net.Conn, mechanism, password string, bound []byte, yFlag bool) error {
	if _, err := hearMessage(c); err != nil {
		return err
	}
	client, err := scram.SHA256.NewClient("", password, "")
	if err != nil {
		return err
	}
	talk := client.NewConversation()
	switch {
	case bound != nil:
		talk = client.NewConversationWithChannelBinding(scram.ChannelBinding{Type: scram.ChannelBindingTLSServerEndpoint, Data: bound})
	case yFlag:
		talk = client.NewConversationAdvertisingChannelBinding()
	}
	first, err := talk.Step("")
	if err != nil {
		return err
	}
	body := binary.BigEndian.AppendUint32([]byte(mechanism+"\x00"), uint32(len(first)))
	if err := sayMessage(c, append(body, first...)); err != nil {
		return err
	}
	reply, err := hearMessage(c)
	if err != nil {
		return err
	}
	last, err := talk.Step(reply)
	if err != nil {
		return err
	}
	if err := sayMessage(c, []byte(last)); err != nil {
		return err
	}
	_, err = hearMessage(c)
	return err
}

func sayMessage(c io.Writer, body []byte) error {
	b, at := begin(nil, 'p')
	_, err := c.Write(finish(append(b, body...), at))
	return err
}

func hearMessage(c io.Reader) (string, error) {
	var head [9]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return "", err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[1:])-8)
	_, err := io.ReadFull(c, body)
	return string(body), err
}

func TestOffers(t *testing.T) {
	for name, tc := range map[string]struct {
		tls  *TLSInfo
		want string
	}{
		"tls":          {&TLSInfo{EndPoint: []byte("x")}, mechanismPlus + "\x00" + mechanism + "\x00\x00"},
		"tls, no hash": {&TLSInfo{}, mechanism + "\x00\x00"},
		"clear text":   {nil, mechanism + "\x00\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			defer func() { _, _ = a.Close(), b.Close() }()
			got := make(chan string, 1)
			go func() { s, _ := hearMessage(b); got <- s; _ = b.Close() }()
			_, err := (&login{conn: a, tls: tc.tls}).offer()
			if s := <-got; s != tc.want || err == nil || !strings.Contains(err.Error(), "read proof") {
				t.Fatalf("%q %v", s, err)
			}
		})
	}
}
