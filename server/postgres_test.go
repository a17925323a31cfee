package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/postgres"
	"weir/gate/session"
	"weir/vault/secret"
)

func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// TestPostgres shares one server.
func TestPostgres(t *testing.T) {
	pg := gatetest.StartPostgres(t)
	for name, run := range map[string]func(*testing.T, *gatetest.Postgres){
		"logins": postgresLogins, "refuses what it cannot take": postgresRefusesWhatItCannotTake, "read-only": postgresReadOnlyIsToldUpstream,
		"greeting": postgresGreetingIsMasked, "garbage": postgresGarbageEndsSoon, "versions": postgresNegotiatesVersions,
		"direct TLS": postgresDirectTLS, "cancel": postgresCancel, "ended": postgresEndsWithItsSession,
	} {
		t.Run(name, func(t *testing.T) { run(t, pg) })
	}
}

func postgresLogins(t *testing.T, pg *gatetest.Postgres) {
	g := newPGGate(t, direct(pg), func(g *pgGate) { g.opt.AllowClear = true })
	key := filepath.Join(filepath.Dir(g.ca), "key.pem")
	good := map[string]string{
		"access key":                      "",
		"access key, binding required":    "channel_binding=require",
		"access key, binding disabled":    "channel_binding=disable",
		"access key, its resource":        "dbname=orders",
		"access key, the database":        "dbname=postgres",
		"access key, clear on loopback":   "sslmode=disable",
		"token, resource as login":        "user=orders",
		"token, resource and database":    "user=orders dbname=postgres",
		"token, user and resource":        "user=alice dbname=orders",
		"certificate, resource as login":  "user=orders password=wrong sslcert=" + g.ca + " sslkey=" + key,
		"certificate, user and resource":  "user=alice dbname=orders password=wrong sslcert=" + g.ca + " sslkey=" + key,
		"certificate beside an accesskey": "sslcert=" + g.ca + " sslkey=" + key,
	}
	for name, more := range good {
		t.Run(name, func(t *testing.T) {
			if _, err := g.one(t, more, "select 1/0"); sqlState(err) != "22012" {
				t.Fatal(err)
			}
			if v, err := g.one(t, more, "select 40+2"); v != "42" {
				t.Error("pgx:", v, err)
			}
			if v, err := g.psql(t, more, "select 40+2"); v != "42" {
				t.Error("psql:", v, err)
			}
		})
	}
	bad := map[string]string{
		"wrong secret":       "password=wrong",
		"unknown login":      "user=orders.k9",
		"unknown resource":   "user=nothing.k7f3q2",
		"wrong token":        "user=orders password=wrong",
		"unknown user":       "user=bob dbname=orders",
		"unknown resource 2": "user=alice dbname=nothing",
	}
	texts := map[string]bool{}
	for name, more := range bad {
		t.Run(name, func(t *testing.T) {
			_, err := g.one(t, more, "select 1")
			var e *pgconn.PgError
			if !errors.As(err, &e) || e.Code != "28P01" || e.Hint == "" || e.Severity != "FATAL" {
				t.Fatalf("%v %+v", err, e)
			}
			texts[e.Message+e.Hint] = true
		})
	}
	if len(texts) != 1 {
		t.Error("failures can be told apart:", texts)
	}
	g.controls.Sweep(t)
}

func postgresRefusesWhatItCannotTake(t *testing.T, pg *gatetest.Postgres) {
	g := newPGGate(t, direct(pg))
	for name, tc := range map[string]struct{ more, code string }{
		"clear text":                             {"sslmode=disable", "28000"},
		"another database":                       {"dbname=secrets", "3D000"},
		"one that is there, but not for clients": {"dbname=template0", "3D000"},
		"replication":                            {"replication=database", "0A000"},
		"encoding":                               {"client_encoding=SJIS", "22023"},
		"quoting":                                {"options='-c standard_conforming_strings=off'", "22023"},
		"role":                                   {"options='-c role=postgres'", "22023"},
		"switch":                                 {"options=-P", "22023"},
		"unheard of":                             {"options='-c no_such_setting=1'", "42704"}, // the target's own words stay behind
	} {
		t.Run(name, func(t *testing.T) {
			_, err := g.one(t, tc.more, "select 1")
			if got := sqlState(err); got != tc.code {
				t.Fatalf("%q: %v", got, err)
			}
			if strings.Contains(err.Error(), pg.User) || strings.Contains(err.Error(), "no_such_setting") {
				t.Fatal("the target's words got out:", err)
			}
		})
	}
	for name, tc := range map[string]struct{ more, ask, want string }{
		"another of the resource's databases": {"dbname=template1", "select current_database()", "template1"},
		"settings":                            {"application_name=app options='-c search_path=x\\\\ ,y --work-mem=5MB'", "select concat_ws('|', current_setting('application_name'), current_setting('work_mem'), current_setting('client_encoding'))", "app|5MB|UTF8"},
	} {
		t.Run(name, func(t *testing.T) {
			if v, err := g.one(t, tc.more, tc.ask); v != tc.want {
				t.Fatal(v, err)
			}
		})
	}
	if _, err := g.one(t, "options=--work-mem=5MB", "select 1"); err != nil {
		t.Fatal(err)
	}
	if o := g.options(); o.Snapshot() == nil || o.Parameters["server_encoding"] != "UTF8" || o.PID == 0 || len(o.Key) != 4 || o.Settings["work_mem"] != "5MB" {
		t.Errorf("%+v", o)
	}
	g.controls.Sweep(t)
}

