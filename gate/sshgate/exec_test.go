package sshgate_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/sshgate"
)

func TestOpenSSHRunsCommands(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{Notice: true})
	for _, c := range []struct {
		name, command, stdin string
		out, err             string
		status               int
	}{
		{"nothing", "true", "", "", "", 0},
		{"status 7", "exit 7", "", "", "", 7},
		{"status 255", "exit 255", "", "", "", 255},
		{"killed by a signal", "kill -TERM $$", "", "", "", 255},
		{"streams apart", "echo out; echo err >&2", "", "out\n", "err\n", 0},
		{"input to its end", "cat; echo end", "a\nb", "a\nbend\n", "", 0},
		{"no line end", "printf prompt", "", "prompt", "", 0},
		{"output closed before the end", "exec >&- 2>&-; sleep 0.1; exit 3", "", "", "", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := b.ssh("web-1@127.0.0.1", c.command)
			cmd.Stdin = strings.NewReader(c.stdin)
			out, errs, status := run(t, cmd)
			if out != c.out || errs != c.err || status != c.status {
				t.Errorf("got %q, %q, %d", out, errs, status)
			}
		})
	}
}

func TestSignalsAreToldAsSuch(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{})
	s := newSession(t, b.mustClient())
	err := s.Run("kill -KILL $$")
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.Signal() != "KILL" {
		t.Errorf("got %v", err)
	}
}

// fingerprints are the ends of placeholders.
var fingerprints = regexp.MustCompile(`:[a-z2-7]{8}\]`)

// TestALetterIsShownThoughASecretBeginsWithIt waits for a line that ends as a secret begins, and for a secret that comes in pieces.
func TestALetterIsShownThoughASecretBeginsWithIt(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{})
	for _, c := range []struct{ command, shown, after string }{
		{"echo jaZ; read x; echo end", "jaZ\n", "end\n"},
		{"printf 'x Zq'; read x; printf 7-CANARY-; sleep 0.2; echo 4f81x-Jw2p y", "x Zq", "[masked:canary] y\n"},
		{"printf 'x Zq7-'; sleep 0.2; printf ' z'; read x", "x Zq7- z", ""},
	} {
		s := newSession(t, b.mustClient())
		out := &buffer{}
		s.Stdout = out
		in, err := s.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(c.command); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the first output of "+c.command, func() bool { return out.String() == c.shown })
		_, _ = io.WriteString(in, "\n")
		_ = s.Wait()
		if got := strings.TrimPrefix(fingerprints.ReplaceAllString(out.String(), "]"), c.shown); got != c.after {
			t.Errorf("%s: %q", c.command, got)
		}
	}
}

// TestAFailingFlushEndsTheProgram has the recording fail just when what was held is to be shown.
func TestAFailingFlushEndsTheProgram(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{})
	b.OnRecord = func(r *weir.Record) error {
		if r.Kind == weir.RecordAnswerBody && bytes.Contains(r.Data, []byte("Zq")) {
			return errors.New("full")
		}
		return nil
	}
	s := newSession(t, b.mustClient())
	out := &buffer{}
	s.Stdout = out
	start := time.Now()
	if err := s.Run("printf 'x Zq'; exec sleep 60"); err == nil || time.Since(start) > 30*time.Second || strings.Contains(out.String(), "Zq") {
		t.Errorf("%v after %v: %q", err, time.Since(start), out)
	}
}

func newSession(t testing.TB, c *ssh.Client) *ssh.Session {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBulkBothWays(t *testing.T) {
	target := targetOf(t, startSSHD(t, nil))
	target.AllowOpaque = []string{"pipes"}
	b := newBed(t, target, sshgate.Options{})
	data := make([]byte, 50<<20)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/bulk"
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%x", sha256.Sum256(data))

	out, errs, status := run(t, b.ssh("web-1@127.0.0.1", "cat "+file))
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(out))); got != want || status != 0 {
		t.Errorf("down: %d bytes, status %d, %q", len(out), status, errs)
	}
	cmd := b.ssh("web-1@127.0.0.1", "sha256sum")
	cmd.Stdin = bytes.NewReader(data)
	if out, errs, _ = run(t, cmd); !strings.HasPrefix(out, want) {
		t.Errorf("up: %q, %q", out, errs)
	}
}

