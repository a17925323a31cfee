package known_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"weir"
	"weir/mask"
	"weir/mask/known"
)

// secrets makes n values; short of them have six to fourteen bytes.
func secrets(n, short int) []known.Entry {
	r := rand.New(rand.NewPCG(3, 4))
	var entries []known.Entry
	for i := range n {
		size := 24 + r.IntN(24)
		if i < short {
			size = 6 + r.IntN(9)
		}
		v := make([]byte, size)
		for k := range v {
			v[k] = (letters + "+/-_.!")[r.IntN(len(letters)+6)]
		}
		entries = append(entries, known.Entry{Name: "a", Value: v})
	}
	return entries
}

// perCPU runs f over and over and reports what it does with size bytes in a second of the processor's time: others may use the machine, too.
func perCPU(b *testing.B, size int, f func()) {
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		f()
		n++
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(size)*float64(n)/float64(max(1, used))*1e3, "MB/cpu-s")
	b.ReportMetric(float64(used)/float64(n)/1e3, "cpu-µs/op")
}

func sets(b *testing.B) map[string]*known.Set {
	out := map[string]*known.Set{}
	for name, c := range map[string][2]int{"1": {1, 0}, "1 short": {1, 1}, "100": {100, 0}, "1000": {1000, 0}, "1000 of which 50 short": {1000, 50}, "10000": {10000, 0}} {
		s, _, err := known.Build(secrets(c[0], c[1]))
		if err != nil {
			b.Fatal(err)
		}
		out[name] = s
	}
	return out
}

var setNames = []string{"1", "1 short", "100", "1000", "1000 of which 50 short", "10000"}

func BenchmarkFind(b *testing.B) {
	all := sets(b)
	for _, name := range setNames {
		b.Run(name, func(b *testing.B) {
			s, t := all[name], text(64<<10)
			var dst []known.Span
			perCPU(b, len(t), func() { dst = s.Find(dst[:0], t) })
		})
	}
}

// BenchmarkWrites finds and holds in writes of 1,400 bytes.
func BenchmarkWrites(b *testing.B) {
	all := sets(b)
	for _, name := range setNames {
		b.Run(name, func(b *testing.B) {
			s, t := all[name], text(140_000)
			var dst []known.Span
			perCPU(b, len(t), func() {
				for from, to := 0, 0; to < len(t); to += 1400 {
					dst = s.Find(dst[:0], t[from:to+1400])
					from += s.Hold(t[from : to+1400])
				}
			})
		})
	}
}

// BenchmarkStream masks text with the detectors, without known secrets and with them.
func BenchmarkStream(b *testing.B) {
	e, err := mask.New(mask.Config{Key: make([]byte, 32)})
	if err != nil {
		b.Fatal(err)
	}
	all := sets(b)
	t := text(1 << 20)
	for _, name := range []string{"none", "1000", "1000 of which 50 short"} {
		for _, size := range []int{64 << 10, 16 << 10, 1400} {
			b.Run(fmt.Sprint(name, "/", size), func(b *testing.B) {
				m := e.Masker(all[name])
				perCPU(b, len(t), func() {
					var tally weir.Tally
					w, _ := m.Stream(io.Discard, weir.Shape{Format: weir.FormatText}, &tally)
					for rest := t; len(rest) > 0; rest = rest[min(size, len(rest)):] {
						_, _ = w.Write(rest[:min(size, len(rest))])
					}
					_ = w.Close()
				})
			})
		}
	}
}

// BenchmarkHostile writes 1,400 bytes at a time of what costs most.
func BenchmarkHostile(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	long := make([]byte, known.MaxLength)
	for i := range long {
		long[i] = letters[r.IntN(len(letters))]
	}
	var shared, short []known.Entry
	common := "CANARY-" + string(long[:200])
	for i := range 1000 {
		shared = append(shared, known.Entry{Name: "a", Value: fmt.Append(nil, common, i)})
		short = append(short, known.Entry{Name: "a", Value: fmt.Appendf(nil, "CANA%03d", i)})
	}
	for _, c := range []struct {
		name    string
		entries []known.Entry
		text    string
	}{
		{"beginnings of secrets that share it", shared, strings.Repeat(common, 500)},
		{"short beginnings of them", shared, strings.Repeat(common[:15], 6000)},
		{"first bytes of short ones", short, strings.Repeat("CANA", 25000)},
		{"a long one but for its end", []known.Entry{{Name: "a", Value: long}}, strings.Repeat(string(long[:len(long)-1]), 3)},
		{"its percent form", []known.Entry{{Name: "a", Value: bytes.Repeat([]byte("é/+"), 10000)}}, strings.Repeat("%C3%A9%2F%2", 10000)},
		{"one letter", []known.Entry{{Name: "a", Value: []byte(strings.Repeat("a", 100) + "b")}}, strings.Repeat("a", 100000)},
		{"one letter found", []known.Entry{{Name: "a", Value: []byte(strings.Repeat("a", 20))}}, strings.Repeat("a", 100000)},
		{"wrapped", secrets(1000, 50), wrap(base64.StdEncoding.EncodeToString(long), 76, 76, "\r\n")},
		{"breaks behind words", secrets(1000, 50), strings.Repeat("some words "+string(long[:41])+"\n", 2000)},
		{"soft breaks", secrets(1000, 50), strings.Repeat("a=\n", 30000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, _, err := known.Build(c.entries)
			if err != nil {
				b.Fatal(err)
			}
			t := []byte(c.text)
			perCPU(b, len(t), func() { stream(s, t, func(int) int { return 1400 }) })
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			entries := secrets(n, n/20)
			var before, after runtime.MemStats
			var s *known.Set
			perCPU(b, n, func() { s, _, _ = known.Build(entries) })
			runtime.GC()
			runtime.ReadMemStats(&after)
			kept := s.Len()
			s = nil
			runtime.GC()
			runtime.ReadMemStats(&before)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "bytes/secret")
			b.ReportMetric(float64(kept)/float64(n), "patterns/secret")
		})
	}
}

// BenchmarkJoin looks for what a gateway holds and the secret of one session.
func BenchmarkJoin(b *testing.B) {
	own, _, err := known.Build([]known.Entry{{Name: "own", Value: []byte("weir_X0LqIRI7x6sHftMQYaNGXjdz69zlRomW2mVbA3")}})
	if err != nil {
		b.Fatal(err)
	}
	all := sets(b)
	for _, name := range setNames {
		b.Run(name, func(b *testing.B) {
			s := join(b, all[name], own)
			t := text(140_000)
			var dst []known.Span
			perCPU(b, len(t), func() { dst = s.Find(dst[:0], t) })
		})
		b.Run(name+"/writes", func(b *testing.B) {
			s := join(b, all[name], own)
			t := text(140_000)
			var dst []known.Span
			perCPU(b, len(t), func() {
				for from, to := 0, 0; to < len(t); to += 1400 {
					dst = s.Find(dst[:0], t[from:to+1400])
					from += s.Hold(t[from : to+1400])
				}
			})
		})
		b.Run(name+"/cells", func(b *testing.B) {
			s := join(b, all[name], own)
			t := text(140_000)
			var dst []known.Span
			perCPU(b, len(t), func() {
				for i := 0; i+20 <= len(t); i += 20 {
					dst = s.Find(dst[:0], t[i:i+20])
				}
			})
		})
	}
}

func join(b *testing.B, x, y *known.Set) *known.Set {
	s, ok := known.Join(x, y)
	if !ok {
		b.Skip("too large to be joined")
	}
	return s
}
