package sshgate

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	homeWait = 5 * time.Second
	// maxHome is the longest answer that is read, in bytes.
	maxHome = 16 << 10
)

// begins returns the directory in which relative names of a shell's command begin at the target, or "" where that cannot be told. It is asked for once in
// a connection.
func (c *conn) begins(ctx context.Context) string {
	c.asking.Lock()
	defer c.asking.Unlock()
	if !c.asked {
		c.asked = true
		if home, err := c.askHome(ctx); err == nil {
			c.home = home
		}
	}
	return c.home
}

// askHome asks the target's SFTP server, which begins where a shell does: draft-ietf-secsh-filexfer-02, sections 4 and 6.11.
func (c *conn) askHome(ctx context.Context) (string, error) {
	ch, err := c.openTarget(ctx, "session", nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = ch.Close() }()
	c.run("home", func() { ssh.DiscardRequests(ch.requests) })
	ctx, cancel := context.WithTimeout(ctx, homeWait)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = ch.Close() })()
	ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(textRequest{Text: "sftp"}))
	if err != nil || !ok {
		return "", errors.New("the target has no SFTP")
	}
	const initialize, version, realpath, name = 1, 2, 16, 104
	if _, err := ch.Write([]byte{0, 0, 0, 5, initialize, 0, 0, 0, 3}); err != nil {
		return "", err
	}
	if kind, _, err := sftpPacket(ch); err != nil || kind != version {
		return "", errors.Join(err, errors.New("the target's SFTP server does not begin"))
	}
	if _, err := ch.Write([]byte{0, 0, 0, 10, realpath, 0, 0, 0, 1, 0, 0, 0, 1, '.'}); err != nil {
		return "", err
	}
	kind, body, err := sftpPacket(ch)
	if err != nil || kind != name || len(body) < 12 {
		return "", errors.Join(err, errors.New("the target's SFTP server does not say where it is"))
	}
	n, body := binary.BigEndian.Uint32(body[8:]), body[12:] // behind an id and a count
	if uint64(n) > uint64(len(body)) || n == 0 || body[0] != '/' {
		return "", errors.New("the target's SFTP server is nowhere")
	}
	return path.Clean(string(body[:n])), nil
}

func sftpPacket(r io.Reader) (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxHome {
		return 0, nil, errors.New("a packet of the target's SFTP server is too long")
	}
	body = make([]byte, n-1)
	_, err = io.ReadFull(r, body)
	return head[4], body, err
}

// named are the files that names in a command may stand for: as they are written, and from where a shell begins.
func (c *conn) named(ctx context.Context, names []string) []string {
	out := cleanPaths(names)
	for _, name := range names {
		rest, home := strings.CutPrefix(name, "~/")
		if name == "" || !home && (name[0] == '/' || name[0] == '~') {
			continue
		}
		if from := c.begins(ctx); from != "" {
			out = append(out, path.Join(from, rest))
		}
	}
	return out
}
