package server

import (
	"runtime"
	"runtime/debug"
	counters "runtime/metrics"
)

// thrift keeps what the collector leaves lying about in proportion. A gateway with little to hold may be generous, since collecting costs more than it frees; one with
// thousands of sessions must not take five times what they need. When it has become quiet, memory that nobody uses goes back.
type thrift struct {
	last, trimmed uint64
	percent       uint64 // that it set last
	most          uint64 // that has lived, since less than half of it did
	growing       int    // looks for which it is taken to grow still
	calm          int    // looks in a row between which hardly anything was allocated
	rest          int    // looks before memory may be given back again
}

const (
	quiet    = 512 << 10 // bytes allocated between two looks
	calmFor  = 2         // looks
	pause    = 8         // looks between two times that memory is given back
	worth    = 16 << 20  // bytes allocated since memory was given back
	generous = 400       // percent; what the program begins with unless GOGC says otherwise
	least    = 50        // percent
	stacks   = 3         // collections, each of which halves the stacks that logins have made large
	garbage  = 64 << 20  // bytes that may lie about, beyond which it is half of what lives
	between  = 8 << 20   // the same, while what lives grows
	growth   = 8         // looks
)

// look is called every two seconds. It takes microseconds where there is nothing to do.
func (t *thrift) look() {
	s := []counters.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/gogc:percent"}}
	counters.Read(s)
	for i := range s {
		if s[i].Value.Kind() != counters.KindUint64 {
			return
		}
	}
	allocated, live, percent := s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()
	if percent == t.percent || t.percent == 0 && percent == generous { // else somebody has set it
		t.percent = percent
		if want := t.want(live); want > percent+percent/8 || want < percent-percent/8 { // the world stops for it
			debug.SetGCPercent(int(want)) //nolint:gosec // at most generous
			t.percent = want
		}
	}
	if t.give(allocated) {
		for range stacks {
			runtime.GC()
		}
		debug.FreeOSMemory()
	}
}

// want is how much garbage there may be now, in percent. Little while sessions are being made: what lasts is put between what does not then, and
// pages of which a little lasts cannot be given back. What goes up and down all the time is no growth.
func (t *thrift) want(live uint64) uint64 {
	switch {
	case t.most == 0 || live < t.most/2:
		t.most = live
	case live > t.most+t.most/8:
		t.most, t.growing = live, growth
	}
	if t.growing == 0 {
		return share(live, garbage)
	}
	t.growing--
	return share(live, between)
}

// give reports whether memory is to be given back, after that many bytes were allocated in all.
func (t *thrift) give(allocated uint64) bool {
	if t.calm++; allocated-t.last >= quiet {
		t.calm = 0
	}
	t.last = allocated
	if t.rest > 0 {
		t.rest--
	}
	if t.calm < calmFor || t.rest > 0 || allocated-t.trimmed <= worth {
		return false
	}
	t.trimmed, t.rest = allocated, pause
	return true
}

// share is how much garbage there may be, in percent of what lives, where so many bytes of it do no harm.
func share(live, bytes uint64) uint64 { return min(generous, max(least, 100*bytes/max(live, 1))) }
