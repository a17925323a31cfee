package httpgate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"weir/gate/session"
	"weir/gate/wire"
)

// Defaults of Options, and of Target.MaxHeldBody.
const (
	DefaultIdle         = 5 * time.Minute
	DefaultMaxHeldBody  = 1 << 20
	DefaultMaxMessage   = 16 << 20
	DefaultMaxSessions  = 10_000
	DefaultWriteTimeout = 60 * time.Second
)

// Options are what a Handler may be told. Only Now is required.
type Options struct {
	// Hosts are the names of the web host, without ports. A resource is reached at RESOURCE.<host>.
	// "localhost" is always one.
	Hosts []string
	// LoginPath is where browsers are sent to prove who they are, on the host they called; "?next=" and the path
	// they asked for is added. Empty: they get a page that says what is missing.
	LoginPath string
	// MaxHeldBody is the largest body, in bytes, of a request that can be held for approval. A Target may name its own.
	MaxHeldBody int64
	// MaxMessage is the largest WebSocket message in bytes.
	MaxMessage int64
	// Idle is how long a session lives without a request.
	Idle time.Duration
	// MaxSessions bounds the sessions that are kept between requests.
	MaxSessions int
	// WriteTimeout is how long one write to a client may take.
	WriteTimeout time.Duration
	// Now is the clock. Required.
	Now func() time.Time
	// OnFault is told of a panic in the engine. It gets no traffic. May be nil.
	OnFault func(where string, err error)
}

// Target is an HTTP resource's far end. Make it with NewTarget; it is immutable from then on. A hand-made one refuses.
type Target struct {
	// URL is where the target is: http or https, and a base path if it has one.
	URL *url.URL
	// RoundTripper carries requests to it. It must not follow redirects nor decode answers. Client certificates live in it.
	RoundTripper http.RoundTripper
	// Credential is put into every request. The zero value adds none.
	Credential Credential
	// AllowOpaque lists the media types that pass although they cannot be looked into ("application/octet-stream"),
	// and "websocket-binary". Whoever fills it must also put it into the resource's Exceptions.
	AllowOpaque []string
	// HostHeader is sent as Host; empty sends the URL's.
	HostHeader string
	// MaxHeldBody overrides Options.MaxHeldBody when it is not zero.
	MaxHeldBody int64

	authority string // of URL, as rewriting compares it
	base      string // the path of URL without a slash at its end
	ready     bool
}

// NewTarget checks t and returns a copy that can be used. Errors name the field and the fix.
func NewTarget(t Target) (*Target, error) {
	switch {
	case t.URL == nil || t.URL.Host == "":
		return nil, errors.New("target address: name a URL such as http://10.0.0.9:8080")
	case t.URL.Scheme != "http" && t.URL.Scheme != "https":
		return nil, fmt.Errorf("target address: scheme %q is not http or https", t.URL.Scheme)
	case t.URL.User != nil:
		return nil, errors.New("target address: put the credential into `credential`, not into the URL")
	case t.URL.RawQuery != "" || t.URL.Fragment != "" || t.URL.Opaque != "":
		return nil, errors.New("target address: a URL with a query or a fragment cannot be a target")
	case t.RoundTripper == nil:
		return nil, errors.New("target without a round tripper")
	}
	if err := t.Credential.check(); err != nil {
		return nil, err
	}
	u := *t.URL
	t.URL = &u
	t.AllowOpaque = slices.Clone(t.AllowOpaque)
	t.authority = authorityOf(&u)
	t.base = strings.TrimRight(u.EscapedPath(), "/")
	t.ready = true
	return &t, nil
}

// host is what the target is called in the Host header.
func (t *Target) host() string {
	if t.HostHeader != "" {
		return t.HostHeader
	}
	return t.URL.Host
}

// Handler serves all HTTP resources.
type Handler struct {
	gate     *session.Gate
	targets  func(resource string) (*Target, bool)
	opt      Options
	sessions *sessions
	coders   coders
	buffers  wire.Pool
}

var _ http.Handler = (*Handler)(nil)

