package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"weir"
	"weir/service"
	"weir/vault/secret"
)

// LoginBody proves a person by password.
type LoginBody struct {
	User     string `json:"user" minLength:"1" maxLength:"64"`
	Password string `json:"password" minLength:"1" maxLength:"1024"`
	Name     string `json:"name,omitempty" maxLength:"64" doc:"what the token is called"`
	TTL      string `json:"ttl,omitempty" doc:"how long the token lasts, such as 12h or 30d"`
}

func (h *Handler) me(a huma.API) {
	add(h, a, op("whoami", http.MethodGet, "/me", "identity", "Who the caller is"), false,
		func(_ context.Context, who *weir.Identity, _ *none) (service.Me, error) {
			return h.service.WhoAmI(who), nil
		})
	add(h, a, op("login", http.MethodPost, "/login", "identity", "Exchange a password for a personal token"), true,
		func(ctx context.Context, _ *weir.Identity, in *struct{ Body LoginBody }) (service.IssuedToken, error) {
			ttl, err := ParseTTL(in.Body.TTL)
			if err != nil {
				return service.IssuedToken{}, err
			}
			return h.service.Login(ctx, in.Body.User, secret.New(in.Body.Password), clientOf(ctx), in.Body.Name, ttl)
		})
	add(h, a, op("logout", http.MethodPost, "/logout", "identity", "Revoke the token this request is made with"), false,
		func(ctx context.Context, who *weir.Identity, _ *none) (none, error) {
			return none{}, h.service.SignOut(ctx, who)
		})
}

// UserBody is a user to be added.
type UserBody struct {
	Name     string   `json:"name" minLength:"1" maxLength:"64"`
	Machine  bool     `json:"machine,omitempty" doc:"a program: it may do what it is granted, but never approve"`
	Groups   []string `json:"groups,omitempty"`
	Admin    bool     `json:"admin,omitempty"`
	Password string   `json:"password,omitempty" maxLength:"1024" doc:"without one the user signs in with tokens and keys only"`
}

// UserChangeBody says what of a user changes; what is absent stays.
type UserChangeBody struct {
	Groups   *[]string `json:"groups,omitempty"`
	Admin    *bool     `json:"admin,omitempty"`
	Disabled *bool     `json:"disabled,omitempty"`
	Password *string   `json:"password,omitempty" maxLength:"1024"`
}

// Named is the input of operations on one thing.
type Named struct {
	Name string `path:"name" maxLength:"256"`
}

func (h *Handler) users(a huma.API) {
	add(h, a, op("list-users", http.MethodGet, "/users", "users", "All users"), false,
		func(ctx context.Context, who *weir.Identity, _ *none) ([]service.User, error) {
			return h.service.Users(ctx, who)
		})
	add(h, a, op("add-user", http.MethodPost, "/users", "users", "Add a user"), false,
		func(ctx context.Context, who *weir.Identity, in *struct{ Body UserBody }) (service.User, error) {
			b := &in.Body
			return h.service.AddUser(ctx, who, service.NewUser{
				Name: b.Name, Machine: b.Machine, Groups: b.Groups, Admin: b.Admin, Password: secret.New(b.Password),
			})
		})
	add(h, a, op("change-user", http.MethodPatch, "/users/{name}", "users", "Change a user"), false,
		func(ctx context.Context, who *weir.Identity, in *struct {
			Named
			Body UserChangeBody
		}) (service.User, error) {
			c := service.UserChange{Groups: in.Body.Groups, Admin: in.Body.Admin, Disabled: in.Body.Disabled}
			if in.Body.Password != nil {
				p := secret.New(*in.Body.Password)
				c.Password = &p
			}
			return h.service.ChangeUser(ctx, who, in.Name, c)
		})
	add(h, a, op("remove-user", http.MethodDelete, "/users/{name}", "users", "Remove a user, its credentials and its sessions"), false,
		func(ctx context.Context, who *weir.Identity, in *Named) (none, error) {
			return none{}, h.service.RemoveUser(ctx, who, in.Name)
		})
}

// ParseTTL reads a duration as Go writes it, or days as "30d". Empty is zero.
func ParseTTL(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	text, unit := s, 1
	if s[len(s)-1] == 'd' {
		text, unit = s[:len(s)-1]+"h", 24
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > (1<<62)/24 {
		return 0, weir.NewError(weir.Invalid, "a duration is written like 45m, 8h or 30d", nil)
	}
	return time.Duration(unit) * d, nil
}
