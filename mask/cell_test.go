package mask_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"weir"
	"weir/mask"
	"weir/mask/known"
)

func columns(names ...string) []weir.Column {
	var out []weir.Column
	for _, n := range names {
		c := weir.Column{}
		c.Name, c.Protected = strings.CutSuffix(n, "!")
		c.Name, c.Typed = strings.CutSuffix(c.Name, "#")
		out = append(out, c)
	}
	return out
}

// row masks cells: "-" is NULL, before and after.
func row(c *mask.Columns, cells []string, t *weir.Tally) string {
	var values [][]byte
	for _, v := range cells {
		if v == "-" {
			values = append(values, nil)
		} else {
			values = append(values, []byte(v))
		}
	}
	c.Row(values, t)
	var out []string
	for _, v := range values {
		if v == nil {
			out = append(out, "-")
		} else {
			out = append(out, short(string(v)))
		}
	}
	return strings.Join(out, "|")
}

// TestRows has columns whose names end in ! where they are protected, and in # where they are typed.
func TestRows(t *testing.T) {
	m := masker(t)
	for name, c := range map[string]struct{ columns, in, want string }{
		"clean":                     {"id#|name|email", "1234|Alice|alice@example.com", "1234|Alice|alice@example.com"},
		"secret by its column":      {"id#|passwd", "1234|hunter2", "1234|[masked:field]"},
		"null":                      {"passwd|x", "-|-", "-|-"},
		"empty":                     {"passwd", "", ""},
		"weak name, plain value":    {"signature", "alice", "alice"},
		"weak name, opaque value":   {"signature", "9f8A7c6D5b4E3f2A1", "[masked:field]"},
		"scheme":                    {"authorization", "Bearer abc", "Bearer [masked:field]"},
		"protected":                 {"p!", "Bearer abc", "[masked:field]"},
		"protected, looks harmless": {"p!|q!|r!", "true|[masked:field:abcdefgh]|x", "[masked:field]|[masked:field]|[masked:field]"},
		"protected, empty":          {"p!|q#!", "|-", "|-"},
		"known":                     {"note", "a " + canary + " b", "a [masked:credential] b"},
		"detected":                  {"note", "postgres://u:hunter2@h/d", "postgres://u:[masked:url-password]@h/d"},
		"in words":                  {"note", "the password=hunter2 of it", "the password=[masked:field] of it"},
		"typed, by name":            {"token#|pin_code#", "12345678|1234", "-|1234"},
		"typed, a flag":             {"secret#", "t", "t"},
		"typed, protected":          {"salary#!", "7", "-"},
		"typed, known":              {"x#", "\x00\x01" + canary + "\xff", "-"},
		"typed, chance":             {"x#", "\x00ghp_0123456789abcdefghijklmnopqrstuvwxyzAB", "\x00ghp_0123456789abcdefghijklmnopqrstuvwxyzAB"},
		"json":                      {"doc", `{"a": 1, "password" : "hunter2\/x", "n":"\u00e9"}`, `{"a": 1, "password" : "[masked:field]", "n":"\u00e9"}`},
		"json, number":              {"doc", `[{"token":12345678}]`, `[{"token":"[masked:field]"}]`},
		"json, nested":              {"doc", `{"a":"{\"token\":12345678}"}`, `{"a":"{\"token\":\"[masked:field]\"}"}`},
		"json, clean":               {"doc", `{"a":"b","c":[1,2,3]}`, `{"a":"b","c":[1,2,3]}`},
		"no json":                   {"doc", `{a,password=hunter2}`, `{a,password=[masked:field]}`},
		"show all":                  {"name|setting|description", "ssl_passphrase|x1|Sets it", "ssl_passphrase|[masked:field]|Sets it"},
		"show all, clean":           {"name|setting|description", "password_encryption_type|scram|How", "password_encryption_type|scram|How"},
		"show variables":            {"Variable_name|Value", "report_password|x1", "report_password|[masked:field]"},
		"pg_settings":               {"name|setting|unit|boot_val|reset_val", "primary_conninfo|a|-|b|c", "primary_conninfo|[masked:field]|-|[masked:field]|[masked:field]"},
		"value before its name":     {"value|key", "x1|api_key", "[masked:field]|api_key"},
		"a sentence is no name":     {"name|value", "how to set your new password|x1", "how to set your new password|x1"},
		"no value column":           {"name|price#", "password|1234", "password|1234"},
		"typed value":               {"name|value#", "db_password|1234", "db_password|-"},
		"row without a name":        {"name|value", "-|x1", "-|x1"},
		"two names":                 {"name|key|value", "app|api_key|x1", "app|api_key|[masked:field]"},
		"more cells than columns":   {"a", "b|password=hunter2", "b|password=[masked:field]"},
	} {
		t.Run(name, func(t *testing.T) {
			cols := m.Columns(columns(strings.Split(c.columns, "|")...))
			var tally weir.Tally
			for range 2 {
				if got := row(cols, strings.Split(c.in, "|"), &tally); got != c.want {
					t.Errorf("%q\n got %q\nwant %q", c.in, got, c.want)
				}
			}
			changed := strings.Count(c.want, "[masked:") - strings.Count(c.in, "[masked:") + strings.Count(c.want, "-|") + strings.Count(c.want+"$", "-$")
			if strings.Contains(c.want, "masked") && tally.Total() == 0 || c.in == c.want && tally.Total() > 0 {
				t.Errorf("counted %d, changed %d", tally.Total(), changed)
			}
		})
	}
}

