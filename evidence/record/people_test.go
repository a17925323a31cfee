package record_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weir"
	"weir/evidence/record"
)

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// at makes an entry that came so many milliseconds after the start.
func at(ms int, id string, exchange uint64, kind weir.RecordKind, text, data string, attrs ...string) weir.Record {
	r := weir.Record{Session: weir.SessionID(id), Exchange: exchange, Kind: kind, Time: epoch.Add(time.Duration(ms) * time.Millisecond), Text: text, Data: []byte(data)}
	for i := 0; i < len(attrs); i += 2 {
		r.Attrs = append(r.Attrs, weir.Attr{Name: attrs[i], Value: attrs[i+1]})
	}
	return r
}

func store(t testing.TB, records ...weir.Record) *record.Store {
	t.Helper()
	_, key, _ := ed25519.GenerateKey(nil)
	j, s := open(t, t.TempDir(), key)
	t.Cleanup(func() { _ = j.Close() })
	for _, r := range records {
		put(t, s, r)
	}
	return s
}

func sshSession(id string) []weir.Record {
	return []weir.Record{
		at(0, id, 0, weir.RecordSessionStart, "", "", "identity", "alice", "user", "usr_1", "resource", "web-1", "protocol", "ssh"),
		at(100, id, 1, weir.RecordCommand, "EXEC uname -a", "", "verdict", "allow", "rule", "default"),
		at(200, id, 1, weir.RecordAnswerBody, "", "Linux\nweb-1\n"),
		at(300, id, 1, weir.RecordAnswerError, "", "warning: \x1b]52;c;ZXZpbA==\x07old\n"),
		at(400, id, 1, weir.RecordFile, "open /etc/motd", "", "bytes", "12", "sha256", "ab"),
		at(500, id, 1, weir.RecordAnswerEnd, "", "", "duration_us", "400000", "bytes", "30", "exit_status", "3", "masked.field", "2"),
		at(1000, id, 2, weir.RecordCommand, "SHELL", "", "columns", "20", "rows", "5", "term", "xterm", "verdict", "allow"),
		at(1500, id, 2, weir.RecordCommandBody, "", "ls \xc3"),
		at(1510, id, 2, weir.RecordCommandBody, "", "\xa9\r"),
		at(2000, id, 2, weir.RecordAnswerBody, "", "$ \x1b[1;3"),
		at(2250, id, 2, weir.RecordAnswerBody, "", "2mgr\xc3"),
		at(2500, id, 2, weir.RecordAnswerBody, "", "\xbcn\x1b[0m\x1b[6n\r\nwrapped at twenty columns\r\n"),
		at(2600, id, 2, weir.RecordResize, "", "", "columns", "100", "rows", "30"),
		at(3000, id, 2, weir.RecordAnswerBody, "", "\x1b[2J\x1b[Hafter"),
		at(4000, id, 2, weir.RecordAnswerEnd, "", "", "exit_status", "0"),
		at(4100, id, 0, weir.RecordRefusal, "EXEC env", "", "kind", "denied-by-rule", "reason", "no secrets"),
		at(5000, id, 0, weir.RecordSessionEnd, "", "", "reason", "closed"),
	}
}

