package leaky

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/term"
)

// Host is a machine that answers SSH and keeps its secrets where machines keep them: in its environment and in files. Its shell knows a
// few commands and runs nothing of the machine it is on.
type Host struct {
	User, Password string
	Service        *Service // whose environment it has

	signer ssh.Signer
	files  sftp.Handlers
	names  []string // of files
	texts  map[string]string
}

// NewHost makes a host with a new host key.
func NewHost(user, password string, s *Service) (*Host, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make host key: %w", err)
	}
	h := &Host{User: user, Password: password, Service: s, files: sftp.InMemHandler(), texts: make(map[string]string)}
	if h.signer, err = ssh.NewSignerFromKey(key); err != nil {
		return nil, fmt.Errorf("make host key: %w", err)
	}
	var env strings.Builder
	for _, v := range s.Env {
		fmt.Fprintf(&env, "%s=%s\n", v.Name, v.Value)
	}
	for name, text := range map[string]string{
		"/app/.env":       env.String(),
		"/app/README.txt": "The billing application. It is configured by its environment.\n",
		"/etc/hostname":   "billing-1\n",
		"/app/billing.log": "2026-01-02T03:04:05Z INFO connected to " + s.value("DATABASE_URL") + "\n" +
			"2026-01-02T03:04:06Z INFO charged 19.90 with key " + s.value("STRIPE_API_KEY") + "\n",
	} {
		if err := h.put(name, text); err != nil {
			return nil, err
		}
	}
	slices.Sort(h.names)
	return h, nil
}

func (s *Service) value(name string) string {
	for _, v := range s.Env {
		if v.Name == name {
			return v.Value
		}
	}
	return ""
}

// put makes a file, for the shell and for SFTP.
func (h *Host) put(name, text string) error {
	_ = h.files.FileCmd.Filecmd(sftp.NewRequest("Mkdir", path.Dir(name))) // it may be there already
	r := sftp.NewRequest("Put", name)
	r.Flags = 0x1a // write, create, truncate (draft-ietf-secsh-filexfer-02, section 6.3)
	w, err := h.files.FilePut.Filewrite(r)
	if err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	if _, err := w.WriteAt([]byte(text), 0); err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	h.names, h.texts[name] = append(h.names, name), text
	return nil
}

// Key is the host's public key as a line of authorized_keys.
func (h *Host) Key() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(h.signer.PublicKey())))
}

// Serve answers connections until the listener is closed or ctx ends, and waits for them.
func (h *Host) Serve(ctx context.Context, ln net.Listener) {
	config := &ssh.ServerConfig{PasswordCallback: func(c ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
		if c.User() != h.User || subtle.ConstantTimeCompare(p, []byte(h.Password)) != 1 {
			return nil, errors.New("wrong login")
		}
		return &ssh.Permissions{}, nil
	}}
	config.AddHostKey(h.signer)
	var running sync.WaitGroup
	defer running.Wait()
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		running.Go(func() {
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			defer stop()
			h.connection(conn, config)
		})
	}
}

func (h *Host) connection(conn net.Conn, config *ssh.ServerConfig) {
	late := time.AfterFunc(10*time.Second, func() { _ = conn.Close() })
	sc, channels, requests, err := ssh.NewServerConn(conn, config)
	late.Stop()
	if err != nil {
		_ = conn.Close()
		return
	}
	defer func() { _ = sc.Close() }()
	go ssh.DiscardRequests(requests)
	var running sync.WaitGroup
	defer running.Wait()
	for c := range channels {
		if c.ChannelType() != "session" {
			_ = c.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		ch, requests, err := c.Accept()
		if err != nil {
			return
		}
		running.Go(func() { h.session(ch, requests) })
	}
}

// session serves one channel.
func (h *Host) session(ch ssh.Channel, requests <-chan *ssh.Request) {
	defer func() { _ = ch.Close() }()
	var started sync.Once
	var running sync.WaitGroup
	defer running.Wait()
	pty := false
	for r := range requests {
		ok := false
		var run func() int
		switch r.Type {
		case "pty-req":
			ok, pty = true, true
		case "window-change", "env":
			ok = true
		case "shell":
			run = func() int { return h.shell(ch, pty) }
		case "exec":
			if len(r.Payload) >= 4 {
				line := string(r.Payload[4:])
				run = func() int { return h.run(ch, ch.Stderr(), line) }
			}
		case "subsystem":
			if len(r.Payload) >= 4 && string(r.Payload[4:]) == "sftp" {
				run = func() int {
					server := sftp.NewRequestServer(ch, h.files, sftp.WithStartDirectory("/app"))
					if err := server.Serve(); err != nil && !errors.Is(err, io.EOF) {
						return 1
					}
					return 0
				}
			}
		}
		if run != nil {
			started.Do(func() {
				ok = true
				running.Go(func() {
					status := run()
					_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
					_ = ch.Close()
				})
			})
		}
		if r.WantReply {
			_ = r.Reply(ok, nil)
		}
	}
}

// shell reads lines until exit.
func (h *Host) shell(ch ssh.Channel, pty bool) int {
	if !pty {
		text, err := io.ReadAll(io.LimitReader(ch, 1<<20))
		if err != nil {
			return 1
		}
		return h.run(ch, ch.Stderr(), string(text))
	}
	t := term.NewTerminal(ch, h.User+"@billing-1:/app$ ")
	for {
		line, err := t.ReadLine()
		if err != nil || strings.TrimSpace(line) == "exit" {
			return 0
		}
		h.run(t, t, line)
	}
}

// run runs commands, one a line or parted by semicolons, and returns the last one's status.
func (h *Host) run(out, fault io.Writer, text string) int {
	status := 0
	for _, line := range strings.FieldsFunc(text, func(c rune) bool { return c == '\n' || c == ';' }) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		status = h.command(out, fault, words)
	}
	return status
}

func (h *Host) command(out, fault io.Writer, words []string) int {
	say := func(text string) { _, _ = io.WriteString(out, text) }
	switch words[0] {
	case "env", "printenv":
		for _, v := range h.Service.Env {
			switch {
			case len(words) == 1:
				say(v.Name + "=" + v.Value + "\n")
			case v.Name == words[1]:
				say(v.Value + "\n")
			}
		}
	case "cat":
		for _, name := range words[1:] {
			text, ok := h.texts[path.Join("/app", name)]
			if path.IsAbs(name) {
				text, ok = h.texts[path.Clean(name)]
			}
			if !ok {
				_, _ = fmt.Fprintf(fault, "cat: %s: No such file or directory\n", name)
				return 1
			}
			say(text)
		}
	case "ls":
		for _, name := range h.names {
			if rest, ok := strings.CutPrefix(name, "/app/"); ok {
				say(rest + "\n")
			}
		}
	case "echo":
		say(strings.Join(words[1:], " ") + "\n")
	case "whoami", "id":
		say(h.User + "\n")
	case "hostname":
		say(h.texts["/etc/hostname"])
	case "pwd":
		say("/app\n")
	case "true":
	case "false":
		return 1
	case "help":
		say("env, printenv, cat, ls, echo, whoami, hostname, pwd, true, false, exit\n")
	default:
		_, _ = fmt.Fprintf(fault, "%s: command not found (try help)\n", words[0])
		return 127
	}
	return 0
}
