package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir"
)

// packet makes a message of the startup phase.
func packet(code uint32, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(binary.BigEndian.AppendUint32(b, code), body...)
}

func TestStartupIsReadToItsEndAndNoFurther(t *testing.T) {
	sent := append(packet(protocol30, "user\x00a\x00\x00"), "behind"...)
	r := bytes.NewReader(sent)
	code, body, err := readStartup(r, nil)
	if err != nil || code != protocol30 || string(body) != "user\x00a\x00\x00" {
		t.Fatal(code, body, err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "behind" {
		t.Fatalf("%q is left", rest)
	}
}

func TestStartupIsParsed(t *testing.T) {
	for name, tc := range map[string]struct {
		version uint32
		body    string
		want    *startup
		err     error
	}{
		"plain":               {protocol30, "user\x00a.b\x00database\x00d\x00TimeZone\x00UTC\x00\x00", &startup{user: "a.b", named: "d", params: map[string]string{"TimeZone": "UTC"}}, nil},
		"3.2":                 {protocol30 | 2, "user\x00a\x00\x00", &startup{minor: 2, user: "a", params: map[string]string{}}, nil},
		"grease":              {protocol30 | 9999, "user\x00a\x00_pq_.x\x001\x00\x00", &startup{minor: 2, newer: true, refused: []string{"_pq_.x"}, user: "a", params: map[string]string{}}, nil},
		"replication":         {protocol30, "user\x00a\x00replication\x00database\x00\x00", &startup{user: "a", replica: "database", params: map[string]string{}}, nil},
		"version 2":           {2 << 16, "user\x00a\x00\x00", nil, errOldMark},
		"version 4":           {4 << 16, "user\x00a\x00\x00", nil, errGarbage},
		"two users":           {protocol30, "user\x00a\x00user\x00b\x00\x00", nil, errGarbage},
		"a parameter twice":   {protocol30, "user\x00a\x00x\x00b\x00x\x00b\x00\x00", nil, errGarbage},
		"no end":              {protocol30, "user\x00a\x00", nil, errGarbage},
		"value without end":   {protocol30, "user\x00a", nil, errGarbage},
		"bytes behind":        {protocol30, "user\x00a\x00\x00x", nil, errGarbage},
		"a name and no value": {protocol30, "user\x00a\x00x\x00\x00", nil, errGarbage},
		"empty":               {protocol30, "", nil, errGarbage},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseStartup(tc.version, []byte(tc.body))
			if !errors.Is(err, tc.err) {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got, cmp.AllowUnexported(startup{})); d != "" {
				t.Fatal(d)
			}
		})
	}
	if _, err := parseStartup(protocol30, []byte("database\x00a\x00\x00")); err == nil {
		t.Fatal("nobody was taken for a user")
	}
}

func TestSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		params   map[string]string
		readOnly bool
		want     map[string]string
		refused  string
	}{
		"none": {nil, false, map[string]string{"client_encoding": "UTF8"}, ""},
		"passed on": {map[string]string{"DateStyle": "ISO", "application_name": "psql", "search_path": "app", "extra_float_digits": "2"}, false,
			map[string]string{"datestyle": "ISO", "application_name": "psql", "search_path": "app", "extra_float_digits": "2", "client_encoding": "UTF8"}, ""},
		"options": {map[string]string{"options": `-c search_path=a,\ b --work-mem=4MB -cgeqo=off`}, false,
			map[string]string{"search_path": "a, b", "work_mem": "4MB", "geqo": "off", "client_encoding": "UTF8"}, ""},
		"a parameter wins over options": {map[string]string{"options": "-c datestyle=a", "DateStyle": "b"}, false, map[string]string{"datestyle": "b", "client_encoding": "UTF8"}, ""},
		"read-only":                     {nil, true, map[string]string{"client_encoding": "UTF8", "default_transaction_read_only": "on"}, ""},
		"utf-8":                         {map[string]string{"client_encoding": "'utf-8'"}, false, map[string]string{"client_encoding": "UTF8"}, ""},
		"ascii":                         {map[string]string{"client_encoding": "SQL_ASCII"}, false, map[string]string{"client_encoding": "SQL_ASCII"}, ""},
		"strings stay on":               {map[string]string{"standard_conforming_strings": "on"}, false, map[string]string{"standard_conforming_strings": "on", "client_encoding": "UTF8"}, ""},
		"strings off":                   {map[string]string{"Standard_Conforming_Strings": "off"}, false, nil, "standard_conforming_strings"},
		"strings off by options":        {map[string]string{"options": "--standard-conforming-strings=off"}, false, nil, "standard_conforming_strings"},
		"strings off by an escape":      {map[string]string{"options": `-c standard_conforming\_strings=0`}, false, nil, "standard_conforming_strings"},
		"sjis":                          {map[string]string{"client_encoding": "SJIS"}, false, nil, "client_encoding"},
		"big5 by options":               {map[string]string{"options": "-c client_encoding=big5"}, false, nil, "client_encoding"},
		"role":                          {map[string]string{"role": "postgres"}, false, nil, "role"},
		"session authorization":         {map[string]string{"options": "-c session_authorization=x"}, false, nil, "session_authorization"},
		"triggers":                      {map[string]string{"options": "-csession_replication_role=replica"}, false, nil, "session_replication_role"},
		"backslash":                     {map[string]string{"backslash_quote": "on"}, false, nil, "backslash_quote"},
		"libraries":                     {map[string]string{"local_preload_libraries": "x"}, false, nil, "local_preload_libraries"},
		"not read-only any more":        {map[string]string{"options": "-c default_transaction_read_only=off"}, true, nil, "default_transaction_read_only"},
		"another switch":                {map[string]string{"options": "-d 5"}, false, nil, "options"},
		"-c at the end":                 {map[string]string{"options": "-c"}, false, nil, "options"},
		"no value":                      {map[string]string{"options": "-c x"}, false, nil, "options"},
		"name with a blank":             {map[string]string{"options": `-c a\ b=c`}, false, nil, "name"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &startup{user: "u", params: tc.params}
			got, d := s.settings(tc.readOnly)
			if tc.refused != "" {
				if d == nil || !strings.Contains(d.Reason, tc.refused) || d.Hint == "" {
					t.Fatal(got, d)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); d != nil || diff != "" {
				t.Fatal(d, diff)
			}
		})
	}
}

