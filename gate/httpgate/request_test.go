package httpgate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"weir"
	"weir/gate/gatetest"
	"weir/gate/httpgate"
	"weir/vault/secret"
)

const placeholder = "[masked:known:abcd1234]"

func TestPathGoesOutAsItCameIn(t *testing.T) {
	for _, path := range []string{
		"/", "/a%2Fb", "/a%2fb/../c", "/a/./b//c", "/{x}|y^`", "/%E4%F6", "/a;b=c/d", "//double", "/a%00b", "/a?", "/a?x=%zz&y=;&&", "/caf\xc3\xa9", "/a\\b",
	} {
		t.Run(path, func(t *testing.T) {
			var got seen
			r := newRig(t, got.wrap(text("ok")), rigOptions{})
			resp, body := r.raw(t, "GET /r/res"+path+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+presented+"\r\nConnection: close\r\n\r\n")
			if resp.StatusCode != 200 {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
			saw, _ := got.last(t)
			if saw.RequestURI != path {
				t.Errorf("target saw %q, want %q", saw.RequestURI, path)
			}
			if cmd := r.records(weir.RecordCommand)[0].Text; cmd != "GET "+path {
				t.Errorf("recorded %q", cmd)
			}
		})
	}
}

func TestTwoSlashesThatCannotBeSentAsTheyAre(t *testing.T) {
	r := newRig(t, text("ok"), rigOptions{})
	resp, _ := r.raw(t, "GET /r/res//a|b HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+presented+"\r\n\r\n")
	if resp.StatusCode != 400 {
		t.Errorf("got %d", resp.StatusCode)
	}
}

func TestBasePath(t *testing.T) {
	var got seen
	r := newRig(t, got.wrap(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/base/next")
		w.Header().Add("Set-Cookie", "a=b; Path=/base/x")
		w.WriteHeader(302)
	}), rigOptions{base: "/base/"})
	a := r.get(t, "/x%2Fy?z")
	if saw, _ := got.last(t); saw.RequestURI != "/base/x%2Fy?z" {
		t.Errorf("target saw %q", saw.RequestURI)
	}
	if l := a.Header.Get("Location"); l != "/r/res/next" {
		t.Errorf("location %q", l)
	}
	if c := a.Header.Get("Set-Cookie"); c != "a=b; Path=/r/res/x" {
		t.Errorf("cookie %q", c)
	}
	for _, p := range []string{"/../secret", "/%2e%2e/secret", "/a/..;/b", "/..%2fsecret", "/..%5csecret"} {
		resp, _ := r.raw(t, "GET /r/res"+p+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+presented+"\r\n\r\n")
		if resp.StatusCode != 400 {
			t.Errorf("%s: got %d", p, resp.StatusCode)
		}
	}
}

func TestHostMode(t *testing.T) {
	var got seen
	r := newRig(t, got.wrap(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Location", "http://"+req.Host+"/next?a=b")
		w.Header().Add("Set-Cookie", "sid=1; Domain=example.com; Path=/; HttpOnly")
		w.WriteHeader(302)
	}), rigOptions{})
	for _, host := range []string{"res.localhost:8443", "res.weir.test", "RES.Weir.Test.", "res.weir.test:1"} {
		req := r.request(t, "GET", "", nil)
		req.URL.Path = "/r/other/x"
		req.Host = host
		a := r.do(t, req)
		if a.StatusCode != 302 {
			t.Fatalf("%s: got %d %s", host, a.StatusCode, a.body)
		}
		if saw, _ := got.last(t); saw.RequestURI != "/r/other/x" || saw.Header.Get("X-Forwarded-Host") != host {
			t.Errorf("target saw %q %v", saw.RequestURI, saw.Header)
		}
		if l := a.Header.Get("Location"); l != "http://"+host+"/next?a=b" {
			t.Errorf("location %q", l)
		}
		if c := a.Header.Get("Set-Cookie"); c != "sid=1; Path=/; HttpOnly" {
			t.Errorf("cookie %q", c)
		}
	}
	for _, host := range []string{"weir.test", "res.other.test", "localhost", ".weir.test", "weir.test.evil"} {
		req := r.request(t, "GET", "", nil)
		req.URL.Path = "/x"
		req.Host = host
		if a := r.do(t, req); a.StatusCode != 404 {
			t.Errorf("%s matches", host)
		}
	}
}

