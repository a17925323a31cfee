package httpgate_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/httpgate"
)

// coded packs body as the codings say, in their order.
func coded(t testing.TB, body []byte, codings ...string) []byte {
	t.Helper()
	for _, c := range codings {
		var b bytes.Buffer
		var w io.WriteCloser
		switch c {
		case "gzip":
			w = gzip.NewWriter(&b)
		case "deflate":
			w = zlib.NewWriter(&b)
		case "raw":
			w, _ = flate.NewWriter(&b, 5)
		case "br":
			w = brotli.NewWriter(&b)
		case "zstd":
			w, _ = zstd.NewWriter(&b)
		default:
			t.Fatal(c)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		body = b.Bytes()
	}
	return body
}

// decoded undoes one coding, or none.
func decoded(t testing.TB, body, coding string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	var err error
	codings := strings.Split(coding, ", ")
	slices.Reverse(codings)
	for _, c := range codings {
		switch c {
		case "":
		case "gzip":
			r, err = gzip.NewReader(r)
		case "deflate":
			r, err = zlib.NewReader(r)
		case "br":
			r = brotli.NewReader(r)
		case "zstd":
			r, err = zstd.NewReader(r)
		default:
			t.Fatalf("coding %q", coding)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestContentCodings(t *testing.T) {
	long := strings.Repeat("some text before; ", 20_000)
	for name, c := range map[string]struct {
		named, accept, want string
		codings             []string
	}{
		"gzip":              {named: "gzip", accept: "gzip", want: "gzip", codings: []string{"gzip"}},
		"x-gzip":            {named: "x-gzip", accept: "gzip", want: "x-gzip", codings: []string{"gzip"}},
		"gzip not accepted": {named: "gzip", accept: "identity", codings: []string{"gzip"}},
		"gzip refused":      {named: "gzip", accept: "gzip;q=0, br", codings: []string{"gzip"}},
		"any accepted":      {named: "gzip", accept: "*", want: "gzip", codings: []string{"gzip"}},
		"deflate":           {named: "deflate", accept: "deflate", want: "deflate", codings: []string{"deflate"}},
		"deflate without zlib": {
			named: "deflate", accept: "deflate", want: "deflate", codings: []string{"raw"},
		},
		"br":            {named: "br", accept: "br", want: "br", codings: []string{"br"}},
		"zstd":          {named: "zstd", accept: "zstd", want: "zstd", codings: []string{"zstd"}},
		"twice":         {named: "gzip, gzip", accept: "gzip", want: "gzip, gzip", codings: []string{"gzip", "gzip"}},
		"two kinds":     {named: "br, gzip", accept: "gzip, br", want: "br, gzip", codings: []string{"br", "gzip"}},
		"only one kind": {named: "br, gzip", accept: "gzip", codings: []string{"br", "gzip"}},
	} {
		for _, size := range []string{"small", "long"} {
			t.Run(name+"/"+size, func(t *testing.T) {
				body := "secret " + canary + " end"
				if size == "long" {
					body = long + body + long
				}
				packed := coded(t, []byte(body), c.codings...)
				r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "text/plain")
					w.Header().Set("Content-Encoding", c.named)
					_, _ = w.Write(packed)
				}), rigOptions{})
				for range 2 { // the second one uses pooled coders
					a := r.get(t, "/", "Accept-Encoding", c.accept)
					if a.StatusCode != 200 || a.err != nil {
						t.Fatalf("got %d %v %.200s", a.StatusCode, a.err, a.body)
					}
					ce := a.Header.Get("Content-Encoding")
					if ce != c.want {
						t.Errorf("coding %q, want %q", ce, c.want)
					}
					got := decoded(t, a.body, strings.TrimPrefix(ce, "x-"))
					if want := strings.ReplaceAll(body, canary, gatetest.Mask); got != want {
						t.Errorf("got %d bytes, want %d", len(got), len(want))
					}
				}
				r.controls.Sweep(t)
			})
		}
	}
}

