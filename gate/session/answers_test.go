package session

import (
	"bytes"
	"testing"
)

// TestAnswersKeepNoLargeBuffer: between two answers there is at most a small one, whatever their size was and however much masking made of them.
func TestAnswersKeepNoLargeBuffer(t *testing.T) {
	a := &Answers{p: &pump{s: &Session{gate: &Gate{}}}, mute: true}
	for _, size := range []int{100, 60 << 10, keepBatch, 1 << 20, 10, 60 << 10} {
		for _, longer := range []int{0, 3 << 10, 300 << 10} {
			b := bytes.Repeat([]byte{'x'}, size)
			a.reset(b)
			out := append(a.Rewrite(size/2), bytes.Repeat([]byte{'m'}, longer)...)
			a.Resume(out, size)
			got, err := a.finish(size)
			if want := string(b[:size/2]) + string(bytes.Repeat([]byte{'m'}, longer)); err != nil || string(got) != want {
				t.Fatalf("%d bytes became %d, want %d: %v", size, len(got), len(want), err)
			}
			a.trim()
			if kept := cap(a.out); kept > keepBatch || a.large != nil {
				t.Errorf("after %d bytes and %d more %d are kept", size, longer, kept)
			}
		}
	}
}
