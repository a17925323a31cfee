package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// pty opens a pseudo-terminal: what is written to master is typed.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

// shown collects what a terminal is sent.
type shown struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *shown) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *shown) collect(r io.Reader) {
	var b [4096]byte
	for {
		n, err := r.Read(b[:])
		s.mu.Lock()
		s.text.Write(b[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *shown) until(t *testing.T, text string) {
	t.Helper()
	for range 500 {
		if strings.Contains(s.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %q in %q", text, s.String())
}

// gateway answers as one does, with one recording of an hour's pause.
func gateway(t *testing.T, protocol string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/sessions/ses_1", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":"ses_1","protocol":"`+protocol+`","state":"live"}`)
	})
	mux.HandleFunc("GET /api/v1/sessions/ses_1/recording", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("format") == "text" {
			_, _ = io.WriteString(w, "a transcript\n")
			return
		}
		_, _ = io.WriteString(w, `{"version":2,"width":80,"height":24}
[0.0, "m", "SHELL"]
[0.1, "o", "first \u001b]52;c;ZXZpbA==\u0007\u001b[6n\u001b[1mbold\u001b[0m\r\n"]
[0.2, "i", "typed"]
[3.0, "o", "second\r\n"]
[3600.0, "o", "third\r\n"]
[3601.0, "o", "fourth\r\n"]
`)
	})
	mux.HandleFunc("GET /api/v1/sessions/ses_1/watch", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, ":\n\n"+`event: record
data: {"seq":1,"session":"ses_1","exchange":1,"kind":"command","time":"2030-01-02T03:04:05Z","text":"SHELL","attrs":[["columns","80"],["rows","24"]]}

event: record
data: {"seq":2,"session":"ses_1","exchange":1,"kind":"answer-body","time":"2030-01-02T03:04:05Z","data":"live \u001b]52;c;ZXZpbA==\u0007\u001b[1mtext\u001b[0m\r\n"}

event: missed
data: {"missed":7}

event: end
data: {}

`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestReplayAtATerminal(t *testing.T) {
	s := gateway(t, "ssh")
	master, slave := pty(t)
	var seen shown
	go seen.collect(master)
	streams := Streams{In: slave, Out: slave, Err: io.Discard, Raw: func() (func(), error) {
		before, err := term.MakeRaw(int(slave.Fd()))
		return func() { _ = term.Restore(int(slave.Fd()), before) }, err
	}}
	token := func(n string) (string, bool) { return "weir_token", n == "WEIR_TOKEN" }
	code := make(chan int, 1)
	go func() {
		code <- Run(t.Context(), []string{"sessions", "replay", "ses_1", "--url", s.URL, "--idle-limit", "0"}, "", token, streams, Local{})
	}()
	seen.until(t, "first \x1b[1mbold\x1b[0m\r\n")
	press := func(keys string) {
		if _, err := master.WriteString(keys); err != nil {
			t.Fatal(err)
		}
	}
	press("\x1b[C") // 5 seconds on: past the second, before the third
	seen.until(t, "second")
	press(" ")      // a pause …
	press("\x1b[D") // … and back: it begins again
	for range 300 {
		if strings.Count(seen.String(), "first") == 2 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := strings.Count(seen.String(), "first"); n != 2 {
		t.Errorf("the first line was shown %d times", n)
	}
	press("++--q")
	select {
	case c := <-code:
		if c != 0 {
			t.Error(c)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("q does not quit")
	}
	for _, bad := range []string{"\x1b]", "\x1b[6n", "third", "typed"} {
		if strings.Contains(seen.String(), bad) {
			t.Errorf("%q was shown: %q", bad, seen.String())
		}
	}
	if !strings.Contains(seen.String(), "\x1b[?1049l") {
		t.Error("the terminal was not brought back")
	}
}

func TestReplayElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		protocol string
		args     []string
		want     string
		code     int
	}{
		"a transcript":        {"ssh", nil, "a transcript\n", 0},
		"played":              {"ssh", []string{"--speed", "50", "--idle-limit", "100ms"}, "first \x1b[1mbold\x1b[0m\r\nsecond\r\nthird\r\nfourth\r\n", 0},
		"played from a place": {"http", []string{"--speed", "50", "--seek", "59m59s", "--idle-limit", "1s"}, "first \x1b[1mbold\x1b[0m\r\nsecond\r\nthird\r\nfourth\r\n", 0},
		"no such place":       {"ssh", []string{"--seek", "1s"}, "", 2},
		"backwards":           {"ssh", []string{"--speed=-1"}, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := gateway(t, c.protocol)
			var out strings.Builder
			token := func(n string) (string, bool) { return "weir_token", n == "WEIR_TOKEN" }
			code := Run(t.Context(), append([]string{"sessions", "replay", "ses_1", "--url", s.URL}, c.args...), "", token, Streams{In: strings.NewReader(""), Out: &out, Err: io.Discard}, Local{})
			if code != c.code || out.String() != c.want {
				t.Errorf("%d %q", code, out.String())
			}
		})
	}
}

func TestWatchPrints(t *testing.T) {
	for name, c := range map[string]struct {
		args       []string
		raw        bool
		has, hasNo string
	}{
		"text":       {nil, false, "  < live text\n", "\x1b"},
		"a terminal": {nil, true, "live \x1b[1mtext", "\x1b]"},
		"JSON":       {[]string{"-o", "json"}, true, `"kind":"answer-body"`, "\x1b"},
	} {
		t.Run(name, func(t *testing.T) {
			s := gateway(t, "ssh")
			var out, errs strings.Builder
			streams := Streams{Out: &out, Err: &errs}
			if c.raw {
				streams.Raw = func() (func(), error) { return func() {}, nil }
			}
			token := func(n string) (string, bool) { return "weir_token", n == "WEIR_TOKEN" }
			code := Run(context.Background(), append([]string{"sessions", "watch", "ses_1", "--url", s.URL}, c.args...), "", token, streams, Local{})
			if code != 0 || !strings.Contains(out.String(), c.has) || strings.Contains(out.String(), c.hasNo) || !strings.Contains(out.String()+errs.String(), "7") {
				t.Errorf("%d %q %q", code, out.String(), errs.String())
			}
		})
	}
}
