package httpgate

import (
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/url"
	"strings"

	"weir"
)

// refusalTable maps kinds of refusal to status and title.
var refusalTable = map[weir.DenyKind]struct {
	status int
	title  string
}{
	weir.DeniedByFault:    {http.StatusServiceUnavailable, "The gateway could not check this request"},
	weir.DeniedByRule:     {http.StatusForbidden, "Denied by a rule"},
	weir.DeniedUnapproved: {http.StatusForbidden, "Approval required"},
	weir.DeniedContent:    {http.StatusForbidden, "Unreadable content"},
	weir.DeniedSession:    {http.StatusUnauthorized, "The session has ended"},
	weir.DeniedIdentity:   {http.StatusUnauthorized, "Not authorized"},
	weir.DeniedRate:       {http.StatusTooManyRequests, "Too many attempts"},
	weir.DeniedTarget:     {http.StatusBadGateway, "The target is unavailable"},
	weir.DeniedRequest:    {http.StatusBadRequest, "Bad request"},
}

// problem is a problem document (RFC 9457).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Instance  string `json:"instance,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	Rule      string `json:"rule,omitempty"`
	Hint      string `json:"hint,omitempty"`
}

// refuse tells the client why there is no answer.
func (c *call) refuse(d *weir.Denied) {
	e, ok := refusalTable[d.Kind]
	if !ok {
		e = refusalTable[weir.DeniedByFault]
	}
	status := e.status
	switch {
	case d.Kind == weir.DeniedTarget && timedOut(d.Err):
		status = http.StatusGatewayTimeout
	case d.Kind == weir.DeniedIdentity && c.session != nil:
		status = http.StatusForbidden
	case d.Kind == weir.DeniedRequest:
		c.closeAfter()
	}
	c.problem(d, status, e.title)
}

// closeAfter ends an HTTP/1 connection after the answer: what follows on it may not be what it seems.
func (c *call) closeAfter() { c.exit.mustClose = c.r.ProtoMajor == 1 }

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// methodRefused answers CONNECT and TRACE, which no resource supports.
func (c *call) methodRefused() {
	c.closeAfter()
	c.problem(malformed("the method "+c.r.Method+" is not available through the gateway", ""), http.StatusMethodNotAllowed, "Method not allowed")
}

func (c *call) problem(d *weir.Denied, status int, title string) {
	p := problem{
		Type: "urn:weir:problem:" + d.Kind.String(), Title: title, Status: status, Detail: d.Reason,
		Instance: string(d.Request), RequestID: string(d.Request), Rule: d.Rule, Hint: d.Hint,
	}
	if p.Detail == "" {
		p.Detail = title
	}
	header := map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
	if d.Request != "" {
		header["Weir-Request-Id"] = string(d.Request)
	}
	if c.session != nil {
		header["Weir-Session"] = string(c.session.Info().ID)
	}
	if status == http.StatusTooManyRequests || d.Kind == weir.DeniedUnapproved {
		header["Retry-After"] = "10"
	}
	browser := wantsPage(c.r)
	if status == http.StatusUnauthorized {
		if login := c.loginURL(); browser && login != "" {
			header["Location"] = login
			c.exit.refusal(http.StatusFound, header, nil, c.r.Method == http.MethodHead)
			return
		}
		header["Www-Authenticate"] = `Bearer realm="weir", Basic realm="weir", charset="UTF-8"`
	}
	var body []byte
	if browser {
		header["Content-Type"] = "text/html; charset=utf-8"
		header["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
		header["Referrer-Policy"] = "no-referrer"
		body = p.page()
	} else {
		header["Content-Type"] = "application/problem+json"
		body, _ = json.Marshal(&p) // strings and a number: it cannot fail
		body = append(body, '\n')
	}
	c.exit.refusal(status, header, body, c.r.Method == http.MethodHead)
}

// wantsPage reports whether a browser asks for a page, rather than a program for data.
func wantsPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" || r.Header.Get("X-Requested-With") != "" {
		return false
	}
	for _, v := range r.Header["Accept"] {
		for item := range strings.SplitSeq(v, ",") {
			media, params, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.TrimSpace(media)) {
			case "text/html", "application/xhtml+xml":
				return !zeroWeight(params)
			case "application/json", "application/problem+json":
				return false
			}
		}
	}
	return false
}

// loginURL is where a browser proves who it is; "" when there is no such place or it asked for no page.
func (c *call) loginURL() string {
	if c.h.opt.LoginPath == "" || c.route.resource == "" || c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return ""
	}
	return c.h.opt.LoginPath + "?next=" + url.QueryEscape(c.route.prefix+c.route.uri)
}

// page is the problem as a page to read.
func (p *problem) page() []byte {
	var b strings.Builder
	esc := html.EscapeString
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
		`<title>` + esc(p.Title) + `</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:38em;margin:12vh auto;padding:0 1em;` +
		`color:#1c2430;background:#fbfbfa}h1{font-size:1.4em}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1em;color:#566}` +
		`dd{margin:0;font-family:ui-monospace,monospace}@media(prefers-color-scheme:dark){body{color:#e6e6e3;background:#15191f}dl{color:#9aa}}</style>`)
	b.WriteString(`<h1>` + esc(p.Title) + `</h1><p>` + esc(p.Detail) + `</p>`)
	if p.Hint != "" {
		b.WriteString(`<p>` + esc(p.Hint) + `</p>`)
	}
	b.WriteString(`<dl>`)
	for _, row := range [...][2]string{{"Rule", p.Rule}, {"Request", p.RequestID}} {
		if row[1] != "" {
			b.WriteString(`<dt>` + row[0] + `</dt><dd>` + esc(row[1]) + `</dd>`)
		}
	}
	b.WriteString(`</dl></html>` + "\n")
	return []byte(b.String())
}
