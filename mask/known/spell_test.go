package known_test

import (
	"bytes"
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"mime/quotedprintable"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"weir/mask/known"
)

// each writes every byte of v with the format and puts between between.
func each(v, format, between string) string {
	var parts []string
	for i := range len(v) {
		parts = append(parts, fmt.Sprintf(format, v[i]))
	}
	return strings.Join(parts, between)
}

func wide(v string, big bool) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(v)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

// wrap breaks v after every width bytes, the first time after first.
func wrap(v string, first, width int, br string) string {
	var b strings.Builder
	for at := min(first, len(v)); ; at = min(width, len(v)) {
		b.WriteString(v[:at])
		if v = v[at:]; v == "" {
			return b.String()
		}
		b.WriteString(br)
	}
}

// encodings are made by the standard library or by plain rules, not by the package under test.
func encodings(t testing.TB, v string) map[string]string {
	t.Helper()
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	rev := []byte(v)
	slices.Reverse(rev)
	var x, qp bytes.Buffer
	_ = xml.EscapeText(&x, []byte(v))
	w := quotedprintable.NewWriter(&qp)
	_, _ = w.Write([]byte(v))
	_ = w.Close()
	b64 := base64.StdEncoding.EncodeToString
	m := map[string]string{
		"raw": v, "reversed": string(rev), "csv": strings.ReplaceAll(v, `"`, `""`), "sql": strings.ReplaceAll(v, "'", "''"),
		"query": url.QueryEscape(v), "path": url.PathEscape(v), "query twice": url.QueryEscape(url.QueryEscape(v)),
		"query of path": url.QueryEscape(url.PathEscape(v)), "percent": each(v, "%%%02x", ""), "PERCENT": each(v, "%%%02X", ""), "percent twice": each(v, "%%25%02X", ""),
		"json": strings.Trim(string(j), `"`), "html": html.EscapeString(v), "xml": x.String(), "go": strings.Trim(strconv.Quote(v), `"`),
		"entities": each(v, "&#%d;", ""), "hex entities": each(v, "&#x%x;", ""), "HEX entities": each(v, "&#x%X;", ""), "json all": each(v, `\u%04x`, ""),
		"printable": qp.String(), "printable all": each(v, "=%02X", ""),
		"hex": hex.EncodeToString([]byte(v)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(v))), "bytea": `\x` + hex.EncodeToString([]byte(v)),
		"colons": each(v, "%02x", ":"), "COLONS": each(v, "%02X", ":"), "dump": each(v, "%02x", " "), "dashes": each(v, "%02X", "-"),
		"C": each(v, `\x%02x`, ""), "C upper": each(v, `\x%02X`, ""), "octal": each(v, `\%03o`, ""),
		"array": each(v, "0x%02x", ", "), "ARRAY": each(v, "0x%02X", ","), "words": each(v, "0x%02x", " "),
		"properties": strings.NewReplacer(`\`, `\\`, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`).Replace(v),
		"shell":      "'" + strings.ReplaceAll(v, "'", `'\''`) + "'", "$''": "$'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`).Replace(v) + "'",
		"utf-16le": wide(v, false), "utf-16be": wide(v, true), "utf-16 hex": hex.EncodeToString([]byte(wide(v, false))),
	}
	for _, before := range []string{"", "u", "ab", "abc", "service-account"} {
		m["basic "+before] = b64([]byte(before + ":" + v))
		m["url basic "+before] = base64.URLEncoding.EncodeToString([]byte(before + ":" + v + "\n"))
		m["basic in a query "+before] = url.QueryEscape(m["basic "+before])
		m["basic in json "+before] = strings.ReplaceAll(m["basic "+before], "/", `\/`)
		m["registry "+before] = b64([]byte(`{"auths":{"` + before + `":{"auth":"` + b64([]byte(before+":"+v)) + `"}}}`))
		m["powershell "+before] = b64([]byte(wide(before+v+"x", false)))
		m["base32 "+before] = base32.StdEncoding.EncodeToString([]byte(before + v + "x"))
	}
	return m
}

var canaries = []string{"CANARY-tr0ub4dor&3", `CANARY "q" 'a' \ <&> /+=:#!`, "CANARY", "CANARYx", "CANARY-123", "CANARY-a-rather-long-secret-with-many-bytes-0123456789"}

func TestEveryEncodingIsFoundAtEveryAlignment(t *testing.T) {
	for _, v := range canaries {
		s := build(t, v)
		for name, enc := range encodings(t, v) {
			if len(enc) < 2*known.MinLength && strings.HasPrefix(name, "base32") {
				continue
			}
			for pad := range 20 {
				text := []byte(strings.Repeat(".", pad) + enc + "....")
				spans := s.Find(nil, text)
				if len(spans) == 0 {
					t.Errorf("%q as %s at %d is missed: %q", v, name, pad, enc)
					break
				}
			}
		}
	}
}

