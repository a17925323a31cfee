package mask

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"weir"
	"weir/mask/known"
)

// hostileMasker has two sets of secrets, as a session has them.
func hostileMasker(t testing.TB) *Masker {
	t.Helper()
	e, err := New(Config{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	var sets []*known.Set
	for _, v := range []string{"CANARYheld-Zt5Xq8Wn3Rv6Lk1Pd", "weir_X0LqIRI7x6sHftMQYaNGXjdz69zlRomW2mVbA3"} {
		s, _, err := known.Build([]known.Entry{{Name: "a", Value: []byte(v)}})
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, s)
	}
	return e.Masker(sets...)
}

// hostileInputs returns inputs of about size bytes whose shape is to cost time or memory.
func hostileInputs(size int) map[string][]byte {
	distinct := &bytes.Buffer{}
	for i := 0; distinct.Len() < size; i++ {
		fmt.Fprintf(distinct, `{"%c%x_name":1,`, 'a'+i%26, uint32(i)*2654435761)
		fmt.Fprintf(distinct, `"k%d":2}`, i)
	}
	names := &bytes.Buffer{}
	names.WriteByte('{')
	for i := 0; names.Len() < size; i++ {
		fmt.Fprintf(names, `"name":"item %d","id":"v%d","value":"x",`, i, i)
	}
	many := func(s string) []byte { return bytes.Repeat([]byte(s), size/len(s)) }
	return map[string][]byte{
		"deep":               many("["),
		"up and down":        many(strings.Repeat("[", 9000) + strings.Repeat("]", 9000)),
		"deep objects":       many(strings.Repeat(`{"name":"a b c",`+`"x":`, 9000)),
		"one string":         append([]byte(`{"x":"`), many("lorem ipsum dolor sit amet ")...),
		"one escaped string": append([]byte(`{"x":"`), many(`lorem\u0020ipsum\n\"dolor\" sit amet `)...),
		"one secret":         append([]byte(`{"password":"`), many("x1")...),
		"one name":           append([]byte(`{"`), many("abcdefgh")...),
		"numbers":            append([]byte("["), many("1,")...),
		"strings":            append([]byte("["), many(`"",`)...),
		"short escapes":      append([]byte("["), many(`"\n\t\u00e9",`)...),
		"escapes only":       append([]byte("["), many(`"`+strings.Repeat(`\u0061`, 5000)+`",`)...),
		"distinct names":     distinct.Bytes(),
		"siblings":           names.Bytes(),
		"nested":             append([]byte("["), many(`"{\"a\":\"{\\\"b\\\":1}\",\"c\":[1,2,3,\"lorem ipsum\"]}",`)...),
		"nested, broken":     append([]byte("["), many(`"[lorem ipsum dolor","{\"a\":1, lorem",`)...),
		"long number":        many("1234567890"),
	}
}

// TestJSONHoldsLittle feeds long hostile inputs: what the writer keeps of them is bounded, whatever they are.
func TestJSONHoldsLittle(t *testing.T) {
	const bound = 1 << 20
	m := hostileMasker(t)
	for name, in := range hostileInputs(8 << 20) {
		for _, size := range []int{32 << 10, len(in)} {
			j := newJSON(m, discard{}, &weir.Tally{}, 0)
			for rest := in; len(rest) > 0; {
				n := min(size, len(rest))
				if _, err := j.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
				if held := j.memory(); held > bound {
					t.Fatalf("%s in pieces of %d: holds %d bytes", name, size, held)
				}
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// memory is what the buffers of a writer may hold, in bytes.
func (j *jsonWriter) memory() int {
	n := cap(j.buf) + cap(j.out) + cap(j.plain) + cap(j.masked) + cap(j.spare) + cap(j.names) + 8*cap(j.levels) + 24*cap(j.hits) + 80*(cap(j.found)+cap(j.edits)) + 80*cap(j.scan.spans)
	if j.text != nil {
		n += cap(j.text.buf) + cap(j.text.out)
	}
	if j.passage != nil {
		n += cap(j.passage.plain) + cap(j.passage.raw) + cap(j.passage.t.buf)
	}
	if j.inner != nil {
		n += j.inner.memory()
	}
	return n
}

// TestWritingCleanJSONAllocatesNothing asserts that once its buffers have grown.
func TestWritingCleanJSONAllocatesNothing(t *testing.T) {
	m := hostileMasker(t)
	rows := []byte(strings.Repeat(`{"id":1234567,"name":"an ordinary row","note":"two\nlines","nested":"{\"a\":[1,2]}","list":["x",null,1.5]},`, 1000))
	var tally weir.Tally
	w, err := m.Stream(discard{}, weir.Shape{Format: weir.FormatJSON}, &tally)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("["))
	ring, at := append(rows, rows...), 0
	for _, size := range []int{len(rows), 1000, 77} {
		write := func() {
			_, _ = w.Write(ring[at : at+size])
			at = (at + size) % len(rows)
		}
		for range 1000 {
			write()
		}
		if n := testing.AllocsPerRun(500, write); n > 0 {
			t.Errorf("%v allocations for each write of %d bytes", n, size)
		}
	}
	if j := w.(*pooledJSON).j; j.text != nil || len(j.levels) == 0 {
		t.Error("the rows are no JSON")
	}
	if tally.Total() > 0 {
		t.Errorf("%d secrets in clean rows", tally.Total())
	}
}

func BenchmarkHostileJSON(b *testing.B) {
	m := hostileMasker(b)
	for name, in := range hostileInputs(4 << 20) {
		for _, size := range []int{32 << 10, 100} {
			b.Run(fmt.Sprint(strings.ReplaceAll(name, " ", "_"), "/", size), func(b *testing.B) {
				b.SetBytes(int64(len(in)))
				for b.Loop() {
					w, _ := m.Stream(discard{}, weir.Shape{Format: weir.FormatJSON}, &weir.Tally{})
					for rest := in; len(rest) > 0; {
						n := min(size, len(rest))
						_, _ = w.Write(rest[:n])
						rest = rest[n:]
					}
					_ = w.Close()
				}
			})
		}
	}
}
