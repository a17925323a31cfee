package mask

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"weir/mask/field"
)

const (
	cachedNames   = 128
	maxCachedName = 39 // in bytes
	maxSibling    = 128
	maxSiblings   = 4096 // what is remembered of values that may name their siblings, in bytes
	shortNested   = 8    // no JSON of so few bytes is worth a look
)

// says is what a name says of its value: a field.Strength and flags.
type says uint8

const (
	valued says = 4   // it is "value", and a sibling's value says what it is
	naming says = 8   // it is "name" or its like
	member says = 16  // a private part of a JSON Web Key may have that name (RFC 7518, section 6)
	ofKey  says = 32  // only such keys have it
	about  says = 64  // in an object of a secret's name, it tells about the secret
	does   says = 128 // it is what a program does, and tells little of what comes of it
)

func (s says) strength() field.Strength { return field.Strength(s & 3) }

// cachedName is what was found out about a name that holds no secret itself.
type cachedName struct {
	text [maxCachedName + 1]byte // the name and the quote behind it
	n    uint8                   // of text
	next uint8                   // the name that followed last
	says says
}

// name judges a member's name. look is set where a secret held may stand in it.
func (j *jsonWriter) name(plain []byte, look bool) {
	at, cacheable := cacheIndex(plain)
	if cacheable {
		for range 2 { // two places for each
			if c := &j.cache[at]; int(c.n) == len(plain)+1 && string(c.text[:len(plain)]) == string(plain) {
				j.key = c.says
				j.follow(at)
				return
			}
			at ^= 1
		}
		if j.cache[at].n > 0 && j.cache[at^1].n == 0 {
			at ^= 1
		}
	}
	j.key = says(j.m.e.names.Match(plain))
	if len(plain) <= 14 && isValueName(string(plain)) {
		j.key |= valued
	}
	if len(plain) <= 13 && isNaming(string(plain)) {
		j.key |= naming
	}
	if field.About(plain) {
		j.key |= about
	}
	if j.key.strength() == field.Strong && field.Does(plain) {
		j.key |= does
	}
	j.key |= keyPart(plain)
	if len(plain) >= shortest {
		j.look(plain, look)
	}
	if cacheable && len(j.found) == 0 {
		c := &j.cache[at]
		c.n = uint8(copy(c.text[:], plain)) + 1
		c.text[len(plain)] = '"'
		c.says = j.key
		j.follow(at)
	}
}

// keyPart tells names of JSON Web Keys.
func keyPart(name []byte) says {
	if len(name) <= 3 {
		switch string(name) {
		case "d", "p", "q", "dp", "dq", "qi", "k":
			return member
		case "kty", "crv":
			return ofKey
		}
	}
	return 0
}

const (
	shortKeyPart = 22 // characters of 16 bytes in base64url: no key is shorter
	longKeyPart  = 43 // of 32 bytes: a private part of an elliptic curve's key
)

