package service

import (
	"context"
	"time"

	"weir"
	"weir/access/identity"
	"weir/vault/secret"
)

// ResourceView is a resource that the caller may reach.
type ResourceView struct {
	Name     string        `json:"name"`
	Protocol weir.Protocol `json:"protocol"`
	URL      string        `json:"url" doc:"for other protocols than http without the login"`
	Host     string        `json:"host,omitempty"`
	Port     int           `json:"port,omitempty"`
	Database string        `json:"database,omitempty"`
	Hosts    []string      `json:"hosts,omitempty"`
	// Expires is when access that begins now ends; absent for administrators who have none themselves.
	Expires    *time.Time `json:"expires,omitempty"`
	Exceptions []string   `json:"exceptions,omitempty" doc:"settings that weaken a default"`
}

// Resources lists what the caller may reach; administrators see all.
func (s *Service) Resources(ctx context.Context, who *weir.Identity) ([]ResourceView, error) {
	out := []ResourceView{}
	for _, r := range s.p.Resources() {
		v := ResourceView{Name: r.Name, Protocol: r.Protocol, URL: r.address(""), Hosts: r.Hosts, Host: r.Host, Port: r.Port, Database: r.Database, Exceptions: r.Exceptions}
		expires, reach, err := s.p.Identity.CanReach(ctx, who, r.Name)
		if err != nil {
			return nil, err
		}
		if reach {
			v.Expires = &expires
		}
		if reach || who.Admin {
			out = append(out, v)
		}
	}
	return out, nil
}

// resource finds a resource that who may reach, or that an administrator asks about.
func (s *Service) resource(ctx context.Context, who *weir.Identity, name string) (Resource, error) {
	for _, r := range s.p.Resources() {
		if r.Name != name {
			continue
		}
		_, reach, err := s.p.Identity.CanReach(ctx, who, name)
		if err != nil {
			return Resource{}, err
		}
		if reach || who.Admin {
			return r, nil
		}
	}
	return Resource{}, weir.NewError(weir.Forbidden, who.Name+" has no access to a resource of that name; see weir resources, or ask an administrator for a grant", nil)
}

// Access is an access key that was just issued, and how to use it.
type Access struct {
	ID       weir.CredentialID `json:"id"`
	Resource string            `json:"resource"`
	Protocol weir.Protocol     `json:"protocol"`
	User     string            `json:"user"`
	Login    string            `json:"login"`
	Secret   string            `json:"secret" doc:"shown this once"`
	Host     string            `json:"host"`
	Port     int               `json:"port"`
	Database string            `json:"database"`
	Expires  time.Time         `json:"expires"`
	URL      string            `json:"url"`
	Command  string            `json:"command" doc:"the native command, ready to paste; but for http it asks for the secret"`
	CAFile   string            `json:"ca_file,omitempty" doc:"certificate that clients trust the gateway by, on the gateway's machine"`
	CA       string            `json:"ca,omitempty" doc:"the same, in PEM"`
}

// Access issues an access key for one resource, for the caller or (administrators) for another user.
func (s *Service) Access(ctx context.Context, who *weir.Identity, resource, as string, ttl time.Duration) (Access, error) {
	user, name, err := s.self(ctx, who, as, "access.issue")
	if err != nil {
		return Access{}, err
	}
	var cred identity.Credential
	var issued *secret.Issued
	e := s.event(who, "access.issue", attr("user", name), attr("ttl", ttl.String()))
	e.Resource = resource
	err = s.give(ctx, e, func() (err error) {
		cred, issued, err = s.p.Identity.IssueKey(ctx, identity.NewKey{User: user, Resource: resource, TTL: ttl, By: who.Name})
		if err == nil {
			e.Detail = append(e.Detail, attr("key", string(cred.ID)), attr("expires", cred.Expires.Format(time.RFC3339)))
		}
		return err
	})
	if err != nil {
		return Access{}, err
	}
	a := Access{ID: cred.ID, Resource: cred.Resource, User: name, Login: cred.Login, Expires: cred.Expires}
	for _, r := range s.p.Resources() {
		if r.Name == cred.Resource {
			a.Protocol, a.URL, a.Host, a.Port, a.Database = r.Protocol, r.address(cred.Login), r.Host, r.Port, r.Database
			if r.URL != nil {
				a.Host, a.Port = r.URL.Hostname(), portOf(r.URL)
			}
		}
	}
	if a.CAFile = s.p.CA(); a.CAFile != "" {
		a.CA = s.caText()
	}
	a.Secret, _ = issued.Show()
	a.Command = command(&a)
	return a, nil
}