func TestHeadersForwarded(t *testing.T) {
	var got seen
	r := newRig(t, got.wrap(text("ok")), rigOptions{target: func(tg *httpgate.Target) { tg.HostHeader = "inner.example" }})
	a := r.get(t, "/", "Connection", "X-Hop, keep-alive", "X-Hop", "1", "Keep-Alive", "timeout=5", "Te", "trailers", "X-Forwarded-For", "6.6.6.6",
		"X-Forwarded-Host", "evil", "Forwarded", "for=6.6.6.6", "X-Real-Ip", "6.6.6.6", "Proxy-Authorization", "Basic x", "Range", "bytes=0-5", "If-Range", "x",
		"User-Agent", "probe/1", "X-Keep", "yes", "Weir-Fake", "1", "Accept-Encoding", "br;q=1.0, gzip;q=0, compress, zstd")
	if a.StatusCode != 200 {
		t.Fatal(a.StatusCode, a.body)
	}
	saw, _ := got.last(t)
	for name, want := range map[string]string{
		"X-Hop": "", "Keep-Alive": "", "Te": "trailers", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "Forwarded": "", "X-Real-Ip": "",
		"Proxy-Authorization": "", "Range": "", "If-Range": "", "User-Agent": "probe/1", "X-Keep": "yes", "Weir-Fake": "", "Accept-Encoding": "br, zstd",
	} {
		if g := saw.Header.Get(name); g != want {
			t.Errorf("%s: target saw %q, want %q", name, g, want)
		}
	}
	if h := saw.Header.Get("X-Forwarded-Host"); h != strings.TrimPrefix(r.web.URL, "http://") {
		t.Errorf("forwarded host %q", h)
	}
	if saw.Host != "inner.example" {
		t.Errorf("host %q", saw.Host)
	}
}

func TestRequestsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		header []string
		body   string
	}{
		"original url":             {header: []string{"X-Original-URL", "/admin"}},
		"rewrite url":              {header: []string{"X-Rewrite-URL", "/admin"}},
		"method override":          {header: []string{"X-HTTP-Method-Override", "DELETE"}},
		"underscore length":        {header: []string{"Content_Length", "5"}},
		"underscore forwarded":     {header: []string{"X_Forwarded_For", "1.2.3.4"}},
		"underscore of credential": {header: []string{"X_Api_Key", "mine"}},
		"placeholder in path":      {path: "/x/%5Bmasked:known:abcd1234%5D"},
		"placeholder in query":     {path: "/x?v=%5Bmasked%3Aknown%3Aabcd1234%5D"},
		"placeholder twice escaped": {
			path: "/x?v=%255bmasked%253aknown%253aabcd1234%255d",
		},
		"placeholder in header":     {header: []string{"X-Value", "a " + placeholder}},
		"placeholder in body":       {body: `{"password":"` + placeholder + `"}`},
		"placeholder in form":       {body: "password=%5Bmasked%3Afield%3Aabcd1234%5D"},
		"placeholder in JSON":       {body: `{"p":"\u005bmasked:field:abcd1234\u005d"}`},
		"credential in query":       {path: "/x?token=" + presented},
		"credential in header":      {header: []string{"X-Token", presented}},
		"credential in cookie":      {header: []string{"Cookie", "a=" + presented}},
		"body not coded as it says": {header: []string{"Content-Encoding", "gzip"}, body: "no gzip at all, not even a little"},
	} {
		t.Run(name, func(t *testing.T) {
			var got seen
			r := newRig(t, got.wrap(text("ok")), rigOptions{target: func(tg *httpgate.Target) {
				tg.Credential = httpgate.HeaderCredential("X-Api-Key", secret.New(held))
			}})
			method := "GET"
			if c.body != "" {
				method = "POST"
			}
			req := r.request(t, method, "/x", strings.NewReader(c.body))
			if c.path != "" {
				req.URL = mustURL(t, r.web.URL+"/r/res"+c.path)
			}
			for i := 0; i+1 < len(c.header); i += 2 {
				req.Header[http.CanonicalHeaderKey(c.header[i])] = []string{c.header[i+1]}
			}
			a := r.do(t, req)
			if a.StatusCode != 400 {
				t.Fatalf("got %d %s", a.StatusCode, a.body)
			}
			p := a.problem(t)
			if p["type"] != "urn:weir:problem:bad-request" || p["request_id"] == "" || strings.Contains(a.body, presented) {
				t.Errorf("problem %v", p)
			}
			if !a.Close {
				t.Error("the connection stays open")
			}
			for _, b := range got.bodies() {
				if strings.Contains(b, "masked") {
					t.Errorf("target got %q", b)
				}
			}
			if n := len(r.records(weir.RecordRefusal)); n != 1 {
				t.Errorf("%d refusals recorded", n)
			}
		})
	}
}