func TestUnreadableContent(t *testing.T) {
	zeros := make([]byte, 64<<20)
	for name, c := range map[string]struct {
		header map[string]string
		body   []byte
		names  string // what the refusal must say
	}{
		"octet-stream":           {map[string]string{"Content-Type": "application/octet-stream"}, []byte("x" + canary), "allow_opaque: [application/octet-stream]"},
		"protobuf":               {map[string]string{"Content-Type": "application/x-protobuf"}, []byte("\x0a\x05hello"), "application/x-protobuf"},
		"grpc":                   {map[string]string{"Content-Type": "application/grpc"}, []byte("\x00\x00\x00\x00\x05hello"), "application/grpc"},
		"zip":                    {map[string]string{"Content-Type": "application/zip"}, []byte("PK\x03\x04"), "application/zip"},
		"pdf":                    {map[string]string{"Content-Type": "application/pdf"}, []byte("%PDF-1.7"), "application/pdf"},
		"unknown coding":         {map[string]string{"Content-Type": "text/plain", "Content-Encoding": "compress"}, []byte("x"), "coding"},
		"three codings":          {map[string]string{"Content-Type": "text/plain", "Content-Encoding": "gzip, gzip, gzip"}, coded(t, []byte("x"), "gzip", "gzip", "gzip"), "coding"},
		"gzip under text":        {map[string]string{"Content-Type": "text/plain"}, coded(t, []byte(canary), "gzip"), "not what its type"},
		"gzip in gzip":           {map[string]string{"Content-Type": "text/plain", "Content-Encoding": "gzip"}, coded(t, []byte(canary), "gzip", "gzip"), "not what its type"},
		"zstd under JSON":        {map[string]string{"Content-Type": "application/json"}, coded(t, []byte(canary), "zstd"), "not what its type"},
		"NULs under text":        {map[string]string{"Content-Type": "text/plain"}, []byte("a\x00b" + canary), "not what its type"},
		"lists of short words":   {map[string]string{"Content-Type": "text/plain"}, []byte("word\x00b\x00" + canary), "not what its type"},
		"lists of bytes":         {map[string]string{"Content-Type": "text/plain"}, []byte("word\x00wo\x01rd\x00" + canary), "not what its type"},
		"heap dump under text":   {map[string]string{"Content-Type": "text/plain"}, []byte("JAVA PROFILE 1.0.2\x00"), "not what its type"},
		"no gzip":                {map[string]string{"Content-Type": "text/plain", "Content-Encoding": "gzip"}, []byte("plain " + canary), "decoded"},
		"cut gzip":               {map[string]string{"Content-Type": "text/plain", "Content-Encoding": "gzip"}, coded(t, []byte(strings.Repeat("x", 100)), "gzip")[:20], "decoded"},
		"bomb":                   {map[string]string{"Content-Type": "text/plain", "Content-Encoding": "gzip, gzip"}, coded(t, zeros, "gzip", "gzip"), ""},
		"text as a picture":      {map[string]string{"Content-Type": "image/png"}, []byte("password: " + canary), "not what its type"},
		"jpeg as png":            {map[string]string{"Content-Type": "image/png"}, []byte("\xff\xd8\xff\xe0aaaa"), "not what its type"},
		"unknown charset":        {map[string]string{"Content-Type": "text/plain; charset=utf-7"}, []byte("x"), "not what its type"},
		"replacement charset":    {map[string]string{"Content-Type": "text/plain; charset=iso-2022-kr"}, []byte("x"), "not what its type"},
		"wide without a mark":    {map[string]string{"Content-Type": "text/plain"}, []byte("p\x00w\x00"), "not what its type"},
		"byte ranges":            {map[string]string{"Content-Type": "multipart/byteranges; boundary=x"}, []byte("--x--"), "multipart/byteranges"},
		"multipart, no boundary": {map[string]string{"Content-Type": "multipart/mixed"}, []byte("--x--"), "multipart/mixed"},
		"malformed type":         {map[string]string{"Content-Type": "text plain"}, []byte("x"), "looked into"},
		"no type, binary":        {map[string]string{"Content-Type": ""}, []byte("\x01\x02\x03\xff"), "looked into"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.header {
					if v == "" {
						w.Header()[k] = nil
						continue
					}
					w.Header().Set(k, v)
				}
				_, _ = w.Write(c.body)
			}), rigOptions{})
			resp, err := r.client().Do(r.request(t, "GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if name == "bomb" {
				if err == nil && resp.StatusCode == 200 {
					t.Errorf("the bomb went off: %d bytes", len(b))
				}
				return
			}
			a := &answer{Response: resp, body: string(b)}
			p := a.problem(t)
			if a.StatusCode != 403 || p["type"] != "urn:weir:problem:unreadable-content" || !strings.Contains(a.body, c.names) {
				t.Errorf("got %d %s", a.StatusCode, a.body)
			}
			eventually(t, "end", func() bool { return len(r.records(weir.RecordAnswerEnd)) == 1 })
			if n := len(r.records(weir.RecordRefusal)); n != 1 || len(r.records(weir.RecordAnswerBody)) > 0 {
				t.Errorf("%d refusals recorded; %s", n, r.controls.Kinds())
			}
			r.controls.Sweep(t, a.body)
		})
	}
}

