package httpgate

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"weir"
	"weir/gate/wire"
)

// pictureHead is how many bytes of a picture are looked at before it may pass.
const pictureHead = 256

// answerDropTable lists answer headers that are not passed on: what would be wrong of masked bytes, and what
// speaks for the origin, which is the gateway's.
var answerDropTable = map[string]bool{
	"Content-Length": true, "Accept-Ranges": true, "Content-Range": true,
	"Digest": true, "Want-Digest": true, "Content-Digest": true, "Repr-Digest": true, "Content-Md5": true, "Want-Content-Digest": true, "Want-Repr-Digest": true,
	"Alt-Svc": true, "Alt-Used": true, "Public-Key-Pins": true, "Public-Key-Pins-Report-Only": true, "Clear-Site-Data": true,
}

// pathModeDropTable lists those that in path mode would speak for all resources and the gateway's own pages.
var pathModeDropTable = map[string]bool{
	"Strict-Transport-Security": true, "Service-Worker-Allowed": true, "Nel": true, "Report-To": true, "Reporting-Endpoints": true,
	"Origin-Agent-Cluster": true, "Expect-Ct": true,
}

// sandbox keeps pages of a target from acting as the gateway's own pages, which in path mode have the same origin.
const sandbox = "sandbox allow-scripts allow-forms allow-popups allow-downloads"

// reply is an answer of the target on its way to the client.
type reply struct {
	c       *call
	resp    *http.Response
	codings []int // that the target applied
	recode  []int // that the client gets
	buf     []byte
	n       int // bytes of buf that were read to decide on the content
	eof     bool
	src     io.Reader
	content content
}

// longBody is the length in bytes from which a body is read in larger parts: fewer system calls for each of its bytes.
const longBody = 1 << 20

// answer looks into the target's answer, masks it, and passes it on. The refusal it returns is not recorded yet; when the answer has
// begun already the connection is cut instead.
func (c *call) answer(resp *http.Response) *weir.Denied {
	switch {
	case resp.StatusCode == http.StatusPartialContent:
		return &weir.Denied{Kind: weir.DeniedContent, Reason: "the target answered with a part of the content, which cannot be masked", Hint: "ask for the whole"}
	case resp.StatusCode < 200 || resp.StatusCode > 599:
		return &weir.Denied{Kind: weir.DeniedTarget, Reason: "the target answered with a status that means nothing here"}
	}
	a := &reply{c: c, resp: resp}
	e := &c.exit
	e.status = resp.StatusCode
	e.bodyless = c.r.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
	e.collect = resp.ContentLength >= 0 && resp.ContentLength <= maxCollected && len(resp.Trailer) == 0
	e.mustClose = c.r.ProtoMajor == 1 && c.upload.unfinished()

	small := e.collect && !e.bodyless
	size := maxCollected
	if small {
		size = int(resp.ContentLength) + sniffLen // room to see the end
	} else if resp.ContentLength > longBody && !e.bodyless {
		size = wire.Huge
	}
	buf := c.h.buffers.Get(size)
	defer c.h.buffers.Put(buf)
	a.buf = buf.B[:cap(buf.B)]
	if d := a.open(); d != nil {
		return d
	}
	return a.send()
}

// early reports event streams: their head is sent before the first event, which may be long in coming.
func (a *reply) early() bool {
	media, _, _ := strings.Cut(a.resp.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(media), "text/event-stream") && len(a.codings) == 0 && a.resp.ContentLength < 0
}