func TestSmuggling(t *testing.T) {
	auth := "Authorization: Bearer " + presented + "\r\n"
	follow := "GET /r/res/smuggled HTTP/1.1\r\nHost: localhost\r\n" + auth + "\r\n"
	for name, c := range map[string]struct {
		head, body string
		reached    bool // one unambiguous request may reach the target
	}{
		"length and coding":     {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", true},
		"two lengths":           {"Content-Length: 4\r\nContent-Length: 5\r\n", "abcde", false},
		"signed length":         {"Content-Length: +4\r\n", "abcd", false},
		"list of lengths":       {"Content-Length: 4, 4\r\n", "abcd", false},
		"coding with space":     {"Transfer-Encoding : chunked\r\n", "0\r\n\r\n", false},
		"unknown coding":        {"Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n", false},
		"coding twice":          {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n", false},
		"vertical tab coding":   {"Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n", false},
		"line fold":             {"X: y\r\n\tz\r\n", "", true}, // net/http joins the lines, so nothing ambiguous is left
		"bad header name":       {"X Y: z\r\n", "", false},
		"bad header value":      {"X: a\x00b\r\n", "", false},
		"two hosts":             {"Host: other\r\n", "", false},
		"bare carriage return":  {"X: a\rb\r\n", "", false},
		"bad chunk size":        {"Transfer-Encoding: chunked\r\n", "0x4\r\nabcd\r\n0\r\n\r\n", true},
		"negative chunk size":   {"Transfer-Encoding: chunked\r\n", "-4\r\nabcd\r\n0\r\n\r\n", true},
		"chunk without its end": {"Transfer-Encoding: chunked\r\n", "4\r\nabcdX\r\n0\r\n\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			var got seen
			r := newRig(t, got.wrap(text("ok")), rigOptions{})
			resp, _ := r.raw(t, "POST /r/res/first HTTP/1.1\r\nHost: localhost\r\n"+auth+c.head+"\r\n"+c.body+follow)
			if !c.reached && resp.StatusCode != 400 && resp.StatusCode != 501 {
				t.Errorf("got %d", resp.StatusCode)
			}
			got.mu.Lock()
			defer got.mu.Unlock()
			for _, req := range got.reqs {
				if len(req.TransferEncoding) > 0 && req.Header.Get("Content-Length") != "" {
					t.Error("an ambiguous request reached the target")
				}
				if !c.reached {
					t.Errorf("the target got %s", req.URL)
				}
			}
		})
	}
}

func TestRequestLines(t *testing.T) {
	auth := "Authorization: Bearer " + presented + "\r\n"
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"absolute, own host":   {"GET http://localhost/r/res/x HTTP/1.1\r\nHost: localhost\r\n", 200},
		"absolute, other host": {"GET http://evil.test/r/res/x HTTP/1.1\r\nHost: localhost\r\n", 400},
		"absolute, host mode":  {"GET http://res.weir.test/x HTTP/1.1\r\nHost: res.weir.test\r\n", 200},
		"fragment":             {"GET /r/res/x#y HTTP/1.1\r\nHost: localhost\r\n", 400},
		"no host":              {"GET /r/res/x HTTP/1.1\r\n", 400},
		"no host, 1.0":         {"GET /r/res/x HTTP/1.0\r\n", 400},
		"connect":              {"CONNECT /r/res/x HTTP/1.1\r\nHost: localhost\r\n", 405},
		"trace":                {"TRACE /r/res/x HTTP/1.1\r\nHost: localhost\r\n", 405},
		"bad escape":           {"GET /r/res/%zz HTTP/1.1\r\nHost: localhost\r\n", 400},
		"upgrade to h2c":       {"GET /r/res/x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n", 200},
		"unknown method":       {"BREW /r/res/x HTTP/1.1\r\nHost: localhost\r\n", 200},
		"expect nonsense":      {"GET /r/res/x HTTP/1.1\r\nHost: localhost\r\nExpect: magic\r\n", 417},
	} {
		t.Run(name, func(t *testing.T) {
			var got seen
			r := newRig(t, got.wrap(text("ok")), rigOptions{})
			resp, body := r.raw(t, c.text+auth+"Connection: close\r\n\r\n")
			if strings.Contains(c.text, "Upgrade") {
				resp, body = r.raw(t, c.text+auth+"\r\n")
			}
			if resp.StatusCode != c.want {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
			if c.want != 200 && got.count() > 0 {
				t.Error("it reached the target")
			}
			if c.want == 200 {
				if saw, _ := got.last(t); saw.Header.Get("Upgrade") != "" || saw.Header.Get("Http2-Settings") != "" {
					t.Errorf("target saw %v", saw.Header)
				}
			}
		})
	}
}

func TestExpectContinue(t *testing.T) {
	var got seen
	r := newRig(t, got.wrap(text("ok")), rigOptions{controls: func(c *gatetest.Controls) {
		c.OnDecide = func(cmd *weir.Command) (weir.Verdict, error) {
			if strings.HasPrefix(cmd.HTTP.Path, "/denied") {
				return weir.Verdict{Effect: weir.Deny, Rule: "no", Policy: "p"}, nil
			}
			return weir.Verdict{Effect: weir.Allow, Policy: "p"}, nil
		}
	}})
	head := func(path string) string {
		return "POST /r/res" + path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + presented + "\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
	}
	if resp, _ := r.raw(t, head("/allowed")); resp.StatusCode != 100 {
		t.Errorf("allowed: got %d first", resp.StatusCode)
	}
	if resp, _ := r.raw(t, head("/denied")); resp.StatusCode != 403 {
		t.Errorf("denied: got %d before the body", resp.StatusCode)
	}
	req := r.request(t, "POST", "/allowed", strings.NewReader("data"))
	req.Header.Set("Expect", "100-continue")
	if a := r.do(t, req); a.StatusCode != 200 {
		t.Errorf("got %d", a.StatusCode)
	}
	if _, body := got.last(t); body != "data" {
		t.Errorf("target got %q", body)
	}
}

func TestBodies(t *testing.T) {
	gz := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, s)
		_ = w.Close()
		return b.String()
	}
	big := strings.Repeat("0123456789abcdef", 40_000)
	for name, c := range map[string]struct {
		body, want string
		chunked    bool
		coding     string
	}{
		"small":           {body: "hello " + canary, want: "hello " + canary},
		"small, chunked":  {body: "hello", want: "hello", chunked: true},
		"big":             {body: big, want: big},
		"big, chunked":    {body: big, want: big, chunked: true},
		"gzip is undone":  {body: gz("plain " + canary), want: "plain " + canary, coding: "gzip"},
		"gzip, big":       {body: gz(big), want: big, coding: "gzip", chunked: true},
		"empty":           {},
		"empty, chunked":  {chunked: true},
		"exactly 64 KiB":  {body: big[:64<<10], want: big[:64<<10]},
		"64 KiB and more": {body: big[:64<<10+1], want: big[:64<<10+1]},
	} {
		t.Run(name, func(t *testing.T) {
			var got seen
			r := newRig(t, got.wrap(text("ok")), rigOptions{})
			req := r.request(t, "POST", "/", io.Reader(strings.NewReader(c.body)))
			if c.chunked {
				req.Body, req.ContentLength = io.NopCloser(strings.NewReader(c.body)), -1
			}
			req.Header.Set("Content-Type", "text/plain")
			if c.coding != "" {
				req.Header.Set("Content-Encoding", c.coding)
			}
			if a := r.do(t, req); a.StatusCode != 200 {
				t.Fatalf("got %d %s", a.StatusCode, a.body)
			}
			saw, body := got.last(t)
			if body != c.want || saw.Header.Get("Content-Encoding") != "" {
				t.Errorf("target got %d bytes, want %d; %v", len(body), len(c.want), saw.Header)
			}
			eventually(t, "end", func() bool { return len(r.records(weir.RecordAnswerEnd)) == 1 })
			var rec strings.Builder
			for _, x := range r.records(weir.RecordCommandBody) {
				rec.Write(x.Data)
			}
			if want := strings.ReplaceAll(c.want, canary, gatetest.Mask); rec.String() != want {
				t.Errorf("recorded %d bytes, want %d", rec.Len(), len(want))
			}
			r.controls.Sweep(t)
		})
	}
}

