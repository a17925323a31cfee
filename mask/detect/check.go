package detect

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"strconv"
	"strings"
)

// check looks at a whole token and at what follows its text. It keeps neither and allocates nothing.
type check func(token, value []byte) bool

// checkTable names the checks. What a format or a user's detector demands beside its alphabet and length:
var checkTable = map[string]check{
	"mixed":        func(_, v []byte) bool { return alternates(v) },                     // letters and digits alternate as they do in random text
	"digit":        func(_, v []byte) bool { return bytes.ContainsAny(v, digit) },       // there is a digit
	"uuid":         func(_, v []byte) bool { return isUUID(v) },                         // it is a UUID
	"uuid-first":   func(t, _ []byte) bool { return len(t) > 36 && isUUID(t[:36]) },     // the token begins with a UUID
	"snowflake":    func(t, _ []byte) bool { return snowflake(t) },                      // base64 of a decimal number stands in front of the first full stop
	"entropy":      func(_, v []byte) bool { return entropy(v) >= 3*bit },               // 3 bits for each byte; entropy=2.5 sets another bound
	"dense":        func(_, v []byte) bool { return !bytes.Contains(v, []byte("AAA")) }, // no zeros, as base64 of numbers has them
	"luhn":         func(_, v []byte) bool { return luhn(v) },                           // the check digit of card numbers
	"crc32-base62": func(_, v []byte) bool { return crcBase62(v) },                      // GitHub, npm: the last six digits are the CRC-32 of the others
	"age-bech32":   func(t, _ []byte) bool { return bech32(t) },                         // the checksum of BIP 173
	"der":          func(t, _ []byte) bool { return derSequence(t) },                    // base64 of a DER SEQUENCE of a plausible length
}

const digit = "0123456789"

// checkNamed returns a check by its name; entropy takes a bound in bits for each byte.
func checkNamed(name string) (check, error) {
	if bound, ok := strings.CutPrefix(name, "entropy="); ok {
		x, err := strconv.ParseFloat(bound, 64)
		if err != nil || !(x > 0 && x <= 8) {
			return nil, fmt.Errorf("entropy=%s: a bound is more than 0 and at most 8 bits for each byte", bound)
		}
		least := uint64(x * bit)
		return func(_, v []byte) bool { return entropy(v) >= least }, nil
	}
	if c := checkTable[name]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("there is no check %q", name)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isUUID(v []byte) bool {
	if len(v) != 36 {
		return false
	}
	for i, c := range v {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') || !dash && !isHex(c) {
			return false
		}
	}
	return true
}

// alternates reports that digits and letters change at least three times, as they hardly ever do in a name; or that at least two of five
// bytes are of another kind than the one before (upper case, lower case, digit) and there is a digit.
func alternates(v []byte) bool {
	changes, kinds, digits := 0, 0, false
	var last byte
	for _, c := range v {
		var kind byte
		switch {
		case c >= '0' && c <= '9':
			kind, digits = 'd', true
		case c >= 'a' && c <= 'z':
			kind = 'a'
		case c >= 'A' && c <= 'Z':
			kind = 'A'
		default:
			continue
		}
		if last != 0 && kind != last {
			kinds++
			if kind == 'd' || last == 'd' {
				changes++
			}
		}
		last = kind
	}
	return changes >= 3 || digits && len(v) >= 12 && kinds*5 >= len(v)*2
}

// bit is one bit of entropy.
const bit = 1 << 16

// entropy is the entropy of the first 255 bytes of v, in units of bit for each byte, to 1 %.
func entropy(v []byte) uint64 {
	v = v[:min(len(v), 255)]
	if len(v) == 0 {
		return 0
	}
	var count [256]uint8
	for _, c := range v {
		count[c]++
	}
	var sum uint64
	for _, c := range v { // each byte adds log2 of how often it is there
		sum += log2(uint64(count[c]))
	}
	return log2(uint64(len(v))) - sum/uint64(len(v))
}

// log2 is the logarithm of x > 0 to base 2 in units of bit: a parabola between powers of two.
func log2(x uint64) uint64 {
	n := bits.Len64(x) - 1
	f := x<<16>>n - bit
	return uint64(n)*bit + f + f*(bit-f)/bit*22/64
}

// luhn reports 12 digits or more, perhaps in groups, with the right check digit.
func luhn(v []byte) bool {
	sum, n := 0, 0
	for i := len(v) - 1; i >= 0; i-- {
		c := v[i]
		if c == ' ' || c == '-' {
			continue
		}
		if c < '0' || c > '9' {
			return false
		}
		d := int(c - '0')
		if n%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		n++
	}
	return n >= 12 && sum%10 == 0
}

