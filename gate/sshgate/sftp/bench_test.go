package sftp_test

import (
	"context"
	"encoding/binary"
	"io"
	"os"
	"testing"

	"weir/gate/sshgate/sftp"
	"weir/gate/sshgate/transfer"
)

// fileServer answers INIT, OPEN and READ out of memory, so that nothing but the relay is measured.
func fileServer(r io.Reader, w io.Writer, data []byte, size int64) {
	buf := make([]byte, 1<<20)
	var out []byte
	have := 0
	for {
		n, err := r.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		at := 0
		for have-at >= 4 && have-at-4 >= int(binary.BigEndian.Uint32(buf[at:])) {
			p := buf[at+4 : at+4+int(binary.BigEndian.Uint32(buf[at:]))]
			at += 4 + len(p)
			switch p[0] {
			case 1:
				out = append(out, packet(2, 3)...)
			case 3:
				out = append(out, packet(102, int(binary.BigEndian.Uint32(p[1:])), "h")...)
			case 5:
				id, off, n := binary.BigEndian.Uint32(p[1:]), int64(binary.BigEndian.Uint64(p[10:])), int64(binary.BigEndian.Uint32(p[18:]))
				if n = min(n, size-off); n <= 0 {
					out = append(out, packet(101, int(id), 1, "", "")...)
					break
				}
				out = binary.BigEndian.AppendUint32(out, uint32(9+n))
				out = binary.BigEndian.AppendUint32(append(out, 103), id)
				out = append(binary.BigEndian.AppendUint32(out, uint32(n)), data[off%(1<<20):][:n]...)
			}
		}
		have = copy(buf, buf[at:have])
		if _, err := w.Write(out); err != nil {
			return
		}
		out = out[:0]
	}
}

// fetch reads a file of the size as OpenSSH's client does: 64 READs of 32 KiB under way.
func fetch(b *testing.B, r io.Reader, w io.Writer, size int64) {
	in := make([]byte, 1<<20)
	var n [4]byte
	receive := func() []byte {
		if _, err := io.ReadFull(r, n[:]); err != nil {
			b.Fatal(err)
		}
		p := in[:binary.BigEndian.Uint32(n[:])]
		if _, err := io.ReadFull(r, p); err != nil {
			b.Fatal(err)
		}
		return p
	}
	send := func(p []byte) { _, _ = w.Write(p) }
	send(packet(1, 3))
	receive()
	send(packet(3, 1, "f", 1, 0))
	handle := string(receive()[9:])
	next, got := int64(0), int64(0)
	for range 64 {
		send(packet(5, 1, handle, next, 32<<10))
		next += 32 << 10
	}
	for got < size {
		p := receive()
		if p[0] != 103 {
			b.Fatalf("%q", p)
		}
		got += int64(len(p)) - 9
		send(packet(5, 1, handle, next, 32<<10))
		next += 32 << 10
	}
}

func pipes(b *testing.B) (r, w *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

func BenchmarkDownload(b *testing.B) {
	const size = 256 << 20
	opaque := blob(1<<20 + 256<<10)
	for i := range opaque {
		if opaque[i] == 'C' {
			opaque[i] = 'x' // nothing is masked
		}
	}
	for _, c := range []struct {
		name   string
		data   []byte
		direct bool
	}{{"direct", opaque, true}, {"opaque", opaque, false}, {"text", text(1<<20 + 256<<10), false}} {
		b.Run(c.name, func(b *testing.B) {
			h := &host{m: newMasker(b)}
			b.SetBytes(size)
			b.ResetTimer()
			b.ReportAllocs()
			for range b.N {
				up, toTarget := pipes(b)
				fromTarget, down := pipes(b)
				go fileServer(up, down, c.data, size)
				if c.direct {
					fetch(b, fromTarget, toTarget, size)
					_ = toTarget.Close()
					continue
				}
				clientUp, toGateway := pipes(b)
				fromGateway, clientDown := pipes(b)
				done := make(chan error, 1)
				go func() {
					done <- sftp.Run(context.Background(), pipe{clientUp, clientDown, func() { _, _ = clientUp.Close(), clientDown.Close() }},
						pipe{fromTarget, toTarget, func() { _, _ = fromTarget.Close(), toTarget.Close() }}, h, transfer.Options{AllowOpaque: true})
				}()
				fetch(b, fromGateway, toGateway, size)
				_ = toGateway.Close()
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
