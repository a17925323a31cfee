// Package approval holds requests for just-in-time approval: who asked for what, who may agree, who did.
//
// An approval is exact. It is bound to a user, a resource, a digest of the whole command and the policy version; it is used once;
// it ends at an absolute time; it is never given by the requester or by a machine. The package must never let a command go on
// for any other reason, and it never sees a command unmasked.
//
// Of one binding there is at most one request to decide at a time. Equal requests that wait at the same time share it, and one of
// them uses its approval up; each other one then asks anew, under a new id. A retry after an approval uses that approval; a retry
// after a refusal is refused again, until the refused request expires. A client that goes away leaves its request to be decided.
//
// A Board is safe for concurrent use. Everything but who waits is in the store and survives a restart.
package approval

import (
	"context"
	"errors"
	"time"

	"weir"
)

// State is where a request stands.
type State string

// States of a request. A pending one may still be decided, an approved one may still be used, the others are final.
const (
	Pending  State = "pending"
	Approved State = "approved"
	Denied   State = "denied"
	Used     State = "used"
	Expired  State = "expired"
)

// Request is one request for approval. Its command is masked.
type Request struct {
	ID      weir.RequestID
	Session weir.SessionID // the one that asked first

	// What it is bound to.
	User     weir.UserID
	Resource string
	Digest   [32]byte
	Policy   string

	// What approvers see.
	UserName string
	Kind     weir.Kind
	Groups   []string
	Command  string
	Rule     string
	Reason   string
	Catalog  []string

	Terms   weir.HoldTerms
	State   State
	Created time.Time
	Expires time.Time // absolute; neither decided nor used from then on
	Decided time.Time // zero while pending
	UsedAt  time.Time // zero unless used
	Votes   []Vote    // in the order given
}

// Vote is what one person said.
type Vote struct {
	Voter   weir.UserID
	Name    string
	Approve bool
	Comment string
	Time    time.Time
}

// Approvers returns the names of those who agreed.
func (r *Request) Approvers() []string {
	var names []string
	for i := range r.Votes {
		if r.Votes[i].Approve {
			names = append(names, r.Votes[i].Name)
		}
	}
	return names
}

// binding is what an approval is bound to.
type binding struct {
	user     weir.UserID
	resource string
	digest   [32]byte
	policy   string
}

func (r *Request) binding() binding {
	return binding{user: r.User, resource: r.Resource, digest: r.Digest, policy: r.Policy}
}

// Errors that a Store returns, wrapped or not.
var (
	// ErrNotFound: no such request.
	ErrNotFound = errors.New("not found")
	// ErrTooMany: the limit given with the claim is reached.
	ErrTooMany = errors.New("too many")
)

// Claim is what became of a claim.
type Claim struct {
	// Request is the one that the claim used (Used), was refused by (Denied), or joined or made (Pending).
	Request Request
	// Made is true if the request is new.
	Made bool
	// Lapsed are the requests that were found to have expired.
	Lapsed []Request
}

// Store keeps requests. Each method is atomic and durable when it returns nil, and safe for concurrent
// use. Times are kept to the microsecond and returned in UTC.
type Store interface {
	// Claim does the first of these that applies to the binding of fresh, at the time fresh.Created: turn the oldest approved request
	// into a used one; return the newest denied one; return the pending one; insert fresh. Those that have expired are turned
	// into expired ones before. Of concurrent claims of one approved request exactly one gets it. ErrTooMany if fresh
	// would have to be inserted and its user has most pending requests.
	Claim(ctx context.Context, fresh *Request, most int) (Claim, error)
	// ChangeRequest calls change with the stored request and stores State, Decided and the Votes that were appended,
	// all in one transaction; an error from change stores nothing and is returned. ErrNotFound.
	ChangeRequest(ctx context.Context, id weir.RequestID, change func(*Request) error) (Request, error)
	// Requests returns those that the filter selects, the newest first.
	Requests(ctx context.Context, f Filter) ([]Request, error)
	// ExpireRequests turns pending and approved requests that expire at now or before into expired ones and returns them.
	ExpireRequests(ctx context.Context, now time.Time) ([]Request, error)
}

// Filter selects requests by each field that is set.
type Filter struct {
	Prefix   string // of the id
	State    State
	User     weir.UserID
	Resource string
	Limit    int // most to return; zero is 1000
}
