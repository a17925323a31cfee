// Package httpgate is the engine for HTTP resources: a reverse proxy in which every request is authorised,
// decided, recorded and only then forwarded with the credential that the gateway holds, and in which
// every answer is looked into, masked and recorded before its first byte reaches the client.
//
// It must never pass on what authenticated the client to the gateway, what it cannot look into (unless the
// target allows that media type by name), nor any byte of an answer that did not go through an Exchange.
// Only exit.go writes to a client or calls a target, and only auth.go sees a credential.
//
// A Handler is safe for concurrent use. A Target is immutable.
package httpgate
