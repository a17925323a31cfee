package sshgate

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/session"
)

// forward serves a connection that the client opens through the target (direct-tcpip, RFC 4254, section 7.2). Its bytes pass, with known
// secrets masked, and are recorded.
func (c *conn) forward(nc ssh.NewChannel) {
	var to directTCP
	if ssh.Unmarshal(nc.ExtraData(), &to) != nil || to.Port > 65535 || to.Host == "" || len(to.Host) > 255 {
		_ = nc.Reject(ssh.ConnectionFailed, "malformed address")
		return
	}
	address := hostPort(to.Host, to.Port)
	cmd := c.command("CONNECT", "direct-tcpip", address)
	cmd.SSH.Address = address
	if !c.target.Forward || c.target.ExecOnly || c.limits.noForwarding {
		d := c.session.Refuse(c.ctx, cmd, &weir.Denied{
			Kind: weir.DeniedByRule, Rule: "resource", Reason: "refused: this resource forwards no connections", Hint: "ask an administrator if you need this",
		})
		_ = nc.Reject(ssh.Prohibited, "weir: "+refusal(d))
		return
	}
	x, err := c.session.Ask(c.ctx, cmd)
	if err != nil {
		_ = nc.Reject(ssh.Prohibited, "weir: "+publicText(err))
		return
	}
	err = x.Forward(func(ctx context.Context) error { return c.tunnel(ctx, x, nc) })
	x.End(err)
}

// hostPort is an address as policy matches it. A host that is "" stands for all addresses (RFC 4254, section 7.1) and reads "*".
func hostPort(host string, port uint32) string {
	host = printable(host)
	switch {
	case host == "":
		host = "*"
	case strings.Contains(host, ":"):
		host = "[" + host + "]"
	}
	return host + ":" + strconv.FormatUint(uint64(port), 10)
}

// publicText is what a client reads of an error.
func publicText(err error) string {
	if d, ok := err.(*weir.Denied); ok { //nolint:errorlint // Ask returns nothing else
		return refusal(d)
	}
	_, text := weir.PublicOf(err)
	return text
}

// tunnel carries one forwarded connection until it ends.
func (c *conn) tunnel(ctx context.Context, x *session.Exchange, nc ssh.NewChannel) error {
	tch, err := c.openTarget(ctx, "direct-tcpip", nc.ExtraData())
	if err != nil {
		if known := (*weir.Error)(nil); !errors.As(err, &known) {
			err = weir.NewError(weir.Unavailable, "the target cannot connect there", err)
		}
		_ = nc.Reject(ssh.ConnectionFailed, "weir: "+publicText(err))
		return err
	}
	ch, clientRequests, err := nc.Accept()
	if err != nil {
		_ = tch.Close()
		return err
	}
	return c.splice(x, ch, clientRequests, tch, tch.requests)
}

// splice carries bytes between a channel of the client's and one of the target's until both directions have ended, and closes both. What the
// client gets has been masked and recorded, what it sends has been recorded.
func (c *conn) splice(x *session.Exchange, ch ssh.Channel, clientRequests <-chan *ssh.Request, tch ssh.Channel, targetRequests <-chan *ssh.Request) error {
	defer func() { _, _ = tch.Close(), ch.Close() }()
	gone := make(chan struct{})
	c.run("tunnel target", func() { defer close(gone); ssh.DiscardRequests(targetRequests) })
	left := make(chan struct{})
	c.run("tunnel client", func() { defer close(left); ssh.DiscardRequests(clientRequests) })
	opaque := weir.Shape{Format: weir.FormatOpaque}
	in, err := x.CommandBody(opaque)
	if err != nil {
		return err
	}
	w, err := x.Writer(ch, opaque)
	if err != nil {
		return err
	}
	r := &running{x: x, tch: tch, to: sending{ch: tch}, in: in}
	defer r.close()
	sent := make(chan struct{})
	c.run("tunnel up", func() {
		err := c.h.copy(ch, func(p []byte) error { return r.send(p, nil) })
		if err == nil {
			r.to.end()
		}
		close(sent)
		if err == nil {
			<-left // what the client had sent when it closed has been passed on
		}
		_ = tch.Close()
	})
	q := newQuiet(w, c.h.opt.Quiet, func(error) {
		_ = tch.Close()
		_ = ch.Close()
	})
	err = c.h.copy(tch, func(p []byte) error { _, err := q.Write(p); return err })
	if e := q.Close(); err == nil {
		err = e
	}
	_ = ch.CloseWrite()
	if err != nil {
		return err
	}
	select { // the other direction may go on
	case <-sent:
	case <-gone:
	}
	return nil
}
