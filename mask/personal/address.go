package personal

// Bounds of addresses, in bytes.
const (
	maxHost     = 253
	maxUserinfo = 128 // of what is searched for the beginning of a URL
)

// address reads the mail address whose @, or %40, is b[at:host]. Results are those of number; next is 0 when nothing was found.
func (f *finder) address(at, host int) (next, cut int) {
	if !f.s.on.has(email) {
		return 0, -1
	}
	start := f.local(at)
	if start < 0 || start >= at {
		return 0, -1
	}
	b, end := f.b, host
	for end < len(b) && end-host <= maxHost && classTable[b[end]]&hostByte != 0 {
		end++
	}
	switch {
	case end-host > maxHost:
		return 0, -1
	case end == len(b) && !f.final:
		return 0, start
	}
	n := hostname(b[host:end])
	if n == 0 || host+n < len(b) && (b[host+n] == '@' || b[host+n] == '_') || f.userinfo(start) || string(b[start:at]) == "git" {
		return 0, -1
	}
	return f.found(start, host+n, email)
}

// local returns where the part of an address before its @ begins, or -1 when it is too long.
func (f *finder) local(at int) int {
	b, start := f.b, at
	for start > 0 && at-start <= maxLocal {
		c := b[start-1]
		if classTable[c]&localByte == 0 && (c != '%' || at-start < 2 || b[start] != '2' || b[start+1]|0x20 != 'b') { // %2B is a plus in a URL
			break
		}
		start--
	}
	if at-start > maxLocal {
		return -1
	}
	if start > 0 && b[start-1] == '%' {
		start = min(start+2, at) // the rest of an escape
	}
	if start < at {
		start = escaped(b, start)
	}
	start = max(start, f.done)
	for start < at && !isWord(b[start]) {
		start++
	}
	return start
}

// hostname returns how much of b is a domain name with a top level that may be one, or 0.
func hostname(b []byte) int {
	label, labels := 0, 0 // where the last one begins, and how many stand before it
	for i := 0; i <= len(b); i++ {
		if i < len(b) && b[i] != '.' {
			continue
		}
		if i == label { // nothing between two dots
			break
		}
		if i-label > 63 || b[label] == '-' {
			return 0
		}
		if i == len(b) || i+1 < len(b) && b[i+1] == '.' || i+1 == len(b) {
			return top(b, label, i, labels)
		}
		labels++
		label = i + 1
	}
	return 0
}

// top returns the length of a name whose last label is b[label:end].
func top(b []byte, label, end, labels int) int {
	if labels == 0 || version(b) {
		return 0
	}
	n := label
	if b[n] >= 0x80 {
		return end
	}
	if string(b[n:min(n+4, end)]) == "xn--" {
		return end
	}
	for n < end && isLetter(b[n]) {
		n++
	}
	if n-label < 2 || n-label > 24 || n < end && isDigit(b[n]) {
		return 0
	}
	var buf [24]byte
	for i, c := range b[label:n] {
		buf[i] = c | 0x20
	}
	if noTopTable[string(buf[:n-label])] {
		return 0
	}
	return n
}

// version reports a name that begins like v1.2 or 2x.
func version(b []byte) bool {
	i := 0
	if b[0] == 'v' || b[0] == 'V' {
		i++
	}
	n := i
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i > n && i+1 < len(b) && (b[i] == '.' && isDigit(b[i+1]) || b[i] == 'x' && b[i+1] == '.')
}

// noTopTable holds the ends of names of files and units: what stands before them is no host.
var noTopTable = map[string]bool{
	"service": true, "socket": true, "timer": true, "slice": true, "scope": true, "mount": true, "automount": true, "device": true, "path": true, "target": true, "swap": true,
	"png": true, "jpg": true, "jpeg": true, "gif": true, "svg": true, "webp": true, "css": true, "js": true, "jsx": true, "tsx": true, "json": true, "yaml": true, "yml": true, "xml": true,
	"html": true, "htm": true, "txt": true, "log": true, "dll": true, "exe": true, "jar": true, "class": true, "tgz": true, "gz": true,
}

// userinfo reports whether what begins at start stands between scheme:// and a host.
func (f *finder) userinfo(start int) bool {
	low := max(2, start-maxUserinfo)
	for p := start; p > low; p-- {
		switch c := f.b[p-1]; {
		case c == '/':
			return f.b[p-2] == '/' && p > 2 && f.b[p-3] == ':'
		case c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>' || c == '?' || c == '#' || c == ',' || c == ';':
			return false
		}
	}
	return false
}
