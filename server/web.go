package server

import (
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"weir"
	"weir/front/api"
	"weir/vault/secret"
)

// loginPath is served on every host, before resources are looked for.
const loginPath = "/.weir/login"

// web is the web listener's handler: resources, the API, the login page and what operators ask for.
type web struct {
	s       *Server
	api     http.Handler
	metrics http.Handler
	foreign *http.CrossOriginProtection
}

func (h *web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == loginPath:
		h.login(w, r)
	case h.s.http.Matches(r):
		h.s.http.ServeHTTP(w, r)
	case strings.HasPrefix(path, api.Prefix+"/"):
		h.api.ServeHTTP(w, r)
	case path == "/healthz":
		plain(w, http.StatusOK, "ok\n")
	case path == "/readyz":
		h.ready(w, r)
	case path == "/metrics":
		h.scrape(w, r)
	case path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		page(w, http.StatusOK, pageData{Title: "Weir", Text: "This is a gateway. Resources are at /r/NAME/, the API is described at /api/v1/openapi.json."})
	default:
		plain(w, http.StatusNotFound, "nothing is here; resources are at /r/NAME/\n")
	}
}

// guarded turns a panic into an answer, and a line of the log that says where it was.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			// The value may hold traffic, so only its type is kept; the stack holds none.
			s.log.LogAttrs(r.Context(), slog.LevelError, "a request panicked", slog.String("panic", fmt.Sprintf("%T", v)), slog.String("stack", string(debug.Stack())))
			s.metrics.faults.WithLabelValues("web").Inc()
			plain(w, http.StatusInternalServerError, "internal error\n")
		}()
		next.ServeHTTP(w, r)
	})
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

func (h *web) ready(w http.ResponseWriter, r *http.Request) {
	if err := h.s.ready(r.Context()); err != nil {
		plain(w, http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n")
		return
	}
	plain(w, http.StatusOK, "ready\n")
}

// scrape shows metrics to this machine, and to administrators with a token from elsewhere.
func (h *web) scrape(w http.ResponseWriter, r *http.Request) {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	direct := err == nil && addr.Addr().Unmap().IsLoopback() && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
	if !direct {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		who, err := h.s.service.Identify(r.Context(), secret.New(token), weir.Client{Addr: addr})
		if !strings.EqualFold(scheme, "bearer") || err != nil || !who.Admin {
			w.Header().Set("WWW-Authenticate", `Bearer realm="weir"`)
			plain(w, http.StatusUnauthorized, "metrics are for administrators with a token, or for this machine; or set listen.metrics\n")
			return
		}
	}
	h.metrics.ServeHTTP(w, r)
}

// pageData is what a page shows.
type pageData struct {
	Title, Text, Error, Next, Resource string
	Form                               bool
}

var pageTable = template.Must(template.New("page").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:24em;margin:12vh auto;padding:0 1em;color:#1c2430;background:#fbfbfa}
h1{font-size:1.4em}label{display:block;margin:.8em 0}input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.4em;border:1px solid #9aa;border-radius:4px;background:inherit;color:inherit}
button{font:inherit;padding:.4em 1.4em;border:0;border-radius:4px;background:#1d5c8a;color:#fff}.error{color:#b3261e}
@media(prefers-color-scheme:dark){body{color:#e6e6e3;background:#15191f}.error{color:#ff8a80}}</style>
<h1>{{.Title}}</h1>{{with .Text}}<p>{{.}}</p>{{end}}{{with .Error}}<p class="error" role="alert">{{.}}</p>{{end}}
{{if .Form}}<form method="post"><input type="hidden" name="next" value="{{.Next}}">
<label>User<input name="user" autocomplete="username" required autofocus maxlength="64"></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required maxlength="1024"></label>
<button>Sign in</button></form>{{end}}</html>
`))

func page(w http.ResponseWriter, status int, d pageData) {
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Cache-Control", "no-store")
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = pageTable.Execute(w, d) // the client is gone when this fails
}

// next checks where a browser goes after it has signed in: a path on the host it called, nothing else. cookie is the name and
// cookiePath the reach of the cookie that the resource there accepts.
func (h *web) next(r *http.Request) (next, resource, cookie, cookiePath string) {
	next = r.FormValue("next")
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t\x00") || len(next) > 4096 {
		return "/", "", "", ""
	}
	probe := &http.Request{Host: r.Host, RequestURI: "/"}
	if h.s.http.Matches(probe) { // the host itself names the resource
		return next, strings.SplitN(r.Host, ".", 2)[0], "__Host-weir", "/"
	}
	rest, ok := strings.CutPrefix(next, "/r/")
	if !ok {
		return next, "", "", ""
	}
	name, _, _ := strings.Cut(rest, "/")
	name, _, _ = strings.Cut(name, "?")
	if _, known := h.s.now.Load().byName[name]; !known {
		return next, "", "", ""
	}
	return next, name, "weir-" + name, "/r/" + name + "/"
}

func (h *web) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	next, resource, cookie, path := h.next(r)
	d := pageData{Title: "Sign in", Next: next, Form: true}
	if resource != "" {
		d.Text = "to reach " + resource
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		page(w, http.StatusOK, d)
		return
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		plain(w, http.StatusMethodNotAllowed, "sign in with a form\n")
		return
	}
	if err := h.foreign.Check(r); err != nil {
		d.Error = "Another site asked for this. Fill in the form here."
		page(w, http.StatusForbidden, d)
		return
	}
	if cookie == "" {
		d.Error = "There is nothing to sign in to. Open the resource first."
		page(w, http.StatusBadRequest, d)
		return
	}
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	_, value, until, err := h.s.service.SignIn(r.Context(), r.PostFormValue("user"), secret.New(r.PostFormValue("password")), weir.Client{Addr: addr, Agent: cut(r.UserAgent())})
	if err != nil {
		kind, public := weir.PublicOf(err)
		status := http.StatusUnauthorized
		switch kind {
		case weir.RateLimited:
			status = http.StatusTooManyRequests
		case weir.Internal, weir.Unavailable:
			status = http.StatusServiceUnavailable
		default:
		}
		d.Error = public
		page(w, status, d)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookie, Value: value, Path: path, Expires: until, HttpOnly: true, Secure: r.TLS != nil || strings.HasPrefix(cookie, "__Host-"), SameSite: http.SameSiteLaxMode,
	})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func cut(s string) string {
	if len(s) > 200 {
		return s[:200]
	}
	return s
}

var errDraining = errors.New("the gateway is shutting down")

// httpServer is a server with bounds on what a client may cost.
func httpServer(h http.Handler, headers int) *http.Server {
	if headers == 0 {
		headers = 64 << 10
	}
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: headers}
}
