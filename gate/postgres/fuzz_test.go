package postgres

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/session"
)

// wired is a codec between two pipes: what the test writes as the client, and as the target.
type wired struct {
	client, target net.Conn
	done           chan error
	controls       *gatetest.Controls
	session        *session.Session
}

func wire(t testing.TB, c *gatetest.Controls) *wired {
	t.Helper()
	m := masked{Controls: c, mask: maskFor{realMask(t)}}
	g, err := session.New(session.Controls{Admitter: c, Decider: c, Holder: c, Masker: m, Recorder: m, Auditor: c}, c.Options())
	if err != nil {
		t.Fatal(err)
	}
	client, near := net.Pipe()
	far, target := net.Pipe()
	s, err := g.IncomingConn(weir.Client{}, near, func(context.Context, string) (session.Conn, []byte, error) { return far, nil, nil }).
		Authorize(t.Context(), gatetest.Hello())
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, controls: c}
	w := &wired{client: client, target: target, done: make(chan error, 1), controls: c, session: s}
	go func() { w.done <- s.Pump(t.Context(), d.codec(nil)) }()
	t.Cleanup(func() { _, _ = client.Close(), target.Close() })
	return w
}

func frame(typ byte, body string) string {
	b, at := begin(nil, typ)
	return string(finish(append(b, body...), at))
}

// column is a field of a RowDescription.
func column(name string, typ uint32, format int16) string {
	b := append([]byte(name), 0, 0, 0, 0, 0, 0, 0)
	b = append(b, byte(typ>>24), byte(typ>>16), byte(typ>>8), byte(typ), 0xff, 0xff, 0, 0, 0, 0, byte(format>>8), byte(format))
	return string(b)
}

func cells(values ...string) string {
	b := []byte{byte(len(values) >> 8), byte(len(values))}
	for _, v := range values {
		b = appendCell(b, []byte(v), weir.Unchanged)
	}
	return string(b)
}

var answerSeeds = []string{
	frame('T', "\x00\x01"+column("note", 25, 0)) + frame('D', cells("a "+canary)) + frame('C', "SELECT 1\x00") + frame('Z', "I"),
	frame('T', "\x00\x01"+column("x", 3802, 1)) + frame('D', cells("\x01{\"a\":\""+canary+"\"}")) + frame('Z', "T"),
	frame('T', "\x00\x01"+column("x", 17, 0)) + frame('D', cells(`\x43414e4152592d306633613963`)) + frame('Z', "I"),
	frame('T', "\x00\x01"+column("x", 1009, 1)) + frame('D', cells("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x19\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x0d"+canary)),
	frame('E', "SERROR\x00VERROR\x00C22012\x00Mit is "+canary+"\x00D"+canary+"\x00\x00") + frame('Z', "E"),
	frame('N', "SNOTICE\x00M"+canary+"\x00\x00"),
	frame('A', "\x00\x00\x00\x01chan\x00"+canary+"\x00"),
	frame('S', "application_name\x00"+canary+"\x00"),
	frame('H', "\x00\x00\x01\x00\x00") + frame('d', "a\t"+canary+"\n") + frame('c', "") + frame('C', "COPY 1\x00") + frame('Z', "I"),
	frame('H', "\x01\x00\x01\x00\x01") + frame('d', copySignature+"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0d"+canary) + frame('c', ""),
	frame('G', "\x00\x00\x01\x00\x00"), frame('W', "\x00\x00\x00"), frame('V', "\x00\x00\x00\x04abcd"), frame('R', "\x00\x00\x00\x00"),
}

// FuzzAnswers sends anything as the target. What the client gets is whole frames without the canary.
func FuzzAnswers(f *testing.F) {
	for _, s := range answerSeeds {
		f.Add([]byte(s), uint8(3))
		f.Add([]byte(s), uint8(200))
	}
	f.Fuzz(func(t *testing.T, answer []byte, cut uint8) {
		w := wire(t, &gatetest.Controls{})
		got := make(chan []byte, 1)
		go func() {
			b, _ := io.ReadAll(w.client)
			got <- b
		}()
		asked := make(chan struct{})
		go func() {
			_ = w.target.SetReadDeadline(time.Now().Add(5 * time.Second))
			var b [64]byte
			_, _ = w.target.Read(b[:])
			close(asked)
			_ = w.target.SetReadDeadline(time.Time{})
			_, _ = io.Copy(io.Discard, w.target)
		}()
		_, _ = io.WriteString(w.client, frame('Q', "copy t to stdout\x00"))
		<-asked
		for len(answer) > 0 {
			n := min(len(answer), int(cut)+1)
			if _, err := w.target.Write(answer[:n]); err != nil {
				break
			}
			answer = answer[n:]
		}
		_ = w.target.Close()
		err := <-w.done
		out := <-got
		if bytes.Contains(values(out), []byte(canary)) {
			t.Fatalf("the canary got out: %q", out)
		}
		if !whole(out) {
			t.Fatalf("not whole frames: %q", out)
		}
		for _, fault := range w.controls.Faults() {
			t.Fatalf("%s failed: %v", fault, err)
		}
		w.controls.Sweep(t)
	})
}

// values is b with the type of each field of errors and notices taken out of the way: a type and a value may spell anything together.
func values(b []byte) []byte {
	b = bytes.Clone(b)
	for at := 0; at < len(b); {
		n, err := frameLength(b[at:])
		if err != nil || n == 0 || n > len(b)-at {
			break
		}
		if b[at] == 'E' || b[at] == 'N' {
			for i := at + frameHeader; i < at+n; i++ {
				b[i] = 0
				if next := bytes.IndexByte(b[i+1:at+n], 0); next >= 0 {
					i += next + 1
				} else {
					break
				}
			}
		}
		at += n
	}
	return b
}

