package sshgate

import (
	"context"
	"errors"
	"net/netip"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/session"
)

const (
	listenRequest   = "tcpip-forward"
	unlistenRequest = "cancel-tcpip-forward"
	forwardedTCP    = "forwarded-tcpip"
	lastSession     = "no-more-sessions@openssh.com" // a client's promise, of which nothing depends here
	maxGlobals      = 256                            // requests that wait for their turn; a client that asks for more meanwhile is cut off
	maxNews         = 8
)

// listener is a port on which the target listens for the client (RFC 4254, section 7.1). Its exchange lives as long as it does.
type listener struct {
	tc *targetConn
	x  *session.Exchange
}

// globals answers the client's requests that belong to no channel, in their order. While one waits, for the target or for an approval,
// those behind it do, and the connection's channels go on.
func (c *conn) globals(requests <-chan *ssh.Request) {
	waiting := make(chan struct{}, maxGlobals)
	turn := make(chan struct{})
	close(turn)
	for r := range requests {
		if r.Type != listenRequest && r.Type != unlistenRequest && len(waiting) == 0 {
			c.global(r)
			continue
		}
		select {
		case waiting <- struct{}{}:
		default:
			_ = c.sc.Close()
			continue
		}
		before, done := turn, make(chan struct{})
		turn = done
		c.run("client request", func() {
			defer close(done)
			<-before
			c.global(r)
			<-waiting
		})
	}
}

// global answers one request.
func (c *conn) global(r *ssh.Request) {
	switch r.Type {
	case listenRequest:
		c.listen(r)
	case unlistenRequest:
		c.unlisten(r)
	default:
		if r.Type != keepaliveRequest && r.Type != lastSession {
			c.refuse("request", r.Type, "")
		}
		if r.WantReply {
			_ = r.Reply(r.Type == keepaliveRequest, nil)
		}
	}
}

// listen has the target listen for the client, when that is allowed. The protocol has no words for a refusal of it; they go where a session of
// the same connection reads errors.
func (c *conn) listen(r *ssh.Request) {
	ok, port := false, uint32(0)
	reply := func() {
		if !r.WantReply {
			return
		}
		var data []byte
		if ok && port != 0 {
			data = ssh.Marshal(listenReply{port})
		}
		_ = r.Reply(ok, data)
	}
	var at listenTCP
	if !parse(r, &at) || at.Port > 65535 || len(at.Host) > 255 || printable(at.Host) != at.Host {
		reply()
		return
	}
	address := hostPort(at.Host, at.Port)
	cmd := c.command("LISTEN", forwardedTCP, address)
	cmd.SSH.Address = address
	if d := c.refusesListener(); d != nil {
		c.tell(refusal(c.session.Refuse(c.ctx, cmd, d)))
		reply()
		return
	}
	cmd.Held = func(id weir.RequestID) {
		c.tell("listening on " + address + " is held for approval as " + string(id) + "; closing this withdraws it")
	}
	x, err := c.session.Ask(c.ctx, cmd)
	if err != nil {
		c.tell(publicText(err))
		reply()
		return
	}
	// What the target opens at once must find the listener, and the client must know the port first: both wait for the lock.
	c.listening.Lock()
	defer c.listening.Unlock()
	err = x.Forward(func(ctx context.Context) error {
		asked := at.Port
		err := c.askToListen(ctx, x, &at)
		if err == nil && asked == 0 {
			port = at.Port
		}
		return err
	})
	if err != nil {
		x.End(err)
		c.tell(publicText(err))
	}
	ok = err == nil
	reply()
}

// refusesListener is the refusal of a client that may have none, or nil.
func (c *conn) refusesListener() *weir.Denied {
	if !c.target.RemoteForward || c.target.ExecOnly || c.limits.noForwarding {
		return &weir.Denied{
			Kind: weir.DeniedByRule, Rule: "resource", Reason: "refused: this resource listens for nobody (ssh -R)", Hint: "ask an administrator if you need this",
		}
	}
	c.listening.Lock()
	defer c.listening.Unlock()
	if len(c.listeners) >= c.h.opt.MaxChannels {
		return &weir.Denied{Kind: weir.DeniedRequest, Reason: "refused: the target listens on too many ports for you", Hint: "cancel one"}
	}
	return nil
}

// askToListen asks the target and keeps what it grants. at.Port becomes the port that it took. c.listening is held.
func (c *conn) askToListen(ctx context.Context, x *session.Exchange, at *listenTCP) error {
	if _, taken := c.listeners[*at]; taken {
		return weir.NewError(weir.Conflict, "the target listens there for you already", nil)
	}
	var tc *targetConn
	var ok bool
	var data []byte
	err := c.atTarget(ctx, func(t *targetConn) (err error) {
		tc = t
		ok, data, err = t.SendRequest(listenRequest, true, ssh.Marshal(at))
		return err
	})
	if known := (*weir.Error)(nil); errors.As(err, &known) {
		return err
	}
	if err != nil || !ok {
		return weir.NewError(weir.Unavailable, "the target does not listen on "+hostPort(at.Host, at.Port), err)
	}
	if at.Port == 0 {
		var took listenReply
		if ssh.Unmarshal(data, &took) != nil || took.Port == 0 || took.Port > 65535 {
			return weir.NewError(weir.Unavailable, "the target does not say on which port it listens", nil)
		}
		at.Port = took.Port
	}
	if err := x.Head("listening on "+hostPort(at.Host, at.Port), nil); err != nil {
		return err
	}
	if c.listeners == nil {
		c.listeners = make(map[listenTCP]*listener)
	}
	c.listeners[*at] = &listener{tc: tc, x: x}
	return nil
}