func TestARowForgetsTheNameOfTheOneBefore(t *testing.T) {
	c := masker(t).Columns(columns("name", "value"))
	for _, in := range []string{"db_password|x1=>db_password|[masked:field]", "color|red=>color|red", "db_password|x2=>db_password|[masked:field]", "-|red=>-|red"} {
		cells, want, _ := strings.Cut(in, "=>")
		if got := row(c, strings.Split(cells, "|"), nil); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestCellsOneByOne(t *testing.T) {
	c := masker(t).Columns(columns("Variable_name", "Value"))
	if !c.Naming(0) || c.Naming(1) || c.Naming(2) || c.Naming(-1) {
		t.Error("the naming column is not the first one")
	}
	dst := []byte("before:")
	out, change := c.Cell(dst, 0, []byte("report_password"), nil)
	if change != weir.Unchanged || string(out) != "before:" {
		t.Errorf("%q %d", out, change)
	}
	out, change = c.Cell(out, 1, []byte("x1"), nil)
	if change != weir.Masked || short(string(out)) != "before:[masked:field]" {
		t.Errorf("%q %d", out, change)
	}
	if _, change = c.Cell(nil, 1, []byte("x1"), nil); change != weir.Unchanged {
		t.Errorf("the name of the row before holds: %d", change)
	}
	for name, want := range map[string]weir.Change{"port": weir.Unchanged, "report_password": weir.Masked} {
		c.SetName([]byte("section"))
		c.SetName([]byte(name))
		if _, change = c.Cell(nil, 1, []byte("x1"), nil); change != want {
			t.Errorf("%s: %d", name, change)
		}
	}
	if _, change = masker(t).Columns(columns("a#!")).Cell(nil, 0, []byte("1"), nil); change != weir.Null {
		t.Errorf("%d", change)
	}
}

func TestPairs(t *testing.T) {
	c := masker(t).Columns(nil)
	for name, p := range map[string][3]string{
		"secret": {"api_key", "x1", "[masked:field]"}, "clean": {"color", "ordinary red", ""}, "known": {"color", "x" + canary, "x[masked:credential]"}, "json": {"doc", `{"token":"abc"}`, `{"token":"[masked:field]"}`},
		"config": {"requirepass", "x1", "[masked:field]"}, "empty": {"requirepass", "", ""},
	} {
		out, change := c.Pair(nil, []byte(p[0]), []byte(p[1]), nil)
		if short(string(out)) != p[2] || (change == weir.Masked) != (p[2] != "") {
			t.Errorf("%s: %q %d", name, out, change)
		}
	}
}

// TestCellsMaskWhatValuesDo compares with Value over texts that hold secrets and that hold none.
func TestCellsMaskWhatValuesDo(t *testing.T) {
	m := masker(t)
	c := m.Columns(columns("x"))
	for in := range textCases {
		for cut := range len(in) {
			v := []byte(in[cut:])
			out, change := c.Cell(nil, 0, v, nil)
			if change == weir.Unchanged {
				out = v
			}
			if want := m.Value(nil, "x", v, nil); string(out) != string(want) {
				t.Fatalf("%q: %q, want %q", v, out, want)
			}
		}
	}
}

func twenty(t testing.TB) *mask.Masker {
	t.Helper()
	e, err := mask.New(mask.Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	var entries []known.Entry
	for i := range 20 {
		entries = append(entries, known.Entry{Name: "a", Value: fmt.Appendf(nil, "CANARY%dheld-Zt5Xq8Wn3Rv6Lk1Pd", i)})
	}
	set, _, err := known.Build(entries)
	if err != nil {
		t.Fatal(err)
	}
	return e.Masker(set)
}

var cleanCells = [][]byte{[]byte("an ordinary cell of a table, 40 bytes of"), []byte("another cell with 40 ordinary bytes, oh!"), []byte("2026-01-02T03:04:05Z alice@example.com a"), []byte(`["a list of","ordinary","cells in JSON"]`)}

func TestCleanCellsAllocateNothing(t *testing.T) {
	c := twenty(t).Columns(columns("id", "name", "value", "doc"))
	values := make([][]byte, 4)
	var tally weir.Tally
	if n := testing.AllocsPerRun(200, func() {
		copy(values, cleanCells)
		if c.Row(values, &tally) {
			t.Error("a clean row was changed")
		}
		for i, v := range cleanCells {
			if _, change := c.Cell(nil, i, v, &tally); change != weir.Unchanged {
				t.Errorf("%s was changed", v)
			}
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCell(b *testing.B) {
	m := twenty(b)
	c := m.Columns(columns("id", "title", "created_at"))
	for name, cells := range map[string][][]byte{"text": cleanCells[:3], "json": cleanCells[3:], "short": {[]byte("1234"), []byte("alice"), []byte("shipped today")}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i, v := range cells {
					if _, change := c.Cell(nil, i, v, nil); change != weir.Unchanged {
						b.Fatal(change)
					}
				}
			}
			b.ReportMetric(float64(len(cells)*b.N)/1e6/b.Elapsed().Seconds(), "Mcells/s")
		})
	}
}

// dirtyRows are rows of an id, an address that is shown, and a token that is not.
func dirtyRows(n int) [][3][]byte {
	rows := make([][3][]byte, n)
	for i := range rows {
		sum := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, i)))
		rows[i] = [3][]byte{fmt.Append(nil, 1_000_000+i), fmt.Appendf(nil, "user%d@example.com", i), []byte("key gh" + "p_" + sum[:36])}
	}
	return rows
}

func TestMaskedCellsAllocateNothing(t *testing.T) {
	if raced {
		t.Skip("pools forget under the race detector")
	}
	c, rows := twenty(t).Columns(columns("id", "email", "note")), dirtyRows(64)
	var tally weir.Tally
	var dst []byte
	pass := func() {
		for _, row := range rows {
			for i, v := range row {
				out, change := c.Cell(dst[:0], i, v, &tally)
				if (change == weir.Masked) != (i == 2) {
					t.Errorf("%s: %v", v, change)
				}
				if change == weir.Masked {
					dst = out
				}
			}
		}
	}
	pass()
	if n := testing.AllocsPerRun(20, pass); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDirtyRow(b *testing.B) {
	c, rows := twenty(b).Columns(columns("id", "email", "note")), dirtyRows(1<<12)
	var tally weir.Tally
	var dst []byte
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		for i, v := range rows[n%len(rows)] {
			if out, change := c.Cell(dst[:0], i, v, &tally); change == weir.Masked {
				dst = out
			}
		}
	}
}

// BenchmarkDirtyRows masks the same rows by searches of many.
func BenchmarkDirtyRows(b *testing.B) {
	c, rows := twenty(b).Columns(columns("id", "email", "note")), dirtyRows(80)
	var all []byte
	var ends []int
	for _, row := range rows {
		for _, v := range row {
			all = append(binary.BigEndian.AppendUint32(all, uint32(len(v))), v...)
			ends = append(ends, len(all))
		}
	}
	var tally weir.Tally
	var dst []byte
	var marks []int32
	b.ReportAllocs()
	for b.Loop() {
		marks, _ = c.Marks(marks[:0], all)
		at, next := 0, 0
		for i, end := range ends {
			first := next
			for next < len(marks) && int(marks[next]) < end {
				next++
			}
			if first < next {
				dst, _ = c.Marked(dst[:0], i%3, all[at+4:end], marks[first:next], at+4, &tally)
			}
			at = end
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rows)), "ns/row")
	if tally.Total() != b.N*len(rows) {
		b.Errorf("%d of %d rows are masked", tally.Total(), b.N*len(rows))
	}
}

