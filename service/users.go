package service

import (
	"context"
	"strings"
	"time"

	"weir"
	"weir/access/identity"
	"weir/vault/secret"
)

// User is a user as administrators see it.
type User struct {
	ID       weir.UserID `json:"id"`
	Name     string      `json:"name"`
	Kind     string      `json:"kind" doc:"human or machine"`
	Groups   []string    `json:"groups"`
	Admin    bool        `json:"admin"`
	Disabled bool        `json:"disabled"`
	Password bool        `json:"password" doc:"whether a password is set"`
	Created  time.Time   `json:"created"`
}

func viewUser(u *identity.User) User {
	groups := u.Groups
	if groups == nil {
		groups = []string{}
	}
	return User{
		ID: u.ID, Name: u.Name, Kind: u.Kind.String(), Groups: groups, Admin: u.Admin, Disabled: u.Disabled,
		Password: u.HasPassword, Created: u.Created,
	}
}

// Me is who the caller is.
type Me struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`
	Groups []string `json:"groups"`
	Admin  bool     `json:"admin"`
	Method string   `json:"method" doc:"how the caller proved who it is"`
}

// WhoAmI tells callers who they are.
func (s *Service) WhoAmI(who *weir.Identity) Me {
	groups := who.Groups
	if groups == nil {
		groups = []string{}
	}
	return Me{Name: who.Name, Kind: who.Kind.String(), Groups: groups, Admin: who.Admin, Method: who.Method}
}

// NewUser is what AddUser makes a user of.
type NewUser struct {
	Name     string
	Machine  bool
	Groups   []string
	Admin    bool
	Password secret.String // zero: the user signs in with tokens and keys only
}

// AddUser adds a user. Administrators only.
func (s *Service) AddUser(ctx context.Context, who *weir.Identity, n NewUser) (User, error) {
	if err := s.admin(ctx, who, "user.add"); err != nil {
		return User{}, err
	}
	kind := weir.Human
	if n.Machine {
		kind = weir.Machine
	}
	var u identity.User
	e := s.event(who, "user.add", attr("user", n.Name), attr("kind", kind.String()), attr("groups", strings.Join(n.Groups, ",")), attr("admin", yes(n.Admin)))
	err := s.give(ctx, e, func() (err error) {
		u, err = s.p.Identity.AddUser(ctx, identity.NewUser{Name: n.Name, Kind: kind, Groups: n.Groups, Admin: n.Admin, Password: n.Password})
		return err
	})
	return viewUser(&u), err
}

// Users lists all users. Administrators only.
func (s *Service) Users(ctx context.Context, who *weir.Identity) ([]User, error) {
	if err := s.admin(ctx, who, "user.list"); err != nil {
		return nil, err
	}
	list, err := s.p.Identity.ListUsers(ctx)
	out := make([]User, 0, len(list))
	for i := range list {
		out = append(out, viewUser(&list[i]))
	}
	return out, err
}

// RemoveUser removes a user with all credentials and ends the user's sessions. Administrators only.
func (s *Service) RemoveUser(ctx context.Context, who *weir.Identity, name string) error {
	if err := s.admin(ctx, who, "user.remove"); err != nil {
		return err
	}
	return s.take(ctx, s.event(who, "user.remove", attr("user", name)), func() error {
		u, err := s.p.Identity.UserNamed(ctx, name)
		if err != nil {
			return err
		}
		return s.p.Identity.RemoveUser(ctx, u.ID)
	})
}

// UserChange is what ChangeUser changes; nil fields stay.
type UserChange struct {
	Groups   *[]string
	Admin    *bool
	Disabled *bool
	Password *secret.String
}

// ChangeUser changes a user. Users may change their own password, administrators everything. Sessions
// that the user may no longer have are ended.
func (s *Service) ChangeUser(ctx context.Context, who *weir.Identity, name string, c UserChange) (User, error) {
	own := name == who.Name && c.Groups == nil && c.Admin == nil && c.Disabled == nil
	if !own {
		if err := s.admin(ctx, who, "user.change"); err != nil {
			return User{}, err
		}
	}
	e := s.event(who, "user.change", attr("user", name), attr("fields", c.fields()))
	var u identity.User
	err := s.give(ctx, e, func() (err error) {
		u, err = s.p.Identity.UserNamed(ctx, name)
		if err == nil {
			u, err = s.change(ctx, &u, &c)
		}
		return err
	})
	return viewUser(&u), err
}

func (s *Service) change(ctx context.Context, u *identity.User, c *UserChange) (out identity.User, err error) {
	id := u.ID
	if c.Password != nil {
		if err := s.p.Identity.SetPassword(ctx, id, *c.Password); err != nil {
			return *u, err
		}
	}
	if c.Groups != nil {
		if _, err := s.p.Identity.SetGroups(ctx, id, *c.Groups); err != nil {
			return *u, err
		}
	}
	if c.Admin != nil {
		if _, err := s.p.Identity.SetAdmin(ctx, id, *c.Admin); err != nil {
			return *u, err
		}
	}
	if c.Disabled != nil {
		if _, err := s.p.Identity.SetDisabled(ctx, id, *c.Disabled); err != nil {
			return *u, err
		}
	}
	return s.p.Identity.User(ctx, id)
}

func (c *UserChange) fields() string {
	var f []string
	if c.Groups != nil {
		f = append(f, "groups="+strings.Join(*c.Groups, ","))
	}
	if c.Admin != nil {
		f = append(f, "admin="+yes(*c.Admin))
	}
	if c.Disabled != nil {
		f = append(f, "disabled="+yes(*c.Disabled))
	}
	if c.Password != nil {
		f = append(f, "password")
	}
	return strings.Join(f, " ")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
