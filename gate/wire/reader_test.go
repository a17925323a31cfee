package wire

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// TestTheEndThatComesWithBytesIsRead, whether the reader waited for them or not.
func TestTheEndThatComesWithBytesIsRead(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 20 {
		near, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(far, "last words")
		_ = far.Close()
		time.Sleep(time.Millisecond) // both are there
		got := ""
		r := NewReader(&Pool{}, near, 1<<20, func(b []byte) (int, error) {
			got += string(b)
			return len(b), nil
		})
		_ = near.SetReadDeadline(time.Now().Add(10 * time.Second))
		if err := r.Run(); !errors.Is(err, io.EOF) || got != "last words" {
			t.Fatalf("%v after %q", err, got)
		}
	}
}
