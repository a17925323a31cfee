package identity

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"weir"
	"weir/rules/glob"
)

// Entitlement is a standing grant from the configuration: members of the groups, and the users, may
// reach the resources. In all three lists * stands for any characters.
type Entitlement struct {
	Groups    []string
	Users     []string // login names
	Resources []string
	// For is how long one session or one access key may last.
	For time.Duration
	// Until is when the entitlement ends; zero is never. For or Until must be set.
	Until time.Time
}

// Entitlements is an immutable, checked set. The zero value and nil entitle nobody.
type Entitlements struct {
	users, groups index
}

// NewEntitlements checks and compiles a set. An error names the entitlement by its place, from 1.
func NewEntitlements(list []Entitlement) (*Entitlements, error) {
	e := &Entitlements{}
	var errs []error
	for i := range list {
		if err := e.add(&list[i]); err != nil {
			errs = append(errs, fmt.Errorf("grant %d %w", i+1, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return e, nil
}

func (e *Entitlements) add(in *Entitlement) error {
	switch {
	case len(in.Groups) == 0 && len(in.Users) == 0:
		return errors.New("names nobody; give it groups or users")
	case len(in.Resources) == 0:
		return errors.New("names no resources; give it some, or \"*\" for all")
	case in.For < 0:
		return errors.New("has a negative time in for; write one such as 8h")
	case in.For == 0 && in.Until.IsZero():
		return errors.New("does not say for how long; add for: 8h, or until")
	}
	for _, r := range in.Resources {
		pattern, err := glob.CompileText(r)
		if err != nil {
			return fmt.Errorf("has a resource pattern that %w", err)
		}
		term := term{resource: pattern, length: in.For, until: in.Until}
		for _, g := range in.Groups {
			if err := e.groups.add(g, term); err != nil {
				return fmt.Errorf("has a group pattern that %w", err)
			}
		}
		for _, u := range in.Users {
			if err := e.users.add(u, term); err != nil {
				return fmt.Errorf("has a user pattern that %w", err)
			}
		}
	}
	return nil
}

// term is one way to reach what resource matches.
type term struct {
	resource glob.Text
	length   time.Duration // of one session; zero is until the end
	until    time.Time     // zero is never
}

// expires returns when access that begins now ends.
func (t *term) expires(now time.Time) time.Time {
	switch {
	case t.length == 0:
		return t.until
	case t.until.IsZero() || now.Add(t.length).Before(t.until):
		return now.Add(t.length)
	}
	return t.until
}

// index finds terms by the name of a user or a group.
type index struct {
	exact map[string][]term
	wild  []wildTerm
}

type wildTerm struct {
	who glob.Text
	term
}

func (x *index) add(who string, t term) error {
	pattern, err := glob.CompileText(who)
	if err != nil {
		return err
	}
	if strings.ContainsAny(who, "*?") {
		x.wild = append(x.wild, wildTerm{who: pattern, term: t})
		return nil
	}
	if x.exact == nil {
		x.exact = make(map[string][]term)
	}
	x.exact[who] = append(x.exact[who], t)
	return nil
}

// latest returns the later of best and what the index gives who for the resource.
func (x *index) latest(best time.Time, who, resource string, now time.Time) time.Time {
	terms := x.exact[who]
	for i := range terms {
		best = later(best, &terms[i], resource, now)
	}
	for i := range x.wild {
		if w := &x.wild[i]; w.who.Match(who) {
			best = later(best, &w.term, resource, now)
		}
	}
	return best
}

func later(best time.Time, t *term, resource string, now time.Time) time.Time {
	if e := t.expires(now); e.After(best) && t.resource.Match(resource) {
		return e
	}
	return best
}

// granted is an immutable index of grants.
type granted struct {
	users  map[weir.UserID][]term
	groups map[string][]term
}

func indexGrants(list []Grant) (*granted, error) {
	g := &granted{users: make(map[weir.UserID][]term), groups: make(map[string][]term)}
	for i := range list {
		in := &list[i]
		pattern, err := glob.CompileText(in.Resource)
		if err != nil {
			return nil, fmt.Errorf("grant %s has a resource pattern that %w", in.ID, err)
		}
		t := term{resource: pattern, until: in.Expires}
		switch {
		case in.User != "" && in.Group == "":
			g.users[in.User] = append(g.users[in.User], t)
		case in.Group != "" && in.User == "":
			g.groups[in.Group] = append(g.groups[in.Group], t)
		default:
			return nil, fmt.Errorf("grant %s is not for one user or one group", in.ID)
		}
	}
	return g, nil
}

// reach returns when access of id to the resource ends, if it begins now. ok is false when there is none.
func reach(e *Entitlements, g *granted, id *weir.Identity, resource string, now time.Time) (expires time.Time, ok bool) {
	if id.User == "" || resource == "" {
		return time.Time{}, false
	}
	best := now
	if e != nil {
		best = e.users.latest(best, id.Name, resource, now)
		for _, group := range id.Groups {
			best = e.groups.latest(best, group, resource, now)
		}
	}
	if g != nil {
		for i := range g.users[id.User] {
			best = later(best, &g.users[id.User][i], resource, now)
		}
		for _, group := range id.Groups {
			for i := range g.groups[group] {
				best = later(best, &g.groups[group][i], resource, now)
			}
		}
	}
	if !best.After(now) {
		return time.Time{}, false
	}
	return best, true
}
