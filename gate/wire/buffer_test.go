package wire_test

import (
	"testing"

	"weir/gate/wire"
)

func TestBuffersAreEmptyAndLargeEnough(t *testing.T) {
	var p wire.Pool
	for _, size := range []int{0, 1, wire.Small, wire.Small + 1, wire.Large, 10 * wire.Large} {
		for range 3 {
			b := p.Get(size)
			if len(b.B) != 0 || cap(b.B) < size {
				t.Fatalf("Get(%d): len %d cap %d", size, len(b.B), cap(b.B))
			}
			b.B = append(b.B, "old contents"...)
			p.Put(b)
		}
	}
}
