package known_test

import (
	"fmt"
	"sync"
	"testing"

	"weir/mask/known"
)

func TestRotationNeverLosesTheValueInUse(t *testing.T) {
	var live known.Live
	value := func(n int) known.Entry {
		return known.Entry{Name: "db", Value: fmt.Appendf(nil, "CANARY-rotated-%04d", n)}
	}
	if _, err := live.Add(value(0)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	used := 0 // the value in use
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				mu.Lock()
				v, s := value(used).Value, live.Set()
				mu.Unlock()
				if len(s.Find(nil, v)) != 1 {
					t.Errorf("%s is not found", v)
					return
				}
			}
		})
	}
	for n := range 20 {
		if _, err := live.Add(value(n + 1)); err != nil {
			t.Error(err)
		}
		mu.Lock()
		used = n + 1
		mu.Unlock()
		if err := live.Drop(value(n)); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	readers.Wait()
	for n := range 21 {
		if got, want := len(live.Set().Find(nil, value(n).Value)), n/20; got != want {
			t.Errorf("%d: %d findings, want %d", n, got, want)
		}
	}
}

func TestLiveChangesNothingOnError(t *testing.T) {
	var live known.Live
	if live.Set().Len() != 0 || live.Drop(known.Entry{Name: "x"}) != nil {
		t.Error("the zero value holds something")
	}
	warnings, err := live.Add(known.Entry{Name: "weak", Value: []byte("changeme")})
	if err != nil || len(warnings) != 2 {
		t.Errorf("%v %v", warnings, err)
	}
	before := live.Set()
	if _, err := live.Add(known.Entry{Name: "good", Value: []byte("CANARY-good-enough")}, known.Entry{Name: "pin", Value: []byte("1234")}); err == nil {
		t.Error("a secret of four bytes is taken")
	}
	if _, err := live.Add(known.Entry{Name: "weak", Value: []byte("changeme")}); err != nil {
		t.Error(err)
	}
	if live.Set() != before {
		t.Error("the set changed")
	}
}