// keyPartHeld reports whether a value under the name of a private part of a JSON Web Key is one. Where nothing has told yet that the object is a key, only a
// long one is believed.
func (j *jsonWriter) keyPartHeld(plain []byte) bool {
	if len(plain) < shortKeyPart || !j.in.key && len(plain) < longKeyPart {
		return false
	}
	var upper, lower bool
	for _, c := range plain {
		upper, lower = upper || c >= 'A' && c <= 'Z', lower || c >= 'a' && c <= 'z'
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return j.in.key || upper && lower && field.Opaque(plain) && field.Gibberish(plain) // not a digest in hexadecimal
}

// follow notes that the name at this place in the cache came behind the last one.
func (j *jsonWriter) follow(at uint8) {
	j.cache[j.last].next = at
	j.last, j.next = at, j.cache[at].next
}

// cacheIndex is the place of a name in the cache. A name that is spelled with escapes has none.
func cacheIndex(name []byte) (at uint8, ok bool) {
	if len(name) > maxCachedName || len(name) == 0 || bytes.IndexByte(name, '"') >= 0 || bytes.IndexByte(name, '\\') >= 0 {
		return 0, false
	}
	h := uint64(len(name))
	for len(name) > 8 {
		h = bits.RotateLeft64(h, 29) ^ binary.LittleEndian.Uint64(name)*0x9E3779B97F4A7C15
		name = name[8:]
	}
	var w [8]byte
	copy(w[:], name)
	h = (bits.RotateLeft64(h, 29) ^ binary.LittleEndian.Uint64(w[:])) * 0x9E3779B97F4A7C15
	return uint8(h >> 57), true
}

func isValueName(n string) bool {
	switch n {
	case "value", "Value", "VALUE", "val", "setting", "SETTING", "data", "current_value", "currentValue", "defaultValue", "content", "variable_value", "Variable_value", "VARIABLE_VALUE", "ParameterValue", "parameterValue", "OptionValue":
		return true
	}
	return false
}

// isNaming tells names whose values describe their siblings; they stay readable under a strong name too.
func isNaming(n string) bool {
	switch n {
	case "name", "Name", "NAME", "KEY", "Variable_name", "variable_name", "VARIABLE_NAME", "key", "Key", "variable", "property", "origin", "type", "id", "field", "ParameterKey", "parameterKey", "OptionName":
		return true
	}
	return false
}

// strength is what the names around it say of the value that comes next.
func (j *jsonWriter) strength() field.Strength {
	s := j.key.strength()
	if j.key&valued != 0 {
		s = max(s, j.siblings())
	}
	if j.key&(naming|about) == 0 {
		s = max(s, j.in.within)
	}
	return s
}

// within is what the names around it say of the members of the object or the elements of the array that comes next.
func (j *jsonWriter) within() field.Strength {
	s := j.key.strength()
	switch {
	case s != field.Strong:
		s = field.None // a weak name speaks of one value
	case j.key&does != 0:
		s = field.Weak
	}
	if j.key&about == 0 {
		s = max(s, j.in.within)
	}
	return s
}

// siblingStrength judges a value that may be the name of the value beside it. A sentence is no name.
func (m *Masker) siblingStrength(value []byte) field.Strength {
	if bytes.Count(value, []byte{' '}) > maxBlanks {
		return field.None
	}
	return m.e.names.Match(value)
}

// maxBlanks is how many blanks a name may hold.
const maxBlanks = 4

// remember keeps a value that may name the value beside it, to be judged when there is one.
func (j *jsonWriter) remember(plain []byte) {
	if len(j.levels) == 0 || len(plain) > maxBlanks && bytes.Count(plain, []byte{' '}) > maxBlanks {
		return
	}
	plain = plain[max(0, len(plain)-maxSibling):]
	if len(j.names) > maxSiblings {
		j.in.pair = max(j.in.pair, j.m.e.names.Match(plain))
		return
	}
	j.names = append(append(j.names, plain...), byte(len(plain)))
}

// siblings judges what was remembered in the innermost object.
func (j *jsonWriter) siblings() field.Strength {
	from := int(j.in.names)
	for end := len(j.names); end > from; {
		n := int(j.names[end-1])
		j.in.pair = max(j.in.pair, j.m.e.names.Match(j.names[end-1-n:end-1]))
		end -= n + 1
	}
	j.names = j.names[:from]
	return j.in.pair
}

// value finds what to mask in a string value.
func (j *jsonWriter) value(plain []byte, look bool) {
	strength := j.strength()
	if j.key&naming != 0 {
		j.remember(plain)
	}
	j.in.key = j.in.key || j.key&ofKey != 0
	part := j.key&member != 0 && j.keyPartHeld(plain)
	j.key = 0
	switch {
	case part:
		j.found = append(j.found, edit{start: 0, end: len(plain), kind: "jwk", value: plain})
	case secret(strength, plain):
		n := scheme(plain)
		j.found = append(j.found, edit{start: n, end: len(plain), kind: "field", value: plain[n:]})
	case len(plain) < shortest:
	case j.nested < maxNested && (plain[0] == '{' || plain[0] == '[') && len(plain) > shortNested && j.nestedJSON(plain):
	default:
		j.look(plain, look)
	}
}

// look searches the text of a string. Where always is unset it holds no secret that is held.
func (j *jsonWriter) look(plain []byte, always bool) {
	if (!always || j.sole.End > 0) && !j.m.e.detect.Touched(plain) && !j.scan.holdsPersonal(plain) {
		if j.sole.End > 0 {
			j.found = append(j.found, j.heldEdit(j.sole, 0))
		}
		return
	}
	spans := j.scan.scan(plain)
	for _, sp := range closeSpans(spans, len(plain)) {
		held := sp.value != nil
		if !held {
			sp.value = plain[sp.start:sp.end]
		}
		j.found = append(j.found, edit{start: sp.start, end: sp.end, kind: sp.kind, value: sp.value, held: held})
	}
}

// nestedJSON looks into JSON inside a string. It reports false when it is no JSON.
func (j *jsonWriter) nestedJSON(plain []byte) bool {
	if j.inner == nil {
		j.inner = newJSON(j.m, nil, nil, j.nested+1)
	}
	in := j.inner
	in.restart()
	_ = in.consume(plain, true) // only writing fails
	if in.broken || len(in.levels) > 0 {
		return false
	}
	j.found = append(j.found, in.edits...)
	return true
}

// respell moves what was found in the text of a string to where it is spelled in raw. Secrets held are searched for in raw as it
// stands, too, where look is set: not all readers undo escapes as we do.
func (j *jsonWriter) respell(raw []byte, look bool) {
	s := speller{raw: raw}
	out := j.found[:0]
	for _, e := range j.found {
		e.start, e.end = s.to(e.start, false), s.to(e.end, true)
		if e.start < e.end {
			out = append(out, e)
		}
	}
	j.found = out
	if !look {
		return
	}
	j.scan.spans = j.scan.spans[:0]
	for _, set := range j.m.sets {
		j.scan.known = set.Find(j.scan.known[:0], raw)
		for _, k := range j.scan.known {
			j.m.notes.hold(set.Name(k.Entry))
			j.scan.insert(span{from: k.Start, start: k.Start, end: k.End, kind: set.Name(k.Entry), value: set.Value(k.Entry)})
		}
	}
	for _, sp := range wholeEscapes(raw, j.scan.spans) {
		j.merge(edit{start: sp.start, end: sp.end, kind: sp.kind, value: sp.value, held: true})
	}
}

// merge puts e among what was found, unless it is part of something there; what it overlaps becomes one with it.
func (j *jsonWriter) merge(e edit) {
	i := 0
	for i < len(j.found) && j.found[i].end <= e.start {
		i++
	}
	end := i
	for end < len(j.found) && j.found[end].start < e.end {
		o := j.found[end]
		if o.start <= e.start && o.end >= e.end {
			return
		}
		e.start, e.end = min(e.start, o.start), max(e.end, o.end)
		end++
	}
	rest := append([]edit{e}, j.found[end:]...)
	j.found = append(j.found[:i], rest...)
}
