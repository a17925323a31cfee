package sshgate

import (
	"context"
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
	address := printable(to.Host) + ":" + strconv.FormatUint(uint64(to.Port), 10)
	if strings.Contains(to.Host, ":") {
		address = "[" + printable(to.Host) + "]:" + strconv.FormatUint(uint64(to.Port), 10)
	}
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
	tc, err := c.dial(ctx)
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, "weir: "+publicText(err))
		return err
	}
	tch, targetRequests, err := tc.OpenChannel("direct-tcpip", nc.ExtraData())
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, "weir: the target cannot connect there")
		return weir.NewError(weir.Unavailable, "the target cannot connect there", err)
	}
	defer func() { _ = tch.Close() }()
	ch, clientRequests, err := nc.Accept()
	if err != nil {
		return err
	}
	defer func() { _ = ch.Close() }()
	gone := make(chan struct{})
	c.run("tunnel target", func() { defer close(gone); ssh.DiscardRequests(targetRequests) })
	c.run("tunnel client", func() {
		ssh.DiscardRequests(clientRequests)
		_ = tch.Close()
	})
	opaque := weir.Shape{Format: weir.FormatOpaque}
	in, err := x.CommandBody(opaque)
	if err != nil {
		return err
	}
	w, err := x.Writer(ch, opaque)
	if err != nil {
		return err
	}
	r := &running{x: x, tch: tch, in: in}
	defer r.close()
	sent := make(chan struct{})
	c.run("tunnel up", func() {
		defer close(sent)
		if c.h.copy(ch, func(p []byte) error { return r.send(p, nil) }) != nil {
			_ = tch.Close()
			return
		}
		_ = tch.CloseWrite()
	})
	q := newQuiet(w, c.h.opt.Quiet)
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
