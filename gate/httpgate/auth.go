package httpgate

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"weir"
	"weir/gate/session"
	"weir/vault/secret"
)

// Headers in which a client proves who it is, the first one that is there counts. With the gateway's own
// header a client can send an Authorization of its own to a target for which the gateway holds none.
const (
	ownAuthorization = "Weir-Authorization"
	authorization    = "Authorization"
	hostCookie       = "__Host-weir"
	resourceCookie   = "weir-" // followed by the resource's name
)

// minSearched is the shortest credential that is searched for in what is forwarded.
const minSearched = 8

// presented is what a client showed to be let in.
type presented struct {
	login  string
	secret secret.String
	raw    secret.String // as it stood in the header: base64 of login and secret
	cookie bool          // a browser sent it, whoever made it send the request
	own    bool          // it stood in Weir-Authorization
}

// credentials finds what the client showed. ok is false when it showed nothing that can be read.
func credentials(r *http.Request, resource string) (p presented, ok bool) {
	if v := r.Header[ownAuthorization]; len(v) > 0 {
		p.own = true
		return p, len(v) == 1 && p.parse(v[0])
	}
	if v := r.Header[authorization]; len(v) > 0 {
		return p, len(v) == 1 && p.parse(v[0])
	}
	if v := r.Header["Cookie"]; len(v) > 0 {
		value, found := findCookie(v, resourceCookie+resource)
		if !found {
			value, found = findCookie(v, hostCookie)
		}
		if found && value != "" {
			p.cookie, p.secret, p.raw = true, secret.New(value), secret.New(value)
			return p, true
		}
	}
	return p, false
}

// parse reads the value of an authorization header.
func (p *presented) parse(v string) bool {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(v), " ")
	rest = strings.TrimSpace(rest)
	if rest == "" {
		return false
	}
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		p.secret = secret.New(rest)
		p.raw = p.secret
		return true
	case strings.EqualFold(scheme, "Basic"):
		b, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return false
		}
		login, pass, ok := strings.Cut(string(b), ":")
		if !ok || pass == "" {
			return false
		}
		p.login, p.secret, p.raw = login, secret.New(pass), secret.New(rest)
		return true
	}
	return false
}

// in reports whether s holds the credential. It must not be forwarded then.
func (p *presented) in(s string) bool {
	for _, v := range [...]string{p.secret.Reveal(), p.raw.Reveal()} {
		if len(v) >= minSearched && strings.Contains(s, v) {
			return true
		}
	}
	return false
}

// same reports whether an authorization header shows the same credential once more, however it is wrapped.
func (p *presented) same(header string) bool {
	var other presented
	return p.in(header) || other.parse(header) && other.secret.Equal(p.secret)
}

// key hashes the credential with the resource and the client's address.
func (p *presented) key(resource string, client netip.Addr) sessionKey {
	var stack [512]byte
	b := stack[:0]
	addr := client.As16()
	b = append(b, addr[:]...)
	for _, part := range [...]string{resource, p.login, p.secret.Reveal()} {
		b = append(b, byte(len(part)>>24), byte(len(part)>>16), byte(len(part)>>8), byte(len(part)))
		b = append(b, part...)
	}
	return sha256.Sum256(b)
}

// hello is what the session is asked for.
func (p *presented) hello(resource string, client weir.Client) *session.Hello {
	return &session.Hello{Protocol: weir.HTTP, Resource: resource, Login: p.login, Secret: p.secret, Client: client}
}

// placement says where a credential goes.
type placement uint8

const (
	placeNone placement = iota
	placeHeader
	placeQuery
	placeCookie
)

// Credential is how the gateway proves itself to a target. The zero value adds nothing to requests.
type Credential struct {
	at    placement
	name  string
	value secret.String // as it stands in the request
}

// HeaderCredential sends value in the named header.
func HeaderCredential(name string, value secret.String) Credential {
	return Credential{at: placeHeader, name: http.CanonicalHeaderKey(name), value: value}
}

// BearerCredential sends value as a bearer token.
func BearerCredential(value secret.String) Credential {
	if value.IsZero() {
		return HeaderCredential(authorization, value)
	}
	return HeaderCredential(authorization, secret.New("Bearer "+value.Reveal()))
}

// BasicCredential sends user and password by HTTP basic authentication.
func BasicCredential(user string, password secret.String) Credential {
	if password.IsZero() {
		return HeaderCredential(authorization, password)
	}
	blob := base64.StdEncoding.EncodeToString([]byte(user + ":" + password.Reveal()))
	return HeaderCredential(authorization, secret.New("Basic "+blob))
}

// QueryCredential sends value as the named query parameter.
func QueryCredential(name string, value secret.String) Credential {
	if value.IsZero() {
		return Credential{at: placeQuery, name: name}
	}
	return Credential{at: placeQuery, name: name, value: secret.New(url.QueryEscape(name) + "=" + url.QueryEscape(value.Reveal()))}
}

// CookieCredential sends value as the named cookie.
func CookieCredential(name string, value secret.String) Credential {
	return Credential{at: placeCookie, name: name, value: value}
}

// check reports what is wrong with the credential, without saying what it is.
func (c *Credential) check() error {
	if c.at == placeNone {
		return nil
	}
	if c.name == "" || c.value.IsZero() {
		return errors.New("target credential: name and value must not be empty")
	}
	v := c.value.Reveal()
	switch c.at {
	case placeHeader:
		if !httpguts.ValidHeaderFieldName(c.name) || hopByHop(c.name) || c.name == "Host" || c.name == "Content-Length" {
			return fmt.Errorf("target credential: %q cannot be the name of its header", c.name)
		}
		if !httpguts.ValidHeaderFieldValue(v) {
			return errors.New("target credential: the value cannot stand in a header; it may end in a line break")
		}
	case placeCookie:
		if !httpguts.ValidHeaderFieldName(c.name) || strings.ContainsAny(v, "; ,\"\\\r\n\x00") || !httpguts.ValidHeaderFieldValue(v) {
			return errors.New("target credential: the value cannot stand in a cookie")
		}
	default:
	}
	return nil
}

// inject puts the credential into a request that has been permitted. It replaces what the client sent in its place.
func (c *Credential) inject(u *url.URL, h http.Header) {
	switch c.at {
	case placeHeader:
		h[c.name] = []string{c.value.Reveal()}
	case placeQuery:
		u.RawQuery = joinNonEmpty(withoutParam(u.RawQuery, c.name), "&", c.value.Reveal())
	case placeCookie:
		h["Cookie"] = []string{joinNonEmpty(filterCookies(h["Cookie"], c.name), "; ", c.name+"="+c.value.Reveal())}
	case placeNone:
	}
}

// withoutParam takes every pair of the name off a raw query, leaving the others as they were sent.
func withoutParam(raw, name string) string {
	if raw == "" {
		return ""
	}
	var kept []string
	for pair := range strings.SplitSeq(raw, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if k, err := url.QueryUnescape(key); err == nil {
			key = k
		}
		if key != name {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

func joinNonEmpty(a, sep, b string) string {
	if a == "" {
		return b
	}
	return a + sep + b
}
