package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/gate/gatetest"
)

// relay copies bytes both ways, as plainly as it can be done.
func relay(t testing.TB, upstream string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				u, err := net.Dial("tcp", upstream)
				if err != nil {
					_ = c.Close()
					return
				}
				go func() { _, _ = io.Copy(u, c); _ = u.Close() }()
				_, _ = io.Copy(c, u)
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// cpu is the time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var tps = regexp.MustCompile(`tps = ([0-9.]+) \(without`)

func pgbench(t testing.TB, addr string, args ...string) float64 {
	host, port, _ := net.SplitHostPort(addr)
	out, err := exec.Command(serverBin+"pgbench", append(args, "-h", host, "-p", port, "-U", "postgres", "postgres")...).CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	m := tps.FindSubmatch(out)
	if m == nil {
		return 0
	}
	v, _ := strconv.ParseFloat(string(m[1]), 64)
	return v
}

// TestRatios compares, in one run, a direct connection, a plain relay and the pump with masking and recording into a journal. It runs when
// WEIR_RATIOS says for how many seconds each.
func TestRatios(t *testing.T) {
	seconds := os.Getenv("WEIR_RATIOS")
	if seconds == "" && os.Getenv("WEIR_RATIOS_BULK") == "" {
		t.Skip("WEIR_RATIOS and WEIR_RATIOS_BULK are not set")
	}
	addr := startServer(t)
	pgbench(t, addr, "-i", "-s", "5", "-q")
	plain := relay(t, addr)
	d := openDoor(t, addr, &gatetest.Controls{}, newStore(t), nil)
	d.refresh()
	for _, mode := range []string{"simple", "extended", "prepared"} {
		if seconds == "" {
			break
		}
		for _, clients := range []string{"1", "8"} {
			var direct, relayed, pumped float64
			var relayCPU, pumpCPU time.Duration
			for range 3 {
				direct += pgbench(t, addr, "-S", "-n", "-M", mode, "-c", clients, "-T", seconds)
				start := cpu()
				relayed += pgbench(t, plain, "-S", "-n", "-M", mode, "-c", clients, "-T", seconds)
				middle := cpu()
				pumped += pgbench(t, d.addr, "-S", "-n", "-M", mode, "-c", clients, "-T", seconds)
				relayCPU += middle - start
				pumpCPU += cpu() - middle
			}
			n, _ := strconv.ParseFloat(seconds, 64)
			t.Logf("CPU of the gateway's process a transaction: relay %.1f us, pump %.1f us",
				float64(relayCPU.Microseconds())/(relayed*n), float64(pumpCPU.Microseconds())/(pumped*n))
			t.Logf("pgbench -S %-8s c=%s: direct %.0f, relay %.2f of it, pump %.2f of it = %.2f of the relay", mode, clients, direct/3, relayed/direct, pumped/direct, pumped/relayed)
		}
	}
	if os.Getenv("WEIR_RATIOS_BULK") != "" {
		bulk(t, addr, plain, d.addr)
	}
}

// BenchmarkRows passes rows through the pump, clean ones and such with a token in each that is masked, as DataRows and as CopyData.
func BenchmarkRows(b *testing.B) {
	sum := func(i int) string { return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, i))) }
	for name, row := range map[string]func(i int) []string{
		"clean": func(i int) []string {
			return []string{strconv.Itoa(i), fmt.Sprintf("user number %d", i), fmt.Sprintf("some words of no interest to anybody here, number %d", i)}
		},
		"dirty": func(i int) []string {
			return []string{strconv.Itoa(i), fmt.Sprintf("user%d@example.com", i), "key gh" + "p_" + sum(i)[:36]}
		},
	} {
		var rows, lines strings.Builder
		n := 0
		for ; rows.Len() < 60<<10; n++ {
			rows.WriteString(frame('D', cells(row(100_000+n)...)))
			lines.WriteString(frame('d', strings.Join(row(100_000+n), "\t")+"\n"))
		}
		head := "\x00\x03" + column("id", 23, 0) + column("name", 25, 0) + column("note", 25, 0)
		b.Run(name+"/rows", func(b *testing.B) { passRows(b, frame('T', head), rows.String(), n) })
		b.Run(name+"/copy", func(b *testing.B) { passRows(b, frame('H', "\x00\x00\x03\x00\x00\x00\x00\x00\x00"), lines.String(), n) })
	}
}

func passRows(b *testing.B, head, rows string, n int) {
	w := wire(b, &gatetest.Controls{})
	go func() { _, _ = io.WriteString(w.client, frame('Q', "copy t to stdout\x00")) }()
	if _, err := io.ReadFull(w.target, make([]byte, len(frame('Q', "copy t to stdout\x00")))); err != nil {
		b.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, w.client) }()
	if _, err := io.WriteString(w.target, head); err != nil {
		b.Fatal(err)
	}
	block := []byte(rows)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.target.Write(block); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
}

func bulk(t *testing.T, direct, plain, pump string) {
	conn, err := pgx.Connect(t.Context(), "postgres://postgres@"+direct+"/postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), `create table dirty as select i as id, 'user'||i||'@example.com' as email, 'key ghp_'||substr(md5(i::text)||md5((i+1)::text),1,36) as note from generate_series(1,1000000) i;
create table clean as select i as id, 'user number '||i as name, 'some words of no interest to anybody here, number '||i as note from generate_series(1,1000000) i; analyze; checkpoint`)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"select * from dirty", "select * from clean", "copy clean to stdout", "copy dirty to stdout"} {
		times := map[string]time.Duration{}
		for range 3 {
			for _, to := range []string{direct, plain, pump} {
				times[to] += pull(t, to, sql)
			}
		}
		t.Logf("%s: direct %v, relay %.2f times as long, pump %.2f", sql, times[direct]/3, float64(times[plain])/float64(times[direct]), float64(times[pump])/float64(times[direct]))
	}
}

// pull reads a result to its end, and looks at nothing.
func pull(t *testing.T, addr, sql string) time.Duration {
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", addr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	start := time.Now()
	if strings.HasPrefix(sql, "copy") {
		if _, err := conn.PgConn().CopyTo(t.Context(), io.Discard, sql); err != nil {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	r := conn.PgConn().Exec(t.Context(), sql)
	for r.NextResult() {
		for rr := r.ResultReader(); rr.NextRow(); {
			_ = rr.Values()
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return time.Since(start)
}
