package server

import (
	"runtime/debug"
	counters "runtime/metrics"
)

// thrift gives memory back that nobody uses when it has become quiet: the collector itself keeps as much again as what lives, and many idle
// sessions would seem to take twice what they do.
type thrift struct{ last, trimmed uint64 }

const (
	quiet = 16 << 20 // bytes allocated between two looks
	worth = 32 << 20 // bytes allocated since memory was given back
)

// look is called every minute.
func (t *thrift) look() {
	sample := []counters.Sample{{Name: "/gc/heap/allocs:bytes"}}
	counters.Read(sample)
	if sample[0].Value.Kind() != counters.KindUint64 {
		return
	}
	now := sample[0].Value.Uint64()
	if now-t.last < quiet && now-t.trimmed > worth {
		debug.FreeOSMemory()
		t.trimmed = now
	}
	t.last = now
}
