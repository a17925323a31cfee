package weir

import "time"

// RecordKind says what one entry of a recording is. The zero value is invalid.
type RecordKind uint8

// Kinds of entry. Their numbers are on disk: never reuse one.
const (
	RecordInvalid       RecordKind = 0
	RecordSessionStart  RecordKind = 1 // Attrs: identity, client, resource, exceptions
	RecordCommand       RecordKind = 2 // Text: the masked command; Attrs: verdict, rule, policy, request
	RecordRefusal       RecordKind = 3 // Text: the masked command; Attrs: kind, rule, reason, request
	RecordCommandBody   RecordKind = 4 // Data: masked bytes of what the client sent along
	RecordAnswerHead    RecordKind = 5 // Text: status line; Attrs: masked headers
	RecordAnswerBody    RecordKind = 6 // Data: masked bytes
	RecordAnswerEnd     RecordKind = 7 // Attrs: bytes, recorded, truncated, masked.<kind>, duration_us, error; Data: the last of the body
	RecordClientMessage RecordKind = 8 // Data: one masked message of a two-way stream, client to target
	RecordTargetMessage RecordKind = 9 // Data: the other way
	RecordSessionEnd    RecordKind = 10
	RecordAnswerError   RecordKind = 11 // Data: masked bytes of a second stream beside the answer's (stderr)
	RecordResize        RecordKind = 12 // Attrs: columns, rows of the client's terminal
	RecordFile          RecordKind = 13 // Text: operation and masked path; Attrs: offset, bytes, sha256, outcome …
)

var recordKindNames = [...]string{
	"invalid", "session-start", "command", "refusal", "command-body", "answer-head", "answer-body",
	"answer-end", "client-message", "target-message", "session-end", "answer-error", "resize", "file",
}

// Known reports whether there is such a kind.
func (k RecordKind) Known() bool { return k != RecordInvalid && int(k) < len(recordKindNames) }

// String returns the kind's name as exports spell it.
func (k RecordKind) String() string {
	if int(k) < len(recordKindNames) {
		return recordKindNames[k]
	}
	return "invalid"
}

// Record is one entry of a session's recording. Every byte in it is masked already;
// who stores it need not look. Data and Attrs belong to the caller and are only
// valid during the call that passes them.
type Record struct {
	Session  SessionID
	Exchange uint64 // counts from 1 within the session; 0 is the session itself
	Kind     RecordKind
	Time     time.Time
	Text     string
	Attrs    []Attr
	Data     []byte
}

// Event is one audit event: who did what to what, and how it ended. Masked already.
type Event struct {
	Time     time.Time
	Action   string // dotted, from a fixed list: "session.start", "command.deny", "user.add"
	Actor    string // identity name, or "system"
	Resource string
	Session  SessionID
	Request  RequestID
	Outcome  string // "attempt", "ok", "denied", "failed"
	Detail   []Attr
}
