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
		quick, slow := newFingerprinter(key), newFingerprinter(key)
		if quick.hash == nil {
			t.Error("states of SHA-256 cannot be used any more")
		}
		slow.hash = nil
		for _, n := range []int{0, 1, 40, 53, 54, 55, 61, 62, 63, 117, 118, 5000, 3, keptValue, 100, 2 * keptValue, 7} {
			value := bytes.Repeat([]byte("value"), n/5+1)[:n]
			h := hmac.New(sha256.New, key)
			_, _ = h.Write(append([]byte("v1"), value...))
			for range 2 {
				for _, f := range []*fingerprinter{quick, slow} {
					if got := f.sum(value); !bytes.Equal(got, h.Sum(nil)) {
						t.Errorf("key of %d, value of %d bytes: %x", size, n, got)
					}
				}
			}
		}
	}
}