// New makes a Handler. targets finds a resource's target and must be fast; it is asked once for each request.
// Close must be called.
func New(gate *session.Gate, targets func(resource string) (*Target, bool), opt Options) (*Handler, error) {
	if gate == nil || targets == nil || opt.Now == nil {
		return nil, errors.New("http engine without a gate, targets or a clock")
	}
	opt.Hosts = append(slices.Clone(opt.Hosts), "localhost")
	for i, h := range opt.Hosts {
		opt.Hosts[i] = strings.ToLower(strings.TrimSuffix(h, "."))
	}
	orElse(&opt.MaxHeldBody, DefaultMaxHeldBody)
	orElse(&opt.MaxMessage, DefaultMaxMessage)
	orElse(&opt.Idle, DefaultIdle)
	orElse(&opt.MaxSessions, DefaultMaxSessions)
	orElse(&opt.WriteTimeout, DefaultWriteTimeout)
	if opt.OnFault == nil {
		opt.OnFault = func(string, error) {}
	}
	return &Handler{gate: gate, targets: targets, opt: opt, sessions: newSessions(gate, &opt)}, nil
}

func orElse[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Close ends all sessions that the handler keeps and refuses new ones. Requests that run are cancelled.
func (h *Handler) Close() { h.sessions.close() }

// Matches reports whether the request is for a resource: RESOURCE.<web host>, or /r/RESOURCE/ on any host.
func (h *Handler) Matches(r *http.Request) bool {
	_, ok := h.locate(r)
	return ok
}

// ServeHTTP answers one request for a resource.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rt, ok := h.locate(r)
	if !ok {
		rt = route{uri: r.RequestURI}
	}
	c := &call{h: h, r: r, route: rt, exit: exit{w: w, pool: &h.buffers, timeout: h.opt.WriteTimeout, now: h.opt.Now}}
	if r.ProtoMajor == 1 {
		c.exit.client = wire.ClientOf(r.Context())
	}
	defer func() { c.finish(recover()) }()
	c.serve()
}

// route says which resource a request is for, and where on it.
type route struct {
	resource string
	prefix   string // "/r/RESOURCE" in path mode
	host     string // the web host with its port, in host mode
	uri      string // path and query as sent, without prefix
	absolute bool   // the request line named scheme and host
}

// path and query are the two halves of the URI, as sent.
func (rt *route) path() string  { p, _, _ := strings.Cut(rt.uri, "?"); return p }
func (rt *route) query() string { _, q, _ := strings.Cut(rt.uri, "?"); return q }

// locate finds the resource by the request line and Host as they were sent.
func (h *Handler) locate(r *http.Request) (route, bool) {
	rt := route{uri: r.RequestURI}
	if rt.uri != "" && rt.uri[0] != '/' {
		_, rest, ok := strings.Cut(rt.uri, "://")
		if !ok {
			return rt, false
		}
		rt.absolute = true
		if i := strings.IndexAny(rest, "/?"); i < 0 {
			rt.uri = "/"
		} else if rt.uri = rest[i:]; rt.uri[0] == '?' {
			rt.uri = "/" + rt.uri
		}
	}
	if label, web, ok := h.label(r.Host); ok {
		rt.resource, rt.host = label, web
		return rt, true
	}
	rest, ok := strings.CutPrefix(rt.uri, "/r/")
	if !ok {
		return rt, false
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	name := rest[:end]
	if !resourceName(name) {
		return rt, false
	}
	rt.resource, rt.prefix = name, rt.uri[:len("/r/")+end]
	if rt.uri = rest[end:]; rt.uri == "" || rt.uri[0] == '?' {
		rt.uri = "/" + rt.uri
	}
	return rt, true
}

// label splits RESOURCE.<web host>[:port].
func (h *Handler) label(host string) (resource, web string, ok bool) {
	name := host
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	name = strings.TrimSuffix(name, ".")
	for _, w := range h.opt.Hosts {
		n := len(name) - len(w) - 1
		if n > 0 && name[n] == '.' && strings.EqualFold(name[n+1:], w) && resourceName(name[:n]) {
			return strings.ToLower(name[:n]), host[n+1:], true
		}
	}
	return "", "", false
}

// webHost reports whether host is the web host itself.
func (h *Handler) webHost(host string) bool {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return slices.Contains(h.opt.Hosts, strings.ToLower(strings.TrimSuffix(host, ".")))
}

// resourceName reports whether s can name a resource at all.
func resourceName(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return s != "." && s != ".."
}

// detached keeps the values of a request's context but not its end: a session outlives the request that began it.
func detached(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }
