package httpgate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir"
)

// maxPrefetched is the largest body that is read, searched and recorded as a whole before the request goes out.
const maxPrefetched = 64 << 10

var (
	errStopped = errors.New("the request is over")
	errTooBig  = errors.New("body too large")
)

// volatileTable lists headers that differ between two tries of the same request. An approval is not bound to them.
var volatileTable = map[string]bool{
	"User-Agent": true, "Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Accept-Charset": true,
	"Cache-Control": true, "Pragma": true, "Date": true, "Priority": true, "Dnt": true, "Upgrade-Insecure-Requests": true,
	"Traceparent": true, "Tracestate": true, "Baggage": true, "X-Request-Id": true, "X-Correlation-Id": true, "X-Amzn-Trace-Id": true,
	"X-Cloud-Trace-Context": true, "Sentry-Trace": true, "If-None-Match": true, "If-Modified-Since": true, "Te": true,
	"Sec-Websocket-Key": true,
}

func volatile(name string) bool {
	return volatileTable[name] || strings.HasPrefix(name, "X-B3-") || strings.HasPrefix(name, "Sec-Fetch-") || strings.HasPrefix(name, "Sec-Ch-")
}

// hasBody reports whether the client sends a body along.
func hasBody(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// parameters spells all that an approval is bound to besides the text: headers and body. Equal requests have equal
// spellings: every part has its length before it, and a multipart boundary, random each time, stands as a fixed word.
func (c *call) parameters(t *Target, header http.Header) ([]byte, error) {
	body, err := c.holdBody(t)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(header))
	for name := range header {
		if !volatile(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	contentType, body := settleBoundary(header["Content-Type"], body)
	out := make([]byte, 0, 256+len(body))
	out = appendPart(out, c.r.Method)
	out = appendPart(out, c.route.path())
	out = appendPart(out, c.route.query())
	for _, name := range names {
		values := header[name]
		if name == "Content-Type" {
			values = contentType
		}
		out = appendPart(out, name)
		out = binary.BigEndian.AppendUint32(out, uint32(len(values))) //nolint:gosec // bounded by the server's header limit
		for _, v := range values {
			out = appendPart(out, v)
		}
	}
	out = appendPart(out, "")
	return append(out, body...), nil
}

func appendPart(b []byte, p string) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
	return append(b, p...)
}

// settledBoundary stands for a multipart boundary in the spelling of a request.
const settledBoundary = "weir-settled-boundary"

// settleBoundary puts a fixed word in the place of a multipart boundary, where it is a delimiter. A body
// that holds the word already is left as it is, so that no two different bodies become one.
func settleBoundary(contentType []string, body []byte) ([]string, []byte) {
	if len(contentType) != 1 || len(body) == 0 || bytes.Contains(body, []byte(settledBoundary)) {
		return contentType, body
	}
	_, params, err := parseMedia(contentType[0])
	boundary := params["boundary"]
	if err != nil || boundary == "" || strings.Count(contentType[0], boundary) != 1 {
		return contentType, body
	}
	delimiter, settled := []byte("\r\n--"+boundary), []byte("\r\n--"+settledBoundary)
	out := bytes.ReplaceAll(append([]byte("\r\n"), body...), delimiter, settled)[2:]
	return []string{strings.Replace(contentType[0], boundary, settledBoundary, 1)}, out
}

// holdBody reads the client's body into memory, to be sent when the request is let go.
func (c *call) holdBody(t *Target) ([]byte, error) {
	if !hasBody(c.r) || c.held != nil {
		return c.held, nil
	}
	limit := t.MaxHeldBody
	if limit <= 0 {
		limit = c.h.opt.MaxHeldBody
	}
	body, err := io.ReadAll(io.LimitReader(c.r.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = errTooBig
	}
	if err != nil {
		return nil, &weir.Denied{
			Kind: weir.DeniedRequest, Err: err,
			Reason: "the body of a request that is held for approval may be at most " + sizeText(limit),
			Hint:   "send less at once, or ask an administrator",
		}
	}
	c.held = body
	return body, nil
}

func sizeText(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// prepareBody makes the body of the request to the target. Small and held ones are searched and recorded
// before anything goes out; others on their way. length is -1 when it is not known.
func (c *call) prepareBody(header http.Header) (body io.ReadCloser, length int64, d *weir.Denied) {
	if !hasBody(c.r) {
		return nil, 0, nil
	}
	var src io.Reader = c.r.Body
	length = c.r.ContentLength
	if c.held != nil {
		src, length = bytes.NewReader(c.held), int64(len(c.held))
	}
	shape := commandShape(c.r.Header.Get("Content-Type"))
	codings, err := parseCodings(header["Content-Encoding"])
	switch {
	case err != nil && !c.allowed(mediaOf(c.r.Header)):
		return nil, 0, &weir.Denied{
			Kind: weir.DeniedContent, Err: err, Reason: "the coding of the request's body cannot be looked into",
			Hint: "send the body as it is, or with gzip, deflate, br or zstd",
		}
	case err != nil:
		shape = weir.Shape{Format: weir.FormatOpaque}
	case len(codings) > 0:
		dec, err := c.h.coders.decode(src, codings)
		if err != nil {
			return nil, 0, malformed("the request's body is not coded as it says", "")
		}
		c.cleanup = append(c.cleanup, dec.Close)
		delete(header, "Content-Encoding") // decoded, it means the same
		src, length = dec, -1
	}
	tee, err := c.x.CommandBody(shape)
	if err != nil {
		return nil, 0, denied(err)
	}
	u := &upload{src: src, tee: tee}
	if c.held != nil && len(codings) == 0 || length > 0 && length <= maxPrefetched {
		b := make([]byte, length)
		if _, err := io.ReadFull(u, b); err != nil && u.denied == nil {
			return nil, 0, malformed("the request's body ended early", "")
		}
		if u.end(); u.denied != nil {
			return nil, 0, u.denied
		}
		if length == 0 {
			return nil, 0, nil
		}
		return newWholeBody(b), length, nil
	}
	c.upload = u
	if c.r.ProtoMajor == 1 && c.held == nil {
		c.exit.fullDuplex()
	}
	return u, length, nil
}

// wholeBody is a body that was read as a whole.
type wholeBody struct {
	bytes.Reader
	b []byte
}

func newWholeBody(b []byte) *wholeBody {
	w := &wholeBody{b: b}
	w.Reset(b)
	return w
}

// Close implements io.Closer.
func (*wholeBody) Close() error { return nil }

func mediaOf(h http.Header) string {
	media, _, err := parseMedia(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

// allowed reports whether the target lets the media type through unseen.
func (c *call) allowed(media string) bool {
	return media != "" && slices.ContainsFunc(c.target.AllowOpaque, func(a string) bool { return strings.EqualFold(a, media) })
}

// upload is a client's body on its way to the target: searched for placeholders and recorded. A
// transport reads it in a goroutine of its own, which may outlive the answer; stop ends that.
type upload struct {
	stopped atomic.Bool

	mu     sync.Mutex
	src    io.Reader
	tee    io.WriteCloser
	scan   placeholderScan
	ended  bool
	done   bool         // the client's body has been read to its end
	denied *weir.Denied // why the rest is not sent
	err    error
}

// Read passes on what the client sent, once it was searched and recorded.
func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stopped.Load() {
		return 0, errStopped
	}
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.src.Read(p)
	if n > 0 {
		if u.scan.holds(p[:n]) {
			return 0, u.fail(heldPlaceholder())
		}
		if _, e := u.tee.Write(p[:n]); e != nil {
			return 0, u.fail(denied(e))
		}
	}
	if errors.Is(err, io.EOF) {
		u.done = true
		if d := u.closeTee(); d != nil {
			return 0, u.fail(d)
		}
	} else if err != nil {
		u.denied = malformed("the request's body could not be read to its end", "")
		u.denied.Err = err
	}
	u.err = err
	return n, err
}

func (u *upload) fail(d *weir.Denied) error {
	u.denied, u.err = d, d
	return d
}

func (u *upload) closeTee() *weir.Denied {
	if u.ended {
		return nil
	}
	u.ended = true
	if err := u.tee.Close(); err != nil {
		return denied(err)
	}
	return nil
}

// end closes the record of a body that was read as a whole.
func (u *upload) end() {
	if d := u.closeTee(); d != nil && u.denied == nil {
		u.denied = d
	}
}

// Close is the transport's; the body belongs to the server.
func (u *upload) Close() error {
	u.stopped.Store(true)
	return nil
}

// refused returns why the body was cut off, if it was.
func (u *upload) refused() *weir.Denied {
	if u == nil || !u.mu.TryLock() {
		return nil
	}
	defer u.mu.Unlock()
	return u.denied
}

// unfinished reports whether the client may still be sending.
func (u *upload) unfinished() bool {
	if u == nil {
		return false
	}
	if !u.mu.TryLock() {
		return true
	}
	defer u.mu.Unlock()
	return !u.done
}

// stop makes sure that nothing reads nor records the body any more.
func (u *upload) stop(e *exit) {
	if u == nil {
		return
	}
	u.stopped.Store(true)
	if !u.mu.TryLock() {
		if !e.unblock() {
			return
		}
		u.mu.Lock()
		e.drainFor(500 * time.Millisecond)
	}
	defer u.mu.Unlock()
	_ = u.closeTee()
}
