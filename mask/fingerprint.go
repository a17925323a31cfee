package mask

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
	"hash/maphash"
	"slices"
)

// fingerprinter computes HMAC-SHA-256 (RFC 2104) of short values. It keeps the states of both hashes behind the key's block, and pads what it hashes
// itself, so that a value takes two compressions and little else; package hmac takes four times as long. Not for concurrent use.
type fingerprinter struct {
	hash         resumable // nil: states cannot be used
	key          []byte
	mac          hash.Hash // nil until there is a need for it
	inner, outer []byte    // states
	state        []byte
	code         []byte                 // of value, in state
	text         []byte                 // what the inner hash was fed with
	last         [sha256.BlockSize]byte // and the outer one
	size         int                    // of text without its padding: "v1" and the value; 0: there is none
	seed         maphash.Seed
	held         []heldCode // of the secrets held that were asked for, by a hash; nil until there is one
}

// keptCodes is how many codes of secrets held are kept.
const keptCodes = 256

type heldCode struct {
	value []byte // the set's
	code  [5]byte
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
	f := &fingerprinter{key: key, seed: maphash.MakeSeed()}
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	if f.hash, _ = sha256.New().(resumable); f.hash == nil {
		return f
	}
	f.inner, f.outer = f.behind(key, 0x36), f.behind(key, 0x5c)
	_ = padded(f.last[:sha256.Size])
	// How a state is spelled is nowhere promised.
	sample := []byte("sample")
	quick := bytes.Clone(f.sum(sample))
	if f.size = 0; f.inner == nil || f.outer == nil || !bytes.Equal(quick, f.slow(sample)) {
		f.hash = nil
		return f
	}
	f.mac = nil
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
	if n := len(value); f.size > 0 && f.size == len(version)+n && (n == 0 || f.text[f.size-1] == value[n-1]) && bytes.Equal(f.text[len(version):f.size], value) {
		return f.code // columns and logs repeat themselves
	}
	f.text = append(append(f.text[:0], version...), value...)
	f.size = len(f.text)
	if f.hash == nil || !f.quick() {
		f.slow(value)
	}
	if cap(f.text) > keptValue {
		f.text, f.size = nil, 0
	}
	return f.code
}

// quick computes the code of text from the states, and reports whether it could.
func (f *fingerprinter) quick() bool {
	f.text = padded(f.text)
	words := f.from(f.inner, f.text)
	if words == nil {
		return false
	}
	*(*[sha256.Size]byte)(f.last[:]) = *words // what stands behind them is always the same
	if words = f.from(f.outer, f.last[:]); words == nil {
		return false
	}
	f.code = words[:]
	return true
}

// slow computes the code of the version and value as package hmac does.
func (f *fingerprinter) slow(value []byte) []byte {
	if f.mac == nil {
		f.mac = hmac.New(sha256.New, f.key)
	}
	f.mac.Reset()
	_, _ = f.mac.Write([]byte(version))
	_, _ = f.mac.Write(value)
	f.state = f.mac.Sum(f.state[:0])
	f.code = f.state
	return f.code
}

// from returns the words of the state that blocks lead to from a state, or nil. They are valid until the next call.
func (f *fingerprinter) from(state, blocks []byte) *[sha256.Size]byte {
	if f.hash.UnmarshalBinary(state) != nil {
		return nil
	}
	_, _ = f.hash.Write(blocks)
	after, err := f.hash.AppendBinary(f.state[:0])
	if err != nil || len(after) < stateHead+sha256.Size {
		return nil
	}
	f.state = after
	return (*[sha256.Size]byte)(after[stateHead:])
}

// padded appends what ends a message that follows a block (FIPS 180-4, section 5.1.1).
func padded(b []byte) []byte {
	const least = len("\x80") + 8
	n := len(b)
	size := (n + least + sha256.BlockSize - 1) &^ (sha256.BlockSize - 1)
	if size > cap(b) {
		b = slices.Grow(b, size-n)
	}
	b = b[:size]
	clear(b[n:])
	b[n] = 0x80
	binary.BigEndian.PutUint64(b[size-8:], 8*uint64(sha256.BlockSize+n)) //nolint:gosec // a length
	return b
}

// appendID spells the first 40 bits of a code in base32 (RFC 4648), in lower case.
func appendID(dst, code []byte) []byte {
	const digits = "abcdefghijklmnopqrstuvwxyz234567"
	v := uint64(binary.BigEndian.Uint32(code))<<8 | uint64(code[4])
	return append(dst, digits[v>>35&31], digits[v>>30&31], digits[v>>25&31], digits[v>>20&31], digits[v>>15&31], digits[v>>10&31], digits[v>>5&31], digits[v&31])
}

// Fingerprint is the ID that stands in the placeholder of value: equal values have equal fingerprints, which
// tell nothing about them to who lacks the key.
func (e *Engine) Fingerprint(value []byte) string {
	f := e.fingerprinter()
	defer e.macs.Put(f)
	return string(appendID(nil, f.sum(value)))
}

// fingerprinter returns one that is free. Who keeps it need not give it back.
func (e *Engine) fingerprinter() *fingerprinter {
	if f, _ := e.macs.Get().(*fingerprinter); f != nil {
		return f
	}
	return newFingerprinter(e.key)
}

// heldCode is the code of the value of a secret held, as far as a fingerprint shows it. It is valid until the next call.
func (f *fingerprinter) heldCode(value []byte) []byte {
	if f.held == nil {
		f.held = make([]heldCode, keptCodes)
	}
	h := &f.held[maphash.Bytes(f.seed, value)%keptCodes]
	if h.value == nil || !bytes.Equal(h.value, value) {
		h.value = value
		copy(h.code[:], f.sum(value))
	}
	return h.code[:]
}
