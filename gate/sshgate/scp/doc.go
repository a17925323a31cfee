// Package scp stands between the two ends of the old copy protocol of rcp that "scp -O" speaks, decides on every file and masks what a client
// downloads.
//
// To the client the gateway is the far end, to the target the near one, so that a file that is refused is an error line to the client
// and skipped by the target, and the rest of the transfer goes on. Lengths are told before the contents, so masks keep the length. What turns out
// not to be a text after its beginning was passed is filled up with asterisks and ends with an error. Small uploads are searched for placeholders
// before the target hears of them; in a large one a placeholder ends the transfer.
//
// It must never send the client a byte of a file that has not been through Exchange.Writer, nor a name or message that has not
// been through Host.Text. A run belongs to one goroutine.
package scp
