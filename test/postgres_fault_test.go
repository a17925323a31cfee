package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"weir/evidence/record"
)

// resident is the memory of a process that is in RAM, in KB.
func resident(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("there is no /proc to tell memory")
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const pgMillion = "SELECT i, repeat('an ordinary word ', 12) FROM generate_series(1, 1000000) i"

// TestPostgresFaults stops reading, and breaks each side in the middle.
func TestPostgresFaults(t *testing.T) {
	g, db := pgGateway(t, "")
	orders := g.access(t, "orders", "alice")
	live := func() int {
		return len(decode[[]record.Session](t, g.weir(t, "sessions", "ls", "--state", "live", "--protocol", "postgres", "-o", "json")))
	}
	gone := func(t *testing.T, want int) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); live() != want; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d sessions live on, want %d", live(), want)
			}
		}
	}
	t.Run("a slow reader of a million rows", func(t *testing.T) {
		w, other := g.pgWire(t, &orders), g.pgSession(t, &orders)
		before := resident(t, g.cmd.Process.Pid)
		w.send(t, &pgproto3.Query{String: pgMillion})
		most := 0
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			start := time.Now()
			if v, failed := other.run(t, "SELECT 'others go on'"); v != "others go on" || failed != nil || time.Since(start) > 5*time.Second {
				t.Fatalf("%q %+v after %s", v, failed, time.Since(start))
			}
			most = max(most, resident(t, g.cmd.Process.Pid)-before)
		}
		t.Logf("the gateway grew by %d KB", most)
		if most > 64<<10 {
			t.Errorf("the gateway grew by %d KB", most)
		}
		rows := 0
		for {
			typ, _ := w.frame(t)
			if typ == 'D' {
				rows++
			} else if typ == 'Z' {
				break
			}
		}
		if rows != 1000000 {
			t.Errorf("%d rows", rows)
		}
		_ = w.conn.Close()
		_ = other.Close(context.Background())
		gone(t, 0)
	})
	t.Run("the client dies in a COPY", func(t *testing.T) {
		w := g.pgWire(t, &orders)
		w.send(t, &pgproto3.Query{String: "COPY plain (note) FROM STDIN"})
		if typ, body := w.frame(t); typ != 'G' {
			t.Fatalf("%c %.200q", typ, body)
		}
		w.send(t, &pgproto3.CopyData{Data: []byte(strings.Repeat("password=CANARYpgHalf0aB1c\n", 1000) + "half a li")})
		_ = w.conn.Close()
		gone(t, 0)
		if got := db.Exec(t, "\\c orders\nSELECT count(*) FROM plain;"); got != "1000" {
			t.Errorf("%s rows are there", got)
		}
		if got := db.Exec(t, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY plain%' AND state = 'active';"); got != "0" {
			t.Errorf("%s still copy", got)
		}
	})
	t.Run("the target dies in a row", func(t *testing.T) {
		w, other := g.pgWire(t, &orders), g.pgWire(t, &orders)
		pid, err := strconv.Atoi(dataOf(w.simple(t, "SELECT pg_backend_pid()")))
		if err != nil {
			t.Fatal(err)
		}
		w.send(t, &pgproto3.Query{String: pgMillion})
		for range 1000 {
			w.frame(t)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		last := ""
		for {
			var head [5]byte
			_ = w.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
			if _, err := readFull(w, head[:]); err != nil {
				break
			}
			body := make([]byte, int(head[1])<<24|int(head[2])<<16|int(head[3])<<8|int(head[4])-4)
			if _, err := readFull(w, body); err != nil {
				t.Errorf("it ends within a message of type %c", head[0])
				break
			}
			last = string(head[0]) + string(body)
		}
		if !strings.HasPrefix(last, "E") || !strings.Contains(last, "FATAL") {
			t.Errorf("the last words are %.300q", last)
		}
		_ = other.conn.Close()
		gone(t, 0)
		deadline := time.Now().Add(30 * time.Second)
		for { // the server starts itself again
			got := g.psql(t, &orders, "SELECT 'here again'", "-At")
			if strings.Contains(got.out, "here again") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(got)
			}
		}
		if out := g.weir(t, "verify"); !strings.Contains(out, "The evidence is whole.") {
			t.Error(out)
		}
	})
	g.pgSweep(t)
}

func readFull(w *pgWire, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = w.conn.Read(b[n:])
		n += m
	}
	if n == len(b) {
		err = nil
	}
	return n, err
}

// dataOf is the only cell of the only row of an answer.
func dataOf(answer string) string {
	_, row, _ := strings.Cut(answer, "D\x00\x01")
	if len(row) < 4 {
		return ""
	}
	return row[4:min(len(row), 4+int(row[3]))]
}

// TestPostgresJournalFull fills the disk under the journal while a result passes: nothing that is not recorded reaches the client, and nothing runs that is not recorded.
func TestPostgresJournalFull(t *testing.T) {
	g, _ := pgGateway(t, "journal: {segment: 4MiB}\n", func(port uint16) string {
		return fmt.Sprintf("- {name: wide, protocol: postgres, address: '127.0.0.1:%d', tls: disable, database: orders, credential: {user: app, password: {env: HELDPG}}, record: {body: 64MiB}}\n", port)
	})
	wide := g.access(t, "wide", "alice")
	g.stop(t)
	kept := filepath.Join(g.dir, "kept")
	if err := os.Rename(g.data, kept); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(g.data, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "none", g.data).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be mounted: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", g.data).Run() })
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", kept+"/.", g.data).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	g.serve(t)
	w := g.pgWire(t, &wide)
	w.send(t, &pgproto3.Query{String: pgMillion})
	rows, last := 0, ""
	for {
		var head [5]byte
		_ = w.conn.SetReadDeadline(time.Now().Add(60 * time.Second))
		if _, err := readFull(w, head[:]); err != nil {
			break
		}
		body := make([]byte, int(head[1])<<24|int(head[2])<<16|int(head[3])<<8|int(head[4])-4)
		if _, err := readFull(w, body); err != nil {
			t.Errorf("it ends within a message of type %c", head[0])
			break
		}
		if head[0] == 'D' {
			rows++
			continue
		}
		if last = string(head[0]) + string(body); head[0] == 'Z' {
			break
		}
	}
	if rows == 0 || rows == 1000000 || !strings.HasPrefix(last, "E") || !strings.Contains(last, "58000") {
		t.Errorf("%d rows, then %.300q", rows, last)
	}
	t.Logf("%d rows passed before the disk was full", rows)
	// What is small may still find room: then it is there to be read.
	got, recorded := g.psql(t, &wide, "SELECT 'ran_behind_it'"), ""
	for _, s := range decode[[]record.Session](t, g.weir(t, "sessions", "ls", "-o", "json")) {
		recorded += g.weir(t, "sessions", "show", string(s.ID), "-o", "json")
	}
	if strings.Contains(got.out, "ran_behind_it") != strings.Contains(recorded, "ran_behind_it") {
		t.Errorf("a statement ran without a record: %s", got.out)
	}
}
