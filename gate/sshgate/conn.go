package sshgate

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"weir"
	"weir/gate/session"
)

const (
	keepaliveRequest = "keepalive@openssh.com"
	// missedKeepalives is how many intervals may pass without an answer.
	missedKeepalives = 3
	// farewell is how long clients are given to read why their session ended.
	farewell = 200 * time.Millisecond
)

// errTarget is what a client reads of a target that does not answer. The cause may name addresses.
var errTarget = errors.New("the target cannot be reached")

// conn is one client's connection, which is one session. Its target is connected at the first channel.
type conn struct {
	h       *Handler
	ctx     context.Context //nolint:containedctx // the connection's own life
	cancel  context.CancelFunc
	sc      ssh.Conn
	session *session.Session
	target  *Target
	account string
	limits  limits
	group   sync.WaitGroup

	dialing sync.Mutex // held while the target is connected
	mu      sync.Mutex
	tc      *targetConn // nil: not connected
	open    map[*channel]struct{}
	count   int
	told    bool     // a terminal was told that it is recorded
	news    []string // told to the next session channel, as there was none
	// refusals are the kinds of what is never carried that were audited.
	refusals map[string]struct{}

	asking sync.Mutex // held while the target is asked where names begin
	asked  bool
	home   string

	listening sync.Mutex              // held while the target is asked to listen, and until the client knows
	listeners map[listenTCP]*listener // what the target listens on for this client; guarded by listening
}

func newConn(ctx context.Context, h *Handler, sc ssh.Conn, s *session.Session, t *Target, l *login) *conn {
	c := &conn{h: h, sc: sc, session: s, target: t, account: l.account, limits: l.limits, open: make(map[*channel]struct{})}
	c.ctx, c.cancel = context.WithCancel(ctx)
	return c
}

// run starts f, which a panic makes end the session.
func (c *conn) run(where string, f func()) {
	c.group.Go(func() {
		if !c.h.guard(where, f) {
			c.session.End("the gateway failed")
			c.close()
		}
	})
}

// serve carries channels until the connection or the session ends, and waits for all that it started.
func (c *conn) serve(channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) {
	defer c.endListeners()
	defer c.group.Wait()
	defer c.close()
	c.run("session end", c.watch)
	c.run("client requests", func() { c.globals(requests) })
	c.run("client keepalive", func() { c.keepalive(c.sc) })
	for nc := range channels {
		if !c.take() {
			_ = nc.Reject(ssh.ResourceShortage, "too many channels are open")
			continue
		}
		c.run("channel", func() {
			defer c.release()
			c.channel(nc)
		})
	}
	c.cancel()
	c.session.End("the client left")
}

// watch ends the connection with the session, at once but for a word to those who read.
func (c *conn) watch() {
	select {
	case <-c.ctx.Done():
		c.session.End("the connection ended")
	case <-c.session.Done():
		c.mu.Lock()
		var readers []*channel
		for ch := range c.open {
			readers = append(readers, ch)
		}
		c.mu.Unlock()
		told := make(chan struct{})
		c.run("farewell", func() {
			defer close(told)
			for _, ch := range readers {
				ch.say("the session has ended [" + string(c.session.Info().ID) + "]")
			}
		})
		t := time.NewTimer(farewell)
		defer t.Stop()
		if len(readers) > 0 {
			select {
			case <-told:
			case <-t.C:
			}
		}
	}
	c.close()
}

// close ends both sides.
func (c *conn) close() {
	c.cancel()
	_ = c.sc.Close()
	c.mu.Lock()
	tc := c.tc
	c.mu.Unlock()
	if tc != nil {
		_ = tc.Close()
	}
}

func (c *conn) take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count >= c.h.opt.MaxChannels {
		return false
	}
	c.count++
	return true
}

func (c *conn) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count--
}

// keepalive asks the far end for a sign of life and closes the connection when none comes.
func (c *conn) keepalive(far ssh.Conn) {
	tick := time.NewTicker(c.h.opt.Keepalive)
	defer tick.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		late := time.AfterFunc(missedKeepalives*c.h.opt.Keepalive, func() { _ = far.Close() })
		_, _, err := far.SendRequest(keepaliveRequest, true, nil)
		late.Stop()
		if err != nil {
			return
		}
	}
}

// answerGlobals answers requests that belong to no channel: keepalives are, all else is refused.
func answerGlobals(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			_ = r.Reply(r.Type == keepaliveRequest, nil)
		}
	}
}

// targetConn is a connection to the target.
type targetConn struct {
	ssh.Conn
	gone chan struct{} // closed once the connection has ended
}

// errGone is the end of a connection.
var errGone = errors.New("the connection has ended")

// targetChannel is a channel at the target.
type targetChannel struct {
	ssh.Channel
	requests <-chan *ssh.Request
	tc       *targetConn
}

// broke reports whether the connection has ended. Its channels end before that is known, so that the target is asked.
func (t *targetConn) broke() bool {
	select {
	case <-t.gone:
		return true
	default:
	}
	_, _, err := t.SendRequest(keepaliveRequest, true, nil)
	return err != nil
}