// TestInputGoesOnBehindTheOutput has programs that close their output, or end, while the client still sends.
func TestInputGoesOnBehindTheOutput(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{})
	data := bytes.Repeat([]byte("a line of what is sent\n"), 200_000)
	file := t.TempDir() + "/sent"
	for _, first := range []string{"", "head -c 100000 > /dev/null; "} {
		cmd := b.ssh("web-1@127.0.0.1", "exec >&- 2>&-; "+first+"cat > "+file+"; exit 7")
		cmd.Stdin = bytes.NewReader(data)
		_, errs, status := run(t, cmd)
		got, err := os.ReadFile(file)
		if want := len(data) - 100_000*min(1, len(first)); err != nil || len(got) != want || status != 7 {
			t.Errorf("%q: %d bytes came, not %d; status %d, %q, %v", first, len(got), want, status, errs, err)
		}
	}
	for range 20 {
		cmd := b.ssh("web-1@127.0.0.1", "head -c 10; exit 8")
		cmd.Stdin = bytes.NewReader(data)
		if out, errs, status := run(t, cmd); out != "a line of " || status != 8 {
			t.Errorf("%q, status %d, %q", out, status, errs)
		}
	}
}

func TestBinaryOutputIsRefused(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{})
	out, errs, status := run(t, b.ssh("web-1@127.0.0.1", "head -c 100000 /dev/urandom | gzip"))
	if out != "" || status != 126 || !strings.Contains(errs, "allow_opaque: [pipes]") {
		t.Errorf("got %d bytes, %q, %d", len(out), errs, status)
	}
}

func TestCanaries(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{})
	half := len(canary) / 2
	slow := "for c in " + strings.Join(strings.Split(canary, ""), " ") + "; do printf %s $c; sleep 0.05; done; echo"
	for _, c := range []struct {
		name, command string
		pty           bool
	}{
		{"text", "echo " + canary, false},
		{"stderr", "echo " + canary + " >&2", false},
		{"both", "echo " + canary + " >&2; echo " + canary, false},
		{"env", "FOO_X=" + canary + " env", false},
		{"slow", slow, false},
		{"terminal", "echo " + canary, true},
		{"terminal, slow", slow, true},
		{"terminal, coloured", `printf '\033[31m` + canary[:half] + `\033[0;1m` + canary[half:] + `\033[0m\n'`, true},
		{"terminal, wrapped", fmt.Sprintf("printf '%%70s' x; printf '%s\\r\\n%s\\n'", canary[:9], canary[9:]), true},
		{"terminal, stderr", "echo " + canary + " >&2", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t, b.mustClient())
			if c.pty {
				if err := s.RequestPty("xterm", 24, 80, nil); err != nil {
					t.Fatal(err)
				}
			}
			var out, errs buffer
			s.Stdout, s.Stderr = &out, &errs
			if err := s.Run(c.command); err != nil {
				t.Fatal(err)
			}
			all := out.String() + errs.String()
			plain := strings.NewReplacer("\x1b[31m", "", "\x1b[0;1m", "", "\x1b[0m", "", "\r", "", "\n", "").Replace(all)
			if !strings.Contains(all, "[masked:") {
				t.Errorf("nothing was masked: %q", all)
			}
			b.noCanary(all, plain)
		})
	}
}

func TestEnvIsLimited(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{})
	s := newSession(t, b.mustClient())
	if err := s.Setenv("FOO_A", "one"); err != nil {
		t.Errorf("allowed: %v", err)
	}
	if err := s.Setenv("LD_PRELOAD", "x"); err == nil {
		t.Error("a variable that is not allowed was taken")
	}
	out, err := s.Output(`echo "$FOO_A"`)
	if err != nil || string(out) != "one\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestTerminalHasItsSize(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{Notice: true})
	s := newSession(t, b.mustClient())
	if err := s.RequestPty("xterm", 30, 100, nil); err != nil {
		t.Fatal(err)
	}
	var out, errs buffer
	s.Stdout, s.Stderr = &out, &errs
	in, _ := s.StdinPipe()
	if err := s.Start("stty size; read x; stty size"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first size", func() bool { return strings.Contains(out.String(), "30 100") })
	if err := s.WindowChange(40, 132); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the change is recorded", func() bool {
		return slices.ContainsFunc(b.Records(), func(r weir.Record) bool {
			return r.Kind == weir.RecordResize && fmt.Sprint(r.Attrs) == "[{columns 132} {rows 40}]"
		})
	})
	if !slices.ContainsFunc(b.Records(), func(r weir.Record) bool {
		return r.Kind == weir.RecordCommand && strings.Contains(fmt.Sprint(r.Attrs), "{columns 100} {rows 30} {term xterm}")
	}) {
		t.Errorf("the first size is not recorded with the command: %v", b.Records())
	}
	_, _ = io.WriteString(in, "\r")
	if err := s.Wait(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "40 132") || !strings.Contains(errs.String(), "recorded as ses_") {
		t.Errorf("got %q, %q", out.String(), errs.String())
	}
}

