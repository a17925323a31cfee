package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"weir"
	"weir/service"
)

type connectCmd struct {
	Resource string   `arg:"" help:"Name of the resource."`
	Args     []string `arg:"" optional:"" passthrough:"" help:"After --: for PostgreSQL options of psql, or another program; for SSH a remote command; for HTTP a path and options of curl."`
	As       string   `help:"As another user; for administrators." placeholder:"USER"`
	TTL      string   `help:"How long it may last, such as 30m or 8h." placeholder:"TIME" name:"ttl"`
}

// connection is one run of a native client. Its secret is in files and pipes that only the caller's user can
// read, which are gone when it ends; never in an argument.
type connection struct {
	g    *Globals
	cl   *client
	dir  string // for files, 0700
	cmd  *exec.Cmd
	done []string // paths at the API that take back what was issued
	fill func() error
}

func (c *connectCmd) Run(g *Globals) error {
	cl, err := g.connect()
	if err != nil {
		return err
	}
	if len(c.Args) > 0 && c.Args[0] == "--" {
		c.Args = c.Args[1:]
	}
	all, err := call[[]service.ResourceView](g.ctx, cl, "GET", "/resources", nil)
	if err != nil {
		return err
	}
	var res *service.ResourceView
	for i := range all {
		if all[i].Name == c.Resource {
			res = &all[i]
		}
	}
	if res == nil {
		return weir.NewError(weir.Forbidden, "you have no access to a resource "+c.Resource+"; see weir resources", nil)
	}
	// From here on no signal ends weir before it has cleaned up; run passes them on.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	dir, err := os.MkdirTemp("", "weir-connect-")
	if err != nil {
		return fmt.Errorf("make a directory for the connection: %w", err)
	}
	x := &connection{g: g, cl: cl, dir: dir}
	defer x.close()
	switch res.Protocol {
	case weir.SSH:
		err = c.ssh(x, res)
	case weir.Postgres, weir.HTTP:
		err = c.withKey(x)
	default:
		err = usage("weir connect knows no client for " + string(res.Protocol) + "; use weir access " + c.Resource)
	}
	if err != nil {
		return err
	}
	return x.run(signals)
}

// close removes the files and takes back what was issued, also when the caller is in a hurry.
func (x *connection) close() {
	_ = os.RemoveAll(x.dir)
	ctx, stop := context.WithTimeout(context.WithoutCancel(x.g.ctx), 3*time.Second)
	defer stop()
	for _, path := range x.done {
		_, _ = call[struct{}](ctx, x.cl, "DELETE", path, nil) // it expires by itself
	}
}

func (x *connection) file(name, text string) (string, error) {
	path := filepath.Join(x.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write a file for the connection: %w", err)
	}
	return path, nil
}

// program is a command that lives on when the caller interrupts: the client decides what that means.
func (x *connection) program(name string, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		return weir.NewError(weir.Unavailable, name+" is not installed here; install it, or use weir access and another client", err)
	}
	x.cmd = exec.CommandContext(context.WithoutCancel(x.g.ctx), path, args...)
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = x.g.streams.In, x.g.streams.Out, x.g.streams.Err
	return nil
}

// ssh logs in by a key of its own, for this once.
func (c *connectCmd) ssh(x *connection, res *service.ResourceView) error {
	info, err := call[service.SSHInfo](x.g.ctx, x.cl, "GET", "/ssh", nil)
	if err != nil {
		return err
	}
	line, private, err := newSSHKey()
	if err != nil {
		return err
	}
	cert, err := call[service.SSHCert](x.g.ctx, x.cl, "POST", "/ssh/certificates", map[string]string{"key": line, "user": c.As, "ttl": c.TTL})
	if err != nil {
		return err
	}
	x.done = append(x.done, "/certificates/"+seg(string(cert.ID)))
	key, err1 := x.file("key", string(private))
	pub, err2 := x.file("key-cert.pub", cert.Certificate)
	hosts, err3 := x.file("known_hosts", info.KnownHosts+"\n")
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	args := []string{
		"-p", strconv.Itoa(info.Port), "-i", key, "-o", "CertificateFile=" + pub, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "UserKnownHostsFile=" + hosts, "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "PasswordAuthentication=no",
		"-o", "ControlPath=none", "-l", res.Name, "--", info.Host,
	}
	return x.program("ssh", append(args, c.Args...)...)
}

