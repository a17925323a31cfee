package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/xdg-go/scram"

	"weir"
	"weir/gate/session"
	"weir/vault/secret"
)

// Codes of authentication messages, and mechanisms (PostgreSQL documentation, sections 55.3 and 55.7).
const (
	authClear    = 3
	authSASL     = 10
	authContinue = 11
	authFinal    = 12

	mechanism     = "SCRAM-SHA-256"
	mechanismPlus = "SCRAM-SHA-256-PLUS"

	maxProof = 4096 // bytes of a message with a password or a part of a SASL conversation
)

// errNoProof says that a client did not prove itself. What it sent is not in it.
var errNoProof = errors.New("the client did not prove that it knows the secret")

// SetCredential makes c log in as user with the password. c is used for one connection and then dropped.
func SetCredential(c *pgconn.Config, user string, password secret.String) {
	c.User, c.Password = user, password.Reveal()
}

// login is one client on its way in.
type login struct {
	conn   Conn
	start  *startup
	tls    *TLSInfo // nil: clear text on a loopback address
	client weir.Client
}

// hello asks the client for its proof as far as its login name says which one it has, and makes what the session is asked for.
// known reports whether a name is a resource's.
//
//	NAME.ID        an access key, proved by SCRAM
//	RESOURCE       a personal token as password, or a certificate
//	USER           the same; the database is the name of the resource
func (l *login) hello(known func(resource string) bool) (*session.Hello, error) {
	h := &session.Hello{Protocol: weir.Postgres, Login: l.start.user, Client: l.client}
	if strings.ContainsRune(h.Login, '.') {
		// The client's first message is awaited here: one that goes away to ask its user for a secret has tried nothing.
		talk, err := l.offer()
		if err != nil {
			return nil, err
		}
		h.Proof = &session.Proof{SCRAM: talk.run}
		return h, nil
	}
	h.Resource = h.Login
	if l.start.named != "" && l.start.named != h.Login && !known(h.Login) {
		h.Resource = l.start.named
	}
	if l.tls != nil && l.tls.Certificate != nil {
		h.Proof = &session.Proof{Certificate: l.tls.Certificate}
		return h, nil
	}
	var err error
	if h.Secret, err = l.password(); err != nil && !errors.Is(err, errNoProof) {
		return nil, err
	}
	// Who sends nothing is refused by the same control as who sends something wrong.
	return h, nil
}

// password asks for a password in clear. The connection is protected, or does not leave this machine.
func (l *login) password() (secret.String, error) {
	if err := l.ask(authClear, nil); err != nil {
		return secret.String{}, err
	}
	body, err := l.answer()
	if err != nil {
		return secret.String{}, err
	}
	defer clear(body)
	n := len(body) - 1
	if n < 1 || slices.Index(body, 0) != n {
		return secret.String{}, errNoProof
	}
	return secret.New(string(body[:n])), nil
}

// saslTalk is a SASL conversation whose first message is there.
type saslTalk struct {
	l             *login
	binding       scram.ChannelBinding
	chosen, first string
}

// offer offers SCRAM-SHA-256, over TLS with channel binding, too, and reads the client's first message. A message that cannot be read
// makes a conversation that fails.
func (l *login) offer() (*saslTalk, error) {
	t := &saslTalk{l: l}
	offer := mechanism + "\x00\x00"
	if l.tls != nil && len(l.tls.EndPoint) > 0 {
		t.binding = scram.ChannelBinding{Type: scram.ChannelBindingTLSServerEndpoint, Data: l.tls.EndPoint}
		offer = mechanismPlus + "\x00" + offer
	}
	if err := l.ask(authSASL, []byte(offer)); err != nil {
		return nil, err
	}
	var err error
	if t.chosen, t.first, err = l.initial(); err != nil && !errors.Is(err, errNoProof) {
		return nil, err
	}
	return t, nil
}

// run carries the conversation to its end against the verifier. A client that could have bound the channel and says that this was not
// offered was lied to, and is refused.
func (t *saslTalk) run(ctx context.Context, v *session.SCRAMVerifier) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if v == nil || len(v.StoredKey) == 0 || len(v.ServerKey) == 0 || len(v.Salt) == 0 || v.Iterations <= 0 {
		return errors.New("a verifier that is not one")
	}
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(v.Salt), Iters: v.Iterations}, StoredKey: v.StoredKey, ServerKey: v.ServerKey,
		}, nil
	})
	if err != nil {
		return fmt.Errorf("scram: %w", err)
	}
	switch {
	case t.chosen == mechanismPlus && t.binding.IsSupported():
		return t.l.converse(server.NewConversationWithChannelBindingRequired(t.binding), t.first)
	case t.chosen == mechanism && !strings.HasPrefix(t.first, "p="):
		return t.l.converse(server.NewConversationWithChannelBinding(t.binding), t.first)
	}
	return errNoProof
}

// converse carries the rest of the conversation. Errors of the library quote the client and are dropped.
func (l *login) converse(talk *scram.ServerConversation, first string) error {
	reply, err := talk.Step(first)
	if err != nil {
		return errNoProof
	}
	if err := l.ask(authContinue, []byte(reply)); err != nil {
		return err
	}
	last, err := l.answer()
	if err != nil {
		return err
	}
	if reply, err = talk.Step(string(last)); err != nil || !talk.Valid() {
		return errNoProof
	}
	return l.ask(authFinal, []byte(reply))
}

// initial reads a SASLInitialResponse.
func (l *login) initial() (chosen, first string, err error) {
	body, err := l.answer()
	if err != nil {
		return "", "", err
	}
	end := slices.Index(body, 0)
	if end < 0 || len(body)-end-1 < 4 {
		return "", "", errNoProof
	}
	chosen, rest := string(body[:end]), body[end+1:]
	if n := binary.BigEndian.Uint32(rest); uint64(n) != uint64(len(rest)-4) {
		return "", "", errNoProof
	}
	return chosen, string(rest[4:]), nil
}

// ask sends an authentication request.
func (l *login) ask(code uint32, data []byte) error {
	b, at := begin(make([]byte, 0, 9+len(data)), 'R')
	b = binary.BigEndian.AppendUint32(b, code)
	_, err := l.conn.Write(finish(append(b, data...), at))
	return err
}

// answer reads a message of type 'p', and nothing beyond it.
func (l *login) answer() ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(l.conn, head[:]); err != nil {
		return nil, fmt.Errorf("read proof: %w", err)
	}
	n := binary.BigEndian.Uint32(head[1:])
	if head[0] != 'p' || n < 4 || n > maxProof {
		return nil, errNoProof
	}
	body := make([]byte, n-4)
	if _, err := io.ReadFull(l.conn, body); err != nil {
		return nil, fmt.Errorf("read proof: %w", err)
	}
	return body, nil
}