// open decodes the body's beginning and decides what the content is.
func (a *reply) open() *weir.Denied {
	e, h := &a.c.exit, a.resp.Header
	declared := h.Get("Content-Type")
	codings, err := parseCodings(h["Content-Encoding"])
	a.codings = codings
	if e.bodyless || a.resp.ContentLength == 0 {
		a.eof = true
		if e.bodyless && a.c.accept.all(codings) {
			a.recode = codings
		}
		a.content.shape = weir.Shape{Format: weir.FormatText}
		return nil
	}
	if len(h["Content-Type"]) > 1 {
		return a.unreadable("the answer names two content types", "")
	}
	if err != nil {
		return a.unreadable("the answer has a content coding that cannot be looked into", "")
	}
	if a.c.accept.all(codings) {
		a.recode = codings
	}
	a.src = a.resp.Body
	if len(codings) > 0 {
		dec, err := a.c.h.coders.decode(a.src, codings)
		if err != nil {
			return a.unreadable("the answer is not coded as it says", "")
		}
		a.c.cleanup = append(a.c.cleanup, dec.Close)
		a.src = dec
	}
	if a.early() {
		a.content = content{media: "text/event-stream", shape: weir.Shape{Format: weir.FormatSSE}}
		return nil
	}
	if err := a.fill(declared); err != nil {
		return a.broken(err)
	}
	if a.n == 0 {
		a.content.shape = weir.Shape{Format: weir.FormatText}
		a.recode = nil
		return nil
	}
	return a.decide(declared)
}

// decide judges the content by its type and first bytes.
func (a *reply) decide(declared string) *weir.Denied {
	a.content = classify(declared, a.buf[:a.n], a.c.target.AllowOpaque)
	if a.content.opaque {
		hint := ""
		if a.content.media != "" {
			hint = "an administrator can let this type through for the resource: allow_opaque: [" + plainMedia(a.content.media) + "]"
		}
		what := "the answer's content cannot be looked into"
		if a.content.media != "" {
			what = "content of the type " + plainMedia(a.content.media) + " cannot be looked into"
			if formatOf(a.content.media) != weir.FormatUnknown || pictureLike(a.content.media) {
				what = "the content is not what its type, " + plainMedia(a.content.media) + ", says"
			}
		}
		return a.unreadable(what, hint)
	}
	if a.content.charset != "" {
		rest := a.src
		if a.eof {
			rest = nothing{}
		}
		// What was read so far is read again, through the decoder.
		first := append([]byte(nil), a.buf[:a.n]...)
		a.src = decodeCharset(io.MultiReader(strings.NewReader(string(first)), rest), a.content.charset)
		a.n, a.eof = 0, false
	}
	return nil
}

// plainMedia is a media type without what could be anything else.
func plainMedia(m string) string {
	if len(m) > 80 || holdsLongRun(m) {
		return "(unprintable)"
	}
	return m
}

// fill reads until the content can be decided on, or to the end of a small answer.
func (a *reply) fill(declared string) error {
	small := a.c.exit.collect
	want := 1
	if media, _, _ := strings.Cut(declared, ";"); pictureLike(strings.ToLower(strings.TrimSpace(media))) {
		want = pictureHead
	}
	for empty := 0; a.n < len(a.buf); {
		n, err := a.src.Read(a.buf[a.n:])
		a.n += n
		if errors.Is(err, io.EOF) {
			a.eof = true
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			if empty++; empty > 100 {
				return io.ErrNoProgress
			}
			continue
		}
		if !small && a.n >= want && !undecided(a.buf[:a.n]) {
			return nil
		}
	}
	return nil
}

func (a *reply) unreadable(reason, hint string) *weir.Denied {
	return &weir.Denied{Kind: weir.DeniedContent, Reason: reason, Hint: hint}
}

// broken says why the body could not be read.
func (a *reply) broken(err error) *weir.Denied {
	if errors.Is(err, errBomb) {
		return a.unreadable("the answer decodes to far more than it is", "")
	}
	if len(a.codings) > 0 && a.c.x.Context().Err() == nil {
		d := a.unreadable("the answer cannot be decoded as it is coded", "")
		d.Err = err
		return d
	}
	return a.c.unanswered(err)
}

// send masks the head, then the body.
func (a *reply) send() *weir.Denied {
	e := &a.c.exit
	if d := a.head(); d != nil {
		return d
	}
	var dst io.Writer = e
	var rec *recoding
	if len(a.recode) > 0 && a.resp.ContentLength != 0 && !e.bodyless {
		r, err := a.c.h.coders.encode(e, a.recode)
		if err != nil {
			return a.unreadable("the answer cannot be coded again", "")
		}
		rec, dst = r, r
		defer func() {
			if rec != nil {
				rec.release()
			}
		}()
	}
	mw, err := a.c.x.Writer(dst, a.content.shape)
	if err != nil {
		return denied(err)
	}
	if d := a.pump(mw, rec); d != nil {
		return a.cut(d)
	}
	if d := a.trailers(); d != nil {
		return a.cut(d)
	}
	if err := mw.Close(); err != nil {
		return a.cut(a.failure(err))
	}
	if rec != nil {
		r := rec
		rec = nil
		if err := r.Close(); err != nil {
			return a.cut(a.failure(err))
		}
	}
	if e.end() != nil {
		return a.cut(a.failure(e.failed))
	}
	return nil
}

// pump moves the body through the masker until its end.
func (a *reply) pump(mw weir.MaskWriter, rec *recoding) *weir.Denied {
	e := &a.c.exit
	live := a.resp.ContentLength < 0 // nobody knows when it ends: pass on what there is
	flush := func() error {
		if err := mw.Flush(); err != nil {
			return err
		}
		if rec != nil {
			if err := rec.Flush(); err != nil {
				return err
			}
		}
		return e.flush()
	}
	n := a.n
	if n == 0 && !a.eof && a.early() {
		if err := flush(); err != nil {
			return a.failure(err)
		}
	}
	for first := n == 0; ; {
		if n > 0 {
			if first && looksBinary(a.buf[:n]) && !isWide(a.content.charset) && a.content.shape.Format != weir.FormatOpaque {
				return a.unreadable("the content is not what its type says", "")
			}
			first = false
			if err := e.gathered(func() error {
				if _, err := mw.Write(a.buf[:n]); err != nil || !live || a.eof || n == len(a.buf) {
					return err
				}
				return flush()
			}); err != nil {
				return a.failure(err)
			}
		}
		if a.eof {
			return nil
		}
		var err error
		n, err = a.src.Read(a.buf)
		if errors.Is(err, io.EOF) {
			a.eof = true
		} else if err != nil {
			return a.broken(err)
		}
	}
}

// failure tells a control that failed from a client that has gone.
func (a *reply) failure(err error) *weir.Denied {
	if a.c.exit.failed != nil {
		return &weir.Denied{Kind: weir.DeniedSession, Reason: "the client went away", Err: a.c.exit.failed}
	}
	return denied(err)
}

// cut refuses, or breaks the answer off when it has begun: the client must not take it for whole.
func (a *reply) cut(d *weir.Denied) *weir.Denied {
	e := &a.c.exit
	e.discard()
	if e.committed {
		a.c.abort = true
	}
	return d
}

// head masks the answer's header and puts it where the client will get it from.
func (a *reply) head() *weir.Denied {
	attrs := a.attrs()
	if err := a.c.x.Head(statusText(a.resp.StatusCode), attrs); err != nil {
		return denied(err)
	}
	h := a.c.exit.w.Header()
	values := make([]string, len(attrs))
	for i := range attrs {
		at := &attrs[i]
		if !httpguts.ValidHeaderFieldValue(at.Value) {
			continue
		}
		values[i] = at.Value
		if have, ok := h[at.Name]; ok {
			h[at.Name] = append(have, at.Value)
			continue
		}
		h[at.Name] = values[i : i+1 : i+1]
	}
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // the server must not guess one
	}
	if a.c.route.prefix != "" && a.content.shape.Format != weir.FormatJSON {
		h["Content-Security-Policy"] = append(h["Content-Security-Policy"], sandbox)
	}
	h["Weir-Session"] = []string{string(a.c.session.Info().ID)}
	h["Weir-Request-Id"] = []string{a.c.requestID()}
	for name := range a.resp.Trailer {
		if !a.c.dropped(name, nil) {
			h["Trailer"] = append(h["Trailer"], name)
		}
	}
	return nil
}

