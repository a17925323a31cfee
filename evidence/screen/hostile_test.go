package screen_test

import (
	"strings"
	"testing"

	"weir/evidence/screen"
)

// BenchmarkHostile is what work the worst input makes, on the largest screen, full of text.
func BenchmarkHostile(b *testing.B) {
	fill := strings.Repeat(strings.Repeat("x", 512), 300)
	for name, unit := range map[string]string{
		"overwritten": "\ra", "erased": "\x1b[2J", "inserted lines": "\x1b[Lx", "deleted lines": "\x1b[256Mx", "inserted": "\r\x1b[@y", "deleted": "\r\x1b[Pz",
		"repeated": "\x1b[512b", "scrolled": "\x1b[256S", "reversed": "\x1b[H\x1bMx", "alternate": "\x1b[?47hx\x1b[?47l", "jumps": "\x1b[9;9Ha\x1b[2;2Hb",
	} {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			s := screen.New(512, 256, func(string) {})
			_, _ = s.Write([]byte(fill))
			data := []byte(strings.Repeat(unit, 10000/len(unit)))
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				_, _ = s.Write(data)
			}
		})
	}
}
