package service

import (
	"context"
	"slices"
	"time"

	"weir"
	"weir/access/approval"
)

// Request is a request for approval as users and approvers see it.
type Request struct {
	ID        weir.RequestID `json:"id"`
	Session   weir.SessionID `json:"session"`
	User      string         `json:"user"`
	Groups    []string       `json:"groups,omitempty"`
	Resource  string         `json:"resource"`
	Command   string         `json:"command" doc:"masked"`
	Rule      string         `json:"rule"`
	Reason    string         `json:"reason"`
	Catalog   []string       `json:"catalog,omitempty" doc:"ids of the introspection catalogue's entries"`
	Policy    string         `json:"policy" doc:"version of the policy it is bound to"`
	State     approval.State `json:"state" enum:"pending,approved,denied,used,expired"`
	Created   time.Time      `json:"created"`
	Expires   time.Time      `json:"expires"`
	Decided   *time.Time     `json:"decided,omitempty"`
	Used      *time.Time     `json:"used,omitempty"`
	Needs     int            `json:"needs" doc:"how many different people must agree"`
	Approvers []string       `json:"approvers" doc:"groups whose members may agree; empty: administrators"`
	Votes     []Vote         `json:"votes"`
	MayVote   bool           `json:"may_vote" doc:"whether the caller may decide it now"`
}

// Vote is what one person said of a request.
type Vote struct {
	User    string    `json:"user"`
	Approve bool      `json:"approve"`
	Comment string    `json:"comment,omitempty"`
	Time    time.Time `json:"time"`
}

// RequestChange is something that happened to a request.
type RequestChange struct {
	// Change is missed when the watcher was too slow: it must list anew and watch again.
	Change  approval.ChangeKind `json:"change" enum:"opened,voted,used,expired,missed"`
	Request *Request            `json:"request,omitempty"`
}

func (s *Service) viewRequest(who *weir.Identity, r *approval.Request) Request {
	v := Request{
		ID: r.ID, Session: r.Session, User: r.UserName, Groups: r.Groups, Resource: r.Resource, Command: r.Command, Rule: r.Rule,
		Reason: r.Reason, Catalog: r.Catalog, Policy: r.Policy, State: r.State, Created: r.Created, Expires: r.Expires,
		Needs: r.Terms.Count, Approvers: r.Terms.Groups, Votes: []Vote{},
	}
	if v.Approvers == nil {
		v.Approvers = []string{}
	}
	if !r.Decided.IsZero() {
		v.Decided = &r.Decided
	}
	if !r.UsedAt.IsZero() {
		v.Used = &r.UsedAt
	}
	voted := false
	for _, vote := range r.Votes {
		voted = voted || vote.Voter == who.User
		v.Votes = append(v.Votes, Vote{User: vote.Name, Approve: vote.Approve, Comment: vote.Comment, Time: vote.Time})
	}
	v.MayVote = r.State == approval.Pending && !voted && who.Kind == weir.Human && who.User != r.User && s.votes(who, r)
	return v
}

// votes reports whether who is somebody whom the rule asks.
func (s *Service) votes(who *weir.Identity, r *approval.Request) bool {
	if len(r.Terms.Groups) == 0 || who.Method == weir.AdminSocket {
		return who.Admin
	}
	return slices.ContainsFunc(r.Terms.Groups, who.InGroup)
}

// sees reports whether who may see a request: its requester, those who may vote on it, administrators.
func (s *Service) sees(who *weir.Identity, r *approval.Request) bool {
	return who.Admin || who.User != "" && who.User == r.User || s.votes(who, r)
}

// RequestFilter selects requests by each field that is set.
type RequestFilter struct {
	State    approval.State
	Resource string
	Limit    int
}

// Requests lists the requests that the caller may see, the newest first.
func (s *Service) Requests(ctx context.Context, who *weir.Identity, f RequestFilter) ([]Request, error) {
	list, err := s.p.Approvals.List(ctx, approval.Filter{State: f.State, Resource: f.Resource})
	if err != nil {
		return nil, err
	}
	out := []Request{}
	for i := range list {
		if f.Limit > 0 && len(out) == f.Limit {
			break
		}
		if s.sees(who, &list[i]) {
			out = append(out, s.viewRequest(who, &list[i]))
		}
	}
	return out, nil
}

// Request returns one request by its id or the beginning of it.
func (s *Service) Request(ctx context.Context, who *weir.Identity, id string) (Request, error) {
	r, err := s.p.Approvals.Get(ctx, id)
	if err == nil && !s.sees(who, &r) {
		err = weir.NewError(weir.NotFound, "there is no request of that id; see weir requests", nil)
	}
	if err != nil {
		return Request{}, err
	}
	return s.viewRequest(who, &r), nil
}

// Vote approves or denies a request. Who may is in Request.MayVote.
func (s *Service) Vote(ctx context.Context, who *weir.Identity, id string, approve bool, comment string) (Request, error) {
	shown, err := s.Request(ctx, who, id)
	if err != nil {
		return Request{}, err
	}
	action := "request.deny"
	if approve {
		action = "request.approve"
	}
	e := s.event(who, action, attr("requester", shown.User), attr("command", shown.Command), attr("rule", shown.Rule), attr("comment", comment))
	e.Resource, e.Request, e.Session = shown.Resource, shown.ID, shown.Session
	var r approval.Request
	vote := func() (err error) {
		r, err = s.p.Approvals.Vote(ctx, string(shown.ID), *who, approve, comment)
		return err
	}
	if approve {
		err = s.give(ctx, e, vote)
	} else {
		err = s.take(ctx, e, vote)
	}
	if err != nil {
		return Request{}, err
	}
	return s.viewRequest(who, &r), nil
}

// WatchRequests calls each for every change of a request that the caller may see, until ctx ends, each fails or a change
// was missed. may is asked before each change whether the caller's credential is still good.
func (s *Service) WatchRequests(ctx context.Context, who *weir.Identity, may func() error, each func(*RequestChange) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for c := range s.p.Approvals.Watch(ctx) {
		if err := may(); err != nil {
			return err
		}
		change := RequestChange{Change: c.Kind}
		if c.Kind != approval.Missed {
			if !s.sees(who, &c.Request) {
				continue
			}
			r := s.viewRequest(who, &c.Request)
			change.Request = &r
		}
		if err := each(&change); err != nil {
			return err
		}
	}
	return nil
}
