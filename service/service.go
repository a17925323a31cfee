// Package service is what Weir can do for people and programs that talk to it instead of through it: one method
// for each thing that the API and the command line offer, with the permission check and the audit event in
// the same place.
//
// It must never act for a caller before it has checked what that caller may do, never return a secret that it did not
// issue in the same call, and never tell somebody whether a thing exists that they may not see.
// What gives somebody power is audited before it is done, and not done if that fails; what takes power away is
// done first, and then audited.
//
// A Service is safe for concurrent use. Errors are *weir.Error or *weir.Denied.
package service

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"weir"
	"weir/access/approval"
	"weir/access/identity"
	"weir/evidence/audit"
	"weir/evidence/record"
	"weir/gate/session"
	"weir/rules/policy"
	"weir/vault/ca"
)

// Outcomes of audit events.
const (
	attempted = "attempt"
	ok        = "ok"
	denied    = "denied"
	failed    = "failed"
)

// Resource is a resource as its users see it: how it is called and reached, nothing of its target.
type Resource struct {
	weir.Resource
	URL   *url.URL // where clients of http reach it, without credentials; nil for other protocols
	Hosts []string // names that lead to it
	// Host and Port are where clients of other protocols than http reach it. Database is what clients of a database ask for.
	Host     string
	Port     int
	Database string
	// Target is the target's host, for explanations; it is not shown.
	Target string
}

// Parts are what a Service is made of. All are required but those that say otherwise.
type Parts struct {
	Identity  *identity.Authority
	Approvals *approval.Board
	Gate      *session.Gate
	Records   *record.Store
	Audit     *audit.Log
	Policy    *policy.Live
	// Resources returns all resources, by name. It must not block.
	Resources func() []Resource
	// CA is the path of the certificate that clients trust the web listener by; "" when they need none.
	CA func() string
	// ClientCA signs client certificates. Optional.
	ClientCA *ca.Authority
	// SSHCA signs SSH certificates. Optional.
	SSHCA *ca.SSH
	// SSH returns where clients reach the gateway by SSH, and the key of the authority that signs its host key, in wire format. Optional.
	SSH func() (host string, port int, hostCA []byte, ok bool)
	// Verify checks the evidence on disk.
	Verify func(ctx context.Context) (*Evidence, error)
	// Mask hides every secret the gateway knows in a text that goes into the audit log.
	Mask func(name, text string) string
	Now  func() time.Time
	// Commanders read commands to be explained, by protocol. http and ssh have ones of their own; for a protocol without one nothing
	// is explained.
	Commanders map[weir.Protocol]Commander
}

// Service does what the API and the command line offer. New makes one.
type Service struct{ p Parts }

// New makes a Service and fails if a part is missing.
func New(p Parts) (*Service, error) {
	switch {
	case p.Identity == nil, p.Approvals == nil, p.Gate == nil, p.Records == nil, p.Audit == nil, p.Policy == nil:
		return nil, errors.New("service without one of its parts")
	case p.Resources == nil, p.CA == nil, p.Verify == nil, p.Mask == nil, p.Now == nil:
		return nil, errors.New("service without one of its functions")
	}
	return &Service{p: p}, nil
}

// event begins an audit event of something that who does.
func (s *Service) event(who *weir.Identity, action string, detail ...weir.Attr) *weir.Event {
	return &weir.Event{Action: action, Actor: who.Name, Detail: append(detail, weir.Attr{Name: "method", Value: who.Method})}
}

// note stores one audit event.
func (s *Service) note(ctx context.Context, e *weir.Event, outcome string) error {
	e.Time, e.Outcome = s.p.Now(), outcome
	for i := range e.Detail {
		e.Detail[i].Value = s.p.Mask(e.Detail[i].Name, e.Detail[i].Value)
	}
	// What was done has been done, also when the caller is gone by now.
	if err := s.p.Audit.Audit(context.WithoutCancel(ctx), e); err != nil {
		return weir.NewError(weir.Unavailable, "this cannot be recorded in the audit log, so it is refused; ask the gateway's operator to look at its log", err)
	}
	return nil
}

// give audits e, does what it says and audits how that ended. Nothing is done when the first of these fails.
func (s *Service) give(ctx context.Context, e *weir.Event, do func() error) error {
	if err := s.note(ctx, e, attempted); err != nil {
		return err
	}
	return s.end(ctx, e, do())
}

// take does what e says and audits how that ended.
func (s *Service) take(ctx context.Context, e *weir.Event, do func() error) error {
	return s.end(ctx, e, do())
}

func (s *Service) end(ctx context.Context, e *weir.Event, err error) error {
	outcome := ok
	if err != nil {
		kind, _ := weir.PublicOf(err)
		outcome = failed
		if kind == weir.Forbidden || kind == weir.Unauthenticated || kind == weir.RateLimited {
			outcome = denied
		}
	}
	return errors.Join(err, s.note(ctx, e, outcome))
}

// admin refuses everyone but administrators, and audits that.
func (s *Service) admin(ctx context.Context, who *weir.Identity, action string) error {
	if who != nil && who.Admin {
		return nil
	}
	if who == nil {
		return weir.NewError(weir.Unauthenticated, "sign in first", nil)
	}
	err := weir.NewError(weir.Forbidden, fmt.Sprintf("%s is for administrators; ask one to do it", action), nil)
	return errors.Join(err, s.note(ctx, s.event(who, action), denied))
}

// self returns the user that a caller speaks of: itself when name is empty or its own, somebody else only for
// administrators. The error does not say whether the user exists.
func (s *Service) self(ctx context.Context, who *weir.Identity, name, action string) (weir.UserID, string, error) {
	if name == "" || name == who.Name {
		if who.Method == weir.AdminSocket {
			return "", "", weir.NewError(weir.Invalid, "the local administrator has no user of its own; say for whom with --as USER or --user USER", nil)
		}
		return who.User, who.Name, nil
	}
	if err := s.admin(ctx, who, action+" for somebody else"); err != nil {
		return "", "", err
	}
	u, err := s.p.Identity.UserNamed(ctx, name)
	return u.ID, u.Name, err
}

func attr(name, value string) weir.Attr { return weir.Attr{Name: name, Value: value} }
