package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"weir"
	"weir/gate/session"
	"weir/rules/sql"
)

// Defaults of Options.
const (
	DefaultLoginTimeout   = 10 * time.Second
	DefaultConnectTimeout = 15 * time.Second
	DefaultMaxStatement   = 16 << 20
	DefaultMaxLogins      = 1000
	DefaultRefresh        = 60 * time.Second
	DefaultMinRefresh     = 2 * time.Second
)

// Conn is a client's connection, or a target's.
type Conn interface {
	session.Conn
	SetWriteDeadline(t time.Time) error
}

// TLSInfo is what the engine needs to know of a TLS connection that was set up.
type TLSInfo struct {
	// Protocol is what ALPN agreed on; "" when the client did not ask.
	Protocol string
	// EndPoint is the hash of our own leaf certificate for tls-server-end-point (RFC 5929, section 4). Empty offers no channel binding.
	EndPoint []byte
	// Certificate is what the client's certificate says, if it showed one that this gateway's authority signed, checked in
	// signature and time. nil when it showed none.
	Certificate *session.Certificate
}

// Options are what a Handler may be told. Those marked are required.
type Options struct {
	// Codec makes what reads one session's messages. Required.
	Codec func(CodecOptions) session.Codec
	// StartTLS does the server's side of a TLS handshake, until ctx ends. The bytes of the client's hello have not been read yet. It
	// must offer ALPN "postgresql" and fail when a client asks for other names only. nil: there is no TLS, and only AllowClear lets
	// clients in.
	StartTLS func(ctx context.Context, conn Conn) (Conn, TLSInfo, error)
	// AllowClear lets clients on a loopback address in without TLS.
	AllowClear bool
	// ReadOnly reports whether the access behind the session may only read, beside what its Target says. nil: the Target decides.
	ReadOnly func(info *weir.SessionInfo) bool
	// Columns says whether the values of a column are secrets, or statements of others. relation is "schema.name". May be nil.
	Columns func(resource, relation, column string) (protected, statement bool)
	// Secret reports whether a column may hold secrets, by its name or by what Columns says: what is made of it, under whatever name, is
	// masked whole. Required.
	Secret func(resource, relation, column string) bool
	// SecretSetting reports whether the value of a setting is a secret, by its lower-case name. nil takes every setting for one.
	SecretSetting func(name string) bool
	// HeldNotice is what the client is told of a statement that is held. May be nil.
	HeldNotice func(info *weir.SessionInfo, id weir.RequestID) (message, detail, hint string)
	// LoginTimeout is how long a client may take from its first byte to a proven identity.
	LoginTimeout time.Duration
	// ConnectTimeout is how long reaching a target may take.
	ConnectTimeout time.Duration
	// MaxStatement is the largest statement in bytes.
	MaxStatement int
	// MaxLogins is how many clients may be on their way in at the same time.
	MaxLogins int
	// Refresh is the age at which a catalogue in use is read again, MinRefresh the least time between two readings.
	Refresh, MinRefresh time.Duration
	// Random is where cancel keys come from; nil is the system's.
	Random io.Reader
	// Now is the clock. Required.
	Now func() time.Time
	// OnFault is told of a panic in the engine and of a catalogue that could not be read. It gets no traffic. May be nil.
	OnFault func(where string, err error)
}

// CodecOptions are what a codec needs to know of the session whose messages it reads.
type CodecOptions struct {
	// Snapshot returns the newest catalogue; nil while none could be read.
	Snapshot func() *sql.Snapshot
	// Changed is called when the codec saw DDL: the catalogue is read again soon. It does not block.
	Changed func()
	// Parameters are the target's ParameterStatus at the start. Read-only.
	Parameters map[string]string
	// Settings are what the client has set in its startup message, by lower-case name, such as search_path. Read-only.
	Settings map[string]string
	// Columns is Options.Columns for this resource. Never nil.
	Columns func(relation, column string) (protected, statement bool)
	// Secret is Options.Secret for this resource. Never nil.
	Secret func(relation, column string) bool
	// SecretSetting is Options.SecretSetting. nil takes every setting for a secret.
	SecretSetting func(name string) bool
	// Notifies is told that notifications of this session may hold what secret columns do, and Notified whether those of the
	// target's process pid may. Either may be nil.
	Notifies func()
	Notified func(pid uint32) bool
	// ReadOnly is set when the access may only read; the target was told so, too.
	ReadOnly bool
	// MaxStatement is the largest statement in bytes.
	MaxStatement int
	// AllowFunctionCall lets FunctionCall messages be decided on; without it they are refused.
	AllowFunctionCall bool
	// Greeted is set when the target's first bytes are the greeting that follows a login.
	Greeted bool
	// PID and Key are what the client holds as BackendKeyData; Key is empty when the target gave none.
	PID uint32
	Key []byte
	// HeldNotice is what a held statement's NOTICE says. Never nil.
	HeldNotice func(id weir.RequestID) (message, detail, hint string)
}

// check fills in the defaults.
func (o *Options) check() error {
	if o.Codec == nil || o.Now == nil || o.Secret == nil {
		return errors.New("postgres engine without a codec, a clock or a way to know secret columns")
	}
	orElse(&o.LoginTimeout, DefaultLoginTimeout)
	orElse(&o.ConnectTimeout, DefaultConnectTimeout)
	orElse(&o.MaxStatement, DefaultMaxStatement)
	orElse(&o.MaxLogins, DefaultMaxLogins)
	orElse(&o.Refresh, DefaultRefresh)
	orElse(&o.MinRefresh, DefaultMinRefresh)
	if o.ReadOnly == nil {
		o.ReadOnly = func(*weir.SessionInfo) bool { return false }
	}
	if o.Columns == nil {
		o.Columns = func(string, string, string) (bool, bool) { return false, false }
	}
	if o.HeldNotice == nil {
		o.HeldNotice = func(_ *weir.SessionInfo, id weir.RequestID) (string, string, string) {
			return "this statement waits for an approval", "request " + string(id), "ask somebody who may approve it"
		}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.OnFault == nil {
		o.OnFault = func(string, error) {}
	}
	return nil
}

func orElse[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}