// marked is what becomes of row[from:to] by the marks in row, and whether it has any.
func marked(t *testing.T, c *mask.Columns, col int, row []byte, from, to int, tally *weir.Tally) (out []byte, change weir.Change, any bool) {
	t.Helper()
	marks, ok := c.Marks(nil, row)
	if !ok {
		t.Fatalf("%q cannot be searched at once", row)
	}
	place := func(m int32) int { return int(max(m, ^m)) }
	if !slices.IsSortedFunc(marks, func(x, y int32) int { return place(x) - place(y) }) {
		t.Fatalf("%q: marks %v are not in order", row, marks)
	}
	marks = slices.DeleteFunc(marks, func(m int32) bool { return place(m) < from || place(m) >= to })
	if len(marks) == 0 {
		return nil, weir.Unchanged, false
	}
	out, change = c.Marked([]byte("before"), col, row[from:to], marks, from, tally)
	return bytes.TrimPrefix(out, []byte("before")), change, true
}

// TestMarkedCellsAreMaskedAlike masks cells with numbers in front of them, as wires have them, by a search of all of the row, and each by itself.
func TestMarkedCellsAreMaskedAlike(t *testing.T) {
	m := masker(t)
	c := m.Columns([]weir.Column{{Name: "id", Typed: true}, {Name: "note"}})
	clear, seen, changed := 0, 0, 0
	for in := range textCases {
		for cut := range len(in) {
			v := []byte(in[cut:])
			if bytes.ContainsAny(v, "\n\\") || v[0] == '{' || v[0] == '[' {
				continue
			}
			for col := range 3 {
				var one, other weir.Tally
				want, wanted := c.Cell(nil, col, v, &one)
				for front := range 9 {
					row := append(append(bytes.Repeat([]byte{0, 0, 0, byte(len(v))}, 3)[:front], v...), "\x00\x00\x00\x04done"...)
					other = weir.Tally{}
					got, change, any := marked(t, c, col, row, front, front+len(v), &other)
					if change != wanted || !bytes.Equal(got, want) || other.Total() != one.Total() || other.Bytes() != one.Bytes() {
						t.Fatalf("%q in %q: %v %q, by itself %v %q", v, row, change, got, wanted, want)
					}
					switch {
					case !any:
						clear++
					case change == weir.Unchanged:
						seen++
					default:
						changed++
					}
				}
			}
		}
	}
	if clear == 0 || seen == 0 || changed == 0 {
		t.Errorf("%d cells without a mark, %d with some that stay, %d that change", clear, seen, changed)
	}
}