func statusText(code int) string {
	if code == http.StatusOK {
		return "200 OK"
	}
	return strconv.Itoa(code) + " " + http.StatusText(code)
}

// attrs are the headers to pass on, in the client's terms, not masked yet.
func (a *reply) attrs() []weir.Attr {
	c := a.c
	p := place{target: c.target, prefix: c.route.prefix}
	if c.route.prefix == "" {
		p.origin = "http://" + c.r.Host
		if c.r.TLS != nil {
			p.origin = "https://" + c.r.Host
		}
	}
	listed := connectionListed(a.resp.Header["Connection"])
	attrs := make([]weir.Attr, 0, len(a.resp.Header)+4)
	for name, values := range a.resp.Header {
		if c.dropped(name, listed) {
			continue
		}
		for _, v := range values {
			v, ok := a.translate(&p, name, v)
			if ok {
				attrs = append(attrs, weir.Attr{Name: name, Value: v})
			}
		}
	}
	return attrs
}

// dropped reports headers of the target that the client does not get.
func (c *call) dropped(name string, listed []string) bool {
	if hopByHop(name) || answerDropTable[name] || ownHeader(name) || !passableName(name) {
		return true
	}
	if c.route.prefix != "" && pathModeDropTable[name] {
		return true
	}
	for _, l := range listed {
		if l == name {
			return true
		}
	}
	return false
}

// translate puts one header into the client's terms.
func (a *reply) translate(p *place, name, v string) (string, bool) {
	switch name {
	case "Location", "Content-Location":
		return p.url(v), true
	case "Refresh":
		return p.refresh(v), true
	case "Link":
		return p.links(v), true
	case "Set-Cookie":
		return p.setCookie(v)
	case "Etag":
		if strings.HasPrefix(v, `"`) {
			return "W/" + v, true // the masked bytes are others
		}
	case "Content-Encoding":
		return v, len(a.recode) > 0
	case "Content-Type":
		if a.content.charset != "" {
			return setCharset(v), true
		}
	}
	return v, true
}

// passableName reports whether a header's name, which comes from the target, is a name and cannot be a secret.
func passableName(name string) bool {
	return len(name) <= 64 && httpguts.ValidHeaderFieldName(name) && (len(name) < longRun || !holdsLongRun(name))
}

// longRun is how long a run of letters and digits must be to be taken for a secret.
const longRun = 20

// holdsLongRun reports a run of letters and digits, of both, that is too long for a word.
func holdsLongRun(s string) bool {
	n, letter, digit := 0, false, false
	for i := range len(s) {
		switch b := s[i]; {
		case b >= '0' && b <= '9':
			n, digit = n+1, true
		case b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z':
			n, letter = n+1, true
		default:
			n, letter, digit = 0, false, false
		}
		if n >= longRun && letter && digit {
			return true
		}
	}
	return false
}

// trailers masks and passes on what came behind the body.
func (a *reply) trailers() *weir.Denied {
	if len(a.resp.Trailer) == 0 || a.c.exit.bodyless {
		return nil
	}
	var attrs []weir.Attr
	for name, values := range a.resp.Trailer {
		if a.c.dropped(name, nil) {
			continue
		}
		for _, v := range values {
			attrs = append(attrs, weir.Attr{Name: name, Value: v})
		}
	}
	if len(attrs) == 0 {
		return nil
	}
	if err := a.c.x.Head("trailers", attrs); err != nil {
		return denied(err)
	}
	for i := range attrs {
		if httpguts.ValidHeaderFieldValue(attrs[i].Value) {
			a.c.exit.trailer(attrs[i].Name, attrs[i].Value)
		}
	}
	return nil
}
