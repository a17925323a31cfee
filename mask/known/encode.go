package known

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// forms returns every spelling in which the value v may turn up. Each is found on its own, so spellings that
// mix encodings are not among them.
func forms(v string) []string {
	out := []string{v, reverse(v), percent(v, "", "%20", true), percent(v, "", "%20", false), jsonAll(v, "%04x"), jsonAll(v, "%04X")}
	// What URL encoders leave clear besides letters and digits: RFC 3986, forms, path segments, encodeURIComponent, encodeURI.
	for _, clear := range []string{"-_.~", "-_.*", "-_.~$&+=:@", "-_.!~*'()", "-_.!~*'();,/?:@&=+$#"} {
		clear += letters
		out = append(out, percent(v, clear, "%20", true), percent(v, clear, "%20", false), percent(v, clear, "+", true))
	}
	// What JSON encoders escape besides what they must.
	for _, extra := range []string{"", "<>&", "<>&'", "/", "<>&'/", "<>&'\"/+="} {
		out = append(out, jsonEscape(v, extra, "%04x"), jsonEscape(v, extra, "%04X"))
	}
	out = append(out,
		markup(v, "&#34;", "&#39;"), markup(v, "&quot;", "&#x27;"), markup(v, "&quot;", "&apos;"), markup(v, `"`, `'`),
		strings.ReplaceAll(v, "'", "''"), strings.ReplaceAll(strings.ReplaceAll(v, `\`, `\\`), "'", `\'`),
		strings.ReplaceAll(v, "'", `'\''`), shell(v),
		hex.EncodeToString([]byte(v)), strings.ToUpper(hex.EncodeToString([]byte(v))), utf16le(v))
	out = append(out, base64s(v)...)
	slices.Sort(out)
	return slices.Compact(out)
}

func reverse(v string) string {
	b := []byte(v)
	slices.Reverse(b)
	return string(b)
}

func percent(v, clear, space string, upper bool) string {
	format := "%%%02x"
	if upper {
		format = "%%%02X"
	}
	var b strings.Builder
	for i := range len(v) {
		switch c := v[i]; {
		case c == ' ':
			b.WriteString(space)
		case strings.IndexByte(clear, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, format, c)
		}
	}
	return b.String()
}

// jsonEscape escapes what JSON must have escaped, and the characters of extra: / as \/, others as \u00xx.
func jsonEscape(v, extra, format string) string {
	var b strings.Builder
	for i := range len(v) {
		switch c := v[i]; {
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '/' && strings.IndexByte(extra, c) >= 0:
			b.WriteString(`\/`)
		case c < ' ' || strings.IndexByte(extra, c) >= 0:
			fmt.Fprintf(&b, `\u`+format, c)
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// jsonAll escapes every character.
func jsonAll(v, format string) string {
	var b strings.Builder
	for _, r := range v {
		if r > 0xffff {
			r -= 0x10000
			fmt.Fprintf(&b, `\u`+format+`\u`+format, 0xd800+r>>10, 0xdc00+r&0x3ff)
			continue
		}
		fmt.Fprintf(&b, `\u`+format, r)
	}
	return b.String()
}

func markup(v, quote, apostrophe string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, quote, "'", apostrophe).Replace(v)
}

func shell(v string) string {
	var b strings.Builder
	for i := range len(v) {
		if c := v[i]; c < 0x80 && strings.IndexByte(letters+"-_.~/:=@,+%", c) < 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(v[i])
	}
	return b.String()
}

func utf16le(v string) string {
	var b strings.Builder
	for _, r := range v {
		if r > 0xffff {
			r -= 0x10000
			hi, lo := 0xd800+r>>10, 0xdc00+r&0x3ff
			b.Write([]byte{byte(hi), byte(hi >> 8), byte(lo), byte(lo >> 8)})
			continue
		}
		b.Write([]byte{byte(r), byte(r >> 8)})
	}
	return b.String()
}

// base64s encodes at the three offsets the value may have in a larger text. Characters that depend on
// what stands before or behind it are cut off, so a "user:secret" pair is found whatever the user is called.
func base64s(v string) []string {
	var out []string
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			s := enc.EncodeToString([]byte(strings.Repeat("\x00", offset) + v))
			from := []int{0, 2, 3}[offset]
			to := len(s)
			if (offset+len(v))%3 != 0 {
				to--
			}
			if to-from >= minPattern {
				out = append(out, s[from:to])
			}
		}
	}
	return out
}