// Credential is a token or an access key without its secret.
type Credential struct {
	ID        weir.CredentialID `json:"id"`
	Type      string            `json:"type" enum:"token,access_key,browser,ssh_key,ssh_cert,client_cert"`
	User      string            `json:"user"`
	Name      string            `json:"name,omitempty"`
	Resource  string            `json:"resource,omitempty"`
	Login     string            `json:"login,omitempty"`
	Created   time.Time         `json:"created"`
	CreatedBy string            `json:"created_by"`
	Expires   time.Time         `json:"expires"`
	LastUsed  *time.Time        `json:"last_used,omitempty"`
	// Serial and Fingerprint are of certificates; the latter of the key in one for SSH.
	Serial      uint64 `json:"serial,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

func viewCredential(c *identity.Credential) Credential {
	v := Credential{
		ID: c.ID, Type: string(c.Type), User: c.UserName, Name: c.Name, Resource: c.Resource, Login: c.Login,
		Created: c.Created, CreatedBy: c.CreatedBy, Expires: c.Expires, Serial: c.Serial, Fingerprint: c.Fingerprint(),
	}
	if !c.LastUsed.IsZero() {
		v.LastUsed = &c.LastUsed
	}
	return v
}

// IssuedToken is a personal token that was just made.
type IssuedToken struct {
	Credential
	Secret string `json:"secret" doc:"shown this once"`
}

// AddToken makes a personal token, for the caller or (administrators) for another user. ttl zero takes the default.
func (s *Service) AddToken(ctx context.Context, who *weir.Identity, user, name string, ttl time.Duration) (IssuedToken, error) {
	id, owner, err := s.self(ctx, who, user, "token.add")
	if err != nil {
		return IssuedToken{}, err
	}
	var cred identity.Credential
	var issued *secret.Issued
	e := s.event(who, "token.add", attr("user", owner), attr("name", name))
	err = s.give(ctx, e, func() (err error) {
		cred, issued, err = s.p.Identity.CreateToken(ctx, identity.NewToken{User: id, Name: name, TTL: ttl, By: who.Name})
		if err == nil {
			e.Detail = append(e.Detail, attr("token", string(cred.ID)), attr("expires", cred.Expires.Format(time.RFC3339)))
		}
		return err
	})
	if err != nil {
		return IssuedToken{}, err
	}
	t := IssuedToken{Credential: viewCredential(&cred)}
	t.Secret, _ = issued.Show()
	return t, nil
}

// Tokens lists personal tokens: the caller's own, another user's or ("*") everybody's for administrators.
func (s *Service) Tokens(ctx context.Context, who *weir.Identity, user string) ([]Credential, error) {
	return s.credentials(ctx, who, user, "token.list", s.p.Identity.ListTokens)
}

// Keys lists access keys, as Tokens does tokens.
func (s *Service) Keys(ctx context.Context, who *weir.Identity, user string) ([]Credential, error) {
	return s.credentials(ctx, who, user, "access.list", s.p.Identity.ListKeys)
}

type lister func(ctx context.Context, user weir.UserID) ([]identity.Credential, error)

func (s *Service) credentials(ctx context.Context, who *weir.Identity, user, action string, list lister) ([]Credential, error) {
	return listOwned(ctx, s, who, user, action, list, viewCredential)
}

func listOwned[T any](ctx context.Context, s *Service, who *weir.Identity, user, action string, list lister, view func(*identity.Credential) T) ([]T, error) {
	var id weir.UserID
	var err error
	if user == "*" || user == "" && who.Method == weir.AdminSocket {
		err = s.admin(ctx, who, action)
	} else {
		id, _, err = s.self(ctx, who, user, action)
	}
	if err != nil {
		return nil, err
	}
	all, err := list(ctx, id)
	out := make([]T, 0, len(all))
	for i := range all {
		out = append(out, view(&all[i]))
	}
	return out, err
}

// Revoke revokes a token, an access key, an SSH key or a certificate by its id or login name and ends the sessions that live by it. Owners and
// administrators may.
func (s *Service) Revoke(ctx context.Context, who *weir.Identity, name string) (Credential, error) {
	c, err := s.p.Identity.Credential(ctx, name)
	if err == nil && c.User != who.User && !who.Admin {
		err = weir.NewError(weir.NotFound, "there is no token or access key of that name; see weir tokens ls and weir keys ls", nil)
	}
	if err != nil {
		return Credential{}, err
	}
	e := s.event(who, "credential.revoke", attr("credential", string(c.ID)), attr("user", c.UserName), attr("type", string(c.Type)))
	e.Resource = c.Resource
	return viewCredential(&c), s.take(ctx, e, func() error {
		switch c.Type {
		case identity.AccessKey:
			_, err = s.p.Identity.RevokeKey(ctx, string(c.ID))
		case identity.Browser:
			err = s.p.Identity.SignOut(ctx, c.ID)
		case identity.Token:
			_, err = s.p.Identity.RevokeToken(ctx, c.ID)
		case identity.SSHKey, identity.SSHCert, identity.ClientCert:
			_, err = s.p.Identity.Revoke(ctx, c.ID, c.Type)
		}
		return err
	})
}

// Grant is access that was given until an absolute time.
type Grant struct {
	ID        identity.GrantID `json:"id"`
	User      string           `json:"user,omitempty"`
	Group     string           `json:"group,omitempty"`
	Resource  string           `json:"resource"`
	Created   time.Time        `json:"created"`
	CreatedBy string           `json:"created_by"`
	Expires   time.Time        `json:"expires"`
}

func viewGrant(g *identity.Grant) Grant {
	return Grant{ID: g.ID, User: g.UserName, Group: g.Group, Resource: g.Resource, Created: g.Created, CreatedBy: g.CreatedBy, Expires: g.Expires}
}

// AddGrant lets a user or a group reach resources for a time from now on or, when ttl is zero, until expires.
// Administrators only.
func (s *Service) AddGrant(ctx context.Context, who *weir.Identity, user, group, resource string, ttl time.Duration, expires time.Time) (Grant, error) {
	if err := s.admin(ctx, who, "grant.add"); err != nil {
		return Grant{}, err
	}
	if ttl > 0 {
		expires = s.p.Now().Add(ttl)
	}
	n := identity.NewGrant{Group: group, Resource: resource, Expires: expires, By: who.Name}
	if user != "" {
		u, err := s.p.Identity.UserNamed(ctx, user)
		if err != nil {
			return Grant{}, err
		}
		n.User = u.ID
	}
	var g identity.Grant
	e := s.event(who, "grant.add", attr("user", user), attr("group", group), attr("expires", expires.Format(time.RFC3339)))
	e.Resource = resource
	err := s.give(ctx, e, func() (err error) {
		g, err = s.p.Identity.CreateGrant(ctx, n)
		return err
	})
	return viewGrant(&g), err
}

// Grants lists the grants that count now. Administrators only.
func (s *Service) Grants(ctx context.Context, who *weir.Identity) ([]Grant, error) {
	if err := s.admin(ctx, who, "grant.list"); err != nil {
		return nil, err
	}
	list, err := s.p.Identity.ListGrants(ctx)
	out := make([]Grant, 0, len(list))
	for i := range list {
		out = append(out, viewGrant(&list[i]))
	}
	return out, err
}

// RevokeGrant takes a grant away and ends the sessions that lived by it. Administrators only.
func (s *Service) RevokeGrant(ctx context.Context, who *weir.Identity, id identity.GrantID) (Grant, error) {
	if err := s.admin(ctx, who, "grant.revoke"); err != nil {
		return Grant{}, err
	}
	var g identity.Grant
	err := s.take(ctx, s.event(who, "grant.revoke", attr("grant", string(id))), func() (err error) {
		g, err = s.p.Identity.RevokeGrant(ctx, id)
		return err
	})
	return viewGrant(&g), err
}
