package personal

// Bounds of telephone numbers, in digits.
const (
	minDialed   = 7
	minGrouped  = 8
	minDigits   = 9 // of an international number without separators
	maxDigits   = 15
	maxDomestic = 14
	maxGap      = 6 // bytes between a word and a number
)

// telephone reads the international number (E.164) whose first digits are at start, behind a plus. Results are those of number; next is
// 0 when nothing was found.
func (f *finder) telephone(start int) (next, cut int) {
	b, begin := f.b, start-1
	if begin > 0 && b[begin] == '(' {
		begin--
	}
	if begin < 0 || b[begin] != '+' || begin < f.done || !f.s.on.has(phone) || b[start] == '0' {
		return 0, -1
	}
	if begin > 0 && (isWord(b[begin-1]) || b[begin-1] == '+' || b[begin-1] == '/') {
		return 0, -1
	}
	n := f.dial(start, maxDigits)
	switch {
	case n.cut:
		return 0, begin
	case n.digits < minGrouped || n.groups == 1 && n.digits < minDigits || !calling(n.first):
		return 0, -1
	}
	return f.found(begin, n.end, phone)
}

// domestic reads a number that a word before it says to be a telephone's. Its first group of digits is b[start:end].
func (f *finder) domestic(start, end int) (next, cut int) {
	if end-start < minDialed && end < len(f.b) && classTable[f.b[end]]&tieByte == 0 {
		return 0, -1
	}
	begin := start
	if start > f.done && f.b[start-1] == '(' {
		begin--
	}
	if !f.s.on.has(phone) || !f.apart(begin) || !f.called(begin) {
		return 0, -1
	}
	n := f.dial(start, maxDomestic)
	switch {
	case n.cut:
		return 0, begin
	case n.digits < minDialed || n.dated || n.dotted == 3 && n.groups == 4:
		return 0, -1
	}
	return f.found(begin, n.end, phone)
}

// called reports whether one of the two words before begin says that a telephone's number follows. No digit may stand between.
func (f *finder) called(begin int) bool {
	b, p := f.b, begin
	for range 2 {
		gap := p
		for p > 0 && gap-p < maxGap && !wordByte(b[p-1]) && !isDigit(b[p-1]) && b[p-1] != '\n' {
			p--
		}
		q := p
		for q > 0 && p-q < nearBack && wordByte(b[q-1]) {
			q--
		}
		if q == p {
			return false
		}
		if p-q > 2 && f.words(p, p-q).has(phone) {
			return true
		}
		p = q
	}
	return false
}

// dialed is what dial has read.
type dialed struct {
	end    int // 0 for no number
	digits int
	groups int
	dotted int     // so many dots tie groups
	first  [3]byte // its first digits
	dated  bool    // begins like 2020-01-31
	cut    bool    // more bytes are needed
}

// dial reads groups of digits at i, at most limit digits. Only the first two groups may have one digit.
func (f *finder) dial(i, limit int) (n dialed) {
	b, from := f.b, i
	for {
		g := i
		for i < len(b) && isDigit(b[i]) && i-g <= limit {
			i++
		}
		if i == len(b) && !f.final {
			return dialed{cut: true}
		}
		size := i - g
		if n.digits+size > limit || size == 1 && n.groups > 1 || i < len(b) && isWord(b[i]) {
			if n.groups == 0 || i < len(b) && isWord(b[i]) {
				return dialed{}
			}
			break
		}
		for _, c := range b[g : g+min(size, max(0, 3-n.digits))] {
			n.first[n.digits] = c
			n.digits++
			size--
		}
		n.digits += size
		n.groups++
		n.end = i
		if n.groups == 3 && n.end-from == len("2020-01-31") && b[from+4] == b[from+7] && (b[from] == '1' || b[from] == '2') {
			n.dated = true
		}
		at, wait := f.tie(i)
		if wait {
			return dialed{cut: true}
		}
		if at == i {
			break
		}
		if b[i] == '.' {
			n.dotted++
		}
		i = at
	}
	ok, wait := f.ends(n.end)
	switch {
	case wait:
		return dialed{cut: true}
	case !ok && n.end < len(b) && b[n.end] != '-' && b[n.end] != '.':
		return dialed{}
	}
	return n
}

// tie steps over what separates two groups of digits: up to three of blank, hyphen, dot, slash and brackets. It returns i when no
// digit follows.
func (f *finder) tie(i int) (at int, wait bool) {
	for at = i; at < i+4; at++ {
		if at == len(f.b) {
			return i, !f.final
		}
		switch c := f.b[at]; {
		case isDigit(c):
			return at, false
		case classTable[c]&tieByte == 0:
			return i, false
		}
	}
	return i, false
}

// calling reports whether a number with these first digits has a country code that ITU-T has assigned, by its first two digits.
func calling(first [3]byte) bool {
	if first[0] == '1' || first[0] == '7' {
		return true
	}
	if first[1] == 0 {
		return false
	}
	switch value(first[:2]) {
	case 28, 83, 89:
		return false
	}
	return first[0] != '0'
}
