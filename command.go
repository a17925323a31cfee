package weir

import "time"

// Command is one request of a client, as its engine understood it. Policy decides on
// it, an approval is bound to it, and its Text (masked) is recorded.
type Command struct {
	Operation string // the protocol's own verb, upper case: "GET", "SELECT"
	// Text is the whole command on one line, normalised but unmasked: "GET /actuator/env?x=1".
	// Only the session reads it, to mask it.
	Text string
	// Fingerprint is the shape of the statements, without literals and comments; "" where there is none or Text is it. It is recorded, masked.
	Fingerprint string
	// Literals asks that every string literal of an SQL text is masked for the record, because some are secrets by where they stand.
	Literals bool
	HTTP     *HTTPRequest // set when the protocol is http
	SQL      *SQL         // set when the command is one or more SQL statements
	SSH      *SSHRequest  // set when the protocol is ssh
	// Attrs are parameters that are recorded with the command of a framed engine, as "parameter.<name>". The session masks their values,
	// each by its name, which is "" where nothing names it.
	Attrs []Attr
	// Parameters returns what else an approval must be bound to (body, forwarded headers), in
	// a form in which equal requests are equal. The session calls it at most once, and
	// only when the command is to be held. nil means that Text says it all. An error denies.
	Parameters func() ([]byte, error)
	// Held is called when the command was put on hold, before the wait, with the id of the
	// request for approval. nil when the engine has no way to tell its client early.
	Held func(RequestID)
}

// HTTPRequest is the part of an HTTP request that policy may match on. Paths holds every
// reading a target may take of the request's path; see rules/policy for how they are used.
type HTTPRequest struct {
	Method string
	Host   string              // the target's, not the gateway's
	Path   string              // as sent, without the gateway's prefix, still escaped
	Query  map[string][]string // decoded; pairs that do not decode are under their raw name
	Header map[string][]string // canonical names; the credential shown to the gateway is removed
}

// Effect is what a verdict does. The zero value denies.
type Effect uint8

// Effects, the strongest first.
const (
	Deny Effect = iota
	Approve
	Allow
)

// String returns the effect's name as rules spell it.
func (e Effect) String() string {
	switch e {
	case Deny:
		return "deny"
	case Approve:
		return "approve"
	case Allow:
		return "allow"
	}
	return "deny"
}

// Verdict is a decision on one command. The zero value denies.
type Verdict struct {
	Effect  Effect
	Rule    string // name of the rule that decided; "default" when none did
	Reason  string // one sentence for the client; says nothing of what it may not see
	Policy  string // version of the policy plan that decided
	Hold    HoldTerms
	Catalog []string // ids of the introspection catalogue entries that the command matched
}

// HoldTerms say who must agree, and for how long. They matter when Effect is Approve.
type HoldTerms struct {
	Groups []string      // members of any of these may approve; empty means administrators
	Count  int           // how many different people; at least 1
	Within time.Duration // how long after the request an approval may be given and used
	Wait   time.Duration // how long the client's request is kept waiting
}

// Hold asks for one approval. It is bound to everything in it.
type Hold struct {
	Session  SessionID
	Identity Identity
	Resource string
	Command  string   // masked text
	Digest   [32]byte // of identity, resource, normalised command, parameters
	Verdict  Verdict  // rule, terms and policy version at the time of asking
	// Opened is called with the request's id once the request is stored and before
	// waiting, so that an engine can tell its client in its own protocol.
	Opened func(RequestID)
}

// Grant is an approval that was given and is now used up.
type Grant struct {
	Request   RequestID
	Policy    string // policy version the approval is bound to
	Approvers []string
}