func postgresReadOnlyIsToldUpstream(t *testing.T, pg *gatetest.Postgres) {
	g := newPGGate(t, direct(pg), func(g *pgGate) { g.opt.ReadOnly = func(i *weir.SessionInfo) bool { return i.Identity.Name == "alice" } })
	if _, err := g.one(t, "", "create table x (y int)"); sqlState(err) != "25006" || !g.options().ReadOnly {
		t.Fatal(err)
	}
	if _, err := g.one(t, "options='-c default_transaction_read_only=off'", "select 1"); sqlState(err) != "22023" {
		t.Fatal(err)
	}
}

// postgresGreetingIsMasked plants the canary in a parameter that the server reports at the start.
func postgresGreetingIsMasked(t *testing.T, pg *gatetest.Postgres) {
	g := newPGGate(t, direct(pg))
	c, err := pgconn.Connect(t.Context(), g.dsn("application_name="+gatetest.Canary))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	if v := c.ParameterStatus("application_name"); v != gatetest.Mask {
		t.Fatal(v)
	}
	if v := c.ParameterStatus("server_version"); !strings.HasPrefix(v, "1") {
		t.Fatal(v)
	}
	g.controls.Sweep(t)
}

func (g *pgGate) raw(t *testing.T, sent string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", g.port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte(sent)); err != nil {
		t.Fatal(err)
	}
	return c
}

func startupPacket(code uint32, body string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return string(binary.BigEndian.AppendUint32(b, code)) + body
}

func postgresGarbageEndsSoon(t *testing.T, pg *gatetest.Postgres) {
	g := newPGGate(t, direct(pg), func(g *pgGate) { g.opt.LoginTimeout = 2 * time.Second; g.opt.AllowClear = true })
	for name, sent := range map[string]string{
		"http":                      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"huge length":               "\x7f\xff\xff\xff\x00\x03\x00\x00",
		"just too long":             "\x00\x00\x27\x11\x00\x03\x00\x00",
		"tiny length":               "\x00\x00\x00\x04",
		"never ends":                "\x00\x00\x01\x00\x00\x03\x00\x00user",
		"nothing":                   "",
		"version 9":                 startupPacket(9<<16, "user\x00a\x00\x00"),
		"version 2":                 startupPacket(2<<16, strings.Repeat("\x00", 288)),
		"clear text behind TLS":     startupPacket(80877103, "") + startupPacket(3<<16, "user\x00"+pgLogin+"\x00\x00"),
		"a long cancel":             startupPacket(80877102, strings.Repeat("x", 300)),
		"a password out of turn":    startupPacket(3<<16, "user\x00orders\x00\x00") + "Q\x00\x00\x00\x08a\x00\x00\x00",
		"a huge password":           startupPacket(3<<16, "user\x00orders\x00\x00") + "p\x7f\xff\xff\xff",
		"a sasl message of nothing": startupPacket(3<<16, "user\x00"+pgLogin+"\x00\x00") + "p\x00\x00\x00\x04",
		"gss twice":                 startupPacket(80877104, "") + startupPacket(80877104, ""),
		"ssh":                       "SSH-2.0-OpenSSH_9.2\r\n",
		"tls garbage":               "\x16\x03\x01\x00\x05aaaaa",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := g.raw(t, sent)
			b, err := io.ReadAll(c)
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() || len(b) > 600 {
				t.Fatal(err, len(b))
			}
		})
	}
}

