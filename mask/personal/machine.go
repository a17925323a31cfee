package personal

// maxRun is the longest IPv6 address with an IPv4 address at its end and a bit of punctuation, in bytes.
const maxRun = 48

// machine reads the IP address that the word b[start:end] belongs to. Results are those of number; next is 0 when nothing was found.
func (f *finder) machine(start, end int) (next, cut int) {
	if !f.s.on.has(ip) {
		return 0, -1
	}
	if start >= f.run && (end < len(f.b) && f.b[end] == ':' || start > 0 && f.b[start-1] == ':') {
		if next, cut = f.colons(start); next > 0 || cut >= 0 {
			return next, cut
		}
	}
	if start < f.done || end-start > 3 || end == len(f.b) || f.b[end] != '.' {
		return 0, -1
	}
	return f.dots(start)
}

// dots reads an IPv4 address at start.
func (f *finder) dots(start int) (next, cut int) {
	b := f.b
	if start > 0 {
		// A digit, a name or a product stands before it: 1.2.3.4.5, openssl-1.0.2.1, Chrome/120.0.0.0.
		switch c := b[start-1]; {
		case c == '.' || c == '_' || c == '@':
			return 0, -1
		case (c == '-' || c == '+') && start > 1 && !isDigit(b[start-2]) && b[start-2] > ' ':
			return 0, -1
		case c == '/' && start > 1 && isWord(b[start-2]):
			return 0, -1
		}
	}
	octets, end, wait := quad(b[start:])
	if wait && !f.final {
		return 0, start
	}
	if end == 0 {
		return 0, -1
	}
	if end += start; end == len(b) && !f.final || end+1 == len(b) && !f.final && (b[end] == '.' || b[end] == '-' || b[end] == '+') {
		return 0, start
	}
	if end < len(b) {
		c := b[end]
		follows := end+1 < len(b) && isWord(b[end+1])
		if isWord(c) || c == '@' || c == '.' && follows || (c == '-' || c == '+') && follows && !isDigit(b[end+1]) {
			return 0, -1
		}
	}
	// Loopback, unspecified, broadcast and netmasks are nobody's.
	if octets[0] == 127 || octets[0] == 255 || octets == [4]byte{} || f.numbered(start) {
		return end, -1
	}
	return f.found(start, end, ip)
}

// numbered reports whether the word right before start says that a version follows.
func (f *finder) numbered(start int) bool {
	p := start
	for p > 0 && start-p < 4 && !wordByte(f.b[p-1]) && f.b[p-1] != '\n' {
		p--
	}
	q := p
	for q > 0 && p-q < 9 && wordByte(f.b[q-1]) {
		q--
	}
	return q < p && f.words(p, p-q).has(ip)
}

// quad reads four numbers up to 255 with dots between them. wait is set when b ends within.
func quad(b []byte) (octets [4]byte, end int, wait bool) {
	i := 0
	for n := range 4 {
		if n > 0 {
			if i == len(b) {
				return octets, 0, true
			}
			if b[i] != '.' {
				return octets, 0, false
			}
			i++
		}
		at, v := i, 0
		for i < len(b) && isDigit(b[i]) && i-at < 3 {
			v = v*10 + int(b[i]-'0')
			i++
		}
		if i == at && i == len(b) {
			return octets, 0, true
		}
		if i == at || v > 255 || i-at > 1 && b[at] == '0' {
			return octets, 0, false
		}
		octets[n] = byte(v)
	}
	if i == len(b) {
		return octets, i, true
	}
	return octets, i, false
}

// colons reads an IPv6 address (RFC 4291) around the word at i.
func (f *finder) colons(i int) (next, cut int) {
	b, start, end := f.b, i, i
	for start > 0 && i-start <= maxRun && classTable[b[start-1]]&hexByte != 0 {
		start--
	}
	for end < len(b) && classTable[b[end]]&hexByte != 0 {
		end++
	}
	f.run = end
	if end-start > maxRun {
		return 0, -1
	}
	if end == len(b) && !f.final {
		return 0, max(start, f.done)
	}
	if start > 0 && (isWord(b[start-1]) || b[start-1] == '-') { // the end of a name before a colon
		for start < i && b[start] != ':' {
			start++
		}
		if b[start] != ':' || b[start+1] == ':' {
			return 0, -1
		}
		start++
	}
	if end < len(b) && (isWord(b[end]) || b[end] == '@') || start < f.done {
		return 0, -1
	}
	if b[start] == ':' && start+1 < end && b[start+1] != ':' {
		start++
	}
	for end > start && b[end-1] == '.' || end > start+1 && b[end-1] == ':' && b[end-2] != ':' {
		end--
	}
	if !sixth(b[start:end]) {
		return 0, -1
	}
	return f.found(start, end, ip)
}

// sixth reports an IPv6 address that is neither loopback nor unspecified, and no name in code such as a1::b2.
func sixth(b []byte) bool {
	groups, gap, first, pairs := 0, -1, 0, 0
	i := 0
	for i < len(b) {
		if b[i] == ':' {
			if i+1 == len(b) || b[i+1] != ':' {
				if i == 0 || i+1 == len(b) {
					return false
				}
				i++
			} else {
				if gap >= 0 {
					return false
				}
				gap = groups
				i += 2
			}
			continue
		}
		at := i
		for i < len(b) && b[i] != ':' && b[i] != '.' {
			i++
		}
		if i < len(b) && b[i] == '.' {
			if _, end, _ := quad(b[at:]); end == 0 || at+end != len(b) {
				return false
			}
			groups += 2
			break
		}
		if i-at > 4 || groups == 8 {
			return false
		}
		if groups == 0 {
			first = i - at
		}
		if i-at == 2 {
			pairs++
		}
		groups++
	}
	if gap < 0 {
		return groups == 8 && pairs < 8 // eight pairs are an EUI-64
	}
	return groups < 8 && (gap > 0 && first >= 3 && groups > 1 || groups > 2)
}
