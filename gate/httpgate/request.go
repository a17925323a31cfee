package httpgate

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"weir"
)

// hopByHopTable lists headers that concern one connection only (RFC 9110, 7.6.1), and their forerunners.
var hopByHopTable = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Http2-Settings": true,
}

func hopByHop(name string) bool { return hopByHopTable[name] }

// dropTable lists request headers that are not forwarded: what the gateway sets itself, and what clients
// could deceive the target with.
var dropTable = map[string]bool{
	authorization: true, "Cookie": true, // put back by outgoing when they are the client's own
	"Host": true, "Content-Length": true, "Expect": true, "Accept-Encoding": true,
	"Range": true, "If-Range": true, // what is masked is never answered in parts
	"Forwarded": true, "X-Real-Ip": true, "X-Client-Ip": true, "True-Client-Ip": true, "Cf-Connecting-Ip": true,
	"Fastly-Client-Ip": true, "X-Cluster-Client-Ip": true, "X-Envoy-External-Address": true, "X-Azure-Clientip": true,
	"If-Match": true, "If-None-Match": true, // put back in the target's terms
}

// refusedTable lists request headers that make some targets take another path than the one that was decided on.
var refusedTable = map[string]bool{
	"X-Original-Url": true, "X-Rewrite-Url": true, "X-Original-Uri": true, "X-Envoy-Original-Path": true,
	"X-Override-Url": true, "X-Http-Destinationurl": true,
}

// methodTable lists request headers that make some targets take another method than the one that was decided on.
var methodTable = map[string]bool{
	"X-Http-Method-Override": true, "X-Http-Method": true, "X-Method-Override": true,
}

// malformed is a refusal of the request itself. It closes the connection, because what follows
// on it may not be what it seems.
func malformed(reason, hint string) *weir.Denied {
	return &weir.Denied{Kind: weir.DeniedRequest, Reason: reason, Hint: hint}
}

// inspect refuses requests that this gateway and some target could read differently. Much of it net/http
// has done: invalid and repeated lengths, codings other than chunked, invalid header bytes.
func (c *call) inspect() *weir.Denied {
	r := c.r
	switch {
	case c.route.resource == "":
		return malformed("this is no path of a resource", "use /r/RESOURCE/…")
	case r.Host == "" || strings.ContainsAny(r.Host, "/\\@?# "):
		return malformed("the Host header is missing or malformed", "")
	case c.route.absolute && c.route.prefix != "" && !c.h.webHost(r.Host):
		return malformed("the request line names another host", "send the path only")
	case len(r.Header["Host"]) > 0 && (len(r.Header["Host"]) > 1 || r.Header["Host"][0] != r.Host):
		return malformed("the request names two hosts", "")
	case len(r.TransferEncoding) > 1 || len(r.TransferEncoding) == 1 && r.TransferEncoding[0] != "chunked":
		return malformed("the transfer coding is not chunked", "")
	case len(r.TransferEncoding) == 1 && len(r.Header["Content-Length"]) > 0, len(r.Header["Content-Length"]) > 1:
		return malformed("the request says its length twice", "")
	case len(r.Header["Transfer-Encoding"]) > 0:
		return malformed("the request says its transfer coding twice", "")
	}
	if d := inspectURI(c.route.uri, r.Method); d != nil {
		return d
	}
	return c.inspectHeader()
}

func inspectURI(uri, method string) *weir.Denied {
	if method == "" || len(uri) == 0 || uri[0] != '/' {
		return malformed("the request line is malformed", "")
	}
	for i := range len(uri) {
		if b := uri[i]; b <= ' ' || b == 0x7f || b == '#' {
			return malformed("the path holds a blank, a control character or a fragment", "percent-encode it")
		}
	}
	if placeholderIn(uri) {
		return heldPlaceholder()
	}
	return nil
}

func heldPlaceholder() *weir.Denied {
	return malformed("the request holds a masked value: [masked:…] stands for a secret that the gateway does not give out",
		"take the placeholder out; sending it would overwrite the secret")
}

