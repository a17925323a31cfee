package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/session"
)

func open(t *testing.T, c *gatetest.Controls) *session.Session {
	t.Helper()
	s, err := c.Gate(t).Incoming(weir.Client{Agent: "test/" + gatetest.Canary}).Authorize(t.Context(), gatetest.Hello())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.End("test over") })
	return s
}

func wantDenied(t *testing.T, err error, kind weir.DenyKind) *weir.Denied {
	t.Helper()
	var d *weir.Denied
	if !errors.As(err, &d) {
		t.Fatalf("not a refusal: %v", err)
	}
	if d.Kind != kind {
		t.Fatalf("refused as %v (%v), want %v", d.Kind, d, kind)
	}
	return d
}

var show = &weir.Command{Operation: "SHOW", Text: "SHOW all " + gatetest.Canary}

// ask runs one whole exchange and reports what the target got and what the client got.
func ask(ctx context.Context, s *session.Session, cmd *weir.Command, answer string) (forwarded int, client string, err error) {
	x, err := s.Ask(ctx, cmd)
	if err != nil {
		return 0, "", err
	}
	defer func() { x.End(err) }()
	if err = x.Forward(func(context.Context) error { forwarded++; return nil }); err != nil {
		return forwarded, "", err
	}
	if err = x.Head("200", []weir.Attr{{Name: "password", Value: "hunter2"}}); err != nil {
		return forwarded, "", err
	}
	var out bytes.Buffer
	w, err := x.Writer(&out, weir.Shape{Format: weir.FormatText})
	if err != nil {
		return forwarded, out.String(), err
	}
	for _, b := range []byte(answer) { // byte by byte: boundaries anywhere
		if _, err = w.Write([]byte{b}); err != nil {
			return forwarded, out.String(), err
		}
	}
	err = w.Close()
	return forwarded, out.String(), err
}

