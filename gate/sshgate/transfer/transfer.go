// Package transfer holds what file transfers over SSH have in common, whatever their protocol: the operations that are decided on,
// the seam to the session that decides and records, the kind of a file by its bytes, and the search for placeholders in what is uploaded.
//
// It must never decide on its own that something may pass: the Host does. A Host is used from several goroutines at once; an
// Exchange by one at a time; the rest belongs to one goroutine.
package transfer

import (
	"context"
	"errors"
	"io"
	"strings"

	"weir"
)

// Op is one operation on files, as it is decided on.
type Op struct {
	Name  string   // "open", "list", "stat", "setstat", "remove", "rename", "copy", …
	Paths []string // as the client spelled them; the first is the one acted upon
	Write bool     // it changes files
	Reads []string // files, or trees of them, of which it reads the content beside that, or which it gives another name
	Flags string   // of open: "read", "write", "append", "create", "truncate", "exclusive", with commas between
}

// String is the operation on one line, for a rule's text and for records. It is not masked.
func (o Op) String() string {
	return o.Name + " " + strings.Join(o.Paths, " ")
}

// Host decides and records. It is what a session is adapted to.
type Host interface {
	// Begin decides on an operation and opens its exchange. It may block while somebody is asked. An error refuses: its public text
	// (weir.PublicOf) is what the client reads.
	Begin(ctx context.Context, op Op) (Exchange, error)
	// Text masks a name or a message on its way to the client. It must leave names without a secret as they are. It does not keep p.
	Text(p []byte) ([]byte, error)
}

// Exchange is one operation from its decision to its end. *session.Exchange has these methods; only Body (CommandBody) and Note (which
// takes the kind of record, RecordFile) need an adapter. The caller uses it from one goroutine at a time.
type Exchange interface {
	// Forward runs send, the step that touches the target. It does so once.
	Forward(send func(ctx context.Context) error) error
	// Writer masks and records what is written to it and passes it on to dst. It may be called again when the client reads anew.
	Writer(dst io.Writer, shape weir.Shape) (weir.MaskWriter, error)
	// Body masks and records a copy of what the client uploads. After an error of its writer nothing may be forwarded.
	Body(shape weir.Shape) (io.WriteCloser, error)
	// Refuse records a refusal that came after Forward and returns what the client may read of it.
	Refuse(d *weir.Denied) *weir.Denied
	// Note records how the operation went; text and attributes are masked by it.
	Note(text string, attrs ...weir.Attr) error
	// End closes the books. err is why it broke off, or nil.
	End(err error)
}

// Options are the resource's settings.
type Options struct {
	AllowOpaque bool  // files that are not text pass, with known secrets masked
	BodyCap     int64 // bytes of one upload that are handed to Exchange.Body, at most
}

// errNoExchange is a Host's fault.
var errNoExchange = errors.New("transfer: the host allowed an operation without an exchange")

// Begin asks the host. What a host gives without an exchange is refused, and so are paths that hold a placeholder: who sends one
// means the name that it stands for.
func Begin(ctx context.Context, h Host, op Op) (Exchange, error) {
	for _, p := range op.Paths {
		if Placeholder([]byte(p)) {
			return nil, errPlaceholderName
		}
	}
	x, err := h.Begin(ctx, op)
	if err == nil && x == nil {
		err = errNoExchange
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

var errPlaceholderName = weir.NewError(weir.Invalid, "refused: the path holds a placeholder of the gateway; use the name that it stands for", nil)

// RefusePlaceholder refuses an upload that would write a placeholder where the secret was.
func RefusePlaceholder() *weir.Denied {
	return &weir.Denied{
		Kind: weir.DeniedContent, Rule: "placeholder", Reason: "refused: the upload holds a placeholder of the gateway ([masked:…]), which would be written where the secret was",
		Hint: "put the value there, or leave the line out",
	}
}

// RefuseOpaque refuses a file that cannot be looked into.
func RefuseOpaque() *weir.Denied {
	return &weir.Denied{
		Kind: weir.DeniedContent, Rule: "allow_opaque", Reason: "refused: the file is not text and cannot be looked into",
		Hint: "the resource's setting allow_opaque lets such files pass",
	}
}

// Refusal is what a client reads of a refusal: what, by which rule, what next, and the request's id.
func Refusal(err error) string {
	_, text := weir.PublicOf(err)
	var d *weir.Denied
	if !errors.As(err, &d) {
		return text
	}
	if d.Rule != "" && !strings.Contains(text, "rule "+d.Rule) && !strings.Contains(text, `"`+d.Rule+`"`) {
		text += " (rule " + d.Rule + ")"
	}
	if d.Hint != "" {
		text += "; " + d.Hint
	}
	if d.Request != "" && !strings.Contains(text, string(d.Request)) {
		text += " [request " + string(d.Request) + "]"
	}
	return text
}
