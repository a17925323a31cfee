package weir

import "errors"

// ErrorKind classifies an Error for the edges, each of which maps kinds to its own
// codes (HTTP status, SQLSTATE, exit code) in one place. The zero value is internal.
type ErrorKind uint8

// Kinds of error.
const (
	Internal        ErrorKind = iota // a fault of ours; the public text says nothing
	Invalid                          // the caller's input is wrong; Public says how to right it
	Unauthenticated                  // nobody we know
	Forbidden                        // known, but not for this (or it does not exist: both look alike)
	NotFound                         // only where existence is no secret
	Conflict                         // exists already, used already, decided already
	RateLimited                      // slow down
	Unavailable                      // target or store is not reachable; trying again may help
	Expired                          // was good once
)

// Error crosses package edges. Only Public reaches a client; Err is for the log.
type Error struct {
	Kind   ErrorKind
	Public string // one sentence: what is wrong and what to do. Empty reads "internal error".
	Err    error
}

// Error returns the private text, for logs.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.PublicText()
	case e.Public == "":
		return e.Err.Error()
	}
	return e.Public + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// PublicText is what a client may read.
func (e *Error) PublicText() string {
	if e.Public == "" {
		return "internal error"
	}
	return e.Public
}

// NewError makes an Error; public may be empty for internal ones and cause may be nil.
func NewError(kind ErrorKind, public string, cause error) *Error {
	return &Error{Kind: kind, Public: public, Err: cause}
}

// PublicOf returns the kind and the public text of any error; a foreign error is internal.
func PublicOf(err error) (ErrorKind, string) {
	var d *Denied
	if errors.As(err, &d) {
		return d.Kind.ErrorKind(), d.Reason
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind, e.PublicText()
	}
	return Internal, "internal error"
}

// DenyKind says why a command was refused. The zero value is a failed control.
type DenyKind uint8

// Reasons for a refusal.
const (
	DeniedByFault    DenyKind = iota // a control is missing, failed or panicked
	DeniedByRule                     // policy says no
	DeniedUnapproved                 // nobody approved it in time, or somebody said no
	DeniedContent                    // the answer or the request cannot be looked into
	DeniedSession                    // the session has ended: revoked, expired, shut down
	DeniedIdentity                   // no such identity, or no access: both look alike
	DeniedRate                       // too many attempts
	DeniedTarget                     // the target cannot be reached or broke its protocol
	DeniedRequest                    // the request is malformed, ambiguous or too large
)

// ErrorKind maps a refusal to the kind that edges without a finer mapping use.
func (k DenyKind) ErrorKind() ErrorKind {
	switch k {
	case DeniedByFault:
		return Internal
	case DeniedByRule, DeniedUnapproved, DeniedContent, DeniedSession:
		return Forbidden
	case DeniedIdentity:
		return Unauthenticated
	case DeniedRate:
		return RateLimited
	case DeniedTarget:
		return Unavailable
	case DeniedRequest:
		return Invalid
	}
	return Internal
}

// String returns the kind's name as it stands in records and problem documents.
func (k DenyKind) String() string {
	switch k {
	case DeniedByFault:
		return "control-failed"
	case DeniedByRule:
		return "denied-by-rule"
	case DeniedUnapproved:
		return "approval-required"
	case DeniedContent:
		return "unreadable-content"
	case DeniedSession:
		return "session-ended"
	case DeniedIdentity:
		return "not-authorized"
	case DeniedRate:
		return "rate-limited"
	case DeniedTarget:
		return "target-unavailable"
	case DeniedRequest:
		return "bad-request"
	}
	return "control-failed"
}

// Denied is a refusal, for the client to read in its own protocol. Everything in it
// but Err is public and masked.
type Denied struct {
	Kind    DenyKind
	Rule    string    // rule that refused, when one did
	Reason  string    // one sentence: what was refused and why
	Hint    string    // one sentence: what to do next; may be empty
	Request RequestID // for asking about it; always set by the session
	Said    bool      // somebody who may decide said no; unset where nobody said anything in time
	Err     error     // private cause
}

// Error returns the private text, for logs.
func (d *Denied) Error() string {
	if d.Err != nil {
		return d.Reason + ": " + d.Err.Error()
	}
	return d.Reason
}

// Unwrap returns the private cause.
func (d *Denied) Unwrap() error { return d.Err }
