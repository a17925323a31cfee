package server

import (
	"runtime/debug"
	"testing"
)

func TestGarbageStaysInProportion(t *testing.T) {
	for live, want := range map[uint64]uint64{0: 400, 4 << 20: 400, 16 << 20: 400, 64 << 20: 100, 100 << 20: 64, 128 << 20: 50, 1 << 30: 50} {
		if got := share(live, garbage); got != want {
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

func TestThriftGivesMemoryBackSoonAfterABurst(t *testing.T) {
	var m thrift
	at := uint64(0)
	looks := func(n int, each uint64) (given []int) {
		for i := range n {
			if at += each; m.give(at) {
				given = append(given, i)
			}
		}
		return given
	}
	if got := looks(20, 4<<20); got != nil {
		t.Fatal("given back under load", got)
	}
	if got := looks(60, 1<<10); len(got) != 1 || got[0] != calmFor-1 {
		t.Fatal("after the load", got)
	}
	if got := looks(60, quiet/2); len(got) != 0 {
		t.Fatal("for a little", got)
	}
	// Load that comes and goes must not make it collect all the time.
	n := 0
	for range 20 {
		n += len(looks(1, 2*worth)) + len(looks(calmFor, 0))
	}
	if most := 20 * (1 + calmFor) / pause; n > most+1 || n == 0 {
		t.Fatalf("given back %d times, at most %d were due", n, most)
	}
}

func TestThriftKeepsLittleGarbageWhileSessionsAreMade(t *testing.T) {
	var m thrift
	if got := m.want(16 << 20); got != generous {
		t.Error("at the beginning:", got)
	}
	for i := range growth {
		if got := m.want(24 << 20); got != least {
			t.Error("growing:", i, got)
		}
	}
	// Load that comes and goes makes it collect no more often.
	for range 10 {
		for _, live := range []uint64{24 << 20, 16 << 20, 25 << 20, 13 << 20} {
			if got := m.want(live); got != share(live, garbage) {
				t.Errorf("%d MB: %d", live>>20, got)
			}
		}
	}
}
