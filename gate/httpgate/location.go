package httpgate

import (
	"net/url"
	"strings"
)

// place says where the client sees a resource, so that what the target says of its own
// places can be put in the client's terms.
type place struct {
	target *Target
	prefix string // "/r/RESOURCE" in path mode, "" in host mode
	origin string // "https://RESOURCE.weir.example", as the client sees it, without a path
}

// url puts one URL that the target sent into the client's terms. What points elsewhere stays.
func (p *place) url(u string) string {
	trimmed := strings.TrimSpace(u)
	switch {
	case trimmed == "":
		return u
	case strings.HasPrefix(trimmed, "/\\"), strings.HasPrefix(trimmed, "\\"):
		return u // not a path to a browser; leave it as foreign as it is
	case strings.HasPrefix(trimmed, "//"):
		if rest, ok := p.own(p.target.URL.Scheme + ":" + trimmed); ok {
			return p.public(rest)
		}
		return u
	case trimmed[0] == '/':
		return p.prefix + p.local(trimmed)
	}
	if rest, ok := p.own(trimmed); ok {
		return p.public(rest)
	}
	return u
}

// own reports whether an absolute URL points to the target's own origin, and what follows the authority.
func (p *place) own(u string) (string, bool) {
	scheme, rest, ok := strings.Cut(u, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	authority = withoutDefaultPort(strings.ToLower(scheme), strings.ToLower(authority))
	t := p.target
	if authority != t.authority && (t.HostHeader == "" || authority != withoutDefaultPort(t.URL.Scheme, strings.ToLower(t.HostHeader))) {
		return "", false
	}
	return rest[end:], true
}

// public makes a URL in the client's terms of what follows the target's authority.
func (p *place) public(rest string) string {
	if !strings.HasPrefix(rest, "/") {
		rest = "/" + rest
	}
	if p.prefix != "" {
		return p.prefix + p.local(rest)
	}
	return p.origin + p.local(rest)
}

// local takes the target's base path off an absolute path.
func (p *place) local(path string) string {
	base := p.target.base
	if base == "" {
		return path
	}
	if rest, ok := strings.CutPrefix(path, base); ok && (rest == "" || strings.ContainsRune("/?#", rune(rest[0]))) {
		if !strings.HasPrefix(rest, "/") {
			rest = "/" + rest
		}
		return rest
	}
	return path
}

func withoutDefaultPort(scheme, authority string) string {
	if scheme == "https" {
		return strings.TrimSuffix(authority, ":443")
	}
	return strings.TrimSuffix(authority, ":80")
}

// refresh rewrites the URL of a Refresh header: "5; url=/path".
func (p *place) refresh(v string) string {
	i := strings.Index(strings.ToLower(v), "url=")
	if i < 0 {
		return v
	}
	i += len("url=")
	u := strings.TrimSpace(v[i:])
	quote := ""
	if len(u) > 1 && (u[0] == '"' || u[0] == '\'') && u[len(u)-1] == u[0] {
		quote, u = u[:1], u[1:len(u)-1]
	}
	return v[:i] + quote + p.url(u) + quote
}

// links rewrites the targets of a Link header (RFC 8288).
func (p *place) links(v string) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(v, '<')
		if open < 0 {
			break
		}
		end := strings.IndexByte(v[open:], '>')
		if end < 0 {
			break
		}
		b.WriteString(v[:open+1])
		b.WriteString(p.url(v[open+1 : open+end]))
		v = v[open+end:]
	}
	b.WriteString(v)
	return b.String()
}

// authorityOf spells the authority of a URL without default port, in lower case.
func authorityOf(u *url.URL) string {
	return withoutDefaultPort(u.Scheme, strings.ToLower(u.Host))
}