func TestNotASpelling(t *testing.T) {
	s := build(t, canaries[0])
	out := make([]byte, ascii85.MaxEncodedLen(len(canaries[0])))
	ascii85.Encode(out, []byte(canaries[0]))
	for name, v := range map[string]string{"one character off": "CANARY-tr0ub4dor&4", "other case": strings.ToLower(canaries[0]), "ascii85": string(out)} {
		if got := s.Find(nil, []byte(v)); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNotTooManySpellings(t *testing.T) {
	for v, most := range map[string]int{canaries[1]: 135, canaries[5]: 90, "CANARYx7Kq2mWn8Rv4Lp6Zt": 90, "CANARY+/pass=word é ünicode\x01": 135, "CANARY\nof\tlines\n": 135} {
		if n := len(known.Spellings(v)); n > most {
			t.Errorf("%q: %d spellings, want %d at most", v, n, most)
		} else {
			t.Logf("%q: %d spellings", v, n)
		}
	}
}

func TestUnicodeAndControlCharacters(t *testing.T) {
	for _, v := range []string{"CANARYgrün-€-日本語", "CANARY-😀-emoji", "CANARY\x01\x7fcontrol", "CANARY-line\nCANARY-line", "CANARY\ttab\x00nul"} {
		s := build(t, v)
		ascii := strings.Trim(strconv.QuoteToASCII(v), `"`)
		forms := map[string]string{"utf-16le": wide(v, false), "utf-16be": wide(v, true), "query": url.QueryEscape(v), "path": url.PathEscape(v),
			"octal": each(v, `\%03o`, ""), "hex": each(v, `\x%02x`, ""), "base64": base64.StdEncoding.EncodeToString([]byte(v))}
		if !strings.ContainsAny(v, "\x7f\x00\x01") && !strings.Contains(v, "😀") { // Go's own escapes for these are not JSON's
			forms["ascii"] = ascii
		}
		j, _ := json.Marshal(v)
		if !strings.Contains(v, "\x7f") {
			forms["json"] = strings.Trim(string(j), `"`)
		}
		for name, form := range forms {
			if got := s.Find(nil, []byte(" "+form+" ")); len(got) == 0 {
				t.Errorf("%q as %s is missed: %q", v, name, form)
			}
		}
	}
}

// TestWrapped breaks encodings at every place and checks the whole of the secret is taken, in one call and in a stream.
func TestWrapped(t *testing.T) {
	v := canaries[5]
	for name, enc := range map[string]string{
		"base64": base64.StdEncoding.EncodeToString([]byte(v)), "basic": base64.StdEncoding.EncodeToString([]byte("user:" + v)),
		"hex": hex.EncodeToString([]byte(v)), "base32": base32.StdEncoding.EncodeToString([]byte(v)), "token": strings.ReplaceAll(v, "-", "_")} {
		s := build(t, v, strings.ReplaceAll(v, "-", "_"))
		for brName, br := range map[string]string{"LF": "\n", "CR LF": "\r\n", "indent": "\n      ", "json": `\n`, "json CR LF": `\r\n`, "json twice": `\\n`} {
			for _, width := range []int{60, 64, 76} {
				for before := range width {
					// A first line of any letters, so that the break falls everywhere.
					text := wrap(strings.Repeat("Zx9", 26)[:before]+enc, width, width, br) + br + "end\n"
					bare := strings.NewReplacer("\n", "", "\r", "", " ", "", `\`, "")
					spans := s.Find(nil, []byte(text))
					if len(spans) != 1 || len(bare.Replace(text[spans[0].Start:spans[0].End])) < len(enc)*8/10 {
						t.Fatalf("%s, %s, %d columns, %d before: %v in %q", name, brName, width, before, spans, text)
					}
					if got := stream(s, []byte(text), func(int) int { return 1 + before%7 }); !slices.Equal(got, spans) {
						t.Fatalf("%s, %s, %d columns, %d before: %v in a stream, %v at once: %q", name, brName, width, before, got, spans, text)
					}
				}
			}
		}
	}
}

func TestSoftBreaks(t *testing.T) {
	v := "CANARY=tr0ub4dor=and=3"
	s := build(t, v)
	for before := range 90 {
		var b bytes.Buffer
		w := quotedprintable.NewWriter(&b)
		_, _ = w.Write([]byte(strings.Repeat("an ordinary word or two ", 4)[:before] + v + " and what comes behind it\n"))
		_ = w.Close()
		for _, text := range []string{b.String(), strings.ReplaceAll(b.String(), "\r\n", "\n")} {
			spans := s.Find(nil, []byte(text))
			if len(spans) != 1 || strings.NewReplacer("=3D", "=", "=\r\n", "", "=\n", "").Replace(text[spans[0].Start:spans[0].End]) != v {
				t.Fatalf("%d before: %v in %q", before, spans, text)
			}
			if got := stream(s, []byte(text), func(int) int { return 1 + before%5 }); !slices.Equal(got, spans) {
				t.Fatalf("%d before: %v in a stream, %v at once: %q", before, got, spans, text)
			}
		}
	}
}
