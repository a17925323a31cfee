package test

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
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

// relayMain copies bytes both ways as plainly as Go can, as a process of its own. over is "tls" where both sides are to be encrypted as PostgreSQL does it.
func relayMain(listen, target, over string) {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		panic(err)
	}
	var cert *tls.Config
	if over == "tls" {
		cert = relayCert()
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
			if cert != nil {
				ask := []byte{0, 0, 0, 8, 4, 210, 22, 47} // SSLRequest
				if _, err := io.ReadFull(client, make([]byte, len(ask))); err != nil {
					return
				}
				_, _ = client.Write([]byte{'S'})
				_, _ = server.Write(ask)
				if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
					return
				}
				client, server = tls.Server(client, cert), tls.Client(server, &tls.Config{InsecureSkipVerify: true}) // a measure, not a gateway
			}
			go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
			_, _ = io.Copy(client, server)
		}()
	}
}

// relayCert makes a certificate of the relay's own.
func relayCert() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
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
	ssl                            string // sslmode; "" is disable
	port                           int
	pid                            int // of what is in between, 0 for none
}

// The relay's certificate is not the target's, which channel binding would find out.
func (w *pgWay) dsn() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s dbname=%s sslmode=%s channel_binding=disable", w.port, w.user, w.password, w.database, cmp.Or(w.ssl, "disable"))
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
// all in one run, and then with TLS on both sides. WEIR_BENCH says for how many seconds each pgbench is measured; WEIR_BENCH_ONLY is a pattern of the rows.
func TestBenchPostgres(t *testing.T) {
	if os.Getenv("WEIR_BENCH") == "" {
		t.Skip("WEIR_BENCH is not set")
	}
	needs(t, "pgbench")
	ways, db := pgBenchWays(t)
	pgTable(t, ways, pgBenchWork(t))
	encrypted := ways[0]
	encrypted.name, encrypted.ssl = "direct, TLS", "require"
	authority := filepath.Join(t.TempDir(), "target.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: db.CA.Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	pgTable(t, []pgWay{encrypted, pgRelay(t, encrypted, "tls"), pgWeir(t, encrypted, authority)}, pgBenchWork(t))
}

// pgRounds is how often each way has its turn.
const pgRounds = 5

// pgTable prints what each way gets of each work: medians, also of the ratios, each of ways that had their turns in the same round.
func pgTable(t *testing.T, ways []pgWay, jobs []pgJob) {
	t.Helper()
	only := regexp.MustCompile(os.Getenv("WEIR_BENCH_ONLY"))
	var table strings.Builder
	fmt.Fprint(&table, "\n| work |")
	for _, w := range ways {
		fmt.Fprintf(&table, " %s |", w.name)
	}
	last := len(ways) - 1
	for _, w := range ways[:last] {
		fmt.Fprintf(&table, " Weir ÷ %s |", w.name)
	}
	fmt.Fprint(&table, " CPU of relay · Weir |\n|")
	fmt.Fprintln(&table, strings.Repeat(" --- |", 2*len(ways)+1))
	for _, work := range jobs {
		if !only.MatchString(work.name) {
			continue
		}
		speeds := make([][]float64, len(ways))
		used := make([]time.Duration, len(ways))
		count := make([]float64, len(ways))
		for round := range pgRounds {
			for turn := range ways {
				i := turn
				if round%2 == 1 { // so that none is always behind the same one
					i = last - turn
				}
				before := ways[i].cpu()
				speed, done := work.run(&ways[i])
				used[i] += ways[i].cpu() - before
				count[i] += done
				speeds[i] = append(speeds[i], speed)
			}
		}
		fmt.Fprintf(&table, "| %s |", work.name)
		for i := range ways {
			fmt.Fprintf(&table, " %s |", fmt.Sprintf(work.format, median(speeds[i])))
		}
		for i := range last {
			ratios := make([]float64, pgRounds)
			for round := range ratios {
				ratios[round] = speeds[last][round] / speeds[i][round]
			}
			fmt.Fprintf(&table, " %.2f |", median(ratios))
		}
		each := func(i int) float64 { return used[i].Seconds() / count[i] * work.scale }
		fmt.Fprintf(&table, " %.2f · %.2f %s |\n", each(1), each(last), work.unit)
	}
	t.Log(table.String())
}

// median is that of an odd number of values.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// pgBenchWays starts a database and all that stands in front of it. The first is direct, the second a plain relay, the last Weir.
func pgBenchWays(t *testing.T) ([]pgWay, *gatetest.Postgres) {
	t.Helper()
	db := gatetest.StartPostgres(t, "shared_buffers = 256MB", "max_wal_size = 4GB", "autovacuum = off")
	t.Setenv("HELDPG", pgHeld)
	db.Exec(t, fmt.Sprintf(pgBenchTables, pgHeld))
	direct := pgWay{name: "direct", user: "bench", password: pgHeld, database: "bench", port: int(db.Port)}
	if out, err := exec.Command("pgbench", "-i", "-q", direct.dsn()).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	ways := []pgWay{direct}

	ways = append(ways, pgRelay(t, direct, ""))
	if b, ok := pgBouncer(t, direct); ok {
		ways = append(ways, b)
	}

	return append(ways, pgWeir(t, direct, "")), db
}

// pgRelay starts a plain relay.
func pgRelay(t *testing.T, direct pgWay, over string) pgWay {
	t.Helper()
	relay := direct
	relay.name, relay.port = "Go relay", freePort(t)
	self := exec.Command(os.Args[0])
	self.Env = append(os.Environ(), fmt.Sprintf("WEIR_BENCH_RELAY=127.0.0.1:%d 127.0.0.1:%d %s", relay.port, direct.port, over))
	run(t, self)
	relay.pid = self.Process.Pid
	return relay
}

// pgWeir starts the gateway, with TLS on both sides where there is a file with the target's authority.
func pgWeir(t *testing.T, direct pgWay, authority string) pgWay {
	t.Helper()
	clear, host, target := "tls: {off: true}\npostgres: {clear_text: true}", "127.0.0.1", "disable"
	if authority != "" {
		clear, host, target = "", "localhost", "{mode: verify-full, ca: '"+authority+"'}"
	}
	g := &gateway{dir: t.TempDir()}
	g.data, g.config = filepath.Join(g.dir, "data"), filepath.Join(g.dir, "weir.yaml")
	web, port := freePort(t), freePort(t)
	g.url = fmt.Sprintf("http://127.0.0.1:%d", web)
	g.write(t, fmt.Sprintf(`data_dir: data
listen: {web: '127.0.0.1:%d', postgres: '127.0.0.1:%d'}
%s
resources:
- {name: bench, protocol: postgres, address: '%s:%d', tls: %s, database: bench, credential: {user: bench, password: {env: HELDPG}}}
limits: {sessions: 3000}
grants:
- {users: [alice], resources: ['*'], for: 12h}
`, web, port, clear, host, direct.port, target))
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
	w := pgWay{name: "Weir", user: key.Login, password: key.Secret, database: key.Database, port: port, pid: cmd.Process.Pid, ssl: direct.ssl}
	if conn, err := pgconn.Connect(t.Context(), w.dsn()); err != nil {
		t.Fatal(err, g.log)
	} else {
		_ = conn.Close(context.Background())
	}
	t.Logf("weir serves as process %d", w.pid)
	return w
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
	name, format string
	unit         string // of processor time for one that was done
	scale        float64
	run          func(w *pgWay) (speed, done float64)
}

var (
	pgProgress = regexp.MustCompile(`progress: ([0-9]+)[0-9.]* s, ([0-9.]+) tps`)
	pgDone     = regexp.MustCompile(`actually processed: ([0-9]+)`)
)

// pgWarm is for how many seconds pgbench runs before it is measured. A new process of the server maps each of its shared buffers when it first needs it, which takes half of
// its time at first; pgbouncer keeps those it has.
const pgWarm = 2

// pgBenchWork is all that is measured.
func pgBenchWork(t *testing.T) []pgJob {
	seconds, err := strconv.Atoi(os.Getenv("WEIR_BENCH"))
	if err != nil || seconds < 1 {
		t.Fatal("WEIR_BENCH must be a number of seconds")
	}
	var jobs []pgJob
	for _, mode := range []string{"simple", "extended", "prepared"} {
		for _, clients := range []string{"1", "8"} {
			jobs = append(jobs, pgJob{"`pgbench -S -M " + mode + " -c " + clients + "`, transactions/s", "%.0f", "µs", 1e6, func(w *pgWay) (speed, done float64) {
				out, err := exec.Command("pgbench", "-S", "-n", "-M", mode, "-c", clients, "-P", "1", "-T", strconv.Itoa(pgWarm+seconds), w.dsn()).CombinedOutput()
				m := pgDone.FindSubmatch(out)
				if err != nil || m == nil {
					t.Fatal(w.name, err, string(out))
				}
				done, _ = strconv.ParseFloat(string(m[1]), 64)
				n := 0
				for _, line := range pgProgress.FindAllSubmatch(out, -1) {
					at, _ := strconv.Atoi(string(line[1]))
					v, _ := strconv.ParseFloat(string(line[2]), 64)
					if at > pgWarm {
						speed += v
						n++
					}
				}
				if n == 0 {
					t.Fatal(w.name, "pgbench told of no progress", string(out))
				}
				return speed / float64(n), done
			}})
		}
	}
	for _, sql := range []string{"SELECT * FROM clean", "SELECT * FROM dirty", "COPY wide TO STDOUT", "COPY clean TO STDOUT", "COPY dirty TO STDOUT"} {
		jobs = append(jobs, pgJob{"`" + sql + "`, thousand rows/s", "%.0f", "s", 1, func(w *pgWay) (speed, done float64) { return pgPull(t, w, sql), 1 }})
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
