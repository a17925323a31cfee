// Package sftp stands between an SFTP client and a target's SFTP server (draft-ietf-secsh-filexfer-02, version 3, with OpenSSH's
// extensions), decides on every operation and masks every byte of files, every name and every message that goes to the client.
//
// Each operation that names a file begins a transfer.Exchange; an open file keeps its exchange until it is closed. A refused operation is
// answered with SSH_FX_PERMISSION_DENIED, and the session goes on; so do the other requests that are under way: operations that name
// files are decided side by side. Unknown packets and extensions are answered with SSH_FX_OP_UNSUPPORTED and never forwarded.
//
// What a client reads of a file is never the target's bytes but those of a view: the gateway reads the file itself, from its beginning
// and ahead of the client, through a masker that keeps the length, and answers the client's reads from a window of what came out. So
// sizes, offsets and reads in any order stay true. Text is always masked from the beginning of the file on, since what makes a value a secret
// may stand far in front of it; a read that lies behind the window begins the view anew. Files that are not text begin anew a little before the
// place, as only known secrets are searched in them. What is recorded is what the gateway read, a little more than the client asked for.
//
// It must never send the client a byte of a file that has not been through Exchange.Writer, nor a name or a message that has not been
// through Host.Text, nor forward a request that it does not understand. Run may be called for several sessions at once.
package sftp
