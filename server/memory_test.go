package server

import (
	"runtime/debug"
	"testing"
)

func TestGarbageStaysInProportion(t *testing.T) {
	for live, want := range map[uint64]uint64{0: 400, 4 << 20: 400, 16 << 20: 400, 64 << 20: 100, 100 << 20: 64, 128 << 20: 50, 1 << 30: 50} {
		if got := share(live); got != want {
			t.Errorf("%d MB live: %d percent, want %d", live>>20, got, want)
		}
	}
}

func TestThriftLeavesAloneWhatTheUserSet(t *testing.T) {
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	var m thrift
	m.look()
	if got := debug.SetGCPercent(77); got != 77 {
		t.Fatalf("it is %d now", got)
	}
	debug.SetGCPercent(generous)
	m = thrift{}
	m.look()
	m.last, m.trimmed = 0, 0
	m.look()
	if got := debug.SetGCPercent(generous); got != int(m.percent) || m.percent == 0 {
		t.Fatalf("it is %d, and %d was set", got, m.percent)
	}
}