// open opens a channel at the target, as openChannel does.
func (t *targetConn) open(ctx context.Context, h *Handler, kind string, extra []byte) (targetChannel, error) {
	ch, requests, err := h.openChannel(ctx, t.Conn, t.gone, kind, extra)
	return targetChannel{Channel: ch, requests: requests, tc: t}, err
}

// openChannel opens a channel, and gives up when the connection ends, which gone tells, or ctx does: the library does not always notice an end that comes at
// the same moment.
func (h *Handler) openChannel(ctx context.Context, on ssh.Conn, gone <-chan struct{}, kind string, extra []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	type opened struct {
		ch       ssh.Channel
		requests <-chan *ssh.Request
		err      error
	}
	done := make(chan opened, 1)
	go h.guard("open channel", func() {
		o := opened{err: errGone}
		defer func() { done <- o }()
		o.ch, o.requests, o.err = on.OpenChannel(kind, extra)
	})
	select {
	case o := <-done:
		return o.ch, o.requests, o.err
	case <-gone:
	case <-ctx.Done():
	}
	go h.guard("late channel", func() { // one that nobody waits for any more
		if o := <-done; o.err == nil {
			go ssh.DiscardRequests(o.requests)
			_ = o.ch.Close()
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	return nil, nil, errGone
}

// atTarget does f on the connection to the target. A connection that was made before may have ended without anybody having noticed: then f is done
// once more, on a new one. f must start nothing that may not be started twice.
func (c *conn) atTarget(ctx context.Context, f func(*targetConn) error) error {
	for again := true; ; again = false {
		tc, made, err := c.dial(ctx)
		if err != nil {
			return err
		}
		err = f(tc)
		if refused := (*ssh.OpenChannelError)(nil); err == nil || made || !again || ctx.Err() != nil || errors.As(err, &refused) {
			return err
		}
		c.drop(tc)
	}
}

// openTarget opens a channel at the target.
func (c *conn) openTarget(ctx context.Context, kind string, extra []byte) (ch targetChannel, err error) {
	err = c.atTarget(ctx, func(tc *targetConn) error {
		ch, err = tc.open(ctx, c.h, kind, extra)
		return err
	})
	return ch, err
}

// drop forgets a connection that no longer answers.
func (c *conn) drop(tc *targetConn) {
	c.mu.Lock()
	if c.tc == tc {
		c.tc = nil
	}
	c.mu.Unlock()
	_ = tc.Close()
}

// dial returns the connection to the target, made at the first call and again after it broke; made reports that this call did. Its error is public.
func (c *conn) dial(ctx context.Context) (tc *targetConn, made bool, err error) {
	c.dialing.Lock()
	defer c.dialing.Unlock()
	c.mu.Lock()
	tc = c.tc
	c.mu.Unlock()
	if tc != nil {
		return tc, false, nil
	}
	config, err := c.target.clientConfig(c.account, c.session.Info(), c.h.opt.Now())
	if err != nil {
		return nil, false, weir.NewError(weir.Internal, "", err)
	}
	sc, channels, requests, err := c.target.Dial(ctx, config)
	if err != nil {
		public := errTarget.Error() + ", or refused the gateway's login; ask an administrator"
		var known *weir.Error
		if errors.As(err, &known) && known.Public != "" {
			public = known.Public
		}
		return nil, false, weir.NewError(weir.Unavailable, public, err)
	}
	tc = &targetConn{Conn: sc, gone: make(chan struct{})}
	c.mu.Lock()
	c.tc = tc
	c.mu.Unlock()
	if c.ctx.Err() != nil { // the connection ended meanwhile, and close has not seen this one
		_ = tc.Close()
	}
	c.run("target channels", func() { c.targetChannels(tc, channels) })
	c.run("target requests", func() { answerGlobals(requests) })
	c.run("target keepalive", func() { c.keepalive(tc) })
	c.run("target end", func() {
		_ = tc.Wait()
		close(tc.gone)
		c.drop(tc)
		c.lost(tc)
	})
	return tc, true, nil
}

// channel serves one channel from its opening to its end.
func (c *conn) channel(nc ssh.NewChannel) {
	switch nc.ChannelType() {
	case "session":
		c.sessionChannel(nc)
	case "direct-tcpip":
		c.forward(nc)
	default:
		c.refuse("channel", nc.ChannelType(), "")
		_ = nc.Reject(ssh.UnknownChannelType, "the gateway does not carry this")
	}
}

// command is what is asked for, for the session to decide on.
func (c *conn) command(operation, channel, text string, params ...string) *weir.Command {
	line := operation + " as " + c.account
	if text != "" {
		line += ": " + oneLine(text)
	}
	cmd := &weir.Command{
		Operation: operation, Text: line,
		SSH:        &weir.SSHRequest{Channel: channel, Account: c.account},
		Parameters: func() ([]byte, error) { return bound(append([]string{c.account, text}, params...)), nil },
	}
	return cmd
}
