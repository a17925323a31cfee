package journal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Kind says what an entry is. Kinds from 1 to 239 belong to the caller; zero is invalid.
type Kind uint8

// Kinds the journal writes itself.
const (
	Checkpoint Kind = 240 // a signed statement about all before it
	Seal       Kind = 241 // the signed end of a segment
	Recovery   Kind = 242 // the process before did not close the journal

	maxCallerKind Kind = 239
)

const (
	magic         = "WEIRJNL1"
	formatVersion = 1
	headerLen     = 256
	headerHashed  = 128
	headerCRC     = 120
	syncedAt      = 128
	entryHeader   = 28
	statementLen  = 8 + sha256.Size + ed25519.SignatureSize
	recoveryLen   = 16
	// reserveLen is kept free at the end of each segment, for one Recovery and one Seal.
	reserveLen = 2*entryHeader + statementLen + recoveryLen
	// signedLen is the length of what a statement's signature covers.
	signedLen = 16 + 1 + 16 + 5*8 + sha256.Size
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

type hash = [sha256.Size]byte

// header is the decoded head of a segment.
type header struct {
	id       [16]byte
	segment  uint32
	firstSeq uint64
	created  int64
	prev     hash
	key      [ed25519.PublicKeySize]byte
}

// encode returns the first headerHashed bytes of the segment.
func (h *header) encode() [headerHashed]byte {
	var b [headerHashed]byte
	copy(b[:], magic)
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	binary.LittleEndian.PutUint32(b[12:], headerLen)
	copy(b[16:], h.id[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(h.segment))
	binary.LittleEndian.PutUint64(b[40:], h.firstSeq)
	binary.LittleEndian.PutUint64(b[48:], uint64(h.created))
	copy(b[56:], h.prev[:])
	copy(b[88:], h.key[:])
	binary.LittleEndian.PutUint32(b[headerCRC:], crc32.Checksum(b[:headerCRC], crcTable))
	return b
}

// decodeHeader reads the head of a segment and checks it.
func decodeHeader(b []byte) (*header, error) {
	if len(b) < headerLen {
		return nil, errors.New("the segment is shorter than its header")
	}
	if string(b[:8]) != magic {
		return nil, errors.New("not a journal segment")
	}
	if binary.LittleEndian.Uint32(b[headerCRC:]) != crc32.Checksum(b[:headerCRC], crcTable) {
		return nil, errors.New("the header's checksum is wrong")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return nil, fmt.Errorf("format version %d is not known to this program", v)
	}
	if binary.LittleEndian.Uint32(b[12:]) != headerLen || binary.LittleEndian.Uint32(b[124:]) != 0 || !isZero(b[136:headerLen]) {
		return nil, errors.New("the header is damaged")
	}
	n := binary.LittleEndian.Uint64(b[32:])
	if n == 0 || n > maxSegments {
		return nil, errors.New("the segment number is out of range")
	}
	h := &header{segment: uint32(n), firstSeq: binary.LittleEndian.Uint64(b[40:]), created: int64(binary.LittleEndian.Uint64(b[48:]))}
	copy(h.id[:], b[16:])
	copy(h.prev[:], b[56:])
	copy(h.key[:], b[88:])
	return h, nil
}

// decodeSynced reads the hint of how much of a segment is on the disk; 0 when nothing is known.
func decodeSynced(b []byte) int64 {
	n, inv := binary.LittleEndian.Uint32(b[syncedAt:]), binary.LittleEndian.Uint32(b[syncedAt+4:])
	if n != ^inv {
		return 0
	}
	return int64(n)
}

// putEntryHeader writes an entry's header to b. payloadCRC is the CRC-32C of the payload.
func putEntryHeader(b *[entryHeader]byte, kind Kind, seq uint64, at int64, payloadLen int, payloadCRC uint32) {
	binary.LittleEndian.PutUint32(b[0:], uint32(entryHeader+payloadLen))
	b[4], b[5], b[6], b[7] = byte(kind), 0, 0, 0
	binary.LittleEndian.PutUint64(b[8:], seq)
	binary.LittleEndian.PutUint64(b[16:], uint64(at))
	binary.LittleEndian.PutUint32(b[24:], crc32.Update(payloadCRC, crcTable, b[:24]))
}

// nextChain is the chain hash after an entry.
func nextChain(prev *hash, head *[entryHeader]byte, payloadSum *hash) hash {
	var b [sha256.Size + entryHeader + sha256.Size]byte
	copy(b[:], prev[:])
	copy(b[sha256.Size:], head[:])
	copy(b[sha256.Size+entryHeader:], payloadSum[:])
	return sha256.Sum256(b[:])
}

// errNoEntry says that no entry starts here: the length is zero.
var errNoEntry = errors.New("no entry here")

// decodeEntry decodes the entry at the front of b without copying its payload. It returns
// errNoEntry when the bytes of the length are zero or missing altogether. It does not check the sequence.
func decodeEntry(b []byte, e *Entry) (int, error) {
	if len(b) == 0 {
		return 0, errNoEntry
	}
	if len(b) < 4 {
		if isZero(b) {
			return 0, errNoEntry
		}
		return 0, errors.New("the entry is cut off")
	}
	n := int64(binary.LittleEndian.Uint32(b))
	switch {
	case n == 0:
		return 0, errNoEntry
	case n < entryHeader:
		return 0, errors.New("the entry's length is impossible")
	case n > int64(len(b)):
		return 0, errors.New("the entry is cut off")
	}
	b = b[:n:n]
	payload := b[entryHeader:]
	if crc32.Update(crc32.Checksum(payload, crcTable), crcTable, b[:24]) != binary.LittleEndian.Uint32(b[24:]) {
		return 0, errors.New("the entry's checksum is wrong")
	}
	if b[4] == 0 || b[5]|b[6]|b[7] != 0 {
		return 0, errors.New("the entry's kind is invalid")
	}
	e.Kind = Kind(b[4])
	e.Seq = binary.LittleEndian.Uint64(b[8:])
	e.Time = time.Unix(0, int64(binary.LittleEndian.Uint64(b[16:]))).UTC()
	e.Payload = payload
	return int(n), nil
}

// statement is what a Checkpoint or a Seal says.
type statement struct {
	kind    Kind
	id      [16]byte
	segment uint32
	offset  int64 // where the statement's own entry starts
	seq     uint64
	time    int64
	count   uint64
	chain   hash
	sig     [ed25519.SignatureSize]byte
}

// message is what the signature covers.
func (s *statement) message() []byte {
	b := make([]byte, 0, signedLen)
	b = append(b, "weir journal v1\n"...)
	b = append(b, byte(s.kind))
	b = append(b, s.id[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.segment))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.offset))
	b = binary.LittleEndian.AppendUint64(b, s.seq)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.time))
	b = binary.LittleEndian.AppendUint64(b, s.count)
	return append(b, s.chain[:]...)
}