func TestPlaceholderFarInsideABodyAbortsTheRequest(t *testing.T) {
	whole := make(chan bool, 1)
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, err := io.ReadAll(req.Body)
		whole <- err == nil || bytes.Contains(b, []byte(placeholder))
	}), rigOptions{})
	for _, chunked := range []bool{false, true} {
		body := strings.Repeat("x", 1<<20) + placeholder + strings.Repeat("y", 1<<20)
		req := r.request(t, "POST", "/", strings.NewReader(body))
		if chunked {
			req.ContentLength = -1
		}
		a := r.do(t, req)
		if a.StatusCode != 400 || !strings.Contains(a.body, "masked value") {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
		if <-whole {
			t.Error("the target took the body for whole")
		}
	}
}

func TestRecordingFailureStopsTheBody(t *testing.T) {
	whole := make(chan bool, 1)
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, err := io.Copy(io.Discard, req.Body)
		whole <- err == nil
	}), rigOptions{controls: func(c *gatetest.Controls) {
		n := 0
		c.OnRecord = func(r *weir.Record) error {
			if r.Kind == weir.RecordCommandBody {
				if n++; n > 3 {
					return errors.New("disk full")
				}
			}
			return nil
		}
	}})
	a := r.do(t, r.request(t, "POST", "/", strings.NewReader(strings.Repeat("x", 2<<20))))
	if a.StatusCode != 503 {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
	if <-whole {
		t.Error("the target got the whole body though it was not recorded")
	}
}

