package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"weir/config"
	"weir/evidence/verify"
	"weir/service"
)

type demoCmd struct {
	Listen string `help:"Address of the web listener." placeholder:"HOST:PORT"`
}

func (c *demoCmd) Run(g *Globals) error {
	return g.local.Demo(g.ctx, g.DataDir, c.Listen, g.Output == "json")
}

type serveCmd struct {
	Config string `help:"The configuration." default:"weir.yaml" placeholder:"FILE" short:"c"`
}

func (c *serveCmd) Run(g *Globals) error { return g.local.Serve(g.ctx, c.Config) }

type configCmd struct {
	Check  checkCmd  `cmd:"" help:"Report everything that is wrong with a configuration."`
	Sample sampleCmd `cmd:"" help:"Print a configuration to begin with."`
}

type checkCmd struct {
	Config string `help:"The configuration." default:"weir.yaml" placeholder:"FILE" short:"c"`
}

func (c *checkCmd) Run(g *Globals) error {
	warnings, err := g.local.Check(c.Config)
	var bad *config.Error
	if err != nil && g.Output == "json" && errors.As(err, &bad) {
		_ = g.show(map[string]any{"ok": false, "problems": bad.Problems}, nil)
		return &quiet{}
	}
	if err != nil {
		return err
	}
	return g.show(map[string]any{"ok": true, "warnings": append([]string{}, warnings...)}, func(w io.Writer) {
		for _, t := range warnings {
			say(w, "warning: %s", t)
		}
		say(w, "%s is good", c.Config)
	})
}

type sampleCmd struct{}

func (*sampleCmd) Run(g *Globals) error {
	_, err := io.WriteString(g.streams.Out, config.Sample())
	return err
}

type verifyCmd struct {
	Key string `help:"The journal's public key, from where the gateway cannot change it." placeholder:"FILE"`
	All bool   `help:"Verify everything; the default." default:"true"`
}

func (c *verifyCmd) Run(g *Globals) error {
	var ev *service.Evidence
	var err error
	if g.DataDir != "" || c.Key != "" {
		if g.DataDir == "" {
			return usage("--key needs the evidence itself: name it with --data-dir")
		}
		ev, err = g.local.Verify(g.DataDir, c.Key)
	} else {
		var cl *client
		if cl, err = g.connect(); err == nil {
			ev, err = call[*service.Evidence](g.ctx, cl, "POST", "/verify", nil)
		}
	}
	if err != nil {
		return err
	}
	err = g.show(ev, func(w io.Writer) {
		printReport(w, "sessions", ev.Sessions)
		printReport(w, "audit", ev.Audit)
		if ev.OK {
			say(w, "The evidence is whole.")
		} else {
			say(w, "THE EVIDENCE WAS CHANGED OR IS DAMAGED. Keep the files as they are and find out who wrote to them.")
		}
	})
	if err == nil && !ev.OK {
		return &quiet{}
	}
	return err
}

func printReport(w io.Writer, name string, r *verify.Report) {
	say(w, "%-9s %d entries in %d segments, %d signatures checked; the newest %d are not signed yet", name, r.Entries, r.Segments, r.Statements, r.Unsigned)
	for _, n := range r.Notes {
		say(w, "          note: %s", n)
	}
	for _, p := range r.Problems {
		say(w, "          PROBLEM in %s at offset %d: %s", p.File, p.Offset, p.Text)
	}
}

type loginCmd struct {
	User string `help:"Your name at the gateway." required:"" short:"u"`
	TTL  string `help:"How long the token lasts, such as 12h or 30d." placeholder:"TIME" name:"ttl"`
}

func (c *loginCmd) Run(g *Globals) error {
	if g.URL == "" {
		return usage("name the gateway: weir login --url https://gateway.example:8443 --user " + c.User)
	}
	password, err := g.readPassword("Password: ")
	if err != nil {
		return err
	}
	cl, err := webClient(g.URL, g.CA, "")
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	t, err := call[service.IssuedToken](g.ctx, cl, "POST", "/login", map[string]string{"user": c.User, "password": password, "name": "login " + host, "ttl": c.TTL})
	if err != nil {
		return err
	}
	if err := (stored{URL: strings.TrimRight(g.URL, "/"), Token: t.Secret, CA: g.CA}).save(); err != nil {
		return err
	}
	t.Secret = ""
	return g.show(t.Credential, func(w io.Writer) { say(w, "Signed in as %s until %s.", t.User, stamp(t.Expires)) })
}

// readPassword asks at a terminal, or reads the first line of the input.
func (g *Globals) readPassword(prompt string) (string, error) {
	if g.streams.Password != nil {
		p, err := g.streams.Password(prompt)
		if err != nil || p == "" {
			return "", usage("no password was given")
		}
		return p, nil
	}
	line, err := bufio.NewReader(io.LimitReader(g.streams.In, 4096)).ReadString('\n')
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fmt.Errorf("no password on the input: %w", errors.Join(err, usage("write it to the standard input, or use a terminal")))
	}
	return line, nil
}

type logoutCmd struct{}

func (*logoutCmd) Run(g *Globals) error {
	s, ok := loadStored()
	if !ok {
		return usage("nobody is signed in")
	}
	cl, err := webClient(s.URL, orText(g.CA, s.CA), s.Token)
	if err != nil {
		return err
	}
	_, callErr := call[struct{}](g.ctx, cl, "POST", "/logout", nil)
	path, err := storePath()
	if err != nil {
		return err
	}
	return errors.Join(callErr, os.Remove(path))
}
