// Package identity says who calls and what they may reach: users, their groups and passwords, personal
// tokens, access keys, grants. Its Authority admits clients to sessions.
//
// It must never keep, print or return a secret that was not issued in the same call: of tokens and keys only verifiers
// (SHA-256, SCRAM-SHA-256) are stored, of passwords argon2id hashes. Unknown, forbidden, expired and revoked look alike to whoever is not let in. What
// an administrator takes away counts at once: the caches are emptied and OnRevoke is called before the taking method returns.
//
// An Authority is safe for concurrent use. The values it returns belong to the caller, but for slices
// inside a weir.Identity, which are shared and read-only.
package identity

import (
	"context"
	"errors"
	"time"

	"weir"
)

// GrantID names a grant.
type GrantID string

// User is a person or a program that Weir knows. It holds no secret.
type User struct {
	ID          weir.UserID
	Name        string // unique; see AddUser for the form
	Kind        weir.Kind
	Groups      []string // sorted, no duplicates
	Admin       bool
	Disabled    bool // keeps everything, gets in nowhere
	HasPassword bool
	Created     time.Time
}

// CredentialType says what a credential is for. It is also the Method of the identities it proves.
type CredentialType string

// Types of credential.
const (
	// Token is a personal token: all that its user may do, until it expires.
	Token CredentialType = "token"
	// AccessKey is for one user and one resource.
	AccessKey CredentialType = "access_key"
	// Browser is what a browser holds in a cookie after a person signed in with a password.
	Browser CredentialType = "browser"
	// SSHKey is a public key that a user registered: all that its user may do, by SSH.
	SSHKey CredentialType = "ssh_key"
	// SSHCert is the record of an SSH user certificate that the gateway signed: all that its user may do, by SSH.
	SSHCert CredentialType = "ssh_cert"
	// ClientCert is the record of an X.509 client certificate that the gateway signed: all that its user may do, but for SSH.
	ClientCert CredentialType = "client_cert"
)

// Never is the Expires of a credential that does not end by itself; only an SSHKey may have it.
func Never() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// Credential is what is kept of an issued secret, or of a public key. The secret itself is not.
type Credential struct {
	ID        weir.CredentialID
	Type      CredentialType
	User      weir.UserID
	UserName  string
	Name      string // what its owner calls it; for tokens, and the comment of an SSH key
	Resource  string // the one resource of an access key
	Login     string // login name of an access key: "orders.k7f3q2"
	Created   time.Time
	CreatedBy string // name of whoever made it
	Expires   time.Time
	LastUsed  time.Time // within a minute; zero when never
	PublicKey string    // of an SSHKey or SSHCert: wire format (RFC 4253, section 6.6) in base64
	Serial    uint64    // of a certificate; less than 1<<63
}

// Grant lets a user or a group reach resources until an absolute time.
type Grant struct {
	ID        GrantID
	User      weir.UserID // this or Group is set
	UserName  string
	Group     string
	Resource  string // name, or pattern in which * stands for any characters
	Created   time.Time
	CreatedBy string
	Expires   time.Time
}

// Errors that a Store returns, wrapped or not.
var (
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("not found")
	// ErrExists: the name, login or id is taken.
	ErrExists = errors.New("exists already")
	// ErrTooMany: the limit given with the insert is reached.
	ErrTooMany = errors.New("too many")
)

// Store keeps users, credentials and grants. Each method is atomic and durable when it returns nil, and safe for
// concurrent use. Times are kept to the microsecond and returned in UTC.
type Store interface {
	UserStore
	PasswordStore
	CredentialStore
	GrantStore
}

// UserStore keeps users.
type UserStore interface {
	// InsertUser fails with ErrExists if the name is taken.
	InsertUser(ctx context.Context, u *User, passwordHash string) error
	// Users returns those that the filter selects, by name.
	Users(ctx context.Context, f UserFilter) ([]User, error)
	// ChangeUser calls change with the stored user and stores Groups, Admin and Disabled of what it leaves,
	// all in one transaction; an error from change stores nothing and is returned. ErrNotFound.
	ChangeUser(ctx context.Context, id weir.UserID, change func(*User) error) (User, error)
	// DeleteUser also deletes the user's credentials and grants. ErrNotFound.
	DeleteUser(ctx context.Context, id weir.UserID) error
}

// UserFilter selects users by each field that is set.
type UserFilter struct {
	ID   weir.UserID
	Name string
}

// PasswordStore keeps password hashes.
type PasswordStore interface {
	// PasswordHash returns the user of the name and the hash, "" when there is none. ErrNotFound.
	PasswordHash(ctx context.Context, name string) (User, string, error)
	// SetPasswordHash replaces the hash and deletes the user's browser credentials. ErrNotFound.
	SetPasswordHash(ctx context.Context, id weir.UserID, hash string) error
}

// CredentialStore keeps credentials and their verifiers.
type CredentialStore interface {
	// InsertCredential fails with ErrExists if the id, login or a verifier is taken, with ErrTooMany if the user has
	// most credentials that are good at c.Created, and with ErrNotFound if the user is gone.
	InsertCredential(ctx context.Context, c *Credential, verifiers []Verifier, most int) error
	// CredentialByVerifier also returns expired ones. ErrNotFound.
	CredentialByVerifier(ctx context.Context, v Verifier) (Credential, User, error)
	// CredentialByID also returns expired ones. ErrNotFound.
	CredentialByID(ctx context.Context, id weir.CredentialID) (Credential, User, error)
	// CredentialByLogin also returns expired ones, and the value of the verifier of the scheme. ErrNotFound, also when there
	// is no such verifier.
	CredentialByLogin(ctx context.Context, login string, s Scheme) (Credential, User, string, error)
	// Credentials returns those that the filter selects, the newest first.
	Credentials(ctx context.Context, f CredentialFilter) ([]Credential, error)
	// DeleteCredentials deletes and returns those that the filter selects. An empty filter is an error.
	DeleteCredentials(ctx context.Context, f CredentialFilter) ([]Credential, error)
	// TouchCredential notes that the credential was used; it may be gone already.
	TouchCredential(ctx context.Context, id weir.CredentialID, at time.Time) error
}

// Scheme says how a verifier is made.
type Scheme string

// Schemes of verifiers.
const (
	SHA256 Scheme = "sha256"        // of a token: lower-case hex
	SCRAM  Scheme = "scram-sha-256" // as secret.SCRAM encodes it
	SSH    Scheme = "ssh_key"       // SHA-256 of a public key in wire format: lower-case hex
)

// Verifier is what a credential is found or checked by. Value is unique in its scheme.
type Verifier struct {
	Scheme Scheme
	Value  string
}

// CredentialFilter selects credentials by each field that is set.
type CredentialFilter struct {
	ID       weir.CredentialID
	Type     CredentialType
	User     weir.UserID
	Resource string
	Login    string
}

// GrantStore keeps grants.
type GrantStore interface {
	// InsertGrant fails with ErrNotFound if the user is gone.
	InsertGrant(ctx context.Context, g *Grant) error
	// Grants returns those that expire after the time, the newest first.
	Grants(ctx context.Context, after time.Time) ([]Grant, error)
	// DeleteGrant returns what it deleted. ErrNotFound.
	DeleteGrant(ctx context.Context, id GrantID) (Grant, error)
}