func export(t testing.TB, s *record.Store, id string, form record.Form) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Export(t.Context(), weir.SessionID(id), form, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAsciicastGolden(t *testing.T) {
	s := store(t, sshSession("ses_ssh")...)
	for name, c := range map[string]struct {
		form record.Form
		want string
	}{
		"v2, one exchange": {record.Form{Format: record.AsciicastV2, Exchange: 2}, `{"version":2,"width":20,"height":5,"timestamp":1893553446,"title":"alice at web-1, ses_ssh #2","env":{"TERM":"xterm"}}
[0.000000, "m", "SHELL"]
[1.000000, "o", "$ "]
[1.250000, "o", "\u001b[1;32mgr"]
[1.500000, "o", "ün\u001b[0m\r\nwrapped at twenty columns\r\n"]
[1.600000, "r", "100x30"]
[2.000000, "o", "\u001b[2J\u001b[Hafter"]
`},
		"v3, one exchange, with input": {record.Form{Format: record.AsciicastV3, Exchange: 2, Input: true}, `{"version":3,"term":{"cols":20,"rows":5,"type":"xterm"},"timestamp":1893553446,"title":"alice at web-1, ses_ssh #2"}
[0.000000, "m", "SHELL"]
[0.500000, "i", "ls "]
[0.010000, "i", "é\r"]
[0.490000, "o", "$ "]
[0.250000, "o", "\u001b[1;32mgr"]
[0.250000, "o", "ün\u001b[0m\r\nwrapped at twenty columns\r\n"]
[0.100000, "r", "100x30"]
[0.400000, "o", "\u001b[2J\u001b[Hafter"]
[1.000000, "x", "0"]
`},
		"v3, exec": {record.Form{Format: record.AsciicastV3, Exchange: 1}, `{"version":3,"term":{"cols":120,"rows":40},"timestamp":1893553445,"title":"alice at web-1, ses_ssh #1"}
[0.000000, "m", "EXEC uname -a"]
[0.100000, "o", "Linux\r\nweb-1\r\n"]
[0.100000, "o", "warning: old\r\n"]
[0.100000, "m", "open /etc/motd"]
[0.100000, "x", "3"]
`},
	} {
		t.Run(name, func(t *testing.T) {
			got := export(t, s, "ses_ssh", c.form)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	for _, f := range []record.Format{record.Asciicast, record.AsciicastV2, record.AsciicastV3} {
		valid(t, export(t, s, "ses_ssh", record.Form{Format: f, Input: true}))
	}
}

// valid holds an asciicast against the rules of its specification.
func valid(t *testing.T, cast string) {
	t.Helper()
	head, events, _ := strings.Cut(cast, "\n")
	var h struct {
		Version, Width, Height int
		Term                   *struct{ Cols, Rows int }
	}
	if err := json.Unmarshal([]byte(head), &h); err != nil {
		t.Fatal(err)
	}
	if h.Version == 2 && (h.Width <= 0 || h.Height <= 0) || h.Version == 3 && (h.Term == nil || h.Term.Cols <= 0 || h.Term.Rows <= 0) || h.Version < 2 {
		t.Errorf("header %s", head)
	}
	last, n := 0.0, 0
	for line := range strings.SplitSeq(strings.TrimSuffix(events, "\n"), "\n") {
		var ev []any
		if err := json.Unmarshal([]byte(line), &ev); err != nil || len(ev) != 3 || !utf8.ValidString(line) {
			t.Fatalf("%v %q", err, line)
		}
		when, ok := ev[0].(float64)
		code, _ := ev[1].(string)
		data, isText := ev[2].(string)
		if !ok || !isText || when < 0 || h.Version == 2 && when < last || !strings.Contains("oimrx", code) || h.Version == 2 && code == "x" {
			t.Errorf("event %q", line)
		}
		if code == "r" {
			var x, y int
			if k, err := fmt.Sscanf(data, "%dx%d", &x, &y); k != 2 || err != nil {
				t.Error(data)
			}
		}
		last, n = when, n+1
	}
	if n == 0 {
		t.Error("no events")
	}
}

func TestTranscriptOfATerminal(t *testing.T) {
	s := store(t, sshSession("ses_ssh")...)
	got := export(t, s, "ses_ssh", record.Form{Format: record.Text})
	if strings.ContainsAny(got, "\x1b\a\r") {
		t.Errorf("control characters: %q", got)
	}
	for _, want := range []string{"#1 > EXEC uname -a", "  < Linux\n  < web-1\n", `  ! warning: \x1b]52`, "file: open /etc/motd", "exit_status=3", "  < $ grün\n", "  < wrapped at twenty columns\n", "  < after\n", "REFUSED"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// msg is a message of a PostgreSQL server.
func msg(kind byte, body string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))) + body
}

func cols(c ...any) string {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(c)/3))
	for i := 0; i < len(c); i += 3 {
		b = append(append(b, c[i].(string)...), 0)
		b = append(b, make([]byte, 6)...)
		b = binary.BigEndian.AppendUint32(b, uint32(c[i+1].(int)))
		b = append(b, make([]byte, 6)...)
		b = binary.BigEndian.AppendUint16(b, uint16(c[i+2].(int)))
	}
	return msg('T', string(b))
}

func cells(v ...any) string {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(v)))
	for _, x := range v {
		if x == nil {
			b = binary.BigEndian.AppendUint32(b, 0xffffffff)
			continue
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(x.(string)))), x.(string)...)
	}
	return msg('D', string(b))
}

