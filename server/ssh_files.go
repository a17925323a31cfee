package server

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"io"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/session"
	"weir/gate/sshgate"
	"weir/gate/sshgate/scp"
	"weir/gate/sshgate/sftp"
	"weir/gate/sshgate/transfer"
	"weir/rules/shell"
)

// sshFiles serves SFTP and SCP.
type sshFiles struct{ cap func(resource string) int64 }

// SFTP implements sshgate.FileServer.
func (f sshFiles) SFTP(ctx context.Context, client, target io.ReadWriteCloser, files *sshgate.Files) error {
	return sftp.Run(ctx, wakeable(client), target, fileHost{files}, f.options(files))
}

// SCP implements sshgate.FileServer.
func (f sshFiles) SCP(ctx context.Context, command string, client, target io.ReadWriteCloser, files *sshgate.Files) error {
	words, upload := scpWords(command)
	opt := scp.Options{Options: f.options(files), Paths: words}
	if upload {
		return scp.Upload(ctx, client, target, fileHost{files}, opt)
	}
	return scp.Download(ctx, client, target, fileHost{files}, opt)
}

func (f sshFiles) options(files *sshgate.Files) transfer.Options {
	return transfer.Options{AllowOpaque: files.AllowOpaque, BodyCap: f.cap(files.Resource())}
}

// scpWords are the files that an scp command names, and whether it is the receiving end.
func scpWords(command string) (paths []string, upload bool) {
	use := shell.Parse(command)
	if len(use.Commands) == 0 {
		return nil, false
	}
	options := true
	for _, w := range use.Commands[0].Words[1:] {
		switch {
		case options && w == "--":
			options = false
		case options && len(w) > 1 && w[0] == '-':
			for _, c := range w[1:] {
				upload = upload || c == 't'
			}
		default:
			paths = append(paths, w)
		}
	}
	return paths, upload
}

// fileHost asks the session about file operations.
type fileHost struct{ files *sshgate.Files }

// Begin implements transfer.Host.
func (h fileHost) Begin(ctx context.Context, op transfer.Op) (transfer.Exchange, error) {
	x, err := h.files.Begin(ctx, sshgate.FileOp{Name: op.Name, Paths: op.Paths, Write: op.Write, Reads: op.Reads, Flags: op.Flags})
	if err != nil {
		h.files.Tell(transfer.Refusal(err))
		return nil, err
	}
	return fileExchange{x, h.files}, nil
}

// Text implements transfer.Host.
func (h fileHost) Text(p []byte) ([]byte, error) { return h.files.Text(p) }

// fileExchange is one file operation.
type fileExchange struct {
	*session.Exchange
	files *sshgate.Files
}

// Body implements transfer.Exchange.
func (x fileExchange) Body(shape weir.Shape) (io.WriteCloser, error) { return x.CommandBody(shape) }

// Note implements transfer.Exchange.
func (x fileExchange) Note(text string, attrs ...weir.Attr) error {
	return x.Exchange.Note(weir.RecordFile, text, attrs...)
}

// Refuse implements transfer.Exchange.
func (x fileExchange) Refuse(d *weir.Denied) *weir.Denied {
	d = x.Exchange.Refuse(d)
	x.files.Tell(transfer.Refusal(d))
	return d
}

// wakeable makes a stream whose Close ends a read that waits.
func wakeable(rw io.ReadWriteCloser) io.ReadWriteCloser {
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, rw) // ends with the channel
		_ = w.CloseWithError(err)
	}()
	return &waking{ReadWriteCloser: rw, r: r}
}

type waking struct {
	io.ReadWriteCloser
	r *io.PipeReader
}

// Read reads what came.
func (w *waking) Read(p []byte) (int, error) { return w.r.Read(p) }

// Close ends reading, and closes the stream.
func (w *waking) Close() error {
	_ = w.r.CloseWithError(io.EOF)
	return w.ReadWriteCloser.Close()
}

// throwAwayKey stands for the authority when a configuration is only checked.
func throwAwayKey() (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return ssh.NewSignerFromKey(key)
}
