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