// whole reports whether b is frames. A row that is passed on in pieces may break off when the target does.
func whole(b []byte) bool {
	for len(b) > 0 {
		n, err := frameLength(b)
		if err == nil && n > streamAbove && n > len(b) && (b[0] == 'D' || b[0] == 'd') {
			return true
		}
		if err != nil || n == 0 || n > len(b) {
			return false
		}
		b = b[n:]
	}
	return true
}

var requestSeeds = []string{
	frame('Q', "select 1\x00"), frame('Q', "drop table t\x00") + frame('Q', "select 2\x00"),
	frame('P', "s\x00select $1\x00\x00\x01\x00\x00\x00\x19") + frame('B', "\x00s\x00\x00\x00\x00\x01\x00\x00\x00\x01x\x00\x00") + frame('D', "P\x00") + frame('E', "\x00\x00\x00\x00\x00") + frame('S', ""),
	frame('P', "\x00drop x\x00\x00\x00") + frame('B', "\x00\x00\x00\x00\x00\x00\x00\x00") + frame('E', "\x00\x00\x00\x00\x00") + frame('S', "") + frame('Q', "select 1\x00"),
	frame('C', "Sx\x00") + frame('H', "") + frame('S', ""), frame('F', "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"), frame('X', ""), frame('d', "x") + frame('c', ""),
	frame('D', "Sx\x00"), frame('p', "x\x00"), frame('Q', "x"), frame('P', "drop\x00select 1\x00\x00\x00") + frame('S', ""),
	frame('Q', "copy t from stdin\x00") + frame('d', "x\n") + frame('c', "") + frame('Q', "select 1\x00"), frame('Q', "copy t from stdin\x00") + frame('f', "no\x00"),
}

// asked is what f, a whole frame of the client's, asks the target to parse, with all that stands behind it; nil when it asks for nothing.
// The name of a prepared statement is no part of it: a client may call one as it likes.
func asked(f []byte) []byte {
	switch f[0] {
	case 'Q':
		return f[frameHeader:]
	case 'P':
		_, text, _ := bytes.Cut(f[frameHeader:], []byte{0})
		return text
	}
	return nil
}

// serve answers as a target to which every statement is right, and returns all that it was asked, the last frame as far as it came.
func serve(target net.Conn) (asked []byte) {
	in := bufio.NewReader(target)
	for {
		b := make([]byte, frameHeader)
		if n, err := io.ReadFull(in, b); err != nil {
			return append(asked, b[:n]...)
		}
		n, err := frameLength(b)
		if err != nil {
			return append(asked, b...)
		}
		b = slices.Grow(b, n)[:n]
		if n, err := io.ReadFull(in, b[frameHeader:]); err != nil {
			return append(asked, b[:frameHeader+n]...)
		}
		asked = append(asked, b...)
		answer := map[byte]string{
			'P': frame('1', ""), 'B': frame('2', ""), 'C': frame('3', ""), 'E': frame('C', "SELECT 0\x00"), 'S': frame('Z', "I"), 'D': frame('n', ""),
			'Q': frame('C', "SELECT 0\x00") + frame('Z', "I"), 'c': frame('C', "COPY 0\x00") + frame('Z', "I"),
			'f': frame('E', "SERROR\x00C57014\x00Mno\x00\x00") + frame('Z', "I"), 'F': frame('V', "\xff\xff\xff\xff") + frame('Z', "I"),
		}[b[0]]
		switch {
		case b[0] == 'Q' && bytes.Contains(b, []byte("stdin")):
			answer = frame('G', "\x00\x00\x01\x00\x00")
		case b[0] == 'D' && b[frameHeader] == 'S':
			answer = frame('t', "\x00\x00") + answer
		}
		if _, err := io.WriteString(target, answer); err != nil {
			return asked
		}
	}
}

// FuzzRequests sends anything as the client. The target gets whole frames, and no statement that was not allowed.
func FuzzRequests(f *testing.F) {
	for _, s := range requestSeeds {
		f.Add([]byte(s), uint8(2))
		f.Add([]byte(s), uint8(250))
	}
	f.Fuzz(func(t *testing.T, request []byte, cut uint8) {
		w := wire(t, &gatetest.Controls{OnDecide: func(cmd *weir.Command) (weir.Verdict, error) {
			if strings.Contains(cmd.Text, "drop") {
				return weir.Verdict{Effect: weir.Deny}, nil
			}
			return weir.Verdict{Effect: weir.Allow}, nil
		}})
		got := make(chan []byte, 1)
		go func() { got <- serve(w.target) }()
		go func() { _, _ = io.Copy(io.Discard, w.client) }()
		for len(request) > 0 {
			n := min(len(request), int(cut)+1)
			_ = w.client.SetWriteDeadline(time.Now().Add(8 * time.Second))
			if _, err := w.client.Write(request[:n]); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("nothing takes %q, though the target has answered all", request)
			} else if err != nil {
				break
			}
			request = request[n:]
		}
		w.session.End("the test is over")
		<-w.done
		out := <-got
		if !whole(out) {
			t.Fatalf("not whole frames: %q", out)
		}
		for b := out; len(b) > 0; {
			n, _ := frameLength(b)
			if bytes.Contains(asked(b[:n]), []byte("drop")) {
				t.Fatalf("a refused statement was forwarded: %q", b[:n])
			}
			b = b[n:]
		}
		for _, fault := range w.controls.Faults() {
			t.Fatal(fault, "failed")
		}
	})
}
