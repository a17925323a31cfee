package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"time"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/session"
	"weir/rules/sql"
)

// memoryConn is a side of a session that has no socket: what is written to it makes the other side say something.
type memoryConn struct {
	next  chan []byte
	write func(b []byte) error
}

func (c *memoryConn) Read(b []byte) (int, error) {
	said := <-c.next
	if said == nil {
		return 0, io.EOF
	}
	return copy(b, said), nil
}

func (c *memoryConn) Write(b []byte) (int, error) { return len(b), c.write(b) }

func (*memoryConn) Close() error { return nil }

func (c *memoryConn) SetReadDeadline(time.Time) error {
	select {
	case c.next <- nil: // the pump sets none but to wake who reads
	default:
	}
	return nil
}
func (*memoryConn) SetWriteDeadline(time.Time) error { return nil }

func messageOf(typ byte, body string) []byte {
	b := append([]byte{typ}, binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))...)
	return append(b, body...)
}

// shortAnswer is what a server says to a statement with one row; extended without the RowDescription.
func shortAnswer(extended bool, prefix ...[]byte) (b []byte) {
	for _, p := range prefix {
		b = append(b, p...)
	}
	if !extended {
		b = append(b, messageOf('T', "\x00\x01abalance\x00\x00\x00\x40\x01\x00\x03\x00\x00\x00\x17\x00\x04\xff\xff\xff\xff\x00\x00")...)
	}
	b = append(b, messageOf('D', "\x00\x01\x00\x00\x00\x01"+"0")...)
	b = append(b, messageOf('C', "SELECT 1\x00")...)
	return append(b, messageOf('Z', "I")...)
}

// BenchmarkTransaction is the gateway's own part of what pgbench -S does, with masking and a recording in a journal, without sockets.
func BenchmarkTransaction(b *testing.B) {
	described := messageOf('T', "\x00\x01abalance\x00\x00\x00\x40\x01\x00\x03\x00\x00\x00\x17\x00\x04\xff\xff\xff\xff\x00\x00")
	ask := func(i int) string {
		return fmt.Sprintf("SELECT abalance FROM pgbench_accounts WHERE aid = %d;", 100000+i*7919%400000)
	}
	bound := func(name string, i int) []byte {
		v := fmt.Sprint(100000 + i*7919%400000)
		q := messageOf('B', "\x00"+name+"\x00\x00\x00\x00\x01\x00\x00\x00"+string(rune(len(v)))+v+"\x00\x01\x00\x00")
		q = append(append(q, messageOf('D', "P\x00")...), messageOf('E', "\x00\x00\x00\x00\x00")...)
		return append(q, messageOf('S', "")...)
	}
	prepared := func(name string) []byte {
		return messageOf('P', name+"\x00SELECT abalance FROM pgbench_accounts WHERE aid = $1;\x00\x00\x00")
	}
	for _, mode := range []struct {
		name   string
		before []byte // what is said once
		after  []byte // and answered
		ask    func(i int) []byte
		answer []byte
	}{
		{"simple", nil, nil, func(i int) []byte { return messageOf('Q', ask(i)+"\x00") }, shortAnswer(false)},
		{"extended", nil, nil, func(i int) []byte { return append(prepared(""), bound("", i)...) },
			shortAnswer(true, messageOf('1', ""), messageOf('2', ""), described)},
		{"prepared", append(prepared("P0"), messageOf('S', "")...), append(messageOf('1', ""), messageOf('Z', "I")...),
			func(i int) []byte { return bound("P0", i) }, shortAnswer(true, messageOf('2', ""), described)},
	} {
		b.Run(mode.name, func(b *testing.B) {
			asks := make([][]byte, 512)
			for i := range asks {
				asks[i] = mode.ask(i)
			}
			client, target := &memoryConn{next: make(chan []byte, 1)}, &memoryConn{next: make(chan []byte, 1)}
			left, once := 0, mode.before != nil
			target.write = func([]byte) error {
				if once {
					target.next <- mode.after
					return nil
				}
				target.next <- mode.answer
				return nil
			}
			client.write = func([]byte) error {
				once = false
				if left--; left < 0 {
					client.next <- nil
					return nil
				}
				client.next <- asks[left%len(asks)]
				return nil
			}
			c := &gatetest.Controls{}
			m := masked{Controls: c, mask: maskFor{realMask(b)}, store: newStore(b)}
			g, err := session.New(session.Controls{Admitter: c, Decider: c, Holder: c, Masker: m, Recorder: m, Auditor: c}, c.Options())
			if err != nil {
				b.Fatal(err)
			}
			s, err := g.IncomingConn(weir.Client{}, client, func(context.Context, string) (session.Conn, []byte, error) { return target, nil, nil }).
				Authorize(b.Context(), gatetest.Hello())
			if err != nil {
				b.Fatal(err)
			}
			codec := NewCodec(CodecOptions{
				Changed: func() {}, Columns: func(string, string) (bool, bool) { return false, false }, Secret: func(string, string) bool { return false },
				SecretSetting: func(string) bool { return false }, Snapshot: func() *sql.Snapshot { return nil },
			})
			left = b.N
			if once {
				client.next <- mode.before
			} else {
				client.next <- asks[0]
			}
			b.ReportAllocs()
			b.ResetTimer()
			if err := s.Pump(b.Context(), codec); err != nil {
				b.Fatal(err)
			}
		})
	}
}
