package test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"weir/gate/gatetest"
	"weir/service"
)

// relayMain copies bytes both ways as plainly as Go can, as a process of its own.
func relayMain(listen, target string) {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		panic(err)
	}
	for {
		client, err := ln.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("tcp", target)
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
			_, _ = io.Copy(client, server)
		}()
	}
}

const pgBenchTables = `
CREATE ROLE bench LOGIN PASSWORD '%s';
CREATE DATABASE bench OWNER bench;
\c bench
SET ROLE bench;
CREATE TABLE dirty AS SELECT i AS id, 'user' || i || '@example.com' AS email, 'key ghp_' || substr(md5(i::text) || md5((i + 1)::text), 1, 36) AS note FROM generate_series(1, 1000000) i;
CREATE TABLE clean AS SELECT i AS id, 'user number ' || i AS name, 'some words of no interest to anybody here, number ' || i AS note FROM generate_series(1, 1000000) i;
CREATE TABLE wide AS SELECT i AS id, 'customer number ' || i AS name, 'Torino' AS city, now() AS at, repeat('some words of no interest to anybody here, ', 3) || i AS note FROM generate_series(1, 1000000) i;
ANALYZE;
RESET ROLE;
CHECKPOINT;
`

// pgWay is one way to the database.
type pgWay struct {
	name, user, password, database string
	port                           int
	pid                            int // of what is in between, 0 for none
}

func (w *pgWay) dsn() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s dbname=%s sslmode=disable", w.port, w.user, w.password, w.database)
}

// cpu is the processor time that what is in between has used.
func (w *pgWay) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// TestBenchPostgres measures what PostgreSQL's own client and bulk reads get through Weir, a plain relay and pgbouncer, against direct access,
// all in one run. WEIR_BENCH says for how many seconds each pgbench runs; WEIR_BENCH_ONLY is a pattern of the rows.
func TestBenchPostgres(t *testing.T) {
	if os.Getenv("WEIR_BENCH") == "" {
		t.Skip("WEIR_BENCH is not set")
	}
	needs(t, "pgbench")
	ways := pgBenchWays(t)
	only := regexp.MustCompile(os.Getenv("WEIR_BENCH_ONLY"))
	var table strings.Builder
	fmt.Fprint(&table, "\n| work |")
	for _, w := range ways {
		fmt.Fprintf(&table, " %s |", w.name)
	}
	fmt.Fprint(&table, " weir ÷ direct | weir ÷ relay | CPU of relay · weir |\n|")
	fmt.Fprintln(&table, strings.Repeat(" --- |", len(ways)+4))
	for _, work := range pgBenchWork(t) {
		if !only.MatchString(work.name) {
			continue
		}
		speeds := make([][]float64, len(ways))
		used := make([]time.Duration, len(ways))
		count := make([]float64, len(ways))
		for range 3 {
			for i := range ways {
				before, start := ways[i].cpu(), time.Now()
				v := work.run(&ways[i])
				used[i] += ways[i].cpu() - before
				count[i] += v * time.Since(start).Seconds()
				speeds[i] = append(speeds[i], v)
			}
		}
		fmt.Fprintf(&table, "| %s |", work.name)
		for i := range ways {
			slices.Sort(speeds[i])
			fmt.Fprintf(&table, " %s |", fmt.Sprintf(work.format, speeds[i][1]))
		}
		last := len(ways) - 1
		weir := speeds[last][1]
		each := func(i int) float64 {
			if work.unit == "s" { // of one run
				return used[i].Seconds() / 3
			}
			return float64(used[i].Microseconds()) / count[i]
		}
		fmt.Fprintf(&table, " %.2f | %.2f | %.2f · %.2f %s |\n", weir/speeds[0][1], weir/speeds[1][1], each(1), each(last), work.unit)
	}
	t.Log(table.String())
}