func TestContentThatPasses(t *testing.T) {
	latin, _ := charmap.ISO8859_1.NewEncoder().String("grüße " + canary)
	wide, _ := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String("größe " + canary)
	wideBE, _ := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder().String("größe " + canary)
	for name, c := range map[string]struct {
		typ, body, want, wantType string
		allow                     []string
	}{
		"json":              {typ: "application/json", body: `{"a":"` + canary + `"}`},
		"problem":           {typ: "application/problem+json", body: `{"a":"` + canary + `"}`},
		"ndjson":            {typ: "application/x-ndjson", body: "{\"a\":1}\n{\"b\":\"" + canary + "\"}\n"},
		"json sequence":     {typ: "application/json-seq", body: "\x1e{\"a\":1}\n"},
		"yaml":              {typ: "application/yaml", body: "a: " + canary},
		"xml":               {typ: "text/xml", body: "<a>" + canary + "</a>"},
		"svg":               {typ: "image/svg+xml", body: "<svg>" + canary + "</svg>"},
		"html":              {typ: "text/html; charset=UTF-8", body: "<p>" + canary},
		"script":            {typ: "application/javascript", body: "var a='" + canary + "'"},
		"css":               {typ: "text/css", body: "a{}"},
		"prometheus":        {typ: "text/plain; version=0.0.4; charset=utf-8", body: "a 1\n"},
		"form":              {typ: "application/x-www-form-urlencoded", body: "a=b&c=" + canary},
		"csv":               {typ: "text/csv", body: "a,b\n" + canary + ",c\n"},
		"latin-1":           {typ: "text/plain; charset=ISO-8859-1", body: latin, want: "grüße " + canary, wantType: "text/plain; charset=utf-8"},
		"windows-1252":      {typ: `text/html; charset="windows-1252"`, body: "\x93" + canary + "\x94", want: "“" + canary + "”", wantType: "text/html; charset=utf-8"},
		"utf-16 with mark":  {typ: "text/plain", body: wide, want: "größe " + canary, wantType: "text/plain; charset=utf-8"},
		"utf-16be, named":   {typ: "text/plain; charset=utf-16be", body: wideBE, want: "größe " + canary, wantType: "text/plain; charset=utf-8"},
		"latin-1, marked":   {typ: "text/plain; charset=latin1", body: wide, want: "größe " + canary, wantType: "text/plain; charset=utf-8"},
		"no type, text":     {typ: "-", body: "a=" + canary},
		"no type, json":     {typ: "-", body: `{"a":"` + canary + `"}`},
		"png":               {typ: "image/png", body: "\x89PNG\r\n\x1a\n....", want: "\x89PNG\r\n\x1a\n...."},
		"woff2":             {typ: "font/woff2", body: "wOF2...."},
		"mp4":               {typ: "video/mp4", body: "\x00\x00\x00\x18ftypmp42...."},
		"picture, secret":   {typ: "image/gif", body: "GIF89a" + canary},
		"allowed opaque":    {typ: "application/octet-stream", body: "\x00\x01" + canary, allow: []string{"application/octet-stream"}},
		"allowed, disguise": {typ: "text/plain", body: "\x00\x01" + canary, allow: []string{"text/plain"}},
		"empty opaque":      {typ: "application/octet-stream", body: ""},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprint(name, "/", chunked), func(t *testing.T) {
				r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if w.Header().Set("Content-Type", c.typ); c.typ == "-" {
						w.Header()["Content-Type"] = nil
					}
					if !chunked {
						_, _ = io.WriteString(w, c.body)
						return
					}
					for _, b := range []byte(c.body) { // every boundary there is
						_, _ = w.Write([]byte{b})
						_ = http.NewResponseController(w).Flush()
					}
				}), rigOptions{target: func(tg *httpgate.Target) { tg.AllowOpaque = c.allow }})
				a := r.get(t, "/")
				want, wantType := c.want, c.wantType
				if want == "" {
					want = c.body
				}
				if wantType == "" && c.typ != "-" {
					wantType = c.typ
				}
				want = strings.ReplaceAll(want, canary, gatetest.Mask)
				if a.StatusCode != 200 || a.body != want {
					t.Fatalf("got %d %q, want %q", a.StatusCode, a.body, want)
				}
				if g := a.Header.Get("Content-Type"); g != wantType {
					t.Errorf("type %q, want %q", g, wantType)
				}
				r.controls.Sweep(t, a.body)
			})
		}
	}
}