// crcBase62 reports that the last six bytes are the CRC-32 (IEEE) of what stands before them, in base 62 with digits first and zeros in front.
func crcBase62(v []byte) bool {
	if len(v) < 12 {
		return false
	}
	n := len(v) - 6
	sum := uint64(crc32.ChecksumIEEE(v[:n]))
	var got uint64
	for _, c := range v[n:] {
		d := strings.IndexByte(base62, c)
		if d < 0 {
			return false
		}
		got = got*62 + uint64(d)
	}
	return got == sum
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// bech32 reports a right checksum (BIP 173) of a token that is all upper or all lower case.
func bech32(token []byte) bool {
	const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	at := bytes.LastIndexByte(token, '1')
	if at < 1 || len(token)-at < 7 {
		return false
	}
	sum := uint32(1)
	step := func(d byte) {
		top := sum >> 25
		sum = sum&(1<<25-1)<<5 ^ uint32(d)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for _, c := range token[:at] {
		step(lower(c) >> 5)
	}
	step(0)
	for _, c := range token[:at] {
		step(lower(c) & 31)
	}
	for _, c := range token[at+1:] {
		d := strings.IndexByte(charset, lower(c))
		if d < 0 {
			return false
		}
		step(byte(d))
	}
	return sum == 1
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// derSequence reports base64 that begins a DER SEQUENCE whose length has two bytes and fits what is there.
func derSequence(token []byte) bool {
	var b [6]byte
	if len(token) < 8 {
		return false
	}
	if _, err := base64.StdEncoding.Decode(b[:], token[:8]); err != nil {
		return false
	}
	n := int(b[2])<<8 | int(b[3])
	return b[0] == 0x30 && b[1] == 0x82 && n+4 >= len(token)*3/4-3
}

// snowflake reports a token whose part before the first full stop is base64 of the 17 to 20 decimal digits of an account's number.
func snowflake(token []byte) bool {
	var b [24]byte
	n := bytes.IndexByte(token, '.')
	if n < 22 || n > 27 {
		return false
	}
	n, err := base64.RawStdEncoding.Decode(b[:], token[:n])
	return err == nil && n >= 17 && len(bytes.Trim(b[:n], digit)) == 0
}

// jsonHeader reports base64url of a JSON object: the header of a JWT, a JWE or a signed cookie.
func jsonHeader(v []byte) bool {
	var b [96]byte
	n, err := base64.RawURLEncoding.Decode(b[:], v[:min(len(v), 128)/4*4])
	if err != nil || n < 6 || b[0] != '{' {
		return false
	}
	for _, c := range b[:n] {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return bytes.IndexByte(b[:n], ':') > 0
}

// isExample reports a value that says that it is none.
func isExample(v []byte) bool {
	if !mayHold(v, 'X') {
		return false // most values need no second look
	}
	i := bytes.IndexByte(v, 'X')
	return i >= 0 && bytes.Contains(v[max(0, i-1):], []byte("EXAMPLE"))
}

// mayHold reports whether c may stand in v. For a token that is sooner done than a call of bytes.IndexByte.
func mayHold(v []byte, c byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n := len(v)
	if n < 8 || n > 64 {
		return true
	}
	// A byte that is c becomes zero, and the lowest zero byte sets its high bit.
	x := ones * uint64(c)
	w := binary.LittleEndian.Uint64(v[n-8:]) ^ x
	zero := (w - ones) &^ w
	for i := 0; i <= n-8; i += 8 {
		w = binary.LittleEndian.Uint64(v[i:i+8:i+8]) ^ x
		zero |= (w - ones) &^ w
	}
	return zero&highs != 0
}

// low reports a value with hardly any variety: xxxxxxxx, 00000000.
func low(v []byte) bool {
	const few = 4
	var kinds uint64 // of the first bytes; some share a bit, so there may be more
	if len(v) >= 8 {
		w := binary.LittleEndian.Uint64(v)
		kinds = 1<<(w&63) | 1<<(w>>8&63) | 1<<(w>>16&63) | 1<<(w>>24&63) | 1<<(w>>32&63) | 1<<(w>>40&63) | 1<<(w>>48&63) | 1<<(w>>56&63)
		if bits.OnesCount64(kinds) > few {
			return false
		}
	}
	for _, c := range v[:min(len(v), 12)] {
		kinds |= 1 << (c % 64)
	}
	if bits.OnesCount64(kinds) > few {
		return false
	}
	var seen [few]byte
	n := 0
next:
	for _, c := range v {
		for _, s := range seen[:n] {
			if c == s {
				continue next
			}
		}
		if n == len(seen) {
			return false
		}
		seen[n] = c
		n++
	}
	return n < len(v)
}
