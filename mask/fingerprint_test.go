package mask

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"testing"
)

// TestFingerprintIsHMAC compares the codes with those of package hmac, in any order of lengths.
func TestFingerprintIsHMAC(t *testing.T) {
	for _, size := range []int{16, 32, sha256.BlockSize, sha256.BlockSize + 1, 200} {
		key := bytes.Repeat([]byte{0x5c, 0x36, byte(size)}, size)[:size]
		f := newFingerprinter(key)
		for _, n := range []int{0, 1, 40, 61, 62, 63, 5000, 3, keptValue, 100, 2 * keptValue, 7} {
			value := bytes.Repeat([]byte("value"), n/5+1)[:n]
			h := hmac.New(sha256.New, key)
			_, _ = h.Write(append([]byte("v1"), value...))
			if got := f.sum(value); !bytes.Equal(got[:], h.Sum(nil)) {
				t.Errorf("key of %d, value of %d bytes: %x", size, n, got)
			}
		}
	}
}
