package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"weir"
	"weir/access/identity"
	"weir/service"
)

// AccessBody asks for an access key.
type AccessBody struct {
	Resource string `json:"resource" minLength:"1" maxLength:"64"`
	As       string `json:"as,omitempty" maxLength:"64" doc:"another user; for administrators"`
	TTL      string `json:"ttl,omitempty" doc:"such as 30m or 8h; as long as access is granted when absent"`
}

// TokenBody asks for a personal token.
type TokenBody struct {
	User string `json:"user,omitempty" maxLength:"64" doc:"another user; for administrators"`
	Name string `json:"name,omitempty" maxLength:"64"`
	TTL  string `json:"ttl,omitempty" doc:"such as 12h or 30d"`
}

// GrantBody gives access to a user or a group.
type GrantBody struct {
	User     string `json:"user,omitempty" maxLength:"64"`
	Group    string `json:"group,omitempty" maxLength:"64"`
	Resource string `json:"resource" minLength:"1" maxLength:"128" doc:"a name, or a pattern with *"`
	TTL      string `json:"ttl,omitempty" doc:"from now on; this or expires"`
	Expires  string `json:"expires,omitempty" format:"date-time"`
}

// Owned is the input of lists of what users own.
type Owned struct {
	User string `query:"user" maxLength:"64" doc:"another user, or * for all; for administrators"`
}

func (h *Handler) access(a huma.API) {
	add(h, a, op("list-resources", http.MethodGet, "/resources", "resources", "What the caller may reach"), false,
		func(ctx context.Context, who *weir.Identity, _ *none) ([]service.ResourceView, error) {
			return h.service.Resources(ctx, who)
		})
	add(h, a, op("issue-access", http.MethodPost, "/access", "resources", "Issue an access key for one resource"), false,
		func(ctx context.Context, who *weir.Identity, in *struct{ Body AccessBody }) (service.Access, error) {
			ttl, err := ParseTTL(in.Body.TTL)
			if err != nil {
				return service.Access{}, err
			}
			return h.service.Access(ctx, who, in.Body.Resource, in.Body.As, ttl)
		})
	add(h, a, op("list-access", http.MethodGet, "/access", "resources", "Access keys"), false,
		func(ctx context.Context, who *weir.Identity, in *Owned) ([]service.Credential, error) {
			return h.service.Keys(ctx, who, in.User)
		})
	add(h, a, op("revoke-access", http.MethodDelete, "/access/{name}", "resources", "Revoke an access key and end its sessions"), false,
		func(ctx context.Context, who *weir.Identity, in *Named) (service.Credential, error) {
			return h.service.Revoke(ctx, who, in.Name)
		})
	add(h, a, op("list-tokens", http.MethodGet, "/tokens", "identity", "Personal tokens"), false,
		func(ctx context.Context, who *weir.Identity, in *Owned) ([]service.Credential, error) {
			return h.service.Tokens(ctx, who, in.User)
		})
	add(h, a, op("add-token", http.MethodPost, "/tokens", "identity", "Make a personal token"), false,
		func(ctx context.Context, who *weir.Identity, in *struct{ Body TokenBody }) (service.IssuedToken, error) {
			ttl, err := ParseTTL(in.Body.TTL)
			if err != nil {
				return service.IssuedToken{}, err
			}
			return h.service.AddToken(ctx, who, in.Body.User, in.Body.Name, ttl)
		})
	add(h, a, op("revoke-token", http.MethodDelete, "/tokens/{name}", "identity", "Revoke a personal token and end its sessions"), false,
		func(ctx context.Context, who *weir.Identity, in *Named) (service.Credential, error) {
			return h.service.Revoke(ctx, who, in.Name)
		})
	h.grants(a)
}

func (h *Handler) grants(a huma.API) {
	add(h, a, op("list-grants", http.MethodGet, "/grants", "resources", "Grants that count now"), false,
		func(ctx context.Context, who *weir.Identity, _ *none) ([]service.Grant, error) {
			return h.service.Grants(ctx, who)
		})
	add(h, a, op("add-grant", http.MethodPost, "/grants", "resources", "Let a user or a group reach resources until a time"), false,
		func(ctx context.Context, who *weir.Identity, in *struct{ Body GrantBody }) (service.Grant, error) {
			b := &in.Body
			if (b.TTL == "") == (b.Expires == "") {
				return service.Grant{}, weir.NewError(weir.Invalid, "a grant ends: give either ttl or expires", nil)
			}
			ttl, err := ParseTTL(b.TTL)
			if err != nil {
				return service.Grant{}, err
			}
			var until time.Time
			if b.Expires != "" {
				if until, err = time.Parse(time.RFC3339, b.Expires); err != nil {
					return service.Grant{}, weir.NewError(weir.Invalid, "expires is a time such as 2030-01-31T18:00:00Z", err)
				}
			}
			return h.service.AddGrant(ctx, who, b.User, b.Group, b.Resource, ttl, until)
		})
	add(h, a, op("revoke-grant", http.MethodDelete, "/grants/{name}", "resources", "Take a grant away and end the sessions that live by it"), false,
		func(ctx context.Context, who *weir.Identity, in *Named) (service.Grant, error) {
			return h.service.RevokeGrant(ctx, who, identity.GrantID(in.Name))
		})
}