// TestTheLastSizeCounts changes the size of a terminal many times while its program waits for an approval.
func TestTheLastSizeCounts(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{})
	b.OnDecide = func(*weir.Command) (weir.Verdict, error) { return weir.Verdict{Effect: weir.Approve, Policy: "p"}, nil }
	approved := make(chan struct{})
	b.OnHold = func(context.Context, *weir.Hold) (weir.Grant, error) {
		<-approved
		return weir.Grant{Request: "req_9", Policy: "p"}, nil
	}
	s := newSession(t, b.mustClient())
	out := &buffer{}
	s.Stdout, s.Stdin = out, strings.NewReader("\r")
	if err := s.RequestPty("xterm", 30, 100, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Start("read x; stty size"); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		if err := s.WindowChange(50+i, 200); err != nil {
			t.Fatal(err)
		}
	}
	last := struct{ Columns, Rows, Width, Height uint32 }{132, 40, 0, 0}
	if ok, err := s.SendRequest("window-change", true, ssh.Marshal(last)); err != nil || !ok {
		t.Fatal(ok, err)
	}
	close(approved)
	if err := s.Wait(); err != nil || !strings.Contains(out.String(), "40 132") {
		t.Errorf("%v %q", err, out.String())
	}
}

func TestDenied(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{})
	b.OnDecide = func(c *weir.Command) (weir.Verdict, error) {
		if c.SSH.Shell != nil && c.SSH.Shell.Commands[0].Name == "env" {
			return weir.Verdict{Effect: weir.Deny, Rule: "no-env", Reason: "env is not for you"}, nil
		}
		return weir.Verdict{Effect: weir.Allow}, nil
	}
	c := b.mustClient()
	s := newSession(t, c)
	var errs buffer
	s.Stderr = &errs
	err := s.Run("env")
	var exit *ssh.ExitError
	if !errors.As(err, &exit) || exit.ExitStatus() != 126 {
		t.Errorf("got %v", err)
	}
	if e := errs.String(); !strings.HasPrefix(e, "weir: env is not for you (rule no-env)") || !strings.Contains(e, "[ref_") {
		t.Errorf("got %q", e)
	}
	if out, err := newSession(t, c).Output("echo on"); err != nil || string(out) != "on\n" {
		t.Errorf("the connection did not live on: %q, %v", out, err)
	}
}

func TestHeld(t *testing.T) {
	b := newBed(t, targetOf(t, startSSHD(t, nil)), sshgate.Options{})
	b.OnDecide = func(*weir.Command) (weir.Verdict, error) { return weir.Verdict{Effect: weir.Approve, Policy: "p"}, nil }
	answer := make(chan error)
	withdrawn := make(chan struct{})
	b.OnHold = func(ctx context.Context, h *weir.Hold) (weir.Grant, error) {
		h.Opened("req_9")
		select {
		case err := <-answer:
			return weir.Grant{Request: "req_9", Policy: "p"}, err
		case <-ctx.Done():
			close(withdrawn)
			return weir.Grant{}, &weir.Denied{Kind: weir.DeniedUnapproved, Reason: "withdrawn"}
		}
	}
	c := b.mustClient()
	start := func() (*ssh.Session, *buffer, *buffer) {
		s := newSession(t, c)
		out, errs := &buffer{}, &buffer{}
		s.Stdout, s.Stderr = out, errs
		if err := s.Start("echo ran"); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the hold is told", func() bool { return strings.Contains(errs.String(), "req_9") })
		return s, out, errs
	}
	s, out, _ := start()
	answer <- nil
	if err := s.Wait(); err != nil || out.String() != "ran\n" {
		t.Errorf("approved: %q, %v", out.String(), err)
	}
	s, out, errs := start()
	answer <- &weir.Denied{Kind: weir.DeniedUnapproved, Reason: "mia said no"}
	if err := s.Wait(); err == nil || out.String() != "" || !strings.Contains(errs.String(), "mia said no") {
		t.Errorf("denied: %q, %q, %v", out.String(), errs.String(), err)
	}
	s, _, _ = start()
	_ = s.Close()
	select {
	case <-withdrawn:
	case <-time.After(10 * time.Second):
		t.Error("closing the channel did not withdraw the hold")
	}
}
