package detect

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// decodeSlowly is finder.decode, a character at a time.
func decodeSlowly(b []byte, from, first, end int) (plain []byte, at int) {
	bits, acc, good := 0, uint32(0), 0
	for i := from; i < end; i++ {
		if i == first {
			at = len(plain)
		}
		v := sextetTable[b[i]]
		if v == notEncoded {
			if b[i] == '\\' {
				i++
			}
			continue
		}
		acc, bits = acc<<6|uint32(v), bits+6
		if bits < 8 {
			continue
		}
		bits -= 8
		plain = append(plain, byte(acc>>bits))
		if n := len(plain); i > first && n-good == 1<<10 {
			if ok := good + textLength(plain[good:]); ok < n-utf8.UTFMax {
				break
			}
			good = n - utf8.UTFMax
		}
	}
	return plain, at
}

func TestRunsAreDecodedAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 9))
	for range 3000 {
		text := bytes.Repeat([]byte("words and passwords é "), 1+r.IntN(300))
		for range r.IntN(3) {
			text[r.IntN(len(text))] = byte(r.Uint32())
		}
		run := []byte(base64.StdEncoding.EncodeToString(text))
		for range r.IntN(4) {
			at := r.IntN(len(run))
			run = append(run[:at:at], append([]byte([]string{"\n", `\n`, "\r\n", "*", `\r\n`, "="}[r.IntN(6)]), run[at:]...)...)
		}
		from := r.IntN(min(len(run), 600))
		first := from + r.IntN(min(len(run)-from, 700))
		end := first + 1 + r.IntN(len(run)-first)
		f := finder{b: run}
		plain, at := f.decode(nil, from, first, end)
		if want, wantAt := decodeSlowly(run, from, first, end); !bytes.Equal(plain, want) || at != wantAt {
			t.Fatalf("%d bytes from %d to %d, %d: %d bytes, %d; want %d, %d", len(run), from, end, first, len(plain), at, len(want), wantAt)
		}
	}
}
