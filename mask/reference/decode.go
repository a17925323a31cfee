package reference

import (
	"bytes"
	"encoding/base64"
)

const (
	maxRun   = 64 << 10 // bytes of one encoded run that are decoded
	maxDepth = 2        // encodings within each other
)

// encoded adds the base64 runs that hold a secret which needs no name. The whole run is the finding.
func (d *Detector) encoded(found []Finding, text []byte) []Finding {
	for _, at := range d.base64.FindAllIndex(text, -1) {
		if kind := d.inside(text[at[0]:at[1]], 1); kind != "" {
			found = append(found, Finding{Start: at[0], End: at[1], Rule: "base64:" + kind})
		}
	}
	return found
}

// inside returns the kind of the secret that a run holds, or "".
func (d *Detector) inside(run []byte, depth int) string {
	run = bytes.TrimRight(run[:min(len(run), maxRun)], "=")
	encoding := base64.RawStdEncoding
	if bytes.ContainsAny(run, "-_") {
		encoding = base64.RawURLEncoding
	}
	plain, err := encoding.DecodeString(string(run[:len(run)/4*4]))
	if rest, err := encoding.DecodeString(string(run[len(run)/4*4:])); err == nil {
		plain = append(plain, rest...)
	}
	if err != nil || !readable(plain) {
		return ""
	}
	if found := d.plain(nil, plain, true); len(found) > 0 {
		return found[0].Rule
	}
	if depth == maxDepth {
		return ""
	}
	for _, at := range d.base64.FindAllIndex(plain, -1) {
		if kind := d.inside(plain[at[0]:at[1]], depth+1); kind != "" {
			return kind
		}
	}
	return ""
}

// readable reports text rather than arbitrary bytes.
func readable(v []byte) bool {
	odd := 0
	for _, c := range v {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c >= 0x7f {
			odd++
		}
	}
	return odd*10 <= len(v)
}
