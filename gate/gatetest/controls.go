// Package gatetest is what tests of the data path share: controls that a test can bend and break, a
// small line-based protocol that proves the framed pump, and the checks every engine must pass.
// It is for tests only, and its controls are in memory.
package gatetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir"
	"weir/gate/session"
	"weir/vault/secret"
)

// Canary is the secret that the test masker knows. It must never reach a client nor a record.
const Canary = "CANARY-0f3a9c"

// Mask is what the test masker puts in its place.
const Mask = "[masked:known:testtest]"

// ErrBroken is what a broken control answers.
var ErrBroken = errors.New("broken on purpose")

// Controls are in-memory controls. The func fields, when set, replace the behaviour that lets through.
// Safe for concurrent use as long as the funcs are.
type Controls struct {
	OnAdmit  func(*session.Hello) (*session.Admission, error)
	OnDecide func(*weir.Command) (weir.Verdict, error)
	OnHold   func(context.Context, *weir.Hold) (weir.Grant, error)
	OnOpen   func() (session.Mask, error)
	OnRecord func(*weir.Record) error
	OnAudit  func(*weir.Event) error

	mu      sync.Mutex
	records []weir.Record
	events  []weir.Event
	faults  []string
	ids     atomic.Int64
}

// Gate makes a gate on the controls.
func (c *Controls) Gate(t testing.TB) *session.Gate {
	t.Helper()
	g, err := session.New(session.Controls{Admitter: c, Decider: c, Holder: c, Masker: c, Recorder: c, Auditor: c}, c.Options())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Options are a real clock, counted ids and a list of faults.
func (c *Controls) Options() session.Options {
	return session.Options{
		Now:   time.Now,
		NewID: func(prefix string) string { return fmt.Sprint(prefix, c.ids.Add(1)) },
		OnFault: func(control string, _ error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.faults = append(c.faults, control)
		},
	}
}

// Hello is what a well-behaved client presents.
func Hello() *session.Hello {
	return &session.Hello{Protocol: "lines", Resource: "res", Secret: secret.New("presented-secret")}
}

// Admit lets anybody in for an hour.
func (c *Controls) Admit(_ context.Context, h *session.Hello) (*session.Admission, error) {
	if c.OnAdmit != nil {
		return c.OnAdmit(h)
	}
	return &session.Admission{
		Identity: weir.Identity{User: "usr_1", Name: "alice", Kind: weir.Human, Method: "access_key"},
		Resource: weir.Resource{Name: h.Resource, Protocol: h.Protocol, RecordCap: 1 << 20},
		Expires:  time.Now().Add(time.Hour),
	}, nil
}

// Decide allows.
func (c *Controls) Decide(_ context.Context, _ *weir.Identity, _ *weir.Resource, cmd *weir.Command) (weir.Verdict, error) {
	if c.OnDecide != nil {
		return c.OnDecide(cmd)
	}
	return weir.Verdict{Effect: weir.Allow, Rule: "default", Policy: "p1"}, nil
}

// Hold grants at once.
func (c *Controls) Hold(ctx context.Context, h *weir.Hold) (weir.Grant, error) {
	if c.OnHold != nil {
		return c.OnHold(ctx, h)
	}
	h.Opened("req_1")
	return weir.Grant{Request: "req_1", Policy: h.Verdict.Policy, Approvers: []string{"mia"}}, nil
}

// Open makes a masker that knows the Canary.
func (c *Controls) Open(context.Context, *weir.SessionInfo, secret.String) (session.Mask, error) {
	if c.OnOpen != nil {
		return c.OnOpen()
	}
	return canaryMask{}, nil
}

// Record keeps a copy.
func (c *Controls) Record(_ context.Context, r *weir.Record) error {
	if c.OnRecord != nil {
		if err := c.OnRecord(r); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cp := *r
	cp.Attrs, cp.Data = append([]weir.Attr(nil), r.Attrs...), bytes.Clone(r.Data)
	c.records = append(c.records, cp)
	return nil
}

// Audit keeps a copy.
func (c *Controls) Audit(_ context.Context, e *weir.Event) error {
	if c.OnAudit != nil {
		if err := c.OnAudit(e); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, *e)
	return nil
}

// Records returns what was recorded so far.
func (c *Controls) Records() []weir.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]weir.Record(nil), c.records...)
}

