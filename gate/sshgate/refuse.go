package sshgate

import (
	"golang.org/x/crypto/ssh"

	"weir"
)

// maxRefusals is how many kinds of what is never carried are audited for a connection, each once: a client can make up as many as it likes.
const maxRefusals = 32

// refuse audits that the connection was asked for what is never carried. by is "" or says that it was not the client who asked.
func (c *conn) refuse(what, kind, by string) {
	operation, text, reason := "REQUEST", what+" "+printable(kind), "refused: the gateway carries no "+what+" of this type"
	switch kind {
	case "auth-agent-req@openssh.com", "auth-agent@openssh.com":
		operation, reason = "AGENT", "refused: the gateway forwards no agent"
	case "x11-req", "x11":
		operation, reason = "X11", "refused: the gateway forwards no X11"
	}
	if by != "" {
		text, reason = by+" asked for "+text, reason+", whoever asks"
	}
	key := text[:min(len(text), 128)]
	c.mu.Lock()
	_, known := c.refusals[key]
	if !known && len(c.refusals) < maxRefusals {
		if c.refusals == nil {
			c.refusals = make(map[string]struct{})
		}
		c.refusals[key] = struct{}{}
	} else {
		known = true
	}
	c.mu.Unlock()
	if !known {
		_ = c.session.Refuse(c.ctx, c.command(operation, "", key), &weir.Denied{Kind: weir.DeniedRequest, Reason: reason})
	}
}

// refuseRequest audits a request of the client's within a channel, unless it is known and merely comes at the wrong time, as a resource's setting has it
// refused, or is a hint of OpenSSH's that needs no answer.
func (c *conn) refuseRequest(r *ssh.Request) {
	switch r.Type {
	case "env", "pty-req", "exec", "shell", "subsystem", "window-change", "signal", "break", keepaliveRequest, "eow@openssh.com":
		return
	}
	c.refuse("request", r.Type, "")
}
