package record_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/evidence/record"
	"weir/evidence/screen"
	"weir/mask"
	"weir/mask/known"
)

// canary is a secret that the masker of these tests holds; canaryWord stands in each part of it that is looked for.
const (
	canary     = "CANARYrec-8Kd2Wz-Qx5Lm"
	canaryWord = "8Kd2Wz"
)

// stored makes an entry of all that is written to it, as the session's recorder does.
type stored struct {
	t    *testing.T
	s    *record.Store
	kind weir.RecordKind
	ms   *int
	attr []string
}

func (w stored) Write(p []byte) (int, error) {
	*w.ms += 10
	put(w.t, w.s, at(*w.ms, "ses_ssh", 1, w.kind, "", string(p), w.attr...))
	return len(p), nil
}

// TestMaskedBytesShowNoSecret records what a terminal showed and what was typed, through the gateway's masker, and looks for the secret in every form in
// which recordings are shown. Recorded without the masker each form does show it, or it would say nothing.
func TestMaskedBytesShowNoSecret(t *testing.T) {
	e, err := mask.New(mask.Config{Key: []byte("0123456789abcdef0123")})
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := known.Build([]known.Entry{{Name: "canary", Value: []byte(canary)}})
	if err != nil {
		t.Fatal(err)
	}
	m := e.Masker(set)
	half := len(canary) / 2
	shown := []string{ // in the pieces in which it came
		"plain: " + canary[:half], canary[half:] + "\r\n",
		"coloured: " + canary[:4] + "\x1b[1;31m" + canary[4:] + "\x1b[0m\r\n",
		"written over: xx\b\b" + canary + "\r\n",
		"grün and after\r\n",
	}
	for name, masked := range map[string]bool{"masked": true, "as it came": false} {
		t.Run(name, func(t *testing.T) {
			text := func(s string) string {
				if masked {
					return string(m.Value(nil, "", []byte(s), nil))
				}
				return s
			}
			s := store(t, at(0, "ses_ssh", 0, weir.RecordSessionStart, "", "", "identity", "alice", "user", "usr_1", "resource", "web-1", "protocol", "ssh"),
				at(10, "ses_ssh", 1, weir.RecordCommand, text("EXEC login "+canary), "", "columns", "80", "rows", "24", "term", "xterm", "verdict", "allow"))
			ms := 20
			stream := func(kind weir.RecordKind, pieces ...string) {
				var w io.Writer = stored{t: t, s: s, kind: kind, ms: &ms}
				if masked {
					mw, err := m.Stream(w, weir.Shape{Format: weir.FormatTerminal}, nil)
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = mw.Close() }()
					w = mw
				}
				for _, p := range pieces {
					if _, err := io.WriteString(w, p); err != nil {
						t.Fatal(err)
					}
				}
			}
			stream(weir.RecordAnswerBody, shown...)
			stream(weir.RecordCommandBody, "typed "+canary+"\r")
			stream(weir.RecordAnswerError, "to stderr "+canary+"\r\n")
			put(t, s, at(ms+10, "ses_ssh", 1, weir.RecordFile, text("open /tmp/"+canary), "", "outcome", "ok"))
			put(t, s, at(ms+20, "ses_ssh", 1, weir.RecordAnswerEnd, "", "", "exit_status", "0"))
			put(t, s, at(ms+30, "ses_ssh", 0, weir.RecordSessionEnd, "", "", "reason", "closed"))

			forms := map[string]string{"screen": drawn(t, s)}
			for _, f := range []record.Format{record.Text, record.JSONL, record.AsciicastV2, record.AsciicastV3} {
				forms[string(f)] = export(t, s, "ses_ssh", record.Form{Format: f, Input: true})
			}
			var found strings.Builder
			if err := s.Search(t.Context(), record.Search{Text: canaryWord}, func(m *record.Match) error { found.WriteString(m.Line); return nil }); err != nil {
				t.Fatal(err)
			}
			forms["search"] = found.String()
			var watched bytes.Buffer
			if err := s.Watch(t.Context(), "ses_ssh", true, time.Hour, func(w record.Watched) error {
				if w.Record != nil {
					watched.WriteString(w.Record.Text)
					watched.Write(w.Record.Data)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			forms["watch"] = watched.String()
			for form, text := range forms {
				if got := strings.Contains(text, canaryWord); got == masked {
					t.Errorf("%s: shows the canary: %v\n%s", form, got, text)
				}
				if form != "search" && form != string(record.JSONL) && !strings.Contains(text, "grün and after") {
					t.Errorf("%s: what is no secret is gone\n%s", form, text)
				}
			}
		})
	}
}

// drawn is what the terminal showed.
func drawn(t *testing.T, s *record.Store) string {
	t.Helper()
	var events []screen.Event
	if err := s.Entries(t.Context(), "ses_ssh", func(_ uint64, r *weir.Record) error {
		if r.Kind == weir.RecordAnswerBody {
			events = append(events, screen.Event{Data: bytes.Clone(r.Data)})
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return screen.Text(events...)
}
