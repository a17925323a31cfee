package wire

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// steering decides whether one loop drives all members or each loop its own. Several use processors that would idle, but each of them has fewer events at a
// time, so that they wake up more often; which of it weighs more differs from machine to machine. So where processors have enough to do both are tried, and what
// takes more steps stays.
type steering struct {
	mu    sync.Mutex
	times func() usage // systemTimes if nil

	phase steerPhase
	ticks int     // in it
	rate  float64 // steps in a second before the trial
	rest  int     // how many ticks the next rest takes, at least
	quiet int     // ticks in a row with nothing to decide

	began time.Time // the window that is measured, and what was counted then
	steps uint64
	used  usage
}

// usage is what processors have done since they were started.
type usage struct {
	idle, all uint64        // of all processors, in hundredths of a second; all is 0 where nobody knows
	own       time.Duration // of this process
}

// steerPhase is what is done with the ticks that come.
type steerPhase uint8

const (
	steerMeasure steerPhase = iota // as it is
	steerSettle                    // the other way
	steerTry                       // and measured
	steerRest                      // as it turned out to be better
)

const (
	// Ticks are the watchdog's: 5 ms, and what the system adds.
	steerWarm    = 40 // pass before what has been quiet is measured
	steerSettles = 8
	steerWindow  = 50
	steerEarly   = steerWindow / 4 // are enough to see that it is much worse
	steerQuiet   = 20              // with nothing to decide make it begin anew
	steerEvery   = 100             // is looked whether one loop still has others to share the processors with
	steerLeast   = 200             // is the least rest, twice as long each time that it was in vain, up to
	steerMost    = 64 * steerLeast

	// In percent of all processors' time. Where more than steerRoom idles all loops are used and none is tried; where one loop leaves more than steerSpare it has lost what it shared them with.
	steerRoom  = 15
	steerSpare = 30
	// In percent of one processor's time. Above it this process has more to do than a loop alone might manage.
	steerAlone = 90

	// What is tried stays when it takes so many times as many steps: with one loop also some less, as it takes less of the processors' time. It is given up at once when it is so much worse.
	steerOne   = 0.97
	steerAll   = 1.03
	steerWorse = 0.8
)

// place is the loop that drives a member that has joined home.
func (l *Loops) place(home *Loop) *Loop {
	if l == nil {
		return nil
	}
	if l.one.Load() {
		return &l.all[0]
	}
	return home
}

// look is called by each loop's watchdog. The first one that is busy steers.
func (l *Loops) look(own int) {
	if len(l.all) < 2 || l.Now == nil {
		return
	}
	busy := 0
	for i := range l.all {
		if !l.all[i].busy.Load() {
			continue
		}
		if busy++; busy == 1 && i != own {
			return
		}
	}
	s := &l.steer
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	l.decide(s, busy)
}

// decide is told once a tick how many loops are busy.
func (l *Loops) decide(s *steering, busy int) {
	one := l.one.Load()
	if busy == 0 || busy == 1 && !one && s.phase != steerSettle { // there is nothing to bring together
		if s.quiet++; s.quiet >= steerQuiet {
			s.rest = 0
			l.turn(s, steerMeasure, false)
			s.ticks = -steerWarm
		}
		return
	}
	s.quiet = 0
	switch s.ticks++; s.phase {
	case steerMeasure:
		switch {
		case s.ticks == 1:
			s.begin(l)
		case s.ticks <= steerWindow:
		case !one && (s.share() > steerRoom || s.own(l) > steerAlone):
			s.ticks = 0
		default:
			s.rate = s.measured(l)
			l.turn(s, steerSettle, !one)
		}
	case steerSettle:
		if s.ticks == steerSettles {
			l.turn(s, steerTry, one)
			s.begin(l)
		}
	case steerTry:
		least := steerAll
		if one {
			least = steerOne
		}
		switch rate := s.measured(l); {
		case s.ticks >= steerEarly && rate < steerWorse*s.rate, s.ticks >= steerWindow && rate < least*s.rate:
			s.rest = min(steerMost, max(steerLeast, 2*s.rest))
			l.turn(s, steerRest, !one)
		case s.ticks >= steerWindow:
			s.rest = steerLeast
			l.turn(s, steerRest, one)
		}
	case steerRest:
		switch {
		case s.ticks >= s.rest:
			l.turn(s, steerMeasure, one)
		case !one:
		case s.ticks%steerEvery == 1:
			s.begin(l)
		case s.ticks%steerEvery == 0 && s.share() > steerSpare:
			s.rest = 0
			l.turn(s, steerMeasure, false)
		}
	}
}

// turn lets one loop drive all, or each its own, and begins a phase.
func (l *Loops) turn(s *steering, phase steerPhase, one bool) {
	s.phase, s.ticks = phase, 0
	l.one.Store(one)
}

// begin begins a window.
func (s *steering) begin(l *Loops) {
	s.began, s.steps = l.Now(), l.steps.Load()
	s.used = s.processors()
}

// measured is how many steps all loops took in a second since the window began.
func (s *steering) measured(l *Loops) float64 {
	return float64(l.steps.Load()-s.steps) / max(l.Now().Sub(s.began).Seconds(), 1e-3)
}

// share is how much of the processors' time was not used, in percent; 100 where nobody knows.
func (s *steering) share() int {
	now := s.processors()
	if now.all <= s.used.all || now.idle < s.used.idle {
		return 100
	}
	return int(100 * (now.idle - s.used.idle) / (now.all - s.used.all)) //nolint:gosec // at most 100
}

// own is how much of one processor's time this process used, in percent.
func (s *steering) own(l *Loops) int {
	took := max(l.Now().Sub(s.began), time.Millisecond)
	return int(100 * (s.processors().own - s.used.own) / took)
}

func (s *steering) processors() usage {
	if s.times != nil {
		return s.times()
	}
	return systemTimes()
}

// systemTimes are the first line of /proc/stat (proc_stat(5)) and getrusage(2).
func systemTimes() (u usage) {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return usage{}
	}
	defer func() { _ = f.Close() }()
	var b [256]byte
	n, _ := f.Read(b[:])
	line, _, found := bytes.Cut(b[:n], []byte("\n"))
	fields := bytes.Fields(line)
	var own unix.Rusage
	if !found || len(fields) < 9 || string(fields[0]) != "cpu" || unix.Getrusage(unix.RUSAGE_SELF, &own) != nil {
		return usage{}
	}
	u.own = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	for i, field := range fields[1:9] { // what follows are parts of these
		v, err := strconv.ParseUint(string(field), 10, 64)
		if err != nil {
			return usage{}
		}
		if u.all += v; i == 3 || i == 4 { // idle, iowait
			u.idle += v
		}
	}
	return u
}
