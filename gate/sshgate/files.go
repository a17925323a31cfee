package sshgate

import (
	"context"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/session"
)

// FileServer looks into file transfers. Both relay until one side ends or ctx does, close both streams, and return nil when the
// transfer ended in order. They are called for many channels at once.
type FileServer interface {
	// SFTP serves the subsystem sftp.
	SFTP(ctx context.Context, client, target io.ReadWriteCloser, files *Files) error
	// SCP serves a command that begins "scp -t" or "scp -f", which the target runs already.
	SCP(ctx context.Context, command string, client, target io.ReadWriteCloser, files *Files) error
}

// FileOp is one operation on files, for the session to decide on.
type FileOp struct {
	Name  string   // "open", "list", "stat", …; recorded in upper case
	Paths []string // as the client spelled them
	Clean []string // as policy matches them: absolute where that can be told; nil takes Paths
	Write bool     // it changes files
	Reads []string // files, or trees of them, that it reads as well or gives another name; as Paths
	Flags string   // an approval is bound to them, too
}

// Files is what a file server asks and records through. Safe for concurrent use; an Exchange is not.
type Files struct {
	ch *channel
	x  *session.Exchange

	// AllowOpaque lets files pass that are no text, with known secrets masked.
	AllowOpaque bool

	channel string // "sftp" or "scp", as policy names it
	mu      sync.Mutex
}

// Begin asks about one operation. The caller must call Forward on what it returns before the target hears of it, and End. The error is a
// *weir.Denied, recorded already. It blocks while somebody is asked, which the client's standard error is told.
func (f *Files) Begin(ctx context.Context, op FileOp) (*session.Exchange, error) {
	text := strings.Join(op.Paths, " ")
	params := append([]string{op.Name, op.Flags}, op.Paths...)
	name := strings.ToUpper(op.Name)
	if op.Name == "open" {
		if name = "GET"; op.Write {
			name = "PUT"
		}
	}
	cmd := f.ch.c.command(name, f.channel, text, params...)
	switch {
	case op.Clean != nil:
	case f.channel == "scp":
		op.Clean = f.ch.c.named(ctx, op.Paths)
	default:
		op.Clean = cleanPaths(op.Paths)
	}
	cmd.Held = func(id weir.RequestID) {
		f.Tell("held for approval as " + string(id) + "; it goes on once approved, and closing this withdraws it")
	}
	cmd.SSH.Paths, cmd.SSH.Write, cmd.SSH.Reads = op.Clean, op.Write, cleanPaths(op.Reads)
	if f.ch.c.h.opt.Files == nil {
		return nil, f.ch.c.session.Refuse(ctx, cmd, &weir.Denied{Kind: weir.DeniedByRule, Reason: "refused: this resource transfers no files"})
	}
	return f.ch.c.session.Ask(ctx, cmd)
}

// cleanPaths are the files that paths may name: without dots and doubled slashes. One that climbs out of a directory that is not known
// is taken from the root, too.
func cleanPaths(paths []string) []string {
	out := make([]string, 0, len(paths))
	for _, p := range paths {
		if p == "" {
			continue
		}
		p = path.Clean(p)
		if strings.HasPrefix(p, "../") {
			rooted := p
			for strings.HasPrefix(rooted, "../") {
				rooted = rooted[len("../"):]
			}
			out = append(out, "/"+rooted)
		}
		out = append(out, p)
	}
	return out
}

// Text masks a name or a message on its way to the client, and records it. It does not keep p.
func (f *Files) Text(p []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.x.TargetMessage(nil, p, weir.Shape{Format: weir.FormatText})
}

// Resource is what the transfer is from or to.
func (f *Files) Resource() string { return f.ch.c.session.Info().Resource.Name }

// Tell writes a line in the gateway's own words to the client's standard error: SFTP clients show no text of a refusal.
func (f *Files) Tell(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, _ = io.WriteString(f.ch.ch.Stderr(), "weir: "+printable(text)+"\r\n")
}

// serveFiles hands a transfer to the file server.
func (r *running) serveFiles(ctx context.Context, p program, _ *weir.Command) error {
	c := r.ch.c
	f := &Files{ch: r.ch, x: r.x, AllowOpaque: c.target.allowsOpaque(OpaqueFiles), channel: p.files}
	failed := make(chan error, 1)
	c.run("stderr", func() {
		defer close(failed)
		w, err := r.x.ErrorWriter(r.ch.ch.Stderr(), weir.Shape{Format: weir.FormatText})
		if err == nil {
			err = r.output(newQuiet(w, c.h.opt.Quiet, r.abort), r.tch.Stderr(), nil, nil)
		}
		if err != nil {
			_ = r.tch.Close()
			failed <- err
		}
	})
	client := &halves{Channel: r.ch.ch, to: r.ch.ch, end: func() {}}
	target := &halves{Channel: r.tch, to: &r.to, end: r.to.end}
	var err error
	if p.files == "scp" {
		err = c.h.opt.Files.SCP(ctx, p.text, client, target, f)
	} else {
		err = c.h.opt.Files.SFTP(ctx, client, target, f)
	}
	r.to.end()
	if err != nil {
		_ = r.tch.Close()
	}
	if other := <-failed; err == nil {
		err = other
	}
	return err
}

// halves is a channel whose Close ends what is written to it: the client must still read how it ended, the target must still say so.
type halves struct {
	ssh.Channel
	to  io.Writer
	end func() // of the sending half
}

// Write writes to the sending half.
func (h *halves) Write(p []byte) (int, error) { return h.to.Write(p) }

// Close ends the sending half and wakes the reader: the rest of the target's input, and of the client's, is no longer wanted.
func (h *halves) Close() error {
	h.end()
	return nil
}

// scpProgramNames are the names by which the old copy protocol's far end is run.
var scpProgramNames = []string{"scp", "/usr/bin/scp", "/bin/scp", "/usr/local/bin/scp"}

// scpNames are the files that a command names which is the far end of the old copy protocol and nothing else. One that is hidden in other words,
// or does more, is an exec like any other: it must be allowed as such, and its output is looked into as such. receives tells that it takes files.
func scpNames(use *weir.ShellUse) (names []string, receives, ok bool) {
	if use == nil || use.Unclear != "" || use.Dynamic || use.Redirect || use.Assign || len(use.Commands) != 1 || !slices.Contains(scpProgramNames, use.Commands[0].Words[0]) {
		return nil, false, false
	}
	words := use.Commands[0].Words[1:]
	flags := ""
	for len(words) > 0 && len(words[0]) > 1 && words[0][0] == '-' {
		flag := words[0][1:]
		words = words[1:]
		if flag == "-" {
			break
		}
		flags += flag
	}
	receives = strings.ContainsRune(flags, 't')
	return words, receives, len(words) > 0 && strings.Trim(flags, "rpdvqtf") == "" && receives != strings.ContainsRune(flags, 'f')
}

// expanded returns a name of which the target's shell may make others, so that nobody can tell which files are meant: all but a pattern for the files of
// one directory, and the login directory's sign.
func expanded(names []string, receives bool) (string, bool) {
	const patterns = "*?[{"
	for _, name := range names {
		dir, _ := path.Split(name)
		if receives {
			dir = name
		}
		if strings.ContainsAny(name, "$`") || strings.ContainsAny(dir, patterns) || strings.HasPrefix(name, "~") && name != "~" && !strings.HasPrefix(name, "~/") {
			return name, true
		}
	}
	return "", false
}
