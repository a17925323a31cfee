package mask

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"fmt"
	"testing"
)

// TestFingerprintIsCMAC compares the codes with RFC 4493, section 4: in any order, and each twice.
func TestFingerprintIsCMAC(t *testing.T) {
	read := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key, err := printKeyOf(read("2b7e151628aed2a6abf7158809cf4f3c"))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(key.full[:]) + " " + hex.EncodeToString(key.part[:]); got != "fbeed618357133667c85e08f7236a8de f7ddac306ae266ccf90bc11ee46d513b" {
		t.Error("subkeys", got)
	}
	text := read("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	f := newFingerprinter(key)
	for _, n := range []int{0, 16, 40, 64, 16, 0, 64, 40} {
		want := map[int]string{
			0: "bb1d6929e95937287fa37d129b756746", 16: "070a16b46b4d4144f79bdd9dd04a287c",
			40: "dfa66747de9ae63030ca32611497c827", 64: "51f0bebf7e3b9d92fc49741779363cfe",
		}[n]
		for range 2 {
			if got := hex.EncodeToString(f.sum(text[:n])); got != want {
				t.Errorf("of %d bytes: %s, want %s", n, got, want)
			}
		}
	}
}

// TestFingerprintOfAnyLength compares the codes with those of a plain spelling of RFC 4493, section 2.4.
func TestFingerprintOfAnyLength(t *testing.T) {
	key, err := newPrintKey([]byte("a secret of any length"))
	if err != nil {
		t.Fatal(err)
	}
	plain := func(b []byte) []byte {
		end := key.full
		if len(b) == 0 || len(b)%aes.BlockSize > 0 {
			b, end = append(bytes.Clone(b), 0x80), key.part
			b = append(b, make([]byte, (aes.BlockSize-len(b)%aes.BlockSize)%aes.BlockSize)...)
		}
		x := make([]byte, aes.BlockSize)
		for i := range b {
			at := i % aes.BlockSize
			x[at] ^= b[i]
			if i >= len(b)-aes.BlockSize {
				x[at] ^= end[at]
			}
			if at == aes.BlockSize-1 {
				key.block.Encrypt(x, x)
			}
		}
		return x
	}
	f := newFingerprinter(key)
	seen := map[string]int{}
	for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33, 40, 47, 48, 49, 5000, 3, keptValue, 100, 2 * keptValue, 7} {
		value := bytes.Repeat([]byte("value"), n/5+1)[:n]
		got := f.sum(value)
		if want := plain(value); !bytes.Equal(got, want) {
			t.Errorf("of %d bytes: %x, want %x", n, got, want)
		}
		seen[fmt.Sprintf("%x", got)]++
	}
	if len(seen) != 18 {
		t.Errorf("%d codes of 18 values", len(seen))
	}
}

// TestFingerprintsNeedTheKey is that another key, of any length, makes other fingerprints, and the same one the same.
func TestFingerprintsNeedTheKey(t *testing.T) {
	seen := map[string]bool{}
	for _, key := range []string{"0123456789abcdef", "0123456789abcdeg", "0123456789abcdef0", string(make([]byte, 64)), string(make([]byte, 65))} {
		var ids []string
		for range 2 {
			e, err := New(Config{Key: []byte(key)})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, e.Fingerprint([]byte("value")))
		}
		if ids[0] != ids[1] || len(ids[0]) != 8 {
			t.Error("not the same twice:", ids)
		}
		seen[ids[0]] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d fingerprints of 5 keys", len(seen))
	}
}