// Events returns what was audited so far.
func (c *Controls) Events() []weir.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]weir.Event(nil), c.events...)
}

// Faults returns the controls that failed so far.
func (c *Controls) Faults() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.faults...)
}

// Kinds spells the kinds of the records, in order.
func (c *Controls) Kinds() string {
	var b strings.Builder
	for _, r := range c.Records() {
		fmt.Fprint(&b, r.Kind, " ")
	}
	return strings.TrimSpace(b.String())
}

// Sweep fails the test if the canary is in any record, event or of the given outputs.
func (c *Controls) Sweep(t testing.TB, outputs ...string) {
	t.Helper()
	all := append(outputs, fmt.Sprintf("%+v", c.Events()))
	for _, r := range c.Records() {
		all = append(all, fmt.Sprint(r.Text, r.Attrs), string(r.Data))
	}
	for _, o := range all {
		if strings.Contains(o, Canary) {
			t.Errorf("the canary got out: %.200q", o)
		}
	}
}

// canaryMask masks the Canary wherever it stands whole, and whole values called "password".
type canaryMask struct{}

func (canaryMask) Value(dst []byte, name string, value []byte, tally *weir.Tally) []byte {
	if name == "password" {
		tally.Add("field")
		return append(dst, Mask...)
	}
	for range bytes.Count(value, []byte(Canary)) {
		tally.Add("known")
	}
	return append(dst, bytes.ReplaceAll(value, []byte(Canary), []byte(Mask))...)
}

func (m canaryMask) Stream(w session.Writer, shape weir.Shape, tally *weir.Tally) (weir.MaskWriter, error) {
	if shape.Format == weir.FormatUnknown {
		return nil, errors.New("unknown shape")
	}
	return &canaryWriter{w: w, m: m, tally: tally}, nil
}

// canaryWriter holds back as many bytes as may still become the Canary.
type canaryWriter struct {
	w     io.Writer
	m     canaryMask
	tally *weir.Tally
	held  []byte
}

func (c *canaryWriter) Write(p []byte) (int, error) {
	c.held = append(c.held, p...)
	return len(p), c.Flush()
}

func (c *canaryWriter) Flush() error {
	keep := 0
	for n := min(len(c.held), len(Canary)-1); n > 0; n-- {
		if strings.HasPrefix(Canary, string(c.held[len(c.held)-n:])) {
			keep = n
			break
		}
	}
	return c.pass(len(c.held) - keep)
}

func (c *canaryWriter) Close() error { return c.pass(len(c.held)) }

func (c *canaryWriter) pass(n int) error {
	if n == 0 {
		return nil
	}
	_, err := c.w.Write(c.m.Value(nil, "", c.held[:n], c.tally))
	c.held = c.held[:copy(c.held, c.held[n:])]
	return err
}

// Version is always the same.
func (canaryMask) Version() any { return canaryMask{} }

// Columns masks cells that hold the canary, and all of protected columns.
func (canaryMask) Columns(columns []weir.Column) session.ColumnMask {
	return &canaryColumns{columns: columns}
}

type canaryColumns struct{ columns []weir.Column }

// Cell masks one cell.
func (c *canaryColumns) Cell(dst []byte, col int, value []byte, t *weir.Tally) ([]byte, weir.Change) {
	protected, typed := false, false
	if col < len(c.columns) {
		protected, typed = c.columns[col].Protected, c.columns[col].Typed
	}
	if value == nil || !protected && !bytes.Contains(value, []byte(Canary)) {
		return dst, weir.Unchanged
	}
	t.Add("known")
	if typed {
		return dst, weir.Null
	}
	if protected {
		return append(dst, Mask...), weir.Masked
	}
	return append(dst, bytes.ReplaceAll(value, []byte(Canary), []byte(Mask))...), weir.Masked
}

// Naming is false: no column names others.
func (*canaryColumns) Naming(int) bool { return false }

// Short cannot tell.
func (*canaryColumns) Short() int { return 0 }

// Marks cannot tell.
func (*canaryColumns) Marks(dst []int32, _ []byte) ([]int32, bool) { return dst, false }

// Marked is Cell.
func (c *canaryColumns) Marked(dst []byte, col int, value []byte, _ []int32, _ int, t *weir.Tally) ([]byte, weir.Change) {
	return c.Cell(dst, col, value, t)
}

// SetName does nothing.
func (*canaryColumns) SetName([]byte) {}
