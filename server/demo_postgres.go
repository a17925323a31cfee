package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// demoDatabase is a PostgreSQL server of the demo's own, in a directory of its own.
type demoDatabase struct {
	dir  string
	port int
	cmd  *exec.Cmd
	bin  string
	cred *syscall.Credential
}

// postgresDirTable are where distributions put the server's programs.
var postgresDirTable = []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin", "/usr/local/bin", "/usr/bin"}

// findPostgres returns the directory of initdb and postgres, or "".
func findPostgres() string {
	if p, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(p); err == nil { // what belongs to it lies beside it
			p = real
		}
		return filepath.Dir(p)
	}
	for _, pattern := range postgresDirTable {
		found, err := filepath.Glob(filepath.Join(pattern, "initdb"))
		if err == nil && len(found) > 0 {
			return filepath.Dir(slices.Max(found))
		}
	}
	return ""
}

// startDemoDatabase starts a server with some rows and secrets in it. nil without an error: there is no PostgreSQL here, or no user to run it as.
func startDemoDatabase(ctx context.Context, password string, setup string) (_ *demoDatabase, err error) {
	d := &demoDatabase{bin: findPostgres()}
	if d.bin == "" {
		return nil, nil //nolint:nilnil // the demo goes without
	}
	if os.Getuid() == 0 { // PostgreSQL does not run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, nil //nolint:nilnil // the demo goes without
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		d.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	if d.dir, err = os.MkdirTemp("", "weir-demo-pg-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.stop())
		}
	}()
	if d.port, err = freePort(ctx); err != nil {
		return nil, err
	}
	if err := d.file("pw", password); err != nil {
		return nil, err
	}
	if err := d.file("setup.sql", setup); err != nil {
		return nil, err
	}
	if err := d.own(d.dir); err != nil {
		return nil, err
	}
	if err := d.run(ctx, "initdb", nil, "-D", d.data(), "-U", "keeper", "--auth=scram-sha-256", "--pwfile="+filepath.Join(d.dir, "pw"), "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, err
	}
	d.cmd = exec.Command(filepath.Join(d.bin, "postgres"), "-D", d.data(), "-h", "127.0.0.1", "-p", strconv.Itoa(d.port), "-k", d.dir, "-c", "fsync=off", "-c", "shared_buffers=16MB") //nolint:noctx // stopped by its signal
	d.cmd.Dir, d.cmd.SysProcAttr = d.dir, &syscall.SysProcAttr{Credential: d.cred}
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	return d, d.fill(ctx, password)
}

// fill waits for the server and runs the setup.
func (d *demoDatabase) fill(ctx context.Context, password string) error {
	psql := func(args ...string) error {
		env := append(os.Environ(), "PGPASSWORD="+password) //nolint:forbidigo // psql's own environment
		return d.run(ctx, "psql", env, append([]string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", d.dir, "-p", strconv.Itoa(d.port), "-U", "keeper", "-d", "postgres"}, args...)...)
	}
	err := psql("-c", "SELECT 1")
	for n := 0; err != nil && n < 200 && ctx.Err() == nil; n++ { // at most 20 seconds
		time.Sleep(100 * time.Millisecond)
		err = psql("-c", "SELECT 1")
	}
	if err != nil {
		return err
	}
	if err := psql("-f", filepath.Join(d.dir, "setup.sql")); err != nil {
		return err
	}
	return errors.Join(os.Remove(filepath.Join(d.dir, "pw")), os.Remove(filepath.Join(d.dir, "setup.sql")))
}

func (d *demoDatabase) data() string { return filepath.Join(d.dir, "data") }

func (d *demoDatabase) file(name, text string) error {
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return d.own(path)
}

func (d *demoDatabase) own(path string) error {
	if d.cred == nil {
		return nil
	}
	return os.Chown(path, int(d.cred.Uid), int(d.cred.Gid))
}

func (d *demoDatabase) run(ctx context.Context, program string, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, program), args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = d.dir, env, &syscall.SysProcAttr{Credential: d.cred}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %.500s", program, err, out.String())
	}
	return nil
}

// stop ends the server and removes what it left.
func (d *demoDatabase) stop() error {
	if d == nil {
		return nil
	}
	if d.cmd != nil && d.cmd.Process != nil {
		_ = d.cmd.Process.Signal(syscall.SIGINT) // fast shutdown
		ended := make(chan struct{})
		go func() {
			_ = d.cmd.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = d.cmd.Process.Kill()
			<-ended
		}
	}
	return os.RemoveAll(d.dir)
}

func freePort(ctx context.Context) (int, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = ln.Close() }()
	a, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("no port")
	}
	return a.Port, nil
}