func TestAnswerHeaders(t *testing.T) {
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/plain")
		h.Set("X-Token", canary)
		h.Set("Authorization", "Bearer "+canary)
		h.Set("Content-Md5", "x")
		h.Set("Digest", "x")
		h.Set("Repr-Digest", "x")
		h.Set("Content-Digest", "x")
		h.Set("Accept-Ranges", "bytes")
		h.Set("Alt-Svc", `h3=":443"`)
		h.Set("Strict-Transport-Security", "max-age=1")
		h.Set("Service-Worker-Allowed", "/")
		h.Set("Clear-Site-Data", "*")
		h.Set("Weir-Session", "forged")
		h.Set("Connection", "X-Hop")
		h.Set("X-Hop", "1")
		h.Set("Keep-Alive", "timeout=1")
		h.Set("Etag", `W/"weak"`)
		h.Set("X-0123456789abcdef0123456789", "a secret as a name")
		h.Set("Link", `<http://`+req.Host+`/a>; rel=next, </b>; rel="x<y"`)
		h.Set("Refresh", "5; url=/again")
		h.Set("Content-Location", "/here")
		h.Set("Location", "https://elsewhere.test/x")
		h.Set("X-Many", "1")
		h.Add("X-Many", "2")
		_, _ = io.WriteString(w, "ok")
	}), rigOptions{})
	a := r.get(t, "/")
	for name, want := range map[string]string{
		"X-Token": gatetest.Mask, "Authorization": "Bearer " + gatetest.Mask, "Content-Md5": "", "Digest": "", "Repr-Digest": "", "Content-Digest": "",
		"Accept-Ranges": "", "Alt-Svc": "", "Strict-Transport-Security": "", "Service-Worker-Allowed": "", "Clear-Site-Data": "", "X-Hop": "", "Keep-Alive": "",
		"Etag": `W/"weak"`, "X-0123456789abcdef0123456789": "", "Link": `</r/res/a>; rel=next, </r/res/b>; rel="x<y"`, "Refresh": "5; url=/r/res/again",
		"Content-Location": "/r/res/here", "Location": "https://elsewhere.test/x", "X-Many": "1|2",
		"Content-Security-Policy": "sandbox allow-scripts allow-forms allow-popups allow-downloads",
	} {
		if g := strings.Join(a.Header[name], "|"); g != want {
			t.Errorf("%s: %q, want %q", name, g, want)
		}
	}
	if a.Header.Get("Weir-Session") == "forged" {
		t.Error("the target forged a header of the gateway")
	}
	r.controls.Sweep(t, fmt.Sprint(a.Header))
	a = r.get(t, "/", "Host", "res.localhost")
	if a.Header.Get("Strict-Transport-Security") == "" || a.Header.Get("Service-Worker-Allowed") == "" || a.Header.Get("Content-Security-Policy") != "" {
		t.Errorf("host mode: %v", a.Header)
	}
}

