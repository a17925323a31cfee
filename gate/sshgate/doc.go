// Package sshgate is the engine for SSH resources: it ends the client's SSH connection (RFC 4251 to 4254), logs in at the target with the
// credential that the gateway holds, and carries channels between the two. Every exec, shell, subsystem, entered line and
// forwarded connection is decided and recorded before the target hears of it, and all that comes back is masked and recorded
// before the client does.
//
// It must never forward a channel or a request that it does not know, an agent, X11, nor a byte of an answer that did not go through an
// Exchange. Only auth.go sees a credential.
//
// Lines entered in a shell are put together from what is typed, as well as that can be done. Asking for them is a nudge
// for people, never a control: whoever may open a shell can run what the account can.
//
// A Handler is safe for concurrent use. A Target is immutable.
package sshgate
