package screen_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weir/evidence/screen"
)

func TestText(t *testing.T) {
	for name, c := range map[string]struct {
		in, want      string
		columns, rows int
	}{
		"lines":                   {in: "one\r\ntwo\r\n", want: "one\ntwo\n"},
		"a line written over":     {in: "10%\r50%\r100%\r\n", want: "10%\n50%\n100%\n"},
		"colours":                 {in: "\x1b[1;31mCAN\x1b[38:2::1:2:3mARY\x1b[0m", want: "CANARY\n"},
		"wrapped":                 {in: "abcdefghijklmno", columns: 10, rows: 3, want: "abcdefghijklmno\n"},
		"wrapped and scrolled":    {in: "abcdefghijklmnopqrstuvwxyz\r\nx\r\ny", columns: 5, rows: 3, want: "abcdefghijklmnopqrstuvwxyz\nx\ny\n"},
		"scrolled":                {in: "1\r\n2\r\n3\r\n4", columns: 5, rows: 2, want: "1\n2\n3\n4\n"},
		"erased":                  {in: "secret\x1b[2J\x1b[Hnext", want: "secret\nnext\n"},
		"erased to the end":       {in: "secret\r\x1b[Kx", want: "secret\nx\n"},
		"deleted characters":      {in: "abcdef\x1b[3D\x1b[2P", want: "abcdef\nabcf\n"},
		"inserted characters":     {in: "abef\x1b[2D\x1b[2@cd", want: "abef\nabcdef\n"},
		"insert mode":             {in: "ac\x1b[D\x1b[4hb\x1b[4l", want: "ac\nabc\n"},
		"inserted lines":          {in: "a\r\nb\x1b[1;1H\x1b[Lx", columns: 4, rows: 4, want: "x\na\nb\n"},
		"deleted lines":           {in: "a\r\nb\x1b[1;1H\x1b[M", columns: 4, rows: 4, want: "a\nb\n"},
		"alternate screen":        {in: "shell\x1b[?1049hvim\x1b[?1049l$", want: "shell\n     vim\nshell$\n"},
		"wide":                    {in: "日本語a", columns: 5, rows: 3, want: "日本語a\n"},
		"combining":               {in: "e\u0301a", want: "e\u0301a\n"},
		"line drawing":            {in: "\x1b(0lqk\x1b(Bq", want: "┌─┐q\n"},
		"region":                  {in: "a\r\nb\r\nc\x1b[1;2r\x1b[2;1H\nd", columns: 4, rows: 3, want: "a\nb\nd\nc\n"},
		"repeated":                {in: "a\x1b[3b", want: "aaaa\n"},
		"titles are not shown":    {in: "\x1b]0;title\x07a\x1bPq\x1b\\b\x1b_x\x1b\\c", want: "abc\n"},
		"eight bit controls":      {in: "a\u009b31mb\u009dtitle\u009cc", want: "abc\n"},
		"not UTF-8":               {in: "a\xffb\xc3", want: "a\ufffdb\ufffd\n"},
		"a control in a sequence": {in: "ab\x1b[\r1Cx", want: "ab\nax\n"},
		"cancelled":               {in: "\x1b[12\x18a\x1b]0;x\x1ab", want: "ab\n"},
		"tabs and backspace":      {in: "a\tb\bc", want: "a       b\na       c\n"},
		"moves":                   {in: "\x1b[2;3Hx\x1b[A\x1b[2Dy", want: " y\n  x\n"},
		"no wrap":                 {in: "\x1b[?7labcdefg", columns: 4, rows: 2, want: "abcg\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, screen.Text(screen.Event{Columns: c.columns, Rows: c.rows, Data: []byte(c.in)})); d != "" {
				t.Error(d)
			}
			// However it is cut.
			var events []screen.Event
			for i := range len(c.in) {
				events = append(events, screen.Event{Data: []byte(c.in[i : i+1])})
			}
			events = append([]screen.Event{{Columns: c.columns, Rows: c.rows}}, events...)
			if d := cmp.Diff(c.want, screen.Text(events...)); d != "" {
				t.Error("byte by byte", d)
			}
		})
	}
}

func TestResize(t *testing.T) {
	got := screen.Text(screen.Event{Data: []byte("a long line\r\nb\r\nc")}, screen.Event{Columns: 4, Rows: 2}, screen.Event{Data: []byte("d\r\ne")}, screen.Event{Columns: 1 << 30, Rows: 1 << 30})
	if want := "a long line\nb\nc\ncd\ne\n"; got != want {
		t.Errorf("%q", got)
	}
}

