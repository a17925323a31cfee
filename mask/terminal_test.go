package mask_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"weir"
	"weir/mask"
	"weir/mask/known"
)

// plainCanary is a known secret that no name, shape or place shows.
const plainCanary = "CANARYcorrecthorse7battery"

func terminalMasker(t testing.TB) *mask.Masker {
	t.Helper()
	e, err := mask.New(mask.Config{Key: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	set, _, err := known.Build([]known.Entry{{Name: "known", Value: []byte(plainCanary)}})
	if err != nil {
		t.Fatal(err)
	}
	return e.Masker(set)
}

func ghToken() string {
	const alnum = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	r := rand.New(rand.NewPCG(5, 6))
	b := []byte("ghp_")
	for range 36 {
		b = append(b, alnum[r.IntN(len(alnum))])
	}
	return string(b)
}

// each puts sep between all bytes of s.
func each(s, sep string) string { return strings.Join(strings.Split(s, ""), sep) }

func overstrike(s string) (b string) {
	for _, c := range s {
		b += string(c) + "\b" + string(c)
	}
	return b
}

var c, gh = plainCanary, ghToken()

// terminalCases are what programs send, and what is to become of it.
var terminalCases = []struct{ name, in, want string }{
	{"plain", "ls\r\nfoo bar\r\n$ ", "ls\r\nfoo bar\r\n$ "},
	{"grep --color", "conf:pass\x1b[01;31m\x1b[Kword=hun\x1b[m\x1b[Kter2\n", "conf:pass\x1b[01;31m\x1b[Kword=[masked:field]\x1b[m\x1b[K\n"},
	{"ls --color", "\x1b[0m\x1b[01;34mbin\x1b[0m  \x1b[01;32mrun.sh\x1b[0m\r\n", "\x1b[0m\x1b[01;34mbin\x1b[0m  \x1b[01;32mrun.sh\x1b[0m\r\n"},
	{"colour in a known secret", "a " + c[:5] + "\x1b[1m" + c[5:9] + "\x1b[0m" + c[9:] + " b", "a [masked:known]\x1b[1m\x1b[0m b"},
	{"colour at every byte", each(c, "\x1b[38;5;1m") + ".", "[masked:known]" + strings.Repeat("\x1b[38;5;1m", len(c)-1) + "."},
	{"8-bit CSI", "a " + c[:5] + "\x9b1m" + c[5:9] + "\u009b0m" + c[9:] + " b", "a [masked:known]\x9b1m\u009b0m b"},
	{"bold by overstrike", "NAME " + overstrike("password=hunter2") + "\n", "NAME " + overstrike("password=") + "[masked:field]\n"},
	{"bold known secret", overstrike(c) + " x\n", "[masked:known] x\n"},
	{"underlined", "_\b" + each(c, "_\b") + " x\n", "[masked:known] x\n"},
	{"bold and underlined", "_\b" + each(each(c, "_\b"), "") + "\n", "[masked:known]\n"},
	{"man page", overstrike("NAME") + "\n  ls - list\n", overstrike("NAME") + "\n  ls - list\n"},
	{"corrected", "x " + c[:9] + "Z\b \b" + c[9:] + " y\n", "x [masked:known] y\n"},
	{"corrected by CUB", "x " + c[:9] + "ZZ\x1b[2D" + c[9:] + " y\n", "x [masked:known] y\n"},
	{"corrected and cut", "x " + c[:9] + "ZZ\b\b\x1b[K" + c[9:] + " y\n", "x [masked:known]\x1b[K y\n"},
	{"typed then erased", c + strings.Repeat("\b \b", len(c)) + "ls\n", "[masked:known]" + strings.Repeat("\b \b", len(c)) + "ls\n"},
	{"corrected value", "$ export TOKEN=hunX\b \bter2\r\n", "$ export TOKEN=[masked:field]\r\n"},
	{"inserted", "x " + c[:4] + c[5:] + strings.Repeat("\b", len(c)-5) + "\x1b[1@" + c[4:5] + "\r\nok", "x [masked:known]\r\nok"},
	{"deleted", "x " + c[:4] + "Q" + c[4:] + strings.Repeat("\b", len(c)-3) + "\x1b[P\r\nok", "x [masked:known]" + strings.Repeat("\b", len(c)-3) + "\x1b[P\r\nok"},
	{"redrawn behind a carriage return", "loading\r\x1b[K" + c + "\r\x1b[Kdone\r\n", "loading\r\x1b[K[masked:known]\r\x1b[Kdone\r\n"},
	{"half overwritten", "xxxx" + c[4:] + "\r" + c[:4] + "\r\n", "xxxx[masked:known]\r\n"},
	{"carriage return inside", c[:7] + "\r" + c[7:] + "\r\n", "[masked:known]\r\r\n"},
	{"spinner", "wait |\b/\b-\b\\\b|\b done\r\n", "wait |\b/\b-\b\\\b|\b done\r\n"},
	{"progress", " 10%\r 20%\r100%\r\n", " 10%\r 20%\r100%\r\n"},
	{"wrapped by readline", "$ export T=" + gh[:20] + " \r" + gh[20:] + "\r\n", "$ export T=[masked:github-token]\r\n"},
	{"wrapped by readline twice the character", "$ export T=" + gh[:20] + gh[20:21] + "\r" + gh[20:] + "\r\n", "$ export T=[masked:github-token]\r\n"},
	{"bracketed paste", "\x1b[?2004h$ export GH=" + gh + "\r\n\x1b[?2004l\r", "\x1b[?2004h$ export GH=[masked:github-token]\r\n\x1b[?2004l\r"},
	{"psql expanded", "─[ RECORD 1 ]─\r\nid       │ 1\r\npassword │ hunter2\r\nnote     │ " + c + "\r\n", "─[ RECORD 1 ]─\r\nid       │ 1\r\npassword │ hunter2\r\nnote     │ [masked:known]\r\n"},
	{"cut by a frame", "│ " + c[:9] + "…│\r\n│ …" + c[9:] + " │\r\n", "│ [masked:known]…│\r\n│ … │\r\n"},
	{"cut by psql", " 1 | " + c[:9] + "+\n   | " + c[9:] + "\n", " 1 | [masked:known]+\n   | \n"},
	{"cut at the width", "a " + c[:9] + "\r\n" + c[9:] + " b\r\n", "a [masked:known]\r\n b\r\n"},
	{"line drawing inside", "a " + c[:9] + "│" + c[9:12] + "─" + c[12:] + " b", "a [masked:known]│─ b"},
	{"cursor addressed", "\x1b[2J\x1b[1;1H" + c[:9] + "\x1b[1;10H" + c[9:] + "\x1b[2;1H~\x1b[24;1H", "\x1b[2J\x1b[1;1H[masked:known]\x1b[1;10H\x1b[2;1H~\x1b[24;1H"},
	{"vim", "\x1b[?1049h\x1b[1;24r\x1b[27m\x1b[H\x1b[2J\x1b[1;1Hpassword=hunter2\x1b[2;1H\x1b[94m~\x1b[0m", "\x1b[?1049h\x1b[1;24r\x1b[27m\x1b[H\x1b[2J\x1b[1;1Hpassword=[masked:field]\x1b[2;1H\x1b[94m~\x1b[0m"},
	{"title", "\x1b]0;ssh " + c + "\a$ ", "\x1b]0;ssh [masked:known]\a$ "},
	{"hyperlink", "\x1b]8;;https://u:hunter2@h/\x1b\\here\x1b]8;;\x1b\\\n", "\x1b]8;;https://u:[masked:url-password]@h/\x1b\\here\x1b]8;;\x1b\\\n"},
	{"hyperlink inside", c[:9] + "\x1b]8;;\x1b\\" + c[9:] + "\n", "[masked:known]\x1b]8;;\x1b\\\n"},
	{"clipboard", "\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte("ok")) + "\a", "\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte("ok")) + "\a"},
	{"DCS", "\x1bPq" + c + "\a\x1b\\x", "\x1bPq[masked:known]\a\x1b\\x"},
	{"string ended by another", "\x1b]0;" + c + "\x1b[1mx", "\x1b]0;[masked:known]\x1b[1mx"},
	{"control in a sequence", c[:9] + "\x1b[1\x00m" + c[9:] + "\n", "[masked:known]\x00\x1b[1m\n"},
	{"cancelled sequence", c[:9] + "\x1b[1\x18" + c[9:] + "\n", "[masked:known]\x1b[1\x18\n"},
	{"repeated character", "CANARYcor\x1b[becthorse7battery\n", "[masked:known]\n"},
	{"charset", c[:9] + "\x1b(B\x0f" + c[9:] + "\n", "[masked:known]\x1b(B\x0f\n"},
	{"keypad and nul", c[:9] + "\x1b=\x00\x7f" + c[9:] + "\n", "[masked:known]\x1b=\x00\x7f\n"},
	{"unfinished sequence", "abc\x1b[3", "abc\x1b[3"},
	{"unfinished title", "abc\x1b]0;" + c, "abc\x1b]0;[masked:known]"},
	{"unfinished value", "password=\x1b[1mhunter2", "password=\x1b[1m[masked:field]"},
	{"not UTF-8", "caf\xe9 na\xefve \xff\xfe\r\n", "caf\xe9 na\xefve \xff\xfe\r\n"},
	{"UTF-8", "привет 日本 e\u0301\r\n", "привет 日本 e\u0301\r\n"},
	{"key", "-----BEGIN PRIVATE KEY-----\r\nMIIE" + gh[4:] + "\r\n-----END PRIVATE KEY-----\r\nx", "[masked:private-key]\r\nx"},
}

func TestTerminal(t *testing.T) {
	m := terminalMasker(t)
	for _, c := range terminalCases {
		if got := short(whole(t, m, weir.FormatTerminal, c.in)); got != c.want {
			t.Errorf("%s: %q\n got %q\nwant %q", c.name, c.in, got, c.want)
		}
	}
}

// unflushed masks text in pieces that only Close ends.
func unflushed(t testing.TB, m *mask.Masker, text string, cut func() int) string {
	t.Helper()
	var out bytes.Buffer
	w, err := m.Stream(&out, weir.Shape{Format: weir.FormatTerminal}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for text != "" {
		n := min(cut(), len(text))
		if _, err := w.Write([]byte(text[:n])); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAnySplitOfATerminalGivesTheSame(t *testing.T) {
	m := terminalMasker(t)
	all := ""
	for _, c := range terminalCases {
		all += c.in + "\x1b\\\r\n"
	}
	check := func(name, in string, step int) {
		want := unflushed(t, m, in, func() int { return len(in) })
		if strings.Contains(want, plainCanary[9:]) {
			t.Errorf("%s: a part of a secret is left: %q", name, want)
		}
		for i := 1; i < len(in); i += step {
			n, first := i, true
			if got := unflushed(t, m, in, func() int {
				if first {
					first = false
					return n
				}
				return len(in)
			}); got != want {
				t.Fatalf("%s cut at %d:\n got %q\nwant %q", name, i, got, want)
			}
		}
		if got := unflushed(t, m, in, func() int { return 1 }); got != want {
			t.Fatalf("%s byte by byte:\n got %q\nwant %q", name, got, want)
		}
	}
	for _, c := range terminalCases {
		check(c.name, c.in, 1)
	}
	check("all", all, 1)
	long := strings.Repeat("ordinary text, in a long line ", 150)
	check("long lines", long+c[:9]+"Z\b"+c[9:]+"\r"+long+c[:9]+"\b\b\x1b[K"+c[7:]+"\r\n"+all, 17)
}

// What shows an issuer's prefix to be one is its last byte: those before it are shown.
func TestATypedSecretIsMaskedWithPauses(t *testing.T) {
	m := terminalMasker(t)
	for _, c := range []struct{ name, in, want string }{
		{"known", "$ echo " + c + " x\r\n", "$ echo [masked:known] x\r\n"},
		{"field", "$ export PASSWORD=hunter2\r\n$ ", "$ export PASSWORD=[masked:field]\r\n$ "},
		{"token", "$ login " + gh + "\r\n", "$ login ghp[masked:github-token]\r\n"},
		{"URL", "$ curl http://u:hunter2@h/\r\n", "$ curl http://u:[masked:url-password]@h/\r\n"},
		{"coloured", "$ echo " + each(c, "\x1b[1m") + "\r\n", "$ echo [masked:known]" + strings.Repeat("\x1b[1m", len(c)-1) + "\r\n"},
		{"prompt", "password: \r\nwelcome\r\n", "password: \r\nwelcome\r\n"},
	} {
		if got := short(run(t, m, weir.FormatTerminal, c.in, func() int { return 1 })); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

// TestFlushHoldsOnlyWhatMayBeASecret tells after each Flush what has come out.
func TestFlushHoldsOnlyWhatMayBeASecret(t *testing.T) {
	m := terminalMasker(t)
	for _, c := range []struct{ name, in, held string }{
		{"prompt", "alice@host:~$ ", ""},
		{"password prompt", "Password: ", ""},
		{"password prompt of sudo", "[sudo] password for alice: ", ""},
		{"a key", "$ l", ""},
		{"a word", "$ git push", ""},
		{"a name", "$ export PASSW", ""},
		{"a name and its operator", "$ tool --password ", ""},
		{"a spinner", "\r\x1b[K50% |\b/", ""},
		{"colours", "\x1b[1mx\x1b[0m", ""},
		{"a URL", "$ curl https://example.com/a", ""},
		{"an edited line", "abc\b\b\x1b[K", ""},
		{"a value", "$ export PASSWORD=hun", "hun"},
		{"an issuer's prefix", "$ ghp_abc", "ghp_abc"},
		{"a known secret's begin", "$ " + c[:7], c[:7]},
		{"a known secret's begin in colour", "$ " + c[:4] + "\x1b[1m" + c[4:7] + "\x1b[0m", c[:4] + "\x1b[1m" + c[4:7] + "\x1b[0m"},
		{"a control function", "ab\x1b[3", "\x1b[3"},
		{"a character", "ab\xe2\x94", "\xe2\x94"},
	} {
		var out bytes.Buffer
		w, _ := m.Stream(&out, weir.Shape{Format: weir.FormatTerminal}, nil)
		_, _ = w.Write([]byte(c.in))
		if err := w.Flush(); err != nil || out.String() != strings.TrimSuffix(c.in, c.held) {
			t.Errorf("%s: %q came out of %q", c.name, out.String(), c.in)
		}
	}
}

// TestASecondFlushHoldsNoShortBeginning waits behind every letter that a spelling of a secret may begin with, and behind one that is the beginning.
func TestASecondFlushHoldsNoShortBeginning(t *testing.T) {
	e, err := mask.New(mask.Config{Key: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var entries []known.Entry
	for i := range 200 {
		value := make([]byte, 20)
		for k := range value {
			value[k] = byte('!' + r.IntN('~'-'!'+1))
		}
		entries = append(entries, known.Entry{Name: fmt.Sprint("known", i), Value: value})
	}
	set, _, err := known.Build(entries)
	if err != nil {
		t.Fatal(err)
	}
	m := e.Masker(set)
	once, never := 0, 0
	for c := byte('!'); c <= '~'; c++ {
		for _, end := range []string{"", "\n", "\r\n"} {
			in := " " + string(c) + end
			var out bytes.Buffer
			w, _ := m.Stream(&out, weir.Shape{Format: weir.FormatTerminal}, nil)
			for i := range 2 {
				_, _ = w.Write([]byte(in[:len(in)*(1-i)]))
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
				if out.String() != in {
					once += 1 - i
					never += i
				}
			}
		}
	}
	if once == 0 || never > 0 {
		t.Errorf("the first Flush held %d of the lines, the second %d", once, never)
	}
	value := string(entries[0].Value)
	for n := 1; n < len(value); n++ {
		var out bytes.Buffer
		w, _ := m.Stream(&out, weir.Shape{Format: weir.FormatTerminal}, nil)
		_, _ = w.Write([]byte("x " + value[:n]))
		_ = w.Flush()
		_ = w.Flush()
		shown := strings.TrimPrefix(out.String(), "x ")
		if n <= 3 && shown != value[:n] || n > 3 && shown != "" {
			t.Errorf("%d bytes of a secret: %q", n, shown)
		}
		_, _ = w.Write([]byte(value[n:] + " y\r\n"))
		_ = w.Close()
		if got, want := short(out.String()), "x "+shown+"[masked:known0] y\r\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestWhatFlushLetGoIsNotMaskedLess edits a secret into a line that has been shown.
func TestWhatFlushLetGoIsNotMaskedLess(t *testing.T) {
	var out bytes.Buffer
	w, _ := terminalMasker(t).Stream(&out, weir.Shape{Format: weir.FormatTerminal}, nil)
	for _, p := range []string{"x " + c[:9] + "ZZ", "\b\b", c[9:], "\r\nok\r\n"} {
		_, _ = w.Write([]byte(p))
		_ = w.Flush()
	}
	_ = w.Close()
	if got, want := short(out.String()), "x "+c[:9]+"ZZ\b\b[masked:known]\r\nok\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHostileTerminals(t *testing.T) {
	m := terminalMasker(t)
	const size = 1 << 20
	for name, unit := range map[string]string{
		"CSI without end": "\x1b[\x001;", "OSC without end": "\x1b]0;x", "backspaces": "\b", "carriage returns": "\r", "escapes": "\x1b", "overstrike": "a\b", "edits": "aX\bb\bX\bb\b",
		"colours": "\x1b[m", "long line": "abc ", "repeat": "a\x1b[255b", "insert": "\x1b[200@a\b", "edges": " \n", "frames": "│", "prefixes": c[:5] + "\n  ", "prefix and colours": c[:5] + strings.Repeat("\x1b[m", 50), "value": "password=", "CUB": "abc\x1b[3D",
		"spinner": "|\b", "8-bit": "\x9b", "UTF-8": "\xe2", "continuations": "\x94",
	} {
		in := []byte(strings.Repeat(unit, size/len(unit)))
		if strings.HasSuffix(name, "without end") {
			in = append([]byte(unit), bytes.Repeat([]byte(unit[2:]), size/(len(unit)-2))...)
		}
		w, _ := m.Stream(discard{}, weir.Shape{Format: weir.FormatTerminal}, nil)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for n := 0; n < len(in); n += 4 << 10 {
			_, _ = w.Write(in[n:min(len(in), n+4<<10)])
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
			t.Errorf("%s: %d bytes are held", name, grown)
		}
		_ = w.Close()
	}
}

// TestASecretBehindHostileInputIsMasked hides a secret where budgets run out.
func TestASecretBehindHostileInputIsMasked(t *testing.T) {
	m := terminalMasker(t)
	for name, in := range map[string]string{
		"colours in it":     c[:9] + strings.Repeat("\x1b[1m", 100_000) + c[9:],
		"long string in it": c[:9] + "\x1b]0;" + strings.Repeat("x", 100_000) + "\a" + c[9:],
		"long CSI in it":    c[:9] + "\x1b[" + strings.Repeat("1;", 100_000) + "m" + c[9:],
		"in a long string":  "\x1b]0;" + strings.Repeat("x", 100_000) + c + "\a",
		"behind edits":      strings.Repeat("long line ", 100) + strings.Repeat("x\b \b", 20_000) + c,
		"behind a spinner":  strings.Repeat("long line ", 30) + strings.Repeat("|\b/\b", 20_000) + c[:9] + "Z\b" + c[9:],
		"behind colours":    strings.Repeat("\x1b[1m", 100_000) + c[:9] + "\x1b[1m" + c[9:],
		"half typed":        strings.Repeat("a\b", 50_000) + c[:9] + "Z\b" + c[9:],
	} {
		for _, n := range []int{1 << 20, 1000} {
			got := unflushed(t, m, in, func() int { return n })
			if strings.Contains(got, c[9:]) || strings.Contains(got, c[:9]) {
				t.Errorf("%s: %.200q", name, got[max(0, len(got)-200):])
			}
		}
	}
}

func FuzzTerminal(f *testing.F) {
	for _, c := range terminalCases {
		f.Add(c.in, uint16(7))
	}
	m := terminalMasker(f)
	f.Fuzz(func(t *testing.T, in string, cut uint16) {
		want := unflushed(t, m, in, func() int { return len(in) })
		if got := unflushed(t, m, in, func() int { return 1 + int(cut) }); got != want {
			t.Fatalf("cut by %d of %q:\n got %q\nwant %q", cut, in, got, want)
		}
		if strings.Contains(want, plainCanary) {
			t.Fatalf("%q: %q", in, want)
		}
	})
}

func BenchmarkTerminal(b *testing.B) {
	words := strings.Fields("lorem ipsum dolor sit amet -rw-r--r-- 1 alice staff 4096 Jan 12 10:11 file.txt README.md ok 2026-01-02T03:04:05Z")
	r := rand.New(rand.NewPCG(1, 2))
	var text, colour bytes.Buffer
	for text.Len() < 1<<20 {
		line := ""
		for range 8 + r.IntN(8) {
			w := words[r.IntN(len(words))]
			line += w + " "
			fmt.Fprintf(&colour, "\x1b[%dm%s\x1b[0m ", 30+r.IntN(8), w)
		}
		text.WriteString(line + "\r\n")
		colour.WriteString("\r\n")
	}
	e, _ := mask.New(mask.Config{Key: []byte("0123456789abcdef")})
	for _, c := range []struct {
		name string
		m    *mask.Masker
		f    weir.Format
		in   string
	}{
		{"text/as text", e.Masker(), weir.FormatText, text.String()},
		{"text", e.Masker(), weir.FormatTerminal, text.String()},
		{"text/known as text", terminalMasker(b), weir.FormatText, text.String()},
		{"text/known", terminalMasker(b), weir.FormatTerminal, text.String()},
		{"colour/as text", e.Masker(), weir.FormatText, colour.String()},
		{"colour", e.Masker(), weir.FormatTerminal, colour.String()},
		{"colour/known", terminalMasker(b), weir.FormatTerminal, colour.String()},
		{"overstrike", e.Masker(), weir.FormatTerminal, strings.Repeat("a\ba", 1<<18)},
		{"edits", e.Masker(), weir.FormatTerminal, strings.Repeat("aX\bb\bX\bb\b", 1<<16)},
		{"spinner", e.Masker(), weir.FormatTerminal, strings.Repeat("|\b/\b", 1<<18)},
		{"insert", e.Masker(), weir.FormatTerminal, strings.Repeat("\x1b[200@a\b", 1<<16)},
		{"escapes", e.Masker(), weir.FormatTerminal, strings.Repeat("\x1b[m", 1<<18)},
		{"CSI without end", e.Masker(), weir.FormatTerminal, "\x1b[" + strings.Repeat("1;", 1<<19)},
		{"OSC without end", e.Masker(), weir.FormatTerminal, "\x1b]" + strings.Repeat("1;", 1<<19)},
		{"carriage returns", e.Masker(), weir.FormatTerminal, strings.Repeat("\r", 1<<20)},
		{"lines of one byte", terminalMasker(b), weir.FormatTerminal, strings.Repeat("C\n", 1<<19)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.in)))
			for b.Loop() {
				w, _ := c.m.Stream(discard{}, weir.Shape{Format: c.f}, nil)
				in := []byte(c.in)
				for n := 0; n < len(in); n += 32 << 10 {
					_, _ = w.Write(in[n:min(len(in), n+32<<10)])
				}
				_ = w.Close()
			}
		})
	}
}

func TestLongValuesOnATerminalNeitherLeakNorPileUp(t *testing.T) {
	m := terminalMasker(t)
	secret := strings.Repeat("Zx9\x1b[m", 50_000)
	for _, c := range []struct{ name, in, end string }{
		{"value", "x password=" + secret + " a: 1", " a: 1"},
		{"quoted", `x password="` + secret + `" a: 1`, `" a: 1`},
		{"line", "password: " + secret + "\r\na: 1", "\r\na: 1"},
		{"key", "-----BEGIN PRIVATE KEY-----\r\n" + secret + "\r\n-----END PRIVATE KEY----- a: 1", " a: 1"},
	} {
		for _, n := range []int{1 << 20, 1000} {
			got := unflushed(t, m, c.in, func() int { return n })
			if strings.Contains(got, "Zx9") || strings.Contains(got, "Z") || !strings.HasSuffix(got, c.end) || strings.Count(got, "[masked:") != 1 {
				t.Errorf("%s in pieces of %d: %d bytes: %.80q … %q", c.name, n, len(got), got, got[max(0, len(got)-80):])
			}
		}
	}
}

func TestATerminalIsTallied(t *testing.T) {
	var tally weir.Tally
	w, err := terminalMasker(t).Stream(&bytes.Buffer{}, weir.Shape{Format: weir.FormatTerminal}, &tally)
	if err != nil {
		t.Fatal(err)
	}
	// The screen view finds the same again; it counts once. The clipboard counts, the title too.
	in := "x password=hunX\b \bter2 \x1b[1m" + plainCanary + "\r\n\x1b]0;" + plainCanary + "\a\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte("a "+plainCanary)) + "\a"
	if _, err := w.Write([]byte(in)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	tally.Each(func(kind string, n int) { got[kind] = n })
	if got["field"] != 1 || got["known"] != 3 || len(got) != 2 {
		t.Error(got)
	}
}

type broken struct{ n int }

func (b *broken) Write([]byte) (int, error) { b.n++; return 0, bytes.ErrTooLarge }

func TestATerminalStopsAtAnError(t *testing.T) {
	var b broken
	w, _ := terminalMasker(t).Stream(&b, weir.Shape{Format: weir.FormatTerminal}, nil)
	_, _ = w.Write([]byte("a\r\nb\r\n"))
	_, err := w.Write([]byte("c\r\n"))
	if err == nil || w.Flush() == nil || w.Close() == nil || b.n != 1 {
		t.Error(err, b.n)
	}
}
