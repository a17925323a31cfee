// Package weir holds the nouns every other package of the gateway speaks in:
// who calls (Identity), what they reach (Resource), what they ask (Command),
// what was decided (Verdict, Denied), and what is kept of it (Record, Event).
//
// It imports the standard library only and does nothing: no I/O, no clock, no
// global state. All types are plain values; those passed by pointer are read-only
// for everyone but the package that made them.
package weir

import (
	"net/netip"
	"time"
)

// Typed identifiers. They are random, public and safe to log.
type (
	// UserID names a user or a workload for ever, also after a rename.
	UserID string
	// SessionID names one client's stay at one resource.
	SessionID string
	// RequestID names a request for approval and, in refusals, the refused command.
	RequestID string
	// CredentialID names an access key or a token. It is not the secret.
	CredentialID string
	// Protocol is a wire protocol an engine speaks: "http", "postgres", "ssh".
	Protocol string
)

// Protocols that engines speak.
const (
	HTTP     Protocol = "http"
	Postgres Protocol = "postgres"
	SSH      Protocol = "ssh"
)

// Kind says whether a person or a program stands behind an Identity.
// The zero value is unknown, and an unknown kind is never let in.
type Kind uint8

// Kinds of identity.
const (
	KindUnknown Kind = iota
	Human
	Machine
)

// String returns the kind's name as it stands in records and API answers.
func (k Kind) String() string {
	switch k {
	case Human:
		return "human"
	case Machine:
		return "machine"
	case KindUnknown:
	}
	return "unknown"
}

// AdminSocket is the Method of an identity that the operating system proved: the user who runs the gateway.
const AdminSocket = "admin_socket"

// Identity is an authenticated caller. It holds no secret.
type Identity struct {
	User       UserID
	Name       string // login name, unique
	Kind       Kind
	Groups     []string // sorted
	Admin      bool
	Method     string       // how the caller proved it: "access_key", "token", "browser", "admin_socket"
	Credential CredentialID // what it was proved with; empty for the admin socket
}

// InGroup reports whether the identity belongs to the group.
func (id *Identity) InGroup(group string) bool {
	for _, g := range id.Groups {
		if g == group {
			return true
		}
	}
	return false
}

// Resource is what policy, masking and evidence need to know of a target.
// Its address and its credential live in the engine's own target table.
type Resource struct {
	Name     string
	Protocol Protocol
	// RecordCap is how many masked bytes of one body or one direction of a stream the
	// recording keeps; the record shows where it stopped. Zero keeps none.
	RecordCap int
	// Exceptions names each setting that weakens a default, such as
	// "allow_opaque:application/octet-stream". They are audited at every session start.
	Exceptions []string
}

// Client is the far end of a connection.
type Client struct {
	Addr  netip.AddrPort
	Agent string // what the client calls itself (User-Agent); attacker-controlled
}

// Attr is one named value: a header, a column, a parameter.
type Attr struct {
	Name, Value string
}

// SessionInfo describes a session to the controls and to whoever lists live sessions.
type SessionInfo struct {
	ID       SessionID
	Identity Identity
	Resource Resource
	Client   Client
	Start    time.Time
	Expires  time.Time // absolute; the session ends then, whatever the client does
}