func TestHold(t *testing.T) {
	var got seen
	var digests [][32]byte
	r := newRig(t, got.wrap(text("ok")), rigOptions{controls: func(c *gatetest.Controls) {
		c.OnDecide = func(*weir.Command) (weir.Verdict, error) {
			return weir.Verdict{Effect: weir.Approve, Rule: "ask", Policy: "p", Hold: weir.HoldTerms{Count: 1}}, nil
		}
		c.OnHold = func(_ context.Context, h *weir.Hold) (weir.Grant, error) {
			digests = append(digests, h.Digest)
			h.Opened("req_7")
			if strings.Contains(h.Command, "unapproved") {
				return weir.Grant{}, &weir.Denied{Kind: weir.DeniedUnapproved, Reason: "nobody approved", Hint: "send the same request again after approval", Request: "req_7"}
			}
			return weir.Grant{Request: "req_7", Policy: "p", Approvers: []string{"mia"}}, nil
		}
	}})
	post := func(path, body string, header ...string) *answer {
		req := r.request(t, "POST", path, strings.NewReader(body))
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		return r.do(t, req)
	}
	body := strings.Repeat("z", 200_000)
	if a := post("/a", body); a.StatusCode != 200 {
		t.Fatalf("got %d %s", a.StatusCode, a.body)
	}
	if _, b := got.last(t); b != body {
		t.Errorf("target got %d bytes of the held body", len(b))
	}
	same := func(name string, want bool) {
		t.Helper()
		n := len(digests)
		if (digests[n-1] == digests[n-2]) != want {
			t.Errorf("%s: same request: %v, want %v", name, !want, want)
		}
	}
	post("/a", body, "User-Agent", "other", "X-Request-Id", "7", "Accept-Language", "de", "X-Forwarded-For", "1.1.1.1")
	same("volatile headers", true)
	post("/a", body+"z")
	same("another body", false)
	post("/a", body+"z", "X-Tenant", "other")
	same("another header", false)
	part := func(b string) string {
		return "--" + b + "\r\nContent-Disposition: form-data; name=f\r\n\r\nvalue\r\n--" + b + "--\r\n"
	}
	post("/m", part("aaaa"), "Content-Type", "multipart/form-data; boundary=aaaa")
	post("/m", part("bbbb"), "Content-Type", "multipart/form-data; boundary=bbbb")
	same("another boundary", true)
	a := post("/unapproved", "")
	p := a.problem(t)
	if a.StatusCode != 403 || p["request_id"] != "req_7" || p["type"] != "urn:weir:problem:approval-required" || a.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %v", a.StatusCode, p)
	}
	n := got.count()
	if a = post("/big", strings.Repeat("z", 1<<20+1)); a.StatusCode != 400 || !strings.Contains(a.body, "at most 1 MiB") || got.count() != n {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
	if a = post("/big", strings.Repeat("z", 1<<20)); a.StatusCode != 200 {
		t.Errorf("exactly 1 MiB: got %d %s", a.StatusCode, a.body)
	}
}