func postgresNegotiatesVersions(t *testing.T, pg *gatetest.Postgres) {
	g := newPGGate(t, direct(pg), func(g *pgGate) { g.opt.AllowClear = true })
	for name, tc := range map[string]struct {
		version uint32
		body    string
		want    string
	}{
		"3.0":     {3 << 16, "", ""},
		"3.2":     {3<<16 | 2, "", ""},
		"newer":   {3<<16 | 9999, "_pq_.grease\x00on\x00", "v\x00\x00\x00\x18\x00\x03\x00\x02\x00\x00\x00\x01_pq_.grease\x00"},
		"options": {3 << 16, "_pq_.x\x00on\x00", "v\x00\x00\x00\x13\x00\x03\x00\x00\x00\x00\x00\x01_pq_.x\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			c := g.raw(t, startupPacket(80877104, "")+startupPacket(tc.version, "user\x00orders\x00"+tc.body+"\x00"))
			want := "N" + tc.want + "R\x00\x00\x00\x08\x00\x00\x00\x03"
			got := make([]byte, len(want))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
				t.Fatalf("%q %v", got, err)
			}
			if _, err := c.Write([]byte("p" + string(binary.BigEndian.AppendUint32(nil, uint32(5+len(pgSecret)))) + pgSecret + "\x00")); err != nil {
				t.Fatal(err)
			}
			keyLen := 0
			for {
				var head [5]byte
				if _, err := io.ReadFull(c, head[:]); err != nil {
					t.Fatal(err)
				}
				body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
				if _, err := io.ReadFull(c, body); err != nil {
					t.Fatal(err)
				}
				if head[0] == 'K' {
					keyLen = len(body) - 4
				}
				if head[0] == 'Z' || head[0] == 'E' {
					break
				}
			}
			if want := map[bool]int{true: 32, false: 4}[tc.version&0xffff >= 2]; keyLen != want {
				t.Fatal("key of", keyLen)
			}
		})
	}
}

func postgresDirectTLS(t *testing.T, pg *gatetest.Postgres) {
	g := newPGGate(t, direct(pg))
	if v, err := g.one(t, "sslnegotiation=direct channel_binding=require", "select 7"); v != "7" {
		t.Fatal(v, err)
	}
	for name, tc := range map[string][]string{"http": {"h2", "http/1.1"}, "none": nil} {
		t.Run(name, func(t *testing.T) {
			c := tls.Client(g.raw(t, ""), &tls.Config{RootCAs: g.pool, ServerName: "localhost", NextProtos: tc})
			_, err := c.Write([]byte(startupPacket(3<<16, "user\x00orders\x00\x00")))
			if err == nil {
				_, err = io.ReadFull(c, make([]byte, 1))
			}
			if err == nil {
				t.Fatal("another protocol's client was heard")
			}
		})
	}
}

func postgresCancel(t *testing.T, pg *gatetest.Postgres) {
	t.Run("pgx", func(t *testing.T) {
		g := newPGGate(t, direct(pg))
		c, err := pgconn.Connect(t.Context(), g.dsn(""))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(context.Background()) }()
		cancelled(t, func() error { _, err := c.Exec(t.Context(), "select pg_sleep(60)").ReadAll(); return err }, pg, c.CancelRequest)
		if _, err := c.Exec(t.Context(), "select 1").ReadAll(); err != nil {
			t.Fatal("the session did not go on:", err)
		}
	})
	t.Run("psql", func(t *testing.T) {
		g := newPGGate(t, direct(pg))
		cmd := exec.CommandContext(t.Context(), "psql", "-X", "-w", "-At", g.dsn(""), "-c", "select pg_sleep(60)")
		var out bytes.Buffer
		cmd.Stderr = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cancelled(t, func() error { _ = cmd.Wait(); return &pgconn.PgError{Code: "57014"} }, pg, func(context.Context) error { return cmd.Process.Signal(syscall.SIGINT) })
		if !strings.Contains(out.String(), "canceling statement due to user request") {
			t.Fatal(out.String())
		}
	})
	t.Run("over TLS to the target", func(t *testing.T) {
		cfg := direct(pg)
		cfg.hosts, cfg.mode, cfg.roots = []postgresHost{{"localhost", pg.Port}}, "verify-full", pg.Roots()
		g := newPGGate(t, cfg)
		c, err := pgconn.Connect(t.Context(), g.dsn(""))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(context.Background()) }()
		cancelled(t, func() error { _, err := c.Exec(t.Context(), "select pg_sleep(60)").ReadAll(); return err }, pg, c.CancelRequest)
	})
}

// cancelled runs a statement that sleeps, cancels it once it runs, and checks that it was.
func cancelled(t *testing.T, run func() error, pg *gatetest.Postgres, cancel func(context.Context) error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- run() }()
	for start := time.Now(); pg.Exec(t, "select count(*) from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'") == "0"; {
		if time.Since(start) > 20*time.Second {
			t.Fatal("the statement never ran")
		}
	}
	if err := cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if sqlState(err) != "57014" {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("not cancelled")
	}
}

