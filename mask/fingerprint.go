package mask

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"hash/maphash"
)

// fingerprinter computes HMAC-SHA-256 (RFC 2104) of short values. It keeps the states of both hashes behind the key's block, and pads what it hashes
// itself, so that a value takes two compressions and little else; package hmac takes four times as long. Not for concurrent use.
type fingerprinter struct {
	hash         resumable // nil: states cannot be used, mac is
	mac          hash.Hash
	inner, outer []byte // states
	state        []byte
	code         [sha256.Size]byte // of value
	text, last   []byte            // what the two hashes were fed with
	size         int               // of text without its padding: "v1" and the value; 0: there is none
	seed         maphash.Seed
	held         [256]heldID // of the secrets held that were asked for, by a hash
}

type heldID struct {
	value []byte // the set's
	id    []byte
}

// resumable is a hash that goes on from a state that it had before.
type resumable interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// version stands before each value.
const version = "v1"

// stateHead is what stands in a state before the eight words that are the code if nothing follows.
const stateHead = len("sha\x03")

// keptValue is the longest buffer for values that is kept, in bytes.
const keptValue = 64 << 10

func newFingerprinter(key []byte) *fingerprinter {
	f := &fingerprinter{mac: hmac.New(sha256.New, key), seed: maphash.MakeSeed()}
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	if f.hash, _ = sha256.New().(resumable); f.hash == nil {
		return f
	}
	f.inner, f.outer = f.behind(key, 0x36), f.behind(key, 0x5c)
	// How a state is spelled is nowhere promised.
	sample := []byte("sample")
	quick := bytes.Clone(f.sum(sample))
	if f.size = 0; f.inner == nil || f.outer == nil || !bytes.Equal(quick, f.slow(sample)) {
		f.hash = nil
	}
	return f
}

// behind is the state behind the block of the key, xored with pad; nil if there is none.
func (f *fingerprinter) behind(key []byte, pad byte) []byte {
	block := bytes.Repeat([]byte{pad}, sha256.BlockSize)
	for i, b := range key {
		block[i] ^= b
	}
	f.hash.Reset()
	_, _ = f.hash.Write(block)
	state, err := f.hash.AppendBinary(nil)
	if err != nil {
		return nil
	}
	return state
}

// sum is the code of the version and value. It is valid until the next call.
func (f *fingerprinter) sum(value []byte) []byte {
	if f.size > 0 && bytes.Equal(f.text[len(version):f.size], value) {
		return f.code[:] // columns and logs repeat themselves
	}
	f.text = append(append(f.text[:0], version...), value...)
	f.size = len(f.text)
	if f.hash == nil || !f.quick() {
		f.slow(value)
	}
	if cap(f.text) > keptValue {
		f.text, f.size = nil, 0
	}
	return f.code[:]
}

// quick computes the code of text from the states, and reports whether it could.
func (f *fingerprinter) quick() bool {
	f.text = padded(f.text)
	if !f.from(f.inner, f.text) {
		return false
	}
	f.last = padded(append(f.last[:0], f.code[:]...))
	return f.from(f.outer, f.last)
}

// slow computes the code of the version and value as package hmac does.
func (f *fingerprinter) slow(value []byte) []byte {
	f.mac.Reset()
	_, _ = f.mac.Write([]byte(version))
	_, _ = f.mac.Write(value)
	f.mac.Sum(f.code[:0])
	return f.code[:]
}

// from sets the code to the words of the state that blocks lead to from a state.
func (f *fingerprinter) from(state, blocks []byte) bool {
	if f.hash.UnmarshalBinary(state) != nil {
		return false
	}
	_, _ = f.hash.Write(blocks)
	after, err := f.hash.AppendBinary(f.state[:0])
	if err != nil || len(after) < stateHead+sha256.Size {
		return false
	}
	f.state = after
	copy(f.code[:], after[stateHead:])
	return true
}

// padded appends what ends a message that follows a block (FIPS 180-4, section 5.1.1).
func padded(b []byte) []byte {
	var zero [sha256.BlockSize]byte
	n := len(b)
	b = append(b, 0x80)
	b = append(b, zero[:(2*sha256.BlockSize-8-len(b)%sha256.BlockSize)%sha256.BlockSize]...)
	return binary.BigEndian.AppendUint64(b, 8*uint64(sha256.BlockSize+n)) //nolint:gosec // a length
}

// appendID spells the first 40 bits of a code in base32 (RFC 4648), in lower case.
func appendID(dst, code []byte) []byte {
	const digits = "abcdefghijklmnopqrstuvwxyz234567"
	v := uint64(binary.BigEndian.Uint32(code))<<8 | uint64(code[4])
	for shift := 35; shift >= 0; shift -= 5 {
		dst = append(dst, digits[v>>shift&31])
	}
	return dst
}

// Fingerprint is the ID that stands in the placeholder of value: equal values have equal fingerprints, which
// tell nothing about them to who lacks the key.
func (e *Engine) Fingerprint(value []byte) string {
	return string(e.appendFingerprint(nil, value, false))
}

// appendFingerprint appends the fingerprint of value. It is remembered where value is that of a secret held.
func (e *Engine) appendFingerprint(dst, value []byte, held bool) []byte {
	f, _ := e.macs.Get().(*fingerprinter)
	if f == nil {
		f = newFingerprinter(e.key)
	}
	if held {
		dst = append(dst, f.heldID(value)...)
	} else {
		dst = appendID(dst, f.sum(value))
	}
	e.macs.Put(f)
	return dst
}

// heldID is the fingerprint of a secret held. It is valid until the next call.
func (f *fingerprinter) heldID(value []byte) []byte {
	h := &f.held[maphash.Bytes(f.seed, value)%uint64(len(f.held))]
	if !bytes.Equal(h.value, value) || len(h.id) == 0 {
		h.value, h.id = value, appendID(h.id[:0], f.sum(value))
	}
	return h.id
}