// pgBenchWays starts a database and all that stands in front of it. The first is direct, the second a plain relay, the last Weir.
func pgBenchWays(t *testing.T) []pgWay {
	db := gatetest.StartPostgres(t, "shared_buffers = 256MB", "max_wal_size = 4GB", "autovacuum = off")
	t.Setenv("HELDPG", pgHeld)
	db.Exec(t, fmt.Sprintf(pgBenchTables, pgHeld))
	direct := pgWay{name: "direct", user: "bench", password: pgHeld, database: "bench", port: int(db.Port)}
	if out, err := exec.Command("pgbench", "-i", "-q", "-s", "5", direct.dsn()).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	ways := []pgWay{direct}

	relay := direct
	relay.name, relay.port = "Go relay", freePort(t)
	self := exec.Command(os.Args[0])
	self.Env = append(os.Environ(), fmt.Sprintf("WEIR_BENCH_RELAY=127.0.0.1:%d 127.0.0.1:%d", relay.port, db.Port))
	run(t, self)
	relay.pid = self.Process.Pid
	ways = append(ways, relay)

	if b, ok := pgBouncer(t, direct); ok {
		ways = append(ways, b)
	}

	g := &gateway{dir: t.TempDir()}
	g.data, g.config = filepath.Join(g.dir, "data"), filepath.Join(g.dir, "weir.yaml")
	web, port := freePort(t), freePort(t)
	g.url = fmt.Sprintf("http://127.0.0.1:%d", web)
	g.write(t, fmt.Sprintf(`data_dir: data
listen: {web: '127.0.0.1:%d', postgres: '127.0.0.1:%d'}
tls: {off: true}
postgres: {clear_text: true}
resources:
- {name: bench, protocol: postgres, address: '127.0.0.1:%d', tls: disable, database: bench, credential: {user: bench, password: {env: HELDPG}}}
grants:
- {users: [alice], resources: ['*'], for: 12h}
`, web, port, db.Port))
	cmd := exec.Command(binary, "serve", "--config", g.config)
	g.log = &buffer{}
	cmd.Env, cmd.Stderr = os.Environ(), g.log
	run(t, cmd)
	until(t, "the admin socket", func() bool { _, err := os.Stat(filepath.Join(g.data, "admin.sock")); return err == nil })
	until(t, "the listener", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	g.weir(t, "users", "add", "alice")
	key := decode[service.Access](t, g.weir(t, "access", "bench", "--as", "alice", "-o", "json"))
	w := pgWay{name: "Weir", user: key.Login, password: key.Secret, database: key.Database, port: port, pid: cmd.Process.Pid}
	if conn, err := pgconn.Connect(t.Context(), w.dsn()); err != nil {
		t.Fatal(err, g.log)
	} else {
		_ = conn.Close(context.Background())
	}
	t.Logf("weir serves as process %d", w.pid)
	return append(ways, w)
}

// pgBouncer starts one that pools sessions, where it is installed.
func pgBouncer(t *testing.T, direct pgWay) (pgWay, bool) {
	if _, err := exec.LookPath("pgbouncer"); err != nil {
		return pgWay{}, false
	}
	dir, err := os.MkdirTemp("", "weirpgb") //nolint:usetesting // its user must be able to reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := direct
	b.name, b.port = "pgbouncer", freePort(t)
	conf := fmt.Sprintf(`[databases]
bench = host=127.0.0.1 port=%d dbname=bench user=bench password=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = plain
auth_file = %s/users
pool_mode = session
default_pool_size = 50
logfile =
`, direct.port, pgHeld, b.port, dir)
	for name, text := range map[string]string{"ini": conf, "users": fmt.Sprintf("%q %q\n", "bench", pgHeld)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"-q", filepath.Join(dir, "ini")}
	if os.Getuid() == 0 {
		args = append([]string{"-u", "postgres"}, args...)
	}
	cmd := exec.Command("pgbouncer", args...)
	run(t, cmd)
	b.pid = cmd.Process.Pid
	until(t, "pgbouncer", func() bool {
		conn, err := pgconn.Connect(t.Context(), b.dsn())
		if err == nil {
			_ = conn.Close(context.Background())
		}
		return err == nil
	})
	return b, true
}

// pgJob is one thing that is measured.
type pgJob struct {
	name, format, unit string
	run                func(w *pgWay) float64
}

var pgTPS = regexp.MustCompile(`tps = ([0-9.]+) \(without`)

// pgBenchWork is all that is measured.
func pgBenchWork(t *testing.T) []pgJob {
	seconds := os.Getenv("WEIR_BENCH")
	var jobs []pgJob
	for _, mode := range []string{"simple", "extended", "prepared"} {
		for _, clients := range []string{"1", "8"} {
			jobs = append(jobs, pgJob{"`pgbench -S -M " + mode + " -c " + clients + "`, transactions/s", "%.0f", "µs", func(w *pgWay) float64 {
				out, err := exec.Command("pgbench", "-S", "-n", "-M", mode, "-c", clients, "-T", seconds, w.dsn()).CombinedOutput()
				m := pgTPS.FindSubmatch(out)
				if err != nil || m == nil {
					t.Fatal(w.name, err, string(out))
				}
				v, _ := strconv.ParseFloat(string(m[1]), 64)
				return v
			}})
		}
	}
	for _, sql := range []string{"SELECT * FROM clean", "SELECT * FROM dirty", "COPY wide TO STDOUT", "COPY clean TO STDOUT", "COPY dirty TO STDOUT"} {
		jobs = append(jobs, pgJob{"`" + sql + "`, thousand rows/s", "%.0f", "s", func(w *pgWay) float64 { return pgPull(t, w, sql) }})
	}
	return jobs
}

// pgPull reads a result of a million rows to its end, looks at nothing, and returns how many thousand came a second.
func pgPull(t *testing.T, w *pgWay, sql string) float64 {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), w.dsn())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	start := time.Now()
	if strings.HasPrefix(sql, "COPY") {
		tag, err := conn.CopyTo(t.Context(), io.Discard, sql)
		if err != nil {
			t.Fatal(err)
		}
		return float64(tag.RowsAffected()) / 1e3 / time.Since(start).Seconds()
	}
	rows := 0
	r := conn.Exec(t.Context(), sql)
	for r.NextResult() {
		for rr := r.ResultReader(); rr.NextRow(); rows++ {
			_ = rr.Values()
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return float64(rows) / 1e3 / time.Since(start).Seconds()
}