func TestPostgresHosts(t *testing.T) {
	for address, want := range map[string]postgresHost{
		"db:5433": {"db", 5433}, "[::1]:5432": {"::1", 5432}, "/run/postgresql": {"/run/postgresql", 5432}, "/run/postgresql:5433": {"/run/postgresql", 5433}, "/run/a:b": {"/run/a:b", 5432}, "db": {},
	} {
		if got, err := postgresHostOf(address); got != want || (err != nil) != (want.host == "") {
			t.Error(address, got, err)
		}
	}
}

func TestPostgresTargets(t *testing.T) {
	pg := gatetest.StartPostgres(t, "password_encryption = 'md5'")
	pg.Exec(t, "create role old login password 'md5-secret-9d1f'; set password_encryption = 'scram-sha-256'; create role new login password 'scram-secret-3e55'; create role plain login password 'plain-secret-77aa';")
	pg.HBA(t, "local all all scram-sha-256", "host all old all md5", "hostssl all new all scram-sha-256", "hostssl all plain all password", "host all "+pg.User+" all scram-sha-256")
	old := gatetest.StartPostgres(t, "default_transaction_read_only = on")
	old.Exec(t, "set default_transaction_read_only = off; create role old login password 'md5-secret-9d1f'")
	closed := postgresHost{"127.0.0.1", 1}
	here, readOnly := postgresHost{"127.0.0.1", pg.Port}, postgresHost{"127.0.0.1", old.Port}
	for name, tc := range map[string]struct {
		cfg  postgresConfig
		want string // error's part; "" works
	}{
		"md5":                                {postgresConfig{hosts: []postgresHost{here}, user: "old", password: secret.New("md5-secret-9d1f"), mode: "disable"}, ""},
		"scram over TLS":                     {postgresConfig{hosts: []postgresHost{here}, user: "new", password: secret.New("scram-secret-3e55"), mode: "require"}, ""},
		"password over TLS":                  {postgresConfig{hosts: []postgresHost{here}, user: "plain", password: secret.New("plain-secret-77aa"), mode: "require"}, ""},
		"TLS is asked for":                   {postgresConfig{hosts: []postgresHost{here}, user: "new", password: secret.New("scram-secret-3e55"), mode: "disable"}, "pg_hba.conf"},
		"verify-full":                        {postgresConfig{hosts: []postgresHost{{"localhost", pg.Port}}, user: "new", password: secret.New("scram-secret-3e55"), mode: "verify-full", roots: pg.Roots()}, ""},
		"verify-full, wrong name":            {postgresConfig{hosts: []postgresHost{here}, user: "new", password: secret.New("scram-secret-3e55"), mode: "verify-full", roots: pg.Roots()}, "x509"},
		"verify-full, other CA":              {postgresConfig{hosts: []postgresHost{{"localhost", pg.Port}}, user: "new", password: secret.New("scram-secret-3e55"), mode: "verify-full", roots: old.Roots()}, "x509"},
		"require with a CA":                  {postgresConfig{hosts: []postgresHost{here}, user: "new", password: secret.New("scram-secret-3e55"), mode: "require", roots: pg.Roots()}, ""},
		"require with another CA":            {postgresConfig{hosts: []postgresHost{here}, user: "new", password: secret.New("scram-secret-3e55"), mode: "require", roots: old.Roots()}, "x509"},
		"wrong password":                     {postgresConfig{hosts: []postgresHost{here}, user: "old", password: secret.New("wrong"), mode: "disable"}, "28P01"},
		"nobody there":                       {postgresConfig{hosts: []postgresHost{closed}, user: "old", password: secret.New("x"), mode: "disable"}, "refused"},
		"read-write among several":           {postgresConfig{hosts: []postgresHost{closed, readOnly, here}, user: "old", password: secret.New("md5-secret-9d1f"), mode: "disable", attrs: "read-write"}, ""},
		"read-only, and none is":             {postgresConfig{hosts: []postgresHost{here}, user: "old", password: secret.New("md5-secret-9d1f"), mode: "disable", attrs: "read-only"}, "read only"},
		"standby, and none is":               {postgresConfig{hosts: []postgresHost{here}, user: "old", password: secret.New("md5-secret-9d1f"), mode: "disable", attrs: "standby"}, "standby"},
		"prefer-standby takes what is there": {postgresConfig{hosts: []postgresHost{here}, user: "old", password: secret.New("md5-secret-9d1f"), mode: "disable", attrs: "prefer-standby"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tc.cfg.timeout = 5 * time.Second
			g := newPGGate(t, tc.cfg)
			v, err := g.one(t, "", "select inet_server_port()")
			if tc.want == "" {
				if v != fmt.Sprint(pg.Port) {
					t.Fatal(v, err)
				}
				return
			}
			if sqlState(err) != "08006" || strings.Contains(err.Error(), tc.cfg.user+"\"") || strings.Contains(err.Error(), fmt.Sprint(pg.Port)) {
				t.Fatal("what the client reads:", err)
			}
			for start := time.Now(); time.Since(start) < 10*time.Second && len(g.ended()) == 0; {
				runtime.Gosched()
			}
			if len(g.ended()) != 1 || !strings.Contains(fmt.Sprint(g.ended()[0]), tc.want) {
				t.Fatal("what the log gets:", g.ended())
			}
		})
	}
	t.Run("what a client may know of it", func(t *testing.T) {
		pg.Exec(t, "create role few login password 'few-secret-11bb' connection limit 0")
		pg.HBA(t, "local all all scram-sha-256", "host all old,few all md5", "host all all all scram-sha-256")
		few := newPGGate(t, postgresConfig{hosts: []postgresHost{here}, user: "few", password: secret.New("few-secret-11bb"), mode: "disable", timeout: 5 * time.Second})
		if _, err := few.one(t, "", "select 1"); sqlState(err) != "53300" || strings.Contains(err.Error(), `"few"`) {
			t.Error(err)
		}
		g := newPGGate(t, postgresConfig{hosts: []postgresHost{here}, user: "new", password: secret.New("scram-secret-3e55"), mode: "disable", timeout: 5 * time.Second})
		for more, want := range map[string]string{"work_mem=much": "22023", "options='-c nosuch=1'": "42704", "max_connections=7": "55P02"} {
			if _, err := g.one(t, more, "select 1"); sqlState(err) != want || !strings.Contains(err.Error(), "connection parameters") {
				t.Error(more, err)
			}
		}
	})
	t.Run("time for each of several", func(t *testing.T) {
		d, err := newPostgresDialer(postgresConfig{hosts: []postgresHost{closed, closed, here}, user: "old", mode: "disable", timeout: 10 * time.Second})
		if err != nil || 3*d.base.ConnectTimeout >= postgres.DefaultConnectTimeout {
			t.Error(err, d.base.ConnectTimeout)
		}
	})
	t.Run("read-write, for who only reads", func(t *testing.T) {
		g := newPGGate(t, postgresConfig{hosts: []postgresHost{closed, here}, user: "old", password: secret.New("md5-secret-9d1f"), mode: "disable", attrs: "read-write", timeout: 5 * time.Second})
		if v, err := g.one(t, "default_transaction_read_only=on", "show transaction_read_only"); v != "on" {
			t.Error(v, err)
		}
	})
	if _, err := newPostgresDialer(postgresConfig{hosts: []postgresHost{here}, user: "x", mode: "prefer"}); err == nil {
		t.Error("an unknown mode of TLS was taken")
	}
	if _, err := newPostgresDialer(postgresConfig{hosts: []postgresHost{here}, user: "x", mode: "disable", attrs: "x"}); err == nil {
		t.Error("unknown attributes were taken")
	}
	if d, err := newPostgresDialer(postgresConfig{hosts: []postgresHost{{"10.0.0.1", 5432}}, user: "x", mode: "disable"}); err != nil || d.base.RequireAuth != "!password" {
		t.Error("a password in clear over a network", err)
	}
}

// postgresEndsWithItsSession kills a session and looks for what is left of it at the target.
func postgresEndsWithItsSession(t *testing.T, pg *gatetest.Postgres) {
	var gate *session.Gate
	g := newPGGate(t, direct(pg), func(g *pgGate) { gate = g.controls.Gate(t); g.gate = gate })
	c, err := pgconn.Connect(t.Context(), g.dsn("application_name=tobekilled"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	if n := gate.End(func(*weir.SessionInfo) bool { return true }, "killed"); n != 1 {
		t.Fatal(n, "sessions")
	}
	if _, err := c.Exec(t.Context(), "select 1").ReadAll(); err == nil {
		t.Fatal("a session that was killed goes on")
	}
	for start := time.Now(); pg.Exec(t, "select count(*) from pg_stat_activity where application_name = 'tobekilled'") != "0"; {
		if time.Since(start) > 20*time.Second {
			t.Fatal("the target's connection is left")
		}
	}
}
