package test

import (
	"context"
	"encoding/pem"
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

// TestBenchPostgresIdle tells what an idle connection takes of the gateway's memory, in clear text and with TLS on both sides: WEIR_BENCH_IDLE of them, or
// 2,000, each of which has run a statement before it waits. The server has that many, too.
func TestBenchPostgresIdle(t *testing.T) {
	if os.Getenv("WEIR_BENCH") == "" {
		t.Skip("WEIR_BENCH is not set")
	}
	n := 2000
	if v, err := strconv.Atoi(os.Getenv("WEIR_BENCH_IDLE")); err == nil {
		n = v
	}
	db := gatetest.StartPostgres(t, fmt.Sprintf("max_connections = %d", n+100), "work_mem = '64kB'", "jit = off")
	db.Exec(t, fmt.Sprintf("CREATE ROLE bench LOGIN PASSWORD '%s';\nCREATE DATABASE bench OWNER bench;", pgHeld))
	t.Setenv("HELDPG", pgHeld)
	direct := pgWay{user: "bench", password: pgHeld, database: "bench", port: int(db.Port)}
	encrypted := direct
	encrypted.ssl = "require"
	authority := filepath.Join(t.TempDir(), "target.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: db.CA.Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Run("clear text", func(t *testing.T) { postgresIdle(t, n, pgWeir(t, direct, "")) })
	t.Run("TLS on both sides", func(t *testing.T) { postgresIdle(t, n, pgWeir(t, encrypted, authority)) })
}

func postgresIdle(t *testing.T, n int, w pgWay) {
	t.Helper()
	cfg, err := pgconn.ParseConfig(w.dsn() + " connect_timeout=60")
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
				t.Cleanup(func() { _ = c.Close(context.Background()) })
				if _, err := c.Exec(t.Context(), "SELECT 1").ReadAll(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	open(50)                     // what is made once
	time.Sleep(12 * time.Second) // and what the start took is given back
	before := resident(t, w.pid)
	open(n)
	each := func() float64 { return float64(resident(t, w.pid)-before) / float64(n) }
	time.Sleep(10 * time.Second)
	first := each()
	time.Sleep(140 * time.Second) // the collector runs every two minutes where nothing happens
	t.Logf("%d idle connections on top of %d KB: %.1f KB each after 10 s, %.1f KB each after 150 s", n, before, first, each())
}
