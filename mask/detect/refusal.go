package detect

import "bytes"

// refusal is a value that was judged to be no secret: what stood at name, how long its parts are, and how it stood there.
type refusal struct {
	name  int
	parts uint64
	ways  uint32
}

// refusals is how many values a search remembers.
const refusals = 4

const (
	besideName  = 8 // bytes in front of a name that its judgement may depend on, but for inCode
	besideValue = 4 // behind a value
	maxPart     = 1 << 12
)

// refusal returns what describes the judgement on the value b[i:end], and where it is remembered; ok is false where it depends on more.
func (v *value) refusal(i, end int, quoted bool) (r refusal, at *refusal, ok bool) {
	if v.name < besideName || end+besideValue > len(v.f.b) || end-v.name >= maxPart || v.end != 0 || v.code != 0 {
		return r, nil, false
	}
	ways := uint32(v.strength)
	for _, is := range [...]bool{quoted, v.form.tight, v.form.key, v.form.colon, v.form.pair, v.form.query, v.lineStart, v.flag, v.option, v.call, v.within} {
		ways <<= 1
		if is {
			ways |= 1
		}
	}
	r = refusal{v.name, uint64(v.at-v.name) | uint64(i-v.name)<<16 | uint64(end-v.name)<<32, ways}
	return r, &v.f.refused[(end-v.name)%refusals], true
}

// again reports that r is about the same bytes as o, in the same places around them.
func (f *finder) again(r, o refusal) bool {
	n := int(r.parts>>32) + besideValue
	return r.parts == o.parts && r.ways == o.ways && bytes.Equal(f.b[r.name-besideName:r.name+n], f.b[o.name-besideName:o.name+n])
}
