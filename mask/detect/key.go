package detect

import "bytes"

// maxPuttyLine is the longest line of a PuTTY key file, in bytes; it writes 64.
const maxPuttyLine = 80

// putty reads the lines of a PuTTY key file that hold the private key: as many as the number behind "Private-Lines: " says.
func (f *finder) putty(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	i, lines := start+len(l.text), 0
	for ; i < len(f.b) && f.b[i] >= '0' && f.b[i] <= '9' && lines < 1000; i++ {
		lines = lines*10 + int(f.b[i]-'0')
	}
	from := -1 // of the first line
	for end := i; ; {
		for i < len(f.b) && (f.b[i] == '\r' || f.b[i] == '\n') {
			i++
		}
		if i == len(f.b) && !f.final {
			return f.more(start, max(from, start), l.rule, RunLine, "")
		}
		if from < 0 && i == end || lines == 0 || i == len(f.b) {
			return from >= 0 && f.add(start, from, end, l.rule)
		}
		if from < 0 {
			from = i
			f.view(from)
		}
		line := i
		for i < len(f.b) && l.alphabet[f.b[i]] && i-line < maxPuttyLine {
			i++
		}
		if i == len(f.b) && !f.final {
			return f.more(start, from, l.rule, RunLine, "")
		}
		if i == line || i < len(f.b) && f.b[i] != '\r' && f.b[i] != '\n' {
			return i > from && f.add(start, from, i, l.rule)
		}
		end, lines = i, lines-1
	}
}

// keyLabel reports that what follows "-----BEGIN " is the label of a private key and not an expression that finds one: b reaches behind the
// label, or to where the input ends for now.
func keyLabel(b []byte) bool {
	end := bytes.Index(b, []byte("----"))
	if end < 0 {
		end = len(b)
	}
	for _, c := range b[:end] {
		if c != ' ' && c != '-' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	for end < len(b) && b[end] == '-' {
		end++
	}
	return end == len(b) || bytes.IndexByte([]byte(".([|)?"), b[end]) < 0
}

// key reads a private key block to its END line. A block without one goes on to the end of the input.
func (f *finder) key(l *literal, start int) bool {
	if start < f.done {
		return false
	}
	head := f.b[start:min(len(f.b), start+80)]
	private := bytes.Index(head, []byte("PRIVATE"))
	if end := bytes.Index(head[min(len(l.text), len(head)):], []byte("----")); end >= 0 && (private < 0 || private > len(l.text)+end) || private < 0 && len(head) == 80 {
		return false
	} else if private < 0 {
		if f.final {
			return false
		}
		return f.more(start, start, l.rule, RunKey, "")
	}
	if !keyLabel(head[min(len(l.text), private):]) {
		return false
	}
	switch begins, known := f.keyBegins(start + len(l.text)); {
	case !known:
		return f.more(start, start, l.rule, RunKey, "")
	case !begins:
		return false
	}
	end := len(f.b)
	if at := bytes.Index(f.b[start:], []byte("END ")); at >= 0 {
		end = start + at + 4
		for end < len(f.b) && f.b[end] != '-' {
			end++
		}
		for end < len(f.b) && f.b[end] == '-' {
			end++
		}
	}
	if end < len(f.b) || f.final {
		return f.add(start, start, end, l.rule)
	}
	return f.more(start, start, l.rule, RunKey, "")
}

// keyBegins reports whether a key, or what describes one, stands behind the rest of a BEGIN line, and not only a text about such lines.
func (f *finder) keyBegins(i int) (begins, known bool) {
	const reach = 120
	dashes, run := 0, 0
	limit := i + reach
	end := min(len(f.b), limit)
	for ; i < end && dashes < 4; i++ {
		if dashes++; f.b[i] != '-' {
			dashes = 0
		}
	}
	for ; i < end; i++ {
		if f.b[i] == '-' && bytes.HasPrefix(f.b[i:end], []byte("-----END ")) {
			return false, true // both lines are only spoken of
		}
		switch keyTable[f.b[i]] {
		case keyText:
			if run++; run == 12 {
				return true, true
			}
		case keyColon:
			if run > 3 {
				return true, true // Proc-Type: 4,ENCRYPTED
			}
			run = 0
		default:
			run = 0
		}
	}
	if end == limit {
		return false, true
	}
	return f.final && run > 0, f.final
}

// keyTable tells what keys are written in from other bytes.
var keyTable = func() (t [256]uint8) {
	for c := range t {
		if isWord(byte(c)) && c != '_' || c == '+' || c == '/' {
			t[c] = keyText
		}
	}
	t[':'] = keyColon
	return t
}()

// Classes of keyTable.
const (
	keyText  = 1
	keyColon = 2
)
