package postgres

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"weir"
	"weir/evidence/journal"
	"weir/evidence/record"
	"weir/gate/gatetest"
	"weir/gate/session"
	"weir/mask"
	"weir/mask/known"
	"weir/rules/sql"
	"weir/vault/secret"
)

const serverBin = "/usr/lib/postgresql/15/bin/"

// canary is a secret that the test's masker holds.
const canary = gatetest.Canary

// startServer runs a PostgreSQL for the test, and returns its address.
func startServer(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat(serverBin + "initdb"); err != nil {
		if os.Getenv("WEIR_REQUIRE_SERVERS") != "" {
			t.Fatal("there is no PostgreSQL")
		}
		t.Skip("there is no PostgreSQL")
	}
	dir, err := os.MkdirTemp("/tmp", "weirpg") //nolint:usetesting // the server's user must reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cred := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		cred.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(serverBin+"initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--no-locale")
	initdb.SysProcAttr, initdb.Dir = cred, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	server := exec.Command(serverBin+"postgres", "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
		"-c", "max_connections=100", "-c", "shared_buffers=64MB")
	server.SysProcAttr, server.Dir = cred, dir
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT)
		_ = server.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), "postgres://postgres@"+addr+"/postgres")
		if err == nil {
			_ = conn.Close(context.Background())
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// door lets clients through to a server that trusts everybody.
type door struct {
	t        testing.TB
	upstream string
	addr     string
	gate     *session.Gate
	controls *gatetest.Controls
	options  func(*CodecOptions)
	read     func(*codec) grammar // what stands for the real one; nil is testClassify's

	mu       sync.Mutex
	columns  map[[2]uint32][2]string
	errs     []error
	sessions []*session.Session
	wg       sync.WaitGroup
}

// realMask is the masker that the product uses.
func realMask(t testing.TB) *mask.Masker {
	t.Helper()
	m, err := oneMask()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var oneMask = sync.OnceValues(func() (*mask.Masker, error) {
	e, err := mask.New(mask.Config{Key: []byte("0123456789abcdef")})
	if err != nil {
		return nil, err
	}
	set, _, err := known.Build([]known.Entry{{Name: "testtest", Value: []byte(canary)}})
	if err != nil {
		return nil, err
	}
	return e.Masker(set, nil), nil
})

type maskFor struct{ m *mask.Masker }

func (m maskFor) Value(dst []byte, name string, value []byte, t *weir.Tally) []byte {
	return m.m.Value(dst, name, value, t)
}

func (m maskFor) Stream(w session.Writer, shape weir.Shape, t *weir.Tally) (weir.MaskWriter, error) {
	return m.m.Stream(w, shape, t)
}

func (m maskFor) Columns(c []weir.Column) session.ColumnMask { return m.m.Columns(c) }

func (m maskFor) Version() any { return m.m }

// masked is gatetest's controls with the real masker and recorder.
type masked struct {
	*gatetest.Controls
	mask  session.Mask
	store *record.Store
}

func (m masked) Open(context.Context, *weir.SessionInfo, secret.String) (session.Mask, error) {
	return m.mask, nil
}

func (m masked) Record(ctx context.Context, r *weir.Record) error {
	if m.store == nil {
		return m.Controls.Record(ctx, r)
	}
	return m.store.Record(ctx, r)
}

func newStore(t testing.TB) *record.Store {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Options{Dir: t.TempDir(), Signer: key, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	s, err := record.New(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openDoor opens a door to the server. With a store what is recorded goes there.
func openDoor(t testing.TB, upstream string, c *gatetest.Controls, store *record.Store, options func(*CodecOptions)) *door {
	t.Helper()
	if c == nil {
		c = &gatetest.Controls{}
	}
	m := masked{Controls: c, mask: maskFor{realMask(t)}, store: store}
	opt := c.Options()
	opt.MaxFrame = 1 << 20
	g, err := session.New(session.Controls{Admitter: c, Decider: c, Holder: c, Masker: m, Recorder: m, Auditor: c}, opt)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, upstream: upstream, addr: l.Addr().String(), gate: g, controls: c, options: options}
	d.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d.wg.Go(func() {
				if err := d.serve(conn); err != nil {
					d.mu.Lock()
					d.errs = append(d.errs, err)
					d.mu.Unlock()
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		g.Close(ctx)
		d.wg.Wait()
	})
	return d
}

// refresh reads the catalogue.
func (d *door) refresh() {
	d.t.Helper()
	conn, err := pgx.Connect(context.Background(), "postgres://postgres@"+d.upstream+"/postgres")
	if err != nil {
		d.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(context.Background(), `select a.attrelid::int8, a.attnum::int8, n.nspname||'.'||c.relname, a.attname from pg_attribute a join pg_class c on c.oid=a.attrelid join pg_namespace n on n.oid=c.relnamespace where a.attnum>0`)
	if err != nil {
		d.t.Fatal(err)
	}
	columns := map[[2]uint32][2]string{}
	var oid, num int64
	var rel, col string
	_, err = pgx.ForEachRow(rows, []any{&oid, &num, &rel, &col}, func() error {
		columns[[2]uint32{uint32(oid), uint32(num)}] = [2]string{rel, col}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	d.columns = columns
	d.mu.Unlock()
}

// testClassify knows enough SQL for the tests: verbs, and a table of secrets.
func testClassify(text string, prepared func(string) *weir.SQL) *weir.SQL {
	s := &weir.SQL{}
	begin := true
	ws := words(text)
	for i, w := range ws {
		if begin && w.kind == 'w' {
			s.Operations = append(s.Operations, strings.ToUpper(w.text))
			s.Statements++
			begin = false
		}
		if w.kind == ';' {
			begin = true
		}
		if w.is("secrets") || w.is("reveal") {
			s.Columns = append(s.Columns, "public.secrets.value", "public.secrets.id")
			s.Relations = []string{"public.secrets"}
		}
		if w.is("execute") && i == 0 && i+1 < len(ws) && prepared(ws[1].text) != nil {
			s.Operations = append(s.Operations, prepared(ws[1].text).Operations...)
		}
		for _, set := range []string{"client_encoding", "standard_conforming_strings", "default_transaction_read_only", "transaction_read_only"} {
			if w.text == set {
				s.Settings = append(s.Settings, set)
			}
		}
		if w.is("names") {
			s.Settings = append(s.Settings, "client_encoding")
		}
	}
	return s
}

// testKey cuts the digits, which is what a fingerprint does to literals.
func testKey(dst []byte, text string) ([]byte, bool) {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			dst = append(dst, text[i])
		}
	}
	return dst, true
}

func (d *door) codec(params map[string]string) session.Codec {
	o := CodecOptions{
		Changed: func() {}, Parameters: params,
		Columns: func(relation, column string) (bool, bool) {
			return relation == "public.secrets" && column == "value", column == "query"
		},
		Secret:     func(relation, column string) bool { return relation == "public.secrets" && column == "value" },
		HeldNotice: func(id weir.RequestID) (string, string, string) { return "held", "request " + string(id), "wait" },
	}
	if d.options != nil {
		d.options(&o)
	}
	c := newCodec(o)
	if d.read != nil {
		c.read = d.read(c)
		return c
	}
	c.read = grammar{
		classify: testClassify, key: testKey, fingerprint: func(s string) string { return s },
		column: func(oid uint32, attr int16) (string, string, bool) {
			d.mu.Lock()
			defer d.mu.Unlock()
			v, ok := d.columns[[2]uint32{oid, uint32(attr)}]
			return v[0], v[1], ok
		},
		columns: func(relation string) []string {
			if relation == "public.secrets" {
				return []string{"id", "value", "note"}
			}
			return nil
		},
		version: func() any { return 1 },
		origin:  func(string, string) (sql.Origin, bool) { return sql.Origin{}, false },
	}
	return c
}

func readHello(c net.Conn) ([]byte, error) {
	for {
		var head [8]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return nil, err
		}
		n := binary.BigEndian.Uint32(head[:])
		if n < 8 || n > 10000 {
			return nil, errors.New("bad startup")
		}
		msg := append(head[:], make([]byte, n-8)...)
		if _, err := io.ReadFull(c, msg[8:]); err != nil {
			return nil, err
		}
		switch binary.BigEndian.Uint32(msg[4:]) {
		case 80877103, 80877104:
			if _, err := c.Write([]byte{'N'}); err != nil {
				return nil, err
			}
			continue
		}
		return msg, nil
	}
}

// serve brings one client to the server.
func (d *door) serve(conn net.Conn) error {
	startup, err := readHello(conn)
	if err != nil {
		_ = conn.Close()
		return err
	}
	up, err := net.Dial("tcp", d.upstream)
	if err != nil {
		_ = conn.Close()
		return err
	}
	if _, err := up.Write(startup); err != nil {
		return err
	}
	params := map[string]string{}
	for {
		var head [5]byte
		if _, err := io.ReadFull(up, head[:]); err != nil {
			_, _ = up.Close(), conn.Close()
			return err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(up, body); err != nil {
			return err
		}
		if _, err := conn.Write(append(head[:], body...)); err != nil {
			return err
		}
		if head[0] == 'S' {
			in := cursor{b: body}
			params[string(in.text())] = string(in.text())
		}
		if head[0] == 'Z' {
			break
		}
		if head[0] == 'E' {
			_, _ = up.Close(), conn.Close()
			return errors.New("refused by the server")
		}
	}
	s, err := d.gate.IncomingConn(weir.Client{}, conn, func(context.Context, string) (session.Conn, []byte, error) { return up, nil, nil }).
		Authorize(context.Background(), gatetest.Hello())
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.sessions = append(d.sessions, s)
	d.mu.Unlock()
	return s.Pump(context.Background(), d.codec(params))
}

// connect connects pgx through the door.
func (d *door) connect(t testing.TB, options string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable%s", d.addr, options))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func stateOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return fmt.Sprint(err)
}
