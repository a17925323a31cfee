package session

import "weir"

// memo remembers what became of texts that come again and again, under one version of the mask. It belongs to whoever has the pump locked.
type memo struct {
	version any
	kept    [4]keptText
	next    int
}

type keptText struct{ text, masked string }

// keptBytes is the longest text that is remembered, and the largest buffer that is kept, in bytes.
const keptBytes = 1 << 10

// masking masks texts of requests, each known whole. Like memo it belongs to whoever has the pump locked.
type masking struct {
	texts, fingerprints memo
	in, out             []byte
}

// text masks value, which is called name where it stands. With known it may be remembered; then name must be "".
func (m *masking) text(s *Session, known *memo, name, value string) (string, error) {
	if value == "" {
		return "", nil
	}
	return guard(s.gate, "masker", func() (string, error) {
		if known == nil || len(value) > keptBytes {
			return m.masked(s.mask, name, value), nil
		}
		if masked, ok := known.find(s.mask.Version(), value); ok {
			return masked, nil
		}
		masked := m.masked(s.mask, name, value)
		known.keep(value, masked)
		return masked, nil
	})
}

// find returns what became of a text. Under another version than before it has forgotten all.
func (k *memo) find(version any, text string) (masked string, ok bool) {
	if version == nil || version != k.version {
		*k = memo{version: version}
		return "", false
	}
	for i := range k.kept {
		if k.kept[i].text == text {
			return k.kept[i].masked, true
		}
	}
	return "", false
}

// keep remembers what became of a text under the version that find was asked for before it was masked.
func (k *memo) keep(text, masked string) {
	k.kept[k.next] = keptText{text, masked}
	k.next = (k.next + 1) % len(k.kept)
}

// masked masks a text; one in which nothing changes is not copied.
func (m *masking) masked(mask Mask, name, value string) string {
	m.in = append(m.in[:0], value...)
	m.out = mask.Value(m.out[:0], name, m.in, nil)
	if string(m.out) != value {
		value = string(m.out)
	}
	if cap(m.in) > keptBytes || cap(m.out) > keptBytes {
		m.in, m.out = nil, nil
	}
	return value
}

// verdicts remembers statements that were allowed, under one plan. Like memo it belongs to whoever has the pump locked.
type verdicts struct {
	plan any
	kept *[4]allowed // nil until a statement was allowed: many sessions are idle
	next int
}

type allowed struct {
	sql             *weir.SQL
	operation, text string // text is "" where it does not matter
	verdict         weir.Verdict
}

// of decides on a command, as Session.decide does.
func (k *verdicts) of(p *pump, cmd *weir.Command) (weir.Verdict, error) {
	g := p.s.gate
	if g.standing == nil || cmd.SQL == nil || cmd.HTTP != nil || cmd.SSH != nil {
		return p.s.decide(p.ctx, cmd)
	}
	plan, byText := g.standing.Standing()
	if plan == nil || plan != k.plan {
		*k = verdicts{plan: plan}
	}
	text := ""
	if byText {
		text = cmd.Text
	}
	if k.kept != nil {
		for i := range k.kept {
			if a := &k.kept[i]; a.sql == cmd.SQL && a.operation == cmd.Operation && a.text == text {
				return a.verdict, nil
			}
		}
	}
	v, err := p.s.decide(p.ctx, cmd)
	if err == nil && v.Effect == weir.Allow && plan != nil && len(text) <= keptBytes {
		if k.kept == nil {
			k.kept = new([4]allowed)
		}
		k.kept[k.next] = allowed{cmd.SQL, cmd.Operation, text, v}
		k.next = (k.next + 1) % len(k.kept)
	}
	return v, err
}
