package record_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/evidence/journal"
	"weir/evidence/record"
)

func open(t testing.TB, dir string, key ed25519.PrivateKey) (*journal.Journal, *record.Store) {
	t.Helper()
	j, err := journal.Open(journal.Options{Dir: dir, Signer: key, Now: time.Now, SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	s, err := record.New(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return j, s
}

func put(t testing.TB, s *record.Store, r weir.Record) {
	t.Helper()
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	if err := s.Record(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
}

func start(id, who string) weir.Record {
	return weir.Record{Session: weir.SessionID(id), Kind: weir.RecordSessionStart, Attrs: []weir.Attr{
		{Name: "identity", Value: who}, {Name: "user", Value: "usr_" + who}, {Name: "resource", Value: "debug"}, {Name: "exception", Value: "allow_opaque:image/x"},
	}}
}

func TestRecordingsSurviveRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "j")
	_, key, _ := ed25519.GenerateKey(nil)
	j, s := open(t, dir, key)
	put(t, s, start("ses_aaaa1", "alice"))
	put(t, s, start("ses_bbbb1", "bob"))
	for i := range uint64(600) { // over several segments, interleaved
		put(t, s, weir.Record{Session: "ses_aaaa1", Exchange: i + 1, Kind: weir.RecordCommand, Text: fmt.Sprintf("GET /%d", i)})
		put(t, s, weir.Record{Session: "ses_bbbb1", Exchange: i + 1, Kind: weir.RecordAnswerBody, Data: bytes.Repeat([]byte("b"), 200)})
	}
	put(t, s, weir.Record{Session: "ses_aaaa1", Kind: weir.RecordRefusal, Text: "GET /x"})
	put(t, s, weir.Record{Session: "ses_aaaa1", Kind: weir.RecordSessionEnd, Attrs: []weir.Attr{{Name: "reason", Value: "idle"}}})
	if x, err := s.Get("ses_b"); err != nil || x.State != record.Live {
		t.Fatal(x, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, s = open(t, dir, key)
	defer func() { _ = j.Close() }()
	a, err := s.Get("ses_aaaa1")
	if err != nil || a.State != record.Ended || a.EndReason != "idle" || a.Commands != 600 || a.Refusals != 1 || a.Identity != "alice" || len(a.Exceptions) != 1 {
		t.Fatalf("%+v %v", a, err)
	}
	if b, err := s.Get("ses_bbbb"); err != nil || b.State != record.Interrupted {
		t.Fatal(b, err)
	}
	n := uint64(0)
	err = s.Entries(t.Context(), a.ID, func(_ uint64, r *weir.Record) error {
		if r.Session != a.ID {
			t.Fatal(r.Session)
		}
		if r.Kind == weir.RecordCommand {
			if n++; r.Exchange != n || r.Text != fmt.Sprintf("GET /%d", n-1) {
				t.Fatal(r)
			}
		}
		return nil
	})
	if err != nil || n != 600 {
		t.Fatal(n, err)
	}
	if l := s.List(record.Filter{Identity: "bob"}); len(l) != 1 || l[0].Identity != "bob" {
		t.Error(l)
	}
	if l := s.List(record.Filter{Limit: 1, State: record.Ended}); len(l) != 1 || l[0].ID != "ses_aaaa1" {
		t.Error(l)
	}
	if _, err := s.Get("ses_none"); err == nil {
		t.Error("a session that is not there")
	}
}

func TestExports(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	j, s := open(t, t.TempDir(), key)
	defer func() { _ = j.Close() }()
	put(t, s, start("ses_1", "ali\x1b[31mce"))
	put(t, s, weir.Record{Session: "ses_1", Exchange: 1, Kind: weir.RecordCommand, Text: "GET /\x1b]0;evil\a", Attrs: []weir.Attr{{Name: "verdict", Value: "allow"}}})
	put(t, s, weir.Record{Session: "ses_1", Exchange: 1, Kind: weir.RecordAnswerHead, Text: "200 OK", Attrs: []weir.Attr{{Name: "X", Value: "\x9b1m"}}})
	put(t, s, weir.Record{Session: "ses_1", Exchange: 1, Kind: weir.RecordAnswerBody, Data: []byte("a\x1b[2Jb\nc\xff\u202e\n")})
	put(t, s, weir.Record{Session: "ses_1", Exchange: 1, Kind: weir.RecordAnswerEnd, Attrs: []weir.Attr{{Name: "bytes", Value: "9"}}})
	for _, f := range []record.Format{record.JSONL, record.Text, record.Asciicast} {
		var b bytes.Buffer
		if err := s.Export(t.Context(), "ses_1", record.Form{Format: f}, &b); err != nil {
			t.Fatal(f, err)
		}
		if strings.ContainsAny(b.String(), "\x1b\a\u009b") || strings.Contains(b.String(), "\u202e") && f != record.JSONL {
			t.Errorf("%s holds control characters: %q", f, b.String())
		}
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		switch f {
		case record.JSONL:
			var l record.Line
			if err := json.Unmarshal([]byte(lines[3]), &l); err != nil || l.Kind != "answer-body" || l.Base64 == "" || len(lines) != 5 {
				t.Error(l, err, len(lines))
			}
		case record.Asciicast:
			var ev []any
			if err := json.Unmarshal([]byte(lines[5]), &ev); err != nil || len(ev) != 3 || ev[1] != "o" || !strings.Contains(fmt.Sprint(ev[2]), `a\x1b[2Jb`) {
				t.Error(ev, err)
			}
		default:
			if !strings.Contains(b.String(), `c\xff\u{202e}`) || !strings.Contains(b.String(), "exception in use: allow_opaque") {
				t.Error(b.String())
			}
		}
	}
	if err := s.Export(t.Context(), "ses_1", record.Form{Format: "pdf"}, &bytes.Buffer{}); err == nil {
		t.Error("an unknown format")
	}
}

func TestNothingIsRecordedAfterClose(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	j, s := open(t, t.TempDir(), key)
	_ = j.Close()
	r := start("ses_1", "a")
	if err := s.Record(t.Context(), &r); err == nil {
		t.Error("recorded into a closed journal")
	}
	if len(s.List(record.Filter{})) != 0 {
		t.Error("it is in the list")
	}
}

// TestWhatIsWrittenShortReadsTheSame writes entries with the names and values that have a short form, and such as look like them, and reads what an earlier version wrote.
func TestWhatIsWrittenShortReadsTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	parts := []string{"", "a", "operation", "Operation", "operations", "parameter", "parameter.", "parameter.aid", "parameter.parameter.x", "masked.field", "masked.", "command_masked.field", "fingerprint",
		"allow", "ALLOW", "SELECT", "select", "SELECT abalance FROM t WHERE aid = $1", "select abalance from t where aid = $1", "SELECT 'Ä'", "select 'ä'", "select 'Ä'", "\x00", "true", "default", strings.Repeat("X", 300), strings.Repeat("x", 300)}
	part := func() string { return parts[r.IntN(len(parts))] }
	for range 20_000 {
		want := weir.Record{Session: weir.SessionID("ses_" + part()), Exchange: r.Uint64() >> r.IntN(64), Kind: weir.RecordCommand, Time: time.Unix(1, 2), Text: part(), Data: []byte(part())}
		for range r.IntN(6) {
			want.Attrs = append(want.Attrs, weir.Attr{Name: part(), Value: part()})
		}
		got, err := record.Decode(uint8(want.Kind), want.Time, record.Encode(&want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v: %v", got, want, err)
		}
		if old, err := record.Decode(uint8(want.Kind), want.Time, record.EncodePlain(&want)); err != nil || !reflect.DeepEqual(old, want) {
			t.Fatalf("of version 1: %+v, want %+v: %v", old, want, err)
		}
	}
}

// TestShortFormsStay pins what the places of names and values are in files that exist.
func TestShortFormsStay(t *testing.T) {
	r := weir.Record{Session: "s", Exchange: 300, Text: "SELECT 1", Attrs: []weir.Attr{
		{Name: "operation", Value: "SELECT"}, {Name: "verdict", Value: "allow"}, {Name: "fingerprint", Value: "select 1"}, {Name: "parameter", Value: ""}, {Name: "parameter.a", Value: "PUT"},
		{Name: "masked.k", Value: "12"}, {Name: "command_masked.k", Value: "x"}, {Name: "other", Value: "default"},
	}, Data: []byte("D")}
	want := "\x02\x01s\xac\x02\x08SELECT 1\x08" + "\x01\x0f" + "\x02\x05" + "\x05\x03" + "\x15\x00" + "\x16\x01a\x1b" + "\x17\x01k\x0412" + "\x18\x01k\x02x" + "\x00\x05other\x0d" + "D"
	if got := string(record.Encode(&r)); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	all, off := record.Places()
	for i, s := range all {
		if off[i] != 0 {
			t.Errorf("%s is found elsewhere", s)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte("\x01\x03ses\x01\x02ab\x01\x01a\x01bdata"))
	f.Add([]byte("\x02\x01s\xac\x02\x08SELECT 1\x03\x01\x0f\x05\x03\x16\x01a\x1bD"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := record.Decode(2, time.Time{}, b)
		if err != nil {
			return
		}
		again, err := record.Decode(2, time.Time{}, record.Encode(&r))
		if err != nil || again.Session != r.Session || again.Exchange != r.Exchange || again.Text != r.Text || !slices.Equal(again.Attrs, r.Attrs) || !bytes.Equal(again.Data, r.Data) {
			t.Errorf("%+v became %+v: %v", r, again, err)
		}
	})
}
