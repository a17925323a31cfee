package detect

import "bytes"

// judgement is what a value was judged to be: what stood at name, how long its parts are, how it stood there, and what of it is secret.
type judgement struct {
	name       int
	parts      uint64
	ways       uint32
	secret, to uint16 // behind name; nothing is where both are the same
}

// judgements is how many values a search remembers.
const judgements = 4

const (
	besideName  = 8 // bytes in front of a name that its judgement may depend on, but for inCode
	besideValue = 4 // behind a value
	maxPart     = 1 << 12
)

// judgement returns what describes the judgement on the value b[i:end], and where it is remembered; ok is false where it depends on more.
func (v *value) judgement(i, end int, quoted bool) (j judgement, at *judgement, ok bool) {
	if v.name < besideName || end+besideValue > len(v.f.b) || end-v.name >= maxPart || v.end != 0 || v.code != 0 {
		return j, nil, false
	}
	ways := uint32(v.strength)
	for _, is := range [...]bool{quoted, v.form.tight, v.form.key, v.form.colon, v.form.pair, v.form.query, v.lineStart, v.flag, v.option, v.call, v.within} {
		ways <<= 1
		if is {
			ways |= 1
		}
	}
	j = judgement{name: v.name, parts: uint64(v.at-v.name) | uint64(i-v.name)<<16 | uint64(end-v.name)<<32, ways: ways}
	return j, &v.f.judged[(end-v.name)%judgements], true
}

// again reports that j is about the same bytes as o, in the same places around them.
func (f *finder) again(j, o judgement) bool {
	n := int(j.parts>>32) + besideValue
	return j.parts == o.parts && j.ways == o.ways && bytes.Equal(f.b[j.name-besideName:j.name+n], f.b[o.name-besideName:o.name+n])
}