func TestFilter(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"text and colours": {"\x1b[1;31mred\x1b[m\x1b[38:5:1mx\x1b[0m\r\n", "\x1b[1;31mred\x1b[m\x1b[38:5:1mx\x1b[0m\r\n"},
		"cursor":           {"\x1b[2;3H\x1b[K\x1b[2J\x1b[?25l\x1b[?1049h\x1b7\x1b8\x1b(0", "\x1b[2;3H\x1b[K\x1b[2J\x1b[?25l\x1b[?1049h\x1b7\x1b8\x1b(0"},
		"clipboard":        {"a\x1b]52;c;ZXZpbA==\x07b\x1b]52;c;ZXZpbA==\x1b\\c", "abc"},
		"title":            {"\x1b]0;evil\x07\x1b]2;evil\x1b\\\x1bkevil\x1b\\x", "evilx"},
		"device control":   {"\x1bP$q\"p\x1b\\\x1b_G\x1b\\\x1b^x\x1b\\\x1bXx\x1b\\x", "x"},
		"reports":          {"\x1b[6n\x1b[c\x1b[>c\x1b[?6n\x1b[21t\x1b[5n\x1b[x\x1bZ\x05", ""},
		"modes":            {"\x1b[?1000h\x1b[?2004h\x1b[?1004h\x1b[?1000;25h\x1b[20h\x1b[2h", "\x1b[?25h"},
		"eight bit":        {"\u009b6n\u009d52;c;x\u009ca\u0085", "a\x1bE"},
		"keyboard":         {"\x1b[>1u\x1b[=1;1u\x1b[>4;2m\x1b[1\"p\x1b=\x1b>", ""},
		"reordering":       {"a\u202eb", "a\ufffdb"},
		"not UTF-8":        {"\xff\xc3", "\ufffd\ufffd"},
		"unfinished":       {"x\x1b]52;c;abc", "x"},
		"too long":         {"\x1b[" + strings.Repeat("1;", 200) + "Hx", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			var whole, cut screen.Filter
			if d := cmp.Diff(c.want, string(whole.Close(whole.Append(nil, []byte(c.in))))); d != "" {
				t.Error(d)
			}
			var got []byte
			for i := range len(c.in) {
				got = cut.Append(got, []byte{c.in[i]})
			}
			if d := cmp.Diff(c.want, string(cut.Close(got))); d != "" {
				t.Error("byte by byte", d)
			}
		})
	}
	f := screen.Filter{Lines: true}
	if got := f.Append(nil, []byte("a\nb\r\n")); string(got) != "a\r\nb\r\n" {
		t.Errorf("%q", got)
	}
}

func FuzzScreen(f *testing.F) {
	f.Add([]byte("\x1b[?1049h\x1b[5;10r\x1b[3L\x1b[2M\x1b[@\x1b[P\x1bM日\x1b[4h本\x1b[99b\t"), 5, 3)
	f.Add([]byte("abc\xc3\x1b]0;x\x1b\\\x1b[?6h\x1b[H\x1b[?7l\x1b[8;8H\x1b[1J\x1bc"), 1, 1)
	f.Fuzz(func(t *testing.T, b []byte, columns, rows int) {
		half := len(b) / 2
		got := screen.Text(screen.Event{Columns: columns, Rows: rows, Data: b[:half]}, screen.Event{Columns: rows, Rows: columns, Data: b[half:]})
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\x07\r\b") {
			t.Errorf("%q", got)
		}
		var x, y screen.Filter
		out := x.Close(x.Append(x.Append(nil, b[:half]), b[half:]))
		if !utf8.Valid(out) {
			t.Errorf("not UTF-8: %q", out)
		}
		// What was filtered once is filtered for good.
		if again := y.Close(y.Append(nil, out)); string(again) != string(out) {
			t.Errorf("%q became %q", out, again)
		}
	})
}

func BenchmarkScreen(b *testing.B) {
	data := []byte(strings.Repeat("drwxr-xr-x  2 \x1b[1;34mroot\x1b[0m root 4096 Jan  1 00:00 some-file-name.txt\r\n", 200))
	b.SetBytes(int64(len(data)))
	s := screen.New(80, 24, func(string) {})
	for b.Loop() {
		_, _ = s.Write(data)
	}
}