func (c *call) inspectHeader() *weir.Denied {
	for name, values := range c.r.Header {
		if refusedTable[name] {
			return malformed("the header "+name+" is not allowed: it can make a target take another path", "leave it out")
		}
		if methodTable[name] && (len(values) != 1 || !strings.EqualFold(strings.TrimSpace(values[0]), c.r.Method)) {
			return malformed("the header "+name+" names another method than the request", "use the method itself")
		}
		if strings.IndexByte(name, '_') >= 0 && c.protected(http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))) {
			return malformed("a header with an underscore looks like a protected one to some targets", "leave it out")
		}
		if name == "Cookie" || name == "Referer" {
			continue
		}
		for _, v := range values {
			if placeholderIn(v) {
				return heldPlaceholder()
			}
		}
	}
	return nil
}

// protected reports the headers that only the gateway sets or judges.
func (c *call) protected(name string) bool {
	return hopByHop(name) || dropTable[name] || refusedTable[name] || methodTable[name] || ownHeader(name) ||
		strings.HasPrefix(name, "X-Forwarded-")
}

// ownHeader reports the gateway's own headers. The target neither sees nor sets them.
func ownHeader(name string) bool { return strings.HasPrefix(name, "Weir-") }

// outgoing makes the header to forward, without the credential and without the X-Forwarded headers:
// what policy decides on is what the client sent. It refuses a request that repeats its credential.
func (c *call) outgoing(cred *presented) (http.Header, *weir.Denied) {
	in := c.r.Header
	out := make(http.Header, len(in)+6)
	listed := connectionListed(in["Connection"])
	for name, values := range in {
		if hopByHop(name) || dropTable[name] || ownHeader(name) || strings.HasPrefix(name, "X-Forwarded-") || slices.Contains(listed, name) {
			continue
		}
		if strings.IndexByte(name, '_') >= 0 && http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-")) == c.target.Credential.name {
			return nil, malformed("a header with an underscore looks like the credential's to some targets", "leave it out")
		}
		for _, v := range values {
			if cred.in(v) {
				return nil, malformed("the header "+name+" repeats the credential that was shown to the gateway", "send it in one place only")
			}
		}
		if name == "Referer" && placeholderIn(values[0]) {
			continue
		}
		out[name] = values
	}
	if v := filterCookies(in["Cookie"], ""); v != "" {
		if cred.in(v) {
			return nil, malformed("a cookie repeats the credential that was shown to the gateway", "send it in one place only")
		}
		out["Cookie"] = []string{v}
	}
	if v := in[authorization]; cred.own && len(v) == 1 && !cred.same(v[0]) {
		out[authorization] = v
	}
	if cred.in(c.route.uri) {
		return nil, malformed("the URL repeats the credential that was shown to the gateway", "send it in a header only")
	}
	if slices.Contains(in["Te"], "trailers") {
		out["Te"] = []string{"trailers"}
	}
	conditions(in, out)
	out["Accept-Encoding"] = []string{c.accept.header()}
	if _, ok := out["User-Agent"]; !ok {
		out["User-Agent"] = nil // not net/http's own
	}
	return out, nil
}

// connectionListed returns the canonical names that Connection headers list.
func connectionListed(values []string) []string {
	var out []string
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" && !strings.EqualFold(name, "keep-alive") && !strings.EqualFold(name, "close") {
				out = append(out, http.CanonicalHeaderKey(name))
			}
		}
	}
	return out
}

// conditions puts conditional headers into the target's terms: clients are given weak tags where the target
// gave strong ones, because the masked bytes are others. For If-None-Match both are sent, as weak comparison ignores
// the difference but not every server compares so; for If-Match the target needs its own strong tag.
func conditions(in, out http.Header) {
	if v := in["If-Match"]; len(v) > 0 {
		out["If-Match"] = []string{strings.ReplaceAll(strings.Join(v, ", "), `W/"`, `"`)}
	}
	if v := in["If-None-Match"]; len(v) > 0 {
		weak := strings.Join(v, ", ")
		if strings.Contains(weak, `W/"`) {
			weak += ", " + strings.ReplaceAll(weak, `W/"`, `"`)
		}
		out["If-None-Match"] = []string{weak}
	}
}

