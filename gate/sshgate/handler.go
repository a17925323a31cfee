package sshgate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/session"
	"weir/gate/wire"
	"weir/rules/glob"
)

// Defaults of Options.
const (
	DefaultKeepalive   = 15 * time.Second
	DefaultMaxChannels = 64
	DefaultQuiet       = 3 * time.Millisecond
)

// Options are what a Handler may be told. Targets, HostSigners and Now are required.
type Options struct {
	// Targets finds a resource's far end. It must be fast.
	Targets func(resource string) (*Target, bool)
	// HostSigners are the gateway's host keys and certificates, asked for each connection. At least one.
	HostSigners func() []ssh.Signer
	// UserCA are the keys of the authorities whose user certificates let in. nil: no certificate does.
	UserCA func() []ssh.PublicKey
	// Shell reads a command line. nil leaves commands unread, which rules on shell words refuse.
	Shell func(text string) *weir.ShellUse
	// Files serves the subsystem sftp and scp. nil refuses both.
	Files FileServer
	// Keepalive is how often both sides are asked whether they live. Three times without an answer ends the connection.
	Keepalive time.Duration
	// MaxChannels bounds the channels that are open at once in one connection.
	MaxChannels int
	// Quiet is how long the target must be silent before what is held back is looked at again, so that a prompt without a
	// line end is shown. What might be the first letters of a known secret waits sixteen times as long.
	Quiet time.Duration
	// Notice tells the first terminal of a connection that it is recorded, and as what. Commands without a terminal are told nothing.
	Notice bool
	// Now is the clock. Required.
	Now func() time.Time
	// OnFault is told of a panic in the engine. It gets no traffic. May be nil.
	OnFault func(where string, err error)
}

// Connection is one client's, as the server hands it in.
type Connection struct {
	Client weir.Client
	// Accept shakes hands. It is called once, must give up after a time of its own, and closes the connection when it fails.
	Accept func(*ssh.ServerConfig) (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, error)
}

// Kinds of payload that a resource may let pass without being looked into, but for known secrets.
const (
	OpaqueRsync = "rsync"
	OpaqueGit   = "git"
	OpaquePipe  = "pipes" // output of commands that is no text: tar, gzip, cat of a binary file
	OpaqueFiles = "files" // files in SFTP and SCP that are no text
)

// opaqueKinds are all there are, in the order in which they are listed to people.
func opaqueKinds() []string { return []string{OpaqueRsync, OpaqueGit, OpaquePipe, OpaqueFiles} }

// Target is an SSH resource's far end. Make it with NewTarget; it is immutable from then on. A hand-made one refuses.
type Target struct {
	// Dial connects and shakes hands as config says, within a time of its own. Required.
	Dial func(ctx context.Context, config *ssh.ClientConfig) (ssh.Conn, <-chan ssh.NewChannel, <-chan *ssh.Request, error)
	// HostKeys checks the target's host key. Required.
	HostKeys ssh.HostKeyCallback
	// HostKeyAlgorithms are asked for in this order; empty asks for all modern ones.
	HostKeyAlgorithms []string
	// Accounts are the logins at the target, by name. Default is the one of a client that names none.
	Accounts map[string]Auth
	Default  string
	// NoShell refuses shells. ExecOnly refuses all but exec.
	NoShell, ExecOnly bool
	// AllowCommands, when not empty, are the only commands that may be run, as patterns of words parted by blanks: "systemctl status *".
	// A "*" stands for the whole of one word; a final "**" for any rest. Pipes and lists pass if each command does.
	AllowCommands []string
	// Env are patterns of the variables that clients may set.
	Env []string
	// Forward lets clients open connections from the target (direct-tcpip). Each is decided and recorded.
	Forward bool
	// RemoteForward lets clients have the target listen for them (tcpip-forward). The listening and each connection are decided and recorded.
	RemoteForward bool
	// AskLines decides on each line entered in a shell. It is a nudge, not a control.
	AskLines bool
	// AllowOpaque lists kinds of payload. Whoever fills it must also put it into the resource's Exceptions.
	AllowOpaque []string

	env   []glob.Text
	ready bool
}