func TestConditionalRequests(t *testing.T) {
	var got seen
	r := newRig(t, got.wrap(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Etag", `"v1"`)
		for _, tag := range strings.Split(req.Header.Get("If-None-Match"), ",") {
			if strings.TrimSpace(tag) == `"v1"` { // a server that compares strictly
				w.WriteHeader(304)
				return
			}
		}
		if m := req.Header.Get("If-Match"); m != "" && m != `"v1"` {
			w.WriteHeader(412)
			return
		}
		text("body")(w, req)
	}), rigOptions{})
	a := r.get(t, "/")
	tag := a.Header.Get("Etag")
	if tag != `W/"v1"` {
		t.Fatalf("tag %q", tag)
	}
	if a = r.get(t, "/", "If-None-Match", tag); a.StatusCode != 304 || a.body != "" || a.Header.Get("Etag") != tag {
		t.Errorf("got %d %q %v", a.StatusCode, a.body, a.Header)
	}
	if a = r.get(t, "/", "If-Match", tag); a.StatusCode != 200 {
		t.Errorf("if-match: got %d", a.StatusCode)
	}
	if a = r.get(t, "/", "If-Match", `"v2"`); a.StatusCode != 412 {
		t.Errorf("if-match of another: got %d", a.StatusCode)
	}
}

func TestClientGoneEndsTheUpstreamRequest(t *testing.T) {
	gone := make(chan struct{})
	started := make(chan struct{})
	r := newRig(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		close(started)
		<-req.Context().Done()
		close(gone)
	}), rigOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	req := r.request(t, "GET", "/", nil).WithContext(ctx)
	go func() { <-started; cancel() }()
	if _, err := r.client().Do(req); err == nil {
		t.Fatal("no error")
	}
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the target was not told")
	}
}

func TestCrossSiteCookies(t *testing.T) {
	r := newRig(t, text("ok"), rigOptions{})
	for name, c := range map[string]struct {
		method string
		header []string
		want   int
	}{
		"navigation":     {"GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		"post from away": {"POST", []string{"Sec-Fetch-Site", "cross-site"}, 400},
		"sibling":        {"POST", []string{"Sec-Fetch-Site", "same-site"}, 400},
		"own page":       {"POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		"old browser":    {"POST", []string{"Origin", "https://evil.test"}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			req := r.request(t, c.method, "/", nil)
			req.Header = http.Header{"Cookie": {"__Host-weir=" + presented}, c.header[0]: {c.header[1]}}
			if a := r.do(t, req); a.StatusCode != c.want {
				t.Errorf("got %d %s", a.StatusCode, a.body)
			}
		})
	}
}

func TestMaskedCookiesDoNotStandInTheWay(t *testing.T) {
	var got seen
	r := newRig(t, got.wrap(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Add("Set-Cookie", "sid="+canary+"; Path=/")
		w.Header().Add("Set-Cookie", "weir-res=stolen")
		text("ok")(w, req)
	}), rigOptions{})
	a := r.get(t, "/")
	if c := strings.Join(a.Header["Set-Cookie"], "|"); c != "sid="+gatetest.Mask+"; Path=/r/res/" {
		t.Fatalf("cookies %q", c)
	}
	if a = r.get(t, "/", "Cookie", "sid="+gatetest.Mask+"; lang=de"); a.StatusCode != 200 {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
	if saw, _ := got.last(t); saw.Header.Get("Cookie") != "lang=de" {
		t.Errorf("target saw %q", saw.Header.Get("Cookie"))
	}
}

func TestDecisionSeesTheRequest(t *testing.T) {
	var saw weir.HTTPRequest
	r := newRig(t, text("ok"), rigOptions{controls: func(c *gatetest.Controls) {
		c.OnDecide = func(cmd *weir.Command) (weir.Verdict, error) {
			saw = *cmd.HTTP
			return weir.Verdict{Effect: weir.Allow, Policy: "p"}, nil
		}
	}, target: func(tg *httpgate.Target) {
		tg.Credential = httpgate.HeaderCredential("X-Api-Key", secret.New(held))
	}})
	r.get(t, "/a%2Fb?x=1&x=%32&bad=%zz&p;q=r", "X-Mine", "1", "Cookie", "a=b; __Host-weir=zzz")
	if saw.Method != "GET" || saw.Path != "/a%2Fb" || saw.Host != strings.TrimPrefix(r.target.URL, "http://") {
		t.Errorf("saw %+v", saw)
	}
	for k, want := range map[string]string{"x": "[1 2]", "bad": "[%zz]", "p;q": "[r]", "q": "[r]", "p": "[]"} {
		if g := fmt.Sprint(saw.Query[k]); g != want && (k != "p" || g != "[]") {
			t.Errorf("query %s: %s, want %s", k, g, want)
		}
	}
	if h := http.Header(saw.Header); h.Get("X-Mine") != "1" || h.Get("Cookie") != "a=b" || h.Get("Authorization") != "" {
		t.Errorf("header %v", saw.Header)
	}
}
