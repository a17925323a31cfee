package sshgate

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"weir"
)

// sniffLength is how many bytes at the beginning of an output tell its kind.
const sniffLength = 8 << 10

// packerNames are commands whose output may be an archive or compressed.
var packerNames = []string{"gzip", "pigz", "bzip2", "xz", "zstd", "lz4", "zip", "tar", "gtar", "bsdtar", "cpio", "zfs", "dd", "pg_dump", "pg_basebackup", "xtrabackup", "gpg", "openssl"}

// opaqueKind is the kind of payload that a command's output will be, or "" when it is to be looked at as text. It only chooses which setting
// is asked; it lets nothing pass.
func opaqueKind(use *weir.ShellUse) string {
	if use == nil {
		return ""
	}
	if c, ok := alone(use); ok {
		switch {
		case c.Name == "rsync" && slices.Contains(c.Words, "--server"):
			return OpaqueRsync
		case c.Name == "git-upload-pack" || c.Name == "git-receive-pack" || c.Name == "git-upload-archive":
			return OpaqueGit
		case c.Name == "git" && len(c.Words) > 1 && (strings.HasPrefix(c.Words[1], "upload-") || c.Words[1] == "receive-pack"):
			return OpaqueGit
		}
	}
	if n := len(use.Commands); n > 0 && packs(use.Commands[n-1]) {
		return OpaquePipe
	}
	return ""
}

// alone returns the one command that a line runs, behind sudo and its like: others beside it would have their output pass as its.
func alone(use *weir.ShellUse) (weir.ShellCommand, bool) {
	n := len(use.Commands)
	if n == 0 || use.Unclear != "" || use.Dynamic {
		return weir.ShellCommand{}, false
	}
	c := use.Commands[n-1]
	for _, around := range use.Commands[:n-1] {
		if from := len(around.Words) - len(c.Words); from <= 0 || !slices.Equal(around.Words[from:], c.Words) {
			return weir.ShellCommand{}, false
		}
	}
	return c, true
}

// packs reports that a command writes an archive or compressed bytes to its output.
func packs(c weir.ShellCommand) bool {
	if !slices.Contains(packerNames, c.Name) {
		return false
	}
	for i, w := range c.Words[1:] {
		switch {
		case strings.HasSuffix(c.Name, "tar"):
			// tar c… without f, or with f -.
			if i == 0 && strings.Contains(w, "c") && (!strings.Contains(w, "f") || len(c.Words) > 2 && c.Words[2] == "-") {
				return true
			}
		case w == "-c" || w == "--stdout":
			return true
		}
	}
	return c.Name == "gzip" || c.Name == "pigz" || c.Name == "zstd" || c.Name == "xz" || c.Name == "bzip2" || c.Name == "lz4"
}

// isText reports that the beginning of an output reads as text in ASCII, UTF-8 or a charset that is mostly ASCII.
func isText(b []byte) bool {
	b = b[:min(len(b), sniffLength)]
	if bytes.IndexByte(b, 0) >= 0 || compressed(b) {
		return false
	}
	n, bad := len(b), 0
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && size == 1 && utf8.FullRune(b):
			bad++
		case r < ' ' && (r < '\a' || r > '\r') && r != 0x1b, r == 0x7f:
			bad++
		}
		b = b[size:]
	}
	return bad <= n/10
}

// compressed knows what is short enough to look like text by chance.
func compressed(b []byte) bool {
	for _, magic := range []string{"\x1f\x8b", "BZh", "\xfd7zXZ", "\x28\xb5\x2f\xfd", "PK\x03\x04"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return true
		}
	}
	return false
}
