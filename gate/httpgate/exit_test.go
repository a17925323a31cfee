package httpgate

import (
	"errors"
	"io"
	"net"
	"testing"

	"weir/gate/wire"
)

func TestGatheredReleasesWhereItPanics(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := wire.Listen(inner, 1)
	defer ln.Close()
	far, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := wire.ClientOf(wire.ConnContext(t.Context(), conn))
	e := exit{client: c}
	func() {
		defer func() { _ = recover() }()
		_ = e.gathered(func() error {
			_, _ = io.WriteString(c, "refused")
			panic("bug")
		})
	}()
	buf := make([]byte, 100)
	if n, err := far.Read(buf); err != nil || string(buf[:n]) != "refused" {
		t.Errorf("got %q %v", buf[:n], err)
	}
	if err := e.gathered(func() error { return io.ErrUnexpectedEOF }); !errors.Is(err, io.ErrUnexpectedEOF) || e.failed != nil {
		t.Errorf("%v %v", err, e.failed)
	}
	_ = c.Close()
	err = e.gathered(func() error { _, err := io.WriteString(c, "x"); return err })
	if err == nil || e.failed == nil {
		t.Errorf("%v %v: the client has gone", err, e.failed)
	}
}
