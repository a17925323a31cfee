package mask

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
)

// printKey is what fingerprints are made with: AES-128 and the two subkeys of AES-CMAC (RFC 4493, section 2.3). Safe for concurrent use.
type printKey struct {
	block      cipher.Block
	full, part [aes.BlockSize]byte // K1 and K2: xored with a last block that is full, or padded
}

// printPurpose is what the key is derived for; another one makes other fingerprints of everything.
const printPurpose = "weir fingerprint v2"

// newPrintKey derives it from a secret of any length.
func newPrintKey(secret []byte) (*printKey, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, printPurpose, 16)
	if err != nil {
		return nil, err
	}
	return printKeyOf(key)
}

func printKeyOf(key []byte) (*printKey, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	k := &printKey{block: block}
	block.Encrypt(k.full[:], k.full[:])
	k.full = doubled(k.full)
	k.part = doubled(k.full)
	return k, nil
}

// doubled is b times x in the field of 2^128 elements.
func doubled(b [aes.BlockSize]byte) [aes.BlockSize]byte {
	high, low := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
	binary.BigEndian.PutUint64(b[:], high<<1|low>>63)
	binary.BigEndian.PutUint64(b[8:], low<<1^high>>63*0x87)
	return b
}

// fingerprinter computes AES-CMAC (RFC 4493) of values. It takes a third of the time that HMAC-SHA-256 does for those of usual length. Not for concurrent use.
type fingerprinter struct {
	key  *printKey
	code [aes.BlockSize]byte // of text
	last [aes.BlockSize]byte // the last block of what is being read
	text []byte
	any  bool // there is a text
	seed maphash.Seed
	held []heldCode // of the secrets held that were asked for, by a hash; nil until there is one
}

// keptCodes is how many codes of secrets held are kept.
const keptCodes = 256

type heldCode struct {
	value []byte // the set's
	code  [5]byte
}

// keptValue is the longest buffer for values that is kept, in bytes.
const keptValue = 64 << 10

func newFingerprinter(key *printKey) *fingerprinter {
	return &fingerprinter{key: key, seed: maphash.MakeSeed()}
}

// sum is the code of a value. It is valid until the next call.
func (f *fingerprinter) sum(value []byte) []byte {
	if n := len(value); f.any && len(f.text) == n && (n == 0 || f.text[n-1] == value[n-1]) && bytes.Equal(f.text, value) {
		return f.code[:] // columns and logs repeat themselves
	}
	f.text = append(f.text[:0], value...)
	f.any = true
	f.read(f.text)
	if cap(f.text) > keptValue {
		f.text, f.any = nil, false
	}
	return f.code[:]
}

// read computes the code of b.
func (f *fingerprinter) read(b []byte) {
	code := f.code[:]
	clear(code)
	for ; len(b) > aes.BlockSize; b = b[aes.BlockSize:] {
		xor(&f.code, (*[aes.BlockSize]byte)(b))
		f.key.block.Encrypt(code, code)
	}
	end := &f.key.full
	clear(f.last[:])
	if copy(f.last[:], b) < aes.BlockSize {
		f.last[len(b)] = 0x80
		end = &f.key.part
	}
	xor(&f.code, &f.last)
	xor(&f.code, end)
	f.key.block.Encrypt(code, code)
}

// xor is what subtle.XORBytes does, which takes longer for so little.
func xor(dst, b *[aes.BlockSize]byte) {
	binary.LittleEndian.PutUint64(dst[:], binary.LittleEndian.Uint64(dst[:])^binary.LittleEndian.Uint64(b[:]))
	binary.LittleEndian.PutUint64(dst[8:], binary.LittleEndian.Uint64(dst[8:])^binary.LittleEndian.Uint64(b[8:]))
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
	return newFingerprinter(e.prints)
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
