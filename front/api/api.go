// Package api is Weir's own HTTP interface: everything the command line can do, as JSON under /api/v1, with an OpenAPI
// 3.1 document made of the same Go types (/api/v1/openapi.json).
//
// It must never decide who may do what: it finds out who calls and hands that to the service. Every operation asks for a
// personal token but those that are marked public where they are declared. Cookies are not looked at, so a page in
// somebody's browser can do nothing here. Safe for concurrent use.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"weir"
	"weir/service"
	"weir/vault/secret"
)

// Prefix is where the API begins.
const Prefix = "/api/v1"

// maxBody is the largest request body in bytes.
const maxBody = 1 << 20

// Options are what a Handler needs besides the service.
type Options struct {
	Version string
	Log     *slog.Logger // gets internal errors, which callers do not see
}

// Handler serves the API.
type Handler struct {
	service *service.Service
	opt     Options
	mux     *http.ServeMux
	doc     *huma.OpenAPI
	public  map[string]bool // "METHOD /path" that need no token
}

// New makes a Handler.
func New(s *service.Service, opt Options) (*Handler, error) {
	if s == nil || opt.Log == nil {
		return nil, errors.New("api without service or log")
	}
	h := &Handler{service: s, opt: opt, mux: http.NewServeMux(), public: make(map[string]bool)}
	c := huma.DefaultConfig("Weir", opt.Version)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = Prefix+"/openapi", "", Prefix+"/schemas"
	c.CreateHooks = nil // no $schema in answers
	c.Info.Description = "The gateway's own API. Errors are problem documents (RFC 9457)."
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "a personal token: weir tokens add, or weir login"},
	}
	a := humago.New(h.mux, c)
	h.doc = a.OpenAPI()
	h.me(a)
	h.users(a)
	h.access(a)
	h.proofs(a)
	h.requests(a)
	h.sessions(a)
	h.evidence(a)
	for _, ext := range []string{".json", ".yaml"} {
		h.public["GET "+Prefix+"/openapi"+ext] = true
	}
	return h, nil
}

// OpenAPI is the document of the API, as JSON.
func (h *Handler) OpenAPI() ([]byte, error) { return json.MarshalIndent(h.doc, "", "  ") }

type identityKey struct{}

// WithIdentity makes requests with the context act for an identity that was proved elsewhere: by the operating
// system, for the admin socket.
func WithIdentity(ctx context.Context, who weir.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, &who)
}

func caller(ctx context.Context) *weir.Identity {
	who, _ := ctx.Value(identityKey{}).(*weir.Identity)
	return who
}

type tokenKey struct{}

// still returns what asks whether the caller's token is good yet, for answers that last.
func (h *Handler) still(ctx context.Context) func() error {
	token, ok := ctx.Value(tokenKey{}).(secret.String)
	if !ok {
		return func() error { return nil } // the admin socket: the process that owns it can do as it likes
	}
	client := clientOf(ctx)
	return func() error {
		_, err := h.service.Identify(ctx, token, client)
		return err
	}
}

type clientKey struct{}

func clientOf(ctx context.Context) weir.Client {
	c, _ := ctx.Value(clientKey{}).(weir.Client)
	return c
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	agent := r.UserAgent()
	if len(agent) > 200 {
		agent = agent[:200]
	}
	ctx := context.WithValue(r.Context(), clientKey{}, weir.Client{Addr: addr, Agent: agent})
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Security-Policy", "default-src 'none'")
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if caller(ctx) == nil && !h.public[r.Method+" "+r.URL.Path] {
		who, token, err := h.identify(ctx, r)
		if err != nil {
			head.Set("WWW-Authenticate", `Bearer realm="weir"`)
			h.problem(ctx, err).write(w)
			return
		}
		ctx = context.WithValue(WithIdentity(ctx, who), tokenKey{}, token)
	}
	h.mux.ServeHTTP(w, r.WithContext(ctx))
}

func (h *Handler) identify(ctx context.Context, r *http.Request) (weir.Identity, secret.String, error) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || text == "" {
		return weir.Identity{}, secret.String{}, &weir.Denied{Kind: weir.DeniedIdentity, Reason: "this needs a personal token in the header Authorization: Bearer TOKEN",
			Hint: "make one with: weir login, or weir tokens add"}
	}
	token := secret.New(strings.TrimSpace(text))
	who, err := h.service.Identify(ctx, token, clientOf(ctx))
	return who, token, err
}

// body is an answer with a JSON body.
type body[T any] struct{ Body T }

// none is the input or the answer of an operation without any.
type none struct{}

// add declares one operation. A token is asked for unless open is true.
func add[I, O any](h *Handler, a huma.API, op huma.Operation, open bool, f func(ctx context.Context, who *weir.Identity, in *I) (O, error)) {
	op.Path = Prefix + op.Path
	if open {
		h.public[op.Method+" "+op.Path] = true
	} else {
		op.Security = []map[string][]string{{"token": {}}}
	}
	op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
	huma.Register(a, op, func(ctx context.Context, in *I) (*body[O], error) {
		who := caller(ctx)
		if who == nil && !open {
			return nil, h.problem(ctx, weir.NewError(weir.Unauthenticated, "sign in first", nil))
		}
		out, err := f(ctx, who, in)
		if err != nil {
			return nil, h.problem(ctx, err)
		}
		return &body[O]{Body: out}, nil
	})
}

// op is the short form of an operation.
func op(id, method, path, tag, summary string) huma.Operation {
	o := huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary}
	if method == http.MethodPost {
		o.DefaultStatus = http.StatusOK
	}
	return o
}
