package sshgate

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"weir"
)

// Payloads of requests and channels, as RFC 4254 lays them out.
type (
	ptyRequest struct { // 6.2
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}
	windowChange struct { // 6.7
		Columns, Rows, Width, Height uint32
	}
	envRequest  struct{ Name, Value string } // 6.4
	textRequest struct{ Text string }        // exec, 6.5, the name of a subsystem, 6.5, of a signal, 6.9
	exitStatus  struct{ Status uint32 }      // 6.10
	exitSignal  struct {                     // 6.10
		Signal   string
		Core     bool
		Message  string
		Language string
	}
	directTCP struct { // 7.2
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	listenTCP struct { // tcpip-forward and cancel-tcpip-forward, 7.1
		Host string
		Port uint32
	}
	listenReply struct{ Port uint32 } // 7.1, when port 0 was asked for
)

// Sizes of what a client may send along with requests.
const (
	maxCommand = 256 << 10 // bytes of a command
	maxEnv     = 32 << 10  // bytes of all variables
	maxSide    = 10_000    // columns and rows
)

// oneLine spells what would break a line.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' && r != '\t' || r == 0x7f:
			b.WriteString(`\x` + strconv.FormatUint(uint64(r>>4), 16) + strconv.FormatUint(uint64(r&15), 16)) //nolint:gosec // below 0x80
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// bound lays parts out so that no two lists are equal.
func bound(parts []string) []byte {
	var out []byte
	for _, p := range parts {
		out = binary.BigEndian.AppendUint64(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}

// commandAllowed reports that each simple command of a text matches one of the patterns of words. Redirections, assignments and what
// cannot be read match none.
func commandAllowed(patterns []string, text string, use *weir.ShellUse) bool {
	if len(patterns) == 0 {
		return true
	}
	if use == nil || use.Unclear != "" || use.Dynamic || len(use.Commands) == 0 || strings.ContainsAny(text, "<>") || assigns(text) {
		return false
	}
	for _, c := range use.Commands {
		if !slices.ContainsFunc(patterns, func(p string) bool { return wordsMatch(strings.Fields(p), c.Words) }) {
			return false
		}
	}
	return true
}

// assigns reports that a word of the text looks like an assignment to a variable.
func assigns(text string) bool {
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n;&|(){}", r) }) {
		name, _, found := strings.Cut(w, "=")
		if found && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+") == "" {
			return true
		}
	}
	return false
}

func wordsMatch(pattern, words []string) bool {
	for i, p := range pattern {
		if p == "**" && i == len(pattern)-1 {
			return true
		}
		if i >= len(words) || p != "*" && p != words[i] {
			return false
		}
	}
	return len(pattern) == len(words)
}

// resizeAttrs is a terminal's size as records hold it.
func resizeAttrs(columns, rows uint32) []weir.Attr {
	return []weir.Attr{
		{Name: "columns", Value: strconv.FormatUint(uint64(columns), 10)},
		{Name: "rows", Value: strconv.FormatUint(uint64(rows), 10)},
	}
}

// parse reads a payload; what does not fit is false.
func parse(r *ssh.Request, into any) bool { return ssh.Unmarshal(r.Payload, into) == nil }
