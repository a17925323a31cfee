package httpgate

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

const (
	maxCodings    = 2        // how many codings one body may have, one inside the other
	bombFree      = 10 << 20 // bytes that may be decoded whatever the ratio
	bombRatio     = 200      // decoded bytes for one coded byte, beyond bombFree
	maxZstdWindow = 8 << 20  // RFC 9659: the window that a decoder for HTTP must support
)

var (
	errCoding = errors.New("unknown content coding")
	errBomb   = errors.New("the body decodes to far more than it is")
)

// encoder is what all coders have in common.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

// coders pools decoders and encoders. The zero value is ready.
type coders struct {
	readers, writers [5]sync.Pool
	peek             sync.Pool
}

// Codings, as indexes of the pools.
const (
	identity = iota
	gzipped
	deflated
	brotlied
	zstandard
)

var codingNames = [...]string{identity: "identity", gzipped: "gzip", deflated: "deflate", brotlied: "br", zstandard: "zstd"}

// codingOf finds a coding by its name.
func codingOf(name string) (int, bool) {
	switch {
	case name == "" || strings.EqualFold(name, "identity"):
		return identity, true
	case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
		return gzipped, true
	case strings.EqualFold(name, "deflate"):
		return deflated, true
	case strings.EqualFold(name, "br"):
		return brotlied, true
	case strings.EqualFold(name, "zstd"):
		return zstandard, true
	}
	return identity, false
}

// parseCodings reads Content-Encoding, in the order in which the codings were applied. Identity is left out.
func parseCodings(values []string) ([]int, error) {
	if len(values) == 0 {
		return nil, nil
	}
	var out []int
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			c, ok := codingOf(strings.TrimSpace(name))
			if !ok {
				return nil, errCoding
			}
			if c != identity {
				out = append(out, c)
			}
		}
	}
	if len(out) > maxCodings {
		return nil, errCoding
	}
	return out, nil
}

// acceptable is what a client accepts, of what the gateway can decode.
type acceptable [5]bool

// parseAccept reads Accept-Encoding.
func parseAccept(values []string) acceptable {
	var a, named acceptable
	all := false
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			name, params, _ := strings.Cut(item, ";")
			name = strings.TrimSpace(name)
			ok := !zeroWeight(params)
			if name == "*" {
				all = ok
				continue
			}
			if c, known := codingOf(name); known && name != "" {
				a[c], named[c] = ok, true
			}
		}
	}
	for c := range a {
		if all && !named[c] {
			a[c] = true
		}
	}
	return a
}

func zeroWeight(params string) bool {
	q, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(params, " ", "")), "q=")
	if !ok {
		return false
	}
	f, err := strconv.ParseFloat(q, 64)
	return err != nil || f <= 0
}

// header spells what to ask the target for.
func (a acceptable) header() string {
	switch a {
	case acceptable{}, acceptable{identity: true}:
		return "identity"
	case acceptable{gzipped: true}:
		return "gzip"
	case acceptable{gzipped: true, deflated: true, brotlied: true, zstandard: true}:
		return "gzip, deflate, br, zstd"
	}
	var b []byte
	for c := gzipped; c <= zstandard; c++ {
		if a[c] {
			if b != nil {
				b = append(b, ", "...)
			}
			b = append(b, codingNames[c]...)
		}
	}
	if b == nil {
		return "identity"
	}
	return string(b)
}

// all reports whether every one of the codings is accepted.
func (a acceptable) all(codings []int) bool {
	for _, c := range codings {
		if !a[c] {
			return false
		}
	}
	return true
}

// meter counts the coded bytes that a decoder took in.
type meter struct {
	r io.Reader
	n int64
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	return n, err
}

// decoding reads a body through its codings. Close gives the decoders back; it does not close the source.
type decoding struct {
	io.Reader
	in    meter
	out   int64
	close []func()
}

// decode undoes codings, the last one first.
func (c *coders) decode(src io.Reader, codings []int) (*decoding, error) {
	d := &decoding{in: meter{r: src}}
	d.Reader = &d.in
	for i := len(codings) - 1; i >= 0; i-- {
		if err := c.stage(d, codings[i]); err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

// Read decodes, within the limits that keep a small body from becoming an endless one.
func (d *decoding) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p)
	d.out += int64(n)
	if d.out > bombFree && d.out > bombRatio*d.in.n {
		return 0, errBomb
	}
	return n, err
}

// Close gives the decoders back.
func (d *decoding) Close() {
	for i := len(d.close) - 1; i >= 0; i-- {
		d.close[i]()
	}
	d.close = nil
}