// TestMarksOfManyCells masks cells that stand behind one another, of which one goes on with what the next begins with.
func TestMarksOfManyCells(t *testing.T) {
	m := masker(t)
	c := m.Columns(columns("note"))
	var cells [][]byte
	for in := range textCases {
		if n := len(in); n > 4 && !strings.ContainsAny(in, "\n\\") && in[0] != '{' && in[0] != '[' {
			cells = append(cells, []byte(in), []byte(in[:n/2]), []byte(in[n/2:]), []byte(in[:n-1]), []byte(in[1:]))
		}
	}
	cells = slices.DeleteFunc(cells, func(v []byte) bool { return v[0] == '{' || v[0] == '[' })
	for _, between := range []string{"", "\t", "\x00\x00\x00\x18"} {
		var all []byte
		for _, v := range cells {
			all = append(append(all, v...), between...)
		}
		at := 0
		for _, v := range cells {
			from := max(0, at-100)
			want, wanted := c.Cell(nil, 0, v, nil)
			if got, change, _ := marked(t, c, 0, all[from:min(len(all), at+len(v)+100)], at-from, at-from+len(v), nil); change != wanted || !bytes.Equal(got, want) {
				t.Fatalf("%q: %v %q, by itself %v %q", v, change, got, wanted, want)
			}
			at += len(v) + len(between)
		}
	}
}

// TestMarksOfWhatTheyCannotTell has columns whose cells are masked for more than what they hold, and a text that is nothing but marks.
func TestMarksOfWhatTheyCannotTell(t *testing.T) {
	m := masker(t)
	text := []byte("ordinary words of several rows")
	if marks, ok := m.Columns(columns("id", "note")).Marks(nil, text); !ok || len(marks) > 0 {
		t.Error("clear cells are not")
	}
	protected := []weir.Column{{Name: "a"}, {Name: "b", Protected: true}}
	for name, cols := range map[string][]weir.Column{"a name": columns("password"), "protected": protected, "pairs": columns("name", "value"), "statements": {{Name: "query", Statement: true}}} {
		if _, ok := m.Columns(cols).Marks(nil, text); ok || m.Columns(cols).Short() > 0 {
			t.Errorf("%s: cells are called clear whatever they are called", name)
		}
	}
	if c := withPersonal(t, m).Columns(columns("note")); c.Short() > 0 {
		t.Error("short personal data is not looked for")
	} else if _, ok := c.Marks(nil, text); ok {
		t.Error("personal data is not looked for")
	}
	if marks, ok := m.Columns(columns("note")).Marks(nil, bytes.Repeat([]byte("token="), 1<<16)); ok || cap(marks) > 1<<14 {
		t.Errorf("%v: room for %d marks", ok, cap(marks))
	}
}

// TestShortCellsStay cuts all that is masked somewhere into cells that are too short for it.
func TestShortCellsStay(t *testing.T) {
	c := masker(t).Columns([]weir.Column{{Name: "id", Typed: true}, {Name: "note"}})
	n := c.Short() - 1
	if n < 4 {
		t.Fatal("no cell is short")
	}
	for in := range textCases {
		for from := range len(in) {
			for to := from; to <= min(from+n, len(in)); to++ {
				for col := range 3 {
					if out, change := c.Cell(nil, col, []byte(in[from:to]), nil); change != weir.Unchanged {
						t.Fatalf("%q became %q", in[from:to], out)
					}
				}
			}
		}
	}
}