func TestAnswersWithoutABody(t *testing.T) {
	var got seen
	r := newRig(t, got.wrap(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("X-Token", canary)
		w.Header().Set("Content-Type", "application/octet-stream")
		code, _ := strconv.Atoi(req.URL.Path[1:])
		if code == 200 {
			w.Header().Set("Content-Length", "1000")
		}
		w.WriteHeader(code)
	}), rigOptions{})
	for _, c := range []struct {
		method string
		code   int
	}{{"HEAD", 200}, {"HEAD", 404}, {"GET", 204}, {"GET", 304}} {
		a := r.do(t, r.request(t, c.method, "/"+strconv.Itoa(c.code), nil))
		if a.StatusCode != c.code || a.body != "" || a.Header.Get("Content-Length") != "" || a.Header.Get("X-Token") != gatetest.Mask {
			t.Errorf("%v: got %d %q %v", c, a.StatusCode, a.body, a.Header)
		}
	}
	eventually(t, "ends", func() bool { return len(r.records(weir.RecordAnswerEnd)) == 4 })
	if n := len(r.records(weir.RecordAnswerHead)); n != 4 {
		t.Errorf("%d heads recorded", n)
	}
	if len(r.records(weir.RecordSessionStart)) != 1 {
		t.Error("more than one session")
	}
}

func TestTrailers(t *testing.T) {
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Trailer", "X-Sum, Weir-Session")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "it is "+canary)
		w.Header().Set("Weir-Session", "forged")
	}), rigOptions{})
	a := r.get(t, "/")
	if g := a.Trailer.Get("X-Sum"); a.body != "body" || g != "it is "+gatetest.Mask || a.Trailer.Get("Weir-Session") != "" {
		t.Errorf("body %q, trailer %v", a.body, a.Trailer)
	}
	eventually(t, "end", func() bool { return len(r.records(weir.RecordAnswerEnd)) == 1 })
	if h := r.records(weir.RecordAnswerHead); len(h) != 2 || h[1].Text != "trailers" {
		t.Errorf("heads %+v", h)
	}
	r.controls.Sweep(t, fmt.Sprint(a.Trailer))
}

func TestOddStatuses(t *testing.T) {
	for code, want := range map[int]int{206: 403, 600: 502, 599: 599, 418: 418} {
		r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(code)
		}), rigOptions{})
		if a := r.get(t, "/"); a.StatusCode != want {
			t.Errorf("%d became %d", code, a.StatusCode)
		}
	}
}

func TestInformationalAnswersAreDropped(t *testing.T) {
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Link", "</"+canary+">")
		w.WriteHeader(103)
		w.Header().Del("Link")
		text("ok")(w, req)
	}), rigOptions{})
	resp, body := r.raw(t, "GET /r/res/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+presented+"\r\nConnection: close\r\n\r\n")
	if resp.StatusCode != 200 || body != "ok" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}

func TestRecordingFailureOfAnswers(t *testing.T) {
	for _, kind := range []weir.RecordKind{weir.RecordAnswerHead, weir.RecordAnswerBody} {
		r := newRig(t, text("ok"), rigOptions{controls: func(c *gatetest.Controls) {
			c.OnRecord = func(r *weir.Record) error {
				if r.Kind == kind {
					return errors.New("disk full " + canary)
				}
				return nil
			}
		}})
		a := r.get(t, "/")
		if p := a.problem(t); a.StatusCode != 503 || p["type"] != "urn:weir:problem:control-failed" {
			t.Errorf("%v: got %d %v", kind, a.StatusCode, p)
		}
		r.controls.Sweep(t, a.body)
	}
}

func TestAnswerThatBreaksOff(t *testing.T) {
	big := strings.Repeat("x", 200_000)
	for name, after := range map[string]int{"before the first byte": 0, "early": 10, "late": len(big)} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				w.Header().Set("Content-Length", "1000000")
				_, _ = io.WriteString(w, big[:after])
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}), rigOptions{})
			resp, err := r.client().Do(r.request(t, "GET", "/", nil))
			if err == nil {
				defer resp.Body.Close()
				var b []byte
				if b, err = io.ReadAll(resp.Body); err == nil && resp.StatusCode == 200 {
					t.Errorf("the client took %d bytes for the whole", len(b))
				}
			}
			eventually(t, "end", func() bool { return len(r.records(weir.RecordAnswerEnd)) == 1 })
		})
	}
}