// stage puts one decoder in front of d.
func (c *coders) stage(d *decoding, coding int) error {
	pool := &c.readers[coding]
	src := d.Reader
	switch coding {
	case gzipped:
		z, ok := pool.Get().(*gzip.Reader)
		if !ok {
			z = new(gzip.Reader)
		}
		// A header that is not there yet must not be waited for before the first Read.
		d.Reader = &lazyReader{open: func() (io.Reader, error) { return z, z.Reset(src) }}
		d.close = append(d.close, func() { pool.Put(z) })
	case deflated:
		d.Reader = &lazyReader{open: func() (io.Reader, error) { return c.inflate(d, src) }}
	case brotlied:
		z, ok := pool.Get().(*brotli.Reader)
		if !ok {
			z = new(brotli.Reader)
		}
		if err := z.Reset(src); err != nil {
			return err
		}
		d.Reader = z
		d.close = append(d.close, func() { _ = z.Reset(nothing{}); pool.Put(z) })
	case zstandard:
		z, ok := pool.Get().(*zstd.Decoder)
		if !ok {
			var err error
			if z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecoderLowmem(true)); err != nil {
				return err
			}
		}
		if err := z.Reset(src); err != nil {
			return err
		}
		d.Reader = z
		d.close = append(d.close, func() { _ = z.Reset(nil); pool.Put(z) })
	default:
		return errCoding
	}
	return nil
}

// inflate reads "deflate", which some servers send with the zlib wrapper and some without.
func (c *coders) inflate(d *decoding, src io.Reader) (io.Reader, error) {
	br, ok := c.peek.Get().(*bufio.Reader)
	if !ok {
		br = bufio.NewReaderSize(src, 4096)
	}
	br.Reset(src)
	d.close = append(d.close, func() { br.Reset(nothing{}); c.peek.Put(br) })
	two, err := br.Peek(2)
	if len(two) == 2 && two[0]&0x0f == 8 && (uint(two[0])<<8|uint(two[1]))%31 == 0 {
		return zlib.NewReader(br)
	}
	if len(two) == 0 {
		return nil, err
	}
	return flate.NewReader(br), nil
}

// lazyReader opens its reader at the first Read.
type lazyReader struct {
	open func() (io.Reader, error)
	r    io.Reader
}

func (l *lazyReader) Read(p []byte) (int, error) {
	if l.r == nil {
		r, err := l.open()
		if err != nil {
			return 0, err
		}
		l.r = r
	}
	return l.r.Read(p)
}

// nothing is an empty source for pooled readers.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }

// recoding writes a body through codings, in their order. A nil one passes bytes on.
type recoding struct {
	pools  *coders
	stages []stageWriter // the one that is written to first is the first
}

type stageWriter struct {
	coding int
	w      encoder
}

// encode makes the way through codings to dst; dst is written to by the last one.
func (c *coders) encode(dst io.Writer, codings []int) (*recoding, error) {
	e := &recoding{pools: c, stages: make([]stageWriter, len(codings))}
	for i := len(codings) - 1; i >= 0; i-- {
		w, err := c.encoder(codings[i])
		if err != nil {
			return nil, err
		}
		w.Reset(dst)
		e.stages[i] = stageWriter{codings[i], w}
		dst = w
	}
	return e, nil
}

func (c *coders) encoder(coding int) (encoder, error) {
	if w, ok := c.writers[coding].Get().(encoder); ok {
		return w, nil
	}
	switch coding {
	case gzipped:
		return gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	case deflated:
		return zlib.NewWriterLevel(io.Discard, zlib.BestSpeed)
	case brotlied:
		return brotli.NewWriterOptions(io.Discard, brotli.WriterOptions{Quality: 2, LGWin: 18}), nil
	case zstandard:
		return zstd.NewWriter(io.Discard, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(512<<10), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true))
	}
	return nil, errCoding
}

// Write encodes p.
func (e *recoding) Write(p []byte) (int, error) { return e.stages[0].w.Write(p) }

// Flush pushes all that was written through every stage.
func (e *recoding) Flush() error {
	for _, s := range e.stages {
		if err := s.w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the coded body and gives the encoders back; also after an error.
func (e *recoding) Close() error {
	var first error
	for _, s := range e.stages {
		if err := s.w.Close(); err != nil && first == nil {
			first = err
		}
	}
	e.release()
	return first
}

// release gives the encoders back without ending the body.
func (e *recoding) release() {
	for _, s := range e.stages {
		s.w.Reset(io.Discard)
		e.pools.writers[s.coding].Put(s.w)
	}
	e.stages = nil
}