func TestDatabases(t *testing.T) {
	tg := &Target{Database: "app", Databases: []string{"app2"}}
	for asked, want := range map[string]string{"": "app", "app": "app", "app2": "app2", "orders": "app", "orders.k1": "app", "postgres": "", "App": ""} {
		if got, ok := tg.database(asked, "orders.k1", "orders"); got != want || ok != (want != "") {
			t.Error(asked, got, ok)
		}
	}
}

func FuzzStartup(f *testing.F) {
	f.Add(packet(protocol30, "user\x00a\x00options\x00-c a=b\x00\x00"))
	f.Add(packet(protocol30|2, "user\x00a\x00_pq_.x\x00y\x00client_encoding\x00SJIS\x00\x00"))
	f.Add(packet(codeCancel, "\x00\x00\x00\x01\x00\x00\x00\x02"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		code, body, err := readStartup(bytes.NewReader(b), nil)
		if err != nil {
			return
		}
		if len(body) > maxStartup {
			t.Fatal("a body over the limit")
		}
		_, _ = parseCancel(body)
		s, err := parseStartup(code, body)
		if err != nil {
			return
		}
		if s.user == "" || s.minor > newestMinor {
			t.Fatal(s)
		}
		_ = s.negotiate()
		got, d := s.settings(true)
		if d != nil {
			return
		}
		if got["default_transaction_read_only"] != "on" {
			t.Fatal("read-only got lost")
		}
		for name, v := range got {
			if settingTable[name] != "" || name != strings.ToLower(name) || strings.ContainsRune(v, 0) || strings.ContainsAny(name, "\x00 =") {
				t.Fatalf("%q=%q is let through", name, v)
			}
		}
		if e := got["client_encoding"]; e != "UTF8" && e != "SQL_ASCII" {
			t.Fatal(e)
		}
		if v, ok := got["standard_conforming_strings"]; ok && !isOn(v) {
			t.Fatal(v)
		}
	})
}

func TestCancelKeys(t *testing.T) {
	now := time.Unix(1000, 0)
	c := newCancels(zeroThenRandom(t), func() time.Time { return now })
	hits := 0
	pid, key, err := c.add(keySize32, func(context.Context) { hits++ })
	if err != nil || len(key) != keySize32 || pid == 0 || pid>>31 != 0 {
		t.Fatal(pid, key, err)
	}
	ask := func(pid uint32, key []byte) { c.run(t.Context(), cancelRequest{pid: pid, key: key}) }
	ask(pid, key)
	ask(pid+1, key)
	ask(pid, key[:4])
	ask(pid, nil)
	if hits != 1 {
		t.Fatal("hits:", hits)
	}
	for range maxWrongKeys {
		ask(pid, make([]byte, keySize32))
	}
	if ask(pid, key); hits != 1 {
		t.Fatal("guessing has no limit")
	}
	now = now.Add(wrongKeyWindow)
	if ask(pid, key); hits != 2 {
		t.Fatal("the limit has no end")
	}
	now = now.Add(time.Second)
	for range maxCancels + 10 {
		ask(pid+1, nil)
		ask(pid, key)
	}
	if hits != 2+maxCancels {
		t.Fatal("there is no limit for all:", hits)
	}
	now = now.Add(time.Second)
	c.remove(pid)
	if ask(pid, key); hits != 2+maxCancels {
		t.Fatal("a session that is gone was cancelled")
	}
}

// zeroThenRandom yields bytes that make the first number zero, which is none.
func zeroThenRandom(t *testing.T) io.Reader {
	t.Helper()
	return io.MultiReader(bytes.NewReader(append(bytes.Repeat([]byte{7}, keySize32), 0, 0, 0, 0)), strings.NewReader(strings.Repeat("\xfe\x01\x02\x03", 8)))
}

func TestAHandlerNeedsItsParts(t *testing.T) {
	if _, err := New(nil, nil, Options{}); err == nil {
		t.Fatal("made without a gate")
	}
	if _, err := NewTarget(Target{Database: "x"}); err == nil {
		t.Fatal("made without a way to connect")
	}
	if d := refuseSetting("x", "y"); d.Kind != weir.DeniedRequest {
		t.Fatal(d.Kind)
	}
}
