package session

import (
	"context"
	"time"

	"weir"
	"weir/vault/secret"
)

// Hello is what a client presented before it was let in.
type Hello struct {
	Protocol weir.Protocol
	Resource string // resource the client asked for; "" takes it from Login
	// Login is the login name shown with Secret: "orders.k7f3q2" (access key), "orders" (personal token),
	// or "" when the protocol carries a bare token.
	Login  string
	Secret secret.String
	// Proof is set instead of Secret where the protocol lets clients prove themselves without sending a secret.
	Proof  *Proof
	Client weir.Client
}

// Proof is how a client proves itself without sending a secret. One field is set.
type Proof struct {
	// SCRAM runs a SCRAM-SHA-256 conversation (RFC 5802, RFC 7677) against a stored verifier and returns nil only when the client
	// has proved that it knows the secret. The Admitter calls it, also for logins it does not know, with a made-up verifier; only not for
	// addresses that have made too many wrong attempts. Authorize sees to it that it runs once.
	SCRAM func(ctx context.Context, v *SCRAMVerifier) error
	// PublicKey is an SSH public key in wire format (RFC 4253, section 6.6), of which the client has proved possession, or is
	// about to before anything is let through.
	PublicKey []byte
	// Certificate is a certificate that this gateway's own authority signed, checked by the engine in signature and time.
	Certificate *Certificate
}

// SCRAMVerifier is what is stored to check a client by SCRAM-SHA-256.
type SCRAMVerifier struct {
	Salt       []byte
	Iterations int
	StoredKey  []byte
	ServerKey  []byte
}

// Certificate is what a certificate of this gateway's own authority says.
type Certificate struct {
	User    weir.UserID
	ID      weir.CredentialID // the record of its issue
	Serial  uint64
	Expires time.Time
}

// Admission is who came in, to what, and until when.
type Admission struct {
	Identity weir.Identity
	Resource weir.Resource
	Expires  time.Time // absolute
}

// The controls. A session cannot exist without all of them. Each is safe for concurrent use. An
// error, a panic and a nil control deny. None of them may keep what it is passed a pointer to.
type (
	// Admitter authenticates a client and checks that it may reach the resource. Unknown
	// and forbidden are the same *weir.Denied.
	Admitter interface {
		Admit(ctx context.Context, h *Hello) (*Admission, error)
	}
	// Decider decides on one command.
	Decider interface {
		Decide(ctx context.Context, who *weir.Identity, res *weir.Resource, cmd *weir.Command) (weir.Verdict, error)
	}
	// StandingDecider is a Decider whose decisions on statements stand for a while.
	StandingDecider interface {
		Decider
		// Standing returns what counts now: under an equal plan the same identity is told the same of the same operation and weir.SQL, which do not change, on the
		// same resource, and where byText is set only of the same text. nil is equal to none. Before another plan counts Standing says so.
		Standing() (plan any, byText bool)
	}
	// Holder waits until the hold is approved and then uses the approval up. A *weir.Denied
	// says that it was not; its Request is set. It returns early when ctx ends (the client went away).
	Holder interface {
		Hold(ctx context.Context, h *weir.Hold) (weir.Grant, error)
	}
	// Masker makes what masks one session: every secret that the gateway holds, and the one the
	// client presented, are known to it. If it cannot be made the session is refused.
	Masker interface {
		Open(ctx context.Context, info *weir.SessionInfo, presented secret.String) (Mask, error)
	}
	// Recorder puts one entry of a recording where a crash cannot lose it.
	Recorder interface {
		Record(ctx context.Context, r *weir.Record) error
	}
	// Auditor keeps one audit event.
	Auditor interface {
		Audit(ctx context.Context, e *weir.Event) error
	}
)

// Mask masks for one session. Safe for concurrent use; a Tally and a MaskWriter are not.
type Mask interface {
	// Value appends the masked form of value to dst and returns it. name is what the value is
	// called where it stands (a header, a column, a form field), or "". It does not keep value.
	Value(dst []byte, name string, value []byte, t *weir.Tally) []byte
	// Stream masks a stream of the shape on its way to w. An unknown shape is an error.
	Stream(w Writer, shape weir.Shape, t *weir.Tally) (weir.MaskWriter, error)
	// Columns prepares to mask the rows of one result. The value is not for concurrent use.
	Columns(columns []weir.Column) ColumnMask
	// Version changes, at the latest, when Value begins to mask more than before: what became of a text under an equal version stands. nil is equal to none.
	Version() any
}

// ColumnMask masks the cells of one result.
type ColumnMask interface {
	// Cell masks one cell; nil is NULL and stays. It appends to dst what is to stand in its place, and nothing when it stays. The
	// cells of a row come in order. It does not keep value.
	Cell(dst []byte, col int, value []byte, t *weir.Tally) ([]byte, weir.Change)
	// Naming reports whether a column's values say what stands beside them, as variable_name does.
	Naming(col int) bool
	// Short is how many bytes a cell has to have at least, so that Cell may change it; 0 where it cannot tell. It holds for the row that comes next.
	Short() int
	// Marks searches many cells at once: b holds them, with anything between them. It appends to dst the places in b, ascending, that Marked has to look at, of
	// some of them the complement. Cell would leave every cell alone that has none of them in it, but for those that begin with { or [ and those with a line end or
	// a backslash in them. ok is false, and what was appended is of no use, where it cannot tell. It does not keep b.
	Marks(dst []int32, b []byte) (marks []int32, ok bool)
	// Marked is Cell for a cell that is b[from:from+len(value)] of what Marks was given last, and none of those that it says nothing of; marks are those in it.
	Marked(dst []byte, col int, value []byte, marks []int32, from int, t *weir.Tally) ([]byte, weir.Change)
	// SetName tells, in front of a row, what one of its naming columns holds. Only needed where that column stands behind what it names.
	SetName(value []byte)
}

// Writer is io.Writer; named so that implementations outside need no more than the method.
type Writer = interface{ Write(p []byte) (int, error) }