func TestAnExchangeIsDecidedRecordedForwardedAndMasked(t *testing.T) {
	c := &gatetest.Controls{}
	s := open(t, c)
	order := ""
	c.OnDecide = func(*weir.Command) (weir.Verdict, error) {
		order += "decide "
		return weir.Verdict{Effect: weir.Allow}, nil
	}
	c.OnRecord = func(r *weir.Record) error { order += r.Kind.String() + " "; return nil }
	x, err := s.Ask(t.Context(), show)
	if err != nil {
		t.Fatal(err)
	}
	_ = x.Forward(func(context.Context) error { order += "forward "; return nil })
	w, err := x.Writer(writerFunc(func(p []byte) (int, error) { order += "write "; return len(p), nil }), weir.Shape{Format: weir.FormatText})
	if err != nil {
		t.Fatal(err)
	}
	_ = x.Head("200", nil)
	fmt.Fprint(w, "hello")
	_ = w.Close()
	x.End(nil)
	if want := "decide command forward answer-head answer-body write answer-end "; order != want {
		t.Fatalf("order %q, want %q", order, want)
	}
	n, got, err := ask(t.Context(), s, show, "a "+gatetest.Canary+" b")
	if err != nil || n != 1 || got != "a "+gatetest.Mask+" b" {
		t.Fatalf("%d %q %v", n, got, err)
	}
	c.Sweep(t, got)
	if !strings.Contains(fmt.Sprint(c.Records()), "masked.known 1") {
		t.Errorf("the end does not count what was masked: %v", c.Records())
	}
	if strings.Contains(fmt.Sprint(c.Records()), "hunter2") {
		t.Error("a named value was recorded in clear")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestHandMadeValuesForwardNothing(t *testing.T) {
	ran := func(context.Context) error { t.Error("forwarded"); return nil }
	var x session.Exchange
	wantDenied(t, x.Forward(ran), weir.DeniedByFault)
	wantDenied(t, (*session.Exchange)(nil).Forward(ran), weir.DeniedByFault)
	wantDenied(t, x.Head("", nil), weir.DeniedByFault)
	_, err := x.Writer(&bytes.Buffer{}, weir.Shape{Format: weir.FormatText})
	wantDenied(t, err, weir.DeniedByFault)
	_, err = x.TargetMessage(nil, []byte("x"), weir.Shape{Format: weir.FormatText})
	wantDenied(t, err, weir.DeniedByFault)
	x.End(nil)
	var s session.Session
	_, err = s.Ask(t.Context(), show)
	wantDenied(t, err, weir.DeniedByFault)
	wantDenied(t, s.Pump(t.Context(), &gatetest.Lines{}), weir.DeniedByFault)
	_, err = (&session.Incoming{}).Authorize(t.Context(), gatetest.Hello())
	wantDenied(t, err, weir.DeniedByFault)
	s.End("")
}

func TestAnExchangeWorksOnce(t *testing.T) {
	s := open(t, &gatetest.Controls{})
	x, err := s.Ask(t.Context(), show)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	send := func(context.Context) error { n++; return nil }
	if err := x.Forward(send); err != nil {
		t.Fatal(err)
	}
	wantDenied(t, x.Forward(send), weir.DeniedByFault)
	x.End(nil)
	wantDenied(t, x.Forward(send), weir.DeniedByFault)
	_, err = x.Writer(&bytes.Buffer{}, weir.Shape{Format: weir.FormatText})
	wantDenied(t, err, weir.DeniedByFault)
	if n != 1 {
		t.Fatalf("forwarded %d times", n)
	}
}

func TestAGateNeedsEveryControl(t *testing.T) {
	full := &gatetest.Controls{}
	all := session.Controls{Admitter: full, Decider: full, Holder: full, Masker: full, Recorder: full, Auditor: full}
	var none *gatetest.Controls
	for name, drop := range map[string]func(*session.Controls){
		"Admitter": func(c *session.Controls) { c.Admitter = nil },
		"Decider":  func(c *session.Controls) { c.Decider = none },
		"Holder":   func(c *session.Controls) { c.Holder = nil },
		"Masker":   func(c *session.Controls) { c.Masker = none },
		"Recorder": func(c *session.Controls) { c.Recorder = nil },
		"Auditor":  func(c *session.Controls) { c.Auditor = none },
	} {
		c := all
		drop(&c)
		if _, err := session.New(c, full.Options()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	if _, err := session.New(all, session.Options{}); err == nil {
		t.Error("without options: no error")
	}
}

func TestTheZeroVerdictDenies(t *testing.T) {
	c := &gatetest.Controls{OnDecide: func(*weir.Command) (weir.Verdict, error) { return weir.Verdict{}, nil }}
	n, got, err := ask(t.Context(), open(t, c), show, "secret")
	wantDenied(t, err, weir.DeniedByRule)
	if n != 0 || got != "" {
		t.Fatalf("forwarded %d, client got %q", n, got)
	}
	c.OnDecide = func(*weir.Command) (weir.Verdict, error) { return weir.Verdict{Effect: 77}, nil }
	_, _, err = ask(t.Context(), open(t, c), show, "secret")
	wantDenied(t, err, weir.DeniedByRule)
}

// TestEachBrokenControlDenies breaks each control in turn, by error and by panic.
func TestEachBrokenControlDenies(t *testing.T) {
	enospc := fmt.Errorf("append: %w", syscall.ENOSPC)
	for name, brk := range map[string]func(c *gatetest.Controls, fail func() error){
		"decider": func(c *gatetest.Controls, f func() error) {
			c.OnDecide = func(*weir.Command) (weir.Verdict, error) { return weir.Verdict{Effect: weir.Allow}, f() }
		},
		"recorder (disk full)": func(c *gatetest.Controls, f func() error) { c.OnRecord = func(*weir.Record) error { return f() } },
		"holder": func(c *gatetest.Controls, f func() error) {
			c.OnDecide = func(*weir.Command) (weir.Verdict, error) {
				return weir.Verdict{Effect: weir.Approve, Policy: "p1"}, nil
			}
			c.OnHold = func(context.Context, *weir.Hold) (weir.Grant, error) {
				return weir.Grant{Request: "req_1", Policy: "p1"}, f()
			}
		},
		"auditor of a hold": func(c *gatetest.Controls, f func() error) {
			c.OnDecide = func(*weir.Command) (weir.Verdict, error) {
				return weir.Verdict{Effect: weir.Approve, Policy: "p1"}, nil
			}
			c.OnAudit = func(*weir.Event) error { return f() }
		},
	} {
		for how, fail := range map[string]func() error{"error": func() error { return enospc }, "panic": func() error { panic("bug") }} {
			t.Run(name+" "+how, func(t *testing.T) {
				c := &gatetest.Controls{}
				s := open(t, c)
				brk(c, fail)
				n, got, err := ask(t.Context(), s, show, "secret")
				d := wantDenied(t, err, weir.DeniedByFault)
				if n != 0 || got != "" || d.Request == "" || len(c.Faults()) == 0 {
					t.Fatalf("forwarded %d, client got %q, request %q, faults %v", n, got, d.Request, c.Faults())
				}
			})
		}
	}
}

func TestNobodyIsLetInWhenAControlFails(t *testing.T) {
	boom := func() error { return gatetest.ErrBroken }
	for name, c := range map[string]*gatetest.Controls{
		"admitter":        {OnAdmit: func(*session.Hello) (*session.Admission, error) { return nil, boom() }},
		"admitter panics": {OnAdmit: func(*session.Hello) (*session.Admission, error) { panic("bug") }},
		"admits nobody":   {OnAdmit: func(*session.Hello) (*session.Admission, error) { return nil, nil }},
		"unknown kind": {OnAdmit: func(h *session.Hello) (*session.Admission, error) {
			return &session.Admission{Identity: weir.Identity{User: "u"}, Resource: weir.Resource{Name: "res", Protocol: h.Protocol}, Expires: time.Now().Add(time.Hour)}, nil
		}},
		"masker":        {OnOpen: func() (session.Mask, error) { return nil, boom() }},
		"masker panics": {OnOpen: func() (session.Mask, error) { panic("bug") }},
		"no mask":       {OnOpen: func() (session.Mask, error) { return nil, nil }},
		"mask panics":   {OnOpen: func() (session.Mask, error) { return brokenMask{}, nil }},
		"recorder":      {OnRecord: func(*weir.Record) error { return boom() }},
		"auditor":       {OnAudit: func(*weir.Event) error { return boom() }},
	} {
		t.Run(name, func(t *testing.T) {
			g := c.Gate(t)
			s, err := g.Incoming(weir.Client{Agent: "a"}).Authorize(t.Context(), gatetest.Hello())
			wantDenied(t, err, weir.DeniedByFault)
			if s != nil || len(g.Live()) != 0 {
				t.Fatal("a session came of it")
			}
		})
	}
}

// brokenMask panics on text and fails on streams.
type brokenMask struct{}

func (brokenMask) Value([]byte, string, []byte, *weir.Tally) []byte { panic("bug") }
func (brokenMask) Stream(session.Writer, weir.Shape, *weir.Tally) (weir.MaskWriter, error) {
	return brokenWriter{}, nil
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { panic("bug") }
func (brokenWriter) Flush() error              { panic("bug") }
func (brokenWriter) Close() error              { panic("bug") }

// quietMask passes names and breaks on bodies.
type quietMask struct{ brokenMask }

func (quietMask) Value(dst []byte, _ string, v []byte, _ *weir.Tally) []byte {
	return append(dst, v...)
}

func TestAMaskThatBreaksMidAnswerLetsNothingThrough(t *testing.T) {
	c := &gatetest.Controls{OnOpen: func() (session.Mask, error) { return quietMask{}, nil }}
	_, got, err := ask(t.Context(), open(t, c), &weir.Command{Operation: "SHOW", Text: "SHOW"}, gatetest.Canary)
	wantDenied(t, err, weir.DeniedByFault)
	if got != "" {
		t.Fatalf("client got %q", got)
	}
}

func TestADiskThatFillsMidAnswerStopsIt(t *testing.T) {
	c := &gatetest.Controls{}
	s := open(t, c)
	n := 0
	c.OnRecord = func(r *weir.Record) error {
		if n++; r.Kind == weir.RecordAnswerBody && n > 4 {
			return syscall.ENOSPC
		}
		return nil
	}
	_, got, err := ask(t.Context(), s, show, "0123456789")
	wantDenied(t, err, weir.DeniedByFault)
	if len(got) >= 10 {
		t.Fatalf("client got %q although its record failed", got)
	}
}

func TestTheRecordStopsAtTheCapAndSaysSo(t *testing.T) {
	c := &gatetest.Controls{OnAdmit: func(h *session.Hello) (*session.Admission, error) {
		return &session.Admission{
			Identity: weir.Identity{User: "u", Name: "a", Kind: weir.Human}, Expires: time.Now().Add(time.Hour),
			Resource: weir.Resource{Name: "res", Protocol: h.Protocol, RecordCap: 4},
		}, nil
	}}
	_, got, err := ask(t.Context(), open(t, c), show, "0123456789")
	if err != nil || got != "0123456789" {
		t.Fatal(got, err)
	}
	var kept []byte
	for _, r := range c.Records() {
		kept = append(kept, r.Data...)
	}
	if all := fmt.Sprint(c.Records()); string(kept) != "0123" || !strings.Contains(all, "truncated true") || !strings.Contains(all, "{bytes 10}") {
		t.Fatalf("kept %q: %s", kept, all)
	}
}

// TestTheRecordGoesOnWhenItIsRenewed: what was left out before is told in its place, once.
func TestTheRecordGoesOnWhenItIsRenewed(t *testing.T) {
	c := &gatetest.Controls{OnAdmit: func(h *session.Hello) (*session.Admission, error) {
		return &session.Admission{
			Identity: weir.Identity{User: "u", Name: "a", Kind: weir.Human}, Expires: time.Now().Add(time.Hour),
			Resource: weir.Resource{Name: "res", Protocol: h.Protocol, RecordCap: 4},
		}, nil
	}}
	x, err := open(t, c).Ask(t.Context(), show)
	if err != nil {
		t.Fatal(err)
	}
	var out, all bytes.Buffer
	if err := x.Forward(func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	w, err := x.Writer(&out, weir.Shape{Format: weir.FormatOpaque})
	if err != nil {
		t.Fatal(err)
	}
	in, err := x.CommandBody(weir.Shape{Format: weir.FormatOpaque})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"0123456", "789", "", "ab", "", "cdefgh", ""} {
		if part == "" {
			x.Renew()
			x.Renew()
		}
		for _, to := range []io.Writer{w, in} {
			if _, err := io.WriteString(to, part); err != nil {
				t.Fatal(err)
			}
		}
		all.WriteString(part)
	}
	if err := errors.Join(w.Close(), in.Close()); err != nil || out.String() != all.String() {
		t.Fatal(out.String(), err)
	}
	x.End(nil)
	kept := map[weir.RecordKind]string{}
	for _, r := range c.Records() {
		kept[r.Kind] += string(r.Data)
	}
	if got, want := kept[weir.RecordAnswerBody], "0123\r\n[weir: 6 bytes are not recorded]\r\nabcdef"; got != want {
		t.Errorf("of the answer is kept %q, not %q", got, want)
	}
	if got := kept[weir.RecordCommandBody]; got != "0123abcdef" {
		t.Errorf("of the input is kept %q", got)
	}
	if text := fmt.Sprint(c.Records()); !strings.Contains(text, "{recorded 10}") || !strings.Contains(text, "truncated true") {
		t.Error(text)
	}
}

func (brokenMask) Version() any { panic("bug") }

func (brokenMask) Columns([]weir.Column) session.ColumnMask { panic("bug") }