func sqlSession(id string) []weir.Record {
	answer := cols("id", 23, 1, "name", 25, 0, "at", 1184, 1, "raw", 17, 1) +
		cells("\x00\x00\x00\x2a", "needle \x1b[31m", "\x00\x00\x00\x00\x00\x00\x00\x00", "\xde\xad") +
		cells("\xff\xff\xff\xff", nil, nil, "") + msg('C', "SELECT 2\x00")
	return []weir.Record{
		at(0, id, 0, weir.RecordSessionStart, "", "", "identity", "bob", "user", "usr_2", "resource", "orders", "protocol", "postgres"),
		at(100, id, 1, weir.RecordCommand, "SELECT *\nFROM t", "", "verdict", "allow", "operation", "SELECT", "rule", "default"),
		at(150, id, 1, weir.RecordAnswerBody, "", answer[:37]),
		at(200, id, 1, weir.RecordAnswerBody, "", answer[37:]),
		at(300, id, 1, weir.RecordAnswerEnd, "", "", "rows", "2", "bytes", "99"),
		at(400, id, 2, weir.RecordCommand, "SELECT broken", "", "verdict", "allow"),
		at(500, id, 2, weir.RecordAnswerBody, "", msg('E', "SERROR\x00VERROR\x00C42703\x00Mcolumn \"broken\" does not exist\x00\x00")+"D\x00\x00"),
		at(600, id, 2, weir.RecordAnswerEnd, "", "", "error", "it failed"),
	}
}

func TestTranscriptOfPostgres(t *testing.T) {
	s := store(t, sqlSession("ses_sql")...)
	got := export(t, s, "ses_sql", record.Form{Format: record.Text})
	for _, want := range []string{
		"> SELECT *\n", "FROM t\n",
		`  < id | name            | at                  | raw` + "\n",
		`  < ---+-----------------+---------------------+-------` + "\n",
		`  < 42 | needle \x1b[31m | 2000-01-01 00:00:00 | \xdead` + "\n",
		`  < -1 | NULL            | NULL                | \x` + "\n",
		"  < SELECT 2\n", `  < ERROR 42703: column "broken" does not exist` + "\n", "ends within a message",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "\x1b") {
		t.Error("a control character")
	}
	valid(t, export(t, s, "ses_sql", record.Form{Format: record.AsciicastV3}))
}

func TestSearch(t *testing.T) {
	all := append(sshSession("ses_ssh"), sqlSession("ses_sql")...)
	all = append(all, at(0, "ses_web", 0, weir.RecordSessionStart, "", "", "identity", "alice", "user", "usr_1", "resource", "debug", "protocol", "http"),
		at(1, "ses_web", 1, weir.RecordCommand, "GET /needle", ""),
		at(2, "ses_web", 1, weir.RecordAnswerBody, "", "a haystack with a nee"),
		at(3, "ses_web", 1, weir.RecordAnswerBody, "", "dle across two entries"))
	s := store(t, all...)
	for name, c := range map[string]struct {
		f    record.Search
		want []string
	}{
		"all protocols":          {record.Search{Text: "NEEDLE"}, []string{"ses_sql#1 answer", "ses_web#1 command", "ses_web#1 answer"}},
		"limited":                {record.Search{Text: "needle", Filter: record.Filter{Limit: 1}}, []string{"ses_sql#1 answer"}},
		"by user":                {record.Search{Text: "needle", Filter: record.Filter{User: "usr_1"}}, []string{"ses_web#1 command", "ses_web#1 answer"}},
		"by protocol":            {record.Search{Text: "needle", Filter: record.Filter{Protocol: weir.Postgres}}, []string{"ses_sql#1 answer"}},
		"across colours":         {record.Search{Text: "$ grün"}, []string{"ses_ssh#2 answer"}},
		"across a wrap":          {record.Search{Text: "twenty columns"}, []string{"ses_ssh#2 answer"}},
		"what was erased":        {record.Search{Text: "wrapped at"}, []string{"ses_ssh#2 answer"}},
		"a second stream":        {record.Search{Text: "warning"}, []string{"ses_ssh#1 error"}},
		"what was typed":         {record.Search{Text: "ls é"}, []string{"ses_ssh#2 input"}},
		"a file":                 {record.Search{Text: "/etc/motd"}, []string{"ses_ssh#1 file"}},
		"a refusal":              {record.Search{Text: "no secrets"}, []string{"ses_ssh#0 refusal"}},
		"a statement's 2nd line": {record.Search{Text: "from t"}, []string{"ses_sql#1 command"}},
		"not before":             {record.Search{Text: "needle", Filter: record.Filter{Since: epoch.Add(100 * time.Millisecond)}}, []string{"ses_sql#1 answer"}},
		"nothing":                {record.Search{Text: "nowhere"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			err := s.Search(t.Context(), c.f, func(m *record.Match) error {
				got = append(got, fmt.Sprintf("%s#%d %s", m.Session, m.Exchange, m.In))
				return nil
			})
			if d := cmp.Diff(c.want, got); d != "" || err != nil {
				t.Error(d, err)
			}
		})
	}
	if err := s.Search(t.Context(), record.Search{}, nil); err == nil {
		t.Error("a search for nothing")
	}
}