// forwarded tells the target who asks, and where.
func (c *call) forwarded(h http.Header) {
	scheme := "http"
	if c.r.TLS != nil {
		scheme = "https"
	}
	h["X-Forwarded-For"] = []string{c.client.Addr.Addr().Unmap().String()}
	h["X-Forwarded-Host"] = []string{c.r.Host}
	h["X-Forwarded-Proto"] = []string{scheme}
}

// targetURL makes the URL of the request to the target. Path and query go out byte by byte as they came in.
func targetURL(t *Target, rt *route) (*url.URL, *weir.Denied) {
	path, query, has := strings.Cut(rt.uri, "?")
	u := &url.URL{Scheme: t.URL.Scheme, Host: t.URL.Host, RawQuery: query, ForceQuery: has && query == ""}
	if t.base != "" && climbs(path) {
		return nil, malformed("the path holds dot segments", "send the path they lead to")
	}
	full := t.base + path
	if !strings.HasPrefix(full, "//") {
		u.Opaque = full // sent as it is
		return u, nil
	}
	// An opaque URL cannot begin with two slashes, so these paths must survive escaping.
	plain, err := url.PathUnescape(full)
	u.Path, u.RawPath = plain, full
	if err != nil || u.EscapedPath() != full {
		return nil, malformed("the path begins with two slashes and holds characters that must be percent-encoded", "percent-encode them")
	}
	return u, nil
}

// climbs reports dot segments, also escaped ones.
func climbs(path string) bool {
	if p, err := url.PathUnescape(path); err == nil {
		path = p
	}
	for seg := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if seg == ".." || seg == "." || strings.HasPrefix(seg, "..;") {
			return true
		}
	}
	return false
}

// queryOf reads a raw query in every way a target may: pairs that do not decode are under their raw
// name, and where semicolons stand both readings are given.
func queryOf(raw string) map[string][]string {
	if raw == "" {
		return nil
	}
	out := make(map[string][]string)
	add := func(pair string) {
		if pair == "" {
			return
		}
		key, value, _ := strings.Cut(pair, "=")
		if k, err := url.QueryUnescape(key); err == nil {
			key = k
		}
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		}
		out[key] = append(out[key], value)
	}
	for pair := range strings.SplitSeq(raw, "&") {
		add(pair)
		if strings.IndexByte(pair, ';') >= 0 {
			for part := range strings.SplitSeq(pair, ";") {
				add(part)
			}
		}
	}
	return out
}

// command says what the client asks for. header is what will be forwarded of its own.
func (c *call) command(t *Target, header http.Header) *weir.Command {
	cmd := &weir.Command{
		Operation: c.r.Method, Text: c.r.Method + " " + c.route.uri,
		HTTP: &weir.HTTPRequest{
			Method: c.r.Method, Host: t.host(), Path: c.route.path(), Query: queryOf(c.route.query()), Header: header,
		},
	}
	cmd.Parameters = func() ([]byte, error) { return c.parameters(t, header) }
	return cmd
}

// webSocketWanted reports a WebSocket handshake. Any other upgrade is ignored, as RFC 9110 allows.
func webSocketWanted(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && hasToken(r.Header["Connection"], "upgrade") && hasToken(r.Header["Upgrade"], "websocket")
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}

// crossSite reports requests that a foreign page made a browser send with its cookie: those that may
// change something, and WebSockets, which no browser protects.
func crossSite(r *http.Request) bool {
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	if safe && !hasToken(r.Header["Upgrade"], "websocket") {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	_, host, _ := strings.Cut(origin, "://")
	return !strings.EqualFold(host, r.Host)
}
