package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// Target is a PostgreSQL resource's far end. Make it with NewTarget; it is immutable from then on.
type Target struct {
	// Database is the one that clients get, and Databases those that they may name instead.
	Database  string
	Databases []string
	// ReadOnly makes every session start with default_transaction_read_only=on, which it may not change.
	ReadOnly bool
	// AllowFunctionCall lets FunctionCall messages through to a decision.
	AllowFunctionCall bool
	// Connect opens a connection and logs in, with the credential that only it knows. params are settings for the
	// startup message. Its error is for the log only. It returns soon after ctx ends.
	Connect func(ctx context.Context, database string, params map[string]string) (*Upstream, error)
	// Catalog opens a connection to read the catalogue over.
	Catalog func(ctx context.Context, database string) (Querier, error)
}

// Upstream is a connection to a target that is logged in and idle.
type Upstream struct {
	// Conn carries messages from here on; nothing that the target sent is buffered anywhere else.
	Conn Conn
	// Parameters are the ParameterStatus messages it began with.
	Parameters map[string]string
	// HasKey reports whether the target gave a BackendKeyData, without which nothing can be cancelled.
	HasKey bool
	// PID is the target's process, as notifications name it; 0 when it gave none.
	PID uint32
	// Status is the transaction status: 'I'.
	Status byte
	// Cancel asks the target to cancel what runs, over a connection of its own that is protected like Conn.
	Cancel func(ctx context.Context) error
}

// Querier reads rows. NULL is "". Not for concurrent use.
type Querier interface {
	Query(ctx context.Context, query string) ([][]string, error)
	Close(ctx context.Context) error
}

// NewTarget checks t and returns a copy that can be used.
func NewTarget(t Target) (*Target, error) {
	switch {
	case t.Database == "":
		return nil, errors.New("target database: name the database that clients get")
	case t.Connect == nil || t.Catalog == nil:
		return nil, errors.New("target without a way to connect")
	}
	t.Databases = slices.Clone(t.Databases)
	return &t, nil
}

// database resolves the name that a client sent. login and resource are names of the resource and mean its own database.
func (t *Target) database(asked, login, resource string) (string, bool) {
	switch {
	case asked == "", asked == t.Database:
		return t.Database, true
	case slices.Contains(t.Databases, asked):
		return asked, true
	case asked == login, asked == resource:
		return t.Database, true
	}
	return "", false
}

// greeting is what a server says between the end of authentication and the first query.
func greeting(u *Upstream, pid uint32, key []byte) []byte {
	b := make([]byte, 0, 512)
	b, at := begin(b, 'R')
	b = finish(append(b, 0, 0, 0, 0), at)
	for _, name := range slices.Sorted(maps.Keys(u.Parameters)) {
		b, at = begin(b, 'S')
		b = append(append(b, name...), 0)
		b = finish(append(append(b, u.Parameters[name]...), 0), at)
	}
	if len(key) > 0 {
		b, at = begin(b, 'K')
		b = binary.BigEndian.AppendUint32(b, pid)
		b = finish(append(b, key...), at)
	}
	b, at = begin(b, 'Z')
	status := u.Status
	if status == 0 {
		status = 'I'
	}
	return finish(append(b, status), at)
}

// led is a connection of which some bytes were read already; they come first.
type led struct {
	Conn
	head []byte
}

// Unread is the connection itself, and the bytes that come in front of what it has.
func (l *led) Unread() (Conn, []byte) { return l.Conn, l.head }

// Read yields the bytes that were read already first.
func (l *led) Read(p []byte) (int, error) {
	if len(l.head) == 0 {
		return l.Conn.Read(p)
	}
	n := copy(p, l.head)
	l.head = l.head[n:]
	return n, nil
}
