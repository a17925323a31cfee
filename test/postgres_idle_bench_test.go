package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"weir/gate/gatetest"
)

// TestBenchPostgresIdle tells what an idle connection takes of the gateway's memory, TLS and all: WEIR_BENCH_IDLE of them, or 2,000, each of which has
// run a statement before it waits. The server has that many, too.
func TestBenchPostgresIdle(t *testing.T) {
	if os.Getenv("WEIR_BENCH") == "" {
		t.Skip("WEIR_BENCH is not set")
	}
	n := 2000
	if v, err := strconv.Atoi(os.Getenv("WEIR_BENCH_IDLE")); err == nil {
		n = v
	}
	db := gatetest.StartPostgres(t, fmt.Sprintf("max_connections = %d", n+100), "work_mem = '64kB'", "jit = off")
	db.Exec(t, fmt.Sprintf("CREATE ROLE app LOGIN PASSWORD '%s';", pgHeld))
	g := &gateway{dir: t.TempDir()}
	g.data, g.config = filepath.Join(g.dir, "data"), filepath.Join(g.dir, "weir.yaml")
	web, port := freePort(t), freePort(t)
	g.url = fmt.Sprintf("https://localhost:%d", web)
	g.write(t, fmt.Sprintf("data_dir: data\nlisten: {web: '127.0.0.1:%d', postgres: '127.0.0.1:%d'}\nresources:\n- {name: idle, protocol: postgres, address: '127.0.0.1:%d', tls: disable, database: postgres, credential: {user: app, password: {env: HELDPG}}}\ngrants:\n- {groups: [developers], resources: ['*'], for: 1h}\nlimits: {sessions: %d}\n", web, port, db.Port, n+100))
	t.Setenv("HELDPG", pgHeld)
	g.serve(t)
	t.Cleanup(func() { g.stop(t) })
	g.weir(t, "users", "add", "alice", "--groups", "developers")
	a := g.access(t, "idle", "alice")
	cfg, err := pgconn.ParseConfig(fmt.Sprintf("host=localhost port=%d user=%s password=%s dbname=%s sslmode=verify-full sslrootcert=%s connect_timeout=60", a.Port, a.Login, a.Secret, a.Database, filepath.Join(g.data, "ca.pem")))
	if err != nil {
		t.Fatal(err)
	}
	open := func(n int) {
		var wg sync.WaitGroup
		slots := make(chan struct{}, 8)
		for range n {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				c, err := pgconn.ConnectConfig(t.Context(), cfg)
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { _ = c.Conn().Close() })
				if _, err := c.Exec(t.Context(), "SELECT 1").ReadAll(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	open(50) // what is made once
	time.Sleep(2 * time.Second)
	before := resident(t, g.cmd.Process.Pid)
	open(n)
	each := func() float64 { return float64(resident(t, g.cmd.Process.Pid)-before) / float64(n) }
	time.Sleep(10 * time.Second)
	first := each()
	time.Sleep(140 * time.Second) // the collector runs every two minutes where nothing happens, and gives back what the logins took
	t.Logf("%d idle connections on top of %d KB: %.1f KB each after 10 s, %.1f KB each after 150 s", n, before, first, each())
}
