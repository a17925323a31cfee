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
}

const (
	quiet    = 16 << 20 // bytes allocated between two looks
	worth    = 32 << 20 // bytes allocated since memory was given back
	generous = 400      // percent; what the program begins with unless GOGC says otherwise
	stacks   = 3        // collections, each of which halves the stacks that logins have made large
	garbage  = 64 << 20 // bytes that may lie about, beyond which it is half of what lives
)

// look is called every minute.
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
		if t.percent = share(live); t.percent != percent {
			debug.SetGCPercent(int(t.percent)) //nolint:gosec // at most generous
		}
	}
	if allocated-t.last < quiet && allocated-t.trimmed > worth {
		for range stacks {
			runtime.GC()
		}
		debug.FreeOSMemory()
		t.trimmed = allocated
	}
	t.last = allocated
}

// share is how much garbage there may be, in percent of what lives.
func share(live uint64) uint64 { return min(generous, max(50, 100*garbage/max(live, 1))) }