// NewTarget checks t and returns a copy that can be used. Errors name the field and the fix.
func NewTarget(t Target) (*Target, error) {
	switch {
	case t.Dial == nil:
		return nil, errors.New("target without a dialer")
	case t.HostKeys == nil:
		return nil, errors.New("target without a check of its host key: pin the key, or name a known_hosts file or a host CA")
	case len(t.Accounts) == 0:
		return nil, errors.New("target without accounts: name at least one and its credential")
	}
	if t.Default != "" {
		if _, ok := t.Accounts[t.Default]; !ok {
			return nil, fmt.Errorf("target: the default account %q is not one of its accounts", t.Default)
		}
	}
	for name, a := range t.Accounts {
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("account %q: %w", name, err)
		}
	}
	t.env = nil
	for _, p := range t.Env {
		g, err := glob.CompileText(p)
		if err != nil {
			return nil, fmt.Errorf("env: %w", err)
		}
		t.env = append(t.env, g)
	}
	for _, k := range t.AllowOpaque {
		if !slices.Contains(opaqueKinds(), k) {
			return nil, fmt.Errorf("allow_opaque: %q is none of %s", k, strings.Join(opaqueKinds(), ", "))
		}
	}
	t.Accounts, t.AllowOpaque = maps.Clone(t.Accounts), slices.Clone(t.AllowOpaque)
	t.AllowCommands, t.Env = slices.Clone(t.AllowCommands), slices.Clone(t.Env)
	t.HostKeyAlgorithms = slices.Clone(t.HostKeyAlgorithms)
	t.ready = true
	return &t, nil
}

// allowsEnv reports whether a client may set the variable.
func (t *Target) allowsEnv(name string) bool {
	return slices.ContainsFunc(t.env, func(g glob.Text) bool { return g.Match(name) })
}

// Handler serves all SSH resources.
type Handler struct {
	gate    *session.Gate
	opt     Options
	buffers wire.Pool
}

// New makes a Handler.
func New(gate *session.Gate, opt Options) (*Handler, error) {
	if gate == nil || opt.Targets == nil || opt.HostSigners == nil || opt.Now == nil {
		return nil, errors.New("ssh engine without a gate, targets, host keys or a clock")
	}
	if opt.Keepalive <= 0 {
		opt.Keepalive = DefaultKeepalive
	}
	if opt.MaxChannels <= 0 {
		opt.MaxChannels = DefaultMaxChannels
	}
	if opt.Quiet <= 0 {
		opt.Quiet = DefaultQuiet
	}
	if opt.OnFault == nil {
		opt.OnFault = func(string, error) {}
	}
	return &Handler{gate: gate, opt: opt}, nil
}

// Serve serves one connection until it ends. ctx ending, as in a shutdown, ends it. It returns nil when somebody was let in.
func (h *Handler) Serve(ctx context.Context, in Connection) error {
	l := &login{h: h, ctx: ctx, client: in.Client}
	config, err := h.serverConfig(l)
	if err != nil {
		return err
	}
	sc, channels, requests, err := in.Accept(config)
	if err != nil {
		l.abandon()
		return fmt.Errorf("ssh handshake: %w", err)
	}
	s, target := l.result()
	if s == nil || target == nil {
		_ = sc.Close()
		return errors.New("ssh handshake let nobody in")
	}
	c := newConn(ctx, h, sc, s, target, l)
	c.serve(channels, requests)
	return nil
}

// guard runs f and reports its panic.
func (h *Handler) guard(where string, f func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			h.opt.OnFault(where, fmt.Errorf("panic of type %T", r))
			ok = false
		}
	}()
	f()
	return true
}