// unlisten ends what listen began. Connections that were accepted go on.
func (c *conn) unlisten(r *ssh.Request) {
	var at listenTCP
	known := parse(r, &at)
	c.listening.Lock()
	l := c.listeners[at]
	delete(c.listeners, at)
	c.listening.Unlock()
	ok := false
	if known && l != nil {
		var err error
		ok, _, err = l.tc.SendRequest(unlistenRequest, true, ssh.Marshal(at))
		ok = ok && err == nil
		l.x.End(err)
	}
	if r.WantReply {
		_ = r.Reply(ok, nil)
	}
}

// lost ends the session when the target's connection broke with which a listener has gone: the client would wait for ever.
func (c *conn) lost(tc *targetConn) {
	c.listening.Lock()
	gone := false
	for _, l := range c.listeners {
		gone = gone || l.tc == tc
	}
	c.listening.Unlock()
	if gone && c.ctx.Err() == nil {
		c.session.End("the target's connection broke")
	}
}

// endListeners closes the books. The target's connection, with which they end, is closed already.
func (c *conn) endListeners() {
	c.listening.Lock()
	defer c.listening.Unlock()
	for at, l := range c.listeners {
		l.x.End(nil)
		delete(c.listeners, at)
	}
}

// targetChannels serves what the target opens: connections to what listens for this client, and nothing else.
func (c *conn) targetChannels(tc *targetConn, channels <-chan ssh.NewChannel) {
	for nc := range channels {
		if nc.ChannelType() != forwardedTCP {
			c.refuse("channel", nc.ChannelType(), "the target")
			_ = nc.Reject(ssh.Prohibited, "not asked for")
			continue
		}
		if !c.take() {
			_ = nc.Reject(ssh.ResourceShortage, "too many channels are open")
			continue
		}
		c.run("forwarded channel", func() {
			defer c.release()
			c.forwarded(tc, nc)
		})
	}
}

// forwarded serves one connection that the target accepted for the client (RFC 4254, section 7.2). What the target says of its origin reaches
// the client only where it is an address.
func (c *conn) forwarded(tc *targetConn, nc ssh.NewChannel) {
	var from directTCP // the same fields: what it came to, and where from
	if ssh.Unmarshal(nc.ExtraData(), &from) != nil {
		_ = nc.Reject(ssh.ConnectionFailed, "malformed address")
		return
	}
	at := listenTCP{from.Host, from.Port}
	c.listening.Lock()
	l := c.listeners[at]
	c.listening.Unlock()
	if l == nil || l.tc != tc {
		c.refuse("channel", forwardedTCP, "the target")
		_ = nc.Reject(ssh.Prohibited, "not asked for")
		return
	}
	if _, err := netip.ParseAddr(from.OriginHost); err != nil || from.OriginPort > 65535 {
		from.OriginHost, from.OriginPort = "0.0.0.0", 0
	}
	address := hostPort(at.Host, at.Port)
	cmd := c.command("CONNECT", forwardedTCP, address, from.OriginHost)
	cmd.SSH.Address = address
	cmd.Held = func(id weir.RequestID) {
		c.tell("a connection to " + address + " is held for approval as " + string(id))
	}
	x, err := c.session.Ask(c.ctx, cmd)
	if err != nil {
		_ = nc.Reject(ssh.Prohibited, "refused by the gateway")
		return
	}
	err = x.Forward(func(ctx context.Context) error {
		ch, clientRequests, err := c.h.openChannel(ctx, c.sc, c.ctx.Done(), forwardedTCP, ssh.Marshal(from))
		if err != nil {
			_ = nc.Reject(ssh.ConnectionFailed, "the client does not take it")
			return weir.NewError(weir.Unavailable, "the client does not take the connection", err)
		}
		tch, targetRequests, err := nc.Accept()
		if err != nil {
			_ = ch.Close()
			return err
		}
		return c.splice(x, ch, clientRequests, tch, targetRequests)
	})
	x.End(err)
}

// tell writes a line where sessions of this connection read errors, or keeps it for the first that opens.
func (c *conn) tell(text string) {
	c.mu.Lock()
	var readers []*channel
	for ch := range c.open {
		readers = append(readers, ch)
	}
	if len(readers) == 0 && len(c.news) < maxNews {
		c.news = append(c.news, text)
	}
	c.mu.Unlock()
	for _, ch := range readers { // one that does not read holds up itself only
		c.run("news", func() { ch.say(text) })
	}
}
