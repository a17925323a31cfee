// Package journal keeps evidence: an append-only sequence of entries in numbered segment
// files, chained by SHA-256 and signed with Ed25519.
//
// When Append returns, the entry is in the file: the active segment is a preallocated shared
// memory mapping, so killing the process loses nothing. Entries are synced to the disk in
// groups, at most about 5 ms later; Sync waits for that. What a busy journal appends between two syncs of a segment, a second apart,
// goes to the disk in the tail file, from which Open restores it after a power loss; what comes while the segment itself is synced waits for that. A full disk, a failing disk and
// a closed journal are errors of Append; the caller refuses what it wanted to record.
//
// It must never change or drop an entry once written, never repair damage in silence, and never
// report success for an entry that is not in the file. It does not look into payloads.
//
// # Files
//
//	00000001.seg   segments, numbered from 1 without a gap
//	checkpoint     the last signed statement about the journal, as one line of text
//	tail           parts of the segment that is appended to, of a busy process that runs or was killed; see tail.go
//	journal.pub    the public key, PEM
//	lock           locked by the process that appends
//
// A segment is a header of 256 bytes followed by entries without padding; numbers are
// little-endian:
//
//	  0  8  "WEIRJNL1"
//	  8  4  format version, 1
//	 12  4  header length, 256
//	 16 16  journal id, random
//	 32  8  segment number
//	 40  8  sequence number of the segment's first entry
//	 48  8  creation time, Unix nanoseconds
//	 56 32  final chain hash of the previous segment; zero in the first
//	 88 32  Ed25519 public key
//	120  4  CRC-32C of bytes 0 to 119
//	124  4  zero
//	128  4  how many bytes of the file are known to be on the disk: a hint for crash recovery
//	132  4  the complement of that; 128 to 135 may be zero, and are no part of the chain
//	136     zero
//
// An entry is a header of 28 bytes and the payload:
//
//	 0  4  length of the whole entry
//	 4  1  kind
//	 5  3  zero
//	 8  8  sequence number; counts from 1 over all segments
//	16  8  time, Unix nanoseconds
//	24  4  CRC-32C of the payload followed by bytes 0 to 23
//
// The chain starts in each segment with SHA-256(header[0:128]). Every entry makes it
// SHA-256(chain before ‖ entry header ‖ SHA-256(payload)).
//
// A statement is an entry of kind Checkpoint or Seal. Its payload is the number of entries before
// it in the segment (8 bytes), the chain hash before it (32) and an Ed25519 signature (64)
// over: "weir journal v1\n" ‖ kind ‖ journal id ‖ segment ‖ offset of the statement ‖ its sequence number ‖
// its time ‖ count ‖ chain hash (integers of 8 bytes, kind of 1). A Seal ends its segment; only zeros
// may follow. A Recovery entry says that the process before did not close the journal; its payload is the number of
// bytes dropped and of whole entries dropped with them (8 bytes each).
//
// Limit: whoever can write the directory can cut off what came after the newest signed statement, and, by
// putting an older checkpoint line in place, what came after that one. The first is bounded by
// Options.CheckpointEvery (1 s); against the second, keep checkpoint lines elsewhere and give them to the verifier.
//
// Journal is safe for concurrent use; a Reader belongs to one goroutine at a time.
package journal
