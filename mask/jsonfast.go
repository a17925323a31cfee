package mask

import (
	"bytes"
	"encoding/binary"
)

// run takes the tokens that need no change and little thought, and stops in front of the first other one.
func (j *jsonWriter) run(b []byte) {
	i := j.at
	for i < len(b) {
		n := 1
		switch b[i] {
		case '"':
			if j.wantKey {
				i, n = j.members(b, i)
			} else {
				n = j.cleanString(b, i)
			}
		case ',':
			j.comma()
		case ':':
			j.wantKey = false
		case ' ', '\t', '\n', '\r', '\x1e': // the last is RFC 7464's record separator
		case '{':
			n = one(j.open(true))
		case '[':
			n = one(j.open(false))
		case '}':
			n = one(j.close(true))
		case ']':
			n = one(j.close(false))
		default:
			n = j.cleanScalar(b[i:])
		}
		if n == 0 {
			break
		}
		i += n
	}
	j.at = i
}

// members takes members of an object that follow one another from b[i] on. It returns where the last token it took begins and its length, which is 0 if
// the next one is not to be taken.
func (j *jsonWriter) members(b []byte, i int) (at, n int) {
	for {
		if n = j.knownName(b[i:]); n == 0 || i+n == len(b) || j.wantKey {
			return i, n
		}
		var k int
		switch c := b[i+n]; {
		case c == '"':
			k = j.cleanString(b, i+n)
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-':
			k = j.cleanScalar(b[i+n:])
		default:
			return i, n
		}
		i += n
		if n = k; n == 0 || i+n == len(b) || b[i+n] != '"' || !j.wantKey {
			return i, n
		}
		i += n
	}
}

func one(ok bool) int {
	if ok {
		return 1
	}
	return 0
}

// knownName returns the length of the name at the front of b, with the colon behind it, if it is the one that came behind the last one before; otherwise 0.
func (j *jsonWriter) knownName(b []byte) int {
	c := &j.cache[j.next%cachedNames]
	n := int(c.n)
	if n == 0 || len(b) <= 1+len(c.text) {
		return 0
	}
	is := (*[maxCachedName + 1]byte)(b[1:])
	k := 0
	for ; k+8 < n; k += 8 {
		if binary.LittleEndian.Uint64(is[k:]) != binary.LittleEndian.Uint64(c.text[k:]) {
			return 0
		}
	}
	if (binary.LittleEndian.Uint64(is[k:])^binary.LittleEndian.Uint64(c.text[k:]))<<(64-8*(n-k)) != 0 {
		return 0
	}
	j.last, j.next = j.next, c.next
	j.key, j.wantKey = c.says, false
	if n++; b[n] == ':' {
		n++
	}
	return n
}

// cleanString returns the length of the string value at b[i], with a comma behind it, if it is there whole and holds no escape and nothing to mask but one secret held, which
// is masked; otherwise 0.
func (j *jsonWriter) cleanString(b []byte, i int) int {
	if j.key&^(naming|about) != 0 || j.in.within != 0 {
		return 0
	}
	end := j.m.e.detect.TouchedRun(b[i+1:]) + i + 1
	if end <= i || b[end] != '"' || end-i >= maxPair {
		return 0
	}
	v := b[i+1 : end]
	if len(v) >= shortest {
		if j.m.personal != nil && j.scan.holdsPersonal(v) {
			return 0
		}
		if (v[0] == '{' || v[0] == '[') && len(v) > shortNested {
			return 0
		}
		if !j.surveyed || len(j.hits) > 0 {
			if j.hit(b, i, end) {
				h := j.soleHit(i+1, end)
				if h.End == 0 {
					return 0
				}
				j.put(b, j.heldEdit(h, i+1))
			}
		}
	}
	if j.key&naming != 0 {
		j.remember(v)
	}
	j.key = 0
	if end++; end < len(b) && b[end] == ',' {
		j.comma()
		end++
	}
	return end - i
}

func (j *jsonWriter) comma() { j.wantKey, j.key = j.in.object, 0 }

// cleanScalar returns the length of the number or literal at the front of b, with a comma behind it, if it is there whole and is to stay; otherwise 0.
func (j *jsonWriter) cleanScalar(b []byte) int {
	if j.key&^(naming|about) != 0 || j.in.within != 0 {
		return 0
	}
	n := 0
	switch c := b[0]; {
	case c >= '0' && c <= '9' || c == '-':
		n = 1
		for n < len(b) && n < maxScalar && (b[n] >= '0' && b[n] <= '9' || b[n] == '.' || b[n]|0x20 == 'e' || b[n] == '-' || b[n] == '+') {
			n++
		}
	case bytes.HasPrefix(b, []byte("true")), bytes.HasPrefix(b, []byte("null")):
		n = 4
	case bytes.HasPrefix(b, []byte("false")):
		n = 5
	}
	if n == 0 || n == len(b) || j.m.personal != nil && j.m.personal.Number(b[:n]) != "" {
		return 0
	}
	switch b[n] {
	case ',':
		j.comma()
		return n + 1
	case '}', ']', '\n', ' ', '\r', '\t':
		j.key = 0
		return n
	}
	return 0
}