// withKey logs in by an access key.
func (c *connectCmd) withKey(x *connection) error {
	a, err := call[service.Access](x.g.ctx, x.cl, "POST", "/access", map[string]string{"resource": c.Resource, "as": c.As, "ttl": c.TTL})
	if err != nil {
		return err
	}
	x.done = append(x.done, "/access/"+seg(string(a.ID)))
	trust := ""
	if a.CA != "" {
		if trust, err = x.file("ca.pem", a.CA); err != nil {
			return err
		}
	}
	if a.Protocol == weir.Postgres {
		return c.postgres(x, &a, orText(trust, "system"))
	}
	return c.curl(x, &a, trust)
}

// postgres hands everything over in the environment, where other programs than psql find it too, and the secret in a file
// (PostgreSQL documentation, sections 34.15 and 34.16).
func (c *connectCmd) postgres(x *connection, a *service.Access, trust string) error {
	escape := strings.NewReplacer(`\`, `\\`, `:`, `\:`)
	pass, err := x.file("pgpass", "*:*:*:"+escape.Replace(a.Login)+":"+escape.Replace(a.Secret)+"\n")
	if err != nil {
		return err
	}
	name, args := "psql", c.Args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	if err := x.program(name, args...); err != nil {
		return err
	}
	env := x.cmd.Environ()[:0:0]
	for _, v := range x.cmd.Environ() {
		if !strings.HasPrefix(v, "PG") { // such as PGPASSWORD, PGSERVICE or PGSSLMODE, which would count too
			env = append(env, v)
		}
	}
	x.cmd.Env = append(env, "PGHOST="+a.Host, "PGPORT="+strconv.Itoa(a.Port), "PGUSER="+a.Login, "PGDATABASE="+a.Database,
		"PGSSLMODE=verify-full", "PGSSLROOTCERT="+trust, "PGPASSFILE="+pass, "PGAPPNAME=weir connect")
	return nil
}

// curl reads the secret from a pipe, so that its standard input stays free.
func (c *connectCmd) curl(x *connection, a *service.Access, trust string) error {
	address, args := a.URL, c.Args
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		address, args = strings.TrimRight(a.URL, "/")+"/"+strings.TrimLeft(args[0], "/"), args[1:]
	}
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", "", "\r", "")
	text := "user = \"" + quote.Replace(a.Login+":"+a.Secret) + "\"\nurl = \"" + quote.Replace(address) + "\"\n"
	if trust != "" {
		text += "cacert = \"" + quote.Replace(trust) + "\"\n"
	}
	if err := x.program("curl", append([]string{"-K", "/dev/fd/3"}, args...)...); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	x.cmd.ExtraFiles = []*os.File{r}
	x.fill = func() error { // a pipe holds more than this text
		_, err := io.WriteString(w, text)
		return errors.Join(err, w.Close(), r.Close())
	}
	return nil
}

// run runs the client and passes signals on to it and its exit code back.
func (x *connection) run(signals <-chan os.Signal) error {
	if err := x.g.ctx.Err(); err != nil {
		return err
	}
	if err := x.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", x.cmd.Path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- x.cmd.Wait() }()
	var fault error
	if x.fill != nil {
		if fault = x.fill(); fault != nil {
			_ = x.cmd.Process.Kill()
		}
	}
	for {
		select {
		case s := <-signals:
			// What is typed at a terminal goes to the client by itself.
			if typed := s == os.Interrupt || s == syscall.SIGQUIT; !typed || x.g.streams.Password == nil {
				_ = x.cmd.Process.Signal(s)
			}
		case err := <-ended:
			var exit *exec.ExitError
			if !errors.As(err, &exit) || fault != nil {
				return errors.Join(err, fault)
			}
			if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
				return &quiet{128 + int(w.Signal())}
			}
			return &quiet{exit.ExitCode()}
		}
	}
}
