package journal

import (
	"context"
	"fmt"
	"testing"
)

// TestTailFileThatFails goes on with syncing the segments.
func TestTailFileThatFails(t *testing.T) {
	for name, fail := range map[string]func(j *Journal){
		"at once": func(j *Journal) {
			j.commitMu.Lock()
			defer j.commitMu.Unlock()
			_ = j.tail.f.f.Close()
		},
		"later": func(j *Journal) { // the system says that it wrote more than it was to
			for j.hasTail() && !shorten(j) {
				mustAppend(t, j, "one more")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := withTail(t, t.TempDir())
			fail(j)
			mustAppend(t, j, "after it failed")
			if err := j.Sync(context.Background()); err != nil {
				t.Fatal(err)
			}
			if j.hasTail() {
				t.Error("it is used all the same")
			}
			dir, _ := powerLoss(t, j)
			got := reopened(t, dir)
			if len(got) == 0 || got[len(got)-1] != "after it failed" {
				t.Errorf("the last entry is lost: %q", got)
			}
		})
	}
}

// shorten has the write that is under way end in another way than it was to. It reports whether there was one, which is always so where the system cannot write
// beside its caller.
func shorten(j *Journal) bool {
	j.commitMu.Lock()
	defer j.commitMu.Unlock()
	switch d := j.tail.f; {
	case d.context == 0:
		_ = d.f.Close()
	case !d.pending():
		return false
	default:
		d.b = d.b[:1]
	}
	return true
}

// TestTailFileWithoutIOSubmit writes in the commit loop where the system does not write beside it.
func TestTailFileWithoutIOSubmit(t *testing.T) {
	j := withTail(t, t.TempDir())
	j.commitMu.Lock()
	_, _ = j.tail.finish()
	j.tail.f.end()
	j.commitMu.Unlock()
	for n := range 100 {
		mustAppend(t, j, fmt.Sprint("one more ", n))
		if err := j.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if !j.hasTail() {
		t.Fatal("it is not used")
	}
	dir, _ := powerLoss(t, j)
	got := reopened(t, dir)
	if len(got) == 0 || got[len(got)-1] != "one more 99" {
		t.Errorf("the last entry is lost: %q", got)
	}
}