// valid reports whether the key signed the statement.
func (s *statement) valid(key ed25519.PublicKey) bool {
	return ed25519.Verify(key, s.message(), s.sig[:])
}

// payload is the statement as it stands in its entry.
func (s *statement) payload() []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, statementLen), s.count)
	b = append(b, s.chain[:]...)
	return append(b, s.sig[:]...)
}

// readPayload fills count, chain and signature.
func (s *statement) readPayload(b []byte) error {
	if len(b) != statementLen {
		return errors.New("the signed statement has the wrong length")
	}
	s.count = binary.LittleEndian.Uint64(b)
	copy(s.chain[:], b[8:])
	copy(s.sig[:], b[8+sha256.Size:])
	return nil
}

// line is the statement as the checkpoint file holds it. Its length does not vary, so that
// overwriting it in place is one small write.
func (s *statement) line() string {
	return fmt.Sprintf("weir-checkpoint-1 %03d %x %08d %010d %020d %020d %020d %x %x\n",
		s.kind, s.id, s.segment, s.offset, s.seq, s.time, s.count, s.chain, s.sig)
}

// parseLine is the reverse of line.
func parseLine(text []byte) (*statement, error) {
	var s statement
	var id, chain, sig []byte
	n, err := fmt.Sscanf(string(text), "weir-checkpoint-1 %d %x %d %d %d %d %d %x %x\n",
		&s.kind, &id, &s.segment, &s.offset, &s.seq, &s.time, &s.count, &chain, &sig)
	if err != nil || n != 9 || len(id) != len(s.id) || len(chain) != len(s.chain) || len(sig) != len(s.sig) {
		return nil, errors.New("the checkpoint line is damaged")
	}
	copy(s.id[:], id)
	copy(s.chain[:], chain)
	copy(s.sig[:], sig)
	if s.line() != string(text) {
		return nil, errors.New("the checkpoint line is damaged")
	}
	return &s, nil
}

// isZero reports whether all bytes are zero.
func isZero(b []byte) bool {
	var zeros [4096]byte
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}

// ID is a journal's identity, as hexadecimal digits.
func idText(id [16]byte) string { return hex.EncodeToString(id[:]) }
