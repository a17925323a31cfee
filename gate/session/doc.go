// Package session is the choke point of the gateway: the one place where a command is decided,
// recorded and let through, and where an answer is masked and recorded on its way back. A
// protocol engine supplies only wording (a Codec, or calls to Ask); the order is written here once.
//
// Everything refuses by default. A Session comes only from Gate.Authorize, an Exchange
// only from Session.Ask, and their zero values forward nothing. A missing, failing or panicking control
// denies. It never logs traffic, opens no connection of its own and keeps no credential.
//
// Gate and Session are safe for concurrent use; an Exchange belongs to one goroutine at a time.
package session
