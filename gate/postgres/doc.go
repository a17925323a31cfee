// Package postgres is the PostgreSQL engine: it lets native clients in, signs on to the target with the credential that the gateway
// holds, and reads and masks every message of protocol 3.0 and 3.2 on the way.
//
// It must never pass a message that it does not know, a statement that was not decided on, or a value that was not masked. It opens no
// connection and reads no file itself. A codec belongs to one session and is not safe for concurrent use.
package postgres