func TestExchanges(t *testing.T) {
	s := store(t, append(sshSession("ses_ssh"), sqlSession("ses_sql")...)...)
	got, err := s.Exchanges(t.Context(), "ses_ssh", 0, 0)
	if err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	if x := got[0]; x.Exit != "3" || x.FileCount != 1 || x.Masked != 2 || x.Bytes != 30 || x.DurationUS != 400000 || !x.Ended {
		t.Errorf("%+v", x)
	}
	if x := got[1]; x.Terminal != "20x5" || x.Command != "SHELL" || x.Exit != "0" {
		t.Errorf("%+v", x)
	}
	if x := got[2]; x.Refused != "denied-by-rule no secrets" {
		t.Errorf("%+v", x)
	}
	if got, err = s.Exchanges(t.Context(), "ses_sql", 0, 1); err != nil || len(got) != 1 || got[0].Rows != "2" {
		t.Error(got, err)
	}
	if got, err = s.Exchanges(t.Context(), "ses_sql", 1, 1); err != nil || len(got) != 1 || got[0].Error != "it failed" {
		t.Error(got, err)
	}
}

func TestWatch(t *testing.T) {
	all := sshSession("ses_ssh")
	s := store(t, all[:4]...)
	seen := make(chan string, 100)
	done := make(chan error, 2)
	watch := func(fromStart bool) {
		done <- s.Watch(t.Context(), "ses_ssh", fromStart, time.Millisecond, func(w record.Watched) error {
			switch {
			case w.Record != nil:
				seen <- w.Record.Kind.String()
			case w.Ended:
				seen <- "end"
			case w.Missed == 0:
				select {
				case seen <- "idle":
				default:
				}
			}
			return nil
		})
	}
	go watch(false)
	for <-seen != "idle" { // it is there
	}
	for _, r := range all[4:] {
		put(t, s, r)
	}
	var got []string
	for k := range seen {
		if k != "idle" {
			got = append(got, k)
		}
		if k == "end" {
			break
		}
	}
	want := []string{"file", "answer-end", "command", "command-body", "command-body", "answer-body", "answer-body", "answer-body", "resize", "answer-body", "answer-end", "refusal", "session-end", "end"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	// Of a session that has ended: what there is.
	n := 0
	err := s.Watch(t.Context(), "ses_ssh", true, time.Hour, func(w record.Watched) error { n++; return nil })
	if err != nil || n != len(all)+1 {
		t.Error(n, err)
	}
	if err := s.Watch(t.Context(), "ses_none", true, time.Hour, nil); err == nil {
		t.Error("a session that is not there")
	}
}

// TestASlowWatcherHoldsUpNobody blocks a watcher at its first entry.
func TestASlowWatcherHoldsUpNobody(t *testing.T) {
	s := store(t, sshSession("ses_ssh")[:2]...)
	blocked, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	const sent = 6000
	var got, missed uint64
	ended := false
	go func() {
		first := true
		done <- s.Watch(t.Context(), "ses_ssh", true, time.Millisecond, func(w record.Watched) error {
			if first {
				first = false
				close(blocked)
				<-release
			}
			if w.Record != nil && w.Record.Kind == weir.RecordAnswerBody {
				got++
			}
			missed += w.Missed
			ended = ended || w.Ended
			return nil
		})
	}()
	<-blocked
	for range sent {
		put(t, s, at(1, "ses_ssh", 1, weir.RecordAnswerBody, "", "x"))
	}
	put(t, s, at(2, "ses_ssh", 0, weir.RecordSessionEnd, "", "", "reason", "over"))
	close(release)
	if err := <-done; err != nil || !ended || missed == 0 || got+missed != sent+1 {
		t.Errorf("%v, ended %v, got %d and missed %d of %d", err, ended, got, missed, sent+1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Watch(ctx, "ses_ssh", true, time.Hour, func(record.Watched) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzTranscript(f *testing.F) {
	f.Add([]byte(cols("id", 23, 1)+cells("\x00\x00\x00\x01")+msg('C', "SELECT 1\x00")), 7)
	f.Add([]byte(msg('E', "SERROR\x00C1\x00")+msg('N', "")+msg('d', "a\nb")+"\x00\xff\xff\xff\xff"), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		cut = min(max(cut, 0), len(b))
		for _, p := range []weir.Protocol{weir.Postgres, weir.SSH, weir.HTTP} {
			var out bytes.Buffer
			tr := record.NewTranscript(&out, p)
			for _, r := range []weir.Record{
				at(0, "s", 1, weir.RecordCommand, string(b[cut:]), ""), at(0, "s", 1, weir.RecordAnswerBody, "", string(b[:cut])),
				at(0, "s", 1, weir.RecordAnswerBody, "", string(b[cut:])), at(0, "s", 1, weir.RecordAnswerError, "", string(b)), at(0, "s", 1, weir.RecordAnswerEnd, "", ""),
			} {
				if err := tr.Entry(&r); err != nil {
					t.Fatal(err)
				}
			}
			_ = tr.Close()
			if bytes.ContainsAny(out.Bytes(), "\x1b\a\r\b") || !utf8.Valid(out.Bytes()) {
				t.Errorf("%s: %q", p, out.String())
			}
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	line := strings.Repeat("drwxr-xr-x  2 \x1b[1;34mroot\x1b[0m root 4096 Jan  1 00:00 some-file-name.txt\r\n", 100)
	for name, start := range map[string][]string{"terminal": {"columns", "120", "rows", "40"}, "pipe": nil} {
		b.Run(name, func(b *testing.B) {
			s := store(b, sshSession("ses_ssh")[0], at(1, "ses_ssh", 1, weir.RecordCommand, "x", "", start...))
			total := 0
			for range 500 {
				put(b, s, at(2, "ses_ssh", 1, weir.RecordAnswerBody, "", line))
				total += len(line)
			}
			b.SetBytes(int64(total))
			for b.Loop() {
				if err := s.Search(b.Context(), record.Search{Text: "no such text"}, func(*record.Match) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRecordWatched compares recording with nobody watching and with a watcher that does not read.
func BenchmarkRecordWatched(b *testing.B) {
	for name, watchers := range map[string]int{"nobody": 0, "stuck": 4} {
		b.Run(name, func(b *testing.B) {
			s := store(b, sshSession("ses_ssh")[:2]...)
			release := make(chan struct{})
			done := make(chan error, watchers)
			for range watchers {
				started := make(chan struct{})
				go func() {
					once := false
					done <- s.Watch(context.WithoutCancel(b.Context()), "ses_ssh", true, time.Hour, func(w record.Watched) error {
						if !once {
							once = true
							close(started)
						}
						<-release
						return errors.New("enough")
					})
				}()
				<-started
			}
			r := at(1, "ses_ssh", 1, weir.RecordAnswerBody, "", strings.Repeat("x", 1024))
			for b.Loop() {
				if err := s.Record(b.Context(), &r); err != nil {
					b.Fatal(err)
				}
			}
			close(release)
			for range watchers {
				<-done
			}
		})
	}
}
