// Package cli is the command line: what starts a gateway, and what talks to one by its API.
//
// It must never take a secret as an argument, where a process list or a shell's history would keep it. What comes from
// sessions is printed without characters that a terminal obeys.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"weir"
	"weir/config"
	"weir/evidence/record"
	"weir/service"
)

// Local is what a command does on this machine, without a gateway's API.
type Local struct {
	Serve  func(ctx context.Context, file string) error
	Demo   func(ctx context.Context, dataDir, listen string, asJSON bool) error
	Check  func(file string) (warnings []string, err error)
	Verify func(dataDir, key string) (*service.Evidence, error)
	// Mask prepares to mask inputs; their fingerprints agree. What it does not know of the options is an error.
	Mask func(MaskOptions) (MaskFunc, error)
}

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Password reads a line without showing it; nil when there is no terminal.
	Password func(prompt string) (string, error)
	// Raw makes the terminal hand over keys as they are pressed, until restore is called; nil when In or Out is no terminal.
	Raw func() (restore func(), err error)
}

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// usageError is a mistake on the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(text string) error { return &usageError{text} }

// Globals are the flags of all commands.
type Globals struct {
	URL     string           `help:"Address of the gateway." env:"WEIR_URL" placeholder:"URL"`
	CA      string           `help:"Certificate of the gateway's authority." env:"WEIR_CA" placeholder:"FILE" name:"ca"`
	DataDir string           `help:"The gateway's data_dir, on its own machine." env:"WEIR_DATA_DIR" placeholder:"DIR"`
	Token   string           `kong:"-"` // from the environment only
	Output  string           `help:"Form of the output: ${enum}." enum:"text,json" default:"text" short:"o"`
	Version kong.VersionFlag `help:"Print the version."`

	streams Streams
	local   Local
	ctx     context.Context //nolint:containedctx // kong hands commands one value; it lives as long as the command
}

// commands is the whole command line.
type commands struct {
	Globals

	Demo      demoCmd      `cmd:"" help:"Start a gateway with a leaky service behind it, to try everything."`
	Serve     serveCmd     `cmd:"" help:"Start the gateway."`
	Config    configCmd    `cmd:"" help:"Check a configuration, or print one to begin with."`
	Login     loginCmd     `cmd:"" help:"Sign in and keep a personal token."`
	Logout    logoutCmd    `cmd:"" help:"Revoke the token that login keeps."`
	Whoami    whoamiCmd    `cmd:"" help:"Who you are to the gateway."`
	Resources resourcesCmd `cmd:"" help:"What you may reach."`
	Access    accessCmd    `cmd:"" help:"Issue a short-lived access key and print the native command."`
	Connect   connectCmd   `cmd:"" help:"Open a session with psql, ssh or curl, without a secret to paste."`
	SSH       sshCmd       `cmd:"" name:"ssh" help:"SSH keys and certificates, and what ssh must know of the gateway."`
	Cert      certCmd      `cmd:"" help:"Get, list and revoke client certificates."`
	Keys      keysCmd      `cmd:"" help:"List and revoke access keys."`
	Tokens    tokensCmd    `cmd:"" help:"Make, list and revoke personal tokens."`
	Users     usersCmd     `cmd:"" help:"Add, list, change and remove users."`
	Grants    grantsCmd    `cmd:"" help:"Give and take access for a time."`
	Requests  requestsCmd  `cmd:"" help:"Look at and decide on requests for approval."`
	Sessions  sessionsCmd  `cmd:"" help:"Look at, search, replay, watch, export and end sessions."`
	Explain   explainCmd   `cmd:"" help:"What would become of a command, and why."`
	Audit     auditCmd     `cmd:"" help:"Read the audit log."`
	Mask      maskCmd      `cmd:"" help:"Mask the secrets in files and in what other commands print, or find them."`
	Verify    verifyCmd    `cmd:"" help:"Verify that no evidence was changed since it was written."`
}

// Run runs one command line and returns the exit code. lookup is the environment.
func Run(ctx context.Context, args []string, version string, lookup func(string) (string, bool), streams Streams, local Local) int {
	c := &commands{}
	c.streams, c.local, c.ctx = streams, local, ctx
	c.Token, _ = lookup("WEIR_TOKEN")
	code := -1
	parser, err := kong.New(c, kong.Name("weir"), kong.Description("An identity-aware gateway that lets no credential out."),
		kong.Writers(streams.Out, streams.Err), kong.Exit(func(n int) { code = n }), kong.Vars{"version": "weir " + version},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}), kong.UsageOnError(), kong.Bind(&c.Globals))
	if err != nil {
		_, _ = fmt.Fprintln(streams.Err, "weir:", err)
		return exitError
	}
	k, err := parser.Parse(args)
	if code >= 0 { // help or version
		return code
	}
	if err != nil {
		_, _ = fmt.Fprintf(streams.Err, "weir: %s; see weir --help\n", err)
		return exitUsage
	}
	return report(streams.Err, k.Run(&c.Globals))
}

func report(w io.Writer, err error) int {
	var bad *config.Error
	var use *usageError
	var known *weir.Error
	var silent *quiet
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &silent):
		return max(silent.code, exitError)
	case errors.As(err, &bad):
		_, _ = fmt.Fprintln(w, bad.Error())
		return exitError
	case errors.As(err, &use):
		_, _ = fmt.Fprintln(w, "weir:", use.text)
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitError
	case errors.As(err, &known):
		_, _ = fmt.Fprintln(w, "weir:", describe(err))
		return exitError
	}
	_, _ = fmt.Fprintln(w, "weir:", err)
	return exitError
}

// describe prefers the sentences that are made for people, with what joined errors add to them.
func describe(err error) string {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var parts []string
		for _, e := range joined.Unwrap() {
			if e != nil {
				parts = append(parts, describe(e))
			}
		}
		return strings.Join(parts, "\nweir: ")
	}
	var known *weir.Error
	if errors.As(err, &known) {
		// "resource billing: " and the like stands before it.
		prefix, _, _ := strings.Cut(err.Error(), known.Error())
		return prefix + known.PublicText()
	}
	return err.Error()
}

// quiet ends with an exit code, 1 unless it says another, and says nothing more.
type quiet struct{ code int }

func (*quiet) Error() string { return "failed" }

// show prints v as JSON, or by text.
func (g *Globals) show(v any, text func(w io.Writer)) error {
	if g.Output == "json" {
		enc := json.NewEncoder(g.streams.Out)
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	text(g.streams.Out)
	return nil
}

// table prints rows under a head.
func table(w io.Writer, head string, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, strings.ReplaceAll(head, " ", "\t"))
	for _, r := range rows {
		for i := range r {
			if r[i] = strings.ReplaceAll(record.Visible(r[i]), "\t", " "); r[i] == "" {
				r[i] = "-"
			}
		}
		_, _ = fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	_ = t.Flush()
}

func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}

func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func stampAt(t *time.Time) string {
	if t == nil {
		return ""
	}
	return stamp(*t)
}
